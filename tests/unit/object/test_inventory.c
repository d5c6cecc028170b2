#include "leeboard/object.h"
#include <setjmp.h>

#include <cmocka.h>

static void check_str(str got, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_str(&b, got);
	assert_string_equal(b.p ? b.p : "", want);
}

static void check_print(const struct inventory *inv, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	inventory_print(inv, &b);
	check_str(buf_view(&b), want);
}

static void check_err(struct err *e, enum err_code code, const char *want)
{
	CLEANUP(err) UNUSED struct err *mine = e;
	CLEANUP(buf) struct buf b = BUF_INIT;

	assert_non_null(e);
	err_line_to(e, &b);
	check_str(buf_view(&b), want);
	assert_int_equal(err_code(e), code);
}

static obj_id id(const char *s)
{
	obj_id ret;

	assert_true(obj_id_parse(str_from(s), &ret));
	return ret;
}

static struct inv_entry entry(const char *s, enum inv_state state)
{
	return (struct inv_entry){id(s), STR("v1"), STR(""), INV_CREATED, state};
}

#define LINES                                                                                      \
	"/ConfigMap/shop/web\tv1\t\tc\tp\n"                                                        \
	"/Namespace//shop\tv1\t0b0e\ta\tk\n"                                                       \
	"apps/Deployment/shop/api\tv1\tu-1\tc\td\n"                                                \
	"apps/Deployment/shop/web\tv1\tu-2\tc\tl\n"

static void an_inventory_is_lines_and_back(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct text t = {STR("inventory.tsv"), STR(LINES)};
	struct inventory inv;

	(void)state;
	assert_null(inventory_parse(a, &t, &inv));
	assert_int_equal(inv.n, 4);
	check_print(&inv, LINES);

	const struct inv_entry *e = inventory_get(&inv, id("/Namespace//shop"));

	assert_non_null(e);
	check_str(e->version, "v1");
	check_str(e->uid, "0b0e");
	assert_int_equal(e->origin, INV_ADOPTED);
	assert_int_equal(e->state, INV_KEPT);
	assert_null(inventory_get(&inv, id("/Namespace//shoq")));
	assert_null(inventory_get(&inv, id("z/Z//z")));
	assert_null(inventory_get(&inv, id("/A//a")));
}

static void an_empty_text_is_an_empty_inventory(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct text t = {STR("inventory.tsv"), STR("")};
	struct inventory inv;

	(void)state;
	assert_null(inventory_parse(a, &t, &inv));
	assert_int_equal(inv.n, 0);
	check_print(&inv, "");
	assert_null(inventory_get(&inv, id("/A//a")));
}

static void lines_in_another_order_are_sorted(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct text t = {STR("i"), STR("/B//b\tv1\t\tc\tl\n/A//a\tv1\t\tc\tl")};
	struct inventory inv;

	(void)state;
	assert_null(inventory_parse(a, &t, &inv));
	check_print(&inv, "/A//a\tv1\t\tc\tl\n/B//b\tv1\t\tc\tl\n");
}

