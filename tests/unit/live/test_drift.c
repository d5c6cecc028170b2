/* What is drift, what is not, who did it, and where Git says otherwise. */
#include "world.h"

#define WEB                                                                                        \
	DEPLOYMENT("web", "{\"replicas\":3,\"template\":{\"spec\":{\"containers\":["               \
			  "{\"name\":\"c\",\"image\":\"web:1\"}]}}}")
#define CFG CONFIG("cfg", "{\"a\":\"1\",\"b\":\"2\"}")

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

static size_t drifted(struct world *w)
{
	return live_count(w->app).drift_objects;
}

static void our_own_write_is_none(void **state)
{
	struct world w;

	(void)state;
	START(&w, WEB, CFG);
	fake_see_again(w.t, deployment("web"));
	says(&w, "");
	assert_int_equal(drifted(&w), 0);
	fake_asked(w.t, "");
	world_done(&w);
}

static void an_edit_is_told_with_writer_and_line(void **state)
{
	struct world w;
	struct live_state s;

	(void)state;
	START(&w, WEB, CFG);
	edit(&w, deployment("web"), "/spec/replicas", "5", "kubectl-edit",
	     "{\"f:spec\":{\"f:replicas\":{}}}");
	says(&w,
	     "drift Deployment shop/web; .spec.replicas git 3 live 5 by kubectl-edit web.yaml:1\n");
	assert_true(live_state(w.app, deployment("web"), &s));
	assert_false(s.in_sync);
	assert_int_equal(s.drift_fields, 1);
	assert_int_equal(s.drift_since, WALL);
	/* Told once, not at every event. */
	fake_status(w.t, deployment("web"), "{\"replicas\":5}");
	says(&w, "");
	/* Somebody puts it back. */
	edit(&w, deployment("web"), "/spec/replicas", "3", "kubectl-edit",
	     "{\"f:spec\":{\"f:replicas\":{}}}");
	says(&w, "gone Deployment shop/web\n");
	assert_true(live_state(w.app, deployment("web"), &s));
	assert_true(s.in_sync);
	fake_asked(w.t, "");
	world_done(&w);
}

static void a_field_that_nobody_owns_any_more_is_drift(void **state)
{
	struct world w;

	(void)state;
	START(&w, WEB);
	/* kubectl scale --replicas=0: ours loses the field, nobody gains it. */
	fake_see(w.t,
		 edited(&w, deployment("web"), "/spec/replicas", "0", "kubectl", "{}", "scale"));
	says(&w, "drift Deployment shop/web; .spec.replicas git 3 live 0 by kubectl/scale "
		 "web.yaml:1\n"
		 "health Deployment shop/web Progressing -> Healthy\n");
	world_done(&w);
}

static void what_others_add_is_none(void **state)
{
	struct world w;
	struct live_state s;

	(void)state;
	START(&w, WEB, CFG);
	edit(&w, config_map("cfg"), "/data/c", "\"3\"", "other", "{\"f:data\":{\"f:c\":{}}}");
	edit(&w, deployment("web"), "/spec/strategy", "{\"type\":\"Recreate\"}", NULL, NULL);
	edit(&w, deployment("web"), "/metadata/annotations/deployment.kubernetes.io~1revision",
	     "\"2\"", NULL, NULL);
	edit(&w, deployment("web"), "/spec/template/spec/containers/-",
	     "{\"name\":\"istio\",\"image\":\"proxy:9\"}", "istio", "{}");
	fake_status(w.t, deployment("web"), "{\"replicas\":3}");
	edit(&w, deployment("web"), "/metadata/generation", "7", NULL, NULL);
	hush(&w);
	assert_true(live_state(w.app, deployment("web"), &s) && s.in_sync);
	/* Without our entry a removal would be lost: no drift, but the next plan looks at it. */
	edit(&w, deployment("web"), "/metadata/managedFields", "[]", NULL, NULL);
	hush(&w);
	assert_int_equal(drifted(&w), 0);
	assert_true(live_state(w.app, deployment("web"), &s) && !s.in_sync);
	send(&w, deployment("web"));
	assert_true(live_state(w.app, deployment("web"), &s) && s.in_sync);
	world_done(&w);
}

