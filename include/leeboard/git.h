/* git: the objects of a repository, walks over its commits; and, in the fetch worker alone, packs
 * that come in.
 *
 * git_setup once per program, before a sandbox closes; then git_store_open on a folder of objects
 * or on a repository. Nothing is checked out, nothing of a repository's configuration is obeyed
 * but where its objects and refs lie; replace refs, grafts and shallow marks change nothing. An
 * object's bytes are hashed again when they are read: a wrong one is GIT_READ_CORRUPT.
 *
 * A tree over a commit is made by git_tree_open and read through tree.h. Symlinks are followed
 * inside the tree only; submodules are absent. The store must outlive its trees. */
#pragma once
#include "leeboard/base.h"
#include <signal.h>

struct tree;

#define GIT_MAX_OBJECT (32u << 20)  /* bytes of any object */
#define GIT_MAX_COMMIT (1u << 20)   /* bytes of a commit */
#define GIT_MAX_PARENTS 64u         /* of a commit */
#define GIT_MAX_WALK 1000000u       /* commits that one walk looks at */
#define GIT_MAX_PATH 4096u          /* bytes of a path, symlinks followed */

typedef struct git_id {
	uint8_t n; /* 20, or 32 in a SHA-256 repository; 0: none */
	uint8_t b[32];
} git_id;
#define GIT_ID_NONE ((git_id){0})
/* 40 or 64 lower-case digits. */
bool git_id_parse(str hex, git_id *ret);
bool git_id_eq(git_id a, git_id b);
str git_id_hex(struct arena *a, git_id id);

/* Library limits, and no configuration from this machine. Ends the process on failure. */
void git_setup(void);

struct git_store;
/* A folder of objects (no alternates), a bare repository, or one with a work tree (the
 * operator's own: alternates are followed). */
MUST_CHECK struct err *git_store_open(const char *path, struct git_store **ret);
void git_store_close(struct git_store *s); /* NULL is fine */
DEFINE_CLEANUP(git_store, git_store_close)

enum git_kind { GIT_KIND_COMMIT, GIT_KIND_TREE, GIT_KIND_BLOB, GIT_KIND_TAG };
enum git_read { GIT_READ_OK, GIT_READ_MISSING, GIT_READ_TOO_LARGE, GIT_READ_CORRUPT };
/* The raw bytes, in the arena. kind and bytes are written only for GIT_READ_OK. */
enum git_read git_store_read(struct git_store *s, struct arena *a, git_id id, size_t limit,
			     enum git_kind *kind, str *bytes);
/* A revision as people write it ("main", "HEAD~2", a full or short id), to a commit. Never for text
 * out of a repository. ERR_NOT_FOUND; ERR_USAGE when the store is a bare folder of objects and rev
 * is no full id. */
MUST_CHECK struct err *git_resolve(struct git_store *s, const char *rev, git_id *ret);

/* What a walk needs of a commit. Laxer than trust_commit_parse, which judges. */
struct git_links {
	git_id tree;
	git_id *parents;
	size_t n;
	int64_t time; /* of the committer, seconds; 0: none could be read */
};
/* False: the bytes do not begin as a commit does, or have too many parents. */
bool git_links_parse(struct arena *a, str bytes, size_t id_n, struct git_links *ret);

/* How b lies to a. */
enum git_relation {
	GIT_SAME,
	GIT_DESCENDS,  /* a is an ancestor of b */
	GIT_ANCESTOR,  /* b is an ancestor of a */
	GIT_DIVERGED,  /* they share history, neither contains the other */
	GIT_UNRELATED,
};
enum git_walk {
	GIT_WALK_OK,
	GIT_WALK_MISSING, /* a commit is not in the store, is damaged or is none: `at` */
	GIT_WALK_LIMIT,   /* more commits than allowed */
};
enum git_walk git_relation(struct git_store *s, git_id a, git_id b, enum git_relation *ret,
			   git_id *at);
/* The commits reachable from `to` and not from `from` (GIT_ID_NONE: all), parents before children.
 * With committer times that lie a commit below `from` can be among them, never one missing. */
