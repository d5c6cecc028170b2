/* kust.c: the kustomization file, strictly: each field of a table, names in any case, all mistakes
 * at once. */
#include "load_priv.h"

const char *const kust_names[KUST_NAMES] = {"kustomization.yaml", "kustomization.yml",
					    "Kustomization"};

enum field_type {
	F_STR,     /* str */
	F_BOOL,    /* bool */
	F_STRS,    /* struct res_strs */
	F_ENTRIES, /* struct kust_entries */
	F_MAP,     /* const struct node *, a map of strings */
	F_INT,     /* const struct node * */
	F_CALL,    /* call(c, value, field) */
	F_SKIP,    /* nothing to keep */
	F_NOT_YET,
};
struct call {
	struct build *b;
	struct kustomization *k;
};
struct field {
	const char *name;
	enum field_type type;
	size_t at;
	struct err *(*call)(struct call *c, const struct node *v, void *member);
};

static bool same_fold(str a, str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];

		x = x >= 'A' && x <= 'Z' ? x | 0x20 : x;
		y = y >= 'A' && y <= 'Z' ? y | 0x20 : y;
		if (x != y)
			return false;
	}
	return true;
}

static struct err *wrong_type(const struct node *v, str name, const char *want)
{
	return err_at(ERR_WRONG_TYPE, v->at, "'" STR_FMT "' must be %s, not %s", STR_ARG(name),
		      want, node_kind_name(v->kind));
}

/* "must be a string": a number is one forgotten pair of quotes away. */
static struct err *need_string(const struct node *v, str name)
{
	struct err *e;

	if (v->kind == NODE_STRING)
		return NULL;
	e = wrong_type(v, name, "a string");
	if (v->kind == NODE_INT || v->kind == NODE_FLOAT || v->kind == NODE_BOOL)
		e = err_hint(e, "write \"" STR_FMT "\"", STR_ARG(v->text));
	return e;
}

static struct err *need_strings(const struct node *v, str name)
{
	struct err *e = NULL;

	if (v->kind == NODE_LIST)
		for (uint32_t i = 0; i < v->n; i++)
			e = err_join(e, need_string(v->items[i], name));
	else if (v->kind == NODE_MAP)
		for (uint32_t i = 0; i < v->n; i++)
			e = err_join(e, need_string(v->pairs[i].value, v->pairs[i].key));
	return e;
}

static struct err *read_field(struct call *c, const struct field *f, const struct node *v,
			      void *out)
{
	struct arena *a = c->b->a;
	void *member = (char *)out + f->at;
	str name = str_from(f->name);

	switch (f->type) {
	case F_STR:
		TRY(need_string(v, name));
		*(str *)member = v->text;
		return NULL;
	case F_BOOL:
		if (v->kind != NODE_BOOL)
			return wrong_type(v, name, "true or false");
		*(bool *)member = node_bool(v, false);
		return NULL;
	case F_STRS:
		if (v->kind != NODE_LIST)
			return wrong_type(v, name, "a list of strings");
		TRY(need_strings(v, name));
		for (uint32_t i = 0; i < v->n; i++)
			*ARENA_PUSH(a, (struct res_strs *)member) = v->items[i]->text;
		return NULL;
	case F_ENTRIES:
		if (v->kind != NODE_LIST)
			return wrong_type(v, name, "a list of strings");
		TRY(need_strings(v, name));
		for (uint32_t i = 0; i < v->n; i++)
			*ARENA_PUSH(a, (struct kust_entries *)member) =
				(struct kust_entry){v->items[i]->text, v->items[i]->at};
		return NULL;
	case F_MAP:
		if (v->kind != NODE_MAP)
			return wrong_type(v, name, "a map of strings");
		TRY(need_strings(v, name));
		*(const struct node **)member = v;
		return NULL;
	case F_INT:
		if (v->kind != NODE_INT)
			return wrong_type(v, name, "a whole number");
		*(const struct node **)member = v;
		return NULL;
	case F_CALL:
		return f->call(c, v, member);
	case F_SKIP:
		return NULL;
	case F_NOT_YET:
		return err_at(ERR_NOT_SUPPORTED, v->at, "'%s' is not supported yet", f->name);
	}
	return NULL;
}

