/* Is it well: what is told of it, and when. */
#include <stdlib.h>

#include "live_priv.h"

struct health entry_health(const struct entry *e)
{
	return (struct health){e->state, str_from(e->reason ? e->reason : ""),
			       str_from(e->message ? e->message : "")};
}

/* ------------------------------------------------------------------ waits */

static bool settled(const struct entry *e)
{
	return e->skip || !e->app->live->tells_health || e->state == HEALTH_HEALTHY ||
	       e->state == HEALTH_SUSPENDED || e->state == HEALTH_DEGRADED;
}

static void unlink_wait(struct live_wait *w)
{
	struct live_wait **p;

	if (!w->e)
		return;
	for (p = &w->e->waits; *p != w; p = &(*p)->next)
		;
	*p = w->next;
	w->e = NULL;
}

static void on_wait(void *arg)
{
	struct live_wait *w = arg;
	struct health h;
	obj_id id;

	w->timer = NULL;
	if (!w->e || !settled(w->e))
		return; /* it fell back meanwhile: goes on waiting */
	h = entry_health(w->e);
	if (w->e->skip || !w->e->app->live->tells_health)
		h.state = h.state == HEALTH_SUSPENDED ? HEALTH_SUSPENDED : HEALTH_HEALTHY;
	id = w->e->id;
	unlink_wait(w);
	w->fn(w->arg, id, &h);
}

static void wake(struct entry *e)
{
	if (!settled(e))
		return;
	for (struct live_wait *w = e->waits; w; w = w->next)
		if (!w->timer)
			w->timer = timer_start(w->loop, 0, on_wait, w);
}

struct live_wait *live_wait_healthy(struct live_app *a, obj_id id,
				    void (*fn)(void *arg, obj_id id, const struct health *h),
				    void *arg)
{
	struct live_wait *w = xcalloc(1, sizeof(*w));

	w->fn = fn;
	w->arg = arg;
	w->loop = a->live->loop;
	w->e = entry_find(a, id);
	if (w->e) {
		w->next = w->e->waits;
		w->e->waits = w;
		wake(w->e);
	}
	return w;
}

void live_wait_stop(struct live_wait *w)
{
	if (!w)
		return;
	unlink_wait(w);
	timer_stop(w->timer);
	free(w);
}

/* ------------------------------------------------------------------ changes */

static void later_free(struct entry *e)
{
	if (!e->later)
		return;
	timer_stop(e->later->timer);
	free(e->later->reason);
	free(e->later->message);
	free(e->later);
	e->later = NULL;
}

void well_free(struct entry *e)
{
	later_free(e);
	timer_stop(e->flicker);
	e->flicker = NULL;
	while (e->waits) {
		struct live_wait *w = e->waits;

		timer_stop(w->timer);
		w->timer = NULL;
		unlink_wait(w);
	}
	free(e->reason);
	free(e->message);
	e->reason = e->message = NULL;
}

static void tell(struct entry *e)
{
	struct live *l = e->app->live;
	struct health was = {e->told, STR(""), STR("")}, now = entry_health(e);

	timer_stop(e->flicker);
	e->flicker = NULL;
	if (e->told == e->state)
		return;
	e->told = e->state;
	if (l->calls.health)
		l->calls.health(l->calls.arg, e->app, e->id, &was, &now);
}

static void on_flicker(void *arg)
{
	struct entry *e = arg;

	e->flicker = NULL;
	tell(e);
}

static void set(struct entry *e, const struct health *h)
{
	struct live *l = e->app->live;
	str message = str_sub(h->message, 0, LIVE_MAX_HEALTH_TEXT);

	while (message.n && str_utf8_bad(message) != SIZE_MAX)
		message.n--; /* cut within a character */
	set_text(&e->reason, h->reason);
	set_text(&e->message, message);
	if (e->state != h->state)
		e->health_since = clock_wall(l->loop);
	e->state = h->state;
	wake(e);
	if (e->told == HEALTH_HEALTHY && e->state == HEALTH_PROGRESSING) {
		if (!e->flicker)
			e->flicker = timer_start(l->loop, LIVE_FLICKER, on_flicker, e);
		return;
	}
	tell(e);
}

static void on_later(void *arg)
{
	struct entry *e = arg;
	struct later *x = e->later;
	struct health h = {x->state, str_from(x->reason ? x->reason : ""),
			   str_from(x->message ? x->message : "")};

	x->timer = NULL;
	e->later = NULL;
	set(e, &h);
	free(x->reason);
	free(x->message);
	free(x);
}

/* The verdict of then, made now: no tree is kept, and nothing is asked when its time comes. */
static void expect_later(struct entry *e, struct arena *a, const struct object *o,
			 const struct health_clock *clock, msec again)
{
	struct health_clock then = *clock;
	struct health h;
	msec never;

	later_free(e);
	if (!again)
		return;
	then.now = again;
	h = health_at(a, o, &then, &never);
	e->later = xcalloc(1, sizeof(*e->later));
	e->later->state = h.state;
	set_text(&e->later->reason, h.reason);
	set_text(&e->later->message, h.message);
	e->later->timer = timer_start(e->app->live->loop, again - clock->now, on_later, e);
}

/* When its generation came: when we saw it change, else what the object itself tells. */
static void note_generation(struct entry *e, const struct object *o, msec now)
{
	const struct node *meta = node_get(o->root, STR("metadata"));
	int64_t generation = 0;
	msec created = 0;

	if (!node_i64(node_get(meta, STR("generation")), &generation))
		generation = 0;
	if (e->generation_at && generation == e->generation)
		return;
	if (!e->generation_at && !e->sent_mono)
		time_parse(node_get_text(meta, STR("creationTimestamp")), &created);
	e->generation_at = created ? created : now;
	e->generation = generation;
}

void well_seen(struct entry *e, const struct object *o)
{
	CLEANUP(arena) struct arena *a = NULL;
	struct live *l = e->app->live;
	struct health_clock clock = {.now = clock_wall(l->loop)};
	struct health h;
	msec again = 0;

	if (!l->tells_health)
		return;
	a = arena_new();
	if (o) {
		note_generation(e, o, clock.now);
		clock.changed = e->generation_at;
		clock.timeout = e->app->doc->health_timeout;
		clock.has_status =
			!obj_schema_of(node_get_text(o->root, STR("apiVersion")), o->id.kind) &&
			target_has_status(l->target, o->id.group, o->version, o->id.kind);
	}
	h = health_at(a, o, &clock, &again);
	if (o)
		expect_later(e, a, o, &clock, again);
	else
		later_free(e);
	set(e, &h);
}
