/* The grammar of a commit, case by case (trust.md T-01 to T-13). */
#include "git/repo.h"
#include "leeboard/trust.h"

#define TREE "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
#define PARENT "parent 1111111111111111111111111111111111111111\n"
#define AUTHOR "author Ann <ann@example.org> 1700000000 +0100\n"
#define COMMITTER "committer Ben <ben@example.org> 1700000001 -0030\n"
#define CORE TREE PARENT AUTHOR COMMITTER
#define ARMOUR(word) word " -----BEGIN SSH SIGNATURE-----\n U1NI\n -----END SSH SIGNATURE-----\n"

static void a_signed_commit_splits_into_payload_and_signature(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct trust_fault fault = {0};
	struct trust_commit c;

	(void)state;
	assert_true(trust_commit_parse(
		a,
		STR(CORE "encoding x\n" ARMOUR("gpgsig") "mergetag a\n b\n \n\nhello\ngpgsig no\n"),
		20, &c, &fault));
	assert_str(c.payload, CORE "encoding x\nmergetag a\n b\n \n\nhello\ngpgsig no\n");
	assert_str(c.signature,
		   "-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----\n");
	assert_int_equal(c.kind, TRUST_SSH);
	assert_str(git_id_hex(a, c.tree), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
	assert_int_equal(c.parents_n, 1);
	assert_str(c.author.name, "Ann");
	assert_str(c.committer.email, "ben@example.org");
	assert_int_equal(c.committer.time, 1700000001);
	assert_str(c.committer.zone, "-0030");
	assert_str(c.message, "hello\ngpgsig no\n");
}

static void both_signature_headers_leave_the_payload_in_either_order(void **state)
{
	static const str commits[] = {
		STR(CORE ARMOUR("gpgsig") "gpgsig-sha256 other\n words\n\nm"),
		STR(CORE "gpgsig-sha256 other\n words\n" ARMOUR("gpgsig") "\nm"),
	};
	CLEANUP(arena) struct arena *a = arena_new();
	struct trust_fault fault = {0};
	struct trust_commit c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commits); i++) {
		assert_true(trust_commit_parse(a, commits[i], 20, &c, &fault));
		assert_str(c.payload, CORE "\nm");
		assert_int_equal(c.kind, TRUST_SSH);
	}
}

static void a_sha256_repository_reads_its_own_signature(void **state)
{
#define OID32 "1111111111111111111111111111111111111111111111111111111111111111"
	CLEANUP(arena) struct arena *a = arena_new();
	struct trust_fault fault = {0};
	struct trust_commit c;

	(void)state;
	assert_true(trust_commit_parse(a,
				       STR("tree " OID32 "\n" AUTHOR COMMITTER
					   "gpgsig old\n" ARMOUR("gpgsig-sha256") "\nm"),
				       32, &c, &fault));
	assert_str(c.payload, "tree " OID32 "\n" AUTHOR COMMITTER "\nm");
	assert_int_equal(c.kind, TRUST_SSH);
}

static void a_commit_without_the_header_is_unsigned_whatever_its_message_says(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct trust_fault fault = {0};
	struct trust_commit c;

	(void)state;
	assert_true(trust_commit_parse(a, STR(CORE "\n" ARMOUR("gpgsig")), 20, &c, &fault));
	assert_int_equal(c.kind, TRUST_NONE);
	assert_int_equal(c.signature.n, 0);
}

static void each_kind_of_signature_is_known_by_its_first_line(void **state)
{
	static const struct {
		str commit;
		enum trust_kind kind;
	} rows[] = {
		{STR(CORE
		     "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n"
		     " \n\nm"),
		 TRUST_OPENPGP},
		{STR(CORE
		     "gpgsig -----BEGIN SIGNED MESSAGE-----\n -----END SIGNED MESSAGE-----\n\nm"),
		 TRUST_X509},
		{STR(CORE "gpgsig -----BEGIN PGP MESSAGE-----\n -----END PGP MESSAGE-----\n\nm"),
		 TRUST_OTHER},
		{STR(CORE "gpgsig \n\nm"), TRUST_OTHER},
	};
	CLEANUP(arena) struct arena *a = arena_new();
	struct trust_fault fault = {0};
	struct trust_commit c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(trust_commit_parse(a, rows[i].commit, 20, &c, &fault));
		assert_int_equal(c.kind, rows[i].kind);
	}
}

