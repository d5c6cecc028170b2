/* One map below spec by the rows of the table, into its struct. */
#include "config_priv.h"

#include <stdlib.h>
#include <strings.h>

/* ------------------------------------------------------------------ mistakes */

void mistake_take(struct parse *p, struct err *e)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers */
	*ARENA_PUSH(p->a, &p->errs) = e;
	if (p->now)
		p->now->bad = true;
}

void mistake(struct parse *p, enum err_code c, loc at, const char *fmt, ...)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	mistake_take(p, err_at(c, at, "%s", b.p ? b.p : ""));
}

void warning(struct parse *p, loc at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str m = arena_vprintf(p->a, fmt, ap);
	va_end(ap);
	*ARENA_PUSH(p->a, &p->c->warnings) = (struct config_warning){at, m};
}

str did_you_mean(struct parse *p, str s, const str *names, size_t n)
{
	str near = str_nearest(s, names, n);

	/* An abbreviation is far by letters and near in meaning: 'label' for 'labelSelector'. */
	for (size_t i = 0; i < n && near.n == 0 && s.n >= 3; i++)
		if (str_starts(names[i], s))
			near = names[i];
	return near.n ? arena_printf(p->a, ", did you mean '" STR_FMT "'?", STR_ARG(near))
		      : STR("");
}

str joined(struct arena *a, const str *names, size_t n)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		buf_str(&b, i ? STR(", ") : STR(""));
		buf_str(&b, names[i]);
	}
	return arena_str(a, buf_view(&b));
}

/* The value of a scalar as written, for messages. */
static str as_written(struct parse *p, const struct node *v)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (v->kind != NODE_LIST && v->kind != NODE_MAP && v->kind != NODE_NULL)
		return v->text;
	node_brief(v, 60, &b);
	return arena_str(p->a, buf_view(&b));
}

void read_keys(struct parse *p, const struct node *map, const char *where, const str *known,
	       size_t n)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct node_pair *pair = &map->pairs[i];
		bool found = false;

		for (size_t k = 0; k < n && !found; k++)
			found = str_eq(pair->key, known[k]);
		if (!found)
			mistake(p, ERR_UNKNOWN_KEY, pair->key_at,
				"unknown key '" STR_FMT "'%s" STR_FMT, STR_ARG(pair->key), where,
				STR_ARG(did_you_mean(p, pair->key, known, n)));
	}
}

/* ------------------------------------------------------------------ values */

bool config_name_ok(str s)
{
	if (s.n == 0 || s.n > 63 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
		      s.p[i] == '-'))
			return false;
	return true;
}

static bool is_hex(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return s.n == 40 || s.n == 64;
}

/* Beside the document, below home for "~/", or as it is. */
static str path_of(struct parse *p, loc at, str s)
{
	if (str_starts(s, STR("~/")) && p->home.n)
		return arena_printf(p->a, STR_FMT "/" STR_FMT, STR_ARG(p->home),
				    STR_ARG(str_sub(s, 2, SIZE_MAX)));
	size_t slash = at.in ? str_rchr(at.in->name, '/') : SIZE_MAX;

	if (s.p[0] == '/' || slash == SIZE_MAX)
		return arena_str(p->a, s);
	return arena_printf(p->a, STR_FMT "/" STR_FMT, STR_ARG(str_sub(at.in->name, 0, slash)),
			    STR_ARG(s));
}

static void read_duration(struct parse *p, const struct field *f, const struct node *v, msec *ret)
{
	str s = as_written(p, v);
	msec d;

	if (v->kind == NODE_LIST || v->kind == NODE_MAP || !duration_parse(s, &d)) {
		uint64_t bare;

		if (str_to_u64(s, &bare))
			mistake(p, ERR_INVALID, v->at,
				"'" STR_FMT "' is no duration: write '" STR_FMT "s' or '" STR_FMT
				"m'",
				STR_ARG(s), STR_ARG(s), STR_ARG(s));
		else
			mistake(p, ERR_INVALID, v->at,
				"'" STR_FMT "' is no duration: write one like '15s' or '1h30m'",
				STR_ARG(s));
		return;
	}
	if (d > 8760 * HOUR || (d < SECOND && !(d == 0 && f->flags & ZERO))) {
		mistake(p, ERR_INVALID, v->at, "'" STR_FMT "' is out of range: from 1s to 8760h%s",
			STR_ARG(s), f->flags & ZERO ? ", or 0s" : "");
		return;
	}
	*ret = d;
}

