#include "store/store_test.h"

static const struct event_outbox *box(struct story *y)
{
	return store_outbox(y->s);
}

/* Adds one as notify does; its number. */
static uint64_t add(struct story *y, const char *name, const char *app, const char *incident,
		    const char *const *receivers, msec due)
{
	const struct event_outbox *o = box(y);
	struct event_delivery to[4] = {{0}};
	struct event_kept e = {.name = str_from(name),
			       .app = str_from(app),
			       .incident = str_from(incident),
			       .time = due,
			       .severity = EVENT_WARN,
			       .json = STR("{}"),
			       .flux = STR("f"),
			       .text = STR("t"),
			       .revision = STR("3f2a91c")};
	size_t n = 0;

	for (; receivers && receivers[n]; n++) {
		to[n].receiver = str_from(receivers[n]);
		to[n].cause = str_from(name);
		to[n].due = due;
	}
	no_err(o->begin(o->self));
	no_err(o->next(o->self, str_from(app), &e.number, &e.sequence));
	e.id = arena_printf(y->a, "E-%llu", (unsigned long long)e.number);
	no_err(o->add(o->self, &e, to, n));
	no_err(o->end(o->self, NULL));
	return e.number;
}
#define TO(...) ((const char *const[]){__VA_ARGS__, NULL})

static void shows(struct story *y, const struct event_deliveries *got, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)y;
	for (size_t i = 0; i < got->n; i++)
		buf_printf(&b, "%llu " STR_FMT " tries %u;",
			   (unsigned long long)got->p[i].event.number,
			   STR_ARG(got->p[i].event.name), got->p[i].tries);
	assert_string_equal(buf_view(&b).p, want);
}

static struct event_deliveries due(struct story *y, const char *receiver, msec now)
{
	struct event_deliveries got;

	no_err(box(y)->due(y->s, y->a, str_from(receiver), now, 100, &got));
	return got;
}

static void is_due(struct story *y, const char *receiver, msec now, const char *want)
{
	struct event_deliveries got = due(y, receiver, now);

	shows(y, &got, want);
}

static void test_sequences_count_per_emitter_and_numbers_over_all(void **state)
{
	struct story *y = *state;
	struct event_kept e;

	add(y, "sync.finished", "web", "", NULL, 1);
	add(y, "sync.finished", "mail", "", NULL, 2);
	reopen(y);
	add(y, "sync.finished", "web", "", NULL, 3);
	no_err(box(y)->get(y->s, y->a, 3, &e));
	assert_int_equal(e.sequence, 2);
	is_str(e.app, "web");
	is_str(e.id, "E-3");
	is_str(e.text, "t");
	is_str(e.flux, "f");
	assert_int_equal(e.severity, EVENT_WARN);
	no_err(box(y)->get(y->s, y->a, 2, &e));
	assert_int_equal(e.sequence, 1);
}

static void test_an_undone_event_leaves_no_gap(void **state)
{
	struct story *y = *state;
	const struct event_outbox *o = box(y);
	struct event_kept e = {.id = STR("x"), .name = STR("n")};
	uint64_t n, q;

	add(y, "sync.finished", "web", "", NULL, 1);
	no_err(store_begin(y->s));
	no_err(o->next(y->s, STR("web"), &e.number, &e.sequence));
	no_err(o->add(y->s, &e, NULL, 0));
	err_free(store_end(y->s, err_new(ERR_INTERNAL, "no")));
	no_err(o->next(y->s, STR("web"), &n, &q));
	assert_int_equal(n, 2);
	assert_int_equal(q, 2);
}

