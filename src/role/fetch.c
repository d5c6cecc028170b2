/* fetch: the refs of a repository elsewhere, and the objects of one commit of it.
 *
 * Over http our own protocol (remote.h), else libgit2's transports; whatever the way, objects enter
 * the store as one pack, checked while it comes, there whole or not at all. */
#include "role_priv.h"

#include "leeboard/git.h"
#include "leeboard/remote.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PROGRESS_EVERY 250 /* ms */
#define SHALLOW_FILE                                                                               \
	"info/leeboard-shallow" /* no name of Git's: nothing but this worker obeys it */
#define MAX_SHALLOW_FILE (4u << 20)

struct fetch {
	struct arena *a;
	const struct job_fetch *j;
	struct worker_out *out;
	const char *objects; /* NUL-terminated */
	const char *url;
	git_id want;
	struct loop *loop;
	struct remote *remote;
	bool done;
	struct err *failed; /* what ended the request */
	struct err *sent;   /* what kept a frame from going out */
	struct git_pack *pack;
	struct git_ssh ssh;
	const char *ssh_folder; /* where the known hosts are; NULL: not over ssh */
	uint64_t bytes;
	msec told; /* when the last PROGRESS went out */
	struct {
		str *p;
		size_t n, cap;
	} shallow; /* ids of commits whose parents are not here */
	bool shallow_changed;
};

static const char *text_of(struct arena *a, str s)
{
	return arena_str(a, s).p;
}

static void tell(void *arg, str line)
{
	struct fetch *f = arg;
	msec now = time_mono();

	if (f->sent || (f->told && now - f->told < PROGRESS_EVERY))
		return;
	f->told = now;
	f->sent = worker_send_progress(f->out, line);
}

/* ------------------------------------------------------------------ where history ends */

static struct err *shallow_read(struct fetch *f)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	str path = arena_printf(f->a, "%s/%s", f->objects, SHALLOW_FILE);
	str rest, line;

	if (access(path.p, F_OK))
		return NULL;
	TRY(file_read(path.p, MAX_SHALLOW_FILE, &b));
	rest = arena_str(f->a, buf_view(&b));
	while (rest.n && str_split(&rest, '\n', &line)) {
		git_id id;

		if (git_id_parse(line, &id))
			*ARENA_PUSH(f->a, &f->shallow) = line;
	}
	return NULL;
}

static struct err *shallow_write(struct fetch *f)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	str folder = arena_printf(f->a, "%s/info", f->objects);
	str path = arena_printf(f->a, "%s/%s", f->objects, SHALLOW_FILE);

	if (!f->shallow_changed)
		return NULL;
	for (size_t i = 0; i < f->shallow.n; i++)
		buf_printf(&b, STR_FMT "\n", STR_ARG(f->shallow.p[i]));
	TRY(dir_make(folder.p, 0700));
	return file_write_atomic(path.p, buf_view(&b), 0600);
}

static void boundary(void *arg, str oid, bool shallow)
{
	struct fetch *f = arg;

	f->shallow_changed = true;
	for (size_t i = 0; i < f->shallow.n; i++) {
		if (!str_eq(f->shallow.p[i], oid))
			continue;
		if (!shallow)
			f->shallow.p[i] = f->shallow.p[--f->shallow.n];
		return;
	}
	if (shallow && f->shallow.n < MAX_SHALLOW_FILE / 65)
		*ARENA_PUSH(f->a, &f->shallow) = arena_str(f->a, oid);
}

/* ------------------------------------------------------------------ over http */

static bool is_http(str url)
{
	return str_starts(url, STR("http://")) || str_starts(url, STR("https://"));
}

static struct err *http_open(struct fetch *f)
{
	const struct job_fetch *j = f->j;
	const struct remote_spec spec = {
		.url = j->url,
		.auth = j->auth,
		.username = j->username,
		.secret = j->secret,
		.tls = {.ca_pem = j->ca, .cert_pem = j->cert, .key_pem = j->key},
		.timeout = j->timeout};

