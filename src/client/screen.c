/* screen: words, times, values and tables as interface.md 4 draws them. */
#include "client_priv.h"
#include <assert.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#define DAY (24 * HOUR)
#define CUT_LEAST 20u /* columns that a cut cell keeps */

/* ------------------------------------------------------------------ members */

str get(const struct node *map, const char *key)
{
	return node_get_text(map, str_from(key));
}

int64_t get_int(const struct node *map, const char *key, int64_t otherwise)
{
	int64_t n;

	return node_i64(node_get(map, str_from(key)), &n) ? n : otherwise;
}

bool get_bool(const struct node *map, const char *key)
{
	return node_bool(node_get(map, str_from(key)), false);
}

const struct node *get_list(const struct node *map, const char *key)
{
	const struct node *n = node_get(map, str_from(key));

	return n && n->kind == NODE_LIST && n->n ? n : NULL;
}

bool get_time(const struct node *map, const char *key, msec *ret)
{
	return time_parse(get(map, key), ret);
}

/* ------------------------------------------------------------------ words */

str say(struct client *c, str foreign)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_escaped(&b, foreign);
	return arena_str(c->a, buf_view(&b));
}

str sayf(struct client *c, const char *fmt, ...)
{
	va_list ap;
	str s;

	va_start(ap, fmt);
	s = arena_vprintf(c->a, fmt, ap);
	va_end(ap);
	return s;
}

static bool is_hex(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("0123456789abcdef", s.p[i]))
			return false;
	return s.n > 0;
}

str short_id(struct client *c, str commit)
{
	if (!commit.n)
		return STR("-");
	return is_hex(commit) && commit.n > 7 ? arena_str(c->a, str_sub(commit, 0, 7))
					      : say(c, commit);
}

str plan_id(struct client *c, str id)
{
	return is_hex(id) && id.n > 12 ? arena_str(c->a, str_sub(id, 0, 12)) : say(c, id);
}

str counted(struct client *c, int64_t n, const char *one, const char *many)
{
	return sayf(c, "%lld %s", (long long)n, n == 1 ? one : many);
}

static void local(msec t, struct tm *ret)
{
	time_t s = (time_t)(t / SECOND);

	localtime_r(&s, ret);
}

