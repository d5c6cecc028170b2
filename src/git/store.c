/* The object database, opened read-only. */
#include "git_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool git_id_parse(str hex, git_id *ret)
{
	git_id id = GIT_ID_NONE;

	if (hex.n != 40 && hex.n != 64)
		return false;
	id.n = (uint8_t)(hex.n / 2);
	for (size_t i = 0; i < id.n; i++) {
		int hi = hex_digit(hex.p[2 * i]), lo = hex_digit(hex.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		id.b[i] = (uint8_t)(hi << 4 | lo);
	}
	*ret = id;
	return true;
}

bool git_id_eq(git_id a, git_id b)
{
	return a.n == b.n && memcmp(a.b, b.b, a.n) == 0;
}

str git_id_hex(struct arena *a, git_id id)
{
	static const char digits[] = "0123456789abcdef";
	char hex[65];

	for (size_t i = 0; i < id.n; i++) {
		hex[2 * i] = digits[id.b[i] >> 4];
		hex[2 * i + 1] = digits[id.b[i] & 15];
	}
	return arena_str(a, str_n(hex, (size_t)id.n * 2));
}

struct err *git_error_of(enum err_code c, const char *doing)
{
	const git_error *e = git_error_last();

	return err_new(c, "%s: %s", doing,
		       e && e->message ? e->message : "unknown error of libgit2");
}

static void must(int rc)
{
	if (rc >= 0)
		return;
	fputs("leeboard: libgit2 cannot be set up\n", stderr);
	exit(2);
}

void git_setup(void)
{
	static const int levels[] = {GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM,
				     GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL};

	must(git_libgit2_init());
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		must(git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], ""));
	must(git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, (size_t)32 << 20));
	must(git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, (size_t)256 << 20));
	must(git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)(32 << 20)));
	must(git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, (size_t)20000000));
	must(git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 1));
	must(git_libgit2_opts(GIT_OPT_ENABLE_STRICT_SYMBOLIC_REF_CREATION, 1));
	must(git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1));
	must(git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1));
	/* The check protects programs that run what a repository's configuration names; we run
	 * nothing, and a daemon's user need not own the repository that it reads. */
	must(git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0));
}

static bool is_folder(const char *path, const char *below)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct stat st;

	buf_printf(&b, "%s/%s", path, below);
	return stat(b.p, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Without git_odb_open: that follows objects/info/alternates, which could lead anywhere. */
struct err *git_odb_of_folder(const char *path, git_odb **ret)
{
	git_odb *odb = NULL;
	git_odb_backend *loose = NULL, *pack = NULL;

	if (git_odb_new(&odb) < 0)
		return git_error_of(ERR_IO, "make an object database");
	if (git_odb_backend_loose(&loose, path, -1, 0, 0, 0) < 0 ||
	    git_odb_add_backend(odb, loose, 2) < 0 || git_odb_backend_pack(&pack, path) < 0 ||
	    git_odb_add_backend(odb, pack, 1) < 0) {
		git_odb_free(odb);
		return git_error_of(ERR_IO, "open a folder of objects");
	}
	*ret = odb;
	return NULL;
}

struct err *git_store_open(const char *path, struct git_store **ret)
{
	CLEANUP(git_store) struct git_store *s = xcalloc(1, sizeof(*s));
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(ERR_NOT_FOUND, errno, "open repository '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_new(ERR_INVALID, "'%s' is no folder", path);
	s->path = xstrndup(path, strlen(path));
	if (git_repository_open_ext(&s->repo, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL) == 0) {
		if (git_repository_odb(&s->odb, s->repo) < 0)
			return git_error_of(ERR_IO, "open the objects of a repository");
	} else if (is_folder(path, "pack") || is_folder(path, "info")) {
		TRY_WRAP(git_odb_of_folder(path, &s->odb), "open '%s'", path);
	} else {
		return err_new(ERR_INVALID, "'%s' is neither a repository nor a folder of objects",
			       path);
	}
	*ret = STEAL(s);
	return NULL;
}

void git_store_close(struct git_store *s)
{
	if (!s)
		return;
	git_odb_free(s->odb);
	git_repository_free(s->repo);
	free(s->path);
	free(s);
}

static enum git_read failed(int rc)
{
	return rc == GIT_ENOTFOUND ? GIT_READ_MISSING : GIT_READ_CORRUPT;
}

enum git_read git_store_read(struct git_store *s, struct arena *a, git_id id, size_t limit,
			     enum git_kind *kind, str *bytes)
{
	git_oid oid;
	git_odb_object *o = NULL;
	git_object_t type;
	size_t size;
	int rc;

	if (id.n != GIT_OID_RAWSZ) /* this libgit2 holds SHA-1 repositories only */
		return GIT_READ_MISSING;
	memcpy(oid.id, id.b, GIT_OID_RAWSZ);
	/* The header costs no inflating: a bomb is refused before it goes off. */
	rc = git_odb_read_header(&size, &type, s->odb, &oid);
	if (rc < 0)
		return failed(rc);
	if (size > limit || size > GIT_MAX_OBJECT)
		return GIT_READ_TOO_LARGE;
	rc = git_odb_read(&o, s->odb, &oid);
	if (rc < 0)
		return failed(rc);
	switch (git_odb_object_type(o)) {
	case GIT_OBJECT_COMMIT:
		*kind = GIT_KIND_COMMIT;
		break;
	case GIT_OBJECT_TREE:
		*kind = GIT_KIND_TREE;
		break;
	case GIT_OBJECT_BLOB:
		*kind = GIT_KIND_BLOB;
		break;
	case GIT_OBJECT_TAG:
		*kind = GIT_KIND_TAG;
		break;
	default:
		git_odb_object_free(o);
		return GIT_READ_CORRUPT;
	}
	*bytes = arena_str(a, str_n(git_odb_object_data(o), git_odb_object_size(o)));
	git_odb_object_free(o);
	return GIT_READ_OK;
}

struct err *git_resolve(struct git_store *s, const char *rev, git_id *ret)
{
	git_object *any = NULL, *commit = NULL;
	git_id id = {.n = GIT_OID_RAWSZ};
	int rc;

	if (!s->repo) {
		if (git_id_parse(str_from(rev), ret))
			return NULL;
		return err_new(ERR_USAGE, "'%s' is no full commit id, and '%s' has no refs", rev,
			       s->path);
	}
	rc = git_revparse_single(&any, s->repo, rev);
	if (rc == GIT_EAMBIGUOUS)
		return err_new(ERR_NOT_FOUND, "revision '%s' is ambiguous in '%s'", rev, s->path);
	if (rc == 0) {
		rc = git_object_peel(&commit, any, GIT_OBJECT_COMMIT);
		git_object_free(any);
		if (rc < 0)
			return err_new(ERR_NOT_FOUND, "revision '%s' in '%s' is no commit", rev,
				       s->path);
	}
	if (rc < 0)
		return err_new(ERR_NOT_FOUND, "no revision '%s' in '%s'", rev, s->path);
	memcpy(id.b, git_object_id(commit)->id, GIT_OID_RAWSZ);
	git_object_free(commit);
	*ret = id;
	return NULL;
}
