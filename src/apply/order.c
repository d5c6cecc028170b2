/* What waits for what. */
#include <assert.h>
#include <stdlib.h>

#include "apply_priv.h"

/* ------------------------------------------------------------------ what an edge waits for */

bool step_is_custom(const struct plan_step *s)
{
	str api = s->id.group;
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (api.n)
		buf_printf(&b, STR_FMT "/", STR_ARG(api));
	buf_str(&b, s->version);
	return !obj_schema_of(buf_view(&b), s->id.kind);
}

static bool serves_requests(obj_id id)
{
	return str_eq(id.kind, STR("ValidatingWebhookConfiguration")) ||
	       str_eq(id.kind, STR("MutatingWebhookConfiguration")) ||
	       str_eq(id.kind, STR("APIService"));
}

static enum need need_of(const struct plan_step *from, const struct plan_step *to,
			 enum graph_reason why)
{
	switch (why) {
	case GRAPH_NAMESPACE: /* Active */
	case GRAPH_CRD:       /* Established, and served */
	case GRAPH_WAVE:
	case GRAPH_DEPENDS_ON:
		return NEED_WELL;
	case GRAPH_SELECTOR:
	case GRAPH_BACKEND: /* a webhook whose workload is not ready refuses what comes after it */
		return serves_requests(from->id) ? NEED_WELL : NEED_APPLIED;
	case GRAPH_REFERENCE: /* what makes a Secret (a Certificate) has made it when it is well */
		return step_is_custom(to) && !step_is_custom(from) ? NEED_WELL : NEED_APPLIED;
	case GRAPH_OWNER:
	case GRAPH_ROLE:
		break;
	}
	return NEED_APPLIED;
}

/* ------------------------------------------------------------------ waves that somebody wrote down
 */

static bool read_wave(const struct plan_step *s, int64_t *ret)
{
	static const str keys[] = {STR("leeboard.dev/wave"), STR("argocd.argoproj.io/sync-wave")};
	CLEANUP(arena) struct arena *a = NULL;
	bool some = false;
	struct object o;
	struct err *e;

	*ret = 0;
	for (size_t i = 0; s->want && i < ARRAY_LEN(keys); i++)
		some |= str_contains(s->want->json, keys[i]);
	if (!some)
		return false;
	a = arena_new();
	e = want_tree(a, s->want, &o);
	if (e) {
		err_free(e); /* said where it is sent */
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (obj_annotation(&o, keys[i]).n)
			return str_to_i64(obj_annotation(&o, keys[i]), ret);
	return false;
}

static int by_value(const void *x, const void *y)
{
	const int64_t *l = x, *r = y;

	return *l < *r ? -1 : *l > *r;
}

/* wave[i]: the number of its group, from 0. The answer: how many groups; 1: nobody wrote any. */
static size_t wave_groups(struct apply *a, int64_t *wave)
{
	const struct plan *p = a->o.plan;
	int64_t *sorted = ARENA_ARRAY(a->arena, int64_t, p->n + 1);
	size_t n = 0, distinct = 0;
	bool any = false;

	for (size_t i = 0; i < p->n; i++)
		any |= read_wave(&p->steps[i], &wave[i]);
	if (!any)
		return 1;
	/* As the graph does: a namespace or CRD goes with its first user. */
	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; k < p->steps[i].edges_n; k++) {
			const struct plan_edge *e = &p->steps[i].edges[k];

			if ((e->why == GRAPH_NAMESPACE || e->why == GRAPH_CRD) &&
			    wave[i] < wave[e->step])
				wave[e->step] = wave[i];
		}
	for (size_t i = 0; i < p->n; i++)
		if (p->steps[i].want)
			sorted[n++] = wave[i];
	qsort(sorted, n, sizeof(*sorted), by_value);
	for (size_t i = 0; i < n; i++)
		if (!i || sorted[i] != sorted[i - 1])
			sorted[distinct++] = sorted[i];
	for (size_t i = 0; i < p->n; i++) {
		const int64_t *at = bsearch(&wave[i], sorted, distinct, sizeof(*sorted), by_value);

		wave[i] = at ? at - sorted : 0;
	}
	return distinct ? distinct : 1;
}

/* ------------------------------------------------------------------ the graph */

struct link {
	uint32_t from, to; /* from waits for to */
	struct dependant d;
};
struct links {
	struct link *p;
	size_t n, cap;
};

static void link_add(struct apply *a, struct links *v, size_t from, size_t to, enum need need,
		     enum graph_reason why)
{
	*ARENA_PUSH(a->arena, v) =
		(struct link){(uint32_t)from, (uint32_t)to, {(uint32_t)from, need, why}};
}

