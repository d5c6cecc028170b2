/* images: new names, tags and digests. Each entry passes twice, over every list called containers
 * and over the field specs, and what still matches after the first pass is changed again: a
 * tagSuffix doubles, as it does in kustomize. */
#include "load_priv.h"
#include "select.h"
#include "specs.h"
#include "xform_priv.h"

struct image {
	const struct image_spec *spec;
	struct regex *re;
	bool any; /* something matched */
};

struct parts {
	str name, tag, digest;
};

/* Looks behind the first slash, so that a port of the registry is no tag. */
static struct parts split(str image)
{
	size_t slash = str_chr(image, '/');
	size_t from = slash != SIZE_MAX && slash > 0 ? slash : 0;
	str rest = str_sub(image, from, image.n);
	size_t colon = str_chr(rest, ':'), at = str_chr(rest, '@');
	struct parts p = {image, STR(""), STR("")};

	if (at != SIZE_MAX) {
		p.name.n = from + at;
		p.digest = str_sub(rest, at + 1, rest.n);
		if (colon < at) {
			p.name.n = from + colon;
			p.tag = str_sub(rest, colon + 1, at - colon - 1);
		}
	} else if (colon != SIZE_MAX) {
		p.name.n = from + colon;
		p.tag = str_sub(rest, colon + 1, rest.n);
	}
	return p;
}

static str changed(struct arena *a, const struct image_spec *s, str image)
{
	struct parts p = split(image);

	if (s->new_name.n > 0)
		p.name = s->new_name;
	if (s->new_tag.n > 0 || s->digest.n > 0) {
		p.tag = s->new_tag;
		p.digest = s->digest;
	} else if (s->tag_suffix.n > 0) {
		p.tag = arena_printf(a, STR_FMT STR_FMT, STR_ARG(p.tag), STR_ARG(s->tag_suffix));
		p.digest = STR("");
	}
	return arena_printf(a, STR_FMT "%s" STR_FMT "%s" STR_FMT, STR_ARG(p.name),
			    p.tag.n > 0 ? ":" : "", STR_ARG(p.tag), p.digest.n > 0 ? "@" : "",
			    STR_ARG(p.digest));
}

static struct err *set_image(void *arg, struct arena *a, const struct node *old,
			     const struct node **ret)
{
	struct image *i = arg;
	str new;

	*ret = old;
	if (!old || old->kind == NODE_NULL)
		return NULL;
	if (old->kind == NODE_MAP || old->kind == NODE_LIST)
		return err_at(ERR_RENDER, old->at, "an image must be a string, not %s",
			      node_kind_name((enum node_kind)old->kind));
	if (!regex_matches(i->re, old->text))
		return NULL;
	new = changed(a, i->spec, old->text);
	i->any = true;
	if (!str_eq(new, old->text))
		*ret = node_with_by(a, res_plain(a, new), i->spec->from);
	return NULL;
}

/* ------------------------------------------------------------------ any containers, at any depth
 */

static struct err *walk(struct image *i, struct arena *a, const struct node *n, unsigned depth,
			const struct node **ret);

static struct err *set_containers(struct image *i, struct arena *a, const struct node **list)
{
	for (uint32_t c = 0; c < (*list)->n; c++) {
		const struct node *e = (*list)->items[c];
		const struct node *old = node_get(e, STR("image")), *new;

		TRY(set_image(i, a, old, &new));
		if (new != old)
			*list = node_list_set(a, *list, c, node_set(a, e, STR("image"), new));
	}
	return NULL;
}

static struct err *walk_map(struct image *i, struct arena *a, const struct node *map,
			    unsigned depth, const struct node **ret)
{
	*ret = map;
	for (uint32_t p = 0; p < map->n; p++) {
		str key = map->pairs[p].key;
		const struct node *v;

		TRY(walk(i, a, map->pairs[p].value, depth + 1, &v));
		if (v->kind == NODE_LIST &&
		    (str_eq(key, STR("containers")) || str_eq(key, STR("initContainers"))))
			TRY(set_containers(i, a, &v));
		if (v != map->pairs[p].value)
			*ret = node_set(a, *ret, key, v);
	}
	return NULL;
}

static struct err *walk(struct image *i, struct arena *a, const struct node *n, unsigned depth,
			const struct node **ret)
{
	*ret = n;
	if (depth > 2 * NODE_MAX_DEPTH)
		return err_at(ERR_LIMIT, n->at, "values nest deeper than %d", 2 * NODE_MAX_DEPTH);
	if (n->kind == NODE_MAP)
		return walk_map(i, a, n, depth, ret);
	for (uint32_t c = 0; n->kind == NODE_LIST && c < n->n; c++) {
		const struct node *v;

		TRY(walk(i, a, n->items[c], depth + 1, &v));
		if (v != n->items[c])
			*ret = node_list_set(a, *ret, c, v);
	}
	return NULL;
}

/* ------------------------------------------------------------------ entries */

static struct err *set_one(struct arena *a, struct image *i, const struct fieldspecs *specs,
			   struct res *r)
{
	struct fieldspec_visit v = {set_image, i, FIELDSPEC_NEVER};

	TRY(walk(i, a, r->root, 0, &r->root));
	for (size_t f = 0; f < specs->n; f++)
		if (fieldspec_selects(&specs->p[f], res_id(r)))
			TRY(fieldspec_apply(a, r->root, &specs->p[f], &v, &r->root));
	return NULL;
}

struct err *xform_images_at(struct arena *a, const struct image_spec *s,
			    const struct fieldspecs *specs, struct resmap *rm)
{
	CLEANUP(regex) struct regex *re = NULL;
	struct image i = {.spec = s};

	TRY(regex_new(s->name, "^", "(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?$", s->at,
		      &re));
	i.re = re;
	for (size_t r = 0; r < rm->n; r++)
		if (rm->p[r]->root &&
		    !str_eq(res_id(rm->p[r]).kind, STR("CustomResourceDefinition")))
			TRY(set_one(a, &i, specs, rm->p[r]));
	if (!i.any && rm->n && rm->build)
		build_warn(rm->build, s->at, "no container has an image '" STR_FMT "'",
			   STR_ARG(s->name));
	return NULL;
}

struct err *xform_images(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	for (size_t i = 0; i < k->images.n; i++)
		TRY(xform_images_at(a, &k->images.p[i], &rm->specs->of[SPECS_IMAGES], rm));
	return NULL;
}
