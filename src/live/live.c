/* Events of the target, and our own writes, brought to one opinion of each object. */
#include <stdlib.h>

#include "live_priv.h"

/* ------------------------------------------------------------------ baselines */

struct err *baseline_put(struct entry *e, str answer, struct hash live)
{
	struct live_app *a = e->app;
	struct live *l = a->live;
	struct live_baseline b = {
		.id = e->id,
		.version = e->want->version,
		.uid = str_from(e->uid ? e->uid : ""),
		.digest = e->want->digest,
		.revision = a->revision ? a->revision->text : STR(""),
		.at = clock_wall(l->loop),
		.answer = answer,
		.live = live,
	};

	e->has_baseline = true;
	e->applied = b.digest;
	e->judged = live;
	e->has_judged = e->in_sync = true;
	e->good_at = b.at;
	a->rebuilt++;
	return l->store ? l->store->put(l->store->self, str_from(a->name), &b) : NULL;
}

static str stored_answer(struct arena *arena, const struct entry *e)
{
	const struct live_store *s = e->app->live->store;
	struct live_baseline b;

	if (!s || !s->get(s->self, str_from(e->app->name), e->id, &b))
		return STR_NONE;
	return arena_str(arena, b.answer);
}

/* ------------------------------------------------------------------ verdicts */

static struct err *verdict(struct arena *arena, struct entry *e, const struct target_live *now)
{
	struct judged j;

	TRY(judge(arena, e, now, stored_answer(arena, e), &j));
	e->judged = e->now;
	e->has_judged = true;
	e->in_sync = !j.all && !j.stripped && !e->recreated;
	if (e->in_sync) {
		e->good_at = clock_wall(e->app->live->loop);
		drift_over(e);
	} else {
		drift_set(e, &j, false);
	}
	return NULL;
}

/* In a directory last-applied lies beside the file: it is the baseline. */
static struct err *rebuild_from_applied(struct arena *arena, struct entry *e,
					const struct target_live *now)
{
	struct live *l = e->app->live;
	struct hash sent = obj_digest(now->applied, l->key);

	if (!hash_eq(&sent, &e->want->digest)) {
		e->has_baseline = true; /* Git went on; the plan has the difference */
		e->applied = sent;
		return NULL;
	}
	TRY(baseline_put(e, STR(""), (struct hash){0}));
	return verdict(arena, e, now);
}

/* After the dry run: is what differs a drift, or did Git go on while the baseline was lost? A value
 * that our own field set still holds was written by us, so it is Git that changed: no baseline, and
 * the next plan writes. Anything else was put there by somebody. */
static struct err *rebuild_from_dry_run(struct arena *arena, struct entry *e,
					const struct target_live *now)
{
	str answer = arena_str(arena, str_from(e->rebuilt));
	struct judged j;

	set_text(&e->rebuilt, STR_NONE);
	TRY(judge(arena, e, now, answer, &j));
	if (j.all && j.ours)
		return NULL;
	TRY(baseline_put(e, answer, e->now));
	return verdict(arena, e, now);
}

static struct err *rebuild(struct arena *arena, struct entry *e, const struct target_live *now)
{
	struct diff_projection p;
	struct object o;
	str answer;

	if (now->applied)
		return rebuild_from_applied(arena, e, now);
	if (target_sort(e->app->live->target) == TARGET_SORT_DIR)
		return NULL;
	if (e->rebuilt)
		return rebuild_from_dry_run(arena, e, now);
	TRY(want_tree(arena, e->want, &o));
	TRY(diff_project(arena, &o, now->root, LIVE_MANAGER, &p));
	if (p.answer == DIFF_UNCHANGED) {
		TRY(baseline_answer(arena, e->app->live, e->want, now->root, &answer));
		return baseline_put(e, answer, e->now);
	}
	/* One that was only about to be written for the first time is the plan's. */
	if (e->inv_state == INV_LIVE && !e->recreated)
		ask_rebuild(e);
	return NULL;
}

/* A want that cannot be read, a store that is full: nothing is claimed of the object; its want is
 * refused, or the store complained about, where it is sent. */
