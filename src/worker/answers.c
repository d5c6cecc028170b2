/* Typed frames: what each says, written by a worker and read by the controller. */
#include "leeboard/worker.h"

static bool is_hex_id(str s)
{
	if (s.n != 40 && s.n != 64)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	}
	return true;
}

static struct err *get_id(struct frame *f, bool may_be_empty, str *ret)
{
	TRY(frame_get_text(f, ret));
	if (!(may_be_empty && !ret->n) && !is_hex_id(*ret))
		return err_new(ERR_INVALID, "frame %s has no object id where one belongs",
			       frame_name(f->type));
	return NULL;
}

static struct err *need_type(const struct frame *f, enum frame_type t)
{
	if (f->type != t)
		return err_new(ERR_INVALID, "frame %s where %s was expected", frame_name(f->type),
			       frame_name(t));
	return NULL;
}

/* ------------------------------------------------------------------ writing */

struct err *worker_send_progress(struct worker_out *o, str text)
{
	frame_begin(&o->w, FRAME_PROGRESS, o->nonce);
	frame_text(&o->w, text);
	return worker_send(o);
}

struct err *worker_send_ref(struct worker_out *o, const struct worker_ref *r)
{
	frame_begin(&o->w, FRAME_REF, o->nonce);
	frame_text(&o->w, r->name);
	frame_text(&o->w, r->oid);
	frame_text(&o->w, r->peeled);
	frame_text(&o->w, r->symref);
	return worker_send(o);
}

struct err *worker_send_pack(struct worker_out *o, const struct worker_pack *p)
{
	frame_begin(&o->w, FRAME_PACK, o->nonce);
	frame_u64(&o->w, p->bytes);
	frame_u64(&o->w, p->objects);
	return worker_send(o);
}

struct err *worker_send_verdict(struct worker_out *o, const struct worker_verdict *v)
{
	frame_begin(&o->w, FRAME_VERDICT, o->nonce);
	frame_text(&o->w, v->oid);
	frame_text(&o->w, v->verdict);
	frame_text(&o->w, v->key);
	frame_text(&o->w, v->principal);
	frame_text(&o->w, v->detail);
	return worker_send(o);
}

struct err *worker_send_commit(struct worker_out *o, const struct worker_commit *c)
{
	frame_begin(&o->w, FRAME_COMMIT, o->nonce);
	frame_text(&o->w, c->oid);
	frame_text(&o->w, c->tree);
	frame_text(&o->w, c->parents);
	frame_text(&o->w, c->author);
	frame_text(&o->w, c->author_email);
	frame_u64(&o->w, (uint64_t)c->author_time);
	frame_text(&o->w, c->committer);
	frame_text(&o->w, c->committer_email);
	frame_u64(&o->w, (uint64_t)c->committer_time);
	frame_text(&o->w, c->subject);
	return worker_send(o);
}

static const char *const outcomes[] = {"accept", "noop", "hold"};

struct err *worker_send_outcome(struct worker_out *o, const struct worker_outcome *v)
{
	frame_begin(&o->w, FRAME_OUTCOME, o->nonce);
	frame_text(&o->w, str_from(outcomes[v->outcome]));
	frame_text(&o->w, v->reason);
	frame_text(&o->w, v->move);
	frame_text(&o->w, v->bad);
	frame_u32(&o->w, v->bad_n);
	frame_u32(&o->w, v->commits);
	return worker_send(o);
}

struct err *worker_send_range(struct worker_out *o, str ids)
{
	const size_t most = FRAME_MAX_BODY - sizeof(uint32_t);

	do {
		str chunk = str_sub(ids, 0, most);

		frame_begin(&o->w, FRAME_RANGE, o->nonce);
		frame_text(&o->w, chunk);
		TRY(worker_send(o));
		ids = str_sub(ids, chunk.n, SIZE_MAX);
	} while (ids.n);
	return NULL;
}

struct err *worker_send_sandbox(struct worker_out *o, const struct sandbox_state *s)
{
	uint32_t layers = 0;

	layers |= s->no_new_privs ? WORKER_NO_NEW_PRIVS : 0;
	layers |= s->rlimits ? WORKER_RLIMITS : 0;
	layers |= s->netns ? WORKER_NETNS : 0;
	layers |= s->landlock ? WORKER_LANDLOCK : 0;
	layers |= s->seccomp ? WORKER_SECCOMP : 0;
	frame_begin(&o->w, FRAME_SANDBOX, o->nonce);
	frame_u32(&o->w, layers);
	frame_u32(&o->w, (uint32_t)s->landlock_abi);
	return worker_send(o);
}

struct err *worker_send_affected(struct worker_out *o, str app)
{
	frame_begin(&o->w, FRAME_AFFECTED, o->nonce);
	frame_text(&o->w, app);
	return worker_send(o);
}

