/* The values of SSH signatures, checked by libsodium and libcrypto (trust.md 2.4). */
#include "trust_priv.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <sodium.h>

#define RSA_MIN_BITS 3072
#define RSA_MAX_BITS 16384
#define BAD_KEY "the public key is malformed"
#define BAD_TYPE "the signature's type is not that of the key"
#define BAD_VALUE "the signature's value is malformed"
#define NOT_OVER "the signature is not over these bytes"

static bool bad_sig(struct trust_fault *fault, const char *detail)
{
	fault->verdict = TRUST_BAD_SIGNATURE;
	fault->detail = detail;
	return false;
}

static bool weak(struct trust_fault *fault, const char *detail)
{
	fault->verdict = TRUST_WEAK;
	fault->detail = detail;
	return false;
}

static const unsigned char *bytes_of(str s)
{
	return (const unsigned char *)s.p;
}

bool key_verify_ed25519(const struct trust_sshsig *s, str data, struct trust_fault *fault)
{
	str key = s->key, sig = s->signature, type, point, value;

	if (!wire_string(&key, &type) || !wire_string(&key, &point) || key.n ||
	    point.n != crypto_sign_PUBLICKEYBYTES)
		return bad_sig(fault, BAD_KEY);
	if (!wire_string(&sig, &type) || !str_eq(type, s->key_type))
		return bad_sig(fault, BAD_TYPE);
	if (!wire_string(&sig, &value) || sig.n || value.n != crypto_sign_BYTES)
		return bad_sig(fault, BAD_VALUE);
	/* Small-order and non-canonical keys are refused inside (libsodium 1.0.18). */
	if (crypto_sign_verify_detached(bytes_of(value), bytes_of(data), data.n, bytes_of(point)) !=
	    0)
		return bad_sig(fault, NOT_OVER);
	return true;
}

/* A positive mpint in its shortest form, without the byte that only says so. */
static bool wire_positive(str *in, str *ret)
{
	str s;

	if (!wire_string(in, &s) || s.n == 0 || bytes_of(s)[0] & 0x80)
		return false;
	if (bytes_of(s)[0] == 0) {
		s = str_sub(s, 1, SIZE_MAX);
		if (s.n == 0 || !(bytes_of(s)[0] & 0x80))
			return false;
	}
	*ret = s;
	return true;
}

static BIGNUM *number(str s)
{
	return BN_bin2bn(bytes_of(s), (int)s.n, NULL);
}

/* From parameters that b holds; NULL when they make no key. Frees b. */
void trust_setup(void)
{
	EVP_PKEY_CTX *ctx;

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL); /* brings the default provider */
	EVP_PKEY_CTX_free(ctx);
}

static EVP_PKEY *key_make(const char *kind, OSSL_PARAM_BLD *b)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	EVP_PKEY *key = NULL;

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	return key;
}

/* Takes key. */
static bool digest_verify(EVP_PKEY *key, const EVP_MD *md, str value, str data)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	/* RSA: padding is PKCS#1 v1.5, EVP's default. */
	bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1 &&
		  EVP_DigestVerify(ctx, bytes_of(value), value.n, bytes_of(data), data.n) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok;
}

static const struct curve {
	str type, ssh;
	const char *group;
	size_t bytes; /* of a coordinate */
	const EVP_MD *(*md)(void);
} curves[] = {
	{STR("ecdsa-sha2-nistp256"), STR("nistp256"), "P-256", 32, EVP_sha256},
	{STR("ecdsa-sha2-nistp384"), STR("nistp384"), "P-384", 48, EVP_sha384},
	{STR("ecdsa-sha2-nistp521"), STR("nistp521"), "P-521", 66, EVP_sha512},
};

/* r and s as DER, which is what libcrypto reads; it refuses 0 and values from the order on. */
static bool ecdsa_der(str r, str s, struct buf *ret)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	unsigned char *der = NULL;
	int n = -1;

	if (sig && ECDSA_SIG_set0(sig, number(r), number(s)) == 1)
		n = i2d_ECDSA_SIG(sig, &der);
	if (n > 0)
		buf_add(ret, der, (size_t)n);
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	return n > 0;
}

