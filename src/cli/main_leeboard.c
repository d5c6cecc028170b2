/* main_leeboard.c: the command for people. Verbs are rows of a table; the ones that need a daemon
 * or a heavy library live in programs of their own. */
#include "leeboard/cli.h"

static int cmd_version(int argc, char **argv);
static int cmd_help(int argc, char **argv);

static const struct verb {
	const char *name, *what;
	int (*run)(int argc, char **argv); /* argv[0] is the verb; returns the exit status */
} verbs[] = {
	{"render", "print the objects of a folder, as kustomize build does", cli_render},
	{"check", "say every mistake of some documents at once", cli_check},
	{"explain", "what a kind or a field of a document means", cli_explain},
	{"help", "say what there is", cmd_help},
	{"version", "print the version", cmd_version},
};

static int cmd_version(int argc UNUSED, char **argv UNUSED)
{
	puts("leeboard " LEEBOARD_VERSION);
	return 0;
}

static int cmd_help(int argc UNUSED, char **argv UNUSED)
{
	puts("usage: leeboard VERB ...\n");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		printf("  %-10s %s\n", verbs[i].name, verbs[i].what);
	puts("\nleeboard VERB -h says more about one.");
	return 0;
}

static int unknown_verb(const char *word)
{
	str names[ARRAY_LEN(verbs)];
	CLEANUP(buf) struct buf shown = BUF_INIT;
	struct err *e;
	str near;

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		names[i] = str_from(verbs[i].name);
	near = str_nearest(str_from(word), names, ARRAY_LEN(verbs));
	buf_escaped(&shown, str_from(word));
	e = err_new(ERR_USAGE, "unknown verb '%s'", shown.p ? shown.p : "");
	e = near.n ? err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near))
		   : err_hint(e, "leeboard help lists them");
	return cli_fail(e, 0);
}

int main(int argc, char **argv)
{
	hash_init();
	if (argc < 2) {
		cmd_help(argc, argv);
		return 2;
	}
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))
		return cmd_help(argc, argv);
	if (!strcmp(argv[1], "--version"))
		return cmd_version(argc, argv);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	return unknown_verb(argv[1]);
}
