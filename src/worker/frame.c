/* One frame: written, read, checked. Every length comes from the other side, so each is compared
 * with what is there before it is used. */
#include "leeboard/worker.h"

#include <endian.h>

static const struct {
	const char *name;
	bool from_worker;
} rows[FRAME_TYPES] = {
#define X(id, number, text, body) [number] = {text, false},
	FRAMES_TO_WORKER(X)
#undef X
#define X(id, number, text, body) [number] = {text, true},
		FRAMES_FROM_WORKER(X)
#undef X
};

const char *frame_name(uint32_t type)
{
	return type < FRAME_TYPES ? rows[type].name : NULL;
}

bool frame_is_from_worker(uint32_t type)
{
	return type < FRAME_TYPES && rows[type].from_worker;
}

void frame_begin(struct frame_writer *w, enum frame_type t, uint64_t nonce)
{
	buf_clear(&w->b);
	frame_u32(w, t);
	frame_u32(w, 0); /* the length, by frame_bytes */
	frame_u64(w, nonce);
}

void frame_u32(struct frame_writer *w, uint32_t v)
{
	v = htole32(v);
	buf_add(&w->b, &v, sizeof v);
}

void frame_u64(struct frame_writer *w, uint64_t v)
{
	v = htole64(v);
	buf_add(&w->b, &v, sizeof v);
}

void frame_text(struct frame_writer *w, str s)
{
	/* A text over the limit is cut to one byte above it, so that frame_bytes refuses the frame
	 * and no length wraps. */
	if (s.n > FRAME_MAX_BODY)
		s.n = FRAME_MAX_BODY + 1;
	frame_u32(w, (uint32_t)s.n);
	buf_add(&w->b, s.p, s.n);
}

size_t frame_room(const struct frame_writer *w)
{
	size_t used = w->b.n + sizeof(uint32_t);

	return used < FRAME_HEADER + FRAME_MAX_BODY ? FRAME_HEADER + FRAME_MAX_BODY - used : 0;
}

struct err *frame_bytes(struct frame_writer *w, str *ret)
{
	uint32_t n;

	if (w->b.n > FRAME_HEADER + FRAME_MAX_BODY)
		return err_new(ERR_LIMIT, "a frame of more than %u bytes", FRAME_MAX_BODY);
	n = htole32((uint32_t)(w->b.n - FRAME_HEADER));
	memcpy(w->b.p + sizeof n, &n, sizeof n);
	*ret = buf_view(&w->b);
	return NULL;
}

void frame_writer_done(struct frame_writer *w)
{
	buf_done(&w->b);
}

static uint32_t le32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return le32toh(v);
}

static uint64_t le64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return le64toh(v);
}

struct err *frame_read(str d, struct frame *ret)
{
	uint32_t type, n;

	if (d.n < FRAME_HEADER)
		return err_new(ERR_INVALID, "a frame of %zu bytes, its header has %u", d.n,
			       FRAME_HEADER);
	type = le32(d.p);
	n = le32(d.p + 4);
	if (!frame_name(type))
		return err_new(ERR_INVALID, "unknown frame type %u", type);
	if (n > FRAME_MAX_BODY || n != d.n - FRAME_HEADER)
		return err_new(ERR_INVALID, "frame %s says %u bytes, %zu came", frame_name(type), n,
			       d.n - FRAME_HEADER);
	*ret = (struct frame){type, le64(d.p + 8), str_n(d.p + FRAME_HEADER, n)};
	return NULL;
}

static struct err *need(const struct frame *f, size_t n)
{
	if (f->rest.n < n)
		return err_new(ERR_INVALID, "frame %s ends early", frame_name(f->type));
	return NULL;
}

static void eat(struct frame *f, size_t n)
{
	f->rest.p += n;
	f->rest.n -= n;
}

struct err *frame_get_u32(struct frame *f, uint32_t *ret)
{
	TRY(need(f, 4));
	*ret = le32(f->rest.p);
	eat(f, 4);
	return NULL;
}

struct err *frame_get_u64(struct frame *f, uint64_t *ret)
{
	TRY(need(f, 8));
	*ret = le64(f->rest.p);
	eat(f, 8);
	return NULL;
}

struct err *frame_get_bytes(struct frame *f, str *ret)
{
	uint32_t n;

	TRY(frame_get_u32(f, &n));
	TRY(need(f, n));
	*ret = str_n(f->rest.p, n);
	eat(f, n);
	return NULL;
}

struct err *frame_get_text(struct frame *f, str *ret)
{
	str s;

	TRY(frame_get_bytes(f, &s));
	if (str_utf8_bad(s) != SIZE_MAX)
		return err_new(ERR_INVALID, "frame %s has a text that is no UTF-8",
			       frame_name(f->type));
	*ret = s;
	return NULL;
}

struct err *frame_get_end(struct frame *f)
{
	if (f->rest.n)
		return err_new(ERR_INVALID, "frame %s has %zu bytes too many", frame_name(f->type),
			       f->rest.n);
	return NULL;
}
