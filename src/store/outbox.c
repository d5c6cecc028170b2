/* Events, and the outbox that `notify` works through. */
#include "store_priv.h"

#define EVENT_COLUMNS                                                                              \
	"e.number, e.sequence, e.id, e.name, e.app, e.source, e.revision, e.incident, "            \
	"e.severity, "                                                                             \
	"e.time, e.json, e.flux, e.text"
#define EVENT_COLUMNS_N 13
#define DELIVERY_COLUMNS "d.id, d.receiver, d.cause, d.made, d.due, d.tries, d.error, d.state"

static struct event_kept event_row(const struct query *q, struct arena *a)
{
	return (struct event_kept){
		.number = (uint64_t)column_int(q, 0),
		.sequence = (uint64_t)column_int(q, 1),
		.id = column_dup(q, a, 2),
		.name = column_dup(q, a, 3),
		.app = column_dup(q, a, 4),
		.source = column_dup(q, a, 5),
		.revision = column_dup(q, a, 6),
		.incident = column_dup(q, a, 7),
		.severity = (enum event_severity)column_int(q, 8),
		.time = column_int(q, 9),
		.json = column_dup(q, a, 10),
		.flux = column_dup(q, a, 11),
		.text = column_dup(q, a, 12),
	};
}

static struct event_delivery delivery_row(const struct query *q, struct arena *a, int at)
{
	return (struct event_delivery){
		.id = (uint64_t)column_int(q, at),
		.receiver = column_dup(q, a, at + 1),
		.cause = column_dup(q, a, at + 2),
		.made = column_int(q, at + 3),
		.due = column_int(q, at + 4),
		.tries = (uint32_t)column_int(q, at + 5),
		.error = column_dup(q, a, at + 6),
		.state = (enum event_delivery_state)column_int(q, at + 7),
	};
}

static struct err *deliveries(struct query *q, struct arena *a, struct event_deliveries *ret)
{
	struct event_deliveries list = {0};
	bool row;

	for (;;) {
		struct event_delivery *d;

		TRY(query_step(q, &row));
		if (!row)
			break;
		d = ARENA_PUSH(a, &list);
		*d = delivery_row(q, a, EVENT_COLUMNS_N);
		d->event = event_row(q, a);
	}
	*ret = list;
	return NULL;
}

/* ------------------------------------------------------------------ adding */

static struct err *outbox_begin(void *self)
{
	return store_begin(self);
}

static struct err *outbox_end(void *self, struct err *e)
{
	return store_end(self, e);
}

static void outbox_listen(void *self, void (*ended)(void *arg, bool committed), void *arg)
{
	struct store *s = self;

	s->ended = ended;
	s->ended_arg = arg;
}

static struct err *count(struct store *s, str name, uint64_t *ret)
{
	CLEANUP(query) struct query q = {0};
	bool row;

	TRY(query_open(s,
		       "INSERT INTO counter(name, value) VALUES(?, 1) "
		       "ON CONFLICT(name) DO UPDATE SET value = value + 1 RETURNING value",
		       &q));
	query_text(&q, name);
	TRY(query_step(&q, &row));
	*ret = (uint64_t)column_int(&q, 0);
	return query_run(&q);
}

static struct err *outbox_next(void *self, str emitter, uint64_t *number, uint64_t *sequence)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct store *s = self;
	uint64_t n = 0, q = 0;

	TRY(store_begin(s));
	struct err *e = count(s, STR("event"), &n);
	if (!e)
		e = count(s, arena_printf(a, "of " STR_FMT, STR_ARG(emitter)), &q);
	TRY(store_end(s, e));
	*number = n;
	*sequence = q;
	return NULL;
}

static struct err *add_event(struct store *s, const struct event_kept *e)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(
		s,
		"INSERT INTO event(number, sequence, id, name, app, source, revision, incident, "
		"severity, time, json, flux, text) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		&q));
	query_int(&q, (int64_t)e->number);
	query_int(&q, (int64_t)e->sequence);
	query_text(&q, e->id);
	query_text(&q, e->name);
	query_text(&q, e->app);
	query_text(&q, e->source);
	query_text(&q, e->revision);
	query_text(&q, e->incident);
	query_int(&q, e->severity);
	query_int(&q, e->time);
	query_text(&q, e->json);
	query_text(&q, e->flux);
	query_text(&q, e->text);
	return query_run(&q);
}

