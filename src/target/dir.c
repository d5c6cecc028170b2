/* A directory of manifests as a target: calls are answered one after another, from the loop; writes
 * are gathered into batches that the pool makes durable. */
#include "dir_priv.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* ------------------------------------------------------------------ the queue */

static void pump(void *arg);

void dir_pump_soon(struct dir *d)
{
	if (!d->pump && !d->busy && !d->closing)
		d->pump = timer_start(d->head.loop, 0, pump, d);
}

static struct dir_call *call_new(struct target *t, enum dir_op op, void *arg,
				 struct target_call **ret)
{
	struct dir *d = (struct dir *)t;
	struct dir_call *c = xcalloc(1, sizeof(*c));

	c->head.target = t;
	c->op = op;
	c->arg = arg;
	c->arena = arena_new();
	c->prev = d->last;
	*(d->last ? &d->last->next : &d->first) = c;
	d->last = c;
	if (ret)
		*ret = &c->head;
	dir_pump_soon(d);
	return c;
}

static void call_unlink(struct dir *d, struct dir_call *c)
{
	*(c->prev ? &c->prev->next : &d->first) = c->next;
	*(c->next ? &c->next->prev : &d->last) = c->prev;
	c->prev = c->next = NULL;
}

static void call_first(struct dir *d, struct dir_call *c)
{
	c->prev = NULL;
	c->next = d->first;
	*(d->first ? &d->first->prev : &d->last) = c;
	d->first = c;
}

static void call_free(struct dir_call *c)
{
	err_free(c->err);
	err_free(c->errors);
	arena_free(c->arena);
	if (c->kept)
		arena_free(c->kept);
	free(c->text);
	free(c);
}

static void dir_cancel(struct target_call *head)
{
	struct dir_call *c = (struct dir_call *)head;
	struct dir *d = (struct dir *)head->target;

	if (c->in_batch) {
		c->cancelled = true;
		return;
	}
	call_unlink(d, c);
	call_free(c);
}

/* The callback, and the end of the call, which is in no list any more. */
static void finish(struct dir *d, struct dir_call *c)
{
	struct err *e = STEAL(c->err);

	d->head.last_request = clock_wall(d->head.loop);
	if (c->cancelled || d->closing) {
		err_free(e);
		call_free(c);
		return;
	}
	d->running++;
	switch (c->op) {
	case DIR_READY:
	case DIR_NOTHING:
	case DIR_REMOVE:
	case DIR_INVENTORY:
	case DIR_RECORD:
	case DIR_DROP:
		c->done(c->arg, e);
		break;
	case DIR_RECORDS:
		c->records(c->arg, c->told, c->n, e);
		break;
	case DIR_GET:
		c->get(c->arg, c->answers, e ? 0 : c->n, e ? e : STEAL(c->errors));
		break;
	case DIR_PREVIEW:
	case DIR_APPLY:
		c->apply(c->arg, c->outcome, e ? NULL : &c->live, e);
		break;
	}
	d->running--;
	call_free(c);
}

/* ------------------------------------------------------------------ questions */

static str version_of(const struct node *root, str otherwise)
{
	str group, version = otherwise;

	if (root)
		obj_api_version(node_get_text(root, STR("apiVersion")), &group, &version);
	return version;
}

/* One file at a time, so that thousands do not hold the loop. True: there is more. */
static bool get_some(struct dir *d, struct dir_call *c)
{
	struct dir_work w = {.name = STR_NONE};

	for (unsigned i = 0; i < DIR_SLICE && c->at < c->n; i++, c->at++) {
		const struct target_want_live *x = &c->ids[c->at];
		struct target_live *r = &c->answers[c->at];
		str name = dir_name(c->arena, &d->where, x->app, x->id);
		bool left_over;

		if (!str_eq(name, w.name))
			dir_work_read(c->arena, d, name, &w);

		size_t at = dir_work_find(&w, x->id);

		*r = (struct target_live){.id = x->id, .uid = STR("")};
		r->root = at == SIZE_MAX ? NULL : w.docs.p[at];
		r->version = version_of(r->root, x->version);
		r->applied = dir_last_reveal(c->arena, d, x->id,
					     dir_last_read(c->arena, d, x->app, x->id, &left_over),
					     r->root, false);
		if (w.was.found == DIR_ODD && w.was.unreadable) {
			r->failed = true;
			c->errors = err_join(
				c->errors,
				err_new(ERR_IO, "read '" STR_FMT "/" STR_FMT "': " STR_FMT,
					STR_ARG(d->path), STR_ARG(name), STR_ARG(w.was.why)));
		}
	}
	return c->at < c->n;
}

