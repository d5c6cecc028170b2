/* init.c: `leeboard init REPO`: looks at a repository and writes the first documents for it. Git's
 * objects are none of this program's business: of a local repository only HEAD is read. */
#include "leeboard/cli.h"
#include "leeboard/config.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_HEAD 4096u
#define MAX_SIGNERS (1u << 20) /* bytes of what leeboard-verify says */
#define MAX_FOUND 16u

struct repo {
	str url;    /* as the Source names it */
	str work;   /* folder whose files can be looked at; empty: none */
	str branch; /* of HEAD; empty: unknown */
	str name;
	bool local;
};

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* RFC 1123: what a Source and an App may be called. */
static str name_from(struct arena *a, str url)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	size_t cut;

	while (str_ends(url, STR("/")))
		url = str_sub(url, 0, url.n - 1);
	if (str_ends(url, STR(".git")))
		url = str_sub(url, 0, url.n - 4);
	while (str_ends(url, STR("/")))
		url = str_sub(url, 0, url.n - 1);
	cut = str_rchr(url, '/');
	if (cut == SIZE_MAX)
		cut = str_rchr(url, ':');
	url = cut == SIZE_MAX ? url : str_sub(url, cut + 1, SIZE_MAX);
	for (size_t i = 0; i < url.n && b.n < 63; i++) {
		char c = (char)tolower((unsigned char)url.p[i]);

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			buf_char(&b, c);
		else if (b.n && b.p[b.n - 1] != '-')
			buf_char(&b, '-');
	}
	while (b.n && b.p[b.n - 1] == '-')
		b.n--;
	return b.n ? arena_str(a, buf_view(&b)) : STR("app");
}

/* "ref: refs/heads/main"; a linked worktree's .git is a file that says where. */
static struct err *find_git(struct arena *a, str dir, str *ret)
{
	const char *dot = arena_printf(a, STR_FMT "/.git", STR_ARG(dir)).p;
	CLEANUP(buf) struct buf b = BUF_INIT;
	str text;

	if (is_folder(dot)) {
		*ret = str_from(dot);
		return NULL;
	}
	if (is_file(dot)) {
		TRY(file_read(dot, MAX_HEAD, &b));
		text = str_trim(buf_view(&b));
		if (!str_starts(text, STR("gitdir: ")))
			return err_new(ERR_INVALID, "'%s' does not say where the repository is",
				       dot);
		text = str_sub(text, 8, SIZE_MAX);
		*ret = text.n && text.p[0] == '/'
			       ? arena_str(a, text)
			       : arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(text));
		return NULL;
	}
	if (is_file(arena_printf(a, STR_FMT "/HEAD", STR_ARG(dir)).p) &&
	    is_folder(arena_printf(a, STR_FMT "/objects", STR_ARG(dir)).p)) {
		*ret = dir;
		return NULL;
	}
	return err_hint(err_new(ERR_NOT_FOUND, "'" STR_FMT "' is no Git repository", STR_ARG(dir)),
			"git init " STR_FMT ", and commit something", STR_ARG(dir));
}

static struct err *look_local(struct arena *a, const char *path, struct repo *ret)
{
	char real[PATH_MAX];
	CLEANUP(buf) struct buf head = BUF_INIT;
	str git, text;

	if (!realpath(path, real))
		return err_sys(ERR_NOT_FOUND, errno, "open '%s'", path);
	ret->url = arena_str(a, str_from(real));
	ret->local = true;
	TRY(find_git(a, ret->url, &git));
	ret->work = str_eq(git, ret->url) ? STR("") : ret->url;
	TRY(file_read(arena_printf(a, STR_FMT "/HEAD", STR_ARG(git)).p, MAX_HEAD, &head));
	text = str_trim(buf_view(&head));
	if (str_starts(text, STR("ref: refs/heads/")))
		ret->branch = arena_str(a, str_sub(text, 16, SIZE_MAX));
	return NULL;
}

static bool is_remote(str s)
{
	size_t colon = str_chr(s, ':'), slash = str_chr(s, '/');

	return str_contains(s, STR("://")) ||
	       (colon != SIZE_MAX && (slash == SIZE_MAX || colon < slash));
}

/* ------------------------------------------------------------------ which folder */

static bool has_manifests(struct arena *a, str folder)
{
	DIR *d = opendir(arena_str(a, folder).p);
	bool found = false;
	struct dirent *e;

	while (d && !found && (e = readdir(d))) {
		str n = str_from(e->d_name);

		found = str_ends(n, STR(".yaml")) || str_ends(n, STR(".yml"));
	}
	if (d)
		closedir(d);
	return found;
}

