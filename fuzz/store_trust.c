/* Any bytes as a trust record; what is read prints and reads back the same. The hash stops nearly
 * all inputs, so the same bytes are also tried as the JSON under a right one. */
#include "leeboard/store.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(struct arena *a, const struct store_trust *t, uint64_t serial)
{
	CLEANUP(buf) struct buf one = BUF_INIT;
	CLEANUP(buf) struct buf two = BUF_INIT;
	struct store_trust back;
	uint64_t n;
	struct err *e;

	store_trust_print(t, serial, &one);
	e = store_trust_parse(a, buf_view(&one), &n, &back);
	assert(!e || one.n > STORE_MAX_TRUST);
	err_free(e);
	if (one.n > STORE_MAX_TRUST)
		return;
	assert(n == serial);
	store_trust_print(&back, serial, &two);
	assert(str_eq(buf_view(&one), buf_view(&two)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str bytes = str_n((const char *)data, size), head, whole, hex;
	struct store_trust t;
	uint64_t serial;
	struct err *e = store_trust_parse(a, bytes, &serial, &t);

	if (e)
		assert(err_code(e) == ERR_INVALID || err_code(e) == ERR_NOT_SUPPORTED);
	else
		again(a, &t, serial);
	err_free(e);
	head = arena_printf(a, "leeboard-trust 1 3 %zu", size);
	hex = hash_hex(a, hash_blake2b(NULL, STR("leeboard/trust-record/1"),
				       arena_printf(a, STR_FMT "\n" STR_FMT, STR_ARG(head),
						    STR_ARG(bytes))));
	whole = arena_printf(a, STR_FMT " " STR_FMT "\n" STR_FMT "\n", STR_ARG(head), STR_ARG(hex),
			     STR_ARG(bytes));
	e = store_trust_parse(a, whole, &serial, &t);
	if (!e)
		again(a, &t, serial);
	err_free(e);
	return 0;
}
