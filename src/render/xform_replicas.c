/* replicas: the count of workloads by any name that they have or had. */
#include "specs.h"
#include "xform_priv.h"

static struct err *set_count(void *arg, struct arena *a, const struct node *old,
			     const struct node **ret)
{
	const struct replica_spec *s = arg;

	(void)old;
	*ret = node_with_by(a, node_new_scalar(a, NODE_INT, NODE_PLAIN, s->count->text), s->count);
	return NULL;
}

/* Had r this name while it was of f's kind? */
static bool was(const struct res *r, const struct fieldspec *f, str name)
{
	struct res_id id = res_id(r);

	if (str_eq(id.name, name) && fieldspec_selects(f, id))
		return true;
	for (size_t i = 0; i < r->prev.n; i++) {
		id.kind = r->prev.p[i].kind;
		if (str_eq(r->prev.p[i].name, name) && fieldspec_selects(f, id))
			return true;
	}
	return false;
}

static struct err *set_entry(struct arena *a, struct replica_spec *s,
			     const struct fieldspecs *specs, const struct name_hits *hits)
{
	struct fieldspec_visit v = {set_count, s, FIELDSPEC_SCALAR};
	bool any = false;

	for (size_t f = 0; f < specs->n; f++)
		for (size_t i = 0; i < hits->n; i++) {
			struct res *r = hits->p[i];

			if (!r->root || !was(r, &specs->p[f], s->name))
				continue;
			any = true;
			TRY(fieldspec_apply(a, r->root, &specs->p[f], &v, &r->root));
		}
	if (!any)
		return err_hint(err_at(ERR_RENDER, s->at,
				       "replicas: '" STR_FMT "' is the name of no workload",
				       STR_ARG(s->name)),
				"name a Deployment, ReplicationController, ReplicaSet or "
				"StatefulSet");
	return NULL;
}

struct err *xform_replicas_at(struct arena *a, struct replica_spec *s,
			      const struct fieldspecs *specs, struct resmap *rm)
{
	return set_entry(a, s, specs, name_index_get(name_index_new(a, rm), s->name));
}

struct err *xform_replicas(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	const struct fieldspecs *specs = &rm->specs->of[SPECS_REPLICAS];
	struct name_index *ix;

	ix = name_index_new(a, rm);
	for (size_t i = 0; i < k->replicas.n; i++)
		TRY(set_entry(a, &k->replicas.p[i], specs,
			      name_index_get(ix, k->replicas.p[i].name)));
	return NULL;
}
