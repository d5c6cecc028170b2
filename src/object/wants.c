/* What a revision wants, as it is kept between rendering and the end of a sync: compact, by
 * identity. */
#include "leeboard/object.h"
#include <assert.h>

struct wants *wants_new(void)
{
	struct arena *a = arena_new();
	struct wants *w = ARENA_NEW(a, struct wants);

	w->arena = a;
	return w;
}

void wants_free(struct wants *w)
{
	if (w && w->arena)
		arena_free(w->arena);
}

/* The slot that holds id, or the free one where it belongs. There always is a free one. Slots are
 * positions + 1; 0 is free. */
static uint32_t *slot(const struct wants *w, obj_id id)
{
	size_t i = obj_id_hash(id) & (w->index_cap - 1);

	while (w->index[i] && !obj_id_eq(w->p[w->index[i] - 1].id, id))
		i = (i + 1) & (w->index_cap - 1);
	return &w->index[i];
}

static void grow(struct wants *w)
{
	w->index_cap = w->index_cap ? w->index_cap * 2 : 16;
	w->index = ARENA_ARRAY(w->arena, uint32_t, w->index_cap);
	for (size_t i = 0; i < w->n; i++)
		*slot(w, w->p[i].id) = (uint32_t)(i + 1);
}

struct err *wants_add(struct wants *w, struct want x)
{
	assert(w->arena); /* nobody adds to what he borrowed */
	if ((w->n + 1) * 2 > w->index_cap)
		grow(w);

	uint32_t *at = slot(w, x.id);

	if (*at) {
		const struct want *first = &w->p[*at - 1];
		str label = obj_id_label(w->arena, x.id);

		if (!first->file.n)
			return err_at_named(ERR_DUPLICATE, x.file, x.line, x.col,
					    "'" STR_FMT "' is there twice", STR_ARG(label));
		return err_at_named(ERR_DUPLICATE, x.file, x.line, x.col,
				    "'" STR_FMT "' is there twice, first at " STR_FMT ":%u:%u",
				    STR_ARG(label), STR_ARG(first->file), first->line, first->col);
	}
	*ARENA_PUSH(w->arena, w) = x;
	*at = (uint32_t)w->n;
	return NULL;
}

const struct want *wants_get(const struct wants *w, obj_id id)
{
	uint32_t at = w->index_cap ? *slot(w, id) : 0;

	return at ? &w->p[at - 1] : NULL;
}

struct err *want_tree(struct arena *a, const struct want *w, struct object *ret)
{
	struct text *t = ARENA_NEW(a, struct text), *file = ARENA_NEW(a, struct text);
	const struct node *root;
	struct object o;

	t->name = obj_id_label(a, w->id);
	t->bytes = w->json;
	TRY(node_read_json(a, t, &root));
	TRY(obj_from_node(a, root, &o));
	if (!obj_id_eq(o.id, w->id) || !str_eq(o.version, w->version))
		return err_at(ERR_INTERNAL, root->at,
			      "stored as '" STR_FMT "', but holds '" STR_FMT "'",
			      STR_ARG(obj_id_text(a, w->id)), STR_ARG(obj_id_text(a, o.id)));
	/* One long line is no help below a message. */
	t->bytes = STR_NONE;
	file->name = w->file;
	if (w->file.n)
		o.at = (loc){file, w->line, w->col};
	*ret = o;
	return NULL;
}

static const struct want_origin *find(const struct want *w, str path)
{
	size_t from = 0, to = w->origins_n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int c = str_cmp(w->origins[mid].path, path);

		if (!c)
			return &w->origins[mid];
		if (c < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return NULL;
}

const struct want_origin *want_origin(const struct want *w, str path)
{
	const struct want_origin *o = find(w, path);

	/* A cut within a quoted key gives a prefix that is no path, and is not found. */
	for (size_t i = path.n; !o && i-- > 0;)
		if (path.p[i] == '.' || path.p[i] == '[')
			o = find(w, str_sub(path, 0, i));
	return o;
}
