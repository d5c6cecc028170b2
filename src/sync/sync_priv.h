/* What the files of sync share.
 *
 *   engine.c   start, stop, reload
 *   jobs.c     workers, a few at a time
 *   place.c    targets and what lives there
 *   poll.c     what the remotes name
 *   source.c   fetch, verify, accept
 *   app.c      an App at rest: when does it sync, what has drifted
 *   run.c      one sync of one App: the table of steps
 *   tell.c     events
 *   state.c    what a person decided: suspensions, approvals
 *   ask.c      verbs; show_*.c their JSON
 */
#pragma once
#include "leeboard/apply.h"
#include "leeboard/notify.h"
#include "leeboard/remote.h"
#include "leeboard/store.h"
#include "leeboard/sync.h"
#include "leeboard/worker.h"

#define SYNC_MAX_HEX 64

/* ------------------------------------------------------------------ jobs */

struct job;
struct job_calls {
	struct err *(*frame)(void *arg, struct frame *f);
	void (*done)(void *arg, struct err *e);
};
/* Takes `a`, in which spec lives. Queued while limits.workers run. `done` comes once, unless
 * job_stop came before. name: "fetch", "verify", "render". */
MUST_CHECK struct err *job_start(struct sync *s, const char *name, struct arena *a,
				 const struct worker_spec *spec, const struct job_calls *calls,
				 void *arg, struct job **ret);
void job_stop(struct job *j); /* no callback any more; NULL is fine */
struct jobs;
struct jobs *jobs_new(struct sync *s);
void jobs_free(struct jobs *j);
size_t jobs_running(const struct jobs *j);

/* ------------------------------------------------------------------ one vector for pointers */

#define SYNC_LIST(T)                                                                               \
	struct {                                                                                   \
		T **p;                                                                             \
		size_t n, cap;                                                                     \
	}
void list_add_(void *list, void *item);
void list_del_(void *list, const void *item);
#define LIST_ADD(list, item) list_add_((list), (item))
#define LIST_DEL(list, item) list_del_((list), (item))

/* ------------------------------------------------------------------ places */

enum place_step { PLACE_NEW, PLACE_CONNECTING, PLACE_READING, PLACE_READY, PLACE_DOWN };
struct place {
	struct sync *s;
	char *key;
	struct target *target;
	struct live *live;
	enum place_step step;
	struct target_call *call;
	struct timer *timer;
	unsigned fails;
	msec down_since; /* wall clock; 0: it answers */
	msec compared_at; /* monotonic: when everything was last listed anew */
	bool told;       /* target.unreachable is open */
	char *why;       /* of DOWN */
	struct arena *arena; /* of records */
	const struct target_record *records; /* as read at the start: of every App of this instance */
	size_t records_n;
	size_t users;
};
MUST_CHECK struct err *place_get(struct sync *s, const struct app_target *where, struct place **ret);
void place_put(struct place *p); /* one user less */
const struct target_record *place_record(const struct place *p, str app); /* NULL: none */
void place_free(struct place *p);
void place_connect(struct place *p);
/* Everything that is watched is listed anew: the net below the watches. Not twice within `most`. */
void place_compare(struct place *p, msec most);

/* ------------------------------------------------------------------ sources */

