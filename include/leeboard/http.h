/* http: requests out, over http and https, on the loop.
 *
 * One `struct http` keeps connections alive and shares them among its requests. http_send copies the
 * request; the callbacks come later, from the loop, never out of http_send: on_head once, on_data as
 * bytes arrive, on_done once at the end, then the call is gone. http_cancel ends a call without
 * on_done; http_free cancels all and must not be called from a callback, the others may be.
 *
 * Certificates are always verified. Redirects are never followed: the caller sees the status and
 * "location". Proxies of the environment are not used, compression is not asked for. Any status is a
 * response; an error is what left no whole response. A peer that acknowledges nothing for
 * HTTP_PEER_DEAD_MS, an idle connection included, is gone: its calls end with ERR_UNREACHABLE. */
#pragma once
#include "leeboard/base.h"

#define HTTP_MAX_HEAD (256u << 10)
#define HTTP_MAX_BODY (64u << 20)
#define HTTP_PEER_DEAD_MS 30000

struct http;
struct http_call;

struct http_header {
	str name, value;
};

/* What verifies the server, and how we show who we are. All PEM. */
struct http_tls {
	const char *ca_file; /* trusted instead of the system's; NULL: ca_pem */
	str ca_pem;          /* empty too: the system's */
	str cert_pem, key_pem; /* both or none */
	str server_name; /* what the certificate must be for; empty: the host of the url */
};

struct http_request {
	str method; /* empty: GET */
	str url;    /* http or https, no user or password in it */
	const char *unix_socket; /* connect there, url's host is only said; NULL: to url's host */
	const struct http_header *headers;
	size_t headers_n;
	str body;
	msec timeout;    /* of the whole call; 0: none (a watch) */
	size_t max_body; /* of the answer; 0: HTTP_MAX_BODY, or no limit when on_data is set */
	struct http_tls tls;
	bool http2; /* offer HTTP/2 on https; up to 100 calls share a connection */
	/* Never connect to 169.254.0.0/16 or fe80::/10, by whatever name: there the machine's own
	 * cloud answers, and strangers may choose the url. ERR_UNREACHABLE. */
	bool no_link_local;
};

struct http_response {
	unsigned status;
	const struct http_header *headers; /* without those of 1xx answers and trailers */
	size_t headers_n;
	str body; /* empty when on_data took it */
};

/* Borrowed until the callback returns. */
struct http_callbacks {
	void (*on_head)(void *arg, const struct http_response *r); /* NULL: not wanted */
	void (*on_data)(void *arg, str bytes); /* NULL: the body is gathered */
	/* Exactly one of r and e is set; e becomes the callback's. */
	void (*on_done)(void *arg, const struct http_response *r, struct err *e);
};

struct http *http_new(struct loop *l);
void http_free(struct http *h);
DEFINE_CLEANUP(http, http_free)

/* ERR_INVALID when the request cannot be sent. Later, in on_done: ERR_UNREACHABLE (name, connection,
 * broken or senseless answer), ERR_TLS, ERR_TIMEOUT, ERR_LIMIT. No message has more of the url than
 * host and port. ret may be NULL. */
MUST_CHECK struct err *http_send(struct http *h, const struct http_request *req,
				 const struct http_callbacks *cb, void *arg, struct http_call **ret);
/* The call is gone and calls nobody again. NULL is fine. */
void http_cancel(struct http_call *c);
/* The first header of this name, in any case; STR_NONE when there is none. */
str http_header_get(const struct http_response *r, str name);
