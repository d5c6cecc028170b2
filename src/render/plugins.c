/* plugins.c: transformers, generators and validators. Those that the fields of a kustomization ask
 * for, and configs of the same built-in ones, with field specs of their own and no defaults. */
#include "kust_priv.h"
#include "specs.h"
#include "xform_priv.h"

/* One config at work. */
struct plugin {
	struct call c;
	const struct res *config;
	const struct node *root; /* of the config */
	struct resmap *rm;
	struct meta_maker maker;
};

static struct err *read_config(struct plugin *p, const struct field *fields, size_t n, void *out)
{
	return kust_map(&p->c, p->root, "config", fields, n, out);
}

static str own_text(const struct plugin *p, const char *key)
{
	const struct node *v = kust_get(kust_get(p->root, "metadata"), key);

	return node_is(v, NODE_STRING) ? v->text : STR("");
}

/* ------------------------------------------------------------------ patches, replacements */

static struct err *run_patch(struct plugin *p)
{
	TRY(kust_one_patch(&p->c, p->root, &p->c.k->patches));
	return xform_patches(p->c.b->a, p->c.k, p->rm);
}

static struct err *run_patch_json(struct plugin *p)
{
	struct arena *a = p->c.b->a;
	const struct node *op = kust_get(p->root, "jsonOp"), *v = p->root;

	if (op)
		v = node_set(a, node_del(a, v, STR("jsonOp")), STR("patch"), op);
	TRY(kust_one_patch(&p->c, v, &p->c.k->patches_json));
	return xform_patches_json(a, p->c.k, p->rm);
}

static struct err *run_patch_strategic(struct plugin *p)
{
	static const struct field fields[] = {
		{"paths", F_CALL, AT(kustomization, patches_strategic), kust_strategic},
		{"patches", F_CALL, AT(kustomization, patches_strategic), kust_one_strategic},
	};

	TRY(read_config(p, fields, ARRAY_LEN(fields), p->c.k));
	if (!p->c.k->patches_strategic.n)
		return err_at(ERR_MISSING, p->root->at,
			      "the transformer has no 'paths' and no "
			      "'patches'");
	return xform_patches_strategic(p->c.b->a, p->c.k, p->rm);
}

static struct err *run_replacement(struct plugin *p)
{
	static const struct field fields[] = {{"replacements", F_CALL, 0, kust_replacements}};

	TRY(read_config(p, fields, ARRAY_LEN(fields), p->c.k));
	return xform_replacements(p->c.b->a, p->c.k, p->rm);
}

/* ------------------------------------------------------------------ fields in place */

struct pairs {
	const struct node *map;
	struct fieldspecs fields;
};

static struct err *set_pairs(struct plugin *p, const struct field *fields)
{
	struct pairs x = {0};

	TRY(read_config(p, fields, 2, &x));
	return x.map && x.map->n ? xform_set_at(p->c.b->a, &x.fields, x.map, p->rm) : NULL;
}

static struct err *run_labels(struct plugin *p)
{
	static const struct field fields[] = {
		{"labels", F_MAP, AT(pairs, map), NULL},
		{"fieldSpecs", F_CALL, AT(pairs, fields), kust_fieldspecs},
	};

	return set_pairs(p, fields);
}

static struct err *run_annotations(struct plugin *p)
{
	static const struct field fields[] = {
		{"annotations", F_MAP, AT(pairs, map), NULL},
		{"fieldSpecs", F_CALL, AT(pairs, fields), kust_fieldspecs},
	};

	return set_pairs(p, fields);
}

struct images {
	struct image_spec spec;
	struct fieldspecs fields;
};

static struct err *run_images(struct plugin *p)
{
	static const struct field fields[] = {
		{"imageTag", F_CALL, AT(images, spec), kust_image},
		{"fieldSpecs", F_CALL, AT(images, fields), kust_fieldspecs},
	};
	struct images x = {.spec = {.at = p->root->at, .from = p->root}};

	TRY(read_config(p, fields, ARRAY_LEN(fields), &x));
	return xform_images_at(p->c.b->a, &x.spec, &x.fields, p->rm);
}

struct replicas {
	struct replica_spec spec;
	struct fieldspecs fields;
};

static struct err *run_replicas(struct plugin *p)
{
	static const struct field fields[] = {
		{"replica", F_CALL, AT(replicas, spec), kust_replica},
		{"fieldSpecs", F_CALL, AT(replicas, fields), kust_fieldspecs},
	};
	struct replicas x = {.spec = {.at = p->root->at}};

