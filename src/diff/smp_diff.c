/* Building strategic merge patches: diffMaps and diffLists of k8s.io/apimachinery
 * util/strategicpatch, whose answers the API server and kubectl share. */
#include <stdlib.h>

#include "diff_priv.h"

struct ways {
	bool no_changes;   /* leave out changes and additions */
	bool no_deletions; /* leave out deletions */
	bool retain;       /* this map's field has retainKeys */
};

static struct err *diff_maps(struct arena *a, const struct obj_schema *s, struct ways w,
			     const struct node *original, const struct node *modified,
			     unsigned depth, const struct node **ret);

/* ------------------------------------------------------------------ sorting by text */

struct sorted {
	str text;
	const struct node *value;
	size_t at;
};

static int by_text(const void *x, const void *y)
{
	const struct sorted *l = x, *r = y;
	int c = str_cmp(l->text, r->text);

	if (c)
		return c;
	/* Go sorts with "less or equal", which turns equal ones round. */
	return l->at > r->at ? -1 : l->at < r->at;
}

static struct err *sort_list(struct arena *a, const struct node *list, bool maps, str merge_key,
			     struct sorted **ret)
{
	struct sorted *v = ARENA_ARRAY(a, struct sorted, list->n);

	for (uint32_t i = 0; i < list->n; i++) {
		const struct node *key = list->items[i];

		if (maps)
			TRY(smp_key(list->items[i], merge_key, &key));
		v[i] = (struct sorted){smp_scalar_text(a, key, true), list->items[i], i};
	}
	if (list->n)
		qsort(v, list->n, sizeof(*v), by_text);
	*ret = v;
	return NULL;
}

/* Additions and changes found, each with the place in modified where its text stands first. */
struct found {
	struct place {
		size_t at, nth;
		const struct node *value;
	} * p;
	size_t n, cap;
	struct keys first;
};

static void found_init(struct arena *a, struct found *f, const struct sorted *modified, size_t n)
{
	*f = (struct found){0};
	keys_init(&f->first, a);
	/* From the end: among equal texts the last of the sorted ones stands first. */
	for (size_t i = n; i-- > 0;)
		keys_add(&f->first, modified[i].text, modified[i].at);
}

static void found_add(struct arena *a, struct found *f, str text, const struct node *value)
{
	*ARENA_PUSH(a, f) = (struct place){keys_get(&f->first, text), f->n, value};
}

static int by_place(const void *x, const void *y)
{
	const struct place *l = x, *r = y;

	if (l->at != r->at)
		return l->at < r->at ? -1 : 1;
	return l->nth < r->nth ? -1 : l->nth > r->nth;
}

static void in_order(struct arena *a, struct found *f, struct node_items *ret)
{
	if (f->n)
		qsort(f->p, f->n, sizeof(f->p[0]), by_place);
	for (size_t i = 0; i < f->n; i++)
		*ARENA_PUSH(a, ret) = f->p[i].value;
}

/* ------------------------------------------------------------------ lists */

struct list_patch {
	struct node_items changes, drops;
	const struct node *order; /* NULL: none */
};

static struct err *diff_scalars(struct arena *a, struct ways w, const struct node *original,
				const struct node *modified, struct list_patch *ret)
{
	struct sorted *o, *m;
	struct found found;
	uint32_t i = 0, j = 0;
	bool same;

	TRY(sort_list(a, original, false, STR_NONE, &o));
	TRY(sort_list(a, modified, false, STR_NONE, &m));
	found_init(a, &found, m, modified->n);
	while (i < original->n || j < modified->n) {
		int c = i == original->n   ? 1
			: j == modified->n ? -1
					   : str_cmp(o[i].text, m[j].text);

		if (c == 0) {
			i++;
			j++;
		} else if (c < 0) {
			bool again = ret->drops.n &&
				     node_equal_strict(ret->drops.p[ret->drops.n - 1], o[i].value);

			if (!w.no_deletions && !again)
				*ARENA_PUSH(a, &ret->drops) = o[i].value;
			i++;
		} else {
			if (!w.no_changes)
				found_add(a, &found, m[j].text, m[j].value);
			j++;
		}
	}
	in_order(a, &found, &ret->changes);
	/* The original was sorted in place there: only modified's own order is looked at. */
	same = original->n == modified->n;
	for (i = 0; same && i < original->n; i++)
		same = node_equal_strict(o[i].value, modified->items[i]);
	if (ret->changes.n || ret->drops.n || (!same && !w.no_changes))
		ret->order = modified;
	return NULL;
}

