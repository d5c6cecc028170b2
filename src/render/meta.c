/* meta.c: buildMetadata: annotations that say where an object comes from and what ran over it. */
#include "load_priv.h"

#define ORIGIN STR("config.kubernetes.io/origin")
#define TRANSFORMATIONS STR("alpha.config.kubernetes.io/transformations")

bool meta_is_key(str key, unsigned metadata)
{
	return (str_eq(key, ORIGIN) && !(metadata & META_ORIGIN)) ||
	       (str_eq(key, TRANSFORMATIONS) && !(metadata & META_TRANSFORMERS));
}

/* "a/b" and "../c" to "a/c", whatever the tree is: these paths are for people. */
str meta_join(struct arena *a, str folder, str path)
{
	struct res_strs parts = {0};
	CLEANUP(buf) struct buf b = BUF_INIT;
	str all = arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(folder), STR_ARG(path)), part;

	while (str_split(&all, '/', &part)) {
		if (!part.n || str_eq(part, STR(".")))
			continue;
		if (str_eq(part, STR("..")) && parts.n && !str_eq(parts.p[parts.n - 1], STR("..")))
			parts.n--;
		else
			*ARENA_PUSH(a, &parts) = part;
	}
	for (size_t i = 0; i < parts.n; i++) {
		if (i)
			buf_char(&b, '/');
		buf_str(&b, parts.p[i]);
	}
	return arena_str(a, buf_view(&b));
}

static const struct node *get(const struct res *r, str key)
{
	return node_get(res_annotations(r->root), key);
}

static void set(struct arena *a, struct res *r, str key, str value)
{
	const struct node *meta = node_get(r->root, STR("metadata"));
	const struct node *annotations = res_annotations(r->root);

	/* kustomize sets all annotations anew, as strings: none is one with another field's any
	 * more. */
	for (uint32_t i = 0; annotations && i < annotations->n; i++) {
		const struct node *v = annotations->pairs[i].value;

		if (v->kind == NODE_STRING && !r->shared.n)
			continue;
		if (v->kind == NODE_MAP || v->kind == NODE_LIST)
			continue;
		annotations =
			node_set(a, annotations, annotations->pairs[i].key,
				 node_with_by(a, node_new_str(a, v->text), v->by ? v->by : v));
	}
	annotations = node_set(a, annotations, key, node_new_str(a, value));
	meta = node_set(a, node_is(meta, NODE_MAP) ? meta : NULL, STR("annotations"), annotations);
	r->root = node_set(a, r->root, STR("metadata"), meta);
}

const struct node *meta_origin(const struct res *r)
{
	return get(r, ORIGIN);
}

void meta_set_origin(struct arena *a, struct res *r, str text)
{
	set(a, r, ORIGIN, text);
}

static str yaml_of(struct arena *a, const struct node *n)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	node_yaml(n, &b);
	return arena_str(a, buf_view(&b));
}

static void pair(struct arena *a, struct node_pairs *v, const char *key, str value)
{
	if (value.n)
		node_pairs_add(a, v, str_from(key), node_new_str(a, value));
}

static const struct node *maker_node(struct arena *a, const struct meta_maker *m)
{
	struct node_pairs v = {0}, by = {0};

	pair(a, &v, "configuredIn", m->file);
	pair(a, &by, "apiVersion", m->api_version);
	pair(a, &by, "kind", m->kind);
	pair(a, &by, "name", m->name);
	pair(a, &by, "namespace", m->ns);
	node_pairs_add(a, &v, STR("configuredBy"), node_new_map(a, by.p, by.n));
	return node_new_map(a, v.p, v.n);
}

void meta_loaded(struct build *b, struct resmap *rm, str path)
{
	struct node_pairs v = {0};
	str text;

	if (!b->metadata)
		return;
	pair(b->a, &v, "path", meta_join(b->a, b->origin, path));
	text = yaml_of(b->a, node_new_map(b->a, v.p, v.n));
	for (size_t i = 0; i < rm->n; i++)
		set(b->a, rm->p[i], ORIGIN, text);
}

struct meta_maker meta_builtin(struct build *b, const struct kustomization *k, const char *kind)
{
	str name = k->text ? k->text->name : STR("");
	size_t slash = str_rchr(name, '/');

	name = slash == SIZE_MAX ? name : str_sub(name, slash + 1, SIZE_MAX);
	return (struct meta_maker){.file = meta_join(b->a, b->origin, name),
				   .api_version = STR("builtin"),
				   .kind = str_from(kind)};
}

struct meta_maker meta_config(struct build *b, const struct res *config)
{
	const struct node *origin = get(config, ORIGIN);
	struct res_id id = res_id(config);
	struct meta_maker m = {.api_version = node_get_text(config->root, STR("apiVersion")),
			       .kind = id.kind,
			       .name = id.name,
			       .ns = id.ns};

	if (origin) {
		struct text *t = ARENA_NEW(b->a, struct text);
		struct node_docs docs = {0};
		struct err *e;

		*t = (struct text){STR("origin"), origin->text};
		e = node_read_yaml(b->a, t, &docs);
		if (!e && docs.n)
			m.file = node_get_text(docs.p[0], STR("path"));
		err_free(e); /* an annotation of the user's that is no origin */
	}
	return m;
}

void meta_generated(struct build *b, struct res *r, const struct meta_maker *m)
{
	if (b->metadata && !get(r, ORIGIN))
		set(b->a, r, ORIGIN, yaml_of(b->a, maker_node(b->a, m)));
}

void meta_transformed(struct build *b, struct resmap *rm, const struct meta_maker *m, size_t times)
{
	const struct node *maker;
	str own, item;

	if (!b->metadata || !times)
		return;
	maker = maker_node(b->a, m);
	own = yaml_of(b->a, maker);
	item = yaml_of(b->a, node_new_list(b->a, &maker, 1));
	for (size_t i = 0; i < rm->n; i++) {
		struct res *r = rm->p[i];
		const struct node *old;
		size_t n = times;
		CLEANUP(buf) struct buf all = BUF_INIT;

		if (!r->root)
			continue;
		if (!get(r, ORIGIN)) {
			set(b->a, r, ORIGIN, own);
			n--;
		}
		old = get(r, TRANSFORMATIONS);
		if (old)
			buf_str(&all, old->text);
		for (size_t t = 0; t < n; t++)
			buf_str(&all, item);
		if (n)
			set(b->a, r, TRANSFORMATIONS, buf_view(&all));
	}
}
