/* Looking, editing, pointers and patches. Trees are written as YAML, compared as JSON. */
#include "leeboard/node.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct node *parse(struct arena *a, const char *name, const char *yaml)
{
	struct text *in = ARENA_NEW(a, struct text);
	struct node_docs docs = {0};
	struct err *e;

	*in = (struct text){.name = str_from(name), .bytes = str_from(yaml)};
	e = node_read_yaml(a, in, &docs);
	assert_null(e);
	assert_int_equal(docs.n, 1);
	return docs.p[0];
}

static void is(const struct node *n, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	node_json(n, NODE_JSON_COMPACT, &b);
	assert_string_equal(b.p, want);
}

static void edits_share_the_rest_and_leave_the_old_tree_alone(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *n = parse(a, "n", "a: {x: 1}\nb: [1, 2, 3]\n"), *m;

	(void)state;
	m = node_set(a, n, STR("c"), node_new_int(a, -7));
	m = node_set(a, m, STR("b"), node_list_del(a, node_get(m, STR("b")), 1));
	m = node_insert(a, m, 1, STR("d"), node_new_str(a, STR("t")));
	is(m, "{\"a\":{\"x\":1},\"d\":\"t\",\"b\":[1,3],\"c\":-7}");
	is(n, "{\"a\":{\"x\":1},\"b\":[1,2,3]}");
	assert_ptr_equal(node_get(m, STR("a")), node_get(n, STR("a")));
	is(node_del(a, m, STR("a")), "{\"d\":\"t\",\"b\":[1,3],\"c\":-7}");
	assert_ptr_equal(node_del(a, m, STR("zz")), m);
	is(node_set(a, NULL, STR("k"), node_null(a)), "{\"k\":null}");
	is(node_list_add(a, node_list_set(a, node_get(n, STR("b")), 0, node_new_bool(a, true)),
			 node_null(a)),
	   "[true,2,3,null]");
}

static void large_maps_are_looked_up_by_hash(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *n = NULL;
	int64_t v;

	(void)state;
	for (int i = 0; i < 200; i++)
		n = node_set(a, n, arena_printf(a, "k%d", i), node_new_int(a, i));
	n = node_del(a, n, STR("k7"));
	assert_null(node_get(n, STR("k7")));
	assert_true(node_i64(node_get(n, STR("k199")), &v));
	assert_int_equal(v, 199);
	assert_int_equal(node_index_of(n, STR("k8")), 7);
}

static void numbers_are_equal_by_value(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *x = parse(a, "x", "{a: 1, b: [0x10, 1.5, text], c: {d: null}}");
	const struct node *y = parse(a, "y", "{c: {d: ~}, b: [16, 1.50, 'text'], a: 1.0}");

	(void)state;
	assert_true(node_equal(x, y));
	assert_false(node_equal_strict(x, y));
	assert_true(node_equal_strict(node_get(x, STR("b")), node_get(y, STR("b"))));
	assert_false(
		node_equal(parse(a, "x", "9007199254740993"), parse(a, "y", "9007199254740992.0")));
	assert_false(node_equal(parse(a, "x", "'1'"), parse(a, "y", "1")));
}

static void integers_are_exact_or_refused(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	int64_t v;

	(void)state;
	assert_true(node_i64(parse(a, "n", "-9223372036854775808"), &v));
	assert_true(v == INT64_MIN);
	assert_true(node_i64(parse(a, "n", "0o17"), &v));
	assert_int_equal(v, 15);
	assert_false(node_i64(parse(a, "n", "9223372036854775808"), &v));
	assert_false(node_i64(parse(a, "n", "1.0"), &v));
}

static void keys_sort_by_bytes_or_as_people_count(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *n = parse(
		a, "n", "{v10: 1, v2: {b: 1, a: 2}, v1alpha1: 1, v1: 1, Item: 1, a/b: 1, a0: 1}");

	(void)state;
	is(node_sorted(a, n), "{\"Item\":1,\"a/b\":1,\"a0\":1,\"v1\":1,\"v10\":1,\"v1alpha1\":1,"
			      "\"v2\":{\"a\":2,\"b\":1}}");
	assert_true(node_key_cmp(STR("v2"), STR("v10")) < 0);
	assert_true(node_key_cmp(STR("item9"), STR("item10")) < 0);
	assert_true(node_key_cmp(STR("a0"), STR("aa")) < 0);
	assert_true(node_key_cmp(STR("Item"), STR("a")) < 0);
	assert_true(node_key_cmp(STR("v1"), STR("v1alpha1")) < 0);
	is(node_sorted_natural(a, parse(a, "n", "[{v10: 1, v2: {b: 1, a: 2}, v1: 3}]")),
	   "[{\"v1\":3,\"v2\":{\"a\":2,\"b\":1},\"v10\":1}]");
}

