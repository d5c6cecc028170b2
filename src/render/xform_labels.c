/* labels in order, then commonLabels: written wherever the field specs say. */
#include "load_priv.h"
#include "specs.h"
#include "xform_priv.h"

/* Sets each pair in the map. */
struct err *xform_set_pairs(void *arg, struct arena *a, const struct node *old,
			    const struct node **ret)
{
	const struct node *pairs = arg;

	*ret = old;
	if (old && old->kind != NODE_MAP)
		return err_at(ERR_RENDER, old->at, "wrong node kind: expected a map, found %s",
			      node_kind_name((enum node_kind)old->kind));
	for (uint32_t i = 0; i < pairs->n; i++) {
		const struct node *v = pairs->pairs[i].value;
		const struct node *new =
			node_with_by(a, node_new_scalar(a, NODE_STRING, NODE_PLAIN, v->text), v);

		*ret = node_set(a, *ret, pairs->pairs[i].key, new);
	}
	return NULL;
}

struct err *xform_set_at(struct arena *a, const struct fieldspecs *specs, const struct node *pairs,
			 struct resmap *rm)
{
	union {
		const struct node *in;
		void *out;
	} arg = {.in = pairs};
	struct fieldspec_visit v = {xform_set_pairs, arg.out, FIELDSPEC_MAP};

	for (size_t i = 0; i < rm->n; i++) {
		struct res *r = rm->p[i];
		struct res_id id;

		if (!r->root)
			continue;
		id = res_id(r);
		for (size_t f = 0; f < specs->n; f++)
			if (fieldspec_selects(&specs->p[f], id))
				TRY(fieldspec_apply(a, r->root, &specs->p[f], &v, &r->root));
	}
	return NULL;
}

/* The entry's own places, and those that its switches stand for. */
static struct err *places_of(struct arena *a, const struct label_spec *l, const struct specs *in,
			     struct fieldspecs *ret)
{
	static const struct fieldspec meta = {.path = {"metadata/labels", 15}, .create = true};

	TRY(specs_add_all(a, ret, &l->fields));
	if (l->own_fields)
		return NULL;
	TRY(specs_add_all(a, ret, &in->of[SPECS_LABELS]));
	if (l->selectors)
		return specs_add_all(a, ret, &in->of[SPECS_COMMON_LABELS]);
	if (l->templates)
		TRY(specs_add_all(a, ret, &in->of[SPECS_TEMPLATE_LABELS]));
	return specs_add(a, ret, &meta);
}

struct err *xform_labels(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	for (size_t i = 0; i < k->labels.n; i++) {
		const struct label_spec *l = &k->labels.p[i];
		struct fieldspecs specs = {0};

		TRY(err_placed(places_of(a, l, rm->specs, &specs), l->at));
		if (has_pairs(l->pairs))
			TRY(xform_set_at(a, &specs, l->pairs, rm));
	}
	if (!has_pairs(k->common_labels))
		return NULL;
	return xform_set_at(a, &rm->specs->of[SPECS_COMMON_LABELS], k->common_labels, rm);
}
