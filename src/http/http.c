/* http: libcurl's multi interface, driven by the loop's descriptors and timers.
 *
 * libcurl must not be entered again from its own callbacks. So http_send only queues, and
 * http_cancel from within on_head or on_data only marks; `settle` does the rest in the next turn.
 */
#include "leeboard/http.h"
#include <assert.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#define CONNECT_TIMEOUT_MS 30000L

struct http {
	struct loop *loop;
	CURLM *multi;
	struct timer *alarm; /* libcurl's */
	struct timer *soon;  /* runs settle */
	struct http_call *calls;
	bool in_curl, in_callback;
};

struct http_call {
	struct http *http;
	struct http_call *prev, *next;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	struct http_callbacks cb;
	void *arg;
	struct timer *timer;
	struct buf where; /* host and port, for messages */
	struct buf request_body;
	struct buf head, body;
	struct http_response response;
	struct http_header *response_headers;
	size_t received, max_body;
	msec timeout;
	char reason[CURL_ERROR_SIZE];
	bool https, added, cancelled, head_done, head_too_big, body_too_big;
	bool link_local; /* it was refused for that */
};

struct sock {
	struct http *http;
	curl_socket_t fd;
	struct watch_fd *watch;
};

/* ------------------------------------------------------------------ calls come and go */

static void call_free(struct http_call *c)
{
	if (!c)
		return;
	timer_stop(c->timer);
	if (c->added)
		curl_multi_remove_handle(c->http->multi, c->easy);
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	curl_slist_free_all(c->connect_to);
	if (c->prev)
		c->prev->next = c->next;
	else if (c->http->calls == c)
		c->http->calls = c->next;
	if (c->next)
		c->next->prev = c->prev;
	buf_done(&c->where);
	buf_done(&c->request_body);
	buf_done(&c->head);
	buf_done(&c->body);
	free(c->response_headers);
	free(c);
}
DEFINE_CLEANUP(http_call, call_free)

static void finish(struct http_call *c, struct err *e)
{
	struct http *h = c->http;
	bool outer = h->in_callback;

	timer_stop(STEAL(c->timer));
	if (c->added)
		curl_multi_remove_handle(h->multi, c->easy);
	c->added = false;
	if (c->cancelled) {
		err_free(e);
		call_free(c);
		return;
	}
	c->response.body = buf_view(&c->body);
	c->cancelled = true; /* an http_cancel from on_done has nothing left to do */
	h->in_callback = true;
	c->cb.on_done(c->arg, e ? NULL : &c->response, e);
	h->in_callback = outer;
	call_free(c);
}

static struct err *tls_err(struct http_call *c, const char *what)
{
	return err_new(ERR_TLS, "%s '%s': %s", what, c->where.p,
		       c->reason[0] ? c->reason : "no reason given");
}

static struct err *curl_err(struct http_call *c, CURLcode rc)
{
	const char *where = c->where.p;
	long errnum = 0;

	switch ((int)rc) {
	case CURLE_OK:
		if (c->head_done)
			return NULL;
		return err_new(ERR_UNREACHABLE, "'%s' gave no answer", where);
	case CURLE_COULDNT_RESOLVE_HOST:
		return err_new(ERR_UNREACHABLE, "cannot find the address of '%s'", where);
	case CURLE_COULDNT_CONNECT:
		if (c->link_local)
			return err_new(ERR_UNREACHABLE,
				       "'%s' is at a link-local address: never told anything",
				       where);
		curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &errnum);
		if (errnum)
			return err_sys(ERR_UNREACHABLE, (int)errnum, "connect to '%s'", where);
		return err_new(ERR_UNREACHABLE, "cannot connect to '%s'", where);
	case CURLE_OPERATION_TIMEDOUT:
		return err_new(ERR_TIMEOUT, "no connection to '%s' within %ld seconds", where,
			       CONNECT_TIMEOUT_MS / 1000);
	case CURLE_GOT_NOTHING:
		return err_new(ERR_UNREACHABLE, "'%s' closed the connection without an answer",
			       where);
	case CURLE_PARTIAL_FILE:
		return err_new(ERR_UNREACHABLE, "'%s' closed the connection within its answer",
			       where);
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return err_new(ERR_UNREACHABLE, "the connection to '%s' broke", where);
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return err_new(ERR_UNREACHABLE, "the answer of '%s' is not HTTP", where);
	case CURLE_WRITE_ERROR:
		if (c->body_too_big)
			return err_new(ERR_LIMIT, "the answer of '%s' is larger than %zu bytes",
				       where, c->max_body);
		if (c->head_too_big)
			return err_new(ERR_LIMIT, "the head of '%s' is larger than %u bytes", where,
				       HTTP_MAX_HEAD);
		return err_new(ERR_UNREACHABLE, "the answer of '%s' is not HTTP", where);
	case CURLE_PEER_FAILED_VERIFICATION:
		return tls_err(c, "cannot verify the certificate of");
	case CURLE_SSL_CACERT_BADFILE:
		return tls_err(c, "cannot use the trusted certificates for");
	case CURLE_SSL_CERTPROBLEM:
		return tls_err(c, "cannot use the client certificate for");
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_USE_SSL_FAILED:
		return tls_err(c, "no TLS with");
	default:
		return err_new(ERR_UNREACHABLE, "request to '%s': %s", where,
			       curl_easy_strerror(rc));
	}
}

