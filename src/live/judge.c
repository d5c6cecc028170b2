/* What differs between what we sent and what stands there, and is nobody's right.
 *
 * Only fields of the want are looked at: what a server, a webhook or another tool added beside them
 * was never ours. A field of ours that is not as sent has still not drifted when the target
 * answered so to our own write (baseline_answer), when it is ignored, or when an autoscaler holds
 * it. */
#include <stdlib.h>

#include "live_priv.h"

struct tokens {
	str *p;
	size_t n, cap;
};

/* ------------------------------------------------------------------ digests */

/* Without what says nothing about content: status, and what the server counts. The uid stays:
 * another object of the same words is another one. */
struct hash content_digest(struct arena *a, const struct node *root, const uint8_t key[32])
{
	static const str volatile_keys[] = {STR("managedFields"), STR("resourceVersion"),
					    STR("generation"), STR("creationTimestamp"),
					    STR("selfLink")};
	const struct node *meta = node_get(root, STR("metadata"));

	for (size_t i = 0; i < ARRAY_LEN(volatile_keys); i++)
		if (node_get(meta, volatile_keys[i]))
			meta = node_del(a, meta, volatile_keys[i]);
	if (meta)
		root = node_set(a, root, STR("metadata"), meta);
	if (node_get(root, STR("status")))
		root = node_del(a, root, STR("status"));
	return obj_digest(root, key);
}

static str fingerprint(struct arena *a, const struct node *n, const uint8_t key[32])
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	node_json(n, NODE_JSON_CANONICAL, &b);
	return str_sub(hash_hex(a, hash_blake2b(key, STR("leeboard/field/1"), buf_view(&b))), 0,
		       32);
}

/* ------------------------------------------------------------------ baselines */

static struct err *changes(struct arena *a, const struct object *o, const struct node *desired,
			   const struct node *live, const struct diff_managed *managed,
			   struct diff_changes *ret)
{
	struct diff_witnesses w = {
		.schema = obj_schema_of(node_get_text(o->root, STR("apiVersion")), o->id.kind),
		.managed = managed,
		.applied = desired,
		.desired = desired,
		.live = live,
	};

	return diff_changes(a, &w, ret);
}

static struct diff_managed managed_of(struct arena *a, const struct node *root)
{
	struct diff_managed m = {0};

	/* Entries that nobody can read tell nothing; the comparison does without. */
	err_free(diff_managed_read(a, root, &m));
	return m;
}

static str answer_key(struct arena *a, const struct diff_change *c)
{
	return c->class == DIFF_REORDERED ? arena_printf(a, STR_FMT "#", STR_ARG(c->path))
					  : c->path;
}

struct err *baseline_answer(struct arena *a, const struct live *l, const struct want *w,
			    const struct node *root, str *ret)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct diff_managed managed = managed_of(a, root);
	struct diff_changes found;
	struct node_pairs p = {0};
	struct object o;

	TRY(want_tree(a, w, &o));
	TRY(changes(a, &o, o.root, root, &managed, &found));
	for (size_t i = 0; i < found.n; i++) {
		const struct diff_change *c = &found.p[i];
		str v = STR("");

		if (c->class == DIFF_REORDERED)
			v = STR("order");
		else if (c->live)
			v = fingerprint(a, c->live, l->key);
		node_pairs_add(a, &p, answer_key(a, c), node_new_str(a, v));
	}
	if (p.n)
		node_json(node_new_map(a, p.p, p.n), NODE_JSON_COMPACT, &b);
	*ret = arena_str(a, buf_view(&b));
	return NULL;
}

