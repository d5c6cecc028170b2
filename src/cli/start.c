/* start: words by the table, and the programs beside this one. */
#include "leeboard/cli.h"
#include <errno.h>
#include <unistd.h>

bool cli_read(struct arena *a, int argc, char **argv, struct verb_words *ret, int *status)
{
	const struct verb *v = verb_find(str_from(argv[0]));
	struct err *e = v ? verb_read(a, v, argc, argv, ret) : verb_unknown(str_from(argv[0]));
	CLEANUP(buf) struct buf b = BUF_INIT;

	*status = 0;
	if (e) {
		*status = cli_fail(e, 0);
		return false;
	}
	if (!ret->help)
		return true;
	verb_usage(v, &b);
	fputs(b.p, stdout);
	return false;
}

int cli_start_named(const char *program, bool verb_too, int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	char **words = ARENA_ARRAY(a, char *, (size_t)argc + 2);
	size_t n = 1;
	str path;
	struct err *e = place_program(a, program, &path);

	if (e)
		return cli_fail(err_wrap(e, "start what does '%s'", argv[0]), 2);
	words[0] = (char *)(uintptr_t)path.p;
	for (int i = verb_too ? 0 : 1; i < argc; i++)
		words[n++] = argv[i];
	fflush(stdout);
	execv(path.p, words);
	return cli_fail(err_sys(ERR_IO, errno, "start '" STR_FMT "'", STR_ARG(path)), 2);
}

int cli_start(enum verb_program p, int argc, char **argv)
{
	return cli_start_named(verb_program_name(p), p == VERB_CLIENT, argc, argv);
}
