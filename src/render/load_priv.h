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
};

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

/* A config of a built-in transformer, listed by k: what it asks for as a kustomization of its own;
 * labels and annotations are both in `labels`, to be written to `fields` only. */
enum plugin {
	PLUGIN_PATCH,
	PLUGIN_PATCH_JSON,
	PLUGIN_PATCH_STRATEGIC,
	PLUGIN_REPLACEMENT,
	PLUGIN_LABEL,
	PLUGIN_ANNOTATIONS,
	PLUGIN_PREFIX,
	PLUGIN_SUFFIX,
};
MUST_CHECK struct err *kust_plugin(struct build *b, const struct kustomization *k,
				   const struct node *config, enum plugin *what,
				   struct kustomization **ret);
/* The objects of entries that are inline YAML, files or folders. */
MUST_CHECK struct err *load_configs(struct build *b, const struct kustomization *k,
				    const struct kust_entries *entries, struct resmap *ret);
/* The transformers that k lists, in order. */
MUST_CHECK struct err *transform(struct build *b, const struct kustomization *k, struct resmap *rm);
/* Drops what a transformer deleted or emptied; what it left must still be an object. */
MUST_CHECK struct err *drop_deleted(struct resmap *rm);

/* The objects of all generators of k, merged into rm. */
MUST_CHECK struct err *generate(struct build *b, const struct kustomization *k, struct resmap *rm);

/* Hash suffixes of all objects that want one. */
MUST_CHECK struct err *final_hashes(struct arena *a, struct resmap *rm);
/* Drops local-config objects, orders, strips bookkeeping. */
MUST_CHECK struct err *final_objects(struct build *b, const struct kustomization *k,
				     struct resmap *rm);
/* The metadata annotations of an object, or NULL. */
const struct node *res_annotations(const struct node *root);
