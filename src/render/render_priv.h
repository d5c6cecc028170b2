/* What the files of src/render share: the parsed kustomization, the list of objects with their
 * history, and the transformers.
 *
 * pipeline: load.c accumulates a kustomization: resources, generators, components, then the
 * transformers below in the order of XFORMS. Once at the top: hash suffixes, xform_name_references,
 * local-config, order. A transformer changes res->root and the history; it never reads files (what
 * a field names was loaded into `text` before) and never removes from the list: it sets root to
 * NULL, and the pipeline drops the object. */
#pragma once
#include "leeboard/render.h"

/* ------------------------------------------------------------------ objects with a history */

struct res_prev {
	str name, ns, kind; /* ns: effective (res_effective_ns) */
};
struct res_strs {
	str *p;
	size_t n, cap;
};
enum res_behavior { RES_CREATE, RES_MERGE, RES_REPLACE };
struct res {
	const struct node *root; /* NULL: deleted by a patch, dropped after the transformer */
	struct {
		struct res_prev *p;
		size_t n, cap;
	} prev;                             /* oldest first; prev.p[0] is the original identity */
	struct res_strs prefixes, suffixes; /* in order of application, innermost first */
	struct node_items shared;  /* values that are one (shared.c) */
	const struct node *before; /* root before the transformer at work; NULL: nothing shared */
	enum res_behavior behavior;
	bool needs_hash;
	bool allow_name_change, allow_kind_change;
	loc at; /* manifest or generator entry */
};
/* Current identity, read from root; missing parts are empty strings (apiVersion may be missing).
 * `ns` is as written. */
struct res_id {
	str group, version, kind, ns, name;
};
struct res_id res_id(const struct res *r);
/* The original identity: of prev.p[0], else the current one. ns is effective then. group and
 * version are always the current ones (nothing changes them). */
struct res_id res_org_id(const struct res *r);
/* The i-th identity: previous ones first, then the current one. */
struct res_id res_id_at(const struct res *r, size_t i);
/* A text of no declared type, as a plain scalar: "1" is a number. A number made so is untyped: a
 * strategic merge of its object makes it the string that it was. */
bool res_is_untyped(const struct node *n);
const struct node *res_plain(struct arena *a, str s);
/* Paths of fields: cut at '.', but not at "\\." and not inside "[...]"; "[a.b]" is one map key,
 * "[k=v]" an element by its field, a number one by its place. */
void res_path_split(struct arena *a, str path, struct res_strs *ret);
bool res_path_is_filter(str part);                   /* "[k=v]" */
void res_path_filter(str part, str *key, str *value); /* its parts */
const struct node *res_path_get(const struct node *n, const struct res_strs *path);
#define RES_NS_CLUSTER STR("_non_namespaceable_")
/* kustomize's table: true only for the types it knows as cluster-scoped. */
bool res_kind_is_cluster(str group, str version, str kind);
bool res_is_cluster(const struct res *r);
/* "default" for none; RES_NS_CLUSTER for cluster-scoped types. */
str res_effective_ns(struct res_id id);
/* Pushes the current name, effective namespace and kind; call before a change of them. */
void res_push_prev(struct arena *a, struct res *r);
/* What changed since `before` of a shared value changes wherever it stands. */
void res_settle(struct arena *a, struct res *r, const struct node *before);
/* group, version, kind, name and effective namespace. */
bool res_id_equal(struct res_id a, struct res_id b);
/* Does a previous or the current identity of r equal id (effective namespaces)? */
bool res_has_id(const struct res *r, struct res_id id);
/* "ConfigMap.v1.[noGrp]/name.ns" as kustomize prints ids. */
str res_id_text(struct arena *a, struct res_id id);

struct name_index;
struct resmap {
	struct res **p;
	size_t n, cap;
	const struct specs *specs;        /* in force here (specs.h); NULL: no kustomization yet */
	const struct merge_types *schema; /* of `openapi`; NULL: the built-in one */
	struct {
		struct var *p;
		size_t n, cap;
	} vars; /* declared here and below */
	bool ids_loose;           /* two objects may have one id: patches may rename */
	struct name_index *names; /* NULL: to be made; forgotten when transformers run */
	/* Warnings and the like of the build; private to load.c. */
	struct build *build;
};
/* Objects by any of their names, previous or current: whoever changes a name adds it. What it finds
 * may have lost the name since. */
struct name_index *name_index_new(struct arena *a, const struct resmap *rm);
void name_index_add(struct arena *a, struct name_index *ix, str name, struct res *r);
struct name_hits {
	struct res **p; /* in the order of the resmap */
	size_t n, cap;
};
/* Are all current ids different? */
MUST_CHECK struct err *res_check_ids(struct arena *a, loc at, const struct resmap *rm);
/* The same over rm->names, which is made when there is none; and an object that it is to know. */
const struct name_hits *res_by_name(struct arena *a, struct resmap *rm, str name);
void res_append(struct arena *a, struct resmap *rm, struct res *r);
const struct name_hits *name_index_get(const struct name_index *ix, str name); /* never NULL */

/* ------------------------------------------------------------------ the kustomization */

