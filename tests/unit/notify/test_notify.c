#include "leeboard/http.h"
#include "leeboard/notify.h"
#include "leeboard/store.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The outbox is the real one: a stand-in would be another to trust. */

#define NOON 1795348800000 /* 2026-11-22T12:00:00Z */

/* ------------------------------------------------------------------ a receiver */

/* What it answers, in order; then 204. Shared with the test. */
struct script {
	int status[64];
	char more[64]; /* a header line for answers that are not 2xx */
	int n, at;
	bool busy; /* one connection at a time takes its answer and tells of it */
};

/* One request, whole: head and body of the length that it names. */
static bool hear(int fd, struct buf *b)
{
	for (;;) {
		char part[8192];
		ssize_t got = recv(fd, part, sizeof(part), 0);
		size_t end, at;

		if (got <= 0)
			return false;
		buf_add(b, part, (size_t)got);
		end = str_find(buf_view(b), STR("\r\n\r\n"));
		at = str_find(buf_view(b), STR("Content-Length: "));
		if (end != SIZE_MAX && at != SIZE_MAX &&
		    b->n >= end + 4 + strtoul(b->p + at + 16, NULL, 10))
			return true;
	}
}

static _Noreturn void converse(int fd, int tell, struct script *s)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	while (hear(fd, &b)) {
		int status;
		CLEANUP(buf) struct buf answer = BUF_INIT;
		CLEANUP(buf) struct buf message = BUF_INIT;
		uint32_t n = (uint32_t)b.n;

		while (__atomic_exchange_n(&s->busy, true, __ATOMIC_ACQUIRE))
			sched_yield();
		status = s->at < s->n ? s->status[s->at] : 204;
		s->at++;
		/* One write, so that those of two connections do not mix. */
		buf_add(&message, &n, 4);
		buf_str(&message, buf_view(&b));
		buf_printf(&answer, "HTTP/1.1 %d X\r\n%sContent-Length: 0\r\n\r\n", status,
			   status >= 300 ? s->more : "");
		if (message.n > PIPE_BUF || write(tell, message.p, message.n) != (ssize_t)message.n)
			_exit(1);
		__atomic_store_n(&s->busy, false, __ATOMIC_RELEASE);
		if (send(fd, answer.p, answer.n, MSG_NOSIGNAL) < 0)
			_exit(1);
		buf_clear(&b);
	}
	_exit(0);
}

static _Noreturn void serve(int listener, int tell, struct script *s)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			converse(fd, tell, s);
		}
		close(fd);
	}
}

/* ------------------------------------------------------------------ a story */

struct story {
	char dir[64];
	struct arena *a;
	struct loop *l;
	struct http *h;
	struct log *log;
	int log_fd;
	struct metrics *m;
	struct store *s;
	struct notify *n;
	struct config *c;
	struct script *script;
	pid_t server;
	unsigned port;
	int heard_fd;
	struct watch_fd *heard_watch;
	struct buf raw;
	str heard[64]; /* requests */
	size_t heard_n;
};

static void no_err(struct err *e)
{
	if (e) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_print(e, &b);
		err_free(e);
		fail_msg("%s", b.p);
	}
}

static void on_heard(void *arg, int events UNUSED)
{
	struct story *y = arg;
	char part[65536];
	ssize_t got = read(y->heard_fd, part, sizeof(part));
	uint32_t n;

	if (got <= 0)
		return;
	buf_add(&y->raw, part, (size_t)got);
	while (y->raw.n >= 4 && (memcpy(&n, y->raw.p, 4), y->raw.n >= 4 + n)) {
		str rest = str_sub(buf_view(&y->raw), 4 + n, SIZE_MAX);
		CLEANUP(buf) struct buf left = BUF_INIT;

		assert_true(y->heard_n < ARRAY_LEN(y->heard));
		y->heard[y->heard_n++] = arena_str(y->a, str_n(y->raw.p + 4, n));
		buf_str(&left, rest);
		buf_clear(&y->raw);
		buf_str(&y->raw, buf_view(&left));
	}
}