	TRY(read_config(p, fields, ARRAY_LEN(fields), &x));
	if (!x.spec.count)
		x.spec.count = node_new_int(p->c.b->a, 0);
	return xform_replicas_at(p->c.b->a, &x.spec, &x.fields, p->rm);
}

struct namespace
{
	str subjects;
	bool unset_only;
	struct fieldspecs fields;
};

static struct err *run_namespace(struct plugin *p)
{
	static const struct field fields[] = {
		{"setRoleBindingSubjects", F_STR, AT(namespace, subjects), NULL},
		{"unsetOnly", F_BOOL, AT(namespace, unset_only), NULL},
		{"fieldSpecs", F_CALL, AT(namespace, fields), kust_fieldspecs},
	};
	static const struct {
		str word;
		enum xform_subjects is;
	} modes[] = {{{"", 0}, XFORM_SUBJECTS_DEFAULT},
		     {{"defaultOnly", 11}, XFORM_SUBJECTS_DEFAULT},
		     {{"allServiceAccounts", 18}, XFORM_SUBJECTS_ACCOUNTS},
		     {{"none", 4}, XFORM_SUBJECTS_NONE}};
	struct namespace x = {0};
	struct xform_ns how = {.ns = own_text(p, "namespace"),
			       .by = node_at(p->root, "metadata", "namespace", NULL),
			       .at = p->root->at};

	TRY(read_config(p, fields, ARRAY_LEN(fields), &x));
	how.specs = &x.fields;
	how.unset_only = x.unset_only;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (str_eq(modes[i].word, x.subjects)) {
			how.subjects = modes[i].is;
			return xform_namespace_at(p->c.b->a, &how, p->rm);
		}
	return err_at(ERR_INVALID, kust_get(p->root, "setRoleBindingSubjects")->at,
		      "'setRoleBindingSubjects' must be 'defaultOnly', 'allServiceAccounts' or "
		      "'none'");
}

struct affixes {
	str prefix, suffix;
	struct fieldspecs fields;
};

static struct err *run_affixes(struct plugin *p)
{
	static const struct field fields[] = {
		{"prefix", F_STR, AT(affixes, prefix), NULL},
		{"suffix", F_STR, AT(affixes, suffix), NULL},
		{"fieldSpecs", F_CALL, AT(affixes, fields), kust_fieldspecs},
	};
	str kind = node_get_text(p->root, STR("kind"));
	struct arena *a = p->c.b->a;
	struct affixes x = {0};

	TRY(read_config(p, fields, ARRAY_LEN(fields), &x));
	if (!kust_get(p->root, "fieldSpecs"))
		return err_at(ERR_MISSING, p->root->at, "'fieldSpecs' is missing");
	if (!str_starts(kind, STR("Suffix")))
		TRY(xform_rename_at(a, &x.fields, x.prefix, STR(""), kust_get(p->root, "prefix"),
				    p->rm));
	if (!str_starts(kind, STR("PrefixTransformer")))
		TRY(xform_rename_at(a, &x.fields, STR(""), x.suffix, kust_get(p->root, "suffix"),
				    p->rm));
	return NULL;
}

static struct err *run_hash(struct plugin *p)
{
	return final_hashes(p->c.b->a, p->rm);
}

/* ------------------------------------------------------------------ values */

static const struct field value_target_fields[] = {
	{"selector", F_CALL, AT(value_target, select), kust_selector},
	{"fieldPath", F_STR, AT(value_target, path), NULL},
	{"filePathPosition", F_INT, AT(value_target, position), NULL},
};

static struct err *one_value_target(struct call *c, const struct node *v, void *member)
{
	struct value_target t = {.path = STR(""), .at = v->at};
	int64_t position = 0;

	TRY(kust_map(c, v, "targets", value_target_fields, ARRAY_LEN(value_target_fields), &t));
	if (!t.path.n)
		return err_at(ERR_MISSING, v->at, "a target needs 'fieldPath'");
	if (t.position && (!node_i64(t.position, &position) || position < 0))
		return err_at(ERR_INVALID, t.position->at,
			      "'filePathPosition' is negative or too "
			      "large");
	*ARENA_PUSH(c->b->a, (struct value_targets *)member) = t;
	return NULL;
}

static struct err *read_value_targets(struct call *c, const struct node *v, void *member)
{
	return kust_list(c, v, "targets", member, one_value_target);
}

