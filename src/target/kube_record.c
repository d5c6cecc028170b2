/* Records and inventories: ConfigMaps beside the daemon, or in leeboard-system (design.md 7).
 *
 *   leeboard.<instance>.<app>       data.record: what was accepted, applied, healthy, and who holds
 * it leeboard.<instance>.<app>.<n>   data.objects: the lines of one range of identities
 *
 * What stands there is known by version and hash, so that nothing is written that is there already,
 * and every write is on the version that we know. A chunk keeps its range of identities: one more
 * object touches one chunk. A chunk that grows too large gives its upper half to a new one, which
 * is written first, so that each identity is somewhere at any time. */
#include "kube_priv.h"
#include <stdlib.h>

#define CHUNK_LINES 4000u
#define CHUNK_BYTES (700u << 10) /* a ConfigMap holds 1 MiB */
#define PUT_TRIES 4u
#define RECORDS_NAMESPACE "leeboard-system"
#define LABEL_RECORD "leeboard.dev/record"
#define LABEL_OF "leeboard.dev/record-of"
#define LABEL_MOST 63u
#define MAX_APPS 100000u

/* ------------------------------------------------------------------ names */

/* An App's name as a label: "/" becomes "."; what is too long keeps its beginning and a hash. */
static str app_label(struct arena *a, str app)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_str(&b, app);
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] == '/')
			b.p[i] = '.';
	if (b.n > LABEL_MOST) {
		struct hash h = hash_blake2b(NULL, STR("leeboard/label"), app);

		b.n = 46;
		buf_char(&b, '-');
		buf_hex(&b, h.b, 8);
	}
	return arena_str(a, buf_view(&b));
}

static str record_name(struct arena *a, const struct kube *k, str app)
{
	return arena_printf(a, "leeboard." STR_FMT "." STR_FMT, STR_ARG(k->instance),
			    STR_ARG(app_label(a, app)));
}

static str maps_path(struct arena *a, const struct kube *k, str name)
{
	static const struct kube_kind maps = {
		.version = STR("v1"), .resource = STR("configmaps"), .namespaced = true};

	return kube_path(a, &maps, k->records_ns, name);
}

static struct kube_what what_of(const struct kube *k, const char *verb, str name)
{
	return (struct kube_what){
		.verb = verb, .resource = STR("configmaps"), .ns = k->records_ns, .name = name};
}

/* ------------------------------------------------------------------ what is known */

static void chunk_done(struct kube_chunk *c)
{
	free(c->name);
	free(c->from);
	free(c->version);
}

static void kept_clear(struct kube_kept *x)
{
	for (size_t i = 0; i < x->chunks_n; i++)
		chunk_done(&x->chunks[i]);
	free(x->chunks);
	free(x->record_version);
	x->chunks = NULL;
	x->chunks_n = 0;
	x->chunks_said = 0;
	x->record_version = NULL;
	buf_clear(&x->record);
	buf_clear(&x->holder);
}

static void kept_done(struct kube_kept *x)
{
	kept_clear(x);
	free(x->app);
	buf_done(&x->record);
	buf_done(&x->holder);
}

void kube_kept_free(struct kube *k)
{
	for (size_t i = 0; i < k->kept_n; i++)
		kept_done(&k->kept[i]);
	free(k->kept);
	k->kept = NULL;
	k->kept_n = k->kept_cap = 0;
}

static struct kube_kept *kept_find(const struct kube *k, str app)
{
	for (size_t i = 0; i < k->kept_n; i++)
		if (str_eq(str_from(k->kept[i].app), app))
			return &k->kept[i];
	return NULL;
}

static struct kube_kept *kept_make(struct kube *k, str app)
{
	struct kube_kept *x = kept_find(k, app);

	if (x)
		return x;
	if (k->kept_n == k->kept_cap) {
		k->kept_cap = k->kept_cap ? k->kept_cap * 2 : 8;
		k->kept = xrealloc(k->kept, k->kept_cap * sizeof(*k->kept));
	}
	x = &k->kept[k->kept_n++];
	*x = (struct kube_kept){.app = xstrndup(app.p, app.n)};
	return x;
}

