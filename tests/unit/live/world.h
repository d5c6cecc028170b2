/* One App on a fake target, with a frozen clock; what live tells stands in `told`, a line a call.
 */
#pragma once
#include "fake_target.h"

struct world {
	struct loop *loop;
	struct target *t;
	struct fake_store store;
	struct live *live;
	struct live_app *app;
	struct app doc;
	struct wants *wants;
	struct arena *arena;
	struct buf told;
};

static inline void told_drift(void *arg, struct live_app *a, const struct live_drift *d)
{
	struct world *w = arg;
	CLEANUP(arena) struct arena *s = arena_new();

	(void)a;
	buf_printf(&w->told, "drift " STR_FMT "%s%s%s", STR_ARG(obj_id_label(s, d->id)),
		   d->deleted ? " deleted" : "", d->recreated ? " recreated" : "",
		   d->stripped ? " stripped" : "");
	if (d->fights)
		buf_printf(&w->told, " fights %u", d->fights);
	for (size_t i = 0; i < d->fields_n; i++) {
		const struct event_field *f = &d->fields[i];

		buf_printf(&w->told, "; " STR_FMT " git ", STR_ARG(f->path));
		f->git ? node_json(f->git, NODE_JSON_COMPACT, &w->told) : buf_char(&w->told, '-');
		buf_str(&w->told, STR(" live "));
		f->live ? node_json(f->live, NODE_JSON_COMPACT, &w->told) : buf_char(&w->told, '-');
		if (f->redacted)
			buf_str(&w->told, STR(" redacted"));
		if (f->writer.manager.n)
			buf_printf(&w->told, " by " STR_FMT, STR_ARG(f->writer.manager));
		if (f->writer.subresource.n)
			buf_printf(&w->told, "/" STR_FMT, STR_ARG(f->writer.subresource));
		buf_printf(&w->told, " " STR_FMT ":%u", STR_ARG(f->origin.file), f->origin.line);
	}
	buf_char(&w->told, '\n');
}
static inline void told_gone(void *arg, struct live_app *a, obj_id id)
{
	struct world *w = arg;
	CLEANUP(arena) struct arena *s = arena_new();

	(void)a;
	buf_printf(&w->told, "gone " STR_FMT "\n", STR_ARG(obj_id_label(s, id)));
}
static inline void told_health(void *arg, struct live_app *a, obj_id id, const struct health *was,
			       const struct health *now)
{
	struct world *w = arg;
	CLEANUP(arena) struct arena *s = arena_new();

	(void)a;
	buf_printf(&w->told, "health " STR_FMT " " STR_FMT " -> " STR_FMT "\n",
		   STR_ARG(obj_id_label(s, id)), STR_ARG(health_state_name(was->state)),
		   STR_ARG(health_state_name(now->state)));
}
static inline void told_complete(void *arg, struct live_app *a)
{
	struct world *w = arg;

	(void)a;
	buf_str(&w->told, STR("complete\n"));
}
static inline void told_reach(void *arg, struct live *l, bool reachable, str why)
{
	struct world *w = arg;

	(void)l;
	buf_printf(&w->told, "%s " STR_FMT "\n", reachable ? "found" : "lost", STR_ARG(why));
}

static inline void world_live(struct world *w)
{
	struct live_calls calls = {w,           told_drift,    told_gone,
				   told_health, told_complete, told_reach};

	w->live = live_new(w->loop, w->t, &w->store.ops, &calls, KEY);
	w->app = live_app_new(w->live, &w->doc, w);
}

static inline void world_init(struct world *w)
{
	*w = (struct world){.loop = loop_new(), .arena = arena_new(), .wants = wants_new()};
	clock_freeze(w->loop, WALL);
	w->t = fake_new(w->loop);
	fake_store_init(&w->store);
	w->doc = (struct app){.name = STR("shop"),
			      .drift_mode = DRIFT_HEAL,
			      .health_wait = true,
			      .health_timeout = 5 * MINUTE,
			      .on_error = ON_ERROR_SKIP_DEPENDANTS};
	world_live(w);
}

/* The daemon starts again: only the target and the store are left. */
static inline void world_restart(struct world *w)
{
	live_free(w->live);
	world_live(w);
}

static inline void world_done(struct world *w)
{
	live_free(w->live);
	fake_free(w->t);
	wants_free(w->wants);
	loop_free(w->loop);
	arena_free(w->store.arena);
	arena_free(w->arena);
	buf_done(&w->told);
}

/* What was told so far, and it is empty again. */
static inline void says(struct world *w, const char *want)
{
	assert_string_equal(w->told.n ? w->told.p : "", want);
	buf_clear(&w->told);
	if (w->told.p)
		w->told.p[0] = '\0';
}

