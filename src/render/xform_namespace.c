/* namespace: moves every namespaced object, and what speaks of the namespace by field specs. */
#include "fieldspec.h"

struct setter {
	str ns;
	const struct node *by;
};

static const struct node *ns_node(const struct setter *s, struct arena *a)
{
	return node_with_by(a, node_new_str(a, s->ns), s->by);
}

static struct err *set_ns(void *arg, struct arena *a, const struct node *old,
			  const struct node **ret)
{
	const struct setter *s = arg;

	*ret = old && str_eq(node_text(old), s->ns) ? old : ns_node(s, a);
	return NULL;
}

static struct err *set_specs(struct arena *a, const struct fieldspecs *specs, struct setter *s,
			     struct res *r)
{
	struct fieldspec_visit v = {set_ns, s, FIELDSPEC_SCALAR};
	struct res_id id = res_id(r);

	for (size_t i = 0; i < specs->n; i++) {
		const struct fieldspec *f = &specs->p[i];

		/* Another group's kind of that name is no Namespace. */
		if (!fieldspec_selects(f, id) ||
		    (str_eq(f->kind, STR("Namespace")) &&
		     !(id.group.n == 0 && str_eq(id.version, STR("v1")))))
			continue;
		TRY(fieldspec_apply(a, r->root, f, &v, &r->root));
	}
	return NULL;
}

/* The ServiceAccount "default" exists in every namespace: only subjects of that name follow at
 * once, others by name reference. */
static void set_subjects(struct arena *a, const struct setter *s, struct res *r)
{
	const struct node *subjects = node_get(r->root, STR("subjects"));

	if (!node_is(subjects, NODE_LIST))
		return;
	for (uint32_t i = 0; i < subjects->n; i++) {
		const struct node *e = subjects->items[i];

		if (str_eq(node_get_text(e, STR("name")), STR("default")))
			subjects = node_list_set(a, subjects, i,
						 node_set(a, e, STR("namespace"), ns_node(s, a)));
	}
	if (subjects != node_get(r->root, STR("subjects")))
		r->root = node_set(a, r->root, STR("subjects"), subjects);
}

static struct err *set_one(struct arena *a, const struct fieldspecs *specs, struct setter *s,
			   struct res *r)
{
	struct res_id id = res_id(r);

	res_push_prev(a, r);
	if (!res_is_cluster(r)) {
		const struct node *meta = node_get(r->root, STR("metadata"));

		if (!str_eq(node_get_text(meta, STR("namespace")), s->ns))
			r->root = node_set(a, r->root, STR("metadata"),
					   node_set(a, meta, STR("namespace"), ns_node(s, a)));
	}
	TRY(set_specs(a, specs, s, r));
	if (str_eq(id.kind, STR("RoleBinding")) || str_eq(id.kind, STR("ClusterRoleBinding")))
		set_subjects(a, s, r);
	return NULL;
}

static struct err *check_ids(struct arena *a, const struct kustomization *k,
			     const struct resmap *rm)
{
	struct name_index *ix = name_index_new(a, rm);

	for (size_t i = 0; i < rm->n; i++) {
		struct res_id id = res_id(rm->p[i]);
		const struct name_hits *hits = name_index_get(ix, id.name);
		size_t same = 0;

		for (size_t j = 0; j < hits->n && same < 2; j++)
			same += res_id_equal(res_id(hits->p[j]), id);
		if (same > 1)
			return err_at(ERR_RENDER, k->ns_node ? k->ns_node->at : rm->p[i]->at,
				      "namespace transformation produces ID conflict: '" STR_FMT
				      "' exists twice",
				      STR_ARG(res_id_text(a, id)));
	}
	return NULL;
}

struct err *xform_namespace(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	struct setter s = {k->ns, k->ns_node};
	struct fieldspecs specs = {0};

	if (k->ns.n == 0)
		return NULL;
	fieldspec_add_table(a, &fieldspec_namespaces, &specs);
	for (size_t i = 0; i < rm->n; i++)
		if (rm->p[i]->root)
			TRY(set_one(a, &specs, &s, rm->p[i]));
	return check_ids(a, k, rm);
}
