/* Begin, phases, end. */
#include <stdlib.h>

#include "apply_priv.h"

static bool step_is_meant(const struct apply *a, const struct plan_step *s)
{
	return !s->waits || a->o.plan->approved;
}

/* ------------------------------------------------------------------ the end */

static bool went_well(const struct apply *a)
{
	return !a->own && !a->count.failed && !a->count.blocked && !a->first;
}

static void on_end(void *arg)
{
	struct apply *a = arg;

	a->timer = NULL;
	if (a->told)
		return;
	a->told = true;
	if (a->calls.done)
		a->calls.done(a->calls.arg, went_well(a), a->first);
}

/* From the loop: whoever is told may free a, and our callers up the stack still use it. */
static void finish(struct apply *a)
{
	a->phase = PHASE_END;
	if (!a->timer)
		a->timer = timer_start(a->o.loop, 0, on_end, a);
}

static void skip_deletions(struct apply *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->runs[i].deletes && a->runs[i].state == RUN_IDLE) {
			a->runs[i].state = RUN_DEAD;
			a->runs[i].pub->result = APPLY_SKIPPED;
			tell_step(&a->runs[i]);
		}
}

static void cancel(struct apply *a)
{
	a->stopped = true;
	target_cancel(a->call);
	target_cancel(a->discover);
	a->call = a->discover = NULL;
	timer_stop(a->timer);
	timer_stop(a->again);
	a->timer = a->again = NULL;
	for (size_t i = 0; i < a->nodes; i++) {
		struct run *r = &a->runs[i];

		settle_stop(r);
		if (!r->call)
			continue;
		target_cancel(r->call);
		r->call = NULL;
		if (r->writes && !r->applied)
			live_not_sent(a->o.app, r->step->id);
	}
}

/* The first thing that was meant tells it: an inventory or a journal is no object. */
void apply_fails(struct apply *a, struct err *e)
{
	cancel(a);
	for (size_t i = 0; i < a->n && !a->first; i++) {
		struct run *r = &a->runs[i];

		if (r->pub && !r->pub->err && (r->writes || r->deletes) && !r->applied) {
			r->pub->result = APPLY_FAILED;
			r->pub->err = e;
			e = NULL;
			a->count.failed++;
			a->first = r->pub;
		}
	}
	if (e && a->first && !a->own)
		a->own = e;
	else if (e && a->pubs_n && !a->pubs[0].err) {
		a->pubs[0].err = e;
		a->first = a->first ? a->first : &a->pubs[0];
	} else if (e) {
		a->own = err_join(a->own, e);
	}
	finish(a);
}

/* ------------------------------------------------------------------ phases */

static bool something_to_delete(const struct apply *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->runs[i].deletes && a->runs[i].state == RUN_IDLE)
			return true;
	return false;
}

static void prune_now(void *arg)
{
	struct apply *a = arg;

	a->timer = NULL;
	a->phase = PHASE_PRUNE;
	a->turn = SIZE_MAX; /* the next one is 0 */
	steps_over(a);
}

static void hold(struct apply *a)
{
	if (!something_to_delete(a) || !went_well(a)) {
		skip_deletions(a);
		finish(a);
		return;
	}
	a->phase = PHASE_HOLD;
	if (!a->released && a->calls.ready_to_prune)
		a->calls.ready_to_prune(a->calls.arg);
	else
		apply_prune(a);
}

void apply_prune(struct apply *a)
{
	if (!a)
		return;
	a->released = true;
	if (a->phase == PHASE_HOLD && !a->timer && !a->stopped)
		a->timer = timer_start(a->o.loop, 0, prune_now, a);
}

void phase_over(struct apply *a)
{
	if (a->stopped)
		return;
	switch (a->phase) {
	case PHASE_PENDING:
		a->phase = PHASE_SEND;
		order_begin(a, false);
		break;
	case PHASE_SEND:
		a->phase = PHASE_RECORD;
		inventory_record(a);
		break;
	case PHASE_RECORD:
		hold(a);
		break;
	case PHASE_PRUNE:
		if (order_next_turn(a)) {
			order_begin(a, true);
			break;
		}
		a->phase = PHASE_FORGET;
		inventory_forget(a);
		break;
	case PHASE_FORGET:
		finish(a);
		break;
	case PHASE_HOLD:
	case PHASE_END:
		break;
	}
}

static void begin(void *arg)
{
	struct apply *a = arg;

	a->timer = NULL;
	inventory_pending(a);
}

/* Steps may be at their end again and again while callers go back up the stack: once counts. */
void steps_over(struct apply *a)
{
	if (a->phase == PHASE_SEND || a->phase == PHASE_PRUNE)
		phase_over(a);
}

