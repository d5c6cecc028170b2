/* verbs: what each verb asks, and in which order. */
#include "client_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define GRACE (5 * SECOND) /* a daemon that was told the time-out answers itself */
#define LEAST_PLAN_ID 12u

/* ------------------------------------------------------------------ how a verb ends */

void flush_out(struct client *c)
{
	if (c->out.n)
		fwrite(c->out.p, 1, c->out.n, stdout);
	fflush(stdout);
	buf_clear(&c->out);
	if (!ferror(stdout))
		return;
	/* Whoever read us is gone, or the disk is full: a verb that follows would go on for ever.
	 */
	if (errno != EPIPE)
		perror("leeboard: cannot write");
	_exit(2);
}

int fail(struct client *c, struct err *e)
{
	int status = err_code(e) == ERR_TIMEOUT ? 7
		     : err_code(e) == ERR_UNREACHABLE || err_code(e) == ERR_TLS
			     ? 2
			     : err_exit_status(e);

	if (c->format == FORMAT_JSON) {
		buf_str(&c->out,
			STR("{\"apiVersion\":\"leeboard.dev/v1\",\"kind\":\"Error\",\"errors\":"));
		err_json(e, &c->out);
		buf_str(&c->out, STR("}\n"));
		flush_out(c);
	} else {
		CLEANUP(buf) struct buf b = BUF_INIT;

		flush_out(c);
		err_print(e, &b);
		fputs(b.p ? b.p : "", stderr);
	}
	err_free(e);
	return status;
}

static str item_name(struct client *c, const struct node *item)
{
	str ns = get(item, "namespace");

	return sayf(c, "%s/" STR_FMT "%s" STR_FMT,
		    str_eq(get(item, "kind"), STR("Source")) ? "source" : "app",
		    STR_ARG(say(c, ns)), ns.n ? "/" : "", STR_ARG(say(c, get(item, "name"))));
}

/* -o name: one a line, to be fed to other commands. */
static void names(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *items = get_list(doc, "items");

	if (get(doc, "id").n)
		buf_printf(b, STR_FMT "\n", STR_ARG(say(c, get(doc, "id"))));
	if (node_get(doc, STR("app")) && node_get(doc, STR("app"))->kind == NODE_MAP)
		buf_printf(b, STR_FMT "\n", STR_ARG(item_name(c, node_get(doc, STR("app")))));
	if (node_get(doc, STR("source")) && node_get(doc, STR("source"))->kind == NODE_MAP)
		buf_printf(b, STR_FMT "\n", STR_ARG(item_name(c, node_get(doc, STR("source")))));
	for (size_t i = 0; items && i < items->n; i++) {
		const struct node *n = items->items[i], *object = node_get(n, STR("object"));

		if (object)
			buf_printf(b, STR_FMT "\n", STR_ARG(object_short(c, object)));
		else if (get(n, "commit").n)
			buf_printf(b, STR_FMT "\n", STR_ARG(say(c, get(n, "commit"))));
		else if (get(n, "id").n)
			buf_printf(b, STR_FMT "\n", STR_ARG(say(c, get(n, "id"))));
		else if (node_get(n, STR("number")))
			buf_printf(b, STR_FMT "#%lld\n", STR_ARG(say(c, get(n, "app"))),
				   (long long)get_int(n, "number", 0));
		else if (get(n, "name").n)
			buf_printf(b, STR_FMT "\n", STR_ARG(item_name(c, n)));
		else
			buf_printf(b, STR_FMT "\n", STR_ARG(say(c, get(n, "app"))));
	}
}

int finish(struct client *c, const struct answer *a,
	   void (*show)(struct client *c, const struct node *doc, struct buf *b))
{
	bool bad = a->status >= 400;

	if (c->format == FORMAT_JSON) {
		buf_printf(&c->out, STR_FMT "\n", STR_ARG(a->json));
	} else if (bad) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		flush_out(c);
		show_error(a->doc, &b);
		fputs(b.p, stderr);
	} else if (c->format == FORMAT_NAME) {
		names(c, a->doc, &c->out);
	} else {
		show(c, a->doc, &c->out);
	}
	flush_out(c);
	if (bad)
		return a->exit > 0 ? a->exit : 2;
	/* A state that was shown is no failure; --exit-code makes it a finding. */
	if (show == show_one || show == show_status)
		return 0;
	return a->exit >= 0 ? a->exit : 0;
}

static int ask_and_finish(struct client *c, const struct query *q,
			  void (*show)(struct client *c, const struct node *doc, struct buf *b))
{
	struct answer a;
	struct err *e = client_ask(c, q, &a);

	return e ? fail(c, e) : finish(c, &a, show);
}

int confirm(struct client *c, const char *question, str word)
{
	char line[512];
	str got;

	flush_out(c);
	if (!isatty(STDIN_FILENO))
		return fail(c, err_hint(err_new(ERR_USAGE, "nobody is there to ask"),
					"--yes answers without asking"));
	fprintf(stderr, "%s ", question);
	fflush(stderr);
	if (!fgets(line, sizeof(line), stdin))
		return fail(c, err_new(ERR_USAGE, "no answer: nothing was done"));
	got = str_trim(str_from(line));
	if (str_eq(got, word))
		return 0;
	return fail(c, err_new(ERR_USAGE, "that is not '" STR_FMT "': nothing was done",
			       STR_ARG(word)));
}

