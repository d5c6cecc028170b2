/* A commit's files, read through tree.h. */
#include "git/repo.h"
#include "leeboard/git.h"
#include "leeboard/tree.h"

struct world {
	struct repo repo;
	struct arena *a;
	struct git_store *store;
	struct tree *tree;
};

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	git_setup();
	repo_init(&w->repo);
	w->a = arena_new();
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	tree_free(w->tree);
	git_store_close(w->store);
	arena_free(w->a);
	repo_done(&w->repo);
	free(w);
	return 0;
}

static struct err *open_rev(struct world *w, const char *rev)
{
	git_id id;

	TRY(git_store_open(w->repo.path, &w->store));
	TRY(git_resolve(w->store, rev, &id));
	return git_tree_open(w->store, id, &w->tree);
}

static void files(struct world *w)
{
	const struct repo *r = &w->repo;

	repo_run(r, REPO_T0, NULL, "mkdir", "-p", "base/sub", "links");
	repo_write(r, "base/web.yaml", STR("kind: Web\n"));
	repo_write(r, "base/sub/x", STR("x"));
	repo_run(r, REPO_T0, NULL, "ln", "-s", "../base/web.yaml", "links/file");
	repo_run(r, REPO_T0, NULL, "ln", "-s", "../base", "links/folder");
	repo_run(r, REPO_T0, NULL, "ln", "-s", "nowhere", "links/dangling");
	repo_run(r, REPO_T0, NULL, "ln", "-s", "loop", "links/loop");
	repo_run(r, REPO_T0, NULL, "ln", "-s", "/etc/hostname", "links/absolute");
	repo_run(r, REPO_T0, NULL, "ln", "-s", "../../outside", "links/above");
	repo_run(r, REPO_T0, NULL, "git", "add", ".");
	repo_run(r, REPO_T0, NULL, "git", "update-index", "--add", "--cacheinfo",
		 "160000,1111111111111111111111111111111111111111,module");
	repo_run(r, REPO_T0, NULL, "git", "commit", "-q", "-m", "files");
	assert_ok(open_rev(w, "HEAD"));
}

static enum tree_kind kind_of(struct world *w, const char *path)
{
	enum tree_kind kind = TREE_ABSENT;

	assert_ok(tree_kind(w->tree, str_from(path), &kind));
	return kind;
}

static void files_and_folders_are_found_through_links(void **state)
{
	struct world *w = *state;
	struct text *text;

	files(w);
	assert_int_equal(kind_of(w, "."), TREE_FOLDER);
	assert_int_equal(kind_of(w, "base"), TREE_FOLDER);
	assert_int_equal(kind_of(w, "base/web.yaml"), TREE_FILE);
	assert_int_equal(kind_of(w, "base/web.yaml/x"), TREE_ABSENT);
	assert_int_equal(kind_of(w, "base/none"), TREE_ABSENT);
	assert_int_equal(kind_of(w, "links/dangling"), TREE_ABSENT);
	assert_int_equal(kind_of(w, "links/folder"), TREE_FOLDER);
	assert_int_equal(kind_of(w, "module"), TREE_ABSENT);
	assert_ok(tree_read(w->tree, w->a, STR("links/folder/web.yaml"), &text));
	assert_str(text->bytes, "kind: Web\n");
	assert_str(text->name, "links/folder/web.yaml");
}

static void a_link_that_leaves_the_tree_or_never_ends_is_an_error(void **state)
{
	struct world *w = *state;
	enum tree_kind kind;

	files(w);
	assert_fails(tree_kind(w->tree, STR("links/above"), &kind),
		     "'links/above' leads out of the tree");
	assert_fails(tree_kind(w->tree, STR("links/absolute"), &kind),
		     "symlink on 'links/absolute' leads out of the tree: '/etc/hostname'");
	assert_fails(tree_kind(w->tree, STR("links/loop"), &kind),
		     "more than 8 symlinks on 'links/loop'");
}

