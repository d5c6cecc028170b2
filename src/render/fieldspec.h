/* fieldspec: the places that transformers write to: paths through a tree, and kustomize's default
 * lists of them. */
#pragma once
#include "render_priv.h"

/* What becomes of the value at the end of a path. old is NULL when it was absent (or null) and the
 * spec creates; *ret is the new value, or old. */
typedef struct err *(*fieldspec_fn)(void *arg, struct arena *a, const struct node *old,
				    const struct node **ret);
enum fieldspec_make { FIELDSPEC_NEVER, FIELDSPEC_SCALAR, FIELDSPEC_MAP };
struct fieldspec_visit {
	fieldspec_fn fn;
	void *arg;
	enum fieldspec_make make; /* what the last part of a path may be created as */
};
/* Does a spec (or a name reference's target) speak of this kind? Empty parts match anything. */
bool fieldspec_selects(const struct fieldspec *f, struct res_id id);
/* root with every value at f's path as v->fn wants it; the same root when nothing changed. */
MUST_CHECK struct err *fieldspec_apply(struct arena *a, const struct node *root,
				       const struct fieldspec *f, const struct fieldspec_visit *v,
				       const struct node **ret);

/* A row of a default table: one path for several kinds (words; "": any). */
struct fieldspec_row {
	const char *kinds, *path;
	const char *group, *version; /* NULL: any */
	bool create;
};
struct fieldspec_table {
	const struct fieldspec_row *rows;
	size_t n;
};
extern const struct fieldspec_table fieldspec_labels, fieldspec_template_labels,
	fieldspec_annotations, fieldspec_namespaces, fieldspec_images, fieldspec_replicas,
	fieldspec_names, fieldspec_vars;
struct fieldspec_nameref {
	struct fieldspec target; /* the kind that is referred to; no path */
	struct fieldspec_table referrers;
};
extern const struct fieldspec_nameref fieldspec_namerefs[]; /* in kustomize's order of kinds */
extern const size_t fieldspec_namerefs_n;
/* Appends a table's rows, a spec for each kind. */
void fieldspec_add_table(struct arena *a, const struct fieldspec_table *t, struct fieldspecs *ret);
