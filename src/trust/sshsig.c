/* SSH signatures: armour and blob (trust.md 2.1 to 2.4); keys.c checks the values. */
#include "trust_priv.h"
#include <sodium.h>

#define ED25519 "ssh-ed25519"

#define NOT_YET(what) "signatures by " what " are not supported yet"
#define CERTIFICATE(name)                                                                          \
	{                                                                                          \
		STR(name "-cert-v01@openssh.com"), KEY_CERTIFICATE, 0, NULL,                       \
			NOT_YET("certificates")                                                    \
	}
static const struct key_type key_types[] = {
	{STR(ED25519), KEY_VERIFIED, 1, key_verify_ed25519, NULL},
	{STR("ecdsa-sha2-nistp256"), KEY_VERIFIED, 2, key_verify_ecdsa, NULL},
	{STR("ecdsa-sha2-nistp384"), KEY_VERIFIED, 2, key_verify_ecdsa, NULL},
	{STR("ecdsa-sha2-nistp521"), KEY_VERIFIED, 2, key_verify_ecdsa, NULL},
	{STR("ssh-rsa"), KEY_VERIFIED, 2, key_verify_rsa, NULL},
	{STR("sk-ssh-ed25519@openssh.com"), KEY_UNSUPPORTED, 2, NULL,
	 NOT_YET("sk-ssh-ed25519 keys")},
	{STR("sk-ecdsa-sha2-nistp256@openssh.com"), KEY_UNSUPPORTED, 3, NULL,
	 NOT_YET("sk-ecdsa keys")},
	{STR("ssh-dss"), KEY_WEAK, 4, NULL, "DSA keys are too weak"},
	CERTIFICATE("ssh-ed25519"),
	CERTIFICATE("ecdsa-sha2-nistp256"),
	CERTIFICATE("ecdsa-sha2-nistp384"),
	CERTIFICATE("ecdsa-sha2-nistp521"),
	CERTIFICATE("ssh-rsa"),
	CERTIFICATE("sk-ssh-ed25519"),
	CERTIFICATE("sk-ecdsa-sha2-nistp256"),
};

const struct key_type *key_type_get(str name)
{
	for (size_t i = 0; i < ARRAY_LEN(key_types); i++)
		if (str_eq(key_types[i].name, name))
			return &key_types[i];
	return NULL;
}

bool wire_u32(str *in, uint32_t *ret)
{
	const uint8_t *p = (const uint8_t *)in->p;

	if (in->n < 4)
		return false;
	*ret = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	*in = str_sub(*in, 4, SIZE_MAX);
	return true;
}

bool wire_string(str *in, str *ret)
{
	str rest = *in;
	uint32_t n;

	if (!wire_u32(&rest, &n) || n > rest.n)
		return false;
	*ret = str_sub(rest, 0, n);
	*in = str_sub(rest, n, SIZE_MAX);
	return true;
}

void wire_put_string(struct buf *b, str s)
{
	const uint8_t n[4] = {(uint8_t)(s.n >> 24), (uint8_t)(s.n >> 16), (uint8_t)(s.n >> 8),
			      (uint8_t)s.n};

	buf_add(b, n, sizeof(n));
	buf_str(b, s);
}

bool key_blob_ok(const struct key_type *t, str blob)
{
	str name, field = STR_NONE;

	if (!wire_string(&blob, &name) || !str_eq(name, t->name))
		return false;
	if (t->fields == 0)
		return true;
	for (uint8_t i = 0; i < t->fields; i++)
		if (!wire_string(&blob, &field) || field.n == 0)
			return false;
	return blob.n == 0 &&
	       (!str_eq(name, STR(ED25519)) || field.n == crypto_sign_PUBLICKEYBYTES);
}

static bool bad(struct trust_fault *fault, enum trust_verdict v, const char *detail)
{
	fault->verdict = v;
	fault->detail = detail;
	return false;
}

static bool bad_sig(struct trust_fault *fault, const char *detail)
{
	return bad(fault, TRUST_BAD_SIGNATURE, detail);
}

