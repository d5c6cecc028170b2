/* Whatever YAML is accepted prints as YAML and JSON that read back as the same data. */
#include "leeboard/node.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* .inf and .nan have no JSON. */
static bool has_json(const struct node *n)
{
	double d;

	if (n->kind == NODE_FLOAT)
		return node_number(n, &d) && d - d == 0;
	for (size_t i = 0; (n->kind == NODE_LIST || n->kind == NODE_MAP) && i < n->n; i++) {
		if (!has_json(n->kind == NODE_LIST ? n->items[i] : n->pairs[i].value))
			return false;
	}
	return true;
}

static void same(struct arena *a, const struct node *was, const struct node *now, struct err *e,
		 const struct buf *b)
{
	(void)a;
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
	CLEANUP(arena) struct arena *a = arena_new();
	struct text in = {.name = STR("in"), .bytes = {(const char *)p, n}};
	struct node_docs docs = {0};
	struct err *e = node_read_yaml(a, &in, &docs);

	if (e) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_print(e, &b);
		err_free(e);
		return 0;
	}
	for (size_t i = 0; i < docs.n; i++) {
		CLEANUP(buf) struct buf b = BUF_INIT, j = BUF_INIT;
		struct node_docs again = {0};
		const struct node *d = docs.p[i], *json = NULL;
		struct text out = {.name = STR("out")};

		node_yaml(node_sorted_natural(a, d), &b);
		out.bytes = buf_view(&b);
		e = node_read_yaml(a, &out, &again);
		same(a, d, again.n == 1 ? again.p[0] : NULL, e, &b);
		if (!has_json(d))
			continue;
		node_json(d, i % 2 ? NODE_JSON_CANONICAL : NODE_JSON_INDENT, &j);
		out.bytes = buf_view(&j);
		e = node_read_json(a, &out, &json);
		same(a, d, json, e, &j);
	}
	return 0;
}
