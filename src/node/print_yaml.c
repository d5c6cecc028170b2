/* YAML as kustomize prints it: go-yaml's emitter with lists not indented below their key. */
#include "node_priv.h"
#include <assert.h>
#include <math.h>

#define FOLD_FROM 80        /* a single blank beyond this column becomes a line break */
#define SIMPLE_KEY_MOST 128 /* bytes; a longer key is written as "? key" */

void out_text(struct out *o, const char *p, size_t n)
{
	buf_add(o->b, p, n);
	for (size_t i = 0; i < n; i++)
		o->col += ((unsigned char)p[i] & 0xc0) != 0x80;
}

void out_char(struct out *o, char c)
{
	buf_char(o->b, c);
	o->col++;
}

void out_line(struct out *o)
{
	buf_char(o->b, '\n');
	o->col = 0;
}

void out_indent(struct out *o, size_t n)
{
	static const char blanks[] = "                                ";

	o->col += n;
	for (; n > sizeof(blanks) - 1; n -= sizeof(blanks) - 1)
		buf_add(o->b, blanks, sizeof(blanks) - 1);
	buf_add(o->b, blanks, n);
}

/* One code point of valid UTF-8. */
static uint32_t point_at(str s, size_t i, size_t *len)
{
	const unsigned char *p = (const unsigned char *)s.p + i;

	if (p[0] < 0x80) {
		*len = 1;
		return p[0];
	}
	*len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (i + *len > s.n) {
		*len = 1;
		return p[0];
	}
	if (*len == 2)
		return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	if (*len == 3)
		return (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	return (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
}

static bool is_special(uint32_t c)
{
	if (c < 0x80)
		return (c < 0x20 && c != '\n') || c == 0x7f;
	return c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe ||
	       c == 0xffff || c > 0xffff || (c >= 0xd800 && c < 0xe000);
}

struct out_shape out_shape(str s)
{
	struct out_shape r = {.plain = true, .single = true, .literal = true};
	bool special = false, break_blank = false, blank_break = false;

	if (!s.n)
		return (struct out_shape){.single = true};
	assert(s.p);
	if (s.n >= 3 && (memcmp(s.p, "---", 3) == 0 || memcmp(s.p, "...", 3) == 0))
		r.plain = false;
	if (strchr("#,[]{}&*!|>'\"%@`", s.p[0]) ||
	    (strchr("-?:", s.p[0]) && (s.n == 1 || s.p[1] == ' ' || s.p[1] == '\n')))
		r.plain = false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		unsigned char next = i + 1 < s.n ? (unsigned char)s.p[i + 1] : '\n';

		if (c >= 0x80) {
			size_t len;

			special |= is_special(point_at(s, i, &len));
			i += len - 1;
		} else if (c < 0x20 || c == 0x7f) {
			if (c != '\n')
				special = true;
			r.lines |= c == '\n';
			break_blank |= c == '\n' && next == ' ';
		} else if (c == ' ') {
			blank_break |= i + 1 < s.n && next == '\n';
			if (next == '#')
				r.plain = false;
		} else if (c == ':' && i && (next == ' ' || next == '\n')) {
			r.plain = false;
		}
	}
	if (s.p[0] == ' ' || s.p[s.n - 1] == ' ' || r.lines)
		r.plain = false;
	if (s.p[s.n - 1] == ' ')
		r.literal = false;
	if (break_blank)
		r.single = r.plain = false;
	if (special || blank_break)
		r.plain = r.single = r.literal = false;
	return r;
}

void out_plain(struct out *o, str s, size_t ind, bool fold)
{
	bool blank = false;
	size_t from = 0;

	if (!fold || o->col + s.n <= FOLD_FROM) {
		out_text(o, s.p, s.n);
		return;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != ' ') {
			blank = false;
			o->col += ((unsigned char)s.p[i] & 0xc0) != 0x80;
			continue;
		}
		if (!blank && o->col > FOLD_FROM && i + 1 < s.n && s.p[i + 1] != ' ') {
			buf_add(o->b, s.p + from, i - from);
			from = i + 1;
			out_line(o);
			out_indent(o, ind);
		} else {
			o->col++;
		}
		blank = true;
	}
	buf_add(o->b, s.p + from, s.n - from);
}

