/* documents.c: `leeboard check` and `leeboard explain`, the verbs about documents. */
#include "leeboard/cli.h"
#include "leeboard/config.h"

int cli_check(int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf out = BUF_INIT;
	struct config_tally t = {0, 0, 0, 0};
	struct verb_words w;
	const char **paths;
	struct err *e;
	int status;

	if (!cli_read(a, argc, argv, &w, &status))
		return status;
	paths = ARENA_ARRAY(a, const char *, w.n);
	for (size_t i = 0; i < w.n; i++)
		paths[i] = w.operands[i].p;
	e = config_check(paths, w.n, NULL, &t, &out);
	if (e) {
		status = cli_fail(e, 2);
		fputs(out.p ? out.p : "", stderr);
		return status;
	}
	fputs(out.p ? out.p : "", stdout);
	return verb_has(&w, "--strict") && t.warnings ? 1 : 0;
}

int cli_explain(int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf out = BUF_INIT;
	struct verb_words w;
	struct err *e = NULL;
	int status;

	if (!cli_read(a, argc, argv, &w, &status))
		return status;
	if (!cli_explain_reason(w.operands[0], &out))
		e = config_explain(w.operands[0], verb_has(&w, "--recursive"), &out);
	if (e)
		return cli_fail(e, 0);
	fputs(out.p ? out.p : "", stdout);
	return 0;
}