static void other_spellings_of_a_value_are_none(void **state)
{
	struct world w;

	(void)state;
	START(&w, DEPLOYMENT("web", "{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\","
				    "\"resources\":{\"limits\":{\"cpu\":\"1000m\",\"memory\":"
				    "\"1024Mi\"}}}]}}}"));
	edit(&w, deployment("web"), "/spec/template/spec/containers/0/resources",
	     "{\"limits\":{\"memory\":\"1Gi\",\"cpu\":\"1\"}}", NULL, NULL);
	says(&w, "");
	assert_int_equal(drifted(&w), 0);
	edit(&w, deployment("web"), "/spec/template/spec/containers/0/resources",
	     "{\"limits\":{\"memory\":\"2Gi\",\"cpu\":\"1\"}}", NULL, NULL);
	says(&w,
	     "drift Deployment shop/web; "
	     ".spec.template.spec.containers[name=\"c\"].resources.limits.memory git \"1024Mi\" "
	     "live \"2Gi\" web.yaml:1\n");
	world_done(&w);
}

static const char *webhook(struct target *t, obj_id id, const char *json)
{
	(void)json;
	if (str_eq(id.kind, STR("Deployment")))
		return DEPLOYMENT("web", "{\"replicas\":3,\"template\":{\"spec\":{\"containers\":[{"
					 "\"name\":\"c\",\"image\":\"mirror/web:1\"}]}}}");
	(void)t;
	return json;
}

static void what_a_webhook_made_of_our_write_is_none(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.t->mutate = webhook;
	world_expect(&w, (const char *const[]){WEB}, 1, "rev");
	send(&w, deployment("web"));
	hush(&w);
	edit(&w, deployment("web"), "/spec/strategy", "{\"type\":\"Recreate\"}", NULL, NULL);
	assert_int_equal(drifted(&w), 0);
	/* Even over a restart. */
	world_restart(&w);
	CLEANUP(arena) struct arena *a = arena_new();
	struct inventory inv = {0};
	inventory_set(a, &inv,
		      (struct inv_entry){.id = deployment("web"),
					 .version = STR("v1"),
					 .origin = INV_CREATED,
					 .state = INV_LIVE});
	assert_null(live_app_restore(w.app, &inv));
	live_app_expect(w.app, w.wants, STR("rev"));
	fake_lists(w.t, "apps", "Deployment");
	hush(&w);
	assert_int_equal(drifted(&w), 0);
	/* Another value there is drift, though. */
	edit(&w, deployment("web"), "/spec/template/spec/containers/0/image", "\"evil:1\"", NULL,
	     NULL);
	says(&w, "drift Deployment shop/web; .spec.template.spec.containers[name=\"c\"].image git "
		 "\"web:1\" live \"evil:1\" web.yaml:1\n");
	world_done(&w);
}

static void deleted_and_made_anew_are_told(void **state)
{
	struct world w;

	(void)state;
	START(&w, CFG);
	fake_gone(w.t, config_map("cfg"));
	says(&w, "drift ConfigMap shop/cfg deleted\n"
		 "health ConfigMap shop/cfg Healthy -> Missing\n");
	fake_see(w.t,
		 "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"cfg\","
		 "\"namespace\":\"shop\",\"uid\":\"other\"," MARKS
		 "},\"data\":{\"a\":\"1\",\"b\":\"2\"}}");
	says(&w, "drift ConfigMap shop/cfg recreated\n"
		 "health ConfigMap shop/cfg Missing -> Healthy\n");
	send(&w, config_map("cfg"));
	hush(&w);
	assert_int_equal(drifted(&w), 0);
	world_done(&w);
}

