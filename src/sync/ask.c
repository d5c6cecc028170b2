/* ask: verbs in, JSON documents out. Most are answered from what is known; those that need the
 * target, a plan or time keep their question until they have it. */
#include "sync_priv.h"

#include <assert.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

/* ------------------------------------------------------------------ arguments */

static const struct node *arg_of(const struct sync_asked *q, const char *k)
{
	return node_get(q->args, str_from(k));
}

str ask_text(const struct sync_asked *q, const char *k)
{
	return node_get_text(q->args, str_from(k));
}

bool ask_flag(const struct sync_asked *q, const char *k)
{
	const struct node *n = arg_of(q, k);
	str t = node_text(n);

	return node_bool(n, false) || str_eq(t, STR("1")) || str_eq(t, STR("true"));
}

uint64_t ask_num(const struct sync_asked *q, const char *k, uint64_t otherwise)
{
	const struct node *n = arg_of(q, k);
	uint64_t v;
	int64_t i;

	if (node_is(n, NODE_STRING))
		return str_to_u64(node_text(n), &v) ? v : otherwise;
	return node_i64(n, &i) && i >= 0 ? (uint64_t)i : otherwise;
}

/* ------------------------------------------------------------------ answers */

static void asked_free(struct sync_asked *q)
{
	LIST_DEL(&q->s->asked, q);
	timer_stop(q->timer);
	target_cancel(q->call);
	if (q->run)
		run_drop(q->run, STORE_SUPERSEDED);
	if (q->source)
		source_unwait(q->source, q);
	rendering_put(q->of);
	buf_done(&q->b);
	arena_free(q->arena);
	free(q);
}

static void deliver(void *arg)
{
	struct sync_asked *q = arg;
	struct sync_answer a = {q->status, q->exit, buf_view(&q->b)};

	q->timer = NULL;
	q->fn(q->arg, &a);
	asked_free(q);
}

static void deliver_later(struct sync_asked *q)
{
	timer_stop(q->timer);
	q->timer = timer_start(q->s->loop, 0, deliver, q);
}

void ask_answer(struct sync_asked *q, int exit)
{
	buf_char(&q->b, '}');
	q->status = 200;
	q->exit = exit;
	q->stage = -1;
	deliver_later(q);
}

void ask_fail(struct sync_asked *q, unsigned status, struct err *e)
{
	buf_clear(&q->b);
	show_begin(q->s, &q->b, "Error");
	buf_str(&q->b, STR(",\"errors\":"));
	err_json(e, &q->b);
	buf_char(&q->b, '}');
	q->status = status;
	q->exit = err_exit_status(e);
	q->stage = -1;
	err_free(e);
	deliver_later(q);
}

void sync_unask(struct sync_asked *q)
{
	if (q)
		asked_free(q);
}

void asks_free(struct sync *s)
{
	while (s->asked.n) {
		struct sync_asked *q = s->asked.p[s->asked.n - 1];
		struct sync_answer a = {503, 2,
					STR("{\"kind\":\"Error\",\"errors\":[{\"code\":"
					    "\"stopping\",\"message\":\"the daemon stops\"}]}")};

		q->fn(q->arg, &a);
		asked_free(q);
	}
}

void asks_forget(struct app_run *a)
{
	for (size_t i = a->s->asked.n; i-- > 0;) {
		struct sync_asked *q = a->s->asked.p[i];

		if (q->app != a || q->stage < 0)
			continue;
		if (q->run)
			run_drop(q->run, STORE_SUPERSEDED);
		q->run = NULL;
		target_cancel(q->call);
		q->call = NULL;
		ask_fail(q, 404,
			 err_new(ERR_NOT_FOUND, "App '%s' changed its target or went", a->name));
		q->app = NULL;
	}
}

static str person_of(struct sync_asked *q)
{
	struct passwd *pw;

	if (q->caller.person.n)
		return q->caller.person;
	pw = getpwuid(q->caller.uid);
	if (pw)
		return arena_str(q->arena, str_from(pw->pw_name));
	return arena_printf(q->arena, "uid %u", q->caller.uid);
}

static struct err *no_such(struct sync *s, const char *kind, str name)
{
	CLEANUP(arena) struct arena *a = arena_new();
	bool app = !strcmp(kind, "App");
	size_t n = app ? s->apps.n : s->sources.n;
	str *names = ARENA_ARRAY(a, str, n + 1);
	struct err *e = err_new(ERR_NOT_FOUND, "no %s '" STR_FMT "'", kind, STR_ARG(name));
	str near;

	for (size_t i = 0; i < n; i++)
		names[i] = str_from(app ? s->apps.p[i]->name : s->sources.p[i]->name);
	near = str_nearest(name, names, n);
	return near.n ? err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near)) : e;
}

/* ------------------------------------------------------------------ status */

/* "shop,web-*": any of them; empty: all. */
static bool named(str globs, const char *name)
{
	str g;

	if (!globs.n)
		return true;
	while (str_split(&globs, ',', &g))
		if (config_glob(g, str_from(name)))
			return true;
	return false;
}

static int by_source(const void *x, const void *y)
{
	return strcmp((*(struct source_run *const *)x)->name,
		      (*(struct source_run *const *)y)->name);
}

static int by_app(const void *x, const void *y)
{
	return strcmp((*(struct app_run *const *)x)->name, (*(struct app_run *const *)y)->name);
}