enum git_walk git_range(struct git_store *s, struct arena *a, git_id from, git_id to, size_t max,
			git_id **ret, size_t *n, git_id *at);

/* id: a commit or a tree. Close with tree_free. */
MUST_CHECK struct err *git_tree_open(struct git_store *s, git_id id, struct tree **ret);

/* ------------------------------------------------------------------ packs that come in
 *
 * A pack is written beside the others, checked and indexed as it comes, and is there whole and durable
 * after git_pack_end or not at all. One writer a store; git_pack_begin sweeps up after one that was
 * killed. */

#define GIT_MAX_PACK_OBJECTS 20000000u

struct git_pack;
enum git_pack_how {
	GIT_PACK_WHOLE = 1, /* with all that its objects lead to, but for what the store has: a gap is an
			     * error */
	GIT_PACK_ALONE = 2, /* the packs that were there before go when this one is there */
};
/* objects: the store's folder; it and "pack" are made when they are not there. */
MUST_CHECK struct err *git_pack_begin(const char *objects, int how, struct git_pack **ret);
/* ERR_INVALID when the bytes are no pack. */
MUST_CHECK struct err *git_pack_add(struct git_pack *p, str bytes);
MUST_CHECK struct err *git_pack_end(struct git_pack *p, uint64_t *objects);
void git_pack_free(struct git_pack *p);
DEFINE_CLEANUP(git_pack, git_pack_free)
/* Only looks it up. */
bool git_store_has(struct git_store *s, git_id id);
/* All packs into one, the old ones removed; counts the objects. Does nothing when there is one. */
MUST_CHECK struct err *git_compact(const char *objects, uint64_t *ret);

/* ------------------------------------------------------------------ repositories elsewhere */

struct git_ref {
	const char *name; /* "HEAD", "refs/..." */
	git_id id, peeled; /* peeled: of an annotated tag */
	const char *symref; /* of HEAD; NULL: none */
};
/* A repository of this machine, with a work tree or bare. The store is git_store_open's. */
MUST_CHECK struct err *git_local_refs(struct git_store *s,
				      struct err *(*each)(void *arg, const struct git_ref *r),
				      void *arg);
/* Everything that `want` needs and the haves (those that this repository knows) have not. */
MUST_CHECK struct err *git_local_pack(struct git_store *s, git_id want, const git_id *haves,
				      size_t haves_n, struct git_pack *to);

struct git_ssh {
	const char *url;      /* ssh://user@host[:port]/path or user@host:path */
	const char *user;     /* where the url names none; NULL: git */
	str key, passphrase;  /* private key, OpenSSH's or PEM */
	uint64_t max_pack;    /* bytes; 0: no limit */
	const volatile sig_atomic_t *too_late; /* set by whoever keeps the time; NULL: nobody */
	void (*progress)(void *arg, str line); /* what the server says; NULL: not wanted */
	void *arg;
};
/* Before the sandbox closes, after git_setup: puts known hosts (lines as in ~/.ssh/known_hosts) where
 * libssh2 looks for them, in a folder that this process may write. git_ssh_leave removes them. */
MUST_CHECK struct err *git_ssh_prepare(const char *folder, str known_hosts);
void git_ssh_leave(const char *folder);
/* ERR_HOST_KEY when the server's key is not among the known ones, ERR_SOURCE_AUTH, ERR_UNREACHABLE. */
MUST_CHECK struct err *git_ssh_refs(const struct git_ssh *how,
				    struct err *(*each)(void *arg, const struct git_ref *r),
				    void *arg);
/* Servers are asked by a ref's name: ERR_REF_GONE when `ref` is not at `want` any more (a tag: the
 * tag itself, or the commit that it leads to). */
MUST_CHECK struct err *git_ssh_fetch(const struct git_ssh *how, const char *objects, const char *ref,
				     git_id want, const git_id *haves, size_t haves_n,
				     uint64_t *bytes, uint64_t *objects_n);