static void records_all(struct dir *d, struct dir_call *c)
{
	c->told = ARENA_ARRAY(c->arena, struct target_record, d->apps_n);
	for (size_t i = 0; i < d->apps_n; i++) {
		struct dir_app *app = d->apps[i];
		struct target_record r = {.app = STR_NONE};

		if (c->app.n && !str_eq(c->app, str_from(app->name)))
			continue;
		if (app->bad) {
			CLEANUP(buf) struct buf b = BUF_INIT;

			err_line_to(app->bad, &b);
			c->err = err_join(c->err, err_new(err_code(app->bad), "%s", b.p));
			continue;
		}
		if (app->record) {
			struct text *t = ARENA_NEW(c->arena, struct text);

			*t = (struct text){STR("record"),
					   arena_str(c->arena, str_from(app->record))};

			struct err *e = dir_record_read(c->arena, t, &r);

			if (e) {
				c->err = err_join(c->err, e);
				continue;
			}
		}
		r.app = str_from(app->name);
		r.inventory = &app->inv;
		c->told[c->n++] = r;
	}
}

/* ------------------------------------------------------------------ writes: what to put where */

static struct dir_work *work_of(struct dir_batch *b, str name)
{
	struct dir_work *w, **end = &b->works;

	for (; *end; end = &(*end)->next)
		if (str_eq((*end)->name, name))
			return *end;
	w = ARENA_NEW(b->arena, struct dir_work);
	dir_work_read(b->arena, b->dir, name, w);
	*end = w;
	return w;
}

static str json_text(struct arena *a, const struct node *n)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	node_json(n, NODE_JSON_COMPACT, &b);
	return arena_str(a, buf_view(&b));
}

static struct dir_put *put_state(struct dir_batch *b, struct dir_call *c, enum dir_stage stage,
				 str name)
{
	struct dir_put *p = dir_put_add(b, stage, true, name);

	p->call = c;
	return p;
}

/* Journal, then last-applied, as dir_priv.h says. */
static void put_last(struct dir_batch *b, struct dir_call *c, const struct node *last,
		     bool left_over, const struct node *desired, bool file_changes)
{
	struct arena *a = b->arena;
	obj_id id = c->what.id;
	struct object o = {.id = id, .root = desired};
	const struct node *mine = obj_redact(a, &o, b->dir->key);
	str path = dir_last_path(a, c->what.app, id, "last");
	str next = dir_last_path(a, c->what.app, id, "next");

	if (!left_over && last && node_equal_strict(last, mine))
		return;
	if (!file_changes) {
		put_state(b, c, DIR_CONTENT, path)->bytes = json_text(a, mine);
		if (left_over)
			put_state(b, c, DIR_AFTER, next)->drop = true;
		return;
	}
	if (left_over)
		put_state(b, c, DIR_JOURNAL, path)->bytes = json_text(a, last);
	put_state(b, c, DIR_JOURNAL, next)->bytes = json_text(a, mine);
	put_state(b, c, DIR_AFTER, path)->from = next;
}

static struct err *is_taken(const struct dir *d, const struct dir_work *w, struct arena *a,
			    obj_id id)
{
	const struct node *first = w->docs.n ? w->docs.p[0] : NULL;
	struct object o;

	if (first) {
		CLEANUP(err) struct err *e = obj_from_node(a, first, &o);

		if (!e && !obj_id_eq(o.id, id))
			return err_new(ERR_CONFLICT,
				       "two objects would be '" STR_FMT "': " STR_FMT
				       " is there, and it would be " STR_FMT " too",
				       STR_ARG(w->name), STR_ARG(obj_id_label(a, o.id)),
				       STR_ARG(obj_id_label(a, id)));
	}
	return err_new(ERR_CONFLICT,
		       "'" STR_FMT "/" STR_FMT "' is there already and is not ours%s" STR_FMT,
		       STR_ARG(d->path), STR_ARG(w->name), w->broken.n ? ": " : "",
		       STR_ARG(w->broken));
}

static void forget_last(struct dir_batch *b, struct dir_call *c, str app, obj_id id)
{
	put_state(b, c, DIR_AFTER, dir_last_path(b->arena, app, id, "last"))->drop = true;
	put_state(b, c, DIR_AFTER, dir_last_path(b->arena, app, id, "next"))->drop = true;
}

/* An object that comes from another App of this folder: what that one applied last, which is not
 * ours from here on. NULL: it comes from none. */
static const struct node *last_elsewhere(struct dir_batch *b, struct dir_call *c)
{
	struct dir *d = b->dir;
	bool left_over;

	for (size_t i = 0; i < d->apps_n; i++) {
		str app = str_from(d->apps[i]->name);
		const struct node *last =
			str_eq(app, c->what.app)
				? NULL
				: dir_last_read(b->arena, d, app, c->what.id, &left_over);

		if (!last)
			continue;
		if (!inventory_get(&d->apps[i]->inv, c->what.id))
			forget_last(b, c, app, c->what.id);
		return last;
	}
	return NULL;
}

