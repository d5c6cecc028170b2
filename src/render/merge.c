/* kustomize's strategic merge (kyaml's merge2 with prepended list elements), quirks and all:
 * whatever looks odd here is what `kustomize build` v5.8.1 prints. */
#include <assert.h>

#include "merge.h"
#include "render_priv.h"

/* What is known of the value at hand. */
struct cursor {
	const struct merge_types *all; /* NULL: the built-in ones */
	const struct merge_type *type; /* NULL: nothing */
	const char *keys;              /* not NULL: a list merged by these */
};

/* How a map or list says that it wants to be merged. */
enum directive { MERGE_NORMAL, MERGE_DELETE, MERGE_REPLACE };

static struct err *merge(struct arena *a, const struct node *dest, const struct node *patch,
			 struct cursor c, unsigned depth, const struct node **ret);

static bool missing(const struct node *n)
{
	/* `{a: }` prints as an empty text, and merges as nothing. */
	return !n || n->kind == NODE_NULL ||
	       (n->kind == NODE_STRING && n->style == NODE_FLOW && !n->text.n);
}

static bool is_scalar(const struct node *n)
{
	return n->kind != NODE_MAP && n->kind != NODE_LIST;
}

static struct err *read_directive(const struct node *v, enum directive *ret)
{
	str word = node_text(v);

	if (str_eq(word, STR("delete")))
		*ret = MERGE_DELETE;
	else if (str_eq(word, STR("replace")))
		*ret = MERGE_REPLACE;
	else if (str_eq(word, STR("merge")))
		*ret = MERGE_NORMAL;
	else
		return err_hint(err_at(ERR_RENDER, v->at, "unknown patch strategy '" STR_FMT "'",
				       STR_ARG(word)),
				"write 'delete', 'replace' or 'merge'");
	return NULL;
}

/* Takes the directive off *patch. */
static struct err *map_directive(struct arena *a, const struct node **patch, enum directive *ret)
{
	const struct node *v = node_get(*patch, STR("$patch"));

	*ret = MERGE_NORMAL;
	if (!v)
		return NULL;
	TRY(read_directive(v, ret));
	*patch = node_del(a, *patch, STR("$patch"));
	return NULL;
}

/* An element that is nothing but a directive speaks for the list. */
static struct err *list_directive(struct arena *a, const struct node **patch, enum directive *ret)
{
	*ret = MERGE_NORMAL;
	for (uint32_t i = 0; node_is(*patch, NODE_LIST) && i < (*patch)->n; i++) {
		const struct node *e = (*patch)->items[i];
		const struct node *v = node_get(e, STR("$patch"));

		if (!v || e->n != 1)
			continue;
		TRY(read_directive(v, ret));
		*patch = node_list_del(a, *patch, i);
		return NULL;
	}
	return NULL;
}

/* ------------------------------------------------------------------ scalars */

static bool quoted(const struct node *n)
{
	return n->kind == NODE_STRING && n->style != NODE_PLAIN && n->style != NODE_FLOW;
}

/* The new value keeps the quotes of the old: `1` over "5" is the string "1". */
static const struct node *merge_scalar(struct arena *a, const struct node *dest,
				       const struct node *patch)
{
	const struct node *v = patch;

	if (!patch)
		return res_is_untyped(dest)
			       ? node_new_scalar(a, NODE_STRING, NODE_DOUBLE, dest->text)
			       : dest;
	if (patch->kind == NODE_NULL)
		return NULL;
	if (dest && quoted(dest) && patch->kind != NODE_STRING)
		v = node_new_scalar(a, NODE_STRING, (enum node_style)dest->style, patch->text);
	return node_with_by(a, v, patch);
}

/* ------------------------------------------------------------------ maps */

static struct cursor field_of(struct cursor c, str name)
{
	const struct merge_type *t = c.type;

	if (t)
		for (const struct merge_field *f = t->fields; f->name; f++)
			if (str_eq(str_from(f->name), name))
				return (struct cursor){c.all, f->type, f->keys};
	return (struct cursor){c.all, t ? t->any : NULL, NULL};
}

/* What is known of a field; a comment on either side says more than a schema. */
static struct cursor hinted_field(struct cursor c, const struct node_pair *dest,
				  const struct node *patch)
{
	size_t at = node_index_of(patch, dest->key);
	struct merge_field f;

	if (c.all && (merge_hint(c.all, dest->key_at, &f) ||
		      (at != SIZE_MAX && merge_hint(c.all, patch->pairs[at].key_at, &f))))
		return (struct cursor){c.all, f.type, f.keys};
	return field_of(c, dest->key);
}

