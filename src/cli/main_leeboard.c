/* main_leeboard.c: the command for people. Verbs are rows of a table (verb.h); the ones that need a
 * daemon or a heavy library live in programs of their own. */
#include "leeboard/cli.h"
#include <sys/stat.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} runs[] = {
	{"render", cli_render}, {"check", cli_check},     {"explain", cli_explain},
	{"graph", cli_graph},   {"init", cli_init},       {"completion", cli_completion},
	{"help", cli_help},     {"version", cli_version},
};

static bool has_word(int argc, char **argv, const char *word)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], word))
			return true;
	return false;
}

/* `verify REPO RANGE`: two words, and the first is a folder here. Else a Source of the daemon. */
static bool names_a_repository(int argc, char **argv)
{
	const char *repo = NULL;
	struct stat st;
	int words = 0;

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			continue;
		words++;
		repo = repo ? repo : argv[i];
	}
	return words > 1 && (strchr(repo, '/') || (stat(repo, &st) == 0 && S_ISDIR(st.st_mode)));
}

static int run_verb(const struct verb *v, int argc, char **argv)
{
	if (v->program == VERB_VERIFY && !names_a_repository(argc, argv))
		return cli_start(VERB_CLIENT, argc, argv);
	if (v->program != VERB_SELF)
		return cli_start(v->program, argc, argv);
	/* A revision is read from an object store: that is the render worker's library. */
	if (!strcmp(v->name, "render") &&
	    (has_word(argc, argv, "--rev") || has_word(argc, argv, "--repo")))
		return cli_start_named("leeboard-render", false, argc, argv);
	for (size_t i = 0; i < ARRAY_LEN(runs); i++)
		if (!strcmp(v->name, runs[i].name))
			return runs[i].run(argc, argv);
	return cli_fail(verb_unknown(str_from(v->name)), 0);
}

int main(int argc, char **argv)
{
	const struct verb *v;

	hash_init();
	if (argc < 2) {
		cli_help(1, argv);
		return 2;
	}
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))
		return cli_help(1, argv);
	if (!strcmp(argv[1], "--version"))
		return cli_version(1, (char *[]){(char[]){"version"}, NULL});
	v = verb_find(str_from(argv[1]));
	return v ? run_verb(v, argc - 1, argv + 1) : cli_fail(verb_unknown(str_from(argv[1])), 0);
}
