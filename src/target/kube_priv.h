/* kube: one API server. What its files share.
 *
 * kube.c            the table, opening and closing, facts
 * kube_config.c     the kubeconfig; kube_auth.c: the credential, fresh
 * kube_client.c     requests: queues, retries, the window of writes, 401
 * kube_status.c     what the server's answers mean, in sentences and codes
 * kube_discovery.c  which kinds there are, and under which names
 * kube_get.c        reading objects, one by one or by list
 * kube_apply.c      server-side apply; kube_owner.c: taking over the fields of others
 * kube_delete.c     deleting, and waiting until it is gone
 * kube_record.c     records and inventories as ConfigMaps
 * kube_watch.c      list and watch; kube_stream.c: the lines of one watch
 *
 * An operation (kube_op) is what a caller can cancel. It owns an arena, a timer and its requests; they
 * end with it. Strings of a request are the operation's and live as long. */
#pragma once
#include "kube_auth.h"
#include "leeboard/http.h"
#include "target_priv.h"

#define KUBE_MANAGER "leeboard"
#define KUBE_LABEL_INSTANCE "leeboard.dev/instance"
#define KUBE_LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

#define KUBE_READS 16u                  /* in flight */
#define KUBE_WRITES_LEAST 8u            /* the window of writes, unless env->requests says one */
#define KUBE_WRITES_MOST 64u
#define KUBE_TIMEOUT MINUTE             /* one request; admission webhooks may take 30 s */
#define KUBE_TRIES 5u                   /* of a request that found no working server */
#define KUBE_BACKOFF_FIRST 500          /* doubled each time */
#define KUBE_BACKOFF_MOST (30 * SECOND)
#define KUBE_PRESSURE_MOST (2 * MINUTE) /* 429 for as long as this is a failure */
#define KUBE_PAGE 500u                  /* objects of one page of a list */
#define KUBE_STREAM_IDLE (90 * SECOND)  /* without a bookmark or any byte: dead */
#define KUBE_STREAM_BEGIN (30 * SECOND) /* until the server has taken it */
#define KUBE_MAX_LINE (8u << 20)        /* one watch event; etcd keeps objects of 1.5 MiB */
#define KUBE_MESSAGE_MOST 1000u         /* bytes of a server's sentence that we pass on */

struct kube;
struct kube_op;
struct apply_op;
struct kube_req;
struct kube_watch;

/* ------------------------------------------------------------------ operations */

struct kube_op {
	struct target_call call;
	struct kube *k;
	struct kube_op *prev, *next;
	struct kube_req *reqs;
	struct arena *a;
	struct timer *timer;
	void (*later)(struct kube_op *op);
	struct kube_discovery_wait *discovery;
	void (*gone)(struct kube_op *op); /* what else it holds; may be NULL */
	bool telling;                     /* inside its caller's callback */
};
/* `size` bytes that begin with a kube_op; ret: the caller's handle, may be NULL. */
void *kube_op_new(struct kube *k, size_t size, void (*gone)(struct kube_op *op),
		  struct target_call **ret);
void *kube_op_new_bare(struct kube *k, size_t size, void (*gone)(struct kube_op *op),
		       struct target_call **ret); /* without an arena yet */
/* Before its caller's callback; kube_op_end comes after it. */
void kube_op_tell(struct kube_op *op);
void kube_op_end(struct kube_op *op);
/* fn in the next turn, or after d; one at a time. */
void kube_op_later(struct kube_op *op, msec d, void (*fn)(struct kube_op *op));

/* ------------------------------------------------------------------ requests */

/* For people: "patch deployments.apps 'web' in namespace 'shop'". */
struct kube_what {
	const char *verb;
	str resource, group, ns, name; /* ns empty: cluster scope; name empty: all */
	bool secret;                   /* its server's sentences may quote values */
};
enum kube_lane { KUBE_READ, KUBE_WRITE, KUBE_STREAM, KUBE_LANES };
struct kube_ask {
	const char *method;
	str path; /* with its query */
	const char *accept, *type; /* NULL: application/json; none */
	str body, etag;
	enum kube_lane lane;
	bool managed; /* a write of a managed object */
	struct kube_what what;
	/* Of a 200, as it comes; first nothing, when it begins. NULL: gathered. */
	void (*on_data)(void *arg, str bytes);
};
struct kube_reply {
	unsigned status;
	str body;
	const struct http_response *http; /* for its headers */
	const struct kube_what *what;
	msec date; /* the server's clock when it answered, whole seconds; 0: not told */
	msec took;
};
/* Exactly one of r and e. r: any answer that is not worth another try. e: none came, or nobody was
 * let in: ERR_TARGET_UNREACHABLE, ERR_FORBIDDEN, ERR_LIMIT. Never called out of kube_send. */