static void kept_forget(struct kube *k, str app)
{
	struct kube_kept *x = kept_find(k, app);

	if (!x)
		return;
	kept_done(x);
	*x = k->kept[--k->kept_n];
}

static char *copy(str s)
{
	return xstrndup(s.p, s.n);
}

/* ------------------------------------------------------------------ reading */

struct read_chunk {
	str name, version, text;
	obj_id first;
	uint64_t index;
};
struct read_app {
	str app;
	str record, record_version;
	struct {
		struct read_chunk *p;
		size_t n, cap;
	} chunks;
};
struct record_op {
	struct kube_op op;
	void (*step)(struct record_op *o); /* when the load is done */
	target_done done;
	target_records_done records_done;
	void *arg;
	str app;  /* empty: all */
	str text; /* of the record to write */
	str holder;
	struct {
		struct read_app *p;
		size_t n, cap;
	} apps;
	struct inventory inv;
	struct part *parts;
	size_t parts_n, parts_next;
	size_t drops_next;
	unsigned tries;
	bool made_namespace, reading, loaded;
};

static struct read_app *app_of(struct record_op *o, str name)
{
	struct read_app *x;

	if (o->apps.n && str_eq(o->apps.p[o->apps.n - 1].app, name))
		return &o->apps.p[o->apps.n - 1];
	for (size_t i = 0; i < o->apps.n; i++)
		if (str_eq(o->apps.p[i].app, name))
			return &o->apps.p[i];
	x = ARENA_PUSH(o->op.a, &o->apps);
	*x = (struct read_app){.app = arena_str(o->op.a, name)};
	return x;
}

static struct err *damaged(str name, const char *how)
{
	return err_new(ERR_INVALID, "ConfigMap '" STR_FMT "': %s", STR_ARG(name), how);
}

static struct err *take_map(struct record_op *o, const struct node *root)
{
	str name = kube_meta(root, STR("name"));
	const struct node *data = node_get(root, STR("data"));
	str app = node_get_text(data, STR("app")), record = node_get_text(data, STR("record"));
	const struct node *objects = node_get(data, STR("objects"));
	str version = kube_meta(root, STR("resourceVersion"));
	struct arena *a = o->op.a;
	struct read_app *x;
	struct read_chunk c = {.name = arena_str(a, name), .version = arena_str(a, version)};
	str line;

	if (!app.n)
		return damaged(name, "it names no app");
	if (o->app.n && !str_eq(app, o->app)) /* of the same label */
		return NULL;
	x = app_of(o, app);
	if (record.n) {
		x->record = arena_str(a, record);
		x->record_version = c.version;
		return NULL;
	}
	if (!node_is(objects, NODE_STRING) ||
	    !str_to_u64(str_sub(name, str_rchr(name, '.') + 1, SIZE_MAX), &c.index))
		return damaged(name, "it is neither a record nor a part of an inventory");
	c.text = arena_str(a, objects->text);
	line = str_sub(c.text, 0, str_chr(c.text, '\t'));
	if (c.text.n && !obj_id_parse(line, &c.first))
		return damaged(name, "its first line names no object");
	*ARENA_PUSH(a, &x->chunks) = c;
	return NULL;
}

/* An empty part counts for nothing; the others by their first identity. */
static int by_first(const void *x, const void *y)
{
	const struct read_chunk *a = x, *b = y;

	if (!a->text.n != !b->text.n)
		return a->text.n ? -1 : 1;
	int c = obj_id_cmp(a->first, b->first);

	return c ? c : a->index < b->index ? -1 : 1;
}

static str id_until_tab(str text)
{
	return str_sub(text, 0, str_chr(text, '\t'));
}

