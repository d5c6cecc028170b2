/* Whatever JSON is accepted prints as JSON and as YAML that read back as the same data; its text is
 * YAML too. */
#include "leeboard/node.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void same(const struct node *was, const struct node *now, struct err *e, const struct buf *b)
{
	if (e) {
		CLEANUP(buf) struct buf t = BUF_INIT;

		err_print(e, &t);
		fprintf(stderr, "%s\n%s\n", t.p, b->p);
		abort();
	}
	if (!now || !node_equal(was, now)) {
		fprintf(stderr, "not the same: %s\n", b->p);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const enum node_json how[] = {NODE_JSON_COMPACT, NODE_JSON_CANONICAL,
					     NODE_JSON_INDENT};
	CLEANUP(arena) struct arena *a = arena_new();
	struct text in = {.name = STR("in"), .bytes = {(const char *)p, n}};
	const struct node *d = NULL;
	struct err *e = node_read_json(a, &in, &d);

	if (e) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_print(e, &b);
		err_free(e);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		CLEANUP(buf) struct buf b = BUF_INIT;
		struct text out = {.name = STR("out")};
		const struct node *again = NULL;

		node_json(d, how[i], &b);
		out.bytes = buf_view(&b);
		e = node_read_json(a, &out, &again);
		same(d, again, e, &b);
	}
	return 0;
}
