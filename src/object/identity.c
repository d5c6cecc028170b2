/* Who an object is, and how people and files write that. */
#include "object_priv.h"

bool obj_id_eq(obj_id a, obj_id b)
{
	return str_eq(a.name, b.name) && str_eq(a.kind, b.kind) && str_eq(a.ns, b.ns) &&
	       str_eq(a.group, b.group);
}

int obj_id_cmp(obj_id a, obj_id b)
{
	int c = str_cmp(a.group, b.group);

	if (!c)
		c = str_cmp(a.kind, b.kind);
	if (!c)
		c = str_cmp(a.ns, b.ns);
	return c ? c : str_cmp(a.name, b.name);
}

uint64_t obj_id_hash(obj_id id)
{
	const str part[] = {id.group, id.kind, id.ns, id.name};
	uint64_t h = 0;

	/* An odd factor between the parts, so that "a/b" and "b/a" differ; str_hash is keyed. */
	for (size_t i = 0; i < ARRAY_LEN(part); i++)
		h = (h ^ str_hash(part[i])) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ (h >> 32);
}

obj_id obj_id_dup(struct arena *a, obj_id id)
{
	return (obj_id){arena_str(a, id.group), arena_str(a, id.kind), arena_str(a, id.ns),
			arena_str(a, id.name)};
}

str obj_id_text(struct arena *a, obj_id id)
{
	return arena_printf(a, STR_FMT "/" STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(id.group),
			    STR_ARG(id.kind), STR_ARG(id.ns), STR_ARG(id.name));
}

str obj_id_label(struct arena *a, obj_id id)
{
	return arena_printf(a, STR_FMT " " STR_FMT "%s" STR_FMT, STR_ARG(id.kind), STR_ARG(id.ns),
			    id.ns.n ? "/" : "", STR_ARG(id.name));
}

/* What may stand between the slashes of an identity: an inventory is lines and tabs. */
static bool is_part(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '/' || s.p[i] == '\x7f')
			return false;
	return true;
}

/* Cuts s at its slashes; 0 when there are more parts than `most` or one that cannot be a part. */
static size_t parts(str s, str *ret, size_t most)
{
	size_t n = 0;

	for (;;) {
		size_t slash = str_chr(s, '/');

		if (n == most)
			return 0;
		ret[n] = str_sub(s, 0, slash);
		if (!is_part(ret[n++]))
			return 0;
		if (slash == SIZE_MAX)
			return n;
		s = str_sub(s, slash + 1, SIZE_MAX);
	}
}

bool obj_id_parse(str s, obj_id *ret)
{
	str p[4];

	if (parts(s, p, 4) != 4 || !p[1].n || !p[3].n)
		return false;
	*ret = (obj_id){p[0], p[1], p[2], p[3]};
	return true;
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Letters, digits and inner '-'; with dots, labels of them. */
static bool is_word(str s, bool dots)
{
	bool edge = true;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '.' || c == '-') {
			if (edge || (c == '.' && (!dots || s.p[i - 1] == '-')))
				return false;
			edge = c == '.';
		} else if (is_alpha(c) || is_digit(c)) {
			edge = false;
		} else {
			return false;
		}
	}
	return s.n && !edge && s.p[s.n - 1] != '-';
}

/* v1, v2beta3 */
static bool is_version(str s)
{
	size_t i = 1;

	if (s.n < 2 || s.p[0] != 'v' || !is_digit(s.p[1]))
		return false;
	while (i < s.n && is_digit(s.p[i]))
		i++;

	str rest = str_sub(s, i, SIZE_MAX);
	size_t word = str_starts(rest, STR("alpha")) ? 5 : str_starts(rest, STR("beta")) ? 4 : 0;

	if (rest.n && (!word || rest.n == word))
		return false;
	for (i = word; i < rest.n; i++)
		if (!is_digit(rest.p[i]))
			return false;
	return true;
}

bool obj_ref_parse(str s, struct obj_ref *ret)
{
	str p[3];
	size_t n = parts(s, p, 3);
	struct obj_ref r = {.group = STR(""), .ns = STR("")};

	if (n < 2 || !p[n - 1].n || (n == 3 && !p[1].n))
		return false;
	r.name = p[n - 1];
	if (n == 3)
		r.ns = p[1];

	size_t dot = str_chr(p[0], '.');

	r.kind = str_sub(p[0], 0, dot);
	if (dot != SIZE_MAX) {
		r.group = str_sub(p[0], dot + 1, SIZE_MAX);
		dot = str_chr(r.group, '.');
		if (dot != SIZE_MAX && is_version(str_sub(r.group, 0, dot)))
			r.group = str_sub(r.group, dot + 1, SIZE_MAX);
		if (!is_word(r.group, true))
			return false;
	}
	if (!is_word(r.kind, false) || !is_alpha(r.kind.p[0]))
		return false;
	*ret = r;
	return true;
}

