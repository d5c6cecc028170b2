/* What the files of live share.
 *
 *   words.c   strings that many objects share, counted
 *   table.c   objects and kinds: made, found, given up
 *   judge.c   what differs between what we sent and what stands there
 *   body.c    what is sent where some fields are not ours to write
 *   drift.c   drift that is open: told after its grace time, corrected, fought about
 *   well.c    health: changes told, waits ended
 *   ask.c     reads and dry runs where a watch did not tell enough
 *   live.c    events, and the writes of ours
 *   state.c   questions
 *
 * At rest an object is a `struct entry`: digests and a few words, no tree. */
#pragma once
#include "leeboard/live.h"

#define LIVE_MANAGER STR("leeboard")
#define LIVE_STALE MINUTE            /* how long an event may come late after a write of ours */
#define LIVE_RETRY (30 * SECOND)     /* after a read that failed */
#define LIVE_MAX_READS 500u          /* objects in one read */
#define LIVE_MAX_PREVIEWS 4u         /* dry runs in flight */
#define LIVE_MAX_VALUE 4096u         /* bytes of one value in a drift; the rest is cut */
#define LIVE_MAX_HEALTH_TEXT 1024u   /* bytes of a health message that are kept */
#define LIVE_MAX_FIXES 32u           /* corrections remembered of one object */

/* ------------------------------------------------------------------ words */

struct word {
	struct word *next;
	uint32_t refs;
	str text;
};
struct words {
	struct word **p;
	size_t n, cap;
};
struct word *words_take(struct words *w, str s);
void words_drop(struct words *w, struct word *x); /* NULL is fine */
void words_done(struct words *w);

/* ------------------------------------------------------------------ objects */

struct kind {
	struct kind *next;
	struct live *live;
	struct word *group, *name, *version;
	size_t users;
	uint32_t round; /* of lists: an entry of an older round was not told in the last one */
	bool begun, listed; /* a list has begun; what is known of it is complete */
};

struct fix {
	uint64_t path;
	msec at;
};
struct later { /* the verdict that time will bring */
	struct timer *timer;
	enum health_state state;
	char *reason, *message;
};
struct drift;
struct entry {
	struct entry *chain;       /* of the table of all apps */
	struct entry *prev, *next; /* of the app */
	struct live_app *app;
	obj_id id; /* of words, and of `name` */
	struct word *group, *kind_word, *ns, *version, *revision;
	struct kind *kind; /* watched; NULL: not yet */
	char *name, *uid;
	const struct want *want;   /* of the wants in force; NULL: left them */
	struct hash applied;       /* digest of the want sent last */
	struct hash judged;        /* of the content that the verdict (in_sync, drift) is about */
	struct hash now;           /* of the content seen last */
	msec sent_at, good_at;     /* wall clock: last write, last seen in sync */
	msec missed_rv, sent_rv;   /* resourceVersions; 0: unknown */
	msec sent_mono;
	int64_t generation;
	msec generation_at;
	uint32_t round;
	char inv_state;
	bool present : 1, seen : 1, has_baseline : 1, has_judged : 1, in_sync : 1, recreated : 1;
	bool sending : 1, missed : 1, check : 1, rebuild : 1, skip : 1, forgotten : 1;
	bool unowned : 1; /* managedFields name us no more: a removal would be lost, so it is not in sync */
	char *rebuilt; /* baseline answer of a dry run, to be believed when nothing of Git changed */
	/* health */
	enum health_state state, told;
	char *reason, *message; /* NULL: empty */
	msec health_since;
	struct timer *flicker;
	struct later *later;
	struct live_wait *waits;
	struct drift *drift;
	struct fix *fixes;
	size_t fixes_n;
};

struct drift {
	struct arena *arena;
	struct live_drift d;
	uint64_t print; /* what was told, or will be */
	bool told;
	struct timer *timer;
};

struct live_wait {
	struct entry *e; /* NULL: the object was forgotten; never tells */
	struct live_wait *next;
	struct timer *timer;
	struct loop *loop;
	void (*fn)(void *arg, obj_id id, const struct health *h);
	void *arg;
};

