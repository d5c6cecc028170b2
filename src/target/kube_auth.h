/* kube_auth: the credential of one API server, kept fresh: files are read again every minute, an exec
 * plugin runs when what it gave has expired, and either does so after a 401. */
#pragma once
#include "kube_config.h"

#define KUBE_AUTH_REREAD MINUTE
#define KUBE_EXEC_LIMIT MINUTE        /* a plugin that takes longer is killed */
#define KUBE_EXEC_OUTPUT (1u << 20)
#define KUBE_CREDENTIAL_MAX (1u << 20) /* bytes of a token, certificate or key file */

struct kube_auth;
/* changed: called from the loop when a plugin that kube_auth_now waits for has ended. cfg is borrowed. */
struct kube_auth *kube_auth_new(struct loop *l, const struct kube_config *cfg,
				void (*changed)(void *arg), void *arg);
void kube_auth_free(struct kube_auth *a);
DEFINE_CLEANUP(kube_auth, kube_auth_free)

struct kube_credential {
	str token;                    /* empty: none */
	str ca_pem, cert_pem, key_pem;
	unsigned serial;              /* another one: something in it changed */
};
/* Borrowed until the next call. False and no error: a plugin runs, `changed` will be called. */
bool kube_auth_now(struct kube_auth *a, struct kube_credential *ret, struct err **e);
/* The server took `serial` for nobody: everything is read again. False: nothing here can change. */
bool kube_auth_refused(struct kube_auth *a, unsigned serial);
/* The namespace that the service account lives in, or the context's; may be empty. */
str kube_auth_namespace(struct kube_auth *a);