static void start_server(struct story *y)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), told[2];

	y->script = mmap(NULL, sizeof(*y->script), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	assert_int_equal(pipe(told), 0);
	y->port = ntohs(a.sin_port);
	y->server = fork();
	if (!y->server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(told[0]);
		serve(fd, told[1], y->script);
	}
	close(fd);
	close(told[1]);
	y->heard_fd = told[0];
	y->heard_watch = loop_fd(y->l, told[0], LOOP_READ, on_heard, y);
}

static void answers(struct story *y, const int *status, int n)
{
	memcpy(y->script->status, status, (size_t)n * sizeof(int));
	y->script->n = n;
	y->script->at = 0;
}
#define ANSWERS(y, ...)                                                                            \
	answers((y), (int[]){__VA_ARGS__}, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)))

static void start(struct story *y)
{
	struct notify_env env = {.loop = y->l, .http = y->h, .log = y->log, .metrics = y->m};

	no_err(store_open(y->dir, &y->s));
	env.outbox = store_outbox(y->s);
	env.instance = STR("prod-eu");
	no_err(notify_new(&env, &y->n));
	if (y->c)
		no_err(notify_config(y->n, y->c));
}

static void stop(struct story *y)
{
	notify_free(STEAL(y->n));
	store_close(STEAL(y->s));
}

/* PORT stands for the server's, DIR for the folder. */
static void expand(struct story *y, const char *text, struct buf *b)
{
	str rest = str_from(text);

	while (rest.n) {
		size_t used = str_starts(rest, STR("PORT"))  ? 4
			      : str_starts(rest, STR("DIR")) ? 3
							     : 1;

		if (used == 4)
			buf_printf(b, "%u", y->port);
		else if (used == 3)
			buf_str(b, str_from(y->dir));
		else
			buf_char(b, rest.p[0]);
		rest = str_sub(rest, used, SIZE_MAX);
	}
}

static void configure(struct story *y, const char *docs)
{
	struct config *old = y->c;
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct text text = {.name = STR("alerts.yaml")};

	expand(y, docs, &b);
	text.bytes = buf_view(&b);
	no_err(config_parse(&text, 1, NULL, NULL, &y->c));
	if (y->n)
		no_err(notify_config(y->n, y->c));
	config_free(old);
}

static int setup(void **state)
{
	struct story *y = xcalloc(1, sizeof(*y));

	hash_init();
	alarm(10);
	snprintf(y->dir, sizeof(y->dir), "/tmp/leeboard-notify-XXXXXX");
	if (!mkdtemp(y->dir))
		return -1;
	y->a = arena_new();
	y->l = loop_new();
	clock_freeze(y->l, NOON);
	y->h = http_new(y->l);
	y->m = metrics_new();
	y->log_fd = memfd_create("log", MFD_CLOEXEC);
	y->log = log_new(y->log_fd, LOG_LOGFMT, LOG_INFO);
	start_server(y);
	start(y);
	*state = y;
	return 0;
}

static int forget(const char *path, const struct stat *st UNUSED, int kind UNUSED,
		  struct FTW *w UNUSED)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct story *y = *state;

	stop(y);
	config_free(y->c);
	http_free(y->h);
	loop_fd_stop(y->heard_watch);
	loop_free(y->l);
	metrics_free(y->m);
	log_free(y->log);
	close(y->log_fd);
	close(y->heard_fd);
	kill(y->server, SIGKILL);
	waitpid(y->server, NULL, 0);
	munmap(y->script, sizeof(*y->script));
	buf_done(&y->raw);
	arena_free(y->a);
	nftw(y->dir, forget, 16, FTW_DEPTH | FTW_PHYS);
	free(y);
	return 0;
}

/* Until nothing is under way, and exactly n requests came since the last call; the first is
 * returned. */
static str *heard(struct story *y, size_t n)
{
	static size_t from;

	from = 0;
	while (notify_busy(y->n))
		loop_turn(y->l, true);
	while (y->heard_n < n)
		loop_turn(y->l, true);
	assert_int_equal(y->heard_n, n);
	y->heard_n = 0;
	return &y->heard[from];
}

static str body_of(str request)
{
	return str_sub(request, str_find(request, STR("\r\n\r\n")) + 4, SIZE_MAX);
}

static bool has_header(str request, const char *line)
{
	str head = str_sub(request, 0, str_find(request, STR("\r\n\r\n")) + 2);
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_printf(&b, "\r\n%s\r\n", line);
	return str_contains(head, buf_view(&b));
}