/* "64Mi" and "1G"; false when it is none. */
static bool size_of(str s, int64_t *ret)
{
	static const struct {
		str end;
		uint64_t times;
	} units[] = {{{"Ki", 2}, 1ull << 10}, {{"Mi", 2}, 1ull << 20}, {{"Gi", 2}, 1ull << 30},
		     {{"k", 1}, 1000},        {{"M", 1}, 1000000},     {{"G", 1}, 1000000000}};
	uint64_t times = 1, n;

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (times == 1 && str_ends(s, units[i].end)) {
			times = units[i].times;
			s = str_sub(s, 0, s.n - units[i].end.n);
		}
	if (!str_to_u64(s, &n) || n == 0 || n > (1ull << 50) / times)
		return false;
	*ret = (int64_t)(n * times);
	return true;
}

static void read_int(struct parse *p, const struct field *f, const char *shown,
		     const struct node *v, int64_t *ret)
{
	str rest = str_from(f->values), low, high;
	int64_t n, from = 0, to = INT64_MAX;

	if (str_split(&rest, '.', &low) && str_split(&rest, '.', &high)) {
		(void)str_to_i64(low, &from);
		(void)str_to_i64(rest, &to);
	}
	if (v->kind != NODE_INT)
		mistake(p, ERR_WRONG_TYPE, v->at, "'%s' must be an integer: write '%s'", shown,
			f->example);
	else if (!node_i64(v, &n) || n < from || n > to)
		mistake(p, ERR_INVALID, v->at, "'" STR_FMT "' is out of range: from %lld to %lld",
			STR_ARG(v->text), (long long)from, (long long)to);
	else
		*ret = n;
}

/* Which of the values s is: its index, or -1 after a message. */
static int read_word(struct parse *p, const struct field *f, const char *shown,
		     const struct node *v)
{
	str s = as_written(p, v), rest = str_from(f->values), word;
	str names[16];
	size_t n = 0;

	for (int i = 0; str_split(&rest, ' ', &word); i++) {
		bool later = word.p[0] == '!';

		if (later)
			word = str_sub(word, 1, SIZE_MAX);
		else if (n < ARRAY_LEN(names))
			names[n++] = word;
		if (!str_eq(word, s))
			continue;
		if (!later)
			return i;
		mistake(p, ERR_NOT_SUPPORTED, v->at, "'%s: " STR_FMT "' is not supported yet",
			shown, STR_ARG(s));
		return -1;
	}
	if (strcmp(f->path, "drift.mode") == 0 && str_eq(s, STR("alert"))) {
		mistake(p, ERR_INVALID, v->at,
			"'alert' is no mode: 'detect' alerts and does not write");
		return -1;
	}
	mistake(p, ERR_INVALID, v->at, "'" STR_FMT "' is not one of " STR_FMT STR_FMT, STR_ARG(s),
		STR_ARG(joined(p->a, names, n)), STR_ARG(did_you_mean(p, s, names, n)));
	return -1;
}

static void read_url(struct parse *p, const struct node *v, struct source *s)
{
	str u = v->text;
	size_t scheme = str_find(u, STR("://"));
	str rest = scheme == SIZE_MAX ? u : str_sub(u, scheme + 3, SIZE_MAX);
	size_t slash = str_chr(rest, '/');
	str host = slash == SIZE_MAX ? rest : str_sub(rest, 0, slash);
	str kind = scheme == SIZE_MAX ? STR_NONE : str_sub(u, 0, scheme);
	bool web = str_eq(kind, STR("https")) || str_eq(kind, STR("http"));

	s->url = u;
	if (scheme == SIZE_MAX && str_chr(u, ':') != SIZE_MAX && u.p[0] != '/' && u.p[0] != '.') {
		if (str_chr(u, '@') == SIZE_MAX)
			mistake(p, ERR_INVALID, v->at,
				"'" STR_FMT "' is no url: write 'git@HOST:PATH'", STR_ARG(u));
		return;
	}
	if (scheme == SIZE_MAX || str_eq(kind, STR("file"))) {
		s->local = true;
		if (p->carrier == CONFIG_GUEST) {
			mistake(p, ERR_OPERATOR_ONLY, v->at,
				"a local 'url' is for documents from the operator's files");
			return;
		}
		s->url = path_of(p, v->at, scheme == SIZE_MAX ? u : rest);
		return;
	}
	if (!web && !str_eq(kind, STR("ssh"))) {
		mistake(p, ERR_INVALID, v->at,
			"'" STR_FMT "' is no scheme of a url: https, http, ssh", STR_ARG(kind));
		return;
	}
	size_t at = str_rchr(host, '@');

	if (at != SIZE_MAX && (web || str_chr(str_sub(host, 0, at), ':') != SIZE_MAX))
		mistake(p, ERR_INVALID, v->at, "credentials in the url: move them to 'auth'");
	else if (str_chr(rest, '?') != SIZE_MAX || str_chr(rest, '#') != SIZE_MAX)
		mistake(p, ERR_INVALID, v->at, "a url here has no query and no fragment");
	else if (host.n == 0)
		mistake(p, ERR_INVALID, v->at, "'" STR_FMT "' names no host", STR_ARG(u));
}

