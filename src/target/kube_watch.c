/* List and watch, one a kind, of what carries this instance's label.
 *
 *   DORMANT  the kind is not served (yet); discovery wakes it
 *   LISTING  the first objects: within the watch where the server has watch-list, else in pages
 *   FOLLOWS  told everything once; each later end of the stream goes on from the last version
 *
 * An object that leaves the selector's sight arrives as DELETED, be it gone or only stripped of its
 * label: unless we deleted it ourselves, one GET tells the two apart. What a renewed list does not
 * tell any more is asked for alike; so the names of what was told are kept, and nothing else. */
#include "kube_priv.h"
#include <assert.h>
#include <stdlib.h>

#define WATCH_SOON 200            /* after an end that should not be */
#define WATCH_LASTS (10 * SECOND) /* so long, and an end is no sign of trouble */
#define WATCH_BAD_GROUP_PAUSE (30 * SECOND)
#define WATCH_FORBIDDEN_PAUSE MINUTE /* a missing right is not granted within seconds */
#define CONFIRM_PAUSE (5 * SECOND)   /* a GET that could not be answered */
#define CONFIRM_MOST 200u            /* of one call */

enum watch_state { WATCH_DORMANT, WATCH_LISTING, WATCH_FOLLOWS };

struct told {           /* one object that was told; open addressing */
	char *name;     /* "ns/name"; NULL: free */
	uint32_t list;  /* the list that told it last */
	uint32_t times; /* it was told: a GET that is older says nothing */
	bool gone;
};

struct kube_watch {
	struct kube *k;
	struct kube_watch *prev, *next;
	struct arena *a;
	str group, version, kind_name;
	struct kube_kind kind;
	enum watch_state state;
	struct kube_stream *stream;
	struct kube_req *page;
	struct kube_op *asks; /* discovery after a 404 */
	struct timer *timer;
	struct buf version_seen, path, more; /* resourceVersion to go on from; empty: list */
	bool initial;                        /* the stream tells the list first */
	unsigned fails, expired;
	bool complained, dead;
	msec began; /* the stream, or the list in pages */
	bool begun; /* the server took it */
	struct told *told;
	size_t told_n, told_cap;
	uint32_t list;
	struct confirm *confirms;
	size_t list_open; /* confirmations that LISTED waits for */
};

struct confirm {
	struct kube_watch *w;
	struct confirm *prev, *next;
	struct target_call *call;
	struct timer *timer;
	struct arena *a;
	struct target_want_live *ids;
	uint32_t *times;
	size_t n;
	bool of_list;
};

static void start(struct kube_watch *w);
static void on_timer(void *arg);

/* ------------------------------------------------------------------ names that were told */

static struct told *told_slot(const struct kube_watch *w, str name)
{
	size_t i = str_hash(name) & (w->told_cap - 1);

	while (w->told[i].name && !str_eq(str_from(w->told[i].name), name))
		i = (i + 1) & (w->told_cap - 1);
	return &w->told[i];
}

static void told_grow(struct kube_watch *w)
{
	struct told *old = w->told;
	size_t cap = w->told_cap, live = 0;

	for (size_t i = 0; i < cap; i++)
		live += old[i].name && !old[i].gone;
	w->told_cap = 16;
	while (w->told_cap < (live + 1) * 2)
		w->told_cap *= 2;
	w->told = xcalloc(w->told_cap, sizeof(*w->told));
	w->told_n = live;
	for (size_t i = 0; i < cap; i++) {
		if (!old[i].name)
			continue;
		if (old[i].gone)
			free(old[i].name);
		else
			*told_slot(w, str_from(old[i].name)) = old[i];
	}
	free(old);
}

static void name_of(str ns, str name, struct buf *b)
{
	buf_printf(b, STR_FMT "/" STR_FMT, STR_ARG(ns), STR_ARG(name));
}

static struct told *told_find(struct kube_watch *w, str ns, str name)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct told *t;

	if (!w->told_cap)
		return NULL;
	name_of(ns, name, &b);
	t = told_slot(w, buf_view(&b));
	return t->name ? t : NULL;
}

