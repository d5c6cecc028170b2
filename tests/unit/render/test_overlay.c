/* What an App says of rendering, and which files of a plain folder count. */
#include "leeboard/config.h"
#include "render/mem_tree.h"
#include <setjmp.h>

#include <cmocka.h>

static const struct node *document(struct arena *a, const char *name, const char *yaml)
{
	struct text *t = ARENA_NEW(a, struct text);
	struct node_docs docs = {0};

	*t = (struct text){str_from(name), str_from(yaml)};
	assert_null(node_read_yaml(a, t, &docs));
	assert_int_equal(docs.n, 1);
	return docs.p[0];
}

static void assert_renders(const struct file *files, const char *path,
			   const struct render_opts *opts, const char *want)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf got = BUF_INIT;
	struct files self = {files};
	CLEANUP(tree) struct tree *t = tree_new(&mem_ops, &self);
	struct render_result result;
	struct err *e = render_build(a, t, str_from(path), opts, &result);

	for (const struct err *i = e; i; i = err_next(i)) {
		err_line_to(i, &got);
		buf_char(&got, '\n');
	}
	if (!e)
		render_print(a, &result, &got);
	err_free(e);
	assert_string_equal(got.p ? got.p : "", want);
}

static const char deployment[] = "apiVersion: apps/v1\n"
				 "kind: Deployment\n"
				 "metadata: {name: web}\n"
				 "spec:\n"
				 "  replicas: 1\n"
				 "  template:\n"
				 "    metadata: {labels: {app: web}}\n"
				 "    spec:\n"
				 "      containers: [{name: web, image: 'acme/web:1'}]\n";

static void an_app_overlays_its_folder(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct render_opts opts = {.overlay =
					   document(a, "app.yaml",
						    "namePrefix: dev-\n"
						    "nameSuffix: -x\n"
						    "targetNamespace: shop\n"
						    "commonMetadata:\n"
						    "  labels: {team: shop}\n"
						    "  annotations: {owner: ana}\n"
						    "images: [{name: acme/web, newTag: '2'}]\n"
						    "replicas: [{name: web, count: 3}]\n"
						    "components: [../parts/debug, ../parts/gone]\n"
						    "ignoreMissingComponents: true\n"
						    "patches:\n"
						    "- target: {kind: Deployment}\n"
						    "  patch: |\n"
						    "    - op: add\n"
						    "      path: /spec/paused\n"
						    "      value: true\n")};

	(void)state;
	assert_renders(FILES({"deploy/web.yaml", deployment},
			     {"parts/debug/kustomization.yaml",
			      "kind: Component\ncommonLabels: {debug: 'yes'}\n"}),
		       "deploy", &opts,
		       "apiVersion: apps/v1\n"
		       "kind: Deployment\n"
		       "metadata:\n"
		       "  annotations:\n"
		       "    owner: ana\n"
		       "  labels:\n"
		       "    debug: \"yes\"\n"
		       "    team: shop\n"
		       "  name: dev-web-x\n"
		       "  namespace: shop\n"
		       "spec:\n"
		       "  paused: true\n"
		       "  replicas: 3\n"
		       "  selector:\n"
		       "    matchLabels:\n"
		       "      debug: \"yes\"\n"
		       "  template:\n"
		       "    metadata:\n"
		       "      labels:\n"
		       "        app: web\n"
		       "        debug: \"yes\"\n"
		       "    spec:\n"
		       "      containers:\n"
		       "      - image: acme/web:2\n"
		       "        name: web\n");
}

