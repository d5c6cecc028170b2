/* Git over ssh, by libgit2's transport over libssh2.
 *
 * Its protocol is version 0: the server tells all its refs first, and objects are asked for by the
 * name of a ref. Our end is a repository that exists in memory only: its objects are the store's,
 * its refs are the haves. */
#include "git_priv.h"
#include <errno.h>
#include <git2/cert.h>
#include <git2/credential.h>
#include <git2/refdb.h>
#include <git2/remote.h>
#include <git2/sys/refdb_backend.h>
#include <git2/sys/refs.h>
#include <git2/sys/repository.h>
#include <git2/transport.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_SAID 500u

struct session {
	const struct git_ssh *how;
	struct buf host;
	bool bad_host, asked, refused, too_large;
	uint64_t bytes, objects;
	struct buf line;
};

/* ------------------------------------------------------------------ known hosts */

static void known_hosts_path(struct buf *folder, struct buf *file, const char *below)
{
	buf_printf(folder, "%s/.ssh", below);
	buf_printf(file, "%s/.ssh/known_hosts", below);
}

struct err *git_ssh_prepare(const char *folder, str known_hosts)
{
	CLEANUP(buf) struct buf dir = BUF_INIT;
	CLEANUP(buf) struct buf file = BUF_INIT;

	known_hosts_path(&dir, &file, folder);
	TRY(dir_make(dir.p, 0700));
	TRY(file_write_atomic(file.p, known_hosts, 0600));
	/* libgit2 looks beside a person's own configuration, which we have none of. */
	if (git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_GLOBAL, folder) < 0 ||
	    setenv("HOME", folder, 1))
		return git_error_of(ERR_INTERNAL, "say where the known hosts are");
	return NULL;
}

void git_ssh_leave(const char *folder)
{
	CLEANUP(buf) struct buf dir = BUF_INIT;
	CLEANUP(buf) struct buf file = BUF_INIT;

	known_hosts_path(&dir, &file, folder);
	unlink(file.p);
	rmdir(dir.p);
}

/* ------------------------------------------------------------------ callbacks */

static int on_certificate(git_cert *cert, int valid, const char *host UNUSED, void *arg)
{
	struct session *s = arg;

	if (cert->cert_type == GIT_CERT_HOSTKEY_LIBSSH2 && valid)
		return 0;
	s->bad_host = true;
	return GIT_ECERTIFICATE;
}

static int on_credentials(git_credential **ret, const char *url UNUSED, const char *user_of_url,
			  unsigned allowed, void *arg)
{
	struct session *s = arg;
	const char *user = user_of_url ? user_of_url : s->how->user ? s->how->user : "git";
	char *key, *passphrase;
	int rc;

	if (allowed & GIT_CREDENTIAL_USERNAME)
		return git_credential_username_new(ret, user);
	if (!(allowed & GIT_CREDENTIAL_SSH_MEMORY) || s->asked) {
		s->refused = true;
		return GIT_EAUTH;
	}
	s->asked = true;
	key = xstrndup(s->how->key.p ? s->how->key.p : "", s->how->key.n);
	passphrase =
		xstrndup(s->how->passphrase.p ? s->how->passphrase.p : "", s->how->passphrase.n);
	rc = git_credential_ssh_key_memory_new(ret, user, NULL, key, passphrase);
	mem_wipe(key, s->how->key.n);
	mem_wipe(passphrase, s->how->passphrase.n);
	free(key);
	free(passphrase);
	return rc;
}

static int on_progress(const git_indexer_progress *now, void *arg)
{
	struct session *s = arg;

	s->bytes = now->received_bytes;
	s->objects = now->total_objects;
	s->too_large = s->how->max_pack && s->bytes > s->how->max_pack;
	if (now->total_objects > GIT_MAX_PACK_OBJECTS)
		s->too_large = true;
	return s->too_large || (s->how->too_late && *s->how->too_late) ? -1 : 0;
}

static int on_said(const char *text, int n, void *arg)
{
	struct session *s = arg;

	for (int i = 0; i < n; i++) {
		if (text[i] != '\n' && text[i] != '\r') {
			if (s->line.n < MAX_SAID)
				buf_char(&s->line, text[i]);
			continue;
		}
		if (s->line.n && s->how->progress) {
			CLEANUP(buf) struct buf shown = BUF_INIT;

			buf_escaped(&shown, buf_view(&s->line));
			s->how->progress(s->how->arg, buf_view(&shown));
		}
		buf_clear(&s->line);
	}
	return s->how->too_late && *s->how->too_late ? -1 : 0;
}

