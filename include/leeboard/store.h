/* store: what the daemon remembers on its own disk.
 *
 * One folder, 0700: leeboard.db (SQLite: history, renders, baselines, journal, events, outbox and
 * what else is put), key, trust/<source>.{0,1}, repo/<source>/objects/, cache/, lock. Truth about
 * objects lives at the targets; deleting this folder loses history and costs work, never safety.
 *
 * store_open takes the folder for this process alone. Everything is synchronous and from one thread;
 * each function is one transaction unless it is called between store_begin and store_end. What the
 * journal was told is on disk when the outermost transaction returned, events before any of them goes
 * out, in the same turn of the loop; the rest survives a kill and may lose its last moments in a power
 * failure, never its consistency.
 *
 * Every failure is ERR_STORAGE (disk full, read-only, broken), leaves what was stored as it was, and
 * may be tried again: nothing has to be opened anew when there is room again. Texts that are stored
 * come redacted from the caller (obj_redact under store_key). Results are copied into the arena that
 * is passed; a text that is absent has p NULL. */
#pragma once
#include "leeboard/event.h"

#define STORE_MAX_TRUST (1u << 20)    /* bytes of a trust record */
#define STORE_MAX_TRUST_LIST 4096u    /* allowed, denied, first seen: entries each */
#define STORE_MAX_VALUE (256u << 20)  /* bytes of one stored text */
#define STORE_KEEP_SYNCS 50u          /* the last syncs of an App stay, with their renders */
#define STORE_PAGE 100u               /* rows of a query that names no limit */
#define STORE_MAX_PAGE 1000u

struct store;
/* Makes what is missing. ERR_STORAGE "'/var/lib/leeboard' is already used by process 812" when
 * another one has it. A damaged database is moved aside (leeboard.db.corrupt-TIME) and a new one
 * begun; one of a newer leeboard is refused. What was found wrong and mended is a warning. */
MUST_CHECK struct err *store_open(const char *dir, struct store **ret);
void store_close(struct store *s); /* NULL is fine */
DEFINE_CLEANUP(store, store_close)
/* Sentences for the log, for as long as s lives. */
const str *store_warnings(const struct store *s, size_t *n);
const char *store_dir(const struct store *s);
/* The storage key (design.md 7), 32 bytes. A lost one was made anew and the baselines were voided:
 * store_warnings says so. */
const uint8_t *store_key(const struct store *s);
/* <dir>/repo/<source>/objects, <dir>/cache: made when missing. */
MUST_CHECK struct err *store_repo_path(struct store *s, struct arena *a, str source, str *ret);
MUST_CHECK struct err *store_cache_path(struct store *s, struct arena *a, str *ret);

/* ------------------------------------------------------------------ transactions */

/* They nest; the outermost store_end decides. store_end(s, NULL) commits; with an error it undoes
 * everything since the outermost begin and hands the error back. Use:
 *	TRY(store_begin(s));
 *	return store_end(s, several_things(s)); */
MUST_CHECK struct err *store_begin(struct store *s);
MUST_CHECK struct err *store_end(struct store *s, struct err *e);

/* ------------------------------------------------------------------ trust records */

/* What was accepted of one source, durable before anything is rendered (spec/trust.md 7). Two files,
 * written in turn, each checked by a hash: damage to one leaves the other. */
struct store_noted {
	str oid;
	msec at;
	str by, reason; /* of allowed ones */
};
struct store_trust {
	str source, ref, url;
	str accepted_oid, accepted_tree;
	msec accepted_at;
	uint64_t generation; /* of the accepted commit: only grows */
	str verify_mode, policy_digest, trust_digest, introduction;
	str signer, key; /* of the accepted commit; empty: not verified */
	str seen_oid;    /* the tip that the remote last named */
	msec seen_at;
	str offered_oid, refused_reason, refused_message; /* the tip that is held, and why */
	msec offered_at;
	str tag_name, tag_oid, highest_version;
	const struct store_noted *allowed; /* commits that a person let pass */
	size_t allowed_n;
	const str *denied; /* payload digests */
	size_t denied_n;
	const struct store_noted *first_seen;
	size_t first_seen_n;
};
enum store_trust_found {
	STORE_TRUST_NONE,  /* the source is new */
	STORE_TRUST_OK,    /* the newest that was written */
	STORE_TRUST_OLDER, /* the newest is damaged: the one before it */
	STORE_TRUST_LOST   /* there was one, and nothing of it can be read: as new, and say so */
};
/* ERR_STORAGE: cannot be read at all, or written by a newer leeboard: hold. *ret is zeroed for NONE
 * and LOST. */
