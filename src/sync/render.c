/* render: what a revision of an App comes to: the worker's frames in, normalized, marked and
 * digested objects out. The controller believes no digest of a worker's. */
#include "sync_priv.h"

#include <stdlib.h>

#define RENDER_TIMEOUT (5 * MINUTE)

struct raw {
	str identity, file, json;
	uint32_t line, col;
	const struct want_origin *origins; /* of the wants' arena, sorted */
	size_t origins_n;
};
/* Paths and files recur in every object of a kind: each is kept once. */
struct words {
	str *slots;
	size_t n, cap;
};
struct gather {
	struct arena *arena; /* of what goes when the rendering is whole */
	struct wants *wants; /* of what stays */
	struct words words;
	struct worker_objects objects;
	struct {
		struct raw *p;
		size_t n, cap;
	} raws;
	struct want_origin *origins; /* heap: of the object that came last */
	size_t origins_n, origins_cap;
	struct {
		struct job_seen *p;
		size_t n, cap;
	} seen;
	struct {
		str *p;
		size_t n, cap;
	} crds; /* "group/Kind" of those whose scope is Namespaced, "+" before; else "-" */
	struct err *errs;
	msec started;
	struct target *target;
};

void gather_free(struct gather *g)
{
	if (!g)
		return;
	worker_objects_done(&g->objects);
	err_free(g->errs);
	free(g->origins);
	free(g->words.slots);
	wants_free(g->wants);
	arena_free(g->arena);
	free(g);
}

void rendering_put(struct rendering *r)
{
	if (!r || --r->users)
		return;
	wants_free(r->wants);
	free(r);
}

/* The one copy of a word that lives as long as the wants. */
static str word(struct gather *g, str w)
{
	struct words *t = &g->words;
	size_t h;

	if (2 * t->n >= t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 256;
		str *slots = xcalloc(cap, sizeof(*slots));

		for (size_t i = 0; i < t->cap; i++) {
			if (!t->slots[i].p)
				continue;
			for (h = str_hash(t->slots[i]) & (cap - 1); slots[h].p;)
				h = (h + 1) & (cap - 1);
			slots[h] = t->slots[i];
		}
		free(t->slots);
		t->slots = slots;
		t->cap = cap;
	}
	for (h = str_hash(w) & (t->cap - 1); t->slots[h].p; h = (h + 1) & (t->cap - 1))
		if (str_eq(t->slots[h], w))
			return t->slots[h];
	t->n++;
	return t->slots[h] = arena_str(g->wants->arena, w);
}

static int by_path(const void *x, const void *y)
{
	const struct want_origin *a = x, *b = y;

	return str_cmp(a->path, b->path);
}

/* The origins of the last object are all there. */
static void close_origins(struct gather *g)
{
	struct raw *last = g->raws.n ? &g->raws.p[g->raws.n - 1] : NULL;
	struct want_origin *own;

	if (!last || !g->origins_n)
		return;
	own = ARENA_ARRAY(g->wants->arena, struct want_origin, g->origins_n);
	memcpy(own, g->origins, g->origins_n * sizeof(*own));
	qsort(own, g->origins_n, sizeof(*own), by_path);
	last->origins = own;
	last->origins_n = g->origins_n;
	g->origins_n = 0;
}

/* ------------------------------------------------------------------ frames */

static struct err *on_frame(void *arg, struct frame *f)
{
	struct run *r = arg;
	struct gather *g = r->gather;

	switch ((int)f->type) {
	case FRAME_OBJECT: {
		struct worker_object o;
		bool whole;

		TRY(worker_objects_add(&g->objects, f, &whole, &o));
		if (!whole)
			return NULL;
		close_origins(g);
		*ARENA_PUSH(g->arena, &g->raws) =
			(struct raw){.identity = arena_str(g->arena, o.identity),
				     .file = word(g, o.file),
				     .json = arena_str(g->arena, o.json),
				     .line = o.line,
				     .col = o.col};
		return NULL;
	}
	case FRAME_ORIGIN: {
		struct worker_origin o = {0};
		struct raw *last = g->raws.n ? &g->raws.p[g->raws.n - 1] : NULL;

		while (f->rest.n) {
			TRY(frame_get_origin(f, &o));
			/* They follow their object. */
			if (!last || !str_eq(last->identity, o.identity))
				return err_new(ERR_INTERNAL,
					       "an origin of an object that was not sent");
			if (!o.path.n)
				continue;
			if (g->origins_n == g->origins_cap) {
				g->origins_cap = g->origins_cap ? 2 * g->origins_cap : 64;
				g->origins =
					xrealloc(g->origins, g->origins_cap * sizeof(*g->origins));
			}
			g->origins[g->origins_n++] =
				(struct want_origin){word(g, o.path), word(g, o.file), o.line};
		}
		return NULL;
	}
	case FRAME_READSET: {
		struct job_seen s;

		TRY(frame_get_seen(f, &s));
		*ARENA_PUSH(g->arena, &g->seen) =
			(struct job_seen){arena_str(g->arena, s.path), arena_str(g->arena, s.oid)};
		return NULL;
	}
	case FRAME_WARN: {
		struct worker_warning w;

		TRY(frame_get_warning(f, &w));
		if (!r->dry) {
			CLEANUP(buf) struct buf b = BUF_INIT;

			buf_str(&b, w.message);
			log_warn(r->app->s->log, "render.warning", "app", r->app->name, "warning",
				 b.p);
		}
		return NULL;
	}
	case FRAME_ERROR: {
		struct err *e;

		TRY(worker_read_error(f, &e));
		g->errs = err_join(g->errs, e);
		return NULL;
	}
	default:
		return NULL;
	}
}

