/* wait: `leeboard wait`, for pipelines: until a commit is live and healthy, or Apps are as asked.
 */
#include "sync_priv.h"

#include <stdlib.h>

#define WAIT_LONGEST (24 * HOUR)

enum verdict {
	V_UNCHANGED,
	V_HEALTHY,
	V_FAILED,
	V_WAITING,
	V_PROGRESSING,
	V_REFUSED,
	V_SUPERSEDED
};
static const char *const verdict_words[] = {"unchanged",   "healthy", "failed",    "waiting",
					    "progressing", "refused", "superseded"};

static bool at_rest(const struct app_run *a)
{
	return !a->run && !a->again && !a->heals.n;
}

static enum verdict app_verdict(const struct app_run *a)
{
	switch (a->state) {
	case APP_FAILED:
	case APP_STALLED:
		return V_FAILED;
	case APP_WAITING:
	case APP_SUSPENDED:
		return at_rest(a) ? V_WAITING : V_PROGRESSING;
	case APP_SYNCED:
		return at_rest(a) ? V_HEALTHY : V_PROGRESSING;
	case APP_NEW:
	case APP_PROGRESSING:
		return V_PROGRESSING;
	}
	return V_PROGRESSING;
}

static void show_item(struct sync_asked *q, const struct app_run *a, enum verdict v)
{
	struct buf *b = &q->b;

	show_next(b);
	buf_char(b, '{');
	show_text(b, "app", a->name);
	show_text(b, "outcome", verdict_words[v]);
	show_text(b, "state", app_state_name(a->state));
	show_text(b, "revision", a->rev);
	show_seconds(b, "took", clock_now(q->s->loop) - q->began);
	if (v == V_FAILED || v == V_WAITING) {
		show_text(b, "reason", a->reason);
		show_text(b, "message", a->message);
		if (a->first_cause)
			show_raw(b, "firstCause", str_from(a->first_cause));
	}
	buf_char(b, '}');
}

static void begin(struct sync_asked *q, const char *outcome, int exit)
{
	buf_clear(&q->b);
	show_begin(q->s, &q->b, "WaitResult");
	show_str(&q->b, "commit", ask_text(q, "commit"));
	show_text(&q->b, "outcome", outcome);
	show_num(&q->b, "exit", (uint64_t)exit);
	show_seconds(&q->b, "took", clock_now(q->s->loop) - q->began);
}

/* ------------------------------------------------------------------ a commit */

/* Did a sync of this App bring this revision? Then it is "healthy", else it had nothing to do. */
static bool touched(struct sync_asked *q, const struct app_run *a, str rev)
{
	struct store_sync_query f = {.app = str_from(a->name), .most = 20};
	struct store_syncs rows = {0};

	err_free(store_sync_list(q->s->store, q->arena, &f, &rows));
	for (size_t i = 0; i < rows.n; i++)
		if (str_eq(rows.p[i].revision, rev))
			return true;
	return false;
}

static bool look_source(struct sync_asked *q, struct source_run *r, str commit, bool newer,
			bool late)
{
	struct sync *s = q->s;
	struct store_commit c = {0};
	size_t n = 0, done = 0, failed = 0, waiting = 0;
	bool live = r->trust.accepted_oid.n && str_starts(r->trust.accepted_oid, commit);
	str rev;
	int exit;

	if (source_is_refused(r, commit)) {
		begin(q, "refused", 3);
		show_str(&q->b, "message",
			 arena_printf(q->arena, "refused: " STR_FMT,
				      STR_ARG(r->trust.refused_message)));
		buf_str(&q->b, STR(",\"items\":[]"));
		ask_answer(q, 3);
		return true;
	}
	if (!live) {
		struct err *e = store_commit_get(s->store, q->arena, str_from(r->name), commit, &c);

		err_free(e);
		if (!c.oid.p || !c.accepted)
			return false;
		if (!newer) {
			str now = arena_str(q->arena, r->trust.accepted_oid);

			begin(q, "superseded", 5);
			show_str(&q->b, "supersededBy", now);
			show_str(&q->b, "message",
				 arena_printf(q->arena,
					      "superseded by " STR_FMT
					      " before it was live (--or-newer waits for that)",
					      STR_ARG(short_id(now))));
			buf_str(&q->b, STR(",\"items\":[]"));
			ask_answer(q, 5);
			return true;
		}
	}
	rev = r->trust.accepted_oid;
	for (size_t i = 0; i < s->apps.n; i++) {
		const struct app_run *a = s->apps.p[i];
		enum verdict v;

		if (a->source != r)
			continue;
		n++;
		v = app_verdict(a);
		if (!str_eq(str_from(a->rev), rev) && v != V_FAILED)
			v = V_PROGRESSING;
		/* A failure of the revision before is not this one's. */
		if (v == V_FAILED && a->run)
			v = V_PROGRESSING;
		done += v != V_PROGRESSING;
		failed += v == V_FAILED;
		waiting += v == V_WAITING;
	}
	if (done < n && !late)
		return false;
	exit = failed ? 4 : waiting ? 6 : done < n ? 7 : 0;
	begin(q, failed ? "failed" : waiting ? "waiting" : done < n ? "timeout" : "healthy", exit);
	show_revision(s, &q->b, "accepted", str_from(r->name), rev, r->trust.accepted_at);
	show_open(&q->b, "items", '[');
	for (size_t i = 0; i < s->apps.n; i++) {
		const struct app_run *a = s->apps.p[i];
		enum verdict v;

		if (a->source != r)
			continue;
		v = app_verdict(a);
		if (v == V_HEALTHY && !touched(q, a, rev))
			v = V_UNCHANGED;
		show_item(q, a, v);
	}
	buf_char(&q->b, ']');
	ask_answer(q, exit);
	return true;
}

