#include "leeboard/base.h"
#include <setjmp.h>

#include <cmocka.h>

static void check_hex(const void *p, size_t n, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_hex(&b, p, n);
	assert_string_equal(b.p, want);
}

static void sha256_of_abc_is_that_of_fips_180_4(void **state)
{
	struct hash h = hash_sha256(STR("abc"));

	(void)state;
	check_hex(h.b, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 4231, cases 2 and 6: a short key, and one longer than a block. */
static void hmac_sha256_follows_rfc_4231(void **state)
{
	uint8_t mac[32];
	char key[131];

	(void)state;
	hash_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), mac);
	check_hex(mac, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hash_hmac_sha256(str_n(key, sizeof(key)),
			 STR("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
	check_hex(mac, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* Expected by Python 3.11: hashlib.blake2b(b"t\0abc", digest_size=32, key=...). */
static void blake2b_covers_the_tag_and_the_key(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	uint8_t key[32];
	struct hash plain, keyed, other;

	(void)state;
	for (size_t i = 0; i < 32; i++)
		key[i] = (uint8_t)i;
	plain = hash_blake2b(NULL, STR("t"), STR("abc"));
	keyed = hash_blake2b(key, STR("t"), STR("abc"));
	other = hash_blake2b(NULL, STR("ta"), STR("bc"));
	assert_string_equal(hash_hex(a, plain).p,
			    "4413dffcc2f599414c5b3d368b57c8233b85221119e9446fbb379f3f6a358eb7");
	assert_string_equal(hash_hex(a, keyed).p,
			    "a9b69aec16fa47ce7b0a8e3eb0ca0b6cced03cbc5abe6fd997e7f51da21f22d5");
	assert_false(hash_eq(&plain, &other));
	assert_true(hash_eq(&plain, &plain));
}

static void secrets_are_compared_and_wiped(void **state)
{
	char s[4] = "abc";

	(void)state;
	assert_true(mem_equal_const_time("abc", s, 3));
	assert_false(mem_equal_const_time("abd", s, 3));
	mem_wipe(s, sizeof(s));
	assert_memory_equal(s, "\0\0\0\0", 4);
}

static void random_numbers_stay_below_their_bound(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint32_t v = random_below(5);

		assert_in_range(v, 0, 4);
		seen |= 1U << v;
	}
	assert_int_equal(seen, 31);
	assert_int_equal(random_below(1), 0);
	assert_int_equal(random_below(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_of_abc_is_that_of_fips_180_4),
		cmocka_unit_test(hmac_sha256_follows_rfc_4231),
		cmocka_unit_test(blake2b_covers_the_tag_and_the_key),
		cmocka_unit_test(secrets_are_compared_and_wiped),
		cmocka_unit_test(random_numbers_stay_below_their_bound),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
