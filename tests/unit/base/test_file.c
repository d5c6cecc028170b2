#include "leeboard/base.h"
#include <setjmp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int enter_folder(void **state)
{
	char name[] = "/tmp/leeboard-test-XXXXXX";

	*state = mkdtemp(name) ? xstrndup(name, strlen(name)) : NULL;
	return !*state || chdir(*state) != 0;
}

static int leave_folder(void **state)
{
	const char *left[] = {"a/b/c", "a/b", "a", "f"};

	for (size_t i = 0; i < ARRAY_LEN(left); i++)
		remove(left[i]);
	if (chdir("/") != 0 || rmdir(*state) != 0)
		return 1; /* something was left beside */
	free(*state);
	return 0;
}

static void check_err(struct err *e, enum err_code code, const char *message)
{
	assert_non_null(e);
	assert_int_equal(err_code(e), code);
	assert_string_equal(err_message(e).p, message);
	err_free(e);
}

static void a_file_is_written_whole_and_read_back(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct stat st;

	(void)state;
	assert_null(file_write_atomic("f", STR("old"), 0644));
	assert_null(file_write_atomic("f", STR("new text"), 0600));
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_null(file_read("f", 8, &b));
	assert_string_equal(b.p, "new text");
	assert_null(file_read("f", 8, &b));
	assert_string_equal(b.p, "new textnew text");
	check_err(file_read("f", 7, &b), ERR_LIMIT, "read 'f': larger than 7 bytes");
	check_err(file_read("gone", 7, &b), ERR_NOT_FOUND,
		  "read 'gone': No such file or directory");
	check_err(file_read(".", 7, &b), ERR_IO, "read '.': Is a directory");
	check_err(file_write_atomic("no/f", STR("x"), 0600), ERR_IO,
		  "write 'no/f': No such file or directory");
	check_err(file_read("/dev/zero", 100000, &b), ERR_LIMIT,
		  "read '/dev/zero': larger than 100000 bytes");
	assert_string_equal(b.p, "new textnew text");
}

static void a_folder_is_made_with_its_parents(void **state)
{
	struct stat st;

	(void)state;
	assert_null(dir_make("a/b/c", 0700));
	assert_null(dir_make("a/b/c", 0700));
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_null(file_write_atomic("f", STR(""), 0600));
	check_err(dir_make("f", 0700), ERR_IO, "make folder 'f': Not a directory");
	check_err(dir_make("f/g", 0700), ERR_IO, "make folder 'f/g': Not a directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_written_whole_and_read_back),
		cmocka_unit_test(a_folder_is_made_with_its_parents),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
