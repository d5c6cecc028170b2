/* Deliveries: one at a time for each receiver, what is due in the order it was said. */
#include "notify_priv.h"

#include <stdlib.h>

#define STORE_WAIT (30 * SECOND) /* after a failure to write down what became of a delivery */
#define HMAC_LEAST 32u

static void pump(struct notify *n);

/* ------------------------------------------------------------------ when */

static void on_kick(void *arg)
{
	struct notify *n = arg;

	n->kick = NULL;
	pump(n);
}

void notify_wake(struct notify *n)
{
	if (!n->kick)
		n->kick = timer_start(n->env.loop, 0, on_kick, n);
}

static void on_wake(void *arg)
{
	struct notify *n = arg;

	n->wake = NULL;
	pump(n);
}

static void wake_at(struct notify *n, msec at)
{
	msec in = at - notify_now(n);

	timer_stop(STEAL(n->wake));
	if (at)
		n->wake = timer_start(n->env.loop, in > 0 ? in : 0, on_wake, n);
}

/* From 1 s, doubled, to 15 min; a fifth more or less, so that many do not come together. */
static msec backoff(uint32_t tries)
{
	msec d = NOTIFY_BACKOFF_MIN;

	while (tries-- && d < NOTIFY_BACKOFF_MAX)
		d *= 2;
	if (d > NOTIFY_BACKOFF_MAX)
		d = NOTIFY_BACKOFF_MAX;
	return d - d / 5 + (msec)random_below((uint32_t)(2 * d / 5) + 1);
}

/* ------------------------------------------------------------------ what became of it */

static void forget_sent(struct receiver *r)
{
	free(r->ids);
	r->ids = NULL;
	r->ids_n = 0;
	r->tries = 0;
}

static void stored(struct receiver *r, struct err *e)
{
	if (e)
		r->until = notify_now(r->n) + STORE_WAIT;
	notify_failed(r->n, "write down a delivery", e);
}

static void keep_error(struct receiver *r, str why)
{
	buf_clear(&r->error);
	buf_str(&r->error, why);
}

void notify_receiver_event(struct receiver *r, enum event_kind k)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct node_pairs more = {0};
	struct event e = {
		.kind = k,
		.severity = event_severity_of(k),
		.has_object = true,
		.object = {STR("leeboard.dev"), STR("Alert"), STR_NONE, str_from(r->key)},
	};

	if (k == EVENT_ALERT_FAILED) {
		e.message = arena_printf(a, "receiver '%s' (" STR_FMT ") takes no events: " STR_FMT,
					 r->key, STR_ARG(buf_view(&r->where)),
					 STR_ARG(buf_view(&r->error)));
		node_pairs_add(a, &more, STR("since"),
			       node_new_str(a, time_rfc3339(a, r->failing, false)));
		node_pairs_add(a, &more, STR("error"), node_new_str(a, buf_view(&r->error)));
	} else {
		e.message = arena_printf(a, "receiver '%s' takes events again", r->key);
	}
	e.more = more.p;
	e.more_n = more.n;
	notify_failed(r->n, "tell about a receiver", notify_send_except(r->n, a, &e, NULL, r));
}

static void went_well(struct receiver *r)
{
	const struct event_outbox *o = r->n->env.outbox;
	bool news = r->failing || !r->proved;

	r->until = 0;
	stored(r, o->done(o->self, r->ids, r->ids_n, notify_now(r->n)));
	r->failing = 0;
	r->proved = true;
	buf_clear(&r->error);
	forget_sent(r);
	if (news)
		notify_receiver_event(r, EVENT_ALERT_RECOVERED);
}

