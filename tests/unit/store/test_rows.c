#include "store/store_test.h"

/* ------------------------------------------------------------------ key and value */

static struct err *tell(void *arg, str key, str value)
{
	buf_printf(arg, STR_FMT "=" STR_FMT ";", STR_ARG(key), STR_ARG(value));
	return NULL;
}

static void test_values_are_put_replaced_walked_by_key_and_deleted(void **state)
{
	struct story *y = *state;
	CLEANUP(buf) struct buf b = BUF_INIT;
	str v;

	no_err(store_put(y->s, STR("suspend"), STR("web"), STR("1")));
	no_err(store_put(y->s, STR("suspend"), STR("mail"), STR("")));
	no_err(store_put(y->s, STR("suspend"), STR("web"), STR("2")));
	no_err(store_put(y->s, STR("pin"), STR("web"), STR("3")));
	reopen(y);
	no_err(store_each(y->s, STR("suspend"), tell, &b));
	assert_string_equal(b.p, "mail=;web=2;");
	no_err(store_get(y->s, y->a, STR("suspend"), STR("mail"), &v));
	assert_non_null(v.p);
	assert_int_equal(v.n, 0);
	no_err(store_del(y->s, STR("suspend"), STR("mail")));
	no_err(store_del(y->s, STR("suspend"), STR("mail")));
	no_err(store_get(y->s, y->a, STR("suspend"), STR("mail"), &v));
	assert_null(v.p);
}

static struct err *stop(void *arg UNUSED, str key UNUSED, str value UNUSED)
{
	return err_new(ERR_INTERNAL, "enough");
}

static void test_a_walk_ends_with_the_error_of_its_function(void **state)
{
	struct story *y = *state;

	no_err(store_put(y->s, STR("a"), STR("b"), STR("c")));
	is_err(y, store_each(y->s, STR("a"), stop, NULL), ERR_INTERNAL, "enough");
}

struct nested {
	struct store *s;
	struct buf *b;
};
static struct err *inner(void *arg, str key, str value UNUSED)
{
	struct nested *n = arg;

	return store_each(n->s, key, tell, n->b);
}

static void test_a_walk_may_walk(void **state)
{
	struct story *y = *state;
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct nested n = {y->s, &b};

	no_err(store_put(y->s, STR("outer"), STR("in1"), STR("")));
	no_err(store_put(y->s, STR("outer"), STR("in2"), STR("")));
	no_err(store_put(y->s, STR("in1"), STR("a"), STR("1")));
	no_err(store_put(y->s, STR("in2"), STR("b"), STR("2")));
	no_err(store_each(y->s, STR("outer"), inner, &n));
	assert_string_equal(b.p, "a=1;b=2;");
}

/* ------------------------------------------------------------------ transactions */

static void test_an_outer_failure_undoes_what_inner_ones_committed(void **state)
{
	struct story *y = *state;
	str v;

	no_err(store_begin(y->s));
	no_err(store_put(y->s, STR("a"), STR("k"), STR("v")));
	no_err(store_begin(y->s));
	no_err(store_put(y->s, STR("a"), STR("k2"), STR("v")));
	no_err(store_end(y->s, NULL));
	is_err(y, store_end(y->s, err_new(ERR_INTERNAL, "no")), ERR_INTERNAL, "no");
	no_err(store_get(y->s, y->a, STR("a"), STR("k"), &v));
	assert_null(v.p);
	no_err(store_get(y->s, y->a, STR("a"), STR("k2"), &v));
	assert_null(v.p);
	no_err(store_put(y->s, STR("a"), STR("k"), STR("again")));
}

