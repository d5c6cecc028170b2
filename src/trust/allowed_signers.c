/* OpenSSH's allowed_signers file, read more strictly than OpenSSH does: one bad line refuses the
 * file, because a line that is skipped silently drops a signer or a restriction (trust.md 2.6). */
#include "trust_priv.h"
#include <stdlib.h>
#include <time.h>

#define NEVER INT64_MAX
#define ALWAYS INT64_MIN

struct signer {
	str principals;
	str namespaces; /* pattern list; empty: all */
	bool restricted;
	int64_t after, before; /* seconds, both inclusive */
	str key;
	uint32_t next; /* of the same bucket, index + 1; 0: none */
};
struct trust_signers {
	struct arena *a;
	struct {
		struct signer *p;
		size_t n, cap;
	} all;
	struct {
		str *p;
		size_t n, cap;
	} warnings;
	uint32_t *buckets; /* index + 1 */
	size_t buckets_n;
};
/* One line, being read. */
struct line {
	struct arena *a;
	const struct text *file;
	str whole, rest;
	uint32_t number;
	struct trust_signers *into;
};

struct trust_signers *trust_signers_new(void)
{
	struct trust_signers *s = xcalloc(1, sizeof(*s));

	s->a = arena_new();
	return s;
}

void trust_signers_free(struct trust_signers *s)
{
	if (!s)
		return;
	arena_free(s->a);
	free(s);
}

static loc place(const struct line *l, const char *p)
{
	uint32_t col = 1;

	for (const char *c = l->whole.p; c < p; c++)
		col += ((unsigned char)*c & 0xc0) != 0x80;
	return (loc){l->file, l->number, col};
}

static void skip_blanks(struct line *l)
{
	while (str_starts(l->rest, STR(" ")) || str_starts(l->rest, STR("\t")))
		l->rest = str_sub(l->rest, 1, SIZE_MAX);
}

/* Up to a blank outside double quotes; false when a quote is left open. */
static bool word(struct line *l, str *ret)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < l->rest.n; i++) {
		char c = l->rest.p[i];

		if (c == '"')
			quoted = !quoted;
		else if (c == '\\' && quoted && i + 1 < l->rest.n)
			i++;
		else if (!quoted && (c == ' ' || c == '\t'))
			break;
	}
	*ret = str_sub(l->rest, 0, i);
	l->rest = str_sub(l->rest, i, SIZE_MAX);
	skip_blanks(l);
	return !quoted;
}

static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = y / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int two(str s, size_t at)
{
	return (s.p[at] - '0') * 10 + s.p[at + 1] - '0';
}

static bool time_fields(str s, struct tm *tm)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year;

	if (s.n != 8 && s.n != 12 && s.n != 14)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	year = two(s, 0) * 100 + two(s, 2);
	*tm = (struct tm){.tm_year = year - 1900, .tm_mon = two(s, 4) - 1, .tm_mday = two(s, 6)};
	if (s.n >= 12) {
		tm->tm_hour = two(s, 8);
		tm->tm_min = two(s, 10);
	}
	if (s.n == 14)
		tm->tm_sec = two(s, 12);
	return year >= 1970 && tm->tm_mon >= 0 && tm->tm_mon < 12 && tm->tm_mday >= 1 &&
	       tm->tm_mday <= days[tm->tm_mon] &&
	       (tm->tm_mon != 1 || tm->tm_mday < 29 ||
		(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))) &&
	       tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 60;
}

/* YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z]. */
static bool time_of(str s, int64_t *ret, bool *utc)
{
	struct tm tm;
	time_t t;

	*utc = str_ends(s, STR("Z"));
	if (!time_fields(str_sub(s, 0, s.n - *utc), &tm))
		return false;
	if (*utc) {
		*ret = days_from_civil(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) * 86400 +
		       (int64_t)tm.tm_hour * 3600 + (int64_t)tm.tm_min * 60 + tm.tm_sec;
		return true;
	}
	tm.tm_isdst = -1;
	t = mktime(&tm);
	*ret = t;
	return t != (time_t)-1;
}

