#include "diff_test.h"

#define POD(rest) "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{" rest "}}"

static const struct obj_schema *pod(void)
{
	return obj_schema_of(STR("v1"), STR("Pod"));
}

static const char *three_way(struct arena *a, const char *applied, const char *desired,
			     const char *live)
{
	const struct node *patch;

	assert_null(diff_three_way(a, pod(), json(a, applied), json(a, desired), json(a, live),
				   true, &patch));
	return text_of(a, patch);
}

static void equal_objects_need_no_patch(void **state UNUSED)
{
	ARENA_TEST;
	const char *same = POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]");

	assert_string_equal(three_way(a, same, same, same), "{}");
}

static void a_container_is_patched_by_its_name(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(
		three_way(a, POD("\"containers\":[{\"name\":\"c\",\"image\":\"i:1\"}]"),
			  POD("\"containers\":[{\"name\":\"c\",\"image\":\"i:2\"}]"),
			  POD("\"containers\":[{\"name\":\"c\",\"image\":\"i:1\",\"tty\":true}]")),
		"{\"spec\":{\"$setElementOrder/containers\":[{\"name\":\"c\"}],"
		"\"containers\":[{\"image\":\"i:2\",\"name\":\"c\"}]}}");
}

static void what_left_git_is_deleted_and_what_was_never_ours_is_not(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(
		three_way(a, POD("\"hostNetwork\":true,\"containers\":[{\"name\":\"a\"}]"),
			  POD("\"containers\":[{\"name\":\"b\"}]"),
			  POD("\"hostNetwork\":true,\"hostPID\":true,"
			      "\"containers\":[{\"name\":\"a\"},{\"name\":\"injected\"}]")),
		"{\"spec\":{\"$setElementOrder/containers\":[{\"name\":\"b\"}],"
		"\"containers\":[{\"name\":\"b\"},{\"$patch\":\"delete\",\"name\":\"a\"}],"
		"\"hostNetwork\":null}}");
}

static void a_volume_that_changes_its_source_drops_the_old_one(void **state UNUSED)
{
	ARENA_TEST;
	const struct node *patch, *result;
	const struct node *old = json(a, POD("\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]"));
	const struct node *new =
		json(a, POD("\"volumes\":[{\"name\":\"v\",\"secret\":{\"secretName\":\"s\"}}]"));

	assert_null(diff_two_way(a, pod(), old, new, &patch));
	assert_string_equal(
		text_of(a, patch),
		"{\"spec\":{\"$setElementOrder/volumes\":[{\"name\":\"v\"}],\"volumes\":"
		"[{\"$retainKeys\":[\"name\",\"secret\"],\"emptyDir\":null,"
		"\"name\":\"v\",\"secret\":{\"secretName\":\"s\"}}]}}");
	assert_null(diff_patch_apply(a, pod(), old, patch, &result));
	assert_string_equal(text_of(a, result), text_of(a, new));
}

static void scalars_of_a_set_are_added_and_dropped_one_by_one(void **state UNUSED)
{
	ARENA_TEST;
	const struct node *patch, *result;

	assert_null(diff_two_way(a, pod(), json(a, "{\"metadata\":{\"finalizers\":[\"x\",\"y\"]}}"),
				 json(a, "{\"metadata\":{\"finalizers\":[\"y\",\"z\"]}}"), &patch));
	assert_string_equal(text_of(a, patch),
			    "{\"metadata\":{\"$deleteFromPrimitiveList/finalizers\":[\"x\"],"
			    "\"$setElementOrder/finalizers\":[\"y\",\"z\"],"
			    "\"finalizers\":[\"z\"]}}");
	assert_null(diff_patch_apply(
		a, pod(), json(a, "{\"metadata\":{\"finalizers\":[\"x\",\"theirs\",\"y\"]}}"),
		patch, &result));
	assert_string_equal(text_of(a, result),
			    "{\"metadata\":{\"finalizers\":[\"theirs\",\"y\",\"z\"]}}");
}

