/* ask: the way to a daemon, one question at a time or several, and its stream of events. */
#include "client_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_TOKEN 4096u

/* ------------------------------------------------------------------ questions */

static void escaped(struct buf *b, str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '.' || c == '_' || c == '~')
			buf_char(b, (char)c);
		else
			buf_printf(b, "%%%02X", c);
	}
}

void query_init(struct query *q, bool acts, const char *path)
{
	*q = (struct query){BUF_INIT, BUF_INIT, acts, false};
	buf_printf(&q->path, "/api/v1/%s", path);
}

void query_part(struct query *q, str part)
{
	buf_char(&q->path, '/');
	escaped(&q->path, part);
}

static void key(struct query *q, const char *name)
{
	if (q->acts) {
		buf_char(&q->body, q->params ? ',' : '{');
		buf_json(&q->body, str_from(name));
		buf_char(&q->body, ':');
	} else {
		buf_printf(&q->path, "%c%s=", q->params ? '&' : '?', name);
	}
	q->params = true;
}

void query_add(struct query *q, const char *name, str value)
{
	if (!value.n)
		return;
	key(q, name);
	if (q->acts)
		buf_json(&q->body, value);
	else
		escaped(&q->path, value);
}

void query_flag(struct query *q, const char *name, bool on)
{
	if (!on)
		return;
	key(q, name);
	buf_str(q->acts ? &q->body : &q->path, q->acts ? STR("true") : STR("1"));
}

void query_done(struct query *q)
{
	buf_done(&q->path);
	buf_done(&q->body);
}

/* ------------------------------------------------------------------ where the daemon is */

