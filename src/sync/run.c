/* run: one sync of one App, as a table of steps. A step does its share and answers NEXT, WAIT or
 * END; what it waits for calls run_go. run_drop ends it at any step: what was sent is recorded,
 * nothing else is.
 *
 *   render  the worker's objects, when the revision is not the one that is in memory
 *   know    the target answers, inventory and live state are complete; objects are normalized
 *   look    what plan wants to see at the target
 *   plan    the plan; written down, and what of it waits
 *   depend  what the App depends on is ready
 *   apply   waves out, health, then deletions when every App of the rollout is past plan
 *   record  record, history, events */
#include "sync_priv.h"

#include <stdlib.h>

enum step_answer { NEXT, WAIT, END };

/* ------------------------------------------------------------------ rollouts */

void rollout_put(struct rollout *ro)
{
	if (!ro || --ro->users)
		return;
	free(ro->runs.p);
	free(ro);
}

static void rollout_release(struct rollout *ro)
{
	if (ro->unplanned)
		return;
	while (ro->runs.n) {
		struct run *r = ro->runs.p[ro->runs.n - 1];

		LIST_DEL(&ro->runs, r);
		r->prune_waits = false;
		apply_prune(r->apply);
	}
}

/* Past plan: what another App of the rollout wants is known from here on. */
static void past_plan(struct run *r)
{
	if (r->planned || !r->rollout)
		return;
	r->planned = true;
	r->rollout->unplanned--;
	rollout_release(r->rollout);
}

/* ------------------------------------------------------------------ life */

static const char *const step_names[] = {
#define X(name) #name,
	SYNC_STEPS(X)
#undef X
		"end"};

const char *run_step_name(enum run_step st)
{
	return step_names[st];
}

static void later(void *arg);

static bool is_rendered(const struct run *r)
{
	return r->new && !r->gather;
}

/* All Apps of a rollout are planned together: an object that moved from one to another is wanted by
 * both, until both are rendered anew. Of other places nothing has to be known. */
static bool others_render(const struct run *r)
{
	const struct sync *s = r->app->s;

	for (size_t i = 0; r->rollout && i < s->apps.n; i++) {
		const struct app_run *o = s->apps.p[i];

		if (o != r->app && o->place == r->app->place && o->run &&
		    o->run->rollout == r->rollout && !is_rendered(o->run))
			return true;
	}
	return false;
}

static void rendered(struct run *r)
{
	const struct sync *s = r->app->s;

	for (size_t i = 0; r->rollout && i < s->apps.n; i++) {
		struct run *o = s->apps.p[i]->run;

		if (!o || o == r || o->rollout != r->rollout || !o->look_waits || others_render(o))
			continue;
		o->look_waits = false;
		o->timer = timer_start(s->loop, 0, later, o);
	}
}

static void run_free(struct run *r)
{
	past_plan(r);
	rendered(r);
	if (r->rollout) {
		LIST_DEL(&r->rollout->runs, r);
		rollout_put(r->rollout);
	}
	job_stop(r->job);
	target_cancel(r->call);
	timer_stop(r->timer);
	apply_free(r->apply);
	gather_free(r->gather);
	rendering_put(r->new);
	arena_free(r->arena);
	free(r);
}

static struct run *make(struct app_run *a, str rev, const char *by, bool force)
{
	struct run *r = xcalloc(1, sizeof(*r));

	r->app = a;
	r->arena = arena_new();
	hex_set(r->rev, rev);
	hex_set(r->from, str_from(a->synced));
	snprintf(r->by, sizeof(r->by), "%s", by);
	r->force = force;
	r->started = clock_wall(a->s->loop);
	r->started_mono = clock_now(a->s->loop);
	/* Rendered already, or the revision moved on without touching this App. */
	if (a->now && (!strcmp(a->now->rev, r->rev) || !strcmp(a->rev, r->rev)))
		r->new = rendering_get(a->now);
	return r;
}

static void later(void *arg)
{
	struct run *r = arg;

	r->timer = NULL;
	run_go(r);
}

struct run *run_new(struct app_run *a, str rev, const char *by, bool force, struct rollout *ro)
{
	struct run *r = make(a, rev, by, force);

	if (ro) {
		r->rollout = ro;
		ro->users++;
		ro->unplanned++;
	}
	r->timer = timer_start(a->s->loop, 0, later, r);
	return r;
}

struct run *run_dry(struct app_run *a, str rev, bool force,
		    void (*done)(void *arg, struct run *r, struct err *e), void *arg)
{
	struct run *r = make(a, rev.n ? rev : str_from(a->rev), "person", force);

	r->dry = true;
	r->done = done;
	r->arg = arg;
	r->timer = timer_start(a->s->loop, 0, later, r);
	return r;
}

/* ------------------------------------------------------------------ the end */

static str first_line(struct arena *a, const struct err *e)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	err_line_to(e, &b);
	return arena_str(a, buf_view(&b));
}

static void end_journal(struct run *r)
{
	if (!r->journal)
		return;
	err_free(store_journal_end(r->app->s->store, r->journal));
	r->journal = 0;
}

