/* Walks a path through a tree as kustomize's fieldspec filter does. */
#include "fieldspec.h"

struct walk {
	struct arena *a;
	const struct fieldspec *f;
	const struct fieldspec_visit *v;
	struct res_strs parts; /* "[]" is still on them */
};

static struct err *visit(const struct walk *w, const struct node *n, size_t part, unsigned depth,
			 const struct node **ret);

bool fieldspec_selects(const struct fieldspec *f, struct res_id id)
{
	return (f->kind.n == 0 || str_eq(f->kind, id.kind)) &&
	       (f->group.n == 0 || str_eq(f->group, id.group)) &&
	       (f->version.n == 0 || str_eq(f->version, id.version));
}

/* "a/b\/c" to "a", "b/c"; one leading slash is dropped. */
static void split_path(struct arena *a, str path, struct res_strs *ret)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = str_starts(path, STR("/")) ? 1 : 0; i < path.n; i++) {
		if (path.p[i] == '\\' && i + 1 < path.n && path.p[i + 1] == '/')
			buf_char(&b, path.p[++i]);
		else if (path.p[i] != '/')
			buf_char(&b, path.p[i]);
		else {
			*ARENA_PUSH(a, ret) = arena_str(a, buf_view(&b));
			buf_clear(&b);
		}
	}
	*ARENA_PUSH(a, ret) = arena_str(a, buf_view(&b));
}

static struct err *visit_items(const struct walk *w, const struct node *list, size_t part,
			       unsigned depth, const struct node **ret)
{
	const struct node **items = NULL;

	for (uint32_t i = 0; i < list->n; i++) {
		const struct node *v;

		TRY(visit(w, list->items[i], part, depth + 1, &v));
		if (v == list->items[i])
			continue;
		if (!items) {
			items = ARENA_ARRAY(w->a, const struct node *, list->n);
			memcpy(items, list->items, list->n * sizeof(items[0]));
		}
		items[i] = v;
	}
	*ret = list;
	if (items) {
		struct node *n = ARENA_NEW(w->a, struct node);

		*n = *list;
		n->items = items;
		*ret = n;
	}
	return NULL;
}

static struct err *visit_field(const struct walk *w, const struct node *map, size_t part,
			       unsigned depth, const struct node **ret)
{
	str name = w->parts.p[part];
	bool list = str_ends(name, STR("[]")), last = part + 1 == w->parts.n;
	bool may_make = w->f->create && w->v->make != FIELDSPEC_NEVER && !list;
	const struct node *old, *new;

	if (list)
		name.n -= 2;
	if (name.n == 0)
		return err_new(ERR_INVALID, "path '" STR_FMT "' has an empty part",
			       STR_ARG(w->f->path));
	*ret = map;
	old = node_get(map, name);
	if (node_is(old, NODE_NULL) && list)
		old = node_new_list(w->a, NULL, 0);
	else if (node_is(old, NODE_NULL) && may_make)
		old = NULL;
	if (!old) {
		if (!may_make)
			return NULL;
		if (last && w->v->make == FIELDSPEC_SCALAR) {
			TRY(w->v->fn(w->v->arg, w->a, NULL, &new));
			*ret = node_set(w->a, map, name, new);
			return NULL;
		}
		old = node_new_map(w->a, NULL, 0);
	}
	TRY(visit(w, old, part + 1, depth + 1, &new));
	if (new != node_get(map, name))
		*ret = node_set(w->a, map, name, new);
	return NULL;
}

static struct err *visit(const struct walk *w, const struct node *n, size_t part, unsigned depth,
			 const struct node **ret)
{
	*ret = n;
	if (part == w->parts.n)
		return w->v->fn(w->v->arg, w->a, n, ret);
	if (n->kind == NODE_NULL)
		return NULL;
	if (depth > 2 * NODE_MAX_DEPTH)
		return err_at(ERR_LIMIT, n->at, "values nest deeper than %d", 2 * NODE_MAX_DEPTH);
	if (n->kind == NODE_LIST)
		return visit_items(w, n, part, depth, ret);
	if (n->kind == NODE_MAP)
		return visit_field(w, n, part, depth, ret);
	return err_at(ERR_RENDER, n->at,
		      "path '" STR_FMT "' leads through %s: expected a list or a map",
		      STR_ARG(w->f->path), node_kind_name((enum node_kind)n->kind));
}

struct err *fieldspec_apply(struct arena *a, const struct node *root, const struct fieldspec *f,
			    const struct fieldspec_visit *v, const struct node **ret)
{
	struct walk w = {.a = a, .f = f, .v = v};

	split_path(a, f->path, &w.parts);
	return visit(&w, root, 0, 0, ret);
}

void fieldspec_add_table(struct arena *a, const struct fieldspec_table *t, struct fieldspecs *ret)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct fieldspec_row *r = &t->rows[i];
		struct fieldspec f = {.group = str_from(r->group),
				      .version = str_from(r->version),
				      .path = str_from(r->path),
				      .create = r->create};
		str rest = str_from(r->kinds);

		if (rest.n == 0)
			*ARENA_PUSH(a, ret) = f;
		while (rest.n > 0 && str_split(&rest, ' ', &f.kind))
			*ARENA_PUSH(a, ret) = f;
	}
}