	f->loop = loop_new();
	return remote_new(f->loop, &spec, &f->remote);
}

static void http_wait(struct fetch *f)
{
	while (!f->done)
		loop_turn(f->loop, true);
}

static void on_refs(void *arg, const struct remote_refs *refs, struct err *e)
{
	struct fetch *f = arg;

	f->done = true;
	f->failed = e;
	for (size_t i = 0; !f->failed && i < refs->n; i++) {
		const struct remote_ref *r = &refs->p[i];
		const struct worker_ref w = {r->name, r->oid, r->peeled, r->symref};

		f->failed = worker_send_ref(f->out, &w);
	}
}

static struct err *http_list(struct fetch *f)
{
	TRY(http_open(f));
	TRY(remote_poll(f->remote, f->j->prefixes, f->j->prefixes_n, on_refs, f));
	http_wait(f);
	return STEAL(f->failed);
}

static struct err *on_pack(void *arg, str bytes)
{
	struct fetch *f = arg;

	f->bytes += bytes.n;
	return git_pack_add(f->pack, bytes);
}

static void on_fetched(void *arg, struct err *e)
{
	struct fetch *f = arg;

	f->done = true;
	f->failed = e;
}

static struct err *http_fetch(struct fetch *f, const str *haves, size_t haves_n)
{
	static const struct remote_fetch_calls calls = {
		.pack = on_pack, .progress = tell, .boundary = boundary, .done = on_fetched};
	const struct job_fetch *j = f->j;
	struct remote_fetch q = {.want = j->want,
				 .haves = haves,
				 .haves_n = haves_n,
				 .max_pack = j->max_pack,
				 .timeout = j->timeout};

	if (j->unshallow)
		q.depth = UINT32_MAX;
	else if (!haves_n)
		q.depth = j->depth;
	if (haves_n || j->unshallow) {
		q.shallow = f->shallow.p;
		q.shallow_n = f->shallow.n;
	} else {
		f->shallow_changed = f->shallow.n > 0;
		f->shallow.n = 0;
	}
	TRY(http_open(f));
	TRY(remote_fetch(f->remote, &q, &calls, f));
	http_wait(f);
	return STEAL(f->failed);
}

/* ------------------------------------------------------------------ a path of this machine */

#define MAX_FOLDERS 16 /* beside the repository's own */
#define MAX_SMALL_FILE (64u << 10)

struct folders {
	const char *p[MAX_FOLDERS + 1];
	size_t n;
};

/* The text of a small file; empty: there is none. */
static str small_file(struct arena *a, str path)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct err *e = file_read(path.p, MAX_SMALL_FILE, &b);

	if (e) {
		err_free(e);
		return STR_NONE;
	}
	return arena_str(a, buf_view(&b));
}

static str beside(struct arena *a, str folder, str path)
{
	if (str_starts(path, STR("/")))
		return arena_str(a, path);
	return arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(folder), STR_ARG(path));
}

static void folder_add(struct folders *v, str path)
{
	if (v->n < MAX_FOLDERS)
		v->p[v->n++] = path.p;
}

/* Where else a repository keeps its things, for the sandbox to leave open: the folder that a linked
 * work tree's .git names, what that one shares, and objects borrowed from others. */
static void folders_of(struct arena *a, const char *repository, struct folders *ret)
{
	str root = str_from(repository), git = beside(a, root, STR(".git"));
	str link = small_file(a, git), objects, rest, line;

	if (str_starts(link, STR("gitdir:"))) {
		git = beside(a, root, str_trim(str_sub(link, 7, SIZE_MAX)));
		folder_add(ret, git);
		link = str_trim(small_file(a, beside(a, git, STR("commondir"))));
		if (link.n) {
			git = beside(a, git, link);
			folder_add(ret, git);
		}
	} else if (access(git.p, F_OK)) {
		git = root;
	}
	objects = beside(a, git, STR("objects"));
	for (size_t i = ret->n;; i++) {
		rest = small_file(a, beside(a, objects, STR("info/alternates")));
		while (rest.n && str_split(&rest, '\n', &line)) {
			line = str_trim(line);
			if (line.n && line.p[0] != '#')
				folder_add(ret, beside(a, objects, line));
		}
		if (i >= ret->n)
			return;
		objects = str_from(ret->p[i]); /* which may borrow in turn */
	}
}

