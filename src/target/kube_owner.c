/* Whose fields are they: taking over those of tools that wrote the object before us (sync.md a.6).
 */
#include "kube_priv.h"

#define FIELDS_DEPTH NODE_MAX_DEPTH

/* Rows: manager, operation, whether it is a prefix. Entries with a subresource are never taken. */
static const struct {
	str name, operation;
	bool prefix;
} taken[] = {
	{STR("kubectl"), STR("Update"), true}, /* -client-side-apply, -create, -edit, -patch ... */
	{STR("kubectl"), STR("Apply"), false},
	{STR("before-first-apply"), STR("Update"), false},
};

static bool is_entry(const struct node *e, str manager, str operation)
{
	return str_eq(node_get_text(e, STR("manager")), manager) &&
	       str_eq(node_get_text(e, STR("operation")), operation) &&
	       !node_get_text(e, STR("subresource")).n;
}

static bool is_taken(const struct node *e)
{
	str name = node_get_text(e, STR("manager"));
	str operation = node_get_text(e, STR("operation"));

	if (node_get_text(e, STR("subresource")).n)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		if (str_eq(operation, taken[i].operation) &&
		    (taken[i].prefix ? str_starts(name, taken[i].name)
				     : str_eq(name, taken[i].name)))
			return true;
	return false;
}

/* A leaf {} is the field itself; beside fields below it, that is spelt ".". */
static const struct node *with_self(struct arena *a, const struct node *n)
{
	if (node_get(n, STR(".")))
		return n;
	return node_insert(a, n, 0, STR("."), node_new_map(a, NULL, 0));
}

static const struct node *unite(struct arena *a, const struct node *x, const struct node *y,
				bool root, unsigned depth)
{
	struct node_pairs v = {0};

	if (!x || !node_is(x, NODE_MAP))
		return y;
	if (!node_is(y, NODE_MAP) || depth > FIELDS_DEPTH)
		return x;
	if (!root && !x->n && y->n)
		return with_self(a, y);
	if (!root && x->n && !y->n)
		return with_self(a, x);
	for (uint32_t i = 0; i < x->n; i++) {
		const struct node *other = node_get(y, x->pairs[i].key);

		node_pairs_add(a, &v, x->pairs[i].key,
			       other ? unite(a, x->pairs[i].value, other, false, depth + 1)
				     : x->pairs[i].value);
	}
	for (uint32_t i = 0; i < y->n; i++)
		if (!node_get(x, y->pairs[i].key))
			node_pairs_add(a, &v, y->pairs[i].key, y->pairs[i].value);
	return node_new_map(a, v.p, v.n);
}

/* The annotation goes in the same patch, so nobody is to own it. */
static const struct node *without_last_applied(struct arena *a, const struct node *fields)
{
	const struct node *m = node_get(fields, STR("f:metadata"));
	const struct node *n = node_get(m, STR("f:annotations"));

	if (!node_get(n, STR("f:" KUBE_LAST_APPLIED)))
		return fields;
	n = node_del(a, n, STR("f:" KUBE_LAST_APPLIED));
	if (n->n && !(n->n == 1 && node_get(n, STR("."))))
		m = node_set(a, m, STR("f:annotations"), n);
	else
		m = node_del(a, m, STR("f:annotations"));
	return m->n ? node_set(a, fields, STR("f:metadata"), m)
		    : node_del(a, fields, STR("f:metadata"));
}

static const struct node *entries_of(const struct node *root)
{
	const struct node *l = node_at(root, "metadata", "managedFields", NULL);

	return node_is(l, NODE_LIST) ? l : NULL;
}

static const struct node *last_applied(const struct node *root)
{
	return node_get(node_at(root, "metadata", "annotations", NULL), STR(KUBE_LAST_APPLIED));
}

const struct node *kube_take_over(struct arena *a, const struct node *root, str api_version)
{
	const struct node *all = entries_of(root), *fields = NULL, *time = NULL, *ours;
	struct node_pairs v = {0};
	struct node_items rest = {0};
	bool any = last_applied(root) != NULL;

	for (uint32_t i = 0; all && i < all->n; i++) {
		const struct node *e = all->items[i];
		bool us = is_entry(e, STR(KUBE_MANAGER), STR("Apply"));

		if (!us && !is_taken(e)) {
			*ARENA_PUSH(a, &rest) = e;
			continue;
		}
		any = any || !us;
		fields = unite(a, fields, node_get(e, STR("fieldsV1")), true, 0);
		if (!time || str_cmp(node_text(time), node_get_text(e, STR("time"))) < 0)
			time = node_get(e, STR("time"));
	}
	if (!any || !all)
		return NULL;
	fields = without_last_applied(a, fields ? fields : node_new_map(a, NULL, 0));
	if (fields->n) {
		node_pairs_add(a, &v, STR("manager"), node_new_str(a, STR(KUBE_MANAGER)));
		node_pairs_add(a, &v, STR("operation"), node_new_str(a, STR("Apply")));
		node_pairs_add(a, &v, STR("apiVersion"), node_new_str(a, api_version));
		if (time)
			node_pairs_add(a, &v, STR("time"), time);
		node_pairs_add(a, &v, STR("fieldsType"), node_new_str(a, STR("FieldsV1")));
		node_pairs_add(a, &v, STR("fieldsV1"), fields);
		ours = node_new_map(a, v.p, v.n);
		*ARENA_PUSH(a, &rest) = ours;
	}
	return rest.n ? node_new_list(a, rest.p, rest.n) : NULL; /* [] would strip all owners */
}

const struct node *kube_reversion(struct arena *a, const struct node *root, str api_version)
{
	const struct node *all = entries_of(root);
	struct node_items v = {0};
	bool any = false;

	for (uint32_t i = 0; all && i < all->n; i++) {
		const struct node *e = all->items[i];

		if (!str_eq(node_get_text(e, STR("apiVersion")), api_version)) {
			any = true;
			e = node_set(a, e, STR("apiVersion"), node_new_str(a, api_version));
		}
		*ARENA_PUSH(a, &v) = e;
	}
	return any ? node_new_list(a, v.p, v.n) : NULL;
}

void kube_owner_patch(const struct node *root, const struct node *managed, struct buf *b)
{
	buf_str(b, STR("[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":"));
	buf_json(b, kube_meta(root, STR("resourceVersion")));
	buf_str(b, STR("},{\"op\":\"replace\",\"path\":\"/metadata/managedFields\",\"value\":"));
	node_json(managed, NODE_JSON_COMPACT, b);
	buf_char(b, '}');
	if (last_applied(root))
		buf_str(b, STR(",{\"op\":\"remove\",\"path\":\"/metadata/annotations/"
			       "kubectl.kubernetes.io~1last-applied-configuration\"}"));
	buf_char(b, ']');
}
