/* namePrefix and nameSuffix. References follow at the top, by the history that is kept here. */
#include "specs.h"
#include "xform_priv.h"

static bool keeps_name(const struct res *r)
{
	struct res_id id = res_org_id(r);

	return str_eq(id.kind, STR("CustomResourceDefinition")) ||
	       str_eq(id.kind, STR("Namespace")) ||
	       (str_eq(id.kind, STR("APIService")) &&
		str_eq(id.group, STR("apiregistration.k8s.io")));
}

struct affixes {
	str prefix, suffix;
	const struct node *by;
};

static struct err *rename_value(void *arg, struct arena *a, const struct node *old,
				const struct node **ret)
{
	const struct affixes *x = arg;

	if (old && (old->kind == NODE_MAP || old->kind == NODE_LIST))
		return err_at(ERR_RENDER, old->at, "wrong node kind: expected a scalar, found %s",
			      node_kind_name((enum node_kind)old->kind));
	*ret = node_with_by(
		a,
		node_new_str(a,
			     arena_printf(a, STR_FMT STR_FMT STR_FMT, STR_ARG(x->prefix),
					  STR_ARG(old ? old->text : STR("")), STR_ARG(x->suffix))),
		x->by);
	return NULL;
}

static struct err *rename_one(struct arena *a, const struct fieldspecs *specs, struct affixes *x,
			      struct res *r)
{
	struct fieldspec_visit v = {rename_value, x, FIELDSPEC_SCALAR};
	struct res_id org = res_org_id(r);

	for (size_t f = 0; f < specs->n; f++) {
		if (!fieldspec_selects(&specs->p[f], org))
			continue;
		if (str_eq(specs->p[f].path, STR("metadata/name"))) {
			if (x->prefix.n > 0)
				*ARENA_PUSH(a, &r->prefixes) = x->prefix;
			if (x->suffix.n > 0)
				*ARENA_PUSH(a, &r->suffixes) = x->suffix;
			res_push_prev(a, r);
		}
		TRY(fieldspec_apply(a, r->root, &specs->p[f], &v, &r->root));
	}
	return NULL;
}

struct err *xform_rename_at(struct arena *a, const struct fieldspecs *specs, str prefix, str suffix,
			    const struct node *by, struct resmap *rm)
{
	struct affixes x = {prefix, suffix, by};

	for (size_t i = 0; (prefix.n > 0 || suffix.n > 0) && i < rm->n; i++)
		if (rm->p[i]->root && !keeps_name(rm->p[i]))
			TRY(rename_one(a, specs, &x, rm->p[i]));
	return NULL;
}

struct err *xform_prefix(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	return xform_rename_at(a, &rm->specs->of[SPECS_PREFIX], k->name_prefix, STR(""),
			       k->prefix_node, rm);
}

struct err *xform_suffix(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	return xform_rename_at(a, &rm->specs->of[SPECS_SUFFIX], STR(""), k->name_suffix,
			       k->suffix_node, rm);
}