struct err *worker_send_seen(struct worker_out *o, const struct job_seen *s)
{
	frame_begin(&o->w, FRAME_READSET, o->nonce);
	frame_text(&o->w, s->path);
	frame_text(&o->w, s->oid);
	return worker_send(o);
}

struct err *worker_send_origins(struct worker_out *o, str identity, const struct worker_origin *v,
				size_t n)
{
	const size_t lengths = 3 * sizeof(uint32_t);

	for (size_t i = 0; i < n;) {
		size_t first = i;

		frame_begin(&o->w, FRAME_ORIGIN, o->nonce);
		frame_text(&o->w, identity);
		do {
			frame_text(&o->w, v[i].path);
			frame_text(&o->w, v[i].file);
			frame_u32(&o->w, v[i].line);
			i++;
		} while (i < n && i - first < 1000 &&
			 v[i].path.n + v[i].file.n + lengths <= frame_room(&o->w));
		TRY(worker_send(o));
	}
	return NULL;
}

struct err *worker_send_warning(struct worker_out *o, const struct worker_warning *w)
{
	frame_begin(&o->w, FRAME_WARN, o->nonce);
	frame_text(&o->w, w->message);
	frame_text(&o->w, w->file);
	frame_u32(&o->w, w->line);
	frame_u32(&o->w, w->col);
	return worker_send(o);
}

/* ------------------------------------------------------------------ reading */

struct err *frame_get_progress(struct frame *f, str *ret)
{
	TRY(need_type(f, FRAME_PROGRESS));
	TRY(frame_get_text(f, ret));
	return frame_get_end(f);
}

struct err *frame_get_ref(struct frame *f, struct worker_ref *ret)
{
	struct worker_ref r;

	TRY(need_type(f, FRAME_REF));
	TRY(frame_get_text(f, &r.name));
	TRY(get_id(f, false, &r.oid));
	TRY(get_id(f, true, &r.peeled));
	TRY(frame_get_text(f, &r.symref));
	TRY(frame_get_end(f));
	*ret = r;
	return NULL;
}

struct err *frame_get_pack(struct frame *f, struct worker_pack *ret)
{
	struct worker_pack p;

	TRY(need_type(f, FRAME_PACK));
	TRY(frame_get_u64(f, &p.bytes));
	TRY(frame_get_u64(f, &p.objects));
	TRY(frame_get_end(f));
	*ret = p;
	return NULL;
}

struct err *frame_get_verdict(struct frame *f, struct worker_verdict *ret)
{
	struct worker_verdict v;

	TRY(need_type(f, FRAME_VERDICT));
	TRY(get_id(f, false, &v.oid));
	TRY(frame_get_text(f, &v.verdict));
	TRY(frame_get_text(f, &v.key));
	TRY(frame_get_text(f, &v.principal));
	TRY(frame_get_text(f, &v.detail));
	TRY(frame_get_end(f));
	*ret = v;
	return NULL;
}

static struct err *get_time(struct frame *f, int64_t *ret)
{
	uint64_t v;

	TRY(frame_get_u64(f, &v));
	if (v > INT64_MAX / 1000)
		return err_new(ERR_INVALID, "frame %s has a time out of range",
			       frame_name(f->type));
	*ret = (int64_t)v;
	return NULL;
}

struct err *frame_get_commit(struct frame *f, struct worker_commit *ret)
{
	struct worker_commit c;
	str rest, parent;

	TRY(need_type(f, FRAME_COMMIT));
	TRY(get_id(f, false, &c.oid));
	TRY(get_id(f, false, &c.tree));
	TRY(frame_get_text(f, &c.parents));
	rest = c.parents;
	while (rest.n && str_split(&rest, ' ', &parent)) {
		if (!is_hex_id(parent))
			return err_new(ERR_INVALID, "frame COMMIT has a parent that is no id");
	}
	TRY(frame_get_text(f, &c.author));
	TRY(frame_get_text(f, &c.author_email));
	TRY(get_time(f, &c.author_time));
	TRY(frame_get_text(f, &c.committer));
	TRY(frame_get_text(f, &c.committer_email));
	TRY(get_time(f, &c.committer_time));
	TRY(frame_get_text(f, &c.subject));
	TRY(frame_get_end(f));
	*ret = c;
	return NULL;
}

struct err *frame_get_outcome(struct frame *f, struct worker_outcome *ret)
{
	struct worker_outcome v = {0};
	size_t i = 0;
	str word;