static void test_an_inner_failure_that_was_swallowed_still_undoes_all(void **state)
{
	struct story *y = *state;
	str v;

	no_err(store_begin(y->s));
	no_err(store_put(y->s, STR("a"), STR("k"), STR("v")));
	no_err(store_begin(y->s));
	err_free(store_end(y->s, err_new(ERR_INTERNAL, "no")));
	is_err(y, store_put(y->s, STR("a"), STR("later"), STR("v")), ERR_STORAGE,
	       "write 'PATH/leeboard.db': an earlier part of the same change failed");
	is_err(y, store_end(y->s, NULL), ERR_STORAGE,
	       "write 'PATH/leeboard.db': an earlier part of the same change failed");
	no_err(store_get(y->s, y->a, STR("a"), STR("k"), &v));
	assert_null(v.p);
	no_err(store_get(y->s, y->a, STR("a"), STR("later"), &v));
	assert_null(v.p);
}

/* ------------------------------------------------------------------ commits */

static struct store_commit commit(const char *oid, msec seen, msec accepted)
{
	return (struct store_commit){
		.source = STR("fleet"),
		.oid = str_from(oid),
		.subject = STR("web: 2.4.1"),
		.author_name = STR("Ana"),
		.author_email = STR("ana@example.org"),
		.committed = 5,
		.signer = STR("ana@example.org"),
		.key = STR("SHA256:x"),
		.verdict = STR("Good"),
		.first_seen = seen,
		.accepted = accepted,
	};
}

static void test_a_commit_keeps_when_it_was_first_seen_and_accepted(void **state)
{
	struct story *y = *state;
	struct store_commit c = commit("3f2a91c0", 10, 20), got;

	no_err(store_commit_put(y->s, &c));
	c = commit("3f2a91c0", 99, 0);
	c.verdict = STR("KeyExpired");
	no_err(store_commit_put(y->s, &c));
	no_err(store_commit_get(y->s, y->a, STR("fleet"), STR("3f2a"), &got));
	assert_int_equal(got.first_seen, 10);
	assert_int_equal(got.accepted, 20);
	is_str(got.verdict, "KeyExpired");
	is_str(got.oid, "3f2a91c0");
	is_str(got.subject, "web: 2.4.1");
}

static void test_a_cut_id_that_fits_two_commits_is_refused(void **state)
{
	struct story *y = *state;
	struct store_commit c = commit("3f2a91c0", 1, 1), got;
	struct store_commits list;

	no_err(store_commit_put(y->s, &c));
	c = commit("3f2a91d0", 2, 2);
	no_err(store_commit_put(y->s, &c));
	is_err(y, store_commit_get(y->s, y->a, STR("fleet"), STR("3f2a91"), &got), ERR_USAGE,
	       "'3f2a91' is the beginning of several commits");
	is_err(y, store_commit_get(y->s, y->a, STR("fleet"), STR("3f2"), &got), ERR_USAGE,
	       "'3f2' is too short for a commit: 4 digits at least");
	no_err(store_commit_get(y->s, y->a, STR("fleet"), STR("3f2a91d"), &got));
	is_str(got.oid, "3f2a91d0");
	no_err(store_commit_get(y->s, y->a, STR("other"), STR("3f2a91d"), &got));
	assert_null(got.oid.p);
	no_err(store_commit_list(y->s, y->a, STR("fleet"), 0, &list));
	assert_int_equal(list.n, 2);
	is_str(list.p[0].oid, "3f2a91d0");
}

/* ------------------------------------------------------------------ history */

static uint64_t sync_run(struct story *y, const char *app, const char *rev, enum store_outcome o,
			 msec started, const char *object)
{
	struct store_sync r = {.app = str_from(app),
			       .source = STR("fleet"),
			       .revision = str_from(rev),
			       .from = STR("77be012"),
			       .started = started,
			       .by = STR("push"),
			       .plan = STR("6b1f0c")};
	str objects[] = {str_from(object), STR("/Namespace//shop")};

	no_err(store_sync_begin(y->s, &r));
	r.outcome = o;
	r.created = 1;
	r.changed = 2;
	r.deleted = 3;
	r.unchanged = 4;
	r.requests = 5;
	r.writes = 6;
	r.took = 19000;
	r.first_cause = o == STORE_FAILED ? STR("{\"reason\":\"Timeout\"}") : STR_NONE;
	r.detail = STR("[]");
	r.objects = objects;
	r.objects_n = 2;
	no_err(store_sync_end(y->s, &r));
	return r.number;
}

