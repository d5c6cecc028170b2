/* loop: one turn of libuv at a time, and the clock with its timers.
 *
 * The timers are ours and not libuv's, so that a frozen clock can be turned by hand: a heap by due
 * time with one uv_timer for its top, and a list of those for the next turn. */
#include "base_priv.h"
#include "leeboard/base.h"
#include <assert.h>
#include <stdlib.h>

#define NO_PLACE SIZE_MAX

struct timer {
	struct loop *loop;
	msec due;
	uint64_t seq; /* among equals the older one goes first */
	size_t place; /* in the heap; NO_PLACE: in the list of the next turn */
	struct timer *prev, *next;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	uv_loop_t uv;
	uv_timer_t alarm; /* for the top of the heap */
	uv_idle_t soon;   /* active while the list of the next turn is not empty */
	struct timer **heap;
	size_t n, cap;
	struct timer next_turn; /* the head of a ring */
	uint64_t seq;
	bool frozen;
	msec frozen_now, frozen_wall;
};

static void must(int rc, const char *what)
{
	if (rc < 0)
		base_die(what);
}

struct loop *loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	must(uv_loop_init(&l->uv), "no event loop");
	must(uv_timer_init(&l->uv, &l->alarm), "no timer");
	must(uv_idle_init(&l->uv, &l->soon), "no idle handle");
	l->alarm.data = l;
	l->soon.data = l;
	l->next_turn.prev = l->next_turn.next = &l->next_turn;
	return l;
}

uv_loop_t *loop_uv(struct loop *l)
{
	return &l->uv;
}

static void free_handle(uv_handle_t *h)
{
	free(h->data);
}

void loop_close_handle(uv_handle_t *h)
{
	if (!uv_is_closing(h))
		uv_close(h, free_handle);
}

static void close_any(uv_handle_t *h, void *arg)
{
	struct loop *l = arg;

	if (uv_is_closing(h))
		return;
	if (h == (uv_handle_t *)&l->alarm || h == (uv_handle_t *)&l->soon) {
		uv_close(h, NULL);
		return;
	}
	if (h->type == UV_PROCESS)
		child_abandon(h);
	uv_close(h, free_handle);
}

static void timer_unlink(struct timer *t)
{
	t->prev->next = t->next;
	t->next->prev = t->prev;
}

/* Work that is in the pool ends first, and its `done` may open handles again. */
void loop_free(struct loop *l)
{
	if (!l)
		return;
	do {
		uv_walk(&l->uv, close_any, l);
		uv_run(&l->uv, UV_RUN_DEFAULT);
	} while (uv_loop_close(&l->uv) == UV_EBUSY);
	while (l->next_turn.next != &l->next_turn) {
		struct timer *t = l->next_turn.next;

		timer_unlink(t);
		free(t);
	}
	for (size_t i = 0; i < l->n; i++)
		free(l->heap[i]);
	free(l->heap);
	free(l);
}

void loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

bool loop_turn(struct loop *l, bool wait)
{
	return uv_run(&l->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
}

void loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

/* ------------------------------------------------------------------ the clock */

msec clock_now(struct loop *l)
{
	return l->frozen ? l->frozen_now : time_mono();
}

msec clock_wall(struct loop *l)
{
	return l->frozen ? l->frozen_wall : time_wall();
}

/* ------------------------------------------------------------------ the heap of timers */

static bool earlier(const struct timer *a, const struct timer *b)
{
	return a->due != b->due ? a->due < b->due : a->seq < b->seq;
}

static void put(struct loop *l, size_t i, struct timer *t)
{
	l->heap[i] = t;
	t->place = i;
}

static void sift_up(struct loop *l, size_t i, struct timer *t)
{
	for (; i && earlier(t, l->heap[(i - 1) / 2]); i = (i - 1) / 2)
		put(l, i, l->heap[(i - 1) / 2]);
	put(l, i, t);
}

static void sift_down(struct loop *l, size_t i, struct timer *t)
{
	size_t kid;

	for (; (kid = 2 * i + 1) < l->n; i = kid) {
		if (kid + 1 < l->n && earlier(l->heap[kid + 1], l->heap[kid]))
			kid++;
		if (!earlier(l->heap[kid], t))
			break;
		put(l, i, l->heap[kid]);
	}
	put(l, i, t);
}

static void heap_add(struct loop *l, struct timer *t)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->heap = xrealloc(l->heap, l->cap * sizeof(struct timer *));
	}
	l->n++;
	sift_up(l, l->n - 1, t);
}