static str log_text(struct story *y)
{
	off_t n = lseek(y->log_fd, 0, SEEK_END);
	char *p = arena_alloc(y->a, (size_t)n + 1);

	assert_int_equal(pread(y->log_fd, p, (size_t)n, 0), n);
	return str_n(p, (size_t)n);
}

/* ------------------------------------------------------------------ events */

static struct event drift(const char *object)
{
	static struct event_field field;

	field = (struct event_field){.path = STR(".spec.replicas"),
				     .writer = {.manager = STR("kubectl-edit")}};
	return (struct event){
		.kind = EVENT_DRIFT_FOUND,
		.severity = EVENT_WARN,
		.app = STR("mail"),
		.revision = STR("3f2a91c0b7f8"),
		.message = STR("Deployment mail/mail .spec.replicas: git 3, live 5"),
		.has_object = true,
		.object = {STR("apps"), STR("Deployment"), STR("mail"), str_from(object)},
		.object_version = STR("v1"),
		.fields = &field,
		.fields_n = 1,
	};
}

static enum incident_verdict say(struct story *y, struct event e)
{
	enum incident_verdict v;

	no_err(notify_send(y->n, y->a, &e, &v));
	return v;
}

static enum incident_verdict gone(struct story *y, const char *object)
{
	struct event e = drift(object);

	e.kind = EVENT_DRIFT_GONE;
	e.severity = EVENT_INFO;
	return say(y, e);
}

static enum incident_verdict note(struct story *y, const char *app)
{
	return say(y, (struct event){.kind = EVENT_SYNC_FINISHED,
				     .app = str_from(app),
				     .revision = STR("3f2a91c0b7f8"),
				     .message = STR("1 changed")});
}

/* A member of the body's JSON as text: "data.message". */
static str member(struct story *y, str request, const char *path)
{
	struct text *in = ARENA_NEW(y->a, struct text);
	const struct node *n;
	str rest = str_from(path), part;
	CLEANUP(buf) struct buf b = BUF_INIT;

	*in = (struct text){.name = STR("body"), .bytes = body_of(request)};
	no_err(node_read_json(y->a, in, &n));
	while (n && str_split(&rest, '.', &part))
		n = node_get(n, part);
	if (!n)
		return STR("absent");
	if (n->kind == NODE_STRING)
		return n->text;
	node_json(n, NODE_JSON_COMPACT, &b);
	return arena_str(y->a, buf_view(&b));
}

static void is_str(str got, const char *want)
{
	CLEANUP(cstr) char *s = xstrndup(got.n ? got.p : "", got.n);

	assert_string_equal(s, want);
}

#define ALERT(to, more)                                                                            \
	"apiVersion: leeboard.dev/v1\nkind: Alert\nmetadata: {name: oncall}\nspec:\n  to:\n" to    \
	"\n" more
#define HOOK "    - {type: webhook, address: 'http://127.0.0.1:PORT/hook'}"
#define CHAT                                                                                       \
	"    - {type: slack, addressFrom: {file: DIR/url}, channel: '#ops', username: leeboard}"

static void secret(struct story *y, const char *name, const char *text)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	str path = arena_printf(y->a, "%s/%s", y->dir, name);

	expand(y, text, &b);
	no_err(file_write_atomic(path.p, buf_view(&b), 0600));
}

/* ------------------------------------------------------------------ webhooks */