	TRY(need_type(f, FRAME_OUTCOME));
	TRY(frame_get_text(f, &word));
	while (i < ARRAY_LEN(outcomes) && !str_eq(word, str_from(outcomes[i])))
		i++;
	if (i == ARRAY_LEN(outcomes))
		return err_new(ERR_INVALID, "frame OUTCOME has an unknown word");
	v.outcome = (__typeof__(v.outcome))i;
	TRY(frame_get_text(f, &v.reason));
	if ((v.outcome == WORKER_HOLD) != (v.reason.n > 0))
		return err_new(ERR_INVALID, "frame OUTCOME has a hold without a reason, or a "
					    "reason without a hold");
	TRY(frame_get_text(f, &v.move));
	TRY(get_id(f, true, &v.bad));
	TRY(frame_get_u32(f, &v.bad_n));
	TRY(frame_get_u32(f, &v.commits));
	TRY(frame_get_end(f));
	*ret = v;
	return NULL;
}

struct err *frame_get_range(struct frame *f, struct buf *ret)
{
	str chunk;

	TRY(need_type(f, FRAME_RANGE));
	TRY(frame_get_bytes(f, &chunk));
	TRY(frame_get_end(f));
	if (ret->n + chunk.n > JOB_MAX_BLOB)
		return err_new(ERR_LIMIT, "a list of commits of more than %u bytes", JOB_MAX_BLOB);
	buf_str(ret, chunk);
	return NULL;
}

struct err *frame_get_sandbox(struct frame *f, struct worker_sandbox *ret)
{
	struct worker_sandbox s;

	TRY(need_type(f, FRAME_SANDBOX));
	TRY(frame_get_u32(f, &s.layers));
	TRY(frame_get_u32(f, &s.landlock_abi));
	TRY(frame_get_end(f));
	*ret = s;
	return NULL;
}

struct err *frame_get_affected(struct frame *f, str *ret)
{
	TRY(need_type(f, FRAME_AFFECTED));
	TRY(frame_get_text(f, ret));
	return frame_get_end(f);
}

struct err *frame_get_seen(struct frame *f, struct job_seen *ret)
{
	struct job_seen s;

	TRY(need_type(f, FRAME_READSET));
	TRY(frame_get_bytes(f, &s.path));
	TRY(get_id(f, true, &s.oid));
	TRY(frame_get_end(f));
	*ret = s;
	return NULL;
}

struct err *frame_get_origin(struct frame *f, struct worker_origin *ret)
{
	TRY(need_type(f, FRAME_ORIGIN));
	if (!ret->identity.p)
		TRY(frame_get_text(f, &ret->identity));
	TRY(frame_get_text(f, &ret->path));
	TRY(frame_get_text(f, &ret->file));
	return frame_get_u32(f, &ret->line);
}

struct err *frame_get_warning(struct frame *f, struct worker_warning *ret)
{
	struct worker_warning w;

	TRY(need_type(f, FRAME_WARN));
	TRY(frame_get_text(f, &w.message));
	TRY(frame_get_text(f, &w.file));
	TRY(frame_get_u32(f, &w.line));
	TRY(frame_get_u32(f, &w.col));
	TRY(frame_get_end(f));
	*ret = w;
	return NULL;
}

/* ------------------------------------------------------------------ objects in chunks */

static void keep(struct buf *b, str s)
{
	buf_clear(b);
	buf_str(b, s);
}

struct err *worker_objects_add(struct worker_objects *g, struct frame *f, bool *whole,
			       struct worker_object *ret)
{
	str identity, file, chunk;
	uint32_t line, col, last;

	TRY(need_type(f, FRAME_OBJECT));
	TRY(frame_get_text(f, &identity));
	TRY(frame_get_text(f, &file));
	TRY(frame_get_u32(f, &line));
	TRY(frame_get_u32(f, &col));
	TRY(frame_get_bytes(f, &chunk));
	TRY(frame_get_u32(f, &last));
	TRY(frame_get_end(f));
	if (last > 1 || (!last && !chunk.n))
		return err_new(ERR_INVALID, "frame OBJECT is no chunk");
	if (!g->open) {
		keep(&g->identity, identity);
		keep(&g->file, file);
		buf_clear(&g->json);
		g->line = line;
		g->col = col;
		g->open = true;
	} else if (!str_eq(buf_view(&g->identity), identity)) {
		return err_new(ERR_INVALID, "frame OBJECT begins before the one before has ended");
	}
	if (g->json.n + chunk.n > NODE_MAX_BYTES)
		return err_new(ERR_LIMIT, "an object of more than %u bytes", NODE_MAX_BYTES);
	buf_str(&g->json, chunk);
	*whole = last;
	if (!last)
		return NULL;
	g->open = false;
	*ret = (struct worker_object){buf_view(&g->identity), buf_view(&g->file),
				      buf_view(&g->json), g->line, g->col};
	return NULL;
}

struct err *worker_objects_end(const struct worker_objects *g)
{
	if (g->open)
		return err_new(ERR_INVALID, "the last object has no end");
	return NULL;
}

void worker_objects_done(struct worker_objects *g)
{
	buf_done(&g->identity);
	buf_done(&g->file);
	buf_done(&g->json);
}
