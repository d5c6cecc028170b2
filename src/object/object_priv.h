/* What the files of object share. */
#pragma once
#include "leeboard/object.h"

/* `'metadata.name' must be a string, not a map` at v, for what is there and wrong. */
struct err *obj_need_string(const struct node *v, const char *what) MUST_CHECK;
