/* render: overlays in, objects out; what `kustomize build` v5.8.1 prints.
 *
 * render_build reads a folder of a tree: one with a kustomization file as kustomize does, one
 * without as the manifests that lie in it and below. Nothing is read but through the tree, so its
 * read set says whether a later commit renders to the same. Every object carries the place in Git
 * that it came from, and every node that a transformer set says in `by` which line asked for it.
 * All memory is the arena's, and the tree's texts are. */
#pragma once
#include "leeboard/object.h"
#include "leeboard/tree.h"

#define RENDER_MAX_DEPTH 64u       /* overlays on overlays */
#define RENDER_MAX_OBJECTS 100000u /* of one build */
#define RENDER_MAX_LOADS 10000u    /* folders loaded by one build; each visit counts */

enum render_order { RENDER_ORDER_DEFAULT, RENDER_ORDER_LEGACY, RENDER_ORDER_NONE };
struct render_opts {
	bool lax; /* files may lie outside the folder that names them: LoadRestrictionsNone */
	enum render_order order; /* of --reorder; the default leaves it to sortOptions */
};
struct render_object {
	const struct node *root;
	loc at; /* the manifest, or the generator's entry: at.in->name is the file in the tree */
};
struct render_warning {
	loc at;
	str text; /* as kustomize words it, behind "# Warning: " */
};
struct render_result {
	struct render_object *p;
	size_t n, cap;
	struct {
		struct render_warning *p;
		size_t n, cap;
	} warnings;
};
/* The folder `path` of the tree ("" is its root). All that is wrong with one build is joined where
 * it can be found without guessing. */
MUST_CHECK struct err *render_build(struct arena *a, struct tree *t, str path,
				    const struct render_opts *opts, struct render_result *ret);
/* The stream that kustomize prints. */
void render_print(struct arena *a, const struct render_result *r, struct buf *b);
