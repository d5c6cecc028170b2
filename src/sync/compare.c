/* compare: what differs, for people: plan, diff, why, export, graph. */
#include "sync_priv.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ plans */

static void unable(struct sync_asked *q)
{
	struct app_run *a = q->app;

	ask_fail(q, 503,
		 err_hint(err_new(a->state == APP_STALLED ? ERR_TARGET_UNREACHABLE : ERR_NOT_FOUND,
				  "nothing is known of App '%s' yet%s%s", a->name,
				  a->message ? ": " : "", a->message ? a->message : ""),
			  "leeboard status %s", a->name));
}

static str full_revision(struct sync_asked *q, str rev);

static void on_planned(void *arg, struct run *r, struct err *e)
{
	struct sync_asked *q = arg;
	struct sync *s = q->s;
	const struct plan *p = r->plan;
	struct buf *b = &q->b;

	q->run = NULL;
	if (e) {
		ask_fail(q, 422, e);
		return;
	}
	plan_json(p, str_from(s->instance), clock_wall(s->loop), b);
	b->n--; /* its brace */
	show_revision(s, b, "commit", str_from(q->app->source->name), p->to, 0);
	ask_answer(q, p->empty && !p->counts.refused ? 0 : 1);
}

void ask_plan(struct sync_asked *q)
{
	struct app_run *a = q->app;
	str rev = ask_text(q, "rev");

	if (!a->rev[0] && !rev.n) {
		unable(q);
		return;
	}
	if (rev.n) {
		rev = full_revision(q, rev);
		if (!rev.n)
			return;
	}
	q->run = run_dry(a, rev, false, on_planned, q);
}

/* ------------------------------------------------------------------ diff against live */

static const char *diff_action(const struct plan_step *st)
{
	switch (st->action) {
	case PLAN_CREATE:
		return "create";
	case PLAN_DELETE:
	case PLAN_RELEASE:
	case PLAN_KEEP:
		return "delete";
	default:
		return "change";
	}
}

static void on_diff(void *arg, struct run *r, struct err *e)
{
	struct sync_asked *q = arg;
	const struct plan *p = r->plan;
	struct buf *b = &q->b;
	size_t differ = 0, same = 0;

	q->run = NULL;
	if (e) {
		ask_fail(q, 422, e);
		return;
	}
	show_begin(q->s, b, "Diff");
	show_text(b, "app", q->app->name);
	show_text(b, "from", r->rev);
	show_open(b, "items", '[');
	for (size_t i = 0; i < p->n; i++) {
		const struct plan_step *st = &p->steps[i];

		if (st->action == PLAN_GONE || (st->action == PLAN_NONE && !st->fields_n)) {
			same += st->action == PLAN_NONE;
			continue;
		}
		differ++;
		show_next(b);
		buf_str(b, STR("{\"object\":"));
		show_object(b, st->id, st->version, st->uid);
		show_text(b, "action", diff_action(st));
		show_open(b, "fields", '[');
		for (size_t k = 0; k < st->fields_n; k++) {
			show_next(b);
			show_plan_field(q->arena, b, &st->fields[k]);
		}
		buf_char(b, ']');
		if (st->want)
			show_origin(b, st->want->file, st->want->line, STR_NONE, STR_NONE);
		buf_char(b, '}');
	}
	buf_char(b, ']');
	show_num(b, "differ", differ);
	show_num(b, "same", same);
	ask_answer(q, differ ? 1 : 0);
}

/* ------------------------------------------------------------------ diff of two revisions */

/* The commit that a person names: an id's beginning, "@N" (the Nth sync before the last), "live",
 * "tip". Empty: it was answered with an error. */
