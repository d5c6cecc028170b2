/* Lists that merge by keys, as kyaml merges them. Elements are told apart by tuples of their
 * values; each tuple's elements of both lists are merged and set in a new list, behind which the
 * rest of the old one is set. What "set" does to elements that lack a key is odd, and is kyaml's
 * ElementSetter to the letter. Where every element has the only key there is nothing odd, and an
 * index makes it linear. */
#include <assert.h>

#include "merge_priv.h"

#define MAX_KEYS MERGE_MAX_KEYS
struct tuple {
	str v[MAX_KEYS];
};
struct tuples {
	struct tuple *p;
	size_t n, cap;
};
/* One list being merged. */
struct list {
	struct arena *a;
	str keys[MAX_KEYS]; /* none: scalars */
	size_t n_keys;
	struct node_items dest, out;
	const struct node *patch; /* NULL: absent */
	bool same;                /* dest is patch: what happens to the one happens to the other */
	struct tuples tuples;
	size_t valid[MAX_KEYS], n_valid; /* the keys that any element has */
	/* First place of a value of the only key (or of a scalar); NULL: look at each element. */
	struct places *in_dest, *in_patch, *in_out;
};

/* A hash table of places in a list by text: open addressing, twice the size at most half full. */
struct places {
	struct {
		str key;
		size_t at; /* +1; 0: free */
	} * p;
	size_t n, cap;
};

static struct places *places_new(struct arena *a, size_t n)
{
	struct places *t = ARENA_NEW(a, struct places);

	t->cap = 8;
	while (t->cap < 2 * n)
		t->cap *= 2;
	t->p = arena_alloc_array(a, t->cap, sizeof(t->p[0]));
	return t;
}

/* The place of key, SIZE_MAX when there is none; with `at` it is put there when absent. */
static size_t places_find(struct places *t, str key, size_t at)
{
	size_t i = str_hash(key) & (t->cap - 1);

	while (t->p[i].at > 0 && !str_eq(t->p[i].key, key))
		i = (i + 1) & (t->cap - 1);
	if (t->p[i].at > 0)
		return t->p[i].at - 1;
	if (at != SIZE_MAX) {
		assert(2 * ++t->n <= t->cap + 2);
		t->p[i].key = key;
		t->p[i].at = at + 1;
	}
	return SIZE_MAX;
}

/* The value of a key as text, "" when it has none. */
static str key_of(const struct list *l, const struct node *e, size_t k)
{
	const struct node *v = l->n_keys == 0 ? e : node_get(e, l->keys[k]);

	return v && merge_is_scalar(v) ? v->text : STR("");
}

static size_t width(const struct list *l)
{
	return l->n_keys == 0 ? 1 : l->n_keys;
}

static bool tuple_eq(const struct list *l, const struct tuple *x, const struct tuple *y)
{
	for (size_t k = 0; k < width(l); k++)
		if (!str_eq(x->v[k], y->v[k]))
			return false;
	return true;
}

static struct err *check_element(const struct list *l, const struct node *e)
{
	if (l->n_keys > 0 ? !node_is(e, NODE_MAP) && !merge_missing(e) : !merge_is_scalar(e))
		return err_at(ERR_RENDER, e->at, "wrong node kind: expected %s, found %s",
			      l->n_keys > 0 ? node_kind_name(NODE_MAP) : "a scalar",
			      node_kind_name((enum node_kind)e->kind));
	return NULL;
}

static struct err *collect(struct list *l, const struct node *const *items, size_t n,
			   struct places *seen)
{
	for (size_t i = 0; i < n; i++) {
		struct tuple t = {0};
		bool old = false;

		TRY(check_element(l, items[i]));
		for (size_t k = 0; k < width(l); k++)
			t.v[k] = key_of(l, items[i], k);
		if (seen)
			old = places_find(seen, t.v[0], l->tuples.n) != SIZE_MAX;
		for (size_t j = 0; !seen && !old && j < l->tuples.n; j++)
			old = tuple_eq(l, &l->tuples.p[j], &t);
		if (!old)
			*ARENA_PUSH(l->a, &l->tuples) = t;
	}
	return NULL;
}

/* Two tuples that agree somewhere, and differ only where one has nothing, become their union. */
static void unite(struct list *l)
{
	for (size_t i = 0; i < l->tuples.n; i++)
		for (size_t j = 0; j < l->tuples.n; j++) {
			struct tuple *x = &l->tuples.p[i], *y = &l->tuples.p[j], u;
			size_t equal = 0;
			bool fits = i != j;

			for (size_t k = 0; k < l->n_keys; k++) {
				bool eq = str_eq(x->v[k], y->v[k]);

				equal += eq;
				fits &= eq || x->v[k].n == 0 || y->v[k].n == 0;
				u.v[k] = x->v[k].n > 0 ? x->v[k] : y->v[k];
			}
			if (fits && equal > 0 && equal < l->n_keys)
				for (size_t k = 0; k < l->n_keys; k++)
					x->v[k] = y->v[k] = u.v[k];
		}
}

