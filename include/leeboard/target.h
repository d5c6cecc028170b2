/* target: where objects live, behind one table of functions: a directory of manifests (dir) or a
 * Kubernetes API server (kube).
 *
 * A `struct target` is one place and is shared by all Apps that name it (target_key says which do).
 * Everything is asynchronous: a call returns at once, its callback comes later from the loop, exactly
 * once, and never out of the call itself; target_cancel ends it without a callback. What a callback is
 * handed is borrowed until it returns. Errors handed to a callback are the callback's.
 *
 * Order: target_open -> target_ready -> (target_records, target_watch) -> per sync: target_get,
 * target_inventory_put, target_apply/target_delete, target_inventory_put, target_record_put.
 *
 * Truth lives at the target: the inventory (what an App owns) and the record (what was accepted,
 * applied, healthy) are kept there (design.md 7), so that the daemon's own state may be lost. */
#pragma once
#include "leeboard/config.h"
#include "leeboard/object.h"

struct http_tls;
struct target;
struct target_call;

struct target_env {
	struct loop *loop;
	struct log *log;         /* warnings of a server, for people; may be NULL */
	struct metrics *metrics; /* may be NULL */
	str instance;            /* the Daemon's name: in marks and records */
	str holder;              /* tells this installation from another one of the same name */
	str state_directory;     /* the Daemon's */
	const struct config_secrets *secrets; /* of Refs; may be NULL */
	const struct config_texts *allow_exec;
	int64_t requests;     /* most writes in flight; 0: adaptive */
	msec delete_timeout;  /* when a deletion counts as stuck */
};

/* Apps with the same key share one target. The directory's is its absolute path (the state folder is
 * part of it), the API server's the kubeconfig's path, context and namespace-independent parts. */
str target_key(struct arena *a, const struct app_target *where);
/* Reads the kubeconfig or looks at the folder; no request yet. */
MUST_CHECK struct err *target_open(const struct target_env *env, const struct app_target *where,
				   struct target **ret);
/* Cancels every call and watch; may be called out of a callback, when the loop goes on after it. */
void target_close(struct target *t);
DEFINE_CLEANUP(target, target_close)

/* ------------------------------------------------------------------ facts */

enum target_sort { TARGET_SORT_DIR, TARGET_SORT_KUBE };
enum target_sort target_sort(const struct target *t);
/* Do objects carry the marks leeboard.dev/{instance,app,owner}? (kube: yes; dir: no, its inventory
 * and last-applied files say the same.) */
bool target_marks(const struct target *t);
/* Does a live object's status say how it is? (dir: no: health is Unknown, "health not seen") */
bool target_tells_health(const struct target *t);
/* For obj_norm: what discovery said of a kind; the built-in table before target_ready, and for dir. */
enum obj_scope target_scope(void *target, str group, str version, str kind);
/* Does the target serve this kind in this version? dir: always. */
bool target_serves(const struct target *t, str group, str version, str kind);
/* Has this kind a status of its own (discovery lists the subresource)? False where nobody knows. */
bool target_has_status(const struct target *t, str group, str version, str kind);
/* For status: address without credentials ("kind-kind at https://127.0.0.1:6443", "/srv/live"). */
str target_place(const struct target *t);
msec target_last_request(const struct target *t); /* wall clock; 0: none yet */
uint64_t target_requests(const struct target *t); /* sent so far, watches included */
uint64_t target_writes(const struct target *t);   /* of managed objects, so far */

/* ------------------------------------------------------------------ calls */

void target_cancel(struct target_call *c); /* NULL is fine */

/* e NULL: it went well. */
typedef void (*target_done)(void *arg, struct err *e);

/* Connects: discovery and the cluster's uid, or folder and lock. May be called again after
 * ERR_TARGET_UNREACHABLE. */
void target_ready(struct target *t, target_done done, void *arg, struct target_call **ret);
/* Who this place is: the uid of the Namespace kube-system; a directory's state folder keeps a random
 * one. Empty before target_ready. */
str target_uid(const struct target *t);
/* Discovery again (a CRD was applied). dir: nothing. */
void target_discover(struct target *t, target_done done, void *arg, struct target_call **ret);