/* History's row, once it ended. */
static void end_row(struct run *r, enum store_outcome outcome)
{
	struct sync *s = r->app->s;
	struct err *e;

	end_journal(r);
	if (!r->row)
		return;
	if (r->apply) {
		struct apply_count c = apply_count(r->apply);

		r->h.created = c.created;
		r->h.changed = c.changed;
		r->h.deleted = c.deleted;
		r->h.unchanged = c.unchanged + (r->plan ? r->plan->counts.none : 0);
		r->h.requests = c.requests;
		r->h.writes = c.writes;
	}
	r->h.outcome = outcome;
	r->h.took = clock_now(s->loop) - r->started_mono;
	e = store_sync_end(s->store, &r->h);
	if (e) {
		log_error(s->log, "storage", "error", first_line(r->arena, e).p);
		err_free(e);
	}
	r->row = false;
}

static void begin_row(struct run *r)
{
	struct sync *s = r->app->s;
	struct err *e;

	if (r->row || r->dry)
		return;
	r->h = (struct store_sync){.app = str_from(r->app->name),
				   .source = str_from(r->app->source->name),
				   .revision = str_from(r->rev),
				   .from = r->from[0] ? str_from(r->from) : STR_NONE,
				   .outcome = STORE_RUNNING,
				   .started = r->started,
				   .by = str_from(r->by),
				   .plan = r->plan ? r->plan->id : STR_NONE};
	e = store_sync_begin(s->store, &r->h);
	if (e) {
		log_error(s->log, "storage", "error", first_line(r->arena, e).p);
		err_free(e);
		return;
	}
	r->row = true;
}

void run_drop(struct run *r, enum store_outcome outcome)
{
	if (!r)
		return;
	if (r->apply)
		apply_stop(r->apply);
	end_row(r, outcome);
	if (!r->dry && r->app->run == r)
		r->app->run = NULL;
	run_free(r);
}

/* {"object":…,"reason":…,"message":…} of what failed first. */
static str cause_json(struct run *r, const struct apply_step *st, str reason, str message)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_char(&b, '{');
	if (st) {
		buf_str(&b, STR("\"object\":"));
		show_object(&b, st->step->id, st->step->version, st->step->uid);
		buf_char(&b, ',');
		if (st->health.state != HEALTH_UNKNOWN)
			buf_printf(&b, "\"health\":\"" STR_FMT "\",",
				   STR_ARG(health_state_name(st->health.state)));
	}
	buf_str(&b, STR("\"reason\":"));
	buf_json(&b, reason);
	buf_str(&b, STR(",\"message\":"));
	buf_json(&b, message);
	if (st && st->step->want) {
		buf_str(&b, STR(",\"origin\":{\"file\":"));
		buf_json(&b, st->step->want->file);
		buf_printf(&b, ",\"line\":%u}", st->step->want->line);
	}
	buf_char(&b, '}');
	return arena_str(r->arena, buf_view(&b));
}

/* The sync of this revision failed: told, and tried again later. */
static void fail(struct run *r, str reason, str message, const struct apply_step *st)
{
	struct app_run *a = r->app;
	struct sync *s = a->s;
	str cause = cause_json(r, st, reason, message);
	struct node_pairs more = {0};
	struct tell t = {.kind = EVENT_SYNC_FAILED, .severity = -1};

	begin_row(r);
	r->h.first_cause = cause;
	end_row(r, STORE_FAILED);
	text_set(&a->first_cause, cause);
	node_pairs_add(r->arena, &more, STR("firstCause"), json_read(r->arena, cause));
	t.app = str_from(a->name);
	t.revision = str_from(r->rev);
	t.message =
		st ? arena_printf(r->arena, STR_FMT ": " STR_FMT,
				  STR_ARG(obj_id_label(r->arena, st->step->id)), STR_ARG(message))
		   : message;
	t.release =
		arena_printf(r->arena, "git revert " STR_FMT, STR_ARG(short_id(str_from(r->rev))));
	t.more = more.p;
	t.more_n = more.n;
	t.notes = a->doc->notes;
	tell(s, &t);
	metric_add(s->metrics, METRIC_SYNCS, 1, LABELS(a->name, "failed"));
	hex_set(a->tried, str_from(r->rev));
	app_set_state(a, APP_FAILED, arena_str(r->arena, reason).p,
		      arena_str(r->arena, t.message).p, t.release.p);
	a->fails++;
	app_rest(a, true);
	if (a->run == r)
		a->run = NULL;
	run_free(r);
	sync_changed(s);
}

/* Takes e. */
static enum step_answer fail_err(struct run *r, struct err *e)
{
	if (r->dry) {
		void (*done)(void *, struct run *, struct err *) = r->done;

		done(r->arg, r, e);
		run_free(r);
		return END;
	}
	str reason = str_from(err_code_name(err_code(e)));
	CLEANUP(buf) struct buf b = BUF_INIT;
	str line = first_line(r->arena, e);

	err_print(e, &b);
	log_error(r->app->s->log, "sync.error", "app", r->app->name, "error", line.p);
	err_free(e);
	fail(r, reason, line, NULL);
	return END;
}

/* ------------------------------------------------------------------ render */

void run_rendered(struct run *r, struct err *e)
{
	if (e) {
		/* The object store may have been lost with the state directory: it is fetched
		 * again. */
		if (err_code(e) == ERR_NOT_FOUND && !r->dry)
			source_lost(r->app->source, str_from(r->rev));
		fail_err(r, e);
		return;
	}
	r->started_step = true;
	r->step = RUN_know;
	r->started_step = false;
	run_go(r);
}

static enum step_answer step_render(struct run *r)
{
	struct err *e;

	if (r->new)
		return NEXT;
	if (r->job)
		return WAIT;
	e = render_start(r);
	return e ? fail_err(r, e) : WAIT;
}

