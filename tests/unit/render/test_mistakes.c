/* What is wrong earns a sentence with its place. */
#include "render/mem_tree.h"
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

/* What building "" of the files says: all errors, one a line; or the objects. */
static void assert_says(const struct file *files, const char *path, const char *want)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf got = BUF_INIT;
	struct files self = {files};
	CLEANUP(tree) struct tree *t = tree_new(&mem_ops, &self);
	struct render_result result;
	struct err *e = render_build(a, t, str_from(path), NULL, &result);

	for (const struct err *i = e; i; i = err_next(i)) {
		err_line_to(i, &got);
		buf_char(&got, '\n');
	}
	if (!e)
		render_print(a, &result, &got);
	err_free(e);
	assert_string_equal(got.p ? got.p : "", want);
}

static void all_unknown_and_wrong_fields_are_told_at_once(void **state)
{
	(void)state;
	assert_says(FILES({"kustomization.yaml", "nameprefixx: a\n"
						 "commonLabels: {a: 1}\n"
						 "patches:\n"
						 "- pth: x\n"
						 "helmCharts: [{name: c}]\n"}),
		    "",
		    "kustomization.yaml:1:1: unknown field 'nameprefixx'\n"
		    "kustomization.yaml:2:19: 'a' must be a string, not an integer\n"
		    "kustomization.yaml:4:3: unknown field 'pth'\n"
		    "kustomization.yaml:5:13: 'helmCharts': Helm does not run here\n");
}

static void an_empty_kustomization_is_an_error(void **state)
{
	(void)state;
	assert_says(FILES({"kustomization.yaml", "kind: Kustomization\n"}), "",
		    "kustomization.yaml: the kustomization is empty\n");
}

static void two_kustomization_files_are_an_error(void **state)
{
	(void)state;
	assert_says(FILES({"kustomization.yaml", "resources: []\n"},
			  {"Kustomization", "resources: []\n"}),
		    "",
		    "'kustomization.yaml' and 'Kustomization': a folder has one kustomization "
		    "file\n");
}

static void a_file_outside_its_folder_is_refused(void **state)
{
	(void)state;
	assert_says(FILES({"app/kustomization.yaml", "resources:\n- ../x.yaml\n- ../y.yaml\n"},
			  {"x.yaml", "kind: X\n"}),
		    "app",
		    "app/kustomization.yaml:2:3: file '../x.yaml' is not in or below the folder "
		    "'app'\n"
		    "app/kustomization.yaml:3:3: no file 'y.yaml'\n");
}

static void a_cycle_is_told_where_it_closes(void **state)
{
	(void)state;
	assert_says(FILES({"a/kustomization.yaml", "resources: [../b]\n"},
			  {"b/kustomization.yaml", "resources: [../a]\n"}),
		    "a",
		    "b/kustomization.yaml:1:13: cycle: 'a' is being built already, or holds 'a', "
		    "which is (listed in a/kustomization.yaml:1)\n");
}

static void what_matches_nothing_is_warned_of(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf got = BUF_INIT;
	struct files self = {FILES({"kustomization.yaml",
				    "resources: [r.yaml]\n"
				    "images: [{name: nginx, newTag: '1'}]\n"
				    "patches:\n"
				    "- target: {kind: Deployment}\n"
				    "  patch: '[{\"op\": \"remove\", \"path\": \"/spec\"}]'\n"
				    "replacements:\n"
				    "- sourceValue: x\n"
				    "  targets:\n"
				    "  - select: {name: gone}\n"
				    "commonLabels: {a: b}\n"},
				   {"r.yaml", "kind: A\nmetadata: {name: a}\n"})};
	CLEANUP(tree) struct tree *t = tree_new(&mem_ops, &self);
	struct render_result r;

	(void)state;
	assert_null(render_build(a, t, STR(""), NULL, &r));
	for (size_t i = 0; i < r.warnings.n; i++)
		buf_printf(&got, "%u: " STR_FMT "\n", r.warnings.p[i].at.line,
			   STR_ARG(r.warnings.p[i].text));
	assert_string_equal(got.p,
			    "10: 'commonLabels' is deprecated. Please use 'labels' instead. Run "
			    "'kustomize edit fix' to update your Kustomization automatically.\n"
			    "4: the target of this patch matches no object\n"
			    "2: no container has an image 'nginx'\n"
			    "9: this target of a replacement matches no object\n");
}

static void an_object_twice_names_both_places(void **state)
{
	(void)state;
	assert_says(FILES({"kustomization.yaml", "resources: [a.yaml, b.yaml]\n"},
			  {"a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n"},
			  {"b.yaml", "\napiVersion: v1\nkind: Pod\n"
				     "metadata: {name: x, namespace: default}\n"}),
		    "", "b.yaml:2:1: 'Pod.v1.[noGrp]/x.default' is there already, from a.yaml:1\n");
}

