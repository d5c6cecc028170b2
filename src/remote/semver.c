/* Versions and ranges, by the rules of Masterminds/semver 3, which Flux's ref.semver follows. */
#include "leeboard/remote.h"

#define MAX_RANGE 1024u /* bytes of a range */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

/* ------------------------------------------------------------------ a version */

/* A number without leading zeros; s is shortened to what follows. */
static bool take_number(str *s, uint64_t *ret)
{
	size_t n = 0;

	while (n < s->n && is_digit(s->p[n]))
		n++;
	if (n == 0 || (n > 1 && s->p[0] == '0') || !str_to_u64(str_sub(*s, 0, n), ret))
		return false;
	*s = str_sub(*s, n, SIZE_MAX);
	return true;
}

static bool take_char(str *s, char c)
{
	if (!s->n || s->p[0] != c)
		return false;
	*s = str_sub(*s, 1, SIZE_MAX);
	return true;
}

/* Words with dots between; numbers have no leading zeros when `strict`. */
static bool words_ok(str s, bool strict)
{
	str word, rest = s;

	if (!s.n || s.p[s.n - 1] == '.')
		return false;
	while (rest.n && str_split(&rest, '.', &word)) {
		bool number = true;

		if (!word.n)
			return false;
		for (size_t i = 0; i < word.n; i++) {
			if (!is_word(word.p[i]))
				return false;
			number = number && is_digit(word.p[i]);
		}
		if (strict && number && word.n > 1 && word.p[0] == '0')
			return false;
	}
	return true;
}

/* "-pre+meta", both optional, to the end. */
static bool take_rest(str s, str *pre, str *meta)
{
	size_t plus = str_chr(s, '+');

	*meta = plus == SIZE_MAX ? STR_NONE : str_sub(s, plus + 1, SIZE_MAX);
	if (plus != SIZE_MAX && !words_ok(*meta, false))
		return false;
	s = str_sub(s, 0, plus);
	*pre = STR_NONE;
	if (!s.n)
		return true;
	if (!take_char(&s, '-') || !words_ok(s, true))
		return false;
	*pre = s;
	return true;
}

bool remote_version_parse(str s, struct remote_version *ret)
{
	struct remote_version v;

	if (s.n > MAX_RANGE)
		return false;
	take_char(&s, 'v');
	if (!take_number(&s, &v.major) || !take_char(&s, '.') || !take_number(&s, &v.minor) ||
	    !take_char(&s, '.') || !take_number(&s, &v.patch) || !take_rest(s, &v.pre, &v.meta))
		return false;
	*ret = v;
	return true;
}

static int cmp_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static bool all_digits(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i]))
			return false;
	}
	return s.n > 0;
}

