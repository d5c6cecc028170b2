/* Commits signed by ssh-keygen through the real git, judged by both (trust.md 8.4 and 14). */
#include "git/repo.h"
#include "leeboard/trust.h"

#define NOW ((msec)1700001000 * SECOND)

struct world {
	struct repo repo;
	struct arena *a;
	struct git_store *store;
	struct trust_signers *signers;
};

static void add_signer(struct world *w, const char *principals, const char *key)
{
	CLEANUP(buf) struct buf line = BUF_INIT;
	CLEANUP(buf) struct buf pub = BUF_INIT;
	struct text file = {STR("signers"), STR_NONE};

	repo_run(&w->repo, REPO_T0, &pub, "cat", key);
	buf_printf(&line, "%s %s", principals, pub.p);
	file.bytes = buf_view(&line);
	repo_write(&w->repo, "signers", file.bytes);
	assert_ok(trust_signers_add(w->signers, &file));
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	const struct repo *r = &w->repo;

	git_setup();
	repo_init(&w->repo);
	repo_run(r, REPO_T0, NULL, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ann", "-f",
		 "ann");
	repo_run(r, REPO_T0, NULL, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "eve", "-f",
		 "eve");
	repo_run(r, REPO_T0, NULL, "git", "config", "gpg.format", "ssh");
	repo_run(r, REPO_T0, NULL, "git", "config", "user.signingkey", "ann");
	repo_run(r, REPO_T0, NULL, "git", "config", "gpg.ssh.allowedSignersFile", "signers");
	w->a = arena_new();
	w->signers = trust_signers_new();
	assert_ok(git_store_open(w->repo.path, &w->store));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	trust_signers_free(w->signers);
	git_store_close(w->store);
	arena_free(w->a);
	repo_done(&w->repo);
	free(w);
	return 0;
}

static void commit(struct world *w, const char *message)
{
	repo_run(&w->repo, REPO_T0, NULL, "git", "commit", "-q", "-S", "--allow-empty", "-m",
		 message);
}

static void commit_unsigned(struct world *w, const char *message)
{
	repo_run(&w->repo, REPO_T0, NULL, "git", "commit", "-q", "--allow-empty", "-m", message);
}

static git_id id_of(struct world *w, const char *rev)
{
	git_id id = GIT_ID_NONE;

	assert_true(git_id_parse(repo_rev(&w->repo, w->a, rev), &id));
	return id;
}

static struct trust_result verify_at(struct world *w, const char *rev, msec now)
{
	const struct trust_rules rules = {.signers = w->signers, .now = now};
	struct trust_result r;

	trust_verify_commit(w->store, w->a, id_of(w, rev), &rules, &r);
	return r;
}

static void verdict_is(struct world *w, const char *rev, msec now, const char *want)
{
	struct trust_result r = verify_at(w, rev, now);

	assert_str(arena_printf(w->a, "%s [" STR_FMT "] %s", trust_verdict_name(r.verdict),
				STR_ARG(r.principal), r.detail),
		   want);
}

static bool git_says_good(struct world *w, const char *rev)
{
	return repo_try(&w->repo, REPO_T0, STR_NONE, NULL,
			ARGV("sh", "-c", "git verify-commit \"$0\" 2>/dev/null", rev)) == 0;
}

static void a_commit_that_git_signed_is_good_with_key_and_principal(void **state)
{
	struct world *w = *state;
	CLEANUP(buf) struct buf finger = BUF_INIT;
	struct trust_result r;

	add_signer(w, "ann@example.org", "ann.pub");
	commit(w, "one");
	assert_true(git_says_good(w, "HEAD"));
	verdict_is(w, "HEAD", NOW, "Good [ann@example.org] ");
	r = verify_at(w, "HEAD", NOW);
	repo_run(&w->repo, REPO_T0, &finger, "ssh-keygen", "-l", "-f", "ann.pub");
	assert_str(arena_printf(w->a, "256 " STR_FMT " ann (ED25519)\n", STR_ARG(r.key)), finger.p);
	assert_int_equal(r.kind, TRUST_SSH);
	assert_int_equal(r.time, 1700000000);
	assert_true(git_id_eq(r.id, id_of(w, "HEAD")));
}

