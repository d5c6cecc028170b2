/* A state directory for one test, and what all tests of the store do with it. */
#pragma once
#include "leeboard/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct story {
	char dir[64];
	struct arena *a;
	struct store *s;
};

static int forget(const char *path, const struct stat *st UNUSED, int kind UNUSED,
		  struct FTW *w UNUSED)
{
	return remove(path);
}

static inline void no_err(struct err *e)
{
	if (e) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_print(e, &b);
		err_free(e);
		fail_msg("%s", b.p);
	}
}

/* The error's text is exactly this, PATH standing for the state directory. */
static inline void is_err(struct story *y, struct err *e, enum err_code c, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(buf) struct buf shown = BUF_INIT;
	str rest;

	assert_non_null(e);
	assert_string_equal(err_code_name(err_code(e)), err_code_name(c));
	err_line_to(e, &b);
	err_free(e);
	rest = buf_view(&b);
	for (size_t at; (at = str_find(rest, str_from(y->dir))) != SIZE_MAX;) {
		buf_str(&shown, str_sub(rest, 0, at));
		buf_str(&shown, STR("PATH"));
		rest = str_sub(rest, at + strlen(y->dir), SIZE_MAX);
	}
	buf_str(&shown, rest);
	assert_string_equal(shown.p, want);
}

static inline void is_str(str got, const char *want)
{
	CLEANUP(cstr) char *s = xstrndup(got.n ? got.p : "", got.n);

	assert_string_equal(s, want);
}

static inline const char *in_dir(struct story *y, const char *name)
{
	return arena_printf(y->a, "%s/%s", y->dir, name).p;
}

static inline int setup(void **state)
{
	struct story *y = xcalloc(1, sizeof(*y));

	hash_init();
	snprintf(y->dir, sizeof(y->dir), "/tmp/leeboard-store-XXXXXX");
	if (!mkdtemp(y->dir))
		return -1;
	y->a = arena_new();
	*state = y;
	return 0;
}

static inline int setup_open(void **state)
{
	struct story *y;

	if (setup(state))
		return -1;
	y = *state;
	no_err(store_open(y->dir, &y->s));
	return 0;
}

static inline int teardown(void **state)
{
	struct story *y = *state;

	store_close(y->s);
	arena_free(y->a);
	nftw(y->dir, forget, 16, FTW_DEPTH | FTW_PHYS);
	free(y);
	return 0;
}

static inline void reopen(struct story *y)
{
	store_close(STEAL(y->s));
	no_err(store_open(y->dir, &y->s));
}

/* A file of the state directory whose name begins so; p NULL: none. */
static inline str find_file(struct story *y, const char *prefix)
{
	DIR *d = opendir(y->dir);
	struct dirent *e;
	str ret = STR_NONE;

	assert_non_null(d);
	while (!ret.p && (e = readdir(d))) {
		if (str_starts(str_from(e->d_name), str_from(prefix)))
			ret = arena_printf(y->a, "%s/%s", y->dir, e->d_name);
	}
	closedir(d);
	return ret;
}
