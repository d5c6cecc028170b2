/* str: looking at text that somebody else owns. */
#include "leeboard/base.h"
#include <stdlib.h>

bool str_eq(str a, str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int str_cmp(str a, str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	if (r)
		return r;
	return (a.n > b.n) - (a.n < b.n);
}

bool str_starts(str s, str prefix)
{
	return s.n >= prefix.n && str_eq(str_n(s.p, prefix.n), prefix);
}

bool str_ends(str s, str suffix)
{
	return s.n >= suffix.n &&
	       (suffix.n == 0 || str_eq(str_n(s.p + s.n - suffix.n, suffix.n), suffix));
}

bool str_contains(str s, str part)
{
	return str_find(s, part) != SIZE_MAX;
}

size_t str_find(str s, str part)
{
	const char *hit;

	if (part.n == 0)
		return 0;
	if (s.n < part.n)
		return SIZE_MAX;
	hit = memmem(s.p, s.n, part.p, part.n);
	return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

size_t str_chr(str s, char c)
{
	const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;

	return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

size_t str_rchr(str s, char c)
{
	const char *hit = s.n ? memrchr(s.p, c, s.n) : NULL;

	return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

str str_sub(str s, size_t from, size_t n)
{
	if (from > s.n)
		from = s.n;
	if (n > s.n - from)
		n = s.n - from;
	return str_n(s.n ? s.p + from : s.p, n);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

str str_trim(str s)
{
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	while (s.n && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	return s;
}

/* After the last part *rest has no pointer; after a separator at the end it points at an empty
 * part that is still to come. */
bool str_split(str *rest, char sep, str *ret)
{
	size_t at;

	if (!rest->p)
		return false;
	at = str_chr(*rest, sep);
	if (at == SIZE_MAX) {
		*ret = *rest;
		*rest = STR_NONE;
	} else {
		*ret = str_sub(*rest, 0, at);
		*rest = str_sub(*rest, at + 1, SIZE_MAX);
	}
	return true;
}

bool str_to_u64(str s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

bool str_to_i64(str s, int64_t *ret)
{
	bool minus = s.n && s.p[0] == '-';
	bool sign = minus || (s.n && s.p[0] == '+');
	uint64_t v;

	if (!str_to_u64(str_sub(s, sign ? 1 : 0, SIZE_MAX), &v) || v > (uint64_t)INT64_MAX + minus)
		return false;
	*ret = minus ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

/* How many bytes the code point at p takes, 0 when it is none (RFC 3629 section 4). */
static size_t utf8_len(const unsigned char *p, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	switch (p[0]) {
	case 0xe0: /* overlong below U+0800 */
		low = 0xa0;
		break;
	case 0xed: /* surrogates */
		high = 0x9f;
		break;
	case 0xf0: /* overlong below U+10000 */
		low = 0x90;
		break;
	case 0xf4: /* above U+10FFFF */
		high = 0x8f;
		break;
	}
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return len;
}

/* Eight bytes of ASCII without a NUL: no high bit, and none when 1 was taken from each. */
static bool is_ascii8(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return !((v | (v - UINT64_C(0x0101010101010101))) & UINT64_C(0x8080808080808080));
}

size_t str_utf8_bad(str s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t i = 0; i < s.n;) {
		size_t len;

		if (s.n - i >= 8 && is_ascii8(p + i)) {
			i += 8;
			continue;
		}
		len = p[i] ? utf8_len(p + i, s.n - i) : 0;
		if (!len)
			return i;
		i += len;
	}
	return SIZE_MAX;
}

/* Optimal string alignment, three rows, and of each row only the cells within `limit` of the
 * diagonal: the others cannot come back under it. */
unsigned str_distance(str a, str b, unsigned limit)
{
	unsigned *two, *one, *row, *memory, over = limit + 1, d;

	if (limit == UINT32_MAX)
		over = limit;
	if ((a.n > b.n ? a.n - b.n : b.n - a.n) > limit)
		return over;
	memory = xcalloc(3 * (b.n + 1), sizeof(*memory));
	two = memory;
	one = two + b.n + 1;
	row = one + b.n + 1;
	for (size_t j = 0; j <= b.n; j++)
		one[j] = j < over ? (unsigned)j : over;
	for (size_t i = 1; i <= a.n; i++) {
		size_t from = i > limit ? i - limit : 1;
		size_t to = b.n - i > limit && b.n > i ? i + limit : b.n;
		unsigned *t;

		row[from - 1] = from == 1 && i < over ? (unsigned)i : over;
		for (size_t j = from; j <= to; j++) {
			unsigned best = one[j - 1] + (a.p[i - 1] != b.p[j - 1]);

			if (one[j] + 1 < best)
				best = one[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1] && two[j - 2] + 1 < best)
				best = two[j - 2] + 1;
			row[j] = best < over ? best : over;
		}
		if (to < b.n)
			row[to + 1] = over;
		t = two;
		two = one;
		one = row;
		row = t;
	}
	d = one[b.n];
	free(memory);
	return d < over ? d : over;
}

str str_nearest(str s, const str *names, size_t n)
{
	unsigned best = (unsigned)(s.n < 192 ? s.n / 3 : 64);
	str ret = STR_NONE;

	for (size_t i = 0; i < n && best; i++) {
		unsigned d = str_distance(s, names[i], best);

		if (d < best || (d == best && !ret.p)) {
			best = d;
			ret = names[i];
		}
	}
	return ret;
}
