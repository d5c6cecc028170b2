/* socket: the control socket's file, and what its callers may do.
 *
 * Who can connect to a socket file may write to it. So when a readGroup exists, everybody may
 * connect and the kernel's word about the peer decides; without one the file's mode keeps the rest
 * out. */
#include "web_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_GROUPS 65536u
#define BACKLOG 64

static struct err *find_group(str name, const char *field, gid_t *ret)
{
	CLEANUP(arena) struct arena *a = arena_new();
	char space[16384];
	struct group g, *found;
	uint64_t n;

	if (getgrnam_r(arena_str(a, name).p, &g, space, sizeof(space), &found) == 0 && found) {
		*ret = found->gr_gid;
		return NULL;
	}
	if (str_to_u64(name, &n) && n < UINT32_MAX) {
		*ret = (gid_t)n;
		return NULL;
	}
	return err_new(ERR_NO_REFERENCE, "no group '" STR_FMT "' (%s of the Daemon)", STR_ARG(name),
		       field);
}

static struct err *set_address(const char *path, struct sockaddr_un *ret)
{
	size_t n = strlen(path);

	if (n >= sizeof(ret->sun_path))
		return err_new(ERR_INVALID, "'%s' is too long for a socket: %zu bytes, at most %zu",
			       path, n, sizeof(ret->sun_path) - 1);
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret->sun_path, path, n);
	return NULL;
}

/* Somebody may listen there, or have listened there. */
static struct err *make_room(const char *path)
{
	CLEANUP(fd) int fd = -1;
	struct sockaddr_un a;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? NULL : err_sys(ERR_IO, errno, "look at '%s'", path);
	if (!S_ISSOCK(st.st_mode))
		return err_new(ERR_IO, "'%s' is there and is no socket", path);
	TRY(set_address(path, &a));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(ERR_IO, errno, "make a socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EAGAIN)
		return err_hint(err_new(ERR_IO, "a daemon listens at '%s' already", path),
				"stop it, or give this one its own socket.path");
	if (errno == ECONNREFUSED || errno == ENOENT)
		return NULL; /* stale: bound over below */
	return err_sys(ERR_IO, errno, "see who listens at '%s'", path);
}

/* Bound under another name and moved into place when its rights are right, so that nobody slips in
 * before and a stale file is replaced in one step. */
static struct err *bind_at(const char *path, mode_t mode, gid_t group, bool set_group, int fd)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const char *temp = arena_printf(a, "%s.new", path).p;
	struct sockaddr_un address;
	mode_t old;
	int rc;

	TRY(set_address(temp, &address));
	if (unlink(temp) < 0 && errno != ENOENT)
		return err_sys(ERR_IO, errno, "remove '%s'", temp);
	old = umask(0177);
	rc = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	umask(old);
	if (rc)
		return err_sys(ERR_IO, rc, "listen at '%s'", path);
	if (set_group && chown(temp, (uid_t)-1, group) < 0)
		rc = errno;
	if (!rc && (chmod(temp, mode) < 0 || listen(fd, BACKLOG) < 0 || rename(temp, path) < 0))
		rc = errno;
	if (!rc)
		return NULL;
	unlink(temp);
	return err_sys(ERR_IO, rc, "listen at '%s'", path);
}

static struct err *find_path(struct arena *a, const struct daemon_doc *d, const char *given,
			     str *ret)
{
	if (given)
		*ret = arena_str(a, str_from(given));
	else if (d->socket_path.n)
		*ret = arena_str(a, d->socket_path);
	else if (geteuid() == 0)
		*ret = STR(PLACE_SYSTEM_SOCKET);
	else
		*ret = place_user_socket(a);
	if (ret->n)
		return NULL;
	return err_hint(err_new(ERR_INVALID, "no folder for the control socket"),
			"set XDG_RUNTIME_DIR, or socket.path in the Daemon document");
}

struct err *web_socket_open(struct arena *a, const struct daemon_doc *d, const char *path,
			    struct web_socket *ret)
{
	CLEANUP(fd) int fd = -1;
	struct web_socket s = {.fd = -1, .owner = geteuid(), .group = getegid()};
	mode_t mode = d->socket_mode > 0 ? (mode_t)d->socket_mode & 0777 : 0660;
	struct stat st;
	size_t slash;

	TRY(find_path(a, d, path, &s.path));
	if (d->socket_group.n)
		TRY(find_group(d->socket_group, "socket.group", &s.group));
	if (d->socket_read_group.n)
		TRY(find_group(d->socket_read_group, "socket.readGroup", &s.readers));
	s.has_readers = d->socket_read_group.n > 0;
	s.group_acts = mode & S_IWGRP;
	s.all_act = mode & S_IWOTH;
	slash = str_rchr(s.path, '/');
	if (slash != SIZE_MAX && slash)
		TRY(dir_make(arena_str(a, str_sub(s.path, 0, slash)).p, 0755));
	TRY(make_room(s.path.p));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(ERR_IO, errno, "make a socket");
	TRY(bind_at(s.path.p, s.has_readers ? mode | 0666 : mode, s.group, d->socket_group.n > 0,
		    fd));
	if (lstat(s.path.p, &st) == 0) {
		s.dev = st.st_dev;
		s.ino = st.st_ino;
	}
	s.fd = fd;
	fd = -1;
	*ret = s;
	return NULL;
}

void web_socket_close(struct web_socket *s)
{
	struct stat st;

	if (s->path.n && lstat(s->path.p, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->path.p);
	s->path = STR_NONE;
}

static bool in_group(int fd, gid_t primary, gid_t wanted)
{
	gid_t few[64], *groups = few;
	socklen_t n = sizeof(few);
	bool found = primary == wanted;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) < 0) {
		if (errno != ERANGE || n > MAX_GROUPS * sizeof(gid_t))
			return found;
		groups = xmalloc(n);
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) < 0)
			n = 0;
	}
	for (size_t i = 0; i < n / sizeof(gid_t); i++)
		found = found || groups[i] == wanted;
	if (groups != few)
		free(groups);
	return found;
}

enum web_right web_socket_peer(const struct web_socket *s, int fd, unsigned *uid)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	*uid = UINT32_MAX;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || n != sizeof(peer))
		return WEB_MAY_NOTHING;
	*uid = peer.uid;
	if (peer.uid == 0 || peer.uid == s->owner || s->all_act ||
	    (s->group_acts && in_group(fd, peer.gid, s->group)))
		return WEB_MAY_ACT;
	if (s->has_readers && in_group(fd, peer.gid, s->readers))
		return WEB_MAY_READ;
	return WEB_MAY_NOTHING;
}

str web_user_name(struct arena *a, unsigned uid)
{
	char space[16384];
	struct passwd p, *found;

	if (getpwuid_r(uid, &p, space, sizeof(space), &found) == 0 && found)
		return arena_str(a, str_from(found->pw_name));
	return arena_printf(a, "uid %u", uid);
}
