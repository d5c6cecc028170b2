/* Custom kinds: what rows, words, conditions and the clock make of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "leeboard/health.h"

static struct health judge(struct arena *a, const char *api, const char *kind, const char *rest,
			   const struct health_clock *clock, msec *again)
{
	struct text *in = ARENA_NEW(a, struct text);
	const struct node *root;
	struct object o;

	*in = (struct text){STR("test.json"),
			    arena_printf(a,
					 "{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":{"
					 "\"name\":\"x\",\"generation\":2}%s%s}",
					 api, kind, rest[0] ? "," : "", rest)};
	assert_null(node_read_json(a, in, &root));
	assert_null(obj_from_node(a, root, &o));
	return health_at(a, &o, clock, again);
}

static const char *health(struct arena *a, const char *api, const char *kind, const char *rest)
{
	msec again;
	struct health h = judge(a, api, kind, rest, NULL, &again);

	return arena_printf(a, STR_FMT " " STR_FMT ": " STR_FMT,
			    STR_ARG(health_state_name(h.state)), STR_ARG(h.reason),
			    STR_ARG(h.message))
		.p;
}

#define CONDITION(type, status, reason)                                                            \
	"\"status\":{\"conditions\":[{\"type\":\"" type "\",\"status\":\"" status                  \
	"\",\"reason\":\"" reason "\",\"message\":\"text\"}]}"

static const struct {
	const char *api, *kind, *rest, *want;
} cases[] = {
	/* any kind */
	{"x.org/v1", "X", CONDITION("Ready", "True", "Ok"), "Healthy Ready: "},
	{"x.org/v1", "X", CONDITION("Ready", "False", "Waiting"), "Progressing Waiting: text"},
	{"x.org/v1", "X", CONDITION("Ready", "False", "ReconcileError"),
	 "Degraded ReconcileError: text"},
	{"x.org/v1", "X", CONDITION("Ready", "Unknown", "ReconcileError"),
	 "Progressing ReconcileError: text"},
	{"x.org/v1", "X", CONDITION("Failed", "True", ""), "Degraded Failed: text"},
	{"x.org/v1", "X", CONDITION("Failed", "False", ""), "Healthy : "},
	{"x.org/v1", "X", CONDITION("Stalled", "True", "NoSuchRef"), "Degraded NoSuchRef: text"},
	{"x.org/v1", "X", "\"status\":{\"phase\":\"Provisioning\",\"message\":\"step 2\"}",
	 "Progressing Provisioning: step 2"},
	{"x.org/v1", "X", "\"status\":{\"state\":\"FAILED\",\"reason\":\"no quota\"}",
	 "Degraded FAILED: no quota"},
	{"x.org/v1", "X", "\"status\":{\"phase\":\"Running\"}", "Healthy : "},
	{"x.org/v1", "X", "\"spec\":{\"suspend\":true}", "Suspended Suspended: it is suspended"},
	{"x.org/v1", "X", "", "Healthy : "},
	{"x.org/v1", "X",
	 "\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\","
	 "\"observedGeneration\":1}]}",
	 "Progressing NotObserved: its conditions are of an older generation"},
	{"x.org/v1", "X",
	 "\"status\":{\"parents\":[{\"conditions\":[{\"type\":\"Accepted\",\"status\":\"True\"},{"
	 "\"type\":\"ResolvedRefs\",\"status\":\"False\",\"reason\":\"BackendNotFound\","
	 "\"message\":"
	 "\"no such service\"}]}]}",
	 "Degraded BackendNotFound: no such service"},
	{"x.org/v1", "X", "\"status\":{\"parents\":[]}",
	 "Progressing NoParent: no parent has looked at it yet"},
	/* rows of kinds */
	{"gloo.solo.io/v1", "Proxy",
	 "\"status\":{\"statuses\":{\"gloo-system\":{\"state\":\"Rejected\"}}}",
	 "Degraded Rejected: "},
	{"gloo.solo.io/v1", "Proxy", "\"status\":{\"state\":1}", "Healthy Accepted: "},
	{"argoproj.io/v1alpha1", "Rollout",
	 "\"spec\":{\"replicas\":3},\"status\":{\"updatedReplicas\":2,\"replicas\":3}",
	 "Progressing Updating: "},
	{"argoproj.io/v1alpha1", "Rollout", CONDITION("Progressing", "False", "RolloutAborted"),
	 "Degraded RolloutAborted: text"},
	{"kustomize.toolkit.fluxcd.io/v1", "Kustomization",
	 "\"status\":{\"observedGeneration\":-1,\"conditions\":[{\"type\":\"Ready\",\"status\":"
	 "\"False\",\"reason\":\"ArtifactFailed\",\"message\":\"text\"}]}",
	 "Degraded ArtifactFailed: text"},
	{"kustomize.toolkit.fluxcd.io/v1", "Kustomization",
	 CONDITION("Ready", "False", "DependencyNotReady"), "Progressing DependencyNotReady: text"},
	{"elasticsearch.k8s.elastic.co/v1", "Elasticsearch",
	 "\"status\":{\"health\":\"yellow\",\"phase\":\"Ready\"}", "Progressing Yellow: "},
	{"minio.min.io/v2", "Tenant",
	 "\"status\":{\"currentState\":\"Provisioning MinIO Cluster\"}",
	 "Progressing Progressing: "},
	{"iam.aws.crossplane.io/v1", "Role", CONDITION("Synced", "False", "ReconcilePaused"),
	 "Suspended ReconcilePaused: text"},
	{"numaflow.numaproj.io/v1", "Pipeline", CONDITION("VerticesHealthy", "False", "Pod"),
	 "Degraded Pod: text"},
	/* built-in ones are never judged by them */
	{"v1", "PersistentVolumeClaim", "\"status\":{\"phase\":\"Failed\"}",
	 "Progressing Pending: no volume is bound yet"},
	{"apps/v1", "Deployment", "\"spec\":{\"replicas\":0,\"suspend\":true}", "Healthy : "},
	{"autoscaling/v2", "HorizontalPodAutoscaler", CONDITION("ScalingActive", "True", ""),
	 "Progressing NotScaling: it has not scaled its target yet"},
};

