/* A target in memory: what is asked of it stands in `log`, a line a request; answers come from the
 * loop. It defines the functions of target.h itself, so that the real ones are not linked.
 *
 * An apply writes the body as it is (`mutate` may change it, as a webhook does), with uid,
 * resourceVersion, generation and our managedFields, and tells it to the listener. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "leeboard/live.h"

#define KEY ((const uint8_t *)"0123456789abcdef0123456789abcdef")
#define WALL ((msec)1795521600000) /* 2026-11-24T12:00:00Z */

struct fake_object {
	struct fake_object *next;
	obj_id id;
	char *version, *json, *uid, *applied; /* id borrows the arena of the target */
	unsigned generation;
};
struct fake_failure {
	const char *label; /* of the object, as in the log */
	enum err_code code;
	unsigned times;
};
struct target_call {
	struct target_call *next;
	struct target *t;
	struct timer *timer;
	void (*run)(struct target_call *c);
	struct arena *arena;
	struct target_apply apply;
	struct target_delete delete;
	struct target_list list;
	struct target_want_live *ids;
	size_t n;
	bool meta;
	target_apply_done apply_done;
	target_get_done get_done;
	target_done done;
	void *arg;
};
struct target {
	struct loop *loop;
	struct arena *arena;
	enum target_sort sort;
	bool marks, tells_health, has_status;
	bool hold;  /* calls wait for fake_release */
	bool quiet; /* writes are not told to the listener */
	bool stuck; /* deletions never end: ERR_FINALIZER */
	struct buf log;
	unsigned rv, uids;
	uint64_t requests, writes;
	struct fake_object *objects;
	struct target_call *calls;
	void (*event)(void *arg, const struct target_event *e);
	void *event_arg;
	/* The body as it is stored; NULL: as sent. */
	const char *(*mutate)(struct target *t, obj_id id, const char *json);
	struct fake_failure failures[8];
	const char *unserved; /* a kind that is unknown until it is discovered */
	struct buf inventory; /* as put last */
	struct buf pods;      /* JSON list for target_list */
};

/* ------------------------------------------------------------------ trees */

static inline const struct node *fake_json(struct arena *a, const char *json)
{
	struct text *t = ARENA_NEW(a, struct text);
	const struct node *root = NULL;
	struct err *e;

	*t = (struct text){STR("fake"), arena_str(a, str_from(json))};
	e = node_read_json(a, t, &root);
	if (e) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_print(e, &b);
		print_error("%s\n", b.p);
		err_free(e);
		fail();
	}
	return root;
}

static inline const char *fake_text(struct arena *a, const struct node *n)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	node_json(n, NODE_JSON_COMPACT, &b);
	return arena_str(a, buf_view(&b)).p;
}

static inline const struct node *fake_fields(struct arena *a, const struct node *n, bool root)
{
	static const str skip[] = {STR("apiVersion"), STR("kind"), STR("name"), STR("namespace")};
	struct node_pairs p = {0};

	for (uint32_t i = 0; n->kind == NODE_MAP && i < n->n; i++) {
		bool skipped = false;

		for (size_t j = root ? 0 : 2; j < ARRAY_LEN(skip); j++)
			skipped |= str_eq(n->pairs[i].key, skip[j]);
		if (!skipped)
			node_pairs_add(a, &p,
				       arena_printf(a, "f:" STR_FMT, STR_ARG(n->pairs[i].key)),
				       fake_fields(a, n->pairs[i].value, false));
	}
	for (uint32_t i = 0; n->kind == NODE_LIST && i < n->n; i++) {
		str name = node_get_text(n->items[i], STR("name"));

		if (name.n)
			node_pairs_add(
				a, &p,
				arena_printf(a, "k:{\"name\":\"" STR_FMT "\"}", STR_ARG(name)),
				fake_fields(a, n->items[i], false));
	}
	return node_new_map(a, p.p, p.n);
}

/* ------------------------------------------------------------------ objects */

static inline struct fake_object *fake_find(struct target *t, obj_id id)
{
	struct fake_object *o = t->objects;

	while (o && !obj_id_eq(o->id, id))
		o = o->next;
	return o;
}

