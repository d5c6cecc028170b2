/* place: where a daemon's socket and our programs are found. */
#include "leeboard/base.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

str place_user_socket(struct arena *a)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	/* The specification wants relative ones ignored. */
	return dir && dir[0] == '/' ? arena_printf(a, "%s/leeboard/socket", dir) : STR_NONE;
}

struct err *place_program(struct arena *a, const char *name, str *ret)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
	str folder, beside, libexec;

	if (n < 0 || (size_t)n == sizeof(self))
		return err_sys(ERR_IO, n < 0 ? errno : ENAMETOOLONG, "find this program");
	folder = str_n(self, (size_t)n);
	folder = str_sub(folder, 0, str_rchr(folder, '/'));
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