/* Host (and port) of the url, for messages. */
static void host_of(const char *url, struct buf *ret)
{
	str rest = str_from(url);
	size_t at, end;
	bool scheme = str_starts(rest, STR("ssh://"));

	if (scheme)
		rest = str_sub(rest, 6, SIZE_MAX);
	end = str_chr(rest, scheme ? '/' : ':');
	rest = str_sub(rest, 0, end);
	at = str_rchr(rest, '@');
	buf_str(ret, at == SIZE_MAX ? rest : str_sub(rest, at + 1, SIZE_MAX));
}

static struct err *failed(struct session *s)
{
	const git_error *e = git_error_last();
	CLEANUP(buf) struct buf said = BUF_INIT;
	const char *host = s->host.p ? s->host.p : "";

	if (s->bad_host)
		return err_hint(
			err_new(ERR_HOST_KEY, "the key of '%s' is not among the known hosts", host),
			"if the server's key changed, compare the new one with what its "
			"people publish before you trust it");
	if (e && e->message && str_contains(str_from(e->message), STR("known hosts")))
		return err_new(ERR_HOST_KEY, "the known hosts cannot be read: a line is malformed");
	if (s->refused)
		return err_hint(err_new(ERR_SOURCE_AUTH, "'%s' refuses the key", host),
				"RSA keys are refused by newer servers: make an Ed25519 key");
	if (s->too_large)
		return err_new(ERR_LIMIT, "the pack of '%s' is larger than %llu bytes", host,
			       (unsigned long long)s->how->max_pack);
	if (s->how->too_late && *s->how->too_late)
		return err_new(ERR_UNREACHABLE, "'%s' gave no whole answer in time", host);
	buf_escaped(&said, str_sub(str_from(e && e->message ? e->message : "no reason given"), 0,
				   MAX_SAID));
	return err_new(e && e->klass == GIT_ERROR_INDEXER ? ERR_INVALID : ERR_UNREACHABLE,
		       "'%s': %s", host, said.p ? said.p : "");
}

/* ------------------------------------------------------------------ refs in memory: the haves */

#define HAVE_NAME "refs/heads/have-"

struct haves {
	git_refdb_backend parent;
	const git_id *p;
	size_t n;
};
struct haves_iterator {
	git_reference_iterator parent; /* of git2/sys/refdb_backend.h */
	struct haves *of;
	size_t at;
	char name[64];
};

static git_reference *have_ref(const struct haves *h, size_t i)
{
	char name[64];
	git_oid oid;

	snprintf(name, sizeof name, HAVE_NAME "%zu", i);
	memcpy(oid.id, h->p[i].b, GIT_OID_RAWSZ);
	return git_reference__alloc(name, &oid, NULL);
}

static int haves_find(const struct haves *h, const char *name, size_t *ret)
{
	uint64_t i;
	str s = str_from(name);

	if (!str_starts(s, STR(HAVE_NAME)) ||
	    !str_to_u64(str_sub(s, strlen(HAVE_NAME), SIZE_MAX), &i) || i >= h->n)
		return GIT_ENOTFOUND;
	*ret = (size_t)i;
	return 0;
}

static int haves_exists(int *ret, git_refdb_backend *b, const char *name)
{
	size_t i;

	*ret = haves_find((struct haves *)b, name, &i) == 0;
	return 0;
}

static int haves_lookup(git_reference **ret, git_refdb_backend *b, const char *name)
{
	struct haves *h = (struct haves *)b;
	size_t i;

	if (haves_find(h, name, &i))
		return GIT_ENOTFOUND;
	*ret = have_ref(h, i);
	return *ret ? 0 : -1;
}

static int haves_next(git_reference **ret, git_reference_iterator *it)
{
	struct haves_iterator *i = (struct haves_iterator *)it;

	if (i->at == i->of->n)
		return GIT_ITEROVER;
	*ret = have_ref(i->of, i->at++);
	return *ret ? 0 : -1;
}

static int haves_next_name(const char **ret, git_reference_iterator *it)
{
	struct haves_iterator *i = (struct haves_iterator *)it;

	if (i->at == i->of->n)
		return GIT_ITEROVER;
	snprintf(i->name, sizeof i->name, HAVE_NAME "%zu", i->at++);
	*ret = i->name;
	return 0;
}

static void haves_iterator_free(git_reference_iterator *it)
{
	free(it);
}

