/* The files of one commit: Git trees read by our own parser, straight from the object database.
 *
 * A tree object is parsed once and kept, sorted by name; names that could leave a work tree are
 * refused although nothing is ever checked out (B-07, B-08). */
#include "leeboard/tree.h"
#include "git_priv.h"
#include <stdlib.h>

enum mode { MODE_FILE, MODE_FOLDER, MODE_LINK, MODE_SUBMODULE };
struct entry {
	str name;
	enum mode mode;
	git_id id;
};
struct folder {
	git_id id;
	struct entry *p; /* by name, bytewise */
	size_t n;
};
struct git_files {
	struct git_store *store;
	struct arena *a;
	git_id root;
	struct {
		struct folder *p;
		size_t n, cap;
	} folders;
	uint32_t *slots; /* index + 1 into folders; 0: free */
	size_t slots_n;
};
/* What a path leads to. */
struct found {
	enum tree_kind kind;
	git_id id;
};

static struct err *unread(enum git_read rc, str path, git_id id)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str hex = git_id_hex(a, id);
	enum err_code code = ERR_IO;
	const char *why = "";

	switch (rc) {
	case GIT_READ_OK:
		why = "is not of the kind that its tree says";
		break;
	case GIT_READ_MISSING:
		why = "is not in the store";
		break;
	case GIT_READ_TOO_LARGE:
		code = ERR_LIMIT;
		why = "is too large";
		break;
	case GIT_READ_CORRUPT:
		why = "is damaged";
		break;
	}
	return err_new(code, "'" STR_FMT "': object " STR_FMT " %s", STR_ARG(path), STR_ARG(hex),
		       why);
}

/* Code points that HFS+ drops from names: U+200C..F, U+202A..E, U+206A..F, U+FEFF. */
static size_t ignorable(str s)
{
	const uint8_t *p = (const uint8_t *)s.p;

	if (s.n < 3)
		return 0;
	if (p[0] == 0xe2 && p[1] == 0x80 &&
	    ((p[2] >= 0x8c && p[2] <= 0x8f) || (p[2] >= 0xaa && p[2] <= 0xae)))
		return 3;
	if (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xaa && p[2] <= 0xaf)
		return 3;
	return p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf ? 3 : 0;
}

