/* commonAnnotations: on objects and on their pod templates. */
#include "xform_priv.h"

struct err *xform_annotations(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	static struct fieldspec meta = {.path = {"metadata/annotations", 20}, .create = true};
	struct fieldspecs specs = {0}, meta_only = {&meta, 1, 1};

	if (k->meta_annotations && k->meta_annotations->n > 0)
		TRY(xform_set_at(a, &meta_only, k->meta_annotations, rm));
	if (!k->common_annotations || k->common_annotations->n == 0)
		return NULL;
	fieldspec_add_table(a, &fieldspec_annotations, &specs);
	return xform_set_at(a, &specs, k->common_annotations, rm);
}
