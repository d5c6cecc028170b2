/* Deleting one object, and knowing when it is gone: the answer says so, or a watch does. Nothing is
 * asked again and again. */
#include "kube_priv.h"
#include <stdlib.h>

#define FOLLOW_PAUSE SECOND

/* ------------------------------------------------------------------ who waits for what */

void kube_wait(struct kube *k, struct kube_waiter *w)
{
	w->prev = NULL;
	w->next = k->waiters;
	if (w->next)
		w->next->prev = w;
	k->waiters = w;
}

void kube_wait_end(struct kube *k, struct kube_waiter *w)
{
	*(w->prev ? &w->prev->next : &k->waiters) = w->next;
	if (w->next)
		w->next->prev = w->prev;
	w->prev = w->next = NULL;
}

void kube_tell_gone(struct kube *k, obj_id id, str uid)
{
	for (struct kube_waiter *w = k->waiters, *next; w; w = next) {
		next = w->next;
		if (obj_id_eq(w->id, id) && (!w->uid.n || !uid.n || str_eq(w->uid, uid)))
			w->gone(w->arg);
	}
}

void kube_expect_gone(struct kube *k, str uid)
{
	if (uid.n)
		k->expected[k->expected_n++ % KUBE_EXPECTED] = str_hash(uid) | 1;
}

bool kube_expected_gone(const struct kube *k, str uid)
{
	uint64_t h = str_hash(uid) | 1;

	for (size_t i = 0; i < KUBE_EXPECTED; i++)
		if (k->expected[i] == h)
			return true;
	return false;
}

/* ------------------------------------------------------------------ following one */

struct kube_gone {
	struct kube *k;
	struct arena *a;
	struct kube_waiter waiter;
	struct kube_kind kind;
	kube_gone_fn fn;
	void *arg;
	struct kube_stream *stream;
	struct kube_req *req;
	struct timer *limit, *pause;
	bool told, following, limited;
};

static void follow_one(struct kube_gone *g, str version);
static void check(struct kube_gone *g);

void kube_gone_free(struct kube_gone *g)
{
	if (!g)
		return;
	kube_wait_end(g->k, &g->waiter);
	kube_stream_free(g->stream);
	kube_req_cancel(g->req);
	timer_stop(g->limit);
	timer_stop(g->pause);
	arena_free(g->a);
	free(g);
}

/* fn may free g. */
static void answer(struct kube_gone *g, const struct node *last, struct err *e)
{
	kube_stream_free(STEAL(g->stream));
	kube_req_cancel(g->req);
	timer_stop(STEAL(g->limit));
	timer_stop(STEAL(g->pause));
	g->following = false;
	g->fn(g->arg, last, e);
}

static void on_told(void *arg)
{
	struct kube_gone *g = arg;

	g->pause = NULL;
	answer(g, NULL, NULL);
}

/* From a watch, so answered in the next turn. */
static void gone(void *arg)
{
	struct kube_gone *g = arg;

	if (g->told)
		return;
	g->told = true;
	if (!g->following)
		return;
	timer_stop(g->pause);
	g->pause = timer_start(g->k->t.loop, 0, on_told, g);
}

static void on_event(void *arg, enum kube_event what, const struct node *object)
{
	struct kube_gone *g = arg;

	if (what == KUBE_DELETED &&
	    (!g->waiter.uid.n || str_eq(kube_meta(object, STR("uid")), g->waiter.uid)))
		gone(g);
}

static void on_pause(void *arg)
{
	struct kube_gone *g = arg;

	g->pause = NULL;
	check(g);
}

static void on_end(void *arg, const struct kube_reply *r UNUSED, struct err *e)
{
	struct kube_gone *g = arg;

	g->stream = NULL;
	err_free(e);
	if (!g->told)
		g->pause = timer_start(g->k->t.loop, FOLLOW_PAUSE, on_pause, g);
}

static void on_check(void *arg, const struct kube_reply *r, struct err *e)
{
	struct kube_gone *g = arg;
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *root = NULL;

	if (!e && r->status == 404) {
		answer(g, NULL, NULL);
		return;
	}
	if (!e && r->status != 200)
		e = kube_error(r->what, r->status, r->body);
	if (!e)
		e = kube_item_read(a, r->body, g->kind.group, g->kind.version, g->kind.kind, &root);
	if (e)
		answer(g, NULL, e);
	else if (g->waiter.uid.n && !str_eq(kube_meta(root, STR("uid")), g->waiter.uid))
		answer(g, NULL, NULL);
	else if (g->limited)
		answer(g, root, NULL);
	else
		follow_one(g, kube_meta(root, STR("resourceVersion")));
}