static void told_put(struct kube_watch *w, str ns, str name)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct told *t;

	name_of(ns, name, &b);
	if ((w->told_n + 1) * 4 > w->told_cap * 3)
		told_grow(w);
	t = told_slot(w, buf_view(&b));
	if (!t->name) {
		t->name = xstrndup(b.p, b.n);
		w->told_n++;
	}
	t->gone = false;
	t->list = w->list;
	t->times++;
}

/* ------------------------------------------------------------------ telling */

static void tell(struct kube *k, const struct target_event *e)
{
	k->telling++;
	target_tell(&k->t, e);
	k->telling--;
}

/* Whoever waits before another try need not wait longer. */
void kube_watch_hurry(struct kube *k)
{
	for (struct kube_watch *w = k->watches; w; w = w->next)
		if (w->timer && w->fails && !w->complained) {
			timer_stop(w->timer);
			w->timer = timer_start(k->t.loop, 0, on_timer, w);
		}
}

static void answers(struct kube *k)
{
	struct target_event e = {.kind = TARGET_FOUND};

	if (!k->lost)
		return;
	k->lost = false;
	kube_watch_hurry(k);
	tell(k, &e);
}

static void lost(struct kube *k, str why)
{
	struct target_event e = {.kind = TARGET_LOST, .why = why};

	if (k->lost)
		return;
	k->lost = true;
	tell(k, &e);
}

static obj_id id_of(const struct kube_watch *w, str ns, str name)
{
	return (obj_id){w->group, w->kind_name, ns, name};
}

static void tell_seen(struct kube_watch *w, const struct node *root)
{
	struct target_event e = {.kind = TARGET_SEEN};

	kube_live(root, &e.live);
	e.live.id.group = w->group;
	e.live.id.kind = w->kind_name;
	e.live.version = w->version;
	told_put(w, e.live.id.ns, e.live.id.name);
	kube_seen_put(&w->k->seen, e.live.uid, kube_meta(root, STR("resourceVersion")));
	tell(w->k, &e);
}

static void tell_gone(struct kube_watch *w, str ns, str name, str uid)
{
	struct target_event e = {.kind = TARGET_GONE};
	struct told *t = told_find(w, ns, name);

	if (t)
		t->gone = true;
	e.live.id = id_of(w, ns, name);
	e.live.version = w->version;
	e.live.uid = uid;
	kube_seen_del(&w->k->seen, uid);
	kube_tell_gone(w->k, e.live.id, uid);
	tell(w->k, &e);
}

/* LISTING or LISTED. */
static void tell_list(struct kube_watch *w, enum target_event_kind what)
{
	struct target_event e = {.kind = what};

	e.live.id = id_of(w, STR_NONE, STR_NONE);
	e.live.version = w->version;
	tell(w->k, &e);
}

/* The kind is not served: there are none. */
static void tell_nothing(struct kube_watch *w)
{
	tell_list(w, TARGET_LISTING);
	if (!w->dead)
		tell_list(w, TARGET_LISTED);
}

/* ------------------------------------------------------------------ gone, or only out of sight? */

static void confirm_free(struct confirm *c)
{
	target_cancel(c->call);
	timer_stop(c->timer);
	*(c->prev ? &c->prev->next : &c->w->confirms) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	arena_free(c->a);
	free(c);
}

static void confirm_ask(void *arg);

static void on_confirmed(void *arg, const struct target_live *p, size_t n, struct err *e)
{
	struct confirm *c = arg;
	struct kube_watch *w = c->w;
	size_t left = 0;

	c->call = NULL;
	err_free(e);
	for (size_t i = 0; i < n && !w->dead; i++) {
		const obj_id *id = &c->ids[i].id;
		struct told *t = told_find(w, id->ns, id->name);

		if (p[i].failed) {
			c->ids[left] = c->ids[i];
			c->times[left++] = c->times[i];
		} else if (p[i].root) {
			tell_seen(w, p[i].root);
		} else if (!t || (t->times == c->times[i] && !t->gone)) {
			tell_gone(w, id->ns, id->name, STR_NONE);
		}
	}
	if (w->dead) /* its end freed c, or will */
		return;
	c->n = left;
	if (left) {
		c->timer = timer_start(w->k->t.loop, CONFIRM_PAUSE, confirm_ask, c);
		return;
	}
	if (c->of_list && !--w->list_open)
		tell_list(w, TARGET_LISTED);
	if (!w->dead)
		confirm_free(c);
}

