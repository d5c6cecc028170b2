/* The plan of one sync: what to ask for, the steps in order, what blocks what, the id. */
#include "plan_priv.h"
#include <stdlib.h>

#define ID_LEAST 6         /* digits by which a person may name a plan */
#define LAST_EDGES 100000u /* more than these, and `delete: last` is a matter of waves alone */

str plan_action_name(enum plan_action a)
{
	static const str names[] = {
#define X(name, word, writes) STR(word),
		PLAN_ACTIONS(X)
#undef X
	};

	return names[a];
}

bool plan_action_writes(enum plan_action a)
{
	static const bool writes[] = {
#define X(name, word, w) w,
		PLAN_ACTIONS(X)
#undef X
	};

	return writes[a];
}

str plan_reason_name(enum plan_reason r)
{
	switch (r) {
#define X(name, bit, word)                                                                         \
	case name:                                                                                 \
		return STR(word);
		PLAN_REASONS(X)
#undef X
	}
	return STR_NONE;
}

void wait_for(struct building *b, enum plan_reason r, str message)
{
	*ARENA_PUSH(b->a, &b->waiting) = (struct plan_wait){r, message};
}

/* ------------------------------------------------------------------ asking */

void plan_asks(struct arena *a, const struct plan_in *in, struct plan_asks *ret)
{
	*ret = (struct plan_asks){NULL, 0, 0};
	for (size_t i = 0; i < in->wants->n; i++) {
		const struct want *w = &in->wants->p[i];
		const struct inv_entry *e = inventory_get(in->inventory, w->id);
		struct plan_object k = look(in, w->id);
		struct plan_step unused = {.action = PLAN_NONE};
		bool meta = false;

		if (is_settled(e, &k, w))
			continue;
		if (k.sight == PLAN_UNSEEN)
			meta = !e || e->state == INV_PENDING;
		else if (k.sight != PLAN_META ||
			 judge_claim(a, in, e, &k, w->id, &unused) == CLAIM_REFUSED)
			continue;
		*ARENA_PUSH(a, ret) = (struct plan_ask){w->id, w->version, meta};
	}
	for (size_t i = 0; in->app->prune && i < in->inventory->n; i++) {
		const struct inv_entry *e = &in->inventory->p[i];
		struct plan_object k;

		if (wants_get(in->wants, e->id))
			continue;
		k = look(in, e->id);
		if (k.sight == PLAN_UNSEEN && !k.wanted_by.n)
			*ARENA_PUSH(a, ret) = (struct plan_ask){e->id, e->version, true};
	}
}

/* ------------------------------------------------------------------ order */

static void edges_of(struct building *b, const struct graph *g, uint32_t i, const uint32_t *step_at,
		     struct plan_step *s)
{
	size_t n;
	const struct graph_edge *e = graph_edges(g, i, &n);
	struct plan_edge *p = ARENA_ARRAY(b->a, struct plan_edge, n);

	for (size_t j = 0; j < n; j++)
		p[j] = (struct plan_edge){step_at[e[j].to], e[j].why, arena_str(b->a, e[j].path)};
	s->edges = p;
	s->edges_n = n;
}

static void warn_dropped(struct building *b, const struct graph *g, const struct obj_set *set)
{
	size_t n;
	const struct graph_edge *e = graph_dropped(g, &n);

	for (size_t i = 0; i < n; i++)
		*ARENA_PUSH(b->a, &b->warnings) =
			arena_printf(b->a,
				     STR_FMT " does not wait for " STR_FMT " (" STR_FMT
					     "): they wait for each other",
				     STR_ARG(obj_id_label(b->a, set->p[e[i].from].id)),
				     STR_ARG(obj_id_label(b->a, set->p[e[i].to].id)),
				     STR_ARG(graph_reason_name(e[i].why)));
}

/* judged: by want. Into plan->steps, wave by wave. */
static struct err *order_wants(struct building *b, const struct plan_step *judged)
{
	const struct wants *w = b->in->wants;
	struct plan *p = b->plan;
	struct obj_set *set = obj_set_new(b->scratch);
	uint32_t *step_at = ARENA_ARRAY(b->scratch, uint32_t, w->n);
	const struct graph *g;
	size_t at = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct object o;