static void a_merge_with_a_signed_tag_is_good(void **state)
{
	struct world *w = *state;

	add_signer(w, "ann@example.org", "ann.pub");
	commit(w, "one");
	repo_run(&w->repo, REPO_T0, NULL, "git", "checkout", "-q", "-b", "side");
	commit(w, "two");
	repo_run(&w->repo, REPO_T0, NULL, "git", "tag", "-s", "-m", "tag", "v1");
	repo_run(&w->repo, REPO_T0, NULL, "git", "checkout", "-q", "main");
	repo_run(&w->repo, REPO_T0, NULL, "git", "merge", "-q", "-S", "--no-ff", "-m", "m", "v1");
	assert_true(git_says_good(w, "HEAD"));
	verdict_is(w, "HEAD", NOW, "Good [ann@example.org] ");
}

static void who_is_not_listed_or_did_not_sign_is_not_good(void **state)
{
	struct world *w = *state;

	add_signer(w, "ann@example.org", "ann.pub");
	commit_unsigned(w, "one");
	verdict_is(w, "HEAD", NOW, "Unsigned [] the commit has no signature");
	repo_run(&w->repo, REPO_T0, NULL, "git", "config", "user.signingkey", "eve");
	commit(w, "two");
	assert_false(git_says_good(w, "HEAD"));
	verdict_is(w, "HEAD", NOW, "KeyNotAllowed [] no line lists the key");
}

/* HEAD's bytes with the first `old` made `new`, as an object of its own; its id. */
static const char *edited(struct world *w, str old, str new)
{
	CLEANUP(buf) struct buf bytes = BUF_INIT;
	CLEANUP(buf) struct buf made = BUF_INIT;
	size_t at;

	repo_run(&w->repo, REPO_T0, &bytes, "git", "cat-file", "commit", "HEAD");
	at = str_find(buf_view(&bytes), old);
	assert_true(at != SIZE_MAX);
	buf_str(&made, str_sub(buf_view(&bytes), 0, at));
	buf_str(&made, new);
	buf_str(&made, str_sub(buf_view(&bytes), at + old.n, SIZE_MAX));
	return repo_object(&w->repo, w->a, "commit", buf_view(&made)).p;
}

static void every_plain_kind_of_key_is_verified_and_its_forgery_refused(void **state)
{
	static const struct {
		const char *type, *bits, *want;
	} rows[] = {
		{"ecdsa", "256", "Good [x] "},
		{"ecdsa", "384", "Good [x] "},
		{"ecdsa", "521", "Good [x] "},
		{"rsa", "3072", "Good [x] "},
		{"rsa", "2048", "WeakOrUnknownAlgorithm [] an RSA key of fewer than 3072 bits"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *name = arena_printf(w->a, "%s%s", rows[i].type, rows[i].bits).p;

		repo_run(&w->repo, REPO_T0, NULL, "ssh-keygen", "-q", "-t", rows[i].type, "-b",
			 rows[i].bits, "-N", "", "-f", name);
		repo_run(&w->repo, REPO_T0, NULL, "git", "config", "user.signingkey", name);
		add_signer(w, "x", arena_printf(w->a, "%s.pub", name).p);
		/* r and s of other lengths come up now and then. */
		for (int n = 0; n < 5; n++) {
			commit(w, "one");
			assert_true(git_says_good(w, "HEAD"));
			verdict_is(w, "HEAD", NOW, rows[i].want);
		}
		if (strcmp(rows[i].bits, "2048") != 0)
			verdict_is(w, edited(w, STR("one\n"), STR("two\n")), NOW,
				   "BadSignature [] the signature is not over these bytes");
	}
}

static void a_key_must_be_valid_then_and_now(void **state)
{
	struct world *w = *state;

	/* 2023-11-14T22:13:20Z is 1700000000, when the commit was made. */
	add_signer(w, "ann valid-after=\"20231114221320Z\",valid-before=\"20231114223000Z\"",
		   "ann.pub");
	commit(w, "one");
	verdict_is(w, "HEAD", NOW, "Good [ann] ");
	verdict_is(w, "HEAD", (msec)1700001001 * SECOND,
		   "KeyExpired [ann] the key is past its valid-before");
	repo_run(&w->repo, "1699999999", NULL, "git", "commit", "-q", "-S", "--allow-empty", "-m",
		 "early");
	verdict_is(w, "HEAD", NOW, "SignatureTime [ann] the key is not valid yet: valid-after");
}

static void a_commit_from_the_future_is_refused_beyond_the_skew(void **state)
{
	struct world *w = *state;

	add_signer(w, "ann", "ann.pub");
	commit(w, "one");
	verdict_is(w, "HEAD", (msec)1699999700 * SECOND, "Good [ann] ");
	verdict_is(w, "HEAD", (msec)1699999699 * SECOND,
		   "SignatureTime [ann] the committer's time lies in the future");
}

static void bytes_that_nobody_signed_are_refused_also_where_git_says_good(void **state)
{
	static const struct {
		str old, new;
		bool git;
		const char *want;
	} rows[] = {
		{STR("one\n"), STR("two\n"), false,
		 "BadSignature [] the signature is not over these bytes"},
		{STR("gpgsig -"), STR("gpgsigx unsigned\n bytes\ngpgsig -"), true,
		 "MalformedObject [] a header that begins with gpgsig and is none"},
		{STR("gpgsig -"), STR("gpgsig-foo unsigned\ngpgsig -"), true,
		 "MalformedObject [] a header that begins with gpgsig and is none"},
		{STR("gpgsig -"), STR("gpgsig-sha256 other\n lines\ngpgsig -"), true,
		 "Good [ann] "},
		{STR("one\n"), STR("one\n\0more"), false, "MalformedObject [] a NUL byte"},
		{STR("SIGNATURE-----\n "), STR("SIGNATURE-----\r\n "), false,
		 "MalformedObject [] a header line ends in CR"},
		{STR("gpgsig -"), STR("gpgsig x\ngpgsig -"), false,
		 "MalformedObject [] a signature header twice"},
	};
	struct world *w = *state;

	add_signer(w, "ann", "ann.pub");
	commit(w, "one");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *id = edited(w, rows[i].old, rows[i].new);

		verdict_is(w, id, NOW, rows[i].want);
		assert_int_equal(git_says_good(w, id), rows[i].git);
	}
}

