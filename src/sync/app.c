/* app: an App at rest: when it syncs, what has drifted and what is done about it, what it waits
 * for. */
#include "sync_priv.h"

#include <stdlib.h>

#define RETRY_FIRST (5 * SECOND)
#define JITTER_PERCENT 10
#define DEPEND_LOOK (2 * SECOND) /* pause between looks at an object that an App depends on */

static const char *const state_names[] = {
	[APP_NEW] = "Progressing", [APP_SYNCED] = "Synced",   [APP_PROGRESSING] = "Progressing",
	[APP_FAILED] = "Failed",   [APP_WAITING] = "Waiting", [APP_SUSPENDED] = "Suspended",
	[APP_STALLED] = "Stalled",
};

const char *app_state_name(enum app_state st)
{
	return state_names[st];
}

void app_set_suspended(struct app_run *a)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	struct suspension sus;
	const char *why = "the document says so";

	if (suspension_get(a->s, scratch, "app", a->name, &sus))
		why = arena_printf(scratch, "suspended by " STR_FMT ": " STR_FMT, STR_ARG(sus.by),
				   STR_ARG(sus.reason))
			      .p;
	app_set_state(a, APP_SUSPENDED, "suspended", why, NULL);
}

void app_set_state(struct app_run *a, enum app_state st, const char *reason, const char *message,
		   const char *release)
{
	bool held = st == APP_WAITING || st == APP_SUSPENDED;

	if (a->state != st || !a->since)
		a->since = clock_wall(a->s->loop);
	if (a->reason && a->state != st)
		metric_drop(a->s->metrics, METRIC_HELD, "app");
	if (held)
		metric_set(a->s->metrics, METRIC_HELD, 1,
			   LABELS("app", a->name, reason ? reason : "suspended"));
	if (a->state != st)
		log_info(a->s->log, "app.state", "app", a->name, "state", app_state_name(st),
			 "reason", reason, "revision", a->rev[0] ? a->rev : NULL, "message",
			 message);
	a->state = st;
	/* The texts may be our own. */
	char *old[3] = {a->reason, a->message, a->release};

	a->reason = reason ? text_dup(str_from(reason)) : NULL;
	a->message = message ? text_dup(str_from(message)) : NULL;
	a->release = release ? text_dup(str_from(release)) : NULL;
	for (size_t i = 0; i < ARRAY_LEN(old); i++)
		free(old[i]);
	sync_changed(a->s);
}

/* ------------------------------------------------------------------ the interval */

#define COMPARE_AT_ONCE 100u /* files that are read in one go */

static void compare_some(struct app_run *a);
static size_t heal_picked(struct app_run *a, bool all, bool fights);

static void on_compared(void *arg, const struct target_live *p, size_t n, struct err *e)
{
	struct app_run *a = arg;

	a->compare = NULL;
	for (size_t i = 0; !e && i < n; i++)
		live_told(a->live, &p[i]);
	if (e) {
		err_free(e); /* the next interval asks again */
		return;
	}
	a->compared += n;
	compare_some(a);
}

static void compare_some(struct app_run *a)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	struct target_want_live *ids =
		ARENA_ARRAY(scratch, struct target_want_live, COMPARE_AT_ONCE);
	size_t n = 0;

	for (size_t i = a->compared; i < a->inv->n && n < COMPARE_AT_ONCE; i++)
		ids[n++] = (struct target_want_live){a->inv->p[i].id, a->inv->p[i].version,
						     str_from(a->name)};
	if (n)
		target_get(a->place->target, ids, n, false, on_compared, a, &a->compare);
}

/* The net below the watches: what stands there is looked at anew, at the cost of a list per kind.
 */
static void compare(struct app_run *a)
{
	if (!a->inv || !a->complete || a->compare)
		return;
	if (target_sort(a->place->target) == TARGET_SORT_KUBE) {
		place_compare(a->place, a->doc->interval / 2);
		return;
	}
	a->compared = 0;
	compare_some(a);
}

/* ------------------------------------------------------------------ timers */

