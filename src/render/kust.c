/* kust.c: the kustomization file, strictly: each field of a table, names in any case, all mistakes
 * at once. */
#include "kust_priv.h"

const char *const kust_names[KUST_NAMES] = {"kustomization.yaml", "kustomization.yml",
					    "Kustomization"};

/* ------------------------------------------------------------------ parts */

static const struct field selector_fields[] = {
	{"group", F_STR, AT(selector, group), NULL},
	{"version", F_STR, AT(selector, version), NULL},
	{"kind", F_STR, AT(selector, kind), NULL},
	{"name", F_STR, AT(selector, name), NULL},
	{"namespace", F_STR, AT(selector, ns), NULL},
	{"labelSelector", F_STR, AT(selector, labels), NULL},
	{"annotationSelector", F_STR, AT(selector, annotations), NULL},
};

struct err *kust_selector(struct call *c, const struct node *v, void *member)
{
	struct selector *s = ARENA_NEW(c->b->a, struct selector);

	s->at = v->at;
	TRY(kust_map(c, v, "target", selector_fields, ARRAY_LEN(selector_fields), s));
	*(const struct selector **)member = s;
	return NULL;
}

static const struct field fieldspec_fields[] = {
	{"group", F_STR, AT(fieldspec, group), NULL},
	{"version", F_STR, AT(fieldspec, version), NULL},
	{"kind", F_STR, AT(fieldspec, kind), NULL},
	{"path", F_STR, AT(fieldspec, path), NULL},
	{"create", F_BOOL, AT(fieldspec, create), NULL},
};

static struct err *one_fieldspec(struct call *c, const struct node *v, void *member)
{
	struct fieldspec *f = ARENA_PUSH(c->b->a, (struct fieldspecs *)member);

	*f = (struct fieldspec){.at = v->at};
	return kust_map(c, v, "fields", fieldspec_fields, ARRAY_LEN(fieldspec_fields), f);
}

struct err *kust_fieldspecs(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "fields", member, one_fieldspec);
}

static const struct field label_fields[] = {
	{"pairs", F_MAP, AT(label_spec, pairs), NULL},
	{"includeSelectors", F_BOOL, AT(label_spec, selectors), NULL},
	{"includeTemplates", F_BOOL, AT(label_spec, templates), NULL},
	{"fields", F_CALL, AT(label_spec, fields), kust_fieldspecs},
};

static struct err *one_label(struct call *c, const struct node *v, void *member UNUSED)
{
	struct label_spec l = {.at = v->at};

	TRY(kust_map(c, v, "labels", label_fields, ARRAY_LEN(label_fields), &l));
	*ARENA_PUSH(c->b->a, &c->k->labels) = l;
	return NULL;
}

static struct err *read_labels(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "labels", member, one_label);
}

static const struct field image_fields[] = {
	{"name", F_STR, AT(image_spec, name), NULL},
	{"newName", F_STR, AT(image_spec, new_name), NULL},
	{"newTag", F_STR, AT(image_spec, new_tag), NULL},
	{"digest", F_STR, AT(image_spec, digest), NULL},
	{"tagSuffix", F_STR, AT(image_spec, tag_suffix), NULL},
};

struct err *kust_image(struct call *c, const struct node *v, void *member)
{
	struct image_spec *i = member;

	*i = (struct image_spec){.at = v->at, .from = v};
	return kust_map(c, v, "images", image_fields, ARRAY_LEN(image_fields), i);
}

static struct err *one_image(struct call *c, const struct node *v, void *member UNUSED)
{
	return kust_image(c, v, ARENA_PUSH(c->b->a, &c->k->images));
}

struct err *kust_images(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "images", member, one_image);
}

static const struct field replica_fields[] = {
	{"name", F_STR, AT(replica_spec, name), NULL},
	{"count", F_INT, AT(replica_spec, count), NULL},
};

struct err *kust_replica(struct call *c, const struct node *v, void *member)
{
	struct replica_spec *r = member;

	*r = (struct replica_spec){.at = v->at};
	TRY(kust_map(c, v, "replicas", replica_fields, ARRAY_LEN(replica_fields), r));
	if (!r->count)
		r->count = node_new_int(c->b->a, 0);
	return NULL;
}

static struct err *one_replica(struct call *c, const struct node *v, void *member UNUSED)
{
	return kust_replica(c, v, ARENA_PUSH(c->b->a, &c->k->replicas));
}

struct err *kust_replicas(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "replicas", member, one_replica);
}

/* ------------------------------------------------------------------ patches */