static void list(struct story *y, struct store_sync_query q, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct store_syncs got;

	no_err(store_sync_list(y->s, y->a, &q, &got));
	for (size_t i = 0; i < got.n; i++)
		buf_printf(&b, STR_FMT " %llu %s;", STR_ARG(got.p[i].app),
			   (unsigned long long)got.p[i].number,
			   store_outcome_name(got.p[i].outcome));
	assert_string_equal(buf_view(&b).p, want);
}

static void test_history_is_numbered_per_app_and_asked_in_many_ways(void **state)
{
	struct story *y = *state;
	struct store_syncs got;
	struct store_sync_query page = {.most = 2};

	assert_int_equal(sync_run(y, "web", "aaaa", STORE_HEALTHY, 100, "apps/Deployment/shop/web"),
			 1);
	assert_int_equal(sync_run(y, "mail", "aaaa", STORE_FAILED, 200, "apps/Deployment/m/m"), 1);
	assert_int_equal(sync_run(y, "web", "bbbb", STORE_FAILED, 300, "/ConfigMap/shop/web"), 2);
	assert_int_equal(sync_run(y, "web", "cccc", STORE_ROLLEDBACK, 400, "/ConfigMap/shop/x"), 3);
	reopen(y);
	list(y, (struct store_sync_query){0},
	     "web 3 rolledback;web 2 failed;mail 1 failed;web 1 healthy;");
	list(y, (struct store_sync_query){.app = STR("web")},
	     "web 3 rolledback;web 2 failed;web 1 healthy;");
	list(y, (struct store_sync_query){.app = STR("web"), .number = 2}, "web 2 failed;");
	list(y, (struct store_sync_query){.app = STR("web"), .healthy = true}, "web 1 healthy;");
	list(y, (struct store_sync_query){.since = 200},
	     "web 3 rolledback;web 2 failed;mail 1 failed;");
	list(y, (struct store_sync_query){.object = STR("/ConfigMap/shop/web")}, "web 2 failed;");
	list(y, (struct store_sync_query){.object = STR("/Namespace//shop"), .app = STR("mail")},
	     "mail 1 failed;");
	no_err(store_sync_list(y->s, y->a, &page, &got));
	assert_int_equal(got.n, 2);
	page.before = got.p[1].cursor;
	list(y, page, "mail 1 failed;web 1 healthy;");
}

static void test_a_row_comes_back_whole_with_its_commit(void **state)
{
	struct story *y = *state;
	struct store_commit c = commit("bbbb", 1, 1);
	struct store_sync_query q = {.app = STR("web")};
	struct store_syncs got;
	struct store_sync *r;

	no_err(store_commit_put(y->s, &c));
	sync_run(y, "web", "bbbb", STORE_FAILED, 300, "/ConfigMap/shop/web");
	no_err(store_sync_list(y->s, y->a, &q, &got));
	r = &got.p[0];
	is_str(r->subject, "web: 2.4.1");
	is_str(r->author_email, "ana@example.org");
	is_str(r->signer, "ana@example.org");
	is_str(r->from, "77be012");
	is_str(r->by, "push");
	is_str(r->plan, "6b1f0c");
	is_str(r->first_cause, "{\"reason\":\"Timeout\"}");
	is_str(r->detail, "[]");
	assert_int_equal(r->created * 100000 + r->changed * 10000 + r->deleted * 1000 +
				 r->unchanged * 100 + r->requests * 10 + r->writes,
			 123456);
	assert_int_equal(r->started, 300);
	assert_int_equal(r->took, 19000);
}

