/* documents.c: `leeboard check` and `leeboard explain`, the verbs about documents. */
#include "leeboard/cli.h"
#include "leeboard/config.h"

static const char check_usage[] =
	"usage: leeboard check PATH...\n"
	"\n"
	"Reads documents (files, or folders in name order) and says every mistake at once,\n"
	"with its place, then what is odd. Exit status 2 when there are mistakes.\n"
	"\n"
	"      --strict   exit status 1 when something is odd\n"
	"  -h, --help     this text\n"
	"\n"
	"example: leeboard check fleet.yaml\n";

static const char explain_usage[] =
	"usage: leeboard explain KIND[.FIELD]\n"
	"\n"
	"The reference in the terminal: what a field means, its type and its default.\n"
	"\n"
	"      --recursive   all fields below, too\n"
	"  -h, --help        this text\n"
	"\n"
	"example: leeboard explain app.prune.limit\n";

struct words {
	const char *const *paths; /* the words that are no flags */
	size_t n;
	bool flag, help;
};

/* Flags come out of the words; `flag` is the only one of the verb. */
static struct err *parse_words(struct arena *a, int argc, char **argv, const char *flag,
			       struct words *ret)
{
	const char **p = ARENA_ARRAY(a, const char *, (size_t)argc);
	bool more_flags = true;

	*ret = (struct words){.paths = p};
	for (int i = 1; i < argc; i++) {
		const char *w = argv[i];

		if (!more_flags || w[0] != '-' || !w[1])
			p[ret->n++] = w;
		else if (!strcmp(w, "--"))
			more_flags = false;
		else if (!strcmp(w, flag))
			ret->flag = true;
		else if (!strcmp(w, "-h") || !strcmp(w, "--help"))
			ret->help = true;
		else
			return err_hint(err_new(ERR_USAGE, "unknown flag '%s'", w),
					"leeboard %s -h lists them", argv[0]);
	}
	return NULL;
}

int cli_check(int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf out = BUF_INIT;
	struct config_tally t = {0, 0, 0, 0};
	struct words w;
	struct err *e = parse_words(a, argc, argv, "--strict", &w);

	if (e)
		return cli_fail(e, 0);
	if (w.help) {
		fputs(check_usage, stdout);
		return 0;
	}
	if (!w.n)
		return cli_fail(err_hint(err_new(ERR_USAGE, "no documents named"),
					 "leeboard check FILE-OR-FOLDER"),
				0);
	e = config_check(w.paths, w.n, NULL, &t, &out);
	if (e) {
		int status = cli_fail(e, 2);

		fputs(out.p ? out.p : "", stderr);
		return status;
	}
	fputs(out.p ? out.p : "", stdout);
	return w.flag && t.warnings ? 1 : 0;
}

int cli_explain(int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf out = BUF_INIT;
	struct words w;
	struct err *e = parse_words(a, argc, argv, "--recursive", &w);

	if (e)
		return cli_fail(e, 0);
	if (w.help) {
		fputs(explain_usage, stdout);
		return 0;
	}
	if (w.n != 1)
		return cli_fail(err_hint(err_new(ERR_USAGE, "one kind or field, please"),
					 "leeboard explain app.prune"),
				0);
	e = config_explain(str_from(w.paths[0]), w.flag, &out);
	if (e)
		return cli_fail(e, 0);
	fputs(out.p ? out.p : "", stdout);
	return 0;
}
