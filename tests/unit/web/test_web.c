/* web against an engine that does what the test says: sync.h's functions are written here. */
#include "leeboard/web.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ------------------------------------------------------------------ the engine */

struct sync_asked {
	struct sync *s;
	void (*fn)(void *arg, const struct sync_answer *a);
	void *arg;
};
struct sync_listener {
	struct sync *s;
	void (*fn)(void *arg, uint64_t sequence, str name, str json);
	void *arg;
};
struct sync {
	struct loop *loop;
	struct config *config;
	struct buf told; /* what was asked, a line each */
	struct sync_asked *asked;
	struct sync_listener *listener;
	struct sync_answer answer;
	bool silent; /* never answers */
	bool not_ready;
	unsigned hook;
	void (*on_events)(struct sync *s); /* before an EVENTS question is answered */
};

const struct config *sync_config(const struct sync *s)
{
	return s->config;
}
str sync_instance(const struct sync *s UNUSED)
{
	return STR("test");
}
bool sync_ready(const struct sync *s)
{
	return !s->not_ready;
}
void sync_metrics(struct sync *s)
{
	buf_str(&s->told, STR("metrics\n"));
}

static void answer(void *arg)
{
	struct sync_asked *q = arg;
	struct sync *s = q->s;
	struct sync_answer a = s->answer;

	s->asked = NULL;
	if (s->on_events)
		s->on_events(s);
	q->fn(q->arg, &a);
	free(q);
}

void sync_ask(struct sync *s, const struct sync_question *q,
	      void (*fn)(void *arg, const struct sync_answer *a), void *arg,
	      struct sync_asked **ret)
{
	static const char *const names[] = {
#define X(id, method, path, acts, kind, what) #id,
		SYNC_ASKS(X)
#undef X
	};

	s->asked = xcalloc(1, sizeof(*s->asked));
	*s->asked = (struct sync_asked){s, fn, arg};
	buf_printf(&s->told, "%s " STR_FMT " %s ", names[q->verb], STR_ARG(q->name),
		   q->caller.local ? "local" : "remote");
	if (q->args)
		node_json(q->args, NODE_JSON_COMPACT, &s->told);
	buf_char(&s->told, '\n');
	*ret = s->asked;
	if (!s->silent)
		timer_start(s->loop, 1, answer, s->asked);
}
void sync_unask(struct sync_asked *a)
{
	if (!a)
		return;
	assert_true(a->s->silent);
	buf_str(&a->s->told, STR("unasked\n"));
	a->s->asked = NULL;
	free(a);
}

struct sync_listener *
sync_listen(struct sync *s, void (*fn)(void *arg, uint64_t sequence, str name, str json), void *arg)
{
	s->listener = xcalloc(1, sizeof(*s->listener));
	*s->listener = (struct sync_listener){s, fn, arg};
	return s->listener;
}
void sync_unlisten(struct sync_listener *l)
{
	if (!l)
		return;
	l->s->listener = NULL;
	free(l);
}

unsigned sync_hook(struct sync *s, str source, str body, str (*header)(void *arg, const char *name),
		   void *arg)
{
	str type = header(arg, "x-gitlab-event");

	buf_printf(&s->told, "hook " STR_FMT " " STR_FMT " %zu\n", STR_ARG(source), STR_ARG(type),
		   body.n);
	return s->hook;
}

/* ------------------------------------------------------------------ the story */

struct story {
	struct loop *loop;
	struct log *log;
	struct metrics *metrics;
	struct sync sync;
	struct daemon_doc daemon;
	struct web *web;
	char dir[32], path[64];
	bool late;
};

static void on_late(void *arg)
{
	((struct story *)arg)->late = true;
}

