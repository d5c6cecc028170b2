/* The API server that misbehaves: each test is a script of answers, and what was asked for them. */
#include "target/kube_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
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

#define LIMIT_MS 20000 /* real time that a test may take */

/* ------------------------------------------------------------------ a server by script */

enum then { KEEP, STREAM_END, STREAM_BREAK, STREAM_HANG };
struct rule {
	const char *asked; /* a part of "METHOD PATH" */
	unsigned uses;     /* 0: for ever */
	const char *status, *head, *body;
	enum then then;
};
#define JSON "Content-Type: application/json\r\n"
#define OK_(part, text)                                                                            \
	{                                                                                          \
		part, 0, "200 OK", JSON, text, KEEP                                                \
	}

struct shared {
	unsigned used[32];
};

static bool hear(int fd, char *b, size_t size)
{
	size_t n = 0;
	char *end, *length;

	for (;;) {
		ssize_t got = recv(fd, b + n, size - 1 - n, 0);

		if (got <= 0)
			return false;
		n += (size_t)got;
		b[n] = '\0';
		end = strstr(b, "\r\n\r\n");
		if (!end)
			continue;
		length = strstr(b, "Content-Length: ");
		if (!length || n >= (size_t)(end + 4 - b) + strtoul(length + 16, NULL, 10))
			return true;
	}
}

static void say(int fd, str text)
{
	if (send(fd, text.p, text.n, MSG_NOSIGNAL) < 0)
		_exit(0);
}

/* A stream goes out as one chunk; how it ends is the point. */
static void answer(int fd, const struct rule *r)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (r->then == KEEP)
		buf_printf(&b, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", r->status, r->head,
			   strlen(r->body), r->body);
	else
		buf_printf(&b, "HTTP/1.1 %s\r\n%sTransfer-Encoding: chunked\r\n\r\n%s", r->status,
			   r->head, "");
	if (r->then != KEEP && r->body[0])
		buf_printf(&b, "%zx\r\n%s\r\n", strlen(r->body), r->body);
	if (r->then == STREAM_END)
		buf_str(&b, STR("0\r\n\r\n"));
	say(fd, buf_view(&b));
	if (r->then == STREAM_HANG)
		pause();
	if (r->then == STREAM_BREAK)
		_exit(0);
}

static void serve(int fd, const struct rule *rules, struct shared *s, int log)
{
	static char b[1 << 16];

	while (hear(fd, b, sizeof(b))) {
		CLEANUP(buf) struct buf asked = BUF_INIT;
		size_t i;

		buf_add(&asked, b, (size_t)(strstr(b, " HTTP/") - b));
		buf_char(&asked, '\n');
		for (i = 0; rules[i].asked; i++)
			if (str_contains(buf_view(&asked), str_from(rules[i].asked)) &&
			    (!rules[i].uses ||
			     __atomic_fetch_add(&s->used[i], 1, __ATOMIC_SEQ_CST) < rules[i].uses))
				break;
		if (write(log, asked.p, asked.n) < 0)
			_exit(0);
		if (!rules[i].asked)
			_exit(0);
		answer(fd, &rules[i]);
	}
	_exit(0);
}

struct story {
	struct loop *l;
	struct target *t;
	struct shared *shared;
	pid_t server;
	int log; /* read end: what was asked */
	unsigned port;
	char config[64];
	struct metrics *metrics;
	struct buf told;
	bool done;
	int answered;
};

static void listen_for(struct story *s, const struct rule *rules)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0), ends[2];

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	assert_int_equal(pipe(ends), 0);
	s->port = ntohs(a.sin_port);
	s->log = ends[0];
	s->shared = mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	s->server = fork();
	if (s->server) {
		close(fd);
		close(ends[1]);
		return;
	}
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int c = accept(fd, NULL, NULL);

		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(c, rules, s->shared, ends[1]);
		}
		close(c);
	}
}