static void check(struct kube_gone *g)
{
	struct kube_ask ask = {
		.method = "GET",
		.path = kube_path(g->a, &g->kind, g->waiter.id.ns, g->waiter.id.name),
		.lane = KUBE_READ,
		.what = kube_what("get", &g->kind, g->waiter.id.ns, g->waiter.id.name),
	};

	kube_req_cancel(g->req);
	kube_send(g->k, NULL, &ask, on_check, g, &g->req);
}

static void on_limit(void *arg)
{
	struct kube_gone *g = arg;

	g->limit = NULL;
	g->limited = true;
	kube_stream_free(STEAL(g->stream));
	timer_stop(STEAL(g->pause));
	check(g);
}

static void follow_one(struct kube_gone *g, str version)
{
	static const struct kube_stream_callbacks cb = {.event = on_event, .end = on_end};
	CLEANUP(buf) struct buf path = BUF_INIT;
	struct kube_what what = kube_what("watch", &g->kind, g->waiter.id.ns, g->waiter.id.name);

	buf_str(&path, kube_path(g->a, &g->kind, g->waiter.id.ns, STR_NONE));
	buf_str(&path, STR("?watch=1&allowWatchBookmarks=true&fieldSelector=metadata.name%3D"));
	kube_escape(&path, g->waiter.id.name);
	buf_printf(&path, "&timeoutSeconds=%u&resourceVersion=", 300 + random_below(300));
	kube_escape(&path, version);
	g->stream = kube_stream_new(g->k, buf_view(&path), &what, &cb, g);
}

struct kube_gone *kube_gone_start(struct kube *k, const struct kube_kind *kind, obj_id id, str uid,
				  kube_gone_fn fn, void *arg)
{
	struct kube_gone *g = xcalloc(1, sizeof(*g));

	g->k = k;
	g->a = arena_new();
	g->kind = kube_kind_dup(g->a, kind);
	g->fn = fn;
	g->arg = arg;
	g->waiter.id = obj_id_dup(g->a, id);
	g->waiter.uid = arena_str(g->a, uid);
	g->waiter.gone = gone;
	g->waiter.arg = g;
	kube_wait(k, &g->waiter);
	return g;
}

void kube_gone_follow(struct kube_gone *g, str version, bool marked)
{
	g->following = true;
	g->limit = timer_start(g->k->t.loop, g->k->delete_timeout, on_limit, g);
	if (g->told)
		g->pause = timer_start(g->k->t.loop, 0, on_told, g);
	else if (!marked || !kube_watches(g->k, g->waiter.id))
		follow_one(g, version);
}

void kube_keeps(const struct node *root, struct buf *b)
{
	const struct node *lists[] = {node_at(root, "metadata", "finalizers", NULL),
				      node_at(root, "spec", "finalizers", NULL)};
	const struct node *conditions = node_at(root, "status", "conditions", NULL);
	size_t n = 0;

	for (size_t l = 0; l < ARRAY_LEN(lists); l++)
		for (uint32_t i = 0; node_is(lists[l], NODE_LIST) && i < lists[l]->n; i++) {
			buf_str(b, n++ ? STR(", '") : STR("waiting for finalizers '"));
			kube_sentence(b, node_text(lists[l]->items[i]));
			buf_char(b, '\'');
		}
	/* A namespace tells what is left in it. */
	for (uint32_t i = 0; node_is(conditions, NODE_LIST) && i < conditions->n; i++) {
		const struct node *c = conditions->items[i];
		str type = node_get_text(c, STR("type"));

		if (str_eq(node_get_text(c, STR("status")), STR("True")) &&
		    (str_starts(type, STR("Namespace")))) {
			buf_str(b, b->n ? STR("; ") : STR(""));
			kube_sentence(b, node_get_text(c, STR("message")));
		}
	}
}

/* ------------------------------------------------------------------ the operation */

struct delete_op {
	struct kube_op op;
	target_done done;
	void *arg;
	obj_id id;
	str version, uid;
	int propagation;
	struct kube_kind kind;
	struct kube_gone *gone;
	bool rediscovered;
};

static void find(struct kube_op *op);

static void delete_gone(struct kube_op *op)
{
	kube_gone_free(((struct delete_op *)op)->gone);
}

static void done(struct delete_op *d, struct err *e)
{
	kube_op_tell(&d->op);
	d->done(d->arg, e);
	kube_op_end(&d->op);
}