str day_of(struct client *c, msec t)
{
	struct tm tm;

	local(t, &tm);
	return sayf(c, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

str time_of_day(struct client *c, msec t)
{
	struct tm tm;

	local(t, &tm);
	return sayf(c, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

str clock_of(struct client *c, msec t, bool seconds)
{
	struct tm tm, now;

	local(t, &tm);
	local(c->now, &now);
	if (tm.tm_yday != now.tm_yday || tm.tm_year != now.tm_year)
		return day_of(c, t);
	return seconds ? time_of_day(c, t) : sayf(c, "%02d:%02d", tm.tm_hour, tm.tm_min);
}

str ago(struct client *c, msec t)
{
	msec d = c->now - t;

	if (d < SECOND)
		return STR("now");
	/* "2 d" is still said so, as the screens are drawn. */
	return d < 3 * DAY ? duration_format(c->a, d) : day_of(c, t);
}

/* Two units where the first is small: "2 min 40 s". */
str span(struct client *c, msec d)
{
	if (d < 0)
		d = 0;
	if (d >= MINUTE && d < 10 * MINUTE && d % MINUTE >= SECOND)
		return sayf(c, "%lld min %lld s", (long long)(d / MINUTE),
			    (long long)(d % MINUTE / SECOND));
	return duration_format(c->a, d);
}

str took(struct client *c, const struct node *map, const char *key)
{
	double s;

	if (!node_number(node_get(map, str_from(key)), &s) || !(s >= 0) || s > 1e9)
		return STR_NONE;
	return span(c, (msec)(s * 1000));
}

str by_whom(struct client *c, const struct node *revision)
{
	str signer = get(revision, "signer"), author = get(revision, "author");

	if (signer.n)
		return sayf(c, "(" STR_FMT ", signed)", STR_ARG(say(c, signer)));
	if (author.n)
		return sayf(c, "(" STR_FMT ", not verified)", STR_ARG(say(c, author)));
	return STR("");
}

str refusal_of(struct client *c, str message)
{
	size_t is = str_find(message, STR(" is "));

	if (!str_starts(message, STR("commit ")) || is == SIZE_MAX ||
	    !is_hex(str_sub(message, 7, is - 7)))
		return say(c, message);
	return say(c, str_sub(message, is + 4, SIZE_MAX));
}

str place_of(struct client *c, const struct node *origin)
{
	str file = get(origin, "file");
	int64_t line = get_int(origin, "line", 0);

	if (!file.n)
		return STR_NONE;
	return line > 0 ? sayf(c, STR_FMT ":%lld", STR_ARG(say(c, file)), (long long)line)
			: say(c, file);
}

str object_label(struct client *c, const struct node *object)
{
	str ns = get(object, "namespace");

	return sayf(c, STR_FMT " " STR_FMT "%s" STR_FMT, STR_ARG(say(c, get(object, "kind"))),
		    STR_ARG(say(c, ns)), ns.n ? "/" : "", STR_ARG(say(c, get(object, "name"))));
}

str object_short(struct client *c, const struct node *object)
{
	static const struct {
		const char *kind, *word;
	} words[] = {
		{"ConfigMap", "cm"},
		{"CronJob", "cj"},
		{"DaemonSet", "ds"},
		{"Deployment", "deploy"},
		{"Endpoints", "ep"},
		{"HorizontalPodAutoscaler", "hpa"},
		{"Ingress", "ing"},
		{"Namespace", "ns"},
		{"NetworkPolicy", "netpol"},
		{"PersistentVolumeClaim", "pvc"},
		{"PersistentVolume", "pv"},
		{"Pod", "po"},
		{"PodDisruptionBudget", "pdb"},
		{"ReplicaSet", "rs"},
		{"Service", "svc"},
		{"ServiceAccount", "sa"},
		{"StatefulSet", "sts"},
		{"StorageClass", "sc"},
		{"CustomResourceDefinition", "crd"},
	};
	str kind = get(object, "kind"), name = say(c, get(object, "name"));
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq(kind, str_from(words[i].kind)))
			return sayf(c, "%s/" STR_FMT, words[i].word, STR_ARG(name));
	for (size_t i = 0; i < kind.n; i++)
		buf_char(&b,
			 (char)(kind.p[i] >= 'A' && kind.p[i] <= 'Z' ? kind.p[i] + 32 : kind.p[i]));
	return sayf(c, STR_FMT "/" STR_FMT, STR_ARG(say(c, buf_view(&b))), STR_ARG(name));
}

static bool could_be_something_else(str s)
{
	static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "~"};
	bool digits = s.n > 0;

	if (!s.n || s.p[0] == ' ' || s.p[s.n - 1] == ' ' || s.p[0] == '"')
		return true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (s.n == strlen(words[i]) && !strncasecmp(s.p, words[i], s.n))
			return true;
	for (size_t i = 0; i < s.n; i++)
		digits = digits && strchr("0123456789.eE+-_xo", s.p[i]);
	return digits;
}

#define MAX_VALUE 200u /* bytes of one value on a screen that is no pipe */

str value_of(struct client *c, const struct node *v, str path)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	str hash;

	if (!v)
		return STR("(absent)");
	hash = get(v, "$hash");
	if (hash.n)
		return sayf(c, "<redacted:" STR_FMT ">", STR_ARG(say(c, str_sub(hash, 0, 8))));
	if (v->kind == NODE_STRING &&
	    (str_ends(path, STR("\"]")) || could_be_something_else(v->text))) {
		buf_json(&b, v->text);
		return say(c, buf_view(&b));
	}
	node_brief(v, c->width ? MAX_VALUE : SIZE_MAX, &b);
	return say(c, buf_view(&b));
}

enum cell_style style_of(str state)
{
	static const struct {
		const char *word;
		enum cell_style style;
	} words[] = {
		{"Synced", CELL_GOOD},      {"Healthy", CELL_GOOD},      {"Ready", CELL_GOOD},
		{"Failed", CELL_BAD},       {"Refused", CELL_BAD},       {"Degraded", CELL_BAD},
		{"Stalled", CELL_BAD},      {"Missing", CELL_BAD},       {"Waiting", CELL_WARN},
		{"Suspended", CELL_WARN},   {"Held", CELL_WARN},         {"Pinned", CELL_WARN},
		{"Quarantined", CELL_WARN}, {"Progressing", CELL_PLAIN},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq(state, str_from(words[i].word)))
			return words[i].style;
	return CELL_PLAIN;
}

void color_on(const struct client *c, enum cell_style s, struct buf *b)
{
	static const char *const codes[] = {
		[CELL_PLAIN] = "",       [CELL_GOOD] = "\x1b[32m", [CELL_WARN] = "\x1b[33m",
		[CELL_BAD] = "\x1b[31m", [CELL_FAINT] = "\x1b[2m", [CELL_BOLD] = "\x1b[1m",
	};

	if (c->color)
		buf_str(b, str_from(codes[s]));
}

void color_off(const struct client *c, enum cell_style s, struct buf *b)
{
	if (c->color && s != CELL_PLAIN)
		buf_str(b, STR("\x1b[0m"));
}

str common_prefix(struct client *c, const str *names, size_t n)
{
	size_t same = n ? names[0].n : 0;

	for (size_t i = 1; i < n; i++) {
		size_t k = 0;

		while (k < same && k < names[i].n && names[i].p[k] == names[0].p[k])
			k++;
		same = k;
	}
	while (same && names[0].p[same - 1] != '-' && names[0].p[same - 1] != '.')
		same--;
	return n > 1 && same > 1 ? arena_str(c->a, str_sub(names[0], 0, same)) : STR_NONE;
}

/* ------------------------------------------------------------------ tables */

/* Code points; the terminal is believed to give each one column. */
static size_t width_of(str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

struct table *table_new(struct arena *a, size_t columns)
{
	struct table *t = ARENA_NEW(a, struct table);

	assert(columns <= ARRAY_LEN(t->right));
	t->a = a;
	t->columns = columns;
	return t;
}

void table_add_styled(struct table *t, str text, enum cell_style style)
{
	*ARENA_PUSH(t->a, &t->cells) = (struct cell){text, style};
}

void table_add(struct table *t, str text)
{
	table_add_styled(t, text, CELL_PLAIN);
}

void table_end_row(struct table *t)
{
	while (t->cells.n % t->columns)
		table_add(t, STR(""));
}

/* The last cell of a row that has something in it. */
static size_t last_of(const struct cell *row, size_t columns)
{
	size_t last = columns;

	while (last > 1 && !row[last - 1].text.n)
		last--;
	return last - 1;
}

static void blanks(struct buf *b, size_t n)
{
	while (n--)
		buf_char(b, ' ');
}

/* At most `most` columns of s; "…" stands for the rest. */
static void cut(struct buf *b, str s, size_t most)
{
	size_t n = 0, i = 0;

	if (width_of(s) <= most) {
		buf_str(b, s);
		return;
	}
	while (i < s.n && n < most) {
		if (((unsigned char)s.p[i] & 0xc0) != 0x80 && ++n == most)
			break;
		i++;
	}
	buf_add(b, s.p, i);
	buf_str(b, STR("…"));
}

void table_print(const struct client *c, const struct table *t, const char *indent, struct buf *b)
{
	size_t widths[ARRAY_LEN(t->right)] = {0};

	for (size_t i = 0; i < t->columns; i++)
		widths[i] = t->least[i];
	for (size_t i = 0; i < t->cells.n; i += t->columns) {
		const struct cell *row = &t->cells.p[i];
		size_t last = last_of(row, t->columns);

		for (size_t k = 0; k < t->columns; k++) {
			size_t w = width_of(row[k].text);

			if (k < last || t->right[k])
				widths[k] = w > widths[k] ? w : widths[k];
		}
	}
	for (size_t i = 0; i < t->cells.n; i += t->columns) {
		const struct cell *row = &t->cells.p[i];
		size_t last = last_of(row, t->columns), at = strlen(indent);

		buf_str(b, str_from(indent));
		for (size_t k = 0; k <= last; k++) {
			size_t w = width_of(row[k].text), room = c->width > at ? c->width - at : 0;

			if (t->right[k] && widths[k] > w)
				blanks(b, widths[k] - w);
			color_on(c, row[k].style, b);
			if (k == last && c->width && w > room)
				cut(b, row[k].text, room > CUT_LEAST ? room : CUT_LEAST);
			else
				buf_str(b, row[k].text);
			color_off(c, row[k].style, b);
			if (k == last)
				break;
			if (!t->right[k] && widths[k] > w)
				blanks(b, widths[k] - w);
			buf_str(b, STR("  "));
			at += (widths[k] > w ? widths[k] : w) + 2;
		}
		buf_char(b, '\n');
	}
}
