#include "leeboard/base.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct story {
	struct loop *l;
	struct buf told;
	struct timer *timer;
	struct watch_fd *fd;
	struct watch_path *path;
	int end;
};

static int setup(void **state)
{
	struct story *s = xcalloc(1, sizeof(*s));

	s->l = loop_new();
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct story *s = *state;

	loop_free(s->l);
	buf_done(&s->told);
	free(s);
	return 0;
}

#define CHECK(want) assert_string_equal(buf_view(&s->told).p, want)

/* ------------------------------------------------------------------ timers */

static void tell_time(void *arg)
{
	struct story *s = arg;

	buf_printf(&s->told, "%lld ", (long long)clock_wall(s->l));
}

static void again_in_a_second(void *arg)
{
	struct story *s = arg;

	tell_time(s);
	s->timer = timer_start(s->l, SECOND, again_in_a_second, s);
}

static void at_once_for_ever(void *arg)
{
	struct story *s = arg;

	tell_time(s);
	timer_start(s->l, 0, at_once_for_ever, s);
}

static void stop_the_other(void *arg)
{
	struct story *s = arg;

	timer_stop(s->timer);
	s->timer = NULL;
	tell_time(s);
}

static void a_frozen_clock_moves_only_by_hand(void **state)
{
	struct story *s = *state;
	msec before;

	clock_freeze(s->l, 1000);
	before = clock_now(s->l);
	timer_start(s->l, 20, tell_time, s);
	timer_start(s->l, 10, tell_time, s);
	timer_start(s->l, 50, tell_time, s);
	assert_false(loop_turn(s->l, false));
	CHECK("");
	clock_turn(s->l, 30);
	CHECK("1010 1020 ");
	assert_int_equal(clock_wall(s->l), 1030);
	assert_int_equal(clock_now(s->l), before + 30);
	clock_turn(s->l, 19);
	CHECK("1010 1020 ");
	clock_turn(s->l, 1);
	CHECK("1010 1020 1050 ");
}

static void a_timer_that_starts_itself_again_fires_once_a_period(void **state)
{
	struct story *s = *state;

	clock_freeze(s->l, 0);
	s->timer = timer_start(s->l, SECOND, again_in_a_second, s);
	clock_turn(s->l, 3500);
	CHECK("1000 2000 3000 ");
	timer_stop(s->timer);
	clock_turn(s->l, HOUR);
	CHECK("1000 2000 3000 ");
}

static void a_timer_of_zero_waits_for_the_next_turn(void **state)
{
	struct story *s = *state;

	clock_freeze(s->l, 7);
	timer_start(s->l, 0, at_once_for_ever, s);
	CHECK("");
	assert_true(loop_turn(s->l, true));
	CHECK("7 ");
	clock_turn(s->l, 0);
	CHECK("7 7 ");
}

static void a_timer_may_stop_another_of_the_same_turn(void **state)
{
	struct story *s = *state;

	clock_freeze(s->l, 7);
	timer_start(s->l, 0, stop_the_other, s);
	s->timer = timer_start(s->l, 0, tell_time, s);
	clock_turn(s->l, 0);
	CHECK("7 ");
	buf_clear(&s->told);
	timer_start(s->l, 5, stop_the_other, s);
	s->timer = timer_start(s->l, 5, tell_time, s);
	clock_turn(s->l, 9);
	CHECK("12 ");
	timer_stop(NULL);
}

struct mark {
	struct story *s;
	unsigned due;
};

static void check_order(void *arg)
{
	struct mark *m = arg;

	assert_true((int)m->due >= m->s->end);
	m->s->end = (int)m->due;
	buf_char(&m->s->told, '.');
}

static void a_thousand_timers_fire_in_order_but_for_those_that_were_stopped(void **state)
{
	struct story *s = *state;
	static struct mark marks[1000];
	static struct timer *timers[1000];

	clock_freeze(s->l, 0);
	for (unsigned i = 0; i < 1000; i++) {
		marks[i] = (struct mark){s, 1 + i * 7919 % 997};
		timers[i] = timer_start(s->l, marks[i].due, check_order, &marks[i]);
	}
	for (unsigned i = 0; i < 1000; i += 3)
		timer_stop(timers[i]);
	clock_turn(s->l, SECOND);
	assert_int_equal(s->told.n, 666);
}

static void stop_loop(void *arg)
{
	struct story *s = arg;

	buf_str(&s->told, STR("stop"));
	loop_stop(s->l);
}

static void real_timers_run_the_loop(void **state)
{
	struct story *s = *state;
	msec start = clock_now(s->l);

	timer_start(s->l, 5, stop_loop, s);
	timer_start(s->l, HOUR, tell_time, s); /* never; loop_free frees it */
	timer_start(s->l, INT64_MAX, tell_time, s);
	loop_run(s->l);
	CHECK("stop");
	assert_true(clock_now(s->l) >= start + 5);
	assert_true(clock_wall(s->l) > 1700000000000);
}