/* An inline patch as a text whose lines have the numbers they have in the file. */
const struct text *kust_inline(struct arena *a, const struct node *v)
{
	bool block = v->style == NODE_LITERAL || v->style == NODE_FOLDED;
	uint32_t blank = v->at.line + (block ? 1 : 0);
	struct text *t = ARENA_NEW(a, struct text);
	char *p;

	blank = blank && v->at.in ? blank - 1 : 0;
	p = arena_alloc(a, blank + v->text.n + 1);
	memset(p, '\n', blank);
	memcpy(p + blank, v->text.p ? v->text.p : "", v->text.n);
	t->name = v->at.in ? v->at.in->name : STR("");
	t->bytes = str_n(p, blank + v->text.n);
	return t;
}

struct raw_patch {
	const struct node *path, *patch;
	struct patch_spec spec;
};

static struct err *keep_string(struct call *c UNUSED, const struct node *v, void *member)
{
	TRY(kust_need_string(v, STR("patch")));
	*(const struct node **)member = v;
	return NULL;
}

static const struct field patch_option_fields[] = {
	{"allowNameChange", F_BOOL, AT(raw_patch, spec.allow_name_change), NULL},
	{"allowKindChange", F_BOOL, AT(raw_patch, spec.allow_kind_change), NULL},
};

static struct err *read_patch_options(struct call *c, const struct node *v, void *member)
{
	return kust_map(c, v, "options", patch_option_fields, ARRAY_LEN(patch_option_fields),
			member);
}

static const struct field patch_fields[] = {
	{"path", F_CALL, AT(raw_patch, path), keep_string},
	{"patch", F_CALL, AT(raw_patch, patch), keep_string},
	{"target", F_CALL, AT(raw_patch, spec.target), kust_selector},
	{"options", F_CALL, 0, read_patch_options},
};

struct err *kust_one_patch(struct call *c, const struct node *v, void *member)
{
	struct raw_patch r = {.spec = {.at = v->at, .from = v, .path = STR("")}};
	bool has_path, has_patch;

	TRY(kust_map(c, v, "patches", patch_fields, ARRAY_LEN(patch_fields), &r));
	has_path = r.path && r.path->text.n;
	has_patch = r.patch && str_trim(r.patch->text).n;
	if (has_path && has_patch)
		return err_at(ERR_INVALID, v->at, "a patch takes 'path' or 'patch', not both");
	if (!has_path && !has_patch)
		return err_at(ERR_MISSING, v->at, "a patch needs 'path' or 'patch'");
	if (has_path) {
		struct text *t;

		TRY(load_file(c->b, c->k->folder, r.path->text, r.path->at, &t));
		r.spec.text = t;
		r.spec.path = r.path->text;
	} else {
		r.spec.text = kust_inline(c->b->a, r.patch);
	}
	*ARENA_PUSH(c->b->a, (struct patch_specs *)member) = r.spec;
	return NULL;
}

struct err *kust_patches(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "patches", member, kust_one_patch);
}

/* A path or the patch itself: what is no file and looks like YAML is inline. */
struct err *kust_one_strategic(struct call *c, const struct node *v, void *member)
{
	struct patch_spec s = {.at = v->at, .from = v, .path = STR("")};
	bool inlined;

	TRY(kust_need_string(v, STR("patchesStrategicMerge")));
	inlined = str_contains(v->text, STR("\n")) || str_contains(v->text, STR(": ")) ||
		  str_starts(str_trim(v->text), STR("{"));
	if (inlined) {
		s.text = kust_inline(c->b->a, v);
	} else {
		struct text *t;

		TRY(load_file(c->b, c->k->folder, v->text, v->at, &t));
		s.text = t;
		s.path = v->text;
	}
	*ARENA_PUSH(c->b->a, (struct patch_specs *)member) = s;
	return NULL;
}

struct err *kust_strategic(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "patchesStrategicMerge", member, kust_one_strategic);
}

/* ------------------------------------------------------------------ generators */

static const struct field gen_option_fields[] = {
	{"labels", F_MAP, AT(gen_options, labels), NULL},
	{"annotations", F_MAP, AT(gen_options, annotations), NULL},
	{"disableNameSuffixHash", F_BOOL, AT(gen_options, no_hash), NULL},
	{"immutable", F_BOOL, AT(gen_options, immutable), NULL},
};

static struct err *read_gen_options(struct call *c, const struct node *v, void *member)
{
	return kust_map(c, v, "options", gen_option_fields, ARRAY_LEN(gen_option_fields), member);
}

