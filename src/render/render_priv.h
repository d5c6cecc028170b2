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
#define RES_NS_CLUSTER STR("_non_namespaceable_")
/* kustomize's table: true only for the types it knows as cluster-scoped. */
bool res_kind_is_cluster(str group, str version, str kind);
bool res_is_cluster(const struct res *r);
/* "default" for none; RES_NS_CLUSTER for cluster-scoped types. */
str res_effective_ns(struct res_id id);
/* Pushes the current name, effective namespace and kind; call before a change of them. */
void res_push_prev(struct arena *a, struct res *r);
/* group, version, kind, name and effective namespace. */
bool res_id_equal(struct res_id a, struct res_id b);
/* Does a previous or the current identity of r equal id (effective namespaces)? */
bool res_has_id(const struct res *r, struct res_id id);
/* "ConfigMap.v1.[noGrp]/name.ns" as kustomize prints ids. */
str res_id_text(struct arena *a, struct res_id id);

struct resmap {
	struct res **p;
	size_t n, cap;
	/* Warnings and the like of the build; private to load.c. */
	struct build *build;
};
/* Objects by any of their names, previous or current. A snapshot: build it, use it, forget it. */
struct name_index;
struct name_index *name_index_new(struct arena *a, const struct resmap *rm);
struct name_hits {
	struct res **p; /* in the order of the resmap, each once */
	size_t n, cap;
};
const struct name_hits *name_index_get(const struct name_index *ix, str name); /* never NULL */

/* ------------------------------------------------------------------ the kustomization */

/* gvk, name, namespace, labelSelector, annotationSelector; empty: anything. */
struct selector {
	str group, version, kind, name, ns, labels, annotations;
	loc at;
};
struct fieldspec {
	str group, version, kind; /* empty: any */
	str path;                 /* "spec/template/metadata/labels", "a[]/b" */
	bool create;
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
	str text; /* a path */
	loc at;
};
struct kust_entries {
	struct kust_entry *p;
	size_t n, cap;
};
struct kustomization {
	const struct text *text; /* the file */
	const struct node *root;
	str folder; /* in the tree */
	bool component;
	struct kust_entries resources, components, transformers;
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
	const struct node *sort_options; /* or NULL */
};

/* ------------------------------------------------------------------ transformers */

/* In this order, whatever the order in the file; each returns at once when k has nothing for it. */
#define XFORMS(X)                                                                                  \
	X(patches_strategic)                                                                       \
	X(patches)                                                                                 \
	X(namespace)                                                                               \
	X(prefix)                                                                                  \
	X(suffix)                                                                                  \
	X(labels) /* labels in order, then commonLabels */                                         \
	X(annotations)                                                                             \
	X(patches_json)                                                                            \
	X(replicas)                                                                                \
	X(images)                                                                                  \
	X(replacements)
#define X(name)                                                                                    \
	MUST_CHECK struct err *xform_##name(struct arena *a, const struct kustomization *k,        \
					    struct resmap *rm);
XFORMS(X)
#undef X
/* Once, at the top, after the hash suffixes. */
MUST_CHECK struct err *xform_name_references(struct arena *a, struct resmap *rm);
