/* kubeconfig files as kubectl reads them, but for what would be unsafe: nothing is started that the
 * operator did not allow, and no server goes unverified. */
#include "kube_config.h"

#include <assert.h>

#define MOUNT_FILE(a, mount, name) arena_printf((a), STR_FMT "/" name, STR_ARG(mount))

struct reading {
	struct arena *a;
	str folder;
	const struct config_texts *allow_exec;
	struct kube_config *to;
};

/* ------------------------------------------------------------------ fields */

static struct err *want_kind(const struct node *n, str key, enum node_kind k)
{
	if (n->kind == k)
		return NULL;
	return err_at(ERR_WRONG_TYPE, n->at, "'" STR_FMT "' must be %s, not %s", STR_ARG(key),
		      node_kind_name(k), node_kind_name(n->kind));
}

/* Absent and null are the empty string. */
static struct err *text_of(struct reading *r, const struct node *map, str key, str *ret)
{
	const struct node *v = node_get(map, key);

	if (!v || v->kind == NODE_NULL)
		return NULL;
	TRY(want_kind(v, key, NODE_STRING));
	*ret = arena_str(r->a, v->text);
	return NULL;
}

static struct err *path_of(struct reading *r, const struct node *map, str key, str *ret)
{
	str path = STR_NONE;

	TRY(text_of(r, map, key, &path));
	if (!path.n)
		return NULL;
	if (!r->folder.n)
		return err_hint(
			err_at(ERR_OPERATOR_ONLY, node_get(map, key)->at,
			       "'" STR_FMT "' is a file of the daemon's machine: a "
			       "kubeconfig from a Secret names none",
			       STR_ARG(key)),
			"write '" STR_FMT "' with what is in it",
			STR_ARG(str_eq(key, STR("tokenFile"))
					? STR("token")
					: arena_printf(r->a, STR_FMT "-data", STR_ARG(key))));
	*ret = path.p[0] == '/'
		       ? path
		       : arena_printf(r->a, STR_FMT "/" STR_FMT, STR_ARG(r->folder), STR_ARG(path));
	return NULL;
}

static struct err *pem_of(struct reading *r, const struct node *map, str key, str *ret)
{
	str text = STR_NONE;
	CLEANUP(buf) struct buf b = BUF_INIT;

	TRY(text_of(r, map, key, &text));
	if (!text.n)
		return NULL;
	loc at = node_get(map, key)->at;

	if (!buf_unbase64(&b, text, true))
		return err_at(ERR_INVALID, at, "'" STR_FMT "' is not base64", STR_ARG(key));
	if (!str_contains(buf_view(&b), STR("-----BEGIN ")))
		return err_at(ERR_INVALID, at, "'" STR_FMT "' holds no PEM", STR_ARG(key));
	*ret = arena_str(r->a, buf_view(&b));
	mem_wipe(b.p, b.n);
	return NULL;
}

static struct err *texts_of(struct reading *r, const struct node *map, str key,
			    struct config_texts *ret)
{
	const struct node *v = node_get(map, key);

	if (!v || v->kind == NODE_NULL)
		return NULL;
	TRY(want_kind(v, key, NODE_LIST));
	if (v->n > KUBE_EXEC_WORDS)
		return err_at(ERR_LIMIT, v->at, "'" STR_FMT "' has more than %u entries",
			      STR_ARG(key), KUBE_EXEC_WORDS);
	for (uint32_t i = 0; i < v->n; i++) {
		TRY(want_kind(v->items[i], key, NODE_STRING));
		*ARENA_PUSH(r->a, ret) = arena_str(r->a, v->items[i]->text);
	}
	return NULL;
}

/* ------------------------------------------------------------------ named entries */

static void names_of(const struct node *list, struct buf *b)
{
	size_t n = 0;

	for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++) {
		str name = node_get_text(list->items[i], STR("name"));

		if (!name.n)
			continue;
		if (n++ == 8) {
			buf_str(b, STR(", ..."));
			break;
		}
		buf_str(b, n > 1 ? STR(", ") : STR(""));
		buf_escaped(b, name);
	}
	if (!n)
		buf_str(b, STR("none"));
}

