/* main_client.c: leeboard-client VERB ...: what `leeboard` starts for verbs that ask a daemon. */
#include "leeboard/client.h"
#include <signal.h>

int main(int argc, char **argv)
{
	hash_init();
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		fputs("usage: leeboard-client VERB ...  (started by 'leeboard VERB ...')\n",
		      stderr);
		return 2;
	}
	return client_run(argc - 1, argv + 1);
}
