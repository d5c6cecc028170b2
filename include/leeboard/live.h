/* live: what is known of the objects that Apps own: watched, compared by digest, judged for health
 * and drift, with who did it.
 *
 * One `struct live` sits on one target and is its only listener; each App that deploys there has a
 * `struct live_app` in it. It holds per object what we sent (the want), what the target answered (the
 * baseline), and a digest of what stands there now; never the live tree. A watch event whose digest is
 * the one known costs a hash and nothing else. Anything else is compared field by field (diff.h, along
 * our managedFields or, in a directory, against last-applied): a field that still has the baseline's
 * value has not drifted; what is left was done by somebody else.
 *
 * Order: live_new -> live_app_new -> live_app_expect (the wants of the revision in force) ->
 * live_app_restore (inventory, baselines; the watches begin, and what is listed is judged at once) ->
 * events. apply calls live_sending before and live_sent after each
 * write, so that our own writes are never taken for drift. */
#pragma once
#include "leeboard/diff.h"
#include "leeboard/event.h"
#include "leeboard/health.h"
#include "leeboard/target.h"

struct live;
struct live_app;

/* What is remembered over restarts of each object. */
struct live_baseline {
	obj_id id;
	str version, uid;
	struct hash digest; /* of the want that was sent last */
	str revision;       /* commit that it came from */
	msec at;            /* wall clock */
	str answer;         /* compact JSON: paths of ours that the target answered otherwise than
			     * sent, each with a keyed hash of its value ("": absent); empty: nowhere */
	struct hash live;   /* of the live object's content when it was last in sync; zero: unknown */
};
/* Handed in by who owns the store. */
struct live_store {
	void *self;
	/* Borrowed until the next call. False: none. */
	bool (*get)(void *self, str app, obj_id id, struct live_baseline *ret);
	struct err *(*put)(void *self, str app, const struct live_baseline *b);
	struct err *(*del)(void *self, str app, obj_id id);
};

/* One object that left what we applied, or came back. */
struct live_drift {
	obj_id id;
	str version, uid;
	bool deleted;   /* it is gone */
	bool recreated; /* another uid */
	bool stripped;  /* our mark was taken off */
	const struct event_field *fields; /* redacted where it must be; git, live, applied, origin, writer */
	size_t fields_n;
	size_t fields_all; /* how many differ; at most LIVE_MAX_FIELDS are in `fields` */
	int mode;          /* enum drift_mode for this object: its annotation, else the App's */
	msec since;        /* first seen */
	uint32_t fights;   /* how often the same was corrected within ten minutes */
};
#define LIVE_MAX_FIELDS 100u
#define LIVE_FIGHT_TIMES 3u
#define LIVE_FIGHT_SPAN (10 * MINUTE)
#define LIVE_FLICKER (10 * SECOND) /* a fall from Healthy to Progressing shorter than this is not told */

/* All borrowed until the return. Any may be NULL. */
struct live_calls {
	void *arg;
	/* New drift, or its fields changed. Not before the App's drift.grace is over. */
	void (*drift)(void *arg, struct live_app *a, const struct live_drift *d);
	/* The drift that was told is over without a write of ours. */
	void (*gone)(void *arg, struct live_app *a, obj_id id);
	/* Health of an object changed (debounced where it is only a flicker, sync.md e.3). */
	void (*health)(void *arg, struct live_app *a, obj_id id, const struct health *was,
		       const struct health *now);
	/* Every kind of this App was listed: what is known is complete. Once, and again after a gap. */
	void (*complete)(void *arg, struct live_app *a);
	/* The target stopped answering, or answers again. */
	void (*reach)(void *arg, struct live *l, bool reachable, str why);
};

/* key: the storage key, for digests and redaction. Takes neither target nor store; both outlive it. */
struct live *live_new(struct loop *loop, struct target *t, const struct live_store *store,
		      const struct live_calls *calls, const uint8_t key[32]);
void live_free(struct live *l);
DEFINE_CLEANUP(live, live_free)
struct target *live_target(struct live *l);

