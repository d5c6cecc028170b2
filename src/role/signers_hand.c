/* leeboard-verify --signers-of REPO REV: which ssh keys signed the newest commits, as JSON for
 * `leeboard init
 * --sign`. A signature counts when it fits its commit; whose key it is, only a person can say: the
 * committer's address stands beside it as a first guess. */
#include "role_priv.h"

#include "leeboard/git.h"
#include "leeboard/trust.h"

#include <errno.h>

#define MAX_COMMITS 50u

struct signer {
	str key, type, email; /* key: the blob */
	size_t n;
};
struct found {
	struct signer p[MAX_COMMITS];
	size_t n, commits, unsigned_ones,
		others; /* others: OpenPGP, or signatures that do not fit */
	bool tip_signed;
};

static struct signer *signer_of(struct found *f, str key, str type, str email)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_eq(f->p[i].key, key))
			return &f->p[i];
	f->p[f->n] = (struct signer){key, type, email, 0};
	return &f->p[f->n++];
}

static void count(struct arena *a, const struct trust_commit *c, struct found *f)
{
	struct trust_sshsig sig;
	struct trust_fault fault;

	if (c->kind == TRUST_NONE) {
		f->unsigned_ones++;
	} else if (c->kind != TRUST_SSH || !trust_sshsig_parse(a, c->signature, &sig, &fault) ||
		   !trust_sshsig_verify(&sig, c->payload, STR("git"), &fault)) {
		f->others++;
	} else {
		signer_of(f, sig.key, sig.key_type, c->committer.email)->n++;
		f->tip_signed = f->tip_signed || f->commits == 0;
	}
	f->commits++;
}

static struct err *walk(struct arena *a, struct git_store *s, git_id id, struct found *f)
{
	while (f->commits < MAX_COMMITS) {
		struct trust_commit c;
		struct trust_fault fault;
		enum git_kind kind;
		str bytes;

		if (git_store_read(s, a, id, TRUST_MAX_OBJECT, &kind, &bytes) != GIT_READ_OK ||
		    kind != GIT_KIND_COMMIT)
			return f->commits ? NULL
					  : err_new(ERR_NOT_FOUND, "the commit cannot be read");
		if (!trust_commit_parse(a, bytes, id.n, &c, &fault))
			return err_new(ERR_INVALID, "commit '" STR_FMT "': %s",
				       STR_ARG(git_id_hex(a, id)), fault.detail);
		count(a, &c, f);
		if (!c.parents_n)
			return NULL;
		id = c.parents[0];
	}
	return NULL;
}

static void print(struct arena *a, const struct found *f, struct buf *b)
{
	buf_printf(b,
		   "{\"kind\":\"Signers\",\"commits\":%zu,\"unsigned\":%zu,\"others\":%zu,"
		   "\"tipSigned\":%s,\"items\":[",
		   f->commits, f->unsigned_ones, f->others, f->tip_signed ? "true" : "false");
	for (size_t i = 0; i < f->n; i++) {
		CLEANUP(buf) struct buf email = BUF_INIT, key = BUF_INIT;

		buf_escaped(&email, f->p[i].email);
		buf_base64(&key, f->p[i].key.p, f->p[i].key.n);
		buf_printf(b, "%s{\"count\":%zu,\"email\":", i ? "," : "", f->p[i].n);
		buf_json(b, buf_view(&email));
		buf_str(b, STR(",\"type\":"));
		buf_json(b, f->p[i].type);
		buf_printf(b, ",\"key\":\"%s\",\"fingerprint\":\"" STR_FMT "\"}", key.p,
			   STR_ARG(trust_fingerprint(a, f->p[i].key)));
	}
	buf_str(b, STR("]}\n"));
}

static struct err *answer(struct arena *a, const char *repo, const char *rev)
{
	CLEANUP(git_store) struct git_store *s = NULL;
	CLEANUP(buf) struct buf out = BUF_INIT;
	struct found *f = ARENA_NEW(a, struct found);
	git_id id;

	git_setup();
	trust_setup();
	TRY(git_store_open(repo, &s));
	TRY(git_resolve(s, rev, &id));
	TRY(walk(a, s, id, f));
	print(a, f, &out);
	if (fwrite(out.p, 1, out.n, stdout) != out.n || fflush(stdout))
		return err_sys(ERR_IO, errno, "write");
	return NULL;
}

int signers_by_hand(int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct err *e =
		argc == 4 ? answer(a, argv[2], argv[3])
			  : err_new(ERR_USAGE, "--signers-of takes a repository and a revision");

	return e ? role_fail(e, 0) : 0;
}
