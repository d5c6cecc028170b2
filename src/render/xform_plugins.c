/* transformers: configurations of the built-in transformers, each with field specs of its own.
 *
 * Entries are inline YAML or files. Field specs have no defaults here: without them nothing
 * happens. */
#include "load_priv.h"
#include "xform_priv.h"

/* One configuration at work. */
struct plugin {
	struct arena *a;
	const struct kustomization *k;
	struct resmap *rm;
	const struct node *config;
	struct fieldspecs specs;
};

static str text_of(const struct node *map, const char *key)
{
	const struct node *v = node_get(map, str_from(key));

	return v && v->kind != NODE_MAP && v->kind != NODE_LIST && v->kind != NODE_NULL ? v->text
											: STR("");
}

static const struct node *field(const struct plugin *p, const char *key)
{
	const struct node *v = node_get(p->config, str_from(key));

	return v && v->kind != NODE_NULL ? v : NULL;
}

static struct err *read_specs(struct plugin *p)
{
	const struct node *list = field(p, "fieldSpecs");

	if (list && list->kind != NODE_LIST)
		return err_at(ERR_WRONG_TYPE, list->at, "'fieldSpecs' must be a list");
	for (uint32_t i = 0; list && i < list->n; i++) {
		const struct node *e = list->items[i];

		if (!node_is(e, NODE_MAP))
			return err_at(ERR_WRONG_TYPE, e->at, "a field spec must be a map");
		*ARENA_PUSH(p->a, &p->specs) =
			(struct fieldspec){.group = text_of(e, "group"),
					   .version = text_of(e, "version"),
					   .kind = text_of(e, "kind"),
					   .path = text_of(e, "path"),
					   .create = node_bool(node_get(e, STR("create")), false)};
	}
	return NULL;
}

/* ------------------------------------------------------------------ fields in place */

static struct err *set_pairs(struct plugin *p, const char *key)
{
	const struct node *pairs = field(p, key);

	if (!pairs)
		return NULL;
	if (pairs->kind != NODE_MAP)
		return err_at(ERR_WRONG_TYPE, pairs->at, "'%s' must be a map of strings", key);
	for (uint32_t i = 0; i < pairs->n; i++)
		if (pairs->pairs[i].value->kind != NODE_STRING)
			return err_at(ERR_WRONG_TYPE, pairs->pairs[i].value->at,
				      "'" STR_FMT "' must be a string",
				      STR_ARG(pairs->pairs[i].key));
	return pairs->n > 0 ? xform_set_at(p->a, &p->specs, pairs, p->rm) : NULL;
}

static struct err *run_labels(struct plugin *p)
{
	return set_pairs(p, "labels");
}

static struct err *run_annotations(struct plugin *p)
{
	return set_pairs(p, "annotations");
}

static struct err *run_images(struct plugin *p)
{
	const struct node *tag = field(p, "imageTag");
	struct image_spec s = {.name = text_of(tag, "name"),
			       .new_name = text_of(tag, "newName"),
			       .new_tag = text_of(tag, "newTag"),
			       .digest = text_of(tag, "digest"),
			       .tag_suffix = text_of(tag, "tagSuffix"),
			       .from = tag,
			       .at = tag ? tag->at : p->config->at};

	return xform_images_at(p->a, &s, &p->specs, p->rm);
}

static struct err *run_namespace(struct plugin *p)
{
	static const struct {
		str word;
		enum xform_subjects is;
	} modes[] = {{{"", 0}, XFORM_SUBJECTS_DEFAULT},
		     {{"defaultOnly", 11}, XFORM_SUBJECTS_DEFAULT},
		     {{"allServiceAccounts", 18}, XFORM_SUBJECTS_ACCOUNTS},
		     {{"none", 4}, XFORM_SUBJECTS_NONE}};
	const struct node *ns = node_at(p->config, "metadata", "namespace", NULL);
	str mode = text_of(p->config, "setRoleBindingSubjects");
	struct xform_ns how = {.ns = node_text(ns),
			       .by = ns,
			       .at = p->config->at,
			       .specs = &p->specs,
			       .unset_only = node_bool(field(p, "unsetOnly"), false)};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (str_eq(modes[i].word, mode)) {
			how.subjects = modes[i].is;
			return xform_namespace_at(p->a, &how, p->rm);
		}
	return err_at(ERR_INVALID, field(p, "setRoleBindingSubjects")->at,
		      "'setRoleBindingSubjects' must be 'defaultOnly', 'allServiceAccounts' or "
		      "'none'");
}

