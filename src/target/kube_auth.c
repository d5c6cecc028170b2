#include "kube_auth.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define EXPIRY_MARGIN (10 * SECOND) /* a credential on its last seconds is not sent any more */

struct kube_auth {
	struct loop *loop;
	const struct kube_config *cfg;
	void (*changed)(void *arg);
	void *arg;
	struct buf token, ca, cert, key, ns;
	unsigned serial;
	msec read_at; /* monotonic; 0: not yet, or to be read again */
	/* the plugin */
	struct child *child;
	struct watch_fd *watch;
	int out;
	struct timer *limit;
	struct buf said;
	bool has_plugin_credential, exited, too_long;
	int status;
	msec expires; /* wall; 0: never */
	struct err *failed;
};

static void wipe(struct buf *b)
{
	if (b->p)
		mem_wipe(b->p, b->n);
	buf_clear(b);
}

struct kube_auth *kube_auth_new(struct loop *l, const struct kube_config *cfg,
				void (*changed)(void *arg), void *arg)
{
	struct kube_auth *a = xcalloc(1, sizeof(*a));

	a->loop = l;
	a->cfg = cfg;
	a->changed = changed;
	a->arg = arg;
	a->out = -1;
	a->serial = 1;
	return a;
}

static void plugin_end(struct kube_auth *a)
{
	if (a->watch)
		loop_fd_stop(STEAL(a->watch));
	fd_cleanup(&a->out);
	a->out = -1;
	timer_stop(STEAL(a->limit));
	wipe(&a->said);
}

void kube_auth_free(struct kube_auth *a)
{
	if (!a)
		return;
	if (a->child) {
		child_kill(a->child, SIGKILL);
		child_forget(a->child);
	}
	plugin_end(a);
	wipe(&a->token);
	wipe(&a->key);
	buf_done(&a->token);
	buf_done(&a->ca);
	buf_done(&a->cert);
	buf_done(&a->key);
	buf_done(&a->ns);
	buf_done(&a->said);
	err_free(a->failed);
	free(a);
}

/* ------------------------------------------------------------------ files */

/* `to` is replaced, and the serial moves, only when the file says something else. */
static struct err *reread(struct kube_auth *a, str path, const char *what, bool secret,
			  struct buf *to)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct err *e;

	if (!path.n)
		return NULL;
	e = file_read(path.p, KUBE_CREDENTIAL_MAX, &b);
	if (e)
		return err_wrap(e, "read the %s", what);
	str text = str_trim(buf_view(&b));

	if (!text.n)
		return err_new(ERR_INVALID, "the %s '%s' is empty", what, path.p);
	for (size_t i = 0; secret && i < text.n; i++)
		if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f)
			return err_new(ERR_INVALID, "the %s '%s' is no single word", what, path.p);
	if (!str_eq(text, buf_view(to))) {
		wipe(to);
		buf_str(to, text);
		a->serial++;
	}
	wipe(&b);
	return NULL;
}

static struct err *files(struct kube_auth *a)
{
	const struct kube_config *c = a->cfg;

	if (a->read_at && clock_now(a->loop) - a->read_at < KUBE_AUTH_REREAD)
		return NULL;
	TRY(reread(a, c->ca_file, "trusted certificate", false, &a->ca));
	TRY(reread(a, c->cert_file, "client certificate", false, &a->cert));
	TRY(reread(a, c->key_file, "client key", false, &a->key));
	TRY(reread(a, c->token_file, "token file", true, &a->token));
	a->read_at = clock_now(a->loop);
	return NULL;
}

str kube_auth_namespace(struct kube_auth *a)
{
	if (!a->cfg->ns_file.n)
		return a->cfg->ns;
	err_free(reread(a, a->cfg->ns_file, "namespace", true, &a->ns));
	return buf_view(&a->ns);
}

/* ------------------------------------------------------------------ the plugin */

static struct err *from_base64_or_pem(str text, struct buf *to)
{
	if (text.n && !str_contains(text, STR("-----BEGIN ")))
		return err_new(ERR_INVALID, "its certificate or key is no PEM");
	wipe(to);
	buf_str(to, text);
	return NULL;
}

