/* Files and folders to a snapshot: documents one by one, then what they say of each other. */
#include "config_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define API_VERSION "leeboard.dev/v1"

/* ------------------------------------------------------------------ one document */

static void read_metadata(struct parse *p, struct doc *d)
{
	static const str keys[] = {
		{"name", 4}, {"namespace", 9}, {"labels", 6}, {"annotations", 11}};
	const struct node *meta = node_get(d->root, STR("metadata"));

	d->name_at = d->at;
	if (!meta) {
		if (d->kind != KIND_DAEMON)
			mistake(p, ERR_MISSING, d->at, "no name: write 'metadata: {name: NAME}'");
		return;
	}
	if (meta->kind != NODE_MAP) {
		mistake(p, ERR_WRONG_TYPE, meta->at,
			"'metadata' is a map: write 'metadata: {name: NAME}'");
		return;
	}
	if (p->carrier == CONFIG_FILE)
		read_keys(p, meta, " in 'metadata'", keys, ARRAY_LEN(keys));
	const struct node *name = node_get(meta, STR("name"));
	const struct node *ns = node_get(meta, STR("namespace"));

	if (ns && p->carrier == CONFIG_FILE)
		mistake(p, ERR_INVALID, ns->at,
			"'metadata.namespace' is for documents in a cluster");
	else if (ns)
		d->namespace = node_text(ns);
	if (!name && d->kind != KIND_DAEMON)
		mistake(p, ERR_MISSING, meta->at, "no name: write 'metadata: {name: NAME}'");
	if (!name)
		return;
	d->name_at = name->at;
	if (name->kind != NODE_STRING || !config_name_ok(name->text)) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		node_brief(name, 60, &b);
		mistake(p, ERR_INVALID, name->at,
			"'" STR_FMT "' is no name: lower case letters, digits and '-', at most 63",
			STR_ARG(name->kind == NODE_STRING ? name->text : buf_view(&b)));
		return;
	}
	d->name = name->text;
}

static bool kind_of(struct parse *p, const struct node *root, enum kind *ret)
{
	const struct node *api = node_get(root, STR("apiVersion"));
	const struct node *kind = node_get(root, STR("kind"));
	str names[KIND_COUNT];

	if (root->kind != NODE_MAP) {
		mistake(p, ERR_WRONG_TYPE, root->at,
			"a document is a map with apiVersion, kind, metadata and spec");
		return false;
	}
	if (!node_is(api, NODE_STRING)) {
		mistake(p, ERR_MISSING, api ? api->at : root->at,
			"no apiVersion: write 'apiVersion: " API_VERSION "'");
		return false;
	}
	if (str_contains(api->text, STR("toolkit.fluxcd.io/"))) {
		mistake(p, ERR_NOT_SUPPORTED, api->at,
			"Flux's objects are not supported yet: write 'apiVersion: " API_VERSION
			"'");
		return false;
	}
	if (!str_eq(api->text, STR(API_VERSION))) {
		mistake(p, ERR_INVALID, api->at,
			"'" STR_FMT "' is no apiVersion of ours: write '" API_VERSION "'",
			STR_ARG(api->text));
		return false;
	}
	for (int k = 0; k < KIND_COUNT; k++) {
		names[k] = str_from(config_kinds[k]);
		if (node_is(kind, NODE_STRING) && str_eq(kind->text, names[k])) {
			*ret = (enum kind)k;
			return true;
		}
	}
	if (!node_is(kind, NODE_STRING))
		mistake(p, ERR_MISSING, kind ? kind->at : root->at,
			"no kind: write one of Source, App, Policy, Alert, Daemon");
	else
		mistake(p, ERR_INVALID, kind->at, "no kind '" STR_FMT "'" STR_FMT,
			STR_ARG(kind->text),
			STR_ARG(did_you_mean(p, kind->text, names, KIND_COUNT)));
	return false;
}

/* What the Daemon gives where the document is silent. Choices (one of several kinds) and values are
 * taken whole; maps that are mere groups of fields are merged key by key. */
