/* When two values are the same to the API server (spec: equality of content). */
#include "diff_priv.h"

static bool is_scalar(const struct node *n)
{
	return n->kind != NODE_LIST && n->kind != NODE_MAP;
}

static bool same_bytes(str x, str y)
{
	CLEANUP(buf) struct buf l = BUF_INIT;
	CLEANUP(buf) struct buf r = BUF_INIT;

	return buf_unbase64(&l, x, true) && buf_unbase64(&r, y, true) &&
	       str_eq(buf_view(&l), buf_view(&r));
}

static bool same_instant(str x, str y)
{
	msec l, r;

	return time_parse(x, &l) && time_parse(y, &r) && l / SECOND == r / SECOND;
}

static bool equal(const struct obj_schema *s, const struct node *x, const struct node *y,
		  unsigned depth);

static bool maps_equal(const struct obj_schema *s, const struct node *x, const struct node *y,
		       unsigned depth)
{
	bool object = obj_schema_shape(s) == OBJ_OBJECT;

	for (uint32_t i = 0; i < x->n; i++) {
		str key = x->pairs[i].key;

		if (!equal(object ? obj_schema_field(s, key) : obj_schema_item(s),
			   x->pairs[i].value, node_get(y, key), depth + 1))
			return false;
	}
	for (uint32_t i = 0; i < y->n; i++)
		if (!node_get(x, y->pairs[i].key) && !equal(NULL, NULL, y->pairs[i].value, depth))
			return false;
	return true;
}

static bool equal(const struct obj_schema *s, const struct node *x, const struct node *y,
		  unsigned depth)
{
	if (!x || !y) {
		const struct node *there = x ? x : y;

		return !there || (there->kind == NODE_MAP && !there->n);
	}
	if (depth > 2 * NODE_MAX_DEPTH)
		return node_equal(x, y);
	if (x->kind == NODE_MAP && y->kind == NODE_MAP)
		return maps_equal(s, x, y, depth);
	if (x->kind == NODE_LIST && y->kind == NODE_LIST) {
		if (x->n != y->n)
			return false;
		for (uint32_t i = 0; i < x->n; i++)
			if (!equal(obj_schema_item(s), x->items[i], y->items[i], depth + 1))
				return false;
		return true;
	}
	if (node_equal(x, y))
		return true;
	if (!is_scalar(x) || !is_scalar(y))
		return false;
	switch (obj_schema_shape(s)) {
	case OBJ_QUANTITY:
		return obj_quantity_equal(x->text, y->text);
	case OBJ_BYTES:
		return x->kind == NODE_STRING && y->kind == NODE_STRING &&
		       same_bytes(x->text, y->text);
	case OBJ_TIME:
		return same_instant(x->text, y->text);
	case OBJ_SCALAR:
	case OBJ_STRING:
	case OBJ_OBJECT:
	case OBJ_MAP:
	case OBJ_LIST:
	case OBJ_ANY:
		break;
	}
	return false;
}

bool diff_equal(const struct obj_schema *s, const struct node *a, const struct node *b)
{
	return equal(s, a, b, 0);
}
