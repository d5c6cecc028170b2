/* Who is told, and saying something: incidents, the log, the outbox. */
#include "notify_priv.h"

#include <stdlib.h>

#define NOT_CONFIGURED "the receiver is no longer configured"

msec notify_now(const struct notify *n)
{
	return clock_wall(n->env.loop);
}

void notify_failed(struct notify *n, const char *what, struct err *e)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!e)
		return;
	err_line_to(e, &b);
	log_error(n->env.log, "notify.failed", "doing", what, "error", b.p);
	err_free(e);
}

/* ------------------------------------------------------------------ open incidents */

static struct err *load_incidents(struct notify *n)
{
	const struct event_outbox *o = n->env.outbox;
	CLEANUP(arena) struct arena *a = arena_new();
	struct event_incident *p;
	size_t count;

	TRY(o->incidents(o->self, a, &p, &count));
	incidents_free(n->incidents);
	n->incidents = incidents_new();
	for (size_t i = 0; i < count; i++)
		incidents_restore(n->incidents, p[i].key, p[i].id);
	return NULL;
}

static void write_line(struct notify *n, const struct line *l)
{
	static const enum log_level levels[] = {
		[EVENT_INFO] = LOG_INFO, [EVENT_WARN] = LOG_WARN, [EVENT_ERROR] = LOG_ERROR};

#define OR_NULL(s) ((s).n ? (s).p : NULL)
	log_event(n->env.log, levels[l->severity], l->name, "app", OR_NULL(l->app), "source",
		  OR_NULL(l->source), "revision", OR_NULL(l->revision), "object",
		  OR_NULL(l->object), "message", OR_NULL(l->message), "incident",
		  OR_NULL(l->incident), "id", OR_NULL(l->id), NULL);
#undef OR_NULL
}

/* What was said in a transaction that was undone was never said. */
static void ended(void *arg, bool committed)
{
	struct notify *n = arg;

	if (!n->lines.n)
		return;
	for (size_t i = 0; committed && i < n->lines.n; i++)
		write_line(n, &n->lines.p[i]);
	if (!committed)
		notify_failed(n, "read the open incidents", load_incidents(n));
	n->lines.p = NULL;
	n->lines.n = n->lines.cap = 0;
	arena_free(n->lines_arena);
	n->lines_arena = arena_new();
	if (committed)
		notify_wake(n);
}

/* ------------------------------------------------------------------ coming and going */

struct err *notify_new(const struct notify_env *env, struct notify **ret)
{
	CLEANUP(notify) struct notify *n = xcalloc(1, sizeof(*n));

	n->env = *env;
	n->lines_arena = arena_new();
	TRY(load_incidents(n));
	env->outbox->listen(env->outbox->self, ended, n);
	*ret = STEAL(n);
	return NULL;
}

void notify_receiver_free(struct receiver *r)
{
	http_cancel(r->call);
	buf_done(&r->error);
	buf_done(&r->where);
	free(r->ids);
	free(r->key);
	free(r);
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	n->env.outbox->listen(n->env.outbox->self, NULL, NULL);
	timer_stop(n->kick);
	timer_stop(n->wake);
	for (size_t i = 0; i < n->receivers.n; i++)
		notify_receiver_free(n->receivers.p[i]);
	free(n->receivers.p);
	incidents_free(n->incidents);
	arena_free(n->lines_arena);
	free(n);
}

struct receiver *notify_receiver(struct notify *n, str key)
{
	for (size_t i = 0; i < n->receivers.n; i++) {
		if (str_eq(str_from(n->receivers.p[i]->key), key))
			return n->receivers.p[i];
	}
	return NULL;
}

/* ------------------------------------------------------------------ a configuration */

static str alert_part(str key)
{
	size_t hash = str_rchr(key, '#');

	return str_sub(key, 0, hash == SIZE_MAX ? key.n : hash);
}

static str key_of(struct arena *a, const struct alert *x, const struct alert_to *t)
{
	const struct config_ref *r = &t->address_from;
	str where = arena_printf(
		a, "%d\n" STR_FMT "\n%d\n" STR_FMT "\n" STR_FMT "\n" STR_FMT "\n" STR_FMT "\n%d",
		t->type, STR_ARG(t->address), (int)r->kind, STR_ARG(r->value), STR_ARG(r->name),
		STR_ARG(r->key), STR_ARG(t->channel), t->format);
	str hex = hash_hex(a, hash_blake2b(NULL, STR("leeboard/receiver/1"), where));

	return arena_printf(a, STR_FMT "%s" STR_FMT "#" STR_FMT, STR_ARG(x->namespace),
			    x->namespace.n ? "/" : "", STR_ARG(x->name),
			    STR_ARG(str_sub(hex, 0, 6)));
}