		TRY(want_tree(b->scratch, &w->p[i], &o));
		TRY(obj_set_add(b->scratch, set, o));
	}
	TRY(graph_build(b->scratch, set, &g));
	p->waves = graph_waves(g);
	for (size_t i = 0; i < p->waves; i++) {
		size_t n;
		const uint32_t *members = graph_wave(g, i, &n);

		for (size_t j = 0; j < n; j++) {
			step_at[members[j]] = (uint32_t)at;
			p->steps[at] = judged[members[j]];
			p->steps[at++].wave = i;
		}
	}
	for (uint32_t i = 0; i < w->n; i++)
		edges_of(b, g, i, step_at, &p->steps[step_at[i]]);
	warn_dropped(b, g, set);
	return NULL;
}

static bool is_last(const struct plan_step *s)
{
	struct words x;
	struct err *e;
	CLEANUP(arena) struct arena *a = arena_new();

	if (s->action != PLAN_DELETE || !s->live || !s->why.n)
		return false;
	e = words_read(a, NULL, s->live, &x);
	err_free(e);
	return !e && x.delete == DELETE_LAST;
}

/* The live objects as far as they are known, so that what depends goes first. Words that name what
 * is not deleted say nothing here. */
static struct err *graph_of_live(struct building *b, const struct plan_step *s, size_t n,
				 bool words, const struct graph **ret)
{
	struct obj_set *set = obj_set_new(b->scratch);

	for (size_t i = 0; i < n; i++) {
		static const str drop[] = {STR("config.kubernetes.io/depends-on"),
					   STR("leeboard.dev/depends-on"), STR("leeboard.dev/wave"),
					   STR("argocd.argoproj.io/sync-wave")};
		struct object o = {.id = s[i].id, .version = s[i].version, .root = s[i].live};
		const struct node *meta = node_get(o.root, STR("metadata"));
		const struct node *notes = node_get(meta, STR("annotations"));

		if (!o.root)
			o.root = node_new_map(b->scratch, NULL, 0);
		for (size_t k = 0; !words && notes && k < ARRAY_LEN(drop); k++)
			notes = node_get(notes, drop[k]) ? node_del(b->scratch, notes, drop[k])
							 : notes;
		if (!words && notes) {
			meta = node_set(b->scratch, meta, STR("annotations"), notes);
			o.root = node_set(b->scratch, o.root, STR("metadata"), meta);
		}
		TRY(obj_set_add(b->scratch, set, o));
	}
	return graph_build(b->scratch, set, ret);
}

static void order_deletions(struct building *b)
{
	struct plan *p = b->plan;
	const struct plan_step *s = b->deletions.p;
	size_t n = b->deletions.n, first = p->n, waves, last_wave, at = first;
	uint32_t *step_at = ARENA_ARRAY(b->scratch, uint32_t, n);
	bool *last = ARENA_ARRAY(b->scratch, bool, n);
	size_t lasts = 0;
	const struct graph *g = NULL;
	struct err *e;

	if (!n)
		return;
	e = graph_of_live(b, s, n, true, &g);
	if (e) {
		err_free(e);
		e = graph_of_live(b, s, n, false, &g);
		err_free(e); /* without words there is nothing to be wrong */
		if (e)
			return;
	}
	waves = graph_waves(g);
	for (size_t i = 0; i < n; i++)
		lasts += last[i] = is_last(&s[i]);
	last_wave = p->waves + waves;
	for (size_t i = waves; i-- > 0;) {
		size_t members;
		const uint32_t *m = graph_wave(g, i, &members);

		for (size_t j = members; j-- > 0;) {
			if (last[m[j]])
				continue;
			step_at[m[j]] = (uint32_t)at;
			p->steps[at] = s[m[j]];
			p->steps[at++].wave = p->waves + waves - 1 - i;
		}
	}
	for (uint32_t i = 0; i < n; i++)
		if (last[i]) {
			step_at[i] = (uint32_t)at;
			p->steps[at] = s[i];
			p->steps[at++].wave = last_wave;
		}
	p->n = at;
	p->delete_waves = waves + (lasts != 0);

	/* Turned round: what is waited for goes after what waits. */
	size_t *count = ARENA_ARRAY(b->scratch, size_t, n), total;
	struct plan_edge **list = ARENA_ARRAY(b->scratch, struct plan_edge *, n);

	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < n; i++) {
			const struct graph_edge *x = graph_edges(g, i, &total);

			for (size_t j = 0; j < total; j++) {
				uint32_t to = x[j].to;

				if (last[i] && !last[to])
					continue; /* its word turns the order round */
				if (pass)
					list[to][count[to]] = (struct plan_edge){
						step_at[i], x[j].why, arena_str(b->a, x[j].path)};
				count[to]++;
			}
		}
		for (uint32_t i = 0; i < n && lasts && lasts * n < LAST_EDGES; i++) {
			for (uint32_t j = 0; last[i] && j < n; j++) {
				if (last[j])
					continue;
				if (pass)
					list[i][count[i]] = (struct plan_edge){
						step_at[j], GRAPH_WAVE, STR("leeboard.dev/delete")};
				count[i]++;
			}
		}
		for (uint32_t i = 0; i < n; i++) {
			struct plan_step *d = &p->steps[step_at[i]];

			if (!pass) {
				list[i] = ARENA_ARRAY(b->a, struct plan_edge, count[i]);
			} else {
				d->edges = list[i];
				d->edges_n = count[i];
				continue;
			}
			count[i] = 0;
		}
	}
}

