/* History: a row for each sync, written when it begins and filled in when it ends. */
#include "store_priv.h"

static const char *const outcomes[] = {
#define X(id, name) [id] = name,
	STORE_OUTCOMES(X)
#undef X
};

const char *store_outcome_name(enum store_outcome o)
{
	return outcomes[o];
}

bool store_outcome_from_name(str name, enum store_outcome *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		if (str_eq(name, str_from(outcomes[i]))) {
			*ret = (enum store_outcome)i;
			return true;
		}
	}
	return false;
}

/* ------------------------------------------------------------------ writing */

static struct err *begin(struct store *s, const struct store_sync *r, uint64_t *number)
{
	CLEANUP(query) struct query q = {0};
	bool row;

	TRY(query_open(s, "SELECT coalesce(max(number), 0) + 1 FROM sync WHERE app = ?", &q));
	query_text(&q, r->app);
	TRY(query_step(&q, &row));
	*number = (uint64_t)column_int(&q, 0);
	TRY(query_open(
		s,
		"INSERT INTO sync(app, number, source, revision, from_revision, started, by, "
		"plan, outcome, created, changed, deleted, unchanged, requests, writes, took, "
		"first_cause, detail) VALUES(?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, "
		"'', '')",
		&q));
	query_text(&q, r->app);
	query_int(&q, (int64_t)*number);
	query_text(&q, r->source);
	query_text(&q, r->revision);
	query_text(&q, r->from);
	query_int(&q, r->started);
	query_text(&q, r->by);
	query_text(&q, r->plan);
	return query_run(&q);
}

struct err *store_sync_begin(struct store *s, struct store_sync *row)
{
	uint64_t number = 0;

	TRY(store_begin(s));
	TRY(store_end(s, begin(s, row, &number)));
	row->number = number;
	row->outcome = STORE_RUNNING;
	return NULL;
}

static struct err *add_objects(struct store *s, const struct store_sync *r, int64_t id)
{
	CLEANUP(query) struct query q = {0};

	for (size_t i = 0; i < r->objects_n; i++) {
		TRY(query_open(s, "INSERT OR IGNORE INTO sync_object(identity, sync) VALUES(?, ?)",
			       &q));
		query_text(&q, r->objects[i]);
		query_int(&q, id);
		TRY(query_run(&q));
	}
	return NULL;
}

static struct err *end(struct store *s, const struct store_sync *r)
{
	CLEANUP(query) struct query q = {0};
	bool row;
	int64_t id;

	TRY(query_open(s,
		       "UPDATE sync SET outcome = ?, created = ?, changed = ?, deleted = ?, "
		       "unchanged = ?, requests = ?, writes = ?, took = ?, first_cause = ?, "
		       "detail = ?, source = ?, revision = ?, from_revision = ?, started = ?, "
		       "by = ?, plan = ? WHERE app = ? AND number = ? RETURNING id",
		       &q));
	query_int(&q, r->outcome);
	query_int(&q, (int64_t)r->created);
	query_int(&q, (int64_t)r->changed);
	query_int(&q, (int64_t)r->deleted);
	query_int(&q, (int64_t)r->unchanged);
	query_int(&q, (int64_t)r->requests);
	query_int(&q, (int64_t)r->writes);
	query_int(&q, r->took);
	query_text(&q, r->first_cause);
	query_text(&q, r->detail);
	query_text(&q, r->source);
	query_text(&q, r->revision);
	query_text(&q, r->from);
	query_int(&q, r->started);
	query_text(&q, r->by);
	query_text(&q, r->plan);
	query_text(&q, r->app);
	query_int(&q, (int64_t)r->number);
	TRY(query_step(&q, &row));
	if (!row)
		return err_new(ERR_NOT_FOUND, "App '" STR_FMT "' has no sync %llu", STR_ARG(r->app),
			       (unsigned long long)r->number);
	id = column_int(&q, 0);
	TRY(query_run(&q));
	return add_objects(s, r, id);
}

struct err *store_sync_end(struct store *s, const struct store_sync *row)
{
	TRY(store_begin(s));
	return store_end(s, end(s, row));
}