static bool same_name(str a, str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if ((a.p[i] >= 'A' && a.p[i] <= 'Z' ? a.p[i] + 32 : a.p[i]) != b.p[i])
			return false;
	return true;
}

static struct err *option_time(struct line *l, str name, str value, const char *at, bool *seen,
			       int64_t *ret)
{
	bool utc;

	if (*seen)
		return err_at(ERR_DUPLICATE, place(l, at), "'" STR_FMT "' twice", STR_ARG(name));
	*seen = true;
	if (!time_of(value, ret, &utc))
		return err_at(ERR_INVALID, place(l, at),
			      "'" STR_FMT "' must be YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z]",
			      STR_ARG(name));
	if (!utc)
		*ARENA_PUSH(l->into->a, &l->into->warnings) =
			arena_printf(l->into->a,
				     STR_FMT ":%u: '" STR_FMT
					     "' without Z is in this machine's time zone: write Z",
				     STR_ARG(l->file->name), l->number, STR_ARG(name));
	return NULL;
}

struct options {
	bool after, before;
};

static struct err *option(struct line *l, str o, struct signer *s, struct options *seen)
{
	size_t eq = str_chr(o, '=');
	str name = str_sub(o, 0, eq), value;
	const char *at = o.p;

	if (same_name(name, STR("cert-authority")))
		return err_at(ERR_NOT_SUPPORTED, place(l, at),
			      "'cert-authority' is not supported yet");
	if (!same_name(name, STR("namespaces")) && !same_name(name, STR("valid-after")) &&
	    !same_name(name, STR("valid-before")))
		return err_at(ERR_UNKNOWN_KEY, place(l, at), "unknown option '" STR_FMT "'",
			      STR_ARG(name));
	value = eq == SIZE_MAX ? STR_NONE : str_sub(o, eq + 1, SIZE_MAX);
	if (value.n < 2 || value.p[0] != '"' || value.p[value.n - 1] != '"')
		return err_at(ERR_SYNTAX, place(l, at), "'" STR_FMT "' needs a value in quotes",
			      STR_ARG(name));
	value = str_sub(value, 1, value.n - 2);
	if (str_chr(value, '"') != SIZE_MAX || str_chr(value, '\\') != SIZE_MAX)
		return err_at(ERR_SYNTAX, place(l, at), "a quote or backslash inside '" STR_FMT "'",
			      STR_ARG(name));
	if (same_name(name, STR("valid-after")))
		return option_time(l, name, value, at, &seen->after, &s->after);
	if (same_name(name, STR("valid-before")))
		return option_time(l, name, value, at, &seen->before, &s->before);
	if (s->restricted)
		return err_at(ERR_DUPLICATE, place(l, at), "'" STR_FMT "' twice", STR_ARG(name));
	if (value.n == 0)
		return err_at(ERR_INVALID, place(l, at), "'namespaces' is empty");
	s->restricted = true;
	s->namespaces = value;
	return NULL;
}

/* Commas outside quotes part the options. */
static struct err *options(struct line *l, str all, struct signer *s)
{
	struct options seen = {0};
	bool quoted = false;
	size_t from = 0;

	for (size_t i = 0; i <= all.n; i++) {
		if (i < all.n && all.p[i] == '"')
			quoted = !quoted;
		if (i < all.n && (quoted || all.p[i] != ','))
			continue;
		TRY(option(l, str_sub(all, from, i - from), s, &seen));
		from = i + 1;
	}
	if (s->before <= s->after)
		return err_at(ERR_INVALID, place(l, all.p),
			      "'valid-before' must be later than 'valid-after'");
	return NULL;
}

static struct err *key_read(struct line *l, str type, str base64, struct signer *s)
{
	CLEANUP(buf) struct buf blob = BUF_INIT;
	const struct key_type *t = key_type_get(type);

