/* SSH signatures against the fixed vector: seed 00 01 .. 1f, payload "payload\n", sha512. */
#include "git/repo.h"
#include "leeboard/trust.h"

#define VECTOR                                                                                     \
	"-----BEGIN SSH SIGNATURE-----\n"                                                          \
	"U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgA6EHv/POEL4dcN0Y50vAmWfk1j\n"                 \
	"CbpQ1fHdyGZBJVMbgAAAADZ2l0AAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1lZDI1NTE5\n"                 \
	"AAAAQF8+/Jq6HcuTn/piuAggNGr7Sbln1R35H3snU//pFBq84XiEV9vLeMprsVasCR3tKW\n"                 \
	"LXCiQ00ZCFLnd3PftgqAo=\n"                                                                 \
	"-----END SSH SIGNATURE-----\n"

static void blob_of(struct buf *b)
{
	assert_true(
		buf_unbase64(b,
			     STR("U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgA6EHv/POEL4dcN0Y50"
				 "vAmWfk1jCbpQ1fHdyGZBJVMbgAAAADZ2l0AAAAAAAAAAZzaGE1MTIAAABTAAAA"
				 "C3NzaC1lZDI1NTE5AAAAQF8+/Jq6HcuTn/piuAggNGr7Sbln1R35H3snU//pFB"
				 "q84XiEV9vLeMprsVasCR3tKWLXCiQ00ZCFLnd3PftgqAo="),
			     false));
}

/* "Good" or the reason and the detail of the refusal. */
static str judge(struct arena *a, str blob, str payload)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct trust_fault fault = {0};
	struct trust_sshsig sig;

	buf_str(&b, STR("-----BEGIN SSH SIGNATURE-----\n"));
	buf_base64(&b, blob.p, blob.n);
	buf_str(&b, STR("\n-----END SSH SIGNATURE-----\n"));
	if (trust_sshsig_parse(a, buf_view(&b), &sig, &fault) &&
	    trust_sshsig_verify(&sig, payload, STR("git"), &fault))
		return STR("Good");
	return arena_printf(a, "%s: %s", trust_verdict_name(fault.verdict), fault.detail);
}

static void the_fixed_vector_is_good(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct trust_fault fault = {0};
	struct trust_sshsig sig;

	(void)state;
	assert_true(trust_sshsig_parse(a, STR(VECTOR), &sig, &fault));
	assert_str(sig.key_type, "ssh-ed25519");
	assert_str(sig.namespace, "git");
	assert_str(sig.hash, "sha512");
	assert_str(trust_fingerprint(a, sig.key),
		   "SHA256:lbmsoA0yIEcEiVDRnMWuzm+nV+3ZEEpVIURqFoeSspg");
	assert_true(trust_sshsig_verify(&sig, STR("payload\n"), STR("git"), &fault));
	assert_false(trust_sshsig_verify(&sig, STR("payload"), STR("git"), &fault));
	assert_string_equal(fault.detail, "the signature is not over these bytes");
	assert_false(trust_sshsig_verify(&sig, STR("payload\n"), STR("GIT"), &fault));
	assert_int_equal(fault.verdict, TRUST_WRONG_NAMESPACE);
}

static void a_blob_cut_at_any_byte_is_a_bad_signature(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf blob = BUF_INIT;

	(void)state;
	blob_of(&blob);
	assert_str(judge(a, buf_view(&blob), STR("payload\n")), "Good");
	for (size_t n = 1; n < blob.n; n++)
		assert_true(str_starts(judge(a, str_sub(buf_view(&blob), 0, n), STR("payload\n")),
				       STR("BadSignature: ")));
	buf_char(&blob, 0);
	assert_str(judge(a, buf_view(&blob), STR("payload\n")),
		   "BadSignature: bytes after the end of the blob");
}

static void no_flipped_bit_leaves_a_signature_good(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf blob = BUF_INIT;

	(void)state;
	blob_of(&blob);
	for (size_t i = 0; i < blob.n * 8; i++) {
		blob.p[i / 8] = (char)(blob.p[i / 8] ^ 1 << i % 8);
		assert_false(str_eq(judge(a, buf_view(&blob), STR("payload\n")), STR("Good")));
		blob.p[i / 8] = (char)(blob.p[i / 8] ^ 1 << i % 8);
	}
}

static void put(struct buf *b, str s)
{
	const char n[4] = {0, 0, (char)(s.n >> 8), (char)s.n};

	buf_add(b, n, 4);
	buf_str(b, s);
}