struct value_add {
	str value, file;
	struct value_targets targets;
};
static const struct field value_fields[] = {
	{"value", F_STR, AT(value_add, value), NULL},
	{"targetFilePath", F_STR, AT(value_add, file), NULL},
	{"targets", F_CALL, AT(value_add, targets), read_value_targets},
};

/* Targets that several configs share. */
static struct err *load_value_targets(struct plugin *p, struct value_add *x)
{
	struct node_docs docs = {0};
	struct text *text;

	TRY(load_file(p->c.b, p->c.k->folder, x->file, p->root->at, &text));
	TRY(node_read_yaml(p->c.b->a, text, &docs));
	if (!docs.n || docs.p[0]->kind == NODE_NULL)
		return NULL;
	return kust_map(&p->c, docs.p[0], "targets", &value_fields[2], 1, x);
}

static struct err *run_value(struct plugin *p)
{
	struct value_add x = {.value = STR(""), .file = STR("")};
	str folder = p->c.k->folder;
	size_t slash = str_rchr(folder, '/');

	TRY(read_config(p, value_fields, ARRAY_LEN(value_fields), &x));
	x.value = str_trim(x.value);
	if (!x.value.n)
		x.value = slash == SIZE_MAX ? folder : str_sub(folder, slash + 1, SIZE_MAX);
	if (x.file.n)
		TRY(load_value_targets(p, &x));
	if (!x.targets.n)
		return err_at(ERR_MISSING, p->root->at, "the transformer has no 'targets'");
	return xform_values(p->c.b->a, &x.targets, x.value, p->root, p->rm);
}

/* ------------------------------------------------------------------ generators */

static struct err *run_generator(struct plugin *p, bool secret)
{
	struct gen_spec g = {.at = p->root->at, .from = p->root};

	TRY(kust_generator(&p->c, p->root, secret, &g));
	if (!g.name.n)
		g.name = own_text(p, "name");
	if (!g.ns.n)
		g.ns = own_text(p, "namespace");
	return generate_each(p->c.b, p->c.k, &g, 1, &p->maker, p->rm);
}

static struct err *run_config_map(struct plugin *p)
{
	return run_generator(p, false);
}

static struct err *run_secret(struct plugin *p)
{
	return run_generator(p, true);
}

struct iam {
	str cloud;
	struct {
		str name, ns;
	} service;
	struct {
		str name, project;
	} account;
};

static struct err *read_iam_service(struct call *c, const struct node *v, void *member)
{
	static const struct field fields[] = {
		{"name", F_STR, AT(iam, service.name), NULL},
		{"namespace", F_STR, AT(iam, service.ns), NULL},
	};

	return kust_map(c, v, "kubernetesService", fields, ARRAY_LEN(fields), member);
}

static struct err *read_iam_account(struct call *c, const struct node *v, void *member)
{
	static const struct field fields[] = {
		{"name", F_STR, AT(iam, account.name), NULL},
		{"projectId", F_STR, AT(iam, account.project), NULL},
	};

	return kust_map(c, v, "serviceAccount", fields, ARRAY_LEN(fields), member);
}

/* A ServiceAccount bound to one of a cloud. */
static struct err *run_iam(struct plugin *p)
{
	static const struct field fields[] = {
		{"cloud", F_STR, AT(iam, cloud), NULL},
		{"kubernetesService", F_CALL, 0, read_iam_service},
		{"serviceAccount", F_CALL, 0, read_iam_account},
	};
	struct arena *a = p->c.b->a;
	struct res *r = ARENA_NEW(a, struct res);
	struct iam x = {0};
	const struct node *meta = NULL;
	str account;

	TRY(read_config(p, fields, ARRAY_LEN(fields), &x));
	if (!str_eq(x.cloud, STR("gke")))
		return err_at(ERR_INVALID, p->root->at, "cloud '" STR_FMT "' is not known: gke is",
			      STR_ARG(x.cloud));
	account = arena_printf(a, STR_FMT "@" STR_FMT ".iam.gserviceaccount.com",
			       STR_ARG(x.account.name), STR_ARG(x.account.project));
	meta = node_set(
		a, NULL, STR("annotations"),
		node_set(a, NULL, STR("iam.gke.io/gcp-service-account"), node_new_str(a, account)));
	meta = node_set(a, meta, STR("name"), node_new_str(a, x.service.name));
	if (x.service.ns.n)
		meta = node_set(a, meta, STR("namespace"), node_new_str(a, x.service.ns));
	r->root = node_set(a, NULL, STR("apiVersion"), node_new_str(a, STR("v1")));
	r->root = node_set(a, r->root, STR("kind"), node_new_str(a, STR("ServiceAccount")));
	r->root = node_with_by(a, node_set(a, r->root, STR("metadata"), meta), p->root);
	r->at = p->root->at;
	meta_generated(p->c.b, r, &p->maker);
	return absorb(p->c.b, p->rm, r, "service account");
}

