/* file: whole files in, whole files out. */
#include "leeboard/base.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_CHUNK ((size_t)64 * 1024)

struct err *file_read(const char *path, size_t limit, struct buf *ret)
{
	CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "read '%s'", path);
	if (S_ISREG(st.st_mode) && (uintmax_t)st.st_size > limit)
		return err_new(ERR_LIMIT, "read '%s': larger than %zu bytes", path, limit);
	buf_reserve(&b, S_ISREG(st.st_mode) ? (size_t)st.st_size + 1 : FILE_CHUNK);
	for (;;) {
		ssize_t got;

		buf_reserve(&b, b.cap - b.n > 1 ? 1 : FILE_CHUNK);
		got = read(fd, b.p + b.n, b.cap - b.n - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(ERR_IO, errno, "read '%s'", path);
		if (got == 0)
			break;
		b.n += (size_t)got;
		b.p[b.n] = '\0';
		if (b.n > limit)
			return err_new(ERR_LIMIT, "read '%s': larger than %zu bytes", path, limit);
	}
	if (ret->n == 0) {
		buf_done(ret);
		*ret = b;
		b = BUF_INIT;
	} else {
		buf_str(ret, buf_view(&b));
	}
	return NULL;
}

static struct err *write_all(int fd, str bytes, const char *path)
{
	while (bytes.n) {
		ssize_t put = write(fd, bytes.p, bytes.n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_sys(ERR_IO, errno, "write '%s'", path);
		bytes = str_sub(bytes, (size_t)put, SIZE_MAX);
	}
	return NULL;
}

static struct err *sync_folder_of(const char *path)
{
	size_t slash = str_rchr(str_from(path), '/');
	CLEANUP(cstr)
	char *dir = slash == SIZE_MAX ? xstrndup(".", 1) : xstrndup(path, slash ? slash : 1);
	CLEANUP(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(ERR_IO, errno, "sync '%s'", dir);
	return NULL;
}

static struct err *write_beside(const char *beside, const char *path, str bytes, mode_t mode)
{
	CLEANUP(fd)
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(ERR_IO, errno, "write '%s'", path);
	TRY(write_all(fd, bytes, path));
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return err_sys(ERR_IO, errno, "write '%s'", path);
	if (rename(beside, path) < 0)
		return err_sys(ERR_IO, errno, "write '%s'", path);
	return NULL;
}

struct err *file_write_atomic(const char *path, str bytes, mode_t mode)
{
	CLEANUP(buf) struct buf beside = BUF_INIT;
	struct err *e;
	uint64_t random;

	random_bytes(&random, sizeof(random));
	buf_printf(&beside, "%s.%016llx.new", path, (unsigned long long)random);
	e = write_beside(beside.p, path, bytes, mode);
	if (e) {
		unlink(beside.p);
		return e;
	}
	return sync_folder_of(path);
}

struct err *dir_make(const char *path, mode_t mode)
{
	CLEANUP(cstr) char *p = xstrndup(path, strlen(path));
	struct stat st;

	for (char *c = p; *c; c++) {
		if (*c != '/' || c == p)
			continue;
		*c = '\0';
		if (mkdir(p, mode) < 0 && errno != EEXIST)
			return err_sys(ERR_IO, errno, "make folder '%s'", p);
		*c = '/';
	}
	if (mkdir(p, mode) < 0 && errno != EEXIST)
		return err_sys(ERR_IO, errno, "make folder '%s'", path);
	if (stat(p, &st) < 0)
		return err_sys(ERR_IO, errno, "make folder '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_sys(ERR_IO, ENOTDIR, "make folder '%s'", path);
	return NULL;
}
