/* source: one Source from a tip that was seen to a commit that is accepted.
 *
 *   tip (poll.c) -> is it news? -> fetch worker -> verify worker, and a second one that lists the
 * range
 *   -> trust record, durable -> source.accepted -> the Apps whose read set differs sync
 *
 * What is not believed is held: the accepted commit stays in force, one incident is open, and a
 * later good tip, or `leeboard allow`, ends it. A failure to ask (network, credentials) never
 * changes what is accepted. */
#include "sync_priv.h"

#include <dirent.h>
#include <stdlib.h>

#define FETCH_FACTOR 5 /* a fetch may take this times Source.timeout (config.md) */
#define VERIFY_TIMEOUT (5 * MINUTE)

struct told_commit {
	str oid, subject, author, email, signer, key, verdict;
	msec committed;
};
struct source_try {
	struct source_run *r;
	struct arena *arena;
	str oid, ref;
	bool again;      /* the accepted commit itself: are its keys still trusted? */
	bool fetch_only; /* the object store lost it: nothing to judge */
	struct hash trust_digest;
	bool unshallow, fresh; /* fetched once more: history was missing, an object was damaged */
	bool compact;          /* no tip: many packs become one */
	struct job *job, *range_job;
	bool verify_done, range_done;
	struct err *failed;
	struct worker_outcome outcome;
	bool has_outcome;
	struct buf range, second;
	struct {
		struct told_commit *p;
		size_t n, cap;
	} commits;
	struct {
		str *p;
		size_t n, cap;
	} affected;
	uint64_t bytes;
};

/* ------------------------------------------------------------------ trust */

static const char mode_words[][16] = {
	[VERIFY_OFF] = "off",
	[VERIFY_HEAD] = "head",
	[VERIFY_TAG] = "tag",
	[VERIFY_TAG_HEAD] = "tag+head",
	[VERIFY_FIRST_PARENT] = "first-parent",
	[VERIFY_RANGE] = "range",
	[VERIFY_AUTHORIZED] = "authorized",
};

/* The record is copied into an arena of its own, so that the one before may go. */
static str dup_opt(struct arena *a, str s)
{
	return s.p ? arena_str(a, s) : s;
}

static struct store_noted *dup_noted(struct arena *a, const struct store_noted *p, size_t n)
{
	struct store_noted *own = ARENA_ARRAY(a, struct store_noted, n + 1);

	for (size_t i = 0; i < n; i++)
		own[i] = (struct store_noted){dup_opt(a, p[i].oid), p[i].at, dup_opt(a, p[i].by),
					      dup_opt(a, p[i].reason)};
	return own;
}

static void keep(struct source_run *r, const struct store_trust *t)
{
	struct arena *a = arena_new();
	struct store_trust own = *t;
	str *denied = ARENA_ARRAY(a, str, t->denied_n + 1);

	own.source = dup_opt(a, t->source);
	own.ref = dup_opt(a, t->ref);
	own.url = dup_opt(a, t->url);
	own.accepted_oid = dup_opt(a, t->accepted_oid);
	own.accepted_tree = dup_opt(a, t->accepted_tree);
	own.verify_mode = dup_opt(a, t->verify_mode);
	own.policy_digest = dup_opt(a, t->policy_digest);
	own.trust_digest = dup_opt(a, t->trust_digest);
	own.introduction = dup_opt(a, t->introduction);
	own.signer = dup_opt(a, t->signer);
	own.key = dup_opt(a, t->key);
	own.seen_oid = dup_opt(a, t->seen_oid);
	own.offered_oid = dup_opt(a, t->offered_oid);
	own.refused_reason = dup_opt(a, t->refused_reason);
	own.refused_message = dup_opt(a, t->refused_message);
	own.tag_name = dup_opt(a, t->tag_name);
	own.tag_oid = dup_opt(a, t->tag_oid);
	own.highest_version = dup_opt(a, t->highest_version);
	own.allowed = dup_noted(a, t->allowed, t->allowed_n);
	own.first_seen = dup_noted(a, t->first_seen, t->first_seen_n);
	for (size_t i = 0; i < t->denied_n; i++)
		denied[i] = arena_str(a, t->denied[i]);
	own.denied = denied;
	arena_free(r->arena);
	r->arena = a;
	r->trust = own;
}

/* Durable, then in force. */
static struct err *put_trust(struct source_run *r, const struct store_trust *t)
{
	TRY(store_trust_put(r->s->store, t));
	keep(r, t);
	return NULL;
}

/* The signers' lines as the verify worker gets them, and a digest of them and of the mode: a change
 * of either judges the accepted commit again. */