MUST_CHECK struct err *store_trust_get(struct store *s, struct arena *a, str source,
				       struct store_trust *ret, enum store_trust_found *found);
/* Durable when it returns NULL; else the one before is still there. ERR_INVALID when the generation
 * would go back. */
MUST_CHECK struct err *store_trust_put(struct store *s, const struct store_trust *t);
MUST_CHECK struct err *store_trust_del(struct store *s, str source); /* the source is gone */
/* The file format, for fuzzing. ERR_INVALID: damaged; ERR_NOT_SUPPORTED: of a newer leeboard. */
void store_trust_print(const struct store_trust *t, uint64_t serial, struct buf *b);
MUST_CHECK struct err *store_trust_parse(struct arena *a, str bytes, uint64_t *serial,
					 struct store_trust *ret);

/* ------------------------------------------------------------------ key and value */

/* Suspensions, approvals, pins, plans, read sets, state of an app: a text by (space, key). */
MUST_CHECK struct err *store_put(struct store *s, str space, str key, str value);
MUST_CHECK struct err *store_get(struct store *s, struct arena *a, str space, str key, str *ret);
MUST_CHECK struct err *store_del(struct store *s, str space, str key); /* absent is fine */
/* By key, bytewise. fn must not write to the store; its error ends the walk and is returned. */
MUST_CHECK struct err *store_each(struct store *s, str space,
				  struct err *(*fn)(void *arg, str key, str value), void *arg);

/* ------------------------------------------------------------------ commits */

struct store_commit {
	str source, oid, subject, author_name, author_email;
	msec committed; /* the committer's time, claimed */
	str signer, key, verdict; /* verdict: "Good", "Unsigned" (trust.h) */
	msec first_seen, accepted; /* accepted 0: not */
};
struct store_commits {
	struct store_commit *p;
	size_t n, cap;
};
/* Adds, or replaces all but first_seen; accepted 0 keeps the time that is stored. */
MUST_CHECK struct err *store_commit_put(struct store *s, const struct store_commit *c);
/* oid may be cut to at least 4 digits. ret->oid.p NULL: none; ERR_USAGE: several. */
MUST_CHECK struct err *store_commit_get(struct store *s, struct arena *a, str source, str oid,
					struct store_commit *ret);
/* Newest acceptance first. */
MUST_CHECK struct err *store_commit_list(struct store *s, struct arena *a, str source, size_t most,
					 struct store_commits *ret);

/* ------------------------------------------------------------------ history */

/* Rows: enumerator, word (interface.md 5). */
#define STORE_OUTCOMES(X)                                                                          \
	X(STORE_RUNNING, "running")                                                                \
	X(STORE_HEALTHY, "healthy")                                                                \
	X(STORE_FAILED, "failed")                                                                  \
	X(STORE_REFUSED, "refused")                                                                \
	X(STORE_SUPERSEDED, "superseded")                                                          \
	X(STORE_ROLLEDBACK, "rolledback")                                                          \
	X(STORE_WAITING, "waiting")
enum store_outcome {
#define X(id, name) id,
	STORE_OUTCOMES(X)
#undef X
};
const char *store_outcome_name(enum store_outcome o);
bool store_outcome_from_name(str name, enum store_outcome *ret);

struct store_sync {
	str app, source;
	uint64_t number; /* from 1 for each app; store_sync_begin counts */
	str revision, from;
	enum store_outcome outcome;
	uint64_t created, changed, deleted, unchanged, requests, writes;
	msec started, took;
	str by;          /* push, interval, drift, or a person's name */
	str plan;        /* id */
	str first_cause; /* JSON, or absent */
	str detail;      /* JSON: changed objects and fields, redacted */
	const str *objects; /* identities that it wrote or deleted: for queries. Not read back */
	size_t objects_n;
	/* Read back only: of the revision, when its commit is stored. */
	str subject, author_name, author_email, signer, key;
	uint64_t cursor; /* for store_sync_query.before */
};
struct store_syncs {
	struct store_sync *p;
	size_t n, cap;
};
/* A running one; sets row->number. */
MUST_CHECK struct err *store_sync_begin(struct store *s, struct store_sync *row);
/* All of it, by app and number. */
MUST_CHECK struct err *store_sync_end(struct store *s, const struct store_sync *row);
struct store_sync_query {
	str app;    /* empty: of all apps */
	msec since; /* started at or after */
	str object; /* an identity (obj_id_text) that it touched; empty: any */
	uint64_t number; /* 0: any */
	uint64_t before; /* the last row's cursor of the page before; 0: the newest */
	bool running;    /* only those that never ended: after a crash the caller ends them */
	bool healthy;    /* only healthy ones */
	size_t most;     /* 0: STORE_PAGE */
};
/* Newest first. */
MUST_CHECK struct err *store_sync_list(struct store *s, struct arena *a,
				       const struct store_sync_query *q, struct store_syncs *ret);

