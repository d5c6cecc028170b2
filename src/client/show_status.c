/* show_status: how everything stands, and one App or Source. */
#include "client_priv.h"

#define FEW_APPS 10u /* up to so many Apps all are shown */
#define LINE 110u    /* columns that a line of "Needs you" takes before it is broken */

static const struct node *item_at(const struct node *items, size_t i)
{
	return items->items[i];
}

static bool is_kind(const struct node *item, const char *kind)
{
	return str_eq(get(item, "kind"), str_from(kind));
}

static bool is_app_well(const struct node *app)
{
	str health = get(app, "health");

	/* Unknown: nobody can see it, as in a directory. */
	return str_eq(get(app, "state"), STR("Synced")) &&
	       (str_eq(health, STR("Healthy")) || str_eq(health, STR("Unknown"))) &&
	       !get_int(node_get(app, STR("drift")), "fields", 0) &&
	       !get_int(node_get(app, STR("drift")), "objects", 0) && !node_get(app, STR("needs"));
}

static str full_name(struct client *c, const struct node *item)
{
	str ns = get(item, "namespace");

	return sayf(c, STR_FMT "%s" STR_FMT, STR_ARG(say(c, ns)), ns.n ? "/" : "",
		    STR_ARG(say(c, get(item, "name"))));
}

static str drift_of(struct client *c, const struct node *app)
{
	const struct node *d = node_get(app, STR("drift"));
	int64_t fields = get_int(d, "fields", 0), objects = get_int(d, "objects", 0);

	if (fields)
		return counted(c, fields, "field", "fields");
	return objects ? counted(c, objects, "object", "objects") : STR("-");
}

static str age_of(struct client *c, const struct node *item, const char *key)
{
	msec t;

	return get_time(item, key, &t) ? ago(c, t) : STR("-");
}

static str since_words(struct client *c, msec t)
{
	return c->now - t < SECOND
		       ? STR("just now")
		       : sayf(c, STR_FMT " ago", STR_ARG(duration_format(c->a, c->now - t)));
}

static void head_line(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *items = get_list(doc, "items");
	int64_t sources = 0, apps = 0, objects = 0;
	msec t;

	for (size_t i = 0; items && i < items->n; i++) {
		const struct node *n = item_at(items, i);

		sources += is_kind(n, "Source");
		apps += is_kind(n, "App");
		objects += get_int(node_get(n, STR("objects")), "total", 0);
	}
	color_on(c, CELL_BOLD, b);
	buf_str(b, say(c, get(doc, "instance")));
	color_off(c, CELL_BOLD, b);
	buf_printf(b, "   " STR_FMT ", " STR_FMT ", " STR_FMT,
		   STR_ARG(counted(c, sources, "source", "sources")),
		   STR_ARG(counted(c, apps, "app", "apps")),
		   STR_ARG(counted(c, objects, "object", "objects")));
	if (get_time(doc, "lastPoll", &t)) {
		buf_printf(b, "   last poll " STR_FMT, STR_ARG(since_words(c, t)));
		if (get_time(doc, "lastRequest", &t))
			buf_printf(b, ", last API request " STR_FMT, STR_ARG(since_words(c, t)));
	}
	if (get_bool(doc, "shadow"))
		buf_str(b, STR("   shadow: nothing is written"));
	buf_char(b, '\n');
}

static str resume_of(struct client *c, const struct node *item)
{
	return sayf(c, "leeboard resume %s/" STR_FMT, is_kind(item, "Source") ? "source" : "app",
		    STR_ARG(full_name(c, item)));
}

/* "Refused 8c0d3fe: not signed" */
static str source_state(struct client *c, const struct node *s)
{
	str state = get(s, "state"), message = get(s, "message"), why = refusal_of(c, message);

	if (str_eq(state, STR("Suspended")))
		return sayf(c, STR_FMT "%s" STR_FMT "  " STR_FMT, STR_ARG(say(c, state)),
			    message.n ? ": " : "", STR_ARG(say(c, message)),
			    STR_ARG(resume_of(c, s)));
	if (!message.n || str_eq(state, STR("Ready")))
		return say(c, state);
	if (why.n < message.n && get(s, "offered").n)
		return sayf(c, STR_FMT " " STR_FMT ": " STR_FMT, STR_ARG(say(c, state)),
			    STR_ARG(short_id(c, get(s, "offered"))), STR_ARG(why));
	return sayf(c, STR_FMT " " STR_FMT, STR_ARG(say(c, state)), STR_ARG(say(c, message)));
}

