/* What building and applying a strategic merge patch have in common. */
#include "diff_priv.h"

bool smp_merges(const struct obj_schema *field)
{
	enum obj_strategy s = field ? obj_schema_strategy(field) : OBJ_REPLACE;

	return s == OBJ_MERGE || s == OBJ_MERGE_RETAIN;
}

bool smp_retains(const struct obj_schema *field)
{
	enum obj_strategy s = field ? obj_schema_strategy(field) : OBJ_REPLACE;

	return s == OBJ_RETAIN_KEYS || s == OBJ_MERGE_RETAIN;
}

str smp_scalar_text(struct arena *a, const struct node *n, bool loose)
{
	if (n->kind == NODE_LIST || n->kind == NODE_MAP) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		buf_char(&b, 'j');
		node_json(n, NODE_JSON_CANONICAL, &b);
		return arena_str(a, buf_view(&b));
	}
	if (loose)
		return n->kind == NODE_NULL ? STR("<nil>") : n->text;
	return arena_printf(a, "%d" STR_FMT, (int)n->kind, STR_ARG(n->text));
}

struct err *smp_key(const struct node *element, str merge_key, const struct node **ret)
{
	const struct node *v = node_get(element, merge_key);

	if (!v)
		return err_at(ERR_INVALID, element->at,
			      "list element lacks its merge key '" STR_FMT "'", STR_ARG(merge_key));
	*ret = v;
	return NULL;
}

struct err *smp_element_kind(const struct node *x, const struct node *y, bool *maps, bool *any)
{
	const struct node *first = NULL;

	for (int side = 0; side < 2; side++) {
		const struct node *list = side ? y : x;

		for (uint32_t i = 0; list && i < list->n; i++) {
			const struct node *e = list->items[i];

			if (e->kind == NODE_LIST)
				return err_at(ERR_INVALID, e->at,
					      "a list inside a merging list is not supported");
			if (first && first->kind != e->kind)
				return err_at(ERR_INVALID, e->at, "merging list holds %s and %s",
					      node_kind_name(first->kind), node_kind_name(e->kind));
			first = e;
		}
	}
	*any = first != NULL;
	*maps = node_is(first, NODE_MAP);
	return NULL;
}

const struct node *smp_list(struct arena *a, const struct node_items *v, const struct node *from)
{
	struct node *made = ARENA_NEW(a, struct node);

	*made = *node_new_list(a, v->p, v->n);
	if (from)
		made->at = from->at;
	return made;
}

bool smp_is_delete(const struct node *element)
{
	return str_eq(node_get_text(element, STR(SMP_PATCH)), STR("delete"));
}

struct err *smp_too_deep(const struct node *n, unsigned depth)
{
	if (depth <= NODE_MAX_DEPTH)
		return NULL;
	return err_at(ERR_LIMIT, n->at, "more than %u levels", (unsigned)NODE_MAX_DEPTH);
}
