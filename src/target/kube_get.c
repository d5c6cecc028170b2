/* Reading objects: each by itself, or, where only metadata counts and there are several of a kind,
 * from a list of the kind in pages. An object that could not be read is never an absent one. */
#include "kube_priv.h"
#include <stdlib.h>

#define ACCEPT_META "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
#define ACCEPT_META_LIST                                                                           \
	"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
#define LIST_FROM 3u     /* of a kind, to be worth a list */
#define LISTS 4u         /* at a time */
#define LIST_RESTARTS 3u /* after 410 */
#define SEEN_MOST (1u << 18)

/* ------------------------------------------------------------------ lists, item by item */

/* The end of the JSON value at `at`; SIZE_MAX: it has none. Strictness is the reader's. */
static size_t value_end(str s, size_t at)
{
	size_t depth = 0;

	for (; at < s.n; at++) {
		char c = s.p[at];

		if (c == '"') {
			for (at++; at < s.n && s.p[at] != '"'; at++)
				if (s.p[at] == '\\')
					at++;
			if (at >= s.n)
				return SIZE_MAX;
			if (!depth)
				return at + 1;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (c == '}' || c == ']') {
			if (!depth)
				return at;
			if (!--depth)
				return at + 1;
		} else if (c == ',' && !depth) {
			return at;
		}
	}
	return SIZE_MAX;
}

static size_t blanks(str s, size_t at)
{
	while (at < s.n &&
	       (s.p[at] == ' ' || s.p[at] == '\n' || s.p[at] == '\t' || s.p[at] == '\r'))
		at++;
	return at;
}

static struct err *list_meta(struct arena *a, str json, struct kube_items *it)
{
	const struct node *m = NULL;

	TRY(kube_json(a, STR("the list's metadata"), json, &m));
	it->more = node_get_text(m, STR("continue"));
	it->version = node_get_text(m, STR("resourceVersion"));
	(void)node_i64(node_get(m, STR("remainingItemCount")), &it->remaining);
	return NULL;
}

struct err *kube_items_open(struct arena *a, str body, struct kube_items *ret)
{
	struct kube_items it = {.body = body, .at = SIZE_MAX};
	size_t at = blanks(body, 0);
	bool items = false;

	if (at >= body.n || body.p[at] != '{')
		return err_new(ERR_TARGET_UNREACHABLE, "the server's list is none");
	for (at = blanks(body, at + 1); at < body.n && body.p[at] == '"';) {
		size_t end = value_end(body, at), from;
		str key;

		if (end == SIZE_MAX)
			break;
		key = str_sub(body, at + 1, end - at - 2);
		from = blanks(body, end);
		if (from >= body.n || body.p[from] != ':')
			break;
		from = blanks(body, from + 1);
		end = value_end(body, from);
		if (end == SIZE_MAX)
			break;
		if (str_eq(key, STR("metadata")))
			TRY(list_meta(a, str_sub(body, from, end - from), &it));
		if (str_eq(key, STR("items"))) {
			items = true;
			if (body.p[from] == '[')
				it.at = from + 1;
		}
		at = blanks(body, end);
		if (at < body.n && body.p[at] == ',')
			at = blanks(body, at + 1);
	}
	if (at >= body.n || body.p[at] != '}' || !items)
		return err_new(ERR_TARGET_UNREACHABLE, "the server's list is none, or not whole");
	*ret = it;
	return NULL;
}

bool kube_items_next(struct kube_items *it, str *ret)
{
	size_t from, end;

	if (it->at >= it->body.n)
		return false;
	from = blanks(it->body, it->at);
	if (from < it->body.n && it->body.p[from] == ',')
		from = blanks(it->body, from + 1);
	end = value_end(it->body, from);
	if (end == SIZE_MAX || end <= from || it->body.p[from] != '{') {
		it->at = SIZE_MAX;
		return false;
	}
	*ret = str_sub(it->body, from, end - from);
	it->at = end;
	return true;
}

struct err *kube_item_read(struct arena *a, str json, str group, str version, str kind,
			   const struct node **ret)
{
	const struct node *root = NULL;
	str api;

	TRY(kube_json(a, STR("an object"), json, &root));
	if (!node_is(root, NODE_MAP) || !node_is(node_get(root, STR("metadata")), NODE_MAP))
		return err_new(ERR_TARGET_UNREACHABLE,
			       "the server sent an object without metadata");
	api = group.n ? arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(group), STR_ARG(version))
		      : version;
	if (!str_eq(node_get_text(root, STR("kind")), kind) ||
	    !str_eq(node_get_text(root, STR("apiVersion")), api)) {
		root = node_del(a, node_del(a, root, STR("kind")), STR("apiVersion"));
		root = node_insert(a, root, 0, STR("kind"), node_new_str(a, kind));
		root = node_insert(a, root, 0, STR("apiVersion"), node_new_str(a, api));
	}
	*ret = root;
	return NULL;
}

