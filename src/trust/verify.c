/* One commit judged, and what it means when a ref moves. */
#include "trust_priv.h"

static const struct {
	const char *name, *class;
} verdicts[] = {
#define X(id, reason, class) [id] = {(reason), (class)},
	TRUST_VERDICTS(X)
#undef X
};
static const char *const moves[] = {
#define X(id, name) [id] = (name),
	TRUST_MOVES(X)
#undef X
};
static const char *const modes[] = {
#define X(id, name) [id] = (name),
	TRUST_MODES(X)
#undef X
};

const char *trust_verdict_name(enum trust_verdict v)
{
	return verdicts[v].name;
}

const char *trust_verdict_class(enum trust_verdict v)
{
	return verdicts[v].class;
}

const char *trust_move_name(enum trust_move m)
{
	return moves[m];
}

bool trust_mode_from_name(str name, enum trust_mode *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (str_eq(name, str_from(modes[i]))) {
			*ret = (enum trust_mode)i;
			return true;
		}
	}
	return false;
}

static void judged(struct trust_result *r, enum trust_verdict v, const char *detail)
{
	r->verdict = v;
	r->detail = detail;
}

bool trust_passes(const struct trust_result *r)
{
	return r->verdict == TRUST_GOOD || r->allowed;
}

/* A person's word stands for a signature, not for an object (P-104, P-92). */
static bool may_be_allowed(enum trust_verdict v)
{
	switch (v) {
	case TRUST_UNSIGNED:
	case TRUST_UNKNOWN_SIGNATURE:
	case TRUST_UNSUPPORTED:
	case TRUST_BAD_SIGNATURE:
	case TRUST_WRONG_NAMESPACE:
	case TRUST_WEAK:
	case TRUST_KEY_NOT_ALLOWED:
	case TRUST_KEY_EXPIRED:
	case TRUST_SIGNATURE_TIME:
		return true;
	case TRUST_GOOD:
	case TRUST_MALFORMED:
	case TRUST_TOO_LARGE:
	case TRUST_CORRUPT:
	case TRUST_MISSING:
		break;
	}
	return false;
}

static bool is_allowed(const struct trust_rules *rules, const struct trust_result *r)
{
	for (size_t i = 0; i < rules->allowed_n; i++) {
		if (git_id_eq(rules->allowed[i], r->id))
			return may_be_allowed(r->verdict);
	}
	return false;
}

static void verify_ssh(struct arena *a, const struct trust_commit *c,
		       const struct trust_rules *rules, struct trust_result *r)
{
	const msec skew = rules->clock_skew ? rules->clock_skew : TRUST_CLOCK_SKEW;
	/* Valid when it was made, as it claims, and now: a leaked expired key can back-date. */
	const int64_t times[] = {c->committer.time, rules->now / 1000};
	struct trust_fault fault;
	struct trust_sshsig sig;
	enum trust_verdict v;
	const char *detail;

	if (!trust_sshsig_parse(a, c->signature, &sig, &fault)) {
		judged(r, fault.verdict, fault.detail);
		return;
	}
	r->key = trust_fingerprint(a, sig.key);
	if (!trust_sshsig_verify(&sig, c->payload, STR("git"), &fault)) {
		judged(r, fault.verdict, fault.detail);
		return;
	}
	v = trust_signers_judge(rules->signers, sig.key, STR("git"), times, ARRAY_LEN(times),
				&r->principal, &detail);
	if (v == TRUST_GOOD && c->committer.time > (rules->now + skew) / 1000) {
		v = TRUST_SIGNATURE_TIME;
		detail = "the committer's time lies in the future";
	}
	judged(r, v, detail);
}

void trust_verify_bytes(struct arena *a, git_id id, str bytes, const struct trust_rules *rules,
			struct trust_result *ret)
{
	struct trust_result r = {.id = id, .detail = ""};
	struct trust_fault fault;
	struct trust_commit c;

	if (!trust_commit_parse(a, bytes, id.n, &c, &fault)) {
		judged(&r, fault.verdict, fault.detail);
		*ret = r;
		return;
	}
	r.kind = c.kind;
	r.time = c.committer.time;
	switch (c.kind) {
	case TRUST_NONE:
		judged(&r, TRUST_UNSIGNED, "the commit has no signature");
		break;
	case TRUST_SSH:
		verify_ssh(a, &c, rules, &r);
		break;
	case TRUST_OPENPGP:
		judged(&r, TRUST_UNSUPPORTED, "OpenPGP signatures are not supported yet");
		break;
	case TRUST_X509:
		judged(&r, TRUST_UNSUPPORTED, "X.509 signatures are not supported yet");
		break;
	case TRUST_OTHER:
		judged(&r, TRUST_UNKNOWN_SIGNATURE, "a signature of an unknown kind");
		break;
	}
	*ret = r;
}

