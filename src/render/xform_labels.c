/* labels in order, then commonLabels: written wherever the field specs say. */
#include "load_priv.h"
#include "specs.h"
#include "xform_priv.h"

/* Pairs at work in one object: a value that was added in several places is one. */
struct setter {
	const struct node *pairs;
	const struct node **values; /* one a pair */
	uint32_t *added;            /* how often */
};

/* Sets each pair in the map. */
static struct err *set_pairs(void *arg, struct arena *a, const struct node *old,
			     const struct node **ret)
{
	struct setter *s = arg;

	*ret = old;
	if (old && old->kind != NODE_MAP)
		return err_at(ERR_RENDER, old->at, "wrong node kind: expected a map, found %s",
			      node_kind_name(old->kind));
	for (uint32_t i = 0; i < s->pairs->n; i++) {
		str key = s->pairs->pairs[i].key;
		const struct node *v = s->values[i];

		if (!key.n)
			return err_at(ERR_INVALID, v->by->at, "a label or annotation has no name");

		if (node_get(old, key))
			v = node_with_by(a, v, v->by); /* the old value, with new content */
		else
			s->added[i]++;
		*ret = node_set(a, *ret, key, v);
	}
	return NULL;
}

static struct err *set_in(struct arena *a, const struct fieldspecs *specs, const struct node *pairs,
			  struct res *r)
{
	struct setter s = {.pairs = pairs,
			   .values = ARENA_ARRAY(a, const struct node *, pairs->n),
			   .added = ARENA_ARRAY(a, uint32_t, pairs->n)};
	struct fieldspec_visit v = {set_pairs, &s, FIELDSPEC_MAP};
	const struct node *before = r->root;
	struct res_id id = res_id(r);

	for (uint32_t i = 0; i < pairs->n; i++) {
		const struct node *by = pairs->pairs[i].value;

		s.values[i] =
			node_with_by(a, node_new_scalar(a, NODE_STRING, NODE_PLAIN, by->text), by);
	}
	for (size_t f = 0; f < specs->n; f++)
		if (fieldspec_selects(&specs->p[f], id))
			TRY(fieldspec_apply(a, r->root, &specs->p[f], &v, &r->root));
	res_settle(a, r, before);
	for (uint32_t i = 0; i < pairs->n; i++)
		if (s.added[i] > 1)
			*ARENA_PUSH(a, &r->shared) = s.values[i];
	return NULL;
}

struct err *xform_set_at(struct arena *a, const struct fieldspecs *specs, const struct node *pairs,
			 struct resmap *rm)
{
	for (size_t i = 0; i < rm->n; i++)
		if (rm->p[i]->root)
			TRY(set_in(a, specs, pairs, rm->p[i]));
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
