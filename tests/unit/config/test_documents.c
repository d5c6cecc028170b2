/* Documents in, snapshot or all mistakes out; whole messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "config/config_priv.h"
#include "leeboard/config.h"

#define HEAD(kind, name)                                                                           \
	"apiVersion: leeboard.dev/v1\nkind: " kind "\nmetadata: {name: " name "}\nspec:\n"
#define SOURCE                                                                                     \
	HEAD("Source", "fleet")                                                                    \
	"  url: https://git.example.org/fleet.git\n"                                               \
	"  ref: {branch: main}\n  verify: {mode: off}\n"
#define APP HEAD("App", "web") "  source: fleet\n  target: {directory: /srv/web}\n"

/* "file:line:col: message" of each mistake, a line each. */
static void mistakes_are(const char *yaml, enum config_carrier carrier, const char *want)
{
	CLEANUP(config) struct config *c = NULL;
	CLEANUP(buf) struct buf got = BUF_INIT;
	struct text t = {STR("a.yaml"), str_from(yaml)};
	struct config_opts opts = {.carrier = carrier, .home = "/home/ana"};
	CLEANUP(err) struct err *e = config_parse(&t, 1, &opts, NULL, &c);

	for (const struct err *i = e; i; i = err_next(i)) {
		err_line_to(i, &got);
		buf_char(&got, '\n');
	}
	assert_string_equal(got.p ? got.p : "", want);
}
#define REFUSED(yaml, want) mistakes_are(yaml, CONFIG_FILE, want)

static struct config *loaded(const char *yaml)
{
	struct config *c = NULL;
	struct text t = {STR("conf/a.yaml"), str_from(yaml)};
	struct config_opts opts = {.home = "/home/ana"};
	CLEANUP(err) struct err *e = config_parse(&t, 1, &opts, NULL, &c);

	if (e) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_print(e, &b);
		fail_msg("%s", b.p);
	}
	return c;
}
#define text_is(s, lit)                                                                            \
	do {                                                                                       \
		str s_ = (s);                                                                      \
		assert_int_equal(s_.n, strlen(lit));                                               \
		assert_memory_equal(s_.p, lit, s_.n);                                              \
	} while (0)

static void a_laptop_needs_eleven_lines_and_gets_the_defaults(void **state)
{
	(void)state;
	CLEANUP(config) struct config *c = loaded(SOURCE "---\n" APP "  path: deploy\n");
	const struct source *s = config_source(c, STR(""), STR("fleet"));
	const struct app *a = config_app(c, STR(""), STR("web"));

	assert_non_null(s);
	text_is(s->url, "https://git.example.org/fleet.git");
	text_is(s->ref.branch, "main");
	assert_int_equal(s->interval, MINUTE);
	assert_int_equal(s->timeout, 60 * SECOND);
	assert_int_equal(s->verify, VERIFY_OFF);
	assert_non_null(a);
	assert_ptr_equal(a->source, s);
	text_is(a->path, "deploy");
	text_is(a->target.directory, "/srv/web");
	text_is(a->target.file_name, "{kind}.{group}.{namespace}.{name}.yaml");
	text_is(a->target.namespace, "default");
	assert_int_equal(a->target.kind, TARGET_DIRECTORY);
	assert_int_equal(a->interval, HOUR);
	assert_true(a->prune);
	assert_int_equal(a->prune_objects, 10);
	assert_int_equal(a->prune_protect.n, 5);
	assert_int_equal(a->adopt, ADOPT_IF_UNOWNED);
	assert_int_equal(a->on_error, ON_ERROR_SKIP_DEPENDANTS);
	assert_int_equal(a->health_timeout, 5 * MINUTE);
	assert_int_equal(c->daemon.not_beside, 3);
	assert_int_equal(c->daemon.socket_mode, 0660);
	assert_int_equal(c->daemon.workers, 2);
}

static void unknown_keys_name_the_nearest(void **state)
{
	(void)state;
	REFUSED(SOURCE "---\n" APP "  intervall: 5m\n  health: {tiemout: 1m, skip: [{label: x}]}\n",
		"a.yaml:15:3: unknown key 'intervall' in App, did you mean 'interval'?\n"
		"a.yaml:16:12: unknown key 'tiemout' in 'health', did you mean 'timeout'?\n"
		"a.yaml:16:33: unknown key 'label', did you mean 'labelSelector'?\n");
}