	if (str_eq(type, STR("openpgp")))
		return err_at(ERR_NOT_SUPPORTED, place(l, type.p),
			      "OpenPGP keys are not supported yet");
	if (!t)
		return err_at(ERR_INVALID, place(l, type.p), "unknown key type '" STR_FMT "'",
			      STR_ARG(type));
	switch (t->use) {
	case KEY_VERIFIED:
	case KEY_UNSUPPORTED:
		break;
	case KEY_WEAK:
		return err_at(ERR_INVALID, place(l, type.p), "%s", t->detail);
	case KEY_CERTIFICATE:
		return err_at(ERR_INVALID, place(l, type.p),
			      "a certificate cannot be listed: list its authority");
	}
	if (base64.n == 0)
		return err_at(ERR_SYNTAX, place(l, type.p + type.n), "no key after its type");
	if (!buf_unbase64(&blob, base64, false) || !key_blob_ok(t, buf_view(&blob)))
		return err_at(ERR_INVALID, place(l, base64.p),
			      "this is no '" STR_FMT "' public key", STR_ARG(type));
	s->key = arena_str(l->into->a, buf_view(&blob));
	return NULL;
}

static struct err *principals_read(struct line *l, struct signer *s)
{
	const char *at = l->rest.p;
	str p, one, rest;

	if (!word(l, &p))
		return err_at(ERR_SYNTAX, place(l, at), "a quote is left open");
	if (p.n >= 2 && p.p[0] == '"' && p.p[p.n - 1] == '"')
		p = str_sub(p, 1, p.n - 2);
	if (str_chr(p, '"') != SIZE_MAX)
		return err_at(ERR_SYNTAX, place(l, at), "a quote inside the principals");
	rest = p;
	if (p.n == 0 || str_ends(p, STR(",")))
		return err_at(ERR_SYNTAX, place(l, at), "an empty principal");
	while (str_split(&rest, ',', &one))
		if (one.n == 0 || str_eq(one, STR("!")))
			return err_at(ERR_SYNTAX, place(l, at), "an empty principal");
	s->principals = p;
	return NULL;
}

static struct err *line_read(struct line *l)
{
	struct signer s = {.after = ALWAYS, .before = NEVER};
	const char *at;
	str type, key;

	TRY(principals_read(l, &s));
	at = l->rest.p;
	if (!word(l, &type))
		return err_at(ERR_SYNTAX, place(l, at), "a quote is left open");
	if (type.n == 0)
		return err_at(ERR_SYNTAX, place(l, at), "no key after the principals");
	if (!key_type_get(type) && l->rest.n &&
	    (str_chr(type, '=') != SIZE_MAX || str_chr(type, ',') != SIZE_MAX ||
	     same_name(type, STR("cert-authority")))) {
		TRY(options(l, type, &s));
		at = l->rest.p;
		if (!word(l, &type))
			return err_at(ERR_SYNTAX, place(l, at), "a quote is left open");
	}
	at = l->rest.p;
	if (!word(l, &key))
		return err_at(ERR_SYNTAX, place(l, at), "a quote is left open");
	TRY(key_read(l, type, key, &s));
	if (l->into->all.n == TRUST_MAX_SIGNERS)
		return err_at(ERR_LIMIT, place(l, l->whole.p), "more than %u signers",
			      TRUST_MAX_SIGNERS);
	s.principals = arena_str(l->into->a, s.principals);
	s.namespaces = arena_str(l->into->a, s.namespaces);
	*ARENA_PUSH(l->into->a, &l->into->all) = s;
	return NULL;
}

static void reindex(struct trust_signers *s)
{
	s->buckets_n = 16;
	while (s->buckets_n < s->all.n * 2)
		s->buckets_n *= 2;
	s->buckets = ARENA_ARRAY(s->a, uint32_t, s->buckets_n);
	/* From the end, so that a bucket holds its lines in the order of the file. */
	for (size_t i = s->all.n; i-- > 0;) {
		uint32_t *head = &s->buckets[str_hash(s->all.p[i].key) & (s->buckets_n - 1)];

		s->all.p[i].next = *head;
		*head = (uint32_t)i + 1;
	}
}