static void on_timer(void *arg)
{
	struct app_run *a = arg;

	a->timer = NULL;
	a->next_at = 0;
	if (a->going) { /* its deletion failed */
		a->run = run_new(a, str_from(a->rev), "interval", false, NULL);
		return;
	}
	if (a->again) {
		bool force = a->again_force;

		a->again = false;
		a->again_force = false;
		app_sync(a,
			 a->again_person[0] ? a->again_person
			 : a->again_by      ? a->again_by
					    : "push",
			 force, NULL);
		return;
	}
	if (a->state == APP_SYNCED || a->state == APP_WAITING) {
		compare(a);
		heal_picked(a, false, true);
		app_rest(a, false);
		return;
	}
	app_sync(a, "interval", false, NULL);
}

void app_rest(struct app_run *a, bool failed)
{
	msec d;

	timer_stop(a->timer);
	a->timer = NULL;
	if (a->s->stopping)
		return;
	if (a->again) {
		d = 0;
	} else if (failed) {
		unsigned n = a->fails ? a->fails - 1 : 0;

		d = RETRY_FIRST << (n < 12 ? n : 12);
		d = d < a->doc->retry_interval ? d : a->doc->retry_interval;
	} else {
		d = a->doc->interval;
		d += (msec)random_below((uint32_t)(d * JITTER_PERCENT / 100 + 1));
	}
	a->next_at = clock_wall(a->s->loop) + d;
	a->timer = timer_start(a->s->loop, d, on_timer, a);
}

/* ------------------------------------------------------------------ syncing */

void app_sync(struct app_run *a, const char *by, bool force, struct rollout *ro)
{
	str rev = a->source->trust.accepted_oid;

	if (a->going)
		return;
	if (!rev.n || a->s->stopping)
		return;
	if (a->run) {
		if (str_eq(str_from(a->run->rev), rev) && !force) {
			/* What it does already is what is asked for, unless it is on its way out.
			 */
			if (a->run->step >= RUN_apply) {
				a->again = true;
				a->again_by = by;
			}
			return;
		}
		if (!str_eq(str_from(a->run->rev), rev))
			log_info(a->s->log, "sync.superseded", "app", a->name, "revision",
				 a->run->rev);
		run_drop(a->run, STORE_SUPERSEDED);
	}
	timer_stop(a->timer);
	a->timer = NULL;
	a->next_at = 0;
	a->run = run_new(a, rev, by, force, ro);
	if (a->state != APP_FAILED && a->state != APP_WAITING && a->state != APP_SUSPENDED &&
	    (a->state != APP_SYNCED || !a->now || strcmp(a->rev, a->run->rev)))
		app_set_state(a, APP_PROGRESSING, NULL, NULL, NULL);
	sync_changed(a->s);
}

void app_moved(struct app_run *a, str rev)
{
	hex_set(a->rev, rev);
	if (a->state == APP_SYNCED) {
		hex_set(a->synced, rev);
		hex_set(a->healthy, rev);
		a->healthy_at = clock_wall(a->s->loop);
	}
	sync_changed(a->s);
}

/* ------------------------------------------------------------------ dependencies */

static void looked_again(void *arg)
{
	struct run *r = arg;

	r->timer = NULL;
	run_go(r);
}

static void on_object(void *arg, const struct target_live *p, size_t n, struct err *e)
{
	struct run *r = arg;
	CLEANUP(arena) struct arena *a = arena_new();
	struct object o;

	r->call = NULL;
	for (size_t i = 0; !e && i < n; i++) {
		if (!p[i].root)
			continue;
		e = obj_from_node(a, p[i].root, &o);
		if (e)
			break;
		if (health_of(a, &o).state == HEALTH_HEALTHY) {
			const struct app_deps *d = &r->app->doc->depends_on;

			for (size_t k = 0; k < d->n && k < 64; k++)
				if (obj_id_eq(d->p[k].object, p[i].id))
					r->depends_seen |= (uint64_t)1 << k;
		}
	}
	err_free(e);
	/* Objects that are nobody's are not watched. */
	r->timer = timer_start(r->app->s->loop, r->depends_seen ? 0 : DEPEND_LOOK, looked_again, r);
}