/* alone: it is about this message, and others may still go. wait 0: as long as tries say. */
static void went_wrong(struct receiver *r, str why, bool alone, msec wait)
{
	const struct event_outbox *o = r->n->env.outbox;
	msec now = notify_now(r->n), due = now + (wait ? wait : backoff(r->tries));
	bool first = !r->failing;
	CLEANUP(buf) struct buf text = BUF_INIT;

	keep_error(r, why);
	if (first)
		r->failing = now;
	if (!alone)
		r->until = due;
	buf_str(&text, buf_view(&r->error));
	if (first)
		log_warn(r->n->env.log, "alert.delayed", "receiver", r->key, "address",
			 buf_view(&r->where).p, "error", text.p);
	stored(r, o->failed(o->self, r->ids, r->ids_n, due, buf_view(&r->error)));
	forget_sent(r);
	if (r->n->config && now - r->failing >= r->n->config->daemon.unreachable_after)
		notify_receiver_event(r, EVENT_ALERT_FAILED);
}

static void is_gone(struct receiver *r)
{
	const struct event_outbox *o = r->n->env.outbox;
	uint64_t dropped = 0;
	char count[24];

	keep_error(r, STR("answered 410: told nothing more until the next reload"));
	r->stopped = true;
	if (!r->failing)
		r->failing = notify_now(r->n);
	stored(r, o->drop_receiver(o->self, str_from(r->key), STR("answered 410"), &dropped));
	snprintf(count, sizeof(count), "%llu", (unsigned long long)dropped);
	log_warn(r->n->env.log, "alert.stopped", "receiver", r->key, "address",
		 buf_view(&r->where).p, "dropped", count);
	forget_sent(r);
	notify_receiver_event(r, EVENT_ALERT_FAILED);
}

/* A word such as Slack's "channel_not_found"; any other body may hold what we sent. */
static bool is_word(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && s.p[i] != '_')
			return false;
	}
	return s.n > 0 && s.n <= 40;
}

static msec retry_after(const struct http_response *resp)
{
	uint64_t seconds;

	if (!str_to_u64(str_trim(http_header_get(resp, STR("Retry-After"))), &seconds) || !seconds)
		return 0;
	return seconds > NOTIFY_BACKOFF_MAX / SECOND ? NOTIFY_BACKOFF_MAX : (msec)seconds * SECOND;
}

static void on_done(void *arg, const struct http_response *resp, struct err *e)
{
	struct receiver *r = arg;
	CLEANUP(buf) struct buf why = BUF_INIT;

	r->call = NULL;
	if (e) {
		err_line_to(e, &why);
		err_free(e);
		went_wrong(r, buf_view(&why), false, 0);
	} else if (resp->status >= 200 && resp->status < 300) {
		went_well(r);
	} else if (resp->status == 410) {
		is_gone(r);
	} else {
		buf_printf(&why, "answered %u", resp->status);
		if (r->to->type == ALERT_SLACK && is_word(resp->body))
			buf_printf(&why, " " STR_FMT, STR_ARG(resp->body));
		went_wrong(r, buf_view(&why),
			   resp->status == 400 || resp->status == 413 || resp->status == 422,
			   retry_after(resp));
	}
	notify_wake(r->n);
}

/* ------------------------------------------------------------------ sending */

/* Secrets of one delivery; gone when it is sent. */
struct secrets {
	struct buf url, token, hmac, ca, cert, key;
};
static void wipe(struct buf *b)
{
	if (b->p)
		mem_wipe(b->p, b->cap);
	buf_done(b);
}
static void secrets_cleanup(struct secrets *s)
{
	wipe(&s->url);
	wipe(&s->token);
	wipe(&s->hmac);
	wipe(&s->ca);
	wipe(&s->cert);
	wipe(&s->key);
}

/* Scheme, host and port: the path of a chat's url is its password. */
static void keep_where(struct receiver *r, str url)
{
	size_t scheme = str_find(url, STR("://"));
	str rest = scheme == SIZE_MAX ? STR_NONE : str_sub(url, scheme + 3, SIZE_MAX);
	size_t end = 0;

	while (end < rest.n && !strchr("/?#", rest.p[end]))
		end++;
	buf_clear(&r->where);
	if (scheme == SIZE_MAX || str_chr(str_sub(rest, 0, end), '@') != SIZE_MAX)
		buf_str(&r->where, STR("hidden"));
	else
		buf_escaped(&r->where, str_sub(url, 0, scheme + 3 + end));
}

