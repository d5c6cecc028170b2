/* What a document says beyond the types of its fields. */
#include "config_priv.h"

#include <arpa/inet.h>

/* The place of a key of map, or of map itself. */
static loc key_at(const struct node *map, const char *key, loc otherwise)
{
	size_t i = node_index_of(map, str_from(key));

	return !map || i == SIZE_MAX ? otherwise : map->pairs[i].key_at;
}

bool config_host_is_loopback(str host)
{
	struct in_addr a;
	char text[INET_ADDRSTRLEN];

	/* "127.0.0.1.example.org" is no address. */
	if (host.n < sizeof(text)) {
		memcpy(text, host.p ? host.p : "", host.n);
		text[host.n] = '\0';
		if (inet_pton(AF_INET, text, &a) == 1)
			return ntohl(a.s_addr) >> 24 == 127;
	}
	return str_eq(host, STR("localhost")) || str_eq(host, STR("::1")) ||
	       str_eq(host, STR("[::1]"));
}

str config_host(str url)
{
	size_t scheme = str_find(url, STR("://"));
	str rest = scheme == SIZE_MAX ? url : str_sub(url, scheme + 3, SIZE_MAX);
	size_t end = 0;

	if (rest.n && rest.p[0] == '[') {
		end = str_chr(rest, ']');
		return end == SIZE_MAX ? rest : str_sub(rest, 0, end + 1);
	}
	while (end < rest.n && !strchr("/:?#", rest.p[end]))
		end++;
	return str_sub(rest, 0, end);
}

static void check_plain_http(struct parse *p, loc at, str url, bool insecure)
{
	str host = config_host(url);

	if (str_starts(url, STR("http://")) && !insecure && !config_host_is_loopback(host))
		mistake(p, ERR_INVALID, at, "http://" STR_FMT " needs 'insecure: true'",
			STR_ARG(host));
}

/* ------------------------------------------------------------------ Source */

static void check_auth(struct parse *p, const struct node *spec, struct source *s)
{
	static const struct {
		const char *key;
		enum auth_kind kind;
	} kinds[] = {{"basic", AUTH_BASIC},    {"bearer", AUTH_BEARER}, {"ssh", AUTH_SSH},
		     {"githubApp", AUTH_NONE}, {"exec", AUTH_NONE},     {"secretRef", AUTH_NONE}};
	const struct node *auth = node_get(spec, STR("auth"));
	const char *first = NULL;

	if (!node_is(auth, NODE_MAP))
		return;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!node_get(auth, str_from(kinds[i].key)))
			continue;
		if (first)
			mistake(p, ERR_INVALID, key_at(spec, "auth", s->at),
				"'auth' has two kinds: %s and %s", first, kinds[i].key);
		else
			s->auth = kinds[i].kind;
		first = first ? first : kinds[i].key;
	}
	str host = config_host(s->url);
	size_t user = str_chr(host, '@');

	if (user != SIZE_MAX)
		host = str_sub(host, user + 1, SIZE_MAX);
	/* By keys, not by values: a value that is wrong has had its message. */
	const struct node *basic = node_get(auth, STR("basic")), *ssh = node_get(auth, STR("ssh"));
	const struct node *bearer = node_get(auth, STR("bearer"));

	if (node_is(ssh, NODE_MAP) && !node_get(ssh, STR("knownHosts")))
		mistake(p, ERR_MISSING, key_at(auth, "ssh", auth->at),
			"ssh needs 'knownHosts': make one with 'ssh-keyscan " STR_FMT
			"', compare it with the forge's published keys",
			STR_ARG(host.n ? host : STR("HOST")));
	if (node_is(ssh, NODE_MAP) && !node_get(ssh, STR("key")))
		mistake(p, ERR_MISSING, key_at(auth, "ssh", auth->at),
			"ssh needs 'key': write 'key: {file: id}'");
	if (node_is(basic, NODE_MAP) &&
	    (!node_get(basic, STR("username")) || !node_get(basic, STR("password"))))
		mistake(p, ERR_MISSING, key_at(auth, "basic", auth->at),
			"basic needs 'username' and 'password'");
	if (node_is(bearer, NODE_MAP) && !node_get(bearer, STR("token")))
		mistake(p, ERR_MISSING, key_at(auth, "bearer", auth->at), "bearer needs 'token'");
}

