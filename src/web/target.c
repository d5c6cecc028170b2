/* target: what a request asks for, from the bytes that a stranger sent. Nothing here knows of
 * connections, so it is fuzzed by itself. */
#include "web_priv.h"
#include <strings.h>

#define MAX_SEGMENTS 6u

static const struct row {
	const char *path; /* N stands for a name */
	bool post;
	enum web_route route;
	enum sync_verb verb;
	const char *kind, *what;
} rows[] = {
#define GET false
#define POST true
#define X(id, method, path, acts, kind, what)                                                      \
	{"api/v1/" path, method, WEB_ASK, SYNC_##id, kind, what},
	SYNC_ASKS(X)
#undef X
		{"api/v1/stream", GET, WEB_STREAM, SYNC_VERBS, "text/event-stream",
		 "events as they happen (`id` is their number), and `progress` of syncs; goes on "
		 "behind "
		 "Last-Event-ID or `after`"},
	{"hook/N", POST, WEB_HOOK, SYNC_VERBS, "-", "a webhook of Source N's forge, signed"},
	{"healthz", GET, WEB_HEALTHZ, SYNC_VERBS, "text", "200: the loop turns"},
	{"readyz", GET, WEB_READYZ, SYNC_VERBS, "text",
	 "200: documents are read and every Source was tried once; else 503"},
	{"metrics", GET, WEB_METRICS, SYNC_VERBS, "text", "for Prometheus"},
#undef GET
#undef POST
};

void web_reference(struct buf *b)
{
	buf_str(b,
		STR("# HTTP\n\nMade from the tables in `include/leeboard/sync.h` and "
		    "`src/web/target.c`.\n\n"
		    "The control socket and `http.listen` speak the same HTTP/1.1. On the socket "
		    "the "
		    "kernel says who asks: root, the daemon's\nuser and the socket's group do all, "
		    "`socket.readGroup` reads. Over http reading needs `http.readToken` as a "
		    "bearer "
		    "token\n(on a loopback address it may be missing), and nothing acts. A name in "
		    "a "
		    "path is one part: `/` in it is `%2F`. Answers are\nJSON documents; "
		    "`Leeboard-Exit` "
		    "is what a command exits with. Errors are documents of kind Error.\n\n"
		    "| path | answers with | |\n| --- | --- | --- |\n"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_printf(b, "| `%s /%s` | %s | ", rows[i].post ? "POST" : "GET", rows[i].path,
			   rows[i].kind);
		for (const char *s = rows[i].what; *s; s++) {
			if (*s == '|')
				buf_char(b, '\\');
			buf_char(b, *s);
		}
		buf_str(b, STR(" |\n"));
	}
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* RFC 3986 2.1; `plus`: as forms do. False: a bad escape, or no text. */
static bool decode(struct arena *a, str s, bool plus, str *ret)
{
	char *p = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%') {
			int hi = i + 2 < s.n ? hex(s.p[i + 1]) : -1;
			int lo = i + 2 < s.n ? hex(s.p[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return false;
			p[n++] = (char)(hi * 16 + lo);
			i += 2;
		} else {
			p[n++] = plus && s.p[i] == '+' ? ' ' : s.p[i];
		}
	}
	*ret = str_n(p, n);
	return str_utf8_bad(*ret) == SIZE_MAX;
}

struct segments {
	str p[MAX_SEGMENTS];
	size_t n;
};

static bool matches(const char *path, const struct segments *s, str *name)
{
	str rest = str_from(path), part;
	size_t i = 0;

	*name = STR_NONE;
	for (; str_split(&rest, '/', &part); i++) {
		if (i == s->n)
			return false;
		if (str_eq(part, STR("N")))
			*name = s->p[i];
		else if (!str_eq(part, s->p[i]))
			return false;
	}
	return i == s->n && (!name->p || name->n);
}

static const char *read_query(struct arena *a, str query, const struct node **ret)
{
	struct node_pairs v = {0};
	str part;

	while (str_split(&query, '&', &part)) {
		size_t eq = str_chr(part, '=');
		str key, value;

		if (!part.n)
			continue;
		if (!decode(a, str_sub(part, 0, eq), true, &key) ||
		    !decode(a, eq == SIZE_MAX ? STR("") : str_sub(part, eq + 1, SIZE_MAX), true,
			    &value))
			return "the query has a bad %-escape, or is not UTF-8";
		for (size_t i = 0; i < v.n; i++)
			if (str_eq(v.p[i].key, key))
				return "the query gives a parameter twice";
		if (v.n == WEB_MAX_ARGS)
			return "the query has too many parameters";
		node_pairs_add(a, &v, key, node_new_str(a, value));
	}
	*ret = v.n ? node_new_map(a, v.p, v.n) : NULL;
	return NULL;
}

unsigned web_target_read(struct arena *a, str uri, bool post, struct web_target *ret,
			 const char **allow, const char **why)
{
	size_t mark = str_chr(uri, '?');
	str path = str_sub(uri, 0, mark), part, name;
	struct segments s = {.n = 0};
	bool get = false, known = false;

	*why = "there is nothing at this path";
	if (!path.n || path.p[0] != '/')
		return 404;
	path = str_sub(path, 1, SIZE_MAX);
	while (str_split(&path, '/', &part)) {
		if (s.n == MAX_SEGMENTS)
			return 404;
		if (!decode(a, part, false, &s.p[s.n])) {
			*why = "the path has a bad %-escape, or is not UTF-8";
			return 400;
		}
		if (s.p[s.n++].n > WEB_MAX_NAME)
			return 404;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!matches(rows[i].path, &s, &name))
			continue;
		known = true;
		get = get || !rows[i].post;
		if (rows[i].post != post)
			continue;
		*ret = (struct web_target){rows[i].route, rows[i].verb, post, name, NULL};
		*why = mark == SIZE_MAX
			       ? NULL
			       : read_query(a, str_sub(uri, mark + 1, SIZE_MAX), &ret->args);
		return *why ? 400 : 200;
	}
	if (!known)
		return 404;
	*why = "this path takes another method";
	*allow = get ? "GET, HEAD" : "POST";
	return 405;
}

struct err *web_body_read(struct arena *a, const struct text *body, const struct node **ret)
{
	const struct node *n;

	*ret = NULL;
	if (!str_trim(body->bytes).n)
		return NULL;
	TRY(node_read_json(a, body, &n));
	if (n->kind != NODE_MAP)
		return err_at(ERR_WRONG_TYPE, n->at, "the body must be a map, it is %s",
			      node_kind_name(n->kind));
	*ret = n;
	return NULL;
}

str web_bearer(str header)
{
	str word = str_sub(header, 0, 7);

	if (word.n != 7 || strncasecmp(word.p, "bearer ", 7) != 0)
		return STR_NONE;
	return str_trim(str_sub(header, 7, SIZE_MAX));
}

bool web_host_is_local(str header)
{
	str host = str_trim(header), parts;
	size_t colon = str_rchr(host, ':');
	uint64_t n;

	if (str_starts(host, STR("[")))
		return str_eq(host, STR("[::1]")) || str_starts(host, STR("[::1]:"));
	host = str_sub(host, 0, colon);
	if (host.n == 9 && !strncasecmp(host.p, "localhost", 9))
		return true;
	if (!str_starts(host, STR("127.")))
		return false;
	parts = host;
	for (size_t i = 0; i < 4; i++) {
		str part;

		if (!str_split(&parts, '.', &part) || !part.n || !str_to_u64(part, &n) || n > 255)
			return false;
	}
	return !parts.n;
}
