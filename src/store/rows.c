/* Key and value, commits, the journal. */
#include "store_priv.h"

/* ------------------------------------------------------------------ key and value */

static struct err *put(struct store *s, str space, str key, str value)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(s,
		       "INSERT INTO kv(space, key, value) VALUES(?, ?, ?) "
		       "ON CONFLICT(space, key) DO UPDATE SET value = excluded.value",
		       &q));
	query_text(&q, space);
	query_text(&q, key);
	query_blob(&q, value.p, value.n);
	return query_run(&q);
}

struct err *store_put(struct store *s, str space, str key, str value)
{
	if (value.n > STORE_MAX_VALUE)
		return err_new(ERR_LIMIT, "a stored value has %zu bytes (limit %u)", value.n,
			       STORE_MAX_VALUE);
	TRY(store_begin(s));
	return store_end(s, put(s, space, key, value));
}

struct err *store_get(struct store *s, struct arena *a, str space, str key, str *ret)
{
	CLEANUP(query) struct query q = {0};
	bool row;

	TRY(query_open(s, "SELECT value FROM kv WHERE space = ? AND key = ?", &q));
	query_text(&q, space);
	query_text(&q, key);
	TRY(query_step(&q, &row));
	*ret = row ? column_dup(&q, a, 0) : STR_NONE;
	return NULL;
}

static struct err *del(struct store *s, str space, str key)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(s, "DELETE FROM kv WHERE space = ? AND key = ?", &q));
	query_text(&q, space);
	query_text(&q, key);
	return query_run(&q);
}

struct err *store_del(struct store *s, str space, str key)
{
	TRY(store_begin(s));
	return store_end(s, del(s, space, key));
}

struct err *store_each(struct store *s, str space, struct err *(*fn)(void *arg, str key, str value),
		       void *arg)
{
	CLEANUP(query) struct query q = {0};
	bool row;

	TRY(query_open(s, "SELECT key, value FROM kv WHERE space = ? ORDER BY key", &q));
	query_text(&q, space);
	for (;;) {
		TRY(query_step(&q, &row));
		if (!row)
			return NULL;
		TRY(fn(arg, column_text(&q, 0), column_text(&q, 1)));
	}
}

/* ------------------------------------------------------------------ commits */

static struct err *put_commit(struct store *s, const struct store_commit *c)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(s,
		       "INSERT INTO accepted(source, oid, subject, author_name, author_email, "
		       "committed, signer, key, verdict, first_seen, accepted) "
		       "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(source, oid) DO UPDATE "
		       "SET subject = excluded.subject, author_name = excluded.author_name, "
		       "author_email = excluded.author_email, committed = excluded.committed, "
		       "signer = excluded.signer, key = excluded.key, verdict = excluded.verdict, "
		       "accepted = iif(excluded.accepted, excluded.accepted, accepted)",
		       &q));
	query_text(&q, c->source);
	query_text(&q, c->oid);
	query_text(&q, c->subject);
	query_text(&q, c->author_name);
	query_text(&q, c->author_email);
	query_int(&q, c->committed);
	query_text(&q, c->signer);
	query_text(&q, c->key);
	query_text(&q, c->verdict);
	query_int(&q, c->first_seen);
	query_int(&q, c->accepted);
	return query_run(&q);
}

struct err *store_commit_put(struct store *s, const struct store_commit *c)
{
	TRY(store_begin(s));
	return store_end(s, put_commit(s, c));
}

#define COMMIT_COLUMNS                                                                             \
	"source, oid, subject, author_name, author_email, committed, signer, key, verdict, "       \
	"first_seen, accepted"

static struct store_commit commit_row(const struct query *q, struct arena *a)
{
	return (struct store_commit){
		.source = column_dup(q, a, 0),
		.oid = column_dup(q, a, 1),
		.subject = column_dup(q, a, 2),
		.author_name = column_dup(q, a, 3),
		.author_email = column_dup(q, a, 4),
		.committed = column_int(q, 5),
		.signer = column_dup(q, a, 6),
		.key = column_dup(q, a, 7),
		.verdict = column_dup(q, a, 8),
		.first_seen = column_int(q, 9),
		.accepted = column_int(q, 10),
	};
}

