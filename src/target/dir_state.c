/* The state folder: who holds it, who we are, what each App owns. */
#include "dir_priv.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* ------------------------------------------------------------------ Apps */

struct dir_app *dir_app_of(struct dir *d, str name)
{
	for (size_t i = 0; i < d->apps_n; i++)
		if (str_eq(str_from(d->apps[i]->name), name))
			return d->apps[i];
	return NULL;
}

struct dir_app *dir_app_make(struct dir *d, str name)
{
	struct dir_app *a = dir_app_of(d, name);

	if (a)
		return a;
	a = xcalloc(1, sizeof(*a));
	a->name = xstrndup(name.p, name.n);
	a->arena = arena_new();
	d->apps = xrealloc(d->apps, (d->apps_n + 1) * sizeof(*d->apps));
	d->apps[d->apps_n++] = a;
	return a;
}

static void app_free(struct dir_app *a)
{
	arena_free(a->arena);
	err_free(a->bad);
	free(a->record);
	free(a->seen_holder);
	free(a->name);
	free(a);
}

void dir_app_drop(struct dir *d, struct dir_app *a)
{
	for (size_t i = 0; i < d->apps_n; i++) {
		if (d->apps[i] != a)
			continue;
		app_free(a);
		d->apps[i] = d->apps[--d->apps_n];
		return;
	}
}

void dir_apps_free(struct dir *d)
{
	for (size_t i = 0; i < d->apps_n; i++)
		app_free(d->apps[i]);
	free(d->apps);
	d->apps = NULL;
	d->apps_n = 0;
	if (d->files.arena)
		arena_free(d->files.arena);
	d->files = (struct dir_files){0};
}

struct dir_app *dir_other_owner(const struct dir *d, str app, obj_id id)
{
	for (size_t i = 0; i < d->apps_n; i++)
		if (!str_eq(str_from(d->apps[i]->name), app) && inventory_get(&d->apps[i]->inv, id))
			return d->apps[i];
	return NULL;
}

/* ------------------------------------------------------------------ files by name */

static uint32_t *file_slot(const struct dir_files *f, str name)
{
	size_t i = str_hash(name) & (f->index_cap - 1);

	while (f->index[i] && !str_eq(f->p[f->index[i] - 1].name, name))
		i = (i + 1) & (f->index_cap - 1);
	return &f->index[i];
}

struct dir_file *dir_file_of(const struct dir *d, str name)
{
	uint32_t at = d->files.index_cap ? *file_slot(&d->files, name) : 0;

	return at ? &d->files.p[at - 1] : NULL;
}

static struct dir_file *file_make(struct dir_files *f, str name)
{
	if ((f->n + 1) * 2 > f->index_cap) {
		f->index_cap = f->index_cap ? f->index_cap * 2 : 64;
		f->index = ARENA_ARRAY(f->arena, uint32_t, f->index_cap);
		for (size_t i = 0; i < f->n; i++)
			*file_slot(f, f->p[i].name) = (uint32_t)(i + 1);
	}

	uint32_t *at = file_slot(f, name);

	if (!*at) {
		*ARENA_PUSH(f->arena, f) = (struct dir_file){.name = name};
		*at = (uint32_t)f->n;
	}
	return &f->p[*at - 1];
}

void dir_files_build(struct dir *d)
{
	struct dir_files now = {.arena = arena_new()};

	for (size_t i = 0; i < d->apps_n; i++) {
		struct dir_app *app = d->apps[i];

		for (size_t j = 0; j < app->inv.n; j++) {
			obj_id id = app->inv.p[j].id;
			str name = dir_name(now.arena, &d->where, str_from(app->name), id);
			struct dir_file *f = file_make(&now, name);
			struct dir_file *was = f->n ? NULL : dir_file_of(d, name);

			if (was) {
				f->known = was->known;
				f->there = was->there;
				f->hash = was->hash;
				f->dirty_first = was->dirty_first;
				f->dirty_last = was->dirty_last;
			}
			*ARENA_PUSH(now.arena, f) = (struct dir_owned){id, app};
		}
	}
	if (d->files.arena)
		arena_free(d->files.arena);
	d->files = now;
}

/* ------------------------------------------------------------------ records */

