/* A job and its answers, from both ends of the socket. */
#include "worker_priv.h"

#include <errno.h>
#include <sys/socket.h>

/* ------------------------------------------------------------------ datagrams, blocking */

static struct err *send_datagram(int fd, str d)
{
	ssize_t n;

	do
		n = send(fd, d.p, d.n, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(ERR_IO, errno, "send a frame");
	return NULL;
}

/* One byte more than fits, so that a longer datagram shows. */
static struct err *receive(int fd, char *room, size_t n, str *ret)
{
	ssize_t got;

	do
		got = recv(fd, room, n, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(ERR_IO, errno, "receive a frame");
	if (got == 0)
		return err_new(ERR_IO, "the other side closed before the job was complete");
	*ret = str_n(room, (size_t)got);
	return NULL;
}

/* ------------------------------------------------------------------ the worker's side */

struct piece {
	str name;
	struct buf bytes;
};

static struct err *take_blob(struct arena *a, struct frame *f, struct piece *pieces, size_t *n)
{
	str name, chunk;
	size_t i;

	TRY(frame_get_text(f, &name));
	TRY(frame_get_bytes(f, &chunk));
	TRY(frame_get_end(f));
	/* Chunks of one input come one after another, so only the last can go on. */
	i = *n;
	if (!i || !str_eq(pieces[i - 1].name, name)) {
		if (i == JOB_MAX_BLOBS)
			return err_new(ERR_LIMIT, "a job with more than %u inputs", JOB_MAX_BLOBS);
		pieces[i].name = arena_str(a, name);
		pieces[i].bytes = BUF_INIT;
		i = ++*n;
	}
	if (pieces[i - 1].bytes.n + chunk.n > JOB_MAX_BLOB)
		return err_new(ERR_LIMIT, "input '" STR_FMT "' has more than %u bytes",
			       STR_ARG(name), JOB_MAX_BLOB);
	buf_str(&pieces[i - 1].bytes, chunk);
	return NULL;
}

static struct err *read_frames(struct arena *a, int fd, struct piece *pieces, size_t *pieces_n,
			       struct worker_job *job)
{
	size_t cap = FRAME_HEADER + FRAME_MAX_BODY + 1;
	char *room = arena_alloc(a, cap);
	bool begun = false;

	for (;;) {
		struct frame f;
		str d, json;

		TRY(receive(fd, room, cap, &d));
		TRY(frame_read(d, &f));
		if (frame_is_from_worker(f.type))
			return err_new(ERR_INVALID, "frame %s goes the other way",
				       frame_name(f.type));
		if ((f.type == FRAME_JOB) == begun)
			return err_new(ERR_INVALID, "frame %s out of order", frame_name(f.type));
		if (f.type == FRAME_JOB) {
			TRY(frame_get_text(&f, &json));
			TRY(frame_get_end(&f));
			job->json = arena_str(a, json);
			job->nonce = f.nonce;
			begun = true;
			continue;
		}
		if (f.nonce != job->nonce)
			return err_new(ERR_INVALID, "frame %s of another job", frame_name(f.type));
		if (f.type == FRAME_END)
			return frame_get_end(&f);
		TRY(take_blob(a, &f, pieces, pieces_n));
	}
}

struct err *worker_job_read(struct arena *a, int fd, struct worker_job *ret)
{
	struct piece *pieces = ARENA_ARRAY(a, struct piece, JOB_MAX_BLOBS);
	struct worker_job job = {0};
	size_t n = 0;
	struct err *e = read_frames(a, fd, pieces, &n, &job);