static int haves_iterate(git_reference_iterator **ret, git_refdb_backend *b,
			 const char *glob UNUSED)
{
	struct haves_iterator *i = xcalloc(1, sizeof *i);

	i->of = (struct haves *)b;
	i->parent.next = haves_next;
	i->parent.next_name = haves_next_name;
	i->parent.free = haves_iterator_free;
	*ret = &i->parent;
	return 0;
}

static int haves_refuse_write(git_refdb_backend *b UNUSED, const git_reference *ref UNUSED,
			      int force UNUSED, const git_signature *who UNUSED,
			      const char *message UNUSED, const git_oid *old UNUSED,
			      const char *old_target UNUSED)
{
	return -1;
}

static int haves_refuse_rename(git_reference **ret UNUSED, git_refdb_backend *b UNUSED,
			       const char *from UNUSED, const char *to UNUSED, int force UNUSED,
			       const git_signature *who UNUSED, const char *message UNUSED)
{
	return -1;
}

static int haves_refuse_del(git_refdb_backend *b UNUSED, const char *name UNUSED,
			    const git_oid *old UNUSED, const char *old_target UNUSED)
{
	return -1;
}

static int haves_no_log(git_refdb_backend *b UNUSED, const char *name UNUSED)
{
	return 0;
}

static int haves_no_reflog(git_reflog **ret UNUSED, git_refdb_backend *b UNUSED,
			   const char *name UNUSED)
{
	return GIT_ENOTFOUND;
}

static int haves_refuse_reflog(git_refdb_backend *b UNUSED, git_reflog *log UNUSED)
{
	return -1;
}

static int haves_refuse_reflog_rename(git_refdb_backend *b UNUSED, const char *from UNUSED,
				      const char *to UNUSED)
{
	return -1;
}

static void haves_free(git_refdb_backend *b)
{
	free(b);
}

static struct haves *haves_new(const git_id *p, size_t n)
{
	struct haves *h = xcalloc(1, sizeof *h);

	git_refdb_init_backend(&h->parent, GIT_REFDB_BACKEND_VERSION);
	h->p = p;
	h->n = n;
	h->parent.exists = haves_exists;
	h->parent.lookup = haves_lookup;
	h->parent.iterator = haves_iterate;
	h->parent.write = haves_refuse_write;
	h->parent.rename = haves_refuse_rename;
	h->parent.del = haves_refuse_del;
	h->parent.has_log = haves_no_log;
	h->parent.ensure_log = haves_no_log;
	h->parent.free = haves_free;
	h->parent.reflog_read = haves_no_reflog;
	h->parent.reflog_write = haves_refuse_reflog;
	h->parent.reflog_rename = haves_refuse_reflog_rename;
	h->parent.reflog_delete = haves_no_log;
	return h;
}

/* objects NULL: nothing is fetched. */
static struct err *repository(const char *objects, const git_id *haves, size_t n,
			      git_repository **ret)
{
	git_repository *repo = NULL;
	git_config *config = NULL;
	git_refdb *refs = NULL;
	git_odb *odb = NULL;
	struct err *e = NULL;

	if (objects)
		e = git_odb_of_folder(objects, &odb);
	if (!e &&
	    (git_repository_new(&repo) < 0 || git_config_new(&config) < 0 ||
	     git_repository_set_config(repo, config) < 0 || git_repository_set_bare(repo) < 0 ||
	     (odb && git_repository_set_odb(repo, odb) < 0) || git_refdb_new(&refs, repo) < 0 ||
	     git_refdb_set_backend(refs, &haves_new(haves, n)->parent) < 0 ||
	     git_repository_set_refdb(repo, refs) < 0))
		e = git_error_of(ERR_INTERNAL, "make a repository in memory");
	git_refdb_free(refs);
	git_config_free(config);
	git_odb_free(odb);
	if (e) {
		git_repository_free(repo);
		return e;
	}
	*ret = repo;
	return NULL;
}

/* ------------------------------------------------------------------ the two questions */

static struct err *connect_to(struct session *s, git_repository *repo, git_remote **ret,
			      git_remote_callbacks *calls)
{
	git_remote *r = NULL;

	git_remote_init_callbacks(calls, GIT_REMOTE_CALLBACKS_VERSION);
	calls->certificate_check = on_certificate;
	calls->credentials = on_credentials;
	calls->transfer_progress = on_progress;
	calls->sideband_progress = on_said;
	calls->payload = s;
	if (git_remote_create_anonymous(&r, repo, s->how->url) < 0)
		return failed(s);
	if (git_remote_connect(r, GIT_DIRECTION_FETCH, calls, NULL, NULL) < 0) {
		git_remote_free(r);
		return failed(s);
	}
	*ret = r;
	return NULL;
}

