#include "leeboard/object.h"
#include <setjmp.h>

#include <cmocka.h>

static const struct obj_norm shop = {.default_namespace = STR("shop")};

static const struct node *read(struct arena *a, const char *json)
{
	struct text *t = ARENA_NEW(a, struct text);
	const struct node *n = NULL;

	*t = (struct text){.name = STR("o.json"), .bytes = str_from(json)};
	assert_null(node_read_json(a, t, &n));
	return n;
}

/* Quotes are ' here, so that the tests can be read. */
static const struct node *read_quoted(struct arena *a, const char *text)
{
	char *p = xstrndup(text, strlen(text));

	for (char *q = p; *q; q++)
		if (*q == '\'')
			*q = '"';

	str s = arena_str(a, str_from(p));

	cstr_cleanup(&p);
	return read(a, s.p);
}

static void check(const char *in, const char *want)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf got = BUF_INIT;
	CLEANUP(buf) struct buf wanted = BUF_INIT;
	struct obj_set *s = obj_set_new(a);
	CLEANUP(err) struct err *e = obj_normalize(a, &shop, read_quoted(a, in), s);

	if (e)
		err_print(e, &got);
	for (size_t i = 0; !e && i < s->n; i++) {
		if (i)
			buf_char(&got, '\n');
		node_json(s->p[i].root, NODE_JSON_COMPACT, &got);
	}
	buf_str(&wanted, str_from(want));
	for (size_t i = 0; i < wanted.n; i++)
		if (wanted.p[i] == '\'')
			wanted.p[i] = '"';
	assert_string_equal(got.p, wanted.p);
}

static void check_errors(const char *in, const char *want)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf got = BUF_INIT;
	struct obj_set *s = obj_set_new(a);
	CLEANUP(err) struct err *e = obj_normalize(a, &shop, read_quoted(a, in), s);

	for (const struct err *i = e; i; i = err_next(i)) {
		buf_printf(&got, "%u:%u: " STR_FMT "\n", err_line(i), err_col(i),
			   STR_ARG(err_message(i)));
	}
	buf_str(&got, STR(""));
	assert_string_equal(got.p ? got.p : "", want);
	assert_int_equal(s->n, 0);
}

#define DEPLOY(spec)                                                                               \
	"{'apiVersion':'apps/"                                                                     \
	"v1','kind':'Deployment','metadata':{'name':'web','namespace':'shop'},"                    \
	"'spec':" spec "}"
#define CM(more)                                                                                   \
	"{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','namespace':'shop'}" more "}"
#define SECRET(more)                                                                               \
	"{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s','namespace':'shop'}" more "}"

static void fields_of_the_server_are_dropped(void **state)
{
	(void)state;
	check("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','uid':'u',"
	      "'resourceVersion':'7','generation':2,'creationTimestamp':null,'selfLink':'/x',"
	      "'managedFields':[{}],'deletionTimestamp':'t','deletionGracePeriodSeconds':0,"
	      "'namespace':'shop'},'status':{'a':1}}",
	      CM(""));
}

static void nulls_are_dropped_at_any_depth(void **state)
{
	(void)state;
	check(DEPLOY("{'replicas':null,'template':{'metadata':{'creationTimestamp':null},'spec':{"
		     "'containers':[{'name':'c','args':['a',null,'b'],'env':null}]}}}"),
	      DEPLOY("{'template':{'metadata':{},'spec':{'containers':[{'name':'c','args':['a','b']"
		     "}"
		     "]}}}"));
}

static void nulls_stay_where_any_value_is_kept(void **state)
{
	const char *crd =
		"{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition',"
		"'metadata':{'name':'w.example.com'},'spec':{'versions':[{'name':'v1',"
		"'schema':{'openAPIV3Schema':{'properties':{'a':{'default':null}}}}}]}}";

	(void)state;
	check(crd, crd);
}

static void maps_of_strings_hold_strings_only(void **state)
{
	(void)state;
	check_errors("{'apiVersion':'example.com/v1','kind':'Widget','metadata':{'name':'w',\n"
		     "'labels':{'a':null},\n'annotations':{'b/c':true}}}",
		     "2:15: 'metadata.labels.a' must be a string, not null\n"
		     "3:22: 'metadata.annotations.b/c' must be a string, not a boolean\n");
	check_errors(CM(",\n'data':{'port':80}"),
		     "2:16: 'data.port' must be a string, not an integer\n");
}