static void a_signature_header_before_the_author_is_malformed_and_good_for_git(void **state)
{
	struct world *w = *state;
	CLEANUP(buf) struct buf bytes = BUF_INIT;
	CLEANUP(buf) struct buf made = BUF_INIT;
	size_t author, sig, end;
	const char *id;
	str all;

	add_signer(w, "ann", "ann.pub");
	commit(w, "one");
	repo_run(&w->repo, REPO_T0, &bytes, "git", "cat-file", "commit", "HEAD");
	all = buf_view(&bytes);
	author = str_find(all, STR("author "));
	sig = str_find(all, STR("gpgsig "));
	end = str_find(all, STR("\n\n")) + 1;
	buf_str(&made, str_sub(all, 0, author));
	buf_str(&made, str_sub(all, sig, end - sig));
	buf_str(&made, str_sub(all, author, sig - author));
	buf_str(&made, str_sub(all, end, SIZE_MAX));
	id = repo_object(&w->repo, w->a, "commit", buf_view(&made)).p;
	assert_true(git_says_good(w, id));
	verdict_is(w, id, NOW, "MalformedObject [] no valid author line after the parents");
}

static void what_is_no_commit_or_is_not_there_has_its_own_verdict(void **state)
{
	struct world *w = *state;
	const struct trust_rules rules = {.signers = w->signers, .now = NOW};
	struct trust_result r;

	commit(w, "one");
	trust_verify_commit(w->store, w->a, (git_id){.n = 20, .b = {7}}, &rules, &r);
	assert_int_equal(r.verdict, TRUST_MISSING);
	verdict_is(w, "HEAD^{tree}", NOW, "MalformedObject [] the object is no commit");
}

static str move_by(struct world *w, const char *from, const char *to, enum trust_mode mode,
		   const struct trust_rules *rules)
{
	struct trust_advance v = {0};

	assert_ok(trust_verify_range(w->store, w->a, from ? id_of(w, from) : GIT_ID_NONE,
				     id_of(w, to), mode, rules, &v));
	return arena_printf(w->a, "%s %s %s, %zu new", trust_move_name(v.move),
			    v.outcome == TRUST_ACCEPT ? "accept"
			    : v.outcome == TRUST_NOOP ? "noop"
						      : "hold",
			    v.reason ? v.reason : "-", v.commits_n);
}

static str move(struct world *w, const char *from, const char *to, enum trust_mode mode)
{
	const struct trust_rules rules = {.signers = w->signers, .now = NOW};

	return move_by(w, from, to, mode, &rules);
}

static void note(void *arg, const struct trust_result *r)
{
	struct buf *b = arg;

	buf_printf(b, "%s%s ", trust_verdict_name(r->verdict), r->allowed ? "!" : "");
}

