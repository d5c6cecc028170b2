#include "store/store_test.h"

static struct store_trust record(void)
{
	static const struct store_noted allowed[] = {
		{STR("8c0d3fe"), 1000, STR("ana"), STR("a \"hotfix\"\n")}};
	static const str denied[] = {STR("d1"), STR("d2")};
	static const struct store_noted seen[] = {{STR("3f2a91c"), 2000, STR_NONE, STR_NONE},
						  {STR("8c0d3fe"), 3000, STR_NONE, STR_NONE}};

	return (struct store_trust){
		.source = STR("fleet"),
		.ref = STR("refs/heads/main"),
		.url = STR("https://git.example.org/fleet.git"),
		.accepted_oid = STR("3f2a91c0b7f8e6d5c4b3a2918070605040302010"),
		.accepted_tree = STR("a10c77e0b7f8e6d5c4b3a2918070605040302010"),
		.accepted_at = 1795348807212,
		.generation = 7,
		.verify_mode = STR("range"),
		.policy_digest = STR("aa"),
		.trust_digest = STR("bb"),
		.introduction = STR("9f3c1b7"),
		.signer = STR("ana@example.org"),
		.key = STR("SHA256:lbmsoA0y"),
		.seen_oid = STR("8c0d3fe"),
		.seen_at = 1795348807999,
		.offered_oid = STR("8c0d3fe"),
		.refused_reason = STR("Unsigned"),
		.refused_message = STR("commit 8c0d3fe is not signed"),
		.offered_at = 1795348808000,
		.tag_name = STR("v1.2.3"),
		.tag_oid = STR("77be012"),
		.highest_version = STR("1.2.3"),
		.allowed = allowed,
		.allowed_n = 1,
		.denied = denied,
		.denied_n = 2,
		.first_seen = seen,
		.first_seen_n = 2,
	};
}

/* As text, for comparing two records whole. */
static const char *shown(struct arena *a, const struct store_trust *t)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	store_trust_print(t, 1, &b);
	return arena_str(a, buf_view(&b)).p;
}

static void get(struct story *y, enum store_trust_found want, struct store_trust *ret)
{
	enum store_trust_found found;

	no_err(store_trust_get(y->s, y->a, STR("fleet"), ret, &found));
	assert_int_equal(found, want);
}

static void test_a_new_source_has_no_record(void **state)
{
	struct store_trust t;

	get(*state, STORE_TRUST_NONE, &t);
	assert_int_equal(t.source.n, 0);
}

static void test_every_member_comes_back_after_a_restart(void **state)
{
	struct story *y = *state;
	struct store_trust t = record(), got;

	no_err(store_trust_put(y->s, &t));
	reopen(y);
	get(y, STORE_TRUST_OK, &got);
	assert_string_equal(shown(y->a, &got), shown(y->a, &t));
	assert_int_equal(got.allowed[0].reason.n, 11);
	assert_int_equal(got.generation, 7);
	is_str(got.denied[1], "d2");
	assert_int_equal(got.first_seen[1].at, 3000);
}

static void test_the_newest_of_many_writes_counts(void **state)
{
	struct story *y = *state;
	struct store_trust t = record(), got;

	for (uint64_t i = 1; i <= 5; i++) {
		t.generation = 6 + i;
		no_err(store_trust_put(y->s, &t));
		get(y, STORE_TRUST_OK, &got);
		assert_int_equal(got.generation, 6 + i);
	}
}

static void test_a_generation_never_goes_back(void **state)
{
	struct story *y = *state;
	struct store_trust t = record(), got;

	no_err(store_trust_put(y->s, &t));
	t.generation = 6;
	is_err(y, store_trust_put(y->s, &t), ERR_INVALID,
	       "the generation of source 'fleet' would go back from 7 to 6");
	get(y, STORE_TRUST_OK, &got);
	assert_int_equal(got.generation, 7);
}

static void write_file(const char *path, str bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
	close(fd);
}

static void two_generations(struct story *y)
{
	struct store_trust t = record();

	no_err(store_trust_put(y->s, &t)); /* serial 1: file .1 */
	t.generation = 8;
	no_err(store_trust_put(y->s, &t)); /* serial 2: file .0 */
}

static void test_each_flipped_byte_of_the_newest_leaves_the_older_one(void **state)
{
	struct story *y = *state;
	const char *path = in_dir(y, "trust/fleet.0");
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct store_trust got;

	two_generations(y);
	no_err(file_read(path, STORE_MAX_TRUST, &b));
	assert_true(b.n > 500);
	for (size_t i = 0; i < b.n; i++) {
		for (unsigned bit = 1; bit < 256; bit <<= 3) {
			b.p[i] = (char)(b.p[i] ^ (char)bit);
			write_file(path, buf_view(&b));
			get(y, STORE_TRUST_OLDER, &got);
			assert_int_equal(got.generation, 7);
			b.p[i] = (char)(b.p[i] ^ (char)bit);
		}
	}
	write_file(path, buf_view(&b));
	get(y, STORE_TRUST_OK, &got);
	assert_int_equal(got.generation, 8);
}