static struct err *unknown_field(struct arena *a, const struct node_pair *p,
				 const struct field *fields, size_t n)
{
	struct err *e =
		err_at(ERR_UNKNOWN_KEY, p->key_at, "unknown field '" STR_FMT "'", STR_ARG(p->key));
	str *names = ARENA_ARRAY(a, str, n);
	str near;

	for (size_t i = 0; i < n; i++)
		names[i] = str_from(fields[i].name);
	near = str_nearest(p->key, names, n);
	return near.n ? err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near)) : e;
}

/* A map into *out by the table; a null field is an absent one. */
static struct err *read_map(struct call *c, const struct node *map, const char *what,
			    const struct field *fields, size_t n, void *out)
{
	struct err *e = NULL;

	if (map->kind != NODE_MAP)
		return wrong_type(map, str_from(what), "a map");
	for (uint32_t i = 0; i < map->n; i++) {
		const struct node_pair *p = &map->pairs[i];
		size_t k = 0;

		while (k < n && !same_fold(p->key, str_from(fields[k].name)))
			k++;
		if (k == n)
			e = err_join(e, unknown_field(c->b->a, p, fields, n));
		else if (p->value->kind != NODE_NULL)
			e = err_join(e, read_field(c, &fields[k], p->value, out));
	}
	return e;
}

/* Calls one(c, item, member) for each map of a list. */
static struct err *read_list(struct call *c, const struct node *v, const char *what, void *member,
			     struct err *(*one)(struct call *c, const struct node *v, void *member))
{
	struct err *e = NULL;

	if (v->kind != NODE_LIST)
		return wrong_type(v, str_from(what), "a list");
	for (uint32_t i = 0; i < v->n; i++)
		e = err_join(e, one(c, v->items[i], member));
	return e;
}

#define AT(type, member) offsetof(struct type, member)

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

static struct err *read_selector(struct call *c, const struct node *v, void *member)
{
	struct selector *s = ARENA_NEW(c->b->a, struct selector);

	s->at = v->at;
	TRY(read_map(c, v, "target", selector_fields, ARRAY_LEN(selector_fields), s));
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

	*f = (struct fieldspec){0};
	return read_map(c, v, "fields", fieldspec_fields, ARRAY_LEN(fieldspec_fields), f);
}

static struct err *read_fieldspecs(struct call *c, const struct node *v, void *member)
{
	return read_list(c, v, "fields", member, one_fieldspec);
}

static const struct field label_fields[] = {
	{"pairs", F_MAP, AT(label_spec, pairs), NULL},
	{"includeSelectors", F_BOOL, AT(label_spec, selectors), NULL},
	{"includeTemplates", F_BOOL, AT(label_spec, templates), NULL},
	{"fields", F_CALL, AT(label_spec, fields), read_fieldspecs},
};

static struct err *one_label(struct call *c, const struct node *v, void *member UNUSED)
{
	struct label_spec l = {.at = v->at};

	TRY(read_map(c, v, "labels", label_fields, ARRAY_LEN(label_fields), &l));
	*ARENA_PUSH(c->b->a, &c->k->labels) = l;
	return NULL;
}

static struct err *read_labels(struct call *c, const struct node *v, void *member)
{
	return read_list(c, v, "labels", member, one_label);
}

static const struct field image_fields[] = {
	{"name", F_STR, AT(image_spec, name), NULL},
	{"newName", F_STR, AT(image_spec, new_name), NULL},
	{"newTag", F_STR, AT(image_spec, new_tag), NULL},
	{"digest", F_STR, AT(image_spec, digest), NULL},
	{"tagSuffix", F_STR, AT(image_spec, tag_suffix), NULL},
};