static str full_revision(struct sync_asked *q, str rev)
{
	struct app_run *a = q->app;
	struct sync *s = q->s;
	struct store_commit c = {0};
	uint64_t n;
	struct err *e;

	if (str_eq(rev, STR("live")))
		return str_from(a->rev);
	if (str_eq(rev, STR("tip")))
		return a->source->trust.accepted_oid;
	if (rev.n > 1 && rev.p[0] == '@' && str_to_u64(str_sub(rev, 1, rev.n), &n) &&
	    n < STORE_MAX_PAGE) {
		struct store_sync_query f = {.app = str_from(a->name), .most = (size_t)n + 1};
		struct store_syncs rows = {0};

		err_free(store_sync_list(s->store, q->arena, &f, &rows));
		if (rows.n > n)
			return rows.p[n].revision;
		ask_fail(q, 404,
			 err_new(ERR_NOT_FOUND, "App '%s' had only %zu syncs", a->name, rows.n));
		return STR_NONE;
	}
	if (rev.n >= 4 && str_starts(str_from(a->rev), rev))
		return str_from(a->rev);
	e = store_commit_get(s->store, q->arena, str_from(a->source->name), rev, &c);
	if (e) {
		ask_fail(q, 422, e);
		return STR_NONE;
	}
	if (!c.oid.p) {
		ask_fail(q, 404,
			 err_hint(err_new(ERR_NOT_FOUND, "no revision '" STR_FMT "' of Source '%s'",
					  STR_ARG(rev), a->source->name),
				  "leeboard history %s lists them", a->name));
		return STR_NONE;
	}
	return c.oid;
}

/* What the App was at a commit: its own rendering, or that of the last sync before. */
static struct err *rendering_at(struct sync_asked *q, str oid, struct wants **ret)
{
	struct app_run *a = q->app;
	struct sync *s = q->s;
	struct store_sync_query f = {.app = str_from(a->name), .most = STORE_MAX_PAGE};
	struct store_syncs rows = {0};
	struct store_commit c = {0};

	TRY(store_render_get(s->store, str_from(a->name), oid, ret));
	if (*ret)
		return NULL;
	TRY(store_commit_get(s->store, q->arena, str_from(a->source->name), oid, &c));
	TRY(store_sync_list(s->store, q->arena, &f, &rows));
	for (size_t i = 0; i < rows.n; i++) {
		struct store_commit at = {0};

		TRY(store_commit_get(s->store, q->arena, str_from(a->source->name),
				     rows.p[i].revision, &at));
		if (!c.oid.p || !at.oid.p || at.accepted > c.accepted)
			continue;
		TRY(store_render_get(s->store, str_from(a->name), rows.p[i].revision, ret));
		if (*ret)
			return NULL;
	}
	return err_new(ERR_NOT_FOUND, "the rendering at " STR_FMT " is not stored",
		       STR_ARG(short_id(oid)));
}

/* A Secret's value stands as {"$hash": ...}: the field above it is what changed. */
static str secret_path(str path, bool *redacted)
{
	str tail = STR("[\"$hash\"]"), dot = STR(".$hash");

	*redacted = true;
	if (str_ends(path, tail))
		return str_sub(path, 0, path.n - tail.n);
	if (str_ends(path, dot))
		return str_sub(path, 0, path.n - dot.n);
	*redacted = str_starts(path, STR(".data"));
	return path;
}

static struct err *fields_between(struct sync_asked *q, const struct want *old,
				  const struct want *new)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct object x = {0}, y = {0};
	struct diff_changes d = {0};
	struct diff_witnesses w = {0};
	struct buf *b = &q->b;

	if (old)
		TRY(want_tree(a, old, &x));
	if (new)
		TRY(want_tree(a, new, &y));
	w.applied = w.live = x.root;
	w.desired = y.root;
	w.schema = obj_schema_of(node_get_text(y.root ? y.root : x.root, STR("apiVersion")),
				 new ? new->id.kind : old->id.kind);
	if (old && new)
		TRY(diff_changes(a, &w, &d));
	for (size_t i = 0; i < d.n; i++) {
		const struct diff_change *c = &d.p[i];
		const struct want_origin *o;
		bool redacted = false;
		str path = c->path;

		if (obj_is_secret(new->id))
			path = secret_path(path, &redacted);
		o = want_origin(new, path);
		show_next(b);
		buf_char(b, '{');
		show_str(b, "path", path);
		show_bool(b, "redacted", redacted);
		show_node(b, "applied", c->live);
		show_node(b, "git", c->desired);
		show_text(b, "class", "change");
		show_origin(b, o ? o->file : new->file, o ? o->line : new->line, STR_NONE,
			    STR_NONE);
		buf_char(b, '}');
	}
	return NULL;
}