/* What is told from here on counts. */
static inline void hush(struct world *w)
{
	fake_settle(w->loop);
	buf_clear(&w->told);
	if (w->told.p)
		w->told.p[0] = '\0';
	buf_clear(&w->t->log);
	if (w->t->log.p)
		w->t->log.p[0] = '\0';
}

/* A new revision: these objects and no others. */
static inline void world_expect(struct world *w, const char *const *json, size_t n, const char *rev)
{
	struct wants *old = w->wants;

	w->wants = wants_new();
	for (size_t i = 0; i < n; i++)
		fake_want(w->wants, json[i]);
	live_app_expect(w->app, w->wants, str_from(rev));
	wants_free(old);
}

struct world_sent {
	struct world *w;
	const struct want *want;
	struct err *err;
};
static inline void world_on_sent(void *arg, enum target_outcome o, const struct target_live *live,
				 struct err *e)
{
	struct world_sent *s = arg;

	(void)o;
	if (e)
		live_not_sent(s->w->app, s->want->id);
	else
		e = live_sent(s->w->app, s->want, live, STR("rev"));
	s->err = e;
}

static inline struct err *try_send(struct world *w, obj_id id)
{
	struct world_sent s = {w, wants_get(w->wants, id), NULL};
	struct target_call *call;
	struct target_apply what;

	assert_non_null(s.want);
	assert_null(live_sending(w->app, s.want));
	what = (struct target_apply){.id = s.want->id,
				     .version = s.want->version,
				     .app = STR("shop"),
				     .json = s.want->json,
				     .force = true};
	target_apply(w->t, &what, world_on_sent, &s, &call);
	clock_turn(w->loop, 0);
	return s.err;
}

static inline void send(struct world *w, obj_id id)
{
	assert_null(try_send(w, id));
}

static inline obj_id deployment(const char *name)
{
	return (obj_id){STR("apps"), STR("Deployment"), STR("shop"), str_from(name)};
}
static inline obj_id config_map(const char *name)
{
	return (obj_id){STR(""), STR("ConfigMap"), STR("shop"), str_from(name)};
}

#define MARKS                                                                                      \
	"\"labels\":{\"leeboard.dev/app\":\"shop\",\"leeboard.dev/instance\":\"prod\"},"           \
	"\"annotations\":{\"leeboard.dev/owner\":\"prod/shop\"}"
#define CONFIG(name, data)                                                                         \
	"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" name             \
	"\",\"namespace\":\"shop\"," MARKS "},\"data\":" data "}"
#define DEPLOYMENT(name, spec)                                                                     \
	"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"" name       \
	"\",\"namespace\":\"shop\"," MARKS "},\"spec\":" spec "}"

/* The object as it stands, with `value` at the pointer (NULL: away), written by `manager`, whose
 * entry holds `fields`; ours loses nothing (tests that need that say so in `ours`). */
static inline const char *edited(struct world *w, obj_id id, const char *pointer, const char *value,
				 const char *manager, const char *fields, const char *subresource)
{
	const struct node *root = fake_json(w->arena, fake_find(w->t, id)->json), *patch, *meta;
	const char *op = !value                                      ? "remove"
			 : node_pointer_get(root, str_from(pointer)) ? "replace"
								     : "add";
	const struct node *entry;

	patch = fake_json(w->arena,
			  arena_printf(w->arena, "[{\"op\":\"%s\",\"path\":\"%s\"%s%s}]", op,
				       pointer, value ? ",\"value\":" : "", value ? value : "")
				  .p);
	assert_null(node_patch_json(w->arena, root, patch, &root));
	meta = node_get(root, STR("metadata"));
	if (manager) {
		entry = fake_json(
			w->arena,
			arena_printf(w->arena,
				     "{\"manager\":\"%s\",\"operation\":\"Update\",\"apiVersion\":"
				     "\"v1\",\"fieldsType\":\"FieldsV1\",\"time\":"
				     "\"2026-11-24T12:01:00Z\",\"fieldsV1\":%s%s%s%s}",
				     manager, fields, subresource ? ",\"subresource\":\"" : "",
				     subresource ? subresource : "", subresource ? "\"" : "")
				.p);
		meta = node_set(
			w->arena, meta, STR("managedFields"),
			node_list_add(w->arena, node_get(meta, STR("managedFields")), entry));
	}
	meta = node_set(w->arena, meta, STR("resourceVersion"),
			node_new_str(w->arena, arena_printf(w->arena, "%u", ++w->t->rv)));
	return fake_text(w->arena, node_set(w->arena, root, STR("metadata"), meta));
}

static inline void edit(struct world *w, obj_id id, const char *pointer, const char *value,
			const char *manager, const char *fields)
{
	fake_see(w->t, edited(w, id, pointer, value, manager, fields, NULL));
}