static bool name_is_git(str name)
{
	char plain[8];
	size_t n = 0;

	for (size_t i = 0; i < name.n;) {
		size_t skip = ignorable(str_sub(name, i, SIZE_MAX));
		char c = name.p[i];

		if (skip) {
			i += skip;
			continue;
		}
		if (c == ':' || c == '\\')
			break;
		if (n == sizeof(plain)) /* longer than all we look for, but for blanks at the end */
			return false;
		if (c != ' ' && c != '.')
			plain[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
		else if (n == 0)
			plain[n++] = c;
		i++;
	}
	return str_eq(str_n(plain, n), STR(".git")) || str_eq(str_n(plain, n), STR("git~1"));
}

static bool name_is_bad(str name)
{
	return name.n == 0 || str_eq(name, STR(".")) || str_eq(name, STR("..")) ||
	       str_chr(name, '/') != SIZE_MAX || name_is_git(name);
}

static bool mode_of(str s, enum mode *ret)
{
	static const struct {
		str text;
		enum mode mode;
	} modes[] = {
		{STR("100644"), MODE_FILE}, {STR("100755"), MODE_FILE},
		{STR("100664"), MODE_FILE}, {STR("40000"), MODE_FOLDER},
		{STR("120000"), MODE_LINK}, {STR("160000"), MODE_SUBMODULE},
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (str_eq(modes[i].text, s)) {
			*ret = modes[i].mode;
			return true;
		}
	}
	return false;
}

static int by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

/* tree.h: paths are text, and text is UTF-8. */
static struct err *folder_parse(struct arena *a, str bytes, str path, size_t id_n,
				struct folder *ret)
{
	struct {
		struct entry *p;
		size_t n, cap;
	} v = {0};

	while (bytes.n) {
		size_t sp = str_chr(bytes, ' '), nul = str_chr(bytes, 0);
		struct entry e = {0};

		if (sp == SIZE_MAX || nul == SIZE_MAX || sp > nul || bytes.n - nul - 1 < id_n ||
		    !mode_of(str_sub(bytes, 0, sp), &e.mode))
			return err_new(ERR_INVALID, "'" STR_FMT "': malformed tree object",
				       STR_ARG(path));
		e.name = str_sub(bytes, sp + 1, nul - sp - 1);
		e.id.n = (uint8_t)id_n;
		memcpy(e.id.b, bytes.p + nul + 1, id_n);
		if (name_is_bad(e.name)) {
			CLEANUP(buf) struct buf b = BUF_INIT;

			buf_escaped(&b, e.name);
			return err_new(ERR_INVALID, "'" STR_FMT "' holds the forbidden name '%s'",
				       STR_ARG(path), b.p ? b.p : "");
		}
		if (v.n == TREE_MAX_ENTRIES)
			return err_new(ERR_LIMIT, "'" STR_FMT "' has more than %u entries",
				       STR_ARG(path), TREE_MAX_ENTRIES);
		*ARENA_PUSH(a, &v) = e;
		bytes = str_sub(bytes, nul + 1 + id_n, SIZE_MAX);
	}
	if (v.n)
		qsort(v.p, v.n, sizeof(v.p[0]), by_name);
	for (size_t i = 1; i < v.n; i++) {
		if (str_eq(v.p[i - 1].name, v.p[i].name)) {
			CLEANUP(buf) struct buf b = BUF_INIT;

			buf_escaped(&b, v.p[i].name);
			return err_new(ERR_INVALID, "'" STR_FMT "' holds '%s' twice", STR_ARG(path),
				       b.p ? b.p : "");
		}
	}
	ret->p = v.p;
	ret->n = v.n;
	return NULL;
}

struct err *git_tree_check(struct arena *a, str bytes, size_t id_n)
{
	struct folder d;

	return folder_parse(a, bytes, STR("tree"), id_n, &d);
}

static size_t slot_of(const struct git_files *f, git_id id)
{
	size_t at = str_hash(str_n((const char *)id.b, id.n)) & (f->slots_n - 1);

	while (f->slots[at] && !git_id_eq(f->folders.p[f->slots[at] - 1].id, id))
		at = (at + 1) & (f->slots_n - 1);
	return at;
}

static void slots_grow(struct git_files *f)
{
	f->slots_n = f->slots_n ? f->slots_n * 2 : 64;
	f->slots = ARENA_ARRAY(f->a, uint32_t, f->slots_n);
	for (size_t i = 0; i < f->folders.n; i++)
		f->slots[slot_of(f, f->folders.p[i].id)] = (uint32_t)i + 1;
}

static struct err *folder_get(struct git_files *f, git_id id, str path, struct folder *ret)
{
	struct folder d = {.id = id};
	enum git_kind kind;
	enum git_read rc;
	size_t at;
	str bytes;

	if (f->folders.n * 2 >= f->slots_n)
		slots_grow(f);
	at = slot_of(f, id);
	if (f->slots[at]) {
		*ret = f->folders.p[f->slots[at] - 1];
		return NULL;
	}
	rc = git_store_read(f->store, f->a, id, GIT_MAX_OBJECT, &kind, &bytes);
	if (rc != GIT_READ_OK || kind != GIT_KIND_TREE)
		return unread(rc, path, id);
	TRY(folder_parse(f->a, bytes, path, id.n, &d));
	*ARENA_PUSH(f->a, &f->folders) = d;
	f->slots[at] = (uint32_t)f->folders.n;
	*ret = d;
	return NULL;
}

static const struct entry *entry_get(const struct folder *d, str name)
{
	const struct entry key = {.name = name};

	return d->n ? bsearch(&key, d->p, d->n, sizeof(d->p[0]), by_name) : NULL;
}

/* The target of a symlink set in front of the rest of the path, cleaned by hand: dots are worked
 * off against the folders already walked. */
static struct err *link_target(struct git_files *f, struct arena *a, const struct entry *e,
			       str path, str *ret)
{
	enum git_kind kind;
	enum git_read rc = git_store_read(f->store, a, e->id, GIT_MAX_PATH, &kind, ret);

	if (rc != GIT_READ_OK || kind != GIT_KIND_BLOB)
		return unread(rc, path, e->id);
	if (str_starts(*ret, STR("/")) || str_utf8_bad(*ret) != SIZE_MAX) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		buf_escaped(&b, *ret);
		return err_new(ERR_INVALID, "symlink on '" STR_FMT "' leads out of the tree: '%s'",
			       STR_ARG(path), b.p ? b.p : "");
	}
	return NULL;
}

struct trail {
	git_id *p; /* trees from the root to where we are */
	size_t n, cap;
};

