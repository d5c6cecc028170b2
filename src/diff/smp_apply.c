/* Applying strategic merge patches: mergeMap and mergeSlice of k8s.io/apimachinery
 * util/strategicpatch. With `carry` both sides are patches (the two halves of a three-way patch):
 * directives are then carried over, not obeyed. */
#include <stdlib.h>

#include "diff_priv.h"

/* ------------------------------------------------------------------ elements and their order */

static struct err *element_text(struct arena *a, const struct node *e, str merge_key, str *ret)
{
	if (merge_key.n)
		TRY(smp_key(e, merge_key, &e));
	*ret = smp_scalar_text(a, e, false);
	return NULL;
}

static struct err *index_of_elements(struct arena *a, const struct node *list, str merge_key,
				     struct keys *ret)
{
	keys_init(ret, a);
	for (uint32_t i = 0; i < list->n; i++) {
		str text;

		TRY(element_text(a, list->items[i], merge_key, &text));
		keys_add(ret, text, i);
	}
	return NULL;
}

struct placed {
	size_t rank; /* in the order list; SIZE_MAX: not in it */
	size_t at;
	bool deletion;
	const struct node *value;
};

static int by_rank(const void *x, const void *y)
{
	const struct placed *l = x, *r = y;

	if (l->deletion != r->deletion)
		return l->deletion - r->deletion;
	if (l->rank != r->rank)
		return l->rank < r->rank ? -1 : 1;
	return l->at < r->at ? -1 : l->at > r->at;
}

/* Elements that the order list names in its order, the others in live's; an unnamed one goes first
 * where live has it before the next named one. */
static struct err *put_in_order(struct arena *a, const struct node_items *merged,
				const struct node *order, const struct node *live, str merge_key,
				const struct node **ret)
{
	struct placed *named = ARENA_ARRAY(a, struct placed, merged->n);
	struct placed *others = ARENA_ARRAY(a, struct placed, merged->n);
	const struct node **out = ARENA_ARRAY(a, const struct node *, merged->n);
	struct keys in_order, in_live;
	size_t n = 0, m = 0, i = 0, j = 0;

	TRY(index_of_elements(a, order, merge_key, &in_order));
	TRY(index_of_elements(a, live, merge_key, &in_live));
	for (size_t k = 0; k < merged->n; k++) {
		const struct node *e = merged->p[k];
		size_t rank;
		str text;

		TRY(element_text(a, e, merge_key, &text));
		rank = keys_get(&in_order, text);
		if (rank != SIZE_MAX)
			named[n++] = (struct placed){rank, k, smp_is_delete(e), e};
		else
			others[m++] =
				(struct placed){keys_get(&in_live, text), k, smp_is_delete(e), e};
	}
	if (n)
		qsort(named, n, sizeof(*named), by_rank);
	if (m)
		qsort(others, m, sizeof(*others), by_rank);
	while (i < m || j < n) {
		bool other_first = j == n;

		if (i < m && j < n) {
			size_t l = others[i].rank, r;
			str text;

			TRY(element_text(a, named[j].value, merge_key, &text));
			r = keys_get(&in_live, text);
			other_first = l != SIZE_MAX && r != SIZE_MAX && l < r;
		}
		out[i + j] = other_first ? others[i].value : named[j].value;
		i += other_first;
		j += !other_first;
	}
	*ret = smp_list(a, &(struct node_items){out, merged->n, merged->n}, live);
	return NULL;
}

/* ------------------------------------------------------------------ values as they are */

static bool is_directive(str key)
{
	return str_eq(key, STR(SMP_PATCH)) || str_eq(key, STR(SMP_RETAIN)) ||
	       str_starts(key, STR(SMP_ORDER)) || str_starts(key, STR(SMP_DROP));
}

/* A value that live has not: without directives and nulls (apimachinery lets some through, which
 * the server then drops as unknown fields; a file would keep them). In a patch that is to be sent
 * (`carry`) only what deletes goes. NULL: nothing is left of it. */
