#include "leeboard/object.h"
#include <setjmp.h>

#include <cmocka.h>

static const obj_id web = {STR("apps"), STR("Deployment"), STR("shop"), STR("web")};
static const obj_id shop = {STR(""), STR("Namespace"), STR(""), STR("shop")};
static const obj_id policy = {STR("networking.k8s.io"), STR("NetworkPolicy"), STR("shop"),
			      STR("web")};
static const obj_id widget = {STR("example.com"), STR("Widget"), STR("shop"), STR("web")};

static void check_text(str got, const char *want)
{
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p, want, got.n);
}

static void an_identity_is_text_and_back(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	obj_id got;

	(void)state;
	check_text(obj_id_text(a, web), "apps/Deployment/shop/web");
	check_text(obj_id_text(a, shop), "/Namespace//shop");
	assert_true(obj_id_parse(obj_id_text(a, web), &got));
	assert_true(obj_id_eq(got, web));
	assert_true(obj_id_parse(obj_id_text(a, shop), &got));
	assert_true(obj_id_eq(got, shop));
	assert_false(obj_id_parse(STR("Deployment/shop/web"), &got));
	assert_false(obj_id_parse(STR("apps//shop/web"), &got));
	assert_false(obj_id_parse(STR("apps/Deployment/shop/"), &got));
	assert_false(obj_id_parse(STR("a/b/c/d/e"), &got));
	assert_false(obj_id_parse(STR("a/b/c/d e"), &got));
	assert_false(obj_id_parse(STR(""), &got));
}

static void people_read_kind_and_name(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();

	(void)state;
	check_text(obj_id_label(a, web), "Deployment shop/web");
	check_text(obj_id_label(a, shop), "Namespace shop");
}

static void order_is_group_kind_namespace_name(void **state)
{
	(void)state;
	assert_true(obj_id_cmp(shop, web) < 0);
	assert_true(obj_id_cmp(web, policy) < 0);
	assert_int_equal(obj_id_cmp(web, web), 0);
	assert_true(obj_id_hash(web) != obj_id_hash(policy));
}

static void check_ref(const char *text, const char *kind, const char *group, const char *ns,
		      const char *name)
{
	struct obj_ref r;

	assert_true(obj_ref_parse(str_from(text), &r));
	check_text(r.kind, kind);
	check_text(r.group, group);
	check_text(r.ns, ns);
	check_text(r.name, name);
}

static void references_are_written_as_for_kubectl(void **state)
{
	(void)state;
	check_ref("deploy/web", "deploy", "", "", "web");
	check_ref("deployments.apps/web", "deployments", "apps", "", "web");
	check_ref("deployments.v1.apps/web", "deployments", "apps", "", "web");
	check_ref("Deployment/shop/web", "Deployment", "", "shop", "web");
	check_ref("networkpolicies.networking.k8s.io/shop/web", "networkpolicies",
		  "networking.k8s.io", "shop", "web");
	check_ref("ClusterRole/system:node", "ClusterRole", "", "", "system:node");
}

static void what_is_no_reference_is_refused(void **state)
{
	static const char *const bad[] = {"",
					  "web",
					  "/web",
					  "deploy/",
					  "a/b/c/d",
					  "deploy//web",
					  "deploy./web",
					  ".apps/web",
					  "de ploy/web",
					  "1deploy/web",
					  "deploy.a..b/web",
					  "deploy-/web",
					  "deploy/w\teb"};
	struct obj_ref r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(obj_ref_parse(str_from(bad[i]), &r));
}

static bool matches(const char *text, obj_id id)
{
	struct obj_ref r;

	return obj_ref_parse(str_from(text), &r) && obj_ref_matches(&r, id);
}

static void references_match_short_names_plurals_and_any_case(void **state)
{
	(void)state;
	assert_true(matches("deploy/web", web));
	assert_true(matches("deployment/web", web));
	assert_true(matches("DEPLOYMENTS/web", web));
	assert_true(matches("deployments.apps/shop/web", web));
	assert_true(matches("netpol/web", policy));
	assert_true(matches("networkpolicies/web", policy));
	assert_true(matches("ns/shop", shop));
	assert_true(matches("widgets.example.com/web", widget));
	assert_false(matches("deploy/api", web));
	assert_false(matches("deploy/other/web", web));
	assert_false(matches("deployments.extensions/web", web));
	assert_false(matches("deploys/web", web));
	assert_false(matches("sts/web", web));
}