void check_source(struct parse *p, struct doc *d, struct source *s)
{
	const struct node *spec = d->spec, *verify = node_get(spec, STR("verify"));
	const struct node *ref = node_get(spec, STR("ref")), *hook = node_get(spec, STR("webhook"));

	if (!ref || (ref->kind == NODE_MAP && ref->n == 0))
		mistake(p, ERR_MISSING, ref ? ref->at : spec->at,
			"no ref: write 'ref: {branch: main}'");
	if (!verify)
		mistake(p, ERR_MISSING, spec->at,
			"no 'verify': write 'verify: {mode: off}' or name signers");
	check_auth(p, spec, s);
	check_plain_http(p, key_at(spec, "url", s->at), s->url, s->insecure);
	if ((s->tls.cert.kind == REF_NONE) != (s->tls.key.kind == REF_NONE))
		mistake(p, ERR_MISSING, key_at(spec, "tls", s->at),
			"'tls' needs both 'cert' and 'key', or neither");
	if (node_is(hook, NODE_MAP) && !node_get(hook, STR("secret")))
		mistake(p, ERR_MISSING, key_at(spec, "webhook", s->at),
			"no 'webhook.secret': write 'webhook: {type: github, secret: {file: "
			"hook}}'");
	if (!str_eq(node_get_text(verify, STR("mode")), STR("off")))
		return;
	if (p->carrier == CONFIG_GUEST)
		mistake(p, ERR_OPERATOR_ONLY, key_at(verify, "mode", s->at),
			"'verify.mode: off' is for documents from the operator's files");
	else
		warning(p, key_at(verify, "mode", s->at),
			"'verify: {mode: off}': anybody who can write to the repository of Source "
			"'" STR_FMT "' can deploy",
			STR_ARG(s->name));
}

/* ------------------------------------------------------------------ App */

void check_target(struct parse *p, const struct node *map, loc at, struct app_target *t)
{
	static const struct {
		const char *key;
		enum target_kind kind;
	} kinds[] = {{"name", TARGET_NAME},
		     {"directory", TARGET_DIRECTORY},
		     {"kubeConfig", TARGET_KUBECONFIG},
		     {"inCluster", TARGET_IN_CLUSTER},
		     {"daemon", TARGET_NONE}};
	const char *first = NULL;

	t->at = at;
	if (!node_is(map, NODE_MAP))
		return;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!node_get(map, str_from(kinds[i].key)))
			continue;
		if (first)
			mistake(p, ERR_INVALID, key_at(map, kinds[i].key, at),
				"'target' has two kinds: %s and %s", first, kinds[i].key);
		else
			t->kind = kinds[i].kind;
		first = first ? first : kinds[i].key;
	}
	if (!first)
		mistake(p, ERR_MISSING, at,
			"no target: write 'target: {directory: …}' or 'target: {kubeConfig: {file: "
			"…}}'");
	if (t->kind == TARGET_IN_CLUSTER && !t->in_cluster &&
	    node_is(node_get(map, STR("inCluster")), NODE_BOOL))
		mistake(p, ERR_INVALID, key_at(map, "inCluster", at),
			"'inCluster: false' is no target: leave it out");
	static const char *const of_directory[] = {"layout", "fileName", "state"};

	for (size_t i = 0; i < ARRAY_LEN(of_directory) && first; i++)
		if (t->kind != TARGET_DIRECTORY && node_get(map, str_from(of_directory[i])))
			mistake(p, ERR_INVALID, key_at(map, of_directory[i], at),
				"'%s' is for a directory", of_directory[i]);
	if (t->kind == TARGET_KUBECONFIG) {
		t->kubeconfig.kind = REF_FILE;
		t->kubeconfig.at = at;
		if (t->kubeconfig.value.n == 0 &&
		    node_is(node_get(map, STR("kubeConfig")), NODE_MAP) &&
		    !node_at(map, "kubeConfig", "file", NULL) &&
		    !node_at(map, "kubeConfig", "secretRef", NULL))
			mistake(p, ERR_MISSING, key_at(map, "kubeConfig", at),
				"no 'target.kubeConfig.file': write 'target: {kubeConfig: {file: "
				"~/.kube/config}}'");
	}
	if (t->kind == TARGET_DIRECTORY && t->file_name.n == 0)
		t->file_name = t->layout == LAYOUT_APP
				       ? STR("{app}.yaml")
				       : STR("{kind}.{group}.{namespace}.{name}.yaml");
}

void check_app(struct parse *p, struct doc *d, struct app *s)
{
	const struct node *target = node_get(d->spec, STR("target"));
	const struct node *path = node_get(d->spec, STR("path"));

	if (target)
		check_target(p, target, key_at(d->spec, "target", s->at), &s->target);
	if (node_is(path, NODE_STRING)) {
		str rest = s->path, part;

		while (str_split(&rest, '/', &part))
			if (str_eq(part, STR("..")) || s->path.p[0] == '/') {
				mistake(p, ERR_INVALID, path->at,
					"'" STR_FMT "' leads out of the source", STR_ARG(s->path));
				break;
			}
	}
	for (size_t i = 0; i < s->depends_on.n; i++) {
		const struct app_dep *dep = &s->depends_on.p[i];

		if ((dep->app.n > 0) + (dep->object_text.n > 0) != 1 && !d->bad)
			mistake(p, ERR_INVALID, dep->at, "give exactly one of 'app' and 'object'");
	}
	for (size_t i = 0; i < s->drift_ignore.n; i++) {
		const struct ignore_rule *r = &s->drift_ignore.p[i];

		if (r->paths.n == 0 && r->managers.n == 0 && !d->bad)
			mistake(p, ERR_MISSING, r->at,
				"nothing to ignore: give 'paths' or 'managers'");
	}
}