static struct err *add_all(struct store *s, const struct event_kept *e,
			   const struct event_delivery *to, size_t n)
{
	TRY(add_event(s, e));
	for (size_t i = 0; i < n; i++) {
		CLEANUP(query) struct query q = {0};

		TRY(query_open(
			s,
			"INSERT INTO delivery(event, receiver, incident, cause, made, due, tries, "
			"error, state, finished) VALUES(?, ?, ?, ?, ?, ?, 0, '', 0, 0)",
			&q));
		query_int(&q, (int64_t)e->number);
		query_text(&q, to[i].receiver);
		query_text(&q, e->incident);
		query_text(&q, to[i].cause);
		query_int(&q, e->time);
		query_int(&q, to[i].due);
		TRY(query_run(&q));
	}
	s->unsynced = true;
	return NULL;
}

static struct err *outbox_sync(void *self)
{
	struct store *s = self;

	if (!s->unsynced || s->depth)
		return NULL;
	TRY(db_sync(s));
	s->unsynced = false;
	return NULL;
}

static struct err *outbox_add(void *self, const struct event_kept *e,
			      const struct event_delivery *to, size_t n)
{
	TRY(store_begin(self));
	return store_end(self, add_all(self, e, to, n));
}

static struct err *outbox_get(void *self, struct arena *a, uint64_t number, struct event_kept *ret)
{
	CLEANUP(query) struct query q = {0};
	bool row;

	TRY(query_open(self, "SELECT " EVENT_COLUMNS " FROM event e WHERE e.number = ?", &q));
	query_int(&q, (int64_t)number);
	TRY(query_step(&q, &row));
	*ret = row ? event_row(&q, a) : (struct event_kept){0};
	return NULL;
}

/* ------------------------------------------------------------------ incidents */

static struct err *put_incident(struct store *s, const struct event_incident *i)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(s,
		       "INSERT OR REPLACE INTO incident(key, id, number, since) "
		       "VALUES(?, ?, ?, ?)",
		       &q));
	query_text(&q, i->key);
	query_text(&q, i->id);
	query_int(&q, (int64_t)i->number);
	query_int(&q, i->since);
	return query_run(&q);
}

static struct err *outbox_open_incident(void *self, const struct event_incident *i)
{
	TRY(store_begin(self));
	return store_end(self, put_incident(self, i));
}

static struct err *del_incident(struct store *s, str key)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(s, "DELETE FROM incident WHERE key = ?", &q));
	query_text(&q, key);
	return query_run(&q);
}

static struct err *outbox_close_incident(void *self, str key)
{
	TRY(store_begin(self));
	return store_end(self, del_incident(self, key));
}

static struct err *outbox_incidents(void *self, struct arena *a, struct event_incident **ret,
				    size_t *n)
{
	CLEANUP(query) struct query q = {0};
	struct {
		struct event_incident *p;
		size_t n, cap;
	} list = {0};
	bool row;

	TRY(query_open(self, "SELECT key, id, number, since FROM incident ORDER BY number, key",
		       &q));
	for (;;) {
		TRY(query_step(&q, &row));
		if (!row)
			break;
		*ARENA_PUSH(a, &list) =
			(struct event_incident){column_dup(&q, a, 0), column_dup(&q, a, 1),
						(uint64_t)column_int(&q, 2), column_int(&q, 3)};
	}
	*ret = list.p;
	*n = list.n;
	return NULL;
}

static struct err *outbox_incident(void *self, struct arena *a, str key, struct event_incident *ret)
{
	CLEANUP(query) struct query q = {0};
	bool row;

	TRY(query_open(self, "SELECT key, id, number, since FROM incident WHERE key = ?", &q));
	query_text(&q, key);
	TRY(query_step(&q, &row));
	*ret = (struct event_incident){0};
	if (row)
		*ret = (struct event_incident){column_dup(&q, a, 0), column_dup(&q, a, 1),
					       (uint64_t)column_int(&q, 2), column_int(&q, 3)};
	return NULL;
}

/* ------------------------------------------------------------------ what goes out next */

