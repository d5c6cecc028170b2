/* What the files of health share. */
#pragma once
#include "leeboard/health.h"

const struct node *health_at_path(const struct node *n, str path); /* "status.phase" */
int64_t health_number(const struct node *root, str path, int64_t otherwise);
/* A kind that no built-in rule knows (custom.def). early: the rows of kinds alone, false when none
 * fits; they come before what is true of all kinds. */
bool health_of_kind(struct arena *a, const struct object *o, struct health *ret);
struct health health_of_custom(struct arena *a, const struct object *o,
			       const struct health_clock *clock, msec *again);