static bool app_is_ready(const struct app_run *dep)
{
	return dep->state == APP_SYNCED && !dep->run &&
	       str_eq(str_from(dep->rev), dep->source->trust.accepted_oid) &&
	       (!dep->doc->health_wait || !target_tells_health(dep->place->target) ||
		live_worst(dep->live, NULL).state == HEALTH_HEALTHY ||
		live_worst(dep->live, NULL).state == HEALTH_SUSPENDED);
}

bool app_depends_ready(struct app_run *a, struct run *r, str *why, struct arena *scratch)
{
	const struct app_deps *d = &a->doc->depends_on;

	for (size_t i = 0; i < d->n; i++) {
		const struct app_dep *dep = &d->p[i];
		struct live_state st;
		struct app_run *other;
		bool ours = false;

		if (dep->app.n) {
			other = sync_app(a->s, dep->app);
			if (other && app_is_ready(other))
				continue;
			*why = arena_printf(scratch, "waits for App " STR_FMT, STR_ARG(dep->app));
			return false;
		}
		*why = arena_printf(scratch, "waits for " STR_FMT,
				    STR_ARG(obj_id_label(scratch, dep->object)));
		for (size_t k = 0; k < a->s->apps.n; k++) {
			other = a->s->apps.p[k];
			if (other->place != a->place || !other->live ||
			    !live_state(other->live, dep->object, &st))
				continue;
			ours = true;
			if (!st.present || (target_tells_health(a->place->target) &&
					    st.health.state != HEALTH_HEALTHY))
				return false;
		}
		if (ours || (i < 64 && (r->depends_seen >> i & 1)))
			continue;
		struct target_want_live ask = {dep->object, dep->object_version, str_from(a->name)};

		target_get(a->place->target, &ask, 1, false, on_object, r, &r->call);
		return false;
	}
	return true;
}

/* ------------------------------------------------------------------ drift */

struct heal_run {
	struct app_run *app;
	struct arena *arena;
	struct apply_heal *heal;
	struct rendering *of;
	obj_id id;
	msec started;
};

static void heal_free(struct heal_run *h)
{
	LIST_DEL(&h->app->heals, h);
	apply_heal_stop(h->heal);
	rendering_put(h->of);
	arena_free(h->arena);
	free(h);
}

/* A row of history: who looks for what was written finds it. */
static void heal_row(struct heal_run *h, bool ok, str cause)
{
	struct app_run *a = h->app;
	str id = obj_id_text(h->arena, h->id);
	struct store_sync row = {.app = str_from(a->name),
				 .source = str_from(a->source->name),
				 .revision = str_from(a->rev),
				 .from = str_from(a->rev),
				 .outcome = STORE_RUNNING,
				 .started = h->started,
				 .by = STR("drift"),
				 .objects = &id,
				 .objects_n = 1};
	struct err *e = store_sync_begin(a->s->store, &row);

	row.outcome = ok ? STORE_HEALTHY : STORE_FAILED;
	row.changed = ok;
	row.writes = 1;
	row.requests = 1;
	row.first_cause = cause;
	row.took = clock_wall(a->s->loop) - h->started;
	if (!e)
		e = store_sync_end(a->s->store, &row);
	err_free(e);
}

static void on_healed(void *arg, obj_id id, struct err *e)
{
	struct heal_run *h = arg;
	struct app_run *a = h->app;
	struct tell t = {.kind = EVENT_DRIFT_HEALED,
			 .severity = -1,
			 .app = str_from(a->name),
			 .revision = str_from(a->rev),
			 .object = &h->id,
			 .notes = a->doc->notes};

	(void)id;
	h->heal = NULL;
	if (e) {
		CLEANUP(buf) struct buf b = BUF_INIT, c = BUF_INIT;

		err_line_to(e, &b);
		buf_str(&c, STR("{\"message\":"));
		buf_json(&c, buf_view(&b));
		buf_char(&c, '}');
		log_warn(a->s->log, "drift.heal.failed", "app", a->name, "object",
			 obj_id_text(h->arena, h->id).p, "error", b.p);
		heal_row(h, false, buf_view(&c));
		err_free(e);
		/* The whole App is looked at, with backoff. */
		a->fails++;
		if (!a->run)
			app_rest(a, true);
	} else {
		heal_row(h, true, STR_NONE);
		t.message = arena_printf(h->arena, STR_FMT ": Git's value is back",
					 STR_ARG(obj_id_label(h->arena, h->id)));
		tell(a->s, &t);
	}
	heal_free(h);
	sync_changed(a->s);
}

