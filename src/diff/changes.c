/* Three trees walked side by side, down to the leaves that differ. */
#include "diff_priv.h"

enum { APPLIED, DESIRED, LIVE, WITNESSES };

/* The sets of all managers that have this container, for the kinds of lists they tell. */
struct sets {
	const struct diff_fields **p;
	size_t n, cap;
};

struct walk {
	struct arena *a;
	bool all;
	struct {
		struct diff_step *p;
		size_t n, cap;
	} steps;
	struct diff_changes *ret;
};

static struct err *walk(struct walk *w, const struct obj_schema *s, const struct sets *sets,
			const struct node *const n[WITNESSES], str path);

/* ------------------------------------------------------------------ leaves */

static void emit(struct walk *w, enum diff_class class, const struct node *const n[WITNESSES],
		 str path)
{
	struct diff_step *steps;

	if (!w->all && !diff_class_written(class))
		return;
	steps = ARENA_ARRAY(w->a, struct diff_step, w->steps.n);
	for (size_t i = 0; i < w->steps.n; i++)
		steps[i] = w->steps.p[i];
	*ARENA_PUSH(w->a, w->ret) = (struct diff_change){
		.class = class,
		.path = path.n ? path : STR("."),
		.steps = steps,
		.n_steps = w->steps.n,
		.applied = n[APPLIED],
		.desired = n[DESIRED],
		.live = n[LIVE],
	};
}

/* ------------------------------------------------------------------ maps */

/* What only the server writes. */
static bool server_side(const struct walk *w, str key)
{
	static const str meta[] = {STR("managedFields"),
				   STR("resourceVersion"),
				   STR("uid"),
				   STR("creationTimestamp"),
				   STR("generation"),
				   STR("selfLink"),
				   STR("deletionTimestamp"),
				   STR("deletionGracePeriodSeconds")};

	if (!w->steps.n)
		return str_eq(key, STR("status"));
	if (w->steps.n != 1 || !str_eq(w->steps.p[0].name, STR("metadata")))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(meta); i++)
		if (str_eq(key, meta[i]))
			return true;
	return false;
}

static str key_path(struct arena *a, str path, str key)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_str(&b, path);
	obj_path_field(&b, key);
	return arena_str(a, buf_view(&b));
}

static struct sets sets_below(struct arena *a, const struct sets *sets,
			      const struct diff_step *step)
{
	struct sets below = {0};

	for (size_t i = 0; i < sets->n; i++) {
		const struct field *m = step->kind == DIFF_FIELD
						? fields_get(sets->p[i], step->name)
						: fields_element(a, sets->p[i], step->element);

		if (m && m->sub->v.n)
			*ARENA_PUSH(a, &below) = m->sub;
	}
	return below;
}

static struct err *step_into(struct walk *w, const struct obj_schema *s, const struct sets *sets,
			     struct diff_step step, const struct node *const n[WITNESSES], str path)
{
	struct sets below = sets_below(w->a, sets, &step);

	*ARENA_PUSH(w->a, &w->steps) = step;
	TRY(walk(w, s, &below, n, path));
	w->steps.n--;
	return NULL;
}

static struct err *walk_maps(struct walk *w, const struct obj_schema *s, const struct sets *sets,
			     const struct node *const n[WITNESSES], str path)
{
	static const int order[WITNESSES] = {DESIRED, LIVE, APPLIED};
	bool object = obj_schema_shape(s) == OBJ_OBJECT;

	for (int k = 0; k < WITNESSES; k++) {
		const struct node *map = n[order[k]];

		for (uint32_t i = 0; map && i < map->n; i++) {
			str key = map->pairs[i].key;
			const struct node *v[WITNESSES];
			bool seen = false;

			for (int j = 0; j < k; j++)
				seen |= node_get(n[order[j]], key) != NULL;
			if (seen || server_side(w, key))
				continue;
			for (int j = 0; j < WITNESSES; j++)
				v[j] = node_get(n[j], key);
			TRY(step_into(w, object ? obj_schema_field(s, key) : obj_schema_item(s),
				      sets, (struct diff_step){.kind = DIFF_FIELD, .name = key}, v,
				      key_path(w->a, path, key)));
		}
	}
	return NULL;
}

/* ------------------------------------------------------------------ lists */

enum list_by { BY_NOTHING, BY_KEYS, BY_VALUE };

/* By the schema's list keys, else its merge key, else what a manager's set tells. */
static enum list_by list_by(const struct obj_schema *s, const struct sets *sets, struct shape *ret)
{
	const struct obj_list_key *keys;
	size_t n = obj_schema_list_keys(s, &keys);

	*ret = (struct shape){0};
	if (obj_schema_list_type(s) == OBJ_LIST_MAP && n && n <= FIELDS_MAX_KEYS) {
		for (; ret->n < n; ret->n++) {
			ret->names[ret->n] = keys[ret->n].name;
			ret->otherwise[ret->n] = keys[ret->n].otherwise;
		}
		return BY_KEYS;
	}
	if (smp_merges(s) && obj_schema_merge_key(s).n) {
		ret->names[ret->n++] = obj_schema_merge_key(s);
		return BY_KEYS;
	}
	if (smp_merges(s) || obj_schema_list_type(s) == OBJ_LIST_SET)
		return BY_VALUE;
	for (size_t i = 0; i < sets->n; i++) {
		if (sets->p[i]->n_shapes == 1) {
			*ret = sets->p[i]->shapes[0];
			return BY_KEYS;
		}
		if (sets->p[i]->values)
			return BY_VALUE;
	}
	return BY_NOTHING;
}

