#include "leeboard/health.h"

enum test { IS, SET, UNSET, COND, WHY, LESS, PARTITION, REVISIONS, WAITING, BALANCER, ALWAYS };
struct rule {
	str group, kind;
	enum test test;
	str x, y; /* path or type; text, status, reason or second path */
	int64_t x_default, y_default;
	enum health_state state;
	str reason, message;
};

static const struct rule rules[] = {
#define IS(path, text) IS, STR(path), STR(text), 0, 0
#define SET(path) SET, STR(path), STR(""), 0, 0
#define UNSET(path) UNSET, STR(path), STR(""), 0, 0
#define COND(type, status) COND, STR(type), STR(status), 0, 0
#define WHY(type, reason) WHY, STR(type), STR(reason), 0, 0
#define LESS(x, dx, y, dy) LESS, STR(x), STR(y), dx, dy
#define PARTITION(none) PARTITION, STR(none), STR(""), 0, 0
#define REVISIONS(none) REVISIONS, STR(none), STR(""), 0, 0
#define WAITING(none) WAITING, STR(none), STR(""), 0, 0
#define BALANCER(none) BALANCER, STR(none), STR(""), 0, 0
#define ALWAYS(none) ALWAYS, STR(none), STR(""), 0, 0
#define RULE(group, kind, test, state, reason, message)                                            \
	{STR(group), STR(kind), test, HEALTH_##state, STR(reason), STR(message)},
#include "rules.def"
#undef RULE
};

static const str states[] = {
#define X(name, word) STR(word),
	HEALTH_STATES(X)
#undef X
};

str health_state_name(enum health_state s)
{
	return states[s];
}

static const struct node *at(const struct node *n, str path)
{
	str part;

	while (n && str_split(&path, '.', &part))
		n = node_get(n, part);
	return n;
}

static int64_t number(const struct node *root, str path, int64_t otherwise)
{
	int64_t v = otherwise;

	return node_is(at(root, path), NODE_INT) && node_i64(at(root, path), &v) ? v : otherwise;
}

static bool scalar_is(const struct node *n, str text)
{
	return n && n->kind != NODE_MAP && n->kind != NODE_LIST && str_eq(n->text, text);
}

const struct node *health_condition(const struct node *root, str type)
{
	const struct node *list = node_at(root, "status", "conditions", NULL);
	int64_t generation = number(root, STR("metadata.generation"), 0);

	for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++) {
		const struct node *c = list->items[i];

		if (str_eq(node_get_text(c, STR("type")), type))
			return number(c, STR("observedGeneration"), generation) < generation ? NULL
											     : c;
	}
	return NULL;
}

/* A rolling update with a partition: only the replicas above it are to be new. */
static bool below_partition(const struct node *root)
{
	int64_t wanted = number(root, STR("spec.replicas"), 1) -
			 number(root, STR("spec.updateStrategy.rollingUpdate.partition"), 0);

	return number(root, STR("spec.updateStrategy.rollingUpdate.partition"), 0) > 0 &&
	       number(root, STR("status.updatedReplicas"), 0) < wanted;
}

static bool revisions_differ(const struct node *root)
{
	str now = node_text(at(root, STR("status.currentRevision")));
	str next = node_text(at(root, STR("status.updateRevision")));

	return !number(root, STR("spec.updateStrategy.rollingUpdate.partition"), 0) &&
	       !str_eq(now, next);
}

static bool a_container_waits(const struct node *root)
{
	const struct node *list = node_at(root, "status", "containerStatuses", NULL);

	for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++) {
		str why = node_get_text(node_at(list->items[i], "state", "waiting", NULL),
					STR("reason"));

		if (str_starts(why, STR("Err")) || str_ends(why, STR("Error")) ||
		    str_ends(why, STR("BackOff")))
			return true;
	}
	return false;
}

static bool fits(const struct rule *r, const struct node *root)
{
	const struct node *c;

	switch (r->test) {
	case IS:
		return scalar_is(at(root, r->x), r->y);
	case SET:
		return at(root, r->x) != NULL;
	case UNSET:
		return at(root, r->x) == NULL;
	case COND:
	case WHY:
		c = health_condition(root, r->x);
		return c &&
		       str_eq(node_get_text(c, r->test == COND ? STR("status") : STR("reason")),
			      r->y);
	case LESS:
		return number(root, r->x, r->x_default) < number(root, r->y, r->y_default);
	case PARTITION:
		return below_partition(root);
	case REVISIONS:
		return revisions_differ(root);
	case WAITING:
		return a_container_waits(root);
	case BALANCER:
		c = node_at(root, "status", "loadBalancer", "ingress", NULL);
		return scalar_is(at(root, STR("spec.type")), STR("LoadBalancer")) &&
		       !(node_is(c, NODE_LIST) && c->n);
	case ALWAYS:
		break;
	}
	return true;
}