/* What was read is what stands there from now on. */
static void keep(struct record_op *o, struct read_app *x, str holder, unsigned said)
{
	struct kube *k = o->op.k;
	struct kube_kept *to = kept_make(k, x->app);

	kept_clear(to);
	if (x->record.n) {
		to->record_version = copy(x->record_version);
		buf_str(&to->record, x->record);
		buf_str(&to->holder, holder);
		to->chunks_said = said;
	}
	to->chunks = xcalloc(x->chunks.n + 1, sizeof(*to->chunks));
	to->chunks_n = x->chunks.n;
	for (size_t i = 0; i < x->chunks.n; i++) {
		struct read_chunk *c = &x->chunks.p[i];

		if (c->index >= x->chunks.n) /* a hole: damage, told by read_record */
			continue;
		to->chunks[c->index] = (struct kube_chunk){
			.name = copy(c->name),
			.from = copy(id_until_tab(c->text)),
			.version = copy(c->version),
			.empty = !c->text.n,
			.text = hash_blake2b(NULL, STR("chunk"), c->text),
		};
	}
}

static void time_of(const struct node *map, str key, msec *ret)
{
	(void)time_parse(node_get_text(map, key), ret);
}

/* An identity may stand in two chunks when we were stopped between the two writes of a division. */
static struct err *read_lines(struct arena *a, const struct read_chunk *c, struct inventory *to)
{
	CLEANUP(arena) struct arena *m = arena_new();
	struct text in = {c->name, c->text};
	struct inventory part = {0};

	TRY(inventory_parse(m, &in, &part));
	for (size_t i = 0; i < part.n; i++)
		inventory_set(a, to, part.p[i]);
	return NULL;
}

static struct err *read_record(struct record_op *o, struct read_app *x, struct target_record *r)
{
	struct arena *a = o->op.a;
	const struct node *root = NULL, *m;
	struct inventory *inv = ARENA_NEW(a, struct inventory);
	int64_t n = 0;

	*r = (struct target_record){.app = x->app, .inventory = inv};
	if (x->record.n) {
		TRY_WRAP(kube_json(a, STR("the record"), x->record, &root),
			 "record of app '" STR_FMT "'", STR_ARG(x->app));
		r->source = node_get_text(root, STR("source"));
		r->ref = node_get_text(root, STR("ref"));
		r->holder = node_get_text(root, STR("holder"));
		m = node_get(root, STR("accepted"));
		r->accepted = node_get_text(m, STR("oid"));
		r->policy = node_get_text(m, STR("policy"));
		if (node_i64(node_get(m, STR("generation")), &n) && n > 0)
			r->generation = (uint64_t)n;
		m = node_get(root, STR("applied"));
		r->applied = node_get_text(m, STR("oid"));
		time_of(m, STR("time"), &r->applied_at);
		m = node_get(root, STR("healthy"));
		r->healthy = node_get_text(m, STR("oid"));
		time_of(m, STR("time"), &r->healthy_at);
		n = 0;
		(void)node_i64(node_get(root, STR("chunks")), &n);
	}
	if (x->chunks.n)
		qsort(x->chunks.p, x->chunks.n, sizeof(x->chunks.p[0]), by_first);
	for (size_t i = 0; i < x->chunks.n; i++)
		if (x->chunks.p[i].index >= x->chunks.n)
			n = INT64_MAX;
	if (n > (int64_t)x->chunks.n)
		return err_hint(err_new(ERR_INVALID,
					"a part of the inventory of app '" STR_FMT "' is missing",
					STR_ARG(x->app)),
				"restore the ConfigMaps 'leeboard." STR_FMT "." STR_FMT
				".*', or delete all of them together with the record",
				STR_ARG(o->op.k->instance), STR_ARG(app_label(a, x->app)));
	keep(o, x, r->holder, (unsigned)n);
	for (size_t i = 0; i < x->chunks.n; i++)
		TRY(read_lines(a, &x->chunks.p[i], inv));
	return NULL;
}

static void load_page(struct record_op *o, str more);

static void record_gone(struct kube_op *op UNUSED)
{
}

