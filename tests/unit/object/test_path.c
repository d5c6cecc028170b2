/* Paths of fields as people read them. */
#include "leeboard/object.h"
#include <setjmp.h>

#include <cmocka.h>

static void a_key_that_is_no_word_stands_in_brackets(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	obj_path_field(&b, STR("metadata"));
	obj_path_field(&b, STR("app.kubernetes.io/name"));
	obj_path_field(&b, STR("a-b_1"));
	obj_path_field(&b, STR(""));
	obj_path_field(&b, STR("say \"hi\""));
	assert_string_equal(b.p, ".metadata[\"app.kubernetes.io/name\"].a-b_1[\"\"]"
				 "[\"say \\\"hi\\\"\"]");
}

static const struct node *json(struct arena *a, const char *s)
{
	struct text *t = ARENA_NEW(a, struct text);
	const struct node *n;

	t->bytes = str_from(s);
	assert_null(node_read_json(a, t, &n));
	return n;
}

static const struct obj_schema *field(const struct obj_schema *s, const char *path)
{
	str rest = str_from(path), part;

	while (str_split(&rest, '.', &part))
		s = str_eq(part, STR("[]")) ? obj_schema_item(s) : obj_schema_field(s, part);
	return s;
}

static void an_element_is_told_as_its_list_tells_it(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	const struct obj_schema *pod = obj_schema_of(STR("v1"), STR("Pod"));

	(void)state;
	assert_non_null(pod);
	assert_true(obj_path_element(&b, field(pod, "spec.containers"),
				     json(a, "{\"name\": \"web\"}")));
	assert_true(obj_path_element(&b, field(pod, "spec.containers.[].ports"),
				     json(a, "{\"containerPort\": 80}")));
	assert_string_equal(b.p, "[name=\"web\"][containerPort=80,protocol=\"TCP\"]");
	buf_clear(&b);
	assert_true(obj_path_element(&b, field(pod, "metadata.finalizers"), json(a, "\"a/b\"")));
	assert_string_equal(b.p, "[=\"a/b\"]");
	buf_clear(&b);
	assert_false(obj_path_element(&b, field(pod, "spec.containers"), json(a, "{\"x\": 1}")));
	assert_false(
		obj_path_element(&b, field(pod, "spec.containers.[].args"), json(a, "\"-v\"")));
	assert_false(obj_path_element(&b, NULL, json(a, "{\"name\": \"web\"}")));
	assert_int_equal(b.n, 0);
}

static void the_nearest_path_speaks_for_one_that_is_not_there(void **state)
{
	static const str paths[] = {
		{".spec.a", 7}, {".spec.list[\"x.y\"].b", 19}, {".spec.list", 10}, {".status", 7}};

	(void)state;
	assert_int_equal(obj_path_find(paths, 4, STR(".spec.a")), 0);
	assert_int_equal(obj_path_find(paths, 4, STR(".spec.list[name=\"q\"].z")), 2);
	assert_int_equal(obj_path_find(paths, 4, STR(".spec.list[\"x.y\"].c")), 1);
	assert_int_equal(obj_path_find(paths, 4, STR(".spec")), 0);
	assert_int_equal(obj_path_find(paths, 4, STR(".status.x")), 3);
	assert_int_equal(obj_path_find(paths, 4, STR(".specs")), 0);
	assert_int_equal(obj_path_find(paths, 0, STR(".spec")), SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_that_is_no_word_stands_in_brackets),
		cmocka_unit_test(an_element_is_told_as_its_list_tells_it),
		cmocka_unit_test(the_nearest_path_speaks_for_one_that_is_not_there),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
