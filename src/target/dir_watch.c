/* inotify on the folder. Read by ourselves and not through libuv, which drops IN_Q_OVERFLOW without
 * a word: after it every file is looked at again.
 *
 * An event only says "look at this file": it is read when it was quiet for DIR_QUIET, and told when
 * its bytes are not those that we last saw or wrote. So our own writes are told by nobody, and an
 * editor that writes in steps is seen once. */
#include "dir_priv.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS                                                                                     \
	(IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |        \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)
#define PARENT_EVENTS                                                                              \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF |     \
	 IN_ONLYDIR | IN_EXCL_UNLINK)
#define SELF (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)
#define READS 16 /* buffers in one turn of the loop */

static void check_add(struct dir *d, struct dir_check *c)
{
	if (!d->checks)
		d->checks_end = &d->checks;
	*d->checks_end = c;
	d->checks_end = &c->next;
	dir_pump_soon(d);
}

static struct dir_check *check_new(str name, str group, str kind)
{
	struct dir_check *c = xcalloc(1, sizeof(*c) + name.n + 1);

	memcpy(c->name, name.p ? name.p : "", name.n);
	if (kind.n) {
		c->group = xstrndup(group.p ? group.p : "", group.n);
		c->kind = xstrndup(kind.p, kind.n);
	}
	return c;
}

static void check_free(struct dir_check *c)
{
	free(c->group);
	free(c->kind);
	free(c);
}

void dir_checks_drop(struct dir *d)
{
	while (d->checks) {
		struct dir_check *c = d->checks;

		d->checks = c->next;
		check_free(c);
	}
}

static bool is_kind(const struct dir_check *c, obj_id id)
{
	return !c->kind ||
	       (str_eq(id.kind, str_from(c->kind)) && str_eq(id.group, str_from(c->group)));
}

static void quiet(void *arg);

static void arm(struct dir *d, msec in)
{
	if (!d->quiet)
		d->quiet = timer_start(d->head.loop, in, quiet, d);
}

static void quiet(void *arg)
{
	struct dir *d = arg;
	msec now = clock_now(d->head.loop), next = 0;

	d->quiet = NULL;
	for (size_t i = 0; i < d->files.n; i++) {
		struct dir_file *f = &d->files.p[i];

		if (!f->dirty_last)
			continue;

		msec due = f->dirty_last + DIR_QUIET, most = f->dirty_first + DIR_QUIET_MOST;

		due = due < most ? due : most;
		if (due <= now) {
			f->dirty_last = 0;
			check_add(d, check_new(f->name, STR_NONE, STR_NONE));
		} else if (!next || due < next) {
			next = due;
		}
	}
	if (next)
		arm(d, next - now);
	if (d->checks && dir_missing(d).n)
		dir_lose(d, dir_missing(d));
}

static void on_name(struct dir *d, const char *name)
{
	struct dir_file *f = dir_file_of(d, str_from(name));
	msec now = clock_now(d->head.loop);

	if (!f)
		return;
	if (!f->dirty_last)
		f->dirty_first = now;
	f->dirty_last = now ? now : 1;
	arm(d, DIR_QUIET);
}

static void look(void *arg);

/* Something happened to the folder itself. */
static void on_folder(struct dir *d)
{
	if (!d->lost && dir_missing(d).n) {
		dir_lose(d, dir_missing(d));
	} else if (d->lost) {
		timer_stop(d->look);
		d->look = timer_start(d->head.loop, 0, look, d);
	}
}

/* The parent went from where it was: the next one there is another. */
static void on_parent(struct dir *d)
{
	inotify_rm_watch(d->inotify, d->parent_wd);
	d->parent_wd = -1;
	on_folder(d);
}

static str base_of(str path)
{
	return str_sub(path, str_rchr(path, '/') + 1, SIZE_MAX);
}

static void overflow(struct dir *d)
{
	on_folder(d);
	if (!d->lost && !d->closing)
		dir_list_all(d);
}

