/* Where the programs of the roles are: beside this one in a build, in libexec when installed. */
#include "leeboard/worker.h"

struct err *worker_program(struct arena *a, const char *name, str *ret)
{
	return place_program(a, name, ret);
}
