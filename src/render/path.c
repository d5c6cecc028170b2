/* path.c: paths of fields as replacements and vars write them: "a.b", "a.[name=x].b", "a.0". */
#include "render_priv.h"

/* Cuts at '.', but not at "\." and not inside "[...]"; "[a.b]" without '=' is one map key. */
void res_path_split(struct arena *a, str path, struct res_strs *ret)
{
	CLEANUP(buf) struct buf part = BUF_INIT;
	bool bracket = false;

	if (path.n && path.p[0] == '.')
		path = str_sub(path, 1, SIZE_MAX);
	for (size_t i = 0; i <= path.n; i++) {
		char c = i < path.n ? path.p[i] : '.';

		if (c == '\\' && i + 1 < path.n && path.p[i + 1] == '.') {
			buf_char(&part, '.');
			i++;
		} else if (i == path.n || (c == '.' && !bracket)) {
			str s = buf_view(&part);

			if (str_starts(s, STR("[")) && str_ends(s, STR("]")) &&
			    str_chr(s, '=') == SIZE_MAX)
				s = str_sub(s, 1, s.n - 2);
			*ARENA_PUSH(a, ret) = arena_str(a, s);
			buf_clear(&part);
			bracket = false;
		} else {
			if (c == '[' && !part.n)
				bracket = true;
			if (c == ']')
				bracket = false;
			buf_char(&part, c);
		}
	}
}

bool res_path_is_filter(str part)
{
	return part.n > 2 && part.p[0] == '[' && part.p[part.n - 1] == ']' &&
	       str_chr(part, '=') != SIZE_MAX;
}

/* "[key=value]" */
void res_path_filter(str part, str *key, str *value)
{
	size_t cut = str_chr(part, '=');

	*key = str_sub(part, 1, cut - 1);
	*value = str_sub(part, cut + 1, part.n - cut - 2);
}

static bool is_container(const struct node *n)
{
	return n->kind == NODE_MAP || n->kind == NODE_LIST;
}

const struct node *res_path_get(const struct node *n, const struct res_strs *path)
{
	for (size_t i = 0; n && i < path->n; i++) {
		str part = path->p[i];
		uint64_t at;

		if (n->kind == NODE_LIST && str_to_u64(part, &at)) {
			n = at < n->n ? n->items[at] : NULL;
		} else if (n->kind == NODE_LIST && res_path_is_filter(part)) {
			const struct node *found = NULL;
			str key, value;

			res_path_filter(part, &key, &value);
			for (uint32_t k = 0; k < n->n && !found; k++) {
				const struct node *item = n->items[k];
				const struct node *v = key.n ? node_get(item, key) : item;

				if (v && !is_container(v) && str_eq(v->text, value))
					found = item;
			}
			n = found;
		} else {
			n = node_get(n, part);
		}
	}
	return n;
}