static struct err *read_env(struct call *c, const struct node *v, void *member)
{
	TRY(kust_need_string(v, STR("env")));
	if (v->text.n)
		*ARENA_PUSH(c->b->a, (struct res_strs *)member) = v->text;
	return NULL;
}

#define GEN_FIELDS                                                                                 \
	{"name", F_STR, AT(gen_spec, name), NULL}, {"namespace", F_STR, AT(gen_spec, ns), NULL},   \
		{"behavior", F_STR, AT(gen_spec, behavior), NULL},                                 \
		{"literals", F_STRS, AT(gen_spec, literals), NULL},                                \
		{"files", F_STRS, AT(gen_spec, files), NULL},                                      \
		{"envs", F_STRS, AT(gen_spec, envs), NULL},                                        \
		{"env", F_CALL, AT(gen_spec, envs), read_env},                                     \
	{                                                                                          \
		"options", F_CALL, AT(gen_spec, options), read_gen_options                         \
	}
static const struct field config_map_fields[] = {GEN_FIELDS};
static const struct field secret_fields[] = {GEN_FIELDS, {"type", F_STR, AT(gen_spec, type), NULL}};

struct err *kust_generator(struct call *c, const struct node *v, bool secret, struct gen_spec *ret)
{
	*ret = (struct gen_spec){.at = v->at, .from = v, .secret = secret};
	if (secret)
		return kust_map(c, v, "secretGenerator", secret_fields, ARRAY_LEN(secret_fields),
				ret);
	return kust_map(c, v, "configMapGenerator", config_map_fields, ARRAY_LEN(config_map_fields),
			ret);
}

static struct err *one_config_map(struct call *c, const struct node *v, void *member UNUSED)
{
	return kust_generator(c, v, false, ARENA_PUSH(c->b->a, &c->k->generators));
}

static struct err *one_secret(struct call *c, const struct node *v, void *member UNUSED)
{
	return kust_generator(c, v, true, ARENA_PUSH(c->b->a, &c->k->generators));
}

static struct err *read_config_maps(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "configMapGenerator", member, one_config_map);
}

static struct err *read_secrets(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "secretGenerator", member, one_secret);
}

/* ------------------------------------------------------------------ replacements */

static const struct field replace_option_fields[] = {
	{"delimiter", F_STR, AT(replace_options, delimiter), NULL},
	{"index", F_INT, AT(replace_options, index), NULL},
	{"create", F_BOOL, AT(replace_options, create), NULL},
	{"encoding", F_SKIP, 0, NULL},
};

static struct err *read_replace_options(struct call *c, const struct node *v, void *member)
{
	return kust_map(c, v, "options", replace_option_fields, ARRAY_LEN(replace_option_fields),
			member);
}

struct raw_source {
	struct selector id;
	str path;
	struct replace_options options;
};
static const struct field source_fields[] = {
	{"group", F_STR, AT(raw_source, id.group), NULL},
	{"version", F_STR, AT(raw_source, id.version), NULL},
	{"kind", F_STR, AT(raw_source, id.kind), NULL},
	{"name", F_STR, AT(raw_source, id.name), NULL},
	{"namespace", F_STR, AT(raw_source, id.ns), NULL},
	{"fieldPath", F_STR, AT(raw_source, path), NULL},
	{"options", F_CALL, AT(raw_source, options), read_replace_options},
};

static struct err *read_source(struct call *c, const struct node *v, void *member)
{
	struct raw_source *raw = ARENA_NEW(c->b->a, struct raw_source);
	struct replacement *r = member;

	raw->id.at = v->at;
	TRY(kust_map(c, v, "source", source_fields, ARRAY_LEN(source_fields), raw));
	r->source = &raw->id;
	r->source_path = raw->path;
	r->source_options = raw->options;
	return NULL;
}

static struct err *one_reject(struct call *c, const struct node *v, void *member)
{
	struct replace_target *t = member;
	const struct selector *s;

	TRY(kust_selector(c, v, &s));
	*ARENA_PUSH(c->b->a, &t->reject) = s;
	return NULL;
}

static struct err *read_rejects(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "reject", member, one_reject);
}

static const struct field target_fields[] = {
	{"select", F_CALL, AT(replace_target, select), kust_selector},
	{"reject", F_CALL, 0, read_rejects},
	{"fieldPaths", F_STRS, AT(replace_target, paths), NULL},
	{"options", F_CALL, AT(replace_target, options), read_replace_options},
};