static void sources_table(struct client *c, const struct node *items, struct buf *b)
{
	static const char *const heads[] = {"SOURCE", "REF",   "ACCEPTED", "AGE",
					    "BY",     "STATE", "URL"};
	bool wide = c->format == FORMAT_WIDE;
	struct table *t = table_new(c->a, wide ? 7 : 6);
	size_t n = 0;

	for (size_t i = 0; i < t->columns; i++)
		table_add(t, str_from(heads[i]));
	for (size_t i = 0; i < items->n; i++) {
		const struct node *s = item_at(items, i), *a = node_get(s, STR("accepted"));
		str by;

		if (!is_kind(s, "Source"))
			continue;
		n++;
		by = get(a, "signer").n ? say(c, get(a, "signer")) : say(c, get(a, "author"));
		table_add(t, full_name(c, s));
		table_add(t, say(c, get(s, "ref")));
		table_add(t, short_id(c, get(a, "commit")));
		table_add(t, age_of(c, a, "at"));
		table_add(t, by.n ? by : STR("-"));
		table_add_styled(t, source_state(c, s), style_of(get(s, "state")));
		if (wide)
			table_add(t, say(c, get(s, "url")));
	}
	if (!n)
		return;
	buf_char(b, '\n');
	table_print(c, t, "", b);
}

/* What stands behind the columns of an App that is not well. */
static str cause_of(struct client *c, const struct node *app)
{
	const struct node *cause = node_get(app, STR("firstCause"));
	str state = get(app, "state"), reason = say(c, get(app, "reason"));
	int64_t wave = get_int(app, "wave", 0), waves = get_int(app, "waves", 0);
	msec until;

	if (str_eq(state, STR("Progressing")) && wave)
		return sayf(c, "wave %lld of %lld", (long long)wave, (long long)waves);
	if (str_eq(state, STR("Progressing")))
		return say(c, get(app, "stage"));
	if (str_eq(state, STR("Suspended")) && get_time(app, "until", &until))
		return sayf(c, "until " STR_FMT, STR_ARG(clock_of(c, until, false)));
	if (cause && node_get(cause, STR("object")))
		return sayf(c, STR_FMT " " STR_FMT,
			    STR_ARG(object_short(c, node_get(cause, STR("object")))),
			    STR_ARG(say(c, get(cause, "reason"))));
	return reason;
}

static void apps_table(struct client *c, const struct node *items, bool all, bool problems,
		       struct buf *b)
{
	static const char *const heads[] = {"APP",   "REVISION", "STATE", "HEALTH",
					    "DRIFT", "AGE",      "",      ""};
	bool wide = c->format == FORMAT_WIDE;
	struct table *t = table_new(c->a, wide ? 8 : 7);
	size_t apps = 0, shown = 0, well = 0;

	for (size_t i = 0; i < items->n; i++)
		apps += is_kind(item_at(items, i), "App");
	for (size_t i = 0; i < t->columns; i++)
		table_add(t, i == 6 && wide ? STR("SOURCE") : str_from(heads[i]));
	for (size_t i = 0; i < items->n; i++) {
		const struct node *app = item_at(items, i);

		if (!is_kind(app, "App"))
			continue;
		if (is_app_well(app) && !all && (apps > FEW_APPS || problems)) {
			well++;
			continue;
		}
		shown++;
		table_add(t, full_name(c, app));
		table_add(t, short_id(c, get(app, "revision")));
		table_add_styled(t, say(c, get(app, "state")), style_of(get(app, "state")));
		table_add_styled(t, say(c, get(app, "health")), style_of(get(app, "health")));
		table_add(t, drift_of(c, app));
		table_add(t, age_of(c, app, "appliedAt"));
		if (wide)
			table_add(t, say(c, get(app, "source")));
		table_add(t, cause_of(c, app));
	}
	t->least[5] = 3; /* AGE, above times that may be shorter */
	if (shown || well)
		buf_char(b, '\n');
	if (shown)
		table_print(c, t, "", b);
	if (well)
		buf_printf(b,
			   shown ? "%zu more %s Synced and Healthy (-a)\n"
				 : "%zu %s Synced and Healthy (-a)\n",
			   well, well == 1 ? "is" : "are");
}

