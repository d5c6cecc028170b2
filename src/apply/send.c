/* Writes: each as soon as nothing holds it back, all that may go in one turn. */
#include "apply_priv.h"

static void write_now(struct run *r);

/* ------------------------------------------------------------------ journal */

struct err *send_journal(struct apply *a, size_t wave)
{
	const struct plan *p = a->o.plan;
	const struct plan_step **steps = ARENA_ARRAY(a->arena, const struct plan_step *, p->n);
	size_t n = 0, waves = p->waves + p->delete_waves;
	struct err *e = NULL;

	if (a->journalled[wave])
		return NULL;
	a->journalled[wave] = true;
	for (size_t i = 0; i < p->n; i++)
		if (p->steps[i].wave == wave && a->runs[i].state != RUN_DEAD &&
		    (a->runs[i].writes || a->runs[i].deletes))
			steps[n++] = &p->steps[i];
	if (a->calls.journal)
		e = a->calls.journal(a->calls.arg, wave, waves, steps, n);
	if (!e && a->calls.wave)
		a->calls.wave(a->calls.arg, wave, waves);
	return e;
}

/* ------------------------------------------------------------------ an answer */

static bool consents(const struct plan_step *s)
{
	static const struct {
		str key, value;
	} rows[] = {
		{STR("leeboard.dev/recreate"), STR("if-immutable")},
		{STR("leeboard.dev/recreate"), STR("always")},
		{STR("kustomize.toolkit.fluxcd.io/force"), STR("enabled")},
		{STR("kustomize.toolkit.fluxcd.io/force"), STR("Enabled")},
	};
	CLEANUP(arena) struct arena *a = arena_new();
	struct object o;
	struct err *e = want_tree(a, s->want, &o);

	if (e) {
		err_free(e); /* it was sent just now */
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(obj_annotation(&o, rows[i].key), rows[i].value))
			return true;
	return false;
}

static void written(struct run *r, enum target_outcome o, const struct target_live *live)
{
	struct apply *a = r->a;
	struct err *e = live_sent(a->o.app, r->step->want, live, a->o.revision);

	switch (o) {
	case TARGET_CREATED:
		r->pub->result = r->step->action == PLAN_RECREATE || r->recreating ? APPLY_CHANGED
										   : APPLY_CREATED;
		break;
	case TARGET_CHANGED:
		r->pub->result = APPLY_CHANGED;
		break;
	case TARGET_UNCHANGED:
		r->pub->result = APPLY_UNCHANGED;
		break;
	}
	a->count.created += r->pub->result == APPLY_CREATED;
	a->count.changed += r->pub->result == APPLY_CHANGED;
	a->count.unchanged += r->pub->result == APPLY_UNCHANGED;
	a->count.writes += r->pub->result != APPLY_UNCHANGED;
	order_applied(r);
	if (e) { /* written, but not remembered: without a baseline it would be sent again for ever
		  */
		run_fails(r, APPLY_FAILED, e);
		return;
	}
	tell_step(r);
	if (a->o.wait_health || r->need_well)
		settle(r);
	else
		run_over(r, RUN_DONE);
}

static void on_gone(void *arg, struct err *e)
{
	struct run *r = arg;
	struct apply *a = r->a;

	r->call = NULL;
	if (e) {
		live_not_sent(a->o.app, r->step->id);
		run_fails(r, APPLY_FAILED, e);
		send_ready(a);
		return;
	}
	a->count.writes++;
	write_now(r);
}

static void recreate(struct run *r)
{
	struct apply *a = r->a;
	struct live_state s;
	struct target_delete what = {.id = r->step->id,
				     .version = r->step->version,
				     .uid = r->step->uid,
				     .app = a->app,
				     .propagation = r->step->propagation};

	if (!what.uid.n && live_state(a->o.app, r->step->id, &s))
		what.uid = s.uid;
	r->recreating = true;
	a->count.requests++;
	target_delete(a->target, &what, on_gone, r, &r->call);
}

static void on_written(void *arg, enum target_outcome o, const struct target_live *live,
		       struct err *e)
{
	struct run *r = arg;
	struct apply *a = r->a;

	r->call = NULL;
	if (!e) {
		written(r, o, live);
	} else if (err_code(e) == ERR_IMMUTABLE && !r->recreating && consents(r->step)) {
		err_free(e);
		recreate(r);
	} else {
		live_not_sent(a->o.app, r->step->id);
		run_fails(r, APPLY_FAILED, e);
	}
	send_ready(a);
}

/* ------------------------------------------------------------------ a write */

static void write_now(struct run *r)
{
	struct apply *a = r->a;
	const struct plan_step *s = r->step;
	bool anew = r->recreating || s->action == PLAN_CREATE;
	struct target_apply what = {
		.id = s->id,
		.version = s->version,
		.app = a->app,
		.json = r->body.p ? r->body : s->want->json,
		.force = s->force || r->recreating,
		.create = anew,
		.adopt = s->action == PLAN_ADOPT ? s->live : NULL,
		.uid = anew ? STR("") : s->uid,
	};

	a->count.requests++;
	target_apply(a->target, &what, on_written, r, &r->call);
}

static void on_read(void *arg, const struct target_live *p, size_t n, struct err *e)
{
	struct run *r = arg;
	struct apply *a = r->a;

	r->call = NULL;
	if (!e && n && p[0].failed)
		e = err_new(ERR_TARGET_UNREACHABLE, STR_FMT " could not be read",
			    STR_ARG(run_label(r)));
	if (!e && n)
		e = live_body(a->arena, a->o.app, r->step->want, &p[0], &r->body);
	if (e) {
		live_not_sent(a->o.app, r->step->id);
		run_fails(r, APPLY_FAILED, e);
		send_ready(a);
		return;
	}
	write_now(r);
}

static void send(struct run *r)
{
	struct apply *a = r->a;
	const struct plan_step *s = r->step;
	struct target_want_live id = {s->id, s->version, a->app};
	struct err *e = live_sending(a->o.app, s->want);

	r->state = RUN_SENDING;
	if (e) {
		run_fails(r, APPLY_FAILED, e);
	} else if (s->action == PLAN_RECREATE) {
		recreate(r);
	} else if (s->action != PLAN_CREATE && live_yields(a->o.app, s->want)) {
		a->count.requests++;
		target_get(a->target, &id, 1, false, on_read, r, &r->call);
	} else {
		write_now(r);
	}
}

void send_ready(struct apply *a)
{
	size_t done = 0;

	/* A failure within may call again: the outer one goes on with what it adds. */
	if (a->dispatching || a->stopped)
		return;
	a->dispatching++;
	a->open++;
	for (; done < a->ready.n && !a->stopped; done++) {
		struct run *r = &a->runs[a->ready.p[done]];
		struct err *e;

		if (r->state != RUN_IDLE)
			continue;
		e = send_journal(a, r->step->wave);
		if (e) {
			apply_fails(a, e);
			break;
		}
		if (r->deletes)
			prune_send(r);
		else
			send(r);
	}
	a->ready.n = 0;
	a->dispatching--;
	if (!--a->open)
		steps_over(a);
}
