/* A plan goes out: what is sent when, what is waited for, what a failure takes along, what is
 * recorded. */
#include "leeboard/apply.h"

#include "live/world.h"

/* ------------------------------------------------------------------ a plan by hand */

#define MOST 16
struct sync {
	struct world w;
	struct plan plan;
	struct plan_step steps[MOST];
	struct plan_edge edges[MOST * 2];
	size_t edges_n;
	struct inventory inv;
	struct apply *apply;
	struct buf log; /* what apply told */
	bool journal_fails, free_when_done;
	const char *old[MOST]; /* what was sent before */
	size_t old_n;
	struct wants *before;
};

static const char *const results[] = {
	[APPLY_CREATED] = "created", [APPLY_CHANGED] = "changed", [APPLY_UNCHANGED] = "unchanged",
	[APPLY_DELETED] = "deleted", [APPLY_KEPT] = "kept",       [APPLY_FAILED] = "failed",
	[APPLY_BLOCKED] = "blocked", [APPLY_TIMEOUT] = "timeout", [APPLY_SKIPPED] = "skipped",
};

static void say_step(struct sync *s, const struct apply_step *x)
{
	CLEANUP(arena) struct arena *a = arena_new();

	buf_printf(&s->log, "%s " STR_FMT, results[x->result],
		   STR_ARG(obj_id_label(a, x->step->id)));
	if (x->health.state != HEALTH_UNKNOWN)
		buf_printf(&s->log, " " STR_FMT, STR_ARG(health_state_name(x->health.state)));
	if (x->health.state != HEALTH_UNKNOWN && x->health.state != HEALTH_HEALTHY)
		buf_printf(&s->log, " (" STR_FMT ")", STR_ARG(x->health.message));
	if (x->blocked_by.n)
		buf_printf(&s->log, " by " STR_FMT, STR_ARG(x->blocked_by));
	if (x->err) {
		buf_str(&s->log, STR(": "));
		err_line_to(x->err, &s->log);
	}
	buf_char(&s->log, '\n');
}
static struct err *on_journal(void *arg, size_t wave, size_t waves,
			      const struct plan_step *const *steps, size_t n)
{
	struct sync *s = arg;

	if (s->journal_fails)
		return err_new(ERR_STORAGE, "no space left on device");
	buf_printf(&s->log, "journal %zu/%zu:", wave, waves);
	for (size_t i = 0; i < n; i++)
		buf_printf(&s->log, " " STR_FMT, STR_ARG(steps[i]->id.name));
	buf_char(&s->log, '\n');
	return NULL;
}
static void on_step(void *arg, const struct apply_step *x)
{
	say_step(arg, x);
}
static void on_ready(void *arg)
{
	struct sync *s = arg;

	buf_str(&s->log, STR("ready to prune\n"));
}
static void on_done(void *arg, bool ok, const struct apply_step *first)
{
	struct sync *s = arg;

	buf_str(&s->log, ok ? STR("done\n") : STR("failed first: "));
	if (first)
		say_step(s, first);
	if (s->free_when_done) {
		apply_free(s->apply);
		s->apply = NULL;
	}
}

static void sync_init(struct sync *s)
{
	*s = (struct sync){0};
	world_init(&s->w);
}

static void sync_done(struct sync *s)
{
	apply_free(s->apply);
	world_done(&s->w);
	wants_free(s->before);
	buf_done(&s->log);
}

/* The next step. wants: as JSON, or NULL with an id. */
static struct plan_step *step(struct sync *s, enum plan_action action, const char *json,
			      size_t wave)
{
	struct plan_step *x = &s->steps[s->plan.n++];
	struct want *w = NULL;

	assert_true(s->plan.n <= MOST);
	if (json) {
		fake_want(s->w.wants, json);
		w = &s->w.wants->p[s->w.wants->n - 1];
	}
	*x = (struct plan_step){
		.action = action,
		.wave = wave,
		.force = action != PLAN_CREATE,
		.origin = INV_CREATED,
		.blocked_by = SIZE_MAX,
		.timeout = 5 * MINUTE,
	};
	if (w) {
		x->id = w->id;
		x->version = w->version;
	}
	return x;
}

static struct plan_step *gone(struct sync *s, enum plan_action action, const char *name,
			      size_t wave)
{
	struct plan_step *x = step(s, action, NULL, wave);

	x->id = config_map(name);
	x->version = STR("v1");
	return x;
}

/* Step `from` waits for `to`. */
static void edge(struct sync *s, size_t from, size_t to, enum graph_reason why)
{
	struct plan_edge *e = &s->edges[s->edges_n++];
	struct plan_step *x = &s->steps[from];

	*e = (struct plan_edge){.step = (uint32_t)to, .why = why};
	if (!x->edges_n)
		x->edges = e;
	assert_ptr_equal(x->edges + x->edges_n, e); /* edges of one step are given together */
	x->edges_n++;
}

static void begin(struct sync *s)
{
	struct apply_calls calls = {s, on_journal, on_step, NULL, on_ready, on_done};
	struct apply_opts o = {.loop = s->w.loop,
			       .app = s->w.app,
			       .plan = &s->plan,
			       .wants = s->w.wants,
			       .inventory = &s->inv,
			       .inventory_arena = s->w.arena,
			       .prune = true,
			       .wait_health = s->w.doc.health_wait,
			       .revision = STR("rev")};

	/* wants_add may have moved them */
	for (size_t i = 0; i < s->plan.n; i++) {
		s->steps[i].want = wants_get(s->w.wants, s->steps[i].id);
		if (s->steps[i].action != PLAN_DELETE && s->steps[i].wave >= s->plan.waves)
			s->plan.waves = s->steps[i].wave + 1;
	}
	s->plan.steps = s->steps;
	live_app_expect(s->w.app, s->w.wants, STR("rev"));
	assert_null(apply_start(&o, &calls, &s->apply));
	assert_int_equal(s->log.n, 0); /* nothing out of the call */
	fake_settle(s->w.loop);
}