static bool app_is_fine(const struct app_run *a)
{
	struct live_count c = a->live ? live_count(a->live) : (struct live_count){0};

	return a->state == APP_SYNCED && !c.degraded && !c.drift_objects;
}

static void do_status(struct sync_asked *q)
{
	struct sync *s = q->s;
	struct buf *b = &q->b;
	str globs = ask_text(q, "q"), source = ask_text(q, "source");
	bool problems = ask_flag(q, "problems"), trouble = false;
	struct source_run **srcs = ARENA_ARRAY(q->arena, struct source_run *, s->sources.n + 1);
	struct app_run **apps = ARENA_ARRAY(q->arena, struct app_run *, s->apps.n + 1);
	msec poll = 0, request = 0;

	memcpy(srcs, s->sources.p, s->sources.n * sizeof(*srcs));
	memcpy(apps, s->apps.p, s->apps.n * sizeof(*apps));
	qsort(srcs, s->sources.n, sizeof(*srcs), by_source);
	qsort(apps, s->apps.n, sizeof(*apps), by_app);
	for (size_t i = 0; i < s->sources.n; i++)
		poll = poll > srcs[i]->polled_at ? poll : srcs[i]->polled_at;
	for (size_t i = 0; i < s->places.n; i++) {
		msec t = target_last_request(s->places.p[i]->target);

		request = request > t ? request : t;
	}
	show_begin(s, b, "StatusList");
	show_time(b, "lastPoll", poll);
	show_time(b, "lastRequest", request);
	show_bool(b, "shadow", s->shadow || s->config->daemon.mode == 1);
	if (s->bad || s->failed_storage) {
		show_open(b, "warnings", '[');
		for (const struct err *e = s->bad; e; e = err_next(e)) {
			CLEANUP(buf) struct buf line = BUF_INIT;

			err_line_to(e, &line);
			show_next(b);
			buf_json(b, buf_view(&line));
		}
		if (s->failed_storage) {
			show_next(b);
			buf_json(b,
				 STR("the state directory could not be written: events were lost"));
		}
		buf_char(b, ']');
	}
	show_num(b, "generation", s->generation);
	if (s->bad)
		show_num(b, "refusedGeneration", s->generation + s->bad_generation);
	show_open(b, "items", '[');
	for (size_t i = 0; i < s->sources.n; i++) {
		bool fine = !strcmp(source_state(srcs[i]), "Ready");

		if (!named(globs, srcs[i]->name) || (problems && fine) ||
		    (source.n && !str_eq(source, str_from(srcs[i]->name))))
			continue;
		trouble |= !fine && strcmp(source_state(srcs[i]), "Progressing");
		show_next(b);
		show_source(s, b, srcs[i], false);
	}
	for (size_t i = 0; i < s->apps.n; i++) {
		if (!named(globs, apps[i]->name) || (problems && app_is_fine(apps[i])) ||
		    (source.n && !str_eq(source, str_from(apps[i]->source->name))))
			continue;
		trouble |= !app_is_fine(apps[i]);
		show_next(b);
		show_app(s, b, apps[i], false);
	}
	buf_char(b, ']');
	ask_answer(q, trouble ? 1 : 0);
}

static void answer_app(struct sync_asked *q, struct app_run *a)
{
	show_begin(q->s, &q->b, "Status");
	buf_str(&q->b, STR(",\"app\":"));
	show_app(q->s, &q->b, a, true);
	ask_answer(q, app_is_fine(a) ? 0 : 1);
}

static void answer_source(struct sync_asked *q, struct source_run *r)
{
	show_begin(q->s, &q->b, "Status");
	buf_str(&q->b, STR(",\"source\":"));
	show_source(q->s, &q->b, r, true);
	ask_answer(q, strcmp(source_state(r), "Ready") ? 1 : 0);
}

/* ------------------------------------------------------------------ history, events */

static msec since_of(const struct sync_asked *q)
{
	str t = ask_text(q, "since");
	msec v;

	if (!t.n)
		return 0;
	if (time_parse(t, &v))
		return v;
	if (duration_parse(t, &v))
		return clock_wall(q->s->loop) - v;
	return -1;
}

static void do_history(struct sync_asked *q)
{
	struct sync *s = q->s;
	struct store_sync_query f = {.app = ask_text(q, "app"),
				     .object = ask_text(q, "object"),
				     .number = ask_num(q, "number", 0),
				     .before = ask_num(q, "before", 0),
				     .since = since_of(q),
				     .most = (size_t)ask_num(q, "n", 20)};
	struct store_syncs rows = {0};
	struct err *e;

	if (f.since < 0) {
		ask_fail(q, 422,
			 err_new(ERR_USAGE, "'" STR_FMT "' is no time and no duration",
				 STR_ARG(ask_text(q, "since"))));
		return;
	}
	if (f.app.n && !sync_app(s, f.app)) {
		ask_fail(q, 404, no_such(s, "App", f.app));
		return;
	}
	f.most = f.most > STORE_MAX_PAGE ? STORE_MAX_PAGE : f.most;
	e = store_sync_list(s->store, q->arena, &f, &rows);
	if (e) {
		ask_fail(q, 503, e);
		return;
	}
	show_begin(s, &q->b, "History");
	if (rows.n && rows.n == f.most)
		show_num(&q->b, "next", rows.p[rows.n - 1].cursor);
	show_open(&q->b, "items", '[');
	for (size_t i = 0; i < rows.n; i++) {
		show_next(&q->b);
		show_sync(s, &q->b, &rows.p[i], f.number != 0);
	}
	buf_char(&q->b, ']');
	ask_answer(q, 0);
}

