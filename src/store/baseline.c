/* Baselines: what an object was when we last wrote it. */
#include "store_priv.h"

static struct err *put_one(struct store *s, str app, const struct store_baseline *b)
{
	CLEANUP(query) struct query q = {0};
	CLEANUP(arena) struct arena *a = arena_new();

	TRY(query_open(s,
		       "INSERT INTO baseline(app, identity, version, uid, applied, live, json, "
		       "revision, at) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) "
		       "ON CONFLICT(app, identity) DO UPDATE SET version = excluded.version, "
		       "uid = excluded.uid, applied = excluded.applied, live = excluded.live, "
		       "json = excluded.json, revision = excluded.revision, at = excluded.at",
		       &q));
	query_text(&q, app);
	query_text(&q, obj_id_text(a, b->id));
	query_text(&q, b->version);
	query_text(&q, b->uid);
	query_blob(&q, b->applied.b, sizeof(b->applied.b));
	query_blob(&q, b->live.b, sizeof(b->live.b));
	query_text(&q, b->json);
	query_text(&q, b->revision);
	query_int(&q, b->at);
	return query_run(&q);
}

static struct err *put(struct store *s, str app, const struct store_baseline *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		TRY(put_one(s, app, &b[i]));
	return NULL;
}

struct err *store_baseline_put(struct store *s, str app, const struct store_baseline *b, size_t n)
{
	TRY(store_begin(s));
	return store_end(s, put(s, app, b, n));
}

#define COLUMNS "identity, version, uid, applied, live, json, revision, at"

static bool row_of(const struct query *q, struct arena *a, struct store_baseline *ret)
{
	struct store_baseline b = {0};
	str applied = column_text(q, 3), live = column_text(q, 4);

	if (!obj_id_parse(column_dup(q, a, 0), &b.id) || applied.n != HASH_LEN ||
	    live.n != HASH_LEN)
		return false;
	memcpy(b.applied.b, applied.p, HASH_LEN);
	memcpy(b.live.b, live.p, HASH_LEN);
	b.version = column_dup(q, a, 1);
	b.uid = column_dup(q, a, 2);
	b.json = column_dup(q, a, 5);
	b.revision = column_dup(q, a, 6);
	b.at = column_int(q, 7);
	*ret = b;
	return true;
}

struct err *store_baseline_get(struct store *s, struct arena *a, str app, obj_id id,
			       struct store_baseline *ret)
{
	CLEANUP(query) struct query q = {0};
	struct store_baseline b = {0};
	str identity = obj_id_text(a, id);
	bool row;

	TRY(query_open(s, "SELECT " COLUMNS " FROM baseline WHERE app = ? AND identity = ?", &q));
	query_text(&q, app);
	query_text(&q, identity);
	TRY(query_step(&q, &row));
	/* One that cannot be read is one that is lost: it is rebuilt. */
	if (!row || !row_of(&q, a, &b))
		b = (struct store_baseline){0};
	*ret = b;
	return NULL;
}

struct err *store_baseline_each(struct store *s, str app,
				struct err *(*fn)(void *arg, const struct store_baseline *b),
				void *arg)
{
	CLEANUP(query) struct query q = {0};
	bool row;

	TRY(query_open(s, "SELECT " COLUMNS " FROM baseline WHERE app = ? ORDER BY identity", &q));
	query_text(&q, app);
	for (;;) {
		CLEANUP(arena) struct arena *a = arena_new();
		struct store_baseline b;

		TRY(query_step(&q, &row));
		if (!row)
			return NULL;
		if (row_of(&q, a, &b))
			TRY(fn(arg, &b));
	}
}

static struct err *del(struct store *s, str app, const obj_id *ids, size_t n)
{
	CLEANUP(arena) struct arena *a = arena_new();

	for (size_t i = 0; i < n; i++) {
		CLEANUP(query) struct query q = {0};

		TRY(query_open(s, "DELETE FROM baseline WHERE app = ? AND identity = ?", &q));
		query_text(&q, app);
		query_text(&q, obj_id_text(a, ids[i]));
		TRY(query_run(&q));
	}
	return NULL;
}

struct err *store_baseline_del(struct store *s, str app, const obj_id *ids, size_t n)
{
	TRY(store_begin(s));
	return store_end(s, del(s, app, ids, n));
}

static struct err *clear(struct store *s, str app)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(s, "DELETE FROM baseline WHERE app = ?", &q));
	query_text(&q, app);
	return query_run(&q);
}

struct err *store_baseline_clear(struct store *s, str app)
{
	TRY(store_begin(s));
	return store_end(s, clear(s, app));
}