/* Did the target itself make it so when it answered to our write? */
static bool answered(struct arena *a, const struct node *answer, const struct diff_change *c,
		     const uint8_t key[32])
{
	const struct node *v = node_get(answer, answer_key(a, c));

	if (c->class == DIFF_REORDERED)
		return v != NULL;
	if (c->live)
		return v && str_eq(v->text, fingerprint(a, c->live, key));
	if (v)
		return !v->text.n;
	/* The whole of which this is a part was absent then. */
	for (uint32_t i = 0; answer && i < answer->n; i++) {
		str path = answer->pairs[i].key;

		if (!answer->pairs[i].value->text.n && path.n < c->path.n &&
		    str_starts(c->path, path) && strchr(".[", c->path.p[path.n]))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ what is ignored */

static struct tokens split(struct arena *a, str pointer)
{
	struct node_path path = {0};
	struct err *e = node_pointer_split(a, pointer, &path);

	err_free(e); /* config refused such; an object's annotation may still hold one: it means
			nothing */
	return e ? (struct tokens){0} : (struct tokens){path.p, path.n, path.n};
}

static bool list_index(const struct node *list, str token, size_t *ret)
{
	uint64_t i;

	if (!str_to_u64(token, &i) || i >= list->n)
		return false;
	*ret = (size_t)i;
	return true;
}

static const struct node *without(struct arena *a, const struct node *n, const str *token, size_t k)
{
	const struct node *below = NULL, *rest;
	size_t i = 0;

	if (n->kind == NODE_MAP)
		below = node_get(n, token[0]);
	else if (n->kind == NODE_LIST && list_index(n, token[0], &i))
		below = n->items[i];
	if (!below)
		return n;
	if (k == 1)
		return n->kind == NODE_MAP ? node_del(a, n, token[0]) : node_list_del(a, n, i);
	rest = without(a, below, token + 1, k - 1);
	if (rest == below)
		return n;
	return n->kind == NODE_MAP ? node_set(a, n, token[0], rest) : node_list_set(a, n, i, rest);
}

/* Does the pointer lead to the changed field, or above it? Lists: by index in what Git says. */
static bool covers(const struct tokens *t, const struct node *desired, const struct diff_change *c)
{
	if (!t->n || t->n > c->n_steps)
		return false;
	for (size_t i = 0; i < t->n; i++) {
		const struct diff_step *s = &c->steps[i];
		size_t at;

		if (!desired)
			return false;
		if (s->kind == DIFF_FIELD) {
			if (!str_eq(s->name, t->p[i]))
				return false;
			desired = node_get(desired, t->p[i]);
			continue;
		}
		if (desired->kind != NODE_LIST || !list_index(desired, t->p[i], &at) ||
		    !node_equal(desired->items[at], s->element))
			return false;
		desired = desired->items[at];
	}
	return true;
}

static bool by_manager(const struct ignore_rule *r, const struct diff_writer *w)
{
	for (size_t i = 0; i < w->n; i++)
		for (size_t j = 0; j < r->managers.n; j++)
			if (str_eq(r->managers.p[j], w->p[i]->name))
				return true;
	return false;
}

static bool ignored_by_manager(struct arena *a, const struct app *app, const struct object *o,
			       const struct diff_change *c, const struct diff_writer *w)
{
	for (size_t i = 0; i < app->drift_ignore.n; i++) {
		const struct ignore_rule *r = &app->drift_ignore.p[i];
		bool here = !r->paths.n;

		if (!r->managers.n || !by_manager(r, w) ||
		    !config_target_matches(&r->target, o->id, o->version, o->root))
			continue;
		for (size_t j = 0; j < r->paths.n; j++) {
			struct tokens t = split(a, r->paths.p[j]);

			here |= covers(&t, o->root, c);
		}
		if (here)
			return true;
	}
	return false;
}

static const struct node *drop_path(struct arena *a, const struct node *root, str pointer)
{
	struct tokens t = split(a, str_trim(pointer));

	return t.n ? without(a, root, t.p, t.n) : root;
}

static int id_cmp(const void *x, const void *y)
{
	return obj_id_cmp(*(const obj_id *)x, *(const obj_id *)y);
}

bool app_is_scaled(const struct live_app *app, obj_id id)
{
	return app->doc->drift_autoscalers == AUTOSCALERS_YIELD && app->scaled_n &&
	       bsearch(&id, app->scaled, app->scaled_n, sizeof(id), id_cmp);
}

/* NULL: nothing of this object is compared. */
static const struct node *compared(struct arena *a, const struct live_app *app,
				   const struct object *o)
{
	str own = obj_annotation(o, STR("leeboard.dev/ignore")), pointer;
	const struct node *root = o->root;

	for (size_t i = 0; i < app->doc->drift_ignore.n; i++) {
		const struct ignore_rule *r = &app->doc->drift_ignore.p[i];

		if (r->managers.n || !config_target_matches(&r->target, o->id, o->version, o->root))
			continue;
		if (!r->paths.n)
			return NULL;
		for (size_t j = 0; j < r->paths.n; j++)
			root = drop_path(a, root, r->paths.p[j]);
	}
	while (own.n && str_split(&own, ',', &pointer))
		root = drop_path(a, root, pointer);
	if (app_is_scaled(app, o->id))
		root = drop_path(a, root, STR("/spec/replicas"));
	return root;
}

/* The scale of a HorizontalPodAutoscaler that is not in Git shows in who wrote it. */
static bool autoscaler_wrote(const struct app *app, const struct diff_change *c,
			     const struct diff_writer *w)
{
	return app->drift_autoscalers == AUTOSCALERS_YIELD &&
	       str_eq(c->path, STR(".spec.replicas")) && w->sure == DIFF_OWNER &&
	       str_eq(w->p[0]->subresource, STR("scale")) &&
	       (str_eq(w->p[0]->name, STR("kube-controller-manager")) ||
		str_eq(w->p[0]->name, STR("horizontal-pod-autoscaler")));
}

static bool scaled_by(struct arena *a, const struct want *w, obj_id *ret)
{
	bool hpa = str_eq(w->id.kind, STR("HorizontalPodAutoscaler")) &&
		   str_eq(w->id.group, STR("autoscaling"));
	bool keda = str_eq(w->id.kind, STR("ScaledObject")) && str_eq(w->id.group, STR("keda.sh"));
	const struct node *ref;
	str group = STR("apps"), version, api;
	struct object o;
	struct err *e;

	if (!hpa && !keda)
		return false;
	e = want_tree(a, w, &o);
	if (e) {
		err_free(e); /* said where it is sent */
		return false;
	}
	ref = node_at(o.root, "spec", "scaleTargetRef", NULL);
	api = node_get_text(ref, STR("apiVersion"));
	if (api.n)
		obj_api_version(api, &group, &version);
	*ret = (obj_id){group, node_get_text(ref, STR("kind")), w->id.ns,
			node_get_text(ref, STR("name"))};
	if (!ret->kind.n)
		ret->kind = STR("Deployment");
	return ret->name.n > 0;
}

void app_scaled(struct live_app *app)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	struct {
		obj_id *p;
		size_t n, cap;
	} v = {0};
	obj_id id;

	arena_free(app->arena);
	app->arena = NULL;
	app->scaled_n = 0;
	for (size_t i = 0; app->wants && i < app->wants->n; i++)
		if (scaled_by(scratch, &app->wants->p[i], &id)) {
			if (!app->arena)
				app->arena = arena_new();
			*ARENA_PUSH(app->arena, &v) = obj_id_dup(app->arena, id);
		}
	if (v.n)
		qsort(v.p, v.n, sizeof(obj_id), id_cmp);
	app->scaled = v.p;
	app->scaled_n = v.n;
}

bool app_skips(const struct live_app *app, const struct want *w)
{
	CLEANUP(arena) struct arena *a = NULL;
	bool own = str_contains(w->json, STR("leeboard.dev/health"));
	struct object o;
	struct err *e;

	if (!own && !app->doc->health_skip.n)
		return false;
	a = arena_new();
	e = want_tree(a, w, &o);
	if (e) {
		err_free(e); /* said where it is sent */
		return false;
	}
	if (str_eq(obj_annotation(&o, STR("leeboard.dev/health")), STR("skip")))
		return true;
	for (size_t i = 0; i < app->doc->health_skip.n; i++)
		if (config_target_matches(&app->doc->health_skip.p[i], o.id, o.version, o.root))
			return true;
	return false;
}

int want_mode(struct arena *a, const struct live_app *app, const struct want *w,
	      const struct object *o)
{
	static const struct {
		str key, value;
		int mode;
	} rows[] = {
		{STR("leeboard.dev/apply"), STR("skip"), DRIFT_IGNORE},
		{STR("leeboard.dev/apply"), STR("if-absent"), DRIFT_IGNORE},
		{STR("kustomize.toolkit.fluxcd.io/ssa"), STR("Ignore"), DRIFT_IGNORE},
		{STR("kustomize.toolkit.fluxcd.io/ssa"), STR("IfNotPresent"), DRIFT_IGNORE},
		{STR("kustomize.toolkit.fluxcd.io/reconcile"), STR("disabled"), DRIFT_IGNORE},
		{STR("client.lifecycle.config.k8s.io/mutation"), STR("ignore"), DRIFT_IGNORE},
		{STR("leeboard.dev/drift"), STR("heal"), DRIFT_HEAL},
		{STR("leeboard.dev/drift"), STR("detect"), DRIFT_DETECT},
		{STR("leeboard.dev/drift"), STR("ignore"), DRIFT_IGNORE},
	};
	struct object made;
	struct err *e;

	if (!o && str_contains(w->json, STR("\"annotations\""))) {
		e = want_tree(a, w, &made);
		if (!e)
			o = &made;
		err_free(e); /* said where it is sent */
	}
	for (size_t i = 0; o && i < ARRAY_LEN(rows); i++)
		if (str_eq(obj_annotation(o, rows[i].key), rows[i].value))
			return rows[i].mode;
	return app->doc->drift_mode;
}

/* ------------------------------------------------------------------ fields for people */

/* {"$hash": 64 digits} -> "hash 1a2b3c4d5e6f", at any depth. */
static const struct node *shorten(struct arena *a, const struct node *n)
{
	str hex = node_get_text(n, STR("$hash"));
	struct node_pairs p = {0};

	if (!n || hex.n)
		return hex.n ? node_new_str(a, arena_printf(a, "hash " STR_FMT,
							    STR_ARG(str_sub(hex, 0, 12))))
			     : NULL;
	if (n->kind != NODE_MAP)
		return node_new_str(a, STR("hidden"));
	for (uint32_t i = 0; i < n->n; i++)
		node_pairs_add(a, &p, n->pairs[i].key, shorten(a, n->pairs[i].value));
	return node_new_map(a, p.p, p.n);
}

static const struct node *hidden(struct arena *a, obj_id id, const struct node *root,
				 const struct diff_change *c, const uint8_t key[32])
{
	struct object o = {.id = id, .root = root};
	const struct node *n = obj_redact(a, &o, key);

	for (size_t i = 0; n && i < c->n_steps; i++)
		n = c->steps[i].kind == DIFF_FIELD ? node_get(n, c->steps[i].name) : NULL;
	return shorten(a, n);
}

static bool is_hidden(obj_id id, const struct diff_change *c)
{
	str top = c->n_steps ? c->steps[0].name : STR("data");

	return obj_is_secret(id) && !str_eq(top, STR("metadata")) && !str_eq(top, STR("type")) &&
	       !str_eq(top, STR("immutable"));
}

static str names_of(struct arena *a, const struct diff_writer *w)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < w->n; i++) {
		if (i)
			buf_str(&b, STR(", "));
		buf_str(&b, w->p[i]->name);
	}
	return arena_str(a, buf_view(&b));
}

