/* leeboard-target-driver: a target by hand, for tests. A command a line on standard input, as JSON;
 * an answer a line on standard output, with the command's "tag"; events of watches have "event".
 *
 * usage: leeboard-target-driver KUBECONFIG INSTANCE HOLDER [DELETE_TIMEOUT_MS [REQUESTS
 * [PROGRAM...]]] (PROGRAM: allowExec) */
#include "leeboard/target.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define MAX_LINE (64u << 20)

struct driver {
	struct loop *loop;
	struct target *target;
	struct buf in;
	struct watch_fd *watch;
};

/* One command; freed by its answer. */
struct command {
	struct driver *d;
	struct arena *a;
	str tag;
	const struct node *root;
	struct target_call *call;
	/* bulk */
	const struct node *items;
	size_t open, outcomes[3], failed;
	msec since;
	struct buf first_error;
};

/* ------------------------------------------------------------------ saying */

static void say(struct buf *b)
{
	size_t done = 0;

	buf_char(b, '\n');
	while (done < b->n) {
		ssize_t n = write(1, b->p + done, b->n - done);

		if (n < 0 && errno != EINTR)
			exit(3);
		if (n > 0)
			done += (size_t)n;
	}
}

static void pair(struct buf *b, const char *key, str value)
{
	buf_printf(b, ",\"%s\":", key);
	buf_json(b, value);
}

static void put_live(struct buf *b, const struct target_live *l)
{
	CLEANUP(arena) struct arena *a = arena_new();

	pair(b, "id", obj_id_text(a, l->id));
	pair(b, "version", l->version);
	pair(b, "uid", l->uid);
	if (l->failed)
		buf_str(b, STR(",\"failed\":true"));
	buf_str(b, STR(",\"root\":"));
	if (l->root)
		node_json(l->root, NODE_JSON_COMPACT, b);
	else
		buf_str(b, STR("null"));
}

static void begin(struct buf *b, const struct command *c)
{
	buf_str(b, STR("{\"tag\":"));
	buf_json(b, c->tag);
}

static void put_error(struct buf *b, struct err *e)
{
	CLEANUP(buf) struct buf text = BUF_INIT;

	if (!e)
		return;
	err_print(e, &text);
	pair(b, "code", str_from(err_code_name(err_code(e))));
	pair(b, "error", buf_view(&text));
	pair(b, "message", err_message(e));
	err_free(e);
}

static void end(struct command *c, struct buf *b)
{
	buf_char(b, '}');
	say(b);
	buf_done(&c->first_error);
	arena_free(c->a);
	free(c);
}

/* ------------------------------------------------------------------ answers */

static void on_done(void *arg, struct err *e)
{
	struct command *c = arg;
	CLEANUP(buf) struct buf b = BUF_INIT;

	begin(&b, c);
	put_error(&b, e);
	end(c, &b);
}

static void on_applied(void *arg, enum target_outcome o, const struct target_live *live,
		       struct err *e)
{
	static const char *const words[] = {"created", "changed", "unchanged"};
	struct command *c = arg;
	CLEANUP(buf) struct buf b = BUF_INIT;

	begin(&b, c);
	if (!e)
		pair(&b, "outcome", str_from(words[o]));
	put_live(&b, live);
	put_error(&b, e);
	end(c, &b);
}

static void on_got(void *arg, const struct target_live *p, size_t n, struct err *e)
{
	struct command *c = arg;
	CLEANUP(buf) struct buf b = BUF_INIT;

	begin(&b, c);
	buf_str(&b, STR(",\"objects\":["));
	for (size_t i = 0; i < n; i++) {
		buf_printf(&b, "%s{\"meta\":%s", i ? "," : "", p[i].meta_only ? "true" : "false");
		put_live(&b, &p[i]);
		buf_char(&b, '}');
	}
	buf_char(&b, ']');
	put_error(&b, e);
	end(c, &b);
}

