/* A remote: GET info/refs once, then one POST for each question.
 *
 * One request is under way at a time. `step` is what waits for the capabilities. */
#include "remote_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#define DEFAULT_TIMEOUT (60 * SECOND)
#define DEFAULT_FETCH_TIMEOUT (5 * MINUTE)
#define MAX_CAPS (1u << 20)
#define MAX_URL 4096u

struct remote {
	struct arena *arena; /* url and credentials */
	struct loop *loop;
	struct http *http;
	struct http_call *call;
	struct timer *later; /* a failure found within a callback of http */
	str url;             /* without a slash at the end; where a redirect led to */
	str where;           /* host and port, for messages */
	str authorization;   /* of the header; empty: none */
	struct http_tls tls;
	msec timeout;
	bool has_caps, redirected;
	struct remote_caps caps;
	uint64_t sent, received;

	/* what is under way */
	bool busy;
	struct buf body; /* of the POST */
	bool is_fetch;
	void (*on_refs)(void *arg, const struct remote_refs *refs, struct err *e);
	struct remote_fetch_calls calls;
	void *arg;
	struct remote_stream stream;
	unsigned status; /* of a fetch's answer, known at its head */
	struct err *failed;
	uint64_t max_pack;
	msec fetch_timeout;
	bool asked_again; /* the capabilities that we remembered were refused once */
};

/* ------------------------------------------------------------------ coming and going */

static str no_slash(str url)
{
	while (url.n && url.p[url.n - 1] == '/')
		url.n--;
	return url;
}

static str copied(struct remote *r, str s)
{
	return arena_str(r->arena, s);
}

static void set_authorization(struct remote *r, const struct remote_spec *spec)
{
	CLEANUP(buf) struct buf plain = BUF_INIT;
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (spec->auth == AUTH_BASIC) {
		buf_printf(&plain, STR_FMT ":" STR_FMT, STR_ARG(spec->username),
			   STR_ARG(spec->secret));
		buf_str(&b, STR("Basic "));
		buf_base64(&b, plain.p, plain.n);
	} else if (spec->auth == AUTH_BEARER) {
		buf_printf(&b, "Bearer " STR_FMT, STR_ARG(spec->secret));
	}
	r->authorization = copied(r, buf_view(&b));
	if (plain.n)
		mem_wipe(plain.p, plain.n);
	if (b.n)
		mem_wipe(b.p, b.n);
}

struct err *remote_new(struct loop *l, const struct remote_spec *spec, struct remote **ret)
{
	CLEANUP(remote) struct remote *r = NULL;
	struct remote_url u;

	if (spec->url.n > MAX_URL || !remote_url_parse(spec->url, &u))
		return err_new(ERR_INVALID, "the url of a remote must be http://HOST/PATH or "
					    "https://HOST/PATH");
	if (spec->auth == AUTH_SSH)
		return err_new(ERR_INVALID, "an ssh key is of no use over http");
	r = xcalloc(1, sizeof *r);
	r->arena = arena_new();
	r->loop = l;
	r->http = http_new(l);
	r->url = copied(r, no_slash(spec->url));
	r->where = arena_printf(r->arena, STR_FMT ":" STR_FMT, STR_ARG(u.host), STR_ARG(u.port));
	r->tls = spec->tls;
	if (spec->tls.ca_file)
		r->tls.ca_file = copied(r, str_from(spec->tls.ca_file)).p;
	r->tls.ca_pem = copied(r, spec->tls.ca_pem);
	r->tls.cert_pem = copied(r, spec->tls.cert_pem);
	r->tls.key_pem = copied(r, spec->tls.key_pem);
	r->timeout = spec->timeout ? spec->timeout : DEFAULT_TIMEOUT;
	set_authorization(r, spec);
	*ret = STEAL(r);
	return NULL;
}

static void clear(struct remote *r)
{
	timer_stop(STEAL(r->later));
	r->call = NULL;
	r->busy = false;
	r->asked_again = false;
	err_free(STEAL(r->failed));
	remote_stream_done(&r->stream);
	buf_clear(&r->body);
}

void remote_free(struct remote *r)
{
	if (!r)
		return;
	clear(r);
	http_free(r->http);
	buf_done(&r->body);
	if (r->authorization.n)
		mem_wipe((char *)(uintptr_t)r->authorization.p, r->authorization.n);
	arena_free(r->arena);
	free(r);
}

