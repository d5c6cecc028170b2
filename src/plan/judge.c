/* One object of the revision: whose it is, and what is to be done about it. */
#include "plan_priv.h"

struct plan_object look(const struct plan_in *in, obj_id id)
{
	struct plan_object k = {0};

	in->look.of(in->look.arg, id, &k);
	return k;
}

bool is_settled(const struct inv_entry *e, const struct plan_object *k, const struct want *w)
{
	return e && (e->state == INV_LIVE || e->state == INV_PENDING) && k->sent && k->in_sync &&
	       hash_eq(&k->digest, &w->digest);
}

void refuse(struct plan_step *s, enum err_code code, str message)
{
	s->action = PLAN_REFUSED;
	s->code = code;
	s->message = message;
}

/* Takes e. Its place, when it has one that people know; else the object's. */
static void refuse_err(struct arena *a, struct plan_step *s, struct err *e)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (const struct err *x = e; x; x = err_next(x)) {
		if (b.n)
			buf_str(&b, STR("; "));
		buf_str(&b, err_message(x));
	}
	refuse(s, err_code(e), arena_str(a, buf_view(&b)));
	err_free(e);
}

/* ------------------------------------------------------------------ whose is it */

/* What exists and is not ours by the inventory, or bears another's mark. */
enum claim judge_claim(struct arena *a, const struct plan_in *in, const struct inv_entry *e,
		       const struct plan_object *k, obj_id id, struct plan_step *s)
{
	struct owner o = owner_of(a, k->live, in->instance, in->name);
	bool listed = e && e->state != INV_PENDING;
	str label = obj_id_label(a, id);
	str other = o.kind == OWNER_OTHER_APP ? o.app : k->owned_by;

	/* Several Apps that want one object: whoever has it keeps it. */
	if (k->wanted_by.n && o.kind != OWNER_US && (!listed || o.kind == OWNER_OTHER_APP)) {
		refuse(s, ERR_OWNED_BY_OTHER,
		       arena_printf(a, STR_FMT " is wanted by App '" STR_FMT "' too",
				    STR_ARG(label), STR_ARG(k->wanted_by)));
		return CLAIM_REFUSED;
	}
	if (o.kind == OWNER_US)
		return e ? CLAIM_OURS : CLAIM_ADOPT;
	if (!in->marks && e && (listed || k->applied))
		return CLAIM_OURS;
	/* A mark that was only taken off is drift of an object that is the same as ever. */
	if (listed && o.kind == OWNER_NONE && (!e->uid.n || !k->uid.n || str_eq(e->uid, k->uid)))
		return CLAIM_OURS;
	if (o.kind != OWNER_OTHER && k->owned_by.n && !str_eq(k->owned_by, in->name)) {
		s->other = other;
		return CLAIM_TRANSFER;
	}
	/* Of an App of this instance that is no more: nobody's. */
	if (o.kind == OWNER_OTHER_APP && in->app->adopt != ADOPT_NEVER)
		return CLAIM_ADOPT;
	if (in->app->adopt == ADOPT_NEVER) {
		if (o.who.n)
			refuse(s, ERR_OWNED_BY_OTHER,
			       arena_printf(a,
					    STR_FMT " exists and belongs to " STR_FMT
						    ", and 'apply.adopt' is never",
					    STR_ARG(label), STR_ARG(o.who)));
		else
			refuse(s, ERR_CONFLICT,
			       arena_printf(a, STR_FMT " exists, and 'apply.adopt' is never",
					    STR_ARG(label)));
		return CLAIM_REFUSED;
	}
	if (o.kind == OWNER_OTHER && in->app->adopt != ADOPT_ALWAYS) {
		refuse(s, ERR_OWNED_BY_OTHER,
		       arena_printf(a, STR_FMT " belongs to " STR_FMT "%s", STR_ARG(label),
				    STR_ARG(o.who),
				    o.controller ? ", which makes it again"
						 : ": 'apply: {adopt: always}' takes it over"));
		return CLAIM_REFUSED;
	}
	return CLAIM_ADOPT;
}

/* ------------------------------------------------------------------ what is done */

static void none(struct plan_step *s, str why)
{
	s->action = PLAN_NONE;
	s->left = true;
	s->why = why;
}

static str until(struct arena *a, const struct words *x)
{
	str when = x->hold == INT64_MAX ? STR("further notice") : time_rfc3339(a, x->hold, false);

	return arena_printf(a, "held until " STR_FMT "%s" STR_FMT, STR_ARG(when),
			    x->hold_reason.n ? ": " : "", STR_ARG(x->hold_reason));
}

