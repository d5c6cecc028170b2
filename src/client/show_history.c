/* show_history: what happened: syncs, their ends, events; and the small answers. */
#include "client_priv.h"

/* ------------------------------------------------------------------ history */

static str outcome_cell(struct client *c, const struct node *s)
{
	static const struct {
		const char *outcome, *shown;
	} words[] = {
		{"healthy", "Healthy"},       {"failed", "Failed"},          {"refused", "Refused"},
		{"superseded", "Superseded"}, {"rolledback", "Rolled back"}, {"waiting", "Waiting"},
		{"started", "Running"},
	};
	str outcome = get(s, "outcome"), message = say(c, get(s, "message"));
	str detail = get(s, "stage").n ? say(c, get(s, "stage")) : say(c, get(s, "reason"));

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!str_eq(outcome, str_from(words[i].outcome)))
			continue;
		if (str_eq(outcome, STR("rolledback")) && message.n)
			return sayf(c, "Rolled back " STR_FMT, STR_ARG(message));
		if ((str_eq(outcome, STR("failed")) || str_eq(outcome, STR("waiting"))) && detail.n)
			return sayf(c, "%s, " STR_FMT, words[i].shown, STR_ARG(detail));
		return str_from(words[i].shown);
	}
	return say(c, outcome);
}

static enum cell_style outcome_style(str outcome)
{
	return str_eq(outcome, STR("healthy")) ? CELL_GOOD
	       : str_eq(outcome, STR("failed")) || str_eq(outcome, STR("refused")) ||
			       str_eq(outcome, STR("rolledback"))
		       ? CELL_BAD
	       : str_eq(outcome, STR("waiting")) ? CELL_WARN
						 : CELL_PLAIN;
}

/* "24s", "5m00s", "1h02m" */
static str took_cell(struct client *c, const struct node *s)
{
	double d;
	long long n;

	if (!node_number(node_get(s, STR("took")), &d) || !(d >= 0) || d > 1e9)
		return STR("-");
	n = (long long)(d + 0.5);
	if (d < 1)
		return STR("<1s");
	return n < 60     ? sayf(c, "%llds", n)
	       : n < 3600 ? sayf(c, "%lldm%02llds", n / 60, n % 60)
			  : sayf(c, "%lldh%02lldm", n / 3600, n % 3600 / 60);
}

static str number(struct client *c, int64_t n)
{
	return sayf(c, "%lld", (long long)n);
}

static str when(struct client *c, const struct node *s)
{
	msec t;

	return get_time(s, "started", &t) ? clock_of(c, t, false) : STR("-");
}