static void find_valid(struct list *l)
{
	for (size_t k = 0; k < l->n_keys; k++) {
		bool any = false;

		for (size_t i = 0; !any && i < l->tuples.n; i++)
			any = l->tuples.p[i].v[k].n > 0;
		if (any)
			l->valid[l->n_valid++] = k;
	}
	if (l->n_valid == 0)
		while (l->n_valid < l->n_keys) {
			l->valid[l->n_valid] = l->n_valid;
			l->n_valid++;
		}
}

/* What the tuple has for the valid keys. */
static size_t valid_values(const struct list *l, const struct tuple *t, struct tuple *ret)
{
	if (l->n_keys == 0) {
		ret->v[0] = t->v[0];
		return 1;
	}
	for (size_t k = 0; k < l->n_valid; k++)
		ret->v[k] = t->v[l->valid[k]];
	return l->n_valid;
}

/* The first element that has what the tuple has; of a tuple that has nothing, one whose keys are
 * there and empty. */
static size_t lookup(const struct list *l, const struct node *const *items, size_t n,
		     struct places *ix, const struct tuple *t)
{
	bool none = true;

	if (ix) {
		size_t at = places_find(ix, t->v[0], SIZE_MAX);

		return at != SIZE_MAX && items[at] ? at : SIZE_MAX;
	}
	for (size_t k = 0; k < l->n_valid; k++)
		none &= t->v[l->valid[k]].n == 0;
	for (size_t i = 0; i < n; i++) {
		bool fits = node_is(items[i], NODE_MAP);

		for (size_t k = 0; k < l->n_valid && fits; k++) {
			size_t key = l->valid[k];

			if (none || t->v[key].n > 0)
				fits = node_get(items[i], l->keys[key]) &&
				       str_eq(key_of(l, items[i], key), t->v[key]);
		}
		if (fits)
			return i;
	}
	return SIZE_MAX;
}

/* Does e have the n values at the leading keys? A value "" wants the field to be there, whatever it
 * holds. */
static bool has_values(const struct list *l, const struct node *e, const str *v, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		size_t key = l->valid[k];

		if (!node_get(e, l->keys[key]) || (v[k].n > 0 && !str_eq(key_of(l, e, key), v[k])))
			return false;
	}
	return n > 0;
}

/* kyaml's ElementSetter: e takes the place of all that have the values, or goes to the end; NULL
 * deletes them. Empty elements go, and without values all do. */
static void set_element(struct list *l, struct node_items *v, const struct node *e,
			const str *values, size_t n)
{
	size_t kept = 0;
	bool found = false;

	for (size_t i = 0; i < v->n; i++) {
		const struct node *old = v->p[i];

		if (merge_missing(old) || (old->kind == NODE_MAP && old->n == 0))
			continue;
		if (!has_values(l, old, values, n)) {
			if (n > 0)
				v->p[kept++] = old;
			continue;
		}
		found = true;
		if (e)
			v->p[kept++] = e;
	}
	v->n = kept;
	if (e && !found)
		*ARENA_PUSH(l->a, v) = e;
}

/* The same where every element has the only key. */
static void set_indexed(struct list *l, const struct node *e, str key)
{
	size_t at = places_find(l->in_out, key, l->out.n);

	if (at != SIZE_MAX)
		l->out.p[at] = e;
	else
		*ARENA_PUSH(l->a, &l->out) = e;
}

static void drop_merged(struct list *l, size_t d, const struct tuple *valid, size_t n)
{
	if (!l->in_out) {
		set_element(l, &l->dest, NULL, valid->v, n);
		return;
	}
	if (d == SIZE_MAX)
		return;
	for (size_t i = 0; i < l->dest.n; i++)
		if (l->dest.p[i] && str_eq(key_of(l, l->dest.p[i], 0), valid->v[0]))
			l->dest.p[i] = NULL;
}

/* Makes sure that the element has the keys it is found by. */
static const struct node *with_keys(struct list *l, const struct node *e, const struct tuple *t)
{
	for (size_t k = 0; k < l->n_valid && l->n_keys > 0; k++) {
		size_t v = l->valid[k];

		if (t->v[v].n > 0 && !node_get(e, l->keys[v]))
			e = node_set(l->a, e, l->keys[v], node_new_str(l->a, t->v[v]));
	}
	return e;
}

static bool replaces(const struct node *old, const struct node *new)
{
	return old != new &&str_eq(node_get_text(new, STR("$patch")), STR("replace"));
}