	job.blobs = ARENA_ARRAY(a, struct worker_blob, n);
	for (size_t i = 0; i < n; i++) {
		if (!e)
			job.blobs[job.blobs_n++] = (struct worker_blob){
				pieces[i].name, arena_str(a, buf_view(&pieces[i].bytes))};
		buf_done(&pieces[i].bytes);
	}
	if (e)
		return err_wrap(e, "read the job");
	*ret = job;
	return NULL;
}

str worker_job_blob(const struct worker_job *j, str name)
{
	for (size_t i = 0; i < j->blobs_n; i++) {
		if (str_eq(j->blobs[i].name, name))
			return j->blobs[i].bytes;
	}
	return STR_NONE;
}

void worker_out_init(struct worker_out *o, int fd, uint64_t nonce)
{
	*o = (struct worker_out){.fd = fd, .nonce = nonce};
}

void worker_out_done(struct worker_out *o)
{
	frame_writer_done(&o->w);
}

struct err *worker_send(struct worker_out *o)
{
	struct frame f;
	str d;

	TRY(frame_bytes(&o->w, &d));
	TRY(frame_read(d, &f));
	TRY(send_datagram(o->fd, d));
	o->counts[f.type]++;
	return NULL;
}

struct err *worker_send_object(struct worker_out *o, str identity, str file, uint32_t line,
			       uint32_t col, str json)
{
	for (;;) {
		size_t room;
		str chunk;

		frame_begin(&o->w, FRAME_OBJECT, o->nonce);
		frame_text(&o->w, identity);
		frame_text(&o->w, file);
		frame_u32(&o->w, line);
		frame_u32(&o->w, col);
		room = frame_room(&o->w);
		if (room <= sizeof(uint32_t))
			return err_new(ERR_LIMIT,
				       "identity and file name of an object fill a frame");
		chunk = str_sub(json, 0, room - sizeof(uint32_t));
		json = str_sub(json, chunk.n, SIZE_MAX);
		frame_text(&o->w, chunk);
		frame_u32(&o->w, json.n == 0);
		TRY(worker_send(o));
		if (!json.n)
			return NULL;
	}
}

/* Bytes of any one text of an ERROR frame; a longer one is cut between characters. */
#define ERROR_TEXT 4096u

static str cut(str s)
{
	if (s.n <= ERROR_TEXT)
		return s;
	s.n = ERROR_TEXT;
	while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
		s.n--;
	return s;
}

struct err *worker_send_error(struct worker_out *o, struct err *e)
{
	for (const struct err *i = e; i; i = err_next(i)) {
		struct err *failed;

		frame_begin(&o->w, FRAME_ERROR, o->nonce);
		frame_text(&o->w, str_from(err_code_name(err_code(i))));
		frame_text(&o->w, cut(err_message(i)));
		frame_text(&o->w, cut(err_file(i)));
		frame_u32(&o->w, err_line(i));
		frame_u32(&o->w, err_col(i));
		frame_text(&o->w, cut(err_context(i)));
		frame_text(&o->w, cut(err_hint_get(i)));
		failed = worker_send(o);
		if (failed) {
			err_free(e);
			return failed;
		}
	}
	err_free(e);
	return NULL;
}

struct err *worker_send_done(struct worker_out *o)
{
	uint32_t n = 0;

	for (uint32_t t = 0; t < FRAME_TYPES; t++)
		n += o->counts[t] != 0;
	frame_begin(&o->w, FRAME_DONE, o->nonce);
	frame_u32(&o->w, n);
	for (uint32_t t = 0; t < FRAME_TYPES; t++) {
		if (!o->counts[t])
			continue;
		frame_u32(&o->w, t);
		frame_u32(&o->w, o->counts[t]);
	}
	return worker_send(o);
}

/* ------------------------------------------------------------------ the controller's side */

void worker_check_init(struct worker_check *c, uint64_t nonce)
{
	*c = (struct worker_check){.nonce = nonce};
}

static struct err *check_done(struct worker_check *c, struct frame f)
{
	uint32_t n, said[FRAME_TYPES] = {0};

	TRY(frame_get_u32(&f, &n));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t type, count;

		TRY(frame_get_u32(&f, &type));
		TRY(frame_get_u32(&f, &count));
		if (!frame_is_from_worker(type) || said[type] || !count)
			return err_new(ERR_INVALID, "frame DONE counts type %u", type);
		said[type] = count;
	}
	TRY(frame_get_end(&f));
	for (uint32_t t = 0; t < FRAME_TYPES; t++) {
		if (said[t] != c->counts[t])
			return err_new(ERR_INVALID, "%u frames %s came, the worker counts %u",
				       c->counts[t], frame_name(t), said[t]);
	}
	c->done = true;
	return NULL;
}

struct err *worker_check_frame(struct worker_check *c, str datagram, struct frame *ret)
{
	struct frame f;

