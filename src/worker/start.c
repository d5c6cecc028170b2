/* A worker seen from the loop: its job goes out as the socket takes it, its frames are checked as
 * they come, and whatever goes wrong first is the one error of the job. The end is reached when the
 * process is gone and all that it sent was read. */
#include "worker_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct worker {
	struct loop *loop;
	struct arena *arena; /* the job's copy */
	struct worker_job job;
	struct job_cursor cursor;
	struct frame_writer w;
	str unsent; /* a datagram that the socket did not take yet */
	struct worker_check check;
	const struct worker_calls *calls;
	void *arg;
	str program;
	int fd;
	struct watch_fd *watch;
	struct child *child; /* NULL: gone */
	struct timer *timer;
	struct err *failed;
	char room[FRAME_HEADER + FRAME_MAX_BODY + 1]; /* one more than fits: a longer one shows */
};

/* Keys and tokens travel as inputs: our copies of them do not outlive the job. */
static void wipe_inputs(struct worker *w)
{
	for (size_t i = 0; i < w->job.blobs_n; i++) {
		str bytes = w->job.blobs[i].bytes;

		if (bytes.n)
			mem_wipe((char *)(uintptr_t)bytes.p, bytes.n);
	}
	if (w->w.b.cap)
		mem_wipe(w->w.b.p, w->w.b.cap);
}

static void worker_free(struct worker *w)
{
	if (!w)
		return;
	wipe_inputs(w);
	loop_fd_stop(w->watch);
	timer_stop(w->timer);
	if (w->fd >= 0)
		close(w->fd);
	frame_writer_done(&w->w);
	err_free(w->failed);
	arena_free(w->arena);
	free(w);
}
DEFINE_CLEANUP(worker, worker_free)

/* The first error stays; the process is of no use any more. Takes e. */
static void fail(struct worker *w, struct err *e)
{
	if (w->failed) {
		err_free(e);
		return;
	}
	w->failed = e;
	if (w->child)
		child_kill(w->child, SIGKILL);
}

static void close_socket(struct worker *w)
{
	loop_fd_stop(w->watch);
	w->watch = NULL;
	close(w->fd);
	w->fd = -1;
}

/* All that waits in the socket. */
static void read_frames(struct worker *w)
{
	while (w->fd >= 0 && !w->failed) {
		ssize_t n = recv(w->fd, w->room, sizeof w->room, MSG_DONTWAIT);
		struct frame f;
		struct err *e;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		/* A peer that dies with frames unread resets the connection: said once, before
		 * what it had sent. */
		if (n < 0 && errno == ECONNRESET)
			continue;
		if (n <= 0) {
			close_socket(w);
			return;
		}
		e = worker_check_frame(&w->check, str_n(w->room, (size_t)n), &f);
		if (!e && f.type != FRAME_DONE)
			e = w->calls->frame(w->arg, &f);
		if (e)
			fail(w, e);
	}
}

static void write_job(struct worker *w)
{
	while (w->fd >= 0 && !w->failed) {
		ssize_t n;

		if (!w->unsent.n) {
			struct err *e = job_next(&w->cursor, &w->w, &w->unsent);

			if (e) {
				fail(w, e);
				return;
			}
			if (!w->unsent.n) {
				loop_fd_set(w->watch, LOOP_READ);
				return;
			}
		}
		n = send(w->fd, w->unsent.p, w->unsent.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			/* It closed before it read all: how it ended says more than EPIPE. */
			loop_fd_set(w->watch, LOOP_READ);
			return;
		}
		w->unsent = STR_NONE;
	}
}

static void on_socket(void *arg, int events)
{
	struct worker *w = arg;

	if (events & LOOP_READ)
		read_frames(w);
	if (events & LOOP_WRITE)
		write_job(w);
}

static void on_exit_of_child(void *arg, int status, int signo)
{
	CLEANUP(worker) struct worker *w = arg;
	struct err *e;

	w->child = NULL;
	read_frames(w);
	if (!w->failed && signo)
		fail(w, err_new(ERR_INTERNAL, "killed by signal %d (%s)", signo,
				sigabbrev_np(signo) ? sigabbrev_np(signo) : "?"));
	else if (!w->failed && status)
		fail(w, err_new(ERR_INTERNAL, "exit status %d", status));
	if (!w->failed)
		w->failed = worker_check_end(&w->check);
	e = STEAL(w->failed);
	if (e)
		e = err_wrap(e, "worker '" STR_FMT "'", STR_ARG(w->program));
	w->calls->done(w->arg, e);
}

static void on_timeout(void *arg)
{
	struct worker *w = arg;

	w->timer = NULL;
	fail(w, err_new(ERR_TIMEOUT, "no end in time"));
}

void worker_stop(struct worker *w)
{
	fail(w, err_new(ERR_BLOCKED, "was stopped"));
}

static void copy_job(struct worker *w, const struct worker_spec *spec)
{
	w->job.json = arena_str(w->arena, spec->json);
	w->job.blobs = ARENA_ARRAY(w->arena, struct worker_blob, spec->blobs_n);
	w->job.blobs_n = spec->blobs_n;
	for (size_t i = 0; i < spec->blobs_n; i++) {
		w->job.blobs[i].name = arena_str(w->arena, spec->blobs[i].name);
		w->job.blobs[i].bytes = arena_str(w->arena, spec->blobs[i].bytes);
	}
	random_bytes(&w->job.nonce, sizeof w->job.nonce);
	w->cursor.job = &w->job;
	worker_check_init(&w->check, w->job.nonce);
}

struct err *worker_start(struct loop *l, const struct worker_spec *spec,
			 const struct worker_calls *calls, void *arg, struct worker **ret)
{
	CLEANUP(worker) struct worker *w = xcalloc(1, sizeof *w);
	struct child_spec child = {.argv = spec->argv, .out = -1, .err = spec->err};
	str program = str_from(spec->argv[0]);
	size_t slash = str_rchr(program, '/');
	int fds[2];

	w->loop = l;
	w->fd = -1;
	w->calls = calls;
	w->arg = arg;
	w->arena = arena_new();
	w->program = arena_str(w->arena,
			       slash == SIZE_MAX ? program : str_sub(program, slash + 1, SIZE_MAX));
	copy_job(w, spec);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return err_sys(ERR_IO, errno, "make a socket for a worker");
	w->fd = fds[0];
	child.fd3 = fds[1]; /* child_start closes it here, whatever happens */
	TRY_WRAP(child_start(l, &child, on_exit_of_child, w, &w->child),
		 "start worker '" STR_FMT "'", STR_ARG(w->program));
	w->watch = loop_fd(l, w->fd, LOOP_READ | LOOP_WRITE, on_socket, w);
	if (spec->timeout)
		w->timer = timer_start(l, spec->timeout, on_timeout, w);
	*ret = STEAL(w);
	return NULL;
}