static struct err *one_image(struct call *c, const struct node *v, void *member UNUSED)
{
	struct image_spec i = {.at = v->at, .from = v};

	TRY(read_map(c, v, "images", image_fields, ARRAY_LEN(image_fields), &i));
	*ARENA_PUSH(c->b->a, &c->k->images) = i;
	return NULL;
}

static struct err *read_images(struct call *c, const struct node *v, void *member)
{
	return read_list(c, v, "images", member, one_image);
}

static const struct field replica_fields[] = {
	{"name", F_STR, AT(replica_spec, name), NULL},
	{"count", F_INT, AT(replica_spec, count), NULL},
};

static struct err *one_replica(struct call *c, const struct node *v, void *member UNUSED)
{
	struct replica_spec r = {.at = v->at};

	TRY(read_map(c, v, "replicas", replica_fields, ARRAY_LEN(replica_fields), &r));
	if (!r.count)
		r.count = node_new_int(c->b->a, 0);
	*ARENA_PUSH(c->b->a, &c->k->replicas) = r;
	return NULL;
}

static struct err *read_replicas(struct call *c, const struct node *v, void *member)
{
	return read_list(c, v, "replicas", member, one_replica);
}

/* ------------------------------------------------------------------ patches */

/* An inline patch as a text whose lines have the numbers they have in the file. */
static const struct text *inline_text(struct arena *a, const struct node *v)
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
	TRY(need_string(v, STR("patch")));
	*(const struct node **)member = v;
	return NULL;
}

static const struct field patch_option_fields[] = {
	{"allowNameChange", F_BOOL, AT(raw_patch, spec.allow_name_change), NULL},
	{"allowKindChange", F_BOOL, AT(raw_patch, spec.allow_kind_change), NULL},
};

static struct err *read_patch_options(struct call *c, const struct node *v, void *member)
{
	return read_map(c, v, "options", patch_option_fields, ARRAY_LEN(patch_option_fields),
			member);
}

static const struct field patch_fields[] = {
	{"path", F_CALL, AT(raw_patch, path), keep_string},
	{"patch", F_CALL, AT(raw_patch, patch), keep_string},
	{"target", F_CALL, AT(raw_patch, spec.target), read_selector},
	{"options", F_CALL, 0, read_patch_options},
};

static struct err *one_patch(struct call *c, const struct node *v, void *member)
{
	struct raw_patch r = {.spec = {.at = v->at, .from = v, .path = STR("")}};
	bool has_path, has_patch;

	TRY(read_map(c, v, "patches", patch_fields, ARRAY_LEN(patch_fields), &r));
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
		r.spec.text = inline_text(c->b->a, r.patch);
	}
	*ARENA_PUSH(c->b->a, (struct patch_specs *)member) = r.spec;
	return NULL;
}

static struct err *read_patches(struct call *c, const struct node *v, void *member)
{
	return read_list(c, v, "patches", member, one_patch);
}

/* A path or the patch itself: what is no file and looks like YAML is inline. */
static struct err *one_strategic(struct call *c, const struct node *v, void *member)
{
	struct patch_spec s = {.at = v->at, .from = v, .path = STR("")};
	bool inlined;

	TRY(need_string(v, STR("patchesStrategicMerge")));
	inlined = str_contains(v->text, STR("\n")) || str_contains(v->text, STR(": ")) ||
		  str_starts(str_trim(v->text), STR("{"));
	if (inlined) {
		s.text = inline_text(c->b->a, v);
	} else {
		struct text *t;

		TRY(load_file(c->b, c->k->folder, v->text, v->at, &t));
		s.text = t;
		s.path = v->text;
	}
	*ARENA_PUSH(c->b->a, (struct patch_specs *)member) = s;
	return NULL;
}