static void pointers_lead_where_rfc_6901_says(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *n = parse(a, "n", "{a/b: {'': [1, {m~n: 8}]}}");

	(void)state;
	assert_ptr_equal(node_pointer_get(n, STR("")), n);
	is(node_pointer_get(n, STR("/a~1b//1/m~0n")), "8");
	assert_null(node_pointer_get(n, STR("/a~1b//-")));
	assert_null(node_pointer_get(n, STR("/a~1b//01")));
	assert_null(node_pointer_get(n, STR("a")));
	assert_null(node_pointer_get(n, STR("/a~2b")));
}

static void a_pointer_without_a_slash_gets_a_hint(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct node_path path = {0};
	CLEANUP(err) struct err *e = node_pointer_split(a, STR("spec/replicas"), &path);

	(void)state;
	assert_string_equal(err_message(e).p, "'spec/replicas' is no JSON pointer");
	assert_string_equal(err_hint_get(e).p, "write '/spec/replicas'");
}

static void patches(const char *doc, const char *patch, const char *want)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *n = parse(a, "doc.yaml", doc), *got = NULL;
	CLEANUP(err) struct err *e = node_patch_json(a, n, parse(a, "patch.yaml", patch), &got);
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (e)
		err_line_to(e, &b);
	else
		node_json(got, NODE_JSON_COMPACT, &b);
	assert_string_equal(b.p, want);
}

static void json_patches_do_what_rfc_6902_says(void **state)
{
	(void)state;
	patches("{a: 1}",
		"[{op: add, path: /b, value: [x]}, {op: add, path: /b/-, value: y},"
		" {op: add, path: /b/0, value: w}]",
		"{\"a\":1,\"b\":[\"w\",\"x\",\"y\"]}");
	patches("{a: [1, 2, 3], b: 0}",
		"[{op: remove, path: /a/1}, {op: replace, path: /b, value: null}]",
		"{\"a\":[1,3],\"b\":null}");
	patches("{a: {x: 1}, b: {}}",
		"[{op: move, from: /a/x, path: /b/y}, {op: copy, from: /b, path: /a/z}]",
		"{\"a\":{\"z\":{\"y\":1}},\"b\":{\"y\":1}}");
	patches("{a: [1, 2]}", "[{op: move, from: /a/0, path: /a/1}]", "{\"a\":[2,1]}");
	patches("{a: 1}", "[{op: test, path: /a, value: 1.0}, {op: replace, path: '', value: [9]}]",
		"[9]");
}

static void a_patch_that_does_not_fit_says_where(void **state)
{
	(void)state;
	patches("{a: {b: 1}}", "- {op: remove, path: /a/c}",
		"patch.yaml:1:3: '/a/c' leads nowhere: there is no 'c' (operation 1)");
	patches("{a: [1]}",
		"- {op: test, path: /a/0, value: 1}\n- {op: replace, path: /a/1, value: 1}",
		"patch.yaml:2:3: '/a/1' leads nowhere: the list has 1 items and no '1' (operation "
		"2)");
	patches("{a: 1}", "- {op: add, path: /a/b, value: 1}",
		"patch.yaml:1:3: '/a/b' leads nowhere: 'b' is looked for in an integer (operation "
		"1)");
	patches("{a: 1}", "- {op: test, path: /a, value: x}",
		"patch.yaml:1:3: test failed: '/a' is '1', not 'x' (operation 1)");
	patches("{a: {b: 1}}", "- {op: move, from: /a, path: /a/b}",
		"patch.yaml:1:3: cannot move '/a' into itself (operation 1)");
	patches("{a: 1}", "- {op: ad, path: /a, value: 2}",
		"patch.yaml:1:8: no such operation: 'ad' (operation 1)");
	patches("{a: 1}", "- {op: add, path: /a}",
		"patch.yaml:1:3: the operation has no 'value' (operation 1)");
	patches("{a: 1}", "- {op: add, value: 1}",
		"patch.yaml:1:3: the operation has no 'path' (operation 1)");
	patches("{a: 1}", "{op: add}",
		"patch.yaml:1:1: a JSON patch must be a list of operations, not a map");
}

