/* After the write: is it well in time, is the kind it brings served, and if not, why. */
#include <stdlib.h>

#include "apply_priv.h"

static void on_limit(void *arg);

void settle_stop(struct run *r)
{
	live_wait_stop(r->wait);
	r->wait = NULL;
	timer_stop(r->timer);
	timer_stop(r->lasts);
	r->timer = r->lasts = NULL;
	r->crd_waits = false;
}

/* ------------------------------------------------------------------ how long */

static int64_t int_of(const struct node *map, str key, int64_t otherwise)
{
	int64_t v;

	return node_i64(node_get(map, key), &v) && v > 0 ? v : otherwise;
}

/* A container may take its startup probe's own limit before anything is said of it. */
static msec startup(const struct want *w)
{
	CLEANUP(arena) struct arena *a = NULL;
	const struct node *spec, *list;
	struct object o;
	struct err *e;
	msec most = 0;

	if (!w || !str_contains(w->json, STR("\"startupProbe\"")))
		return 0;
	a = arena_new();
	e = want_tree(a, w, &o);
	if (e) {
		err_free(e); /* it was sent just now */
		return 0;
	}
	spec = node_at(o.root, "spec", "template", "spec", NULL);
	list = node_get(spec ? spec : node_get(o.root, STR("spec")), STR("containers"));
	for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++) {
		const struct node *p = node_get(list->items[i], STR("startupProbe"));
		int64_t tries = int_of(p, STR("failureThreshold"), 3);
		int64_t pause = int_of(p, STR("periodSeconds"), 10);
		msec limit;

		if (!p || tries > 100000 || pause > 100000)
			continue;
		limit = (int_of(p, STR("initialDelaySeconds"), 0) % 100000 + tries * pause) *
			SECOND;
		most = limit > most ? limit : most;
	}
	return most;
}

/* ------------------------------------------------------------------ why not */

static void keep_health(struct run *r, enum health_state state, str reason, str message)
{
	if (!r->pub)
		return;
	r->pub->health = (struct health){state, arena_str(r->a->arena, reason),
					 arena_str(r->a->arena, message)};
}

/* "app=web,tier in (a,b)" of a LabelSelector. */
static void selector_text(const struct node *selector, struct buf *b)
{
	const struct node *labels = node_get(selector, STR("matchLabels"));
	const struct node *more = node_get(selector, STR("matchExpressions"));

	for (uint32_t i = 0; node_is(labels, NODE_MAP) && i < labels->n; i++)
		buf_printf(b, "%s" STR_FMT "=" STR_FMT, b->n ? "," : "",
			   STR_ARG(labels->pairs[i].key), STR_ARG(labels->pairs[i].value->text));
	for (uint32_t i = 0; node_is(more, NODE_LIST) && i < more->n; i++) {
		str key = node_get_text(more->items[i], STR("key"));
		str op = node_get_text(more->items[i], STR("operator"));
		const struct node *values = node_get(more->items[i], STR("values"));

		if (b->n)
			buf_char(b, ',');
		if (str_eq(op, STR("DoesNotExist")))
			buf_char(b, '!');
		buf_str(b, key);
		if (!str_eq(op, STR("In")) && !str_eq(op, STR("NotIn")))
			continue;
		buf_str(b, str_eq(op, STR("In")) ? STR(" in (") : STR(" notin ("));
		for (uint32_t k = 0; node_is(values, NODE_LIST) && k < values->n; k++)
			buf_printf(b, "%s" STR_FMT, k ? "," : "", STR_ARG(values->items[k]->text));
		buf_char(b, ')');
	}
}

