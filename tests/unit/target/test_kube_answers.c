/* What a server's answers mean, and whose fields are whose. */
#include "target/kube_priv.h"
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct kube_what web = {.verb = "patch",
				     .resource = STR("deployments"),
				     .group = STR("apps"),
				     .ns = STR("shop"),
				     .name = STR("web")};

static void want_for(const struct kube_what *w, unsigned status, const char *body, const char *want)
{
	CLEANUP(err) struct err *e = kube_error(w, status, str_from(body));
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_printf(&b, "%s: " STR_FMT, err_code_name(err_code(e)), STR_ARG(err_message(e)));
	assert_string_equal(b.p, want);
}

static void want(unsigned status, const char *body, const char *text)
{
	want_for(&web, status, body, text);
}

#define STATUS(more) "{\"kind\":\"Status\"," more "}"
#define SAYS(message) STATUS("\"message\":\"" message "\"")
#define WEB "deployments.apps 'web' in namespace 'shop'"

static void test_a_403_is_a_right_a_quota_or_an_admission(void **state UNUSED)
{
	want(403,
	     SAYS("deployments.apps \\\"web\\\" is forbidden: User "
		  "\\\"system:serviceaccount:a:b\\\" cannot "
		  "patch resource \\\"deployments\\\" in API group \\\"apps\\\" in the namespace "
		  "\\\"shop\\\""),
	     "Forbidden: user 'system:serviceaccount:a:b' may not patch " WEB);
	want(403, SAYS("pods \\\"x\\\" is forbidden: exceeded quota: q, requested: pods=1"),
	     "Quota: cannot patch " WEB
	     ": pods \"x\" is forbidden: exceeded quota: q, requested: pods=1");
	want(403, SAYS("admission webhook \\\"w.test\\\" denied the request: no"),
	     "Denied: " WEB " was denied: admission webhook \"w.test\" denied the request: no");
	want(403,
	     SAYS("pods \\\"x\\\" is forbidden: violates PodSecurity \\\"restricted\\\": "
		  "privileged"),
	     "Denied: " WEB " was denied: pods \"x\" is forbidden: violates PodSecurity "
	     "\"restricted\": privileged");
	want(403,
	     STATUS("\"message\":\"being terminated\",\"details\":{\"causes\":[{\"reason\":"
		    "\"NamespaceTerminating\"}]}"),
	     "not-found: namespace 'shop' is being deleted: cannot patch " WEB);
	want(400, SAYS("admission webhook \\\"w.test\\\" denied the request: odd code"),
	     "Denied: " WEB
	     " was denied: admission webhook \"w.test\" denied the request: odd code");
}

static void test_a_404_is_an_object_a_namespace_or_a_kind(void **state UNUSED)
{
	want(404,
	     STATUS("\"message\":\"x\",\"details\":{\"name\":\"web\",\"kind\":\"deployments\"}"),
	     "not-found: " WEB " is not there");
	want(404,
	     STATUS("\"message\":\"x\",\"details\":{\"name\":\"shop\",\"kind\":\"namespaces\"}"),
	     "not-found: namespace 'shop' is not there: cannot patch " WEB);
	want(404, SAYS("the server could not find the requested resource"),
	     "not-found: the server serves no deployments.apps: cannot patch " WEB);
	assert_true(kube_no_such_resource(404, STR("404 page not found\n")));
	assert_false(kube_no_such_resource(404, STR(STATUS("\"message\":\"x not found\""))));
}

static void test_a_422_is_immutable_only_where_a_cause_says_so(void **state UNUSED)
{
	want(422,
	     STATUS("\"message\":\"bad\",\"details\":{\"causes\":[{\"field\":\"spec.clusterIP\","
		    "\"message\":\"Invalid value: field is immutable\"},{\"field\":\"spec.x\","
		    "\"message\":\"Required value\"}]}"),
	     "Immutable: spec.clusterIP of " WEB " cannot be changed");
	want(422,
	     STATUS("\"message\":\"bad\",\"details\":{\"causes\":[{\"field\":\"spec.x\","
		    "\"message\":\"Required value\"}]}"),
	     "Invalid: " WEB " is invalid: bad");
	want(422, SAYS("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"),
	     "Denied: " WEB
	     " was denied: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no");
}

static void test_a_conflict_names_fields_and_managers_up_to_five(void **state UNUSED)
{
#define CAUSE(who, field)                                                                          \
	"{\"reason\":\"FieldManagerConflict\",\"message\":\"conflict with \\\"" who                \
	"\\\"\",\"field\":\"" field "\"}"
	want(409,
	     STATUS("\"message\":\"m\",\"details\":{\"causes\":[" CAUSE("x", ".a") "," CAUSE("x", ".b") "," CAUSE(
		     "y",
		     ".c") "," CAUSE("y",
				     ".d") "," CAUSE("y",
						     ".e") "," CAUSE("y",
								     ".f") "," CAUSE("y",
										     ".g") "]}"),
	     "Conflict: .a, .b, .c, .d, .e and 2 more of " WEB ": held by \"x\", \"y\"");
	want(409, STATUS("\"reason\":\"AlreadyExists\",\"message\":\"m\""),
	     "Conflict: " WEB " is there already");
}

