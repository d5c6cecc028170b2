/* kust_plugins.c: configs of built-in transformers. */
#include "kust_priv.h"

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
	{"paths", F_CALL, AT(kustomization, patches_strategic), kust_strategic},
	{"patches", F_CALL, AT(kustomization, patches_strategic), kust_one_strategic},
};
static const struct field replacement_plugin_fields[] = {
	{"replacements", F_CALL, 0, kust_replacements},
};
static const struct field label_plugin_fields[] = {
	{"labels", F_MAP, AT(label_spec, pairs), NULL},
	{"fieldSpecs", F_CALL, AT(label_spec, fields), kust_fieldspecs},
};
static const struct field annotation_plugin_fields[] = {
	{"annotations", F_MAP, AT(label_spec, pairs), NULL},
	{"fieldSpecs", F_CALL, AT(label_spec, fields), kust_fieldspecs},
};
struct affix {
	str text;
	struct fieldspecs fields;
};
static const struct field prefix_plugin_fields[] = {
	{"prefix", F_STR, AT(affix, text), NULL},
	{"fieldSpecs", F_CALL, AT(affix, fields), kust_fieldspecs},
};
static const struct field suffix_plugin_fields[] = {
	{"suffix", F_STR, AT(affix, text), NULL},
	{"fieldSpecs", F_CALL, AT(affix, fields), kust_fieldspecs},
};

static struct err *read_affix(struct call *c, const struct node *v, const struct field *fields,
			      str *ret)
{
	struct affix x = {0};

	TRY(kust_map(c, v, "transformer", fields, ARRAY_LEN(prefix_plugin_fields), &x));
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

	TRY(kust_map(c, v, "transformer", fields, ARRAY_LEN(label_plugin_fields), &l));
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
		return kust_one_patch(&c, v, &own->patches);
	case PLUGIN_PATCH_JSON:
		op = node_get(v, STR("jsonOp"));
		if (op)
			v = node_set(b->a, node_del(b->a, v, STR("jsonOp")), STR("patch"), op);
		return kust_one_patch(&c, v, &own->patches_json);
	case PLUGIN_PATCH_STRATEGIC:
		return kust_map(&c, v, "transformer", strategic_plugin_fields,
				ARRAY_LEN(strategic_plugin_fields), own);
	case PLUGIN_REPLACEMENT:
		return kust_map(&c, v, "transformer", replacement_plugin_fields,
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
