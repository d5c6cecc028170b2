/* commonAnnotations: on objects and on their pod templates. */
#include "xform_priv.h"

struct err *xform_annotations(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	struct fieldspecs specs = {0};

	if (!k->common_annotations || k->common_annotations->n == 0)
		return NULL;
	fieldspec_add_table(a, &fieldspec_annotations, &specs);
	return xform_set_at(a, &specs, k->common_annotations, rm);
}
