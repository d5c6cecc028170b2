/* Any bytes as an allowed_signers file: all of it or nothing. */
#include "leeboard/trust.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(trust_signers) struct trust_signers *s = trust_signers_new();
	const struct text file = {STR("signers"), str_n((const char *)data, size)};
	const int64_t now = 1700000000;
	struct err *e = trust_signers_add(s, &file);
	const char *detail;
	str principal;

	if (e)
		assert(trust_signers_count(s) == 0 && err_message(e).n > 0);
	err_free(e);
	assert(trust_signers_judge(s, STR("no key"), STR("git"), &now, 1, &principal, &detail) ==
	       TRUST_KEY_NOT_ALLOWED);
	return 0;
}
