/* Reads and dry runs, where a watch did not tell enough: an object that a list left out, one that
 * was seen before its want was known, one whose baseline is lost. Collected, then asked in one go.
 */
#include <stdlib.h>

#include "live_priv.h"

static void ask(struct live *l);

struct preview {
	struct preview *next;
	struct live *live;
	struct entry *e; /* NULL: forgotten meanwhile */
	struct target_call *call;
};

/* ------------------------------------------------------------------ what is open */

static void on_ask(void *arg)
{
	struct live *l = arg;

	l->ask_timer = NULL;
	ask(l);
}

static void soon(struct live *l, msec d)
{
	if (!l->ask_timer && !l->ask_call)
		l->ask_timer = timer_start(l->loop, d, on_ask, l);
}

static void closed(struct entry *e)
{
	if (!--e->app->checks)
		app_soon(e->app);
}

static void uncheck(struct entry *e)
{
	if (!e->check)
		return;
	e->check = false;
	closed(e);
}

static void unrebuild(struct entry *e)
{
	if (!e->rebuild)
		return;
	e->rebuild = false;
	closed(e);
}

void ask_check(struct entry *e)
{
	if (!e->check) {
		e->check = true;
		e->app->checks++;
	}
	soon(e->app->live, 0);
}

void ask_rebuild(struct entry *e)
{
	if (!e->rebuild) {
		e->rebuild = true;
		e->app->checks++;
	}
	soon(e->app->live, 0);
}

void ask_settled(struct entry *e)
{
	uncheck(e);
	unrebuild(e);
}

void ask_forget(struct entry *e)
{
	ask_settled(e);
	for (struct preview *p = e->app->live->previews; p; p = p->next)
		if (p->e == e)
			p->e = NULL;
}

/* ------------------------------------------------------------------ reads */

static void on_read(void *arg, const struct target_live *p, size_t n, struct err *e)
{
	struct live *l = arg;
	struct arena *ids = l->ask_arena;
	bool failed = e != NULL;

	l->ask_call = NULL;
	l->ask_arena = NULL;
	err_free(e); /* the target says that it does not answer; what was to be read stays open */
	for (size_t i = 0; i < n; i++)
		for (struct entry *x = entry_first(l, p[i].id), *next; x; x = next) {
			next = entry_next(x);
			if (!x->check)
				continue;
			if (p[i].failed) {
				failed = true;
				continue;
			}
			uncheck(x);
			if (p[i].root)
				entry_seen(x, &p[i]);
			else
				entry_gone(x, STR_NONE);
		}
	arena_free(ids);
	soon(l, failed ? LIVE_RETRY : 0);
}

static void read_open(struct live *l)
{
	struct target_want_live *ids;
	size_t n = 0;

	l->ask_arena = arena_new();
	ids = ARENA_ARRAY(l->ask_arena, struct target_want_live, LIVE_MAX_READS);
	for (struct live_app *a = l->apps; a; a = a->next)
		for (struct entry *e = a->checks ? a->first : NULL; e; e = e->next)
			if (e->check && n < LIVE_MAX_READS)
				ids[n++] = (struct target_want_live){
					obj_id_dup(l->ask_arena, e->id),
					arena_str(l->ask_arena, entry_version(e)),
					arena_str(l->ask_arena, str_from(a->name))};
	if (!n) {
		arena_free(l->ask_arena);
		l->ask_arena = NULL;
		return;
	}
	target_get(l->target, ids, n, false, on_read, l, &l->ask_call);
}

/* ------------------------------------------------------------------ dry runs */

static struct err *believe(struct entry *e, const struct target_live *would)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct hash digest = content_digest(a, would->root, e->app->live->key);
	str answer;

	TRY(baseline_answer(a, e->app->live, e->want, would->root, &answer));
	if (!hash_eq(&digest, &e->now)) {
		/* What differs is either drift or a newer Git: its owner decides, and so it is
		 * read. */
		set_text(&e->rebuilt, answer.n ? answer : STR("{}"));
		ask_check(e);
		return NULL;
	}
	return baseline_put(e, answer, digest);
}

static void preview_free(struct preview *p)
{
	struct preview **at;

	for (at = &p->live->previews; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	p->live->previews_n--;
	target_cancel(p->call);
	free(p);
}

static void on_preview(void *arg, enum target_outcome o, const struct target_live *live,
		       struct err *err)
{
	struct preview *p = arg;
	struct entry *e = p->e;
	struct live *l = p->live;

	(void)o;
	p->call = NULL;
	preview_free(p);
	if (e) {
		if (!err && live && live->root && e->want && !e->has_baseline)
			err = believe(e, live);
		unrebuild(e);
	}
	/* A dry run that is refused, or a store that is full: no baseline, so the next plan writes.
	 */
	err_free(err);
	soon(l, 0);
}

static void preview_open(struct live *l)
{
	for (struct live_app *a = l->apps; a; a = a->next)
		for (struct entry *e = a->checks ? a->first : NULL; e; e = e->next) {
			struct target_apply what;
			struct preview *p;
			bool running = false;

			if (!e->rebuild || l->previews_n >= LIVE_MAX_PREVIEWS)
				continue;
			for (p = l->previews; p; p = p->next)
				running |= p->e == e;
			if (running)
				continue;
			if (!e->want || e->has_baseline) {
				unrebuild(e);
				continue;
			}
			what = (struct target_apply){.id = e->id,
						     .version = e->want->version,
						     .app = str_from(a->name),
						     .json = e->want->json,
						     .force = true,
						     .uid = str_from(e->uid)};
			p = xcalloc(1, sizeof(*p));
			p->live = l;
			p->e = e;
			p->next = l->previews;
			l->previews = p;
			l->previews_n++;
			target_preview(l->target, &what, on_preview, p, &p->call);
		}
}

static void ask(struct live *l)
{
	if (l->down) {
		soon(l, LIVE_RETRY);
		return;
	}
	preview_open(l);
	if (!l->ask_call)
		read_open(l);
}

void ask_done(struct live *l)
{
	timer_stop(l->ask_timer);
	l->ask_timer = NULL;
	target_cancel(l->ask_call);
	l->ask_call = NULL;
	arena_free(l->ask_arena);
	l->ask_arena = NULL;
	while (l->previews) {
		l->previews->e = NULL;
		preview_free(l->previews);
	}
}
