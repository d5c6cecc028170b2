/* Forgetting, a little at a time: a few rows of each kind a call, then some free pages go back. */
#include "store_priv.h"

#define STEP_ROWS 100
#define STEP_RENDERS 4 /* each may have thousands of objects */
#define LONE (24 * HOUR)

/* Binds `before` as often as the statement asks, then `limit`. */
static struct err *sweep(struct store *s, const char *sql, msec before, int limit, bool *more)
{
	CLEANUP(query) struct query q = {0};

	TRY(query_open(s, sql, &q));
	query_int(&q, before);
	query_int(&q, limit);
	TRY(query_run(&q));
	if (sqlite3_changes64(s->db) >= limit)
		*more = true;
	return NULL;
}

/* The last syncs of an app have the highest numbers. */
#define OLD_SYNCS                                                                                  \
	"DELETE FROM sync WHERE id IN (SELECT s.id FROM sync s WHERE s.started < ?1 "              \
	"AND s.outcome <> 0 AND s.number <= (SELECT max(n.number) - 50 FROM sync n "               \
	"WHERE n.app = s.app) LIMIT ?2)"
_Static_assert(STORE_KEEP_SYNCS == 50, "OLD_SYNCS says 50");

/* Of no sync that stays, and not the app's newest, which a sync may be about to use. */
#define LONE_RENDERS                                                                               \
	"DELETE FROM render WHERE id IN (SELECT r.id FROM render r WHERE r.at < ?1 "               \
	"AND NOT EXISTS(SELECT 1 FROM sync s WHERE s.app = r.app AND s.revision = r.revision) "    \
	"AND NOT EXISTS(SELECT 1 FROM sync s WHERE s.app = r.app "                                 \
	"AND s.from_revision = r.revision) "                                                       \
	"AND NOT EXISTS(SELECT 1 FROM baseline b WHERE b.app = r.app "                             \
	"AND b.revision = r.revision) "                                                            \
	"AND r.id < (SELECT max(n.id) FROM render n WHERE n.app = r.app) LIMIT ?2)"

#define OLD_EVENTS                                                                                 \
	"DELETE FROM event WHERE number IN (SELECT e.number FROM event e WHERE e.time < ?1 "       \
	"AND NOT EXISTS(SELECT 1 FROM delivery d WHERE d.event = e.number AND d.state = 0) "       \
	"AND NOT EXISTS(SELECT 1 FROM incident i WHERE i.number = e.number) LIMIT ?2)"

#define OLD_COMMITS                                                                                \
	"DELETE FROM accepted WHERE (source, oid) IN (SELECT c.source, c.oid FROM accepted c "     \
	"WHERE c.first_seen < ?1 AND c.accepted < ?1 AND NOT EXISTS(SELECT 1 FROM sync s "         \
	"WHERE s.source = c.source AND s.revision = c.oid) LIMIT ?2)"

static struct err *prune(struct store *s, msec now, msec keep, bool *more)
{
	TRY(sweep(s, OLD_SYNCS, now - keep, STEP_ROWS, more));
	TRY(sweep(s, LONE_RENDERS, now - (keep < LONE ? keep : LONE), STEP_RENDERS, more));
	TRY(sweep(s, OLD_EVENTS, now - keep, STEP_ROWS, more));
	return sweep(s, OLD_COMMITS, now - keep, STEP_ROWS, more);
}

struct err *store_prune(struct store *s, msec now, msec keep, bool *more)
{
	bool again = false;

	TRY(store_begin(s));
	TRY(store_end(s, prune(s, now, keep, &again)));
	TRY(db_exec(s, "PRAGMA incremental_vacuum(64)"));
	*more = again;
	return NULL;
}
