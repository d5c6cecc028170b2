/* What the files of git share. */
#pragma once
#include "leeboard/git.h"
/* Not git2.h: its index.h has a field with a name that banned.h poisons. */
#include <git2/common.h>
#include <git2/config.h>
#include <git2/errors.h>
#include <git2/global.h>
#include <git2/object.h>
#include <git2/odb.h>
#include <git2/odb_backend.h>
#include <git2/oid.h>
#include <git2/pack.h>
#include <git2/repository.h>
#include <git2/revparse.h>

struct git_store {
	git_odb *odb;
	git_repository *repo; /* NULL: a folder of objects */
	char *path;
};
/* libgit2's last words as an error. */
struct err *git_error_of(enum err_code c, const char *doing) MUST_CHECK;
/* A folder of objects, alternates not followed. */
struct err *git_odb_of_folder(const char *path, git_odb **ret) MUST_CHECK;
/* What the builder holds, into a pack that comes in. */
struct err *git_pack_of_builder(git_packbuilder *b, struct git_pack *to) MUST_CHECK;
/* Is this a tree object that we would read? */
struct err *git_tree_check(struct arena *a, str bytes, size_t id_n) MUST_CHECK;
/* Removes what a writer that was killed left. */
struct err *git_pack_sweep(const char *objects) MUST_CHECK;
