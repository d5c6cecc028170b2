/* The allowed_signers file: what is read, what refuses it, and whom it allows. */
#include "git/repo.h"
#include "leeboard/trust.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
#define BLOB                                                                                       \
	STR("\0\0\0\x0bssh-ed25519\0\0\0\x20\x03\xa1\x07\xbf\xf3\xce\x10\xbe\x1d\x70\xdd\x18"      \
	    "\xe7\x4b\xc0\x99\x67\xe4\xd6\x30\x9b\xa5\x0d\x5f\x1d\xdc\x86\x64\x12\x55\x31\xb8")

static struct err *load(struct trust_signers *s, str bytes)
{
	const struct text file = {STR("signers"), bytes};

	return trust_signers_add(s, &file);
}

/* "Good ann@example.org", or the reason and detail. */
static str judge(struct arena *a, str bytes, int64_t signed_at, int64_t now)
{
	CLEANUP(trust_signers) struct trust_signers *s = trust_signers_new();
	const int64_t times[] = {signed_at, now};
	enum trust_verdict v;
	const char *detail;
	str principal;

	assert_ok(load(s, bytes));
	v = trust_signers_judge(s, BLOB, STR("git"), times, 2, &principal, &detail);
	return arena_printf(a, "%s [" STR_FMT "] %s", trust_verdict_name(v), STR_ARG(principal),
			    detail);
}

static void lines_say_who_may_sign_what_and_when(void **state)
{
	static const struct {
		str file;
		int64_t signed_at, now;
		const char *want;
	} rows[] = {
		{STR("# nobody\n\n"), 0, 0, "KeyNotAllowed [] no line lists the key"},
		{STR("ann@example.org " KEY " Ann's key\n"), 0, 0, "Good [ann@example.org] "},
		{STR("\t\"ann,*@b\"  " KEY "\r\n"), 0, 0, "Good [ann,*@b] "},
		{STR("a namespaces=\"git\" " KEY), 0, 0, "Good [a] "},
		{STR("a NameSpaces=\"file,g*\" " KEY), 0, 0, "Good [a] "},
		{STR("a namespaces=\"file,!git,*\" " KEY), 0, 0,
		 "KeyNotAllowed [a] the key is listed for other namespaces only"},
		/* 2024-02-29T12:30:05Z is 1709209805; both ends belong to the window. */
		{STR("a valid-after=\"20240229123005Z\" " KEY), 1709209805, 1709209805,
		 "Good [a] "},
		{STR("a valid-after=\"20240229123005Z\" " KEY), 1709209804, 1709209805,
		 "SignatureTime [a] the key is not valid yet: valid-after"},
		{STR("a valid-before=\"202402291230Z\" " KEY), 1709209800, 1709209800, "Good [a] "},
		{STR("a valid-before=\"202402291230Z\" " KEY), 1, 1709209801,
		 "KeyExpired [a] the key is past its valid-before"},
		{STR("a valid-before=\"20240229Z\" " KEY "\nb " KEY), 1709209801, 1709209801,
		 "Good [b] "},
		{STR("a valid-before=\"20240229Z\",valid-after=\"20240228Z\" " KEY), 1709164800,
		 1709078400, "Good [a] "},
	};
	CLEANUP(arena) struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_str(judge(a, rows[i].file, rows[i].signed_at, rows[i].now), rows[i].want);
}