static void confirm_ask(void *arg)
{
	struct confirm *c = arg;

	c->timer = NULL;
	kube_get(&c->w->k->t, c->ids, c->n, false, on_confirmed, c, &c->call);
}

static struct confirm *confirm_new(struct kube_watch *w, size_t most, bool of_list)
{
	struct confirm *c = xcalloc(1, sizeof(*c));

	c->w = w;
	c->of_list = of_list;
	c->a = arena_new();
	c->ids = ARENA_ARRAY(c->a, struct target_want_live, most);
	c->times = ARENA_ARRAY(c->a, uint32_t, most);
	c->next = w->confirms;
	if (c->next)
		c->next->prev = c;
	w->confirms = c;
	return c;
}

static void confirm_add(struct confirm *c, str ns, str name, uint32_t times)
{
	c->ids[c->n].id = obj_id_dup(c->a, id_of(c->w, ns, name));
	c->ids[c->n].version = arena_str(c->a, c->w->version);
	c->times[c->n++] = times;
}

static bool surely_gone(const struct kube *k, const struct node *object)
{
	int64_t grace = 0;
	const struct node *finalizers = node_at(object, "metadata", "finalizers", NULL);

	if (kube_expected_gone(k, kube_meta(object, STR("uid"))))
		return true;
	(void)node_i64(node_at(object, "metadata", "deletionGracePeriodSeconds", NULL), &grace);
	return kube_meta(object, STR("deletionTimestamp")).n && !grace &&
	       (!finalizers || !finalizers->n);
}

static void left_sight(struct kube_watch *w, const struct node *object)
{
	str ns = kube_meta(object, STR("namespace")), name = kube_meta(object, STR("name"));
	struct told *t;
	struct confirm *c;

	if (surely_gone(w->k, object)) {
		tell_gone(w, ns, name, kube_meta(object, STR("uid")));
		return;
	}
	t = told_find(w, ns, name);
	c = confirm_new(w, 1, false);
	confirm_add(c, ns, name, t ? t->times : 0);
	confirm_ask(c);
}

/* Everything was told. What an older list had told and this one did not is asked for first. */
static void list_ended(struct kube_watch *w)
{
	struct confirm *c = NULL;

	w->state = WATCH_FOLLOWS;
	for (size_t i = 0; i < w->told_cap; i++) {
		struct told *t = &w->told[i];
		str name;
		size_t slash;

		if (!t->name || t->gone || t->list == w->list)
			continue;
		if (!c) {
			c = confirm_new(w, CONFIRM_MOST, true);
			w->list_open++;
		}
		name = str_from(t->name);
		slash = str_chr(name, '/');
		confirm_add(c, str_sub(name, 0, slash), str_sub(name, slash + 1, SIZE_MAX),
			    t->times);
		if (c->n == CONFIRM_MOST) {
			confirm_ask(c);
			c = NULL;
		}
	}
	if (c)
		confirm_ask(c);
	if (!w->list_open)
		tell_list(w, TARGET_LISTED);
}

/* ------------------------------------------------------------------ again */

static void on_timer(void *arg)
{
	struct kube_watch *w = arg;

	w->timer = NULL;
	start(w);
}

static void start_in(struct kube_watch *w, msec d)
{
	timer_stop(w->timer);
	w->timer = timer_start(w->k->t.loop, d + (msec)random_below((uint32_t)(d / 4 + 1)),
			       on_timer, w);
}

static msec pause_of(unsigned fails)
{
	msec d = KUBE_BACKOFF_FIRST;

	if (fails <= 1)
		return WATCH_SOON;
	for (unsigned i = 2; i < fails && d < KUBE_BACKOFF_MOST; i++)
		d *= 2;
	return d < KUBE_BACKOFF_MOST ? d : KUBE_BACKOFF_MOST;
}

static void complain(struct kube_watch *w, struct err *e)
{
	if (!w->complained && w->k->t.log) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_line_to(e, &b);
		log_warn(w->k->t.log, "target.watch_failed", "target", w->k->t.place.p, "kind",
			 w->kind_name.p, "error", b.p);
	}
	w->complained = true;
	err_free(e);
}

