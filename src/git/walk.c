/* Walks over commits: how two lie to each other, and what is new between them.
 *
 * Nodes lie in a vector with a hash table beside it; the queue is a heap by committer time, newest
 * first. Times only steer the order: a commit whose marks grow after it was done is queued again.
 */
#include "leeboard/git.h"
#include <assert.h>
#include <stdlib.h>

enum mark { FROM_A = 1, FROM_B = 2, QUEUED = 4, LOADED = 8, LISTED = 16 };

struct commit {
	git_id id;
	int64_t time;
	unsigned marks;
	uint32_t *parents; /* indices; valid when LOADED */
	uint32_t n;
};
struct walk {
	struct git_store *store;
	struct arena *a;
	struct {
		struct commit *p;
		size_t n, cap;
	} all;
	uint32_t *slots; /* index + 1; 0: free */
	size_t slots_n;
	struct {
		uint32_t *p;
		size_t n, cap;
	} heap;
	size_t b_only; /* queued commits that bear FROM_B and not FROM_A */
	bool gap;      /* the history below a ends in the air: a shallow store */
	git_id at, gap_at;
};

bool git_links_parse(struct arena *a, str bytes, size_t id_n, struct git_links *ret)
{
	struct git_links l = {0};
	struct {
		git_id *p;
		size_t n, cap;
	} parents = {0};
	str rest = bytes, line;

	if (!str_split(&rest, '\n', &line) || !str_starts(line, STR("tree ")) ||
	    !git_id_parse(str_sub(line, 5, SIZE_MAX), &l.tree) || l.tree.n != id_n)
		return false;
	while (str_split(&rest, '\n', &line) && str_starts(line, STR("parent "))) {
		git_id p;

		if (parents.n == GIT_MAX_PARENTS || !git_id_parse(str_sub(line, 7, SIZE_MAX), &p) ||
		    p.n != id_n)
			return false;
		*ARENA_PUSH(a, &parents) = p;
	}
	while (line.n > 0) {
		size_t at = str_rchr(line, '>');
		uint64_t t;

		if (str_starts(line, STR("committer ")) && at != SIZE_MAX && at + 2 <= line.n) {
			str tail = str_sub(line, at + 2, SIZE_MAX), secs;

			if (str_split(&tail, ' ', &secs) && str_to_u64(secs, &t) && t <= INT64_MAX)
				l.time = (int64_t)t;
			break;
		}
		if (!str_split(&rest, '\n', &line))
			break;
	}
	l.parents = parents.p;
	l.n = parents.n;
	*ret = l;
	return true;
}

static uint64_t id_hash(git_id id)
{
	return str_hash(str_n((const char *)id.b, id.n));
}

static void rehash(struct walk *w, size_t n)
{
	uint32_t *slots = ARENA_ARRAY(w->a, uint32_t, n);

	for (size_t i = 0; i < w->all.n; i++) {
		size_t at = id_hash(w->all.p[i].id) & (n - 1);

		while (slots[at])
			at = (at + 1) & (n - 1);
		slots[at] = (uint32_t)i + 1;
	}
	w->slots = slots;
	w->slots_n = n;
}

/* The index of a commit, which is added when it is new. */
static uint32_t intern(struct walk *w, git_id id)
{
	size_t at;

	if (w->all.n * 2 >= w->slots_n)
		rehash(w, w->slots_n ? w->slots_n * 2 : 256);
	for (at = id_hash(id) & (w->slots_n - 1); w->slots[at]; at = (at + 1) & (w->slots_n - 1))
		if (git_id_eq(w->all.p[w->slots[at] - 1].id, id))
			return w->slots[at] - 1;
	*ARENA_PUSH(w->a, &w->all) = (struct commit){.id = id};
	w->slots[at] = (uint32_t)w->all.n;
	return (uint32_t)w->all.n - 1;
}

static enum git_walk load(struct walk *w, uint32_t i)
{
	CLEANUP(arena) struct arena *scratch = NULL;
	struct git_links l;
	enum git_kind kind;
	uint32_t *parents;
	str bytes;

	if (w->all.p[i].marks & LOADED)
		return GIT_WALK_OK;
	scratch = arena_new();
	w->at = w->all.p[i].id;
	if (w->all.n > GIT_MAX_WALK)
		return GIT_WALK_LIMIT;
	if (git_store_read(w->store, scratch, w->at, GIT_MAX_COMMIT, &kind, &bytes) !=
		    GIT_READ_OK ||
	    kind != GIT_KIND_COMMIT || !git_links_parse(scratch, bytes, w->at.n, &l))
		return GIT_WALK_MISSING;
	parents = ARENA_ARRAY(w->a, uint32_t, l.n);
	for (size_t p = 0; p < l.n; p++)
		parents[p] = intern(w, l.parents[p]);
	w->all.p[i].time = l.time;
	w->all.p[i].parents = parents;
	w->all.p[i].n = (uint32_t)l.n;
	w->all.p[i].marks |= LOADED;
	return GIT_WALK_OK;
}

static bool newer(const struct walk *w, uint32_t a, uint32_t b)
{
	return w->all.p[a].time > w->all.p[b].time;
}

static void heap_push(struct walk *w, uint32_t i)
{
	size_t at = w->heap.n;

	*ARENA_PUSH(w->a, &w->heap) = i;
	for (; at > 0 && newer(w, i, w->heap.p[(at - 1) / 2]); at = (at - 1) / 2)
		w->heap.p[at] = w->heap.p[(at - 1) / 2];
	w->heap.p[at] = i;
}