#define KINDS                                                                                      \
	"{\"kind\":\"APIGroupDiscoveryList\",\"items\":[{\"metadata\":{},\"versions\":[{"          \
	"\"version\":\"v1\",\"freshness\":\"Current\",\"resources\":[{\"resource\":\"things\","    \
	"\"responseKind\":{\"kind\":\"Thing\"},\"scope\":\"Namespaced\",\"verbs\":[\"list\","      \
	"\"watch\"]}]}]}]}"
#define NO_KINDS "{\"kind\":\"APIGroupDiscoveryList\",\"items\":[]}"
#define THING(name, version)                                                                       \
	"{\"kind\":\"Thing\",\"apiVersion\":\"v1\",\"metadata\":{\"namespace\":\"n\",\"name\":"    \
	"\"" name "\",\"uid\":\"u-" name "\",\"resourceVersion\":\"" version "\"}}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)                                                                          \
	EVENT("BOOKMARK", "{\"kind\":\"Thing\",\"metadata\":{\"resourceVersion\":\"" version "\"}" \
			  "}")
#define LIST_END(version)                                                                          \
	EVENT("BOOKMARK", "{\"kind\":\"Thing\",\"metadata\":{\"resourceVersion\":\"" version       \
			  "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}")
#define STATUS(code, message)                                                                      \
	"{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":" #code ",\"message\":\"" message    \
	"\"}"
#define DISCOVERY OK_("GET /apis", NO_KINDS), OK_("GET /api\n", KINDS)

/* ------------------------------------------------------------------ telling */

static void on_event(void *arg, const struct target_event *e)
{
	static const char *const words[] = {"seen", "gone", "listing", "listed", "lost", "found"};
	struct story *s = arg;

	buf_printf(&s->told, "%s%s" STR_FMT ";", words[e->kind], e->live.id.name.n ? " " : "",
		   STR_ARG(e->live.id.name));
}

static void on_done(void *arg, struct err *e)
{
	struct story *s = arg;

	s->done = true;
	if (e)
		err_line_to(e, &s->told);
	err_free(e);
}

static void on_applied(void *arg, enum target_outcome o UNUSED,
		       const struct target_live *live UNUSED, struct err *e)
{
	struct story *s = arg;

	s->answered++;
	if (e) {
		err_line_to(e, &s->told);
		buf_char(&s->told, ';');
	}
	err_free(e);
}

static void on_got(void *arg, const struct target_live *p, size_t n, struct err *e)
{
	struct story *s = arg;

	s->answered++;
	for (size_t i = 0; i < n; i++)
		buf_printf(&s->told, "%s;",
			   p[i].failed ? "failed"
			   : p[i].root ? "there"
				       : "absent");
	if (e)
		err_line_to(e, &s->told);
	err_free(e);
}

static void tick(void *arg UNUSED)
{
}

/* One turn that does not wait for ever. */
static void turn(struct story *s)
{
	struct timer *t = timer_start(s->l, 20, tick, NULL);

	(void)t;
	loop_turn(s->l, true);
}

static void until_told(struct story *s, const char *part)
{
	msec end = time_mono() + LIMIT_MS;

	while (!s->told.p || !strstr(s->told.p, part)) {
		if (time_mono() > end)
			fail_msg("'%s' was not told; but: %s", part, s->told.p ? s->told.p : "");
		turn(s);
	}
}

static void until_answered(struct story *s, int n)
{
	msec end = time_mono() + LIMIT_MS;

	while (s->answered < n) {
		if (time_mono() > end)
			fail_msg("no answer; told: %s", s->told.p ? s->told.p : "");
		turn(s);
	}
}

static void want_told(struct story *s, const char *want)
{
	assert_string_equal(s->told.p ? s->told.p : "", want);
	buf_clear(&s->told);
}

/* What was asked so far, without what changes by chance; the two of discovery and of the uid aside.
 */
