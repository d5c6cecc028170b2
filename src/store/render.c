/* Renders: an app at a revision, as rows that point to texts stored once, whoever has them. */
#include "store_priv.h"

/* ------------------------------------------------------------------ texts */

static struct err *put_blob(struct store *s, str bytes, int64_t *id)
{
	CLEANUP(query) struct query q = {0};
	struct hash h = hash_blake2b(NULL, STR("leeboard/blob/1"), bytes);
	bool row;

	if (bytes.n > STORE_MAX_VALUE)
		return err_new(ERR_LIMIT, "a stored object has %zu bytes (limit %u)", bytes.n,
			       STORE_MAX_VALUE);
	/* The text is written only when it is new: most of a revision is not. */
	TRY(query_open(s, "UPDATE blob SET refs = refs + 1 WHERE hash = ? RETURNING id", &q));
	query_blob(&q, h.b, sizeof(h.b));
	TRY(query_step(&q, &row));
	if (row) {
		*id = column_int(&q, 0);
		return query_run(&q);
	}
	TRY(query_open(s, "INSERT INTO blob(hash, refs) VALUES(?, 1)", &q));
	query_blob(&q, h.b, sizeof(h.b));
	TRY(query_run(&q));
	*id = sqlite3_last_insert_rowid(s->db);
	TRY(query_open(s, "INSERT INTO blob_text(id, bytes) VALUES(?, ?)", &q));
	query_int(&q, *id);
	query_blob(&q, bytes.p, bytes.n);
	return query_run(&q);
}

/* Origins as lines: path, file, line. Paths and files may hold anything but NUL. */
static void print_origins(const struct want *w, struct buf *b)
{
	for (size_t i = 0; i < w->origins_n; i++) {
		const struct want_origin *o = &w->origins[i];

		buf_add(b, o->path.p, o->path.n);
		buf_char(b, '\0');
		buf_add(b, o->file.p, o->file.n);
		buf_char(b, '\0');
		buf_printf(b, "%u", o->line);
		buf_char(b, '\0');
	}
}

static struct err *bad(str app, str revision)
{
	return err_new(ERR_STORAGE, "the stored render of '" STR_FMT "' at " STR_FMT " is damaged",
		       STR_ARG(app), STR_ARG(revision));
}

static bool read_origins(struct arena *a, str b, struct want *w)
{
	struct {
		struct want_origin *p;
		size_t n, cap;
	} list = {0};
	str path, file, line;

	while (b.n) {
		uint64_t n;

		if (!str_split(&b, '\0', &path) || !str_split(&b, '\0', &file) ||
		    !str_split(&b, '\0', &line) || !str_to_u64(line, &n) || n > UINT32_MAX)
			return false;
		*ARENA_PUSH(a, &list) =
			(struct want_origin){arena_str(a, path), arena_str(a, file), (uint32_t)n};
	}
	w->origins = list.p;
	w->origins_n = list.n;
	return true;
}

/* ------------------------------------------------------------------ writing */

static struct err *put_object(struct store *s, int64_t render, size_t ord, const struct want *w)
{
	CLEANUP(query) struct query q = {0};
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf origins = BUF_INIT;
	int64_t blob = 0, origin = 0;

