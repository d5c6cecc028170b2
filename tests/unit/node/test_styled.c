/* YAML printed as it was written. */
#include "leeboard/node.h"
#include <setjmp.h>

#include <cmocka.h>

static void assert_styled(const char *text, const char *key, const char *value, const char *want)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct text t = {STR("in"), str_from(text)};
	struct node_docs docs = {0};
	const struct node *n;

	assert_null(node_read_yaml(a, &t, &docs));
	n = docs.p[0];
	if (key)
		n = node_set(a, n, str_from(key),
			     node_with_style(a, node_new_str(a, str_from(value)),
					     node_get(n, str_from(key))->style));
	node_yaml_styled(a, n, t.bytes, &b);
	assert_string_equal(b.p, want);
}

static void comments_styles_and_flow_stay(void **state)
{
	(void)state;
	assert_styled("# about all\n"
		      "\n"
		      "a:   'x'   # one\n"
		      "b:\n"
		      "    # inside\n"
		      "    c: \"y\"\n"
		      "    d: [1, {e: f}] # flow\n"
		      "    g:   # list\n"
		      "        - 1.50\n"
		      "        - yes # word\n"
		      "t: |\n"
		      "  # text\n"
		      "  more\n"
		      "# end\n",
		      NULL, NULL,
		      "# about all\n"
		      "\n"
		      "a: 'x' # one\n"
		      "b:\n"
		      "  # inside\n"
		      "  c: \"y\"\n"
		      "  d: [1, {e: f}] # flow\n"
		      "  g: # list\n"
		      "  - 1.50\n"
		      "  - yes # word\n"
		      "t: |\n"
		      "  # text\n"
		      "  more\n"
		      "# end\n");
}

static void a_new_value_keeps_the_comment_and_the_quotes_of_the_old(void **state)
{
	(void)state;
	assert_styled("a: old # why\nb: \"o # d\" # and\n", "a", "new",
		      "a: new # why\nb: \"o # d\" # and\n");
	assert_styled("a: old # why\nb: \"o # d\" # and\n", "b", "n",
		      "a: old # why\nb: \"n\" # and\n");
	assert_styled("a: old\n", "a", "12", "a: \"12\"\n");
}

static void what_a_style_cannot_hold_is_quoted(void **state)
{
	(void)state;
	assert_styled("{a: 'x', \"b\": [ ]}\n", "a", "p\tq", "{a: \"p\\tq\", \"b\": []}\n");
	assert_styled("a: x\n", "a", "- y", "a: '- y'\n");
	assert_styled("a: x\n", "a", "two\nlines", "a: |-\n  two\n  lines\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comments_styles_and_flow_stay),
		cmocka_unit_test(a_new_value_keeps_the_comment_and_the_quotes_of_the_old),
		cmocka_unit_test(what_a_style_cannot_hold_is_quoted),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