/* A look and then an act are joined by a comma, ways out by "or". */
static str commands_of(struct client *c, const struct node *needs)
{
	const struct node *list = get_list(needs, "commands");
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; list && i < list->n; i++) {
		if (i)
			buf_str(&b, str_starts(node_text(list->items[i - 1]), STR("leeboard plan "))
					    ? STR(", ")
					    : STR(", or: "));
		buf_escaped(&b, node_text(list->items[i]));
	}
	return arena_str(c->a, buf_view(&b));
}

static void needs_you(struct client *c, const struct node *items, struct buf *b)
{
	size_t name_width = 0, limit = c->width ? c->width : LINE;
	bool any = false;

	for (size_t i = 0; i < items->n; i++)
		if (node_get(item_at(items, i), STR("needs"))) {
			size_t n = full_name(c, item_at(items, i)).n;

			name_width = n > name_width ? n : name_width;
		}
	for (size_t i = 0; i < items->n; i++) {
		const struct node *needs = node_get(item_at(items, i), STR("needs"));
		str name, message, commands;

		if (!needs)
			continue;
		if (!any)
			buf_str(b, STR("\nNeeds you:\n"));
		any = true;
		name = full_name(c, item_at(items, i));
		message = say(c, get(needs, "message"));
		commands = commands_of(c, needs);
		buf_printf(b, "  %-*.*s  " STR_FMT, (int)name_width, (int)name.n, name.p,
			   STR_ARG(message));
		if (commands.n && 2 + name_width + 2 + message.n + 3 + commands.n <= limit)
			buf_printf(b, ":  " STR_FMT, STR_ARG(commands));
		else if (commands.n)
			buf_printf(b, "\n%*s" STR_FMT, (int)name_width + 4, "", STR_ARG(commands));
		buf_char(b, '\n');
	}
}

void show_status(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *items = get_list(doc, "items"), *warnings = get_list(doc, "warnings");

	head_line(c, doc, b);
	if (items) {
		sources_table(c, items, b);
		apps_table(c, items, verb_has(&c->words, "--all"),
			   verb_has(&c->words, "--problems"), b);
		needs_you(c, items, b);
	}
	for (size_t i = 0; c->verbose && warnings && i < warnings->n; i++)
		buf_printf(b, "%swarning: " STR_FMT "\n", i ? "" : "\n",
			   STR_ARG(say(c, node_text(warnings->items[i]))));
}

/* ------------------------------------------------------------------ one of them */

static str quoted_subject(struct client *c, const struct node *revision)
{
	str subject = get(revision, "subject");

	return subject.n ? sayf(c, " \"" STR_FMT "\"", STR_ARG(say(c, subject))) : STR("");
}

static str revision_words(struct client *c, const struct node *r)
{
	str who = by_whom(c, r);

	return sayf(c, STR_FMT STR_FMT "%s" STR_FMT, STR_ARG(short_id(c, get(r, "commit"))),
		    STR_ARG(quoted_subject(c, r)), who.n ? " " : "", STR_ARG(who));
}

