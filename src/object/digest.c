/* What an object is in 32 bytes, and what of it may be shown. */
#include "leeboard/object.h"

struct hash obj_digest(const struct node *root, const uint8_t key[32])
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	node_json(root, NODE_JSON_CANONICAL, &b);
	return hash_blake2b(key, STR("leeboard/object/1"), buf_view(&b));
}

bool obj_is_secret(obj_id id)
{
	return !id.group.n && str_eq(id.kind, STR("Secret"));
}

/* {"$hash": hex} of one value. Identity and key go in, so that two secrets with the same password
 * do not show it. Of base64 the bytes count, as the server compares them. */
static const struct node *hashed(struct arena *a, obj_id id, str key, const struct node *v,
				 bool base64, const uint8_t k[32])
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (node_get(v, STR("$hash")))
		return v; /* done before */
	buf_str(&b, obj_id_text(a, id));
	buf_char(&b, '\0');
	buf_str(&b, key);
	buf_char(&b, '\0');
	if (v->kind != NODE_STRING)
		node_json(v, NODE_JSON_CANONICAL, &b);
	else if (!base64 || !buf_unbase64(&b, v->text, true))
		buf_str(&b, v->text);

	struct node_pairs p = {0};

	node_pairs_add(a, &p, STR("$hash"),
		       node_new_str(a, hash_hex(a, hash_blake2b(k, STR("leeboard/secret/1"),
								buf_view(&b)))));

	struct node *n = ARENA_NEW(a, struct node);

	*n = *node_new_map(a, p.p, p.n);
	n->at = v->at; /* the place, but no way back to the value */
	explicit_bzero(b.p, b.cap);
	return n;
}

/* Hashes the values of the map at root[field], or the value itself when it is no map. */
static const struct node *redact_field(struct arena *a, const struct object *o,
				       const struct node *root, str field, bool base64,
				       const uint8_t key[32])
{
	const struct node *map = node_get(root, field);
	struct node_pairs p = {0};

	if (!map || map->kind == NODE_NULL)
		return root;
	if (map->kind != NODE_MAP)
		return node_set(a, root, field, hashed(a, o->id, field, map, base64, key));
	for (size_t i = 0; i < map->n; i++)
		node_pairs_add(
			a, &p, map->pairs[i].key,
			hashed(a, o->id, map->pairs[i].key, map->pairs[i].value, base64, key));
	return node_set(a, root, field, node_new_map(a, p.p, p.n));
}

const struct node *obj_redact(struct arena *a, const struct object *o, const uint8_t key[32])
{
	static const char last[] = "kubectl.kubernetes.io/last-applied-configuration";
	const struct node *root = o->root;

	if (!obj_is_secret(o->id))
		return root;
	root = redact_field(a, o, root, STR("data"), true, key);
	root = redact_field(a, o, root, STR("stringData"), false, key);

	/* kubectl apply keeps the whole manifest, values and all, in an annotation. */
	const struct node *meta = node_get(root, STR("metadata"));
	const struct node *notes = node_get(meta, STR("annotations"));
	const struct node *v = node_get(notes, str_from(last));

	if (v) {
		notes = node_set(a, notes, str_from(last),
				 hashed(a, o->id, str_from(last), v, false, key));
		meta = node_set(a, meta, STR("annotations"), notes);
		root = node_set(a, root, STR("metadata"), meta);
	}
	return root;
}
