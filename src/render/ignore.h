/* ignore: which files of a plain folder do not count: lines as in .gitignore, the last that fits
 * decides. A folder that is ignored is not entered. */
#pragma once
#include "render_priv.h"

struct ignore_line {
	str folder; /* that the line speaks of: in it or below */
	struct res_strs parts;
	bool keep;    /* '!' */
	bool folders; /* folders only */
};
struct ignores {
	struct ignore_line *p;
	size_t n, cap;
};
/* The lines of a .sourceignore of `folder`; `at` is its place in an error. */
MUST_CHECK struct err *ignores_add(struct arena *a, struct ignores *v, str folder, str lines,
				   loc at);
bool ignores_has(struct arena *a, const struct ignores *v, str path, bool folder);
