/* One file as the kustomization, as a manifest and as a patch of the same folder; or three, with
 * lines
 * "%%" between: kustomization.yaml, r.yaml, p.yaml. */
#include "leeboard/render.h"

struct input {
	str bytes;
	str parts[3]; /* empty: not there */
};
static const char *const names[] = {"kustomization.yaml", "r.yaml", "p.yaml"};

static struct err *fuzz_kind(void *self, str path, enum tree_kind *ret, uint8_t oid[32], size_t *n)
{
	const struct input *in = self;

	*ret = path.n ? TREE_ABSENT : TREE_FOLDER;
	for (size_t i = 0; i < 3; i++)
		if (str_eq(path, str_from(names[i])) && (in->parts[1].n || i < 2))
			*ret = TREE_FILE;
	memset(oid, 0, 32);
	*n = *ret == TREE_ABSENT ? 0 : 20;
	return NULL;
}

static struct err *fuzz_read(void *self, struct arena *a, str path, str *ret)
{
	const struct input *in = self;

	for (size_t i = 0; i < 3; i++)
		if (in->parts[1].n && str_eq(path, str_from(names[i]))) {
			*ret = arena_str(a, in->parts[i]);
			return NULL;
		}
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
	struct input in = {.bytes = str_n((const char *)data, size)};
	CLEANUP(tree) struct tree *t = tree_new(&ops, &in);
	struct render_result result;
	struct render_origins origins;
	struct err *e;
	str rest = in.bytes;

	for (size_t i = 0; i < 3; i++) {
		size_t cut = i < 2 ? str_find(rest, STR("\n%%\n")) : SIZE_MAX;

		in.parts[i] = str_sub(rest, 0, cut == SIZE_MAX ? rest.n : cut + 1);
		rest = cut == SIZE_MAX ? STR("") : str_sub(rest, cut + 4, SIZE_MAX);
	}
	e = render_build(a, t, STR(""), NULL, &result);
	if (!e)
		render_print(a, &result, &out);
	for (size_t i = 0; !e && i < result.n; i++)
		render_origins(a, &result.p[i], false, &origins);
	err_free(e);
	return 0;
}