static void opinion(struct arena *arena, struct entry *e, const struct target_live *now)
{
	struct err *err = NULL;

	if (entry_held(e)) {
		if (!e->has_judged || !hash_eq(&e->judged, &e->now))
			err = verdict(arena, e, now);
	} else if (e->want && !e->has_baseline && !e->sending &&
		   (e->inv_state == INV_LIVE || e->inv_state == INV_PENDING)) {
		err = rebuild(arena, e, now);
	}
	if (err)
		e->has_judged = e->in_sync = false;
	err_free(err);
}

/* ------------------------------------------------------------------ what stands there */

static msec version_of(const struct node *root)
{
	int64_t rv = 0;

	return str_to_i64(node_get_text(node_get(root, STR("metadata")), STR("resourceVersion")),
			  &rv)
		       ? rv
		       : 0;
}

/* Watches and writes come on two connections: what happened before our write may be told after its
 * answer. Only shortly after it: a cluster restored from a backup counts anew. */
static bool stale(const struct entry *e, msec rv)
{
	return rv && e->sent_rv && rv < e->sent_rv &&
	       clock_now(e->app->live->loop) < e->sent_mono + LIVE_STALE;
}

static void note_uid(struct entry *e, const struct target_live *now)
{
	str uid = now->uid.n ? now->uid
			     : node_get_text(node_get(now->root, STR("metadata")), STR("uid"));

	if (!uid.n || (e->uid && str_eq(str_from(e->uid), uid)))
		return;
	if (e->uid && (e->has_baseline || e->inv_state == INV_LIVE))
		e->recreated = true;
	set_text(&e->uid, uid);
}

/* Tools that restore or clean up strip managedFields. Values say nothing of it. */
static bool owns_nothing(const struct entry *e, const struct node *root)
{
	const struct node *list = node_at(root, "metadata", "managedFields", NULL);

	if (target_sort(e->app->live->target) == TARGET_SORT_DIR)
		return false;
	for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++)
		if (str_eq(node_get_text(list->items[i], STR("manager")), LIVE_MANAGER) &&
		    str_eq(node_get_text(list->items[i], STR("operation")), STR("Apply")))
			return false;
	return true;
}

void entry_seen(struct entry *e, const struct target_live *now)
{
	CLEANUP(arena) struct arena *arena = arena_new();
	struct object o = {.id = e->id, .version = now->version, .root = now->root};
	msec rv;

	if (now->failed || !now->root)
		return;
	rv = version_of(now->root);
	if (stale(e, rv))
		return;
	if (e->kind)
		e->round = e->kind->round;
	if (!e->sending)
		note_uid(e, now);
	if (now->meta_only) {
		e->seen = e->present = true;
		return;
	}
	e->now = content_digest(arena, now->root, e->app->live->key);
	if (e->sending) {
		e->missed = true;
		e->missed_rv = rv;
		return;
	}
	e->seen = e->present = true;
	e->unowned = owns_nothing(e, now->root);
	opinion(arena, e, now);
	well_seen(e, &o);
}

static void deleted(struct entry *e)
{
	CLEANUP(arena) struct arena *arena = arena_new();
	struct judged j = {.mode = want_mode(arena, e->app, e->want, NULL)};

	drift_set(e, &j, true);
}

void entry_gone(struct entry *e, str uid)
{
	if (uid.n && e->uid && !str_eq(str_from(e->uid), uid))
		return; /* one that bore the name before it */
	e->now = (struct hash){0};
	if (e->sending) {
		e->missed = true;
		e->missed_rv = 0;
		return;
	}
	if (e->seen && !e->present)
		return;
	e->seen = true;
	e->present = e->has_judged = e->in_sync = false;
	if (entry_held(e))
		deleted(e);
	well_seen(e, NULL);
}

/* ------------------------------------------------------------------ lists */

static bool in_list(const struct kind *k, obj_id id)
{
	return !id.kind.n || (str_eq(k->name->text, id.kind) && str_eq(k->group->text, id.group));
}