static void add_receiver(struct receivers *v, struct receiver *r)
{
	if (v->n == v->cap) {
		v->cap = v->cap ? v->cap * 2 : 8;
		v->p = xrealloc(v->p, v->cap * sizeof(v->p[0]));
	}
	v->p[v->n++] = r;
}

static struct receiver *take(struct receivers *v, str key)
{
	for (size_t i = 0; i < v->n; i++) {
		struct receiver *r = v->p[i];

		if (r && str_eq(str_from(r->key), key)) {
			v->p[i] = NULL;
			return r;
		}
	}
	return NULL;
}

/* Where the events of a receiver that is gone may go: to one of the same Alert that is new, which
 * is the same one with its address corrected. */
static struct receiver *heir(struct notify *n, str key)
{
	for (size_t i = 0; i < n->receivers.n; i++) {
		struct receiver *r = n->receivers.p[i];

		if (r->fresh && str_eq(alert_part(str_from(r->key)), alert_part(key))) {
			r->fresh = false;
			return r;
		}
	}
	return NULL;
}

static void say_dropped(struct notify *n, str receiver, uint64_t dropped, const char *why)
{
	CLEANUP(cstr) char *who = xstrndup(receiver.p, receiver.n);
	char count[24];

	if (!dropped)
		return;
	snprintf(count, sizeof(count), "%llu", (unsigned long long)dropped);
	log_warn(n->env.log, "alert.dropped", "receiver", who, "events", count, "reason", why);
}

static struct err *move_waiting(struct notify *n)
{
	const struct event_outbox *o = n->env.outbox;
	CLEANUP(arena) struct arena *a = arena_new();
	struct event_waiting *w;
	size_t count;

	TRY(o->waiting(o->self, a, &w, &count));
	for (size_t i = 0; i < count; i++) {
		struct receiver *r = notify_receiver(n, w[i].receiver);

		if (r)
			r->fresh = false;
	}
	for (size_t i = 0; i < count; i++) {
		struct receiver *r;
		uint64_t dropped = 0;

		if (notify_receiver(n, w[i].receiver))
			continue;
		r = heir(n, w[i].receiver);
		if (r) {
			TRY(o->rename(o->self, w[i].receiver, str_from(r->key)));
			continue;
		}
		TRY(o->drop_receiver(o->self, w[i].receiver, STR(NOT_CONFIGURED), &dropped));
		say_dropped(n, w[i].receiver, dropped, NOT_CONFIGURED);
	}
	return NULL;
}

/* An alert.failed about a receiver that is gone would stay open for ever. */
static struct err *forget_failed(struct notify *n)
{
	const struct event_outbox *o = n->env.outbox;
	CLEANUP(arena) struct arena *a = arena_new();
	str prefix = STR("alert.failed\t\t\tleeboard.dev/Alert//");
	struct event_incident *p;
	size_t count;

	TRY(o->incidents(o->self, a, &p, &count));
	for (size_t i = 0; i < count; i++) {
		str key = str_sub(p[i].key, prefix.n, SIZE_MAX);
		struct event e = {
			.kind = EVENT_ALERT_RECOVERED,
			.has_object = true,
			.object = {STR("leeboard.dev"), STR("Alert"), STR_NONE, key},
			.message = arena_printf(a, "receiver '" STR_FMT "' is no longer configured",
						STR_ARG(key)),
		};

		if (str_starts(p[i].key, prefix) && !notify_receiver(n, key))
			TRY(notify_send_except(n, a, &e, NULL, NULL));
	}
	return NULL;
}

