/* event: what leeboard tells people: the table of events, their JSON, and incidents.
 *
 * An event is made in an arena, goes to the log, to history and through the outbox to receivers. A
 * raise opens an incident and its resolve closes it; in between the same raise is not said again
 * (repeats are the outbox's business). Values of Secrets never get here: whoever fills in fields
 * passes redacted ones (obj_redact, `redacted`).
 *
 * Shapes: CloudEvents 1.0 structured mode (github.com/cloudevents/spec, v1.0.2, JSON format), Flux's
 * notification Event (its event API v1beta1), and text of at most 13 lines for chats. */
#pragma once
#include "leeboard/object.h"

enum event_severity { EVENT_INFO, EVENT_WARN, EVENT_ERROR };
const char *event_severity_name(enum event_severity s);
bool event_severity_from_name(str name, enum event_severity *ret);

enum event_role { EVENT_NOTE, EVENT_RAISE, EVENT_RESOLVE };

/* Rows: enumerator, name, severity, role, what it resolves (a note and a raise: themselves), words for
 * chats, meaning. */
#define EVENTS(X)                                                                                  \
	X(SOURCE_ACCEPTED, "source.accepted", INFO, NOTE, SOURCE_ACCEPTED, "✔ Accepted",           \
	  "A tip became the accepted commit.")                                                     \
	X(SOURCE_REFUSED, "source.refused", WARN, RAISE, SOURCE_REFUSED, "■ Refused",              \
	  "A tip is not believed; the accepted commit stays live.")                                \
	X(SOURCE_RELEASED, "source.released", INFO, RESOLVE, SOURCE_REFUSED, "↳ Released",         \
	  "A later tip was accepted, or a person allowed the refused one.")                        \
	X(SOURCE_UNTRUSTED, "source.untrusted", ERROR, RAISE, SOURCE_UNTRUSTED, "■ Untrusted",     \
	  "The key that signed the live commit was removed or revoked.")                           \
	X(SOURCE_TRUSTED, "source.trusted", INFO, RESOLVE, SOURCE_UNTRUSTED, "↳ Trusted again",    \
	  "The live commit is signed by a trusted key again.")                                     \
	X(SOURCE_UNREACHABLE, "source.unreachable", WARN, RAISE, SOURCE_UNREACHABLE, "✖ Unreachable", \
	  "The remote does not answer.")                                                           \
	X(SOURCE_STALE, "source.stale", WARN, RAISE, SOURCE_STALE, "● Stale",                      \
	  "The tip is older than the policy allows.")                                              \
	X(SOURCE_RECOVERED, "source.recovered", INFO, RESOLVE, SOURCE_UNREACHABLE, "↳ Recovered",  \
	  "The remote answers again, or has a fresh tip.")                                         \
	X(SYNC_STARTED, "sync.started", INFO, NOTE, SYNC_STARTED, "… Started",                     \
	  "A sync began to write.")                                                                \
	X(SYNC_FINISHED, "sync.finished", INFO, NOTE, SYNC_FINISHED, "✔ Deployed",                 \
	  "A revision is live and healthy, and something changed.")                                \
	X(SYNC_FAILED, "sync.failed", ERROR, RAISE, SYNC_FAILED, "✖ Failed",                       \
	  "The sync of a revision failed; see firstCause.")                                        \
	X(SYNC_RECOVERED, "sync.recovered", INFO, RESOLVE, SYNC_FAILED, "↳ Recovered",             \
	  "A sync succeeded after a failed one.")                                                  \
	X(SYNC_WAITING, "sync.waiting", WARN, RAISE, SYNC_WAITING, "‖ Waiting",                    \
	  "A plan waits for a person or a window.")                                                \
	X(SYNC_RELEASED, "sync.released", INFO, RESOLVE, SYNC_WAITING, "↳ Released",               \
	  "The plan was approved, superseded, or its window opened.")                              \
	X(SYNC_ROLLEDBACK, "sync.rolledback", INFO, NOTE, SYNC_ROLLEDBACK, "↺ Rolled back",        \
	  "An earlier state is live again; severity by who did it.")                               \
	X(HEALTH_DEGRADED, "health.degraded", ERROR, RAISE, HEALTH_DEGRADED, "✖ Degraded",         \
	  "An object became unwell without a sync.")                                               \
	X(HEALTH_RECOVERED, "health.recovered", INFO, RESOLVE, HEALTH_DEGRADED, "↳ Recovered",     \
	  "The object is well again.")                                                             \
	X(DRIFT_FOUND, "drift.found", WARN, RAISE, DRIFT_FOUND, "● Drift",                         \
	  "Live state left the last applied state; see fields.")                                   \
	X(DRIFT_HEALED, "drift.healed", INFO, RESOLVE, DRIFT_FOUND, "↳ Drift healed",              \
	  "We wrote Git's value back.")                                                            \
	X(DRIFT_GONE, "drift.gone", INFO, RESOLVE, DRIFT_FOUND, "↳ Drift undone",                  \
	  "Others undid the drift.")                                                               \
	X(DRIFT_ADOPTED, "drift.adopted", INFO, RESOLVE, DRIFT_FOUND, "↳ Drift adopted",           \
	  "Git now says what live says.")                                                          \
	X(DRIFT_OVERWRITTEN, "drift.overwritten", INFO, RESOLVE, DRIFT_FOUND, "↳ Drift overwritten", \
	  "A commit wrote the object and restored the drifted fields.")                            \
	X(DRIFT_FIGHT, "drift.fight", ERROR, RAISE, DRIFT_FIGHT, "✖ Fight",                        \
	  "Another writer changes the same field again and again.")                                \
	X(DRIFT_SETTLED, "drift.settled", INFO, RESOLVE, DRIFT_FIGHT, "↳ Fight settled",           \
	  "The fight is over.")                                                                    \
	X(APP_ORPHANED, "app.orphaned", WARN, RAISE, APP_ORPHANED, "● Orphaned",                   \
	  "An app went and its objects stay.")                                                     \
	X(APP_CONFLICT, "app.conflict", WARN, RAISE, APP_CONFLICT, "● Conflict",                   \
	  "Two apps, or two engines, claim one object.")                                           \
	X(APP_SETTLED, "app.settled", INFO, RESOLVE, APP_CONFLICT, "↳ Settled",                    \
	  "The claim is settled.")                                                                 \
	X(HOLD_STARTED, "hold.started", INFO, NOTE, HOLD_STARTED, "‖ Held",                        \
	  "A person asked for no writes to an object.")                                            \
	X(HOLD_ENDED, "hold.ended", INFO, NOTE, HOLD_ENDED, "↳ Hold ended",                        \
	  "A person ended a hold.")                                                                \
	X(HOLD_EXPIRED, "hold.expired", WARN, NOTE, HOLD_EXPIRED, "● Hold expired",                \
	  "A hold's time is over.")                                                                \
	X(SUSPEND_STARTED, "suspend.started", INFO, NOTE, SUSPEND_STARTED, "‖ Suspended",          \
	  "A person asked for no syncs.")                                                          \
	X(SUSPEND_REMINDER, "suspend.reminder", WARN, NOTE, SUSPEND_REMINDER, "‖ Still suspended", \
	  "A suspension without an end goes on.")                                                  \
	X(SUSPEND_ENDED, "suspend.ended", INFO, NOTE, SUSPEND_ENDED, "↳ Resumed",                  \
	  "Syncs go on.")                                                                          \
	X(PERSON_APPROVED, "person.approved", INFO, NOTE, PERSON_APPROVED, "✔ Approved",           \
	  "A person approved a plan.")                                                             \
	X(PERSON_ALLOWED, "person.allowed", WARN, NOTE, PERSON_ALLOWED, "● Allowed",               \
	  "A person let a refused commit pass.")                                                   \
	X(CONFIG_REFUSED, "config.refused", ERROR, RAISE, CONFIG_REFUSED, "■ Documents refused",   \
	  "New documents are wrong; the old ones stay in force.")                                  \
	X(CONFIG_ACCEPTED, "config.accepted", INFO, RESOLVE, CONFIG_REFUSED, "↳ Documents accepted", \
	  "The documents are good again.")                                                         \
	X(TARGET_UNREACHABLE, "target.unreachable", WARN, RAISE, TARGET_UNREACHABLE, "✖ Target unreachable", \
	  "A target does not answer.")                                                             \
	X(TARGET_RECOVERED, "target.recovered", INFO, RESOLVE, TARGET_UNREACHABLE, "↳ Target recovered", \
	  "The target answers again.")                                                             \
	X(ALERT_FAILED, "alert.failed", WARN, RAISE, ALERT_FAILED, "✖ Receiver failed",            \
	  "A receiver does not take events.")                                                      \
	X(ALERT_RECOVERED, "alert.recovered", INFO, RESOLVE, ALERT_FAILED, "↳ Receiver recovered", \
	  "The receiver takes events again.")                                                      \
	X(DAEMON_STARTED, "daemon.started", INFO, NOTE, DAEMON_STARTED, "… Daemon started",        \
	  "The daemon is ready.")                                                                  \
	X(DAEMON_STOPPED, "daemon.stopped", INFO, NOTE, DAEMON_STOPPED, "… Daemon stopped",        \
	  "The daemon was asked to stop.")                                                         \
	X(DAEMON_LEADER, "daemon.leader", INFO, NOTE, DAEMON_LEADER, "… Daemon leads",             \
	  "This replica took the lease.")                                                          \
	X(DAEMON_ALIVE, "daemon.alive", INFO, NOTE, DAEMON_ALIVE, "… Alive",                       \
	  "For a dead man's switch.")
