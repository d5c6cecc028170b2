/* web: both doors open and close. */
#include "web_priv.h"
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128

static bool is_loopback(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET6) {
		static const uint8_t one[16] = {[15] = 1};

		return !memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr, one, 16);
	}
	return a->ss_family == AF_INET &&
	       ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
}

static struct err *listen_tcp(struct web *w, str listen_at, int *ret)
{
	CLEANUP(fd) int fd = -1;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
	struct sockaddr_storage bound = {0};
	socklen_t n = sizeof(bound);
	size_t colon = str_rchr(listen_at, ':');
	str host = str_sub(listen_at, 0, colon == SIZE_MAX ? 0 : colon);
	str port = colon == SIZE_MAX ? STR("") : str_sub(listen_at, colon + 1, SIZE_MAX);
	char number[8];
	int on = 1, rc;

	if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
		host = str_sub(host, 1, host.n - 2);
	rc = getaddrinfo(arena_str(w->arena, host).p, arena_str(w->arena, port).p, &hints, &found);
	if (rc)
		return err_new(ERR_INVALID, "http.listen '" STR_FMT "': %s", STR_ARG(listen_at),
			       gai_strerror(rc));
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = 0;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &n) < 0)
		rc = errno;
	freeaddrinfo(found);
	if (rc)
		return err_sys(ERR_IO, rc, "listen at '" STR_FMT "'", STR_ARG(listen_at));
	if (getnameinfo((struct sockaddr *)&bound, n, NULL, 0, number, sizeof(number),
			NI_NUMERICSERV) != 0)
		return err_new(ERR_INTERNAL, "the port of '" STR_FMT "' has no name",
			       STR_ARG(listen_at));
	w->loopback = is_loopback(&bound);
	w->address = arena_printf(w->arena, STR_FMT ":%s", STR_ARG(str_sub(listen_at, 0, colon)),
				  number);
	*ret = fd;
	fd = -1;
	return NULL;
}

static struct err *read_token(struct web *w, const struct config_ref *ref)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (ref->kind == REF_NONE)
		return NULL;
	TRY(config_ref_read(ref, "http.readToken", NULL, &b));
	if (!b.n)
		return err_new(ERR_INVALID, "http.readToken is empty");
	w->token = hash_sha256(buf_view(&b));
	w->has_token = true;
	mem_wipe(b.p, b.n);
	return NULL;
}

static struct err *open_remote(struct web *w, const struct daemon_doc *d)
{
	CLEANUP(buf) struct buf cert = BUF_INIT, key = BUF_INIT;
	struct web_tls tls = {NULL, NULL};
	struct err *e;
	int fd = -1;

	TRY(read_token(w, &d->http_read_token));
	if (d->http_cert.kind != REF_NONE) {
		TRY(config_ref_read(&d->http_cert, "http.tls.cert", NULL, &cert));
		TRY(config_ref_read(&d->http_key, "http.tls.key", NULL, &key));
		tls.cert = buf_view(&cert).p;
		tls.key = buf_view(&key).p;
	}
	TRY(listen_tcp(w, d->http_listen, &fd));
	if (!w->has_token && !w->loopback) {
		close(fd);
		return err_new(ERR_INVALID, "'" STR_FMT "' without readToken",
			       STR_ARG(d->http_listen));
	}
	e = web_door_open(w, fd, false, &tls, &w->remote);
	if (key.p)
		mem_wipe(key.p, key.n);
	return e;
}

struct err *web_start(const struct web_env *env, struct web **ret)
{
	CLEANUP(web) struct web *w = xcalloc(1, sizeof(*w));
	struct web_tls plain = {NULL, NULL};

	w->env = *env;
	w->arena = arena_new();
	w->socket.fd = -1;
	TRY(web_socket_open(w->arena, env->daemon, env->socket, &w->socket));
	TRY(web_door_open(w, w->socket.fd, true, &plain, &w->local));
	if (env->daemon->http_listen.n)
		TRY(open_remote(w, env->daemon));
	w->env.daemon = NULL;
	*ret = STEAL(w);
	return NULL;
}

void web_stop(struct web *w)
{
	if (!w)
		return;
	w->stopping = true;
	for (struct request *r = w->requests; r; r = r->next) {
		if (r->stream) {
			stream_end(r->stream);
		} else if (r->suspended) {
			sync_unask(STEAL(r->asked));
			request_fail(r, 503, "Unreachable", "the daemon stops");
			request_wake(r);
		}
	}
	web_door_close(w->local);
	web_door_close(w->remote);
	web_socket_close(&w->socket);
	arena_free(w->arena);
	free(w);
}

str web_socket(const struct web *w)
{
	return w->socket.path;
}

str web_address(const struct web *w)
{
	return w->address;
}
