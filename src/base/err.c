/* err: an error on its way up, and how people see it. */
#include "leeboard/base.h"
#include <stdlib.h>

/* Of a longer source line (minified JSON) only the piece around the place is kept. */
#define ERR_SOURCE_MAX 160

struct err {
	enum err_code code;
	uint32_t line, col;
	uint32_t caret; /* code points before the place in `source` */
	char *message, *file, *source, *context, *hint;
	struct err *next;
	struct err *tail; /* of a head: the last of its list, itself when alone */
	size_t count;     /* of a head: how long its list is */
};

static const struct {
	const char *wire;
	int status;
} codes[] = {
#define X(name, wire, status) [name] = {wire, status},
	ERR_CODES(X)
#undef X
};

const char *err_code_name(enum err_code c)
{
	return codes[c].wire;
}

bool err_code_from_name(str name, enum err_code *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (str_eq(name, str_from(codes[i].wire))) {
			*ret = (enum err_code)i;
			return true;
		}
	}
	return false;
}

static PRINTF_LIKE(1, 0) char *format(const char *fmt, va_list ap)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_vprintf(&b, fmt, ap);
	return buf_take(&b);
}

static PRINTF_LIKE(2, 0) struct err *err_make(enum err_code c, const char *fmt, va_list ap)
{
	struct err *e = xcalloc(1, sizeof(*e));

	e->code = c;
	e->message = format(fmt, ap);
	e->tail = e;
	e->count = 1;
	return e;
}

struct err *err_new(enum err_code c, const char *fmt, ...)
{
	struct err *e;
	va_list ap;

	va_start(ap, fmt);
	e = err_make(c, fmt, ap);
	va_end(ap);
	return e;
}

/* The bytes of s that its first n code points take. */
static size_t bytes_of(str s, size_t n)
{
	size_t i = 0;

	while (i < s.n && n--)
		do
			i++;
		while (i < s.n && ((unsigned char)s.p[i] & 0xc0) == 0x80);
	return i;
}

static void keep_source(struct err *e, str text)
{
	size_t from, to;
	str line = STR_NONE; /* a text may not be kept */

	for (uint32_t at = 1; str_split(&text, '\n', &line); at++)
		if (at == e->line)
			break;
		else
			line = STR_NONE;
	if (str_ends(line, STR("\r")))
		line.n--;
	if (!line.n)
		return;
	e->caret = e->col ? e->col - 1 : 0;
	from = e->caret > ERR_SOURCE_MAX / 2 ? e->caret - ERR_SOURCE_MAX / 2 : 0;
	to = from + ERR_SOURCE_MAX;
	if (bytes_of(line, ERR_SOURCE_MAX) == line.n) {
		e->source = xstrndup(line.p, line.n);
		return;
	}
	e->source = xstrndup(line.p, bytes_of(line, to));
	if (from) {
		CLEANUP(cstr) char *whole = e->source;
		size_t skip = bytes_of(str_from(whole), from);

		e->source = xstrndup(whole + skip, strlen(whole) - skip);
		e->caret -= (uint32_t)from;
	}
}

struct err *err_at(enum err_code c, loc at, const char *fmt, ...)
{
	struct err *e;
	va_list ap;

	va_start(ap, fmt);
	e = err_make(c, fmt, ap);
	va_end(ap);
	if (at.in) {
		e->file = xstrndup(at.in->name.p, at.in->name.n);
		e->line = at.line;
		e->col = at.line ? at.col : 0;
		if (at.line)
			keep_source(e, at.in->bytes);
	}
	return e;
}

struct err *err_at_named(enum err_code c, str file, uint32_t line, uint32_t col, const char *fmt,
			 ...)
{
	struct err *e;
	va_list ap;

	va_start(ap, fmt);
	e = err_make(c, fmt, ap);
	va_end(ap);
	if (file.n) {
		e->file = xstrndup(file.p, file.n);
		e->line = line;
		e->col = line ? col : 0;
	}
	return e;
}

struct err *err_sys(enum err_code c, int errnum, const char *fmt, ...)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	char reason[128];
	struct err *e;
	va_list ap;

	va_start(ap, fmt);
	e = err_make(c, fmt, ap);
	va_end(ap);
	buf_printf(&b, "%s: %s", e->message, strerror_r(errnum, reason, sizeof(reason)));
	free(e->message);
	e->message = buf_take(&b);
	return e;
}

struct err *err_wrap(struct err *e, const char *fmt, ...)
{
	CLEANUP(cstr) char *more = NULL;
	va_list ap;

	va_start(ap, fmt);
	more = format(fmt, ap);
	va_end(ap);
	for (struct err *i = e; i; i = i->next) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		if (i->context)
			buf_printf(&b, "%s, ", i->context);
		buf_str(&b, str_from(more));
		free(i->context);
		i->context = buf_take(&b);
	}
	return e;
}

