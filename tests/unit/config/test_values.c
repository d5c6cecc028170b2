/* Globs, and secrets read from where a Ref says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "leeboard/config.h"

static void globs_match_within_and_across_parts(void **state)
{
	(void)state;
	static const struct {
		const char *glob, *s;
		bool want;
	} cases[] = {
		{"*", "web", true},
		{"*", "shop/web", false},
		{"shop-*", "shop-web", true},
		{"shop-*", "shop", false},
		{"drift.*", "drift.found", true},
		{"drift.*", "sync.failed", false},
		{"**", "a/b/c", true},
		{"a/**/b", "a/b", true},
		{"a/**/b", "a/x/y/b", true},
		{"a/**/b", "a/xb", false},
		{"**/b", "b", true},
		{"a/**", "a/b", true},
		{"a/**", "a", false},
		{"/srv/**", "/srv/shop/live", true},
		{"w?b", "web", true},
		{"w?b", "w/b", false},
		{"?", "é", true},
		{"??", "é", false},
		{"*??", "é", false},
		{"{dev,prod}-web", "prod-web", true},
		{"{dev,prod}-web", "test-web", false},
		{"{a,b*,}c", "bxyzc", true},
		{"{a,b*,}c", "c", true},
		{"a,b", "a,b", true},
		{"Web", "web", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (config_glob(str_from(cases[i].glob), str_from(cases[i].s)) != cases[i].want)
			fail_msg("'%s' and '%s'", cases[i].glob, cases[i].s);
}

static void a_glob_of_many_stars_is_matched_in_linear_time(void **state)
{
	(void)state;
	CLEANUP(buf) struct buf glob = BUF_INIT;
	CLEANUP(buf) struct buf s = BUF_INIT;

	for (int i = 0; i < 100; i++)
		buf_str(&glob, STR("*a"));
	buf_char(&glob, 'b');
	for (int i = 0; i < 5000; i++)
		buf_char(&s, 'a');
	assert_false(config_glob(buf_view(&glob), buf_view(&s)));
}

static void bad_globs_say_why(void **state)
{
	(void)state;
	assert_null(config_glob_bad(STR("a/**/{b,c}?")));
	assert_string_equal(config_glob_bad(STR("a/**b")), "'**' stands alone between slashes");
	assert_string_equal(config_glob_bad(STR("a**")), "'**' stands alone between slashes");
	assert_string_equal(config_glob_bad(STR("{a")), "'{' is not closed");
	assert_string_equal(config_glob_bad(STR("a}")), "'}' has no '{'");
	assert_string_equal(config_glob_bad(STR("{a{b}}")), "'{' stands within '{'");
	assert_string_equal(config_glob_bad(STR("")), "it is empty");
}

static void ref_is(const struct config_ref *r, const char *want, const char *message)
{
	CLEANUP(buf) struct buf got = BUF_INIT;
	CLEANUP(err) struct err *e = config_ref_read(r, "'token'", NULL, &got);

	if (message) {
		assert_non_null(e);
		assert_string_equal(err_message(e).p, message);
		return;
	}
	assert_null(e);
	assert_string_equal(got.p, want);
}