static struct err *signers(struct source_run *r, struct arena *a, struct job_signers **ret,
			   size_t *n, struct hash *digest)
{
	const struct source *d = r->doc;
	struct job_signers *list = ARENA_ARRAY(a, struct job_signers, 3);
	CLEANUP(buf) struct buf all = BUF_INIT;

	*n = 0;
	buf_printf(&all, "%d\n", d->verify);
	if (d->policy && d->policy->keys.n) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		for (size_t i = 0; i < d->policy->keys.n; i++)
			buf_printf(&b, STR_FMT "\n", STR_ARG(d->policy->keys.p[i]));
		list[(*n)++] = (struct job_signers){
			arena_printf(a, "Policy '" STR_FMT "'", STR_ARG(d->policy->name)),
			arena_str(a, buf_view(&b))};
	}
	const struct config_ref *refs[2] = {d->policy ? &d->policy->allowed_signers : NULL,
					    &d->allowed_signers};

	for (size_t i = 0; i < ARRAY_LEN(refs); i++) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		if (!refs[i] || refs[i]->kind == REF_NONE)
			continue;
		TRY(config_ref_read(refs[i], "allowedSigners", NULL, &b));
		list[(*n)++] = (struct job_signers){arena_str(a, refs[i]->value),
						    arena_str(a, buf_view(&b))};
	}
	for (size_t i = 0; i < *n; i++)
		buf_str(&all, list[i].text);
	*digest = hash_blake2b(NULL, STR("leeboard/policy/1"), buf_view(&all));
	*ret = list;
	return NULL;
}

static bool is_allowed(const struct store_trust *t, str oid)
{
	for (size_t i = 0; i < t->allowed_n; i++)
		if (str_eq(t->allowed[i].oid, oid))
			return true;
	return false;
}

bool source_is_refused(const struct source_run *r, str oid)
{
	return r->trust.offered_oid.n && str_starts(r->trust.offered_oid, oid) &&
	       !is_allowed(&r->trust, r->trust.offered_oid);
}

/* ------------------------------------------------------------------ the end of a try */

static void settled(struct source_run *r)
{
	r->tried = true;
	for (size_t i = r->waits.n; i-- > 0;) {
		struct source_wait *w = r->waits.p[i];

		LIST_DEL(&r->waits, w);
		w->fn(w->arg, r);
		free(w);
	}
	sync_changed(r->s);
}

static void try_free(struct source_try *t)
{
	if (!t)
		return;
	job_stop(t->job);
	job_stop(t->range_job);
	err_free(t->failed);
	buf_done(&t->range);
	buf_done(&t->second);
	arena_free(t->arena);
	free(t);
}

static void end_try(struct source_run *r)
{
	bool moved = r->moved;

	try_free(r->attempt);
	r->attempt = NULL;
	r->step = SOURCE_REST;
	r->moved = false;
	settled(r);
	if (moved && !r->s->stopping)
		source_poll(r); /* the tip went on while this one was judged */
}

/* The network, a credential or our own disk is at fault. Takes e. */
void source_failed(struct source_run *r, struct err *e)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	msec now = clock_wall(r->s->loop);
	bool news;

	err_line_to(e, &b);
	news = !r->why || !str_eq(str_from(r->why), buf_view(&b));
	text_set(&r->why, buf_view(&b));
	r->why_code = err_code(e);
	r->stalled = r->why_code != ERR_UNREACHABLE && r->why_code != ERR_TIMEOUT;
	err_free(e);
	if (!r->failing_since)
		r->failing_since = now;
	if (news)
		log_warn(r->s->log, "source.failed", "source", r->name, "error", r->why);
	metric_add(r->s->metrics, METRIC_SOURCE_POLLS, 1, LABELS(r->name, "failed"));
	/* What waits for time alone waits; what a person must mend is told at once. */
	if (!r->told_down &&
	    (r->stalled || now - r->failing_since >= r->s->config->daemon.unreachable_after)) {
		CLEANUP(arena) struct arena *a = arena_new();
		struct node_pairs more = {0};
		struct tell t = {.kind = EVENT_SOURCE_UNREACHABLE, .severity = -1};

		node_pairs_add(a, &more, STR("reason"),
			       node_new_str(a, str_from(err_code_name(r->why_code))));
		node_pairs_add(a, &more, STR("url"), node_new_str(a, r->doc->url));
		node_pairs_add(a, &more, STR("error"), node_new_str(a, str_from(r->why)));
		node_pairs_add(a, &more, STR("since"),
			       node_new_str(a, time_rfc3339(a, r->failing_since, false)));
		t.source = str_from(r->name);
		t.revision = r->trust.accepted_oid;
		t.message = str_from(r->why);
		t.more = more.p;
		t.more_n = more.n;
		tell(r->s, &t);
		r->told_down = true;
	}
}

static void answered(struct source_run *r)
{
	if (r->told_down) {
		struct tell t = {.kind = EVENT_SOURCE_RECOVERED,
				 .severity = -1,
				 .source = str_from(r->name),
				 .revision = r->trust.accepted_oid,
				 .message = STR("the remote answers again")};

		tell(r->s, &t);
	}
	r->told_down = false;
	r->failing_since = 0;
	r->stalled = false;
	text_set(&r->why, STR_NONE);
}

/* Takes e. */
static void fail_try(struct source_run *r, struct err *e)
{
	source_failed(r, e);
	end_try(r);
}

/* ------------------------------------------------------------------ refused */

static struct told_commit *commit_of(const struct source_try *t, str oid)
{
	for (size_t i = 0; i < t->commits.n; i++)
		if (str_eq(t->commits.p[i].oid, oid))
			return &t->commits.p[i];
	return NULL;
}