static const struct node *one_key(struct arena *a, str key, const struct node *value)
{
	struct node_pairs v = {0};

	node_pairs_add(a, &v, key, value);
	return node_new_map(a, v.p, v.n);
}

static const struct node *deletion(struct arena *a, str key, const struct node *value)
{
	struct node_pairs v = {0};

	node_pairs_add(a, &v, STR(SMP_PATCH), node_new_str(a, STR("delete")));
	node_pairs_add(a, &v, key, value);
	return node_new_map(a, v.p, v.n);
}

static struct err *same_order(const struct node *x, const struct node *y, str merge_key, bool *ret)
{
	*ret = x->n == y->n;
	for (uint32_t i = 0; *ret && i < x->n; i++) {
		const struct node *l, *r;

		TRY(smp_key(x->items[i], merge_key, &l));
		TRY(smp_key(y->items[i], merge_key, &r));
		*ret = node_equal_strict(l, r);
	}
	return NULL;
}

static struct err *diff_elements(struct arena *a, const struct obj_schema *field, struct ways w,
				 const struct node *original, const struct node *modified,
				 unsigned depth, struct list_patch *ret)
{
	const struct obj_schema *item = obj_schema_item(field);
	str merge_key = obj_schema_merge_key(field);
	struct node_items gone = {0}, order = {0};
	struct found found;
	struct sorted *o, *m;
	uint32_t i = 0, j = 0;
	bool same;

	TRY(sort_list(a, original, true, merge_key, &o));
	TRY(sort_list(a, modified, true, merge_key, &m));
	found_init(a, &found, m, modified->n);
	while (i < original->n || j < modified->n) {
		int c = i == original->n   ? 1
			: j == modified->n ? -1
					   : str_cmp(o[i].text, m[j].text);
		const struct node *change = NULL;

		if (c == 0) {
			TRY(diff_maps(a, item, w, o[i].value, m[j].value, depth + 1, &change));
			if (change->n)
				change = node_set(a, change, merge_key,
						  node_get(m[j].value, merge_key));
			else
				change = NULL;
		} else if (c > 0 && !w.no_changes) {
			change = m[j].value;
		} else if (c < 0 && !w.no_deletions) {
			*ARENA_PUSH(a, &gone) =
				deletion(a, merge_key, node_get(o[i].value, merge_key));
		}
		if (change)
			found_add(a, &found, m[j].text, change);
		i += c <= 0;
		j += c >= 0;
	}
	in_order(a, &found, &ret->changes);
	for (size_t k = 0; k < gone.n; k++)
		*ARENA_PUSH(a, &ret->changes) = gone.p[k];
	TRY(same_order(original, modified, merge_key, &same));
	if ((same || w.no_changes) && !ret->changes.n)
		return NULL;
	for (uint32_t k = 0; k < modified->n; k++)
		*ARENA_PUSH(a, &order) =
			one_key(a, merge_key, node_get(modified->items[k], merge_key));
	ret->order = smp_list(a, &order, modified);
	return NULL;
}

static struct err *diff_lists(struct arena *a, const struct obj_schema *field, struct ways w,
			      const struct node *original, const struct node *modified,
			      unsigned depth, struct list_patch *ret)
{
	bool maps, any;

	if (!original->n) {
		for (uint32_t i = 0; !w.no_changes && i < modified->n; i++)
			*ARENA_PUSH(a, &ret->changes) = modified->items[i];
		return NULL;
	}
	TRY(smp_element_kind(original, modified, &maps, &any));
	if (!maps)
		return diff_scalars(a, w, original, modified, ret);
	w.retain = smp_retains(field);
	return diff_elements(a, field, w, original, modified, depth, ret);
}

/* ------------------------------------------------------------------ maps */

static struct err *diff_list_field(struct arena *a, const struct obj_schema *field, struct ways w,
				   str key, const struct node *original,
				   const struct node *modified, unsigned depth, struct draft *patch)
{
	struct list_patch p = {0};

	if (!smp_merges(field)) {
		if (!w.no_changes && !node_equal_strict(original, modified))
			draft_set(patch, key, modified);
		return NULL;
	}
	TRY(diff_lists(a, field, w, original, modified, depth, &p));
	if (p.order && p.order->n)
		draft_set(patch, arena_printf(a, SMP_ORDER STR_FMT, STR_ARG(key)), p.order);
	if (p.drops.n)
		draft_set(patch, arena_printf(a, SMP_DROP STR_FMT, STR_ARG(key)),
			  smp_list(a, &p.drops, original));
	if (p.changes.n)
		draft_set(patch, key, smp_list(a, &p.changes, modified));
	return NULL;
}