static void recreate(struct building *b, const struct words *x, str field, struct plan_step *s)
{
	bool own = str_starts(x->recreate_by, STR("leeboard.dev/"));
	bool consent = x->recreate == RECREATE_ALWAYS || x->recreate == RECREATE_IF_FIXED;

	s->action = PLAN_RECREATE;
	s->why = field.n ? arena_printf(b->a, STR_FMT " cannot be changed", STR_ARG(field))
			 : arena_printf(b->a, STR_FMT, STR_ARG(x->recreate_by));
	if (consent && (own || !fixed_needs_own_word(s->id)))
		return;
	s->waits |= PLAN_NEEDS_RECREATE;
	wait_for(b, PLAN_NEEDS_RECREATE, obj_id_label(b->a, s->id));
}

static void existing(struct building *b, const struct want *w, const struct inv_entry *e,
		     const struct plan_object *k, const struct object *o, const struct words *x,
		     struct plan_step *s)
{
	const struct plan_in *in = b->in;
	enum claim claim = judge_claim(b->a, in, e, k, w->id, s);
	int mode = in->heal ? DRIFT_HEAL : x->drift >= 0 ? x->drift : in->app->drift_mode;
	const struct node *d = compared(b, o, o->root);
	struct compare c = {.writes = false};
	str ends = node_get_text(node_at(k->live, "metadata", NULL), STR("deletionTimestamp"));

	if (claim == CLAIM_REFUSED)
		return;
	if (x->apply == APPLY_IF_ABSENT) {
		none(s, x->apply_by);
		return;
	}
	if (in->marks && ends.n) {
		refuse(s, ERR_FINALIZER,
		       arena_printf(b->a,
				    STR_FMT " is being deleted since " STR_FMT
					    ": it is made again when it is gone",
				    STR_ARG(obj_id_label(b->a, w->id)), STR_ARG(ends)));
		return;
	}
	if (!d && claim == CLAIM_OURS) {
		none(s, STR("nothing of it is compared: 'drift.ignore'"));
		return;
	}

	struct err *bad = compare(b, w, k, o, d ? d : o->root, claim == CLAIM_OURS, &c);

	if (bad) {
		refuse_err(b->a, s, bad);
		return;
	}
	show_fields(b, w, &c, s);
	s->live = k->live;
	s->force = true;
	s->drifted = c.drift && claim == CLAIM_OURS;
	s->origin = e && e->state != INV_PENDING ? e->origin : INV_ADOPTED;
	switch (claim) {
	case CLAIM_ADOPT:
		s->action = PLAN_ADOPT;
		break;
	case CLAIM_TRANSFER:
		s->action = PLAN_TRANSFER;
		/* Made by one App of this instance it is made by us. */
		if (k->owned_origin)
			s->origin = k->owned_origin;
		break;
	case CLAIM_OURS:
		/* It had left Git: it is written, so that the inventory has it as live again. */
		if (e && (e->state == INV_KEPT || e->state == INV_DELETING)) {
			s->action = PLAN_CHANGE;
			s->drifted = false;
			s->why = STR("it is in Git again");
			break;
		}
		s->action = c.writes || (c.touches && !c.same_want) ? PLAN_CHANGE : PLAN_NONE;
		/* Git wants what it wanted: all that differs is drift, and whose it is to mend. */
		if (s->action == PLAN_CHANGE && c.same_want && mode != DRIFT_HEAL)
			none(s, mode == DRIFT_IGNORE
					? STR("drift is ignored")
					: STR("drift is left: 'drift.mode' is detect"));
		break;
	case CLAIM_REFUSED:
		break;
	}
	if (s->action == PLAN_NONE) {
		s->live = NULL;
		return;
	}
	if (in->now && x->hold > in->now) {
		none(s, until(b->a, x));
		return;
	}
	if (in->marks && c.writes) {
		str field = fixed_field(w->id, k->live, &c.changes);

		if (field.n || x->recreate == RECREATE_ALWAYS)
			recreate(b, x, arena_str(b->a, field), s);
	}
	if (s->drifted && !in->heal && mode == DRIFT_DETECT &&
	    in->app->drift_on_sync == DRIFT_WAIT) {
		s->waits |= PLAN_DRIFT_ON_SYNC;
		wait_for(b, PLAN_DRIFT_ON_SYNC, obj_id_label(b->a, w->id));
	}
}

