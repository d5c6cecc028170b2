#include "leeboard/cli.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void every_code_of_an_error_is_explained(void **state)
{
	static const char *const codes[] = {
#define X(name, wire, status) wire,
		ERR_CODES(X)
#undef X
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		if (!cli_explain_reason(str_from(codes[i]), &b))
			fail_msg("'%s' has no row", codes[i]);
		assert_true(str_starts(buf_view(&b), str_from(codes[i])));
	}
}

static void the_reference_page_is_the_table(void **state)
{
	CLEANUP(buf) struct buf want = BUF_INIT;
	CLEANUP(buf) struct buf page = BUF_INIT;
	const char *path = TEST_DIR "/../docs/reference-reasons.md",
		   *update = getenv("LEEBOARD_GOLDEN");

	(void)state;
	cli_reasons_reference(&want);
	if (update && !strcmp(update, "update"))
		assert_null(file_write_atomic(path, buf_view(&want), 0644));
	assert_null(file_read(path, 1 << 20, &page));
	assert_string_equal(page.p, want.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_of_an_error_is_explained),
		cmocka_unit_test(the_reference_page_is_the_table),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