static void each_field_has_one_right_value(void **state)
{
	static const struct {
		str version, type, namespace, reserved, hash;
		const char *want;
	} rows[] = {
		{STR("\0\0\0\0"), STR("ssh-ed25519"), STR("git"), STR(""), STR("sha512"),
		 "BadSignature: the version of the blob is not 1"},
		{STR("\0\0\0\2"), STR("ssh-ed25519"), STR("git"), STR(""), STR("sha512"),
		 "BadSignature: the version of the blob is not 1"},
		{STR("\0\0\0\1"), STR("ssh-ed25519"), STR("git"), STR("x"), STR("sha512"),
		 "BadSignature: the reserved field is not empty"},
		{STR("\0\0\0\1"), STR("ssh-ed25519"), STR("git"), STR(""), STR("sha1"),
		 "WeakOrUnknownAlgorithm: the hash is neither sha256 nor sha512"},
		{STR("\0\0\0\1"), STR("ssh-ed25519"), STR("git"), STR(""), STR("SHA512"),
		 "WeakOrUnknownAlgorithm: the hash is neither sha256 nor sha512"},
		{STR("\0\0\0\1"), STR("ssh-ed25519"), STR("file"), STR(""), STR("sha512"),
		 "WrongNamespace: the signature is for another namespace"},
		{STR("\0\0\0\1"), STR("ssh-ed25519"), STR("git\0"), STR(""), STR("sha512"),
		 "WrongNamespace: the signature is for another namespace"},
		{STR("\0\0\0\1"), STR("ssh-ed25519"), STR(""), STR(""), STR("sha512"),
		 "WrongNamespace: the signature is for another namespace"},
		{STR("\0\0\0\1"), STR("ssh-rsa"), STR("git"), STR(""), STR("sha512"),
		 "BadSignature: the public key is malformed"},
		{STR("\0\0\0\1"), STR("sk-ssh-ed25519@openssh.com"), STR("git"), STR(""),
		 STR("sha512"),
		 "UnsupportedSignature: signatures by sk-ssh-ed25519 keys are not supported yet"},
		{STR("\0\0\0\1"), STR("ecdsa-sha2-nistp384"), STR("git"), STR(""), STR("sha512"),
		 "BadSignature: the public key is malformed"},
		{STR("\0\0\0\1"), STR("ssh-dss"), STR("git"), STR(""), STR("sha512"),
		 "WeakOrUnknownAlgorithm: DSA keys are too weak"},
		{STR("\0\0\0\1"), STR("ssh-ed25519-cert-v01@openssh.com"), STR("git"), STR(""),
		 STR("sha512"),
		 "UnsupportedSignature: signatures by certificates are not supported yet"},
		{STR("\0\0\0\1"), STR("ssh-foo"), STR("git"), STR(""), STR("sha512"),
		 "UnsupportedSignature: unknown key type"},
		{STR("\0\0\0\1"), STR("ssh-ed25519"), STR("git"), STR(""), STR("sha256"),
		 "BadSignature: the public key is malformed"},
	};
	CLEANUP(arena) struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf) struct buf key = BUF_INIT;
		CLEANUP(buf) struct buf blob = BUF_INIT;

		put(&key, rows[i].type);
		put(&key, STR("a key of fewer than 32 bytes"));
		buf_str(&blob, STR("SSHSIG"));
		buf_str(&blob, rows[i].version);
		put(&blob, buf_view(&key));
		put(&blob, rows[i].namespace);
		put(&blob, rows[i].reserved);
		put(&blob, rows[i].hash);
		put(&blob, STR("sig"));
		assert_str(judge(a, buf_view(&blob), STR("payload\n")), rows[i].want);
	}
}

static void a_key_of_small_order_is_refused(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf blob = BUF_INIT;

	(void)state;
	blob_of(&blob);
	/* The neutral element with a zero signature over it holds for every message. */
	memset(blob.p + 33, 0, 32);
	blob.p[33] = 1;
	memset(blob.p + blob.n - 64, 0, 64);
	blob.p[blob.n - 64] = 1;
	assert_str(judge(a, buf_view(&blob), STR("payload\n")),
		   "BadSignature: the signature is not over these bytes");
}

static void the_armour_is_strict(void **state)
{
	static const str armours[] = {
		STR(""),
		STR("\n" VECTOR),
		STR(VECTOR "\n\n"),
		STR("-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n"),
		STR("-----BEGIN SSH SIGNATURE-----\nU1NI U0lH\n-----END SSH SIGNATURE-----\n"),
		STR("-----BEGIN SSH SIGNATURE-----\nU1NIU0l\n-----END SSH SIGNATURE-----\n"),
		STR("-----BEGIN SSH SIGNATURE-----\r\nU1NI\r\n-----END SSH SIGNATURE-----\n"),
	};
	CLEANUP(arena) struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(armours); i++) {
		struct trust_fault fault = {0};
		struct trust_sshsig sig;

		assert_false(trust_sshsig_parse(a, armours[i], &sig, &fault));
		assert_int_equal(fault.verdict, TRUST_BAD_SIGNATURE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fixed_vector_is_good),
		cmocka_unit_test(a_blob_cut_at_any_byte_is_a_bad_signature),
		cmocka_unit_test(no_flipped_bit_leaves_a_signature_good),
		cmocka_unit_test(each_field_has_one_right_value),
		cmocka_unit_test(a_key_of_small_order_is_refused),
		cmocka_unit_test(the_armour_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
