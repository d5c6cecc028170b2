/* poll: one question a remote and interval, however many Sources read from it.
 *
 * http and https: one ls-refs POST on a connection that stays (remote.h). ssh and folders of this
 * machine: a fetch worker that lists; a folder is also watched, so that a push there is seen at
 * once. */
#include "sync_priv.h"

#include <stdlib.h>

#define BACKOFF_FIRST (2 * SECOND)
#define BACKOFF_LONGEST (60 * SECOND)
#define JITTER_PERCENT 10
#define FOLDER_QUIET 30 /* ms after a change of a ref in a folder */

struct poll_group {
	struct sync *s;
	char *key;
	SYNC_LIST(struct source_run) sources;
	struct remote *remote; /* http */
	uint64_t sent, received;
	struct job *job;     /* the others */
	struct arena *arena; /* of refs */
	struct remote_refs refs;
	struct err *failed;
	struct timer *timer, *soon;
	SYNC_LIST(struct watch_path) watches;
	bool busy, again;
	unsigned fails;
	msec next_at; /* wall clock; 0: not set */
};

/* Same remote, same credentials. */
static str group_key(struct arena *a, const struct source *d)
{
	static const char parts[][8] = {"auth", "tls"};
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_str(&b, d->url);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const struct node *n = node_get(d->spec, str_from(parts[i]));

		buf_char(&b, '\n');
		if (n)
			node_json(n, NODE_JSON_CANONICAL, &b);
	}
	return arena_str(a, buf_view(&b));
}

static struct err *read_ref(struct arena *a, const struct config_ref *r, const char *what, str *ret)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct err *e = NULL;

	if (r->kind == REF_NONE)
		return NULL;
	e = config_ref_read(r, what, NULL, &b);
	if (!e)
		*ret = arena_str(a, buf_view(&b));
	if (b.p)
		mem_wipe(b.p, b.n);
	return e;
}

struct err *source_credentials(const struct source_run *r, struct arena *a, struct job_fetch *j)
{
	const struct source *d = r->doc;

	j->url = d->url;
	j->local = d->local;
	j->auth = d->auth;
	j->username = d->username;
	j->limits.best_effort = r->s->config->daemon.sandbox == SANDBOX_BEST_EFFORT;
	TRY(read_ref(a, &d->password, "auth.basic.password", &j->secret));
	TRY(read_ref(a, &d->bearer_token, "auth.bearer.token", &j->secret));
	TRY(read_ref(a, &d->ssh_key, "auth.ssh.key", &j->secret));
	TRY(read_ref(a, &d->ssh_passphrase, "auth.ssh.passphrase", &j->passphrase));
	TRY(read_ref(a, &d->ssh_known_hosts, "auth.ssh.knownHosts", &j->known_hosts));
	TRY(read_ref(a, &d->tls.ca, "tls.ca", &j->ca));
	TRY(read_ref(a, &d->tls.cert, "tls.cert", &j->cert));
	TRY(read_ref(a, &d->tls.key, "tls.key", &j->key));
	return NULL;
}

static void go(struct poll_group *g);

static void on_timer(void *arg)
{
	struct poll_group *g = arg;

	g->timer = NULL;
	go(g);
}

/* The shortest interval of its sources; 0: none polls by time. */
static msec interval_of(const struct poll_group *g)
{
	msec d = 0;

	for (size_t i = 0; i < g->sources.n; i++) {
		msec v = g->sources.p[i]->doc->interval;

		if (v && (!d || v < d))
			d = v;
	}
	return d;
}

static void rest(struct poll_group *g)
{
	msec d = interval_of(g);

	g->busy = false;
	timer_stop(g->timer);
	g->timer = NULL;
	if (g->again && !g->s->stopping) {
		g->again = false;
		g->timer = timer_start(g->s->loop, 0, on_timer, g);
		return;
	}
	if (!d || g->s->stopping)
		return;
	if (g->fails) {
		msec back = BACKOFF_FIRST << (g->fails < 6 ? g->fails - 1 : 5);

		back = back < BACKOFF_LONGEST ? back : BACKOFF_LONGEST;
		d = d > back ? d : back;
	}
	d += random_below((uint32_t)(d * JITTER_PERCENT / 100 + 1)) - d * JITTER_PERCENT / 200;
	g->next_at = clock_wall(g->s->loop) + d;
	g->timer = timer_start(g->s->loop, d, on_timer, g);
}

msec poll_next(const struct poll_group *g)
{
	return g->timer ? g->next_at : 0;
}