/* The bytes of the files of the other Apps, where each App has its own. */
static void read_others(struct dir_batch *b, obj_id id)
{
	struct dir *d = b->dir;

	b->others_known = true;
	if (!str_contains(d->where.file_name, STR("{app}")))
		return;
	for (size_t i = 0; i < d->apps_n; i++) {
		struct dir_other *o = ARENA_PUSH(b->arena, &b->others);
		struct dir_bytes bytes;

		*o = (struct dir_other){.app = str_from(d->apps[i]->name)};
		if (d->where.layout == LAYOUT_OBJECT)
			continue; /* a name for each object */
		dir_read(b->arena, d->fd, dir_name(b->arena, &d->where, o->app, id), DIR_MAX_FILE,
			 &bytes);
		o->bytes = bytes.found == DIR_READ ? bytes.bytes : STR_NONE;
	}
}

/* The object's document in another App's file, which it leaves. Both files are written in one
 * batch, ours first, so that it stands in two for a moment and not in none. */
static const struct node *doc_elsewhere(struct dir_batch *b, const struct target_apply *x,
					const char *mine)
{
	struct dir *d = b->dir;

	if (!b->others_known)
		read_others(b, x->id);
	for (size_t i = 0; i < b->others.n; i++) {
		const struct dir_other *o = &b->others.p[i];
		str name;
		struct dir_work *w;
		size_t at;

		if (str_eq(o->app, x->app) ||
		    (d->where.layout == LAYOUT_APP && !str_contains(o->bytes, x->id.name)))
			continue;
		name = dir_name(b->arena, &d->where, o->app, x->id);
		if (str_eq(name, str_from(mine)))
			continue;
		w = work_of(b, name);
		at = dir_work_find(w, x->id);
		if (at != SIZE_MAX) {
			const struct node *doc = w->docs.p[at];

			dir_work_remove(w, at);
			return doc;
		}
	}
	return NULL;
}

static struct err *prepare_apply(struct dir_batch *b, struct dir_call *c)
{
	struct dir *d = b->dir;
	struct arena *a = b->arena;
	const struct target_apply *x = &c->what;
	struct text *t = ARENA_NEW(a, struct text);
	const struct node *desired, *result;
	struct err *e;
	bool left_over;

	*t = (struct text){obj_id_label(a, x->id), x->json};
	TRY(node_read_json(a, t, &desired));

	struct dir_work *w = work_of(b, dir_name(a, &d->where, x->app, x->id));
	const struct node *own = dir_last_read(a, d, x->app, x->id, &left_over), *last = own;
	struct dir_app *app = dir_app_of(d, x->app);
	const struct inv_entry *entry = app ? inventory_get(&app->inv, x->id) : NULL;

	c->work = w;
	if (!last)
		last = last_elsewhere(b, c);

	bool mine = last || (entry && entry->state != INV_PENDING);
	size_t at = dir_work_find(w, x->id);

	if (w->was.found == DIR_ODD && (w->was.folder || w->was.unreadable))
		return err_new(ERR_IO, "write '" STR_FMT "/" STR_FMT "': " STR_FMT,
			       STR_ARG(d->path), STR_ARG(w->name), STR_ARG(w->was.why));
	if (w->broken.n && !mine)
		return is_taken(d, w, a, x->id);
	if (at == SIZE_MAX) {
		if (w->docs.n && d->where.layout == LAYOUT_OBJECT && !mine)
			return is_taken(d, w, a, x->id);

		const struct node *moved =
			c->op == DIR_APPLY ? doc_elsewhere(b, x, w->name.p) : NULL;

		result = desired;
		c->outcome = moved ? TARGET_CHANGED : TARGET_CREATED;
		if (moved && last)
			TRY(dir_merge(a, d, x->id, last, desired, moved, true, &result));
		dir_work_add(a, w, x->id, result);
	} else {
		const struct node *live = w->docs.p[at];

		/* Twice after a crash in the middle of a move. */
		if (left_over && c->op == DIR_APPLY)
			doc_elsewhere(b, x, w->name.p);
		if (x->create && !mine)
			return is_taken(d, w, a, x->id);
		e = dir_merge(a, d, x->id, last, desired, live, x->force || mine, &result);
		if (e) {
			err_free(e); /* only of what is not ours: a value that is another's */
			return is_taken(d, w, a, x->id);
		}
		c->outcome = node_equal_strict(result, live) ? TARGET_UNCHANGED : TARGET_CHANGED;
		if (c->outcome == TARGET_CHANGED)
			w->docs.p[at] = result;
	}
	w->changed |= c->outcome != TARGET_UNCHANGED;
	put_last(b, c, own, left_over, desired, c->outcome != TARGET_UNCHANGED);
	c->live = (struct target_live){.id = x->id,
				       .version = version_of(result, x->version),
				       .uid = STR(""),
				       .root = result,
				       .applied = desired};
	return NULL;
}