static struct err *find(struct git_files *f, str path, struct found *ret)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct trail trail = {0};
	str rest = path, name;
	unsigned links = 0;
	struct found here = {TREE_FOLDER, f->root};

	*ARENA_PUSH(a, &trail) = f->root;
	while (rest.n) {
		struct folder d;
		const struct entry *e;
		size_t slash = str_chr(rest, '/');

		name = str_sub(rest, 0, slash);
		rest = slash == SIZE_MAX ? STR_NONE : str_sub(rest, slash + 1, SIZE_MAX);
		if (here.kind != TREE_FOLDER) {
			*ret = (struct found){.kind = TREE_ABSENT};
			return NULL;
		}
		if (name.n == 0 || str_eq(name, STR(".")))
			continue;
		if (str_eq(name, STR(".."))) {
			if (trail.n == 1)
				return err_new(ERR_INVALID, "'" STR_FMT "' leads out of the tree",
					       STR_ARG(path));
			here = (struct found){TREE_FOLDER, trail.p[--trail.n - 1]};
			continue;
		}
		TRY(folder_get(f, here.id, path, &d));
		e = entry_get(&d, name);
		if (!e || e->mode == MODE_SUBMODULE) {
			*ret = (struct found){.kind = TREE_ABSENT};
			return NULL;
		}
		if (e->mode == MODE_LINK) {
			str target;

			if (++links > TREE_MAX_LINKS)
				return err_new(ERR_LIMIT, "more than %d symlinks on '" STR_FMT "'",
					       TREE_MAX_LINKS, STR_ARG(path));
			TRY(link_target(f, a, e, path, &target));
			rest = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(target),
					    rest.n ? "/" : "", STR_ARG(rest));
			if (rest.n > GIT_MAX_PATH)
				return err_new(ERR_LIMIT, "'" STR_FMT "' is too long",
					       STR_ARG(path));
			continue;
		}
		here = (struct found){e->mode == MODE_FOLDER ? TREE_FOLDER : TREE_FILE, e->id};
		if (e->mode == MODE_FOLDER)
			*ARENA_PUSH(a, &trail) = e->id;
	}
	*ret = here;
	return NULL;
}

static struct err *files_kind(void *self, str path, enum tree_kind *ret, uint8_t oid[32],
			      size_t *oid_n)
{
	struct found got = {0};

	TRY(find(self, path, &got));
	*ret = got.kind;
	memcpy(oid, got.id.b, got.id.n);
	*oid_n = got.id.n;
	return NULL;
}

static struct err *files_read(void *self, struct arena *a, str path, str *ret)
{
	struct git_files *f = self;
	struct found got = {0};
	enum git_kind kind;
	enum git_read rc;
	str bytes;

	TRY(find(f, path, &got));
	if (got.kind != TREE_FILE)
		return err_new(ERR_NOT_FOUND, "'" STR_FMT "' is no file", STR_ARG(path));
	rc = git_store_read(f->store, a, got.id, TREE_MAX_FILE, &kind, &bytes);
	if (rc != GIT_READ_OK || kind != GIT_KIND_BLOB)
		return unread(rc, path, got.id);
	*ret = bytes;
	return NULL;
}

static struct err *files_list(void *self, struct arena *a, str path, struct tree_entry **ret,
			      size_t *n)
{
	struct git_files *f = self;
	struct folder d;
	struct tree_entry *v;
	struct found got = {0};
	size_t used = 0;

	TRY(find(f, path, &got));
	if (got.kind != TREE_FOLDER)
		return err_new(ERR_NOT_FOUND, "'" STR_FMT "' is no folder", STR_ARG(path));
	TRY(folder_get(f, got.id, path, &d));
	v = ARENA_ARRAY(a, struct tree_entry, d.n);
	for (size_t i = 0; i < d.n; i++) {
		const struct entry *e = &d.p[i];
		struct found to = {.kind = e->mode == MODE_FOLDER ? TREE_FOLDER : TREE_FILE};

		if (e->mode == MODE_SUBMODULE)
			continue;
		if (e->mode == MODE_LINK)
			TRY(find(f,
				 arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(path),
					      path.n ? "/" : "", STR_ARG(e->name)),
				 &to));
		if (to.kind != TREE_ABSENT)
			v[used++] = (struct tree_entry){arena_str(a, e->name), to.kind};
	}
	*ret = v;
	*n = used;
	return NULL;
}

static void files_close(void *self)
{
	struct git_files *f = self;

	arena_free(f->a);
	free(f);
}

static const struct tree_ops files_ops = {
	.name = "git",
	.kind = files_kind,
	.read = files_read,
	.list = files_list,
	.close = files_close,
};

struct err *git_tree_open(struct git_store *s, git_id id, struct tree **ret)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str hex = git_id_hex(a, id), bytes;
	struct git_files *f;
	struct git_links l;
	enum git_kind kind;
	enum git_read rc = git_store_read(s, a, id, GIT_MAX_OBJECT, &kind, &bytes);

	if (rc != GIT_READ_OK)
		return unread(rc, hex, id);
	if (kind == GIT_KIND_COMMIT) {
		if (!git_links_parse(a, bytes, id.n, &l))
			return err_new(ERR_INVALID, "object " STR_FMT " is a malformed commit",
				       STR_ARG(hex));
		id = l.tree;
	} else if (kind != GIT_KIND_TREE) {
		return err_new(ERR_INVALID, "object " STR_FMT " is neither a commit nor a tree",
			       STR_ARG(hex));
	}
	f = xcalloc(1, sizeof(*f));
	f->store = s;
	f->root = id;
	f->a = arena_new();
	*ret = tree_new(&files_ops, f);
	return NULL;
}
