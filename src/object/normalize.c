/* One form of an object for hashing, comparing and applying. The numbers are those of the rules in
 * the manual: 1 server's fields, 2 nulls, 3 Secrets, 4 protocols, 5 aggregated roles, 6 CA bundles,
 * 7 namespaces, 9 marks of other engines, 10 generators' noise, 11 lists, 12 duplicates. Rule 8
 * says that `rules: []` stays, so nothing does it. */
#include "object_priv.h"

#define LIST_DEPTH 4 /* lists of lists of objects */

/* ------------------------------------------------------------------ rules about one field: rows */

enum action {
	DROP,       /* whatever it is */
	DROP_EMPTY, /* "", {} or [] */
	DEFAULT_TCP /* where it is absent */
};

/* Who a row is for: every kind, what holds a pod spec (the path starts there), or one kind. */
#define EVERY "*"
#define POD "pod"

static const struct row {
	uint8_t rule;
	enum action action;
	const char *kind;  /* "group/Kind" */
	const char *path;  /* of the map that holds the field */
	const char *field; /* keys hold dots, so it is no part of the path */
	const char *when;  /* only beside this field; NULL: always */
} rows[] = {
	{1, DROP, EVERY, "metadata", "managedFields", NULL},
	{1, DROP, EVERY, "metadata", "resourceVersion", NULL},
	{1, DROP, EVERY, "metadata", "uid", NULL},
	{1, DROP, EVERY, "metadata", "selfLink", NULL},
	{1, DROP, EVERY, "metadata", "generation", NULL},
	{1, DROP, EVERY, "metadata", "creationTimestamp", NULL},
	{1, DROP, EVERY, "metadata", "deletionTimestamp", NULL},
	{1, DROP, EVERY, "metadata", "deletionGracePeriodSeconds", NULL},
	{1, DROP, EVERY, "", "status", NULL},
	{4, DEFAULT_TCP, POD, "containers[].ports[]", "protocol", NULL},
	{4, DEFAULT_TCP, POD, "initContainers[].ports[]", "protocol", NULL},
	{4, DEFAULT_TCP, POD, "ephemeralContainers[].ports[]", "protocol", NULL},
	{4, DEFAULT_TCP, "/Service", "spec.ports[]", "protocol", NULL},
	{4, DEFAULT_TCP, "/Endpoints", "subsets[].ports[]", "protocol", NULL},
	{5, DROP, "rbac.authorization.k8s.io/ClusterRole", "", "rules", "aggregationRule"},
	{6, DROP_EMPTY, "admissionregistration.k8s.io/MutatingWebhookConfiguration",
	 "webhooks[].clientConfig", "caBundle", NULL},
	{6, DROP_EMPTY, "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
	 "webhooks[].clientConfig", "caBundle", NULL},
	{6, DROP_EMPTY, "apiextensions.k8s.io/CustomResourceDefinition",
	 "spec.conversion.webhook.clientConfig", "caBundle", NULL},
	{6, DROP_EMPTY, "apiregistration.k8s.io/APIService", "spec", "caBundle", NULL},
	{9, DROP, EVERY, "metadata.annotations", "kubectl.kubernetes.io/last-applied-configuration",
	 NULL},
	{9, DROP, EVERY, "metadata.annotations", "argocd.argoproj.io/tracking-id", NULL},
	{9, DROP, EVERY, "metadata.annotations", "config.k8s.io/owning-inventory", NULL},
	{9, DROP, EVERY, "metadata.annotations", "kapp.k14s.io/identity", NULL},
	{9, DROP, EVERY, "metadata.annotations", "kapp.k14s.io/original", NULL},
	{9, DROP, EVERY, "metadata.annotations", "kapp.k14s.io/original-diff-md5", NULL},
	{9, DROP, EVERY, "metadata.labels", "kapp.k14s.io/app", NULL},
	{9, DROP, EVERY, "metadata.labels", "kapp.k14s.io/association", NULL},
	{9, DROP, EVERY, "metadata.labels", "kustomize.toolkit.fluxcd.io/name", NULL},
	{9, DROP, EVERY, "metadata.labels", "kustomize.toolkit.fluxcd.io/namespace", NULL},
	{9, DROP, EVERY, "metadata.labels", "helm.toolkit.fluxcd.io/name", NULL},
	{9, DROP, EVERY, "metadata.labels", "helm.toolkit.fluxcd.io/namespace", NULL},
	/* After the drops above: what is empty now says nothing. */
	{9, DROP_EMPTY, EVERY, "metadata", "annotations", NULL},
	{9, DROP_EMPTY, EVERY, "metadata", "labels", NULL},
	{10, DROP_EMPTY, POD, "containers[]", "resources", NULL},
	{10, DROP_EMPTY, POD, "initContainers[]", "resources", NULL},
	{10, DROP_EMPTY, POD, "ephemeralContainers[]", "resources", NULL},
	{10, DROP_EMPTY, "apps/Deployment", "spec", "strategy", NULL},
	{10, DROP_EMPTY, "apps/DaemonSet", "spec", "updateStrategy", NULL},
	{10, DROP_EMPTY, "apps/StatefulSet", "spec", "updateStrategy", NULL},
	{10, DROP, "apps/StatefulSet", "spec.volumeClaimTemplates[]", "status", NULL},
};

