/* cli: the verbs that need no daemon.
 *
 * Each takes its words with the verb first and returns the exit status of interface.md 1: data on
 * stdout, warnings and errors on stderr, and nothing on stdout when it fails. */
#pragma once
#include "leeboard/base.h"

int cli_render(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_explain(int argc, char **argv);
/* Prints e and frees it; the exit status is `status`, or the error's own when that is 0. */
int cli_fail(struct err *e, int status);