/* ------------------------------------------------------------------ know */

static enum step_answer step_know(struct run *r)
{
	struct app_run *a = r->app;
	struct err *e = NULL;

	if (!a->place || a->place->step != PLACE_READY || !a->inv)
		return WAIT; /* app_place_ready */
	if (a->other_cluster && !r->dry)
		return WAIT;
	if (r->gather)
		e = render_finish(r);
	if (!e && !r->dry)
		e = app_restore(a, r->new);
	if (e)
		return fail_err(r, e);
	rendered(r);
	return a->complete ? NEXT : WAIT; /* app_live_complete */
}

/* ------------------------------------------------------------------ look */

struct sight {
	obj_id id;
	enum plan_sight sight;
	str uid, failure;
	const struct node *live, *applied;
};

static struct sight *sight_find(const struct run *r, obj_id id)
{
	if (!r->sight_index_cap)
		return NULL;
	for (size_t h = obj_id_hash(id) & (r->sight_index_cap - 1);;
	     h = (h + 1) & (r->sight_index_cap - 1)) {
		uint32_t i = r->sight_index[h];

		if (!i)
			return NULL;
		if (obj_id_eq(r->sights[i - 1].id, id))
			return &r->sights[i - 1];
	}
}

static void sight_index(struct run *r, size_t i)
{
	size_t h = obj_id_hash(r->sights[i].id) & (r->sight_index_cap - 1);

	while (r->sight_index[h])
		h = (h + 1) & (r->sight_index_cap - 1);
	r->sight_index[h] = (uint32_t)i + 1;
}

static struct sight *sight_get(struct run *r, obj_id id)
{
	struct sight *s = sight_find(r, id);
	struct {
		struct sight *p;
		size_t n, cap;
	} v = {r->sights, r->sights_n, r->sights_cap};

	if (s)
		return s;
	*ARENA_PUSH(r->arena, &v) = (struct sight){.id = obj_id_dup(r->arena, id)};
	r->sights = v.p;
	r->sights_n = v.n;
	r->sights_cap = v.cap;
	if (2 * r->sights_n >= r->sight_index_cap) {
		r->sight_index_cap = r->sight_index_cap ? 4 * r->sight_index_cap : 64;
		r->sight_index = ARENA_ARRAY(r->arena, uint32_t, r->sight_index_cap);
		for (size_t i = 0; i < r->sights_n; i++)
			sight_index(r, i);
	} else {
		sight_index(r, r->sights_n - 1);
	}
	return &r->sights[r->sights_n - 1];
}

/* A tree of our own: the target's ends with its callback. */
static const struct node *own_tree(struct run *r, const struct node *n)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!n)
		return NULL;
	node_json(n, NODE_JSON_COMPACT, &b);
	return json_read(r->arena, buf_view(&b));
}

/* What is known of one identity: what live remembers, and what the target answered to this run. */
static void look_of(void *arg, obj_id id, struct plan_object *ret)
{
	struct run *r = arg;
	struct app_run *a = r->app;
	struct sync *s = a->s;
	const struct sight *seen = sight_find(r, id);
	const struct want *w = wants_get(r->new->wants, id);
	const struct inv_entry *inv = inventory_get(a->inv, id);
	struct live_state st;

	if (live_state(a->live, id, &st)) {
		ret->sent = st.has_baseline;
		ret->digest = st.applied;
		ret->in_sync = st.in_sync && !r->force;
		ret->uid = st.uid;
	}
	if (seen) {
		ret->sight = seen->sight;
		ret->live = seen->live;
		ret->applied = seen->applied;
		ret->failure = seen->failure;
		if (seen->uid.n)
			ret->uid = seen->uid;
	}
	ret->added_since = r->returning && inv && !w;
	if (inv && w)
		return;
	/* New here, or gone from here: does another App of this place say anything to it? */
	for (size_t i = 0; i < s->apps.n; i++) {
		struct app_run *o = s->apps.p[i];
		const struct rendering *x;

		if (o == a || o->place != a->place)
			continue;
		x = o->run && o->run->new ? o->run->new : o->now;
		if (x && wants_get(x->wants, id))
			ret->wanted_by = str_from(o->name);
		if (o->inv && inventory_get(o->inv, id)) {
			ret->owned_by = str_from(o->name);
			ret->owned_origin = inventory_get(o->inv, id)->origin;
		}
	}
}

static struct plan_in plan_in_of(struct run *r, str approved)
{
	struct app_run *a = r->app;

	return (struct plan_in){.app = a->doc,
				.name = str_from(a->name),
				.instance = str_from(a->s->instance),
				.wants = r->new->wants,
				.inventory = a->inv,
				.before = a->now ? a->now->wants : NULL,
				.look = {.arg = r, .of = look_of},
				.marks = target_marks(a->place->target),
				.from = str_from(r->from),
				.to = str_from(r->rev),
				.approved = approved,
				.heal = r->force && !r->dry && a->doc->drift_mode == DRIFT_HEAL,
				.now = clock_wall(a->s->loop)};
}

static void ask_round(struct run *r);

