/* An incident that is still open is said again, to each receiver after its Alert's `repeat`. */
#include "notify_priv.h"

/* The raise once more, as an event of its own: another id, time and sequence. */
static bool again(struct arena *a, struct event_kept *k, msec now)
{
	struct text in = {.name = STR("event"), .bytes = k->json};
	str since = time_rfc3339(a, k->time, false);
	CLEANUP(buf) struct buf b = BUF_INIT;
	const struct node *root, *data;
	struct err *e = node_read_json(a, &in, &root);

	if (e) {
		err_free(e);
		return false;
	}
	data = node_set(a, node_get(root, STR("data")), STR("openSince"), node_new_str(a, since));
	root = node_set(a, root, STR("data"), data);
	root = node_set(a, root, STR("id"), node_new_str(a, k->id));
	root = node_set(a, root, STR("time"), node_new_str(a, time_rfc3339(a, now, true)));
	root = node_set(a, root, STR("sequence"), node_new_int(a, (int64_t)k->sequence));
	node_json(root, NODE_JSON_COMPACT, &b);
	k->json = arena_str(a, buf_view(&b));
	k->text = arena_printf(a, "still open since " STR_FMT ": " STR_FMT, STR_ARG(since),
			       STR_ARG(k->text));
	in.bytes = k->flux;
	e = node_read_json(a, &in, &root);
	if (e) {
		err_free(e);
		return false;
	}
	buf_clear(&b);
	root = node_set(a, root, STR("timestamp"), node_new_str(a, time_rfc3339(a, now, false)));
	node_json(root, NODE_JSON_COMPACT, &b);
	k->flux = arena_str(a, buf_view(&b));
	k->time = now;
	return true;
}

struct due {
	struct event_delivery *p;
	size_t n, cap;
};

static struct err *who(struct notify *n, struct arena *a, const struct event_incident *i,
		       const struct event_kept *k, struct due *due, msec *next)
{
	const struct event_outbox *o = n->env.outbox;
	msec now = notify_now(n);

	for (size_t x = 0; x < n->receivers.n; x++) {
		struct receiver *r = n->receivers.p[x];
		msec told, at;

		if (!r->alert->repeat || r->stopped)
			continue;
		TRY(o->told(o->self, str_from(r->key), i->id, &told));
		at = told + r->alert->repeat;
		if (!told) /* never, and not concerned; or on its way, and looked at later */
			at = now + r->alert->repeat;
		else if (at <= now) {
			struct event_delivery d = {.receiver = str_from(r->key), .due = now};

			if (r->to->type == ALERT_SLACK && r->alert->group) {
				d.cause = arena_printf(a, "repeat\t" STR_FMT "\t" STR_FMT,
						       STR_ARG(k->name), STR_ARG(k->app));
				d.due += r->alert->group;
			}
			*ARENA_PUSH(a, due) = d;
			at = now + r->alert->repeat;
		}
		if (!*next || at < *next)
			*next = at;
	}
	return NULL;
}

static struct err *repeat_one(struct notify *n, const struct event_incident *i, msec *next)
{
	const struct event_outbox *o = n->env.outbox;
	CLEANUP(arena) struct arena *a = arena_new();
	struct due due = {0};
	struct event_kept k;
	uint64_t number;

	TRY(o->get(o->self, a, i->number, &k));
	if (!k.number)
		return NULL;
	TRY(who(n, a, i, &k, &due, next));
	if (!due.n)
		return NULL;
	TRY(o->next(o->self,
		    k.app.n      ? arena_printf(a, "app " STR_FMT, STR_ARG(k.app))
		    : k.source.n ? arena_printf(a, "source " STR_FMT, STR_ARG(k.source))
				 : STR("daemon"),
		    &number, &k.sequence));
	k.number = number;
	k.id = notify_id(a, notify_now(n), number);
	if (!again(a, &k, notify_now(n)))
		return NULL;
	return o->add(o->self, &k, due.p, due.n);
}

static struct err *repeat_all(struct notify *n, msec *next)
{
	const struct event_outbox *o = n->env.outbox;
	CLEANUP(arena) struct arena *a = arena_new();
	struct event_incident *p;
	size_t count;

	TRY(o->incidents(o->self, a, &p, &count));
	for (size_t i = 0; i < count; i++)
		TRY(repeat_one(n, &p[i], next));
	return NULL;
}

msec notify_repeat(struct notify *n)
{
	const struct event_outbox *o = n->env.outbox;
	msec next = 0;
	struct err *e = o->begin(o->self);

	if (!e)
		e = o->end(o->self, repeat_all(n, &next));
	if (e)
		next = notify_now(n) + MINUTE;
	notify_failed(n, "repeat open incidents", e);
	return next;
}