static git_id id_of(const git_oid *oid)
{
	git_id id = {.n = GIT_OID_RAWSZ};

	memcpy(id.b, oid->id, GIT_OID_RAWSZ);
	return id;
}

/* "refs/tags/v1^{}" follows "refs/tags/v1". */
static bool peels(const git_remote_head *next, const char *name)
{
	size_t n = strlen(name);

	return strncmp(next->name, name, n) == 0 && strcmp(next->name + n, "^{}") == 0;
}

static struct err *each_head(git_remote *r, struct err *(*each)(void *arg, const struct git_ref *),
			     void *arg)
{
	const git_remote_head **heads;
	size_t n;

	if (git_remote_ls(&heads, &n, r) < 0)
		return git_error_of(ERR_UNREACHABLE, "list the refs of a server");
	for (size_t i = 0; i < n; i++) {
		struct git_ref ref = {.name = heads[i]->name,
				      .id = id_of(&heads[i]->oid),
				      .symref = heads[i]->symref_target};

		if (str_ends(str_from(ref.name), STR("^{}")))
			continue;
		if (i + 1 < n && peels(heads[i + 1], ref.name))
			ref.peeled = id_of(&heads[i + 1]->oid);
		TRY(each(arg, &ref));
	}
	return NULL;
}

static void session_done(git_remote *r, git_repository *repo)
{
	if (r)
		git_remote_disconnect(r);
	git_remote_free(r);
	git_repository_free(repo);
}

struct err *git_ssh_refs(const struct git_ssh *how,
			 struct err *(*each)(void *arg, const struct git_ref *r), void *arg)
{
	struct session s = {.how = how};
	git_repository *repo = NULL;
	git_remote *remote = NULL;
	git_remote_callbacks calls;
	struct err *e;

	host_of(how->url, &s.host);
	e = repository(NULL, NULL, 0, &repo);
	if (!e)
		e = connect_to(&s, repo, &remote, &calls);
	if (!e)
		e = each_head(remote, each, arg);
	session_done(remote, repo);
	buf_done(&s.line);
	buf_done(&s.host);
	return e;
}

struct wanted {
	const char *ref;
	git_id id;
	bool found, elsewhere;
};

static struct err *look_for(void *arg, const struct git_ref *r)
{
	struct wanted *w = arg;

	if (strcmp(r->name, w->ref) != 0)
		return NULL;
	w->found = git_id_eq(r->id, w->id) || git_id_eq(r->peeled, w->id);
	w->elsewhere = !w->found;
	return NULL;
}

static struct err *download(struct session *s, git_remote *remote,
			    const git_remote_callbacks *calls, const char *ref)
{
	CLEANUP(buf) struct buf spec = BUF_INIT;
	git_fetch_options opts;
	git_strarray specs = {&spec.p, 1};

	buf_printf(&spec, "%s", ref); /* no destination: nothing is written but objects */
	git_fetch_options_init(&opts, GIT_FETCH_OPTIONS_VERSION);
	opts.callbacks = *calls;
	opts.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
	opts.update_fetchhead = 0;
	opts.prune = GIT_FETCH_NO_PRUNE;
	if (git_remote_download(remote, &specs, &opts) < 0)
		return failed(s);
	return NULL;
}

struct err *git_ssh_fetch(const struct git_ssh *how, const char *objects, const char *ref,
			  git_id want, const git_id *haves, size_t haves_n, uint64_t *bytes,
			  uint64_t *objects_n)
{
	struct session s = {.how = how};
	struct wanted w = {.ref = ref, .id = want};
	git_repository *repo = NULL;
	git_remote *remote = NULL;
	git_remote_callbacks calls;
	struct err *e;

	host_of(how->url, &s.host);
	e = git_pack_sweep(objects);
	if (!e)
		e = repository(objects, haves, haves_n, &repo);
	if (!e)
		e = connect_to(&s, repo, &remote, &calls);
	if (!e)
		e = each_head(remote, look_for, &w);
	if (!e && !w.found)
		e = err_new(ERR_REF_GONE, "ref '%s' of '%s' is %s", ref, s.host.p,
			    w.elsewhere ? "somewhere else by now" : "not there (any more)");
	if (!e)
		e = download(&s, remote, &calls, ref);
	session_done(remote, repo);
	buf_done(&s.line);
	buf_done(&s.host);
	*bytes = s.bytes;
	*objects_n = s.objects;
	return e;
}