/* Where people keep what is deployed; the first places that have something, and no others. */
static struct err *find_path(struct arena *a, const struct repo *r, str *ret)
{
	static const char *const places[] = {"deploy",        "k8s",
					     "kubernetes",    "manifests",
					     "overlays/prod", "overlays/production",
					     "clusters/prod", "."};
	CLEANUP(buf) struct buf names = BUF_INIT;
	size_t n = 0;

	for (size_t i = 0; r->work.n && i < ARRAY_LEN(places); i++) {
		str folder = arena_printf(a, STR_FMT "/%s", STR_ARG(r->work), places[i]);
		str kustomization = arena_printf(a, STR_FMT "/kustomization.yaml", STR_ARG(folder));

		if (!is_file(kustomization.p) &&
		    !(strcmp(places[i], ".") != 0 && has_manifests(a, folder)))
			continue;
		if (!n++)
			*ret = str_from(places[i]);
		buf_printf(&names, "%s%s", names.n ? ", " : "", places[i]);
	}
	if (n == 1)
		return NULL;
	if (n)
		return err_hint(
			err_new(ERR_USAGE, "several folders could be deployed: %s", names.p),
			"name one: --path FOLDER");
	return err_hint(err_new(ERR_USAGE, "which folder of the repository is deployed?"),
			"name it: --path FOLDER");
}

static struct err *check_path(struct arena *a, const struct repo *r, str path)
{
	if (!path.n || path.p[0] == '/' || str_starts(path, STR("../")) ||
	    str_eq(path, STR("..")) || str_contains(path, STR("/../")))
		return err_new(ERR_USAGE,
			       "'--path' is a folder of the repository, not '" STR_FMT "'",
			       STR_ARG(path));
	if (r->work.n &&
	    !is_folder(arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(r->work), STR_ARG(path)).p))
		return err_new(ERR_NOT_FOUND, "'" STR_FMT "' is no folder of '" STR_FMT "'",
			       STR_ARG(path), STR_ARG(r->url));
	return NULL;
}

/* ------------------------------------------------------------------ the documents */

static void yaml_text(struct buf *b, const char *before, str s)
{
	buf_str(b, str_from(before));
	buf_json(b, s); /* a JSON text is a YAML text */
	buf_char(b, '\n');
}

/* Plain where that is safe, so that the file reads as people write it. */
static void yaml_word(struct buf *b, const char *before, str s)
{
	bool plain = s.n > 0 && !strchr("-?:,[]{}#&*!|>'\"%@`~ 0123456789.", s.p[0]);

	for (size_t i = 0; plain && i < s.n; i++)
		plain = isalnum((unsigned char)s.p[i]) || strchr("/._-@+:", s.p[i]);
	plain = plain && s.p[s.n - 1] != ':' && !str_eq(s, STR("true")) &&
		!str_eq(s, STR("false")) && !str_eq(s, STR("null")) && !str_eq(s, STR("yes")) &&
		!str_eq(s, STR("no")) && !str_eq(s, STR("on")) && !str_eq(s, STR("off"));
	if (!plain) {
		yaml_text(b, before, s);
		return;
	}
	buf_printf(b, "%s" STR_FMT "\n", before, STR_ARG(s));
}

/* ------------------------------------------------------------------ who signs */

struct ended {
	struct loop *loop;
	int status;
};

static void on_exit_of(void *arg, int status, int signo UNUSED)
{
	struct ended *e = arg;

	e->status = status;
	loop_stop(e->loop);
}

static struct err *run_verifier(struct arena *a, const char *repo, const char *rev, struct buf *ret)
{
	CLEANUP(loop) struct loop *loop = loop_new();
	CLEANUP(fd) int ours = -1;
	CLEANUP(fd) int theirs = -1;
	const char *argv[] = {NULL, "--signers-of", repo, rev, NULL};
	struct child_spec spec = {.argv = argv, .fd3 = -1, .err = STDERR_FILENO};
	struct ended ended = {loop, -1};
	struct child *child;
	int ends[2];
	str path;