static void what_the_operator_opens_is_open_and_no_more(void **state)
{
	struct world *w = *state;
	const struct repo *r = &w->repo;
	CLEANUP(buf) struct buf judged = BUF_INIT;
	git_id allowed;
	struct trust_result res;
	struct trust_rules back = {.now = NOW, .allow_rewind = true};
	struct trust_rules force = {.now = NOW, .verified_diverged = true};
	struct trust_rules person = {
		.now = NOW, .allowed = &allowed, .allowed_n = 1, .on_judged = note, .arg = &judged};

	add_signer(w, "ann", "ann.pub");
	back.signers = force.signers = person.signers = w->signers;
	commit(w, "one");
	repo_run(r, REPO_T0, NULL, "git", "tag", "one");
	commit_unsigned(w, "two");
	repo_run(r, REPO_T0, NULL, "git", "tag", "two");
	commit(w, "three");
	repo_run(r, REPO_T0, NULL, "git", "tag", "three");
	repo_run(r, REPO_T0, NULL, "git", "checkout", "-q", "-b", "side", "one");
	commit(w, "other");
	assert_str(move_by(w, "three", "one", TRUST_MODE_RANGE, &back), "rewound accept -, 0 new");
	assert_str(move_by(w, "three", "two", TRUST_MODE_RANGE, &back),
		   "rewound hold Unsigned, 0 new");
	assert_str(move_by(w, "three", "side", TRUST_MODE_RANGE, &back),
		   "diverged hold Diverged, 1 new");
	assert_str(move_by(w, "three", "side", TRUST_MODE_RANGE, &force),
		   "diverged accept -, 1 new");
	assert_str(move_by(w, "side", "three", TRUST_MODE_RANGE, &force),
		   "diverged hold Unsigned, 2 new");
	assert_str(move_by(w, "three", "one", TRUST_MODE_RANGE, &force),
		   "rewound hold Rewound, 0 new");

	allowed = id_of(w, "two");
	assert_str(move_by(w, "one", "three", TRUST_MODE_RANGE, &person),
		   "forward accept -, 2 new");
	assert_string_equal(judged.p, "Good Unsigned! ");
	buf_clear(&judged);
	allowed = id_of(w, "one");
	assert_str(move_by(w, "one", "three", TRUST_MODE_RANGE, &person),
		   "forward hold Unsigned, 2 new");
	assert_string_equal(judged.p, "Good Unsigned ");

	/* No word makes a missing object a commit. */
	allowed = (git_id){.n = 20, .b = {7}};
	trust_verify_commit(w->store, w->a, allowed, &person, &res);
	assert_false(trust_passes(&res));
}

static void head_mode_moves_forward_only_and_onto_good_commits_only(void **state)
{
	struct world *w = *state;
	const struct repo *r = &w->repo;

	add_signer(w, "ann", "ann.pub");
	commit_unsigned(w, "base");
	repo_run(r, REPO_T0, NULL, "git", "tag", "base");
	commit(w, "one");
	repo_run(r, REPO_T0, NULL, "git", "tag", "one");
	commit_unsigned(w, "two");
	repo_run(r, REPO_T0, NULL, "git", "tag", "two");
	commit(w, "three");
	repo_run(r, REPO_T0, NULL, "git", "tag", "three");
	repo_run(r, REPO_T0, NULL, "git", "checkout", "-q", "-b", "side", "one");
	commit(w, "other");
	repo_run(r, REPO_T0, NULL, "git", "checkout", "-q", "--orphan", "else");
	commit(w, "root");
	assert_str(move(w, NULL, "one", TRUST_MODE_HEAD), "first accept -, 1 new");
	assert_str(move(w, NULL, "base", TRUST_MODE_HEAD), "first hold Unsigned, 1 new");
	assert_str(move(w, "one", "one", TRUST_MODE_HEAD), "same noop -, 0 new");
	assert_str(move(w, "one", "two", TRUST_MODE_HEAD), "forward hold Unsigned, 1 new");
	assert_str(move(w, "one", "three", TRUST_MODE_HEAD), "forward accept -, 2 new");
	assert_str(move(w, "three", "one", TRUST_MODE_HEAD), "rewound hold Rewound, 0 new");
	assert_str(move(w, "three", "side", TRUST_MODE_HEAD), "diverged hold Diverged, 1 new");
	assert_str(move(w, "three", "else", TRUST_MODE_HEAD), "unrelated hold Unrelated, 0 new");
	assert_str(move(w, "one", "two", TRUST_MODE_OFF), "forward accept -, 1 new");
	assert_str(move(w, "two", "two", TRUST_MODE_HEAD), "same hold Unsigned, 0 new");
	trust_signers_free(w->signers);
	w->signers = trust_signers_new();
	assert_str(move(w, "one", "one", TRUST_MODE_HEAD), "same hold AcceptedKeyUntrusted, 0 new");
}