static void show_kept(struct buf *b, const struct event_kept *k)
{
	show_next(b);
	buf_printf(b, "{\"number\":%llu,", (unsigned long long)k->number);
	buf_str(b, str_sub(k->json, 1, k->json.n));
}

static void do_events(struct sync_asked *q)
{
	struct sync *s = q->s;
	struct store_event_query f = {.type = ask_text(q, "type"),
				      .app = ask_text(q, "app"),
				      .since = since_of(q),
				      .after = ask_num(q, "after", 0),
				      .failed = ask_flag(q, "failed"),
				      .most = (size_t)ask_num(q, "limit", 100)};
	struct store_events rows = {0};
	struct buf *b = &q->b;
	bool newest;
	struct err *e;

	if (f.since < 0) {
		ask_fail(q, 422,
			 err_new(ERR_USAGE, "'" STR_FMT "' is no time and no duration",
				 STR_ARG(ask_text(q, "since"))));
		return;
	}
	f.most = f.most > STORE_MAX_PAGE ? STORE_MAX_PAGE : f.most;
	newest = !f.after && !f.since && !node_get(q->args, STR("after"));
	f.forward = !newest;
	e = store_event_list(s->store, q->arena, &f, &rows);
	if (e) {
		ask_fail(q, 503, e);
		return;
	}
	show_begin(s, b, "EventList");
	if (!newest && rows.n && rows.n == f.most)
		show_num(b, "next", rows.p[rows.n - 1].number);
	show_open(b, "items", '[');
	for (size_t i = 0; i < rows.n; i++) {
		const struct event_kept *k = &rows.p[newest ? rows.n - 1 - i : i];
		struct event_deliveries d = {0};

		show_kept(b, k);
		if (!f.failed)
			continue;
		err_free(store_event_deliveries(s->store, q->arena, k->number, &d));
		b->n--; /* its brace */
		show_open(b, "deliveries", '[');
		for (size_t j = 0; j < d.n; j++) {
			if (d.p[j].state == EVENT_DONE)
				continue;
			show_next(b);
			buf_char(b, '{');
			show_str(b, "receiver", d.p[j].receiver);
			show_num(b, "tries", d.p[j].tries);
			show_str(b, "error", d.p[j].error);
			show_time(b, "due", d.p[j].due);
			show_text(b, "state",
				  d.p[j].state == EVENT_PENDING ? "pending" : "dropped");
			buf_char(b, '}');
		}
		buf_str(b, STR("]}"));
	}
	buf_char(b, ']');
	ask_answer(q, 0);
}

static void do_redeliver(struct sync_asked *q)
{
	struct sync *s = q->s;
	size_t n = 0;
	struct err *e = store_event_redeliver(s->store, q->name, clock_wall(s->loop), &n);

	if (e) {
		ask_fail(q, err_code(e) == ERR_NOT_FOUND ? 404 : 503, e);
		return;
	}
	notify_wake(s->notify);
	show_begin(s, &q->b, "EventList");
	show_num(&q->b, "deliveries", n);
	buf_str(&q->b, STR(",\"items\":[]"));
	ask_answer(q, 0);
}

/* ------------------------------------------------------------------ drift, verify */

struct drift_list {
	struct sync_asked *q;
	struct app_run *app;
	size_t open;
};

static const char *const mode_words[] = {"heal", "detect", "ignore"};

static void show_drift(void *arg, const struct live_drift *d)
{
	struct drift_list *l = arg;
	struct buf *b = &l->q->b;

	l->open += d->mode != DRIFT_IGNORE;
	show_next(b);
	buf_char(b, '{');
	show_text(b, "app", l->app->name);
	show_open(b, "object", '{');
	b->n--;
	show_object(b, d->id, d->version, d->uid);
	show_text(b, "mode", mode_words[d->mode]);
	show_time(b, "since", d->since);
	show_bool(b, "deleted", d->deleted);
	show_bool(b, "recreated", d->recreated);
	show_bool(b, "ignored", d->mode == DRIFT_IGNORE);
	show_bool(b, "fight", d->fights >= LIVE_FIGHT_TIMES);
	show_open(b, "fields", '[');
	for (size_t i = 0; i < d->fields_n; i++) {
		show_next(b);
		show_event_field(b, &d->fields[i], d->since);
	}
	buf_char(b, ']');
	if (d->fields_all > d->fields_n)
		show_num(b, "fieldsAll", d->fields_all);
	buf_char(b, '}');
}

static void do_drift(struct sync_asked *q)
{
	struct sync *s = q->s;
	str app = ask_text(q, "app");
	struct drift_list l = {.q = q};

	if (app.n && !str_contains(app, STR("*")) && !sync_app(s, app)) {
		ask_fail(q, 404, no_such(s, "App", app));
		return;
	}
	show_begin(s, &q->b, "DriftList");
	show_open(&q->b, "items", '[');
	for (size_t i = 0; i < s->apps.n; i++) {
		l.app = s->apps.p[i];
		if (l.app->live && named(app, l.app->name))
			live_each_drift(l.app->live, ask_flag(q, "all"), show_drift, &l);
	}
	buf_char(&q->b, ']');
	ask_answer(q, l.open ? 1 : 0);
}

