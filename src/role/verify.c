/* verify: is the commit that is offered one that the operator's signers stand behind? And which
 * Apps read something that differs there. */
#include "role_priv.h"

#include "leeboard/git.h"
#include "leeboard/tree.h"
#include "leeboard/trust.h"

#include <stdlib.h>

#define MAX_SUBJECT 300u /* bytes of foreign text in a frame */
#define MAX_NAME 200u

struct verify {
	struct arena *a;
	const struct job_verify *j;
	struct worker_out *out;
	struct git_store *s;
	git_id from, to;
	enum trust_mode mode;
	struct err *sent; /* what kept a frame from going out */
};

static enum trust_mode mode_of(enum verify_mode m)
{
	switch (m) {
	case VERIFY_OFF:
		return TRUST_MODE_OFF;
	case VERIFY_HEAD:
		return TRUST_MODE_HEAD;
	case VERIFY_TAG:
		return TRUST_MODE_TAG;
	case VERIFY_TAG_HEAD:
		return TRUST_MODE_TAG_HEAD;
	case VERIFY_FIRST_PARENT:
		return TRUST_MODE_FIRST_PARENT;
	case VERIFY_RANGE:
		return TRUST_MODE_RANGE;
	case VERIFY_AUTHORIZED:
		break;
	}
	return TRUST_MODE_AUTHORIZED;
}

/* ------------------------------------------------------------------ verdicts and commits */

static void on_judged(void *arg, const struct trust_result *r)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct verify *v = arg;
	struct worker_verdict w = {.oid = git_id_hex(a, r->id),
				   .verdict = str_from(trust_verdict_name(r->verdict)),
				   .key = r->key,
				   .principal = r->principal,
				   .detail = str_from(r->detail)};

	if (r->allowed)
		w.detail = arena_printf(a, "%s; let pass by a person", r->detail);
	if (!v->sent)
		v->sent = worker_send_verdict(v->out, &w);
}

/* Foreign text: valid, without control characters, cut. */
static str shown(struct arena *a, str s, size_t most)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_escaped(&b, str_sub(s, 0, most));
	return arena_str(a, buf_view(&b));
}

static str hex_list(struct arena *a, const git_id *p, size_t n)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_char(&b, ' ');
		buf_hex(&b, p[i].b, p[i].n);
	}
	return arena_str(a, buf_view(&b));
}

/* One that is no commit has no frame: its verdict says so. */
static struct err *send_commit(struct verify *v, git_id id)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct worker_commit w = {.oid = git_id_hex(a, id)};
	struct trust_commit c;
	struct trust_fault fault;
	struct git_links l;
	enum git_kind kind;
	str bytes;

	if (git_store_read(v->s, a, id, TRUST_MAX_OBJECT, &kind, &bytes) != GIT_READ_OK ||
	    kind != GIT_KIND_COMMIT || !git_links_parse(a, bytes, id.n, &l))
		return NULL;
	w.tree = git_id_hex(a, l.tree);
	w.parents = hex_list(a, l.parents, l.n);
	w.committer_time = l.time;
	if (trust_commit_parse(a, bytes, id.n, &c, &fault)) {
		w.author = shown(a, c.author.name, MAX_NAME);
		w.author_email = shown(a, c.author.email, MAX_NAME);
		w.author_time = c.author.time;
		w.committer = shown(a, c.committer.name, MAX_NAME);
		w.committer_email = shown(a, c.committer.email, MAX_NAME);
		w.committer_time = c.committer.time;
		w.subject = shown(a, role_subject(c.message), MAX_SUBJECT);
	}
	/* A time that no clock shows is not told. */
	if (w.author_time < 0 || w.author_time > INT64_MAX / 1000)
		w.author_time = 0;
	if (w.committer_time < 0 || w.committer_time > INT64_MAX / 1000)
		w.committer_time = 0;
	return worker_send_commit(v->out, &w);
}

/* The newest of what is new, and the tip in any case. */
static struct err *send_commits(struct verify *v, const git_id *commits, size_t n)
{
	size_t first = n > JOB_MAX_COMMITS ? n - JOB_MAX_COMMITS : 0;

	for (size_t i = first; i < n; i++)
		TRY(send_commit(v, commits[i]));
	if (n && git_id_eq(commits[n - 1], v->to))
		return NULL;
	return send_commit(v, v->to);
}

static struct err *send_range(struct verify *v, const git_id *commits, size_t n)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		buf_add(&b, commits[i].b, commits[i].n);
	return worker_send_range(v->out, buf_view(&b));
}

static struct err *send_outcome(struct verify *v, const struct trust_advance *adv)
{
	struct worker_outcome w = {.reason = str_from(adv->reason),
				   .move = str_from(trust_move_name(adv->move)),
				   .bad_n = (uint32_t)adv->bad_n,
				   .commits = (uint32_t)adv->commits_n};

	switch (adv->outcome) {
	case TRUST_ACCEPT:
		w.outcome = WORKER_ACCEPT;
		break;
	case TRUST_NOOP:
		w.outcome = WORKER_NOOP;
		break;
	case TRUST_HOLD:
		w.outcome = WORKER_HOLD;
		break;
	}
	if (adv->bad.id.n)
		w.bad = git_id_hex(v->a, adv->bad.id);
	else if (v->mode != TRUST_MODE_OFF && !trust_passes(&adv->head))
		w.bad = git_id_hex(v->a, v->to);
	return worker_send_outcome(v->out, &w);
}

/* ------------------------------------------------------------------ which Apps differ */

static int by_path(const void *a, const void *b)
{
	const struct tree_seen *x = a, *y = b;

	return str_cmp(x->path, y->path);
}