enum event_kind {
#define X(id, name, severity, role, of, words, meaning) EVENT_##id,
	EVENTS(X)
#undef X
	EVENT_KINDS
};
const char *event_name(enum event_kind k);
const char *event_words(enum event_kind k); /* "● Drift": a sign and the state in words */
const char *event_meaning(enum event_kind k);
enum event_severity event_severity_of(enum event_kind k); /* the row's */
enum event_role event_role_of(enum event_kind k);
/* The raise that a resolve ends. `source.recovered` ends both source.unreachable and source.stale,
 * `app.settled` both app events: event_resolves tells for any pair. */
bool event_resolves(enum event_kind resolve, enum event_kind raise);
bool event_kind_from_name(str name, enum event_kind *ret);
/* The reference page's table, in Markdown. */
void event_reference(struct buf *b);

struct event_field {
	str path;                              /* ".spec.replicas" */
	const struct node *git, *live, *applied; /* NULL: absent */
	bool redacted;                         /* values are left out */
	struct {
		str file, commit, signer;
		uint32_t line; /* 0: unknown */
	} origin;
	struct {
		str manager, operation, subresource, last_active; /* manager empty: unknown */
	} writer;
};

/* Strings are borrowed from the maker's arena; empty means absent. */
struct event {
	enum event_kind kind;
	enum event_severity severity; /* the row's, unless raised or lowered */
	msec time;
	str id;       /* stable over redelivery */
	str instance; /* the Daemon's name */
	str app, source; /* one of them, or neither: the daemon itself */
	str incident; /* incidents_apply fills it in */
	uint64_t sequence; /* per source, without gaps; the store counts */
	uint64_t number;   /* over all events: the place in the stream; 0: not kept yet */
	str revision, message, release; /* release: the command that ends it */
	bool has_object;
	obj_id object;
	str object_version, object_uid;
	str class, action, mode; /* of drift */
	const struct event_field *fields;
	size_t fields_n;
	const struct node_pair *more; /* data beside the common keys: reason, plan, deletions, ... */
	size_t more_n;
	const struct node_pair *notes; /* of the app: owner, runbook */
	size_t notes_n;
};
/* One line each, no newline at the end. */
void event_cloudevent(const struct event *e, struct buf *b);
void event_flux(const struct event *e, struct buf *b);
/* For chats (interface.md 6): a first line with the state in words, then at most 12; control
 * characters escaped. A message that only repeats the fields is left out. */