static void on_looked(void *arg, const struct target_live *p, size_t n, struct err *e)
{
	struct run *r = arg;

	r->call = NULL;
	if (e) {
		fail_err(r, e);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct sight *s = sight_get(r, p[i].id);

		s->sight = p[i].failed      ? PLAN_FAILED
			   : !p[i].root     ? PLAN_ABSENT
			   : p[i].meta_only ? PLAN_META
					    : PLAN_SEEN;
		s->uid = arena_str(r->arena, p[i].uid);
		s->live = own_tree(r, p[i].root);
		s->applied = own_tree(r, p[i].applied);
		s->failure = p[i].failed ? STR("it could not be read") : STR_NONE;
	}
	ask_round(r);
}

/* Asks of one kind (metadata alone, or whole) at a time. */
static void ask_round(struct run *r)
{
	struct app_run *a = r->app;
	struct plan_in in = plan_in_of(r, STR_NONE);
	struct plan_asks asks = {0};
	struct target_want_live *ids;
	size_t n = 0;
	bool meta = false;

	plan_asks(r->arena, &in, &asks);
	for (size_t i = 0; i < asks.n; i++)
		meta |= asks.p[i].meta;
	ids = ARENA_ARRAY(r->arena, struct target_want_live, asks.n + 1);
	for (size_t i = 0; i < asks.n; i++)
		if (asks.p[i].meta == meta)
			ids[n++] = (struct target_want_live){asks.p[i].id, asks.p[i].version,
							     str_from(a->name)};
	if (!n || ++r->rounds > 8) {
		r->step = RUN_plan;
		r->started_step = false;
		run_go(r);
		return;
	}
	target_get(a->place->target, ids, n, meta, on_looked, r, &r->call);
}

static void start_look(void *arg)
{
	struct run *r = arg;

	r->timer = NULL;
	ask_round(r);
}

static enum step_answer step_look(struct run *r)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	struct sync *s = r->app->s;

	if (r->started_step || r->look_waits)
		return WAIT;
	r->look_waits = others_render(r);
	if (r->look_waits)
		return WAIT;
	r->started_step = true;
	if (r->new->rev[0] && r->from[0]) {
		str tree = hash_hex(scratch, r->new->tree);
		str key = arena_printf(scratch, "%s/" STR_FMT, r->app->name, STR_ARG(tree));
		str v, last = STR_NONE;
		struct err *e = store_get(s->store, scratch, STR("tree"), key, &v);

		if (!e)
			e = store_get(s->store, scratch, STR("tree"), str_from(r->app->name),
				      &last);
		/* The tree that was applied last is no return: a restart, or drift. */
		r->returning = !e && v.p && !str_eq(last, tree);
		err_free(e);
	}
	r->timer = timer_start(s->loop, 0, start_look, r);
	return WAIT;
}

/* ------------------------------------------------------------------ plan */

static const char *waits_json(struct run *r, const struct plan *p)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < p->waiting_n; i++)
		buf_printf(&b, "%s" STR_FMT, i ? ", " : "", STR_ARG(p->waiting[i].message));
	return arena_str(r->arena, buf_view(&b)).p;
}

static str approved_of(struct run *r)
{
	str v = STR_NONE;

	err_free(store_get(r->app->s->store, r->arena, STR("approve"), str_from(r->app->name), &v));
	return v;
}

/* Read, not written: what stands there is what we want, and now that is remembered. */
static struct err *rebaseline(struct run *r)
{
	for (size_t i = 0; i < r->plan->n; i++) {
		const struct plan_step *st = &r->plan->steps[i];
		const struct sight *seen;
		struct target_live now;

		if (st->action != PLAN_NONE || !st->want || st->left)
			continue;
		seen = sight_find(r, st->id);
		if (!seen || seen->sight != PLAN_SEEN)
			continue;
		now = (struct target_live){.id = st->id,
					   .version = st->version,
					   .uid = seen->uid,
					   .root = seen->live,
					   .applied = seen->applied};
		TRY(live_sent(r->app->live, st->want, &now, str_from(r->rev)));
	}
	return NULL;
}

static void progress_plan(struct run *r)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct store_commit c = {0};
	struct sync *s = r->app->s;

	if (!s->listeners.n)
		return;
	err_free(store_commit_get(s->store, a, str_from(r->app->source->name), str_from(r->rev),
				  &c));
	if (c.oid.p) {
		buf_str(&b, STR(",\"subject\":"));
		buf_json(&b, c.subject);
		if (c.signer.n) {
			buf_str(&b, STR(",\"signer\":"));
			buf_json(&b, c.signer);
		}
	}
	buf_printf(&b, ",\"objects\":%zu,\"changes\":%zu,\"waves\":%zu", r->new->wants->n,
		   r->plan->n - r->plan->counts.none, r->plan->waves);
	tell_progress(r->app, r, "plan", buf_view(&b));
}

/* What is wanted from here on; the rendering is stored once for each revision that changed
 * something. */
static struct err *in_force(struct run *r)
{
	struct app_run *a = r->app;
	struct err *e = NULL;
	bool has = false;

	if (!hash_eq(&a->stored, &r->new->tree) && !a->going) {
		e = store_render_has(a->s->store, str_from(a->name), str_from(r->rev), &has);
		if (!e && !has)
			e = rendering_store(a->s, str_from(a->name), r->new);
	}
	if (e)
		return e;
	a->stored = r->new->tree;
	live_app_expect(a->live, r->new->wants, str_from(r->rev));
	if (a->now != r->new) {
		rendering_put(a->now);
		a->now = rendering_get(r->new);
	}
	hex_set(a->rev, str_from(r->rev));
	return NULL;
}