static inline void fake_drop(struct target *t, obj_id id)
{
	for (struct fake_object **p = &t->objects, *o; (o = *p); p = &o->next)
		if (obj_id_eq(o->id, id)) {
			*p = o->next;
			free(o->version);
			free(o->json);
			free(o->uid);
			free(o->applied);
			free(o);
			return;
		}
}

static inline struct fake_object *fake_put(struct target *t, const char *json)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *root = fake_json(a, json);
	struct fake_object *f;
	struct object o;

	assert_null(obj_from_node(a, root, &o));
	f = fake_find(t, o.id);
	if (!f) {
		struct fake_object **end = &t->objects;

		f = xcalloc(1, sizeof(*f));
		f->id = obj_id_dup(t->arena, o.id);
		while (*end)
			end = &(*end)->next;
		*end = f;
	}
	free(f->version);
	free(f->json);
	free(f->uid);
	f->version = xstrndup(o.version.p, o.version.n);
	f->json = xstrndup(json, strlen(json));
	f->uid = xstrndup(node_get_text(node_get(root, STR("metadata")), STR("uid")).p,
			  node_get_text(node_get(root, STR("metadata")), STR("uid")).n);
	return f;
}

static inline struct target_live fake_live(struct arena *a, const struct fake_object *o)
{
	return (struct target_live){
		.id = o->id,
		.version = arena_str(a, str_from(o->version)),
		.uid = arena_str(a, str_from(o->uid)),
		.root = fake_json(a, o->json),
		.applied = o->applied ? fake_json(a, o->applied) : NULL,
	};
}

static inline void fake_tell(struct target *t, enum target_event_kind kind,
			     const struct target_live *live)
{
	struct target_event e = {.kind = kind};

	if (live)
		e.live = *live;
	if (kind == TARGET_LOST)
		e.why = STR("connection refused");
	if (t->event)
		t->event(t->event_arg, &e);
}

static inline void fake_see_again(struct target *t, obj_id id)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct target_live live = fake_live(a, fake_find(t, id));

	fake_tell(t, TARGET_SEEN, &live);
}

/* Somebody wrote this. */
static inline void fake_see(struct target *t, const char *json)
{
	fake_see_again(t, fake_put(t, json)->id);
}

static inline void fake_gone(struct target *t, obj_id id)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct fake_object *o = fake_find(t, id);
	struct target_live live = {.id = obj_id_dup(a, id),
				   .version = arena_str(a, str_from(o->version)),
				   .uid = arena_str(a, str_from(o->uid))};

	fake_drop(t, id);
	fake_tell(t, TARGET_GONE, &live);
}

static inline void fake_list(struct target *t, enum target_event_kind kind, const char *group,
			     const char *name)
{
	struct target_live live = {.id = {.group = str_from(group), .kind = str_from(name)}};

	fake_tell(t, kind, &live);
}

/* Begin, all that is there, end. */
static inline void fake_lists(struct target *t, const char *group, const char *kind)
{
	fake_list(t, TARGET_LISTING, group, kind);
	for (struct fake_object *o = t->objects, *next; o; o = next) {
		next = o->next;
		if (str_eq(o->id.kind, str_from(kind)) && str_eq(o->id.group, str_from(group)))
			fake_see_again(t, o->id);
	}
	fake_list(t, TARGET_LISTED, group, kind);
}

/* Its controller writes the status. */
static inline void fake_status(struct target *t, obj_id id, const char *status)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct fake_object *o = fake_find(t, id);
	const struct node *root = fake_json(a, o->json), *meta = node_get(root, STR("metadata"));

	meta = node_set(a, meta, STR("resourceVersion"),
			node_new_str(a, arena_printf(a, "%u", ++t->rv)));
	root = node_set(a, node_set(a, root, STR("metadata"), meta), STR("status"),
			fake_json(a, status));
	fake_see(t, fake_text(a, root));
}

/* ------------------------------------------------------------------ calls */

static inline void fake_run(void *arg)
{
	struct target_call *c = arg;

	c->timer = NULL;
	c->run(c);
}

