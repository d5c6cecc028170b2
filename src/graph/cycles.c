/* Cycles: Tarjan's components without recursion, and in each the shortest cycle by breadth-first
 * search, every edge with its reason. */
#include <assert.h>

#include "graph_priv.h"

struct adjacency graph_adjacency(struct arena *a, const struct edges *e, uint32_t n)
{
	struct adjacency adj = {ARENA_ARRAY(a, uint32_t, (size_t)n + 2),
				ARENA_ARRAY(a, const struct graph_edge *, e->n)};

	/* Counted one further on, so that filling leaves the starts in their places. */
	for (size_t i = 0; i < e->n; i++)
		adj.first[e->p[i].from + 2]++;
	for (uint32_t i = 0; i < n; i++)
		adj.first[i + 2] += adj.first[i + 1];
	for (size_t i = 0; i < e->n; i++)
		adj.edges[adj.first[e->p[i].from + 1]++] = &e->p[i];
	return adj;
}

struct frame {
	uint32_t node, edge;
};

void graph_components(struct arena *a, const struct adjacency *adj, uint32_t n, uint32_t *ret,
		      uint32_t *sizes)
{
	uint32_t *index = ARENA_ARRAY(a, uint32_t, n), *low = ARENA_ARRAY(a, uint32_t, n);
	uint32_t *stack = ARENA_ARRAY(a, uint32_t, n), count = 0, depth = 0, top = 0, found = 0;
	struct frame *frames = ARENA_ARRAY(a, struct frame, n);
	bool *on_stack = ARENA_ARRAY(a, bool, n);

	for (uint32_t root = 0; root < n; root++) {
		if (index[root])
			continue;
		frames[depth++] = (struct frame){root, adj->first[root]};
		index[root] = low[root] = ++count;
		stack[top++] = root;
		on_stack[root] = true;
		while (depth) {
			struct frame *f = &frames[depth - 1];
			uint32_t v = f->node;

			if (f->edge < adj->first[v + 1]) {
				uint32_t w = adj->edges[f->edge++]->to;

				if (!index[w]) {
					index[w] = low[w] = ++count;
					stack[top++] = w;
					on_stack[w] = true;
					frames[depth++] = (struct frame){w, adj->first[w]};
				} else if (on_stack[w] && index[w] < low[v]) {
					low[v] = index[w];
				}
				continue;
			}
			if (low[v] == index[v]) {
				uint32_t w;

				do {
					w = stack[--top];
					on_stack[w] = false;
					ret[w] = found;
					sizes[found]++;
				} while (w != v);
				found++;
			}
			if (--depth && low[v] < low[frames[depth - 1].node])
				low[frames[depth - 1].node] = low[v];
		}
	}
}

static void name_node(struct build *b, uint32_t node, struct buf *out)
{
	if (node < b->set->n)
		buf_str(out, obj_id_label(b->a, b->set->p[node].id));
	else
		buf_printf(out, "wave %lld", (long long)b->waves[node - b->set->n]);
}

/* Shortest way from start back to start inside its component. */
static struct err *cycle_error(struct build *b, const struct adjacency *adj,
			       const uint32_t *component, uint32_t start)
{
	const struct graph_edge **by = ARENA_ARRAY(b->a, const struct graph_edge *, b->n_nodes);
	const struct graph_edge **path = ARENA_ARRAY(b->a, const struct graph_edge *, b->n_nodes);
	uint32_t *queue = ARENA_ARRAY(b->a, uint32_t, b->n_nodes);
	const struct graph_edge *last = NULL;
	CLEANUP(buf) struct buf text = BUF_INIT;
	size_t head = 0, tail = 0, n = 0;
	loc at = LOC_NONE;

	queue[tail++] = start;
	while (head < tail && !last) {
		uint32_t v = queue[head++];

		for (uint32_t i = adj->first[v]; i < adj->first[v + 1] && !last; i++) {
			const struct graph_edge *e = adj->edges[i];

			if (component[e->to] != component[start])
				continue;
			if (e->to == start)
				last = e;
			else if (!by[e->to]) {
				by[e->to] = e;
				queue[tail++] = e->to;
			}
		}
	}
	assert(last);
	for (; last; last = last->from == start ? NULL : by[last->from])
		path[n++] = last;
	if (start < b->set->n)
		at = b->set->p[start].at;
	name_node(b, start, &text);
	while (n--) {
		buf_printf(&text, " -> (" STR_FMT ") ", STR_ARG(graph_reason_name(path[n]->why)));
		name_node(b, path[n]->to, &text);
	}
	return err_at(ERR_CYCLE, at, "cycle: %s", text.p);
}

static bool own_loop(const struct adjacency *adj, uint32_t v)
{
	for (uint32_t i = adj->first[v]; i < adj->first[v + 1]; i++)
		if (adj->edges[i]->to == v)
			return true;
	return false;
}

static struct err *explicit_cycles(struct build *b)
{
	uint32_t *component = ARENA_ARRAY(b->a, uint32_t, b->n_nodes);
	uint32_t *sizes = ARENA_ARRAY(b->a, uint32_t, b->n_nodes);
	bool *told = ARENA_ARRAY(b->a, bool, b->n_nodes);
	struct edges only = {0};
	struct err *errors = NULL;
	struct adjacency adj;

	for (size_t i = 0; i < b->edges.n; i++)
		if (graph_reason_explicit(b->edges.p[i].why))
			*ARENA_PUSH(b->a, &only) = b->edges.p[i];
	adj = graph_adjacency(b->a, &only, b->n_nodes);
	graph_components(b->a, &adj, b->n_nodes, component, sizes);
	for (uint32_t v = 0; v < b->n_nodes; v++) {
		uint32_t c = component[v];

		if (told[c] || (sizes[c] < 2 && !own_loop(&adj, v)))
			continue;
		told[c] = true;
		errors = err_join(errors, cycle_error(b, &adj, component, v));
	}
	return errors;
}

struct err *graph_break_cycles(struct build *b, struct edges *dropped)
{
	uint32_t *component = ARENA_ARRAY(b->a, uint32_t, b->n_nodes);

	TRY(explicit_cycles(b));
	/* One round a reason at most: each removes all edges of the weakest reason in a component.
	 */
	for (int round = 0; round < (int)GRAPH_WAVE; round++) {
		uint32_t *sizes = ARENA_ARRAY(b->a, uint32_t, b->n_nodes);
		uint8_t *weakest = ARENA_ARRAY(b->a, uint8_t, b->n_nodes);
		struct adjacency adj = graph_adjacency(b->a, &b->edges, b->n_nodes);
		size_t kept = 0;
		bool any = false;

		graph_components(b->a, &adj, b->n_nodes, component, sizes);
		memset(weakest, 0xff, b->n_nodes);
		for (size_t i = 0; i < b->edges.n; i++) {
			const struct graph_edge *e = &b->edges.p[i];
			uint32_t c = component[e->from];

			if (component[e->to] == c && e->why < weakest[c])
				weakest[c] = (uint8_t)e->why;
		}
		for (size_t i = 0; i < b->edges.n; i++) {
			struct graph_edge e = b->edges.p[i];

			if (component[e.from] == component[e.to] &&
			    e.why == weakest[component[e.from]]) {
				*ARENA_PUSH(b->a, dropped) = e;
				any = true;
			} else {
				b->edges.p[kept++] = e;
			}
		}
		b->edges.n = kept;
		if (!any)
			break;
	}
	return NULL;
}
