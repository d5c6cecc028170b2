/* From objects to waves. */
#include <assert.h>
#include <stdlib.h>

#include "graph_priv.h"

static const str reasons[] = {
#define X(name, word) STR(word),
	GRAPH_REASONS(X)
#undef X
};

str graph_reason_name(enum graph_reason r)
{
	return reasons[r];
}

bool graph_reason_explicit(enum graph_reason r)
{
	return r >= GRAPH_WAVE;
}

/* Flux's table (fluxcd/pkg ssa/sort.go); what is not in it goes between the two parts. */
static const str first_kinds[] = {
	STR("CustomResourceDefinition"),
	STR("Namespace"),
	STR("ClusterRole"),
	STR("ClusterClass"),
	STR("RuntimeClass"),
	STR("PriorityClass"),
	STR("StorageClass"),
	STR("VolumeSnapshotClass"),
	STR("IngressClass"),
	STR("GatewayClass"),
	STR("ClusterRoleBinding"),
	STR("ResourceQuota"),
	STR("ServiceAccount"),
	STR("Role"),
	STR("RoleBinding"),
	STR("ConfigMap"),
	STR("Secret"),
	STR("Service"),
	STR("LimitRange"),
	STR("Deployment"),
	STR("StatefulSet"),
	STR("CronJob"),
	STR("PodDisruptionBudget"),
};
static const str last_kinds[] = {
	STR("MutatingWebhookConfiguration"),
	STR("ValidatingWebhookConfiguration"),
};

unsigned graph_kind_rank(str kind)
{
	unsigned rank;

	for (rank = 0; rank < ARRAY_LEN(first_kinds); rank++)
		if (str_eq(kind, first_kinds[rank]))
			return rank;
	for (size_t i = 0; i < ARRAY_LEN(last_kinds); i++)
		if (str_eq(kind, last_kinds[i]))
			return rank + 1 + (unsigned)i;
	return rank;
}

bool graph_kind_last(str kind)
{
	for (size_t i = 0; i < ARRAY_LEN(last_kinds); i++)
		if (str_eq(kind, last_kinds[i]))
			return true;
	return false;
}

void graph_add(struct build *b, uint32_t from, uint32_t to, enum graph_reason why, str path)
{
	*ARENA_PUSH(b->a, &b->edges) = (struct graph_edge){from, to, why, path};
}

struct ranked {
	uint32_t at, level;
	unsigned rank;
	obj_id id;
};

static int by_place(const void *x, const void *y)
{
	const struct ranked *l = x, *r = y;

	if (l->level != r->level)
		return l->level < r->level ? -1 : 1;
	if (l->rank != r->rank)
		return l->rank < r->rank ? -1 : 1;
	return obj_id_cmp(l->id, r->id);
}

/* The longest way down from each node; a barrier adds nothing. No cycles are left. */
static uint32_t *levels(const struct build *b)
{
	struct arena *a = b->a;
	uint32_t n = b->n_nodes, head = 0, tail = 0;
	uint32_t *level = ARENA_ARRAY(a, uint32_t, n), *open = ARENA_ARRAY(a, uint32_t, n);
	uint32_t *queue = ARENA_ARRAY(a, uint32_t, n);
	struct edges turned = {0};
	struct adjacency users;

	for (size_t i = 0; i < b->edges.n; i++) {
		const struct graph_edge *e = &b->edges.p[i];

		*ARENA_PUSH(a, &turned) = (struct graph_edge){e->to, e->from, e->why, e->path};
		open[e->from]++;
	}
	users = graph_adjacency(a, &turned, n);
	for (uint32_t i = 0; i < n; i++)
		if (!open[i])
			queue[tail++] = i;
	while (head < tail) {
		uint32_t v = queue[head++];
		uint32_t after = level[v] + (v < b->set->n);

		for (uint32_t i = users.first[v]; i < users.first[v + 1]; i++) {
			uint32_t w = users.edges[i]->to;

			if (after > level[w])
				level[w] = after;
			if (!--open[w])
				queue[tail++] = w;
		}
	}
	assert(tail == n);
	return level;
}

