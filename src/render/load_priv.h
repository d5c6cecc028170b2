/* What the files of the pipeline share, beside render_priv.h: kust.c parses, load.c accumulates,
 * gen.c generates, final.c hashes, orders and prints. */
#pragma once
#include "render_priv.h"

struct build {
	struct arena *a;
	struct tree *tree;
	const struct render_opts *opts;
	struct render_result *ret;
	struct kust_entries stack; /* folders being loaded, outermost first */
	size_t loads;
	const struct specs *specs;        /* the default ones */
	const struct merge_types *schema; /* of `openapi`; NULL: the built-in one */
	bool schema_set;                  /* by a kustomization: those below it do not matter */
	bool unknown_kinds; /* a kind was loaded that kustomize's schema does not have */
	bool hints;         /* comments say how fields merge */
	bool odd_floats;    /* there may be infinities in manifests */
	unsigned metadata;                /* buildMetadata of the root; 0: nothing to note */
	str origin;                       /* the way from the root to the folder being loaded */
};

void build_warn(struct build *b, loc at, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The names that a kustomization file may have. */
#define KUST_NAMES 3
extern const char *const kust_names[KUST_NAMES];

/* The file `text` of `folder`, checked; patch texts are loaded through b->tree. */
MUST_CHECK struct err *kust_parse(struct build *b, const struct text *text, str folder,
				  struct kustomization **ret);
/* An App's fields (render_opts.overlay) as a kustomization above `folder`. */
MUST_CHECK struct err *kust_overlay(struct build *b, const struct node *fields, str folder,
				    struct kustomization **ret);
/* A file that a kustomization names: joined, held to the load restriction, read; errors are at
 * `at`. */
MUST_CHECK struct err *load_file(struct build *b, str folder, str path, loc at, struct text **ret);
/* Gives an error without a place this one; takes e. */
MUST_CHECK struct err *err_placed(struct err *e, loc at);

/* The objects of entries that are inline YAML, files or folders. */
MUST_CHECK struct err *load_configs(struct build *b, const struct kustomization *k,
				    const struct kust_entries *entries, struct resmap *ret);
/* The built-in transformers that the fields of k ask for, then those that it lists, in order. */
MUST_CHECK struct err *transform(struct build *b, const struct kustomization *k, struct resmap *rm);
/* `validators`: transformers that may change nothing. */
MUST_CHECK struct err *validate(struct build *b, const struct kustomization *k, struct resmap *rm);
/* `generators` that k lists. */
MUST_CHECK struct err *generate_configs(struct build *b, const struct kustomization *k,
					struct resmap *rm);
/* The configuration of k merged into *ret, what came up from below: configurations, crds. */
MUST_CHECK struct err *kust_specs(struct build *b, struct kustomization *k,
				  const struct specs **ret);
/* An inline text whose lines have the numbers they have in the file. */
const struct text *kust_inline(struct arena *a, const struct node *v);
/* Drops what a transformer deleted or emptied; what it left must still be an object. */
MUST_CHECK struct err *drop_deleted(struct resmap *rm);

/* The objects of all generators of k, merged into rm. */
MUST_CHECK struct err *generate(struct build *b, const struct kustomization *k, struct resmap *rm);
/* Those of some entries; m says who made them. */
struct meta_maker;
MUST_CHECK struct err *generate_each(struct build *b, const struct kustomization *k,
				     const struct gen_spec *specs, size_t n,
				     const struct meta_maker *m, struct resmap *rm);
/* A new object into rm: appended, or merged into one of any of its names as its behavior says. */
MUST_CHECK struct err *absorb(struct build *b, struct resmap *rm, struct res *new,
			      const char *what);

/* `vars` of k, noted with the objects they speak of; and at the top, written wherever they are
 * spoken of. */
MUST_CHECK struct err *vars_declare(struct build *b, const struct kustomization *k,
				    struct resmap *rm);
MUST_CHECK struct err *vars_merge(struct arena *a, struct resmap *rm, const struct resmap *more);
MUST_CHECK struct err *vars_resolve(struct build *b, struct resmap *rm);

/* buildMetadata. All of these do nothing when b->metadata is 0. */
struct meta_maker {
	str file, api_version, kind, name, ns;
};
bool meta_is_key(str key, unsigned metadata); /* an annotation of these that nobody asked for */
str meta_join(struct arena *a, str folder, str path);
void meta_loaded(struct build *b, struct resmap *rm, str path);
struct meta_maker meta_builtin(struct build *b, const struct kustomization *k, const char *kind);
struct meta_maker meta_config(struct build *b, const struct res *config);
const struct node *meta_origin(const struct res *r); /* the annotation, or NULL */
void meta_set_origin(struct arena *a, struct res *r, str text);
void meta_generated(struct build *b, struct res *r, const struct meta_maker *m);
/* A transformer ran over all of rm, so many times. */
void meta_transformed(struct build *b, struct resmap *rm, const struct meta_maker *m, size_t times);

/* The default legacy order: the rank of a kind, and the text that decides within one. */
int final_rank(str kind);
str final_gvk_text(struct arena *a, str group, str version, str kind);
/* Hash suffixes of all objects that want one. */
MUST_CHECK struct err *final_hashes(struct arena *a, struct resmap *rm);
/* Drops local-config objects, orders, strips bookkeeping. */
MUST_CHECK struct err *final_objects(struct build *b, const struct kustomization *k,
				     struct resmap *rm);
/* The metadata annotations of an object, or NULL. */
const struct node *res_annotations(const struct node *root);
