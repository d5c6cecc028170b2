/* res.c: what an object of a build is called, was called, and may collide with. */
#include "render_priv.h"

static str get_text(const struct node *map, const char *key)
{
	const struct node *v = node_get(map, str_from(key));

	return v && v->kind != NODE_MAP && v->kind != NODE_LIST && v->kind != NODE_NULL ? v->text
											: STR("");
}

struct res_id res_id(const struct res *r)
{
	const struct node *meta = node_get(r->root, STR("metadata"));
	struct res_id id = {
		.group = STR(""),
		.version = STR(""),
		.kind = get_text(r->root, "kind"),
		.ns = get_text(meta, "namespace"),
		.name = get_text(meta, "name"),
	};
	str api = get_text(r->root, "apiVersion");

	if (api.n)
		obj_api_version(api, &id.group, &id.version);
	return id;
}

struct res_id res_org_id(const struct res *r)
{
	struct res_id id = res_id(r);

	if (r->prev.n) {
		id.name = r->prev.p[0].name;
		id.ns = r->prev.p[0].ns;
		id.kind = r->prev.p[0].kind;
	} else {
		id.ns = res_effective_ns(id);
	}
	return id;
}

struct res_id res_id_at(const struct res *r, size_t i)
{
	struct res_id id = res_id(r);

	if (i < r->prev.n) {
		id.name = r->prev.p[i].name;
		id.ns = r->prev.p[i].ns;
		id.kind = r->prev.p[i].kind;
	}
	return id;
}

/* Cluster-scoped types of Kubernetes 1.21.2; everything else counts as namespaced. */
static const struct {
	const char *group, *version, *kind;
} cluster_types[] = {
	{"", "v1", "ComponentStatus"},
	{"", "v1", "Namespace"},
	{"", "v1", "Node"},
	{"", "v1", "NodeProxyOptions"},
	{"", "v1", "PersistentVolume"},
	{"admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration"},
	{"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"},
	{"admissionregistration.k8s.io", "v1beta1", "MutatingWebhookConfiguration"},
	{"admissionregistration.k8s.io", "v1beta1", "ValidatingWebhookConfiguration"},
	{"apiextensions.k8s.io", "v1", "CustomResourceDefinition"},
	{"apiextensions.k8s.io", "v1beta1", "CustomResourceDefinition"},
	{"apiregistration.k8s.io", "v1", "APIService"},
	{"apiregistration.k8s.io", "v1beta1", "APIService"},
	{"certificates.k8s.io", "v1", "CertificateSigningRequest"},
	{"certificates.k8s.io", "v1beta1", "CertificateSigningRequest"},
	{"flowcontrol.apiserver.k8s.io", "v1beta1", "FlowSchema"},
	{"flowcontrol.apiserver.k8s.io", "v1beta1", "PriorityLevelConfiguration"},
	{"networking.k8s.io", "v1", "IngressClass"},
	{"networking.k8s.io", "v1beta1", "IngressClass"},
	{"node.k8s.io", "v1", "RuntimeClass"},
	{"node.k8s.io", "v1beta1", "RuntimeClass"},
	{"policy", "v1beta1", "PodSecurityPolicy"},
	{"rbac.authorization.k8s.io", "v1", "ClusterRole"},
	{"rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"},
	{"rbac.authorization.k8s.io", "v1beta1", "ClusterRole"},
	{"rbac.authorization.k8s.io", "v1beta1", "ClusterRoleBinding"},
	{"scheduling.k8s.io", "v1", "PriorityClass"},
	{"scheduling.k8s.io", "v1beta1", "PriorityClass"},
	{"storage.k8s.io", "v1", "CSIDriver"},
	{"storage.k8s.io", "v1", "CSINode"},
	{"storage.k8s.io", "v1", "StorageClass"},
	{"storage.k8s.io", "v1", "VolumeAttachment"},
	{"storage.k8s.io", "v1beta1", "CSIDriver"},
	{"storage.k8s.io", "v1beta1", "CSINode"},
	{"storage.k8s.io", "v1beta1", "StorageClass"},
	{"storage.k8s.io", "v1beta1", "VolumeAttachment"},
};

bool res_kind_is_cluster(str group, str version, str kind)
{
	for (size_t i = 0; i < ARRAY_LEN(cluster_types); i++)
		if (str_eq(kind, str_from(cluster_types[i].kind)) &&
		    str_eq(group, str_from(cluster_types[i].group)) &&
		    str_eq(version, str_from(cluster_types[i].version)))
			return true;
	return false;
}

bool res_is_cluster(const struct res *r)
{
	struct res_id id = res_id(r);

	return res_kind_is_cluster(id.group, id.version, id.kind);
}

str res_effective_ns(struct res_id id)
{
	if (res_kind_is_cluster(id.group, id.version, id.kind))
		return RES_NS_CLUSTER;
	return id.ns.n ? id.ns : STR("default");
}

void res_push_prev(struct arena *a, struct res *r)
{
	struct res_id id = res_id(r);

	*ARENA_PUSH(a, &r->prev) =
		(struct res_prev){.name = id.name, .ns = res_effective_ns(id), .kind = id.kind};
}

bool res_id_equal(struct res_id a, struct res_id b)
{
	return str_eq(a.name, b.name) && str_eq(a.kind, b.kind) && str_eq(a.group, b.group) &&
	       str_eq(a.version, b.version) && str_eq(res_effective_ns(a), res_effective_ns(b));
}