static void on_listing(struct live *l, obj_id id)
{
	for (struct kind *k = l->kinds; k; k = k->next) {
		if (!in_list(k, id))
			continue;
		k->round++;
		k->begun = true;
		if (!k->listed)
			continue;
		k->listed = false;
		for (struct live_app *a = l->apps; a; a = a->next)
			for (struct entry *e = a->first; e && a->complete; e = e->next)
				a->complete = e->kind != k;
	}
}

static void on_listed(struct live *l, obj_id id)
{
	for (struct kind *k = l->kinds; k; k = k->next)
		if (in_list(k, id))
			k->begun = k->listed = true;
	for (struct live_app *a = l->apps; a; a = a->next) {
		for (struct entry *e = a->first; e; e = e->next)
			if (e->kind && e->round != e->kind->round && in_list(e->kind, id) &&
			    !e->sending && (e->present || !e->seen))
				ask_check(e); /* its mark may be gone, and not itself */
		app_soon(a);
	}
}

static void on_soon(void *arg)
{
	struct live_app *a = arg;
	struct live *l = a->live;

	a->soon = NULL;
	if (a->complete || !a->restored || a->checks)
		return;
	for (struct entry *e = a->first; e; e = e->next)
		if (e->kind && !e->kind->listed)
			return;
	a->complete = true;
	if (l->calls.complete)
		l->calls.complete(l->calls.arg, a);
}

void app_soon(struct live_app *a)
{
	if (!a->soon && !a->complete)
		a->soon = timer_start(a->live->loop, 0, on_soon, a);
}

static void reach(struct live *l, bool reachable, str why)
{
	l->down = !reachable;
	if (l->calls.reach)
		l->calls.reach(l->calls.arg, l, reachable, why);
}

static void on_event(void *arg, const struct target_event *ev)
{
	struct live *l = arg;
	struct entry *next;

	switch (ev->kind) {
	case TARGET_SEEN:
		for (struct entry *e = entry_first(l, ev->live.id); e; e = next) {
			next = entry_next(e);
			entry_seen(e, &ev->live);
		}
		break;
	case TARGET_GONE:
		for (struct entry *e = entry_first(l, ev->live.id); e; e = next) {
			next = entry_next(e);
			entry_gone(e, ev->live.uid);
		}
		break;
	case TARGET_LISTING:
		on_listing(l, ev->live.id);
		break;
	case TARGET_LISTED:
		on_listed(l, ev->live.id);
		break;
	case TARGET_LOST:
		reach(l, false, ev->why);
		break;
	case TARGET_FOUND:
		reach(l, true, ev->why);
		break;
	}
}

/* ------------------------------------------------------------------ begin and end */

struct live *live_new(struct loop *loop, struct target *t, const struct live_store *store,
		      const struct live_calls *calls, const uint8_t key[32])
{
	struct live *l = xcalloc(1, sizeof(*l));

	l->loop = loop;
	l->target = t;
	l->store = store;
	l->calls = *calls;
	memcpy(l->key, key, sizeof(l->key));
	l->marks = target_marks(t);
	l->tells_health = target_tells_health(t);
	target_listen(t, on_event, l);
	return l;
}

void live_free(struct live *l)
{
	if (!l)
		return;
	target_listen(l->target, NULL, NULL);
	ask_done(l);
	while (l->apps)
		live_app_free(l->apps);
	timer_stop(l->ask_timer);
	words_done(&l->words);
	free(l->table);
	mem_wipe(l->key, sizeof(l->key));
	free(l);
}

struct target *live_target(struct live *l)
{
	return l->target;
}

struct live_app *live_app_new(struct live *l, const struct app *app, void *owner)
{
	struct live_app *a = xcalloc(1, sizeof(*a));
	CLEANUP(buf) struct buf name = BUF_INIT;

	if (app->namespace.n)
		buf_printf(&name, STR_FMT "/", STR_ARG(app->namespace));
	buf_str(&name, app->name);
	a->live = l;
	a->doc = app;
	a->name = buf_take(&name);
	a->owner = owner;
	a->next = l->apps;
	if (l->apps)
		l->apps->prev = a;
	l->apps = a;
	return a;
}