bool obj_ref_matches(const struct obj_ref *r, obj_id id)
{
	return str_eq(r->name, id.name) && (!r->ns.n || str_eq(r->ns, id.ns)) &&
	       (!r->group.n || str_eq(r->group, id.group)) &&
	       obj_kind_matches(r->kind, id.group, id.kind);
}

void obj_api_version(str api_version, str *group, str *version)
{
	size_t slash = str_chr(api_version, '/');

	*group = slash == SIZE_MAX ? STR("") : str_sub(api_version, 0, slash);
	*version = slash == SIZE_MAX ? api_version : str_sub(api_version, slash + 1, SIZE_MAX);
}

struct err *obj_need_string(const struct node *v, const char *what)
{
	if (v->kind == NODE_STRING)
		return NULL;
	return err_at(ERR_WRONG_TYPE, v->at, "'%s' must be a string, not %s", what,
		      node_kind_name(v->kind));
}

/* The text of one field of an identity; an optional one may be absent, null or empty. */
static struct err *need_part(const struct node *map, loc at, str key, const char *what,
			     bool optional, str *ret)
{
	const struct node *v = node_get(map, key);

	*ret = STR("");
	if (optional && (!v || v->kind == NODE_NULL))
		return NULL;
	if (!v)
		return err_at(ERR_MISSING, at, "'%s' is missing", what);
	TRY(obj_need_string(v, what));
	if (!v->text.n && !optional)
		return err_at(ERR_INVALID, v->at, "'%s' is empty", what);
	*ret = v->text;
	return NULL;
}

static struct err *check_part(const struct node *v, const char *what, str s)
{
	if (is_part(s))
		return NULL;
	return err_at(ERR_INVALID, v->at, "'%s' holds a slash, a blank or a control character",
		      what);
}

struct err *obj_from_node(struct arena *a, const struct node *root, struct object *ret)
{
	struct object o = {.root = root, .at = root->at};
	str api_version;

	(void)a; /* texts stay those of the tree */
	if (root->kind != NODE_MAP)
		return err_at(ERR_WRONG_TYPE, root->at, "an object must be a map, not %s",
			      node_kind_name(root->kind));

	struct err *e =
		need_part(root, root->at, STR("apiVersion"), "apiVersion", false, &api_version);

	e = err_join(e, need_part(root, root->at, STR("kind"), "kind", false, &o.id.kind));
	if (o.id.kind.n)
		e = err_join(e, check_part(node_get(root, STR("kind")), "kind", o.id.kind));
	if (api_version.n) {
		const struct node *v = node_get(root, STR("apiVersion"));

		obj_api_version(api_version, &o.id.group, &o.version);
		if (!is_part(o.id.group) || !is_part(o.version) || !o.version.n ||
		    (!o.id.group.n && o.version.n != api_version.n))
			e = err_join(e, err_at(ERR_INVALID, v->at,
					       "'apiVersion' must be 'version' or 'group/version', "
					       "not '" STR_FMT "'",
					       STR_ARG(api_version)));
	}

	const struct node *meta = node_get(root, STR("metadata"));

	if (!meta || meta->kind == NODE_NULL) {
		e = err_join(e, err_at(ERR_MISSING, root->at, "'metadata.name' is missing"));
	} else if (meta->kind != NODE_MAP) {
		e = err_join(e, err_at(ERR_WRONG_TYPE, meta->at, "'metadata' must be a map, not %s",
				       node_kind_name(meta->kind)));
	} else {
		const struct node *generate = node_get(meta, STR("generateName"));

		if (generate && !node_get(meta, STR("name")))
			e = err_join(e,
				     err_at(ERR_MISSING, generate->at,
					    "'metadata.name' is missing: an object that is kept in "
					    "Git cannot have a generated name"));
		else
			e = err_join(e, need_part(meta, meta->at, STR("name"), "metadata.name",
						  false, &o.id.name));
		e = err_join(e, need_part(meta, meta->at, STR("namespace"), "metadata.namespace",
					  true, &o.id.ns));
		if (o.id.name.n)
			e = err_join(e, check_part(node_get(meta, STR("name")), "metadata.name",
						   o.id.name));
		if (o.id.ns.n)
			e = err_join(e, check_part(node_get(meta, STR("namespace")),
						   "metadata.namespace", o.id.ns));
	}
	if (e)
		return e;
	*ret = o;
	return NULL;
}

bool obj_is_list(const struct node *root)
{
	return str_ends(node_get_text(root, STR("kind")), STR("List")) &&
	       node_is(node_get(root, STR("items")), NODE_LIST) &&
	       !node_at(root, "metadata", "name", NULL);
}

str obj_annotation(const struct object *o, str key)
{
	return node_get_text(node_at(o->root, "metadata", "annotations", NULL), key);
}

str obj_label(const struct object *o, str key)
{
	return node_get_text(node_at(o->root, "metadata", "labels", NULL), key);
}
