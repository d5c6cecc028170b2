/* render.c: `leeboard render DIR`. */
#include "leeboard/render.h"
#include "leeboard/cli.h"
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
	"usage: leeboard render [DIR]\n"
	"\n"
	"Prints the objects of a folder as kustomize build does.\n"
	"\n"
	"  -o, --output FILE|FOLDER         write to FILE, whole or not at all; or a file an "
	"object\n"
	"                                   into a FOLDER that is there, named as kustomize does\n"
	"      --trace                      instead: each field of each object, its value, and "
	"the\n"
	"                                   line that set it\n"
	"      --load-restrictor RULE       LoadRestrictionsRootOnly (default): files lie in or "
	"below\n"
	"                                   the folder that names them; LoadRestrictionsNone\n"
	"      --reorder ORDER              legacy (default) or none\n"
	"      --enable-managedby-label     label objects app.kubernetes.io/managed-by\n"
	"      --plain                      a folder without a kustomization.yaml is read as the\n"
	"                                   manifests in it and below, as an App reads it\n"
	"  -h, --help                       this text\n"
	"\n"
	"example: leeboard render overlays/prod\n";

#define TRACE_PATH 60 /* longer paths do not widen their column */

struct args {
	const char *dir, *output;
	struct render_opts opts;
	bool help, trace;
};

/* The value of "--name=value" or "--name value"; NULL: not this flag. *e: no value. */
static const char *flag_value(int argc, char **argv, int *i, const char *name, struct err **e)
{
	size_t n = strlen(name);

	if (strncmp(argv[*i], name, n) != 0)
		return NULL;
	if (argv[*i][n] == '=' && name[1] == '-')
		return argv[*i] + n + 1;
	if (argv[*i][n])
		return NULL;
	if (*i + 1 < argc)
		return argv[++*i];
	err_free(*e);
	*e = err_new(ERR_USAGE, "'%s' needs a value", name);
	return NULL;
}

static struct err *set_restrictor(const char *v, bool *lax)
{
	*lax = !strcmp(v, "LoadRestrictionsNone");
	if (*lax || !strcmp(v, "LoadRestrictionsRootOnly"))
		return NULL;
	return err_new(ERR_USAGE,
		       "'--load-restrictor' is LoadRestrictionsRootOnly or LoadRestrictionsNone");
}

static struct err *set_order(const char *v, enum render_order *ret)
{
	*ret = !strcmp(v, "none") ? RENDER_ORDER_NONE : RENDER_ORDER_LEGACY;
	if (*ret == RENDER_ORDER_NONE || !strcmp(v, "legacy"))
		return NULL;
	return err_new(ERR_USAGE, "'--reorder' is legacy or none");
}

static struct err *read_args(int argc, char **argv, struct args *ret)
{
	bool only_words = false;

	for (int i = 1; i < argc; i++) {
		struct err *e = NULL;
		const char *v;

		if (only_words || argv[i][0] != '-' || !argv[i][1]) {
			if (ret->dir)
				return err_new(ERR_USAGE, "render takes one folder");
			ret->dir = argv[i];
		} else if (!strcmp(argv[i], "--")) {
			only_words = true;
		} else if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help")) {
			ret->help = true;
		} else if (!strcmp(argv[i], "--trace")) {
			ret->trace = true;
		} else if (!strcmp(argv[i], "--enable-managedby-label")) {
			ret->opts.managed_by = true;
		} else if (!strcmp(argv[i], "--plain")) {
			ret->opts.plain.never = false;
		} else if ((v = flag_value(argc, argv, &i, "--load-restrictor", &e)) && !e) {
			TRY(set_restrictor(v, &ret->opts.lax));
		} else if (!e && (v = flag_value(argc, argv, &i, "--reorder", &e)) && !e) {
			TRY(set_order(v, &ret->opts.order));
		} else if (!e && (((v = flag_value(argc, argv, &i, "--output", &e)) && !e) ||
				  (!e && (v = flag_value(argc, argv, &i, "-o", &e)) && !e))) {
			ret->output = v;
		} else {
			return e ? e
				 : err_hint(err_new(ERR_USAGE, "unknown flag '%s'", argv[i]),
					    "leeboard render -h lists them");
		}
	}
	if (!ret->dir)
		ret->dir = ".";
	return NULL;
}

/* The tree to read and the folder in it: below the current folder where DIR is, so that places
 * read as the person typed them; else from the root of the file system. */
struct err *cli_open_tree(struct arena *a, const char *dir, struct tree **tree, str *path)
{
	char real[PATH_MAX], cwd[PATH_MAX];
	str r, c;

	if (!realpath(dir, real))
		return err_sys(ERR_NOT_FOUND, errno, "open folder '%s'", dir);
	if (!getcwd(cwd, sizeof(cwd)))
		return err_sys(ERR_IO, errno, "find the current folder");
	r = str_from(real);
	c = str_from(cwd);
	if (tree_below(c, r) && c.n > 1) {
		*path = arena_str(a, str_sub(r, r.n == c.n ? c.n : c.n + 1, SIZE_MAX));
		return tree_dir(".", true, tree);
	}
	*path = arena_str(a, str_sub(r, 1, SIZE_MAX));
	return tree_dir("/", true, tree);
}