static inline struct target_call *fake_call(struct target *t, void (*run)(struct target_call *c),
					    void *arg, struct target_call **ret)
{
	struct target_call *c = xcalloc(1, sizeof(*c)), **end = &t->calls;

	c->t = t;
	c->run = run;
	c->arg = arg;
	c->arena = arena_new();
	while (*end)
		end = &(*end)->next;
	*end = c;
	if (!t->hold)
		c->timer = timer_start(t->loop, 0, fake_run, c);
	*ret = c;
	return c;
}

static inline void fake_end(struct target_call *c)
{
	struct target_call **p = &c->t->calls;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	timer_stop(c->timer);
	arena_free(c->arena);
	free(c);
}

static inline void target_cancel_fake(struct target_call *c)
{
	if (c)
		fake_end(c);
}
void target_cancel(struct target_call *c);
void target_cancel(struct target_call *c)
{
	target_cancel_fake(c);
}

/* The oldest waiting call is answered. */
static inline void fake_release(struct target *t)
{
	assert_non_null(t->calls);
	t->calls->run(t->calls);
}

static inline struct err *fake_fails(struct target *t, str label)
{
	for (size_t i = 0; i < ARRAY_LEN(t->failures); i++) {
		struct fake_failure *f = &t->failures[i];

		if (f->times && str_eq(str_from(f->label), label)) {
			f->times--;
			return err_new(f->code, "refused by the fake");
		}
	}
	return NULL;
}

static inline const char *fake_stored(struct target *t, struct arena *a,
				      const struct target_apply *w, const struct fake_object *old,
				      const char *uid)
{
	const char *json = w->json.p;
	const struct node *root, *meta;

	if (t->mutate)
		json = t->mutate(t, w->id, json);
	root = fake_json(a, json);
	meta = node_get(root, STR("metadata"));
	meta = node_set(a, meta, STR("uid"), node_new_str(a, str_from(uid)));
	meta = node_set(a, meta, STR("resourceVersion"),
			node_new_str(a, arena_printf(a, "%u", ++t->rv)));
	meta = node_set(a, meta, STR("generation"),
			node_new_int(a, old ? (int64_t)old->generation + 1 : 1));
	meta = node_set(
		a, meta, STR("managedFields"),
		fake_json(a,
			  arena_printf(a,
				       "[{\"manager\":\"leeboard\",\"operation\":\"Apply\","
				       "\"apiVersion\":\"" STR_FMT "\",\"fieldsType\":"
				       "\"FieldsV1\",\"time\":\"2026-11-24T12:00:00Z\","
				       "\"fieldsV1\":%s}]",
				       STR_ARG(node_get_text(root, STR("apiVersion"))),
				       fake_text(a, fake_fields(a, fake_json(a, w->json.p), true)))
				  .p));
	root = node_set(a, root, STR("metadata"), meta);
	if (old && node_get(fake_json(a, old->json), STR("status")))
		root = node_set(a, root, STR("status"),
				node_get(fake_json(a, old->json), STR("status")));
	return fake_text(a, root);
}

static inline void fake_applied(struct target_call *c)
{
	struct target *t = c->t;
	CLEANUP(arena) struct arena *a = arena_new();
	struct fake_object *o = fake_find(t, c->apply.id);
	struct err *e = fake_fails(t, obj_id_label(a, c->apply.id));
	target_apply_done done = c->apply_done;
	void *arg = c->arg;
	bool created = !o;
	unsigned generation = o ? o->generation : 0;
	const char *json, *uid;
	struct target_live live;
	obj_id id;

	if (!e && o && c->apply.uid.n && !str_eq(c->apply.uid, str_from(o->uid)))
		e = err_new(ERR_CONFLICT, "another object has that name now");
	if (e) {
		fake_end(c);
		done(arg, TARGET_UNCHANGED, NULL, e);
		return;
	}
	uid = o ? arena_str(a, str_from(o->uid)).p : arena_printf(a, "u%u", ++t->uids).p;
	json = fake_stored(t, a, &c->apply, o, t->sort == TARGET_SORT_DIR ? "" : uid);
	if (t->sort == TARGET_SORT_DIR)
		json = c->apply.json.p;
	o = fake_put(t, json);
	o->generation = generation + 1;
	if (t->sort == TARGET_SORT_DIR) {
		free(o->applied);
		o->applied = xstrndup(c->apply.json.p, c->apply.json.n);
	}
	t->writes++;
	id = o->id;
	live = fake_live(a, o);
	fake_end(c);
	done(arg, created ? TARGET_CREATED : TARGET_CHANGED, &live, NULL);
	if (!t->quiet && fake_find(t, id))
		fake_see_again(t, id);
}

