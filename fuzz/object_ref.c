/* References, identities and quantities: what parses comes back the same. */
#include "leeboard/object.h"
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	hash_init();
	return 0;
}

static void must(bool b)
{
	if (!b)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str s = arena_str(a, str_n((const char *)p, n));
	struct obj_ref r;
	obj_id id;

	if (obj_id_parse(s, &id)) {
		obj_id copy;

		must(str_eq(obj_id_text(a, id), s));
		must(obj_id_parse(obj_id_text(a, obj_id_dup(a, id)), &copy));
		must(obj_id_eq(id, copy) && obj_id_hash(id) == obj_id_hash(copy));
		obj_scope_builtin(id.group, id.kind);
		obj_kind_matches(id.name, id.group, id.kind);
		obj_is_quantity_field(id, id.name);
	}
	if (obj_ref_parse(s, &r)) {
		id = (obj_id){r.group, r.kind, r.ns, r.name};
		must(obj_ref_matches(&r, id));
	}

	/* A line break parts two quantities; equality has no side. */
	size_t cut = str_chr(s, '\n');
	str x = str_sub(s, 0, cut);
	str y = cut == SIZE_MAX ? x : str_sub(s, cut + 1, SIZE_MAX);

	must(obj_quantity_equal(x, y) == obj_quantity_equal(y, x));
	return 0;
}
