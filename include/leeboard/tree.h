/* tree: the files of one revision by path; keeps the read set.
 *
 * Rendering reads through this and through nothing else. Two kinds exist: a folder on disk
 * (tree_dir), and a Git tree in an object store (git.h makes one). Paths are relative to the root,
 * with '/', cleaned; nothing leads above the root and no symlink leads out of it. Every look-up is
 * noted: found with its object id, or absent; that is the read set, by which a later commit knows
 * whether the rendering can differ. */
#pragma once
#include "leeboard/base.h"

#define TREE_MAX_FILE (16u << 20)   /* bytes of one file */
#define TREE_MAX_ENTRIES 100000u    /* of one folder */
#define TREE_MAX_LINKS 8            /* symlinks followed on one path */

enum tree_kind { TREE_ABSENT, TREE_FILE, TREE_FOLDER };
struct tree_entry {
	str name;
	enum tree_kind kind;
};
struct tree;
/* What a kind of tree does. read, list and kind may fail for input and output reasons; "not there" is
 * TREE_ABSENT, no error. oid: 20 or 32 bytes, what the path holds, for the read set (a folder on disk
 * hashes the content). */
struct tree_ops {
	const char *name;
	struct err *(*kind)(void *self, str path, enum tree_kind *ret, uint8_t oid[32], size_t *oid_n);
	struct err *(*read)(void *self, struct arena *a, str path, str *ret);
	struct err *(*list)(void *self, struct arena *a, str path, struct tree_entry **ret, size_t *n);
	void (*close)(void *self);
};
/* Takes self: close ends it. */
struct tree *tree_new(const struct tree_ops *ops, void *self);
void tree_free(struct tree *t);
DEFINE_CLEANUP(tree, tree_free)
/* The folder `root` of this machine; `lax` allows paths above it (kustomize's
 * LoadRestrictionsNone): such paths start with "../". */
MUST_CHECK struct err *tree_dir(const char *root, bool lax, struct tree **ret);
/* "a/b/../c" to "a/c", "." to ""; ERR_INVALID when it is absolute or leads above the root. */
MUST_CHECK struct err *tree_clean(struct arena *a, str path, str *ret);
/* `path` as written in a file of `folder`, cleaned; leads above the root only in a lax tree. */
MUST_CHECK struct err *tree_join(const struct tree *t, struct arena *a, str folder, str path,
				 str *ret);
/* Is cleaned `path` the cleaned `folder`, or below it? */
bool tree_below(str folder, str path);
MUST_CHECK struct err *tree_kind(struct tree *t, str path, enum tree_kind *ret);
/* ERR_NOT_FOUND naming the nearest entry of its folder; text->name is the path. */
MUST_CHECK struct err *tree_read(struct tree *t, struct arena *a, str path, struct text **ret);
/* By name, bytewise. */
MUST_CHECK struct err *tree_list(struct tree *t, struct arena *a, str path,
				 struct tree_entry **ret, size_t *n);
struct tree_seen {
	str path;
	enum tree_kind kind;
	uint8_t oid[32];
	size_t oid_n; /* 0: absent */
};
/* The read set so far, by path, each path once; borrowed until the next look-up. */
const struct tree_seen *tree_seen(struct tree *t, size_t *n);