static const struct node *commits_node(struct arena *a, const struct source_try *t)
{
	struct node_items items = {0};

	for (size_t i = t->commits.n; i-- > 0 && items.n < 10;) {
		const struct told_commit *c = &t->commits.p[i];
		struct node_pairs m = {0};

		node_pairs_add(a, &m, STR("commit"), node_new_str(a, c->oid));
		node_pairs_add(a, &m, STR("subject"), node_new_str(a, c->subject));
		node_pairs_add(a, &m, STR("author"), node_new_str(a, c->email));
		if (c->signer.n)
			node_pairs_add(a, &m, STR("signer"), node_new_str(a, c->signer));
		*ARENA_PUSH(a, &items) = node_new_map(a, m.p, m.n);
	}
	return node_new_list(a, items.p, items.n);
}

/* What is wrong, for people. */
static str refusal(struct arena *a, const struct source_try *t, str reason, str bad)
{
	const struct told_commit *c = commit_of(t, bad);
	str id = short_id(bad.n ? bad : t->oid);

	if (str_eq(reason, STR("Unsigned")))
		return arena_printf(a, "commit " STR_FMT " is not signed", STR_ARG(id));
	if (str_eq(reason, STR("Rewound")))
		return arena_printf(a,
				    "the tip moved back to " STR_FMT ", which is older than "
				    "the accepted commit",
				    STR_ARG(id));
	if (str_eq(reason, STR("Diverged")))
		return arena_printf(a,
				    "history was rewritten: " STR_FMT " does not contain the "
				    "accepted commit",
				    STR_ARG(id));
	if (str_eq(reason, STR("Unrelated")))
		return arena_printf(a, STR_FMT " shares no history with the accepted commit",
				    STR_ARG(id));
	if (c && c->key.n)
		return arena_printf(
			a, "commit " STR_FMT " is not trusted: " STR_FMT " (key " STR_FMT ")",
			STR_ARG(id), STR_ARG(reason), STR_ARG(c->key));
	return arena_printf(a, "commit " STR_FMT " is not trusted: " STR_FMT, STR_ARG(id),
			    STR_ARG(reason));
}

static struct err *store_commits_of(struct source_run *r, const struct source_try *t, msec now,
				    bool accepted)
{
	for (size_t i = 0; i < t->commits.n; i++) {
		const struct told_commit *c = &t->commits.p[i];
		struct store_commit row = {.source = str_from(r->name),
					   .oid = c->oid,
					   .subject = c->subject,
					   .author_name = c->author,
					   .author_email = c->email,
					   .committed = c->committed,
					   .signer = c->signer,
					   .key = c->key,
					   .verdict = c->verdict,
					   .first_seen = now,
					   .accepted = accepted ? now : 0};

		TRY(store_commit_put(r->s->store, &row));
	}
	return NULL;
}

static void refused(struct source_run *r, struct source_try *t, str reason, str bad)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct store_trust now = r->trust;
	struct node_pairs more = {0};
	const struct told_commit *head = commit_of(t, t->oid);
	bool severe = str_eq(reason, STR("Rewound")) || str_eq(reason, STR("Diverged")) ||
		      str_eq(reason, STR("Unrelated")) || str_eq(reason, STR("MalformedObject")) ||
		      str_eq(reason, STR("KeyRevoked"));
	/* A newer refused tip is told anew: the incident of the one before ends first. */
	bool other = r->trust.offered_oid.n && !str_eq(r->trust.offered_oid, t->oid);
	struct tell what = {.kind = EVENT_SOURCE_REFUSED,
			    .severity = severe ? EVENT_ERROR : -1,
			    .source = str_from(r->name)};
	struct err *e;

	now.source = str_from(r->name);
	now.url = r->doc->url;
	now.offered_oid = t->oid;
	now.refused_reason = reason;
	now.refused_message = refusal(a, t, reason, bad);
	now.offered_at = clock_wall(r->s->loop);
	now.seen_oid = t->oid;
	now.seen_at = now.offered_at;
	if (other) {
		struct tell over = {.kind = EVENT_SOURCE_RELEASED,
				    .severity = -1,
				    .source = str_from(r->name),
				    .revision = r->trust.accepted_oid,
				    .message = arena_printf(a, "superseded by " STR_FMT,
							    STR_ARG(short_id(t->oid)))};

		tell(r->s, &over);
	}
	e = store_commits_of(r, t, now.offered_at, false);
	if (!e)
		e = put_trust(r, &now);
	if (e) {
		fail_try(r, e);
		return;
	}
	r->refused_digest = t->trust_digest;
	what.revision = r->trust.accepted_oid; /* of the new record: the one before is gone */
	node_pairs_add(a, &more, STR("offered"), node_new_str(a, t->oid));
	node_pairs_add(a, &more, STR("reason"), node_new_str(a, reason));
	if (head) {
		node_pairs_add(a, &more, STR("subject"), node_new_str(a, head->subject));
		node_pairs_add(a, &more, STR("author"), node_new_str(a, head->email));
	}
	node_pairs_add(a, &more, STR("commits"), commits_node(a, t));
	what.message = now.refused_message;
	what.release = arena_printf(a, "leeboard allow %s " STR_FMT " --reason TEXT", r->name,
				    STR_ARG(short_id(t->oid)));
	what.more = more.p;
	what.more_n = more.n;
	tell(r->s, &what);
	metric_add(r->s->metrics, METRIC_VERDICTS, 1, LABELS(arena_str(a, reason).p));
	end_try(r);
}

/* ------------------------------------------------------------------ accepted */

static void released(struct source_run *r, str message)
{
	struct tell t = {.kind = EVENT_SOURCE_RELEASED,
			 .severity = -1,
			 .source = str_from(r->name),
			 .revision = r->trust.accepted_oid,
			 .message = message};

	tell(r->s, &t);
}

