/* state: what a person decided and a restart must not forget; and the small things of sync. */
#include "sync_priv.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ small things */

struct any_list {
	void **p;
	size_t n, cap;
};

void list_add_(void *list, void *item)
{
	struct any_list *l = list;

	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 4;
		l->p = xrealloc(l->p, l->cap * sizeof(*l->p));
	}
	l->p[l->n++] = item;
}

void list_del_(void *list, const void *item)
{
	struct any_list *l = list;

	for (size_t i = 0; i < l->n; i++) {
		if (l->p[i] != item)
			continue;
		memmove(&l->p[i], &l->p[i + 1], (l->n - i - 1) * sizeof(*l->p));
		l->n--;
		return;
	}
}

char *text_dup(str s)
{
	return xstrndup(s.p ? s.p : "", s.n);
}

void text_set(char **p, str s)
{
	char *now = s.n ? text_dup(s) : NULL;

	free(*p);
	*p = now;
}

void hex_set(char ret[SYNC_MAX_HEX + 1], str hex)
{
	size_t n = hex.n <= SYNC_MAX_HEX ? hex.n : 0;

	memmove(ret, hex.p ? hex.p : "", n);
	ret[n] = 0;
}

str short_id(str oid)
{
	return str_sub(oid, 0, 7);
}

const struct node *json_read(struct arena *a, str text)
{
	struct text *t = ARENA_NEW(a, struct text);
	const struct node *n = NULL;

	*t = (struct text){STR("<stored>"), arena_str(a, text)};
	err_free(node_read_json(a, t, &n));
	return n;
}

/* ------------------------------------------------------------------ suspensions */

static str key_of(struct arena *a, const char *what, const char *name)
{
	return arena_printf(a, "%s/%s", what, name);
}

static msec time_of(const struct node *map, str key)
{
	int64_t t = 0;

	return node_i64(node_get(map, key), &t) ? t : 0;
}

bool suspension_get(struct sync *s, struct arena *a, const char *what, const char *name,
		    struct suspension *ret)
{
	const struct node *n;
	str text;

	err_free(store_get(s->store, a, STR("suspend"), key_of(a, what, name), &text));
	n = text.p ? json_read(a, text) : NULL;
	if (!n)
		return false;
	*ret = (struct suspension){node_get_text(n, STR("by")), node_get_text(n, STR("reason")),
				   time_of(n, STR("since")), time_of(n, STR("until"))};
	return true;
}

struct err *suspension_put(struct sync *s, const char *what, const char *name,
			   const struct suspension *v)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct node_pairs p = {0};

	node_pairs_add(a, &p, STR("by"), node_new_str(a, v->by));
	node_pairs_add(a, &p, STR("reason"), node_new_str(a, v->reason));
	node_pairs_add(a, &p, STR("since"), node_new_int(a, v->since));
	node_pairs_add(a, &p, STR("until"), node_new_int(a, v->until));
	node_json(node_new_map(a, p.p, p.n), NODE_JSON_COMPACT, &b);
	return store_put(s->store, STR("suspend"), key_of(a, what, name), buf_view(&b));
}

struct err *suspension_del(struct sync *s, const char *what, const char *name)
{
	CLEANUP(arena) struct arena *a = arena_new();

	return store_del(s->store, STR("suspend"), key_of(a, what, name));
}

static void on_suspension_over(void *arg)
{
	struct sync *s = arg;

	s->suspend_timer = NULL;
	suspensions_look(s);
}

/* Over by now? Then it ends here. False: it is none, or no more. */
static bool suspended_by_person(struct sync *s, const char *what, const char *name, msec *next)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct suspension v;
	struct tell t = {
		.kind = EVENT_SUSPEND_ENDED, .severity = -1, .message = STR("its time is over")};

	if (!suspension_get(s, a, what, name, &v))
		return false;
	if (!v.until || v.until > clock_wall(s->loop)) {
		if (v.until && (!*next || v.until < *next))
			*next = v.until;
		return true;
	}
	err_free(suspension_del(s, what, name));
	if (!strcmp(what, "app"))
		t.app = str_from(name);
	else
		t.source = str_from(name);
	tell(s, &t);
	return false;
}

void suspensions_look(struct sync *s)
{
	msec next = 0;

	for (size_t i = 0; i < s->sources.n; i++) {
		struct source_run *r = s->sources.p[i];
		bool now = suspended_by_person(s, "source", r->name, &next) || r->doc->suspend;

		if (now == r->suspended)
			continue;
		r->suspended = now;
		if (now) {
			source_halt(r);
			source_settle(r);
		} else {
			source_begin(r);
		}
	}
	for (size_t i = 0; i < s->apps.n; i++) {
		struct app_run *a = s->apps.p[i];
		bool now = suspended_by_person(s, "app", a->name, &next) || a->doc->suspend;

		if (now == a->suspended)
			continue;
		a->suspended = now;
		if (now) {
			if (a->run)
				run_drop(a->run, STORE_SUPERSEDED);
			app_set_suspended(a);
		} else {
			app_set_state(a, APP_PROGRESSING, NULL, NULL, NULL);
			app_sync(a, "push", false, NULL);
			app_heal_open(a);
		}
	}
	timer_stop(s->suspend_timer);
	s->suspend_timer = NULL;
	if (next)
		s->suspend_timer =
			timer_start(s->loop, next - clock_wall(s->loop), on_suspension_over, s);
	sync_changed(s);
}