static void read_object(struct parse *p, const struct node *v, struct app_dep *d)
{
	static const struct {
		const char *kind, *api;
	} known[] = {{"Deployment", "apps/v1"},
		     {"StatefulSet", "apps/v1"},
		     {"DaemonSet", "apps/v1"},
		     {"ReplicaSet", "apps/v1"},
		     {"Job", "batch/v1"},
		     {"CronJob", "batch/v1"},
		     {"Namespace", "/v1"},
		     {"ConfigMap", "/v1"},
		     {"Secret", "/v1"},
		     {"Service", "/v1"},
		     {"Pod", "/v1"},
		     {"PersistentVolumeClaim", "/v1"},
		     {"ServiceAccount", "/v1"}};
	str part[5], rest = v->text, word;
	size_t n = 0;

	while (n < 6 && str_split(&rest, '/', &word)) {
		if (n < 5)
			part[n] = word;
		n++;
	}
	if (n == 5 && part[1].n && part[2].n && part[3].n && part[4].n) {
		d->object_text = v->text;
		d->object_version = part[1];
		d->object = (obj_id){.group = part[0],
				     .kind = part[2],
				     .ns = str_eq(part[3], STR("-")) ? STR("") : part[3],
				     .name = part[4]};
		return;
	}
	const char *api = "GROUP/VERSION";
	str kind = n == 2 || n == 3 ? part[0] : STR("KIND");

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(kind, str_from(known[i].kind)))
			api = known[i].api;
	str ns = n == 3 ? part[1] : str_eq(kind, STR("Namespace")) ? STR("-") : STR("NAMESPACE");
	str name = n == 2 ? part[1] : n == 3 ? part[2] : STR("NAME");

	mistake(p, ERR_INVALID, v->at,
		"'" STR_FMT "' names no object: write '%s/" STR_FMT "/" STR_FMT "/" STR_FMT "'",
		STR_ARG(v->text), api, STR_ARG(kind), STR_ARG(ns), STR_ARG(name));
}

static void read_ref(struct parse *p, const struct field *f, const struct node *v,
		     struct config_ref *r)
{
	static const str kinds[] = {
		{"file", 4}, {"env", 3}, {"credential", 10}, {"exec", 4}, {"secretRef", 9}};

	if (v->kind != NODE_MAP) {
		mistake(p, ERR_WRONG_TYPE, v->at,
			"a secret must come from file, env, credential, exec or secretRef");
		return;
	}
	read_keys(p, v, "", kinds, ARRAY_LEN(kinds));
	const struct node_pair *one = NULL;

	for (size_t i = 0; i < v->n; i++)
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			if (!str_eq(v->pairs[i].key, kinds[k]))
				continue;
			if (one) {
				mistake(p, ERR_INVALID, v->pairs[i].key_at,
					"'" STR_FMT "' beside '" STR_FMT
					"': a secret comes from one place",
					STR_ARG(kinds[k]), STR_ARG(one->key));
				return;
			}
			one = &v->pairs[i];
			r->kind = (enum config_ref_kind)(k + REF_FILE);
		}
	r->at = v->at;
	r->open = f->flags & PUB;
	if (!one) {
		if (v->n == 0)
			mistake(p, ERR_MISSING, v->at,
				"a secret must come from file, env, credential, exec or secretRef");
		return;
	}
	if (r->kind != REF_SECRET && p->carrier == CONFIG_GUEST) {
		mistake(p, ERR_OPERATOR_ONLY, one->key_at,
			"'%s." STR_FMT "' is for documents from the operator's files", f->path,
			STR_ARG(one->key));
		return;
	}
	if (r->kind == REF_EXEC) {
		mistake(p, ERR_NOT_SUPPORTED, one->key_at, "'exec' is not supported yet");
		return;
	}
	if (r->kind == REF_SECRET) {
		static const str keys[] = {{"name", 4}, {"key", 3}};

		if (one->value->kind != NODE_MAP) {
			mistake(p, ERR_WRONG_TYPE, one->value->at,
				"'secretRef' is a map: write 'secretRef: {name: NAME, key: KEY}'");
			return;
		}
		read_keys(p, one->value, "", keys, 2);
		r->name = node_get_text(one->value, STR("name"));
		r->key = node_get_text(one->value, STR("key"));
		if (r->name.n == 0 || r->key.n == 0)
			mistake(p, ERR_MISSING, one->value->at,
				"'secretRef' needs a name and a key: write "
				"'secretRef: {name: NAME, key: KEY}'");
		return;
	}
	if (one->value->kind != NODE_STRING || one->value->text.n == 0) {
		mistake(p, ERR_WRONG_TYPE, one->value->at, "'" STR_FMT "' must be text",
			STR_ARG(one->key));
		return;
	}
	r->value = arena_str(p->a, one->value->text);
	if (r->kind == REF_FILE)
		r->value = path_of(p, v->at, r->value);
	if (r->kind == REF_CREDENTIAL &&
	    (str_chr(r->value, '/') != SIZE_MAX || r->value.p[0] == '.'))
		mistake(p, ERR_INVALID, one->value->at, "'" STR_FMT "' is no name of a credential",
			STR_ARG(r->value));
}