static void first_cause(struct client *c, const struct node *cause, struct buf *b)
{
	const struct node *object = node_get(cause, STR("object"));
	const struct node *origin = node_get(cause, STR("origin")), *log = get_list(cause, "log");
	str health = get(cause, "health"), pod = get(cause, "pod"),
	    container = get(cause, "container");
	str reason = say(c, get(cause, "reason")), message = say(c, get(cause, "message"));
	str place = place_of(c, origin);
	msec since;

	buf_char(b, '\n');
	if (object) {
		buf_str(b, object_label(c, object));
		if (health.n)
			buf_printf(b, " is " STR_FMT, STR_ARG(say(c, health)));
		if (get_time(cause, "since", &since))
			buf_printf(b, " since " STR_FMT ", " STR_FMT,
				   STR_ARG(clock_of(c, since, true)),
				   STR_ARG(duration_format(c->a, c->now - since)));
		buf_char(b, '\n');
	}
	if (pod.n)
		buf_printf(b, "  pod " STR_FMT "%s" STR_FMT ": " STR_FMT "\n", STR_ARG(say(c, pod)),
			   container.n ? ", container " : "", STR_ARG(say(c, container)),
			   STR_ARG(reason));
	else
		buf_printf(b, "  " STR_FMT "\n", STR_ARG(reason));
	if (message.n)
		buf_printf(b, "  " STR_FMT "\n", STR_ARG(message));
	if (place.n) {
		str field = get(cause, "field"), commit = get(origin, "commit");
		str from = get(cause, "from");

		buf_printf(b, "  " STR_FMT " is set by " STR_FMT,
			   STR_ARG(field.n ? say(c, field) : STR("it")), STR_ARG(place));
		if (commit.n)
			buf_printf(b, ", changed in " STR_FMT, STR_ARG(short_id(c, commit)));
		if (from.n)
			buf_printf(b, " from " STR_FMT, STR_ARG(say(c, from)));
		buf_char(b, '\n');
	}
	if (get(cause, "note").n)
		buf_printf(b, "  " STR_FMT "\n", STR_ARG(say(c, get(cause, "note"))));
	for (size_t i = 0; log && i < log->n; i++)
		buf_printf(b, "  | " STR_FMT "\n", STR_ARG(say(c, node_text(log->items[i]))));
}

/* "Namespace, ConfigMap, 2 Service" */
static void kinds_words(struct client *c, const struct node *kinds, const char *state,
			struct buf *b)
{
	bool any = false;

	for (size_t i = 0; i < kinds->n; i++) {
		const struct node *k = kinds->items[i], *by = node_get(k, STR("blockedBy"));
		int64_t n = get_int(k, "count", 1);

		if (state && !str_eq(get(k, "state"), str_from(state)))
			continue;
		if (any)
			buf_str(b, STR(", "));
		any = true;
		if (n > 1)
			buf_printf(b, "%lld ", (long long)n);
		buf_str(b, say(c, get(k, "kind")));
		if (!state && !str_eq(get(k, "state"), STR("done")))
			buf_printf(b, " " STR_FMT, STR_ARG(say(c, get(k, "state"))));
		if (by)
			buf_printf(b, " by " STR_FMT, STR_ARG(say(c, get(by, "kind"))));
	}
}

static void waves_line(struct client *c, const struct node *waves, struct buf *b)
{
	size_t done = 0;

	for (size_t i = 0; i < waves->n; i++)
		done += str_eq(get(waves->items[i], "state"), STR("done"));
	buf_printf(b, "Waves    %zu of %u done", done, waves->n);
	for (size_t i = 0; i < waves->n; i++) {
		const struct node *kinds = get_list(waves->items[i], "kinds");
		bool is_done = str_eq(get(waves->items[i], "state"), STR("done"));

		if (!kinds)
			continue;
		buf_str(b, i ? STR("; ") : STR(": "));
		kinds_words(c, kinds, is_done ? "done" : NULL, b);
	}
	buf_char(b, '\n');
}

static str ordinal(struct client *c, int64_t n)
{
	const char *end = n % 100 / 10 == 1 ? "th"
			  : n % 10 == 1     ? "st"
			  : n % 10 == 2     ? "nd"
			  : n % 10 == 3     ? "rd"
					    : "th";

	return sayf(c, "%lld%s", (long long)n, end);
}

/* Pairs of a word and what it says, side by side. */
static void pair(struct buf *b, const char *word, str value)
{
	if (b->n && b->p[b->n - 1] != '\n')
		buf_str(b, STR("     "));
	buf_printf(b, "%-8s " STR_FMT, word, STR_ARG(value));
}

/* The command that ends the state, wherever it is shown. */
static void next_line(struct client *c, const struct node *item, struct buf *b)
{
	str next = say(c, get(item, "next"));

	if (!next.n)
		next = say(c, get(item, "release"));
	if (!next.n)
		next = commands_of(c, node_get(item, STR("needs")));
	if (!next.n && str_eq(get(item, "state"), STR("Suspended")))
		next = resume_of(c, item);
	if (next.n)
		buf_printf(b, "\nNext: " STR_FMT "\n", STR_ARG(next));
}

