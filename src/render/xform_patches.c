/* patches, patchesStrategicMerge and patchesJson6902. What a patch is, its text says: objects are
 * merged, a list of operations is applied. */
#include <stdlib.h>

#include "load_priv.h"
#include "merge.h"
#include "select.h"

struct patching {
	struct arena *a;
	struct resmap *rm;
	struct name_index *ix; /* NULL: to be made */
	bool by_target;        /* patchesStrategicMerge: as if each had a target */
	bool keep_history;     /* patchesJson6902 leaves no previous identity */
};

/* A patch as read: documents to merge, or one list of operations. */
struct parsed {
	struct node_docs docs;
	const struct node *ops;
};

static struct err *parse_json(struct arena *a, const struct text *text, struct parsed *ret)
{
	TRY(node_read_json(a, text, &ret->ops));
	return NULL;
}

static struct err *add_merge(struct arena *a, const struct node *doc, unsigned depth,
			     struct node_docs *ret)
{
	const struct node *items = node_get(doc, STR("items"));
	const struct node *kind = node_get(doc, STR("kind"));
	const struct node *name = node_at(doc, "metadata", "name", NULL);

	if (str_ends(node_text(kind), STR("List")) && node_is(items, NODE_LIST) && depth < 8) {
		for (uint32_t i = 0; i < items->n; i++)
			TRY(add_merge(a, items->items[i], depth + 1, ret));
		return NULL;
	}
	if (!node_is(doc, NODE_MAP))
		return err_at(ERR_RENDER, doc->at, "a patch must be a map or a list, not %s",
			      node_kind_name((enum node_kind)doc->kind));
	if (node_text(kind).n == 0)
		return err_at(ERR_RENDER, doc->at, "patch has no 'kind'");
	if (!name || name->text.n == 0)
		return err_at(ERR_RENDER, doc->at, "patch has no 'metadata.name'");
	*ARENA_PUSH(a, ret) = doc;
	return NULL;
}

static struct err *parse(struct arena *a, const struct text *text, bool json, struct parsed *ret)
{
	str trimmed = str_trim(text->bytes);
	struct node_docs docs = {0};

	if (trimmed.n == 0)
		return NULL;
	if (trimmed.p[0] == '[')
		return parse_json(a, text, ret);
	TRY(node_read_yaml(a, text, &docs));
	/* Of several documents a JSON patch is the first. */
	if (docs.n && docs.p[0]->kind == NODE_LIST) {
		docs = (struct node_docs){0};
		TRY(node_read_yaml_as(a, text, NODE_READ_LAST_KEY | NODE_READ_YAML11, &docs));
		ret->ops = docs.p[0];
		return NULL;
	}
	for (size_t i = 0; i < docs.n; i++)
		if (docs.p[i]->kind != NODE_NULL && !json)
			TRY(add_merge(a, docs.p[i], 0, &ret->docs));
		else if (json)
			return err_at(ERR_RENDER, docs.p[i]->at,
				      "a JSON patch must be a list of operations");
	return NULL;
}

/* ------------------------------------------------------------------ strategic merge */

static const struct node *set_meta(struct arena *a, const struct node *root, str key,
				   const struct node *was)
{
	const struct node *meta = node_get(root, STR("metadata"));

	if (node_get(meta, key) == was)
		return root;
	if (meta && meta->kind != NODE_MAP)
		meta = NULL;
	if (was)
		meta = node_set(a, meta, key, was);
	else
		meta = node_del(a, meta, key);
	return node_set(a, root, STR("metadata"), meta);
}

/* kustomize sets labels and annotations of such a patch once more, as a map of strings: a null
 * deletes nothing there. */
static const struct node *with_texts(struct arena *a, const struct node *patch)
{
	static const char *const fields[] = {"labels", "annotations"};

	for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
		str field = str_from(fields[f]);
		const struct node *meta = node_get(patch, STR("metadata"));
		const struct node *old = node_get(meta, field), *map = old;

		if (!old)
			continue;
		for (uint32_t i = 0; old->kind == NODE_MAP && i < old->n; i++) {
			const struct node *v = old->pairs[i].value;
			bool scalar = v->kind != NODE_MAP && v->kind != NODE_LIST;
			struct node *text = ARENA_NEW(a, struct node);

			if (v->kind == NODE_STRING)
				continue;
			*text = *node_new_str(a, scalar ? v->text : STR(""));
			text->at = v->at;
			map = node_set(a, map, old->pairs[i].key, text);
		}
		meta = old->kind == NODE_MAP && old->n ? node_set(a, meta, field, map)
						       : node_del(a, meta, field);
		patch = node_set(a, patch, STR("metadata"), meta);
	}
	return patch;
}

