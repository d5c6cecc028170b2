/* Each folder of tests/cases/render: in/, target (the folder below in/ that is built) and
 * expected.yaml, which kustomize v5.8.1 printed. */
#include "leeboard/render.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static void read_whole(const char *path, struct buf *ret)
{
	struct err *e = file_read(path, 1 << 20, ret);

	if (e) {
		print_error("%s\n", err_message(e).p);
		err_free(e);
		fail();
	}
}

static void build_case(const char *name)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf target = BUF_INIT;
	CLEANUP(buf) struct buf want = BUF_INIT;
	CLEANUP(buf) struct buf got = BUF_INIT;
	struct render_result result;
	struct tree *t;
	struct err *e;

	read_whole(arena_printf(a, "%s/cases/render/%s/target", TEST_DIR, name).p, &target);
	read_whole(arena_printf(a, "%s/cases/render/%s/expected.yaml", TEST_DIR, name).p, &want);
	assert_null(
		tree_dir(arena_printf(a, "%s/cases/render/%s/in", TEST_DIR, name).p, false, &t));
	e = render_build(a, t, str_trim(buf_view(&target)), NULL, &result);
	if (e) {
		err_print(e, &got);
		print_error("%s\n", got.p);
		err_free(e);
		fail();
	}
	render_print(a, &result, &got);
	tree_free(t);
	print_message("%s\n", name);
	assert_string_equal(got.p, want.p);
}

static void each_case_prints_what_kustomize_prints(void **state)
{
	DIR *dir = opendir(TEST_DIR "/cases/render");
	struct dirent *entry;
	size_t n = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			build_case(entry->d_name);
			n++;
		}
	closedir(dir);
	assert_true(n > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case_prints_what_kustomize_prints),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