static void manifests_say_what_they_lack(void **state)
{
	(void)state;
	assert_says(FILES({"kustomization.yaml", "resources: [a.yaml]\n"},
			  {"a.yaml", "kind: A\n---\nmetadata: {name: b}\n---\n- 1\n"}),
		    "",
		    "a.yaml:1:1: the A has no 'metadata.name'\n"
		    "a.yaml:3:1: the manifest has no 'kind'\n"
		    "a.yaml:5:1: a manifest must be a map, not a list\n");
}

static void a_generator_must_merge_into_something(void **state)
{
	(void)state;
	assert_says(FILES({"kustomization.yaml", "configMapGenerator:\n"
						 "- name: a\n"
						 "  behavior: merge\n"
						 "- literals: [a=b]\n"
						 "- name: c\n"
						 "  literals: [a=b, a=c]\n"}),
		    "",
		    "kustomization.yaml:2:3: no configmap 'a' is there to merge into\n"
		    "kustomization.yaml:4:3: a configmap generator needs a 'name'\n"
		    "kustomization.yaml:5:3: configmap 'c' repeats the key 'a'\n");
}

static void a_replacement_needs_one_source_and_its_fields(void **state)
{
	static const char pods[] = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n"
				   "apiVersion: v1\nkind: Pod\nmetadata: {name: b}\n";

	(void)state;
	assert_says(FILES({"kustomization.yaml", "resources: [r.yaml]\n"
						 "replacements:\n"
						 "- source: {kind: Pod}\n"
						 "  targets: [{select: {name: a}}]\n"},
			  {"r.yaml", pods}),
		    "",
		    "kustomization.yaml:3:11: the source matches several objects: "
		    "'Pod.v1.[noGrp]/a.[noNs]' and 'Pod.v1.[noGrp]/b.[noNs]'\n");
	assert_says(FILES({"kustomization.yaml",
			   "resources: [r.yaml]\n"
			   "replacements:\n"
			   "- source: {name: a}\n"
			   "  targets: [{select: {name: b}, fieldPaths: [spec.x]}]\n"},
			  {"r.yaml", pods}),
		    "",
		    "kustomization.yaml:4:13: 'Pod.v1.[noGrp]/b.[noNs]' has no field 'spec.x'\n");
	assert_says(FILES({"kustomization.yaml", "resources: []\n"
						 "replacements:\n"
						 "- targets: [{select: {name: b}}]\n"}),
		    "",
		    "kustomization.yaml:3:3: a replacement takes one of 'source' and "
		    "'sourceValue'\n");
}

static void an_unknown_transformer_is_refused(void **state)
{
	(void)state;
	assert_says(FILES({"kustomization.yaml", "transformers: [t.yaml]\n"},
			  {"t.yaml", "apiVersion: builtin\nkind: Magic\nmetadata: {name: m}\n"}),
		    "", "t.yaml:2:7: there is no built-in transformer 'Magic'\n");
	assert_says(FILES({"kustomization.yaml", "transformers: [t.yaml]\n"},
			  {"t.yaml", "apiVersion: x/v1\nkind: Magic\nmetadata: {name: m}\n"}),
		    "", "t.yaml:1:1: plugins other than apiVersion 'builtin' do not run here\n");
}

static void a_plain_folder_renders_its_manifests(void **state)
{
	(void)state;
	assert_says(FILES({"b.yaml", "kind: B\nmetadata: {name: b}\n"},
			  {"README.md", "no manifest\n"},
			  {"a.json", "{\"kind\": \"A\", \"metadata\": {\"name\": \"a\"}}\n"}),
		    "", "kind: A\nmetadata:\n  name: a\n---\nkind: B\nmetadata:\n  name: b\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_unknown_and_wrong_fields_are_told_at_once),
		cmocka_unit_test(an_empty_kustomization_is_an_error),
		cmocka_unit_test(two_kustomization_files_are_an_error),
		cmocka_unit_test(a_file_outside_its_folder_is_refused),
		cmocka_unit_test(a_cycle_is_told_where_it_closes),
		cmocka_unit_test(what_matches_nothing_is_warned_of),
		cmocka_unit_test(an_object_twice_names_both_places),
		cmocka_unit_test(manifests_say_what_they_lack),
		cmocka_unit_test(a_generator_must_merge_into_something),
		cmocka_unit_test(a_replacement_needs_one_source_and_its_fields),
		cmocka_unit_test(an_unknown_transformer_is_refused),
		cmocka_unit_test(a_plain_folder_renders_its_manifests),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