static void test_a_sync_that_never_ended_is_found(void **state)
{
	struct story *y = *state;
	struct store_sync r = {.app = STR("web"), .revision = STR("aaaa"), .started = 7};

	sync_run(y, "web", "aaaa", STORE_HEALTHY, 1, "x");
	no_err(store_sync_begin(y->s, &r));
	reopen(y);
	list(y, (struct store_sync_query){.running = true}, "web 2 running;");
	r.outcome = STORE_FAILED;
	r.first_cause = STR("{\"reason\":\"Interrupted\"}");
	no_err(store_sync_end(y->s, &r));
	list(y, (struct store_sync_query){.running = true}, "");
	r.number = 9;
	is_err(y, store_sync_end(y->s, &r), ERR_NOT_FOUND, "App 'web' has no sync 9");
}

/* ------------------------------------------------------------------ renders */

static struct wants *render(const char *replicas)
{
	struct wants *w = wants_new();
	struct arena *a = w->arena;
	struct want_origin *o = ARENA_ARRAY(a, struct want_origin, 2);
	struct want x = {
		.id = {STR("apps"), STR("Deployment"), STR("shop"), STR("web")},
		.version = STR("v1"),
		.json = arena_printf(a, "{\"spec\":{\"replicas\":%s}}", replicas),
		.file = STR("base/web.yaml"),
		.line = 3,
		.col = 1,
		.origins = o,
		.origins_n = 2,
	};

	o[0] = (struct want_origin){STR(".metadata.name"), STR("base/web.yaml"), 4};
	o[1] = (struct want_origin){STR(".spec.replicas"), STR("prod/replicas.yaml"), 9};
	x.digest = hash_sha256(x.json);
	no_err(wants_add(w, x));
	x.id = (obj_id){STR(""), STR("Namespace"), STR(""), STR("shop")};
	x.json = STR("{\"kind\":\"Namespace\"}");
	x.digest = hash_sha256(x.json);
	x.origins_n = 0;
	no_err(wants_add(w, x));
	return w;
}

static void test_a_render_comes_back_in_order_with_places_and_origins(void **state)
{
	struct story *y = *state;
	CLEANUP(wants) struct wants *w = render("3");
	CLEANUP(wants) struct wants *got = NULL;
	struct want one;
	bool has;

	no_err(store_render_put(y->s, STR("web"), STR("aaaa"), w));
	reopen(y);
	no_err(store_render_get(y->s, STR("web"), STR("aaaa"), &got));
	assert_int_equal(got->n, 2);
	is_str(obj_id_text(y->a, got->p[0].id), "apps/Deployment/shop/web");
	is_str(got->p[0].json, "{\"spec\":{\"replicas\":3}}");
	is_str(got->p[0].version, "v1");
	is_str(got->p[0].file, "base/web.yaml");
	assert_int_equal(got->p[0].line, 3);
	assert_true(hash_eq(&got->p[0].digest, &w->p[0].digest));
	assert_int_equal(got->p[0].origins_n, 2);
	is_str(got->p[0].origins[1].path, ".spec.replicas");
	is_str(got->p[0].origins[1].file, "prod/replicas.yaml");
	assert_int_equal(got->p[0].origins[1].line, 9);
	is_str(obj_id_text(y->a, got->p[1].id), "/Namespace//shop");
	no_err(store_render_one(y->s, y->a, STR("web"), STR("aaaa"), w->p[1].id, &one));
	is_str(one.json, "{\"kind\":\"Namespace\"}");
	no_err(store_render_one(y->s, y->a, STR("web"), STR("bbbb"), w->p[1].id, &one));
	assert_null(one.json.p);
	no_err(store_render_has(y->s, STR("web"), STR("aaaa"), &has));
	assert_true(has);
	no_err(store_render_has(y->s, STR("web"), STR("bbbb"), &has));
	assert_false(has);
	wants_free(STEAL(got));
	no_err(store_render_get(y->s, STR("mail"), STR("aaaa"), &got));
	assert_null(got);
}

static off_t stored(struct story *y)
{
	struct stat st;

	reopen(y); /* which empties the log */
	assert_int_equal(stat(in_dir(y, "leeboard.db"), &st), 0);
	return st.st_size;
}