static enum step_answer step_plan(struct run *r)
{
	struct app_run *a = r->app;
	struct plan_in in = plan_in_of(r, r->dry ? STR_NONE : approved_of(r));
	struct err *e = plan_build(r->arena, &in, &r->plan);

	if (!e && a->going && r->plan->waiting_n) {
		/* The document that asked for all this to go is the consent. */
		in.approved = r->plan->id;
		e = plan_build(r->arena, &in, &r->plan);
	}
	if (e)
		return fail_err(r, e);
	if (r->dry) {
		r->done(r->arg, r, NULL);
		run_free(r);
		return END;
	}
	past_plan(r);
	r->was_drifted = ARENA_ARRAY(r->arena, bool, r->plan->n + 1);
	for (size_t i = 0; i < r->plan->n; i++) {
		struct live_state st;

		r->was_drifted[i] =
			live_state(a->live, r->plan->steps[i].id, &st) && st.drift_fields;
	}
	if (!a->now || r->plan->counts.writes || r->plan->waiting_n || !r->plan->empty)
		progress_plan(r);
	e = in_force(r);
	if (!e)
		e = rebaseline(r);
	if (e)
		return fail_err(r, e);
	return NEXT;
}

/* ------------------------------------------------------------------ depend */

static enum step_answer step_depend(struct run *r)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	str why = STR_NONE;

	if (r->plan->empty || !r->app->doc->depends_on.n)
		return NEXT;
	if (r->call || r->timer)
		return WAIT;
	if (app_depends_ready(r->app, r, &why, scratch))
		return NEXT;
	if (r->app->state != APP_PROGRESSING || !r->app->message ||
	    !str_eq(str_from(r->app->message), why))
		app_set_state(r->app, APP_PROGRESSING, "dependency", why.p, NULL);
	return WAIT; /* looked at again when something changed, or the look at an object ends */
}

/* ------------------------------------------------------------------ apply */

static const char *result_word(enum apply_result x)
{
	switch (x) {
	case APPLY_CREATED:
		return "created";
	case APPLY_CHANGED:
		return "changed";
	case APPLY_UNCHANGED:
		return "unchanged";
	case APPLY_DELETED:
		return "deleted";
	case APPLY_KEPT:
		return "kept";
	case APPLY_FAILED:
		return "failed";
	case APPLY_BLOCKED:
		return "blocked";
	case APPLY_TIMEOUT:
		return "timeout";
	case APPLY_SKIPPED:
		return "skipped";
	}
	return "";
}

static struct err *on_journal(void *arg, size_t wave, size_t waves,
			      const struct plan_step *const *steps, size_t n)
{
	struct run *r = arg;
	struct sync *s = r->app->s;
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct store_wave w = {.app = str_from(r->app->name),
			       .plan = r->plan->id,
			       .revision = str_from(r->rev),
			       .wave = (uint32_t)wave,
			       .at = clock_wall(s->loop)};

	(void)waves;
	buf_char(&b, '[');
	for (size_t i = 0; i < n; i++) {
		buf_str(&b, i ? STR(",[") : STR("["));
		buf_json(&b, plan_action_name(steps[i]->action));
		buf_char(&b, ',');
		buf_json(&b, obj_id_text(a, steps[i]->id));
		buf_char(&b, ']');
	}
	buf_char(&b, ']');
	w.steps = buf_view(&b);
	end_journal(r);
	return store_journal_begin(s->store, &w, &r->journal);
}

static void on_step(void *arg, const struct apply_step *st)
{
	struct run *r = arg;
	CLEANUP(buf) struct buf b = BUF_INIT;
	const struct plan_step *p = st->step;
	const char *word = result_word(st->result);
	bool waits = r->app->doc->health_wait && target_tells_health(r->app->place->target) &&
		     (st->result == APPLY_CREATED || st->result == APPLY_CHANGED);

	if (!r->app->s->listeners.n)
		return;
	if (waits && st->health.state == HEALTH_HEALTHY)
		word = "healthy";
	buf_printf(&b, ",\"wave\":%zu,\"waves\":%zu,\"object\":", p->wave + 1,
		   r->plan->waves + r->plan->delete_waves);
	show_object(&b, p->id, p->version, p->uid);
	buf_printf(&b, ",\"action\":\"" STR_FMT "\",\"result\":\"%s\"",
		   STR_ARG(plan_action_name(p->action)), word);
	if (!waits)
		buf_str(&b, STR(",\"final\":true"));
	if (st->err) {
		buf_str(&b, STR(",\"message\":"));
		buf_json(&b, err_message(st->err));
	} else if (st->blocked_by.n) {
		buf_str(&b, STR(",\"message\":"));
		buf_json(&b, st->blocked_by);
	} else if (st->health.message.n) {
		buf_str(&b, STR(",\"message\":"));
		buf_json(&b, st->health.message);
	}
	buf_printf(&b, ",\"took\":%.3f",
		   (double)(clock_now(r->app->s->loop) - r->started_mono) / 1000);
	tell_progress(r->app, r, p->want ? "apply" : "prune", buf_view(&b));
}

static void on_wave(void *arg, size_t wave, size_t waves)
{
	(void)arg;
	(void)wave;
	(void)waves;
}

static void on_ready_to_prune(void *arg)
{
	struct run *r = arg;

	if (!r->rollout || !r->rollout->unplanned) {
		apply_prune(r->apply);
		return;
	}
	r->prune_waits = true;
	LIST_ADD(&r->rollout->runs, r);
}

