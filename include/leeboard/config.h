/* config: the documents of leeboard.dev/v1: Source, App, Policy, Alert, Daemon.
 *
 * One table (src/config/fields.def) says which fields exist, of which type, with which default,
 * what they mean, whether only the operator may write them and whether they are built. It parses
 * the documents, answers `leeboard explain` and writes docs/reference-config.md; so a field that is
 * not in it does not exist, and one that is cannot be undocumented.
 *
 * config_load reads files and folders and returns one immutable snapshot, or every mistake of every
 * document at once. All memory of a snapshot is its own arena's; config_free ends it. */
#pragma once
#include "leeboard/object.h"

#define CONFIG_MAX_FILE (4u << 20) /* bytes of one file of documents */
#define CONFIG_MAX_FILES 4096u     /* files of one folder */
#define CONFIG_MAX_REF (1u << 20)  /* bytes of one secret or key file */
#define CONFIG_MAX_GLOB 512u       /* bytes of one glob */

/* ------------------------------------------------------------------ values */

struct config_texts {
	str *p;
	size_t n, cap;
};
/* A kustomize target: patterns and selectors; all that are given must match. */
struct config_target {
	str group, version, kind, name, namespace, label_selector, annotation_selector;
	loc at;
};
/* root: for the selectors. */
bool config_target_matches(const struct config_target *t, obj_id id, str version,
			   const struct node *root);
struct config_targets {
	struct config_target *p;
	size_t n, cap;
};
/* A secret or key material, never inline. */
enum config_ref_kind { REF_NONE, REF_FILE, REF_ENV, REF_CREDENTIAL, REF_EXEC, REF_SECRET };
struct config_ref {
	enum config_ref_kind kind;
	str value;     /* path (absolute or below the working folder), variable or credential */
	str name, key; /* REF_SECRET */
	bool open;     /* public material: its file may be readable by all */
	loc at;
};
/* Reads Secret ns/name, key; handed in by who talks to a cluster. */
struct config_secrets {
	struct err *(*get)(void *self, const struct config_ref *r, struct buf *ret);
	void *self;
};
/* What r stands for, one trailing newline dropped, appended to ret. `what` names the field in
 * messages. secrets may be NULL: a secretRef is then an error. A private file that others may read
 * is refused. REF_NONE appends nothing. */
MUST_CHECK struct err *config_ref_read(const struct config_ref *r, const char *what,
				       const struct config_secrets *secrets, struct buf *ret);

/* '*' within a path part, '**' across parts, '?', '{a,b}'; time is |glob| * |s| at worst. */
bool config_glob(str glob, str s);
/* NULL: well formed; else what is wrong, as in "'**' stands alone between slashes". */
const char *config_glob_bad(str glob);
bool config_globs(const struct config_texts *globs, str s); /* any of them */
bool config_name_ok(str s);                                 /* RFC 1123 label */
/* The host of a url: "http://10.0.0.5:80/x" to "10.0.0.5"; the brackets of IPv6 stay. */
str config_host(str url);
bool config_host_is_loopback(str host);

/* ------------------------------------------------------------------ Source */

enum verify_mode {
	VERIFY_OFF,
	VERIFY_HEAD,
	VERIFY_TAG,
	VERIFY_TAG_HEAD,
	VERIFY_FIRST_PARENT,
	VERIFY_RANGE,
	VERIFY_AUTHORIZED
};
enum webhook_type {
	WEBHOOK_GITHUB,
	WEBHOOK_GITLAB,
	WEBHOOK_GITEA,
	WEBHOOK_BITBUCKET,
	WEBHOOK_GENERIC
};
enum auth_kind { AUTH_NONE, AUTH_BASIC, AUTH_BEARER, AUTH_SSH };
struct config_tls {
	struct config_ref ca, cert, key;
};
struct config_ref_names { /* precedence: commit, name, semver, tag, branch */
	str branch, tag, semver, name, commit;
};
struct policy;
struct source {
	str name, namespace;
	loc at;
	str url;
	bool insecure, local; /* local: a path of this machine */
	struct config_ref_names ref;
	msec interval, timeout; /* interval 0: webhook and `sync` only */
	enum auth_kind auth;
	str username;
	struct config_ref password, bearer_token, ssh_key, ssh_passphrase, ssh_known_hosts;
	struct config_tls tls;
	int verify; /* enum verify_mode */
	str policy_name;
	struct config_ref allowed_signers;
	const struct policy *policy;  /* whose signers count; NULL: none */
	int on_rewind, on_force_push; /* 0 refuse */
	int webhook_type;             /* enum webhook_type; counts when webhook_secret is given */
	struct config_ref webhook_secret;
	str ignore;
	bool suspend;
	const struct node *spec; /* effective, defaults of the Daemon included */
};