static void want_asked(struct story *s, const char *want)
{
	static char b[1 << 16];
	CLEANUP(buf) struct buf all = BUF_INIT;
	ssize_t n;
	str rest, line;

	fcntl(s->log, F_SETFL, O_NONBLOCK);
	n = read(s->log, b, sizeof(b));
	rest = str_n(b, n > 0 ? (size_t)n : 0);
	while (str_split(&rest, '\n', &line)) {
		size_t chance = str_find(line, STR("&timeoutSeconds="));

		if (!line.n || str_eq(line, STR("GET /api")) || str_eq(line, STR("GET /apis")) ||
		    str_ends(line, STR("/kube-system")))
			continue;
		if (chance != SIZE_MAX) {
			str after = str_sub(line, chance + 1, SIZE_MAX);

			buf_str(&all, str_sub(line, 0, chance));
			buf_str(&all, str_sub(after, str_chr(after, '&'), SIZE_MAX));
		} else {
			buf_str(&all, line);
		}
		buf_char(&all, '\n');
	}
	assert_string_equal(all.p ? all.p : "", want);
}

#define SYSTEM OK_("kube-system", "{\"metadata\":{\"uid\":\"c\"}}")

static void open_target(struct story *s, const struct rule *rules)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct app_target where = {.kind = TARGET_KUBECONFIG, .kubeconfig = {.kind = REF_FILE}};
	struct target_env env = {
		.instance = STR("edge"), .holder = STR("h"), .delete_timeout = SECOND};
	int fd;

	listen_for(s, rules);
	s->l = loop_new();
	env.loop = s->l;
	env.metrics = s->metrics = metrics_new();
	memcpy(s->config, "/tmp/leeboard-kube-XXXXXX", sizeof("/tmp/leeboard-kube-XXXXXX"));
	fd = mkstemp(s->config);
	buf_printf(&b,
		   "current-context: t\ncontexts: [{name: t, context: {cluster: t}}]\n"
		   "clusters: [{name: t, cluster: {server: 'http://127.0.0.1:%u'}}]\n",
		   s->port);
	assert_int_equal(write(fd, b.p, b.n), b.n);
	close(fd);
	where.kubeconfig.value = str_from(s->config);
	assert_null(target_open(&env, &where, &s->t));
	target_listen(s->t, on_event, s);
	target_ready(s->t, on_done, s, NULL);
	while (!s->done)
		turn(s);
}

static void begin(struct story *s, const struct rule *rules)
{
	open_target(s, rules);
	want_told(s, "");
}

static void watch(struct story *s)
{
	assert_null(target_watch(s->t, STR_NONE, STR("v1"), STR("Thing")));
}

static int setup(void **state)
{
	*state = xcalloc(1, sizeof(struct story));
	return 0;
}

static int teardown(void **state)
{
	struct story *s = *state;

	target_close(s->t);
	loop_free(s->l);
	metrics_free(s->metrics);
	kill(-s->server, SIGKILL);
	kill(s->server, SIGKILL);
	waitpid(s->server, NULL, 0);
	munmap(s->shared, sizeof(*s->shared));
	close(s->log);
	unlink(s->config);
	buf_done(&s->told);
	free(s);
	return 0;
}

static void apply(struct story *s, const char *name)
{
	CLEANUP(buf) struct buf json = BUF_INIT;
	struct target_apply w = {
		.id = {.kind = STR("Thing"), .ns = STR("n"), .name = str_from(name)},
		.version = STR("v1"),
		.force = true};

	buf_printf(&json,
		   "{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"%s\"}}",
		   name);
	w.json = buf_view(&json);
	target_apply(s->t, &w, on_applied, s, NULL);
}

#define SELECTOR "labelSelector=leeboard.dev/instance%3Dedge"
#define LIST                                                                                       \
	"GET /api/v1/things?watch=1&allowWatchBookmarks=true&" SELECTOR                            \
	"&sendInitialEvents=true&resourceVersionMatch=NotOlderThan\n"
#define FROM(version)                                                                              \
	"GET /api/v1/things?watch=1&allowWatchBookmarks=true&" SELECTOR                            \
	"&resourceVersion=" version "\n"
#define STREAM(part, uses, then, text)                                                             \
	{                                                                                          \
		part, uses, "200 OK", JSON, text, then                                             \
	}