/* ------------------------------------------------------------------ what blocks what */

static void block(struct building *b)
{
	struct plan *p = b->plan;
	bool stop = b->in->app->on_error == ON_ERROR_STOP;
	size_t refused = SIZE_MAX;

	for (size_t i = p->n; i-- > 0;)
		if (p->steps[i].action == PLAN_REFUSED)
			refused = i;
	if (refused == SIZE_MAX)
		return;
	for (size_t i = 0; i < p->n; i++) {
		struct plan_step *s = &p->steps[i];

		if (s->action == PLAN_REFUSED)
			continue;
		/* What left Git may be the old name of what is refused. */
		if (stop || s->action == PLAN_DELETE) {
			s->blocked_by = refused;
			continue;
		}
		for (size_t j = 0; j < s->edges_n && s->blocked_by == SIZE_MAX; j++) {
			const struct plan_step *on = &p->steps[s->edges[j].step];

			s->blocked_by =
				on->action == PLAN_REFUSED ? s->edges[j].step : on->blocked_by;
		}
	}
}

static void count(struct building *b)
{
	struct plan *p = b->plan;
	struct plan_count *c = &p->counts;

	p->empty = true;
	for (size_t i = 0; i < p->n; i++) {
		const struct plan_step *s = &p->steps[i];
		const struct inv_entry *e = inventory_get(b->in->inventory, s->id);
		bool writes = plan_action_writes(s->action);

		switch (s->action) {
		case PLAN_NONE:
			c->none++;
			break;
		case PLAN_CREATE:
			c->create++;
			break;
		case PLAN_CHANGE:
			c->change++;
			break;
		case PLAN_ADOPT:
			c->adopt++;
			break;
		case PLAN_RECREATE:
			c->recreate++;
			break;
		case PLAN_TRANSFER:
			c->transfer++;
			break;
		case PLAN_DELETE:
			c->delete ++;
			break;
		case PLAN_RELEASE:
		case PLAN_KEEP:
		case PLAN_HAND_OVER:
		case PLAN_GONE:
			c->release++;
			break;
		case PLAN_REFUSED:
			c->refused++;
			break;
		}
		p->empty &= s->action == PLAN_NONE ||
			    (s->action == PLAN_KEEP && e && e->state == INV_KEPT);
		c->waits += s->waits != 0;
		c->writes += writes && !s->waits && s->blocked_by == SIZE_MAX;
	}
}

/* ------------------------------------------------------------------ the id */

static int by_id(const void *x, const void *y)
{
	const struct plan_step *const *l = x, *const *r = y;

	return obj_id_cmp((*l)->id, (*r)->id);
}