static struct err *item_between(struct sync_asked *q, const struct want *old,
				const struct want *new)
{
	const struct want *any = new ? new : old;
	struct buf *b = &q->b;

	show_next(b);
	buf_str(b, STR("{\"object\":"));
	show_object(b, any->id, any->version, STR_NONE);
	show_text(b, "action", !old ? "create" : !new ? "delete" : "change");
	show_open(b, "fields", '[');
	TRY(fields_between(q, old, new));
	buf_char(b, ']');
	show_origin(b, any->file, any->line, STR_NONE, STR_NONE);
	buf_char(b, '}');
	return NULL;
}

static struct err *diff_revisions(struct sync_asked *q, str from, str to, size_t *differ,
				  size_t *same)
{
	CLEANUP(wants) struct wants *old = NULL;
	CLEANUP(wants) struct wants *new = NULL;

	TRY(rendering_at(q, from, &old));
	TRY(rendering_at(q, to, &new));
	show_begin(q->s, &q->b, "Diff");
	show_text(&q->b, "app", q->app->name);
	show_str(&q->b, "from", from);
	show_str(&q->b, "to", to);
	show_open(&q->b, "items", '[');
	for (size_t i = 0; i < new->n; i++) {
		const struct want *was = wants_get(old, new->p[i].id);

		if (was && hash_eq(&was->digest, &new->p[i].digest)) {
			++*same;
			continue;
		}
		++*differ;
		TRY(item_between(q, was, &new->p[i]));
	}
	for (size_t i = 0; i < old->n; i++) {
		if (wants_get(new, old->p[i].id))
			continue;
		++*differ;
		TRY(item_between(q, &old->p[i], NULL));
	}
	return NULL;
}

void ask_diff(struct sync_asked *q)
{
	str from = ask_text(q, "from"), to = ask_text(q, "to");
	size_t differ = 0, same = 0;
	struct err *e;

	if (!from.n && !to.n) {
		if (!q->app->rev[0])
			unable(q);
		else
			q->run = run_dry(q->app, STR_NONE, true, on_diff, q);
		return;
	}
	from = full_revision(q, from.n ? from : STR("live"));
	if (!from.n)
		return;
	to = full_revision(q, to.n ? to : STR("live"));
	if (!to.n)
		return;
	e = diff_revisions(q, from, to, &differ, &same);
	if (e) {
		ask_fail(q, 404, e);
		return;
	}
	buf_char(&q->b, ']');
	show_num(&q->b, "differ", differ);
	show_num(&q->b, "same", same);
	ask_answer(q, differ ? 1 : 0);
}

/* ------------------------------------------------------------------ why */

#define WHY_MAX_FIELDS 300u
#define WHY_LOOK_BACK 50u

/* "/spec/replicas" and "spec.replicas" as ".spec.replicas". */
static str field_path(struct arena *a, str f)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct node_path p = {0};

	if (!f.n || f.p[0] == '.' || f.p[0] == '[')
		return f;
	if (f.p[0] != '/')
		return arena_printf(a, "." STR_FMT, STR_ARG(f));
	struct err *e = node_pointer_split(a, f, &p);

	if (e) {
		err_free(e);
		return f;
	}
	for (size_t i = 0; i < p.n; i++) {
		bool plain = p.p[i].n > 0;

		for (size_t k = 0; k < p.p[i].n; k++)
			plain &= p.p[i].p[k] != '.' && p.p[i].p[k] != '/';
		if (plain)
			buf_printf(&b, "." STR_FMT, STR_ARG(p.p[i]));
		else
			buf_printf(&b, "[\"" STR_FMT "\"]", STR_ARG(p.p[i]));
	}
	return arena_str(a, buf_view(&b));
}

