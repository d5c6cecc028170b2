/* web: the doors of a daemon: the control socket, and http when the Daemon document asks for it.
 *
 * Both doors have one router: the rows of SYNC_ASKS below /api/v1, GET /api/v1/stream (server-sent
 * events), POST /hook/SOURCE, GET /healthz, /readyz, /metrics. Answers are the JSON documents of
 * interface.md 5; an error is one of kind Error.
 *
 * Who may do what. On the socket: root, the user whose daemon it is, and the socket's group do all;
 * members of readGroup read. Over http: /healthz, /readyz, /metrics and webhooks (which are signed)
 * are anybody's; reading needs the read token, which may be missing on a loopback address only;
 * nothing acts there yet.
 *
 * libmicrohttpd runs on the loop, nothing blocks. Long answers are suspended connections; who goes
 * away is noticed and unasked.
 *
 * Order: sync_new -> web_start -> loop -> web_stop -> sync_stop. All is borrowed and must outlive
 * web_stop, but the documents, which may change: they are read in web_start alone. */
#pragma once
#include "leeboard/sync.h"

#define WEB_MAX_HEAD (32u << 10)  /* request line and headers */
#define WEB_MAX_BODY (64u << 10)  /* of a request that acts */
#define WEB_MAX_HOOK (1u << 20)   /* of a webhook */
#define WEB_MAX_STREAM (1u << 20) /* bytes a slow reader of the stream may be behind */
#define WEB_MAX_LOCAL 128u        /* connections to the socket at once */
#define WEB_MAX_REMOTE 256u       /* to the http address */
#define WEB_MAX_PER_IP 32u
#define WEB_REQUEST_TIME (30 * SECOND) /* a request must be whole by then; idle connections end */
#define WEB_HEARTBEAT (15 * SECOND)    /* of a stream with nothing to say */
#define WEB_HOOK_BURST 30u             /* webhooks of one source at once; then one a second */

struct web;
struct web_env {
	struct loop *loop;
	struct sync *sync;
	struct metrics *metrics;
	struct log *log;
	const struct daemon_doc *daemon; /* of sync_config */
	const char *socket;              /* instead of the document's; NULL: that, or the usual one */
};
/* Listens, or one error: the socket's folder is not ours, another daemon answers at it (what nobody
 * answers at is replaced), the address is taken, a token or certificate is unreadable. */
MUST_CHECK struct err *web_start(const struct web_env *env, struct web **ret);
/* Ends every connection; who waits for an answer is told that the daemon stops. NULL is fine. */
void web_stop(struct web *w);
DEFINE_CLEANUP(web, web_stop)
str web_socket(const struct web *w); /* path of the socket */
str web_address(const struct web *w); /* "127.0.0.1:8080", with the port that was bound; empty: none */
void web_reference(struct buf *b);    /* docs/reference-http.md: every path of both doors */
