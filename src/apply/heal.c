/* Git's value back over drift: one object, no plan. */
#include <stdlib.h>

#include "apply_priv.h"

struct apply_heal {
	struct live_app *app;
	struct target *target;
	struct arena *arena;
	const struct want *want;
	str revision;
	struct target_call *call;
	void (*done)(void *arg, obj_id id, struct err *e);
	void *arg;
	bool sent;
};

static void heal_free(struct apply_heal *h)
{
	arena_free(h->arena);
	free(h);
}

static void heal_over(struct apply_heal *h, struct err *e)
{
	void (*done)(void *arg, obj_id id, struct err *err) = h->done;
	CLEANUP(arena) struct arena *scratch = arena_new();
	obj_id id = obj_id_dup(scratch, h->want->id);
	void *arg = h->arg;

	if (e && !h->sent)
		live_not_sent(h->app, h->want->id);
	heal_free(h);
	done(arg, id, e);
}

static void on_healed(void *arg, enum target_outcome o, const struct target_live *live,
		      struct err *e)
{
	struct apply_heal *h = arg;

	(void)o;
	h->call = NULL;
	if (!e) {
		h->sent = true;
		e = live_sent(h->app, h->want, live, h->revision);
	}
	heal_over(h, e);
}

static void heal_write(struct apply_heal *h, str body)
{
	struct target_apply what = {.id = h->want->id,
				    .version = h->want->version,
				    .app = live_app_name(h->app),
				    .json = body,
				    .force = true};

	target_apply(h->target, &what, on_healed, h, &h->call);
}

static void on_read(void *arg, const struct target_live *p, size_t n, struct err *e)
{
	struct apply_heal *h = arg;
	str body = h->want->json;

	h->call = NULL;
	if (!e && n && p[0].failed)
		e = err_new(ERR_TARGET_UNREACHABLE, STR_FMT " could not be read",
			    STR_ARG(obj_id_label(h->arena, h->want->id)));
	if (!e && n)
		e = live_body(h->arena, h->app, h->want, &p[0], &body);
	if (e)
		heal_over(h, e);
	else
		heal_write(h, body);
}

struct err *apply_heal_start(struct loop *loop, struct live_app *app, const struct want *w,
			     str revision, void (*done)(void *arg, obj_id id, struct err *e),
			     void *arg, struct apply_heal **ret)
{
	struct apply_heal *h;

	(void)loop;
	TRY(live_sending(app, w));
	h = xcalloc(1, sizeof(*h));
	h->app = app;
	h->target = live_target(live_app_live(app));
	h->arena = arena_new();
	h->want = w;
	h->revision = arena_str(h->arena, revision);
	h->done = done;
	h->arg = arg;
	*ret = h;
	if (live_yields(app, w)) {
		struct target_want_live id = {w->id, w->version, live_app_name(app)};

		target_get(h->target, &id, 1, false, on_read, h, &h->call);
	} else {
		heal_write(h, w->json);
	}
	return NULL;
}

void apply_heal_stop(struct apply_heal *h)
{
	if (!h)
		return;
	target_cancel(h->call);
	live_not_sent(h->app, h->want->id);
	heal_free(h);
}