static void on_timeout(void *arg)
{
	struct http_call *c = arg;

	c->timer = NULL;
	finish(c, err_new(ERR_TIMEOUT, "no whole answer of '%s' within %lld ms", c->where.p,
			  (long long)c->timeout));
}

/* ------------------------------------------------------------------ the loop and libcurl */

static void settle_soon(struct http *h);

static void reap(struct http *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		struct http_call *c = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
		finish(c, curl_err(c, m->data.result));
	}
}

static void act(struct http *h, curl_socket_t fd, int events)
{
	int running;

	h->in_curl = true;
	curl_multi_socket_action(h->multi, fd, events, &running);
	h->in_curl = false;
	reap(h);
}

static void on_alarm(void *arg)
{
	struct http *h = arg;

	h->alarm = NULL;
	act(h, CURL_SOCKET_TIMEOUT, 0);
}

static int set_alarm(CURLM *m UNUSED, long ms, void *arg)
{
	struct http *h = arg;

	timer_stop(STEAL(h->alarm));
	if (ms >= 0)
		h->alarm = timer_start(h->loop, ms, on_alarm, h);
	return 0;
}

static void on_io(void *arg, int events)
{
	struct sock *s = arg;
	int what = 0;

	if (events & LOOP_READ)
		what |= CURL_CSELECT_IN;
	if (events & LOOP_WRITE)
		what |= CURL_CSELECT_OUT;
	act(s->http, s->fd, what ? what : CURL_CSELECT_ERR);
}

static int set_io(CURL *easy UNUSED, curl_socket_t fd, int what, void *arg, void *of_sock)
{
	struct http *h = arg;
	struct sock *s = of_sock;
	int events = 0;

	if (what == CURL_POLL_REMOVE) {
		if (s) {
			loop_fd_stop(s->watch);
			curl_multi_assign(h->multi, fd, NULL);
			free(s);
		}
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= LOOP_READ;
	if (what & CURL_POLL_OUT)
		events |= LOOP_WRITE;
	if (s) {
		loop_fd_set(s->watch, events);
		return 0;
	}
	s = xcalloc(1, sizeof(*s));
	s->http = h;
	s->fd = fd;
	s->watch = loop_fd(h->loop, fd, events, on_io, s);
	curl_multi_assign(h->multi, fd, s);
	return 0;
}

static void settle(void *arg)
{
	struct http *h = arg;

	h->soon = NULL;
	for (struct http_call *c = h->calls, *next; c; c = next) {
		next = c->next;
		if (c->cancelled) {
			call_free(c);
		} else if (!c->added) {
			c->added = true;
			curl_multi_add_handle(h->multi, c->easy);
		}
	}
}

static void settle_soon(struct http *h)
{
	if (!h->soon)
		h->soon = timer_start(h->loop, 0, settle, h);
}

struct http *http_new(struct loop *l)
{
	struct http *h = xcalloc(1, sizeof(*h));

	curl_global_init(CURL_GLOBAL_DEFAULT);
	h->loop = l;
	h->multi = curl_multi_init();
	assert(h->multi);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, set_io);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_alarm);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	assert(!h->in_curl && !h->in_callback);
	while (h->calls)
		call_free(h->calls);
	curl_multi_cleanup(h->multi);
	timer_stop(h->alarm);
	timer_stop(h->soon);
	free(h);
	curl_global_cleanup();
}

