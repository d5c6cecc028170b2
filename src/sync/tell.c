/* tell: events to people, through notify, and to whoever listens to the stream. */
#include "sync_priv.h"

#include <stdlib.h>

struct sync_listener {
	struct sync *s;
	void (*fn)(void *arg, uint64_t number, str name, str json);
	void *arg;
};

struct sync_listener *
sync_listen(struct sync *s, void (*fn)(void *arg, uint64_t number, str name, str json), void *arg)
{
	struct sync_listener *l = xcalloc(1, sizeof(*l));

	*l = (struct sync_listener){s, fn, arg};
	LIST_ADD(&s->listeners, l);
	return l;
}

void sync_unlisten(struct sync_listener *l)
{
	if (!l)
		return;
	LIST_DEL(&l->s->listeners, l);
	free(l);
}

static void to_listeners(struct sync *s, uint64_t number, str name, str json)
{
	/* A listener may end itself while it is told, no other one. */
	for (size_t i = s->listeners.n; i-- > 0;)
		s->listeners.p[i]->fn(s->listeners.p[i]->arg, number, name, json);
}

void tell(struct sync *s, const struct tell *t)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	enum incident_verdict verdict = INCIDENT_NONE;
	struct event e = {
		.kind = t->kind,
		.severity = t->severity >= 0 ? (enum event_severity)t->severity
					     : event_severity_of(t->kind),
		.instance = str_from(s->instance),
		.app = t->app,
		.source = t->source,
		.revision = t->revision,
		.message = t->message,
		.release = t->release,
		.has_object = t->object != NULL,
		.object_version = t->object_version,
		.object_uid = t->object_uid,
		.class = t->class,
		.action = t->action,
		.mode = t->mode,
		.fields = t->fields,
		.fields_n = t->fields_n,
		.more = t->more,
		.more_n = t->more_n,
	};
	struct err *err;

	if (t->object)
		e.object = *t->object;
	if (t->notes) { /* of the App: they come along as pairs */
		e.notes = t->notes->pairs;
		e.notes_n = t->notes->n;
	}
	err = notify_send(s->notify, a, &e, &verdict);
	if (err) {
		CLEANUP(buf) struct buf line = BUF_INIT;

		err_line_to(err, &line);
		log_error(s->log, "event.lost", "event", event_name(t->kind), "error", line.p);
		err_free(err);
		s->failed_storage = true;
		return;
	}
	if (verdict != INCIDENT_SAY || !s->listeners.n)
		return;
	event_cloudevent(&e, &b);
	to_listeners(s, e.number, str_from(event_name(t->kind)), buf_view(&b));
}

void tell_progress(struct app_run *app, const struct run *r, const char *stage, str more)
{
	struct sync *s = app->s;
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!s->listeners.n)
		return;
	buf_str(&b, STR("{\"kind\":\"Progress\",\"app\":"));
	buf_json(&b, str_from(app->name));
	buf_printf(&b, ",\"revision\":\"%s\",\"stage\":\"%s\"", r->rev, stage);
	buf_str(&b, more);
	buf_char(&b, '}');
	to_listeners(s, 0, STR("progress"), buf_view(&b));
}