static void take_receivers(struct notify *n, const struct config *c, struct receivers *old)
{
	CLEANUP(arena) struct arena *a = arena_new();

	for (size_t i = 0; i < c->alerts.n; i++) {
		const struct alert *x = c->alerts.p[i];

		for (size_t k = 0; k < x->to.n; k++) {
			str key = key_of(a, x, &x->to.p[k]);
			struct receiver *r = take(old, key);

			if (!r && notify_receiver(n, key))
				continue; /* written twice */
			if (r) {
				r->fresh = false;
			} else {
				r = xcalloc(1, sizeof(*r));
				r->n = n;
				r->key = xstrndup(key.p, key.n);
				r->fresh = true;
			}
			r->alert = x;
			r->to = &x->to.p[k];
			r->until = 0;
			r->proved = r->stopped = false;
			add_receiver(&n->receivers, r);
		}
	}
}

struct err *notify_config(struct notify *n, const struct config *c)
{
	const struct event_outbox *o = n->env.outbox;
	struct receivers old = n->receivers;
	struct err *e;

	n->receivers = (struct receivers){0};
	n->config = c;
	take_receivers(n, c, &old);
	for (size_t i = 0; i < old.n; i++) {
		if (old.p[i])
			notify_receiver_free(old.p[i]);
	}
	free(old.p);
	n->repeat_at = notify_now(n);
	notify_wake(n);
	TRY(o->begin(o->self));
	e = move_waiting(n);
	if (!e)
		e = forget_failed(n);
	return o->end(o->self, e);
}

/* ------------------------------------------------------------------ saying something */

/* Crockford's base 32: sorts as the time does, and holds no word by accident. */
str notify_id(struct arena *a, msec now, uint64_t number)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	char text[13];
	uint64_t v = (uint64_t)now;

	for (int i = 9; i >= 0; i--, v >>= 5)
		text[i] = digits[v & 31];
	text[10] = digits[random_below(32)];
	text[11] = digits[random_below(32)];
	text[12] = '\0';
	return arena_printf(a, "%s-%06llu", text, (unsigned long long)number);
}

bool notify_wants(const struct receiver *r, const char *name, str app, str source,
		  enum event_severity raised)
{
	const struct alert *x = r->alert;

	if (r->stopped || (int)raised < x->severity)
		return false;
	if (app.n && x->apps.n && !config_globs(&x->apps, app))
		return false;
	if (!app.n && source.n && x->sources.n && !config_globs(&x->sources, source))
		return false;
	return config_globs(&x->events, str_from(name));
}

/* Who begins together: see notify.h. */
static str cause_of(struct arena *a, const struct receiver *r, const struct event *e)
{
	const char *name = event_name(e->kind);
	str who = e->app.n ? e->app : e->source;

	if (r->to->type != ALERT_SLACK || !r->alert->group)
		return STR_NONE;
	if (str_starts(str_from(name), STR("drift.")))
		return arena_printf(a, "%s\t" STR_FMT "\t" STR_FMT, name, STR_ARG(who),
				    STR_ARG(e->fields_n ? e->fields[0].writer.manager : STR_NONE));
	return arena_printf(a, "%s\t" STR_FMT, name, STR_ARG(e->revision.n ? e->revision : who));
}

struct routes {
	struct event_delivery *p;
	size_t n, cap;
};
static struct routes route(struct notify *n, struct arena *a, const struct event *e,
			   enum event_severity raised, const struct receiver *except)
{
	struct routes v = {0};

	for (size_t i = 0; i < n->receivers.n; i++) {
		const struct receiver *r = n->receivers.p[i];
		struct event_delivery d = {.receiver = str_from(r->key)};

		if (r == except || !notify_wants(r, event_name(e->kind), e->app, e->source, raised))
			continue;
		d.cause = cause_of(a, r, e);
		d.due = notify_now(n) + (d.cause.n ? r->alert->group : 0);
		*ARENA_PUSH(a, &v) = d;
	}
	return v;
}

/* Closes what a resolve ends; *raised becomes the highest severity among it. */
static struct err *close_all(struct notify *n, struct arena *a, const struct event *e,
			     enum event_severity *raised)
{
	const struct event_outbox *o = n->env.outbox;

	for (size_t k = 0; k < EVENT_KINDS; k++) {
		struct event_incident i;
		struct event_kept was;
		str key;

		if (!event_resolves(e->kind, (enum event_kind)k))
			continue;
		key = incident_key(a, (enum event_kind)k, e);
		TRY(o->incident(o->self, a, key, &i));
		if (!i.key.p)
			continue;
		TRY(o->get(o->self, a, i.number, &was));
		if (was.number && was.severity > *raised)
			*raised = was.severity;
		TRY(o->close_incident(o->self, key));
	}
	return NULL;
}

