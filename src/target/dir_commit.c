/* A batch of writes: everything is written beside, then synced, then renamed. In the pool: touches
 * nothing but the batch. dir_priv.h says why in this order. */
#include "dir_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct dir_put *dir_put_add(struct dir_batch *b, enum dir_stage stage, bool state, str name)
{
	struct dir_put *p = ARENA_PUSH(b->arena, b);

	*p = (struct dir_put){
		.stage = stage, .state = state, .name = arena_str(b->arena, name), .mode = 0600};
	return p;
}

static void step(const struct dir_batch *b, const char *what)
{
	if (b->dir->step)
		b->dir->step(b->dir->step_arg, what);
}

static int folder_of(const struct dir_batch *b, const struct dir_put *p)
{
	return p->state ? b->dir->state_fd : b->dir->fd;
}

static struct err **err_of(struct dir_put *p)
{
	return p->work ? &p->work->err : &p->call->err;
}

static bool is_dead(struct dir_put *p)
{
	return p->skip || *err_of(p) || (p->work && p->work->raced) ||
	       (p->call &&
		(p->call->err || (p->call->work && (p->call->work->err || p->call->work->raced))));
}

static void fail(const struct dir_batch *b, struct dir_put *p, const char *doing)
{
	struct err **e = err_of(p);

	if (!*e)
		*e = err_sys(ERR_IO, errno, "%s '" STR_FMT "/" STR_FMT "'", doing,
			     STR_ARG(p->state ? b->dir->state : b->dir->path), STR_ARG(p->name));
	p->skip = true;
	/* The file would be written without its journal; others that share it try again. */
	if (p->call && p->call->work)
		p->call->work->raced = true;
}

/* The folders above a file of the state: <app> and <app>/last. */
static int make_above(int fd, str name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] != '/')
			continue;

		CLEANUP(cstr) char *above = xstrndup(name.p, i);

		if (mkdirat(fd, above, 0700) < 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}

static str beside(struct arena *a, str name)
{
	size_t slash = str_rchr(name, '/');
	str folder = slash == SIZE_MAX ? STR_NONE : str_sub(name, 0, slash + 1);
	uint64_t random;

	random_bytes(&random, sizeof(random));
	return arena_printf(a, STR_FMT "." STR_FMT ".%016llx.new", STR_ARG(folder),
			    STR_ARG(str_sub(name, folder.n, SIZE_MAX)), (unsigned long long)random);
}