static bool somebody_listens(const char *path)
{
	CLEANUP(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = strlen(path);

	if (fd < 0 || n >= sizeof(a.sun_path))
		return false;
	memcpy(a.sun_path, path, n);
	/* EACCES is said by the question itself, in better words than "no daemon". */
	return connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EACCES;
}

static struct err *no_daemon(size_t tried, const char *path)
{
	if (path)
		return err_hint(
			err_new(ERR_UNREACHABLE, "no daemon at the socket '%s'", path),
			"start one with 'leeboard run', or name it with --socket or --server");
	return err_new(
		ERR_UNREACHABLE,
		"no daemon at the socket (tried %s): start one with 'leeboard run', or name it "
		"with --socket or --server",
		tried == 2 ? "two paths" : "one path");
}

static struct err *find_server(struct client *c, str url)
{
	str file = verb_value(&c->words, "--token-file");
	CLEANUP(buf) struct buf b = BUF_INIT;

	while (str_ends(url, STR("/")))
		url = str_sub(url, 0, url.n - 1);
	c->server = arena_str(c->a, url);
	if (!file.n)
		return NULL;
	TRY(file_read(arena_str(c->a, file).p, MAX_TOKEN, &b));
	c->token = arena_str(c->a, str_trim(buf_view(&b)));
	if (!c->token.n)
		return err_new(ERR_INVALID, "'" STR_FMT "' holds no token", STR_ARG(file));
	return NULL;
}

struct err *client_find(struct client *c)
{
	str socket_flag = verb_value(&c->words, "--socket");
	str server = verb_value(&c->words, "--server"), user;
	const char *named =
		socket_flag.n ? arena_str(c->a, socket_flag).p : getenv("LEEBOARD_SOCKET");
	size_t tried = 0;

	if (socket_flag.n && server.n)
		return err_new(ERR_USAGE, "'--socket' and '--server' name two daemons");
	if (!socket_flag.n && !server.n)
		server = str_from(getenv("LEEBOARD_SERVER"));
	if (server.n && (!named || !socket_flag.n))
		return find_server(c, server);
	if (named && named[0]) {
		c->socket = named;
		return somebody_listens(named) ? NULL : no_daemon(1, named);
	}
	user = place_user_socket(c->a);
	if (user.n) {
		tried++;
		if (somebody_listens(user.p)) {
			c->socket = user.p;
			return NULL;
		}
	}
	tried++;
	if (somebody_listens(PLACE_SYSTEM_SOCKET)) {
		c->socket = PLACE_SYSTEM_SOCKET;
		return NULL;
	}
	return no_daemon(tried, NULL);
}

/* ------------------------------------------------------------------ one question */

struct asking {
	struct client *c;
	void (*done)(void *arg, const struct answer *a, struct err *e);
	void *arg;
};

static int exit_of(const struct http_response *r)
{
	uint64_t n;

	return str_to_u64(http_header_get(r, STR("Leeboard-Exit")), &n) && n < 128 ? (int)n : -1;
}

static void on_done(void *arg, const struct http_response *r, struct err *e)
{
	struct asking *q = arg;
	struct client *c = q->c;
	struct answer a = {0};
	msec t;

	if (e) {
		q->done(q->arg, NULL, e);
		return;
	}
	a.status = r->status;
	a.exit = exit_of(r);
	a.json = arena_str(c->a, str_trim(r->body));
	if (str_starts(a.json, STR("{"))) {
		struct text *t_in = ARENA_NEW(c->a, struct text);

		*t_in = (struct text){STR("<answer>"), a.json};
		e = str_utf8_bad(a.json) == SIZE_MAX ? node_read_json(c->a, t_in, &a.doc)
						     : err_new(ERR_SYNTAX, "it is not UTF-8");
		if (e) {
			err_free(e);
			a.doc = NULL;
		}
	}
	if (!a.doc) {
		e = err_new(ERR_UNREACHABLE, "the daemon's answer is no document (status %u)",
			    r->status);
		q->done(q->arg, NULL, e);
	} else {
		if (time_parse(node_get_text(a.doc, STR("time")), &t))
			c->now = t;
		q->done(q->arg, &a, NULL);
	}
}

static struct err *send_it(struct client *c, const char *method, str path, str body,
			   struct http_header *more, size_t more_n, const struct http_callbacks *cb,
			   void *arg, struct http_call **ret)
{
	struct http_header headers[4];
	struct http_request req = {
		.method = str_from(method),
		.url = arena_printf(c->a, STR_FMT STR_FMT,
				    STR_ARG(c->socket ? STR("http://leeboard") : c->server),
				    STR_ARG(path)),
		.unix_socket = c->socket,
		.headers = headers,
		.body = body,
		.max_body = cb->on_data ? 0 : CLIENT_MAX_ANSWER,
	};

	for (size_t i = 0; i < more_n; i++)
		headers[req.headers_n++] = more[i];
	if (body.n)
		headers[req.headers_n++] =
			(struct http_header){STR("Content-Type"), STR("application/json")};
	if (c->token.n)
		headers[req.headers_n++] = (struct http_header){
			STR("Authorization"),
			arena_printf(c->a, "Bearer " STR_FMT, STR_ARG(c->token))};
	return http_send(c->http, &req, cb, arg, ret);
}

struct err *client_ask_later(struct client *c, const struct query *q,
			     void (*done)(void *arg, const struct answer *a, struct err *e),
			     void *arg)
{
	static const struct http_callbacks cb = {.on_done = on_done};
	CLEANUP(buf) struct buf body = BUF_INIT;
	struct asking *asking = ARENA_NEW(c->a, struct asking);

	*asking = (struct asking){c, done, arg};
	if (q->acts) {
		buf_str(&body, q->params ? buf_view(&q->body) : STR("{"));
		buf_char(&body, '}');
	}
	return send_it(c, q->acts ? "POST" : "GET", buf_view(&q->path), buf_view(&body), NULL, 0,
		       &cb, asking, NULL);
}

struct one {
	struct answer *ret;
	struct err *e;
	bool done;
};

static void take(void *arg, const struct answer *a, struct err *e)
{
	struct one *o = arg;

	if (a)
		*o->ret = *a;
	o->e = e;
	o->done = true;
}

struct err *client_ask(struct client *c, const struct query *q, struct answer *ret)
{
	struct one *o = ARENA_NEW(c->a, struct one);

	o->ret = ret;
	TRY(client_ask_later(c, q, take, o));
	while (!o->done && !c->late)
		loop_turn(c->loop, true);
	if (!o->done)
		return err_new(ERR_TIMEOUT, "time was up; what was going on goes on");
	return o->e;
}

/* ------------------------------------------------------------------ the stream */

void sse_done(struct sse *s)
{
	buf_done(&s->line);
	buf_done(&s->data);
	buf_done(&s->name);
}

static void sse_line(struct sse *s, void (*event)(void *arg, uint64_t number, str name, str data),
		     void *arg)
{
	str line = buf_view(&s->line), value;
	size_t colon = str_chr(line, ':');
	str field = str_sub(line, 0, colon);

	if (str_ends(line, STR("\r")))
		line = str_sub(line, 0, line.n - 1);
	if (!line.n) {
		if (s->data.n && !s->too_long)
			event(arg, s->number, s->name.n ? buf_view(&s->name) : STR("message"),
			      buf_view(&s->data));
		buf_clear(&s->data);
		buf_clear(&s->name);
		s->number = 0;
		s->too_long = false;
		return;
	}
	value = colon == SIZE_MAX ? STR("") : str_sub(line, colon + 1, SIZE_MAX);
	if (str_starts(value, STR(" ")))
		value = str_sub(value, 1, SIZE_MAX);
	if (str_eq(field, STR("id"))) {
		if (!str_to_u64(value, &s->number))
			s->number = 0;
	} else if (str_eq(field, STR("event"))) {
		buf_clear(&s->name);
		buf_str(&s->name, value);
	} else if (str_eq(field, STR("data"))) {
		if (s->data.n)
			buf_char(&s->data, '\n');
		if (s->data.n + value.n > CLIENT_MAX_LINE)
			s->too_long = true;
		else
			buf_str(&s->data, value);
	}
}

void sse_feed(struct sse *s, str bytes,
	      void (*event)(void *arg, uint64_t number, str name, str data), void *arg)
{
	for (size_t i = 0; i < bytes.n; i++) {
		if (bytes.p[i] == '\n') {
			sse_line(s, event, arg);
			buf_clear(&s->line);
		} else if (s->line.n < CLIENT_MAX_LINE) {
			buf_char(&s->line, bytes.p[i]);
		} else {
			s->too_long = true;
		}
	}
}

struct stream {
	struct client *c;
	struct stream_calls calls;
	void *arg;
	struct http_call *call;
	struct sse sse;
	struct buf error;
	bool open, closed;
};

void stream_close(struct stream *s)
{
	if (!s)
		return;
	http_cancel(s->call);
	sse_done(&s->sse);
	buf_done(&s->error);
	free(s);
}

static void on_head(void *arg, const struct http_response *r)
{
	struct stream *s = arg;

	s->open = r->status == 200;
	if (s->open && s->calls.open)
		s->calls.open(s->arg);
}

static void on_data(void *arg, str bytes)
{
	struct stream *s = arg;

	if (s->open)
		sse_feed(&s->sse, bytes, s->calls.event, s->arg);
}

static void on_end(void *arg, const struct http_response *r, struct err *e)
{
	struct stream *s = arg;

	s->call = NULL;
	if (!e && r->status != 200)
		e = err_new(r->status == 401 || r->status == 403 ? ERR_FORBIDDEN : ERR_UNREACHABLE,
			    "the daemon refuses its stream of events (status %u)", r->status);
	s->calls.end(s->arg, e);
}

struct err *stream_open(struct client *c, uint64_t after, bool replay,
			const struct stream_calls *calls, void *arg, struct stream **ret)
{
	static const struct http_callbacks cb = {on_head, on_data, on_end};
	struct stream *s = xcalloc(1, sizeof(*s));
	struct http_header last = {STR("Last-Event-ID"),
				   arena_printf(c->a, "%llu", (unsigned long long)after)};
	struct err *e;

	s->c = c;
	s->calls = *calls;
	s->arg = arg;
	e = send_it(c, "GET", STR("/api/v1/stream"), STR(""), &last, replay ? 1 : 0, &cb, s,
		    &s->call);
	if (e) {
		free(s);
		return e;
	}
	*ret = s;
	return NULL;
}
