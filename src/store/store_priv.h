/* What the files of store share: statements, transactions, errors. */
#pragma once
#include "leeboard/store.h"

#include <sqlite3.h>

#define STORE_STATEMENTS 96u /* cached; each is a literal of ours */

struct store {
	char *dir, *db_path;
	int lock;
	sqlite3 *db;
	uint8_t key[32];
	uint64_t db_dev, db_ino; /* of the file that is open */
	unsigned depth;
	bool failed;  /* a part of the transaction: it cannot be committed */
	bool durable; /* it must be on disk when it is committed */
	bool unsynced; /* events were added since the last sync */
	bool suspect; /* SQLite called the database damaged: said so once */
	void (*ended)(void *arg, bool committed);
	void *ended_arg;
	struct event_outbox outbox;
	struct arena *arena; /* of the warnings */
	struct {
		str *p;
		size_t n, cap;
	} warnings;
	struct {
		const char *sql;
		sqlite3_stmt *st;
	} cache[STORE_STATEMENTS];
	size_t cache_n;
};

/* A statement in use. CLEANUP(query) struct query q = {0}; */
struct query {
	struct store *s;
	sqlite3_stmt *st;
	int bound;
	bool once; /* not from the cache */
};
void query_done(struct query *q);
static inline void query_cleanup(struct query *q)
{
	query_done(q);
}
/* sql must be a literal: its address is the key of the cache. */
MUST_CHECK struct err *query_open(struct store *s, const char *sql, struct query *ret);
/* The next parameter. Texts are borrowed until query_done. */
void query_text(struct query *q, str v);
void query_blob(struct query *q, const void *p, size_t n);
void query_int(struct query *q, int64_t v);
MUST_CHECK struct err *query_step(struct query *q, bool *row);
/* To the end, no rows wanted. */
MUST_CHECK struct err *query_run(struct query *q);
int64_t column_int(const struct query *q, int i);
str column_text(const struct query *q, int i); /* borrowed until the next step */
str column_dup(const struct query *q, struct arena *a, int i);

/* Runs sql as it is. */
MUST_CHECK struct err *db_exec(struct store *s, const char *sql);
MUST_CHECK struct err *db_err(struct store *s, const char *what);
/* Marks the running transaction as one that must be on disk. */
void db_durable(struct store *s);
/* Everything that was committed is on disk. */
MUST_CHECK struct err *db_sync(struct store *s);

/* Any error as ERR_STORAGE. Takes e; NULL is fine. */
struct err *store_err(struct err *e);
/* A file name for any name: bytes outside [a-z0-9.-] as -xHH, long ones cut with a hash. */
str store_file_name(struct arena *a, str name);
void store_outbox_init(struct store *s);