static void references_must_exist(void **state)
{
	(void)state;
	REFUSED(SOURCE "---\n" HEAD("App", "web") "  source: flet\n  target: {name: k3s}\n"
						  "  dependsOn: [{app: wob}]\n",
		"a.yaml:13:11: no Source 'flet', did you mean 'fleet'?\n"
		"a.yaml:14:3: no target 'k3s': the Daemon has no 'targets'\n"
		"a.yaml:15:21: no App 'wob', did you mean 'web'?\n");
}

static void values_say_what_they_should_be(void **state)
{
	(void)state;
	REFUSED(SOURCE "---\n" APP "  interval: 5\n  retryInterval: 10ms\n  prune: true\n"
		       "  drift: {mode: alert, ignore: [{paths: [spec.replicas]}]}\n"
		       "  dependsOn: [{object: Deployment/web}]\n"
		       "  health: {skip: {kind: Job}}\n  deletionPolicy: MirrorPrune\n"
		       "  suspend: maybe\n  path: ../up\n",
		"a.yaml:15:13: '5' is no duration: write '5s' or '5m'\n"
		"a.yaml:16:18: '10ms' is out of range: from 1s to 8760h\n"
		"a.yaml:17:10: 'prune' is a map: write 'prune: {enabled: true}'\n"
		"a.yaml:18:17: 'alert' is no mode: 'detect' alerts and does not write\n"
		"a.yaml:18:42: 'spec.replicas' is no JSON pointer: write '/spec/replicas'\n"
		"a.yaml:19:24: 'Deployment/web' names no object: write "
		"'apps/v1/Deployment/NAMESPACE/web'\n"
		"a.yaml:20:18: 'skip' must be a list: write 'health: {skip: [{kind: Job, name: "
		"import-.*}]}'\n"
		"a.yaml:21:19: 'deletionPolicy: MirrorPrune' is not supported yet\n"
		"a.yaml:22:12: 'suspend' must be true or false: write 'suspend: true'\n"
		"a.yaml:23:9: '../up' leads out of the source\n");
}

static void what_is_not_built_is_refused(void **state)
{
	(void)state;
	REFUSED(SOURCE "  depth: 1\n  auth: {secretRef: {name: x}}\n---\n" APP
		       "  forEach: {paths: ['*']}\n  apply: {recreate: never}\n",
		"a.yaml:8:3: 'depth' is not supported yet\n"
		"a.yaml:9:10: 'auth.secretRef' is not supported yet\n"
		"a.yaml:17:3: 'forEach' is not supported yet\n"
		"a.yaml:18:11: 'apply.recreate' is not supported yet\n");
}

static void guests_may_not_reach_the_machine(void **state)
{
	(void)state;
	mistakes_are(
		HEAD("Source", "fleet") "  url: /srv/git\n  ref: {branch: main}\n"
					"  verify: {mode: off}\n---\n" APP,
		CONFIG_GUEST,
		"a.yaml:5:8: a local 'url' is for documents from the operator's files\n"
		"a.yaml:7:12: 'verify.mode: off' is for documents from the operator's files\n"
		"a.yaml:14:12: 'target.directory' is for documents from the operator's files\n");
}

static void a_secret_is_never_inline(void **state)
{
	(void)state;
	REFUSED(SOURCE "  auth:\n    basic: {username: bot, password: hunter2}\n"
		       "    bearer: {token: {file: a, env: B}}\n",
		"a.yaml:8:3: 'auth' has two kinds: basic and bearer\n"
		"a.yaml:9:38: a secret must come from file, env, credential, exec or secretRef\n"
		"a.yaml:10:31: 'env' beside 'file': a secret comes from one place\n");
	REFUSED(HEAD("Source", "f") "  url: https://a:b@git.example.org/x\n  ref: {}\n"
				    "  tls: {insecureSkipVerify: true}\n",
		"a.yaml:5:3: no 'verify': write 'verify: {mode: off}' or name signers\n"
		"a.yaml:5:8: credentials in the url: move them to 'auth'\n"
		"a.yaml:6:8: no ref: write 'ref: {branch: main}'\n"
		"a.yaml:7:9: 'insecureSkipVerify' does not exist: give 'tls.ca'\n");
}

static void ssh_needs_host_keys(void **state)
{
	(void)state;
	REFUSED(HEAD("Source", "f") "  url: ssh://git@git.example.org/x\n  ref: {branch: main}\n"
				    "  verify: {mode: off}\n  auth: {ssh: {key: {file: id}}}\n",
		"a.yaml:8:10: ssh needs 'knownHosts': make one with 'ssh-keyscan git.example.org', "
		"compare it with the forge's published keys\n");
}