static void on_events(void *arg, int events)
{
	_Alignas(struct inotify_event) char b[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	struct dir *d = arg;

	(void)events;
	for (int reads = 0; reads < READS && !d->closing; reads++) {
		ssize_t got = read(d->inotify, b, sizeof(b));
		const struct inotify_event *e;

		if (got <= 0)
			return;
		for (char *p = b; p < b + got && !d->closing; p += sizeof(*e) + e->len) {
			e = (const struct inotify_event *)(void *)p;
			if (e->mask & IN_Q_OVERFLOW)
				overflow(d);
			else if (e->wd == d->parent_wd && (e->mask & SELF))
				on_parent(d);
			else if (e->wd == d->parent_wd && e->len &&
				 str_eq(str_from(e->name), base_of(d->path)))
				on_folder(d);
			else if (e->wd != d->wd || d->lost)
				continue; /* of others, or of a watch that we ended */
			else if (e->mask & SELF)
				dir_lose(d, dir_missing(d));
			else if (e->len && e->name[0] != '.')
				on_name(d, e->name);
		}
	}
}

struct err *dir_watch_start(struct dir *d)
{
	if (d->wd >= 0)
		return NULL;
	if (d->inotify < 0) {
		d->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (d->inotify < 0)
			return err_hint(
				err_sys(ERR_IO, errno, "watch '" STR_FMT "'", STR_ARG(d->path)),
				"raise fs.inotify.max_user_instances");
		d->inotify_io = loop_fd(d->head.loop, d->inotify, LOOP_READ, on_events, d);
	}
	if (d->parent_wd < 0) {
		size_t slash = str_rchr(d->path, '/');
		CLEANUP(cstr) char *parent = xstrndup(d->path.p, slash ? slash : 1);

		/* One that may not be watched costs the second in which we look anyway. */
		d->parent_wd = inotify_add_watch(d->inotify, parent, PARENT_EVENTS);
	}
	d->wd = inotify_add_watch(d->inotify, d->path.p, EVENTS);
	if (d->wd < 0)
		return err_hint(err_sys(ERR_IO, errno, "watch '" STR_FMT "'", STR_ARG(d->path)),
				"raise fs.inotify.max_user_watches");
	return NULL;
}

void dir_watch_stop(struct dir *d)
{
	loop_fd_stop(d->inotify_io);
	d->inotify_io = NULL;
	fd_cleanup(&d->inotify);
	d->inotify = d->wd = d->parent_wd = -1;
	timer_stop(d->quiet);
	timer_stop(d->look);
	d->quiet = d->look = NULL;
}

/* ------------------------------------------------------------------ the folder goes and comes */

/* A folder that was removed is made again, as an object that was: its parent must be there. */
static void look(void *arg)
{
	struct dir *d = arg;
	CLEANUP(err) struct err *e = dir_open_folders(d);

	d->look = NULL;
	if (e)
		d->look = timer_start(d->head.loop, DIR_LOOK_AGAIN, look, d);
	else
		dir_found(d);
}

void dir_lose(struct dir *d, str why)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (d->lost || d->busy) /* a batch that ends looks for itself */
		return;
	d->lost = true;
	d->why = why.n ? why : STR("is gone");
	if (d->wd >= 0)
		inotify_rm_watch(d->inotify, d->wd);
	d->wd = -1;
	dir_close_folders(d);
	dir_checks_drop(d);
	for (size_t i = 0; i < d->files.n; i++)
		d->files.p[i].dirty_last = 0; /* everything is listed when it is there again */
	buf_printf(&b, "'" STR_FMT "' " STR_FMT, STR_ARG(d->path), STR_ARG(d->why));
	if (!d->look)
		d->look = timer_start(d->head.loop, DIR_LOOK_AGAIN, look, d);

	struct target_event e = {.kind = TARGET_LOST, .why = buf_view(&b)};

	d->running++;
	target_tell(&d->head, &e);
	d->running--;
}

