/* Requests: three queues, a window for writes, and what is worth another try (sync.md c.4).
 *
 * Every request here may be repeated: applies, patches with a test, deletes with a uid, reads; a
 * create that was answered into the void ends as AlreadyExists, which its caller reads as such. */
#include "kube_priv.h"
#include <assert.h>
#include <stdlib.h>
#include <time.h>

#define BODY_OF_ERROR (64u << 10) /* kept of an answer to a stream that is no stream */

enum req_state { REQ_QUEUED, REQ_SENT, REQ_RESTING };

struct kube_req {
	struct kube *k;
	struct kube_op *op;              /* NULL: a stream's */
	struct kube_req *prev, *next;    /* of the operation */
	struct kube_req *before, *after; /* of the queue, while REQ_QUEUED */
	struct kube_req **handle;        /* where its owner keeps it; set to NULL when it ends */
	struct kube_ask ask;
	kube_reply_fn fn;
	void *arg;
	enum req_state state;
	struct http_call *call;
	struct timer *timer;
	unsigned tries, outage, serial;
	msec since, sent_at;
	bool refreshed, streaming;
	struct buf body; /* of a stream's error */
};

/* ------------------------------------------------------------------ queues */

static void enqueue(struct kube_req *r, bool front)
{
	struct kube_queue *q = &r->k->queues[r->ask.lane];

	r->state = REQ_QUEUED;
	r->before = front ? NULL : q->last;
	r->after = front ? q->first : NULL;
	*(r->before ? &r->before->after : &q->first) = r;
	*(r->after ? &r->after->before : &q->last) = r;
}

static void dequeue(struct kube_req *r)
{
	struct kube_queue *q = &r->k->queues[r->ask.lane];

	*(r->before ? &r->before->after : &q->first) = r->after;
	*(r->after ? &r->after->before : &q->last) = r->before;
	r->before = r->after = NULL;
}

static void pump_soon(struct kube *k, msec d);

static void on_pump(void *arg)
{
	struct kube *k = arg;

	k->pump = NULL;
	kube_pump(k);
}

static void pump_soon(struct kube *k, msec d)
{
	if (k->pump && d)
		return;
	timer_stop(k->pump);
	k->pump = timer_start(k->t.loop, d, on_pump, k);
}

/* Out of every list; its place in the window is free again. */
static void release(struct kube_req *r)
{
	if (r->state == REQ_QUEUED)
		dequeue(r);
	else
		r->k->queues[r->ask.lane].running--;
	timer_stop(STEAL(r->timer));
	if (r->handle)
		*r->handle = NULL;
	r->handle = NULL;
	if (r->op) {
		*(r->prev ? &r->prev->next : &r->op->reqs) = r->next;
		if (r->next)
			r->next->prev = r->prev;
		r->op = NULL;
	}
}

static void req_free(struct kube_req *r)
{
	buf_done(&r->body);
	free(r);
}

void kube_req_cancel(struct kube_req *r)
{
	struct kube *k;

	if (!r)
		return;
	k = r->k;
	http_cancel(STEAL(r->call));
	release(r);
	req_free(r);
	pump_soon(k, 0);
}

/* Ends r. Its owner may cancel or start others, but not close the target. */
static void finish(struct kube_req *r, const struct kube_reply *reply, struct err *e)
{
	struct kube *k = r->k;

	release(r);
	r->fn(r->arg, reply, e);
	req_free(r);
	pump_soon(k, 0);
}

void kube_queue_fail(struct kube *k, const char *why)
{
	unsigned now = ++k->outage;

	for (size_t lane = 0; lane < KUBE_STREAM; lane++) {
		struct kube_req *r;

		while ((r = k->queues[lane].first) && r->outage < now)
			finish(r, NULL, err_new(ERR_TARGET_UNREACHABLE, "%s", why));
	}
	kube_applies_fail(k, why);
}

/* ------------------------------------------------------------------ another try */

static void rested(void *arg)
{
	struct kube_req *r = arg;

	r->timer = NULL;
	r->k->queues[r->ask.lane].running--;
	enqueue(r, true);
	kube_pump(r->k);
}

/* Keeps its place in the window meanwhile: the server has asked for less, not for other work. */
static void rest(struct kube_req *r, msec d)
{
	r->state = REQ_RESTING;
	r->timer = timer_start(r->k->t.loop, d, rested, r);
}

static msec jitter(msec d)
{
	return d + (msec)random_below((uint32_t)(d / 4 + 1));
}

static msec backoff(unsigned tries)
{
	msec d = KUBE_BACKOFF_FIRST;

	while (tries-- > 1 && d < KUBE_BACKOFF_MOST)
		d *= 2;
	return jitter(d < KUBE_BACKOFF_MOST ? d : KUBE_BACKOFF_MOST);
}