	TRY(place_program(a, verb_program_name(VERB_VERIFY), &path));
	argv[0] = path.p;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(ERR_IO, errno, "make a pipe");
	ours = ends[0];
	theirs = ends[1];
	spec.out = theirs;
	TRY(child_start(loop, &spec, on_exit_of, &ended, &child));
	close(theirs);
	theirs = -1;
	for (;;) {
		char bytes[4096];
		ssize_t n = read(ours, bytes, sizeof(bytes));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || ret->n > MAX_SIGNERS)
			break;
		buf_add(ret, bytes, (size_t)n);
	}
	close(ours); /* more than we take: it ends with SIGPIPE */
	ours = -1;
	loop_run(loop);
	if (ended.status != 0 || ret->n > MAX_SIGNERS)
		return err_new(ERR_VERIFIER_FAILED, "who signed '%s' cannot be said", rev);
	return NULL;
}

/* A principal of allowed_signers: no blanks, quotes, commas, patterns. */
static bool is_principal(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && !strchr("@._+-", s.p[i]))
			return false;
	return s.n > 0 && isalnum((unsigned char)s.p[0]) && str_chr(s, '@') != SIZE_MAX;
}

static struct err *write_policy(struct arena *a, const struct repo *r, str branch, struct buf *b)
{
	CLEANUP(buf) struct buf json = BUF_INIT;
	struct text *t = ARENA_NEW(a, struct text);
	const struct node *doc, *items, *commits;

	if (!r->local)
		return err_hint(
			err_new(ERR_USAGE, "'--sign' looks at a repository of this machine"),
			"git clone " STR_FMT ", and name the clone", STR_ARG(r->url));
	TRY(run_verifier(a, r->url.p, branch.p, &json));
	*t = (struct text){STR("<signers>"), arena_str(a, buf_view(&json))};
	TRY(node_read_json(a, t, &doc));
	items = node_get(doc, STR("items"));
	commits = node_get(doc, STR("commits"));
	if (!node_is(items, NODE_LIST) || !items->n || !node_is(commits, NODE_INT))
		return err_hint(err_new(ERR_INVALID,
					"no commit of '" STR_FMT "' is signed with an ssh key",
					STR_ARG(branch)),
				"git config gpg.format ssh; git config user.signingkey "
				"~/.ssh/id_ed25519.pub; "
				"git commit -S");
	buf_str(b, STR("---\napiVersion: leeboard.dev/v1\nkind: Policy\n"));
	buf_printf(
		b,
		"metadata: {name: " STR_FMT "}\nspec:\n  sources: [" STR_FMT
		"]\n  signers:\n    keys:                        # is each of them who it says?\n",
		STR_ARG(r->name), STR_ARG(r->name));
	for (size_t i = 0; i < items->n; i++) {
		const struct node *s = items->items[i];
		str email = node_get_text(s, STR("email"));
		int64_t n = 0;

		(void)node_i64(node_get(s, STR("count")), &n);
		buf_printf(b,
			   "      - " STR_FMT " namespaces=\"git\" " STR_FMT " " STR_FMT
			   "   # %lld of the last " STR_FMT " commits\n",
			   STR_ARG(is_principal(email) ? email : STR("somebody@unknown")),
			   STR_ARG(node_get_text(s, STR("type"))),
			   STR_ARG(node_get_text(s, STR("key"))), (long long)n,
			   STR_ARG(commits->text));
	}
	if (!node_bool(node_get(doc, STR("tipSigned")), false))
		fprintf(stderr,
			"warning: the tip of '" STR_FMT "' is not signed: it is refused until a "
			"signed commit is on top\n",
			STR_ARG(branch));
	return NULL;
}

static struct err *write_target(struct arena *a, str to, struct buf *b)
{
	char cwd[PATH_MAX];

	if (str_eq(to, STR("in-cluster"))) {
		buf_str(b, STR("  target: {inCluster: true}\n"));
		return NULL;
	}
	if (str_starts(to, STR("kube:"))) {
		const char *file = getenv("KUBECONFIG"), *home = getenv("HOME");
		str path = file && file[0] && !strchr(file, ':')
				   ? str_from(file)
				   : arena_printf(a, "%s/.kube/config", home ? home : "");

		if (to.n == 5)
			return err_new(ERR_USAGE, "'--to kube:' needs a context: kube:CONTEXT");
		yaml_word(b, "  target:\n    kubeConfig:\n      file: ", path);
		yaml_word(b, "      context: ", str_sub(to, 5, SIZE_MAX));
		return NULL;
	}
	if (to.p[0] == '~' || to.p[0] == '/') {
		yaml_word(b, "  target:\n    directory: ", to);
		return NULL;
	}
	if (!getcwd(cwd, sizeof(cwd)))
		return err_sys(ERR_IO, errno, "find the current folder");
	while (str_starts(to, STR("./")))
		to = str_sub(to, 2, SIZE_MAX);
	yaml_word(b,
		  "  target:\n    directory: ", arena_printf(a, "%s/" STR_FMT, cwd, STR_ARG(to)));
	return NULL;
}

