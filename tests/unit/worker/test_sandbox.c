/* Each test forks, enters the sandbox in the child and tries what it must not be able to do. The
 * child answers by its exit status or by the signal that killed it. */
#include "leeboard/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NO_SANDBOX 99

struct rooms {
	char root[64], inside[96], outside[96];
};

static int setup(void **state)
{
	struct rooms *r = xcalloc(1, sizeof *r);

	snprintf(r->root, sizeof r->root, "/tmp/leeboard-sandbox-XXXXXX");
	assert_non_null(mkdtemp(r->root));
	snprintf(r->inside, sizeof r->inside, "%s/objects", r->root);
	assert_int_equal(mkdir(r->inside, 0700), 0);
	snprintf(r->inside, sizeof r->inside, "%s/objects/a", r->root);
	snprintf(r->outside, sizeof r->outside, "%s/secret", r->root);
	assert_null(file_write_atomic(r->inside, STR("inside"), 0600));
	assert_null(file_write_atomic(r->outside, STR("outside"), 0600));
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rooms *r = *state;
	char dir[96];

	unlink(r->inside);
	unlink(r->outside);
	snprintf(dir, sizeof dir, "%s/objects/new", r->root);
	unlink(dir);
	snprintf(dir, sizeof dir, "%s/objects", r->root);
	rmdir(dir);
	rmdir(r->root);
	free(r);
	return 0;
}

/* The wait status of a child that enters the role's sandbox and runs fn. */
static int in_sandbox(const struct rooms *r, enum sandbox_role role,
		      int (*fn)(const struct rooms *r))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		char dir[96];
		const char *const files[] = {"/etc/hosts", NULL};
		struct sandbox_plan p = {.role = role, .cpu_seconds = 10};
		struct sandbox_state s;

		snprintf(dir, sizeof dir, "%s/objects", r->root);
		if (role == SANDBOX_FETCH) {
			p.write_dir = dir;
			p.read_files = files;
		} else {
			p.read_dir = dir;
		}
		_exit(sandbox_enter(&p, true, &s) ? NO_SANDBOX : fn(r));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_SANDBOX)
		skip(); /* this kernel has no Landlock or no seccomp */
	return status;
}

static int open_errno(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	return fd < 0 ? errno : 0;
}

static int read_inside(const struct rooms *r)
{
	return open_errno(r->inside, O_RDONLY | O_CLOEXEC);
}

static int read_outside(const struct rooms *r)
{
	return open_errno(r->outside, O_RDONLY | O_CLOEXEC);
}

static int read_passwd(const struct rooms *r UNUSED)
{
	return open_errno("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static int read_hosts(const struct rooms *r UNUSED)
{
	return open_errno("/etc/hosts", O_RDONLY | O_CLOEXEC);
}

static int write_inside(const struct rooms *r)
{
	char path[128];

	snprintf(path, sizeof path, "%s/objects/new", r->root);
	return open_errno(path, O_WRONLY | O_CREAT | O_CLOEXEC);
}

static int inet_socket(const struct rooms *r UNUSED)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0;
}

static int execute(const struct rooms *r UNUSED)
{
	char *argv[] = {NULL};

	execve("/bin/true", argv, argv);
	return 1;
}

static int trace_parent(const struct rooms *r UNUSED)
{
	ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
	return 1;
}

static int use_descriptor_9(const struct rooms *r UNUSED)
{
	return fcntl(9, F_GETFD) >= 0 ? 0 : errno;
}

static int compute(const struct rooms *r UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();

	/* More than one mmap, a read of the clock and a hash: what render does all day. */
	for (int i = 0; i < 100; i++)
		memset(arena_alloc(a, 100000), 1, 100000);
	return hash_hex(a, hash_sha256(STR("x"))).n == 64 && time_mono() > 0 ? 0 : 1;
}

static void assert_exits(int status, int code)
{
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
}

static void assert_killed(int status)
{
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void render_reads_its_objects_and_nothing_else(void **state)
{
	assert_exits(in_sandbox(*state, SANDBOX_RENDER, read_inside), 0);
	assert_exits(in_sandbox(*state, SANDBOX_RENDER, read_outside), EACCES);
	assert_exits(in_sandbox(*state, SANDBOX_RENDER, read_passwd), EACCES);
	assert_exits(in_sandbox(*state, SANDBOX_VERIFY, read_inside), 0);
	assert_exits(in_sandbox(*state, SANDBOX_VERIFY, read_passwd), EACCES);
}

static void render_and_verify_write_nothing(void **state)
{
#ifdef LEEBOARD_SANITIZE
	assert_exits(in_sandbox(*state, SANDBOX_RENDER, write_inside), EACCES);
	assert_exits(in_sandbox(*state, SANDBOX_VERIFY, write_inside), EACCES);
#else
	assert_killed(in_sandbox(*state, SANDBOX_RENDER, write_inside));
	assert_killed(in_sandbox(*state, SANDBOX_VERIFY, write_inside));
#endif
}

static void render_and_verify_have_no_network(void **state)
{
	assert_killed(in_sandbox(*state, SANDBOX_RENDER, inet_socket));
	assert_killed(in_sandbox(*state, SANDBOX_VERIFY, inet_socket));
}

static void fetch_has_the_network_and_its_own_store(void **state)
{
	assert_exits(in_sandbox(*state, SANDBOX_FETCH, inet_socket), 0);
	assert_exits(in_sandbox(*state, SANDBOX_FETCH, write_inside), 0);
	assert_exits(in_sandbox(*state, SANDBOX_FETCH, read_outside), EACCES);
	assert_exits(in_sandbox(*state, SANDBOX_FETCH, read_passwd), EACCES);
	assert_exits(in_sandbox(*state, SANDBOX_FETCH, read_hosts), 0);
}

static void no_role_starts_or_traces_a_program(void **state)
{
	for (enum sandbox_role r = SANDBOX_FETCH; r <= SANDBOX_RENDER; r++) {
		assert_killed(in_sandbox(*state, r, execute));
		assert_killed(in_sandbox(*state, r, trace_parent));
	}
}

static void no_descriptor_of_the_daemon_is_inherited(void **state)
{
	assert_int_equal(dup2(1, 9), 9);
	assert_exits(in_sandbox(*state, SANDBOX_RENDER, use_descriptor_9), EBADF);
	close(9);
}

static void ordinary_work_goes_on_in_each_role(void **state)
{
	for (enum sandbox_role r = SANDBOX_FETCH; r <= SANDBOX_RENDER; r++)
		assert_exits(in_sandbox(*state, r, compute), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(render_reads_its_objects_and_nothing_else),
		cmocka_unit_test(render_and_verify_write_nothing),
		cmocka_unit_test(render_and_verify_have_no_network),
		cmocka_unit_test(fetch_has_the_network_and_its_own_store),
		cmocka_unit_test(no_role_starts_or_traces_a_program),
		cmocka_unit_test(no_descriptor_of_the_daemon_is_inherited),
		cmocka_unit_test(ordinary_work_goes_on_in_each_role),
	};

	hash_init();
	return cmocka_run_group_tests(tests, setup, teardown);
}