static void test_a_webhook_gets_the_cloudevent_with_id_time_and_signature(void **state)
{
	struct story *y = *state;
	uint8_t mac[32];
	CLEANUP(buf) struct buf line = BUF_INIT;
	str *r;

	secret(y, "hmac", "0123456789abcdef0123456789abcdef\n");
	secret(y, "token", "s3cr3t\n");
	configure(y,
		  ALERT("    - {type: webhook, address: 'http://127.0.0.1:PORT/hook', hmac: {file: "
			"DIR/hmac}, token: {file: DIR/token}, headers: {X-Team: shop}}",
			""));
	assert_int_equal(say(y, drift("mail")), INCIDENT_SAY);
	r = heard(y, 1);
	assert_true(str_starts(r[0], STR("POST /hook HTTP/1.1\r\n")));
	assert_true(has_header(r[0], "Content-Type: application/cloudevents+json"));
	assert_true(has_header(r[0], "Leeboard-Timestamp: 1795348800"));
	assert_true(has_header(r[0], "Authorization: Bearer s3cr3t"));
	assert_true(has_header(r[0], "X-Team: shop"));
	buf_printf(&line, "Leeboard-Delivery: " STR_FMT, STR_ARG(member(y, r[0], "id")));
	assert_true(has_header(r[0], line.p));
	hash_hmac_sha256(STR("0123456789abcdef0123456789abcdef"), body_of(r[0]), mac);
	buf_clear(&line);
	buf_str(&line, STR("X-Signature: sha256="));
	buf_hex(&line, mac, sizeof(mac));
	assert_true(has_header(r[0], line.p));
	is_str(member(y, r[0], "type"), "dev.leeboard.drift.found");
	is_str(member(y, r[0], "source"), "/prod-eu/apps/mail");
	is_str(member(y, r[0], "sequence"), "1");
	is_str(member(y, r[0], "time"), "2026-11-22T12:00:00.000Z");
	assert_true(str_ends(member(y, r[0], "id"), STR("-000001")));
	assert_int_equal(member(y, r[0], "id").n, 19);
	assert_false(str_contains(log_text(y), STR("s3cr3t")));
}

static void test_a_raise_is_said_once_and_resolved_once(void **state)
{
	struct story *y = *state;
	str *r;

	configure(y, ALERT(HOOK, ""));
	assert_int_equal(gone(y, "mail"), INCIDENT_NONE);
	assert_int_equal(say(y, drift("mail")), INCIDENT_SAY);
	assert_int_equal(say(y, drift("mail")), INCIDENT_KNOWN);
	assert_int_equal(gone(y, "mail"), INCIDENT_SAY);
	assert_int_equal(gone(y, "mail"), INCIDENT_NONE);
	r = heard(y, 2);
	is_str(member(y, r[0], "type"), "dev.leeboard.drift.found");
	is_str(member(y, r[1], "type"), "dev.leeboard.drift.gone");
	is_str(member(y, r[1], "incident"), member(y, r[0], "incident").p);
	is_str(member(y, r[1], "sequence"), "2");
}

static void test_flux_format_is_fluxs_event_with_the_summary(void **state)
{
	struct story *y = *state;
	str *r;

	configure(
		y,
		ALERT("    - {type: webhook, address: 'http://127.0.0.1:PORT/hook', format: flux}",
		      "  summary: cluster one"));
	say(y, drift("mail"));
	r = heard(y, 1);
	assert_true(has_header(r[0], "Content-Type: application/json"));
	is_str(member(y, r[0], "metadata.summary"), "cluster one");
	is_str(member(y, r[0], "metadata.revision"), "3f2a91c0b7f8");
	is_str(member(y, r[0], "involvedObject"),
	       "{\"apiVersion\":\"leeboard.dev/v1\",\"kind\":\"App\",\"name\":\"mail\"}");
	is_str(member(y, r[0], "severity"), "error");
	is_str(member(y, r[0], "reason"), "drift.found");
	is_str(member(y, r[0], "message"), "Deployment mail/mail .spec.replicas: git 3, live 5");
	is_str(member(y, r[0], "timestamp"), "2026-11-22T12:00:00Z");
}

/* ------------------------------------------------------------------ who is told */

static void test_an_alert_gets_what_its_filters_let_through(void **state)
{
	struct story *y = *state;
	str *r;

	configure(y, ALERT(HOOK, "  events: ['drift.*', 'source.*', sync.finished]\n"
				 "  apps: ['m*']\n  eventSeverity: warn"));
	note(y, "mail"); /* info */
	say(y, drift("mail"));
	gone(y, "mail"); /* info, but it ends what was told */
	say(y, (struct event){.kind = EVENT_SYNC_FAILED,
			      .severity = EVENT_ERROR,
			      .app = STR("mail")}); /* no such name */
	say(y, (struct event){.kind = EVENT_SOURCE_REFUSED,
			      .severity = EVENT_WARN,
			      .source = STR("fleet")}); /* apps says nothing of sources */
	struct event other = drift("web");
	other.app = STR("web");
	say(y, other);
	r = heard(y, 3);
	is_str(member(y, r[0], "type"), "dev.leeboard.drift.found");
	is_str(member(y, r[1], "type"), "dev.leeboard.drift.gone");
	is_str(member(y, r[2], "type"), "dev.leeboard.source.refused");
}