static void told(struct sync *s, const char *want)
{
	assert_string_equal(s->log.n ? s->log.p : "", want);
	buf_clear(&s->log);
	if (s->log.p)
		s->log.p[0] = '\0';
}

static void asked(struct sync *s, const char *want)
{
	fake_asked(s->w.t, want);
}

/* It was sent by an earlier sync. */
static void owned(struct sync *s, const char *json)
{
	s->old[s->old_n++] = json;
}

static void restore(struct sync *s)
{
	world_expect(&s->w, s->old, s->old_n, "rev0");
	for (size_t i = 0; i < s->old_n; i++) {
		const struct fake_object *o;
		obj_id id = s->w.wants->p[i].id;

		send(&s->w, id);
		o = fake_find(s->w.t, id);
		inventory_set(s->w.arena, &s->inv,
			      (struct inv_entry){.id = o->id,
						 .version = str_from(o->version),
						 .uid = str_from(o->uid),
						 .origin = INV_CREATED,
						 .state = INV_LIVE});
	}
	hush(&s->w);
	s->before = s->w.wants;
	s->w.wants = wants_new();
}

#define WELL                                                                                       \
	"{\"observedGeneration\":1,\"replicas\":1,\"updatedReplicas\":1,\"availableReplicas\":1}"
#define BAD                                                                                        \
	"{\"observedGeneration\":1,\"conditions\":[{\"type\":\"Progressing\",\"status\":"          \
	"\"False\",\"reason\":\"ProgressDeadlineExceeded\"}]}"
#define CFG(name) CONFIG(name, "{\"a\":\"1\"}")
#define WEB(name)                                                                                  \
	DEPLOYMENT(name, "{\"replicas\":1,\"selector\":{\"matchLabels\":{\"app\":\"" name          \
			 "\"}},\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":" \
			 "\"web:1\"}]}}}")
#define NAMESPACE "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"shop\"}}"

/* ------------------------------------------------------------------ tests */

static void an_app_is_made(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	step(&s, PLAN_CREATE, NAMESPACE, 0);
	step(&s, PLAN_CREATE, CFG("cfg"), 1);
	step(&s, PLAN_CREATE, WEB("web"), 2);
	edge(&s, 1, 0, GRAPH_NAMESPACE);
	edge(&s, 2, 0, GRAPH_NAMESPACE);
	edge(&s, 2, 1, GRAPH_REFERENCE);
	begin(&s);
	asked(&s, "inventory cfg:cp shop:cp web:cp\n"
		  "apply Namespace shop unforced new\nwatch v1/Namespace\n"
		  "apply ConfigMap shop/cfg unforced new\nwatch v1/ConfigMap\n"
		  "apply Deployment shop/web unforced new\nwatch v1/Deployment\n");
	told(&s, "journal 0/3: shop\ncreated Namespace shop\ncreated Namespace shop Healthy\n"
		 "journal 1/3: cfg\ncreated ConfigMap shop/cfg\njournal 2/3: web\n"
		 "created ConfigMap shop/cfg Healthy\ncreated Deployment shop/web\n");
	fake_status(s.w.t, deployment("web"), WELL);
	fake_settle(s.w.loop);
	told(&s, "created Deployment shop/web Healthy\ndone\n");
	asked(&s, "inventory cfg:cl shop:cl web:cl\n");
	assert_string_equal(s.w.t->inventory.p, "/ConfigMap/shop/cfg\tv1\tu2\tc\tl\n"
						"/Namespace//shop\tv1\tu1\tc\tl\n"
						"apps/Deployment/shop/web\tv1\tu3\tc\tl\n");
	assert_int_equal(s.inv.n, 3);
	assert_int_equal(apply_count(s.apply).created, 3);
	assert_int_equal(apply_count(s.apply).writes, 3);
	assert_int_equal(apply_count(s.apply).requests, 5);
	sync_done(&s);
}

static void what_may_go_goes_at_once(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	s.w.doc.health_wait = false;
	step(&s, PLAN_CREATE, CFG("a"), 0);
	step(&s, PLAN_CREATE, CFG("b"), 0);
	step(&s, PLAN_CREATE, CFG("c"), 1); /* a later wave, but nothing that it waits for */
	s.w.t->hold = true;
	begin(&s);
	asked(&s, "inventory a:cp b:cp c:cp\n");
	fake_release(s.w.t);
	asked(&s, "apply ConfigMap shop/a unforced new\napply ConfigMap shop/b unforced new\n"
		  "apply ConfigMap shop/c unforced new\n");
	for (int i = 0; i < 3; i++)
		fake_release(s.w.t);
	fake_release(s.w.t); /* inventory */
	fake_settle(s.w.loop);
	told(&s, "journal 0/2: a b\njournal 1/2: c\ncreated ConfigMap shop/a\n"
		 "created ConfigMap shop/b\ncreated ConfigMap shop/c\ndone\n");
	sync_done(&s);
}

