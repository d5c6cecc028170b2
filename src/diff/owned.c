/* What of a live object a manager owns: the witness "last-applied" where nobody kept what was sent.
 */
#include "diff_priv.h"

static const struct node *owned(struct arena *a, const struct diff_fields *f,
				const struct node *live, unsigned depth)
{
	/* A leaf of the set is all that lies below it; "." is the container without what is in it.
	 */
	if ((!f->v.n && !f->self) || depth > 2 * NODE_MAX_DEPTH)
		return live;
	if (live->kind == NODE_MAP) {
		struct node_pairs p = {0};

		for (uint32_t i = 0; i < live->n; i++) {
			const struct field *m = fields_get(f, live->pairs[i].key);

			if (m)
				node_pairs_add(a, &p, live->pairs[i].key,
					       owned(a, m->sub, live->pairs[i].value, depth + 1));
		}
		return node_new_map(a, p.p, p.n);
	}
	if (live->kind == NODE_LIST) {
		struct node_items v = {0};

		for (uint32_t i = 0; i < live->n; i++) {
			const struct node *x = live->items[i];
			const struct field *m = fields_element(a, f, x);
			const struct node *part = m ? owned(a, m->sub, x, depth + 1) : NULL;

			for (uint32_t k = 0; m && m->kind == DIFF_KEYED && k < m->key->n; k++) {
				str name = m->key->pairs[k].key;

				if (!node_get(part, name) && node_get(x, name))
					part = node_set(a, part, name, node_get(x, name));
			}
			if (part)
				*ARENA_PUSH(a, &v) = part;
		}
		return node_new_list(a, v.p, v.n);
	}
	return live;
}

const struct node *diff_owned(struct arena *a, const struct diff_manager *m,
			      const struct node *live)
{
	static const str identity[] = {STR("apiVersion"), STR("kind")},
			 meta[] = {STR("name"), STR("namespace")};
	const struct node *r, *was = node_get(live, STR("metadata")), *now;

	if (!node_is(live, NODE_MAP))
		return NULL;
	r = m->fields->v.n ? owned(a, m->fields, live, 0) : node_new_map(a, NULL, 0);
	/* No set names what identifies the object. */
	for (size_t i = 0; i < ARRAY_LEN(identity); i++)
		if (node_get(live, identity[i]))
			r = node_set(a, r, identity[i], node_get(live, identity[i]));
	now = node_get(r, STR("metadata"));
	for (size_t i = 0; i < ARRAY_LEN(meta); i++)
		if (node_get(was, meta[i]))
			now = node_set(a, now, meta[i], node_get(was, meta[i]));
	return now ? node_set(a, r, STR("metadata"), now) : r;
}