static void test_each_event_of_the_table_can_be_named_in_an_alert(void **state)
{
	struct story *y = *state;
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_str(&b, STR(ALERT(HOOK, "  events:\n")));
	for (size_t k = 0; k < EVENT_KINDS; k++)
		buf_printf(&b, "    - %s\n", event_name((enum event_kind)k));
	configure(y, b.p);
	assert_int_equal(y->c->alerts.p[0]->events.n, EVENT_KINDS);
}

static void test_without_an_alert_events_go_to_the_log_and_are_kept(void **state)
{
	struct story *y = *state;
	struct event_kept k;
	struct event e = drift("mail");

	say(y, e);
	heard(y, 0);
	no_err(store_outbox(y->s)->get(y->s, y->a, 1, &k));
	is_str(k.name, "drift.found");
	e.app = STR("web"); /* another emitter: its sequence begins at 1, the numbers go on */
	no_err(notify_send(y->n, y->a, &e, NULL));
	assert_int_equal(e.sequence, 1);
	assert_int_equal(e.number, 2);
	assert_true(str_contains(log_text(y), STR("drift.found")));
	assert_true(str_contains(log_text(y), STR("app=mail")));
	assert_true(str_contains(log_text(y), STR("object=\"Deployment mail/mail\"")));
}

/* ------------------------------------------------------------------ failures */

static void test_a_failing_receiver_is_tried_again_later_and_later_in_order(void **state)
{
	struct story *y = *state;
	str *r;

	configure(y, ALERT(HOOK, ""));
	ANSWERS(y, 503, 503, 204, 204);
	say(y, drift("mail"));
	gone(y, "mail");
	r = heard(y, 1);
	is_str(member(y, r[0], "type"), "dev.leeboard.drift.found");
	clock_turn(y->l, 700); /* 1 s less a fifth */
	heard(y, 0);
	clock_turn(y->l, 600);
	heard(y, 1);
	clock_turn(y->l, 1500); /* 2 s less a fifth */
	heard(y, 0);
	clock_turn(y->l, 1000);
	r = heard(y, 2);
	is_str(member(y, r[0], "type"), "dev.leeboard.drift.found");
	is_str(member(y, r[1], "type"), "dev.leeboard.drift.gone");
	assert_true(str_contains(log_text(y), STR("alert.delayed")));
}

static void test_retry_after_is_obeyed(void **state)
{
	struct story *y = *state;

	configure(y, ALERT(HOOK, ""));
	snprintf(y->script->more, sizeof(y->script->more), "Retry-After: 120\r\n");
	ANSWERS(y, 429);
	say(y, drift("mail"));
	heard(y, 1);
	clock_turn(y->l, 119 * SECOND);
	heard(y, 0);
	clock_turn(y->l, 1 * SECOND);
	heard(y, 1);
}

static void test_a_message_that_is_refused_holds_up_only_its_incident(void **state)
{
	struct story *y = *state;
	str *r;

	configure(y, ALERT(HOOK, ""));
	ANSWERS(y, 400);
	say(y, drift("mail"));
	gone(y, "mail");
	note(y, "web");
	r = heard(y, 2);
	is_str(member(y, r[0], "type"), "dev.leeboard.drift.found");
	is_str(member(y, r[1], "type"), "dev.leeboard.sync.finished");
	clock_turn(y->l, 2 * SECOND);
	r = heard(y, 2);
	is_str(member(y, r[0], "type"), "dev.leeboard.drift.found");
	is_str(member(y, r[1], "type"), "dev.leeboard.drift.gone");
}

#define TWO                                                                                        \
	"    - {type: webhook, address: 'http://127.0.0.1:PORT/one'}\n"                            \
	"    - {type: webhook, address: 'http://127.0.0.1:PORT/two'}"

static bool is_to(str request, const char *path)
{
	return str_starts(str_sub(request, 5, SIZE_MAX), str_from(path));
}