str kube_meta(const struct node *root, str key)
{
	return node_get_text(node_get(root, STR("metadata")), key);
}

void kube_live(const struct node *root, struct target_live *ret)
{
	*ret = (struct target_live){
		.id = {.kind = node_get_text(root, STR("kind")),
		       .ns = kube_meta(root, STR("namespace")),
		       .name = kube_meta(root, STR("name"))},
		.uid = kube_meta(root, STR("uid")),
		.root = root,
	};
	obj_api_version(node_get_text(root, STR("apiVersion")), &ret->id.group, &ret->version);
}

/* ------------------------------------------------------------------ what was seen */

static struct kube_seen_entry *slot(const struct kube_seen *s, uint64_t uid)
{
	size_t i = uid & (s->cap - 1);

	while (s->p[i].uid && s->p[i].uid != uid)
		i = (i + 1) & (s->cap - 1);
	return &s->p[i];
}

static void seen_grow(struct kube_seen *s)
{
	struct kube_seen to = {.cap = s->cap ? s->cap * 2 : 256};

	to.p = xcalloc(to.cap, sizeof(*to.p));
	to.n = s->n;
	for (size_t i = 0; i < s->cap; i++)
		if (s->p[i].uid)
			*slot(&to, s->p[i].uid) = s->p[i];
	free(s->p);
	*s = to;
}

void kube_seen_put(struct kube_seen *s, str uid, str version)
{
	uint64_t h = str_hash(uid) | 1;
	struct kube_seen_entry *e;

	if (!uid.n || !version.n)
		return;
	if (s->n >= SEEN_MOST) { /* a hint only: start again */
		memset(s->p, 0, s->cap * sizeof(*s->p));
		s->n = 0;
	}
	if ((s->n + 1) * 4 > s->cap * 3)
		seen_grow(s);
	e = slot(s, h);
	s->n += !e->uid;
	if (e->version != str_hash(version))
		*e = (struct kube_seen_entry){h, str_hash(version), ++s->now};
}

bool kube_seen_is(const struct kube_seen *s, str uid, str version, uint64_t before)
{
	const struct kube_seen_entry *e = s->cap ? slot(s, str_hash(uid) | 1) : NULL;

	return e && e->uid && e->version == str_hash(version) && e->since <= before;
}

void kube_seen_del(struct kube_seen *s, str uid)
{
	struct kube_seen_entry *e = s->cap ? slot(s, str_hash(uid) | 1) : NULL;

	if (e && e->uid)
		e->version = 0; /* the slot stays: open addressing */
}

/* ------------------------------------------------------------------ the operation */

struct get_list {
	struct get_op *op;
	struct kube_kind kind;
	size_t from, to; /* of op->order */
	str ns;          /* all of them lie in it; empty: the whole cluster */
	unsigned restarts;
	bool first;
};
struct get_one {
	struct get_op *op;
	size_t i;
	struct kube_kind kind;
};
struct get_op {
	struct kube_op op;
	target_get_done done;
	void *arg;
	struct target_want_live *ids;
	struct target_live *lives;
	size_t n, open;
	size_t *order;
	bool meta, rediscovered;
	struct get_list *lists;
	size_t lists_n, lists_next;
	struct err *failed;
};

static void get_gone(struct kube_op *op)
{
	err_free(((struct get_op *)op)->failed);
}

static void get_done(struct get_op *g)
{
	kube_op_tell(&g->op);
	g->done(g->arg, g->lives, g->n, STEAL(g->failed));
	kube_op_end(&g->op);
}

static void fail(struct get_op *g, size_t i, struct err *e)
{
	g->lives[i].failed = true;
	g->lives[i].root = NULL;
	g->failed = err_join(g->failed, e);
}

static void plan(struct kube_op *op);

static void maybe_done(struct get_op *g)
{
	if (!g->open)
		get_done(g);
}

static struct err *take_object(struct get_op *g, size_t i, str json)
{
	const struct target_want_live *w = &g->ids[i];
	const struct node *root = NULL;

	TRY(kube_item_read(g->op.a, json, w->id.group, w->version, w->id.kind, &root));
	g->lives[i].root = root;
	g->lives[i].uid = kube_meta(root, STR("uid"));
	kube_seen_put(&g->op.k->seen, g->lives[i].uid, kube_meta(root, STR("resourceVersion")));
	return NULL;
}