static struct err *write_documents(struct arena *a, const struct repo *r,
				   const struct verb_words *w, str path, struct buf *b)
{
	str branch = verb_value(w, "--branch");
	bool sign = verb_has(w, "--sign");

	if (!branch.n)
		branch = r->branch;
	if (!branch.n)
		return err_hint(err_new(ERR_USAGE, "which branch is deployed?"),
				"name it: --branch main");
	buf_str(b, STR("apiVersion: leeboard.dev/v1\nkind: Source\n"));
	buf_printf(b, "metadata: {name: " STR_FMT "}\nspec:\n", STR_ARG(r->name));
	yaml_word(b, "  url: ", r->url);
	yaml_word(b, "  ref:\n    branch: ", branch);
	if (r->local)
		buf_str(b, STR("  interval: 2s\n"));
	if (sign)
		buf_printf(b, "  verify: {mode: head, signersFrom: {policy: " STR_FMT "}}\n",
			   STR_ARG(r->name));
	else
		buf_str(b, STR("  verify: {mode: off}          # anybody who can write to the "
			       "repository can deploy\n"));
	if (sign)
		TRY(write_policy(a, r, branch, b));
	buf_str(b, STR("---\napiVersion: leeboard.dev/v1\nkind: App\n"));
	buf_printf(b, "metadata: {name: " STR_FMT "}\nspec:\n  source: " STR_FMT "\n",
		   STR_ARG(r->name), STR_ARG(r->name));
	if (!str_eq(path, STR(".")))
		yaml_word(b, "  path: ", path);
	return write_target(a, verb_value(w, "--to"), b);
}

/* What is written must be what the daemon takes. */
static struct err *check_documents(const struct buf *b)
{
	CLEANUP(config) struct config *c = NULL;
	struct text t = {STR("<init>"), buf_view(b)};

	return config_parse(&t, 1, NULL, NULL, &c);
}

static struct err *write_file(struct arena *a, str file, const struct buf *b)
{
	const char *path = arena_str(a, file).p;
	struct stat st;

	if (lstat(path, &st) == 0)
		return err_hint(err_new(ERR_IO, "'%s' is there already", path),
				"name another file, or remove it");
	TRY(file_write_atomic(path, buf_view(b), 0644));
	fprintf(stderr, "wrote %s; next: leeboard check %s, leeboard run %s\n", path, path, path);
	return NULL;
}

static struct err *init(struct arena *a, const struct verb_words *w, struct buf *b)
{
	str name = verb_value(w, "--name"), path = verb_value(w, "--path"),
	    file = verb_value(w, "--file");
	struct repo r = {0};

	if (!verb_value(w, "--to").n)
		return err_hint(err_new(ERR_USAGE, "where does it go?"),
				"--to FOLDER, --to kube:CONTEXT, or --to in-cluster");
	if (is_remote(w->operands[0]))
		r.url = w->operands[0];
	else
		TRY(look_local(a, w->operands[0].p, &r));
	r.name = name.n ? name : name_from(a, r.url);
	if (!config_name_ok(r.name))
		return err_new(ERR_USAGE,
			       "'" STR_FMT "' is no name: lower-case letters, digits and '-'",
			       STR_ARG(r.name));
	if (!path.n)
		TRY(find_path(a, &r, &path));
	while (path.n > 1 && str_ends(path, STR("/")))
		path = str_sub(path, 0, path.n - 1);
	TRY(check_path(a, &r, path));
	TRY(write_documents(a, &r, w, path, b));
	TRY_WRAP(check_documents(b), "write the documents of '" STR_FMT "'", STR_ARG(r.url));
	if (file.n)
		TRY(write_file(a, file, b));
	return NULL;
}

int cli_init(int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct verb_words w;
	struct err *e;
	int status;

	if (!cli_read(a, argc, argv, &w, &status))
		return status;
	e = init(a, &w, &b);
	if (e)
		return cli_fail(e, 0);
	if (!verb_has(&w, "--file"))
		fputs(b.p, stdout);
	return 0;
}