static void print_warnings(const struct render_result *r)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < r->warnings.n; i++) {
		const struct render_warning *w = &r->warnings.p[i];

		if (w->at.in)
			buf_printf(&b, STR_FMT ":%u:%u: ", STR_ARG(w->at.in->name), w->at.line,
				   w->at.col);
		buf_str(&b, STR("warning: "));
		buf_str(&b, w->text);
		buf_char(&b, '\n');
	}
	if (b.n)
		fputs(b.p, stderr);
}

static struct err *write_out(str bytes, const char *output)
{
	if (output)
		return file_write_atomic(output, bytes, 0644);
	if (fwrite(bytes.p, 1, bytes.n, stdout) != bytes.n || fflush(stdout))
		return err_sys(ERR_IO, errno, "write");
	return NULL;
}

static bool is_folder(const char *path)
{
	struct stat s;

	return !stat(path, &s) && S_ISDIR(s.st_mode);
}

static struct err *write_each(struct arena *a, const struct render_result *r, const char *folder)
{
	str *names = ARENA_ARRAY(a, str, r->n);

	render_file_names(a, r, names);
	for (size_t i = 0; i < r->n; i++)
		if (str_chr(names[i], '/') != SIZE_MAX)
			return err_at(ERR_INVALID, r->p[i].at,
				      "no file can be named '" STR_FMT "': write to one file",
				      STR_ARG(names[i]));
	for (size_t i = 0; i < r->n; i++) {
		struct render_result one = {.p = &r->p[i], .n = 1};
		CLEANUP(buf) struct buf b = BUF_INIT;

		render_print(a, &one, &b);
		TRY(file_write_atomic(arena_printf(a, "%s/" STR_FMT, folder, STR_ARG(names[i])).p,
				      buf_view(&b), 0644));
	}
	return NULL;
}

static bool is_secret_value(obj_id id, str path)
{
	return obj_is_secret(id) &&
	       (str_starts(path, STR(".data")) || str_starts(path, STR(".stringData")));
}

/* One object and its fields, paths and values in columns. */
static void trace_object(struct arena *a, const struct render_object *o, struct buf *b)
{
	struct render_origins v;
	struct object obj;
	struct err *e = obj_from_node(a, o->root, &obj);
	size_t wide = 0;

	if (e) { /* no identity of ours: kinds without apiVersion render too */
		err_free(e);
		obj = (struct object){.id.kind = node_get_text(o->root, STR("kind"))};
	}
	render_origins(a, o, false, &v);
	buf_escaped(b, obj_id_label(a, obj.id));
	buf_char(b, '\n');
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i].path.n > wide && v.p[i].path.n <= TRACE_PATH)
			wide = v.p[i].path.n;
	for (size_t i = 0; i < v.n; i++) {
		CLEANUP(buf) struct buf value = BUF_INIT;
		loc at = v.p[i].at;

		if (is_secret_value(obj.id, v.p[i].path))
			buf_str(&value, STR("<redacted>"));
		else
			node_brief(v.p[i].value, 40, &value);
		buf_str(b, STR("  "));
		buf_escaped(b, v.p[i].path);
		for (size_t n = v.p[i].path.n; n < wide + 2; n++)
			buf_char(b, ' ');
		buf_escaped(b, buf_view(&value));
		buf_str(b, STR("  "));
		buf_escaped(b, at.in ? at.in->name : STR("?"));
		buf_printf(b, ":%u\n", at.line);
	}
}

static void print_trace(struct arena *a, const struct render_result *r, struct buf *b)
{
	for (size_t i = 0; i < r->n; i++)
		trace_object(a, &r->p[i], b);
}

int cli_render(int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf out = BUF_INIT;
	struct tree *t = NULL;
	struct args args = {.opts = {.plain = {.never = true}}};
	struct render_result result = {0};
	struct err *e;
	str path = STR_NONE;

	e = read_args(argc, argv, &args);
	if (e)
		return cli_fail(e, 0);
	if (args.help) {
		fputs(usage, stdout);
		return 0;
	}
	e = cli_open_tree(a, args.dir, &t, &path);
	if (e)
		return cli_fail(e, 0);
	e = render_build(a, t, path, &args.opts, &result);
	tree_free(t);
	print_warnings(&result);
	if (e && err_code(e) == ERR_NOT_FOUND && !err_file(e).n && args.opts.plain.never)
		e = err_hint(e, "leeboard render --plain reads plain manifests");
	if (e)
		return cli_fail(e, err_code(e) == ERR_IO ? 2 : 4);
	if (args.output && is_folder(args.output) && !args.trace) {
		e = write_each(a, &result, args.output);
		return e ? cli_fail(e, 0) : 0;
	}
	if (args.trace)
		print_trace(a, &result, &out);
	else
		render_print(a, &result, &out);
	e = write_out(buf_view(&out), args.output);
	return e ? cli_fail(e, 0) : 0;
}
