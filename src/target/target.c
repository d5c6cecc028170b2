/* One table of functions for the places where objects live. */
#include "target_priv.h"

static const struct target_ops *ops_for(const struct app_target *where)
{
	return where->kind == TARGET_DIRECTORY ? &target_dir : &target_kube;
}

str target_key(struct arena *a, const struct app_target *where)
{
	const struct target_ops *ops = ops_for(where);
	str key =
		ops->sort == TARGET_SORT_DIR ? target_dir_key(a, where) : target_kube_key(a, where);

	return arena_printf(a, "%s:" STR_FMT, ops->name, STR_ARG(key));
}

struct err *target_open(const struct target_env *env, const struct app_target *where,
			struct target **ret)
{
	return ops_for(where)->open(env, where, ret);
}

void target_close(struct target *t)
{
	if (t)
		t->ops->close(t);
}

/* ------------------------------------------------------------------ facts */

enum target_sort target_sort(const struct target *t)
{
	return t->ops->sort;
}

bool target_marks(const struct target *t)
{
	return t->ops->marks;
}

bool target_tells_health(const struct target *t)
{
	return t->ops->tells_health;
}

enum obj_scope target_scope(void *target, str group, str version, str kind)
{
	struct target *t = target;

	return t->ops->scope ? t->ops->scope(t, group, version, kind)
			     : obj_scope_builtin(group, kind);
}

bool target_serves(const struct target *t, str group, str version, str kind)
{
	return !t->ops->serves || t->ops->serves(t, group, version, kind);
}

bool target_has_status(const struct target *t, str group, str version, str kind)
{
	return t->ops->has_status && t->ops->has_status(t, group, version, kind);
}

str target_place(const struct target *t)
{
	return t->place;
}

str target_uid(const struct target *t)
{
	return t->uid;
}

msec target_last_request(const struct target *t)
{
	return t->last_request;
}

uint64_t target_requests(const struct target *t)
{
	return t->requests;
}

uint64_t target_writes(const struct target *t)
{
	return t->writes;
}

/* ------------------------------------------------------------------ calls */

void target_cancel(struct target_call *c)
{
	if (c)
		c->target->ops->cancel(c);
}

void target_ready(struct target *t, target_done done, void *arg, struct target_call **ret)
{
	t->ops->ready(t, done, arg, ret);
}

void target_discover(struct target *t, target_done done, void *arg, struct target_call **ret)
{
	t->ops->discover(t, done, arg, ret);
}

void target_records(struct target *t, str app, target_records_done done, void *arg,
		    struct target_call **ret)
{
	t->ops->records(t, app, done, arg, ret);
}

void target_record_put(struct target *t, const struct target_record *r, target_done done, void *arg,
		       struct target_call **ret)
{
	t->ops->record_put(t, r, done, arg, ret);
}

void target_inventory_put(struct target *t, str app, const struct inventory *inv, target_done done,
			  void *arg, struct target_call **ret)
{
	t->ops->inventory_put(t, app, inv, done, arg, ret);
}

void target_record_drop(struct target *t, str app, target_done done, void *arg,
			struct target_call **ret)
{
	t->ops->record_drop(t, app, done, arg, ret);
}

void target_get(struct target *t, const struct target_want_live *ids, size_t n, bool meta,
		target_get_done done, void *arg, struct target_call **ret)
{
	t->ops->get(t, ids, n, meta, done, arg, ret);
}

void target_list(struct target *t, const struct target_list *what, target_get_done done, void *arg,
		 struct target_call **ret)
{
	if (t->ops->list)
		t->ops->list(t, what, done, arg, ret);
	else
		t->ops->get(t, NULL, 0, false, done, arg, ret);
}

void target_apply(struct target *t, const struct target_apply *what, target_apply_done done,
		  void *arg, struct target_call **ret)
{
	t->ops->apply(t, what, done, arg, ret);
}

void target_preview(struct target *t, const struct target_apply *what, target_apply_done done,
		    void *arg, struct target_call **ret)
{
	t->ops->preview(t, what, done, arg, ret);
}

void target_delete(struct target *t, const struct target_delete *what, target_done done, void *arg,
		   struct target_call **ret)
{
	t->ops->remove(t, what, done, arg, ret);
}

/* ------------------------------------------------------------------ watching */

void target_listen(struct target *t, void (*event)(void *arg, const struct target_event *e),
		   void *arg)
{
	t->event = event;
	t->event_arg = arg;
}

void target_tell(struct target *t, const struct target_event *e)
{
	if (t->event)
		t->event(t->event_arg, e);
}

struct err *target_watch(struct target *t, str group, str version, str kind)
{
	return t->ops->watch(t, group, version, kind);
}

void target_unwatch(struct target *t, str group, str version, str kind)
{
	t->ops->unwatch(t, group, version, kind);
}