static void a_set_keeps_its_order_and_finds_by_identity(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct obj_set *s = obj_set_new(a);

	(void)state;
	assert_null(obj_set_get(s, web));
	for (int i = 0; i < 1000; i++) {
		struct object o = {
			.id = {STR(""), STR("ConfigMap"), STR("shop"), arena_printf(a, "c%d", i)}};

		assert_null(obj_set_add(a, s, o));
	}
	assert_int_equal(s->n, 1000);
	for (int i = 0; i < 1000; i++) {
		obj_id id = {STR(""), STR("ConfigMap"), STR("shop"), arena_printf(a, "c%d", i)};

		assert_int_equal(obj_set_find(s, id), i);
		assert_ptr_equal(obj_set_get(s, id), &s->p[i]);
	}
	assert_int_equal(obj_set_find(s, web), SIZE_MAX);
}

static void a_second_object_names_the_place_of_the_first(void **state)
{
	static const struct text one = {.name = STR("a.yaml")};
	static const struct text two = {.name = STR("b.yaml")};
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct obj_set *s = obj_set_new(a);

	(void)state;
	assert_null(obj_set_add(a, s, (struct object){.id = web, .at = {&one, 3, 1}}));

	CLEANUP(err)
	struct err *e = obj_set_add(a, s, (struct object){.id = web, .at = {&two, 7, 1}});

	assert_non_null(e);
	assert_int_equal(err_code(e), ERR_DUPLICATE);
	err_line_to(e, &b);
	check_text(buf_view(&b),
		   "b.yaml:7:1: 'Deployment shop/web' is there twice, first at a.yaml:3:1");
	assert_int_equal(s->n, 1);
}

static const struct node *read(struct arena *a, const char *json)
{
	struct text *t = ARENA_NEW(a, struct text);
	const struct node *n = NULL;

	*t = (struct text){.name = STR("o.json"), .bytes = str_from(json)};
	assert_null(node_read_json(a, t, &n));
	return n;
}

static void the_identity_of_a_tree_is_read_from_four_fields(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct object o;

	(void)state;
	assert_null(obj_from_node(
		a,
		read(a,
		     "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":"
		     "\"web\",\"namespace\":\"shop\",\"labels\":{\"app\":\"web\"}}}"),
		&o));
	assert_true(obj_id_eq(o.id, web));
	check_text(o.version, "v1");
	check_text(obj_label(&o, STR("app")), "web");
	assert_null(obj_annotation(&o, STR("app")).p);
}

static void all_mistakes_of_an_identity_are_told_at_once(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct object o;
	const struct node *n = read(
		a, "{\"apiVersion\":\"a/b/c\",\"metadata\":{\"name\":7,\"namespace\":\"a/b\"}}");
	CLEANUP(err) struct err *e = obj_from_node(a, n, &o);
	static const char *const want[] = {
		"'kind' is missing",
		"'apiVersion' must be 'version' or 'group/version', not 'a/b/c'",
		NULL, /* in node's words */
		"'metadata.namespace' holds a slash, a blank or a control character",
	};
	const struct err *i = e;

	(void)state;
	assert_int_equal(err_count(e), ARRAY_LEN(want));
	for (size_t k = 0; k < ARRAY_LEN(want); k++, i = err_next(i))
		if (want[k])
			check_text(err_message(i), want[k]);
		else
			assert_true(str_starts(err_message(i),
					       STR("'metadata.name' must be a string, not ")));
}

static void a_generated_name_is_no_name(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct object o;
	CLEANUP(err)
	struct err *e =
		obj_from_node(a,
			      read(a, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":"
				      "{\"generateName\":\"web-\"}}"),
			      &o);

	(void)state;
	assert_non_null(e);
	check_text(err_message(e), "'metadata.name' is missing: an object that is kept in Git "
				   "cannot have a generated name");
}

static void a_list_is_a_kind_in_list_with_items_and_no_name(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();

	(void)state;
	assert_true(obj_is_list(read(a, "{\"kind\":\"ConfigMapList\",\"items\":[]}")));
	assert_false(obj_is_list(
		read(a, "{\"kind\":\"AllowList\",\"items\":[],\"metadata\":{\"name\":\"x\"}}")));
	assert_false(obj_is_list(read(a, "{\"kind\":\"ConfigMap\",\"items\":[]}")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identity_is_text_and_back),
		cmocka_unit_test(people_read_kind_and_name),
		cmocka_unit_test(order_is_group_kind_namespace_name),
		cmocka_unit_test(references_are_written_as_for_kubectl),
		cmocka_unit_test(what_is_no_reference_is_refused),
		cmocka_unit_test(references_match_short_names_plurals_and_any_case),
		cmocka_unit_test(a_set_keeps_its_order_and_finds_by_identity),
		cmocka_unit_test(a_second_object_names_the_place_of_the_first),
		cmocka_unit_test(the_identity_of_a_tree_is_read_from_four_fields),
		cmocka_unit_test(all_mistakes_of_an_identity_are_told_at_once),
		cmocka_unit_test(a_generated_name_is_no_name),
		cmocka_unit_test(a_list_is_a_kind_in_list_with_items_and_no_name),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
