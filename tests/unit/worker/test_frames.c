#include "leeboard/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define NONCE 0x1122334455667788u

static void assert_message(struct err *e, const char *message)
{
	CLEANUP(err) struct err *owned = e;
	CLEANUP(buf) struct buf b = BUF_INIT;

	assert_non_null(e);
	err_line_to(owned, &b);
	assert_string_equal(b.p, message);
}

static str verdict(struct frame_writer *w)
{
	str d;

	frame_begin(w, FRAME_VERDICT, NONCE);
	frame_text(w, STR("3f2a91c"));
	frame_text(w, STR("Good"));
	frame_text(w, STR("SHA256:x"));
	frame_text(w, STR("ana@example.org"));
	frame_text(w, STR(""));
	assert_null(frame_bytes(w, &d));
	return d;
}

static void a_frame_is_little_endian_and_length_checked(void **state UNUSED)
{
	static const char want[] = "\x15\0\0\0\x0b\0\0\0\x88\x77\x66\x55\x44\x33\x22\x11"
				   "\x03\0\0\0a/b\0\0\0\0";
	CLEANUP(frame_writer) struct frame_writer w = {BUF_INIT};
	struct frame f;
	str d, path, oid;

	frame_begin(&w, FRAME_READSET, NONCE);
	frame_text(&w, STR("a/b"));
	frame_text(&w, STR(""));
	assert_null(frame_bytes(&w, &d));
	assert_int_equal(d.n, sizeof want - 1);
	assert_memory_equal(d.p, want, d.n);

	assert_null(frame_read(d, &f));
	assert_null(frame_get_text(&f, &path));
	assert_true(str_eq(path, STR("a/b")));
	assert_null(frame_get_text(&f, &oid));
	assert_int_equal(oid.n, 0);
	assert_null(frame_get_end(&f));
}

static void every_cut_of_a_frame_is_refused(void **state UNUSED)
{
	CLEANUP(frame_writer) struct frame_writer w = {BUF_INIT};
	str d = verdict(&w);

	for (size_t n = 0; n < d.n; n++) {
		CLEANUP(err) struct err *e = NULL;
		struct frame f;

		e = frame_read(str_sub(d, 0, n), &f);
		assert_non_null(e);
		assert_int_equal(err_code(e), ERR_INVALID);
	}
}

static void a_length_inside_that_leads_outside_is_refused(void **state UNUSED)
{
	CLEANUP(frame_writer) struct frame_writer w = {BUF_INIT};
	struct frame f;
	str d, s;

	frame_begin(&w, FRAME_AFFECTED, NONCE);
	frame_u32(&w, 0xffffffffu);
	frame_u32(&w, 7);
	assert_null(frame_bytes(&w, &d));
	assert_null(frame_read(d, &f));
	assert_message(frame_get_text(&f, &s), "frame AFFECTED ends early");
}

static void a_frame_over_the_limit_is_not_sent(void **state UNUSED)
{
	CLEANUP(frame_writer) struct frame_writer w = {BUF_INIT};
	char *big = xcalloc(1, FRAME_MAX_BODY);
	str d;

	memset(big, 'x', FRAME_MAX_BODY);
	frame_begin(&w, FRAME_PROGRESS, NONCE);
	frame_text(&w, str_n(big, frame_room(&w)));
	assert_null(frame_bytes(&w, &d));
	frame_begin(&w, FRAME_PROGRESS, NONCE);
	frame_text(&w, str_n(big, FRAME_MAX_BODY));
	assert_message(frame_bytes(&w, &d), "a frame of more than 61440 bytes");
	free(big);
}

static void a_worker_that_lies_is_found_out(void **state UNUSED)
{
	CLEANUP(frame_writer) struct frame_writer w = {BUF_INIT};
	struct worker_check c;
	struct frame f;
	str d = verdict(&w);

	worker_check_init(&c, NONCE + 1);
	assert_message(worker_check_frame(&c, d, &f), "frame VERDICT of another job");

	worker_check_init(&c, NONCE);
	assert_null(worker_check_frame(&c, d, &f));
	assert_message(worker_check_end(&c), "the worker ended before it was done");

	frame_begin(&w, FRAME_JOB, NONCE);
	assert_null(frame_bytes(&w, &d));
	assert_message(worker_check_frame(&c, d, &f), "frame JOB goes the other way");

	frame_begin(&w, (enum frame_type)15, NONCE);
	assert_null(frame_bytes(&w, &d));
	assert_message(worker_check_frame(&c, d, &f), "unknown frame type 15");

	frame_begin(&w, FRAME_DONE, NONCE);
	frame_u32(&w, 1);
	frame_u32(&w, FRAME_VERDICT);
	frame_u32(&w, 2);
	assert_null(frame_bytes(&w, &d));
	assert_message(worker_check_frame(&c, d, &f), "1 frames VERDICT came, the worker counts 2");

	frame_begin(&w, FRAME_DONE, NONCE);
	frame_u32(&w, 1);
	frame_u32(&w, FRAME_VERDICT);
	frame_u32(&w, 1);
	assert_null(frame_bytes(&w, &d));
	assert_null(worker_check_frame(&c, d, &f));
	assert_null(worker_check_end(&c));
	d = verdict(&w);
	assert_message(worker_check_frame(&c, d, &f), "frame VERDICT after DONE");
}

static void pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
}