/* One of `vars`. */
struct var_spec {
	str name;
	struct res_id object; /* ns as written; empty: any */
	str path;
	const struct node *from;
	loc at;
};
struct var {
	const struct var_spec *spec;
	struct res *object; /* NULL: not seen where it was declared */
};
/* gvk, name, namespace, labelSelector, annotationSelector; empty: anything. */
struct selector {
	str group, version, kind, name, ns, labels, annotations;
	loc at;
};
struct fieldspec {
	str group, version, kind; /* empty: any */
	str path;                 /* "spec/template/metadata/labels", "a[]/b" */
	bool create;
	struct res_strs parts; /* of the path; none: not split yet */
	loc at;                /* of a configuration; none: a default */
};
struct fieldspecs {
	struct fieldspec *p;
	size_t n, cap;
};
/* patches, patchesStrategicMerge, patchesJson6902. */
struct patch_spec {
	const struct text *text;       /* the patch: of the file, or of the inline string */
	const struct node *from;       /* the entry in the kustomization: `by` of what it sets */
	str path;                      /* of the file as written; empty: inline */
	const struct selector *target; /* NULL: none */
	bool allow_name_change, allow_kind_change;
	loc at;
};
struct patch_specs {
	struct patch_spec *p;
	size_t n, cap;
};
struct label_spec {
	const struct node *pairs; /* a map of strings */
	bool selectors, templates;
	bool own_fields; /* no others than `fields` */
	struct fieldspecs fields;
	loc at;
};
struct image_spec {
	str name, new_name, new_tag, digest, tag_suffix;
	const struct node *from;
	loc at;
};
struct replica_spec {
	str name;
	const struct node *count; /* an integer */
	loc at;
};
struct gen_options {
	const struct node *labels, *annotations; /* maps of strings or NULL */
	bool no_hash, immutable;
};
struct gen_spec {
	bool secret;
	str name, ns, behavior, type;
	struct res_strs literals, files, envs;
	struct gen_options options;
	const struct node *from;
	loc at;
};
/* How a value is cut out of a text, or put into one. */
struct replace_options {
	str delimiter;
	const struct node *index; /* an integer or NULL */
	bool create;
};
struct replace_target {
	const struct selector *select;
	struct {
		const struct selector **p;
		size_t n, cap;
	} reject;
	struct res_strs paths;
	struct replace_options options;
	loc at;
};
struct replacement {
	const struct selector *source; /* exact; NULL: value */
	str source_path;
	struct replace_options source_options;
	const struct node *value; /* sourceValue */
	struct {
		struct replace_target *p;
		size_t n, cap;
	} targets;
	const struct node *from;
	loc at;
};
struct kust_entry {
	str text; /* a path, or inline YAML */
	loc at;
	const struct node *from; /* the string in the kustomization, or NULL */
};
struct kust_entries {
	struct kust_entry *p;
	size_t n, cap;
};
/* buildMetadata: which annotations and labels say how an object was made. */
enum { META_ORIGIN = 1, META_TRANSFORMERS = 2, META_MANAGED_BY = 4 };
struct kustomization {
	const struct text *text; /* the file */
	const struct node *root;
	str folder; /* in the tree */
	bool component;
	struct kust_entries resources, components, configurations, crds;
	struct kust_entries generator_configs, transformers, validators;
	str name_prefix, name_suffix, ns; /* empty: none */
	const struct node *prefix_node, *suffix_node,
		*ns_node;                                      /* their values, for `by`; or NULL */
	const struct node *common_labels, *common_annotations; /* maps of strings or NULL */
	const struct node *meta_annotations;                   /* of an App: on the objects alone */
	bool ignore_missing; /* components that are not there are left out */
	struct {
		struct label_spec *p;
		size_t n, cap;
	} labels;
	struct patch_specs patches, patches_strategic, patches_json;
	struct {
		struct image_spec *p;
		size_t n, cap;
	} images;
	struct {
		struct replica_spec *p;
		size_t n, cap;
	} replicas;
	struct {
		struct gen_spec *p;
		size_t n, cap;
	} generators; /* configMapGenerator, then secretGenerator */
	struct gen_options generator_options;
	struct {
		struct replacement *p;
		size_t n, cap;
	} replacements;
	struct {
		struct var_spec *p;
		size_t n, cap;
	} vars;
	const struct node *sort_options;                /* or NULL */
	const struct node *openapi_path, *openapi_version; /* strings, or NULL */
	unsigned metadata;                              /* buildMetadata: bits of META_* */
};

/* ------------------------------------------------------------------ transformers */

/* In this order, whatever the order in the file: name, kustomize's name for it, how often k asks for
 * it. */
#define XFORMS(X)                                                                                  \
	X(patches_strategic, "PatchStrategicMergeTransformer", k->patches_strategic.n > 0)         \
	X(patches, "PatchTransformer", k->patches.n)                                               \
	X(namespace, "NamespaceTransformer", k->ns.n > 0)                                          \
	X(prefix, "PrefixTransformer", k->name_prefix.n > 0)                                       \
	X(suffix, "SuffixTransformer", k->name_suffix.n > 0)                                       \
	X(labels, "LabelTransformer", /* labels in order, then commonLabels */                     \
	  k->labels.n || has_pairs(k->common_labels) ? k->labels.n + 1 : 0)                        \
	X(annotations, "AnnotationsTransformer",                                                   \
	  has_pairs(k->common_annotations) || has_pairs(k->meta_annotations))                      \
	X(patches_json, "PatchJson6902Transformer", k->patches_json.n)                             \
	X(replicas, "ReplicaCountTransformer", k->replicas.n)                                      \
	X(images, "ImageTagTransformer", k->images.n)                                              \
	X(replacements, "ReplacementTransformer", k->replacements.n > 0)
#define X(name, plugin, times)                                                                     \
	MUST_CHECK struct err *xform_##name(struct arena *a, const struct kustomization *k,        \
					    struct resmap *rm);
XFORMS(X)
#undef X
static inline bool has_pairs(const struct node *map)
{
	return map && map->n > 0;
}
/* Once, at the top, after the hash suffixes. */
MUST_CHECK struct err *xform_name_references(struct arena *a, struct resmap *rm);