static void directives_never_reach_the_object(void **state UNUSED)
{
	ARENA_TEST;
	const struct node *result;

	assert_null(diff_patch_apply(
		a, pod(), json(a, "{\"spec\":{}}"),
		json(a,
		     "{\"spec\":{\"$retainKeys\":[\"containers\"],\"x\":null,"
		     "\"$setElementOrder/containers\":[{\"name\":\"c\"}],"
		     "\"containers\":[{\"name\":\"c\"},{\"$patch\":\"delete\",\"name\":\"d\"}]}}"),
		&result));
	assert_string_equal(text_of(a, result), "{\"spec\":{\"containers\":[{\"name\":\"c\"}]}}");
}

static void large_integers_keep_every_digit(void **state UNUSED)
{
	ARENA_TEST;
	const struct node *patch;

	assert_null(diff_two_way(a, NULL, json(a, "{\"n\":9007199254740992}"),
				 json(a, "{\"n\":9007199254740993}"), &patch));
	assert_string_equal(text_of(a, patch), "{\"n\":9007199254740993}");
}

static void an_element_without_its_merge_key_is_refused(void **state UNUSED)
{
	ARENA_TEST;
	const struct node *patch;

	assert_string_equal(
		line_of(a,
			diff_two_way(a, pod(), json(a, POD("\"containers\":[{\"name\":\"c\"}]")),
				     json(a, POD("\"containers\":[{\"image\":\"i\"}]")), &patch)),
		"test.json:1:55: list element lacks its merge key 'name'");
}

static void a_patch_list_out_of_its_order_is_refused(void **state UNUSED)
{
	ARENA_TEST;
	const struct node *result;

	assert_string_equal(
		line_of(a,
			diff_patch_apply(
				a, pod(), json(a, "{\"spec\":{}}"),
				json(a, "{\"spec\":{\"$setElementOrder/containers\":"
					"[{\"name\":\"a\"}],\"containers\":[{\"name\":\"b\"}]}}"),
				&result)),
		"test.json:1:68: the order in patch list doesn't match $setElementOrder list");
}

static void both_sides_changing_one_field_is_a_conflict_unless_we_may_overwrite(void **state UNUSED)
{
	ARENA_TEST;
	const struct node *patch;
	const struct node *applied = json(a, "{\"n\":1}");
	struct err *e = diff_three_way(a, NULL, applied, json(a, "{\"n\":2}"), json(a, "{\"n\":3}"),
				       false, &patch);

	assert_int_equal(err_code(e), ERR_CONFLICT);
	err_free(e);
	assert_null(diff_three_way(a, NULL, applied, json(a, "{\"n\":2}"), json(a, "{\"n\":3}"),
				   true, &patch));
	assert_string_equal(text_of(a, patch), "{\"n\":2}");
}

static void a_json_patch_removes_only_what_we_had_sent(void **state UNUSED)
{
	ARENA_TEST;
	const struct node *live = json(a, "{\"a\":1,\"b\":{\"x\":1,\"y\":2},\"theirs\":true}");
	const struct node *patch =
		diff_json_three_way(a, json(a, "{\"a\":1,\"b\":{\"x\":1,\"y\":2}}"),
				    json(a, "{\"b\":{\"x\":5},\"c\":[1]}"), live);

	assert_string_equal(text_of(a, patch), "{\"a\":null,\"b\":{\"x\":5,\"y\":null},\"c\":[1]}");
	assert_string_equal(text_of(a, node_merge_json(a, live, patch)),
			    "{\"b\":{\"x\":5},\"c\":[1],\"theirs\":true}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_objects_need_no_patch),
		cmocka_unit_test(a_container_is_patched_by_its_name),
		cmocka_unit_test(what_left_git_is_deleted_and_what_was_never_ours_is_not),
		cmocka_unit_test(a_volume_that_changes_its_source_drops_the_old_one),
		cmocka_unit_test(scalars_of_a_set_are_added_and_dropped_one_by_one),
		cmocka_unit_test(directives_never_reach_the_object),
		cmocka_unit_test(large_integers_keep_every_digit),
		cmocka_unit_test(an_element_without_its_merge_key_is_refused),
		cmocka_unit_test(a_patch_list_out_of_its_order_is_refused),
		cmocka_unit_test(
			both_sides_changing_one_field_is_a_conflict_unless_we_may_overwrite),
		cmocka_unit_test(a_json_patch_removes_only_what_we_had_sent),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
