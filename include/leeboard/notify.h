/* notify: tell people.
 *
 * An event goes to the log, to history, and through the outbox to every receiver whose Alert matches
 * it: at least once, over restarts, and in order for each receiver and incident. notify_new reads
 * what is open and undelivered from the outbox; notify_config says who is to be told, first and on
 * each reload; notify_send says something. Deliveries run on the loop; they begin when the
 * transaction that notify_send ran in was committed.
 *
 * webhook   one request an event, at once: a CloudEvent (application/cloudevents+json) or Flux's
 *           Event, with Leeboard-Delivery (the event's id), Leeboard-Timestamp (seconds) and, with
 *           `hmac`, X-Signature: sha256=<hex HMAC-SHA256 of the body>
 * slack     {"text", "channel", "username"}; what begins within `group` and shares a cause is one
 *           message. A cause is the name of the event and: the writer and app of a drift, the
 *           revision of everything else, or else the app
 *
 * 2xx is done. 410 stops the receiver until the next notify_config. Everything else is tried again,
 * 1 s to 15 min with jitter (Retry-After is obeyed): 400, 413 and 422 are about that message alone,
 * the rest about the receiver, which is then left alone for that time. A receiver that fails for
 * Daemon `unreachableAfter`, or answers 410, is an `alert.failed`, told to all others. More than
 * NOTIFY_MAX_PENDING for one receiver: the oldest of drift.* are left out, and the log says so.
 *
 * eventSeverity looks at a raise; its resolve goes to whoever wanted the raise, and its name is in
 * `events`. `apps` filters events about apps, `sources` those about sources. Every event is kept and
 * logged (its name is the log's event), also when nobody is to be told. An open incident is said again
 * after `repeat`, as a new event with data.openSince.
 *
 * Secrets (addressFrom, token, hmac, tls.key) are read for each delivery, wiped after it, and never
 * in a message, an error or the log. Of an address only scheme, host and port are ever shown. */
#pragma once
#include "leeboard/config.h"
#include "leeboard/event.h"

struct http;

#define NOTIFY_MAX_PENDING 10000u /* of one receiver */
#define NOTIFY_MAX_GROUP 200u     /* events of one message; it shows the first NOTIFY_SHOWN */
#define NOTIFY_SHOWN 5u
#define NOTIFY_TIMEOUT (30 * SECOND) /* of one delivery */
#define NOTIFY_BACKOFF_MIN (1 * SECOND)
#define NOTIFY_BACKOFF_MAX (15 * MINUTE)

struct notify;
/* Borrowed, and must outlive it. */
struct notify_env {
	struct loop *loop;
	struct http *http;
	struct log *log;
	struct metrics *metrics;             /* leeboard_events_pending; may be NULL */
	const struct event_outbox *outbox;   /* store_outbox */
	const struct config_secrets *secrets; /* for secretRefs; may be NULL */
	str instance;                        /* the Daemon's name */
};
MUST_CHECK struct err *notify_new(const struct notify_env *env, struct notify **ret);
void notify_free(struct notify *n); /* what is undelivered stays in the outbox */
DEFINE_CLEANUP(notify, notify_free)
/* Nothing is delivered before the first call. c is borrowed until the next call or notify_free. Undelivered events of a receiver that changed its
 * address go to the new one; those of one that is gone are dropped, and the log says how many. */
MUST_CHECK struct err *notify_config(struct notify *n, const struct config *c);

/* Fills in what e has not: id, time, instance, incident, sequence, number, in `a`. verdict (may be NULL):
 * INCIDENT_SAY when it was said; otherwise nothing was, since people know (or never knew) of it. On an
 * error nothing was said and nothing changed; inside a transaction of the caller's that one fails as
 * a whole, and after it nothing of this was said either. */
MUST_CHECK struct err *notify_send(struct notify *n, struct arena *a, struct event *e,
				   enum incident_verdict *verdict);
/* Is this incident open? For whoever repeats a raise only when it is not. */
bool notify_is_open(const struct notify *n, enum event_kind raise, const struct event *e);
/* Others put something into the outbox: after store_event_redeliver. */
void notify_wake(struct notify *n);
/* Something is being sent, or could be now: a stop may wait a moment for it. */
bool notify_busy(const struct notify *n);
/* For `dump` and `status`: each receiver with its state, as a JSON list of
 * {receiver, address, pending, failing (since when), error, stopped}. */
void notify_dump(struct notify *n, struct buf *b);