static void on_gone(void *arg, const struct node *last, struct err *e)
{
	struct delete_op *d = arg;
	CLEANUP(buf) struct buf keeps = BUF_INIT;
	CLEANUP(arena) struct arena *a = arena_new();

	if (last) {
		kube_keeps(last, &keeps);
		e = err_new(ERR_FINALIZER, STR_FMT " is still there after " STR_FMT ": %s",
			    STR_ARG(obj_id_label(a, d->id)),
			    STR_ARG(duration_short(a, d->op.k->delete_timeout)),
			    keeps.n ? keeps.p : "nothing says why");
	}
	done(d, e);
}

static void on_rediscovered(void *arg, struct err *e)
{
	struct delete_op *d = arg;

	if (e)
		done(d, e);
	else
		find(&d->op);
}

static bool has_mark(const struct kube *k, const struct node *root)
{
	return str_eq(
		node_get_text(node_at(root, "metadata", "labels", NULL), STR(KUBE_LABEL_INSTANCE)),
		k->instance);
}

static void accepted(struct delete_op *d, str body)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *root = NULL;
	struct err *e = kube_json(a, STR("the answer"), body, &root);

	if (e) {
		done(d, e);
		return;
	}
	if (str_eq(node_get_text(root, STR("kind")), STR("Status"))) {
		kube_expect_gone(d->op.k, d->uid.n ? d->uid
						   : node_get_text(node_get(root, STR("details")),
								   STR("uid")));
		done(d, NULL);
		return;
	}
	kube_gone_follow(d->gone, kube_meta(root, STR("resourceVersion")), has_mark(d->op.k, root));
}

static void on_deleted(void *arg, const struct kube_reply *r, struct err *e)
{
	struct delete_op *d = arg;

	if (e)
		done(d, e);
	else if (r->status == 200 || r->status == 202)
		accepted(d, r->body);
	else if (kube_no_such_resource(r->status, r->body) && !d->rediscovered) {
		d->rediscovered = true;
		kube_discover(d->op.k, &d->op, on_rediscovered, d);
	} else if (r->status == 404)
		done(d, NULL);
	else if (d->uid.n && kube_other_uid(r->status, r->body))
		done(d, NULL); /* another object: not ours */
	else
		done(d, kube_error(r->what, r->status, r->body));
}

static void find(struct kube_op *op)
{
	static const char *const policies[] = {[PROPAGATE_BACKGROUND] = "Background",
					       [PROPAGATE_FOREGROUND] = "Foreground",
					       [PROPAGATE_ORPHAN] = "Orphan"};
	struct delete_op *d = (struct delete_op *)op;
	const struct kube_kind *kind = kube_kind(op->k, d->id.group, d->version, d->id.kind);
	CLEANUP(buf) struct buf body = BUF_INIT;
	struct kube_ask ask = {.method = "DELETE",
			       .type = "application/json",
			       .lane = KUBE_WRITE,
			       .managed = true};

	if (!kind) /* a CRD may have dropped the version that it was written in */
		kind = kube_kind(op->k, d->id.group, STR_NONE, d->id.kind);
	if (!kind && !d->rediscovered) {
		d->rediscovered = true;
		kube_discover(op->k, op, on_rediscovered, d);
		return;
	}
	if (!kind) {
		done(d, kube_group_bad(op->k, d->id.group, d->version)
				? kube_group_err(d->id.group, d->version, d->id.kind)
				: NULL); /* its CRD is gone, and with it the object */
		return;
	}
	d->kind = kube_kind_dup(op->a, kind);
	kube_gone_free(d->gone);
	d->gone = kube_gone_start(op->k, &d->kind, d->id, d->uid, on_gone, d);
	buf_printf(&body,
		   "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"propagationPolicy\":\"%s\"",
		   policies[d->propagation]);
	if (d->uid.n) {
		buf_str(&body, STR(",\"preconditions\":{\"uid\":"));
		buf_json(&body, d->uid);
		buf_char(&body, '}');
	}
	buf_char(&body, '}');
	ask.body = arena_str(op->a, buf_view(&body));
	ask.path = kube_path(op->a, &d->kind, d->id.ns, d->id.name);
	ask.what = kube_what("delete", &d->kind, d->id.ns, d->id.name);
	kube_send(op->k, op, &ask, on_deleted, d, NULL);
}

void kube_remove(struct target *t, const struct target_delete *what, target_done fn, void *arg,
		 struct target_call **ret)
{
	struct delete_op *d = kube_op_new((struct kube *)t, sizeof(*d), delete_gone, ret);

	d->done = fn;
	d->arg = arg;
	d->id = obj_id_dup(d->op.a, what->id);
	d->version = arena_str(d->op.a, what->version);
	d->uid = arena_str(d->op.a, what->uid);
	d->propagation = what->propagation;
	kube_op_later(&d->op, 0, find);
}
