/* dir.c: a folder on disk as a tree. The kernel resolves each path below the root descriptor
 * (openat2, RESOLVE_BENEATH), so no symlink leads out, not even one that changes meanwhile. */
#include "tree_priv.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct dir {
	int root;
	bool lax;
	/* What kind() hashed last, so that the read() after it need not read again. */
	char *path;
	struct buf bytes;
};

enum open_result { OPEN_DONE, OPEN_ABSENT, OPEN_FAILED };

/* On OPEN_FAILED *e says why. */
static enum open_result open_below(const struct dir *d, str path, int *fd, struct err **e)
{
	CLEANUP(cstr) char *name = path.n ? xstrndup(path.p, path.n) : xstrndup(".", 1);
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_NO_MAGICLINKS | (d->lax ? 0 : (unsigned)RESOLVE_BENEATH),
	};
	int tries = 0;

	do
		*fd = (int)syscall(SYS_openat2, d->root, name, &how, sizeof(how));
	while (*fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < 100)));
	if (*fd >= 0)
		return OPEN_DONE;
	if (errno == ENOENT || errno == ENOTDIR)
		return OPEN_ABSENT;
	if (errno == EXDEV)
		*e = err_new(ERR_INVALID, "symlink '" STR_FMT "' leads out of the tree",
			     STR_ARG(path));
	else if (errno == ELOOP)
		*e = err_new(ERR_INVALID, "too many symlinks on the way to '" STR_FMT "'",
			     STR_ARG(path));
	else
		*e = err_sys(ERR_IO, errno, "open '" STR_FMT "'", STR_ARG(path));
	return OPEN_FAILED;
}

static struct err *read_fd(int fd, str path, struct buf *ret)
{
	for (;;) {
		ssize_t got;

		buf_reserve(ret, 64 << 10);
		got = read(fd, ret->p + ret->n, 64 << 10);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(ERR_IO, errno, "read '" STR_FMT "'", STR_ARG(path));
		if (!got)
			return NULL;
		ret->n += (size_t)got;
		if (ret->n > TREE_MAX_FILE)
			return err_new(ERR_LIMIT, "file '" STR_FMT "' is larger than %u MiB",
				       STR_ARG(path), TREE_MAX_FILE >> 20);
	}
}

static struct err *list_fd(int fd, struct arena *a, str path, struct tree_entry **ret, size_t *n)
{
	struct {
		struct tree_entry *p;
		size_t n, cap;
	} v = {0};
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct err *e = NULL;
	struct dirent *entry;

	if (!dir) {
		e = err_sys(ERR_IO, errno, "list '" STR_FMT "'", STR_ARG(path));
		if (copy >= 0)
			close(copy);
		return e;
	}
	while (!e && (errno = 0, entry = readdir(dir))) {
		str name = str_from(entry->d_name);
		struct stat st;

		if (str_eq(name, STR(".")) || str_eq(name, STR("..")) ||
		    fstatat(fd, entry->d_name, &st, 0))
			continue;
		if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
			continue;
		if (v.n == TREE_MAX_ENTRIES)
			e = err_new(ERR_LIMIT, "folder '" STR_FMT "' has more than %u entries",
				    STR_ARG(path), TREE_MAX_ENTRIES);
		else
			*ARENA_PUSH(a, &v) = (struct tree_entry){
				arena_str(a, name), S_ISDIR(st.st_mode) ? TREE_FOLDER : TREE_FILE};
	}
	if (!e && errno)
		e = err_sys(ERR_IO, errno, "list '" STR_FMT "'", STR_ARG(path));
	closedir(dir);
	*ret = v.p;
	*n = v.n;
	return e;
}

static void put_hash(struct hash h, uint8_t oid[32], size_t *oid_n)
{
	memcpy(oid, h.b, HASH_LEN);
	*oid_n = HASH_LEN;
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct tree_entry *)a)->name, ((const struct tree_entry *)b)->name);
}