static struct err *one_target(struct call *c, const struct node *v, void *member)
{
	struct replacement *r = member;
	struct replace_target t = {.at = v->at};

	TRY(kust_map(c, v, "targets", target_fields, ARRAY_LEN(target_fields), &t));
	if (!t.select)
		return err_at(ERR_MISSING, v->at, "a target needs 'select'");
	*ARENA_PUSH(c->b->a, &r->targets) = t;
	return NULL;
}

static struct err *read_targets(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "targets", member, one_target);
}

static const struct field replacement_fields[] = {
	{"source", F_CALL, 0, read_source},
	{"sourceValue", F_CALL, AT(replacement, value), keep_string},
	{"targets", F_CALL, 0, read_targets},
};

static struct err *one_whole_replacement(struct call *c, const struct node *v, void *member UNUSED)
{
	struct replacement r = {.at = v->at, .from = v};

	TRY(kust_map(c, v, "replacements", replacement_fields, ARRAY_LEN(replacement_fields), &r));
	if (!r.source == !r.value)
		return err_at(ERR_INVALID, v->at,
			      "a replacement takes one of 'source' and 'sourceValue'");
	if (!r.targets.n)
		return err_at(ERR_MISSING, v->at, "a replacement needs 'targets'");
	*ARENA_PUSH(c->b->a, &c->k->replacements) = r;
	return NULL;
}

/* One in place, or a file that holds one or a list of them. */
static struct err *one_replacement(struct call *c, const struct node *v, void *member)
{
	const struct node *path = node_get(v, STR("path"));
	struct node_docs docs = {0};
	struct text *text;

	if (!node_is(path, NODE_STRING) || v->n != 1)
		return one_whole_replacement(c, v, member);
	TRY(load_file(c->b, c->k->folder, path->text, path->at, &text));
	TRY(node_read_yaml_as(c->b->a, text, NODE_READ_LAST_KEY | NODE_READ_YAML11, &docs));
	if (!docs.n)
		return err_at(ERR_MISSING, path->at, "file '" STR_FMT "' holds no replacement",
			      STR_ARG(path->text));
	if (docs.p[0]->kind == NODE_LIST)
		return kust_list(c, docs.p[0], "replacements", member, one_whole_replacement);
	return one_whole_replacement(c, docs.p[0], member);
}

struct err *kust_replacements(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "replacements", member, one_replacement);
}

/* ------------------------------------------------------------------ the file */

struct raw_var {
	struct var_spec spec;
	str api_version;
};

static struct err *keep_map(struct call *c UNUSED, const struct node *v, void *member)
{
	if (v->kind != NODE_MAP)
		return kust_wrong_type(v, STR("sortOptions"), "a map");
	*(const struct node **)member = v;
	return NULL;
}

static const struct field object_fields[] = {
	{"apiVersion", F_STR, AT(raw_var, api_version), NULL},
	{"group", F_STR, AT(raw_var, spec.object.group), NULL},
	{"version", F_STR, AT(raw_var, spec.object.version), NULL},
	{"kind", F_STR, AT(raw_var, spec.object.kind), NULL},
	{"name", F_STR, AT(raw_var, spec.object.name), NULL},
	{"namespace", F_STR, AT(raw_var, spec.object.ns), NULL},
};

static struct err *read_object(struct call *c, const struct node *v, void *member)
{
	return kust_map(c, v, "objref", object_fields, ARRAY_LEN(object_fields), member);
}

static const struct field field_fields[] = {
	{"fieldPath", F_STR, AT(raw_var, spec.path), NULL},
};

static struct err *read_field_ref(struct call *c, const struct node *v, void *member)
{
	return kust_map(c, v, "fieldref", field_fields, ARRAY_LEN(field_fields), member);
}

static const struct field var_fields[] = {
	{"name", F_STR, AT(raw_var, spec.name), NULL},
	{"objref", F_CALL, 0, read_object},
	{"fieldref", F_CALL, 0, read_field_ref},
};

static struct err *one_var(struct call *c, const struct node *v, void *member UNUSED)
{
	struct raw_var r = {.spec = {.from = v, .at = v->at}};

	TRY(kust_map(c, v, "vars", var_fields, ARRAY_LEN(var_fields), &r));
	if (r.api_version.n)
		obj_api_version(r.api_version, &r.spec.object.group, &r.spec.object.version);
	if (!r.spec.path.n)
		r.spec.path = STR("metadata.name");
	*ARENA_PUSH(c->b->a, &c->k->vars) = r.spec;
	return NULL;
}