struct err *err_hint(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return NULL;
	free(e->hint);
	va_start(ap, fmt);
	e->hint = format(fmt, ap);
	va_end(ap);
	return e;
}

struct err *err_join(struct err *a, struct err *b)
{
	if (!a)
		return b;
	if (!b)
		return a;
	a->tail->next = b;
	a->tail = b->tail;
	a->count += b->count;
	return a;
}

void err_free(struct err *e)
{
	for (struct err *next; e; e = next) {
		next = e->next;
		free(e->message);
		free(e->file);
		free(e->source);
		free(e->context);
		free(e->hint);
		free(e);
	}
}

enum err_code err_code(const struct err *e)
{
	return e->code;
}

int err_exit_status(const struct err *e)
{
	return e ? codes[e->code].status : 0;
}

str err_message(const struct err *e)
{
	return str_from(e->message);
}

str err_file(const struct err *e)
{
	return str_from(e->file);
}

uint32_t err_line(const struct err *e)
{
	return e->line;
}

uint32_t err_col(const struct err *e)
{
	return e->col;
}

str err_hint_get(const struct err *e)
{
	return str_from(e->hint);
}

str err_context(const struct err *e)
{
	return str_from(e->context);
}

str err_source_line(const struct err *e)
{
	return str_from(e->source);
}

const struct err *err_next(const struct err *e)
{
	return e->next;
}

size_t err_count(const struct err *e)
{
	size_t n = 0;

	for (; e; e = e->next)
		n++;
	return n;
}

static void place_and_message(const struct err *e, struct buf *b)
{
	if (e->file) {
		buf_escaped(b, str_from(e->file));
		if (e->line)
			buf_printf(b, ":%u", e->line);
		if (e->line && e->col)
			buf_printf(b, ":%u", e->col);
		buf_str(b, STR(": "));
	}
	buf_escaped(b, str_from(e->message));
}

void err_line_to(const struct err *e, struct buf *b)
{
	place_and_message(e, b);
	if (e->context) {
		buf_str(b, STR(" ("));
		buf_escaped(b, str_from(e->context));
		buf_char(b, ')');
	}
}

/* Tabs stay tabs, in the line and before the caret, so that both are as wide. */
static void source_piece(struct buf *b, str s)
{
	for (;;) {
		size_t tab = str_chr(s, '\t');

		buf_escaped(b, str_sub(s, 0, tab));
		if (tab == SIZE_MAX)
			return;
		buf_char(b, '\t');
		s = str_sub(s, tab + 1, SIZE_MAX);
	}
}

static void source_and_caret(const struct err *e, struct buf *b)
{
	CLEANUP(buf) struct buf before = BUF_INIT;
	str line = str_from(e->source);

	buf_printf(b, "%5u | ", e->line);
	source_piece(b, line);
	buf_char(b, '\n');
	if (!e->col)
		return;
	source_piece(&before, str_sub(line, 0, bytes_of(line, e->caret)));
	buf_str(b, STR("      | "));
	for (size_t i = 0; i < before.n; i++) {
		if (before.p[i] == '\t')
			buf_char(b, '\t');
		else if (((unsigned char)before.p[i] & 0xc0) != 0x80)
			buf_char(b, ' ');
	}
	buf_str(b, STR("^\n"));
}

void err_print(const struct err *e, struct buf *b)
{
	for (; e; e = e->next) {
		place_and_message(e, b);
		buf_char(b, '\n');
		if (e->source)
			source_and_caret(e, b);
		if (e->context) {
			buf_str(b, STR("  "));
			buf_escaped(b, str_from(e->context));
			buf_char(b, '\n');
		}
		if (e->hint) {
			buf_str(b, STR("  hint: "));
			buf_escaped(b, str_from(e->hint));
			buf_char(b, '\n');
		}
	}
}

static void member(struct buf *b, const char *key, const char *text)
{
	if (!text)
		return;
	buf_printf(b, ",\"%s\":", key);
	buf_json(b, str_from(text));
}

void err_json(const struct err *e, struct buf *b)
{
	buf_char(b, '[');
	for (const struct err *i = e; i; i = i->next) {
		buf_printf(b, "%s{\"code\":\"%s\"", i == e ? "" : ",", err_code_name(i->code));
		member(b, "message", i->message);
		member(b, "file", i->file);
		if (i->file && i->line)
			buf_printf(b, ",\"line\":%u", i->line);
		if (i->file && i->line && i->col)
			buf_printf(b, ",\"column\":%u", i->col);
		member(b, "source", i->source);
		member(b, "context", i->context);
		member(b, "hint", i->hint);
		buf_printf(b, ",\"explain\":\"leeboard explain %s\"}", err_code_name(i->code));
	}
	buf_char(b, ']');
}
