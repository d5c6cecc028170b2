/* The event stream that a client reads, in pieces whose sizes the input chooses. */
#include "client/client_priv.h"

static void take(void *arg, uint64_t number, str name, str data)
{
	size_t *n = arg;

	*n += number + name.n + data.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sse s = {0};
	size_t sum = 0;

	for (size_t i = 0; i < n;) {
		size_t piece = (size_t)data[i] % 64 + 1;

		sse_feed(&s, str_sub(str_n((const char *)data, n), i, piece), take, &sum);
		i += piece;
	}
	sse_done(&s);
	return 0;
}