static void a_change_writes_no_inventory(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	owned(&s, CONFIG("cfg", "{\"a\":\"0\"}"));
	restore(&s);
	step(&s, PLAN_CHANGE, CFG("cfg"), 0);
	begin(&s);
	asked(&s, "apply ConfigMap shop/cfg\n");
	told(&s, "journal 0/1: cfg\nchanged ConfigMap shop/cfg\n"
		 "changed ConfigMap shop/cfg Healthy\ndone\n");
	sync_done(&s);
}

static void a_failure_blocks_only_what_needs_it(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	s.w.t->failures[0] = (struct fake_failure){"ConfigMap shop/a", ERR_INVALID_OBJECT, 1};
	step(&s, PLAN_CREATE, CFG("a"), 0);
	step(&s, PLAN_CREATE, CFG("b"), 1);
	step(&s, PLAN_CREATE, CFG("c"), 2);
	step(&s, PLAN_CREATE, CFG("d"), 0);
	edge(&s, 1, 0, GRAPH_REFERENCE);
	edge(&s, 2, 1, GRAPH_DEPENDS_ON);
	gone(&s, PLAN_DELETE, "old", 3);
	begin(&s);
	told(&s, "journal 0/3: a d\n"
		 "failed ConfigMap shop/a: refused by the fake\n"
		 "blocked ConfigMap shop/b by ConfigMap shop/a\n"
		 "blocked ConfigMap shop/c by ConfigMap shop/a\n"
		 "created ConfigMap shop/d\ncreated ConfigMap shop/d Healthy\n"
		 "skipped ConfigMap shop/old\n"
		 "failed first: failed ConfigMap shop/a: refused by the fake\n");
	/* What was not written stays pending: it is named in any case. */
	asked(&s, "inventory a:cp b:cp c:cp d:cp\napply ConfigMap shop/a unforced new\n"
		  "apply ConfigMap shop/d unforced new\nwatch v1/ConfigMap\n"
		  "inventory a:cp b:cp c:cp d:cl\n");
	assert_int_equal(apply_count(s.apply).failed, 1);
	assert_int_equal(apply_count(s.apply).blocked, 2);
	sync_done(&s);
}

static void on_error_stop_sends_nothing_more(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	s.w.doc.on_error = ON_ERROR_STOP;
	s.w.t->failures[0] = (struct fake_failure){"ConfigMap shop/a", ERR_DENIED, 1};
	step(&s, PLAN_CREATE, CFG("a"), 0);
	step(&s, PLAN_CREATE, WEB("w"), 0);
	step(&s, PLAN_CREATE, CFG("c"), 1);
	edge(&s, 2, 1, GRAPH_DEPENDS_ON);
	begin(&s);
	told(&s, "journal 0/2: a w\nfailed ConfigMap shop/a: refused by the fake\n"
		 "skipped ConfigMap shop/c\ncreated Deployment shop/w\n");
	fake_status(s.w.t, deployment("w"), WELL);
	fake_settle(s.w.loop);
	told(&s, "created Deployment shop/w Healthy\n"
		 "failed first: failed ConfigMap shop/a: refused by the fake\n");
	sync_done(&s);
}

static void dependants_wait_for_health(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	s.w.doc.health_wait = false; /* somebody waits for it all the same */
	step(&s, PLAN_CREATE, WEB("db"), 0);
	step(&s, PLAN_CREATE, WEB("web"), 1);
	edge(&s, 1, 0, GRAPH_DEPENDS_ON);
	begin(&s);
	told(&s, "journal 0/2: db\ncreated Deployment shop/db\n");
	fake_status(s.w.t, deployment("db"), WELL);
	fake_settle(s.w.loop);
	told(&s, "created Deployment shop/db Healthy\njournal 1/2: web\n"
		 "created Deployment shop/web\ndone\n");
	sync_done(&s);
}

static void an_unchanged_object_is_waited_for_too(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	owned(&s, WEB("db"));
	restore(&s);
	step(&s, PLAN_NONE, WEB("db"), 0);
	step(&s, PLAN_CREATE, CFG("cfg"), 1);
	edge(&s, 1, 0, GRAPH_DEPENDS_ON);
	begin(&s);
	told(&s, "");
	clock_turn(s.w.loop, 5 * MINUTE);
	fake_settle(s.w.loop);
	told(&s, "blocked ConfigMap shop/cfg by Deployment shop/db\n"
		 "failed first: blocked ConfigMap shop/cfg by Deployment shop/db: waits for "
		 "Deployment shop/db: new replicas are being made\n");
	sync_done(&s);
}

#define CRD                                                                                        \
	"{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\","       \
	"\"metadata\":{\"name\":\"things.example.org\"}}"
#define THING                                                                                      \
	"{\"apiVersion\":\"example.org/v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"x\","      \
	"\"namespace\":\"shop\"}}"
#define ESTABLISHED "{\"conditions\":[{\"type\":\"Established\",\"status\":\"True\"}]}"

#define POD(name, ready, state)                                                                    \
	"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name                   \
	"\",\"namespace\":\"shop\"},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":"   \
	"\"" ready "\"}],\"containerStatuses\":[{\"name\":\"c\",\"state\":" state "}]}}"