static bool below(str path, str asked)
{
	return str_starts(path, asked) &&
	       (path.n == asked.n || path.p[asked.n] == '.' || path.p[asked.n] == '[');
}

/* The oldest stored revision since which the field has had Git's value: its commit wrote it. */
static str written_by(struct sync_asked *q, const struct want *now, str path)
{
	struct sync *s = q->s;
	struct store_sync_query f = {.app = str_from(q->app->name), .most = WHY_LOOK_BACK};
	struct store_syncs rows = {0};
	str since = str_from(q->app->now->rev);

	err_free(store_sync_list(s->store, q->arena, &f, &rows));
	for (size_t i = 0; i < rows.n; i++) {
		CLEANUP(arena) struct arena *a = arena_new();
		struct want old = {0};
		struct object x = {0}, y = {0};
		struct diff_changes d = {0};
		struct diff_witnesses w = {0};
		struct err *e;

		if (str_eq(rows.p[i].revision, since))
			continue;
		e = store_render_one(s->store, a, str_from(q->app->name), rows.p[i].revision,
				     now->id, &old);
		if (e || !old.json.p) {
			bool had = false;

			err_free(e);
			err_free(store_render_has(s->store, str_from(q->app->name),
						  rows.p[i].revision, &had));
			if (had)
				break; /* the object was not there yet */
			continue;
		}
		e = want_tree(a, &old, &x);
		if (!e)
			e = want_tree(a, now, &y);
		w.applied = w.live = x.root;
		w.desired = y.root;
		if (!e)
			e = diff_changes(a, &w, &d);
		if (e) {
			err_free(e);
			break;
		}
		for (size_t k = 0; k < d.n; k++)
			if (below(d.p[k].path, path) || below(path, d.p[k].path))
				return since;
		since = rows.p[i].revision;
	}
	return since;
}

static void why_field(struct sync_asked *q, struct arena *a, const struct diff_change *c,
		      const struct diff_managed *m, bool one)
{
	struct buf *b = &q->b;
	const struct want_origin *o = want_origin(q->want, c->path);
	bool secret = obj_is_secret(q->want->id) && str_starts(c->path, STR(".data"));
	struct diff_writer w = diff_writer(a, m, c, STR("leeboard"), 0);
	struct live_state st;

	show_next(b);
	buf_char(b, '{');
	show_str(b, "path", c->path);
	show_bool(b, "redacted", secret);
	if (!secret) {
		show_node(b, "git", c->desired);
		show_node(b, "live", c->live);
		show_node(b, "applied", c->applied);
	}
	if (c->desired)
		show_origin(b, o ? o->file : q->want->file, o ? o->line : q->want->line, STR_NONE,
			    STR_NONE);
	if (one && c->desired)
		show_revision(q->s, b, "change", str_from(q->app->source->name),
			      written_by(q, q->want, c->path), 0);
	if (w.n)
		show_writer(b, w.p[0]->name, w.p[0]->operation, w.p[0]->subresource,
			    w.p[0]->time ? time_rfc3339(a, w.p[0]->time, false) : STR_NONE);
	if (live_state(q->app->live, q->want->id, &st) && st.revision.n)
		show_revision(q->s, b, "appliedWith", str_from(q->app->source->name), st.revision,
			      st.sent_at);
	buf_char(b, '}');
}

static struct err *why_fields(struct sync_asked *q, struct arena *a, const struct target_live *now)
{
	struct object want;
	struct diff_managed m = {0};
	struct diff_changes d = {0};
	struct diff_witnesses w = {.all = true};
	str field = field_path(a, ask_text(q, "field"));
	bool all = ask_flag(q, "all"), any = false;
	size_t shown = 0, hits = 0;
	struct live_state st;

