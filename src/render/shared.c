/* shared.c: labels that kustomize wrote as one. What a label or annotation transformer adds to
 * several fields of an object is one value there, and whoever writes one of the fields later writes
 * them all: an overlay that changes the label `app` changes the selector that got its `app` from
 * the same `commonLabels`. Our trees are immutable, so the values are remembered by their nodes and
 * the others follow after the fact. */
#include "render_priv.h"

struct change {
	const struct node *old, *new;
};
struct changes {
	struct change *p;
	size_t n, cap;
};

static bool is_container(const struct node *n)
{
	return n->kind == NODE_MAP || n->kind == NODE_LIST;
}

static bool is_shared(const struct res *r, const struct node *n)
{
	for (size_t i = 0; i < r->shared.n; i++)
		if (r->shared.p[i] == n)
			return true;
	return false;
}

/* Shared values of old that are something else in new. */
static void find(struct arena *a, const struct res *r, const struct node *old,
		 const struct node *new, unsigned depth, struct changes *ret)
{
	if (old == new || depth > NODE_MAX_DEPTH)
		return;
	if (!is_container(old) && !is_container(new)) {
		if (is_shared(r, old))
			*ARENA_PUSH(a, ret) = (struct change){old, new};
		return;
	}
	if (old->kind != new->kind)
		return;
	for (uint32_t i = 0; old->kind == NODE_MAP && i < old->n; i++) {
		const struct node *v = node_get(new, old->pairs[i].key);

		if (v)
			find(a, r, old->pairs[i].value, v, depth + 1, ret);
	}
	for (uint32_t i = 0; old->kind == NODE_LIST && old->n == new->n &&i < old->n; i++)
		find(a, r, old->items[i], new->items[i], depth + 1, ret);
}

static const struct node *follow(struct arena *a, const struct node *n, const struct changes *v,
				 unsigned depth)
{
	const struct node *ret = n;

	for (size_t i = 0; i < v->n; i++)
		if (v->p[i].old == n && v->p[i].new != n)
			return follow(a, v->p[i].new, v, depth + 1);
	if (!is_container(n) || depth > NODE_MAX_DEPTH)
		return n;
	for (uint32_t i = 0; i < n->n; i++) {
		bool map = n->kind == NODE_MAP;
		const struct node *old = map ? n->pairs[i].value : n->items[i];
		const struct node *new = follow(a, old, v, depth + 1);

		if (new != old)
			ret = map ? node_set(a, ret, n->pairs[i].key, new)
				  : node_list_set(a, ret, i, new);
	}
	return ret;
}

/* One value that was written in several places is what was written last. */
static void unify(struct arena *a, struct changes *v)
{
	size_t n = v->n;

	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++) {
			if (v->p[k].old != v->p[i].old || v->p[k].new == v->p[i].new)
				continue;
			*ARENA_PUSH(a, v) = (struct change){v->p[i].new, v->p[k].new};
			v->p[i].new = v->p[k].new;
		}
}

void res_settle(struct arena *a, struct res *r, const struct node *before)
{
	struct changes v = {0};

	if (!r->shared.n || !r->root || !before || r->root == before)
		return;
	find(a, r, before, r->root, 0, &v);
	if (!v.n)
		return;
	unify(a, &v);
	r->root = follow(a, r->root, &v, 0);
	for (size_t k = 0; k < r->shared.n; k++)
		r->shared.p[k] = follow(a, r->shared.p[k], &v, 0);
}