void dir_record_print(const struct target_record *r, struct buf *b)
{
	buf_str(b, STR("{\"v\":1,\"app\":"));
	buf_json(b, r->app);
	buf_str(b, STR(",\"source\":"));
	buf_json(b, r->source);
	buf_str(b, STR(",\"ref\":"));
	buf_json(b, r->ref);
	buf_str(b, STR(",\"accepted\":{\"oid\":"));
	buf_json(b, r->accepted);
	buf_printf(b, ",\"generation\":%llu,\"policy\":", (unsigned long long)r->generation);
	buf_json(b, r->policy);
	buf_str(b, STR("},\"applied\":{\"oid\":"));
	buf_json(b, r->applied);
	buf_printf(b, ",\"time\":%lld},\"healthy\":{\"oid\":", (long long)r->applied_at);
	buf_json(b, r->healthy);
	buf_printf(b, ",\"time\":%lld},\"holder\":", (long long)r->healthy_at);
	buf_json(b, r->holder);
	buf_str(b, STR("}\n"));
}

static msec time_of(const struct node *n)
{
	int64_t t = 0;

	return node_i64(node_get(n, STR("time")), &t) ? t : 0;
}

struct err *dir_record_read(struct arena *a, const struct text *in, struct target_record *ret)
{
	const struct node *n, *v;
	int64_t version = 0, generation = 0;

	TRY(node_read_json(a, in, &n));
	v = node_get(n, STR("v"));
	if (!v || !node_i64(v, &version) || version != 1)
		return err_at(ERR_INVALID, v ? v->at : n->at,
			      "not a record of this version of leeboard");

	const struct node *accepted = node_get(n, STR("accepted"));
	const struct node *applied = node_get(n, STR("applied"));
	const struct node *healthy = node_get(n, STR("healthy"));

	v = node_get(accepted, STR("generation"));
	if (v && (!node_i64(v, &generation) || generation < 0))
		return err_at(ERR_INVALID, v->at, "'accepted.generation' is no number");
	*ret = (struct target_record){
		.app = node_get_text(n, STR("app")),
		.source = node_get_text(n, STR("source")),
		.ref = node_get_text(n, STR("ref")),
		.accepted = node_get_text(accepted, STR("oid")),
		.generation = (uint64_t)generation,
		.policy = node_get_text(accepted, STR("policy")),
		.applied = node_get_text(applied, STR("oid")),
		.applied_at = time_of(applied),
		.healthy = node_get_text(healthy, STR("oid")),
		.healthy_at = time_of(healthy),
		.holder = node_get_text(n, STR("holder")),
	};
	return NULL;
}

/* ------------------------------------------------------------------ opening */

static struct err *put_file(const struct dir *d, const char *name, str bytes)
{
	CLEANUP(buf) struct buf path = BUF_INIT;

	buf_printf(&path, STR_FMT "/%s", STR_ARG(d->state), name);
	return file_write_atomic(path.p, bytes, 0600);
}

static struct err *not_ours(const struct dir *d, str instance, str pid)
{
	if (str_eq(instance, d->instance) && pid.n)
		return err_new(ERR_CONFLICT,
			       "'" STR_FMT "' is held by process " STR_FMT
			       " of this instance, '" STR_FMT "'",
			       STR_ARG(d->path), STR_ARG(pid), STR_ARG(instance));
	return err_hint(
		err_new(ERR_CONFLICT,
			"'" STR_FMT "' belongs to instance '" STR_FMT "', this is '" STR_FMT "'",
			STR_ARG(d->path), STR_ARG(instance), STR_ARG(d->instance)),
		"give this one a folder of its own, or, when that one is no more: rm " STR_FMT
		"/.lock",
		STR_ARG(d->state));
}

