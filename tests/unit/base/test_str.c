#include "leeboard/base.h"
#include <setjmp.h>

#include <cmocka.h>

static void split_gives_empty_parts_and_then_ends(void **state)
{
	str rest = STR("a,,b,"), part;

	(void)state;
	assert_true(str_split(&rest, ',', &part) && str_eq(part, STR("a")));
	assert_true(str_split(&rest, ',', &part) && str_eq(part, STR("")));
	assert_true(str_split(&rest, ',', &part) && str_eq(part, STR("b")));
	assert_true(str_split(&rest, ',', &part) && str_eq(part, STR("")));
	assert_false(str_split(&rest, ',', &part));
}

static void searching_and_cutting_stay_in_bounds(void **state)
{
	(void)state;
	assert_int_equal(str_find(STR("kustomize"), STR("tom")), 3);
	assert_true(str_find(STR("ku"), STR("kus")) == SIZE_MAX);
	assert_int_equal(str_rchr(STR("a/b/c"), '/'), 3);
	assert_true(str_chr(STR_NONE, '/') == SIZE_MAX);
	assert_true(str_eq(str_sub(STR("abc"), 1, 99), STR("bc")));
	assert_true(str_eq(str_sub(STR("abc"), 9, 1), STR("")));
	assert_true(str_eq(str_trim(STR(" \t x y \r\n")), STR("x y")));
	assert_true(str_starts(STR("ab"), STR("")) && str_ends(STR("ab"), STR("b")));
	assert_true(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("b"), STR("ab")) > 0);
	assert_int_equal(str_cmp(STR_NONE, STR("")), 0);
}

static void numbers_are_the_whole_string_or_nothing(void **state)
{
	uint64_t u;
	int64_t i;

	(void)state;
	assert_true(str_to_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
	assert_false(str_to_u64(STR("18446744073709551616"), &u));
	assert_false(str_to_u64(STR(""), &u) || str_to_u64(STR("+1"), &u) ||
		     str_to_u64(STR("1 "), &u));
	assert_true(str_to_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
	assert_true(str_to_i64(STR("9223372036854775807"), &i) && i == INT64_MAX);
	assert_false(str_to_i64(STR("9223372036854775808"), &i) || str_to_i64(STR("-"), &i));
}

static void bad_utf8_is_found_where_it_is(void **state)
{
	(void)state;
	assert_true(str_utf8_bad(STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")) == SIZE_MAX);
	assert_int_equal(str_utf8_bad(STR("ab\xc0\x80")), 2); /* overlong */
	assert_int_equal(str_utf8_bad(STR("\xe0\x9f\xbf")), 0);
	assert_int_equal(str_utf8_bad(STR("\xf0\x8f\xbf\xbf")), 0);
	assert_int_equal(str_utf8_bad(STR("a\xed\xa0\x80")), 1); /* surrogate */
	assert_int_equal(str_utf8_bad(STR("\xf4\x90\x80\x80")), 0);
	assert_int_equal(str_utf8_bad(STR("abc\xe2\x82")), 3); /* cut short */
	assert_int_equal(str_utf8_bad(STR("a\0b")), 1);
	assert_int_equal(str_utf8_bad(STR("12345678123\0005678")), 11);
	assert_int_equal(str_utf8_bad(STR("12345678\x01"
					  "2345\xff"
					  "78")),
			 13);
	assert_true(str_utf8_bad(STR("12345678\x01"
				     "2345\x7f"
				     "\xc3\xa4")) == SIZE_MAX);
}

static void the_nearest_name_is_within_a_third(void **state)
{
	static const str names[] = {STR("kind"), STR("interval"), STR("labelSelector"),
				    STR("prune")};

	(void)state;
	assert_true(str_eq(str_nearest(STR("intervall"), names, 4), STR("interval")));
	assert_true(str_eq(str_nearest(STR("knid"), names, 4), STR("kind")));
	assert_null(str_nearest(STR("label"), names, 4).p);
	assert_null(str_nearest(STR("xy"), names, 4).p);
	assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 9), 3);
	assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 3), 3);
	assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 2), 3);
	assert_int_equal(str_distance(STR("ab"), STR("ba"), 5), 1);
	assert_int_equal(str_distance(STR(""), STR("abc"), 5), 3);
	assert_int_equal(str_distance(STR("abc"), STR(""), 5), 3);
	assert_int_equal(str_distance(STR("a"), STR("a"), 0), 0);
	assert_int_equal(str_distance(STR("a"), STR("b"), 0), 1);
}

static void equal_strings_hash_alike(void **state)
{
	(void)state;
	assert_true(str_hash(STR("web")) == str_hash(str_n("website", 3)));
	assert_true(str_hash(STR("web")) != str_hash(STR("wec")));
	assert_true(str_hash(STR_NONE) == str_hash(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_gives_empty_parts_and_then_ends),
		cmocka_unit_test(searching_and_cutting_stay_in_bounds),
		cmocka_unit_test(numbers_are_the_whole_string_or_nothing),
		cmocka_unit_test(bad_utf8_is_found_where_it_is),
		cmocka_unit_test(the_nearest_name_is_within_a_third),
		cmocka_unit_test(equal_strings_hash_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