static void a_stripped_mark_is_drift(void **state)
{
	struct world w;

	(void)state;
	START(&w, CFG);
	edit(&w, config_map("cfg"), "/metadata/labels", NULL, "someone", "{}");
	says(&w, "drift ConfigMap shop/cfg stripped; .metadata.labels git "
		 "{\"leeboard.dev/app\":\"shop\",\"leeboard.dev/instance\":\"prod\"} live - by "
		 "someone web.yaml:1\n");
	world_done(&w);
}

static void values_of_secrets_are_not_told(void **state)
{
	struct world w;
	obj_id id = {STR(""), STR("Secret"), STR("shop"), STR("s")};

	(void)state;
	START(&w, "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\","
		  "\"namespace\":\"shop\"},\"data\":{\"password\":\"aHVudGVyMg==\"}}");
	edit(&w, id, "/data/password", "\"Z3Vlc3NlZA==\"", "kubectl-edit",
	     "{\"f:data\":{\"f:password\":{}}}");
	assert_null(strstr(w.told.p, "aHVudGVyMg"));
	assert_null(strstr(w.told.p, "Z3Vlc3NlZA"));
	assert_int_equal(strncmp(w.told.p, "drift Secret shop/s; .data.password git \"hash ",
				 strlen("drift Secret shop/s; .data.password git \"hash ")),
			 0);
	assert_non_null(strstr(w.told.p, " redacted by kubectl-edit web.yaml:1\n"));
	edit(&w, id, "/data", NULL, NULL, NULL);
	assert_null(strstr(w.told.p, "aHVudGVyMg"));
	/* Nor does the store hold them. */
	assert_string_equal(w.store.rows->b.answer.p, "");
	world_done(&w);
}

/* ------------------------------------------------------------------ rules */

static struct app with_rule(struct ignore_rule *rule, const char *path, const char *manager)
{
	static str paths[1], managers[1];
	struct app doc = {.name = STR("shop"), .drift_mode = DRIFT_HEAL};

	*rule = (struct ignore_rule){.target = {.kind = STR("Deployment")}};
	if (path) {
		paths[0] = str_from(path);
		rule->paths = (struct config_texts){paths, 1, 1};
	}
	if (manager) {
		managers[0] = str_from(manager);
		rule->managers = (struct config_texts){managers, 1, 1};
	}
	doc.drift_ignore = (struct ignore_rules){rule, 1, 1};
	return doc;
}

