/* sync: the engine: sources are polled, tips verified, Apps rendered, planned, applied, settled, pruned,
 * recorded; drift is told and healed. Rollouts and syncs are tables of steps that can be dropped at any
 * step (design.md 1.5).
 *
 * One `struct sync` a daemon. Whoever shows things to people or takes their orders (web: control
 * socket, HTTP) goes through sync_ask: one entry for all verbs, answered with the JSON documents of
 * interface.md 5. Nothing here blocks; sync_ask answers later from the loop, or never out of the call.
 *
 * Order: sync_new (documents read, state opened) -> sync_start -> loop -> sync_stop -> sync_free. */
#pragma once
#include "leeboard/config.h"
#include "leeboard/event.h"

struct sync;
struct sync_env {
	struct loop *loop;
	struct log *log;
	struct metrics *metrics;
	const char *const *paths; /* documents, as given to `leeboard run` */
	size_t paths_n;
	const char *state_directory; /* NULL: the Daemon's, else the system's or the user's */
	const char *libexec;         /* folder of the worker programs */
	bool shadow;                 /* --shadow: plans and reports, never writes */
	bool once;                   /* --once: stops the loop after every App had its pass */
};
/* Reads the documents (every mistake at once), opens the state directory. */
MUST_CHECK struct err *sync_new(const struct sync_env *env, struct sync **ret);
void sync_free(struct sync *s);
DEFINE_CLEANUP(sync, sync_free)
MUST_CHECK struct err *sync_start(struct sync *s);
/* Drops what is going on between two objects; `done` when the last state is durable. */
void sync_stop(struct sync *s, void (*done)(void *arg), void *arg);
/* Documents again, as on SIGHUP; all or nothing. The answer of the verb `reload` tells what changed. */
void sync_reload(struct sync *s);
const struct config *sync_config(const struct sync *s); /* in force; until the next turn */
str sync_instance(const struct sync *s);
bool sync_ready(const struct sync *s); /* documents read and every source tried once: /readyz */
/* --once: what it came to, an exit status of interface.md 1; valid once the loop was stopped. */
int sync_once_status(const struct sync *s);

/* ------------------------------------------------------------------ verbs */

/* Rows: enumerator, method, path below /api/v1 (N: sync_ask.name), acts, answers with (kind), what it
 * does and takes. Arguments are a map of strings (query parameters) or, acting, the JSON body. */
#define SYNC_ASKS(X)                                                                               \
	X(STATUS, GET, "status", false, "StatusList", "all; q: globs of names, source, problems=1")  \
	X(APP, GET, "apps/N", false, "Status", "one App, with its firstCause, waves, next step")     \
	X(SOURCE, GET, "sources/N", false, "Status", "one Source")                                   \
	X(PLAN, GET, "plan/N", false, "Plan", "what the next sync would do now; rev")                 \
	X(DIFF, GET, "diff/N", false, "Diff", "against live; from, to: two revisions, from the store") \
	X(HISTORY, GET, "history", false, "History", "app, n, since, object, number")                  \
	X(EVENTS, GET, "events", false, "EventList", "since, type, app, failed=1, after, limit")     \
	X(DRIFT, GET, "drift", false, "DriftList", "app, all=1: ignored too")                          \
	X(WHY, GET, "why", false, "Why", "object, namespace, field, app, all=1")                       \
	X(GRAPH, GET, "graph/N", false, "Graph", "waves of the revision in force, with reasons")      \
	X(VERIFY, GET, "verify/N", false, "Verification", "the last commits of a Source as judged")   \
	X(DUMP, GET, "dump/N", false, "Dump", "internals of an App: step, timers, inventory, errors") \
	X(WAIT, GET, "wait", false, "WaitResult",                                                    \
	  "commit, or_newer=1 | app (globs), for=synced|healthy|no-drift|REV; timeout (a duration); " \
	  "answers when it is so, or at its time")                                                    \
	X(VERSION, GET, "version", false, "Version", "version, libraries, sandbox layers")            \
	X(CONFIG, GET, "config", false, "Config", "documents in force, generations, warnings")        \
	X(EXPORT, GET, "export/N", false, "Export", "a patch that makes Git say what drifted live says") \
	X(DO_SYNC, POST, "apps/N/sync", true, "SyncResult",                                          \
	  "poll now, and sync; force_compare, new_target; wait=1: answers at its end")                \
	X(DO_APPROVE, POST, "apps/N/approve", true, "Approval", "plan, reason")                       \
	X(DO_HEAL, POST, "apps/N/heal", true, "SyncResult", "Git's values back over drift, once")     \
	X(DO_SUSPEND_APP, POST, "apps/N/suspend", true, "Status", "reason, for")                      \
	X(DO_RESUME_APP, POST, "apps/N/resume", true, "Status", "")                                   \
	X(DO_POLL, POST, "sources/N/poll", true, "Status", "poll now; wait=1")                        \
	X(DO_ALLOW, POST, "sources/N/allow", true, "Status", "commit, reason")                        \
	X(DO_SUSPEND_SOURCE, POST, "sources/N/suspend", true, "Status", "reason, for")                \
	X(DO_RESUME_SOURCE, POST, "sources/N/resume", true, "Status", "")                             \
	X(DO_RELOAD, POST, "reload", true, "Reload", "documents again: what changed, or all mistakes") \
	X(DO_REDELIVER, POST, "events/N/redeliver", true, "EventList", "sends this event again")
enum sync_verb {
#define X(id, method, path, acts, kind, what) SYNC_##id,
	SYNC_ASKS(X)
#undef X
	SYNC_VERBS
};
struct sync_caller {
	bool local;   /* the control socket; uid is its peer's */
	unsigned uid;
	str person;   /* user name for the record: "ana"; over TCP what the token stands for */
};
struct sync_question {
	enum sync_verb verb;
	str name;                /* of path's N; empty: none */
	const struct node *args; /* a map; NULL: none. Values may be strings, booleans, numbers */
	struct sync_caller caller;
};
struct sync_answer {
	unsigned status; /* as HTTP's: 200; 404 no such App; 409 plan changed, state forbids; 422 bad
			  * argument; 503 not yet known */
	int exit;        /* what a command that asked this exits with (interface.md 1) */
	str json;        /* one line, one document; of an error: {"kind":"Error","errors":[...]} */
};
struct sync_asked;
/* Copies the question. fn once, never out of the call; the handle is gone then. */
void sync_ask(struct sync *s, const struct sync_question *q,
	      void (*fn)(void *arg, const struct sync_answer *a), void *arg, struct sync_asked **ret);
void sync_unask(struct sync_asked *a); /* the asker went away; NULL is fine */

/* Everything that happens, as it happens: durable events (number > 0, as in `events`; json is the CloudEvent), and
 * progress of syncs (number 0, json {"kind":"Progress","app","revision","wave","waves","object",
 * "action","result","message"}), for SSE and for the lines of `leeboard sync`. */
struct sync_listener;
struct sync_listener *sync_listen(struct sync *s,
				  void (*fn)(void *arg, uint64_t number, str name, str json),
				  void *arg);
void sync_unlisten(struct sync_listener *l); /* NULL is fine */

/* A webhook for this Source came in: its raw body and headers, by lower-case name. Checks the
 * signature in constant time. 202 it is a hint to poll, 401, 404. */
unsigned sync_hook(struct sync *s, str source, str body, str (*header)(void *arg, const char *name),
		   void *arg);
/* What /metrics says besides what was counted on the way (gauges of states). */
void sync_metrics(struct sync *s);