/* ------------------------------------------------------------------ reading */

static struct store_sync sync_row(const struct query *q, struct arena *a)
{
	str cause = column_text(q, 17), subject = column_text(q, 19);

	return (struct store_sync){
		.cursor = (uint64_t)column_int(q, 0),
		.app = column_dup(q, a, 1),
		.source = column_dup(q, a, 2),
		.number = (uint64_t)column_int(q, 3),
		.revision = column_dup(q, a, 4),
		.from = column_dup(q, a, 5),
		.outcome = (enum store_outcome)column_int(q, 6),
		.created = (uint64_t)column_int(q, 7),
		.changed = (uint64_t)column_int(q, 8),
		.deleted = (uint64_t)column_int(q, 9),
		.unchanged = (uint64_t)column_int(q, 10),
		.requests = (uint64_t)column_int(q, 11),
		.writes = (uint64_t)column_int(q, 12),
		.started = column_int(q, 13),
		.took = column_int(q, 14),
		.by = column_dup(q, a, 15),
		.plan = column_dup(q, a, 16),
		.first_cause = cause.n ? arena_str(a, cause) : STR_NONE,
		.detail = column_dup(q, a, 18),
		.subject = arena_str(a, subject),
		.author_name = column_dup(q, a, 20),
		.author_email = column_dup(q, a, 21),
		.signer = column_dup(q, a, 22),
		.key = column_dup(q, a, 23),
	};
}

/* One statement for each set of conditions that is asked for; they are few, and each stays cached.
 */
#define SELECT                                                                                     \
	"SELECT s.id, s.app, s.source, s.number, s.revision, s.from_revision, s.outcome, "         \
	"s.created, s.changed, s.deleted, s.unchanged, s.requests, s.writes, s.started, s.took, "  \
	"s.by, s.plan, s.first_cause, s.detail, c.subject, c.author_name, c.author_email, "        \
	"c.signer, c.key FROM sync s LEFT JOIN accepted c "                                        \
	"ON c.source = s.source AND c.oid = s.revision "
#define COMMON                                                                                     \
	"s.id < ? AND s.started >= ? AND (? = 0 OR s.outcome = 1) "                                \
	"AND (? = 0 OR s.number = ?) "
#define NEWEST "ORDER BY s.id DESC LIMIT ?"

static const char *statement(const struct store_sync_query *q)
{
	if (q->running)
		return SELECT "WHERE s.outcome = 0 AND (? = '' OR s.app = ?) AND " COMMON NEWEST;
	if (q->object.n)
		return SELECT "JOIN sync_object o ON o.sync = s.id WHERE o.identity = ? "
			      "AND (? = '' OR s.app = ?) AND " COMMON NEWEST;
	if (q->app.n)
		return SELECT "WHERE s.app = ? AND " COMMON "ORDER BY s.number DESC LIMIT ?";
	return SELECT "WHERE " COMMON NEWEST;
}

static int64_t page(size_t most)
{
	if (!most)
		return STORE_PAGE;
	return most > STORE_MAX_PAGE ? STORE_MAX_PAGE : (int64_t)most;
}

struct err *store_sync_list(struct store *s, struct arena *a, const struct store_sync_query *w,
			    struct store_syncs *ret)
{
	CLEANUP(query) struct query q = {0};
	struct store_syncs list = {0};
	bool row;

	TRY(query_open(s, statement(w), &q));
	if (w->object.n && !w->running)
		query_text(&q, w->object);
	if (w->running || w->object.n) {
		query_text(&q, w->app);
		query_text(&q, w->app);
	} else if (w->app.n) {
		query_text(&q, w->app);
	}
	query_int(&q, w->before ? (int64_t)w->before : INT64_MAX);
	query_int(&q, w->since);
	query_int(&q, w->healthy);
	query_int(&q, (int64_t)w->number);
	query_int(&q, (int64_t)w->number);
	query_int(&q, page(w->most));
	for (;;) {
		TRY(query_step(&q, &row));
		if (!row)
			break;
		*ARENA_PUSH(a, &list) = sync_row(&q, a);
	}
	*ret = list;
	return NULL;
}
