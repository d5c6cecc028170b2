/* Paths of fields as people read them: .spec.containers[name="web"].image */
#include "leeboard/object.h"

/* Letters, digits, - and _ may stand behind a dot as they are. */
static bool is_simple(str key)
{
	for (size_t i = 0; i < key.n; i++) {
		unsigned char c = (unsigned char)key.p[i];

		if (!(c == '-' || c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		      (c >= 'A' && c <= 'Z')))
			return false;
	}
	return key.n > 0;
}

void obj_path_field(struct buf *b, str key)
{
	if (is_simple(key)) {
		buf_char(b, '.');
		buf_str(b, key);
	} else {
		buf_char(b, '[');
		buf_json(b, key);
		buf_char(b, ']');
	}
}

static bool is_scalar(const struct node *n)
{
	return n->kind != NODE_MAP && n->kind != NODE_LIST;
}

static bool by_keys(struct buf *b, const struct obj_list_key *keys, size_t n, const struct node *e)
{
	for (size_t i = 0; i < n; i++)
		if (!node_get(e, keys[i].name) && !keys[i].otherwise.n)
			return false;
	for (size_t i = 0; i < n; i++) {
		const struct node *v = node_get(e, keys[i].name);

		buf_char(b, i ? ',' : '[');
		buf_str(b, keys[i].name);
		buf_char(b, '=');
		if (v)
			node_json(v, NODE_JSON_COMPACT, b);
		else
			buf_json(b, keys[i].otherwise);
	}
	buf_char(b, ']');
	return true;
}

bool obj_path_element(struct buf *b, const struct obj_schema *list, const struct node *e)
{
	const struct obj_list_key *keys;
	struct obj_list_key merge = {.name = obj_schema_merge_key(list)};
	enum obj_strategy how = obj_schema_strategy(list);
	bool merges = how == OBJ_MERGE || how == OBJ_MERGE_RETAIN;
	size_t n = obj_schema_list_keys(list, &keys);

	if (obj_schema_list_type(list) == OBJ_LIST_MAP && n)
		return node_is(e, NODE_MAP) && by_keys(b, keys, n, e);
	if (merges && merge.name.n)
		return node_is(e, NODE_MAP) && by_keys(b, &merge, 1, e);
	if (!(merges || obj_schema_list_type(list) == OBJ_LIST_SET) || !is_scalar(e))
		return false;
	buf_str(b, STR("[="));
	node_json(e, NODE_JSON_COMPACT, b);
	buf_char(b, ']');
	return true;
}

/* The length of the first step of a path: up to the next '.' or '[' outside quotes and brackets. */
static size_t step_length(str path)
{
	bool quoted = false;
	size_t i = 1;

	if (!path.n || path.p[0] != '[') {
		while (i < path.n && path.p[i] != '.' && path.p[i] != '[')
			i++;
		return i < path.n ? i : path.n;
	}
	for (; i < path.n; i++) {
		char c = path.p[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == ']' && !quoted)
			return i + 1;
	}
	return path.n;
}

/* Bytes of the steps that both begin with. */
static size_t common_steps(str x, str y)
{
	size_t at = 0;

	while (at < x.n && at < y.n) {
		size_t n = step_length(str_sub(x, at, SIZE_MAX));

		if (n != step_length(str_sub(y, at, SIZE_MAX)) ||
		    !str_eq(str_sub(x, at, n), str_sub(y, at, n)))
			break;
		at += n;
	}
	return at;
}

size_t obj_path_find(const str *paths, size_t n, str path)
{
	size_t best = SIZE_MAX, most = 0;

	for (size_t i = 0; i < n; i++) {
		size_t same = common_steps(paths[i], path);
		/* Of those that share as much, the field itself or one above it comes first. */
		bool above = same == paths[i].n;

		if (best == SIZE_MAX || same > most ||
		    (same == most && above && paths[best].n > same)) {
			best = i;
			most = same;
		}
	}
	return best;
}