/* ------------------------------------------------------------------ the answer */

str http_header_get(const struct http_response *r, str name)
{
	for (size_t i = 0; i < r->headers_n; i++) {
		str n = r->headers[i].name;

		if (n.n == name.n && !strncasecmp(n.p, name.p, n.n))
			return r->headers[i].value;
	}
	return STR_NONE;
}

/* The lines after the status line; a line without a colon is skipped. */
static void read_head(struct http_call *c)
{
	str rest = buf_view(&c->head), line;
	size_t cap = 0;

	for (size_t i = 0; i < rest.n; i++)
		cap += rest.p[i] == '\n';
	c->response_headers = xcalloc(cap + 1, sizeof(struct http_header));
	while (str_split(&rest, '\n', &line)) {
		size_t colon = str_chr(line, ':');

		if (colon == SIZE_MAX)
			continue;
		c->response_headers[c->response.headers_n++] = (struct http_header){
			str_sub(line, 0, colon), str_trim(str_sub(line, colon + 1, SIZE_MAX))};
	}
	c->response.headers = c->response_headers;
}

static size_t take_head(char *p, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;
	str line = str_n(p, size * n);
	long status = 0;

	if (c->cancelled)
		return 0;
	if (c->head_done) /* a trailer */
		return line.n;
	if (str_starts(line, STR("HTTP/"))) {
		buf_clear(&c->head);
		return line.n;
	}
	if (c->head.n + line.n > HTTP_MAX_HEAD) {
		c->head_too_big = true;
		return 0;
	}
	if (str_trim(line).n) {
		buf_str(&c->head, line);
		return line.n;
	}
	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return line.n;
	c->head_done = true;
	c->response.status = (unsigned)status;
	read_head(c);
	if (c->cb.on_head)
		c->cb.on_head(c->arg, &c->response);
	return c->cancelled ? 0 : line.n;
}

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;
	str bytes = str_n(p, size * n);

	if (c->cancelled)
		return 0;
	if (bytes.n > c->max_body - c->received) {
		c->body_too_big = true;
		return 0;
	}
	c->received += bytes.n;
	if (c->cb.on_data)
		c->cb.on_data(c->arg, bytes);
	else
		buf_str(&c->body, bytes);
	return c->cancelled ? 0 : bytes.n;
}

/* ------------------------------------------------------------------ the request */

static bool is_token(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char b = s.p[i];

		if (!(b >= 'a' && b <= 'z') && !(b >= 'A' && b <= 'Z') && !(b >= '0' && b <= '9') &&
		    (!b || !strchr("!#$%&'*+-.^_`|~", b)))
			return false;
	}
	return s.n > 0;
}

static bool is_name(str s, const char *name)
{
	return s.n == strlen(name) && !strncasecmp(s.p, name, s.n);
}

static void curlu_cleanup(CURLU **u)
{
	curl_url_cleanup(*u);
}

static void curl_text_cleanup(char **p)
{
	curl_free(*p);
}

static void add_header(struct http_call *c, const char *line)
{
	struct curl_slist *all = curl_slist_append(c->headers, line);

	assert(all);
	c->headers = all;
}

/* Checks `name` and asks `host`: libcurl has no other way to take the two apart. */
static struct err *set_server_name(struct http_call *c, CURLU *u, const char *host,
				   const char *port, str name)
{
	CLEANUP(cstr) char *text = xstrndup(name.p, name.n);
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(curl_text) char *url = NULL;

	if (curl_url_set(u, CURLUPART_HOST, text, 0) || curl_url_get(u, CURLUPART_URL, &url, 0))
		return err_new(ERR_INVALID, "server name '%s' is no host name", text);
	buf_printf(&b, "%s:%s:%s:%s", text, port, host, port);
	c->connect_to = curl_slist_append(NULL, b.p);
	assert(c->connect_to);
	curl_easy_setopt(c->easy, CURLOPT_CONNECT_TO, c->connect_to);
	curl_easy_setopt(c->easy, CURLOPT_URL, url);
	buf_clear(&b);
	buf_printf(&b, "Host: %s:%s", host, port);
	add_header(c, b.p);
	return NULL;
}