static void range_judges_each_commit_and_first_parent_those_on_the_chain(void **state)
{
	struct world *w = *state;
	const struct repo *r = &w->repo;

	add_signer(w, "ann", "ann.pub");
	commit_unsigned(w, "base");
	repo_run(r, REPO_T0, NULL, "git", "tag", "base");
	repo_run(r, REPO_T0, NULL, "git", "checkout", "-q", "-b", "side");
	commit_unsigned(w, "unsigned on the side");
	repo_run(r, REPO_T0, NULL, "git", "checkout", "-q", "main");
	commit(w, "one");
	repo_run(r, REPO_T0, NULL, "git", "tag", "one");
	repo_run(r, REPO_T0, NULL, "git", "merge", "-q", "-S", "--no-ff", "-m", "m", "side");
	repo_run(r, REPO_T0, NULL, "git", "tag", "merge");
	commit_unsigned(w, "two");
	repo_run(r, REPO_T0, NULL, "git", "tag", "two");
	commit(w, "three");
	assert_str(move(w, "base", "one", TRUST_MODE_RANGE), "forward accept -, 1 new");
	assert_str(move(w, "base", "merge", TRUST_MODE_FIRST_PARENT), "forward accept -, 2 new");
	assert_str(move(w, "base", "merge", TRUST_MODE_RANGE), "forward hold Unsigned, 3 new");
	assert_str(move(w, "base", "merge", TRUST_MODE_HEAD), "forward accept -, 3 new");
	assert_str(move(w, "merge", "main", TRUST_MODE_FIRST_PARENT),
		   "forward hold Unsigned, 2 new");
	assert_str(move(w, "two", "main", TRUST_MODE_RANGE), "forward accept -, 1 new");
	repo_run(r, REPO_T0, NULL, "git", "checkout", "-q", "--orphan", "else");
	commit(w, "root");
	repo_run(r, REPO_T0, NULL, "git", "checkout", "-q", "main");
	repo_run(r, REPO_T0, NULL, "git", "tag", "before");
	repo_run(r, REPO_T0, NULL, "git", "merge", "-q", "-S", "--no-ff", "-m", "m",
		 "--allow-unrelated-histories", "else");
	assert_str(move(w, "before", "main", TRUST_MODE_FIRST_PARENT), "forward accept -, 1 new");
	assert_str(move(w, "before", "main", TRUST_MODE_RANGE),
		   "forward hold UnrelatedRoot, 2 new");
}

static void a_mode_that_is_not_built_is_an_error_and_no_verdict(void **state)
{
	struct world *w = *state;
	const struct trust_rules rules = {.signers = w->signers, .now = NOW};
	struct trust_advance v;
	enum trust_mode mode;

	commit(w, "one");
	assert_true(trust_mode_from_name(STR("authorized"), &mode));
	assert_false(trust_mode_from_name(STR("first"), &mode));
	assert_fails(
		trust_verify_range(w->store, w->a, GIT_ID_NONE, id_of(w, "HEAD"), mode, &rules, &v),
		"verify mode 'authorized' is not supported yet");
	assert_fails(
		trust_verify_range(w->store, w->a, GIT_ID_NONE, id_of(w, "HEAD"), TRUST_MODE_RANGE,
				   &rules, &v),
		"an introduction, which verify mode 'range' begins with, is not supported yet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_commit_that_git_signed_is_good_with_key_and_principal),
		T(a_merge_with_a_signed_tag_is_good),
		T(who_is_not_listed_or_did_not_sign_is_not_good),
		T(every_plain_kind_of_key_is_verified_and_its_forgery_refused),
		T(a_key_must_be_valid_then_and_now),
		T(a_commit_from_the_future_is_refused_beyond_the_skew),
		T(bytes_that_nobody_signed_are_refused_also_where_git_says_good),
		T(a_signature_header_before_the_author_is_malformed_and_good_for_git),
		T(what_is_no_commit_or_is_not_there_has_its_own_verdict),
		T(head_mode_moves_forward_only_and_onto_good_commits_only),
		T(what_the_operator_opens_is_open_and_no_more),
		T(range_judges_each_commit_and_first_parent_those_on_the_chain),
		T(a_mode_that_is_not_built_is_an_error_and_no_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