void out_single(struct out *o, str s, size_t ind, bool fold)
{
	bool blank = false;

	out_char(o, '\'');
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == ' ') {
			if (fold && !blank && o->col > FOLD_FROM && i && i + 1 < s.n &&
			    s.p[i + 1] != ' ') {
				out_line(o);
				out_indent(o, ind);
			} else {
				out_char(o, c);
			}
			blank = true;
			continue;
		}
		if (c == '\'')
			out_char(o, c);
		out_text(o, &c, 1);
		blank = false;
	}
	out_char(o, '\'');
}

static void put_escape(struct out *o, uint32_t c)
{
	static const struct {
		uint32_t c;
		char e;
	} names[] = {{0, '0'},     {7, 'a'},    {8, 'b'},    {9, 't'},      {10, 'n'},
		     {11, 'v'},    {12, 'f'},   {13, 'r'},   {27, 'e'},     {'"', '"'},
		     {'\\', '\\'}, {0x85, 'N'}, {0xa0, '_'}, {0x2028, 'L'}, {0x2029, 'P'}};
	char t[16];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (names[i].c == c) {
			out_text(o, (char[2]){'\\', names[i].e}, 2);
			return;
		}
	}
	if (c <= 0xff)
		snprintf(t, sizeof(t), "\\x%02X", c);
	else if (c <= 0xffff)
		snprintf(t, sizeof(t), "\\u%04X", c);
	else
		snprintf(t, sizeof(t), "\\U%08X", c);
	out_text(o, t, strlen(t));
}

void out_double(struct out *o, str s, size_t ind, bool fold)
{
	bool blank = false;
	size_t len;

	out_char(o, '"');
	for (size_t i = 0; i < s.n; i += len) {
		uint32_t c = point_at(s, i, &len);

		if (c == ' ') {
			if (fold && !blank && o->col > FOLD_FROM && i && i + 1 < s.n) {
				out_line(o);
				out_indent(o, ind);
				if (s.p[i + 1] == ' ')
					out_char(o, '\\');
			} else {
				out_char(o, ' ');
			}
			blank = true;
			continue;
		}
		if (is_special(c) || c == '\n' || c == '"' || c == '\\')
			put_escape(o, c);
		else
			out_text(o, s.p + i, len);
		blank = false;
	}
	out_char(o, '"');
}

void out_literal(struct out *o, str s, size_t ind)
{
	out_char(o, '|');
	if (s.p[0] == ' ' || s.p[0] == '\n')
		out_char(o, '2');
	if (s.p[s.n - 1] != '\n')
		out_char(o, '-');
	else if (s.n == 1 || s.p[s.n - 2] == '\n')
		out_char(o, '+');
	out_line(o);
	while (s.n) {
		size_t end = str_chr(s, '\n');
		str row = str_sub(s, 0, end == SIZE_MAX ? s.n : end);

		if (row.n) {
			out_indent(o, ind);
			out_text(o, row.p, row.n);
		}
		if (end == SIZE_MAX)
			break;
		out_line(o);
		s = str_sub(s, end + 1, s.n);
	}
}

void out_string(struct out *o, str s, size_t ind, bool simple_key)
{
	struct out_shape f = out_shape(s);
	bool bare = !f.lines && !scalar_wants_quotes(s) &&
		    !(simple_key && str_eq(s, STR("<<"))); /* what no style needs to protect */

	if (f.lines && f.literal && !simple_key)
		out_literal(o, s, ind);
	else if (bare && f.plain)
		out_plain(o, s, ind, !simple_key);
	else if (bare && f.single)
		out_single(o, s, ind, !simple_key);
	else
		out_double(o, s, ind, !simple_key);
}

