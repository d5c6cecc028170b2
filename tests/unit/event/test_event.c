#include "leeboard/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOON 1795348807212 /* 2026-11-22T12:00:07.212Z */

static struct event drift(void)
{
	static struct event_field field;

	field = (struct event_field){
		.path = STR(".spec.replicas"),
		.origin = {STR("apps/mail/replicas.yaml"), STR("2c9f10b"), STR("ana@example.org"),
			   4},
		.writer = {STR("kubectl-edit"), STR("Update"), STR_NONE,
			   STR("2026-11-22T13:40:07Z")},
	};
	return (struct event){
		.kind = EVENT_DRIFT_FOUND,
		.severity = EVENT_WARN,
		.time = NOON,
		.id = STR("01JDA-412"),
		.instance = STR("prod-eu"),
		.app = STR("mail"),
		.sequence = 412,
		.revision = STR("3f2a91c0b7f8"),
		.message = STR("Deployment mail/mail .spec.replicas: git 3, live 5"),
		.release = STR("leeboard drift mail --heal"),
		.has_object = true,
		.object = {STR("apps"), STR("Deployment"), STR("mail"), STR("mail")},
		.object_version = STR("v1"),
		.class = STR("drift"),
		.action = STR("none"),
		.fields = &field,
		.fields_n = 1,
	};
}

static void with_values(struct arena *a, struct event *e, const char *git, const char *live)
{
	struct event_field *f = ARENA_NEW(a, struct event_field);

	*f = e->fields[0];
	f->git = node_new_scalar(a, NODE_INT, NODE_PLAIN, str_from(git));
	f->live = node_new_scalar(a, NODE_INT, NODE_PLAIN, str_from(live));
	e->fields = f;
}

static void a_cloudevent_names_field_values_writer_and_origin(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct event e = drift();
	enum incident_verdict v;
	CLEANUP(incidents) struct incidents *s = incidents_new();

	/* 2^53 + 1: cJSON's own numbers would round it */
	with_values(a, &e, "9007199254740993", "5");
	v = incidents_apply(s, a, &e);
	assert_int_equal(v, INCIDENT_SAY);
	e.incident = STR("mail/7f21c0");
	event_cloudevent(&e, &b);
	assert_string_equal(
		b.p,
		"{\"specversion\":\"1.0\",\"id\":\"01JDA-412\",\"type\":\"dev.leeboard.drift."
		"found\","
		"\"source\":\"/prod-eu/apps/mail\",\"subject\":\"apps/v1/Deployment/mail/mail\","
		"\"time\":\"2026-11-22T12:00:07.212Z\",\"datacontenttype\":\"application/json\","
		"\"severity\":\"warn\",\"incident\":\"mail/7f21c0\",\"sequence\":412,"
		"\"data\":{\"app\":\"mail\",\"revision\":\"3f2a91c0b7f8\","
		"\"message\":\"Deployment mail/mail .spec.replicas: git 3, live 5\","
		"\"object\":{\"group\":\"apps\",\"version\":\"v1\",\"kind\":\"Deployment\","
		"\"namespace\":\"mail\",\"name\":\"mail\"},\"class\":\"drift\","
		"\"fields\":[{\"path\":\".spec.replicas\",\"git\":9007199254740993,\"live\":5,"
		"\"origin\":{\"file\":\"apps/mail/"
		"replicas.yaml\",\"line\":4,\"commit\":\"2c9f10b\","
		"\"signer\":\"ana@example.org\"},"
		"\"writer\":{\"manager\":\"kubectl-edit\",\"operation\":\"Update\","
		"\"lastActive\":\"2026-11-22T13:40:07Z\"}}],"
		"\"action\":\"none\",\"release\":\"leeboard drift mail --heal\"}}");
}

static void a_redacted_field_shows_no_value(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf json = BUF_INIT;
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct event e = drift();
	struct event_field f;

	with_values(a, &e, "1234567", "7654321");
	f = e.fields[0];
	f.redacted = true;
	e.fields = &f;
	event_cloudevent(&e, &json);
	event_text(&e, &text);
	assert_false(str_contains(buf_view(&json), STR("1234567")));
	assert_false(str_contains(buf_view(&json), STR("7654321")));
	assert_true(str_contains(buf_view(&json), STR("\"redacted\":true")));
	assert_string_equal(text.p,
			    "● Drift  prod-eu / mail   Deployment mail/mail   3f2a91c\n"
			    "  .spec.replicas   changed (value not shown)   kubectl-edit, 13:40"
			    "   from apps/mail/replicas.yaml:4 (2c9f10b, ana@example.org)\n"
			    "  Nothing was changed back.   leeboard drift mail --heal");
}

static void flux_knows_info_and_error_only(void **state UNUSED)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct event e = drift();

	e.incident = STR("mail/7f21c0");
	event_flux(&e, &b);
	assert_string_equal(
		b.p,
		"{\"involvedObject\":{\"apiVersion\":\"leeboard.dev/v1\",\"kind\":\"App\","
		"\"name\":\"mail\"},\"severity\":\"error\",\"timestamp\":\"2026-11-22T12:00:07Z\","
		"\"message\":\"Deployment mail/mail .spec.replicas: git 3, live 5\","
		"\"reason\":\"drift.found\",\"metadata\":{\"revision\":\"3f2a91c0b7f8\","
		"\"incident\":\"mail/7f21c0\"},\"reportingController\":\"leeboard\","
		"\"reportingInstance\":\"prod-eu\"}");
}