static void absent(struct building *b, const struct want *w, const struct inv_entry *e,
		   const struct plan_object *k, const struct words *x, struct plan_step *s)
{
	const struct plan_in *in = b->in;
	int mode = in->heal ? DRIFT_HEAL : x->drift >= 0 ? x->drift : in->app->drift_mode;
	bool had = e && e->state == INV_LIVE && k->sent;

	if (k->wanted_by.n && !e && k->owned_by.n) {
		refuse(s, ERR_OWNED_BY_OTHER,
		       arena_printf(b->a, STR_FMT " is wanted by App '" STR_FMT "' too",
				    STR_ARG(obj_id_label(b->a, w->id)), STR_ARG(k->wanted_by)));
		return;
	}
	/* Two new Apps with one new object: the first by name has it. */
	if (k->wanted_by.n && !e && str_cmp(k->wanted_by, in->name) < 0) {
		refuse(s, ERR_OWNED_BY_OTHER,
		       arena_printf(b->a, STR_FMT " is wanted by App '" STR_FMT "' too",
				    STR_ARG(obj_id_label(b->a, w->id)), STR_ARG(k->wanted_by)));
		return;
	}
	s->uid = STR("");
	s->action = PLAN_CREATE;
	s->origin = INV_CREATED;
	s->drifted = had;
	if (!had)
		return;
	s->why = STR("it was deleted, not by us");
	if (hash_eq(&k->digest, &w->digest) && mode != DRIFT_HEAL) {
		none(s, mode == DRIFT_IGNORE ? STR("it was deleted, and drift is ignored")
					     : STR("it was deleted, and 'drift.mode' is detect"));
	} else if (mode == DRIFT_DETECT && !in->heal && in->app->drift_on_sync == DRIFT_WAIT) {
		s->waits |= PLAN_DRIFT_ON_SYNC;
		wait_for(b, PLAN_DRIFT_ON_SYNC, obj_id_label(b->a, w->id));
	}
}

void judge_want(struct building *b, const struct want *w, struct plan_step *s)
{
	const struct plan_in *in = b->in;
	const struct inv_entry *e = inventory_get(in->inventory, w->id);
	struct plan_object k = look(in, w->id);
	struct words x;
	struct object o;
	struct err *bad;

	*s = (struct plan_step){
		.id = w->id,
		.version = w->version,
		.uid = k.uid.n ? k.uid
		       : e     ? e->uid
			       : STR(""),
		.want = w,
		.origin = e ? e->origin : INV_CREATED,
		.propagation = in->app->propagation,
		.timeout = in->app->health_timeout,
		.file = w->file,
		.line = w->line,
		.col = w->col,
		.blocked_by = SIZE_MAX,
	};
	if (is_settled(e, &k, w))
		return;
	bad = want_tree(b->scratch, w, &o);
	if (!bad)
		bad = words_read(b->a, o.root, k.live, &x);
	if (!bad && in->look.check)
		bad = in->look.check(in->look.arg, w);
	if (bad) {
		refuse_err(b->a, s, bad);
		return;
	}
	if (x.timeout)
		s->timeout = x.timeout;
	if (x.apply == APPLY_SKIP) {
		none(s, x.apply_by);
		return;
	}
	switch (k.sight) {
	case PLAN_UNSEEN:
		refuse(s, ERR_TARGET_UNREACHABLE,
		       arena_printf(b->a, STR_FMT " was not read",
				    STR_ARG(obj_id_label(b->a, w->id))));
		return;
	case PLAN_FAILED:
		refuse(s, ERR_TARGET_UNREACHABLE,
		       arena_printf(b->a, STR_FMT ": " STR_FMT, STR_ARG(obj_id_label(b->a, w->id)),
				    STR_ARG(k.failure)));
		return;
	case PLAN_ABSENT:
		absent(b, w, e, &k, &x, s);
		break;
	case PLAN_META:
		/* Only what must not be written is known well enough. */
		if (judge_claim(b->a, in, e, &k, w->id, s) != CLAIM_REFUSED)
			refuse(s, ERR_TARGET_UNREACHABLE,
			       arena_printf(b->a, STR_FMT " was not read",
					    STR_ARG(obj_id_label(b->a, w->id))));
		return;
	case PLAN_SEEN:
		existing(b, w, e, &k, &o, &x, s);
		break;
	}
	if (in->approve_all && plan_action_writes(s->action))
		s->waits |= PLAN_APPROVAL;
}
