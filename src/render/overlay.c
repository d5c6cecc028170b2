/* overlay.c: what an App says of rendering, as a kustomization above its folder. */
#include "kust_priv.h"

/* Metadata only, as in Flux: a changed annotation must not restart pods. */
static struct err *read_common_labels(struct call *c, const struct node *v, void *member UNUSED)
{
	static const struct fieldspec meta = {.path = {"metadata/labels", 15}, .create = true};
	struct label_spec l = {.pairs = v, .own_fields = true, .at = v->at};

	*ARENA_PUSH(c->b->a, &l.fields) = meta;
	*ARENA_PUSH(c->b->a, &c->k->labels) = l;
	return NULL;
}

static struct err *read_labels(struct call *c, const struct node *v, void *member)
{
	static const struct field pairs = {"labels", F_MAP, 0, NULL};
	const struct node *map = NULL;

	TRY(kust_field(c, &pairs, v, &map));
	return read_common_labels(c, map, member);
}

static const struct field common_fields[] = {
	{"labels", F_CALL, 0, read_labels},
	{"annotations", F_MAP, AT(kustomization, meta_annotations), NULL},
};

static struct err *read_common(struct call *c, const struct node *v, void *member UNUSED)
{
	return kust_map(c, v, "commonMetadata", common_fields, ARRAY_LEN(common_fields), c->k);
}

static const struct field overlay_fields[] = {
	{"namePrefix", F_STR, AT(kustomization, name_prefix), NULL},
	{"nameSuffix", F_STR, AT(kustomization, name_suffix), NULL},
	{"targetNamespace", F_STR, AT(kustomization, ns), NULL},
	{"commonMetadata", F_CALL, 0, read_common},
	{"images", F_CALL, 0, kust_images},
	{"replicas", F_CALL, 0, kust_replicas},
	{"patches", F_CALL, AT(kustomization, patches), kust_patches},
	{"components", F_ENTRIES, AT(kustomization, components), NULL},
	{"ignoreMissingComponents", F_BOOL, AT(kustomization, ignore_missing), NULL},
};

struct err *kust_overlay(struct build *b, const struct node *fields, str folder,
			 struct kustomization **ret)
{
	struct kustomization *k = ARENA_NEW(b->a, struct kustomization);
	struct call c = {.b = b, .k = k};

	k->text = fields->at.in;
	k->root = fields;
	k->folder = folder;
	TRY(kust_map(&c, fields, "render", overlay_fields, ARRAY_LEN(overlay_fields), k));
	k->prefix_node = kust_get(fields, "namePrefix");
	k->suffix_node = kust_get(fields, "nameSuffix");
	k->ns_node = kust_get(fields, "targetNamespace");
	*ret = k;
	return NULL;
}
