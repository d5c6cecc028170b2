/* vars.c: `vars`: values of fields written wherever $(NAME) stands in the fields of varReference.
 */
#include "load_priv.h"
#include "specs.h"

static bool same_kind(struct res_id want, struct res_id have)
{
	return str_eq(want.group, have.group) && str_eq(want.version, have.version) &&
	       str_eq(want.kind, have.kind) && str_eq(want.name, have.name);
}

/* Without a namespace any will do, unless the kind knows none. */
static bool is_meant(const struct var_spec *v, const struct res *r)
{
	bool any = !v->object.ns.n &&
		   !res_kind_is_cluster(v->object.group, v->object.version, v->object.kind);

	for (size_t i = 0; i <= r->prev.n; i++) {
		struct res_id id = res_id_at(r, i);

		if (any ? same_kind(v->object, id) : res_id_equal(v->object, id))
			return true;
	}
	return false;
}

static struct err *declare(struct arena *a, struct resmap *rm, struct var v)
{
	for (size_t i = 0; i < rm->vars.n; i++) {
		loc first = rm->vars.p[i].spec->at;

		if (str_eq(rm->vars.p[i].spec->name, v.spec->name))
			return err_at(ERR_DUPLICATE, v.spec->at,
				      "var '" STR_FMT "' is declared already, in " STR_FMT ":%u",
				      STR_ARG(v.spec->name),
				      STR_ARG(first.in ? first.in->name : STR("?")), first.line);
	}
	*ARENA_PUSH(a, &rm->vars) = v;
	return NULL;
}

struct err *vars_merge(struct arena *a, struct resmap *rm, const struct resmap *more)
{
	for (size_t i = 0; i < more->vars.n; i++)
		TRY(declare(a, rm, more->vars.p[i]));
	return NULL;
}

struct err *vars_declare(struct build *b, const struct kustomization *k, struct resmap *rm)
{
	for (size_t i = 0; i < k->vars.n; i++) {
		struct var v = {.spec = &k->vars.p[i]};

		for (size_t r = 0; r < rm->n; r++) {
			if (!is_meant(v.spec, rm->p[r]))
				continue;
			if (v.object)
				return err_at(ERR_RENDER, v.spec->at,
					      "var '" STR_FMT
					      "' speaks of several objects: '" STR_FMT
					      "' and '" STR_FMT "'",
					      STR_ARG(v.spec->name),
					      STR_ARG(res_id_text(b->a, res_id(v.object))),
					      STR_ARG(res_id_text(b->a, res_id(rm->p[r]))));
			v.object = rm->p[r];
		}
		TRY(declare(b->a, rm, v));
	}
	return NULL;
}

/* ------------------------------------------------------------------ values */

struct value {
	str name;
	const struct node *v; /* NULL: of no use, as a map is */
	bool used;
};
struct values {
	struct value *p; /* by declaration */
	size_t n, cap;
};

/* "a.b", "a[0].b", "a.0.b", "a.[k=v].b". */
static const struct node *look_up(struct arena *a, const struct node *n, str path)
{
	struct res_strs parts = {0}, all = {0};
	uint64_t at;

	res_path_split(a, path, &parts);
	for (size_t i = 0; i < parts.n; i++) {
		str part = parts.p[i];
		size_t open = str_rchr(part, '[');
		str index = open == SIZE_MAX ? STR("") : str_sub(part, open + 1, SIZE_MAX);

		if (index.n && str_ends(index, STR("]")) &&
		    str_to_u64(str_sub(index, 0, index.n - 1), &at)) {
			if (open)
				*ARENA_PUSH(a, &all) = str_sub(part, 0, open);
			*ARENA_PUSH(a, &all) = str_sub(index, 0, index.n - 1);
		} else {
			*ARENA_PUSH(a, &all) = part;
		}
	}
	return res_path_get(n, &all);
}

static bool is_there(const struct resmap *rm, const struct res *r)
{
	for (size_t i = 0; i < rm->n; i++)
		if (rm->p[i] == r)
			return true;
	return false;
}

static struct err *value_of(struct build *b, const struct resmap *rm, const struct var *v,
			    struct values *ret)
{
	const struct node *n;

	if (!v->object || !is_there(rm, v->object))
		return err_at(ERR_NO_REFERENCE, v->spec->at,
			      "var '" STR_FMT "' speaks of no object that is there",
			      STR_ARG(v->spec->name));
	n = look_up(b->a, v->object->root, v->spec->path);
	if (!n)
		return err_at(ERR_NO_REFERENCE, v->spec->at,
			      "var '" STR_FMT "': '" STR_FMT "' has no field '" STR_FMT "'",
			      STR_ARG(v->spec->name), STR_ARG(res_id_text(b->a, res_id(v->object))),
			      STR_ARG(v->spec->path));
	if (n->kind == NODE_NULL)
		n = node_new_str(b->a, n->text);
	else if (n->kind == NODE_MAP || n->kind == NODE_LIST)
		n = NULL;
	*ARENA_PUSH(b->a, ret) = (struct value){.name = v->spec->name, .v = n};
	return NULL;
}

