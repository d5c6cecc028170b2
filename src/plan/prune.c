/* What left Git: kept, let go, handed over or deleted; and how much of that waits for a person. */
#include "plan_priv.h"

#define PERCENT_FROM 4 /* deletions from which on a share of the whole says anything */

/* An object that we only found, and that others live in: it stays. */
static bool is_home(obj_id id)
{
	return (!id.group.n && str_eq(id.kind, STR("Namespace"))) ||
	       (str_eq(id.group, STR("apiextensions.k8s.io")) &&
		str_eq(id.kind, STR("CustomResourceDefinition")));
}

static void let_go(struct plan_step *s, enum plan_action action, str why)
{
	s->action = action;
	s->why = why;
}

void judge_gone(struct building *b, const struct inv_entry *e, struct plan_step *s)
{
	const struct plan_in *in = b->in;
	struct plan_object k = look(in, e->id);
	struct owner o;
	struct words x;

	*s = (struct plan_step){
		.id = e->id,
		.version = e->version,
		.uid = e->uid.n ? e->uid : k.uid,
		.origin = e->origin,
		.propagation = in->app->propagation,
		.timeout = in->app->health_timeout,
		.blocked_by = SIZE_MAX,
	};
	if (k.wanted_by.n && !str_eq(k.wanted_by, in->name)) {
		s->other = k.wanted_by;
		let_go(s, PLAN_HAND_OVER,
		       arena_printf(b->a, "App '" STR_FMT "' wants it now", STR_ARG(k.wanted_by)));
		return;
	}
	if (!in->app->prune) {
		let_go(s, k.sight == PLAN_ABSENT ? PLAN_GONE : PLAN_KEEP,
		       k.sight == PLAN_ABSENT ? STR("") : STR("'prune.enabled' is false"));
		return;
	}
	switch (k.sight) {
	case PLAN_ABSENT:
		let_go(s, PLAN_GONE, STR(""));
		return;
	case PLAN_UNSEEN:
	case PLAN_FAILED:
		refuse(s, ERR_TARGET_UNREACHABLE,
		       k.failure.n ? arena_printf(b->a, STR_FMT ": " STR_FMT,
						  STR_ARG(obj_id_label(b->a, e->id)),
						  STR_ARG(k.failure))
				   : arena_printf(b->a, STR_FMT " was not read",
						  STR_ARG(obj_id_label(b->a, e->id))));
		return;
	case PLAN_META:
	case PLAN_SEEN:
		break;
	}
	o = owner_of(b->a, k.live, in->instance, in->name);
	if (in->marks && o.kind != OWNER_US) {
		let_go(s, PLAN_RELEASE,
		       o.who.n ? arena_printf(b->a, "it belongs to " STR_FMT, STR_ARG(o.who))
			       : STR("it bears no mark of ours any more"));
		return;
	}
	if (!in->marks && e->state == INV_PENDING && !k.applied) {
		let_go(s, PLAN_RELEASE, STR("it was never written by us"));
		return;
	}
	if (e->uid.n && k.uid.n && !str_eq(e->uid, k.uid)) {
		s->uid = k.uid;
		let_go(s, PLAN_RELEASE, STR("it is another object of the same name"));
		return;
	}

	const struct node *refs = node_at(k.live, "metadata", "ownerReferences", NULL);

	for (uint32_t i = 0; node_is(refs, NODE_LIST) && i < refs->n; i++)
		if (node_bool(node_get(refs->items[i], STR("controller")), false)) {
			let_go(s, PLAN_RELEASE,
			       arena_printf(b->a, "it belongs to " STR_FMT " " STR_FMT,
					    STR_ARG(node_get_text(refs->items[i], STR("kind"))),
					    STR_ARG(node_get_text(refs->items[i], STR("name")))));
			return;
		}

	struct err *bad = words_read(b->a, NULL, k.live, &x);

	err_free(bad); /* of desired alone, and there is none */
	if (x.delete == DELETE_NOT_SAID && k.applied) {
		/* Somebody may have taken the word off the live object; it was the last that Git
		 * said. */
		struct words last;

		err_free(words_read(b->a, NULL, k.applied, &last));
		x.delete = last.delete;
		x.delete_by = last.delete_by;
	}
	if (x.delete == DELETE_NEVER) {
		let_go(s, PLAN_KEEP, x.delete_by);
		return;
	}
	if (e->origin == INV_ADOPTED && is_home(e->id)) {
		let_go(s, PLAN_RELEASE, STR("it was there before us"));
		return;
	}
	if (in->now && x.hold > in->now) {
		let_go(s, PLAN_KEEP,
		       arena_printf(b->a, "held%s" STR_FMT, x.hold_reason.n ? ": " : "",
				    STR_ARG(x.hold_reason)));
		return;
	}
	s->action = PLAN_DELETE;
	s->live = k.live;
	for (size_t i = 0; i < in->app->prune_protect.n; i++)
		if (str_eq(in->app->prune_protect.p[i], e->id.kind))
			s->waits |= PLAN_PROTECTED_KIND;
	if (x.delete == DELETE_CONFIRM) {
		s->waits |= PLAN_APPROVAL;
		s->why = x.delete_by;
	}
	if (x.delete == DELETE_LAST)
		s->why = x.delete_by;
	if (in->approve_all)
		s->waits |= PLAN_APPROVAL;
}

static void all_wait(struct plan_step *steps, size_t n, enum plan_reason r)
{
	for (size_t i = 0; i < n; i++)
		if (steps[i].action == PLAN_DELETE)
			steps[i].waits |= r;
}

void prune_limits(struct building *b, struct plan_step *steps, size_t n)
{
	const struct app *app = b->in->app;
	size_t all = 0, counted = 0, total = b->in->inventory->n;

	for (size_t i = 0; i < n; i++) {
		if (steps[i].action != PLAN_DELETE)
			continue;
		all++;
		counted += !look(b->in, steps[i].id).added_since;
	}
	if (!all)
		return;
	if (!b->in->wants->n) {
		all_wait(steps, n, PLAN_EMPTY_RENDER);
		wait_for(b, PLAN_EMPTY_RENDER,
			 arena_printf(b->a, "nothing is left in Git: all %zu objects would go",
				      all));
	}
	if (app->prune_objects > 0 && counted > (size_t)app->prune_objects) {
		all_wait(steps, n, PLAN_PRUNE_LIMIT);
		wait_for(b, PLAN_PRUNE_LIMIT,
			 arena_printf(b->a, "%zu deletions, limit %lld", counted,
				      (long long)app->prune_objects));
	} else if (app->prune_percent > 0 && counted >= PERCENT_FROM &&
		   counted * 100 > (size_t)app->prune_percent * total) {
		all_wait(steps, n, PLAN_PRUNE_LIMIT);
		wait_for(b, PLAN_PRUNE_LIMIT,
			 arena_printf(b->a, "%zu deletions of %zu objects, limit %lld %%", counted,
				      total, (long long)app->prune_percent));
	}
	for (size_t i = 0; i < n; i++) {
		if (steps[i].waits & PLAN_PROTECTED_KIND)
			wait_for(b, PLAN_PROTECTED_KIND, obj_id_label(b->a, steps[i].id));
		if ((steps[i].waits & PLAN_APPROVAL) && !b->in->approve_all)
			wait_for(b, PLAN_APPROVAL,
				 arena_printf(b->a, STR_FMT ": " STR_FMT,
					      STR_ARG(obj_id_label(b->a, steps[i].id)),
					      STR_ARG(steps[i].why)));
	}
}