/* ------------------------------------------------------------------ configs */

enum what { TRANSFORMER, GENERATOR, VALIDATOR };
static const struct {
	const char *kind;
	enum what what;
	struct err *(*run)(struct plugin *p);
} builtin[] = {
	{"AnnotationsTransformer", TRANSFORMER, run_annotations},
	{"ConfigMapGenerator", GENERATOR, run_config_map},
	{"HashTransformer", TRANSFORMER, run_hash},
	{"IAMPolicyGenerator", GENERATOR, run_iam},
	{"ImageTagTransformer", TRANSFORMER, run_images},
	{"LabelTransformer", TRANSFORMER, run_labels},
	{"NamespaceTransformer", TRANSFORMER, run_namespace},
	{"PatchJson6902Transformer", TRANSFORMER, run_patch_json},
	{"PatchStrategicMergeTransformer", TRANSFORMER, run_patch_strategic},
	{"PatchTransformer", TRANSFORMER, run_patch},
	{"PrefixSuffixTransformer", TRANSFORMER, run_affixes},
	{"PrefixTransformer", TRANSFORMER, run_affixes},
	{"ReplacementTransformer", TRANSFORMER, run_replacement},
	{"ReplicaCountTransformer", TRANSFORMER, run_replicas},
	{"SecretGenerator", GENERATOR, run_secret},
	{"SuffixTransformer", TRANSFORMER, run_affixes},
	{"ValueAddTransformer", TRANSFORMER, run_value},
};

static struct err *no_such_plugin(const struct node *config, const struct node *kind,
				  enum what what)
{
	const char *word = what == GENERATOR ? "generator" : "transformer";
	str names[ARRAY_LEN(builtin)], near;
	struct err *e;

	if (!str_eq(node_get_text(config, STR("apiVersion")), STR("builtin")))
		return err_at(ERR_NOT_ALLOWED, config->at,
			      "plugins other than apiVersion 'builtin' do not run here");
	if (str_starts(node_text(kind), STR("HelmChart")))
		return err_hint(err_at(ERR_NOT_ALLOWED, kind->at, "Helm does not run here"),
				"commit what 'helm template' prints, and list it under "
				"'resources'");
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
		names[i] = str_from(builtin[i].kind);
	e = err_at(ERR_INVALID, kind ? kind->at : config->at,
		   "there is no built-in %s '" STR_FMT "'", word, STR_ARG(node_text(kind)));
	near = str_nearest(node_text(kind), names, ARRAY_LEN(builtin));
	return near.n ? err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near)) : e;
}

static struct err *run(struct build *b, const struct kustomization *k, const struct res *config,
		       enum what what, struct resmap *rm)
{
	struct kustomization *own = ARENA_NEW(b->a, struct kustomization);
	const struct node *kind = node_get(config->root, STR("kind"));
	struct plugin p = {.c = {.b = b, .k = own, .coerce = true, .loose = true},
			   .config = config,
			   .root = config->root,
			   .rm = rm,
			   .maker = meta_config(b, config)};

	own->text = k->text;
	own->root = config->root;
	own->folder = k->folder;
	if (str_eq(node_get_text(config->root, STR("apiVersion")), STR("builtin")))
		for (size_t i = 0; i < ARRAY_LEN(builtin); i++) {
			if ((builtin[i].what == GENERATOR) != (what == GENERATOR) ||
			    !str_eq(node_text(kind), str_from(builtin[i].kind)))
				continue;
			TRY_WRAP(builtin[i].run(&p), "run " STR_FMT " '" STR_FMT "'",
				 STR_ARG(kind->text), STR_ARG(res_id(config).name));
			if (what == TRANSFORMER)
				meta_transformed(b, rm, &p.maker, 1);
			return NULL;
		}
	return no_such_plugin(config->root, kind, what);
}

static struct err *run_all(struct build *b, const struct kustomization *k,
			   const struct kust_entries *entries, enum what what, struct resmap *rm)
{
	struct resmap configs = {.build = b};

	if (!entries->n)
		return NULL;
	TRY(load_configs(b, k, entries, &configs));
	for (size_t i = 0; i < configs.n; i++) {
		TRY(run(b, k, configs.p[i], what, rm));
		TRY(drop_deleted(rm));
	}
	return NULL;
}

