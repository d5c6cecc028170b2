/* Each field says which line it comes from. */
#include "render/mem_tree.h"
#include <setjmp.h>

#include <cmocka.h>

static const struct file *files(void)
{
	static const struct file all[] = {
		{"base/kustomization.yaml", "resources: [web.yaml]\n"
					    "configMapGenerator:\n"
					    "- name: settings\n"
					    "  literals: [workers=4]\n"},
		{"base/web.yaml", "apiVersion: apps/v1\n"
				  "kind: Deployment\n"
				  "metadata:\n"
				  "  name: web\n"
				  "spec:\n"
				  "  replicas: 1\n"
				  "  template:\n"
				  "    spec:\n"
				  "      containers:\n"
				  "      - name: web\n"
				  "        image: acme/web:1\n"
				  "        args: [-v, -q]\n"
				  "        envFrom:\n"
				  "        - configMapRef: {name: settings}\n"},
		{"prod/kustomization.yaml",
		 "resources:\n"
		 "- ../base\n"
		 "namePrefix: p-\n"
		 "images:\n"
		 "- {name: acme/web, newTag: '2'}\n"
		 "patches:\n"
		 "- path: patch.yaml\n"
		 "- target: {kind: Deployment}\n"
		 "  patch: |-\n"
		 "    - op: add\n"
		 "      path: /spec/paused\n"
		 "      value: true\n"
		 "replacements:\n"
		 "- source: {kind: Deployment, fieldPath: spec.template}\n"
		 "  targets:\n"
		 "  - select: {kind: ConfigMap}\n"
		 "    fieldPaths: [copy]\n"
		 "    options: {create: true}\n"},
		{"prod/patch.yaml", "apiVersion: apps/v1\n"
				    "kind: Deployment\n"
				    "metadata: {name: web}\n"
				    "spec:\n"
				    "  replicas: 3\n"
				    "  strategy:\n"
				    "    type: Recreate\n"},
		{NULL, NULL}};

	return all;
}

static void print_origins(struct arena *a, const struct render_object *o, bool brief, struct buf *b)
{
	struct render_origins v;

	render_origins(a, o, brief, &v);
	for (size_t i = 0; i < v.n; i++)
		buf_printf(b, STR_FMT " " STR_FMT ":%u\n", STR_ARG(v.p[i].path),
			   STR_ARG(v.p[i].at.in ? v.p[i].at.in->name : STR("?")), v.p[i].at.line);
}

static void each_field_names_the_line_that_set_it(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf got = BUF_INIT;
	struct files self = {files()};
	CLEANUP(tree) struct tree *t = tree_new(&mem_ops, &self);
	struct render_result r;
	loc at;

	(void)state;
	assert_null(render_build(a, t, STR("prod"), NULL, &r));
	assert_int_equal(r.n, 2);
	print_origins(a, &r.p[1], true, &got);
	assert_string_equal(
		got.p,
		".apiVersion base/web.yaml:1\n"
		".kind base/web.yaml:2\n"
		".metadata.name prod/kustomization.yaml:3\n"
		".spec.replicas prod/patch.yaml:5\n"
		".spec.template.spec.containers[name=\"web\"].name base/web.yaml:10\n"
		".spec.template.spec.containers[name=\"web\"].image prod/kustomization.yaml:5\n"
		".spec.template.spec.containers[name=\"web\"].args base/web.yaml:12\n"
		".spec.template.spec.containers[name=\"web\"].envFrom base/web.yaml:14\n"
		".spec.strategy.type prod/patch.yaml:7\n"
		".spec.paused prod/kustomization.yaml:10\n");
	at = render_origin_of(a, &r.p[1], STR(".spec.strategy"));
	assert_int_equal(at.line, 7);
	at = render_origin_of(
		a, &r.p[1],
		STR(".spec.template.spec.containers[name=\"web\"].envFrom[0].configMapRef.name"));
	assert_int_equal(at.line, 3); /* the prefix reached the reference */
}

static void generated_fields_name_the_generator(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf got = BUF_INIT;
	struct files self = {files()};
	CLEANUP(tree) struct tree *t = tree_new(&mem_ops, &self);
	struct render_result r;

	(void)state;
	assert_null(render_build(a, t, STR("prod"), NULL, &r));
	print_origins(a, &r.p[0], false, &got);
	assert_string_equal(got.p, ".apiVersion base/kustomization.yaml:3\n"
				   ".kind base/kustomization.yaml:3\n"
				   ".metadata.name prod/kustomization.yaml:3\n"
				   ".data.workers base/kustomization.yaml:3\n"
				   ".copy.spec.containers[0].name prod/kustomization.yaml:14\n"
				   ".copy.spec.containers[0].image prod/kustomization.yaml:14\n"
				   ".copy.spec.containers[0].args[0] prod/kustomization.yaml:14\n"
				   ".copy.spec.containers[0].args[1] prod/kustomization.yaml:14\n"
				   ".copy.spec.containers[0].envFrom[0].configMapRef.name "
				   "prod/kustomization.yaml:14\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_names_the_line_that_set_it),
		cmocka_unit_test(generated_fields_name_the_generator),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