static struct err *read_strategic(struct call *c, const struct node *v, void *member)
{
	return read_list(c, v, "patchesStrategicMerge", member, one_strategic);
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
	return read_map(c, v, "options", gen_option_fields, ARRAY_LEN(gen_option_fields), member);
}

static struct err *read_env(struct call *c, const struct node *v, void *member)
{
	TRY(need_string(v, STR("env")));
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

static struct err *one_config_map(struct call *c, const struct node *v, void *member UNUSED)
{
	struct gen_spec g = {.at = v->at, .from = v};

	TRY(read_map(c, v, "configMapGenerator", config_map_fields, ARRAY_LEN(config_map_fields),
		     &g));
	*ARENA_PUSH(c->b->a, &c->k->generators) = g;
	return NULL;
}

static struct err *one_secret(struct call *c, const struct node *v, void *member UNUSED)
{
	struct gen_spec g = {.at = v->at, .from = v, .secret = true};

	TRY(read_map(c, v, "secretGenerator", secret_fields, ARRAY_LEN(secret_fields), &g));
	*ARENA_PUSH(c->b->a, &c->k->generators) = g;
	return NULL;
}

static struct err *read_config_maps(struct call *c, const struct node *v, void *member)
{
	return read_list(c, v, "configMapGenerator", member, one_config_map);
}

static struct err *read_secrets(struct call *c, const struct node *v, void *member)
{
	return read_list(c, v, "secretGenerator", member, one_secret);
}

/* ------------------------------------------------------------------ replacements */

static const struct field replace_option_fields[] = {
	{"delimiter", F_STR, AT(replace_options, delimiter), NULL},
	{"index", F_INT, AT(replace_options, index), NULL},
	{"create", F_BOOL, AT(replace_options, create), NULL},
	{"encoding", F_NOT_YET, 0, NULL},
};

static struct err *read_replace_options(struct call *c, const struct node *v, void *member)
{
	return read_map(c, v, "options", replace_option_fields, ARRAY_LEN(replace_option_fields),
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
	TRY(read_map(c, v, "source", source_fields, ARRAY_LEN(source_fields), raw));
	r->source = &raw->id;
	r->source_path = raw->path;
	r->source_options = raw->options;
	return NULL;
}

static struct err *one_reject(struct call *c, const struct node *v, void *member)
{
	struct replace_target *t = member;
	const struct selector *s;

	TRY(read_selector(c, v, &s));
	*ARENA_PUSH(c->b->a, &t->reject) = s;
	return NULL;
}

static struct err *read_rejects(struct call *c, const struct node *v, void *member)
{
	return read_list(c, v, "reject", member, one_reject);
}

static const struct field target_fields[] = {
	{"select", F_CALL, AT(replace_target, select), read_selector},
	{"reject", F_CALL, 0, read_rejects},
	{"fieldPaths", F_STRS, AT(replace_target, paths), NULL},
	{"options", F_CALL, AT(replace_target, options), read_replace_options},
};

static struct err *one_target(struct call *c, const struct node *v, void *member)
{
	struct replacement *r = member;
	struct replace_target t = {.at = v->at};

	TRY(read_map(c, v, "targets", target_fields, ARRAY_LEN(target_fields), &t));
	if (!t.select)
		return err_at(ERR_MISSING, v->at, "a target needs 'select'");
	*ARENA_PUSH(c->b->a, &r->targets) = t;
	return NULL;
}

static struct err *read_targets(struct call *c, const struct node *v, void *member)
{
	return read_list(c, v, "targets", member, one_target);
}

static const struct field replacement_fields[] = {
	{"source", F_CALL, 0, read_source},
	{"sourceValue", F_CALL, AT(replacement, value), keep_string},
	{"targets", F_CALL, 0, read_targets},
};

static struct err *one_whole_replacement(struct call *c, const struct node *v, void *member UNUSED)
{
	struct replacement r = {.at = v->at, .from = v};