void show_history(struct client *c, const struct node *doc, struct buf *b)
{
	static const char *const heads[] = {"#", "APP", "REVISION", "WHEN", "SIGNED BY", "OUTCOME",
					    "+", "~",   "-",        "TOOK", "SUBJECT"};
	const struct node *items = get_list(doc, "items"), *last = NULL, *before = NULL;
	bool named = c->words.n > 0;
	struct table *t = table_new(c->a, ARRAY_LEN(heads) - named);
	size_t first_count = 6 - named;

	if (!items) {
		buf_str(b, STR("no syncs yet\n"));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		if (!named || i != 1)
			table_add(t, str_from(heads[i]));
	t->right[0] = true;
	t->least[0] = 3;
	for (size_t i = 0; i < 3; i++)
		t->right[first_count + i] = true;
	for (size_t i = 0; i < items->n; i++) {
		const struct node *s = items->items[i], *r = node_get(s, STR("revision"));
		const struct node *n = node_get(s, STR("counts"));

		table_add(t, number(c, get_int(s, "number", 0)));
		if (!named)
			table_add(t, say(c, get(s, "app")));
		table_add(t, short_id(c, get(r, "commit")));
		table_add(t, when(c, s));
		table_add(t, get(r, "signer").n ? say(c, get(r, "signer")) : STR("-"));
		table_add_styled(t, outcome_cell(c, s), outcome_style(get(s, "outcome")));
		table_add(t, number(c, get_int(n, "created", 0)));
		table_add(t, number(c, get_int(n, "changed", 0) + get_int(n, "recreated", 0)));
		table_add(t, number(c, get_int(n, "deleted", 0)));
		table_add(t, took_cell(c, s));
		table_add(t, say(c, get(r, "subject")));
		if (!last)
			last = s;
		else if (!before)
			before = s;
	}
	table_print(c, t, "", b);
	if (named && before)
		buf_printf(b, "leeboard diff " STR_FMT " @1..@0 shows the last change\n",
			   STR_ARG(say(c, get(last, "app"))));
}

static str label_and_cause(struct client *c, const struct node *cause)
{
	const struct node *object = node_get(cause, STR("object"));
	str reason = say(c, get(cause, "reason")), message = say(c, get(cause, "message"));

	return sayf(c, STR_FMT "%s" STR_FMT "%s" STR_FMT,
		    STR_ARG(object ? object_label(c, object) : STR("")), object ? " " : "",
		    STR_ARG(reason),
		    !message.n            ? ""
		    : message.p[0] == '"' ? " "
					  : ": ",
		    STR_ARG(message));
}

void show_sync(struct client *c, const struct node *s, struct buf *b)
{
	const struct node *r = node_get(s, STR("revision")),
			  *cause = node_get(s, STR("firstCause"));
	const struct node *n = node_get(s, STR("counts")), *steps = get_list(s, "steps");
	str who = by_whom(c, r);

	buf_printf(b, STR_FMT " #%lld  " STR_FMT, STR_ARG(say(c, get(s, "app"))),
		   (long long)get_int(s, "number", 0), STR_ARG(short_id(c, get(r, "commit"))));
	if (get(r, "subject").n)
		buf_printf(b, " \"" STR_FMT "\"", STR_ARG(say(c, get(r, "subject"))));
	buf_printf(b, "%s" STR_FMT "\n", who.n ? " " : "", STR_ARG(who));
	buf_printf(b, STR_FMT " after " STR_FMT ", " STR_FMT, STR_ARG(outcome_cell(c, s)),
		   STR_ARG(took_cell(c, s)), STR_ARG(when(c, s)));
	if (get(s, "by").n)
		buf_printf(b, ", by " STR_FMT,
			   STR_ARG(say(c, get(s, "person").n ? get(s, "person") : get(s, "by"))));
	buf_printf(b, "\n%lld created, %lld changed, %lld deleted, %lld unchanged\n",
		   (long long)get_int(n, "created", 0), (long long)get_int(n, "changed", 0),
		   (long long)get_int(n, "deleted", 0), (long long)get_int(n, "unchanged", 0));
	if (cause)
		buf_printf(b, STR_FMT "\n", STR_ARG(label_and_cause(c, cause)));
	else if (get(s, "message").n)
		buf_printf(b, STR_FMT "\n", STR_ARG(say(c, get(s, "message"))));
	for (size_t i = 0; steps && i < steps->n; i++) {
		const struct node *fields = get_list(steps->items[i], "fields");

		buf_printf(b, "  " STR_FMT "  " STR_FMT "\n",
			   STR_ARG(say(c, get(steps->items[i], "action"))),
			   STR_ARG(object_label(c, node_get(steps->items[i], STR("object")))));
		for (size_t k = 0; fields && k < fields->n; k++) {
			str path = get(fields->items[k], "path");

			buf_printf(
				b, "    " STR_FMT "  " STR_FMT " -> " STR_FMT "\n",
				STR_ARG(say(c, path)),
				STR_ARG(value_of(c, node_get(fields->items[k], STR("applied")),
						 path)),
				STR_ARG(value_of(c, node_get(fields->items[k], STR("git")), path)));
		}
	}
}

/* ------------------------------------------------------------------ how a sync ended */

static void counts_words(struct client *c, const struct node *s, struct buf *b)
{
	static const struct {
		const char *key, *word;
	} words[] = {{"created", "created"}, {"changed", "changed"},     {"recreated", "recreated"},
		     {"deleted", "deleted"}, {"unchanged", "unchanged"}, {"failed", "failed"},
		     {"blocked", "blocked"}};
	const struct node *n = node_get(s, STR("counts"));
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		int64_t k = get_int(n, words[i].key, 0);

		if (!k)
			continue;
		buf_printf(b, "%s%lld %s", any ? ", " : "", (long long)k, words[i].word);
		any = true;
	}
	if (node_get(s, STR("writes")))
		buf_printf(b, "%s" STR_FMT, any ? ", " : "",
			   STR_ARG(counted(c, get_int(s, "writes", 0), "write", "writes")));
	else if (!any)
		buf_str(b, STR("nothing to do"));
}

