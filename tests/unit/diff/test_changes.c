#include "diff_test.h"

/* One line a change: class path. */
static const char *changes(struct arena *a, const char *applied, const char *desired,
			   const char *live, bool all)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct diff_witnesses w = {
		.schema = obj_schema_of(STR("v1"), STR("Pod")),
		.applied = json(a, applied),
		.desired = json(a, desired),
		.live = json(a, live),
		.all = all,
	};
	struct diff_changes c;
	struct diff_managed m;

	assert_null(diff_managed_read(a, w.live, &m));
	w.managed = &m;
	assert_null(diff_changes(a, &w, &c));
	for (size_t i = 0; i < c.n; i++)
		buf_printf(&b, "%s" STR_FMT " " STR_FMT, i ? "\n" : "",
			   STR_ARG(diff_class_name(c.p[i].class)), STR_ARG(c.p[i].path));
	return arena_str(a, buf_view(&b)).p;
}

static void each_row_of_the_table_has_its_class(void **state UNUSED)
{
	static const struct {
		const char *l, *d, *v;
		enum diff_class want;
	} rows[] = {
		{"1", "1", "1", DIFF_IN_SYNC},
		{"1", "2", "1", DIFF_CHANGE},
		{"1", "1", "3", DIFF_DRIFT},
		{"1", "2", "2", DIFF_THERE},
		{"1", "2", "3", DIFF_BOTH},
		{NULL, "2", NULL, DIFF_ADDITION},
		{NULL, "2", "3", DIFF_TAKE_OVER},
		{"1", NULL, "1", DIFF_REMOVAL},
		{"1", NULL, "3", DIFF_REMOVAL_DRIFTED},
		{"1", NULL, NULL, DIFF_GONE},
		{NULL, NULL, "3", DIFF_NOT_OURS},
		{"1", "1", NULL, DIFF_DELETED},
		{"1", "2", NULL, DIFF_BOTH},
		{NULL, "2", "2", DIFF_THERE},
	};

	ARENA_TEST;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(diff_decide(NULL, rows[i].l ? json(a, rows[i].l) : NULL,
					     rows[i].d ? json(a, rows[i].d) : NULL,
					     rows[i].v ? json(a, rows[i].v) : NULL),
				 rows[i].want);
}

static void an_image_edited_by_hand_is_drift_at_its_own_path(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(
		changes(a, "{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i:1\"}]}}",
			"{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i:1\"}]}}",
			"{\"spec\":{\"containers\":[{\"name\":\"x\"},"
			"{\"name\":\"c\",\"image\":\"i:9\",\"tty\":true}]},\"status\":{}}",
			false),
		"drift .spec.containers[name=\"c\"].image");
}

static void ports_are_told_apart_by_number_and_protocol(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(
		changes(a, "{}",
			"{\"spec\":{\"containers\":[{\"name\":\"c\",\"ports\":[{\"containerPort\":"
			"53},"
			"{\"containerPort\":53,\"protocol\":\"UDP\",\"name\":\"u\"}]}]}}",
			"{\"spec\":{\"containers\":[{\"name\":\"c\",\"ports\":["
			"{\"containerPort\":53,\"protocol\":\"TCP\"},"
			"{\"containerPort\":53,\"protocol\":\"UDP\",\"name\":\"v\"}]}]}}",
			false),
		"take-over .spec.containers[name=\"c\"].ports[containerPort=53,protocol=\"UDP\"]"
		".name");
}

static void list_keys_of_custom_kinds_come_from_managed_fields(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(
		changes(a, "{\"rules\":[{\"id\":1,\"v\":1},{\"id\":2,\"v\":1}]}",
			"{\"rules\":[{\"id\":1,\"v\":1},{\"id\":2,\"v\":1}]}",
			"{\"metadata\":{\"managedFields\":[{\"manager\":\"m\",\"fieldsV1\":"
			"{\"f:rules\":{\"k:{\\\"id\\\":1}\":{\".\":{},\"f:id\":{}}}}}]},"
			"\"rules\":[{\"id\":2,\"v\":1},{\"id\":1,\"v\":7}]}",
			false),
		"drift .rules[id=1].v\nreordered .rules");
}

static void spellings_of_one_quantity_are_no_change(void **state UNUSED)
{
	ARENA_TEST;
	const char *half = "{\"spec\":{\"containers\":[{\"name\":\"c\",\"resources\":"
			   "{\"limits\":{\"cpu\":\"500m\"}}}]}}";
	const char *dot5 = "{\"spec\":{\"containers\":[{\"name\":\"c\",\"resources\":"
			   "{\"limits\":{\"cpu\":0.5}}}]}}";

	assert_string_equal(changes(a, dot5, dot5, half, false), "");
}

static void what_we_never_sent_is_listed_only_on_demand(void **state UNUSED)
{
	ARENA_TEST;
	const char *ours = "{\"metadata\":{\"labels\":{\"a\":\"1\"}}}";
	const char *live = "{\"metadata\":{\"uid\":\"u\",\"labels\":{\"a\":\"1\","
			   "\"example.com/b\":\"2\"}}}";

	assert_string_equal(changes(a, ours, ours, live, false), "");
	assert_string_equal(changes(a, ours, ours, live, true),
			    "in-sync .metadata.labels.a\n"
			    "not-ours .metadata.labels[\"example.com/b\"]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_of_the_table_has_its_class),
		cmocka_unit_test(an_image_edited_by_hand_is_drift_at_its_own_path),
		cmocka_unit_test(ports_are_told_apart_by_number_and_protocol),
		cmocka_unit_test(list_keys_of_custom_kinds_come_from_managed_fields),
		cmocka_unit_test(spellings_of_one_quantity_are_no_change),
		cmocka_unit_test(what_we_never_sent_is_listed_only_on_demand),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
