/* What the files of apply share.
 *
 *   apply.c   begin, phases, end
 *   heal.c    one object, without a plan
 *   order.c   what waits for what; what a failure takes along
 *   send.c    journal, bodies, writes, recreation
 *   settle.c  health, time limits, kinds that become known, the first cause
 *   prune.c   the inventory, and deletions
 *
 * Steps are nodes of a graph: those of the plan by index, then one barrier a wave number that somebody
 * wrote down, then one that stands before webhook configurations. A node is `applied` when its write was answered and `well` when it is healthy besides;
 * an edge waits for one of the two. What has nothing left to wait for is sent at once, all of it in one
 * go. Deletions are nodes of the same graph, begun after everything else and turn by turn: the waves of the
 * plan, each over before the next begins, then kinds and namespaces, whose deletion would take along what
 * they hold.
 *
 * Why it may end anywhere (apply_stop, kill -9):
 *   - No object is written before the inventory at the target names it, so what was written can always
 *     be found again, and pruned when Git never wants it after all.
 *   - An id leaves the inventory only after the target said that its object is gone (or was let go), so
 *     no deletion is forgotten; a deletion carries the uid, so it is never another object's.
 *   - A baseline is put after the answer. Without it the next plan finds a want that was never sent, and
 *     sends it again: applies are idempotent, and one that changes nothing writes nothing.
 *   - A recreation that ends between its two halves leaves an object of the inventory absent, which the
 *     next plan creates.
 *   - Nothing is ever undone: the next run starts from what the target says, not from a log. */
#pragma once
#include "leeboard/apply.h"

/* A controller of a custom kind may say that it failed, and try again: only what stays so is for good. */
#define APPLY_DEGRADED_LASTS (30 * SECOND)
#define APPLY_DISCOVER_AGAIN ((msec)500) /* until a new kind is served */

enum run_state {
	RUN_IDLE,    /* waits for others */
	RUN_SENDING, /* a read, a write or a deletion is in flight */
	RUN_WAITING, /* written; its health is waited for */
	RUN_DONE,
	RUN_DEAD, /* failed, blocked, skipped */
};
enum need { NEED_APPLIED, NEED_WELL, NEED_OVER /* applied, or given up */ };
struct run {
	struct apply *a;
	const struct plan_step *step; /* NULL: a barrier */
	struct apply_step *pub;       /* NULL: a barrier, or PLAN_NONE */
	enum run_state state;
	bool deletes, writes;          /* which phase it belongs to */
	bool applied, well, need_well; /* need_well: somebody waits for it */
	bool crd_waits;                /* well, but a dependant's kind is not served yet */
	bool recreating, timed;
	bool given_up;                /* its NEED_OVER edges were released */
	uint32_t left;                /* edges that are open */
	uint32_t first, count;        /* dependants, in apply.edges */
	size_t turn; /* of deletions: the waves, then what holds others */
	struct target_call *call;
	struct live_wait *wait;
	struct timer *timer, *lasts;
	str body; /* what is sent; p NULL: the want's json */
};
struct dependant {
	uint32_t who;
	enum need need;
	enum graph_reason why;
};

enum phase { PHASE_PENDING, PHASE_SEND, PHASE_RECORD, PHASE_HOLD, PHASE_PRUNE, PHASE_FORGET, PHASE_END };
struct apply {
	struct apply_opts o;
	struct apply_calls calls;
	struct target *target;
	struct arena *arena;
	str app; /* as in marks and records */
	struct run *runs;
	size_t n, nodes; /* steps; steps and barriers */
	struct dependant *edges;
	struct apply_step *pubs;
	size_t pubs_n;
	enum phase phase;
	size_t open;    /* nodes of this phase that are not at their end */
	size_t dispatching;
	size_t turn, turns; /* of deletions */
	struct {
		uint32_t *p;
		size_t n, cap;
	} ready;
	bool *journalled; /* by wave */
	bool stopping, stopped, told;
	bool released; /* apply_prune came */
	const struct apply_step *first;
	struct err *own; /* of the whole: inventory, journal */
	struct apply_count count;
	struct inventory *next; /* as it is being put */
	struct target_call *call; /* of the inventory */
	struct target_call *discover;
	struct timer *timer, *again;
};

/* order.c */
void order_build(struct apply *a);
void order_begin(struct apply *a, bool deletions); /* counts the phase (the turn), sends what is ready */
bool order_next_turn(struct apply *a); /* false: no deletion is left */
void order_applied(struct run *r);
void order_well(struct run *r);
void run_over(struct run *r, enum run_state s); /* at its end; may end the phase */
/* Takes e (NULL: health says it). */
void run_fails(struct run *r, enum apply_result result, struct err *e);
str run_label(const struct run *r);
void tell_step(struct run *r);

/* send.c */
void send_ready(struct apply *a);
struct err *send_journal(struct apply *a, size_t wave);

/* settle.c */
void settle(struct run *r); /* it was written, or is a step that others wait for */
void settle_stop(struct run *r);
bool crd_served(const struct run *r);
bool step_is_custom(const struct plan_step *s);
void settle_crd(struct run *r);

/* prune.c */
void inventory_pending(struct apply *a);
void inventory_record(struct apply *a);
void inventory_forget(struct apply *a);
void prune_send(struct run *r);

/* apply.c */
void phase_over(struct apply *a);
void steps_over(struct apply *a); /* of the phase in which steps are sent */
void apply_fails(struct apply *a, struct err *e); /* all of it; takes e */