	TRY(read_map(c, v, "replacements", replacement_fields, ARRAY_LEN(replacement_fields), &r));
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
	TRY(node_read_yaml(c->b->a, text, &docs));
	if (!docs.n)
		return err_at(ERR_MISSING, path->at, "file '" STR_FMT "' holds no replacement",
			      STR_ARG(path->text));
	if (docs.p[0]->kind == NODE_LIST)
		return read_list(c, docs.p[0], "replacements", member, one_whole_replacement);
	return one_whole_replacement(c, docs.p[0], member);
}

static struct err *read_replacements(struct call *c, const struct node *v, void *member)
{
	return read_list(c, v, "replacements", member, one_replacement);
}

/* ------------------------------------------------------------------ the file */

static struct err *keep_map(struct call *c UNUSED, const struct node *v, void *member)
{
	if (v->kind != NODE_MAP)
		return wrong_type(v, STR("sortOptions"), "a map");
	*(const struct node **)member = v;
	return NULL;
}

static const struct field kust_fields[] = {
	{"apiVersion", F_SKIP, 0, NULL},
	{"kind", F_SKIP, 0, NULL},
	{"metadata", F_SKIP, 0, NULL},
	{"resources", F_ENTRIES, AT(kustomization, resources), NULL},
	{"bases", F_SKIP, 0, NULL}, /* read behind resources */
	{"components", F_ENTRIES, AT(kustomization, components), NULL},
	{"crds", F_NOT_YET, 0, NULL},
	{"namePrefix", F_STR, AT(kustomization, name_prefix), NULL},
	{"nameSuffix", F_STR, AT(kustomization, name_suffix), NULL},
	{"namespace", F_STR, AT(kustomization, ns), NULL},
	{"commonLabels", F_MAP, AT(kustomization, common_labels), NULL},
	{"commonAnnotations", F_MAP, AT(kustomization, common_annotations), NULL},
	{"labels", F_CALL, 0, read_labels},
	{"patches", F_CALL, AT(kustomization, patches), read_patches},
	{"patchesStrategicMerge", F_CALL, AT(kustomization, patches_strategic), read_strategic},
	{"patchesJson6902", F_CALL, AT(kustomization, patches_json), read_patches},
	{"images", F_CALL, 0, read_images},
	{"imageTags", F_SKIP, 0, NULL}, /* read behind images */
	{"replicas", F_CALL, 0, read_replicas},
	{"replacements", F_CALL, 0, read_replacements},
	{"vars", F_NOT_YET, 0, NULL},
	{"configMapGenerator", F_CALL, 0, read_config_maps},
	{"secretGenerator", F_SKIP, 0, NULL}, /* read behind configMapGenerator */
	{"generatorOptions", F_CALL, AT(kustomization, generator_options), read_gen_options},
	{"configurations", F_NOT_YET, 0, NULL},
	{"generators", F_NOT_YET, 0, NULL},
	{"transformers", F_ENTRIES, AT(kustomization, transformers), NULL},
	{"validators", F_NOT_YET, 0, NULL},
	{"openapi", F_NOT_YET, 0, NULL},
	{"sortOptions", F_CALL, AT(kustomization, sort_options), keep_map},
	{"buildMetadata", F_NOT_YET, 0, NULL},
	{"helmCharts", F_NOT_YET, 0, NULL},
	{"helmGlobals", F_NOT_YET, 0, NULL},
	{"helmChartInflationGenerator", F_NOT_YET, 0, NULL},
};
/* What the deprecated or dependent fields become, after all others were read. */
static const struct field late_fields[] = {
	{"bases", F_ENTRIES, AT(kustomization, resources), NULL},
	{"imageTags", F_CALL, 0, read_images},
	{"secretGenerator", F_CALL, 0, read_secrets},
};

/* The value of a field whatever the case of its name; NULL: absent or null. */
static const struct node *get_fold(const struct node *map, const char *name)
{
	for (uint32_t i = 0; i < map->n; i++)
		if (same_fold(map->pairs[i].key, str_from(name)) &&
		    map->pairs[i].value->kind != NODE_NULL)
			return map->pairs[i].value;
	return NULL;
}

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
		const struct node *v = get_fold(c->k->root, deprecated[i].name);

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
	const struct node *kind = get_fold(k->root, "kind");
	const struct node *api = get_fold(k->root, "apiVersion");
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

