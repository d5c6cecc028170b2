/* log: one line, one event, one write. */
#include "leeboard/base.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct log {
	int fd;
	enum log_format format;
	enum log_level most;
	char *traces; /* ",render,diff,"; NULL: none */
};

static const struct {
	const char *name;
	char journal; /* sd-daemon(3): the priority that journald reads off the line */
} levels[] = {
	[LOG_ERROR] = {"error", '3'},
	[LOG_WARN] = {"warn", '4'},
	[LOG_INFO] = {"info", '6'},
	[LOG_DEBUG] = {"debug", '7'},
};

struct log *log_new(int fd, enum log_format f, enum log_level most)
{
	struct log *l = xcalloc(1, sizeof(*l));

	l->fd = fd;
	log_set(l, f, most);
	return l;
}

void log_free(struct log *l)
{
	if (!l)
		return;
	free(l->traces);
	free(l);
}

void log_set(struct log *l, enum log_format f, enum log_level most)
{
	l->format = f;
	l->most = most;
}

static bool is_bare(str v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] == '=' || v.p[i] == '"' || v.p[i] == '\\' ||
		    v.p[i] == 0x7f)
			return false; /* a char above 0x7f is negative: quoted as well */
	return v.n > 0;
}

/* Quotes and backslashes are escaped, the white space of C by its letter, the rest as \xHH. */
static void quoted(struct buf *b, str v)
{
	buf_char(b, '"');
	for (;;) {
		size_t i = 0;

		while (i < v.n && !strchr("\"\\\n\r\t", v.p[i]))
			i++;
		buf_escaped(b, str_sub(v, 0, i));
		if (i == v.n)
			break;
		buf_char(b, '\\');
		if (v.p[i] == '\n')
			buf_char(b, 'n');
		else if (v.p[i] == '\r')
			buf_char(b, 'r');
		else if (v.p[i] == '\t')
			buf_char(b, 't');
		else
			buf_char(b, v.p[i]);
		v = str_sub(v, i + 1, SIZE_MAX);
	}
	buf_char(b, '"');
}

static void pair(const struct log *l, struct buf *b, const char *key, const char *value)
{
	if (l->format == LOG_JSON) {
		buf_char(b, b->n ? ',' : '{');
		buf_json(b, str_from(key));
		buf_char(b, ':');
		buf_json(b, str_from(value));
		return;
	}
	/* "<6>" needs no blank after it. */
	if (b->n && b->p[b->n - 1] != '>')
		buf_char(b, ' ');
	buf_printf(b, "%s=", key);
	if (is_bare(str_from(value)))
		buf_str(b, str_from(value));
	else
		quoted(b, str_from(value));
}

/* journald keeps time and level itself. */
static void line_start(const struct log *l, struct buf *b, enum log_level lv)
{
	CLEANUP(arena) struct arena *a = NULL;

	if (l->format == LOG_JOURNAL) {
		buf_printf(b, "<%c>", levels[lv].journal);
		return;
	}
	a = arena_new();
	pair(l, b, "time", time_rfc3339(a, time_wall(), true).p);
	pair(l, b, "level", levels[lv].name);
}

/* Nobody can be told that the log is gone, so a failed write is dropped. */
static void line_end(const struct log *l, struct buf *b)
{
	str rest;

	if (l->format == LOG_JSON)
		buf_char(b, '}');
	buf_char(b, '\n');
	rest = buf_view(b);
	while (rest.n) {
		ssize_t put = write(l->fd, rest.p, rest.n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return;
		rest = str_sub(rest, (size_t)put, SIZE_MAX);
	}
}

void log_event(struct log *l, enum log_level lv, const char *event, ...)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	const char *key;
	va_list ap;

	if (!l || lv > l->most)
		return;
	line_start(l, &b, lv);
	pair(l, &b, "event", event);
	va_start(ap, event);
	while ((key = va_arg(ap, const char *))) {
		const char *value = va_arg(ap, const char *);

		if (value)
			pair(l, &b, key, value);
	}
	va_end(ap);
	line_end(l, &b);
}

void log_trace_set(struct log *l, str subjects)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	str part;

	free(l->traces);
	l->traces = NULL;
	while (str_split(&subjects, ',', &part)) {
		part = str_trim(part);
		if (!part.n)
			continue;
		if (!b.n)
			buf_char(&b, ',');
		buf_str(&b, part);
		buf_char(&b, ',');
	}
	if (b.n)
		l->traces = buf_take(&b);
}

static bool traces_list(const struct log *l, str subject)
{
	str rest = str_from(l->traces), part;

	while (str_split(&rest, ',', &part))
		if (part.n && (str_eq(part, subject) || str_eq(part, STR("all"))))
			return true;
	return false;
}

bool log_traces(const struct log *l, const char *subject)
{
	return l && l->traces && traces_list(l, str_from(subject));
}

void log_trace(struct log *l, const char *subject, const char *fmt, ...)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	CLEANUP(buf) struct buf b = BUF_INIT;
	va_list ap;

	if (!log_traces(l, subject))
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	line_start(l, &b, LOG_DEBUG);
	pair(l, &b, "trace", subject);
	pair(l, &b, "text", buf_view(&text).p);
	line_end(l, &b);
}
