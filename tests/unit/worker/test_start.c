/* The controller's side of a worker. The test program is its own worker: started with a word, it
 * behaves as that word says. */
#include "leeboard/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ------------------------------------------------------------------ the worker */

static int work_well(struct worker_out *o, const struct worker_job *job)
{
	frame_begin(&o->w, FRAME_PROGRESS, o->nonce);
	frame_text(&o->w, job->json);
	if (worker_send(o))
		return 1;
	for (size_t i = 0; i < job->blobs_n; i++) {
		if (worker_send_object(o, job->blobs[i].name, STR(""), 0, 0, job->blobs[i].bytes))
			return 1;
	}
	return worker_send_done(o) ? 1 : 0;
}

static int work(const char *how)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct worker_job job;
	struct worker_out o;
	struct err *e;

	if (!strcmp(how, "deaf"))
		return 0;
	e = worker_job_read(a, 3, &job);
	if (e)
		return 9;
	worker_out_init(&o, 3, job.nonce);
	if (!strcmp(how, "well")) {
		int status = work_well(&o, &job);

		worker_out_done(&o);
		return status;
	}
	if (!strcmp(how, "hang"))
		for (;;)
			pause();
	if (!strcmp(how, "crash"))
		raise(SIGKILL);
	if (!strcmp(how, "lie")) {
		o.counts[FRAME_VERDICT] = 1;
		e = worker_send_done(&o);
	}
	if (!strcmp(how, "garbage"))
		send(3, "abc", 3, 0);
	if (!strcmp(how, "replay")) {
		o.nonce++;
		e = worker_send_done(&o);
	}
	if (!strcmp(how, "refuse")) {
		e = worker_send_error(&o, err_new(ERR_RENDER, "no such base"));
		e = e ? e : worker_send_done(&o);
	}
	err_free(e);
	worker_out_done(&o);
	return !strcmp(how, "status") ? 7 : 0;
}

/* ------------------------------------------------------------------ the controller */

struct seen {
	struct loop *loop;
	struct worker *worker;
	struct buf json, object, message;
	size_t frames, ends;
	bool stop;
};

static struct err *on_frame(void *arg, struct frame *f)
{
	struct seen *s = arg;
	str text, skip;
	uint32_t n;

	s->frames++;
	if (s->stop)
		worker_stop(s->worker);
	if (f->type == FRAME_PROGRESS) {
		TRY(frame_get_text(f, &text));
		buf_str(&s->json, text);
	} else if (f->type == FRAME_OBJECT) {
		TRY(frame_get_text(f, &skip));
		TRY(frame_get_text(f, &skip));
		TRY(frame_get_u32(f, &n));
		TRY(frame_get_u32(f, &n));
		TRY(frame_get_bytes(f, &text));
		buf_str(&s->object, text);
	} else {
		struct err *carried = NULL;

		TRY(worker_read_error(f, &carried));
		return carried;
	}
	return NULL;
}

static void on_done(void *arg, struct err *e)
{
	struct seen *s = arg;

	s->ends++;
	if (e)
		err_line_to(e, &s->message);
	err_free(e);
	loop_stop(s->loop);
}

static const struct worker_calls calls = {.frame = on_frame, .done = on_done};

static void seen_done(struct seen *s)
{
	buf_done(&s->json);
	buf_done(&s->object);
	buf_done(&s->message);
}

static void run(const char *how, msec timeout, const struct worker_blob *blobs, size_t n,
		struct seen *s)
{
	CLEANUP(loop) struct loop *l = loop_new();
	const char *const argv[] = {"/proc/self/exe", how, NULL};
	const struct worker_spec spec = {.argv = argv,
					 .json = STR("{\"app\":\"web\"}"),
					 .blobs = blobs,
					 .blobs_n = n,
					 .timeout = timeout,
					 .err = 2};

	s->loop = l;
	assert_null(worker_start(l, &spec, &calls, s, &s->worker));
	loop_run(l);
	assert_int_equal(s->ends, 1);
}

