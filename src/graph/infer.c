/* Edges that nobody wrote down: namespaces, custom kinds, owners, and the references of refs.def.
 */
#include "graph_priv.h"

struct ref {
	str group, kind, path, to_group, to_kind;
	enum graph_reason why;
};
struct pod {
	str group, kind, path;
};

static const struct ref refs[] = {
#define POD(...)
#define MAKES(...)
#define REF(g, k, path, tg, tk, why) {STR(g), STR(k), STR(path), STR(tg), STR(tk), why},
#include "refs.def"
#undef POD
#undef MAKES
#undef REF
};
static const struct pod pods[] = {
#define REF(...)
#define MAKES(...)
#define POD(g, k, path) {STR(g), STR(k), STR(path)},
#include "refs.def"
#undef POD
#undef MAKES
#undef REF
};
static const struct pod makers[] = {
#define REF(...)
#define POD(...)
#define MAKES(g, k, path) {STR(g), STR(k), STR(path)},
#include "refs.def"
#undef POD
#undef MAKES
#undef REF
};

/* What is found by something else than its identity. */
struct by_other {
	struct obj_set *ids; /* made-up identities */
	struct {
		uint32_t *p;
		size_t n, cap;
	} at; /* of member i: the object meant */
};
/* Whoever makes pods, with their labels; learned when the first webhook asks. */
struct load {
	uint32_t at;
	const struct node *labels;
};
struct infer {
	struct build *b;
	struct by_other crds, apis, makers;
	uint32_t i;
	const struct object *o;
	const struct ref *ref;
	struct {
		struct load *p;
		size_t n, cap;
	} loads;
	bool loads_known;
};

static void note(struct build *b, struct by_other *m, obj_id id, uint32_t object)
{
	struct object made = b->set->p[object];

	made.id = id;
	if (obj_set_find(m->ids, id) != SIZE_MAX)
		return;
	CLEANUP(err) struct err *e = obj_set_add(b->a, m->ids, made);
	if (!e)
		*ARENA_PUSH(b->a, &m->at) = object;
}

static bool depend(struct infer *f, const struct by_other *m, obj_id id, enum graph_reason why,
		   str path)
{
	size_t i = obj_set_find(m->ids, id);

	if (i == SIZE_MAX)
		return false;
	if (m->at.p[i] != f->i)
		graph_add(f->b, f->i, m->at.p[i], why, path);
	return true;
}

/* An empty namespace on either side: "default", or a cluster-wide object. */
static size_t find(const struct obj_set *s, obj_id id)
{
	size_t i = obj_set_find(s, id);

	if (i == SIZE_MAX && id.ns.n) {
		id.ns = STR("");
		i = obj_set_find(s, id);
	} else if (i == SIZE_MAX) {
		id.ns = STR("default");
		i = obj_set_find(s, id);
	}
	return i;
}

/* ------------------------------------------------------------------ references */

static void learn_loads(struct infer *f)
{
	if (f->loads_known)
		return;
	f->loads_known = true;
	for (uint32_t i = 0; i < f->b->set->n; i++) {
		const struct object *o = &f->b->set->p[i];
		const struct node *labels =
			str_eq(o->id.kind, STR("Pod"))
				? node_at(o->root, "metadata", "labels", NULL)
				: node_at(o->root, "spec", "template", "metadata", "labels", NULL);

		if (labels)
			*ARENA_PUSH(f->b->a, &f->loads) = (struct load){i, labels};
	}
}

/* Workloads whose pods a service selects: they must be ready before what calls the service. */
static void selected(struct infer *f, const struct object *service, str path)
{
	const struct node *selector = node_at(service->root, "spec", "selector", NULL);

	if (!node_is(selector, NODE_MAP) || !selector->n)
		return;
	learn_loads(f);
	for (size_t i = 0; i < f->loads.n; i++) {
		const struct load *l = &f->loads.p[i];
		bool all = str_eq(f->b->set->p[l->at].id.ns, service->id.ns);

		for (uint32_t k = 0; all && k < selector->n; k++) {
			const struct node *v = node_get(l->labels, selector->pairs[k].key);

			all = v && node_equal(v, selector->pairs[k].value);
		}
		if (all && l->at != f->i)
			graph_add(f->b, f->i, l->at, GRAPH_SELECTOR, path);
	}
}

static str text_or(const struct node *map, const char *key, str otherwise)
{
	str t = node_get_text(map, str_from(key));

	return t.n ? t : otherwise;
}

static void refer(struct infer *f, const struct node *v)
{
	obj_id id = {f->ref->to_group, f->ref->to_kind, f->o->id.ns, node_text(v)};
	size_t to;

	if (v->kind == NODE_MAP) {
		str api = node_get_text(v, STR("apiVersion")), version;

		if (api.n)
			obj_api_version(api, &id.group, &version);
		id.group = text_or(v, "apiGroup", text_or(v, "group", id.group));
		id.kind = text_or(v, "kind", id.kind);
		id.name = node_get_text(v, STR("name"));
		id.ns = text_or(v, "namespace", id.ns);
	}
	if (!id.kind.n || !id.name.n)
		return;
	to = find(f->b->set, id);
	if (to != SIZE_MAX && to != f->i) {
		graph_add(f->b, f->i, (uint32_t)to, f->ref->why, f->ref->path);
		/* Webhooks and API services call their service at once; an ingress need not. */
		if (f->ref->why == GRAPH_BACKEND && !f->o->id.ns.n &&
		    str_eq(id.kind, STR("Service")))
			selected(f, &f->b->set->p[to], f->ref->path);
	} else if (to == SIZE_MAX && str_eq(id.kind, STR("Secret"))) {
		depend(f, &f->makers, id, f->ref->why, f->ref->path);
	}
}