static bool wanted(const struct job_fetch *j, str name)
{
	for (size_t i = 0; i < j->prefixes_n; i++) {
		if (str_starts(name, j->prefixes[i]))
			return true;
	}
	return j->prefixes_n == 0;
}

static struct err *send_git_ref(void *arg, const struct git_ref *r)
{
	struct fetch *f = arg;
	const struct worker_ref w = {.name = str_from(r->name),
				     .oid = git_id_hex(f->a, r->id),
				     .peeled = git_id_hex(f->a, r->peeled),
				     .symref = str_from(r->symref)};

	if (!wanted(f->j, w.name) || str_utf8_bad(w.name) != SIZE_MAX)
		return NULL;
	if (f->out->counts[FRAME_REF] == REMOTE_MAX_REFS)
		return err_new(ERR_LIMIT, "the repository has more than %u refs", REMOTE_MAX_REFS);
	return worker_send_ref(f->out, &w);
}

/* A repository that went away is a remote that cannot be reached. Takes e. */
static struct err *unreachable(struct err *e)
{
	struct err *u;

	if (!e || (err_code(e) != ERR_NOT_FOUND && err_code(e) != ERR_INVALID))
		return e;
	u = err_new(ERR_UNREACHABLE, STR_FMT, STR_ARG(err_message(e)));
	err_free(e);
	return u;
}

static struct err *local_list(struct fetch *f)
{
	CLEANUP(git_store) struct git_store *s = NULL;

	TRY(unreachable(git_store_open(f->url, &s)));
	return git_local_refs(s, send_git_ref, f);
}

static struct err *local_fetch(struct fetch *f, const git_id *haves, size_t haves_n)
{
	CLEANUP(git_store) struct git_store *s = NULL;

	TRY(unreachable(git_store_open(f->url, &s)));
	f->shallow_changed = f->shallow.n > 0;
	f->shallow.n = 0;
	return git_local_pack(s, f->want, haves, haves_n, f->pack);
}

static struct err *missing(struct fetch *f)
{
	return err_new(ERR_UNREACHABLE,
		       "the server sent objects, and commit " STR_FMT " is not among them",
		       STR_ARG(f->j->want));
}

/* ------------------------------------------------------------------ over ssh */

static bool is_ssh(str url)
{
	return str_starts(url, STR("ssh://")) ||
	       (!str_contains(url, STR("://")) && str_chr(url, ':') != SIZE_MAX);
}

/* libgit2 1.5 waits for ever, and libssh2 goes on after an interrupted call: the alarm ends the
 * connection under them. */
static volatile sig_atomic_t too_late; /* a signal's handler has no context */

static void on_alarm(int signo UNUSED)
{
	too_late = 1;
	for (int fd = 4; fd < 256; fd++) /* 3 is the controller's */
		shutdown(fd, SHUT_RDWR);
}

static struct err *ssh_prepare(struct fetch *f)
{
	const struct job_fetch *j = f->j;
	msec t = j->timeout ? j->timeout : 5 * MINUTE;
	struct itimerval when = {.it_value = {.tv_sec = t / 1000, .tv_usec = t % 1000 * 1000},
				 .it_interval = {.tv_usec = 200000}};
	struct sigaction act = {.sa_handler = on_alarm}; /* no SA_RESTART */