/* True: it will be tried again. */
static bool again(struct kube_req *r, bool slow)
{
	r->tries += slow ? 2 : 1; /* each took KUBE_TIMEOUT already */
	if (r->ask.lane == KUBE_STREAM || r->tries >= KUBE_TRIES)
		return false;
	rest(r, backoff(r->tries));
	return true;
}

static void unreachable(struct kube_req *r, struct err *e)
{
	struct kube *k = r->k;
	CLEANUP(buf) struct buf why = BUF_INIT;
	bool give_up = r->tries >= KUBE_TRIES || err_code(e) == ERR_TLS;

	if (err_code(e) == ERR_LIMIT) {
		finish(r, NULL, e);
		return;
	}
	buf_str(&why, err_message(e));
	err_free(e);
	finish(r, NULL, err_new(ERR_TARGET_UNREACHABLE, "%s", why.p));
	if (give_up)
		kube_queue_fail(k, why.p);
}

/* Jittered, at least a second where the server names no time. */
static msec pressure_pause(const struct kube_reply *p)
{
	uint64_t s = 1;

	if (!str_to_u64(str_trim(http_header_get(p->http, STR("retry-after"))), &s) || s < 1)
		s = 1;
	return jitter((msec)(s > 60 ? 60 : s) * SECOND);
}

static bool pressed(struct kube_req *r, const struct kube_reply *p)
{
	struct kube *k = r->k;
	msec now = clock_now(k->t.loop), pause = pressure_pause(p);

	k->met_pressure = true;
	if (now - k->cut_at > SECOND) { /* one burst is cut once */
		k->cut_at = now;
		k->window = k->window / 2 > KUBE_WRITES_LEAST ? k->window / 2 : KUBE_WRITES_LEAST;
	}
	if (r->ask.lane == KUBE_STREAM || now - r->since + pause > KUBE_PRESSURE_MOST)
		return false;
	if (k->queues[r->ask.lane].not_before < now + pause)
		k->queues[r->ask.lane].not_before = now + pause;
	rest(r, pause);
	return true;
}

static bool refused(struct kube_req *r)
{
	if (r->refreshed || !kube_auth_refused(r->k->auth, r->serial))
		return false;
	r->refreshed = true;
	r->k->queues[r->ask.lane].running--;
	enqueue(r, true);
	pump_soon(r->k, 0);
	return true;
}

/* ------------------------------------------------------------------ an answer */

static void warn_once(struct kube *k, const struct kube_what *w, str text)
{
	uint64_t h = str_hash(text);
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(buf) struct buf object = BUF_INIT;

	for (size_t i = 0; i < k->warned_n && i < KUBE_WARNINGS; i++)
		if (k->warned[i] == h)
			return;
	k->warned[k->warned_n++ % KUBE_WARNINGS] = h;
	kube_sentence(&b, text);
	buf_printf(&object, STR_FMT "%s" STR_FMT "%s" STR_FMT, STR_ARG(w->resource),
		   w->group.n ? "." : "", STR_ARG(w->group), w->name.n ? " " : "",
		   STR_ARG(w->name));
	log_warn(k->t.log, "target.warning", "target", k->t.place.p, "object", object.p,
		 "namespace", w->ns.n ? w->ns.p : NULL, "says", b.p);
}

/* Warning: 299 - "text": RFC 7234 5.5. */
static void pass_warnings(struct kube *k, const struct kube_what *w, const struct http_response *h)
{
	for (size_t i = 0; k->t.log && i < h->headers_n; i++) {
		str name = h->headers[i].name, v = h->headers[i].value;
		size_t from;
		CLEANUP(buf) struct buf b = BUF_INIT;

		if (name.n != 7 || !str_eq(str_sub(name, 1, 6), STR("arning")) ||
		    (name.p[0] != 'W' && name.p[0] != 'w') || !str_starts(v, STR("299 ")))
			continue;
		from = str_chr(v, '"');
		if (from == SIZE_MAX)
			continue;
		for (size_t p = from + 1; p < v.n && v.p[p] != '"'; p++) {
			if (v.p[p] == '\\' && p + 1 < v.n)
				p++;
			buf_char(&b, v.p[p]);
		}
		warn_once(k, w, buf_view(&b));
	}
}

static msec date_of(const struct http_response *h)
{
	str v = http_header_get(h, STR("date"));
	char text[64];
	struct tm tm = {0};

	if (!v.n || v.n >= sizeof(text))
		return 0;
	memcpy(text, v.p, v.n);
	text[v.n] = '\0';
	if (!strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm))
		return 0;
	return (msec)timegm(&tm) * SECOND;
}

