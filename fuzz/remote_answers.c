/* What a hostile Git server may answer. The first byte says to which question; the stream of a
 * fetch comes in two pieces, cut where the second byte says. */
#include "../src/remote/remote_priv.h"

static struct err *take(void *arg, str bytes)
{
	size_t *n = arg;

	*n += bytes.n;
	return NULL;
}

static void tell(void *arg UNUSED, str line)
{
	if (str_utf8_bad(line) != SIZE_MAX)
		__builtin_trap();
}

static void edge(void *arg UNUSED, str oid, bool shallow UNUSED)
{
	if (!remote_is_id(oid))
		__builtin_trap();
}

static struct err *stream(str body, size_t cut)
{
	static const struct remote_fetch_calls calls = {
		.pack = take, .progress = tell, .boundary = edge};
	size_t n = 0;
	struct remote_stream s = {.where = STR("h:1"), .calls = &calls, .arg = &n};
	struct err *e = remote_stream_feed(&s, str_sub(body, 0, cut));

	if (!e)
		e = remote_stream_feed(&s, str_sub(body, cut, SIZE_MAX));
	if (!e)
		e = remote_stream_end(&s);
	if (n > body.n)
		__builtin_trap();
	remote_stream_done(&s);
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct remote_refs refs = {0};
	struct remote_caps caps;
	struct remote_url url;
	struct err *e = NULL;
	str body;

	if (n < 2)
		return 0;
	body = str_n((const char *)data + 2, n - 2);
	switch (data[0] % 4) {
	case 0:
		e = remote_caps_parse(body, STR("h:1"), &caps);
		break;
	case 1:
		e = remote_refs_parse(a, body, STR("h:1"), &refs);
		for (size_t i = 0; i < refs.n; i++) {
			if (!remote_is_id(refs.p[i].oid) ||
			    str_utf8_bad(refs.p[i].name) != SIZE_MAX)
				__builtin_trap();
		}
		break;
	case 2:
		e = stream(body, data[1]);
		break;
	case 3:
		if (remote_url_parse(body, &url) &&
		    (!url.host.n || str_contains(url.host, STR("@"))))
			__builtin_trap();
		break;
	}
	err_free(e);
	return 0;
}