static bool in_affected(const struct source_try *t, const char *name)
{
	for (size_t i = 0; i < t->affected.n; i++)
		if (str_eq(t->affected.p[i], str_from(name)))
			return true;
	return false;
}

/* The Apps of this source follow: those that the commit touches sync, the others have moved. */
static void roll_out(struct source_run *r, const struct source_try *t)
{
	struct rollout *ro = xcalloc(1, sizeof(*ro));

	ro->source = r;
	ro->users = 1;
	for (size_t i = 0; i < r->s->apps.n; i++) {
		struct app_run *a = r->s->apps.p[i];

		if (a->source != r)
			continue;
		/* One that failed or waits syncs all the same: the commit may have taken back what
		 * it failed at, and then nothing of it differs from what was read last. */
		if (a->now && a->now->seen_n && t && !in_affected(t, a->name) && !a->run &&
		    a->state != APP_FAILED && a->state != APP_WAITING)
			app_moved(a, r->trust.accepted_oid);
		else
			app_sync(a, "push", false, ro);
	}
	rollout_put(ro);
}

static void accepted(struct source_run *r, struct source_try *t)
{
	struct sync *s = r->s;
	CLEANUP(arena) struct arena *a = arena_new();
	msec now = clock_wall(s->loop);
	const struct told_commit *head = commit_of(t, t->oid);
	struct store_trust next = r->trust;
	bool was_refused = r->trust.offered_oid.n > 0;
	str from = arena_str(a, r->trust.accepted_oid);
	struct node_pairs more = {0};
	struct tell what = {.kind = EVENT_SOURCE_ACCEPTED, .severity = -1};
	struct err *e;

	next.source = str_from(r->name);
	next.ref = t->ref;
	next.url = r->doc->url;
	next.accepted_oid = t->oid;
	next.accepted_at = now;
	next.generation++;
	next.verify_mode = str_from(mode_words[r->doc->verify]);
	next.trust_digest = hash_hex(a, t->trust_digest);
	next.policy_digest = next.trust_digest;
	next.signer = head && head->signer.n ? head->signer : STR_NONE;
	next.key = head && head->key.n ? head->key : STR_NONE;
	next.seen_oid = t->oid;
	next.seen_at = now;
	next.offered_oid = next.refused_reason = next.refused_message = STR_NONE;
	next.offered_at = 0;
	e = store_commits_of(r, t, now, true);
	if (!e)
		e = put_trust(r, &next);
	if (e) {
		fail_try(r, e);
		return;
	}
	r->fetch_accepted = false;
	if (was_refused)
		released(r, arena_printf(a, STR_FMT " was accepted", STR_ARG(short_id(t->oid))));
	if (r->untrusted) {
		struct tell over = {.kind = EVENT_SOURCE_TRUSTED,
				    .severity = -1,
				    .source = str_from(r->name),
				    .revision = t->oid,
				    .message = STR("a newer commit is signed by a trusted key")};

		r->untrusted = false;
		tell(s, &over);
	}
	if (from.n)
		node_pairs_add(a, &more, STR("from"), node_new_str(a, from));
	node_pairs_add(a, &more, STR("commits"), commits_node(a, t));
	if (r->doc->verify == VERIFY_OFF)
		node_pairs_add(a, &more, STR("verify"), node_new_str(a, STR("off")));
	what.source = str_from(r->name);
	what.revision = t->oid;
	what.message = head ? arena_printf(a, STR_FMT " " STR_FMT " (" STR_FMT ")",
					   STR_ARG(short_id(t->oid)), STR_ARG(head->subject),
					   STR_ARG(head->signer.n ? head->signer : head->email))
			    : arena_str(a, short_id(t->oid));
	what.more = more.p;
	what.more_n = more.n;
	tell(s, &what);
	metric_add(s->metrics, METRIC_VERDICTS, 1,
		   LABELS(r->doc->verify == VERIFY_OFF ? "off" : "Good"));
	roll_out(r, t);
	end_try(r);
}

/* ------------------------------------------------------------------ verify */

static struct err *on_verify_frame(void *arg, struct frame *f)
{
	struct source_try *t = arg;

	switch ((int)f->type) {
	case FRAME_VERDICT: {
		struct worker_verdict v;
		struct told_commit *c;

		TRY(frame_get_verdict(f, &v));
		c = commit_of(t, v.oid);
		if (!c) {
			c = ARENA_PUSH(t->arena, &t->commits);
			*c = (struct told_commit){.oid = arena_str(t->arena, v.oid)};
		}
		c->verdict = arena_str(t->arena, v.verdict);
		c->key = arena_str(t->arena, v.key);
		c->signer = arena_str(t->arena, v.principal);
		return NULL;
	}
	case FRAME_COMMIT: {
		struct worker_commit w;
		struct told_commit *c;

		TRY(frame_get_commit(f, &w));
		c = commit_of(t, w.oid);
		if (!c) {
			c = ARENA_PUSH(t->arena, &t->commits);
			*c = (struct told_commit){.oid = arena_str(t->arena, w.oid)};
		}
		c->subject = arena_str(t->arena, w.subject);
		c->author = arena_str(t->arena, w.author);
		c->email = arena_str(t->arena, w.author_email);
		c->committed = w.committer_time * SECOND;
		return NULL;
	}
	case FRAME_RANGE:
		return frame_get_range(f, &t->range);
	case FRAME_OUTCOME: {
		struct worker_outcome o;

		TRY(frame_get_outcome(f, &o));
		o.reason = arena_str(t->arena, o.reason);
		o.move = arena_str(t->arena, o.move);
		o.bad = arena_str(t->arena, o.bad);
		t->outcome = o;
		t->has_outcome = true;
		return NULL;
	}
	case FRAME_AFFECTED: {
		str name;

		TRY(frame_get_affected(f, &name));
		*ARENA_PUSH(t->arena, &t->affected) = arena_str(t->arena, name);
		return NULL;
	}
	case FRAME_ERROR: {
		struct err *e;

		TRY(worker_read_error(f, &e));
		t->failed = err_join(t->failed, e);
		return NULL;
	}
	default:
		return NULL;
	}
}