static bool in_order(const struct run *r)
{
	return r->writes || (r->step && r->step->action == PLAN_NONE && r->step->want);
}

static void link_steps(struct apply *a, struct links *v)
{
	const struct plan *p = a->o.plan;

	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; k < p->steps[i].edges_n; k++) {
			const struct plan_edge *e = &p->steps[i].edges[k];
			const struct run *from = &a->runs[i], *to = &a->runs[e->step];

			if (from->deletes && to->deletes)
				link_add(a, v, i, e->step, NEED_APPLIED, e->why);
			else if (from->writes && !to->deletes && p->steps[e->step].want)
				link_add(a, v, i, e->step,
					 need_of(&p->steps[i], &p->steps[e->step], e->why), e->why);
		}
}

/* Barrier k stands before group k and waits for the group below it and the barrier below that. */
static void link_waves(struct apply *a, struct links *v, const int64_t *wave, size_t groups)
{
	for (size_t i = 0; i < a->n && groups > 1; i++) {
		size_t k = (size_t)wave[i];

		if (!a->o.plan->steps[i].want)
			continue;
		if (k && a->runs[i].writes)
			link_add(a, v, i, a->n + k, NEED_WELL, GRAPH_WAVE);
		if (k + 1 < groups)
			link_add(a, v, a->n + k + 1, i, NEED_WELL, GRAPH_WAVE);
	}
	for (size_t k = 1; k < groups; k++)
		link_add(a, v, a->n + k, a->n + k - 1, NEED_WELL, GRAPH_WAVE);
}

/* Webhook configurations that nobody waits for speak to what comes after them: nothing does, any
 * more. */
static void link_last(struct apply *a, struct links *v)
{
	size_t bar = a->nodes - 1;
	bool *used = ARENA_ARRAY(a->arena, bool, a->n + 1), any = false;

	for (size_t i = 0; i < v->n; i++)
		if (v->p[i].to < a->n)
			used[v->p[i].to] = true;
	for (size_t i = 0; i < a->n; i++)
		if (a->runs[i].writes && !used[i] && graph_kind_last(a->runs[i].step->id.kind)) {
			link_add(a, v, i, bar, NEED_OVER, GRAPH_BACKEND);
			any = true;
		}
	for (size_t i = 0; i < a->n && any; i++)
		if (a->runs[i].writes && (used[i] || !graph_kind_last(a->runs[i].step->id.kind)))
			link_add(a, v, bar, i, NEED_OVER, GRAPH_BACKEND);
}

static void sort_links(struct apply *a, const struct links *v)
{
	uint32_t *at = ARENA_ARRAY(a->arena, uint32_t, a->nodes + 1), sum = 0;

	a->edges = ARENA_ARRAY(a->arena, struct dependant, v->n);
	for (size_t i = 0; i < v->n; i++) {
		a->runs[v->p[i].to].count++;
		a->runs[v->p[i].to].need_well |= v->p[i].d.need == NEED_WELL;
		a->runs[v->p[i].from].left++;
	}
	for (size_t i = 0; i < a->nodes; i++) {
		a->runs[i].first = at[i] = sum;
		sum += a->runs[i].count;
	}
	for (size_t i = 0; i < v->n; i++)
		a->edges[at[v->p[i].to]++] = v->p[i].d;
}

static bool holds_others(obj_id id)
{
	return (!id.group.n && str_eq(id.kind, STR("Namespace"))) ||
	       str_eq(id.kind, STR("CustomResourceDefinition"));
}

static bool holds(obj_id holder, obj_id id)
{
	if (str_eq(holder.kind, STR("Namespace")))
		return str_eq(holder.name, id.ns);
	return id.group.n && str_ends(holder.name, id.group) &&
	       holder.name.p[holder.name.n - id.group.n - 1] == '.';
}

static void take_turns(struct apply *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->runs[i].deletes && a->runs[i].step->wave >= a->turns)
			a->turns = a->runs[i].step->wave + 1;
	for (size_t i = 0; i < a->n; i++)
		a->runs[i].turn =
			holds_others(a->runs[i].step->id) ? a->turns : a->runs[i].step->wave;
}

static bool writes(enum plan_action x)
{
	static const bool rows[] = {
#define X(name, word, does) [name] = does,
		PLAN_ACTIONS(X)
#undef X
	};

	return rows[x];
}

