/* kubeconfig files: what is read, and each sentence about what is not. */
#include "target/kube_config.h"
#include <setjmp.h>

#include <cmocka.h>

#define PEM "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="

static str allowed[] = {STR("/opt/bin/aws")};
static const struct config_texts allow = {allowed, 1, 1};

/* The whole error as people see it, or "read". */
static void want_for(const char *yaml, str context, const char *want)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct text in = {STR("config"), str_from(yaml)};
	struct kube_config c = {0};
	CLEANUP(err)
	struct err *e = kube_config_read(a, &in, STR("/etc/kube"), context, &allow, &c);

	if (e) {
		err_line_to(e, &b);
		if (err_hint_get(e).n)
			buf_printf(&b, " [" STR_FMT "]", STR_ARG(err_hint_get(e)));
	} else {
		buf_str(&b, STR("read"));
	}
	assert_string_equal(b.p, want);
}

#define CONFIG(cluster, user)                                                                      \
	"current-context: kind-kind\n"                                                             \
	"contexts: [{name: kind-kind, context: {cluster: c, user: u}}]\n"                          \
	"clusters:\n- {name: c, cluster: {" cluster "}}\n"                                         \
	"users:\n- {name: u, user: {" user "}}\n"

static void want(const char *yaml, const char *text)
{
	want_for(yaml, STR_NONE, text);
}

static void test_everything_is_read(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct text in = {
		STR("config"),
		STR("kind: Config\ncurrent-context: other\n"
		    "contexts:\n- name: x\n  context: {cluster: c, user: u, namespace: n}\n"
		    "clusters:\n- name: c\n  cluster:\n    server: https://k8s.test:6443/\n"
		    "    tls-server-name: api\n    certificate-authority: ca.crt\n"
		    "- name: c\n  cluster: {server: https://second.test}\n"
		    "users:\n- name: u\n  user:\n    client-certificate: /abs/crt\n"
		    "    client-key: sub/key\n    token: t\n    tokenFile: ./token\n"
		    "    as: me\n    as-groups: [g, h]\n    as-user-extra: {Why Not: [x]}\n")};
	struct kube_config c;

	assert_null(kube_config_read(a, &in, STR("/etc/kube"), STR("x"), NULL, &c));
	assert_string_equal(c.server.p, "https://k8s.test:6443");
	assert_string_equal(c.server_name.p, "api");
	assert_string_equal(c.context.p, "x");
	assert_string_equal(c.ns.p, "n");
	assert_string_equal(c.ca_file.p, "/etc/kube/ca.crt");
	assert_string_equal(c.cert_file.p, "/abs/crt");
	assert_string_equal(c.key_file.p, "/etc/kube/sub/key");
	assert_string_equal(c.token.p, "t");
	assert_string_equal(c.token_file.p, "/etc/kube/./token");
	assert_string_equal(c.as.p, "me");
	assert_int_equal(c.as_groups.n, 2);
	assert_int_equal(c.as_extra.n, 2);
	assert_string_equal(c.as_extra.p[0].p, "Impersonate-Extra-%57hy%20%4Eot");
	assert_string_equal(c.as_extra.p[1].p, "x");
}

static void test_data_wins_over_paths(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct text in = {STR("config"),
			  STR(CONFIG("server: 'https://x', certificate-authority: f, "
				     "certificate-authority-data: " PEM,
				     "client-certificate-data: " PEM ", client-key-data: " PEM))};
	struct kube_config c;

	assert_null(kube_config_read(a, &in, STR("/etc"), STR_NONE, NULL, &c));
	assert_string_equal(c.ca_pem.p, "-----BEGIN CERTIFICATE-----\n");
	assert_int_equal(c.ca_file.n, 0);
	assert_string_equal(c.key_pem.p, "-----BEGIN CERTIFICATE-----\n");
}