/* "instance\tholder\tpid\n", in a file that stays and is locked while a process has it. */
static struct err *take_lock(struct dir *d)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf line = BUF_INIT;
	CLEANUP(fd)
	int fd = openat(d->state_fd, ".lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct dir_bytes was;
	str instance, holder, pid;

	if (fd < 0)
		return err_sys(ERR_IO, errno, "lock '" STR_FMT "/.lock'", STR_ARG(d->state));

	bool held = fcntl(fd, F_OFD_SETLK, &all) < 0;

	if (held && errno != EAGAIN && errno != EACCES)
		return err_sys(ERR_IO, errno, "lock '" STR_FMT "/.lock'", STR_ARG(d->state));
	dir_read(a, d->state_fd, STR(".lock"), 4096, &was);

	str rest = was.found == DIR_READ ? str_trim(was.bytes) : STR_NONE;

	instance = holder = pid = STR_NONE;
	if (str_split(&rest, '\t', &instance) && str_split(&rest, '\t', &holder))
		pid = rest;
	if (held) {
		uint64_t n;

		if (str_eq(instance, d->instance) && str_to_u64(pid, &n) && n == (uint64_t)getpid())
			return err_new(
				ERR_CONFLICT,
				"two Apps use '" STR_FMT
				"' with another 'layout', 'fileName' or 'state': give them the "
				"same, or folders of their own",
				STR_ARG(d->path));
		return not_ours(d, instance, pid);
	}
	if (instance.n && !str_eq(instance, d->instance))
		return not_ours(d, instance, STR_NONE);
	buf_printf(&line, STR_FMT "\t" STR_FMT "\t%ld\n", STR_ARG(d->instance), STR_ARG(d->holder),
		   (long)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, line.p, line.n, 0) != (ssize_t)line.n ||
	    fsync(fd) < 0)
		return err_sys(ERR_IO, errno, "write '" STR_FMT "/.lock'", STR_ARG(d->state));
	d->lock_fd = fd;
	fd = -1; /* NOLINT(clang-analyzer-deadcode.DeadStores): CLEANUP reads it */
	return NULL;
}

/* A random one is made once; `mine`: what it was before the state folder went. */
static struct err *keep(struct dir *d, const char *name, size_t hex, str mine, struct arena *a,
			str *ret)
{
	struct dir_bytes was;
	CLEANUP(buf) struct buf b = BUF_INIT;

	dir_read(a, d->state_fd, str_from(name), 4096, &was);
	if (was.found == DIR_ODD)
		return err_new(ERR_IO, "read '" STR_FMT "/%s': " STR_FMT, STR_ARG(d->state), name,
			       STR_ARG(was.why));
	if (was.found == DIR_READ) {
		*ret = str_trim(was.bytes);
		if (ret->n == hex)
			return NULL;
		return err_new(ERR_INVALID,
			       "'" STR_FMT "/%s' is damaged: it has %zu digits, not %zu",
			       STR_ARG(d->state), name, ret->n, hex);
	}
	if (mine.n) {
		buf_str(&b, mine);
	} else {
		uint8_t random[32];

		random_bytes(random, sizeof(random));
		buf_hex(&b, random, hex / 2);
		mem_wipe(random, sizeof(random));
	}
	*ret = arena_str(a, buf_view(&b));
	buf_char(&b, '\n');
	TRY(put_file(d, name, buf_view(&b)));
	mem_wipe(b.p, b.n);
	return NULL;
}

/* What was left beside by one that was killed while it wrote. */
static void sweep(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		fd_cleanup(&fd);
		return;
	}
	for (struct dirent *e; (e = readdir(dir));) {
		str name = str_from(e->d_name);

		/* ".<file>.<16 digits>.new" */
		if (name.n > 23 && name.p[0] == '.' && str_ends(name, STR(".new")) &&
		    name.p[name.n - 21] == '.')
			unlinkat(folder, e->d_name, 0);
	}
	closedir(dir);
}