static void test_gone_stops_a_receiver_until_the_next_reload_and_tells_the_other(void **state)
{
	struct story *y = *state;
	CLEANUP(buf) struct buf b = BUF_INIT;
	const char *stopped, *other;
	str *r;

	configure(y, ALERT(TWO, "  events: ['**']"));
	ANSWERS(y, 410, 204, 204);
	note(y, "web");
	r = heard(y, 3); /* the event to both, and what one is told of the other */
	stopped = is_to(r[0], "/one") ? "/one" : "/two";
	other = is_to(r[0], "/one") ? "/two" : "/one";
	assert_true(is_to(r[1], other));
	assert_true(is_to(r[2], other));
	is_str(member(y, r[2], "type"), "dev.leeboard.alert.failed");
	assert_true(
		str_contains(member(y, r[2], "data.message"),
			     STR("takes no events: answered 410: told nothing more until the next "
				 "reload")));
	note(y, "web");
	r = heard(y, 1);
	assert_true(is_to(r[0], other));
	notify_dump(y->n, &b);
	assert_true(str_contains(buf_view(&b), STR("\"stopped\":true")));
	no_err(notify_config(y->n, y->c));
	note(y, "web");
	r = heard(y, 3);
	assert_false(str_eq(member(y, r[0], "source"), member(y, r[2], "source")));
	is_str(member(y, r[2], "type"), "dev.leeboard.alert.recovered");
	assert_true(is_to(r[2], other));
	assert_true(is_to(r[0], stopped) || is_to(r[1], stopped));
}

static void test_a_receiver_that_is_down_for_long_is_an_incident_told_to_others(void **state)
{
	struct story *y = *state;
	size_t failed = 0;

	configure(y, ALERT("    - {type: webhook, address: 'http://127.0.0.1:1/down'}\n" HOOK,
			   "  events: ['**']"));
	note(y, "web");
	heard(y, 1);
	for (int i = 0; i < 80 && !failed; i++) {
		clock_turn(y->l, 10 * SECOND);
		while (notify_busy(y->n))
			loop_turn(y->l, true);
		for (size_t k = 0; k < y->heard_n; k++)
			failed += str_contains(y->heard[k], STR("alert.failed"));
	}
	assert_int_equal(failed, 1);
	assert_true(clock_wall(y->l) >= NOON + 5 * MINUTE);
	is_str(member(y, y->heard[0], "data.since"), "2026-11-22T12:00:00Z");
	is_str(member(y, y->heard[0], "data.error"),
	       "connect to '127.0.0.1:1': Connection refused");
}

static void test_deliveries_and_incidents_outlive_a_restart(void **state)
{
	struct story *y = *state;
	str *r, incident;

	configure(y, ALERT(HOOK, ""));
	ANSWERS(y, 503);
	say(y, drift("mail"));
	r = heard(y, 1);
	incident = member(y, r[0], "incident");
	stop(y);
	clock_turn(y->l, 5 * SECOND);
	start(y);
	assert_int_equal(say(y, drift("mail")), INCIDENT_KNOWN);
	r = heard(y, 1);
	is_str(member(y, r[0], "type"), "dev.leeboard.drift.found");
	gone(y, "mail");
	r = heard(y, 1);
	is_str(member(y, r[0], "incident"), incident.p);
}

static void test_a_raise_that_is_pending_goes_before_its_resolve(void **state)
{
	struct story *y = *state;
	str *r;

	configure(y, ALERT(HOOK, ""));
	ANSWERS(y, 500);
	say(y, drift("mail"));
	heard(y, 1);
	gone(y, "mail");
	heard(y, 0);
	clock_turn(y->l, 2 * SECOND);
	r = heard(y, 2);
	is_str(member(y, r[0], "type"), "dev.leeboard.drift.found");
	is_str(member(y, r[1], "type"), "dev.leeboard.drift.gone");
}

static void test_what_a_transaction_undid_was_never_said(void **state)
{
	struct story *y = *state;
	str *r;

	configure(y, ALERT(HOOK, ""));
	no_err(store_begin(y->s));
	assert_int_equal(say(y, drift("mail")), INCIDENT_SAY);
	err_free(store_end(y->s, err_new(ERR_INTERNAL, "no")));
	heard(y, 0);
	assert_false(str_contains(log_text(y), STR("drift.found")));
	assert_int_equal(say(y, drift("mail")), INCIDENT_SAY);
	r = heard(y, 1);
	is_str(member(y, r[0], "sequence"), "1");
}