static str operand(const struct client *c, size_t i)
{
	return i < c->words.n ? c->words.operands[i] : STR("");
}

static struct err *need_reason(const struct client *c)
{
	if (str_trim(verb_value(&c->words, "--reason")).n)
		return NULL;
	return err_hint(err_new(ERR_USAGE, "%s needs a reason: it is recorded with your name",
				c->words.verb->name),
			"--reason TEXT");
}

/* "24h", "2026-11-20", "2026-11-20T14:00:00Z" as the daemon takes it. */
static struct err *since(struct client *c, str *ret)
{
	str s = verb_value(&c->words, "--since");
	struct tm tm = {.tm_isdst = -1};
	msec d;

	*ret = STR("");
	if (!s.n)
		return NULL;
	if (duration_parse(s, &d))
		d = time_wall() - d;
	else if (!time_parse(s, &d)) {
		const char *end = strptime(arena_str(c->a, s).p, "%Y-%m-%d", &tm);

		if (!end || *end)
			return err_hint(
				err_new(ERR_USAGE,
					"'--since' takes a time or how long ago, not '" STR_FMT "'",
					STR_ARG(s)),
				"--since 24h, --since 2026-11-20");
		d = (msec)mktime(&tm) * SECOND;
	}
	*ret = time_rfc3339(c->a, d, true);
	return NULL;
}

static void one_named(struct query *q, bool acts, const char *path, str name, const char *then)
{
	query_init(q, acts, path);
	query_part(q, name);
	buf_str(&q->path, str_from(then));
}

/* ------------------------------------------------------------------ status */

static bool is_pattern(str s)
{
	return str_chr(s, '*') != SIZE_MAX || str_chr(s, '?') != SIZE_MAX ||
	       str_chr(s, '{') != SIZE_MAX || str_chr(s, ',') != SIZE_MAX;
}

/* One App or Source by its name; "app/x" and "source/x" say which. `both`: the word means either.
 */
static struct err *find_one(struct client *c, str word, struct answer *ret, bool *is_app, str *name,
			    bool *both)
{
	struct answer app = {0}, source = {0};
	bool only_app = str_starts(word, STR("app/")),
	     only_source = str_starts(word, STR("source/"));

	*both = false;
	*name = only_app      ? str_sub(word, 4, SIZE_MAX)
		: only_source ? str_sub(word, 7, SIZE_MAX)
			      : word;
	if (!only_source) {
		CLEANUP(query) struct query q = {0};

		one_named(&q, false, "apps", *name, "");
		TRY(client_ask(c, &q, &app));
	}
	if (!only_app) {
		CLEANUP(query) struct query q = {0};

		one_named(&q, false, "sources", *name, "");
		TRY(client_ask(c, &q, &source));
	}
	*is_app = app.status == 200 || only_app || (app.status && app.status != 404);
	*both = app.status == 200 && source.status == 200;
	*ret = *is_app ? app : source;
	if (app.status == 404 && source.status == 404) {
		const struct node *first = get_list(app.doc, "errors");
		const struct node *second = get_list(source.doc, "errors");
		str hint = first ? get(first->items[0], "hint") : STR("");

		if (!hint.n && second)
			hint = get(second->items[0], "hint");
		return err_hint(
			err_new(ERR_NOT_FOUND, "no App or Source '" STR_FMT "'", STR_ARG(*name)),
			STR_FMT, STR_ARG(hint.n ? hint : STR("leeboard status -a lists them")));
	}
	return NULL;
}

static bool is_well(const struct node *n)
{
	str state = get(n, "state"), health = get(n, "health");

	if (node_get(n, STR("needs")) || get_int(node_get(n, STR("drift")), "fields", 0) ||
	    get_int(node_get(n, STR("drift")), "objects", 0))
		return false;
	return (str_eq(state, STR("Synced")) || str_eq(state, STR("Ready"))) &&
	       (!health.n || str_eq(health, STR("Healthy")) || str_eq(health, STR("Unknown")));
}

static bool all_well(const struct node *doc)
{
	const struct node *items = get_list(doc, "items");
	const struct node *app = node_get(doc, STR("app")), *source = node_get(doc, STR("source"));

	for (size_t i = 0; items && i < items->n; i++)
		if (!is_well(items->items[i]))
			return false;
	return (!app || is_well(app)) && (!source || is_well(source));
}

static int verb_status(struct client *c)
{
	CLEANUP(query) struct query q = {0};
	struct answer a;
	bool is_app, both;
	str word = operand(c, 0), name;
	struct err *e;
	int status;

	if (verb_has(&c->words, "--watch"))
		return verb_status_watch(c);
	if (word.n && !is_pattern(word)) {
		e = find_one(c, word, &a, &is_app, &name, &both);
		status = e ? fail(c, e) : finish(c, &a, show_one);
	} else {
		query_init(&q, false, "status");
		query_add(&q, "q", word);
		query_add(&q, "source", verb_value(&c->words, "--source"));
		query_flag(&q, "problems", verb_has(&c->words, "--problems"));
		e = client_ask(c, &q, &a);
		status = e ? fail(c, e) : finish(c, &a, show_status);
	}
	if (!e && a.status < 400 && verb_has(&c->words, "--exit-code") && !all_well(a.doc))
		return 1;
	return status;
}

