/* Making nodes, and new maps and lists from old ones. */
#include "node_priv.h"
#include <assert.h>
#include <stdlib.h>

static void items_copy(const struct node **to, const struct node *const *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = from[i];
}

static struct node *node_new(struct arena *a, enum node_kind k)
{
	struct node *n = ARENA_NEW(a, struct node);

	n->kind = k;
	return n;
}

const struct node *node_null(struct arena *a)
{
	struct node *n = node_new(a, NODE_NULL);

	n->text = STR("null");
	return n;
}

const struct node *node_new_bool(struct arena *a, bool v)
{
	struct node *n = node_new(a, NODE_BOOL);

	n->text = v ? STR("true") : STR("false");
	return n;
}

const struct node *node_new_int(struct arena *a, int64_t v)
{
	struct node *n = node_new(a, NODE_INT);

	n->text = arena_printf(a, "%lld", (long long)v);
	return n;
}

const struct node *node_new_str(struct arena *a, str s)
{
	return node_new_scalar(a, NODE_STRING, NODE_PLAIN, s);
}

const struct node *node_new_scalar(struct arena *a, enum node_kind k, enum node_style st, str text)
{
	struct node *n = node_new(a, k);

	assert(k != NODE_LIST && k != NODE_MAP);
	n->style = st;
	n->text = arena_str(a, text);
	return n;
}

const struct node *node_new_list(struct arena *a, const struct node *const *items, size_t n)
{
	struct node *l = node_new(a, NODE_LIST);
	const struct node **copy = n ? ARENA_ARRAY(a, const struct node *, n) : NULL;

	assert(n <= UINT32_MAX);
	if (n)
		items_copy(copy, items, n);
	l->items = copy;
	l->n = (uint32_t)n;
	return l;
}

bool map_index(struct arena *a, struct node *map, size_t twice[2])
{
	size_t cap = 32, n = map->n;
	uint32_t *slot;

	map->index = NULL;
	if (n < MAP_INDEX_FROM) {
		for (size_t i = 1; twice && i < n; i++) {
			for (size_t k = 0; k < i; k++) {
				if (str_eq(map->pairs[i].key, map->pairs[k].key)) {
					twice[0] = k;
					twice[1] = i;
					return false;
				}
			}
		}
		return true;
	}
	while (cap < n * 2)
		cap *= 2;
	/* slot[0] is the mask; a slot holds the position + 1. */
	slot = ARENA_ARRAY(a, uint32_t, cap + 1);
	assert(map->pairs);
	slot[0] = (uint32_t)(cap - 1);
	for (size_t i = 0; i < n; i++) {
		size_t h = str_hash(map->pairs[i].key) & (cap - 1);

		for (; slot[h + 1]; h = (h + 1) & (cap - 1)) {
			size_t k = slot[h + 1] - 1;

			if (twice && str_eq(map->pairs[i].key, map->pairs[k].key)) {
				twice[0] = k;
				twice[1] = i;
				return false;
			}
		}
		slot[h + 1] = (uint32_t)i + 1;
	}
	map->index = slot;
	return true;
}

/* Takes the pairs as they are. */
static struct node *map_of(struct arena *a, const struct node_pair *pairs, size_t n)
{
	struct node *m = node_new(a, NODE_MAP);

	assert(n <= UINT32_MAX / 4);
	m->pairs = pairs;
	m->n = (uint32_t)n;
	map_index(a, m, NULL);
	return m;
}

const struct node *node_new_map(struct arena *a, const struct node_pair *pairs, size_t n)
{
	struct node_pair *copy = n ? ARENA_ARRAY(a, struct node_pair, n) : NULL;

	if (n)
		memcpy(copy, pairs, n * sizeof(pairs[0]));
	return map_of(a, copy, n);
}

const struct node *node_with_by(struct arena *a, const struct node *n, const struct node *by)
{
	struct node *copy = ARENA_NEW(a, struct node);

	*copy = *n;
	copy->by = by;
	return copy;
}

const struct node *node_with_style(struct arena *a, const struct node *n, enum node_style st)
{
	struct node *copy = ARENA_NEW(a, struct node);

	*copy = *n;
	copy->style = st;
	return copy;
}