static struct err *rename_by(struct plugin *p, const char *prefix, const char *suffix)
{
	const struct node *pre = prefix ? field(p, prefix) : NULL;
	const struct node *suf = suffix ? field(p, suffix) : NULL;

	if ((pre || suf) && p->specs.n == 0)
		return err_at(ERR_RENDER, p->config->at, "fieldSpecs is not expected to be empty");
	if (pre)
		TRY(xform_rename_at(p->a, &p->specs, node_text(pre), STR(""), pre, p->rm));
	if (suf)
		TRY(xform_rename_at(p->a, &p->specs, STR(""), node_text(suf), suf, p->rm));
	return NULL;
}

static struct err *run_prefix(struct plugin *p)
{
	return rename_by(p, "prefix", NULL);
}

static struct err *run_suffix(struct plugin *p)
{
	return rename_by(p, NULL, "suffix");
}

static struct err *run_affixes(struct plugin *p)
{
	return rename_by(p, "prefix", "suffix");
}

static struct err *run_replicas(struct plugin *p)
{
	const struct node *replica = field(p, "replica");
	struct replica_spec s = {.name = text_of(replica, "name"),
				 .count = node_get(replica, STR("count")),
				 .at = p->config->at};

	if (!node_is(s.count, NODE_INT))
		s.count = node_new_int(p->a, 0);
	return xform_replicas_at(p->a, &s, &p->specs, p->rm);
}

/* ------------------------------------------------------------------ patches */

static struct text *inline_text(struct plugin *p, const struct node *v)
{
	struct text *t = ARENA_NEW(p->a, struct text);

	t->name = v->at.in ? v->at.in->name : STR("");
	t->bytes = v->text;
	return t;
}

static const struct selector *read_target(struct plugin *p)
{
	const struct node *t = field(p, "target");
	struct selector *s;

	if (!node_is(t, NODE_MAP))
		return NULL;
	s = ARENA_NEW(p->a, struct selector);
	*s = (struct selector){.group = text_of(t, "group"),
			       .version = text_of(t, "version"),
			       .kind = text_of(t, "kind"),
			       .name = text_of(t, "name"),
			       .ns = text_of(t, "namespace"),
			       .labels = text_of(t, "labelSelector"),
			       .annotations = text_of(t, "annotationSelector"),
			       .at = t->at};
	return s;
}

/* The patch of one value: a path or inline. */
static struct err *add_patch(struct plugin *p, const struct node *v, bool path,
			     struct patch_specs *ret)
{
	const struct node *options = field(p, "options");
	struct patch_spec s = {
		.from = p->config,
		.target = read_target(p),
		.at = v->at,
		.allow_name_change = node_bool(node_get(options, STR("allowNameChange")), false),
		.allow_kind_change = node_bool(node_get(options, STR("allowKindChange")), false)};
	struct text *text;

	if (v->kind != NODE_STRING)
		return err_at(ERR_WRONG_TYPE, v->at, "a patch must be a string, not %s",
			      node_kind_name((enum node_kind)v->kind));
	if (path) {
		TRY(load_file(p->rm->build, p->k->folder, v->text, v->at, &text));
		s.path = v->text;
		s.text = text;
	} else {
		s.text = inline_text(p, v);
	}
	*ARENA_PUSH(p->a, ret) = s;
	return NULL;
}

static struct err *one_of(struct plugin *p, const char *key, struct patch_specs *ret)
{
	const struct node *path = field(p, "path"), *text = field(p, key);

	if (!path == !text)
		return err_at(ERR_RENDER, p->config->at, "must specify one of 'path' and '%s'",
			      key);
	return add_patch(p, path ? path : text, path != NULL, ret);
}

static struct err *run_patch(struct plugin *p)
{
	struct kustomization k = {0};

	TRY(one_of(p, "patch", &k.patches));
	return xform_patches(p->a, &k, p->rm);
}

static struct err *run_json(struct plugin *p)
{
	struct kustomization k = {0};