static void test_a_delivery_waits_for_the_earlier_one_of_its_incident_only(void **state)
{
	struct story *y = *state;
	struct event_deliveries got;

	add(y, "drift.found", "web", "web/1", TO("a", "b"), 10);
	add(y, "drift.gone", "web", "web/1", TO("a", "b"), 20);
	add(y, "sync.finished", "web", "", TO("a"), 30);
	is_due(y, "a", 5, "");
	is_due(y, "a", 25, "1 drift.found tries 0;");
	is_due(y, "a", 30, "1 drift.found tries 0;3 sync.finished tries 0;");
	got = due(y, "a", 30);
	no_err(box(y)->failed(y->s, &got.p[0].id, 1, 1000, STR("503")));
	is_due(y, "a", 30, "3 sync.finished tries 0;");
	is_due(y, "a", 1000, "1 drift.found tries 1;3 sync.finished tries 0;");
	/* another receiver is not concerned */
	got = due(y, "b", 30);
	no_err(box(y)->done(y->s, &got.p[0].id, 1, 40));
	is_due(y, "b", 30, "2 drift.gone tries 0;");
	reopen(y);
	is_due(y, "a", 1000, "1 drift.found tries 1;3 sync.finished tries 0;");
	is_due(y, "b", 30, "2 drift.gone tries 0;");
}

static void test_who_waits_and_until_when(void **state)
{
	struct story *y = *state;
	struct event_waiting *w;
	uint64_t pending;
	size_t n;

	add(y, "drift.found", "web", "web/1", TO("a"), 500);
	add(y, "drift.gone", "web", "web/1", TO("a"), 20);
	add(y, "sync.finished", "web", "", TO("b"), 30);
	no_err(box(y)->waiting(y->s, y->a, &w, &n));
	assert_int_equal(n, 2);
	is_str(w[0].receiver, "a");
	assert_int_equal(w[0].pending, 2);
	assert_int_equal(w[0].due, 500); /* the one at 20 must wait for it */
	is_str(w[1].receiver, "b");
	assert_int_equal(w[1].due, 30);
	no_err(box(y)->pending(y->s, &pending));
	assert_int_equal(pending, 3);
}

static void test_what_goes_together_has_one_cause_and_may_go(void **state)
{
	struct story *y = *state;
	struct event_deliveries got;

	add(y, "drift.found", "web", "web/1", TO("a"), 10);
	add(y, "drift.found", "web", "web/2", TO("a", "b"), 12);
	add(y, "sync.failed", "web", "web/3", TO("a"), 12);
	add(y, "drift.found", "web", "web/4", TO("a"), 99);
	no_err(box(y)->together(y->s, y->a, STR("a"), STR("drift.found"), 15, 10, &got));
	shows(y, &got, "1 drift.found tries 0;2 drift.found tries 0;");
	no_err(box(y)->together(y->s, y->a, STR("a"), STR("drift.found"), 15, 1, &got));
	shows(y, &got, "1 drift.found tries 0;");
}

static void test_when_a_receiver_was_told(void **state)
{
	struct story *y = *state;
	struct event_deliveries got;
	msec at;

	add(y, "drift.found", "web", "web/1", TO("a"), 10);
	no_err(box(y)->told(y->s, STR("a"), STR("web/1"), &at));
	assert_int_equal(at, 0);
	got = due(y, "a", 10);
	no_err(box(y)->done(y->s, &got.p[0].id, 1, 77));
	no_err(box(y)->told(y->s, STR("a"), STR("web/1"), &at));
	assert_int_equal(at, 77);
	no_err(box(y)->told(y->s, STR("b"), STR("web/1"), &at));
	assert_int_equal(at, 0);
	add(y, "drift.found", "web", "web/1", TO("a"), 100);
	no_err(box(y)->told(y->s, STR("a"), STR("web/1"), &at));
	assert_int_equal(at, 0); /* on its way */
}

