/* apply: a plan goes out: wave by wave, each waited for, then what left Git is pruned.
 *
 * One `struct apply` runs one plan against one target. It journals a wave before it sends it, writes
 * what may be written at once in parallel, holds back only what depends on a thing that is not ready,
 * waits for health where something depends on it (and at the end, when the App wants it), fails fast
 * where an object is Degraded for good, and prunes in reverse order afterwards. apply_stop drops it
 * anywhere: what was sent is recorded, nothing else is. It never blocks.
 *
 * The order of its writes at the target (sync.md f.1): inventory with the new ids pending -> objects
 * -> inventory (live) -> deletions, each id leaving the inventory when its object is gone. */
#pragma once
#include "leeboard/live.h"
#include "leeboard/plan.h"

struct apply;

/* What became of one step. */
enum apply_result {
	APPLY_CREATED,
	APPLY_CHANGED,
	APPLY_UNCHANGED,
	APPLY_DELETED,
	APPLY_KEPT,    /* released: opted out, or adopted */
	APPLY_FAILED,  /* see err */
	APPLY_BLOCKED, /* waits for an object that failed: named in message */
	APPLY_TIMEOUT, /* written, not healthy in time: health says how it stands */
	APPLY_SKIPPED, /* stopped before, or onError: stop */
};
struct apply_step {
	const struct plan_step *step;
	enum apply_result result;
	struct health health; /* last seen; state UNKNOWN where nothing is told */
	const struct err *err; /* borrowed; NULL: none */
	str blocked_by;        /* label of the object */
};
struct apply_count {
	size_t created, changed, deleted, unchanged, failed, blocked;
	uint64_t requests, writes;
};
struct apply_calls {
	void *arg;
	/* Before a wave is sent: write down durably which steps are meant. An error stops the sync. */
	struct err *(*journal)(void *arg, size_t wave, size_t waves, const struct plan_step *const *steps,
			       size_t n);
	/* For progress: a step moved (sent, healthy, failed). */
	void (*step)(void *arg, const struct apply_step *s);
	void (*wave)(void *arg, size_t wave, size_t waves);
	/* Everything was written and is healthy, or failed or timed out: may deletions go now? Answer
	 * with apply_prune when every App of the rollout is past its plan. Only when something is to be
	 * deleted and nothing failed. */
	void (*ready_to_prune)(void *arg);
	/* Once, at the end; not after apply_stop. steps: all that are not NONE. first: the first cause
	 * (NULL: it went well). The handle is still valid until apply_free. */
	void (*done)(void *arg, bool ok, const struct apply_step *first);
};
struct apply_opts {
	struct loop *loop;
	struct live_app *app;
	const struct plan *plan;    /* lives until apply_free */
	const struct wants *wants;  /* of the plan; lives as long */
	struct inventory *inventory; /* as at the target; kept up to date by apply (in its own arena) */
	struct arena *inventory_arena;
	bool prune;         /* deletions were released (approved, or under the limits) */
	bool wait_health;   /* the App's health.wait */
	str revision;
};
MUST_CHECK struct err *apply_start(const struct apply_opts *o, const struct apply_calls *calls,
				   struct apply **ret);
void apply_prune(struct apply *a);
/* No more callbacks. What is in flight at the target is let go; live hears of it as events. */
void apply_stop(struct apply *a);
void apply_free(struct apply *a); /* stops too; NULL is fine */
struct apply_count apply_count(const struct apply *a);
const struct apply_step *apply_steps(const struct apply *a, size_t *n);

/* Writes Git's value back over drift (`heal`): one object, no plan. done: e NULL: it stands as wanted. */
struct apply_heal;
MUST_CHECK struct err *apply_heal_start(struct loop *loop, struct live_app *app, const struct want *w,
					str revision, void (*done)(void *arg, obj_id id, struct err *e),
					void *arg, struct apply_heal **ret);
void apply_heal_stop(struct apply_heal *h); /* NULL is fine */