typedef void (*kube_reply_fn)(void *arg, const struct kube_reply *r, struct err *e);
void kube_send(struct kube *k, struct kube_op *op, const struct kube_ask *ask, kube_reply_fn fn,
	       void *arg, struct kube_req **ret);
void kube_req_cancel(struct kube_req *r); /* NULL is fine */

/* ------------------------------------------------------------------ answers */

struct kube_cause {
	str reason, field, message;
};
struct kube_status { /* a metav1.Status; empty where the body is none */
	str message, reason, kind, name;
	struct kube_cause *causes;
	size_t causes_n;
	int64_t retry_after; /* seconds */
	str more;            /* metadata.continue */
};
void kube_status_read(struct arena *a, str body, struct kube_status *ret);
/* The error that an answer of 400 or more is. */
MUST_CHECK struct err *kube_error(const struct kube_what *w, unsigned status, str body);
/* 404 because the kind is not served, not because the object is missing. */
bool kube_no_such_resource(unsigned status, str body);
/* Another object has the name that a uid was named with. */
bool kube_other_uid(unsigned status, str body);
/* A 500 that no repetition cures. */
bool kube_is_final(unsigned status, str body);
/* The server's sentence, for a terminal, shortened. */
void kube_sentence(struct buf *b, str message);
MUST_CHECK struct err *kube_json(struct arena *a, str what, str body, const struct node **ret);

/* ------------------------------------------------------------------ kinds */

struct kube_kind {
	str group, version, kind, resource;
	bool namespaced, lists, watches, status;
};
struct kube_gv {
	str group, version;
};
struct kube_kinds {
	struct arena *arena;
	struct kube_kind *p; /* sorted by group, kind; versions of one in the server's order */
	size_t n, cap;
	struct kube_gv *bad; /* what could not be asked; version empty: the whole group */
	size_t bad_n, bad_cap;
	struct buf etag_api, etag_apis;
};
/* version empty: the one that the server prefers. NULL: not served, as far as is known. */
const struct kube_kind *kube_kind(const struct kube *k, str group, str version, str kind);
/* Kinds move when discovery is repeated: an operation keeps a copy. */
struct kube_kind kube_kind_dup(struct arena *a, const struct kube_kind *kind);
bool kube_group_bad(const struct kube *k, str group, str version);
MUST_CHECK struct err *kube_group_err(str group, str version, str kind);
/* fn gets NULL when the kinds are as fresh as they get. The answer may be 304. */
struct kube_discovery;
struct kube_discovery_wait {
	struct kube_op *op;
	struct kube_discovery_wait *prev, *next, **of;
	void (*fn)(void *arg, struct err *e);
	void *arg;
};
void kube_discovery_unwait(struct kube_discovery_wait *w); /* NULL is fine */
void kube_discover(struct kube *k, struct kube_op *op, void (*fn)(void *arg, struct err *e),
		   void *arg);
void kube_kinds_free(struct kube_kinds *s);
/* Aggregated discovery, v2 or v2beta1. For the fuzzer too. */
MUST_CHECK struct err *kube_kinds_read(struct kube_kinds *s, const struct node *root);

/* "/api/v1/namespaces/shop/configmaps/web"; ns or name empty: left out. */
str kube_path(struct arena *a, const struct kube_kind *kind, str ns, str name);
void kube_escape(struct buf *b, str s); /* for a path or a query */
struct kube_what kube_what(const char *verb, const struct kube_kind *kind, str ns, str name);

/* ------------------------------------------------------------------ lists */