/* ------------------------------------------------------------------ plan, diff */

static int verb_plan(struct client *c)
{
	CLEANUP(query) struct query q = {0};

	one_named(&q, false, "plan", operand(c, 0), "");
	query_add(&q, "rev", verb_value(&c->words, "--rev"));
	return ask_and_finish(c, &q, show_plan);
}

static void show_diff_plain(struct client *c, const struct node *doc, struct buf *b)
{
	show_diff(c, doc, verb_has(&c->words, "--why"), b);
}

/* @1: what was in force before the last sync that changed the revision. */
static struct err *revision_of(struct client *c, str app, str word, str *ret)
{
	CLEANUP(query) struct query q = {0};
	const struct node *items;
	struct answer a;
	uint64_t n, seen = 0;
	str last = STR("");

	*ret = word;
	if (!str_starts(word, STR("@")) || !str_to_u64(str_sub(word, 1, SIZE_MAX), &n) || n > 1000)
		return NULL;
	query_init(&q, false, "history");
	query_add(&q, "app", app);
	query_add(&q, "n", sayf(c, "%llu", (unsigned long long)(n * 4 + 20)));
	TRY(client_ask(c, &q, &a));
	items = get_list(a.doc, "items");
	for (size_t i = 0; items && i < items->n; i++) {
		str commit = get(node_get(items->items[i], STR("revision")), "commit");

		if (!commit.n || str_eq(commit, last))
			continue;
		last = commit;
		if (seen++ == n) {
			*ret = commit;
			return NULL;
		}
	}
	return err_new(ERR_NOT_FOUND,
		       "'" STR_FMT "' has no sync '" STR_FMT "': there are %llu revisions",
		       STR_ARG(app), STR_ARG(word), (unsigned long long)seen);
}

static int verb_diff(struct client *c)
{
	CLEANUP(query) struct query q = {0};
	str range = operand(c, 1), from = STR(""), to = STR("");
	size_t dots = str_find(range, STR(".."));
	struct err *e = NULL;

	one_named(&q, false, "diff", operand(c, 0), "");
	if (range.n && dots == SIZE_MAX)
		return fail(
			c, err_hint(err_new(ERR_USAGE, "'" STR_FMT "' is no range", STR_ARG(range)),
				    "leeboard diff " STR_FMT " @1..@0", STR_ARG(operand(c, 0))));
	if (range.n) {
		e = revision_of(c, operand(c, 0), str_sub(range, 0, dots), &from);
		if (!e)
			e = revision_of(c, operand(c, 0), str_sub(range, dots + 2, SIZE_MAX), &to);
		if (!e && (!from.n || !to.n))
			e = err_new(ERR_USAGE, "'" STR_FMT "' needs a revision on both sides",
				    STR_ARG(range));
		if (e)
			return fail(c, e);
		query_add(&q, "from", from);
		if (!str_eq(to, STR("live")))
			query_add(&q, "to", to);
	}
	return ask_and_finish(c, &q, show_diff_plain);
}

/* ------------------------------------------------------------------ sync, wait */

struct names {
	str *p;
	size_t n, cap;
};

static void add_name(struct client *c, struct names *v, str name)
{
	for (size_t i = 0; i < v->n; i++)
		if (str_eq(v->p[i], name))
			return;
	*ARENA_PUSH(c->a, v) = name;
}

static struct err *add_matching(struct client *c, struct names *v, str pattern, str source)
{
	CLEANUP(query) struct query q = {0};
	const struct node *items;
	struct answer a;
	size_t before = v->n;

	query_init(&q, false, "status");
	query_add(&q, "q", pattern);
	query_add(&q, "source", source);
	TRY(client_ask(c, &q, &a));
	items = get_list(a.doc, "items");
	for (size_t i = 0; items && i < items->n; i++) {
		str ns = get(items->items[i], "namespace"), name = get(items->items[i], "name");

		if (str_eq(get(items->items[i], "kind"), STR("App")))
			add_name(c, v,
				 ns.n ? sayf(c, STR_FMT "/" STR_FMT, STR_ARG(ns), STR_ARG(name))
				      : name);
	}
	if (v->n > before || !(pattern.n || source.n))
		return NULL;
	return err_new(ERR_NOT_FOUND, "no App %s'" STR_FMT "'",
		       pattern.n ? "matches " : "reads Source ",
		       STR_ARG(pattern.n ? pattern : source));
}

static struct err *find_apps(struct client *c, struct names *v)
{
	str source = verb_value(&c->words, "--source");
	bool all = verb_has(&c->words, "--all");

