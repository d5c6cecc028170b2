/* child: a program of ours, started with nothing but what its spec says. */
#include "base_priv.h"
#include "leeboard/base.h"
#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
	uv_process_t h;
	void (*exited)(void *arg, int status, int signo);
	void *arg;
};

static void on_exit_of_child(uv_process_t *h, int64_t status, int signo)
{
	struct child *c = h->data;

	if (c->exited)
		c->exited(c->arg, signo ? -1 : (int)status, signo);
	loop_close_handle((uv_handle_t *)h);
}

/* libuv takes these as char ** for execve(2), which never writes to them. */
static char **vector(const char *const *v)
{
	static const char *const nothing[] = {NULL};
	union {
		const char *const *in;
		char **out;
	} u = {v ? v : nothing};

	return u.out;
}

static uv_stdio_container_t inherit(int fd)
{
	uv_stdio_container_t c = {.flags = UV_IGNORE};

	if (fd >= 0) {
		c.flags = UV_INHERIT_FD;
		c.data.fd = fd;
	}
	return c;
}

struct err *child_start(struct loop *l, const struct child_spec *spec,
			void (*exited)(void *arg, int status, int signo), void *arg,
			struct child **ret)
{
	uv_stdio_container_t stdio[] = {
		inherit(-1),
		inherit(spec->out),
		inherit(spec->err),
		inherit(spec->fd3),
	};
	CLEANUP(fd) UNUSED int fd3 = spec->fd3;
	uv_process_options_t o = {
		.exit_cb = on_exit_of_child,
		.file = spec->argv[0],
		.args = vector(spec->argv),
		.env = vector(spec->env),
		.cwd = spec->cwd,
		.stdio = stdio,
		.stdio_count = ARRAY_LEN(stdio),
	};
	struct child *c;
	int rc;

	/* libuv would look a bare name up in PATH. */
	if (!strchr(spec->argv[0], '/'))
		return err_new(ERR_INTERNAL, "start '%s': not a path", spec->argv[0]);
	/* A descriptor that we ourselves were started with, or that a library opened without
	 * O_CLOEXEC, must not reach a worker. The four above are duplicated, so they do. */
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(ERR_IO, errno, "start '%s': keep descriptors back", spec->argv[0]);
	c = xcalloc(1, sizeof(*c));
	c->exited = exited;
	c->arg = arg;
	rc = uv_spawn(loop_uv(l), &c->h, &o);
	c->h.data = c;
	if (rc < 0) {
		loop_close_handle((uv_handle_t *)&c->h);
		return err_sys(ERR_IO, -rc, "start '%s'", spec->argv[0]);
	}
	*ret = c;
	return NULL;
}

/* A child that ended before its exit was told is no error. */
void child_kill(struct child *c, int signo)
{
	uv_process_kill(&c->h, signo);
}

void child_forget(struct child *c)
{
	c->exited = NULL;
}

pid_t child_pid(const struct child *c)
{
	return c->h.pid;
}

void child_abandon(uv_handle_t *h)
{
	pid_t pid = uv_process_get_pid((uv_process_t *)h);

	if (pid <= 0 || kill(pid, SIGKILL) < 0)
		return;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