static uint32_t heap_pop(struct walk *w)
{
	uint32_t top, last;
	size_t at = 0;

	assert(w->heap.p && w->heap.n > 0);
	top = w->heap.p[0];
	last = w->heap.p[--w->heap.n];
	for (size_t kid = 1; kid < w->heap.n; kid = 2 * at + 1) {
		if (kid + 1 < w->heap.n && newer(w, w->heap.p[kid + 1], w->heap.p[kid]))
			kid++;
		if (!newer(w, w->heap.p[kid], last))
			break;
		w->heap.p[at] = w->heap.p[kid];
		at = kid;
	}
	if (w->heap.n)
		w->heap.p[at] = last;
	return top;
}

static bool only_b(unsigned marks)
{
	return (marks & (FROM_A | FROM_B)) == FROM_B;
}

static enum git_walk paint(struct walk *w, uint32_t i, unsigned marks)
{
	unsigned old, now;
	enum git_walk rc;

	assert(w->all.p && i < w->all.n);
	old = w->all.p[i].marks;
	now = old | marks;
	if (now == old)
		return GIT_WALK_OK;
	rc = load(w, i);
	if (rc == GIT_WALK_MISSING && marks == FROM_A) {
		w->gap = true;
		w->gap_at = w->all.p[i].id;
		w->all.p[i].marks |= LOADED;
	} else if (rc != GIT_WALK_OK) {
		return rc;
	}
	if (old & QUEUED) {
		w->b_only += only_b(now);
		w->b_only -= only_b(old);
		w->all.p[i].marks |= marks;
		return GIT_WALK_OK;
	}
	w->b_only += only_b(now);
	w->all.p[i].marks |= marks | QUEUED;
	heap_push(w, i);
	return GIT_WALK_OK;
}

/* Until no commit is left that only b reaches (all: until none is left). Every commit on a way from
 * b to a is one that a does not reach, so that a is always found if it lies below b. */
static enum git_walk spread(struct walk *w, bool all)
{
	while (w->heap.n && (all || w->b_only)) {
		uint32_t i = heap_pop(w);
		unsigned marks = w->all.p[i].marks & (FROM_A | FROM_B);

		w->b_only -= only_b(marks);
		w->all.p[i].marks &= ~(unsigned)QUEUED;
		for (uint32_t p = 0; p < w->all.p[i].n; p++) {
			enum git_walk rc = paint(w, w->all.p[i].parents[p], marks);

			if (rc != GIT_WALK_OK)
				return rc;
		}
	}
	return GIT_WALK_OK;
}

static enum git_walk start(struct walk *w, git_id a, git_id b)
{
	enum git_walk rc = GIT_WALK_OK;

	if (a.n)
		rc = paint(w, intern(w, a), FROM_A);
	if (rc == GIT_WALK_OK)
		rc = paint(w, intern(w, b), FROM_B);
	return rc;
}

enum git_walk git_relation(struct git_store *s, git_id a, git_id b, enum git_relation *ret,
			   git_id *at)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	struct walk w = {.store = s, .a = scratch};
	enum git_walk rc = start(&w, a, b);
	bool common = false;

	if (rc == GIT_WALK_OK)
		rc = spread(&w, false);
	if (rc == GIT_WALK_OK && !git_id_eq(a, b) && !(w.all.p[intern(&w, a)].marks & FROM_B))
		rc = spread(&w, true);
	if (rc != GIT_WALK_OK) {
		*at = w.at;
		return rc;
	}
	if (w.gap && !git_id_eq(a, b) && !(w.all.p[intern(&w, a)].marks & FROM_B)) {
		*at = w.gap_at;
		return GIT_WALK_MISSING;
	}
	for (size_t i = 0; i < w.all.n && !common; i++)
		common = (w.all.p[i].marks & (FROM_A | FROM_B)) == (FROM_A | FROM_B);
	if (git_id_eq(a, b))
		*ret = GIT_SAME;
	else if (w.all.p[intern(&w, a)].marks & FROM_B)
		*ret = GIT_DESCENDS;
	else if (w.all.p[intern(&w, b)].marks & FROM_A)
		*ret = GIT_ANCESTOR;
	else
		*ret = common ? GIT_DIVERGED : GIT_UNRELATED;
	return GIT_WALK_OK;
}

struct frame {
	uint32_t i, next;
};

enum git_walk git_range(struct git_store *s, struct arena *a, git_id from, git_id to, size_t max,
			git_id **ret, size_t *n, git_id *at)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	struct walk w = {.store = s, .a = scratch};
	enum git_walk rc = start(&w, from, to);
	struct {
		git_id *p;
		size_t n, cap;
	} out = {0};
	struct {
		struct frame *p;
		size_t n, cap;
	} stack = {0};

	if (rc == GIT_WALK_OK)
		rc = spread(&w, false);
	if (rc != GIT_WALK_OK) {
		*at = w.at;
		return rc;
	}
	*ARENA_PUSH(scratch, &stack) = (struct frame){intern(&w, to), 0};
	while (stack.n) {
		struct frame *f = &stack.p[stack.n - 1];
		struct commit *c = &w.all.p[f->i];

		if (!only_b(c->marks) || (f->next == 0 && c->marks & LISTED)) {
			stack.n--;
			continue;
		}
		c->marks |= LISTED;
		if (f->next < c->n) {
			uint32_t p = c->parents[f->next++];

			if (!(w.all.p[p].marks & LISTED))
				*ARENA_PUSH(scratch, &stack) = (struct frame){p, 0};
			continue;
		}
		stack.n--;
		if (out.n == max) {
			*at = c->id;
			return GIT_WALK_LIMIT;
		}
		*ARENA_PUSH(a, &out) = c->id;
	}
	*ret = out.p;
	*n = out.n;
	return GIT_WALK_OK;
}