static struct event_field field(struct arena *a, const struct entry *e, const struct object *o,
				const struct node *live, const struct diff_change *c,
				const struct diff_writer *w)
{
	const uint8_t *key = e->app->live->key;
	const struct want_origin *from = want_origin(e->want, c->path);
	struct event_field f = {.path = c->path, .redacted = is_hidden(o->id, c)};

	f.git = f.redacted ? hidden(a, o->id, o->root, c, key) : c->desired;
	f.live = f.redacted ? hidden(a, o->id, live, c, key) : c->live;
	f.applied = f.git;
	f.origin.file = from ? from->file : e->want->file;
	f.origin.line = from ? from->line : e->want->line;
	if (!w->n)
		return f;
	f.writer.manager = names_of(a, w);
	f.writer.operation = w->p[0]->operation;
	f.writer.subresource = w->p[0]->subresource;
	if (w->p[0]->time)
		f.writer.last_active = time_rfc3339(a, w->p[0]->time, false);
	return f;
}

/* Label and owner that tell our objects from others. */
static bool mark_gone(const struct object *o, const struct node *live)
{
	struct object there = {.id = o->id, .root = live};
	str instance = obj_label(o, STR("leeboard.dev/instance"));
	str owner = obj_annotation(o, STR("leeboard.dev/owner"));

	return (instance.n && !str_eq(obj_label(&there, STR("leeboard.dev/instance")), instance)) ||
	       (owner.n && !str_eq(obj_annotation(&there, STR("leeboard.dev/owner")), owner));
}