enum source_step { SOURCE_REST, SOURCE_FETCH, SOURCE_VERIFY };
struct poll_group;
struct source_run {
	struct sync *s;
	const struct source *doc;
	char *name;
	struct poll_group *group;
	struct arena *arena; /* of trust */
	struct store_trust trust;
	enum source_step step;
	struct source_try *attempt; /* NULL: at rest */
	bool restored;        /* trust was read, targets' records too where it had to be */
	bool tried;           /* a poll came to an end, good or bad */
	bool suspended;       /* by the document or a person */
	bool fetch_accepted;  /* the object store has lost the accepted commit */
	bool stalled;         /* a credential or a ref is wrong: see why */
	unsigned fetched;     /* since packs were counted */
	bool moved;           /* another tip was named while one is judged */
	bool untrusted;       /* the accepted commit's key is trusted no more */
	struct hash refused_digest; /* of the signers when the tip was refused */
	char refetched[SYNC_MAX_HEX + 1]; /* the accepted commit that was fetched once more */
	char tip[SYNC_MAX_HEX + 1]; /* that the remote named last */
	char tip_ref[256];
	msec polled_at, failing_since; /* wall clock; 0: never, it answers */
	bool told_down;
	enum err_code why_code;
	char *why; /* the last failure */
	SYNC_LIST(struct source_wait) waits; /* who asked to be told when it has settled */
};
struct source_wait {
	void (*fn)(void *arg, struct source_run *r);
	void *arg;
};
MUST_CHECK struct err *source_new(struct sync *s, const struct source *doc, struct source_run **ret);
void source_free(struct source_run *r);
void source_over(struct source_run *r); /* its document went: what was told of it is over */
void source_config(struct source_run *r, const struct source *doc);
void source_begin(struct source_run *r); /* targets are known, as far as needed: polls start */
void source_poll(struct source_run *r);  /* now */
/* The object store may have lost this commit: fetched anew, once. */
void source_lost(struct source_run *r, str oid);
void source_halt(struct source_run *r);  /* no poll, fetch or verification any more */
bool source_busy(const struct source_run *r);
/* Calls fn once when no poll, fetch or verification is going on after this. */
void source_when_settled(struct source_run *r, void (*fn)(void *arg, struct source_run *r), void *arg);
void source_unwait(struct source_run *r, void *arg);
/* The offered tip is this commit (or begins so), and nobody has allowed it. */
bool source_is_refused(const struct source_run *r, str oid);
MUST_CHECK struct err *source_allow(struct source_run *r, str commit, str by, str reason);
/* "Refused", "Suspended", "Stalled", "Progressing" or "Ready". */
const char *source_state(const struct source_run *r);
/* For poll.c: what the remote names, or why it does not; the end of a round without news. */
void source_tip(struct source_run *r, str oid, str ref);
void source_failed(struct source_run *r, struct err *e); /* takes e */
void source_settle(struct source_run *r);
/* url, credentials, certificates into *j; texts are the arena's. */
MUST_CHECK struct err *source_credentials(const struct source_run *r, struct arena *a,
					  struct job_fetch *j);
void poll_join(struct source_run *r);
void poll_leave(struct source_run *r);
bool poll_busy(const struct poll_group *g);
msec poll_next(const struct poll_group *g); /* wall clock; 0: not set */
void polls_free(struct sync *s);

/* ------------------------------------------------------------------ rollouts */

/* What one accepted revision of one source sets off. */
struct rollout {
	struct source_run *source;
	size_t users;   /* runs that hold it */
	size_t unplanned; /* runs that are not past plan: deletions wait for them */
	SYNC_LIST(struct run) runs; /* those that wait to prune */
};

/* ------------------------------------------------------------------ apps */

/* What a revision renders to; shared by an App and the runs that look at it. */
struct rendering {
	size_t users;
	char rev[SYNC_MAX_HEX + 1];
	struct wants *wants; /* its arena holds the read set too */
	struct job_seen *seen;
	size_t seen_n;
	struct hash tree; /* over identities and digests */
};
static inline struct rendering *rendering_get(struct rendering *r)
{
	r->users++;
	return r;
}
void rendering_put(struct rendering *r); /* NULL is fine */

enum app_state { APP_NEW, APP_SYNCED, APP_PROGRESSING, APP_FAILED, APP_WAITING, APP_SUSPENDED, APP_STALLED };
struct app_run {
	struct sync *s;
	const struct app *doc;
	char *name;
	struct source_run *source;
	struct place *place;
	struct live_app *live;

	struct arena *inv_arena;
	struct inventory *inv; /* NULL: not read yet */
	bool restored;         /* live was told what there should be */
	bool complete;         /* live knows all that there is */

	struct rendering *now; /* in force: what should be; NULL: nothing rendered yet */
	struct hash stored;    /* tree of the rendering that history has last */
	char rev[SYNC_MAX_HEX + 1];      /* revision in force: that of now, or one that touches nothing */
	char tried[SYNC_MAX_HEX + 1];    /* of FAILED: the revision that failed */
	char synced[SYNC_MAX_HEX + 1];   /* the last that was applied */
	char healthy[SYNC_MAX_HEX + 1];  /* the last that was healthy */
	msec synced_at, healthy_at;