		if (p->value->kind != NODE_NULL && !same_fold(p->key, STR("kind")) &&
		    !same_fold(p->key, STR("apiVersion")))
			return false;
	}
	return true;
}

struct err *kust_parse(struct build *b, const struct text *text, str folder,
		       struct kustomization **ret)
{
	struct kustomization *k = ARENA_NEW(b->a, struct kustomization);
	struct call c = {b, k};
	struct node_docs docs = {0};
	struct err *e;
	loc whole = {text, 0, 0};

	TRY(node_read_yaml(b->a, text, &docs));
	k->text = text;
	k->folder = folder;
	k->root = docs.n ? docs.p[0] : NULL;
	if (!k->root || k->root->kind == NODE_NULL ||
	    (k->root->kind == NODE_MAP && is_empty(k->root)))
		return err_at(ERR_MISSING, whole, "the kustomization is empty");
	if (k->root->kind != NODE_MAP)
		return wrong_type(k->root, STR("Kustomization"), "a map");
	e = check_kind(k);
	e = err_join(
		e, read_map(&c, k->root, "Kustomization", kust_fields, ARRAY_LEN(kust_fields), k));
	for (size_t i = 0; i < ARRAY_LEN(late_fields); i++) {
		const struct node *v = get_fold(k->root, late_fields[i].name);

		if (v)
			e = err_join(e, read_field(&c, &late_fields[i], v, k));
	}
	if (e)
		return e;
	k->prefix_node = get_fold(k->root, "namePrefix");
	k->suffix_node = get_fold(k->root, "nameSuffix");
	k->ns_node = get_fold(k->root, "namespace");
	warn_deprecated(&c);
	*ret = k;
	return NULL;
}

/* ------------------------------------------------------------------ plugin configs */

static const struct {
	const char *kind;
	enum plugin plugin;
} plugins[] = {
	{"PatchTransformer", PLUGIN_PATCH},
	{"PatchJson6902Transformer", PLUGIN_PATCH_JSON},
	{"PatchStrategicMergeTransformer", PLUGIN_PATCH_STRATEGIC},
	{"ReplacementTransformer", PLUGIN_REPLACEMENT},
	{"LabelTransformer", PLUGIN_LABEL},
	{"AnnotationsTransformer", PLUGIN_ANNOTATIONS},
	{"PrefixTransformer", PLUGIN_PREFIX},
	{"SuffixTransformer", PLUGIN_SUFFIX},
};

static struct err *find_plugin(const struct node *config, enum plugin *ret)
{
	const struct node *kind = node_get(config, STR("kind"));

	if (!str_eq(node_get_text(config, STR("apiVersion")), STR("builtin")))
		return err_at(ERR_NOT_ALLOWED, config->at,
			      "plugins other than apiVersion 'builtin' do not run here");
	for (size_t i = 0; i < ARRAY_LEN(plugins); i++)
		if (str_eq(node_text(kind), str_from(plugins[i].kind))) {
			*ret = plugins[i].plugin;
			return NULL;
		}
	return err_at(ERR_NOT_SUPPORTED, kind ? kind->at : config->at,
		      "transformer '" STR_FMT "' is not supported yet", STR_ARG(node_text(kind)));
}