/* Numbers by value (no leading zeros: by length first) and below words; words by bytes. */
static int cmp_word(str a, str b)
{
	bool x = all_digits(a), y = all_digits(b);

	if (x != y)
		return x ? -1 : 1;
	if (x && a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return str_cmp(a, b);
}

static int cmp_pre(str a, str b)
{
	if (!a.n || !b.n) /* a release comes after its candidates */
		return a.n ? -1 : b.n ? 1 : 0;
	for (;;) {
		str x, y;
		int c;

		if (!a.n || !b.n)
			return a.n ? 1 : b.n ? -1 : 0;
		str_split(&a, '.', &x);
		str_split(&b, '.', &y);
		c = cmp_word(x, y);
		if (c)
			return c;
	}
}

int remote_version_cmp(const struct remote_version *a, const struct remote_version *b)
{
	int c = cmp_u64(a->major, b->major);

	if (!c)
		c = cmp_u64(a->minor, b->minor);
	if (!c)
		c = cmp_u64(a->patch, b->patch);
	return c ? c : cmp_pre(a->pre, b->pre);
}

/* ------------------------------------------------------------------ a range */

enum op { OP_NONE, OP_EQ, OP_NE, OP_GT, OP_LT, OP_GE, OP_LE, OP_TILDE, OP_CARET };
static const struct {
	str text;
	enum op op;
} ops[] = {
	{STR("!="), OP_NE}, {STR(">="), OP_GE},    {STR("=>"), OP_GE},   {STR("<="), OP_LE},
	{STR("=<"), OP_LE}, {STR("~>"), OP_TILDE}, {STR("~"), OP_TILDE}, {STR("^"), OP_CARET},
	{STR("="), OP_EQ},  {STR(">"), OP_GT},     {STR("<"), OP_LT},
};

struct test {
	enum op op;
	struct remote_version v;
	bool dirty, minor_dirty, patch_dirty; /* something, minor, patch was left open */
};
struct group { /* all of its tests must hold */
	struct test *p;
	size_t n, cap;
	bool pre; /* one of them names a pre-release: then pre-releases count */
};
struct remote_range {
	struct group *p; /* one of them must */
	size_t n, cap;
};

/* One number of a partial version: digits, or x, X, * for any. */
static bool take_part(str *s, uint64_t *ret, bool *any)
{
	*any = false;
	if (s->n && (s->p[0] == 'x' || s->p[0] == 'X' || s->p[0] == '*')) {
		*s = str_sub(*s, 1, SIZE_MAX);
		*any = true;
		*ret = 0;
		return true;
	}
	return take_number(s, ret);
}

static bool test_parse(str s, enum op op, struct test *ret)
{
	struct test t = {.op = op};
	bool any, minor_any = false, patch_any = false, has_minor = false, has_patch = false;

	take_char(&s, 'v');
	if (!take_part(&s, &t.v.major, &any))
		return false;
	if (take_char(&s, '.')) {
		has_minor = true;
		if (!take_part(&s, &t.v.minor, &minor_any))
			return false;
	}
	if (has_minor && take_char(&s, '.')) {
		has_patch = true;
		if (!take_part(&s, &t.v.patch, &patch_any))
			return false;
	}
	if (!take_rest(s, &t.v.pre, &t.v.meta))
		return false;
	if (any) {
		t.dirty = true;
		t.v.minor = t.v.patch = 0;
	} else if (!has_minor || minor_any) {
		t.dirty = t.minor_dirty = true;
		t.v.minor = t.v.patch = 0;
	} else if (!has_patch || patch_any) {
		t.dirty = t.patch_dirty = true;
		t.v.patch = 0;
	}
	*ret = t;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t skip_blanks(str s, size_t i)
{
	while (i < s.n && is_blank(s.p[i]))
		i++;
	return i;
}

static str take_token(str s, size_t *i)
{
	size_t from = *i;

	while (*i < s.n && !is_blank(s.p[*i]) && s.p[*i] != ',' &&
	       !str_starts(str_sub(s, *i, 2), STR("||")))
		(*i)++;
	return str_sub(s, from, *i - from);
}

static struct err *bad_range(str s, size_t at)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_escaped(&b, s);
	return err_hint(err_new(ERR_INVALID, "'%s' is no range of versions: see column %zu",
				b.p ? b.p : "", at + 1),
			"'>=1.2 <2', '~1.4', '^2', '1.x' are some");
}

static void group_add(struct arena *a, struct group *g, struct test t)
{
	*ARENA_PUSH(a, g) = t;
	g->pre = g->pre || t.v.pre.n;
}

/* An operator, blanks, a partial version; or two versions with " - " between. */
static struct err *take_test(struct arena *a, str s, size_t *i, struct group *g)
{
	enum op op = OP_NONE;
	struct test t, upper;
	size_t at, k;

	for (k = 0; k < ARRAY_LEN(ops); k++) {
		if (str_starts(str_sub(s, *i, SIZE_MAX), ops[k].text)) {
			op = ops[k].op;
			*i = skip_blanks(s, *i + ops[k].text.n);
			break;
		}
	}
	at = *i;
	if (!test_parse(take_token(s, i), op, &t))
		return bad_range(s, at);
	k = skip_blanks(s, *i);
	if (op == OP_NONE && k > *i && k + 1 < s.n && s.p[k] == '-' && is_blank(s.p[k + 1])) {
		*i = skip_blanks(s, k + 1);
		at = *i;
		if (!test_parse(take_token(s, i), OP_LE, &upper))
			return bad_range(s, at);
		t.op = OP_GE;
		group_add(a, g, t);
		t = upper;
	}
	group_add(a, g, t);
	return NULL;
}

struct err *remote_range_parse(struct arena *a, str s, const struct remote_range **ret)
{
	struct remote_range *r = ARENA_NEW(a, struct remote_range);
	struct group g = {0};
	size_t i = 0;

	if (s.n > MAX_RANGE)
		return err_new(ERR_INVALID, "a range of versions longer than %u bytes", MAX_RANGE);
	s = arena_str(a, s);
	for (;;) {
		i = skip_blanks(s, i);
		if (g.n && i < s.n && s.p[i] == ',')
			i = skip_blanks(s, i + 1);
		else if (g.n && (i == s.n || str_starts(str_sub(s, i, 2), STR("||")))) {
			*ARENA_PUSH(a, r) = g;
			g = (struct group){0};
			if (i == s.n)
				break;
			i = skip_blanks(s, i + 2);
		}
		if (i == s.n)
			return bad_range(s, i);
		TRY(take_test(a, s, &i, &g));
	}
	*ret = r;
	return NULL;
}

/* ------------------------------------------------------------------ does it match? */

static bool tilde(const struct test *t, const struct remote_version *v)
{
	const struct remote_version *c = &t->v;

	if (remote_version_cmp(v, c) < 0)
		return false;
	/* ~0.0.0 stands for any version. */
	if (!c->major && !c->minor && !c->patch && !t->minor_dirty && !t->patch_dirty)
		return true;
	return v->major == c->major && (v->minor == c->minor || t->minor_dirty);
}

static bool caret(const struct test *t, const struct remote_version *v)
{
	const struct remote_version *c = &t->v;

	if (remote_version_cmp(v, c) < 0)
		return false;
	if (c->major || t->minor_dirty)
		return v->major == c->major;
	if (v->major)
		return false;
	if (c->minor || t->patch_dirty)
		return v->minor == c->minor;
	return !v->minor && v->patch == c->patch;
}

static bool greater(const struct test *t, const struct remote_version *v)
{
	if (!t->dirty)
		return remote_version_cmp(v, &t->v) > 0;
	if (v->major != t->v.major)
		return v->major > t->v.major;
	if (t->minor_dirty)
		return false;
	return t->patch_dirty ? v->minor > t->v.minor : remote_version_cmp(v, &t->v) > 0;
}

static bool at_most(const struct test *t, const struct remote_version *v)
{
	if (!t->dirty)
		return remote_version_cmp(v, &t->v) <= 0;
	if (v->major > t->v.major)
		return false;
	return v->major != t->v.major || v->minor <= t->v.minor || t->minor_dirty;
}

static bool differs(const struct test *t, const struct remote_version *v)
{
	if (!t->dirty)
		return remote_version_cmp(v, &t->v) != 0;
	if (v->major != t->v.major)
		return true;
	if (t->minor_dirty)
		return false;
	if (v->minor != t->v.minor)
		return true;
	return !t->patch_dirty && v->patch != t->v.patch;
}

static bool holds(const struct test *t, const struct remote_version *v)
{
	switch (t->op) {
	case OP_NONE:
	case OP_EQ:
		return t->dirty ? tilde(t, v) : remote_version_cmp(v, &t->v) == 0;
	case OP_NE:
		return differs(t, v);
	case OP_GT:
		return greater(t, v);
	case OP_LT:
		return remote_version_cmp(v, &t->v) < 0;
	case OP_GE:
		return remote_version_cmp(v, &t->v) >= 0;
	case OP_LE:
		return at_most(t, v);
	case OP_TILDE:
		return tilde(t, v);
	case OP_CARET:
		return caret(t, v);
	}
	return false;
}

bool remote_range_matches(const struct remote_range *r, const struct remote_version *v)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct group *g = &r->p[i];
		bool all = !v->pre.n || g->pre;

		for (size_t k = 0; k < g->n && all; k++)
			all = holds(&g->p[k], v);
		if (all)
			return true;
	}
	return false;
}