/* {name: NAME, KEY: {...}} in the list `lists`; the first of a name counts, as for kubectl. */
static struct err *entry(const struct node *root, str lists, str key, str name, loc at,
			 const struct node **ret)
{
	const struct node *list = node_get(root, lists);
	CLEANUP(buf) struct buf has = BUF_INIT;

	for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++) {
		const struct node *e = list->items[i], *v;

		if (!str_eq(node_get_text(e, STR("name")), name))
			continue;
		v = node_get(e, key);
		if (!v)
			return err_at(ERR_MISSING, e->at, "%s '" STR_FMT "' has no '" STR_FMT "'",
				      key.p, STR_ARG(name), STR_ARG(key));
		TRY(want_kind(v, key, NODE_MAP));
		*ret = v;
		return NULL;
	}
	names_of(list, &has);
	return err_at(ERR_NO_REFERENCE, list ? list->at : at,
		      "%s '" STR_FMT "' is not in the file (it has: " STR_FMT ")", key.p,
		      STR_ARG(name), STR_ARG(buf_view(&has)));
}

static struct err *read_context(struct reading *r, const struct node *root, str wanted,
				const struct node **cluster, const struct node **user)
{
	const struct node *c = NULL;
	str cluster_name = STR_NONE, user_name = STR_NONE;
	CLEANUP(buf) struct buf has = BUF_INIT;

	r->to->context = arena_str(r->a, wanted);
	if (!wanted.n)
		TRY(text_of(r, root, STR("current-context"), &r->to->context));
	if (!r->to->context.n) {
		names_of(node_get(root, STR("contexts")), &has);
		return err_at(ERR_MISSING, root->at,
			      "the file has no 'current-context' and the target names none (it "
			      "has: " STR_FMT ")",
			      STR_ARG(buf_view(&has)));
	}
	TRY(entry(root, STR("contexts"), STR("context"), r->to->context, root->at, &c));
	assert(c); /* entry says so, or fails */
	TRY(text_of(r, c, STR("cluster"), &cluster_name));
	TRY(text_of(r, c, STR("user"), &user_name));
	TRY(text_of(r, c, STR("namespace"), &r->to->ns));
	TRY(entry(root, STR("clusters"), STR("cluster"), cluster_name, c->at, cluster));
	if (user_name.n)
		TRY(entry(root, STR("users"), STR("user"), user_name, c->at, user));
	return NULL;
}

/* ------------------------------------------------------------------ cluster */

/* "127.0.0.1.evil.test" is a name like any other. */
static bool is_loopback(str host)
{
	for (size_t i = 0; i < host.n; i++)
		if ((host.p[i] < '0' || host.p[i] > '9') && host.p[i] != '.')
			return str_eq(host, STR("localhost")) || str_eq(host, STR("[::1]"));
	return str_starts(host, STR("127."));
}

static struct err *read_server(struct reading *r, const struct node *c)
{
	const struct node *v = node_get(c, STR("server"));
	str url = STR_NONE, rest, host;
	bool plain;

	TRY(text_of(r, c, STR("server"), &url));
	if (!url.n)
		return err_at(ERR_MISSING, (v ? v : c)->at, "the cluster has no 'server'");
	plain = str_starts(url, STR("http://"));
	if (!plain && !str_starts(url, STR("https://")))
		return err_at(ERR_INVALID, v->at, "'server' must begin with https://");
	rest = str_sub(url, plain ? 7 : 8, SIZE_MAX);
	for (size_t i = 0; i < rest.n; i++)
		if ((unsigned char)rest.p[i] <= ' ' || rest.p[i] == 0x7f || rest.p[i] == '?' ||
		    rest.p[i] == '#' || rest.p[i] == '@')
			return err_at(ERR_INVALID, v->at,
				      "'server' is an address without user, query or blanks");
	host = str_sub(rest, 0, str_chr(rest, '/'));
	if (host.n && host.p[0] == '[')
		host = str_sub(host, 0, str_chr(host, ']') + 1);
	else
		host = str_sub(host, 0, str_chr(host, ':'));
	if (!host.n)
		return err_at(ERR_INVALID, v->at, "'server' has no host");
	if (plain && (!is_loopback(host) || !r->folder.n))
		return err_at(ERR_INVALID, v->at,
			      "'server' would get our credential in clear: write https://");
	while (url.n && url.p[url.n - 1] == '/')
		url.n--;
	r->to->server = arena_str(r->a, url);
	return NULL;
}