static void test_too_many_leave_out_the_oldest_drift_with_its_end_and_nothing_else(void **state)
{
	struct story *y = *state;
	struct event_deliveries got;
	uint64_t dropped;

	/* told already: its end must be told too */
	add(y, "drift.found", "web", "web/0", TO("a"), 1);
	got = due(y, "a", 1);
	no_err(box(y)->done(y->s, &got.p[0].id, 1, 1));
	add(y, "drift.gone", "web", "web/0", TO("a"), 1);
	add(y, "sync.failed", "web", "web/9", TO("a"), 1);
	add(y, "drift.found", "web", "web/1", TO("a", "b"), 1);
	add(y, "drift.gone", "web", "web/1", TO("a"), 1);
	add(y, "drift.found", "web", "web/2", TO("a"), 1);
	no_err(box(y)->coalesce(y->s, STR("a"), 5, STR("too many"), &dropped));
	assert_int_equal(dropped, 0);
	no_err(box(y)->coalesce(y->s, STR("a"), 4, STR("too many"), &dropped));
	assert_int_equal(dropped, 2);
	is_due(y, "a", 1, "2 drift.gone tries 0;3 sync.failed tries 0;6 drift.found tries 0;");
	is_due(y, "b", 1, "4 drift.found tries 0;");
	no_err(store_event_deliveries(y->s, y->a, 4, &got));
	assert_int_equal(got.n, 2);
	assert_int_equal(got.p[0].state, EVENT_DROPPED);
	is_str(got.p[0].error, "too many");
	assert_int_equal(got.p[1].state, EVENT_PENDING);
}

static void test_a_receiver_can_be_renamed_and_dropped(void **state)
{
	struct story *y = *state;
	uint64_t dropped;

	add(y, "sync.failed", "web", "web/9", TO("a", "b"), 1);
	no_err(box(y)->rename(y->s, STR("a"), STR("c")));
	is_due(y, "a", 1, "");
	is_due(y, "c", 1, "1 sync.failed tries 0;");
	no_err(box(y)->drop_receiver(y->s, STR("c"), STR("gone"), &dropped));
	assert_int_equal(dropped, 1);
	is_due(y, "c", 1, "");
	is_due(y, "b", 1, "1 sync.failed tries 0;");
}

static void test_open_incidents_come_back(void **state)
{
	struct story *y = *state;
	struct event_incident i = {STR("drift.found\tweb\t\t/ConfigMap/s/a"), STR("web/1"), 7, 99},
			      *got;
	size_t n;

	no_err(box(y)->open_incident(y->s, &i));
	i.key = STR("other");
	i.number = 6;
	no_err(box(y)->open_incident(y->s, &i));
	reopen(y);
	no_err(box(y)->incidents(y->s, y->a, &got, &n));
	assert_int_equal(n, 2);
	is_str(got[1].key, "drift.found\tweb\t\t/ConfigMap/s/a");
	is_str(got[1].id, "web/1");
	assert_int_equal(got[1].number, 7);
	assert_int_equal(got[1].since, 99);
	no_err(box(y)->incident(y->s, y->a, STR("other"), &i));
	assert_int_equal(i.number, 6);
	no_err(box(y)->incident(y->s, y->a, STR("none"), &i));
	assert_null(i.key.p);
	no_err(box(y)->close_incident(y->s, STR("other")));
	no_err(box(y)->incidents(y->s, y->a, &got, &n));
	assert_int_equal(n, 1);
}

static void heard(void *arg, bool committed)
{
	buf_str(arg, committed ? STR("yes;") : STR("no;"));
}

static void test_the_listener_hears_of_outermost_ends_only(void **state)
{
	struct story *y = *state;
	CLEANUP(buf) struct buf b = BUF_INIT;

	box(y)->listen(y->s, heard, &b);
	no_err(store_begin(y->s));
	add(y, "sync.failed", "web", "web/9", NULL, 1);
	assert_int_equal(b.n, 0);
	no_err(store_end(y->s, NULL));
	no_err(store_begin(y->s));
	err_free(store_end(y->s, err_new(ERR_INTERNAL, "no")));
	box(y)->listen(y->s, NULL, NULL);
	add(y, "sync.failed", "web", "web/9", NULL, 1);
	assert_string_equal(b.p, "yes;no;");
}