void remote_cancel(struct remote *r)
{
	http_cancel(r->call);
	clear(r);
}

str remote_moved(const struct remote *r)
{
	return r->redirected ? r->url : STR_NONE;
}

void remote_bytes(const struct remote *r, uint64_t *sent, uint64_t *received)
{
	*sent = r->sent;
	*received = r->received;
}

/* The end of what is under way. Takes e. */
static void finish(struct remote *r, const struct remote_refs *refs, struct err *e)
{
	struct remote_fetch_calls calls = r->calls;
	bool fetch = r->is_fetch;

	clear(r);
	if (fetch)
		calls.done(r->arg, e);
	else
		r->on_refs(r->arg, e ? NULL : refs, e);
}

/* ------------------------------------------------------------------ what went wrong */

/* Only the codes of sources leave this module: a time-out is a server that cannot be reached. */
static struct err *of_source(struct remote *r, struct err *e)
{
	if (err_code(e) != ERR_TIMEOUT)
		return e;
	err_free(e);
	return err_new(ERR_UNREACHABLE, "'" STR_FMT "' gave no whole answer in time",
		       STR_ARG(r->where));
}

static struct err *of_status(struct remote *r, unsigned status)
{
	if (status == 401 && !r->authorization.n)
		return err_hint(err_new(ERR_SOURCE_AUTH, "'" STR_FMT "' wants credentials (401)",
					STR_ARG(r->where)),
				"give the Source 'auth'; a mistyped url looks the same to some "
				"servers");
	if (status == 401 || status == 403)
		return err_new(ERR_SOURCE_AUTH, "'" STR_FMT "' refuses the credentials (%u)",
			       STR_ARG(r->where), status);
	if (status == 404 || status == 410)
		return err_new(ERR_UNREACHABLE,
			       "'" STR_FMT "' has no repository at this url, or shows it to nobody "
			       "without the right credentials (%u)",
			       STR_ARG(r->where), status);
	return err_new(ERR_UNREACHABLE, "'" STR_FMT "' answers %u", STR_ARG(r->where), status);
}

static bool is_redirect(unsigned status)
{
	return status >= 300 && status < 400 && status != 304;
}

static struct err *redirected(struct remote *r, str to)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	to = str_sub(to, 0, str_chr(to, '?'));
	to = str_sub(to, 0, MAX_URL);
	if (str_ends(to, STR("/info/refs")))
		to.n -= strlen("/info/refs");
	if (str_contains(to, STR("@"))) /* a user and password may stand in it */
		to = STR_NONE;
	buf_escaped(&b, to);
	return err_hint(err_new(ERR_REDIRECTED, "'" STR_FMT "' redirects to '%s'",
				STR_ARG(r->where), b.p ? b.p : ""),
			"if that is right, write it as the Source's url");
}

/* ------------------------------------------------------------------ requests */

static void ask(struct remote *r);

static const struct http_header git_protocol = {STR("Git-Protocol"), STR("version=2")};
static const struct http_header user_agent = {STR("User-Agent"),
					      STR("git/leeboard-" LEEBOARD_VERSION)};

static struct err *send_request(struct remote *r, str path, bool post,
				const struct http_callbacks *cb, size_t max_body)
{
	CLEANUP(buf) struct buf url = BUF_INIT;
	struct http_header h[5] = {git_protocol, user_agent};
	struct http_request req = {.headers = h,
				   .headers_n = 2,
				   .max_body = max_body,
				   .timeout = post && r->is_fetch ? r->fetch_timeout : r->timeout,
				   .tls = r->tls};

	buf_printf(&url, STR_FMT STR_FMT, STR_ARG(r->url), STR_ARG(path));
	req.url = buf_view(&url);
	if (r->authorization.n)
		h[req.headers_n++] = (struct http_header){STR("Authorization"), r->authorization};
	if (post) {
		req.method = STR("POST");
		req.body = buf_view(&r->body);
		h[req.headers_n++] = (struct http_header){
			STR("Content-Type"), STR("application/x-git-upload-pack-request")};
		h[req.headers_n++] = (struct http_header){
			STR("Accept"), STR("application/x-git-upload-pack-result")};
		r->sent += r->body.n;
	}
	return http_send(r->http, &req, cb, r, &r->call);
}

