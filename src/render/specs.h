/* specs: the field specs in force: the default lists, what `configurations` and `crds` add, and what
 * comes up from the kustomizations below. A set is never changed once made, so that those of most
 * kustomizations are one and the same. */
#pragma once
#include "fieldspec.h"

enum specs_of {
	SPECS_PREFIX,
	SPECS_SUFFIX,
	SPECS_NAMESPACE,
	SPECS_COMMON_LABELS,
	SPECS_LABELS, /* of `labels` entries, besides their own */
	SPECS_TEMPLATE_LABELS,
	SPECS_ANNOTATIONS,
	SPECS_VARS,
	SPECS_IMAGES,
	SPECS_REPLICAS,
	SPECS_N
};
struct nameref {
	struct fieldspec target; /* the kind that is referred to; no path */
	struct fieldspecs referrers;
};
struct specs {
	struct fieldspecs of[SPECS_N];
	struct {
		struct nameref *p;
		size_t n, cap;
	} names;
};
const struct specs *specs_default(struct arena *a);
/* Appends f unless the list has it; ERR_INVALID when it has it but for `create`. */
MUST_CHECK struct err *specs_add(struct arena *a, struct fieldspecs *list,
				 const struct fieldspec *f);
MUST_CHECK struct err *specs_add_all(struct arena *a, struct fieldspecs *list,
				     const struct fieldspecs *more);
MUST_CHECK struct err *specs_add_name(struct arena *a, struct specs *s, const struct nameref *n);
/* Both, as kustomize merges and sorts them; either may be NULL. */
MUST_CHECK struct err *specs_merge(struct arena *a, const struct specs *under,
				   const struct specs *over, const struct specs **ret);