static bool lasted(const struct kube_watch *w)
{
	return w->begun && clock_now(w->k->t.loop) - w->began > WATCH_LASTS;
}

/* The second failure in a row is an outage: a first may be a server that restarts a connection. */
static void failed(struct kube_watch *w, struct err *e)
{
	w->fails = lasted(w) ? 1 : w->fails + 1;
	start_in(w, pause_of(w->fails));
	if (w->fails >= 2 && !w->begun)
		lost(w->k, err_message(e));
	err_free(e);
}

static void works(struct kube_watch *w)
{
	w->begun = true;
	w->complained = false;
	answers(w->k);
}

static void relist(struct kube_watch *w)
{
	w->expired = lasted(w) ? 1 : w->expired + 1;
	buf_clear(&w->version_seen);
	start_in(w, w->expired > 1 ? pause_of(w->expired) : 0);
}

/* ---- the kind is not there any more */

static void on_discovered(void *arg, struct err *e)
{
	struct kube_watch *w = arg;

	kube_op_end(STEAL(w->asks));
	if (e) {
		failed(w, e);
	} else if (kube_kind(w->k, w->group, w->version, w->kind_name) ||
		   kube_group_bad(w->k, w->group, w->version)) {
		w->fails++;
		start_in(w, pause_of(w->fails + 1));
	} else {
		w->state = WATCH_DORMANT;
		buf_clear(&w->version_seen);
		for (size_t i = 0; i < w->told_cap; i++)
			if (w->told[i].name)
				w->told[i].gone = true;
		tell_nothing(w);
	}
}

static void not_served(struct kube_watch *w)
{
	w->asks = kube_op_new(w->k, sizeof(*w->asks), NULL, NULL);
	kube_discover(w->k, w->asks, on_discovered, w);
}

/* An answer that is no 200. */
static void refused(struct kube_watch *w, const struct kube_reply *r)
{
	if (r->status == 410) {
		relist(w);
	} else if (kube_no_such_resource(r->status, r->body) || r->status == 404) {
		not_served(w);
	} else {
		complain(w, kube_error(r->what, r->status, r->body));
		w->fails++;
		start_in(w, WATCH_FORBIDDEN_PAUSE);
	}
}

/* ------------------------------------------------------------------ the stream */

static void keep_version(struct kube_watch *w, const struct node *object)
{
	str v = kube_meta(object, STR("resourceVersion"));

	if (!v.n)
		return;
	buf_clear(&w->version_seen);
	buf_str(&w->version_seen, v);
}

static void on_error_event(struct kube_watch *w, const struct node *status)
{
	int64_t code = 0;

	(void)node_i64(node_get(status, STR("code")), &code);
	kube_stream_free(STEAL(w->stream));
	if (code == 410) {
		relist(w);
		return;
	}
	CLEANUP(buf) struct buf says = BUF_INIT;

	kube_sentence(&says, node_get_text(status, STR("message")));
	failed(w, err_new(ERR_TARGET_UNREACHABLE, "the server ended a watch: %s",
			  says.n ? says.p : "no reason given"));
}

static void on_event(void *arg, enum kube_event what, const struct node *object)
{
	struct kube_watch *w = arg;
	const struct node *end;

	switch (what) {
	case KUBE_ADDED:
	case KUBE_MODIFIED:
		if (!w->initial)
			keep_version(w, object);
		tell_seen(w, object);
		return;
	case KUBE_DELETED:
		if (!w->initial)
			keep_version(w, object);
		left_sight(w, object);
		return;
	case KUBE_BOOKMARK:
		keep_version(w, object);
		end = node_get(node_at(object, "metadata", "annotations", NULL),
			       STR("k8s.io/initial-events-end"));
		if (w->initial && end && str_eq(node_text(end), STR("true"))) {
			w->initial = false;
			list_ended(w);
		}
		return;
	case KUBE_ERROR:
		on_error_event(w, object);
		return;
	}
}

static void on_begin(void *arg)
{
	struct kube_watch *w = arg;

	works(w);
	if (w->initial && !w->dead)
		tell_list(w, TARGET_LISTING);
}