struct err *trust_signers_add(struct trust_signers *s, const struct text *file)
{
	struct line l = {.a = s->a, .file = file, .into = s};
	size_t had = s->all.n, warned = s->warnings.n, bad = str_utf8_bad(file->bytes);
	CLEANUP(err) struct err *all = NULL;
	str rest = file->bytes;

	if (file->bytes.n > TRUST_MAX_SIGNERS_FILE)
		return err_at(ERR_LIMIT, (loc){file, 0, 0}, "the file is larger than 4 MiB");
	if (bad != SIZE_MAX) {
		uint32_t number = 1;

		for (size_t i = 0; i < bad; i++)
			number += file->bytes.p[i] == '\n';
		return err_at(ERR_SYNTAX, (loc){file, number, 1}, "the line is not valid UTF-8");
	}
	while (str_split(&rest, '\n', &l.whole)) {
		l.number++;
		l.rest = l.whole;
		if (str_ends(l.rest, STR("\r")))
			l.rest.n--;
		skip_blanks(&l);
		if (l.rest.n == 0 || l.rest.p[0] == '#')
			continue;
		all = err_join(all, line_read(&l));
		if (err_count(all) == 20) /* enough to see what is wrong with it */
			break;
	}
	if (all) {
		s->all.n = had;
		s->warnings.n = warned;
		return STEAL(all);
	}
	reindex(s);
	return NULL;
}

size_t trust_signers_count(const struct trust_signers *s)
{
	return s->all.n;
}

const str *trust_signers_warnings(const struct trust_signers *s, size_t *n)
{
	*n = s->warnings.n;
	return s->warnings.p;
}

/* "*" any run, "?" one byte. Backs up to the last star only: at worst pattern times name. */
static bool glob(str pattern, str name)
{
	size_t p = 0, n = 0, star = SIZE_MAX, mark = 0;

	while (n < name.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			mark = n;
		} else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == name.p[n])) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

bool trust_principals_match(str patterns, str name)
{
	bool hit = false;
	str one;

	while (str_split(&patterns, ',', &one)) {
		if (str_starts(one, STR("!"))) {
			if (glob(str_sub(one, 1, SIZE_MAX), name))
				return false;
		} else if (glob(one, name)) {
			hit = true;
		}
	}
	return hit;
}

static enum trust_verdict signer_judge(const struct signer *s, str namespace, const int64_t *times,
				       size_t times_n, const char **detail)
{
	if (s->restricted && !trust_principals_match(s->namespaces, namespace)) {
		*detail = "the key is listed for other namespaces only";
		return TRUST_KEY_NOT_ALLOWED;
	}
	for (size_t i = 0; i < times_n; i++) {
		if (times[i] > s->before) {
			*detail = "the key is past its valid-before";
			return TRUST_KEY_EXPIRED;
		}
	}
	for (size_t i = 0; i < times_n; i++) {
		if (times[i] < s->after) {
			*detail = "the key is not valid yet: valid-after";
			return TRUST_SIGNATURE_TIME;
		}
	}
	*detail = "";
	return TRUST_GOOD;
}

enum trust_verdict trust_signers_judge(const struct trust_signers *s, str key, str namespace,
				       const int64_t *times, size_t times_n, str *principal,
				       const char **detail)
{
	enum trust_verdict best = TRUST_KEY_NOT_ALLOWED;
	uint32_t at = s->buckets_n ? s->buckets[str_hash(key) & (s->buckets_n - 1)] : 0;

	*principal = STR_NONE;
	*detail = "no line lists the key";
	for (; at; at = s->all.p[at - 1].next) {
		const struct signer *line = &s->all.p[at - 1];
		enum trust_verdict v;
		const char *why;

		if (!str_eq(line->key, key))
			continue;
		v = signer_judge(line, namespace, times, times_n, &why);
		if (v == TRUST_GOOD || best == TRUST_KEY_NOT_ALLOWED) {
			best = v;
			*detail = why;
			*principal = line->principals;
		}
		if (v == TRUST_GOOD)
			break;
	}
	return best;
}