static void want_counted(struct story *s, const char *verb, const char *code, int n)
{
	CLEANUP(buf) struct buf all = BUF_INIT;
	CLEANUP(buf) struct buf line = BUF_INIT;

	metrics_write(s->metrics, &all);
	buf_printf(&line,
		   "leeboard_api_requests_total{target=\"t at http://127.0.0.1:%u\",verb=\"%s\","
		   "code=\"%s\"} %d\n",
		   s->port, verb, code, n);
	if (!strstr(all.p, line.p))
		fail_msg("no %s in %s", line.p, all.p);
}

/* ------------------------------------------------------------------ requests */

static void test_pressure_is_waited_out_and_halves_the_window(void **state)
{
	static const struct rule rules[] = {DISCOVERY,
					    SYSTEM,
					    {"PATCH", 1, "429 Too Many Requests",
					     JSON "Retry-After: 1\r\n", STATUS(429, "slow"), KEEP},
					    OK_("PATCH", THING("a", "5")),
					    {0}};
	struct story *s = *state;
	msec from = time_mono();

	begin(s, rules);
	((struct kube *)s->t)->window = 40;
	apply(s, "a");
	until_answered(s, 1);
	want_told(s, "");
	assert_true(time_mono() - from >= 1000);
	want_counted(s, "patch", "429", 1);
	want_counted(s, "patch", "200", 1);
	want_counted(s, "discover", "200", 2);
	assert_true(((struct kube *)s->t)->window >= 20 && ((struct kube *)s->t)->window < 21);
	want_asked(s, "PATCH /api/v1/namespaces/n/things/a?fieldManager=leeboard&force=true\n"
		      "PATCH /api/v1/namespaces/n/things/a?fieldManager=leeboard&force=true\n");
}

static void test_a_passing_failure_is_tried_again(void **state)
{
	static const struct rule rules[] = {
		DISCOVERY,
		SYSTEM,
		{"PATCH", 1, "503 Service Unavailable", "", "later", KEEP},
		{"PATCH", 1, "200 OK", JSON, "{\"kind\":", STREAM_BREAK},
		OK_("PATCH", THING("a", "5")),
		{0}};
	struct story *s = *state;

	begin(s, rules);
	apply(s, "a");
	until_answered(s, 1);
	want_told(s, "");
	want_asked(s, "PATCH /api/v1/namespaces/n/things/a?fieldManager=leeboard&force=true\n"
		      "PATCH /api/v1/namespaces/n/things/a?fieldManager=leeboard&force=true\n"
		      "PATCH /api/v1/namespaces/n/things/a?fieldManager=leeboard&force=true\n");
}

static void test_what_no_repetition_cures_is_asked_once(void **state)
{
	static const struct rule rules[] = {
		DISCOVERY,
		SYSTEM,
		{"things/typed", 0, "500 Internal Server Error", JSON,
		 STATUS(500,
			"failed to create typed patch object (n/a; /v1): .spec.x: expected map"),
		 KEEP},
		{"things/large", 0, "413 Request Entity Too Large", JSON, STATUS(413, "too large"),
		 KEEP},
		{"things/who", 0, "401 Unauthorized", JSON, STATUS(401, "Unauthorized"), KEEP},
		{0}};
	struct story *s = *state;

	begin(s, rules);
	apply(s, "typed");
	until_answered(s, 1);
	want_told(s,
		  "things 'typed' in namespace 'n' is invalid: failed to create typed patch object "
		  "(n/a; /v1): .spec.x: expected map;");
	apply(s, "large");
	until_answered(s, 2);
	want_told(s, "things 'large' in namespace 'n' is too large for the server;");
	apply(s, "who");
	until_answered(s, 3);
	want_told(s, "the server does not take our credential (401): cannot patch things 'who' in "
		     "namespace 'n';");
	assert_int_equal(target_writes(s->t), 3);
}

