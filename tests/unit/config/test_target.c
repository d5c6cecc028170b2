/* Which objects a target means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "leeboard/config.h"

static const obj_id web = {{"apps", 4}, {"Deployment", 10}, {"shop", 4}, {"web", 3}};

static bool matches(struct config_target t)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct text in = {STR("o"),
			  STR("{\"metadata\":{\"labels\":{\"app\":\"web\",\"tier\":\"front\"}}}")};
	const struct node *root;

	assert_null(node_read_json(a, &in, &root));
	return config_target_matches(&t, web, STR("v1"), root);
}

static void expressions_are_anchored(void **state)
{
	(void)state;
	assert_true(matches((struct config_target){0}));
	assert_true(matches((struct config_target){.kind = STR("Deployment")}));
	assert_false(matches((struct config_target){.kind = STR("Deploy")}));
	assert_true(
		matches((struct config_target){.kind = STR("Deploy.*"), .name = STR("web|api")}));
	assert_false(matches((struct config_target){.name = STR("we|eb")}));
	assert_true(matches((struct config_target){
		.group = STR("apps"), .version = STR("v1"), .namespace = STR("shop")}));
	assert_false(matches((struct config_target){.namespace = STR("shop"), .name = STR("api")}));
	assert_false(matches((struct config_target){.name = STR("(")}));
}

static void selectors_hold_all_at_once(void **state)
{
	(void)state;
	assert_true(matches((struct config_target){.label_selector = STR("app=web")}));
	assert_true(matches((struct config_target){.label_selector = STR("app == web, tier")}));
	assert_true(matches(
		(struct config_target){.label_selector = STR("tier in (back, front),!gone")}));
	assert_false(
		matches((struct config_target){.label_selector = STR("tier notin (back,front)")}));
	assert_false(matches((struct config_target){.label_selector = STR("app!=web")}));
	assert_true(matches((struct config_target){.label_selector = STR("other!=web")}));
	assert_false(matches((struct config_target){.annotation_selector = STR("app=web")}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_are_anchored),
		cmocka_unit_test(selectors_hold_all_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