void show_result(struct client *c, const struct node *s, struct buf *b)
{
	const struct node *r = node_get(s, STR("revision")),
			  *cause = node_get(s, STR("firstCause"));
	str app = say(c, get(s, "app")), outcome = get(s, "outcome"),
	    id = short_id(c, get(r, "commit"));
	str message = say(c, get(s, "message")), time = took(c, s, "took"),
	    reason = get(s, "reason");

	if (str_eq(outcome, STR("started"))) {
		buf_printf(b, STR_FMT ": the sync has begun\n", STR_ARG(app));
		return;
	}
	if (str_eq(outcome, STR("healthy")))
		buf_printf(b, STR_FMT " is healthy at " STR_FMT, STR_ARG(app), STR_ARG(id));
	else if (str_eq(outcome, STR("failed")))
		buf_printf(b, STR_FMT " failed at " STR_FMT, STR_ARG(app), STR_ARG(id));
	else if (str_eq(outcome, STR("waiting")))
		buf_printf(b, STR_FMT " waits at " STR_FMT, STR_ARG(app), STR_ARG(id));
	else if (str_eq(outcome, STR("refused")))
		buf_printf(b, STR_FMT ": refused", STR_ARG(app));
	else
		buf_printf(b, STR_FMT ": " STR_FMT, STR_ARG(app),
			   STR_ARG(str_eq(outcome, STR("rolledback")) ? STR("rolled back")
								      : say(c, outcome)));
	if (time.n && !str_eq(outcome, STR("waiting")) && !str_eq(outcome, STR("refused")))
		buf_printf(b, " after " STR_FMT, STR_ARG(time));
	buf_str(b, STR(": "));
	if (cause)
		buf_str(b, label_and_cause(c, cause));
	else if (!str_eq(outcome, STR("healthy")) && message.n)
		buf_str(b, message);
	else if (!str_eq(outcome, STR("healthy")) && reason.n)
		buf_str(b, say(c, reason));
	else if (str_eq(outcome, STR("waiting")))
		buf_printf(b, "'leeboard status " STR_FMT "' says for what", STR_ARG(app));
	else
		counts_words(c, s, b);
	buf_char(b, '\n');
	if (str_eq(outcome, STR("waiting")) && get(s, "plan").n)
		buf_printf(b,
			   "  leeboard plan " STR_FMT ", leeboard approve " STR_FMT
			   " --plan " STR_FMT "\n",
			   STR_ARG(app), STR_ARG(app), STR_ARG(plan_id(c, get(s, "plan"))));
}

/* ------------------------------------------------------------------ wait */

static str wait_words(struct client *c, const struct node *i)
{
	const struct node *cause = node_get(i, STR("firstCause"));
	str outcome = get(i, "outcome"), time = took(c, i, "took"),
	    message = say(c, get(i, "message"));
	str reason = say(c, get(i, "reason"));

	if (str_eq(outcome, STR("unchanged")))
		return STR("no change");
	if (str_eq(outcome, STR("failed")))
		return sayf(c, "failed%s" STR_FMT "%s" STR_FMT, time.n ? " after " : "",
			    STR_ARG(time), cause || message.n ? ": " : "",
			    STR_ARG(cause ? label_and_cause(c, cause) : message));
	if (str_eq(outcome, STR("healthy")))
		return sayf(c, "healthy%s" STR_FMT, time.n ? " after " : "", STR_ARG(time));
	if (!message.n)
		message = reason;
	return sayf(c, STR_FMT "%s" STR_FMT, STR_ARG(say(c, outcome)), message.n ? ": " : "",
		    STR_ARG(message));
}