static void test_an_event_can_be_sent_again(void **state)
{
	struct story *y = *state;
	size_t n;
	str *r, id;

	configure(y, ALERT(HOOK, ""));
	say(y, drift("mail"));
	r = heard(y, 1);
	id = member(y, r[0], "id");
	no_err(store_event_redeliver(y->s, id, clock_wall(y->l), &n));
	assert_int_equal(n, 1);
	notify_wake(y->n);
	r = heard(y, 1);
	is_str(member(y, r[0], "id"), id.p);
}

/* ------------------------------------------------------------------ a changed configuration */

static void test_a_corrected_address_gets_what_waited(void **state)
{
	struct story *y = *state;
	str *r;

	configure(y, ALERT("    - {type: webhook, address: 'http://127.0.0.1:1/wrong'}", ""));
	say(y, drift("mail"));
	heard(y, 0);
	configure(y, ALERT(HOOK, ""));
	clock_turn(y->l, 2 * SECOND);
	r = heard(y, 1);
	is_str(member(y, r[0], "type"), "dev.leeboard.drift.found");
}

static void test_what_waited_for_a_receiver_that_went_is_dropped_with_a_line(void **state)
{
	struct story *y = *state;

	configure(y, ALERT("    - {type: webhook, address: 'http://127.0.0.1:1/down'}\n" HOOK, ""));
	say(y, drift("mail"));
	heard(y, 1);
	configure(y, ALERT(HOOK, ""));
	clock_turn(y->l, HOUR);
	heard(y, 0);
	assert_true(str_contains(log_text(y), STR("alert.dropped")));
	assert_true(str_contains(log_text(y), STR("events=1")));
}

/* ------------------------------------------------------------------ chats */

static void test_a_chat_gets_text_and_no_mention_of_a_strangers(void **state)
{
	struct story *y = *state;
	struct event e = drift("mail");
	str *r;

	secret(y, "url", "http://127.0.0.1:PORT/services/T0/B0/secretpath\n");
	configure(y, ALERT(CHAT, "  group: 0s\n  summary: cluster <one>"));
	e.message = STR("<!channel> & more");
	e.fields_n = 0;
	say(y, e);
	r = heard(y, 1);
	assert_true(str_starts(r[0], STR("POST /services/T0/B0/secretpath HTTP/1.1\r\n")));
	is_str(body_of(r[0]),
	       "{\"text\":\"cluster &lt;one&gt;\\n*● Drift  prod-eu / mail   Deployment mail/mail  "
	       " "
	       "3f2a91c*\\n  &lt;!channel&gt; &amp; more\",\"channel\":\"#ops\",\"username\":"
	       "\"leeboard\"}");
}

static void test_what_begins_together_and_shares_a_cause_is_one_message(void **state)
{
	struct story *y = *state;
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
	str *r, text;

	secret(y, "url", "http://127.0.0.1:PORT/chat\n");
	configure(y, ALERT(CHAT, ""));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		say(y, drift(names[i]));
	note(y, "mail");
	clock_turn(y->l, 4900);
	heard(y, 0);
	say(y, drift("late"));
	clock_turn(y->l, 200);
	r = heard(y, 2);
	text = member(y, r[0], "text");
	assert_true(str_starts(text, STR("8 x drift.found\n*● Drift  prod-eu / mail")));
	assert_true(str_ends(text, STR("and 3 more: leeboard events")));
	assert_true(str_starts(member(y, r[1], "text"), STR("*✔ Deployed")));
	clock_turn(y->l, 6 * SECOND);
	heard(y, 0);
}

static void test_the_password_in_a_chats_address_is_never_shown(void **state)
{
	struct story *y = *state;
	CLEANUP(buf) struct buf b = BUF_INIT;

	secret(y, "url", "http://127.0.0.1:PORT/services/T0/B0/secretpath\n");
	configure(y, ALERT(CHAT, "  group: 0s"));
	ANSWERS(y, 403);
	say(y, drift("mail"));
	heard(y, 1);
	notify_dump(y->n, &b);
	assert_true(str_contains(buf_view(&b), STR("\"error\":\"answered 403\"")));
	assert_false(str_contains(buf_view(&b), STR("secretpath")));
	assert_false(str_contains(log_text(y), STR("secretpath")));
	assert_true(str_contains(log_text(y), STR("address=http://127.0.0.1:")));
}

