/* Objects read raw, revisions resolved, and walks; git itself says what is right. */
#include "git/repo.h"
#include "leeboard/git.h"

struct world {
	struct repo repo;
	struct arena *a;
	struct git_store *store;
};

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	git_setup();
	repo_init(&w->repo);
	w->a = arena_new();
	assert_ok(git_store_open(w->repo.path, &w->store));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	git_store_close(w->store);
	arena_free(w->a);
	repo_done(&w->repo);
	free(w);
	return 0;
}

static git_id id_of(struct world *w, const char *rev)
{
	git_id id = GIT_ID_NONE;

	assert_true(git_id_parse(repo_rev(&w->repo, w->a, rev), &id));
	return id;
}

static void commit(struct world *w, const char *date, const char *message)
{
	repo_run(&w->repo, date, NULL, "git", "commit", "-q", "--allow-empty", "-m", message);
}

static void raw_bytes_are_those_that_git_hashed(void **state)
{
	struct world *w = *state;
	CLEANUP(buf) struct buf want = BUF_INIT;
	enum git_kind kind;
	str bytes;

	commit(w, REPO_T0, "one");
	repo_run(&w->repo, REPO_T0, &want, "git", "cat-file", "commit", "HEAD");
	assert_int_equal(
		git_store_read(w->store, w->a, id_of(w, "HEAD"), GIT_MAX_COMMIT, &kind, &bytes),
		GIT_READ_OK);
	assert_int_equal(kind, GIT_KIND_COMMIT);
	assert_str(bytes, want.p);
}

static void a_large_a_missing_and_a_damaged_object_are_told_apart(void **state)
{
	struct world *w = *state;
	git_id id, none = {.n = 20, .b = {1}};
	CLEANUP(buf) struct buf path = BUF_INIT;
	CLEANUP(buf) struct buf other = BUF_INIT;
	str hex = repo_object(&w->repo, w->a, "blob", STR("0123456789"));
	str twin = repo_object(&w->repo, w->a, "blob", STR("9876543210"));
	enum git_kind kind;
	str bytes;

	assert_true(git_id_parse(hex, &id));
	assert_int_equal(git_store_read(w->store, w->a, id, 9, &kind, &bytes), GIT_READ_TOO_LARGE);
	assert_int_equal(git_store_read(w->store, w->a, none, 9, &kind, &bytes), GIT_READ_MISSING);
	buf_printf(&path, ".git/objects/%.2s/%s", hex.p, hex.p + 2);
	buf_printf(&other, ".git/objects/%.2s/%s", twin.p, twin.p + 2);
	repo_run(&w->repo, REPO_T0, NULL, "cp", "-f", other.p, path.p);
	assert_int_equal(git_store_read(w->store, w->a, id, 10, &kind, &bytes), GIT_READ_CORRUPT);
}

static void a_folder_of_objects_is_a_store_without_refs(void **state)
{
	struct world *w = *state;
	CLEANUP(buf) struct buf path = BUF_INIT;
	CLEANUP(buf) struct buf want = BUF_INIT;
	CLEANUP(git_store) struct git_store *s = NULL;
	enum git_kind kind;
	git_id id;
	str bytes;

	commit(w, REPO_T0, "one");
	repo_run(&w->repo, REPO_T0, NULL, "git", "repack", "-q", "-a", "-d");
	buf_printf(&path, "%s/.git/objects", w->repo.path);
	assert_ok(git_store_open(path.p, &s));
	assert_int_equal(git_store_read(s, w->a, id_of(w, "HEAD"), GIT_MAX_COMMIT, &kind, &bytes),
			 GIT_READ_OK);
	buf_printf(&want, "'main' is no full commit id, and '%s' has no refs", path.p);
	assert_fails(git_resolve(s, "main", &id), want.p);
}

static void an_alternate_of_a_folder_of_objects_is_not_followed(void **state)
{
	struct world *w = *state;
	CLEANUP(buf) struct buf path = BUF_INIT;
	CLEANUP(buf) struct buf line = BUF_INIT;
	CLEANUP(git_store) struct git_store *s = NULL;
	enum git_kind kind;
	str bytes;

	commit(w, REPO_T0, "one");
	repo_run(&w->repo, REPO_T0, NULL, "git", "init", "-q", "--bare", "other");
	buf_printf(&line, "%s/.git/objects\n", w->repo.path);
	repo_write(&w->repo, "other/objects/info/alternates", buf_view(&line));
	buf_printf(&path, "%s/other/objects", w->repo.path);
	assert_ok(git_store_open(path.p, &s));
	assert_int_equal(git_store_read(s, w->a, id_of(w, "HEAD"), GIT_MAX_COMMIT, &kind, &bytes),
			 GIT_READ_MISSING);
}

static void a_revision_resolves_as_for_git(void **state)
{
	struct world *w = *state;
	CLEANUP(buf) struct buf want = BUF_INIT;
	git_id id;

	commit(w, REPO_T0, "one");
	commit(w, REPO_T0, "two");
	repo_run(&w->repo, REPO_T0, NULL, "git", "tag", "-a", "-m", "x", "v1", "HEAD~1");
	assert_ok(git_resolve(w->store, "v1", &id));
	assert_true(git_id_eq(id, id_of(w, "HEAD~1")));
	buf_printf(&want, "no revision 'mian' in '%s'", w->repo.path);
	assert_fails(git_resolve(w->store, "mian", &id), want.p);
	buf_clear(&want);
	buf_printf(&want, "revision 'HEAD:' in '%s' is no commit", w->repo.path);
	assert_fails(git_resolve(w->store, "HEAD:", &id), want.p);
}