static bool type_is(const struct http_response *r, str type)
{
	str got = http_header_get(r, STR("Content-Type"));

	got = str_trim(str_sub(got, 0, str_chr(got, ';')));
	return got.n == type.n && !strncasecmp(got.p, type.p, got.n);
}

/* A place on the same server, else an error; once in a remote's life. */
static struct err *follow(struct remote *r, const struct http_response *res)
{
	str to = http_header_get(res, STR("Location"));
	struct remote_url here, there;
	str path, base;
	size_t query = str_chr(to, '?');

	path = str_sub(to, 0, query);
	if (to.n > MAX_URL || r->redirected || !str_ends(path, STR("/info/refs")))
		return redirected(r, to);
	path.n -= strlen("/info/refs");
	remote_url_parse(r->url, &here);
	base = path;
	if (str_starts(path, STR("/")) && !str_starts(path, STR("//")))
		base = arena_printf(r->arena, STR_FMT STR_FMT,
				    STR_ARG(str_sub(r->url, 0, r->url.n - here.path.n)),
				    STR_ARG(path));
	if (!remote_url_parse(base, &there) || !str_eq(here.scheme, there.scheme) ||
	    !str_eq(here.port, there.port) || here.host.n != there.host.n ||
	    strncasecmp(here.host.p, there.host.p, here.host.n) != 0)
		return redirected(r, to);
	r->url = copied(r, no_slash(base));
	r->redirected = true;
	return NULL;
}

static void on_caps(void *arg, const struct http_response *res, struct err *e)
{
	struct remote *r = arg;

	r->call = NULL;
	if (!e) {
		r->received += res->body.n;
		if (is_redirect(res->status)) {
			e = follow(r, res);
			if (!e) {
				ask(r);
				return;
			}
		} else if (res->status != 200) {
			e = of_status(r, res->status);
		} else if (!type_is(res, STR("application/x-git-upload-pack-advertisement"))) {
			e = err_new(ERR_UNREACHABLE,
				    "'" STR_FMT "' does not answer as a Git server: its answer has "
				    "another type",
				    STR_ARG(r->where));
		} else {
			e = remote_caps_parse(res->body, r->where, &r->caps);
		}
	}
	if (e) {
		finish(r, NULL, of_source(r, e));
		return;
	}
	r->has_caps = true;
	r->asked_again = true; /* these are fresh */
	ask(r);
}

/* A server that was replaced since may not know our POST any more: its capabilities are asked for
 * again, once. */
static bool try_again(struct remote *r, unsigned status)
{
	if (r->asked_again || (status != 400 && status != 404 && status != 415 && status < 500))
		return false;
	r->asked_again = true;
	r->has_caps = false;
	return true;
}

static void on_list(void *arg, const struct http_response *res, struct err *e)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct remote *r = arg;
	struct remote_refs refs = {0};

	r->call = NULL;
	if (!e) {
		r->received += res->body.n;
		if (is_redirect(res->status)) {
			e = redirected(r, http_header_get(res, STR("Location")));
		} else if (res->status != 200) {
			if (try_again(r, res->status)) {
				ask(r);
				return;
			}
			e = of_status(r, res->status);
		} else {
			e = remote_refs_parse(a, res->body, r->where, &refs);
		}
	}
	finish(r, &refs, e ? of_source(r, e) : NULL);
}

/* ------------------------------------------------------------------ the stream of a fetch */

static void fail_now(void *arg)
{
	struct remote *r = arg;

	r->later = NULL;
	finish(r, NULL, STEAL(r->failed));
}

static void on_fetch_head(void *arg, const struct http_response *res)
{
	struct remote *r = arg;

	r->status = res->status;
	if (is_redirect(res->status))
		r->failed = redirected(r, http_header_get(res, STR("Location")));
}

static void on_fetch_data(void *arg, str bytes)
{
	struct remote *r = arg;

	r->received += bytes.n;
	if (r->failed || r->status != 200) /* the text of an error page is not for us */
		return;
	r->failed = remote_stream_feed(&r->stream, bytes);
	if (r->failed) {
		http_cancel(STEAL(r->call));
		r->later = timer_start(r->loop, 0, fail_now, r);
	}
}

