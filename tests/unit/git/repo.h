/* A repository in a temporary folder, made by the real git: the oracle of these tests. */
#pragma once
#include "leeboard/base.h"
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct repo {
	char *path;
};

/* Runs argv with the folder as its own, no configuration but the repository's, and input on
 * standard input; its exit status, and what it wrote to standard output. */
static int repo_try(const struct repo *r, const char *date, str input, struct buf *out,
		    const char *const *argv)
{
	CLEANUP(buf) struct buf when = BUF_INIT;
	int in[2], from[2], status;
	char chunk[4096];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(from), 0);
	buf_printf(&when, "%s +0000", date);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(in[0], 0) < 0 || dup2(from[1], 1) < 0 || chdir(r->path) < 0)
			_exit(126);
		close(in[1]);
		close(from[0]);
		setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
		setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
		setenv("GIT_AUTHOR_DATE", when.p, 1);
		setenv("GIT_COMMITTER_DATE", when.p, 1);
		unsetenv("GIT_DIR");
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(in[0]);
	close(from[1]);
	assert_int_equal(write(in[1], input.p ? input.p : "", input.n), (ssize_t)input.n);
	close(in[1]);
	while ((n = read(from[0], chunk, sizeof(chunk))) > 0)
		if (out)
			buf_add(out, chunk, (size_t)n);
	close(from[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define REPO_T0 "1700000000"
/* One that must go well; its first line of output, in out. */
#define repo_run(r, date, out, ...)                                                                \
	assert_int_equal(repo_try((r), (date), STR_NONE, (out), ARGV(__VA_ARGS__)), 0)

static UNUSED void repo_init(struct repo *r)
{
	r->path = xstrndup("/tmp/leeboard-XXXXXX", 20);
	assert_non_null(mkdtemp(r->path));
	repo_run(r, REPO_T0, NULL, "git", "init", "-q", "-b", "main", ".");
	repo_run(r, REPO_T0, NULL, "git", "config", "user.name", "Ann");
	repo_run(r, REPO_T0, NULL, "git", "config", "user.email", "ann@example.org");
	repo_run(r, REPO_T0, NULL, "git", "config", "gc.auto", "0");
}

static int repo_rm(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static UNUSED void repo_done(struct repo *r)
{
	nftw(r->path, repo_rm, 16, FTW_DEPTH | FTW_PHYS);
	free(r->path);
}

static UNUSED void repo_write(const struct repo *r, const char *name, str bytes)
{
	CLEANUP(buf) struct buf path = BUF_INIT;
	FILE *f;

	buf_printf(&path, "%s/%s", r->path, name);
	f = fopen(path.p, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes.p ? bytes.p : "", 1, bytes.n, f), bytes.n);
	fclose(f);
}

/* The id that rev has for git, as text in the arena. */
static UNUSED str repo_rev(const struct repo *r, struct arena *a, const char *rev)
{
	CLEANUP(buf) struct buf out = BUF_INIT;

	repo_run(r, REPO_T0, &out, "git", "rev-parse", rev);
	return arena_str(a, str_trim(buf_view(&out)));
}

/* An object written as it is, however wrong; its id. */
static UNUSED str repo_object(const struct repo *r, struct arena *a, const char *type, str bytes)
{
	CLEANUP(buf) struct buf out = BUF_INIT;

	assert_int_equal(
		repo_try(r, REPO_T0, bytes, &out,
			 ARGV("git", "hash-object", "-t", type, "-w", "--literally", "--stdin")),
		0);
	return arena_str(a, str_trim(buf_view(&out)));
}

#define assert_str(got, want)                                                                      \
	do {                                                                                       \
		str got_ = (got);                                                                  \
		CLEANUP(cstr) char *c_ = xstrndup(got_.p ? got_.p : "", got_.n);                   \
		assert_string_equal(c_, (want));                                                   \
	} while (0)
/* A call that must succeed; prints why it did not. */
#define assert_ok(expr)                                                                            \
	do {                                                                                       \
		CLEANUP(err) struct err *e_ = (expr);                                              \
		CLEANUP(buf) struct buf b_ = BUF_INIT;                                             \
		if (e_)                                                                            \
			err_line_to(e_, &b_);                                                      \
		assert_string_equal(b_.p ? b_.p : "", "");                                         \
	} while (0)
/* A call that must fail with exactly this line. */
#define assert_fails(expr, line)                                                                   \
	do {                                                                                       \
		CLEANUP(err) struct err *e_ = (expr);                                              \
		CLEANUP(buf) struct buf b_ = BUF_INIT;                                             \
		assert_non_null(e_);                                                               \
		err_line_to(e_, &b_);                                                              \
		assert_string_equal(b_.p, (line));                                                 \
	} while (0)