static struct err *merge_tuple(struct list *l, const struct tuple *t, struct cursor c,
			       unsigned depth)
{
	size_t d = lookup(l, l->dest.p, l->dest.n, l->in_dest, t), p = SIZE_MAX;
	const struct node *old = d == SIZE_MAX ? NULL : l->dest.p[d], *new = NULL, *v;
	struct tuple valid;
	size_t n_valid = valid_values(l, t, &valid);

	if (l->same) {
		new = old;
	} else if (l->patch) {
		p = lookup(l, l->patch->items, l->patch->n, l->in_patch, t);
		new = p == SIZE_MAX ? NULL : l->patch->items[p];
	}
	TRY(merge_any(l->a, old, new, (struct cursor){c.all, c.type, NULL}, depth + 1, &v));
	if (merge_missing(v) || (v->kind == NODE_MAP && v->n == 0)) {
		drop_merged(l, d, &valid, n_valid);
		return NULL;
	}
	v = with_keys(l, v, t);
	/* The element that takes the place of another is overwritten by it in the end. */
	if (d != SIZE_MAX && !replaces(old, new))
		l->dest.p[d] = v;
	if (l->in_out)
		set_indexed(l, v, valid.v[0]);
	else
		set_element(l, &l->out, v, valid.v, n_valid);
	return NULL;
}

/* What dest has beside the merged ones goes behind them; the merged ones are set once more. The
 * values that an element has are compared with the leading keys, whichever they are of. */
static void append_rest(struct list *l)
{
	for (size_t i = 0; i < l->dest.n; i++) {
		const struct node *e = l->dest.p[i];
		struct tuple v;
		size_t n = 0;

		if (!e)
			continue;
		if (l->in_out) {
			set_indexed(l, e, key_of(l, e, 0));
			continue;
		}
		for (size_t k = 0; k < l->n_valid; k++) {
			if (node_get(e, l->keys[l->valid[k]]))
				v.v[n++] = key_of(l, e, l->valid[k]);
			else
				*ARENA_PUSH(l->a, &l->out) = e;
		}
		if (l->n_valid > 1)
			set_element(l, &l->out, NULL, v.v, n);
		set_element(l, &l->out, e, v.v, n);
	}
}

static struct places *index_of(struct list *l, const struct node *const *items, size_t n)
{
	struct places *t = places_new(l->a, n);

	for (size_t i = 0; i < n; i++)
		places_find(t, key_of(l, items[i], 0), i);
	return t;
}

static struct err *split_keys(struct list *l, const char *keys)
{
	str rest = str_from(keys), k;

	if (str_eq(rest, STR("-")))
		return NULL;
	while (str_split(&rest, ',', &k)) {
		assert(l->n_keys < MAX_KEYS);
		l->keys[l->n_keys++] = k;
	}
	return NULL;
}

static bool same_items(const struct node *list, const struct node_items *v)
{
	if (list->n != v->n)
		return false;
	for (size_t i = 0; i < v->n; i++)
		if (list->items[i] != v->p[i])
			return false;
	return true;
}

/* Has every element the only key? */
static bool is_simple(const struct list *l)
{
	if (l->n_keys > 1)
		return false;
	for (size_t i = 0; l->n_keys == 1 && i < l->tuples.n; i++)
		if (l->tuples.p[i].v[0].n == 0)
			return false;
	return true;
}

struct err *merge_elements(struct arena *a, const struct node *dest, const struct node *patch,
			   struct cursor c, unsigned depth, const struct node **ret)
{
	struct list l = {.a = a, .patch = patch, .same = dest == patch};
	struct places *seen = NULL;
	struct node_items out = {0};
	size_t most = dest->n + (patch ? patch->n : 0);

	TRY(split_keys(&l, c.keys));
	for (uint32_t i = 0; i < dest->n; i++)
		*ARENA_PUSH(a, &l.dest) = dest->items[i];
	if (width(&l) == 1)
		seen = places_new(a, most);
	if (l.n_keys > 1 && most > MERGE_MAX_TUPLES)
		return err_at(ERR_RENDER_LIMIT, dest->at,
			      "a list that is merged by '%s' has more than %u elements", c.keys,
			      MERGE_MAX_TUPLES);
	if (patch)
		TRY(collect(&l, patch->items, patch->n, seen));
	TRY(collect(&l, dest->items, dest->n, seen));
	if (is_simple(&l)) {
		l.in_dest = index_of(&l, dest->items, dest->n);
		l.in_patch = patch ? index_of(&l, patch->items, patch->n) : NULL;
		l.in_out = places_new(a, most);
	} else if (most > MERGE_MAX_TUPLES) {
		return err_at(ERR_RENDER_LIMIT, dest->at,
			      "a list of more than %u elements is merged by '%s', which some lack",
			      MERGE_MAX_TUPLES, c.keys);
	}
	if (l.n_keys > 1)
		unite(&l);
	find_valid(&l);
	for (size_t i = 0; i < l.tuples.n; i++)
		TRY(merge_tuple(&l, &l.tuples.p[i], c, depth));
	append_rest(&l);
	for (size_t i = 0; i < l.out.n; i++)
		if (l.out.p[i])
			*ARENA_PUSH(a, &out) = l.out.p[i];
	if (same_items(dest, &out)) {
		*ret = dest;
		return NULL;
	}
	struct node *n = ARENA_NEW(a, struct node);

	*n = *node_new_list(a, out.p, out.n);
	n->at = dest->at;
	n->style = dest->style;
	n->by = dest->by;
	*ret = n;
	return NULL;
}
