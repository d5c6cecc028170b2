#include "health_priv.h"

enum test {
	IS,
	SET,
	UNSET,
	COND,
	WHY,
	LESS,
	PARTITION,
	REVISIONS,
	WAITING,
	ENDED,
	BALANCER,
	SCALES,
	ALWAYS
};
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
#define ENDED(none) ENDED, STR(none), STR(""), 0, 0
#define SCALES(none) SCALES, STR(none), STR(""), 0, 0
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

/* A dot within a key is written "\\.". */
const struct node *health_at_path(const struct node *n, str path)
{
	CLEANUP(buf) struct buf key = BUF_INIT;

	for (size_t i = 0; n && i <= path.n; i++) {
		if (i < path.n && path.p[i] == '\\' && i + 1 < path.n) {
			buf_char(&key, path.p[++i]);
		} else if (i < path.n && path.p[i] != '.') {
			buf_char(&key, path.p[i]);
		} else {
			n = node_get(n, buf_view(&key));
			buf_clear(&key);
		}
	}
	return n;
}

int64_t health_number(const struct node *root, str path, int64_t otherwise)
{
	const struct node *n = health_at_path(root, path);
	int64_t v = otherwise;

	return node_is(n, NODE_INT) && node_i64(n, &v) ? v : otherwise;
}

static bool scalar_is(const struct node *n, str text)
{
	return n && n->kind != NODE_MAP && n->kind != NODE_LIST && str_eq(n->text, text);
}

const struct node *health_condition(const struct node *root, str type)
{
	const struct node *list = node_at(root, "status", "conditions", NULL);
	int64_t generation = health_number(root, STR("metadata.generation"), 0);

	for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++) {
		const struct node *c = list->items[i];

		if (str_eq(node_get_text(c, STR("type")), type))
			return health_number(c, STR("observedGeneration"), generation) < generation
				       ? NULL
				       : c;
	}
	return NULL;
}

/* A rolling update with a partition: only the replicas above it are to be new. */
static bool below_partition(const struct node *root)
{
	int64_t wanted = health_number(root, STR("spec.replicas"), 1) -
			 health_number(root, STR("spec.updateStrategy.rollingUpdate.partition"), 0);

	return health_number(root, STR("spec.updateStrategy.rollingUpdate.partition"), 0) > 0 &&
	       health_number(root, STR("status.updatedReplicas"), 0) < wanted;
}

static bool revisions_differ(const struct node *root)
{
	str now = node_text(health_at_path(root, STR("status.currentRevision")));
	str next = node_text(health_at_path(root, STR("status.updateRevision")));

	return !health_number(root, STR("spec.updateStrategy.rollingUpdate.partition"), 0) &&
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

static bool a_container_ended(const struct node *root)
{
	const struct node *list = node_at(root, "status", "containerStatuses", NULL);
	str policy = node_text(node_at(root, "spec", "restartPolicy", NULL));

	for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++) {
		const struct node *end = node_at(list->items[i], "state", "terminated", NULL);

		if (end && health_number(end, STR("exitCode"), 0) &&
		    (!policy.n || str_eq(policy, STR("Always"))))
			return true;
	}
	return false;
}

static bool scales(const struct node *root)
{
	return str_eq(node_get_text(health_condition(root, STR("AbleToScale")), STR("status")),
		      STR("True")) ||
	       str_eq(node_get_text(health_condition(root, STR("ScalingLimited")), STR("status")),
		      STR("True"));
}

/* autoscaling/v1 keeps its conditions as JSON in an annotation. */
static const struct node *with_conditions(struct arena *a, const struct object *o)
{
	static const char key[] = "autoscaling.alpha.kubernetes.io/conditions";
	struct text *t = ARENA_NEW(a, struct text);
	const struct node *list;
	struct err *e;

	if (!str_eq(o->id.kind, STR("HorizontalPodAutoscaler")) ||
	    !obj_annotation(o, str_from(key)).n)
		return o->root;
	*t = (struct text){STR("conditions"), obj_annotation(o, str_from(key))};
	e = node_read_json(a, t, &list);
	if (e) {
		err_free(e); /* it tells nothing then */
		return o->root;
	}
	return node_set(a, o->root, STR("status"),
			node_set(a, node_get(o->root, STR("status")), STR("conditions"), list));
}