bool res_has_id(const struct res *r, struct res_id id)
{
	struct res_id now = res_id(r);

	if (res_id_equal(now, id))
		return true;
	for (size_t i = 0; i < r->prev.n; i++) {
		now.name = r->prev.p[i].name;
		now.ns = r->prev.p[i].ns;
		now.kind = r->prev.p[i].kind;
		if (res_id_equal(now, id))
			return true;
	}
	return false;
}

str res_id_text(struct arena *a, struct res_id id)
{
	str ver = id.version.n ? id.version : STR("[noVer]");
	str group = id.group.n ? id.group : STR("[noGrp]");
	str ns = id.ns.n ? id.ns : STR("[noNs]");

	return arena_printf(a, STR_FMT "." STR_FMT "." STR_FMT "/" STR_FMT "." STR_FMT,
			    STR_ARG(id.kind), STR_ARG(ver), STR_ARG(group), STR_ARG(id.name),
			    STR_ARG(ns));
}

/* No reader gives a number this style, and no printer looks at it. */
#define UNTYPED NODE_FOLDED

bool res_is_untyped(const struct node *n)
{
	return n->style == UNTYPED && n->kind != NODE_STRING && n->kind != NODE_MAP &&
	       n->kind != NODE_LIST;
}

const struct node *res_plain(struct arena *a, str s)
{
	struct text *t = ARENA_NEW(a, struct text);
	struct node_docs docs = {0};
	struct err *e;

	if (!s.n || str_eq(s, STR("~")))
		return node_null(a);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		      c == '+' || c == '-' || c == '.' || c == '_'))
			return node_new_str(a, s);
	}
	t->bytes = s;
	e = node_read_yaml(a, t, &docs);
	if (e || docs.n != 1 || docs.p[0]->kind == NODE_MAP || docs.p[0]->kind == NODE_LIST) {
		err_free(e); /* what is no scalar is a text */
		return node_new_str(a, s);
	}
	return node_new_scalar(a, docs.p[0]->kind,
			       docs.p[0]->kind == NODE_STRING ? NODE_PLAIN : UNTYPED,
			       docs.p[0]->text);
}

/* ------------------------------------------------------------------ by any name */

struct name_slot {
	str name;
	struct name_hits hits;
};
struct name_index {
	struct name_slot *slots;
	size_t cap, n;
	struct name_hits none;
};

static struct name_slot *name_slot(const struct name_index *ix, str name)
{
	size_t at = str_hash(name) & (ix->cap - 1);

	while (ix->slots[at].hits.n && !str_eq(ix->slots[at].name, name))
		at = (at + 1) & (ix->cap - 1);
	return &ix->slots[at];
}

static void grow(struct arena *a, struct name_index *ix, size_t names)
{
	struct name_index old = *ix;

	for (ix->cap = ix->cap ? ix->cap : 16; ix->cap < names * 2;)
		ix->cap *= 2;
	ix->slots = ARENA_ARRAY(a, struct name_slot, ix->cap);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].hits.n)
			*name_slot(ix, old.slots[i].name) = old.slots[i];
}

void name_index_add(struct arena *a, struct name_index *ix, str name, struct res *r)
{
	struct name_slot *s;

	if ((ix->n + 1) * 2 > ix->cap)
		grow(a, ix, ix->n + 1);
	s = name_slot(ix, name);
	if (s->hits.n && s->hits.p[s->hits.n - 1] == r)
		return; /* all names of one object are added in one go */
	if (!s->hits.n)
		ix->n++;
	s->name = name;
	*ARENA_PUSH(a, &s->hits) = r;
}

static void add_names(struct arena *a, struct name_index *ix, struct res *r)
{
	name_index_add(a, ix, res_id(r).name, r);
	for (size_t k = 0; k < r->prev.n; k++)
		name_index_add(a, ix, r->prev.p[k].name, r);
}

struct name_index *name_index_new(struct arena *a, const struct resmap *rm)
{
	struct name_index *ix = ARENA_NEW(a, struct name_index);

	grow(a, ix, rm->n + 1);
	for (size_t i = 0; i < rm->n; i++)
		add_names(a, ix, rm->p[i]);
	return ix;
}

const struct name_hits *name_index_get(const struct name_index *ix, str name)
{
	const struct name_slot *s = name_slot(ix, name);

	return s->hits.n ? &s->hits : &ix->none;
}

const struct name_hits *res_by_name(struct arena *a, struct resmap *rm, str name)
{
	if (!rm->names)
		rm->names = name_index_new(a, rm);
	return name_index_get(rm->names, name);
}

void res_append(struct arena *a, struct resmap *rm, struct res *r)
{
	*ARENA_PUSH(a, rm) = r;
	if (rm->names)
		add_names(a, rm->names, r);
}

struct err *res_check_ids(struct arena *a, loc at, const struct resmap *rm)
{
	struct name_index *ix = name_index_new(a, rm);

	for (size_t i = 0; i < rm->n; i++) {
		const struct name_hits *hits;
		struct res_id id;
		size_t same = 0;

		if (!rm->p[i]->root)
			continue;
		id = res_id(rm->p[i]);
		hits = name_index_get(ix, id.name);
		for (size_t j = 0; j < hits->n && same < 2; j++)
			same += res_id_equal(res_id(hits->p[j]), id);
		if (same > 1)
			return err_at(ERR_RENDER, at,
				      "ID conflict: there are two '" STR_FMT "' now",
				      STR_ARG(res_id_text(a, id)));
	}
	return NULL;
}