/* Nothing earlier of the same receiver and incident is on its way. */
#define MAY_GO                                                                                     \
	"d.state = 0 AND (d.incident = '' OR NOT EXISTS(SELECT 1 FROM delivery p "                 \
	"WHERE p.receiver = d.receiver AND p.incident = d.incident AND p.id < d.id "               \
	"AND p.state = 0)) "

static struct err *outbox_waiting(void *self, struct arena *a, struct event_waiting **ret,
				  size_t *n)
{
	CLEANUP(query) struct query q = {0};
	struct {
		struct event_waiting *p;
		size_t n, cap;
	} list = {0};
	bool row;

	TRY(query_open(self,
		       "SELECT d.receiver, count(*), min(CASE WHEN " MAY_GO "THEN d.due END) "
		       "FROM delivery d WHERE d.state = 0 GROUP BY d.receiver ORDER BY d.receiver",
		       &q));
	for (;;) {
		TRY(query_step(&q, &row));
		if (!row)
			break;
		*ARENA_PUSH(a, &list) = (struct event_waiting){
			column_dup(&q, a, 0), (uint64_t)column_int(&q, 1), column_int(&q, 2)};
	}
	*ret = list.p;
	*n = list.n;
	return NULL;
}

static struct err *outbox_due(void *self, struct arena *a, str receiver, msec now, size_t most,
			      struct event_deliveries *ret)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(self,
		       "SELECT " EVENT_COLUMNS ", " DELIVERY_COLUMNS " FROM delivery d "
		       "JOIN event e ON e.number = d.event WHERE d.receiver = ? AND d.due <= ? "
		       "AND " MAY_GO "ORDER BY d.id LIMIT ?",
		       &q));
	query_text(&q, receiver);
	query_int(&q, now);
	query_int(&q, (int64_t)most);
	return deliveries(&q, a, ret);
}

static struct err *outbox_together(void *self, struct arena *a, str receiver, str cause, msec until,
				   size_t most, struct event_deliveries *ret)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(self,
		       "SELECT " EVENT_COLUMNS ", " DELIVERY_COLUMNS " FROM delivery d "
		       "JOIN event e ON e.number = d.event WHERE d.receiver = ? AND d.cause = ? "
		       "AND d.due <= ? AND " MAY_GO "ORDER BY d.id LIMIT ?",
		       &q));
	query_text(&q, receiver);
	query_text(&q, cause);
	query_int(&q, until);
	query_int(&q, (int64_t)most);
	return deliveries(&q, a, ret);
}

/* ------------------------------------------------------------------ what became of it */

static struct err *finish_one(struct store *s, uint64_t id, enum event_delivery_state state,
			      str error, msec now)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(s, "UPDATE delivery SET state = ?, error = ?, finished = ? WHERE id = ?",
		       &q));
	query_int(&q, state);
	query_text(&q, error);
	query_int(&q, now);
	query_int(&q, (int64_t)id);
	return query_run(&q);
}

static struct err *finish(struct store *s, const uint64_t *ids, size_t n,
			  enum event_delivery_state state, str error, msec now)
{
	for (size_t i = 0; i < n; i++)
		TRY(finish_one(s, ids[i], state, error, now));
	return NULL;
}

static struct err *outbox_done(void *self, const uint64_t *ids, size_t n, msec now)
{
	TRY(store_begin(self));
	return store_end(self, finish(self, ids, n, EVENT_DONE, STR_NONE, now));
}

static struct err *outbox_drop(void *self, const uint64_t *ids, size_t n, str error)
{
	TRY(store_begin(self));
	return store_end(self, finish(self, ids, n, EVENT_DROPPED, error, time_wall()));
}

static struct err *fail(struct store *s, const uint64_t *ids, size_t n, msec due, str error)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(query) struct query q = {0};

		TRY(query_open(
			s, "UPDATE delivery SET tries = tries + 1, due = ?, error = ? WHERE id = ?",
			&q));
		query_int(&q, due);
		query_text(&q, error);
		query_int(&q, (int64_t)ids[i]);
		TRY(query_run(&q));
	}
	return NULL;
}

static struct err *outbox_failed(void *self, const uint64_t *ids, size_t n, msec due, str error)
{
	TRY(store_begin(self));
	return store_end(self, fail(self, ids, n, due, error));
}