void live_app_free(struct live_app *a)
{
	if (!a)
		return;
	a->complete = true; /* nobody is told any more */
	while (a->first)
		entry_free(a->first);
	timer_stop(a->soon);
	*(a->prev ? &a->prev->next : &a->live->apps) = a->next;
	if (a->next)
		a->next->prev = a->prev;
	words_drop(&a->live->words, a->revision);
	arena_free(a->arena);
	free(a->name);
	free(a);
}

str live_app_name(const struct live_app *a)
{
	return str_from(a->name);
}

struct live *live_app_live(const struct live_app *a)
{
	return a->live;
}

static bool same(const struct node *x, const struct node *y)
{
	return x == y || (x && y && node_equal(x, y));
}

void live_app_config(struct live_app *a, const struct app *app)
{
	bool same_rules =
		same(node_get(a->doc->spec, STR("drift")), node_get(app->spec, STR("drift")));

	a->doc = app;
	for (struct entry *e = a->first; e; e = e->next) {
		e->skip = e->want && app_skips(a, e->want);
		if (same_rules)
			continue;
		/* What is ignored now, or no more, shows only in the object itself. */
		e->has_judged = false;
		if (entry_held(e) && e->seen && e->present)
			ask_check(e);
		else if (entry_held(e) && e->drift)
			deleted(e);
	}
}

void *live_app_owner(struct live_app *a)
{
	return a->owner;
}

const struct app *live_app_doc(const struct live_app *a)
{
	return a->doc;
}

static void set_word(struct words *words, struct word **p, str s)
{
	struct word *x = words_take(words, s);

	words_drop(words, *p);
	*p = x;
}

static void expected(struct entry *e)
{
	e->want = e->app->wants ? wants_get(e->app->wants, e->id) : NULL;
	e->skip = e->want && app_skips(e->app, e->want);
}

static void restore(struct entry *e)
{
	const struct live_store *s = e->app->live->store;
	static const struct hash none;
	struct live_baseline b;

	if (!s || !s->get(s->self, str_from(e->app->name), e->id, &b))
		return;
	e->has_baseline = true;
	e->applied = b.digest;
	e->judged = b.live;
	e->has_judged = e->in_sync = !hash_eq(&b.live, &none);
	e->sent_at = e->good_at = b.at;
	set_word(&e->app->live->words, &e->revision, b.revision);
	if (!e->uid)
		set_text(&e->uid, b.uid);
}

struct err *live_app_restore(struct live_app *a, const struct inventory *inv)
{
	for (size_t i = 0; i < inv->n; i++) {
		const struct inv_entry *x = &inv->p[i];
		struct entry *e = entry_make(a, x->id, x->version);

		expected(e);
		e->inv_state = (char)x->state;
		if (x->uid.n)
			set_text(&e->uid, x->uid);
		restore(e);
		TRY(entry_watch(e, x->version));
		e->round = 0;
		if (e->kind->begun)
			ask_check(e); /* another App had this kind listed already */
	}
	a->restored = true;
	app_soon(a);
	return NULL;
}

/* ------------------------------------------------------------------ what should be */

void live_app_expect(struct live_app *a, const struct wants *w, str revision)
{
	a->wants = w;
	set_word(&a->live->words, &a->revision, revision);
	app_scaled(a);
	for (struct entry *e = a->first; e; e = e->next) {
		bool known;

		expected(e);
		if (!e->want || e->sending || !e->seen)
			continue;
		if (!e->present) {
			if (entry_held(e) && !e->drift)
				deleted(e);
			continue;
		}
		known = e->has_judged && hash_eq(&e->judged, &e->now);
		if ((entry_held(e) && !known) || (!e->has_baseline && e->inv_state == INV_LIVE))
			ask_check(e); /* seen before it was known what should be there */
	}
}

struct err *live_sending(struct live_app *a, const struct want *w)
{
	struct entry *e = entry_make(a, w->id, w->version);

	e->sending = true;
	e->missed = e->forgotten = false;
	ask_settled(e); /* the answer will tell */
	return NULL;
}

/* Something stood there, while we wrote, that is not what the target answered. */
static bool overtaken(const struct entry *e, const struct hash *seen)
{
	if (!e->missed || hash_eq(seen, &e->now))
		return false;
	return !e->missed_rv || !e->sent_rv || e->missed_rv > e->sent_rv;
}

