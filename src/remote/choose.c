/* Which commit a Source means, out of the refs that its server has. */
#include "leeboard/remote.h"

/* Full name of a branch or tag: prefix and what the user wrote. */
static str full(struct arena *a, const char *prefix, str name)
{
	return arena_printf(a, "%s" STR_FMT, prefix, STR_ARG(name));
}

void remote_prefixes(struct arena *a, const struct config_ref_names *ref, str **ret, size_t *n)
{
	str *p = ARENA_NEW(a, str);

	*ret = p;
	*n = 1;
	if (ref->commit.n)
		*n = 0;
	else if (ref->name.n)
		*p = ref->name;
	else if (ref->semver.n)
		*p = STR("refs/tags/");
	else if (ref->tag.n)
		*p = full(a, "refs/tags/", ref->tag);
	else
		*p = full(a, "refs/heads/", ref->branch);
}

static struct remote_choice chosen(const struct remote_ref *r)
{
	return (struct remote_choice){.commit = r->peeled.n ? r->peeled : r->oid,
				      .tag = r->peeled.n ? r->oid : STR_NONE,
				      .ref = r->name};
}

static struct err *gone(struct arena *a, str name, const struct remote_refs *refs)
{
	str *names = ARENA_ARRAY(a, str, refs->n), near;
	struct err *e;

	for (size_t i = 0; i < refs->n; i++)
		names[i] = refs->p[i].name;
	near = str_nearest(name, names, refs->n);
	e = err_new(ERR_REF_GONE, "ref '" STR_FMT "' is not there%s", STR_ARG(name),
		    refs->n ? "" : ", and nothing that begins so");
	if (!near.n)
		return e;
	return err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near));
}

static struct err *by_name(struct arena *a, str name, const struct remote_refs *refs,
			   struct remote_choice *ret)
{
	for (size_t i = 0; i < refs->n; i++) {
		if (str_eq(refs->p[i].name, name)) {
			*ret = chosen(&refs->p[i]);
			return NULL;
		}
	}
	return gone(a, name, refs);
}

/* The highest that matches; of two that differ in build metadata alone the one whose name sorts
 * last: refs carry no times. */
static struct err *by_version(struct arena *a, str wanted, const struct remote_refs *refs,
			      struct remote_choice *ret)
{
	const struct remote_ref *best = NULL;
	const struct remote_range *range;
	struct remote_version highest = {0}, v;
	size_t versions = 0;

	TRY(remote_range_parse(a, wanted, &range));
	for (size_t i = 0; i < refs->n; i++) {
		const struct remote_ref *r = &refs->p[i];
		int c;

		if (!str_starts(r->name, STR("refs/tags/")) ||
		    !remote_version_parse(str_sub(r->name, 10, SIZE_MAX), &v))
			continue;
		versions++;
		if (!remote_range_matches(range, &v))
			continue;
		c = best ? remote_version_cmp(&v, &highest) : 1;
		if (c > 0 || (c == 0 && str_cmp(r->name, best->name) > 0)) {
			best = r;
			highest = v;
		}
	}
	if (!best)
		return err_new(ERR_REF_GONE,
			       "no tag matches the versions '" STR_FMT "' (%zu tags are versions)",
			       STR_ARG(wanted), versions);
	*ret = chosen(best);
	ret->version = str_sub(best->name, 10, SIZE_MAX);
	return NULL;
}

struct err *remote_choose(struct arena *a, const struct config_ref_names *ref,
			  const struct remote_refs *refs, struct remote_choice *ret)
{
	if (ref->commit.n) {
		*ret = (struct remote_choice){.commit = ref->commit};
		return NULL;
	}
	if (ref->name.n)
		return by_name(a, ref->name, refs, ret);
	if (ref->semver.n)
		return by_version(a, ref->semver, refs, ret);
	if (ref->tag.n)
		return by_name(a, full(a, "refs/tags/", ref->tag), refs, ret);
	return by_name(a, full(a, "refs/heads/", ref->branch), refs, ret);
}