static void read_target(struct parse *p, const struct node *v, struct config_target *t)
{
	static const str keys[] = {{"group", 5},
				   {"version", 7},
				   {"kind", 4},
				   {"name", 4},
				   {"namespace", 9},
				   {"labelSelector", 13},
				   {"annotationSelector", 18}};
	str *to[] = {&t->group,
		     &t->version,
		     &t->kind,
		     &t->name,
		     &t->namespace,
		     &t->label_selector,
		     &t->annotation_selector};

	t->at = v->at;
	if (v->kind != NODE_MAP) {
		mistake(p, ERR_WRONG_TYPE, v->at,
			"a target is a map: write '{kind: Deployment, name: web}'");
		return;
	}
	read_keys(p, v, "", keys, ARRAY_LEN(keys));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct node *n = node_get(v, keys[i]);

		if (n && n->kind != NODE_STRING)
			mistake(p, ERR_WRONG_TYPE, n->at, "'" STR_FMT "' must be text",
				STR_ARG(keys[i]));
		else
			*to[i] = node_text(n);
	}
}

static void read_pointer(struct parse *p, const struct node *v)
{
	if (v->text.n && v->text.p[0] == '/')
		return;
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < v->text.n; i++)
		buf_char(&b, (char)(v->text.p[i] == '.' ? '/' : v->text.p[i]));
	mistake(p, ERR_INVALID, v->at, "'" STR_FMT "' is no JSON pointer: write '%s" STR_FMT "'",
		STR_ARG(v->text), str_starts(buf_view(&b), STR("/")) ? "" : "/",
		STR_ARG(buf_view(&b)));
}

static void read_glob(struct parse *p, const struct node *v)
{
	const char *bad = config_glob_bad(v->text);

	if (bad)
		mistake(p, ERR_INVALID, v->at, "'" STR_FMT "' is no glob: %s", STR_ARG(v->text),
			bad);
}

static const str event_names[] = {
#define E(s)                                                                                       \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}
	E("source.accepted"),   E("source.refused"),     E("source.released"),
	E("source.untrusted"),  E("source.trusted"),     E("source.unreachable"),
	E("source.stale"),      E("source.recovered"),   E("sync.started"),
	E("sync.finished"),     E("sync.failed"),        E("sync.recovered"),
	E("sync.waiting"),      E("sync.released"),      E("sync.rolledback"),
	E("health.degraded"),   E("health.recovered"),   E("drift.found"),
	E("drift.healed"),      E("drift.gone"),         E("drift.adopted"),
	E("drift.overwritten"), E("drift.fight"),        E("drift.settled"),
	E("app.orphaned"),      E("app.conflict"),       E("app.settled"),
	E("hold.started"),      E("hold.ended"),         E("hold.expired"),
	E("suspend.started"),   E("suspend.reminder"),   E("suspend.ended"),
	E("person.approved"),   E("person.allowed"),     E("config.refused"),
	E("config.accepted"),   E("target.unreachable"), E("target.recovered"),
	E("alert.failed"),      E("alert.recovered"),    E("daemon.started"),
	E("daemon.stopped"),    E("daemon.leader"),      E("daemon.alive"),
#undef E
};

static void read_event(struct parse *p, const struct node *v)
{
	static const str groups[] = {{"source.*", 8},  {"sync.*", 6},   {"health.*", 8},
				     {"drift.*", 7},   {"app.*", 5},    {"hold.*", 6},
				     {"suspend.*", 9}, {"person.*", 8}, {"config.*", 8},
				     {"target.*", 8},  {"alert.*", 7},  {"daemon.*", 8}};
	str names[ARRAY_LEN(event_names) + ARRAY_LEN(groups)];
	size_t n = 0;

	if (config_glob_bad(v->text)) {
		read_glob(p, v);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(event_names); i++) {
		if (config_glob(v->text, event_names[i]))
			return;
		names[n++] = event_names[i];
	}
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		names[n++] = groups[i];
	mistake(p, ERR_INVALID, v->at, "no event matches '" STR_FMT "'" STR_FMT, STR_ARG(v->text),
		STR_ARG(did_you_mean(p, v->text, names, n)));
}