static struct err *diff_field(struct arena *a, const struct obj_schema *s, struct ways w, str key,
			      const struct node *original, const struct node *modified,
			      unsigned depth, struct draft *patch)
{
	const struct obj_schema *field = obj_schema_field(s, key);

	if (str_eq(key, STR(SMP_PATCH))) {
		if (original->kind != NODE_STRING || modified->kind != NODE_STRING)
			return err_at(ERR_INVALID, modified->at, "'$patch' must be a string");
		if (!str_eq(original->text, modified->text))
			draft_set(patch, key, modified);
		return NULL;
	}
	if (original->kind == modified->kind && modified->kind == NODE_MAP) {
		const struct node *child;
		struct ways below = w;

		if (obj_schema_whole(field)) {
			if (!w.no_changes)
				draft_set(patch, key, modified); /* even when equal */
			return NULL;
		}
		below.retain = smp_retains(field);
		TRY(diff_maps(a, field, below, original, modified, depth + 1, &child));
		if (child->n)
			draft_set(patch, key, child);
		return NULL;
	}
	if (original->kind == modified->kind && modified->kind == NODE_LIST)
		return diff_list_field(a, field, w, key, original, modified, depth, patch);
	if (!w.no_changes && !node_equal_strict(original, modified))
		draft_set(patch, key, modified);
	return NULL;
}

static const struct node *retained_keys(struct arena *a, const struct node *modified)
{
	struct node_items v = {0};
	struct sorted *keys = ARENA_ARRAY(a, struct sorted, modified->n);
	size_t n = 0;

	for (uint32_t i = 0; i < modified->n; i++)
		if (modified->pairs[i].value->kind != NODE_NULL)
			keys[n++] = (struct sorted){modified->pairs[i].key, NULL, i};
	if (n)
		qsort(keys, n, sizeof(*keys), by_text);
	for (size_t i = 0; i < n; i++)
		*ARENA_PUSH(a, &v) = node_new_str(a, keys[i].text);
	return smp_list(a, &v, modified);
}

static bool lacks_a_key(const struct node *modified, const struct node *original)
{
	for (uint32_t i = 0; i < original->n; i++)
		if (original->pairs[i].value->kind != NODE_NULL &&
		    !node_get(modified, original->pairs[i].key))
			return true;
	return false;
}

static struct err *diff_maps(struct arena *a, const struct obj_schema *s, struct ways w,
			     const struct node *original, const struct node *modified,
			     unsigned depth, const struct node **ret)
{
	struct draft patch;

	TRY(smp_too_deep(modified, depth));
	draft_init(&patch, a, NULL);
	for (uint32_t i = 0; i < modified->n; i++) {
		const struct node_pair *m = &modified->pairs[i];
		const struct node *o = node_get(original, m->key);

		if (o)
			TRY(diff_field(a, s, w, m->key, o, m->value, depth, &patch));
		else if (!w.no_changes)
			draft_set(&patch, m->key, m->value);
	}
	for (uint32_t i = 0; !w.no_deletions && i < original->n; i++)
		if (!node_get(modified, original->pairs[i].key))
			draft_set(&patch, original->pairs[i].key, node_null(a));
	if (w.retain && (draft_count(&patch) || lacks_a_key(modified, original))) {
		const struct node *keys = retained_keys(a, modified);

		if (keys->n)
			draft_set(&patch, STR(SMP_RETAIN), keys);
	}
	*ret = draft_node(&patch);
	return NULL;
}

/* ------------------------------------------------------------------ conflicts */

static struct err *in_conflict(struct arena *a, const struct obj_schema *s, const struct node *x,
			       const struct node *y, unsigned depth, bool *ret);

static bool one_has_a_marker(const struct node *x, const struct node *y)
{
	const struct node *l = node_get(x, STR(SMP_PATCH)), *r = node_get(y, STR(SMP_PATCH));

	return (l || r) && !(l && r && node_equal_strict(l, r));
}

