#include "leeboard/base.h"
#include <setjmp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void arena_memory_is_zeroed_aligned_and_apart(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 4096, 5000, 70000, 3000000};
	size_t sum = 0;
	char *last = NULL;

	(void)state;
	for (size_t round = 0; round < 20; round++) {
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			char *p = arena_alloc(a, sizes[i]);

			assert_int_equal((uintptr_t)p % 16, 0);
			for (size_t j = 0; j < sizes[i]; j++)
				assert_int_equal(p[j], 0);
			memset(p, 0x5a, sizes[i]);
			sum += sizes[i];
			if (i == 5)
				last = p;
		}
		assert_int_equal(last[0], 0x5a);
	}
	assert_int_equal(arena_used(a), sum);
}

static void a_vector_grows_in_an_arena(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct {
		int *p;
		size_t n, cap;
	} v = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		*ARENA_PUSH(a, &v) = i;
	assert_int_equal(v.n, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(v.p[i], i);
	assert_string_equal(arena_printf(a, "%s-%d", "web", 7).p, "web-7");
	assert_string_equal(arena_str(a, str_n("website", 3)).p, "web");
	assert_string_equal(arena_str(a, STR_NONE).p, "");
}

static void a_buffer_grows_and_hands_over(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(cstr) char *taken = NULL;

	(void)state;
	assert_string_equal(buf_view(&b).p, "");
	for (int i = 0; i < 300; i++)
		buf_printf(&b, "%d,", i);
	assert_int_equal(b.n, 10 * 2 + 90 * 3 + 200 * 4);
	assert_true(str_ends(buf_view(&b), STR("298,299,")));
	buf_clear(&b);
	buf_str(&b, STR("x"));
	buf_char(&b, 'y');
	taken = buf_take(&b);
	assert_string_equal(taken, "xy");
	assert_null(b.p);
}

static void check_escapes(str s, const char *want_json, const char *want_escaped)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_json(&b, s);
	assert_string_equal(b.p, want_json);
	buf_clear(&b);
	buf_escaped(&b, s);
	assert_string_equal(b.p, want_escaped);
}

static void foreign_bytes_are_escaped_for_json_and_for_terminals(void **state)
{
	(void)state;
	check_escapes(STR("a\"\\/\b\f\n\r\t\x01\x7f"), "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f\"",
		      "a\"\\/\\x08\\x0c\\x0a\\x0d\\x09\\x01\\x7f");
	check_escapes(STR("a\0b"), "\"a\\u0000b\"", "a\\x00b");
	check_escapes(STR("\xc3\xa4\xff\xe2\x82"),
		      "\"\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
		      "\xc3\xa4\\xff\\xe2\\x82");
	check_escapes(STR("\xe2\x80\xae"), "\"\xe2\x80\xae\"", "\\xe2\\x80\\xae");
}

static void check_base64(str bytes, str text)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_base64(&b, bytes.p, bytes.n);
	assert_string_equal(b.p, text.p);
	buf_clear(&b);
	assert_true(buf_unbase64(&b, text, false));
	assert_true(str_eq(buf_view(&b), bytes));
}

static void base64_follows_rfc_4648_section_10(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	check_base64(STR("f"), STR("Zg=="));
	check_base64(STR("fo"), STR("Zm8="));
	check_base64(STR("foo"), STR("Zm9v"));
	check_base64(STR("foob"), STR("Zm9vYg=="));
	check_base64(STR("foobar"), STR("Zm9vYmFy"));
	check_base64(STR("\xff\xfe\xfb"), STR("//77"));
	buf_str(&b, STR("kept"));
	assert_false(buf_unbase64(&b, STR("Zg="), false));
	assert_false(buf_unbase64(&b, STR("Zg"), false));
	assert_false(buf_unbase64(&b, STR("Zh=="), false)); /* bits that no byte takes */
	assert_false(buf_unbase64(&b, STR("Zg==Zg=="), false));
	assert_false(buf_unbase64(&b, STR("Z==="), false));
	assert_false(buf_unbase64(&b, STR("===="), false));
	assert_false(buf_unbase64(&b, STR("Zm9v\n"), false));
	assert_false(buf_unbase64(&b, STR("Zm9vZ-=="), false));
	assert_string_equal(b.p, "kept");
	assert_true(buf_unbase64(&b, STR("Zm\r\n9v\n"), true));
	assert_string_equal(b.p, "keptfoo");
}

static void hex_is_read_back_only_in_full(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	unsigned char out[2] = {1, 1};

	(void)state;
	buf_hex(&b, "\x0f\xa0", 2);
	assert_string_equal(b.p, "0fa0");
	assert_true(hex_decode(STR("0FA0"), out, 2) && out[0] == 0x0f && out[1] == 0xa0);
	assert_false(hex_decode(STR("0fa"), out, 2) || hex_decode(STR("0fa0"), out, 1) ||
		     hex_decode(STR("0fag"), out, 2));
}

static void memory_that_runs_out_ends_the_process_with_one_line(void **state)
{
	char got[128] = "";
	int fds[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		arena_alloc_array(arena_new(), SIZE_MAX / 2, 3);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 2);
	assert_true(read(fds[0], got, sizeof(got) - 1) > 0);
	assert_string_equal(got, "leeboard: out of memory (18446744073709551615 bytes)\n");
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(memory_that_runs_out_ends_the_process_with_one_line),
		cmocka_unit_test(a_vector_grows_in_an_arena),
		cmocka_unit_test(a_buffer_grows_and_hands_over),
		cmocka_unit_test(foreign_bytes_are_escaped_for_json_and_for_terminals),
		cmocka_unit_test(base64_follows_rfc_4648_section_10),
		cmocka_unit_test(hex_is_read_back_only_in_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