static void duplicates_name_both_places(void **state)
{
	(void)state;
	REFUSED(SOURCE "---\n" SOURCE,
		"a.yaml:11:18: a second Source 'fleet', the first is at a.yaml:3:18\n");
}

static void cycles_are_printed_as_paths(void **state)
{
	(void)state;
	REFUSED(SOURCE "---\n" APP "  dependsOn: [{app: db}]\n---\n" HEAD(
			"App",
			"db") "  source: fleet\n  target: {directory: /srv/db}\n  dependsOn: "
			      "[{app: web}]\n"
			      "---\n" HEAD("App",
					   "me") "  source: fleet\n  target: {directory: /srv/me}\n"
						 "  dependsOn: [{app: me}, {app: web}]\n",
		"a.yaml:15:15: cycle: web -> db -> web\n"
		"a.yaml:31:15: cycle: me -> me\n");
}

static void signers_come_from_one_policy(void **state)
{
	(void)state;
	REFUSED(HEAD("Source",
		     "f") "  url: https://git.example.org/x\n  ref: {branch: main}\n"
			  "  verify: {mode: head, signersFrom: {policy: team}}\n---\n" HEAD(
				  "Policy", "release") "  signers: {allowedSigners: {file: s}}\n",
		"a.yaml:7:46: no Policy 'team' (there are: release)\n");
	REFUSED(HEAD("Source",
		     "f") "  url: https://git.example.org/x\n  ref: {branch: main}\n"
			  "  verify: {mode: head}\n---\n" HEAD(
				  "Policy",
				  "one") "  sources: ['*']\n  signers: {allowedSigners: {file: "
					 "s}}\n"
					 "---\n" HEAD("Policy",
						      "two") "  sources: [f]\n  signers: "
							     "{allowedSigners: {file: s}}\n",
		"a.yaml:1:1: two Policies give Source 'f' signers: 'one' and 'two'\n");
}

static void alerts_name_events_that_exist(void **state)
{
	(void)state;
	REFUSED(HEAD("Alert", "oncall") "  to:\n    - {type: webhook, address: 'http://10.0.0.5'}\n"
					"    - {type: slak}\n    - {type: email, address: "
					"'smtp://x'}\n  events: ['drfit.*']\n",
		"a.yaml:6:32: http://10.0.0.5 needs 'insecure: true'\n"
		"a.yaml:7:7: give exactly one of 'address' and 'addressFrom'\n"
		"a.yaml:7:14: 'slak' is not one of webhook, slack, did you mean 'slack'?\n"
		"a.yaml:8:14: 'type: email' is not supported yet\n"
		"a.yaml:9:12: no event matches 'drfit.*', did you mean 'drift.*'?\n");
	REFUSED(HEAD("Alert", "oncall") "  to: [{type: slack, addressFrom: {env: U}}]\n"
					"  events: drift.found\n",
		"a.yaml:6:11: 'events' must be a list: write 'events: [drift.found]'\n");
}

static void the_daemon_gives_defaults_where_documents_are_silent(void **state)
{
	(void)state;
	CLEANUP(config)
	struct config *c = loaded(SOURCE "---\n" APP "  prune: {limit: {percent: 50}}\n---\n" HEAD(
		"Daemon", "edge-17") "  targets: {manifests: {directory: out}}\n"
				     "  defaults:\n    app: {interval: 30m, prune: {limit: "
				     "{objects: 3, percent: 1}}, "
				     "target: {inCluster: true}}\n    source: {interval: 2s}\n");
	const struct app *a = config_app(c, STR(""), STR("web"));

	text_is(c->daemon.name, "edge-17");
	assert_int_equal(a->interval, 30 * MINUTE);
	assert_int_equal(a->prune_objects, 3);
	assert_int_equal(a->prune_percent, 50);
	assert_int_equal(a->target.kind, TARGET_DIRECTORY);
	assert_int_equal(a->source->interval, 2 * SECOND);
	text_is(c->daemon.targets.p[0].target.directory, "conf/out");
}

static void the_daemons_only_target_needs_no_name(void **state)
{
	(void)state;
	CLEANUP(config)
	struct config *c = loaded(SOURCE "---\n" HEAD("App", "web") "  source: fleet\n---\n" HEAD(
		"Daemon", "d") "  targets: {k3s: {kubeConfig: {file: ~/k}}}\n");
	const struct app *a = config_app(c, STR(""), STR("web"));

	assert_int_equal(a->target.kind, TARGET_KUBECONFIG);
	text_is(a->target.kubeconfig.value, "/home/ana/k");
	text_is(a->target.name, "k3s");
	REFUSED(SOURCE "---\n" HEAD("App", "web") "  source: fleet\n",
		"a.yaml:13:3: no target: write 'target: {directory: …}' or 'target: {kubeConfig: "
		"{file: …}}'\n");
}

