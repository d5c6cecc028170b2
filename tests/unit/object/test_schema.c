#include "leeboard/object.h"
#include <setjmp.h>

#include <cmocka.h>

/* The field at a path as the header writes them: names, "[]", "{}". */
static const struct obj_schema *at(const char *api_version, const char *kind, const char *path)
{
	const struct obj_schema *s = obj_schema_of(str_from(api_version), str_from(kind));

	for (const char *p = path; *p;) {
		size_t n = strcspn(p, ".[{");

		if (n)
			s = obj_schema_field(s, str_n(p, n));
		else if (*p == '.')
			n = 1;
		else {
			s = obj_schema_item(s);
			n = 2;
		}
		p += n;
	}
	return s;
}

static void check(const struct obj_schema *s, enum obj_strategy strategy, const char *merge_key,
		  enum obj_list_type type, const char *keys)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	const struct obj_list_key *k;
	size_t n = obj_schema_list_keys(s, &k);

	assert_non_null(s);
	assert_int_equal(obj_schema_strategy(s), strategy);
	assert_int_equal(obj_schema_list_type(s), type);
	assert_true(str_eq(obj_schema_merge_key(s), str_from(merge_key)));
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s" STR_FMT "=" STR_FMT, i ? " " : "", STR_ARG(k[i].name),
			   STR_ARG(k[i].otherwise));
	assert_string_equal(buf_view(&b).p, keys);
}

static void ports_merge_by_number_and_are_owned_by_number_and_protocol(void **state)
{
	(void)state;
	check(at("apps/v1", "Deployment", "spec.template.spec.containers[].ports"), OBJ_MERGE,
	      "containerPort", OBJ_LIST_MAP, "containerPort= protocol=TCP");
	check(at("v1", "Service", "spec.ports"), OBJ_MERGE, "port", OBJ_LIST_MAP,
	      "port= protocol=TCP");
}

static void volumes_merge_by_name_and_keep_only_named_keys(void **state)
{
	(void)state;
	check(at("batch/v1", "CronJob", "spec.jobTemplate.spec.template.spec.volumes"),
	      OBJ_MERGE_RETAIN, "name", OBJ_LIST_MAP, "name=");
}

static void a_strategy_of_a_map_may_keep_keys_or_replace_it_whole(void **state)
{
	(void)state;
	check(at("apps/v1", "Deployment", "spec.strategy"), OBJ_RETAIN_KEYS, "", OBJ_LIST_ATOMIC,
	      "");
	assert_true(obj_schema_whole(at("policy/v1", "PodDisruptionBudget", "spec.selector")));
	assert_false(obj_schema_whole(at("apps/v1", "Deployment", "spec.selector")));
	assert_true(obj_schema_atomic(at("apps/v1", "Deployment", "spec.selector")));
}

static void finalizers_are_a_set(void **state)
{
	(void)state;
	check(at("v1", "ConfigMap", "metadata.finalizers"), OBJ_MERGE, "", OBJ_LIST_SET, "");
	check(at("v1", "ConfigMap", "metadata.ownerReferences"), OBJ_MERGE, "uid", OBJ_LIST_MAP,
	      "uid=");
}

static void kustomize_knows_less_than_the_server(void **state)
{
	const char *spread = "spec.template.spec.topologySpreadConstraints";

	(void)state;
	check(at("apps/v1", "Deployment", spread), OBJ_MERGE, "topologyKey", OBJ_LIST_MAP,
	      "topologyKey= whenUnsatisfiable=");
	assert_true(obj_schema_kustomize(at("apps/v1", "Deployment", spread)));
	assert_false(obj_schema_kustomize(at("v1", "Pod", "spec.schedulingGates")));
	assert_true(obj_schema_kustomize(at("v1", "Pod", "")));
	assert_false(obj_schema_kustomize(at("autoscaling/v2", "HorizontalPodAutoscaler", "")));
}

static void versions_that_are_gone_are_known_too(void **state)
{
	(void)state;
	check(at("extensions/v1beta1", "Deployment", "spec.template.spec.containers"), OBJ_MERGE,
	      "name", OBJ_LIST_MAP, "name=");
	check(at("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", "status.conditions"),
	      OBJ_MERGE, "type", OBJ_LIST_ATOMIC, "");
}