/* ---- one by one */

static void get_one(struct get_op *g, size_t i, const struct kube_kind *kind);

static void on_rediscovered(void *arg, struct err *e)
{
	struct get_one *o = arg;
	struct get_op *g = o->op;
	const struct target_want_live *w = &g->ids[o->i];
	const struct kube_kind *kind = kube_kind(g->op.k, w->id.group, w->version, w->id.kind);

	g->open--;
	if (e)
		fail(g, o->i, e);
	else if (kind)
		fail(g, o->i,
		     err_new(ERR_TARGET_UNREACHABLE,
			     "the server lists " STR_FMT "." STR_FMT " but does not serve it",
			     STR_ARG(kind->resource), STR_ARG(kind->group)));
	else if (kube_group_bad(g->op.k, w->id.group, w->version))
		fail(g, o->i, kube_group_err(w->id.group, w->version, w->id.kind));
	maybe_done(g);
}

static void on_one(void *arg, const struct kube_reply *r, struct err *e)
{
	struct get_one *o = arg;
	struct get_op *g = o->op;

	g->open--;
	if (e) {
		fail(g, o->i, e);
	} else if (kube_no_such_resource(r->status, r->body)) {
		g->open++;
		kube_discover(g->op.k, &g->op, on_rediscovered, o);
		return;
	} else if (r->status == 200) {
		e = take_object(g, o->i, r->body);
		if (e)
			fail(g, o->i, e);
	} else if (r->status != 404) {
		fail(g, o->i, kube_error(r->what, r->status, r->body));
	}
	maybe_done(g);
}

static void get_one(struct get_op *g, size_t i, const struct kube_kind *kind)
{
	struct get_one *o = ARENA_NEW(g->op.a, struct get_one);
	const struct target_want_live *w = &g->ids[i];
	struct kube_ask ask;

	*o = (struct get_one){g, i, kube_kind_dup(g->op.a, kind)};
	ask = (struct kube_ask){
		.method = "GET",
		.path = kube_path(g->op.a, kind, w->id.ns, w->id.name),
		.accept = g->meta ? ACCEPT_META : NULL,
		.lane = KUBE_READ,
		.what = kube_what("get", &o->kind, w->id.ns, w->id.name),
	};
	g->open++;
	kube_send(g->op.k, &g->op, &ask, on_one, o, NULL);
}

/* ---- by list */

static int by_want(const void *x, const void *y, void *arg)
{
	const struct target_want_live *ids = arg;
	const struct target_want_live *a = &ids[*(const size_t *)x], *b = &ids[*(const size_t *)y];
	int c = str_cmp(a->id.group, b->id.group);

	c = c ? c : str_cmp(a->id.kind, b->id.kind);
	c = c ? c : str_cmp(a->version, b->version);
	c = c ? c : str_cmp(a->id.ns, b->id.ns);
	return c ? c : str_cmp(a->id.name, b->id.name);
}

static bool same_kind(const struct target_want_live *a, const struct target_want_live *b)
{
	return str_eq(a->id.group, b->id.group) && str_eq(a->id.kind, b->id.kind) &&
	       str_eq(a->version, b->version);
}

static void list_page(struct get_list *l, str more);

static void list_next(struct get_op *g)
{
	if (g->lists_next < g->lists_n)
		list_page(&g->lists[g->lists_next++], STR_NONE);
}

static void list_failed(struct get_list *l, struct err *e)
{
	struct get_op *g = l->op;

	for (size_t i = l->from; i < l->to; i++) {
		g->lives[g->order[i]].failed = true;
		g->lives[g->order[i]].root = NULL;
	}
	g->failed = err_join(g->failed, e);
}

static void list_find(struct get_list *l, str ns, str name, str json, struct err **e)
{
	struct get_op *g = l->op;
	size_t lo = l->from, hi = l->to;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const obj_id *id = &g->ids[g->order[mid]].id;
		int c = str_cmp(id->ns, ns);

		c = c ? c : str_cmp(id->name, name);
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < l->to && !*e; lo++) { /* the same id may be asked for twice */
		const obj_id *id = &g->ids[g->order[lo]].id;

		if (!str_eq(id->ns, ns) || !str_eq(id->name, name))
			break;
		*e = take_object(g, g->order[lo], json);
	}
}

static struct err *take_page(struct get_list *l, str body, struct kube_items *it)
{
	str json;

	TRY(kube_items_open(l->op->op.a, body, it));
	while (kube_items_next(it, &json)) {
		CLEANUP(arena) struct arena *a = arena_new();
		const struct node *root = NULL;
		struct err *e = NULL;

		TRY(kube_json(a, STR("an object"), json, &root));
		list_find(l, kube_meta(root, STR("namespace")), kube_meta(root, STR("name")), json,
			  &e);
		TRY(e);
	}
	return NULL;
}