static void what_is_degraded_fails_at_once_with_its_first_cause(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	buf_str(&s.w.t->pods, STR("[" POD("web-1", "True", "{\"running\":{}}") "," POD(
				      "web-2", "False",
				      "{\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":"
				      "\"\\\"web:1\\\" not "
				      "found\"}}") "]"));
	step(&s, PLAN_CREATE, WEB("web"), 0);
	begin(&s);
	asked(&s,
	      "inventory web:cp\napply Deployment shop/web unforced new\nwatch v1/Deployment\n");
	fake_status(s.w.t, deployment("web"), BAD);
	fake_settle(s.w.loop);
	told(&s, "journal 0/1: web\ncreated Deployment shop/web\n"
		 "failed Deployment shop/web Degraded (ImagePullBackOff: \"web:1\" not found; 1 of "
		 "2 pods are ready)\n"
		 "failed first: failed Deployment shop/web Degraded (ImagePullBackOff: \"web:1\" "
		 "not found; 1 of 2 pods are ready)\n");
	asked(&s, "list Pod app=web\ninventory web:cl\n");
	{
		size_t n;
		const struct apply_step *x = apply_steps(s.apply, &n);

		assert_int_equal(n, 1);
		assert_string_equal(x->health.reason.p, "ImagePullBackOff");
	}
	sync_done(&s);
}

static void a_custom_kind_may_fail_and_try_again(void **state)
{
	struct sync s;
	obj_id id = {STR("example.org"), STR("Thing"), STR("shop"), STR("x")};

	(void)state;
	sync_init(&s);
	step(&s, PLAN_CREATE, THING, 0);
	s.w.t->has_status = true;
	begin(&s);
	hush(&s.w);
	fake_status(s.w.t, id, "{\"phase\":\"Failed\",\"message\":\"no database yet\"}");
	clock_turn(s.w.loop, 20 * SECOND);
	fake_status(s.w.t, id, "{\"phase\":\"Running\"}");
	clock_turn(s.w.loop, 10 * SECOND);
	fake_settle(s.w.loop);
	told(&s, "journal 0/1: x\ncreated Thing shop/x\ncreated Thing shop/x Healthy\ndone\n");
	sync_done(&s);

	sync_init(&s);
	step(&s, PLAN_CREATE, THING, 0);
	s.w.t->has_status = true;
	begin(&s);
	fake_status(s.w.t, id, "{\"phase\":\"Failed\",\"message\":\"no such database\"}");
	clock_turn(s.w.loop, 30 * SECOND);
	fake_settle(s.w.loop);
	told(&s, "journal 0/1: x\ncreated Thing shop/x\n"
		 "failed Thing shop/x Degraded (no such database)\n"
		 "failed first: failed Thing shop/x Degraded (no such database)\n");
	sync_done(&s);
}

static void time_is_limited(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	step(&s, PLAN_CREATE, WEB("web"), 0)->timeout = MINUTE;
	/* Its startup probe may take 100 s more. */
	step(&s, PLAN_CREATE,
	     DEPLOYMENT("slow", "{\"replicas\":1,\"template\":{\"spec\":{\"containers\":[{\"name\":"
				"\"c\",\"startupProbe\":{\"failureThreshold\":20,\"periodSeconds\":"
				"5}}]}}}"),
	     0)
		->timeout = MINUTE;
	begin(&s);
	clock_turn(s.w.loop, MINUTE);
	fake_settle(s.w.loop);
	told(&s,
	     "journal 0/1: web slow\ncreated Deployment shop/web\ncreated Deployment shop/slow\n"
	     "timeout Deployment shop/web Progressing (new replicas are being made)\n");
	clock_turn(s.w.loop, 99 * SECOND);
	told(&s, "");
	clock_turn(s.w.loop, SECOND);
	fake_settle(s.w.loop);
	told(&s, "timeout Deployment shop/slow Progressing (new replicas are being made)\n"
		 "failed first: timeout Deployment shop/web Progressing (new replicas are being "
		 "made)\n");
	sync_done(&s);
}

static void a_custom_object_waits_until_its_kind_is_served(void **state)
{
	struct sync s;
	obj_id crd = {STR("apiextensions.k8s.io"), STR("CustomResourceDefinition"), STR(""),
		      STR("things.example.org")};

	(void)state;
	sync_init(&s);
	s.w.t->unserved = "Thing";
	step(&s, PLAN_CREATE, CRD, 0);
	step(&s, PLAN_CREATE, THING, 1);
	edge(&s, 1, 0, GRAPH_CRD);
	begin(&s);
	told(&s, "journal 0/2: things.example.org\n"
		 "created CustomResourceDefinition things.example.org\n");
	hush(&s.w);
	fake_status(s.w.t, crd, ESTABLISHED);
	fake_settle(s.w.loop);
	asked(&s, "discover\napply Thing shop/x unforced new\nwatch v1/Thing\n"
		  "inventory things.example.org:cl x:cl\n");
	told(&s, "created CustomResourceDefinition things.example.org Healthy\njournal 1/2: x\n"
		 "created Thing shop/x\ncreated Thing shop/x Healthy\ndone\n");
	sync_done(&s);
}

static void waves_that_are_written_down_are_barriers(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	step(&s, PLAN_CREATE, CFG("first"), 0);
	step(&s, PLAN_CREATE, WEB("web"), 0);
	step(&s, PLAN_CREATE,
	     "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"last\","
	     "\"namespace\":\"shop\",\"annotations\":{\"leeboard.dev/wave\":\"2\"}}}",
	     1);
	begin(&s);
	told(&s, "journal 0/2: first web\ncreated ConfigMap shop/first\n"
		 "created Deployment shop/web\ncreated ConfigMap shop/first Healthy\n");
	fake_status(s.w.t, deployment("web"), WELL);
	fake_settle(s.w.loop);
	told(&s, "created Deployment shop/web Healthy\njournal 1/2: last\n"
		 "created ConfigMap shop/last\ncreated ConfigMap shop/last Healthy\ndone\n");
	sync_done(&s);

	sync_init(&s);
	s.w.t->failures[0] = (struct fake_failure){"ConfigMap shop/first", ERR_DENIED, 1};
	step(&s, PLAN_CREATE, CFG("first"), 0);
	step(&s, PLAN_CREATE,
	     "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"last\","
	     "\"namespace\":\"shop\",\"annotations\":{\"argocd.argoproj.io/sync-wave\":\"1\"}}}",
	     1);
	begin(&s);
	told(&s, "journal 0/2: first\nfailed ConfigMap shop/first: refused by the fake\n"
		 "blocked ConfigMap shop/last by ConfigMap shop/first\n"
		 "failed first: failed ConfigMap shop/first: refused by the fake\n");
	sync_done(&s);
}