/* ------------------------------------------------------------------ answers */

static void tell_source(struct source_run *r, const struct remote_refs *refs)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct remote_choice c;
	struct err *e = remote_choose(a, &r->doc->ref, refs, &c);

	if (e) {
		source_failed(r, e);
		source_settle(r);
		return;
	}
	source_tip(r, c.commit, c.ref);
}

/* Takes e. */
static void answer(struct poll_group *g, const struct remote_refs *refs, struct err *e)
{
	/* A source may leave the group while it is told. */
	for (size_t i = g->sources.n; i-- > 0;) {
		struct source_run *r = g->sources.p[i];

		if (!e) {
			tell_source(r, refs);
			continue;
		}
		source_failed(r, err_new(err_code(e), STR_FMT, STR_ARG(err_message(e))));
		source_settle(r);
	}
	g->fails = e ? g->fails + 1 : 0;
	err_free(e);
	rest(g);
}

static void on_refs(void *arg, const struct remote_refs *refs, struct err *e)
{
	struct poll_group *g = arg;
	uint64_t sent, received;

	remote_bytes(g->remote, &sent, &received);
	if (g->sources.n) {
		const char *name = g->sources.p[0]->name;

		metric_add(g->s->metrics, METRIC_GIT_BYTES, (double)(sent - g->sent),
			   LABELS(name, "out"));
		metric_add(g->s->metrics, METRIC_GIT_BYTES, (double)(received - g->received),
			   LABELS(name, "in"));
	}
	g->sent = sent;
	g->received = received;
	answer(g, refs, e);
}

static struct err *on_list_frame(void *arg, struct frame *f)
{
	struct poll_group *g = arg;
	struct worker_ref w;

	if (f->type == FRAME_REF) {
		TRY(frame_get_ref(f, &w));
		*ARENA_PUSH(g->arena, &g->refs) = (struct remote_ref){
			arena_str(g->arena, w.name), arena_str(g->arena, w.oid),
			arena_str(g->arena, w.peeled), arena_str(g->arena, w.symref)};
	} else if (f->type == FRAME_ERROR) {
		struct err *e;

		TRY(worker_read_error(f, &e));
		g->failed = err_join(g->failed, e);
	}
	return NULL;
}

static void on_list_done(void *arg, struct err *e)
{
	struct poll_group *g = arg;
	struct arena *a = STEAL(g->arena);
	struct remote_refs refs = g->refs;

	g->job = NULL;
	g->refs = (struct remote_refs){0};
	if (g->failed) {
		err_free(e);
		e = STEAL(g->failed);
	}
	answer(g, &refs, e);
	arena_free(a);
}

/* ------------------------------------------------------------------ questions */

static struct err *ask_http(struct poll_group *g, const str *prefixes, size_t n)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct source_run *r = g->sources.p[0];
	struct job_fetch c = {0};

	/* A credential may have changed since: the connection goes with it. */
	TRY(source_credentials(r, a, &c));
	if (g->remote && g->fails) {
		remote_free(g->remote);
		g->remote = NULL;
	}
	if (!g->remote) {
		struct remote_spec spec = {
			.url = c.url,
			.auth = c.auth,
			.username = c.username,
			.secret = c.secret,
			.tls = {.ca_pem = c.ca, .cert_pem = c.cert, .key_pem = c.key},
			.timeout = r->doc->timeout};

		TRY(remote_new(g->s->loop, &spec, &g->remote));
		g->sent = g->received = 0;
	}
	return remote_poll(g->remote, prefixes, n, on_refs, g);
}

static struct err *ask_worker(struct poll_group *g, const str *prefixes, size_t n)
{
	static const struct job_calls calls = {on_list_frame, on_list_done};
	struct source_run *r = g->sources.p[0];
	struct arena *a = arena_new();
	struct worker_spec spec = {0};
	struct job_fetch j = {
		.op = JOB_LIST, .prefixes = prefixes, .prefixes_n = n, .timeout = r->doc->timeout};
	struct err *e = source_credentials(r, a, &j);

	if (!e)
		e = job_fetch_write(a, &j, &spec);
	if (e) {
		arena_free(a);
		return e;
	}
	spec.timeout = r->doc->timeout + 5 * SECOND;
	g->arena = arena_new();
	return job_start(g->s, "fetch", a, &spec, &calls, g, &g->job);
}

static bool is_http(str url)
{
	return str_starts(url, STR("http://")) || str_starts(url, STR("https://"));
}

