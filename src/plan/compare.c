/* What differs between Git, what was sent last and what stands there; without what is others'. */
#include <stdlib.h>

#include "plan_priv.h"

static str manager_of(const struct plan_in *in)
{
	return in->manager.n ? in->manager : STR("leeboard");
}

/* ------------------------------------------------------------------ what is ignored */

static const struct node *without(struct arena *a, const struct node *n, const str *key,
				  size_t left)
{
	uint64_t i = 0;
	const struct node *below = node_is(n, NODE_MAP) ? node_get(n, *key) : NULL, *rest;
	bool list = node_is(n, NODE_LIST) && str_to_u64(*key, &i) && i < n->n;

	if (list)
		below = n->items[i];
	if (!below)
		return n;
	if (left == 1)
		return list ? node_list_del(a, n, (size_t)i) : node_del(a, n, *key);
	rest = without(a, below, key + 1, left - 1);
	if (rest == below)
		return n;
	return list ? node_list_set(a, n, (size_t)i, rest) : node_set(a, n, *key, rest);
}

static const struct node *drop(struct arena *a, const struct node *root, str pointer)
{
	struct node_path path = {0};
	struct err *e = node_pointer_split(a, pointer, &path);

	err_free(e); /* config refuses such; in an annotation it means nothing */
	return e || !path.n ? root : without(a, root, path.p, path.n);
}

static int id_cmp(const void *x, const void *y)
{
	return obj_id_cmp(*(const obj_id *)x, *(const obj_id *)y);
}

static void find_scaled(struct building *b)
{
	const struct wants *w = b->in->wants;

	b->scaled_known = true;
	for (size_t i = 0; i < w->n; i++) {
		obj_id id = w->p[i].id;
		bool hpa = str_eq(id.kind, STR("HorizontalPodAutoscaler")) &&
			   str_eq(id.group, STR("autoscaling"));
		bool keda =
			str_eq(id.kind, STR("ScaledObject")) && str_eq(id.group, STR("keda.sh"));
		const struct node *ref;
		str group = STR("apps"), version, api, kind;
		struct object o;
		struct err *e;

		if (!hpa && !keda)
			continue;
		e = want_tree(b->scratch, &w->p[i], &o);
		if (e) {
			err_free(e); /* said where it is judged */
			continue;
		}
		ref = node_at(o.root, "spec", "scaleTargetRef", NULL);
		api = node_get_text(ref, STR("apiVersion"));
		kind = node_get_text(ref, STR("kind"));
		if (api.n)
			obj_api_version(api, &group, &version);
		*ARENA_PUSH(b->scratch, &b->scaled) =
			(obj_id){group, kind.n ? kind : STR("Deployment"), id.ns,
				 node_get_text(ref, STR("name"))};
	}
	if (b->scaled.n)
		qsort(b->scaled.p, b->scaled.n, sizeof(obj_id), id_cmp);
}

static bool is_scaled(struct building *b, obj_id id)
{
	if (b->in->app->drift_autoscalers != AUTOSCALERS_YIELD)
		return false;
	if (!b->scaled_known)
		find_scaled(b);
	return b->scaled.n && bsearch(&id, b->scaled.p, b->scaled.n, sizeof(id), id_cmp);
}

const struct node *compared(struct building *b, const struct object *o, const struct node *root)
{
	str own = obj_annotation(o, STR("leeboard.dev/ignore")), pointer;
	struct arena *a = b->scratch;

	for (size_t i = 0; i < b->in->app->drift_ignore.n; i++) {
		const struct ignore_rule *r = &b->in->app->drift_ignore.p[i];

		if (r->managers.n || !config_target_matches(&r->target, o->id, o->version, o->root))
			continue;
		if (!r->paths.n)
			return NULL;
		for (size_t j = 0; j < r->paths.n; j++)
			root = drop(a, root, r->paths.p[j]);
	}
	while (own.n && str_split(&own, ',', &pointer))
		root = drop(a, root, str_trim(pointer));
	return is_scaled(b, o->id) ? drop(a, root, STR("/spec/replicas")) : root;
}

/* Paths of a rule with managers: the pointer's parts against the steps of the change. */
static bool covers(struct arena *a, str pointer, const struct diff_change *c)
{
	struct node_path path = {0};
	struct err *e = node_pointer_split(a, pointer, &path);

	err_free(e);
	if (e || path.n > c->n_steps)
		return false;
	for (size_t i = 0; i < path.n; i++)
		if (c->steps[i].kind != DIFF_FIELD || !str_eq(c->steps[i].name, path.p[i]))
			return false;
	return true;
}

static bool names(const struct config_texts *managers, const struct diff_writer *w)
{
	for (size_t i = 0; i < w->n; i++)
		for (size_t j = 0; j < managers->n; j++)
			if (str_eq(managers->p[j], w->p[i]->name))
				return true;
	return false;
}