static int setup(void **state)
{
	struct story *s = xcalloc(1, sizeof(*s));
	struct text t = {STR("a.yaml"),
			 STR("apiVersion: leeboard.dev/v1\nkind: Source\nmetadata: {name: fleet}\n"
			     "spec: {url: 'https://git.example.org/a.git', ref: {branch: main}, "
			     "verify: {mode: off}}\n")};

	snprintf(s->dir, sizeof(s->dir), "/tmp/webXXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/sub/socket", s->dir);
	s->loop = loop_new();
	s->log = log_new(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_LOGFMT, LOG_INFO);
	s->metrics = metrics_new();
	s->sync.loop = s->loop;
	assert_null(config_parse(&t, 1, NULL, NULL, &s->sync.config));
	s->daemon = s->sync.config->daemon;
	s->sync.answer = (struct sync_answer){200, 1, STR("{\"apiVersion\":\"leeboard.dev/v1\"}")};
	s->sync.hook = 202;
	timer_start(s->loop, 20 * SECOND, on_late, s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct story *s = *state;
	char sub[64];

	web_stop(s->web);
	assert_int_equal(access(s->path, F_OK), -1);
	snprintf(sub, sizeof(sub), "%s/sub", s->dir);
	rmdir(sub);
	assert_int_equal(rmdir(s->dir), 0);
	free(s->sync.asked);
	buf_done(&s->sync.told);
	config_free(s->sync.config);
	metrics_free(s->metrics);
	log_free(s->log);
	loop_free(s->loop);
	free(s);
	return 0;
}

static struct err *start(struct story *s)
{
	struct web_env env = {s->loop, &s->sync, s->metrics, s->log, &s->daemon, s->path};

	return web_start(&env, &s->web);
}

static void started(struct story *s)
{
	struct err *e = start(s);

	if (e) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_print(e, &b);
		fail_msg("%s", b.p);
	}
}

/* ------------------------------------------------------------------ who asks */

struct guest {
	struct story *s;
	struct watch_fd *watch;
	struct buf got;
	int fd;
	bool closed;
};

static void on_bytes(void *arg, int events UNUSED)
{
	struct guest *g = arg;
	char b[65536];
	ssize_t n = recv(g->fd, b, sizeof(b), MSG_DONTWAIT);

	if (n > 0) {
		buf_add(&g->got, b, (size_t)n);
	} else if (n == 0 || errno != EAGAIN) {
		g->closed = true;
		loop_fd_stop(STEAL(g->watch));
	}
}

static void guest_done(struct guest *g)
{
	if (g->watch)
		loop_fd_stop(g->watch);
	if (g->fd >= 0)
		close(g->fd);
	buf_done(&g->got);
}