/* ------------------------------------------------------------------ descriptors */

static void on_readable(void *arg, int events)
{
	struct story *s = arg;
	char c[8];
	ssize_t n = read(s->end, c, 1);

	buf_printf(&s->told, "%d:%.*s ", events, n > 0 ? (int)n : 0, c);
	if (n <= 0) {
		loop_fd_stop(s->fd);
		s->fd = NULL;
	}
}

static void a_descriptor_is_told_until_it_was_read(void **state)
{
	struct story *s = *state;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	s->end = fds[0];
	s->fd = loop_fd(s->l, fds[0], LOOP_READ, on_readable, s);
	assert_int_equal(write(fds[1], "ab", 2), 2);
	loop_turn(s->l, true);
	loop_turn(s->l, true);
	CHECK("1:a 1:b ");
	loop_turn(s->l, false);
	CHECK("1:a 1:b ");
	loop_fd_set(s->fd, 0);
	assert_int_equal(write(fds[1], "c", 1), 1);
	assert_false(loop_turn(s->l, false));
	CHECK("1:a 1:b ");
	loop_fd_set(s->fd, LOOP_READ | LOOP_WRITE);
	loop_turn(s->l, true);
	CHECK("1:a 1:b 3:c ");
	loop_fd_set(s->fd, LOOP_READ);
	close(fds[1]);
	loop_run(s->l);
	CHECK("1:a 1:b 3:c 1: ");
	close(fds[0]);
}

static void on_broken(void *arg, int events)
{
	struct story *s = arg;

	buf_printf(&s->told, "%d ", events);
	if (s->told.n == 4) {
		loop_fd_stop(s->fd);
		s->fd = NULL;
	}
}

static void a_broken_pipe_is_told_as_writable_and_again(void **state)
{
	struct story *s = *state;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	s->fd = loop_fd(s->l, fds[1], LOOP_WRITE, on_broken, s);
	loop_run(s->l);
	CHECK("2 2 ");
	close(fds[1]);
}

/* ------------------------------------------------------------------ signals, paths, the pool */

static void on_signal(void *arg, int signo)
{
	struct story *s = arg;

	buf_printf(&s->told, "signal %d", signo);
	loop_stop(s->l);
}

static void a_signal_arrives_in_the_loop(void **state)
{
	struct story *s = *state;
	struct watch_signal *w = loop_signal(s->l, SIGUSR1, on_signal, s);

	kill(getpid(), SIGUSR1);
	loop_run(s->l);
	CHECK("signal 10");
	loop_signal_stop(w);
	loop_signal_stop(NULL);
	assert_false(loop_turn(s->l, false));
}

static void on_entry(void *arg, const char *name)
{
	struct story *s = arg;

	buf_str(&s->told, str_from(name ? name : "itself"));
	loop_path_stop(s->path);
	s->path = NULL;
}