/* Which Pods are its own; false: it has none. */
static bool pods_of(struct run *r, struct target_list *ret)
{
	static const struct {
		str group, kind;
	} rows[] = {{STR("apps"), STR("Deployment")},
		    {STR("apps"), STR("StatefulSet")},
		    {STR("apps"), STR("DaemonSet")},
		    {STR("apps"), STR("ReplicaSet")},
		    {STR("batch"), STR("Job")}};
	struct apply *a = r->a;
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct object o;
	struct err *e;
	bool has = false;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		has |= str_eq(rows[i].group, r->step->id.group) &&
		       str_eq(rows[i].kind, r->step->id.kind);
	if (!has || !r->step->want)
		return false;
	e = want_tree(a->arena, r->step->want, &o);
	if (e) {
		err_free(e); /* it was sent just now */
		return false;
	}
	if (str_eq(r->step->id.kind, STR("Job")))
		buf_printf(&b, "batch.kubernetes.io/job-name=" STR_FMT, STR_ARG(r->step->id.name));
	else
		selector_text(node_at(o.root, "spec", "selector", NULL), &b);
	*ret = (struct target_list){STR(""), STR("v1"), STR("Pod"), r->step->id.ns,
				    arena_str(a->arena, buf_view(&b))};
	return b.n > 0;
}

/* Of one container: what it waits for, or how it ended. */
static bool container_cause(struct arena *a, const struct node *status, str *reason, str *message)
{
	const struct node *waiting = node_at(status, "state", "waiting", NULL);
	const struct node *ended = node_at(status, "state", "terminated", NULL);
	const struct node *last = node_at(status, "lastState", "terminated", NULL);
	str name = node_get_text(status, STR("name"));
	int64_t code = 0;

	*reason = node_get_text(waiting, STR("reason"));
	*message = node_get_text(waiting, STR("message"));
	if (!reason->n && ended && node_i64(node_get(ended, STR("exitCode")), &code) && code)
		*reason = node_get_text(ended, STR("reason"));
	if (!reason->n || str_eq(*reason, STR("PodInitializing")) ||
	    str_eq(*reason, STR("ContainerCreating")))
		return false;
	ended = ended ? ended : last;
	if (ended && node_i64(node_get(ended, STR("exitCode")), &code))
		*message =
			arena_printf(a, "container '" STR_FMT "' ended with exit code %lld%s",
				     STR_ARG(name), (long long)code,
				     str_eq(node_get_text(ended, STR("reason")), STR("OOMKilled"))
					     ? " (OOMKilled)"
					     : "");
	return true;
}

static bool pod_cause(struct arena *a, const struct node *pod, str *reason, str *message)
{
	static const char *const lists[] = {"initContainerStatuses", "containerStatuses"};
	const struct node *c = health_condition(pod, STR("PodScheduled"));

	if (str_eq(node_get_text(c, STR("status")), STR("False"))) {
		*reason = node_get_text(c, STR("reason"));
		*message = node_get_text(c, STR("message"));
		return reason->n > 0;
	}
	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		const struct node *list = node_at(pod, "status", lists[k], NULL);

		for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++)
			if (container_cause(a, list->items[i], reason, message))
				return true;
	}
	return false;
}

static bool is_ready(const struct node *pod)
{
	return str_eq(node_get_text(health_condition(pod, STR("Ready")), STR("status")),
		      STR("True"));
}

static void end_unwell(struct run *r)
{
	struct apply *a = r->a;

	run_fails(r, r->timed ? APPLY_TIMEOUT : APPLY_FAILED, NULL);
	send_ready(a);
}

static void on_pods(void *arg, const struct target_live *p, size_t n, struct err *e)
{
	struct run *r = arg;
	struct apply *a = r->a;
	str reason = STR_NONE, message = STR_NONE;
	size_t ready = 0, found = SIZE_MAX;

	r->call = NULL;
	err_free(e); /* without them the object's own words have to do */
	for (size_t i = 0; i < n; i++) {
		str x, y;

		ready += is_ready(p[i].root);
		if (found == SIZE_MAX && pod_cause(a->arena, p[i].root, &x, &y)) {
			found = i;
			reason = x;
			message = y;
		}
	}
	if (found != SIZE_MAX && r->pub)
		keep_health(r, r->pub->health.state, reason,
			    arena_printf(a->arena,
					 STR_FMT "%s" STR_FMT "; %zu of %zu pods are ready",
					 STR_ARG(reason), message.n ? ": " : "", STR_ARG(message),
					 ready, n));
	end_unwell(r);
}