static void read_kind(struct parse *p, const struct node *v)
{
	static const struct {
		const char *as, *kind;
	} shorts[] = {{"pvc", "PersistentVolumeClaim"},
		      {"pv", "PersistentVolume"},
		      {"ns", "Namespace"},
		      {"crd", "CustomResourceDefinition"},
		      {"sts", "StatefulSet"},
		      {"deploy", "Deployment"},
		      {"ds", "DaemonSet"},
		      {"cm", "ConfigMap"},
		      {"svc", "Service"},
		      {"sa", "ServiceAccount"},
		      {"ing", "Ingress"},
		      {"hpa", "HorizontalPodAutoscaler"}};
	str s = v->text;

	for (size_t i = 0; i < ARRAY_LEN(shorts); i++)
		if (s.n == strlen(shorts[i].as) && strncasecmp(s.p, shorts[i].as, s.n) == 0) {
			mistake(p, ERR_INVALID, v->at, "no kind '" STR_FMT "': write '%s'",
				STR_ARG(s), shorts[i].kind);
			return;
		}
	if (s.n == 0 || s.p[0] < 'A' || s.p[0] > 'Z')
		mistake(p, ERR_INVALID, v->at,
			"no kind '" STR_FMT "': kinds are written like 'ConfigMap'", STR_ARG(s));
}

/* ------------------------------------------------------------------ lists and maps */

static bool must_be(struct parse *p, const struct field *f, const char *shown, const struct node *v,
		    enum node_kind k)
{
	if (v->kind == k)
		return true;
	if (k == NODE_LIST)
		mistake(p, ERR_WRONG_TYPE, v->at, "'%s' must be a list: write '%s'", shown,
			f->example);
	else if (k == NODE_MAP)
		mistake(p, ERR_WRONG_TYPE, v->at, "'%s' is a map: write '%s'", shown, f->example);
	else
		mistake(p, ERR_WRONG_TYPE, v->at, "'%s' must be %s: write '%s'", shown,
			k == NODE_STRING ? "text" : "true or false", f->example);
	return false;
}

static void read_texts(struct parse *p, const struct field *f, const char *shown,
		       const struct node *v, struct config_texts *ret)
{
	if (!must_be(p, f, shown, v, NODE_LIST))
		return;
	*ret = (struct config_texts){NULL, 0, 0};
	for (size_t i = 0; i < v->n; i++) {
		const struct node *item = v->items[i];

		if (item->kind != NODE_STRING) {
			mistake(p, ERR_WRONG_TYPE, item->at, "an entry of '%s' must be text",
				shown);
			continue;
		}
		*ARENA_PUSH(p->a, ret) = item->text;
		switch (f->type) {
		case F_GLOBS:
			read_glob(p, item);
			break;
		case F_EVENTS:
			read_event(p, item);
			break;
		case F_KINDS:
			read_kind(p, item);
			break;
		case F_POINTERS:
			read_pointer(p, item);
			break;
		case F_ABSPATHS:
			if (item->text.n == 0 || item->text.p[0] != '/')
				mistake(p, ERR_INVALID, item->at,
					"'" STR_FMT "' must be an absolute path",
					STR_ARG(item->text));
			break;
		default: /* plain text: nothing to hold it against */
			break;
		}
	}
}

static void read_text_map(struct parse *p, const struct field *f, const char *shown,
			  const struct node *v, const struct node **ret)
{
	if (!must_be(p, f, shown, v, NODE_MAP))
		return;
	if (f->type == F_NOTES && v->n > 16)
		mistake(p, ERR_LIMIT, v->at, "'%s' has %u texts: at most 16 of 256 bytes", shown,
			v->n);
	for (size_t i = 0; i < v->n; i++) {
		const struct node *item = v->pairs[i].value;

		if (item->kind != NODE_STRING)
			mistake(p, ERR_WRONG_TYPE, item->at, "'" STR_FMT "' must be text: quote it",
				STR_ARG(v->pairs[i].key));
		else if (f->type == F_NOTES && item->text.n > 256)
			mistake(p, ERR_LIMIT, item->at,
				"'" STR_FMT "' has %zu bytes: at most 16 texts of 256 bytes",
				STR_ARG(v->pairs[i].key), item->text.n);
	}
	*ret = v;
}

/* Lists of maps that the renderer reads: here only that their keys exist. */
static void read_maps(struct parse *p, const struct field *f, const char *shown,
		      const struct node *v, const struct node **ret)
{
	str rest = str_from(f->values), keys[8];
	size_t n = 0;

	if (!must_be(p, f, shown, v, NODE_LIST))
		return;
	while (n < ARRAY_LEN(keys) && str_split(&rest, ' ', &keys[n]))
		n++;
	for (size_t i = 0; i < v->n; i++) {
		if (v->items[i]->kind != NODE_MAP) {
			mistake(p, ERR_WRONG_TYPE, v->items[i]->at,
				"an entry of '%s' is a map: write '%s'", shown, f->example);
			continue;
		}
		CLEANUP(buf) struct buf where = BUF_INIT;

		buf_printf(&where, " in '%s'", shown);
		read_keys(p, v->items[i], where.p, keys, n);
	}
	*ret = v;
}

