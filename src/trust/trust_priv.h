/* What the files of trust share: fields of SSH's binary encoding (RFC 4251, 5), and key types. */
#pragma once
#include "leeboard/trust.h"

/* Cuts a field off the front of *in; false when it is not there whole. */
bool wire_u32(str *in, uint32_t *ret);
bool wire_string(str *in, str *ret);
void wire_put_string(struct buf *b, str s);

enum key_use {
	KEY_VERIFIED,    /* we check its signatures */
	KEY_UNSUPPORTED, /* it may be listed; its signatures are not supported yet */
	KEY_WEAK,
	KEY_CERTIFICATE,
};
struct key_type {
	str name;
	enum key_use use;
	uint8_t fields; /* strings after the type; 0: not looked at */
	/* Is s's value over data? NULL but for KEY_VERIFIED. */
	bool (*verify)(const struct trust_sshsig *s, str data, struct trust_fault *fault);
	const char *detail; /* of a verdict on its signatures; NULL for KEY_VERIFIED */
};
bool key_verify_ed25519(const struct trust_sshsig *s, str data, struct trust_fault *fault);
bool key_verify_ecdsa(const struct trust_sshsig *s, str data, struct trust_fault *fault);
bool key_verify_rsa(const struct trust_sshsig *s, str data, struct trust_fault *fault);
const struct key_type *key_type_get(str name); /* NULL: unknown */
/* Is blob a whole public key of this type? */
bool key_blob_ok(const struct key_type *t, str blob);