	enum app_state state;
	char *reason, *message, *release; /* of FAILED, WAITING, STALLED */
	msec since;
	char plan_id[65];      /* of WAITING */
	char *first_cause;     /* JSON; of FAILED */
	unsigned fails;
	bool suspended;
	bool other_cluster;

	struct run *run;       /* what is going on; NULL: at rest */
	bool again;            /* something came meanwhile: run once more */
	const char *again_by;
	char again_person[64];
	bool again_force;
	struct timer *timer;   /* interval or retry */
	msec next_at;          /* wall clock; 0: not set */
	SYNC_LIST(struct heal_run) heals;
	struct target_call *compare; /* a folder is read anew, some files at a time */
	size_t compared;
	bool going; /* its document is gone: everything of it is deleted, then it is */
};
MUST_CHECK struct err *app_new(struct sync *s, const struct app *doc, struct app_run **ret);
void app_free(struct app_run *a);
void app_config(struct app_run *a, const struct app *doc);
/* The place is ready, its records are read. */
void app_place_ready(struct app_run *a);
/* Sync as soon as may be. by: "push", "interval", "drift", or a person's name. */
void app_sync(struct app_run *a, const char *by, bool force, struct rollout *ro);
/* The revision moved on and touches nothing of this App. */
void app_moved(struct app_run *a, str rev);
void app_set_state(struct app_run *a, enum app_state st, const char *reason, const char *message,
		   const char *release);
void app_set_suspended(struct app_run *a); /* with who and why */
void app_rest(struct app_run *a, bool failed); /* sets the timer of the next pass */
const char *app_state_name(enum app_state st);
void app_live_drift(void *arg, struct live_app *la, const struct live_drift *d);
void app_live_gone(void *arg, struct live_app *la, obj_id id);
void app_live_health(void *arg, struct live_app *la, obj_id id, const struct health *was,
		     const struct health *now);
void app_live_complete(void *arg, struct live_app *la);
/* Once, when the first rendering is there: the watches begin. */
MUST_CHECK struct err *app_restore(struct app_run *a, struct rendering *x);
size_t app_heal_all(struct app_run *a); /* a person asked: how many objects */
void app_heal_open(struct app_run *a);  /* a sync is over: what drifted during it */
void app_gone(struct app_run *a);       /* everything of it is deleted */
void app_remove(struct app_run *a);     /* its document is gone: as deletionPolicy says */
struct live_drift;
str drift_message(struct arena *a, const struct live_drift *d);
void sync_reap(struct app_run *a); /* freed in the next turn */
void asks_forget(struct app_run *a); /* dry runs of it end: the App goes */
bool app_depends_ready(struct app_run *a, struct run *r, str *why, struct arena *scratch);

/* ------------------------------------------------------------------ one sync */

/* Rows of the table of steps. */
#define SYNC_STEPS(X) X(render) X(know) X(look) X(plan) X(depend) X(apply) X(record)
enum run_step {
#define X(name) RUN_##name,
	SYNC_STEPS(X)
#undef X
	RUN_END
};
struct run {
	struct app_run *app;
	struct rollout *rollout;
	enum run_step step;
	bool started_step;       /* the step has begun and waits */
	struct arena *arena;     /* what this sync computes */
	char rev[SYNC_MAX_HEX + 1], from[SYNC_MAX_HEX + 1];
	char by[64];
	bool force;              /* compare everything */
	bool dry;                /* plan only: for people */
	msec started, started_mono;

	struct rendering *new;   /* what is planned: rendered anew, or the App's */
	struct gather *gather;   /* what the render worker has told so far */
	bool returning;          /* to a tree that was live before */

	struct job *job;
	struct target_call *call;
	struct timer *timer;
	struct sight *sights;    /* what the target answered, by identity */
	size_t sights_n, sights_cap;
	uint32_t *sight_index;
	size_t sight_index_cap;
	unsigned rounds;
	const struct plan *plan;
	bool *was_drifted;       /* by step: its drift was open when the plan was made */
	bool planned;            /* told to the rollout */
	struct apply *apply;
	bool ok; /* apply ended; first: the first cause */
	const struct apply_step *first;
	uint64_t depends_seen; /* objects depended on that were seen healthy, by index */
	uint64_t journal;
	bool row;                /* history has a row of this */
	struct store_sync h;
	bool look_waits;         /* for what other Apps of this place render to */
	bool prune_waits;

