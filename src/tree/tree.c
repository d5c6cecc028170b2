/* tree.c: paths, the read set, and the look-ups that every kind of tree shares. */
#include "tree_priv.h"

struct tree {
	const struct tree_ops *ops;
	void *self;
	bool lax;
	bool sorted;
	struct arena *mem; /* paths of the read set */
	struct {
		struct tree_seen *p;
		size_t n, cap;
	} seen;
	uint32_t *index; /* hash table over seen: position + 1; rebuilt after a sort */
	size_t index_cap;
};

struct tree *tree_new(const struct tree_ops *ops, void *self)
{
	struct tree *t = xcalloc(1, sizeof(*t));

	t->ops = ops;
	t->self = self;
	t->mem = arena_new();
	return t;
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	t->ops->close(t->self);
	arena_free(t->mem);
	free(t->index);
	free(t);
}

void tree_set_lax(struct tree *t)
{
	t->lax = true;
}

/* ------------------------------------------------------------------ paths */

/* Appends the parts of path to the cleaned path in b; false when it climbs above the root. */
static bool append_parts(struct buf *b, str path, bool lax)
{
	str part;

	while (str_split(&path, '/', &part)) {
		size_t cut;
		str last;

		if (!part.n || str_eq(part, STR(".")))
			continue;
		if (!str_eq(part, STR(".."))) {
			if (b->n)
				buf_char(b, '/');
			buf_str(b, part);
			continue;
		}
		cut = str_rchr(buf_view(b), '/');
		last = cut == SIZE_MAX ? buf_view(b) : str_sub(buf_view(b), cut + 1, SIZE_MAX);
		if (b->n && !str_eq(last, STR(".."))) {
			b->n = cut == SIZE_MAX ? 0 : cut;
			b->p[b->n] = '\0';
			continue;
		}
		if (!lax)
			return false;
		if (b->n)
			buf_char(b, '/');
		buf_str(b, STR(".."));
	}
	return true;
}

static struct err *join(struct arena *a, str folder, str path, bool lax, str *ret)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (path.n && path.p[0] == '/')
		return err_new(ERR_INVALID, "path '" STR_FMT "' must not start with '/'",
			       STR_ARG(path));
	if (!append_parts(&b, folder, lax) || !append_parts(&b, path, lax))
		return err_new(ERR_INVALID, "path '" STR_FMT "' leads above the root of the tree",
			       STR_ARG(path));
	*ret = arena_str(a, buf_view(&b));
	return NULL;
}

struct err *tree_clean(struct arena *a, str path, str *ret)
{
	return join(a, STR(""), path, false, ret);
}

struct err *tree_join(const struct tree *t, struct arena *a, str folder, str path, str *ret)
{
	return join(a, folder, path, t->lax, ret);
}

bool tree_below(str folder, str path)
{
	if (!folder.n)
		return !str_eq(path, STR("..")) && !str_starts(path, STR("../"));
	/* Up from "../..", everything that is not further up lies below. */
	if (str_eq(folder, STR("..")) || str_ends(folder, STR("/.."))) {
		while (str_starts(folder, STR(".."))) {
			if (!str_starts(path, STR("..")))
				return true;
			folder = str_sub(folder, 3, SIZE_MAX);
			path = str_sub(path, 3, SIZE_MAX);
		}
		return !str_starts(path, STR(".."));
	}
	return str_starts(path, folder) && (path.n == folder.n || path.p[folder.n] == '/');
}

/* ------------------------------------------------------------------ the read set */

static void index_put(struct tree *t, size_t i)
{
	size_t at = str_hash(t->seen.p[i].path) & (t->index_cap - 1);

	while (t->index[at])
		at = (at + 1) & (t->index_cap - 1);
	t->index[at] = (uint32_t)i + 1;
}

static void index_build(struct tree *t)
{
	size_t cap = t->index_cap ? t->index_cap : 64;

	while (cap < t->seen.n * 2 + 2)
		cap *= 2;
	free(t->index);
	t->index = xcalloc(cap, sizeof(*t->index));
	t->index_cap = cap;
	for (size_t i = 0; i < t->seen.n; i++)
		index_put(t, i);
}