static void fail(struct record_op *o, struct err *e)
{
	kube_op_tell(&o->op);
	if (o->records_done)
		o->records_done(o->arg, NULL, 0, e);
	else
		o->done(o->arg, e);
	kube_op_end(&o->op);
}

static void succeed(struct record_op *o)
{
	kube_op_tell(&o->op);
	o->done(o->arg, NULL);
	kube_op_end(&o->op);
}

static void load_done(struct record_op *o)
{
	struct kube *k = o->op.k;
	struct target_record *p = ARENA_ARRAY(o->op.a, struct target_record, o->apps.n);
	struct err *failed = NULL;
	size_t n = 0;

	if (!o->app.n)
		kube_kept_free(k);
	else if (!o->apps.n)
		kept_clear(kept_make(k, o->app));
	for (size_t i = 0; i < o->apps.n; i++) {
		struct err *e = read_record(o, &o->apps.p[i], &p[n]);

		if (e)
			failed = err_join(failed, e);
		else
			n++;
	}
	if (!o->app.n)
		k->kept_all = true;
	if (o->records_done) {
		kube_op_tell(&o->op);
		o->records_done(o->arg, p, n, failed);
		kube_op_end(&o->op);
	} else if (failed) {
		fail(o, failed);
	} else {
		o->loaded = true;
		o->step(o);
	}
}

static void on_page(void *arg, const struct kube_reply *r, struct err *e)
{
	struct record_op *o = arg;
	struct kube_items it = {0};
	str json;

	if (!e && r->status == 410 && o->tries++ < PUT_TRIES) {
		o->apps.n = 0;
		load_page(o, STR_NONE);
		return;
	}
	if (!e && r->status != 200)
		e = kube_error(r->what, r->status, r->body);
	if (!e)
		e = kube_items_open(o->op.a, r->body, &it);
	while (!e && kube_items_next(&it, &json)) {
		CLEANUP(arena) struct arena *a = arena_new();
		const struct node *root = NULL;

		e = kube_item_read(a, json, STR_NONE, STR("v1"), STR("ConfigMap"), &root);
		if (!e)
			e = take_map(o, root);
	}
	if (e)
		fail(o, e);
	else if (it.more.n)
		load_page(o, it.more);
	else
		load_done(o);
}

static void load_page(struct record_op *o, str more)
{
	struct kube *k = o->op.k;
	CLEANUP(buf) struct buf path = BUF_INIT;
	struct kube_ask ask = {
		.method = "GET", .lane = KUBE_READ, .what = what_of(k, "list", STR_NONE)};

	buf_str(&path, maps_path(o->op.a, k, STR_NONE));
	buf_str(&path, STR("?labelSelector=" LABEL_OF "%3D"));
	kube_escape(&path, k->instance);
	if (o->app.n) {
		buf_str(&path, STR("%2C" LABEL_RECORD "%3D"));
		kube_escape(&path, app_label(o->op.a, o->app));
	}
	buf_str(&path, STR("&limit=100"));
	if (more.n) {
		buf_str(&path, STR("&continue="));
		kube_escape(&path, more);
	}
	ask.path = arena_str(o->op.a, buf_view(&path));
	kube_send(k, &o->op, &ask, on_page, o, NULL);
}

static void load(struct kube_op *op)
{
	struct record_op *o = (struct record_op *)op;

	o->apps.n = 0;
	load_page(o, STR_NONE);
}

static struct record_op *record_op_new(struct target *t, str app, struct target_call **ret)
{
	struct record_op *o = kube_op_new((struct kube *)t, sizeof(*o), record_gone, ret);

	o->app = arena_str(o->op.a, app);
	return o;
}

void kube_records(struct target *t, str app, target_records_done done, void *arg,
		  struct target_call **ret)
{
	struct record_op *o = record_op_new(t, app, ret);

	o->records_done = done;
	o->arg = arg;
	kube_op_later(&o->op, 0, load);
}

/* ------------------------------------------------------------------ writing one ConfigMap */