	/* dry */
	void (*done)(void *arg, struct run *r, struct err *e);
	void *arg;
};
struct run *run_new(struct app_run *a, str rev, const char *by, bool force, struct rollout *ro);
/* A plan for people: nothing is written. rev empty: what is in force. done once, from the loop. */
struct run *run_dry(struct app_run *a, str rev, bool force,
		    void (*done)(void *arg, struct run *r, struct err *e), void *arg);
void run_go(struct run *r);
/* Drops it. What history has open ends as `outcome`. */
void run_drop(struct run *r, enum store_outcome outcome);
const char *run_step_name(enum run_step st);
void run_rendered(struct run *r, struct err *e); /* from render.c; takes e */
/* render.c */
MUST_CHECK struct err *render_start(struct run *r);
MUST_CHECK struct err *render_finish(struct run *r); /* gather becomes r->new */
void gather_free(struct gather *g);
struct hash wants_tree(const struct wants *w);
MUST_CHECK struct err *rendering_store(struct sync *s, str app, const struct rendering *x);
void rollout_put(struct rollout *ro);

/* ------------------------------------------------------------------ telling */

struct tell {
	enum event_kind kind;
	int severity; /* -1: the row's */
	str app, source, revision, message, release;
	const obj_id *object;
	str object_version, object_uid;
	str class, action, mode;
	const struct event_field *fields;
	size_t fields_n;
	const struct node_pair *more;
	size_t more_n;
	const struct node *notes;
};
/* Through notify; a failure is logged and remembered (Storage). */
void tell(struct sync *s, const struct tell *t);
/* more: further members, each with a comma before it. */
void tell_progress(struct app_run *a, const struct run *r, const char *stage, str more);

/* ------------------------------------------------------------------ JSON (interface.md 5) */

/* The envelope, open. A key brings its comma; what is empty or 0 is left out but for numbers. */
void show_begin(struct sync *s, struct buf *b, const char *kind);
void show_str(struct buf *b, const char *k, str v);
void show_text(struct buf *b, const char *k, const char *v);
void show_num(struct buf *b, const char *k, uint64_t v);
void show_bool(struct buf *b, const char *k, bool v);
void show_time(struct buf *b, const char *k, msec t);
void show_seconds(struct buf *b, const char *k, msec d);
void show_raw(struct buf *b, const char *k, str json);
void show_node(struct buf *b, const char *k, const struct node *n);
void show_open(struct buf *b, const char *k, char c);
void show_next(struct buf *b); /* between the elements of a list */
/* {group, version, kind, namespace, name, uid}; what is empty is left out. */
void show_object(struct buf *b, obj_id id, str version, str uid);
void show_revision(struct sync *s, struct buf *b, const char *k, str source, str oid, msec at);
void show_source(struct sync *s, struct buf *b, const struct source_run *r, bool whole);
void show_app(struct sync *s, struct buf *b, const struct app_run *r, bool whole);
void show_sync(struct sync *s, struct buf *b, const struct store_sync *h, bool steps);
void show_sync_members(struct sync *s, struct buf *b, const struct store_sync *h, bool steps);
void show_origin(struct buf *b, str file, uint32_t line, str commit, str signer);
void show_writer(struct buf *b, str manager, str operation, str subresource, str last_active);
void show_event_field(struct buf *b, const struct event_field *f, msec since);
void show_plan_field(struct arena *a, struct buf *b, const struct plan_field *f);
int outcome_exit(enum store_outcome o);

/* ------------------------------------------------------------------ questions */