static void on_end(void *arg, const struct kube_reply *r, struct err *e)
{
	struct kube_watch *w = arg;

	assert(!r != !e);
	w->stream = NULL;
	if (w->initial && r && (r->status == 400 || r->status == 422)) {
		w->k->no_watch_list = true; /* a server before 1.32, or a kind that cannot */
		start(w);
	} else if (e) {
		failed(w, e);
	} else if (r->status != 200) {
		refused(w, r);
	} else if (w->initial || clock_now(w->k->t.loop) - w->began < SECOND) {
		failed(w, err_new(ERR_TARGET_UNREACHABLE, "the server ends a watch at once"));
	} else {
		start(w);
	}
}

static void stream(struct kube_watch *w)
{
	static const struct kube_stream_callbacks cb = {
		.begin = on_begin, .event = on_event, .end = on_end};
	CLEANUP(buf) struct buf path = BUF_INIT;
	struct kube_what what = kube_what("watch", &w->kind, STR_NONE, STR_NONE);

	w->initial = !w->version_seen.n;
	buf_str(&path, kube_path(w->a, &w->kind, STR_NONE, STR_NONE));
	buf_printf(&path,
		   "?watch=1&allowWatchBookmarks=true&labelSelector=" STR_FMT "&timeoutSeconds=%u",
		   STR_ARG(w->k->selector), 300 + random_below(301));
	if (w->initial) {
		buf_str(&path, STR("&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"));
	} else {
		buf_str(&path, STR("&resourceVersion="));
		kube_escape(&path, buf_view(&w->version_seen));
	}
	w->stream = kube_stream_new(w->k, buf_view(&path), &what, &cb, w);
}

/* ------------------------------------------------------------------ pages, of older servers */

static void page(struct kube_watch *w);

static struct err *take_page(struct kube_watch *w, str body, struct kube_items *it, struct arena *a)
{
	str json;

	TRY(kube_items_open(a, body, it));
	while (!w->dead && kube_items_next(it, &json)) {
		CLEANUP(arena) struct arena *m = arena_new();
		const struct node *root = NULL;

		TRY(kube_item_read(m, json, w->group, w->version, w->kind_name, &root));
		tell_seen(w, root);
	}
	return NULL;
}

static void on_page(void *arg, const struct kube_reply *r, struct err *e)
{
	struct kube_watch *w = arg;
	CLEANUP(arena) struct arena *a = arena_new();
	struct kube_items it = {0};

	if (!e && r->status != 200) {
		buf_clear(&w->more);
		refused(w, r);
		return;
	}
	if (!e) {
		works(w);
		if (!w->dead && !w->more.n)
			tell_list(w, TARGET_LISTING);
		e = w->dead ? NULL : take_page(w, r->body, &it, a);
	}
	if (w->dead) {
		err_free(e);
		return;
	}
	buf_clear(&w->more);
	if (e) {
		failed(w, e);
		return;
	}
	buf_str(&w->more, it.more);
	if (w->more.n) {
		page(w);
		return;
	}
	buf_clear(&w->version_seen);
	buf_str(&w->version_seen, it.version);
	list_ended(w);
	if (!w->dead)
		start(w);
}

static void page(struct kube_watch *w)
{
	struct kube_ask ask = {.method = "GET",
			       .lane = KUBE_READ,
			       .what = kube_what("list", &w->kind, STR_NONE, STR_NONE)};

	buf_clear(&w->path);
	buf_str(&w->path, kube_path(w->a, &w->kind, STR_NONE, STR_NONE));
	buf_printf(&w->path, "?labelSelector=" STR_FMT "&limit=%u", STR_ARG(w->k->selector),
		   KUBE_PAGE);
	if (w->more.n) {
		buf_str(&w->path, STR("&continue="));
		kube_escape(&w->path, buf_view(&w->more));
	}
	ask.path = buf_view(&w->path);
	kube_send(w->k, NULL, &ask, on_page, w, &w->page);
}

/* ------------------------------------------------------------------ beginning and end */

static void on_ask(void *arg)
{
	struct kube_watch *w = arg;

	w->timer = NULL;
	not_served(w);
}

