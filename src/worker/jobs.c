/* The jobs of the three roles, written by the controller and read by the worker.
 *
 * The JSON holds what is short and may be seen; keys, tokens and long lists travel as BLOBs:
 * "secret", "signers/<n>", "apps", "overlay", "places". */
#include "leeboard/worker.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ writing */

struct blobs {
	struct worker_blob *p;
	size_t n, cap;
};

static void put(struct arena *a, struct node_pairs *v, const char *key, const struct node *value)
{
	node_pairs_add(a, v, str_from(key), value);
}

static void put_str(struct arena *a, struct node_pairs *v, const char *key, str s)
{
	if (s.n)
		put(a, v, key, node_new_str(a, s));
}

static void put_int(struct arena *a, struct node_pairs *v, const char *key, uint64_t n)
{
	if (n)
		put(a, v, key, node_new_int(a, n > INT64_MAX ? INT64_MAX : (int64_t)n));
}

static void put_bool(struct arena *a, struct node_pairs *v, const char *key, bool b)
{
	if (b)
		put(a, v, key, node_new_bool(a, true));
}

static void put_list(struct arena *a, struct node_pairs *v, const char *key, const str *p, size_t n)
{
	struct node_items items = {0};

	for (size_t i = 0; i < n; i++)
		*ARENA_PUSH(a, &items) = node_new_str(a, p[i]);
	if (n)
		put(a, v, key, node_new_list(a, items.p, items.n));
}

static void put_limits(struct arena *a, struct node_pairs *v, const struct job_limits *l)
{
	put_bool(a, v, "bestEffort", l->best_effort);
	put_int(a, v, "memory", l->memory_bytes);
	put_int(a, v, "cpu", l->cpu_seconds);
}

static void put_blob(struct arena *a, struct blobs *v, str name, str bytes)
{
	if (bytes.n)
		*ARENA_PUSH(a, v) = (struct worker_blob){name, bytes};
}

static struct err *finish(struct arena *a, const struct node_pairs *v, const struct blobs *blobs,
			  struct worker_spec *spec)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (blobs->n > JOB_MAX_BLOBS)
		return err_new(ERR_LIMIT, "a job with more than %u inputs", JOB_MAX_BLOBS);
	for (size_t i = 0; i < blobs->n; i++) {
		if (blobs->p[i].bytes.n > JOB_MAX_BLOB)
			return err_new(ERR_LIMIT, "input '" STR_FMT "' has more than %u bytes",
				       STR_ARG(blobs->p[i].name), JOB_MAX_BLOB);
	}
	node_json(node_new_map(a, v->p, v->n), NODE_JSON_CANONICAL, &b);
	if (b.n + sizeof(uint32_t) > FRAME_MAX_BODY)
		return err_new(ERR_LIMIT, "a job of more than %u bytes", FRAME_MAX_BODY);
	spec->json = arena_str(a, buf_view(&b));
	spec->blobs = blobs->p;
	spec->blobs_n = blobs->n;
	return NULL;
}

/* ------------------------------------------------------------------ reading */

/* A job's JSON; every key must be asked for once, so that a misspelt one is found. */
struct in {
	struct arena *a;
	const struct worker_job *w;
	const struct node *root;
	size_t taken;
	struct err *e; /* the first */
};

static void bad(struct in *in, const char *key, const char *what)
{
	if (!in->e)
		in->e = err_new(ERR_INVALID, "'%s' of the job is %s", key, what);
}

static struct err *begin(struct arena *a, const struct worker_job *w, struct in *ret)
{
	struct text *t = ARENA_NEW(a, struct text);

	*t = (struct text){STR("<job>"), w->json};
	*ret = (struct in){.a = a, .w = w};
	TRY(node_read_json(a, t, &ret->root));
	if (!node_is(ret->root, NODE_MAP))
		return err_new(ERR_INVALID, "the job is no map");
	return NULL;
}

static struct err *end(struct in *in)
{
	if (!in->e && in->taken != in->root->n)
		in->e = err_new(ERR_INVALID, "the job has a key that its role does not know");
	return STEAL(in->e);
}

static const struct node *take(struct in *in, const char *key, enum node_kind k)
{
	const struct node *n = node_get(in->root, str_from(key));

	if (!n)
		return NULL;
	in->taken++;
	if (n->kind == k)
		return n;
	bad(in, key, "of another type");
	return NULL;
}

static str take_str(struct in *in, const char *key)
{
	const struct node *n = take(in, key, NODE_STRING);

	return n ? n->text : STR_NONE;
}