struct live_app {
	struct live_app *prev, *next;
	struct live *live;
	const struct app *doc;
	char *name; /* as in marks and records: "shop", "team/shop" */
	void *owner;
	const struct wants *wants;
	struct word *revision;
	struct entry *first, *last;
	size_t n, checks; /* entries, those that wait for a read or a dry run */
	struct arena *arena; /* of `scaled` */
	const obj_id *scaled; /* targets of autoscalers, sorted */
	size_t scaled_n, rebuilt;
	bool restored, complete;
	struct timer *soon; /* to see whether it is complete */
};

struct live {
	struct loop *loop;
	struct target *target;
	const struct live_store *store;
	struct live_calls calls;
	uint8_t key[32];
	bool marks, tells_health, down;
	struct words words;
	struct kind *kinds;
	struct entry **table;
	size_t table_n, table_cap;
	struct live_app *apps;
	/* ask.c */
	struct timer *ask_timer;
	struct target_call *ask_call;
	struct arena *ask_arena;
	struct preview *previews;
	size_t previews_n;
};

/* table.c */
struct entry *entry_find(const struct live_app *a, obj_id id);
struct entry *entry_first(const struct live *l, obj_id id); /* of any app */
struct entry *entry_next(const struct entry *e);            /* the same object in another app */
struct entry *entry_make(struct live_app *a, obj_id id, str version);
void entry_free(struct entry *e);
/* Watches its kind in this version. */
MUST_CHECK struct err *entry_watch(struct entry *e, str version);
str entry_version(const struct entry *e);
void set_text(char **p, str s); /* a copy, or NULL for an empty one */

/* judge.c */
struct judged {
	struct event_field *p; /* in the arena that was passed; values borrowed or redacted */
	size_t n, cap, all;
	bool stripped;
	bool ours; /* our manager's set holds one of them: we wrote the value ourselves */
	int mode;
};
struct hash content_digest(struct arena *a, const struct node *root, const uint8_t key[32]);
/* What the target made of our fields, where it is not what we sent: paths to hashes. */
MUST_CHECK struct err *baseline_answer(struct arena *a, const struct live *l, const struct want *w,
				       const struct node *root, str *ret);
MUST_CHECK struct err *judge(struct arena *a, const struct entry *e, const struct target_live *now,
			     str answer, struct judged *ret);
/* Changed fields of Git that are others' to write. keep: our set holds it, so leaving it out would
 * delete it. */
struct yielded {
	struct diff_change change;
	bool keep;
};
struct yields {
	struct yielded *p;
	size_t n, cap;
};
MUST_CHECK struct err *judge_yields(struct arena *a, const struct live_app *app,
				    const struct object *o, const struct target_live *now,
				    struct yields *ret);
bool app_is_scaled(const struct live_app *a, obj_id id);
/* Is the want what counts for this object now? */
bool entry_held(const struct entry *e);
void app_scaled(struct live_app *a);
bool app_skips(const struct live_app *a, const struct want *w);
int want_mode(struct arena *a, const struct live_app *app, const struct want *w,
	      const struct object *o);

/* drift.c */
void drift_set(struct entry *e, const struct judged *j, bool deleted);
void drift_over(struct entry *e);    /* by others */
void drift_written(struct entry *e); /* by us */
void drift_free(struct entry *e);

/* well.c */
void well_seen(struct entry *e, const struct object *o); /* o NULL: absent */
struct health entry_health(const struct entry *e);
void well_free(struct entry *e);

/* ask.c */
void ask_check(struct entry *e);   /* read it soon */
void ask_rebuild(struct entry *e); /* a dry run: what would ours be? */
void ask_settled(struct entry *e); /* there is nothing to ask of it any more */
void ask_forget(struct entry *e);
void ask_done(struct live *l);

/* live.c */
void entry_seen(struct entry *e, const struct target_live *now);
void entry_gone(struct entry *e, str uid);
void app_soon(struct live_app *a);
MUST_CHECK struct err *baseline_put(struct entry *e, str answer, struct hash live);