/* The index knows the new name, if there is one and there is an index. */
static void note_name(struct patching *p, struct res *r, const struct node *was)
{
	str now = res_id(r).name;

	if (p->ix && !(was && str_eq(was->text, now)))
		name_index_add(p->a, p->ix, now, r);
}

/* Whatever the patch says, the object keeps its identity, unless the options allow otherwise. */
static struct err *merge_one(struct patching *p, const struct patch_spec *s,
			     const struct node *patch, bool by_target, struct res *r)
{
	const struct node *before = r->root;
	const struct node *kind = node_get(r->root, STR("kind"));
	const struct node *name = node_at(r->root, "metadata", "name", NULL);
	const struct node *ns = node_at(r->root, "metadata", "namespace", NULL);
	const struct node *api_version = node_get(r->root, STR("apiVersion"));
	const struct node *root;

	if (s->allow_name_change || s->allow_kind_change) {
		res_push_prev(p->a, r);
		p->rm->ids_loose = true;
	}
	if (api_version)
		patch = node_set(p->a, patch, STR("apiVersion"), api_version);
	if (by_target)
		patch = with_texts(p->a, patch);
	TRY_WRAP(merge_strategic(p->a, p->rm->schema, r->root, patch, &root), "patch " STR_FMT,
		 STR_ARG(res_id_text(p->a, res_id(r))));
	if (!root || root->n == 0) {
		r->root = NULL;
		return NULL;
	}
	if (!s->allow_kind_change && kind && node_get(root, STR("kind")) != kind)
		root = node_set(p->a, root, STR("kind"), kind);
	if (!s->allow_name_change)
		root = set_meta(p->a, root, STR("name"), name);
	r->root = set_meta(p->a, root, STR("namespace"), ns);
	res_settle(p->a, r, before);
	note_name(p, r, name);
	return NULL;
}

static struct err *merge_by_id(struct patching *p, const struct patch_spec *s,
			       const struct node *patch)
{
	struct res like = {.root = patch};
	struct res_id id = res_id(&like);
	const struct name_hits *hits;
	struct res *found = NULL;

	if (!p->ix)
		p->ix = name_index_new(p->a, p->rm);
	hits = name_index_get(p->ix, id.name);
	for (size_t i = 0; i < hits->n; i++) {
		if (!hits->p[i]->root || !res_has_id(hits->p[i], id))
			continue;
		if (found)
			return err_at(ERR_RENDER, patch->at,
				      "multiple matches for strategic merge patch '" STR_FMT "'",
				      STR_ARG(res_id_text(p->a, id)));
		found = hits->p[i];
	}
	if (!found)
		return err_at(ERR_RENDER, patch->at,
			      "no resource matches strategic merge patch '" STR_FMT "'",
			      STR_ARG(res_id_text(p->a, id)));
	TRY(merge_one(p, s, patch, p->by_target, found));
	return p->by_target && p->rm->ids_loose ? res_check_ids(p->a, s->at, p->rm) : NULL;
}

/* ------------------------------------------------------------------ JSON patch */

#define EXACT_INT ((int64_t)1 << 53)
#define LONGEST_INT 1e21 /* Go writes larger doubles with an exponent */

/* A number as Go's JSON writes it, which knows doubles only: large integers lose digits. */
static const struct node *as_double(struct arena *a, const struct node *n)
{
	char t[32];
	int64_t v;
	double d;
	bool exact = node_i64(n, &v) && v <= EXACT_INT && v >= -EXACT_INT;

	if (exact)
		snprintf(t, sizeof(t), "%lld", (long long)v);
	else if (!node_number(n, &d) || d != d || d - d != 0)
		return n;
	else if (d < LONGEST_INT && d > -LONGEST_INT && d == __builtin_trunc(d))
		snprintf(t, sizeof(t), "%.0f", d);
	else
		for (int digits = 1; digits <= 17; digits++) {
			snprintf(t, sizeof(t), "%.*g", digits, d);
			if (strtod(t, NULL) == d)
				break;
		}
	if (str_eq(str_from(t), n->text) && !res_is_untyped(n))
		return n;
	return node_with_by(a, node_new_scalar(a, (enum node_kind)n->kind, NODE_PLAIN, str_from(t)),
			    n->by);
}

