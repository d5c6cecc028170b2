/* Three-way JSON merge patches (RFC 7396), for kinds without a schema. */
#include "diff_priv.h"

/* Trees come from parsers that bound their depth, or from edits of such. */
#define MAX_DEPTH (2 * NODE_MAX_DEPTH)

/* The patch from x to y: nulls for what y lacks. */
static const struct node *patch_of(struct arena *a, const struct node *x, const struct node *y,
				   unsigned depth)
{
	struct draft d;

	draft_init(&d, a, NULL);
	for (uint32_t i = 0; i < y->n; i++) {
		const struct node *to = y->pairs[i].value, *from = node_get(x, y->pairs[i].key);

		if (from && node_equal_strict(from, to))
			continue;
		if (node_is(from, NODE_MAP) && to->kind == NODE_MAP && depth < MAX_DEPTH)
			to = patch_of(a, from, to, depth + 1);
		draft_set(&d, y->pairs[i].key, to);
	}
	for (uint32_t i = 0; i < x->n; i++)
		if (!node_get(y, x->pairs[i].key))
			draft_set(&d, x->pairs[i].key, node_null(a));
	return draft_node(&d);
}

static const struct node *nulls(struct arena *a, const struct node *n, bool without, unsigned depth)
{
	struct draft d;

	if (n->kind != NODE_MAP || depth > MAX_DEPTH)
		return n;
	draft_init(&d, a, NULL);
	for (uint32_t i = 0; i < n->n; i++) {
		const struct node *v = n->pairs[i].value;

		if (v->kind == NODE_MAP) {
			const struct node *below = nulls(a, v, without, depth + 1);

			/* An empty map that was written is a value; one left over is nothing. */
			if (below->n || (without && !v->n))
				draft_set(&d, n->pairs[i].key, below);
		} else if ((v->kind == NODE_NULL) != without) {
			draft_set(&d, n->pairs[i].key, v);
		}
	}
	return draft_node(&d);
}

const struct node *diff_json_nulls(struct arena *a, const struct node *n, bool without)
{
	return nulls(a, n, without, 0);
}

/* Like RFC 7396, but nulls of `over` stay: the answer is itself a patch. */
static const struct node *overlay(struct arena *a, const struct node *under,
				  const struct node *over, unsigned depth)
{
	struct draft d;

	if (over->kind != NODE_MAP || !node_is(under, NODE_MAP) || depth > MAX_DEPTH)
		return over;
	draft_init(&d, a, under);
	for (uint32_t i = 0; i < over->n; i++)
		draft_set(&d, over->pairs[i].key,
			  overlay(a, draft_get(&d, over->pairs[i].key), over->pairs[i].value,
				  depth + 1));
	return draft_node(&d);
}

const struct node *diff_json_three_way(struct arena *a, const struct node *applied,
				       const struct node *desired, const struct node *live)
{
	const struct node *empty = node_new_map(a, NULL, 0);
	const struct node *changes, *deletions;

	if (!node_is(applied, NODE_MAP))
		applied = empty;
	if (!node_is(desired, NODE_MAP))
		desired = empty;
	if (!node_is(live, NODE_MAP))
		live = empty;
	changes = nulls(a, patch_of(a, live, desired, 0), true, 0);
	deletions = nulls(a, patch_of(a, applied, desired, 0), false, 0);
	return overlay(a, changes, deletions, 0);
}
