/* What a hostile worker may send: each byte string is one datagram to the controller. */
#include "leeboard/worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(err) struct err *e = NULL;
	struct worker_check c;
	struct frame f;
	uint64_t nonce = 0;

	if (n >= FRAME_HEADER)
		memcpy(&nonce, data + 8, sizeof nonce);
	worker_check_init(&c, nonce);
	e = worker_check_frame(&c, str_n((const char *)data, n), &f);
	if (!e && f.type == FRAME_ERROR) {
		CLEANUP(err) struct err *carried = NULL;

		e = worker_read_error(&f, &carried);
	} else if (!e) {
		str s;

		while (!e && f.rest.n)
			e = frame_get_text(&f, &s);
	}
	return 0;
}