static const struct field strategic_plugin_fields[] = {
	{"paths", F_CALL, AT(kustomization, patches_strategic), read_strategic},
	{"patches", F_CALL, AT(kustomization, patches_strategic), one_strategic},
};
static const struct field replacement_plugin_fields[] = {
	{"replacements", F_CALL, 0, read_replacements},
};
static const struct field label_plugin_fields[] = {
	{"labels", F_MAP, AT(label_spec, pairs), NULL},
	{"fieldSpecs", F_CALL, AT(label_spec, fields), read_fieldspecs},
};
static const struct field annotation_plugin_fields[] = {
	{"annotations", F_MAP, AT(label_spec, pairs), NULL},
	{"fieldSpecs", F_CALL, AT(label_spec, fields), read_fieldspecs},
};
struct affix {
	str text;
	struct fieldspecs fields;
};
static const struct field prefix_plugin_fields[] = {
	{"prefix", F_STR, AT(affix, text), NULL},
	{"fieldSpecs", F_CALL, AT(affix, fields), read_fieldspecs},
};
static const struct field suffix_plugin_fields[] = {
	{"suffix", F_STR, AT(affix, text), NULL},
	{"fieldSpecs", F_CALL, AT(affix, fields), read_fieldspecs},
};

static struct err *read_affix(struct call *c, const struct node *v, const struct field *fields,
			      str *ret)
{
	struct affix x = {0};

	TRY(read_map(c, v, "transformer", fields, ARRAY_LEN(prefix_plugin_fields), &x));
	if (!x.fields.n)
		return err_at(ERR_MISSING, v->at, "'fieldSpecs' is missing");
	if (x.fields.n > 1 || !str_eq(x.fields.p[0].path, STR("metadata/name")) ||
	    x.fields.p[0].group.n || x.fields.p[0].version.n || x.fields.p[0].kind.n)
		return err_at(ERR_NOT_SUPPORTED, v->at,
			      "'fieldSpecs' other than metadata/name are not supported yet");
	*ret = x.text;
	return NULL;
}

static struct err *read_pairs_plugin(struct call *c, const struct node *v,
				     const struct field *fields)
{
	struct label_spec l = {.at = v->at};

	TRY(read_map(c, v, "transformer", fields, ARRAY_LEN(label_plugin_fields), &l));
	*ARENA_PUSH(c->b->a, &c->k->labels) = l;
	return NULL;
}

struct err *kust_plugin(struct build *b, const struct kustomization *k, const struct node *config,
			enum plugin *what, struct kustomization **ret)
{
	struct kustomization *own = ARENA_NEW(b->a, struct kustomization);
	struct call c = {b, own};
	const struct node *v = config;
	const struct node *op;

	TRY(find_plugin(config, what));
	own->text = k->text;
	own->root = config;
	own->folder = k->folder;
	own->prefix_node = own->suffix_node = config;
	v = node_del(b->a, v, STR("apiVersion"));
	v = node_del(b->a, v, STR("kind"));
	v = node_del(b->a, v, STR("metadata"));
	*ret = own;
	switch (*what) {
	case PLUGIN_PATCH:
		return one_patch(&c, v, &own->patches);
	case PLUGIN_PATCH_JSON:
		op = node_get(v, STR("jsonOp"));
		if (op)
			v = node_set(b->a, node_del(b->a, v, STR("jsonOp")), STR("patch"), op);
		return one_patch(&c, v, &own->patches_json);
	case PLUGIN_PATCH_STRATEGIC:
		return read_map(&c, v, "transformer", strategic_plugin_fields,
				ARRAY_LEN(strategic_plugin_fields), own);
	case PLUGIN_REPLACEMENT:
		return read_map(&c, v, "transformer", replacement_plugin_fields,
				ARRAY_LEN(replacement_plugin_fields), own);
	case PLUGIN_LABEL:
		return read_pairs_plugin(&c, v, label_plugin_fields);
	case PLUGIN_ANNOTATIONS:
		return read_pairs_plugin(&c, v, annotation_plugin_fields);
	case PLUGIN_PREFIX:
		return read_affix(&c, v, prefix_plugin_fields, &own->name_prefix);
	case PLUGIN_SUFFIX:
		return read_affix(&c, v, suffix_plugin_fields, &own->name_suffix);
	}
	return NULL;
}
