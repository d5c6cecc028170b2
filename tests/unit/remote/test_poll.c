/* Polls over a real connection: a child process answers, and tells in the names of refs which
 * connection and which request it was. */
#include "leeboard/remote.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "1111111111111111111111111111111111111111"

struct story {
	struct loop *l;
	struct remote *r;
	pid_t server;
	unsigned port;
	struct buf told;
	bool done;
};

/* ------------------------------------------------------------------ the server */

static void say(int fd, const char *status, const char *type, const char *body)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_printf(&b, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", status,
		   type, strlen(body), body);
	if (send(fd, b.p, b.n, MSG_NOSIGNAL) < 0)
		_exit(1);
}

static bool hear(int fd, struct buf *b)
{
	char chunk[4096];

	buf_clear(b);
	do {
		ssize_t n = recv(fd, chunk, sizeof chunk, 0);

		if (n <= 0)
			return false;
		buf_add(b, chunk, (size_t)n);
	} while (!strstr(b->p, "\r\n\r\n"));
	/* A small body comes with its head or right behind it. */
	while (strstr(b->p, "POST ") == b->p && !str_ends(buf_view(b), STR("0000"))) {
		ssize_t n = recv(fd, chunk, sizeof chunk, 0);

		if (n <= 0)
			return false;
		buf_add(b, chunk, (size_t)n);
	}
	return true;
}

/* /gone/ forgets the POST after its second one, until the capabilities are asked for again. */
static void answer(int fd, const char *request, int connection, int n)
{
	static int posts;
	char body[200], line[100];

	if (strstr(request, "GET ") == request) {
		posts = 0;
		if (!strstr(request, "/info/refs?service=git-upload-pack HTTP") ||
		    !strstr(request, "\r\nGit-Protocol: version=2\r\n"))
			say(fd, "400 Bad", "text/plain", "");
		else
			say(fd, "200 OK", "application/x-git-upload-pack-advertisement",
			    "000eversion 2\n000cls-refs\n000afetch\n0000");
		return;
	}
	if (strstr(request, "/gone/") && ++posts > 2) {
		say(fd, "404 Gone", "text/plain", "");
		return;
	}
	snprintf(line, sizeof line, ID " refs/heads/c%d-r%d%s\n", connection, n,
		 strstr(request, "ref-prefix refs/heads/main\n") ? "-asked" : "");
	snprintf(body, sizeof body, "%04zx%s0000", strlen(line) + 4, line);
	say(fd, "200 OK", "application/x-git-upload-pack-result", body);
}

static void serve(int listener)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (int connection = 1;; connection++) {
		int fd = accept(listener, NULL, NULL);

		for (int n = 1; fd >= 0 && hear(fd, &b); n++)
			answer(fd, b.p, connection, n);
		close(fd);
	}
}

static int setup(void **state)
{
	struct story *s = xcalloc(1, sizeof *s);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
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
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct story *s = *state;

	remote_free(s->r);
	loop_free(s->l);
	kill(s->server, SIGKILL);
	waitpid(s->server, NULL, 0);
	buf_done(&s->told);
	free(s);
	return 0;
}

/* ------------------------------------------------------------------ stories */

static void open_remote(struct story *s, const char *path)
{
	CLEANUP(buf) struct buf url = BUF_INIT;
	struct remote_spec spec = {.timeout = 10 * SECOND};

	buf_printf(&url, "http://127.0.0.1:%u%s", s->port, path);
	spec.url = buf_view(&url);
	assert_null(remote_new(s->l, &spec, &s->r));
}

static void on_refs(void *arg, const struct remote_refs *refs, struct err *e)
{
	struct story *s = arg;

	s->done = true;
	if (e)
		buf_str(&s->told, err_message(e));
	for (size_t i = 0; !e && i < refs->n; i++)
		buf_str(&s->told, str_sub(refs->p[i].name, 11, SIZE_MAX));
	buf_char(&s->told, ';');
	err_free(e);
}

static void poll_once(struct story *s)
{
	const str prefix = STR("refs/heads/main");

	s->done = false;
	assert_null(remote_poll(s->r, &prefix, 1, on_refs, s));
	assert_false(s->done); /* never out of the call */
	while (!s->done)
		loop_turn(s->l, true);
}

static void a_poll_is_one_request_on_a_connection_that_is_kept(void **state)
{
	struct story *s = *state;
	uint64_t sent, received;

	open_remote(s, "/fleet.git/");
	poll_once(s);
	poll_once(s);
	poll_once(s);
	assert_string_equal(s->told.p, "c1-r2-asked;c1-r3-asked;c1-r4-asked;");
	remote_bytes(s->r, &sent, &received);
	assert_true(sent > 3 * 100 && sent < 3 * 400);
	assert_true(received > 3 * 60 && received < 600);
	assert_int_equal(remote_moved(s->r).n, 0);
}

static void a_server_that_forgot_is_asked_for_its_capabilities_again(void **state)
{
	struct story *s = *state;

	open_remote(s, "/gone/x");
	poll_once(s);
	poll_once(s);
	poll_once(s); /* POST 404, GET, POST */
	assert_string_equal(s->told.p, "c1-r2-asked;c1-r3-asked;c1-r6-asked;");
}

static void a_poll_that_is_cancelled_calls_nobody(void **state)
{
	struct story *s = *state;
	const str prefix = STR("refs/heads/main");

	open_remote(s, "/fleet.git");
	assert_null(remote_poll(s->r, &prefix, 1, on_refs, s));
	remote_cancel(s->r);
	assert_false(s->done);
	poll_once(s);
	assert_true(str_ends(buf_view(&s->told), STR("-asked;")));
	assert_int_equal(str_find(buf_view(&s->told), STR(";")), s->told.n - 1);
	/* Freed in the middle of one. */
	assert_null(remote_poll(s->r, &prefix, 1, on_refs, s));
	loop_turn(s->l, false);
}

static void a_server_that_died_is_one_error(void **state)
{
	struct story *s = *state;
	CLEANUP(buf) struct buf want = BUF_INIT;

	open_remote(s, "/fleet.git");
	poll_once(s);
	kill(s->server, SIGKILL);
	waitpid(s->server, NULL, 0);
	poll_once(s);
	buf_printf(&want, "c1-r2-asked;connect to '127.0.0.1:%u': Connection refused;", s->port);
	assert_string_equal(s->told.p, want.p);
}

static void what_is_no_url_is_refused(void **state)
{
	struct story *s = *state;
	static const char *const urls[] = {"", "git@host:x", "https://u:p@host/x", "https://h/x?y"};

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		const struct remote_spec spec = {.url = str_from(urls[i])};
		CLEANUP(err) struct err *e = remote_new(s->l, &spec, &s->r);

		assert_non_null(e);
		assert_string_equal(
			err_message(e).p,
			"the url of a remote must be http://HOST/PATH or https://HOST/PATH");
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_poll_is_one_request_on_a_connection_that_is_kept),
		T(a_server_that_forgot_is_asked_for_its_capabilities_again),
		T(a_poll_that_is_cancelled_calls_nobody),
		T(a_server_that_died_is_one_error),
		T(what_is_no_url_is_refused),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