/* What is kept at the target about one App. */
struct target_record {
	str app;
	str source, ref;
	str accepted; /* commit, hex; empty: none */
	uint64_t generation;
	str policy;
	str applied;
	msec applied_at;
	str healthy;
	msec healthy_at;
	str holder;
	const struct inventory *inventory; /* never NULL in an answer */
};
/* All records of this instance (app empty), or one App's; an App without one is not in the answer. */
typedef void (*target_records_done)(void *arg, const struct target_record *p, size_t n,
				    struct err *e);
void target_records(struct target *t, str app, target_records_done done, void *arg,
		    struct target_call **ret);
/* Durable when done comes. Written only where it differs from what is there; ERR_CONFLICT when
 * another holder wrote it since. `record` without its inventory. */
void target_record_put(struct target *t, const struct target_record *r, target_done done, void *arg,
		       struct target_call **ret);
void target_inventory_put(struct target *t, str app, const struct inventory *inv, target_done done,
			  void *arg, struct target_call **ret);
/* Record and inventory go: the App is no more. */
void target_record_drop(struct target *t, str app, target_done done, void *arg,
			struct target_call **ret);

/* One object as it is now. */
struct target_live {
	obj_id id;
	str version;
	str uid;                    /* dir: empty */
	const struct node *root;    /* NULL: absent */
	const struct node *applied; /* dir: what this App wrote last; NULL: nothing, or kube */
	bool meta_only;             /* root has metadata alone */
	bool failed;                /* it could not be read: root says nothing; why is in the error */
};
struct target_want_live {
	obj_id id;
	str version;
	str app; /* dir: whose last-applied */
};
/* p[i] answers ids[i]. meta: existence, uid, labels, annotations and managedFields suffice (kube: one
 * paged metadata-only list per kind, or a GET each below three of a kind). A kind that is not served
 * (yet) is absent. An unreadable group is an error, never "absent". */
typedef void (*target_get_done)(void *arg, const struct target_live *p, size_t n, struct err *e);
void target_get(struct target *t, const struct target_want_live *ids, size_t n, bool meta,
		target_get_done done, void *arg, struct target_call **ret);

/* What stands there of one kind in one namespace, ours or not, by label selector: one page, at most
 * TARGET_MAX_LIST of them. For looking closer at what fails (the Pods of a Deployment), never at rest.
 * dir: nothing. */
#define TARGET_MAX_LIST 50u
struct target_list {
	str group, version, kind, ns;
	str selector; /* "app=web,tier in (a,b)" */
};
void target_list(struct target *t, const struct target_list *what, target_get_done done, void *arg,
		 struct target_call **ret);

enum target_outcome {
	TARGET_CREATED,
	TARGET_CHANGED,
	TARGET_UNCHANGED, /* it was as wanted: nothing written */
};
struct target_apply {
	obj_id id;
	str version;
	str app;
	str json;      /* the whole desired object, compact, marks in */
	bool force;    /* carries our mark, or adoption was decided: take fields from other Apply managers */
	bool create;   /* plan saw none: something there meanwhile is ERR_CONFLICT, unless it is ours */
	/* kube: the object as plan saw it when it is taken over: the field managers in `managers`
	 * (kubectl client-side apply and the like, sync.md a.6) hand their fields to us first. */
	const struct node *adopt;
	/* Sent as it is when it went out before (baseline): dir needs none of this. */
	str uid; /* of the object that is meant; empty: any */
};
/* live: the target's answer (dir: the file as it now is), root complete. ERR_CONFLICT,
 * ERR_INVALID_OBJECT, ERR_IMMUTABLE, ERR_FORBIDDEN, ERR_DENIED, ERR_QUOTA, ERR_NOT_FOUND (namespace
 * or kind missing), ERR_TARGET_UNREACHABLE (tried with backoff as c.4 says, then given up). */
typedef void (*target_apply_done)(void *arg, enum target_outcome o, const struct target_live *live,
				  struct err *e);
void target_apply(struct target *t, const struct target_apply *what, target_apply_done done, void *arg,
		  struct target_call **ret);