/* ------------------------------------------------------------------ life */

static struct err *refusal(const struct plan_step *s)
{
	if (s->file.n)
		return err_at_named(s->code, s->file, s->line, s->col, STR_FMT,
				    STR_ARG(s->message));
	return err_new(s->code, STR_FMT, STR_ARG(s->message));
}

/* What the plan itself rules out, and what waits for a person. */
static void sort_out(struct apply *a, struct run *r)
{
	const struct plan *p = a->o.plan;
	const struct plan_step *s = r->step;

	if (r->state != RUN_IDLE)
		return; /* waits for one that was refused before it in the plan */
	if (s->action == PLAN_REFUSED) {
		run_fails(r, APPLY_FAILED, refusal(s));
	} else if (!r->writes && !r->deletes) {
		return;
	} else if (s->blocked_by < p->n) {
		r->state = RUN_DEAD;
		r->pub->result = APPLY_BLOCKED;
		r->pub->blocked_by = obj_id_label(a->arena, p->steps[s->blocked_by].id);
		a->count.blocked++;
	} else if (!step_is_meant(a, s) || (r->deletes && !a->o.prune)) {
		r->state = RUN_DEAD;
	}
}

/* Those that were written down to come after a step that waits for a person wait with it; so do
 * those that need an object which is not there yet. Others go. */
static void wait_along(struct apply *a, struct run *r)
{
	bool all = !r->step || r->deletes || r->step->action == PLAN_CREATE ||
		   r->step->action == PLAN_RECREATE;

	for (uint32_t i = r->first; i < r->first + r->count; i++) {
		struct run *d = &a->runs[a->edges[i].who];

		if (a->edges[i].need == NEED_OVER)
			continue;
		if (!all && !graph_reason_explicit(a->edges[i].why)) {
			d->left--;
			continue;
		}
		if (d->state != RUN_IDLE)
			continue;
		d->state = RUN_DEAD;
		if (d->pub)
			d->pub->blocked_by = run_label(r);
		wait_along(a, d);
	}
}

static void make_pubs(struct apply *a)
{
	a->pubs = ARENA_ARRAY(a->arena, struct apply_step, a->n);
	for (size_t i = 0; i < a->n; i++) {
		struct run *r = &a->runs[i];

		if (r->step->action == PLAN_NONE)
			continue;
		r->pub = &a->pubs[a->pubs_n++];
		r->pub->step = r->step;
		r->pub->result = APPLY_SKIPPED;
		r->pub->health.state = HEALTH_UNKNOWN;
	}
}

struct err *apply_start(const struct apply_opts *o, const struct apply_calls *calls,
			struct apply **ret)
{
	struct apply *a = xcalloc(1, sizeof(*a));
	struct apply_calls none = {0};
	size_t waves = 0;

	a->o = *o;
	a->arena = arena_new();
	a->o.revision = arena_str(a->arena, o->revision);
	a->target = live_target(live_app_live(o->app));
	a->app = arena_str(a->arena, live_app_name(o->app));
	for (size_t i = 0; i < o->plan->n; i++)
		waves = o->plan->steps[i].wave >= waves ? o->plan->steps[i].wave + 1 : waves;
	a->journalled = ARENA_ARRAY(a->arena, bool, waves + 1);
	order_build(a);
	make_pubs(a);
	a->calls = none; /* nobody is told out of this call */
	for (size_t i = 0; i < a->n; i++)
		sort_out(a, &a->runs[i]);
	for (size_t i = 0; i < a->n; i++) {
		struct run *r = &a->runs[i];

		if ((r->writes || r->deletes) && r->state == RUN_DEAD &&
		    r->pub->result == APPLY_SKIPPED && !r->pub->blocked_by.n && !a->stopping)
			wait_along(a, r);
	}
	a->calls = *calls;
	a->timer = timer_start(o->loop, 0, begin, a);
	*ret = a;
	return NULL;
}

void apply_stop(struct apply *a)
{
	if (!a || a->told)
		return;
	a->told = true;
	cancel(a);
}

void apply_free(struct apply *a)
{
	if (!a)
		return;
	apply_stop(a);
	cancel(a);
	for (size_t i = 0; i < a->pubs_n; i++)
		err_free((struct err *)(uintptr_t)a->pubs[i].err);
	err_free(a->own);
	arena_free(a->arena);
	free(a);
}

struct apply_count apply_count(const struct apply *a)
{
	return a->count;
}

const struct apply_step *apply_steps(const struct apply *a, size_t *n)
{
	*n = a->pubs_n;
	return a->pubs;
}
