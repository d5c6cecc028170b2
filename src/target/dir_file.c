/* One file of manifests: read without being led astray, its documents, and the merge. */
#include "dir_priv.h"
#include "leeboard/diff.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void odd(struct arena *a, struct dir_bytes *r, const char *why)
{
	r->found = DIR_ODD;
	r->unreadable = true;
	r->why = arena_str(a, str_from(why));
}

/* A name may have become anything: a link out of the folder, a pipe that never ends, a device. */
void dir_read(struct arena *a, int fd, str name, size_t limit, struct dir_bytes *ret)
{
	CLEANUP(buf) struct buf path = BUF_INIT;
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct dir_bytes r = {.found = DIR_ABSENT};

	*ret = r;
	buf_str(&path, name);

	CLEANUP(fd) int in = openat(fd, path.p, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (in < 0 && (errno == ENOENT || errno == ENOTDIR))
		return;
	if (in < 0) {
		bool link = errno == ELOOP;

		odd(a, ret, link ? "it is a symbolic link" : strerror(errno));
		ret->unreadable = !link;
		return;
	}
	if (fstat(in, &ret->st) < 0) {
		odd(a, ret, strerror(errno));
		return;
	}
	if (!S_ISREG(ret->st.st_mode)) {
		odd(a, ret, S_ISDIR(ret->st.st_mode) ? "it is a folder" : "it is no regular file");
		ret->folder = S_ISDIR(ret->st.st_mode);
		ret->unreadable = false;
		return;
	}
	if ((uintmax_t)ret->st.st_size > limit) {
		odd(a, ret, "it is too large");
		return;
	}
	buf_reserve(&b, (size_t)ret->st.st_size + 1);
	for (;;) {
		ssize_t got;

		buf_reserve(&b, 4096);
		got = read(in, b.p + b.n, 4096);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			odd(a, ret, strerror(errno));
			return;
		}
		if (!got)
			break;
		b.n += (size_t)got;
		if (b.n > limit) {
			odd(a, ret, "it is too large");
			return;
		}
	}
	ret->found = DIR_READ;
	ret->bytes = arena_str(a, buf_view(&b));
}

/* The identity of a document, as a hand might have written it: without a namespace. */
static obj_id id_of(struct arena *a, const struct dir *d, const struct node *doc)
{
	struct object o = {.id = {STR(""), STR(""), STR(""), STR("")}};
	CLEANUP(err) struct err *e = obj_from_node(a, doc, &o);

	if (e)
		return (obj_id){STR(""), STR(""), STR(""), STR("")};
	if (!o.id.ns.n && obj_scope_builtin(o.id.group, o.id.kind) == OBJ_NAMESPACED)
		o.id.ns = d->where.namespace.n ? d->where.namespace : STR("default");
	return o.id;
}

void dir_work_read(struct arena *a, struct dir *d, str name, struct dir_work *w)
{
	*w = (struct dir_work){.name = arena_str(a, name), .dir = d};
	d->head.requests++;
	dir_read(a, d->fd, name, DIR_MAX_FILE, &w->was);
	if (w->was.found == DIR_ODD)
		w->broken = w->was.why;
	if (w->was.found != DIR_READ)
		return;
	w->text = (struct text){w->name, w->was.bytes};

	CLEANUP(err) struct err *e = node_read_yaml(a, &w->text, &w->docs);

	if (e) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_line_to(e, &b);
		w->broken = arena_str(a, buf_view(&b));
		w->docs = (struct node_docs){NULL, 0, 0};
	}
	for (size_t i = 0; i < w->docs.n; i++)
		*ARENA_PUSH(a, &w->ids) = id_of(a, d, w->docs.p[i]);
	w->had_secret = dir_work_secret(w);
}

size_t dir_work_find(const struct dir_work *w, obj_id id)
{
	for (size_t i = 0; i < w->ids.n; i++)
		if (obj_id_eq(w->ids.p[i], id))
			return i;
	return SIZE_MAX;
}

void dir_work_add(struct arena *a, struct dir_work *w, obj_id id, const struct node *doc)
{
	*ARENA_PUSH(a, &w->docs) = doc;
	*ARENA_PUSH(a, &w->ids) = id;
	w->changed = true;
}

void dir_work_remove(struct dir_work *w, size_t at)
{
	size_t behind = --w->docs.n - at;

	w->ids.n--;
	memmove(&w->docs.p[at], &w->docs.p[at + 1], behind * sizeof(w->docs.p[0]));
	memmove(&w->ids.p[at], &w->ids.p[at + 1], behind * sizeof(w->ids.p[0]));
	w->changed = true;
}

bool dir_work_secret(const struct dir_work *w)
{
	for (size_t i = 0; i < w->docs.n; i++)
		if (str_eq(node_get_text(w->docs.p[i], STR("kind")), STR("Secret")))
			return true;
	return false;
}