/* ------------------------------------------------------------------ renders */

/* What an app was at a revision, for `diff`, `why` and restarts. json must be redacted; the digest is
 * of the object as it was sent. Equal texts are stored once. Replaces what was there. */
MUST_CHECK struct err *store_render_put(struct store *s, str app, str revision,
					const struct wants *w);
/* In the order of rendering; NULL: not stored (any more). */
MUST_CHECK struct err *store_render_get(struct store *s, str app, str revision,
					struct wants **ret);
/* ret->json.p NULL: not in it. */
MUST_CHECK struct err *store_render_one(struct store *s, struct arena *a, str app, str revision,
					obj_id id, struct want *ret);
MUST_CHECK struct err *store_render_has(struct store *s, str app, str revision, bool *ret);

/* ------------------------------------------------------------------ baselines */

struct store_baseline {
	obj_id id;
	str version, uid;
	struct hash applied; /* digest of what we sent */
	struct hash live;    /* of what the target then held, along our fields */
	str json;            /* what it answered, along our fields, redacted; may be empty */
	str revision;
	msec at;
};
/* One transaction; adds or replaces. */
MUST_CHECK struct err *store_baseline_put(struct store *s, str app, const struct store_baseline *b,
					  size_t n);
/* ret->json.p NULL: none. */
MUST_CHECK struct err *store_baseline_get(struct store *s, struct arena *a, str app, obj_id id,
					  struct store_baseline *ret);
/* By identity; borrowed for the call. fn must not write to the store. */
MUST_CHECK struct err *store_baseline_each(struct store *s, str app,
					   struct err *(*fn)(void *arg,
							     const struct store_baseline *b),
					   void *arg);
MUST_CHECK struct err *store_baseline_del(struct store *s, str app, const obj_id *ids, size_t n);
MUST_CHECK struct err *store_baseline_clear(struct store *s, str app);

/* ------------------------------------------------------------------ journal */

/* What a wave is about to do, on disk before it does it. */
struct store_wave {
	uint64_t id;
	str app, plan, revision;
	uint32_t wave;
	str steps; /* JSON */
	msec at;
};
struct store_waves {
	struct store_wave *p;
	size_t n, cap;
};
MUST_CHECK struct err *store_journal_begin(struct store *s, const struct store_wave *w,
					   uint64_t *id);
MUST_CHECK struct err *store_journal_end(struct store *s, uint64_t id);
/* Those that never ended, oldest first: at start-up. */
MUST_CHECK struct err *store_journal_open(struct store *s, struct arena *a,
					  struct store_waves *ret);

/* ------------------------------------------------------------------ events */

/* The outbox for `notify`; lives as long as s. */
const struct event_outbox *store_outbox(struct store *s);

struct store_event_query {
	str type;  /* a glob over names: "drift.*"; empty: all */
	str app, source, incident;
	msec since;
	uint64_t after;  /* numbers above this, oldest first: a stream that goes on */
	uint64_t before; /* numbers below this, newest first: the page before. Neither: newest first */
	bool forward;    /* oldest first, though after is 0 */
	bool failed;     /* only those with a delivery that failed or was dropped */
	size_t most;     /* 0: STORE_PAGE */
};
struct store_events {
	struct event_kept *p;
	size_t n, cap;
};
MUST_CHECK struct err *store_event_list(struct store *s, struct arena *a,
					const struct store_event_query *q,
					struct store_events *ret);
/* The number of an id (SSE's Last-Event-ID); 0: not known (any more). */
MUST_CHECK struct err *store_event_number(struct store *s, str id, uint64_t *ret);
/* Of one event, by receiver: pending, done, dropped; `event` is not filled in. */
MUST_CHECK struct err *store_event_deliveries(struct store *s, struct arena *a, uint64_t number,
					      struct event_deliveries *ret);
/* Sends an event again to all that it ever went or should have gone to: how many. ERR_NOT_FOUND. */
MUST_CHECK struct err *store_event_redeliver(struct store *s, str id, msec now, size_t *ret);

/* ------------------------------------------------------------------ keeping it small */

/* Forgets what is older than `keep` and needed by nothing (history.keep; the last STORE_KEEP_SYNCS of
 * each app stay, undelivered events and open incidents too), in small steps: *more says to call again,
 * in a later turn of the loop. */
MUST_CHECK struct err *store_prune(struct store *s, msec now, msec keep, bool *more);
