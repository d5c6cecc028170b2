/* door: libmicrohttpd on our loop. Its epoll descriptor is watched, it says when it wants to run
 * again, and a clock of our own ends connections whose request does not arrive whole in time: its
 * own clock starts anew with each byte. */
#include "web_priv.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_SECONDS 30u

struct web_door {
	struct web *web;
	struct MHD_Daemon *mhd;
	struct watch_fd *watch;
	struct timer *again;
	bool local, running;
	bool room; /* a connection ended in this run */
};
struct peer { /* one connection */
	struct web_door *door;
	struct timer *late;
	int fd;
};

bool web_door_local(const struct web_door *d)
{
	return d->local;
}

static void run(struct web_door *d);

static void on_again(void *arg)
{
	struct web_door *d = arg;

	d->again = NULL;
	run(d);
}

static void on_ready(void *arg, int events UNUSED)
{
	run(arg);
}

void web_door_soon(struct web_door *d)
{
	if (d->running)
		return; /* run() looks itself */
	timer_stop(d->again);
	d->again = timer_start(d->web->env.loop, 0, on_again, d);
}

static void run(struct web_door *d)
{
	MHD_UNSIGNED_LONG_LONG wait;

	d->running = true;
	d->room = false;
	MHD_run(d->mhd);
	d->running = false;
	timer_stop(STEAL(d->again));
	/* At its limit it stops listening, and listens again only when it is run after an end. */
	if (d->room)
		d->again = timer_start(d->web->env.loop, 0, on_again, d);
	else if (MHD_get_timeout(d->mhd, &wait) == MHD_YES)
		d->again = timer_start(d->web->env.loop, wait > 3600000 ? 3600000 : (msec)wait,
				       on_again, d);
}

/* ------------------------------------------------------------------ connections */

static void on_late(void *arg)
{
	struct peer *p = arg;

	p->late = NULL;
	shutdown(p->fd, SHUT_RDWR);
}

static void expect_request(struct peer *p)
{
	timer_stop(p->late);
	p->late = timer_start(p->door->web->env.loop, WEB_REQUEST_TIME, on_late, p);
}

static void on_connection(void *arg, struct MHD_Connection *c, void **of_connection,
			  enum MHD_ConnectionNotificationCode what)
{
	struct peer *p = *of_connection;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		p = xcalloc(1, sizeof(*p));
		p->door = arg;
		p->fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		*of_connection = p;
		expect_request(p);
	} else if (p) {
		p->door->room = true;
		timer_stop(p->late);
		free(p);
		*of_connection = NULL;
	}
}

static struct peer *peer_of(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* ------------------------------------------------------------------ requests */

static void *on_uri(void *arg, const char *uri, struct MHD_Connection *c)
{
	struct web_door *d = arg;

	return request_new(d, d->web, c, uri);
}

static enum MHD_Result on_step(void *arg UNUSED, struct MHD_Connection *c, const char *url UNUSED,
			       const char *method, const char *version UNUSED, const char *data,
			       size_t *n, void **con_cls)
{
	struct request *r = *con_cls;
	enum MHD_Result rc = request_step(r, method, data, n);

	if (r->whole)
		timer_stop(STEAL(peer_of(c)->late));
	return rc;
}

static void on_completed(void *arg UNUSED, struct MHD_Connection *c, void **con_cls,
			 enum MHD_RequestTerminationCode how UNUSED)
{
	struct peer *p = peer_of(c);

	request_free(*con_cls);
	*con_cls = NULL;
	if (p)
		expect_request(p);
}

/* We take the path and the query apart ourselves, from the bytes as they came. */
static size_t no_unescape(void *arg UNUSED, struct MHD_Connection *c UNUSED, char *s)
{
	return strlen(s);
}

static void no_log(void *arg UNUSED, const char *fmt UNUSED, va_list ap UNUSED)
{
}

struct err *web_door_open(struct web *w, int fd, bool local, const struct web_tls *tls,
			  struct web_door **ret)
{
	struct web_door *d = xcalloc(1, sizeof(*d));
	struct MHD_OptionItem secret[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, NULL},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, NULL},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	const union MHD_DaemonInfo *info;

	d->web = w;
	d->local = local;
	if (tls->cert) {
		flags |= MHD_USE_TLS;
		secret[0].ptr_value = (void *)(uintptr_t)tls->cert;
		secret[1].ptr_value = (void *)(uintptr_t)tls->key;
		secret[2].ptr_value =
			(void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
	} else {
		secret[0].option = MHD_OPTION_END;
	}
	d->mhd = MHD_start_daemon(
		flags, 0, NULL, NULL, on_step, d, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, on_uri, d,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, d, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, d, MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, d,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)WEB_MAX_HEAD,
		MHD_OPTION_CONNECTION_LIMIT, local ? WEB_MAX_LOCAL : WEB_MAX_REMOTE,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, local ? 0u : WEB_MAX_PER_IP,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_ARRAY, secret, MHD_OPTION_END);
	if (!d->mhd) {
		free(d);
		close(fd);
		return tls->cert ? err_hint(err_new(ERR_TLS, "cannot use http.tls of the Daemon"),
					    "cert and key must be PEM and belong together")
				 : err_new(ERR_INTERNAL, "libmicrohttpd does not start");
	}
	info = MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	d->watch = loop_fd(w->env.loop, info->epoll_fd, LOOP_READ, on_ready, d);
	*ret = d;
	return NULL;
}

/* Nobody sleeps any more: their answers go out as far as the sockets take them at once. */
void web_door_close(struct web_door *d)
{
	if (!d)
		return;
	for (int i = 0; i < 4; i++) {
		d->running = true;
		MHD_run(d->mhd);
		d->running = false;
	}
	loop_fd_stop(d->watch);
	timer_stop(d->again);
	MHD_stop_daemon(d->mhd); /* closes the descriptor that it listened at */
	free(d);
}
