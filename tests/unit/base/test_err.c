#include "leeboard/base.h"
#include <errno.h>
#include <setjmp.h>

#include <cmocka.h>

static void check_print(struct err *e, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	err_print(e, &b);
	err_free(e);
	assert_string_equal(buf_view(&b).p, want);
}

static const struct text text = {
	.name = STR("overlays/prod/kustomization.yaml"),
	.bytes = STR("one\n  - target: {kind: Deployment, name: api}\r\n\t\"\xc3\xa4\" x\n"),
};

static void an_error_shows_place_line_caret_context_and_hint(void **state)
{
	struct err *e = err_at(ERR_NO_REFERENCE, (loc){&text, 2, 5},
			       "patch target '%s' matches no object", "Deployment/api");

	(void)state;
	e = err_wrap(e, "build overlay '%s'", "overlays/prod");
	e = err_wrap(e, "sync 'shop' at 3f2a91c");
	e = err_hint(e, "remove the patch");
	check_print(
		e, "overlays/prod/kustomization.yaml:2:5: patch target 'Deployment/api' matches no "
		   "object\n"
		   "    2 |   - target: {kind: Deployment, name: api}\n"
		   "      |     ^\n"
		   "  build overlay 'overlays/prod', sync 'shop' at 3f2a91c\n"
		   "  hint: remove the patch\n");
}

static void the_caret_stands_under_tabs_and_letters_of_two_bytes(void **state)
{
	(void)state;
	check_print(err_at(ERR_SYNTAX, (loc){&text, 3, 6}, "bad"),
		    "overlays/prod/kustomization.yaml:3:6: bad\n"
		    "    3 | \t\"\xc3\xa4\" x\n"
		    "      | \t    ^\n");
}

static void a_text_that_is_not_kept_shows_no_line(void **state)
{
	static const struct text gone = {.name = STR("a.yaml")};

	(void)state;
	check_print(err_at(ERR_INVALID, (loc){&gone, 2, 5}, "wrong"), "a.yaml:2:5: wrong\n");
}

static void an_error_without_a_place_is_one_line(void **state)
{
	(void)state;
	check_print(err_sys(ERR_IO, ENOENT, "read '%s'", "x"),
		    "read 'x': No such file or directory\n");
	check_print(err_at(ERR_INVALID, (loc){&text, 0, 0}, "empty"),
		    "overlays/prod/kustomization.yaml: empty\n");
	check_print(err_at(ERR_INVALID, (loc){&text, 77, 1}, "gone"),
		    "overlays/prod/kustomization.yaml:77:1: gone\n");
	check_print(err_at_named(ERR_RENDER, STR("a.yaml"), 3, 4, "told"), "a.yaml:3:4: told\n");
}

static void foreign_text_in_a_message_cannot_drive_the_terminal(void **state)
{
	(void)state;
	check_print(err_new(ERR_INVALID, "name '%s'", "a\033[2J\n\xff\xc2\x9b"),
		    "name 'a\\x1b[2J\\x0a\\xff\\xc2\\x9b'\n");
}

static void joined_errors_are_printed_in_order_and_wrapped_together(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct err *e = err_join(err_new(ERR_INVALID, "a"), NULL);

	(void)state;
	e = err_join(e, err_join(err_new(ERR_CYCLE, "b"), err_new(ERR_IO, "c")));
	e = err_join(NULL, err_join(e, err_new(ERR_IO, "d")));
	e = err_wrap(e, "w");
	assert_int_equal(err_count(e), 4);
	assert_int_equal(err_exit_status(e), 2);
	assert_int_equal(err_code(err_next(e)), ERR_CYCLE);
	err_line_to(err_next(e), &b);
	assert_string_equal(b.p, "b (w)");
	check_print(e, "a\n  w\nb\n  w\nc\n  w\nd\n  w\n");
}

static void of_a_very_long_line_only_the_piece_around_the_place_is_shown(void **state)
{
	char line[1001];
	struct text t = {STR("big.json"), {line, 1000}};
	struct err *e;

	(void)state;
	memset(line, 'x', 1000);
	line[499] = '!';
	e = err_at(ERR_SYNTAX, (loc){&t, 1, 500}, "bad");
	assert_int_equal(err_source_line(e).n, 160);
	assert_int_equal(str_chr(err_source_line(e), '!'), 80);
	err_free(e);
}

static void every_code_has_a_name_that_leads_back_to_it(void **state)
{
	enum err_code c;

	(void)state;
	assert_true(err_code_from_name(STR("VerifierFailed"), &c));
	assert_int_equal(c, ERR_VERIFIER_FAILED);
	assert_string_equal(err_code_name(ERR_UNKNOWN_KEY), "unknown-key");
	assert_false(err_code_from_name(STR("nothing"), &c));
}

static void machines_read_the_list_as_json(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct text t = {STR("a \"b\".yaml"), STR("kind: App\nintervall: 5m\n")};
	CLEANUP(err)
	struct err *e =
		err_join(err_hint(err_at(ERR_UNKNOWN_KEY, (loc){&t, 2, 1}, "unknown key"), "try"),
			 err_wrap(err_new(ERR_CYCLE, "a waits for a"), "build"));

	(void)state;
	err_json(e, &b);
	assert_string_equal(
		b.p, "[{\"code\":\"unknown-key\",\"message\":\"unknown key\",\"file\":\"a "
		     "\\\"b\\\".yaml\","
		     "\"line\":2,\"column\":1,\"source\":\"intervall: 5m\",\"hint\":\"try\","
		     "\"explain\":\"leeboard explain unknown-key\"},"
		     "{\"code\":\"Cycle\",\"message\":\"a waits for a\",\"context\":\"build\","
		     "\"explain\":\"leeboard explain Cycle\"}]");
	buf_clear(&b);
	err_json(NULL, &b);
	assert_string_equal(b.p, "[]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_shows_place_line_caret_context_and_hint),
		cmocka_unit_test(the_caret_stands_under_tabs_and_letters_of_two_bytes),
		cmocka_unit_test(a_text_that_is_not_kept_shows_no_line),
		cmocka_unit_test(an_error_without_a_place_is_one_line),
		cmocka_unit_test(foreign_text_in_a_message_cannot_drive_the_terminal),
		cmocka_unit_test(joined_errors_are_printed_in_order_and_wrapped_together),
		cmocka_unit_test(of_a_very_long_line_only_the_piece_around_the_place_is_shown),
		cmocka_unit_test(every_code_has_a_name_that_leads_back_to_it),
		cmocka_unit_test(machines_read_the_list_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
