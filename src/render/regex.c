/* Go's regular expressions on top of POSIX: translated where both mean the same, refused where not.
 *
 * Only whether a text matches is asked, never where, so lazy and greedy, capturing and not,
 * leftmost first and longest are all one. */
#include <regex.h>
#include <stdlib.h>

#include "select.h"

struct regex {
	bool compiled;
	char *literal; /* no expression at all, and anchored: compared */
	size_t literal_n;
	regex_t rx;
};

/* Where the translation is. */
struct reader {
	str in;
	size_t i;
	loc at;
	struct buf *out;
	bool any_case;
	size_t depth;
	size_t repeats[64]; /* the product of repetitions inside the group at each depth */
	size_t last;        /* the product inside the atom before */
	size_t all;         /* the sum of all products: side by side they cost as nested ones do */
	bool atom;          /* is there something that can be repeated? */
};

static struct err *refuse(const struct reader *r, const char *what)
{
	return err_at(ERR_NOT_SUPPORTED, r->at,
		      "%s in regular expression '" STR_FMT "' is not supported yet", what,
		      STR_ARG(r->in));
}

static struct err *wrong(const struct reader *r, const char *what)
{
	return err_at(ERR_INVALID, r->at, "regular expression '" STR_FMT "': %s", STR_ARG(r->in),
		      what);
}

static bool at_end(const struct reader *r)
{
	return r->i >= r->in.n;
}

static bool next_is(const struct reader *r, const char *s)
{
	return str_starts(str_sub(r->in, r->i, r->in.n), str_from(s));
}

/* The members of \d, \w and \s, for a bracket. */
static const char *perl_class(char c)
{
	switch (c) {
	case 'd':
		return "0-9";
	case 'w':
		return "0-9A-Za-z_";
	case 's':
		return "\t\n\f\r ";
	default:
		return NULL;
	}
}

static void literal(struct reader *r, char c)
{
	if (strchr(".[]{}()*+?^$|\\", c))
		buf_char(r->out, '\\');
	buf_char(r->out, c);
}

static char control(char c)
{
	static const char from[] = "tnrfva", to[] = "\t\n\r\f\v\a";
	const char *p = strchr(from, c);

	return p && c ? to[p - from] : '\0';
}

static struct err *escape(struct reader *r)
{
	char c = ++r->i < r->in.n ? r->in.p[r->i] : '\0';
	char lower = (char)(c | 0x20);

	r->i++;
	r->atom = true;
	r->last = 1;
	if (c == '\0')
		return wrong(r, "trailing backslash");
	if (perl_class(lower)) {
		buf_printf(r->out, "[%s%s]", c == lower ? "" : "^", perl_class(lower));
		return NULL;
	}
	if (c == 'A' || c == 'z') {
		buf_char(r->out, c == 'A' ? '^' : '$');
		r->atom = false;
		return NULL;
	}
	if (control(c)) {
		buf_char(r->out, control(c));
		return NULL;
	}
	if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80)
		return refuse(r, "this escape");
	literal(r, c);
	return NULL;
}

/* "[a-z\d]" with POSIX's rules for where ']', '^' and '-' stand. */
static struct err *bracket(struct reader *r)
{
	bool caret = false, closing = false, dash = false;
	CLEANUP(buf) struct buf b = BUF_INIT;
	bool first = true, negated;