static struct err *on_range_frame(void *arg, struct frame *f)
{
	struct source_try *t = arg;

	if (f->type == FRAME_RANGE)
		return frame_get_range(f, &t->second);
	if (f->type == FRAME_ERROR) {
		struct err *e;

		TRY(worker_read_error(f, &e));
		t->failed = err_join(t->failed, e);
	}
	return NULL;
}

static void fetch(struct source_try *t);

/* Our store is at fault, not the tip: once, what is missing or damaged is fetched before it counts.
 */
static bool fetch_again(struct source_try *t)
{
	bool missing = str_eq(t->outcome.reason, STR("IncompleteHistory"));
	bool damaged = str_eq(t->outcome.reason, STR("CorruptObject"));

	if ((!missing && !damaged) || t->unshallow || t->fresh)
		return false;
	t->unshallow = missing;
	t->fresh = damaged;
	t->verify_done = t->range_done = t->has_outcome = false;
	buf_clear(&t->range);
	buf_clear(&t->second);
	t->commits.n = t->affected.n = 0;
	fetch(t);
	return true;
}

static void verified(struct source_try *t)
{
	struct source_run *r = t->r;
	bool same;

	if (!t->verify_done || !t->range_done)
		return;
	if (t->failed) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_line_to(t->failed, &b);
		log_error(r->s->log, "verify.failed", "source", r->name, "error", b.p);
		refused(r, t, STR("VerifierFailed"), STR_NONE);
		return;
	}
	same = t->range.n == t->second.n &&
	       !memcmp(t->range.p ? t->range.p : "", t->second.p ? t->second.p : "", t->range.n);
	if (!t->has_outcome || !same) {
		log_error(r->s->log, "verify.failed", "source", r->name, "error",
			  same ? "no outcome" : "two workers list different commits");
		refused(r, t, STR("VerifierFailed"), STR_NONE);
		return;
	}
	if (t->again) {
		struct store_trust now = r->trust;
		CLEANUP(arena) struct arena *a = arena_new();
		bool good = t->outcome.outcome != WORKER_HOLD;
		struct err *e = NULL;

		if (good) {
			now.trust_digest = now.policy_digest = hash_hex(a, t->trust_digest);
			now.verify_mode = str_from(mode_words[r->doc->verify]);
			e = put_trust(r, &now);
		}
		if (good != !r->untrusted) {
			struct tell w = {
				.kind = good ? EVENT_SOURCE_TRUSTED : EVENT_SOURCE_UNTRUSTED,
				.severity = -1,
				.source = str_from(r->name),
				.revision = r->trust.accepted_oid,
				.message = good ? STR("the live commit is trusted again")
						: STR("the key that signed the live commit "
						      "is not trusted any more; any newer "
						      "commit signed by another ends this")};

			tell(r->s, &w);
		}
		r->untrusted = !good;
		r->refused_digest = t->trust_digest;
		if (e)
			fail_try(r, e);
		else
			end_try(r);
		return;
	}
	switch (t->outcome.outcome) {
	case WORKER_ACCEPT:
	case WORKER_NOOP:
		accepted(r, t);
		return;
	case WORKER_HOLD:
		if (!fetch_again(t))
			refused(r, t, t->outcome.reason, t->outcome.bad);
		return;
	}
}

static void on_verify_done(void *arg, struct err *e)
{
	struct source_try *t = arg;

	t->job = NULL;
	t->verify_done = true;
	t->failed = err_join(t->failed, e);
	verified(t);
}

static void on_range_done(void *arg, struct err *e)
{
	struct source_try *t = arg;

	t->range_job = NULL;
	t->range_done = true;
	t->failed = err_join(t->failed, e);
	verified(t);
}

/* One verify job; the spec lives in *a. */
static struct err *verify_spec(struct source_try *t, enum job_verify_op op, struct arena *a,
			       struct worker_spec *spec)
{
	struct source_run *r = t->r;
	struct sync *s = r->s;
	struct job_verify j = {
		.op = op,
		.to = t->oid,
		.from = r->trust.accepted_oid,
		.mode = (enum verify_mode)r->doc->verify,
		.on_rewind = r->doc->on_rewind,
		.on_force_push = r->doc->on_force_push,
		.now = clock_wall(s->loop),
		.limits = {.best_effort = s->config->daemon.sandbox == SANDBOX_BEST_EFFORT}};
	struct job_signers *sig;
	size_t n = 0;
	struct job_app *apps = ARENA_ARRAY(a, struct job_app, s->apps.n + 1);
	str *allowed = ARENA_ARRAY(a, str, r->trust.allowed_n + 1);