/* A new head for the pairs: place, style and maker stay. */
static const struct node *map_like(struct arena *a, const struct node *old,
				   const struct node_pair *pairs, size_t n, bool same_keys)
{
	struct node *m = node_new(a, NODE_MAP);

	if (old) {
		m->style = old->style;
		m->at = old->at;
		m->by = old->by;
	}
	m->pairs = pairs;
	m->n = (uint32_t)n;
	if (same_keys)
		m->index = old->index;
	else
		map_index(a, m, NULL);
	return m;
}

const struct node *node_insert(struct arena *a, const struct node *map, size_t at, str key,
			       const struct node *value)
{
	size_t n = map ? map->n : 0;
	struct node_pair *p = ARENA_ARRAY(a, struct node_pair, n + 1);

	assert(value && (!map || map->kind == NODE_MAP));
	if (at > n)
		at = n;
	if (at)
		memcpy(p, map->pairs, at * sizeof(*p));
	p[at] = (struct node_pair){.key = arena_str(a, key), .key_at = value->at, .value = value};
	if (n > at)
		memcpy(p + at + 1, map->pairs + at, (n - at) * sizeof(*p));
	return map_like(a, map, p, n + 1, false);
}

const struct node *node_set(struct arena *a, const struct node *map, str key,
			    const struct node *value)
{
	size_t i = node_index_of(map, key);
	struct node_pair *p;

	if (i == SIZE_MAX)
		return node_insert(a, map, SIZE_MAX, key, value);
	if (map->pairs[i].value == value)
		return map;
	p = ARENA_ARRAY(a, struct node_pair, map->n);
	memcpy(p, map->pairs, map->n * sizeof(*p));
	p[i].value = value;
	return map_like(a, map, p, map->n, true);
}

const struct node *node_del(struct arena *a, const struct node *map, str key)
{
	size_t i = node_index_of(map, key), n;
	struct node_pair *p;

	if (i == SIZE_MAX)
		return map;
	n = map->n - 1;
	p = ARENA_ARRAY(a, struct node_pair, n);
	if (i)
		memcpy(p, map->pairs, i * sizeof(*p));
	if (n > i)
		memcpy(p + i, map->pairs + i + 1, (n - i) * sizeof(*p));
	return map_like(a, map, p, n, false);
}

static const struct node *list_like(struct arena *a, const struct node *old,
				    const struct node **items, size_t n)
{
	struct node *l = node_new(a, NODE_LIST);

	if (old) {
		l->style = old->style;
		l->at = old->at;
		l->by = old->by;
	}
	l->items = items;
	l->n = (uint32_t)n;
	return l;
}

const struct node *node_list_set(struct arena *a, const struct node *list, size_t i,
				 const struct node *value)
{
	const struct node **p = ARENA_ARRAY(a, const struct node *, list->n);

	assert(list->kind == NODE_LIST && i < list->n);
	items_copy(p, list->items, list->n);
	p[i] = value;
	return list_like(a, list, p, list->n);
}

const struct node *node_list_insert(struct arena *a, const struct node *list, size_t i,
				    const struct node *value)
{
	size_t n = list ? list->n : 0;
	const struct node **p = ARENA_ARRAY(a, const struct node *, n + 1);

	assert(value && (!list || list->kind == NODE_LIST));
	if (i > n)
		i = n;
	if (i)
		items_copy(p, list->items, i);
	p[i] = value;
	if (n > i)
		items_copy(p + i + 1, list->items + i, n - i);
	return list_like(a, list, p, n + 1);
}

const struct node *node_list_add(struct arena *a, const struct node *list, const struct node *value)
{
	return node_list_insert(a, list, SIZE_MAX, value);
}

const struct node *node_list_del(struct arena *a, const struct node *list, size_t i)
{
	size_t n = list->n - 1;
	const struct node **p;

	assert(list->kind == NODE_LIST && i < list->n);
	p = n ? ARENA_ARRAY(a, const struct node *, n) : NULL;
	if (i)
		items_copy(p, list->items, i);
	if (n > i)
		items_copy(p + i, list->items + i + 1, n - i);
	return list_like(a, list, p, n);
}

static int pair_cmp(const void *a, const void *b)
{
	const struct node_pair *x = a, *y = b;

	return str_cmp(x->key, y->key);
}