void order_build(struct apply *a)
{
	const struct plan *p = a->o.plan;
	int64_t *wave = ARENA_ARRAY(a->arena, int64_t, p->n + 1);
	size_t groups = wave_groups(a, wave);
	struct links links = {0};

	a->n = p->n;
	a->nodes = p->n + groups + 1;
	a->runs = ARENA_ARRAY(a->arena, struct run, a->nodes);
	for (size_t i = 0; i < a->nodes; i++) {
		struct run *r = &a->runs[i];

		r->a = a;
		r->step = i < p->n ? &p->steps[i] : NULL;
		r->deletes = r->step && r->step->action == PLAN_DELETE;
		r->writes = r->step && writes(r->step->action) && !r->deletes;
	}
	take_turns(a);
	link_steps(a, &links);
	link_waves(a, &links, wave, groups);
	link_last(a, &links);
	sort_links(a, &links);
}

/* ------------------------------------------------------------------ release */

static void release(struct run *r)
{
	struct apply *a = r->a;

	if (r->left || r->state != RUN_IDLE || (r->deletes && r->turn != a->turn))
		return;
	if (r->step) {
		*ARENA_PUSH(a->arena, &a->ready) = (uint32_t)(r - a->runs);
		return;
	}
	order_applied(r);
	order_well(r);
	run_over(r, RUN_DONE);
}

static void release_all(struct run *r, enum need need)
{
	struct apply *a = r->a;

	for (uint32_t i = r->first; i < r->first + r->count; i++)
		if (a->edges[i].need == need) {
			struct run *d = &a->runs[a->edges[i].who];

			assert(d->left);
			d->left--;
			release(d);
		}
}

static void give_up(struct run *r)
{
	if (r->given_up)
		return;
	r->given_up = true;
	release_all(r, NEED_OVER);
}

void order_applied(struct run *r)
{
	if (r->applied)
		return;
	r->applied = true;
	release_all(r, NEED_APPLIED);
	give_up(r);
}

void order_well(struct run *r)
{
	if (r->well)
		return;
	r->well = true;
	release_all(r, NEED_WELL);
}

void order_begin(struct apply *a, bool deletions)
{
	/* First count, then begin: what begins may end at once. */
	for (size_t i = 0; i < a->nodes; i++) {
		struct run *r = &a->runs[i];

		if (r->state == RUN_IDLE &&
		    (deletions ? r->deletes && r->turn == a->turn
			       : !r->step || (in_order(r) && (r->writes || r->count))))
			a->open++;
	}
	a->open++; /* this function itself */
	for (size_t i = 0; i < a->nodes && !deletions; i++)
		if (a->runs[i].state == RUN_DEAD)
			give_up(&a->runs[i]);
	for (size_t i = 0; i < a->nodes; i++) {
		struct run *r = &a->runs[i];

		if (r->state != RUN_IDLE ||
		    (deletions ? !r->deletes || r->turn != a->turn : r->step && !in_order(r)))
			continue;
		if (r->writes || r->deletes || !r->step) {
			if (!r->left)
				release(r);
		} else if (r->count) { /* nothing to write, but others wait for it */
			order_applied(r);
			if (r->need_well) {
				settle(r);
			} else {
				run_over(r, RUN_DONE);
			}
		}
	}
	send_ready(a);
	if (!--a->open)
		steps_over(a);
}

/* What a namespace or a kind holds has to be gone before it: else it would be deleted by the back
 * door, or hang there. */
static void keep_holders(struct apply *a)
{
	for (size_t i = 0; i < a->n; i++) {
		struct run *r = &a->runs[i];

		if (!r->deletes || r->state != RUN_IDLE || r->turn != a->turns)
			continue;
		for (size_t k = 0; k < a->n && r->state == RUN_IDLE; k++)
			if (a->runs[k].deletes && a->runs[k].pub->result != APPLY_DELETED &&
			    k != i && a->runs[k].state == RUN_DEAD &&
			    holds(r->step->id, a->runs[k].step->id)) {
				r->state = RUN_DEAD;
				r->pub->result = APPLY_BLOCKED;
				r->pub->blocked_by = run_label(&a->runs[k]);
				a->count.blocked++;
				tell_step(r);
			}
	}
}

bool order_next_turn(struct apply *a)
{
	while (a->turn + 1 <= a->turns) {
		if (++a->turn == a->turns)
			keep_holders(a);
		for (size_t i = 0; i < a->n; i++)
			if (a->runs[i].deletes && a->runs[i].state == RUN_IDLE &&
			    a->runs[i].turn == a->turn)
				return true;
	}
	return false;
}

/* ------------------------------------------------------------------ ends */

str run_label(const struct run *r)
{
	return r->step ? obj_id_label(r->a->arena, r->step->id) : STR("an earlier wave");
}

