/* namePrefix and nameSuffix. References follow at the top, by the history that is kept here. */
#include "render_priv.h"

static bool keeps_name(const struct res *r)
{
	struct res_id id = res_org_id(r);

	return str_eq(id.kind, STR("CustomResourceDefinition")) ||
	       str_eq(id.kind, STR("Namespace")) ||
	       (str_eq(id.kind, STR("APIService")) &&
		str_eq(id.group, STR("apiregistration.k8s.io")));
}

static void rename_one(struct arena *a, struct res *r, str prefix, str suffix,
		       const struct node *by)
{
	const struct node *meta = node_get(r->root, STR("metadata"));
	const struct node *old = node_get(meta, STR("name"));
	str name = arena_printf(a, STR_FMT STR_FMT STR_FMT, STR_ARG(prefix),
				STR_ARG(old ? old->text : STR("")), STR_ARG(suffix));

	res_push_prev(a, r);
	if (!old)
		return;
	r->root = node_set(
		a, r->root, STR("metadata"),
		node_set(a, meta, STR("name"), node_with_by(a, node_new_str(a, name), by)));
}

struct err *xform_prefix(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	for (size_t i = 0; k->name_prefix.n > 0 && i < rm->n; i++) {
		if (!rm->p[i]->root || keeps_name(rm->p[i]))
			continue;
		*ARENA_PUSH(a, &rm->p[i]->prefixes) = k->name_prefix;
		rename_one(a, rm->p[i], k->name_prefix, STR(""), k->prefix_node);
	}
	return NULL;
}

struct err *xform_suffix(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	for (size_t i = 0; k->name_suffix.n > 0 && i < rm->n; i++) {
		if (!rm->p[i]->root || keeps_name(rm->p[i]))
			continue;
		*ARENA_PUSH(a, &rm->p[i]->suffixes) = k->name_suffix;
		rename_one(a, rm->p[i], STR(""), k->name_suffix, k->suffix_node);
	}
	return NULL;
}