void dir_clear(int fd, str folder)
{
	CLEANUP(cstr) char *path = xstrndup(folder.p, folder.n);
	int in = openat(fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = in < 0 ? NULL : fdopendir(in);

	if (!dir) {
		fd_cleanup(&in);
		return;
	}
	for (struct dirent *e; (e = readdir(dir));)
		unlinkat(in, e->d_name, 0);
	closedir(dir);
}

static void load_app(struct dir *d, str folder)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	struct dir_bytes record = {.found = DIR_ABSENT}, inventory = record;
	str name;

	dir_read(scratch, d->state_fd, arena_printf(scratch, STR_FMT "/record", STR_ARG(folder)),
		 DIR_MAX_STATE, &record);
	dir_read(scratch, d->state_fd,
		 arena_printf(scratch, STR_FMT "/inventory.tsv", STR_ARG(folder)), DIR_MAX_STATE,
		 &inventory);
	if (record.found == DIR_ABSENT && inventory.found == DIR_ABSENT)
		return;

	CLEANUP(buf) struct buf b = BUF_INIT;

	/* A "/" of a name is a "." in the folder's, and no label has one. */
	buf_str(&b, folder);
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] == '.')
			b.p[i] = '/';
	name = buf_view(&b);

	struct dir_app *app = dir_app_make(d, name);
	struct err *e = NULL;

	err_free(app->bad);
	app->bad = NULL;
	free(app->record);
	app->record = NULL;
	free(app->seen_holder);
	app->seen_holder = NULL;
	if (record.found == DIR_ODD || inventory.found == DIR_ODD) {
		e = err_new(ERR_IO, "read '" STR_FMT "/" STR_FMT "': " STR_FMT, STR_ARG(d->state),
			    STR_ARG(folder),
			    STR_ARG(record.found == DIR_ODD ? record.why : inventory.why));
	}
	if (!e && record.found == DIR_READ) {
		struct text t = {arena_printf(scratch, STR_FMT "/" STR_FMT "/record",
					      STR_ARG(d->state), STR_ARG(folder)),
				 record.bytes};
		struct target_record r = {.holder = STR_NONE};

		e = dir_record_read(scratch, &t, &r);
		if (!e) {
			app->record = xstrndup(record.bytes.p, record.bytes.n);
			app->seen_holder = xstrndup(r.holder.p ? r.holder.p : "", r.holder.n);
		}
	}

	struct arena *fresh = arena_new();
	struct inventory inv = {NULL, 0, 0};

	if (!e && inventory.found == DIR_READ) {
		struct text t = {arena_printf(scratch, STR_FMT "/" STR_FMT "/inventory.tsv",
					      STR_ARG(d->state), STR_ARG(folder)),
				 inventory.bytes};

		e = inventory_parse(fresh, &t, &inv);
	}
	arena_free(app->arena);
	app->arena = fresh;
	app->inv = inv;
	app->bad = e;
}

static struct err *load_apps(struct dir *d)
{
	int fd = openat(d->state_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		fd_cleanup(&fd);
		return err_sys(ERR_IO, errno, "read '" STR_FMT "'", STR_ARG(d->state));
	}
	for (struct dirent *e; (e = readdir(dir));)
		if (e->d_name[0] != '.')
			load_app(d, str_from(e->d_name));
	closedir(dir);
	return NULL;
}

/* The state folder went with the folder while we watched: what we know goes back into it. */
static struct err *restore_apps(struct dir *d)
{
	CLEANUP(arena) struct arena *a = arena_new();

	for (size_t i = 0; i < d->apps_n; i++) {
		struct dir_app *app = d->apps[i];
		str folder = dir_app_folder(a, str_from(app->name));
		CLEANUP(buf) struct buf b = BUF_INIT;

		if (app->bad)
			continue;
		if (mkdirat(d->state_fd, folder.p, 0700) < 0 && errno != EEXIST)
			return err_sys(ERR_IO, errno, "make folder '" STR_FMT "/" STR_FMT "'",
				       STR_ARG(d->state), STR_ARG(folder));
		inventory_print(&app->inv, &b);
		TRY(put_file(d, arena_printf(a, STR_FMT "/inventory.tsv", STR_ARG(folder)).p,
			     buf_view(&b)));
		if (app->record)
			TRY(put_file(d, arena_printf(a, STR_FMT "/record", STR_ARG(folder)).p,
				     str_from(app->record)));
	}
	return NULL;
}

static bool leads_to(str path, int folder)
{
	struct stat there, open;

	return folder >= 0 && stat(path.p, &there) == 0 && fstat(folder, &open) == 0 &&
	       there.st_dev == open.st_dev && there.st_ino == open.st_ino;
}

str dir_missing(const struct dir *d)
{
	if (!leads_to(d->path, d->fd))
		return STR("is gone");
	return leads_to(d->state, d->state_fd) ? STR_NONE : STR("has lost its state folder");
}