static struct err *drop_receiver(struct store *s, str receiver, str error, uint64_t *dropped)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(s,
		       "UPDATE delivery SET state = 2, error = ?, finished = ? "
		       "WHERE receiver = ? AND state = 0",
		       &q));
	query_text(&q, error);
	query_int(&q, time_wall());
	query_text(&q, receiver);
	TRY(query_run(&q));
	*dropped = (uint64_t)sqlite3_changes64(s->db);
	return NULL;
}

static struct err *outbox_drop_receiver(void *self, str receiver, str error, uint64_t *dropped)
{
	*dropped = 0;
	TRY(store_begin(self));
	return store_end(self, drop_receiver(self, receiver, error, dropped));
}

static struct err *rename_receiver(struct store *s, str from, str to)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(s, "UPDATE delivery SET receiver = ? WHERE receiver = ?", &q));
	query_text(&q, to);
	query_text(&q, from);
	return query_run(&q);
}

static struct err *outbox_rename(void *self, str from, str to)
{
	TRY(store_begin(self));
	return store_end(self, rename_receiver(self, from, to));
}

static struct err *pending(struct store *s, str receiver, uint64_t *ret)
{
	CLEANUP(query) struct query q = {0};
	bool row;

	TRY(query_open(s,
		       "SELECT count(*) FROM delivery WHERE state = 0 AND (? = '' OR receiver = ?)",
		       &q));
	query_text(&q, receiver);
	query_text(&q, receiver);
	TRY(query_step(&q, &row));
	*ret = (uint64_t)column_int(&q, 0);
	return NULL;
}

static struct err *outbox_pending(void *self, uint64_t *ret)
{
	return pending(self, STR_NONE, ret);
}

/* An incident goes whole, or its resolve would speak of what nobody was told: so only incidents
 * whose raise is still here. */
static struct err *coalesce(struct store *s, str receiver, size_t most, str error,
			    uint64_t *dropped)
{
	CLEANUP(query) struct query q = {0};
	uint64_t have;

	TRY(pending(s, receiver, &have));
	if (have <= most)
		return NULL;
	TRY(query_open(s,
		       "UPDATE delivery SET state = 2, error = ?, finished = ? WHERE state = 0 "
		       "AND receiver = ? AND incident IN (SELECT d.incident FROM delivery d "
		       "JOIN event e ON e.number = d.event WHERE d.state = 0 AND d.receiver = ? "
		       "AND d.incident <> '' AND e.name IN ('drift.found', 'drift.fight') "
		       "ORDER BY d.id LIMIT ?)",
		       &q));
	query_text(&q, error);
	query_int(&q, time_wall());
	query_text(&q, receiver);
	query_text(&q, receiver);
	query_int(&q, (int64_t)(have - most));
	TRY(query_run(&q));
	*dropped = (uint64_t)sqlite3_changes64(s->db);
	return NULL;
}

static struct err *outbox_coalesce(void *self, str receiver, size_t most, str error,
				   uint64_t *dropped)
{
	*dropped = 0;
	TRY(store_begin(self));
	return store_end(self, coalesce(self, receiver, most, error, dropped));
}

static struct err *outbox_told(void *self, str receiver, str incident, msec *ret)
{
	CLEANUP(query) struct query q = {0};
	bool row;

	TRY(query_open(
		self,
		"SELECT iif(min(state) = 0, 0, coalesce(max(CASE WHEN state = 1 THEN finished "
		"END), 0)) FROM delivery WHERE receiver = ? AND incident = ?",
		&q));
	query_text(&q, receiver);
	query_text(&q, incident);
	TRY(query_step(&q, &row));
	*ret = column_int(&q, 0);
	return NULL;
}

void store_outbox_init(struct store *s)
{
	s->outbox = (struct event_outbox){
		.begin = outbox_begin,
		.end = outbox_end,
		.listen = outbox_listen,
		.next = outbox_next,
		.add = outbox_add,
		.sync = outbox_sync,
		.get = outbox_get,
		.open_incident = outbox_open_incident,
		.close_incident = outbox_close_incident,
		.incidents = outbox_incidents,
		.incident = outbox_incident,
		.waiting = outbox_waiting,
		.due = outbox_due,
		.together = outbox_together,
		.done = outbox_done,
		.failed = outbox_failed,
		.drop = outbox_drop,
		.drop_receiver = outbox_drop_receiver,
		.rename = outbox_rename,
		.coalesce = outbox_coalesce,
		.told = outbox_told,
		.pending = outbox_pending,
		.self = s,
	};
}