static const struct node *plain(struct arena *a, const struct node *n, bool carry, unsigned depth)
{
	if (depth > 2 * NODE_MAX_DEPTH)
		return n;
	if (n->kind == NODE_MAP) {
		struct draft d;

		if (smp_is_delete(n))
			return NULL;
		draft_init(&d, a, n);
		for (uint32_t i = 0; i < n->n; i++) {
			const struct node *v = n->pairs[i].value;

			if (!carry && (v->kind == NODE_NULL || is_directive(n->pairs[i].key)))
				v = NULL;
			else
				v = plain(a, v, carry, depth + 1);
			if (v)
				draft_set(&d, n->pairs[i].key, v);
			else
				draft_del(&d, n->pairs[i].key);
		}
		return draft_node(&d);
	}
	if (n->kind == NODE_LIST) {
		struct node_items v = {0};

		for (uint32_t i = 0; i < n->n; i++) {
			const struct node *e = plain(a, n->items[i], carry, depth + 1);

			if (e)
				*ARENA_PUSH(a, &v) = e;
		}
		return smp_list(a, &v, n);
	}
	return n;
}

/* ------------------------------------------------------------------ lists */

static void merge_scalars(struct arena *a, const struct node *x, const struct node *y,
			  struct node_items *ret)
{
	struct keys seen;

	keys_init(&seen, a);
	for (int side = 0; side < 2; side++) {
		const struct node *list = side ? y : x;

		for (uint32_t i = 0; i < list->n; i++)
			if (keys_add(&seen, smp_scalar_text(a, list->items[i], false), 0))
				*ARENA_PUSH(a, ret) = list->items[i];
	}
}

static const struct node *drop_scalars(struct arena *a, const struct node *list,
				       const struct node *drops)
{
	struct node_items v = {0};
	struct keys gone;

	keys_init(&gone, a);
	for (uint32_t i = 0; i < drops->n; i++)
		keys_add(&gone, smp_scalar_text(a, drops->items[i], false), 0);
	for (uint32_t i = 0; i < list->n; i++)
		if (keys_get(&gone, smp_scalar_text(a, list->items[i], false)) == SIZE_MAX)
			*ARENA_PUSH(a, &v) = list->items[i];
	return smp_list(a, &v, list);
}

/* Obeys `$patch` elements: what they delete leaves `original`, and they leave `patch`. */
static struct err *special_elements(struct arena *a, str merge_key, struct node_items *original,
				    struct node_items *patch)
{
	struct node_items rest = {0}, kept = {0};
	bool replace = false;
	struct keys gone;

	keys_init(&gone, a);
	for (size_t i = 0; i < patch->n; i++) {
		const struct node *e = patch->p[i], *mark = node_get(e, STR(SMP_PATCH)), *key;
		str word = node_text(mark);

		if (!mark) {
			*ARENA_PUSH(a, &rest) = e;
		} else if (str_eq(word, STR("delete"))) {
			TRY(smp_key(e, merge_key, &key));
			keys_add(&gone, smp_scalar_text(a, key, false), 0);
		} else if (str_eq(word, STR("replace"))) {
			replace = true;
		} else if (str_eq(word, STR("merge"))) {
			return err_at(ERR_INVALID, mark->at,
				      "merging lists cannot yet be specified in the patch");
		} else {
			return err_at(ERR_INVALID, mark->at, "unknown patch type '" STR_FMT "'",
				      STR_ARG(word));
		}
	}
	if (replace) {
		*original = rest;
		*patch = (struct node_items){0};
		return NULL;
	}
	for (size_t i = 0; i < original->n; i++) {
		const struct node *key;

		TRY(smp_key(original->p[i], merge_key, &key));
		if (!gone.n || keys_get(&gone, smp_scalar_text(a, key, false)) == SIZE_MAX)
			*ARENA_PUSH(a, &kept) = original->p[i];
	}
	*original = kept;
	*patch = rest;
	return NULL;
}

static void items_of(struct arena *a, const struct node *list, struct node_items *ret)
{
	*ret = (struct node_items){0};
	for (uint32_t i = 0; i < list->n; i++)
		*ARENA_PUSH(a, ret) = list->items[i];
}

static struct err *merge_elements(struct arena *a, const struct obj_schema *field, str merge_key,
				  const struct node **order, const struct node **live,
				  struct node_items *ret, bool carry, unsigned depth)
{
	struct node_items original, patch;
	struct keys at;

	items_of(a, *live, &original);
	items_of(a, *order, &patch);
	TRY(special_elements(a, merge_key, &original, &patch));
	*live = smp_list(a, &original, *live);
	*order = smp_list(a, &patch, *order);
	TRY(index_of_elements(a, *live, merge_key, &at));
	for (size_t i = 0; i < patch.n; i++) {
		const struct node *merged = patch.p[i];
		size_t k;
		str text;

		TRY(element_text(a, merged, merge_key, &text));
		k = keys_get(&at, text);
		if (k != SIZE_MAX) {
			TRY(smp_merge_maps(a, obj_schema_item(field), original.p[k], merged, carry,
					   depth + 1, &original.p[k]));
			continue;
		}
		keys_add(&at, text, original.n);
		if (!carry)
			merged = plain(a, merged, false, 0);
		*ARENA_PUSH(a, &original) = merged;
	}
	*ret = original;
	return NULL;
}