static void a_bad_line_is_an_error_with_its_place(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"\n", "i:1:1: not a line of an inventory: it has fewer than 5 parts"},
		{"/A//a\tv1\t\tc\tl\n\n",
		 "i:2:1: not a line of an inventory: it has fewer than 5 parts"},
		{"/A//a\tv1\t\tc\n",
		 "i:1:1: not a line of an inventory: it has fewer than 5 parts"},
		{"/A//a\tv1\t\tc\tl\t\n",
		 "i:1:1: not a line of an inventory: it has more than 5 parts"},
		{"/A/a\tv1\t\tc\tl\n", "i:1:1: not a line of an inventory: the first part is no "
				       "'group/Kind/namespace/name'"},
		{"/A//a\t\t\tc\tl\n",
		 "i:1:1: not a line of an inventory: the second part is no version"},
		{"/A//a\tv 1\t\tc\tl\n",
		 "i:1:1: not a line of an inventory: the second part is no version"},
		{"/A//a\tv1\tu u\tc\tl\n",
		 "i:1:1: not a line of an inventory: the third part is no uid"},
		{"/A//a\tv1\t\tx\tl\n",
		 "i:1:1: not a line of an inventory: the fourth part is neither 'c' nor 'a'"},
		{"/A//a\tv1\t\tc\t\n",
		 "i:1:1: not a line of an inventory: the fifth part is none of 'p', 'l', 'd', 'k'"},
		{"/A//a\tv1\t\tc\tl\r\n",
		 "i:1:1: not a line of an inventory: the fifth part is none of 'p', 'l', 'd', 'k'"},
		{"/A//a\tv1\t\tc\tl\n/B//\xff\tv1\t\tc\tl\n",
		 "i:2:1: not a line of an inventory: it is no UTF-8 text"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena) struct arena *a = arena_new();
		struct text t = {STR("i"), str_from(rows[i].text)};
		struct inventory inv;

		check_err(inventory_parse(a, &t, &inv), ERR_INVALID, rows[i].want);
	}
}

static void an_identity_twice_is_an_error(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct text t = {STR("i"), STR("/A//a\tv1\t\tc\tl\n/A//a\tv2\t\tc\tl\n")};
	struct inventory inv;

	(void)state;
	check_err(inventory_parse(a, &t, &inv), ERR_DUPLICATE,
		  "i: an inventory that names '/A//a' twice");
}

static void entries_are_set_replaced_and_deleted_in_order(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct inventory inv = {NULL, 0, 0};

	(void)state;
	inventory_set(a, &inv, entry("/B//b", INV_PENDING));
	inventory_set(a, &inv, entry("/D//d", INV_LIVE));
	inventory_set(a, &inv, entry("/A//a", INV_LIVE));
	inventory_set(a, &inv, entry("/C//c", INV_LIVE));
	inventory_set(a, &inv, entry("/B//b", INV_DELETING));
	check_print(&inv,
		    "/A//a\tv1\t\tc\tl\n/B//b\tv1\t\tc\td\n/C//c\tv1\t\tc\tl\n/D//d\tv1\t\tc\tl\n");

	struct inventory *copy = inventory_dup(a, &inv);

	assert_true(inventory_del(&inv, id("/B//b")));
	assert_false(inventory_del(&inv, id("/B//b")));
	assert_true(inventory_del(&inv, id("/D//d")));
	check_print(&inv, "/A//a\tv1\t\tc\tl\n/C//c\tv1\t\tc\tl\n");
	inventory_set(a, copy, entry("/E//e", INV_LIVE));
	check_print(copy,
		    "/A//a\tv1\t\tc\tl\n/B//b\tv1\t\tc\td\n/C//c\tv1\t\tc\tl\n/D//d\tv1\t\tc\tl\n"
		    "/E//e\tv1\t\tc\tl\n");
}

static void what_was_set_is_copied(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct inventory inv = {NULL, 0, 0};
	char name[] = "web", uid[] = "u1";

	(void)state;
	inventory_set(a, &inv,
		      (struct inv_entry){{STR(""), STR("A"), STR(""), str_from(name)},
					 STR("v1"),
					 str_from(uid),
					 INV_CREATED,
					 INV_LIVE});
	name[0] = uid[0] = 'X';
	check_print(&inv, "/A//web\tv1\tu1\tc\tl\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_inventory_is_lines_and_back),
		cmocka_unit_test(an_empty_text_is_an_empty_inventory),
		cmocka_unit_test(lines_in_another_order_are_sorted),
		cmocka_unit_test(a_bad_line_is_an_error_with_its_place),
		cmocka_unit_test(an_identity_twice_is_an_error),
		cmocka_unit_test(entries_are_set_replaced_and_deleted_in_order),
		cmocka_unit_test(what_was_set_is_copied),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