static void do_verify(struct sync_asked *q, struct source_run *r)
{
	struct sync *s = q->s;
	struct buf *b = &q->b;
	struct store_commits rows = {0};
	struct err *e = store_commit_list(s->store, q->arena, str_from(r->name), 50, &rows);
	bool off = r->doc->verify == VERIFY_OFF, bad = r->trust.offered_oid.n > 0;

	if (e) {
		ask_fail(q, 503, e);
		return;
	}
	show_begin(s, b, "Verification");
	show_text(b, "source", r->name);
	show_str(b, "accepted", r->trust.accepted_oid);
	show_str(b, "mode", node_get_text(node_get(r->doc->spec, STR("verify")), STR("mode")));
	show_open(b, "items", '[');
	for (size_t i = rows.n; i-- > 0;) {
		const struct store_commit *c = &rows.p[i];

		show_next(b);
		buf_char(b, '{');
		show_str(b, "commit", c->oid);
		show_str(b, "subject", c->subject);
		show_str(b, "author", c->author_email);
		show_str(b, "verdict", off || !c->verdict.n ? STR("Off") : c->verdict);
		show_str(b, "signer", c->signer);
		show_str(b, "key", c->key);
		show_time(b, "at", c->committed);
		buf_char(b, '}');
	}
	if (bad) {
		show_next(b);
		buf_char(b, '{');
		show_str(b, "commit", r->trust.offered_oid);
		show_str(b, "verdict", r->trust.refused_reason);
		show_str(b, "reason", r->trust.refused_reason);
		show_str(b, "message", r->trust.refused_message);
		buf_char(b, '}');
	}
	buf_char(b, ']');
	ask_answer(q, bad ? 1 : 0);
}

/* ------------------------------------------------------------------ dump, version, config */

static void do_dump(struct sync_asked *q, struct app_run *a)
{
	struct buf *b = &q->b;
	CLEANUP(buf) struct buf inv = BUF_INIT;
	str rest, line;

	show_begin(q->s, b, "Dump");
	show_text(b, "app", a->name);
	show_text(b, "step", a->run ? run_step_name(a->run->step) : "rest");
	show_text(b, "state", app_state_name(a->state));
	show_text(b, "revision", a->rev);
	show_text(b, "applied", a->synced);
	show_text(b, "healthy", a->healthy);
	show_num(b, "fails", a->fails);
	show_bool(b, "complete", a->complete);
	show_text(b, "plan", a->plan_id);
	show_open(b, "timers", '[');
	if (a->next_at) {
		show_next(b);
		buf_char(b, '{');
		show_text(b, "name", a->state == APP_FAILED ? "retry" : "interval");
		show_time(b, "due", a->next_at);
		buf_char(b, '}');
	}
	buf_char(b, ']');
	if (a->place) {
		show_str(b, "target", target_place(a->place->target));
		show_num(b, "requests", target_requests(a->place->target));
		show_num(b, "writes", target_writes(a->place->target));
	}
	show_open(b, "inventory", '[');
	if (a->inv)
		inventory_print(a->inv, &inv);
	rest = buf_view(&inv);
	while (str_split(&rest, '\n', &line)) {
		if (!line.n)
			continue;
		show_next(b);
		buf_json(b, line);
	}
	buf_char(b, ']');
	show_open(b, "errors", '[');
	if (a->message) {
		show_next(b);
		buf_json(b, str_from(a->message));
	}
	buf_char(b, ']');
	if (a->now)
		show_num(b, "readSet", a->now->seen_n);
	{
		CLEANUP(buf) struct buf d = BUF_INIT;

		notify_dump(q->s->notify, &d);
		show_raw(b, "receivers", buf_view(&d));
	}
	ask_answer(q, 0);
}

static void do_version(struct sync_asked *q)
{
	struct sync *s = q->s;
	struct buf *b = &q->b;

	show_begin(s, b, "Version");
	show_text(b, "version", LEEBOARD_VERSION);
	show_text(b, "build", __VERSION__);
	show_time(b, "started", s->started_at);
	show_num(b, "pid", (uint64_t)getpid());
	show_text(b, "state", store_dir(s->store));
	show_bool(b, "shadow", s->shadow);
	if (s->sandbox_known) {
		show_open(b, "sandbox", '{');
		buf_printf(b,
			   "\"seccomp\":%s,\"landlock\":%s,\"netns\":%s,\"rlimits\":%s,"
			   "\"landlockAbi\":%u}",
			   s->sandbox.layers & WORKER_SECCOMP ? "true" : "false",
			   s->sandbox.layers & WORKER_LANDLOCK ? "true" : "false",
			   s->sandbox.layers & WORKER_NETNS ? "true" : "false",
			   s->sandbox.layers & WORKER_RLIMITS ? "true" : "false",
			   s->sandbox.landlock_abi);
	}
	show_open(b, "documents", '[');
	for (size_t i = 0; i < s->paths_n; i++) {
		show_next(b);
		buf_json(b, str_from(s->paths[i]));
	}
	buf_char(b, ']');
	ask_answer(q, 0);
}

static void one_document(struct sync *s, struct buf *b, const char *kind, str name, loc at,
			 const struct node *spec)
{
	show_next(b);
	buf_char(b, '{');
	show_text(b, "kind", kind);
	show_str(b, "name", name);
	if (at.in) {
		show_str(b, "file", at.in->name);
		show_num(b, "line", at.line);
	}
	show_num(b, "generation", s->generation);
	show_node(b, "spec", spec);
	buf_char(b, '}');
}