static void a_job_arrives_whole_whatever_its_size(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct worker_blob blobs[] = {{STR("policy"), STR("ana ssh-ed25519 AAAA\n")},
				      {STR("empty"), STR("")},
				      {STR("large"), STR_NONE}};
	struct worker_job sent = {NONCE, STR("{\"app\":\"web\"}"), blobs, ARRAY_LEN(blobs)}, got;
	char *large = xmalloc(150000);
	int fds[2];

	for (size_t i = 0; i < 150000; i++)
		large[i] = (char)i;
	blobs[2].bytes = str_n(large, 150000);
	pair(fds);
	assert_null(worker_send_job(fds[0], &sent));
	assert_null(worker_job_read(a, fds[1], &got));
	assert_int_equal(got.nonce, NONCE);
	assert_true(str_eq(got.json, sent.json));
	assert_int_equal(got.blobs_n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(str_eq(worker_job_blob(&got, blobs[i].name), blobs[i].bytes));
	assert_true(worker_job_blob(&got, STR("other")).p == NULL);
	free(large);
	close(fds[0]);
	close(fds[1]);
}

static void a_job_that_ends_early_is_an_error(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(frame_writer) struct frame_writer w = {BUF_INIT};
	struct worker_job got;
	int fds[2];
	str d;

	pair(fds);
	frame_begin(&w, FRAME_JOB, NONCE);
	frame_text(&w, STR("{}"));
	assert_null(frame_bytes(&w, &d));
	assert_int_equal(send(fds[0], d.p, d.n, 0), d.n);
	close(fds[0]);
	assert_message(worker_job_read(a, fds[1], &got),
		       "the other side closed before the job was complete (read the job)");
	close(fds[1]);
}

static void receive_one(int fd, struct worker_check *c, struct frame *ret)
{
	static char room[FRAME_HEADER + FRAME_MAX_BODY];
	ssize_t n = recv(fd, room, sizeof room, 0);

	assert_true(n > 0);
	assert_null(worker_check_frame(c, str_n(room, (size_t)n), ret));
}

static void an_object_of_any_size_comes_back_in_order(void **state UNUSED)
{
	CLEANUP(buf) struct buf json = BUF_INIT;
	CLEANUP(buf) struct buf back = BUF_INIT;
	struct worker_out out;
	struct worker_check c;
	struct frame f;
	uint32_t last = 0;
	int fds[2];

	for (unsigned i = 0; json.n < 130000; i++)
		buf_printf(&json, "\"%u\",", i);
	pair(fds);
	worker_out_init(&out, fds[0], NONCE);
	worker_check_init(&c, NONCE);
	assert_null(worker_send_object(&out, STR("/ConfigMap/shop/web"), STR("a.yaml"), 3, 1,
				       buf_view(&json)));
	assert_null(worker_send_done(&out));
	while (!last) {
		str id, file, chunk;
		uint32_t line, col;

		receive_one(fds[1], &c, &f);
		assert_int_equal(f.type, FRAME_OBJECT);
		assert_null(frame_get_text(&f, &id));
		assert_null(frame_get_text(&f, &file));
		assert_null(frame_get_u32(&f, &line));
		assert_null(frame_get_u32(&f, &col));
		assert_null(frame_get_bytes(&f, &chunk));
		assert_null(frame_get_u32(&f, &last));
		assert_null(frame_get_end(&f));
		assert_true(str_eq(id, STR("/ConfigMap/shop/web")));
		assert_int_equal(line, 3);
		buf_str(&back, chunk);
	}
	assert_true(str_eq(buf_view(&back), buf_view(&json)));
	receive_one(fds[1], &c, &f);
	assert_null(worker_check_end(&c));
	worker_out_done(&out);
	close(fds[0]);
	close(fds[1]);
}

static void an_error_keeps_code_place_and_cause(void **state UNUSED)
{
	struct worker_out out;
	struct worker_check c;
	struct frame f;
	struct err *e;
	int fds[2];

	pair(fds);
	worker_out_init(&out, fds[0], NONCE);
	worker_check_init(&c, NONCE);
	e = err_at_named(ERR_RENDER, STR("a/kustomization.yaml"), 14, 5, "no such base");
	e = err_hint(e, "write 'resources: [../base]'");
	assert_null(worker_send_error(&out, err_wrap(e, "build overlay '%s'", "a")));
	receive_one(fds[1], &c, &f);
	assert_null(worker_read_error(&f, &e));
	assert_int_equal(err_code(e), ERR_RENDER);
	assert_string_equal(err_hint_get(e).p, "write 'resources: [../base]'");
	assert_message(e, "a/kustomization.yaml:14:5: no such base (build overlay 'a')");
	worker_out_done(&out);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_little_endian_and_length_checked),
		cmocka_unit_test(every_cut_of_a_frame_is_refused),
		cmocka_unit_test(a_length_inside_that_leads_outside_is_refused),
		cmocka_unit_test(a_frame_over_the_limit_is_not_sent),
		cmocka_unit_test(a_worker_that_lies_is_found_out),
		cmocka_unit_test(a_job_arrives_whole_whatever_its_size),
		cmocka_unit_test(a_job_that_ends_early_is_an_error),
		cmocka_unit_test(an_object_of_any_size_comes_back_in_order),
		cmocka_unit_test(an_error_keeps_code_place_and_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