/* ------------------------------------------------------------------ the verdict */

bool entry_held(const struct entry *e)
{
	return e->want && e->has_baseline && !e->sending && !e->forgotten &&
	       e->inv_state != INV_DELETING && e->inv_state != INV_KEPT &&
	       hash_eq(&e->want->digest, &e->applied);
}

static struct err *read_answer(struct arena *a, str answer, const struct node **ret)
{
	struct text *t = ARENA_NEW(a, struct text);

	*ret = NULL;
	if (!answer.n)
		return NULL;
	*t = (struct text){STR("baseline"), answer};
	return node_read_json(a, t, ret);
}

struct err *judge(struct arena *a, const struct entry *e, const struct target_live *now, str answer,
		  struct judged *ret)
{
	const struct live *l = e->app->live;
	struct diff_managed managed = managed_of(a, now->root), ours = {0};
	const struct diff_manager *mine = diff_managed_ours(&managed, LIVE_MANAGER);
	const struct node *known, *desired;
	struct diff_changes found = {0};
	struct judged j = {0};
	struct object o;

	TRY(want_tree(a, e->want, &o));
	TRY(read_answer(a, answer, &known));
	j.mode = want_mode(a, e->app, e->want, &o);
	desired = compared(a, e->app, &o);
	if (desired)
		TRY(changes(a, &o, desired, now->root, &managed, &found));
	if (mine)
		*ARENA_PUSH(a, &ours) = *mine;
	j.stripped = desired && l->marks && mark_gone(&o, now->root);
	for (size_t i = 0; i < found.n; i++) {
		const struct diff_change *c = &found.p[i];
		struct diff_writer w;

		if (answered(a, known, c, l->key))
			continue;
		w = diff_writer(a, &managed, c, LIVE_MANAGER, e->good_at);
		if (autoscaler_wrote(e->app->doc, c, &w) ||
		    ignored_by_manager(a, e->app->doc, &o, c, &w))
			continue;
		j.ours |=
			ours.n && diff_writer(a, &ours, c, STR_NONE, INT64_MAX).sure == DIFF_OWNER;
		if (j.all++ < LIVE_MAX_FIELDS)
			*ARENA_PUSH(a, &j) = field(a, e, &o, now->root, c, &w);
	}
	*ret = j;
	return NULL;
}

