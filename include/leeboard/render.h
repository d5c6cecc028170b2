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

struct config_texts;

#define RENDER_MAX_DEPTH 64u       /* overlays on overlays */
#define RENDER_MAX_OBJECTS 100000u /* of one build */
#define RENDER_MAX_LOADS 10000u    /* folders loaded by one build; each visit counts */
#define RENDER_MAX_IGNORES 10000u  /* lines of all .sourceignore files of one build */

enum render_order { RENDER_ORDER_DEFAULT, RENDER_ORDER_LEGACY, RENDER_ORDER_NONE };
/* What counts in a folder without a kustomization file. Globs (config.h) are of paths below that
 * folder; .sourceignore files in the tree count as well. */
struct render_plain {
	bool never;                         /* such a folder is an error, as for kustomize */
	bool flat;                          /* not the folders below */
	bool empty;                         /* no manifest at all is no error: nothing is wanted */
	const struct config_texts *include; /* globs; NULL or empty: all */
	const struct config_texts *exclude; /* globs; NULL: none */
	str ignore;                         /* further lines in the syntax of .sourceignore */
};
struct render_opts {
	bool managed_by; /* as buildMetadata managedByLabel */
	bool lax; /* files may lie outside the folder that names them: LoadRestrictionsNone */
	enum render_order order; /* of --reorder; the default leaves it to sortOptions */
	/* What an App says (config.md 3, "render"), as if written in a kustomization.yaml above the
	 * folder: a map with namePrefix, nameSuffix, targetNamespace, commonMetadata {labels,
	 * annotations} (metadata only, as in Flux), images, replicas, patches, components,
	 * ignoreMissingComponents. Paths in it are relative to the folder. Mistakes in it are placed
	 * where its nodes are. NULL: none. */
	const struct node *overlay;
	struct render_plain plain;
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
/* One file an object, as kustomize names them for -o FOLDER: ret has room for r->n names. A name may
 * hold a '/' that an object's name has. */
void render_file_names(struct arena *a, const struct render_result *r, str *ret);

/* ------------------------------------------------------------------ where a field comes from */

struct render_origin {
	str path; /* as in diff.h: .spec.containers[name="web"].image, .data["a.b"] */
	loc at;   /* the line of the manifest, patch, generator or transformer that set it */
	const struct node *value;
};
struct render_origins {
	struct render_origin *p;
	size_t n, cap;
};
/* A row for each leaf, in document order: a scalar, or an empty map or list. With `brief` a list whose
 * elements nothing tells apart is one leaf, as it is for diff_changes; without, its elements are
 * counted: .args[0]. A Secret's stringData stands under .data. obj_path_find looks a path up. */
void render_origins(struct arena *a, const struct render_object *o, bool brief,
		    struct render_origins *ret);
/* Of one field, or of what is nearest to it. */
loc render_origin_of(struct arena *a, const struct render_object *o, str path);

/* ------------------------------------------------------------------ nodes with their places */

/* A tree as JSON that keeps every node's place and style, for a job: mistakes in an App's fields are
 * then told at the line of its document. */
void render_places_write(const struct node *n, struct buf *b);
/* What render_places_write wrote, read as JSON; ERR_INVALID when it is none. */
MUST_CHECK struct err *render_places_read(struct arena *a, const struct node *json,
					  const struct node **ret);