static void a_message_says_the_path_with_the_elements_of_lists(void **state)
{
	(void)state;
	check_errors(DEPLOY("{'template':{'spec':{'topologySpreadConstraints':[{},\n"
			    "{'labelSelector':{'matchLabels':{'a':1}}}]}}}"),
		     "2:38: 'spec.template.spec.topologySpreadConstraints[1].labelSelector."
		     "matchLabels.a' must be a string, not an integer\n");
}

static void string_data_moves_into_data_and_wins(void **state)
{
	(void)state;
	check(SECRET(",'data':{'a':'YQ==','b':'Yg=='},'stringData':{'b':'new','c':''}"),
	      SECRET(",'data':{'a':'YQ==','b':'bmV3','c':''}"));
	check(SECRET(",'stringData':{'k':'v'}"), SECRET(",'data':{'k':'dg=='}"));
	check(SECRET(",'data':{'a':'aGVs\\nbG8='}"), SECRET(",'data':{'a':'aGVsbG8='}"));
}

static void values_of_a_secret_are_checked_and_never_shown(void **state)
{
	(void)state;
	check_errors(SECRET(",\n'data':{'a':'hunter2!'}"), "2:13: 'data.a' is not base64\n");
	check_errors(SECRET(",\n'stringData':{'pin':1234}"),
		     "2:21: 'stringData.pin' must be a string, not an integer\n");
}

static void ports_are_tcp_unless_they_say_otherwise(void **state)
{
	(void)state;
	check(DEPLOY("{'template':{'spec':{'containers':[{'name':'c','ports':[{'containerPort':80},"
		     "{'containerPort':53,'protocol':'UDP'}]}]}}}"),
	      DEPLOY("{'template':{'spec':{'containers':[{'name':'c','ports':[{'containerPort':80,"
		     "'protocol':'TCP'},{'containerPort':53,'protocol':'UDP'}]}]}}}"));
	check("{'apiVersion':'v1','kind':'Service','metadata':{'name':'s','namespace':'x'},'spec':{"
	      "'ports':[{'port':80}]}}",
	      "{'apiVersion':'v1','kind':'Service','metadata':{'name':'s','namespace':'x'},'spec':{"
	      "'ports':[{'port':80,'protocol':'TCP'}]}}");
}

static void rules_of_an_aggregated_role_are_the_controllers(void **state)
{
	(void)state;
	check("{'apiVersion':'rbac.authorization.k8s.io/"
	      "v1','kind':'ClusterRole','metadata':{'name':"
	      "'r'},'rules':[],'aggregationRule':{}}",
	      "{'apiVersion':'rbac.authorization.k8s.io/"
	      "v1','kind':'ClusterRole','metadata':{'name':"
	      "'r'},'aggregationRule':{}}");
	check("{'apiVersion':'rbac.authorization.k8s.io/"
	      "v1','kind':'ClusterRole','metadata':{'name':"
	      "'r'},'rules':[]}",
	      "{'apiVersion':'rbac.authorization.k8s.io/"
	      "v1','kind':'ClusterRole','metadata':{'name':"
	      "'r'},'rules':[]}");
}

static void an_empty_ca_bundle_is_left_to_the_injector(void **state)
{
	(void)state;
	check("{'apiVersion':'admissionregistration.k8s.io/"
	      "v1','kind':'MutatingWebhookConfiguration'"
	      ",'metadata':{'name':'m'},'webhooks':[{'clientConfig':{'caBundle':''}},"
	      "{'clientConfig':{'caBundle':'QQ=='}}]}",
	      "{'apiVersion':'admissionregistration.k8s.io/"
	      "v1','kind':'MutatingWebhookConfiguration'"
	      ",'metadata':{'name':'m'},'webhooks':[{'clientConfig':{}},"
	      "{'clientConfig':{'caBundle':'QQ=='}}]}");
}

