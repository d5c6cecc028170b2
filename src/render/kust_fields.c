/* kust_fields.c: maps by tables of fields. */
#include "kust_priv.h"

bool kust_same(str a, str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];

		x = x >= 'A' && x <= 'Z' ? x | 0x20 : x;
		y = y >= 'A' && y <= 'Z' ? y | 0x20 : y;
		if (x != y)
			return false;
	}
	return true;
}

struct err *kust_wrong_type(const struct node *v, str name, const char *want)
{
	return err_at(ERR_WRONG_TYPE, v->at, "'" STR_FMT "' must be %s, not %s", STR_ARG(name),
		      want, node_kind_name(v->kind));
}

/* "must be a string": a number is one forgotten pair of quotes away. */
struct err *kust_need_string(const struct node *v, str name)
{
	struct err *e;

	if (v->kind == NODE_STRING)
		return NULL;
	e = kust_wrong_type(v, name, "a string");
	if (v->kind == NODE_INT || v->kind == NODE_FLOAT || v->kind == NODE_BOOL)
		e = err_hint(e, "write \"" STR_FMT "\"", STR_ARG(v->text));
	return e;
}

static struct err *need_strings(const struct node *v, str name)
{
	struct err *e = NULL;

	if (v->kind == NODE_LIST)
		for (uint32_t i = 0; i < v->n; i++)
			e = err_join(e, kust_need_string(v->items[i], name));
	else if (v->kind == NODE_MAP)
		for (uint32_t i = 0; i < v->n; i++)
			e = err_join(e, kust_need_string(v->pairs[i].value, v->pairs[i].key));
	return e;
}

/* Where a config may say 1 for "1": the string, as Go formats the value. */
static const struct node *as_string(struct call *c, const struct node *v)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!c->coerce || v->kind == NODE_STRING || v->kind == NODE_MAP || v->kind == NODE_LIST ||
	    v->kind == NODE_NULL)
		return v;
	node_yaml(v, &b);
	return node_with_by(c->b->a, node_new_str(c->b->a, str_trim(buf_view(&b))), v);
}

/* A map of strings; a null is an empty one. */
static const struct node *string_map(struct call *c, const struct node *v)
{
	const struct node *ret = v;

	for (uint32_t i = 0; i < v->n; i++) {
		const struct node *old = v->pairs[i].value;
		const struct node *new =
			old->kind == NODE_NULL ? node_new_str(c->b->a, STR("")) : as_string(c, old);

		if (new != old)
			ret = node_set(c->b->a, ret, v->pairs[i].key, new);
	}
	return ret;
}

/* 2.0 is 2 on its way through JSON. */
static const struct node *whole_number(struct arena *a, const struct node *v)
{
	double d;

	if (v->kind != NODE_FLOAT || !node_number(v, &d) || d != __builtin_trunc(d) || d > 1e15 ||
	    d < -1e15)
		return v;
	return node_with_by(a, node_new_int(a, (int64_t)d), v);
}

struct err *kust_field(struct call *c, const struct field *f, const struct node *v, void *out)
{
	struct arena *a = c->b->a;
	void *member = (char *)out + f->at;
	str name = str_from(f->name);

	switch (f->type) {
	case F_STR:
		v = as_string(c, v);
		TRY(kust_need_string(v, name));
		*(str *)member = v->text;
		return NULL;
	case F_BOOL:
		if (v->kind != NODE_BOOL)
			return kust_wrong_type(v, name, "true or false");
		*(bool *)member = node_bool(v, false);
		return NULL;
	case F_STRS:
		if (v->kind != NODE_LIST)
			return kust_wrong_type(v, name, "a list of strings");
		if (!c->coerce)
			TRY(need_strings(v, name));
		for (uint32_t i = 0; i < v->n; i++)
			*ARENA_PUSH(a, (struct res_strs *)member) = as_string(c, v->items[i])->text;
		return NULL;
	case F_ENTRIES:
		if (v->kind != NODE_LIST)
			return kust_wrong_type(v, name, "a list of strings");
		TRY(need_strings(v, name));
		for (uint32_t i = 0; i < v->n; i++)
			*ARENA_PUSH(a, (struct kust_entries *)member) = (struct kust_entry){
				v->items[i]->text, v->items[i]->at, v->items[i]};
		return NULL;
	case F_MAP:
		if (v->kind != NODE_MAP)
			return kust_wrong_type(v, name, "a map of strings");
		v = string_map(c, v);
		TRY(need_strings(v, name));
		*(const struct node **)member = v;
		return NULL;
	case F_INT:
		v = whole_number(a, v);
		if (v->kind != NODE_INT)
			return kust_wrong_type(v, name, "a whole number");
		*(const struct node **)member = v;
		return NULL;
	case F_CALL:
		return f->call(c, v, member);
	case F_SKIP:
		return NULL;
	case F_NO_HELM:
		if (v->kind == NODE_LIST && !v->n)
			return NULL;
		return err_hint(
			err_at(ERR_NOT_ALLOWED, v->at, "'%s': Helm does not run here", f->name),
			"commit what 'helm template' prints, and list it under "
			"'resources'");
	}
	return NULL;
}

static struct err *unknown_field(struct arena *a, const struct node_pair *p,
				 const struct field *fields, size_t n)
{
	struct err *e =
		err_at(ERR_UNKNOWN_KEY, p->key_at, "unknown field '" STR_FMT "'", STR_ARG(p->key));
	str *names = ARENA_ARRAY(a, str, n);
	str near;

	for (size_t i = 0; i < n; i++)
		names[i] = str_from(fields[i].name);
	near = str_nearest(p->key, names, n);
	return near.n ? err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near)) : e;
}

/* A map into *out by the table; a null field is an absent one. */
struct err *kust_map(struct call *c, const struct node *map, const char *what,
		     const struct field *fields, size_t n, void *out)
{
	struct err *e = NULL;

	if (map->kind != NODE_MAP)
		return kust_wrong_type(map, str_from(what), "a map");
	for (uint32_t i = 0; i < map->n; i++) {
		const struct node_pair *p = &map->pairs[i];
		size_t k = 0;

		while (k < n && !kust_same(p->key, str_from(fields[k].name)))
			k++;
		if (k == n && c->loose)
			continue;
		if (k == n)
			e = err_join(e, unknown_field(c->b->a, p, fields, n));
		else if (p->value->kind != NODE_NULL && p->value == kust_get(map, fields[k].name))
			e = err_join(e, kust_field(c, &fields[k], p->value, out));
	}
	return e;
}

/* Calls one(c, item, member) for each map of a list. */
struct err *kust_list(struct call *c, const struct node *v, const char *what, void *member,
		      struct err *(*one)(struct call *c, const struct node *v, void *member))
{
	struct err *e = NULL;

	if (v->kind != NODE_LIST)
		return kust_wrong_type(v, str_from(what), "a list");
	for (uint32_t i = 0; i < v->n; i++)
		e = err_join(e, one(c, v->items[i], member));
	return e;
}

const struct node *kust_get(const struct node *map, const char *name)
{
	const struct node_pair *best = NULL;

	for (uint32_t i = 0; node_is(map, NODE_MAP) && i < map->n; i++) {
		const struct node_pair *p = &map->pairs[i];

		if (kust_same(p->key, str_from(name)) && p->value->kind != NODE_NULL &&
		    (!best || str_cmp(p->key, best->key) > 0))
			best = p;
	}
	return best ? best->value : NULL;
}