/* Every field of either side, merged. */
static struct err *merge_fields(struct arena *a, const struct node *dest, const struct node *patch,
				struct cursor c, unsigned depth, const struct node **ret)
{
	struct node_pairs out = {0};
	bool changed = false;

	for (uint32_t i = 0; i < dest->n; i++) {
		const struct node_pair *p = &dest->pairs[i];
		const struct node *v;

		TRY(merge(a, p->value, node_get(patch, p->key), hinted_field(c, p, patch),
			  depth + 1, &v));
		changed |= v != p->value;
		if (v) {
			node_pairs_add(a, &out, p->key, v);
			out.p[out.n - 1].key_at = p->key_at;
			out.p[out.n - 1].key_style = p->key_style;
		}
	}
	for (uint32_t i = 0; patch && patch != dest && i < patch->n; i++) {
		const struct node_pair *p = &patch->pairs[i];
		const struct node *v;

		if (node_get(dest, p->key))
			continue;
		TRY(merge(a, NULL, p->value, hinted_field(c, p, NULL), depth + 1, &v));
		if (v) {
			changed = true;
			node_pairs_add(a, &out, p->key, node_with_by(a, v, p->value));
			out.p[out.n - 1].key_at = p->key_at;
			out.p[out.n - 1].key_style = p->key_style;
		}
	}
	if (!changed) {
		*ret = dest;
		return NULL;
	}
	struct node *n = ARENA_NEW(a, struct node);

	*n = *node_new_map(a, out.p, out.n);
	n->at = dest->at;
	n->style = dest->style;
	n->by = dest->by;
	*ret = n;
	return NULL;
}

static struct err *merge_map(struct arena *a, const struct node *dest, const struct node *patch,
			     struct cursor c, unsigned depth, const struct node **ret)
{
	bool same = dest == patch;
	enum directive how = MERGE_NORMAL;

	*ret = NULL;
	if (missing(dest)) {
		if (!patch) {
			/* An explicit null of the object stays, an empty value goes. */
			*ret = dest && dest->text.n > 0 ? dest : NULL;
			return NULL;
		}
		if (patch->kind == NODE_NULL)
			return NULL;
		TRY(map_directive(a, &patch, &how));
		if (how == MERGE_DELETE)
			return NULL;
		return merge_fields(a, patch, patch, c, depth, ret);
	}
	if (patch) {
		if (patch->kind == NODE_NULL)
			return NULL;
		TRY(map_directive(a, &patch, &how));
		if (how == MERGE_DELETE)
			return NULL;
		if (how == MERGE_REPLACE || same)
			dest = patch;
	}
	return merge_fields(a, dest, patch, c, depth, ret);
}

/* ------------------------------------------------------------------ lists */

#define MAX_KEYS MERGE_MAX_KEYS
struct tuple {
	str v[MAX_KEYS];
};
struct tuples {
	struct tuple *p;
	size_t n, cap;
};
/* One list being merged. An element of dest that was merged is the merged one; one that went is
 * NULL, so that places stay. */
struct list {
	struct arena *a;
	str keys[MAX_KEYS]; /* none: scalars */
	size_t n_keys;
	struct node_items dest, out;
	const struct node *patch; /* NULL: absent */
	bool same;                /* dest is patch: what happens to the one happens to the other */
	struct tuples tuples;
	size_t valid[MAX_KEYS], n_valid; /* the keys that any element has */
	size_t keyless;                  /* the element of dest without any key that was merged */
	/* First place of a value of the only key (or of a scalar), so that one key is linear. */
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