static void test_each_truncation_and_an_appended_byte_are_damage(void **state)
{
	struct story *y = *state;
	const char *path = in_dir(y, "trust/fleet.0");
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct store_trust got;

	two_generations(y);
	no_err(file_read(path, STORE_MAX_TRUST, &b));
	for (size_t n = 0; n < b.n; n++) {
		write_file(path, str_n(b.p, n));
		get(y, STORE_TRUST_OLDER, &got);
	}
	buf_char(&b, '\n');
	write_file(path, buf_view(&b));
	get(y, STORE_TRUST_OLDER, &got);
}

static void test_both_damaged_is_lost_and_the_next_write_mends_both(void **state)
{
	struct story *y = *state;
	struct store_trust t = record(), got;

	two_generations(y);
	write_file(in_dir(y, "trust/fleet.0"), STR("x"));
	write_file(in_dir(y, "trust/fleet.1"), STR(""));
	get(y, STORE_TRUST_LOST, &got);
	no_err(store_trust_put(y->s, &t));
	get(y, STORE_TRUST_OK, &got);
	write_file(in_dir(y, "trust/fleet.0"), STR("x"));
	get(y, STORE_TRUST_OLDER, &got);
	assert_string_equal(shown(y->a, &got), shown(y->a, &t));
}

static void test_a_lost_newest_file_is_noticed(void **state)
{
	struct story *y = *state;
	struct store_trust t = record(), got;

	two_generations(y);
	t.generation = 9;
	no_err(store_trust_put(y->s, &t));
	unlink(in_dir(y, "trust/fleet.1"));
	get(y, STORE_TRUST_OLDER, &got);
	assert_int_equal(got.generation, 8);
}

static void test_a_copy_of_one_file_over_the_other_is_noticed(void **state)
{
	struct story *y = *state;
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct store_trust got;

	two_generations(y);
	no_err(file_read(in_dir(y, "trust/fleet.1"), STORE_MAX_TRUST, &b));
	write_file(in_dir(y, "trust/fleet.0"), buf_view(&b));
	get(y, STORE_TRUST_OLDER, &got);
}

static void test_the_record_of_another_source_is_refused(void **state)
{
	struct story *y = *state;
	struct store_trust got;
	enum store_trust_found found;

	two_generations(y);
	rename(in_dir(y, "trust/fleet.0"), in_dir(y, "trust/other.0"));
	is_err(y, store_trust_get(y->s, y->a, STR("other"), &got, &found), ERR_STORAGE,
	       "'PATH/trust/other.0' belongs to source 'fleet'");
}

/* With a right hash, so that it is the version alone. */
static void test_a_record_of_a_newer_leeboard_is_held_not_lost(void **state)
{
	struct story *y = *state;
	const char *head = "leeboard-trust 2 2 2";
	struct store_trust got;
	enum store_trust_found found;
	str all = arena_printf(y->a, "%s\n{}", head), file;
	str hex = hash_hex(y->a, hash_blake2b(NULL, STR("leeboard/trust-record/1"), all));

	two_generations(y);
	file = arena_printf(y->a, "%s " STR_FMT "\n{}\n", head, STR_ARG(hex));
	write_file(in_dir(y, "trust/fleet.0"), file);
	is_err(y, store_trust_get(y->s, y->a, STR("fleet"), &got, &found), ERR_STORAGE,
	       "the trust record was written by a newer leeboard (read 'PATH/trust/fleet.0')");
}

static void test_a_deleted_record_is_gone(void **state)
{
	struct story *y = *state;
	struct store_trust got;

	two_generations(y);
	no_err(store_trust_del(y->s, STR("fleet")));
	get(y, STORE_TRUST_NONE, &got);
	no_err(store_trust_del(y->s, STR("fleet")));
}

static void test_a_name_with_a_slash_stays_in_the_folder(void **state)
{
	struct story *y = *state;
	struct store_trust t = record(), got;
	enum store_trust_found found;

	t.source = STR("../team/Fleet");
	no_err(store_trust_put(y->s, &t));
	assert_int_equal(access(in_dir(y, "trust/-x2e.-x2fteam-x2f-x46leet.1"), F_OK), 0);
	no_err(store_trust_get(y->s, y->a, t.source, &got, &found));
	assert_int_equal(found, STORE_TRUST_OK);
}

static void test_text_that_could_not_be_read_back_is_refused_and_nothing_is_lost(void **state)
{
	struct story *y = *state;
	struct store_trust t = record(), got;

	two_generations(y);
	t.generation = 9;
	t.refused_message = STR("bad \0 byte");
	is_err(y, store_trust_put(y->s, &t), ERR_INVALID,
	       "the trust record of 'fleet' cannot be written");
	get(y, STORE_TRUST_OK, &got);
	assert_int_equal(got.generation, 8);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_open, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_new_source_has_no_record),
		T(test_every_member_comes_back_after_a_restart),
		T(test_the_newest_of_many_writes_counts),
		T(test_a_generation_never_goes_back),
		T(test_each_flipped_byte_of_the_newest_leaves_the_older_one),
		T(test_each_truncation_and_an_appended_byte_are_damage),
		T(test_both_damaged_is_lost_and_the_next_write_mends_both),
		T(test_a_lost_newest_file_is_noticed),
		T(test_a_copy_of_one_file_over_the_other_is_noticed),
		T(test_the_record_of_another_source_is_refused),
		T(test_a_record_of_a_newer_leeboard_is_held_not_lost),
		T(test_a_deleted_record_is_gone),
		T(test_a_name_with_a_slash_stays_in_the_folder),
		T(test_text_that_could_not_be_read_back_is_refused_and_nothing_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
