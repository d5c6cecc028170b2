/* Open incidents: a vector will do, hashes compared first. The key says what must agree; the id is
 * made at the raise, so that the next incident of the same thing has another. */
#include "leeboard/event.h"

#include <stdlib.h>

struct incident {
	uint64_t hash; /* of the key: thousands may be open, and each event looks for its own */
	char *key, *id;
};
struct incidents {
	struct incident *p;
	size_t n, cap;
};

struct incidents *incidents_new(void)
{
	return xcalloc(1, sizeof(struct incidents));
}

static void drop(struct incidents *s, size_t i)
{
	free(s->p[i].key);
	free(s->p[i].id);
	s->p[i] = s->p[--s->n];
}

void incidents_free(struct incidents *s)
{
	if (!s)
		return;
	while (s->n)
		drop(s, s->n - 1);
	free(s->p);
	free(s);
}

static size_t find(const struct incidents *s, str key)
{
	uint64_t hash = str_hash(key);

	for (size_t i = 0; i < s->n; i++) {
		if (s->p[i].hash == hash && str_eq(str_from(s->p[i].key), key))
			return i;
	}
	return SIZE_MAX;
}

void incidents_restore(struct incidents *s, str key, str id)
{
	if (find(s, key) != SIZE_MAX)
		return;
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 8;
		s->p = xrealloc(s->p, s->cap * sizeof s->p[0]);
	}
	s->p[s->n++] =
		(struct incident){str_hash(key), xstrndup(key.p, key.n), xstrndup(id.p, id.n)};
}

/* Names and identities have no tab, so the key is unambiguous. */
str incident_key(struct arena *a, enum event_kind raise, const struct event *e)
{
	str object = e->has_object ? obj_id_text(a, e->object) : STR_NONE;

	return arena_printf(a, "%s\t" STR_FMT "\t" STR_FMT "\t" STR_FMT, event_name(raise),
			    STR_ARG(e->app), STR_ARG(e->source), STR_ARG(object));
}

static str id_of(struct arena *a, str key, const struct event *e)
{
	str seed = arena_printf(a, STR_FMT "\t" STR_FMT, STR_ARG(key), STR_ARG(e->id));
	str hex = hash_hex(a, hash_blake2b(NULL, STR("leeboard/incident/1"), seed));
	str who = e->app.n ? e->app : e->source.n ? e->source : e->instance;

	return arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(who), STR_ARG(str_sub(hex, 0, 12)));
}

enum incident_verdict incidents_apply(struct incidents *s, struct arena *a, struct event *e)
{
	enum incident_verdict verdict = INCIDENT_NONE;

	switch (event_role_of(e->kind)) {
	case EVENT_NOTE:
		return INCIDENT_SAY;
	case EVENT_RAISE: {
		str key = incident_key(a, e->kind, e);
		size_t i = find(s, key);

		if (i != SIZE_MAX) {
			e->incident = arena_str(a, str_from(s->p[i].id));
			return INCIDENT_KNOWN;
		}
		e->incident = id_of(a, key, e);
		incidents_restore(s, key, e->incident);
		return INCIDENT_SAY;
	}
	case EVENT_RESOLVE:
		for (size_t k = 0; k < EVENT_KINDS; k++) {
			size_t i;

			if (!event_resolves(e->kind, (enum event_kind)k))
				continue;
			i = find(s, incident_key(a, (enum event_kind)k, e));
			if (i == SIZE_MAX)
				continue;
			if (verdict == INCIDENT_NONE)
				e->incident = arena_str(a, str_from(s->p[i].id));
			verdict = INCIDENT_SAY;
			drop(s, i);
		}
		return verdict;
	}
	return verdict;
}

enum incident_verdict incidents_verdict(const struct incidents *s, const struct event *e)
{
	CLEANUP(arena) struct arena *a = arena_new();

	switch (event_role_of(e->kind)) {
	case EVENT_NOTE:
		return INCIDENT_SAY;
	case EVENT_RAISE:
		return find(s, incident_key(a, e->kind, e)) == SIZE_MAX ? INCIDENT_SAY
									: INCIDENT_KNOWN;
	case EVENT_RESOLVE:
		for (size_t k = 0; k < EVENT_KINDS; k++) {
			if (event_resolves(e->kind, (enum event_kind)k) &&
			    find(s, incident_key(a, (enum event_kind)k, e)) != SIZE_MAX)
				return INCIDENT_SAY;
		}
		return INCIDENT_NONE;
	}
	return INCIDENT_NONE;
}

size_t incidents_count(const struct incidents *s)
{
	return s->n;
}

void incidents_each(const struct incidents *s, void (*fn)(void *arg, str key, str id), void *arg)
{
	for (size_t i = 0; i < s->n; i++)
		fn(arg, str_from(s->p[i].key), str_from(s->p[i].id));
}