static const struct node *with_defaults(struct parse *p, enum kind k, const char *prefix,
					const struct node *defaults, const struct node *spec)
{
	static const char *const choices[] = {"auth", "target", "ref", "verify.signersFrom"};

	if (!node_is(defaults, NODE_MAP) || !node_is(spec, NODE_MAP))
		return spec;
	for (size_t i = 0; i < defaults->n; i++) {
		const struct node_pair *pair = &defaults->pairs[i];
		str path = arena_printf(p->a, "%s" STR_FMT, prefix, STR_ARG(pair->key));
		const struct node *mine = node_get(spec, pair->key);
		bool whole = field_find(k, path.p) != NULL;

		for (size_t c = 0; c < ARRAY_LEN(choices); c++)
			whole |= str_eq(path, str_from(choices[c]));
		if (!mine)
			spec = node_set(p->a, spec, pair->key, pair->value);
		else if (!whole) /* groups are at most four deep: the table's paths end it */
			spec = node_set(
				p->a, spec, pair->key,
				with_defaults(p, k,
					      arena_printf(p->a, STR_FMT ".", STR_ARG(path)).p,
					      pair->value, mine));
	}
	return spec;
}

static void read_spec(struct parse *p, struct doc *d)
{
	static const size_t sizes[KIND_COUNT] = {sizeof(struct source), sizeof(struct app),
						 sizeof(struct policy), sizeof(struct alert),
						 sizeof(struct daemon_doc)};
	static const str keys[] = {
		{"apiVersion", 10}, {"kind", 4}, {"metadata", 8}, {"spec", 4}, {"status", 6}};
	const struct node *spec = node_get(d->root, STR("spec"));

	read_keys(p, d->root, "", keys, p->carrier == CONFIG_FILE ? 4 : 5);
	d->typed = arena_alloc(p->a, sizes[d->kind]);
	if (!spec && d->kind == KIND_DAEMON)
		spec = node_new_map(p->a, NULL, 0);
	if (!spec || spec->kind != NODE_MAP) {
		mistake(p, spec ? ERR_WRONG_TYPE : ERR_MISSING, spec ? spec->at : d->at,
			spec ? "'spec' must be a map" : "no 'spec'");
		return;
	}
	if (d->kind == KIND_APP)
		spec = with_defaults(p, KIND_APP, "", p->c->daemon.default_app, spec);
	if (d->kind == KIND_SOURCE)
		spec = with_defaults(p, KIND_SOURCE, "", p->c->daemon.default_source, spec);
	d->spec = spec;
	read_defaults(p, d->kind, "", d->typed);
	read_map(p, d->kind, "", spec, d->typed, false);
}

static void read_doc(struct parse *p, struct doc *d)
{
	p->now = d;
	read_metadata(p, d);
	if (d->kind == KIND_DAEMON && p->carrier == CONFIG_GUEST) {
		mistake(p, ERR_OPERATOR_ONLY, d->at,
			"a Daemon comes from the operator's files only");
		return;
	}
	read_spec(p, d);
	switch (d->kind) {
	case KIND_SOURCE: {
		struct source *s = d->typed;

		s->name = d->name, s->namespace = d->namespace, s->at = d->at, s->spec = d->spec;
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers */
		*ARENA_PUSH(p->a, &p->c->sources) = s;
		if (d->spec)
			check_source(p, d, s);
		break;
	}
	case KIND_APP: {
		struct app *s = d->typed;

		s->name = d->name, s->namespace = d->namespace, s->at = d->at, s->spec = d->spec;
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers */
		*ARENA_PUSH(p->a, &p->c->apps) = s;
		if (d->spec)
			check_app(p, d, s);
		break;
	}
	case KIND_POLICY: {
		struct policy *s = d->typed;

		s->name = d->name, s->at = d->at, s->spec = d->spec;
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers */
		*ARENA_PUSH(p->a, &p->c->policies) = s;
		if (d->spec)
			check_policy(p, d, s);
		break;
	}
	case KIND_ALERT: {
		struct alert *s = d->typed;

		s->name = d->name, s->namespace = d->namespace, s->at = d->at, s->spec = d->spec;
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers */
		*ARENA_PUSH(p->a, &p->c->alerts) = s;
		if (d->spec)
			check_alert(p, d, s);
		break;
	}
	case KIND_DAEMON: {
		struct daemon_doc *s = d->typed;

		s->name = d->name, s->at = d->at, s->spec = d->spec;
		if (!node_at(d->spec, "log", "format", NULL))
			s->log_format = DAEMON_LOG_AUTO;
		if (d->spec)
			check_daemon(p, d, s);
		if (p->c->daemon.at.in)
			mistake(p, ERR_DUPLICATE, d->at,
				"a second Daemon, the first is at " STR_FMT ":%u:%u",
				STR_ARG(p->c->daemon.at.in->name), p->c->daemon.at.line,
				p->c->daemon.at.col);
		else
			p->c->daemon = *s;
		break;
	}
	case KIND_COUNT:
		break;
	}
	p->now = NULL;
}