/* ------------------------------------------------------------------ App */

enum target_kind {
	TARGET_NONE,
	TARGET_NAME,
	TARGET_DIRECTORY,
	TARGET_KUBECONFIG,
	TARGET_IN_CLUSTER
};
enum target_layout { LAYOUT_OBJECT, LAYOUT_APP };
struct app_target {
	enum target_kind kind; /* after loading never TARGET_NONE or TARGET_NAME */
	str name;              /* of the Daemon's `targets`; empty: written in the App */
	str directory, file_name, state;
	int layout;                   /* enum target_layout */
	struct config_ref kubeconfig; /* REF_FILE or REF_SECRET */
	str context, kube_namespace;
	bool in_cluster;
	str namespace; /* for objects that name none */
	loc at;
};
struct app_dep {
	str app, namespace;
	str object_text;
	obj_id object; /* kind empty: an App is meant */
	str object_version;
	loc at;
};
struct app_deps {
	struct app_dep *p;
	size_t n, cap;
};
struct ignore_rule {
	struct config_target target;
	struct config_texts paths, managers;
	loc at;
};
struct ignore_rules {
	struct ignore_rule *p;
	size_t n, cap;
};
enum app_adopt { ADOPT_NEVER, ADOPT_IF_UNOWNED, ADOPT_ALWAYS };
enum app_on_error { ON_ERROR_STOP, ON_ERROR_SKIP_DEPENDANTS };
enum propagation { PROPAGATE_BACKGROUND, PROPAGATE_FOREGROUND, PROPAGATE_ORPHAN };
enum deletion_policy { DELETION_ORPHAN, DELETION_DELETE };
enum drift_mode { DRIFT_HEAL, DRIFT_DETECT, DRIFT_IGNORE };
enum drift_on_sync { DRIFT_OVERWRITE, DRIFT_WAIT };
enum drift_autoscalers { AUTOSCALERS_YIELD, AUTOSCALERS_OWN };
struct app {
	str name, namespace;
	loc at;
	str source_name;
	const struct source *source;
	str path;
	msec interval, retry_interval;
	str name_prefix, name_suffix, target_namespace;
	/* As in a kustomization.yaml above `path`; the renderer reads them. NULL: not given. */
	const struct node *labels, *annotations, *images, *patches, *components, *replicas;
	struct app_target target;
	struct app_deps depends_on;
	int adopt;    /* enum app_adopt */
	int on_error; /* enum app_on_error */
	bool prune;
	int64_t prune_objects, prune_percent; /* 0: any */
	struct config_texts prune_protect;    /* kinds */
	int propagation;                      /* enum propagation */
	int deletion_policy;                  /* enum deletion_policy */
	int drift_mode, drift_on_sync, drift_autoscalers;
	struct ignore_rules drift_ignore;
	msec drift_grace;
	bool health_wait;
	msec health_timeout;
	struct config_targets health_skip;
	const struct node *notes; /* a map of strings, or NULL */
	bool suspend;
	const struct node *spec;
};

/* ------------------------------------------------------------------ Policy, Alert, Daemon */

struct policy {
	str name;
	loc at;
	struct config_texts sources;  /* globs */
	struct config_texts keys;     /* allowed_signers lines */
	const struct node *keys_node; /* for the places of the lines */
	struct config_ref allowed_signers;
	const struct node *spec;
};

enum alert_type { ALERT_WEBHOOK, ALERT_SLACK };
enum alert_format { FORMAT_CLOUDEVENTS, FORMAT_FLUX };
enum alert_severity { SEVERITY_INFO, SEVERITY_WARN, SEVERITY_ERROR };
struct alert_to {
	int type; /* enum alert_type */
	str address;
	struct config_ref address_from;
	str channel, username;
	struct config_ref token, hmac;
	int format; /* enum alert_format */
	const struct node *headers;
	struct config_tls tls;
	bool insecure;
	loc at;
};
struct alert_tos {
	struct alert_to *p;
	size_t n, cap;
};
struct alert {
	str name, namespace;
	loc at;
	struct alert_tos to;
	struct config_texts events, apps, sources; /* globs; apps, sources empty: all */
	int severity;                              /* enum alert_severity */
	msec repeat, group;
	str summary;
	const struct node *spec;
};