static const struct pod {
	const char *kind, *path;
} pods[] = {
	{"/Pod", "spec"},
	{"/PodTemplate", "template.spec"},
	{"/ReplicationController", "spec.template.spec"},
	{"apps/DaemonSet", "spec.template.spec"},
	{"apps/Deployment", "spec.template.spec"},
	{"apps/ReplicaSet", "spec.template.spec"},
	{"apps/StatefulSet", "spec.template.spec"},
	{"batch/Job", "spec.template.spec"},
	{"batch/CronJob", "spec.jobTemplate.spec.template.spec"},
};

static bool is_empty(const struct node *v)
{
	if (v->kind == NODE_STRING)
		return !v->text.n;
	return (v->kind == NODE_MAP || v->kind == NODE_LIST) && !v->n;
}

static const struct node *act(struct arena *a, const struct node *map, const struct row *r)
{
	str field = str_from(r->field);
	const struct node *v = node_get(map, field);

	if (map->kind != NODE_MAP || (r->when && !node_get(map, str_from(r->when))))
		return map;
	switch (r->action) {
	case DROP:
		return v ? node_del(a, map, field) : map;
	case DROP_EMPTY:
		return v && is_empty(v) ? node_del(a, map, field) : map;
	case DEFAULT_TCP:
		return v ? map : node_set(a, map, field, node_new_str(a, STR("TCP")));
	}
	return map;
}

/* The tree with the row done to each map at the path; as deep as the path, which is a row's. */
static const struct node *act_at(struct arena *a, const struct node *n, str path,
				 const struct row *r)
{
	if (!path.n)
		return act(a, n, r);
	if (str_starts(path, STR("[]"))) {
		const struct node *list = n;

		path = str_sub(path, str_starts(path, STR("[].")) ? 3 : 2, SIZE_MAX);
		for (size_t i = 0; n->kind == NODE_LIST && i < n->n; i++) {
			const struct node *item = act_at(a, n->items[i], path, r);

			if (item != n->items[i])
				list = node_list_set(a, list, i, item);
		}
		return list;
	}

	size_t end = 0;

	while (end < path.n && path.p[end] != '.' && path.p[end] != '[')
		end++;

	str name = str_sub(path, 0, end);
	const struct node *v = node_get(n, name);

	if (!v)
		return n;
	if (end < path.n && path.p[end] == '.')
		end++;

	const struct node *done = act_at(a, v, str_sub(path, end, SIZE_MAX), r);

	return done == v ? n : node_set(a, n, name, done);
}

/* ------------------------------------------------------------------ the other rules: steps */

struct norm {
	struct arena *a;
	const struct obj_norm *how;
	struct object *o; /* o->id is that of the tree as it was read */
	struct err *errs;
};

