/* places.c: a tree with its places as JSON, for the way into a worker. */
#include "leeboard/render.h"

/* A node is [line, column, style, value]; the whole is {"file": ..., "node": ...}. In a value,
 * items of a list are nodes, and so are the values of a map. */
static void write_node(const struct node *n, struct buf *b)
{
	buf_printf(b, "[%u,%u,%u,", n->at.line, n->at.col, (unsigned)n->style);
	switch ((enum node_kind)n->kind) {
	case NODE_MAP:
	case NODE_LIST:
		buf_char(b, n->kind == NODE_MAP ? '{' : '[');
		for (uint32_t i = 0; i < n->n; i++) {
			if (i)
				buf_char(b, ',');
			if (n->kind == NODE_MAP) {
				buf_json(b, n->pairs[i].key);
				buf_char(b, ':');
			}
			write_node(n->kind == NODE_MAP ? n->pairs[i].value : n->items[i], b);
		}
		buf_char(b, n->kind == NODE_MAP ? '}' : ']');
		break;
	case NODE_NULL:
	case NODE_BOOL:
	case NODE_INT:
	case NODE_FLOAT:
	case NODE_STRING:
		node_json(n, NODE_JSON_COMPACT, b);
		break;
	}
	buf_char(b, ']');
}

void render_places_write(const struct node *n, struct buf *b)
{
	buf_str(b, STR("{\"file\":"));
	buf_json(b, n->at.in ? n->at.in->name : STR(""));
	buf_str(b, STR(",\"node\":"));
	write_node(n, b);
	buf_char(b, '}');
}

static struct err *read_node(struct arena *a, const struct text *in, const struct node *json,
			     const struct node **ret)
{
	struct node *n = ARENA_NEW(a, struct node);
	int64_t head[3];

	if (json->kind != NODE_LIST || json->n != 4)
		return err_at(ERR_INVALID, json->at, "this is no node with its place");
	for (size_t i = 0; i < 3; i++)
		if (!node_i64(json->items[i], &head[i]) || head[i] < 0 || head[i] > UINT32_MAX)
			return err_at(ERR_INVALID, json->items[i]->at, "this is no place");
	if (head[2] > NODE_FLOW)
		return err_at(ERR_INVALID, json->items[2]->at, "this is no style");
	*n = *json->items[3];
	n->at = (loc){in, (uint32_t)head[0], (uint32_t)head[1]};
	n->style = (enum node_style)head[2];
	if (n->kind == NODE_MAP) {
		struct node_pair *pairs = ARENA_ARRAY(a, struct node_pair, n->n);

		for (uint32_t i = 0; i < n->n; i++) {
			pairs[i] = n->pairs[i];
			TRY(read_node(a, in, n->pairs[i].value, &pairs[i].value));
			pairs[i].key_at = pairs[i].value->at;
		}
		n->pairs = pairs;
	} else if (n->kind == NODE_LIST) {
		const struct node **items = ARENA_ARRAY(a, const struct node *, n->n);

		for (uint32_t i = 0; i < n->n; i++)
			TRY(read_node(a, in, n->items[i], &items[i]));
		n->items = items;
	}
	*ret = n;
	return NULL;
}

/* The depth is that of the JSON, which its reader bounds. */
struct err *render_places_read(struct arena *a, const struct node *json, const struct node **ret)
{
	const struct node *file = node_get(json, STR("file")), *n = node_get(json, STR("node"));
	struct text *in = ARENA_NEW(a, struct text);

	if (!node_is(file, NODE_STRING) || !n)
		return err_at(ERR_INVALID, json->at, "this is no tree with its places");
	*in = (struct text){file->text, STR("")};
	return read_node(a, in, n, ret);
}
