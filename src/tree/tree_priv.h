/* What tree.c and dir.c share. */
#pragma once
#include "leeboard/tree.h"

void tree_set_lax(struct tree *t);
