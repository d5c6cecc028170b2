/* Two YAML documents: something, and a JSON patch to it. What comes out prints and reads again. */
#include "leeboard/node.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT, was = BUF_INIT, is = BUF_INIT;
	struct text in = {.name = STR("in"), .bytes = {(const char *)p, n}},
		    out = {STR("out"), {0}};
	struct node_docs docs = {0}, again = {0};
	const struct node *got = NULL;
	CLEANUP(err) struct err *e = node_read_yaml(a, &in, &docs);

	if (e || docs.n != 2)
		return 0;
	node_json(docs.p[0], NODE_JSON_COMPACT, &was);
	(void)node_merge_json(a, docs.p[0], docs.p[1]);
	e = node_patch_json(a, docs.p[0], docs.p[1], &got);
	node_json(docs.p[0], NODE_JSON_COMPACT, &is);
	if (!str_eq(buf_view(&was), buf_view(&is)))
		abort(); /* trees do not change */
	if (e)
		return 0;
	node_yaml(got, &b);
	out.bytes = buf_view(&b);
	e = node_read_yaml(a, &out, &again);
	if (e || again.n != 1 || !node_equal(got, again.p[0]))
		abort();
	return 0;
}