static void test_a_name_that_is_missing_is_told_with_those_that_are_there(void **state UNUSED)
{
	const char *yaml = CONFIG("server: 'https://x'", "token: t");

	want_for(yaml, STR("kind-demo"),
		 "config:2:11: context 'kind-demo' is not in the file (it has: kind-kind)");
	want("contexts: [{name: a, context: {cluster: c}}, {name: b}]\n",
	     "config:1:1: the file has no 'current-context' and the target names none (it has: a, "
	     "b)");
	want("current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n",
	     "config:2:31: cluster 'c' is not in the file (it has: none)");
	want("current-context: a\ncontexts: [{name: a}]\n",
	     "config:2:12: context 'a' has no 'context'");
	want("- a\n", "config:1:1: this is no kubeconfig");
	want("kind: Pod\n", "config:1:7: this is no kubeconfig: its kind is 'Pod'");
}

static void
test_a_server_is_always_verified_and_never_gets_a_credential_in_clear(void **state UNUSED)
{
	want(CONFIG("server: 'https://x', insecure-skip-tls-verify: true", "token: t"),
	     "config:4:70: 'insecure-skip-tls-verify' is refused: the server is always verified "
	     "[write 'certificate-authority-data', and 'tls-server-name' when its certificate is "
	     "for "
	     "another name]");
	want(CONFIG("server: 'http://10.0.0.1'", "token: t"),
	     "config:4:31: 'server' would get our credential in clear: write https://");
	want(CONFIG("server: 'http://127.0.0.1.evil.test'", "token: t"),
	     "config:4:31: 'server' would get our credential in clear: write https://");
	want(CONFIG("server: 'http://127.0.0.1:8001'", ""), "read");
	want(CONFIG("server: 'ftp://x'", ""), "config:4:31: 'server' must begin with https://");
	want(CONFIG("server: 'https://a:b@x'", ""),
	     "config:4:31: 'server' is an address without user, query or blanks");
	want(CONFIG("server: 'https:///x'", ""), "config:4:31: 'server' has no host");
	want(CONFIG("", ""), "config:4:22: the cluster has no 'server'");
	want(CONFIG("server: 'https://x', proxy-url: 'http://p'", ""),
	     "config:4:55: 'proxy-url' is not supported yet");
	want(CONFIG("server: 'https://x', certificate-authority-data: '%%'", ""),
	     "config:4:72: 'certificate-authority-data' is not base64");
	want(CONFIG("server: 'https://x', certificate-authority-data: eHg=", ""),
	     "config:4:72: 'certificate-authority-data' holds no PEM");
}

#define USER(user) CONFIG("server: 'https://x'", user)

static void test_credentials_that_no_server_takes_are_refused_with_a_way_out(void **state UNUSED)
{
	want(USER("auth-provider: {name: gcp}"),
	     "config:6:35: 'auth-provider' is no more: Kubernetes 1.26 removed it "
	     "[use the vendor's exec plugin, and list it in allowExec]");
	want(USER("username: a, password: b"),
	     "config:6:30: no API server takes a user name and password any more "
	     "[use a client certificate, 'tokenFile' or an exec plugin]");
	want(USER("client-certificate: a"),
	     "config:6:19: a client certificate and its key go together");
	want(USER("token: 12"), "config:6:27: 'token' must be a string, not an integer");
	want(USER("as-groups: [x]"),
	     "config:6:19: 'as-uid', 'as-groups' and 'as-user-extra' go with 'as'");
}

#define EXEC(more) USER("exec: {apiVersion: client.authentication.k8s.io/v1" more "}")

