/* JSON as RFC 8259 has it, read in one pass and nothing more lenient. */
#include "node_priv.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>

struct reader {
	struct arena *a;
	const struct text *in;
	const char *p, *end;
	const char *line_start;
	size_t marks; /* continuation bytes since line_start: they take no column */
	uint32_t line;
	size_t made;
	struct key_cache keys;
	struct node_pairs pairs; /* of the maps that are open, one above the other */
	struct node_items items;
	struct buf text; /* a string with escapes */
};

static loc here(const struct reader *r, const char *p)
{
	return (loc){r->in, r->line, (uint32_t)((size_t)(p - r->line_start) - r->marks) + 1};
}

static struct err *bad(const struct reader *r, const char *what)
{
	if (r->p >= r->end)
		return err_at(ERR_SYNTAX, here(r, r->p), "the JSON ends too early: %s", what);
	return err_at(ERR_SYNTAX, here(r, r->p), "bad JSON: %s", what);
}

static inline void skip_blanks(struct reader *r)
{
	for (; r->p < r->end; r->p++) {
		switch (*r->p) {
		case '\n':
			r->line++;
			r->line_start = r->p + 1;
			r->marks = 0;
			break;
		case ' ':
		case '\t':
		case '\r':
			break;
		default:
			return;
		}
	}
}

static bool take_hex(struct reader *r, uint32_t *ret)
{
	uint32_t v = 0;

	if (r->end - r->p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = r->p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v << 4 | (uint32_t)(c - 'A' + 10);
		else
			return false;
	}
	r->p += 4;
	*ret = v;
	return true;
}