static struct err *take_credential(struct kube_auth *a, str said)
{
	CLEANUP(arena) struct arena *m = arena_new();
	struct text *in = ARENA_NEW(m, struct text);
	const struct node *root = NULL, *status;
	str token, expires;

	*in = (struct text){STR("its output"), said};
	TRY(node_read_json(m, in, &root));
	status = node_get(root, STR("status"));
	if (!str_eq(node_get_text(root, STR("kind")), STR("ExecCredential")) || !status)
		return err_new(ERR_INVALID, "it printed no ExecCredential with a status");
	token = node_get_text(status, STR("token"));
	for (size_t i = 0; i < token.n; i++)
		if ((unsigned char)token.p[i] <= ' ' || token.p[i] == 0x7f)
			return err_new(ERR_INVALID, "its token is no single word");
	TRY(from_base64_or_pem(node_get_text(status, STR("clientCertificateData")), &a->cert));
	TRY(from_base64_or_pem(node_get_text(status, STR("clientKeyData")), &a->key));
	if (!a->cert.n != !a->key.n)
		return err_new(ERR_INVALID, "it gave a certificate without key, or a key alone");
	if (!token.n && !a->cert.n)
		return err_new(ERR_INVALID, "it gave neither a token nor a certificate");
	wipe(&a->token);
	buf_str(&a->token, token);
	a->expires = 0;
	expires = node_get_text(status, STR("expirationTimestamp"));
	if (expires.n && !time_parse(expires, &a->expires))
		return err_new(ERR_INVALID, "its expirationTimestamp is no time");
	a->has_plugin_credential = true;
	a->serial++;
	return NULL;
}

static struct err *plugin_result(struct kube_auth *a)
{
	if (a->too_long)
		return err_new(ERR_TIMEOUT, "it took longer than %lld s",
			       (long long)(KUBE_EXEC_LIMIT / SECOND));
	if (a->said.n > KUBE_EXEC_OUTPUT)
		return err_new(ERR_LIMIT, "it printed more than %u bytes", KUBE_EXEC_OUTPUT);
	if (a->status)
		return err_new(ERR_INVALID, "it ended with status %d", a->status);
	return take_credential(a, buf_view(&a->said));
}

/* Both ends were seen: the program's, and that of its output. */
static void maybe_done(struct kube_auth *a)
{
	struct err *e;

	if (!a->exited || a->out >= 0)
		return;
	a->exited = false;
	e = plugin_result(a);
	plugin_end(a);
	if (e)
		a->failed = err_at(ERR_TARGET_UNREACHABLE, a->cfg->exec->at,
				   "credential plugin '" STR_FMT "': " STR_FMT,
				   STR_ARG(a->cfg->exec->command), STR_ARG(err_message(e)));
	err_free(e);
	a->changed(a->arg);
}

static void plugin_exited(void *arg, int status, int signo)
{
	struct kube_auth *a = arg;

	a->child = NULL;
	a->exited = true;
	a->status = signo ? 128 + signo : status;
	maybe_done(a);
}

static void plugin_said(void *arg, int events UNUSED)
{
	struct kube_auth *a = arg;
	char part[4096];
	ssize_t n = read(a->out, part, sizeof(part));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0 && a->said.n <= KUBE_EXEC_OUTPUT) {
		buf_add(&a->said, part, (size_t)n);
		mem_wipe(part, (size_t)n);
		return;
	}
	loop_fd_stop(STEAL(a->watch));
	fd_cleanup(&a->out);
	a->out = -1;
	if (n > 0 && a->child)
		child_kill(a->child, SIGKILL);
	maybe_done(a);
}

static void plugin_too_long(void *arg)
{
	struct kube_auth *a = arg;

	a->limit = NULL;
	a->too_long = true;
	if (a->child)
		child_kill(a->child, SIGKILL);
	if (a->watch) /* a grandchild may hold the pipe */
		loop_fd_stop(STEAL(a->watch));
	fd_cleanup(&a->out);
	a->out = -1;
	maybe_done(a);
}