static void show_warnings(struct sync *s, struct buf *b)
{
	show_open(b, "warnings", '[');
	for (size_t i = 0; i < s->config->warnings.n; i++) {
		const struct config_warning *w = &s->config->warnings.p[i];

		show_next(b);
		buf_char(b, '{');
		if (w->at.in) {
			show_str(b, "file", w->at.in->name);
			show_num(b, "line", w->at.line);
			show_num(b, "column", w->at.col);
		}
		show_text(b, "message", w->message.p);
		buf_char(b, '}');
	}
	buf_char(b, ']');
}

static size_t documents_count(const struct config *c)
{
	return c->sources.n + c->apps.n + c->policies.n + c->alerts.n + (c->daemon.at.in ? 1 : 0);
}

static void do_config(struct sync_asked *q)
{
	struct sync *s = q->s;
	const struct config *c = s->config;
	struct buf *b = &q->b;

	show_begin(s, b, "Config");
	show_open(b, "documents", '[');
	if (c->daemon.at.in)
		one_document(s, b, "Daemon", c->daemon.name, c->daemon.at, c->daemon.spec);
	for (size_t i = 0; i < c->policies.n; i++)
		one_document(s, b, "Policy", c->policies.p[i]->name, c->policies.p[i]->at,
			     c->policies.p[i]->spec);
	for (size_t i = 0; i < c->sources.n; i++)
		one_document(s, b, "Source", c->sources.p[i]->name, c->sources.p[i]->at,
			     c->sources.p[i]->spec);
	for (size_t i = 0; i < c->apps.n; i++)
		one_document(s, b, "App", c->apps.p[i]->name, c->apps.p[i]->at, c->apps.p[i]->spec);
	for (size_t i = 0; i < c->alerts.n; i++)
		one_document(s, b, "Alert", c->alerts.p[i]->name, c->alerts.p[i]->at,
			     c->alerts.p[i]->spec);
	buf_char(b, ']');
	show_warnings(s, b);
	ask_answer(q, 0);
}

static void do_reload(struct sync_asked *q)
{
	struct sync *s = q->s;
	CLEANUP(buf) struct buf changes = BUF_INIT;
	struct err *e = engine_reload(s, &changes);

	if (e) {
		ask_fail(q, 422, e);
		q->exit = 2;
		return;
	}
	show_begin(s, &q->b, "Reload");
	show_num(&q->b, "documents", documents_count(s->config));
	buf_str(&q->b, STR(",\"items\":["));
	buf_str(&q->b, buf_view(&changes));
	buf_char(&q->b, ']');
	show_warnings(s, &q->b);
	ask_answer(q, 0);
}

/* ------------------------------------------------------------------ acts */

static uint64_t last_number(struct sync_asked *q, const struct app_run *a)
{
	struct store_sync_query f = {.app = str_from(a->name), .most = 1};
	struct store_syncs rows = {0};

	err_free(store_sync_list(q->s->store, q->arena, &f, &rows));
	return rows.n ? rows.p[0].number : 0;
}

/* The last sync that ended since it was asked; or that there was nothing to do. */
static void answer_sync(struct sync_asked *q)
{
	struct app_run *a = q->app;
	struct sync *s = q->s;
	struct store_sync_query f = {.app = str_from(a->name), .most = 1};
	struct store_syncs rows = {0};
	int exit;

	err_free(store_sync_list(s->store, q->arena, &f, &rows));
	show_begin(s, &q->b, "SyncResult");
	if (rows.n && rows.p[0].number > q->number) {
		exit = outcome_exit(rows.p[0].outcome);
		show_sync_members(s, &q->b, &rows.p[0], false);
		ask_answer(q, exit);
		return;
	}
	show_text(&q->b, "app", a->name);
	show_revision(s, &q->b, "revision", str_from(a->source->name), str_from(a->rev), 0);
	exit = a->state == APP_SYNCED                         ? 0
	       : a->state == APP_FAILED                       ? 4
	       : a->state == APP_STALLED                      ? 2
	       : a->source->trust.offered_oid.n && !a->rev[0] ? 3
							      : 6;
	show_text(&q->b, "outcome",
		  exit == 0   ? "healthy"
		  : exit == 4 ? "failed"
		  : exit == 3 ? "refused"
		  : exit == 2 ? "failed"
			      : "waiting");
	show_num(&q->b, "exit", (uint64_t)exit);
	show_text(&q->b, "reason", a->reason);
	show_text(&q->b, "message", exit == 3 ? a->source->trust.refused_message.p : a->message);
	if (a->state == APP_WAITING)
		show_text(&q->b, "plan", a->plan_id);
	buf_printf(&q->b, ",\"counts\":{\"unchanged\":%zu}", a->now ? a->now->wants->n : (size_t)0);
	show_num(&q->b, "requests", 0);
	show_num(&q->b, "writes", 0);
	show_time(&q->b, "started", clock_wall(s->loop) - (clock_now(s->loop) - q->began));
	show_seconds(&q->b, "took", clock_now(s->loop) - q->began);
	show_text(&q->b, "by", "person");
	show_str(&q->b, "person", person_of(q));
	ask_answer(q, exit);
}

static void answer_started(struct sync_asked *q)
{
	show_begin(q->s, &q->b, "SyncResult");
	show_text(&q->b, "app", q->app->name);
	show_revision(q->s, &q->b, "revision", str_from(q->app->source->name),
		      str_from(q->app->rev), 0);
	show_text(&q->b, "outcome", "started");
	show_num(&q->b, "exit", 0);
	ask_answer(q, 0);
}