/* Go's %v of a float64 with the shortest digits. */
static void put_number(struct out *o, str text)
{
	struct number v;
	char t[64], digits[24];
	int x, n, at = 0;

	if (!number_from(text, &v)) {
		out_text(o, text.p, text.n);
		return;
	}
	if (v.is_int) {
		snprintf(t, sizeof(t), "%s%llu", v.neg ? "-" : "", (unsigned long long)v.mag);
		out_text(o, t, strlen(t));
		return;
	}
	if (!isfinite(v.d)) {
		if (text.n > 5)
			out_text(o, text.p, text.n); /* an integer of JSON beyond all bounds */
		else if (v.d != v.d)
			out_text(o, ".nan", 4);
		else
			out_text(o, v.d > 0 ? ".inf" : "-.inf", v.d > 0 ? 4 : 5);
		return;
	}
	n = (int)number_digits(v.d, digits, &x);
	if (v.d < 0)
		t[at++] = '-';
	if (x < -4 || x > 5)
		snprintf(t + at, sizeof(t) - (size_t)at, "%c%s%se%c%02d", digits[0],
			 n > 1 ? "." : "", digits + 1, x < 0 ? '-' : '+', x < 0 ? -x : x);
	else if (x < 0)
		snprintf(t + at, sizeof(t) - (size_t)at, "0.%.*s%s", -x - 1, "000", digits);
	else
		snprintf(t + at, sizeof(t) - (size_t)at, "%.*s.%s", x + 1, digits, digits + x + 1);
	out_text(o, t, strlen(t));
}

static void put_scalar(struct out *o, const struct node *n, size_t ind)
{
	switch (n->kind) {
	case NODE_NULL:
		out_text(o, "null", 4);
		break;
	case NODE_BOOL:
		out_text(o, n->text.p, n->text.n);
		break;
	case NODE_INT:
	case NODE_FLOAT:
		put_number(o, n->text);
		break;
	case NODE_STRING:
		out_string(o, n->text, ind, false);
		break;
	case NODE_LIST:
		out_text(o, "[]", 2);
		break;
	case NODE_MAP:
		out_text(o, "{}", 2);
		break;
	}
	if (o->col)
		out_line(o);
}

static bool is_block(const struct node *n)
{
	return (n->kind == NODE_MAP || n->kind == NODE_LIST) && n->n;
}

static void put_block(struct out *o, const struct node *n, size_t ind, bool inside, unsigned depth);

/* What follows "- ", or ": " after a key that needed "? ". */
static void put_item(struct out *o, const struct node *n, size_t ind, unsigned depth)
{
	if (is_block(n))
		put_block(o, n, ind + 2, true, depth + 1);
	else
		put_scalar(o, n, ind + 2);
}

static void put_pair(struct out *o, const struct node_pair *p, size_t ind, unsigned depth)
{
	const struct node *v = p->value;

	if (p->key.n > SIMPLE_KEY_MOST || memchr(p->key.p ? p->key.p : "", '\n', p->key.n)) {
		out_text(o, "? ", 2);
		out_string(o, p->key, ind + 2, false);
		if (o->col)
			out_line(o);
		out_indent(o, ind);
		out_text(o, ": ", 2);
		put_item(o, v, ind, depth);
		return;
	}
	out_string(o, p->key, ind + 2, true);
	out_char(o, ':');
	if (is_block(v)) {
		out_line(o);
		put_block(o, v, v->kind == NODE_LIST ? ind : ind + 2, false, depth + 1);
	} else {
		out_char(o, ' ');
		put_scalar(o, v, ind + 2);
	}
}

/* inside: the first line has begun already. */
static void put_block(struct out *o, const struct node *n, size_t ind, bool inside, unsigned depth)
{
	assert(depth < NODE_WALK_DEPTH);
	for (size_t i = 0; i < n->n; i++) {
		if (i || !inside)
			out_indent(o, ind);
		if (n->kind == NODE_MAP) {
			put_pair(o, &n->pairs[i], ind, depth);
		} else {
			out_text(o, "- ", 2);
			put_item(o, n->items[i], ind, depth);
		}
	}
}

void node_yaml(const struct node *n, struct buf *b)
{
	struct out o = {.b = b};

	if (is_block(n))
		put_block(&o, n, 0, false, 0);
	else
		put_scalar(&o, n, 2);
}