static void exec_info(const struct kube_auth *a, struct buf *b)
{
	const struct kube_config *c = a->cfg;

	buf_str(b, STR("KUBERNETES_EXEC_INFO={\"kind\":\"ExecCredential\",\"apiVersion\":"));
	buf_json(b, c->exec->api_version);
	buf_str(b, STR(",\"spec\":{\"interactive\":false"));
	if (c->exec->cluster_info) {
		buf_str(b, STR(",\"cluster\":{\"server\":"));
		buf_json(b, c->server);
		if (c->server_name.n) {
			buf_str(b, STR(",\"tls-server-name\":"));
			buf_json(b, c->server_name);
		}
		str ca = c->ca_file.n ? buf_view(&a->ca) : c->ca_pem;

		if (ca.n) {
			buf_str(b, STR(",\"certificate-authority-data\":\""));
			buf_base64(b, ca.p, ca.n);
			buf_char(b, '"');
		}
		buf_char(b, '}');
	}
	buf_str(b, STR("}}"));
}

static struct err *plugin_start(struct kube_auth *a)
{
	static const char *const passed[] = {"PATH", "HOME", "USER", "LANG", "TMPDIR"};
	const struct kube_exec *x = a->cfg->exec;
	CLEANUP(buf) struct buf info = BUF_INIT;
	CLEANUP(arena) struct arena *m = arena_new();
	const char *env[KUBE_EXEC_WORDS + ARRAY_LEN(passed) + 2];
	struct child_spec spec = {.argv = x->argv, .env = env, .fd3 = -1, .err = 2};
	size_t n = 0;
	int ends[2];

	exec_info(a, &info);
	env[n++] = info.p;
	for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
		const char *v = getenv(passed[i]);

		if (v)
			env[n++] = arena_printf(m, "%s=%s", passed[i], v).p;
	}
	for (size_t i = 0; x->env[i]; i++)
		env[n++] = x->env[i];
	env[n] = NULL;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(ERR_IO, errno, "start '" STR_FMT "'", STR_ARG(x->command));
	CLEANUP(fd) int to = ends[1];

	(void)fcntl(to, F_SETFL, 0); /* the program's end blocks, as it expects */
	a->out = ends[0];
	spec.out = to;
	a->exited = a->too_long = false;
	TRY(child_start(a->loop, &spec, plugin_exited, a, &a->child));
	a->watch = loop_fd(a->loop, a->out, LOOP_READ, plugin_said, a);
	a->limit = timer_start(a->loop, KUBE_EXEC_LIMIT, plugin_too_long, a);
	return NULL;
}

/* ------------------------------------------------------------------ outside */

bool kube_auth_now(struct kube_auth *a, struct kube_credential *ret, struct err **e)
{
	const struct kube_config *c = a->cfg;

	*e = a->child || a->out >= 0 ? NULL : files(a);
	if (*e)
		return false;
	if (c->exec) {
		if (a->child || a->out >= 0)
			return false;
		if (a->failed) {
			*e = STEAL(a->failed);
			return false;
		}
		if (!a->has_plugin_credential ||
		    (a->expires && a->expires - EXPIRY_MARGIN < clock_wall(a->loop))) {
			a->has_plugin_credential = false;
			*e = plugin_start(a);
			if (*e)
				plugin_end(a);
			return false;
		}
	}
	*ret = (struct kube_credential){
		.token = a->token.n ? buf_view(&a->token) : c->token,
		.ca_pem = a->ca.n ? buf_view(&a->ca) : c->ca_pem,
		.cert_pem = a->cert.n ? buf_view(&a->cert) : c->cert_pem,
		.key_pem = a->key.n ? buf_view(&a->key) : c->key_pem,
		.serial = a->serial,
	};
	return true;
}

bool kube_auth_refused(struct kube_auth *a, unsigned serial)
{
	const struct kube_config *c = a->cfg;

	if (!c->exec && !c->token_file.n && !c->cert_file.n && !c->key_file.n)
		return false;
	if (a->serial == serial) {
		a->read_at = 0;
		a->has_plugin_credential = false;
	}
	return true;
}
