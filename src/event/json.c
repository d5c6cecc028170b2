/* An event as CloudEvents, as Flux's Event, and as text. Our own small messages go through cJSON; a
 * value of an object goes in raw, since cJSON would round its numbers. */
#include "leeboard/event.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

static void add(cJSON *o, const char *key, str value)
{
	char *s;

	if (!value.n)
		return;
	s = xstrndup(value.p, value.n);
	cJSON_AddStringToObject(o, key, s);
	free(s);
}

static void add_node(cJSON *o, const char *key, const struct node *n)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!n)
		return;
	node_json(n, NODE_JSON_COMPACT, &b);
	cJSON_AddRawToObject(o, key, b.p);
}

static void add_pairs(cJSON *o, const struct node_pair *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *key = xstrndup(p[i].key.p, p[i].key.n);

		add_node(o, key, p[i].value);
		free(key);
	}
}

static void print(cJSON *o, struct buf *b)
{
	char *s = cJSON_PrintUnformatted(o);

	buf_str(b, str_from(s));
	cJSON_free(s);
	cJSON_Delete(o);
}

static cJSON *object_json(const struct event *e)
{
	cJSON *o = cJSON_CreateObject();

	add(o, "group", e->object.group);
	add(o, "version", e->object_version);
	add(o, "kind", e->object.kind);
	add(o, "namespace", e->object.ns);
	add(o, "name", e->object.name);
	add(o, "uid", e->object_uid);
	return o;
}

static cJSON *field_json(const struct event_field *f)
{
	cJSON *o = cJSON_CreateObject();

	add(o, "path", f->path);
	if (f->redacted) {
		cJSON_AddTrueToObject(o, "redacted");
	} else {
		add_node(o, "git", f->git);
		add_node(o, "live", f->live);
		add_node(o, "applied", f->applied);
	}
	if (f->origin.file.n) {
		cJSON *origin = cJSON_AddObjectToObject(o, "origin");

		add(origin, "file", f->origin.file);
		if (f->origin.line)
			cJSON_AddNumberToObject(origin, "line", f->origin.line);
		add(origin, "commit", f->origin.commit);
		add(origin, "signer", f->origin.signer);
	}
	if (f->writer.manager.n) {
		cJSON *writer = cJSON_AddObjectToObject(o, "writer");

		add(writer, "manager", f->writer.manager);
		add(writer, "operation", f->writer.operation);
		add(writer, "subresource", f->writer.subresource);
		add(writer, "lastActive", f->writer.last_active);
	}
	return o;
}

/* "apps/v1/Deployment/mail/mail", or the revision. */
static str subject(struct arena *a, const struct event *e)
{
	if (!e->has_object)
		return e->revision;
	return arena_printf(
		a, STR_FMT "/" STR_FMT "/" STR_FMT "/" STR_FMT "/" STR_FMT,
		STR_ARG(e->object.group), STR_ARG(e->object_version), STR_ARG(e->object.kind),
		STR_ARG(e->object.ns.n ? e->object.ns : STR("-")), STR_ARG(e->object.name));
}

static str emitter(struct arena *a, const struct event *e)
{
	str name = e->app.n ? e->app : e->source;

	if (!name.n)
		return arena_printf(a, "/" STR_FMT, STR_ARG(e->instance));
	return arena_printf(a, "/" STR_FMT "/%s/" STR_FMT, STR_ARG(e->instance),
			    e->app.n ? "apps" : "sources", STR_ARG(name));
}

void event_cloudevent(const struct event *e, struct buf *b)
{
	CLEANUP(arena) struct arena *a = arena_new();
	cJSON *o = cJSON_CreateObject(), *data;

	cJSON_AddStringToObject(o, "specversion", "1.0");
	add(o, "id", e->id);
	add(o, "type", arena_printf(a, "dev.leeboard.%s", event_name(e->kind)));
	add(o, "source", emitter(a, e));
	add(o, "subject", subject(a, e));
	add(o, "time", time_rfc3339(a, e->time, true));
	cJSON_AddStringToObject(o, "datacontenttype", "application/json");
	cJSON_AddStringToObject(o, "severity", event_severity_name(e->severity));
	add(o, "incident", e->incident);
	if (e->sequence)
		cJSON_AddNumberToObject(o, "sequence", (double)e->sequence);
	data = cJSON_AddObjectToObject(o, "data");
	add(data, e->app.n ? "app" : "source", e->app.n ? e->app : e->source);
	add(data, "revision", e->revision);
	add(data, "message", e->message);
	if (e->has_object)
		cJSON_AddItemToObject(data, "object", object_json(e));
	add(data, "class", e->class);
	if (e->fields_n) {
		cJSON *list = cJSON_AddArrayToObject(data, "fields");

		for (size_t i = 0; i < e->fields_n; i++)
			cJSON_AddItemToArray(list, field_json(&e->fields[i]));
	}
	add(data, "action", e->action);
	add(data, "mode", e->mode);
	add_pairs(data, e->more, e->more_n);
	add(data, "release", e->release);
	if (e->notes_n)
		add_pairs(cJSON_AddObjectToObject(data, "notes"), e->notes, e->notes_n);
	print(o, b);
}

