/* transformers: configurations of the built-in transformers, each with field specs of its own.
 *
 * Entries are inline YAML or files. Field specs have no defaults here: without them nothing
 * happens. */
#include "load_priv.h"
#include "xform_priv.h"

/* One configuration at work. */
struct config {
	struct arena *a;
	struct resmap *rm;
	const struct node *root;
	struct fieldspecs specs;
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool same_fold(str x, str y)
{
	if (x.n != y.n)
		return false;
	for (size_t i = 0; i < x.n; i++)
		if (lower(x.p[i]) != lower(y.p[i]))
			return false;
	return true;
}

/* Field names match in any case, as everywhere in kustomize's files; NULL: absent or null. */
static const struct node *get(const struct node *map, const char *key)
{
	for (uint32_t i = 0; node_is(map, NODE_MAP) && i < map->n; i++)
		if (same_fold(map->pairs[i].key, str_from(key)) &&
		    map->pairs[i].value->kind != NODE_NULL)
			return map->pairs[i].value;
	return NULL;
}

static str text_of(const struct node *map, const char *key)
{
	const struct node *v = get(map, key);

	return v && v->kind != NODE_MAP && v->kind != NODE_LIST ? v->text : STR("");
}

static const struct node *field(const struct config *p, const char *key)
{
	return get(p->root, key);
}

static struct err *read_specs(struct config *p)
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
					   .create = node_bool(get(e, "create"), false)};
	}
	return NULL;
}

/* ------------------------------------------------------------------ fields in place */

static struct err *run_images(struct config *p)
{
	const struct node *tag = field(p, "imageTag");
	struct image_spec s = {.name = text_of(tag, "name"),
			       .new_name = text_of(tag, "newName"),
			       .new_tag = text_of(tag, "newTag"),
			       .digest = text_of(tag, "digest"),
			       .tag_suffix = text_of(tag, "tagSuffix"),
			       .from = tag,
			       .at = tag ? tag->at : p->root->at};

	return xform_images_at(p->a, &s, &p->specs, p->rm);
}

static struct err *run_namespace(struct config *p)
{
	static const struct {
		str word;
		enum xform_subjects is;
	} modes[] = {{{"", 0}, XFORM_SUBJECTS_DEFAULT},
		     {{"defaultOnly", 11}, XFORM_SUBJECTS_DEFAULT},
		     {{"allServiceAccounts", 18}, XFORM_SUBJECTS_ACCOUNTS},
		     {{"none", 4}, XFORM_SUBJECTS_NONE}};
	const struct node *ns = node_at(p->root, "metadata", "namespace", NULL);
	str mode = text_of(p->root, "setRoleBindingSubjects");
	struct xform_ns how = {.ns = node_text(ns),
			       .by = ns,
			       .at = p->root->at,
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

static struct err *rename_by(struct config *p, const char *prefix, const char *suffix)
{
	const struct node *pre = prefix ? field(p, prefix) : NULL;
	const struct node *suf = suffix ? field(p, suffix) : NULL;

	if ((pre || suf) && p->specs.n == 0)
		return err_at(ERR_RENDER, p->root->at, "fieldSpecs is not expected to be empty");
	if (pre)
		TRY(xform_rename_at(p->a, &p->specs, node_text(pre), STR(""), pre, p->rm));
	if (suf)
		TRY(xform_rename_at(p->a, &p->specs, STR(""), node_text(suf), suf, p->rm));
	return NULL;
}

static struct err *run_prefix(struct config *p)
{
	return rename_by(p, "prefix", NULL);
}

static struct err *run_suffix(struct config *p)
{
	return rename_by(p, NULL, "suffix");
}

static struct err *run_affixes(struct config *p)
{
	return rename_by(p, "prefix", "suffix");
}

static struct err *run_replicas(struct config *p)
{
	const struct node *replica = field(p, "replica");
	struct replica_spec s = {.name = text_of(replica, "name"),
				 .count = get(replica, "count"),
				 .at = p->root->at};

	if (!node_is(s.count, NODE_INT))
		s.count = node_new_int(p->a, 0);
	return xform_replicas_at(p->a, &s, &p->specs, p->rm);
}

static struct err *run_hash(struct config *p)
{
	return final_hashes(p->a, p->rm);
}

/* ------------------------------------------------------------------ kinds */

static const struct {
	const char *kind;
	struct err *(*run)(struct config *p);
} kinds[] = {
	{"HashTransformer", run_hash},           {"ImageTagTransformer", run_images},
	{"NamespaceTransformer", run_namespace}, {"PrefixSuffixTransformer", run_affixes},
	{"PrefixTransformer", run_prefix},       {"ReplicaCountTransformer", run_replicas},
	{"SuffixTransformer", run_suffix},
};

struct err *xform_plugin(struct arena *a, const struct node *root, struct resmap *rm, bool *known)
{
	struct config p = {.a = a, .rm = rm, .root = root};

	*known = false;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!str_eq(text_of(root, "apiVersion"), STR("builtin")) ||
		    !str_eq(text_of(root, "kind"), str_from(kinds[i].kind)))
			continue;
		*known = true;
		TRY(read_specs(&p));
		return kinds[i].run(&p);
	}
	return NULL;
}
