/* Name references: fields that hold another object's name follow it. Runs once, at the top, when
 * all names are final, by the history that every object keeps. The candidates for a name come from
 * a hash index, so the cost is that of the fields, not of fields times objects. */
#include "specs.h"

struct ref {
	struct arena *a;
	const struct name_index *ix;
	const struct name_index *spaces; /* objects by their original effective namespace */
	struct res *from;
	const struct fieldspec *target;
	struct res_id id; /* of from */
	str ns;           /* its effective namespace */
	bool cluster;
	bool role_ref; /* the path ends in roleRef/name */
};

static bool in_namespace(const struct res *r, str ns)
{
	return res_is_cluster(r) || str_eq(res_effective_ns(res_id(r)), ns);
}

/* May R speak of c at all? A RoleBinding also speaks of the namespaces of its subjects. */
static bool in_reach(const struct ref *f, const struct res *c)
{
	const struct node *subjects = node_get(f->from->root, STR("subjects"));

	if (f->cluster || in_namespace(c, f->ns))
		return true;
	if (!str_eq(f->id.kind, STR("RoleBinding")) || !node_is(subjects, NODE_LIST))
		return false;
	for (uint32_t i = 0; i < subjects->n; i++) {
		const struct node *s = subjects->items[i];

		if (str_eq(node_get_text(s, STR("kind")), STR("ServiceAccount")) &&
		    str_eq(node_get_text(s, STR("namespace")), res_effective_ns(res_id(c))))
			return true;
	}
	return false;
}

static bool had_kind(const struct res *c, const struct fieldspec *want)
{
	struct res_id id = res_id(c);

	for (size_t i = 0; i < c->prev.n; i++) {
		id.kind = c->prev.p[i].kind;
		if (fieldspec_selects(want, id))
			return true;
	}
	return false;
}

static bool had_name(const struct res *c, str name)
{
	for (size_t i = 0; i < c->prev.n; i++)
		if (str_eq(c->prev.p[i].name, name))
			return true;
	return false;
}

static bool is_role(const struct ref *f, const struct res *c)
{
	const struct node *ref = node_get(f->from->root, STR("roleRef"));
	struct fieldspec want = {.group = node_get_text(ref, STR("apiGroup")),
				 .kind = node_get_text(ref, STR("kind"))};

	if (!f->role_ref || want.group.n == 0 || want.kind.n == 0)
		return true;
	return had_kind(c, &want);
}

/* One list is empty, or the shorter is the end of the longer. */
static bool compatible(const struct res_strs *x, const struct res_strs *y, bool lax)
{
	size_t n = x->n < y->n ? x->n : y->n;

	if (n == 0)
		return lax || x->n == y->n;
	for (size_t i = 1; i <= n; i++)
		if (!str_eq(x->p[x->n - i], y->p[y->n - i]))
			return false;
	return true;
}

static void sieve_affixes(const struct ref *f, struct name_hits *v, bool lax)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		if (compatible(&f->from->prefixes, &v->p[i]->prefixes, lax) &&
		    compatible(&f->from->suffixes, &v->p[i]->suffixes, lax))
			v->p[n++] = v->p[i];
	v->n = n;
}

static bool same_names(const struct name_hits *v, bool with_ns)
{
	struct res_id first = res_id(v->p[0]);

	for (size_t i = 1; i < v->n; i++) {
		struct res_id id = res_id(v->p[i]);

		if (!str_eq(id.name, first.name) || (with_ns && !str_eq(id.ns, first.ns)))
			return false;
	}
	return true;
}

/* The objects that may be meant by a name; ns restricts them when a map names one. */
static void candidates(const struct ref *f, str name, const str *ns, struct name_hits *ret)
{
	const struct name_hits *all = name_index_get(f->ix, name);
	bool by_origin = false;

	/* Any object that was in the namespace decides how it is meant, whatever its name. */
	if (ns) {
		const struct name_hits *there = name_index_get(f->spaces, *ns);

		for (size_t i = 0; i < there->n && !by_origin; i++)
			by_origin = in_reach(f, there->p[i]);
	}
	for (size_t i = 0; i < all->n; i++) {
		struct res *c = all->p[i];
		struct res_id id;

		if (!c->root || !in_reach(f, c) || !had_name(c, name) || !had_kind(c, f->target) ||
		    !is_role(f, c))
			continue;
		id = by_origin ? res_org_id(c) : res_id(c);
		if (ns && !str_eq(res_effective_ns(id), *ns))
			continue;
		if (!f->cluster && !in_namespace(c, f->ns) &&
		    !str_eq(res_id(c).kind, STR("ServiceAccount")))
			continue;
		*ARENA_PUSH(f->a, ret) = c;
	}
}

static struct err *ambiguous(const struct ref *f, str name, const struct node *at,
			     const struct name_hits *v)
{
	return err_at(ERR_RENDER, at->at,
		      "found multiple possible referrals for '" STR_FMT "': '" STR_FMT
		      "' and '" STR_FMT "'",
		      STR_ARG(name), STR_ARG(res_id_text(f->a, res_id(v->p[0]))),
		      STR_ARG(res_id_text(f->a, res_id(v->p[1]))));
}

