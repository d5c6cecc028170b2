/* Where the programs of the roles are: beside this one in a build, in libexec when installed. */
#include "leeboard/worker.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

struct err *worker_program(struct arena *a, const char *name, str *ret)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self);
	str folder, beside, libexec;
	size_t slash;

	if (n < 0 || (size_t)n == sizeof self)
		return err_sys(ERR_IO, n < 0 ? errno : ENAMETOOLONG, "find this program");
	folder = str_n(self, (size_t)n);
	slash = str_rchr(folder, '/');
	folder = str_sub(folder, 0, slash == SIZE_MAX ? 0 : slash);
	beside = arena_printf(a, STR_FMT "/%s", STR_ARG(folder), name);
	libexec = arena_printf(a, STR_FMT "/../libexec/leeboard/%s", STR_ARG(folder), name);
	if (access(beside.p, X_OK) == 0)
		*ret = beside;
	else if (access(libexec.p, X_OK) == 0)
		*ret = libexec;
	else
		return err_new(ERR_NOT_FOUND,
			       "program '%s' is neither beside '" STR_FMT
			       "' nor in ../libexec/leeboard",
			       name, (int)n, self);
	return NULL;
}
