/* Strategic merge as kustomize does it. */
#include "render/merge.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct node *read_yaml(struct arena *a, const char *yaml)
{
	struct text *t = ARENA_NEW(a, struct text);
	struct node_docs docs = {0};

	*t = (struct text){STR("test.yaml"), str_from(yaml)};
	assert_null(node_read_yaml(a, t, &docs));
	assert_int_equal(docs.n, 1);
	return docs.p[0];
}

static void check(const char *dest, const char *patch, const char *want)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	const struct node *r;

	assert_null(merge_strategic(a, NULL, read_yaml(a, dest), read_yaml(a, patch), &r));
	if (!want) {
		assert_null(r);
		return;
	}
	node_yaml(node_sorted(a, r), &b);
	assert_string_equal(b.p, want);
}

static void check_error(const char *dest, const char *patch, const char *want)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(err) struct err *e = NULL;
	const struct node *r;

	e = merge_strategic(a, NULL, read_yaml(a, dest), read_yaml(a, patch), &r);
	assert_non_null(e);
	assert_string_equal(err_message(e).p, want);
}

static void maps_merge_and_null_removes(void **state)
{
	(void)state;
	check("a: 1\nb: {c: 2, d: 3}\n", "b: {c: null, e: {f: 1, g: null}}\n",
	      "a: 1\nb:\n  d: 3\n  e:\n    f: 1\n");
	check("a: 1\nf: {x: 1}\n", "f: null\n", "a: 1\n");
	check("a: 1\n", "f: {g: null}\n", "a: 1\nf: {}\n");
}

static void explicit_null_stays_and_an_empty_value_goes(void **state)
{
	(void)state;
	check("a: null\nb: ~\nc:\nd: 1\n", "d: 2\n", "a: null\nb: null\nd: 2\n");
}

static void directives_delete_and_replace_maps(void **state)
{
	(void)state;
	check("a: {x: 1}\nb: {x: 1}\n", "a: {$patch: replace, y: 2}\nb: {$patch: delete}\n",
	      "a:\n  \"y\": 2\n");
	check("a: 1\n", "$patch: delete\n", NULL);
	check("a: 1\n", "$patch: replace\nb: 1\n", "a: 1\n");
	check_error("a: {x: 1}\n", "a: {$patch: swap}\n", "unknown patch strategy 'swap'");
}

static void kinds_must_agree(void **state)
{
	(void)state;
	check_error("a: {x: 1}\n", "a: [1]\n", "wrong node kind: expected a map, found a list");
	check_error("a: [1]\n", "a: 1\n", "wrong node kind: expected a list, found an integer");
}

static void quotes_of_the_old_value_make_the_new_one_a_string(void **state)
{
	(void)state;
	check("a: \"5\"\nb: \"no\"\nc: 80\n", "a: 1\nb: yes\nc: \"8080\"\n",
	      "a: \"1\"\nb: \"yes\"\nc: \"8080\"\n");
}

static void lists_of_custom_resources_are_replaced(void **state)
{
	(void)state;
	check("apiVersion: x.io/v1\nkind: Foo\nl: [{name: a}, {name: b}]\n", "l: [{name: c}]\n",
	      "apiVersion: x.io/v1\nkind: Foo\nl:\n- name: c\n");
}

#define POD "apiVersion: v1\nkind: Pod\n"
static void patch_elements_come_first(void **state)
{
	(void)state;
	check(POD "spec: {containers: [{name: a, image: x}, {name: b, image: y}]}\n",
	      "spec: {containers: [{name: n}, {name: b, tty: true}]}\n",
	      POD "spec:\n  containers:\n  - name: \"n\"\n  - image: \"y\"\n    name: b\n    tty: "
		  "true\n  - image: x\n    name: a\n");
}

static void elements_are_deleted_by_key(void **state)
{
	(void)state;
	check(POD "spec: {containers: [{name: a}, {name: b}]}\n",
	      "spec: {containers: [{name: a, $patch: delete}]}\n",
	      POD "spec:\n  containers:\n  - name: b\n");
	check(POD "spec: {containers: [{name: a}, {name: b}]}\n",
	      "spec: {containers: [{$patch: replace}, {name: c}]}\n",
	      POD "spec:\n  containers:\n  - name: c\n");
	check(POD "spec: {hostname: h, containers: [{name: a}]}\n",
	      "spec: {containers: [{$patch: delete}]}\n", POD "spec:\n  hostname: h\n");
}

static void finalizers_merge_as_a_set(void **state)
{
	(void)state;
	check(POD "metadata: {finalizers: [a, b]}\n", "metadata: {finalizers: [c, b]}\n",
	      POD "metadata:\n  finalizers:\n  - c\n  - b\n  - a\n");
}

#define SERVICE "apiVersion: v1\nkind: Service\n"
static void ports_merge_by_number_and_protocol(void **state)
{
	(void)state;
	check(SERVICE "spec: {ports: [{port: 53, protocol: TCP}, {port: 53, protocol: UDP}]}\n",
	      "spec: {ports: [{port: 53, protocol: UDP, name: dns}]}\n",
	      SERVICE "spec:\n  ports:\n  - port: 53\n    protocol: TCP\n  - name: dns\n    "
		      "port: 53\n    protocol: UDP\n");
	/* Where the object has no protocol and the patch has, the object's element wins. */
	check(SERVICE "spec: {ports: [{port: 80, name: a}]}\n",
	      "spec: {ports: [{port: 80, protocol: TCP, name: b}]}\n",
	      SERVICE "spec:\n  ports:\n  - name: a\n    port: 80\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_merge_and_null_removes),
		cmocka_unit_test(explicit_null_stays_and_an_empty_value_goes),
		cmocka_unit_test(directives_delete_and_replace_maps),
		cmocka_unit_test(kinds_must_agree),
		cmocka_unit_test(quotes_of_the_old_value_make_the_new_one_a_string),
		cmocka_unit_test(lists_of_custom_resources_are_replaced),
		cmocka_unit_test(patch_elements_come_first),
		cmocka_unit_test(elements_are_deleted_by_key),
		cmocka_unit_test(finalizers_merge_as_a_set),
		cmocka_unit_test(ports_merge_by_number_and_protocol),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