static struct err *read_cluster(struct reading *r, const struct node *c)
{
	const struct node *v = node_get(c, STR("insecure-skip-tls-verify"));

	if (v && node_bool(v, false))
		return err_hint(err_at(ERR_INVALID, v->at,
				       "'insecure-skip-tls-verify' is refused: the server is "
				       "always verified"),
				"write 'certificate-authority-data', and 'tls-server-name' when "
				"its certificate is for another name");
	v = node_get(c, STR("proxy-url"));
	if (v && node_text(v).n)
		return err_at(ERR_NOT_SUPPORTED, v->at, "'proxy-url' is not supported yet");
	TRY(read_server(r, c));
	TRY(text_of(r, c, STR("tls-server-name"), &r->to->server_name));
	TRY(pem_of(r, c, STR("certificate-authority-data"), &r->to->ca_pem));
	if (!r->to->ca_pem.n)
		TRY(path_of(r, c, STR("certificate-authority"), &r->to->ca_file));
	return NULL;
}

/* ------------------------------------------------------------------ user */

/* A bare name means the allowed program of that name: PATH is not ours to trust. */
static str allowed_program(const struct reading *r, str command)
{
	bool bare = str_chr(command, '/') == SIZE_MAX;

	for (size_t i = 0; r->allow_exec && i < r->allow_exec->n; i++) {
		str p = r->allow_exec->p[i];

		if (str_eq(p, command) ||
		    (bare && str_eq(str_sub(p, str_rchr(p, '/') + 1, SIZE_MAX), command)))
			return p;
	}
	return STR_NONE;
}

static struct err *read_env(struct reading *r, const struct node *x, struct kube_exec *e)
{
	const struct node *v = node_get(x, STR("env"));
	const char **env;

	if (v && v->kind != NODE_NULL) {
		TRY(want_kind(v, STR("env"), NODE_LIST));
		if (v->n > KUBE_EXEC_WORDS)
			return err_at(ERR_LIMIT, v->at, "'env' has more than %u entries",
				      KUBE_EXEC_WORDS);
	} else {
		v = NULL;
	}
	env = ARENA_ARRAY(r->a, const char *, (v ? v->n : 0) + 1);
	for (uint32_t i = 0; v && i < v->n; i++) {
		str name = STR_NONE, value = STR_NONE;

		TRY(want_kind(v->items[i], STR("env"), NODE_MAP));
		TRY(text_of(r, v->items[i], STR("name"), &name));
		TRY(text_of(r, v->items[i], STR("value"), &value));
		if (!name.n || str_chr(name, '=') != SIZE_MAX)
			return err_at(ERR_INVALID, v->items[i]->at,
				      "an entry of 'env' has no name of a variable");
		env[i] = arena_printf(r->a, STR_FMT "=" STR_FMT, STR_ARG(name), STR_ARG(value)).p;
	}
	e->env = env;
	return NULL;
}

static struct err *read_exec(struct reading *r, const struct node *x)
{
	struct kube_exec *e = ARENA_NEW(r->a, struct kube_exec);
	struct config_texts args = {0};
	const char **argv;
	str command = STR_NONE, hint = STR_NONE, mode = STR_NONE;