static uint64_t take_int(struct in *in, const char *key)
{
	const struct node *n = take(in, key, NODE_INT);
	int64_t v = 0;

	if (n && (!node_i64(n, &v) || v < 0)) {
		bad(in, key, "out of range");
		v = 0;
	}
	return (uint64_t)v;
}

static bool take_bool(struct in *in, const char *key)
{
	return node_bool(take(in, key, NODE_BOOL), false);
}

static const str *take_list(struct in *in, const char *key, size_t *ret)
{
	const struct node *n = take(in, key, NODE_LIST);
	str *p;

	*ret = 0;
	if (!n)
		return NULL;
	p = ARENA_ARRAY(in->a, str, n->n);
	for (uint32_t i = 0; i < n->n; i++) {
		if (!node_is(n->items[i], NODE_STRING))
			bad(in, key, "no list of texts");
		p[i] = node_text(n->items[i]);
	}
	*ret = n->n;
	return p;
}

/* A word of names, whose index is the answer. */
static int take_word(struct in *in, const char *key, const char *const *names, size_t n)
{
	str s = take_str(in, key);

	for (size_t i = 0; i < n; i++) {
		if (str_eq(s, str_from(names[i])))
			return (int)i;
	}
	bad(in, key, s.n ? "an unknown word" : "missing");
	return 0;
}

static bool is_id(str s)
{
	if (s.n != 40 && s.n != 64)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	}
	return true;
}

/* need: may not be missing. */
static void check_id(struct in *in, const char *key, str s, bool need)
{
	if ((s.n || need) && !is_id(s))
		bad(in, key, s.n ? "no object id" : "missing");
}

static void check_ids(struct in *in, const char *key, const str *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_id(in, key, p[i], true);
}

/* A path of this machine: absolute, so that no working folder decides. */
static void check_path(struct in *in, const char *key, str s)
{
	if (!str_starts(s, STR("/")))
		bad(in, key, s.n ? "no absolute path" : "missing");
}

static void take_limits(struct in *in, struct job_limits *l)
{
	l->best_effort = take_bool(in, "bestEffort");
	l->memory_bytes = take_int(in, "memory");
	l->cpu_seconds = take_int(in, "cpu");
}

/* ------------------------------------------------------------------ fetch */

static const char *const fetch_ops[] = {"list", "fetch", "compact"};
static const char *const auths[] = {"none", "basic", "bearer", "ssh"};

struct err *job_fetch_write(struct arena *a, const struct job_fetch *j, struct worker_spec *spec)
{
	struct node_pairs v = {0};
	struct blobs blobs = {0};

	put_str(a, &v, "op", str_from(fetch_ops[j->op]));
	put_str(a, &v, "objects", j->objects);
	put_str(a, &v, "url", j->url);
	put_bool(a, &v, "local", j->local);
	put_list(a, &v, "prefixes", j->prefixes, j->prefixes_n);
	put_str(a, &v, "want", j->want);
	put_str(a, &v, "ref", j->ref);
	put_list(a, &v, "haves", j->haves, j->haves_n);
	put_int(a, &v, "depth", j->depth);
	put_bool(a, &v, "unshallow", j->unshallow);
	put_bool(a, &v, "fresh", j->fresh);
	put_str(a, &v, "auth", str_from(auths[j->auth]));
	put_str(a, &v, "username", j->username);
	put_int(a, &v, "timeout", (uint64_t)j->timeout);
	put_int(a, &v, "maxPack", j->max_pack);
	put_limits(a, &v, &j->limits);
	put_blob(a, &blobs, STR("secret"), j->secret);
	put_blob(a, &blobs, STR("passphrase"), j->passphrase);
	put_blob(a, &blobs, STR("knownHosts"), j->known_hosts);
	put_blob(a, &blobs, STR("ca"), j->ca);
	put_blob(a, &blobs, STR("cert"), j->cert);
	put_blob(a, &blobs, STR("key"), j->key);
	return finish(a, &v, &blobs, spec);
}

struct err *job_fetch_read(struct arena *a, const struct worker_job *w, struct job_fetch *ret)
{
	struct job_fetch j = {0};
	struct in in;
	uint64_t depth;