static void a_chat_gets_at_most_thirteen_lines_without_control_characters(void **state UNUSED)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct event_field many[40];
	struct event e = drift();
	size_t lines = 1;

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = e.fields[0];
	e.fields = many;
	e.fields_n = ARRAY_LEN(many);
	e.release = STR("leeboard \x1b[31mdrift");
	event_text(&e, &b);
	for (size_t i = 0; i < b.n; i++)
		lines += b.p[i] == '\n';
	assert_int_equal(lines, 13);
	assert_true(str_contains(buf_view(&b), STR("\n  and 30 more fields\n")));
	assert_true(str_chr(buf_view(&b), '\x1b') == SIZE_MAX);
}

static void one_raise_and_one_resolve_an_incident(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(incidents) struct incidents *s = incidents_new();
	struct event raise = drift(), again = drift(), other = drift(), resolve = drift(),
		     later = drift();

	again.id = STR("01JDA-413");
	other.object.name = STR("other");
	resolve.kind = EVENT_DRIFT_GONE;
	later.id = STR("01JDA-500");

	assert_int_equal(incidents_apply(s, a, &raise), INCIDENT_SAY);
	assert_int_equal(incidents_apply(s, a, &again), INCIDENT_KNOWN);
	assert_true(str_eq(again.incident, raise.incident));
	assert_int_equal(incidents_apply(s, a, &other), INCIDENT_SAY);
	assert_false(str_eq(other.incident, raise.incident));
	assert_int_equal(incidents_count(s), 2);

	assert_int_equal(incidents_apply(s, a, &resolve), INCIDENT_SAY);
	assert_true(str_eq(resolve.incident, raise.incident));
	assert_int_equal(incidents_apply(s, a, &resolve), INCIDENT_NONE);

	assert_int_equal(incidents_apply(s, a, &later), INCIDENT_SAY);
	assert_false(str_eq(later.incident, raise.incident));
}

static void source_recovered_ends_unreachable_and_stale(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(incidents) struct incidents *s = incidents_new();
	struct event e = {.kind = EVENT_SOURCE_STALE, .id = STR("1"), .source = STR("fleet")};

	assert_int_equal(incidents_apply(s, a, &e), INCIDENT_SAY);
	e.kind = EVENT_SOURCE_UNREACHABLE;
	assert_int_equal(incidents_apply(s, a, &e), INCIDENT_SAY);
	e.kind = EVENT_SOURCE_RECOVERED;
	assert_int_equal(incidents_apply(s, a, &e), INCIDENT_SAY);
	assert_int_equal(incidents_count(s), 0);
}

static void put_back(void *arg, str key, str id)
{
	incidents_restore(arg, key, id);
}

static void open_incidents_survive_a_restart(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(incidents) struct incidents *before = incidents_new();
	CLEANUP(incidents) struct incidents *after = incidents_new();
	struct event raise = drift(), resolve = drift();

	assert_int_equal(incidents_apply(before, a, &raise), INCIDENT_SAY);
	incidents_each(before, put_back, after);
	resolve.kind = EVENT_DRIFT_HEALED;
	assert_int_equal(incidents_apply(after, a, &resolve), INCIDENT_SAY);
	assert_true(str_eq(resolve.incident, raise.incident));
}

static void every_raise_has_a_resolve(void **state UNUSED)
{
	for (size_t raise = 0; raise < EVENT_KINDS; raise++) {
		bool ends = event_role_of((enum event_kind)raise) != EVENT_RAISE;

		for (size_t k = 0; k < EVENT_KINDS; k++)
			ends |= event_resolves((enum event_kind)k, (enum event_kind)raise);
		if (!ends)
			fail_msg("nothing resolves %s", event_name((enum event_kind)raise));
	}
}

static void the_reference_page_is_the_table(void **state UNUSED)
{
	CLEANUP(buf) struct buf want = BUF_INIT;
	CLEANUP(buf) struct buf page = BUF_INIT;
	const char *update = getenv("LEEBOARD_GOLDEN");

	buf_str(&want, STR("# Events\n\nMade from the table in `include/leeboard/event.h`.\n\n"));
	event_reference(&want);
	if (update && !strcmp(update, "update"))
		assert_null(file_write_atomic(TEST_DIR "/../docs/reference-events.md",
					      buf_view(&want), 0644));
	assert_null(file_read(TEST_DIR "/../docs/reference-events.md", 1 << 20, &page));
	assert_string_equal(page.p, want.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cloudevent_names_field_values_writer_and_origin),
		cmocka_unit_test(a_redacted_field_shows_no_value),
		cmocka_unit_test(flux_knows_info_and_error_only),
		cmocka_unit_test(a_chat_gets_at_most_thirteen_lines_without_control_characters),
		cmocka_unit_test(one_raise_and_one_resolve_an_incident),
		cmocka_unit_test(source_recovered_ends_unreachable_and_stale),
		cmocka_unit_test(open_incidents_survive_a_restart),
		cmocka_unit_test(every_raise_has_a_resolve),
		cmocka_unit_test(the_reference_page_is_the_table),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