	for (size_t i = 0; i < c->words.n; i++) {
		str word = c->words.operands[i];

		if (is_pattern(word))
			TRY(add_matching(c, v, word, STR("")));
		else
			add_name(c, v, word);
	}
	if (all || source.n)
		TRY(add_matching(c, v, STR(""), source));
	if (!v->n && !all)
		return err_hint(err_new(ERR_USAGE, "name an App, or say --all"),
				"leeboard sync web");
	return v->n ? NULL : err_new(ERR_NOT_FOUND, "there is no App");
}

static int verb_sync(struct client *c)
{
	struct names v = {0};
	struct err *e = find_apps(c, &v);
	int status = 0;

	if (e)
		return fail(c, e);
	if (v.n > 1 && !verb_has(&c->words, "--all") && !verb_has(&c->words, "--yes")) {
		status = confirm(c, sayf(c, "sync %zu Apps? type yes:", v.n).p, STR("yes"));
		if (status)
			return status;
	}
	if (!verb_has(&c->words, "--no-wait"))
		return follow_sync(c, v.p, v.n);
	for (size_t i = 0; i < v.n; i++) {
		CLEANUP(query) struct query q = {0};
		int one;

		one_named(&q, true, "apps", v.p[i], "/sync");
		query_flag(&q, "force_compare", verb_has(&c->words, "--force-compare"));
		query_flag(&q, "new_target", verb_has(&c->words, "--new-target"));
		query_add(&q, "reason", verb_value(&c->words, "--reason"));
		one = ask_and_finish(c, &q, show_result);
		status = status ? status : one;
	}
	return status;
}

static int verb_wait(struct client *c)
{
	CLEANUP(query) struct query q = {0};
	CLEANUP(buf) struct buf apps = BUF_INIT;
	str commit = verb_value(&c->words, "--commit"), state = verb_value(&c->words, "--for");

	if (!commit.n && !c->words.n)
		return fail(c, err_hint(err_new(ERR_USAGE, "wait for what?"), "%s",
					c->words.verb->example));
	if (commit.n && state.n)
		return fail(c, err_new(ERR_USAGE, "'--commit' and '--for' are two ways to wait"));
	for (size_t i = 0; i < c->words.n; i++)
		buf_printf(&apps, "%s" STR_FMT, i ? "," : "", STR_ARG(c->words.operands[i]));
	query_init(&q, false, "wait");
	query_add(&q, "commit", commit);
	query_flag(&q, "or_newer", verb_has(&c->words, "--or-newer"));
	query_add(&q, "app", buf_view(&apps));
	query_add(&q, "for", commit.n || state.n ? state : STR("healthy"));
	query_add(&q, "timeout", verb_value(&c->words, "--timeout"));
	return ask_and_finish(c, &q, show_wait);
}

/* ------------------------------------------------------------------ history, events */

static void show_one_sync(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *items = get_list(doc, "items");

	if (items)
		show_sync(c, items->items[0], b);
	else
		buf_str(b, STR("there is no such sync\n"));
}

static struct err *need_number(const struct client *c, const char *flag)
{
	str s = verb_value(&c->words, flag);
	uint64_t n;

	if (!s.n || (str_to_u64(s, &n) && n > 0))
		return NULL;
	return err_new(ERR_USAGE, "'%s' takes a number, not '" STR_FMT "'", flag, STR_ARG(s));
}

static int verb_history(struct client *c)
{
	CLEANUP(query) struct query q = {0};
	str from, show = verb_value(&c->words, "--show");
	struct err *e = since(c, &from);

	if (!e)
		e = need_number(c, "--count");
	if (!e)
		e = need_number(c, "--show");
	if (!e && show.n && !c->words.n)
		e = err_hint(
			err_new(ERR_USAGE, "'--show' needs an App: syncs are counted for each"),
			"leeboard history web --show " STR_FMT, STR_ARG(show));
	if (e)
		return fail(c, e);
	query_init(&q, false, "history");
	query_add(&q, "app", operand(c, 0));
	query_add(&q, "n", verb_value(&c->words, "--count"));
	query_add(&q, "since", from);
	query_add(&q, "object", verb_value(&c->words, "--object"));
	query_add(&q, "number", show);
	return ask_and_finish(c, &q, show.n ? show_one_sync : show_history);
}

static void show_events(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *items = get_list(doc, "items");

	for (size_t i = 0; items && i < items->n; i++)
		show_event(c, items->items[i], b);
	if (!items && c->terminal)
		buf_str(b, STR("no events\n"));
}

static int events_then_follow(struct client *c, const struct query *q)
{
	const struct node *items;
	struct answer a;
	struct err *e = client_ask(c, q, &a);
	int64_t last = 0;

	if (e || a.status >= 400)
		return e ? fail(c, e) : finish(c, &a, show_events);
	items = get_list(a.doc, "items");
	for (size_t i = 0; items && i < items->n; i++) {
		const struct node *event = items->items[i];

		last = get_int(event, "number", last);
		if (c->format == FORMAT_JSON) {
			node_json(node_del(c->a, event, STR("number")), NODE_JSON_COMPACT, &c->out);
			buf_char(&c->out, '\n');
		} else if (c->format == FORMAT_NAME) {
			buf_printf(&c->out, STR_FMT "\n", STR_ARG(say(c, get(event, "id"))));
		} else {
			show_event(c, event, &c->out);
		}
	}
	flush_out(c);
	return verb_events_follow(c, last > 0 ? (uint64_t)last : 0, last > 0);
}