static bool healing(const struct app_run *a, obj_id id)
{
	for (size_t i = 0; i < a->heals.n; i++)
		if (obj_id_eq(a->heals.p[i]->id, id))
			return true;
	return false;
}

static void heal(struct app_run *a, obj_id id)
{
	const struct want *w = a->now ? wants_get(a->now->wants, id) : NULL;
	struct heal_run *h;
	struct err *e;

	if (!w || healing(a, id))
		return;
	h = xcalloc(1, sizeof(*h));
	h->app = a;
	h->arena = arena_new();
	h->of = rendering_get(a->now);
	h->id = obj_id_dup(h->arena, id);
	h->started = clock_wall(a->s->loop);
	LIST_ADD(&a->heals, h);
	e = apply_heal_start(a->s->loop, a->live, w, str_from(a->rev), on_healed, h, &h->heal);
	if (e)
		on_healed(h, id, e);
}

static bool may_write(const struct app_run *a)
{
	return !a->suspended && !a->going && !a->other_cluster && !a->s->shadow &&
	       a->s->config->daemon.mode != 1;
}

static str brief(struct arena *a, const struct node *n)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!n)
		return STR("nothing");
	node_brief(n, 60, &b);
	return arena_str(a, buf_view(&b));
}

/* "Deployment mail/mail .spec.replicas: git 3, live 5 (kubectl-edit)" */
str drift_message(struct arena *a, const struct live_drift *d)
{
	str label = obj_id_label(a, d->id);
	const struct event_field *f = d->fields;
	str more = STR_NONE, who = STR_NONE;

	if (d->deleted)
		return arena_printf(a, STR_FMT " was deleted", STR_ARG(label));
	if (d->recreated && !d->fields_n)
		return arena_printf(a, STR_FMT " was deleted and made anew", STR_ARG(label));
	if (!d->fields_n)
		return arena_printf(a, STR_FMT " left what was applied", STR_ARG(label));
	if (d->fields_all > 1)
		more = arena_printf(a, ", and %zu more", d->fields_all - 1);
	if (f->writer.manager.n)
		who = arena_printf(a, " (" STR_FMT ")", STR_ARG(f->writer.manager));
	if (f->redacted)
		return arena_printf(a, STR_FMT " " STR_FMT ": changed" STR_FMT STR_FMT,
				    STR_ARG(label), STR_ARG(f->path), STR_ARG(who), STR_ARG(more));
	return arena_printf(a,
			    STR_FMT " " STR_FMT ": git " STR_FMT ", live " STR_FMT STR_FMT STR_FMT,
			    STR_ARG(label), STR_ARG(f->path), STR_ARG(brief(a, f->git)),
			    STR_ARG(brief(a, f->live)), STR_ARG(who), STR_ARG(more));
}

static const char *const mode_names[] = {
	[DRIFT_HEAL] = "heal", [DRIFT_DETECT] = "detect", [DRIFT_IGNORE] = "ignore"};