/* One that was asked; ends with ask_answer or ask_fail, once. */
struct sync_asked {
	struct sync *s;
	struct arena *arena;
	enum sync_verb verb;
	str name;
	const struct node *args;
	struct sync_caller caller;
	void (*fn)(void *arg, const struct sync_answer *a);
	void *arg;
	struct buf b; /* the answer */
	unsigned status;
	int exit;
	struct timer *timer;
	struct run *run;          /* a plan that is made for it */
	struct target_call *call;
	msec began;               /* monotonic */
	struct app_run *app;      /* that it is about */
	struct source_run *source;
	uint64_t number;          /* of the App's last sync when it was asked */
	int stage;                /* of those that wait */
	const struct want *want;  /* why */
	struct rendering *of;
};
/* b is complete but for its closing brace. */
void ask_answer(struct sync_asked *q, int exit);
void ask_fail(struct sync_asked *q, unsigned status, struct err *e); /* takes e */
str ask_text(const struct sync_asked *q, const char *k); /* empty: not given */
bool ask_flag(const struct sync_asked *q, const char *k);
uint64_t ask_num(const struct sync_asked *q, const char *k, uint64_t otherwise);
/* compare.c */
void ask_plan(struct sync_asked *q);
void ask_diff(struct sync_asked *q);
void ask_why(struct sync_asked *q);
void ask_export(struct sync_asked *q);
void ask_graph(struct sync_asked *q);
/* wait.c */
void ask_wait(struct sync_asked *q);
bool wait_look(struct sync_asked *q); /* true: it was answered */

/* ------------------------------------------------------------------ what a person decided */

struct suspension {
	str by, reason;
	msec since, until; /* until 0: until `resume` */
};
/* what: "app" or "source". False: none. */
bool suspension_get(struct sync *s, struct arena *a, const char *what, const char *name,
		    struct suspension *ret);
MUST_CHECK struct err *suspension_put(struct sync *s, const char *what, const char *name,
				      const struct suspension *v);
MUST_CHECK struct err *suspension_del(struct sync *s, const char *what, const char *name);

/* Those that are over end; those that began or ended take effect. */
void suspensions_look(struct sync *s);

/* ------------------------------------------------------------------ the engine */

struct sync {
	struct loop *loop;
	struct log *log;
	struct metrics *metrics;
	char **paths;
	size_t paths_n;
	char *libexec;
	bool shadow, once;

	struct config *config;
	struct store *store;
	struct http *http;
	struct notify *notify;
	struct jobs *jobs;
	struct live_store live_store;
	char *instance, *holder;
	struct arena *baseline_arena; /* of the last answer of live_store.get */

	SYNC_LIST(struct place) places;
	SYNC_LIST(struct poll_group) polls;
	SYNC_LIST(struct source_run) sources;
	SYNC_LIST(struct app_run) apps;
	SYNC_LIST(struct sync_listener) listeners;
	SYNC_LIST(struct sync_asked) asked;
	SYNC_LIST(struct watch_path) watches;

	uint64_t generation;      /* of the documents in force */
	uint64_t bad_generation;  /* of refused ones; 0: none */
	struct err *bad;          /* why they were refused */
	struct timer *reload_timer, *changed_timer, *prune_timer,
		*reap_timer, *app_reap_timer, *stop_timer, *suspend_timer;
	SYNC_LIST(struct app_run) gone_apps;
	SYNC_LIST(struct config) old_configs; /* an App that is being deleted still reads its document */
	msec stop_since;
	struct worker_sandbox sandbox;
	bool sandbox_known;
	bool started, stopping, failed_storage;
	msec started_at;
	void (*stopped)(void *arg);
	void *stopped_arg;
	int once_status;
};
struct app_run *sync_app(const struct sync *s, str name);          /* NULL: none */
struct source_run *sync_source(const struct sync *s, str name);
/* Something changed that somebody may wait for: waits are looked at in the next turn. */
void sync_changed(struct sync *s);
void asks_look(struct sync *s); /* from the loop */
void asks_free(struct sync *s);
void once_look(struct sync *s);
/* changes (may be NULL): the items of a Reload document. */
MUST_CHECK struct err *engine_reload(struct sync *s, struct buf *changes);

/* Small things. */
char *text_dup(str s);
void text_set(char **p, str s);      /* frees what was there; empty: NULL */
void hex_set(char ret[SYNC_MAX_HEX + 1], str hex);
str short_id(str oid);               /* the first 7 digits */
const struct node *json_read(struct arena *a, str text); /* NULL: it is none */