static enum git_relation relation(struct world *w, const char *a, const char *b)
{
	enum git_relation rel = GIT_SAME;
	git_id at;

	assert_int_equal(git_relation(w->store, id_of(w, a), id_of(w, b), &rel, &at), GIT_WALK_OK);
	return rel;
}

/* Times run backwards on purpose: they steer the walk, and must not decide. */
static void branches(struct world *w)
{
	commit(w, "1700000900", "base");
	repo_run(&w->repo, REPO_T0, NULL, "git", "tag", "base");
	commit(w, "1700000100", "a1");
	commit(w, "1700000800", "a2");
	repo_run(&w->repo, REPO_T0, NULL, "git", "tag", "a2");
	repo_run(&w->repo, REPO_T0, NULL, "git", "checkout", "-q", "-b", "side", "base");
	commit(w, "1700000050", "b1");
	repo_run(&w->repo, "1700000700", NULL, "git", "merge", "-q", "--no-ff", "-m", "m", "a2");
	repo_run(&w->repo, REPO_T0, NULL, "git", "checkout", "-q", "--orphan", "else");
	commit(w, "1700000300", "root");
}

static void relations_are_those_of_the_graph_whatever_the_times(void **state)
{
	struct world *w = *state;

	branches(w);
	assert_int_equal(relation(w, "a2", "a2"), GIT_SAME);
	assert_int_equal(relation(w, "base", "a2"), GIT_DESCENDS);
	assert_int_equal(relation(w, "a2", "side"), GIT_DESCENDS);
	assert_int_equal(relation(w, "a2", "base"), GIT_ANCESTOR);
	assert_int_equal(relation(w, "side", "a2~1"), GIT_ANCESTOR);
	assert_int_equal(relation(w, "a2", "side~1"), GIT_DIVERGED);
	assert_int_equal(relation(w, "a2", "else"), GIT_UNRELATED);
}

static void a_range_lists_what_rev_list_lists(void **state)
{
	struct world *w = *state;
	CLEANUP(buf) struct buf want = BUF_INIT;
	CLEANUP(buf) struct buf got = BUF_INIT;
	git_id *ids, at;
	size_t n;

	branches(w);
	repo_run(&w->repo, REPO_T0, &want, "git", "rev-list", "--topo-order", "--reverse",
		 "base..a2");
	assert_int_equal(
		git_range(w->store, w->a, id_of(w, "base"), id_of(w, "a2"), 2, &ids, &n, &at),
		GIT_WALK_OK);
	for (size_t i = 0; i < n; i++)
		buf_printf(&got, STR_FMT "\n", STR_ARG(git_id_hex(w->a, ids[i])));
	assert_string_equal(got.p, want.p);
	assert_int_equal(
		git_range(w->store, w->a, id_of(w, "base"), id_of(w, "a2"), 1, &ids, &n, &at),
		GIT_WALK_LIMIT);
	assert_int_equal(
		git_range(w->store, w->a, GIT_ID_NONE, id_of(w, "side"), 100, &ids, &n, &at),
		GIT_WALK_OK);
	assert_int_equal(n, 5);
	assert_true(git_id_eq(ids[0], id_of(w, "base")));
	assert_true(git_id_eq(ids[4], id_of(w, "side")));
}

static void a_shallow_store_can_go_forward_and_not_judge_more(void **state)
{
	struct world *w = *state;
	CLEANUP(buf) struct buf url = BUF_INIT;
	CLEANUP(buf) struct buf path = BUF_INIT;
	CLEANUP(git_store) struct git_store *s = NULL;
	enum git_relation rel;
	git_id at;

	for (int i = 0; i < 4; i++)
		commit(w, REPO_T0, "more");
	buf_printf(&url, "file://%s", w->repo.path);
	buf_printf(&path, "%s/shallow", w->repo.path);
	repo_run(&w->repo, REPO_T0, NULL, "git", "clone", "-q", "--depth", "2", url.p, path.p);
	assert_ok(git_store_open(path.p, &s));
	assert_int_equal(git_relation(s, id_of(w, "HEAD~1"), id_of(w, "HEAD"), &rel, &at),
			 GIT_WALK_OK);
	assert_int_equal(rel, GIT_DESCENDS);
	assert_int_equal(git_relation(s, id_of(w, "HEAD"), id_of(w, "HEAD~3"), &rel, &at),
			 GIT_WALK_MISSING);
	assert_true(git_id_eq(at, id_of(w, "HEAD~3")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(raw_bytes_are_those_that_git_hashed),
		T(a_large_a_missing_and_a_damaged_object_are_told_apart),
		T(a_folder_of_objects_is_a_store_without_refs),
		T(an_alternate_of_a_folder_of_objects_is_not_followed),
		T(a_revision_resolves_as_for_git),
		T(relations_are_those_of_the_graph_whatever_the_times),
		T(a_range_lists_what_rev_list_lists),
		T(a_shallow_store_can_go_forward_and_not_judge_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