/* All of a time: page by page, and of those the last `most` (0: all). */
static int events_since(struct client *c, str from, uint64_t most)
{
	struct {
		const struct node **p;
		size_t n, cap;
	} all = {0};
	str after = STR("");

	for (;;) {
		CLEANUP(query) struct query q = {0};
		const struct node *items;
		struct answer a;
		struct err *e;
		int64_t next;

		query_init(&q, false, "events");
		query_add(&q, "since", from);
		query_add(&q, "type", verb_value(&c->words, "--type"));
		query_add(&q, "app", verb_value(&c->words, "--app"));
		query_add(&q, "after", after);
		query_add(&q, "limit", STR("1000"));
		e = client_ask(c, &q, &a);
		if (e || a.status >= 400)
			return e ? fail(c, e) : finish(c, &a, show_events);
		items = get_list(a.doc, "items");
		for (size_t i = 0; items && i < items->n; i++)
			*ARENA_PUSH(c->a, &all) = items->items[i];
		next = get_int(a.doc, "next", 0);
		if (!items || next <= 0)
			break;
		after = sayf(c, "%lld", (long long)next);
	}
	for (size_t i = most && all.n > most ? all.n - (size_t)most : 0; i < all.n; i++) {
		if (c->format == FORMAT_NAME)
			buf_printf(&c->out, STR_FMT "\n", STR_ARG(say(c, get(all.p[i], "id"))));
		else
			show_event(c, all.p[i], &c->out);
	}
	flush_out(c);
	return 0;
}

static int verb_events(struct client *c)
{
	CLEANUP(query) struct query q = {0};
	str from, id = verb_value(&c->words, "--redeliver");
	bool follow = verb_has(&c->words, "--follow");
	struct err *e = since(c, &from);

	if (!e)
		e = need_number(c, "--count");
	if (!e && follow && (id.n || verb_has(&c->words, "--failed")))
		e = err_new(ERR_USAGE, "'--follow' goes with neither '--failed' nor '--redeliver'");
	if (e)
		return fail(c, e);
	if (id.n) {
		one_named(&q, true, "events", id, "/redeliver");
		return ask_and_finish(c, &q, show_events);
	}
	if (from.n && !follow && !verb_has(&c->words, "--failed") && c->format != FORMAT_JSON) {
		uint64_t most = 0;

		(void)str_to_u64(verb_value(&c->words, "--count"), &most);
		return events_since(c, from, most);
	}
	query_init(&q, false, "events");
	query_add(&q, "since", from);
	query_add(&q, "type", verb_value(&c->words, "--type"));
	query_add(&q, "app", verb_value(&c->words, "--app"));
	query_add(&q, "limit",
		  verb_has(&c->words, "--count") ? verb_value(&c->words, "--count")
		  : follow && !from.n            ? STR("10")
						 : STR(""));
	query_flag(&q, "failed", verb_has(&c->words, "--failed"));
	return follow ? events_then_follow(c, &q) : ask_and_finish(c, &q, show_events);
}

/* ------------------------------------------------------------------ verify, drift, why, graph */

static int verb_verify(struct client *c)
{
	CLEANUP(query) struct query q = {0};
	str word = operand(c, 0);

	if (c->words.n != 1)
		return fail(c,
			    err_hint(err_new(ERR_NOT_FOUND, "'" STR_FMT "' is no repository here",
					     STR_ARG(word)),
				     "leeboard verify SOURCE, or leeboard verify REPO RANGE"));
	one_named(&q, false, "verify", word, "");
	return ask_and_finish(c, &q, show_verification);
}

static void show_export(struct client *c, const struct node *doc, struct buf *b)
{
	str yaml = get(doc, "yaml");

	if (yaml.n)
		buf_str(b, yaml); /* goes to a file: escaping would change it */
	else if (!c->quiet)
		fputs("no drift: nothing to write\n", stderr);
}

static int verb_drift(struct client *c)
{
	CLEANUP(query) struct query q = {0};
	bool word = str_eq(operand(c, 0), STR("export")) && c->words.n == 2;
	bool export = verb_has(&c->words, "--export") || word, heal = verb_has(&c->words, "--heal");
	str app = word ? operand(c, 1) : operand(c, 0);

	if (c->words.n == 2 && !word)
		return fail(c, err_new(ERR_USAGE, "'" STR_FMT "' is one word too many",
				       STR_ARG(operand(c, 1))));
	if (export && heal)
		return fail(c, err_new(ERR_USAGE, "'--export' and '--heal' want opposite things"));
	if ((export || heal) && !app.n)
		return fail(c, err_hint(err_new(ERR_USAGE, "of which App?"), "%s",
					c->words.verb->example));
	if (export) {
		one_named(&q, false, "export", app, "");
		return ask_and_finish(c, &q, show_export);
	}
	if (heal) {
		one_named(&q, true, "apps", app, "/heal");
		query_add(&q, "reason", verb_value(&c->words, "--reason"));
		return ask_and_finish(c, &q, show_result);
	}
	query_init(&q, false, "drift");
	query_add(&q, "app", app);
	query_flag(&q, "all", verb_has(&c->words, "--all"));
	return ask_and_finish(c, &q, show_drift);
}