/* What check says of a written address, for one that came from a secret. */
static struct err *check_url(const struct receiver *r, str url)
{
	str host = config_host(url);
	bool loopback = config_host_is_loopback(host);

	if (!str_starts(url, STR("https://")) && !str_starts(url, STR("http://")))
		return err_new(ERR_INVALID, "the address must begin with https://");
	if (str_starts(url, STR("http://")) && !r->to->insecure && !loopback)
		return err_new(ERR_INVALID, "http:// needs 'insecure: true'");
	if (loopback && r->alert->namespace.n)
		return err_new(ERR_OPERATOR_ONLY,
			       "an address of this machine is for documents from "
			       "the operator's files");
	return NULL;
}

static struct err *read_secrets(struct receiver *r, struct secrets *s)
{
	const struct config_secrets *from = r->n->env.secrets;
	const struct alert_to *t = r->to;

	buf_str(&s->url, t->address);
	TRY(config_ref_read(&t->address_from, "addressFrom", from, &s->url));
	keep_where(r, buf_view(&s->url));
	TRY(check_url(r, buf_view(&s->url)));
	TRY(config_ref_read(&t->token, "token", from, &s->token));
	TRY(config_ref_read(&t->hmac, "hmac", from, &s->hmac));
	if (s->hmac.n && s->hmac.n < HMAC_LEAST)
		return err_new(ERR_INVALID, "hmac has %zu bytes: %u at least", s->hmac.n,
			       HMAC_LEAST);
	TRY(config_ref_read(&t->tls.ca, "tls.ca", from, &s->ca));
	TRY(config_ref_read(&t->tls.cert, "tls.cert", from, &s->cert));
	return config_ref_read(&t->tls.key, "tls.key", from, &s->key);
}

struct headers {
	struct http_header *p;
	size_t n, cap;
};

static void add_headers(struct receiver *r, struct arena *a, const struct secrets *s, str id,
			str body, struct headers *h)
{
	bool cloud = r->to->type == ALERT_WEBHOOK && r->to->format == FORMAT_CLOUDEVENTS;
	const struct node *more = r->to->headers;

	*ARENA_PUSH(a, h) = (struct http_header){STR("Content-Type"),
						 cloud ? STR("application/cloudevents+json")
						       : STR("application/json")};
	*ARENA_PUSH(a, h) =
		(struct http_header){STR("User-Agent"), STR("leeboard/" LEEBOARD_VERSION)};
	if (r->to->type == ALERT_WEBHOOK) {
		*ARENA_PUSH(a, h) = (struct http_header){STR("Leeboard-Delivery"), id};
		*ARENA_PUSH(a, h) = (struct http_header){
			STR("Leeboard-Timestamp"),
			arena_printf(a, "%lld", (long long)(notify_now(r->n) / SECOND))};
	}
	if (s->hmac.n) {
		struct hash mac;

		hash_hmac_sha256(buf_view(&s->hmac), body, mac.b);
		*ARENA_PUSH(a, h) = (struct http_header){
			STR("X-Signature"),
			arena_printf(a, "sha256=" STR_FMT, STR_ARG(hash_hex(a, mac)))};
	}
	for (size_t i = 0; more && i < more->n; i++)
		*ARENA_PUSH(a, h) =
			(struct http_header){more->pairs[i].key, node_text(more->pairs[i].value)};
}

static struct err *send_message(struct receiver *r, const struct event_deliveries *d)
{
	static const struct http_callbacks cb = {.on_done = on_done};
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(secrets) struct secrets s = {0};
	CLEANUP(buf) struct buf body = BUF_INIT;
	CLEANUP(buf) struct buf bearer = BUF_INIT;
	struct headers h = {0};
	struct http_request req = {0};
	struct err *e;