static void test_what_is_not_json_is_told_too_and_harmless(void **state UNUSED)
{
	want(502, "<html>\x1b[31mbad gateway",
	     "TargetUnreachable: cannot patch " WEB
	     ": the server answers 502: <html>\\x1b[31mbad gateway");
	want(400, "", "Invalid: cannot patch " WEB ": no reason given");
}

static void test_a_secrets_value_is_in_no_sentence(void **state UNUSED)
{
	struct kube_what s = {
		.verb = "patch", .resource = STR("secrets"), .name = STR("s"), .secret = true};

	want_for(&s, 500,
		 SAYS("failed to create typed patch object (n/s; /v1, Kind=Secret): .data.k: "
		      "expected "
		      "string, got &value.valueUnstructured{Value:map[hunter2:1]}"),
		 "Invalid: secrets 's' is invalid: failed to create typed patch object (n/s; /v1, "
		 "Kind=Secret): .data.k: expected string");
	want_for(&s, 422,
		 SAYS("Secret \\\"s\\\" is invalid: data[k]: Invalid value: \\\"hunter2\\\": no"),
		 "Invalid: secrets 's' is invalid: Secret \"s\" is invalid: data[k]:");
}

/* ------------------------------------------------------------------ ownership */

static const struct node *read(struct arena *a, const char *json)
{
	const struct node *n = NULL;

	assert_null(kube_json(a, STR("test"), str_from(json), &n));
	return n;
}

static void want_owners(const char *entries, const char *want_)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf in = BUF_INIT;
	CLEANUP(buf) struct buf b = BUF_INIT;
	const struct node *n;

	buf_printf(&in, "{\"metadata\":{\"managedFields\":[%s]}}", entries);
	n = kube_take_over(a, read(a, in.p), STR("v1"));
	if (n)
		node_json(n, NODE_JSON_COMPACT, &b);
	assert_string_equal(n ? b.p : "nothing", want_);
}

#define ENTRY(manager, operation, more, fields)                                                    \
	"{\"manager\":\"" manager "\",\"operation\":\"" operation "\"" more                        \
	",\"fieldsV1\":" fields "}"
#define OURS(fields)                                                                               \
	"{\"manager\":\"leeboard\",\"operation\":\"Apply\",\"apiVersion\":\"v1\",\"fieldsType\":"  \
	"\"FieldsV1\",\"fieldsV1\":" fields "}"

static void test_fields_of_kubectl_and_ours_become_one_set(void **state UNUSED)
{
	want_owners(
		ENTRY("kubectl-client-side-apply", "Update", "",
		      "{\"f:data\":{\".\":{},\"f:a\":{}}}") "," ENTRY("leeboard", "Apply", "",
								      "{\"f:data\":{\"f:b\":{}}}"),
		"[" OURS("{\"f:data\":{\".\":{},\"f:a\":{},\"f:b\":{}}}") "]");
	/* A field that is a leaf for one and has parts for the other is both. */
	want_owners(ENTRY("kubectl", "Apply", "", "{\"f:spec\":{}}") "," ENTRY(
			    "kubectl-edit", "Update", "", "{\"f:spec\":{\"f:x\":{}}}"),
		    "[" OURS("{\"f:spec\":{\".\":{},\"f:x\":{}}}") "]");
}

static void test_entries_of_others_and_of_subresources_stay(void **state UNUSED)
{
	want_owners(ENTRY("kube-controller-manager", "Update", "", "{\"f:x\":{}}"), "nothing");
	want_owners(ENTRY("kubectl-scale", "Update", ",\"subresource\":\"scale\"", "{\"f:x\":{}}"),
		    "nothing");
	want_owners(ENTRY("helm", "Apply", "", "{\"f:x\":{}}"), "nothing");
	want_owners(ENTRY("leeboard", "Apply", "", "{\"f:x\":{}}"), "nothing");
	want_owners(ENTRY("other", "Update", "", "{\"f:y\":{}}") "," ENTRY(
			    "before-first-apply", "Update", "", "{\"f:x\":{}}"),
		    "[" ENTRY("other", "Update", "", "{\"f:y\":{}}") "," OURS("{\"f:x\":{}}") "]");
}