static int verb_why(struct client *c)
{
	CLEANUP(query) struct query q = {0};

	query_init(&q, false, "why");
	query_add(&q, "object", operand(c, 0));
	query_add(&q, "field", operand(c, 1));
	query_add(&q, "namespace", verb_value(&c->words, "--namespace"));
	query_add(&q, "app", verb_value(&c->words, "--app"));
	query_flag(&q, "all", verb_has(&c->words, "--all-fields"));
	return ask_and_finish(c, &q, show_why);
}

/* ------------------------------------------------------------------ graph */

static void dot_text(struct buf *b, str s)
{
	buf_char(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_char(b, '\\');
		buf_char(b, s.p[i]);
	}
	buf_char(b, '"');
}

static void show_dot(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *waves = get_list(doc, "waves");

	buf_str(b, STR("digraph leeboard {\n\trankdir=RL;\n\tnode [shape=box];\n"));
	for (size_t i = 0; waves && i < waves->n; i++) {
		const struct node *objects = get_list(waves->items[i], "objects");

		buf_printf(b, "\tsubgraph cluster_%zu {\n\t\tlabel=\"wave %zu\";\n", i + 1, i + 1);
		for (size_t k = 0; objects && k < objects->n; k++) {
			buf_str(b, STR("\t\t"));
			dot_text(b, object_label(c, node_get(objects->items[k], STR("object"))));
			buf_str(b, STR(";\n"));
		}
		buf_str(b, STR("\t}\n"));
		for (size_t k = 0; objects && k < objects->n; k++) {
			const struct node *after = get_list(objects->items[k], "after");

			for (size_t m = 0; after && m < after->n; m++) {
				buf_char(b, '\t');
				dot_text(b, object_label(
						    c, node_get(objects->items[k], STR("object"))));
				buf_str(b, STR(" -> "));
				dot_text(b,
					 object_label(c, node_get(after->items[m], STR("object"))));
				buf_str(b, STR(" [label="));
				dot_text(b, say(c, get(after->items[m], "reason")));
				buf_str(b, STR("];\n"));
			}
		}
	}
	buf_str(b, STR("}\n"));
}

static int verb_graph(struct client *c)
{
	CLEANUP(query) struct query q = {0};

	if (verb_has(&c->words, "--why"))
		return fail(c, err_hint(err_new(ERR_NOT_SUPPORTED, "'--why' is for folders"),
					"leeboard graph DIR --why OBJECT"));
	one_named(&q, false, "graph", operand(c, 0), "");
	return ask_and_finish(c, &q, verb_has(&c->words, "--dot") ? show_dot : show_graph);
}

/* ------------------------------------------------------------------ verbs that act */

static void show_approval(struct client *c, const struct node *doc, struct buf *b)
{
	str by = say(c, get(doc, "by"));

	buf_printf(b, "approved by " STR_FMT, STR_ARG(by.n ? by : STR("you")));
	if (node_get(doc, STR("uid")))
		buf_printf(b, " (uid %lld)", (long long)get_int(doc, "uid", 0));
	buf_char(b, '\n');
}

/* The plan that waits now; with --plan it must be that one. */
static int plan_to_approve(struct client *c, str app, struct answer *plan)
{
	CLEANUP(query) struct query q = {0};
	str wanted = verb_value(&c->words, "--plan"), id;
	struct err *e;

	one_named(&q, false, "plan", app, "");
	e = client_ask(c, &q, plan);
	if (e)
		return fail(c, e);
	if (plan->status >= 400)
		return finish(c, plan, show_plan);
	id = get(plan->doc, "id");
	if (wanted.n && wanted.n < LEAST_PLAN_ID && !str_eq(wanted, id))
		return fail(c,
			    err_new(ERR_USAGE, "'--plan' needs at least %u digits of the plan's id",
				    LEAST_PLAN_ID));
	if (wanted.n && !str_starts(id, wanted)) {
		(void)fail(c,
			   err_hint(err_new(ERR_CONFLICT,
					    "the plan of '" STR_FMT "' is " STR_FMT
					    " now, not " STR_FMT,
					    STR_ARG(app), STR_ARG(plan_id(c, id)), STR_ARG(wanted)),
				    "leeboard plan " STR_FMT, STR_ARG(app)));
		return 6;
	}
	return 0;
}