static str map_body(struct record_op *o, str name, str version, str key, str text)
{
	struct kube *k = o->op.k;
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_str(&b, STR("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"));
	buf_json(&b, name);
	buf_str(&b, STR(",\"namespace\":"));
	buf_json(&b, k->records_ns);
	if (version.n) {
		buf_str(&b, STR(",\"resourceVersion\":"));
		buf_json(&b, version);
	}
	buf_str(&b, STR(",\"labels\":{\"" LABEL_RECORD "\":"));
	buf_json(&b, app_label(o->op.a, o->app));
	buf_str(&b, STR(",\"" LABEL_OF "\":"));
	buf_json(&b, k->instance);
	buf_str(&b, STR("}},\"data\":{\"app\":"));
	buf_json(&b, o->app);
	buf_printf(&b, ",\"" STR_FMT "\":", STR_ARG(key));
	buf_json(&b, text);
	buf_str(&b, STR("}}"));
	return arena_str(o->op.a, buf_view(&b));
}

static void put_map(struct record_op *o, str name, str version, str key, str text, kube_reply_fn fn)
{
	struct kube *k = o->op.k;
	struct kube_ask ask = {
		.method = version.n ? "PUT" : "POST",
		.type = "application/json",
		.body = map_body(o, name, version, key, text),
		.lane = KUBE_WRITE,
		.what = what_of(k, version.n ? "update" : "create", name),
	};

	ask.path = arena_printf(o->op.a, STR_FMT "?fieldManager=" KUBE_MANAGER,
				STR_ARG(maps_path(o->op.a, k, version.n ? name : STR_NONE)));
	kube_send(k, &o->op, &ask, fn, o, NULL);
}

static struct err *version_of(const struct kube_reply *r, char **ret)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *root = NULL;

	TRY(kube_json(a, STR("the answer"), r->body, &root));
	free(*ret);
	*ret = copy(kube_meta(root, STR("resourceVersion")));
	return NULL;
}

static void on_namespace(void *arg, const struct kube_reply *r, struct err *e)
{
	struct record_op *o = arg;

	if (!e && r->status >= 300)
		e = kube_error(r->what, r->status, r->body);
	if (e)
		fail(o, e);
	else
		o->step(o);
}

static void make_namespace(struct record_op *o)
{
	struct kube *k = o->op.k;
	struct kube_ask ask = {
		.method = "PATCH",
		.type = "application/apply-patch+yaml",
		.lane = KUBE_WRITE,
		.what = {.verb = "create", .resource = STR("namespaces"), .name = k->records_ns},
	};

	o->made_namespace = true;
	ask.path =
		arena_printf(o->op.a, "/api/v1/namespaces/" STR_FMT "?fieldManager=" KUBE_MANAGER,
			     STR_ARG(k->records_ns));
	ask.body = arena_printf(o->op.a,
				"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{"
				"\"name\":\"" STR_FMT "\"}}",
				STR_ARG(k->records_ns));
	kube_send(k, &o->op, &ask, on_namespace, o, NULL);
}

/* After an answer that is no success: mends what can be mended, and takes the step again. */
static void mend(struct record_op *o, const struct kube_reply *r)
{
	if (r->status == 404 && !o->made_namespace && str_contains(r->body, STR("namespaces"))) {
		make_namespace(o);
	} else if ((r->status == 409 || r->status == 404) && ++o->tries < PUT_TRIES) {
		load(&o->op); /* somebody wrote it: who? */
	} else {
		fail(o, kube_error(r->what, r->status, r->body));
	}
}

/* Ours, nobody's, or read by our caller, who knows best. */
static bool held_by_other(struct record_op *o, const struct kube_kept *x)
{
	str there = x ? buf_view(&x->holder) : STR_NONE;

	if (!o->loaded || !there.n || str_eq(there, o->op.k->holder))
		return false;
	fail(o, err_hint(err_new(ERR_CONFLICT,
				 "the record of app '" STR_FMT "' is held by '" STR_FMT
				 "', which wrote it",
				 STR_ARG(o->app), STR_ARG(there)),
			 "two daemons have the name '" STR_FMT "': rename one (Daemon "
			 "metadata.name)",
			 STR_ARG(o->op.k->instance)));
	return true;
}