	TRY(store_repo_path(s->store, a, str_from(r->name), &j.objects));
	TRY(signers(r, a, &sig, &j.signers_n, &t->trust_digest));
	j.signers = sig;
	for (size_t i = 0; op == JOB_VERIFY && i < s->apps.n; i++) {
		const struct app_run *ap = s->apps.p[i];

		if (ap->source == r && ap->now && ap->now->seen_n)
			apps[n++] = (struct job_app){str_from(ap->name), ap->now->seen,
						     ap->now->seen_n};
	}
	j.apps = apps;
	j.apps_n = n;
	for (size_t i = 0; i < r->trust.allowed_n; i++)
		allowed[i] = r->trust.allowed[i].oid;
	j.allowed = allowed;
	j.allowed_n = r->trust.allowed_n;
	TRY(job_verify_write(a, &j, spec));
	spec->timeout = VERIFY_TIMEOUT;
	return NULL;
}

static void verify(struct source_try *t)
{
	static const struct job_calls first = {on_verify_frame, on_verify_done};
	static const struct job_calls second = {on_range_frame, on_range_done};
	struct source_run *r = t->r;
	struct arena *a = arena_new(), *b = arena_new();
	struct worker_spec spec = {0}, spec2 = {0};
	struct err *e;

	r->step = SOURCE_VERIFY;
	e = verify_spec(t, JOB_VERIFY, a, &spec);
	if (!e)
		e = verify_spec(t, JOB_RANGE, b, &spec2);
	if (e) {
		arena_free(a);
		arena_free(b);
		fail_try(r, e);
		return;
	}
	err_free(job_start(r->s, "verify", a, &spec, &first, t, &t->job));
	err_free(job_start(r->s, "verify", b, &spec2, &second, t, &t->range_job));
}

/* ------------------------------------------------------------------ fetch */

static struct err *on_fetch_frame(void *arg, struct frame *f)
{
	struct source_try *t = arg;
	struct worker_pack p;

	if (f->type == FRAME_PACK) {
		TRY(frame_get_pack(f, &p));
		t->bytes += p.bytes;
	} else if (f->type == FRAME_ERROR) {
		struct err *e;

		TRY(worker_read_error(f, &e));
		t->failed = err_join(t->failed, e);
	}
	return NULL;
}

static void on_fetch_done(void *arg, struct err *e)
{
	struct source_try *t = arg;
	struct source_run *r = t->r;

	t->job = NULL;
	if ((t->failed || e) && t->fetch_only && r->moved) {
		/* The remote has it no more, or does not give it: the tip is judged without, and
		 * held. */
		r->fetch_accepted = false;
		err_free(e);
		end_try(r);
		return;
	}
	if (t->failed) {
		/* What the worker said is nearer the cause than that it failed. */
		err_free(e);
		fail_try(r, STEAL(t->failed));
		return;
	}
	if (e) {
		fail_try(r, e);
		return;
	}
	if (!t->compact) {
		metric_add(r->s->metrics, METRIC_GIT_BYTES, (double)t->bytes,
			   LABELS(r->name, "in"));
		answered(r);
		r->fetched++;
	}
	if (t->compact) {
		end_try(r);
		return;
	}
	if (t->fetch_only) {
		r->fetch_accepted = false;
		roll_out(r, NULL);
		end_try(r);
		return;
	}
	verify(t);
}

static void fetch(struct source_try *t)
{
	static const struct job_calls calls = {on_fetch_frame, on_fetch_done};
	struct source_run *r = t->r;
	struct sync *s = r->s;
	struct arena *a = arena_new();
	struct worker_spec spec = {0};
	struct job_fetch j = {.op = t->compact ? JOB_COMPACT : JOB_FETCH,
			      .want = t->oid,
			      .ref = t->ref,
			      .timeout = r->doc->timeout * FETCH_FACTOR,
			      .max_pack = (uint64_t)s->config->daemon.bytes_per_sync};
	str haves[1] = {r->trust.accepted_oid};
	struct err *e;

	r->step = SOURCE_FETCH;
	if (haves[0].n && !t->fetch_only) {
		j.haves = haves;
		j.haves_n = 1;
	}
	j.fresh = t->fetch_only || t->fresh;
	j.unshallow = t->unshallow;
	e = source_credentials(r, a, &j);
	if (!e)
		e = store_repo_path(s->store, a, str_from(r->name), &j.objects);
	if (!e)
		e = job_fetch_write(a, &j, &spec);
	if (e) {
		arena_free(a);
		fail_try(r, e);
		return;
	}
	spec.timeout = j.timeout + 10 * SECOND;
	err_free(job_start(s, "fetch", a, &spec, &calls, t, &t->job));
}

/* ------------------------------------------------------------------ a tip */

static struct source_try *try_new(struct source_run *r, str oid, str ref)
{
	struct source_try *t = xcalloc(1, sizeof(*t));

	t->r = r;
	t->arena = arena_new();
	t->oid = arena_str(t->arena, oid);
	t->ref = arena_str(t->arena, ref);
	r->attempt = t;
	return t;
}

#define COMPACT_PACKS 32u  /* more than these are made one (design.md 8, libgit2) */
#define COMPACT_FETCHES 8u /* between looks at how many there are */

