/* "Nothing to write?" without a request: desired against live along our own set of fields. The set
 * itself tells the kinds of lists, so no schema is needed; what is not in the set always means ask,
 * since then at least the ownership would change. */
#include "diff_priv.h"

struct walk {
	struct arena *a;
	bool alone; /* no other manager could hold a field that we give up */
	struct diff_projection *ret;
};

/* CHANGED wins over ASK; the first of its kind is kept. True: no need to look further. */
static bool say(struct walk *w, enum diff_answer answer, str path, const char *why)
{
	if (answer > DIFF_UNCHANGED &&
	    (w->ret->answer == DIFF_UNCHANGED || answer == DIFF_CHANGED)) {
		w->ret->answer = answer;
		w->ret->path = path.n ? path : STR(".");
		w->ret->why = str_from(why);
	}
	return w->ret->answer == DIFF_CHANGED;
}

static str below(struct walk *w, str path, str key)
{
	return arena_printf(w->a, STR_FMT "." STR_FMT, STR_ARG(path), STR_ARG(key));
}

static bool is_zero(const struct node *n)
{
	double d;

	switch (n->kind) {
	case NODE_NULL:
		return true;
	case NODE_BOOL:
		return !node_bool(n, true);
	case NODE_STRING:
		return !n->text.n;
	case NODE_LIST:
	case NODE_MAP:
		return !n->n;
	case NODE_INT:
	case NODE_FLOAT:
		break;
	}
	return node_number(n, &d) && d == 0;
}

/* A value that is owned whole. */
static bool whole(struct walk *w, const struct obj_schema *s, const struct node *desired,
		  const struct node *live, str path)
{
	bool object = obj_schema_shape(s) == OBJ_OBJECT;

	if (diff_equal(s, desired, live))
		return false;
	if (desired->kind == NODE_MAP && live->kind == NODE_MAP) {
		for (uint32_t i = 0; i < desired->n; i++) {
			str key = desired->pairs[i].key;
			const struct node *d = desired->pairs[i].value, *v = node_get(live, key);

			if (!v) {
				if (say(w, is_zero(d) ? DIFF_ASK : DIFF_CHANGED,
					below(w, path, key), "live lacks it"))
					return true;
			} else if (whole(w, object ? obj_schema_field(s, key) : obj_schema_item(s),
					 d, v, below(w, path, key))) {
				return true;
			}
		}
		for (uint32_t i = 0; i < live->n; i++)
			if (!node_get(desired, live->pairs[i].key))
				say(w, DIFF_ASK, below(w, path, live->pairs[i].key),
				    "live has it inside a value that is ours as a whole");
		return false;
	}
	if (desired->kind == NODE_LIST && live->kind == NODE_LIST && desired->n == live->n) {
		for (uint32_t i = 0; i < desired->n; i++)
			if (whole(w, obj_schema_item(s), desired->items[i], live->items[i],
				  arena_printf(w->a, STR_FMT "[%u]", STR_ARG(path), i)))
				return true;
		return false;
	}
	return say(w, DIFF_CHANGED, path, "live has another value");
}

static bool project(struct walk *w, const struct obj_schema *s, const struct diff_fields *f,
		    const struct node *desired, const struct node *live, str path);

static bool given_up(struct walk *w, str path, bool in_live)
{
	return say(w, in_live && w->alone ? DIFF_CHANGED : DIFF_ASK, path,
		   "ours, but desired no more");
}

/* What nobody writes in a manifest, or what identifies the object. */
static bool skipped(str path, str key)
{
	static const str root[] = {STR("apiVersion"), STR("kind"), STR("status")};
	static const str meta[] = {
		STR("name"),       STR("namespace"),      STR("creationTimestamp"),
		STR("generation"), STR("selfLink"),       STR("managedFields"),
		STR("uid"),        STR("resourceVersion")};
	const str *rows = path.n ? meta : root;
	size_t n = path.n ? ARRAY_LEN(meta) : ARRAY_LEN(root);

	if (path.n && !str_eq(path, STR(".metadata")))
		return false;
	for (size_t i = 0; i < n; i++)
		if (str_eq(rows[i], key))
			return true;
	return false;
}

static bool bare_metadata(str path, str key, const struct node *v)
{
	if (path.n || !str_eq(key, STR("metadata")) || v->kind != NODE_MAP)
		return false;
	for (uint32_t i = 0; i < v->n; i++)
		if (!skipped(STR(".metadata"), v->pairs[i].key))
			return false;
	return true;
}