/* The condition's own words, where it has some. */
static struct health from_condition(enum health_state state, const struct node *c,
				    const char *otherwise)
{
	str reason = node_get_text(c, STR("reason"));

	return (struct health){state, reason.n ? reason : str_from(otherwise),
			       node_get_text(c, STR("message"))};
}

/* Not ready for longer than the target's timeout: it does not come any more. */
static struct health not_ready(const struct node *c, const struct health_clock *clock, msec *again)
{
	struct health h = from_condition(HEALTH_PROGRESSING, c, "NotReady");
	msec since = 0;

	if (!clock || !clock->timeout || !str_eq(node_get_text(c, STR("status")), STR("False")))
		return h;
	if (!time_parse(node_get_text(c, STR("lastTransitionTime")), &since) ||
	    since < clock->changed)
		since = clock->changed;
	if (clock->now >= since + clock->timeout)
		h.state = HEALTH_DEGRADED;
	else
		*again = since + clock->timeout;
	return h;
}

/* kstatus calls a custom object without a status current at once, before its controller saw it. */
static struct health no_status(const struct health_clock *clock, msec *again)
{
	if (clock && clock->has_status && clock->now < clock->changed + HEALTH_GRACE) {
		*again = clock->changed + HEALTH_GRACE;
		return (struct health){HEALTH_PROGRESSING, STR("NoStatus"),
				       STR("no status reported yet")};
	}
	return (struct health){HEALTH_HEALTHY, STR("NoStatus"), STR("no status reported")};
}

static struct health by_conditions(const struct node *root, const struct health_clock *clock,
				   msec *again)
{
	static const str good[] = {STR("Ready"), STR("Available")};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const struct node *c = health_condition(root, good[i]);

		if (c && str_eq(node_get_text(c, STR("status")), STR("True")))
			return (struct health){HEALTH_HEALTHY, good[i], STR("")};
		if (c)
			return not_ready(c, clock, again);
	}
	if (clock && clock->has_status && !node_get(root, STR("status")))
		return no_status(clock, again);
	return (struct health){HEALTH_HEALTHY, STR(""), STR("")};
}

struct health health_at(struct arena *a, const struct object *live,
			const struct health_clock *clock, msec *again)
{
	const struct node *root = live ? live->root : NULL, *c;
	int64_t seen, generation;

	*again = 0;
	if (!live)
		return (struct health){HEALTH_MISSING, STR("Missing"), STR("not there")};
	if (node_at(root, "metadata", "deletionTimestamp", NULL))
		return (struct health){HEALTH_PROGRESSING, STR("Deleting"),
				       STR("it is being deleted")};
	generation = number(root, STR("metadata.generation"), 0);
	seen = number(root, STR("status.observedGeneration"), generation);
	if (seen != generation && generation)
		return (struct health){HEALTH_PROGRESSING, STR("NotObserved"),
				       arena_printf(a,
						    "generation %lld is not observed yet, %lld is",
						    (long long)generation, (long long)seen)};
	c = health_condition(root, STR("Reconciling"));
	if (c && str_eq(node_get_text(c, STR("status")), STR("True")))
		return from_condition(HEALTH_PROGRESSING, c, "Reconciling");
	c = health_condition(root, STR("Stalled"));
	if (c && str_eq(node_get_text(c, STR("status")), STR("True")))
		return from_condition(HEALTH_DEGRADED, c, "Stalled");
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (str_eq(rules[i].kind, live->id.kind) &&
		    str_eq(rules[i].group, live->id.group) && fits(&rules[i], root))
			return (struct health){rules[i].state, rules[i].reason, rules[i].message};
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (str_eq(rules[i].kind, live->id.kind) && str_eq(rules[i].group, live->id.group))
			return (struct health){HEALTH_HEALTHY, STR(""), STR("")};
	return by_conditions(root, clock, again);
}

struct health health_of(struct arena *a, const struct object *live)
{
	msec again;

	return health_at(a, live, NULL, &again);
}