/* ------------------------------------------------------------------ all texts */

static void read_text(struct parse *p, const struct text *in, size_t *others)
{
	struct node_docs docs = {NULL, 0, 0};
	struct err *e = node_read_yaml(p->a, in, &docs);

	if (e) {
		mistake_take(p, e);
		p->bad_streams++;
		(*others)++;
		return;
	}
	for (size_t i = 0; i < docs.n; i++) {
		enum kind k = KIND_COUNT;

		if (!kind_of(p, docs.p[i], &k)) {
			p->bad_streams++;
			(*others)++;
			continue;
		}
		struct doc *d = ARENA_PUSH(p->a, &p->docs);

		*d = (struct doc){.kind = k,
				  .root = docs.p[i],
				  .at = docs.p[i]->at,
				  .name = STR(""),
				  .namespace = STR("")};
	}
}

static int err_order(const void *a, const void *b)
{
	const struct err *x = *(struct err *const *)a, *y = *(struct err *const *)b;
	int c = str_cmp(err_file(x), err_file(y));

	if (c)
		return c;
	if (err_line(x) != err_line(y))
		return err_line(x) < err_line(y) ? -1 : 1;
	if (err_col(x) != err_col(y))
		return err_col(x) < err_col(y) ? -1 : 1;
	return str_cmp(err_message(x), err_message(y));
}

static struct err *finish(struct parse *p, size_t others, struct config_tally *tally)
{
	struct config_tally t = {.documents = p->docs.n + others,
				 .bad = p->bad_streams,
				 .mistakes = 0,
				 .warnings = p->c->warnings.n};
	struct err *all = NULL;

	for (size_t i = 0; i < p->docs.n; i++)
		t.bad += p->docs.p[i].bad;
	if (p->errs.n)
		qsort(p->errs.p, p->errs.n,
		      sizeof(struct err *), /* NOLINT(bugprone-sizeof-expression): pointers */
		      err_order);
	for (size_t i = p->errs.n; i > 0; i--) { /* from the end: joining is linear so */
		t.mistakes += err_count(p->errs.p[i - 1]);
		all = err_join(p->errs.p[i - 1], all);
	}
	if (tally)
		*tally = t;
	return all;
}

/* texts live in c's arena. */
static struct err *parse_all(struct config *c, const struct text *const *texts, size_t n,
			     const struct config_opts *opts, struct config_tally *tally,
			     struct err *before)
{
	const char *home = opts && opts->home ? opts->home : getenv("HOME");
	struct parse p = {.a = c->arena,
			  .c = c,
			  .home = arena_str(c->arena, str_from(home)),
			  .carrier = opts ? opts->carrier : CONFIG_FILE,
			  .in_pod = opts && opts->in_pod};
	size_t others = 0;

	if (before)
		mistake_take(&p, before);
	read_defaults(&p, KIND_DAEMON, "", &c->daemon);
	c->daemon.log_format = DAEMON_LOG_AUTO;
	for (size_t i = 0; i < n; i++)
		read_text(&p, texts[i], &others);
	/* The Daemon first: its defaults are part of the others. */
	for (size_t i = 0; i < p.docs.n; i++)
		if (p.docs.p[i].kind == KIND_DAEMON)
			read_doc(&p, &p.docs.p[i]);
	for (size_t i = 0; i < p.docs.n; i++)
		if (p.docs.p[i].kind != KIND_DAEMON)
			read_doc(&p, &p.docs.p[i]);
	check_references(&p);
	/* After a mistake nothing is sure to be whole. */
	if (p.errs.n == 0)
		for (size_t i = 0; i < p.docs.n; i++) {
			const struct doc *d = &p.docs.p[i];

			if (d->kind == KIND_SOURCE && !d->used)
				warning(&p, d->at, "no App uses Source '" STR_FMT "'",
					STR_ARG(d->name));
		}
	return finish(&p, others, tally);
}

