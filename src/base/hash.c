/* hash: libsodium behind our own names. */
#include "base_priv.h"
#include "leeboard/base.h"
#include <errno.h>
#include <sodium.h>
#include <sys/random.h>

/* The one accepted exception to "no globals": str_hash is called with nothing but a string, from
 * every table of the program, and its key must differ per process so that nobody can prepare keys
 * that collide. Written once, by hash_init or by the first str_hash; whichever of two threads loses
 * the race waits for the other's key, so all hashes of a process agree. */
static unsigned char table_key[crypto_shorthash_KEYBYTES];
static int table_key_state; /* 0 none, 1 being made, 2 there */

_Static_assert(HASH_LEN == crypto_generichash_BYTES, "BLAKE2b-256");

/* getrandom needs no descriptor, so it works in a sandbox and before sodium_init. */
void random_bytes(void *p, size_t n)
{
	char *out = p;

	while (n) {
		ssize_t got = getrandom(out, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			base_die("no random numbers from the system");
		out += got;
		n -= (size_t)got;
	}
}

static void make_table_key(void)
{
	int none = 0;

	if (__atomic_compare_exchange_n(&table_key_state, &none, 1, false, __ATOMIC_ACQUIRE,
					__ATOMIC_ACQUIRE)) {
		random_bytes(table_key, sizeof(table_key));
		__atomic_store_n(&table_key_state, 2, __ATOMIC_RELEASE);
	}
	while (__atomic_load_n(&table_key_state, __ATOMIC_ACQUIRE) != 2)
		;
}

void hash_init(void)
{
	if (sodium_init() < 0)
		base_die("no random numbers from the system");
	make_table_key();
}

uint64_t str_hash(str s)
{
	unsigned char out[crypto_shorthash_BYTES];
	uint64_t v;

	if (__atomic_load_n(&table_key_state, __ATOMIC_ACQUIRE) != 2)
		make_table_key();
	crypto_shorthash(out, (const unsigned char *)(s.p ? s.p : ""), s.n, table_key);
	memcpy(&v, out, sizeof(v));
	return v;
}

/* Unkeyed is key length 0. */
struct hash hash_blake2b(const uint8_t *key, str tag, str bytes)
{
	crypto_generichash_state st;
	struct hash h;

	crypto_generichash_init(&st, key, key ? HASH_LEN : 0, HASH_LEN);
	if (tag.n)
		crypto_generichash_update(&st, (const unsigned char *)tag.p, tag.n);
	crypto_generichash_update(&st, (const unsigned char *)"", 1);
	if (bytes.n)
		crypto_generichash_update(&st, (const unsigned char *)bytes.p, bytes.n);
	crypto_generichash_final(&st, h.b, HASH_LEN);
	sodium_memzero(&st, sizeof(st));
	return h;
}

struct hash hash_sha256(str bytes)
{
	struct hash h;

	crypto_hash_sha256(h.b, (const unsigned char *)(bytes.p ? bytes.p : ""), bytes.n);
	return h;
}

void hash_hmac_sha256(str key, str bytes, uint8_t ret[32])
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, (const unsigned char *)(key.p ? key.p : ""), key.n);
	if (bytes.n)
		crypto_auth_hmacsha256_update(&st, (const unsigned char *)bytes.p, bytes.n);
	crypto_auth_hmacsha256_final(&st, ret);
	sodium_memzero(&st, sizeof(st));
}

str hash_hex(struct arena *a, struct hash h)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_hex(&b, h.b, HASH_LEN);
	return arena_str(a, buf_view(&b));
}

bool hash_eq(const struct hash *a, const struct hash *b)
{
	return memcmp(a->b, b->b, HASH_LEN) == 0;
}

bool mem_equal_const_time(const void *a, const void *b, size_t n)
{
	return sodium_memcmp(a, b, n) == 0;
}

void mem_wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}

uint32_t random_below(uint32_t n)
{
	uint32_t v, least;

	if (n < 2)
		return 0;
	least = -n % n; /* 2^32 mod n: below it the remainders are not even */
	do
		random_bytes(&v, sizeof(v));
	while (v < least);
	return v % n;
}