	if (!j->known_hosts.n)
		return err_new(ERR_HOST_KEY, "no known hosts: nothing says whose key to expect");
	if (j->objects.n) {
		f->ssh_folder = arena_printf(f->a, "%s/info", f->objects).p;
		TRY(dir_make(f->ssh_folder, 0700));
	} else {
		str folder = arena_str(f->a, STR("/tmp/leeboard-XXXXXX"));

		f->ssh_folder = mkdtemp((char *)(uintptr_t)folder.p);
		if (!f->ssh_folder)
			return err_sys(ERR_IO, errno, "make a folder for the known hosts");
	}
	f->ssh = (struct git_ssh){.url = f->url,
				  .user = j->username.n ? text_of(f->a, j->username) : NULL,
				  .key = j->secret,
				  .passphrase = j->passphrase,
				  .max_pack = j->max_pack ? j->max_pack : REMOTE_MAX_PACK,
				  .too_late = &too_late,
				  .progress = tell,
				  .arg = f};
	TRY(git_ssh_prepare(f->ssh_folder, j->known_hosts));
	if (sigaction(SIGALRM, &act, NULL) || setitimer(ITIMER_REAL, &when, NULL))
		return err_sys(ERR_INTERNAL, errno, "set an alarm");
	return NULL;
}

static void ssh_leave(struct fetch *f)
{
	if (!f->ssh_folder)
		return;
	git_ssh_leave(f->ssh_folder);
	if (!f->j->objects.n)
		rmdir(f->ssh_folder);
}

static struct err *ssh_fetch(struct fetch *f, const git_id *haves, size_t n)
{
	CLEANUP(git_store) struct git_store *after = NULL;
	struct worker_pack p;

	if (!f->j->ref.n)
		return err_new(ERR_INVALID, "an ssh server is asked by a ref's name, and the job "
					    "has none");
	TRY(git_ssh_fetch(&f->ssh, f->objects, text_of(f->a, f->j->ref), f->want, haves, n,
			  &p.bytes, &p.objects));
	TRY(git_store_open(f->objects, &after));
	if (!git_store_has(after, f->want))
		return missing(f);
	return worker_send_pack(f->out, &p);
}

/* ------------------------------------------------------------------ the three jobs */

static struct err *list(struct fetch *f)
{
	if (f->j->local)
		return local_list(f);
	if (is_http(f->j->url))
		return http_list(f);
	if (is_ssh(f->j->url))
		return git_ssh_refs(&f->ssh, send_git_ref, f);
	return err_new(ERR_NOT_SUPPORTED, "this kind of url is not supported yet");
}

/* Commits that the store holds, of those that the controller believes it does. */
static void usable_haves(struct fetch *f, struct git_store *s, str *hex, git_id *ids, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < f->j->haves_n && *n < REMOTE_MAX_HAVES; i++) {
		if (!git_id_parse(f->j->haves[i], &ids[*n]) || !git_store_has(s, ids[*n]))
			continue;
		hex[(*n)++] = f->j->haves[i];
	}
}

static struct err *transfer(struct fetch *f, struct git_store *s)
{
	CLEANUP(git_store) struct git_store *after = NULL;
	str *haves = ARENA_ARRAY(f->a, str, f->j->haves_n);
	git_id *ids = ARENA_ARRAY(f->a, git_id, f->j->haves_n);
	size_t n = 0;
	uint64_t objects;
	int how = 0;

	if (!f->j->fresh)
		usable_haves(f, s, haves, ids, &n);
	if (!f->j->local && is_ssh(f->j->url))
		return ssh_fetch(f, ids, n);
	/* A shallow pack has gaps on purpose. */
	if (f->j->local || (!f->shallow.n && !f->j->depth))
		how |= GIT_PACK_WHOLE;
	if (f->j->fresh)
		how |= GIT_PACK_ALONE;
	/* With shallow history here a walk from the haves ends in the air: a path sends all. */
	if (f->j->local && f->shallow.n)
		n = 0;
	TRY(git_pack_begin(f->objects, how, &f->pack));
	TRY(f->j->local ? local_fetch(f, ids, n) : http_fetch(f, haves, n));
	TRY(git_pack_end(f->pack, &objects));
	TRY(shallow_write(f));
	TRY(git_store_open(f->objects, &after));
	if (!git_store_has(after, f->want))
		return missing(f);
	return worker_send_pack(f->out, &(struct worker_pack){f->bytes, objects});
}