static struct err *prepare_remove(struct dir_batch *b, struct dir_call *c)
{
	struct dir *d = b->dir;
	struct dir_work *w = work_of(b, dir_name(b->arena, &d->where, c->what.app, c->what.id));
	size_t at = dir_work_find(w, c->what.id);

	c->work = w;
	if (at != SIZE_MAX) {
		dir_work_remove(w, at);
	} else if (w->broken.n) {
		/* What a hand left in our place. In one's own file it goes with the object; others'
		 * objects in it are not to be lost. */
		if (w->was.folder || w->was.unreadable || d->where.layout == LAYOUT_APP)
			return err_new(ERR_IO, "remove %s from '" STR_FMT "/" STR_FMT "': " STR_FMT,
				       obj_id_label(b->arena, c->what.id).p, STR_ARG(d->path),
				       STR_ARG(w->name), STR_ARG(w->broken));
		w->changed = true;
	}
	forget_last(b, c, c->what.app, c->what.id);
	return NULL;
}

/* An id that leaves the inventory while its object stays: to another App of this target, or let go.
 * What was applied last stays for the App that may take the object, now or later. */
static void let_go(struct dir_batch *b, struct dir_call *c, obj_id id)
{
	struct dir *d = b->dir;
	struct arena *a = b->arena;
	struct dir_app *to = dir_other_owner(d, c->app, id);
	str mine = dir_name(a, &d->where, c->app, id), theirs;
	bool left_over;

	if (!to)
		return;
	theirs = dir_name(a, &d->where, str_from(to->name), id);
	if (!dir_last_read(a, d, str_from(to->name), id, &left_over))
		return; /* it is to apply yet */
	if (!str_eq(mine, theirs) && dir_work_find(work_of(b, theirs), id) != SIZE_MAX) {
		struct dir_work *w = work_of(b, mine);
		size_t at = dir_work_find(w, id);

		if (at != SIZE_MAX) {
			dir_work_remove(w, at);
			c->work = w;
		}
	}
	forget_last(b, c, c->app, id);
}

static struct err *prepare_inventory(struct dir_batch *b, struct dir_call *c)
{
	struct dir *d = b->dir;
	struct dir_app *app = dir_app_of(d, c->app);
	CLEANUP(buf) struct buf was = BUF_INIT;
	CLEANUP(buf) struct buf now = BUF_INIT;