/* What a list of others would cost more than asking for what is missing. */
static bool others_outweigh(const struct get_list *l, const struct kube_items *it)
{
	size_t missing = 0;

	for (size_t i = l->from; i < l->to; i++)
		missing += !l->op->lives[l->op->order[i]].root;
	return it->remaining > 0 && (uint64_t)it->remaining / KUBE_PAGE > missing;
}

static void on_page(void *arg, const struct kube_reply *r, struct err *e)
{
	struct get_list *l = arg;
	struct get_op *g = l->op;
	struct kube_items it = {0};

	g->open--;
	if (!e && r->status == 410 && l->restarts++ < LIST_RESTARTS) {
		list_page(l, STR_NONE);
		return;
	}
	if (!e && r->status != 200)
		e = kube_error(r->what, r->status, r->body);
	if (!e)
		e = take_page(l, r->body, &it);
	if (e) {
		list_failed(l, e);
	} else if (it.more.n && l->first && others_outweigh(l, &it)) {
		for (size_t i = l->from; i < l->to; i++)
			if (!g->lives[g->order[i]].root)
				get_one(g, g->order[i], &l->kind);
	} else if (it.more.n) {
		l->first = false;
		list_page(l, it.more);
		return;
	}
	list_next(g);
	maybe_done(g);
}

static void list_page(struct get_list *l, str more)
{
	struct get_op *g = l->op;
	CLEANUP(buf) struct buf path = BUF_INIT;
	struct kube_ask ask = {
		.method = "GET",
		.accept = ACCEPT_META_LIST,
		.lane = KUBE_READ,
		.what = kube_what("list", &l->kind, l->ns, STR_NONE),
	};

	l->first = !more.n;
	buf_str(&path, kube_path(g->op.a, &l->kind, l->ns, STR_NONE));
	buf_printf(&path, "?limit=%u", KUBE_PAGE);
	if (more.n) {
		buf_str(&path, STR("&continue="));
		kube_escape(&path, more);
	}
	ask.path = arena_str(g->op.a, buf_view(&path));
	g->open++;
	kube_send(g->op.k, &g->op, &ask, on_page, l, NULL);
}

/* ---- the plan */

static void discovered(void *arg, struct err *e)
{
	struct get_op *g = arg;

	if (!e) {
		plan(&g->op);
		return;
	}
	for (size_t i = 0; i < g->n; i++)
		g->lives[i].failed = true;
	g->failed = e;
	get_done(g);
}

/* One that discovery has not heard of may be new. */
static bool knows_all(const struct get_op *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (!kube_kind(g->op.k, g->ids[i].id.group, g->ids[i].version, g->ids[i].id.kind))
			return false;
	return true;
}

static void plan_kind(struct get_op *g, size_t from, size_t to)
{
	const struct target_want_live *w = &g->ids[g->order[from]];
	const struct kube_kind *kind = kube_kind(g->op.k, w->id.group, w->version, w->id.kind);
	struct get_list *l;

	if (!kind && kube_group_bad(g->op.k, w->id.group, w->version)) {
		for (size_t i = from; i < to; i++)
			fail(g, g->order[i], kube_group_err(w->id.group, w->version, w->id.kind));
		return;
	}
	if (!kind)
		return;
	if (!g->meta || !kind->lists || to - from < LIST_FROM) {
		for (size_t i = from; i < to; i++)
			get_one(g, g->order[i], kind);
		return;
	}
	l = &g->lists[g->lists_n++];
	*l = (struct get_list){g, kube_kind_dup(g->op.a, kind), from, to, w->id.ns, 0, true};
	if (!str_eq(g->ids[g->order[to - 1]].id.ns, w->id.ns))
		l->ns = STR_NONE;
}

static void plan(struct kube_op *op)
{
	struct get_op *g = (struct get_op *)op;

	if (!g->rediscovered && !knows_all(g)) {
		g->rediscovered = true;
		kube_discover(op->k, op, discovered, g);
		return;
	}
	g->order = ARENA_ARRAY(op->a, size_t, g->n);
	g->lists = ARENA_ARRAY(op->a, struct get_list, g->n / LIST_FROM + 1);
	for (size_t i = 0; i < g->n; i++)
		g->order[i] = i;
	qsort_r(g->order, g->n, sizeof(size_t), by_want, g->ids);
	for (size_t from = 0, to; from < g->n; from = to) {
		for (to = from + 1; to < g->n; to++)
			if (!same_kind(&g->ids[g->order[from]], &g->ids[g->order[to]]))
				break;
		plan_kind(g, from, to);
	}
	for (size_t i = 0; i < LISTS; i++)
		list_next(g);
	maybe_done(g);
}