/* Elements of a list of maps, each by its rows below path "[].". */
#define READ_LIST(p, f, v, list)                                                                   \
	for (size_t i_ = 0; i_ < (v)->n; i_++) {                                                   \
		const struct node *item_ = (v)->items[i_];                                         \
		__typeof__((list)->p) new_ = ARENA_PUSH((p)->a, (list));                           \
		memset(new_, 0, sizeof(*new_));                                                    \
		new_->at = item_->at;                                                              \
		str prefix_ = arena_printf((p)->a, "%s.", (f)->path);                              \
		read_defaults((p), (f)->kind, prefix_.p, new_);                                    \
		read_map((p), (f)->kind, prefix_.p, item_, new_, false);                           \
	}

/* The Daemon's targets: each as an App's `target`, and who may use it. */
static void read_target_map(struct parse *p, const struct field *f, const char *shown,
			    const struct node *v, struct daemon_targets *ret)
{
	static const struct field apps = {.type = F_GLOBS,
					  .example = "targets: {manifests: {directory: "
						     "/srv/manifests, apps: ['web-*']}}"};

	if (!must_be(p, f, shown, v, NODE_MAP))
		return;
	for (size_t i = 0; i < v->n; i++) {
		const struct node_pair *pair = &v->pairs[i];
		struct daemon_target *t;
		struct app *as_app = ARENA_NEW(p->a, struct app);

		if (!config_name_ok(pair->key))
			mistake(p, ERR_INVALID, pair->key_at,
				"'" STR_FMT
				"' is no name: lower case letters, digits and '-', at most 63",
				STR_ARG(pair->key));
		t = ARENA_PUSH(p->a, ret);
		memset(t, 0, sizeof(*t));
		if (!must_be(p, f, "targets", pair->value, NODE_MAP))
			continue;
		const struct node *who = node_get(pair->value, STR("apps"));

		if (who)
			read_texts(p, &apps, "apps", who, &t->apps);
		read_defaults(p, KIND_APP, "target.", as_app);
		read_map(p, KIND_APP, "target.", node_del(p->a, pair->value, STR("apps")), as_app,
			 false);
		check_target(p, pair->value, pair->value->at, &as_app->target);
		if (as_app->target.kind == TARGET_NAME)
			mistake(p, ERR_INVALID, pair->value->at,
				"target '" STR_FMT "' names another: write what it is",
				STR_ARG(pair->key));
		t->target = as_app->target;
		t->target.name = pair->key;
	}
}

/* ------------------------------------------------------------------ one field */

