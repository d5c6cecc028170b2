#include "leeboard/verb.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct err *read_words(struct arena *a, const char *verb, int n, const char *const *words,
			      struct verb_words *ret)
{
	char **argv = ARENA_ARRAY(a, char *, (size_t)n + 2);

	argv[0] = (char *)(uintptr_t)verb;
	for (int i = 0; i < n; i++)
		argv[i + 1] = (char *)(uintptr_t)words[i];
	return verb_read(a, verb_find(str_from(verb)), n + 1, argv, ret);
}
#define READ(ret, verb, ...)                                                                       \
	read_words(a, verb, (int)ARRAY_LEN(((const char *[]){__VA_ARGS__})),                       \
		   (const char *const[]){__VA_ARGS__}, ret)

static void flags_and_operands_come_in_any_order_and_spelling(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct verb_words w;

	(void)state;
	assert_null(
		READ(&w, "history", "-n5", "web", "--since=24h", "-o", "json", "--object", "-x"));
	assert_int_equal(w.n, 1);
	assert_true(str_eq(w.operands[0], STR("web")));
	assert_true(str_eq(verb_value(&w, "--count"), STR("5")));
	assert_true(str_eq(verb_value(&w, "--since"), STR("24h")));
	assert_true(str_eq(verb_value(&w, "--output"), STR("json")));
	assert_true(str_eq(verb_value(&w, "--object"), STR("-x")));
	assert_false(verb_has(&w, "--show"));
	assert_null(READ(&w, "sync", "--all", "--", "--odd", "-"));
	assert_true(verb_has(&w, "--all"));
	assert_int_equal(w.n, 2);
	assert_true(str_eq(w.operands[0], STR("--odd")));
}

static void help_wins_over_every_mistake(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct verb_words w;

	(void)state;
	assert_null(READ(&w, "allow", "--nonsense", "-h"));
	assert_true(w.help);
	assert_null(READ(&w, "sync", "--", "-h"));
	assert_false(w.help);
}

static void a_verbs_own_flag_hides_the_common_one(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct verb_words w;

	(void)state;
	assert_null(READ(&w, "version", "--server"));
	assert_true(verb_has(&w, "--server"));
	assert_null(READ(&w, "status", "--server", "http://127.0.0.1:1"));
	assert_true(str_eq(verb_value(&w, "--server"), STR("http://127.0.0.1:1")));
}

static void every_mistake_has_its_sentence(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct verb_words w;
	static const struct {
		const char *verb, *words[3], *message;
	} rows[] = {
		{"sync", {"--no-weit"}, "unknown flag '--no-weit'"},
		{"sync", {"-z"}, "unknown flag '-z'"},
		{"sync", {"-ab"}, "unknown flag '-ab'"},
		{"sync", {"--all", "--all"}, "'--all' is given twice"},
		{"sync", {"--all=1"}, "'--all' takes no value"},
		{"sync", {"--reason"}, "'--reason' needs a value: TEXT"},
		{"sync", {"--reason="}, "'--reason' needs a value: TEXT"},
		{"allow", {"fleet"}, "allow needs SOURCE SHA"},
		{"plan", {"a", "b"}, "'b' is one word too many"},
		{"check", {"x", "--socket", "y"}, "unknown flag '--socket'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int n = 0;

		while (n < 3 && rows[i].words[n])
			n++;
		CLEANUP(err) struct err *e = read_words(a, rows[i].verb, n, rows[i].words, &w);

		assert_non_null(e);
		assert_int_equal(err_code(e), ERR_USAGE);
		assert_string_equal(err_message(e).p, rows[i].message);
	}
}

static void every_row_is_whole_and_no_name_or_letter_stands_twice(void **state)
{
	const struct verb *v;

	(void)state;
	for (size_t i = 0; (v = verb_at(i)); i++) {
		assert_ptr_equal(verb_find(str_from(v->name)), v);
		assert_true(v->what && v->example && v->operands);
		for (const struct verb_flag *f = v->flags; f && f->name; f++) {
			assert_true(str_starts(str_from(f->name), STR("--")));
			for (const struct verb_flag *g = v->flags; g != f; g++) {
				assert_string_not_equal(f->name, g->name);
				assert_true(!f->letter || f->letter != g->letter);
			}
		}
	}
}

static void the_reference_page_is_the_table(void **state)
{
	CLEANUP(buf) struct buf want = BUF_INIT;
	CLEANUP(buf) struct buf page = BUF_INIT;
	const char *path = TEST_DIR "/../docs/reference-verbs.md",
		   *update = getenv("LEEBOARD_GOLDEN");

	(void)state;
	verb_reference(&want);
	if (update && !strcmp(update, "update"))
		assert_null(file_write_atomic(path, buf_view(&want), 0644));
	assert_null(file_read(path, 1 << 20, &page));
	assert_string_equal(page.p, want.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_and_operands_come_in_any_order_and_spelling),
		cmocka_unit_test(help_wins_over_every_mistake),
		cmocka_unit_test(a_verbs_own_flag_hides_the_common_one),
		cmocka_unit_test(every_mistake_has_its_sentence),
		cmocka_unit_test(every_row_is_whole_and_no_name_or_letter_stands_twice),
		cmocka_unit_test(the_reference_page_is_the_table),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