/* Where we are in the tree, for messages; on the stack. */
struct crumb {
	const struct crumb *up;
	str key; /* STR_NONE: the element `index` of a list */
	size_t index;
};

static str crumbs(struct arena *a, const struct crumb *c)
{
	str s = STR("");

	for (size_t n = 0; c && n <= NODE_MAX_DEPTH; c = c->up, n++) {
		str key = c->key.p ? c->key : arena_printf(a, "[%zu]", c->index);

		s = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(key),
				 s.n && s.p[0] != '[' ? "." : "", STR_ARG(s));
	}
	return s;
}

static void fail(struct norm *m, struct err *e)
{
	m->errs = err_join(m->errs, e);
}

/* The schema of a field; metadata is known of every kind. */
static const struct obj_schema *field_schema(const struct obj_schema *s, str key, size_t depth)
{
	if (!s && !depth && str_eq(key, STR("metadata")))
		s = obj_schema_of(STR("v1"), STR("ConfigMap"));
	return obj_schema_field(s, key);
}

static bool is_string_map(const struct obj_schema *s)
{
	enum obj_shape item = obj_schema_shape(obj_schema_item(s));

	return obj_schema_shape(s) == OBJ_MAP && (item == OBJ_STRING || item == OBJ_BYTES);
}

/* The server makes "" of a null in a map of strings and refuses a number. */
static void check_string_map(struct norm *m, const struct node *map, const struct crumb *at)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct node *v = map->pairs[i].value;
		struct crumb here = {at, map->pairs[i].key, 0};

		if (v->kind == NODE_STRING)
			continue;

		str path = crumbs(m->a, &here);
		struct err *e =
			err_at(ERR_INVALID_OBJECT, v->at, "'" STR_FMT "' must be a string, not %s",
			       STR_ARG(path), node_kind_name(v->kind));

		fail(m, err_hint(e, v->kind == NODE_NULL ? "remove the key, or write \"\""
							 : "put it in quotes"));
	}
}

/* A map or a list while it is copied; either vector. */
struct copy {
	struct node_pairs pairs;
	struct node_items items;
};

/* Element i of n, with the value v. */
static void copy_one(struct arena *a, struct copy *c, const struct node *n, size_t i,
		     const struct node *v)
{
	if (n->kind == NODE_MAP) {
		*ARENA_PUSH(a, &c->pairs) = n->pairs[i];
		c->pairs.p[c->pairs.n - 1].value = v;
	} else {
		/* A vector of pointers. NOLINTNEXTLINE(bugprone-sizeof-expression) */
		*ARENA_PUSH(a, &c->items) = v;
	}
}

static const struct node *copy_end(struct arena *a, const struct copy *c, const struct node *n)
{
	struct node *ret = ARENA_NEW(a, struct node);

	*ret = n->kind == NODE_MAP ? *node_new_map(a, c->pairs.p, c->pairs.n)
				   : *node_new_list(a, c->items.p, c->items.n);
	ret->style = n->style;
	ret->at = n->at;
	ret->by = n->by;
	return ret;
}

static const struct node *without_nulls(struct norm *m, const struct node *n,
					const struct obj_schema *s, const struct crumb *at,
					size_t depth)
{
	if ((n->kind != NODE_MAP && n->kind != NODE_LIST) || obj_schema_shape(s) == OBJ_ANY)
		return n;
	if (depth > NODE_MAX_DEPTH) {
		fail(m, err_at(ERR_LIMIT, n->at, "deeper than %u levels", NODE_MAX_DEPTH));
		return n;
	}
	if (n->kind == NODE_MAP && is_string_map(s)) {
		check_string_map(m, n, at);
		return n;
	}

	bool map = n->kind == NODE_MAP;
	bool named = map && obj_schema_shape(s) != OBJ_MAP;
	const struct obj_schema *item = obj_schema_item(s);
	struct copy c = {0};
	bool changed = false;

	for (size_t i = 0; i < n->n; i++) {
		const struct node *v = map ? n->pairs[i].value : n->items[i];
		struct crumb here = {at, map ? n->pairs[i].key : STR_NONE, i};
		const struct obj_schema *below = named ? field_schema(s, here.key, depth) : item;
		/* A null that is kept is one that the schema calls any value. */
		bool drop = v->kind == NODE_NULL && obj_schema_shape(below) != OBJ_ANY;
		const struct node *w = drop ? NULL : without_nulls(m, v, below, &here, depth + 1);

		if (w == v && !changed)
			continue;
		for (size_t k = 0; !changed && k < i; k++)
			copy_one(m->a, &c, n, k, map ? n->pairs[k].value : n->items[k]);
		changed = true;
		if (w)
			copy_one(m->a, &c, n, i, w);
	}
	return changed ? copy_end(m->a, &c, n) : n;
}

