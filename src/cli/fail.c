/* fail.c: how a verb ends that went wrong. */
#include "leeboard/cli.h"

int cli_fail(struct err *e, int status)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!status)
		status = err_exit_status(e);
	err_print(e, &b);
	err_free(e);
	fflush(stdout);
	fputs(b.p ? b.p : "", stderr);
	return status;
}
