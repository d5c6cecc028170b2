/* Secrets and key material: what a Ref stands for, read when it is asked for. */
#include "config_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static str base_name(str path)
{
	size_t slash = str_rchr(path, '/');

	return slash == SIZE_MAX ? path : str_sub(path, slash + 1, SIZE_MAX);
}

/* Opened once, judged by what is open, read from that: nothing can be swapped in between. */
static struct err *read_private(const char *path, str shown, bool open_to_all, loc at,
				const char *what, struct buf *ret)
{
	CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return err_at(ERR_IO, at, "%s: cannot read '%s': %s", what, path, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return err_at(ERR_IO, at, "%s: '%s' is no file", what, path);
	if (!open_to_all && st.st_mode & 0007)
		return err_at(ERR_INVALID, at,
			      "'" STR_FMT "' is readable by everybody (%04o): chmod 600",
			      STR_ARG(shown), (unsigned)(st.st_mode & 07777));
	if (st.st_size > (off_t)CONFIG_MAX_REF)
		return err_at(ERR_LIMIT, at, "%s: '%s' is larger than %u bytes", what, path,
			      CONFIG_MAX_REF);
	size_t from = ret->n;

	for (;;) {
		char part[4096];
		ssize_t n = read(fd, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_at(ERR_IO, at, "%s: cannot read '%s': %s", what, path,
				      strerror(errno));
		buf_add(ret, part, (size_t)n);
		mem_wipe(part, sizeof(part));
		if (n == 0)
			break;
		if (ret->n - from > CONFIG_MAX_REF)
			return err_at(ERR_LIMIT, at, "%s: '%s' is larger than %u bytes", what, path,
				      CONFIG_MAX_REF);
	}
	return NULL;
}

struct err *config_ref_read(const struct config_ref *r, const char *what,
			    const struct config_secrets *secrets, struct buf *ret)
{
	size_t from = ret->n;
	const char *value;

	switch (r->kind) {
	case REF_NONE:
		return NULL;
	case REF_FILE:
		TRY(read_private(r->value.p, base_name(r->value), r->open, r->at, what, ret));
		break;
	case REF_ENV:
		value = getenv(r->value.p);
		if (!value)
			return err_at(ERR_INVALID, r->at, "variable '" STR_FMT "' is not set",
				      STR_ARG(r->value));
		buf_str(ret, str_from(value));
		break;
	case REF_CREDENTIAL: {
		CLEANUP(buf) struct buf path = BUF_INIT;

		value = getenv("CREDENTIALS_DIRECTORY");
		if (!value)
			return err_at(ERR_INVALID, r->at,
				      "no credential '" STR_FMT
				      "': $CREDENTIALS_DIRECTORY is not set, systemd sets it",
				      STR_ARG(r->value));
		buf_printf(&path, "%s/" STR_FMT, value, STR_ARG(r->value));
		TRY(read_private(path.p, r->value, r->open, r->at, what, ret));
		break;
	}
	case REF_EXEC:
		return err_at(ERR_NOT_SUPPORTED, r->at, "'exec' is not supported yet");
	case REF_SECRET:
		if (!secrets)
			return err_at(ERR_NOT_SUPPORTED, r->at,
				      "%s: 'secretRef' needs a cluster, and this process has none",
				      what);
		TRY(secrets->get(secrets->self, r, ret));
		break;
	}
	if (ret->n > from && ret->p[ret->n - 1] == '\n')
		ret->p[--ret->n] = 0;
	if (r->kind != REF_NONE && ret->n == from)
		return err_at(ERR_INVALID, r->at, "%s is empty", what);
	return NULL;
}
