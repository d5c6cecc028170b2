/* What the files of graph share: the graph while it is being built. */
#pragma once
#include "leeboard/graph.h"

/* Nodes are the objects, then one barrier between each two sync waves that follow each other. */
struct edges {
	struct graph_edge *p;
	size_t n, cap;
};
struct build {
	struct arena *a;
	const struct obj_set *set;
	struct edges edges;
	struct err *errors;
	uint32_t n_nodes;
	const int64_t *waves; /* of the barriers, the first is node set->n */
};
struct graph {
	const struct obj_set *set;
	struct graph_edge *edges;     /* sorted by from */
	uint32_t *first;              /* of object i: first[i] .. first[i + 1] */
	uint32_t *order, *wave_start; /* wave i: order[wave_start[i]] .. */
	uint32_t *wave_of;
	size_t n_waves;
	struct edges dropped;
};

void graph_add(struct build *b, uint32_t from, uint32_t to, enum graph_reason why, str path);
/* Edges by nature and by reference, refs.def. */
void graph_infer(struct build *b);
/* Annotations: depends-on and waves, which make barriers. Mistakes go to b->errors. */
void graph_explicit(struct build *b);

/* Edges grouped by their `from`. */
struct adjacency {
	uint32_t *first;
	const struct graph_edge **edges;
};
struct adjacency graph_adjacency(struct arena *a, const struct edges *e, uint32_t n);
/* Strongly connected components: component of each node, and how many members each has. */
void graph_components(struct arena *a, const struct adjacency *adj, uint32_t n, uint32_t *ret,
		      uint32_t *sizes);
/* ERR_CYCLE for each component of explicit edges that is a cycle, else removes inferred edges,
 * the weakest first, until nothing is one; removed ones go to `dropped`. */
MUST_CHECK struct err *graph_break_cycles(struct build *b, struct edges *dropped);