struct err *store_commit_get(struct store *s, struct arena *a, str source, str oid,
			     struct store_commit *ret)
{
	CLEANUP(query) struct query q = {0};
	str above = arena_printf(a, STR_FMT "g", STR_ARG(oid)); /* 'g' follows every digit */
	bool row;
	struct store_commit c = {0};

	if (oid.n < 4)
		return err_new(ERR_USAGE,
			       "'" STR_FMT "' is too short for a commit: 4 digits at least",
			       STR_ARG(oid));
	TRY(query_open(s,
		       "SELECT " COMMIT_COLUMNS " FROM accepted "
		       "WHERE source = ? AND oid >= ? AND oid < ? ORDER BY oid LIMIT 2",
		       &q));
	query_text(&q, source);
	query_text(&q, oid);
	query_text(&q, above);
	TRY(query_step(&q, &row));
	if (row) {
		c = commit_row(&q, a);
		TRY(query_step(&q, &row));
		if (row && !str_eq(c.oid, oid))
			return err_new(ERR_USAGE,
				       "'" STR_FMT "' is the beginning of several commits",
				       STR_ARG(oid));
	}
	*ret = c;
	return NULL;
}

struct err *store_commit_list(struct store *s, struct arena *a, str source, size_t most,
			      struct store_commits *ret)
{
	CLEANUP(query) struct query q = {0};
	struct store_commits list = {0};
	bool row;

	TRY(query_open(s,
		       "SELECT " COMMIT_COLUMNS " FROM accepted WHERE source = ? "
		       "ORDER BY accepted DESC, first_seen DESC LIMIT ?",
		       &q));
	query_text(&q, source);
	query_int(&q, (int64_t)(most ? most : STORE_PAGE));
	for (;;) {
		TRY(query_step(&q, &row));
		if (!row)
			break;
		*ARENA_PUSH(a, &list) = commit_row(&q, a);
	}
	*ret = list;
	return NULL;
}

/* ------------------------------------------------------------------ journal */

static struct err *journal(struct store *s, const struct store_wave *w, uint64_t *id)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(s,
		       "INSERT INTO journal(app, plan, revision, wave, steps, at) "
		       "VALUES(?, ?, ?, ?, ?, ?)",
		       &q));
	query_text(&q, w->app);
	query_text(&q, w->plan);
	query_text(&q, w->revision);
	query_int(&q, w->wave);
	query_text(&q, w->steps);
	query_int(&q, w->at);
	TRY(query_run(&q));
	*id = (uint64_t)sqlite3_last_insert_rowid(s->db);
	db_durable(s);
	return NULL;
}

struct err *store_journal_begin(struct store *s, const struct store_wave *w, uint64_t *id)
{
	uint64_t got = 0;

	TRY(store_begin(s));
	TRY(store_end(s, journal(s, w, &got)));
	*id = got;
	return NULL;
}

static struct err *journal_end(struct store *s, uint64_t id)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(s, "DELETE FROM journal WHERE id = ?", &q));
	query_int(&q, (int64_t)id);
	db_durable(s);
	return query_run(&q);
}

struct err *store_journal_end(struct store *s, uint64_t id)
{
	TRY(store_begin(s));
	return store_end(s, journal_end(s, id));
}

struct err *store_journal_open(struct store *s, struct arena *a, struct store_waves *ret)
{
	CLEANUP(query) struct query q = {0};
	struct store_waves list = {0};
	bool row;

	TRY(query_open(
		s, "SELECT id, app, plan, revision, wave, steps, at FROM journal ORDER BY id", &q));
	for (;;) {
		TRY(query_step(&q, &row));
		if (!row)
			break;
		*ARENA_PUSH(a, &list) = (struct store_wave){
			.id = (uint64_t)column_int(&q, 0),
			.app = column_dup(&q, a, 1),
			.plan = column_dup(&q, a, 2),
			.revision = column_dup(&q, a, 3),
			.wave = (uint32_t)column_int(&q, 4),
			.steps = column_dup(&q, a, 5),
			.at = column_int(&q, 6),
		};
	}
	*ret = list;
	return NULL;
}
