#include "leeboard/object.h"
#include <setjmp.h>

#include <cmocka.h>

struct pair {
	const char *a, *b;
};

static void the_same_value_in_another_spelling_is_equal(void **state)
{
	static const struct pair same[] = {
		{"0.5", "500m"},    {"1000m", "1"},   {"1024Mi", "1Gi"},
		{"1.50", "1500m"},  {"1", "1.000"},   {"1k", "1000"},
		{"0.5Gi", "512Mi"}, {"1e3", "10E2"},  {"1e-3", "10e-4"},
		{"0", "0m"},        {"-0", "0"},      {"-1", "-1000m"},
		{"+5", "5"},        {"1E", "1000P"},  {"1e+2", "100e0"},
		{"0Ki", "0Gi"},     {"1n", "0.001u"}, {"1000000000n", "1.0"},
		{"00012", "12"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		if (!obj_quantity_equal(str_from(same[i].a), str_from(same[i].b)))
			fail_msg("%s and %s", same[i].a, same[i].b);
}

static void another_value_or_family_is_not_equal(void **state)
{
	static const struct pair other[] = {
		{"1", "2"},          {"1Gi", "1073741824"},
		{"1G", "1Gi"},       {"1", "-1"},
		{"1e3", "1k"},       {"1e99", "1e-99"},
		{"1m", "1M"},        {"9007199254740993", "9007199254740992"},
		{"1Ki", "1.0001Ki"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		if (obj_quantity_equal(str_from(other[i].a), str_from(other[i].b)))
			fail_msg("%s and %s", other[i].a, other[i].b);
}

static void what_is_no_quantity_equals_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"-",
		".",
		"Gi",
		"1gi",
		"1 Gi",
		"1.2.3",
		"1e",
		"1e1.5",
		"1e+-2",
		"0x10",
		"1Zi",
		"1e100",
		"one",
		"1mi",
		"--1",
		"11111111111111111111111111111111111111111111111111111111111111111",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (obj_quantity_equal(str_from(bad[i]), str_from(bad[i])))
			fail_msg("%s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_value_in_another_spelling_is_equal),
		cmocka_unit_test(another_value_or_family_is_not_equal),
		cmocka_unit_test(what_is_no_quantity_equals_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
