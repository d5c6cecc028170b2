/* Starting again, lists and gaps, baselines that were lost, health over time, and what it all
 * costs. */
#include <malloc.h>

#include "world.h"

#define WEB DEPLOYMENT("web", "{\"replicas\":3}")
#define CFG CONFIG("cfg", "{\"a\":\"1\"}")

static struct inventory inventory_of(struct world *w)
{
	struct inventory inv = {0};

	for (struct fake_object *o = w->t->objects; o; o = o->next)
		inventory_set(w->arena, &inv,
			      (struct inv_entry){.id = o->id,
						 .version = str_from(o->version),
						 .uid = str_from(o->uid),
						 .origin = INV_CREATED,
						 .state = INV_LIVE});
	return inv;
}

static void start(struct world *w, const char *const *json, size_t n)
{
	world_init(w);
	world_expect(w, json, n, "rev");
	for (size_t i = 0; i < n; i++)
		send(w, w->wants->p[i].id);
	hush(w);
}
#define START(w, ...)                                                                              \
	start((w), (const char *const[]){__VA_ARGS__},                                             \
	      ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void restore(struct world *w, const struct inventory *inv)
{
	world_restart(w);
	assert_null(live_app_restore(w->app, inv));
	live_app_expect(w->app, w->wants, STR("rev"));
	fake_settle(w->loop);
}

static void after_a_restart_nothing_is_asked_or_said(void **state)
{
	struct world w;
	struct inventory inv;
	struct live_state s;

	(void)state;
	START(&w, WEB, CFG);
	fake_status(w.t, deployment("web"),
		    "{\"observedGeneration\":1,\"replicas\":3,\"updatedReplicas\":3,"
		    "\"availableReplicas\":3,\"readyReplicas\":3}");
	inv = inventory_of(&w);
	hush(&w);
	restore(&w, &inv);
	fake_asked(w.t, "unwatch v1/Deployment\nunwatch v1/ConfigMap\n"
			"watch v1/ConfigMap\nwatch v1/Deployment\n");
	says(&w, "");
	assert_true(live_state(w.app, deployment("web"), &s));
	assert_false(s.seen);
	assert_false(s.in_sync);
	assert_true(s.has_baseline);
	assert_string_equal(s.revision.p, "rev");
	fake_lists(w.t, "apps", "Deployment");
	fake_settle(w.loop);
	says(&w, "health Deployment shop/web Unknown -> Healthy\n");
	fake_lists(w.t, "", "ConfigMap");
	fake_settle(w.loop);
	says(&w, "health ConfigMap shop/cfg Unknown -> Healthy\ncomplete\n");
	assert_true(live_state(w.app, deployment("web"), &s));
	assert_true(s.in_sync);
	fake_asked(w.t, "");
	world_done(&w);
}

static void what_changed_while_we_were_away_is_found(void **state)
{
	struct world w;
	struct inventory inv;

	(void)state;
	START(&w, WEB, CFG);
	inv = inventory_of(&w);
	fake_put(w.t, edited(&w, config_map("cfg"), "/data/a", "\"9\"", NULL, NULL, NULL));
	fake_drop(w.t, deployment("web"));
	restore(&w, &inv);
	hush(&w);
	fake_lists(w.t, "", "ConfigMap");
	fake_lists(w.t, "apps", "Deployment");
	says(&w, "drift ConfigMap shop/cfg; .data.a git \"1\" live \"9\" web.yaml:1\n"
		 "health ConfigMap shop/cfg Unknown -> Healthy\n");
	/* Not in the list may mean: its label is gone. One read tells. */
	fake_settle(w.loop);
	fake_asked(w.t, "get Deployment shop/web\n");
	says(&w, "drift Deployment shop/web deleted\n"
		 "health Deployment shop/web Unknown -> Missing\ncomplete\n");
	world_done(&w);
}

static void events_before_the_wants_are_known_are_not_lost(void **state)
{
	struct world w;
	struct inventory inv;

	(void)state;
	START(&w, WEB, CFG);
	inv = inventory_of(&w);
	fake_put(w.t, edited(&w, config_map("cfg"), "/data/a", "\"9\"", NULL, NULL, NULL));
	world_restart(&w);
	assert_null(live_app_restore(w.app, &inv));
	fake_lists(w.t, "", "ConfigMap");
	fake_lists(w.t, "apps", "Deployment");
	hush(&w);
	live_app_expect(w.app, w.wants, STR("rev"));
	fake_settle(w.loop);
	fake_asked(w.t, "get ConfigMap shop/cfg\n"); /* and not the one that is as it was */
	says(&w, "drift ConfigMap shop/cfg; .data.a git \"1\" live \"9\" web.yaml:1\n");
	world_done(&w);
}

static void what_vanished_in_a_gap_is_found(void **state)
{
	struct world w;
	struct inventory inv;

	(void)state;
	START(&w, CFG, CONFIG("old", "{\"b\":\"1\"}"));
	inv = inventory_of(&w);
	restore(&w, &inv);
	fake_lists(w.t, "", "ConfigMap");
	hush(&w);
	fake_see_again(w.t, config_map("old"));
	fake_tell(w.t, TARGET_LOST, NULL);
	says(&w, "lost connection refused\n");
	fake_drop(w.t, config_map("old"));
	fake_tell(w.t, TARGET_FOUND, NULL);
	fake_lists(w.t, "", "ConfigMap");
	fake_settle(w.loop);
	fake_asked(w.t, "get ConfigMap shop/old\n");
	says(&w, "found \ndrift ConfigMap shop/old deleted\n"
		 "health ConfigMap shop/old Healthy -> Missing\ncomplete\n");
	world_done(&w);
}

static void an_app_without_objects_is_complete_at_once(void **state)
{
	struct world w;
	struct inventory none = {0};

	(void)state;
	world_init(&w);
	assert_null(live_app_restore(w.app, &none));
	says(&w, "");
	fake_settle(w.loop);
	says(&w, "complete\n");
	world_done(&w);
}

/* ------------------------------------------------------------------ lost baselines */

static void lose(struct world *w)
{
	w->store.rows = NULL;
}

static void lost_baselines_come_back_without_a_request(void **state)
{
	struct world w;
	struct inventory inv;
	struct live_state s;

	(void)state;
	START(&w, WEB, CFG);
	inv = inventory_of(&w);
	lose(&w);
	restore(&w, &inv);
	hush(&w);
	fake_lists(w.t, "", "ConfigMap");
	fake_lists(w.t, "apps", "Deployment");
	fake_settle(w.loop);
	fake_asked(w.t, "");
	assert_int_equal(live_rebuilt(w.app), 2);
	assert_true(live_state(w.app, deployment("web"), &s));
	assert_true(s.in_sync && s.has_baseline);
	assert_true(hash_eq(&s.applied, &wants_get(w.wants, deployment("web"))->digest));
	assert_non_null(fake_row(&w.store, STR("shop"), deployment("web")));
	assert_int_equal(live_count(w.app).drift_objects, 0);
	world_done(&w);
}

static const char *webhook(struct target *t, obj_id id, const char *json)
{
	(void)t, (void)id, (void)json;
	return CONFIG("cfg", "{\"a\":\"1 as the webhook wants\"}");
}

static void a_lost_baseline_that_a_webhook_made_takes_one_dry_run(void **state)
{
	struct world w;
	struct inventory inv;

	(void)state;
	world_init(&w);
	w.t->mutate = webhook;
	world_expect(&w, (const char *const[]){CFG}, 1, "rev");
	send(&w, config_map("cfg"));
	inv = inventory_of(&w);
	lose(&w);
	restore(&w, &inv);
	hush(&w);
	fake_lists(w.t, "", "ConfigMap");
	fake_settle(w.loop);
	fake_asked(w.t, "preview ConfigMap shop/cfg\n");
	assert_int_equal(live_rebuilt(w.app), 1);
	assert_int_equal(live_count(w.app).drift_objects, 0);
	world_done(&w);
}

static void drift_is_told_from_a_newer_git_without_a_baseline(void **state)
{
	struct world w;
	struct inventory inv;
	struct live_state s;
	const struct node *root, *meta;
	obj_id id = config_map("cfg");

	(void)state;
	/* Somebody edited: our set has lost the field. */
	START(&w, CFG);
	inv = inventory_of(&w);
	root = fake_json(w.arena, edited(&w, id, "/data/a", "\"9\"", NULL, NULL, NULL));
	meta = node_get(root, STR("metadata"));
	meta = node_set(w.arena, meta, STR("managedFields"),
			fake_json(w.arena,
				  "[{\"manager\":\"leeboard\",\"operation\":\"Apply\","
				  "\"apiVersion\":\"v1\",\"fieldsV1\":{}},{\"manager\":"
				  "\"kubectl-edit\",\"operation\":\"Update\",\"apiVersion\":\"v1\","
				  "\"time\":\"2026-11-24T12:01:00Z\",\"fieldsV1\":{\"f:data\":{"
				  "\"f:a\":{}}}}]"));
	fake_put(w.t, fake_text(w.arena, node_set(w.arena, root, STR("metadata"), meta)));
	lose(&w);
	restore(&w, &inv);
	hush(&w);
	fake_lists(w.t, "", "ConfigMap");
	fake_settle(w.loop);
	fake_asked(w.t, "preview ConfigMap shop/cfg\nget ConfigMap shop/cfg\n");
	says(&w, "health ConfigMap shop/cfg Unknown -> Healthy\n"
		 "drift ConfigMap shop/cfg; .data.a git \"1\" live \"9\" by kubectl-edit "
		 "web.yaml:1\ncomplete\n");
	world_done(&w);

	/* Git went on: the value is ours still. */
	START(&w, CFG);
	inv = inventory_of(&w);
	lose(&w);
	world_restart(&w);
	assert_null(live_app_restore(w.app, &inv));
	world_expect(&w, (const char *const[]){CONFIG("cfg", "{\"a\":\"2\"}")}, 1, "rev2");
	hush(&w);
	fake_lists(w.t, "", "ConfigMap");
	fake_settle(w.loop);
	says(&w, "health ConfigMap shop/cfg Unknown -> Healthy\ncomplete\n");
	assert_true(live_state(w.app, id, &s));
	assert_false(s.has_baseline);
	assert_int_equal(live_rebuilt(w.app), 0);
	world_done(&w);
}

/* ------------------------------------------------------------------ a directory */

static void in_a_directory_last_applied_is_the_baseline(void **state)
{
	struct world w;
	struct inventory inv;
	struct live_state s;
	struct fake_object *o;

	(void)state;
	world_init(&w);
	live_free(w.live);
	w.t->sort = TARGET_SORT_DIR;
	w.t->marks = w.t->tells_health = false;
	world_live(&w);
	world_expect(&w, (const char *const[]){CFG}, 1, "rev");
	send(&w, config_map("cfg"));
	inv = inventory_of(&w);
	hush(&w);
	assert_true(live_state(w.app, config_map("cfg"), &s));
	assert_int_equal(s.health.state, HEALTH_UNKNOWN);

	lose(&w);
	restore(&w, &inv);
	hush(&w);
	fake_list(w.t, TARGET_LISTING, "", "");
	fake_see_again(w.t, config_map("cfg"));
	fake_list(w.t, TARGET_LISTED, "", "");
	fake_settle(w.loop);
	assert_true(live_state(w.app, config_map("cfg"), &s));
	assert_true(s.in_sync && s.has_baseline);
	hush(&w);
	o = fake_find(w.t, config_map("cfg"));
	free(o->json);
	o->json = xstrndup(CONFIG("cfg", "{\"a\":\"9\",\"mine\":\"x\"}"),
			   strlen(CONFIG("cfg", "{\"a\":\"9\",\"mine\":\"x\"}")));
	fake_see_again(w.t, config_map("cfg"));
	says(&w, "drift ConfigMap shop/cfg; .data.a git \"1\" live \"9\" web.yaml:1\n");
	fake_gone(w.t, config_map("cfg"));
	says(&w, "drift ConfigMap shop/cfg deleted\n");
	fake_asked(w.t, "");
	world_done(&w);
}

/* ------------------------------------------------------------------ health */

#define READY                                                                                      \
	"{\"observedGeneration\":1,\"replicas\":3,\"updatedReplicas\":3,\"availableReplicas\":3}"
#define ONE_OFF                                                                                    \
	"{\"observedGeneration\":1,\"replicas\":3,\"updatedReplicas\":3,\"availableReplicas\":2}"

static void a_flicker_is_not_told(void **state)
{
	struct world w;
	obj_id id = deployment("web"), worst;

	(void)state;
	START(&w, WEB);
	fake_status(w.t, id, READY);
	says(&w, "health Deployment shop/web Progressing -> Healthy\n");
	fake_status(w.t, id, ONE_OFF);
	assert_int_equal(live_worst(w.app, &worst).state, HEALTH_PROGRESSING);
	clock_turn(w.loop, LIVE_FLICKER - SECOND);
	fake_status(w.t, id, READY);
	clock_turn(w.loop, MINUTE);
	says(&w, "");
	fake_status(w.t, id, ONE_OFF);
	clock_turn(w.loop, LIVE_FLICKER);
	says(&w, "health Deployment shop/web Healthy -> Progressing\n");
	fake_status(w.t, id,
		    "{\"observedGeneration\":1,\"conditions\":[{\"type\":\"Progressing\","
		    "\"status\":\"False\",\"reason\":\"ProgressDeadlineExceeded\"}]}");
	says(&w, "health Deployment shop/web Progressing -> Degraded\n");
	assert_int_equal(live_worst(w.app, &worst).state, HEALTH_DEGRADED);
	assert_true(obj_id_eq(worst, id));
	world_done(&w);
}

static void on_well(void *arg, obj_id id, const struct health *h)
{
	struct world *w = arg;
	CLEANUP(arena) struct arena *a = arena_new();

	buf_printf(&w->told, "well " STR_FMT " " STR_FMT "\n", STR_ARG(obj_id_label(a, id)),
		   STR_ARG(health_state_name(h->state)));
}

static void a_wait_ends_once_and_never_out_of_the_call(void **state)
{
	struct world w;
	struct live_wait *x, *y, *z;
	obj_id id = deployment("web");

	(void)state;
	START(&w, WEB);
	x = live_wait_healthy(w.app, id, on_well, &w);
	y = live_wait_healthy(w.app, id, on_well, &w);
	live_wait_stop(y);
	fake_status(w.t, id, READY);
	says(&w, "health Deployment shop/web Progressing -> Healthy\n");
	/* It falls back before the turn ends: not yet. */
	fake_status(w.t, id, ONE_OFF);
	fake_settle(w.loop);
	says(&w, "");
	fake_status(w.t, id, READY);
	fake_settle(w.loop);
	says(&w, "well Deployment shop/web Healthy\n");
	z = live_wait_healthy(w.app, id, on_well, &w);
	says(&w, "");
	fake_settle(w.loop);
	says(&w, "well Deployment shop/web Healthy\n");
	fake_status(w.t, id, ONE_OFF);
	fake_settle(w.loop);
	fake_status(w.t, id, READY);
	fake_settle(w.loop);
	says(&w, "");
	live_wait_stop(x);
	live_wait_stop(z);
	live_wait_stop(NULL);
	world_done(&w);
}

static void a_wait_is_for_what_was_written_last(void **state)
{
	struct world w;
	struct live_wait *x;
	obj_id id = deployment("web");

	(void)state;
	START(&w, WEB);
	fake_status(w.t, id, READY);
	world_expect(&w, (const char *const[]){DEPLOYMENT("web", "{\"replicas\":4}")}, 1, "rev2");
	send(&w, id);
	hush(&w);
	x = live_wait_healthy(w.app, id, on_well, &w);
	fake_settle(w.loop);
	says(&w, ""); /* its controller has not seen generation 2 */
	fake_status(w.t, id,
		    "{\"observedGeneration\":2,\"replicas\":4,\"updatedReplicas\":4,"
		    "\"availableReplicas\":4}");
	hush(&w);
	live_wait_stop(x);
	x = live_wait_healthy(w.app, id, on_well, &w);
	fake_settle(w.loop);
	says(&w, "well Deployment shop/web Healthy\n");
	live_wait_stop(x);
	world_done(&w);
}

#define CERT                                                                                       \
	"{\"apiVersion\":\"cert-manager.io/v1\",\"kind\":\"Certificate\",\"metadata\":{\"name\":"  \
	"\"tls\",\"namespace\":\"shop\"},\"spec\":{\"secretName\":\"tls\"}}"

static void a_custom_kind_gets_time_for_its_first_status(void **state)
{
	struct world w;
	obj_id id = {STR("cert-manager.io"), STR("Certificate"), STR("shop"), STR("tls")};
	struct live_state s;

	(void)state;
	world_init(&w);
	w.t->has_status = true;
	world_expect(&w, (const char *const[]){CERT}, 1, "rev");
	send(&w, id);
	assert_true(live_state(w.app, id, &s));
	assert_int_equal(s.health.state, HEALTH_PROGRESSING);
	clock_turn(w.loop, HEALTH_GRACE);
	assert_true(live_state(w.app, id, &s));
	assert_int_equal(s.health.state, HEALTH_HEALTHY);
	assert_string_equal(s.health.message.p, "no status reported");
	/* Ready False for longer than health.timeout is for good. */
	fake_status(w.t, id,
		    "{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"reason\":"
		    "\"DoesNotExist\",\"message\":\"no issuer\","
		    "\"lastTransitionTime\":\"2026-11-24T12:01:00Z\"}]}");
	assert_true(live_state(w.app, id, &s));
	assert_int_equal(s.health.state, HEALTH_PROGRESSING);
	hush(&w);
	clock_turn(w.loop, 5 * MINUTE + 30 * SECOND);
	says(&w, "health Certificate shop/tls Healthy -> Progressing\n"
		 "health Certificate shop/tls Progressing -> Degraded\n");
	assert_true(live_state(w.app, id, &s));
	assert_string_equal(s.health.message.p, "no issuer");
	fake_asked(w.t, "");
	world_done(&w);

	/* Without a status of its own it is well at once. */
	world_init(&w);
	world_expect(&w, (const char *const[]){CERT}, 1, "rev");
	send(&w, id);
	assert_true(live_state(w.app, id, &s));
	assert_int_equal(s.health.state, HEALTH_HEALTHY);
	world_done(&w);
}

static void what_is_skipped_does_not_count(void **state)
{
	struct world w;
	struct config_target skip = {.kind = STR("Deployment"), .name = STR("we.*")};
	struct live_wait *x;
	obj_id worst;

	(void)state;
	world_init(&w);
	w.doc.health_skip = (struct config_targets){&skip, 1, 1};
	world_expect(&w, (const char *const[]){WEB}, 1, "rev");
	send(&w, deployment("web"));
	hush(&w);
	assert_int_equal(live_worst(w.app, &worst).state, HEALTH_HEALTHY);
	assert_int_equal(worst.kind.n, 0);
	x = live_wait_healthy(w.app, deployment("web"), on_well, &w);
	fake_settle(w.loop);
	says(&w, "well Deployment shop/web Healthy\n");
	live_wait_stop(x);
	world_done(&w);
}

/* ------------------------------------------------------------------ failure and cost */

static void a_store_that_is_full_is_said(void **state)
{
	struct world w;
	struct err *e;

	(void)state;
	world_init(&w);
	world_expect(&w, (const char *const[]){CFG}, 1, "rev");
	w.store.full = true;
	e = try_send(&w, config_map("cfg"));
	assert_non_null(e);
	assert_int_equal(err_code(e), ERR_STORAGE);
	err_free(e);
	hush(&w);
	fake_see_again(w.t, config_map("cfg"));
	says(&w, ""); /* it was sent nevertheless, and that is known */
	world_done(&w);
}

static void an_object_at_rest_is_small(void **state)
{
	enum { OBJECTS = 1000 };
	struct world w;
	const char **json;
	size_t before, after;

	(void)state;
	world_init(&w);
	json = ARENA_ARRAY(w.arena, const char *, OBJECTS);
	for (int i = 0; i < OBJECTS; i++) {
		CLEANUP(buf) struct buf big = BUF_INIT;

		for (int k = 0; k < 40; k++)
			buf_printf(&big, "%s\"key%d\":\"some text that is not kept %d\"",
				   k ? "," : "", k, i);
		json[i] =
			arena_printf(w.arena,
				     "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":"
				     "{\"name\":\"object-%d\",\"namespace\":\"shop\"},\"data\":{%s}"
				     "}",
				     i, big.p)
				.p;
	}
	world_expect(&w, json, OBJECTS, "rev");
	w.t->quiet = true;
	before = mallinfo2().uordblks;
	for (int i = 0; i < OBJECTS; i++) {
		CLEANUP(arena) struct arena *a = arena_new();
		struct want *want = &w.wants->p[i];
		struct target_live answer = {.id = want->id,
					     .version = want->version,
					     .uid = STR("5f1dfacc-0000-4000-8000-000000000000"),
					     .root = fake_json(a, json[i])};

		assert_null(live_sending(w.app, want));
		assert_null(live_sent(w.app, want, &answer, STR("rev")));
	}
	after = mallinfo2().uordblks;
	/* The store of this test and the health that was told are in it as well. */
	if (after > before) /* the sanitizers count elsewhere */
		assert_in_range(after - before, 0, 1u << 20);
	assert_in_range(sizeof(struct live_state), 0, 4096);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_a_restart_nothing_is_asked_or_said),
		cmocka_unit_test(what_changed_while_we_were_away_is_found),
		cmocka_unit_test(events_before_the_wants_are_known_are_not_lost),
		cmocka_unit_test(what_vanished_in_a_gap_is_found),
		cmocka_unit_test(an_app_without_objects_is_complete_at_once),
		cmocka_unit_test(lost_baselines_come_back_without_a_request),
		cmocka_unit_test(a_lost_baseline_that_a_webhook_made_takes_one_dry_run),
		cmocka_unit_test(drift_is_told_from_a_newer_git_without_a_baseline),
		cmocka_unit_test(in_a_directory_last_applied_is_the_baseline),
		cmocka_unit_test(a_flicker_is_not_told),
		cmocka_unit_test(a_wait_ends_once_and_never_out_of_the_call),
		cmocka_unit_test(a_wait_is_for_what_was_written_last),
		cmocka_unit_test(a_custom_kind_gets_time_for_its_first_status),
		cmocka_unit_test(what_is_skipped_does_not_count),
		cmocka_unit_test(a_store_that_is_full_is_said),
		cmocka_unit_test(an_object_at_rest_is_small),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