	if (app && app->bad)
		return err_new(err_code(app->bad),
			       "the inventory of '" STR_FMT "' in '" STR_FMT
			       "' is damaged, so it is not overwritten",
			       STR_ARG(c->app), STR_ARG(d->state));
	inventory_print(c->inv, &now);
	if (app) {
		inventory_print(&app->inv, &was);
		for (size_t i = 0; i < app->inv.n; i++)
			if (!inventory_get(c->inv, app->inv.p[i].id))
				let_go(b, c, app->inv.p[i].id);
		if (str_eq(buf_view(&was), buf_view(&now)) &&
		    faccessat(d->state_fd,
			      arena_printf(b->arena, STR_FMT "/inventory.tsv",
					   STR_ARG(dir_app_folder(b->arena, c->app)))
				      .p,
			      F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return NULL;
	}
	put_state(b, c, DIR_AFTER,
		  arena_printf(b->arena, STR_FMT "/inventory.tsv",
			       STR_ARG(dir_app_folder(b->arena, c->app))))
		->bytes = arena_str(b->arena, buf_view(&now));
	return NULL;
}

static struct err *prepare_record(struct dir_batch *b, struct dir_call *c)
{
	struct dir *d = b->dir;
	struct dir_app *app = dir_app_make(d, c->app);
	str path = arena_printf(b->arena, STR_FMT "/record",
				STR_ARG(dir_app_folder(b->arena, c->app)));
	CLEANUP(buf) struct buf now = BUF_INIT;
	struct dir_bytes there;

	dir_read(b->arena, d->state_fd, path, DIR_MAX_STATE, &there);
	if (there.found == DIR_ODD)
		return err_new(ERR_IO, "read '" STR_FMT "/" STR_FMT "': " STR_FMT,
			       STR_ARG(d->state), STR_ARG(path), STR_ARG(there.why));
	dir_record_print(&c->record, &now);
	if (there.found == DIR_READ) {
		struct text t = {arena_printf(b->arena, STR_FMT "/" STR_FMT, STR_ARG(d->state),
					      STR_ARG(path)),
				 there.bytes};
		struct target_record r;

		TRY(dir_record_read(b->arena, &t, &r));
		if (!str_eq(r.holder, c->record.holder) &&
		    (!app->seen_holder || !str_eq(r.holder, str_from(app->seen_holder))))
			return err_new(ERR_CONFLICT,
				       "the record of '" STR_FMT "' in '" STR_FMT
				       "' was written by another installation, '" STR_FMT
				       "', since",
				       STR_ARG(c->app), STR_ARG(d->state), STR_ARG(r.holder));
	}
	c->text = buf_take(&now);
	if (there.found == DIR_READ && str_eq(there.bytes, str_from(c->text)))
		return NULL;
	put_state(b, c, DIR_AFTER, path)->bytes = str_from(c->text);
	return NULL;
}

static struct err *prepare_drop(struct dir_batch *b, struct dir_call *c)
{
	str folder = dir_app_folder(b->arena, c->app);
	struct dir_app *app = dir_app_of(b->dir, c->app);

	if (!app)
		return NULL;
	put_state(b, c, DIR_AFTER,
		  arena_printf(b->arena, STR_FMT "/inventory.tsv", STR_ARG(folder)))
		->drop = true;
	put_state(b, c, DIR_AFTER, arena_printf(b->arena, STR_FMT "/record", STR_ARG(folder)))
		->drop = true;
	return NULL;
}

static struct err *prepare(struct dir_batch *b, struct dir_call *c)
{
	switch (c->op) {
	case DIR_APPLY:
	case DIR_PREVIEW:
		return prepare_apply(b, c);
	case DIR_REMOVE:
		return prepare_remove(b, c);
	case DIR_INVENTORY:
		return prepare_inventory(b, c);
	case DIR_RECORD:
		return prepare_record(b, c);
	case DIR_DROP:
		return prepare_drop(b, c);
	case DIR_READY:
	case DIR_NOTHING:
	case DIR_RECORDS:
	case DIR_GET:
		break;
	}
	assert(false);
	return NULL;
}

/* The files whose documents changed, behind everything else of the batch. */
static void put_files(struct dir_batch *b)
{
	for (struct dir_work *w = b->works; w; w = w->next) {
		CLEANUP(buf) struct buf bytes = BUF_INIT;
		bool secret = dir_work_secret(w);
		mode_t mode = secret ? 0600 : 0644;
		struct dir_put *p;

		if (!w->changed)
			continue;
		w->there = w->docs.n > 0;
		if (!w->there && w->was.found == DIR_ABSENT)
			continue;
		if (w->there)
			dir_work_print(b->dir, w, &bytes);
		if (w->there && w->was.found == DIR_READ && str_eq(w->was.bytes, buf_view(&bytes)))
			continue;
		/* An existing mode stays, but a Secret that comes in closes the file. */
		if (w->was.found == DIR_READ)
			mode = w->was.st.st_mode & (secret && !w->had_secret ? 0700 : 07777);
		p = dir_put_add(b, DIR_CONTENT, false, w->name);
		p->work = w;
		p->mode = mode;
		p->drop = !w->there;
		p->bytes = arena_str(b->arena, buf_view(&bytes));
		w->hash = hash_blake2b(NULL, STR("leeboard/file/1"), p->bytes);
		b->dir->head.writes++;
	}
}

/* ------------------------------------------------------------------ writes: batches */

static void batch_free(struct dir_batch *b)
{
	for (struct dir_work *w = b->works; w; w = w->next)
		err_free(w->err);
	arena_free(b->arena);
	free(b);
}

static void inventory_became(struct dir *d, struct dir_call *c)
{
	struct dir_app *app = dir_app_make(d, c->app);

	arena_free(app->arena);
	app->arena = STEAL(c->kept);
	app->inv = *c->inv;
	dir_files_build(d);
}

static void record_became(struct dir *d, struct dir_call *c)
{
	struct dir_app *app = dir_app_make(d, c->app);
	str holder = c->record.holder;

	free(app->record);
	app->record = STEAL(c->text);
	free(app->seen_holder);
	app->seen_holder = xstrndup(holder.p ? holder.p : "", holder.n);
}

static void app_went(struct dir *d, struct dir_call *c)
{
	struct dir_app *app = dir_app_of(d, c->app);
	str folder = dir_app_folder(c->arena, c->app);
	str last = arena_printf(c->arena, STR_FMT "/last", STR_ARG(folder));

	if (!app)
		return;
	dir_clear(d->state_fd, last);
	unlinkat(d->state_fd, last.p, AT_REMOVEDIR);
	unlinkat(d->state_fd, folder.p, AT_REMOVEDIR);
	dir_app_drop(d, app);
	dir_files_build(d);
}

/* What the outcome of its file means for a call. True: it goes back to the head of the queue. */
static bool judge(struct dir *d, struct dir_call *c)
{
	struct dir_work *w = c->work;

	c->work = NULL;
	if (c->err || !w)
		return false;
	if (w->err) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_line_to(w->err, &b);
		c->err = err_new(err_code(w->err), "%s", b.p);
		return false;
	}
	if (!w->raced)
		return false;
	if (++c->tries < DIR_TRIES)
		return true;
	c->err = err_new(ERR_CONFLICT, "'" STR_FMT "/" STR_FMT "' changes while it is written",
			 STR_ARG(d->path), STR_ARG(w->name));
	return false;
}

static void dir_free(struct dir *d);

static void batch_done(void *arg)
{
	struct dir_batch *b = arg;
	struct dir *d = b->dir;
	struct dir_call *again = NULL;

	d->busy = NULL;
	d->running++;
	for (struct dir_work *w = b->works; w; w = w->next) {
		struct dir_file *f = dir_file_of(d, w->name);

		if (!w->changed || w->err || w->raced || !f)
			continue;
		f->known = true;
		f->there = w->there;
		f->hash = w->hash;
	}
	for (struct dir_call *c = b->calls, *next; c; c = next) {
		next = c->next;
		c->prev = c->next = NULL;
		if (judge(d, c)) {
			c->next = again; /* in reverse, so that the queue has them in order */
			again = c;
			continue;
		}
		if (!c->err && c->op == DIR_INVENTORY)
			inventory_became(d, c);
		else if (!c->err && c->op == DIR_RECORD)
			record_became(d, c);
		else if (!c->err && c->op == DIR_DROP)
			app_went(d, c);
		finish(d, c);
	}
	while (again) {
		struct dir_call *c = again;

		again = c->next;
		c->in_batch = false;
		if (c->cancelled || d->closing)
			call_free(c);
		else
			call_first(d, c);
	}
	d->running--;
	batch_free(b);
	if (d->closing) {
		if (!d->freed_later)
			dir_free(d);
		return;
	}
	if (d->ready && dir_missing(d).n)
		dir_lose(d, dir_missing(d));
	if (d->first || d->checks)
		dir_pump_soon(d);
}

static void batch_work(void *arg)
{
	dir_commit(arg);
}

static struct dir_batch *batch_new(struct dir *d)
{
	struct dir_batch *b = xcalloc(1, sizeof(*b));