struct err *generate_configs(struct build *b, const struct kustomization *k, struct resmap *rm)
{
	return run_all(b, k, &k->generator_configs, GENERATOR, rm);
}

/* Shared values follow what a transformer did to one of them. */
static void note_roots(struct resmap *rm)
{
	for (size_t i = 0; i < rm->n; i++)
		rm->p[i]->before = rm->p[i]->shared.n ? rm->p[i]->root : NULL;
}

static void settle_all(struct arena *a, struct resmap *rm)
{
	for (size_t i = 0; i < rm->n; i++)
		if (rm->p[i]->before && rm->p[i]->shared.n)
			res_settle(a, rm->p[i], rm->p[i]->before);
}

typedef struct err *(*xform_fn)(struct arena *a, const struct kustomization *k, struct resmap *rm);

/* What a field asks for so many times. */
static struct err *step(struct build *b, const struct kustomization *k, xform_fn run_it,
			const char *plugin, size_t times, struct resmap *rm)
{
	struct meta_maker maker = meta_builtin(b, k, plugin);

	note_roots(rm);
	TRY(run_it(b->a, k, rm));
	settle_all(b->a, rm);
	meta_transformed(b, rm, &maker, times);
	return drop_deleted(rm);
}

/* A patch may take off the annotations that tell of those before it: then each is noted in its
 * turn. */
static struct err *step_each(struct build *b, const struct kustomization *k, xform_fn run_it,
			     const char *plugin, struct resmap *rm)
{
	bool json = run_it == xform_patches_json;
	const struct patch_specs *all = json ? &k->patches_json : &k->patches;

	for (size_t i = 0; i < all->n; i++) {
		struct kustomization *one = ARENA_NEW(b->a, struct kustomization);

		*one = *k;
		*(json ? &one->patches_json : &one->patches) =
			(struct patch_specs){&all->p[i], 1, 1};
		TRY(step(b, one, run_it, plugin, 1, rm));
	}
	return NULL;
}

struct err *transform(struct build *b, const struct kustomization *k, struct resmap *rm)
{
#define X(name, plugin, times)                                                                     \
	if ((times) > 0) {                                                                         \
		xform_fn fn = xform_##name;                                                        \
		bool each = b->metadata && (fn == xform_patches || fn == xform_patches_json);      \
                                                                                                   \
		TRY(each ? step_each(b, k, fn, plugin, rm) : step(b, k, fn, plugin, (times), rm)); \
	}
	XFORMS(X)
#undef X
	return run_all(b, k, &k->transformers, TRANSFORMER, rm);
}

/* ------------------------------------------------------------------ validators */

/* A validator may leave its mark. */
static const struct node *unmarked(struct arena *a, const struct node *root)
{
	const struct node *meta = node_get(root, STR("metadata"));
	const struct node *labels = node_get(meta, STR("labels"));

	if (!labels || (labels->n && !node_get(labels, STR("validated-by"))))
		return root;
	labels = node_del(a, labels, STR("validated-by"));
	meta = labels->n ? node_set(a, meta, STR("labels"), labels)
			 : node_del(a, meta, STR("labels"));
	return node_set(a, root, STR("metadata"), meta);
}

struct err *validate(struct build *b, const struct kustomization *k, struct resmap *rm)
{
	size_t n = rm->n;
	const struct node **before;
	struct res **was;

	if (!k->validators.n)
		return NULL;
	before = ARENA_ARRAY(b->a, const struct node *, n);
	was = ARENA_ARRAY(b->a, struct res *, n);
	for (size_t i = 0; i < n; i++) {
		was[i] = rm->p[i];
		before[i] = rm->p[i]->root;
	}
	TRY(run_all(b, k, &k->validators, VALIDATOR, rm));
	if (rm->ids_loose)
		TRY(res_check_ids(b->a, k->validators.p[0].at, rm));
	for (size_t i = 0; i < n; i++)
		if (i >= rm->n || rm->p[i] != was[i] ||
		    (rm->p[i]->root != before[i] &&
		     !node_equal_strict(unmarked(b->a, before[i]), unmarked(b->a, rm->p[i]->root))))
			return err_at(ERR_RENDER, k->validators.p[0].at,
				      "a validator changed '" STR_FMT "': it may only look",
				      STR_ARG(res_id_text(b->a, res_id(was[i]))));
	return NULL;
}