/* The source was asked: what it says now is what the App syncs to. */
static void on_polled(void *arg, struct source_run *r)
{
	struct sync_asked *q = arg;

	q->source = NULL;
	if (source_busy(r) && r->attempt) {
		q->source = r;
		source_when_settled(r, on_polled, q);
		return;
	}
	if (q->verb == SYNC_DO_POLL) {
		answer_source(q, r);
		return;
	}
	app_sync(q->app, person_of(q).p, ask_flag(q, "force_compare"), NULL);
	if (!ask_flag(q, "wait")) {
		answer_started(q);
		return;
	}
	q->stage = 1;
	sync_changed(q->s);
}

static void do_sync(struct sync_asked *q, struct app_run *a)
{
	if (ask_flag(q, "new_target") && a->other_cluster) {
		err_free(store_put(q->s->store, STR("target"), str_from(a->name),
				   target_uid(a->place->target)));
		a->other_cluster = false;
		app_set_state(a, APP_NEW, NULL, NULL, NULL);
		app_place_ready(a);
	}
	q->number = last_number(q, a);
	if (!a->source->group) { /* suspended, or its targets are not known yet */
		app_sync(a, person_of(q).p, ask_flag(q, "force_compare"), NULL);
		if (!ask_flag(q, "wait")) {
			answer_started(q);
			return;
		}
		q->stage = 1;
		sync_changed(q->s);
		return;
	}
	q->source = a->source;
	source_when_settled(a->source, on_polled, q);
	source_poll(a->source);
}

static void do_heal(struct sync_asked *q, struct app_run *a)
{
	q->number = last_number(q, a);
	if (a->suspended) {
		ask_fail(q, 409,
			 err_hint(err_new(ERR_USAGE, "App '%s' is suspended", a->name),
				  "leeboard resume %s", a->name));
		return;
	}
	app_heal_all(a);
	q->stage = 1;
	sync_changed(q->s);
}

static void do_poll(struct sync_asked *q, struct source_run *r)
{
	if (!r->group) {
		answer_source(q, r);
		return;
	}
	if (ask_flag(q, "wait")) {
		q->source = r;
		source_when_settled(r, on_polled, q);
		source_poll(r);
		return;
	}
	source_poll(r);
	answer_source(q, r);
}

static void do_approve(struct sync_asked *q, struct app_run *a)
{
	struct sync *s = q->s;
	str plan = ask_text(q, "plan"), by = person_of(q), reason = ask_text(q, "reason");
	struct node_pairs more = {0};
	struct tell t = {.kind = EVENT_PERSON_APPROVED, .severity = -1};
	struct err *e;

	if (a->state != APP_WAITING || !a->plan_id[0]) {
		ask_fail(q, 409, err_new(ERR_NOT_WAITING, "nothing of App '%s' waits", a->name));
		return;
	}
	if (plan.n < 6 || !str_starts(str_from(a->plan_id), plan)) {
		ask_fail(q, 409,
			 err_hint(err_new(ERR_PLAN_CHANGED, "the plan of App '%s' is %.12s now",
					  a->name, a->plan_id),
				  "leeboard plan %s shows it", a->name));
		return;
	}
	e = store_put(s->store, STR("approve"), str_from(a->name), str_from(a->plan_id));
	if (e) {
		ask_fail(q, 503, e);
		return;
	}
	node_pairs_add(q->arena, &more, STR("by"), node_new_str(q->arena, by));
	if (reason.n)
		node_pairs_add(q->arena, &more, STR("reason"), node_new_str(q->arena, reason));
	node_pairs_add(q->arena, &more, STR("plan"), node_new_str(q->arena, str_from(a->plan_id)));
	t.app = str_from(a->name);
	t.revision = str_from(a->rev);
	t.message = arena_printf(q->arena, STR_FMT " approved plan %.12s", STR_ARG(by), a->plan_id);
	t.more = more.p;
	t.more_n = more.n;
	tell(s, &t);
	show_begin(s, &q->b, "Approval");
	show_text(&q->b, "app", a->name);
	show_text(&q->b, "plan", a->plan_id);
	show_str(&q->b, "by", by);
	if (q->caller.local)
		show_num(&q->b, "uid", q->caller.uid);
	show_str(&q->b, "reason", reason);
	show_time(&q->b, "at", clock_wall(s->loop));
	show_text(&q->b, "revision", a->rev);
	ask_answer(q, 0);
	app_sync(a, by.p, false, NULL);
}