/* ------------------------------------------------------------------ writing */

struct writer {
	struct values *values;
};

static struct value *find(struct values *v, str name)
{
	for (size_t i = 0; i < v->n; i++)
		if (str_eq(v->p[i].name, name) && v->p[i].v)
			return &v->p[i];
	return NULL;
}

/* As Go prints the value within a text. */
static void add_value(struct buf *b, const struct node *v)
{
	if (v->kind == NODE_STRING)
		buf_str(b, v->text);
	else
		node_json(v, NODE_JSON_CANONICAL, b);
}

static bool is_text(const struct node *n)
{
	return n->kind == NODE_STRING || res_is_untyped(n);
}

/* A text with what it speaks of; the whole value where it is nothing but one name. */
static const struct node *expand(struct writer *w, struct arena *a, const struct node *old)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	str s = old->text;

	for (size_t i = 0; i < s.n; i++) {
		size_t close;
		str name;
		struct value *v;

		if (s.p[i] != '$' || i + 1 == s.n) {
			buf_char(&b, s.p[i]);
			continue;
		}
		i++;
		if (s.p[i] == '$') {
			buf_char(&b, '$');
			continue;
		}
		close = s.p[i] == '(' ? str_chr(str_sub(s, i, SIZE_MAX), ')') : SIZE_MAX;
		if (close == SIZE_MAX) {
			buf_char(&b, '$');
			buf_char(&b, s.p[i]);
			continue;
		}
		name = str_sub(s, i + 1, close - 1);
		v = find(w->values, name);
		if (v)
			v->used = true;
		if (v && i == 1 && close + 2 == s.n)
			return node_with_by(a, v->v, v->v->by ? v->v->by : v->v);
		if (v)
			add_value(&b, v->v);
		else
			buf_printf(&b, "$(" STR_FMT ")", STR_ARG(name));
		i += close;
	}
	if (str_eq(buf_view(&b), s) && old->kind == NODE_STRING)
		return old;
	return node_with_by(a, node_with_style(a, node_new_str(a, buf_view(&b)), old->style), old);
}

static struct err *set_vars(void *arg, struct arena *a, const struct node *old,
			    const struct node **ret)
{
	struct writer *w = arg;

	*ret = old;
	if (is_text(old))
		*ret = expand(w, a, old);
	for (uint32_t i = 0; old->kind == NODE_MAP && i < old->n; i++) {
		const struct node *v = old->pairs[i].value;
		const struct node *new = is_text(v) ? expand(w, a, v) : v;

		if (new != v)
			*ret = node_set(a, *ret, old->pairs[i].key, new);
	}
	for (uint32_t i = 0; old->kind == NODE_LIST && i < old->n; i++) {
		const struct node *v = old->items[i];
		const struct node *new = is_text(v) ? expand(w, a, v) : v;

		if (!is_text(v))
			return err_at(ERR_RENDER, v->at, "vars go into lists of strings, not of %s",
				      node_kind_name(v->kind));
		if (new != v)
			*ret = node_list_set(a, *ret, i, new);
	}
	return NULL;
}

static void warn_unused(struct build *b, const struct resmap *rm, const struct values *values)
{
	for (size_t i = 0; i < values->n; i++)
		if (!values->p[i].used)
			*ARENA_PUSH(b->a, &b->ret->warnings) = (struct render_warning){
				rm->vars.p[i].spec->at,
				arena_printf(b->a, "var '" STR_FMT "' is spoken of nowhere",
					     STR_ARG(values->p[i].name))};
}

static struct err *write_at(struct arena *a, const struct fieldspec *f,
			    const struct fieldspec_visit *visit, struct res *r)
{
	const struct node *before = r->root;

	if (!fieldspec_selects(f, res_id(r)))
		return NULL;
	TRY(fieldspec_apply(a, r->root, f, visit, &r->root));
	res_settle(a, r, before);
	return NULL;
}

struct err *vars_resolve(struct build *b, struct resmap *rm)
{
	struct values values = {0};
	struct writer w = {&values};
	struct fieldspec_visit visit = {set_vars, &w, FIELDSPEC_NEVER};
	const struct fieldspecs *specs;
	struct err *e = NULL;

	for (size_t i = 0; i < rm->vars.n; i++)
		e = err_join(e, value_of(b, rm, &rm->vars.p[i], &values));
	if (e || !values.n)
		return e;
	specs = &rm->specs->of[SPECS_VARS];
	for (size_t i = 0; i < rm->n; i++)
		for (size_t f = 0; f < specs->n; f++)
			TRY(write_at(b->a, &specs->p[f], &visit, rm->p[i]));
	warn_unused(b, rm, &values);
	return NULL;
}