static void list(struct story *y, struct store_event_query q, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct store_events got;

	no_err(store_event_list(y->s, y->a, &q, &got));
	for (size_t i = 0; i < got.n; i++)
		buf_printf(&b, "%llu;", (unsigned long long)got.p[i].number);
	assert_string_equal(buf_view(&b).p, want);
}

static void test_events_are_asked_for_in_many_ways(void **state)
{
	struct story *y = *state;
	struct event_deliveries got;
	uint64_t n;
	size_t again;

	add(y, "drift.found", "web", "web/1", TO("a"), 10);
	add(y, "drift.gone", "web", "web/1", TO("a"), 20);
	add(y, "sync.finished", "mail", "", TO("b"), 30);
	got = due(y, "b", 30);
	no_err(box(y)->failed(y->s, &got.p[0].id, 1, 1000, STR("503")));
	list(y, (struct store_event_query){0}, "3;2;1;");
	list(y, (struct store_event_query){.type = STR("drift.*")}, "2;1;");
	list(y, (struct store_event_query){.app = STR("mail")}, "3;");
	list(y, (struct store_event_query){.incident = STR("web/1")}, "2;1;");
	list(y, (struct store_event_query){.since = 20}, "3;2;");
	list(y, (struct store_event_query){.after = 1}, "2;3;");
	list(y, (struct store_event_query){.forward = true, .most = 2}, "1;2;");
	list(y, (struct store_event_query){.before = 3, .most = 1}, "2;");
	list(y, (struct store_event_query){.failed = true}, "3;");
	no_err(store_event_number(y->s, STR("E-2"), &n));
	assert_int_equal(n, 2);
	no_err(store_event_number(y->s, STR("E-9"), &n));
	assert_int_equal(n, 0);
	got = due(y, "a", 10);
	no_err(box(y)->done(y->s, &got.p[0].id, 1, 10));
	is_due(y, "a", 20, "2 drift.gone tries 0;");
	no_err(store_event_redeliver(y->s, STR("E-1"), 15, &again));
	assert_int_equal(again, 1);
	is_due(y, "a", 20, "1 drift.found tries 0;");
	is_err(y, store_event_redeliver(y->s, STR("E-9"), 1, &again), ERR_NOT_FOUND,
	       "no event 'E-9'");
}

static void test_old_events_go_but_not_undelivered_ones_and_open_incidents(void **state)
{
	struct story *y = *state;
	struct event_incident i = {STR("k"), STR("web/1"), 1, 1};
	bool more = true;

	add(y, "drift.found", "web", "web/1", NULL, 10);
	add(y, "sync.finished", "web", "", NULL, 10);
	add(y, "sync.failed", "web", "web/2", TO("a"), 10);
	add(y, "sync.finished", "web", "", NULL, 5000);
	no_err(box(y)->open_incident(y->s, &i));
	while (more)
		no_err(store_prune(y->s, 6000, 1500, &more));
	list(y, (struct store_event_query){0}, "4;3;1;");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_open, teardown)
	const struct CMUnitTest tests[] = {
		T(test_sequences_count_per_emitter_and_numbers_over_all),
		T(test_an_undone_event_leaves_no_gap),
		T(test_a_delivery_waits_for_the_earlier_one_of_its_incident_only),
		T(test_who_waits_and_until_when),
		T(test_what_goes_together_has_one_cause_and_may_go),
		T(test_when_a_receiver_was_told),
		T(test_too_many_leave_out_the_oldest_drift_with_its_end_and_nothing_else),
		T(test_a_receiver_can_be_renamed_and_dropped),
		T(test_open_incidents_come_back),
		T(test_the_listener_hears_of_outermost_ends_only),
		T(test_events_are_asked_for_in_many_ways),
		T(test_old_events_go_but_not_undelivered_ones_and_open_incidents),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