void app_live_drift(void *arg, struct live_app *la, const struct live_drift *d)
{
	struct app_run *a = arg;
	struct sync *s = a->s;
	CLEANUP(arena) struct arena *scratch = arena_new();
	bool fight = d->fights >= LIVE_FIGHT_TIMES;
	bool heals = d->mode == DRIFT_HEAL && may_write(a) && !fight;
	struct tell t = {.kind = EVENT_DRIFT_FOUND,
			 .severity = -1,
			 .app = str_from(a->name),
			 .revision = str_from(a->rev),
			 .object = &d->id,
			 .object_version = d->version,
			 .object_uid = d->uid,
			 .class = d->deleted     ? STR("deleted-live")
				  : d->recreated ? STR("recreated")
						 : STR("drift"),
			 .mode = str_from(mode_names[d->mode]),
			 .action = heals ? STR("heal") : STR("none"),
			 .fields = d->fields,
			 .fields_n = d->fields_n,
			 .notes = a->doc->notes};

	(void)la;
	if (d->mode == DRIFT_IGNORE || healing(a, d->id))
		return;
	t.message = drift_message(scratch, d);
	if (!heals)
		t.release = arena_printf(scratch, "leeboard drift %s --heal", a->name);
	if (fight) {
		struct tell f = t;

		f.kind = EVENT_DRIFT_FIGHT;
		f.message =
			arena_printf(scratch,
				     STR_FMT ": the same was corrected %u times in 10 "
					     "minutes; it is left alone until the next interval",
				     STR_ARG(t.message), d->fights);
		tell(s, &f);
	}
	tell(s, &t);
	metric_observe(s->metrics, METRIC_DRIFT_ALERT_SECONDS,
		       (double)(clock_wall(s->loop) - d->since) / 1000, NULL);
	/* A sync that is writing looks at what is left when it is over. */
	if (heals && !(a->run && a->run->step >= RUN_apply && a->run->started_step))
		heal(a, d->id);
	sync_changed(s);
}

struct heal_pick {
	struct app_run *app;
	struct arena *arena;
	bool all;    /* a person asked: whatever the mode is */
	bool fights; /* those that are fought over too: once an interval */
	struct {
		obj_id *p;
		size_t n, cap;
	} ids;
};

static void pick(void *arg, const struct live_drift *d)
{
	struct heal_pick *p = arg;

	if (p->all || (d->mode == DRIFT_HEAL && (p->fights || d->fights < LIVE_FIGHT_TIMES)))
		*ARENA_PUSH(p->arena, &p->ids) = obj_id_dup(p->arena, d->id);
}

static size_t heal_picked(struct app_run *a, bool all, bool fights)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	struct heal_pick p = {.app = a, .arena = scratch, .all = all, .fights = fights};

	if (!a->live || !may_write(a))
		return 0;
	live_each_drift(a->live, false, pick, &p);
	for (size_t i = 0; i < p.ids.n; i++)
		heal(a, p.ids.p[i]);
	return p.ids.n;
}

size_t app_heal_all(struct app_run *a)
{
	return heal_picked(a, true, true);
}

void app_heal_open(struct app_run *a)
{
	if (!a->run && !a->going)
		heal_picked(a, false, false);
}

void app_live_gone(void *arg, struct live_app *la, obj_id id)
{
	struct app_run *a = arg;
	CLEANUP(arena) struct arena *scratch = arena_new();
	struct tell t = {.kind = EVENT_DRIFT_GONE,
			 .severity = -1,
			 .app = str_from(a->name),
			 .revision = str_from(a->rev),
			 .object = &id,
			 .message = arena_printf(scratch, STR_FMT ": the drift is gone",
						 STR_ARG(obj_id_label(scratch, id)))};

	(void)la;
	tell(a->s, &t);
	sync_changed(a->s);
}

void app_live_health(void *arg, struct live_app *la, obj_id id, const struct health *was,
		     const struct health *now)
{
	struct app_run *a = arg;
	CLEANUP(arena) struct arena *scratch = arena_new();
	struct tell t = {.severity = -1,
			 .app = str_from(a->name),
			 .revision = str_from(a->rev),
			 .object = &id,
			 .notes = a->doc->notes};

	(void)la;
	(void)was;
	sync_changed(a->s);
	if (a->run && a->run->apply)
		return; /* the sync says how it ends */
	if (now->state == HEALTH_DEGRADED) {
		t.kind = EVENT_HEALTH_DEGRADED;
		t.message = arena_printf(scratch, STR_FMT ": " STR_FMT,
					 STR_ARG(obj_id_label(scratch, id)),
					 STR_ARG(now->message.n ? now->message : now->reason));
		tell(a->s, &t);
	} else if (now->state == HEALTH_HEALTHY) {
		t.kind = EVENT_HEALTH_RECOVERED;
		t.message = arena_printf(scratch, STR_FMT " is well again",
					 STR_ARG(obj_id_label(scratch, id)));
		tell(a->s, &t);
	}
}