	TRY(begin(a, w, &in));
	j.op = (enum job_fetch_op)take_word(&in, "op", fetch_ops, ARRAY_LEN(fetch_ops));
	j.objects = take_str(&in, "objects");
	j.url = take_str(&in, "url");
	j.local = take_bool(&in, "local");
	j.prefixes = take_list(&in, "prefixes", &j.prefixes_n);
	j.want = take_str(&in, "want");
	j.ref = take_str(&in, "ref");
	j.haves = take_list(&in, "haves", &j.haves_n);
	depth = take_int(&in, "depth");
	j.depth = (uint32_t)depth;
	j.unshallow = take_bool(&in, "unshallow");
	j.fresh = take_bool(&in, "fresh");
	j.auth = (enum auth_kind)take_word(&in, "auth", auths, ARRAY_LEN(auths));
	j.username = take_str(&in, "username");
	j.timeout = (msec)take_int(&in, "timeout");
	j.max_pack = take_int(&in, "maxPack");
	take_limits(&in, &j.limits);
	j.secret = worker_job_blob(w, STR("secret"));
	j.passphrase = worker_job_blob(w, STR("passphrase"));
	j.known_hosts = worker_job_blob(w, STR("knownHosts"));
	j.ca = worker_job_blob(w, STR("ca"));
	j.cert = worker_job_blob(w, STR("cert"));
	j.key = worker_job_blob(w, STR("key"));
	if (depth > INT32_MAX)
		bad(&in, "depth", "out of range");
	if (j.op != JOB_LIST)
		check_path(&in, "objects", j.objects);
	if (j.op != JOB_COMPACT && !j.url.n)
		bad(&in, "url", "missing");
	if (j.op != JOB_COMPACT && j.local)
		check_path(&in, "url", j.url);
	check_id(&in, "want", j.want, j.op == JOB_FETCH);
	check_ids(&in, "haves", j.haves, j.haves_n);
	TRY(end(&in));
	*ret = j;
	return NULL;
}

/* ------------------------------------------------------------------ verify */

static const char *const verify_ops[] = {"verify", "range"};
static const char *const verify_modes[] = {"off",          "head",  "tag",       "tag+head",
					   "first-parent", "range", "authorized"};

/* The frames' own spelling of numbers and texts, without their bound: lists of paths are long. */
static struct err *write_apps(struct arena *a, const struct job_verify *j, str *ret)
{
	CLEANUP(frame_writer) struct frame_writer w = {BUF_INIT};

	for (size_t i = 0; i < j->apps_n; i++) {
		const struct job_app *app = &j->apps[i];

		if (app->seen_n > JOB_MAX_SEEN)
			return err_new(ERR_LIMIT, "a read set of more than %u paths", JOB_MAX_SEEN);
		frame_text(&w, app->name);
		frame_u32(&w, (uint32_t)app->seen_n);
		for (size_t k = 0; k < app->seen_n; k++) {
			frame_text(&w, app->seen[k].path);
			frame_text(&w, app->seen[k].oid);
		}
	}
	*ret = arena_str(a, buf_view(&w.b));
	return NULL;
}

static struct err *read_apps(struct arena *a, str bytes, struct job_verify *j)
{
	struct frame f = {.type = FRAME_BLOB, .rest = bytes};
	struct {
		struct job_app *p;
		size_t n, cap;
	} apps = {0};

	while (f.rest.n) {
		struct {
			struct job_seen *p;
			size_t n, cap;
		} seen = {0};
		struct job_app app;
		uint32_t n;

		if (apps.n == JOB_MAX_APPS)
			return err_new(ERR_LIMIT, "a job with more than %u apps", JOB_MAX_APPS);
		TRY(frame_get_text(&f, &app.name));
		TRY(frame_get_u32(&f, &n));
		if (n > JOB_MAX_SEEN)
			return err_new(ERR_LIMIT, "a read set of more than %u paths", JOB_MAX_SEEN);
		for (uint32_t i = 0; i < n; i++) {
			struct job_seen s;

			TRY(frame_get_bytes(&f, &s.path));
			TRY(frame_get_text(&f, &s.oid));
			if (s.oid.n && !is_id(s.oid))
				return err_new(ERR_INVALID, "a read set has no object id");
			*ARENA_PUSH(a, &seen) = s;
		}
		app.seen = seen.p;
		app.seen_n = seen.n;
		*ARENA_PUSH(a, &apps) = app;
	}
	j->apps = apps.p;
	j->apps_n = apps.n;
	return NULL;
}

struct err *job_verify_write(struct arena *a, const struct job_verify *j, struct worker_spec *spec)
{
	struct node_pairs v = {0};
	struct blobs blobs = {0};
	str *names = ARENA_ARRAY(a, str, j->signers_n);
	str apps = STR_NONE;

