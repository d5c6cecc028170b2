#include "web/web_priv.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void check(const char *uri, bool post, unsigned status, const char *told)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct web_target t;
	const char *allow = NULL, *why;
	unsigned got = web_target_read(a, str_from(uri), post, &t, &allow, &why);

	if (got == 200) {
		assert_null(why);
		buf_printf(&b, "%d %d " STR_FMT, (int)t.route,
			   t.route == WEB_ASK ? (int)t.verb : -1, STR_ARG(t.name));
		if (t.args) {
			buf_char(&b, ' ');
			node_json(t.args, NODE_JSON_COMPACT, &b);
		}
	} else {
		buf_str(&b, str_from(allow ? allow : why));
	}
	assert_int_equal(got, status);
	assert_string_equal(b.p, told);
}

static void every_row_of_the_table_is_found_by_its_path(void **state)
{
	static const struct {
		const char *path;
		bool post;
		enum sync_verb verb;
	} rows[] = {
#define GET false
#define POST true
#define X(id, method, path, acts, kind, what) {path, method, SYNC_##id},
		SYNC_ASKS(X)
#undef X
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf) struct buf uri = BUF_INIT, want = BUF_INIT;
		str rest = str_from(rows[i].path), part;
		bool named = false;

		buf_str(&uri, STR("/api/v1"));
		while (str_split(&rest, '/', &part)) {
			bool n = str_eq(part, STR("N"));

			buf_printf(&uri, "/" STR_FMT, STR_ARG(n ? STR("shop%2fweb") : part));
			named = named || n;
		}
		buf_printf(&want, "%d %d %s", (int)WEB_ASK, (int)rows[i].verb,
			   named ? "shop/web" : "");
		check(uri.p, rows[i].post, 200, want.p);
		check(uri.p, !rows[i].post, 405, rows[i].post ? "POST" : "GET, HEAD");
	}
}

static void what_is_not_there_or_badly_written_is_refused(void **state)
{
	const char *nothing = "there is nothing at this path";
	const char *escape = "the path has a bad %-escape, or is not UTF-8";

	(void)state;
	check("/", false, 404, nothing);
	check("", false, 404, nothing);
	check("api/v1/status", false, 404, nothing);
	check("/api/v1", false, 404, nothing);
	check("/api/v1/status/x", false, 404, nothing);
	check("/api/v1/apps//sync", true, 404, nothing);
	check("/api/v2/status", false, 404, nothing);
	check("/a/b/c/d/e/f/g/h", false, 404, nothing);
	check("/api/v1/apps/%", false, 400, escape);
	check("/api/v1/apps/%4", false, 400, escape);
	check("/api/v1/apps/%zz", false, 400, escape);
	check("/api/v1/apps/a%00b", false, 400, escape);
	check("/api/v1/apps/%ff", false, 400, escape);
	check("/hook/fleet", true, 200, "2 -1 fleet");
	check("/metrics", false, 200, "5 -1 ");
}

static void the_query_becomes_a_map_of_texts(void **state)
{
	CLEANUP(buf) struct buf many = BUF_INIT;

	(void)state;
	check("/api/v1/status?q=a%2Ab+c&problems=1&x&=", false, 200,
	      "0 0  {\"q\":\"a*b c\",\"problems\":\"1\",\"x\":\"\",\"\":\"\"}");
	check("/api/v1/status?", false, 200, "0 0 ");
	check("/api/v1/status?a=1&a=2", false, 400, "the query gives a parameter twice");
	check("/api/v1/status?a=%0", false, 400, "the query has a bad %-escape, or is not UTF-8");
	buf_str(&many, STR("/api/v1/status?"));
	for (unsigned i = 0; i <= WEB_MAX_ARGS; i++)
		buf_printf(&many, "p%u=1&", i);
	check(many.p, false, 400, "the query has too many parameters");
}

static void a_body_is_nothing_or_one_map(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	static const struct {
		const char *body;
		bool map, good;
	} rows[] = {
		{"", false, true},       {" \n", false, true}, {"{\"wait\":true}", true, true},
		{"[1]", false, false},   {"{", false, false},  {"{\"a\":1,\"a\":2}", false, false},
		{"{} {}", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct text t = {STR("<body>"), str_from(rows[i].body)};
		const struct node *n;
		CLEANUP(err) struct err *e = web_body_read(a, &t, &n);

		assert_int_equal(!e, rows[i].good);
		assert_int_equal(n != NULL, rows[i].map);
	}
}

static void tokens_and_hosts_are_read_exactly(void **state)
{
	(void)state;
	assert_true(str_eq(web_bearer(STR("Bearer  abc ")), STR("abc")));
	assert_true(str_eq(web_bearer(STR("bearer abc")), STR("abc")));
	assert_int_equal(web_bearer(STR("Basic abc")).n, 0);
	assert_int_equal(web_bearer(STR("Bearer")).n, 0);
	assert_true(web_host_is_local(STR("localhost:8080")));
	assert_true(web_host_is_local(STR("127.0.0.1:8080")));
	assert_true(web_host_is_local(STR("127.8.9.1")));
	assert_true(web_host_is_local(STR("[::1]:8080")));
	assert_false(web_host_is_local(STR("127.0.0.1.evil.example:8080")));
	assert_false(web_host_is_local(STR("127.evil.example")));
	assert_false(web_host_is_local(STR("evil.example")));
	assert_false(web_host_is_local(STR("127.0.0")));
	assert_false(web_host_is_local(STR("")));
}

static void the_reference_page_is_the_table(void **state)
{
	CLEANUP(buf) struct buf want = BUF_INIT;
	CLEANUP(buf) struct buf page = BUF_INIT;
	const char *path = TEST_DIR "/../docs/reference-http.md",
		   *update = getenv("LEEBOARD_GOLDEN");

	(void)state;
	web_reference(&want);
	if (update && !strcmp(update, "update"))
		assert_null(file_write_atomic(path, buf_view(&want), 0644));
	assert_null(file_read(path, 1 << 20, &page));
	assert_string_equal(page.p, want.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_table_is_found_by_its_path),
		cmocka_unit_test(what_is_not_there_or_badly_written_is_refused),
		cmocka_unit_test(the_query_becomes_a_map_of_texts),
		cmocka_unit_test(a_body_is_nothing_or_one_map),
		cmocka_unit_test(tokens_and_hosts_are_read_exactly),
		cmocka_unit_test(the_reference_page_is_the_table),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