static void assert_fails(const char *how, msec timeout, const char *message)
{
	struct seen s = {0};

	run(how, timeout, NULL, 0, &s);
	assert_non_null(s.message.p);
	assert_string_equal(s.message.p, message);
	seen_done(&s);
}

static void a_worker_gets_its_job_and_answers(void **state UNUSED)
{
	size_t n = 3000000; /* more than a socket holds */
	char *large = xmalloc(n);
	struct worker_blob blobs[] = {{STR("small"), STR("s")}, {STR("large"), STR_NONE}};
	struct seen s = {0};

	for (size_t i = 0; i < n; i++)
		large[i] = (char)('a' + i % 23);
	blobs[1].bytes = str_n(large, n);
	run("well", 0, blobs, 2, &s);
	assert_null(s.message.p);
	assert_string_equal(s.json.p, "{\"app\":\"web\"}");
	assert_int_equal(s.object.n, n + 1);
	assert_int_equal(s.object.p[0], 's');
	assert_memory_equal(s.object.p + 1, large, n);
	seen_done(&s);
	free(large);
}

static void a_worker_that_crashes_is_one_error(void **state UNUSED)
{
	assert_fails("crash", 0, "killed by signal 9 (KILL) (worker 'exe')");
	assert_fails("status", 0, "exit status 7 (worker 'exe')");
	assert_fails("early", 0, "the worker ended before it was done (worker 'exe')");
	assert_fails("deaf", 0, "the worker ended before it was done (worker 'exe')");
}

static void a_worker_that_hangs_is_killed_in_time(void **state UNUSED)
{
	assert_fails("hang", 50, "no end in time (worker 'exe')");
}

static void a_worker_that_lies_is_one_error(void **state UNUSED)
{
	assert_fails("lie", 0, "0 frames VERDICT came, the worker counts 1 (worker 'exe')");
	assert_fails("garbage", 0, "a frame of 3 bytes, its header has 16 (worker 'exe')");
	assert_fails("replay", 0, "frame DONE of another job (worker 'exe')");
}

static void an_error_that_a_worker_tells_arrives(void **state UNUSED)
{
	assert_fails("refuse", 0, "no such base (worker 'exe')");
}

static void a_stopped_worker_ends_at_once(void **state UNUSED)
{
	struct worker_blob blob = {STR("a"), STR("b")};
	struct seen s = {.stop = true};

	run("well", 0, &blob, 1, &s);
	assert_string_equal(s.message.p, "was stopped (worker 'exe')");
	assert_int_equal(s.frames, 1);
	seen_done(&s);
}

static void a_program_that_is_not_there_is_an_error_with_its_name(void **state UNUSED)
{
	CLEANUP(loop) struct loop *l = loop_new();
	CLEANUP(err) struct err *e = NULL;
	CLEANUP(buf) struct buf b = BUF_INIT;
	const char *const argv[] = {"/nowhere/leeboard-render", NULL};
	const struct worker_spec spec = {.argv = argv, .json = STR("{}"), .err = -1};
	struct seen s = {.loop = l};

	e = worker_start(l, &spec, &calls, &s, &s.worker);
	assert_non_null(e);
	err_line_to(e, &b);
	assert_string_equal(b.p, "start '/nowhere/leeboard-render': No such file or directory"
				 " (start worker 'leeboard-render')");
	assert_int_equal(s.ends, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_gets_its_job_and_answers),
		cmocka_unit_test(a_worker_that_crashes_is_one_error),
		cmocka_unit_test(a_worker_that_hangs_is_killed_in_time),
		cmocka_unit_test(a_worker_that_lies_is_one_error),
		cmocka_unit_test(an_error_that_a_worker_tells_arrives),
		cmocka_unit_test(a_stopped_worker_ends_at_once),
		cmocka_unit_test(a_program_that_is_not_there_is_an_error_with_its_name),
	};

	hash_init();
	if (argc > 1)
		return work(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