	TRY(one_of(p, "jsonOp", &k.patches_json));
	return xform_patches_json(p->a, &k, p->rm);
}

/* `paths` is a list, `patches` a text or, as in a kustomization, a list of them. */
static struct err *run_strategic(struct plugin *p)
{
	const struct node *paths = field(p, "paths"), *text = field(p, "patches");
	struct kustomization k = {0};

	if (!paths && !text)
		return err_at(ERR_RENDER, p->config->at, "empty file path and empty patch content");
	for (uint32_t i = 0; node_is(paths, NODE_LIST) && i < paths->n; i++)
		TRY(add_patch(p, paths->items[i], true, &k.patches_strategic));
	if (text)
		TRY(add_patch(p, text, false, &k.patches_strategic));
	return xform_patches_strategic(p->a, &k, p->rm);
}

static struct err *run_hash(struct plugin *p)
{
	return final_hashes(p->a, p->rm);
}

/* ------------------------------------------------------------------ entries */

static const struct {
	const char *kind;
	struct err *(*run)(struct plugin *p);
} kinds[] = {
	{"AnnotationsTransformer", run_annotations},
	{"HashTransformer", run_hash},
	{"ImageTagTransformer", run_images},
	{"LabelTransformer", run_labels},
	{"NamespaceTransformer", run_namespace},
	{"PatchJson6902Transformer", run_json},
	{"PatchStrategicMergeTransformer", run_strategic},
	{"PatchTransformer", run_patch},
	{"PrefixSuffixTransformer", run_affixes},
	{"PrefixTransformer", run_prefix},
	{"ReplicaCountTransformer", run_replicas},
	{"SuffixTransformer", run_suffix},
};

static struct err *run_config(struct plugin *p)
{
	str kind = text_of(p->config, "kind"), api = text_of(p->config, "apiVersion");

	if (!str_eq(api, STR("builtin")))
		return err_at(ERR_NOT_SUPPORTED, p->config->at,
			      "plugin '" STR_FMT "' of apiVersion '" STR_FMT
			      "': external plugins are not supported yet",
			      STR_ARG(kind), STR_ARG(api));
	TRY(read_specs(p));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eq(kind, str_from(kinds[i].kind)))
			return kinds[i].run(p);
	if (str_eq(kind, STR("ReplacementTransformer")) || str_eq(kind, STR("ValueAddTransformer")))
		return err_at(ERR_NOT_SUPPORTED, p->config->at,
			      "'" STR_FMT "' is not supported yet", STR_ARG(kind));
	return err_at(ERR_RENDER, p->config->at, "unable to load builtin '" STR_FMT "'",
		      STR_ARG(kind));
}

static bool is_inline(str s)
{
	return str_contains(s, STR("\n")) || str_starts(s, STR("{"));
}

static struct err *run_entry(struct arena *a, const struct kustomization *k, struct resmap *rm,
			     const struct node *entry)
{
	struct plugin p = {.a = a, .k = k, .rm = rm};
	struct node_docs docs = {0};
	struct text *text;

	if (is_inline(entry->text))
		text = inline_text(&p, entry);
	else
		TRY(load_file(rm->build, k->folder, entry->text, entry->at, &text));
	TRY(node_read_yaml(a, text, &docs));
	for (size_t i = 0; i < docs.n; i++) {
		if (docs.p[i]->kind == NODE_NULL)
			continue;
		p.config = docs.p[i];
		p.specs = (struct fieldspecs){0};
		TRY_WRAP(run_config(&p), "run transformer of '" STR_FMT "'", STR_ARG(text->name));
	}
	return NULL;
}

struct err *xform_plugins(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	const struct node *list = node_get(k->root, STR("transformers"));

	if (!list || list->kind == NODE_NULL)
		return NULL;
	if (list->kind != NODE_LIST)
		return err_at(ERR_WRONG_TYPE, list->at, "'transformers' must be a list of strings");
	for (uint32_t pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < list->n; i++) {
			const struct node *e = list->items[i];

			if (e->kind != NODE_STRING)
				return err_at(ERR_WRONG_TYPE, e->at,
					      "'transformers' must be a list of strings");
			/* What stands in the file itself goes first. */
			if (is_inline(e->text) == (pass == 0))
				TRY(run_entry(a, k, rm, e));
		}
	return NULL;
}
