/* kube_config: what a kubeconfig, or the service account of a pod, says about one API server and about
 * who we are there. Reading it opens no other file and starts no program; kube_auth does that. */
#pragma once
#include "leeboard/config.h"

#define KUBE_CONFIG_MAX (1u << 20) /* bytes of a kubeconfig */
#define KUBE_EXEC_WORDS 64u        /* arguments, or variables, of an exec plugin */

/* A program that prints a credential (client.authentication.k8s.io). */
struct kube_exec {
	str api_version;
	str command;              /* as allowExec spells it: absolute */
	const char *const *argv;  /* ended by NULL, command first */
	const char *const *env;   /* "NAME=value", ended by NULL */
	bool cluster_info;
	loc at;
};

struct kube_config {
	str context;      /* the context's name, "in-cluster" */
	str server;       /* https://host[:port][/path], no slash at its end */
	str server_name;  /* empty: the host of `server` */
	str ns, ns_file;  /* of the context, or of the service account: a file; may be empty */
	str ca_pem, ca_file; /* both empty: the system's */
	str cert_pem, key_pem, cert_file, key_file;
	str token, token_file;        /* the file wins */
	const struct kube_exec *exec; /* NULL: none */
	str as, as_uid;               /* impersonation; empty: none */
	struct config_texts as_groups;
	struct config_texts as_extra; /* header name, value, header name, value... */
	bool in_cluster;
	loc at; /* of the user's entry, for errors about its files */
};

/* `folder`: what relative paths start from; empty: the text is a guest's (a Secret), which may name no
 * file, program or unencrypted server of this machine. context empty: current-context. Strings are the arena's;
 * `in` must outlive them only for places. */
MUST_CHECK struct err *kube_config_read(struct arena *a, const struct text *in, str folder, str context,
					const struct config_texts *allow_exec,
					struct kube_config *ret);
/* host and port as in KUBERNETES_SERVICE_HOST and _PORT; mount: the service account's folder. */
MUST_CHECK struct err *kube_config_pod(struct arena *a, str host, str port, str mount,
				       struct kube_config *ret);