/* ------------------------------------------------------------------ Policy, Alert, Daemon */

void check_policy(struct parse *p, struct doc *d, struct policy *s)
{
	if (s->keys.n == 0 && s->allowed_signers.kind == REF_NONE && !d->bad)
		mistake(p, ERR_MISSING, d->spec->at,
			"no signers: write 'signers: {allowedSigners: {file: allowed_signers}}'");
}

void check_alert(struct parse *p, struct doc *d, struct alert *s)
{
	const struct node *to = node_get(d->spec, STR("to"));
	const struct node *summary = node_get(d->spec, STR("summary"));

	if (node_is(to, NODE_LIST) && to->n == 0)
		mistake(p, ERR_INVALID, to->at, "'to' is empty: nobody would be told");
	if (s->summary.n > 200)
		mistake(p, ERR_LIMIT, summary ? summary->at : s->at,
			"'summary' has %zu bytes: at most 200", s->summary.n);
	for (size_t i = 0; i < s->to.n && node_is(to, NODE_LIST) && i < to->n; i++) {
		struct alert_to *t = &s->to.p[i];
		const struct node *item = to->items[i], *address = node_get(item, STR("address"));
		bool from = node_get(item, STR("addressFrom"));

		if (!node_is(item, NODE_MAP))
			continue;
		if (!!address == from)
			mistake(p, ERR_INVALID, t->at,
				"give exactly one of 'address' and 'addressFrom'");
		/* Of a type that is not built the address has a form of its own. */
		str type = node_get_text(item, STR("type"));

		if (!address || address->kind != NODE_STRING || t->address.n == 0 ||
		    (t->type == ALERT_WEBHOOK && !str_eq(type, STR("webhook"))))
			continue;
		str host = config_host(t->address);

		if (!str_starts(t->address, STR("http://")) &&
		    !str_starts(t->address, STR("https://")))
			mistake(p, ERR_INVALID, address->at,
				"'" STR_FMT "' is no address: write 'https://…'",
				STR_ARG(t->address));
		else if (str_starts(host, STR("169.254.")) || str_starts(host, STR("[fe80:")))
			mistake(p, ERR_INVALID, address->at,
				"'" STR_FMT "' is a link-local address: never told anything",
				STR_ARG(host));
		else if (p->carrier == CONFIG_GUEST && config_host_is_loopback(host))
			mistake(p, ERR_OPERATOR_ONLY, address->at,
				"an address of this machine is for documents from the operator's "
				"files");
		else if (str_chr(host, '@') != SIZE_MAX)
			mistake(p, ERR_INVALID, address->at,
				"credentials in the address: use 'addressFrom'");
		else
			check_plain_http(p, address->at, t->address, t->insecure);
	}
}

void check_daemon(struct parse *p, struct doc *d, struct daemon_doc *s)
{
	size_t colon = str_rchr(s->http_listen, ':');
	uint64_t port;
	const struct node *http = node_get(d->spec, STR("http"));

	if (p->carrier == CONFIG_GUEST)
		mistake(p, ERR_OPERATOR_ONLY, d->at,
			"a Daemon comes from the operator's files only");
	if (s->http_listen.n == 0)
		return;
	if (colon == SIZE_MAX || colon == 0 ||
	    !str_to_u64(str_sub(s->http_listen, colon + 1, SIZE_MAX), &port) || port > 65535)
		mistake(p, ERR_INVALID, key_at(http, "listen", s->at),
			"'" STR_FMT "' is no address to listen at: write '127.0.0.1:8080'",
			STR_ARG(s->http_listen));
	else if (!config_host_is_loopback(str_sub(s->http_listen, 0, colon)) &&
		 s->http_read_token.kind == REF_NONE)
		mistake(p, ERR_INVALID, key_at(http, "listen", s->at),
			"'" STR_FMT "' without readToken", STR_ARG(s->http_listen));
	if ((s->http_cert.kind == REF_NONE) != (s->http_key.kind == REF_NONE))
		mistake(p, ERR_MISSING, key_at(http, "tls", s->at),
			"'http.tls' needs both 'cert' and 'key', or neither");
}
