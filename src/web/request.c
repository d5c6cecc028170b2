/* request: one request from its head to its answer: who asks, may they, what does the engine say.
 */
#include "web_priv.h"
#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

struct request *request_new(struct web_door *d, struct web *w, struct MHD_Connection *c,
			    const char *uri)
{
	struct request *r = xcalloc(1, sizeof(*r));

	r->web = w;
	r->door = d;
	r->c = c;
	r->a = arena_new();
	r->uri = arena_str(r->a, str_from(uri));
	r->fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	r->exit = -1;
	r->next = w->requests;
	if (r->next)
		r->next->prev = r;
	w->requests = r;
	return r;
}

void request_free(struct request *r)
{
	if (!r)
		return;
	if (r->hangup)
		loop_fd_stop(r->hangup);
	sync_unask(r->asked);
	stream_free(r->stream);
	if (r->prev)
		r->prev->next = r->next;
	else
		r->web->requests = r->next;
	if (r->next)
		r->next->prev = r->prev;
	buf_done(&r->body);
	buf_done(&r->answer);
	arena_free(r->a);
	free(r);
}

/* ------------------------------------------------------------------ answers */

void request_fail(struct request *r, unsigned status, const char *code, const char *fmt, ...)
{
	str now = time_rfc3339(r->a, clock_wall(r->web->env.loop), false), message;
	va_list ap;

	va_start(ap, fmt);
	message = arena_vprintf(r->a, fmt, ap);
	va_end(ap);
	buf_clear(&r->answer);
	buf_str(&r->answer,
		STR("{\"apiVersion\":\"leeboard.dev/v1\",\"kind\":\"Error\",\"instance\":"));
	buf_json(&r->answer, sync_instance(r->web->env.sync));
	buf_printf(&r->answer,
		   ",\"time\":\"" STR_FMT "\",\"errors\":[{\"code\":\"%s\",\"message\":",
		   STR_ARG(now), code);
	buf_json(&r->answer, message);
	buf_str(&r->answer, STR("}]}"));
	r->status = status;
	r->exit = status == 403 ? 3 : 2;
	r->type = "application/json";
}

static void fail_with(struct request *r, unsigned status, struct err *e)
{
	str now = time_rfc3339(r->a, clock_wall(r->web->env.loop), false);

	buf_clear(&r->answer);
	buf_str(&r->answer,
		STR("{\"apiVersion\":\"leeboard.dev/v1\",\"kind\":\"Error\",\"instance\":"));
	buf_json(&r->answer, sync_instance(r->web->env.sync));
	buf_printf(&r->answer, ",\"time\":\"" STR_FMT "\",\"errors\":", STR_ARG(now));
	err_json(e, &r->answer);
	buf_char(&r->answer, '}');
	r->status = status;
	r->exit = err_exit_status(e);
	r->type = "application/json";
	err_free(e);
}

static void say(struct request *r, unsigned status, const char *type)
{
	r->status = status;
	r->type = type;
}

static void add(struct MHD_Response *m, const char *name, const char *value)
{
	enum MHD_Result rc = MHD_add_response_header(m, name, value);

	assert(rc == MHD_YES);
}

static enum MHD_Result reply(struct request *r)
{
	size_t n = r->answer.n + (r->answer.n > 0);
	struct MHD_Response *m;
	enum MHD_Result rc;
	char exit_status[16];

	if (r->answer.n)
		buf_char(&r->answer, '\n');
	m = MHD_create_response_from_buffer(n, r->answer.p, MHD_RESPMEM_MUST_COPY);
	buf_done(&r->answer);
	assert(m);
	add(m, "Content-Type", r->type);
	add(m, "Cache-Control", "no-store");
	add(m, "X-Content-Type-Options", "nosniff");
	if (r->exit >= 0) {
		snprintf(exit_status, sizeof(exit_status), "%d", r->exit);
		add(m, "Leeboard-Exit", exit_status);
	}
	if (r->allow)
		add(m, "Allow", r->allow);
	if (r->status == 401)
		add(m, "WWW-Authenticate", "Bearer realm=\"leeboard\"");
	if (r->status == 429)
		add(m, "Retry-After", "1");
	rc = MHD_queue_response(r->c, r->status, m);
	MHD_destroy_response(m);
	return rc;
}

/* ------------------------------------------------------------------ sleeping */