static bool known(struct record_op *o)
{
	if (o->loaded || o->op.k->kept_all || kept_find(o->op.k, o->app))
		return true;
	load(&o->op);
	return false;
}

/* ------------------------------------------------------------------ the record */

static void mark(struct buf *b, const char *key, str oid, msec at)
{
	CLEANUP(arena) struct arena *a = arena_new();

	buf_printf(b, ",\"%s\":{\"oid\":", key);
	buf_json(b, oid);
	if (at) {
		buf_str(b, STR(",\"time\":"));
		buf_json(b, time_rfc3339(a, at, true));
	}
	buf_char(b, '}');
}

/* All but the number of chunks, which the moment of writing tells. */
static str record_text(struct arena *a, const struct target_record *r)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_str(&b, STR("{\"v\":1,\"app\":"));
	buf_json(&b, r->app);
	buf_str(&b, STR(",\"source\":"));
	buf_json(&b, r->source);
	buf_str(&b, STR(",\"ref\":"));
	buf_json(&b, r->ref);
	buf_str(&b, STR(",\"accepted\":{\"oid\":"));
	buf_json(&b, r->accepted);
	buf_printf(&b, ",\"generation\":%llu,\"policy\":", (unsigned long long)r->generation);
	buf_json(&b, r->policy);
	buf_char(&b, '}');
	mark(&b, "applied", r->applied, r->applied_at);
	mark(&b, "healthy", r->healthy, r->healthy_at);
	buf_str(&b, STR(",\"holder\":"));
	buf_json(&b, r->holder);
	return arena_str(a, buf_view(&b));
}

static void on_record(void *arg, const struct kube_reply *r, struct err *e)
{
	struct record_op *o = arg;
	struct kube_kept *x;

	if (e) {
		fail(o, e);
		return;
	}
	if (r->status != 200 && r->status != 201) {
		mend(o, r);
		return;
	}
	x = kept_make(o->op.k, o->app);
	e = version_of(r, &x->record_version);
	if (e) {
		fail(o, e);
		return;
	}
	buf_clear(&x->record);
	buf_printf(&x->record, STR_FMT ",\"chunks\":%zu}", STR_ARG(o->text), x->chunks_n);
	buf_clear(&x->holder);
	buf_str(&x->holder, o->holder);
	x->chunks_said = (unsigned)x->chunks_n;
	succeed(o);
}

static void put_record(struct record_op *o)
{
	struct kube *k = o->op.k;
	struct kube_kept *x;
	str text;

	if (!known(o))
		return;
	x = kept_make(k, o->app);
	if (held_by_other(o, x))
		return;
	text = arena_printf(o->op.a, STR_FMT ",\"chunks\":%zu}", STR_ARG(o->text), x->chunks_n);
	if (x->record_version && str_eq(buf_view(&x->record), text)) {
		succeed(o);
		return;
	}
	put_map(o, record_name(o->op.a, k, o->app), str_from(x->record_version), STR("record"),
		text, on_record);
}

static void begin(struct kube_op *op)
{
	struct record_op *o = (struct record_op *)op;

	o->step(o);
}

void kube_record_put(struct target *t, const struct target_record *r, target_done done, void *arg,
		     struct target_call **ret)
{
	struct record_op *o = record_op_new(t, r->app, ret);

	o->done = done;
	o->arg = arg;
	o->text = record_text(o->op.a, r);
	o->holder = arena_str(o->op.a, r->holder);
	o->step = put_record;
	kube_op_later(&o->op, 0, begin);
}

/* ------------------------------------------------------------------ the inventory */

struct part {
	size_t index; /* of kept's chunks, or one past them for a new one */
	str text;
	bool fresh;
};

