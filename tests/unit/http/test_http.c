#include "leeboard/http.h"
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ------------------------------------------------------------------ a server with canned answers
 */

static void say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		_exit(1);
}

/* Blank line found: the body, if any, came with it, the tests' are small. False: closed. */
static bool hear(int fd, char *b, size_t size)
{
	size_t n = 0;

	do {
		ssize_t got = recv(fd, b + n, size - 1 - n, 0);

		if (got <= 0)
			return false;
		n += (size_t)got;
		b[n] = '\0';
	} while (!strstr(b, "\r\n\r\n"));
	return true;
}

static void answer(int fd, const char *request, int connection, int requests)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (strstr(request, " /count ")) {
		buf_printf(&b, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n%d/%d", connection,
			   requests);
		say(fd, b.p);
	} else if (strstr(request, " /echo ")) {
		buf_printf(&b, "HTTP/1.1 201 Made\r\nContent-Length: %zu\r\n\r\n%s",
			   strlen(request), request);
		say(fd, b.p);
	} else if (strstr(request, " /moved ")) {
		say(fd, "HTTP/1.1 302 Found\r\nLocation: /count\r\nContent-Length: 0\r\n\r\n");
	} else if (strstr(request, " /stream ")) {
		say(fd, "HTTP/1.1 100 Continue\r\nX: no\r\n\r\nHTTP/1.1 200 OK\r\nX-Kind:  lines "
			"\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n");
		usleep(30000);
		say(fd, "4\r\ntwo\n\r\n0\r\n\r\n");
	} else if (strstr(request, " /short ")) {
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
		shutdown(fd, SHUT_RDWR);
	} else if (strstr(request, " /mute ")) {
		shutdown(fd, SHUT_RDWR);
	} else if (strstr(request, " /junk ")) {
		say(fd, "how are you?\r\n\r\n");
		shutdown(fd, SHUT_RDWR);
	} /* else: hangs until the client closes */
}

static void serve(int listener)
{
	for (int connection = 1;; connection++) {
		int fd = accept(listener, NULL, NULL);
		char b[4096];

		for (int n = 1; fd >= 0 && hear(fd, b, sizeof(b)); n++)
			answer(fd, b, connection, n);
		close(fd);
	}
}

struct story {
	struct loop *l;
	struct http *h;
	struct http_call *call;
	pid_t server;
	unsigned port;
	struct buf told;
	int open; /* calls that are not done */
	bool cancel_on_data;
};

static int setup(void **state)
{
	struct story *s = xcalloc(1, sizeof(*s));
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	s->port = ntohs(a.sin_port);
	s->server = fork();
	if (!s->server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fd);
	}
	close(fd);
	s->l = loop_new();
	s->h = http_new(s->l);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct story *s = *state;

	http_free(s->h);
	loop_free(s->l);
	kill(s->server, SIGKILL);
	waitpid(s->server, NULL, 0);
	buf_done(&s->told);
	free(s);
	return 0;
}

/* ------------------------------------------------------------------ what the callbacks tell */

static void tell_head(void *arg, const struct http_response *r)
{
	struct story *s = arg;

	buf_printf(&s->told, "head %u " STR_FMT ";", r->status,
		   STR_ARG(http_header_get(r, STR("x-kind"))));
}

static void tell_data(void *arg, str bytes)
{
	struct story *s = arg;

	buf_printf(&s->told, "data " STR_FMT ";", STR_ARG(bytes));
	if (s->cancel_on_data) {
		http_cancel(s->call);
		s->open--;
	}
}

static void tell_done(void *arg, const struct http_response *r, struct err *e)
{
	struct story *s = arg;

	s->open--;
	if (e)
		buf_printf(&s->told, "%s: " STR_FMT, err_code_name(err_code(e)),
			   STR_ARG(err_message(e)));
	else
		buf_printf(&s->told, "%u " STR_FMT " " STR_FMT, r->status,
			   STR_ARG(http_header_get(r, STR("LOCATION"))), STR_ARG(r->body));
	err_free(e);
}

static const struct http_callbacks gather = {NULL, NULL, tell_done};
static const struct http_callbacks stream = {tell_head, tell_data, tell_done};