void event_text(const struct event *e, struct buf *b);

/* ------------------------------------------------------------------ incidents */

/* What is open. Two events belong to one incident when the resolve ends the raise and app, source and
 * object agree. */
struct incidents;
struct incidents *incidents_new(void);
void incidents_free(struct incidents *s);
DEFINE_CLEANUP(incidents, incidents_free)
enum incident_verdict {
	INCIDENT_SAY,   /* a note, a new raise, or the resolve of an open one: tell people */
	INCIDENT_KNOWN, /* a raise of an open incident: said already */
	INCIDENT_NONE   /* a resolve with nothing open: nobody was told, so nobody is told now */
};
/* Opens or closes, and sets e->incident (in `a`). One resolve may end several raises of different
 * kinds; it bears the first one's incident. */
enum incident_verdict incidents_apply(struct incidents *s, struct arena *a, struct event *e);
/* Changes nothing: would incidents_apply say it? Fills in no incident. */
enum incident_verdict incidents_verdict(const struct incidents *s, const struct event *e);
size_t incidents_count(const struct incidents *s);
/* For the store: each open incident as (key, id), and back after a restart. */
void incidents_each(const struct incidents *s, void (*fn)(void *arg, str key, str id), void *arg);
void incidents_restore(struct incidents *s, str key, str id);
/* The key of the incident that a raise of this kind about e's app, source and object opens. */
str incident_key(struct arena *a, enum event_kind raise, const struct event *e);