void kube_get(struct target *t, const struct target_want_live *ids, size_t n, bool meta,
	      target_get_done done, void *arg, struct target_call **ret)
{
	struct kube *k = (struct kube *)t;
	struct get_op *g = kube_op_new(k, sizeof(*g), get_gone, ret);

	g->done = done;
	g->arg = arg;
	g->n = n;
	g->meta = meta;
	g->ids = ARENA_ARRAY(g->op.a, struct target_want_live, n);
	g->lives = ARENA_ARRAY(g->op.a, struct target_live, n);
	for (size_t i = 0; i < n; i++) {
		g->ids[i].id = obj_id_dup(g->op.a, ids[i].id);
		g->ids[i].version = arena_str(g->op.a, ids[i].version);
		g->lives[i] = (struct target_live){
			.id = g->ids[i].id, .version = g->ids[i].version, .meta_only = meta};
	}
	kube_op_later(&g->op, 0, plan);
}

/* ------------------------------------------------------------------ looking closer */

struct list_op {
	struct kube_op op;
	target_get_done done;
	void *arg;
	struct target_list what;
	bool rediscovered;
};

static void list_done(struct list_op *o, const struct target_live *p, size_t n, struct err *e)
{
	kube_op_tell(&o->op);
	o->done(o->arg, p, n, e);
	kube_op_end(&o->op);
}

static void on_list(void *arg, const struct kube_reply *r, struct err *e)
{
	struct list_op *o = arg;
	struct arena *a = o->op.a;
	struct kube_items it = {0};
	struct target_live *p = ARENA_ARRAY(a, struct target_live, TARGET_MAX_LIST);
	size_t n = 0;
	str json;

	if (!e && r->status != 200)
		e = kube_error(r->what, r->status, r->body);
	if (!e)
		e = kube_items_open(a, r->body, &it);
	while (!e && n < TARGET_MAX_LIST && kube_items_next(&it, &json)) {
		const struct node *root = NULL;

		e = kube_item_read(a, json, o->what.group, o->what.version, o->what.kind, &root);
		if (!e)
			kube_live(root, &p[n++]);
	}
	list_done(o, p, e ? 0 : n, e);
}

static void list_begin(struct kube_op *op);

static void on_list_kinds(void *arg, struct err *e)
{
	struct list_op *o = arg;

	if (e)
		list_done(o, NULL, 0, e);
	else
		list_begin(&o->op);
}

static void list_begin(struct kube_op *op)
{
	struct list_op *o = (struct list_op *)op;
	const struct kube_kind *kind =
		kube_kind(op->k, o->what.group, o->what.version, o->what.kind);
	CLEANUP(buf) struct buf path = BUF_INIT;
	struct kube_kind *own = ARENA_NEW(op->a, struct kube_kind);
	struct kube_ask ask = {.method = "GET", .lane = KUBE_READ};

	if (!kind && !o->rediscovered) {
		o->rediscovered = true;
		kube_discover(op->k, op, on_list_kinds, o);
		return;
	}
	if (!kind) {
		list_done(o, NULL, 0,
			  kube_group_bad(op->k, o->what.group, o->what.version)
				  ? kube_group_err(o->what.group, o->what.version, o->what.kind)
				  : NULL);
		return;
	}
	*own = kube_kind_dup(op->a, kind);
	buf_str(&path, kube_path(op->a, own, o->what.ns, STR_NONE));
	buf_printf(&path, "?limit=%u&labelSelector=", TARGET_MAX_LIST);
	kube_escape(&path, o->what.selector);
	ask.path = arena_str(op->a, buf_view(&path));
	ask.what = kube_what("list", own, o->what.ns, STR_NONE);
	kube_send(op->k, op, &ask, on_list, o, NULL);
}

void kube_list(struct target *t, const struct target_list *what, target_get_done done, void *arg,
	       struct target_call **ret)
{
	struct list_op *o = kube_op_new((struct kube *)t, sizeof(*o), NULL, ret);
	struct arena *a = o->op.a;

	o->done = done;
	o->arg = arg;
	o->what = (struct target_list){
		.group = arena_str(a, what->group),
		.version = arena_str(a, what->version),
		.kind = arena_str(a, what->kind),
		.ns = arena_str(a, what->ns),
		.selector = arena_str(a, what->selector),
	};
	kube_op_later(&o->op, 0, list_begin);
}
