/* Statements, transactions and what SQLite's codes mean here. */
#include "store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A damaged database is looked at whole, and moved aside, by the next store_open. */
static void mark_suspect(struct store *s)
{
	CLEANUP(buf) struct buf path = BUF_INIT;
	int fd;

	if (s->suspect)
		return;
	s->suspect = true;
	buf_printf(&path, "%s.suspect", s->db_path);
	fd = open(path.p, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
}

struct err *db_err(struct store *s, const char *what)
{
	int rc = sqlite3_errcode(s->db);

	s->failed = s->depth > 0;
	if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB)
		mark_suspect(s);
	return err_new(ERR_STORAGE, "%s '%s': %s", what, s->db_path, sqlite3_errmsg(s->db));
}

struct err *db_exec(struct store *s, const char *sql)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_err(s, "write");
	return NULL;
}

/* ------------------------------------------------------------------ statements */

static sqlite3_stmt *cached(struct store *s, const char *sql)
{
	for (size_t i = 0; i < s->cache_n; i++) {
		if (s->cache[i].sql == sql)
			return s->cache[i].st;
	}
	return NULL;
}

struct err *query_open(struct store *s, const char *sql, struct query *ret)
{
	sqlite3_stmt *st = cached(s, sql);
	bool once = false;

	query_done(ret);
	if (!st || sqlite3_stmt_busy(st)) {
		once = st || s->cache_n == STORE_STATEMENTS;
		if (sqlite3_prepare_v3(s->db, sql, -1, once ? 0 : SQLITE_PREPARE_PERSISTENT, &st,
				       NULL) != SQLITE_OK)
			return db_err(s, "read");
		if (!once) {
			s->cache[s->cache_n].sql = sql;
			s->cache[s->cache_n++].st = st;
		}
	}
	*ret = (struct query){.s = s, .st = st, .once = once};
	return NULL;
}

void query_done(struct query *q)
{
	if (!q->st)
		return;
	if (q->once) {
		sqlite3_finalize(q->st);
	} else {
		sqlite3_reset(q->st);
		sqlite3_clear_bindings(q->st);
	}
	q->st = NULL;
}

/* Binding fails only for a parameter that the statement has not, or for want of memory. */
static void bound(int rc UNUSED)
{
	if (rc != SQLITE_OK)
		abort();
}

void query_text(struct query *q, str v)
{
	bound(sqlite3_bind_text64(q->st, ++q->bound, v.n ? v.p : "", v.n, SQLITE_STATIC,
				  SQLITE_UTF8));
}

void query_blob(struct query *q, const void *p, size_t n)
{
	bound(sqlite3_bind_blob64(q->st, ++q->bound, n ? p : "", n, SQLITE_STATIC));
}

void query_int(struct query *q, int64_t v)
{
	bound(sqlite3_bind_int64(q->st, ++q->bound, v));
}

/* After some failures SQLite has ended the transaction by itself: what came then would be committed
 * statement by statement. */
static struct err *still_whole(struct store *s)
{
	if (s->depth && (s->failed || sqlite3_get_autocommit(s->db)))
		return err_new(ERR_STORAGE, "write '%s': an earlier part of the same change failed",
			       s->db_path);
	return NULL;
}

struct err *query_step(struct query *q, bool *row)
{
	int rc;

	if (!sqlite3_stmt_readonly(q->st))
		TRY(still_whole(q->s));
	rc = sqlite3_step(q->st);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return db_err(q->s, sqlite3_stmt_readonly(q->st) ? "read" : "write");
	*row = rc == SQLITE_ROW;
	return NULL;
}

struct err *query_run(struct query *q)
{
	bool row = true;

	while (row)
		TRY(query_step(q, &row));
	query_done(q);
	return NULL;
}

int64_t column_int(const struct query *q, int i)
{
	return sqlite3_column_int64(q->st, i);
}

str column_text(const struct query *q, int i)
{
	const void *p = sqlite3_column_blob(q->st, i);

	return str_n(p ? p : "", p ? (size_t)sqlite3_column_bytes(q->st, i) : 0);
}

str column_dup(const struct query *q, struct arena *a, int i)
{
	return arena_str(a, column_text(q, i));
}

/* ------------------------------------------------------------------ transactions */

/* SQLite would go on writing into a file that has no name any more. */
static struct err *still_there(struct store *s)
{
	struct stat st;

	if (stat(s->db_path, &st) < 0)
		return err_sys(ERR_STORAGE, errno, "write '%s'", s->db_path);
	if ((uint64_t)st.st_dev != s->db_dev || (uint64_t)st.st_ino != s->db_ino)
		return err_hint(
			err_new(ERR_STORAGE, "write '%s': the file was replaced", s->db_path),
			"restart leeboard");
	return NULL;
}

struct err *store_begin(struct store *s)
{
	if (!s->depth) {
		TRY(still_there(s));
		TRY(db_exec(s, "BEGIN IMMEDIATE"));
		s->failed = s->durable = false;
	}
	s->depth++;
	return NULL;
}

void db_durable(struct store *s)
{
	s->durable = true;
}

/* The log is synced after the commit, since `synchronous` cannot be changed inside a transaction
 * and is known to be needed only there. When that fails, nobody tries the same file again: its
 * pages may be marked clean now. A checkpoint writes them to the database instead, and empties the
 * log, whose older frames would hide them. */
struct err *db_sync(struct store *s)
{
	sqlite3_file *wal = NULL;

	if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK &&
	    wal && wal->pMethods && wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL) == SQLITE_OK)
		return NULL;
	if (sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) !=
	    SQLITE_OK)
		return db_err(s, "sync");
	return NULL;
}

static void undo(struct store *s)
{
	/* It may have been undone already; and when it cannot be, the next BEGIN says so. */
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

static struct err *finish(struct store *s, struct err *e)
{
	if (!e)
		e = still_whole(s);
	s->depth = 0;
	if (!e)
		e = db_exec(s, "COMMIT");
	if (e) {
		undo(s);
		return e;
	}
	return s->durable ? db_sync(s) : NULL;
}

struct err *store_end(struct store *s, struct err *e)
{
	if (e)
		s->failed = true;
	if (s->depth > 1) {
		s->depth--;
		return e;
	}
	e = finish(s, e);
	s->failed = s->durable = false;
	if (s->ended)
		s->ended(s->ended_arg, !e);
	return e;
}