static void on_fetch_done(void *arg, const struct http_response *res, struct err *e)
{
	struct remote *r = arg;

	r->call = NULL;
	if (!e && r->failed)
		e = STEAL(r->failed);
	if (!e && res->status != 200) {
		if (try_again(r, res->status)) {
			ask(r);
			return;
		}
		e = of_status(r, res->status);
	}
	if (!e)
		e = remote_stream_end(&r->stream);
	finish(r, NULL, e ? of_source(r, e) : NULL);
}

/* ------------------------------------------------------------------ what is asked */

static void fail_later(struct remote *r, struct err *e)
{
	r->failed = e;
	r->later = timer_start(r->loop, 0, fail_now, r);
}

/* The next request of what is under way. */
static void ask(struct remote *r)
{
	static const struct http_callbacks caps = {.on_done = on_caps};
	static const struct http_callbacks list = {.on_done = on_list};
	static const struct http_callbacks fetch = {
		.on_head = on_fetch_head, .on_data = on_fetch_data, .on_done = on_fetch_done};
	struct err *e;

	if (!r->has_caps)
		e = send_request(r, STR("/info/refs?service=git-upload-pack"), false, &caps,
				 MAX_CAPS);
	else if (r->is_fetch)
		e = send_request(r, STR("/git-upload-pack"), true, &fetch, r->max_pack);
	else
		e = send_request(r, STR("/git-upload-pack"), true, &list, REMOTE_MAX_LIST);
	if (e)
		fail_later(r, e);
}

static void begin(struct buf *b, const char *command)
{
	pkt_line(b, "command=%s", command);
	pkt_line(b, "agent=git/leeboard-%s", LEEBOARD_VERSION);
	pkt_line(b, "object-format=sha1");
	pkt_delim(b);
}

static struct err *text_ok(str s)
{
	if (s.n > REMOTE_MAX_NAME || str_chr(s, '\n') != SIZE_MAX)
		return err_new(ERR_INVALID, "a ref's name that no server can be asked for");
	return NULL;
}

struct err *remote_poll(struct remote *r, const str *prefixes, size_t n,
			void (*fn)(void *arg, const struct remote_refs *refs, struct err *e),
			void *arg)
{
	assert(!r->busy);
	for (size_t i = 0; i < n; i++)
		TRY(text_ok(prefixes[i]));
	begin(&r->body, "ls-refs");
	pkt_line(&r->body, "peel");
	pkt_line(&r->body, "symrefs");
	for (size_t i = 0; i < n; i++)
		pkt_line(&r->body, "ref-prefix " STR_FMT, STR_ARG(prefixes[i]));
	pkt_flush(&r->body);
	r->busy = true;
	r->is_fetch = false;
	r->on_refs = fn;
	r->arg = arg;
	ask(r);
	return NULL;
}

struct err *remote_fetch(struct remote *r, const struct remote_fetch *f,
			 const struct remote_fetch_calls *calls, void *arg)
{
	assert(!r->busy);
	if (!remote_is_id(f->want))
		return err_new(ERR_INVALID, "'" STR_FMT "' is no object id", STR_ARG(f->want));
	begin(&r->body, "fetch");
	pkt_line(&r->body, "ofs-delta");
	if (!calls->progress)
		pkt_line(&r->body, "no-progress");
	for (size_t i = 0; i < f->shallow_n; i++)
		pkt_line(&r->body, "shallow " STR_FMT, STR_ARG(f->shallow[i]));
	if (f->depth)
		pkt_line(&r->body, "deepen %u",
			 f->depth > INT32_MAX ? (unsigned)INT32_MAX : f->depth);
	pkt_line(&r->body, "want " STR_FMT, STR_ARG(f->want));
	for (size_t i = 0; i < f->haves_n && i < REMOTE_MAX_HAVES; i++)
		pkt_line(&r->body, "have " STR_FMT, STR_ARG(f->haves[i]));
	pkt_line(&r->body, "done");
	pkt_flush(&r->body);
	r->busy = true;
	r->is_fetch = true;
	r->calls = *calls;
	r->arg = arg;
	r->status = 0;
	r->max_pack = f->max_pack ? f->max_pack : REMOTE_MAX_PACK;
	r->fetch_timeout = f->timeout ? f->timeout : DEFAULT_FETCH_TIMEOUT;
	r->stream = (struct remote_stream){.where = r->where, .calls = &r->calls, .arg = arg};
	ask(r);
	return NULL;
}