static void kinds_are_judged_by_rows_words_and_conditions(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena) struct arena *a = arena_new();

		assert_string_equal(health(a, cases[i].api, cases[i].kind, cases[i].rest),
				    cases[i].want);
	}
}

static void a_first_status_may_take_its_time(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct health_clock clock = {.now = 1000, .changed = 1000, .has_status = true};
	msec again;

	assert_int_equal(judge(a, "x.org/v1", "X", "", &clock, &again).state, HEALTH_PROGRESSING);
	assert_int_equal(again, 1000 + HEALTH_GRACE);
	clock.now = again;
	assert_int_equal(judge(a, "x.org/v1", "X", "", &clock, &again).state, HEALTH_HEALTHY);
	assert_int_equal(again, 0);
	/* Nothing is waited for where nothing can come. */
	clock = (struct health_clock){.now = 1000, .changed = 1000};
	assert_int_equal(judge(a, "x.org/v1", "X", "", &clock, &again).state, HEALTH_HEALTHY);
	assert_int_equal(again, 0);
}

static void not_ready_for_too_long_is_degraded(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const msec since = (msec)1795521600000; /* 2026-11-24T12:00:00Z */
	static const char rest[] =
		"\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\","
		"\"lastTransitionTime\":\"2026-11-24T12:00:00Z\"}]}";
	struct health_clock clock = {.now = since + MINUTE, .timeout = 5 * MINUTE};
	msec again;

	assert_int_equal(judge(a, "x.org/v1", "X", rest, &clock, &again).state, HEALTH_PROGRESSING);
	assert_int_equal(again, since + 5 * MINUTE);
	/* A new generation starts anew. */
	clock.changed = since + MINUTE;
	assert_int_equal(judge(a, "x.org/v1", "X", rest, &clock, &again).state, HEALTH_PROGRESSING);
	assert_int_equal(again, since + 6 * MINUTE);
	clock.now = again;
	assert_int_equal(judge(a, "x.org/v1", "X", rest, &clock, &again).state, HEALTH_DEGRADED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_are_judged_by_rows_words_and_conditions),
		cmocka_unit_test(a_first_status_may_take_its_time),
		cmocka_unit_test(not_ready_for_too_long_is_degraded),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