/* A hundred waiting ones do not each find out for themselves. */
static void test_an_outage_ends_all_that_wait(void **state)
{
	static const struct rule rules[] = {DISCOVERY, SYSTEM, {0}}; /* hangs up on anything else */
	struct story *s = *state;
	msec from = time_mono();

	begin(s, rules);
	for (int i = 0; i < 100; i++)
		apply(s, "a");
	until_answered(s, 100);
	assert_true(time_mono() - from < 15000);
	assert_true(target_writes(s->t) < 100);
	assert_true(str_contains(buf_view(&s->told), STR("closed the connection")));
}

static void test_an_unreadable_group_is_never_absent(void **state)
{
	static const struct rule rules[] = {
		OK_("GET /apis/bad.test/v1", ""), /* no JSON */
		OK_("GET /api/v1/namespaces/kube-system", "{\"metadata\":{\"uid\":\"c\"}}"),
		OK_("GET /api/v1\n",
		    "{\"kind\":\"APIResourceList\",\"resources\":[{\"name\":\"things\","
		    "\"kind\":\"Thing\",\"namespaced\":true,\"verbs\":[\"list\"]},"
		    "{\"name\":\"things/status\",\"kind\":\"Thing\"}]}"),
		OK_("GET /apis\n", "{\"kind\":\"APIGroupList\",\"groups\":[{\"name\":\"bad.test\","
				   "\"versions\":[{\"version\":\"v1\"}]}]}"),
		OK_("GET /api\n", "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"]}"),
		{0}};
	static const struct target_want_live ids[] = {
		{.id = {STR("bad.test"), STR("Other"), STR("n"), STR("x")}, .version = STR("v1")},
		{.id = {STR("good.test"), STR("Other"), STR("n"), STR("x")}, .version = STR("v1")}};
	struct story *s = *state;

	begin(s, rules);
	assert_true(target_has_status(s->t, STR(""), STR("v1"), STR("Thing")));
	assert_false(target_serves(s->t, STR("good.test"), STR("v1"), STR("Other")));
	assert_true(target_serves(s->t, STR("bad.test"), STR("v1"), STR("Other")));
	target_get(s->t, ids, 2, false, on_got, s, NULL);
	until_answered(s, 1);
	want_told(s, "failed;absent;the server cannot say what is in API group 'bad.test/v1' now: "
		     "nothing "
		     "is known of its Other objects");
}

/* ------------------------------------------------------------------ watches */

static void test_a_version_that_is_too_old_lists_again(void **state)
{
	static const struct rule rules[] = {
		DISCOVERY,
		SYSTEM,
		STREAM("sendInitialEvents", 1, STREAM_BREAK,
		       EVENT("ADDED", THING("a", "3")) EVENT("ADDED", THING("b", "2"))
			       LIST_END("7")),
		STREAM("resourceVersion=7", 1, STREAM_HANG, EVENT("ERROR", STATUS(410, "too old"))),
		STREAM("sendInitialEvents", 1, STREAM_BREAK,
		       EVENT("ADDED", THING("a", "9")) LIST_END("9")),
		{"resourceVersion=9", 1, "410 Gone", JSON, STATUS(410, "too old"), KEEP},
		STREAM("sendInitialEvents", 1, STREAM_HANG, LIST_END("11")),
		{"things/", 0, "404 Not Found", JSON,
		 "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"details\":{\"name\":\"x\"}}",
		 KEEP},
		{0}};
	struct story *s = *state;

	begin(s, rules);
	watch(s);
	until_told(s, "gone a;");
	until_told(s, "gone a;listed;");
	want_told(s, "listing;seen a;seen b;listed;"
		     "listing;seen a;gone b;listed;"
		     "listing;gone a;listed;");
	want_asked(s, LIST FROM("7") LIST "GET /api/v1/namespaces/n/things/b\n" FROM("9") LIST
		   "GET /api/v1/namespaces/n/things/a\n");
}