	return v && is_scalar(v) ? v->text : STR("");
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
	if (l->n_keys > 0 ? !node_is(e, NODE_MAP) && !missing(e) : !is_scalar(e))
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

/* Does e have what the tuple has? One that has nothing finds an element without any key. */
static bool matches_given(const struct list *l, const struct node *e, const struct tuple *t)
{
	size_t given = 0, has = 0;

	if (l->n_keys == 0)
		return str_eq(e->text, t->v[0]);
	for (size_t k = 0; k < l->n_keys; k++) {
		given += t->v[k].n > 0;
		has += node_get(e, l->keys[k]) != NULL;
		if (t->v[k].n > 0 && !str_eq(key_of(l, e, k), t->v[k]))
			return false;
	}
	return given > 0 || has == 0;
}

/* Does e have the n values at the leading keys? kyaml's ElementSetter: a value "" wants the field
 * to be there, whatever it holds. */
static bool matches_valid(const struct list *l, const struct node *e, const str *v, size_t n)
{
	if (l->n_keys == 0)
		return str_eq(e->text, v[0]);
	for (size_t k = 0; k < n; k++) {
		size_t key = l->valid[k];

		if (!node_get(e, l->keys[key]) || (v[k].n > 0 && !str_eq(key_of(l, e, key), v[k])))
			return false;
	}
	return n > 0;
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

/* The first element that has what the tuple has. ix NULL: look at each. */
static size_t lookup(const struct list *l, const struct node *const *items, size_t n,
		     struct places *ix, const struct tuple *t)
{
	size_t at;

	if (ix && (t->v[0].n > 0 || l->n_keys == 0)) {
		at = places_find(ix, t->v[0], SIZE_MAX);
		return at != SIZE_MAX && items[at] ? at : SIZE_MAX;
	}
	for (size_t i = 0; i < n; i++)
		if (items[i] && matches_given(l, items[i], t))
			return i;
	return SIZE_MAX;
}

/* Replaces what matches in out, or appends. */
static void put(struct list *l, const struct node *e, const str *v, size_t n)
{
	bool found = false;

	if (l->in_out && (l->n_keys == 0 || v[0].n > 0)) {
		size_t at = places_find(l->in_out, v[0], l->out.n);

		if (at != SIZE_MAX)
			l->out.p[at] = e;
		else
			*ARENA_PUSH(l->a, &l->out) = e;
		return;
	}
	for (size_t i = 0; !l->in_out && i < l->out.n; i++)
		if (l->out.p[i] && matches_valid(l, l->out.p[i], v, n)) {
			l->out.p[i] = e;
			found = true;
		}
	if (!found)
		*ARENA_PUSH(l->a, &l->out) = e;
}

static void drop(struct list *l, struct node_items *from, const str *v, size_t n)
{
	for (size_t i = 0; i < from->n; i++)
		if (from->p[i] && matches_valid(l, from->p[i], v, n))
			from->p[i] = NULL;
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
	TRY(merge(l->a, old, new, (struct cursor){c.all, c.type, NULL}, depth + 1, &v));
	if (missing(v) || (v->kind == NODE_MAP && v->n == 0)) {
		if (d != SIZE_MAX)
			drop(l, &l->dest, valid.v, n_valid);
		return NULL;
	}
	v = with_keys(l, v, t);
	if (d != SIZE_MAX) {
		size_t given = 0;

		for (size_t k = 0; k < l->n_keys; k++)
			given += t->v[k].n;
		if (given == 0)
			l->keyless = d;
		/* The element that takes the place of another is overwritten by it in the end. */
		if (!replaces(old, new))
			l->dest.p[d] = v;
	}
	put(l, v, valid.v, n_valid);
	return NULL;
}

/* What dest has beside the merged ones, behind them. With several keys an element moves to its
 * place in dest, and the values that it has are compared with the leading keys, whichever they are
 * of. */
static void append_rest(struct list *l)
{
	for (size_t i = 0; i < l->dest.n; i++) {
		const struct node *e = l->dest.p[i];
		struct tuple v;
		size_t n = 0;

		if (!e)
			continue;
		if (l->n_keys == 0)
			v.v[n++] = e->text;
		for (size_t k = 0; k < l->n_valid; k++)
			if (node_get(e, l->keys[l->valid[k]]))
				v.v[n++] = key_of(l, e, l->valid[k]);
		if (n == 0) {
			if (i != l->keyless)
				*ARENA_PUSH(l->a, &l->out) = e;
			continue;
		}
		for (size_t k = n; k < l->n_valid; k++)
			*ARENA_PUSH(l->a, &l->out) = e;
		if (l->n_valid > 1)
			drop(l, &l->out, v.v, n);
		put(l, e, v.v, n);
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

static struct err *merge_elements(struct arena *a, const struct node *dest,
				  const struct node *patch, struct cursor c, unsigned depth,
				  const struct node **ret)
{
	struct list l = {.a = a, .patch = patch, .same = dest == patch, .keyless = SIZE_MAX};
	struct places *seen = NULL;
	struct node_items out = {0};
	size_t most = dest->n + (patch ? patch->n : 0);

	TRY(split_keys(&l, c.keys));
	for (uint32_t i = 0; i < dest->n; i++)
		*ARENA_PUSH(a, &l.dest) = dest->items[i];
	if (width(&l) == 1)
		seen = places_new(a, most);
	else if (most > MERGE_MAX_TUPLES)
		return err_at(ERR_RENDER_LIMIT, dest->at,
			      "a list that is merged by '%s' has more than %u elements", c.keys,
			      MERGE_MAX_TUPLES);
	if (patch)
		TRY(collect(&l, patch->items, patch->n, seen));
	TRY(collect(&l, dest->items, dest->n, seen));
	if (seen) {
		l.in_dest = index_of(&l, dest->items, dest->n);
		l.in_patch = patch ? index_of(&l, patch->items, patch->n) : NULL;
		l.in_out = places_new(a, most);
	} else {
		unite(&l);
	}
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

static struct err *merge_list(struct arena *a, const struct node *dest, const struct node *patch,
			      struct cursor c, unsigned depth, const struct node **ret)
{
	bool same = dest == patch;
	enum directive how = MERGE_NORMAL;

	*ret = NULL;
	if (patch && patch->kind == NODE_NULL)
		return NULL;
	if (!c.keys) {
		*ret = patch ? patch : dest;
		return NULL;
	}
	if (missing(dest))
		return merge_elements(a, patch, patch, c, depth, ret);
	TRY(list_directive(a, &patch, &how));
	if (how == MERGE_DELETE)
		return NULL;
	if (how == MERGE_REPLACE || same)
		dest = patch;
	return merge_elements(a, dest, patch, c, depth, ret);
}

/* ------------------------------------------------------------------ the walk */

static const struct merge_type *type_by_meta(const struct merge_types *all, const struct node *n)
{
	str api_version = node_get_text(n, STR("apiVersion")), kind = node_get_text(n, STR("kind"));

	return api_version.n > 0 && kind.n > 0 ? merge_type_of(all, api_version, kind) : NULL;
}

static struct err *wrong_kind(const struct node *at, const struct node *first)
{
	return err_at(ERR_RENDER, at->at, "wrong node kind: expected %s, found %s",
		      is_scalar(first) ? "a scalar" : node_kind_name((enum node_kind)first->kind),
		      node_kind_name((enum node_kind)at->kind));
}

/* *ret is NULL when nothing is left. */
static struct err *merge(struct arena *a, const struct node *dest, const struct node *patch,
			 struct cursor c, unsigned depth, const struct node **ret)
{
	const struct node *first = missing(dest) ? patch : dest;

	if (depth > NODE_MAX_DEPTH)
		return err_at(ERR_LIMIT, first ? first->at : LOC_NONE, "values nest deeper than %d",
			      NODE_MAX_DEPTH);
	if (missing(first))
		return merge_map(a, dest, patch, (struct cursor){c.all, NULL, NULL}, depth, ret);
	if (!missing(dest) && !missing(patch) &&
	    (is_scalar(dest) ? !is_scalar(patch) : dest->kind != patch->kind))
		return wrong_kind(patch, first);
	if (!c.type && !c.keys && first->kind == NODE_MAP) {
		c.type = type_by_meta(c.all, dest);
		if (!c.type)
			c.type = type_by_meta(c.all, patch);
	}
	switch ((enum node_kind)first->kind) {
	case NODE_MAP:
		return merge_map(a, dest, patch, c, depth, ret);
	case NODE_LIST:
		return merge_list(a, dest, patch, c, depth, ret);
	case NODE_NULL:
	case NODE_BOOL:
	case NODE_INT:
	case NODE_FLOAT:
	case NODE_STRING:
		*ret = merge_scalar(a, dest, patch);
		return NULL;
	}
	return NULL;
}

struct err *merge_strategic(struct arena *a, const struct merge_types *all, const struct node *dest,
			    const struct node *patch, const struct node **ret)
{
	enum directive how = MERGE_NORMAL;

	if (node_is(patch, NODE_MAP))
		TRY(map_directive(a, &patch, &how));
	/* kustomize builds the replacement of a whole object and forgets it. */
	*ret = how == MERGE_REPLACE ? dest : NULL;
	if (how != MERGE_NORMAL)
		return NULL;
	return merge(a, dest, patch, (struct cursor){all, NULL, NULL}, 0, ret);
}