static void mistakes_are_placed_in_the_document(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf json = BUF_INIT;
	struct render_opts opts = {0};
	struct text wire = {STR("job"), STR("")};
	const struct node *read;

	(void)state;
	/* Through a job and back. */
	render_places_write(document(a, "app.yaml",
				     "replicas:\n"
				     "- {name: web, count: many}\n"
				     "components: [../gone]\n"
				     "patches:\n"
				     "- patch: |\n"
				     "    - op: add\n"
				     "      path: /spec/none/paused\n"
				     "      value: true\n"
				     "  target: {name: web}\n"),
			    &json);
	wire.bytes = buf_view(&json);
	assert_null(node_read_json(a, &wire, &read));
	assert_null(render_places_read(a, read, &opts.overlay));
	assert_renders(FILES({"web.yaml", deployment}), "", &opts,
		       "app.yaml:2:22: 'count' must be a whole number, not a string\n");
	opts.overlay = node_del(a, opts.overlay, STR("replicas"));
	assert_renders(FILES({"web.yaml", deployment}), "", &opts,
		       "app.yaml:3:14: path '../gone' leads above the root of the tree\n");
	opts.overlay = node_del(a, opts.overlay, STR("components"));
	assert_renders(FILES({"web.yaml", deployment}), "", &opts,
		       "app.yaml:6:3: '/spec/none/paused' leads nowhere: there is no 'none' "
		       "(operation 1, patch Deployment.v1.apps/web.[noNs])\n");
}

static void what_is_no_tree_with_places_is_refused(void **state)
{
	static const char *const bad[] = {
		"[]",
		"{\"file\": \"a\"}",
		"{\"file\": \"a\", \"node\": [1, 2, 3]}",
		"{\"file\": \"a\", \"node\": [1, 2, 99, null]}",
		"{\"file\": \"a\", \"node\": [-1, 2, 0, null]}",
		"{\"file\": \"a\", \"node\": [1, 1, 0, {\"x\": 1}]}",
	};
	CLEANUP(arena) struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct text t = {STR("job"), str_from(bad[i])};
		const struct node *json, *n;
		struct err *e;

		assert_null(node_read_json(a, &t, &json));
		e = render_places_read(a, json, &n);
		assert_non_null(e);
		assert_int_equal(err_code(e), ERR_INVALID);
		err_free(e);
	}
}

#define CONFIG_MAP(name) "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name "}\n"
#define PRINTED(name) "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " name "\n"

static void globs_and_sourceignore_choose_the_files(void **state)
{
	static str include[] = {{"**/*.yaml", 9}}, exclude[] = {{"drafts/**", 9}};
	struct config_texts in = {include, 1, 1}, out = {exclude, 1, 1};
	struct render_opts opts = {.plain = {.include = &in,
					     .exclude = &out,
					     .ignore = STR("/apps/e/*.yaml\n!/apps/e/2.yaml\n")}};
	const struct file *files = FILES(
		{".sourceignore", "# tests are no manifests\n"
				  "*-test.yaml\n"
				  "!keep-test.yaml\n"},
		{"apps/a.yaml", CONFIG_MAP("a")}, {"apps/b.json", "not read\n"},
		{"apps/c-test.yaml", "not read\n"}, {"apps/d/keep-test.yaml", CONFIG_MAP("d")},
		{"apps/drafts/x.yaml", "not read\n"}, {"apps/e/1.yaml", "not read\n"},
		{"apps/e/2.yaml", CONFIG_MAP("e")},
		{"apps/f/.sourceignore", "g/\n[x-z]?.yaml\nh/**/i\n"},
		{"apps/f/g/not.yaml", "not read\n"}, {"apps/f/x1.yaml", "not read\n"},
		{"apps/f/h/1/2/i/not.yaml", "not read\n"}, {"apps/f/h/w1.yaml", CONFIG_MAP("f")});

	(void)state;
	assert_renders(files, "apps", &opts,
		       PRINTED("a") "---\n" PRINTED("d") "---\n" PRINTED("e") "---\n" PRINTED("f"));
	opts.plain.flat = true;
	assert_renders(files, "apps", &opts, PRINTED("a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_app_overlays_its_folder),
		cmocka_unit_test(mistakes_are_placed_in_the_document),
		cmocka_unit_test(what_is_no_tree_with_places_is_refused),
		cmocka_unit_test(globs_and_sourceignore_choose_the_files),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