/* timed: it was not well in time; else it is Degraded for good. */
static void unwell(struct run *r, bool timed)
{
	struct apply *a = r->a;
	struct target_list pods;

	settle_stop(r);
	r->timed = timed;
	if (!r->pub || !pods_of(r, &pods)) {
		end_unwell(r);
		return;
	}
	r->state = RUN_SENDING;
	a->count.requests++;
	target_list(a->target, &pods, on_pods, r, &r->call);
}

/* ------------------------------------------------------------------ kinds that become known */

bool crd_served(const struct run *r)
{
	struct apply *a = r->a;

	for (uint32_t i = r->first; i < r->first + r->count; i++) {
		const struct plan_step *s = a->runs[a->edges[i].who].step;

		if (a->edges[i].why == GRAPH_CRD && s &&
		    !target_serves(a->target, s->id.group, s->version, s->id.kind))
			return false;
	}
	return true;
}

static void discover(void *arg);

static void on_discovered(void *arg, struct err *e)
{
	struct apply *a = arg;
	bool open = false;

	a->discover = NULL;
	err_free(e); /* asked again; the time limit of the step holds */
	a->open++;
	for (size_t i = 0; i < a->n; i++) {
		struct run *r = &a->runs[i];

		if (!r->crd_waits)
			continue;
		if (!crd_served(r)) {
			open = true;
			continue;
		}
		order_well(r);
		tell_step(r);
		run_over(r, RUN_DONE);
	}
	if (open && !a->again)
		a->again = timer_start(a->o.loop, APPLY_DISCOVER_AGAIN, discover, a);
	send_ready(a);
	if (!--a->open)
		steps_over(a);
}

static void discover(void *arg)
{
	struct apply *a = arg;

	a->again = NULL;
	if (a->discover)
		return;
	a->count.requests++;
	target_discover(a->target, on_discovered, a, &a->discover);
}

void settle_crd(struct run *r)
{
	struct apply *a = r->a;

	r->crd_waits = true;
	if (!a->again && !a->discover)
		a->again = timer_start(a->o.loop, 0, discover, a);
}

/* ------------------------------------------------------------------ well */

static void on_well(void *arg, obj_id id, const struct health *h);

static void on_lasts(void *arg)
{
	struct run *r = arg;
	struct live_state s;

	r->lasts = NULL;
	if (live_state(r->a->o.app, r->step->id, &s) && s.health.state == HEALTH_DEGRADED) {
		keep_health(r, s.health.state, s.health.reason, s.health.message);
		unwell(r, false);
		return;
	}
	live_wait_stop(r->wait);
	r->wait = live_wait_healthy(r->a->o.app, r->step->id, on_well, r);
}

static void on_well(void *arg, obj_id id, const struct health *h)
{
	struct run *r = arg;
	struct apply *a = r->a;

	(void)id;
	if (target_tells_health(a->target))
		keep_health(r, h->state, h->reason, h->message);
	if (h->state == HEALTH_DEGRADED && step_is_custom(r->step)) {
		r->lasts = timer_start(a->o.loop, APPLY_DEGRADED_LASTS, on_lasts, r);
		return;
	}
	if (h->state == HEALTH_DEGRADED) {
		unwell(r, false);
		return;
	}
	if (!crd_served(r)) {
		settle_crd(r);
		return;
	}
	order_well(r);
	tell_step(r);
	run_over(r, RUN_DONE);
	send_ready(a);
}

static void on_limit(void *arg)
{
	struct run *r = arg;
	struct live_state s;

	r->timer = NULL;
	if (live_state(r->a->o.app, r->step->id, &s))
		keep_health(r, s.health.state, s.health.reason, s.health.message);
	if (r->crd_waits)
		keep_health(r, HEALTH_PROGRESSING, STR("NotServed"),
			    STR("the kind it defines is not served yet"));
	unwell(r, true);
}

void settle(struct run *r)
{
	struct apply *a = r->a;
	msec limit = r->step->timeout ? r->step->timeout : live_app_doc(a->o.app)->health_timeout;

	r->state = RUN_WAITING;
	r->wait = live_wait_healthy(a->o.app, r->step->id, on_well, r);
	r->timer = timer_start(a->o.loop, limit + startup(r->step->want), on_limit, r);
}
