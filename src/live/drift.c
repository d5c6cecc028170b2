/* Drift that is open: from the first sight of it until it is over, whoever ends it. */
#include <stdlib.h>

#include "live_priv.h"

/* ------------------------------------------------------------------ a copy that stays */

/* The event's trees die with the event: values go over as text, long ones cut. */
static const struct node *keep(struct arena *a, const struct node *n)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct text *t;
	const struct node *copy;
	struct err *e;

	if (!n)
		return NULL;
	node_json(n, NODE_JSON_COMPACT, &b);
	if (b.n > LIVE_MAX_VALUE)
		return node_new_str(a, arena_printf(a, "(%zu bytes)", b.n));
	t = ARENA_NEW(a, struct text);
	*t = (struct text){STR("value"), arena_str(a, buf_view(&b))};
	e = node_read_json(a, t, &copy);
	if (e) {
		err_free(e); /* a number that only YAML can spell */
		return node_new_str(a, t->bytes);
	}
	return copy;
}

static struct event_field *keep_fields(struct arena *a, const struct judged *j)
{
	struct event_field *p = ARENA_ARRAY(a, struct event_field, j->n);

	for (size_t i = 0; i < j->n; i++) {
		const struct event_field *f = &j->p[i];

		p[i] = (struct event_field){
			.path = arena_str(a, f->path),
			.git = keep(a, f->git),
			.live = keep(a, f->live),
			.applied = keep(a, f->applied),
			.redacted = f->redacted,
			.origin = {.file = arena_str(a, f->origin.file), .line = f->origin.line},
			.writer = {arena_str(a, f->writer.manager),
				   arena_str(a, f->writer.operation),
				   arena_str(a, f->writer.subresource),
				   arena_str(a, f->writer.last_active)},
		};
	}
	return p;
}

static uint64_t print_of(const struct live_drift *d)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_printf(&b, "%d%d%d %zu ", d->deleted, d->recreated, d->stripped, d->fields_all);
	buf_str(&b, d->uid);
	for (size_t i = 0; i < d->fields_n; i++) {
		buf_str(&b, d->fields[i].path);
		buf_char(&b, '=');
		if (d->fields[i].live)
			node_json(d->fields[i].live, NODE_JSON_CANONICAL, &b);
		buf_char(&b, '\n');
	}
	return str_hash(buf_view(&b));
}

/* ------------------------------------------------------------------ fights */

static uint32_t times(const struct entry *e, uint64_t path, msec now)
{
	uint32_t n = 0;

	for (size_t i = 0; i < e->fixes_n; i++)
		n += e->fixes[i].path == path && e->fixes[i].at > now - LIVE_FIGHT_SPAN;
	return n;
}

static uint32_t fights(const struct entry *e, const struct live_drift *d)
{
	msec now = clock_now(e->app->live->loop);
	uint32_t most = d->fields_n ? 0 : times(e, str_hash(STR_NONE), now), n;

	for (size_t i = 0; i < d->fields_n; i++) {
		n = times(e, str_hash(d->fields[i].path), now);
		most = n > most ? n : most;
	}
	return most;
}

static void fixed(struct entry *e, str path, msec now)
{
	if (!e->fixes)
		e->fixes = xcalloc(LIVE_MAX_FIXES, sizeof(struct fix));
	if (e->fixes_n == LIVE_MAX_FIXES)
		memmove(e->fixes, e->fixes + 1, --e->fixes_n * sizeof(struct fix));
	e->fixes[e->fixes_n++] = (struct fix){str_hash(path), now};
}

static void forget_old(struct entry *e, msec now)
{
	size_t n = 0;

	for (size_t i = 0; i < e->fixes_n; i++)
		if (e->fixes[i].at > now - LIVE_FIGHT_SPAN)
			e->fixes[n++] = e->fixes[i];
	e->fixes_n = n;
	if (!n) {
		free(e->fixes);
		e->fixes = NULL;
	}
}

/* ------------------------------------------------------------------ open, told, over */

void drift_free(struct entry *e)
{
	struct drift *d = e->drift;

	if (!d)
		return;
	e->drift = NULL;
	timer_stop(d->timer);
	arena_free(d->arena);
	free(d);
}

static void tell(struct entry *e)
{
	struct live *l = e->app->live;

	e->drift->told = true;
	if (l->calls.drift)
		l->calls.drift(l->calls.arg, e->app, &e->drift->d);
}

static void on_grace(void *arg)
{
	struct entry *e = arg;

	e->drift->timer = NULL;
	tell(e);
}

void drift_set(struct entry *e, const struct judged *j, bool deleted)
{
	struct live *l = e->app->live;
	struct drift *old = e->drift, *d = xcalloc(1, sizeof(*d));
	msec left;

	d->arena = arena_new();
	d->d = (struct live_drift){
		.id = e->id,
		.version = entry_version(e),
		.uid = arena_str(d->arena, str_from(e->uid)),
		.deleted = deleted,
		.recreated = !deleted && e->recreated,
		.stripped = j->stripped,
		.fields = keep_fields(d->arena, j),
		.fields_n = j->n,
		.fields_all = j->all,
		.mode = j->mode,
		.since = old ? old->d.since : clock_wall(l->loop),
	};
	d->d.fights = fights(e, &d->d);
	d->print = print_of(&d->d);
	if (old) {
		d->timer = old->timer;
		d->told = old->told;
		old->timer = NULL;
		if (d->told && d->print == old->print) {
			drift_free(e);
			e->drift = d;
			return;
		}
	}
	drift_free(e);
	e->drift = d;
	if (d->d.mode == DRIFT_IGNORE || d->timer)
		return;
	left = d->d.since + e->app->doc->drift_grace - clock_wall(l->loop);
	if (left > 0 && !d->told)
		d->timer = timer_start(l->loop, left, on_grace, e);
	else
		tell(e);
}

void drift_over(struct entry *e)
{
	struct live *l = e->app->live;
	bool told = e->drift && e->drift->told;

	drift_free(e);
	if (told && l->calls.gone)
		l->calls.gone(l->calls.arg, e->app, e->id);
}

void drift_written(struct entry *e)
{
	msec now = clock_now(e->app->live->loop);

	forget_old(e, now);
	if (!e->drift)
		return;
	for (size_t i = 0; i < e->drift->d.fields_n; i++)
		fixed(e, e->drift->d.fields[i].path, now);
	if (!e->drift->d.fields_n)
		fixed(e, STR_NONE, now);
	drift_free(e);
}