static void test_a_line_that_is_cut_is_told_when_it_is_whole(void **state)
{
	static const struct rule rules[] = {
		DISCOVERY,
		SYSTEM,
		STREAM("sendInitialEvents", 1, STREAM_BREAK,
		       LIST_END("7") EVENT("ADDED",
					   THING("a", "8")) "{\"type\":\"ADDED\",\"object\":{\"ki"),
		STREAM("resourceVersion=8", 1, STREAM_END,
		       EVENT("ADDED", THING("b", "9")) BOOKMARK("12")),
		STREAM("resourceVersion=12", 0, STREAM_HANG, EVENT("MODIFIED", THING("b", "13"))),
		{0}};
	struct story *s = *state;

	begin(s, rules);
	watch(s);
	until_told(s, "seen b;seen b;");
	want_told(s, "listing;listed;seen a;seen b;seen b;");
	want_asked(s, LIST FROM("8") FROM("12"));
}

static void test_a_silent_watch_is_taken_for_dead(void **state)
{
	static const struct rule rules[] = {
		DISCOVERY,
		SYSTEM,
		STREAM("sendInitialEvents", 1, STREAM_HANG, LIST_END("7")),
		STREAM("resourceVersion=7", 1, STREAM_HANG, EVENT("ADDED", THING("a", "8"))),
		{0}};
	struct story *s = *state;
	msec end = time_mono() + LIMIT_MS;

	begin(s, rules);
	watch(s);
	until_told(s, "listed;");
	clock_freeze(s->l, time_wall());
	clock_turn(s->l, KUBE_STREAM_IDLE - SECOND);
	loop_turn(s->l, false);
	want_asked(s, LIST);
	while (!str_contains(buf_view(&s->told), STR("seen a;")) && time_mono() < end) {
		clock_turn(s->l, 100);
		loop_turn(s->l, false);
		usleep(1000);
	}
	want_told(s, "listing;listed;seen a;");
	want_asked(s, FROM("7"));
}

static void test_a_server_without_watch_lists_is_listed_in_pages(void **state)
{
#define PAGE(more, version, items)                                                                 \
	"{\"kind\":\"ThingList\",\"metadata\":{\"resourceVersion\":\"" version                     \
	"\",\"continue\":\"" more "\"},\"items\":[" items "]}"
#define ITEM(name) "{\"metadata\":{\"namespace\":\"n\",\"name\":\"" name "\",\"uid\":\"" name "\"}}"
	static const struct rule rules[] = {
		DISCOVERY,
		SYSTEM,
		{"sendInitialEvents", 1, "422 Unprocessable", JSON, STATUS(422, "forbidden"), KEEP},
		{"continue=one", 1, "410 Gone", JSON, STATUS(410, "the token expired"), KEEP},
		{"limit=500", 1, "200 OK", JSON, PAGE("one", "4", ITEM("a")), KEEP},
		{"continue=two", 1, "200 OK", JSON, PAGE("", "6", ITEM("b")), KEEP},
		{"limit=500", 1, "200 OK", JSON, PAGE("two", "6", ITEM("a")), KEEP},
		STREAM("resourceVersion=6", 0, STREAM_HANG, EVENT("ADDED", THING("c", "8"))),
		{0}};
	struct story *s = *state;

	begin(s, rules);
	watch(s);
	until_told(s, "seen c;");
	want_told(s, "listing;seen a;listing;seen a;seen b;listed;seen c;");
	want_asked(s, LIST "GET /api/v1/things?" SELECTOR "&limit=500\n"
			   "GET /api/v1/things?" SELECTOR "&limit=500&continue=one\n"
			   "GET /api/v1/things?" SELECTOR "&limit=500\n"
			   "GET /api/v1/things?" SELECTOR "&limit=500&continue=two\n" FROM("6"));
}

