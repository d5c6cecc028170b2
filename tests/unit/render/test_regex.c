/* Go's regular expressions, as far as they are understood. */
#include "render/select.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool matches(const char *re, const char *s)
{
	CLEANUP(regex) struct regex *x = NULL;

	assert_null(regex_new(str_from(re), "^(", ")$", LOC_NONE, &x));
	return regex_matches(x, str_from(s));
}

static void fails(const char *re, const char *want)
{
	CLEANUP(regex) struct regex *x = NULL;
	CLEANUP(err) struct err *e = regex_new(str_from(re), "^(", ")$", LOC_NONE, &x);

	assert_non_null(e);
	assert_string_equal(err_message(e).p, want);
}

static void the_whole_text_must_match(void **state)
{
	(void)state;
	assert_true(matches("web", "web"));
	assert_false(matches("web", "web-1"));
	assert_true(matches("web.*", "web-1"));
	assert_true(matches("a|b", "b"));
	assert_false(matches("a|b", "ab"));
	assert_false(matches("", "x"));
}

static void perl_forms_are_translated(void **state)
{
	(void)state;
	assert_true(matches("(?:a\\d{2,3})+?", "a12a345"));
	assert_true(matches("\\w+\\.io", "x_1.io"));
	assert_false(matches("\\w+\\.io", "x-1.io"));
	assert_true(matches("[^\\d]+", "abc"));
	assert_false(matches("[^\\d]+", "ab1"));
	assert_true(matches("[a\\-\\]]+", "a-]"));
	assert_true(matches("[\\^]", "^"));
	assert_true(matches("(?i)web", "WEB"));
	assert_true(matches("a{x}", "a{x}"));
	assert_false(matches(".", "\n"));
}

static void what_posix_cannot_say_is_refused(void **state)
{
	(void)state;
	fails("\\bweb", "this escape in regular expression '\\bweb' is not supported yet");
	fails("(?P<n>a)", "a group with flags in regular expression '(?P<n>a)' is not supported "
			  "yet");
	fails("[[:alpha:]]",
	      "a named character class in regular expression '[[:alpha:]]' is not supported yet");
}

static void wrong_expressions_are_refused(void **state)
{
	(void)state;
	fails("(", "regular expression '(': missing closing )");
	fails("a)", "regular expression 'a)': unexpected )");
	fails("*", "regular expression '*': missing argument to repetition operator");
	fails("a**", "regular expression 'a**': invalid nested repetition operator");
	fails("[a", "regular expression '[a': missing closing ]");
	fails("((a{100}){100}){100}",
	      "regular expression '((a{100}){100}){100}': invalid repeat count");
	fails("a{999}b{999}", "so many repetitions in regular expression 'a{999}b{999}' is not "
			      "supported yet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_text_must_match),
		cmocka_unit_test(perl_forms_are_translated),
		cmocka_unit_test(what_posix_cannot_say_is_refused),
		cmocka_unit_test(wrong_expressions_are_refused),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