	r->i++;
	negated = next_is(r, "^");
	r->i += negated;
	for (;; first = false) {
		char c = at_end(r) ? '\0' : r->in.p[r->i++];
		bool range;

		if (c == '\0')
			return wrong(r, "missing closing ]");
		if (c == ']' && !first)
			break;
		if ((unsigned char)c >= 0x80)
			return refuse(r, "a character class beyond ASCII");
		if (c == '[' && next_is(r, ":"))
			return refuse(r, "a named character class");
		if (c == '\\') {
			c = at_end(r) ? '\0' : r->in.p[r->i++];
			if (c != '\0' && perl_class(c)) {
				buf_str(&b, str_from(perl_class(c)));
				continue;
			}
			if (control(c))
				c = control(c);
			else if (c == '\0' || (c >= '0' && c <= '9') ||
				 ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
				return refuse(r, "this escape in a character class");
		}
		range = !at_end(r) && r->in.p[r->i] == '-' && r->i + 1 < r->in.n &&
			r->in.p[r->i + 1] != ']';
		if (range) {
			char to = r->in.p[r->i + 1];

			if (to == '\\' || (unsigned char)to >= 0x80 || strchr("]^-[", c))
				return refuse(r, "this range");
			if (to < c)
				return wrong(r, "invalid character class range");
			r->i += 2;
			buf_printf(&b, "%c-%c", c, to);
			continue;
		}
		caret |= c == '^';
		closing |= c == ']';
		dash |= c == '-';
		if (!strchr("^]-", c))
			buf_char(&b, c);
	}
	r->atom = true;
	r->last = 1;
	/* "[^]" with only a caret in it would negate nothing. */
	if (caret && !negated && !closing && b.n == 0 && !dash) {
		buf_str(r->out, STR("\\^"));
		return NULL;
	}
	buf_printf(r->out, "[%s%s", negated ? "^" : "", closing ? "]" : "");
	buf_str(r->out, buf_view(&b));
	if (caret && !negated && !closing && b.n == 0)
		buf_str(r->out, STR("-^]"));
	else
		buf_printf(r->out, "%s%s]", caret ? "^" : "", dash ? "-" : "");
	return NULL;
}

/* "{2}", "{2,}", "{2,5}"; false: the brace is a character. */
static bool counts(const struct reader *r, size_t *most, size_t *len)
{
	str rest = str_sub(r->in, r->i + 1, r->in.n), body;
	size_t end = str_chr(rest, '}'), comma;
	uint64_t lo, hi;

	if (end == SIZE_MAX)
		return false;
	body = str_sub(rest, 0, end);
	comma = str_chr(body, ',');
	if (!str_to_u64(str_sub(body, 0, comma), &lo))
		return false;
	hi = lo;
	if (comma != SIZE_MAX && comma + 1 < body.n &&
	    !str_to_u64(str_sub(body, comma + 1, body.n), &hi))
		return false;
	*most = hi > lo ? hi : lo;
	*len = end + 2;
	return true;
}

static struct err *repeat(struct reader *r, size_t most, size_t len)
{
	if (!r->atom)
		return wrong(r, "missing argument to repetition operator");
	if (most > SELECT_MAX_REPEAT || r->last * (most > 0 ? most : 1) > SELECT_MAX_REPEAT)
		return wrong(r, "invalid repeat count");
	r->last *= most > 0 ? most : 1;
	r->all += most > 1 ? r->last : 0;
	if (r->all * r->in.n > SELECT_MAX_EXPANDED)
		return refuse(r, "so many repetitions");
	buf_add(r->out, r->in.p + r->i, len);
	r->i += len;
	if (next_is(r, "?"))
		r->i++;
	if (next_is(r, "*") || next_is(r, "+") || next_is(r, "?"))
		return wrong(r, "invalid nested repetition operator");
	r->atom = false;
	return NULL;
}

static struct err *group(struct reader *r)
{
	if (r->depth + 1 == ARRAY_LEN(r->repeats))
		return wrong(r, "expression nests too deeply");
	r->i++;
	if (next_is(r, "?:"))
		r->i += 2;
	else if (next_is(r, "?"))
		return refuse(r, "a group with flags");
	buf_char(r->out, '(');
	r->repeats[++r->depth] = 1;
	r->atom = false;
	return NULL;
}

static struct err *close_group(struct reader *r)
{
	if (r->depth == 0)
		return wrong(r, "unexpected )");
	if (r->repeats[r->depth] < r->last)
		r->repeats[r->depth] = r->last;
	r->last = r->repeats[r->depth--];
	buf_char(r->out, ')');
	r->i++;
	r->atom = true;
	return NULL;
}

static struct err *translate_one(struct reader *r)
{
	char c = r->in.p[r->i];
	size_t most = 1, len = 1;

	if (r->repeats[r->depth] < r->last)
		r->repeats[r->depth] = r->last;
	switch (c) {
	case '\\':
		return escape(r);
	case '[':
		return bracket(r);
	case '(':
		return group(r);
	case ')':
		return close_group(r);
	case '*':
	case '+':
	case '?':
		return repeat(r, 1, 1);
	case '{':
		if (counts(r, &most, &len))
			return repeat(r, most, len);
		break;
	case '.':
		buf_str(r->out, STR("[^\n]"));
		break;
	case '^':
	case '$':
	case '|':
		buf_char(r->out, c);
		break;
	default:
		literal(r, c);
		break;
	}
	if (c == '{')
		literal(r, c);
	r->i++;
	r->atom = c != '^' && c != '$' && c != '|';
	r->last = 1;
	return NULL;
}

static struct err *translate(struct reader *r)
{
	if (next_is(r, "(?i)")) {
		r->any_case = true;
		r->i = 4;
	}
	while (!at_end(r))
		TRY(translate_one(r));
	return r->depth > 0 ? wrong(r, "missing closing )") : NULL;
}

static bool is_plain(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr(".[]{}()*+?^$|\\", s.p[i]))
			return false;
	return true;
}

struct err *regex_new(str re, const char *before, const char *after, loc at, struct regex **ret)
{
	CLEANUP(buf) struct buf out = BUF_INIT;
	struct reader r = {.in = re, .at = at, .out = &out, .last = 1};
	struct regex *x;
	char why[128];
	int rc;

	if (re.n > SELECT_MAX_REGEX)
		return err_at(ERR_LIMIT, at, "a regular expression of more than %u bytes",
			      SELECT_MAX_REGEX);
	if (str_eq(str_from(before), STR("^(")) && str_eq(str_from(after), STR(")$")) &&
	    is_plain(re)) {
		x = xcalloc(1, sizeof(*x));
		x->literal = xstrndup(re.p, re.n);
		x->literal_n = re.n;
		*ret = x;
		return NULL;
	}
	r.repeats[0] = 1;
	buf_str(&out, str_from(before));
	TRY(translate(&r));
	buf_str(&out, str_from(after));
	x = xcalloc(1, sizeof(*x));
	rc = regcomp(&x->rx, out.p, REG_EXTENDED | REG_NOSUB | (r.any_case ? REG_ICASE : 0));
	if (rc != 0) {
		regerror(rc, &x->rx, why, sizeof(why));
		free(x);
		return wrong(&r, why);
	}
	x->compiled = true;
	*ret = x;
	return NULL;
}

void regex_free(struct regex *re)
{
	if (!re)
		return;
	if (re->compiled)
		regfree(&re->rx);
	free(re->literal);
	free(re);
}

bool regex_matches(const struct regex *re, str s)
{
	regmatch_t m = {.rm_so = 0, .rm_eo = (regoff_t)s.n};

	if (re->literal)
		return str_eq(s, str_n(re->literal, re->literal_n));
	return regexec(&re->rx, s.n > 0 ? s.p : "", 1, &m, REG_STARTEND) == 0;
}