#define HOOK                                                                                       \
	"{\"apiVersion\":\"admissionregistration.k8s.io/v1\",\"kind\":"                            \
	"\"ValidatingWebhookConfiguration\",\"metadata\":{\"name\":\"guard\"}}"

static void webhooks_come_after_everything_else(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	s.w.doc.health_wait = false;
	step(&s, PLAN_CREATE, HOOK, 0);
	step(&s, PLAN_CREATE, CFG("a"), 0);
	step(&s, PLAN_CREATE, CFG("b"), 0);
	/* What fails does not hold it back. */
	s.w.t->failures[0] = (struct fake_failure){"ConfigMap shop/a", ERR_DENIED, 1};
	begin(&s);
	told(&s, "journal 0/1: guard a b\nfailed ConfigMap shop/a: refused by the fake\n"
		 "created ConfigMap shop/b\ncreated ValidatingWebhookConfiguration guard\n"
		 "failed first: failed ConfigMap shop/a: refused by the fake\n");
	sync_done(&s);

	sync_init(&s);
	step(&s, PLAN_CREATE, HOOK, 0);
	step(&s, PLAN_REFUSED, CFG("a"), 0)->message = STR("no");
	begin(&s);
	told(&s, "journal 0/1: guard\ncreated ValidatingWebhookConfiguration guard\n"
		 "created ValidatingWebhookConfiguration guard Healthy\n"
		 "failed first: failed ConfigMap shop/a: no\n");
	sync_done(&s);
}

static void pruning_comes_last_and_in_order(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	owned(&s, CFG("old-user"));
	owned(&s, CFG("old-base"));
	restore(&s);
	step(&s, PLAN_CREATE, CFG("new"), 0);
	gone(&s, PLAN_DELETE, "old-user", 1);
	gone(&s, PLAN_DELETE, "old-base", 2);
	edge(&s, 2, 1, GRAPH_REFERENCE);
	s.plan.delete_waves = 2;
	begin(&s);
	asked(&s,
	      "inventory new:cp old-base:cl old-user:cl\napply ConfigMap shop/new unforced new\n"
	      "inventory new:cl old-base:cd old-user:cd\n");
	told(&s,
	     "journal 0/3: new\ncreated ConfigMap shop/new\ncreated ConfigMap shop/new Healthy\n"
	     "ready to prune\n");
	apply_prune(s.apply);
	asked(&s, "");
	s.w.t->hold = true;
	fake_settle(s.w.loop);
	asked(&s, "delete ConfigMap shop/old-user u1\n");
	s.w.t->hold = false;
	fake_release(s.w.t);
	fake_settle(s.w.loop);
	asked(&s, "delete ConfigMap shop/old-base u2\ninventory new:cl\n");
	told(&s, "journal 1/3: old-user\ndeleted ConfigMap shop/old-user\njournal 2/3: old-base\n"
		 "deleted ConfigMap shop/old-base\ndone\n");
	assert_int_equal(s.inv.n, 1);
	says(&s.w, "health ConfigMap shop/new Unknown -> Healthy\n"
		   "health ConfigMap shop/old-user Healthy -> Missing\n"
		   "health ConfigMap shop/old-base Healthy -> Missing\n"); /* and no drift */
	assert_int_equal(apply_count(s.apply).deleted, 2);
	sync_done(&s);
}

static void a_deletion_that_hangs_keeps_its_place(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	owned(&s, CFG("old-user"));
	owned(&s, CFG("old-base"));
	owned(&s, CFG("other"));
	restore(&s);
	s.w.t->failures[0] = (struct fake_failure){"ConfigMap shop/old-user", ERR_FINALIZER, 1};
	gone(&s, PLAN_DELETE, "old-user", 0);
	gone(&s, PLAN_DELETE, "old-base", 1);
	edge(&s, 1, 0, GRAPH_REFERENCE);
	gone(&s, PLAN_DELETE, "other", 0);
	s.plan.delete_waves = 2;
	begin(&s);
	apply_prune(s.apply);
	fake_settle(s.w.loop);
	asked(&s, "inventory old-base:cd old-user:cd other:cd\n"
		  "delete ConfigMap shop/old-user u1\ndelete ConfigMap shop/other u3\n"
		  "inventory old-base:cd old-user:cd\n");
	told(&s, "ready to prune\njournal 0/2: old-user other\n"
		 "failed ConfigMap shop/old-user: refused by the fake\n"
		 "blocked ConfigMap shop/old-base by ConfigMap shop/old-user\n"
		 "deleted ConfigMap shop/other\n"
		 "failed first: failed ConfigMap shop/old-user: refused by the fake\n");
	sync_done(&s);
}