static void keep_line(struct notify *n, const struct event *e, const char *name)
{
	struct arena *a = n->lines_arena;
	struct line *l = ARENA_PUSH(a, &n->lines);

	*l = (struct line){
		.severity = e->severity,
		.name = name,
		.app = arena_str(a, e->app),
		.source = arena_str(a, e->source),
		.revision = arena_str(a, e->revision),
		.message = arena_str(a, e->message),
		.id = arena_str(a, e->id),
		.incident = arena_str(a, e->incident),
	};
	if (e->has_object)
		l->object = obj_id_label(a, e->object);
}

static struct err *say(struct notify *n, struct arena *a, struct event *e,
		       const struct receiver *except)
{
	const struct event_outbox *o = n->env.outbox;
	CLEANUP(buf) struct buf json = BUF_INIT;
	CLEANUP(buf) struct buf flux = BUF_INIT;
	CLEANUP(buf) struct buf text = BUF_INIT;
	str emitter = e->app.n      ? arena_printf(a, "app " STR_FMT, STR_ARG(e->app))
		      : e->source.n ? arena_printf(a, "source " STR_FMT, STR_ARG(e->source))
				    : STR("daemon");
	enum event_severity raised = e->severity;
	struct routes to;
	uint64_t number;

	TRY(o->next(o->self, emitter, &number, &e->sequence));
	e->number = number;
	e->id = notify_id(a, notify_now(n), number);
	if (event_role_of(e->kind) == EVENT_RESOLVE)
		TRY(close_all(n, a, e, &raised));
	/* The set in memory is read anew when this transaction is undone: there is a line then. */
	keep_line(n, e, event_name(e->kind));
	incidents_apply(n->incidents, a, e);
	n->lines.p[n->lines.n - 1].incident = arena_str(n->lines_arena, e->incident);
	if (event_role_of(e->kind) == EVENT_RAISE) {
		struct event_incident i = {incident_key(a, e->kind, e), e->incident, number,
					   e->time};

		TRY(o->open_incident(o->self, &i));
		for (size_t k = 0; k < n->receivers.n; k++) {
			msec repeat = n->receivers.p[k]->alert->repeat;

			if (repeat && (!n->repeat_at || notify_now(n) + repeat < n->repeat_at))
				n->repeat_at = notify_now(n) + repeat;
		}
	}
	event_cloudevent(e, &json);
	event_flux(e, &flux);
	event_text(e, &text);
	to = route(n, a, e, raised, except);
	return o->add(o->self,
		      &(struct event_kept){
			      .number = number,
			      .sequence = e->sequence,
			      .id = e->id,
			      .name = str_from(event_name(e->kind)),
			      .app = e->app,
			      .source = e->source,
			      .revision = e->revision,
			      .incident = e->incident,
			      .severity = e->severity,
			      .time = e->time,
			      .json = buf_view(&json),
			      .flux = buf_view(&flux),
			      .text = buf_view(&text),
		      },
		      to.p, to.n);
}

struct err *notify_send_except(struct notify *n, struct arena *a, struct event *e,
			       enum incident_verdict *verdict, const struct receiver *except)
{
	const struct event_outbox *o = n->env.outbox;
	enum incident_verdict v = incidents_verdict(n->incidents, e);

	if (verdict)
		*verdict = v;
	switch (v) {
	case INCIDENT_KNOWN:
		incidents_apply(n->incidents, a, e); /* which names the incident */
		return NULL;
	case INCIDENT_NONE:
		return NULL;
	case INCIDENT_SAY:
		break;
	}
	if (!e->time)
		e->time = notify_now(n);
	if (!e->instance.n)
		e->instance = n->env.instance;
	TRY(o->begin(o->self));
	return o->end(o->self, say(n, a, e, except));
}

struct err *notify_send(struct notify *n, struct arena *a, struct event *e,
			enum incident_verdict *verdict)
{
	return notify_send_except(n, a, e, verdict, NULL);
}

bool notify_is_open(const struct notify *n, enum event_kind raise, const struct event *e)
{
	struct event as = *e;

	as.kind = raise;
	return incidents_verdict(n->incidents, &as) == INCIDENT_KNOWN;
}