static void do_suspend(struct sync_asked *q, bool on)
{
	struct sync *s = q->s;
	const char *what = q->app ? "app" : "source";
	const char *name = q->app ? q->app->name : q->source->name;
	str for_ = ask_text(q, "for"), by = person_of(q), reason = ask_text(q, "reason");
	struct suspension v = {.by = by, .reason = reason, .since = clock_wall(s->loop)};
	struct source_run *r = STEAL(q->source);
	struct tell t = {.kind = on ? EVENT_SUSPEND_STARTED : EVENT_SUSPEND_ENDED, .severity = -1};
	struct node_pairs more = {0};
	msec d = 0;
	struct err *e;

	if (on && for_.n && !duration_parse(for_, &d)) {
		ask_fail(q, 422,
			 err_new(ERR_USAGE, "'" STR_FMT "' is no duration: write '2h'",
				 STR_ARG(for_)));
		return;
	}
	if (on && !reason.n) {
		ask_fail(q, 422,
			 err_hint(err_new(ERR_USAGE, "suspend needs a reason"),
				  "add --reason TEXT"));
		return;
	}
	v.until = d ? v.since + d : 0;
	e = on ? suspension_put(s, what, name, &v) : suspension_del(s, what, name);
	if (e) {
		ask_fail(q, 503, e);
		return;
	}
	node_pairs_add(q->arena, &more, STR("by"), node_new_str(q->arena, by));
	if (on)
		node_pairs_add(q->arena, &more, STR("reason"), node_new_str(q->arena, reason));
	if (v.until)
		node_pairs_add(q->arena, &more, STR("until"),
			       node_new_str(q->arena, time_rfc3339(q->arena, v.until, false)));
	if (q->app)
		t.app = str_from(name);
	else
		t.source = str_from(name);
	t.message = on ? arena_printf(q->arena, "suspended by " STR_FMT ": " STR_FMT, STR_ARG(by),
				      STR_ARG(reason))
		       : arena_printf(q->arena, "resumed by " STR_FMT, STR_ARG(by));
	t.more = more.p;
	t.more_n = more.n;
	tell(s, &t);
	suspensions_look(s);
	if (q->app)
		answer_app(q, q->app);
	else
		answer_source(q, r);
}

static void do_allow(struct sync_asked *q, struct source_run *r)
{
	str reason = ask_text(q, "reason");
	struct err *e;

	q->source = NULL;
	if (!reason.n) {
		ask_fail(q, 422,
			 err_hint(err_new(ERR_USAGE, "allow needs a reason"), "add --reason TEXT"));
		return;
	}
	e = source_allow(r, ask_text(q, "commit"), person_of(q), reason);
	if (e)
		ask_fail(q, 409, e);
	else
		answer_source(q, r);
}

/* ------------------------------------------------------------------ what waits */

void asks_look(struct sync *s)
{
	for (size_t i = s->asked.n; i-- > 0;) {
		struct sync_asked *q = s->asked.p[i];

		if (q->stage != 1)
			continue;
		if (q->verb == SYNC_WAIT)
			wait_look(q);
		else if ((q->verb == SYNC_DO_SYNC || q->verb == SYNC_DO_HEAL) && !q->app->run &&
			 !q->app->again && !q->app->heals.n)
			answer_sync(q);
	}
}

/* ------------------------------------------------------------------ the table */

static void run_ask(void *arg)
{
	struct sync_asked *q = arg;
	struct sync *s = q->s;
	struct source_run *r = NULL;

	q->timer = NULL;
	switch (q->verb) {
	case SYNC_APP:
	case SYNC_PLAN:
	case SYNC_DIFF:
	case SYNC_GRAPH:
	case SYNC_DUMP:
	case SYNC_EXPORT:
	case SYNC_DO_SYNC:
	case SYNC_DO_APPROVE:
	case SYNC_DO_HEAL:
	case SYNC_DO_SUSPEND_APP:
	case SYNC_DO_RESUME_APP:
		q->app = sync_app(s, q->name);
		if (!q->app) {
			ask_fail(q, 404, no_such(s, "App", q->name));
			return;
		}
		break;
	case SYNC_SOURCE:
	case SYNC_VERIFY:
	case SYNC_DO_POLL:
	case SYNC_DO_ALLOW:
	case SYNC_DO_SUSPEND_SOURCE:
	case SYNC_DO_RESUME_SOURCE:
		r = sync_source(s, q->name);
		if (!r) {
			ask_fail(q, 404, no_such(s, "Source", q->name));
			return;
		}
		break;
	case SYNC_STATUS:
	case SYNC_HISTORY:
	case SYNC_EVENTS:
	case SYNC_DRIFT:
	case SYNC_WHY:
	case SYNC_WAIT:
	case SYNC_VERSION:
	case SYNC_CONFIG:
	case SYNC_DO_RELOAD:
	case SYNC_DO_REDELIVER:
	case SYNC_VERBS:
		break;
	}
	switch (q->verb) {
	case SYNC_STATUS:
		do_status(q);
		break;
	case SYNC_APP:
		answer_app(q, q->app);
		break;
	case SYNC_SOURCE:
		answer_source(q, r);
		break;
	case SYNC_PLAN:
		ask_plan(q);
		break;
	case SYNC_DIFF:
		ask_diff(q);
		break;
	case SYNC_HISTORY:
		do_history(q);
		break;
	case SYNC_EVENTS:
		do_events(q);
		break;
	case SYNC_DRIFT:
		do_drift(q);
		break;
	case SYNC_WHY:
		ask_why(q);
		break;
	case SYNC_GRAPH:
		ask_graph(q);
		break;
	case SYNC_VERIFY:
		assert(r);
		do_verify(q, r);
		break;
	case SYNC_DUMP:
		do_dump(q, q->app);
		break;
	case SYNC_WAIT:
		ask_wait(q);
		break;
	case SYNC_VERSION:
		do_version(q);
		break;
	case SYNC_CONFIG:
		do_config(q);
		break;
	case SYNC_EXPORT:
		ask_export(q);
		break;
	case SYNC_DO_SYNC:
		do_sync(q, q->app);
		break;
	case SYNC_DO_APPROVE:
		do_approve(q, q->app);
		break;
	case SYNC_DO_HEAL:
		do_heal(q, q->app);
		break;
	case SYNC_DO_SUSPEND_APP:
	case SYNC_DO_SUSPEND_SOURCE:
	case SYNC_DO_RESUME_APP:
	case SYNC_DO_RESUME_SOURCE:
		q->source = r;
		do_suspend(q, q->verb == SYNC_DO_SUSPEND_APP || q->verb == SYNC_DO_SUSPEND_SOURCE);
		break;
	case SYNC_DO_POLL:
		assert(r);
		do_poll(q, r);
		break;
	case SYNC_DO_ALLOW:
		do_allow(q, r);
		break;
	case SYNC_DO_RELOAD:
		do_reload(q);
		break;
	case SYNC_DO_REDELIVER:
		do_redeliver(q);
		break;
	case SYNC_VERBS:
		break;
	}
}