/* *ret is NULL when no object is meant. */
static struct err *find(const struct ref *f, str name, const str *ns, bool map,
			const struct node *at, struct res **ret)
{
	struct name_hits v = {0};

	*ret = NULL;
	candidates(f, name, ns, &v);
	if (v.n != 1)
		sieve_affixes(f, &v, true);
	if (v.n > 1)
		sieve_affixes(f, &v, false);
	if (v.n > 1 && !same_names(&v, map))
		return ambiguous(f, name, at, &v);
	if (v.n > 0)
		*ret = v.p[0];
	return NULL;
}

static const struct node *name_of(const struct ref *f, const struct res *to, str field)
{
	const struct node *v = node_get(node_get(to->root, STR("metadata")), field);

	return v->by ? node_with_by(f->a, node_new_str(f->a, v->text), v->by)
		     : node_new_str(f->a, v->text);
}

static struct err *set_scalar(const struct ref *f, const struct node *old, const struct node **ret)
{
	struct res *to;

	*ret = old;
	TRY(find(f, old->text, NULL, false, old, &to));
	if (to && !str_eq(res_id(to).name, old->text))
		*ret = name_of(f, to, STR("name"));
	return NULL;
}

static struct err *set_map(const struct ref *f, const struct node *old, const struct node **ret)
{
	const struct node *name = node_get(old, STR("name"));
	const struct node *ns = node_get(old, STR("namespace"));
	struct res *to;

	*ret = old;
	if (!name)
		return err_at(ERR_RENDER, old->at, "path config error; no 'name' field in node");
	if (ns && (ns->kind == NODE_NULL || ns->text.n == 0))
		return err_at(ERR_RENDER, ns->at, "namespace is blank");
	TRY(find(f, name->text, ns ? &ns->text : NULL, true, name, &to));
	if (!to)
		return NULL;
	if (!str_eq(res_id(to).name, name->text))
		*ret = node_set(f->a, *ret, STR("name"), name_of(f, to, STR("name")));
	if (res_id(to).ns.n > 0 && !(ns && str_eq(ns->text, res_id(to).ns)))
		*ret = node_set(f->a, *ret, STR("namespace"), name_of(f, to, STR("namespace")));
	return NULL;
}

static struct err *set_value(void *arg, struct arena *a, const struct node *old,
			     const struct node **ret)
{
	const struct ref *f = arg;
	const struct node *v;

	*ret = old;
	switch ((enum node_kind)old->kind) {
	case NODE_NULL:
		return NULL;
	case NODE_MAP:
		return set_map(f, old, ret);
	case NODE_LIST:
		for (uint32_t i = 0; i < old->n; i++) {
			const struct node *e = old->items[i];

			if (e->kind == NODE_NULL)
				continue;
			if (e->kind == NODE_LIST)
				return err_at(ERR_RENDER, e->at,
					      "a name reference cannot be a list of lists");
			TRY(e->kind == NODE_MAP ? set_map(f, e, &v) : set_scalar(f, e, &v));
			if (v != e)
				*ret = node_list_set(a, *ret, i, v);
		}
		return NULL;
	case NODE_BOOL:
	case NODE_INT:
	case NODE_FLOAT:
	case NODE_STRING:
		return set_scalar(f, old, ret);
	}
	return NULL;
}

static struct err *set_target(struct ref *f, const struct fieldspecs *specs)
{
	struct fieldspec_visit v = {set_value, f, FIELDSPEC_NEVER};
	struct res_id org = res_org_id(f->from);
	const struct node *before;

	for (size_t i = 0; i < specs->n; i++) {
		if (!fieldspec_selects(&specs->p[i], org))
			continue;
		f->role_ref = str_ends(specs->p[i].path, STR("roleRef/name"));
		before = f->from->root;
		TRY(fieldspec_apply(f->a, f->from->root, &specs->p[i], &v, &f->from->root));
		res_settle(f->a, f->from, before);
	}
	return NULL;
}

static const struct name_index *spaces_of(struct arena *a, const struct resmap *rm)
{
	struct resmap none = {0};
	struct name_index *ix = name_index_new(a, &none);

	for (size_t i = 0; i < rm->n; i++)
		name_index_add(a, ix, res_effective_ns(res_org_id(rm->p[i])), rm->p[i]);
	return ix;
}

struct err *xform_name_references(struct arena *a, struct resmap *rm)
{
	struct ref f = {.a = a, .ix = name_index_new(a, rm), .spaces = spaces_of(a, rm)};

	for (size_t i = 0; i < rm->n; i++) {
		f.from = rm->p[i];
		if (!f.from->root)
			continue;
		f.id = res_id(f.from);
		f.ns = res_effective_ns(f.id);
		f.cluster = res_is_cluster(f.from);
		for (size_t t = 0; t < rm->specs->names.n; t++) {
			f.target = &rm->specs->names.p[t].target;
			TRY(set_target(&f, &rm->specs->names.p[t].referrers));
		}
	}
	return NULL;
}
