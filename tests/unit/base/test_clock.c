#include "leeboard/base.h"
#include <setjmp.h>

#include <cmocka.h>

static void times_are_written_as_rfc_3339(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();

	(void)state;
	assert_string_equal(time_rfc3339(a, 0, false).p, "1970-01-01T00:00:00Z");
	assert_string_equal(time_rfc3339(a, 1795354807212, true).p, "2026-11-22T13:40:07.212Z");
	assert_string_equal(time_rfc3339(a, -1, true).p, "1969-12-31T23:59:59.999Z");
}

static void check_time(const char *s, msec want)
{
	msec got = -12345;

	assert_true(time_parse(str_from(s), &got));
	assert_int_equal(got, want);
}

static void times_are_read_with_their_zones(void **state)
{
	static const char *const bad[] = {
		"",
		"2026-11-22",
		"2026-11-22T13:40:07",
		"2026-02-29T00:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-11-22T24:00:00Z",
		"2026-11-22T13:40:07.Z",
		"2026-11-22T13:40:07+1:00",
		"2026-11-22T13:40:07+0100",
		"2026-11-22T13:40:07Zx",
		"+026-11-22T13:40:07Z",
	};
	msec t;

	(void)state;
	check_time("2026-11-22T13:40:07.212Z", 1795354807212);
	check_time("2026-11-22t15:10:07.2125999+01:30", 1795354807212);
	check_time("2026-11-22 08:40:07-05:00", 1795354807000);
	check_time("2000-02-29T00:00:00z", 951782400000);
	check_time("1969-12-31T23:59:59Z", -1000);
	check_time("2016-12-31T23:59:60Z", 1483228800000);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(time_parse(str_from(bad[i]), &t));
}

static void durations_are_read_as_go_does(void **state)
{
	static const struct {
		const char *s;
		msec want; /* -1: refused */
	} rows[] = {
		{"15s", 15 * SECOND},
		{"1h30m", 90 * MINUTE},
		{"250ms", 250},
		{"1.5h", 90 * MINUTE},
		{".5s", 500},
		{"1.s", SECOND},
		{"0", 0},
		{"0s", 0},
		{"1500us", 1},
		{"1ms1s", 1001},
		{"1.0000000000000000000000001s", SECOND},
		{"2562047h", 2562047 * HOUR},
		{"2562048h", -1},
		{"99999999999999999999s", -1},
		{"", -1},
		{"+", -1},
		{"5", -1},
		{"s", -1},
		{".s", -1},
		{"-5s", -1},
		{"1d", -1},
		{"1h 5m", -1},
		{"1hm", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		msec got = -1;

		if (duration_parse(str_from(rows[i].s), &got) != (rows[i].want >= 0) ||
		    got != rows[i].want)
			fail_msg("%s gave %lld", rows[i].s, (long long)got);
	}
}

static void durations_are_written_for_people_and_for_files(void **state)
{
	static const struct {
		msec d;
		const char *people, *go;
	} rows[] = {
		{0, "0 s", "0s"},
		{250, "250 ms", "250ms"},
		{12 * SECOND, "12 s", "12s"},
		{1500, "1 s", "1.5s"},
		{1050, "1 s", "1.05s"},
		{61001, "1 min", "1m1.001s"},
		{14 * MINUTE, "14 min", "14m"},
		{90 * MINUTE, "1 h", "1h30m"},
		{HOUR + 5 * SECOND, "1 h", "1h5s"},
		{49 * HOUR, "2 d", "49h"},
		{-90 * SECOND, "-1 min", "-1m30s"},
	};
	CLEANUP(arena) struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		msec again;

		assert_string_equal(duration_format(a, rows[i].d).p, rows[i].people);
		assert_string_equal(duration_short(a, rows[i].d).p, rows[i].go);
		if (rows[i].d >= 0) {
			assert_true(duration_parse(duration_short(a, rows[i].d), &again));
			assert_int_equal(again, rows[i].d);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written_as_rfc_3339),
		cmocka_unit_test(times_are_read_with_their_zones),
		cmocka_unit_test(durations_are_read_as_go_does),
		cmocka_unit_test(durations_are_written_for_people_and_for_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