static void start(struct story *s, struct http_request r, const char *path,
		  const struct http_callbacks *cb)
{
	CLEANUP(buf) struct buf url = BUF_INIT;

	buf_printf(&url, "http://127.0.0.1:%u%s", s->port, path);
	r.url = buf_view(&url);
	assert_null(http_send(s->h, &r, cb, s, &s->call));
	s->open++;
}

static void finish(struct story *s)
{
	while (s->open)
		loop_turn(s->l, true);
}

/* The port is the system's choice, so it is written as PORT. */
static void check(struct story *s, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	char port[16];
	char *at;

	snprintf(port, sizeof(port), ":%u", s->port);
	at = s->told.p ? strstr(s->told.p, port) : NULL;
	if (at)
		buf_printf(&b, "%.*s:PORT%s", (int)(at - s->told.p), s->told.p, at + strlen(port));
	else
		buf_str(&b, buf_view(&s->told));
	assert_string_equal(buf_view(&b).p, want);
	buf_clear(&s->told);
}

static void ask(struct story *s, struct http_request r, const char *path, const char *want)
{
	start(s, r, path, &gather);
	finish(s);
	check(s, want);
}

/* ------------------------------------------------------------------ tests */

static void test_a_connection_is_kept_alive(void **state)
{
	ask(*state, (struct http_request){0}, "/count", "200  1/1");
	ask(*state, (struct http_request){0}, "/count", "200  1/2");
	ask(*state, (struct http_request){0}, "/count", "200  1/3");
}

static void test_a_request_says_what_was_asked_and_no_more(void **state)
{
	struct http_header headers[] = {{STR("X-One"), STR("1")}, {STR("X-None"), STR("")}};
	struct http_request r = {
		.method = STR("PATCH"), .headers = headers, .headers_n = 2, .body = STR("{}")};

	ask(*state, r, "/echo",
	    "201  PATCH /echo HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAccept: */*\r\nX-One: 1\r\n"
	    "X-None:\r\nContent-Length: 2\r\n\r\n{}");
}

/* The url's host is only a name there, and the socket stands in what goes wrong. */
static void test_a_unix_socket_is_asked_instead_of_a_host(void **state)
{
	struct story *s = *state;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char dir[] = "/tmp/httpXXXXXX", want[128];
	struct http_request r = {.unix_socket = a.sun_path};
	pid_t server;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_non_null(mkdtemp(dir));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	server = fork();
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fd);
	}
	close(fd);
	ask(s, r, "/count", "200  1/1");
	ask(s, r, "/count", "200  1/2");
	/* The host of the same name has connections of its own. */
	ask(s, (struct http_request){0}, "/count", "200  1/1");
	snprintf(want, sizeof(want), "Unreachable: '%s' closed the connection without an answer",
		 a.sun_path);
	ask(s, r, "/mute", want);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	unlink(a.sun_path);
	snprintf(want, sizeof(want), "Unreachable: connect to '%s': No such file or directory",
		 a.sun_path);
	ask(s, r, "/count", want);
	rmdir(dir);
}

static void test_a_redirect_is_reported_and_not_followed(void **state)
{
	ask(*state, (struct http_request){0}, "/moved", "302 /count ");
}

/* However it is written. */
static void test_a_link_local_address_is_refused_when_asked_to(void **state)
{
	static const char *const urls[] = {"http://169.254.169.254/x", "http://2852039166/x",
					   "http://[fe80::1]/x", "http://[::ffff:169.254.1.1]/x"};
	struct story *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct http_request r = {.url = str_from(urls[i]), .no_link_local = true};

		assert_null(http_send(s->h, &r, &gather, s, &s->call));
		s->open++;
		finish(s);
		assert_true(str_starts(buf_view(&s->told), STR("Unreachable: '")));
		assert_true(str_ends(buf_view(&s->told),
				     STR("is at a link-local address: never told anything")));
		buf_clear(&s->told);
	}
	ask(s, (struct http_request){.no_link_local = true}, "/count", "200  1/1");
}

static void test_a_stream_comes_in_pieces(void **state)
{
	start(*state, (struct http_request){0}, "/stream", &stream);
	finish(*state);
	check(*state, "head 200 lines;data one\n;data two\n;200  ");
}

static void test_a_call_can_be_cancelled_from_its_own_callback(void **state)
{
	struct story *s = *state;

	s->cancel_on_data = true;
	start(s, (struct http_request){0}, "/stream", &stream);
	finish(s);
	ask(s, (struct http_request){0}, "/count", "head 200 lines;data one\n;200  2/1");
}