void dir_found(struct dir *d)
{
	struct target_event e = {.kind = TARGET_FOUND};

	timer_stop(d->look);
	d->look = NULL;
	if (!d->lost)
		return;
	d->lost = false;
	if (d->kinds_n) {
		CLEANUP(err) struct err *failed = dir_watch_start(d);

		if (failed) {
			d->lost = true;
			dir_close_folders(d);
			d->look = timer_start(d->head.loop, DIR_LOOK_AGAIN, look, d);
			return;
		}
	}
	d->running++;
	target_tell(&d->head, &e);
	d->running--;
	if (!d->closing)
		dir_list_all(d);
}

/* ------------------------------------------------------------------ looking */

void dir_list(struct dir *d, str group, str kind)
{
	struct dir_check *begins = check_new(STR_NONE, group, kind);
	struct dir_check *ends = check_new(STR_NONE, group, kind);

	begins->begins = ends->ends = true;
	check_add(d, begins);
	for (size_t i = 0; i < d->files.n; i++) {
		const struct dir_file *f = &d->files.p[i];

		for (size_t j = 0; j < f->n; j++) {
			if (!is_kind(ends, f->p[j].id))
				continue;

			struct dir_check *c = check_new(f->name, group, kind);

			c->always = true;
			check_add(d, c);
			break;
		}
	}
	check_add(d, ends);
}

void dir_list_all(struct dir *d)
{
	for (size_t i = 0; i < d->kinds_n; i++)
		dir_list(d, str_from(d->kinds[i].group), str_from(d->kinds[i].kind));
}

static void tell_object(struct arena *a, struct dir *d, const struct dir_work *w,
			const struct dir_owned *o)
{
	size_t at = dir_work_find(w, o->id);
	const struct node *root = at == SIZE_MAX ? NULL : w->docs.p[at];
	const struct inv_entry *entry = inventory_get(&o->app->inv, o->id);
	struct target_event e = {.kind = root ? TARGET_SEEN : TARGET_GONE, .why = w->broken};
	str group;
	bool left_over;

	e.live.id = o->id;
	e.live.root = root;
	e.live.applied = dir_last_reveal(
		a, d, o->id, dir_last_read(a, d, str_from(o->app->name), o->id, &left_over), root,
		false);
	e.live.version = entry ? entry->version : STR_NONE;
	e.live.uid = STR("");
	if (root)
		obj_api_version(node_get_text(root, STR("apiVersion")), &group, &e.live.version);
	target_tell(&d->head, &e);
}

static void look_at(struct dir *d, const struct dir_check *c)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct dir_file *f = dir_file_of(d, str_from(c->name));
	struct dir_work w;
	struct hash h = {{0}};

	if (!f)
		return;
	dir_work_read(a, d, f->name, &w);

	bool there = w.was.found != DIR_ABSENT;

	/* One that cannot be read has no bytes, but it has a reason. */
	if (there)
		h = hash_blake2b(NULL, STR("leeboard/file/1"),
				 w.was.found == DIR_READ ? w.was.bytes : w.was.why);
	if (!c->always && f->known && f->there == there && (!there || hash_eq(&f->hash, &h)))
		return;
	f->known = true;
	f->there = there;
	f->hash = h;
	for (size_t i = 0; i < f->n && !d->closing; i++)
		if (is_kind(c, f->p[i].id))
			tell_object(a, d, &w, &f->p[i]);
}

bool dir_checks(struct dir *d)
{
	for (unsigned i = 0; i < DIR_SLICE && d->checks && !d->closing; i++) {
		struct dir_check *c = d->checks;

		d->checks = c->next;
		if (c->begins || c->ends) {
			struct target_event e = {.kind = c->begins ? TARGET_LISTING
								   : TARGET_LISTED};

			e.live.id =
				(obj_id){str_from(c->group), str_from(c->kind), STR(""), STR("")};
			target_tell(&d->head, &e);
		} else {
			look_at(d, c);
		}
		check_free(c);
	}
	return d->checks != NULL;
}
