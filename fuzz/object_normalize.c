/* Any JSON as an object: what normalizes is the same when it is normalized again, and redacts. */
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

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t key[32] = {7};
	const struct obj_norm how = {.default_namespace = STR("shop")};
	CLEANUP(arena) struct arena *a = arena_new();
	struct text in = {.name = STR("in"), .bytes = arena_str(a, str_n((const char *)p, n))};
	struct obj_set *once = obj_set_new(a);
	const struct node *root;
	struct err *e = node_read_json(a, &in, &root);

	if (!e)
		e = obj_normalize(a, &how, root, once);
	err_free(e);
	for (size_t i = 0; i < once->n; i++) {
		struct obj_set *twice = obj_set_new(a);
		struct object *o = &once->p[i];

		if (obj_is_list(o->root))
			abort();
		e = obj_normalize(a, &how, o->root, twice);
		if (e || twice->n != 1 || !obj_id_eq(o->id, twice->p[0].id))
			abort();

		struct hash x = obj_digest(o->root, key);
		struct hash y = obj_digest(twice->p[0].root, key);

		if (!hash_eq(&x, &y))
			abort();
		obj_redact(a, o, key);
	}
	return 0;
}