static size_t count_packs(struct source_run *r)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str objects;
	struct err *e = store_repo_path(r->s->store, a, str_from(r->name), &objects);
	DIR *d;
	size_t n = 0;

	if (e) {
		err_free(e);
		return 0;
	}
	d = opendir(arena_printf(a, STR_FMT "/pack", STR_ARG(objects)).p);
	if (!d)
		return 0;
	for (struct dirent *f = readdir(d); f; f = readdir(d))
		n += str_ends(str_from(f->d_name), STR(".pack"));
	closedir(d);
	return n;
}

/* When no other worker reads the store. */
static bool compact(struct source_run *r)
{
	const struct sync *s = r->s;

	if (r->fetched < COMPACT_FETCHES)
		return false;
	for (size_t i = 0; i < s->apps.n; i++)
		if (s->apps.p[i]->source == r && s->apps.p[i]->run)
			return false;
	for (size_t i = 0; i < s->asked.n; i++)
		if (s->asked.p[i]->run)
			return false;
	r->fetched = 0;
	if (count_packs(r) <= COMPACT_PACKS)
		return false;
	try_new(r, r->trust.accepted_oid, r->trust.ref)->compact = true;
	fetch(r->attempt);
	return true;
}

void source_tip(struct source_run *r, str oid, str ref)
{
	struct sync *s = r->s;
	CLEANUP(arena) struct arena *a = arena_new();
	struct job_signers *sig;
	size_t n;
	struct hash digest;
	bool same_trust, is_live = str_eq(oid, r->trust.accepted_oid);
	struct err *e;

	r->polled_at = clock_wall(s->loop);
	metric_add(s->metrics, METRIC_SOURCE_POLLS, 1, LABELS(r->name, "ok"));
	answered(r);
	hex_set(r->tip, oid);
	snprintf(r->tip_ref, sizeof(r->tip_ref), STR_FMT, STR_ARG(ref));
	if (r->suspended || r->attempt) {
		r->moved |= r->attempt && !str_eq(r->attempt->oid, oid);
		settled(r);
		return;
	}
	e = signers(r, a, &sig, &n, &digest);
	if (e) {
		source_failed(r, e);
		settled(r);
		return;
	}
	if (is_live && r->fetch_accepted) {
		try_new(r, oid, ref)->fetch_only = true;
		fetch(r->attempt);
		return;
	}
	same_trust = str_eq(hash_hex(a, digest), r->trust.trust_digest);
	if (is_live) {
		/* Back at the accepted commit: what was offered is gone. */
		if (r->trust.offered_oid.n) {
			struct store_trust now = r->trust;

			now.offered_oid = now.refused_reason = now.refused_message = STR_NONE;
			now.offered_at = 0;
			e = put_trust(r, &now);
			if (e)
				source_failed(r, e);
			else
				released(r, STR("the remote names the accepted commit again"));
		}
		if (same_trust || (r->untrusted && hash_eq(&digest, &r->refused_digest))) {
			if (!compact(r))
				settled(r);
			return;
		}
		try_new(r, oid, ref)->again = true;
		verify(r->attempt);
		return;
	}
	if (str_eq(oid, r->trust.offered_oid) && hash_eq(&digest, &r->refused_digest) &&
	    !is_allowed(&r->trust, oid)) {
		settled(r); /* held already, for reasons that still stand */
		return;
	}
	if (r->fetch_accepted) {
		/* What this tip is to the accepted commit can only be told when we have that one.
		 */
		try_new(r, r->trust.accepted_oid, r->trust.ref)->fetch_only = true;
		r->moved = true;
		fetch(r->attempt);
		return;
	}
	try_new(r, oid, ref);
	fetch(r->attempt);
}

struct err *source_allow(struct source_run *r, str commit, str by, str reason)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct store_trust now = r->trust;
	struct store_noted *list;
	struct tell t = {.kind = EVENT_PERSON_ALLOWED, .severity = -1};
	struct node_pairs more = {0};

	if (!r->trust.offered_oid.n || !str_starts(r->trust.offered_oid, commit) || commit.n < 7)
		return err_hint(err_new(ERR_USAGE,
					"'" STR_FMT "' is not the commit that is refused",
					STR_ARG(commit)),
				"leeboard status %s shows which one is", r->name);
	list = ARENA_ARRAY(a, struct store_noted, now.allowed_n + 1);
	memcpy(list, now.allowed, now.allowed_n * sizeof(*list));
	list[now.allowed_n++] =
		(struct store_noted){now.offered_oid, clock_wall(r->s->loop), by, reason};
	now.allowed = list;
	TRY(put_trust(r, &now));
	node_pairs_add(a, &more, STR("by"), node_new_str(a, by));
	node_pairs_add(a, &more, STR("reason"), node_new_str(a, reason));
	node_pairs_add(a, &more, STR("commit"), node_new_str(a, r->trust.offered_oid));
	t.source = str_from(r->name);
	t.revision = r->trust.offered_oid;
	t.message = arena_printf(a, STR_FMT " allowed " STR_FMT ": " STR_FMT, STR_ARG(by),
				 STR_ARG(short_id(r->trust.offered_oid)), STR_ARG(reason));
	t.more = more.p;
	t.more_n = more.n;
	tell(r->s, &t);
	source_poll(r);
	return NULL;
}