	TRY(read_secrets(r, &s));
	notify_body(r, d, &body);
	add_headers(r, a, &s, d->p[0].event.id, buf_view(&body), &h);
	if (s.token.n) {
		buf_printf(&bearer, "Bearer " STR_FMT, STR_ARG(buf_view(&s.token)));
		*ARENA_PUSH(a, &h) = (struct http_header){STR("Authorization"), buf_view(&bearer)};
	}
	req = (struct http_request){
		.method = STR("POST"),
		.url = buf_view(&s.url),
		.headers = h.p,
		.headers_n = h.n,
		.body = buf_view(&body),
		.timeout = NOTIFY_TIMEOUT,
		.max_body = 64u << 10,
		.tls = {.ca_pem = buf_view(&s.ca),
			.cert_pem = buf_view(&s.cert),
			.key_pem = buf_view(&s.key)},
		.no_link_local = true,
	};
	e = http_send(r->n->env.http, &req, &cb, r, &r->call);
	if (bearer.p)
		mem_wipe(bearer.p, bearer.cap);
	return e;
}

static struct err *choose(struct receiver *r, struct arena *a, msec until,
			  struct event_deliveries *ret)
{
	const struct event_outbox *o = r->n->env.outbox;
	struct event_deliveries d;

	TRY(o->due(o->self, a, str_from(r->key), until, 1, &d));
	if (d.n && d.p[0].cause.n && r->to->type == ALERT_SLACK)
		TRY(o->together(o->self, a, str_from(r->key), d.p[0].cause,
				d.p[0].due + r->alert->group, NOTIFY_MAX_GROUP, &d));
	*ret = d;
	return NULL;
}

/* False: nothing is due until then. */
static bool launch(struct receiver *r, msec until)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct event_deliveries d = {0};
	struct err *e = choose(r, a, until, &d);

	if (e) {
		r->until = notify_now(r->n) + STORE_WAIT;
		notify_failed(r->n, "read the outbox", e);
		return true;
	}
	if (!d.n)
		return false;
	r->ids = xcalloc(d.n, sizeof(r->ids[0]));
	r->ids_n = d.n;
	r->tries = d.p[0].tries;
	for (size_t i = 0; i < d.n; i++)
		r->ids[i] = d.p[i].id;
	e = send_message(r, &d);
	if (e) {
		CLEANUP(buf) struct buf why = BUF_INIT;

		err_line_to(e, &why);
		err_free(e);
		went_wrong(r, buf_view(&why), false, 0);
	}
	return true;
}

/* ------------------------------------------------------------------ the pump */

static void too_many(struct notify *n, struct receiver *r, uint64_t pending)
{
	const struct event_outbox *o = n->env.outbox;
	uint64_t dropped = 0;
	char count[24];

	if (pending <= NOTIFY_MAX_PENDING)
		return;
	notify_failed(n, "leave out old drift",
		      o->coalesce(o->self, str_from(r->key), NOTIFY_MAX_PENDING,
				  STR("too many wait for this receiver"), &dropped));
	snprintf(count, sizeof(count), "%llu", (unsigned long long)dropped);
	if (dropped)
		log_warn(n->env.log, "alert.dropped", "receiver", r->key, "events", count, "reason",
			 "too many wait for this receiver");
}

static void earlier(msec *next, msec at)
{
	if (!*next || at < *next)
		*next = at;
}

/* For receivers with nothing due: when there will be. It looks at all that wait, so it is asked
 * only then, and not after each delivery. */
static struct err *look_ahead(struct notify *n, msec *next)
{
	const struct event_outbox *o = n->env.outbox;
	CLEANUP(arena) struct arena *a = arena_new();
	struct event_waiting *w;
	size_t count;

