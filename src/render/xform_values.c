/* ValueAddTransformer: one value into fields of selected objects, whole or as a part of a path. */
#include "select.h"
#include "xform_priv.h"

#define VALUE_MAX_PARTS 64u /* of one field path */

struct write {
	struct arena *a;
	const struct value_target *t;
	const struct node *by;
	str value;
	struct res_strs path;
};

/* Cuts at '/', but not at "\/". */
static void split(struct arena *a, str path, struct res_strs *ret)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i <= path.n; i++) {
		if (i + 1 < path.n && path.p[i] == '\\' && path.p[i + 1] == '/') {
			buf_char(&b, path.p[++i]);
		} else if (i < path.n && path.p[i] != '/') {
			buf_char(&b, path.p[i]);
		} else {
			*ARENA_PUSH(a, ret) = arena_str(a, buf_view(&b));
			buf_clear(&b);
		}
	}
}

/* The value as the i-th part of the old path, from 1; a leading '/' stays. */
static str insert_part(struct arena *a, str old, int64_t i, str value)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	str rest = old, part;
	int64_t at = 0;
	bool done = false;

	if (str_starts(rest, STR("/"))) {
		buf_char(&b, '/');
		rest = str_sub(rest, 1, SIZE_MAX);
	}
	while (rest.n && str_split(&rest, '/', &part)) {
		if (++at == i) {
			buf_str(&b, value);
			buf_char(&b, '/');
			done = true;
		}
		buf_str(&b, part);
		if (rest.n)
			buf_char(&b, '/');
	}
	if (!done) {
		if (b.n && b.p[b.n - 1] != '/')
			buf_char(&b, '/');
		buf_str(&b, value);
	}
	return arena_str(a, buf_view(&b));
}

static struct err *set(struct write *w, const struct node *old, const struct node **ret)
{
	int64_t position = 0;
	str value = w->value;

	if (old && (old->kind == NODE_MAP || old->kind == NODE_LIST))
		return err_at(ERR_RENDER, old->at, "'" STR_FMT "' must be a scalar, not %s",
			      STR_ARG(w->t->path), node_kind_name(old->kind));
	if (w->t->position && node_i64(w->t->position, &position) && position > 0)
		value = insert_part(w->a, old ? old->text : STR(""), position, value);
	if (old && old->kind == NODE_STRING && old->style != NODE_PLAIN)
		*ret = node_with_style(w->a, node_new_str(w->a, value), old->style);
	else
		*ret = res_plain(w->a, value);
	*ret = node_with_by(w->a, *ret, w->by);
	return NULL;
}

static struct err *walk(struct write *w, const struct node *old, size_t at, const struct node **ret)
{
	const struct node *v;
	str part;

	if (at == w->path.n)
		return set(w, old, ret);
	part = w->path.p[at];
	if (node_is(old, NODE_LIST)) {
		str key, value;

		if (!res_path_is_filter(part))
			return err_at(ERR_RENDER, w->t->at,
				      "'" STR_FMT "' leads through a list at '" STR_FMT "'",
				      STR_ARG(w->t->path), STR_ARG(part));
		res_path_filter(part, &key, &value);
		for (uint32_t i = 0; i < old->n; i++) {
			if (!str_eq(node_get_text(old->items[i], key), value))
				continue;
			TRY(walk(w, old->items[i], at + 1, &v));
			*ret = node_list_set(w->a, old, i, v);
			return NULL;
		}
		TRY(walk(w, node_set(w->a, NULL, key, node_new_str(w->a, value)), at + 1, &v));
		*ret = node_list_add(w->a, old, v);
		return NULL;
	}
	if (old && old->kind != NODE_MAP && old->kind != NODE_NULL)
		return err_at(ERR_RENDER, old->at, "'" STR_FMT "' leads through %s",
			      STR_ARG(w->t->path), node_kind_name(old->kind));
	TRY(walk(w, node_get(old, part), at + 1, &v));
	*ret = node_set(w->a, node_is(old, NODE_MAP) ? old : NULL, part, v);
	return NULL;
}

static struct err *set_one(struct write *w, struct res *r)
{
	struct resmap one = {.p = &r, .n = 1};
	struct fieldspecs none = {0};
	struct xform_ns how = {.ns = w->value, .by = w->by, .at = w->t->at, .specs = &none};

	if (str_eq(w->t->path, STR("metadata/namespace")))
		return xform_namespace_set(w->a, &how, &one);
	return walk(w, r->root, 0, &r->root);
}

struct err *xform_values(struct arena *a, const struct value_targets *targets, str value,
			 const struct node *by, struct resmap *rm)
{
	for (size_t i = 0; i < targets->n; i++) {
		const struct value_target *t = &targets->p[i];
		struct write w = {.a = a, .t = t, .by = by, .value = value};
		CLEANUP(selection) struct selection *sel = NULL;

		if (t->select)
			TRY(selection_new(a, t->select, &sel));
		split(a, t->path, &w.path);
		if (w.path.n > VALUE_MAX_PARTS)
			return err_at(ERR_LIMIT, t->at, "a field path of more than %u parts",
				      VALUE_MAX_PARTS);
		for (size_t r = 0; r < rm->n; r++)
			if (rm->p[r]->root && (!sel || selection_has(sel, rm->p[r])))
				TRY(set_one(&w, rm->p[r]));
	}
	return NULL;
}
