/* Any bytes as the armour of a signature, and as the blob inside one. */
#include "leeboard/trust.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(str armour)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct trust_fault fault = {.verdict = TRUST_GOOD};
	struct trust_sshsig sig;

	if (trust_sshsig_parse(a, armour, &sig, &fault)) {
		(void)trust_fingerprint(a, sig.key);
		if (trust_sshsig_verify(&sig, STR("payload\n"), STR("git"), &fault))
			return;
	}
	assert(fault.verdict != TRUST_GOOD && fault.detail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	judge(str_n((const char *)data, size));
	buf_str(&b, STR("-----BEGIN SSH SIGNATURE-----\n"));
	buf_base64(&b, data, size);
	buf_str(&b, STR("\n-----END SSH SIGNATURE-----\n"));
	judge(buf_view(&b));
	return 0;
}