static void test_only_allowed_programs_are_started(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct text in = {
		STR("config"),
		STR(EXEC(", command: aws, args: [eks, token], env: [{name: A, value: b}]"))};
	struct kube_config c;

	assert_null(kube_config_read(a, &in, STR("/etc"), STR_NONE, &allow, &c));
	assert_string_equal(c.exec->argv[0], "/opt/bin/aws");
	assert_string_equal(c.exec->argv[2], "token");
	assert_null(c.exec->argv[3]);
	assert_string_equal(c.exec->env[0], "A=b");
	want(EXEC(", command: /opt/bin/aws"), "read");
	want(EXEC(", command: gcloud, installHint: see x"),
	     "config:6:81: program 'gcloud' is not in allowExec of the Daemon "
	     "[list its absolute path under allowExec; see x]");
	want(EXEC(", command: ../opt/bin/aws"),
	     "config:6:81: program '/etc/kube/../opt/bin/aws' is not in allowExec of the Daemon "
	     "[list its absolute path under allowExec]");
	want(EXEC(", command: aws, interactiveMode: Always"),
	     "config:6:26: 'exec' asks people (interactiveMode Always): a daemon has none");
	want(EXEC(""), "config:6:26: 'exec' has no 'command'");
	want(USER("exec: {apiVersion: v1alpha1, command: aws}"),
	     "config:6:26: 'exec' of apiVersion 'v1alpha1' is not understood: "
	     "client.authentication.k8s.io/v1 is");
	want(USER("token: t, exec: {command: gcloud}"), "read");
}

static void want_of_secret(const char *yaml, const char *want_)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct text in = {STR("secret"), str_from(yaml)};
	struct kube_config c = {0};
	CLEANUP(err) struct err *e = kube_config_read(a, &in, STR_NONE, STR_NONE, &allow, &c);

	if (e)
		err_line_to(e, &b);
	assert_string_equal(e ? b.p : "read", want_);
}

/* Else a guest's Secret could send any file of ours to a server of the guest's. */
static void test_a_secret_reaches_nothing_of_this_machine(void **state UNUSED)
{
	want_of_secret(USER("token: t"), "read");
	want_of_secret(
		USER("tokenFile: /etc/shadow"),
		"secret:6:31: 'tokenFile' is a file of the daemon's machine: a kubeconfig from a "
		"Secret names none");
	want_of_secret(
		USER("client-certificate: a, client-key: b"),
		"secret:6:40: 'client-certificate' is a file of the daemon's machine: a kubeconfig "
		"from a Secret names none");
	want_of_secret(CONFIG("server: 'https://x', certificate-authority: a", "token: t"),
		       "secret:4:67: 'certificate-authority' is a file of the daemon's machine: a "
		       "kubeconfig from a Secret names none");
	want_of_secret(
		EXEC(", command: aws"),
		"secret:6:26: 'exec' starts a program of the daemon's machine: a kubeconfig from a "
		"Secret may not");
	want_of_secret(CONFIG("server: 'http://127.0.0.1:8001'", "token: t"),
		       "secret:4:31: 'server' would get our credential in clear: write https://");
}

static void test_a_pod_knows_its_server(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct kube_config c;
	CLEANUP(err) struct err *e = NULL;

	assert_null(kube_config_pod(a, STR("fd00::1"), STR("443"), STR("/m"), &c));
	assert_string_equal(c.server.p, "https://[fd00::1]:443");
	assert_string_equal(c.token_file.p, "/m/token");
	assert_string_equal(c.ca_file.p, "/m/ca.crt");
	assert_null(kube_config_pod(a, STR("10.0.0.1"), STR("443"), STR("/m"), &c));
	assert_string_equal(c.server.p, "https://10.0.0.1:443");
	e = kube_config_pod(a, STR_NONE, STR_NONE, STR("/m"), &c);
	assert_int_equal(err_code(e), ERR_MISSING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_is_read),
		cmocka_unit_test(test_data_wins_over_paths),
		cmocka_unit_test(test_a_name_that_is_missing_is_told_with_those_that_are_there),
		cmocka_unit_test(
			test_a_server_is_always_verified_and_never_gets_a_credential_in_clear),
		cmocka_unit_test(test_credentials_that_no_server_takes_are_refused_with_a_way_out),
		cmocka_unit_test(test_only_allowed_programs_are_started),
		cmocka_unit_test(test_a_secret_reaches_nothing_of_this_machine),
		cmocka_unit_test(test_a_pod_knows_its_server),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