static void test_the_annotation_of_client_side_apply_goes_with_its_owner(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	const struct node *root = read(
		a,
		"{\"metadata\":{\"resourceVersion\":\"7\",\"annotations\":{\"kubectl.kubernetes.io/"
		"last-applied-configuration\":\"x\"},\"managedFields\":[{\"manager\":\"kubectl-"
		"create\","
		"\"operation\":\"Update\",\"fieldsV1\":{\"f:metadata\":{\"f:annotations\":{\".\":{}"
		",\"f:"
		"kubectl.kubernetes.io/last-applied-configuration\":{}}},\"f:data\":{}}}]}}");
	const struct node *managed = kube_take_over(a, root, STR("v1"));

	assert_non_null(managed);
	kube_owner_patch(root, managed, &b);
	assert_string_equal(
		b.p,
		"[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"7\"},{\"op\":"
		"\"replace\",\"path\":\"/metadata/managedFields\",\"value\":[" OURS(
			"{\"f:data\":{}}") "]},{\"op\":\"remove\",\"path\":\"/metadata/annotations/"
					   "kubectl.kubernetes.io~1last-applied-configuration\"}]");
}

static void test_entries_move_to_the_version_of_the_manifest(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *old = read(
		a,
		"{\"metadata\":{\"managedFields\":[{\"manager\":\"x\",\"apiVersion\":\"g/v1\"}]}}");

	const struct node *n = kube_reversion(a, old, STR("g/v2"));

	assert_string_equal(node_get_text(n->items[0], STR("apiVersion")).p, "g/v2");
	assert_null(kube_reversion(a, old, STR("g/v1")));
}

/* ------------------------------------------------------------------ lists */

static void test_items_are_walked_one_by_one(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct kube_items it;
	str json;

	assert_null(
		kube_items_open(a,
				STR("{ \"items\" : [ {\"a\":\"]}\\\"\"} , {\"b\":[{}]}], "
				    "\"metadata\":{\"continue\":"
				    "\"c\",\"resourceVersion\":\"9\",\"remainingItemCount\":3}}"),
				&it));
	assert_true(kube_items_next(&it, &json) && str_eq(json, STR("{\"a\":\"]}\\\"\"}")));
	assert_true(kube_items_next(&it, &json) && str_eq(json, STR("{\"b\":[{}]}")));
	assert_false(kube_items_next(&it, &json));
	assert_string_equal(it.more.p, "c");
	assert_int_equal(it.remaining, 3);
	assert_null(kube_items_open(a, STR("{\"items\":null}"), &it));
	assert_false(kube_items_next(&it, &json));
	for (const char *const *bad =
		     (const char *const[]){"", "[]", "{}", "{\"items\":[{}", "{\"items\":[]", NULL};
	     *bad; bad++) {
		struct err *e = kube_items_open(a, str_from(*bad), &it);

		assert_non_null(e);
		err_free(e);
	}
}

static void test_what_was_seen_before_tells_a_write_that_wrote_nothing(void **state UNUSED)
{
	struct kube_seen s = {0};
	char uid[16];

	for (int i = 0; i < 2000; i++) {
		snprintf(uid, sizeof(uid), "u%d", i);
		kube_seen_put(&s, str_from(uid), STR("1"));
	}
	assert_true(kube_seen_is(&s, STR("u7"), STR("1"), s.now));
	assert_false(kube_seen_is(&s, STR("u7"), STR("2"), s.now));
	uint64_t before = s.now;

	kube_seen_put(&s, STR("u7"), STR("2"));
	assert_false(kube_seen_is(&s, STR("u7"), STR("2"), before));
	assert_true(kube_seen_is(&s, STR("u7"), STR("2"), s.now));
	kube_seen_del(&s, STR("u7"));
	assert_false(kube_seen_is(&s, STR("u7"), STR("2"), s.now));
	free(s.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_403_is_a_right_a_quota_or_an_admission),
		cmocka_unit_test(test_a_404_is_an_object_a_namespace_or_a_kind),
		cmocka_unit_test(test_a_422_is_immutable_only_where_a_cause_says_so),
		cmocka_unit_test(test_a_conflict_names_fields_and_managers_up_to_five),
		cmocka_unit_test(test_what_is_not_json_is_told_too_and_harmless),
		cmocka_unit_test(test_a_secrets_value_is_in_no_sentence),
		cmocka_unit_test(test_fields_of_kubectl_and_ours_become_one_set),
		cmocka_unit_test(test_entries_of_others_and_of_subresources_stay),
		cmocka_unit_test(test_the_annotation_of_client_side_apply_goes_with_its_owner),
		cmocka_unit_test(test_entries_move_to_the_version_of_the_manifest),
		cmocka_unit_test(test_items_are_walked_one_by_one),
		cmocka_unit_test(test_what_was_seen_before_tells_a_write_that_wrote_nothing),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