void dir_work_print(const struct dir *d, const struct dir_work *w, struct buf *b)
{
	if (str_ends(d->where.file_name, STR(".json")) && w->docs.n == 1) {
		node_json(w->docs.p[0], NODE_JSON_INDENT, b);
		buf_char(b, '\n');
		return;
	}
	for (size_t i = 0; i < w->docs.n; i++) {
		if (i)
			buf_str(b, STR("---\n"));
		node_yaml(w->docs.p[i], b);
	}
}

/* ------------------------------------------------------------------ last-applied */

str dir_last_path(struct arena *a, str app, obj_id id, const char *ending)
{
	return arena_printf(a, STR_FMT "/last/" STR_FMT ".%s", STR_ARG(dir_app_folder(a, app)),
			    STR_ARG(dir_state_name(a, id)), ending);
}

/* A torn one was not finished before anything else was begun: it says nothing. */
static const struct node *read_state_json(struct arena *a, const struct dir *d, str path)
{
	struct dir_bytes b;
	struct text *t = ARENA_NEW(a, struct text);
	const struct node *n = NULL;

	dir_read(a, d->state_fd, path, DIR_MAX_STATE, &b);
	if (b.found != DIR_READ)
		return NULL;
	*t = (struct text){path, b.bytes};

	CLEANUP(err) struct err *e = node_read_json(a, t, &n);

	return !e && node_is(n, NODE_MAP) ? n : NULL;
}

const struct node *dir_last_read(struct arena *a, struct dir *d, str app, obj_id id,
				 bool *left_over)
{
	const struct node *last = read_state_json(a, d, dir_last_path(a, app, id, "last"));
	const struct node *next = read_state_json(a, d, dir_last_path(a, app, id, "next"));

	*left_over = next != NULL;
	if (!last || !next)
		return last ? last : next;

	/* The union, whatever the lists are: only which fields there are counts for the merge. */
	const struct node *both = NULL;
	const struct obj_schema *s = obj_schema_of(node_get_text(next, STR("apiVersion")), id.kind);
	CLEANUP(err) struct err *e = diff_patch_apply(a, s, last, next, &both);

	return e ? node_merge_json(a, last, next) : both;
}

const struct node *dir_last_reveal(struct arena *a, const struct dir *d, obj_id id,
				   const struct node *last, const struct node *live,
				   bool placeholder)
{
	const struct node *was = node_get(last, STR("data"));
	struct node_pairs p = {0};

	if (!obj_is_secret(id) || !node_is(was, NODE_MAP))
		return last;

	struct object o = {.id = id, .root = live};
	const struct node *hashed = live ? node_get(obj_redact(a, &o, d->key), STR("data")) : NULL;
	const struct node *now = node_get(live, STR("data"));

	for (uint32_t i = 0; i < was->n; i++) {
		str key = was->pairs[i].key;
		const struct node *v = was->pairs[i].value, *h = node_get(hashed, key);

		if (h && node_equal(h, v))
			v = node_get(now, key);
		else if (placeholder)
			v = node_new_str(a, STR(""));
		node_pairs_add(a, &p, key, v);
	}
	return node_set(a, last, STR("data"), node_new_map(a, p.p, p.n));
}

/* ------------------------------------------------------------------ the merge */

static struct err *try_merge(struct arena *a, const struct obj_schema *s, const struct node *last,
			     const struct node *desired, const struct node *live, bool ours,
			     const struct node **ret)
{
	const struct node *patch;

	if (!s) {
		/* Only whether there is a conflict; the patch itself is RFC 7396's. */
		if (!ours)
			TRY(diff_three_way(a, NULL, last, desired, live, false, &patch));
		patch = diff_json_three_way(a, last, desired, live);
		*ret = node_merge_json(a, live, patch);
		return NULL;
	}
	TRY(diff_three_way(a, s, last, desired, live, ours, &patch));
	if (node_is(patch, NODE_MAP) && !patch->n) {
		*ret = live;
		return NULL;
	}
	return diff_patch_apply(a, s, live, patch, ret);
}

struct err *dir_merge(struct arena *a, const struct dir *d, obj_id id, const struct node *last,
		      const struct node *desired, const struct node *live, bool ours,
		      const struct node **ret)
{
	const struct obj_schema *s =
		obj_schema_of(node_get_text(desired, STR("apiVersion")), id.kind);
	const struct node *known = last ? dir_last_reveal(a, d, id, last, live, true) : NULL;
	struct err *e = try_merge(a, s, known, desired, live, ours, ret);

	if (!e || !ours)
		return e;
	/* What stands there is no such object any more (an element without its key, a map that
	 * became a text), and it is ours: as Git says it. */
	err_free(e);
	*ret = desired;
	return NULL;
}