static bool unarmour(struct arena *a, str armour, str *ret, struct trust_fault *fault)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	CLEANUP(buf) struct buf blob = BUF_INIT;
	const str head = STR("-----BEGIN SSH SIGNATURE-----\n");
	const str tail = STR("\n-----END SSH SIGNATURE-----");
	str rest = armour, line;

	/* One LF ends the last line; git may keep one empty line after it. */
	for (int i = 0; i < 2 && str_ends(rest, STR("\n")); i++)
		rest.n--;
	if (!str_starts(rest, head) || !str_ends(rest, tail) || rest.n < head.n + tail.n)
		return bad_sig(fault, "the armour is not that of an SSH signature");
	rest = str_sub(rest, head.n, rest.n - head.n - tail.n);
	while (str_split(&rest, '\n', &line))
		buf_str(&text, line);
	if (text.n == 0 || !buf_unbase64(&blob, buf_view(&text), false))
		return bad_sig(fault, "the armour holds no valid base64");
	*ret = arena_str(a, buf_view(&blob));
	return true;
}

bool trust_sshsig_parse(struct arena *a, str armour, struct trust_sshsig *ret,
			struct trust_fault *fault)
{
	struct trust_sshsig s = {0};
	str blob, reserved, key;
	uint32_t version;

	if (armour.n > TRUST_MAX_SIGNATURE)
		return bad(fault, TRUST_TOO_LARGE, "the signature is larger than 64 KiB");
	if (!unarmour(a, armour, &blob, fault))
		return false;
	if (!str_starts(blob, STR("SSHSIG")))
		return bad_sig(fault, "the blob does not begin with SSHSIG");
	blob = str_sub(blob, 6, SIZE_MAX);
	if (!wire_u32(&blob, &version) || version != 1)
		return bad_sig(fault, "the version of the blob is not 1");
	if (!wire_string(&blob, &s.key) || !wire_string(&blob, &s.namespace) ||
	    !wire_string(&blob, &reserved) || !wire_string(&blob, &s.hash) ||
	    !wire_string(&blob, &s.signature))
		return bad_sig(fault, "the blob is cut off");
	if (blob.n)
		return bad_sig(fault, "bytes after the end of the blob");
	if (reserved.n)
		return bad_sig(fault, "the reserved field is not empty");
	if (!str_eq(s.hash, STR("sha256")) && !str_eq(s.hash, STR("sha512")))
		return bad(fault, TRUST_WEAK, "the hash is neither sha256 nor sha512");
	key = s.key;
	if (!wire_string(&key, &s.key_type))
		return bad_sig(fault, "the public key is cut off");
	*ret = s;
	return true;
}

/* What the key signed: trust.md 2.3. */
static void signed_data(const struct trust_sshsig *s, str payload, struct buf *ret)
{
	const unsigned char *p = (const unsigned char *)payload.p;
	uint8_t digest[crypto_hash_sha512_BYTES];
	size_t n = crypto_hash_sha512_BYTES;

	if (str_eq(s->hash, STR("sha256"))) {
		n = crypto_hash_sha256_BYTES;
		crypto_hash_sha256(digest, p, payload.n);
	} else {
		crypto_hash_sha512(digest, p, payload.n);
	}
	buf_str(ret, STR("SSHSIG"));
	wire_put_string(ret, s->namespace);
	wire_put_string(ret, STR(""));
	wire_put_string(ret, s->hash);
	wire_put_string(ret, str_n((const char *)digest, n));
}

bool trust_sshsig_verify(const struct trust_sshsig *s, str payload, str namespace,
			 struct trust_fault *fault)
{
	CLEANUP(buf) struct buf data = BUF_INIT;
	const struct key_type *t = key_type_get(s->key_type);

	if (!str_eq(s->namespace, namespace) || namespace.n == 0)
		return bad(fault, TRUST_WRONG_NAMESPACE, "the signature is for another namespace");
	if (!t)
		return bad(fault, TRUST_UNSUPPORTED, "unknown key type");
	switch (t->use) {
	case KEY_VERIFIED:
		break;
	case KEY_UNSUPPORTED:
	case KEY_CERTIFICATE:
		return bad(fault, TRUST_UNSUPPORTED, t->detail);
	case KEY_WEAK:
		return bad(fault, TRUST_WEAK, t->detail);
	}
	signed_data(s, payload, &data);
	return t->verify(s, buf_view(&data), fault);
}

str trust_fingerprint(struct arena *a, str key)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct hash h = hash_sha256(key);

	buf_str(&b, STR("SHA256:"));
	buf_base64(&b, h.b, sizeof(h.b));
	while (str_ends(buf_view(&b), STR("=")))
		b.n--;
	return arena_str(a, buf_view(&b));
}
