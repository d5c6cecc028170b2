/* cli: the verbs that `leeboard` does itself, and how it starts the programs that do the others.
 *
 * Each takes its words with the verb first and returns the exit status of interface.md 1: data on
 * stdout, warnings and errors on stderr, and nothing on stdout when it fails. */
#pragma once
#include "leeboard/verb.h"

int cli_render(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_graph(int argc, char **argv);
int cli_init(int argc, char **argv);
int cli_completion(int argc, char **argv);
int cli_help(int argc, char **argv);
int cli_version(int argc, char **argv);
/* The tree to read and the folder in it: below the current folder where DIR is, so that places read
 * as the person typed them; else from the root of the file system. */
struct tree;
MUST_CHECK struct err *cli_open_tree(struct arena *a, const char *dir, struct tree **tree, str *path);
/* `explain` of a reason code; false: it is none. */
bool cli_explain_reason(str code, struct buf *b);
void cli_reasons_reference(struct buf *b); /* docs/reference-reasons.md */
/* Prints e and frees it; the exit status is `status`, or the error's own when that is 0. */
int cli_fail(struct err *e, int status);
/* The words by the verb's row. False: *status is what to exit with (usage was wanted, or an error
 * was said). */
bool cli_read(struct arena *a, int argc, char **argv, struct verb_words *ret, int *status);
/* The program takes this process's place, with argv[1] and on as its words; the client's verb is one
 * of them. Returns only when it cannot be started. */
int cli_start(enum verb_program p, int argc, char **argv);
int cli_start_named(const char *program, bool verb_too, int argc, char **argv);