static const struct node *drop_nulls(struct norm *m, const struct node *root)
{
	str av = node_get_text(root, STR("apiVersion"));

	return without_nulls(m, root, obj_schema_of(av, m->o->id.kind), NULL, 0);
}

/* node_set of a value that keeps the place of the one it stands for. */
static const struct node *set_text(struct arena *a, const struct node *map, str key,
				   const struct node *was, str text)
{
	struct node *v = ARENA_NEW(a, struct node);

	*v = *node_new_str(a, text);
	v->at = was->at;
	return node_set(a, map, key, v);
}

static const struct node *secret_data(struct norm *m, const struct node *root)
{
	const struct node *data = node_get(root, STR("data"));
	const struct node *plain = node_get(root, STR("stringData"));

	if (!obj_is_secret(m->o->id) || m->errs)
		return root; /* a value that is no string was told above */
	for (size_t i = 0; node_is(data, NODE_MAP) && i < data->n; i++) {
		CLEANUP(buf) struct buf raw = BUF_INIT;
		CLEANUP(buf) struct buf b = BUF_INIT;
		const struct node_pair *p = &data->pairs[i];

		/* What stringData says counts, so this may be anything. */
		if (node_get(plain, p->key))
			continue;
		if (!buf_unbase64(&raw, p->value->text, true)) {
			fail(m,
			     err_hint(err_at(ERR_INVALID_OBJECT, p->value->at,
					     "'data." STR_FMT "' is not base64", STR_ARG(p->key)),
				      "write plain text under 'stringData'"));
			continue;
		}
		buf_base64(&b, raw.p ? raw.p : "", raw.n);
		if (!str_eq(buf_view(&b), p->value->text))
			data = set_text(m->a, data, p->key, p->value, buf_view(&b));
	}
	for (size_t i = 0; node_is(plain, NODE_MAP) && i < plain->n; i++) {
		CLEANUP(buf) struct buf b = BUF_INIT;
		const struct node_pair *p = &plain->pairs[i];

		buf_base64(&b, p->value->text.p, p->value->text.n);
		data = set_text(m->a, data, p->key, p->value, buf_view(&b));
	}
	if (plain)
		root = node_del(m->a, root, STR("stringData"));
	return data && data != node_get(root, STR("data")) ? node_set(m->a, root, STR("data"), data)
							   : root;
}

static const struct node *place_namespace(struct norm *m, const struct node *root)
{
	const struct obj_norm *how = m->how;
	obj_id id = m->o->id;
	const struct node *meta = node_get(root, STR("metadata"));
	const struct node *ns = node_get(meta, STR("namespace"));
	str want = how->default_namespace.n ? how->default_namespace : STR("default");
	enum obj_scope scope =
		how->scope ? how->scope(how->scope_arg, id.group, m->o->version, id.kind)
			   : obj_scope_builtin(id.group, id.kind);

	if (scope == OBJ_NAMESPACED && !id.ns.n) {
		const struct node *v = node_new_str(m->a, want);

		meta = ns ? node_set(m->a, meta, STR("namespace"), v)
			  : node_insert(m->a, meta, node_index_of(meta, STR("name")) + 1,
					STR("namespace"), v);
	} else if (ns && (scope == OBJ_CLUSTER || !id.ns.n)) {
		meta = node_del(m->a, meta, STR("namespace"));
	} else {
		return root;
	}
	return node_set(m->a, root, STR("metadata"), meta);
}

