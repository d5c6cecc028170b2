/* commonAnnotations: on objects and on their pod templates. */
#include "specs.h"
#include "xform_priv.h"

struct err *xform_annotations(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	static struct fieldspec meta = {.path = {"metadata/annotations", 20}, .create = true};
	struct fieldspecs meta_only = {&meta, 1, 1};

	if (k->meta_annotations && k->meta_annotations->n > 0)
		TRY(xform_set_at(a, &meta_only, k->meta_annotations, rm));
	if (!has_pairs(k->common_annotations))
		return NULL;
	return xform_set_at(a, &rm->specs->of[SPECS_ANNOTATIONS], k->common_annotations, rm);
}