/* What is wanted is known before the watches begin, so that each object is judged as it is listed
 * and none has to be kept or read again, baselines or not. */
struct err *app_restore(struct app_run *a, struct rendering *x)
{
	if (a->restored)
		return NULL;
	live_app_expect(a->live, x->wants, str_from(x->rev));
	rendering_get(x);
	rendering_put(a->now);
	a->now = x;
	hex_set(a->rev, str_from(x->rev));
	TRY(live_app_restore(a->live, a->inv));
	a->restored = true;
	a->complete |= !a->inv->n;
	return NULL;
}

void app_live_complete(void *arg, struct live_app *la)
{
	struct app_run *a = arg;

	(void)la;
	a->complete = true;
	if (a->run && a->run->step == RUN_know)
		run_go(a->run);
	sync_changed(a->s);
}

/* ------------------------------------------------------------------ life */

/* Another cluster behind the same words is never "everything is gone" (config.md, kubeConfig). */
static bool other_cluster(struct app_run *a)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	str uid = target_uid(a->place->target), known = STR_NONE;

	err_free(store_get(a->s->store, scratch, STR("target"), str_from(a->name), &known));
	if (known.p && uid.n && !str_eq(known, uid))
		return true;
	if (!known.p && uid.n)
		err_free(store_put(a->s->store, STR("target"), str_from(a->name), uid));
	return false;
}

void app_place_ready(struct app_run *a)
{
	const struct target_record *rec = place_record(a->place, str_from(a->name));

	if (a->inv)
		return;
	a->other_cluster = other_cluster(a);
	if (a->other_cluster) {
		app_set_state(a, APP_STALLED, "OtherCluster",
			      "another cluster answers behind the same address: nothing is written",
			      "leeboard sync APP --new-target");
		return;
	}
	a->inv_arena = arena_new();
	if (rec) {
		a->inv = inventory_dup(a->inv_arena, rec->inventory);
		hex_set(a->synced, rec->applied);
		a->synced_at = rec->applied_at;
		hex_set(a->healthy, rec->healthy);
		a->healthy_at = rec->healthy_at;
	} else {
		a->inv = ARENA_NEW(a->inv_arena, struct inventory);
	}
	if (a->state == APP_STALLED)
		app_set_state(a, APP_NEW, NULL, NULL, NULL);
	if (!a->run)
		app_sync(a, "interval", false, NULL);
	else if (a->run->step == RUN_know)
		run_go(a->run);
}

static struct err *attach(struct app_run *a)
{
	TRY(place_get(a->s, &a->doc->target, &a->place));
	a->live = live_app_new(a->place->live, a->doc, a);
	return NULL;
}

static void detach(struct app_run *a)
{
	while (a->heals.n)
		heal_free(a->heals.p[0]);
	target_cancel(a->compare);
	a->compare = NULL;
	if (a->run)
		run_drop(a->run, STORE_SUPERSEDED);
	asks_forget(a);
	live_app_free(a->live);
	a->live = NULL;
	place_put(a->place);
	a->place = NULL;
	a->inv = NULL;
	arena_free(a->inv_arena);
	a->inv_arena = NULL;
	a->complete = a->restored = false;
}

static void suspended_now(struct app_run *a)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	struct suspension sus;

	a->suspended = a->doc->suspend || suspension_get(a->s, scratch, "app", a->name, &sus);
}

struct err *app_new(struct sync *s, const struct app *doc, struct app_run **ret)
{
	struct app_run *a = xcalloc(1, sizeof(*a));
	struct err *e;

	a->s = s;
	a->doc = doc;
	a->name = text_dup(doc->name);
	a->source = sync_source(s, doc->source_name);
	suspended_now(a);
	e = attach(a);
	if (e) {
		free(a->name);
		free(a);
		return e;
	}
	a->since = clock_wall(s->loop);
	if (a->suspended)
		a->state = APP_SUSPENDED;
	LIST_ADD(&s->apps, a);
	*ret = a;
	return NULL;
}

