#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "leeboard/health.h"

static const char *health(struct arena *a, const char *api, const char *kind, const char *rest)
{
	str text = arena_printf(
		a, "{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":{\"name\":\"x\"},%s}", api,
		kind, rest);
	struct text in = {STR("test.json"), text};
	const struct node *root;
	struct object o;
	struct health h;

	assert_null(node_read_json(a, &in, &root));
	assert_null(obj_from_node(a, root, &o));
	h = health_of(a, &o);
	return arena_printf(a, STR_FMT " " STR_FMT ": " STR_FMT,
			    STR_ARG(health_state_name(h.state)), STR_ARG(h.reason),
			    STR_ARG(h.message))
		.p;
}

#define ARENA_TEST CLEANUP(arena) struct arena *a = arena_new()

static void a_deployment_progresses_until_its_replicas_are_available(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(health(a, "apps/v1", "Deployment",
				   "\"spec\":{\"replicas\":2},\"status\":{\"replicas\":2,"
				   "\"updatedReplicas\":2,\"availableReplicas\":1}"),
			    "Progressing Unavailable: not all new replicas are available");
	assert_string_equal(health(a, "apps/v1", "Deployment",
				   "\"spec\":{\"replicas\":2},\"status\":{\"replicas\":2,"
				   "\"updatedReplicas\":2,\"availableReplicas\":2}"),
			    "Healthy : ");
}

static void a_running_job_is_not_done(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(health(a, "batch/v1", "Job", "\"status\":{\"active\":1}"),
			    "Progressing Running: the job is not complete yet");
}

static void a_custom_kind_is_as_ready_as_it_says(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(health(a, "example.com/v1", "Widget",
				   "\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":"
				   "\"False\",\"reason\":\"Busy\",\"message\":\"3 of 4\"}]}"),
			    "Progressing Busy: 3 of 4");
}

static void an_autoscaler_without_its_metric_is_degraded(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(
		health(a, "autoscaling/v2", "HorizontalPodAutoscaler",
		       "\"status\":{\"conditions\":[{\"type\":\"ScalingActive\","
		       "\"status\":\"False\",\"reason\":\"FailedGetResourceMetric\"}]}"),
		"Degraded FailedGetResourceMetric: a resource metric cannot be read");
}

static void what_is_not_there_is_missing(void **state UNUSED)
{
	ARENA_TEST;

	assert_int_equal(health_of(a, NULL).state, HEALTH_MISSING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deployment_progresses_until_its_replicas_are_available),
		cmocka_unit_test(a_running_job_is_not_done),
		cmocka_unit_test(a_custom_kind_is_as_ready_as_it_says),
		cmocka_unit_test(an_autoscaler_without_its_metric_is_degraded),
		cmocka_unit_test(what_is_not_there_is_missing),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
