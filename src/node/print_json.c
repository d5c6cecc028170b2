/* JSON out of a tree. */
#include "node_priv.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* The form of RFC 8785, which is ECMAScript's: shortest digits, exponents from 1e21 and 1e-7 on. */
static void put_double(struct buf *b, double d)
{
	char digits[24];
	int x, n;

	if (!isfinite(d)) {
		buf_str(b, d != d ? STR("\".nan\"") : d < 0 ? STR("\"-.inf\"") : STR("\".inf\""));
		return;
	}
	if (d == 0) {
		buf_char(b, '0');
		return;
	}
	if (d < 0)
		buf_char(b, '-');
	n = (int)number_digits(d, digits, &x);
	if (x >= 21 || x < -6) {
		buf_char(b, digits[0]);
		if (n > 1)
			buf_printf(b, ".%s", digits + 1);
		buf_printf(b, "e%+d", x);
	} else if (x < 0) {
		buf_printf(b, "0.%.*s%s", -x - 1, "000000", digits);
	} else if (n <= x + 1) {
		buf_str(b, str_from(digits));
		for (int i = n; i < x + 1; i++)
			buf_char(b, '0');
	} else {
		buf_printf(b, "%.*s.%s", x + 1, digits, digits + x + 1);
	}
}

/* As buf_json, but whole runs at a time. */
static void put_text(struct buf *b, str s)
{
	static const char from[] = "\b\f\n\r\t\"\\", to[] = "bfnrt\"\\";
	const char *p = s.p, *end = s.p + s.n, *run = p, *hit;

	if (s.n && json_plain_end(p, end) != end && str_utf8_bad(s) != SIZE_MAX) {
		buf_json(b, s);
		return;
	}
	buf_reserve(b, s.n + 2);
	buf_char(b, '"');
	while (p < end) {
		p = json_plain_end(p, end);
		if (p == end)
			break;
		if ((unsigned char)*p >= 0x80) {
			p++;
			continue;
		}
		buf_add(b, run, (size_t)(p - run));
		hit = strchr(from, *p);
		if (hit)
			buf_add(b, (char[]){'\\', to[hit - from]}, 2);
		else
			buf_printf(b, "\\u%04x", (unsigned)*p);
		run = ++p;
	}
	buf_add(b, run, (size_t)(end - run));
	buf_char(b, '"');
}

/* Is the spelling a number of JSON? */
static bool is_json_number(str s)
{
	size_t i = 0, from;
	bool point = false, e = false;

	if (i < s.n && s.p[i] == '-')
		i++;
	from = i;
	if (from == s.n || s.p[from] < '0' || s.p[from] > '9')
		return false;
	if (s.p[from] == '0' && from + 1 < s.n && s.p[from + 1] >= '0' && s.p[from + 1] <= '9')
		return false;
	for (; i < s.n; i++) {
		char c = s.p[i];

		if (c >= '0' && c <= '9')
			continue;
		if (i + 1 == s.n)
			return false;
		if (c == '.' && !point && !e && s.p[i + 1] >= '0' && s.p[i + 1] <= '9') {
			point = true;
		} else if ((c == 'e' || c == 'E') && !e) {
			e = true;
			if (s.p[i + 1] == '+' || s.p[i + 1] == '-')
				i++;
			if (i + 1 == s.n || s.p[i + 1] < '0' || s.p[i + 1] > '9')
				return false;
		} else {
			return false;
		}
	}
	return true;
}

static void put_number(struct buf *b, const struct node *n, bool canonical)
{
	struct number v;

	if (!canonical && is_json_number(n->text)) {
		buf_str(b, n->text);
		return;
	}
	if (!number_from(n->text, &v))
		buf_json(b, n->text);
	else if (v.is_int)
		buf_printf(b, "%s%llu", v.neg ? "-" : "", (unsigned long long)v.mag);
	else if (n->kind == NODE_INT)
		buf_str(b, n->text); /* of JSON, with more than 64 bits: one spelling */
	else
		put_double(b, v.d);
}