/* The first of them begins where all identities do, so its `from` bounds nothing. */
static int by_range(const void *x, const void *y, void *arg)
{
	const struct kube_chunk *c = arg;
	str a = str_from(c[*(const size_t *)x].from), b = str_from(c[*(const size_t *)y].from);
	obj_id ia = {0}, ib = {0};

	(void)obj_id_parse(a, &ia);
	(void)obj_id_parse(b, &ib);
	return obj_id_cmp(ia, ib);
}

static str lines(struct arena *a, const struct inventory *inv, size_t from, size_t to)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct inventory part = {.p = inv->p + from, .n = to - from};

	inventory_print(&part, &b);
	return arena_str(a, buf_view(&b));
}

/* New parts come first: what moves is written where it goes before it leaves where it was. */
static void add_part(struct record_op *o, size_t index, size_t from, size_t to, size_t *next_new)
{
	str text = lines(o->op.a, &o->inv, from, to);

	if (to - from > CHUNK_LINES || (text.n > CHUNK_BYTES && to - from > 1)) {
		size_t mid = from + (to - from) / 2;

		add_part(o, index, from, mid, next_new);
		add_part(o, (*next_new)++, mid, to, next_new);
		return;
	}
	o->parts[o->parts_n++] = (struct part){.index = index, .text = text};
}