static void namespaces_and_kinds_go_when_what_they_hold_is_gone(void **state)
{
	static const char ns[] =
		"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"shop\"}}";

	(void)state;
	/* Whatever waves the plan gives them. */
	for (int hangs = 0; hangs < 2; hangs++) {
		struct sync s;

		sync_init(&s);
		owned(&s, CFG("old"));
		owned(&s, THING);
		owned(&s, CRD);
		owned(&s, ns);
		restore(&s);
		for (size_t i = 4; i-- > 0;) {
			struct plan_step *x = step(&s, PLAN_DELETE, NULL, 0);

			x->id = s.inv.p[i].id;
			x->version = STR("v1");
			s.plan.delete_waves = 1;
		}
		if (hangs)
			s.w.t->failures[0] =
				(struct fake_failure){"Thing shop/x", ERR_FINALIZER, 1};
		begin(&s);
		apply_prune(s.apply);
		hush(&s.w);
		if (hangs)
			told(&s, "ready to prune\njournal 0/1: x things.example.org shop old\n"
				 "failed Thing shop/x: refused by the fake\n"
				 "deleted ConfigMap shop/old\n"
				 "blocked CustomResourceDefinition things.example.org by Thing "
				 "shop/x\n"
				 "blocked Namespace shop by Thing shop/x\n"
				 "failed first: failed Thing shop/x: refused by the fake\n");
		else
			told(&s, "ready to prune\njournal 0/1: x things.example.org shop old\n"
				 "deleted Thing shop/x\ndeleted ConfigMap shop/old\n"
				 "deleted CustomResourceDefinition things.example.org\n"
				 "deleted Namespace shop\ndone\n");
		sync_done(&s);
	}
}

static void what_is_let_go_stays(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	owned(&s, CFG("kept"));
	owned(&s, CFG("released"));
	owned(&s, CFG("moved"));
	owned(&s, CFG("gone"));
	owned(&s, CFG("unchanged"));
	restore(&s);
	gone(&s, PLAN_KEEP, "kept", 0);
	gone(&s, PLAN_RELEASE, "released", 0);
	gone(&s, PLAN_HAND_OVER, "moved", 0);
	gone(&s, PLAN_GONE, "gone", 0);
	step(&s, PLAN_NONE, CFG("unchanged"), 0);
	begin(&s);
	asked(&s, "inventory kept:ck unchanged:cl\n");
	told(&s, "kept ConfigMap shop/kept\nkept ConfigMap shop/released\n"
		 "kept ConfigMap shop/moved\nunchanged ConfigMap shop/gone\ndone\n");
	fake_gone(s.w.t, config_map("kept"));
	says(&s.w, "");
	sync_done(&s);
}

static void what_waits_for_a_person_is_left(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	owned(&s, CFG("old"));
	restore(&s);
	step(&s, PLAN_CREATE, CFG("a"), 0);
	step(&s, PLAN_RECREATE, WEB("b"), 0)->waits = PLAN_NEEDS_RECREATE;
	step(&s, PLAN_CREATE, CFG("c"), 1);
	edge(&s, 2, 1, GRAPH_DEPENDS_ON);
	gone(&s, PLAN_DELETE, "old", 2)->waits = PLAN_PRUNE_LIMIT;
	begin(&s);
	asked(&s, "inventory a:cp old:cl\napply ConfigMap shop/a unforced new\n"
		  "inventory a:cl old:cl\n");
	told(&s,
	     "journal 0/2: a\ncreated ConfigMap shop/a\ncreated ConfigMap shop/a Healthy\ndone\n");
	sync_done(&s);
}

static void what_the_plan_refused_is_the_first_cause(void **state)
{
	struct sync s;
	struct plan_step *x;

	(void)state;
	sync_init(&s);
	x = step(&s, PLAN_REFUSED, CFG("a"), 0);
	x->code = ERR_NOT_ALLOWED;
	x->message = STR("policy 'prod' allows no ConfigMap");
	x->file = STR("a.yaml");
	x->line = 3;
	x->col = 1;
	step(&s, PLAN_CREATE, CFG("b"), 0)->blocked_by = 0;
	step(&s, PLAN_CREATE, CFG("c"), 0);
	begin(&s);
	told(&s, "journal 0/1: c\ncreated ConfigMap shop/c\ncreated ConfigMap shop/c Healthy\n"
		 "failed first: failed ConfigMap shop/a: a.yaml:3:1: policy 'prod' allows no "
		 "ConfigMap\n");
	{
		size_t n;
		const struct apply_step *p = apply_steps(s.apply, &n);

		assert_int_equal(n, 3);
		assert_int_equal(p[1].result, APPLY_BLOCKED);
		assert_string_equal(p[1].blocked_by.p, "ConfigMap shop/a");
	}
	sync_done(&s);
}

static void a_recreation_deletes_waits_and_creates(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	owned(&s, WEB("web"));
	restore(&s);
	step(&s, PLAN_RECREATE, WEB("web"), 0)->uid = STR("");
	s.w.doc.health_wait = false;
	begin(&s);
	asked(&s, "delete Deployment shop/web u1\napply Deployment shop/web new\n"
		  "inventory web:cl\n");
	told(&s, "journal 0/1: web\nchanged Deployment shop/web\ndone\n");
	says(&s.w, "");
	assert_int_equal(apply_count(s.apply).writes, 2);
	sync_done(&s);
}