void tell_step(struct run *r)
{
	struct apply *a = r->a;

	if (r->pub && a->calls.step)
		a->calls.step(a->calls.arg, r->pub);
}

void run_over(struct run *r, enum run_state s)
{
	struct apply *a = r->a;

	assert(r->state != RUN_DONE && r->state != RUN_DEAD);
	r->state = s;
	settle_stop(r);
	if (s == RUN_DEAD)
		give_up(r);
	if (!--a->open)
		steps_over(a);
}

/* Those that wait for it, and for them. They are counted in this phase, or in none yet. */
static void block(struct run *r, enum apply_result result, str label)
{
	struct apply *a = r->a;
	struct {
		uint32_t *p;
		size_t n, cap;
	} v = {0};

	*ARENA_PUSH(a->arena, &v) = (uint32_t)(r - a->runs);
	while (v.n) {
		const struct run *x = &a->runs[v.p[--v.n]];

		for (uint32_t i = x->first; i < x->first + x->count; i++) {
			struct run *d = &a->runs[a->edges[i].who];

			/* What went before it failed has waited only for its being applied. */
			if (d->state != RUN_IDLE || a->edges[i].need == NEED_OVER ||
			    (a->edges[i].need == NEED_APPLIED && x->applied) || !d->left)
				continue;
			if (d->pub) {
				d->pub->result = result;
				d->pub->blocked_by = label;
				a->count.blocked += result == APPLY_BLOCKED;
				tell_step(d);
			}
			*ARENA_PUSH(a->arena, &v) = a->edges[i].who;
			if (a->phase == PHASE_PENDING || (d->deletes && d->turn != a->turn))
				d->state = RUN_DEAD; /* not counted yet */
			else
				run_over(d, RUN_DEAD);
		}
	}
}

/* Those that have nothing to write are waited for only as long as somebody waits for them. */
static void end_useless(struct apply *a)
{
	for (size_t i = 0; i < a->n; i++) {
		struct run *r = &a->runs[i];
		bool used = false;

		if (r->writes || r->deletes || r->state != RUN_WAITING)
			continue;
		for (uint32_t k = r->first; k < r->first + r->count; k++)
			used |= a->runs[a->edges[k].who].state == RUN_IDLE;
		if (!used)
			run_over(r, RUN_DONE);
	}
}

static void skip_rest(struct apply *a)
{
	if (a->stopping)
		return;
	a->stopping = true;
	for (size_t i = 0; i < a->nodes; i++) {
		struct run *r = &a->runs[i];

		if (r->state != RUN_IDLE || r->deletes || (r->step && !r->writes))
			continue;
		if (r->pub) {
			r->pub->result = APPLY_SKIPPED;
			tell_step(r);
		}
		if (a->phase == PHASE_PENDING)
			r->state = RUN_DEAD;
		else
			run_over(r, RUN_DEAD);
	}
}

/* An object that Git did not change, and that others wait for, is no step: the first of those that
 * wait tells why. */
static void nothing_of_ours_fails(struct run *r)
{
	struct apply *a = r->a;
	struct live_state s;
	str how = STR("not healthy");

	if (live_state(a->o.app, r->step->id, &s) && s.health.message.n)
		how = s.health.message;
	for (uint32_t i = r->first; i < r->first + r->count; i++) {
		struct run *d = &a->runs[a->edges[i].who];

		if (d->pub && d->state == RUN_DEAD && d->pub->result == APPLY_BLOCKED &&
		    !d->pub->err) {
			d->pub->err = err_new(ERR_BLOCKED, "waits for " STR_FMT ": " STR_FMT,
					      STR_ARG(run_label(r)), STR_ARG(how));
			if (!a->first)
				a->first = d->pub;
		}
	}
}

void run_fails(struct run *r, enum apply_result result, struct err *e)
{
	struct apply *a = r->a;
	str label = run_label(r);

	if (r->pub) {
		r->pub->result = result;
		r->pub->err = e;
		a->count.failed++;
		if (!a->first)
			a->first = r->pub;
		tell_step(r);
	} else {
		err_free(e);
	}
	a->open++; /* the phase may not end below */
	if (a->phase == PHASE_PENDING)
		r->state = RUN_DEAD;
	else
		run_over(r, RUN_DEAD);
	block(r, APPLY_BLOCKED, label);
	if (!r->pub && r->step)
		nothing_of_ours_fails(r);
	if (live_app_doc(a->o.app)->on_error == ON_ERROR_STOP)
		skip_rest(a);
	end_useless(a);
	if (!--a->open)
		steps_over(a);
}