static int verb_approve(struct client *c)
{
	str app = operand(c, 0), reason = verb_value(&c->words, "--reason");
	struct answer plan, a;
	CLEANUP(query) struct query q = {0};
	struct err *e;
	int status;

	status = plan_to_approve(c, app, &plan);
	if (status || plan.status >= 400)
		return status;
	if (!verb_has(&c->words, "--yes") && !verb_has(&c->words, "--plan")) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		show_plan(c, plan.doc, &b);
		fputs(b.p, stderr);
		status = confirm(
			c,
			sayf(c, STR_FMT " plan " STR_FMT ". Type the app's name to approve:",
			     STR_ARG(say(c, app)), STR_ARG(plan_id(c, get(plan.doc, "id"))))
				.p,
			app);
		if (status)
			return status;
	}
	one_named(&q, true, "apps", app, "/approve");
	query_add(&q, "plan", get(plan.doc, "id"));
	query_add(&q, "reason", reason);
	e = client_ask(c, &q, &a);
	if (e)
		return fail(c, e);
	if (a.status >= 400 || verb_has(&c->words, "--no-wait"))
		return finish(c, &a, show_approval);
	status = finish(c, &a, show_approval);
	return status ? status : follow_sync(c, &app, 1);
}

static int verb_allow(struct client *c)
{
	CLEANUP(query) struct query q = {0};
	CLEANUP(query) struct query look = {0};
	CLEANUP(query) struct query poll = {0};
	str source = operand(c, 0), commit = operand(c, 1);
	const struct node *items, *found = NULL;
	struct answer a;
	struct err *e = need_reason(c);
	int status;

	if (e)
		return fail(c, e);
	one_named(&look, false, "verify", source, "");
	e = client_ask(c, &look, &a);
	if (e)
		return fail(c, e);
	if (a.status >= 400)
		return finish(c, &a, show_verification);
	items = get_list(a.doc, "items");
	for (size_t i = 0; items && i < items->n; i++)
		if (commit.n >= 7 && str_starts(get(items->items[i], "commit"), commit))
			found = items->items[i];
	if (!found)
		return fail(c, err_hint(err_new(ERR_NOT_FOUND,
						"'" STR_FMT "' was not judged in '" STR_FMT "'",
						STR_ARG(commit), STR_ARG(source)),
					"leeboard verify " STR_FMT
					" lists its commits; at least 7 digits",
					STR_ARG(source)));
	if (!verb_has(&c->words, "--yes")) {
		str why = refusal_of(c, get(found, "message")), subject = get(found, "subject");
		str author = get(found, "author");

		fprintf(stderr, STR_FMT "%s" STR_FMT "%s%s" STR_FMT ": " STR_FMT "\n",
			STR_ARG(short_id(c, get(found, "commit"))), subject.n ? " \"" : "",
			STR_ARG(say(c, subject)), subject.n ? "\"" : "", author.n ? " by " : "",
			STR_ARG(say(c, author)),
			STR_ARG(why.n ? why : say(c, get(found, "reason"))));
		status = confirm(c, "Type the source's name to let it pass:", source);
		if (status)
			return status;
	}
	one_named(&q, true, "sources", source, "/allow");
	query_add(&q, "commit", get(found, "commit"));
	query_add(&q, "reason", verb_value(&c->words, "--reason"));
	e = client_ask(c, &q, &a);
	if (e || a.status >= 400)
		return e ? fail(c, e) : finish(c, &a, show_one);
	/* It takes effect with the next poll: do that now, so that the end is seen. */
	one_named(&poll, true, "sources", source, "/poll");
	query_flag(&poll, "wait", true);
	return ask_and_finish(c, &poll, show_one);
}

static int suspend_or_resume(struct client *c, const char *then)
{
	CLEANUP(query) struct query q = {0};
	struct answer a;
	bool is_app, both;
	str name, until = verb_value(&c->words, "--for");
	msec d;
	struct err *e = NULL;

	if (until.n && (!duration_parse(until, &d) || d <= 0))
		e = err_hint(err_new(ERR_USAGE, "'--for' takes a duration, not '" STR_FMT "'",
				     STR_ARG(until)),
			     "--for 2h");
	if (!e)
		e = find_one(c, operand(c, 0), &a, &is_app, &name, &both);
	if (!e && both)
		e = err_hint(
			err_new(ERR_USAGE, "'" STR_FMT "' is an App and a Source", STR_ARG(name)),
			"leeboard %s app/" STR_FMT ", or source/" STR_FMT, c->words.verb->name,
			STR_ARG(name), STR_ARG(name));
	if (e)
		return fail(c, e);
	if (a.status >= 400)
		return finish(c, &a, show_one);
	one_named(&q, true, is_app ? "apps" : "sources", name, then);
	query_add(&q, "reason", verb_value(&c->words, "--reason"));
	query_add(&q, "for", until);
	return ask_and_finish(c, &q, show_one);
}

static int verb_suspend(struct client *c)
{
	struct err *e = need_reason(c);

	return e ? fail(c, e) : suspend_or_resume(c, "/suspend");
}

static int verb_resume(struct client *c)
{
	return suspend_or_resume(c, "/resume");
}

static int verb_reload(struct client *c)
{
	CLEANUP(query) struct query q = {0};

	query_init(&q, true, "reload");
	return ask_and_finish(c, &q, show_reload);
}

static void show_dump(struct client *c UNUSED, const struct node *doc, struct buf *b)
{
	node_json(doc, NODE_JSON_INDENT, b);
	if (b->n && b->p[b->n - 1] != '\n')
		buf_char(b, '\n');
}

