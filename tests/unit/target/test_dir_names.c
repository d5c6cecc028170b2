#include "dir_test.h"

static const char by_default[] = "{kind}.{group}.{namespace}.{name}.yaml";

static void names_are_subdomains_whatever_the_object_is_called(void **state)
{
	static const struct {
		const char *pattern, *group, *kind, *ns, *name, *want;
	} rows[] = {
		{by_default, "apps", "Deployment", "shop", "web", "deployment.apps.shop.web.yaml"},
		{by_default, "", "ConfigMap", "shop", "web", "configmap.shop.web.yaml"},
		{by_default, "", "Namespace", "", "shop", "namespace.shop.yaml"},
		{by_default, "", "ConfigMap", "shop", "a.b-c--d", "configmap.shop.a.b-c--d.yaml"},
		{by_default, "rbac.authorization.k8s.io", "ClusterRole", "", "system:node",
		 "clusterrole.rbac.authorization.k8s.io.system-x3anode-d27f8a655d66b404.yaml"},
		{by_default, "rbac.authorization.k8s.io", "ClusterRole", "", "system-x3anode",
		 "clusterrole.rbac.authorization.k8s.io.system-x3anode.yaml"},
		{by_default, "", "ConfigMap", "s", "Web",
		 "configmap.s.x57eb-0c76d328ecad3385.yaml"},
		{by_default, "", "ConfigMap", "s", "-a.-b-",
		 "configmap.s.x2da-x2e-x2db-x2d-f26162ec5e32b67b.yaml"},
		{"{namespace}.{kind}.{name}.yml", "", "Namespace", "", "shop",
		 "namespace.shop.yml"},
		{"{name}-{namespace}.json", "", "Namespace", "", "shop", "shop.json"},
		{"{app}.yaml", "", "ConfigMap", "shop", "web", "team-x2fapp-8207107b7168f869.yaml"},
		{"a-{name}-z.yaml", "", "ConfigMap", "shop", "web", "a-web-z.yaml"},
	};
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf all = BUF_INIT;
	CLEANUP(buf) struct buf want = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app_target where = {.file_name = str_from(rows[i].pattern)};
		obj_id id = {str_from(rows[i].group), str_from(rows[i].kind), str_from(rows[i].ns),
			     str_from(rows[i].name)};

		buf_printf(&all, STR_FMT "\n", STR_ARG(dir_name(a, &where, STR("team/app"), id)));
		buf_printf(&want, "%s\n", rows[i].want);
	}
	assert_string_equal(all.p, want.p);
}

static void a_long_name_is_cut_and_told_apart_by_a_hash(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct app_target where = {.file_name = str_from(by_default)};
	char name[254];
	obj_id id = {STR(""), STR("ConfigMap"), STR("shop"), {name, 253}};
	str one, two;

	(void)state;
	memset(name, 'a', sizeof(name));
	one = dir_name(a, &where, STR_NONE, id);
	name[252] = 'b';
	two = dir_name(a, &where, STR_NONE, id);
	assert_int_equal(one.n, DIR_MAX_NAME);
	assert_int_equal(two.n, DIR_MAX_NAME);
	assert_false(str_eq(one, two));
	assert_true(str_starts(two, STR("configmap.shop.aaaaaaaa")) && str_ends(two, STR(".yaml")));
}

static void a_pattern_that_gives_no_names_is_refused(void **state)
{
	static const struct {
		const char *pattern, *want;
		int layout;
	} rows[] = {
		{"{kind}.txt", "'target.fileName' must end in '.yaml', '.yml' or '.json'",
		 LAYOUT_OBJECT},
		{"{app}.json",
		 "'target.fileName' ends in '.json', and a JSON file holds one object: write "
		 "'.yaml' "
		 "with layout 'app'",
		 LAYOUT_APP},
		{"{kind.yaml", "'target.fileName': '{' and '}' do not pair", LAYOUT_OBJECT},
		{"{verson}.yaml",
		 "'target.fileName' has no part '{verson}' (there are: {kind}, {group}, "
		 "{namespace}, "
		 "{name}, {app})",
		 LAYOUT_OBJECT},
		{"x/{name}.yaml",
		 "'target.fileName' may have lower case letters, digits, '-' and '.' between its "
		 "parts, and no label may begin or end with '-'",
		 LAYOUT_OBJECT},
		{"{name}_.yaml",
		 "'target.fileName' may have lower case letters, digits, '-' and '.' between its "
		 "parts, and no label may begin or end with '-'",
		 LAYOUT_OBJECT},
		{"-.yaml",
		 "'target.fileName' may have lower case letters, digits, '-' and '.' between its "
		 "parts, and no label may begin or end with '-'",
		 LAYOUT_OBJECT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app_target where = {.file_name = str_from(rows[i].pattern),
					   .layout = rows[i].layout};
		CLEANUP(err) struct err *e = dir_pattern_check(&where);

		assert_non_null(e);
		check_text(err_message(e), rows[i].want);
	}
}

static void a_folder_that_others_read_holds_no_state(void **state)
{
	static const struct {
		const char *folder, *given, *want;
		bool inside;
	} rows[] = {
		{"/srv/live/", "", "/srv/live/.leeboard", true},
		{"/srv/live", "/srv/state/", "/srv/state", false},
		{"/var/lib/rancher/k3s/server/manifests", "",
		 "/var/lib/leeboard/targets/f8cbde0b7b89d5cd", false},
		{"/etc/kubernetes/manifests", "", "/var/lib/leeboard/targets/ea3d3a6bd0c1ccc8",
		 false},
	};
	CLEANUP(arena) struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app_target where = {.directory = str_from(rows[i].folder),
					   .state = str_from(rows[i].given)};
		bool inside, given;
		str got = dir_state_path(a, &where, STR("/var/lib/leeboard"), &inside, &given);

		if (str_starts(str_from(rows[i].want), STR("/var/lib/leeboard/targets/"))) {
			assert_true(str_starts(got, STR("/var/lib/leeboard/targets/")));
			assert_int_equal(got.n, strlen(rows[i].want));
		} else {
			check_text(got, rows[i].want);
		}
		assert_int_equal(inside, rows[i].inside);
		assert_int_equal(given, *rows[i].given != '\0');
	}
}

static void apps_of_one_folder_share_a_target(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct app_target one = {.kind = TARGET_DIRECTORY,
				 .directory = STR("/srv/live"),
				 .file_name = str_from(by_default)},
			  two = one;

	(void)state;
	two.directory = STR("/srv/live/");
	assert_true(str_eq(target_key(a, &one), target_key(a, &two)));
	two.layout = LAYOUT_APP;
	assert_false(str_eq(target_key(a, &one), target_key(a, &two)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_subdomains_whatever_the_object_is_called),
		cmocka_unit_test(a_long_name_is_cut_and_told_apart_by_a_hash),
		cmocka_unit_test(a_pattern_that_gives_no_names_is_refused),
		cmocka_unit_test(a_folder_that_others_read_holds_no_state),
		cmocka_unit_test(apps_of_one_folder_share_a_target),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