/* ------------------------------------------------------------------ life */

struct err *source_new(struct sync *s, const struct source *doc, struct source_run **ret)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct source_run *r = xcalloc(1, sizeof(*r));
	struct store_trust t;
	enum store_trust_found found;
	struct suspension sus;
	struct err *e;

	r->s = s;
	r->doc = doc;
	r->name = text_dup(doc->name);
	e = store_trust_get(s->store, a, doc->name, &t, &found);
	if (e) {
		free(r->name);
		free(r);
		return e;
	}
	keep(r, &t);
	if (found == STORE_TRUST_OLDER)
		log_warn(s->log, "trust.older", "source", r->name);
	if (found == STORE_TRUST_LOST)
		log_error(s->log, "trust.lost", "source", r->name);
	/* Nothing of our own: the record at the targets counts (source_begin). */
	r->restored = r->trust.accepted_oid.n > 0;
	r->suspended = doc->suspend || suspension_get(s, a, "source", r->name, &sus);
	LIST_ADD(&s->sources, r);
	*ret = r;
	return NULL;
}

void source_config(struct source_run *r, const struct source *doc)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct suspension sus;

	r->doc = doc;
	r->suspended = doc->suspend || suspension_get(r->s, a, "source", r->name, &sus);
	poll_leave(r);
	if (r->restored && !r->suspended)
		poll_join(r);
}

/* What is open of a source that goes is nobody's any more. */
void source_over(struct source_run *r)
{
	static const enum event_kind kinds[] = {EVENT_SOURCE_RELEASED, EVENT_SOURCE_TRUSTED,
						EVENT_SOURCE_RECOVERED};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct tell t = {.kind = kinds[i],
				 .severity = -1,
				 .source = str_from(r->name),
				 .revision = r->trust.accepted_oid,
				 .message = STR("the Source went")};

		tell(r->s, &t);
	}
}

void source_free(struct source_run *r)
{
	if (!r)
		return;
	LIST_DEL(&r->s->sources, r);
	poll_leave(r);
	try_free(r->attempt);
	for (size_t i = 0; i < r->waits.n; i++)
		free(r->waits.p[i]);
	free(r->waits.p);
	arena_free(r->arena);
	free(r->why);
	free(r->name);
	free(r);
}

/* Our own record is lost: of those at the targets the highest generation counts; a target that
 * cannot be read holds the source (design.md 8). */
static bool from_targets(struct source_run *r)
{
	struct sync *s = r->s;
	const struct target_record *best = NULL;
	struct store_trust t = {.source = str_from(r->name)};
	struct err *e;

	for (size_t i = 0; i < s->apps.n; i++) {
		const struct app_run *a = s->apps.p[i];
		const struct target_record *rec;

		if (a->source != r)
			continue;
		if (!a->place || a->place->step != PLACE_READY)
			return false;
		rec = place_record(a->place, str_from(a->name));
		if (rec && rec->accepted.n && str_eq(rec->source, str_from(r->name)) &&
		    (!best || rec->generation > best->generation))
			best = rec;
	}
	if (!best)
		return true;
	t.ref = best->ref;
	t.url = r->doc->url;
	t.accepted_oid = best->accepted;
	t.generation = best->generation;
	t.policy_digest = best->policy;
	e = put_trust(r, &t);
	if (e) {
		source_failed(r, e);
		return false;
	}
	r->fetch_accepted = true;
	log_warn(s->log, "trust.restored", "source", r->name, "revision", r->trust.accepted_oid.p);
	return true;
}

void source_begin(struct source_run *r)
{
	if (!r->s->started)
		return;
	if (!r->restored) {
		if (!from_targets(r))
			return;
		r->restored = true;
	}
	if (!r->suspended && !r->group) {
		poll_join(r);
		source_poll(r);
	} else if (r->suspended) {
		r->tried = true;
	}
}

void source_lost(struct source_run *r, str oid)
{
	if (!str_eq(oid, r->trust.accepted_oid) || str_eq(oid, str_from(r->refetched)))
		return;
	hex_set(r->refetched, oid);
	r->fetch_accepted = true;
	source_poll(r);
}

void source_halt(struct source_run *r)
{
	poll_leave(r);
	try_free(r->attempt);
	r->attempt = NULL;
	r->step = SOURCE_REST;
}

bool source_busy(const struct source_run *r)
{
	return r->attempt || (r->group && poll_busy(r->group));
}

void source_when_settled(struct source_run *r, void (*fn)(void *arg, struct source_run *r),
			 void *arg)
{
	struct source_wait *w = xcalloc(1, sizeof(*w));

	*w = (struct source_wait){fn, arg};
	LIST_ADD(&r->waits, w);
}

void source_unwait(struct source_run *r, void *arg)
{
	for (size_t i = r->waits.n; i-- > 0;) {
		struct source_wait *w = r->waits.p[i];

		if (w->arg != arg)
			continue;
		LIST_DEL(&r->waits, w);
		free(w);
	}
}

void source_settle(struct source_run *r)
{
	settled(r);
}

const char *source_state(const struct source_run *r)
{
	if (r->suspended)
		return "Suspended";
	if (r->trust.offered_oid.n)
		return "Refused";
	if (r->why)
		return "Stalled";
	if (r->attempt || !r->trust.accepted_oid.n)
		return "Progressing";
	return "Ready";
}