static void effective_documents_show_the_daemons_defaults(void **state)
{
	(void)state;
	CLEANUP(buf) struct buf got = BUF_INIT;
	CLEANUP(config)
	struct config *c = loaded(SOURCE "---\n" APP "---\n" HEAD(
		"Daemon", "d") "  defaults: {app: {interval: 30m, target: {inCluster: true}}}\n");

	config_effective(c, &got);
	assert_string_equal(got.p, "apiVersion: leeboard.dev/v1\n"
				   "kind: Daemon\n"
				   "metadata:\n"
				   "  name: d\n"
				   "spec:\n"
				   "  defaults:\n"
				   "    app:\n"
				   "      interval: 30m\n"
				   "      target:\n"
				   "        inCluster: true\n"
				   "---\n"
				   "apiVersion: leeboard.dev/v1\n"
				   "kind: Source\n"
				   "metadata:\n"
				   "  name: fleet\n"
				   "spec:\n"
				   "  url: https://git.example.org/fleet.git\n"
				   "  ref:\n"
				   "    branch: main\n"
				   "  verify:\n"
				   "    mode: \"off\"\n"
				   "---\n"
				   "apiVersion: leeboard.dev/v1\n"
				   "kind: App\n"
				   "metadata:\n"
				   "  name: web\n"
				   "spec:\n"
				   "  source: fleet\n"
				   "  target:\n"
				   "    directory: /srv/web\n"
				   "  interval: 30m\n");
}

static void what_may_stand_in_an_unread_file_is_not_missed(void **state)
{
	(void)state;
	CLEANUP(config) struct config *c = NULL;
	struct text t[] = {{STR("app.yaml"), STR(APP)}, {STR("source.yaml"), STR("kind: [\n")}};
	struct config_tally tally;
	CLEANUP(err) struct err *e = config_parse(t, 2, NULL, &tally, &c);

	assert_int_equal(tally.mistakes, 1);
	assert_int_equal(tally.bad, 1);
	assert_int_equal(tally.documents, 2);
	text_is(err_file(e), "source.yaml");
}

static void directories_hold_against_a_way_up(void **state)
{
	(void)state;
	REFUSED(SOURCE "---\n" HEAD(
			"App", "a") "  source: fleet\n"
				    "  target: {directory: /srv/../etc}\n---\n" HEAD(
					    "App", "b") "  source: fleet\n"
							"  target: {directory: /srv/b}\n---\n" HEAD(
								"Daemon",
								"d") "  directories: ['/srv/**']\n",
		"a.yaml:14:3: '/srv/../etc' is outside 'directories' of the Daemon (it has: "
		"/srv/**)\n");
}

static void listening_to_the_world_needs_a_token(void **state)
{
	(void)state;
	REFUSED(HEAD("Daemon", "d") "  http: {listen: '0.0.0.0:8080'}\n  allowExec: [aws]\n",
		"a.yaml:5:10: '0.0.0.0:8080' without readToken\n"
		"a.yaml:6:15: 'aws' must be an absolute path\n");
}

static void the_screen_shows_line_and_caret(void **state)
{
	(void)state;
	CLEANUP(config) struct config *c = NULL;
	CLEANUP(buf) struct buf got = BUF_INIT;
	struct text t = {STR("fleet.yaml"), STR(SOURCE "  intervall: 5m\n")};
	CLEANUP(err) struct err *e = config_parse(&t, 1, NULL, NULL, &c);

	err_print(e, &got);
	assert_string_equal(got.p,
			    "fleet.yaml:8:3: unknown key 'intervall' in Source, did you mean "
			    "'interval'?\n    8 |   intervall: 5m\n      |   ^\n");
}

static void explain_prints_a_field_and_names_the_nearest(void **state)
{
	(void)state;
	CLEANUP(buf) struct buf got = BUF_INIT;
	CLEANUP(err) struct err *e = config_explain(STR("app.interval"), false, &got);

	assert_null(e);
	assert_string_equal(got.p, "App.interval   duration, default 1h\n"
				   "  Pause between full compares with fresh lists; changes are "
				   "watched in between.\n  example: interval: 30m\n");
	CLEANUP(err) struct err *none = config_explain(STR("App.intervall"), false, &got);

	text_is(err_message(none), "App has no field 'intervall', did you mean 'interval'?");
}