static struct err *fetch(struct fetch *f)
{
	CLEANUP(git_store) struct git_store *s = NULL;

	if (!git_id_parse(f->j->want, &f->want))
		return err_new(ERR_INVALID, "'want' is no object id");
	TRY(shallow_read(f));
	TRY(git_store_open(f->objects, &s));
	/* Packs come whole or not at all: what is here has what it needs. */
	if (git_store_has(s, f->want) && !f->j->fresh && !(f->j->unshallow && f->shallow.n))
		return worker_send_pack(f->out, &(struct worker_pack){0, 0});
	if (f->j->local || is_http(f->j->url) || is_ssh(f->j->url))
		return transfer(f, s);
	return err_new(ERR_NOT_SUPPORTED, "this kind of url is not supported yet");
}

static struct err *compact(struct fetch *f)
{
	uint64_t objects;

	TRY(git_compact(f->objects, &objects));
	return worker_send_pack(f->out, &(struct worker_pack){0, objects});
}

/* ------------------------------------------------------------------ the program */

/* What the resolver and TLS read, wherever distributions put it. */
static const char *const system_files[] = {"/etc/resolv.conf",
					   "/etc/hosts",
					   "/etc/nsswitch.conf",
					   "/etc/host.conf",
					   "/etc/gai.conf",
					   "/etc/services",
					   "/etc/ssl/certs",
					   "/etc/ssl/cert.pem",
					   "/etc/pki",
					   "/etc/ca-certificates",
					   "/usr/share/ca-certificates",
					   "/usr/local/share/ca-certificates",
					   "/usr/lib/ssl/certs",
					   "/run/systemd/resolve",
					   NULL};

static struct err *work(struct fetch *f)
{
	switch (f->j->op) {
	case JOB_LIST:
		return list(f);
	case JOB_FETCH:
		return fetch(f);
	case JOB_COMPACT:
		break;
	}
	return compact(f);
}

static struct err *run(struct arena *a, const struct role *r, const struct worker_job *w,
		       struct worker_out *out)
{
	struct job_fetch j;
	struct fetch f = {.a = a, .j = &j, .out = out};
	struct sandbox_plan plan = {0};
	struct folders folders = {0};
	struct err *e = NULL;

	TRY(job_fetch_read(a, w, &j));
	f.url = text_of(a, j.url);
	git_setup();
	/* Global state of curl, OpenSSL and the resolver, while files may still be opened. */
	http_free(http_new(NULL));
	if (j.objects.n) {
		f.objects = text_of(a, j.objects);
		TRY(dir_make(arena_printf(a, "%s/pack", f.objects).p, 0700));
		plan.write_dir = f.objects;
	}
	if (j.local) {
		plan.read_dir = f.url;
		folders_of(a, f.url, &folders);
		plan.read_files = folders.p;
	} else {
		plan.read_files = system_files;
	}
	if (j.op != JOB_COMPACT && !j.local && is_ssh(j.url)) {
		e = ssh_prepare(&f);
		if (e) {
			ssh_leave(&f);
			return e;
		}
		if (!plan.write_dir)
			plan.write_dir = f.ssh_folder;
	}
	e = role_enter(r, &plan, &j.limits, out);
	if (!e)
		e = work(&f);
	ssh_leave(&f);
	git_pack_free(f.pack);
	remote_free(f.remote);
	loop_free(f.loop);
	if (f.sent)
		e = err_join(e, f.sent);
	return e;
}

const struct role role_fetch = {
	.name = "leeboard-fetch",
	.sandbox = SANDBOX_FETCH,
	.memory_bytes = 2048ull << 20,
	.cpu_seconds = 300,
	.run = run,
};
