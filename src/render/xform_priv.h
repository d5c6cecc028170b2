/* The transformers with their field specs handed in: by the fields of a kustomization, with the
 * default lists, and by plugin configurations, with lists of their own. */
#pragma once
#include "fieldspec.h"

/* Writes the pairs at every place of the specs, in every object. */
MUST_CHECK struct err *xform_set_at(struct arena *a, const struct fieldspecs *specs,
				    const struct node *pairs, struct resmap *rm);
MUST_CHECK struct err *xform_images_at(struct arena *a, const struct image_spec *s,
				       const struct fieldspecs *specs, struct resmap *rm);
MUST_CHECK struct err *xform_replicas_at(struct arena *a, struct replica_spec *s,
					 const struct fieldspecs *specs, struct resmap *rm);
MUST_CHECK struct err *xform_rename_at(struct arena *a, const struct fieldspecs *specs, str prefix,
				       str suffix, const struct node *by, struct resmap *rm);
/* Which subjects of role bindings follow at once. */
enum xform_subjects { XFORM_SUBJECTS_DEFAULT, XFORM_SUBJECTS_ACCOUNTS, XFORM_SUBJECTS_NONE };
struct xform_ns {
	str ns;
	const struct node *by; /* or NULL */
	loc at;
	const struct fieldspecs *specs;
	bool unset_only; /* leave values that are there */
	enum xform_subjects subjects;
};
MUST_CHECK struct err *xform_namespace_at(struct arena *a, struct xform_ns *how,
					  struct resmap *rm);
/* The namespace alone: no history is kept, nothing is checked. */
MUST_CHECK struct err *xform_namespace_set(struct arena *a, struct xform_ns *how,
					   struct resmap *rm);
/* Where a value goes. */
struct value_target {
	const struct selector *select; /* NULL: everything */
	str path;                      /* "a/b" */
	const struct node *position;   /* an integer or NULL: the part of a path that it becomes */
	loc at;
};
struct value_targets {
	struct value_target *p;
	size_t n, cap;
};
MUST_CHECK struct err *xform_values(struct arena *a, const struct value_targets *targets, str value,
				    const struct node *by, struct resmap *rm);