static void show_app(struct client *c, const struct node *app, struct buf *b)
{
	const struct node *commit = node_get(app, STR("commit")), *waves = get_list(app, "waves");
	const struct node *target = node_get(app, STR("target")),
			  *try = node_get(app, STR("nextTry"));
	const struct node *cause = node_get(app, STR("firstCause"));
	str state = get(app, "state"), owner = get(app, "owner"), reason = get(app, "reason");
	str message = say(c, get(app, "message")), healthy = get(app, "lastHealthy"), drift;
	CLEANUP(buf) struct buf line = BUF_INIT;
	msec t;

	color_on(c, CELL_BOLD, b);
	buf_str(b, full_name(c, app));
	color_off(c, CELL_BOLD, b);
	buf_str(b, STR("   "));
	color_on(c, style_of(state), b);
	buf_str(b, say(c, state));
	color_off(c, style_of(state), b);
	if (commit)
		buf_printf(b, " at " STR_FMT, STR_ARG(revision_words(c, commit)));
	else if (get(app, "revision").n)
		buf_printf(b, " at " STR_FMT, STR_ARG(short_id(c, get(app, "revision"))));
	if (owner.n)
		buf_printf(b, "   owner: " STR_FMT, STR_ARG(say(c, owner)));
	buf_char(b, '\n');
	if (!cause && message.n)
		buf_printf(b, "  " STR_FMT "%s" STR_FMT "\n", STR_ARG(say(c, reason)),
			   reason.n ? ": " : "", STR_ARG(message));
	if (get(app, "by").n)
		buf_printf(b, "  by " STR_FMT "\n", STR_ARG(say(c, get(app, "by"))));
	if (get_time(app, "until", &t))
		buf_printf(b, "  until " STR_FMT "\n", STR_ARG(clock_of(c, t, false)));
	if (cause)
		first_cause(c, cause, b);
	buf_char(b, '\n');
	buf_printf(b, "Source   " STR_FMT "  " STR_FMT "  " STR_FMT,
		   STR_ARG(say(c, get(app, "source"))), STR_ARG(say(c, get(app, "ref"))),
		   STR_ARG(say(c, get(app, "path"))));
	if (target) {
		str name = get(target, "name"), as = get(target, "as");

		buf_printf(b, "      Target  " STR_FMT "%s" STR_FMT,
			   STR_ARG(say(c, name.n ? name : get(target, "kind"))),
			   as.n ? ", as " : "", STR_ARG(say(c, as)));
	}
	buf_char(b, '\n');
	if (waves)
		waves_line(c, waves, b);
	drift = drift_of(c, app);
	pair(&line, "Drift", str_eq(drift, STR("-")) ? STR("none") : drift);
	buf_printf(&line, "     Holds  ");
	if (get_int(app, "holds", 0))
		buf_printf(&line, "%lld", (long long)get_int(app, "holds", 0));
	else
		buf_str(&line, STR("none"));
	if (get_time(try, "at", &t)) {
		buf_printf(&line, "     Next try in " STR_FMT, STR_ARG(span(c, t - c->now)));
		if (get_int(try, "attempt", 0))
			buf_printf(&line, " (" STR_FMT ")",
				   STR_ARG(ordinal(c, get_int(try, "attempt", 0))));
	}
	buf_printf(b, STR_FMT "\n", STR_ARG(buf_view(&line)));
	if (healthy.n && !str_eq(healthy, get(app, "revision"))) {
		buf_printf(b, "Healthy before at " STR_FMT, STR_ARG(short_id(c, healthy)));
		if (get_time(app, "lastHealthyAt", &t))
			buf_printf(b, ", " STR_FMT, STR_ARG(ago(c, t)));
		buf_char(b, '\n');
	} else {
		const struct node *o = node_get(app, STR("objects"));
		bool unseen = str_eq(get(app, "health"), STR("Unknown"));

		buf_printf(b, "Health   " STR_FMT,
			   STR_ARG(unseen ? STR("not seen") : say(c, get(app, "health"))));
		if (o && unseen)
			buf_printf(
				b, ", " STR_FMT,
				STR_ARG(counted(c, get_int(o, "total", 0), "object", "objects")));
		else if (o)
			buf_printf(
				b, ", %lld of " STR_FMT, (long long)get_int(o, "healthy", 0),
				STR_ARG(counted(c, get_int(o, "total", 0), "object", "objects")));
		buf_char(b, '\n');
	}
	next_line(c, app, b);
}