void event_flux(const struct event *e, struct buf *b)
{
	CLEANUP(arena) struct arena *a = arena_new();
	cJSON *o = cJSON_CreateObject(), *about = cJSON_AddObjectToObject(o, "involvedObject"),
	      *meta;

	cJSON_AddStringToObject(about, "apiVersion", "leeboard.dev/v1");
	cJSON_AddStringToObject(about, "kind",
				e->app.n      ? "App"
				: e->source.n ? "Source"
					      : "Daemon");
	add(about, "name", e->app.n ? e->app : e->source.n ? e->source : e->instance);
	/* Flux knows info and error only; what needs a look is an error there. */
	cJSON_AddStringToObject(o, "severity", e->severity == EVENT_INFO ? "info" : "error");
	add(o, "timestamp", time_rfc3339(a, e->time, false));
	add(o, "message", e->message);
	cJSON_AddStringToObject(o, "reason", event_name(e->kind));
	meta = cJSON_AddObjectToObject(o, "metadata");
	add(meta, "revision", e->revision);
	add(meta, "incident", e->incident);
	cJSON_AddStringToObject(o, "reportingController", "leeboard");
	add(o, "reportingInstance", e->instance);
	print(o, b);
}

/* Lines of event_text after the first. */
#define TEXT_LINES 12u

static void value(const struct node *n, struct buf *b)
{
	if (n)
		node_brief(n, 60, b);
	else
		buf_char(b, '-');
}

/* "13:40" of "2026-11-22T13:40:07Z". */
static void clock_of(str time, struct buf *b)
{
	size_t t = str_chr(time, 'T');

	if (t == SIZE_MAX || time.n < t + 6)
		return;
	buf_str(b, STR(", "));
	buf_escaped(b, str_sub(time, t + 1, 5));
}

static void field_text(const struct event_field *f, struct buf *b)
{
	buf_str(b, STR("\n  "));
	buf_escaped(b, f->path);
	if (f->redacted) {
		buf_str(b, STR("   changed (value not shown)"));
	} else {
		buf_str(b, STR("   git "));
		value(f->git, b);
		buf_str(b, STR(" → live "));
		value(f->live, b);
	}
	if (f->writer.manager.n) {
		buf_str(b, STR("   "));
		buf_escaped(b, f->writer.manager);
		clock_of(f->writer.last_active, b);
	}
	if (f->origin.file.n) {
		buf_str(b, STR("   from "));
		buf_escaped(b, f->origin.file);
		buf_printf(b, ":%u", f->origin.line);
	}
	if (f->origin.file.n && f->origin.commit.n) {
		buf_str(b, STR(" ("));
		buf_escaped(b, str_sub(f->origin.commit, 0, 7));
		if (f->origin.signer.n) {
			buf_str(b, STR(", "));
			buf_escaped(b, f->origin.signer);
		}
		buf_char(b, ')');
	}
}

/* What was done about it, and the command that ends it. */
static void what_now(const struct event *e, struct buf *b)
{
	if (e->kind == EVENT_DRIFT_FOUND && str_eq(e->action, STR("none"))) {
		buf_str(b, STR("Nothing was changed back"));
		if (e->mode.n) {
			buf_str(b, STR(" ("));
			buf_escaped(b, e->mode);
			buf_char(b, ')');
		}
		buf_str(b, e->release.n ? STR(".   ") : STR("."));
	}
	buf_escaped(b, e->release);
}

void event_text(const struct event *e, struct buf *b)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf last = BUF_INIT;
	size_t room;

	buf_printf(b, "%s  ", event_words(e->kind));
	buf_escaped(b, e->instance);
	if (e->app.n || e->source.n) {
		buf_str(b, STR(" / "));
		buf_escaped(b, e->app.n ? e->app : e->source);
	}
	if (e->has_object) {
		buf_str(b, STR("   "));
		buf_escaped(b, obj_id_label(a, e->object));
	}
	if (e->revision.n) {
		buf_str(b, STR("   "));
		buf_escaped(b, str_sub(e->revision, 0, 7));
	}
	what_now(e, &last);
	if (e->message.n && !e->fields_n) {
		buf_str(b, STR("\n  "));
		buf_escaped(b, e->message);
	}
	room = TEXT_LINES - (last.n ? 1 : 0);
	for (size_t i = 0; i < e->fields_n; i++) {
		if (i + 1 == room && e->fields_n > room) {
			buf_printf(b, "\n  and %zu more fields", e->fields_n - i);
			break;
		}
		field_text(&e->fields[i], b);
	}
	if (last.n) {
		buf_str(b, STR("\n  "));
		buf_str(b, buf_view(&last));
	}
}
