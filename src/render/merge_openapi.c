/* merge_openapi.c: which lists merge by which keys, out of an OpenAPI document of the user's. */
#include "merge.h"

#define OPENAPI_MAX_FIELDS 200000u /* of all types of a document */

struct named_type {
	str name;
	const struct node *schema;
	struct merge_type *type;
};
struct kind_type {
	str api_version, kind;
	const struct merge_type *type;
};
/* Where the lines of a text begin. */
struct text_line {
	uint32_t start;
};
struct text_lines {
	const struct text *text;
	struct text_line *p;
	size_t n, cap;
};
struct reader;
struct merge_types {
	struct {
		struct kind_type *p;
		size_t n, cap;
	} kinds;
	bool and_builtin;
	bool hinted; /* comments may say how a field merges */
	struct arena *a;
	struct {
		struct text_lines *p;
		size_t n, cap;
	} texts;               /* whose comments were looked at */
	struct reader *reader; /* of what comments say */
};
struct reader {
	struct arena *a;
	struct named_type *types; /* a hash table by name */
	size_t cap;
	size_t fields;
	bool and_builtin;
};

static struct named_type *type_slot(const struct reader *r, str name)
{
	size_t at = str_hash(name) & (r->cap - 1);

	while (r->types[at].schema && !str_eq(r->types[at].name, name))
		at = (at + 1) & (r->cap - 1);
	return &r->types[at];
}

static const struct merge_type *by_ref(const struct reader *r, const struct node *ref)
{
	str name = node_text(ref);
	size_t slash = str_rchr(name, '/');

	name = slash == SIZE_MAX ? name : str_sub(name, slash + 1, SIZE_MAX);
	if (r->and_builtin && merge_type_named(name))
		return merge_type_named(name);
	return name.n ? type_slot(r, name)->type : NULL;
}

static struct err *read_fields(struct reader *r, const struct node *schema, unsigned depth,
			       struct merge_type *ret);

/* What a schema describes: a type that has a name, or one in place. NULL: nothing that merges. */
static struct err *read_type(struct reader *r, const struct node *schema, unsigned depth,
			     const struct merge_type **ret)
{
	struct merge_type *t;

	*ret = NULL;
	if (!node_is(schema, NODE_MAP))
		return NULL;
	if (node_get(schema, STR("$ref"))) {
		*ret = by_ref(r, node_get(schema, STR("$ref")));
		return NULL;
	}
	if (!node_get(schema, STR("properties")) && !node_get(schema, STR("additionalProperties")))
		return NULL;
	t = ARENA_NEW(r->a, struct merge_type);
	TRY(read_fields(r, schema, depth + 1, t));
	*ret = t;
	return NULL;
}

static bool has_word(str words, str word)
{
	str w;

	while (str_split(&words, ',', &w))
		if (str_eq(w, word))
			return true;
	return false;
}

/* NULL: the list is a value. */
static const char *list_keys(struct reader *r, const struct node *schema)
{
	const struct node *keys = node_get(schema, STR("x-kubernetes-list-map-keys"));
	str key = node_get_text(schema, STR("x-kubernetes-patch-merge-key"));
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!has_word(node_get_text(schema, STR("x-kubernetes-patch-strategy")), STR("merge")))
		return NULL;
	if (!node_is(keys, NODE_LIST) || !keys->n)
		return arena_str(r->a, key.n ? key : STR("-")).p;
	for (uint32_t i = 0; i < keys->n && i < MERGE_MAX_KEYS; i++) {
		if (i)
			buf_char(&b, ',');
		buf_str(&b, node_text(keys->items[i]));
	}
	return arena_str(r->a, buf_view(&b)).p;
}

static struct err *read_field(struct reader *r, const struct node *schema, unsigned depth,
			      struct merge_field *ret)
{
	const struct node *items = node_get(schema, STR("items"));

	if (str_eq(node_get_text(schema, STR("type")), STR("array")) || items) {
		ret->keys = list_keys(r, schema);
		return ret->keys ? read_type(r, items, depth, &ret->type) : NULL;
	}
	return read_type(r, schema, depth, &ret->type);
}

static struct err *read_fields(struct reader *r, const struct node *schema, unsigned depth,
			       struct merge_type *ret)
{
	const struct node *properties = node_get(schema, STR("properties"));
	size_t n = node_is(properties, NODE_MAP) ? properties->n : 0;
	struct merge_field *fields = ARENA_ARRAY(r->a, struct merge_field, n + 1);

	r->fields += n;
	if (r->fields > OPENAPI_MAX_FIELDS)
		return err_at(ERR_RENDER_LIMIT, schema->at, "more than %u fields of types",
			      OPENAPI_MAX_FIELDS);
	if (depth > NODE_MAX_DEPTH)
		return err_at(ERR_RENDER_LIMIT, schema->at, "types nest deeper than %d",
			      NODE_MAX_DEPTH);
	for (size_t i = 0; i < n; i++) {
		fields[i].name = properties->pairs[i].key.p;
		TRY(read_field(r, properties->pairs[i].value, depth, &fields[i]));
	}
	ret->fields = fields;
	return read_type(r, node_get(schema, STR("additionalProperties")), depth, &ret->any);
}

