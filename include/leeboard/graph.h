/* graph: the desired state as objects, and the order in which they may go out.
 *
 * Built once per sync, read-only afterwards. Edges come from depends-on annotations, waves, namespaces,
 * CRDs and references (a table in refs.def). depends-on is kpt's (config.kubernetes.io/depends-on) or,
 * under leeboard.dev/, also as people name objects: "Deployment/web", "secret/shop/tls". Everything in one wave may be applied at once; inside a
 * wave objects stand in the order of kinds that Flux uses, then by identity. Deletion is the same
 * waves from the last to the first. All memory is the arena's; objects are borrowed from the set. */
#pragma once
#include "leeboard/object.h"

/* Rows: enumerator, word in messages; weakest first: that is the order in which edges give way. */
#define GRAPH_REASONS(X)                                                                           \
	X(GRAPH_OWNER, "owner")                                                                    \
	X(GRAPH_SELECTOR, "selector")                                                              \
	X(GRAPH_BACKEND, "backend")                                                                \
	X(GRAPH_REFERENCE, "reference")                                                            \
	X(GRAPH_ROLE, "role")                                                                      \
	X(GRAPH_CRD, "custom-kind")                                                                \
	X(GRAPH_NAMESPACE, "namespace")                                                            \
	X(GRAPH_WAVE, "sync-wave")                                                                 \
	X(GRAPH_DEPENDS_ON, "depends-on")
enum graph_reason {
#define X(name, word) name,
	GRAPH_REASONS(X)
#undef X
};
str graph_reason_name(enum graph_reason r);
bool graph_reason_explicit(enum graph_reason r); /* somebody wrote the order down */

struct graph_edge {
	uint32_t from, to; /* indices into the set: from waits for to */
	enum graph_reason why;
	str path; /* the field that says so; empty: by nature */
};

struct graph;
/* desired: normalized. Every bad annotation and every cycle of explicit edges is an error, all at
 * once (ERR_INVALID, ERR_NO_REFERENCE, ERR_DUPLICATE, ERR_CYCLE with the shortest path). Inferred
 * edges that contradict give way: graph_dropped. desired must outlive the graph. */
MUST_CHECK struct err *graph_build(struct arena *a, const struct obj_set *desired,
				   const struct graph **ret);
size_t graph_waves(const struct graph *g);
/* Indices into the set, in order; borrowed. */
const uint32_t *graph_wave(const struct graph *g, size_t i, size_t *n);
/* What object i waits for; barriers between sync waves are no edges of it. */
const struct graph_edge *graph_edges(const struct graph *g, uint32_t i, size_t *n);
size_t graph_wave_of(const struct graph *g, uint32_t i);
/* Inferred edges that gave way, worth a warning each. */
const struct graph_edge *graph_dropped(const struct graph *g, size_t *n);
/* Flux's order of kinds: smaller goes first. */
unsigned graph_kind_rank(str kind);
/* Webhook configurations: what nothing waits for goes after everything else. */
bool graph_kind_last(str kind);