/* Webhook configurations speak to what comes after them: those that nothing waits for come last, in
 * a wave of their own, whether or not an edge says where their service is. */
static void webhooks_last(const struct build *b, uint32_t *level)
{
	uint32_t n = (uint32_t)b->set->n, last = 0;
	bool *used = ARENA_ARRAY(b->a, bool, b->n_nodes);

	for (size_t i = 0; i < b->edges.n; i++)
		used[b->edges.p[i].to] = true;
	for (uint32_t i = 0; i < n; i++)
		if ((used[i] || !graph_kind_last(b->set->p[i].id.kind)) && level[i] >= last)
			last = level[i] + 1;
	for (uint32_t i = 0; i < n; i++)
		if (!used[i] && graph_kind_last(b->set->p[i].id.kind))
			level[i] = last;
}

static void lay_out(struct build *b, struct graph *g)
{
	uint32_t n = (uint32_t)b->set->n;
	uint32_t *level = levels(b);
	struct ranked *v = ARENA_ARRAY(b->a, struct ranked, n);

	webhooks_last(b, level);
	g->order = ARENA_ARRAY(b->a, uint32_t, n);
	g->wave_of = ARENA_ARRAY(b->a, uint32_t, n);
	g->wave_start = ARENA_ARRAY(b->a, uint32_t, (size_t)n + 1);
	for (uint32_t i = 0; i < n; i++)
		v[i] = (struct ranked){i, level[i], graph_kind_rank(b->set->p[i].id.kind),
				       b->set->p[i].id};
	if (n)
		qsort(v, n, sizeof(*v), by_place);
	for (uint32_t i = 0; i < n; i++) {
		if (!i || v[i].level != v[i - 1].level)
			g->wave_start[g->n_waves++] = i;
		g->order[i] = v[i].at;
		g->wave_of[v[i].at] = (uint32_t)(g->n_waves - 1);
	}
	g->wave_start[g->n_waves] = n;
}

struct err *graph_build(struct arena *a, const struct obj_set *desired, const struct graph **ret)
{
	struct build b = {.a = a, .set = desired, .n_nodes = (uint32_t)desired->n};
	struct graph *g = ARENA_NEW(a, struct graph);
	struct edges own = {0};
	struct adjacency adj;

	g->set = desired;
	graph_infer(&b);
	graph_explicit(&b);
	if (b.errors)
		return b.errors;
	TRY(graph_break_cycles(&b, &g->dropped));
	lay_out(&b, g);
	for (size_t i = 0; i < b.edges.n; i++)
		if (b.edges.p[i].from < desired->n && b.edges.p[i].to < desired->n)
			*ARENA_PUSH(a, &own) = b.edges.p[i];
	adj = graph_adjacency(a, &own, (uint32_t)desired->n);
	g->first = adj.first;
	g->edges = ARENA_ARRAY(a, struct graph_edge, own.n);
	for (size_t i = 0; i < own.n; i++)
		g->edges[i] = *adj.edges[i];
	*ret = g;
	return NULL;
}

size_t graph_waves(const struct graph *g)
{
	return g->n_waves;
}

const uint32_t *graph_wave(const struct graph *g, size_t i, size_t *n)
{
	*n = g->wave_start[i + 1] - g->wave_start[i];
	return &g->order[g->wave_start[i]];
}

const struct graph_edge *graph_edges(const struct graph *g, uint32_t i, size_t *n)
{
	*n = g->first[i + 1] - g->first[i];
	return &g->edges[g->first[i]];
}

size_t graph_wave_of(const struct graph *g, uint32_t i)
{
	return g->wave_of[i];
}

const struct graph_edge *graph_dropped(const struct graph *g, size_t *n)
{
	*n = g->dropped.n;
	return g->dropped.p;
}