	TRY(want_tree(a, q->want, &want));
	if (now->root)
		TRY(diff_managed_read(a, now->root, &m));
	w.schema = obj_schema_of(node_get_text(want.root, STR("apiVersion")), q->want->id.kind);
	w.managed = &m;
	w.desired = want.root;
	w.live = now->root;
	w.applied = now->applied;
	/* What was sent is what Git says, where the last sync sent just that. */
	if (!w.applied && live_state(q->app->live, q->want->id, &st) && st.has_baseline &&
	    hash_eq(&st.applied, &q->want->digest))
		w.applied = want.root;
	TRY(diff_changes(a, &w, &d));
	for (size_t i = 0; i < d.n; i++) {
		any |= d.p[i].class != DIFF_IN_SYNC && d.p[i].class != DIFF_NOT_OURS;
		hits += field.n && below(d.p[i].path, field);
	}
	if (field.n && !hits)
		return err_hint(err_new(ERR_NOT_FOUND, STR_FMT " has no field '" STR_FMT "'",
					STR_ARG(obj_id_label(a, q->want->id)), STR_ARG(field)),
				"leeboard why OBJECT --all-fields lists them");
	for (size_t i = 0; i < d.n && shown < WHY_MAX_FIELDS; i++) {
		const struct diff_change *c = &d.p[i];

		if (field.n ? !below(c->path, field)
		    : all   ? c->class == DIFF_NOT_OURS
		    : any   ? c->class == DIFF_IN_SYNC || c->class == DIFF_NOT_OURS
			    : c->class == DIFF_NOT_OURS)
			continue;
		why_field(q, a, c, &m, hits == 1);
		shown++;
	}
	return NULL;
}

static void on_why(void *arg, const struct target_live *p, size_t n, struct err *e)
{
	struct sync_asked *q = arg;
	CLEANUP(arena) struct arena *a = arena_new();
	struct buf *b = &q->b;

	q->call = NULL;
	if (e || !n) {
		ask_fail(q, 503,
			 e ? e : err_new(ERR_TARGET_UNREACHABLE, "the target did not answer"));
		return;
	}
	show_begin(q->s, b, "Why");
	show_text(b, "app", q->app->name);
	buf_str(b, STR(",\"object\":"));
	show_object(b, q->want->id, q->want->version, p[0].uid);
	show_open(b, "fields", '[');
	e = why_fields(q, a, &p[0]);
	if (e) {
		ask_fail(q, 404, e);
		return;
	}
	buf_char(b, ']');
	ask_answer(q, 0);
}

void ask_why(struct sync_asked *q)
{
	struct sync *s = q->s;
	str text = ask_text(q, "object"), app = ask_text(q, "app");
	struct obj_ref ref;
	CLEANUP(buf) struct buf found = BUF_INIT;
	size_t n = 0;

	if (!obj_ref_parse(text, &ref)) {
		ask_fail(
			q, 422,
			err_hint(err_new(ERR_USAGE, "'" STR_FMT "' names no object", STR_ARG(text)),
				 "write deploy/web, or Deployment/shop/web"));
		return;
	}
	if (!ref.ns.n)
		ref.ns = ask_text(q, "namespace");
	for (size_t i = 0; i < s->apps.n; i++) {
		struct app_run *a = s->apps.p[i];

		if (!a->now || (app.n && !str_eq(app, str_from(a->name))))
			continue;
		for (size_t k = 0; k < a->now->wants->n; k++) {
			const struct want *w = &a->now->wants->p[k];

			if (!obj_ref_matches(&ref, w->id))
				continue;
			buf_printf(&found, "%s" STR_FMT " (App %s)", n ? ", " : "",
				   STR_ARG(obj_id_label(q->arena, w->id)), a->name);
			n++;
			q->app = a;
			q->want = w;
		}
	}
	if (n != 1) {
		struct err *e =
			err_new(n ? ERR_INVALID : ERR_NOT_FOUND, "'" STR_FMT "' %s", STR_ARG(text),
				n ? "fits several objects" : "is no object of an App");

		q->app = NULL;
		q->want = NULL;
		ask_fail(q, n ? 422 : 404, n ? err_hint(e, STR_FMT, STR_ARG(buf_view(&found))) : e);
		return;
	}
	q->of = rendering_get(q->app->now);
	struct target_want_live id = {q->want->id, q->want->version, str_from(q->app->name)};

	target_get(q->app->place->target, &id, 1, false, on_why, q, &q->call);
}