static void what_is_ignored_is_none(void **state)
{
	static const struct {
		const char *path, *manager;
		bool ignored;
	} rows[] = {
		{"/spec/replicas", NULL, true},
		{"/spec", NULL, true},
		{"/spec/template", NULL, false},
		{"/spec/replicas", "scaler", true},
		{"/spec/replicas", "other", false},
		{NULL, "scaler", true},
		{NULL, NULL, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ignore_rule rule;
		struct world w;

		START(&w, WEB);
		w.doc = with_rule(&rule, rows[i].path, rows[i].manager);
		edit(&w, deployment("web"), "/spec/replicas", "5", "scaler",
		     "{\"f:spec\":{\"f:replicas\":{}}}");
		assert_int_equal(drifted(&w), !rows[i].ignored);
		world_done(&w);
	}
}

static void only_what_a_rule_may_mean_is_read_before_a_write(void **state)
{
	struct ignore_rule rule;
	struct world w;

	(void)state;
	START(&w, WEB, CFG);
	assert_false(live_yields(w.app, wants_get(w.wants, deployment("web"))));
	w.doc = with_rule(&rule, "/spec/replicas", NULL);
	assert_true(live_yields(w.app, wants_get(w.wants, deployment("web"))));
	assert_false(live_yields(w.app, wants_get(w.wants, config_map("cfg"))));
	rule.target.label_selector = STR("app=other");
	assert_true(live_yields(w.app, wants_get(w.wants, deployment("web"))));
	world_done(&w);
}

static void an_object_says_itself_what_to_ignore(void **state)
{
	struct world w;

	(void)state;
	START(&w, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"cfg\","
		  "\"namespace\":\"shop\",\"annotations\":{\"leeboard.dev/ignore\":\"/data/a, "
		  "/data/x\"}},\"data\":{\"a\":\"1\",\"b\":\"2\"}}");
	edit(&w, config_map("cfg"), "/data/a", "\"9\"", NULL, NULL);
	assert_int_equal(drifted(&w), 0);
	edit(&w, config_map("cfg"), "/data/b", "\"9\"", NULL, NULL);
	says(&w, "drift ConfigMap shop/cfg; .data.b git \"2\" live \"9\" web.yaml:1\n");
	world_done(&w);
}

static void an_object_says_itself_how_drift_is_met(void **state)
{
	struct world w;
	struct live_drift d = {0};

	(void)d;
	(void)state;
	START(&w, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"cfg\","
		  "\"namespace\":\"shop\",\"annotations\":{\"leeboard.dev/drift\":\"ignore\"}},"
		  "\"data\":{\"a\":\"1\"}}");
	edit(&w, config_map("cfg"), "/data/a", "\"9\"", NULL, NULL);
	says(&w, "");
	assert_int_equal(drifted(&w), 0);
	world_done(&w);
}

#define HPA                                                                                        \
	"{\"apiVersion\":\"autoscaling/v2\",\"kind\":\"HorizontalPodAutoscaler\",\"metadata\":{"   \
	"\"name\":\"web\",\"namespace\":\"shop\"},\"spec\":{\"scaleTargetRef\":{\"apiVersion\":"   \
	"\"apps/v1\",\"kind\":\"Deployment\",\"name\":\"web\"}}}"

static void autoscalers_have_their_way(void **state)
{
	struct world w;

	(void)state;
	START(&w, WEB, HPA);
	edit(&w, deployment("web"), "/spec/replicas", "5", "anybody",
	     "{\"f:spec\":{\"f:replicas\":{}}}");
	says(&w, "");
	world_done(&w);

	/* One that is not in Git shows in who wrote. */
	START(&w, WEB);
	fake_see(w.t,
		 edited(&w, deployment("web"), "/spec/replicas", "5", "kube-controller-manager",
			"{\"f:spec\":{\"f:replicas\":{}}}", "scale"));
	says(&w, "");
	world_done(&w);

	START(&w, WEB, HPA);
	w.doc.drift_autoscalers = AUTOSCALERS_OWN;
	edit(&w, deployment("web"), "/spec/replicas", "5", "anybody",
	     "{\"f:spec\":{\"f:replicas\":{}}}");
	assert_int_equal(drifted(&w), 1);
	world_done(&w);
}

static void rules_that_change_are_heeded(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct ignore_rule rule;
	struct world w;
	struct app doc;

	(void)state;
	START(&w, WEB);
	edit(&w, deployment("web"), "/spec/replicas", "5", NULL, NULL);
	hush(&w);
	doc = with_rule(&rule, "/spec/replicas", NULL);
	doc.spec = fake_json(a, "{\"drift\":{\"ignore\":[1]}}");
	live_app_config(w.app, &doc);
	fake_settle(w.loop);
	fake_asked(w.t, "get Deployment shop/web\n");
	says(&w, "gone Deployment shop/web\n");
	live_app_config(w.app, &w.doc);
	fake_settle(w.loop);
	says(&w, "drift Deployment shop/web; .spec.replicas git 3 live 5 web.yaml:1\n");
	world_done(&w);
}

/* ------------------------------------------------------------------ time */

static void drift_within_grace_is_not_told(void **state)
{
	struct world w;

	(void)state;
	START(&w, CFG);
	w.doc.drift_grace = 10 * SECOND;
	edit(&w, config_map("cfg"), "/data/a", "\"9\"", NULL, NULL);
	clock_turn(w.loop, 9 * SECOND);
	edit(&w, config_map("cfg"), "/data/a", "\"1\"", NULL, NULL);
	clock_turn(w.loop, MINUTE);
	says(&w, "");
	edit(&w, config_map("cfg"), "/data/a", "\"9\"", NULL, NULL);
	clock_turn(w.loop, 5 * SECOND);
	edit(&w, config_map("cfg"), "/data/a", "\"8\"", NULL, NULL);
	says(&w, "");
	clock_turn(w.loop, 5 * SECOND);
	says(&w, "drift ConfigMap shop/cfg; .data.a git \"1\" live \"8\" web.yaml:1\n");
	world_done(&w);
}

static void a_fight_is_counted(void **state)
{
	struct world w;

	(void)state;
	START(&w, CFG);
	for (int i = 0; i < 3; i++) {
		edit(&w, config_map("cfg"), "/data/a", "\"9\"", "op", "{\"f:data\":{\"f:a\":{}}}");
		send(&w, config_map("cfg"));
		clock_turn(w.loop, MINUTE);
	}
	hush(&w);
	edit(&w, config_map("cfg"), "/data/a", "\"9\"", "op", "{\"f:data\":{\"f:a\":{}}}");
	says(&w, "drift ConfigMap shop/cfg fights 3; .data.a git \"1\" live \"9\" by op "
		 "web.yaml:1\n");
	send(&w, config_map("cfg"));
	clock_turn(w.loop, LIVE_FIGHT_SPAN);
	hush(&w);
	edit(&w, config_map("cfg"), "/data/a", "\"9\"", NULL, NULL);
	says(&w, "drift ConfigMap shop/cfg; .data.a git \"1\" live \"9\" web.yaml:1\n");
	world_done(&w);
}

static void what_happened_before_our_write_is_not_told_after_it(void **state)
{
	struct world w;
	const char *before, *after;

	(void)state;
	START(&w, CFG);
	before = edited(&w, config_map("cfg"), "/data/a", "\"9\"", NULL, NULL, NULL);
	w.t->quiet = true;
	send(&w, config_map("cfg"));
	after = arena_str(w.arena, str_from(fake_find(w.t, config_map("cfg"))->json)).p;
	fake_see(w.t, before); /* late, from the watch's own connection */
	says(&w, "");
	assert_int_equal(drifted(&w), 0);
	fake_see(w.t, after);
	says(&w, "");
	world_done(&w);
}

static void what_happens_while_we_write_is_looked_at_after_it(void **state)
{
	struct world w;
	const struct want *want;
	CLEANUP(arena) struct arena *a = arena_new();
	struct target_live answer;

	(void)state;
	START(&w, CFG);
	want = wants_get(w.wants, config_map("cfg"));
	answer = fake_live(a, fake_find(w.t, config_map("cfg")));
	assert_null(live_sending(w.app, want));
	edit(&w, config_map("cfg"), "/data/a", "\"9\"", NULL, NULL);
	says(&w, "");
	assert_null(live_sent(w.app, want, &answer, STR("rev")));
	fake_settle(w.loop);
	fake_asked(w.t, "get ConfigMap shop/cfg\n");
	says(&w, "drift ConfigMap shop/cfg; .data.a git \"1\" live \"9\" web.yaml:1\n");

	/* A write that failed leaves the question open, too. */
	hush(&w);
	assert_null(live_sending(w.app, want));
	edit(&w, config_map("cfg"), "/data/a", "\"1\"", NULL, NULL);
	live_not_sent(w.app, config_map("cfg"));
	fake_settle(w.loop);
	says(&w, "gone ConfigMap shop/cfg\n");
	world_done(&w);
}

static void a_read_does_not_make_drift_the_baseline(void **state)
{
	struct world w;
	CLEANUP(arena) struct arena *a = arena_new();
	struct target_live read;
	const struct want *want;

	(void)state;
	START(&w, CFG);
	want = wants_get(w.wants, config_map("cfg"));
	edit(&w, config_map("cfg"), "/data/a", "\"9\"", NULL, NULL);
	hush(&w);
	read = fake_live(a, fake_find(w.t, config_map("cfg")));
	assert_null(live_sent(w.app, want, &read, STR("rev2")));
	assert_int_equal(drifted(&w), 1);
	says(&w, "");
	/* Git now says what live says, and nothing is written. */
	world_expect(&w, (const char *const[]){CONFIG("cfg", "{\"a\":\"9\",\"b\":\"2\"}")}, 1,
		     "rev3");
	assert_null(live_sent(w.app, wants_get(w.wants, config_map("cfg")), &read, STR("rev3")));
	assert_int_equal(drifted(&w), 0);
	fake_settle(w.loop);
	says(&w, "");
	fake_asked(w.t, "");
	world_done(&w);
}

static void a_new_revision_is_no_drift(void **state)
{
	struct world w;
	static const char *const next[] = {CONFIG("cfg", "{\"a\":\"7\"}")};

	(void)state;
	START(&w, CFG);
	world_expect(&w, next, 1, "rev2");
	fake_see_again(w.t, config_map("cfg"));
	edit(&w, config_map("cfg"), "/data/a", "\"5\"", NULL, NULL);
	says(&w, "");
	send(&w, config_map("cfg"));
	hush(&w);
	edit(&w, config_map("cfg"), "/data/a", "\"5\"", NULL, NULL);
	says(&w, "drift ConfigMap shop/cfg; .data.a git \"7\" live \"5\" web.yaml:1\n");
	/* What is pruned is none either. */
	world_expect(&w, NULL, 0, "rev3");
	hush(&w);
	assert_null(live_forget(w.app, config_map("cfg")));
	fake_gone(w.t, config_map("cfg"));
	says(&w, "");
	fake_asked(w.t, "unwatch v1/ConfigMap\n");
	assert_null(w.store.rows);
	world_done(&w);
}

static void values_that_are_too_long_are_cut(void **state)
{
	struct world w;
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	START(&w, CFG);
	buf_char(&b, '"');
	for (int i = 0; i < 10000; i++)
		buf_char(&b, 'x');
	buf_char(&b, '"');
	edit(&w, config_map("cfg"), "/data/a", b.p, NULL, NULL);
	says(&w, "drift ConfigMap shop/cfg; .data.a git \"1\" live \"(10002 bytes)\" web.yaml:1\n");
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_write_is_none),
		cmocka_unit_test(an_edit_is_told_with_writer_and_line),
		cmocka_unit_test(a_field_that_nobody_owns_any_more_is_drift),
		cmocka_unit_test(what_others_add_is_none),
		cmocka_unit_test(other_spellings_of_a_value_are_none),
		cmocka_unit_test(what_a_webhook_made_of_our_write_is_none),
		cmocka_unit_test(deleted_and_made_anew_are_told),
		cmocka_unit_test(a_stripped_mark_is_drift),
		cmocka_unit_test(values_of_secrets_are_not_told),
		cmocka_unit_test(what_is_ignored_is_none),
		cmocka_unit_test(only_what_a_rule_may_mean_is_read_before_a_write),
		cmocka_unit_test(an_object_says_itself_what_to_ignore),
		cmocka_unit_test(an_object_says_itself_how_drift_is_met),
		cmocka_unit_test(autoscalers_have_their_way),
		cmocka_unit_test(rules_that_change_are_heeded),
		cmocka_unit_test(drift_within_grace_is_not_told),
		cmocka_unit_test(a_fight_is_counted),
		cmocka_unit_test(what_happened_before_our_write_is_not_told_after_it),
		cmocka_unit_test(what_happens_while_we_write_is_looked_at_after_it),
		cmocka_unit_test(a_read_does_not_make_drift_the_baseline),
		cmocka_unit_test(a_new_revision_is_no_drift),
		cmocka_unit_test(values_that_are_too_long_are_cut),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