static void test_what_is_equal_is_stored_once(void **state)
{
	struct story *y = *state;
	CLEANUP(wants) struct wants *w = render("3");
	CLEANUP(buf) struct buf big = BUF_INIT;
	struct want x = w->p[0];
	off_t once, many;

	for (size_t i = 0; i < 200000; i++)
		buf_char(&big, (char)('a' + i % 26));
	x.id.name = STR("big");
	x.json = buf_view(&big);
	no_err(wants_add(w, x));
	no_err(store_render_put(y->s, STR("web"), STR("0"), w));
	once = stored(y);
	assert_true(once > 200000);
	for (int i = 1; i <= 20; i++) {
		str rev = arena_printf(y->a, "%d", i);

		no_err(store_render_put(y->s, STR("web"), rev, w));
	}
	many = stored(y);
	assert_true(many - once < 50000);
}

/* ------------------------------------------------------------------ baselines */

static struct err *names(void *arg, const struct store_baseline *b)
{
	buf_printf(arg, STR_FMT "=" STR_FMT ";", STR_ARG(b->id.name), STR_ARG(b->json));
	return NULL;
}

static void test_baselines_are_put_together_replaced_and_deleted(void **state)
{
	struct story *y = *state;
	CLEANUP(buf) struct buf told = BUF_INIT;
	struct store_baseline b[2] = {
		{.id = {STR(""), STR("ConfigMap"), STR("s"), STR("a")},
		 .version = STR("v1"),
		 .uid = STR("u1"),
		 .applied = hash_sha256(STR("x")),
		 .live = hash_sha256(STR("y")),
		 .json = STR("{}"),
		 .revision = STR("aaaa"),
		 .at = 42},
		{.id = {STR(""), STR("ConfigMap"), STR("s"), STR("b")}, .json = STR("")},
	};
	struct store_baseline got;

	no_err(store_baseline_put(y->s, STR("web"), b, 2));
	b[0].json = STR("{\"a\":1}");
	no_err(store_baseline_put(y->s, STR("web"), b, 1));
	reopen(y);
	no_err(store_baseline_each(y->s, STR("web"), names, &told));
	assert_string_equal(told.p, "a={\"a\":1};b=;");
	no_err(store_baseline_get(y->s, y->a, STR("web"), b[0].id, &got));
	is_str(got.uid, "u1");
	is_str(got.revision, "aaaa");
	assert_int_equal(got.at, 42);
	assert_true(hash_eq(&got.applied, &b[0].applied));
	assert_true(hash_eq(&got.live, &b[0].live));
	no_err(store_baseline_get(y->s, y->a, STR("web"), b[1].id, &got));
	assert_non_null(got.json.p);
	no_err(store_baseline_get(y->s, y->a, STR("mail"), b[1].id, &got));
	assert_null(got.json.p);
	no_err(store_baseline_del(y->s, STR("web"), &b[0].id, 1));
	no_err(store_baseline_get(y->s, y->a, STR("web"), b[0].id, &got));
	assert_null(got.json.p);
	no_err(store_baseline_clear(y->s, STR("web")));
	no_err(store_baseline_get(y->s, y->a, STR("web"), b[1].id, &got));
	assert_null(got.json.p);
}

/* ------------------------------------------------------------------ journal */

static void test_the_journal_shows_what_never_ended(void **state)
{
	struct story *y = *state;
	struct store_wave w = {.app = STR("web"),
			       .plan = STR("6b1f0c"),
			       .revision = STR("aaaa"),
			       .wave = 2,
			       .steps = STR("[{\"action\":\"delete\"}]"),
			       .at = 9};
	struct store_waves open;
	uint64_t first, second;

	no_err(store_journal_begin(y->s, &w, &first));
	w.wave = 3;
	no_err(store_journal_begin(y->s, &w, &second));
	no_err(store_journal_end(y->s, first));
	reopen(y);
	no_err(store_journal_open(y->s, y->a, &open));
	assert_int_equal(open.n, 1);
	assert_int_equal(open.p[0].id, second);
	assert_int_equal(open.p[0].wave, 3);
	is_str(open.p[0].steps, "[{\"action\":\"delete\"}]");
	is_str(open.p[0].app, "web");
}