static void a_folder_lists_what_is_there_by_name(void **state)
{
	struct world *w = *state;
	CLEANUP(buf) struct buf got = BUF_INIT;
	struct tree_entry *v;
	size_t n;

	files(w);
	assert_ok(tree_list(w->tree, w->a, STR("."), &v, &n));
	for (size_t i = 0; i < n; i++)
		buf_printf(&got, STR_FMT "%s ", STR_ARG(v[i].name),
			   v[i].kind == TREE_FOLDER ? "/" : "");
	assert_ok(tree_list(w->tree, w->a, STR("base"), &v, &n));
	for (size_t i = 0; i < n; i++)
		buf_printf(&got, STR_FMT "%s ", STR_ARG(v[i].name),
			   v[i].kind == TREE_FOLDER ? "/" : "");
	assert_string_equal(got.p, "base/ links/ sub/ web.yaml ");
}

static void the_read_set_holds_the_ids_that_git_has(void **state)
{
	struct world *w = *state;
	CLEANUP(buf) struct buf got = BUF_INIT;
	CLEANUP(buf) struct buf want = BUF_INIT;
	const struct tree_seen *seen;
	size_t n;

	files(w);
	kind_of(w, "links/file");
	kind_of(w, "base");
	kind_of(w, "none");
	seen = tree_seen(w->tree, &n);
	for (size_t i = 0; i < n; i++) {
		buf_printf(&got, STR_FMT " ", STR_ARG(seen[i].path));
		buf_hex(&got, seen[i].oid, seen[i].oid_n);
		buf_char(&got, '\n');
	}
	buf_printf(&want, "base " STR_FMT "\n", STR_ARG(repo_rev(&w->repo, w->a, "HEAD:base")));
	buf_printf(&want, "links/file " STR_FMT "\nnone \n",
		   STR_ARG(repo_rev(&w->repo, w->a, "HEAD:base/web.yaml")));
	assert_string_equal(got.p, want.p);
}

/* A tree object with one entry of this name, which git itself would not write. */
static struct err *open_named(struct world *w, str mode, str name)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(tree) struct tree *t = NULL;
	CLEANUP(git_store) struct git_store *s = NULL;
	const uint8_t blob[20] = {1};
	enum tree_kind kind;
	git_id id;

	buf_str(&b, mode);
	buf_char(&b, ' ');
	buf_str(&b, name);
	buf_char(&b, 0);
	buf_add(&b, blob, sizeof(blob));
	assert_true(git_id_parse(repo_object(&w->repo, w->a, "tree", buf_view(&b)), &id));
	TRY(git_store_open(w->repo.path, &s));
	TRY(git_tree_open(s, id, &t));
	return tree_kind(t, STR("x"), &kind);
}

static void names_that_could_leave_a_work_tree_are_refused(void **state)
{
	static const struct {
		str name;
		const char *want;
	} rows[] = {
		{STR(".."), "'x' holds the forbidden name '..'"},
		{STR("."), "'x' holds the forbidden name '.'"},
		{STR(""), "'x' holds the forbidden name ''"},
		{STR("a/b"), "'x' holds the forbidden name 'a/b'"},
		{STR(".git"), "'x' holds the forbidden name '.git'"},
		{STR(".GiT"), "'x' holds the forbidden name '.GiT'"},
		{STR("git~1"), "'x' holds the forbidden name 'git~1'"},
		{STR(".git. ."), "'x' holds the forbidden name '.git. .'"},
		{STR(".git::$INDEX_ALLOCATION"),
		 "'x' holds the forbidden name '.git::$INDEX_ALLOCATION'"},
	};
	struct world *w = *state;
	struct err *e;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_fails(open_named(w, STR("100644"), rows[i].name), rows[i].want);
	e = open_named(w, STR("100644"), STR(".g\xe2\x80\x8cit"));
	assert_non_null(e);
	assert_true(str_starts(err_message(e), STR("'x' holds the forbidden name '.g")));
	err_free(e);
	assert_fails(open_named(w, STR("100666"), STR("x")), "'x': malformed tree object");
	assert_ok(open_named(w, STR("100644"), STR(".github")));
	assert_ok(open_named(w, STR("100644"), STR(".gitignore")));
	assert_ok(open_named(w, STR("100644"), STR("git")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(files_and_folders_are_found_through_links),
		T(a_link_that_leaves_the_tree_or_never_ends_is_an_error),
		T(a_folder_lists_what_is_there_by_name),
		T(the_read_set_holds_the_ids_that_git_has),
		T(names_that_could_leave_a_work_tree_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
