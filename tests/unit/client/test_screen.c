#include "client/client_priv.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void take(void *arg, uint64_t number, str name, str data)
{
	buf_printf(arg, "%llu|" STR_FMT "|" STR_FMT ";", (unsigned long long)number, STR_ARG(name),
		   STR_ARG(data));
}

static void a_stream_is_read_however_it_is_cut(void **state)
{
	const str all =
		STR(":\nretry: 2000\n\nid: 7\nevent: drift.found\ndata: {\"a\":1}\n\n"
		    "event:progress\r\ndata:one\r\ndata: two\r\n\r\nid: x\ndata\n\ndata: z\n\n"
		    "event: nothing\n\n");
	const char *want = "7|drift.found|{\"a\":1};0|progress|one\ntwo;0|message|z;";

	(void)state;
	for (size_t step = 1; step <= all.n; step++) {
		CLEANUP(buf) struct buf got = BUF_INIT;
		struct sse s = {0};

		for (size_t i = 0; i < all.n; i += step)
			sse_feed(&s, str_sub(all, i, step), take, &got);
		assert_string_equal(got.p, want);
		sse_done(&s);
	}
}

static void a_line_without_end_is_left_out(void **state)
{
	CLEANUP(buf) struct buf got = BUF_INIT;
	struct sse s = {0};

	(void)state;
	sse_feed(&s, STR("data: "), take, &got);
	for (size_t i = 0; i < CLIENT_MAX_LINE + 10; i++)
		sse_feed(&s, STR("x"), take, &got);
	sse_feed(&s, STR("\n\ndata: y\n\n"), take, &got);
	assert_string_equal(got.p, "0|message|y;");
	assert_true(s.line.cap <= 2 * CLIENT_MAX_LINE + 64);
	sse_done(&s);
}

static void times_are_told_as_people_tell_them(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct client c = {.a = a};
	static const struct {
		const char *when, *ago;
	} rows[] = {
		{"2026-11-22T14:07:59.500Z", "now"}, {"2026-11-22T14:07:48Z", "12 s"},
		{"2026-11-22T13:54:00Z", "14 min"},  {"2026-11-22T09:00:00Z", "5 h"},
		{"2026-11-20T12:00:00Z", "2 d"},     {"2026-11-01T12:00:00Z", "2026-11-01"},
		{"2026-11-22T15:00:00Z", "now"},
	};
	msec t;

	(void)state;
	assert_true(time_parse(STR("2026-11-22T14:08:00Z"), &c.now));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(time_parse(str_from(rows[i].when), &t));
		assert_string_equal(ago(&c, t).p, rows[i].ago);
	}
	assert_string_equal(span(&c, 160 * SECOND).p, "2 min 40 s");
	assert_string_equal(span(&c, 300 * SECOND).p, "5 min");
	assert_true(time_parse(STR("2026-11-22T13:40:07Z"), &t));
	assert_string_equal(clock_of(&c, t, false).p, "13:40");
	assert_string_equal(clock_of(&c, t, true).p, "13:40:07");
}

static void a_table_fits_its_terminal_and_cuts_nothing_in_a_pipe(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct client c = {.a = a};
	struct table *t = table_new(a, 3);

	(void)state;
	t->right[1] = true;
	table_add(t, STR("NAME"));
	table_add(t, STR("N"));
	table_end_row(t);
	table_add(t, STR("größe"));
	table_add(t, STR("12"));
	table_add(t, STR("a text that is too long for its terminal"));
	table_add(t, STR("a first cell that is alone does not widen its column"));
	table_end_row(t);
	table_print(&c, t, "  ", &b);
	assert_string_equal(b.p, "  NAME    N\n"
				 "  größe  12  a text that is too long for its terminal\n"
				 "  a first cell that is alone does not widen its column\n");
	buf_clear(&b);
	c.width = 36;
	table_print(&c, t, "  ", &b);
	assert_string_equal(b.p, "  NAME    N\n"
				 "  größe  12  a text that is too lon…\n"
				 "  a first cell that is alone does n…\n");
}

static void names_that_begin_alike_are_told_by_their_beginning(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct client c = {.a = a};
	const str alike[] = {STR("importer-1"), STR("importer-22"), STR("importer-x")};
	const str words[] = {STR("importer"), STR("importers")};
	const str others[] = {STR("web"), STR("mail")};

	(void)state;
	assert_string_equal(common_prefix(&c, alike, 3).p, "importer-");
	assert_int_equal(common_prefix(&c, words, 2).n, 0);
	assert_int_equal(common_prefix(&c, others, 2).n, 0);
	assert_int_equal(common_prefix(&c, alike, 1).n, 0);
}

static void values_that_could_be_taken_for_others_are_quoted(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct client c = {.a = a};
	static const struct {
		const char *json, *path, *shown;
	} rows[] = {
		{"\"acme/web:2.4.1\"", ".image", "acme/web:2.4.1"},
		{"\"4\"", ".x", "\"4\""},
		{"4", ".x", "4"},
		{"\"true\"", ".x", "\"true\""},
		{"\"\"", ".x", "\"\""},
		{"\"info\"", ".data[\"level\"]", "\"info\""},
		{"\"info\"", ".level", "info"},
		{"{\"a\":[1]}", ".x", "{\"a\":[1]}"},
		{"\"a\\u001b[2J\"", ".x", "a\\x1b[2J"},
		{"{\"$hash\":\"9f31c2aabbccdd\"}", ".x", "<redacted:9f31c2aa>"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct text t = {STR("v"), str_from(rows[i].json)};
		const struct node *n;

		assert_null(node_read_json(a, &t, &n));
		assert_string_equal(value_of(&c, n, str_from(rows[i].path)).p, rows[i].shown);
	}
	assert_string_equal(value_of(&c, NULL, STR(".x")).p, "(absent)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_is_read_however_it_is_cut),
		cmocka_unit_test(a_line_without_end_is_left_out),
		cmocka_unit_test(times_are_told_as_people_tell_them),
		cmocka_unit_test(a_table_fits_its_terminal_and_cuts_nothing_in_a_pipe),
		cmocka_unit_test(names_that_begin_alike_are_told_by_their_beginning),
		cmocka_unit_test(values_that_could_be_taken_for_others_are_quoted),
	};

	hash_init();
	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
