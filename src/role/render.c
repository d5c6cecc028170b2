/* render: one App's folder of one commit, out of the object store, as objects. */
#include "role_priv.h"

#include "leeboard/git.h"
#include "leeboard/render.h"

static str file_of(loc at)
{
	return at.in ? at.in->name : STR_NONE;
}

static struct err *send_origins(struct arena *a, struct worker_out *out, str identity,
				const struct render_object *o)
{
	struct render_origins v;
	struct worker_origin *rows;

	render_origins(a, o, true, &v);
	rows = ARENA_ARRAY(a, struct worker_origin, v.n);
	for (size_t i = 0; i < v.n; i++)
		rows[i] = (struct worker_origin){
			.path = v.p[i].path, .file = file_of(v.p[i].at), .line = v.p[i].at.line};
	return worker_send_origins(out, identity, rows, v.n);
}

static struct err *send_object(const struct render_object *o, struct worker_out *out)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf json = BUF_INIT;
	struct object parts;
	str identity;

	TRY(obj_from_node(a, o->root, &parts));
	identity = obj_id_text(a, parts.id);
	node_json(o->root, NODE_JSON_COMPACT, &json);
	TRY(worker_send_object(out, identity, file_of(o->at), o->at.line, o->at.col,
			       buf_view(&json)));
	return send_origins(a, out, identity, o);
}

/* What cannot be sent as an object is one more mistake of the manifests: all are told. */
static struct err *send_objects(const struct render_result *r, struct worker_out *out)
{
	struct err *e = NULL;

	for (size_t i = 0; i < r->n; i++)
		e = err_join(e, send_object(&r->p[i], out));
	return e;
}

static struct err *send_warnings(const struct render_result *r, struct worker_out *out)
{
	for (size_t i = 0; i < r->warnings.n; i++) {
		const struct render_warning *w = &r->warnings.p[i];
		const struct worker_warning v = {.message = w->text,
						 .file = file_of(w->at),
						 .line = w->at.line,
						 .col = w->at.col};

		TRY(worker_send_warning(out, &v));
	}
	return NULL;
}

/* Also of a rendering that failed: a commit that changes nothing of it would fail alike. */
static struct err *send_seen(struct tree *t, struct worker_out *out)
{
	size_t n;
	const struct tree_seen *seen = tree_seen(t, &n);

	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf) struct buf hex = BUF_INIT;
		struct job_seen s = {.path = seen[i].path};

		buf_hex(&hex, seen[i].oid, seen[i].oid_n);
		s.oid = buf_view(&hex);
		TRY(worker_send_seen(out, &s));
	}
	return NULL;
}

#define MOST_FOLDERS 8u /* that a message names */

/* The folders that lie where the path leads wrong: " (it has: deploy/web, deploy/db)". */
static struct err *what_there_is(struct arena *a, struct tree *t, str path, struct buf *ret)
{
	struct tree_entry *entries;
	size_t n, cut, named = 0;
	enum tree_kind kind = TREE_ABSENT;

	while (path.n && kind != TREE_FOLDER) {
		cut = str_rchr(path, '/');
		path = cut == SIZE_MAX ? STR("") : str_sub(path, 0, cut);
		TRY(tree_kind(t, path, &kind));
	}
	TRY(tree_list(t, a, path, &entries, &n));
	for (size_t i = 0; i < n && named < MOST_FOLDERS; i++) {
		if (entries[i].kind != TREE_FOLDER)
			continue;
		buf_printf(ret, "%s" STR_FMT "%s" STR_FMT,
			   named++ ? ", " : " (it has: ", STR_ARG(path), path.n ? "/" : "",
			   STR_ARG(entries[i].name));
	}
	buf_str(ret, named ? STR(")") : STR(""));
	return NULL;
}

/* Only "there is no such folder" names the App's path as wrong; the rest is the rendering's. */
static struct err *path_missing(struct arena *a, struct tree *t, const struct job_render *j)
{
	CLEANUP(buf) struct buf has = BUF_INIT;
	enum tree_kind kind;

	TRY(tree_kind(t, j->path, &kind));
	if (kind == TREE_FOLDER)
		return NULL;
	TRY(what_there_is(a, t, j->path, &has));
	return err_new(ERR_PATH_MISSING, "path '" STR_FMT "' is %s in " STR_FMT STR_FMT,
		       STR_ARG(j->path), kind == TREE_FILE ? "a file" : "not",
		       STR_ARG(str_sub(j->oid, 0, 7)), STR_ARG(buf_view(&has)));
}

static struct err *render(struct arena *a, const struct job_render *j, struct tree *t,
			  struct worker_out *out)
{
	const struct render_opts opts = {.overlay = j->overlay,
					 .plain = {.ignore = j->ignore, .empty = true}};
	struct render_result result = {0};
	struct err *e;

	TRY(path_missing(a, t, j));
	e = render_build(a, t, j->path, &opts, &result);
	e = err_join(e, send_warnings(&result, out));
	if (!e)
		e = send_objects(&result, out);
	return err_join(e, send_seen(t, out));
}

static struct err *run(struct arena *a, const struct role *r, const struct worker_job *w,
		       struct worker_out *out)
{
	CLEANUP(git_store) struct git_store *s = NULL;
	struct job_render j;
	struct sandbox_plan plan = {0};
	struct tree *t = NULL;
	struct err *e;
	git_id id;

	TRY(job_render_read(a, w, &j));
	if (!git_id_parse(j.oid, &id))
		return err_new(ERR_INVALID, "'oid' is no object id");
	TRY(tree_clean(a, j.path, &j.path));
	git_setup();
	plan.read_dir = arena_str(a, j.objects).p;
	TRY(role_enter(r, &plan, &j.limits, out));
	TRY(git_store_open(plan.read_dir, &s));
	TRY(git_tree_open(s, id, &t));
	e = render(a, &j, t, out);
	tree_free(t);
	return e;
}

const struct role role_render = {
	.name = "leeboard-render",
	.sandbox = SANDBOX_RENDER,
	.memory_bytes = 512ull << 20,
	.cpu_seconds = 30,
	.run = run,
	.by_hand = render_by_hand,
};