static void a_changed_path_is_told_by_its_name(void **state)
{
	struct story *s = *state;
	char dir[] = "/tmp/leeboard-test-XXXXXX";
	CLEANUP(buf) struct buf file = BUF_INIT;
	struct watch_path *none = NULL;
	struct err *e;

	assert_non_null(mkdtemp(dir));
	buf_printf(&file, "%s/config.yaml", dir);
	assert_null(loop_path(s->l, dir, on_entry, s, &s->path));
	close(open(file.p, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	loop_run(s->l);
	CHECK("config.yaml");
	buf_clear(&s->told);
	assert_null(loop_path(s->l, file.p, on_entry, s, &s->path));
	assert_int_equal(unlink(file.p), 0);
	loop_run(s->l);
	CHECK("itself");
	e = loop_path(s->l, "/nowhere/at/all", on_entry, s, &none);
	assert_string_equal(err_message(e).p, "watch '/nowhere/at/all': No such file or directory");
	err_free(e);
	assert_null(none);
	rmdir(dir);
}

static void work_in_pool(void *arg)
{
	struct story *s = arg;

	s->end = 42;
}

static void work_done(void *arg)
{
	struct story *s = arg;

	buf_printf(&s->told, "done %d", s->end);
}

static void work_runs_in_the_pool_and_ends_in_the_loop(void **state)
{
	struct story *s = *state;

	loop_work(s->l, work_in_pool, work_done, s);
	loop_run(s->l);
	CHECK("done 42");
}

static void work_that_is_out_ends_before_the_loop_is_gone(void **state)
{
	struct story *s = *state;

	loop_work(s->l, work_in_pool, work_done, s);
	loop_free(s->l);
	s->l = NULL;
	CHECK("done 42");
}

/* ------------------------------------------------------------------ children */

static void on_exited(void *arg, int status, int signo)
{
	struct story *s = arg;

	buf_printf(&s->told, "exit %d signal %d", status, signo);
}

static const char *const no_env[] = {"A=b", NULL};

static struct child_spec shell(const char *const *argv, int fd3)
{
	return (struct child_spec){
		.argv = argv, .env = no_env, .fd3 = fd3, .out = -1, .err = -1, .cwd = "/"};
}

#define SH(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

static void a_child_has_descriptor_3_its_environment_and_its_folder(void **state)
{
	struct story *s = *state;
	struct child_spec spec;
	char got[64] = "";
	struct child *c;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	spec = shell(SH("read x; echo $A $(pwd) $x $HOME >&3; exit 7"), fds[1]);
	assert_null(child_start(s->l, &spec, on_exited, s, &c));
	assert_true(child_pid(c) > 1);
	assert_int_equal(fcntl(fds[1], F_GETFD), -1);
	loop_run(s->l);
	CHECK("exit 7 signal 0");
	assert_true(read(fds[0], got, sizeof(got) - 1) > 0);
	assert_string_equal(got, "b /\n");
	assert_int_equal(read(fds[0], got, 1), 0);
	close(fds[0]);
}

static void a_child_gets_the_descriptors_it_was_given_and_no_other(void **state)
{
	struct story *s = *state;
	struct child_spec spec = shell(SH("echo out; echo err >&2; ls -C /proc/$$/fd; exit 0"), -1);
	char got[128] = "";
	struct child *c;
	int fds[2], stray = dup(0); /* not close-on-exec */

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	spec.out = fds[1];
	assert_null(child_start(s->l, &spec, on_exited, s, &c));
	close(fds[1]);
	loop_run(s->l);
	assert_true(read(fds[0], got, sizeof(got) - 1) > 0);
	assert_string_equal(got, "out\n0  1  2\n");
	CHECK("exit 0 signal 0");
	close(fds[0]);
	close(stray);
}

static void a_killed_child_says_by_which_signal(void **state)
{
	struct story *s = *state;
	struct child_spec spec = shell(SH("while :; do sleep 100; done"), -1);
	struct child *c;

	assert_null(child_start(s->l, &spec, on_exited, s, &c));
	child_kill(c, SIGTERM);
	loop_run(s->l);
	CHECK("exit -1 signal 15");
}

static void a_program_that_is_not_there_is_an_error(void **state)
{
	struct story *s = *state;
	struct child_spec spec = shell(((const char *const[]){"/no/such", NULL}), -1);
	struct child *c = NULL;
	struct err *e = child_start(s->l, &spec, on_exited, s, &c);

	assert_string_equal(err_message(e).p, "start '/no/such': No such file or directory");
	err_free(e);
	spec.argv = (const char *const[]){"sh", NULL};
	e = child_start(s->l, &spec, on_exited, s, &c);
	assert_string_equal(err_message(e).p, "start 'sh': not a path");
	err_free(e);
	assert_null(c);
	loop_run(s->l);
	CHECK("");
}

static void children_do_not_outlive_the_loop(void **state)
{
	struct story *s = *state;
	struct child_spec spec = shell(SH("exec sleep 100"), -1);
	struct child *c;
	pid_t pid;

	assert_null(child_start(s->l, &spec, on_exited, s, &c));
	pid = child_pid(c);
	loop_free(s->l);
	s->l = NULL;
	assert_int_equal(kill(pid, 0), -1);
	CHECK("");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_frozen_clock_moves_only_by_hand),
		TEST(a_timer_that_starts_itself_again_fires_once_a_period),
		TEST(a_timer_of_zero_waits_for_the_next_turn),
		TEST(a_timer_may_stop_another_of_the_same_turn),
		TEST(a_thousand_timers_fire_in_order_but_for_those_that_were_stopped),
		TEST(real_timers_run_the_loop),
		TEST(a_descriptor_is_told_until_it_was_read),
		TEST(a_broken_pipe_is_told_as_writable_and_again),
		TEST(a_signal_arrives_in_the_loop),
		TEST(a_changed_path_is_told_by_its_name),
		TEST(work_runs_in_the_pool_and_ends_in_the_loop),
		TEST(work_that_is_out_ends_before_the_loop_is_gone),
		TEST(a_child_has_descriptor_3_its_environment_and_its_folder),
		TEST(a_child_gets_the_descriptors_it_was_given_and_no_other),
		TEST(a_killed_child_says_by_which_signal),
		TEST(a_program_that_is_not_there_is_an_error),
		TEST(children_do_not_outlive_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
