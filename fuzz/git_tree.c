/* The bytes of a tree object; the hash cannot help here, a repository is whatever was pushed. */
#include "../src/git/git_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(arena) struct arena *a = arena_new();

	err_free(git_tree_check(a, str_n((const char *)data, n), 20));
	return 0;
}