/* ------------------------------------------------------------------ fields that are others' */

static bool pointer_covers(struct arena *a, str pointer, const struct object *o,
			   const struct diff_change *c)
{
	struct tokens t = split(a, str_trim(pointer));

	return covers(&t, o->root, c);
}

static bool ignored_by_rule(struct arena *a, const struct live_app *app, const struct object *o,
			    const struct diff_change *c)
{
	str own = obj_annotation(o, STR("leeboard.dev/ignore")), pointer;

	for (size_t i = 0; i < app->doc->drift_ignore.n; i++) {
		const struct ignore_rule *r = &app->doc->drift_ignore.p[i];

		if (r->managers.n || !config_target_matches(&r->target, o->id, o->version, o->root))
			continue;
		if (!r->paths.n)
			return true;
		for (size_t j = 0; j < r->paths.n; j++)
			if (pointer_covers(a, r->paths.p[j], o, c))
				return true;
	}
	while (own.n && str_split(&own, ',', &pointer))
		if (pointer_covers(a, pointer, o, c))
			return true;
	return app_is_scaled(app, o->id) && str_eq(c->path, STR(".spec.replicas"));
}

struct err *judge_yields(struct arena *a, const struct live_app *app, const struct object *o,
			 const struct target_live *now, struct yields *ret)
{
	struct diff_managed managed = managed_of(a, now->root), ours = {0};
	const struct diff_manager *mine = diff_managed_ours(&managed, LIVE_MANAGER);
	bool file = target_sort(app->live->target) == TARGET_SORT_DIR;
	struct diff_changes found;

	if (mine)
		*ARENA_PUSH(a, &ours) = *mine;
	TRY(changes(a, o, o->root, now->root, &managed, &found));
	for (size_t i = 0; i < found.n; i++) {
		const struct diff_change *c = &found.p[i];
		struct diff_writer w = diff_writer(a, &managed, c, LIVE_MANAGER, 0);
		bool held =
			file || diff_writer(a, &ours, c, STR_NONE, INT64_MAX).sure == DIFF_OWNER;

		if (c->class == DIFF_REORDERED)
			continue;
		if (ignored_by_rule(a, app, o, c) || autoscaler_wrote(app->doc, c, &w) ||
		    ignored_by_manager(a, app->doc, o, c, &w))
			*ARENA_PUSH(a, ret) = (struct yielded){*c, held && c->live};
	}
	return NULL;
}
