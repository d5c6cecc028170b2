/* place: targets, each with the one `live` that listens to it. A place that does not answer is
 * tried again, for ever, with backoff; what is known of it stays. */
#include "sync_priv.h"

#include <stdlib.h>

#define CONNECT_FIRST (1 * SECOND)
#define CONNECT_LONGEST (30 * SECOND)

static void on_reach(void *arg, struct live *l, bool reachable, str why);

static void on_drift(void *arg, struct live_app *a, const struct live_drift *d)
{
	(void)arg;
	app_live_drift(live_app_owner(a), a, d);
}

static void on_gone(void *arg, struct live_app *a, obj_id id)
{
	(void)arg;
	app_live_gone(live_app_owner(a), a, id);
}

static void on_health(void *arg, struct live_app *a, obj_id id, const struct health *was,
		      const struct health *now)
{
	(void)arg;
	app_live_health(live_app_owner(a), a, id, was, now);
}

static void on_complete(void *arg, struct live_app *a)
{
	(void)arg;
	app_live_complete(live_app_owner(a), a);
}

struct err *place_get(struct sync *s, const struct app_target *where, struct place **ret)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str key = target_key(a, where);
	struct target_env env = {
		.loop = s->loop,
		.log = s->log,
		.metrics = s->metrics,
		.instance = str_from(s->instance),
		.holder = str_from(s->holder),
		.state_directory = str_from(store_dir(s->store)),
		.allow_exec = &s->config->daemon.allow_exec,
		.requests = s->config->daemon.requests,
		.delete_timeout = s->config->daemon.delete_timeout,
	};
	struct place *p;

	for (size_t i = 0; i < s->places.n; i++) {
		if (str_eq(str_from(s->places.p[i]->key), key)) {
			s->places.p[i]->users++;
			*ret = s->places.p[i];
			return NULL;
		}
	}
	p = xcalloc(1, sizeof(*p));
	p->s = s;
	p->key = text_dup(key);
	p->users = 1;
	struct err *e = target_open(&env, where, &p->target);

	if (e) {
		free(p->key);
		free(p);
		return e;
	}
	struct live_calls calls = {.arg = p,
				   .drift = on_drift,
				   .gone = on_gone,
				   .health = on_health,
				   .complete = on_complete,
				   .reach = on_reach};

	p->live = live_new(s->loop, p->target, &s->live_store, &calls, store_key(s->store));
	LIST_ADD(&s->places, p);
	*ret = p;
	return NULL;
}

void place_free(struct place *p)
{
	if (!p)
		return;
	LIST_DEL(&p->s->places, p);
	timer_stop(p->timer);
	target_cancel(p->call);
	live_free(p->live);
	target_close(p->target);
	arena_free(p->arena);
	free(p->why);
	free(p->key);
	free(p);
}

void place_put(struct place *p)
{
	if (p && --p->users == 0)
		place_free(p);
}

const struct target_record *place_record(const struct place *p, str app)
{
	for (size_t i = 0; i < p->records_n; i++)
		if (str_eq(p->records[i].app, app))
			return &p->records[i];
	return NULL;
}

/* ------------------------------------------------------------------ connecting */

static void again(void *arg)
{
	struct place *p = arg;

	p->timer = NULL;
	place_connect(p);
}

static void tell_down(struct place *p)
{
	struct tell t = {.kind = EVENT_TARGET_UNREACHABLE, .severity = -1};
	CLEANUP(arena) struct arena *a = arena_new();

	if (p->told)
		return;
	p->told = true;
	t.message = arena_printf(a, "%s: %s", target_place(p->target).p, p->why ? p->why : "");
	tell(p->s, &t);
}

static void tell_up(struct place *p)
{
	struct tell t = {.kind = EVENT_TARGET_RECOVERED, .severity = -1};

	p->down_since = 0;
	if (!p->told)
		return;
	p->told = false;
	t.message = target_place(p->target);
	tell(p->s, &t);
}

/* Takes e. */
static void down(struct place *p, struct err *e)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	msec pause = CONNECT_FIRST << (p->fails < 5 ? p->fails : 5);

	err_line_to(e, &b);
	err_free(e);
	text_set(&p->why, buf_view(&b));
	p->step = PLACE_DOWN;
	p->fails++;
	if (!p->down_since) {
		p->down_since = clock_wall(p->s->loop);
		log_warn(p->s->log, "target.down", "target", target_place(p->target).p, "error",
			 p->why);
	}
	if (clock_wall(p->s->loop) - p->down_since >= p->s->config->daemon.unreachable_after)
		tell_down(p);
	p->timer = timer_start(p->s->loop, pause < CONNECT_LONGEST ? pause : CONNECT_LONGEST, again,
			       p);
	for (size_t i = 0; i < p->s->apps.n; i++) {
		struct app_run *a = p->s->apps.p[i];

		if (a->place == p && (a->state == APP_NEW || (a->run && a->run->step == RUN_know)))
			app_set_state(a, APP_STALLED, "TargetUnreachable", p->why, NULL);
	}
	sync_changed(p->s);
}