void trust_verify_commit(struct git_store *s, struct arena *a, git_id id,
			 const struct trust_rules *rules, struct trust_result *ret)
{
	struct trust_result r = {.id = id, .detail = ""};
	enum git_kind kind;
	str bytes;

	switch (git_store_read(s, a, id, TRUST_MAX_OBJECT, &kind, &bytes)) {
	case GIT_READ_OK:
		if (kind == GIT_KIND_COMMIT) {
			trust_verify_bytes(a, id, bytes, rules, ret);
			ret->allowed = is_allowed(rules, ret);
			return;
		}
		judged(&r, TRUST_MALFORMED, "the object is no commit");
		break;
	case GIT_READ_MISSING:
		judged(&r, TRUST_MISSING, "the commit is not in the store");
		break;
	case GIT_READ_TOO_LARGE:
		judged(&r, TRUST_TOO_LARGE, "the object is larger than 1 MiB");
		break;
	case GIT_READ_CORRUPT:
		judged(&r, TRUST_CORRUPT, "the object's bytes do not hash to its id");
		break;
	}
	*ret = r;
}

static enum trust_move move_of(struct git_store *s, git_id from, git_id to)
{
	enum git_relation rel;
	git_id at;

	if (from.n == 0)
		return TRUST_MOVE_FIRST;
	if (git_relation(s, from, to, &rel, &at) != GIT_WALK_OK)
		return TRUST_MOVE_UNKNOWN;
	switch (rel) {
	case GIT_SAME:
		return TRUST_MOVE_SAME;
	case GIT_DESCENDS:
		return TRUST_MOVE_FORWARD;
	case GIT_ANCESTOR:
		return TRUST_MOVE_REWOUND;
	case GIT_DIVERGED:
		return TRUST_MOVE_DIVERGED;
	case GIT_UNRELATED:
		return TRUST_MOVE_UNRELATED;
	}
	return TRUST_MOVE_UNKNOWN;
}

static void hold(struct trust_advance *v, const char *reason)
{
	v->outcome = TRUST_HOLD;
	v->reason = reason;
}

static void accept(struct trust_advance *v, bool good)
{
	v->outcome = TRUST_ACCEPT;
	if (!good)
		hold(v, trust_verdict_name(v->head.verdict));
}

static void decide(const struct trust_rules *rules, struct trust_advance *v, bool good)
{
	v->reason = NULL;
	switch (v->move) {
	case TRUST_MOVE_FIRST:
	case TRUST_MOVE_FORWARD:
		accept(v, good);
		break;
	case TRUST_MOVE_SAME: /* judged again, as the signers may have changed since (P-03) */
		v->outcome = TRUST_NOOP;
		if (!good)
			hold(v, v->head.verdict == TRUST_KEY_NOT_ALLOWED
					? "AcceptedKeyUntrusted"
					: trust_verdict_name(v->head.verdict));
		break;
	case TRUST_MOVE_REWOUND:
		if (rules->allow_rewind)
			accept(v, good);
		else
			hold(v, "Rewound");
		break;
	case TRUST_MOVE_DIVERGED:
		if (rules->verified_diverged)
			accept(v, good);
		else
			hold(v, "Diverged");
		break;
	case TRUST_MOVE_UNRELATED:
		hold(v, "Unrelated");
		break;
	case TRUST_MOVE_UNKNOWN:
		hold(v, trust_verdict_name(TRUST_MISSING));
		break;
	}
}

/* A commit that the mode judges and that is not good, or a root that history grew later (P-38a). */
static void judge_new(struct git_store *s, struct arena *a, git_id id, enum trust_mode mode,
		      const struct trust_rules *rules, struct trust_advance *v)
{
	CLEANUP(arena) struct arena *scratch = arena_new();
	struct trust_result r;
	struct git_links l;
	enum git_kind kind;
	str bytes;

	trust_verify_commit(s, scratch, id, rules, &r);
	if (rules->on_judged && !git_id_eq(id, v->head.id))
		rules->on_judged(rules->arg, &r);
	if (!trust_passes(&r)) {
		if (v->bad_n++ == 0) {
			trust_verify_commit(s, a, id, rules, &v->bad);
			hold(v, trust_verdict_name(v->bad.verdict));
		}
		return;
	}
	if (mode == TRUST_MODE_RANGE && v->outcome != TRUST_HOLD &&
	    git_store_read(s, scratch, id, TRUST_MAX_OBJECT, &kind, &bytes) == GIT_READ_OK &&
	    git_links_parse(scratch, bytes, id.n, &l) && l.n == 0) {
		v->bad = (struct trust_result){.id = id, .detail = "a commit without parents"};
		hold(v, "UnrelatedRoot");
	}
}