static inline void fake_previewed(struct target_call *c)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct target *t = c->t;
	struct fake_object *o = fake_find(t, c->apply.id);
	struct target_live live = {.id = obj_id_dup(a, c->apply.id)};
	target_apply_done done = c->apply_done;
	void *arg = c->arg;

	live.root = fake_json(a, fake_stored(t, a, &c->apply, o, o ? o->uid : "new"));
	fake_end(c);
	done(arg, TARGET_CHANGED, &live, NULL);
}

static inline void fake_got(struct target_call *c)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct target_live *p = ARENA_ARRAY(a, struct target_live, c->n);
	target_get_done done = c->get_done;
	void *arg = c->arg;
	size_t n = c->n;

	for (size_t i = 0; i < n; i++) {
		struct fake_object *o = fake_find(c->t, c->ids[i].id);

		p[i] = o ? fake_live(a, o)
			 : (struct target_live){.id = obj_id_dup(a, c->ids[i].id)};
	}
	fake_end(c);
	done(arg, p, n, NULL);
}

static inline void fake_deleted(struct target_call *c)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct target *t = c->t;
	struct fake_object *o = fake_find(t, c->delete.id);
	struct err *e = fake_fails(t, obj_id_label(a, c->delete.id));
	target_done done = c->done;
	void *arg = c->arg;
	obj_id id = obj_id_dup(a, c->delete.id);
	bool ours = o && (!c->delete.uid.n || str_eq(c->delete.uid, str_from(o->uid)));

	if (!e && t->stuck)
		e = err_new(ERR_FINALIZER, "waits for finalizers example.org/x");
	fake_end(c);
	if (!e && ours) {
		t->writes++;
		if (t->quiet)
			fake_drop(t, id);
		else
			fake_gone(t, id);
	}
	done(arg, e);
}

static inline void fake_simple(struct target_call *c)
{
	struct target *t = c->t;
	target_done done = c->done;
	void *arg = c->arg;

	fake_end(c);
	done(arg, fake_fails(t, STR("inventory")));
}

static inline void fake_discovered(struct target_call *c)
{
	c->t->unserved = NULL;
	fake_simple(c);
}

static inline void fake_listed(struct target_call *c)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct target *t = c->t;
	const struct node *list = t->pods.n ? fake_json(a, t->pods.p) : NULL;
	size_t n = list ? list->n : 0;
	struct target_live *p = ARENA_ARRAY(a, struct target_live, n);
	target_get_done done = c->get_done;
	void *arg = c->arg;

	for (size_t i = 0; i < n; i++) {
		struct object o;

		assert_null(obj_from_node(a, list->items[i], &o));
		p[i] = (struct target_live){.id = o.id, .version = o.version, .root = o.root};
	}
	fake_end(c);
	done(arg, p, n, NULL);
}

/* ------------------------------------------------------------------ target.h */

#define FAKE(type, name, ...)                                                                      \
	type name(__VA_ARGS__);                                                                    \
	type name(__VA_ARGS__)

FAKE(enum target_sort, target_sort, const struct target *t)
{
	return t->sort;
}
FAKE(bool, target_marks, const struct target *t)
{
	return t->marks;
}
FAKE(bool, target_tells_health, const struct target *t)
{
	return t->tells_health;
}
FAKE(bool, target_has_status, const struct target *t, str group, str version, str kind)
{
	(void)group, (void)version, (void)kind;
	return t->has_status;
}
FAKE(bool, target_serves, const struct target *t, str group, str version, str kind)
{
	(void)group, (void)version;
	return !t->unserved || !str_eq(kind, str_from(t->unserved));
}
FAKE(uint64_t, target_requests, const struct target *t)
{
	return t->requests;
}
FAKE(uint64_t, target_writes, const struct target *t)
{
	return t->writes;
}
FAKE(void, target_listen, struct target *t, void (*event)(void *arg, const struct target_event *e),
     void *arg)
{
	t->event = event;
	t->event_arg = arg;
}
FAKE(struct err *, target_watch, struct target *t, str group, str version, str kind)
{
	(void)group;
	buf_printf(&t->log, "watch " STR_FMT "/" STR_FMT "\n", STR_ARG(version), STR_ARG(kind));
	return NULL;
}
FAKE(void, target_unwatch, struct target *t, str group, str version, str kind)
{
	(void)group;
	buf_printf(&t->log, "unwatch " STR_FMT "/" STR_FMT "\n", STR_ARG(version), STR_ARG(kind));
}

