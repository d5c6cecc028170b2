/* Killed before each step of a commit, the folder holds whole files, and the next apply makes of
 * them what it would have made without the crash. */
#include "dir_test.h"

#include <signal.h>
#include <sys/wait.h>

#define FILE_WEB "configmap.shop.web.yaml"
#define YAML(data)                                                                                 \
	"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  namespace: shop\ndata:\n" data

struct deadline {
	unsigned at, n;
};

static void die_at(void *arg, const char *what)
{
	struct deadline *d = arg;

	(void)what;
	if (d->n++ == d->at)
		kill(getpid(), SIGKILL);
}

/* In a process of its own: applies `data`, killed before step `at`. False: it had fewer steps. */
static bool apply_and_die(struct place *parent, const char *data, unsigned at)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct place p = *parent;
		struct deadline d = {at, 0};

		p.loop = p.env.loop = loop_new();
		p.a = arena_new();
		p.t = NULL;
		p.err = NULL;
		if (place_open(&p))
			_exit(3);
		((struct dir *)p.t)->step = die_at;
		((struct dir *)p.t)->step_arg = &d;
		apply(&p, WEB, config_map(&p, "web", data));
		_exit(p.err ? 4 : 0);
	}

	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return true;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

/* From applying `before` over `file_before`, killed at each step of applying `during`, then
 * `after`. */
static unsigned through(const char *before, const char *edited, const char *during,
			const char *whole_old, const char *whole_new, const char *after,
			const char *want)
{
	unsigned at = 0;

	for (bool died = true; died; at++) {
		struct place p;
		str now;

		place_begin(&p);
		check_ok(place_open(&p));
		if (before)
			apply_ok(&p, WEB, config_map(&p, "web", before), TARGET_CREATED);
		if (edited)
			write_file(&p, FILE_WEB, edited);
		target_close(p.t);
		p.t = NULL;
		died = apply_and_die(&p, during, at);
		now = file(&p, FILE_WEB);
		if (!str_eq(now, str_from(whole_old)) && !str_eq(now, str_from(whole_new)))
			fail_msg("after a kill at step %u: " STR_FMT, at, STR_ARG(now));
		check_ok(place_open(&p));
		apply(&p, WEB, config_map(&p, "web", after));
		check_ok(p.err);
		now = file(&p, FILE_WEB);
		if (!str_eq(now, str_from(want)))
			fail_msg("killed at step %u, then applied: " STR_FMT, at, STR_ARG(now));
		check_text(file(&p, ".leeboard/app/last/" FILE_WEB ".next"), "-");
		place_end(&p);
	}
	return at;
}

static void a_field_that_leaves_git_is_gone_after_a_crash(void **state)
{
	(void)state;
	/* b leaves; the hand's own field stays. */
	assert_true(through("{\"a\":\"1\",\"b\":\"1\"}",
			    YAML("  a: \"1\"\n  b: \"1\"\n  mine: x\n"), "{\"a\":\"1\"}",
			    YAML("  a: \"1\"\n  b: \"1\"\n  mine: x\n"),
			    YAML("  a: \"1\"\n  mine: x\n"), "{\"a\":\"1\"}",
			    YAML("  a: \"1\"\n  mine: x\n")) > 6);
}

static void a_field_that_came_and_left_again_is_gone_after_a_crash(void **state)
{
	(void)state;
	assert_true(through("{\"a\":\"1\"}", NULL, "{\"a\":\"1\",\"c\":\"1\"}",
			    YAML("  a: \"1\"\n"), YAML("  a: \"1\"\n  c: \"1\"\n"), "{\"a\":\"2\"}",
			    YAML("  a: \"2\"\n")) > 6);
}

static void a_file_that_was_being_made_is_ours_after_a_crash(void **state)
{
	(void)state;
	assert_true(through(NULL, NULL, "{\"a\":\"1\",\"c\":\"1\"}", "-",
			    YAML("  a: \"1\"\n  c: \"1\"\n"), "{\"a\":\"1\"}",
			    YAML("  a: \"1\"\n")) > 6);
}

/* A second crash on the way out of the first. */
static void two_crashes_in_a_row_lose_nothing_either(void **state)
{
	bool first = true;

	(void)state;
	for (unsigned i = 0; first; i++) {
		bool second = true;

		for (unsigned j = 0; second; j++) {
			struct place p;
			str now;

			place_begin(&p);
			check_ok(place_open(&p));
			apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\",\"b\":\"1\"}"),
				 TARGET_CREATED);
			target_close(p.t);
			p.t = NULL;
			first = apply_and_die(&p, "{\"a\":\"1\",\"c\":\"1\"}", i);
			second = apply_and_die(&p, "{\"a\":\"1\",\"d\":\"1\"}", j);
			check_ok(place_open(&p));
			apply(&p, WEB, config_map(&p, "web", "{\"a\":\"2\"}"));
			check_ok(p.err);
			now = file(&p, FILE_WEB);
			if (!str_eq(now, STR(YAML("  a: \"2\"\n"))))
				fail_msg("killed at steps %u and %u: " STR_FMT, i, j, STR_ARG(now));
			place_end(&p);
		}
	}
}

static void what_was_left_beside_is_swept_away(void **state)
{
	struct place p;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	write_file(&p, ".configmap.shop.web.yaml.0123456789abcdef.new", "half");
	write_file(&p, ".hidden.new", "somebody's");
	target_close(p.t);
	p.t = NULL;
	check_ok(place_open(&p));
	check_text(file(&p, ".configmap.shop.web.yaml.0123456789abcdef.new"), "-");
	check_text(file(&p, ".hidden.new"), "somebody's");
	place_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_that_leaves_git_is_gone_after_a_crash),
		cmocka_unit_test(a_field_that_came_and_left_again_is_gone_after_a_crash),
		cmocka_unit_test(a_file_that_was_being_made_is_ours_after_a_crash),
		cmocka_unit_test(two_crashes_in_a_row_lose_nothing_either),
		cmocka_unit_test(what_was_left_beside_is_swept_away),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
