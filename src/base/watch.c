/* What the loop watches for others: descriptors, signals, paths, and work in the pool. */
#include "base_priv.h"
#include "leeboard/base.h"
#include <stdlib.h>
#include <sys/stat.h>

struct watch_fd {
	uv_poll_t h;
	int events;
	void (*fn)(void *arg, int events);
	void *arg;
};

static void on_fd(uv_poll_t *h, int status, int events);

static void poll_again(struct watch_fd *w)
{
	int want = (w->events & LOOP_READ ? UV_READABLE : 0) |
		   (w->events & LOOP_WRITE ? UV_WRITABLE : 0);

	if (want)
		uv_poll_start(&w->h, want, on_fd);
	else
		uv_poll_stop(&w->h);
}

/* On an error of the descriptor libuv stops polling. The owner is to find it by reading or writing,
 * and until it does, we are level-triggered as promised. The memory of a watch that fn stopped
 * lives until libuv's close callback, so it may be looked at here. */
static void on_fd(uv_poll_t *h, int status, int events)
{
	struct watch_fd *w = h->data;

	if (status < 0) {
		w->fn(w->arg, w->events);
		if (!uv_is_closing((uv_handle_t *)h))
			poll_again(w);
		return;
	}
	w->fn(w->arg,
	      (events & UV_READABLE ? LOOP_READ : 0) | (events & UV_WRITABLE ? LOOP_WRITE : 0));
}

struct watch_fd *loop_fd(struct loop *l, int fd, int events, void (*fn)(void *arg, int events),
			 void *arg)
{
	struct watch_fd *w = xcalloc(1, sizeof(*w));

	w->fn = fn;
	w->arg = arg;
	w->events = events;
	w->h.data = w;
	if (uv_poll_init(loop_uv(l), &w->h, fd) < 0)
		base_die("a descriptor that cannot be waited for");
	poll_again(w);
	return w;
}

void loop_fd_set(struct watch_fd *w, int events)
{
	if (events == w->events)
		return;
	w->events = events;
	poll_again(w);
}

void loop_fd_stop(struct watch_fd *w)
{
	if (w)
		loop_close_handle((uv_handle_t *)&w->h);
}

/* ------------------------------------------------------------------ signals */

struct watch_signal {
	uv_signal_t h;
	void (*fn)(void *arg, int signo);
	void *arg;
};

static void on_signal(uv_signal_t *h, int signo)
{
	struct watch_signal *w = h->data;

	w->fn(w->arg, signo);
}

struct watch_signal *loop_signal(struct loop *l, int signo, void (*fn)(void *arg, int signo),
				 void *arg)
{
	struct watch_signal *w = xcalloc(1, sizeof(*w));

	w->fn = fn;
	w->arg = arg;
	w->h.data = w;
	if (uv_signal_init(loop_uv(l), &w->h) < 0 || uv_signal_start(&w->h, on_signal, signo) < 0)
		base_die("a signal that cannot be waited for");
	return w;
}

void loop_signal_stop(struct watch_signal *w)
{
	if (w)
		loop_close_handle((uv_handle_t *)&w->h);
}

/* ------------------------------------------------------------------ paths */

struct watch_path {
	uv_fs_event_t h;
	bool folder;
	void (*fn)(void *arg, const char *name);
	void *arg;
};

/* Of a file libuv gives the file's own name, which says nothing. */
static void on_path(uv_fs_event_t *h, const char *name, int events, int status)
{
	struct watch_path *w = h->data;

	(void)events;
	w->fn(w->arg, w->folder && status >= 0 ? name : NULL);
}

struct err *loop_path(struct loop *l, const char *path, void (*fn)(void *arg, const char *name),
		      void *arg, struct watch_path **ret)
{
	struct watch_path *w = xcalloc(1, sizeof(*w));
	struct stat st;
	int rc;

	w->fn = fn;
	w->arg = arg;
	w->h.data = w;
	rc = uv_fs_event_init(loop_uv(l), &w->h);
	if (rc < 0) {
		free(w);
		return err_sys(ERR_IO, -rc, "watch '%s'", path);
	}
	rc = uv_fs_event_start(&w->h, on_path, path, 0);
	if (rc < 0) {
		loop_close_handle((uv_handle_t *)&w->h);
		return err_sys(rc == UV_ENOENT ? ERR_NOT_FOUND : ERR_IO, -rc, "watch '%s'", path);
	}
	w->folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	*ret = w;
	return NULL;
}

void loop_path_stop(struct watch_path *w)
{
	if (w)
		loop_close_handle((uv_handle_t *)&w->h);
}

/* ------------------------------------------------------------------ the pool */

struct work {
	uv_work_t h;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

static void on_work(uv_work_t *h)
{
	struct work *w = h->data;

	w->work(w->arg);
}

static void on_done(uv_work_t *h, int status)
{
	struct work *w = h->data;

	(void)status; /* nothing is ever cancelled */
	w->done(w->arg);
	free(w);
}

void loop_work(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	struct work *w = xcalloc(1, sizeof(*w));

	w->work = work;
	w->done = done;
	w->arg = arg;
	w->h.data = w;
	if (uv_queue_work(loop_uv(l), &w->h, on_work, on_done) < 0)
		base_die("no thread pool");
}