static void on_records(void *arg, const struct target_record *r, size_t n, struct err *e)
{
	struct place *p = arg;
	struct target_record *own;

	p->call = NULL;
	if (e) {
		down(p, e);
		return;
	}
	arena_free(p->arena);
	p->arena = arena_new();
	own = ARENA_ARRAY(p->arena, struct target_record, n);
	for (size_t i = 0; i < n; i++) {
		own[i] = r[i];
		own[i].app = arena_str(p->arena, r[i].app);
		own[i].source = arena_str(p->arena, r[i].source);
		own[i].ref = arena_str(p->arena, r[i].ref);
		own[i].accepted = arena_str(p->arena, r[i].accepted);
		own[i].policy = arena_str(p->arena, r[i].policy);
		own[i].applied = arena_str(p->arena, r[i].applied);
		own[i].healthy = arena_str(p->arena, r[i].healthy);
		own[i].holder = arena_str(p->arena, r[i].holder);
		own[i].inventory = inventory_dup(p->arena, r[i].inventory);
	}
	p->records = own;
	p->records_n = n;
	p->step = PLACE_READY;
	p->fails = 0;
	tell_up(p);
	for (size_t i = 0; i < p->s->apps.n; i++)
		if (p->s->apps.p[i]->place == p)
			app_place_ready(p->s->apps.p[i]);
	for (size_t i = 0; i < p->s->sources.n; i++)
		source_begin(p->s->sources.p[i]);
	sync_changed(p->s);
}

static void on_ready(void *arg, struct err *e)
{
	struct place *p = arg;

	p->call = NULL;
	if (e) {
		down(p, e);
		return;
	}
	p->step = PLACE_READING;
	target_records(p->target, STR_NONE, on_records, p, &p->call);
}

void place_connect(struct place *p)
{
	if (p->step == PLACE_CONNECTING || p->step == PLACE_READING || p->step == PLACE_READY)
		return;
	p->step = PLACE_CONNECTING;
	target_ready(p->target, on_ready, p, &p->call);
}

/* Each kind once: its watch begins anew, with a list, and live compares what it is told. */
void place_compare(struct place *p, msec most)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct {
		const struct inv_entry **p;
		size_t n, cap;
	} kinds = {0};
	struct sync *s = p->s;

	if (p->step != PLACE_READY ||
	    (p->compared_at && clock_now(s->loop) - p->compared_at < most))
		return;
	p->compared_at = clock_now(s->loop);
	for (size_t i = 0; i < s->apps.n; i++) {
		const struct inventory *inv = s->apps.p[i]->place == p ? s->apps.p[i]->inv : NULL;

		for (size_t k = 0; inv && k < inv->n; k++) {
			const struct inv_entry *e = &inv->p[k];
			bool known = false;

			/* Kinds are few, and an inventory has them side by side. */
			for (size_t j = kinds.n; j-- > 0 && !known;)
				known = str_eq(kinds.p[j]->id.kind, e->id.kind) &&
					str_eq(kinds.p[j]->id.group, e->id.group) &&
					str_eq(kinds.p[j]->version, e->version);
			if (!known)
				*ARENA_PUSH(a, &kinds) = e;
		}
	}
	for (size_t i = 0; i < kinds.n; i++) {
		const struct inv_entry *e = kinds.p[i];

		target_unwatch(p->target, e->id.group, e->version, e->id.kind);
		err_free(target_watch(p->target, e->id.group, e->version, e->id.kind));
	}
}

static void still_down(void *arg)
{
	struct place *p = arg;

	p->timer = NULL;
	if (p->down_since)
		tell_down(p);
}

/* It answered once, and now it does not, or again: live's watches say so. The watches come back by
 * themselves; runs that failed meanwhile are tried at once. */
static void on_reach(void *arg, struct live *l, bool reachable, str why)
{
	struct place *p = arg;
	struct sync *s = p->s;

	(void)l;
	if (!reachable) {
		text_set(&p->why, why);
		if (!p->down_since) {
			p->down_since = clock_wall(s->loop);
			log_warn(s->log, "target.down", "target", target_place(p->target).p,
				 "error", p->why);
			p->timer = timer_start(s->loop, s->config->daemon.unreachable_after,
					       still_down, p);
		}
		sync_changed(s);
		return;
	}
	timer_stop(p->timer);
	p->timer = NULL;
	tell_up(p);
	log_info(s->log, "target.up", "target", target_place(p->target).p);
	for (size_t i = 0; i < s->apps.n; i++) {
		struct app_run *a = s->apps.p[i];

		if (a->place == p && a->state == APP_FAILED && !a->run)
			app_sync(a, "interval", false, NULL);
	}
	sync_changed(s);
}
