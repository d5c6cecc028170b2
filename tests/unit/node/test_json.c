/* JSON in and out. */
#include "leeboard/node.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static char *read_as(str json, enum node_json how)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct text in = {.name = STR("in.json"), .bytes = json};
	const struct node *n = NULL;
	struct buf b = BUF_INIT;
	CLEANUP(err) struct err *e = node_read_json(a, &in, &n);

	if (e)
		err_line_to(e, &b);
	else
		node_json(n, how, &b);
	return buf_take(&b);
}

static void reads_as(const char *json, enum node_json how, const char *want)
{
	char *got = read_as(str_from(json), how);

	assert_string_equal(got, want);
	free(got);
}

static void reads(const char *json, const char *want)
{
	reads_as(json, NODE_JSON_COMPACT, want);
}

static void order_and_spelling_are_kept(void **state)
{
	(void)state;
	reads(" {\"b\" : [1, -2.50, 1E5, 9007199254740993], \"a\": {}, \"c\": []} ",
	      "{\"b\":[1,-2.50,1E5,9007199254740993],\"a\":{},\"c\":[]}");
	reads("[true,false,null,\"\"]", "[true,false,null,\"\"]");
	reads("123456789012345678901234567890", "123456789012345678901234567890");
}

static void escapes_are_read_and_written_only_where_needed(void **state)
{
	(void)state;
	reads("\"\\u0041\\/\\n\\ud83d\\ude00\\u00e9\\\"\\\\\\u0001\"",
	      "\"A/\\n\xf0\x9f\x98\x80\xc3\xa9\\\"\\\\\\u0001\"");
	reads("\"a long text without anything in it, then \xc3\xa9 and \\t\"",
	      "\"a long text without anything in it, then \xc3\xa9 and \\t\"");
}

static void canonical_json_sorts_keys_and_numbers_have_one_form(void **state)
{
	(void)state;
	reads_as("{\"b\":{\"z\":1,\"y\":2},\"a\":[1.0,1.50,1e21,1e-7,123e-5,-0,0.1,1e3]}",
		 NODE_JSON_CANONICAL,
		 "{\"a\":[1,1.5,1e+21,1e-7,0.00123,0,0.1,1000],\"b\":{\"y\":2,\"z\":1}}");
}

static void people_get_lines(void **state)
{
	(void)state;
	reads_as("{\"a\":[1,{}],\"b\":{\"c\":null}}", NODE_JSON_INDENT,
		 "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n    \"c\": null\n  }\n}");
}

static void mistakes_name_their_places(void **state)
{
	(void)state;
	reads("", "in.json:1:1: the JSON ends too early: expected a value");
	reads("{\"a\": 1,\n \"\xc3\xa9\": 2, \"a\": 3}",
	      "in.json:2:10: the key 'a' is given twice, first in line 1, column 2");
	reads("[1,]", "in.json:1:4: bad JSON: expected a value");
	reads("[1 2]", "in.json:1:4: bad JSON: expected ',' or ']' in a list");
	reads("{a: 1}", "in.json:1:2: bad JSON: expected a key in double quotes");
	reads("01", "in.json:1:2: bad JSON: a number must not start with 0");
	reads("1.", "in.json:1:3: the JSON ends too early: a digit is missing in a number");
	reads("[-]", "in.json:1:3: bad JSON: a digit is missing in a number");
	reads("1 2", "in.json:1:3: bad JSON: something follows the value");
	reads("\"a\nb\"",
	      "in.json:1:3: bad JSON: a control character in a string must be written as \\u00XX");
	reads("\"\\ud800\"", "in.json:1:8: bad JSON: half a surrogate pair in a string");
	reads("\"\\u0000\"", "in.json:1:8: bad JSON: a string must not hold the character NUL");
	reads("\"a\xff\"", "in.json:1:3: bad JSON: a string is not valid UTF-8");
	reads("\"abc", "in.json:1:5: the JSON ends too early: a string is not closed");
	reads("[1e400]", "in.json:1:2: a number that no double can hold");
	reads("nul", "in.json:1:1: bad JSON: expected a value");
}

static void a_deep_text_is_refused(void **state)
{
	char text[201];

	(void)state;
	memset(text, '[', 100);
	memset(text + 100, ']', 100);
	text[200] = 0;
	reads(text, text);
	memset(text, '[', 200);
	reads(text, "in.json:1:101: nested deeper than 100 levels");
}

static void keys_given_twice_are_found_in_large_maps_too(void **state)
{
	(void)state;
	reads("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,"
	      "\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"c\":2}",
	      "in.json:1:86: the key 'c' is given twice, first in line 1, column 14");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_spelling_are_kept),
		cmocka_unit_test(escapes_are_read_and_written_only_where_needed),
		cmocka_unit_test(canonical_json_sorts_keys_and_numbers_have_one_form),
		cmocka_unit_test(people_get_lines),
		cmocka_unit_test(mistakes_name_their_places),
		cmocka_unit_test(a_deep_text_is_refused),
		cmocka_unit_test(keys_given_twice_are_found_in_large_maps_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