static void namespaces_follow_the_scope(void **state)
{
	(void)state;
	check("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','labels':{'a':'b'}}}",
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','namespace':'shop',"
	      "'labels':{'a':'b'}}}");
	check("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'n','namespace':'x'}}",
	      "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'n'}}");
	check("{'apiVersion':'example.com/"
	      "v1','kind':'Widget','metadata':{'name':'w','namespace':''}}",
	      "{'apiVersion':'example.com/v1','kind':'Widget','metadata':{'name':'w'}}");
	check("{'apiVersion':'example.com/"
	      "v1','kind':'Widget','metadata':{'name':'w','namespace':'x'}"
	      "}",
	      "{'apiVersion':'example.com/"
	      "v1','kind':'Widget','metadata':{'name':'w','namespace':'x'}"
	      "}");
}

static enum obj_scope all_cluster(void *arg, str group, str version, str kind)
{
	(void)arg;
	(void)group;
	assert_true(str_eq(version, STR("v1")));
	assert_true(str_eq(kind, STR("Widget")));
	return OBJ_CLUSTER;
}

static void a_target_may_know_scopes_better(void **state)
{
	const struct obj_norm how = {.scope = all_cluster};
	CLEANUP(arena) struct arena *a = arena_new();
	struct obj_set *s = obj_set_new(a);

	(void)state;
	assert_null(obj_normalize(a, &how,
				  read_quoted(a, "{'apiVersion':'example.com/v1','kind':'Widget',"
						 "'metadata':{'name':'w','namespace':'x'}}"),
				  s));
	assert_int_equal(s->n, 1);
	assert_int_equal(s->p[0].id.ns.n, 0);
}

static void marks_of_other_engines_go_and_their_empty_maps_too(void **state)
{
	(void)state;
	check("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','namespace':'shop',"
	      "'annotations':{'kubectl.kubernetes.io/last-applied-configuration':'{}'},"
	      "'labels':{'kustomize.toolkit.fluxcd.io/name':'apps'}}}",
	      CM(""));
}

static void what_generators_leave_behind_goes(void **state)
{
	(void)state;
	check(DEPLOY("{'strategy':{},'template':{'metadata':{'creationTimestamp':null},'spec':{"
		     "'containers':[{'name':'c','resources':{}}]}}},'status':{}"),
	      DEPLOY("{'template':{'metadata':{},'spec':{'containers':[{'name':'c'}]}}}"));
}

static void lists_become_their_items(void **state)
{
	(void)state;
	check("{'apiVersion':'v1','kind':'List','items':[" CM("") "," SECRET("") "]}",
	      CM("") "\n" SECRET(""));
	check("{'apiVersion':'v1','kind':'ConfigMapList','items':[{'metadata':{'name':'c',"
	      "'namespace':'shop'}}]}",
	      CM(""));
}

static void the_same_object_twice_is_an_error(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct obj_set *s = obj_set_new(a);
	CLEANUP(err)
	struct err *e =
		obj_normalize(a, &shop,
			      read_quoted(a, "{'apiVersion':'v1','kind':'List','items':[\n" CM(
						     "") ",\n" CM("") "]}"),
			      s);
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_non_null(e);
	err_line_to(e, &b);
	assert_string_equal(buf_view(&b).p,
			    "o.json:3:1: 'ConfigMap shop/c' is there twice, first at o.json:2:1");
}

static void normalizing_twice_changes_nothing(void **state)
{
	const char *once = DEPLOY("{'template':{'spec':{'containers':[{'name':'c','ports':[{"
				  "'containerPort':80,'protocol':'TCP'}]}]}}}");

	(void)state;
	check(once, once);
}

/* ------------------------------------------------------------------ digest and redaction */

static const uint8_t key[32] = {1, 2, 3};

static void a_digest_is_that_of_the_data_not_of_its_order(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	static const uint8_t other_key[32] = {9};
	struct hash one = obj_digest(read_quoted(a, "{'a':1,'b':[true,'x']}"), key);
	struct hash two = obj_digest(read_quoted(a, "{ 'b': [true, 'x'], 'a': 1 }"), key);
	struct hash three = obj_digest(read_quoted(a, "{'a':1,'b':['x',true]}"), key);
	struct hash keyed = obj_digest(read_quoted(a, "{'a':1,'b':[true,'x']}"), other_key);
	struct hash by_hand =
		hash_blake2b(key, STR("leeboard/object/1"), STR("{\"a\":1,\"b\":[true,\"x\"]}"));

	(void)state;
	assert_true(hash_eq(&one, &two));
	assert_true(hash_eq(&one, &by_hand));
	assert_false(hash_eq(&one, &three));
	assert_false(hash_eq(&one, &keyed));
}