static void on_done(void *arg, struct err *e)
{
	struct run *r = arg;
	struct gather *g = r->gather;
	struct app_run *a = r->app;

	r->job = NULL;
	close_origins(g);
	if (!e)
		e = worker_objects_end(&g->objects);
	if (g->errs) {
		err_free(e);
		e = STEAL(g->errs);
	}
	metric_add(a->s->metrics, METRIC_RENDERS, 1, LABELS(a->name, e ? "failed" : "ok"));
	metric_observe(a->s->metrics, METRIC_RENDER_SECONDS,
		       (double)(clock_now(a->s->loop) - g->started) / 1000, NULL);
	run_rendered(r, e);
}

struct err *render_start(struct run *r)
{
	static const struct job_calls calls = {on_frame, on_done};
	struct app_run *app = r->app;
	struct sync *s = app->s;
	struct arena *a = arena_new();
	struct worker_spec spec = {0};
	struct job_render j;
	struct err *e;

	job_render_of(a, app->doc, &j);
	j.oid = str_from(r->rev);
	e = store_repo_path(s->store, a, str_from(app->source->name), &j.objects);
	j.limits.best_effort = s->config->daemon.sandbox == SANDBOX_BEST_EFFORT;
	if (!e)
		e = job_render_write(a, &j, &spec);
	if (e) {
		arena_free(a);
		return e;
	}
	spec.timeout = RENDER_TIMEOUT;
	r->gather = xcalloc(1, sizeof(*r->gather));
	r->gather->arena = arena_new();
	r->gather->wants = wants_new();
	r->gather->started = clock_now(s->loop);
	return job_start(s, "render", a, &spec, &calls, r, &r->job);
}

/* ------------------------------------------------------------------ normalization */

/* Kinds that this very set brings are known before the target serves them. */
static enum obj_scope scope_of(void *arg, str group, str version, str kind)
{
	struct gather *g = arg;

	for (size_t i = 0; i < g->crds.n; i++) {
		str c = g->crds.p[i], rest = str_sub(c, 1, c.n);

		if (rest.n == group.n + 1 + kind.n && str_starts(rest, group) &&
		    str_ends(rest, kind) && rest.p[group.n] == '/')
			return c.p[0] == '+' ? OBJ_NAMESPACED : OBJ_CLUSTER;
	}
	return target_scope(g->target, group, version, kind);
}

static void note_crd(struct gather *g, const struct node *root)
{
	const struct node *spec = node_get(root, STR("spec"));

	if (!str_eq(node_get_text(root, STR("kind")), STR("CustomResourceDefinition")))
		return;
	*ARENA_PUSH(g->arena, &g->crds) =
		arena_printf(g->arena, "%c" STR_FMT "/" STR_FMT,
			     str_eq(node_get_text(spec, STR("scope")), STR("Cluster")) ? '-' : '+',
			     STR_ARG(node_get_text(spec, STR("group"))),
			     STR_ARG(node_get_text(node_get(spec, STR("names")), STR("kind"))));
}

static const struct node *set_meta(struct arena *a, const struct node *root, str map, str key,
				   str value)
{
	const struct node *meta = node_get(root, STR("metadata"));
	const struct node *m = node_set(a, node_get(meta, map), key, node_new_str(a, value));

	return node_set(a, root, STR("metadata"), node_set(a, meta, map, m));
}

/* Labels for the watch, the annotation for people and other engines; never in pod templates. */
static const struct node *mark(struct arena *a, const struct app_run *app, const struct node *root)
{
	str instance = str_from(app->s->instance), name = str_from(app->name);

	root = set_meta(a, root, STR("labels"), STR("leeboard.dev/app"), name);
	root = set_meta(a, root, STR("labels"), STR("leeboard.dev/instance"), instance);
	return set_meta(a, root, STR("annotations"), STR("leeboard.dev/owner"),
			arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(instance), STR_ARG(name)));
}

