/* specs.c: field specs merged and sorted. */
#include <stdlib.h>

#include "load_priv.h"
#include "specs.h"

static bool part_is(str want, str have)
{
	return !want.n || str_eq(want, have);
}

/* A spec that says less than one that is there is swallowed by it. */
static bool covers(const struct fieldspec *old, const struct fieldspec *f)
{
	return str_eq(old->path, f->path) && part_is(f->kind, old->kind) &&
	       part_is(f->group, old->group) && part_is(f->version, old->version);
}

struct err *specs_add(struct arena *a, struct fieldspecs *list, const struct fieldspec *f)
{
	for (size_t i = 0; i < list->n; i++) {
		if (!covers(&list->p[i], f))
			continue;
		if (list->p[i].create != f->create)
			return err_at(ERR_INVALID, f->at.in ? f->at : list->p[i].at,
				      "conflicting field specs: 'create' of '" STR_FMT
				      "' is %s elsewhere",
				      STR_ARG(f->path), list->p[i].create ? "true" : "false");
		return NULL;
	}
	*ARENA_PUSH(a, list) = *f;
	return NULL;
}

struct err *specs_add_all(struct arena *a, struct fieldspecs *list, const struct fieldspecs *more)
{
	for (size_t i = 0; i < more->n; i++)
		TRY(specs_add(a, list, &more->p[i]));
	return NULL;
}

static struct fieldspecs copy_of(struct arena *a, const struct fieldspecs *from)
{
	struct fieldspecs to = {0};

	for (size_t i = 0; i < from->n; i++)
		*ARENA_PUSH(a, &to) = from->p[i];
	return to;
}

struct err *specs_add_name(struct arena *a, struct specs *s, const struct nameref *n)
{
	for (size_t i = 0; i < s->names.n; i++) {
		struct fieldspec *t = &s->names.p[i].target;

		if (str_eq(t->kind, n->target.kind) && str_eq(t->group, n->target.group) &&
		    str_eq(t->version, n->target.version))
			return specs_add_all(a, &s->names.p[i].referrers, &n->referrers);
	}
	*ARENA_PUSH(a, &s->names) = (struct nameref){n->target, copy_of(a, &n->referrers)};
	return NULL;
}

/* ------------------------------------------------------------------ order */

/* By the legacy order of kinds, then by the text of group, version and kind. */
struct key {
	int rank;
	str gvk;
	size_t at; /* where it was */
};

static struct key key_of(struct arena *a, const struct fieldspec *f, size_t at)
{
	return (struct key){final_rank(f->kind), final_gvk_text(a, f->group, f->version, f->kind),
			    at};
}

static int by_key(const struct key *x, const struct key *y)
{
	int c = str_cmp(x->gvk, y->gvk);

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return c ? c : x->at < y->at ? -1 : 1;
}

struct ordered {
	struct key key; /* first: what by_first sees */
	struct fieldspec f;
};
struct ordered_name {
	struct key key;
	struct nameref n;
};

static int by_first(const void *x, const void *y)
{
	return by_key(x, y);
}

static void sort(struct arena *a, struct fieldspecs *v)
{
	struct ordered *o = ARENA_ARRAY(a, struct ordered, v->n);

	for (size_t i = 0; i < v->n; i++)
		o[i] = (struct ordered){key_of(a, &v->p[i], i), v->p[i]};
	if (v->n)
		qsort(o, v->n, sizeof(*o), by_first);
	for (size_t i = 0; i < v->n; i++)
		v->p[i] = o[i].f;
}

static void sort_names(struct arena *a, struct specs *s)
{
	struct ordered_name *o = ARENA_ARRAY(a, struct ordered_name, s->names.n);

	for (size_t i = 0; i < s->names.n; i++)
		o[i] = (struct ordered_name){key_of(a, &s->names.p[i].target, i), s->names.p[i]};
	if (s->names.n)
		qsort(o, s->names.n, sizeof(*o), by_first);
	for (size_t i = 0; i < s->names.n; i++)
		s->names.p[i] = o[i].n;
}

/* ------------------------------------------------------------------ sets */

struct err *specs_merge(struct arena *a, const struct specs *under, const struct specs *over,
			const struct specs **ret)
{
	struct specs *s;

	if (!under || !over || under == over) {
		*ret = under ? under : over;
		return NULL;
	}
	s = ARENA_NEW(a, struct specs);
	for (size_t i = 0; i < SPECS_N; i++) {
		s->of[i] = copy_of(a, &under->of[i]);
		TRY(specs_add_all(a, &s->of[i], &over->of[i]));
		sort(a, &s->of[i]);
	}
	for (size_t i = 0; i < under->names.n; i++)
		TRY(specs_add_name(a, s, &under->names.p[i]));
	for (size_t i = 0; i < over->names.n; i++)
		TRY(specs_add_name(a, s, &over->names.p[i]));
	sort_names(a, s);
	*ret = s;
	return NULL;
}

const struct specs *specs_default(struct arena *a)
{
	static const struct fieldspec_table *const tables[SPECS_N] = {
		[SPECS_PREFIX] = &fieldspec_names,
		[SPECS_SUFFIX] = &fieldspec_names,
		[SPECS_NAMESPACE] = &fieldspec_namespaces,
		[SPECS_COMMON_LABELS] = &fieldspec_labels,
		[SPECS_TEMPLATE_LABELS] = &fieldspec_template_labels,
		[SPECS_ANNOTATIONS] = &fieldspec_annotations,
		[SPECS_VARS] = &fieldspec_vars,
		[SPECS_IMAGES] = &fieldspec_images,
		[SPECS_REPLICAS] = &fieldspec_replicas,
	};
	struct specs *s = ARENA_NEW(a, struct specs);

	for (size_t i = 0; i < SPECS_N; i++)
		if (tables[i])
			fieldspec_add_table(a, tables[i], &s->of[i]);
	for (size_t i = 0; i < fieldspec_namerefs_n; i++) {
		struct nameref n = {.target = fieldspec_namerefs[i].target};

		fieldspec_add_table(a, &fieldspec_namerefs[i].referrers, &n.referrers);
		*ARENA_PUSH(a, &s->names) = n;
	}
	return s;
}