/* ------------------------------------------------------------------ export */

/* One step of a path as event_field spells it: ".name", "[\"key\"]", "[name=\"web\"]". */
struct path_step {
	str key;   /* of a map */
	str field; /* of a keyed element: field=value */
	str value;
	bool keyed;
};

static bool next_step(struct arena *a, str *rest, struct path_step *ret)
{
	str r = *rest;
	size_t i = 1;

	*ret = (struct path_step){0};
	if (r.n < 2)
		return false;
	if (r.p[0] == '.') {
		while (i < r.n && r.p[i] != '.' && r.p[i] != '[')
			i++;
		ret->key = str_sub(r, 1, i - 1);
		*rest = str_sub(r, i, r.n);
		return true;
	}
	if (r.p[0] != '[')
		return false;
	bool quoted = false;

	for (; i < r.n; i++) {
		if (r.p[i] == '"' && r.p[i - 1] != '\\')
			quoted = !quoted;
		if (r.p[i] == ']' && !quoted)
			break;
	}
	str in = str_sub(r, 1, i - 1);
	size_t eq = str_chr(in, '=');

	*rest = str_sub(r, i + 1, r.n);
	if (in.n >= 2 && in.p[0] == '"') {
		ret->key = str_sub(in, 1, in.n - 2);
		return true;
	}
	if (eq == SIZE_MAX || str_contains(in, STR(",")))
		return false;
	ret->keyed = true;
	ret->field = str_sub(in, 0, eq);
	ret->value = str_sub(in, eq + 1, in.n);
	(void)a;
	return true;
}

/* map with value at path; NULL: the path has a step that a patch cannot say. */
static const struct node *with_value(struct arena *a, const struct node *n, str path,
				     const struct node *value)
{
	struct path_step st;
	const struct node *sub;

	if (!path.n)
		return value ? value : node_null(a);
	if (!next_step(a, &path, &st))
		return NULL;
	if (!st.keyed) {
		sub = with_value(a, node_get(n, st.key), path, value);
		return sub ? node_set(a, n, st.key, sub) : NULL;
	}
	const struct node *key = json_read(a, st.value);
	const struct node *element = NULL;
	size_t at = SIZE_MAX;

	for (size_t i = 0; key && n && i < n->n; i++) {
		if (node_equal(node_get(n->items[i], st.field), key)) {
			element = n->items[i];
			at = i;
		}
	}
	if (!key)
		return NULL;
	if (!element)
		element = node_set(a, NULL, st.field, key);
	sub = with_value(a, element, path, value);
	if (!sub)
		return NULL;
	return at == SIZE_MAX ? node_list_add(a, n, sub) : node_list_set(a, n, at, sub);
}

struct export_list {
	struct arena *arena;
	struct buf yaml;
	size_t n;
};

static void export_one(void *arg, const struct live_drift *d)
{
	struct export_list *l = arg;
	struct arena *a = l->arena;
	const struct node *n = NULL, *meta = NULL;
	bool any = false;

	if (d->deleted)
		return;
	n = node_set(a, NULL, STR("apiVersion"),
		     node_new_str(a, d->id.group.n ? arena_printf(a, STR_FMT "/" STR_FMT,
								  STR_ARG(d->id.group),
								  STR_ARG(d->version))
						   : d->version));
	n = node_set(a, n, STR("kind"), node_new_str(a, d->id.kind));
	meta = node_set(a, NULL, STR("name"), node_new_str(a, d->id.name));
	if (d->id.ns.n)
		meta = node_set(a, meta, STR("namespace"), node_new_str(a, d->id.ns));
	n = node_set(a, n, STR("metadata"), meta);
	for (size_t i = 0; i < d->fields_n; i++) {
		const struct node *next;

		if (d->fields[i].redacted)
			continue;
		next = with_value(a, n, d->fields[i].path, d->fields[i].live);
		if (!next)
			continue;
		n = next;
		any = true;
	}
	if (!any)
		return;
	if (l->n++)
		buf_str(&l->yaml, STR("---\n"));
	node_yaml(n, &l->yaml);
}