static void put_point(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_char(b, (char)c);
	} else if (c < 0x800) {
		buf_char(b, (char)(0xc0 | c >> 6));
		buf_char(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_char(b, (char)(0xe0 | c >> 12));
		buf_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_char(b, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_char(b, (char)(0xf0 | c >> 18));
		buf_char(b, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_char(b, (char)(0x80 | (c & 0x3f)));
	}
}

/* After the backslash. */
static struct err *take_escape(struct reader *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *hit;
	uint32_t c = 0, low = 0;

	if (r->p == r->end)
		return bad(r, "a string is not closed");
	if (*r->p != 'u') {
		hit = *r->p ? strchr(from, *r->p) : NULL;
		if (!hit)
			return bad(r, "no such escape in a string");
		buf_char(&r->text, to[hit - from]);
		r->p++;
		return NULL;
	}
	r->p++;
	if (!take_hex(r, &c))
		return bad(r, "\\u wants four hexadecimal digits");
	if (c == 0)
		return bad(r, "a string must not hold the character NUL");
	if (c >= 0xdc00 && c < 0xe000)
		return bad(r, "half a surrogate pair in a string");
	if (c >= 0xd800 && c < 0xdc00) {
		if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
			return bad(r, "half a surrogate pair in a string");
		r->p += 2;
		if (!take_hex(r, &low) || low < 0xdc00 || low >= 0xe000)
			return bad(r, "half a surrogate pair in a string");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	put_point(&r->text, c);
	return NULL;
}

/* At the byte after the opening quote. The text is in the input or in r->text: copy it. */
static struct err *take_string(struct reader *r, str *ret)
{
	const char *from = r->p;
	bool escaped = false;
	size_t marks = 0;

	buf_clear(&r->text);
	for (;;) {
		r->p = json_plain_end(r->p, r->end);
		if (r->p == r->end)
			return bad(r, "a string is not closed");
		if (*r->p == '"')
			break;
		if (*r->p == '\\') {
			buf_add(&r->text, from, (size_t)(r->p - from));
			escaped = true;
			r->p++;
			TRY(take_escape(r));
			from = r->p;
		} else if ((unsigned char)*r->p >= 0x80) {
			const char *run = r->p;
			size_t at;

			while (r->p < r->end && (unsigned char)*r->p >= 0x80) {
				marks += ((unsigned char)*r->p & 0xc0) == 0x80;
				r->p++;
			}
			at = str_utf8_bad(str_n(run, (size_t)(r->p - run)));
			if (at != SIZE_MAX) {
				r->p = run + at;
				return bad(r, "a string is not valid UTF-8");
			}
		} else {
			return bad(r, "a control character in a string must be written as \\u00XX");
		}
	}
	if (escaped) {
		buf_add(&r->text, from, (size_t)(r->p - from));
		*ret = buf_view(&r->text);
	} else {
		*ret = str_n(from, (size_t)(r->p - from));
	}
	r->p++;
	r->marks += marks;
	return NULL;
}

static struct node *make(struct reader *r, enum node_kind k, loc at, str text)
{
	/* One allocation for the node and its text. */
	struct node *n = arena_alloc(r->a, sizeof(*n) + text.n + 1);
	char *t = (char *)(n + 1);

	if (text.n)
		memcpy(t, text.p, text.n);
	n->kind = k;
	n->at = at;
	n->text = (str){t, text.n};
	return n;
}

static struct err *take_number(struct reader *r, const struct node **ret)
{
	const char *from = r->p;
	bool whole = true;

#define DIGITS                                                                                     \
	do {                                                                                       \
		if (r->p == r->end || *r->p < '0' || *r->p > '9')                                  \
			return bad(r, "a digit is missing in a number");                           \
		while (r->p < r->end && *r->p >= '0' && *r->p <= '9')                              \
			r->p++;                                                                    \
	} while (0)
	if (*r->p == '-')
		r->p++;
	if (r->p < r->end && *r->p == '0') {
		r->p++;
		if (r->p < r->end && *r->p >= '0' && *r->p <= '9')
			return bad(r, "a number must not start with 0");
	} else {
		DIGITS;
	}
	if (r->p < r->end && *r->p == '.') {
		whole = false;
		r->p++;
		DIGITS;
	}
	if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
		whole = false;
		r->p++;
		if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
			r->p++;
		DIGITS;
	}
#undef DIGITS
	if (!whole) {
		struct number v;
		str s = str_n(from, (size_t)(r->p - from));

		if (!number_from(s, &v) || !isfinite(v.d))
			return err_at(ERR_LIMIT, here(r, from), "a number that no double can hold");
	}
	*ret = make(r, whole ? NODE_INT : NODE_FLOAT, here(r, from),
		    str_n(from, (size_t)(r->p - from)));
	return NULL;
}

static struct err *take_word(struct reader *r, enum node_kind k, str word, const struct node **ret)
{
	loc at = here(r, r->p);

	if ((size_t)(r->end - r->p) < word.n || memcmp(r->p, word.p, word.n) != 0)
		return bad(r, "expected a value");
	r->p += word.n;
	*ret = make(r, k, at, word);
	return NULL;
}

static struct err *take_value(struct reader *r, unsigned depth, const struct node **ret);

static struct err *take_list(struct reader *r, unsigned depth, const struct node **ret)
{
	size_t base = r->items.n, n;
	struct node *l = make(r, NODE_LIST, here(r, r->p), STR_NONE);

	l->style = NODE_FLOW;
	r->p++;
	skip_blanks(r);
	if (r->p < r->end && *r->p == ']') {
		r->p++;
		*ret = l;
		return NULL;
	}
	for (;;) {
		const struct node *v = NULL;

		TRY(take_value(r, depth + 1, &v));
		if (r->items.n == r->items.cap) {
			r->items.cap = r->items.cap ? r->items.cap * 2 : 64;
			r->items.p = xrealloc(r->items.p, r->items.cap * sizeof(void *));
		}
		r->items.p[r->items.n++] = v;
		skip_blanks(r);
		if (r->p < r->end && *r->p == ',') {
			r->p++;
			skip_blanks(r);
		} else if (r->p < r->end && *r->p == ']') {
			r->p++;
			break;
		} else {
			return bad(r, "expected ',' or ']' in a list");
		}
	}
	n = r->items.n - base;
	l->items = memcpy(ARENA_ARRAY(r->a, const struct node *, n), r->items.p + base,
			  n * sizeof(void *));
	l->n = (uint32_t)n;
	r->items.n = base;
	*ret = l;
	return NULL;
}

static struct err *take_pair(struct reader *r, unsigned depth)
{
	struct node_pair p = {.key_at = here(r, r->p), .key_style = NODE_DOUBLE};
	str key = STR_NONE;

	if (r->p == r->end || *r->p != '"')
		return bad(r, "expected a key in double quotes");
	r->p++;
	TRY(take_string(r, &key));
	if (key.n > NODE_MAX_KEY)
		return err_at(ERR_LIMIT, p.key_at, "a key of %zu bytes; at most %u are allowed",
			      key.n, NODE_MAX_KEY);
	p.key = key_cached(r->a, &r->keys, key);
	skip_blanks(r);
	if (r->p == r->end || *r->p != ':')
		return bad(r, "expected ':' after a key");
	r->p++;
	skip_blanks(r);
	TRY(take_value(r, depth + 1, &p.value));
	if (r->pairs.n == r->pairs.cap) {
		r->pairs.cap = r->pairs.cap ? r->pairs.cap * 2 : 64;
		r->pairs.p = xrealloc(r->pairs.p, r->pairs.cap * sizeof(r->pairs.p[0]));
	}
	r->pairs.p[r->pairs.n++] = p;
	return NULL;
}

static struct err *take_map(struct reader *r, unsigned depth, const struct node **ret)
{
	size_t base = r->pairs.n, n, twice[2];
	struct node *m = make(r, NODE_MAP, here(r, r->p), STR_NONE);

	m->style = NODE_FLOW;
	*ret = m;
	r->p++;
	skip_blanks(r);
	if (r->p < r->end && *r->p == '}') {
		r->p++;
		return NULL;
	}
	for (;;) {
		TRY(take_pair(r, depth));
		skip_blanks(r);
		if (r->p < r->end && *r->p == ',') {
			r->p++;
			skip_blanks(r);
		} else if (r->p < r->end && *r->p == '}') {
			r->p++;
			break;
		} else {
			return bad(r, "expected ',' or '}' in a map");
		}
	}
	assert(r->pairs.p);
	n = r->pairs.n - base;
	m->pairs = memcpy(ARENA_ARRAY(r->a, struct node_pair, n), r->pairs.p + base,
			  n * sizeof(m->pairs[0]));
	m->n = (uint32_t)n;
	r->pairs.n = base;
	if (!map_index(r->a, m, twice)) {
		const struct node_pair *x = &m->pairs[twice[0]], *y = &m->pairs[twice[1]];

		return err_at(ERR_DUPLICATE, y->key_at,
			      "the key '" STR_FMT "' is given twice, first in line %u, column %u",
			      STR_ARG(y->key), x->key_at.line, x->key_at.col);
	}
	return NULL;
}

static struct err *take_value(struct reader *r, unsigned depth, const struct node **ret)
{
	loc at = here(r, r->p);
	str s;

	if (depth > NODE_MAX_DEPTH)
		return err_at(ERR_LIMIT, at, "nested deeper than %d levels", NODE_MAX_DEPTH);
	if (++r->made > NODE_MAX_NODES)
		return err_at(ERR_LIMIT, at, "more than %u values", NODE_MAX_NODES);
	if (r->p == r->end)
		return bad(r, "expected a value");
	switch (*r->p) {
	case '{':
		return take_map(r, depth, ret);
	case '[':
		return take_list(r, depth, ret);
	case '"': {
		struct node *n;

		r->p++;
		TRY(take_string(r, &s));
		n = make(r, NODE_STRING, at, s);
		n->style = NODE_DOUBLE;
		*ret = n;
		return NULL;
	}
	case 't':
		return take_word(r, NODE_BOOL, STR("true"), ret);
	case 'f':
		return take_word(r, NODE_BOOL, STR("false"), ret);
	case 'n':
		return take_word(r, NODE_NULL, STR("null"), ret);
	case '-':
	case '0' ... '9':
		return take_number(r, ret);
	default:
		return bad(r, "expected a value");
	}
}

static struct err *take_all(struct reader *r, const struct node **ret)
{
	const struct node *n = NULL;

	skip_blanks(r);
	TRY(take_value(r, 1, &n));
	skip_blanks(r);
	if (r->p != r->end)
		return bad(r, "something follows the value");
	*ret = n;
	return NULL;
}

struct err *node_read_json(struct arena *a, const struct text *in, const struct node **ret)
{
	struct reader r = {.a = a,
			   .in = in,
			   .p = in->bytes.p,
			   .end = in->bytes.p + in->bytes.n,
			   .line_start = in->bytes.p,
			   .line = 1,
			   .text = BUF_INIT};
	struct err *e;

	if (in->bytes.n > NODE_MAX_BYTES)
		return err_at(ERR_LIMIT, (loc){in, 0, 0}, "larger than %u MiB",
			      NODE_MAX_BYTES >> 20);
	if (!in->bytes.n)
		r.p = r.end = r.line_start = "";
	e = take_all(&r, ret);
	buf_done(&r.text);
	free(r.pairs.p);
	free(r.items.p);
	return e;
}