static int dial_unix(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int dial_tcp(struct story *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	str at = web_address(s->web);
	uint64_t port;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(str_starts(at, STR("127.0.0.1:")));
	assert_true(str_to_u64(str_sub(at, 10, SIZE_MAX), &port));
	a.sin_port = htons((uint16_t)port);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static struct guest enter(struct story *s, bool tcp)
{
	struct guest g = {.s = s, .fd = tcp ? dial_tcp(s) : dial_unix(s->path)};

	assert_true(g.fd >= 0);
	return g;
}

static void say(struct guest *g, const char *text)
{
	if (!g->watch)
		g->watch = loop_fd(g->s->loop, g->fd, LOOP_READ, on_bytes, g);
	assert_int_equal(send(g->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Until this came, or the other side closed. */
static void hear(struct guest *g, const char *text)
{
	while (!(g->got.n && strstr(g->got.p, text)) && !g->closed && !g->s->late)
		loop_turn(g->s->loop, true);
	if (!g->got.n || !strstr(g->got.p, text))
		fail_msg("'%s' did not come, but: %s", text, g->got.n ? g->got.p : "nothing");
}

static void until_told(struct story *s, const char *text)
{
	while (!(s->sync.told.n && strstr(s->sync.told.p, text)) && !s->late)
		loop_turn(s->loop, true);
	if (!s->sync.told.n || !strstr(s->sync.told.p, text))
		fail_msg("'%s' was not told, but: %s", text,
			 s->sync.told.n ? s->sync.told.p : "nothing");
}

/* One request on a connection of its own; the whole answer. */
static void once(struct story *s, bool tcp, const char *head, const char *body, struct buf *ret)
{
	struct guest g = enter(s, tcp);
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_printf(&b, "%s\r\nConnection: close\r\n", head);
	if (body)
		buf_printf(&b, "Content-Length: %zu\r\n", strlen(body));
	buf_printf(&b, "\r\n%s", body ? body : "");
	say(&g, b.p);
	while (!g.closed && !s->late)
		loop_turn(s->loop, true);
	assert_true(g.closed);
	buf_clear(ret);
	buf_str(ret, buf_view(&g.got));
	guest_done(&g);
}

static void check(struct story *s, bool tcp, const char *head, const char *body, unsigned status,
		  const char *part)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	char first[32];

	snprintf(first, sizeof(first), "HTTP/1.1 %u ", status);
	once(s, tcp, head, body, &b);
	if (!b.n || strncmp(b.p, first, strlen(first)) != 0 || !strstr(b.p, part))
		fail_msg("%s: not %u with '%s' but: %s", head, status, part, b.n ? b.p : "");
}

/* ------------------------------------------------------------------ stories */

static void a_question_reaches_the_engine_and_its_answer_comes_back(void **state)
{
	struct story *s = *state;
	CLEANUP(buf) struct buf b = BUF_INIT;

	started(s);
	once(s, false, "GET /api/v1/apps/a%2fb?x=1%26 HTTP/1.1\r\nHost: x", NULL, &b);
	assert_string_equal(s->sync.told.p, "APP a/b local {\"x\":\"1&\"}\n");
	assert_non_null(strstr(b.p, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(b.p, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(b.p, "\r\nLeeboard-Exit: 1\r\n"));
	assert_non_null(strstr(b.p, "\r\nCache-Control: no-store\r\n"));
	assert_null(strstr(b.p, "Access-Control"));
	assert_non_null(strstr(b.p, "\r\n\r\n{\"apiVersion\":\"leeboard.dev/v1\"}\n"));
	once(s, false, "HEAD /api/v1/status HTTP/1.1\r\nHost: x", NULL, &b);
	assert_non_null(strstr(b.p, "\r\nContent-Length: 33\r\n"));
	assert_string_equal(b.p + b.n - 4, "\r\n\r\n");
}

static void one_connection_carries_many_requests(void **state)
{
	struct story *s = *state;
	struct guest g;

	started(s);
	g = enter(s, false);
	say(&g, "GET /api/v1/version HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(&g, "v1\"}\n");
	buf_clear(&g.got);
	say(&g, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(&g, "\r\n\r\nok\n");
	guest_done(&g);
}

static void acting_takes_a_json_map(void **state)
{
	struct story *s = *state;
	CLEANUP(buf) struct buf big = BUF_INIT;

	started(s);
	check(s, false, "POST /api/v1/apps/web/sync HTTP/1.1\r\nHost: x", "{\"wait\":true,\"n\":1}",
	      200, "v1\"}");
	check(s, false, "POST /api/v1/reload HTTP/1.1\r\nHost: x", "", 200, "v1\"}");
	assert_string_equal(s->sync.told.p, "DO_SYNC web local {\"wait\":true,\"n\":1}\n"
					    "DO_RELOAD  local \n");
	check(s, false, "POST /api/v1/reload HTTP/1.1\r\nHost: x", "[]", 400,
	      "\"code\":\"wrong-type\",\"message\":\"the body must be a map, it is a list\"");
	check(s, false, "POST /api/v1/reload HTTP/1.1\r\nHost: x", "{\"a\":", 400,
	      "\"kind\":\"Error\",\"instance\":\"test\"");
	for (size_t i = 0; i <= WEB_MAX_BODY; i++)
		buf_char(&big, ' ');
	check(s, false, "POST /api/v1/reload HTTP/1.1\r\nHost: x", big.p, 413,
	      "the body is larger than 65536 bytes");
}

static void a_body_without_a_length_has_the_same_bound(void **state)
{
	struct story *s = *state;
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct guest g;

	started(s);
	g = enter(s, false);
	buf_str(&b, STR("POST /api/v1/reload HTTP/1.1\r\nHost: x\r\n"
			"Transfer-Encoding: chunked\r\n\r\n"));
	buf_printf(&b, "%x\r\n", WEB_MAX_BODY + 10);
	for (size_t i = 0; i < WEB_MAX_BODY + 10; i++)
		buf_char(&b, ' ');
	buf_str(&b, STR("\r\n0\r\n\r\n"));
	say(&g, b.p);
	while (!g.closed && !s->late && !(g.got.n && strstr(g.got.p, "413")))
		loop_turn(s->loop, true);
	assert_false(s->late);
	assert_true(g.closed || strstr(g.got.p, "HTTP/1.1 413 "));
	assert_int_equal(s->sync.told.n, 0);
	guest_done(&g);
}

static void paths_methods_and_versions_that_are_not_there_are_refused(void **state)
{
	struct story *s = *state;

	started(s);
	check(s, false, "GET /nothing HTTP/1.1\r\nHost: x", NULL, 404, "\"code\":\"not-found\"");
	check(s, false, "POST /api/v1/status HTTP/1.1\r\nHost: x", "", 405, "Allow: GET, HEAD\r\n");
	check(s, false, "GET /api/v1/reload HTTP/1.1\r\nHost: x", NULL, 405, "Allow: POST\r\n");
	check(s, false, "DELETE /api/v1/apps/web HTTP/1.1\r\nHost: x", NULL, 405, "Allow: ");
	check(s, false, "OPTIONS * HTTP/1.1\r\nHost: x", NULL, 405, "Allow: ");
	check(s, false, "GET /api/v1/status?a=%g HTTP/1.1\r\nHost: x", NULL, 400, "bad %-escape");
	check(s, false, "GET /api/v1/status HTTP/1.1", NULL, 400, "");
	assert_int_equal(s->sync.told.n, 0);
}

static void who_hangs_up_is_unasked(void **state)
{
	struct story *s = *state;
	struct guest g;

	s->sync.silent = true;
	started(s);
	g = enter(s, false);
	say(&g, "GET /api/v1/wait?commit=1 HTTP/1.1\r\nHost: x\r\n\r\n");
	until_told(s, "WAIT");
	guest_done(&g);
	until_told(s, "unasked\n");
	check(s, false, "GET /healthz HTTP/1.1\r\nHost: x", NULL, 200, "ok");
}

static void who_waits_is_told_when_the_daemon_stops(void **state)
{
	struct story *s = *state;
	struct guest g, h;

	s->sync.silent = true;
	started(s);
	g = enter(s, false);
	say(&g, "GET /api/v1/wait HTTP/1.1\r\nHost: x\r\n\r\n");
	until_told(s, "WAIT");
	h = enter(s, false);
	say(&h, "GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(&h, "retry");
	web_stop(STEAL(s->web));
	hear(&g, "HTTP/1.1 503 ");
	hear(&g, "the daemon stops");
	assert_non_null(strstr(s->sync.told.p, "unasked"));
	while (!h.closed && !s->late)
		loop_turn(s->loop, true);
	assert_true(h.closed);
	assert_null(s->sync.listener);
	guest_done(&g);
	guest_done(&h);
}

static void a_request_that_does_not_end_is_cut_off(void **state)
{
	struct story *s = *state;
	struct guest g;

	clock_freeze(s->loop, 0);
	started(s);
	g = enter(s, false);
	say(&g, "GET /healthz HT");
	loop_turn(s->loop, true);
	for (int i = 0; i < 5; i++)
		loop_turn(s->loop, false);
	clock_turn(s->loop, WEB_REQUEST_TIME - 1);
	for (int i = 0; i < 5; i++)
		loop_turn(s->loop, false);
	assert_false(g.closed);
	clock_turn(s->loop, 1);
	for (int i = 0; i < 1000 && !g.closed; i++)
		loop_turn(s->loop, false);
	assert_true(g.closed);
	assert_int_equal(g.got.n, 0);
	guest_done(&g);
}

static void a_full_house_opens_again_when_guests_leave(void **state)
{
	struct story *s = *state;
	struct guest in[WEB_MAX_LOCAL], waiting;

	started(s);
	for (size_t i = 0; i < WEB_MAX_LOCAL; i++) {
		in[i] = enter(s, false);
		say(&in[i], "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
		hear(&in[i], "ok\n");
	}
	waiting = enter(s, false);
	say(&waiting, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 100; i++)
		loop_turn(s->loop, false);
	assert_int_equal(waiting.got.n, 0);
	for (size_t i = 0; i < WEB_MAX_LOCAL; i++)
		guest_done(&in[i]);
	hear(&waiting, "ok\n");
	guest_done(&waiting);
	check(s, false, "GET /healthz HTTP/1.1\r\nHost: x", NULL, 200, "ok");
}

static void health_and_metrics_say_how_it_is(void **state)
{
	struct story *s = *state;

	metric_set(s->metrics, METRIC_BUILD_INFO, 1, LABELS("1.2.3"));
	s->sync.not_ready = true;
	started(s);
	check(s, false, "GET /readyz HTTP/1.1\r\nHost: x", NULL, 503, "not yet");
	s->sync.not_ready = false;
	check(s, false, "GET /readyz HTTP/1.1\r\nHost: x", NULL, 200, "\r\n\r\nready\n");
	check(s, false, "GET /metrics HTTP/1.1\r\nHost: x", NULL, 200,
	      "leeboard_build_info{version=\"1.2.3\"} 1\n");
	assert_string_equal(s->sync.told.p, "metrics\n");
}

/* ------------------------------------------------------------------ the stream */

static void say_event(struct story *s, uint64_t n, const char *name, const char *json)
{
	assert_non_null(s->sync.listener);
	s->sync.listener->fn(s->sync.listener->arg, n, str_from(name), str_from(json));
}

static void events_stream_as_they_happen(void **state)
{
	struct story *s = *state;
	struct guest g;

	started(s);
	g = enter(s, false);
	say(&g, "GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(&g, "\r\nContent-Type: text/event-stream\r\n");
	hear(&g, "retry: 2000\n\n");
	say_event(s, 7, "drift.found", "{\"a\":1}");
	hear(&g, "id: 7\nevent: drift.found\ndata: {\"a\":1}\n\n");
	say_event(s, 0, "progress", "{\"b\":2}");
	hear(&g, "event: progress\ndata: {\"b\":2}\n\n");
	assert_null(strstr(g.got.p, "id: 0"));
	guest_done(&g);
	while (s->sync.listener && !s->late)
		loop_turn(s->loop, true);
	assert_null(s->sync.listener);
}

static void two_more_come_live(struct sync *s)
{
	s->on_events = NULL;
	s->listener->fn(s->listener->arg, 12, STR("b"), STR("{\"n\":12}"));
	s->listener->fn(s->listener->arg, 13, STR("c"), STR("{\"n\":13}"));
}

static void what_was_missed_comes_first_and_nothing_twice(void **state)
{
	struct story *s = *state;
	struct guest g;
	const char *first, *second, *third;

	s->sync.answer.json =
		STR("{\"kind\":\"EventList\",\"items\":["
		    "{\"number\":11,\"id\":\"x\",\"type\":\"dev.leeboard.a\",\"data\":{\"k\":[1]}},"
		    "{\"number\":12,\"id\":\"y\",\"type\":\"dev.leeboard.b\"}]}");
	s->sync.on_events = two_more_come_live;
	started(s);
	g = enter(s, false);
	say(&g, "GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 10\r\n\r\n");
	hear(&g, "id: 13\nevent: c\n");
	assert_string_equal(s->sync.told.p, "EVENTS  local {\"after\":\"10\",\"limit\":\"500\"}\n");
	first = strstr(g.got.p, "id: 11\nevent: a\ndata: {\"id\":\"x\",\"type\":\"dev.leeboard.a\","
				"\"data\":{\"k\":[1]}}\n\n");
	second = strstr(g.got.p, "id: 12\n");
	third = strstr(g.got.p, "id: 13\n");
	assert_true(first && first < second && second < third);
	assert_null(strstr(second + 1, "id: 12\n"));
	guest_done(&g);
}

static void a_reader_far_behind_is_let_go(void **state)
{
	struct story *s = *state;
	struct guest g;
	char *big = xcalloc(1, 100001);

	started(s);
	g = enter(s, false);
	say(&g, "GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(&g, "retry");
	memset(big, 'x', 100000);
	loop_fd_stop(STEAL(g.watch));
	for (int i = 0; i < 40 && s->sync.listener; i++) {
		say_event(s, 0, "progress", big);
		loop_turn(s->loop, false);
	}
	while (s->sync.listener && !s->late)
		loop_turn(s->loop, true);
	assert_null(s->sync.listener);
	free(big);
	guest_done(&g);
}

/* ------------------------------------------------------------------ webhooks */

static void a_webhook_is_handed_over_whole(void **state)
{
	struct story *s = *state;

	started(s);
	check(s, false, "POST /hook/fleet HTTP/1.1\r\nHost: x\r\nX-Gitlab-Event: Push", "{} ", 202,
	      "\r\n");
	assert_string_equal(s->sync.told.p, "hook fleet Push 3\n");
	s->sync.hook = 401;
	check(s, false, "POST /hook/fleet HTTP/1.1\r\nHost: x", "{}", 403, "signature");
	s->sync.hook = 404;
	check(s, false, "POST /hook/none HTTP/1.1\r\nHost: x", "{}", 404, "not-found");
}

static void webhooks_of_one_source_are_counted(void **state)
{
	struct story *s = *state;

	clock_freeze(s->loop, 0);
	started(s);
	for (unsigned i = 0; i < WEB_HOOK_BURST; i++)
		check(s, false, "POST /hook/none HTTP/1.1\r\nHost: x", "{}", 202, "\r\n");
	check(s, false, "POST /hook/other HTTP/1.1\r\nHost: x", "{}", 429, "Retry-After: 1\r\n");
	check(s, false, "POST /hook/fleet HTTP/1.1\r\nHost: x", "{}", 202, "\r\n");
	clock_turn(s->loop, 1 * SECOND);
	check(s, false, "POST /hook/other HTTP/1.1\r\nHost: x", "{}", 202, "\r\n");
	check(s, false, "POST /hook/other HTTP/1.1\r\nHost: x", "{}", 429, "too many");
}

/* ------------------------------------------------------------------ over http */

static void over_http_nothing_acts_and_reading_needs_the_token(void **state)
{
	struct story *s = *state;
	char file[64];

	s->daemon.http_listen = STR("127.0.0.1:0");
	snprintf(file, sizeof(file), "%s/token", s->dir);
	assert_null(file_write_atomic(file, STR("geheim\n"), 0600));
	s->daemon.http_read_token = (struct config_ref){.kind = REF_FILE, .value = str_from(file)};
	started(s);
	unlink(file);
	check(s, true, "GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1", NULL, 401,
	      "WWW-Authenticate: Bearer");
	check(s, true, "GET /api/v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer geheim!",
	      NULL, 401, "read token");
	check(s, true, "GET /api/v1/stream HTTP/1.1\r\nHost: x", NULL, 401, "read token");
	check(s, true, "POST /api/v1/reload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer geheim",
	      "", 403, "control socket");
	assert_int_equal(s->sync.told.n, 0);
	check(s, true, "GET /api/v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer geheim",
	      NULL, 200, "v1\"}");
	assert_string_equal(s->sync.told.p, "STATUS  remote \n");
	check(s, true, "GET /healthz HTTP/1.1\r\nHost: x", NULL, 200, "ok");
	check(s, true, "POST /hook/fleet HTTP/1.1\r\nHost: x", "{}", 202, "\r\n");
}

static void without_a_token_only_this_machines_own_names_are_served(void **state)
{
	struct story *s = *state;

	s->daemon.http_listen = STR("127.0.0.1:0");
	started(s);
	check(s, true, "GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1:80", NULL, 200, "v1\"}");
	check(s, true, "GET /api/v1/status HTTP/1.1\r\nHost: evil.example", NULL, 403, "own names");
}

static void an_open_address_without_a_token_is_refused(void **state)
{
	struct story *s = *state;
	CLEANUP(err) struct err *e = NULL;

	s->daemon.http_listen = STR("0.0.0.0:0");
	e = start(s);
	assert_non_null(e);
	assert_true(str_eq(err_message(e), STR("'0.0.0.0:0' without readToken")));
}

/* ------------------------------------------------------------------ the socket */

static void the_socket_has_the_rights_that_the_document_says(void **state)
{
	struct story *s = *state;
	struct stat st;

	started(s);
	assert_true(str_eq(web_socket(s->web), str_from(s->path)));
	assert_int_equal(stat(s->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0660);
	web_stop(STEAL(s->web));
	assert_int_equal(access(s->path, F_OK), -1);
	s->daemon.socket_mode = 0600;
	started(s);
	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_socket_nobody_listens_at_is_replaced_and_a_live_one_is_not(void **state)
{
	struct story *s = *state;
	struct web_env env = {s->loop, &s->sync, s->metrics, s->log, &s->daemon, s->path};
	CLEANUP(err) struct err *e = NULL;
	CLEANUP(err) struct err *not_a_socket = NULL;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct web *second = NULL;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char sub[64];

	snprintf(sub, sizeof(sub), "%s/sub", s->dir);
	assert_int_equal(mkdir(sub, 0755), 0);
	memcpy(a.sun_path, s->path, strlen(s->path));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	started(s);
	check(s, false, "GET /healthz HTTP/1.1\r\nHost: x", NULL, 200, "ok");
	e = web_start(&env, &second);
	assert_non_null(e);
	assert_true(str_starts(err_message(e), STR("a daemon listens at '")));
	check(s, false, "GET /healthz HTTP/1.1\r\nHost: x", NULL, 200, "ok");
	web_stop(STEAL(s->web));
	assert_null(file_write_atomic(s->path, STR("x"), 0600));
	not_a_socket = web_start(&env, &second);
	assert_non_null(not_a_socket);
	assert_true(str_ends(err_message(not_a_socket), STR("is there and is no socket")));
	unlink(s->path);
}

/* As user and group 65534; what the daemon answered is the exit status. */
static int ask_as_nobody(struct story *s, const char *request)
{
	pid_t child = fork();
	int status = 0;

	if (!child) {
		char b[64] = "";
		int fd;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(99);
		fd = dial_unix(s->path);
		if (fd < 0)
			_exit(98);
		if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 ||
		    recv(fd, b, 12, MSG_WAITALL) != 12)
			_exit(97);
		_exit(((b[9] - '0') * 100 + (b[10] - '0') * 10 + b[11] - '0') % 256);
	}
	while (waitpid(child, &status, WNOHANG) == 0 && !s->late)
		loop_turn(s->loop, false);
	return WEXITSTATUS(status);
}

static void readers_read_and_strangers_do_nothing(void **state)
{
	struct story *s = *state;
	const char *read = "GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
	const char *act = "POST /api/v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";

	if (geteuid() != 0)
		skip();
	chmod(s->dir, 0755);
	started(s);
	assert_int_equal(ask_as_nobody(s, read), 98);
	web_stop(STEAL(s->web));
	s->daemon.socket_read_group = STR("65534");
	started(s);
	assert_int_equal(ask_as_nobody(s, read), 200 % 256);
	assert_int_equal(ask_as_nobody(s, act), 403 % 256);
	web_stop(STEAL(s->web));
	s->daemon.socket_read_group = STR("65533");
	started(s);
	assert_int_equal(ask_as_nobody(s, read), 403 % 256);
	web_stop(STEAL(s->web));
	s->daemon.socket_group = STR("65534");
	started(s);
	assert_int_equal(ask_as_nobody(s, act), 200 % 256);
}

int main(void)
{
#define STORY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		STORY(a_question_reaches_the_engine_and_its_answer_comes_back),
		STORY(one_connection_carries_many_requests),
		STORY(acting_takes_a_json_map),
		STORY(a_body_without_a_length_has_the_same_bound),
		STORY(paths_methods_and_versions_that_are_not_there_are_refused),
		STORY(who_hangs_up_is_unasked),
		STORY(who_waits_is_told_when_the_daemon_stops),
		STORY(a_request_that_does_not_end_is_cut_off),
		STORY(a_full_house_opens_again_when_guests_leave),
		STORY(health_and_metrics_say_how_it_is),
		STORY(events_stream_as_they_happen),
		STORY(what_was_missed_comes_first_and_nothing_twice),
		STORY(a_reader_far_behind_is_let_go),
		STORY(a_webhook_is_handed_over_whole),
		STORY(webhooks_of_one_source_are_counted),
		STORY(over_http_nothing_acts_and_reading_needs_the_token),
		STORY(without_a_token_only_this_machines_own_names_are_served),
		STORY(an_open_address_without_a_token_is_refused),
		STORY(the_socket_has_the_rights_that_the_document_says),
		STORY(a_socket_nobody_listens_at_is_replaced_and_a_live_one_is_not),
		STORY(readers_read_and_strangers_do_nothing),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