void app_free(struct app_run *a)
{
	if (!a)
		return;
	LIST_DEL(&a->s->apps, a);
	timer_stop(a->timer);
	detach(a);
	rendering_put(a->now);
	free(a->heals.p);
	free(a->reason);
	free(a->message);
	free(a->release);
	free(a->first_cause);
	free(a->name);
	free(a);
}

void app_config(struct app_run *a, const struct app *doc)
{
	bool same_spec, same_place;
	CLEANUP(arena) struct arena *scratch = arena_new();

	same_spec = node_equal_strict(a->doc->spec, doc->spec);
	same_place = str_eq(str_from(a->place->key), target_key(scratch, &doc->target));
	a->doc = doc;
	a->source = sync_source(a->s, doc->source_name);
	suspended_now(a);
	if (same_place) {
		live_app_config(a->live, doc);
	} else {
		/* As one that went and one that came (config.md 1.6): what both name is handed
		 * over. */
		detach(a);
		struct err *e = attach(a);

		if (e) {
			err_free(e); /* check_places was asked before */
			return;
		}
		if (a->place->step == PLACE_READY)
			app_place_ready(a);
		else
			place_connect(a->place);
	}
	if (same_spec)
		return;
	if (a->run)
		run_drop(a->run, STORE_SUPERSEDED);
	rendering_put(a->now);
	a->now = NULL;
	app_sync(a, "push", false, NULL);
}

static void on_gone(void *arg, struct err *e)
{
	struct app_run *a = arg;

	a->compare = NULL;
	err_free(e); /* a record of nothing harms nobody */
	log_info(a->s->log, "app.deleted", "app", a->name);
	sync_reap(a);
}

void app_gone(struct app_run *a)
{
	target_record_drop(a->place->target, str_from(a->name), on_gone, a, &a->compare);
}

static void on_dropped(void *arg, struct err *e)
{
	(void)arg;
	err_free(e);
}

static void over(struct app_run *a, enum event_kind kind, const obj_id *object)
{
	struct tell t = {.kind = kind,
			 .severity = -1,
			 .app = str_from(a->name),
			 .revision = str_from(a->rev),
			 .object = object,
			 .message = STR("the App went")};

	tell(a->s, &t);
}

static void drift_over(void *arg, const struct live_drift *d)
{
	over(arg, EVENT_DRIFT_GONE, &d->id);
}

/* What is open of an App that goes is nobody's any more. */
static void all_over(struct app_run *a)
{
	over(a, EVENT_SYNC_RECOVERED, NULL);
	over(a, EVENT_SYNC_RELEASED, NULL);
	if (a->live)
		live_each_drift(a->live, true, drift_over, a);
}

void app_remove(struct app_run *a)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	size_t n = a->inv ? a->inv->n : 0;
	struct node_pairs more = {0};
	struct tell t = {.kind = EVENT_APP_ORPHANED,
			 .severity = -1,
			 .app = str_from(a->name),
			 .revision = str_from(a->rev)};

	if (a->run)
		run_drop(a->run, STORE_SUPERSEDED);
	all_over(a);
	if (a->doc->deletion_policy == DELETION_DELETE && n && a->complete && !a->suspended) {
		struct rendering *none = xcalloc(1, sizeof(*none));

		a->going = true;
		none->users = 1;
		none->wants = wants_new();
		none->tree = wants_tree(none->wants);
		rendering_put(a->now);
		a->now = none;
		a->run = run_new(a, str_from(a->rev), "push", false, NULL);
		return;
	}
	if (n) {
		node_pairs_add(scratch, &more, STR("objects"), node_new_int(scratch, (int64_t)n));
		t.message = arena_printf(scratch, "App %s went; its %zu objects stay", a->name, n);
		t.more = more.p;
		t.more_n = more.n;
		tell(a->s, &t);
	} else if (a->place && a->place->step == PLACE_READY) {
		target_record_drop(a->place->target, str_from(a->name), on_dropped, NULL, NULL);
	}
	sync_reap(a);
}
