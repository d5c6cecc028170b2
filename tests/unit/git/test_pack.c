/* Packs that come in: made by the real git, taken piece by piece, cut and bent; and repositories of
 * this machine as remotes. */
#include "git/repo.h"
#include "leeboard/git.h"

#include <dirent.h>
#include <sanitizer/lsan_interface.h>
#include <sys/stat.h>

struct world {
	struct repo repo;
	struct arena *a;
	struct buf pack; /* all of HEAD */
	char *objects;   /* of the store under test */
};

static git_id id_of(struct world *w, const char *rev)
{
	git_id id = GIT_ID_NONE;

	assert_true(git_id_parse(repo_rev(&w->repo, w->a, rev), &id));
	return id;
}

static void commit(struct world *w, const char *text)
{
	repo_write(&w->repo, "a.txt", str_from(text));
	repo_run(&w->repo, REPO_T0, NULL, "git", "add", "-A");
	repo_run(&w->repo, REPO_T0, NULL, "git", "commit", "-q", "-m", text);
}

static void pack_of(struct world *w, const char *revs, struct buf *ret)
{
	buf_clear(ret);
	assert_int_equal(repo_try(&w->repo, REPO_T0, str_from(revs), ret,
				  ARGV("git", "pack-objects", "-q", "--revs", "--stdout")),
			 0);
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	CLEANUP(buf) struct buf b = BUF_INIT;

	git_setup();
	repo_init(&w->repo);
	w->a = arena_new();
	buf_printf(&b, "%s/store/objects", w->repo.path);
	w->objects = buf_take(&b);
	repo_write(&w->repo, ".gitignore", STR("store\n"));
	commit(w, "one");
	commit(w, "two, and something to make a delta of it: two, two, two");
	pack_of(w, "HEAD\n", &w->pack);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	buf_done(&w->pack);
	free(w->objects);
	arena_free(w->a);
	repo_done(&w->repo);
	free(w);
	return 0;
}

/* Names in .../objects/pack that end so. */
static size_t files(struct world *w, const char *end)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	buf_printf(&b, "%s/pack", w->objects);
	d = opendir(b.p);
	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.' && str_ends(str_from(e->d_name), str_from(end));
	closedir(d);
	return n;
}

static struct err *take(struct world *w, str bytes, size_t step, int how, uint64_t *objects)
{
	CLEANUP(git_pack) struct git_pack *p = NULL;
	struct err *e = NULL;

	TRY(git_pack_begin(w->objects, how, &p));
	/* libgit2 1.5 forgets objects that it parsed, and entries of an index that it gave up. */
	__lsan_disable();
	for (size_t i = 0; !e && i < bytes.n; i += step)
		e = git_pack_add(p, str_sub(bytes, i, step));
	__lsan_enable();
	return e ? e : git_pack_end(p, objects);
}

static bool has(struct world *w, git_id id)
{
	CLEANUP(git_store) struct git_store *s = NULL;

	assert_ok(git_store_open(w->objects, &s));
	return git_store_has(s, id);
}

static void a_pack_is_taken_in_pieces_of_any_size(void **state)
{
	struct world *w = *state;
	uint64_t n;

	for (size_t step = 1; step <= w->pack.n; step = step * 3 + 1) {
		assert_ok(take(w, buf_view(&w->pack), step, GIT_PACK_WHOLE, &n));
		assert_int_equal(n, 7);
		assert_int_equal(files(w, ".pack"), 1);
		assert_int_equal(files(w, ""), 2);
	}
	assert_true(has(w, id_of(w, "HEAD")) && has(w, id_of(w, "HEAD~1^{tree}")));
}

static void a_pack_cut_or_bent_leaves_nothing(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < w->pack.n; i += 1 + w->pack.n / 60) {
		CLEANUP(err) struct err *cut = NULL;
		CLEANUP(err) struct err *bent = NULL;
		uint64_t n = 0;

		cut = take(w, str_sub(buf_view(&w->pack), 0, i), 1000, 0, &n);
		assert_non_null(cut);
		w->pack.p[i] ^= 4;
		bent = take(w, buf_view(&w->pack), 1000, 0, &n);
		w->pack.p[i] ^= 4;
		assert_non_null(bent);
		assert_int_equal(files(w, ""), 0);
	}
}

static void a_gap_is_found_when_none_may_be(void **state)
{
	struct world *w = *state;
	CLEANUP(buf) struct buf part = BUF_INIT;
	CLEANUP(err) struct err *e = NULL;
	uint64_t n;

	pack_of(w, "HEAD\n^HEAD~1\n", &part);
	e = take(w, buf_view(&part), part.n, GIT_PACK_WHOLE, &n);
	assert_non_null(e);
	assert_int_equal(files(w, ""), 0);
	/* What the store has already is no gap. */
	pack_of(w, "HEAD~1\n", &w->pack);
	assert_ok(take(w, buf_view(&w->pack), 1000, GIT_PACK_WHOLE, &n));
	assert_ok(take(w, buf_view(&part), 1000, GIT_PACK_WHOLE, &n));
	assert_int_equal(files(w, ".pack"), 2);
}