/* ------------------------------------------------------------------ pruning */

static void prune(struct story *y, msec now)
{
	bool more = true;

	for (int i = 0; more && i < 1000; i++)
		no_err(store_prune(y->s, now, 1000, &more));
	assert_false(more);
}

static void test_old_syncs_go_but_the_last_fifty_of_each_app_stay_with_their_renders(void **state)
{
	struct story *y = *state;
	CLEANUP(wants) struct wants *w = render("3");
	struct store_syncs got;
	struct store_sync_query q = {.app = STR("web"), .most = 1000};
	bool has;

	no_err(store_begin(y->s));
	for (int i = 1; i <= 260; i++) {
		str rev = arena_printf(y->a, "%04d", i);

		no_err(store_render_put(y->s, STR("web"), rev, w));
		sync_run(y, "web", rev.p, STORE_HEALTHY, i, "/ConfigMap/shop/web");
	}
	sync_run(y, "mail", "aaaa", STORE_HEALTHY, 1, "/ConfigMap/shop/m");
	no_err(store_end(y->s, NULL));
	prune(y, time_wall() + 2000);
	no_err(store_sync_list(y->s, y->a, &q, &got));
	assert_int_equal(got.n, 50);
	assert_int_equal(got.p[49].number, 211);
	q.app = STR("mail");
	no_err(store_sync_list(y->s, y->a, &q, &got));
	assert_int_equal(got.n, 1);
	no_err(store_render_has(y->s, STR("web"), STR("0210"), &has));
	assert_false(has);
	no_err(store_render_has(y->s, STR("web"), STR("0211"), &has));
	assert_true(has);
	/* numbers go on */
	assert_int_equal(sync_run(y, "web", "x", STORE_HEALTHY, 1, "y"), 261);
}

static void test_room_is_given_back(void **state)
{
	struct story *y = *state;
	off_t before;

	no_err(store_begin(y->s));
	for (int i = 0; i < 60; i++) {
		CLEANUP(wants) struct wants *w = wants_new();
		CLEANUP(buf) struct buf big = BUF_INIT;
		struct want x = {.id = {STR(""), STR("ConfigMap"), STR("s"), STR("big")}};

		for (size_t k = 0; k < 40000; k++)
			buf_char(&big, (char)('a' + (k + (size_t)i) % 26));
		buf_printf(&big, "%d", i);
		x.json = buf_view(&big);
		no_err(wants_add(w, x));
		no_err(store_render_put(y->s, STR("web"), arena_printf(y->a, "%d", i), w));
	}
	no_err(store_end(y->s, NULL));
	before = stored(y);
	assert_true(before > 2000000);
	prune(y, time_wall() + 2 * 24 * HOUR);
	for (int i = 0; i < 20; i++)
		prune(y, time_wall() + 2 * 24 * HOUR);
	assert_true(stored(y) < before / 4);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_open, teardown)
	const struct CMUnitTest tests[] = {
		T(test_values_are_put_replaced_walked_by_key_and_deleted),
		T(test_a_walk_ends_with_the_error_of_its_function),
		T(test_a_walk_may_walk),
		T(test_an_outer_failure_undoes_what_inner_ones_committed),
		T(test_an_inner_failure_that_was_swallowed_still_undoes_all),
		T(test_a_commit_keeps_when_it_was_first_seen_and_accepted),
		T(test_a_cut_id_that_fits_two_commits_is_refused),
		T(test_history_is_numbered_per_app_and_asked_in_many_ways),
		T(test_a_row_comes_back_whole_with_its_commit),
		T(test_a_sync_that_never_ended_is_found),
		T(test_a_render_comes_back_in_order_with_places_and_origins),
		T(test_what_is_equal_is_stored_once),
		T(test_baselines_are_put_together_replaced_and_deleted),
		T(test_the_journal_shows_what_never_ended),
		T(test_old_syncs_go_but_the_last_fifty_of_each_app_stay_with_their_renders),
		T(test_room_is_given_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
