/* What labels and annotations share. */
#pragma once
#include "fieldspec.h"

/* A fieldspec_fn: writes the pairs (arg: a map of strings) into the map. */
MUST_CHECK struct err *xform_set_pairs(void *arg, struct arena *a, const struct node *old,
				       const struct node **ret);
/* Writes the pairs at every place of the specs, in every object. */
MUST_CHECK struct err *xform_set_at(struct arena *a, const struct fieldspecs *specs,
				    const struct node *pairs, struct resmap *rm);