	b->dir = d;
	b->arena = arena_new();
	b->end = &b->calls;
	return b;
}

/* Is there a write of the same object already? It must be on disk before the next is merged. */
static bool is_in(const struct dir_batch *b, const struct dir_call *c)
{
	if (!c->what.id.kind.n)
		return false;
	for (const struct dir_call *x = b->calls; x; x = x->next)
		if (x->what.id.kind.n && obj_id_eq(x->what.id, c->what.id))
			return true;
	return false;
}

static void start_batch(struct dir *d)
{
	struct dir_batch *b = batch_new(d);

	for (unsigned i = 0; i < DIR_BATCH && d->first && d->first->op >= DIR_APPLY; i++) {
		struct dir_call *c = d->first;

		if (is_in(b, c))
			break;
		call_unlink(d, c);
		c->in_batch = true;
		*b->end = c;
		b->end = &c->next;
		c->err = prepare(b, c);
	}
	put_files(b);
	d->busy = b;
	if (b->n)
		loop_work(d->head.loop, batch_work, batch_done, b);
	else
		batch_done(b);
}

/* ------------------------------------------------------------------ the pump */

static struct err *unreachable(const struct dir *d)
{
	return err_new(ERR_TARGET_UNREACHABLE, "'" STR_FMT "' " STR_FMT, STR_ARG(d->path),
		       STR_ARG(d->lost ? d->why : STR("is not open")));
}

static void answer_one(struct dir *d, struct dir_call *c)
{
	bool found = false;

	switch (c->op) {
	case DIR_READY:
		c->err = dir_open_folders(d);
		found = !c->err && d->lost;
		if (!c->err && !found && d->kinds_n && d->wd < 0) {
			c->err = dir_watch_start(d);
			if (!c->err)
				dir_list_all(d);
		}
		break;
	case DIR_NOTHING:
		break;
	case DIR_RECORDS:
		records_all(d, c);
		break;
	case DIR_PREVIEW: {
		struct dir_batch *b = batch_new(d);

		c->err = prepare_apply(b, c);
		call_unlink(d, c);
		finish(d, c);
		batch_free(b);
		return;
	}
	case DIR_GET:
		if (get_some(d, c))
			return;
		break;
	case DIR_APPLY:
	case DIR_REMOVE:
	case DIR_INVENTORY:
	case DIR_RECORD:
	case DIR_DROP:
		assert(false);
	}
	call_unlink(d, c);
	finish(d, c);
	if (found && !d->closing)
		dir_found(d);
}

static void pump(void *arg)
{
	struct dir *d = arg;

	d->pump = NULL;
	d->running++;
	if (d->checks && d->ready)
		dir_checks(d);
	for (unsigned i = 0; i < DIR_SLICE && d->first && !d->closing; i++) {
		struct dir_call *c = d->first;

		if (c->op != DIR_READY && d->ready && dir_missing(d).n)
			dir_lose(d, dir_missing(d));
		if (d->closing)
			break;
		if (c != d->first)
			continue; /* it was cancelled when we said so */
		if (c->op != DIR_READY && !d->ready) {
			call_unlink(d, c);
			c->err = unreachable(d);
			finish(d, c);
		} else if (c->op >= DIR_APPLY) {
			d->running--;
			start_batch(d);
			/* An empty batch has ended already, and may have ended all. */
			return;
		} else {
			answer_one(d, c);
		}
	}
	d->running--;
	if (!d->closing && (d->first || (d->checks && d->ready)))
		dir_pump_soon(d);
}

/* ------------------------------------------------------------------ the table */

static void dir_free(struct dir *d)
{
	while (d->first) {
		struct dir_call *c = d->first;

		call_unlink(d, c);
		call_free(c);
	}
	timer_stop(d->pump);
	dir_checks_drop(d);
	dir_watch_stop(d);
	dir_close_folders(d);
	dir_apps_free(d);
	for (size_t i = 0; i < d->kinds_n; i++) {
		free(d->kinds[i].group);
		free(d->kinds[i].kind);
	}
	free(d->kinds);
	mem_wipe(d->key, sizeof(d->key));
	arena_free(d->arena);
	free(d);
}

static void free_later(void *arg)
{
	dir_free(arg);
}

static void dir_close(struct target *t)
{
	struct dir *d = (struct dir *)t;

	d->closing = true;
	d->head.event = NULL;
	dir_watch_stop(d);
	timer_stop(d->pump);
	d->pump = NULL;
	if (d->busy)
		return; /* when the pool is done */
	if (!d->running) {
		dir_free(d);
		return;
	}
	d->freed_later = true;
	timer_start(d->head.loop, 0, free_later, d);
}

static struct err *dir_open(const struct target_env *env, const struct app_target *where,
			    struct target **ret)
{
	struct dir *d;