	TRY(want_kind(x, STR("exec"), NODE_MAP));
	if (!r->folder.n)
		return err_hint(err_at(ERR_OPERATOR_ONLY, x->at,
				       "'exec' starts a program of the daemon's machine: a "
				       "kubeconfig from a Secret may not"),
				"write a token or a client certificate");
	e->at = x->at;
	TRY(text_of(r, x, STR("apiVersion"), &e->api_version));
	if (!str_eq(e->api_version, STR("client.authentication.k8s.io/v1")) &&
	    !str_eq(e->api_version, STR("client.authentication.k8s.io/v1beta1")))
		return err_at(ERR_INVALID, x->at,
			      "'exec' of apiVersion '" STR_FMT
			      "' is not understood: client.authentication.k8s.io/v1 is",
			      STR_ARG(e->api_version));
	TRY(text_of(r, x, STR("command"), &command));
	TRY(text_of(r, x, STR("installHint"), &hint));
	TRY(text_of(r, x, STR("interactiveMode"), &mode));
	if (!command.n)
		return err_at(ERR_MISSING, x->at, "'exec' has no 'command'");
	if (str_eq(mode, STR("Always")))
		return err_at(ERR_INVALID, x->at,
			      "'exec' asks people (interactiveMode Always): a daemon has none");
	if (command.p[0] != '/' && str_chr(command, '/') != SIZE_MAX)
		command = arena_printf(r->a, STR_FMT "/" STR_FMT, STR_ARG(r->folder),
				       STR_ARG(command));
	e->command = allowed_program(r, command);
	if (!e->command.n)
		return err_hint(err_at(ERR_NOT_ALLOWED, node_get(x, STR("command"))->at,
				       "program '" STR_FMT "' is not in allowExec of the Daemon",
				       STR_ARG(command)),
				"list its absolute path under allowExec%s" STR_FMT,
				hint.n ? "; " : "", STR_ARG(hint));
	e->command = arena_str(r->a, e->command);
	e->cluster_info = node_bool(node_get(x, STR("provideClusterInfo")), false);
	TRY(texts_of(r, x, STR("args"), &args));
	argv = ARENA_ARRAY(r->a, const char *, args.n + 2);
	argv[0] = e->command.p;
	for (size_t i = 0; i < args.n; i++)
		argv[i + 1] = args.p[i].p;
	e->argv = argv;
	TRY(read_env(r, x, e));
	r->to->exec = e;
	return NULL;
}

/* Header names are case-insensitive and hold few bytes; the rest goes as %XX. */
static str extra_header(struct arena *a, str key)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_str(&b, STR("Impersonate-Extra-"));
	for (size_t i = 0; i < key.n; i++) {
		char c = key.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
		    c == '_')
			buf_char(&b, c);
		else
			buf_printf(&b, "%%%02X", (unsigned char)c);
	}
	return arena_str(a, buf_view(&b));
}

static struct err *header_safe(const struct node *at, str key, str v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] < ' ' || v.p[i] == 0x7f)
			return err_at(ERR_INVALID, at->at,
				      "'" STR_FMT "' has a control character in it", STR_ARG(key));
	return NULL;
}

static struct err *read_impersonation(struct reading *r, const struct node *u)
{
	const struct node *extra = node_get(u, STR("as-user-extra"));

	TRY(text_of(r, u, STR("as"), &r->to->as));
	TRY(text_of(r, u, STR("as-uid"), &r->to->as_uid));
	TRY(texts_of(r, u, STR("as-groups"), &r->to->as_groups));
	TRY(header_safe(u, STR("as"), r->to->as));
	TRY(header_safe(u, STR("as-uid"), r->to->as_uid));
	for (size_t i = 0; i < r->to->as_groups.n; i++)
		TRY(header_safe(u, STR("as-groups"), r->to->as_groups.p[i]));
	if (extra && extra->kind != NODE_NULL) {
		TRY(want_kind(extra, STR("as-user-extra"), NODE_MAP));
		for (uint32_t i = 0; i < extra->n; i++) {
			struct config_texts values = {0};

			TRY(texts_of(r, extra, extra->pairs[i].key, &values));
			for (size_t k = 0; k < values.n; k++) {
				TRY(header_safe(extra, STR("as-user-extra"), values.p[k]));
				*ARENA_PUSH(r->a, &r->to->as_extra) =
					extra_header(r->a, extra->pairs[i].key);
				*ARENA_PUSH(r->a, &r->to->as_extra) = values.p[k];
			}
		}
	}
	if (!r->to->as.n && (r->to->as_uid.n || r->to->as_groups.n || r->to->as_extra.n))
		return err_at(ERR_MISSING, u->at,
			      "'as-uid', 'as-groups' and 'as-user-extra' go "
			      "with 'as'");
	return NULL;
}