static int pair_cmp_natural(const void *a, const void *b)
{
	const struct node_pair *x = a, *y = b;

	return node_key_cmp(x->key, y->key);
}

typedef int cmp_fn(const void *, const void *);

static const struct node *sorted(struct arena *a, const struct node *n, cmp_fn *cmp, unsigned depth)
{
	assert(depth < NODE_WALK_DEPTH);
	if (n->kind == NODE_LIST) {
		const struct node **p = NULL;

		for (size_t i = 0; i < n->n; i++) {
			const struct node *v = sorted(a, n->items[i], cmp, depth + 1);

			if (v == n->items[i] && !p)
				continue;
			if (!p) {
				p = ARENA_ARRAY(a, const struct node *, n->n);
				items_copy(p, n->items, n->n);
			}
			p[i] = v;
		}
		return p ? list_like(a, n, p, n->n) : n;
	}
	if (n->kind == NODE_MAP) {
		struct node_pair *p = NULL;
		bool ordered = true;

		for (size_t i = 1; i < n->n && ordered; i++)
			ordered = cmp(&n->pairs[i - 1], &n->pairs[i]) < 0;
		if (!ordered) {
			p = ARENA_ARRAY(a, struct node_pair, n->n);
			memcpy(p, n->pairs, n->n * sizeof(*p));
			qsort(p, n->n, sizeof(*p), cmp);
		}
		for (size_t i = 0; i < n->n; i++) {
			const struct node *was = p ? p[i].value : n->pairs[i].value;
			const struct node *v = sorted(a, was, cmp, depth + 1);

			if (v == was)
				continue;
			if (!p) {
				p = ARENA_ARRAY(a, struct node_pair, n->n);
				memcpy(p, n->pairs, n->n * sizeof(*p));
			}
			p[i].value = v;
		}
		return p ? map_like(a, n, p, n->n, ordered) : n;
	}
	return n;
}

const struct node *node_sorted(struct arena *a, const struct node *n)
{
	return sorted(a, n, pair_cmp, 0);
}

const struct node *node_sorted_natural(struct arena *a, const struct node *n)
{
	return sorted(a, n, pair_cmp_natural, 0);
}

static const struct node *dup(struct arena *a, const struct node *n, unsigned depth)
{
	struct node *copy = ARENA_NEW(a, struct node);

	assert(depth < NODE_WALK_DEPTH);
	*copy = *n;
	if (n->by)
		copy->by = dup(a, n->by, depth + 1);
	if (n->kind == NODE_LIST && n->n) {
		const struct node **p = ARENA_ARRAY(a, const struct node *, n->n);

		for (size_t i = 0; i < n->n; i++)
			p[i] = dup(a, n->items[i], depth + 1);
		copy->items = p;
	} else if (n->kind == NODE_MAP) {
		struct node_pair *p = ARENA_ARRAY(a, struct node_pair, n->n);

		for (size_t i = 0; i < n->n; i++) {
			p[i] = n->pairs[i];
			p[i].key = arena_str(a, p[i].key);
			p[i].value = dup(a, p[i].value, depth + 1);
		}
		copy->pairs = p;
		map_index(a, copy, NULL);
	} else if (n->kind != NODE_LIST) {
		copy->text = arena_str(a, n->text);
	}
	return copy;
}

const struct node *node_dup(struct arena *a, const struct node *n)
{
	return dup(a, n, 0);
}

void node_pairs_add(struct arena *a, struct node_pairs *v, str key, const struct node *value)
{
	assert(value);
	*ARENA_PUSH(a, v) =
		(struct node_pair){.key = arena_str(a, key), .key_at = value->at, .value = value};
}

str key_cached(struct arena *a, struct key_cache *c, str key)
{
	str *slot;
	unsigned h;

	if (!key.n || key.n > 64)
		return arena_str(a, key);
	h = (unsigned)key.n * 31u + (unsigned char)key.p[0] * 7u +
	    (unsigned char)key.p[key.n - 1] * 13u + (unsigned char)key.p[key.n / 2] * 5u;
	slot = &c->slot[h % ARRAY_LEN(c->slot)];
	if (slot->n != key.n || memcmp(slot->p, key.p, key.n) != 0)
		*slot = arena_str(a, key);
	return *slot;
}