static struct err *read_vars(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "vars", member, one_var);
}

static struct err *read_openapi(struct call *c, const struct node *v, void *member UNUSED)
{
	static const struct field map = {"openapi", F_MAP, 0, NULL};

	TRY(kust_field(c, &map, v, &v));
	c->k->openapi_path = node_get(v, STR("path"));
	c->k->openapi_version = node_get(v, STR("version"));
	if (c->k->openapi_path && c->k->openapi_version)
		return err_at(ERR_INVALID, v->at, "'openapi' takes 'path' or 'version', not both");
	if (c->k->openapi_version && c->k->openapi_version->text.n &&
	    !str_eq(c->k->openapi_version->text, STR("v1.21.2")))
		return err_hint(err_at(ERR_INVALID, c->k->openapi_version->at,
				       "OpenAPI version '" STR_FMT "' is not built in",
				       STR_ARG(c->k->openapi_version->text)),
				"v1.21.2 is");
	return NULL;
}

static struct err *read_metadata(struct call *c, const struct node *v, void *member UNUSED)
{
	static const struct field list = {"buildMetadata", F_STRS, 0, NULL};
	static const char *const words[] = {"originAnnotations", "transformerAnnotations",
					    "managedByLabel"};
	struct res_strs given = {0};

	TRY(kust_field(c, &list, v, &given));
	for (size_t i = 0; i < given.n; i++) {
		size_t w = 0;

		while (w < ARRAY_LEN(words) && !str_eq(given.p[i], str_from(words[w])))
			w++;
		if (w < ARRAY_LEN(words))
			c->k->metadata |= 1u << w;
		else
			*ARENA_PUSH(c->b->a, &c->b->ret->warnings) = (struct render_warning){
				v->items[i]->at,
				arena_printf(c->b->a, "'buildMetadata' knows no '" STR_FMT "'",
					     STR_ARG(given.p[i]))};
	}
	return NULL;
}

/* Allowed, and without effect. */
static struct err *check_metadata(struct call *c UNUSED, const struct node *v, void *member UNUSED)
{
	return v->kind == NODE_MAP ? NULL : kust_wrong_type(v, STR("metadata"), "a map");
}

static const struct field kust_fields[] = {
	{"apiVersion", F_SKIP, 0, NULL},
	{"kind", F_SKIP, 0, NULL},
	{"metadata", F_CALL, 0, check_metadata},
	{"resources", F_ENTRIES, AT(kustomization, resources), NULL},
	{"bases", F_SKIP, 0, NULL}, /* read behind resources */
	{"components", F_ENTRIES, AT(kustomization, components), NULL},
	{"crds", F_ENTRIES, AT(kustomization, crds), NULL},
	{"namePrefix", F_STR, AT(kustomization, name_prefix), NULL},
	{"nameSuffix", F_STR, AT(kustomization, name_suffix), NULL},
	{"namespace", F_STR, AT(kustomization, ns), NULL},
	{"commonLabels", F_MAP, AT(kustomization, common_labels), NULL},
	{"commonAnnotations", F_MAP, AT(kustomization, common_annotations), NULL},
	{"labels", F_CALL, 0, read_labels},
	{"patches", F_CALL, AT(kustomization, patches), kust_patches},
	{"patchesStrategicMerge", F_CALL, AT(kustomization, patches_strategic), kust_strategic},
	{"patchesJson6902", F_CALL, AT(kustomization, patches_json), kust_patches},
	{"images", F_CALL, 0, kust_images},
	{"imageTags", F_SKIP, 0, NULL}, /* read behind images */
	{"replicas", F_CALL, 0, kust_replicas},
	{"replacements", F_CALL, 0, kust_replacements},
	{"vars", F_CALL, 0, read_vars},
	{"configMapGenerator", F_CALL, 0, read_config_maps},
	{"secretGenerator", F_SKIP, 0, NULL}, /* read behind configMapGenerator */
	{"generatorOptions", F_CALL, AT(kustomization, generator_options), read_gen_options},
	{"configurations", F_ENTRIES, AT(kustomization, configurations), NULL},
	{"generators", F_ENTRIES, AT(kustomization, generator_configs), NULL},
	{"transformers", F_ENTRIES, AT(kustomization, transformers), NULL},
	{"validators", F_ENTRIES, AT(kustomization, validators), NULL},
	{"openapi", F_CALL, 0, read_openapi},
	{"sortOptions", F_CALL, AT(kustomization, sort_options), keep_map},
	{"buildMetadata", F_CALL, 0, read_metadata},
	{"helmCharts", F_NO_HELM, 0, NULL},
	{"helmGlobals", F_NO_HELM, 0, NULL},
	{"helmChartInflationGenerator", F_NO_HELM, 0, NULL},
};
/* What the deprecated or dependent fields become, after all others were read. */
static const struct field late_fields[] = {
	{"bases", F_ENTRIES, AT(kustomization, resources), NULL},
	{"imageTags", F_CALL, 0, kust_images},
	{"secretGenerator", F_CALL, 0, read_secrets},
};