void sync_ask(struct sync *s, const struct sync_question *question,
	      void (*fn)(void *arg, const struct sync_answer *a), void *arg,
	      struct sync_asked **ret)
{
	struct sync_asked *q = xcalloc(1, sizeof(*q));

	q->s = s;
	q->arena = arena_new();
	q->verb = question->verb;
	q->name = arena_str(q->arena, question->name);
	if (question->args) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		node_json(question->args, NODE_JSON_COMPACT, &b);
		q->args = json_read(q->arena, buf_view(&b));
	}
	q->caller = question->caller;
	q->caller.person = arena_str(q->arena, question->caller.person);
	q->fn = fn;
	q->arg = arg;
	q->began = clock_now(s->loop);
	LIST_ADD(&s->asked, q);
	q->timer = timer_start(s->loop, 0, run_ask, q);
	if (ret)
		*ret = q;
}

/* ------------------------------------------------------------------ webhooks and metrics */

static bool signature_ok(const struct source *d, str secret, str body,
			 str (*header)(void *arg, const char *name), void *arg)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf hex = BUF_INIT;
	uint8_t mac[32];
	str got = STR_NONE, want;

	if (d->webhook_type == WEBHOOK_GITLAB) {
		got = header(arg, "x-gitlab-token");
		return got.n == secret.n && mem_equal_const_time(got.p, secret.p, got.n);
	}
	hash_hmac_sha256(secret, body, mac);
	buf_hex(&hex, mac, sizeof(mac));
	want = arena_printf(a, "sha256=" STR_FMT, STR_ARG(buf_view(&hex)));
	switch ((enum webhook_type)d->webhook_type) {
	case WEBHOOK_GITHUB:
		got = header(arg, "x-hub-signature-256");
		break;
	case WEBHOOK_GITEA:
		got = header(arg, "x-gitea-signature");
		want = buf_view(&hex);
		break;
	case WEBHOOK_BITBUCKET:
		got = header(arg, "x-hub-signature");
		break;
	case WEBHOOK_GENERIC:
		got = header(arg, "x-signature");
		break;
	case WEBHOOK_GITLAB:
		break;
	}
	return got.n == want.n && mem_equal_const_time(got.p, want.p, got.n);
}

unsigned sync_hook(struct sync *s, str source, str body, str (*header)(void *arg, const char *name),
		   void *arg)
{
	struct source_run *r = sync_source(s, source);
	CLEANUP(buf) struct buf secret = BUF_INIT;
	struct err *e;
	bool ok;

	if (!r || r->doc->webhook_secret.kind == REF_NONE)
		return 404;
	e = config_ref_read(&r->doc->webhook_secret, "webhook.secret", NULL, &secret);
	if (e) {
		source_failed(r, e);
		return 401;
	}
	ok = secret.n >= 32 && signature_ok(r->doc, buf_view(&secret), body, header, arg);
	mem_wipe(secret.p, secret.n);
	if (!ok) {
		log_warn(s->log, "hook.refused", "source", r->name);
		return 401;
	}
	source_poll(r);
	return 202;
}

void sync_metrics(struct sync *s)
{
	for (size_t i = 0; i < s->apps.n; i++) {
		const struct app_run *a = s->apps.p[i];
		struct live_count c = a->live ? live_count(a->live) : (struct live_count){0};

		metric_set(s->metrics, METRIC_OBJECTS, (double)c.healthy,
			   LABELS(a->name, "Healthy"));
		metric_set(s->metrics, METRIC_OBJECTS, (double)c.progressing,
			   LABELS(a->name, "Progressing"));
		metric_set(s->metrics, METRIC_OBJECTS, (double)c.degraded,
			   LABELS(a->name, "Degraded"));
		metric_set(s->metrics, METRIC_OBJECTS, (double)c.unknown,
			   LABELS(a->name, "Unknown"));
		metric_set(s->metrics, METRIC_OBJECTS, (double)c.missing,
			   LABELS(a->name, "Missing"));
		metric_set(s->metrics, METRIC_DRIFT_OBJECTS, (double)c.drift_objects,
			   LABELS(a->name));
	}
	for (size_t i = 0; i < s->sources.n; i++) {
		const struct source_run *r = s->sources.p[i];

		if (r->trust.accepted_at)
			metric_set(s->metrics, METRIC_SOURCE_TIP_AGE,
				   (double)(clock_wall(s->loop) - r->trust.accepted_at) / 1000,
				   LABELS(r->name));
	}
	if (s->sandbox_known) {
		metric_set(s->metrics, METRIC_SANDBOX, !!(s->sandbox.layers & WORKER_SECCOMP),
			   LABELS("seccomp"));
		metric_set(s->metrics, METRIC_SANDBOX, !!(s->sandbox.layers & WORKER_LANDLOCK),
			   LABELS("landlock"));
		metric_set(s->metrics, METRIC_SANDBOX, !!(s->sandbox.layers & WORKER_NETNS),
			   LABELS("netns"));
	}
}