void dir_close_folders(struct dir *d)
{
	fd_cleanup(&d->lock_fd);
	fd_cleanup(&d->state_fd);
	fd_cleanup(&d->fd);
	d->lock_fd = d->state_fd = d->fd = -1;
	d->ready = false;
}

static struct err *gone(const struct dir *d, int errnum)
{
	return err_sys(ERR_TARGET_UNREACHABLE, errnum, "open '" STR_FMT "'", STR_ARG(d->path));
}

static bool is_empty(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool empty = true;

	if (!dir) {
		fd_cleanup(&fd);
		return false;
	}
	for (struct dirent *e; empty && (e = readdir(dir));)
		empty = str_eq(str_from(e->d_name), STR(".")) ||
			str_eq(str_from(e->d_name), STR(".."));
	closedir(dir);
	return empty;
}

/* The folder below a mount point whose disk went: everything seems to be gone, and nothing is. */
static bool is_unmounted(const struct dir *d, dev_t now)
{
	if (!d->head.uid.n || now == d->dev)
		return false;
	return d->state_inside ? faccessat(d->fd, ".leeboard/.uid", F_OK, AT_SYMLINK_NOFOLLOW) < 0
			       : is_empty(d->fd);
}

static struct err *open_all(struct dir *d)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct stat here, there;
	str uid = STR_NONE, key = STR_NONE;

	/* Not its parents: a disk that is not mounted looks like a folder that is missing. */
	if (mkdir(d->path.p, 0755) < 0 && errno != EEXIST)
		return gone(d, errno);
	d->fd = open(d->path.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0)
		return gone(d, errno);
	if (fstat(d->fd, &here) < 0)
		return gone(d, errno);
	if (is_unmounted(d, here.st_dev))
		return err_new(ERR_TARGET_UNREACHABLE,
			       "'" STR_FMT
			       "' is on another file system than before: is its disk not "
			       "mounted?",
			       STR_ARG(d->path));
	if (d->state_inside) {
		if (mkdirat(d->fd, ".leeboard", 0700) < 0 && errno != EEXIST)
			return err_sys(ERR_IO, errno, "make folder '" STR_FMT "'",
				       STR_ARG(d->state));
		d->state_fd =
			openat(d->fd, ".leeboard", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	} else {
		TRY(dir_make(d->state.p, 0700));
		d->state_fd = open(d->state.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (d->state_fd < 0 || fstat(d->state_fd, &there) < 0)
		return err_sys(ERR_IO, errno, "open '" STR_FMT "'", STR_ARG(d->state));
	if (d->state_given && here.st_dev != there.st_dev)
		return err_at(ERR_INVALID, d->where.at,
			      "'target.state' must be on the same file system as '" STR_FMT "'",
			      STR_ARG(d->path));
	TRY(take_lock(d));

	bool again = d->head.uid.n > 0;
	bool fresh = faccessat(d->state_fd, ".uid", F_OK, AT_SYMLINK_NOFOLLOW) < 0;
	CLEANUP(buf) struct buf mine = BUF_INIT;

	if (again)
		buf_hex(&mine, d->key, sizeof(d->key));
	TRY(keep(d, ".uid", 32, d->head.uid, a, &uid));
	TRY(keep(d, ".key", 64, buf_view(&mine), a, &key));
	if (!hex_decode(key, d->key, sizeof(d->key)))
		return err_new(ERR_INVALID, "'" STR_FMT "/.key' is damaged", STR_ARG(d->state));
	if (!str_eq(uid, d->head.uid))
		d->head.uid = arena_str(d->arena, uid);
	sweep(d->fd);
	if (again && fresh) {
		TRY(restore_apps(d));
	} else {
		dir_apps_free(d);
		TRY(load_apps(d));
	}
	d->dev = here.st_dev;
	dir_files_build(d);
	return NULL;
}

struct err *dir_open_folders(struct dir *d)
{
	if (d->ready && !dir_missing(d).n)
		return NULL;
	dir_close_folders(d);

	struct err *e = open_all(d);

	if (e)
		dir_close_folders(d);
	d->ready = !e;
	return e;
}