void read_value(struct parse *p, const struct field *f, const char *shown, const struct node *v,
		void *base)
{
	void *to = (char *)base + f->at;
	str *text = to;

	switch (f->type) {
	case F_TEXT:
	case F_NAME:
	case F_URL:
	case F_HEX:
	case F_PATH:
	case F_SUBPATH:
	case F_LISTEN:
	case F_OBJECT:
		if (!must_be(p, f, shown, v, NODE_STRING))
			return;
		if (v->text.n == 0) {
			mistake(p, ERR_INVALID, v->at, "'%s' is empty", shown);
			return;
		}
		*text = v->text;
		if (f->type == F_NAME && !config_name_ok(v->text))
			mistake(p, ERR_INVALID, v->at,
				"'" STR_FMT
				"' is no name: lower case letters, digits and '-', at most 63",
				STR_ARG(v->text));
		if (f->type == F_HEX && !is_hex(v->text))
			mistake(p, ERR_INVALID, v->at,
				"'" STR_FMT "' is no commit: write all 40 or 64 hex digits",
				STR_ARG(v->text));
		if (f->type == F_URL)
			read_url(p, v, base);
		if (f->type == F_PATH)
			*text = path_of(p, v->at, v->text);
		if (f->type == F_OBJECT)
			read_object(p, v, base);
		return;
	case F_DURATION:
		read_duration(p, f, v, to);
		return;
	case F_BOOL:
		if (must_be(p, f, shown, v, NODE_BOOL))
			*(bool *)to = node_bool(v, false);
		return;
	case F_INT:
		read_int(p, f, shown, v, to);
		return;
	case F_SIZE:
		if ((v->kind != NODE_STRING && v->kind != NODE_INT) || !size_of(v->text, to))
			mistake(p, ERR_INVALID, v->at,
				"'" STR_FMT "' is no size: write one like '64Mi'",
				STR_ARG(as_written(p, v)));
		return;
	case F_MODE: {
		CLEANUP(buf) struct buf digits = BUF_INIT;
		char *end = NULL;

		buf_str(&digits, as_written(p, v));
		long n = digits.n ? strtol(digits.p, &end, 8) : -1;

		if (n < 0 || n > 0777 || *end || digits.n > 4)
			mistake(p, ERR_INVALID, v->at,
				"'" STR_FMT "' is no octal mode: write one like '0660'",
				STR_ARG(as_written(p, v)));
		else
			*(int64_t *)to = n;
		return;
	}
	case F_ENUM: {
		int i = read_word(p, f, shown, v);

		if (i >= 0)
			*(int *)to = i;
		return;
	}
	case F_ENUMS: {
		uint32_t bits = 0;

		if (!must_be(p, f, shown, v, NODE_LIST))
			return;
		for (size_t k = 0; k < v->n; k++) {
			int i = read_word(p, f, shown, v->items[k]);

			if (i >= 0)
				bits |= 1u << i;
		}
		*(uint32_t *)to = bits;
		return;
	}
	case F_TEXTS:
	case F_GLOBS:
	case F_EVENTS:
	case F_KINDS:
	case F_POINTERS:
	case F_ABSPATHS:
		read_texts(p, f, shown, v, to);
		return;
	case F_KEYS:
		((struct policy *)base)->keys_node = v;
		read_texts(p, f, shown, v, to);
		return;
	case F_TEXTLIST: {
		struct config_texts unused;

		read_texts(p, f, shown, v, &unused);
		*(const struct node **)to = v;
		return;
	}
	case F_TEXTMAP:
	case F_NOTES:
		read_text_map(p, f, shown, v, to);
		return;
	case F_MAPS:
		read_maps(p, f, shown, v, to);
		return;
	case F_REF:
		read_ref(p, f, v, to);
		return;
	case F_TARGET:
		read_target(p, v, to);
		return;
	case F_TARGETS: {
		struct config_targets *list = to;

		if (!must_be(p, f, shown, v, NODE_LIST))
			return;
		for (size_t i = 0; i < v->n; i++) {
			struct config_target *t = ARENA_PUSH(p->a, list);

			memset(t, 0, sizeof(*t));
			read_target(p, v->items[i], t);
		}
		return;
	}
	case F_DEPS:
		if (must_be(p, f, shown, v, NODE_LIST))
			READ_LIST(p, f, v, (struct app_deps *)to);
		return;
	case F_IGNORES:
		if (must_be(p, f, shown, v, NODE_LIST))
			READ_LIST(p, f, v, (struct ignore_rules *)to);
		return;
	case F_TOS:
		if (must_be(p, f, shown, v, NODE_LIST))
			READ_LIST(p, f, v, (struct alert_tos *)to);
		return;
	case F_TARGETMAP:
		read_target_map(p, f, shown, v, to);
		return;
	case F_SPEC: {
		bool app = strcmp(f->path, "defaults.app") == 0;
		void *tmp = app ? (void *)ARENA_NEW(p->a, struct app)
				: (void *)ARENA_NEW(p->a, struct source);
		size_t before = p->errs.n;

		if (!must_be(p, f, shown, v, NODE_MAP))
			return;
		read_map(p, app ? KIND_APP : KIND_SOURCE, "", v, tmp, true);
		/* Bad defaults would repeat their mistakes in each document. */
		if (p->errs.n == before)
			*(const struct node **)to = v;
		return;
	}
	case F_LATER:
		return;
	}
}

/* ------------------------------------------------------------------ a map */

/* The key that follows prefix in the row's path; empty: none does. */
static str next_key(const struct field *f, enum kind k, const char *prefix)
{
	size_t n = strlen(prefix), end;

	if (f->kind != k || strncmp(f->path, prefix, n) != 0)
		return STR_NONE;
	for (end = n; f->path[end] && f->path[end] != '.' && f->path[end] != '['; end++)
		;
	return str_n(f->path + n, end - n);
}

/* What lies below path: how many rows, how many built, how many for all carriers; the first built.
 */
struct below {
	size_t n, built, open;
	const struct field *first;
};
static struct below rows_below(enum kind k, const char *path)
{
	struct below r = {0, 0, 0, NULL};

	for (size_t i = 0; i < config_fields_n; i++) {
		const struct field *f = &config_fields[i];

		if (f->kind != k || !field_below(f, path))
			continue;
		r.n++;
		r.built += f->type != F_LATER;
		r.open += !(f->flags & OP);
		if (!r.first && f->type != F_LATER)
			r.first = f;
	}
	return r;
}