static void test_a_cancelled_call_tells_nobody(void **state)
{
	struct story *s = *state;

	start(s, (struct http_request){0}, "/hang", &gather);
	for (int i = 0; i < 3; i++)
		loop_turn(s->l, false);
	http_cancel(s->call);
	s->open--;
	start(s, (struct http_request){0}, "/hang", &gather);
	http_cancel(s->call); /* not begun yet */
	s->open--;
	loop_run(s->l);
	check(s, "");
}

static void test_calls_left_open_go_with_the_client(void **state)
{
	start(*state, (struct http_request){0}, "/hang", &gather);
	loop_turn(((struct story *)*state)->l, false);
}

static void test_what_goes_wrong_has_a_code_and_a_reason(void **state)
{
	struct story *s = *state;

	ask(s, (struct http_request){.timeout = 50}, "/hang",
	    "Timeout: no whole answer of '127.0.0.1:PORT' within 50 ms");
	ask(s, (struct http_request){0}, "/short",
	    "Unreachable: '127.0.0.1:PORT' closed the connection within its answer");
	ask(s, (struct http_request){0}, "/mute",
	    "Unreachable: '127.0.0.1:PORT' closed the connection without an answer");
	ask(s, (struct http_request){0}, "/junk",
	    "Unreachable: the answer of '127.0.0.1:PORT' is not HTTP");
	ask(s, (struct http_request){.max_body = 2}, "/count",
	    "limit: the answer of '127.0.0.1:PORT' is larger than 2 bytes");
	ask(s, (struct http_request){.max_body = 3}, "/moved", "302 /count ");
}

static void test_a_refused_connection_is_unreachable(void **state)
{
	struct story *s = *state;

	kill(s->server, SIGKILL);
	waitpid(s->server, NULL, 0);
	ask(s, (struct http_request){0}, "/",
	    "Unreachable: connect to '127.0.0.1:PORT': Connection refused");
	s->server = fork();
	if (!s->server)
		_exit(0);
}

static void refuse(struct story *s, struct http_request r, const char *want)
{
	CLEANUP(err) struct err *e = http_send(s->h, &r, &gather, s, NULL);

	assert_non_null(e);
	assert_string_equal(err_message(e).p, want);
}

static void test_a_request_that_cannot_be_sent_is_refused(void **state)
{
	struct http_header two = {STR("X"), STR("a\r\nY: b")},
			   length = {STR("content-length"), STR("1")};

	refuse(*state, (struct http_request){.url = STR("http://me:pw@h/")},
	       "url must not have a user or a password in it");
	refuse(*state, (struct http_request){.url = STR("file:///etc/hosts")},
	       "url must begin with http:// or https://");
	refuse(*state, (struct http_request){.url = STR("http://h/a b")},
	       "url has a blank or a control character");
	refuse(*state, (struct http_request){.url = STR("http://h/"), .method = STR("GET /x")},
	       "method is not a token");
	refuse(*state,
	       (struct http_request){.url = STR("http://h/"), .headers = &two, .headers_n = 1},
	       "header 'X' has more than one line");
	refuse(*state,
	       (struct http_request){.url = STR("http://h/"), .headers = &length, .headers_n = 1},
	       "header 'content-length' is not the caller's");
	refuse(*state,
	       (struct http_request){.url = STR("https://h/"), .tls = {.cert_pem = STR("x")}},
	       "a client certificate and its key go together");
}

int main(void)
{
#define STORY(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		STORY(test_a_connection_is_kept_alive),
		STORY(test_a_request_says_what_was_asked_and_no_more),
		STORY(test_a_unix_socket_is_asked_instead_of_a_host),
		STORY(test_a_redirect_is_reported_and_not_followed),
		STORY(test_a_link_local_address_is_refused_when_asked_to),
		STORY(test_a_stream_comes_in_pieces),
		STORY(test_a_call_can_be_cancelled_from_its_own_callback),
		STORY(test_a_cancelled_call_tells_nobody),
		STORY(test_calls_left_open_go_with_the_client),
		STORY(test_what_goes_wrong_has_a_code_and_a_reason),
		STORY(test_a_refused_connection_is_unreachable),
		STORY(test_a_request_that_cannot_be_sent_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
