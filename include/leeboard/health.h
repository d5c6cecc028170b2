/* health: is it well? Rules are data: rules.def for built-in kinds, custom.def for all others.
 *
 * Pure: one live object in, one verdict out; what only time can tell comes from a clock that is handed
 * in. A custom kind is judged by the rows of its own, where there are some; else by its suspension, by
 * conditions that say that something failed, by the one word that many keep in status.phase or
 * status.state, and by its condition Ready (Available, Accepted, Synced ...). */
#pragma once
#include "leeboard/object.h"

#define HEALTH_STATES(X)                                                                           \
	X(HEALTH_HEALTHY, "Healthy")                                                               \
	X(HEALTH_PROGRESSING, "Progressing")                                                       \
	X(HEALTH_DEGRADED, "Degraded")                                                             \
	X(HEALTH_SUSPENDED, "Suspended")                                                           \
	X(HEALTH_MISSING, "Missing")                                                               \
	X(HEALTH_UNKNOWN, "Unknown")
enum health_state {
#define X(name, word) name,
	HEALTH_STATES(X)
#undef X
};
str health_state_name(enum health_state s);

struct health {
	enum health_state state;
	str reason;  /* a code in CamelCase; empty when healthy without more to say */
	str message; /* one line for people; may be empty */
};
/* live NULL: Missing. Texts are the arena's or borrowed from live. */
struct health health_of(struct arena *a, const struct object *live);

/* What time says. A condition Ready that is False is Progressing, and Degraded once it lasted `timeout`;
 * a kind that has a status but has reported none is Progressing for HEALTH_GRACE after `changed`. */
#define HEALTH_GRACE (30 * SECOND)
struct health_clock {
	msec now;        /* wall clock, as `changed` */
	msec changed;    /* when this generation of the object came, as far as is known */
	msec timeout;    /* the App's health.timeout; 0: never */
	bool has_status; /* the kind has a status of its own (target_has_status) */
};
/* again: when the verdict changes although the object does not; 0: never. clock NULL: as health_of. */
struct health health_at(struct arena *a, const struct object *live, const struct health_clock *clock,
			msec *again);

/* status.conditions[type]; one of an older generation counts as absent. NULL: absent. */
const struct node *health_condition(const struct node *root, str type);