	if (!where->directory.n || where->directory.p[0] != '/')
		return err_at(ERR_INVALID, where->at,
			      "'target.directory' must be an absolute path");
	TRY(dir_pattern_check(where));
	d = xcalloc(1, sizeof(*d));
	d->arena = arena_new();
	d->head.ops = &target_dir;
	d->head.loop = env->loop;
	d->head.log = env->log;
	d->where = *where;
	d->where.directory = arena_str(d->arena, where->directory);
	d->where.file_name = arena_str(d->arena, where->file_name);
	d->where.state = arena_str(d->arena, where->state);
	d->where.namespace = arena_str(d->arena, where->namespace);
	d->instance = arena_str(d->arena, env->instance);
	d->holder = arena_str(d->arena, env->holder);
	d->state_directory = arena_str(d->arena, env->state_directory);
	d->path = d->where.directory;
	while (d->path.n > 1 && d->path.p[d->path.n - 1] == '/')
		d->path.n--;
	d->path = arena_str(d->arena, d->path);
	d->state = dir_state_path(d->arena, &d->where, d->state_directory, &d->state_inside,
				  &d->state_given);
	d->head.place = d->path;
	d->head.uid = STR("");
	d->fd = d->state_fd = d->lock_fd = d->inotify = d->wd = d->parent_wd = -1;
	*ret = &d->head;
	return NULL;
}

static void dir_ready(struct target *t, target_done done, void *arg, struct target_call **ret)
{
	call_new(t, DIR_READY, arg, ret)->done = done;
}

static void dir_discover(struct target *t, target_done done, void *arg, struct target_call **ret)
{
	call_new(t, DIR_NOTHING, arg, ret)->done = done;
}

static void dir_records(struct target *t, str app, target_records_done done, void *arg,
			struct target_call **ret)
{
	struct dir_call *c = call_new(t, DIR_RECORDS, arg, ret);

