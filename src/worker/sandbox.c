/* The sandbox: layers that each hold alone. The order matters: what a later layer forbids, an
 * earlier one may still need (Landlock opens folders, seccomp forbids landlock_*). */
#include "leeboard/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ------------------------------------------------------------------ Landlock */

/* Debian's header stops at ABI 2: the kernel's own numbers (Documentation/userspace-api/landlock).
 */
#define LL_CREATE_RULESET 444
#define LL_ADD_RULE 445
#define LL_RESTRICT_SELF 446
#define LL_VERSION_FLAG 1u
#define LL_RULE_PATH_BENEATH 1
#define LL_FS_EXECUTE (1ull << 0)
#define LL_FS_READ_FILE (1ull << 2)
#define LL_FS_READ_DIR (1ull << 3)
#define LL_FS_ABI1 ((1ull << 13) - 1)
#define LL_FS_REFER (1ull << 13)     /* ABI 2 */
#define LL_FS_TRUNCATE (1ull << 14)  /* ABI 3 */
#define LL_FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define LL_NET_TCP 3ull              /* ABI 4: bind and connect */
#define LL_SCOPES 3ull               /* ABI 6: abstract sockets and signals */

struct ll_ruleset {
	uint64_t fs, net, scoped;
};
struct ll_path_beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

/* Every right below the ABI's limit is handled, hence denied; these are given back. */
static bool landlock_allow(int ruleset, const char *path, uint64_t rights)
{
	struct ll_path_beneath rule = {.allowed = rights};
	CLEANUP(fd) int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return false;
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= LL_FS_READ_FILE;
	rule.fd = fd;
	return syscall(LL_ADD_RULE, ruleset, LL_RULE_PATH_BENEATH, &rule, 0) == 0;
}

static bool landlock_enter(const struct sandbox_plan *p, int *abi)
{
	struct ll_ruleset attr = {.fs = LL_FS_ABI1};
	uint64_t writing;
	size_t size = sizeof attr.fs;
	long version = syscall(LL_CREATE_RULESET, NULL, 0, LL_VERSION_FLAG);

	if (version < 1)
		return false;
	*abi = (int)version;
	if (version >= 2)
		attr.fs |= LL_FS_REFER;
	if (version >= 3)
		attr.fs |= LL_FS_TRUNCATE;
	if (version >= 4 && p->role != SANDBOX_FETCH) {
		attr.net = LL_NET_TCP;
		size = offsetof(struct ll_ruleset, scoped);
	}
	if (version >= 5)
		attr.fs |= LL_FS_IOCTL_DEV;
	if (version >= 6) {
		attr.scoped = LL_SCOPES;
		size = sizeof attr;
	}
	writing = attr.fs & ~(LL_FS_EXECUTE | LL_FS_IOCTL_DEV);

	CLEANUP(fd) int ruleset = (int)syscall(LL_CREATE_RULESET, &attr, size, 0);

	if (ruleset < 0)
		return false;
	if (p->read_dir && !landlock_allow(ruleset, p->read_dir, LL_FS_READ_FILE | LL_FS_READ_DIR))
		return false;
	if (p->write_dir && !landlock_allow(ruleset, p->write_dir, writing))
		return false;
	/* A file that is not there grants nothing and is no failure: a CA bundle has many homes. */
	for (const char *const *f = p->read_files; f && *f; f++)
		landlock_allow(ruleset, *f, LL_FS_READ_FILE | LL_FS_READ_DIR);
	return syscall(LL_RESTRICT_SELF, ruleset, 0) == 0;
}

/* ------------------------------------------------------------------ seccomp */

#ifdef LEEBOARD_SANITIZE

#define DEFAULT_ACTION SCMP_ACT_ALLOW

/* What kills even here: nothing of ours, and no sanitizer, has a use for it. */
static const int forbidden[] = {
	SCMP_SYS(execve),         SCMP_SYS(execveat), SCMP_SYS(fork),
	SCMP_SYS(vfork),          SCMP_SYS(ptrace),   SCMP_SYS(process_vm_readv),
	SCMP_SYS(io_uring_setup), SCMP_SYS(bpf),      SCMP_SYS(mount),
	SCMP_SYS(keyctl),         SCMP_SYS(unshare),  SCMP_SYS(setns),
	SCMP_SYS(perf_event_open)};

/* The sanitizers map, clone and trace as they like: only what is forbidden kills. */
static bool rules(scmp_filter_ctx f, enum sandbox_role role)
{
	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
		if (seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, forbidden[i], 0))
			return false;
	}
	return role == SANDBOX_FETCH ||
	       (!seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket), 0) &&
		!seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(connect), 0));
}

#else

#define DEFAULT_ACTION SCMP_ACT_KILL_PROCESS

#define CALLS_ALL                                                                                  \
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev),     \
		SCMP_SYS(pwrite64), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat),        \
		SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(lseek),                 \
		SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),              \
		SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),          \
		SCMP_SYS(sigaltstack), SCMP_SYS(futex), SCMP_SYS(getpid), SCMP_SYS(gettid),        \
		SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),          \
		SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(clock_gettime),                     \
		SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom),               \
		SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),        \
		SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(fcntl), SCMP_SYS(getdents64),            \
		SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(access), SCMP_SYS(faccessat),   \
		SCMP_SYS(faccessat2), SCMP_SYS(getcwd), SCMP_SYS(memfd_create),                    \
		SCMP_SYS(ftruncate), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(uname),   \
		SCMP_SYS(sched_yield), SCMP_SYS(fadvise64), SCMP_SYS(tgkill),                      \
		SCMP_SYS(sched_getaffinity), SCMP_SYS(restart_syscall),                            \
		SCMP_SYS(sysinfo) /* qsort of much asks how much memory there is */
