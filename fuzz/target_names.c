/* File names of objects, whatever they are called: RFC 1123 subdomains of at most DIR_MAX_NAME
 * bytes that lead nowhere but into the folder, and different ones for different objects. */
#include "../src/target/dir_priv.h"
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	hash_init();
	return 0;
}

static void must(bool b)
{
	if (!b)
		abort();
}

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static void check(str s)
{
	must(s.n > 5 && s.n <= DIR_MAX_NAME && str_ends(s, STR(".yaml")));
	for (size_t i = 0; i < s.n; i++) {
		bool edge = !i || i + 1 == s.n || s.p[i - 1] == '.' || s.p[i + 1] == '.';

		must(plain(s.p[i]) || (!edge && (s.p[i] == '-' || s.p[i] == '.')));
	}
}

/* group, kind, namespace, name: each ends at a NUL; then the same of another object. */
static obj_id take(str *rest)
{
	str part[4] = {STR(""), STR(""), STR(""), STR("")};

	for (size_t i = 0; i < 4; i++)
		if (!str_split(rest, '\0', &part[i]))
			part[i] = STR("");
	return (obj_id){part[0], part[1], part[2], part[3]};
}

/* Where two may share a file name: kinds that differ in case alone. */
static bool same_file(obj_id x, obj_id y)
{
	if (!str_eq(x.group, y.group) || !str_eq(x.ns, y.ns) || !str_eq(x.name, y.name) ||
	    x.kind.n != y.kind.n)
		return false;
	for (size_t i = 0; i < x.kind.n; i++)
		if ((x.kind.p[i] | 0x20) != (y.kind.p[i] | 0x20))
			return false;
	return true;
}

/* Dots may move between parts ("a.b" in "c" and "a" in "b.c"): a target says so as a conflict.
 * Names of Kubernetes' groups, kinds and namespaces do not let it happen. */
static bool has_dot(obj_id id)
{
	return str_contains(id.kind, STR(".")) || str_contains(id.ns, STR(".")) ||
	       !str_contains(id.group, STR(".")) || !id.ns.n || str_contains(id.name, STR("."));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct app_target by_default = {
		.file_name = STR("{kind}.{group}.{namespace}.{name}.yaml")};
	const struct app_target by_app = {.file_name = STR("{app}-{name}.yaml")};
	str rest = arena_str(a, str_n((const char *)p, n));
	obj_id x = take(&rest), y = take(&rest);
	str one = dir_name(a, &by_default, STR("app"), x),
	    two = dir_name(a, &by_default, STR("app"), y);

	check(one);
	check(two);
	check(dir_name(a, &by_app, x.name, y));
	must(str_eq(one, dir_name(a, &by_default, STR("other"), x)));
	if (str_eq(one, two) && !has_dot(x) && !has_dot(y))
		must(same_file(x, y));
	return 0;
}