static void count(struct kube_req *r, unsigned status)
{
	char code[16];

	if (!r->k->metrics)
		return;
	if (status)
		snprintf(code, sizeof(code), "%u", status);
	metric_add(r->k->metrics, METRIC_API_REQUESTS, 1,
		   LABELS(r->k->t.place.p, r->ask.what.verb, status ? code : "none"));
}

static void grow(struct kube *k)
{
	if (k->window < k->window_most)
		k->window += k->met_pressure ? 1 / k->window : 1;
}

static void on_done(void *arg, const struct http_response *h, struct err *e)
{
	struct kube_req *r = arg;
	struct kube_reply p = {
		.what = &r->ask.what, .http = h, .took = clock_now(r->k->t.loop) - r->sent_at};

	r->call = NULL;
	count(r, h ? h->status : 0);
	if (e) {
		if (err_code(e) != ERR_TLS && err_code(e) != ERR_LIMIT && !r->streaming &&
		    again(r, err_code(e) == ERR_TIMEOUT))
			err_free(e);
		else
			unreachable(r, e);
		return;
	}
	assert(h);
	p.status = h->status;
	p.body = r->ask.on_data ? buf_view(&r->body) : h->body;
	p.date = date_of(h);
	pass_warnings(r->k, &r->ask.what, h);
	if (p.status == 429 && pressed(r, &p))
		return;
	if (p.status == 401 && refused(r))
		return;
	if (p.status >= 500 && p.status != 501 && !kube_is_final(p.status, p.body) &&
	    again(r, false))
		return;
	if (p.status == 401 || p.status == 429 ||
	    (p.status >= 500 && !kube_is_final(p.status, p.body))) {
		struct err *bad = kube_error(&r->ask.what, p.status, p.body);

		finish(r, NULL, bad);
		return;
	}
	if (r->ask.lane == KUBE_WRITE && p.status < 300)
		grow(r->k);
	if (r->k->lost && r->ask.lane != KUBE_STREAM)
		kube_watch_hurry(r->k);
	finish(r, &p, NULL);
}

static void on_head(void *arg, const struct http_response *h)
{
	struct kube_req *r = arg;

	r->streaming = h->status == 200;
	if (r->streaming)
		r->ask.on_data(r->arg, STR_NONE);
}

static void on_data(void *arg, str bytes)
{
	struct kube_req *r = arg;

	if (r->streaming)
		r->ask.on_data(r->arg, bytes); /* r may be gone now */
	else if (r->body.n < BODY_OF_ERROR)
		buf_str(&r->body, bytes);
}

/* ------------------------------------------------------------------ sending */

struct headers {
	struct http_header p[16 + 2 * KUBE_EXEC_WORDS];
	size_t n;
};

static void header(struct headers *h, str name, str value)
{
	if (value.n && h->n < ARRAY_LEN(h->p))
		h->p[h->n++] = (struct http_header){name, value};
}

static struct err *transmit(struct kube_req *r, const struct kube_credential *c)
{
	struct kube *k = r->k;
	const struct kube_ask *ask = &r->ask;
	struct headers h = {.n = 0};
	CLEANUP(buf) struct buf url = BUF_INIT;
	CLEANUP(buf) struct buf bearer = BUF_INIT;
	struct http_callbacks cb = {.on_done = on_done};
	struct err *e;

	buf_printf(&url, STR_FMT STR_FMT, STR_ARG(k->cfg.server), STR_ARG(ask->path));
	header(&h, STR("Accept"), str_from(ask->accept ? ask->accept : "application/json"));
	header(&h, STR("User-Agent"), STR("leeboard/" LEEBOARD_VERSION));
	header(&h, STR("Content-Type"), str_from(ask->type));
	header(&h, STR("If-None-Match"), ask->etag);
	if (c->token.n) {
		buf_printf(&bearer, "Bearer " STR_FMT, STR_ARG(c->token));
		header(&h, STR("Authorization"), buf_view(&bearer));
	}
	header(&h, STR("Impersonate-User"), k->cfg.as);
	header(&h, STR("Impersonate-Uid"), k->cfg.as_uid);
	for (size_t i = 0; i < k->cfg.as_groups.n; i++)
		header(&h, STR("Impersonate-Group"), k->cfg.as_groups.p[i]);
	for (size_t i = 0; i + 1 < k->cfg.as_extra.n; i += 2)
		header(&h, k->cfg.as_extra.p[i], k->cfg.as_extra.p[i + 1]);
	if (ask->on_data) {
		cb.on_head = on_head;
		cb.on_data = on_data;
	}
	struct http_request req = {
		.method = str_from(ask->method),
		.url = buf_view(&url),
		.headers = h.p,
		.headers_n = h.n,
		.body = ask->body,
		.timeout = ask->lane == KUBE_STREAM ? 0 : KUBE_TIMEOUT,
		.tls = {.ca_pem = c->ca_pem,
			.cert_pem = c->cert_pem,
			.key_pem = c->key_pem,
			.server_name = k->cfg.server_name},
		.http2 = true,
		.no_link_local = k->guest,
	};
	k->t.requests++;
	k->t.writes += ask->managed;
	k->t.last_request = clock_wall(k->t.loop);
	r->serial = c->serial;
	r->sent_at = clock_now(k->t.loop);
	r->streaming = false;
	buf_clear(&r->body);
	e = http_send(ask->lane == KUBE_STREAM ? k->streams : k->http, &req, &cb, r, &r->call);
	if (bearer.p)
		mem_wipe(bearer.p, bearer.n);
	return e;
}

