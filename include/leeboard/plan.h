/* plan: what a sync would do: for each object an action, why, field by field, in which wave; what of it
 * waits for a person; what is refused. Pure: everything that must be known is handed in.
 *
 * Order of calls, per App and sync:
 *   plan_asks -> the caller asks the target (target_get; meta: existence, uid, marks suffice) and has
 *   plan_look answer with it -> plan_asks again, until it asks for nothing -> plan_build -> plan_json.
 * An object whose want is the one sent last, and that nobody touched since, is asked for by nobody and
 * costs a look-up (PLAN_NONE). Trees of wants are built in a scratch arena; a plan keeps only what a
 * step shows. All memory of a plan is the arena's that was given; `wants`, `inventory` and the trees that
 * plan_look handed out are borrowed and must live as long.
 *
 * Who waits: steps that must be approved carry `waits` and the plan one entry for each reason; all other
 * steps may go out at once. When `approved` names this plan's id nothing waits. The id is a hash of what
 * would be done (actions, identities, digests, uids), not of revisions or times: a plan that is made
 * again, or by a newer commit that does the same, has the same id. */
#pragma once
#include "leeboard/config.h"
#include "leeboard/diff.h"
#include "leeboard/graph.h"

/* Rows: enumerator, word on the wire, does it write to the object? */
#define PLAN_ACTIONS(X)                                                                            \
	X(PLAN_NONE, "none", false)                                                                \
	X(PLAN_CREATE, "create", true)                                                             \
	X(PLAN_CHANGE, "change", true)                                                             \
	X(PLAN_ADOPT, "adopt", true)       /* it exists and is not ours yet */                     \
	X(PLAN_RECREATE, "recreate", true) /* delete, then create: a field cannot be changed */    \
	X(PLAN_TRANSFER, "transfer", true) /* another App's until now: `other`; then as CHANGE */  \
	X(PLAN_DELETE, "delete", true)                                                             \
	X(PLAN_RELEASE, "release", false) /* leaves Git, stays at the target; leaves the inventory */ \
	X(PLAN_KEEP, "keep", false)       /* opted out of deletion: stays, state INV_KEPT */       \
	X(PLAN_HAND_OVER, "hand-over", false) /* `other` wants it now: leaves our inventory alone */ \
	X(PLAN_GONE, "gone", false) /* left Git, and the target has it no more: leaves the inventory */ \
	X(PLAN_REFUSED, "refused", false) /* see err */
enum plan_action {
#define X(name, word, writes) name,
	PLAN_ACTIONS(X)
#undef X
};
str plan_action_name(enum plan_action a);
bool plan_action_writes(enum plan_action a);

/* Rows: bit, reason code (interface.md 3). */
#define PLAN_REASONS(X)                                                                            \
	X(PLAN_PRUNE_LIMIT, 1, "prune-limit")       /* more deletions than prune.limit */          \
	X(PLAN_PROTECTED_KIND, 2, "protected-kind") /* deletes a kind of prune.protect */          \
	X(PLAN_EMPTY_RENDER, 4, "empty-render")     /* nothing is left of the App */               \
	X(PLAN_APPROVAL, 8, "approval")             /* the object or the caller asks for it */     \
	X(PLAN_NEEDS_RECREATE, 16, "recreate")      /* no consent to delete and create */          \
	X(PLAN_DRIFT_ON_SYNC, 32, "drift-on-sync")  /* would overwrite drift; drift.onSync: wait */
enum plan_reason {
#define X(name, bit, word) name = bit,
	PLAN_REASONS(X)
#undef X
};
str plan_reason_name(enum plan_reason r);

/* ------------------------------------------------------------------ what must be known */

enum plan_sight {
	PLAN_UNSEEN, /* not asked yet */
	PLAN_ABSENT,
	PLAN_META,   /* live holds metadata alone */
	PLAN_SEEN,   /* live is whole */
	PLAN_FAILED, /* it could not be read: failure says why */
};
/* Of one identity. All zero: nothing is known. */
struct plan_object {
	bool sent;          /* this App sent it before; digest is that of the want */
	struct hash digest;
	bool in_sync;       /* with sent: known untouched since */
	enum plan_sight sight;
	str uid, failure;
	const struct node *live;    /* META, SEEN */
	const struct node *applied; /* the target's last-applied tree; NULL: it keeps none */
	str wanted_by;   /* another App of this target wants it in this rollout (or, not part of it, now) */
	str owned_by;    /* another App of this instance has it in its inventory */
	enum inv_origin owned_origin; /* as that inventory says; 0: not known */
	bool added_since; /* it came after the tree that Git now returns to */
};
struct plan_look {
	void *arg;
	void (*of)(void *arg, obj_id id, struct plan_object *ret); /* ret is zeroed */
	/* Validation that needs others (schema of the server, what a Policy allows): an error refuses
	 * the object. NULL: none. */
	struct err *(*check)(void *arg, const struct want *w);
};
struct plan_in {
	const struct app *app;
	str name;     /* of the App as it stands in marks and records: "shop", "team/shop" */
	str instance;
	const struct wants *wants;         /* of the revision */
	const struct inventory *inventory; /* as at the target */
	/* In force until now. An object whose digest in it is the one sent last has its last-applied there;
	 * else the target's, else what we own of the live object. NULL: not known. */
	const struct wants *before;
	struct plan_look look;
	bool marks;  /* the target marks objects (target_marks); without, the inventory alone says whose */
	str manager; /* our field manager; empty: "leeboard" */
	str from, to; /* revisions, hex; from empty: nothing was live before */
	str approved; /* id, or at least the first 6 digits of it; empty: nothing is */
	bool approve_all; /* the caller wants every write approved (PLAN_APPROVAL) */
	bool heal;    /* write Git's values back over drift whatever the mode is */
	msec now;     /* wall clock, for hold-until; 0: holds count as over */
};