static void start(struct kube_watch *w)
{
	const struct kube_kind *kind = kube_kind(w->k, w->group, w->version, w->kind_name);

	if (w->dead || w->stream || w->page || w->asks)
		return;
	timer_stop(STEAL(w->timer));
	w->began = clock_now(w->k->t.loop);
	w->begun = false;
	if (!kind) {
		w->state = WATCH_DORMANT;
		if (kube_group_bad(w->k, w->group, w->version))
			w->timer = timer_start(w->k->t.loop, WATCH_BAD_GROUP_PAUSE, on_ask, w);
		else
			tell_nothing(w);
		return;
	}
	if (!w->kind.resource.n || !str_eq(w->kind.resource, kind->resource))
		w->kind = kube_kind_dup(w->a, kind);
	if (w->version_seen.n) {
		stream(w);
		return;
	}
	w->state = WATCH_LISTING;
	w->list++;
	if (w->k->no_watch_list) {
		buf_clear(&w->more);
		page(w);
	} else {
		stream(w);
	}
}

static struct kube_watch *find(const struct kube *k, str group, str version, str kind)
{
	for (struct kube_watch *w = k->watches; w; w = w->next)
		if (str_eq(w->group, group) && str_eq(w->kind_name, kind) &&
		    (!version.n || str_eq(w->version, version)))
			return w;
	return NULL;
}

struct err *kube_watch(struct target *t, str group, str version, str kind)
{
	struct kube *k = (struct kube *)t;
	struct kube_watch *w = find(k, group, version, kind);

	if (w)
		return NULL;
	w = xcalloc(1, sizeof(*w));
	w->k = k;
	w->a = arena_new();
	w->group = arena_str(w->a, group);
	w->version = arena_str(w->a, version);
	w->kind_name = arena_str(w->a, kind);
	w->next = k->watches;
	if (w->next)
		w->next->prev = w;
	k->watches = w;
	if (k->discovered)
		w->timer = timer_start(k->t.loop, 0, on_timer, w);
	return NULL;
}

static void watch_release(void *arg)
{
	struct kube_watch *w = arg;

	*(w->prev ? &w->prev->next : &w->k->dead_watches) = w->next;
	if (w->next)
		w->next->prev = w->prev;
	timer_stop(w->timer);
	for (size_t i = 0; i < w->told_cap; i++)
		free(w->told[i].name);
	free(w->told);
	while (w->confirms)
		confirm_free(w->confirms);
	buf_done(&w->version_seen);
	buf_done(&w->path);
	buf_done(&w->more);
	arena_free(w->a);
	free(w);
}

static void on_release(void *arg)
{
	struct kube_watch *w = arg;

	w->timer = NULL;
	watch_release(w);
}

/* It may be its own listener who ends it, so its memory goes in the next turn. */
static void watch_end(struct kube_watch *w)
{
	struct kube *k = w->k;

	w->dead = true;
	kube_stream_free(STEAL(w->stream));
	kube_req_cancel(w->page);
	if (w->asks)
		kube_op_end(STEAL(w->asks));
	for (struct confirm *c = w->confirms; c; c = c->next)
		target_cancel(STEAL(c->call));
	*(w->prev ? &w->prev->next : &k->watches) = w->next;
	if (w->next)
		w->next->prev = w->prev;
	w->prev = NULL;
	w->next = k->dead_watches;
	if (w->next)
		w->next->prev = w;
	k->dead_watches = w;
	timer_stop(w->timer);
	w->timer = timer_start(k->t.loop, 0, on_release, w);
}

void kube_unwatch(struct target *t, str group, str version, str kind)
{
	struct kube_watch *w = find((struct kube *)t, group, version, kind);

	if (w)
		watch_end(w);
}

void kube_watch_end_all(struct kube *k)
{
	while (k->watches)
		watch_end(k->watches);
}

void kube_watch_free_all(struct kube *k)
{
	kube_watch_end_all(k);
	while (k->dead_watches)
		watch_release(k->dead_watches);
}

void kube_watch_kinds_changed(struct kube *k)
{
	for (struct kube_watch *w = k->watches; w; w = w->next)
		if (w->state == WATCH_DORMANT && !w->timer &&
		    kube_kind(k, w->group, w->version, w->kind_name))
			w->timer = timer_start(k->t.loop, 0, on_timer, w);
}

bool kube_watches(const struct kube *k, obj_id id)
{
	const struct kube_watch *w = find(k, id.group, STR_NONE, id.kind);

	return w && w->state == WATCH_FOLLOWS && w->stream && w->begun;
}
