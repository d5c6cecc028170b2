/* kustomize's strategic merge (kyaml's merge2 with prepended list elements), quirks and all:
 * whatever looks odd here is what `kustomize build` v5.8.1 prints. */
#include "merge_priv.h"
#include "render_priv.h"

bool merge_missing(const struct node *n)
{
	/* `{a: }` prints as an empty text, and merges as nothing. */
	return !n || n->kind == NODE_NULL ||
	       (n->kind == NODE_STRING && n->style == NODE_FLOW && !n->text.n);
}

bool merge_is_scalar(const struct node *n)
{
	return n->kind != NODE_MAP && n->kind != NODE_LIST;
}

/* How a map or list says that it wants to be merged. */
enum directive { MERGE_NORMAL, MERGE_DELETE, MERGE_REPLACE };

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

		TRY(merge_any(a, p->value, node_get(patch, p->key), hinted_field(c, p, patch),
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
		TRY(merge_any(a, NULL, p->value, hinted_field(c, p, NULL), depth + 1, &v));
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
	if (merge_missing(dest)) {
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
	if (merge_missing(dest))
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
		      merge_is_scalar(first) ? "a scalar"
					     : node_kind_name((enum node_kind)first->kind),
		      node_kind_name((enum node_kind)at->kind));
}

/* *ret is NULL when nothing is left. */
struct err *merge_any(struct arena *a, const struct node *dest, const struct node *patch,
		      struct cursor c, unsigned depth, const struct node **ret)
{
	const struct node *first = merge_missing(dest) ? patch : dest;

	if (depth > NODE_MAX_DEPTH)
		return err_at(ERR_LIMIT, first ? first->at : LOC_NONE, "values nest deeper than %d",
			      NODE_MAX_DEPTH);
	if (merge_missing(first))
		return merge_map(a, dest, patch, (struct cursor){c.all, NULL, NULL}, depth, ret);
	if (!merge_missing(dest) && !merge_missing(patch) &&
	    (merge_is_scalar(dest) ? !merge_is_scalar(patch) : dest->kind != patch->kind))
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
	return merge_any(a, dest, patch, (struct cursor){all, NULL, NULL}, 0, ret);
}