/* The object passes through JSON. */
static struct err *round_numbers(struct arena *a, const struct node *n, unsigned depth,
				 const struct node **ret)
{
	*ret = n;
	if (depth > 2 * NODE_MAX_DEPTH)
		return err_at(ERR_LIMIT, n->at, "values nest deeper than %d", 2 * NODE_MAX_DEPTH);
	if (n->kind == NODE_INT || n->kind == NODE_FLOAT)
		*ret = as_double(a, n);
	for (uint32_t i = 0; (n->kind == NODE_MAP || n->kind == NODE_LIST) && i < n->n; i++) {
		bool map = n->kind == NODE_MAP;
		const struct node *old = map ? n->pairs[i].value : n->items[i], *new;

		TRY(round_numbers(a, old, depth + 1, &new));
		if (new != old)
			*ret = map ? node_set(a, *ret, n->pairs[i].key, new)
				   : node_list_set(a, *ret, i, new);
	}
	return NULL;
}

static struct err *json_one(struct patching *p, const struct node *ops, struct res *r)
{
	const struct node *root;

	const struct node *name = node_at(r->root, "metadata", "name", NULL);

	if (p->keep_history)
		res_push_prev(p->a, r);
	/* The books that kustomize keeps in annotations are there by then. */
	if (r->prev.n && !node_at(r->root, "metadata", "annotations", NULL))
		r->root = set_meta(p->a, r->root, STR("annotations"), node_new_map(p->a, NULL, 0));
	TRY_WRAP(node_patch_json_lenient(p->a, r->root, ops, &root), "patch " STR_FMT,
		 STR_ARG(res_id_text(p->a, res_id(r))));
	TRY(round_numbers(p->a, root, 0, &r->root));
	p->rm->ids_loose = true;
	r->shared.n = 0; /* the way through JSON tells values apart */
	note_name(p, r, name);
	return NULL;
}

/* ------------------------------------------------------------------ entries */

static struct err *apply_to_target(struct patching *p, const struct patch_spec *s,
				   const struct parsed *x)
{
	CLEANUP(selection) struct selection *sel = NULL;
	bool any = false;

	TRY(selection_new(p->a, s->target, &sel));
	if (x->docs.n > 1)
		return err_at(ERR_RENDER, x->docs.p[1]->at,
			      "a patch with a target must be one document");
	for (size_t i = 0; i < p->rm->n; i++) {
		struct res *r = p->rm->p[i];

		if (!r->root || !selection_has(sel, r))
			continue;
		any = true;
		if (x->ops)
			TRY(json_one(p, x->ops, r));
		else if (x->docs.n == 1)
			TRY(merge_one(p, s, x->docs.p[0], true, r));
	}
	if (!any && p->rm->build)
		build_warn(p->rm->build, s->target->at,
			   "the target of this patch matches no object");
	return x->docs.n && p->rm->ids_loose ? res_check_ids(p->a, s->at, p->rm) : NULL;
}

static struct err *apply(struct patching *p, const struct patch_spec *s, bool json)
{
	struct parsed x = {0};

	TRY(parse(p->a, s->text, json, &x));
	if (merge_text_hints(s->text->bytes))
		p->rm->schema = merge_types_hinted(p->a, p->rm->schema);
	if (x.ops && !x.ops->n)
		return json ? err_at(ERR_MISSING, s->at, "the patch is empty") : NULL;
	if (s->target)
		return apply_to_target(p, s, &x);
	if (x.ops)
		return err_at(ERR_RENDER, s->at, "a JSON patch needs a 'target'");
	for (size_t i = 0; i < x.docs.n; i++)
		TRY(merge_by_id(p, s, x.docs.p[i]));
	return NULL;
}

static struct err *apply_all(struct patching *p, const struct patch_specs *v, bool json)
{
	for (size_t i = 0; i < v->n; i++)
		TRY(apply(p, &v->p[i], json));
	return NULL;
}

struct err *xform_patches_strategic(struct arena *a, const struct kustomization *k,
				    struct resmap *rm)
{
	struct patching p = {.a = a, .rm = rm, .by_target = true, .keep_history = true};

	return apply_all(&p, &k->patches_strategic, false);
}

struct err *xform_patches(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	struct patching p = {.a = a, .rm = rm, .keep_history = true};

	return apply_all(&p, &k->patches, false);
}

struct err *xform_patches_json(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	struct patching p = {.a = a, .rm = rm};

	for (size_t i = 0; i < k->patches_json.n; i++)
		if (!k->patches_json.p[i].target || k->patches_json.p[i].target->name.n == 0)
			return err_at(ERR_RENDER, k->patches_json.p[i].at,
				      "must specify the target name");
	return apply_all(&p, &k->patches_json, true);
}
