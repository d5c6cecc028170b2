#include "leeboard/object.h"
#include <setjmp.h>

#include <cmocka.h>

static void check_str(str got, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_str(&b, got);
	assert_string_equal(b.p ? b.p : "", want);
}

static void check_err(struct err *e, enum err_code code, const char *want)
{
	CLEANUP(err) UNUSED struct err *mine = e;
	CLEANUP(buf) struct buf b = BUF_INIT;

	assert_non_null(e);
	err_line_to(e, &b);
	check_str(buf_view(&b), want);
	assert_int_equal(err_code(e), code);
}

static struct want want(struct arena *a, const char *name)
{
	struct want w = {
		.id = {STR(""), STR("ConfigMap"), STR("shop"), arena_str(a, str_from(name))},
		.version = STR("v1"),
		.file = STR("a.yaml"),
		.line = 3,
		.col = 1};

	w.json = arena_printf(a,
			      "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
			      "\"metadata\":{\"name\":\"%s\",\"namespace\":\"shop\"}}",
			      name);
	return w;
}

static void members_are_found_by_identity(void **state)
{
	CLEANUP(wants) struct wants *w = wants_new();

	(void)state;
	assert_null(wants_get(w, want(w->arena, "none").id));
	for (int i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m%d", i);
		assert_null(wants_add(w, want(w->arena, name)));
	}
	assert_int_equal(w->n, 1000);
	for (size_t i = 0; i < w->n; i++)
		assert_ptr_equal(wants_get(w, w->p[i].id), &w->p[i]);
	check_str(w->p[0].id.name, "m0"); /* in the order in which they came */
	check_str(w->p[999].id.name, "m999");
	assert_null(wants_get(w, want(w->arena, "none").id));
}

static void a_second_of_one_identity_is_an_error_that_names_both(void **state)
{
	CLEANUP(wants) struct wants *w = wants_new();
	struct want other = want(w->arena, "web"), bare = want(w->arena, "bare");

	(void)state;
	other.file = STR("b.yaml");
	other.line = 9;
	bare.file = STR("");
	assert_null(wants_add(w, want(w->arena, "web")));
	check_err(wants_add(w, other), ERR_DUPLICATE,
		  "b.yaml:9:1: 'ConfigMap shop/web' is there twice, first at a.yaml:3:1");
	assert_null(wants_add(w, bare));
	check_err(wants_add(w, want(w->arena, "bare")), ERR_DUPLICATE,
		  "a.yaml:3:1: 'ConfigMap shop/bare' is there twice");
	assert_int_equal(w->n, 2);
}

static void a_tree_is_made_of_the_json(void **state)
{
	CLEANUP(wants) struct wants *w = wants_new();
	CLEANUP(arena) struct arena *a = arena_new();
	struct want x = want(w->arena, "web");
	struct object o;

	(void)state;
	assert_null(want_tree(a, &x, &o));
	assert_true(obj_id_eq(o.id, x.id));
	check_str(o.version, "v1");
	check_str(node_text(node_at(o.root, "metadata", "name", NULL)), "web");
	check_str(o.at.in->name, "a.yaml");
	assert_int_equal(o.at.line, 3);
	x.id.name = STR("other");
	check_err(want_tree(a, &x, &o), ERR_INTERNAL,
		  "ConfigMap shop/other:1:1: stored as '/ConfigMap/shop/other', but holds "
		  "'/ConfigMap/shop/web'");
	x.json = STR("{");
	struct err *e = want_tree(a, &x, &o);

	assert_non_null(e);
	assert_int_equal(err_code(e), ERR_SYNTAX);
	err_free(e);
}

static void an_origin_is_that_of_the_longest_path_above(void **state)
{
	static const struct want_origin origins[] = {
		{STR(".metadata.labels"), STR("l.yaml"), 1},
		{STR(".spec"), STR("s.yaml"), 2},
		{STR(".spec.containers[name=\"a\"].image"), STR("i.yaml"), 3},
		{STR(".spec.replicas"), STR("r.yaml"), 4},
	};
	static const struct {
		const char *path, *want;
	} rows[] = {
		{".spec.replicas", "r.yaml"},
		{".spec.replicasX", "s.yaml"},
		{".spec.containers[name=\"a\"].image", "i.yaml"},
		{".spec.containers[name=\"b\"].image", "s.yaml"},
		{".specs", NULL},
		{".metadata", NULL},
		{".metadata.labels[\"leeboard.dev/app\"]", "l.yaml"},
		{"", NULL},
	};
	struct want w = {.origins = origins, .origins_n = ARRAY_LEN(origins)};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct want_origin *o = want_origin(&w, str_from(rows[i].path));

		if (!rows[i].want)
			assert_null(o);
		else
			check_str(o->file, rows[i].want);
	}
	w.origins_n = 0;
	assert_null(want_origin(&w, STR(".spec.replicas")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found_by_identity),
		cmocka_unit_test(a_second_of_one_identity_is_an_error_that_names_both),
		cmocka_unit_test(a_tree_is_made_of_the_json),
		cmocka_unit_test(an_origin_is_that_of_the_longest_path_above),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