static unsigned most(const struct kube *k, size_t lane)
{
	return lane == KUBE_WRITE  ? (unsigned)k->window
	       : lane == KUBE_READ ? KUBE_READS
				   : UINT32_MAX;
}

/* Starts what may start. Called from the loop only. */
void kube_pump(struct kube *k)
{
	msec now = clock_now(k->t.loop);

	for (size_t lane = 0; lane < KUBE_LANES; lane++) {
		struct kube_queue *q = &k->queues[lane];

		while (q->first && q->running < most(k, lane)) {
			struct kube_req *r = q->first;
			struct kube_credential c;
			struct err *e = NULL;

			if (q->not_before > now) {
				pump_soon(k, q->not_before - now);
				break;
			}
			if (!kube_auth_now(k->auth, &c, &e)) {
				if (!e)
					return; /* auth_changed comes back */
				CLEANUP(buf) struct buf why = BUF_INIT;

				buf_str(&why, err_message(e));
				err_free(e);
				dequeue(r);
				r->state = REQ_SENT;
				q->running++;
				finish(r, NULL, err_new(ERR_TARGET_UNREACHABLE, "%s", why.p));
				kube_queue_fail(k, why.p);
				continue;
			}
			dequeue(r);
			r->state = REQ_SENT;
			q->running++;
			e = transmit(r, &c);
			if (e)
				finish(r, NULL, e);
		}
	}
}

void kube_send(struct kube *k, struct kube_op *op, const struct kube_ask *ask, kube_reply_fn fn,
	       void *arg, struct kube_req **ret)
{
	struct kube_req *r = xcalloc(1, sizeof(*r));

	r->k = k;
	r->op = op;
	r->ask = *ask;
	r->fn = fn;
	r->arg = arg;
	r->since = clock_now(k->t.loop);
	r->outage = k->outage;
	r->handle = ret;
	if (ret)
		*ret = r;
	if (op) {
		r->next = op->reqs;
		if (r->next)
			r->next->prev = r;
		op->reqs = r;
	}
	enqueue(r, false);
	pump_soon(k, 0);
}

/* ------------------------------------------------------------------ operations */

void *kube_op_new_bare(struct kube *k, size_t size, void (*gone)(struct kube_op *op),
		       struct target_call **ret)
{
	struct kube_op *op = xcalloc(1, size);

	op->call.target = &k->t;
	op->k = k;
	op->gone = gone;
	op->next = k->ops;
	if (op->next)
		op->next->prev = op;
	k->ops = op;
	if (ret)
		*ret = &op->call;
	return op;
}

void *kube_op_new(struct kube *k, size_t size, void (*gone)(struct kube_op *op),
		  struct target_call **ret)
{
	struct kube_op *op = kube_op_new_bare(k, size, gone, ret);

	op->a = arena_new();
	return op;
}

void kube_op_tell(struct kube_op *op)
{
	op->telling = true;
	op->k->telling++;
}

void kube_op_end(struct kube_op *op)
{
	if (op->telling)
		op->k->telling--;
	while (op->reqs)
		kube_req_cancel(op->reqs);
	timer_stop(op->timer);
	kube_discovery_unwait(op->discovery);
	if (op->gone)
		op->gone(op);
	*(op->prev ? &op->prev->next : &op->k->ops) = op->next;
	if (op->next)
		op->next->prev = op->prev;
	arena_free(op->a);
	free(op);
}

static void on_later(void *arg)
{
	struct kube_op *op = arg;

	op->timer = NULL;
	op->later(op);
}

void kube_op_later(struct kube_op *op, msec d, void (*fn)(struct kube_op *op))
{
	timer_stop(op->timer);
	op->later = fn;
	op->timer = timer_start(op->k->t.loop, d, on_later, op);
}