/* What went while we wrote is the one that we made anew. */
static bool gone_before(const struct entry *e, const struct target_live *answer)
{
	static const struct hash none;

	return hash_eq(&e->now, &none) && e->uid && answer && answer->uid.n &&
	       !str_eq(answer->uid, str_from(e->uid));
}

static void sent(struct entry *e, const struct want *w, const struct target_live *answer,
		 str revision)
{
	struct live *l = e->app->live;
	str uid = answer ? answer->uid : STR_NONE;

	if (!uid.n && answer)
		uid = node_get_text(node_get(answer->root, STR("metadata")), STR("uid"));
	if (uid.n)
		set_text(&e->uid, uid);
	set_word(&l->words, &e->revision, revision);
	e->sending = e->recreated = e->forgotten = e->unowned = false;
	e->seen = e->present = e->has_baseline = true;
	e->inv_state = INV_LIVE;
	e->applied = w->digest;
	e->sent_at = e->good_at = clock_wall(l->loop);
	e->sent_mono = clock_now(l->loop);
	e->sent_rv = answer ? version_of(answer->root) : 0;
	set_text(&e->rebuilt, STR_NONE);
	ask_settled(e);
	expected(e);
	drift_written(e);
}

struct err *live_sent(struct live_app *a, const struct want *w, const struct target_live *answer,
		      str revision)
{
	CLEANUP(arena) struct arena *arena = arena_new();
	struct live *l = a->live;
	struct entry *e = entry_make(a, w->id, w->version);
	bool whole = answer && answer->root && !answer->meta_only;
	struct hash seen = e->now;
	struct live_baseline b;
	struct err *err = NULL;
	str text = STR("");

	if (!e->sending && e->has_baseline && hash_eq(&e->applied, &w->digest) && whole) {
		/* Read, not written, and known: were it taken for an answer, what has drifted would
		 * be the baseline from now on. */
		entry_seen(e, answer);
		return NULL;
	}
	if (e->missed && gone_before(e, answer))
		e->missed = false;
	sent(e, w, answer, revision);
	e->now = e->judged = whole ? content_digest(arena, answer->root, l->key) : (struct hash){0};
	e->has_judged = e->in_sync = whole;
	if (whole)
		err = baseline_answer(arena, l, w, answer->root, &text);
	b = (struct live_baseline){
		.id = e->id,
		.version = w->version,
		.uid = str_from(e->uid ? e->uid : ""),
		.digest = w->digest,
		.revision = revision,
		.at = e->sent_at,
		.answer = text,
		.live = e->judged,
	};
	if (!err && l->store)
		err = l->store->put(l->store->self, str_from(a->name), &b);
	err = err_join(err, entry_watch(e, w->version));
	if (e->kind)
		e->round = e->kind->round;
	if (!whole || overtaken(e, &seen))
		ask_check(e);
	e->missed = false;
	if (whole) {
		struct object o = {.id = e->id, .version = w->version, .root = answer->root};

		well_seen(e, &o);
	}
	return err;
}

void live_not_sent(struct live_app *a, obj_id id)
{
	struct entry *e = entry_find(a, id);

	if (!e || !e->sending)
		return;
	e->sending = false;
	if (e->kind && (e->missed || (e->seen && !e->has_judged)))
		ask_check(e); /* what stands there was not looked at meanwhile */
	e->missed = false;
}

struct err *live_forget(struct live_app *a, obj_id id)
{
	struct entry *e = entry_find(a, id);
	const struct live_store *s = a->live->store;
	CLEANUP(arena) struct arena *scratch = arena_new();

	id = obj_id_dup(scratch, id); /* it may be the entry's own */
	if (e)
		entry_free(e);
	return s ? s->del(s->self, str_from(a->name), id) : NULL;
}

void live_told(struct live_app *a, const struct target_live *now)
{
	struct entry *e = entry_find(a, now->id);

	if (!e || now->failed)
		return;
	if (now->root)
		entry_seen(e, now);
	else
		entry_gone(e, STR_NONE);
}