static void on_recorded(void *arg, struct err *e);

static void put_record(struct run *r, bool ok)
{
	struct app_run *a = r->app;
	msec now = clock_wall(a->s->loop);
	struct target_record rec = {.app = str_from(a->name),
				    .source = str_from(a->source->name),
				    .ref = a->source->trust.ref,
				    .accepted = a->source->trust.accepted_oid,
				    .generation = a->source->trust.generation,
				    .policy = a->source->trust.policy_digest,
				    .applied = str_from(r->rev),
				    .applied_at = now,
				    .holder = str_from(a->s->holder)};

	if (ok) {
		rec.healthy = str_from(r->rev);
		rec.healthy_at = now;
	} else {
		rec.healthy = str_from(a->healthy);
		rec.healthy_at = a->healthy_at;
	}
	target_record_put(a->place->target, &rec, on_recorded, r, &r->call);
}

/* Out of apply's own callback: it may be freed now. */
static void applied(void *arg)
{
	struct run *r = arg;
	struct app_run *a = r->app;
	const struct apply_step *first = r->first;
	bool ok = r->ok;

	r->timer = NULL;
	end_journal(r);
	hex_set(a->synced, str_from(r->rev));
	a->synced_at = clock_wall(a->s->loop);
	if (!ok && first) {
		str reason = first->err ? str_from(err_code_name(err_code(first->err)))
			     : first->health.reason.n ? first->health.reason
						      : STR("Timeout");
		str message =
			first->err ? arena_str(r->arena, err_message(first->err))
			: first->result == APPLY_FAILED && first->health.message.n
				? arena_str(r->arena, first->health.message)
			: first->health.message.n
				? arena_printf(r->arena, STR_FMT " (not healthy after %s)",
					       STR_ARG(first->health.message),
					       duration_short(r->arena, first->step->timeout).p)
				: arena_printf(r->arena, "not healthy after %s",
					       duration_short(r->arena, first->step->timeout).p);

		fail(r, arena_str(r->arena, reason), message, first);
		return;
	}
	if (!ok) {
		fail(r, STR("Failed"), STR("the sync did not come to its end"), NULL);
		return;
	}
	put_record(r, true);
}

static void on_applied(void *arg, bool ok, const struct apply_step *first)
{
	struct run *r = arg;

	r->ok = ok;
	r->first = first;
	r->timer = timer_start(r->app->s->loop, 0, applied, r);
}

static enum step_answer wait_for_person(struct run *r)
{
	struct app_run *a = r->app;
	const struct plan *p = r->plan;
	struct node_pairs more = {0};
	struct node_items gone = {0};
	struct tell t = {.kind = EVENT_SYNC_WAITING, .severity = -1};
	bool news = a->state != APP_WAITING || !str_eq(str_from(a->plan_id), p->id);
	str reason = plan_reason_name(p->waiting[0].reason);

	for (size_t i = 0; i < p->n; i++)
		if (p->steps[i].action == PLAN_DELETE && gone.n < 100)
			*ARENA_PUSH(r->arena, &gone) =
				node_new_str(r->arena, obj_id_label(r->arena, p->steps[i].id));
	node_pairs_add(r->arena, &more, STR("reason"), node_new_str(r->arena, reason));
	node_pairs_add(r->arena, &more, STR("plan"), node_new_str(r->arena, str_sub(p->id, 0, 12)));
	node_pairs_add(r->arena, &more, STR("deletions"), node_new_list(r->arena, gone.p, gone.n));
	t.app = str_from(a->name);
	t.revision = str_from(r->rev);
	t.message = str_from(waits_json(r, p));
	t.release = arena_printf(r->arena, "leeboard approve %s --plan " STR_FMT, a->name,
				 STR_ARG(str_sub(p->id, 0, 12)));
	t.more = more.p;
	t.more_n = more.n;
	t.notes = a->doc->notes;
	if (news && a->state == APP_WAITING) {
		struct tell over = {.kind = EVENT_SYNC_RELEASED,
				    .severity = -1,
				    .app = t.app,
				    .revision = t.revision,
				    .message = STR("another plan took its place")};

		tell(a->s, &over);
	}
	snprintf(a->plan_id, sizeof(a->plan_id), STR_FMT, STR_ARG(p->id));
	if (news) {
		begin_row(r);
		end_row(r, STORE_WAITING);
	}
	if (a->state == APP_FAILED) {
		struct tell over = {.kind = EVENT_SYNC_RECOVERED,
				    .severity = -1,
				    .app = t.app,
				    .revision = t.revision,
				    .message = STR("what is left waits for a person")};

		tell(a->s, &over);
	}
	tell(a->s, &t);
	a->fails = 0;
	app_set_state(a, APP_WAITING, arena_str(r->arena, reason).p, t.message.p, t.release.p);
	app_rest(a, false);
	a->run = NULL;
	run_free(r);
	sync_changed(a->s);
	return END;
}

static enum step_answer step_apply(struct run *r)
{
	struct app_run *a = r->app;
	struct sync *s = a->s;
	const struct plan *p = r->plan;
	struct apply_opts o = {.loop = s->loop,
			       .app = a->live,
			       .plan = p,
			       .wants = r->new->wants,
			       .inventory = a->inv,
			       .inventory_arena = a->inv_arena,
			       .prune = true,
			       .wait_health = a->doc->health_wait,
			       .revision = str_from(r->rev)};
	struct apply_calls calls = {.arg = r,
				    .journal = on_journal,
				    .step = on_step,
				    .wave = on_wave,
				    .ready_to_prune = on_ready_to_prune,
				    .done = on_applied};
	struct err *e;

