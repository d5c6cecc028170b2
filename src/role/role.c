/* What the three programs have in common: a job in, a sandbox, frames out. */
#include "role_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET 3

#ifdef LEEBOARD_SANITIZE
/* LeakSanitizer traces the process at its end and reads /proc: the sandbox lets it do neither. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static bool is_worker(void)
{
	int type = 0;
	socklen_t n = sizeof type;

	return getsockopt(SOCKET, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_SEQPACKET;
}

int role_fail(struct err *e, int status)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!status)
		status = err_exit_status(e);
	err_print(e, &b);
	err_free(e);
	fflush(stdout);
	fputs(b.p ? b.p : "", stderr);
	return status;
}

const char *role_flag(int argc, char **argv, int *i, const char *flag, struct err **e)
{
	size_t n = strlen(flag);

	if (strncmp(argv[*i], flag, n) != 0 || (argv[*i][n] && argv[*i][n] != '='))
		return NULL;
	if (argv[*i][n] == '=')
		return argv[*i] + n + 1;
	if (*i + 1 >= argc) {
		*e = err_new(ERR_USAGE, "'%s' needs a value", flag);
		return NULL;
	}
	return argv[++*i];
}

struct err *role_print(str bytes)
{
	if (fwrite(bytes.p, 1, bytes.n, stdout) != bytes.n || fflush(stdout))
		return err_sys(ERR_IO, errno, "write");
	return NULL;
}

str role_subject(str message)
{
	str line = STR_NONE;

	while (message.n && !line.n && str_split(&message, '\n', &line))
		line = str_trim(line);
	return line;
}

struct err *role_enter(const struct role *r, struct sandbox_plan *plan,
		       const struct job_limits *limits, struct worker_out *out)
{
	struct sandbox_state state;

	/* Said before the sandbox finds nothing to open: it would call that a kernel without
	 * Landlock. */
	if (plan->read_dir && access(plan->read_dir, R_OK | X_OK))
		return err_sys(r->sandbox == SANDBOX_FETCH ? ERR_UNREACHABLE : ERR_NOT_FOUND, errno,
			       "open repository '%s'", plan->read_dir);
	plan->role = r->sandbox;
	plan->memory_bytes = limits->memory_bytes ? limits->memory_bytes : r->memory_bytes;
	plan->cpu_seconds = limits->cpu_seconds ? limits->cpu_seconds : r->cpu_seconds;
	TRY(sandbox_enter(plan, !limits->best_effort, &state));
	return worker_send_sandbox(out, &state);
}

static int work(const struct role *r)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct worker_job job;
	struct worker_out out;
	struct err *e = worker_job_read(a, SOCKET, &job);

	if (e) /* nobody to tell */
		return role_fail(e, 2);
	worker_out_init(&out, SOCKET, job.nonce);
	e = r->run(a, r, &job, &out);
	if (e)
		e = worker_send_error(&out, e);
	if (!e)
		e = worker_send_done(&out);
	worker_out_done(&out);
	return e ? role_fail(e, 2) : 0;
}

int role_main(const struct role *r, int argc, char **argv)
{
	hash_init();
	if (is_worker()) {
		/* What curl, OpenSSL and the resolver would take from it is not the job's. */
		clearenv();
		return work(r);
	}
	if (r->by_hand)
		return r->by_hand(argc, argv);
	fprintf(stderr, "%s is started by the daemon, not by hand\n", r->name);
	return 2;
}