static struct err *merge_lists(struct arena *a, const struct obj_schema *field,
			       const struct node *original, const struct node *patch, bool carry,
			       unsigned depth, const struct node **ret)
{
	str merge_key = obj_schema_merge_key(field);
	struct node_items merged = {0};
	bool maps, any;

	TRY(smp_element_kind(original, patch, &maps, &any));
	if (!any) {
		*ret = original;
		return NULL;
	}
	if (!maps) {
		merge_key = STR_NONE;
		merge_scalars(a, original, patch, &merged);
	} else if (!merge_key.n) {
		return err_at(ERR_INVALID, patch->at, "list of maps to merge has no merge key");
	} else {
		TRY(merge_elements(a, field, merge_key, &patch, &original, &merged, carry, depth));
	}
	return put_in_order(a, &merged, patch, original, merge_key, ret);
}

/* ------------------------------------------------------------------ $setElementOrder */

/* The patch list must be in the order of the order list and hold nothing else. */
static struct err *check_order(struct arena *a, const struct node *patch, const struct node *order,
			       str merge_key)
{
	uint32_t i = 0, j = 0;

	if (!order->n || !patch)
		return NULL;
	while (i < patch->n) {
		str x, y;

		if (node_get(patch->items[i], STR(SMP_PATCH))) {
			i++;
			continue;
		}
		if (j == order->n)
			return err_at(ERR_INVALID, patch->at,
				      "the order in patch list doesn't match $setElementOrder "
				      "list");
		TRY(element_text(a, patch->items[i], merge_key, &x));
		TRY(element_text(a, order->items[j], merge_key, &y));
		i += str_eq(x, y);
		j++;
	}
	return NULL;
}

static struct err *need_list(const struct node *n, str key)
{
	if (n && n->kind != NODE_LIST)
		return err_at(ERR_WRONG_TYPE, n->at, "'" STR_FMT "' must be a list, not %s",
			      STR_ARG(key), node_kind_name(n->kind));
	return NULL;
}

static struct err *merge_ordered(struct arena *a, const struct obj_schema *s, struct draft *d,
				 struct draft *patch, const struct node_pair *order, bool carry,
				 unsigned depth)
{
	str key = str_sub(order->key, sizeof(SMP_ORDER) - 1, SIZE_MAX);
	const struct obj_schema *field = obj_schema_field(s, key);
	const struct node *original = draft_get(d, key), *change = draft_get(patch, key);
	str merge_key = obj_schema_merge_key(field);
	const struct node *theirs = draft_get(d, order->key), *merged;
	struct node_items v;
	bool maps, any;

	if (carry && theirs && !node_equal_strict(theirs, order->value))
		return err_at(ERR_INVALID, order->key_at,
			      "the two parts of the patch order '" STR_FMT "' differently",
			      STR_ARG(key));
	if (carry)
		draft_set(d, order->key, order->value);
	draft_del(patch, order->key);
	TRY(need_list(order->value, order->key));
	TRY(need_list(original, key));
	TRY(need_list(change, key));
	TRY(check_order(a, change, order->value, merge_key));
	if (!original && !change)
		return NULL;
	if (original && change && smp_merges(field))
		TRY(merge_lists(a, field, original, change, carry, depth, &merged));
	else
		merged = !change ? original : plain(a, change, carry, 0);
	if (!original)
		original = node_new_list(a, NULL, 0);
	TRY(smp_element_kind(original, change, &maps, &any));
	items_of(a, merged, &v);
	TRY(put_in_order(a, &v, order->value, original, merge_key, &merged));
	draft_set(d, key, merged);
	draft_del(patch, key);
	return NULL;
}

/* ------------------------------------------------------------------ maps */

static struct err *retain_keys(struct arena *a, struct draft *d, struct draft *patch, bool carry)
{
	const struct node *keep = draft_get(patch, STR(SMP_RETAIN));
	const struct node *theirs = draft_get(d, STR(SMP_RETAIN));
	struct keys kept;