static void a_private_file_must_not_be_readable_by_others(void **state)
{
	(void)state;
	char dir[] = "/tmp/leeboard-test-XXXXXX";
	CLEANUP(buf) struct buf path = BUF_INIT;

	assert_non_null(mkdtemp(dir));
	buf_printf(&path, "%s/id", dir);
	CLEANUP(err) struct err *e = file_write_atomic(path.p, STR("s3cret\n\n"), 0600);

	assert_null(e);
	struct config_ref r = {.kind = REF_FILE, .value = buf_view(&path)};

	ref_is(&r, "s3cret\n", NULL);
	assert_int_equal(chmod(path.p, 0644), 0);
	ref_is(&r, NULL, "'id' is readable by everybody (0644): chmod 600");
	r.open = true;
	ref_is(&r, "s3cret\n", NULL);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
	r = (struct config_ref){.kind = REF_CREDENTIAL, .value = STR("id"), .open = true};
	ref_is(&r, "s3cret\n", NULL);
	assert_int_equal(unlink(path.p), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void a_variable_must_be_set(void **state)
{
	(void)state;
	struct config_ref r = {.kind = REF_ENV, .value = STR("LEEBOARD_TEST_TOKEN")};

	assert_int_equal(unsetenv("LEEBOARD_TEST_TOKEN"), 0);
	ref_is(&r, NULL, "variable 'LEEBOARD_TEST_TOKEN' is not set");
	assert_int_equal(setenv("LEEBOARD_TEST_TOKEN", "abc", 1), 0);
	ref_is(&r, "abc", NULL);
	r.kind = REF_SECRET;
	ref_is(&r, NULL, "'token': 'secretRef' needs a cluster, and this process has none");
}

static void a_folder_is_read_in_name_order_and_checked(void **state)
{
	(void)state;
	char dir[] = "/tmp/leeboard-test-XXXXXX";
	const char *paths[] = {dir};
	CLEANUP(buf) struct buf a = BUF_INIT;
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(buf) struct buf out = BUF_INIT;
	CLEANUP(buf) struct buf want = BUF_INIT;
	CLEANUP(buf) struct buf got = BUF_INIT;

	assert_non_null(mkdtemp(dir));
	buf_printf(&a, "%s/a.yaml", dir);
	buf_printf(&b, "%s/b.yml", dir);
	assert_null(file_write_atomic(a.p,
				      STR("apiVersion: leeboard.dev/v1\nkind: App\n"
					  "metadata: {name: web}\nspec: {source: flet, target: "
					  "{directory: live}}\n"),
				      0644));
	assert_null(file_write_atomic(b.p,
				      STR("apiVersion: leeboard.dev/v1\nkind: Source\n"
					  "metadata: {name: fleet}\nspec: {url: /srv/fleet, ref: "
					  "{branch: main}, verify: {mode: off}, intervall: 1m}\n"),
				      0644));
	CLEANUP(err) struct err *e = config_check(paths, 1, NULL, NULL, &out);

	assert_string_equal(out.p, "2 mistakes in 2 of 2 documents; a running daemon keeps its "
				   "configuration\n");
	for (const struct err *i = e; i; i = err_next(i)) {
		err_line_to(i, &got);
		buf_char(&got, '\n');
	}
	buf_printf(&want,
		   "%s:4:16: no Source 'flet', did you mean 'fleet'?\n"
		   "%s:4:67: unknown key 'intervall' in Source, did you mean 'interval'?\n",
		   a.p, b.p);
	assert_string_equal(got.p, want.p);
	assert_int_equal(unlink(a.p), 0);
	assert_int_equal(unlink(b.p), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void only_a_written_address_or_localhost_is_loopback(void **state)
{
	(void)state;
	static const struct {
		const char *url;
		bool want;
	} cases[] = {
		{"http://localhost:80/x", true},
		{"http://127.0.0.1/x", true},
		{"https://127.9.9.9", true},
		{"http://[::1]:8080", true},
		{"http://127.0.0.1.example.org", false},
		{"http://10.127.0.1", false},
		{"http://localhost.example.org", false},
		{"http://", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (config_host_is_loopback(config_host(str_from(cases[i].url))) != cases[i].want)
			fail_msg("%s", cases[i].url);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globs_match_within_and_across_parts),
		cmocka_unit_test(a_glob_of_many_stars_is_matched_in_linear_time),
		cmocka_unit_test(bad_globs_say_why),
		cmocka_unit_test(a_private_file_must_not_be_readable_by_others),
		cmocka_unit_test(a_variable_must_be_set),
		cmocka_unit_test(only_a_written_address_or_localhost_is_loopback),
		cmocka_unit_test(a_folder_is_read_in_name_order_and_checked),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
