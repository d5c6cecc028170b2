/* What YAML is read into, and what is printed from it. */
#include "leeboard/node.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* All documents of `yaml` as compact JSON, a line each; or the error's lines. */
static char *read_as(const char *yaml, bool as_yaml)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct text in = {.name = STR("in.yaml"), .bytes = str_from(yaml)};
	struct node_docs docs = {0};
	struct buf b = BUF_INIT;
	CLEANUP(err) struct err *e = node_read_yaml(a, &in, &docs);

	if (e) {
		assert_int_equal(docs.n, 0);
		for (const struct err *i = e; i; i = err_next(i)) {
			err_line_to(i, &b);
			if (!b.n || b.p[b.n - 1] != '\n')
				buf_char(&b, '\n');
		}
		return buf_take(&b);
	}
	buf_str(&b, STR(""));
	for (size_t i = 0; i < docs.n; i++) {
		if (as_yaml) {
			if (i)
				buf_str(&b, STR("---\n"));
			node_yaml(docs.p[i], &b);
		} else {
			node_json(docs.p[i], NODE_JSON_COMPACT, &b);
			buf_char(&b, '\n');
		}
	}
	return buf_take(&b);
}

static void reads(const char *yaml, const char *want)
{
	char *got = read_as(yaml, false);

	assert_string_equal(got, want);
	free(got);
}

static void prints(const char *yaml, const char *want)
{
	char *got = read_as(yaml, true);

	assert_string_equal(got, want);
	free(got);
}

static void plain_scalars_are_typed_as_kustomize_does(void **state)
{
	(void)state;
	reads("[null, ~, Null, NULL, nul]", "[null,null,null,null,\"nul\"]\n");
	reads("a:\nb: ''\n", "{\"a\":null,\"b\":\"\"}\n");
	reads("{a: , b: 1}", "{\"a\":\"\",\"b\":1}\n");
	reads("[true, True, FALSE, yes, on, y]", "[true,true,false,\"yes\",\"on\",\"y\"]\n");
	reads("[12, -3, 0x1F, 0o17, 0777, 0b101, 1_000]", "[12,-3,31,15,511,5,1000]\n");
	reads("[18446744073709551615, 18446744073709551616]",
	      "[18446744073709551615,18446744073709551616]\n");
	reads("[1.5, .5, 1., 1e3, 08, '1.5', 12:30]", "[1.5,0.5,1,1e3,8,\"1.5\",\"12:30\"]\n");
	reads("[2020-01-02, 2020-1-2T3:4:5.60Z, 2020-13-01]",
	      "[\"2020-01-02T00:00:00Z\",\"2020-01-02T03:04:05.6Z\",\"2020-13-01\"]\n");
}

static void tags_are_honoured_or_ignored(void **state)
{
	(void)state;
	reads("[!!str 1, !!int '3', !!float 2, !!binary aGk=, !mine 7]",
	      "[\"1\",3,2,\"hi\",\"7\"]\n");
	reads("!!int x\n", "in.yaml:1:1: cannot read !!str 'x' as a !!int\n");
}

static void documents_of_comments_alone_are_left_out(void **state)
{
	(void)state;
	reads("# c\n---\n---\na: 1\n---\n# d\n---\nnull\n", "{\"a\":1}\nnull\n");
	reads("", "");
	reads("\xef\xbb\xbf"
	      "a: 1\n",
	      "{\"a\":1}\n");
}

static void anchors_and_merges_are_expanded(void **state)
{
	(void)state;
	reads("a: &x {b: 1, c: 2}\nd: *x\n", "{\"a\":{\"b\":1,\"c\":2},\"d\":{\"b\":1,\"c\":2}}\n");
	reads("- &x {b: 1, c: 2}\n- &y {b: 7, e: 3}\n- z: 0\n  <<: [*x, *y]\n  c: 9\n",
	      "[{\"b\":1,\"c\":2},{\"b\":7,\"e\":3},{\"z\":0,\"b\":1,\"e\":3,\"c\":9}]\n");
	reads("&k a: 1\nb: *k\n", "{\"a\":1,\"b\":\"a\"}\n");
	reads("'<<': 1\n", "{\"<<\":1}\n");
	reads("a: &x [*x]\n", "in.yaml:1:8: the anchor '&x' contains itself\n");
	reads("a: *x\n", "in.yaml:1:4: no anchor '&x' before this alias\n");
	reads("--- &x 1\n--- [*x]\n", "in.yaml:2:6: no anchor '&x' before this alias\n");
	reads("<<: 1\n", "in.yaml:1:1: '<<' wants a map or a list of maps, this is an integer\n");
}