static void what_the_grammar_does_not_know_is_malformed(void **state)
{
#define IDENT(line) TREE line COMMITTER "\nm"
	static const struct {
		str commit;
		const char *detail;
	} rows[] = {
		{STR(""), "no empty line after the headers"},
		{STR(CORE), "no empty line after the headers"},
		{STR(CORE "\nm\0more"), "a NUL byte"},
		{STR(AUTHOR COMMITTER "\nm"), "no valid tree line at the start"},
		{STR("tree 4B825DC642cb6eb9a060e54bf8d69288fbee4904\n" AUTHOR COMMITTER "\nm"),
		 "no valid tree line at the start"},
		{STR("tree " OID32 "\n" AUTHOR COMMITTER "\nm"), "no valid tree line at the start"},
		{STR(TREE "parent 11\n" AUTHOR COMMITTER "\nm"), "a parent line is no object id"},
		{STR(TREE PARENT PARENT AUTHOR COMMITTER "\nm"), "a parent is named twice"},
		{STR(TREE TREE AUTHOR COMMITTER "\nm"), "no valid author line after the parents"},
		{STR(TREE ARMOUR("gpgsig") AUTHOR COMMITTER "\nm"),
		 "no valid author line after the parents"},
		{STR(TREE AUTHOR AUTHOR COMMITTER "\nm"),
		 "no valid committer line after the author"},
		{STR(TREE AUTHOR PARENT COMMITTER "\nm"),
		 "no valid committer line after the author"},
		{STR(CORE COMMITTER "\nm"), "tree, parent, author or committer out of its place"},
		{STR(CORE "tree x\n\nm"), "tree, parent, author or committer out of its place"},
		{STR(CORE " x\n\nm"), "a continuation line with no header before it"},
		{STR(CORE "encoding\n\nm"), "a header line without a blank"},
		{STR(CORE "encoding x\r\n\nm"), "a header line ends in CR"},
		{STR(CORE "gpgsig -----BEGIN SSH SIGNATURE-----\r\n\nm"),
		 "a header line ends in CR"},
		{STR(CORE ARMOUR("gpgsig") ARMOUR("gpgsig") "\nm"), "a signature header twice"},
		{STR(CORE ARMOUR("gpgsigx") "\nm"), "a header that begins with gpgsig and is none"},
		{STR(CORE ARMOUR("gpgsig") "gpgsig-foo x\n y\n\nm"),
		 "a header that begins with gpgsig and is none"},
		{STR(CORE ARMOUR("gpgsig") " more\n\nm"), "text after the end of the signature"},
		{STR(CORE ARMOUR("gpgsig") " \n \n\nm"), "text after the end of the signature"},
		{STR(CORE "gpgsig -----BEGIN SSH SIGNATURE-----\n U1NI\n\nm"),
		 "the signature has no end line"},
		{STR(IDENT("author Ann ann@example.org 1 +0000\n")),
		 "no valid author line after the parents"},
		{STR(IDENT("author Ann <ann> -1 +0000\n")),
		 "no valid author line after the parents"},
		{STR(IDENT("author Ann <ann> 01 +0000\n")),
		 "no valid author line after the parents"},
		{STR(IDENT("author Ann <ann> 1 0000\n")), "no valid author line after the parents"},
		{STR(IDENT("author Ann <a<nn> 1 +0000\n")),
		 "no valid author line after the parents"},
		{STR(IDENT("author A>n <ann> 1 +0000\n")),
		 "no valid author line after the parents"},
		{STR(IDENT("author Ann <ann> 1 +0000 \n")),
		 "no valid author line after the parents"},
		{STR(IDENT("author Ann <ann> 99999999999999999999 +0000\n")),
		 "no valid author line after the parents"},
	};
	CLEANUP(arena) struct arena *a = arena_new();
	struct trust_commit c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trust_fault fault = {0};

		assert_false(trust_commit_parse(a, rows[i].commit, 20, &c, &fault));
		assert_string_equal(fault.detail, rows[i].detail);
		assert_int_equal(fault.verdict, TRUST_MALFORMED);
	}
}

static void what_is_too_large_is_said_so(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	static const char *const details[] = {
		"the object is larger than 1 MiB",
		"the headers are larger than 256 KiB",
		"the signature is larger than 64 KiB",
		"more than 64 parents",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(details); i++) {
		CLEANUP(buf) struct buf b = BUF_INIT;
		struct trust_fault fault = {0};
		struct trust_commit c;

		buf_printf(&b, "%s", TREE);
		for (unsigned p = 0; i == 3 && p < 65; p++)
			buf_printf(&b, "parent %040x\n", p);
		buf_printf(&b, "%s%s", AUTHOR, COMMITTER);
		buf_printf(&b, "%s", i == 2 ? "gpgsig " : "x ");
		for (size_t n = 0; n < (i == 1 ? 256u << 10 : i == 2 ? 64u << 10 : 0); n++)
			buf_char(&b, 'x');
		buf_printf(&b, "\n\n");
		for (size_t n = 0; i == 0 && n < 1u << 20; n++)
			buf_char(&b, 'x');
		assert_false(trust_commit_parse(a, buf_view(&b), 20, &c, &fault));
		assert_string_equal(fault.detail, details[i]);
		assert_int_equal(fault.verdict, TRUST_TOO_LARGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signed_commit_splits_into_payload_and_signature),
		cmocka_unit_test(both_signature_headers_leave_the_payload_in_either_order),
		cmocka_unit_test(a_sha256_repository_reads_its_own_signature),
		cmocka_unit_test(a_commit_without_the_header_is_unsigned_whatever_its_message_says),
		cmocka_unit_test(each_kind_of_signature_is_known_by_its_first_line),
		cmocka_unit_test(what_the_grammar_does_not_know_is_malformed),
		cmocka_unit_test(what_is_too_large_is_said_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