void ask_export(struct sync_asked *q)
{
	struct export_list l = {.arena = q->arena};

	if (q->app->live)
		live_each_drift(q->app->live, false, export_one, &l);
	show_begin(q->s, &q->b, "Export");
	show_text(&q->b, "app", q->app->name);
	show_num(&q->b, "objects", l.n);
	buf_str(&q->b, STR(",\"yaml\":"));
	buf_json(&q->b, buf_view(&l.yaml));
	buf_done(&l.yaml);
	ask_answer(q, 0);
}

/* ------------------------------------------------------------------ graph */

void ask_graph(struct sync_asked *q)
{
	struct app_run *app = q->app;
	struct obj_set *set = obj_set_new(q->arena);
	const struct graph *g = NULL;
	const struct graph_edge *dropped;
	struct buf *b = &q->b;
	struct err *e = NULL;
	size_t n;

	if (!app->now) {
		unable(q);
		return;
	}
	for (size_t i = 0; !e && i < app->now->wants->n; i++) {
		struct object o;

		e = want_tree(q->arena, &app->now->wants->p[i], &o);
		if (!e)
			e = obj_set_add(q->arena, set, o);
	}
	if (!e)
		e = graph_build(q->arena, set, &g);
	if (e) {
		ask_fail(q, 422, e);
		return;
	}
	show_begin(q->s, b, "Graph");
	show_text(b, "app", app->name);
	show_text(b, "revision", app->rev);
	show_open(b, "waves", '[');
	for (size_t i = 0; i < graph_waves(g); i++) {
		const uint32_t *wave = graph_wave(g, i, &n);

		show_next(b);
		buf_printf(b, "{\"wave\":%zu,\"objects\":[", i + 1);
		for (size_t k = 0; k < n; k++) {
			size_t edges;
			const struct graph_edge *ed = graph_edges(g, wave[k], &edges);

			show_next(b);
			buf_str(b, STR("{\"object\":"));
			show_object(b, set->p[wave[k]].id, set->p[wave[k]].version, STR_NONE);
			if (edges)
				show_open(b, "after", '[');
			for (size_t j = 0; j < edges; j++) {
				show_next(b);
				buf_str(b, STR("{\"object\":"));
				show_object(b, set->p[ed[j].to].id, set->p[ed[j].to].version,
					    STR_NONE);
				show_str(b, "reason", graph_reason_name(ed[j].why));
				show_str(b, "path", ed[j].path);
				buf_char(b, '}');
			}
			if (edges)
				buf_char(b, ']');
			buf_char(b, '}');
		}
		buf_str(b, STR("]}"));
	}
	buf_char(b, ']');
	dropped = graph_dropped(g, &n);
	if (n) {
		show_open(b, "dropped", '[');
		for (size_t i = 0; i < n; i++) {
			show_next(b);
			buf_str(b, STR("{\"object\":"));
			show_object(b, set->p[dropped[i].from].id, STR_NONE, STR_NONE);
			buf_str(b, STR(",\"after\":"));
			show_object(b, set->p[dropped[i].to].id, STR_NONE, STR_NONE);
			show_str(b, "reason", graph_reason_name(dropped[i].why));
			show_str(b, "path", dropped[i].path);
			buf_char(b, '}');
		}
		buf_char(b, ']');
	}
	ask_answer(q, 0);
}
