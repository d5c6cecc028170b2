/* configs.c: `configurations` and `crds`: files that add field specs. */
#include "kust_priv.h"
#include "specs.h"

#define CRD_MAX_VISITS 100000u /* fields looked at in the types of one file, $refs followed */

static const struct field nameref_fields[] = {
	{"group", F_STR, AT(nameref, target.group), NULL},
	{"version", F_STR, AT(nameref, target.version), NULL},
	{"kind", F_STR, AT(nameref, target.kind), NULL},
	{"fieldSpecs", F_CALL, AT(nameref, referrers), kust_fieldspecs},
};

static struct err *one_nameref(struct call *c, const struct node *v, void *member)
{
	struct specs *s = member;
	struct nameref *n = ARENA_PUSH(c->b->a, &s->names);

	*n = (struct nameref){.target = {.at = v->at}};
	return kust_map(c, v, "nameReference", nameref_fields, ARRAY_LEN(nameref_fields), n);
}

static struct err *read_namerefs(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "nameReference", member, one_nameref);
}

#define SPECS(name, which)                                                                         \
	{                                                                                          \
		name, F_CALL, AT(specs, of[which]), kust_fieldspecs                                \
	}
static const struct field config_fields[] = {
	SPECS("namePrefix", SPECS_PREFIX),
	SPECS("nameSuffix", SPECS_SUFFIX),
	SPECS("namespace", SPECS_NAMESPACE),
	SPECS("commonLabels", SPECS_COMMON_LABELS),
	SPECS("labels", SPECS_LABELS),
	SPECS("templateLabels", SPECS_TEMPLATE_LABELS),
	SPECS("commonAnnotations", SPECS_ANNOTATIONS),
	SPECS("varReference", SPECS_VARS),
	SPECS("images", SPECS_IMAGES),
	SPECS("replicas", SPECS_REPLICAS),
	{"nameReference", F_CALL, 0, read_namerefs},
};

static struct err *read_file(struct build *b, const struct kustomization *k,
			     const struct kust_entry *entry, const struct node **ret)
{
	struct node_docs docs = {0};
	struct text *text;

	TRY(load_file(b, k->folder, entry->text, entry->at, &text));
	TRY(node_read_yaml_as(b->a, text, NODE_READ_YAML11, &docs));
	*ret = docs.n ? docs.p[0] : node_new_map(b->a, NULL, 0);
	return NULL;
}

static struct err *add_configuration(struct build *b, struct kustomization *k,
				     const struct kust_entry *entry, const struct specs **all)
{
	struct call c = {.b = b, .k = k, .coerce = true};
	struct specs *s = ARENA_NEW(b->a, struct specs);
	const struct node *map;

	TRY(read_file(b, k, entry, &map));
	if (map->kind == NODE_NULL)
		return NULL;
	TRY(kust_map(&c, map, "configuration", config_fields, ARRAY_LEN(config_fields), s));
	return specs_merge(b->a, *all, s, all);
}

/* ------------------------------------------------------------------ crds */

/* One file: types by name, each {Schema: {properties: ...}}. */
struct crds {
	struct build *b;
	const struct node *types;
	struct specs *ret;
	str kind; /* of the type whose fields are walked */
	loc at;
	unsigned visits;
};

static const struct node *properties_of(const struct crds *c, str type)
{
	const struct node *schema = kust_get(node_get(c->types, type), "Schema");
	const struct node *v = node_get(schema, STR("properties"));

	return node_is(v, NODE_MAP) ? v : NULL;
}

static struct err *add_spec(struct crds *c, enum specs_of which, str path)
{
	struct fieldspec f = {.kind = c->kind, .path = path, .at = c->at};

	return specs_add(c->b->a, &c->ret->of[which], &f);
}