/* The next part of a path; "\." is a dot of a name. */
static str next_part(struct arena *a, str *path, bool *each)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	size_t i = 0;

	for (; i < path->n && path->p[i] != '.'; i++) {
		if (path->p[i] == '\\' && i + 1 < path->n)
			i++;
		buf_char(&b, path->p[i]);
	}
	*path = str_sub(*path, i < path->n ? i + 1 : i, SIZE_MAX);
	*each = str_ends(buf_view(&b), STR("[]"));
	return arena_str(a, str_sub(buf_view(&b), 0, b.n - (*each ? 2 : 0)));
}

/* Every value at the path; as deep as the path is long. */
static void follow(struct infer *f, const struct node *n, str path)
{
	while (n && path.n) {
		bool each;
		str key = next_part(f->b->a, &path, &each);

		n = node_get(n, key);
		if (!each)
			continue;
		for (uint32_t i = 0; node_is(n, NODE_LIST) && i < n->n; i++)
			follow(f, n->items[i], path);
		return;
	}
	if (n)
		refer(f, n);
}

static const struct node *at_path(struct arena *a, const struct node *n, str path)
{
	bool each;

	while (n && path.n)
		n = node_get(n, next_part(a, &path, &each));
	return n;
}

/* ------------------------------------------------------------------ by nature */

static void by_nature(struct infer *f)
{
	const struct object *o = f->o;
	const struct node *owners = node_at(o->root, "metadata", "ownerReferences", NULL);
	static const struct ref owner = {STR(""), STR("*"), STR("metadata.ownerReferences[]"),
					 STR(""), STR(""),  GRAPH_OWNER};
	obj_id ns = {STR(""), STR("Namespace"), STR(""), o->id.ns};
	size_t to = o->id.ns.n ? obj_set_find(f->b->set, ns) : SIZE_MAX;

	if (to != SIZE_MAX)
		graph_add(f->b, f->i, (uint32_t)to, GRAPH_NAMESPACE, STR("metadata.namespace"));
	if (!depend(f, &f->crds, (obj_id){o->id.group, o->id.kind, STR(""), STR("")}, GRAPH_CRD,
		    STR("kind")))
		depend(f, &f->apis, (obj_id){o->id.group, o->version, STR(""), STR("")}, GRAPH_CRD,
		       STR("apiVersion"));
	f->ref = &owner;
	for (uint32_t i = 0; node_is(owners, NODE_LIST) && i < owners->n; i++)
		refer(f, owners->items[i]);
}

static void learn(struct infer *f, uint32_t i)
{
	const struct object *o = &f->b->set->p[i];
	const struct node *spec = node_get(o->root, STR("spec"));

	if (str_eq(o->id.kind, STR("CustomResourceDefinition")))
		note(f->b, &f->crds,
		     (obj_id){node_get_text(spec, STR("group")),
			      node_get_text(node_get(spec, STR("names")), STR("kind")), STR(""),
			      STR("")},
		     i);
	if (str_eq(o->id.kind, STR("APIService")))
		note(f->b, &f->apis,
		     (obj_id){node_get_text(spec, STR("group")),
			      node_get_text(spec, STR("version")), STR(""), STR("")},
		     i);
	for (size_t k = 0; k < ARRAY_LEN(makers); k++)
		if (str_eq(o->id.kind, makers[k].kind) && str_eq(o->id.group, makers[k].group)) {
			str name = node_text(at_path(f->b->a, o->root, makers[k].path));

			if (name.n)
				note(f->b, &f->makers,
				     (obj_id){STR(""), STR("Secret"), o->id.ns, name}, i);
		}
}

void graph_infer(struct build *b)
{
	struct infer f = {.b = b};

	f.crds.ids = obj_set_new(b->a);
	f.apis.ids = obj_set_new(b->a);
	f.makers.ids = obj_set_new(b->a);
	for (uint32_t i = 0; i < b->set->n; i++)
		learn(&f, i);
	for (f.i = 0; f.i < b->set->n; f.i++) {
		const struct node *spec = NULL;

		f.o = &b->set->p[f.i];
		by_nature(&f);
		for (size_t k = 0; !spec && k < ARRAY_LEN(pods); k++)
			if (str_eq(pods[k].kind, f.o->id.kind) &&
			    str_eq(pods[k].group, f.o->id.group))
				spec = at_path(b->a, f.o->root, pods[k].path);
		for (size_t k = 0; k < ARRAY_LEN(refs); k++) {
			f.ref = &refs[k];
			if (str_eq(refs[k].kind, STR("PodSpec"))) {
				if (spec)
					follow(&f, spec, refs[k].path);
			} else if (str_eq(refs[k].kind, f.o->id.kind) &&
				   str_eq(refs[k].group, f.o->id.group)) {
				follow(&f, f.o->root, refs[k].path);
			}
		}
	}
}
