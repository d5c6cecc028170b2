/* namespace: moves every namespaced object, and what speaks of the namespace by field specs. */
#include "specs.h"
#include "xform_priv.h"

static const struct node *ns_node(const struct xform_ns *s, struct arena *a)
{
	return node_with_by(a, node_new_str(a, s->ns), s->by);
}

static struct err *set_ns(void *arg, struct arena *a, const struct node *old,
			  const struct node **ret)
{
	const struct xform_ns *s = arg;

	if (old && (old->kind == NODE_MAP || old->kind == NODE_LIST))
		return err_at(ERR_RENDER, old->at,
			      "namespace field specs must lead to scalars, not to %s",
			      node_kind_name(old->kind));
	*ret = old && (str_eq(node_text(old), s->ns) || (s->unset_only && node_text(old).n > 0))
		       ? old
		       : ns_node(s, a);
	return NULL;
}

static struct err *set_specs(struct arena *a, struct xform_ns *s, struct res *r)
{
	struct fieldspec_visit v = {set_ns, s, FIELDSPEC_SCALAR};
	struct res_id id = res_id(r);

	for (size_t i = 0; i < s->specs->n; i++) {
		const struct fieldspec *f = &s->specs->p[i];

		/* Subjects go by the mode. Another group's kind of that name is no Namespace. */
		if (!fieldspec_selects(f, id) || str_eq(f->path, STR("metadata/namespace")) ||
		    (str_ends(f->kind, STR("RoleBinding")) &&
		     str_eq(f->path, STR("subjects/namespace"))) ||
		    (str_eq(f->kind, STR("Namespace")) &&
		     !(id.group.n == 0 && str_eq(id.version, STR("v1")))))
			continue;
		TRY(fieldspec_apply(a, r->root, f, &v, &r->root));
	}
	return NULL;
}

/* The ServiceAccount "default" exists in every namespace: only subjects of that name follow at
 * once, others by name reference. */
static bool follows(const struct xform_ns *s, const struct node *subject)
{
	if (s->unset_only && node_get_text(subject, STR("namespace")).n > 0)
		return false;
	switch (s->subjects) {
	case XFORM_SUBJECTS_DEFAULT:
		return str_eq(node_get_text(subject, STR("name")), STR("default"));
	case XFORM_SUBJECTS_ACCOUNTS:
		return str_eq(node_get_text(subject, STR("kind")), STR("ServiceAccount"));
	case XFORM_SUBJECTS_NONE:
		return false;
	}
	return false;
}

static void set_subjects(struct arena *a, const struct xform_ns *s, struct res *r)
{
	const struct node *subjects = node_get(r->root, STR("subjects"));

	if (!node_is(subjects, NODE_LIST))
		return;
	for (uint32_t i = 0; i < subjects->n; i++)
		if (follows(s, subjects->items[i]))
			subjects = node_list_set(
				a, subjects, i,
				node_set(a, subjects->items[i], STR("namespace"), ns_node(s, a)));
	if (subjects != node_get(r->root, STR("subjects")))
		r->root = node_set(a, r->root, STR("subjects"), subjects);
}

static struct err *set_one(struct arena *a, struct xform_ns *s, struct res *r)
{
	struct res_id id = res_id(r);

	if (!res_is_cluster(r) && !str_eq(id.ns, s->ns) && !(s->unset_only && id.ns.n > 0)) {
		const struct node *meta = node_get(r->root, STR("metadata"));

		r->root = node_set(a, r->root, STR("metadata"),
				   node_set(a, meta, STR("namespace"), ns_node(s, a)));
	}
	TRY(set_specs(a, s, r));
	if (str_eq(id.kind, STR("RoleBinding")) || str_eq(id.kind, STR("ClusterRoleBinding")))
		set_subjects(a, s, r);
	return NULL;
}

struct err *xform_namespace_set(struct arena *a, struct xform_ns *how, struct resmap *rm)
{
	for (size_t i = 0; i < rm->n; i++)
		if (rm->p[i]->root)
			TRY(set_one(a, how, rm->p[i]));
	return NULL;
}

struct err *xform_namespace_at(struct arena *a, struct xform_ns *how, struct resmap *rm)
{
	for (size_t i = 0; how->ns.n > 0 && i < rm->n; i++)
		if (rm->p[i]->root) {
			res_push_prev(a, rm->p[i]);
			TRY(set_one(a, how, rm->p[i]));
		}
	if (how->ns.n == 0)
		return NULL;
	TRY_WRAP(res_check_ids(a, how->at, rm), "set the namespace '" STR_FMT "'",
		 STR_ARG(how->ns));
	return NULL;
}

struct err *xform_namespace(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	struct xform_ns how = {
		.ns = k->ns, .by = k->ns_node, .specs = &rm->specs->of[SPECS_NAMESPACE]};

	if (k->ns.n == 0)
		return NULL;
	if (k->ns_node)
		how.at = k->ns_node->at;
	return xform_namespace_at(a, &how, rm);
}