static const struct tree_seen *seen_get(const struct tree *t, str path)
{
	if (!t->index_cap)
		return NULL;
	for (size_t at = str_hash(path) & (t->index_cap - 1); t->index[at];
	     at = (at + 1) & (t->index_cap - 1)) {
		const struct tree_seen *s = &t->seen.p[t->index[at] - 1];

		if (str_eq(s->path, path))
			return s;
	}
	return NULL;
}

/* What lies at path; asked once, answered from the read set afterwards. */
static struct err *look(struct tree *t, str path, struct tree_seen *ret)
{
	const struct tree_seen *old = seen_get(t, path);
	struct tree_seen s = {.path = path};

	if (old) {
		*ret = *old;
		return NULL;
	}
	TRY(t->ops->kind(t->self, path, &s.kind, s.oid, &s.oid_n));
	s.path = arena_str(t->mem, path);
	*ARENA_PUSH(t->mem, &t->seen) = s;
	t->sorted = false;
	if (t->seen.n * 2 > t->index_cap)
		index_build(t);
	else
		index_put(t, t->seen.n - 1);
	*ret = s;
	return NULL;
}

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct tree_seen *)a)->path, ((const struct tree_seen *)b)->path);
}

const struct tree_seen *tree_seen(struct tree *t, size_t *n)
{
	*n = t->seen.n;
	if (!t->sorted && t->seen.n) {
		qsort(t->seen.p, t->seen.n, sizeof(*t->seen.p), by_path);
		index_build(t);
	}
	t->sorted = true;
	return t->seen.p;
}

/* ------------------------------------------------------------------ look-ups */

struct err *tree_kind(struct tree *t, str path, enum tree_kind *ret)
{
	struct tree_seen s;

	TRY(look(t, path, &s));
	*ret = s.kind;
	return NULL;
}

/* "no file 'a/b'", with the nearest entry of the folder that should hold it. */
static struct err *not_found(struct tree *t, struct arena *a, str path)
{
	size_t cut = str_rchr(path, '/'), n = 0;
	str folder = cut == SIZE_MAX ? STR("") : str_sub(path, 0, cut);
	str base = cut == SIZE_MAX ? path : str_sub(path, cut + 1, SIZE_MAX);
	struct err *e = err_new(ERR_NOT_FOUND, "no file '" STR_FMT "'", STR_ARG(path));
	enum tree_kind kind;
	struct tree_entry *entries;
	uint8_t oid[32];
	size_t oid_n;
	struct err *trouble = t->ops->kind(t->self, folder, &kind, oid, &oid_n);

	if (!trouble && kind == TREE_FOLDER)
		trouble = t->ops->list(t->self, a, folder, &entries, &n);
	if (!trouble && n) {
		str *names = ARENA_ARRAY(a, str, n);
		str near;

		for (size_t i = 0; i < n; i++)
			names[i] = entries[i].name;
		near = str_nearest(base, names, n);
		if (near.n)
			e = err_hint(e, "did you mean '" STR_FMT "%s" STR_FMT "'?", STR_ARG(folder),
				     folder.n ? "/" : "", STR_ARG(near));
	}
	err_free(trouble); /* the hint is a courtesy */
	return e;
}

struct err *tree_read(struct tree *t, struct arena *a, str path, struct text **ret)
{
	struct tree_seen s;
	struct text *text = ARENA_NEW(a, struct text);

	TRY(look(t, path, &s));
	switch (s.kind) {
	case TREE_ABSENT:
		return not_found(t, a, path);
	case TREE_FOLDER:
		return err_new(ERR_NOT_FOUND, "'" STR_FMT "' is a folder, not a file",
			       STR_ARG(path));
	case TREE_FILE:
		break;
	}
	text->name = arena_str(a, path);
	TRY(t->ops->read(t->self, a, path, &text->bytes));
	*ret = text;
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct tree_entry *)a)->name, ((const struct tree_entry *)b)->name);
}

struct err *tree_list(struct tree *t, struct arena *a, str path, struct tree_entry **ret, size_t *n)
{
	struct tree_entry *entries = NULL;
	struct tree_seen s;
	size_t count = 0;

	TRY(look(t, path, &s));
	if (s.kind != TREE_FOLDER)
		return err_new(ERR_NOT_FOUND, "no folder '" STR_FMT "'", STR_ARG(path));
	TRY(t->ops->list(t->self, a, path, &entries, &count));
	if (count)
		qsort(entries, count, sizeof(*entries), by_name);
	*ret = entries;
	*n = count;
	return NULL;
}
