#include "leeboard/base.h"
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

/* What was written about one metric: from its HELP line to the next one. */
static void check_family(struct metrics *m, const char *name, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(buf) struct buf head = BUF_INIT;
	str s;
	size_t at;
	char *got;

	metrics_write(m, &b);
	buf_printf(&head, "# HELP %s ", name);
	at = str_find(buf_view(&b), buf_view(&head));
	s = at == SIZE_MAX ? STR("") : str_sub(buf_view(&b), at, SIZE_MAX);
	at = str_find(str_sub(s, 1, SIZE_MAX), STR("# HELP "));
	got = xstrndup(s.p, at == SIZE_MAX ? s.n : at + 1);
	assert_string_equal(got, want);
	free(got);
}

static void counters_add_up_by_their_labels(void **state)
{
	CLEANUP(metrics) struct metrics *m = metrics_new();

	(void)state;
	metric_add(m, METRIC_SYNCS, 1, LABELS("web", "ok"));
	metric_add(m, METRIC_SYNCS, 1, LABELS("api", "failed"));
	metric_add(m, METRIC_SYNCS, 2, LABELS("web", "ok"));
	metric_add(m, METRIC_SYNCS, 1, LABELS("webo", "k"));
	check_family(m, "leeboard_syncs_total",
		     "# HELP leeboard_syncs_total Syncs ended.\n"
		     "# TYPE leeboard_syncs_total counter\n"
		     "leeboard_syncs_total{app=\"web\",result=\"ok\"} 3\n"
		     "leeboard_syncs_total{app=\"api\",result=\"failed\"} 1\n"
		     "leeboard_syncs_total{app=\"webo\",result=\"k\"} 1\n");
	metric_drop(m, METRIC_SYNCS, "web");
	metric_add(m, METRIC_SYNCS, 1, LABELS("api", "failed"));
	check_family(m, "leeboard_syncs_total",
		     "# HELP leeboard_syncs_total Syncs ended.\n"
		     "# TYPE leeboard_syncs_total counter\n"
		     "leeboard_syncs_total{app=\"api\",result=\"failed\"} 2\n"
		     "leeboard_syncs_total{app=\"webo\",result=\"k\"} 1\n");
}

static void label_values_are_escaped(void **state)
{
	CLEANUP(metrics) struct metrics *m = metrics_new();

	(void)state;
	metric_set(m, METRIC_SOURCE_TIP_AGE, 0.1, LABELS("a\"b\\c\nd"));
	check_family(m, "leeboard_source_tip_age_seconds",
		     "# HELP leeboard_source_tip_age_seconds Seconds since the accepted tip was "
		     "committed.\n"
		     "# TYPE leeboard_source_tip_age_seconds gauge\n"
		     "leeboard_source_tip_age_seconds{source=\"a\\\"b\\\\c\\nd\"} 0.1\n");
}

static void what_has_no_labels_is_written_from_the_start(void **state)
{
	CLEANUP(metrics) struct metrics *m = metrics_new();

	(void)state;
	check_family(m, "leeboard_syncs_total", "");
	check_family(m, "leeboard_events_pending",
		     "# HELP leeboard_events_pending Events not delivered yet.\n"
		     "# TYPE leeboard_events_pending gauge\n"
		     "leeboard_events_pending 0\n");
}

static void a_histogram_is_cumulated(void **state)
{
	CLEANUP(metrics) struct metrics *m = metrics_new();

	(void)state;
	metric_observe(m, METRIC_SYNC_SECONDS, 0.01, LABELS("web"));
	metric_observe(m, METRIC_SYNC_SECONDS, 7, LABELS("web"));
	metric_observe(m, METRIC_SYNC_SECONDS, 1000, LABELS("web"));
	check_family(m, "leeboard_sync_seconds",
		     "# HELP leeboard_sync_seconds Time from revision seen to settled.\n"
		     "# TYPE leeboard_sync_seconds histogram\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"0.005\"} 0\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"0.01\"} 1\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"0.025\"} 1\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"0.05\"} 1\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"0.1\"} 1\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"0.25\"} 1\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"0.5\"} 1\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"1\"} 1\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"2.5\"} 1\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"5\"} 1\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"10\"} 2\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"30\"} 2\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"60\"} 2\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"120\"} 2\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"300\"} 2\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"600\"} 2\n"
		     "leeboard_sync_seconds_bucket{app=\"web\",le=\"+Inf\"} 3\n"
		     "leeboard_sync_seconds_sum{app=\"web\"} 1007.01\n"
		     "leeboard_sync_seconds_count{app=\"web\"} 3\n");
}

static void many_series_are_all_found_again(void **state)
{
	CLEANUP(metrics) struct metrics *m = metrics_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	size_t twos = 0;
	str rest, line;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 1000; i++) {
			char name[16];

			snprintf(name, sizeof(name), "app%d", i);
			metric_add(m, METRIC_SYNCS, 1, LABELS(name, "ok"));
		}
	}
	metrics_write(m, &b);
	rest = buf_view(&b);
	while (str_split(&rest, '\n', &line))
		twos += str_starts(line, STR("leeboard_syncs_total{")) &&
			str_ends(line, STR("} 2"));
	assert_int_equal(twos, 1000);
	assert_true(str_contains(buf_view(&b), STR("\nprocess_start_time_seconds ")));
	assert_false(str_contains(buf_view(&b), STR("process_resident_memory_bytes 0\n")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_add_up_by_their_labels),
		cmocka_unit_test(label_values_are_escaped),
		cmocka_unit_test(what_has_no_labels_is_written_from_the_start),
		cmocka_unit_test(a_histogram_is_cumulated),
		cmocka_unit_test(many_series_are_all_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