static struct err *one(struct run *r, struct gather *g, const struct raw *raw,
		       const struct obj_norm *norm, struct wants *w)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct text in = {raw->file, raw->json};
	struct obj_set *set = obj_set_new(a);
	const struct node *root;
	struct err *e = node_read_json(a, &in, &root);

	if (!e)
		e = obj_normalize(a, norm, root, set);
	if (e) {
		/* Places in the frame's JSON say nothing to a person: the manifest's do. */
		struct err *at = err_at_named(ERR_INVALID_OBJECT, raw->file, raw->line, raw->col,
					      "%.*s", STR_ARG(err_message(e)));

		err_free(e);
		return at;
	}
	for (size_t i = 0; i < set->n; i++) {
		struct object *o = &set->p[i];
		struct want x = {.file = raw->file,
				 .line = raw->line,
				 .col = raw->col,
				 .origins = raw->origins,
				 .origins_n = raw->origins_n};

		if (target_marks(g->target))
			o->root = mark(a, r->app, o->root);
		buf_clear(&b);
		node_json(o->root, NODE_JSON_COMPACT, &b);
		x.id = obj_id_dup(w->arena, o->id);
		x.version = arena_str(w->arena, o->version);
		x.json = arena_str(w->arena, buf_view(&b));
		x.digest = obj_digest(o->root, store_key(r->app->s->store));
		TRY(wants_add(w, x));
	}
	return NULL;
}

static int by_id(const void *x, const void *y)
{
	const struct want *const *a = x, *const *b = y;

	return obj_id_cmp((*a)->id, (*b)->id);
}

struct hash wants_tree(const struct wants *w)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	const struct want **p = ARENA_ARRAY(a, const struct want *, w->n + 1);

	for (size_t i = 0; i < w->n; i++)
		p[i] = &w->p[i];
	qsort(p, w->n, sizeof(*p), by_id);
	for (size_t i = 0; i < w->n; i++) {
		buf_str(&b, obj_id_text(a, p[i]->id));
		buf_char(&b, 0);
		buf_add(&b, p[i]->digest.b, HASH_LEN);
	}
	return hash_blake2b(NULL, STR("leeboard/tree/1"), buf_view(&b));
}

struct err *render_finish(struct run *r)
{
	struct gather *g = r->gather;
	struct app_run *app = r->app;
	struct wants *w = g->wants;
	struct obj_norm norm = {
		.scope = scope_of, .scope_arg = g, .default_namespace = app->doc->target.namespace};
	struct rendering *ret;
	struct err *errs = NULL;

	g->target = app->place->target;
	for (size_t i = 0; i < g->raws.n; i++) {
		CLEANUP(arena) struct arena *a = arena_new();
		struct text in = {STR("object"), g->raws.p[i].json};
		const struct node *root;

		if (!str_contains(in.bytes, STR("CustomResourceDefinition")))
			continue;
		struct err *e = node_read_json(a, &in, &root);

		if (e)
			err_free(e);
		else
			note_crd(g, root);
	}
	for (size_t i = 0; i < g->raws.n; i++)
		errs = err_join(errs, one(r, g, &g->raws.p[i], &norm, w));
	if (errs)
		return errs;
	ret = xcalloc(1, sizeof(*ret));
	ret->users = 1;
	hex_set(ret->rev, str_from(r->rev));
	ret->seen = ARENA_ARRAY(w->arena, struct job_seen, g->seen.n + 1);
	for (size_t i = 0; i < g->seen.n; i++)
		ret->seen[i] = (struct job_seen){arena_str(w->arena, g->seen.p[i].path),
						 arena_str(w->arena, g->seen.p[i].oid)};
	ret->seen_n = g->seen.n;
	ret->tree = wants_tree(w);
	ret->wants = STEAL(g->wants);
	rendering_put(r->new);
	r->new = ret;
	gather_free(g);
	r->gather = NULL;
	return NULL;
}

/* What may rest on disk: Secrets' values as hashes. */
struct err *rendering_store(struct sync *s, str app, const struct rendering *x)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct wants copy = *x->wants;

	copy.p = ARENA_ARRAY(a, struct want, x->wants->n + 1);
	for (size_t i = 0; i < copy.n; i++)
		copy.p[i] = x->wants->p[i];
	for (size_t i = 0; i < copy.n; i++) {
		CLEANUP(buf) struct buf b = BUF_INIT;
		struct object o;

		if (!obj_is_secret(copy.p[i].id))
			continue;
		TRY(want_tree(a, &x->wants->p[i], &o));
		node_json(obj_redact(a, &o, store_key(s->store)), NODE_JSON_COMPACT, &b);
		copy.p[i].json = arena_str(a, buf_view(&b));
	}
	return store_render_put(s->store, app, str_from(x->rev), &copy);
}
