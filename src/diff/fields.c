/* metadata.managedFields: FieldsV1 (structured-merge-diff's fieldpath) read into tries. */
#include "diff_priv.h"

/* ------------------------------------------------------------------ list keys */

/* Keys of list maps that the server fills in; no other kind of Kubernetes 1.36 has one. */
static const struct {
	str name, otherwise;
} key_defaults[] = {
	{STR("protocol"), STR("TCP")},
};

static str default_of(str name)
{
	for (size_t i = 0; i < ARRAY_LEN(key_defaults); i++)
		if (str_eq(key_defaults[i].name, name))
			return key_defaults[i].otherwise;
	return STR_NONE;
}

str shape_text(struct arena *a, const struct shape *s, const struct node *element)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < s->n; i++) {
		const struct node *v = node_get(element, s->names[i]);

		buf_char(&b, i ? ',' : 'k');
		buf_json(&b, s->names[i]);
		buf_char(&b, ':');
		if (v)
			node_json(v, NODE_JSON_CANONICAL, &b);
		else if (s->otherwise[i].n)
			buf_json(&b, s->otherwise[i]);
		else
			return STR_NONE;
	}
	return arena_str(a, buf_view(&b));
}

static bool shape_fits(const struct shape *s, const struct node *key)
{
	if (s->n != key->n)
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (!node_get(key, s->names[i]))
			return false;
	return true;
}

/* The shape of these keys, made when it is new. */
static struct err *shape_of(struct diff_fields *f, const struct node *key, struct shape **ret)
{
	struct shape *s;

	for (size_t i = 0; i < f->n_shapes; i++)
		if (shape_fits(&f->shapes[i], key)) {
			*ret = &f->shapes[i];
			return NULL;
		}
	if (f->n_shapes == FIELDS_MAX_SHAPES || !key->n || key->n > FIELDS_MAX_KEYS)
		return err_at(ERR_LIMIT, key->at,
			      "more than %d sets of list keys, or none or more than %d keys",
			      FIELDS_MAX_SHAPES, FIELDS_MAX_KEYS);
	s = &f->shapes[f->n_shapes++];
	s->n = key->n;
	for (uint32_t i = 0; i < key->n; i++) {
		s->names[i] = key->pairs[i].key;
		s->otherwise[i] = default_of(key->pairs[i].key);
	}
	*ret = s;
	return NULL;
}

/* ------------------------------------------------------------------ looking */

static str value_text(struct arena *a, const struct node *v)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_char(&b, 'v');
	node_json(v, NODE_JSON_CANONICAL, &b);
	return arena_str(a, buf_view(&b));
}

static const struct field *by_text(const struct diff_fields *f, str text)
{
	size_t i = keys_get(&f->index, text);

	return i == SIZE_MAX ? NULL : &f->v.p[i];
}

const struct field *fields_get(const struct diff_fields *f, str name)
{
	/* Field names are indexed as they are spelt in the set, "f:name". */
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!f)
		return NULL;
	buf_str(&b, STR("f:"));
	buf_str(&b, name);
	return by_text(f, buf_view(&b));
}

const struct field *fields_element(struct arena *a, const struct diff_fields *f,
				   const struct node *element)
{
	if (!f)
		return NULL;
	for (size_t i = 0; element->kind == NODE_MAP && i < f->n_shapes; i++) {
		str text = shape_text(a, &f->shapes[i], element);
		const struct field *found = text.n ? by_text(f, text) : NULL;

		if (found)
			return found;
	}
	return f->values ? by_text(f, value_text(a, element)) : NULL;
}

/* ------------------------------------------------------------------ reading */

static struct err *read_set(struct arena *a, const struct node *n, unsigned depth,
			    const struct diff_fields **ret);

static struct err *read_json_key(struct arena *a, const struct node_pair *p,
				 const struct node **ret)
{
	struct text *in = ARENA_NEW(a, struct text);

	in->name = STR("fieldsV1");
	in->bytes = arena_str(a, str_sub(p->key, 2, SIZE_MAX));
	return node_read_json(a, in, ret);
}