	c->records = done;
	c->app = arena_str(c->arena, app);
}

static void dir_record_put(struct target *t, const struct target_record *r, target_done done,
			   void *arg, struct target_call **ret)
{
	struct dir_call *c = call_new(t, DIR_RECORD, arg, ret);
	struct arena *a = c->arena;

	c->done = done;
	c->app = arena_str(a, r->app);
	c->record = (struct target_record){
		.app = c->app,
		.source = arena_str(a, r->source),
		.ref = arena_str(a, r->ref),
		.accepted = arena_str(a, r->accepted),
		.generation = r->generation,
		.policy = arena_str(a, r->policy),
		.applied = arena_str(a, r->applied),
		.applied_at = r->applied_at,
		.healthy = arena_str(a, r->healthy),
		.healthy_at = r->healthy_at,
		.holder = arena_str(a, r->holder),
	};
}

static void dir_inventory_put(struct target *t, str app, const struct inventory *inv,
			      target_done done, void *arg, struct target_call **ret)
{
	struct dir_call *c = call_new(t, DIR_INVENTORY, arg, ret);

	c->done = done;
	c->app = arena_str(c->arena, app);
	c->kept = arena_new();
	c->inv = inventory_dup(c->kept, inv);
}

static void dir_record_drop(struct target *t, str app, target_done done, void *arg,
			    struct target_call **ret)
{
	struct dir_call *c = call_new(t, DIR_DROP, arg, ret);

	c->done = done;
	c->app = arena_str(c->arena, app);
}

static void dir_get(struct target *t, const struct target_want_live *ids, size_t n, bool meta,
		    target_get_done done, void *arg, struct target_call **ret)
{
	struct dir_call *c = call_new(t, DIR_GET, arg, ret);

	(void)meta; /* a file is read whole or not at all */
	c->get = done;
	c->n = n;
	c->ids = ARENA_ARRAY(c->arena, struct target_want_live, n);
	c->answers = ARENA_ARRAY(c->arena, struct target_live, n);
	for (size_t i = 0; i < n; i++)
		c->ids[i] = (struct target_want_live){obj_id_dup(c->arena, ids[i].id),
						      arena_str(c->arena, ids[i].version),
						      arena_str(c->arena, ids[i].app)};
}

static void apply_new(struct target *t, enum dir_op op, const struct target_apply *what,
		      target_apply_done done, void *arg, struct target_call **ret)
{
	struct dir_call *c = call_new(t, op, arg, ret);

	c->apply = done;
	c->what = (struct target_apply){
		.id = obj_id_dup(c->arena, what->id),
		.version = arena_str(c->arena, what->version),
		.app = arena_str(c->arena, what->app),
		.json = arena_str(c->arena, what->json),
		.force = what->force,
		.create = what->create,
	};
}

static void dir_apply(struct target *t, const struct target_apply *what, target_apply_done done,
		      void *arg, struct target_call **ret)
{
	apply_new(t, DIR_APPLY, what, done, arg, ret);
}

static void dir_preview(struct target *t, const struct target_apply *what, target_apply_done done,
			void *arg, struct target_call **ret)
{
	apply_new(t, DIR_PREVIEW, what, done, arg, ret);
}

static void dir_remove(struct target *t, const struct target_delete *what, target_done done,
		       void *arg, struct target_call **ret)
{
	struct dir_call *c = call_new(t, DIR_REMOVE, arg, ret);

	c->done = done;
	c->what.id = obj_id_dup(c->arena, what->id);
	c->what.app = arena_str(c->arena, what->app);
}

static struct err *dir_watch(struct target *t, str group, str version, str kind)
{
	struct dir *d = (struct dir *)t;

	(void)version;
	for (size_t i = 0; i < d->kinds_n; i++)
		if (str_eq(str_from(d->kinds[i].group), group) &&
		    str_eq(str_from(d->kinds[i].kind), kind))
			return NULL;
	if (d->ready)
		TRY(dir_watch_start(d));
	d->kinds = xrealloc(d->kinds, (d->kinds_n + 1) * sizeof(d->kinds[0]));
	d->kinds[d->kinds_n++] = (struct dir_kind){xstrndup(group.p ? group.p : "", group.n),
						   xstrndup(kind.p, kind.n)};
	if (d->ready)
		dir_list(d, group, kind);
	return NULL;
}

static void dir_unwatch(struct target *t, str group, str version, str kind)
{
	struct dir *d = (struct dir *)t;

	(void)version;
	for (size_t i = 0; i < d->kinds_n; i++) {
		if (!str_eq(str_from(d->kinds[i].group), group) ||
		    !str_eq(str_from(d->kinds[i].kind), kind))
			continue;
		free(d->kinds[i].group);
		free(d->kinds[i].kind);
		d->kinds[i] = d->kinds[--d->kinds_n];
		return;
	}
}

const struct target_ops target_dir = {
	.name = "dir",
	.sort = TARGET_SORT_DIR,
	.open = dir_open,
	.close = dir_close,
	.ready = dir_ready,
	.discover = dir_discover,
	.records = dir_records,
	.record_put = dir_record_put,
	.inventory_put = dir_inventory_put,
	.record_drop = dir_record_drop,
	.get = dir_get,
	.apply = dir_apply,
	.preview = dir_preview,
	.remove = dir_remove,
	.watch = dir_watch,
	.unwatch = dir_unwatch,
	.cancel = dir_cancel,
};