static void a_schema_may_contain_itself(void **state)
{
	const char *path =
		"spec.versions[].schema.openAPIV3Schema.properties{}.properties{}.default";

	(void)state;
	assert_int_equal(
		obj_schema_shape(at("apiextensions.k8s.io/v1", "CustomResourceDefinition", path)),
		OBJ_ANY);
}

static void what_is_unknown_is_replaced_and_atomic(void **state)
{
	const struct obj_list_key *k;

	(void)state;
	assert_null(obj_schema_of(STR("example.com/v1"), STR("Widget")));
	assert_null(obj_schema_of(STR("apps/v1"), STR("deployment")));
	assert_null(at("v1", "Pod", "spec.nosuch[].thing"));
	assert_int_equal(obj_schema_strategy(NULL), OBJ_REPLACE);
	assert_int_equal(obj_schema_list_type(NULL), OBJ_LIST_ATOMIC);
	assert_int_equal(obj_schema_list_keys(NULL, &k), 0);
	assert_int_equal(obj_schema_merge_key(NULL).n, 0);
}

static void quantities_are_known_by_their_place(void **state)
{
	const obj_id deploy = {STR("apps"), STR("Deployment"), STR("shop"), STR("web")};
	const obj_id hpa = {STR("autoscaling"), STR("HorizontalPodAutoscaler"), STR("shop"),
			    STR("web")};
	const obj_id quota = {STR(""), STR("ResourceQuota"), STR("shop"), STR("all")};

	(void)state;
	assert_true(obj_is_quantity_field(
		deploy, STR("spec.template.spec.containers[].resources.limits{}")));
	assert_true(obj_is_quantity_field(
		deploy, STR("spec.template.spec.containers[].resources.limits.cpu")));
	assert_true(obj_is_quantity_field(
		deploy, STR("spec.template.spec.containers[].resources.limits.nvidia.com/gpu")));
	assert_true(obj_is_quantity_field(deploy,
					  STR("spec.template.spec.volumes[].emptyDir.sizeLimit")));
	assert_true(obj_is_quantity_field(hpa, STR("spec.metrics[].resource.target.averageValue")));
	assert_true(obj_is_quantity_field(quota, STR("spec.hard.requests.cpu")));
	assert_false(obj_is_quantity_field(deploy, STR("spec.replicas")));
	assert_false(obj_is_quantity_field(
		deploy, STR("spec.template.spec.containers[].resources.limits")));
	assert_false(obj_is_quantity_field(deploy, STR("metadata.labels.cpu")));
}

static void scope_is_known_of_built_in_kinds(void **state)
{
	(void)state;
	assert_int_equal(obj_scope_builtin(STR(""), STR("Namespace")), OBJ_CLUSTER);
	assert_int_equal(obj_scope_builtin(STR("apps"), STR("Deployment")), OBJ_NAMESPACED);
	assert_int_equal(obj_scope_builtin(STR("policy"), STR("PodSecurityPolicy")), OBJ_CLUSTER);
	assert_int_equal(obj_scope_builtin(STR("storage.k8s.io"), STR("VolumeAttributesClass")),
			 OBJ_CLUSTER);
	assert_int_equal(obj_scope_builtin(STR("example.com"), STR("Widget")), OBJ_SCOPE_UNKNOWN);
	assert_int_equal(obj_scope_builtin(STR(""), STR("Deployment")), OBJ_SCOPE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_merge_by_number_and_are_owned_by_number_and_protocol),
		cmocka_unit_test(volumes_merge_by_name_and_keep_only_named_keys),
		cmocka_unit_test(a_strategy_of_a_map_may_keep_keys_or_replace_it_whole),
		cmocka_unit_test(finalizers_are_a_set),
		cmocka_unit_test(kustomize_knows_less_than_the_server),
		cmocka_unit_test(versions_that_are_gone_are_known_too),
		cmocka_unit_test(a_schema_may_contain_itself),
		cmocka_unit_test(what_is_unknown_is_replaced_and_atomic),
		cmocka_unit_test(quantities_are_known_by_their_place),
		cmocka_unit_test(scope_is_known_of_built_in_kinds),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
