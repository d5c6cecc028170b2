/* help.c: `leeboard help`, `completion`, `version`: what the table of verbs says. */
#include "leeboard/cli.h"

int cli_help(int argc, char **argv)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	const struct verb *v = NULL;

	if (argc > 2)
		return cli_fail(err_new(ERR_USAGE, "'%s' is one word too many", argv[2]), 0);
	if (argc == 2 && strcmp(argv[1], "-h") != 0 && strcmp(argv[1], "--help") != 0) {
		v = verb_find(str_from(argv[1]));
		if (!v)
			return cli_fail(verb_unknown(str_from(argv[1])), 0);
	}
	if (v)
		verb_usage(v, &b);
	else
		verb_list(&b);
	fputs(b.p, stdout);
	return 0;
}

int cli_completion(int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct verb_words w;
	int status;

	if (!cli_read(a, argc, argv, &w, &status))
		return status;
	if (!verb_completion(w.operands[0], &b))
		return cli_fail(err_hint(err_new(ERR_USAGE, "no completion for '" STR_FMT "'",
						 STR_ARG(w.operands[0])),
					 "there are bash, zsh and fish"),
				0);
	fputs(b.p, stdout);
	return 0;
}

int cli_version(int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct verb_words w;
	int status;

	if (!cli_read(a, argc, argv, &w, &status))
		return status;
	if (verb_has(&w, "--server"))
		return cli_start(VERB_CLIENT, argc, argv);
	if (str_eq(verb_value(&w, "--output"), STR("json")))
		puts("{\"apiVersion\":\"leeboard.dev/"
		     "v1\",\"kind\":\"Version\",\"version\":\"" LEEBOARD_VERSION "\"}");
	else
		puts("leeboard " LEEBOARD_VERSION);
	return 0;
}