static const struct {
	const char *name, *instead;
} deprecated[] = {
	{"bases", "resources"},
	{"commonLabels", "labels"},
	{"imageTags", "images"},
	{"patchesJson6902", "patches"},
	{"patchesStrategicMerge", "patches"},
	{"vars", "replacements"},
};

static void warn_deprecated(struct call *c)
{
	for (size_t i = 0; i < ARRAY_LEN(deprecated); i++) {
		const struct node *v = kust_get(c->k->root, deprecated[i].name);

		if (v)
			*ARENA_PUSH(c->b->a, &c->b->ret->warnings) = (struct render_warning){
				v->at,
				arena_printf(c->b->a,
					     "'%s' is deprecated. Please use '%s' instead.%s "
					     "Run 'kustomize edit fix' to update your "
					     "Kustomization automatically.",
					     deprecated[i].name, deprecated[i].instead,
					     i == 5 ? " [EXPERIMENTAL]" : "")};
	}
}

static struct err *check_kind(struct kustomization *k)
{
	const struct node *kind = kust_get(k->root, "kind");
	const struct node *api = kust_get(k->root, "apiVersion");
	str want = STR("kustomize.config.k8s.io/v1beta1");
	struct err *e = NULL;

	if (kind && kind->kind == NODE_STRING && str_eq(kind->text, STR("Component"))) {
		k->component = true;
		want = STR("kustomize.config.k8s.io/v1alpha1");
	} else if (kind && !(kind->kind == NODE_STRING &&
			     (str_eq(kind->text, STR("Kustomization")) || !kind->text.n))) {
		e = err_at(ERR_INVALID, kind->at, "'kind' must be Kustomization or Component");
	}
	if (api && !(api->kind == NODE_STRING && (str_eq(api->text, want) || !api->text.n)))
		e = err_join(e, err_at(ERR_INVALID, api->at, "'apiVersion' must be " STR_FMT,
				       STR_ARG(want)));
	return e;
}

/* Nothing in it but what it is? */
static bool is_empty(const struct node *root)
{
	for (uint32_t i = 0; i < root->n; i++) {
		const struct node_pair *p = &root->pairs[i];

		if (p->value->kind != NODE_NULL && !kust_same(p->key, STR("kind")) &&
		    !kust_same(p->key, STR("apiVersion")))
			return false;
	}
	return true;
}

struct err *kust_parse(struct build *b, const struct text *text, str folder,
		       struct kustomization **ret)
{
	struct kustomization *k = ARENA_NEW(b->a, struct kustomization);
	struct call c = {.b = b, .k = k};
	struct node_docs docs = {0};
	struct err *e;
	loc whole = {text, 0, 0};

	TRY(node_read_yaml_as(b->a, text, NODE_READ_LAST_KEY | NODE_READ_YAML11, &docs));
	k->text = text;
	k->folder = folder;
	k->root = docs.n ? docs.p[0] : NULL;
	if (!k->root || k->root->kind == NODE_NULL ||
	    (k->root->kind == NODE_MAP && is_empty(k->root)))
		return err_at(ERR_MISSING, whole, "the kustomization is empty");
	if (k->root->kind != NODE_MAP)
		return kust_wrong_type(k->root, STR("Kustomization"), "a map");
	e = check_kind(k);
	e = err_join(
		e, kust_map(&c, k->root, "Kustomization", kust_fields, ARRAY_LEN(kust_fields), k));
	for (size_t i = 0; i < ARRAY_LEN(late_fields); i++) {
		const struct node *v = kust_get(k->root, late_fields[i].name);

		if (v)
			e = err_join(e, kust_field(&c, &late_fields[i], v, k));
	}
	if (e)
		return e;
	k->prefix_node = kust_get(k->root, "namePrefix");
	k->suffix_node = kust_get(k->root, "nameSuffix");
	k->ns_node = kust_get(k->root, "namespace");
	warn_deprecated(&c);
	*ret = k;
	return NULL;
}