static void show_source(struct client *c, const struct node *s, struct buf *b)
{
	const struct node *accepted = node_get(s, STR("accepted")),
			  *verify = node_get(s, STR("verify"));
	const struct node *refused = node_get(s, STR("refused")), *apps = get_list(s, "apps");
	const struct node *bad = get_list(refused, "commits");
	double interval;
	msec t;

	color_on(c, CELL_BOLD, b);
	buf_str(b, full_name(c, s));
	color_off(c, CELL_BOLD, b);
	buf_str(b, STR("   "));
	color_on(c, style_of(get(s, "state")), b);
	buf_str(b, source_state(c, s));
	color_off(c, style_of(get(s, "state")), b);
	buf_printf(b, "   " STR_FMT "  " STR_FMT "\n\n", STR_ARG(say(c, get(s, "url"))),
		   STR_ARG(say(c, get(s, "ref"))));
	if (accepted) {
		buf_printf(b, "Accepted " STR_FMT, STR_ARG(revision_words(c, accepted)));
		if (get_time(accepted, "at", &t))
			buf_printf(b, ", " STR_FMT, STR_ARG(ago(c, t)));
		buf_char(b, '\n');
	}
	if (refused) {
		str why = refusal_of(c, get(refused, "message")), author = get(refused, "author");

		buf_printf(b, "Refused  " STR_FMT STR_FMT "%s" STR_FMT ": " STR_FMT "\n",
			   STR_ARG(short_id(c, get(refused, "commit"))),
			   STR_ARG(quoted_subject(c, refused)), author.n ? " by " : "",
			   STR_ARG(say(c, author)),
			   STR_ARG(why.n ? why : say(c, get(refused, "reason"))));
		for (size_t i = 0; bad && i < bad->n; i++)
			buf_printf(b, "         " STR_FMT STR_FMT ": " STR_FMT "\n",
				   STR_ARG(short_id(c, get(bad->items[i], "commit"))),
				   STR_ARG(quoted_subject(c, bad->items[i])),
				   STR_ARG(refusal_of(c, get(bad->items[i], "message"))));
	}
	if (get(verify, "mode").n) {
		buf_printf(b, "Verify   " STR_FMT, STR_ARG(say(c, get(verify, "mode"))));
		if (get(verify, "policy").n)
			buf_printf(b, ", policy " STR_FMT, STR_ARG(say(c, get(verify, "policy"))));
		buf_char(b, '\n');
	}
	if (get_time(s, "lastPoll", &t)) {
		buf_printf(b, "Polled   " STR_FMT, STR_ARG(since_words(c, t)));
		if (node_number(node_get(s, STR("interval")), &interval) && interval > 0)
			buf_printf(b, ", every " STR_FMT,
				   STR_ARG(duration_format(c->a, (msec)(interval * 1000))));
		buf_char(b, '\n');
	}
	if (get(s, "by").n)
		buf_printf(b, "By       " STR_FMT "\n", STR_ARG(say(c, get(s, "by"))));
	if (get_time(s, "until", &t))
		buf_printf(b, "Until    " STR_FMT "\n", STR_ARG(clock_of(c, t, false)));
	if (apps) {
		buf_str(b, STR("Apps     "));
		for (size_t i = 0; i < apps->n; i++)
			buf_printf(b, "%s" STR_FMT, i ? ", " : "",
				   STR_ARG(say(c, node_text(apps->items[i]))));
		buf_char(b, '\n');
	}
	next_line(c, s, b);
}

void show_one(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *app = node_get(doc, STR("app"));

	if (app)
		show_app(c, app, b);
	else
		show_source(c, node_get(doc, STR("source")), b);
}
