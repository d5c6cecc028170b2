/* The tables of schema.def and the cursor into them. */
#include "leeboard/object.h"

enum { F_ATOMIC = 1, F_WHOLE = 2, F_KUSTOMIZE = 4 };

struct obj_schema {
	const char *name;
	uint16_t sub; /* OBJ_OBJECT: a type; OBJ_LIST, OBJ_MAP: the row of the element */
	uint8_t shape, flags, strategy, list, keys;
};

struct keys {
	const char *merge;
	struct obj_list_key list[2];
};

struct type {
	uint16_t first, n;
};

struct kind {
	const char *api_version, *kind;
	uint16_t row;
};

static const struct keys keys[] = {
#define K(name, otherwise)                                                                         \
	{                                                                                          \
		{name, sizeof(name) - 1},                                                          \
		{                                                                                  \
			otherwise, sizeof(otherwise) - 1                                           \
		}                                                                                  \
	}
#define KEYS(merge, ...) {merge, {__VA_ARGS__}},
#include "schema.def"
#undef KEYS
#undef K
};

static const struct obj_schema rows[] = {
#define ROW(name, shape, flags, strategy, list, keys, sub)                                         \
	{name, sub, shape, flags, strategy, list, keys},
#include "schema.def"
#undef ROW
};

static const struct type types[] = {
#define TYPE(first, n) {first, n},
#include "schema.def"
#undef TYPE
};

static const struct kind kinds[] = {
#define KIND(api_version, kind, row) {api_version, kind, row},
#include "schema.def"
#undef KIND
};

const struct obj_schema *obj_schema_of(str api_version, str kind)
{
	size_t lo = 0;
	size_t hi = ARRAY_LEN(kinds);

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = str_cmp(api_version, str_from(kinds[mid].api_version));

		if (!c)
			c = str_cmp(kind, str_from(kinds[mid].kind));
		if (!c)
			return &rows[kinds[mid].row];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const struct obj_schema *obj_schema_field(const struct obj_schema *s, str name)
{
	if (!s || s->shape != OBJ_OBJECT)
		return NULL;

	size_t lo = types[s->sub].first;
	size_t hi = lo + types[s->sub].n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = str_cmp(name, str_from(rows[mid].name));

		if (!c)
			return &rows[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const struct obj_schema *obj_schema_item(const struct obj_schema *s)
{
	if (!s || (s->shape != OBJ_LIST && s->shape != OBJ_MAP))
		return NULL;
	return &rows[s->sub];
}

enum obj_strategy obj_schema_strategy(const struct obj_schema *s)
{
	return s ? (enum obj_strategy)s->strategy : OBJ_REPLACE;
}

str obj_schema_merge_key(const struct obj_schema *s)
{
	return s ? str_from(keys[s->keys].merge) : STR("");
}

bool obj_schema_whole(const struct obj_schema *s)
{
	return s && (s->flags & F_WHOLE);
}

bool obj_schema_kustomize(const struct obj_schema *s)
{
	return s && (s->flags & F_KUSTOMIZE);
}

enum obj_shape obj_schema_shape(const struct obj_schema *s)
{
	return s ? (enum obj_shape)s->shape : OBJ_SCALAR;
}

enum obj_list_type obj_schema_list_type(const struct obj_schema *s)
{
	return s ? (enum obj_list_type)s->list : OBJ_LIST_ATOMIC;
}

size_t obj_schema_list_keys(const struct obj_schema *s, const struct obj_list_key **ret)
{
	size_t n = 0;

	*ret = s ? keys[s->keys].list : keys[0].list;
	while (n < ARRAY_LEN(keys[0].list) && (*ret)[n].name.n)
		n++;
	return n;
}

bool obj_schema_atomic(const struct obj_schema *s)
{
	return s && (s->flags & F_ATOMIC);
}

/* An identity says no version: the last of the stable ones counts, which are two bytes long ("v2"
 * has what "v1" has not), else the first. */
static const struct obj_schema *any_version(obj_id id)
{
	const struct obj_schema *best = NULL;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		str group;
		str version;

		obj_api_version(str_from(kinds[i].api_version), &group, &version);
		if (!str_eq(group, id.group) || !str_eq(str_from(kinds[i].kind), id.kind))
			continue;
		if (!best || version.n == 2)
			best = &rows[kinds[i].row];
	}
	return best;
}

bool obj_is_quantity_field(obj_id id, str path)
{
	const struct obj_schema *s = any_version(id);

	while (s && path.n) {
		if (s->shape == OBJ_MAP) {
			/* Keys hold dots ("nvidia.com/gpu"): what a map of scalars has left is one.
			 */
			const struct obj_schema *item = obj_schema_item(s);
			bool braces = str_starts(path, STR("{}"));
			bool more = item && (item->shape == OBJ_OBJECT || item->shape == OBJ_MAP ||
					     item->shape == OBJ_LIST);

			path = braces ? str_sub(path, 2, SIZE_MAX) : more ? path : STR("");
			s = item;
			if (!braces && more) {
				size_t dot = str_chr(path, '.');

				path = dot == SIZE_MAX ? STR("") : str_sub(path, dot, SIZE_MAX);
			}
		} else if (s->shape == OBJ_LIST) {
			if (str_starts(path, STR("[]")))
				path = str_sub(path, 2, SIZE_MAX);
			s = obj_schema_item(s);
		} else {
			size_t end = 0;

			while (end < path.n && path.p[end] != '.' && path.p[end] != '[' &&
			       path.p[end] != '{')
				end++;
			s = obj_schema_field(s, str_sub(path, 0, end));
			path = str_sub(path, end, SIZE_MAX);
		}
		if (path.n && path.p[0] == '.')
			path = str_sub(path, 1, SIZE_MAX);
	}
	return s && s->shape == OBJ_QUANTITY;
}