static struct err *read_user(struct reading *r, const struct node *u)
{
	struct kube_config *c = r->to;
	const struct node *v;

	c->at = u->at;
	if ((v = node_get(u, STR("auth-provider"))) && v->kind != NODE_NULL)
		return err_hint(err_at(ERR_INVALID, v->at,
				       "'auth-provider' is no more: Kubernetes 1.26 removed it"),
				"use the vendor's exec plugin, and list it in allowExec");
	if (((v = node_get(u, STR("username"))) && node_text(v).n) ||
	    ((v = node_get(u, STR("password"))) && node_text(v).n))
		return err_hint(err_at(ERR_INVALID, v->at,
				       "no API server takes a user name and password any more"),
				"use a client certificate, 'tokenFile' or an exec plugin");
	TRY(pem_of(r, u, STR("client-certificate-data"), &c->cert_pem));
	if (!c->cert_pem.n)
		TRY(path_of(r, u, STR("client-certificate"), &c->cert_file));
	TRY(pem_of(r, u, STR("client-key-data"), &c->key_pem));
	if (!c->key_pem.n)
		TRY(path_of(r, u, STR("client-key"), &c->key_file));
	if (!(c->cert_pem.n || c->cert_file.n) != !(c->key_pem.n || c->key_file.n))
		return err_at(ERR_MISSING, u->at, "a client certificate and its key go together");
	TRY(path_of(r, u, STR("tokenFile"), &c->token_file));
	TRY(text_of(r, u, STR("token"), &c->token));
	TRY(header_safe(u, STR("token"), c->token));
	v = node_get(u, STR("exec"));
	if (v && v->kind != NODE_NULL && !c->token.n && !c->token_file.n)
		TRY(read_exec(r, v));
	return read_impersonation(r, u);
}

struct err *kube_config_read(struct arena *a, const struct text *in, str folder, str context,
			     const struct config_texts *allow_exec, struct kube_config *ret)
{
	struct kube_config c = {0};
	struct reading r = {a, folder, allow_exec, &c};
	struct node_docs docs = {0};
	const struct node *root, *cluster = NULL, *user = NULL;

	TRY(node_read_yaml(a, in, &docs));
	if (docs.n != 1 || docs.p[0]->kind != NODE_MAP)
		return err_at(ERR_INVALID, (loc){in, 1, 1}, "this is no kubeconfig");
	root = docs.p[0];
	if (!str_eq(node_get_text(root, STR("kind")), STR("Config")) && node_get(root, STR("kind")))
		return err_at(ERR_INVALID, node_get(root, STR("kind"))->at,
			      "this is no kubeconfig: its kind is '" STR_FMT "'",
			      STR_ARG(node_get_text(root, STR("kind"))));
	TRY(read_context(&r, root, context, &cluster, &user));
	assert(cluster);
	c.at = cluster->at;
	TRY(read_cluster(&r, cluster));
	if (user)
		TRY(read_user(&r, user));
	*ret = c;
	return NULL;
}

/* ------------------------------------------------------------------ in a pod */

struct err *kube_config_pod(struct arena *a, str host, str port, str mount, struct kube_config *ret)
{
	struct kube_config c = {.context = STR("in-cluster"), .in_cluster = true};
	bool v6 = str_chr(host, ':') != SIZE_MAX && host.p[0] != '[';

	if (!host.n || !port.n)
		return err_hint(err_new(ERR_MISSING, "this process runs in no pod: "
						     "KUBERNETES_SERVICE_HOST is not set"),
				"write 'target: {kubeConfig: {file: ...}}'");
	c.server = arena_printf(a, "https://%s" STR_FMT "%s:" STR_FMT, v6 ? "[" : "", STR_ARG(host),
				v6 ? "]" : "", STR_ARG(port));
	c.token_file = MOUNT_FILE(a, mount, "token");
	c.ca_file = MOUNT_FILE(a, mount, "ca.crt");
	c.ns_file = MOUNT_FILE(a, mount, "namespace");
	*ret = c;
	return NULL;
}
