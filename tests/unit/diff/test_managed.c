#include "diff_test.h"

#define ENTRY(manager, op, time, fields)                                                           \
	"{\"manager\":\"" manager "\",\"operation\":\"" op                                         \
	"\",\"apiVersion\":\"v1\",\"time\":\"" time                                                \
	"\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":" fields "}"
#define LIVE(entries, rest)                                                                        \
	"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\","              \
	"\"managedFields\":[" entries "]}" rest "}"
#define OURS ENTRY("leeboard", "Apply", "2026-11-22T10:00:00Z", "{\"f:data\":{\"f:a\":{}}}")

static const char *answer(struct arena *a, const char *data, const char *live)
{
	static const char *const names[] = {"unchanged", "changed", "ask"};
	struct object o;
	struct diff_projection p;
	str desired = arena_printf(a,
				   "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
				   "\"metadata\":{\"name\":\"c\"}%s}",
				   data);

	assert_null(obj_from_node(a, json(a, desired.p), &o));
	assert_null(diff_project(a, &o, json(a, live), STR("leeboard"), &p));
	return arena_printf(a, "%s " STR_FMT, names[p.answer], STR_ARG(p.path)).p;
}

static void what_is_ours_and_equal_needs_no_request(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(answer(a, ",\"data\":{\"a\":\"1\"}",
				   LIVE(OURS, ",\"data\":{\"a\":\"1\",\"theirs\":\"2\"}")),
			    "unchanged ");
}

static void another_value_in_live_is_a_change(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(
		answer(a, ",\"data\":{\"a\":\"1\"}", LIVE(OURS, ",\"data\":{\"a\":\"2\"}")),
		"changed .data.a");
	assert_string_equal(answer(a, ",\"data\":{\"a\":\"1\"}", LIVE(OURS, "")), "changed .data");
}

static void a_field_outside_our_set_is_asked_about(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(answer(a, ",\"data\":{\"a\":\"1\",\"b\":\"2\"}",
				   LIVE(OURS, ",\"data\":{\"a\":\"1\",\"b\":\"2\"}")),
			    "ask .data.b");
	assert_string_equal(
		answer(a, ",\"data\":{\"a\":\"1\"}", LIVE("", ",\"data\":{\"a\":\"1\"}")),
		"ask .metadata.managedFields");
}

static void a_field_that_left_git_is_a_change_when_nobody_else_could_hold_it(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(answer(a, ",\"data\":{}", LIVE(OURS, ",\"data\":{\"a\":\"1\"}")),
			    "changed .data.a");
	assert_string_equal(answer(a, ",\"data\":{}",
				   LIVE(OURS "," ENTRY("x", "Update", "2026-11-22T10:00:00Z",
						       "{\"f:data\":{\"f:a\":{}}}"),
					",\"data\":{\"a\":\"1\"}")),
			    "ask .data.a");
}

static const char *writer(struct arena *a, const char *key, msec since)
{
	const struct node *live = json(
		a,
		LIVE(OURS "," ENTRY("kubectl-edit", "Update", "2026-11-22T11:00:00Z",
				    "{\"f:data\":{\"f:b\":{}}}") "," ENTRY("node-fetch", "Update",
									   "2026-11-22T12:00:"
									   "00Z",
									   "{\"f:data\":{\"f:"
									   "b\":{},\"f:c\":{"
									   "}}}"),
		     ""));
	struct diff_step steps[] = {{.kind = DIFF_FIELD, .name = STR("data")},
				    {.kind = DIFF_FIELD, .name = str_from(key)}};
	struct diff_change c = {.steps = steps, .n_steps = 2};
	struct diff_managed m;
	struct diff_writer w;

	assert_null(diff_managed_read(a, live, &m));
	w = diff_writer(a, &m, &c, STR("leeboard"), since);
	return diff_writer_text(a, &w).p;
}

static void the_newest_holder_of_a_field_wrote_it(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(writer(a, "b", 0),
			    "node-fetch (Update), last active 2026-11-22T12:00:00Z");
}

static void a_removed_field_has_the_writers_of_the_window(void **state UNUSED)
{
	ARENA_TEST;
	msec since;

	assert_true(time_parse(STR("2026-11-22T11:00:00.400Z"), &since));
	assert_string_equal(writer(a, "a", since),
			    "removed; writers since: "
			    "node-fetch (Update), last active 2026-11-22T12:00:00Z; "
			    "kubectl-edit (Update), last active 2026-11-22T11:00:00Z");
	assert_true(time_parse(STR("2026-11-22T13:00:00Z"), &since));
	assert_string_equal(writer(a, "a", since), "nobody that managedFields names");
}

static void a_set_that_is_none_is_refused_with_its_place(void **state UNUSED)
{
	ARENA_TEST;
	const struct diff_fields *f;

	assert_string_equal(line_of(a, diff_fields_read(a, json(a, "{\"f:a\":{\"q:b\":{}}}"), &f)),
			    "test.json:1:9: 'q:b' is no FieldsV1 key: f:, k:, v:, i: or .");
	assert_string_equal(line_of(a, diff_fields_read(a, json(a, "{\"f:a\":1}"), &f)),
			    "test.json:1:8: a set of fields must be a map, not an integer");
}

static void what_a_manager_owns_stands_in_for_last_applied(void **state UNUSED)
{
	struct diff_managed m;
	ARENA_TEST;
	const struct node *live = json(
		a,
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"uid\":"
		"\"u\","
		"\"labels\":{\"a\":\"1\",\"b\":\"2\"},\"annotations\":{\"x\":\"1\"},\"finalizers\":"
		"[\"f\","
		"\"g\"],\"managedFields\":[" ENTRY(
			"leeboard", "Apply", "2026-11-22T10:00:00Z",
			"{\"f:metadata\":{\"f:labels\":{\"f:a\":{}},\"f:annotations\":{\".\":{}},"
			"\"f:finalizers\":{\"v:\\\"g\\\"\":{}}},\"f:spec\":{\"f:containers\":{"
			"\"k:{\\\"name\\\":\\\"c\\\"}\":{\".\":{},\"f:image\":{}}},"
			"\"f:tolerations\":{}}}") "]},"
						  "\"spec\":{\"containers\":[{\"name\":\"c\","
						  "\"image\":\"i\",\"tty\":true},"
						  "{\"name\":\"d\"}],\"tolerations\":[{\"key\":"
						  "\"k\"}]}}");

	assert_null(diff_managed_read(a, live, &m));
	assert_string_equal(text_of(a, diff_owned(a, &m.p[0], live)),
			    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"annotations\":"
			    "{},\"finalizers\":["
			    "\"g\"],\"labels\":{\"a\":\"1\"},\"name\":\"p\"},\"spec\":{"
			    "\"containers\":[{\"image\":\"i\","
			    "\"name\":\"c\"}],\"tolerations\":[{\"key\":\"k\"}]}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_ours_and_equal_needs_no_request),
		cmocka_unit_test(another_value_in_live_is_a_change),
		cmocka_unit_test(a_field_outside_our_set_is_asked_about),
		cmocka_unit_test(a_field_that_left_git_is_a_change_when_nobody_else_could_hold_it),
		cmocka_unit_test(the_newest_holder_of_a_field_wrote_it),
		cmocka_unit_test(a_removed_field_has_the_writers_of_the_window),
		cmocka_unit_test(a_set_that_is_none_is_refused_with_its_place),
		cmocka_unit_test(what_a_manager_owns_stands_in_for_last_applied),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
