/* Questions: what is known of an object, of an App. */
#include "live_priv.h"

static void state_of(const struct entry *e, struct live_state *ret)
{
	*ret = (struct live_state){
		.id = e->id,
		.version = entry_version(e),
		.uid = str_from(e->uid ? e->uid : ""),
		.present = e->seen ? e->present : e->inv_state != INV_PENDING,
		.seen = e->seen,
		.has_baseline = e->has_baseline,
		.applied = e->applied,
		.in_sync = e->seen && e->present && e->in_sync && !e->unowned && e->has_judged &&
			   hash_eq(&e->judged, &e->now),
		.drift_since = e->drift ? e->drift->d.since : 0,
		.sent_at = e->sent_at,
		.revision = e->revision ? e->revision->text : STR(""),
		.health = entry_health(e),
		.health_since = e->health_since,
	};
	if (e->drift)
		ret->drift_fields = e->drift->d.fields_all ? e->drift->d.fields_all : 1;
}

bool live_state(const struct live_app *a, obj_id id, struct live_state *ret)
{
	const struct entry *e = entry_find(a, id);

	if (e)
		state_of(e, ret);
	return e != NULL;
}

void live_each(const struct live_app *a, void (*fn)(void *arg, const struct live_state *s),
	       void *arg)
{
	struct live_state s;

	for (const struct entry *e = a->first, *next; e; e = next) {
		next = e->next;
		state_of(e, &s);
		fn(arg, &s);
	}
}

void live_each_drift(struct live_app *a, bool ignored,
		     void (*fn)(void *arg, const struct live_drift *d), void *arg)
{
	for (struct entry *e = a->first, *next; e; e = next) {
		next = e->next;
		if (e->drift && (ignored || e->drift->d.mode != DRIFT_IGNORE))
			fn(arg, &e->drift->d);
	}
}

struct live_count live_count(const struct live_app *a)
{
	struct live_count c = {0};

	for (const struct entry *e = a->first; e; e = e->next) {
		if (e->inv_state == INV_KEPT || (!e->seen && !e->kind))
			continue; /* let go; or not there yet */
		c.total++;
		switch (e->state) {
		case HEALTH_HEALTHY:
			c.healthy++;
			break;
		case HEALTH_PROGRESSING:
			c.progressing++;
			break;
		case HEALTH_DEGRADED:
			c.degraded++;
			break;
		case HEALTH_SUSPENDED:
			c.suspended++;
			break;
		case HEALTH_MISSING:
			c.missing++;
			break;
		case HEALTH_UNKNOWN:
			c.unknown++;
			break;
		}
		if (e->drift && e->drift->d.mode != DRIFT_IGNORE) {
			c.drift_objects++;
			c.drift_fields += e->drift->d.fields_all ? e->drift->d.fields_all : 1;
		}
	}
	return c;
}

size_t live_rebuilt(const struct live_app *a)
{
	return a->rebuilt;
}

struct health live_worst(const struct live_app *a, obj_id *id)
{
	static const int rank[] = {
		[HEALTH_HEALTHY] = 0, [HEALTH_SUSPENDED] = 1,   [HEALTH_UNKNOWN] = 2,
		[HEALTH_MISSING] = 4, [HEALTH_PROGRESSING] = 3, [HEALTH_DEGRADED] = 5,
	};
	const struct entry *worst = NULL;

	for (const struct entry *e = a->first; e; e = e->next)
		if (!e->skip && e->inv_state != INV_KEPT && (e->seen || e->kind) &&
		    (!worst || rank[e->state] > rank[worst->state]))
			worst = e;
	if (id)
		*id = worst ? worst->id : (obj_id){STR_NONE, STR_NONE, STR_NONE, STR_NONE};
	return worst ? entry_health(worst) : (struct health){HEALTH_HEALTHY, STR(""), STR("")};
}