static void an_immutable_field_recreates_with_consent_only(void **state)
{
	struct sync s;
	static const char consenting[] =
		"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"cfg\","
		"\"namespace\":\"shop\",\"annotations\":{\"leeboard.dev/recreate\":\"if-immutable\""
		"}}}";

	(void)state;
	sync_init(&s);
	owned(&s, CFG("cfg"));
	restore(&s);
	s.w.t->failures[0] = (struct fake_failure){"ConfigMap shop/cfg", ERR_IMMUTABLE, 1};
	step(&s, PLAN_CHANGE, CFG("cfg"), 0);
	begin(&s);
	told(&s, "journal 0/1: cfg\nfailed ConfigMap shop/cfg: refused by the fake\n"
		 "failed first: failed ConfigMap shop/cfg: refused by the fake\n");
	asked(&s, "apply ConfigMap shop/cfg\n");
	sync_done(&s);

	sync_init(&s);
	owned(&s, CFG("cfg"));
	restore(&s);
	s.w.t->failures[0] = (struct fake_failure){"ConfigMap shop/cfg", ERR_IMMUTABLE, 1};
	step(&s, PLAN_CHANGE, consenting, 0);
	begin(&s);
	asked(&s, "apply ConfigMap shop/cfg\ndelete ConfigMap shop/cfg u1\n"
		  "apply ConfigMap shop/cfg new\ninventory cfg:cl\n");
	told(&s, "journal 0/1: cfg\nchanged ConfigMap shop/cfg\n"
		 "changed ConfigMap shop/cfg Healthy\ndone\n");
	sync_done(&s);
}

static void nothing_is_written_without_inventory_and_journal(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	s.w.t->failures[0] = (struct fake_failure){"inventory", ERR_CONFLICT, 1};
	step(&s, PLAN_CREATE, CFG("a"), 0);
	begin(&s);
	asked(&s, "inventory a:cp\n");
	told(&s, "failed first: failed ConfigMap shop/a: refused by the fake (write the inventory "
		 "of 'shop')\n");
	assert_int_equal(s.inv.n, 0);
	sync_done(&s);

	sync_init(&s);
	s.journal_fails = true;
	step(&s, PLAN_CREATE, CFG("a"), 0);
	begin(&s);
	asked(&s, "inventory a:cp\n");
	told(&s, "failed first: failed ConfigMap shop/a: no space left on device\n");
	sync_done(&s);
}

static void a_baseline_that_cannot_be_kept_fails_the_step(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	s.w.store.full = true;
	step(&s, PLAN_CREATE, CFG("a"), 0);
	begin(&s);
	asked(&s, "inventory a:cp\napply ConfigMap shop/a unforced new\nwatch v1/ConfigMap\n"
		  "inventory a:cl\n");
	told(&s, "journal 0/1: a\nfailed ConfigMap shop/a: no space left on device\n"
		 "failed first: failed ConfigMap shop/a: no space left on device\n");
	sync_done(&s);
}

static void it_may_be_stopped_anywhere(void **state)
{
	(void)state;
	/* After each number of answers of the target: stop, and nothing is told or sent any more.
	 */
	for (int answers = 0; answers < 8; answers++) {
		struct sync s;

		sync_init(&s);
		owned(&s, CFG("old"));
		owned(&s, WEB("again"));
		restore(&s);
		step(&s, PLAN_CREATE, CFG("a"), 0);
		step(&s, PLAN_CREATE, WEB("b"), 0);
		step(&s, PLAN_RECREATE, WEB("again"), 0);
		step(&s, PLAN_CREATE, CFG("c"), 1);
		edge(&s, 3, 0, GRAPH_DEPENDS_ON);
		gone(&s, PLAN_DELETE, "old", 2);
		s.plan.delete_waves = 1;
		s.w.t->hold = true;
		begin(&s);
		for (int i = 0; i < answers && s.w.t->calls; i++) {
			fake_release(s.w.t);
			fake_settle(s.w.loop);
		}
		hush(&s.w);
		buf_clear(&s.log);
		apply_stop(s.apply);
		for (int i = 0; i < 10; i++)
			clock_turn(s.w.loop, MINUTE);
		assert_int_equal(s.log.n, 0);
		for (struct target_call *c = s.w.t->calls; c; c = c->next)
			assert_true(c->get_done != NULL); /* live looks, nobody writes */
		/* Whatever stands there is in the inventory at the target. */
		for (struct fake_object *o = s.w.t->objects; o; o = o->next)
			assert_true(inventory_get(&s.inv, o->id) != NULL);
		sync_done(&s);
	}
}

static void whoever_is_told_may_free_it(void **state)
{
	struct sync s;

	(void)state;
	sync_init(&s);
	s.free_when_done = true;
	step(&s, PLAN_CREATE, CFG("a"), 0);
	begin(&s);
	assert_null(s.apply);
	sync_done(&s);

	sync_init(&s);
	s.free_when_done = true;
	s.journal_fails = true;
	step(&s, PLAN_CREATE, CFG("a"), 0);
	begin(&s);
	assert_null(s.apply);
	sync_done(&s);
}

/* ------------------------------------------------------------------ what is not ours to write */

#define SCALED(n) DEPLOYMENT("web", "{\"paused\":" n ",\"replicas\":1}")
#define HPA                                                                                        \
	"{\"apiVersion\":\"autoscaling/v2\",\"kind\":\"HorizontalPodAutoscaler\",\"metadata\":{"   \
	"\"name\":\"web\",\"namespace\":\"shop\"},\"spec\":{\"scaleTargetRef\":{\"apiVersion\":"   \
	"\"apps/v1\",\"kind\":\"Deployment\",\"name\":\"web\"}}}"