void show_wait(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *items = get_list(doc, "items"),
			  *accepted = node_get(doc, STR("accepted"));
	str outcome = get(doc, "outcome"), message = say(c, get(doc, "message"));
	struct table *t = table_new(c->a, 2);
	size_t failed = 0;

	if (accepted) {
		str who = get(accepted, "signer").n ? get(accepted, "signer")
						    : get(accepted, "author");
		str delay = took(c, accepted, "delay");

		buf_printf(b, STR_FMT "  accepted", STR_ARG(short_id(c, get(accepted, "commit"))));
		if (who.n)
			buf_printf(b, ", " STR_FMT, STR_ARG(say(c, who)));
		if (delay.n)
			buf_printf(b, ", " STR_FMT " after the push", STR_ARG(delay));
		buf_char(b, '\n');
	}
	for (size_t i = 0; items && i < items->n; i++) {
		failed += str_eq(get(items->items[i], "outcome"), STR("failed"));
		table_add(t, say(c, get(items->items[i], "app")));
		table_add(t, wait_words(c, items->items[i]));
	}
	t->least[0] = 5;
	table_print(c, t, "  ", b);
	if (str_eq(outcome, STR("healthy")))
		buf_printf(b, "done%s" STR_FMT "\n", took(c, doc, "took").n ? " after " : "",
			   STR_ARG(took(c, doc, "took")));
	else if (str_eq(outcome, STR("failed")) && items)
		buf_printf(b, "failed in %zu of %u apps\n", failed, items->n);
	else if (str_eq(outcome, STR("waiting")) && !message.n)
		buf_str(b, STR("waits for a person\n"));
	else if (str_eq(outcome, STR("timeout")) && !message.n)
		buf_str(b, STR("time was up; what was going on goes on\n"));
	else if (message.n)
		buf_printf(b, STR_FMT "%s\n", STR_ARG(message),
			   str_eq(outcome, STR("superseded")) &&
					   !str_contains(message, STR("--or-newer"))
				   ? " (--or-newer waits for that)"
				   : "");
	else
		buf_printf(b, STR_FMT "\n", STR_ARG(say(c, outcome)));
}

/* ------------------------------------------------------------------ events */

void show_event(struct client *c, const struct node *e, struct buf *b)
{
	const struct node *data = node_get(e, STR("data")), *sent = get_list(e, "deliveries");
	str name = get(e, "type"), severity = get(e, "severity"), app = get(data, "app");
	str source = get(e, "source"), time = STR("-"), day = STR("");
	enum cell_style style = str_eq(severity, STR("error"))  ? CELL_BAD
				: str_eq(severity, STR("warn")) ? CELL_WARN
								: CELL_PLAIN;
	msec t;

	if (str_starts(name, STR("dev.leeboard.")))
		name = str_sub(name, 13, SIZE_MAX);
	if (!app.n) {
		size_t slash = str_rchr(source, '/');

		app = slash == SIZE_MAX ? source : str_sub(source, slash + 1, SIZE_MAX);
	}
	if (get_time(e, "time", &t)) {
		day = day_of(c, t);
		time = time_of_day(c, t);
	}
	buf_printf(b, STR_FMT " " STR_FMT "  ", STR_ARG(day), STR_ARG(time));
	color_on(c, style, b);
	buf_printf(b, "%-5.*s  %-18.*s", (int)severity.n, severity.p, (int)say(c, name).n,
		   say(c, name).p);
	color_off(c, style, b);
	buf_printf(b, "  " STR_FMT "  " STR_FMT "\n", STR_ARG(say(c, app)),
		   STR_ARG(say(c, get(data, "message"))));
	if (c->format == FORMAT_WIDE || c->verbose)
		buf_printf(b, "    id " STR_FMT "  " STR_FMT "\n", STR_ARG(say(c, get(e, "id"))),
			   STR_ARG(say(c, get(data, "release"))));
	for (size_t i = 0; sent && i < sent->n; i++)
		buf_printf(b,
			   "    " STR_FMT ": " STR_FMT
			   ", %lld tries  (leeboard events --redeliver " STR_FMT ")\n",
			   STR_ARG(say(c, get(sent->items[i], "receiver"))),
			   STR_ARG(say(c, get(sent->items[i], "error"))),
			   (long long)get_int(sent->items[i], "tries", 0),
			   STR_ARG(say(c, get(e, "id"))));
}