#define CALLS_FETCH                                                                                \
	SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),             \
		SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(sendmmsg),                  \
		SCMP_SYS(recvmmsg), SCMP_SYS(shutdown), SCMP_SYS(epoll_create1),                   \
		SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),                  \
		SCMP_SYS(eventfd2), SCMP_SYS(pipe2), SCMP_SYS(select), SCMP_SYS(pselect6),         \
		SCMP_SYS(socketpair), SCMP_SYS(clone), SCMP_SYS(openat), SCMP_SYS(open),           \
		SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link),         \
		SCMP_SYS(linkat), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(mkdir),           \
		SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(fsync), SCMP_SYS(fdatasync),          \
		SCMP_SYS(fchmod), SCMP_SYS(chmod), SCMP_SYS(fchmodat), SCMP_SYS(umask),            \
		SCMP_SYS(utimensat), SCMP_SYS(fallocate), SCMP_SYS(clock_nanosleep),               \
		SCMP_SYS(nanosleep), SCMP_SYS(getppid)

static bool allow(scmp_filter_ctx f, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0))
			return false;
	}
	return true;
}

/* A list: what is not on it kills the process. */
static bool rules(scmp_filter_ctx f, enum sandbox_role role)
{
	static const int all[] = {CALLS_ALL};
	static const int fetch[] = {CALLS_FETCH};
	const uint64_t writes = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;

	if (!allow(f, all, ARRAY_LEN(all)))
		return false;
	/* No code is ever made or loaded after this. */
	if (seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) ||
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) ||
	    /* Limits may be read, not set; a terminal is asked for and there is none. */
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0)) ||
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 0) ||
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) ||
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0))
		return false;
	if (role == SANDBOX_FETCH)
		return allow(f, fetch, ARRAY_LEN(fetch)) &&
		       !seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					 SCMP_A0(SCMP_CMP_EQ, AF_INET)) &&
		       !seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					 SCMP_A0(SCMP_CMP_EQ, AF_INET6)) &&
		       /* getaddrinfo asks the kernel for addresses, and nscd for names. */
		       !seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					 SCMP_A0(SCMP_CMP_EQ, AF_NETLINK)) &&
		       !seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
					 SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	/* Reading is Landlock's to limit; opening for anything else is refused here as well. */
	return !seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				 SCMP_A2(SCMP_CMP_MASKED_EQ, writes, O_RDONLY)) &&
	       !seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
				 SCMP_A1(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));
}

#endif

static bool seccomp_enter(enum sandbox_role role)
{
	scmp_filter_ctx f = seccomp_init(DEFAULT_ACTION);
	bool ok;

	if (!f)
		return false;
	ok = rules(f, role) && seccomp_load(f) == 0;
	seccomp_release(f);
	return ok;
}

/* ------------------------------------------------------------------ the other layers */

static bool limit(__rlimit_resource_t what, rlim_t n)
{
	const struct rlimit l = {n, n};

	return setrlimit(what, &l) == 0;
}

static bool limits_enter(const struct sandbox_plan *p)
{
	bool ok = limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, 256);

	if (p->cpu_seconds)
		ok &= limit(RLIMIT_CPU, p->cpu_seconds);
#ifndef LEEBOARD_SANITIZE
	if (p->memory_bytes)
		ok &= limit(RLIMIT_AS, p->memory_bytes);
	/* curl resolves names in a thread, so fetch may have one. */
	if (p->role != SANDBOX_FETCH)
		ok &= limit(RLIMIT_NPROC, 0);
#endif
	return ok;
}

static bool netns_enter(void)
{
	/* Without privileges a network namespace wants a user namespace of its own. */
	return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

#ifdef LEEBOARD_SANITIZE
/* LeakSanitizer asks before it looks, and its look (a tracer, /proc) is what the sandbox forbids.
 */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}
#endif

struct err *sandbox_enter(const struct sandbox_plan *p, bool required, struct sandbox_state *ret)
{
	struct sandbox_state s = {0};

	if (syscall(SYS_close_range, 4u, ~0u, 0u))
		return err_sys(ERR_SANDBOX, errno, "close descriptors");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return err_sys(ERR_SANDBOX, errno, "end with the daemon");
#ifndef LEEBOARD_SANITIZE
	/* LeakSanitizer traces its own process. */
	if (prctl(PR_SET_DUMPABLE, 0))
		return err_sys(ERR_SANDBOX, errno, "forbid core dumps");
#endif
	if (p->role != SANDBOX_FETCH)
		s.netns = netns_enter();
	s.no_new_privs = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
	s.rlimits = limits_enter(p);
	if (s.no_new_privs) {
		s.landlock = landlock_enter(p, &s.landlock_abi);
		s.seccomp = seccomp_enter(p->role);
	}
	*ret = s;
	if (!required)
		return NULL;
	if (!s.landlock || !s.seccomp)
		return err_hint(err_new(ERR_SANDBOX, "this kernel gives %s",
					s.seccomp    ? "no Landlock"
					: s.landlock ? "no seccomp"
						     : "neither Landlock nor seccomp"),
				"'sandbox: best-effort' in the Daemon runs without");
	return NULL;
}
