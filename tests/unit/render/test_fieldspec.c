/* Paths through a tree. */
#include "render/fieldspec.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct err *set_x(void *arg, struct arena *a, const struct node *old,
			 const struct node **ret)
{
	(void)arg;
	(void)old;
	*ret = node_new_str(a, STR("x"));
	return NULL;
}

static void check(const char *yaml, const char *path, bool create, const char *want)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(err) struct err *e = NULL;
	struct text t = {STR("test.yaml"), str_from(yaml)};
	struct node_docs docs = {0};
	struct fieldspec f = {.path = str_from(path), .create = create};
	struct fieldspec_visit v = {set_x, NULL, FIELDSPEC_SCALAR};
	const struct node *r;

	assert_null(node_read_yaml(a, &t, &docs));
	e = fieldspec_apply(a, docs.p[0], &f, &v, &r);
	if (e)
		buf_str(&b, err_message(e));
	else
		node_json(r, NODE_JSON_COMPACT, &b);
	assert_string_equal(b.p, want);
}

static void lists_on_the_way_are_walked(void **state)
{
	(void)state;
	check("a: [{b: {c: 1}}, {b: {d: 2}}]\n", "a/b/c", false,
	      "{\"a\":[{\"b\":{\"c\":\"x\"}},{\"b\":{\"d\":2}}]}");
	check("a: [{b: 1}]\n", "a[]/b", false, "{\"a\":[{\"b\":\"x\"}]}");
}

static void missing_fields_are_made_only_when_asked(void **state)
{
	(void)state;
	check("a: 1\n", "b/c", false, "{\"a\":1}");
	check("a: 1\n", "b/c", true, "{\"a\":1,\"b\":{\"c\":\"x\"}}");
	check("a: 1\n", "b[]/c", true, "{\"a\":1}");
	check("a: null\n", "a/c", true, "{\"a\":{\"c\":\"x\"}}");
	check("a: null\n", "a[]/c", false, "{\"a\":[]}");
	check("a: null\n", "a/c", false, "{\"a\":null}");
}

static void a_slash_in_a_key_is_escaped(void **state)
{
	(void)state;
	check("a: {b/c: 1}\n", "/a/b\\/c", false, "{\"a\":{\"b/c\":\"x\"}}");
}

static void a_scalar_on_the_way_is_an_error(void **state)
{
	(void)state;
	check("a: 1\n", "a/b", true,
	      "path 'a/b' leads through an integer: expected a list or a map");
}

static void tables_speak_of_kinds(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct fieldspecs v = {0};
	struct res_id deployment = {.group = STR("apps"), .kind = STR("Deployment")};
	size_t n = 0;

	(void)state;
	fieldspec_add_table(a, &fieldspec_template_labels, &v);
	assert_int_equal(v.n, 10);
	for (size_t i = 0; i < v.n; i++)
		n += fieldspec_selects(&v.p[i], deployment);
	assert_int_equal(n, 2);
	assert_int_equal(fieldspec_namerefs_n, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_on_the_way_are_walked),
		cmocka_unit_test(missing_fields_are_made_only_when_asked),
		cmocka_unit_test(a_slash_in_a_key_is_escaped),
		cmocka_unit_test(a_scalar_on_the_way_is_an_error),
		cmocka_unit_test(tables_speak_of_kinds),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