static struct err *set_url(struct http_call *c, str url, str server_name)
{
	CLEANUP(cstr) char *text = xstrndup(url.p ? url.p : "", url.n);
	CLEANUP(curlu) CURLU *u = curl_url();
	CLEANUP(curl_text) char *scheme = NULL;
	CLEANUP(curl_text) char *user = NULL;
	CLEANUP(curl_text) char *password = NULL;
	CLEANUP(curl_text) char *host = NULL;
	CLEANUP(curl_text) char *port = NULL;

	for (size_t i = 0; i < url.n; i++) {
		if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f)
			return err_new(ERR_INVALID, "url has a blank or a control character");
	}
	if (curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME))
		return err_new(ERR_INVALID, "url cannot be read");
	if (!curl_url_get(u, CURLUPART_USER, &user, 0) ||
	    !curl_url_get(u, CURLUPART_PASSWORD, &password, 0))
		return err_new(ERR_INVALID, "url must not have a user or a password in it");
	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		return err_new(ERR_INVALID, "url must begin with http:// or https://");
	if (curl_url_get(u, CURLUPART_HOST, &host, 0) || !host[0] ||
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT))
		return err_new(ERR_INVALID, "url has no host");
	c->https = !strcmp(scheme, "https");
	buf_printf(&c->where, "%s:%s", host, port);
	if (c->https && server_name.n)
		return set_server_name(c, u, host, port, server_name);
	curl_easy_setopt(c->easy, CURLOPT_URL, text);
	return NULL;
}

static void set_unix_socket(struct http_call *c, const char *path)
{
	if (!path)
		return;
	curl_easy_setopt(c->easy, CURLOPT_UNIX_SOCKET_PATH, path);
	buf_clear(&c->where);
	buf_str(&c->where, str_from(path));
}

static struct err *set_headers(struct http_call *c, const struct http_request *req)
{
	bool has_type = false;

	for (size_t i = 0; i < req->headers_n; i++) {
		str name = req->headers[i].name, value = req->headers[i].value;
		CLEANUP(buf) struct buf line = BUF_INIT;

		if (!is_token(name))
			return err_new(ERR_INVALID, "header name is not a token");
		if (is_name(name, "Content-Length") || is_name(name, "Transfer-Encoding"))
			return err_new(ERR_INVALID, "header '" STR_FMT "' is not the caller's",
				       STR_ARG(name));
		for (size_t k = 0; k < value.n; k++) {
			if (value.p[k] == '\r' || value.p[k] == '\n' || !value.p[k])
				return err_new(ERR_INVALID,
					       "header '" STR_FMT "' has more than one line",
					       STR_ARG(name));
		}
		has_type = has_type || is_name(name, "Content-Type");
		buf_str(&line, name);
		if (str_trim(value).n) {
			buf_str(&line, STR(": "));
			buf_str(&line, value);
		} else {
			buf_char(&line, ';'); /* libcurl's way to write an empty one */
		}
		add_header(c, line.p);
	}
	add_header(c, "Expect:");
	if (!has_type)
		add_header(c, "Content-Type:");
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
	return NULL;
}

static struct err *set_method(struct http_call *c, const struct http_request *req)
{
	str method = req->method.n ? req->method : STR("GET");
	CLEANUP(cstr) char *name = xstrndup(method.p, method.n);

	if (!is_token(method))
		return err_new(ERR_INVALID, "method is not a token");
	if (str_eq(method, STR("HEAD"))) {
		if (req->body.n)
			return err_new(ERR_INVALID, "method 'HEAD' has no body");
		curl_easy_setopt(c->easy, CURLOPT_NOBODY, 1L);
		return NULL;
	}
	if (req->body.n || str_eq(method, STR("POST")) || str_eq(method, STR("PUT")) ||
	    str_eq(method, STR("PATCH"))) {
		buf_str(&c->request_body, req->body);
		curl_easy_setopt(c->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, buf_view(&c->request_body).p);
		curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)c->request_body.n);
	}
	curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, name);
	return NULL;
}

static struct err *set_pem(struct http_call *c, CURLoption o, str pem)
{
	CLEANUP(cstr) char *copy = xstrndup(pem.p, pem.n); /* the blob's pointer is not const */
	struct curl_blob blob = {copy, pem.n, CURL_BLOB_COPY};