static void test_secrets_are_read_for_each_delivery_and_checked(void **state)
{
	struct story *y = *state;
	CLEANUP(buf) struct buf b = BUF_INIT;

	secret(y, "url", "http://10.0.0.1:PORT/x\n");
	configure(y, ALERT(CHAT, "  group: 0s"));
	say(y, drift("mail"));
	heard(y, 0);
	notify_dump(y->n, &b);
	assert_true(
		str_contains(buf_view(&b), STR("\"error\":\"http:// needs 'insecure: true'\"")));
	secret(y, "url", "http://127.0.0.1:PORT/x\n");
	clock_turn(y->l, 2 * SECOND);
	heard(y, 1);
}

/* ------------------------------------------------------------------ repeats */

static void test_an_open_incident_is_said_again_until_it_ends(void **state)
{
	struct story *y = *state;
	str *r, id;

	configure(y, ALERT(HOOK, "  repeat: 1h"));
	say(y, drift("mail"));
	note(y, "mail");
	r = heard(y, 2);
	id = member(y, r[0], "id");
	clock_turn(y->l, HOUR - SECOND);
	heard(y, 0);
	clock_turn(y->l, 2 * SECOND);
	r = heard(y, 1);
	is_str(member(y, r[0], "type"), "dev.leeboard.drift.found");
	is_str(member(y, r[0], "data.openSince"), "2026-11-22T12:00:00Z");
	is_str(member(y, r[0], "sequence"), "3");
	assert_false(str_eq(member(y, r[0], "id"), id));
	/* over a restart too */
	stop(y);
	start(y);
	clock_turn(y->l, 30 * MINUTE);
	heard(y, 0);
	clock_turn(y->l, 31 * MINUTE);
	heard(y, 1);
	gone(y, "mail");
	heard(y, 1);
	clock_turn(y->l, 3 * HOUR);
	heard(y, 0);
}

static void test_repeat_zero_is_never(void **state)
{
	struct story *y = *state;

	configure(y, ALERT(HOOK, "  repeat: 0s"));
	say(y, drift("mail"));
	heard(y, 1);
	clock_turn(y->l, 240 * HOUR);
	heard(y, 0);
}

static void test_how_many_wait_is_a_metric(void **state)
{
	struct story *y = *state;
	CLEANUP(buf) struct buf b = BUF_INIT;

	configure(y, ALERT("    - {type: webhook, address: 'http://127.0.0.1:1/down'}", ""));
	say(y, drift("mail"));
	note(y, "mail");
	heard(y, 0);
	metrics_write(y->m, &b);
	assert_true(str_contains(buf_view(&b), STR("\nleeboard_events_pending 2\n")));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_webhook_gets_the_cloudevent_with_id_time_and_signature),
		T(test_a_raise_is_said_once_and_resolved_once),
		T(test_flux_format_is_fluxs_event_with_the_summary),
		T(test_an_alert_gets_what_its_filters_let_through),
		T(test_each_event_of_the_table_can_be_named_in_an_alert),
		T(test_without_an_alert_events_go_to_the_log_and_are_kept),
		T(test_a_failing_receiver_is_tried_again_later_and_later_in_order),
		T(test_retry_after_is_obeyed),
		T(test_a_message_that_is_refused_holds_up_only_its_incident),
		T(test_gone_stops_a_receiver_until_the_next_reload_and_tells_the_other),
		T(test_a_receiver_that_is_down_for_long_is_an_incident_told_to_others),
		T(test_deliveries_and_incidents_outlive_a_restart),
		T(test_a_raise_that_is_pending_goes_before_its_resolve),
		T(test_what_a_transaction_undid_was_never_said),
		T(test_an_event_can_be_sent_again),
		T(test_a_corrected_address_gets_what_waited),
		T(test_what_waited_for_a_receiver_that_went_is_dropped_with_a_line),
		T(test_a_chat_gets_text_and_no_mention_of_a_strangers),
		T(test_what_begins_together_and_shares_a_cause_is_one_message),
		T(test_the_password_in_a_chats_address_is_never_shown),
		T(test_secrets_are_read_for_each_delivery_and_checked),
		T(test_an_open_incident_is_said_again_until_it_ends),
		T(test_repeat_zero_is_never),
		T(test_how_many_wait_is_a_metric),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