/* What would be done, in an order that nothing but the identities gives. */
static str make_id(struct building *b)
{
	struct plan *p = b->plan;
	const struct plan_step **s = ARENA_ARRAY(b->scratch, const struct plan_step *, p->n);
	CLEANUP(buf) struct buf t = BUF_INIT;
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->steps[i].action != PLAN_NONE)
			s[n++] = &p->steps[i];
	qsort(s, n, sizeof(*s), by_id);
	buf_str(&t, STR("["));
	buf_json(&t, p->app);
	for (size_t i = 0; i < n; i++) {
		buf_str(&t, STR(",["));
		buf_json(&t, plan_action_name(s[i]->action));
		buf_char(&t, ',');
		buf_json(&t, obj_id_text(b->scratch, s[i]->id));
		buf_char(&t, ',');
		buf_json(&t, s[i]->want ? hash_hex(b->scratch, s[i]->want->digest) : STR(""));
		buf_char(&t, ',');
		buf_json(&t, s[i]->uid);
		for (size_t j = 0; j < s[i]->fields_n; j++) {
			if (!diff_class_alerts(s[i]->fields[j].class))
				continue;
			buf_char(&t, ',');
			buf_json(&t, s[i]->fields[j].path);
		}
		buf_char(&t, ']');
	}
	buf_str(&t, STR("]"));
	return hash_hex(b->a, hash_blake2b(NULL, STR("leeboard/plan/1"), buf_view(&t)));
}

static void approve(struct building *b)
{
	struct plan *p = b->plan;
	str given = b->in->approved;

	p->approved = given.n >= ID_LEAST && str_starts(p->id, given);
	if (!p->approved)
		return;
	for (size_t i = 0; i < p->n; i++)
		p->steps[i].waits = 0;
	b->waiting.n = 0;
}

/* ------------------------------------------------------------------ all of it */

static int by_reason(const void *x, const void *y)
{
	const struct plan_wait *l = x, *r = y;

	return l->reason != r->reason ? (l->reason < r->reason ? -1 : 1)
				      : str_cmp(l->message, r->message);
}

/* One entry a reason. */
static void join_waiting(struct building *b)
{
	struct plan_wait *p = ARENA_ARRAY(b->a, struct plan_wait, b->waiting.n);
	size_t n = 0;

	if (b->waiting.n)
		qsort(b->waiting.p, b->waiting.n, sizeof(b->waiting.p[0]), by_reason);
	for (size_t i = 0; i < b->waiting.n; i++) {
		const struct plan_wait *w = &b->waiting.p[i];

		if (n && p[n - 1].reason == w->reason)
			p[n - 1].message =
				arena_printf(b->a, STR_FMT ", " STR_FMT, STR_ARG(p[n - 1].message),
					     STR_ARG(w->message));
		else
			p[n++] = *w;
	}
	b->plan->waiting = p;
	b->plan->waiting_n = n;
}

struct err *plan_build(struct arena *a, const struct plan_in *in, const struct plan **ret)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	struct plan *p = ARENA_NEW(a, struct plan);
	struct building b = {.a = a, .scratch = scratch, .in = in, .plan = p};
	struct plan_step *judged = ARENA_ARRAY(scratch, struct plan_step, in->wants->n);
	bool busy = false;
	size_t writes = 0;

	p->app = in->name;
	p->from = in->from;
	p->to = in->to;
	p->steps = ARENA_ARRAY(a, struct plan_step, in->wants->n + in->inventory->n);
	for (size_t i = 0; i < in->wants->n; i++) {
		judge_want(&b, &in->wants->p[i], &judged[i]);
		busy |= judged[i].action != PLAN_NONE;
		writes += plan_action_writes(judged[i].action);
	}
	if (busy) {
		TRY(order_wants(&b, judged));
	} else {
		for (size_t i = 0; i < in->wants->n; i++)
			p->steps[i] = judged[i];
	}
	p->n = in->wants->n;
	for (size_t i = 0; i < in->inventory->n; i++) {
		if (wants_get(in->wants, in->inventory->p[i].id))
			continue;
		judge_gone(&b, &in->inventory->p[i], ARENA_PUSH(scratch, &b.deletions));
		writes += b.deletions.p[b.deletions.n - 1].action == PLAN_DELETE;
	}
	prune_limits(&b, b.deletions.p, b.deletions.n);
	if (in->approve_all && writes)
		wait_for(&b, PLAN_APPROVAL, arena_printf(a, "%zu writes", writes));
	order_deletions(&b);
	p->id = make_id(&b);
	approve(&b);
	join_waiting(&b);
	block(&b);
	count(&b);
	p->warnings = b.warnings.p;
	p->warnings_n = b.warnings.n;
	*ret = p;
	return NULL;
}

const struct plan_step *plan_step_of(const struct plan *p, obj_id id)
{
	for (size_t i = 0; i < p->n; i++)
		if (obj_id_eq(p->steps[i].id, id))
			return &p->steps[i];
	return NULL;
}