static str element_text(struct arena *a, enum list_by by, const struct shape *shape,
			const struct node *e)
{
	if (by == BY_KEYS)
		return e->kind == NODE_MAP ? shape_text(a, shape, e) : STR_NONE;
	return e->kind == NODE_MAP || e->kind == NODE_LIST ? STR_NONE
							   : smp_scalar_text(a, e, false);
}

/* False: an element lacks its key, or shares it; the list is then one value. */
static bool index_list(struct arena *a, enum list_by by, const struct shape *shape,
		       const struct node *list, struct keys *ret)
{
	keys_init(ret, a);
	for (uint32_t i = 0; list && i < list->n; i++) {
		str text = element_text(a, by, shape, list->items[i]);

		if (!text.n || !keys_add(ret, text, i))
			return false;
	}
	return true;
}

/* [name="c"], [containerPort=80,protocol="TCP"], [="x"] */
static str element_path(struct arena *a, str path, enum list_by by, const struct shape *shape,
			const struct node *e)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_str(&b, path);
	buf_char(&b, '[');
	for (size_t i = 0; by == BY_KEYS && i < shape->n; i++) {
		const struct node *v = node_get(e, shape->names[i]);

		if (i)
			buf_char(&b, ',');
		buf_str(&b, shape->names[i]);
		buf_char(&b, '=');
		if (v)
			node_json(v, NODE_JSON_COMPACT, &b);
		else
			buf_json(&b, shape->otherwise[i]);
	}
	if (by == BY_VALUE) {
		buf_char(&b, '=');
		node_json(e, NODE_JSON_COMPACT, &b);
	}
	buf_char(&b, ']');
	return arena_str(a, buf_view(&b));
}

/* Do the elements that desired and live share stand in another order? */
static bool reordered(struct arena *a, enum list_by by, const struct shape *shape,
		      const struct node *desired, const struct keys *in_live)
{
	size_t last = 0;

	for (uint32_t i = 0; desired && i < desired->n; i++) {
		size_t at = keys_get(in_live, element_text(a, by, shape, desired->items[i]));

		if (at == SIZE_MAX)
			continue;
		if (at < last)
			return true;
		last = at;
	}
	return false;
}

static struct err *walk_lists(struct walk *w, const struct obj_schema *s, const struct sets *sets,
			      const struct node *const n[WITNESSES], str path)
{
	static const int order[WITNESSES] = {DESIRED, LIVE, APPLIED};
	struct keys at[WITNESSES];
	struct shape shape;
	enum list_by by = list_by(s, sets, &shape);

	for (int i = 0; by != BY_NOTHING && i < WITNESSES; i++)
		if (!index_list(w->a, by, &shape, n[i], &at[i]))
			by = BY_NOTHING;
	if (by == BY_NOTHING) {
		emit(w, diff_decide(s, n[APPLIED], n[DESIRED], n[LIVE]), n, path);
		return NULL;
	}
	for (int k = 0; k < WITNESSES; k++) {
		const struct node *list = n[order[k]];

		for (uint32_t i = 0; list && i < list->n; i++) {
			const struct node *e = list->items[i], *v[WITNESSES];
			str text = element_text(w->a, by, &shape, e);
			struct diff_step step = {.kind = by == BY_KEYS ? DIFF_KEYED : DIFF_VALUE,
						 .element = e};
			bool seen = false;

			for (int j = 0; j < k; j++)
				seen |= keys_get(&at[order[j]], text) != SIZE_MAX;
			if (seen)
				continue;
			for (int j = 0; j < WITNESSES; j++) {
				size_t x = keys_get(&at[j], text);

				v[j] = x == SIZE_MAX ? NULL : n[j]->items[x];
			}
			TRY(step_into(w, obj_schema_item(s), sets, step, v,
				      element_path(w->a, path, by, &shape, e)));
		}
	}
	if (n[LIVE] && reordered(w->a, by, &shape, n[DESIRED], &at[LIVE]))
		emit(w, DIFF_REORDERED, n, path);
	return NULL;
}

/* ------------------------------------------------------------------ both */

/* All that are there are of one kind of container, and going down says more than the whole does. */
static bool worth_walking(const struct obj_schema *s, const struct node *const n[WITNESSES],
			  enum node_kind kind)
{
	size_t there = 0;

	for (int i = 0; i < WITNESSES; i++) {
		if (n[i] && n[i]->kind != kind)
			return false;
		there += n[i] != NULL;
	}
	if (there < 2 || !n[LIVE] || obj_schema_atomic(s))
		return false;
	return n[DESIRED] || !diff_equal(s, n[APPLIED], n[LIVE]);
}

static struct err *walk(struct walk *w, const struct obj_schema *s, const struct sets *sets,
			const struct node *const n[WITNESSES], str path)
{
	for (int i = 0; i < WITNESSES; i++)
		if (n[i])
			TRY(smp_too_deep(n[i], (unsigned)w->steps.n));
	if (worth_walking(s, n, NODE_MAP))
		return walk_maps(w, s, sets, n, path);
	if (worth_walking(s, n, NODE_LIST))
		return walk_lists(w, s, sets, n, path);
	emit(w, diff_decide(s, n[APPLIED], n[DESIRED], n[LIVE]), n, path);
	return NULL;
}

struct err *diff_changes(struct arena *a, const struct diff_witnesses *w, struct diff_changes *ret)
{
	const struct node *const n[WITNESSES] = {w->applied, w->desired, w->live};
	struct diff_changes changes = {0};
	struct walk k = {.a = a, .all = w->all, .ret = &changes};
	struct sets sets = {0};

	for (size_t i = 0; w->managed && i < w->managed->n; i++)
		*ARENA_PUSH(a, &sets) = w->managed->p[i].fields;
	TRY(walk(&k, w->schema, &sets, n, STR_NONE));
	*ret = changes;
	return NULL;
}
