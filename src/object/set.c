/* Objects in the order in which they came, with a hash index of identities beside them. */
#include "leeboard/object.h"

struct obj_set *obj_set_new(struct arena *a)
{
	return ARENA_NEW(a, struct obj_set);
}

/* The slot that holds id, or the free one where it belongs. There always is a free one. Slots are
 * positions + 1; 0 is free. */
static uint32_t *slot(const struct obj_set *s, obj_id id)
{
	size_t i = obj_id_hash(id) & (s->index_cap - 1);

	while (s->index[i] && !obj_id_eq(s->p[s->index[i] - 1].id, id))
		i = (i + 1) & (s->index_cap - 1);
	return &s->index[i];
}

static void grow(struct arena *a, struct obj_set *s)
{
	s->index_cap = s->index_cap ? s->index_cap * 2 : 16;
	s->index = ARENA_ARRAY(a, uint32_t, s->index_cap);
	for (size_t i = 0; i < s->n; i++)
		*slot(s, s->p[i].id) = (uint32_t)(i + 1);
}

static struct err *duplicate(struct arena *a, const struct object *first, const struct object *o)
{
	str label = obj_id_label(a, o->id);

	if (!first->at.in)
		return err_at(ERR_DUPLICATE, o->at, "'" STR_FMT "' is there twice", STR_ARG(label));
	return err_at(ERR_DUPLICATE, o->at,
		      "'" STR_FMT "' is there twice, first at " STR_FMT ":%u:%u", STR_ARG(label),
		      STR_ARG(first->at.in->name), first->at.line, first->at.col);
}

struct err *obj_set_add(struct arena *a, struct obj_set *s, struct object o)
{
	if ((s->n + 1) * 2 > s->index_cap)
		grow(a, s);

	uint32_t *at = slot(s, o.id);

	if (*at)
		return duplicate(a, &s->p[*at - 1], &o);
	*ARENA_PUSH(a, s) = o;
	*at = (uint32_t)s->n;
	return NULL;
}

size_t obj_set_find(const struct obj_set *s, obj_id id)
{
	return s->index_cap ? (size_t)*slot(s, id) - 1 : SIZE_MAX; /* 0 - 1: SIZE_MAX */
}

const struct object *obj_set_get(const struct obj_set *s, obj_id id)
{
	size_t i = obj_set_find(s, id);

	return i == SIZE_MAX ? NULL : &s->p[i];
}