static struct err *read_member(struct arena *a, struct diff_fields *f, const struct node_pair *p,
			       unsigned depth)
{
	struct field m = {0};
	str text = p->key;
	struct shape *shape = NULL;
	uint64_t i;

	TRY(read_set(a, p->value, depth + 1, &m.sub));
	if (str_starts(p->key, STR("f:"))) {
		m.kind = DIFF_FIELD;
		m.name = str_sub(p->key, 2, SIZE_MAX);
	} else if (str_starts(p->key, STR("k:"))) {
		m.kind = DIFF_KEYED;
		TRY_WRAP(read_json_key(a, p, &m.key), "read list keys '" STR_FMT "'",
			 STR_ARG(p->key));
		if (m.key->kind != NODE_MAP)
			return err_at(ERR_INVALID, p->key_at, "list keys must be a map, not %s",
				      node_kind_name(m.key->kind));
		TRY(shape_of(f, m.key, &shape));
		text = shape_text(a, shape, m.key);
	} else if (str_starts(p->key, STR("v:"))) {
		m.kind = DIFF_VALUE;
		f->values = true;
		TRY_WRAP(read_json_key(a, p, &m.key), "read set value '" STR_FMT "'",
			 STR_ARG(p->key));
		text = value_text(a, m.key);
	} else if (str_starts(p->key, STR("i:")) && str_to_u64(str_sub(p->key, 2, SIZE_MAX), &i)) {
		m.kind = DIFF_INDEX;
		f->indices = true;
	} else {
		return err_at(ERR_INVALID, p->key_at,
			      "'" STR_FMT "' is no FieldsV1 key: f:, k:, v:, i: or .",
			      STR_ARG(p->key));
	}
	if (keys_add(&f->index, text, f->v.n))
		*ARENA_PUSH(a, &f->v) = m;
	return NULL;
}

static struct err *read_set(struct arena *a, const struct node *n, unsigned depth,
			    const struct diff_fields **ret)
{
	struct diff_fields *f = ARENA_NEW(a, struct diff_fields);

	if (n->kind != NODE_MAP)
		return err_at(ERR_INVALID, n->at, "a set of fields must be a map, not %s",
			      node_kind_name(n->kind));
	TRY(smp_too_deep(n, depth));
	keys_init(&f->index, a);
	for (uint32_t i = 0; i < n->n; i++) {
		if (str_eq(n->pairs[i].key, STR(".")))
			f->self = true;
		else
			TRY(read_member(a, f, &n->pairs[i], depth));
	}
	*ret = f;
	return NULL;
}

struct err *diff_fields_read(struct arena *a, const struct node *fields_v1,
			     const struct diff_fields **ret)
{
	return read_set(a, fields_v1, 0, ret);
}

static struct err *read_manager(struct arena *a, const struct node *n, struct diff_manager *ret)
{
	const struct node *fields = node_get(n, STR("fieldsV1"));
	str type = node_get_text(n, STR("fieldsType"));

	if (n->kind != NODE_MAP)
		return err_at(ERR_INVALID, n->at, "an entry of managedFields must be a map, not %s",
			      node_kind_name(n->kind));
	if (type.n && !str_eq(type, STR("FieldsV1")))
		return err_at(ERR_INVALID, n->at, "unknown fieldsType '" STR_FMT "'",
			      STR_ARG(type));
	*ret = (struct diff_manager){
		.name = node_get_text(n, STR("manager")),
		.operation = node_get_text(n, STR("operation")),
		.api_version = node_get_text(n, STR("apiVersion")),
		.subresource = node_get_text(n, STR("subresource")),
	};
	if (!time_parse(node_get_text(n, STR("time")), &ret->time))
		ret->time = 0;
	if (!fields || fields->kind == NODE_NULL)
		fields = node_new_map(a, NULL, 0);
	return diff_fields_read(a, fields, &ret->fields);
}

struct err *diff_managed_read(struct arena *a, const struct node *root, struct diff_managed *ret)
{
	const struct node *list = node_at(root, "metadata", "managedFields", NULL);
	struct diff_managed m = {0};

	if (list && list->kind != NODE_NULL && list->kind != NODE_LIST)
		return err_at(ERR_INVALID, list->at, "managedFields must be a list, not %s",
			      node_kind_name(list->kind));
	if (list && list->n > DIFF_MAX_MANAGERS)
		return err_at(ERR_LIMIT, list->at, "more than %u entries of managedFields",
			      DIFF_MAX_MANAGERS);
	for (uint32_t i = 0; list && i < list->n; i++)
		TRY_WRAP(read_manager(a, list->items[i], ARENA_PUSH(a, &m)),
			 "read managedFields[%u]", i);
	*ret = m;
	return NULL;
}

const struct diff_manager *diff_managed_ours(const struct diff_managed *m, str manager)
{
	const struct diff_manager *found = NULL;

	for (size_t i = 0; i < m->n; i++) {
		if (!str_eq(m->p[i].name, manager) || m->p[i].subresource.n ||
		    !str_eq(m->p[i].operation, STR("Apply")))
			continue;
		if (found)
			return NULL;
		found = &m->p[i];
	}
	return found;
}