static struct err *maps_conflict(struct arena *a, const struct obj_schema *s, const struct node *x,
				 const struct node *y, unsigned depth, bool *ret)
{
	*ret = one_has_a_marker(x, y);
	for (uint32_t i = 0; !*ret && !obj_schema_whole(s) && i < x->n; i++) {
		str key = x->pairs[i].key;
		const struct node *other = node_get(y, key);

		if (!other || str_eq(key, STR(SMP_PATCH)) || str_eq(key, STR(SMP_RETAIN)) ||
		    str_starts(key, STR(SMP_ORDER)) || str_starts(key, STR(SMP_DROP)))
			continue;
		TRY(in_conflict(a, obj_schema_field(s, key), x->pairs[i].value, other, depth + 1,
				ret));
	}
	return NULL;
}

static struct err *lists_conflict(struct arena *a, const struct obj_schema *s, const struct node *x,
				  const struct node *y, unsigned depth, bool *ret)
{
	str merge_key = obj_schema_merge_key(s);
	struct keys keys;
	bool maps, any;

	*ret = false;
	TRY(smp_element_kind(x, y, &maps, &any));
	if (!smp_merges(s)) {
		*ret = x->n != y->n;
		for (uint32_t i = 0; !*ret && i < x->n; i++)
			TRY(in_conflict(a, NULL, x->items[i], y->items[i], depth + 1, ret));
		return NULL;
	}
	if (!maps)
		return NULL; /* scalars of a set never conflict */
	keys_init(&keys, a);
	for (uint32_t i = 0; i < y->n; i++) {
		const struct node *key;

		TRY(smp_key(y->items[i], merge_key, &key));
		keys_add(&keys, smp_scalar_text(a, key, true), i);
	}
	for (uint32_t i = 0; !*ret && i < x->n; i++) {
		const struct node *key;
		size_t at;

		TRY(smp_key(x->items[i], merge_key, &key));
		at = keys_get(&keys, smp_scalar_text(a, key, true));
		if (at != SIZE_MAX)
			TRY(maps_conflict(a, obj_schema_item(s), x->items[i], y->items[at],
					  depth + 1, ret));
	}
	return NULL;
}

static struct err *in_conflict(struct arena *a, const struct obj_schema *s, const struct node *x,
			       const struct node *y, unsigned depth, bool *ret)
{
	TRY(smp_too_deep(x, depth));
	*ret = true;
	if (x->kind != y->kind)
		return NULL;
	if (x->kind == NODE_MAP)
		return maps_conflict(a, s, x, y, depth, ret);
	if (x->kind == NODE_LIST)
		return lists_conflict(a, s, x, y, depth, ret);
	*ret = !node_equal_strict(x, y);
	return NULL;
}

/* ------------------------------------------------------------------ outside */

static struct err *need_map(struct arena *a, const struct node *n, const char *what,
			    const struct node **ret)
{
	*ret = n ? n : node_new_map(a, NULL, 0);
	if ((*ret)->kind != NODE_MAP)
		return err_at(ERR_WRONG_TYPE, n->at, "%s must be a map, not %s", what,
			      node_kind_name(n->kind));
	return NULL;
}

struct err *diff_two_way(struct arena *a, const struct obj_schema *s, const struct node *original,
			 const struct node *modified, const struct node **ret)
{
	TRY(need_map(a, original, "the original", &original));
	TRY(need_map(a, modified, "the modified object", &modified));
	return diff_maps(a, s, (struct ways){0}, original, modified, 0, ret);
}

struct err *diff_three_way(struct arena *a, const struct obj_schema *s, const struct node *applied,
			   const struct node *desired, const struct node *live, bool overwrite,
			   const struct node **ret)
{
	const struct node *delta, *deletions, *patch, *changed;
	bool conflict;

	TRY(need_map(a, applied, "last-applied", &applied));
	TRY(need_map(a, desired, "the desired object", &desired));
	TRY(need_map(a, live, "the live object", &live));
	TRY(diff_maps(a, s, (struct ways){.no_deletions = true}, live, desired, 0, &delta));
	TRY(diff_maps(a, s, (struct ways){.no_changes = true}, applied, desired, 0, &deletions));
	TRY(smp_merge_maps(a, s, deletions, delta, true, 0, &patch));
	if (!overwrite) {
		TRY(diff_maps(a, s, (struct ways){0}, applied, live, 0, &changed));
		TRY(maps_conflict(a, s, patch, changed, 0, &conflict));
		if (conflict)
			return err_at(ERR_CONFLICT, desired->at,
				      "desired and live both changed a field since last-applied");
	}
	*ret = patch;
	return NULL;
}