static void test_an_outage_is_told_once_and_so_is_its_end(void **state)
{
	static const struct rule rules[] = {
		DISCOVERY,
		SYSTEM,
		STREAM("sendInitialEvents", 1, STREAM_BREAK, LIST_END("7")),
		{"resourceVersion=7", 1, "503 Service Unavailable", "", "no", KEEP},
		{"resourceVersion=7", 1, "429 Too Many Requests", "", "no", KEEP},
		{"resourceVersion=7", 1, "500 Internal Server Error", "", "no", KEEP},
		STREAM("resourceVersion=7", 0, STREAM_HANG, EVENT("ADDED", THING("a", "8"))),
		{0}};
	struct story *s = *state;

	begin(s, rules);
	watch(s);
	until_told(s, "seen a;");
	want_told(s, "listing;listed;lost;found;seen a;");
}

static void test_a_deletion_that_we_made_is_not_asked_about(void **state)
{
	static const struct rule rules[] = {
		DISCOVERY,
		SYSTEM,
		OK_("DELETE", "{\"kind\":\"Status\",\"status\":\"Success\"}"),
		STREAM("sendInitialEvents", 1, STREAM_END,
		       EVENT("ADDED", THING("a", "3")) EVENT("ADDED", THING("b", "3")) LIST_END("7")
			       EVENT("DELETED", THING("a", "8")) EVENT("DELETED", THING("b", "9"))),
		OK_("things/b", THING("b", "9")),
		STREAM("resourceVersion=9", 0, STREAM_HANG, BOOKMARK("12")),
		{0}};
	static const struct target_delete what = {.id = {STR(""), STR("Thing"), STR("n"), STR("a")},
						  .version = STR("v1"),
						  .uid = STR("u-a")};
	struct story *s = *state;

	begin(s, rules);
	s->done = false;
	target_delete(s->t, &what, on_done, s, NULL);
	while (!s->done)
		turn(s);
	watch(s);
	until_told(s, "gone a;seen b;");
	want_told(s, "listing;seen a;seen b;listed;gone a;seen b;");
}

static void close_on_event(void *arg, const struct target_event *e UNUSED)
{
	struct story *s = arg;

	buf_str(&s->told, STR("closed;"));
	target_close(STEAL(s->t));
}

static void test_the_listener_may_close_the_target(void **state)
{
	static const struct rule rules[] = {
		DISCOVERY,
		SYSTEM,
		STREAM("sendInitialEvents", 1, STREAM_HANG, LIST_END("7")),
		{"PATCH", 0, "200 OK", JSON, THING("a", "1"), STREAM_HANG},
		{0}};
	struct story *s = *state;

	begin(s, rules);
	apply(s, "a");
	target_listen(s->t, close_on_event, s);
	watch(s);
	until_told(s, "closed;");
	for (int i = 0; i < 5; i++)
		turn(s);
	want_told(s, "closed;");
	assert_int_equal(s->answered, 0);
}

static void close_when_done(void *arg, struct err *e)
{
	struct story *s = arg;

	err_free(e);
	s->done = true;
	target_close(STEAL(s->t));
}

static void test_a_caller_may_close_the_target_out_of_its_answer(void **state)
{
	static const struct rule rules[] = {DISCOVERY, SYSTEM, {0}};
	struct story *s = *state;

	begin(s, rules);
	s->done = false;
	for (int i = 0; i < 3; i++)
		target_discover(s->t, close_when_done, s, NULL);
	while (!s->done)
		turn(s);
	for (int i = 0; i < 5; i++)
		turn(s);
	assert_null(s->t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pressure_is_waited_out_and_halves_the_window),
		TEST(test_a_passing_failure_is_tried_again),
		TEST(test_what_no_repetition_cures_is_asked_once),
		TEST(test_an_outage_ends_all_that_wait),
		TEST(test_an_unreadable_group_is_never_absent),
		TEST(test_a_version_that_is_too_old_lists_again),
		TEST(test_a_line_that_is_cut_is_told_when_it_is_whole),
		TEST(test_a_silent_watch_is_taken_for_dead),
		TEST(test_a_server_without_watch_lists_is_listed_in_pages),
		TEST(test_an_outage_is_told_once_and_so_is_its_end),
		TEST(test_a_deletion_that_we_made_is_not_asked_about),
		TEST(test_the_listener_may_close_the_target),
		TEST(test_a_caller_may_close_the_target_out_of_its_answer),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