/* Readable means closed, or that the next request came early; then closing goes unnoticed. */
static void on_hangup(void *arg, int events UNUSED)
{
	struct request *r = arg;
	char byte;
	ssize_t n = recv(r->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	loop_fd_stop(STEAL(r->hangup));
	if (n > 0)
		return;
	r->gone = true;
	sync_unask(STEAL(r->asked));
	request_wake(r);
}

void request_sleep(struct request *r)
{
	r->suspended = true;
	MHD_suspend_connection(r->c);
	if (!r->hangup)
		r->hangup = loop_fd(r->web->env.loop, r->fd, LOOP_READ, on_hangup, r);
}

void request_wake(struct request *r)
{
	if (!r->suspended)
		return;
	r->suspended = false;
	if (r->hangup)
		loop_fd_stop(STEAL(r->hangup));
	MHD_resume_connection(r->c);
	web_door_soon(r->door);
}

/* ------------------------------------------------------------------ who asks */

static str header(struct request *r, const char *name)
{
	return str_from(MHD_lookup_connection_value(r->c, MHD_HEADER_KIND, name));
}

static str header_of(void *arg, const char *name)
{
	return header(arg, name);
}

static bool token_fits(struct request *r)
{
	str token = web_bearer(header(r, "Authorization"));
	struct hash h = hash_sha256(token);

	return token.n && hash_eq(&h, &r->web->token);
}

/* Over http; the socket is told apart before. True: go on. */
static bool may_read_remotely(struct request *r)
{
	if (r->web->has_token) {
		if (token_fits(r))
			return true;
		request_fail(r, 401, "usage",
			     "this needs the read token, as 'Authorization: Bearer TOKEN'");
		return false;
	}
	if (r->web->loopback && web_host_is_local(header(r, "Host")))
		return true;
	request_fail(r, 403, "usage",
		     "without a read token only this machine's own names are served");
	return false;
}

static bool may(struct request *r)
{
	enum web_route route = r->target.route;

	if (web_door_local(r->door)) {
		r->right = web_socket_peer(&r->web->socket, r->fd, &r->caller.uid);
		r->caller.local = true;
		if (r->right == WEB_MAY_ACT || (r->right == WEB_MAY_READ && !r->target.acts))
			return true;
		request_fail(r, 403, "usage",
			     r->right == WEB_MAY_READ ? "you may read here, but not act"
						      : "you may not talk to this daemon");
		return false;
	}
	r->caller.person = STR("http");
	if (route == WEB_HEALTHZ || route == WEB_READYZ || route == WEB_METRICS ||
	    route == WEB_HOOK)
		return true;
	if (r->target.acts) {
		request_fail(r, 403, "not-supported-yet",
			     "acting is for the control socket, not for http yet");
		return false;
	}
	return may_read_remotely(r);
}

/* ------------------------------------------------------------------ what is answered */

static void on_answer(void *arg, const struct sync_answer *a)
{
	struct request *r = arg;

	r->asked = NULL;
	buf_str(&r->answer, a->json);
	r->exit = a->exit;
	say(r, a->status, "application/json");
	if (r->target.acts) {
		char status[16];

		snprintf(status, sizeof(status), "%u", a->status);
		log_info(r->web->env.log, "web.acted", "path", r->uri.p, "by", r->caller.person.p,
			 "status", status);
	}
	request_wake(r);
}

static void ask(struct request *r)
{
	struct sync_question q = {
		.verb = r->target.verb,
		.name = r->target.name,
		.args = r->target.args,
		.caller = r->caller,
	};

	if (r->target.acts) {
		struct text *body = ARENA_NEW(r->a, struct text);
		const struct node *args;
		struct err *e;

		body->name = STR("<body>");
		body->bytes = arena_str(r->a, buf_view(&r->body));
		e = web_body_read(r->a, body, &args);
		if (e) {
			fail_with(r, 400, e);
			return;
		}
		if (args)
			q.args = args;
	}
	if (r->caller.local)
		q.caller.person = r->caller.person = web_user_name(r->a, r->caller.uid);
	sync_ask(r->web->env.sync, &q, on_answer, r, &r->asked);
	request_sleep(r);
}

/* A bucket for each source that exists, and one for all names that do not. */
static bool hook_has_room(struct web *w, str source)
{
	msec now = clock_now(w->env.loop);
	struct web_bucket *b = NULL;

	if (!config_source(sync_config(w->env.sync), STR(""), source))
		source = STR("");
	for (size_t i = 0; i < w->buckets.n && !b; i++)
		if (str_eq(w->buckets.p[i].source, source))
			b = &w->buckets.p[i];
	if (!b) {
		b = ARENA_PUSH(w->arena, &w->buckets);
		*b = (struct web_bucket){arena_str(w->arena, source), WEB_HOOK_BURST, now};
	}
	b->left += (double)(now - b->at) / SECOND;
	b->at = now;
	if (b->left > WEB_HOOK_BURST)
		b->left = WEB_HOOK_BURST;
	if (b->left < 1)
		return false;
	b->left -= 1;
	return true;
}

static void hook(struct request *r)
{
	unsigned status;

	if (!hook_has_room(r->web, r->target.name)) {
		request_fail(r, 429, "limit", "too many webhooks at once");
		return;
	}
	status = sync_hook(r->web->env.sync, r->target.name, buf_view(&r->body), header_of, r);
	if (status >= 200 && status < 300)
		say(r, status, "text/plain; charset=utf-8");
	else if (status == 401)
		request_fail(r, 403, "SourceAuth", "the signature of this webhook does not fit");
	else
		request_fail(r, status == 404 ? 404 : status, "not-found",
			     "no Source of this name takes webhooks");
}

static void decide(struct request *r)
{
	struct web *w = r->web;

	switch (r->target.route) {
	case WEB_ASK:
		ask(r);
		return;
	case WEB_STREAM:
		return; /* request_step starts it */
	case WEB_HOOK:
		hook(r);
		return;
	case WEB_HEALTHZ:
		buf_str(&r->answer, STR("ok"));
		say(r, 200, "text/plain; charset=utf-8");
		return;
	case WEB_READYZ:
		buf_str(&r->answer, sync_ready(w->env.sync)
					    ? STR("ready")
					    : STR("not yet: not every source was tried"));
		say(r, sync_ready(w->env.sync) ? 200 : 503, "text/plain; charset=utf-8");
		return;
	case WEB_METRICS:
		sync_metrics(w->env.sync);
		metrics_write(w->env.metrics, &r->answer);
		if (r->answer.n && r->answer.p[r->answer.n - 1] == '\n')
			r->answer.n--; /* reply() ends the last line */
		say(r, 200, "text/plain; version=0.0.4; charset=utf-8");
		return;
	}
}

/* ------------------------------------------------------------------ step by step */

static void judge_head(struct request *r, const char *method)
{
	bool get = !strcmp(method, "GET") || !strcmp(method, "HEAD");
	size_t limit;
	uint64_t length;
	const char *why;

	if (!get && strcmp(method, "POST") != 0) {
		r->allow = "GET, HEAD, POST";
		request_fail(r, 405, "usage", "only GET, HEAD and POST are understood");
		return;
	}
	r->status = web_target_read(r->a, r->uri, !get, &r->target, &r->allow, &why);
	if (r->status != 200) {
		request_fail(r, r->status, r->status == 404 ? "not-found" : "usage", "%s", why);
		return;
	}
	r->status = 0;
	if (!may(r))
		return;
	limit = r->target.route == WEB_HOOK ? WEB_MAX_HOOK : WEB_MAX_BODY;
	if (str_to_u64(str_trim(header(r, "Content-Length")), &length) && length > limit)
		request_fail(r, 413, "limit", "the body is larger than %zu bytes", limit);
}

/* Answers cannot be queued within a body; what comes too much is read and dropped, for a while. */
static enum MHD_Result take_body(struct request *r, const char *data, size_t *n)
{
	size_t limit = r->target.route == WEB_HOOK ? WEB_MAX_HOOK : WEB_MAX_BODY;

	if (r->body.n + *n > limit) {
		if (r->too_big)
			return MHD_NO;
		r->too_big = true;
	} else {
		buf_add(&r->body, data, *n);
	}
	*n = 0;
	return MHD_YES;
}

enum MHD_Result request_step(struct request *r, const char *method, const char *data, size_t *n)
{
	if (!r->begun) {
		r->begun = true;
		judge_head(r, method);
		if (r->status) {
			r->whole = true;
			return reply(r);
		}
		return MHD_YES;
	}
	if (*n)
		return take_body(r, data, n);
	if (r->gone)
		return MHD_NO;
	if (!r->whole) {
		r->whole = true;
		if (r->too_big)
			request_fail(r, 413, "limit", "the body is too large");
		else if (r->web->stopping)
			request_fail(r, 503, "Unreachable", "the daemon stops");
		else if (r->target.route == WEB_STREAM)
			return stream_start(r);
		else
			decide(r);
		if (r->suspended)
			return MHD_YES;
	}
	return reply(r);
}
