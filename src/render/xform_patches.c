/* patches, patchesStrategicMerge and patchesJson6902. What a patch is, its text says: objects are
 * merged, a list of operations is applied. */
#include "merge.h"
#include "select.h"

struct patching {
	struct arena *a;
	struct resmap *rm;
	struct name_index *ix; /* NULL: to be made */
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

/* The index knows the new name, if there is one and there is an index. */
static void note_name(struct patching *p, struct res *r, const struct node *was)
{
	str now = res_id(r).name;

	if (p->ix && !(was && str_eq(was->text, now)))
		name_index_add(p->a, p->ix, now, r);
}

/* Whatever the patch says, the object keeps its identity, unless the options allow otherwise. */
static struct err *merge_one(struct patching *p, const struct patch_spec *s,
			     const struct node *patch, struct res *r)
{
	const struct node *kind = node_get(r->root, STR("kind"));
	const struct node *name = node_at(r->root, "metadata", "name", NULL);
	const struct node *ns = node_at(r->root, "metadata", "namespace", NULL);
	const struct node *api_version = node_get(r->root, STR("apiVersion"));
	const struct node *root;

	if (s->allow_name_change || s->allow_kind_change)
		res_push_prev(p->a, r);
	if (api_version)
		patch = node_set(p->a, patch, STR("apiVersion"), api_version);
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
	return merge_one(p, s, patch, found);
}

/* ------------------------------------------------------------------ JSON patch */

#define EXACT_INT ((int64_t)1 << 53)

/* The object passes through JSON, whose numbers are doubles: large integers lose digits. */
static struct err *round_numbers(struct arena *a, const struct node *n, unsigned depth,
				 const struct node **ret)
{
	int64_t v;

	*ret = n;
	if (depth > 2 * NODE_MAX_DEPTH)
		return err_at(ERR_LIMIT, n->at, "values nest deeper than %d", 2 * NODE_MAX_DEPTH);
	if (n->kind == NODE_INT && node_i64(n, &v) && (v > EXACT_INT || v < -EXACT_INT))
		*ret = node_new_scalar(a, NODE_INT, NODE_PLAIN, arena_printf(a, "%.0f", (double)v));
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
	TRY_WRAP(node_patch_json(p->a, r->root, ops, &root), "patch " STR_FMT,
		 STR_ARG(res_id_text(p->a, res_id(r))));
	TRY(round_numbers(p->a, root, 0, &r->root));
	note_name(p, r, name);
	return NULL;
}

/* ------------------------------------------------------------------ entries */

static struct err *apply_to_target(struct patching *p, const struct patch_spec *s,
				   const struct parsed *x)
{
	CLEANUP(selection) struct selection *sel = NULL;

	TRY(selection_new(p->a, s->target, &sel));
	if (x->docs.n > 1)
		return err_at(ERR_RENDER, x->docs.p[1]->at,
			      "a patch with a target must be one document");
	for (size_t i = 0; i < p->rm->n; i++) {
		struct res *r = p->rm->p[i];

		if (!r->root || !selection_has(sel, r))
			continue;
		if (x->ops)
			TRY(json_one(p, x->ops, r));
		else if (x->docs.n == 1)
			TRY(merge_one(p, s, x->docs.p[0], r));
	}
	return NULL;
}

static struct err *apply(struct patching *p, const struct patch_spec *s, bool json)
{
	struct parsed x = {0};

	TRY(parse(p->a, s->text, json, &x));
	if (merge_text_hints(s->text->bytes))
		p->rm->schema = merge_types_hinted(p->a, p->rm->schema);
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
	struct patching p = {.a = a, .rm = rm, .keep_history = true};

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