static void the_reference_page_is_what_the_table_says(void **state)
{
	(void)state;
	const char *path = TEST_DIR "/../docs/reference-config.md";
	const char *golden = getenv("LEEBOARD_GOLDEN");
	CLEANUP(buf) struct buf want = BUF_INIT;
	CLEANUP(buf) struct buf page = BUF_INIT;

	config_reference(&want);
	if (golden && strcmp(golden, "update") == 0)
		assert_null(file_write_atomic(path, buf_view(&want), 0644));
	CLEANUP(err) struct err *e = file_read(path, 1 << 20, &page);

	assert_null(e);
	assert_string_equal(page.p, want.p);
}

/* Each example of the table in a document of its own, beside what its kind needs. */
static void every_example_of_the_table_is_accepted(void **state)
{
	(void)state;
	static const char *const rest[KIND_COUNT] = {
		("  url: https://git.example.org/fleet.git\n  ref: {branch: main}\n"
		 "  verify: {mode: off}\n"),
		"  source: fleet\n  target: {inCluster: true}\n",
		"  signers: {allowedSigners: {file: s}}\n",
		"  to: [{type: slack, addressFrom: {env: U}}]\n",
		"  mode: active\n",
	};

	for (size_t i = 0; i < config_fields_n; i++) {
		const struct field *f = &config_fields[i];
		str example = str_from(f->example), lines = str_from(rest[f->kind]), line;
		CLEANUP(buf) struct buf doc = BUF_INIT;
		CLEANUP(config) struct config *c = NULL;

		if (f->type == F_LATER) {
			assert_int_equal(example.n, 0);
			continue;
		}
		if (strcmp(f->path, "dependsOn[].namespace") == 0)
			continue; /* only in a cluster */
		str key = str_sub(example, 0, str_chr(example, ':'));

		buf_printf(&doc,
			   "apiVersion: leeboard.dev/v1\nkind: %s\nmetadata: {name: x}\n"
			   "spec:\n  %s\n",
			   config_kinds[f->kind], f->example);
		while (str_split(&lines, '\n', &line))
			if (line.n && !str_starts(str_trim(line), key))
				buf_printf(&doc, STR_FMT "\n", STR_ARG(line));
		buf_str(&doc, STR("---\n" SOURCE "---\n" HEAD(
				      "Policy",
				      "team") "  signers: {allowedSigners: {file: "
					      "s}}\n---\n" HEAD("App", "db") "  source: fleet\n  "
									     "target: {inCluster: "
									     "true}\n"));
		if (f->kind == KIND_APP && str_starts(str_from(f->path), STR("target.name")))
			buf_str(&doc,
				STR("---\n" HEAD(
					"Daemon",
					"d") "  targets: {manifests: {directory: /srv/m}}\n"));
		struct text t = {STR("example.yaml"), buf_view(&doc)};
		CLEANUP(err) struct err *e = config_parse(&t, 1, NULL, NULL, &c);

		if (e) {
			CLEANUP(buf) struct buf b = BUF_INIT;

			err_print(e, &b);
			print_error("%s.%s: %s", config_kinds[f->kind], f->path, b.p);
		}
		assert_null(e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_laptop_needs_eleven_lines_and_gets_the_defaults),
		cmocka_unit_test(unknown_keys_name_the_nearest),
		cmocka_unit_test(references_must_exist),
		cmocka_unit_test(values_say_what_they_should_be),
		cmocka_unit_test(what_is_not_built_is_refused),
		cmocka_unit_test(guests_may_not_reach_the_machine),
		cmocka_unit_test(a_secret_is_never_inline),
		cmocka_unit_test(ssh_needs_host_keys),
		cmocka_unit_test(duplicates_name_both_places),
		cmocka_unit_test(cycles_are_printed_as_paths),
		cmocka_unit_test(signers_come_from_one_policy),
		cmocka_unit_test(alerts_name_events_that_exist),
		cmocka_unit_test(the_daemon_gives_defaults_where_documents_are_silent),
		cmocka_unit_test(the_daemons_only_target_needs_no_name),
		cmocka_unit_test(effective_documents_show_the_daemons_defaults),
		cmocka_unit_test(what_may_stand_in_an_unread_file_is_not_missed),
		cmocka_unit_test(directories_hold_against_a_way_up),
		cmocka_unit_test(listening_to_the_world_needs_a_token),
		cmocka_unit_test(the_screen_shows_line_and_caret),
		cmocka_unit_test(explain_prints_a_field_and_names_the_nearest),
		cmocka_unit_test(every_example_of_the_table_is_accepted),
		cmocka_unit_test(the_reference_page_is_what_the_table_says),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