static int new_first(const void *x, const void *y)
{
	const struct part *a = x, *b = y;

	if (a->fresh != b->fresh)
		return a->fresh ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static void divide(struct record_op *o, const struct kube_kept *x)
{
	size_t n = 0, next_new = x->chunks_n ? x->chunks_n : 1, from = 0;
	size_t *order = ARENA_ARRAY(o->op.a, size_t, x->chunks_n + 1);

	o->parts_n = o->parts_next = 0;
	o->parts = ARENA_ARRAY(o->op.a, struct part, o->inv.n + x->chunks_n + 1);
	for (size_t i = 0; i < x->chunks_n; i++)
		if (!x->chunks[i].empty)
			order[n++] = i;
	if (n)
		qsort_r(order, n, sizeof(size_t), by_range, x->chunks);
	else
		order[n++] = 0;
	for (size_t i = 0; i < n; i++) {
		size_t to = o->inv.n;
		obj_id bound = {0};

		if (i + 1 < n) {
			(void)obj_id_parse(str_from(x->chunks[order[i + 1]].from), &bound);
			for (to = from; to < o->inv.n && obj_id_cmp(o->inv.p[to].id, bound) < 0;)
				to++;
		}
		add_part(o, order[i], from, to, &next_new);
		from = to;
	}
	for (size_t i = 0; i < o->parts_n; i++)
		o->parts[i].fresh = o->parts[i].index >= x->chunks_n;
	qsort(o->parts, o->parts_n, sizeof(*o->parts), new_first);
}

static void next_part(struct record_op *o);

static struct kube_chunk *chunk_make(struct kube_kept *x, size_t index)
{
	if (index >= x->chunks_n) {
		x->chunks = xrealloc(x->chunks, (index + 1) * sizeof(*x->chunks));
		memset(x->chunks + x->chunks_n, 0, (index + 1 - x->chunks_n) * sizeof(*x->chunks));
		x->chunks_n = index + 1;
	}
	return &x->chunks[index];
}

static void on_part(void *arg, const struct kube_reply *r, struct err *e)
{
	struct record_op *o = arg;
	const struct part *p = &o->parts[o->parts_next];
	struct kube_chunk *c;

	if (e) {
		fail(o, e);
		return;
	}
	if (r->status != 200 && r->status != 201) {
		mend(o, r);
		return;
	}
	c = chunk_make(kept_make(o->op.k, o->app), p->index);
	e = version_of(r, &c->version);
	if (e) {
		fail(o, e);
		return;
	}
	if (!c->name) {
		c->name = copy(arena_printf(o->op.a, STR_FMT ".%zu",
					    STR_ARG(record_name(o->op.a, o->op.k, o->app)),
					    p->index));
		c->from = copy(id_until_tab(p->text));
	}
	c->empty = !p->text.n;
	c->text = hash_blake2b(NULL, STR("chunk"), p->text);
	o->parts_next++;
	next_part(o);
}

static void next_part(struct record_op *o)
{
	struct kube *k = o->op.k;

	for (; o->parts_next < o->parts_n; o->parts_next++) {
		const struct part *p = &o->parts[o->parts_next];
		struct kube_kept *x = kept_make(k, o->app);
		struct hash h = hash_blake2b(NULL, STR("chunk"), p->text);
		bool there = p->index < x->chunks_n && x->chunks[p->index].version;

		if (there && hash_eq(&h, &x->chunks[p->index].text))
			continue;
		if (!there && !p->text.n && !o->inv.n)
			continue; /* nothing owned yet: no chunk */
		put_map(o,
			arena_printf(o->op.a, STR_FMT ".%zu",
				     STR_ARG(record_name(o->op.a, k, o->app)), p->index),
			there ? str_from(x->chunks[p->index].version) : STR_NONE, STR("objects"),
			p->text, on_part);
		return;
	}
	succeed(o);
}

static void put_inventory(struct record_op *o)
{
	struct kube_kept *x;

	if (!known(o))
		return;
	x = kept_make(o->op.k, o->app);
	if (held_by_other(o, x))
		return;
	divide(o, x);
	next_part(o);
}

void kube_inventory_put(struct target *t, str app, const struct inventory *inv, target_done done,
			void *arg, struct target_call **ret)
{
	struct record_op *o = record_op_new(t, app, ret);

	o->done = done;
	o->arg = arg;
	o->inv = *inventory_dup(o->op.a, inv);
	o->step = put_inventory;
	kube_op_later(&o->op, 0, begin);
}

/* ------------------------------------------------------------------ the end of an App */

static void drop_next(struct record_op *o);

static void on_dropped(void *arg, const struct kube_reply *r, struct err *e)
{
	struct record_op *o = arg;

	if (!e && r->status != 200 && r->status != 202 && r->status != 404) {
		if (r->status == 409 && ++o->tries < PUT_TRIES) {
			o->drops_next = 0;
			load(&o->op);
			return;
		}
		e = kube_error(r->what, r->status, r->body);
	}
	if (e) {
		fail(o, e);
		return;
	}
	o->drops_next++;
	drop_next(o);
}

/* The record first: parts without one are still an inventory, a record without its parts is damage.
 */
static void drop_next(struct record_op *o)
{
	struct kube *k = o->op.k;
	const struct kube_kept *x = kept_find(k, o->app);
	size_t i = o->drops_next;
	str name, version;
	struct kube_ask ask = {.method = "DELETE", .type = "application/json", .lane = KUBE_WRITE};

	if (!x || i > x->chunks_n) {
		kept_forget(k, o->app);
		succeed(o);
		return;
	}
	name = i ? str_from(x->chunks[i - 1].name) : record_name(o->op.a, k, o->app);
	version = str_from(i ? x->chunks[i - 1].version : x->record_version);
	if (!version.n) {
		o->drops_next++;
		drop_next(o);
		return;
	}
	name = arena_str(o->op.a, name);
	ask.path = maps_path(o->op.a, k, name);
	ask.what = what_of(k, "delete", name);
	ask.body = arena_printf(o->op.a,
				"{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
				"\"preconditions\":{\"resourceVersion\":\"" STR_FMT "\"}}",
				STR_ARG(version));
	kube_send(k, &o->op, &ask, on_dropped, o, NULL);
}

static void drop(struct record_op *o)
{
	if (!known(o))
		return;
	if (held_by_other(o, kept_find(o->op.k, o->app)))
		return;
	drop_next(o);
}

void kube_record_drop(struct target *t, str app, target_done done, void *arg,
		      struct target_call **ret)
{
	struct record_op *o = record_op_new(t, app, ret);

	o->done = done;
	o->arg = arg;
	o->step = drop;
	kube_op_later(&o->op, 0, begin);
}
