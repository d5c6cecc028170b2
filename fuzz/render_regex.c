/* The first line as an expression of a target, the rest as the name it is held against. */
#include "render/select.h"

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
	CLEANUP(regex) struct regex *re = NULL;
	str all = str_n((const char *)data, size), line;
	struct err *e;

	/* Text is valid UTF-8 without NUL behind the parsers. */
	if (str_utf8_bad(all) != SIZE_MAX || !str_split(&all, '\n', &line))
		return 0;
	e = regex_new(arena_str(a, line), "^(", ")$", LOC_NONE, &re);
	if (!e)
		regex_matches(re, arena_str(a, all));
	err_free(e);
	return 0;
}