static bool is_kind(obj_id id, const char *group_kind)
{
	str s = str_from(group_kind);
	size_t slash = str_chr(s, '/');

	return slash != SIZE_MAX && str_eq(str_sub(s, 0, slash), id.group) &&
	       str_eq(str_sub(s, slash + 1, SIZE_MAX), id.kind);
}

static const struct node *pod_fields(struct arena *a, const struct node *spec)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(str_from(rows[i].kind), STR(POD)))
			spec = act_at(a, spec, str_from(rows[i].path), &rows[i]);
	return spec;
}

/* The tree with the rows for pod specs done to the one at the path, which is one of pods[]. */
static const struct node *pod_fields_at(struct arena *a, const struct node *n, str path)
{
	size_t dot = str_chr(path, '.');
	str name = str_sub(path, 0, dot);
	const struct node *v = node_get(n, name);

	if (!v)
		return n;

	const struct node *done = dot == SIZE_MAX
					  ? pod_fields(a, v)
					  : pod_fields_at(a, v, str_sub(path, dot + 1, SIZE_MAX));

	return done == v ? n : node_set(a, n, name, done);
}

static const struct node *fields(struct norm *m, const struct node *root)
{
	obj_id id = m->o->id;

	for (size_t i = 0; i < ARRAY_LEN(pods); i++)
		if (is_kind(id, pods[i].kind))
			root = pod_fields_at(m->a, root, str_from(pods[i].path));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(str_from(rows[i].kind), STR(EVERY)) || is_kind(id, rows[i].kind))
			root = act_at(m->a, root, str_from(rows[i].path), &rows[i]);
	return root;
}

/* In this order: what is null counts as absent for all that follows. */
static const struct node *(*const steps[])(struct norm *, const struct node *) = {
	drop_nulls,      /* 2 */
	place_namespace, /* 7 */
	secret_data,     /* 3 */
	fields,          /* 1, 4, 5, 6, 9, 10 */
};

static struct err *normalize_one(struct arena *a, const struct obj_norm *how,
				 const struct node *root, struct obj_set *ret)
{
	struct object o;
	struct norm m = {.a = a, .how = how, .o = &o};

	TRY(obj_from_node(a, root, &o));
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		root = steps[i](&m, root);
	if (m.errs)
		return m.errs;

	loc at = o.at;

	TRY(obj_from_node(a, root, &o));
	o.at = at;
	return obj_set_add(a, ret, o);
}

/* An element of a ConfigMapList need not say what it is. */
static const struct node *named_item(struct arena *a, const struct node *list,
				     const struct node *item)
{
	str kind = node_get_text(list, STR("kind"));

	if (item->kind != NODE_MAP || kind.n == STR("List").n || node_get(item, STR("kind")))
		return item;
	item = node_insert(a, item, 0, STR("kind"),
			   node_new_str(a, str_sub(kind, 0, kind.n - STR("List").n)));
	if (!node_get(item, STR("apiVersion")) && node_get(list, STR("apiVersion")))
		item = node_insert(a, item, 0, STR("apiVersion"),
				   node_get(list, STR("apiVersion")));
	return item;
}

static struct err *normalize(struct arena *a, const struct obj_norm *how, const struct node *root,
			     struct obj_set *ret, size_t depth)
{
	struct err *errs = NULL;

	if (!obj_is_list(root))
		return normalize_one(a, how, root, ret);
	if (depth == LIST_DEPTH)
		return err_at(ERR_LIMIT, root->at, "lists of objects inside lists, %d deep",
			      LIST_DEPTH);

	const struct node *items = node_get(root, STR("items"));

	for (size_t i = 0; i < items->n; i++)
		errs = err_join(errs, normalize(a, how, named_item(a, root, items->items[i]), ret,
						depth + 1));
	return errs;
}

struct err *obj_normalize(struct arena *a, const struct obj_norm *how, const struct node *root,
			  struct obj_set *ret)
{
	return normalize(a, how, root, ret, 0);
}