/* A folder is what its list says: names and kinds. */
static struct err *hash_list(int fd, str path, uint8_t oid[32], size_t *oid_n)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct tree_entry *entries = NULL;
	size_t n = 0;

	TRY(list_fd(fd, a, path, &entries, &n));
	if (n)
		qsort(entries, n, sizeof(*entries), by_name);
	for (size_t i = 0; i < n; i++) {
		buf_char(&b, entries[i].kind == TREE_FOLDER ? 'd' : 'f');
		buf_add(&b, entries[i].name.p, entries[i].name.n);
		buf_char(&b, '\0');
	}
	put_hash(hash_blake2b(NULL, STR("leeboard/folder/1"), buf_view(&b)), oid, oid_n);
	return NULL;
}

static struct err *dir_kind(void *self, str path, enum tree_kind *ret, uint8_t oid[32],
			    size_t *oid_n)
{
	struct dir *d = self;
	CLEANUP(fd) int fd = -1;
	struct err *e = NULL;
	struct stat st;

	*oid_n = 0;
	*ret = TREE_ABSENT;
	switch (open_below(d, path, &fd, &e)) {
	case OPEN_ABSENT:
		return NULL;
	case OPEN_FAILED:
		return e;
	case OPEN_DONE:
		break;
	}
	if (fstat(fd, &st))
		return err_sys(ERR_IO, errno, "stat '" STR_FMT "'", STR_ARG(path));
	if (S_ISDIR(st.st_mode)) {
		TRY(hash_list(fd, path, oid, oid_n));
		*ret = TREE_FOLDER;
		return NULL;
	}
	if (!S_ISREG(st.st_mode))
		return err_new(ERR_INVALID, "'" STR_FMT "' is neither a file nor a folder",
			       STR_ARG(path));
	buf_clear(&d->bytes);
	free(d->path);
	d->path = NULL;
	TRY(read_fd(fd, path, &d->bytes));
	d->path = xstrndup(path.p, path.n);
	put_hash(hash_blake2b(NULL, STR("leeboard/file/1"), buf_view(&d->bytes)), oid, oid_n);
	*ret = TREE_FILE;
	return NULL;
}

static struct err *dir_read(void *self, struct arena *a, str path, str *ret)
{
	struct dir *d = self;

	if (!d->path || !str_eq(str_from(d->path), path)) {
		enum tree_kind kind;
		uint8_t oid[32];
		size_t oid_n;

		TRY(dir_kind(d, path, &kind, oid, &oid_n));
		if (kind != TREE_FILE)
			return err_new(ERR_NOT_FOUND, "file '" STR_FMT "' went away",
				       STR_ARG(path));
	}
	*ret = arena_str(a, buf_view(&d->bytes));
	return NULL;
}

static struct err *dir_list(void *self, struct arena *a, str path, struct tree_entry **ret,
			    size_t *n)
{
	CLEANUP(fd) int fd = -1;
	struct err *e = NULL;

	switch (open_below(self, path, &fd, &e)) {
	case OPEN_ABSENT:
		return err_new(ERR_NOT_FOUND, "no folder '" STR_FMT "'", STR_ARG(path));
	case OPEN_FAILED:
		return e;
	case OPEN_DONE:
		break;
	}
	return list_fd(fd, a, path, ret, n);
}

static void dir_close(void *self)
{
	struct dir *d = self;

	fd_cleanup(&d->root);
	buf_done(&d->bytes);
	free(d->path);
	free(d);
}

static const struct tree_ops dir_ops = {
	.name = "dir", .kind = dir_kind, .read = dir_read, .list = dir_list, .close = dir_close};

struct err *tree_dir(const char *root, bool lax, struct tree **ret)
{
	CLEANUP(fd) int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct dir *d;
	struct tree *t;

	if (fd < 0)
		return err_sys(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "open folder '%s'",
			       root);
	d = xcalloc(1, sizeof(*d));
	d->root = fd;
	d->lax = lax;
	fd = -1;
	t = tree_new(&dir_ops, d);
	if (lax)
		tree_set_lax(t);
	*ret = t;
	return NULL;
}