/* ------------------------------------------------------------------ the outbox */

/* Where events are kept until every receiver has them: a table of functions that `store` fills in
 * and `notify` uses. What is added between begin and end is kept whole, and survives this process,
 * when end returned NULL; after `sync` it survives the machine. Transactions of the store's other
 * users may lie around it. All strings are borrowed for the call. */
struct event_kept {
	uint64_t number;   /* 1, 2, ... over all events: the place in the stream; 0: not kept yet */
	uint64_t sequence; /* of its emitter (app, source or instance), without gaps */
	str id, name;      /* name: "drift.found" */
	str app, source, revision, incident;
	enum event_severity severity;
	msec time;
	str json, flux, text; /* event_cloudevent, event_flux, event_text */
};
enum event_delivery_state { EVENT_PENDING, EVENT_DONE, EVENT_DROPPED };
/* One event on its way to one receiver. */
struct event_delivery {
	uint64_t id;
	str receiver;     /* notify's key of it: "oncall/0" */
	str cause;        /* what may go out in one message; empty: nothing else */
	msec made, due;   /* wall clock */
	uint32_t tries;   /* that failed */
	str error;        /* of the last one */
	enum event_delivery_state state;
	struct event_kept event;
};
struct event_deliveries {
	struct event_delivery *p;
	size_t n, cap;
};
struct event_waiting { /* of one receiver */
	str receiver;
	uint64_t pending;
	msec due; /* the earliest that may go now */
};
struct event_incident {
	str key, id;
	uint64_t number; /* of the raise */
	msec since;
};
struct event_outbox {
	struct err *(*begin)(void *self);
	/* Commits when e is NULL, else undoes all and returns e. */
	struct err *(*end)(void *self, struct err *e);
	/* Called after every outermost end, with what became of it. NULL: nobody any more. */
	void (*listen)(void *self, void (*ended)(void *arg, bool committed), void *arg);

	/* The next number, and the next sequence of this emitter; both spent when end commits. */
	struct err *(*next)(void *self, str emitter, uint64_t *number, uint64_t *sequence);
	/* Keeps e; to[].receiver, cause and due are read, the rest is the outbox's. n may be 0. */
	struct err *(*add)(void *self, const struct event_kept *e, const struct event_delivery *to,
			   size_t n);
	/* Asked once for all that was added in a turn of the loop, before any of it goes out. */
	struct err *(*sync)(void *self);
	struct err *(*get)(void *self, struct arena *a, uint64_t number, struct event_kept *ret);
	struct err *(*open_incident)(void *self, const struct event_incident *i);
	struct err *(*close_incident)(void *self, str key);
	struct err *(*incidents)(void *self, struct arena *a, struct event_incident **ret,
				 size_t *n);
	/* One of them; ret->key.p NULL: not open. */
	struct err *(*incident)(void *self, struct arena *a, str key, struct event_incident *ret);

	/* Who waits, by name. A delivery may go when it is due and no earlier one of the same
	 * receiver and incident is pending. */
	struct err *(*waiting)(void *self, struct arena *a, struct event_waiting **ret, size_t *n);
	/* Those of one receiver that may go, oldest first, at most `most`. */
	struct err *(*due)(void *self, struct arena *a, str receiver, msec now, size_t most,
			   struct event_deliveries *ret);
	/* Pending ones of one receiver and cause that are due until `until` and may go. */
	struct err *(*together)(void *self, struct arena *a, str receiver, str cause, msec until,
				size_t most, struct event_deliveries *ret);
	struct err *(*done)(void *self, const uint64_t *ids, size_t n, msec now);
	struct err *(*failed)(void *self, const uint64_t *ids, size_t n, msec due, str error);
	/* Never to be delivered, and why. */
	struct err *(*drop)(void *self, const uint64_t *ids, size_t n, str error);
	struct err *(*drop_receiver)(void *self, str receiver, str error, uint64_t *dropped);
	struct err *(*rename)(void *self, str from, str to); /* pending ones of a receiver */
	/* The oldest pending drift.* events of a receiver with more than `most` pending, until there
	 * are `most` again or none of drift is left. */
	struct err *(*coalesce)(void *self, str receiver, size_t most, str error,
				uint64_t *dropped);
	/* When a receiver was last told about an incident; 0: never, or it is on its way. */
	struct err *(*told)(void *self, str receiver, str incident, msec *ret);
	struct err *(*pending)(void *self, uint64_t *ret);
	void *self;
};