static bool same(const struct tree_seen *seen, size_t n, const struct job_seen *was)
{
	const struct tree_seen key = {.path = was->path};
	const struct tree_seen *now = bsearch(&key, seen, n, sizeof seen[0], by_path);
	uint8_t oid[32];

	if (!now || now->oid_n * 2 != was->oid.n)
		return false;
	return !now->oid_n ||
	       (hex_decode(was->oid, oid, now->oid_n) && memcmp(oid, now->oid, now->oid_n) == 0);
}

/* Each path looked up once, whichever App reads it. What cannot be looked up differs: rendering
 * will say why. */
static struct err *send_affected(struct verify *v)
{
	CLEANUP(tree) struct tree *t = NULL;
	CLEANUP(err) struct err *unread = NULL;
	const struct tree_seen *seen = NULL;
	size_t n = 0;

	unread = git_tree_open(v->s, v->to, &t);
	for (size_t i = 0; !unread && i < v->j->apps_n; i++) {
		for (size_t k = 0; k < v->j->apps[i].seen_n; k++) {
			enum tree_kind kind;

			err_free(tree_kind(t, v->j->apps[i].seen[k].path, &kind));
		}
	}
	if (!unread)
		seen = tree_seen(t, &n);
	for (size_t i = 0; i < v->j->apps_n; i++) {
		const struct job_app *app = &v->j->apps[i];
		bool differs = unread != NULL;

		for (size_t k = 0; k < app->seen_n && !differs; k++)
			differs = !same(seen, n, &app->seen[k]);
		if (differs)
			TRY(worker_send_affected(v->out, app->name));
	}
	return NULL;
}

/* ------------------------------------------------------------------ the two jobs */

static struct err *list(struct verify *v)
{
	git_id *commits = NULL;
	size_t n = 0;

	enum git_walk rc = trust_list_range(v->s, v->a, v->from, v->to, v->mode, &commits, &n);

	/* Where the tip alone decides, a list that cannot be had is as empty here as it is there.
	 */
	if (rc == GIT_WALK_OK || v->mode == TRUST_MODE_HEAD || v->mode == TRUST_MODE_OFF)
		return send_range(v, commits, n);
	switch (rc) {
	case GIT_WALK_OK:
		break;
	case GIT_WALK_MISSING:
		return err_new(ERR_VERIFIER_FAILED, "a commit of the range is not in the store");
	case GIT_WALK_LIMIT:
		return err_new(ERR_LIMIT, "more than %u new commits", TRUST_MAX_RANGE);
	}
	return NULL;
}

/* "file:line: text" as trust words them. */
static struct err *send_warnings(struct verify *v, const struct trust_signers *signers)
{
	size_t n;
	const str *warnings = trust_signers_warnings(signers, &n);

	for (size_t i = 0; i < n; i++)
		TRY(worker_send_warning(v->out, &(struct worker_warning){.message = warnings[i]}));
	return NULL;
}

static struct err *judge(struct verify *v)
{
	CLEANUP(trust_signers) struct trust_signers *signers = trust_signers_new();
	git_id *allowed = ARENA_ARRAY(v->a, git_id, v->j->allowed_n);
	const struct trust_rules rules = {.signers = signers,
					  .now = v->j->now,
					  .clock_skew = v->j->clock_skew,
					  .allowed = allowed,
					  .allowed_n = v->j->allowed_n,
					  .allow_rewind = v->j->on_rewind != 0,
					  .verified_diverged = v->j->on_force_push != 0,
					  .on_judged = on_judged,
					  .arg = v};
	struct trust_advance adv;

	for (size_t i = 0; i < v->j->allowed_n; i++)
		git_id_parse(v->j->allowed[i], &allowed[i]);
	for (size_t i = 0; i < v->j->signers_n; i++) {
		const struct text t = {v->j->signers[i].name, v->j->signers[i].text};

		TRY(trust_signers_add(signers, &t));
	}
	TRY(send_warnings(v, signers));
	TRY(trust_verify_range(v->s, v->a, v->from, v->to, v->mode, &rules, &adv));
	if (v->sent)
		return STEAL(v->sent);
	TRY(send_commits(v, adv.commits, adv.commits_n));
	TRY(send_range(v, adv.commits, adv.commits_n));
	TRY(send_outcome(v, &adv));
	return adv.outcome == TRUST_HOLD ? NULL : send_affected(v);
}

static struct err *run(struct arena *a, const struct role *r, const struct worker_job *w,
		       struct worker_out *out)
{
	CLEANUP(git_store) struct git_store *s = NULL;
	struct job_verify j;
	struct verify v = {.a = a, .j = &j, .out = out};
	struct sandbox_plan plan = {0};

	TRY(job_verify_read(a, w, &j));
	v.mode = mode_of(j.mode);
	if (!git_id_parse(j.to, &v.to) || (j.from.n && !git_id_parse(j.from, &v.from)))
		return err_new(ERR_INVALID, "'from' or 'to' is no object id");
	git_setup();
	trust_setup();
	plan.read_dir = arena_str(a, j.objects).p;
	TRY(role_enter(r, &plan, &j.limits, out));
	TRY(git_store_open(plan.read_dir, &s));
	v.s = s;
	return j.op == JOB_RANGE ? list(&v) : judge(&v);
}

const struct role role_verify = {
	.name = "leeboard-verify",
	.sandbox = SANDBOX_VERIFY,
	.memory_bytes = 1024ull << 20,
	.cpu_seconds = 120,
	.run = run,
	.by_hand = verify_by_hand,
};