	if (curl_easy_setopt(c->easy, o, &blob))
		return err_new(ERR_TLS, "this libcurl takes no certificates from memory");
	return NULL;
}

static struct err *set_tls(struct http_call *c, const struct http_tls *t)
{
	if (!t->cert_pem.n != !t->key_pem.n)
		return err_new(ERR_INVALID, "a client certificate and its key go together");
	if (t->ca_file && t->ca_pem.n)
		return err_new(ERR_INVALID, "trusted certificates are a file or a text, not both");
	curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(c->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (t->ca_file || t->ca_pem.n) { /* the system's folder would be trusted beside it */
		curl_easy_setopt(c->easy, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(c->easy, CURLOPT_CAINFO, t->ca_file);
	}
	if (t->ca_pem.n)
		TRY(set_pem(c, CURLOPT_CAINFO_BLOB, t->ca_pem));
	if (t->cert_pem.n) {
		TRY(set_pem(c, CURLOPT_SSLCERT_BLOB, t->cert_pem));
		TRY(set_pem(c, CURLOPT_SSLKEY_BLOB, t->key_pem));
	}
	return NULL;
}

static bool is_link_local(const struct sockaddr *a)
{
	const struct sockaddr_in6 *six = (const void *)a;
	const uint8_t *b = six->sin6_addr.s6_addr;

	if (a->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >>
			       16 ==
		       0xa9fe;
	if (a->sa_family != AF_INET6)
		return false;
	return IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) && b[12] == 0xa9 && b[13] == 0xfe);
}

/* After the name was resolved, so that no spelling and no DNS answer gets past it. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose UNUSED, struct curl_sockaddr *to)
{
	struct http_call *c = arg;

	if (is_link_local(&to->addr)) {
		c->link_local = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* Unacknowledged data or probes: both count. */
static int set_socket(void *arg UNUSED, curl_socket_t fd, curlsocktype what UNUSED)
{
	unsigned ms = HTTP_PEER_DEAD_MS;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return CURL_SOCKOPT_OK;
}

static void set_rest(struct http_call *c, const struct http_request *req)
{
	long version = req->http2 && c->https ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;

	curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, version);
	curl_easy_setopt(c->easy, CURLOPT_PIPEWAIT, req->http2 ? 1L : 0L);
	curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c->easy, CURLOPT_TCP_KEEPIDLE, HTTP_PEER_DEAD_MS / 2000L);
	curl_easy_setopt(c->easy, CURLOPT_TCP_KEEPINTVL, HTTP_PEER_DEAD_MS / 6000L);
	curl_easy_setopt(c->easy, CURLOPT_SOCKOPTFUNCTION, set_socket);
	curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->reason);
	curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
	if (req->no_link_local) {
		curl_easy_setopt(c->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
		curl_easy_setopt(c->easy, CURLOPT_OPENSOCKETDATA, c);
	}
	curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, take_head);
	curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
}

struct err *http_send(struct http *h, const struct http_request *req,
		      const struct http_callbacks *cb, void *arg, struct http_call **ret)
{
	CLEANUP(http_call) struct http_call *c = xcalloc(1, sizeof(*c));

	assert(cb->on_done);
	c->http = h;
	c->cb = *cb;
	c->arg = arg;
	c->timeout = req->timeout;
	c->max_body = req->max_body ? req->max_body : cb->on_data ? SIZE_MAX : HTTP_MAX_BODY;
	c->easy = curl_easy_init();
	assert(c->easy);
	TRY(set_url(c, req->url, req->tls.server_name));
	set_unix_socket(c, req->unix_socket);
	TRY(set_method(c, req));
	TRY(set_headers(c, req));
	TRY(set_tls(c, &req->tls));
	set_rest(c, req);
	c->next = h->calls;
	if (c->next)
		c->next->prev = c;
	h->calls = c;
	if (req->timeout > 0)
		c->timer = timer_start(h->loop, req->timeout, on_timeout, c);
	settle_soon(h);
	if (ret)
		*ret = c;
	c = NULL;
	return NULL;
}

void http_cancel(struct http_call *c)
{
	if (!c || c->cancelled)
		return;
	if (!c->http->in_curl) {
		call_free(c);
		return;
	}
	c->cancelled = true;
	timer_stop(STEAL(c->timer));
	settle_soon(c->http);
}