	put_str(a, &v, "op", str_from(verify_ops[j->op]));
	put_str(a, &v, "objects", j->objects);
	put_str(a, &v, "from", j->from);
	put_str(a, &v, "to", j->to);
	put_str(a, &v, "mode", str_from(verify_modes[j->mode]));
	put_int(a, &v, "onRewind", (uint64_t)j->on_rewind);
	put_int(a, &v, "onForcePush", (uint64_t)j->on_force_push);
	put_int(a, &v, "now", (uint64_t)j->now);
	put_int(a, &v, "clockSkew", (uint64_t)j->clock_skew);
	put_list(a, &v, "allowed", j->allowed, j->allowed_n);
	put_limits(a, &v, &j->limits);
	for (size_t i = 0; i < j->signers_n; i++) {
		names[i] = j->signers[i].name;
		*ARENA_PUSH(a, &blobs) =
			(struct worker_blob){arena_printf(a, "signers/%zu", i), j->signers[i].text};
	}
	put_list(a, &v, "signers", names, j->signers_n);
	TRY(write_apps(a, j, &apps));
	put_blob(a, &blobs, STR("apps"), apps);
	return finish(a, &v, &blobs, spec);
}

struct err *job_verify_read(struct arena *a, const struct worker_job *w, struct job_verify *ret)
{
	struct job_verify j = {0};
	struct job_signers *signers;
	const str *names;
	struct in in;

	TRY(begin(a, w, &in));
	j.op = (enum job_verify_op)take_word(&in, "op", verify_ops, ARRAY_LEN(verify_ops));
	j.objects = take_str(&in, "objects");
	j.from = take_str(&in, "from");
	j.to = take_str(&in, "to");
	j.mode = (enum verify_mode)take_word(&in, "mode", verify_modes, ARRAY_LEN(verify_modes));
	j.on_rewind = (int)take_int(&in, "onRewind");
	j.on_force_push = (int)take_int(&in, "onForcePush");
	j.now = (msec)take_int(&in, "now");
	j.clock_skew = (msec)take_int(&in, "clockSkew");
	j.allowed = take_list(&in, "allowed", &j.allowed_n);
	take_limits(&in, &j.limits);
	names = take_list(&in, "signers", &j.signers_n);
	signers = ARENA_ARRAY(a, struct job_signers, j.signers_n);
	for (size_t i = 0; i < j.signers_n; i++)
		signers[i] = (struct job_signers){
			names[i], worker_job_blob(w, arena_printf(a, "signers/%zu", i))};
	j.signers = signers;
	check_path(&in, "objects", j.objects);
	check_id(&in, "from", j.from, false);
	check_id(&in, "to", j.to, true);
	check_ids(&in, "allowed", j.allowed, j.allowed_n);
	TRY(end(&in));
	TRY(read_apps(a, worker_job_blob(w, STR("apps")), &j));
	*ret = j;
	return NULL;
}

/* ------------------------------------------------------------------ render */

/* Places travel beside the JSON: for each node and each key, in the order of the document, the file
 * (index + 1; 0: no place), line and column. */
struct places {
	struct arena *a;
	struct frame_writer *w;
	struct {
		str *p;
		size_t n, cap;
	} files;
};

static void put_place(struct places *p, loc at)
{
	uint32_t file = 0;

	if (at.in) {
		while (file < p->files.n && !str_eq(p->files.p[file], at.in->name))
			file++;
		if (file == p->files.n)
			*ARENA_PUSH(p->a, &p->files) = at.in->name;
		file++;
	}
	frame_u32(p->w, file);
	frame_u32(p->w, at.line);
	frame_u32(p->w, at.col);
}

static void put_places(struct places *p, const struct node *n)
{
	put_place(p, n->at);
	for (uint32_t i = 0; i < n->n; i++) {
		if (n->kind == NODE_MAP)
			put_place(p, n->pairs[i].key_at);
		put_places(p, n->kind == NODE_MAP ? n->pairs[i].value : n->items[i]);
	}
}

void job_render_of(struct arena *a, const struct app *app, struct job_render *ret)
{
	static const char *const keys[] = {
		"namePrefix", "nameSuffix", "targetNamespace", "commonMetadata",         "images",
		"replicas",   "patches",    "components",      "ignoreMissingComponents"};
	struct node_pairs v = {0};

	for (uint32_t i = 0; app->spec && i < app->spec->n; i++) {
		const struct node_pair *p = &app->spec->pairs[i];

		for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
			if (str_eq(p->key, str_from(keys[k])))
				*ARENA_PUSH(a, &v) = *p;
		}
	}
	*ret = (struct job_render){.app = app->name, .path = app->path};
	if (v.n)
		ret->overlay = node_new_map(a, v.p, v.n);
	if (app->source)
		ret->ignore = app->source->ignore;
}