static str redacted(struct arena *a, const char *json)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct object o;

	assert_null(obj_from_node(a, read_quoted(a, json), &o));
	node_json(obj_redact(a, &o, key), NODE_JSON_COMPACT, &b);
	return arena_str(a, buf_view(&b));
}

static void a_redacted_secret_shows_keys_and_equality_only(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str one = redacted(a, SECRET(",'data':{'a':'aGVsbG8=','b':'aGVsbG8='}"));
	str again = redacted(a, SECRET(",'data':{'a':'aGVs\\nbG8=','b':'aGVsbG8='}"));
	str other = redacted(a, SECRET(",'data':{'a':'aGVsbG8=','b':'d29ybGQ='}"));
	const struct node *n = read(a, one.p);
	str ha = node_get_text(node_at(n, "data", "a", NULL), STR("$hash"));
	str hb = node_get_text(node_at(n, "data", "b", NULL), STR("$hash"));

	(void)state;
	assert_int_equal(ha.n, 64);
	assert_int_equal(hb.n, 64);
	assert_false(str_eq(ha, hb)); /* equal values under two keys do not show it */
	assert_true(str_eq(one, again));
	assert_false(str_eq(one, other));
	assert_false(str_contains(one, STR("aGVsbG8")));
}

static void what_kubectl_wrote_down_is_redacted_too(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str s = redacted(a,
			 "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s','annotations':{"
			 "'kubectl.kubernetes.io/last-applied-configuration':'hunter2','x':'y'}},"
			 "'stringData':{'p':'hunter2'},'type':'Opaque'}");

	(void)state;
	assert_false(str_contains(s, STR("hunter2")));
	assert_true(str_contains(s, STR("\"x\":\"y\"")));
	assert_true(str_contains(s, STR("\"type\":\"Opaque\"")));
}

static void redacting_twice_changes_nothing_and_other_kinds_stay(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str once = redacted(a, SECRET(",'data':{'a':'aGVsbG8='}"));
	struct object o;

	(void)state;
	assert_true(str_eq(once, redacted(a, once.p)));
	assert_null(obj_from_node(a, read_quoted(a, CM(",'data':{'a':'b'}")), &o));
	assert_ptr_equal(obj_redact(a, &o, key), o.root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_of_the_server_are_dropped),
		cmocka_unit_test(nulls_are_dropped_at_any_depth),
		cmocka_unit_test(nulls_stay_where_any_value_is_kept),
		cmocka_unit_test(maps_of_strings_hold_strings_only),
		cmocka_unit_test(a_message_says_the_path_with_the_elements_of_lists),
		cmocka_unit_test(string_data_moves_into_data_and_wins),
		cmocka_unit_test(values_of_a_secret_are_checked_and_never_shown),
		cmocka_unit_test(ports_are_tcp_unless_they_say_otherwise),
		cmocka_unit_test(rules_of_an_aggregated_role_are_the_controllers),
		cmocka_unit_test(an_empty_ca_bundle_is_left_to_the_injector),
		cmocka_unit_test(namespaces_follow_the_scope),
		cmocka_unit_test(a_target_may_know_scopes_better),
		cmocka_unit_test(marks_of_other_engines_go_and_their_empty_maps_too),
		cmocka_unit_test(what_generators_leave_behind_goes),
		cmocka_unit_test(lists_become_their_items),
		cmocka_unit_test(the_same_object_twice_is_an_error),
		cmocka_unit_test(normalizing_twice_changes_nothing),
		cmocka_unit_test(a_digest_is_that_of_the_data_not_of_its_order),
		cmocka_unit_test(a_redacted_secret_shows_keys_and_equality_only),
		cmocka_unit_test(what_kubectl_wrote_down_is_redacted_too),
		cmocka_unit_test(redacting_twice_changes_nothing_and_other_kinds_stay),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
