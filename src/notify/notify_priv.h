/* What the files of notify share. */
#pragma once
#include "leeboard/http.h"
#include "leeboard/notify.h"

/* One `to` of one Alert. Its key has a hash of where it leads, so that it stays the same when the
 * list around it changes: "oncall#3f2a91". */
struct receiver {
	struct notify *n;
	char *key;
	const struct alert *alert;
	const struct alert_to *to;
	struct http_call *call;
	uint64_t *ids; /* deliveries that are being sent */
	size_t ids_n;
	uint32_t tries;   /* that these have failed before */
	msec until;       /* left alone until then (wall clock); 0: not */
	msec failing;     /* since then; 0: the last answer was good, or none came yet */
	bool proved;      /* it took an event since the last configuration */
	bool stopped;     /* 410 */
	bool fresh;       /* while a configuration is taken: nothing is known of it yet */
	struct buf error; /* the last one */
	struct buf where; /* scheme, host and port of its address, once it was read */
};
struct receivers {
	struct receiver **p;
	size_t n, cap;
};

/* A line for the log that waits for its transaction. */
struct line {
	enum event_severity severity;
	const char *name;
	str app, source, revision, object, message, id, incident;
};

struct notify {
	struct notify_env env;
	const struct config *config; /* NULL: nobody is to be told yet */
	struct receivers receivers;
	struct incidents *incidents;
	struct arena *lines_arena;
	struct {
		struct line *p;
		size_t n, cap;
	} lines;
	struct timer *kick, *wake;
	msec repeat_at; /* the next look at open incidents (wall clock); 0: none */
};

struct receiver *notify_receiver(struct notify *n, str key); /* NULL: none */
void notify_receiver_free(struct receiver *r);
msec notify_now(const struct notify *n); /* wall clock */
/* Logged, and freed. NULL is fine. */
void notify_failed(struct notify *n, const char *what, struct err *e);

/* As notify_send, to all but `except` (may be NULL). */
MUST_CHECK struct err *notify_send_except(struct notify *n, struct arena *a, struct event *e,
					  enum incident_verdict *verdict,
					  const struct receiver *except);
/* "01JDA2M3Q4X7-000412" */
str notify_id(struct arena *a, msec now, uint64_t number);
/* Does r pass on this event? raised: the severity of what it resolves, or its own. */
bool notify_wants(const struct receiver *r, const char *name, str app, str source,
		  enum event_severity raised);

/* The JSON of one message: of a webhook one event, of a chat all. */
void notify_body(const struct receiver *r, const struct event_deliveries *d, struct buf *b);

/* Says again what is still open and due; returns when to look again, 0: never. */
msec notify_repeat(struct notify *n);
/* The receiver does not take events, or does again. */
void notify_receiver_event(struct receiver *r, enum event_kind k);