static void on_records(void *arg, const struct target_record *p, size_t n, struct err *e)
{
	struct command *c = arg;
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(buf) struct buf lines = BUF_INIT;

	begin(&b, c);
	buf_str(&b, STR(",\"records\":["));
	for (size_t i = 0; i < n; i++) {
		buf_printf(&b, "%s{\"generation\":%llu,\"applied_at\":%lld", i ? "," : "",
			   (unsigned long long)p[i].generation, (long long)p[i].applied_at);
		pair(&b, "app", p[i].app);
		pair(&b, "source", p[i].source);
		pair(&b, "ref", p[i].ref);
		pair(&b, "accepted", p[i].accepted);
		pair(&b, "applied", p[i].applied);
		pair(&b, "healthy", p[i].healthy);
		pair(&b, "holder", p[i].holder);
		buf_clear(&lines);
		inventory_print(p[i].inventory, &lines);
		pair(&b, "inventory", buf_view(&lines));
		buf_char(&b, '}');
	}
	buf_char(&b, ']');
	put_error(&b, e);
	end(c, &b);
}

static void on_event(void *arg UNUSED, const struct target_event *e)
{
	static const char *const words[] = {"seen", "gone", "listing", "listed", "lost", "found"};
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_printf(&b, "{\"event\":\"%s\"", words[e->kind]);
	if (e->kind == TARGET_LOST)
		pair(&b, "why", e->why);
	else if (e->kind != TARGET_FOUND)
		put_live(&b, &e->live);
	buf_char(&b, '}');
	say(&b);
}

/* ------------------------------------------------------------------ many at once */