static bool project_map(struct walk *w, const struct obj_schema *s, const struct diff_fields *f,
			const struct node *desired, const struct node *live, str path)
{
	bool object = obj_schema_shape(s) == OBJ_OBJECT;

	for (uint32_t i = 0; i < desired->n; i++) {
		str key = desired->pairs[i].key;
		const struct node *d = desired->pairs[i].value, *v = node_get(live, key);
		const struct field *m = fields_get(f, key);

		if (skipped(path, key) || (!m && bare_metadata(path, key, d)))
			continue;
		if (!v && say(w, is_zero(d) ? DIFF_ASK : DIFF_CHANGED, below(w, path, key),
			      "live lacks it"))
			return true;
		if (!m)
			say(w, DIFF_ASK, below(w, path, key), "not in our set");
		if (m && v &&
		    project(w, object ? obj_schema_field(s, key) : obj_schema_item(s), m->sub, d, v,
			    below(w, path, key)))
			return true;
	}
	for (size_t i = 0; i < f->v.n; i++) {
		str key = f->v.p[i].name;

		if (f->v.p[i].kind == DIFF_FIELD && !node_get(desired, key) &&
		    given_up(w, below(w, path, key), node_get(live, key) != NULL))
			return true;
	}
	return false;
}

static bool project_list(struct walk *w, const struct obj_schema *s, const struct diff_fields *f,
			 const struct node *desired, const struct node *live, str path)
{
	uint32_t *where = ARENA_ARRAY(w->a, uint32_t, f->v.n); /* in live, 1-based */
	bool *wanted = ARENA_ARRAY(w->a, bool, f->v.n);
	uint32_t last = 0;

	for (uint32_t i = 0; i < live->n; i++) {
		const struct field *m = fields_element(w->a, f, live->items[i]);

		if (m && !where[m - f->v.p])
			where[m - f->v.p] = i + 1;
	}
	for (uint32_t i = 0; i < desired->n; i++) {
		str at = arena_printf(w->a, STR_FMT "[%u]", STR_ARG(path), i);
		const struct field *m = fields_element(w->a, f, desired->items[i]);

		if (!m) {
			say(w, DIFF_ASK, at, "not in our set");
			continue;
		}
		wanted[m - f->v.p] = true;
		if (!where[m - f->v.p])
			return say(w, DIFF_CHANGED, at, "live lacks it");
		if (where[m - f->v.p] <= last)
			return say(w, DIFF_CHANGED, at, "live has another order");
		last = where[m - f->v.p];
		if (m->kind == DIFF_KEYED && project(w, obj_schema_item(s), m->sub,
						     desired->items[i], live->items[last - 1], at))
			return true;
	}
	for (size_t i = 0; i < f->v.n; i++)
		if (!wanted[i] && given_up(w, path, where[i] != 0))
			return true;
	return false;
}

static bool project(struct walk *w, const struct obj_schema *s, const struct diff_fields *f,
		    const struct node *desired, const struct node *live, str path)
{
	if (!f->v.n && !(f->self && desired->kind == NODE_MAP && desired->n))
		return whole(w, s, desired, live, path);
	if (f->indices)
		return say(w, DIFF_ASK, path, "owned by index");
	if (desired->kind != live->kind)
		return say(w, DIFF_CHANGED, path, "live has a value of another type");
	if (desired->kind == NODE_MAP)
		return project_map(w, s, f, desired, live, path);
	if (desired->kind == NODE_LIST)
		return project_list(w, s, f, desired, live, path);
	return whole(w, s, desired, live, path);
}

static bool has_null(const struct node *n, unsigned depth)
{
	if (n->kind == NODE_NULL || depth > NODE_MAX_DEPTH)
		return true;
	for (uint32_t i = 0; n->kind == NODE_MAP && i < n->n; i++)
		if (has_null(n->pairs[i].value, depth + 1))
			return true;
	for (uint32_t i = 0; n->kind == NODE_LIST && i < n->n; i++)
		if (has_null(n->items[i], depth + 1))
			return true;
	return false;
}

struct err *diff_project(struct arena *a, const struct object *desired, const struct node *live,
			 str manager, struct diff_projection *ret)
{
	str api_version = node_get_text(desired->root, STR("apiVersion"));
	const struct diff_manager *ours;
	struct diff_managed managed;
	struct diff_projection answer = {0};
	struct walk w = {a, true, &answer};

	if (!live) {
		say(&w, DIFF_CHANGED, STR_NONE, "live has no such object");
		*ret = answer;
		return NULL;
	}
	TRY(diff_managed_read(a, live, &managed));
	ours = diff_managed_ours(&managed, manager);
	for (size_t i = 0; i < managed.n; i++)
		if (&managed.p[i] != ours && !managed.p[i].subresource.n)
			w.alone = false;
	if (node_at(live, "metadata", "deletionTimestamp", NULL))
		say(&w, DIFF_ASK, STR(".metadata.deletionTimestamp"), "live is being deleted");
	else if (has_null(desired->root, 0))
		say(&w, DIFF_ASK, STR_NONE, "desired has nulls");
	else if (!ours)
		say(&w, DIFF_ASK, STR(".metadata.managedFields"), "no entry, or several, of ours");
	else if (!str_eq(ours->api_version, api_version))
		say(&w, DIFF_ASK, STR(".metadata.managedFields"),
		    "our entry is of another apiVersion");
	else
		project_map(&w, obj_schema_of(api_version, desired->id.kind), ours->fields,
			    desired->root, live, STR_NONE);
	*ret = answer;
	return NULL;
}
