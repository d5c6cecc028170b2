/* verb_priv: the table, for the files of verb. */
#pragma once
#include "leeboard/verb.h"

extern const struct verb verb_rows[];
extern const size_t verb_count;
extern const struct verb_flag verb_common[];