static void an_autoscalers_field_is_not_sent(void **state)
{
	struct sync s;
	const struct node *root;
	const char *now;

	(void)state;
	sync_init(&s);
	s.w.doc.health_wait = false;
	owned(&s, SCALED("false"));
	owned(&s, HPA);
	restore(&s);
	/* It scales: the field is its own now. */
	now = edited(&s.w, deployment("web"), "/spec/replicas", "7", "kube-controller-manager",
		     "{\"f:spec\":{\"f:replicas\":{}}}", "scale");
	root = fake_json(s.w.arena, now);
	assert_null(node_patch_json(
		s.w.arena, root,
		fake_json(s.w.arena, "[{\"op\":\"remove\",\"path\":"
				     "\"/metadata/managedFields/0/fieldsV1/f:spec/f:replicas\"}]"),
		&root));
	fake_see(s.w.t, fake_text(s.w.arena, root));
	hush(&s.w);
	step(&s, PLAN_CHANGE, SCALED("true"), 0);
	step(&s, PLAN_NONE, HPA, 0);
	begin(&s);
	asked(&s, "get Deployment shop/web\napply Deployment shop/web\n");
	assert_null(strstr(fake_find(s.w.t, deployment("web"))->json, "\"replicas\""));
	sync_done(&s);

	/* It never did: the field is ours still, and to leave it out would delete it. */
	sync_init(&s);
	s.w.doc.health_wait = false;
	owned(&s, SCALED("false"));
	owned(&s, HPA);
	restore(&s);
	step(&s, PLAN_CHANGE, DEPLOYMENT("web", "{\"paused\":true,\"replicas\":2}"), 0);
	step(&s, PLAN_NONE, HPA, 0);
	begin(&s);
	assert_non_null(strstr(fake_find(s.w.t, deployment("web"))->json, "\"replicas\":1"));
	assert_non_null(strstr(fake_find(s.w.t, deployment("web"))->json, "\"paused\":true"));
	sync_done(&s);
}

/* ------------------------------------------------------------------ heal */

struct healed {
	bool over;
	enum err_code code;
};
static void on_heal(void *arg, obj_id id, struct err *e)
{
	struct healed *h = arg;

	assert_string_equal(id.name.p, "cfg");
	h->over = true;
	h->code = e ? err_code(e) : 0;
	err_free(e);
}

static void drift_is_healed(void **state)
{
	struct world w;
	struct apply_heal *h;
	struct healed how = {0};

	(void)state;
	world_init(&w);
	world_expect(&w, (const char *const[]){CFG("cfg")}, 1, "rev");
	send(&w, config_map("cfg"));
	edit(&w, config_map("cfg"), "/data/a", "\"9\"", NULL, NULL);
	hush(&w);
	assert_null(apply_heal_start(w.loop, w.app, wants_get(w.wants, config_map("cfg")),
				     STR("rev"), on_heal, &how, &h));
	assert_false(how.over);
	fake_settle(w.loop);
	assert_true(how.over);
	fake_asked(w.t, "apply ConfigMap shop/cfg\n");
	says(&w, "");
	assert_int_equal(live_count(w.app).drift_objects, 0);

	/* One that fails leaves it open. */
	edit(&w, config_map("cfg"), "/data/a", "\"9\"", NULL, NULL);
	hush(&w);
	how.over = false;
	w.t->failures[0] = (struct fake_failure){"ConfigMap shop/cfg", ERR_DENIED, 1};
	assert_null(apply_heal_start(w.loop, w.app, wants_get(w.wants, config_map("cfg")),
				     STR("rev"), on_heal, &how, &h));
	fake_settle(w.loop);
	assert_true(how.over);
	assert_int_equal(how.code, ERR_DENIED);
	assert_int_equal(live_count(w.app).drift_objects, 1);

	assert_null(apply_heal_start(w.loop, w.app, wants_get(w.wants, config_map("cfg")),
				     STR("rev"), on_heal, &how, &h));
	how.over = false;
	apply_heal_stop(h);
	fake_settle(w.loop);
	assert_false(how.over);
	apply_heal_stop(NULL);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_app_is_made),
		cmocka_unit_test(what_may_go_goes_at_once),
		cmocka_unit_test(a_change_writes_no_inventory),
		cmocka_unit_test(a_failure_blocks_only_what_needs_it),
		cmocka_unit_test(on_error_stop_sends_nothing_more),
		cmocka_unit_test(dependants_wait_for_health),
		cmocka_unit_test(an_unchanged_object_is_waited_for_too),
		cmocka_unit_test(what_is_degraded_fails_at_once_with_its_first_cause),
		cmocka_unit_test(a_custom_kind_may_fail_and_try_again),
		cmocka_unit_test(time_is_limited),
		cmocka_unit_test(a_custom_object_waits_until_its_kind_is_served),
		cmocka_unit_test(waves_that_are_written_down_are_barriers),
		cmocka_unit_test(webhooks_come_after_everything_else),
		cmocka_unit_test(pruning_comes_last_and_in_order),
		cmocka_unit_test(a_deletion_that_hangs_keeps_its_place),
		cmocka_unit_test(namespaces_and_kinds_go_when_what_they_hold_is_gone),
		cmocka_unit_test(what_is_let_go_stays),
		cmocka_unit_test(what_waits_for_a_person_is_left),
		cmocka_unit_test(what_the_plan_refused_is_the_first_cause),
		cmocka_unit_test(a_recreation_deletes_waits_and_creates),
		cmocka_unit_test(an_immutable_field_recreates_with_consent_only),
		cmocka_unit_test(nothing_is_written_without_inventory_and_journal),
		cmocka_unit_test(a_baseline_that_cannot_be_kept_fails_the_step),
		cmocka_unit_test(it_may_be_stopped_anywhere),
		cmocka_unit_test(whoever_is_told_may_free_it),
		cmocka_unit_test(an_autoscalers_field_is_not_sent),
		cmocka_unit_test(drift_is_healed),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
