/* transform.c: `transformers`: configs of built-in transformers, run behind a kustomization's own
 * fields by the same code. */
#include "load_priv.h"
#include "xform_priv.h"

static struct err *run(struct build *b, const struct kustomization *k, const struct res *config,
		       struct resmap *rm)
{
	struct kustomization *own;
	enum plugin what;

	TRY(kust_plugin(b, k, config->root, &what, &own));
	switch (what) {
	case PLUGIN_PATCH:
		return xform_patches(b->a, own, rm);
	case PLUGIN_PATCH_JSON:
		return xform_patches_json(b->a, own, rm);
	case PLUGIN_PATCH_STRATEGIC:
		return xform_patches_strategic(b->a, own, rm);
	case PLUGIN_REPLACEMENT:
		return xform_replacements(b->a, own, rm);
	case PLUGIN_LABEL:
	case PLUGIN_ANNOTATIONS:
		if (!own->labels.p[0].pairs)
			return NULL;
		return xform_set_at(b->a, &own->labels.p[0].fields, own->labels.p[0].pairs, rm);
	case PLUGIN_PREFIX:
		return xform_prefix(b->a, own, rm);
	case PLUGIN_SUFFIX:
		return xform_suffix(b->a, own, rm);
	}
	return NULL;
}

struct err *transform(struct build *b, const struct kustomization *k, struct resmap *rm)
{
	struct resmap configs = {.build = b};

	TRY(load_configs(b, k, &k->transformers, &configs));
	for (size_t i = 0; i < configs.n; i++) {
		TRY(run(b, k, configs.p[i], rm));
		TRY(drop_deleted(rm));
	}
	return NULL;
}