const struct event_outbox *store_outbox(struct store *s)
{
	return &s->outbox;
}

/* ------------------------------------------------------------------ what `events` shows */

#define CONDITIONS                                                                                 \
	"(?1 = '' OR e.name GLOB ?1) AND (?2 = '' OR e.app = ?2) AND (?3 = '' OR e.source = ?3) "  \
	"AND (?4 = '' OR e.incident = ?4) AND e.time >= ?5 AND e.number > ?6 AND e.number < ?7 "   \
	"AND (?8 = 0 OR EXISTS(SELECT 1 FROM delivery d WHERE d.event = e.number "                 \
	"AND (d.state = 2 OR (d.state = 0 AND d.tries > 0)))) "

struct err *store_event_list(struct store *s, struct arena *a, const struct store_event_query *w,
			     struct store_events *ret)
{
	CLEANUP(query) struct query q = {0};
	struct store_events list = {0};
	size_t most = w->most ? w->most : STORE_PAGE;
	bool row;

	if (w->after || w->forward)
		TRY(query_open(s,
			       "SELECT " EVENT_COLUMNS " FROM event e WHERE " CONDITIONS
			       "ORDER BY e.number LIMIT ?9",
			       &q));
	else
		TRY(query_open(s,
			       "SELECT " EVENT_COLUMNS " FROM event e WHERE " CONDITIONS
			       "ORDER BY e.number DESC LIMIT ?9",
			       &q));
	query_text(&q, w->type);
	query_text(&q, w->app);
	query_text(&q, w->source);
	query_text(&q, w->incident);
	query_int(&q, w->since);
	query_int(&q, (int64_t)w->after);
	query_int(&q, w->before ? (int64_t)w->before : INT64_MAX);
	query_int(&q, w->failed);
	query_int(&q, (int64_t)(most > STORE_MAX_PAGE ? STORE_MAX_PAGE : most));
	for (;;) {
		TRY(query_step(&q, &row));
		if (!row)
			break;
		*ARENA_PUSH(a, &list) = event_row(&q, a);
	}
	*ret = list;
	return NULL;
}

struct err *store_event_number(struct store *s, str id, uint64_t *ret)
{
	CLEANUP(query) struct query q = {0};
	bool row;

	TRY(query_open(s, "SELECT number FROM event WHERE id = ?", &q));
	query_text(&q, id);
	TRY(query_step(&q, &row));
	*ret = row ? (uint64_t)column_int(&q, 0) : 0;
	return NULL;
}

struct err *store_event_deliveries(struct store *s, struct arena *a, uint64_t number,
				   struct event_deliveries *ret)
{
	CLEANUP(query) struct query q = {0};
	struct event_deliveries list = {0};
	bool row;

	TRY(query_open(s,
		       "SELECT " DELIVERY_COLUMNS " FROM delivery d WHERE d.event = ? "
		       "ORDER BY d.receiver, d.id",
		       &q));
	query_int(&q, (int64_t)number);
	for (;;) {
		TRY(query_step(&q, &row));
		if (!row)
			break;
		*ARENA_PUSH(a, &list) = delivery_row(&q, a, 0);
	}
	*ret = list;
	return NULL;
}

static struct err *redeliver(struct store *s, uint64_t number, msec now, size_t *ret)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(
		s,
		"UPDATE delivery SET state = 0, due = ?, tries = 0, error = '', finished = 0 "
		"WHERE event = ?",
		&q));
	query_int(&q, now);
	query_int(&q, (int64_t)number);
	TRY(query_run(&q));
	*ret = (size_t)sqlite3_changes64(s->db);
	db_durable(s);
	return NULL;
}

struct err *store_event_redeliver(struct store *s, str id, msec now, size_t *ret)
{
	uint64_t number;

	TRY(store_event_number(s, id, &number));
	if (!number)
		return err_new(ERR_NOT_FOUND, "no event '" STR_FMT "'", STR_ARG(id));
	TRY(store_begin(s));
	return store_end(s, redeliver(s, number, now, ret));
}