/* By who wrote it: a scale of an autoscaler that is not in Git, and drift.ignore with managers. */
static bool is_others(struct building *b, const struct object *o, const struct diff_managed *m,
		      const struct diff_change *c)
{
	const struct app *app = b->in->app;
	struct diff_writer w;

	if (!m->n || !diff_class_alerts(c->class))
		return false;
	w = diff_writer(b->scratch, m, c, manager_of(b->in), 0);
	if (app->drift_autoscalers == AUTOSCALERS_YIELD && str_eq(c->path, STR(".spec.replicas")) &&
	    w.sure == DIFF_OWNER && str_eq(w.p[0]->subresource, STR("scale")) &&
	    (str_eq(w.p[0]->name, STR("kube-controller-manager")) ||
	     str_eq(w.p[0]->name, STR("horizontal-pod-autoscaler"))))
		return true;
	for (size_t i = 0; i < app->drift_ignore.n; i++) {
		const struct ignore_rule *r = &app->drift_ignore.p[i];
		bool here = !r->paths.n;

		if (!r->managers.n || !names(&r->managers, &w) ||
		    !config_target_matches(&r->target, o->id, o->version, o->root))
			continue;
		for (size_t j = 0; j < r->paths.n; j++)
			here |= covers(b->scratch, r->paths.p[j], c);
		if (here)
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ for people */

static bool holds_secret(obj_id id, str path)
{
	return obj_is_secret(id) &&
	       (str_starts(path, STR(".data")) || str_starts(path, STR(".stringData")) ||
		str_starts(path, STR(".metadata.annotations[\"kubectl.kubernetes.io/")) ||
		str_eq(path, STR(".metadata.annotations")) || str_eq(path, STR(".metadata")) ||
		!path.n);
}

static const struct node *keep(struct arena *a, const struct node *n, bool redacted)
{
	return n && !redacted ? node_dup(a, n) : NULL;
}

static void add_field(struct building *b, const struct want *w, const struct diff_managed *m,
		      const struct diff_change *c, struct plan_field *f)
{
	const struct want_origin *origin = want_origin(w, c->path);
	bool redacted = holds_secret(w->id, c->path);

	*f = (struct plan_field){
		.path = arena_str(b->a, c->path),
		.class = c->class,
		.git = keep(b->a, c->desired, redacted),
		.live = keep(b->a, c->live, redacted),
		.applied = keep(b->a, c->applied, redacted),
		.redacted = redacted,
		.origin_file = origin ? origin->file : w->file,
		.origin_line = origin ? origin->line : w->line,
	};
	if (diff_class_alerts(c->class) && m->n) {
		struct diff_writer who = diff_writer(b->scratch, m, c, manager_of(b->in), 0);

		if (who.sure == DIFF_OWNER) {
			f->writer = arena_str(b->a, who.p[0]->name);
			f->writer_operation = arena_str(b->a, who.p[0]->operation);
			f->writer_subresource = arena_str(b->a, who.p[0]->subresource);
			f->writer_at = who.p[0]->time;
		}
	}
}

/* ------------------------------------------------------------------ comparing */

static const struct node *last_applied(struct building *b, const struct want *w,
				       const struct plan_object *k, const struct object *o,
				       const struct diff_managed *m)
{
	const struct want *before = b->in->before ? wants_get(b->in->before, w->id) : NULL;
	const struct node *r = NULL;

	if (before && k->sent && hash_eq(&before->digest, &k->digest)) {
		struct object was;
		struct err *e = want_tree(b->scratch, before, &was);

		err_free(e); /* then there are others to ask */
		if (!e)
			r = was.root;
	}
	if (!r)
		r = k->applied;
	if (!r && diff_managed_ours(m, manager_of(b->in)))
		r = diff_owned(b->scratch, diff_managed_ours(m, manager_of(b->in)), k->live);
	return r ? compared(b, o, r) : NULL;
}

struct err *compare(struct building *b, const struct want *w, const struct plan_object *k,
		    const struct object *o, const struct node *d, bool ours, struct compare *ret)
{
	struct compare c = {.same_want = k->sent && hash_eq(&k->digest, &w->digest)};
	const struct node *applied;
	struct object seen = *o;

	err_free(diff_managed_read(b->scratch, k->live, &c.managed)); /* then without */
	applied = c.same_want ? d : last_applied(b, w, k, o, &c.managed);

	struct diff_witnesses x = {
		.schema = obj_schema_of(node_get_text(o->root, STR("apiVersion")), w->id.kind),
		.managed = &c.managed,
		.applied = applied,
		.desired = d,
		.live = k->live,
	};

	TRY(diff_changes(b->scratch, &x, &c.changes));
	size_t n = 0;

	for (size_t i = 0; i < c.changes.n; i++)
		if (!is_others(b, o, &c.managed, &c.changes.p[i]))
			c.changes.p[n++] = c.changes.p[i];
	c.changes.n = n;
	/* Without what was applied last nobody can say who changed a field of ours: Git, then. */
	for (size_t i = 0; i < c.changes.n; i++) {
		struct diff_change *y = &c.changes.p[i];

		if (!applied && ours && y->class == DIFF_TAKE_OVER)
			y->class = DIFF_CHANGE;
		c.writes |= diff_class_written(y->class);
		c.touches |= y->class == DIFF_THERE;
		c.drift |= diff_class_alerts(y->class);
	}
	if (b->in->marks) {
		struct diff_projection p = {.answer = DIFF_ASK};

		seen.root = d;
		err_free(diff_project(b->scratch, &seen, k->live, manager_of(b->in), &p));
		/* It knows of ownership and of defaults; so where it is sure, it is right. */
		if (p.answer == DIFF_UNCHANGED) {
			c.writes = c.touches = c.drift = false;
			c.changes.n = 0;
		} else {
			c.touches = true;
		}
	} else if (!applied || !node_equal(applied, d)) {
		c.touches = true;
	}
	*ret = c;
	return NULL;
}

void show_fields(struct building *b, const struct want *w, const struct compare *c,
		 struct plan_step *s)
{
	size_t most = c->changes.n < PLAN_MAX_FIELDS ? c->changes.n : PLAN_MAX_FIELDS;
	struct plan_field *p = ARENA_ARRAY(b->a, struct plan_field, most);

	for (size_t i = 0; i < most; i++)
		add_field(b, w, &c->managed, &c->changes.p[i], &p[i]);
	s->fields = p;
	s->fields_n = most;
	s->fields_all = c->changes.n;
}