static void one_bad_line_refuses_the_file(void **state)
{
#define GOOD "good " KEY "\n"
	static const struct {
		str file;
		const char *want;
	} rows[] = {
		{STR(GOOD "ann"), "signers:2:4: no key after the principals"},
		{STR(GOOD "a,,b " KEY), "signers:2:1: an empty principal"},
		{STR(GOOD "\"a " KEY), "signers:2:1: a quote is left open"},
		{STR("a ssh-foo AAAA"), "signers:1:3: unknown key type 'ssh-foo'"},
		{STR("a ssh-dss AAAA"), "signers:1:3: DSA keys are too weak"},
		{STR("a ssh-ed25519"), "signers:1:14: no key after its type"},
		{STR("a ssh-ed25519 AAAA"), "signers:1:15: this is no 'ssh-ed25519' public key"},
		{STR("a ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSV"
		     "TG4"),
		 "signers:1:11: this is no 'ssh-rsa' public key"},
		{STR("a ssh-ed25519-cert-v01@openssh.com AAAA"),
		 "signers:1:3: a certificate cannot be listed: list its authority"},
		{STR("a openpgp 0123"), "signers:1:3: OpenPGP keys are not supported yet"},
		{STR("* cert-authority " KEY),
		 "signers:1:3: 'cert-authority' is not supported yet"},
		{STR("\xc3\xa4 namespaces=\"git\",touch=\"x\" " KEY),
		 "signers:1:20: unknown option 'touch'"},
		{STR("a namespaces=git " KEY), "signers:1:3: 'namespaces' needs a value in quotes"},
		{STR("a namespaces=\"\" " KEY), "signers:1:3: 'namespaces' is empty"},
		{STR("a namespaces=\"git\",namespaces=\"git\" " KEY),
		 "signers:1:20: 'namespaces' twice"},
		{STR("a valid-after=\"20230229Z\" " KEY),
		 "signers:1:3: 'valid-after' must be YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z]"},
		{STR("a valid-before=\"2023010124Z\" " KEY),
		 "signers:1:3: 'valid-before' must be YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z]"},
		{STR("a valid-after=\"20240101Z\",valid-before=\"20240101Z\" " KEY),
		 "signers:1:3: 'valid-before' must be later than 'valid-after'"},
		{STR(GOOD "a \xff " KEY), "signers:2:1: the line is not valid UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(trust_signers) struct trust_signers *s = trust_signers_new();

		assert_fails(load(s, rows[i].file), rows[i].want);
		assert_int_equal(trust_signers_count(s), 0);
	}
}

static void all_mistakes_come_at_once_and_the_set_stays_as_it_was(void **state)
{
	CLEANUP(trust_signers) struct trust_signers *s = trust_signers_new();
	CLEANUP(err) struct err *e = NULL;

	(void)state;
	assert_ok(load(s, STR("a " KEY)));
	e = load(s, STR("b ssh-foo x\nc " KEY "\nd\n"));
	assert_int_equal(err_count(e), 2);
	assert_int_equal(err_line(err_next(e)), 3);
	assert_int_equal(trust_signers_count(s), 1);
}

static void a_time_without_z_is_warned_about(void **state)
{
	CLEANUP(trust_signers) struct trust_signers *s = trust_signers_new();
	const str *w;
	size_t n;

	(void)state;
	assert_ok(load(s, STR("\na valid-after=\"20240101\" " KEY)));
	w = trust_signers_warnings(s, &n);
	assert_int_equal(n, 1);
	assert_str(w[0],
		   "signers:2: 'valid-after' without Z is in this machine's time zone: write Z");
}

static void principals_match_by_pattern_and_exclusion_decides(void **state)
{
	(void)state;
	assert_true(trust_principals_match(STR("*@example.org"), STR("ann@example.org")));
	assert_false(trust_principals_match(STR("*@example.org"), STR("ann@example.orgs")));
	assert_false(trust_principals_match(STR("Ann"), STR("ann")));
	assert_true(trust_principals_match(STR("b,a?n"), STR("ann")));
	assert_false(trust_principals_match(STR("*,!ann"), STR("ann")));
	assert_false(trust_principals_match(STR("!ann"), STR("ben")));
	assert_true(trust_principals_match(STR("*a*b*c"), STR("xxaxxbxxc")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_say_who_may_sign_what_and_when),
		cmocka_unit_test(one_bad_line_refuses_the_file),
		cmocka_unit_test(all_mistakes_come_at_once_and_the_set_stays_as_it_was),
		cmocka_unit_test(a_time_without_z_is_warned_about),
		cmocka_unit_test(principals_match_by_pattern_and_exclusion_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