/* Walks the items of a list's text one at a time, so that no tree of all of them is ever there. */
struct kube_items {
	str body;
	size_t at;
	str more;      /* metadata.continue, the scanning's arena's */
	str version;   /* metadata.resourceVersion */
	int64_t remaining;
};
MUST_CHECK struct err *kube_items_open(struct arena *a, str body, struct kube_items *ret);
/* False: no more. */
bool kube_items_next(struct kube_items *it, str *ret);
/* An object of a list or an event, with apiVersion and kind, which items of lists leave out. */
MUST_CHECK struct err *kube_item_read(struct arena *a, str json, str group, str version, str kind,
				      const struct node **ret);
void kube_live(const struct node *root, struct target_live *ret); /* id, version, uid, root */
str kube_meta(const struct node *root, str key);                  /* metadata.KEY, a string */

/* ------------------------------------------------------------------ what is known of objects */

/* uid -> resourceVersion, as hashes, and when it was first seen: tells an apply that wrote nothing. The
 * event of a write may come before its answer, so what was seen since it was sent says nothing. */
struct kube_seen {
	struct kube_seen_entry {
		uint64_t uid, version, since;
	} *p;
	size_t n, cap;
	uint64_t now;
};
void kube_seen_put(struct kube_seen *s, str uid, str version);
bool kube_seen_is(const struct kube_seen *s, str uid, str version, uint64_t before);
void kube_seen_del(struct kube_seen *s, str uid);

/* ------------------------------------------------------------------ ownership */

/* The managedFields of an object after ours took over those of the managers that adoption takes
 * (sync.md a.6). NULL: there is nothing to take. */
const struct node *kube_take_over(struct arena *a, const struct node *root, str api_version);
/* The same entries under another apiVersion; NULL: all have it already. */
const struct node *kube_reversion(struct arena *a, const struct node *root, str api_version);
/* The JSON patch that writes them, with a test of resourceVersion, and removes the last-applied
 * annotation. */
void kube_owner_patch(const struct node *root, const struct node *managed, struct buf *b);

/* ------------------------------------------------------------------ streams */

enum kube_event { KUBE_ADDED, KUBE_MODIFIED, KUBE_DELETED, KUBE_BOOKMARK, KUBE_ERROR };
struct kube_stream;
struct kube_stream_callbacks {
	void (*begin)(void *arg); /* the server took it; may be NULL */
	/* object is borrowed; KUBE_ERROR: a Status. */
	void (*event)(void *arg, enum kube_event what, const struct node *object);
	/* The last call; the stream is gone. r: how it was answered, 200 for one that ended by itself. */
	void (*end)(void *arg, const struct kube_reply *r, struct err *e);
};
struct kube_stream *kube_stream_new(struct kube *k, str path, const struct kube_what *what,
				    const struct kube_stream_callbacks *cb, void *arg);
void kube_stream_free(struct kube_stream *s); /* also from `event`; NULL is fine */

/* ------------------------------------------------------------------ waiting until it is gone */

struct kube_gone;
/* fn: once; last: as it was seen last when `limit` ran out, else NULL: gone. The watch of its kind
 * tells where it sees the object (`marked`), else a watch of the one object from `version` on. */
typedef void (*kube_gone_fn)(void *arg, const struct node *last, struct err *e);
struct kube_gone *kube_gone_start(struct kube *k, const struct kube_kind *kind, obj_id id, str uid,
				  kube_gone_fn fn, void *arg);
/* The object is on its way out: how to learn that it is gone. */
void kube_gone_follow(struct kube_gone *g, str version, bool marked);
void kube_gone_free(struct kube_gone *g); /* NULL is fine */
/* "finalizers 'a', 'b'", or what else keeps it. */
void kube_keeps(const struct node *root, struct buf *b);

struct kube_waiter {
	struct kube_waiter *prev, *next;
	obj_id id;
	str uid;       /* empty: any */
	void (*gone)(void *arg);
	void *arg;
};
void kube_wait(struct kube *k, struct kube_waiter *w);
void kube_wait_end(struct kube *k, struct kube_waiter *w);
/* A watch says that it is gone for sure. */
void kube_tell_gone(struct kube *k, obj_id id, str uid);
/* We deleted this uid, and the server said that it is gone: a watch need not ask again. */
void kube_expect_gone(struct kube *k, str uid);
bool kube_expected_gone(const struct kube *k, str uid);
bool kube_watches(const struct kube *k, obj_id id); /* a live, listed watch of the kind */