bool key_verify_ecdsa(const struct trust_sshsig *s, str data, struct trust_fault *fault)
{
	CLEANUP(buf) struct buf der = BUF_INIT;
	str key = s->key, sig = s->signature, type, name, point, value, x, y;
	const struct curve *c = curves;
	OSSL_PARAM_BLD *b;
	EVP_PKEY *pkey;

	while (c < curves + ARRAY_LEN(curves) - 1 && !str_eq(c->type, s->key_type))
		c++;
	/* Uncompressed points only; that it lies on the curve is checked when the key is made. */
	if (!wire_string(&key, &type) || !str_eq(type, c->type) || !wire_string(&key, &name) ||
	    !str_eq(name, c->ssh) || !wire_string(&key, &point) || key.n ||
	    point.n != 1 + 2 * c->bytes || point.p[0] != 4)
		return bad_sig(fault, BAD_KEY);
	if (!wire_string(&sig, &type) || !str_eq(type, c->type))
		return bad_sig(fault, BAD_TYPE);
	if (!wire_string(&sig, &value) || sig.n || !wire_positive(&value, &x) ||
	    !wire_positive(&value, &y) || value.n || x.n > c->bytes || y.n > c->bytes ||
	    !ecdsa_der(x, y, &der))
		return bad_sig(fault, BAD_VALUE);
	b = OSSL_PARAM_BLD_new();
	if (b) {
		OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, c->group, 0);
		OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n);
	}
	pkey = b ? key_make("EC", b) : NULL;
	if (!pkey)
		return bad_sig(fault, BAD_KEY);
	return digest_verify(pkey, c->md(), buf_view(&der), data) || bad_sig(fault, NOT_OVER);
}

static EVP_PKEY *rsa_key(str e, str n)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	BIGNUM *be = number(e), *bn = number(n);
	EVP_PKEY *key = NULL;

	if (b && be && bn && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		key = key_make("RSA", b);
	else
		OSSL_PARAM_BLD_free(b);
	BN_free(be);
	BN_free(bn);
	return key;
}

bool key_verify_rsa(const struct trust_sshsig *s, str data, struct trust_fault *fault)
{
	CLEANUP(buf) struct buf padded = BUF_INIT;
	str key = s->key, sig = s->signature, type, e, n, value;
	const EVP_MD *md = NULL;
	EVP_PKEY *pkey;

	if (!wire_string(&key, &type) || !wire_positive(&key, &e) || !wire_positive(&key, &n) ||
	    key.n || n.n > RSA_MAX_BITS / 8 || e.n > 8 || !(e.p[e.n - 1] & 1) ||
	    !(n.p[n.n - 1] & 1) || (e.n == 1 && e.p[0] == 1))
		return bad_sig(fault, BAD_KEY);
	if (!wire_string(&sig, &type))
		return bad_sig(fault, BAD_VALUE);
	if (str_eq(type, STR("rsa-sha2-512")))
		md = EVP_sha512();
	else if (str_eq(type, STR("rsa-sha2-256")))
		md = EVP_sha256();
	else if (str_eq(type, STR("ssh-rsa")))
		return weak(fault, "an RSA signature with SHA-1");
	else
		return bad_sig(fault, BAD_TYPE);
	if (!wire_string(&sig, &value) || sig.n || value.n == 0 || value.n > n.n)
		return bad_sig(fault, BAD_VALUE);
	pkey = rsa_key(e, n);
	if (!pkey)
		return bad_sig(fault, BAD_KEY);
	if (EVP_PKEY_get_bits(pkey) < RSA_MIN_BITS) {
		EVP_PKEY_free(pkey);
		return weak(fault, "an RSA key of fewer than 3072 bits");
	}
	for (size_t i = value.n; i < n.n; i++)
		buf_char(&padded, 0);
	buf_str(&padded, value);
	return digest_verify(pkey, md, buf_view(&padded), data) || bad_sig(fault, NOT_OVER);
}