static bool fits(const struct rule *r, const struct node *root)
{
	const struct node *c;

	switch (r->test) {
	case IS:
		return scalar_is(health_at_path(root, r->x), r->y);
	case SET:
		return health_at_path(root, r->x) != NULL;
	case UNSET:
		return health_at_path(root, r->x) == NULL;
	case COND:
	case WHY:
		c = health_condition(root, r->x);
		return c &&
		       str_eq(node_get_text(c, r->test == COND ? STR("status") : STR("reason")),
			      r->y);
	case LESS:
		return health_number(root, r->x, r->x_default) <
		       health_number(root, r->y, r->y_default);
	case PARTITION:
		return below_partition(root);
	case REVISIONS:
		return revisions_differ(root);
	case WAITING:
		return a_container_waits(root);
	case ENDED:
		return a_container_ended(root);
	case SCALES:
		return !scales(root);
	case BALANCER:
		c = node_at(root, "status", "loadBalancer", "ingress", NULL);
		return scalar_is(health_at_path(root, STR("spec.type")), STR("LoadBalancer")) &&
		       !(node_is(c, NODE_LIST) && c->n);
	case ALWAYS:
		break;
	}
	return true;
}

static struct health from_condition(enum health_state state, const struct node *c,
				    const char *otherwise)
{
	str reason = node_get_text(c, STR("reason"));

	return (struct health){state, reason.n ? reason : str_from(otherwise),
			       node_get_text(c, STR("message"))};
}

static bool by_rules(struct arena *a, const struct object *o, struct health *ret)
{
	const struct node *root = with_conditions(a, o);
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (!str_eq(rules[i].kind, o->id.kind) || !str_eq(rules[i].group, o->id.group))
			continue;
		known = true;
		if (fits(&rules[i], root)) {
			*ret = (struct health){rules[i].state, rules[i].reason, rules[i].message};
			return true;
		}
	}
	*ret = (struct health){HEALTH_HEALTHY, STR(""), STR("")};
	return known;
}

static bool is_true(const struct node *c)
{
	return c && str_eq(node_get_text(c, STR("status")), STR("True"));
}

struct health health_at(struct arena *a, const struct object *live,
			const struct health_clock *clock, msec *again)
{
	const struct node *root = live ? live->root : NULL, *c;
	int64_t seen, generation;
	bool builtin;
	struct health h;

	*again = 0;
	if (!live)
		return (struct health){HEALTH_MISSING, STR("Missing"), STR("not there")};
	if (node_at(root, "metadata", "deletionTimestamp", NULL))
		return (struct health){HEALTH_PROGRESSING, STR("Deleting"),
				       STR("it is being deleted")};
	generation = health_number(root, STR("metadata.generation"), 0);
	seen = health_number(root, STR("status.observedGeneration"), generation);
	/* -1 is how some say that they saw it and failed. */
	if (seen != generation && generation && seen >= 0)
		return (struct health){HEALTH_PROGRESSING, STR("NotObserved"),
				       arena_printf(a,
						    "generation %lld is not observed yet, %lld is",
						    (long long)generation, (long long)seen)};
	c = health_condition(root, STR("Stalled"));
	if (is_true(c))
		return from_condition(HEALTH_DEGRADED, c, "Stalled");
	builtin = by_rules(a, live, &h);
	if (!builtin && health_of_kind(a, live, &h))
		return h;
	c = health_condition(root, STR("Reconciling"));
	if (is_true(c))
		return from_condition(HEALTH_PROGRESSING, c, "Reconciling");
	return builtin ? h : health_of_custom(a, live, clock, again);
}

struct health health_of(struct arena *a, const struct object *live)
{
	msec again;

	return health_at(a, live, NULL, &again);
}