	TRY(put_blob(s, w->json, &blob));
	print_origins(w, &origins);
	if (origins.n)
		TRY(put_blob(s, buf_view(&origins), &origin));
	TRY(query_open(s,
		       "INSERT INTO render_object(render, ord, identity, version, digest, blob, "
		       "origins, file, line, col) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		       &q));
	query_int(&q, render);
	query_int(&q, (int64_t)ord);
	query_text(&q, obj_id_text(a, w->id));
	query_text(&q, w->version);
	query_blob(&q, w->digest.b, sizeof(w->digest.b));
	query_int(&q, blob);
	query_int(&q, origin);
	query_text(&q, w->file);
	query_int(&q, w->line);
	query_int(&q, w->col);
	return query_run(&q);
}

static struct err *put(struct store *s, str app, str revision, const struct wants *w)
{
	CLEANUP(query) struct query q = {0};
	int64_t id;

	TRY(query_open(s, "DELETE FROM render WHERE app = ? AND revision = ?", &q));
	query_text(&q, app);
	query_text(&q, revision);
	TRY(query_run(&q));
	TRY(query_open(s, "INSERT INTO render(app, revision, at) VALUES(?, ?, ?)", &q));
	query_text(&q, app);
	query_text(&q, revision);
	query_int(&q, time_wall());
	TRY(query_run(&q));
	id = sqlite3_last_insert_rowid(s->db);
	for (size_t i = 0; i < w->n; i++)
		TRY(put_object(s, id, i, &w->p[i]));
	return NULL;
}

struct err *store_render_put(struct store *s, str app, str revision, const struct wants *w)
{
	TRY(store_begin(s));
	return store_end(s, put(s, app, revision, w));
}

/* ------------------------------------------------------------------ reading */

/* *ret 0: not there. */
static struct err *find(struct store *s, str app, str revision, int64_t *ret)
{
	CLEANUP(query) struct query q = {0};
	bool row;

	TRY(query_open(s, "SELECT id FROM render WHERE app = ? AND revision = ?", &q));
	query_text(&q, app);
	query_text(&q, revision);
	TRY(query_step(&q, &row));
	*ret = row ? column_int(&q, 0) : 0;
	return NULL;
}

struct err *store_render_has(struct store *s, str app, str revision, bool *ret)
{
	int64_t id;

	TRY(find(s, app, revision, &id));
	*ret = id != 0;
	return NULL;
}

#define SELECT                                                                                     \
	"SELECT o.identity, o.version, o.digest, b.bytes, g.bytes, o.file, o.line, o.col "         \
	"FROM render_object o LEFT JOIN blob_text b ON b.id = o.blob "                             \
	"LEFT JOIN blob_text g ON g.id = o.origins WHERE o.render = ? "

static bool object_row(const struct query *q, struct arena *a, struct want *ret)
{
	struct want w = {0};
	str identity = column_dup(q, a, 0), digest = column_text(q, 2);

	if (!obj_id_parse(identity, &w.id) || digest.n != sizeof(w.digest.b) ||
	    sqlite3_column_type(q->st, 3) == SQLITE_NULL)
		return false;
	memcpy(w.digest.b, digest.p, sizeof(w.digest.b));
	w.version = column_dup(q, a, 1);
	w.json = column_dup(q, a, 3);
	if (!read_origins(a, column_text(q, 4), &w))
		return false;
	w.file = column_dup(q, a, 5);
	w.line = (uint32_t)column_int(q, 6);
	w.col = (uint32_t)column_int(q, 7);
	*ret = w;
	return true;
}

struct err *store_render_get(struct store *s, str app, str revision, struct wants **ret)
{
	CLEANUP(query) struct query q = {0};
	CLEANUP(wants) struct wants *w = NULL;
	int64_t id;
	bool row;

	TRY(find(s, app, revision, &id));
	if (!id) {
		*ret = NULL;
		return NULL;
	}
	w = wants_new();
	TRY(query_open(s, SELECT "ORDER BY o.ord", &q));
	query_int(&q, id);
	for (;;) {
		struct want x;

		TRY(query_step(&q, &row));
		if (!row)
			break;
		if (!object_row(&q, w->arena, &x))
			return bad(app, revision);
		TRY(wants_add(w, x));
	}
	*ret = STEAL(w);
	return NULL;
}

struct err *store_render_one(struct store *s, struct arena *a, str app, str revision, obj_id id,
			     struct want *ret)
{
	CLEANUP(query) struct query q = {0};
	struct want w = {0};
	int64_t render;
	bool row = false;

	TRY(find(s, app, revision, &render));
	if (render) {
		str identity = obj_id_text(a, id);

		TRY(query_open(s, SELECT "AND o.identity = ?", &q));
		query_int(&q, render);
		query_text(&q, identity);
		TRY(query_step(&q, &row));
		if (row && !object_row(&q, a, &w))
			return bad(app, revision);
	}
	*ret = w;
	return NULL;
}