/* ------------------------------------------------------------------ Apps */

static bool app_is(struct sync_asked *q, const struct app_run *a, str what)
{
	struct live_count c = a->live ? live_count(a->live) : (struct live_count){0};
	bool synced = a->state == APP_SYNCED && at_rest(a) &&
		      str_eq(str_from(a->rev), a->source->trust.accepted_oid);

	(void)q;
	if (str_eq(what, STR("synced")))
		return synced;
	if (str_eq(what, STR("healthy")))
		return synced && (!target_tells_health(a->place->target) ||
				  c.healthy + c.suspended == c.total);
	if (str_eq(what, STR("no-drift")))
		return at_rest(a) && !c.drift_objects;
	return synced && str_starts(str_from(a->rev), what);
}

static bool named_app(str globs, const char *name)
{
	str g;

	while (str_split(&globs, ',', &g))
		if (config_glob(g, str_from(name)))
			return true;
	return false;
}

static bool look_apps(struct sync_asked *q, bool late)
{
	struct sync *s = q->s;
	str globs = ask_text(q, "app"), what = ask_text(q, "for");
	size_t n = 0, good = 0, failed = 0, waiting = 0;
	bool any = false;
	int exit;

	what = what.n ? what : STR("healthy");
	for (size_t i = 0; i < s->apps.n; i++) {
		const struct app_run *a = s->apps.p[i];
		enum verdict v;

		if (globs.n && !named_app(globs, a->name))
			continue;
		n++;
		any = true;
		v = app_verdict(a);
		good += app_is(q, a, what);
		failed += v == V_FAILED && at_rest(a);
		waiting += v == V_WAITING;
	}
	if (!any) {
		ask_fail(q, 404,
			 err_new(ERR_NOT_FOUND, "no App matches '" STR_FMT "'", STR_ARG(globs)));
		return true;
	}
	if (good < n && !failed && !waiting && !late)
		return false;
	exit = good == n ? 0 : failed ? 4 : waiting ? 6 : 7;
	begin(q,
	      exit == 0   ? "healthy"
	      : exit == 4 ? "failed"
	      : exit == 6 ? "waiting"
			  : "timeout",
	      exit);
	show_open(&q->b, "items", '[');
	for (size_t i = 0; i < s->apps.n; i++)
		if (!globs.n || named_app(globs, s->apps.p[i]->name))
			show_item(q, s->apps.p[i], app_verdict(s->apps.p[i]));
	buf_char(&q->b, ']');
	ask_answer(q, exit);
	return true;
}

/* ------------------------------------------------------------------ both */

static bool look(struct sync_asked *q, bool late)
{
	struct sync *s = q->s;
	str commit = ask_text(q, "commit");

	if (!commit.n)
		return look_apps(q, late);
	for (size_t i = 0; i < s->sources.n; i++)
		if (look_source(q, s->sources.p[i], commit, ask_flag(q, "or_newer"), late))
			return true;
	if (!late)
		return false;
	begin(q, "timeout", 7);
	show_str(&q->b, "message",
		 arena_printf(q->arena, "commit " STR_FMT " was not seen",
			      STR_ARG(short_id(commit))));
	buf_str(&q->b, STR(",\"items\":[]"));
	ask_answer(q, 7);
	return true;
}

bool wait_look(struct sync_asked *q)
{
	return look(q, false);
}

static void late(void *arg)
{
	struct sync_asked *q = arg;

	q->timer = NULL;
	look(q, true);
}

void ask_wait(struct sync_asked *q)
{
	str t = ask_text(q, "timeout"), commit = ask_text(q, "commit");
	msec d = WAIT_LONGEST;

	if (t.n && !duration_parse(t, &d)) {
		ask_fail(q, 422,
			 err_new(ERR_USAGE, "'" STR_FMT "' is no duration: write '10m'",
				 STR_ARG(t)));
		return;
	}
	for (size_t i = 0; i < commit.n; i++) {
		char c = commit.p[i];
		bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');

		if (digit && commit.n >= 4 && commit.n <= SYNC_MAX_HEX)
			continue;
		ask_fail(q, 422,
			 err_hint(err_new(ERR_USAGE, "'" STR_FMT "' is no commit id",
					  STR_ARG(commit)),
				  "at least 4 of its digits: --commit \"$(git rev-parse HEAD)\""));
		return;
	}
	q->stage = 1;
	if (!look(q, false))
		q->timer = timer_start(q->s->loop, d < WAIT_LONGEST ? d : WAIT_LONGEST, late, q);
}