static struct config *config_new(void)
{
	struct arena *a = arena_new();
	struct config *c = ARENA_NEW(a, struct config);

	c->arena = a;
	return c;
}

void config_free(struct config *c)
{
	if (c)
		arena_free(c->arena);
}

struct err *config_parse(const struct text *texts, size_t n, const struct config_opts *opts,
			 struct config_tally *tally, struct config **ret)
{
	CLEANUP(config) struct config *c = config_new();
	const struct text **copies = ARENA_ARRAY(c->arena, const struct text *, n);

	for (size_t i = 0; i < n; i++) {
		struct text *t = ARENA_NEW(c->arena, struct text);

		t->name = arena_str(c->arena, texts[i].name);
		t->bytes = arena_str(c->arena, texts[i].bytes);
		copies[i] = t;
	}
	TRY(parse_all(c, copies, n, opts, tally, NULL));
	*ret = STEAL(c);
	return NULL;
}

/* ------------------------------------------------------------------ files and folders */

struct texts {
	const struct text **p;
	size_t n, cap;
};

static struct err *add_file(struct arena *a, const char *path, struct texts *ret)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct text *t = ARENA_NEW(a, struct text);

	TRY(file_read(path, CONFIG_MAX_FILE, &b));
	t->name = arena_str(a, str_from(path));
	t->bytes = arena_str(a, buf_view(&b));
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers */
	*ARENA_PUSH(a, ret) = t;
	return NULL;
}

static int wanted(const struct dirent *e)
{
	str name = str_from(e->d_name);

	return name.p[0] != '.' && (str_ends(name, STR(".yaml")) || str_ends(name, STR(".yml")) ||
				    str_ends(name, STR(".json")));
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static struct err *add_folder(struct arena *a, const char *path, struct texts *ret)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, wanted, by_bytes);
	struct err *e = NULL;
	str root = str_from(path);

	if (n < 0)
		return err_sys(ERR_IO, errno, "read folder '%s'", path);
	while (root.n > 1 && root.p[root.n - 1] == '/')
		root.n--;
	if ((unsigned)n > CONFIG_MAX_FILES)
		e = err_new(ERR_LIMIT, "folder '%s' has %d files: at most %u", path, n,
			    CONFIG_MAX_FILES);
	else if (n == 0)
		e = err_new(ERR_NOT_FOUND, "folder '%s' has no *.yaml, *.yml or *.json", path);
	for (int i = 0; i < n; i++) {
		if (!e)
			e = add_file(
				a,
				arena_printf(a, STR_FMT "/%s", STR_ARG(root), names[i]->d_name).p,
				ret);
		free(names[i]);
	}
	free(names);
	return e;
}

struct err *config_load(const char *const *paths, size_t n, const struct config_opts *opts,
			struct config_tally *tally, struct config **ret)
{
	CLEANUP(config) struct config *c = config_new();
	struct texts texts = {NULL, 0, 0};
	struct err *unread = NULL;

	for (size_t i = 0; i < n; i++) {
		struct stat st;

		if (stat(paths[i], &st) != 0)
			unread = err_join(unread, err_sys(ERR_IO, errno, "read '%s'", paths[i]));
		else if (S_ISDIR(st.st_mode))
			unread = err_join(unread, add_folder(c->arena, paths[i], &texts));
		else
			unread = err_join(unread, add_file(c->arena, paths[i], &texts));
	}
	TRY(parse_all(c, texts.p, texts.n, opts, tally, unread));
	*ret = STEAL(c);
	return NULL;
}

/* ------------------------------------------------------------------ looking */

const struct source *config_source(const struct config *c, str namespace, str name)
{
	for (size_t i = 0; i < c->sources.n; i++)
		if (str_eq(c->sources.p[i]->name, name) &&
		    str_eq(c->sources.p[i]->namespace, namespace))
			return c->sources.p[i];
	return NULL;
}