static bool write_all(int fd, str bytes)
{
	while (bytes.n) {
		ssize_t put = write(fd, bytes.p, bytes.n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		bytes = str_sub(bytes, (size_t)put, SIZE_MAX);
	}
	return true;
}

static void write_beside(struct dir_batch *b, struct dir_put *p, bool sync)
{
	int folder = folder_of(b, p);

	if (p->state && make_above(folder, p->name) < 0) {
		fail(b, p, "make the folder of");
		return;
	}
	p->tmp = beside(b->arena, p->name);

	CLEANUP(fd)
	int fd = openat(folder, p->tmp.p, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);

	if (fd < 0) {
		p->tmp = STR_NONE;
		fail(b, p, "write");
		return;
	}
	if (p->work && p->work->was.found == DIR_READ) {
		const struct stat *was = &p->work->was.st;

		/* Its owner too, where we may. */
		if (fchown(fd, was->st_uid, was->st_gid) < 0)
			(void)errno;
	}
	if (!write_all(fd, p->bytes) || fchmod(fd, p->mode) < 0 || (sync && fsync(fd) < 0))
		fail(b, p, "write");
}

/* Is the file what the merge was made from? */
static bool is_as_read(struct dir_batch *b, const struct dir_put *p)
{
	const struct dir_bytes *was = &p->work->was;
	struct stat now;

	if (fstatat(b->dir->fd, p->name.p, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && was->found == DIR_ABSENT;
	if (was->found == DIR_ODD)
		return true; /* never read; what stands there is not to stay */
	return was->found == DIR_READ && now.st_dev == was->st.st_dev &&
	       now.st_ino == was->st.st_ino && now.st_size == was->st.st_size &&
	       now.st_mtim.tv_sec == was->st.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == was->st.st_mtim.tv_nsec;
}

static void put_one(struct dir_batch *b, struct dir_put *p)
{
	int folder = folder_of(b, p);

	if (p->work && !is_as_read(b, p)) {
		p->work->raced = true;
		return;
	}
	if (p->drop) {
		if (unlinkat(folder, p->name.p, 0) < 0 && errno != ENOENT)
			fail(b, p, "remove");
	} else if (p->from.n) {
		if (renameat(folder, p->from.p, folder, p->name.p) < 0)
			fail(b, p, "rename");
	} else if (renameat(folder, p->tmp.p, folder, p->name.p) < 0) {
		fail(b, p, "write");
	} else {
		p->tmp = STR_NONE;
	}
}

/* The names that were made or removed in this stage, durable. Several puts to one folder follow one
 * another or are few, so it is enough to know the last one's. */
static void sync_folders(struct dir_batch *b, enum dir_stage stage)
{
	str last = STR_NONE;
	bool files = false;

	for (size_t i = 0; i < b->n; i++) {
		struct dir_put *p = &b->p[i];
		size_t slash = str_rchr(p->name, '/');

		if (p->stage != stage || is_dead(p))
			continue;
		if (!p->state) {
			files = true;
			continue;
		}

		str above = slash == SIZE_MAX ? STR(".") : str_sub(p->name, 0, slash);

		if (str_eq(above, last))
			continue;
		last = above;

		CLEANUP(cstr) char *path = xstrndup(above.p, above.n);
		CLEANUP(fd)
		int fd = openat(b->dir->state_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0 && errno == ENOENT && p->drop)
			continue;
		if (fd < 0 || fsync(fd) < 0)
			fail(b, p, "sync the folder of");
	}
	if (!files || fsync(b->dir->fd) == 0)
		return;
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i].stage == stage && !b->p[i].state && !is_dead(&b->p[i]))
			fail(b, &b->p[i], "sync the folder of");
}

static void sync_all(struct dir_batch *b)
{
	int e = 0;

	/* One flush of a file system is cheaper than hundreds of files one after another. */
	if (syncfs(b->dir->fd) < 0 || syncfs(b->dir->state_fd) < 0)
		e = errno;
	for (size_t i = 0; e && i < b->n; i++) {
		errno = e;
		if (!is_dead(&b->p[i]))
			fail(b, &b->p[i], "sync");
	}
}

static const char *const words[] = {"journal", "content", "after"};

void dir_commit(struct dir_batch *b)
{
	size_t writes = 0;

	for (size_t i = 0; i < b->n; i++)
		writes += !b->p[i].drop && !b->p[i].from.n;
	for (size_t i = 0; i < b->n; i++) {
		struct dir_put *p = &b->p[i];

		if (p->drop || p->from.n || is_dead(p))
			continue;
		step(b, "write");
		write_beside(b, p, writes <= DIR_FEW);
	}
	if (writes > DIR_FEW) {
		step(b, "sync");
		sync_all(b);
	}
	for (int s = DIR_JOURNAL; s <= DIR_AFTER; s++) {
		bool any = false;

		for (size_t i = 0; i < b->n; i++) {
			struct dir_put *p = &b->p[i];

			if ((int)p->stage != s || is_dead(p))
				continue;
			step(b, words[s]);
			put_one(b, p);
			any = true;
		}
		if (any) {
			step(b, "sync folders");
			sync_folders(b, (enum dir_stage)s);
		}
	}
	step(b, "done");
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i].tmp.n)
			unlinkat(folder_of(b, &b->p[i]), b->p[i].tmp.p, 0);
}