	if (r->started_step)
		return WAIT;
	if (a->suspended) {
		app_set_suspended(a);
		a->run = NULL;
		run_free(r);
		sync_changed(s);
		return END;
	}
	if (p->empty && !p->counts.refused)
		return NEXT;
	if (s->shadow || s->config->daemon.mode == 1) {
		app_set_state(
			a, APP_WAITING, "shadow",
			arena_printf(r->arena, "shadow: %zu writes were not made", p->counts.writes)
				.p,
			NULL);
		a->run = NULL;
		app_rest(a, false);
		run_free(r);
		sync_changed(s);
		return END;
	}
	if (!p->counts.writes && !p->counts.refused && p->waiting_n)
		return wait_for_person(r);
	r->started_step = true;
	begin_row(r);
	r->h.plan = p->id;
	{
		CLEANUP(buf) struct buf b = BUF_INIT;
		str *ids = ARENA_ARRAY(r->arena, str, p->n + 1);

		plan_json(p, str_from(s->instance), r->started, &b);
		r->h.detail = arena_str(r->arena, buf_view(&b));
		for (size_t i = 0; i < p->n; i++)
			if (p->steps[i].action != PLAN_NONE)
				ids[r->h.objects_n++] = obj_id_text(r->arena, p->steps[i].id);
		r->h.objects = ids;
	}
	if (a->state != APP_PROGRESSING)
		app_set_state(a, APP_PROGRESSING, NULL, NULL, NULL);
	{
		struct tell t = {.kind = EVENT_SYNC_STARTED,
				 .severity = -1,
				 .app = str_from(a->name),
				 .revision = str_from(r->rev),
				 .message = arena_printf(
					 r->arena, "%zu write%s, %zu deletion%s", p->counts.writes,
					 p->counts.writes == 1 ? "" : "s", p->counts.delete,
					 p->counts.delete == 1 ? "" : "s")};

		tell(s, &t);
	}
	e = apply_start(&o, &calls, &r->apply);
	return e ? fail_err(r, e) : WAIT;
}

/* ------------------------------------------------------------------ record */

/* What was told of an object and is over with this sync: its drift was overwritten, Git says now
 * what live says, or the object is no more ours. Said only where it was told. */
static void tell_drift_over(struct run *r)
{
	struct app_run *a = r->app;

	for (size_t i = 0; i < r->plan->n; i++) {
		const struct plan_step *st = &r->plan->steps[i];
		struct live_state now;
		struct tell t = {.severity = -1,
				 .app = str_from(a->name),
				 .revision = str_from(r->rev),
				 .object = &st->id,
				 .object_version = st->version};

		if (!st->want) {
			t.kind = EVENT_DRIFT_GONE;
			t.message = STR("the object left Git");
			tell(a->s, &t);
			t.kind = EVENT_HEALTH_RECOVERED;
			tell(a->s, &t);
			continue;
		}
		if (!r->was_drifted[i] || (live_state(a->live, st->id, &now) && now.drift_fields))
			continue;
		t.kind = st->drifted ? EVENT_DRIFT_OVERWRITTEN : EVENT_DRIFT_ADOPTED;
		t.message = st->drifted ? STR("a sync restored what had drifted")
					: STR("Git says now what live says");
		tell(a->s, &t);
	}
}

static const struct node *changes_node(struct run *r)
{
	struct node_items items = {0};

	for (size_t i = 0; i < r->plan->n && items.n < 10; i++) {
		const struct plan_step *st = &r->plan->steps[i];

		for (size_t k = 0; k < st->fields_n && items.n < 10; k++) {
			const struct plan_field *f = &st->fields[k];
			struct node_pairs m = {0};

			if (!diff_class_written(f->class))
				continue;
			node_pairs_add(r->arena, &m, STR("object"),
				       node_new_str(r->arena, obj_id_label(r->arena, st->id)));
			node_pairs_add(r->arena, &m, STR("path"), node_new_str(r->arena, f->path));
			if (f->live && !f->redacted)
				node_pairs_add(r->arena, &m, STR("from"), f->live);
			if (f->git && !f->redacted)
				node_pairs_add(r->arena, &m, STR("to"), f->git);
			*ARENA_PUSH(r->arena, &items) = node_new_map(r->arena, m.p, m.n);
		}
	}
	return node_new_list(r->arena, items.p, items.n);
}

