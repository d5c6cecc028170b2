/* The inventory at the target, and what leaves it. */
#include "apply_priv.h"

/* ------------------------------------------------------------------ the inventory */

static struct inv_entry entry_of(const struct inventory *inv, const struct plan_step *s)
{
	const struct inv_entry *old = inventory_get(inv, s->id);

	return (struct inv_entry){
		.id = s->id,
		.version = s->version,
		.uid = old && old->uid.n ? old->uid : s->uid,
		.origin = s->origin ? s->origin
			  : old     ? old->origin
				    : INV_CREATED,
		.state = INV_PENDING,
	};
}

static bool same_entry(const struct inv_entry *x, const struct inv_entry *y)
{
	return x && y && str_eq(x->version, y->version) && str_eq(x->uid, y->uid) &&
	       x->origin == y->origin && x->state == y->state;
}

static bool same_inventory(const struct inventory *x, const struct inventory *y)
{
	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (!obj_id_eq(x->p[i].id, y->p[i].id) || !same_entry(&x->p[i], &y->p[i]))
			return false;
	return true;
}

/* The caller's, in its own arena: only what differs is touched. */
static void take_over(struct apply *a)
{
	struct inventory *mine = a->o.inventory;
	const struct inventory *next = a->next;

	for (size_t i = mine->n; i-- > 0;)
		if (!inventory_get(next, mine->p[i].id))
			inventory_del(mine, mine->p[i].id);
	for (size_t i = 0; i < next->n; i++)
		if (!same_entry(inventory_get(mine, next->p[i].id), &next->p[i]))
			inventory_set(a->o.inventory_arena, mine, next->p[i]);
}

static void on_put(void *arg, struct err *e)
{
	struct apply *a = arg;

	a->call = NULL;
	if (e) {
		apply_fails(a,
			    err_wrap(e, "write the inventory of '" STR_FMT "'", STR_ARG(a->app)));
		return;
	}
	take_over(a);
	phase_over(a);
}

/* Puts a->next when it differs from what is at the target; else the phase is over. */
static void put(struct apply *a)
{
	if (same_inventory(a->next, a->o.inventory)) {
		phase_over(a);
		return;
	}
	a->count.requests++;
	target_inventory_put(a->target, a->app, a->next, on_put, a, &a->call);
}

void inventory_pending(struct apply *a)
{
	a->next = inventory_dup(a->arena, a->o.inventory);
	for (size_t i = 0; i < a->n; i++) {
		const struct run *r = &a->runs[i];
		const struct inv_entry *old;

		if (!r->writes || r->state == RUN_DEAD)
			continue;
		old = inventory_get(a->next, r->step->id);
		if (old && old->state == INV_LIVE)
			continue; /* named already; a recreation's new uid comes with its answer */
		inventory_set(a->arena, a->next, entry_of(a->next, r->step));
	}
	put(a);
}

static bool leaves(enum plan_action x)
{
	return x == PLAN_RELEASE || x == PLAN_HAND_OVER || x == PLAN_GONE;
}

static void let_go(struct run *r)
{
	struct apply *a = r->a;
	struct err *e = live_forget(a->o.app, r->step->id);

	if (r->pub) {
		r->pub->result = r->step->action == PLAN_GONE ? APPLY_UNCHANGED : APPLY_KEPT;
		tell_step(r);
	}
	err_free(e); /* a baseline too many says nothing about what is not ours any more */
}

static void record_one(struct apply *a, struct run *r, bool prune)
{
	const struct plan_step *s = r->step;
	struct inv_entry e;
	struct live_state st;

	if (r->writes && r->applied) {
		e = entry_of(a->next, s);
		e.state = INV_LIVE;
		if (live_state(a->o.app, s->id, &st) && st.uid.n)
			e.uid = st.uid;
		inventory_set(a->arena, a->next, e);
	} else if (r->deletes && r->state == RUN_IDLE && prune && inventory_get(a->next, s->id)) {
		e = *inventory_get(a->next, s->id);
		e.state = INV_DELETING;
		inventory_set(a->arena, a->next, e);
	} else if (s->action == PLAN_KEEP && inventory_get(a->next, s->id)) {
		e = *inventory_get(a->next, s->id);
		e.state = INV_KEPT;
		inventory_set(a->arena, a->next, e);
		let_go(r);
	} else if (leaves(s->action)) {
		inventory_del(a->next, s->id);
		let_go(r);
	}
}

void inventory_record(struct apply *a)
{
	bool prune = !a->first && !a->own;

	a->next = inventory_dup(a->arena, a->o.inventory);
	for (size_t i = 0; i < a->n; i++)
		record_one(a, &a->runs[i], prune);
	put(a);
}

void inventory_forget(struct apply *a)
{
	a->next = inventory_dup(a->arena, a->o.inventory);
	for (size_t i = 0; i < a->n; i++)
		if (a->runs[i].deletes && a->runs[i].applied)
			inventory_del(a->next, a->runs[i].step->id);
	put(a);
}

/* ------------------------------------------------------------------ deletions */

static void on_deleted(void *arg, struct err *e)
{
	struct run *r = arg;
	struct apply *a = r->a;

	r->call = NULL;
	if (!e) {
		r->pub->result = APPLY_DELETED;
		a->count.deleted++;
		a->count.writes++;
		order_applied(r);
		e = live_forget(a->o.app, r->step->id);
	}
	if (e) {
		run_fails(r, APPLY_FAILED, e);
	} else {
		tell_step(r);
		run_over(r, RUN_DONE);
	}
	send_ready(a);
}

void prune_send(struct run *r)
{
	struct apply *a = r->a;
	const struct inv_entry *mine = inventory_get(a->o.inventory, r->step->id);
	struct target_delete what = {
		.id = r->step->id,
		.version = r->step->version,
		.uid = r->step->uid.n ? r->step->uid
		       : mine         ? mine->uid
				      : STR(""),
		.app = a->app,
		.propagation = r->step->propagation,
	};

	r->state = RUN_SENDING;
	a->count.requests++;
	target_delete(a->target, &what, on_deleted, r, &r->call);
}
