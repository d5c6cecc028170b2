/* Version ranges are the operator's, versions are tags of a repository: "range\nversion\nversion".
 */
#include "leeboard/remote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(err) struct err *e = NULL;
	const struct remote_range *r;
	struct remote_version x, y;
	str rest = str_n((const char *)data, n), range, one, two;

	if (!str_split(&rest, '\n', &range) || !str_split(&rest, '\n', &one) ||
	    !str_split(&rest, '\n', &two))
		return 0;
	e = remote_range_parse(a, range, &r);
	if (!remote_version_parse(one, &x) || !remote_version_parse(two, &y))
		return 0;
	/* An order, and one that ranges respect: what equals a match is a match. */
	if (remote_version_cmp(&x, &y) != -remote_version_cmp(&y, &x))
		__builtin_trap();
	if (!e && remote_version_cmp(&x, &y) == 0 &&
	    remote_range_matches(r, &x) != remote_range_matches(r, &y))
		__builtin_trap();
	return 0;
}