static struct err *add_reference(struct crds *c, const struct node *property, str path)
{
	const struct node *version = node_get(property, STR("x-kubernetes-object-ref-api-version"));
	const struct node *kind = node_get(property, STR("x-kubernetes-object-ref-kind"));
	str key = node_get_text(property, STR("x-kubernetes-object-ref-name-key"));
	struct nameref n = {.target = {.version = node_text(version), .kind = node_text(kind)}};
	struct fieldspec f = {.kind = c->kind, .at = c->at};

	if (!node_is(version, NODE_STRING) || !node_is(kind, NODE_STRING))
		return NULL;
	f.path = arena_printf(c->b->a, STR_FMT "/" STR_FMT, STR_ARG(path),
			      STR_ARG(key.n ? key : STR("name")));
	*ARENA_PUSH(c->b->a, &n.referrers) = f;
	return specs_add_name(c->b->a, c->ret, &n);
}

static struct err *walk_type(struct crds *c, str type, str path, unsigned depth)
{
	const struct node *properties = properties_of(c, type);

	if (depth > RENDER_MAX_DEPTH)
		return err_at(ERR_RENDER_LIMIT, c->at, "types in types deeper than %u: a cycle?",
			      RENDER_MAX_DEPTH);
	for (uint32_t i = 0; properties && i < properties->n; i++) {
		const struct node *p = properties->pairs[i].value;
		const struct node *ref = node_get(p, STR("$ref"));
		str at = arena_printf(c->b->a, STR_FMT "%s" STR_FMT, STR_ARG(path),
				      path.n ? "/" : "", STR_ARG(properties->pairs[i].key));

		if (++c->visits > CRD_MAX_VISITS)
			return err_at(ERR_RENDER_LIMIT, c->at, "more than %u fields of types",
				      CRD_MAX_VISITS);
		if (node_is(node_get(p, STR("x-kubernetes-annotation")), NODE_STRING))
			TRY(add_spec(c, SPECS_ANNOTATIONS, at));
		if (node_is(node_get(p, STR("x-kubernetes-label-selector")), NODE_STRING))
			TRY(add_spec(c, SPECS_COMMON_LABELS, at));
		if (node_is(node_get(p, STR("x-kubernetes-identity")), NODE_STRING))
			TRY(add_spec(c, SPECS_PREFIX, at));
		TRY(add_reference(c, p, at));
		if (node_is(ref, NODE_STRING))
			TRY(walk_type(c, ref->text, at, depth + 1));
	}
	return NULL;
}

static struct err *add_crds(struct build *b, const struct kustomization *k,
			    const struct kust_entry *entry, const struct specs **all)
{
	struct crds c = {.b = b, .ret = ARENA_NEW(b->a, struct specs), .at = entry->at};

	TRY(read_file(b, k, entry, &c.types));
	if (c.types->kind != NODE_MAP)
		return kust_wrong_type(c.types, entry->text, "a map of types");
	for (uint32_t i = 0; i < c.types->n; i++) {
		str type = c.types->pairs[i].key;
		const struct node *p = properties_of(&c, type);
		size_t dot = str_rchr(type, '.');

		if (!node_get(p, STR("kind")) || !node_get(p, STR("apiVersion")) ||
		    !node_get(p, STR("metadata")))
			continue;
		c.kind = dot == SIZE_MAX ? type : str_sub(type, dot + 1, SIZE_MAX);
		TRY(walk_type(&c, type, STR(""), 0));
	}
	return specs_merge(b->a, *all, c.ret, all);
}

struct err *kust_specs(struct build *b, struct kustomization *k, const struct specs **ret)
{
	const struct specs *own = NULL, *all = b->specs;

	for (size_t i = 0; i < k->configurations.n; i++)
		TRY(add_configuration(b, k, &k->configurations.p[i], &own));
	if (own)
		TRY(specs_merge(b->a, all, own, &all));
	if (*ret)
		TRY(specs_merge(b->a, *ret, all, &all));
	for (size_t i = 0; i < k->crds.n; i++)
		TRY(add_crds(b, k, &k->crds.p[i], &all));
	*ret = all;
	return NULL;
}