static void add_kinds(struct reader *r, const struct named_type *t, struct merge_types *ret)
{
	const struct node *gvks = node_get(t->schema, STR("x-kubernetes-group-version-kind"));

	for (uint32_t i = 0; node_is(gvks, NODE_LIST) && i < gvks->n; i++) {
		str group = node_get_text(gvks->items[i], STR("group"));
		str version = node_get_text(gvks->items[i], STR("version"));

		*ARENA_PUSH(r->a, &ret->kinds) = (struct kind_type){
			.api_version = group.n ? arena_printf(r->a, STR_FMT "/" STR_FMT,
							      STR_ARG(group), STR_ARG(version))
					       : version,
			.kind = node_get_text(gvks->items[i], STR("kind")),
			.type = t->type};
	}
}

struct err *merge_types_read(struct arena *a, const struct node *openapi, bool and_builtin,
			     const struct merge_types **ret)
{
	const struct node *all = node_get(openapi, STR("definitions"));
	struct merge_types *types = ARENA_NEW(a, struct merge_types);
	struct reader r = {.a = a, .cap = 16, .and_builtin = and_builtin};
	struct reader *kept;
	size_t n = node_is(all, NODE_MAP) ? all->n : 0;

	if (openapi->kind != NODE_MAP)
		return err_at(ERR_WRONG_TYPE, openapi->at, "an OpenAPI document is a map, not %s",
			      node_kind_name(openapi->kind));
	while (r.cap < 2 * n)
		r.cap *= 2;
	r.types = ARENA_ARRAY(a, struct named_type, r.cap);
	for (size_t i = 0; i < n; i++)
		*type_slot(&r, all->pairs[i].key) = (struct named_type){
			all->pairs[i].key, all->pairs[i].value, ARENA_NEW(a, struct merge_type)};
	for (size_t i = 0; i < n; i++) {
		struct named_type *t = type_slot(&r, all->pairs[i].key);

		TRY(read_fields(&r, t->schema, 0, t->type));
		add_kinds(&r, t, types);
	}
	types->and_builtin = and_builtin;
	kept = ARENA_NEW(a, struct reader);
	*kept = r;
	types->reader = kept;
	*ret = types;
	return NULL;
}

const struct merge_type *merge_types_get(const struct merge_types *all, str api_version, str kind)
{
	const struct merge_type *t =
		all->and_builtin ? merge_type_of(NULL, api_version, kind) : NULL;

	for (size_t i = 0; i < all->kinds.n && !t; i++)
		if (str_eq(all->kinds.p[i].kind, kind) &&
		    str_eq(all->kinds.p[i].api_version, api_version))
			t = all->kinds.p[i].type;
	return t;
}

/* ------------------------------------------------------------------ comments */

struct merge_types *merge_types_hinted(struct arena *a, const struct merge_types *all)
{
	struct merge_types *t = ARENA_NEW(a, struct merge_types);

	if (all) {
		*t = *all;
	} else {
		t->and_builtin = true;
		t->reader = ARENA_NEW(a, struct reader);
		*t->reader = (struct reader){.a = a, .cap = 16, .and_builtin = true};
		t->reader->types = ARENA_ARRAY(a, struct named_type, t->reader->cap);
	}
	t->a = a;
	t->hinted = true;
	return t;
}

bool merge_text_hints(str text)
{
	return text.n &&
	       memmem(text.p, text.n, "x-kubernetes-patch-", strlen("x-kubernetes-patch-"));
}

static const struct text_lines *lines_of(struct merge_types *all, const struct text *text)
{
	struct text_lines *v;

	for (size_t i = 0; i < all->texts.n; i++)
		if (all->texts.p[i].text == text)
			return &all->texts.p[i];
	v = ARENA_PUSH(all->a, &all->texts);
	*v = (struct text_lines){.text = text};
	*ARENA_PUSH(all->a, v) = (struct text_line){0};
	for (size_t i = 0; i < text->bytes.n; i++)
		if (text->bytes.p[i] == '\n')
			*ARENA_PUSH(all->a, v) = (struct text_line){(uint32_t)i + 1};
	return v;
}

/* The comment at the end of a line that begins with `key:`: JSON, or it is none of ours. */
static str comment_at(struct merge_types *all, loc at)
{
	const struct text_lines *v;
	str line;
	size_t cut;

	if (!at.in || !at.line || !at.in->bytes.n)
		return STR("");
	v = lines_of(all, at.in);
	if (at.line > v->n)
		return STR("");
	line = str_sub(at.in->bytes, v->p[at.line - 1].start, SIZE_MAX);
	line = str_sub(line, 0, str_chr(line, '\n'));
	cut = str_find(line, STR("# {"));
	if (cut == SIZE_MAX)
		cut = str_find(line, STR("#{"));
	return cut == SIZE_MAX ? STR("") : str_trim(str_sub(line, cut + 1, SIZE_MAX));
}

bool merge_hint(const struct merge_types *all, loc key_at, struct merge_field *ret)
{
	union {
		const struct merge_types *in;
		struct merge_types *out;
	} types = {.in = all};
	struct text *t;
	const struct node *schema;
	struct err *e;
	str comment;

	if (!all || !all->hinted)
		return false;
	comment = comment_at(types.out, key_at);
	if (!comment.n)
		return false;
	t = ARENA_NEW(all->a, struct text);
	*t = (struct text){STR("comment"), comment};
	e = node_read_json(all->a, t, &schema);
	if (!e && schema->kind == NODE_MAP) {
		*ret = (struct merge_field){0};
		e = read_field(all->reader, schema, 0, ret);
		if (!e)
			return true;
	}
	err_free(e); /* any other comment */
	return false;
}
