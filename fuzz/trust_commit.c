/* Any bytes as a commit: parsed or refused, and what is parsed can be put together again. */
#include "leeboard/trust.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(trust_signers) struct trust_signers *nobody = trust_signers_new();
	const struct trust_rules rules = {.signers = nobody, .now = 1700000000 * SECOND};
	str bytes = str_n((const char *)data, size);

	for (size_t id_n = 20; id_n <= 32; id_n += 12) {
		git_id id = {.n = (uint8_t)id_n};
		struct trust_fault fault = {.verdict = TRUST_GOOD};
		struct trust_commit c, again;
		struct trust_result r;
		struct git_links l;

		trust_verify_bytes(a, id, bytes, &rules, &r);
		assert(r.verdict != TRUST_GOOD);
		if (!trust_commit_parse(a, bytes, id_n, &c, &fault)) {
			assert(fault.verdict == TRUST_MALFORMED ||
			       fault.verdict == TRUST_TOO_LARGE);
			continue;
		}
		/* The walk and the judge must see the same graph. */
		assert(git_links_parse(a, bytes, id_n, &l) && git_id_eq(l.tree, c.tree));
		assert(l.n == c.parents_n && l.time == c.committer.time);
		for (size_t i = 0; i < l.n; i++)
			assert(git_id_eq(l.parents[i], c.parents[i]));
		/* A payload is a commit without signatures, and its own payload. */
		assert(trust_commit_parse(a, c.payload, id_n, &again, &fault));
		assert(again.kind == TRUST_NONE && str_eq(again.payload, c.payload));
	}
	return 0;
}