/* What has to be read before plan_build can say anything about it. */
struct plan_ask {
	obj_id id;
	str version;
	bool meta; /* metadata suffices */
};
struct plan_asks {
	struct plan_ask *p;
	size_t n, cap;
};
void plan_asks(struct arena *a, const struct plan_in *in, struct plan_asks *ret);

/* ------------------------------------------------------------------ a plan */

struct plan_field {
	str path;
	enum diff_class class;
	const struct node *git, *live, *applied; /* NULL: absent, or redacted */
	bool redacted;
	str origin_file;
	uint32_t origin_line;
	str writer, writer_operation, writer_subresource; /* of what is live; empty: not known */
	msec writer_at;
};
struct plan_edge {
	uint32_t step; /* index into steps: it must be ready first (deleted first, for deletions) */
	enum graph_reason why;
	str path;
};
struct plan_step {
	enum plan_action action;
	obj_id id;
	str version;
	str uid;                 /* of the live object; empty: none, or not known */
	const struct want *want; /* NULL: left Git */
	enum inv_origin origin;  /* what the inventory should say */
	size_t wave;             /* deletions have waves of their own, after all others */
	const struct plan_edge *edges;
	size_t edges_n;
	const struct plan_field *fields;
	size_t fields_n, fields_all; /* fields holds at most PLAN_MAX_FIELDS */
	const struct node *live;     /* as plan saw it (for target_apply.adopt); NULL: not needed */
	bool force;      /* target_apply.force */
	bool drifted;    /* overwrites drift; of NONE: drift that is left standing */
	bool left;       /* NONE, though Git may say otherwise (held, skipped, if-absent, drift that is not
			  * healed): what stands there is no baseline of the want */
	unsigned waits;  /* enum plan_reason, or'ed; 0: may go */
	int propagation; /* enum propagation, of deletions and recreations */
	msec timeout;    /* leeboard.dev/timeout, else the App's health.timeout */
	str other;       /* App it comes from or goes to */
	str why;         /* in words; empty: nothing to say */
	enum err_code code; /* of REFUSED */
	str message;        /* of REFUSED, without place; place in file, line, col */
	str file;
	uint32_t line, col;
	/* A step that this one needs was refused (SIZE_MAX: none), or apply.onError is stop and any was. */
	size_t blocked_by;
};
#define PLAN_MAX_FIELDS 100u

struct plan_wait {
	enum plan_reason reason;
	str message; /* "14 deletions, limit 10" */
};
struct plan_count {
	size_t create, change, adopt, recreate, transfer, delete, release, none, refused;
	size_t writes; /* steps that may go out now */
	size_t waits;  /* steps that wait */
};
struct plan {
	str app, from, to;
	str id; /* 64 hex digits; people see and give the first 12 */
	/* Waves in order; inside one as graph says; then deletions, what depends first. Every object of
	 * wants and inventory has exactly one step, NONE included. */
	struct plan_step *steps;
	size_t n;
	size_t waves;        /* of what is written; deletions go on from there */
	size_t delete_waves;
	struct plan_count counts;
	const struct plan_wait *waiting;
	size_t waiting_n;
	bool approved;
	bool empty; /* nothing to write, delete or move in the inventory */
	const str *warnings; /* inferred edges that gave way, vocabularies that disagree */
	size_t warnings_n;
};
/* Cycles (all, each as its shortest path) and bad annotations are errors of the whole plan. What is
 * wrong with one object is a REFUSED step. An identity that plan_asks named and that is still
 * PLAN_UNSEEN is refused as not read. */
MUST_CHECK struct err *plan_build(struct arena *a, const struct plan_in *in, const struct plan **ret);
const struct plan_step *plan_step_of(const struct plan *p, obj_id id); /* NULL: none */
/* One `Plan` document of interface.md 5, one line, no newline. Holds no Secret's values. */
void plan_json(const struct plan *p, str instance, msec time, struct buf *b);
