/* Packs written into a store, by libgit2's indexer: it hashes every object, resolves every delta,
 * checks the trailer, syncs, and only then gives the pack its name. */
#include "git_priv.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <git2/indexer.h>
#include <stdlib.h>
#include <unistd.h>

struct git_pack {
	git_indexer *indexer;
	git_indexer_progress now; /* the indexer keeps its counts here */
	git_odb *odb;
	char *folder; /* .../objects/pack */
	struct arena *arena;
	str *old; /* packs to remove at the end */
	size_t old_n;
};

static char *pack_folder(const char *objects)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_printf(&b, "%s/pack", objects);
	return buf_take(&b);
}

/* Each name in the folder that ends so, or begins so. */
static struct err *names_of(struct arena *a, const char *folder, const char *begin, const char *end,
			    str **ret, size_t *n)
{
	struct {
		str *p;
		size_t n, cap;
	} v = {0};
	DIR *d = opendir(folder);
	struct dirent *e;

	if (!d)
		return err_sys(ERR_IO, errno, "read folder '%s'", folder);
	while ((e = readdir(d))) {
		str name = str_from(e->d_name);

		if (str_starts(name, str_from(begin)) && str_ends(name, str_from(end)))
			*ARENA_PUSH(a, &v) = arena_str(a, name);
	}
	closedir(d);
	*ret = v.p;
	*n = v.n;
	return NULL;
}

static struct err *remove_from(const char *folder, str name)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_printf(&b, "%s/" STR_FMT, folder, STR_ARG(name));
	if (unlink(b.p) && errno != ENOENT)
		return err_sys(ERR_IO, errno, "remove '%s'", b.p);
	return NULL;
}

/* What a killed writer left: the indexer's own name for a pack that has none yet. */
struct err *git_pack_sweep(const char *objects)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(cstr) char *folder = pack_folder(objects);
	str *names = NULL;
	size_t n = 0;

	TRY(names_of(a, folder, "pack_git2_", "", &names, &n));
	for (size_t i = 0; i < n; i++)
		TRY(remove_from(folder, names[i]));
	return NULL;
}

static struct err *bad_pack(const char *doing)
{
	int error = git_error_last() ? git_error_last()->klass : GIT_ERROR_NONE;

	return git_error_of(error == GIT_ERROR_OS || error == GIT_ERROR_FILESYSTEM ? ERR_IO
										   : ERR_INVALID,
			    doing);
}

struct err *git_pack_begin(const char *objects, int how, struct git_pack **ret)
{
	CLEANUP(git_pack) struct git_pack *p = xcalloc(1, sizeof(*p));
	git_indexer_options opts = {.version = GIT_INDEXER_OPTIONS_VERSION,
				    .progress_cb = NULL,
				    .verify = (how & GIT_PACK_WHOLE) != 0};

	p->arena = arena_new();
	p->folder = pack_folder(objects);
	TRY(dir_make(p->folder, 0700));
	TRY(git_pack_sweep(objects));
	TRY(git_odb_of_folder(objects, &p->odb));
	if (how & GIT_PACK_ALONE)
		TRY(names_of(p->arena, p->folder, "pack-", ".pack", &p->old, &p->old_n));
	if (git_indexer_new(&p->indexer, p->folder, 0400, p->odb, &opts) < 0)
		return git_error_of(ERR_IO, "begin a pack");
	*ret = STEAL(p);
	return NULL;
}

struct err *git_pack_add(struct git_pack *p, str bytes)
{
	if (git_indexer_append(p->indexer, bytes.p, bytes.n, &p->now) < 0)
		return bad_pack("read a pack");
	if (p->now.total_objects > GIT_MAX_PACK_OBJECTS)
		return err_new(ERR_LIMIT, "a pack of more than %u objects", GIT_MAX_PACK_OBJECTS);
	return NULL;
}

/* The new pack is durable. One of the same name is the new one by now: names tell the content. */
static struct err *remove_old(struct git_pack *p)
{
	str name = arena_printf(p->arena, "pack-%s.pack", git_indexer_name(p->indexer));

	for (size_t i = 0; i < p->old_n; i++) {
		str stem = str_sub(p->old[i], 0, p->old[i].n - 4);

		if (str_eq(p->old[i], name))
			continue;
		TRY(remove_from(p->folder, arena_printf(p->arena, STR_FMT "idx", STR_ARG(stem))));
		TRY(remove_from(p->folder, p->old[i]));
	}
	return NULL;
}

struct err *git_pack_end(struct git_pack *p, uint64_t *objects)
{
	if (git_indexer_commit(p->indexer, &p->now) < 0)
		return bad_pack("index a pack");
	*objects = p->now.total_objects;
	return remove_old(p);
}

void git_pack_free(struct git_pack *p)
{
	if (!p)
		return;
	git_indexer_free(p->indexer); /* removes what was not committed */
	git_odb_free(p->odb);
	arena_free(p->arena);
	free(p->folder);
	free(p);
}

bool git_store_has(struct git_store *s, git_id id)
{
	git_oid oid;

	if (id.n != GIT_OID_RAWSZ)
		return false;
	memcpy(oid.id, id.b, GIT_OID_RAWSZ);
	return git_odb_exists(s->odb, &oid);
}

/* ------------------------------------------------------------------ many packs into one */

static int put_object(const git_oid *id, void *arg)
{
	return git_packbuilder_insert(arg, id, NULL);
}

struct sink {
	struct git_pack *to;
	struct err *e;
};

static int put_bytes(void *bytes, size_t n, void *arg)
{
	struct sink *s = arg;

	s->e = git_pack_add(s->to, str_n(bytes, n));
	return s->e ? -1 : 0;
}

struct err *git_pack_of_builder(git_packbuilder *b, struct git_pack *to)
{
	struct sink s = {.to = to};

	if (git_packbuilder_foreach(b, put_bytes, &s) < 0)
		return s.e ? s.e : git_error_of(ERR_IO, "make a pack");
	return NULL;
}

static struct err *write_all(git_odb *odb, const char *objects, uint64_t *ret)
{
	CLEANUP(git_pack) struct git_pack *p = NULL;
	git_repository *repo = NULL;
	git_packbuilder *b = NULL;
	struct err *e = NULL;

	if (git_repository_wrap_odb(&repo, odb) < 0 || git_packbuilder_new(&b, repo) < 0)
		e = git_error_of(ERR_INTERNAL, "begin a pack");
	if (!e) {
		git_packbuilder_set_threads(b, 1);
		if (git_odb_foreach(odb, put_object, b) < 0)
			e = git_error_of(ERR_IO, "list the objects of a store");
	}
	if (!e)
		e = git_pack_begin(objects, GIT_PACK_ALONE, &p);
	if (!e) {
		assert(p);
		e = git_pack_of_builder(b, p);
	}
	if (!e)
		e = git_pack_end(p, ret);
	git_packbuilder_free(b);
	git_repository_free(repo);
	return e;
}

struct err *git_compact(const char *objects, uint64_t *ret)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(cstr) char *folder = pack_folder(objects);
	git_odb *odb = NULL;
	str *old = NULL;
	size_t old_n = 0;
	struct err *e;

	*ret = 0;
	TRY(dir_make(folder, 0700));
	TRY(names_of(a, folder, "pack-", ".pack", &old, &old_n));
	if (old_n < 2)
		return NULL;
	TRY(git_odb_of_folder(objects, &odb));
	e = write_all(odb, objects, ret);
	git_odb_free(odb);
	return e;
}