static inline struct target_apply fake_copy(struct arena *a, const struct target_apply *what)
{
	struct target_apply w = *what;

	w.id = obj_id_dup(a, what->id);
	w.version = arena_str(a, what->version);
	w.app = arena_str(a, what->app);
	w.json = arena_str(a, what->json);
	w.uid = arena_str(a, what->uid);
	return w;
}
FAKE(void, target_apply, struct target *t, const struct target_apply *what, target_apply_done done,
     void *arg, struct target_call **ret)
{
	struct target_call *c = fake_call(t, fake_applied, arg, ret);

	c->apply_done = done;
	c->apply = fake_copy(c->arena, what);
	t->requests++;
	buf_printf(&t->log, "apply " STR_FMT "%s%s\n", STR_ARG(obj_id_label(c->arena, what->id)),
		   what->force ? "" : " unforced", what->create ? " new" : "");
}
FAKE(void, target_preview, struct target *t, const struct target_apply *what,
     target_apply_done done, void *arg, struct target_call **ret)
{
	struct target_call *c = fake_call(t, fake_previewed, arg, ret);

	c->apply_done = done;
	c->apply = fake_copy(c->arena, what);
	t->requests++;
	buf_printf(&t->log, "preview " STR_FMT "\n", STR_ARG(obj_id_label(c->arena, what->id)));
}
FAKE(void, target_delete, struct target *t, const struct target_delete *what, target_done done,
     void *arg, struct target_call **ret)
{
	struct target_call *c = fake_call(t, fake_deleted, arg, ret);

	c->done = done;
	c->delete = *what;
	c->delete.id = obj_id_dup(c->arena, what->id);
	c->delete.uid = arena_str(c->arena, what->uid);
	t->requests++;
	buf_printf(&t->log, "delete " STR_FMT " %.*s\n", STR_ARG(obj_id_label(c->arena, what->id)),
		   STR_ARG(what->uid));
}
FAKE(void, target_get, struct target *t, const struct target_want_live *ids, size_t n, bool meta,
     target_get_done done, void *arg, struct target_call **ret)
{
	struct target_call *c = fake_call(t, fake_got, arg, ret);

	c->get_done = done;
	c->ids = ARENA_ARRAY(c->arena, struct target_want_live, n);
	c->n = n;
	c->meta = meta;
	t->requests++;
	buf_str(&t->log, STR("get"));
	for (size_t i = 0; i < n; i++) {
		c->ids[i].id = obj_id_dup(c->arena, ids[i].id);
		buf_printf(&t->log, "%s " STR_FMT, i ? "," : "",
			   STR_ARG(obj_id_label(c->arena, ids[i].id)));
	}
	buf_char(&t->log, '\n');
}
FAKE(void, target_list, struct target *t, const struct target_list *what, target_get_done done,
     void *arg, struct target_call **ret)
{
	struct target_call *c = fake_call(t, fake_listed, arg, ret);

	c->get_done = done;
	t->requests++;
	buf_printf(&t->log, "list " STR_FMT " " STR_FMT "\n", STR_ARG(what->kind),
		   STR_ARG(what->selector));
}
FAKE(void, target_discover, struct target *t, target_done done, void *arg, struct target_call **ret)
{
	fake_call(t, fake_discovered, arg, ret)->done = done;
	t->requests++;
	buf_str(&t->log, STR("discover\n"));
}
FAKE(void, target_inventory_put, struct target *t, str app, const struct inventory *inv,
     target_done done, void *arg, struct target_call **ret)
{
	(void)app;
	fake_call(t, fake_simple, arg, ret)->done = done;
	t->requests++;
	buf_clear(&t->inventory);
	buf_str(&t->log, STR("inventory"));
	inventory_print(inv, &t->inventory);
	for (size_t i = 0; i < inv->n; i++)
		buf_printf(&t->log, " " STR_FMT ":%c%c", STR_ARG(inv->p[i].id.name),
			   inv->p[i].origin, inv->p[i].state);
	buf_char(&t->log, '\n');
}