const struct app *config_app(const struct config *c, str namespace, str name)
{
	for (size_t i = 0; i < c->apps.n; i++)
		if (str_eq(c->apps.p[i]->name, name) && str_eq(c->apps.p[i]->namespace, namespace))
			return c->apps.p[i];
	return NULL;
}

const struct policy *config_policy(const struct config *c, str name)
{
	for (size_t i = 0; i < c->policies.n; i++)
		if (str_eq(c->policies.p[i]->name, name))
			return c->policies.p[i];
	return NULL;
}

/* ------------------------------------------------------------------ check */

struct err *config_check(const char *const *paths, size_t n, const struct config_opts *opts,
			 struct config_tally *tally, struct buf *ret)
{
	CLEANUP(config) struct config *c = NULL;
	struct config_tally t = {0, 0, 0, 0};
	struct err *e = config_load(paths, n, opts, &t, &c);

	if (tally)
		*tally = t;
	if (e) {
		buf_printf(ret,
			   "%zu %s in %zu of %zu documents; a running daemon keeps its "
			   "configuration\n",
			   t.mistakes, t.mistakes == 1 ? "mistake" : "mistakes", t.bad,
			   t.documents);
		return e;
	}
	for (size_t i = 0; i < c->warnings.n; i++) {
		const struct config_warning *w = &c->warnings.p[i];

		if (w->at.in)
			buf_printf(ret, STR_FMT ":%u:%u: ", STR_ARG(w->at.in->name), w->at.line,
				   w->at.col);
		buf_printf(ret, "warning: " STR_FMT "\n", STR_ARG(w->message));
	}
	buf_printf(ret, "%zu %s, no mistakes", t.documents,
		   t.documents == 1 ? "document" : "documents");
	if (t.warnings)
		buf_printf(ret, ", %zu %s", t.warnings, t.warnings == 1 ? "warning" : "warnings");
	buf_char(ret, '\n');
	return NULL;
}

void config_effective(const struct config *c, struct buf *ret)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct row {
		enum kind kind;
		str name, namespace;
		const struct node *spec;
	};
	struct {
		struct row *p;
		size_t n, cap;
	} rows = {NULL, 0, 0};

	if (c->daemon.at.in)
		*ARENA_PUSH(a, &rows) =
			(struct row){KIND_DAEMON, c->daemon.name, STR_NONE, c->daemon.spec};
	for (size_t i = 0; i < c->policies.n; i++)
		*ARENA_PUSH(a, &rows) = (struct row){KIND_POLICY, c->policies.p[i]->name, STR_NONE,
						     c->policies.p[i]->spec};
	for (size_t i = 0; i < c->sources.n; i++)
		*ARENA_PUSH(a, &rows) =
			(struct row){KIND_SOURCE, c->sources.p[i]->name, c->sources.p[i]->namespace,
				     c->sources.p[i]->spec};
	for (size_t i = 0; i < c->apps.n; i++)
		*ARENA_PUSH(a, &rows) = (struct row){KIND_APP, c->apps.p[i]->name,
						     c->apps.p[i]->namespace, c->apps.p[i]->spec};
	for (size_t i = 0; i < c->alerts.n; i++)
		*ARENA_PUSH(a, &rows) =
			(struct row){KIND_ALERT, c->alerts.p[i]->name, c->alerts.p[i]->namespace,
				     c->alerts.p[i]->spec};
	for (size_t i = 0; i < rows.n; i++) {
		const struct row *r = &rows.p[i];
		struct node_pairs meta = {NULL, 0, 0}, doc = {NULL, 0, 0};

		if (r->name.n)
			node_pairs_add(a, &meta, STR("name"), node_new_str(a, r->name));
		if (r->namespace.n)
			node_pairs_add(a, &meta, STR("namespace"), node_new_str(a, r->namespace));
		node_pairs_add(a, &doc, STR("apiVersion"), node_new_str(a, STR(API_VERSION)));
		node_pairs_add(a, &doc, STR("kind"),
			       node_new_str(a, str_from(config_kinds[r->kind])));
		node_pairs_add(a, &doc, STR("metadata"), node_new_map(a, meta.p, meta.n));
		node_pairs_add(a, &doc, STR("spec"), r->spec);
		if (i > 0)
			buf_str(ret, STR("---\n"));
		node_yaml(node_new_map(a, doc.p, doc.n), ret);
	}
}
