/* A repository of this machine as a remote: its refs, and a pack of what is wanted. */
#include "git_priv.h"
#include <git2/refs.h>
#include <git2/revwalk.h>
#include <git2/tag.h>

static git_id id_of(const git_oid *oid)
{
	git_id id = {.n = GIT_OID_RAWSZ};

	memcpy(id.b, oid->id, GIT_OID_RAWSZ);
	return id;
}

static git_oid oid_of(git_id id)
{
	git_oid oid;

	memcpy(oid.id, id.b, GIT_OID_RAWSZ);
	return oid;
}

static struct err *no_refs(struct git_store *s)
{
	return err_new(ERR_INVALID, "'%s' is a folder of objects, no repository", s->path);
}

/* The commit that an annotated tag leads to, through tags of tags. */
static git_id peeled(struct git_store *s, const git_oid *oid)
{
	git_object *any = NULL, *commit = NULL;
	git_id id = GIT_ID_NONE;

	if (git_object_lookup(&any, s->repo, oid, GIT_OBJECT_ANY) < 0)
		return id;
	if (git_object_type(any) == GIT_OBJECT_TAG &&
	    git_object_peel(&commit, any, GIT_OBJECT_COMMIT) == 0)
		id = id_of(git_object_id(commit));
	git_object_free(commit);
	git_object_free(any);
	return id;
}

/* One that leads nowhere (an unborn HEAD) is left out. */
static struct err *tell(struct git_store *s, const char *name, const char *symref,
			struct err *(*each)(void *arg, const struct git_ref *r), void *arg)
{
	struct git_ref r = {.name = name, .symref = symref};
	git_oid oid;

	if (git_reference_name_to_id(&oid, s->repo, name) < 0)
		return NULL;
	r.id = id_of(&oid);
	r.peeled = peeled(s, &oid);
	return each(arg, &r);
}

static struct err *tell_head(struct git_store *s,
			     struct err *(*each)(void *arg, const struct git_ref *r), void *arg)
{
	git_reference *head = NULL;
	struct err *e;

	if (git_reference_lookup(&head, s->repo, "HEAD") < 0)
		return NULL;
	e = tell(s, "HEAD", git_reference_symbolic_target(head), each, arg);
	git_reference_free(head);
	return e;
}

struct err *git_local_refs(struct git_store *s,
			   struct err *(*each)(void *arg, const struct git_ref *r), void *arg)
{
	git_reference_iterator *it = NULL;
	const char *name;
	struct err *e;
	int rc;

	if (!s->repo)
		return no_refs(s);
	e = tell_head(s, each, arg);
	if (e)
		return e;
	if (git_reference_iterator_new(&it, s->repo) < 0)
		return git_error_of(ERR_UNREACHABLE, "list the refs of a repository");
	while (!e && (rc = git_reference_next_name(&name, it)) == 0)
		e = tell(s, name, NULL, each, arg);
	if (!e && rc != GIT_ITEROVER)
		e = git_error_of(ERR_UNREACHABLE, "list the refs of a repository");
	git_reference_iterator_free(it);
	return e;
}

static struct err *walk_to(struct git_store *s, git_id want, const git_id *haves, size_t n,
			   git_revwalk *walk, git_packbuilder *b, git_oid *commit)
{
	git_oid oid = oid_of(want);
	git_object *any = NULL, *top = NULL;
	int rc;

	if (git_object_lookup(&any, s->repo, &oid, GIT_OBJECT_ANY) < 0)
		return err_new(ERR_REF_GONE, "the wanted object is not in '%s' (any more)",
			       s->path);
	rc = git_object_peel(&top, any, GIT_OBJECT_COMMIT);
	/* A tag goes along with the commit that it leads to. */
	if (rc == 0 && git_object_type(any) == GIT_OBJECT_TAG)
		rc = git_packbuilder_insert(b, &oid, NULL);
	git_object_free(any);
	if (rc < 0)
		return err_new(ERR_INVALID, "the wanted object in '%s' is no commit", s->path);
	*commit = *git_object_id(top);
	git_object_free(top);
	if (git_revwalk_push(walk, commit) < 0)
		return git_error_of(ERR_IO, "walk over a repository");
	for (size_t i = 0; i < n; i++) {
		oid = oid_of(haves[i]);
		if (haves[i].n == GIT_OID_RAWSZ && git_odb_exists(s->odb, &oid) &&
		    git_revwalk_hide(walk, &oid) < 0)
			return git_error_of(ERR_IO, "walk over a repository");
	}
	return NULL;
}

struct err *git_local_pack(struct git_store *s, git_id want, const git_id *haves, size_t haves_n,
			   struct git_pack *to)
{
	git_revwalk *walk = NULL;
	git_packbuilder *b = NULL;
	struct err *e = NULL;
	git_oid commit;

	if (!s->repo)
		return no_refs(s);
	if (want.n != GIT_OID_RAWSZ)
		return err_new(ERR_NOT_SUPPORTED, "SHA-256 object ids are not supported yet");
	if (git_revwalk_new(&walk, s->repo) < 0 || git_packbuilder_new(&b, s->repo) < 0)
		e = git_error_of(ERR_INTERNAL, "begin a pack");
	if (!e) {
		git_packbuilder_set_threads(b, 1);
		e = walk_to(s, want, haves, haves_n, walk, b, &commit);
	}
	if (!e && git_packbuilder_insert_walk(b, walk) < 0)
		e = git_error_of(ERR_IO, "gather the objects of a commit");
	if (!e)
		e = git_pack_of_builder(b, to);
	git_packbuilder_free(b);
	git_revwalk_free(walk);
	return e;
}
