/* buf: bytes that grow, and the ways to write text into them. */
#include "leeboard/base.h"
#include <stdlib.h>

void buf_done(struct buf *b)
{
	free(b->p);
	*b = BUF_INIT;
}

void buf_reserve(struct buf *b, size_t more)
{
	size_t need, cap;

	if (__builtin_add_overflow(b->n, more, &need) || __builtin_add_overflow(need, 1, &need))
		need = SIZE_MAX; /* malloc refuses it and the process ends */
	if (need <= b->cap)
		return;
	cap = b->cap + b->cap / 2;
	if (cap < need)
		cap = need < 64 ? 64 : need;
	b->p = xrealloc(b->p, cap);
	b->cap = cap;
	b->p[b->n] = '\0';
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	buf_reserve(b, n);
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void buf_str(struct buf *b, str s)
{
	buf_add(b, s.p, s.n);
}

void buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	buf_reserve(b, 64);
	n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
	if (n >= 0 && (size_t)n >= b->cap - b->n) {
		buf_reserve(b, (size_t)n);
		n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, again);
	}
	va_end(again);
	if (n > 0)
		b->n += (size_t)n;
	b->p[b->n] = '\0';
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	if (b->p)
		b->p[0] = '\0';
}

char *buf_take(struct buf *b)
{
	char *p = b->p ? b->p : xstrndup("", 0);

	*b = BUF_INIT;
	return p;
}

static const char hex_digits[] = "0123456789abcdef";

/* Controls are U+0000 to U+001F, U+007F, and the C1 set U+0080 to U+009F, whose U+009B starts a
 * terminal sequence just as ESC [ does. The direction marks U+202A-202E and U+2066-2069 can make a
 * line read as another one, so they are shown too. */
static bool is_plain(const unsigned char *p, size_t len)
{
	if (len == 1)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (len == 2)
		return !(p[0] == 0xc2 && p[1] < 0xa0);
	if (len == 3 && p[0] == 0xe2)
		return !(p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) &&
		       !(p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
	return true;
}

/* The bytes of the code point s begins with; 1 and *ok false for a byte that begins none. */
static size_t code_point(str s, bool *ok)
{
	size_t len = 1;
	unsigned char c = (unsigned char)s.p[0];

	if (c >= 0xc0)
		len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	*ok = len <= s.n && (c == 0 || str_utf8_bad(str_sub(s, 0, len)) == SIZE_MAX);
	return *ok ? len : 1;
}

void buf_escaped(struct buf *b, str s)
{
	while (s.n) {
		bool ok;
		size_t len = code_point(s, &ok);

		if (ok && is_plain((const unsigned char *)s.p, len))
			buf_add(b, s.p, len);
		else
			for (size_t i = 0; i < len; i++)
				buf_printf(b, "\\x%02x", (unsigned char)s.p[i]);
		s = str_sub(s, len, SIZE_MAX);
	}
}

/* Bad UTF-8 becomes U+FFFD: what we write is always JSON. */
void buf_json(struct buf *b, str s)
{
	buf_char(b, '"');
	while (s.n) {
		bool ok;
		size_t len = code_point(s, &ok);
		unsigned char c = (unsigned char)s.p[0];
		const char *short_form = c ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", c) : NULL;

		if (!ok)
			buf_add(b, "\xef\xbf\xbd", 3);
		else if (c == '"' || c == '\\')
			buf_add(b, c == '"' ? "\\\"" : "\\\\", 2);
		else if (c < 0x20 && short_form)
			buf_add(b, (const char[]){'\\', short_form[1]}, 2);
		else if (c < 0x20)
			buf_printf(b, "\\u%04x", c);
		else
			buf_add(b, s.p, len);
		s = str_sub(s, len, SIZE_MAX);
	}
	buf_char(b, '"');
}

void buf_hex(struct buf *b, const void *p, size_t n)
{
	const unsigned char *c = p;

	buf_reserve(b, 2 * n);
	for (size_t i = 0; i < n; i++) {
		b->p[b->n++] = hex_digits[c[i] >> 4];
		b->p[b->n++] = hex_digits[c[i] & 15];
	}
	b->p[b->n] = '\0';
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void buf_base64(struct buf *b, const void *p, size_t n)
{
	const unsigned char *c = p;

	buf_reserve(b, n / 3 * 4 + 4);
	for (size_t i = 0; i < n; i += 3) {
		size_t have = n - i < 3 ? n - i : 3;
		unsigned v = (unsigned)c[i] << 16;

		if (have > 1)
			v |= (unsigned)c[i + 1] << 8;
		if (have > 2)
			v |= c[i + 2];
		for (size_t j = 0; j < 4; j++) {
			char digit = base64_digits[v >> 18 & 63];

			if (j > have)
				digit = '=';
			b->p[b->n++] = digit;
			v <<= 6;
		}
	}
	b->p[b->n] = '\0';
}

static int base64_value(char c)
{
	const char *at = c ? strchr(base64_digits, c) : NULL;

	return at ? (int)(at - base64_digits) : -1;
}

static bool unbase64(struct buf *b, str s, bool blanks)
{
	size_t digits = 0, pads = 0;
	unsigned v = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		int value = base64_value(c);

		if (blanks && (c == ' ' || c == '\t' || c == '\r' || c == '\n'))
			continue;
		if (c != '=' && (value < 0 || pads))
			return false;
		if (c == '=')
			pads++;
		else
			digits++;
		v = v << 6 | (unsigned)(c == '=' ? 0 : value);
		if ((digits + pads) % 4)
			continue;
		/* Bits that no byte takes must be zero: one text for one value. */
		if (pads > 2 || (pads == 1 && v & 0xff) || (pads == 2 && v & 0xffff))
			return false;
		buf_add(b, (const unsigned char[]){v >> 16 & 0xff, v >> 8 & 0xff, v & 0xff},
			3 - pads);
		v = 0;
	}
	return (digits + pads) % 4 == 0;
}

bool buf_unbase64(struct buf *b, str s, bool blanks)
{
	size_t start = b->n;

	if (unbase64(b, s, blanks))
		return true;
	b->n = start;
	if (b->p)
		b->p[b->n] = '\0';
	return false;
}

/* 16: no digit. */
static unsigned hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 16;
}

bool hex_decode(str s, void *ret, size_t n)
{
	unsigned char *out = ret;

	if (s.n % 2 || s.n / 2 != n)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (hex_value(s.p[i]) > 15)
			return false;
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)(hex_value(s.p[2 * i]) << 4 | hex_value(s.p[2 * i + 1]));
	return true;
}