static void copies_cannot_explode(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	for (int i = 0; i < 40; i++)
		buf_str(&b, STR("- {op: copy, from: /a, path: /a/-}\n"));
	patches("{a: [1]}", b.p,
		"patch.yaml:16:3: this patch adds more than 100000 values (operation 16)");
}

static void lenient_json_patches_do_what_kustomize_does(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *n = parse(a, "doc.yaml", "{a: [1, 2, 3], b: 0}"), *got = NULL;
	const char *patch = "[{op: replace, path: /a/-1, value: 9}, {op: replace, path: /c, value: 1},"
			    " {op: add, path: /d}, {op: test, path: /e, value: null}]";
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_null(node_patch_json_lenient(a, n, parse(a, "patch.yaml", patch), &got));
	node_json(got, NODE_JSON_COMPACT, &b);
	assert_string_equal(b.p, "{\"a\":[1,2,9],\"b\":0,\"c\":1,\"d\":null}");
}

static void a_patched_node_knows_the_line_that_asked(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *n = parse(a, "doc.yaml", "{a: 1}");
	const struct node *p = parse(a, "p.yaml", "\n- op: add\n  path: /b\n  value: 2\n");
	const struct node *got = NULL, *b;

	(void)state;
	assert_null(node_patch_json(a, n, p, &got));
	b = node_get(got, STR("b"));
	assert_int_equal(b->at.line, 4);
	assert_non_null(b->by);
	assert_int_equal(b->by->at.line, 2);
	assert_null(node_get(got, STR("a"))->by);
}

static void merges(const char *target, const char *patch, const char *want)
{
	CLEANUP(arena) struct arena *a = arena_new();

	is(node_merge_json(a, parse(a, "t", target), parse(a, "p", patch)), want);
}

static void merge_patches_do_what_rfc_7396_says(void **state)
{
	(void)state;
	merges("{a: b, c: {d: e, f: g}}", "{a: z, c: {f: null}}",
	       "{\"a\":\"z\",\"c\":{\"d\":\"e\"}}");
	merges("{a: [b]}", "{a: c, n: {x: null, y: 1}}", "{\"a\":\"c\",\"n\":{\"y\":1}}");
	merges("[1, 2]", "{a: b, c: null}", "{\"a\":\"b\"}");
	merges("{a: 1}", "[c]", "[\"c\"]");
	merges("{e: null}", "{a: 1}", "{\"e\":null,\"a\":1}");
}

static void a_copy_outlives_its_source(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct arena *b = arena_new();
	const struct node *n = node_dup(a, parse(b, "n", "{a: [1, {b: text}], c: null}"));

	(void)state;
	arena_free(b);
	is(n, "{\"a\":[1,{\"b\":\"text\"}],\"c\":null}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edits_share_the_rest_and_leave_the_old_tree_alone),
		cmocka_unit_test(large_maps_are_looked_up_by_hash),
		cmocka_unit_test(numbers_are_equal_by_value),
		cmocka_unit_test(integers_are_exact_or_refused),
		cmocka_unit_test(keys_sort_by_bytes_or_as_people_count),
		cmocka_unit_test(pointers_lead_where_rfc_6901_says),
		cmocka_unit_test(a_pointer_without_a_slash_gets_a_hint),
		cmocka_unit_test(json_patches_do_what_rfc_6902_says),
		cmocka_unit_test(a_patch_that_does_not_fit_says_where),
		cmocka_unit_test(copies_cannot_explode),
		cmocka_unit_test(lenient_json_patches_do_what_kustomize_does),
		cmocka_unit_test(a_patched_node_knows_the_line_that_asked),
		cmocka_unit_test(merge_patches_do_what_rfc_7396_says),
		cmocka_unit_test(a_copy_outlives_its_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
