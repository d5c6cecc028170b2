/* leeboard render --rev REV [--repo DIR] PATH: what a commit renders to, for a person. */
#include "role_priv.h"

#include "leeboard/git.h"
#include "leeboard/render.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
	"usage: leeboard render --rev REV [--repo DIR] [PATH]\n"
	"\n"
	"Prints the objects of a folder as a commit has it; the work tree is not looked at.\n"
	"\n"
	"  --rev REV               a branch, a tag, a commit id: what git takes\n"
	"  --repo DIR              the repository; PATH is then relative to its root (else the "
	"one\n"
	"                          around the current folder, and PATH relative to that)\n"
	"  -o, --output FILE       write there\n"
	"  --load-restrictor WORD  LoadRestrictionsRootOnly or LoadRestrictionsNone\n"
	"  --reorder WORD          legacy or none\n"
	"\n"
	"  leeboard render --rev v1.4 apps/web\n";

struct args {
	const char *rev, *repo, *output, *path;
	struct render_opts opts;
	bool help;
};

static struct err *set_restrictor(const char *v, struct render_opts *o)
{
	if (!strcmp(v, "LoadRestrictionsNone"))
		o->lax = true;
	else if (strcmp(v, "LoadRestrictionsRootOnly") != 0)
		return err_new(ERR_USAGE, "'--load-restrictor' is LoadRestrictionsRootOnly or "
					  "LoadRestrictionsNone");
	return NULL;
}

static struct err *set_order(const char *v, struct render_opts *o)
{
	if (!strcmp(v, "legacy"))
		o->order = RENDER_ORDER_LEGACY;
	else if (!strcmp(v, "none"))
		o->order = RENDER_ORDER_NONE;
	else
		return err_new(ERR_USAGE, "'--reorder' is legacy or none");
	return NULL;
}

static struct err *read_args(int argc, char **argv, struct args *ret)
{
	for (int i = 1; i < argc; i++) {
		struct err *e = NULL;
		const char *v;

		if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help")) {
			ret->help = true;
		} else if ((v = role_flag(argc, argv, &i, "--rev", &e))) {
			ret->rev = v;
		} else if (!e && (v = role_flag(argc, argv, &i, "--repo", &e))) {
			ret->repo = v;
		} else if (!e && ((v = role_flag(argc, argv, &i, "--output", &e)) ||
				  (!e && (v = role_flag(argc, argv, &i, "-o", &e))))) {
			ret->output = v;
		} else if (!e && (v = role_flag(argc, argv, &i, "--load-restrictor", &e))) {
			TRY(set_restrictor(v, &ret->opts));
		} else if (!e && (v = role_flag(argc, argv, &i, "--reorder", &e))) {
			TRY(set_order(v, &ret->opts));
		} else if (e) {
			return e;
		} else if (argv[i][0] == '-' && argv[i][1]) {
			return err_hint(err_new(ERR_USAGE, "unknown flag '%s'", argv[i]),
					"leeboard render --rev REV -h lists them");
		} else if (ret->path) {
			return err_new(ERR_USAGE, "render takes one folder");
		} else {
			ret->path = argv[i];
		}
	}
	if (!ret->help && !ret->rev)
		return err_new(ERR_USAGE, "no revision: write '--rev REV'");
	return NULL;
}

static bool is_repository(const char *folder)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct stat st;

	buf_printf(&b, "%s/.git", folder);
	return stat(b.p, &st) == 0;
}

/* The repository around the current folder, and where in it we are ("apps/web"). */
static struct err *around(struct arena *a, str *repo, str *inside)
{
	char cwd[PATH_MAX];
	str at;

	if (!getcwd(cwd, sizeof cwd))
		return err_sys(ERR_IO, errno, "find the current folder");
	at = arena_str(a, str_from(cwd));
	for (;;) {
		size_t slash;

		at = arena_str(a, at);
		if (is_repository(at.n ? at.p : "/"))
			break;
		slash = str_rchr(at, '/');
		if (!at.n || slash == SIZE_MAX)
			return err_hint(err_new(ERR_NOT_FOUND, "no repository around '%s'", cwd),
					"name it with --repo");
		at = str_sub(at, 0, slash);
	}
	*repo = at.n ? at : STR("/");
	*inside = arena_str(a, str_trim(str_sub(str_from(cwd), at.n + 1, SIZE_MAX)));
	return NULL;
}

static struct err *locate(struct arena *a, const struct args *args, str *repo, str *path)
{
	str given = str_from(args->path ? args->path : "."), inside = STR_NONE;

	if (args->repo) {
		*repo = str_from(args->repo);
		return tree_clean(a, given, path);
	}
	TRY(around(a, repo, &inside));
	return tree_clean(a,
			  arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(inside),
				       inside.n ? "/" : "", STR_ARG(given)),
			  path);
}

static void print_warnings(const struct render_result *r)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < r->warnings.n; i++) {
		const struct render_warning *w = &r->warnings.p[i];

		if (w->at.in)
			buf_printf(&b, STR_FMT ":%u:%u: ", STR_ARG(w->at.in->name), w->at.line,
				   w->at.col);
		buf_printf(&b, "warning: " STR_FMT "\n", STR_ARG(w->text));
	}
	if (b.n)
		fputs(b.p, stderr);
}

static struct err *write_out(str bytes, const char *output)
{
	if (output)
		return file_write_atomic(output, bytes, 0644);
	return role_print(bytes);
}

static struct err *open_rev(const struct args *args, str repo, struct git_store **s,
			    struct tree **t)
{
	git_id id;

	git_setup();
	TRY(git_store_open(repo.p, s));
	TRY(git_resolve(*s, args->rev, &id));
	return git_tree_open(*s, id, t);
}

int render_by_hand(int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(git_store) struct git_store *s = NULL;
	CLEANUP(buf) struct buf out = BUF_INIT;
	CLEANUP(tree) struct tree *t = NULL;
	struct render_result result = {0};
	struct args args = {0};
	str repo = STR_NONE, path = STR_NONE;
	struct err *e = read_args(argc, argv, &args);

	if (!e && args.help) {
		fputs(usage, stdout);
		return 0;
	}
	if (!e)
		e = locate(a, &args, &repo, &path);
	if (!e)
		e = open_rev(&args, repo, &s, &t);
	if (e)
		return role_fail(e, 0);
	e = render_build(a, t, path, &args.opts, &result);
	print_warnings(&result);
	if (e)
		return role_fail(e, err_code(e) == ERR_IO ? 2 : 4);
	render_print(a, &result, &out);
	e = write_out(buf_view(&out), args.output);
	return e ? role_fail(e, 0) : 0;
}