	TRY(frame_read(datagram, &f));
	if (!frame_is_from_worker(f.type))
		return err_new(ERR_INVALID, "frame %s goes the other way", frame_name(f.type));
	if (f.nonce != c->nonce)
		return err_new(ERR_INVALID, "frame %s of another job", frame_name(f.type));
	if (c->done)
		return err_new(ERR_INVALID, "frame %s after DONE", frame_name(f.type));
	if (f.type == FRAME_DONE)
		TRY(check_done(c, f));
	else if (c->counts[f.type]++ == UINT32_MAX)
		return err_new(ERR_LIMIT, "too many frames %s", frame_name(f.type));
	*ret = f;
	return NULL;
}

struct err *worker_check_end(const struct worker_check *c)
{
	if (!c->done)
		return err_new(ERR_INTERNAL, "the worker ended before it was done");
	return NULL;
}

struct err *job_next(struct job_cursor *c, struct frame_writer *w, str *ret)
{
	const struct worker_job *j = c->job;
	const struct worker_blob *blob;
	str chunk;

	switch (c->stage) {
	case JOB_BEGIN:
		frame_begin(w, FRAME_JOB, j->nonce);
		frame_text(w, j->json);
		c->stage = j->blobs_n ? JOB_BLOBS : JOB_CLOSE;
		return frame_bytes(w, ret);
	case JOB_BLOBS:
		blob = &j->blobs[c->blob];
		frame_begin(w, FRAME_BLOB, j->nonce);
		frame_text(w, blob->name);
		chunk = str_sub(blob->bytes, c->offset, frame_room(w));
		if (c->offset < blob->bytes.n && !chunk.n)
			return err_new(ERR_LIMIT, "the name of an input fills a frame");
		frame_text(w, chunk);
		c->offset += chunk.n;
		if (c->offset == blob->bytes.n) {
			c->offset = 0;
			if (++c->blob == j->blobs_n)
				c->stage = JOB_CLOSE;
		}
		return frame_bytes(w, ret);
	case JOB_CLOSE:
		frame_begin(w, FRAME_END, j->nonce);
		c->stage = JOB_SENT;
		return frame_bytes(w, ret);
	case JOB_SENT:
		break;
	}
	*ret = STR_NONE;
	return NULL;
}

struct err *worker_send_job(int fd, const struct worker_job *j)
{
	CLEANUP(frame_writer) struct frame_writer w = {BUF_INIT};
	struct job_cursor c = {.job = j};

	for (;;) {
		str d;

		TRY(job_next(&c, &w, &d));
		if (!d.n)
			return NULL;
		TRY(send_datagram(fd, d));
	}
}

struct err *worker_read_error(struct frame *f, struct err **ret)
{
	str code, message, file, cause, hint;
	uint32_t line, col;
	enum err_code c;

	TRY(frame_get_text(f, &code));
	TRY(frame_get_text(f, &message));
	TRY(frame_get_text(f, &file));
	TRY(frame_get_u32(f, &line));
	TRY(frame_get_u32(f, &col));
	TRY(frame_get_text(f, &cause));
	TRY(frame_get_text(f, &hint));
	TRY(frame_get_end(f));
	if (!err_code_from_name(code, &c))
		return err_new(ERR_INVALID, "frame ERROR has the unknown code '" STR_FMT "'",
			       STR_ARG(code));
	*ret = file.n ? err_at_named(c, file, line, col, STR_FMT, STR_ARG(message))
		      : err_new(c, STR_FMT, STR_ARG(message));
	if (cause.n)
		*ret = err_wrap(*ret, STR_FMT, STR_ARG(cause));
	if (hint.n)
		*ret = err_hint(*ret, STR_FMT, STR_ARG(hint));
	return NULL;
}