struct err *job_render_write(struct arena *a, const struct job_render *j, struct worker_spec *spec)
{
	CLEANUP(frame_writer) struct frame_writer w = {BUF_INIT};
	CLEANUP(buf) struct buf json = BUF_INIT;
	struct places p = {.a = a, .w = &w};
	struct node_pairs v = {0};
	struct blobs blobs = {0};

	put_str(a, &v, "op", STR("render"));
	put_str(a, &v, "objects", j->objects);
	put_str(a, &v, "oid", j->oid);
	put_str(a, &v, "app", j->app);
	put_str(a, &v, "path", j->path);
	put_limits(a, &v, &j->limits);
	put_blob(a, &blobs, STR("ignore"), j->ignore);
	if (j->overlay) {
		put_places(&p, j->overlay);
		put_list(a, &v, "files", p.files.p, p.files.n);
		node_json(j->overlay, NODE_JSON_COMPACT, &json);
		put_blob(a, &blobs, STR("overlay"), arena_str(a, buf_view(&json)));
		put_blob(a, &blobs, STR("places"), arena_str(a, buf_view(&w.b)));
	}
	return finish(a, &v, &blobs, spec);
}

struct placer {
	struct arena *a;
	struct frame f;
	const struct text *files;
	size_t files_n;
};

static struct err *get_place(struct placer *p, loc *ret)
{
	uint32_t file, line, col;

	TRY(frame_get_u32(&p->f, &file));
	TRY(frame_get_u32(&p->f, &line));
	TRY(frame_get_u32(&p->f, &col));
	if (file > p->files_n)
		return err_new(ERR_INVALID, "a place in an unknown file");
	*ret = (loc){file ? &p->files[file - 1] : NULL, line, col};
	return NULL;
}

/* A copy of n that stands where the document's node stood. Depth is bounded by the JSON reader. */
static struct err *placed(struct placer *p, const struct node *n, const struct node **ret)
{
	struct node *copy = ARENA_NEW(p->a, struct node);
	struct node_pair *pairs;
	const struct node **items;

	*copy = *n;
	TRY(get_place(p, &copy->at));
	if (n->kind == NODE_MAP) {
		pairs = ARENA_ARRAY(p->a, struct node_pair, n->n);
		for (uint32_t i = 0; i < n->n; i++) {
			pairs[i] = n->pairs[i];
			TRY(get_place(p, &pairs[i].key_at));
			TRY(placed(p, n->pairs[i].value, &pairs[i].value));
		}
		copy->pairs = pairs;
	} else if (n->kind == NODE_LIST) {
		items = ARENA_ARRAY(p->a, const struct node *, n->n);
		for (uint32_t i = 0; i < n->n; i++)
			TRY(placed(p, n->items[i], &items[i]));
		copy->items = items;
	}
	*ret = copy;
	return NULL;
}

static struct err *read_overlay(struct arena *a, const struct worker_job *w, const str *files,
				size_t n, const struct node **ret)
{
	str json = worker_job_blob(w, STR("overlay"));
	struct text *t = ARENA_NEW(a, struct text), *names = ARENA_ARRAY(a, struct text, n);
	struct placer p = {.a = a, .files = names, .files_n = n};
	const struct node *root;

	if (!json.n)
		return NULL;
	*t = (struct text){STR("<overlay>"), json};
	for (size_t i = 0; i < n; i++)
		names[i].name = files[i];
	p.f = (struct frame){.type = FRAME_BLOB, .rest = worker_job_blob(w, STR("places"))};
	TRY(node_read_json(a, t, &root));
	TRY(placed(&p, root, &root));
	TRY(frame_get_end(&p.f));
	*ret = root;
	return NULL;
}

struct err *job_render_read(struct arena *a, const struct worker_job *w, struct job_render *ret)
{
	static const char *const ops[] = {"render"};
	struct job_render j = {0};
	const str *files;
	size_t files_n;
	struct in in;

	TRY(begin(a, w, &in));
	take_word(&in, "op", ops, ARRAY_LEN(ops));
	j.objects = take_str(&in, "objects");
	j.oid = take_str(&in, "oid");
	j.app = take_str(&in, "app");
	j.path = take_str(&in, "path");
	take_limits(&in, &j.limits);
	files = take_list(&in, "files", &files_n);
	j.ignore = worker_job_blob(w, STR("ignore"));
	check_path(&in, "objects", j.objects);
	check_id(&in, "oid", j.oid, true);
	TRY(end(&in));
	TRY(read_overlay(a, w, files, files_n, &j.overlay));
	*ret = j;
	return NULL;
}
