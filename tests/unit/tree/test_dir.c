#include "leeboard/tree.h"
#include <setjmp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the four above first. */
#include <cmocka.h>

struct fixture {
	char root[64];
	struct arena *a;
	struct tree *t;
};

static void put(struct fixture *f, const char *path, const char *text)
{
	char full[256];
	char *slash;
	FILE *out;

	snprintf(full, sizeof(full), "%s/%s", f->root, path);
	slash = strrchr(full, '/');
	*slash = '\0';
	err_free(dir_make(full, 0755));
	*slash = '/';
	out = fopen(full, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	hash_init();
	snprintf(f->root, sizeof(f->root), "/tmp/leeboard-test-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	f->a = arena_new();
	put(f, "in/base/kustomization.yaml", "resources: [web.yaml]\n");
	put(f, "in/base/web.yaml", "kind: Web\n");
	put(f, "secret.txt", "outside\n");
	*state = f;
	return 0;
}

static void open_tree(struct fixture *f, bool lax)
{
	char in[128];

	snprintf(in, sizeof(in), "%s/in", f->root);
	assert_null(tree_dir(in, lax, &f->t));
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	tree_free(f->t);
	arena_free(f->a);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->root);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void assert_message(struct err *e, enum err_code code, const char *message)
{
	assert_non_null(e);
	assert_string_equal(err_code_name(err_code(e)), err_code_name(code));
	assert_string_equal(err_message(e).p, message);
	err_free(e);
}

static void a_file_is_read_under_its_path(void **state)
{
	struct fixture *f = *state;
	struct text *text;

	open_tree(f, false);
	assert_null(tree_read(f->t, f->a, STR("base/web.yaml"), &text));
	assert_string_equal(text->bytes.p, "kind: Web\n");
	assert_string_equal(text->name.p, "base/web.yaml");
}

static void a_missing_file_names_its_neighbour(void **state)
{
	struct fixture *f = *state;
	struct text *text;
	struct err *e;

	open_tree(f, false);
	e = tree_read(f->t, f->a, STR("base/wep.yaml"), &text);
	assert_non_null(e);
	assert_string_equal(err_hint_get(e).p, "did you mean 'base/web.yaml'?");
	assert_message(e, ERR_NOT_FOUND, "no file 'base/wep.yaml'");
}

static void a_symlink_does_not_lead_out(void **state)
{
	struct fixture *f = *state;
	char link[128];
	enum tree_kind kind;
	struct text *text;

	snprintf(link, sizeof(link), "%s/in/out.yaml", f->root);
	assert_int_equal(symlink("../secret.txt", link), 0);
	snprintf(link, sizeof(link), "%s/in/inside.yaml", f->root);
	assert_int_equal(symlink("base/web.yaml", link), 0);
	open_tree(f, false);
	assert_message(tree_kind(f->t, STR("out.yaml"), &kind), ERR_INVALID,
		       "symlink 'out.yaml' leads out of the tree");
	assert_null(tree_read(f->t, f->a, STR("inside.yaml"), &text));
	assert_string_equal(text->bytes.p, "kind: Web\n");
}

static void only_a_lax_tree_leads_above_its_root(void **state)
{
	struct fixture *f = *state;
	struct text *text;
	str path;

	open_tree(f, true);
	assert_null(tree_join(f->t, f->a, STR("base"), STR("../../secret.txt"), &path));
	assert_string_equal(path.p, "../secret.txt");
	assert_null(tree_read(f->t, f->a, path, &text));
	assert_string_equal(text->bytes.p, "outside\n");
	assert_message(tree_clean(f->a, STR("a/../../x"), &path), ERR_INVALID,
		       "path 'a/../../x' leads above the root of the tree");
}

static void a_list_is_in_order(void **state)
{
	struct fixture *f = *state;
	struct tree_entry *entries;
	size_t n;

	put(f, "in/base/0.yaml", "");
	open_tree(f, false);
	assert_null(tree_list(f->t, f->a, STR("base"), &entries, &n));
	assert_int_equal(n, 3);
	assert_string_equal(entries[0].name.p, "0.yaml");
	assert_string_equal(entries[1].name.p, "kustomization.yaml");
	assert_string_equal(entries[2].name.p, "web.yaml");
}

static void the_read_set_holds_each_look_up_once(void **state)
{
	struct fixture *f = *state;
	const struct tree_seen *seen;
	struct text *text;
	enum tree_kind kind;
	size_t n;

	open_tree(f, false);
	assert_null(tree_read(f->t, f->a, STR("base/web.yaml"), &text));
	assert_null(tree_kind(f->t, STR("base/none"), &kind));
	assert_int_equal(kind, TREE_ABSENT);
	assert_null(tree_kind(f->t, STR("base/web.yaml"), &kind));
	seen = tree_seen(f->t, &n);
	assert_int_equal(n, 2);
	assert_string_equal(seen[0].path.p, "base/none");
	assert_int_equal(seen[0].kind, TREE_ABSENT);
	assert_int_equal(seen[0].oid_n, 0);
	assert_string_equal(seen[1].path.p, "base/web.yaml");
	assert_int_equal(seen[1].kind, TREE_FILE);
	assert_int_equal(seen[1].oid_n, 32);
}

static void below_is_told_by_whole_names(void **state)
{
	(void)state;
	assert_true(tree_below(STR("a/b"), STR("a/b/c")));
	assert_true(tree_below(STR("a/b"), STR("a/b")));
	assert_false(tree_below(STR("a/b"), STR("a/bc")));
	assert_true(tree_below(STR(""), STR("a")));
	assert_false(tree_below(STR(""), STR("../a")));
	assert_true(tree_below(STR(".."), STR("a")));
	assert_true(tree_below(STR(".."), STR("../a")));
	assert_false(tree_below(STR(".."), STR("../../a")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_file_is_read_under_its_path),
		T(a_missing_file_names_its_neighbour),
		T(a_symlink_does_not_lead_out),
		T(only_a_lax_tree_leads_above_its_root),
		T(a_list_is_in_order),
		T(the_read_set_holds_each_look_up_once),
		cmocka_unit_test(below_is_told_by_whole_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