static inline struct target *fake_new(struct loop *loop)
{
	struct target *t = xcalloc(1, sizeof(*t));

	t->loop = loop;
	t->arena = arena_new();
	t->sort = TARGET_SORT_KUBE;
	t->marks = t->tells_health = true;
	t->rv = 100;
	return t;
}

static inline void fake_free(struct target *t)
{
	while (t->calls)
		fake_end(t->calls);
	while (t->objects)
		fake_drop(t, t->objects->id);
	buf_done(&t->log);
	buf_done(&t->inventory);
	buf_done(&t->pods);
	arena_free(t->arena);
	free(t);
}

/* The log so far, and it is empty again. */
static inline void fake_asked(struct target *t, const char *want)
{
	assert_string_equal(t->log.n ? t->log.p : "", want);
	buf_clear(&t->log);
	if (t->log.p)
		t->log.p[0] = '\0';
}

/* Turns until nothing is due any more. */
static inline void fake_settle(struct loop *loop)
{
	for (int i = 0; i < 60; i++)
		clock_turn(loop, 0);
}

/* ------------------------------------------------------------------ wants */

static inline void fake_want_at(struct wants *w, const char *json, const char *file, uint32_t line)
{
	const struct node *root = fake_json(w->arena, json);
	struct object o;

	assert_null(obj_from_node(w->arena, root, &o));
	assert_null(wants_add(w, (struct want){
					 .id = o.id,
					 .version = o.version,
					 .json = arena_str(w->arena, str_from(json)),
					 .digest = obj_digest(root, KEY),
					 .file = str_from(file),
					 .line = line,
					 .col = 1,
				 }));
}

static inline void fake_want(struct wants *w, const char *json)
{
	fake_want_at(w, json, "web.yaml", 1);
}

/* ------------------------------------------------------------------ a store */

struct fake_row {
	struct fake_row *next;
	const char *app;
	struct live_baseline b;
};
struct fake_store {
	struct arena *arena;
	struct fake_row *rows;
	struct live_store ops;
	bool full;
};

static inline struct fake_row *fake_row(struct fake_store *s, str app, obj_id id)
{
	struct fake_row *r = s->rows;

	while (r && (!obj_id_eq(r->b.id, id) || !str_eq(str_from(r->app), app)))
		r = r->next;
	return r;
}
static inline bool fake_store_get(void *self, str app, obj_id id, struct live_baseline *ret)
{
	struct fake_row *r = fake_row(self, app, id);

	if (r)
		*ret = r->b;
	return r != NULL;
}
static inline struct err *fake_store_put(void *self, str app, const struct live_baseline *b)
{
	struct fake_store *s = self;
	struct fake_row *r = fake_row(s, app, b->id);

	if (s->full)
		return err_new(ERR_STORAGE, "no space left on device");
	if (!r) {
		r = ARENA_NEW(s->arena, struct fake_row);
		r->app = arena_str(s->arena, app).p;
		r->next = s->rows;
		s->rows = r;
	}
	r->b = *b;
	r->b.id = obj_id_dup(s->arena, b->id);
	r->b.version = arena_str(s->arena, b->version);
	r->b.uid = arena_str(s->arena, b->uid);
	r->b.revision = arena_str(s->arena, b->revision);
	r->b.answer = arena_str(s->arena, b->answer);
	return NULL;
}
static inline struct err *fake_store_del(void *self, str app, obj_id id)
{
	struct fake_store *s = self;

	for (struct fake_row **p = &s->rows; *p; p = &(*p)->next)
		if (obj_id_eq((*p)->b.id, id) && str_eq(str_from((*p)->app), app)) {
			*p = (*p)->next;
			break;
		}
	return NULL;
}
static inline void fake_store_init(struct fake_store *s)
{
	*s = (struct fake_store){.arena = arena_new()};
	s->ops = (struct live_store){s, fake_store_get, fake_store_put, fake_store_del};
}