enum sandbox_need { SANDBOX_REQUIRED, SANDBOX_BEST_EFFORT };
enum daemon_log_format {
	DAEMON_LOG_AUTO = -1,
	DAEMON_LOG_LOGFMT,
	DAEMON_LOG_JSON,
	DAEMON_LOG_JOURNAL
};
struct daemon_target {
	struct app_target target;
	struct config_texts apps; /* globs; empty: all */
};
struct daemon_targets {
	struct daemon_target *p;
	size_t n, cap;
};
struct daemon_doc {
	str name;            /* empty: no Daemon document named one; the caller takes the host's */
	loc at;              /* in NULL: no Daemon document */
	str state_directory; /* empty: where the system wants it */
	str socket_path, socket_group, socket_read_group;
	int64_t socket_mode;
	str http_listen;
	struct config_ref http_cert, http_key, http_read_token;
	uint32_t documents;  /* bit 0 file */
	int mode;            /* 0 active, 1 shadow */
	uint32_t not_beside; /* bits: flux, argocd, config-sync */
	struct config_texts allow_exec, directories;
	bool allow_local;
	struct daemon_targets targets;
	int sandbox;    /* enum sandbox_need */
	int log_format; /* enum daemon_log_format */
	int log_level;  /* enum log_level */
	msec history_keep, unreachable_after, alert_repeat, delete_timeout;
	int64_t workers, requests;      /* requests 0: adaptive */
	int64_t memory, bytes_per_sync; /* 0: off */
	const struct node *default_app, *default_source;
	const struct node *spec;
};

/* ------------------------------------------------------------------ a snapshot */

/* FILE: the operator's. GUEST: from a cluster or a source; may not reach the machine itself. */
enum config_carrier { CONFIG_FILE, CONFIG_GUEST };
struct config_opts {
	enum config_carrier carrier;
	const char *home; /* of a leading "~/"; NULL: $HOME */
	bool in_pod;      /* no target: the own cluster */
};
struct config_tally {
	size_t documents, bad, mistakes, warnings;
};
struct config_warning {
	loc at;
	str message;
};
struct config_warnings {
	struct config_warning *p;
	size_t n, cap;
};
#define CONFIG_LIST(T)                                                                             \
	struct {                                                                                   \
		struct T **p;                                                                      \
		size_t n, cap;                                                                     \
	}
struct config {
	struct arena *arena;      /* owns everything */
	struct daemon_doc daemon; /* defaults when there is no Daemon document */
	CONFIG_LIST(source) sources;
	CONFIG_LIST(app) apps;
	CONFIG_LIST(policy) policies;
	CONFIG_LIST(alert) alerts;
	struct config_warnings warnings;
};
void config_free(struct config *c);
DEFINE_CLEANUP(config, config_free)

/* Files, and folders whose *.yaml, *.yml and *.json are read in name order (not below). All
 * mistakes are joined, by place. opts and tally may be NULL; tally is filled in either way. */
MUST_CHECK struct err *config_load(const char *const *paths, size_t n,
				   const struct config_opts *opts, struct config_tally *tally,
				   struct config **ret);
/* The same over texts in memory; they are copied. */
MUST_CHECK struct err *config_parse(const struct text *texts, size_t n,
				    const struct config_opts *opts, struct config_tally *tally,
				    struct config **ret);
/* Borrowed; NULL: none of that name. namespace is empty for the operator's. */
const struct source *config_source(const struct config *c, str namespace, str name);
const struct app *config_app(const struct config *c, str namespace, str name);
const struct policy *config_policy(const struct config *c, str name);

/* ------------------------------------------------------------------ verbs and pages */

/* `leeboard check`: mistakes as the error, warnings and the closing line in ret:
 * "2 mistakes in 1 of 4 documents; a running daemon keeps its configuration". tally as above. */
MUST_CHECK struct err *config_check(const char *const *paths, size_t n,
				    const struct config_opts *opts, struct config_tally *tally,
				    struct buf *ret);
/* `check --effective`: the documents as YAML, with what the Daemon's `defaults` gave them. Holds no
 * secret: none can be written inline. */
void config_effective(const struct config *c, struct buf *ret);
/* `leeboard explain KIND[.FIELD]`; any case; ERR_NOT_FOUND with the nearest word. */
MUST_CHECK struct err *config_explain(str what, bool recursive, struct buf *ret);
/* docs/reference-config.md, whole. */
void config_reference(struct buf *ret);
