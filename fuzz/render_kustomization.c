/* One file as the kustomization, as a manifest and as a patch of the same folder. */
#include "leeboard/render.h"

struct input {
	str bytes;
};

static struct err *fuzz_kind(void *self, str path, enum tree_kind *ret, uint8_t oid[32], size_t *n)
{
	(void)self;
	*ret = !path.n ? TREE_FOLDER
	       : str_eq(path, STR("kustomization.yaml")) || str_eq(path, STR("r.yaml"))
		       ? TREE_FILE
		       : TREE_ABSENT;
	memset(oid, 0, 32);
	*n = *ret == TREE_ABSENT ? 0 : 20;
	return NULL;
}

static struct err *fuzz_read(void *self, struct arena *a, str path, str *ret)
{
	const struct input *in = self;

	/* The kustomization of a fuzzed manifest is fixed when the input does not look like one. */
	if (str_eq(path, STR("kustomization.yaml")) &&
	    str_starts(in->bytes, STR("apiVersion: v1\n")))
		*ret = arena_str(a, STR("namePrefix: p-\nnamespace: n\nresources: [r.yaml]\n"));
	else
		*ret = arena_str(a, in->bytes);
	return NULL;
}

static struct err *fuzz_list(void *self, struct arena *a, str path, struct tree_entry **ret,
			     size_t *n)
{
	(void)self;
	(void)a;
	(void)path;
	*ret = NULL;
	*n = 0;
	return NULL;
}

static void fuzz_close(void *self)
{
	(void)self;
}

static const struct tree_ops ops = {.name = "fuzz",
				    .kind = fuzz_kind,
				    .read = fuzz_read,
				    .list = fuzz_list,
				    .close = fuzz_close};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	hash_init();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf out = BUF_INIT;
	struct input in = {str_n((const char *)data, size)};
	CLEANUP(tree) struct tree *t = tree_new(&ops, &in);
	struct render_result result;
	struct err *e = render_build(a, t, STR(""), NULL, &result);

	if (!e)
		render_print(a, &result, &out);
	err_free(e);
	return 0;
}