static void what_a_killed_writer_left_is_swept_up(void **state)
{
	struct world *w = *state;
	CLEANUP(buf) struct buf path = BUF_INIT;
	uint64_t n;

	assert_ok(take(w, buf_view(&w->pack), 1000, 0, &n));
	buf_printf(&path, "store/objects/pack/pack_git2_0123456789abcdef");
	repo_write(&w->repo, path.p, STR("PACK"));
	assert_int_equal(files(w, ""), 3);
	assert_ok(take(w, buf_view(&w->pack), 1000, 0, &n));
	assert_int_equal(files(w, ""), 2);
}

static void packs_are_replaced_and_compacted(void **state)
{
	struct world *w = *state;
	CLEANUP(buf) struct buf part = BUF_INIT;
	uint64_t n;

	pack_of(w, "HEAD~1\n", &part);
	assert_ok(take(w, buf_view(&part), 1000, 0, &n));
	pack_of(w, "HEAD\n^HEAD~1\n", &part);
	assert_ok(take(w, buf_view(&part), 1000, 0, &n));
	assert_int_equal(files(w, ".pack"), 2);
	assert_ok(git_compact(w->objects, &n));
	assert_int_equal(n, 7);
	assert_int_equal(files(w, ""), 2);
	assert_true(has(w, id_of(w, "HEAD")) && has(w, id_of(w, "HEAD~1")));
	assert_ok(git_compact(w->objects, &n));
	assert_int_equal(n, 0);
	assert_ok(take(w, buf_view(&part), 1000, GIT_PACK_ALONE, &n));
	assert_int_equal(files(w, ""), 2);
	assert_false(has(w, id_of(w, "HEAD~1")));
}

/* ------------------------------------------------------------------ a repository of this machine
 */

static struct err *note(void *arg, const struct git_ref *r)
{
	struct buf *b = arg;

	buf_printf(b, "%s%s%s%s ", r->name, r->peeled.n ? "^" : "", r->symref ? "->" : "",
		   r->symref ? r->symref : "");
	return NULL;
}

static void refs_and_objects_of_a_path(void **state)
{
	struct world *w = *state;
	CLEANUP(git_store) struct git_store *s = NULL;
	CLEANUP(git_pack) struct git_pack *p = NULL;
	CLEANUP(git_pack) struct git_pack *more = NULL;
	CLEANUP(buf) struct buf told = BUF_INIT;
	git_id old = id_of(w, "HEAD~1");
	uint64_t n;

	repo_run(&w->repo, REPO_T0, NULL, "git", "tag", "-a", "-m", "x", "v1");
	assert_ok(git_store_open(w->repo.path, &s));
	assert_ok(git_local_refs(s, note, &told));
	assert_string_equal(told.p, "HEAD->refs/heads/main refs/heads/main refs/tags/v1^ ");
	assert_ok(git_pack_begin(w->objects, GIT_PACK_WHOLE, &p));
	assert_ok(git_local_pack(s, old, NULL, 0, p));
	assert_ok(git_pack_end(p, &n));
	assert_int_equal(n, 4);
	assert_ok(git_pack_begin(w->objects, GIT_PACK_WHOLE, &more));
	assert_ok(git_local_pack(s, id_of(w, "v1"), &old, 1, more));
	assert_ok(git_pack_end(more, &n));
	assert_int_equal(n, 4); /* tag, commit, tree, file */
	assert_true(has(w, id_of(w, "v1")) && has(w, id_of(w, "HEAD")));
}

static void what_a_path_does_not_have_is_told(void **state)
{
	struct world *w = *state;
	CLEANUP(git_store) struct git_store *s = NULL;
	CLEANUP(git_pack) struct git_pack *p = NULL;
	CLEANUP(buf) struct buf want = BUF_INIT;

	assert_ok(git_store_open(w->repo.path, &s));
	assert_ok(git_pack_begin(w->objects, 0, &p));
	buf_printf(&want, "the wanted object is not in '%s' (any more)", w->repo.path);
	assert_fails(git_local_pack(s, (git_id){.n = 20, .b = {7}}, NULL, 0, p), want.p);
	buf_clear(&want);
	buf_printf(&want, "the wanted object in '%s' is no commit", w->repo.path);
	assert_fails(git_local_pack(s, id_of(w, "HEAD^{tree}"), NULL, 0, p), want.p);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_pack_is_taken_in_pieces_of_any_size), T(a_pack_cut_or_bent_leaves_nothing),
		T(a_gap_is_found_when_none_may_be),       T(what_a_killed_writer_left_is_swept_up),
		T(packs_are_replaced_and_compacted),      T(refs_and_objects_of_a_path),
		T(what_a_path_does_not_have_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
