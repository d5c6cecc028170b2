/* Order that somebody wrote down: depends-on and waves. */
#include <stdlib.h>

#include "graph_priv.h"

#define DEPENDS_ON "config.kubernetes.io/depends-on"
#define DEPENDS_ON_OURS "leeboard.dev/depends-on"
#define WAVE "argocd.argoproj.io/sync-wave"
#define WAVE_OURS "leeboard.dev/wave"

/* ------------------------------------------------------------------ depends-on */

/* group/kind/name or group/namespaces/ns/kind/name */
static bool parse_ref(str s, obj_id *ret)
{
	str part[5], rest = s;
	size_t n = 0;

	while (n < 5 && str_split(&rest, '/', &part[n]))
		n++;
	if (rest.n || (n != 3 && n != 5))
		return false;
	if (n == 3)
		*ret = (obj_id){part[0], part[1], STR(""), part[2]};
	else
		*ret = (obj_id){part[0], part[3], part[2], part[4]};
	if (n == 5 && (!str_eq(part[1], STR("namespaces")) || !ret->ns.n))
		return false;
	return ret->kind.n && ret->name.n;
}

/* As people name objects; without a namespace the object's own, else one without. */
static struct err *by_people(struct build *b, const struct object *o, const struct obj_ref *r,
			     str word, obj_id *ret)
{
	const struct object *found = NULL, *other = NULL;

	for (size_t i = 0; i < b->set->n; i++) {
		const struct object *x = &b->set->p[i];

		if (!obj_ref_matches(r, x->id) ||
		    (!r->ns.n && x->id.ns.n && !str_eq(x->id.ns, o->id.ns)))
			continue;
		if (found)
			other = x;
		else
			found = x;
	}
	if (other)
		return err_at(ERR_INVALID, o->at,
			      "'" DEPENDS_ON_OURS "' of %s: '" STR_FMT
			      "' may be %s or %s: write its group or namespace too",
			      obj_id_label(b->a, o->id).p, STR_ARG(word),
			      obj_id_label(b->a, found->id).p, obj_id_label(b->a, other->id).p);
	if (!found)
		return err_at(ERR_NO_REFERENCE, o->at,
			      "'" DEPENDS_ON_OURS "' of %s names '" STR_FMT
			      "', which is not in the set",
			      obj_id_label(b->a, o->id).p, STR_ARG(word));
	*ret = found->id;
	return NULL;
}

static struct err *one_ref(struct build *b, uint32_t i, str word, const char *key,
			   struct obj_set *seen)
{
	const struct object *o = &b->set->p[i];
	struct object mark = *o;
	struct obj_ref people;
	bool ours = !strcmp(key, DEPENDS_ON_OURS) && obj_ref_parse(word, &people);
	bool parsed = parse_ref(word, &mark.id);
	size_t to;

	if (!parsed && !ours)
		return err_at(ERR_INVALID, o->at,
			      "'%s' of %s: '" STR_FMT
			      "' is neither group/kind/name nor group/namespaces/ns/kind/name",
			      key, obj_id_label(b->a, o->id).p, STR_ARG(word));
	if (ours && (!parsed || obj_set_find(b->set, mark.id) == SIZE_MAX))
		TRY(by_people(b, o, &people, word, &mark.id));
	if (obj_set_find(seen, mark.id) != SIZE_MAX)
		return err_at(ERR_DUPLICATE, o->at, "'%s' of %s names '" STR_FMT "' twice", key,
			      obj_id_label(b->a, o->id).p, STR_ARG(word));
	TRY(obj_set_add(b->a, seen, mark));
	to = obj_set_find(b->set, mark.id);
	if (to == SIZE_MAX)
		return err_at(ERR_NO_REFERENCE, o->at,
			      "'%s' of %s names '" STR_FMT "', which is not in the set", key,
			      obj_id_label(b->a, o->id).p, STR_ARG(word));
	graph_add(b, i, (uint32_t)to, GRAPH_DEPENDS_ON, str_from(key));
	return NULL;
}

static void depends_on(struct build *b, uint32_t i, const char *key)
{
	str rest = obj_annotation(&b->set->p[i], str_from(key)), word;
	struct obj_set *seen;

	if (!rest.n)
		return;
	seen = obj_set_new(b->a);
	while (str_split(&rest, ',', &word))
		b->errors = err_join(b->errors, one_ref(b, i, str_trim(word), key, seen));
}

/* ------------------------------------------------------------------ waves */

static int by_value(const void *x, const void *y)
{
	const int64_t *l = x, *r = y;

	return *l < *r ? -1 : *l > *r;
}

static int64_t wave_of(struct build *b, uint32_t i)
{
	static const char *const keys[] = {WAVE_OURS, WAVE};
	const struct object *o = &b->set->p[i];
	int64_t wave = 0;

	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		str text = obj_annotation(o, str_from(keys[k]));

		if (!text.n)
			continue;
		if (!str_to_i64(text, &wave))
			b->errors = err_join(
				b->errors,
				err_at(ERR_INVALID, o->at,
				       "'%s' of %s must be an integer, not '" STR_FMT "'", keys[k],
				       obj_id_label(b->a, o->id).p, STR_ARG(text)));
		return wave;
	}
	return 0;
}

/* A namespace or a CRD goes out with its first user, whatever its own wave says. */
static void pull_forward(const struct build *b, int64_t *wave)
{
	for (size_t i = 0; i < b->edges.n; i++) {
		const struct graph_edge *e = &b->edges.p[i];

		if ((e->why == GRAPH_NAMESPACE || e->why == GRAPH_CRD) &&
		    wave[e->from] < wave[e->to])
			wave[e->to] = wave[e->from];
	}
}

static void waves(struct build *b)
{
	uint32_t n = (uint32_t)b->set->n, distinct = 0;
	int64_t *wave = ARENA_ARRAY(b->a, int64_t, n), *sorted = ARENA_ARRAY(b->a, int64_t, n);

	for (uint32_t i = 0; i < n; i++)
		wave[i] = wave_of(b, i);
	pull_forward(b, wave);
	if (!n)
		return;
	memcpy(sorted, wave, n * sizeof(*wave));
	qsort(sorted, n, sizeof(*sorted), by_value);
	for (uint32_t i = 0; i < n; i++)
		if (!i || sorted[i] != sorted[i - 1])
			sorted[distinct++] = sorted[i];
	/* Barrier k stands before wave k and waits for all of the wave below it. */
	b->waves = sorted;
	b->n_nodes = n + distinct;
	for (uint32_t i = 0; i < n && distinct > 1; i++) {
		const int64_t *at = bsearch(&wave[i], sorted, distinct, sizeof(*sorted), by_value);
		uint32_t k = (uint32_t)(at - sorted);

		if (k)
			graph_add(b, i, n + k, GRAPH_WAVE, STR(WAVE));
		if (k + 1 < distinct)
			graph_add(b, n + k + 1, i, GRAPH_WAVE, STR(WAVE));
	}
	for (uint32_t k = 1; k < distinct; k++)
		graph_add(b, n + k, n + k - 1, GRAPH_WAVE, STR(WAVE));
}

void graph_explicit(struct build *b)
{
	for (uint32_t i = 0; i < b->set->n; i++) {
		depends_on(b, i, DEPENDS_ON);
		depends_on(b, i, DEPENDS_ON_OURS);
	}
	waves(b);
}
