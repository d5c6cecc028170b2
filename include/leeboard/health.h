/* health: is it well? Built-in kinds by rules that are data (rules.def), all others by conditions.
 *
 * Pure: one live object in, one verdict out. Rules of custom kinds beyond the conditions Ready,
 * Available, Reconciling and Stalled are not supported yet. */
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

/* status.conditions[type]; one of an older generation counts as absent. NULL: absent. */
const struct node *health_condition(const struct node *root, str type);