struct target_delete {
	obj_id id;
	str version, uid, app;
	int propagation; /* enum propagation */
};
/* Comes when the object is gone (or was not there; or has another uid: then it is not ours and stays,
 * gone is true). ERR_FINALIZER after delete_timeout, naming finalizers; the call may be repeated. */
void target_delete(struct target *t, const struct target_delete *what, target_done done, void *arg,
		   struct target_call **ret);
/* Sends one dry-run apply: what would the object be? dir: the merge, unwritten. For `plan` and for
 * lost baselines. */
void target_preview(struct target *t, const struct target_apply *what, target_apply_done done,
		    void *arg, struct target_call **ret);

/* ------------------------------------------------------------------ watching */

enum target_event_kind {
	TARGET_SEEN,   /* is, or was changed to, this */
	TARGET_GONE,   /* is no more: confirmed, not only out of the selector's sight */
	TARGET_LISTING, /* a list of this kind begins, the first or after a gap; id as in LISTED. Objects
			 * that are told between it and LISTED are all that there are */
	TARGET_LISTED, /* every object of this kind that is ours was told since the watch began or was
			* renewed after a gap; what was not told is gone. id has group and kind alone */
	TARGET_LOST,   /* the target does not answer: `why` */
	TARGET_FOUND,  /* it answers again */
};
struct target_event {
	enum target_event_kind kind;
	struct target_live live; /* SEEN, GONE, LISTING, LISTED; in a directory the latter two have an
				  * empty kind: all kinds */
	str why;
};
/* One listener per target. Objects of this instance (label, or inventory in a directory) only. */
void target_listen(struct target *t, void (*event)(void *arg, const struct target_event *e), void *arg);
/* Watches this kind too; again is nothing. dir: the whole folder, whatever the kind. */
MUST_CHECK struct err *target_watch(struct target *t, str group, str version, str kind);
/* No object of the kind is ours any more. */
void target_unwatch(struct target *t, str group, str version, str kind);

/* ------------------------------------------------------------------ the table (for src/target) */

struct target_ops {
	const char *name; /* "dir", "kube" */
	enum target_sort sort;
	bool marks, tells_health;
	struct err *(*open)(const struct target_env *env, const struct app_target *where,
			    struct target **ret);
	void (*close)(struct target *t);
	enum obj_scope (*scope)(struct target *t, str group, str version, str kind); /* NULL: built-in */
	bool (*serves)(const struct target *t, str group, str version, str kind);    /* NULL: always */
	bool (*has_status)(const struct target *t, str group, str version, str kind); /* NULL: false */
	void (*ready)(struct target *t, target_done, void *arg, struct target_call **ret);
	void (*discover)(struct target *t, target_done, void *arg, struct target_call **ret);
	void (*records)(struct target *t, str app, target_records_done, void *arg,
			struct target_call **ret);
	void (*record_put)(struct target *t, const struct target_record *r, target_done, void *arg,
			   struct target_call **ret);
	void (*inventory_put)(struct target *t, str app, const struct inventory *inv, target_done,
			      void *arg, struct target_call **ret);
	void (*record_drop)(struct target *t, str app, target_done, void *arg, struct target_call **ret);
	void (*get)(struct target *t, const struct target_want_live *ids, size_t n, bool meta,
		    target_get_done, void *arg, struct target_call **ret);
	void (*list)(struct target *t, const struct target_list *what, target_get_done, void *arg,
		     struct target_call **ret); /* NULL: nothing */
	void (*apply)(struct target *t, const struct target_apply *what, target_apply_done, void *arg,
		      struct target_call **ret);
	void (*preview)(struct target *t, const struct target_apply *what, target_apply_done, void *arg,
			struct target_call **ret);
	void (*remove)(struct target *t, const struct target_delete *what, target_done, void *arg,
		       struct target_call **ret);
	struct err *(*watch)(struct target *t, str group, str version, str kind);
	void (*unwatch)(struct target *t, str group, str version, str kind);
	void (*cancel)(struct target_call *c);
};
extern const struct target_ops target_dir, target_kube;
/* The head of every struct target; src/target/target_priv.h says how the two embed it. */