static void mistakes_name_their_places(void **state)
{
	(void)state;
	reads("a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\n",
	      "in.yaml:4:11: the key 'd' is given twice, first in line 4, column 5\n"
	      "in.yaml:3:1: the key 'a' is given twice, first in line 1, column 1\n");
	reads("a: 1\nb: 1\nb: 2\na: 2\n",
	      "in.yaml:3:1: the key 'b' is given twice, first in line 2, column 1\n"
	      "in.yaml:4:1: the key 'a' is given twice, first in line 1, column 1\n");
	reads("1: x\n", "in.yaml:1:1: a key must be a string, this is an integer\n");
	reads("? [a]\n: x\n", "in.yaml:1:3: a key must be a string, this is a list\n");
	reads("a: \"\\x7f\"\n", "in.yaml:1:4: control characters are not allowed\n");
	reads("a: 1\n b: 2\n", "in.yaml:2:3: mapping values are not allowed in this context\n");
}

static void a_deep_text_is_refused_early(void **state)
{
	(void)state;
	size_t n = 1u << 20;
	char *text = malloc(n + 1);

	memset(text, '[', n);
	text[n] = 0;
	reads(text, "in.yaml:1:101: nested deeper than 100 levels\n");
	free(text);
}

static void aliases_cannot_explode(void **state)
{
	(void)state;
	reads("a: &a [1,1,1,1,1,1,1,1,1,1]\n"
	      "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
	      "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
	      "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
	      "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
	      "in.yaml:5:29: aliases of this document expand to more than 100000 values\n");
}

static void lists_are_not_indented_below_their_key(void **state)
{
	(void)state;
	prints("{a: [1, {b: 2, c: [[3, 4], []]}], d: {}, e: }",
	       "a:\n- 1\n- b: 2\n  c:\n  - - 3\n    - 4\n  - []\nd: {}\ne: \"\"\n");
	prints("null", "null\n");
	prints("[]", "[]\n");
	prints("'a'\n", "a\n");
}

static void strings_get_the_quotes_they_need(void **state)
{
	(void)state;
	prints("[plain, 'yes', 'n', '', '1', '08', '12:30', '2020-01-02', '~', '<<', '0x1F']",
	       "- plain\n- \"yes\"\n- \"n\"\n- \"\"\n- \"1\"\n- \"08\"\n- \"12:30\"\n- "
	       "\"2020-01-02\"\n"
	       "- \"~\"\n- <<\n- \"0x1F\"\n");
	prints("['#a', 'a: b', 'a:', 'a #b', ' a', 'a ', '-', '- a', '-a', '*x', 'it''s', '''']",
	       "- '#a'\n- 'a: b'\n- 'a:'\n- 'a #b'\n- ' a'\n- 'a '\n- '-'\n- '- a'\n- -a\n- '*x'\n"
	       "- it's\n- ''''\n");
	prints("[\"a\\tb\", \"\\U0001F600\", \"a\\rb\\n\", \"a \\nb\"]",
	       "- \"a\\tb\"\n- \"\\U0001F600\"\n- \"a\\rb\\n\"\n- \"a \\nb\"\n");
	prints("[\"a\\nb\", \"a\\n\\n\", \"\\n\", \" a\\nb\\n\", \"a\\n\\n b\\n\"]",
	       "- |-\n  a\n  b\n- |+\n  a\n\n- |2+\n\n- |2\n   a\n  b\n- |\n  a\n\n   b\n");
}

static void numbers_come_out_as_doubles_do(void **state)
{
	(void)state;
	prints("[1.0, 1e3, 1.50, 123456.5, 1234567.5, 1e-7, 1e20, 0.0001, 0x10, -0.5]",
	       "- 1\n- 1000\n- 1.5\n- 123456.5\n- 1.2345675e+06\n- 1e-07\n- 1e+20\n- 0.0001\n"
	       "- 16\n- -0.5\n");
}

static void keys_that_do_not_fit_a_line_are_written_with_a_question_mark(void **state)
{
	(void)state;
	prints("{\"a\\nb\": {c: 1}}", "? |-\n  a\n  b\n: c: 1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_scalars_are_typed_as_kustomize_does),
		cmocka_unit_test(tags_are_honoured_or_ignored),
		cmocka_unit_test(documents_of_comments_alone_are_left_out),
		cmocka_unit_test(anchors_and_merges_are_expanded),
		cmocka_unit_test(mistakes_name_their_places),
		cmocka_unit_test(a_deep_text_is_refused_early),
		cmocka_unit_test(aliases_cannot_explode),
		cmocka_unit_test(lists_are_not_indented_below_their_key),
		cmocka_unit_test(strings_get_the_quotes_they_need),
		cmocka_unit_test(numbers_come_out_as_doubles_do),
		cmocka_unit_test(keys_that_do_not_fit_a_line_are_written_with_a_question_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