/* ------------------------------------------------------------------ the target */

#define KUBE_EXPECTED 256u
#define KUBE_WARNINGS 64u

struct kube_queue {
	struct kube_req *first, *last;
	unsigned running;
	msec not_before; /* monotonic: the server asked for a pause */
};
struct kube_chunk {
	char *name, *from; /* ConfigMap; the first identity of its range */
	char *version;     /* resourceVersion */
	bool empty;
	struct hash text;
};
struct kube_kept { /* what is known to stand at the target about one App */
	char *app;
	char *record_version; /* NULL: there is no record */
	struct buf record, holder;
	struct kube_chunk *chunks;
	size_t chunks_n;
	unsigned chunks_said; /* by the record */
};
struct kube {
	struct target t;
	struct arena *a;
	struct kube_config cfg;
	bool guest; /* its address is not the operator's word */
	struct kube_auth *auth;
	struct http *http, *streams;
	struct metrics *metrics;
	str instance, holder, selector; /* selector: escaped for a query */
	str records_ns;
	msec delete_timeout;
	struct kube_op *ops;
	struct {
		struct apply_op *first, *last; /* that wait */
		unsigned running;
		struct timer *pump;
	} applies;
	/* client */
	struct kube_queue queues[KUBE_LANES];
	unsigned window_most;
	double window;
	bool met_pressure;
	msec cut_at;
	struct timer *pump;
	unsigned outage; /* counts; a request older than it fails with it */
	uint64_t warned[KUBE_WARNINGS];
	size_t warned_n;
	/* discovery */
	struct kube_kinds kinds;
	struct kube_discovery *discovery; /* under way */
	bool discovered;
	msec crd_at; /* monotonic: when we last wrote a CRD or an APIService */
	/* objects */
	struct kube_seen seen;
	struct kube_waiter *waiters;
	uint64_t expected[KUBE_EXPECTED];
	size_t expected_n;
	/* watches */
	struct kube_watch *watches, *dead_watches;
	bool no_watch_list, lost;
	unsigned telling; /* callbacks that we are inside of: closing waits for them */
	struct timer *closing;
	/* records */
	struct kube_kept *kept;
	size_t kept_n, kept_cap;
	bool kept_all; /* all records of the instance were read */
};
void kube_pump(struct kube *k);
void kube_queue_fail(struct kube *k, const char *why); /* everything that waits for a server */
void kube_applies_fail(struct kube *k, const char *why); /* those that have not begun */
void kube_watch_end_all(struct kube *k);
void kube_watch_free_all(struct kube *k);
void kube_watch_kinds_changed(struct kube *k);
void kube_watch_hurry(struct kube *k); /* the server answers again */
void kube_kept_free(struct kube *k);

/* ------------------------------------------------------------------ the operations */

void kube_records(struct target *t, str app, target_records_done, void *arg,
		  struct target_call **ret);
void kube_record_put(struct target *t, const struct target_record *r, target_done, void *arg,
		     struct target_call **ret);
void kube_inventory_put(struct target *t, str app, const struct inventory *inv, target_done,
			void *arg, struct target_call **ret);
void kube_record_drop(struct target *t, str app, target_done, void *arg, struct target_call **ret);
void kube_get(struct target *t, const struct target_want_live *ids, size_t n, bool meta,
	      target_get_done, void *arg, struct target_call **ret);
void kube_list(struct target *t, const struct target_list *what, target_get_done, void *arg,
	       struct target_call **ret);
void kube_apply(struct target *t, const struct target_apply *what, target_apply_done, void *arg,
		struct target_call **ret);
void kube_preview(struct target *t, const struct target_apply *what, target_apply_done, void *arg,
		  struct target_call **ret);
void kube_remove(struct target *t, const struct target_delete *what, target_done, void *arg,
		 struct target_call **ret);
MUST_CHECK struct err *kube_watch(struct target *t, str group, str version, str kind);
void kube_unwatch(struct target *t, str group, str version, str kind);