static void go(struct poll_group *g)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct {
		str *p;
		size_t n, cap;
	} prefixes = {0};
	struct err *e;

	if (g->busy) {
		g->again = true;
		return;
	}
	if (!g->sources.n || g->s->stopping)
		return;
	timer_stop(g->timer);
	g->timer = NULL;
	g->busy = true;
	for (size_t i = 0; i < g->sources.n; i++) {
		str *p;
		size_t n;

		remote_prefixes(a, &g->sources.p[i]->doc->ref, &p, &n);
		for (size_t k = 0; k < n; k++)
			*ARENA_PUSH(a, &prefixes) = p[k];
	}
	if (!prefixes.n) { /* a commit is named: nothing to ask */
		struct remote_refs none = {0};

		answer(g, &none, NULL);
		return;
	}
	if (is_http(g->sources.p[0]->doc->url))
		e = ask_http(g, prefixes.p, prefixes.n);
	else
		e = ask_worker(g, prefixes.p, prefixes.n);
	if (e)
		answer(g, NULL, e);
}

/* ------------------------------------------------------------------ folders of this machine */

static void on_quiet(void *arg)
{
	struct poll_group *g = arg;

	g->soon = NULL;
	go(g);
}

static void on_folder(void *arg, const char *name)
{
	struct poll_group *g = arg;

	(void)name;
	if (!g->soon)
		g->soon = timer_start(g->s->loop, FOLDER_QUIET, on_quiet, g);
}

/* Where refs change in a repository. A miss costs nothing: the interval is the net. */
static void watch_folder(struct poll_group *g, const struct source *d)
{
	static const char places[][24] = {"",      "/refs/heads",      "/refs/tags",
					  "/.git", "/.git/refs/heads", "/.git/refs/tags"};
	CLEANUP(arena) struct arena *a = arena_new();

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		str path = arena_printf(a, STR_FMT "%s", STR_ARG(d->url), places[i]);
		struct watch_path *w;
		struct err *e = loop_path(g->s->loop, path.p, on_folder, g, &w);

		if (e)
			err_free(e);
		else
			LIST_ADD(&g->watches, w);
	}
}

/* ------------------------------------------------------------------ groups */

void poll_join(struct source_run *r)
{
	struct sync *s = r->s;
	CLEANUP(arena) struct arena *a = arena_new();
	str key = group_key(a, r->doc);
	struct poll_group *g = NULL;

	for (size_t i = 0; i < s->polls.n && !g; i++)
		if (str_eq(str_from(s->polls.p[i]->key), key))
			g = s->polls.p[i];
	if (!g) {
		g = xcalloc(1, sizeof(*g));
		g->s = s;
		g->key = text_dup(key);
		LIST_ADD(&s->polls, g);
		if (r->doc->local)
			watch_folder(g, r->doc);
	}
	LIST_ADD(&g->sources, r);
	r->group = g;
	if (!g->busy)
		rest(g);
}

static void group_free(struct poll_group *g)
{
	LIST_DEL(&g->s->polls, g);
	timer_stop(g->timer);
	timer_stop(g->soon);
	for (size_t i = 0; i < g->watches.n; i++)
		loop_path_stop(g->watches.p[i]);
	free(g->watches.p);
	job_stop(g->job);
	if (g->remote)
		remote_free(g->remote);
	arena_free(g->arena);
	err_free(g->failed);
	free(g->sources.p);
	free(g->key);
	free(g);
}

static void reap(void *arg)
{
	struct sync *s = arg;

	s->reap_timer = NULL;
	for (size_t i = s->polls.n; i-- > 0;)
		if (!s->polls.p[i]->sources.n)
			group_free(s->polls.p[i]);
}

void poll_leave(struct source_run *r)
{
	struct poll_group *g = r->group;
	struct sync *s = r->s;

	if (!g)
		return;
	r->group = NULL;
	LIST_DEL(&g->sources, r);
	/* It may be this group's own callback that we are in. */
	if (!g->sources.n && !s->reap_timer && !s->stopping)
		s->reap_timer = timer_start(s->loop, 0, reap, s);
}

void polls_free(struct sync *s)
{
	while (s->polls.n)
		group_free(s->polls.p[s->polls.n - 1]);
}

bool poll_busy(const struct poll_group *g)
{
	return g->busy;
}

void source_poll(struct source_run *r)
{
	if (r->group)
		go(r->group);
	else
		source_settle(r);
}