/* Which of the new commits lie on the chain of first parents; the list is parents first. */
static bool first_parents(struct git_store *s, git_id at, git_id **commits, size_t *n)
{
	size_t kept = *n;

	for (size_t i = *n; i-- > 0 && at.n;) {
		CLEANUP(arena) struct arena *scratch = arena_new();
		struct git_links l;
		enum git_kind kind;
		str bytes;

		if (!git_id_eq((*commits)[i], at))
			continue;
		(*commits)[--kept] = at;
		if (git_store_read(s, scratch, at, TRUST_MAX_OBJECT, &kind, &bytes) !=
			    GIT_READ_OK ||
		    !git_links_parse(scratch, bytes, at.n, &l))
			return false;
		at = l.n ? l.parents[0] : GIT_ID_NONE;
	}
	*commits += kept;
	*n -= kept;
	return true;
}

enum git_walk trust_list_range(struct git_store *s, struct arena *a, git_id from, git_id to,
			       enum trust_mode mode, git_id **ret, size_t *n)
{
	git_id *commits = NULL, at;
	size_t commits_n = 0;
	enum git_walk walk;

	if (from.n == 0) {
		commits = ARENA_NEW(a, git_id);
		*commits = to;
		commits_n = 1;
	} else if (!git_id_eq(from, to)) {
		walk = git_range(s, a, from, to, TRUST_MAX_RANGE, &commits, &commits_n, &at);
		if (walk != GIT_WALK_OK)
			return walk;
		if (mode == TRUST_MODE_FIRST_PARENT && !first_parents(s, to, &commits, &commits_n))
			return GIT_WALK_MISSING;
	}
	*ret = commits;
	*n = commits_n;
	return GIT_WALK_OK;
}

static struct err *head_of(struct git_store *s, struct arena *a, git_id to, enum trust_mode mode,
			   const struct trust_rules *rules, struct trust_advance *v)
{
	switch (mode) {
	case TRUST_MODE_OFF:
		v->head = (struct trust_result){
			.id = to, .verdict = TRUST_UNSIGNED, .detail = "verification is off"};
		return NULL;
	case TRUST_MODE_FIRST_PARENT:
	case TRUST_MODE_RANGE:
		if (v->move == TRUST_MOVE_FIRST)
			return err_new(
				ERR_NOT_SUPPORTED,
				"an introduction, which verify mode '%s' begins with, is not "
				"supported yet",
				modes[mode]);
		break;
	case TRUST_MODE_HEAD:
		break;
	case TRUST_MODE_TAG:
	case TRUST_MODE_TAG_HEAD:
	case TRUST_MODE_AUTHORIZED:
		return err_new(ERR_NOT_SUPPORTED, "verify mode '%s' is not supported yet",
			       modes[mode]);
	}
	trust_verify_commit(s, a, to, rules, &v->head);
	if (rules->on_judged)
		rules->on_judged(rules->arg, &v->head);
	return NULL;
}

struct err *trust_verify_range(struct git_store *s, struct arena *a, git_id from, git_id to,
			       enum trust_mode mode, const struct trust_rules *rules,
			       struct trust_advance *ret)
{
	struct trust_advance v = {.move = move_of(s, from, to)};
	bool each = mode == TRUST_MODE_FIRST_PARENT || mode == TRUST_MODE_RANGE;
	enum git_walk walk;

	TRY(head_of(s, a, to, mode, rules, &v));
	decide(rules, &v, mode == TRUST_MODE_OFF || trust_passes(&v.head));
	if (v.move == TRUST_MOVE_FIRST || v.move == TRUST_MOVE_FORWARD ||
	    v.move == TRUST_MOVE_DIVERGED) {
		walk = trust_list_range(s, a, from, to, mode, &v.commits, &v.commits_n);
		/* In head mode the list is for people and for path rules. */
		if (each && walk != GIT_WALK_OK && v.outcome == TRUST_ACCEPT)
			hold(&v, trust_verdict_name(walk == GIT_WALK_LIMIT ? TRUST_TOO_LARGE
									   : TRUST_MISSING));
		if (v.move == TRUST_MOVE_DIVERGED && !rules->verified_diverged)
			each = false;
		for (size_t i = 0; each && i < v.commits_n; i++)
			judge_new(s, a, v.commits[i], mode, rules, &v);
	}
	*ret = v;
	return NULL;
}