static void unknown_key(struct parse *p, enum kind k, const char *prefix,
			const struct node_pair *pair)
{
	str names[64];
	size_t n = 0;

	if (str_eq(pair->key, STR("insecureSkipVerify")) ||
	    str_eq(pair->key, STR("insecureSkipTLSVerify"))) {
		mistake(p, ERR_UNKNOWN_KEY, pair->key_at,
			"'" STR_FMT "' does not exist: give 'tls.ca'", STR_ARG(pair->key));
		return;
	}
	for (size_t i = 0; i < config_fields_n && n < ARRAY_LEN(names); i++) {
		str key = next_key(&config_fields[i], k, prefix);

		if (key.n && !(n && str_eq(names[n - 1], key)))
			names[n++] = key;
	}
	str near = did_you_mean(p, pair->key, names, n);

	if (*prefix)
		mistake(p, ERR_UNKNOWN_KEY, pair->key_at,
			"unknown key '" STR_FMT "' in '%.*s'" STR_FMT, STR_ARG(pair->key),
			(int)strlen(prefix) - 1, prefix, STR_ARG(near));
	else
		mistake(p, ERR_UNKNOWN_KEY, pair->key_at, "unknown key '" STR_FMT "' in %s" STR_FMT,
			STR_ARG(pair->key), config_kinds[k], STR_ARG(near));
}

void read_map(struct parse *p, enum kind k, const char *prefix, const struct node *map, void *base,
	      bool partial)
{
	if (map->kind != NODE_MAP) {
		mistake(p, ERR_WRONG_TYPE, map->at, "an entry of '%.*s' must be a map",
			(int)strlen(prefix) - (strlen(prefix) > 3 ? 3 : 0), prefix);
		return;
	}
	for (size_t i = 0; i < map->n; i++) {
		const struct node_pair *pair = &map->pairs[i];
		bool odd = pair->key.n == 0 || str_chr(pair->key, '.') != SIZE_MAX ||
			   str_chr(pair->key, '[') != SIZE_MAX;
		str path = arena_printf(p->a, "%s" STR_FMT, prefix, STR_ARG(pair->key));
		struct below below = rows_below(k, path.p);
		const struct field *f = field_find(k, path.p);

		if (odd || below.n == 0) {
			unknown_key(p, k, prefix, pair);
		} else if (p->carrier == CONFIG_GUEST && (f ? f->flags & OP : !below.open)) {
			mistake(p, ERR_OPERATOR_ONLY, pair->key_at,
				"'" STR_FMT "' is for documents from the operator's files",
				STR_ARG(path));
		} else if (below.built == 0) {
			mistake(p, ERR_NOT_SUPPORTED, pair->key_at,
				"'" STR_FMT "' is not supported yet", STR_ARG(path));
		} else if (f) {
			read_value(p, f, arena_str(p->a, pair->key).p, pair->value, base);
		} else if (must_be(p, below.first, path.p, pair->value, NODE_MAP)) {
			/* Rows are at most five deep, so this is too. */
			read_map(p, k, arena_printf(p->a, STR_FMT ".", STR_ARG(path)).p,
				 pair->value, base, partial);
		}
	}
	if (partial)
		return;
	for (size_t i = 0; i < config_fields_n; i++) {
		const struct field *f = &config_fields[i];
		str key = next_key(f, k, prefix);

		if (!(f->flags & REQ) || key.n == 0 || node_get(map, key))
			continue;
		if (k == KIND_SOURCE && str_eq(key, STR("url")) && node_get(map, STR("bundle")))
			continue; /* stands in its place */
		const char *end = f->path + strlen(prefix) + key.n;

		if (*end == 0 || strcmp(end, "[]") == 0)
			mistake(p, ERR_MISSING, map->at, "no '%.*s': write '%s'",
				(int)(end - f->path), f->path, f->example);
	}
}

void read_defaults(struct parse *p, enum kind k, const char *prefix, void *base)
{
	size_t skip = strlen(prefix);

	for (size_t i = 0; i < config_fields_n; i++) {
		const struct field *f = &config_fields[i];
		void *to = (char *)base + f->at;

		if (f->kind != k || strncmp(f->path, prefix, skip) != 0 || !*f->def ||
		    *f->def == '(' || strchr(f->path + skip, '['))
			continue;
		str def = str_from(f->def), rest = def, word;
		struct config_texts *list = to;

		switch (f->type) {
		case F_DURATION:
			(void)duration_parse(def, to);
			break;
		case F_BOOL:
			*(bool *)to = str_eq(def, STR("true"));
			break;
		case F_INT:
			(void)str_to_i64(def, to);
			break;
		case F_MODE:
			*(int64_t *)to = strtol(f->def, NULL, 8);
			break;
		case F_ENUM:
		case F_ENUMS: {
			str values = str_from(f->values), part;

			for (int n = 0; str_split(&values, ' ', &word); n++) {
				rest = def;
				while (str_split(&rest, ',', &part)) {
					if (!str_eq(str_trim(part), word))
						continue;
					if (f->type == F_ENUM)
						*(int *)to = n;
					else
						*(uint32_t *)to |= 1u << n;
				}
			}
			break;
		}
		case F_GLOBS:
		case F_EVENTS:
		case F_KINDS:
		case F_TEXTS:
			while (str_split(&rest, ',', &word))
				*ARENA_PUSH(p->a, list) = str_trim(word);
			break;
		default: /* the rest are texts */
			*(str *)to = def;
			break;
		}
	}
}
