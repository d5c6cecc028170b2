/* Looking into trees, and comparing them. */
#include "node_priv.h"
#include <assert.h>
#include <stdarg.h>

size_t node_index_of(const struct node *map, str key)
{
	if (!map || map->kind != NODE_MAP)
		return SIZE_MAX;
	if (map->index) {
		size_t mask = map->index[0];
		size_t h = str_hash(key) & mask;

		for (; map->index[h + 1]; h = (h + 1) & mask) {
			size_t i = map->index[h + 1] - 1;

			if (str_eq(map->pairs[i].key, key))
				return i;
		}
		return SIZE_MAX;
	}
	for (size_t i = 0; i < map->n; i++) {
		const struct node_pair *p = &map->pairs[i];

		if (p->key.n == key.n && memcmp(p->key.p, key.p, key.n) == 0)
			return i;
	}
	return SIZE_MAX;
}

const struct node *node_get(const struct node *map, str key)
{
	size_t i = node_index_of(map, key);

	return i == SIZE_MAX ? NULL : map->pairs[i].value;
}

const struct node *node_at(const struct node *n, ...)
{
	va_list ap;
	const char *key;

	va_start(ap, n);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is right above */
	while (n && (key = va_arg(ap, const char *)))
		n = node_get(n, str_from(key));
	va_end(ap);
	return n;
}

str node_text(const struct node *n)
{
	return n && n->kind == NODE_STRING ? n->text : STR_NONE;
}

str node_get_text(const struct node *map, str key)
{
	return node_text(node_get(map, key));
}

bool node_is(const struct node *n, enum node_kind k)
{
	return n && n->kind == k;
}

bool node_bool(const struct node *n, bool otherwise)
{
	return node_is(n, NODE_BOOL) ? n->text.p[0] == 't' : otherwise;
}

bool node_i64(const struct node *n, int64_t *ret)
{
	bool neg;
	uint64_t mag;

	if (!node_is(n, NODE_INT) || !number_int(n->text, &neg, &mag))
		return false;
	if (mag > (uint64_t)INT64_MAX + neg)
		return false;
	*ret = neg ? (int64_t)(0 - mag) : (int64_t)mag;
	return true;
}

bool node_number(const struct node *n, double *ret)
{
	struct number v;

	if (!n || (n->kind != NODE_INT && n->kind != NODE_FLOAT) || !number_from(n->text, &v))
		return false;
	*ret = v.d;
	return true;
}

static bool number_equal(const struct node *a, const struct node *b)
{
	struct number x, y;

	if (str_eq(a->text, b->text))
		return true;
	if (!number_from(a->text, &x) || !number_from(b->text, &y))
		return false;
	if (x.is_int && y.is_int)
		return x.mag == y.mag && (x.neg == y.neg || x.mag == 0);
	if (x.is_int != y.is_int)
		return false;
	/* Integers of more than 64 bits come from JSON, which has one spelling for each. */
	if (a->kind == NODE_INT && b->kind == NODE_INT)
		return false;
	return x.d == y.d || (x.d != x.d && y.d != y.d);
}

static bool equal(const struct node *a, const struct node *b, bool strict, unsigned depth)
{
	assert(depth < NODE_WALK_DEPTH);
	if (a == b)
		return true;
	if (!a || !b)
		return false;
	if (a->kind != b->kind)
		return !strict &&
		       ((a->kind == NODE_INT && b->kind == NODE_FLOAT) ||
			(a->kind == NODE_FLOAT && b->kind == NODE_INT)) &&
		       number_equal(a, b);
	switch (a->kind) {
	case NODE_NULL:
		return true;
	case NODE_BOOL:
		return a->text.p[0] == b->text.p[0];
	case NODE_INT:
	case NODE_FLOAT:
		return number_equal(a, b);
	case NODE_STRING:
		return str_eq(a->text, b->text);
	case NODE_LIST:
		if (a->n != b->n)
			return false;
		for (size_t i = 0; i < a->n; i++) {
			if (!equal(a->items[i], b->items[i], strict, depth + 1))
				return false;
		}
		return true;
	case NODE_MAP:
		if (a->n != b->n)
			return false;
		for (size_t i = 0; i < a->n; i++) {
			const struct node *v = str_eq(a->pairs[i].key, b->pairs[i].key)
						       ? b->pairs[i].value
						       : node_get(b, a->pairs[i].key);

			if (!v || !equal(a->pairs[i].value, v, strict, depth + 1))
				return false;
		}
		return true;
	}
	return false;
}

bool node_equal(const struct node *a, const struct node *b)
{
	return equal(a, b, false, 0);
}

bool node_equal_strict(const struct node *a, const struct node *b)
{
	return equal(a, b, true, 0);
}

const char *node_kind_name(enum node_kind k)
{
	switch (k) {
	case NODE_NULL:
		return "null";
	case NODE_BOOL:
		return "a boolean";
	case NODE_INT:
		return "an integer";
	case NODE_FLOAT:
		return "a float";
	case NODE_STRING:
		return "a string";
	case NODE_LIST:
		return "a list";
	case NODE_MAP:
		return "a map";
	}
	return "nothing";
}

static bool is_alpha(unsigned char c)
{
	/* Letters beyond ASCII do not occur in field names; bytes of UTF-8 sort as letters do. */
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

static bool is_num(const str s, size_t i)
{
	return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

/* go-yaml's keyList.Less: letters by code point, runs of digits by value, other characters first.
 */
int node_key_cmp(str a, str b)
{
	size_t n = a.n < b.n ? a.n : b.n;

	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];
		size_t ai, bi;
		uint64_t an = 0, bn = 0;

		if (x == y)
			continue;
		if (is_alpha(x) && is_alpha(y))
			return x < y ? -1 : 1;
		if (is_alpha(x) || is_alpha(y))
			return is_alpha(y) ? -1 : 1;
		if (x == '0' || y == '0') {
			for (size_t j = i; j > 0 && is_num(a, j - 1); j--) {
				if (a.p[j - 1] != '0') {
					an = bn = 1;
					break;
				}
			}
		}
		for (ai = i; is_num(a, ai); ai++)
			an = an * 10 + (uint64_t)(a.p[ai] - '0');
		for (bi = i; is_num(b, bi); bi++)
			bn = bn * 10 + (uint64_t)(b.p[bi] - '0');
		if (an != bn)
			return an < bn ? -1 : 1;
		if (ai != bi)
			return ai < bi ? -1 : 1;
		return x < y ? -1 : 1;
	}
	return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}