static void heap_remove(struct loop *l, struct timer *t)
{
	size_t i = t->place;
	struct timer *last = l->heap[--l->n];

	if (last == t)
		return;
	if (i && earlier(last, l->heap[(i - 1) / 2]))
		sift_up(l, i, last);
	else
		sift_down(l, i, last);
}

/* ------------------------------------------------------------------ timers */

static void fire(struct timer *t)
{
	void (*fn)(void *arg) = t->fn;
	void *arg = t->arg;

	free(t);
	fn(arg);
}

static void run_due(struct loop *l, msec until)
{
	while (l->n && l->heap[0]->due <= until) {
		struct timer *t = l->heap[0];

		heap_remove(l, t);
		if (l->frozen && t->due > l->frozen_now) {
			l->frozen_wall += t->due - l->frozen_now;
			l->frozen_now = t->due;
		}
		fire(t);
	}
}

/* What is added meanwhile waits for the turn after this one. */
static void run_next_turn(struct loop *l)
{
	struct timer now;

	if (l->next_turn.next == &l->next_turn)
		return;
	now.next = l->next_turn.next;
	now.prev = l->next_turn.prev;
	now.next->prev = now.prev->next = &now;
	l->next_turn.prev = l->next_turn.next = &l->next_turn;
	while (now.next != &now) {
		struct timer *t = now.next;

		timer_unlink(t);
		fire(t);
	}
}

static void arm(struct loop *l);

static void on_alarm(uv_timer_t *h)
{
	struct loop *l = h->data;

	if (!l->frozen)
		run_due(l, time_mono());
	arm(l);
}

static void on_soon(uv_idle_t *h)
{
	struct loop *l = h->data;

	run_next_turn(l);
	arm(l);
}

/* A loop that is being freed has closed both handles; its timers never fire. */
static void arm(struct loop *l)
{
	msec wait;

	if (uv_is_closing((uv_handle_t *)&l->alarm))
		return;
	if (l->next_turn.next != &l->next_turn)
		uv_idle_start(&l->soon, on_soon);
	else
		uv_idle_stop(&l->soon);
	if (l->frozen || !l->n) {
		uv_timer_stop(&l->alarm);
		return;
	}
	/* At least 1: libuv runs a timer of 0 again before it looks at any descriptor. */
	wait = l->heap[0]->due - time_mono();
	uv_update_time(&l->uv);
	uv_timer_start(&l->alarm, on_alarm, wait < 1 ? 1 : (uint64_t)wait, 0);
}

struct timer *timer_start(struct loop *l, msec d, void (*fn)(void *arg), void *arg)
{
	struct timer *t = xcalloc(1, sizeof(*t));

	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	t->seq = l->seq++;
	if (d <= 0) {
		t->place = NO_PLACE;
		t->next = &l->next_turn;
		t->prev = l->next_turn.prev;
		t->prev->next = t->next->prev = t;
	} else {
		if (__builtin_add_overflow(clock_now(l), d, &t->due))
			t->due = INT64_MAX;
		heap_add(l, t);
	}
	/* Only a new first of its kind changes what libuv waits for. */
	if (t->place == 0 || t->place == NO_PLACE)
		arm(l);
	return t;
}

void timer_stop(struct timer *t)
{
	struct loop *l;
	bool first;

	if (!t)
		return;
	l = t->loop;
	first = t->place == 0 || t->place == NO_PLACE;
	if (t->place == NO_PLACE)
		timer_unlink(t);
	else
		heap_remove(l, t);
	free(t);
	if (first)
		arm(l);
}

void clock_freeze(struct loop *l, msec wall)
{
	l->frozen_now = clock_now(l);
	l->frozen_wall = wall;
	l->frozen = true;
	arm(l);
}

void clock_turn(struct loop *l, msec by)
{
	msec until;

	assert(l->frozen && by >= 0);
	until = l->frozen_now + by;
	run_next_turn(l);
	run_due(l, until);
	if (until > l->frozen_now) {
		l->frozen_wall += until - l->frozen_now;
		l->frozen_now = until;
	}
	arm(l);
}