/* ------------------------------------------------------------------ small answers */

void show_error(const struct node *doc, struct buf *b)
{
	const struct node *errors = get_list(doc, "errors");

	if (!errors)
		buf_str(b, STR("the daemon says that it failed, and not how\n"));
	for (size_t i = 0; errors && i < errors->n; i++) {
		const struct node *e = errors->items[i];
		int64_t line = get_int(e, "line", 0), column = get_int(e, "column", 0);
		str source = get(e, "source");

		if (get(e, "file").n) {
			buf_escaped(b, get(e, "file"));
			if (line)
				buf_printf(b, ":%lld", (long long)line);
			if (line && column)
				buf_printf(b, ":%lld", (long long)column);
			buf_str(b, STR(": "));
		}
		buf_escaped(b, get(e, "message"));
		buf_char(b, '\n');
		if (source.n && line) {
			buf_printf(b, "%5lld | ", (long long)line);
			buf_escaped(b, source);
			buf_char(b, '\n');
		}
		if (get(e, "context").n) {
			buf_str(b, STR("  "));
			buf_escaped(b, get(e, "context"));
			buf_char(b, '\n');
		}
		if (get(e, "hint").n) {
			buf_str(b, STR("  hint: "));
			buf_escaped(b, get(e, "hint"));
			buf_char(b, '\n');
		}
	}
}

void show_version(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *libraries = node_get(doc, STR("libraries"));
	const struct node *sandbox = node_get(doc, STR("sandbox"));
	msec t;

	buf_printf(b, "leeboard " STR_FMT, STR_ARG(say(c, get(doc, "version"))));
	if (get(doc, "build").n)
		buf_printf(b, " (" STR_FMT ")", STR_ARG(say(c, get(doc, "build"))));
	buf_printf(b, ", instance " STR_FMT, STR_ARG(say(c, get(doc, "instance"))));
	if (get_time(doc, "started", &t))
		buf_printf(b, ", up " STR_FMT, STR_ARG(duration_format(c->a, c->now - t)));
	buf_char(b, '\n');
	if (node_is(libraries, NODE_MAP) && libraries->n) {
		buf_str(b, STR("libraries "));
		for (size_t i = 0; i < libraries->n; i++)
			buf_printf(b, "%s" STR_FMT " " STR_FMT, i ? ", " : "",
				   STR_ARG(say(c, libraries->pairs[i].key)),
				   STR_ARG(say(c, libraries->pairs[i].value->text)));
		buf_char(b, '\n');
	}
	if (node_is(sandbox, NODE_MAP) && sandbox->n) {
		buf_str(b, STR("sandbox   "));
		for (size_t i = 0; i < sandbox->n; i++) {
			const struct node *v = sandbox->pairs[i].value;

			buf_printf(b, "%s" STR_FMT " " STR_FMT, i ? ", " : "",
				   STR_ARG(say(c, sandbox->pairs[i].key)),
				   STR_ARG(v->kind == NODE_BOOL
						   ? node_bool(v, false) ? STR("on") : STR("OFF")
						   : say(c, v->text)));
		}
		buf_char(b, '\n');
	}
}

void show_reload(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *items = get_list(doc, "items"), *warnings = get_list(doc, "warnings");

	for (size_t i = 0; items && i < items->n; i++)
		buf_printf(b, STR_FMT " " STR_FMT " " STR_FMT "\n",
			   STR_ARG(say(c, get(items->items[i], "kind"))),
			   STR_ARG(say(c, get(items->items[i], "name"))),
			   STR_ARG(say(c, get(items->items[i], "change"))));
	for (size_t i = 0; warnings && i < warnings->n; i++)
		buf_printf(b, STR_FMT "%swarning: " STR_FMT "\n",
			   STR_ARG(place_of(c, warnings->items[i])),
			   get(warnings->items[i], "file").n ? ": " : "",
			   STR_ARG(say(c, get(warnings->items[i], "message"))));
	buf_printf(b, STR_FMT " in force, %s\n",
		   STR_ARG(counted(c, get_int(doc, "documents", 0), "document", "documents")),
		   items ? "changed as above" : "nothing changed");
}