static void tell_finished(struct run *r, const struct apply_count *c)
{
	struct app_run *a = r->app;
	struct sync *s = a->s;
	struct node_pairs more = {0}, counts = {0};
	struct node_items gone = {0};
	msec took = clock_now(s->loop) - r->started_mono;
	bool sees = target_tells_health(a->place->target);
	struct tell t = {.kind = r->returning ? EVENT_SYNC_ROLLEDBACK : EVENT_SYNC_FINISHED,
			 .severity = -1,
			 .app = str_from(a->name),
			 .revision = str_from(r->rev)};

	node_pairs_add(r->arena, &counts, STR("created"),
		       node_new_int(r->arena, (int64_t)c->created));
	node_pairs_add(r->arena, &counts, STR("changed"),
		       node_new_int(r->arena, (int64_t)c->changed));
	node_pairs_add(r->arena, &counts, STR("deleted"),
		       node_new_int(r->arena, (int64_t)c->deleted));
	for (size_t i = 0; i < r->plan->n && gone.n < 10; i++)
		if (r->plan->steps[i].action == PLAN_DELETE)
			*ARENA_PUSH(r->arena, &gone) = node_new_str(
				r->arena, obj_id_label(r->arena, r->plan->steps[i].id));
	node_pairs_add(r->arena, &more, STR("counts"), node_new_map(r->arena, counts.p, counts.n));
	node_pairs_add(r->arena, &more, STR("changes"), changes_node(r));
	node_pairs_add(r->arena, &more, STR("deleted"), node_new_list(r->arena, gone.p, gone.n));
	node_pairs_add(r->arena, &more, STR("took"),
		       node_new_scalar(r->arena, NODE_FLOAT, NODE_PLAIN,
				       arena_printf(r->arena, "%.3f", (double)took / 1000)));
	if (r->returning) {
		node_pairs_add(r->arena, &more, STR("from"),
			       node_new_str(r->arena, str_from(r->from)));
		node_pairs_add(r->arena, &more, STR("to"),
			       node_new_str(r->arena, str_from(r->rev)));
		node_pairs_add(r->arena, &more, STR("by"), node_new_str(r->arena, STR("revert")));
	}
	t.message = arena_printf(r->arena, "%s%zu changed, %zu created, %zu deleted in %s, %s",
				 r->returning ? "back to an earlier state: " : "", c->changed,
				 c->created, c->deleted, duration_format(r->arena, took).p,
				 sees ? "healthy" : "health not seen");
	t.more = more.p;
	t.more_n = more.n;
	t.notes = a->doc->notes;
	tell(s, &t);
}

static void finish(struct run *r)
{
	struct app_run *a = r->app;
	struct sync *s = a->s;

	if (a->going) {
		end_row(r, STORE_HEALTHY);
		a->run = NULL;
		run_free(r);
		app_gone(a);
		return;
	}
	struct apply_count c = {0};
	struct tell ok = {.kind = EVENT_SYNC_RECOVERED,
			  .severity = -1,
			  .app = str_from(a->name),
			  .revision = str_from(r->rev),
			  .message = STR("the sync succeeded")};
	bool waits = r->plan->waiting_n > 0;

	if (r->apply) {
		CLEANUP(arena) struct arena *scratch = arena_new();
		str hex = hash_hex(scratch, r->new->tree);
		str tree = arena_printf(scratch, "%s/" STR_FMT, a->name, STR_ARG(hex));

		c = apply_count(r->apply);
		if (c.created || c.changed || c.deleted)
			tell_finished(r, &c);
		if (!waits) {
			err_free(store_put(s->store, STR("tree"), tree, str_from(r->rev)));
			err_free(store_put(s->store, STR("tree"), str_from(a->name), hex));
		}
		metric_add(s->metrics, METRIC_SYNCS, 1, LABELS(a->name, "healthy"));
		metric_observe(s->metrics, METRIC_SYNC_SECONDS,
			       (double)(clock_now(s->loop) - r->started_mono) / 1000,
			       LABELS(a->name));
		end_row(r, r->returning ? STORE_ROLLEDBACK : STORE_HEALTHY);
	}
	tell_drift_over(r);
	tell(s, &ok);
	hex_set(a->synced, str_from(r->rev));
	if (!a->synced_at || r->apply)
		a->synced_at = clock_wall(s->loop);
	hex_set(a->healthy, str_from(r->rev));
	a->healthy_at = clock_wall(s->loop);
	a->fails = 0;
	text_set(&a->first_cause, STR_NONE);
	if (waits) {
		/* What need not wait went out: what is left is planned by itself, so that the plan
		 * that people see is the one that they approve. */
		a->again = true;
		a->again_by = "push";
	} else {
		struct tell over = {.kind = EVENT_SYNC_RELEASED,
				    .severity = -1,
				    .app = str_from(a->name),
				    .revision = str_from(r->rev),
				    .message = r->plan->approved ? STR("it was approved")
								 : STR("nothing waits any more")};

		tell(s, &over);
		err_free(store_del(s->store, STR("approve"), str_from(a->name)));
		a->plan_id[0] = 0;
		app_set_state(a, APP_SYNCED, NULL, NULL, NULL);
	}
	a->run = NULL;
	run_free(r);
	/* What a large sync took goes back to the system. */
	mem_trim();
	app_rest(a, false);
	app_heal_open(a);
	sync_changed(s);
}

static void on_recorded(void *arg, struct err *e)
{
	struct run *r = arg;

	r->call = NULL;
	if (e) {
		fail_err(r, e);
		return;
	}
	finish(r);
}

static enum step_answer step_record(struct run *r)
{
	struct app_run *a = r->app;
	const struct target_record *rec = place_record(a->place, str_from(a->name));

	/* Nothing was to do: written only where the target knows nothing of this App yet. */
	if (!rec && !a->synced[0]) {
		put_record(r, true);
		return WAIT;
	}
	finish(r);
	return END;
}

/* ------------------------------------------------------------------ the table */

void run_go(struct run *r)
{
	static enum step_answer (*const steps[])(struct run *) = {
#define X(name) step_##name,
		SYNC_STEPS(X)
#undef X
	};

	while (r->step != RUN_END) {
		switch (steps[r->step](r)) {
		case NEXT:
			r->step++;
			r->started_step = false;
			break;
		case WAIT:
		case END:
			return;
		}
	}
}