	if (!keep)
		return NULL;
	draft_del(patch, STR(SMP_RETAIN));
	if (carry) {
		if (theirs && !node_equal_strict(theirs, keep))
			return err_at(ERR_INVALID, keep->at,
				      "the two parts of the patch retain different keys");
		draft_set(d, STR(SMP_RETAIN), keep);
		return NULL;
	}
	TRY(need_list(keep, STR(SMP_RETAIN)));
	keys_init(&kept, a);
	for (uint32_t i = 0; i < keep->n; i++)
		keys_add(&kept, node_text(keep->items[i]), 0);
	for (size_t i = 0; i < patch->v.n; i++) {
		const struct node_pair *p = &patch->v.p[i];

		if (!p->value || p->value->kind == NODE_NULL || str_starts(p->key, STR(SMP_DROP)) ||
		    str_starts(p->key, STR(SMP_ORDER)))
			continue;
		if (keys_get(&kept, p->key) == SIZE_MAX)
			return err_at(ERR_INVALID, p->key_at,
				      "invalid patch format of retainKeys: '" STR_FMT
				      "' is not among the keys to retain",
				      STR_ARG(p->key));
	}
	for (size_t i = 0; i < d->v.n; i++)
		if (keys_get(&kept, d->v.p[i].key) == SIZE_MAX)
			draft_del(d, d->v.p[i].key);
	return NULL;
}

static struct err *merge_field(struct arena *a, const struct obj_schema *s, struct draft *d,
			       str key, const struct node *change, bool carry, unsigned depth)
{
	bool drops = str_starts(key, STR(SMP_DROP));
	const struct obj_schema *field;
	const struct node *original;

	if (drops && carry) {
		draft_set(d, key, change);
		return NULL;
	}
	if (drops)
		key = str_sub(key, sizeof(SMP_DROP) - 1, SIZE_MAX);
	field = obj_schema_field(s, key);
	if (change->kind == NODE_NULL && !carry) {
		draft_del(d, key);
		return NULL;
	}
	original = draft_get(d, key);
	if (drops) {
		if (node_is(original, NODE_LIST) && change->kind == NODE_LIST)
			draft_set(d, key, drop_scalars(a, original, change));
		return NULL;
	}
	if (original && original->kind == change->kind && change->kind == NODE_MAP &&
	    !obj_schema_whole(field))
		TRY(smp_merge_maps(a, field, original, change, carry, depth + 1, &change));
	else if (original && original->kind == change->kind && change->kind == NODE_LIST &&
		 smp_merges(field))
		TRY(merge_lists(a, field, original, change, carry, depth, &change));
	else if (!carry)
		change = plain(a, change, false, 0);
	if (change)
		draft_set(d, key, change);
	return NULL;
}

struct err *smp_merge_maps(struct arena *a, const struct obj_schema *s, const struct node *original,
			   const struct node *patch, bool carry, unsigned depth,
			   const struct node **ret)
{
	const struct node *mark = node_get(patch, STR(SMP_PATCH));
	struct draft d, todo;

	TRY(smp_too_deep(patch, depth));
	if (mark && str_eq(node_text(mark), STR("replace"))) {
		*ret = node_del(a, patch, STR(SMP_PATCH));
		return NULL;
	}
	if (mark && str_eq(node_text(mark), STR("delete"))) {
		*ret = node_new_map(a, NULL, 0);
		return NULL;
	}
	if (mark)
		return err_at(ERR_INVALID, mark->at, "unknown patch type '" STR_FMT "'",
			      STR_ARG(node_text(mark)));
	draft_init(&d, a, original);
	draft_init(&todo, a, patch);
	TRY(retain_keys(a, &d, &todo, carry));
	for (uint32_t i = 0; i < patch->n; i++)
		if (str_starts(patch->pairs[i].key, STR(SMP_ORDER)))
			TRY(merge_ordered(a, s, &d, &todo, &patch->pairs[i], carry, depth));
	for (size_t i = 0; i < todo.v.n; i++)
		if (todo.v.p[i].value)
			TRY(merge_field(a, s, &d, todo.v.p[i].key, todo.v.p[i].value, carry,
					depth));
	*ret = draft_node(&d);
	return NULL;
}

struct err *diff_patch_apply(struct arena *a, const struct obj_schema *s, const struct node *live,
			     const struct node *patch, const struct node **ret)
{
	if (!live)
		live = node_new_map(a, NULL, 0);
	if (live->kind != NODE_MAP || patch->kind != NODE_MAP)
		return err_at(ERR_WRONG_TYPE, patch->at, "a patch and its object must be maps");
	return smp_merge_maps(a, s, live, patch, false, 0, ret);
}
