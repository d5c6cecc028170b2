/* Inventories: what parses is sorted, prints, and parses to the same again. */
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
	CLEANUP(buf) struct buf once = BUF_INIT;
	CLEANUP(buf) struct buf twice = BUF_INIT;
	struct text t = {STR("inventory.tsv"), str_n((const char *)p, n)};
	struct inventory inv;
	CLEANUP(err) struct err *e = inventory_parse(a, &t, &inv);

	if (e)
		return 0;
	for (size_t i = 0; i < inv.n; i++) {
		must(!i || obj_id_cmp(inv.p[i - 1].id, inv.p[i].id) < 0);
		must(inventory_get(&inv, inv.p[i].id) == &inv.p[i]);
	}
	inventory_print(&inv, &once);
	t.bytes = buf_view(&once);

	struct inventory again, built = {NULL, 0, 0};

	must(!inventory_parse(a, &t, &again));
	inventory_print(&again, &twice);
	must(str_eq(buf_view(&once), buf_view(&twice)));

	/* Set backwards and from the middle: the same inventory. */
	for (size_t i = again.n; i-- > 0;)
		inventory_set(a, &built, again.p[i]);
	buf_clear(&twice);
	inventory_print(&built, &twice);
	must(str_eq(buf_view(&once), buf_view(&twice)));
	for (size_t i = 0; i < again.n; i++)
		must(inventory_del(&built, again.p[i].id));
	must(!built.n);
	return 0;
}