/* app is borrowed until live_app_config gives a newer one (reload) or the end. */
struct live_app *live_app_new(struct live *l, const struct app *app, void *owner);
void live_app_free(struct live_app *a);
void live_app_config(struct live_app *a, const struct app *app);
void *live_app_owner(struct live_app *a);
const struct app *live_app_doc(const struct live_app *a);
str live_app_name(const struct live_app *a); /* as in marks and records: "shop", "team/shop" */
struct live *live_app_live(const struct live_app *a);

/* Watches begin for the kinds of the inventory; baselines come from the store. */
MUST_CHECK struct err *live_app_restore(struct live_app *a, const struct inventory *inv);
/* From now on these are what should be; borrowed until the next call. Objects of it that were never
 * sent are not drift; objects whose want changed are `pending` until live_sent. */
void live_app_expect(struct live_app *a, const struct wants *w, str revision);

/* May fields of this want be others' to write (drift.ignore, autoscalers)? Then the object is read
 * first, and live_body makes the text to send: the want's own where nothing differs there. */
bool live_yields(const struct live_app *a, const struct want *w);
MUST_CHECK struct err *live_body(struct arena *arena, const struct live_app *a, const struct want *w,
				 const struct target_live *now, str *ret);

/* Around each write of ours. */
MUST_CHECK struct err *live_sending(struct live_app *a, const struct want *w);
/* answer: what the target said, or (without live_sending) a read that showed the want already there.
 * Makes the baseline (durable) and the watch of the kind. A read of an object whose baseline is that
 * of this want is taken as an event. */
MUST_CHECK struct err *live_sent(struct live_app *a, const struct want *w,
				 const struct target_live *answer, str revision);
void live_not_sent(struct live_app *a, obj_id id); /* the write failed */
/* We deleted it, or let it go: no drift. Baseline gone. */
MUST_CHECK struct err *live_forget(struct live_app *a, obj_id id);
/* A read that a person or plan asked for (target_get): taken as an event. */
void live_told(struct live_app *a, const struct target_live *now);

/* ------------------------------------------------------------------ questions */

struct live_state {
	obj_id id;
	str version, uid;
	bool present;         /* as far as is known */
	bool seen;            /* something was heard of it since the start */
	bool has_baseline;
	struct hash applied;  /* digest of the want sent last (with has_baseline) */
	bool in_sync;         /* what stands there is what the target answered then */
	size_t drift_fields;  /* open; 0: none. A deleted one counts 1 */
	msec drift_since, sent_at;
	str revision;         /* that it was sent from */
	struct health health;
	msec health_since;
};
/* False: not one of this App's. Strings are borrowed until the next turn of the loop. */
bool live_state(const struct live_app *a, obj_id id, struct live_state *ret);
void live_each(const struct live_app *a, void (*fn)(void *arg, const struct live_state *s), void *arg);
/* Open drift, `ignored` too (mode ignore) when asked. */
void live_each_drift(struct live_app *a, bool ignored,
		     void (*fn)(void *arg, const struct live_drift *d), void *arg);
struct live_count {
	size_t total, healthy, progressing, degraded, suspended, missing, unknown;
	size_t drift_objects, drift_fields;
};
struct live_count live_count(const struct live_app *a);
/* Baselines that were lost and made anew since live_app_new. */
size_t live_rebuilt(const struct live_app *a);
/* The worst of all, with the object that says so (id.kind empty: none; id may be NULL). health.skip is
 * left out. */
struct health live_worst(const struct live_app *a, obj_id *id);

/* Tells once when the object is Healthy (state HEALTHY, SUSPENDED or, where the target tells no
 * health, at once), or Degraded. Never out of the call. live_wait_stop ends it. */
struct live_wait;
struct live_wait *live_wait_healthy(struct live_app *a, obj_id id,
				    void (*fn)(void *arg, obj_id id, const struct health *h), void *arg);
void live_wait_stop(struct live_wait *w); /* NULL is fine */