static int key_cmp(const void *a, const void *b)
{
	const struct node_pair *const *x = a, *const *y = b;

	return str_cmp((*x)->key, (*y)->key);
}

static void line(struct buf *b, enum node_json how, unsigned depth)
{
	if (how != NODE_JSON_INDENT)
		return;
	buf_char(b, '\n');
	for (unsigned i = 0; i < depth; i++)
		buf_add(b, "  ", 2);
}

static void put(struct buf *b, const struct node *n, enum node_json how, unsigned depth);

static void put_pair(struct buf *b, const struct node_pair *p, bool first, enum node_json how,
		     unsigned depth)
{
	if (!first)
		buf_char(b, ',');
	line(b, how, depth);
	put_text(b, p->key);
	buf_char(b, ':');
	if (how == NODE_JSON_INDENT)
		buf_char(b, ' ');
	put(b, p->value, how, depth);
}

static void put_map(struct buf *b, const struct node *n, enum node_json how, unsigned depth)
{
	bool ordered = true;

	if (!n->n) {
		buf_add(b, "{}", 2);
		return;
	}
	buf_char(b, '{');
	if (how == NODE_JSON_CANONICAL) {
		for (size_t i = 1; i < n->n && ordered; i++)
			ordered = str_cmp(n->pairs[i - 1].key, n->pairs[i].key) < 0;
	}
	if (ordered) {
		for (size_t i = 0; i < n->n; i++)
			put_pair(b, &n->pairs[i], i == 0, how, depth + 1);
	} else {
		const struct node_pair **p = xcalloc(n->n, sizeof(const struct node_pair *));

		for (size_t i = 0; i < n->n; i++)
			p[i] = &n->pairs[i];
		qsort(p, n->n, sizeof(const struct node_pair *), key_cmp);
		for (size_t i = 0; i < n->n; i++)
			put_pair(b, p[i], i == 0, how, depth + 1);
		free(p);
	}
	line(b, how, depth);
	buf_char(b, '}');
}

static void put(struct buf *b, const struct node *n, enum node_json how, unsigned depth)
{
	assert(depth < NODE_WALK_DEPTH);
	switch (n->kind) {
	case NODE_NULL:
		buf_add(b, "null", 4);
		break;
	case NODE_BOOL:
		buf_str(b, n->text.p[0] == 't' ? STR("true") : STR("false"));
		break;
	case NODE_INT:
	case NODE_FLOAT:
		put_number(b, n, how == NODE_JSON_CANONICAL);
		break;
	case NODE_STRING:
		put_text(b, n->text);
		break;
	case NODE_LIST:
		if (!n->n) {
			buf_add(b, "[]", 2);
			break;
		}
		buf_char(b, '[');
		for (size_t i = 0; i < n->n; i++) {
			if (i)
				buf_char(b, ',');
			line(b, how, depth + 1);
			put(b, n->items[i], how, depth + 1);
		}
		line(b, how, depth);
		buf_char(b, ']');
		break;
	case NODE_MAP:
		put_map(b, n, how, depth);
		break;
	}
}

void node_json(const struct node *n, enum node_json how, struct buf *b)
{
	put(b, n, how, 0);
}

void node_brief(const struct node *n, size_t most, struct buf *b)
{
	CLEANUP(buf) struct buf t = BUF_INIT;
	size_t end;

	if (n->kind == NODE_STRING)
		buf_str(&t, n->text);
	else
		put(&t, n, NODE_JSON_COMPACT, 0);
	if (t.n <= most) {
		buf_str(b, buf_view(&t));
		return;
	}
	end = most > 3 ? most - 3 : 0;
	while (end && ((unsigned char)t.p[end] & 0xc0) == 0x80)
		end--;
	buf_add(b, t.p, end);
	buf_add(b, "...", 3);
}
