/* The `Plan` document: what the API, `plan -o json` and the store show, and screens are made from.
 */
#include "plan_priv.h"

#define ID_SHOWN 12

static void key(struct buf *b, const char *k)
{
	if (b->n && b->p[b->n - 1] != '{' && b->p[b->n - 1] != '[')
		buf_char(b, ',');
	buf_printf(b, "\"%s\":", k);
}

static void text(struct buf *b, const char *k, str v)
{
	if (!v.n)
		return;
	key(b, k);
	buf_json(b, v);
}

static void number(struct buf *b, const char *k, size_t n)
{
	if (!n)
		return;
	key(b, k);
	buf_printf(b, "%zu", n);
}

static void value(struct buf *b, const char *k, const struct node *n)
{
	if (!n)
		return;
	key(b, k);
	node_json(n, NODE_JSON_COMPACT, b);
}

static void next(struct buf *b)
{
	if (b->p[b->n - 1] != '[')
		buf_char(b, ',');
}

static void object(struct buf *b, obj_id id, str version, str uid)
{
	buf_char(b, '{');
	text(b, "group", id.group);
	text(b, "version", version);
	text(b, "kind", id.kind);
	text(b, "namespace", id.ns);
	text(b, "name", id.name);
	text(b, "uid", uid);
	buf_char(b, '}');
}

static void field(struct buf *b, const struct plan_field *f, str commit)
{
	CLEANUP(arena) struct arena *a = arena_new();

	buf_char(b, '{');
	text(b, "path", f->path);
	value(b, "git", f->git);
	value(b, "live", f->live);
	value(b, "applied", f->applied);
	text(b, "class", diff_class_name(f->class));
	if (f->redacted) {
		key(b, "redacted");
		buf_str(b, STR("true"));
	}
	if (f->origin_file.n) {
		key(b, "origin");
		buf_char(b, '{');
		text(b, "file", f->origin_file);
		number(b, "line", f->origin_line);
		text(b, "commit", commit);
		buf_char(b, '}');
	}
	if (f->writer.n) {
		key(b, "writer");
		buf_char(b, '{');
		text(b, "manager", f->writer);
		text(b, "operation", f->writer_operation);
		text(b, "subresource", f->writer_subresource);
		if (f->writer_at)
			text(b, "lastActive", time_rfc3339(a, f->writer_at, false));
		buf_char(b, '}');
	}
	buf_char(b, '}');
}

static void error(struct buf *b, const struct plan_step *s)
{
	key(b, "error");
	buf_char(b, '{');
	text(b, "code", str_from(err_code_name(s->code)));
	text(b, "message", s->message);
	text(b, "file", s->file);
	number(b, "line", s->line);
	number(b, "column", s->col);
	buf_char(b, '}');
}

static void reasons(struct buf *b, unsigned waits)
{
	if (!waits)
		return;
	key(b, "waits");
	buf_char(b, '[');
#define X(name, bit, word)                                                                         \
	if (waits & bit) {                                                                         \
		next(b);                                                                           \
		buf_json(b, STR(word));                                                            \
	}
	PLAN_REASONS(X)
#undef X
	buf_char(b, ']');
}

/* Whether it is worth a line: what is as it should be is only counted. */
static bool is_told(const struct plan_step *s)
{
	return s->action != PLAN_NONE || s->fields_n || s->why.n;
}

static void one_step(struct buf *b, const struct plan *p, const struct plan_step *s)
{
	buf_char(b, '{');
	number(b, "wave", s->wave + 1);
	text(b, "action", plan_action_name(s->action));
	key(b, "object");
	object(b, s->id, s->version, s->uid);
	if (s->fields_n) {
		key(b, "fields");
		buf_char(b, '[');
		for (size_t i = 0; i < s->fields_n; i++) {
			next(b);
			field(b, &s->fields[i], p->to);
		}
		buf_char(b, ']');
		if (s->fields_all > s->fields_n)
			number(b, "fieldsTotal", s->fields_all);
	}
	if (s->drifted) {
		key(b, "drifted");
		buf_str(b, STR("true"));
	}
	text(b, "why", s->why);
	text(b, "app", s->other);
	reasons(b, s->waits);
	if (s->blocked_by != SIZE_MAX) {
		const struct plan_step *on = &p->steps[s->blocked_by];

		key(b, "blockedBy");
		object(b, on->id, on->version, STR_NONE);
	}
	if (s->action == PLAN_REFUSED)
		error(b, s);
	buf_char(b, '}');
}

void plan_json(const struct plan *p, str instance, msec time, struct buf *b)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct plan_count *c = &p->counts;
	str id = str_sub(p->id, 0, ID_SHOWN);

	buf_char(b, '{');
	text(b, "apiVersion", STR("leeboard.dev/v1"));
	text(b, "kind", STR("Plan"));
	text(b, "instance", instance);
	if (time)
		text(b, "time", time_rfc3339(a, time, false));
	text(b, "id", id);
	text(b, "app", p->app);
	text(b, "from", p->from);
	text(b, "to", p->to);
	key(b, "counts");
	buf_char(b, '{');
	number(b, "create", c->create);
	number(b, "change", c->change);
	number(b, "adopt", c->adopt);
	number(b, "recreate", c->recreate);
	number(b, "transfer", c->transfer);
	number(b, "delete", c->delete);
	number(b, "release", c->release);
	number(b, "refused", c->refused);
	number(b, "none", c->none);
	number(b, "writes", c->writes);
	number(b, "waits", c->waits);
	buf_char(b, '}');
	key(b, "waves");
	buf_printf(b, "%zu", p->waves + p->delete_waves);
	if (p->approved) {
		key(b, "approved");
		buf_str(b, STR("true"));
	}
	key(b, "waiting");
	buf_char(b, '[');
	for (size_t i = 0; i < p->waiting_n; i++) {
		next(b);
		buf_char(b, '{');
		text(b, "reason", plan_reason_name(p->waiting[i].reason));
		text(b, "message", p->waiting[i].message);
		buf_char(b, '}');
	}
	buf_char(b, ']');
	if (p->waiting_n)
		text(b, "release",
		     arena_printf(a, "leeboard approve " STR_FMT " --plan " STR_FMT,
				  STR_ARG(p->app), STR_ARG(id)));
	key(b, "steps");
	buf_char(b, '[');
	for (size_t i = 0; i < p->n; i++)
		if (is_told(&p->steps[i])) {
			next(b);
			one_step(b, p, &p->steps[i]);
		}
	buf_char(b, ']');
	if (p->warnings_n) {
		key(b, "warnings");
		buf_char(b, '[');
		for (size_t i = 0; i < p->warnings_n; i++) {
			next(b);
			buf_json(b, p->warnings[i]);
		}
		buf_char(b, ']');
	}
	buf_char(b, '}');
}