static void on_one(void *arg, enum target_outcome o, const struct target_live *live UNUSED,
		   struct err *e)
{
	struct command *c = arg;
	struct rusage u;
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (e) {
		c->failed++;
		if (!c->first_error.n)
			err_print(e, &c->first_error);
	} else {
		c->outcomes[o]++;
	}
	err_free(e);
	if (--c->open)
		return;
	getrusage(RUSAGE_SELF, &u);
	begin(&b, c);
	buf_printf(&b,
		   ",\"ms\":%lld,\"created\":%zu,\"changed\":%zu,\"unchanged\":%zu,\"failed\":%zu,"
		   "\"cpu_ms\":%ld,\"peak_kb\":%ld",
		   (long long)(time_mono() - c->since), c->outcomes[0], c->outcomes[1],
		   c->outcomes[2], c->failed,
		   (long)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
			   (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000,
		   u.ru_maxrss);
	pair(&b, "first_error", buf_view(&c->first_error));
	end(c, &b);
}

static bool id_of(struct arena *a, const struct node *n, obj_id *id, str *version)
{
	struct object o;
	struct err *e = obj_from_node(a, n, &o);

	if (e) {
		err_free(e);
		return false;
	}
	*id = o.id;
	*version = o.version;
	return true;
}

static void fill(struct command *c, const struct node *object, struct target_apply *w)
{
	CLEANUP(buf) struct buf json = BUF_INIT;

	*w = (struct target_apply){
		.app = node_get_text(c->root, STR("app")),
		.force = node_bool(node_get(c->root, STR("force")), false),
		.create = node_bool(node_get(c->root, STR("create")), false),
		.adopt = node_get(c->root, STR("adopt")),
		.uid = node_get_text(c->root, STR("uid")),
	};
	if (!id_of(c->a, object, &w->id, &w->version))
		exit(4);
	node_json(object, NODE_JSON_COMPACT, &json);
	w->json = arena_str(c->a, buf_view(&json));
}

static void bulk(struct command *c)
{
	c->items = node_get(c->root, STR("objects"));
	c->since = time_mono();
	c->open = c->items->n;
	for (uint32_t i = 0; i < c->items->n; i++) {
		struct target_apply w;

		fill(c, c->items->items[i], &w);
		target_apply(c->d->target, &w, on_one, c, NULL);
	}
}

/* ------------------------------------------------------------------ commands */

static void get(struct command *c)
{
	const struct node *ids = node_get(c->root, STR("ids"));
	struct target_want_live *p = ARENA_ARRAY(c->a, struct target_want_live, ids->n);

	for (uint32_t i = 0; i < ids->n; i++) {
		if (!obj_id_parse(node_get_text(ids->items[i], STR("id")), &p[i].id))
			exit(4);
		p[i].version = node_get_text(ids->items[i], STR("version"));
	}
	target_get(c->d->target, p, ids->n, node_bool(node_get(c->root, STR("meta")), false),
		   on_got, c, &c->call);
}

static void list(struct command *c)
{
	struct target_list w = {
		.group = node_get_text(c->root, STR("group")),
		.version = node_get_text(c->root, STR("version")),
		.kind = node_get_text(c->root, STR("kind")),
		.ns = node_get_text(c->root, STR("ns")),
		.selector = node_get_text(c->root, STR("selector")),
	};

	target_list(c->d->target, &w, on_got, c, &c->call);
}

static void apply(struct command *c, bool preview)
{
	struct target_apply w;

	fill(c, node_get(c->root, STR("object")), &w);
	(preview ? target_preview : target_apply)(c->d->target, &w, on_applied, c, &c->call);
	if (!node_bool(node_get(c->root, STR("cancel")), false))
		return;
	CLEANUP(buf) struct buf b = BUF_INIT;

	target_cancel(c->call);
	begin(&b, c);
	end(c, &b);
}

static void remove_one(struct command *c)
{
	struct target_delete w = {
		.version = node_get_text(c->root, STR("version")),
		.uid = node_get_text(c->root, STR("uid")),
		.app = node_get_text(c->root, STR("app")),
		.propagation = node_bool(node_get(c->root, STR("foreground")), false)
				       ? PROPAGATE_FOREGROUND
				       : PROPAGATE_BACKGROUND,
	};

	if (!obj_id_parse(node_get_text(c->root, STR("id")), &w.id))
		exit(4);
	target_delete(c->d->target, &w, on_done, c, &c->call);
}

static void record_put(struct command *c)
{
	int64_t n = 0;
	struct target_record r = {
		.app = node_get_text(c->root, STR("app")),
		.source = node_get_text(c->root, STR("source")),
		.ref = node_get_text(c->root, STR("ref")),
		.accepted = node_get_text(c->root, STR("accepted")),
		.applied = node_get_text(c->root, STR("applied")),
		.holder = node_get_text(c->root, STR("holder")),
		.applied_at = 1700000000123,
	};

	(void)node_i64(node_get(c->root, STR("generation")), &n);
	r.generation = (uint64_t)n;
	target_record_put(c->d->target, &r, on_done, c, &c->call);
}

static void inventory_put(struct command *c)
{
	struct text *in = ARENA_NEW(c->a, struct text);
	struct inventory inv = {0};

	*in = (struct text){STR("lines"), node_get_text(c->root, STR("lines"))};
	if (inventory_parse(c->a, in, &inv))
		exit(4);
	target_inventory_put(c->d->target, node_get_text(c->root, STR("app")), &inv, on_done, c,
			     &c->call);
}

static void stats(struct command *c)
{
	struct target *t = c->d->target;
	CLEANUP(buf) struct buf b = BUF_INIT;

	begin(&b, c);
	buf_printf(&b, ",\"requests\":%llu,\"writes\":%llu", (unsigned long long)target_requests(t),
		   (unsigned long long)target_writes(t));
	pair(&b, "place", target_place(t));
	pair(&b, "uid", target_uid(t));
	end(c, &b);
}

static void facts(struct command *c)
{
	static const char *const words[] = {"unknown", "namespaced", "cluster"};
	str group = node_get_text(c->root, STR("group")),
	    kind = node_get_text(c->root, STR("kind"));
	str version = node_get_text(c->root, STR("version"));
	CLEANUP(buf) struct buf b = BUF_INIT;

	begin(&b, c);
	buf_printf(&b, ",\"serves\":%s,\"status\":%s",
		   target_serves(c->d->target, group, version, kind) ? "true" : "false",
		   target_has_status(c->d->target, group, version, kind) ? "true" : "false");
	pair(&b, "scope", str_from(words[target_scope(c->d->target, group, version, kind)]));
	end(c, &b);
}

static void watch(struct command *c, bool on)
{
	str group = node_get_text(c->root, STR("group")),
	    kind = node_get_text(c->root, STR("kind"));
	str version = node_get_text(c->root, STR("version"));
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (on)
		err_free(target_watch(c->d->target, group, version, kind));
	else
		target_unwatch(c->d->target, group, version, kind);
	begin(&b, c);
	end(c, &b);
}

static void act(struct driver *d, str line)
{
	struct command *c = xcalloc(1, sizeof(*c));
	struct text *in;
	str op;

	c->d = d;
	c->a = arena_new();
	in = ARENA_NEW(c->a, struct text);
	*in = (struct text){STR("command"), arena_str(c->a, line)};
	if (node_read_json(c->a, in, &c->root))
		exit(4);
	c->tag = node_get_text(c->root, STR("tag"));
	op = node_get_text(c->root, STR("op"));
	if (str_eq(op, STR("ready")))
		target_ready(d->target, on_done, c, &c->call);
	else if (str_eq(op, STR("discover")))
		target_discover(d->target, on_done, c, &c->call);
	else if (str_eq(op, STR("get")))
		get(c);
	else if (str_eq(op, STR("list")))
		list(c);
	else if (str_eq(op, STR("apply")))
		apply(c, false);
	else if (str_eq(op, STR("preview")))
		apply(c, true);
	else if (str_eq(op, STR("bulk")))
		bulk(c);
	else if (str_eq(op, STR("delete")))
		remove_one(c);
	else if (str_eq(op, STR("records")))
		target_records(d->target, node_get_text(c->root, STR("app")), on_records, c,
			       &c->call);
	else if (str_eq(op, STR("record_put")))
		record_put(c);
	else if (str_eq(op, STR("inventory_put")))
		inventory_put(c);
	else if (str_eq(op, STR("record_drop")))
		target_record_drop(d->target, node_get_text(c->root, STR("app")), on_done, c,
				   &c->call);
	else if (str_eq(op, STR("watch")))
		watch(c, true);
	else if (str_eq(op, STR("unwatch")))
		watch(c, false);
	else if (str_eq(op, STR("stats")))
		stats(c);
	else if (str_eq(op, STR("facts")))
		facts(c);
	else
		exit(4);
}

static void on_input(void *arg, int events UNUSED)
{
	struct driver *d = arg;
	char part[65536];
	ssize_t n = read(0, part, sizeof(part));
	size_t from = 0;

	if (n < 0)
		return;
	if (n == 0 || d->in.n > MAX_LINE) {
		loop_stop(d->loop);
		return;
	}
	buf_add(&d->in, part, (size_t)n);
	for (size_t nl; (nl = str_chr(str_sub(buf_view(&d->in), from, SIZE_MAX), '\n')) != SIZE_MAX;
	     from += nl + 1)
		act(d, str_sub(buf_view(&d->in), from, nl));
	if (from) {
		memmove(d->in.p, d->in.p + from, d->in.n - from);
		d->in.n -= from;
	}
}

int main(int argc, char **argv)
{
	CLEANUP(loop) struct loop *loop = NULL;
	CLEANUP(log) struct log *log = NULL;
	CLEANUP(target) struct target *target = NULL;
	CLEANUP(err) struct err *e = NULL;
	str programs[16];
	struct config_texts allowed = {.p = programs};
	struct driver d = {0};

	if (argc < 4)
		return 2;
	hash_init();
	loop = loop_new();
	log = log_new(2, LOG_LOGFMT, LOG_INFO);
	for (int i = 6; i < argc && allowed.n < ARRAY_LEN(programs); i++)
		programs[allowed.n++] = str_from(argv[i]);
	struct target_env env = {
		.loop = loop,
		.log = log,
		.instance = str_from(argv[2]),
		.holder = str_from(argv[3]),
		.allow_exec = &allowed,
		.delete_timeout = argc > 4 ? strtol(argv[4], NULL, 10) : 0,
		.requests = argc > 5 ? strtol(argv[5], NULL, 10) : 0,
	};
	struct app_target where = {.kind = TARGET_KUBECONFIG,
				   .kubeconfig = {.kind = REF_FILE, .value = str_from(argv[1])}};

	e = target_open(&env, &where, &target);
	if (e) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_print(e, &b);
		fputs(b.p, stderr);
		return 1;
	}
	d.loop = loop;
	d.target = target;
	target_listen(target, on_event, &d);
	d.watch = loop_fd(loop, 0, LOOP_READ, on_input, &d);
	loop_run(loop);
	loop_fd_stop(d.watch);
	buf_done(&d.in);
	return 0;
}
