/* managedFields as a stranger may write them: read, and looked at. */
#include "leeboard/diff.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	hash_init();
	return 0;
}

/* The input is one object in JSON: its own desired and live state. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct text in = {STR("fuzz"), {(const char *)data, size}};
	struct diff_projection projection;
	struct diff_changes changes;
	struct diff_managed managed;
	const struct node *root;
	struct object o = {0};

	if (size > 1u << 16)
		return 0;
	CLEANUP(err) struct err *e = node_read_json(a, &in, &root);
	if (e)
		return 0;
	CLEANUP(err) struct err *e2 = diff_managed_read(a, root, &managed);
	if (e2)
		return 0;
	o.root = root;
	CLEANUP(err) UNUSED struct err *e3 = diff_project(a, &o, root, STR("m"), &projection);
	struct diff_witnesses w = {.managed = &managed, .desired = root, .live = root, .all = true};
	CLEANUP(err) struct err *e4 = diff_changes(a, &w, &changes);
	for (size_t i = 0; !e4 && i < changes.n && i < 64; i++) {
		struct diff_writer who = diff_writer(a, &managed, &changes.p[i], STR("m"), 0);

		diff_writer_text(a, &who);
	}
	return 0;
}