static int verb_dump(struct client *c)
{
	CLEANUP(query) struct query q = {0};

	one_named(&q, false, "dump", operand(c, 0), "");
	return ask_and_finish(c, &q, show_dump);
}

static int verb_version(struct client *c)
{
	CLEANUP(query) struct query q = {0};

	query_init(&q, false, "version");
	return ask_and_finish(c, &q, show_version);
}

/* ------------------------------------------------------------------ the call */

static const struct {
	const char *name;
	int (*run)(struct client *c);
} runs[] = {
	{"status", verb_status},   {"plan", verb_plan},       {"diff", verb_diff},
	{"sync", verb_sync},       {"wait", verb_wait},       {"history", verb_history},
	{"events", verb_events},   {"verify", verb_verify},   {"drift", verb_drift},
	{"why", verb_why},         {"approve", verb_approve}, {"allow", verb_allow},
	{"suspend", verb_suspend}, {"resume", verb_resume},   {"reload", verb_reload},
	{"dump", verb_dump},       {"version", verb_version}, {"graph", verb_graph},
};

static struct err *read_format(struct client *c)
{
	static const char *const words[] = {"text", "wide", "json", "name"};
	str s = verb_value(&c->words, "--output");

	if (!s.n)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq(s, str_from(words[i]))) {
			c->format = (enum format)i;
			return NULL;
		}
	return err_new(ERR_USAGE, "'-o' is text, wide, json or name, not '" STR_FMT "'",
		       STR_ARG(s));
}

static struct err *read_color(struct client *c)
{
	str when = verb_value(&c->words, "--color");
	const char *term = getenv("TERM"), *force = getenv("CLICOLOR_FORCE");
	const char *no = getenv("NO_COLOR");

	if (str_eq(when, STR("always")))
		c->color = true;
	else if (str_eq(when, STR("never")))
		c->color = false;
	else if (when.n && !str_eq(when, STR("auto")))
		return err_new(ERR_USAGE, "'--color' is auto, always or never");
	else if (no && no[0])
		c->color = false;
	else if (force && force[0] && strcmp(force, "0") != 0)
		c->color = true;
	else
		c->color = c->terminal && !(term && !strcmp(term, "dumb"));
	return NULL;
}

static void find_width(struct client *c)
{
	struct winsize size;
	uint64_t columns;

	if (!c->terminal)
		return;
	if (str_to_u64(str_from(getenv("COLUMNS")), &columns) && columns >= 20 && columns < 10000)
		c->width = (size_t)columns;
	else if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
		c->width = size.ws_col;
}

static void on_alarm(void *arg)
{
	struct client *c = arg;

	c->alarm = NULL;
	c->late = true;
}

/* "app/web" is what -o name prints; where only an App can be meant it is "web". */
static void drop_prefixes(struct verb_words *w)
{
	str prefix = w->verb->operand == VERB_APP      ? STR("app/")
		     : w->verb->operand == VERB_SOURCE ? STR("source/")
						       : STR_NONE;

	for (size_t i = 0; i < w->n; i++)
		if (prefix.n && str_starts(w->operands[i], prefix))
			w->operands[i] = str_sub(w->operands[i], prefix.n, SIZE_MAX);
}

static struct err *start(struct client *c)
{
	str timeout = verb_value(&c->words, "--timeout");
	msec d = 0;

	TRY(read_format(c));
	drop_prefixes(&c->words);
	c->quiet = verb_has(&c->words, "--quiet");
	c->verbose = verb_has(&c->words, "--verbose");
	c->terminal = isatty(STDOUT_FILENO);
	c->terminal_err = isatty(STDERR_FILENO);
	TRY(read_color(c));
	find_width(c);
	if (timeout.n && (!duration_parse(timeout, &d) || d <= 0))
		return err_hint(err_new(ERR_USAGE,
					"'--timeout' takes a duration, not '" STR_FMT "'",
					STR_ARG(timeout)),
				"--timeout 90s, --timeout 10m");
	c->now = time_wall();
	TRY(client_find(c));
	c->loop = loop_new();
	c->http = http_new(c->loop);
	if (d && !strcmp(c->words.verb->name, "wait"))
		d += GRACE;
	if (d)
		c->alarm = timer_start(c->loop, d, on_alarm, c);
	return NULL;
}

static int run(struct client *c, const char *name)
{
	struct err *e = start(c);

	if (e)
		return fail(c, e);
	for (size_t i = 0; i < ARRAY_LEN(runs); i++)
		if (!strcmp(runs[i].name, name))
			return runs[i].run(c);
	return fail(c, verb_unknown(str_from(name)));
}

int client_run(int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct verb *v = verb_find(str_from(argv[0]));
	struct client c = {.a = a};
	struct err *e = v ? verb_read(a, v, argc, argv, &c.words) : verb_unknown(str_from(argv[0]));
	int status;

	if (!e && c.words.help) {
		verb_usage(v, &c.out);
		flush_out(&c);
		buf_done(&c.out);
		return 0;
	}
	status = e ? fail(&c, e) : run(&c, argv[0]);
	http_free(c.http);
	timer_stop(c.alarm);
	if (c.loop)
		loop_free(c.loop);
	buf_done(&c.out);
	return status;
}
