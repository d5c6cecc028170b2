/* What a stranger sends to a daemon, before anybody asked who it is: the request target, a body,
 * and headers that are judged by hand. Lines: target, header, the rest is the body. */
#include "web/web_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str rest = str_n((const char *)data, n), uri = STR(""), header = STR("");
	const char *allow = NULL, *why = NULL;
	struct web_target t;
	struct text body = {STR("<body>"), STR("")};
	const struct node *args;

	if (n > 65536)
		return 0;
	if (str_split(&rest, '\n', &uri) && str_split(&rest, '\n', &header))
		body.bytes = rest;
	for (int post = 0; post < 2; post++) {
		unsigned status = web_target_read(a, uri, post, &t, &allow, &why);

		if ((status == 200) != !why || (status == 405 && !allow))
			__builtin_trap();
		if (status == 200 && str_utf8_bad(t.name) != SIZE_MAX)
			__builtin_trap();
	}
	CLEANUP(err) struct err *e = web_body_read(a, &body, &args);

	if (!e && args && args->kind != NODE_MAP)
		__builtin_trap();
	(void)web_bearer(header);
	(void)web_host_is_local(header);
	return 0;
}