	TRY(o->waiting(o->self, a, &w, &count));
	for (size_t i = 0; i < count; i++) {
		struct receiver *r = notify_receiver(n, w[i].receiver);
		msec now = notify_now(n), at = w[i].due;

		if (!r)
			continue;
		too_many(n, r, w[i].pending);
		if (r->call || r->stopped)
			continue;
		/* Later than anything we would write: the clock was set back since. */
		if (at > now + 2 * NOTIFY_BACKOFF_MAX + r->alert->group && r->until <= now) {
			launch(r, at);
			continue;
		}
		earlier(next, r->until > at ? r->until : at > now ? at : now + SECOND);
	}
	return NULL;
}

/* What is due goes out; next: when there will be more. */
static struct err *deliver(struct notify *n, msec *next)
{
	const struct event_outbox *o = n->env.outbox;
	uint64_t pending;
	bool idle = false;

	TRY(o->pending(o->self, &pending));
	if (n->env.metrics)
		metric_set(n->env.metrics, METRIC_EVENTS_PENDING, (double)pending, NULL);
	if (!pending)
		return NULL;
	for (size_t i = 0; i < n->receivers.n; i++) {
		struct receiver *r = n->receivers.p[i];
		msec now = notify_now(n);

		if (r->call || r->stopped)
			continue;
		if (r->until > now + 2 * NOTIFY_BACKOFF_MAX)
			r->until = 0; /* the clock was set back */
		if (r->until <= now && !launch(r, now))
			idle = true;
		if (r->until > now)
			earlier(next, r->until);
	}
	return idle || pending > NOTIFY_MAX_PENDING ? look_ahead(n, next) : NULL;
}

static void pump(struct notify *n)
{
	msec next = 0, now = notify_now(n);
	struct err *e;

	/* It goes out all the same when this fails: nobody is told less for that. */
	notify_failed(n, "sync the outbox", n->env.outbox->sync(n->env.outbox->self));
	if (!n->config)
		return;
	if (n->repeat_at && n->repeat_at <= now)
		n->repeat_at = notify_repeat(n);
	e = deliver(n, &next);
	if (e)
		earlier(&next, now + STORE_WAIT);
	notify_failed(n, "read the outbox", e);
	if (n->repeat_at)
		earlier(&next, n->repeat_at);
	wake_at(n, next);
}

bool notify_busy(const struct notify *n)
{
	if (n->kick)
		return true;
	for (size_t i = 0; i < n->receivers.n; i++) {
		if (n->receivers.p[i]->call)
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ for people */

static void dump_one(const struct receiver *r, uint64_t pending, struct buf *b)
{
	CLEANUP(arena) struct arena *a = arena_new();

	buf_str(b, STR("{\"receiver\":"));
	buf_json(b, str_from(r->key));
	if (r->where.n) {
		buf_str(b, STR(",\"address\":"));
		buf_json(b, buf_view(&r->where));
	}
	buf_printf(b, ",\"pending\":%llu", (unsigned long long)pending);
	if (r->failing) {
		buf_str(b, STR(",\"failing\":"));
		buf_json(b, time_rfc3339(a, r->failing, false));
		buf_str(b, STR(",\"error\":"));
		buf_json(b, buf_view(&r->error));
	}
	if (r->stopped)
		buf_str(b, STR(",\"stopped\":true"));
	buf_char(b, '}');
}

void notify_dump(struct notify *n, struct buf *b)
{
	const struct event_outbox *o = n->env.outbox;
	CLEANUP(arena) struct arena *a = arena_new();
	struct event_waiting *w = NULL;
	size_t count = 0;

	notify_failed(n, "read the outbox", o->waiting(o->self, a, &w, &count));
	buf_char(b, '[');
	for (size_t i = 0; i < n->receivers.n; i++) {
		const struct receiver *r = n->receivers.p[i];
		uint64_t pending = 0;

		for (size_t k = 0; k < count; k++) {
			if (str_eq(w[k].receiver, str_from(r->key)))
				pending = w[k].pending;
		}
		if (i)
			buf_char(b, ',');
		dump_one(r, pending, b);
	}
	buf_char(b, ']');
}
