/* web_priv: what the files of web share. */
#pragma once
#include "leeboard/web.h"
#include <microhttpd.h>

/* ------------------------------------------------------------------ what is asked (target.c) */

#define WEB_MAX_ARGS 32u  /* query parameters */
#define WEB_MAX_NAME 512u /* bytes of a name in a path */

enum web_route {
	WEB_ASK,
	WEB_STREAM,
	WEB_HOOK,
	WEB_HEALTHZ,
	WEB_READYZ,
	WEB_METRICS,
};
struct web_target {
	enum web_route route;
	enum sync_verb verb;     /* of WEB_ASK */
	bool acts;               /* by POST */
	str name;                /* the path's N; empty: none */
	const struct node *args; /* the query, a map of strings; NULL: none */
};
/* The raw request target, as it stands in the request line. Returns 200, or what it is answered with:
 * 400 bad escapes, a key given twice; 404; 405 (*allow names the methods that there are). *why: words
 * for the person, NULL with 200. All is the arena's. */
unsigned web_target_read(struct arena *a, str uri, bool post, struct web_target *ret,
			 const char **allow, const char **why);
/* The body of a request that acts: nothing, or one JSON map. */
MUST_CHECK struct err *web_body_read(struct arena *a, const struct text *body,
				     const struct node **ret);
/* The value of a header "Authorization: Bearer X"; empty: it is something else. */
str web_bearer(str header);
/* Does the header "Host: X" name this machine itself? A page elsewhere that resolves its own name to
 * 127.0.0.1 still says its own name. */
bool web_host_is_local(str header);

/* ------------------------------------------------------------------ the socket (socket.c) */

enum web_right { WEB_MAY_NOTHING, WEB_MAY_READ, WEB_MAY_ACT };
struct web_socket {
	int fd;    /* -1: none */
	str path;  /* the arena's */
	uid_t owner;
	gid_t group, readers;
	bool has_readers, group_acts, all_act;
	dev_t dev; /* the file's, to know it again */
	ino_t ino;
};
/* Bound, with its rights, listening. Of what nobody listens at the file is replaced. */
MUST_CHECK struct err *web_socket_open(struct arena *a, const struct daemon_doc *d,
				       const char *path, struct web_socket *ret);
void web_socket_close(struct web_socket *s); /* and its file, when it is still ours */
/* Who is at the other end of fd, and what may they do? */
enum web_right web_socket_peer(const struct web_socket *s, int fd, unsigned *uid);
/* "ana", or "uid 1000" for one without a name. */
str web_user_name(struct arena *a, unsigned uid);

/* ------------------------------------------------------------------ doors (door.c) */

struct web_door; /* one listening address */
struct request;
struct web {
	struct web_env env;
	struct arena *arena;
	struct web_socket socket;
	str address;
	struct hash token; /* of the read token */
	bool has_token, loopback, stopping;
	struct web_door *local, *remote;
	struct request *requests; /* all that are under way */
	struct {
		struct web_bucket *p;
		size_t n, cap;
	} buckets;
};
struct web_bucket { /* webhooks of one source */
	str source;
	double left;
	msec at;
};
struct web_tls {
	const char *cert, *key; /* PEM; NULL: plain */
};
/* fd becomes the door's. */
MUST_CHECK struct err *web_door_open(struct web *w, int fd, bool local, const struct web_tls *tls,
				     struct web_door **ret);
void web_door_close(struct web_door *d); /* NULL is fine */
/* Something was resumed: look at it in the next turn. */
void web_door_soon(struct web_door *d);
bool web_door_local(const struct web_door *d);

/* ------------------------------------------------------------------ one request (request.c) */

struct stream;
struct request {
	struct web *web;
	struct web_door *door;
	struct MHD_Connection *c;
	struct request *prev, *next;
	struct arena *a;
	int fd;
	str uri;
	bool begun;     /* its head was judged */
	bool whole;     /* its body is here */
	bool suspended, gone;
	bool too_big;
	struct buf body;
	struct web_target target;
	enum web_right right;
	struct sync_caller caller;
	struct sync_asked *asked;
	struct watch_fd *hangup;
	struct stream *stream;
	/* The answer, once it is known. */
	unsigned status;
	int exit; /* below 0: none */
	const char *type, *allow;
	struct buf answer;
};
struct request *request_new(struct web_door *d, struct web *w, struct MHD_Connection *c,
			    const char *uri);
void request_free(struct request *r);
enum MHD_Result request_step(struct request *r, const char *method, const char *data, size_t *n);
/* The connection sleeps until request_wake; who hangs up meanwhile is noticed: r->gone. */
void request_sleep(struct request *r);
void request_wake(struct request *r);
/* An answer of kind Error. */
void request_fail(struct request *r, unsigned status, const char *code, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* ------------------------------------------------------------------ server-sent events (stream.c) */

enum MHD_Result stream_start(struct request *r);
void stream_free(struct stream *s); /* NULL is fine */
void stream_end(struct stream *s);  /* what is queued still goes out */
