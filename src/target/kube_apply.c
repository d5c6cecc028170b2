/* Server-side apply of one object: one PATCH, and what may have to come before or after it.
 *
 *   find      the kind, from discovery; asked again where a CRD is new
 *   take      the fields of kubectl and the like become ours first (adopt), 5 tries on the version
 *   send      the PATCH
 *   answered  the object; or a name that is taken, a version of the schema that moved on, an object
 *             that is on its way out: then look, mend, and send once more */
#include "kube_priv.h"
#include <stdlib.h>

#define TAKE_TRIES 5u
#define FIND_TRIES 4u /* of a kind whose CRD is younger than this: */
#define FIND_YOUNG MINUTE
#define FIND_PAUSE 250          /* doubled */
#define CLOCK_STEP (2 * SECOND) /* managedFields' times and Date are whole seconds */

struct apply_op {
	struct kube_op op;
	target_apply_done done;
	void *arg;
	obj_id id;
	str version, api_version, body, patch, said, app, uid;
	char *block; /* id, version, app, uid, body, patch, as they were handed in */
	struct apply_op *held_prev, *held_next;
	unsigned outage;
	bool held, running;
	struct kube_kind kind;
	struct kube_gone *gone;
	bool dry, force, create;
	bool looked, reversioned, rediscovered, waited; /* once each */
	unsigned takes, finds, races;
	uint64_t sent; /* by the clock of what was seen */
};

static void pump_soon(struct kube *k);
static void send_apply(struct apply_op *o);
static void find(struct apply_op *o);

static void apply_done(struct apply_op *o, enum target_outcome outcome, const struct target_live *l,
		       struct err *e)
{
	kube_op_tell(&o->op);
	o->done(o->arg, outcome, l, e);
	kube_op_end(&o->op);
}

static void apply_failed(struct apply_op *o, struct err *e)
{
	struct target_live none = {.id = o->id, .version = o->version, .failed = true};

	apply_done(o, TARGET_UNCHANGED, &none, e);
}

static struct kube_what what_of(struct apply_op *o, const char *verb)
{
	return kube_what(verb, &o->kind, o->id.ns, o->id.name);
}

/* ------------------------------------------------------------------ find the kind */

static void on_found(void *arg, struct err *e)
{
	struct apply_op *o = arg;

	if (e)
		apply_failed(o, e);
	else
		find(o);
}

static void find_again(struct kube_op *op)
{
	kube_discover(op->k, op, on_found, op);
}

static void not_served(struct apply_op *o)
{
	struct kube *k = o->op.k;
	const struct kube_kind *other = kube_kind(k, o->id.group, STR_NONE, o->id.kind);

	if (kube_group_bad(k, o->id.group, o->version))
		apply_failed(o, kube_group_err(o->id.group, o->version, o->id.kind));
	else if (other)
		apply_failed(o, err_new(ERR_NOT_FOUND,
					"the server serves no " STR_FMT " of version '" STR_FMT
					"' (it has: " STR_FMT ")",
					STR_ARG(o->id.kind), STR_ARG(o->api_version),
					STR_ARG(other->version)));
	else
		apply_failed(o, err_new(ERR_NOT_FOUND,
					"the server serves no kind '" STR_FMT "' of '" STR_FMT "'",
					STR_ARG(o->id.kind), STR_ARG(o->api_version)));
}

static void find(struct apply_op *o)
{
	struct kube *k = o->op.k;
	const struct kube_kind *kind = kube_kind(k, o->id.group, o->version, o->id.kind);
	bool young = k->crd_at && clock_now(k->t.loop) - k->crd_at < FIND_YOUNG;

	if (!kind) {
		if (o->finds++ < (young ? FIND_TRIES : 1u))
			kube_op_later(&o->op, o->finds > 1 ? FIND_PAUSE << o->finds : 0,
				      find_again);
		else
			not_served(o);
		return;
	}
	o->kind = kube_kind_dup(o->op.a, kind);
	if (kind->namespaced && !o->id.ns.n) {
		apply_failed(o,
			     err_new(ERR_INVALID_OBJECT, STR_FMT " '" STR_FMT "' has no namespace",
				     STR_ARG(o->id.kind), STR_ARG(o->id.name)));
		return;
	}
	send_apply(o);
}

/* ------------------------------------------------------------------ look, mend */

static void look(struct apply_op *o, kube_reply_fn fn)
{
	struct kube_ask ask = {
		.method = "GET",
		.path = kube_path(o->op.a, &o->kind, o->id.ns, o->id.name),
		.lane = KUBE_READ,
		.what = what_of(o, "get"),
	};

	kube_send(o->op.k, &o->op, &ask, fn, o, NULL);
}

static struct err *read_object(struct apply_op *o, str body, const struct node **ret)
{
	return kube_item_read(o->op.a, body, o->id.group, o->version, o->id.kind, ret);
}

/* The patch that makes entries of managedFields ours; empty: nothing to take. */
static str take_patch(struct arena *a, const struct node *root, str api_version)
{
	const struct node *managed = kube_take_over(a, root, api_version);
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!managed)
		return STR_NONE;
	kube_owner_patch(root, managed, &b);
	return arena_str(a, buf_view(&b));
}

static void on_look_to_take(void *arg, const struct kube_reply *r, struct err *e)
{
	struct apply_op *o = arg;
	const struct node *root = NULL;

	if (!e && r->status == 404) { /* gone meanwhile: there is nobody to take from */
		o->patch = STR_NONE;
		send_apply(o);
		return;
	}
	if (!e && r->status != 200)
		e = kube_error(r->what, r->status, r->body);
	if (!e)
		e = read_object(o, r->body, &root);
	if (e) {
		apply_failed(o, e);
		return;
	}
	o->patch = take_patch(o->op.a, root, o->api_version);
	send_apply(o);
}

static void on_patched(void *arg, const struct kube_reply *r, struct err *e)
{
	struct apply_op *o = arg;

	if (e) {
		apply_failed(o, e);
	} else if (r->status == 200) {
		o->patch = STR_NONE;
		send_apply(o);
	} else if ((r->status == 409 || r->status == 422 || r->status == 404) &&
		   ++o->takes < TAKE_TRIES) {
		look(o, on_look_to_take);
	} else {
		apply_failed(o, kube_error(r->what, r->status, r->body));
	}
}

static void send_patch(struct apply_op *o)
{
	struct kube_ask ask = {
		.method = "PATCH",
		.type = "application/json-patch+json",
		.body = o->patch,
		.lane = KUBE_WRITE,
		.managed = true,
		.what = what_of(o, "patch"),
	};

	ask.path = arena_printf(o->op.a, STR_FMT "?fieldManager=" KUBE_MANAGER,
				STR_ARG(kube_path(o->op.a, &o->kind, o->id.ns, o->id.name)));
	kube_send(o->op.k, &o->op, &ask, on_patched, o, NULL);
}

/* ---- the CRD has a new version, and entries of managedFields are of the old one */

static void on_look_to_reversion(void *arg, const struct kube_reply *r, struct err *e)
{
	struct apply_op *o = arg;
	const struct node *root = NULL, *managed;
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!e && r->status == 200)
		e = read_object(o, r->body, &root);
	managed = root ? kube_reversion(o->op.a, root, o->api_version) : NULL;
	if (e) {
		apply_failed(o, e);
		return;
	}
	if (!managed) { /* the manifest it is, then */
		apply_failed(o,
			     kube_error(&(struct kube_what){.verb = "patch",
							    .resource = o->kind.resource,
							    .group = o->kind.group,
							    .ns = o->id.ns,
							    .name = o->id.name,
							    .secret = what_of(o, "patch").secret},
					500, o->said));
		return;
	}
	kube_owner_patch(root, managed, &b);
	o->patch = arena_str(o->op.a, buf_view(&b));
	send_apply(o);
}

/* ---- something has the name already */

static bool is_ours(const struct apply_op *o, const struct node *root)
{
	const struct node *labels = node_at(root, "metadata", "labels", NULL);

	return str_eq(node_get_text(labels, STR(KUBE_LABEL_INSTANCE)), o->op.k->instance) &&
	       !str_cmp(node_get_text(node_at(root, "metadata", "annotations", NULL),
				      STR("leeboard.dev/owner")),
			arena_printf(o->op.a, STR_FMT "/" STR_FMT, STR_ARG(o->op.k->instance),
				     STR_ARG(o->app)));
}

static void on_look_at_taken(void *arg, const struct kube_reply *r, struct err *e)
{
	struct apply_op *o = arg;
	const struct node *root = NULL;

	if (!e && r->status == 404) {
		send_apply(o);
		return;
	}
	if (!e && r->status == 200)
		e = read_object(o, r->body, &root);
	if (!e && r->status == 200 && is_ours(o, root)) {
		o->force = true;
		send_apply(o);
		return;
	}
	if (!e) {
		struct err *why = kube_error(r->what, 409, o->said);

		e = err_wrap(why, "it was not there when this was planned");
	}
	apply_failed(o, e);
}

/* ---- it is on its way out */

static void on_gone(void *arg, const struct node *last, struct err *e)
{
	struct apply_op *o = arg;
	CLEANUP(buf) struct buf keeps = BUF_INIT;

	kube_gone_free(STEAL(o->gone));
	if (e) {
		apply_failed(o, e);
	} else if (last) {
		kube_keeps(last, &keeps);
		apply_failed(o, err_new(ERR_FINALIZER,
					STR_FMT " '" STR_FMT "' is being deleted and stays: %s",
					STR_ARG(o->id.kind), STR_ARG(o->id.name),
					keeps.n ? keeps.p : "nothing says why"));
	} else {
		send_apply(o);
	}
}

/* ------------------------------------------------------------------ the answer */

/* Our entry's time is the server's clock at the last apply that wrote something. */
static bool wrote_nothing(struct apply_op *o, const struct node *root, const struct kube_reply *r)
{
	const struct node *all = node_at(root, "metadata", "managedFields", NULL);
	msec at;

	if (!o->dry && kube_seen_is(&o->op.k->seen, kube_meta(root, STR("uid")),
				    kube_meta(root, STR("resourceVersion")), o->sent))
		return true;
	for (uint32_t i = 0; node_is(all, NODE_LIST) && i < all->n; i++) {
		const struct node *e = all->items[i];

		if (str_eq(node_get_text(e, STR("manager")), STR(KUBE_MANAGER)) &&
		    str_eq(node_get_text(e, STR("operation")), STR("Apply")) &&
		    !node_get_text(e, STR("subresource")).n)
			return r->date && time_parse(node_get_text(e, STR("time")), &at) &&
			       at < r->date - r->took - CLOCK_STEP;
	}
	return false;
}

static bool changes_kinds(const struct apply_op *o)
{
	return (str_eq(o->id.kind, STR("CustomResourceDefinition")) &&
		str_eq(o->id.group, STR("apiextensions.k8s.io"))) ||
	       (str_eq(o->id.kind, STR("APIService")) &&
		str_eq(o->id.group, STR("apiregistration.k8s.io")));
}

static void applied(struct apply_op *o, const struct kube_reply *r)
{
	struct target_live live;
	enum target_outcome outcome = TARGET_CHANGED;
	const struct node *root = NULL;
	struct err *e = read_object(o, r->body, &root);
	str uid, version;

	if (e) {
		apply_failed(o, e);
		return;
	}
	uid = kube_meta(root, STR("uid"));
	version = kube_meta(root, STR("resourceVersion"));
	if (!o->dry && kube_meta(root, STR("deletionTimestamp")).n && !o->waited) {
		o->waited = true; /* what was written goes with it */
		o->gone = kube_gone_start(o->op.k, &o->kind, o->id, uid, on_gone, o);
		kube_gone_follow(o->gone, version, false);
		o->running = false; /* it may take minutes: others need not wait for that */
		o->op.k->applies.running--;
		pump_soon(o->op.k);
		return;
	}
	if (r->status == 201)
		outcome = TARGET_CREATED;
	else if (wrote_nothing(o, root, r))
		outcome = TARGET_UNCHANGED;
	if (!o->dry)
		kube_seen_put(&o->op.k->seen, uid, version);
	if (!o->dry && changes_kinds(o) && outcome != TARGET_UNCHANGED)
		o->op.k->crd_at = clock_now(o->op.k->t.loop);
	kube_live(root, &live);
	apply_done(o, outcome, &live, NULL);
}

static void on_applied(void *arg, const struct kube_reply *r, struct err *e)
{
	struct apply_op *o = arg;

	if (e) {
		apply_failed(o, e);
		return;
	}
	if (r->status == 200 || r->status == 201) {
		applied(o, r);
		return;
	}
	if (kube_no_such_resource(r->status, r->body) && !o->rediscovered) {
		o->rediscovered = true;
		find_again(&o->op);
		return;
	}
	if (str_contains(r->body, STR("field not declared in schema")) && !o->reversioned &&
	    !o->dry) {
		o->reversioned = true;
		o->said = arena_str(o->op.a, r->body);
		look(o, on_look_to_reversion);
		return;
	}
	if (r->status == 409 && o->create && !o->force && !o->looked) {
		o->looked = true;
		o->said = arena_str(o->op.a, r->body);
		look(o, on_look_at_taken);
		return;
	}
	if (r->status == 409 && str_contains(r->body, STR("please apply your changes")) &&
	    o->races++ < 3) {
		send_apply(o);
		return;
	}
	apply_failed(o, kube_error(r->what, r->status, r->body));
}

static void send_apply(struct apply_op *o)
{
	struct kube_ask ask = {
		.method = "PATCH",
		.type = "application/apply-patch+yaml",
		.body = o->body,
		.lane = KUBE_WRITE,
		.managed = !o->dry,
		.what = what_of(o, "patch"),
	};

	if (o->patch.n) {
		send_patch(o);
		return;
	}
	o->sent = o->op.k->seen.now;
	ask.path = arena_printf(o->op.a, STR_FMT "?fieldManager=" KUBE_MANAGER "&force=%s%s",
				STR_ARG(kube_path(o->op.a, &o->kind, o->id.ns, o->id.name)),
				o->force ? "true" : "false", o->dry ? "&dryRun=All" : "");
	kube_send(o->op.k, &o->op, &ask, on_applied, o, NULL);
}

/* ------------------------------------------------------------------ the operation */

/* With a uid in it the server refuses to write to another object of that name. */
static struct err *with_uid(struct apply_op *o, str json, str uid)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	const struct node *root = NULL, *meta;

	TRY(kube_json(a, STR("the desired object"), json, &root));
	meta = node_set(a, node_get(root, STR("metadata")), STR("uid"), node_new_str(a, uid));
	node_json(node_set(a, root, STR("metadata"), meta), NODE_JSON_COMPACT, &b);
	o->body = arena_str(o->op.a, buf_view(&b));
	return NULL;
}

/* Comes out of the queue of those that wait; from here on it has an arena. */
static void begin(struct apply_op *o)
{
	struct arena *a = o->op.a = arena_new();
	struct err *e;

	o->api_version = o->id.group.n ? arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(o->id.group),
						      STR_ARG(o->version))
				       : o->version;
	e = o->uid.n ? with_uid(o, o->body, o->uid) : NULL;
	if (e)
		apply_failed(o, err_new(ERR_INVALID_OBJECT, STR_FMT, STR_ARG(err_message(e))));
	else
		find(o);
	err_free(e);
}

static void unhold(struct apply_op *o)
{
	struct kube *k = o->op.k;

	*(o->held_prev ? &o->held_prev->held_next : &k->applies.first) = o->held_next;
	*(o->held_next ? &o->held_next->held_prev : &k->applies.last) = o->held_prev;
	o->held_prev = o->held_next = NULL;
	o->held = false;
}

static void pump(void *arg)
{
	struct kube *k = arg;
	struct apply_op *o;

	k->applies.pump = NULL;
	while (k->applies.running < 2 * k->window_most && (o = k->applies.first)) {
		unhold(o);
		o->running = true;
		k->applies.running++;
		begin(o);
	}
}

static void pump_soon(struct kube *k)
{
	if (k->applies.first && !k->applies.pump)
		k->applies.pump = timer_start(k->t.loop, 0, pump, k);
}

void kube_applies_fail(struct kube *k, const char *why)
{
	struct apply_op *o;

	while ((o = k->applies.first) && o->outage < k->outage)
		apply_failed(o, err_new(ERR_TARGET_UNREACHABLE, "%s", why));
}

/* A thousand may wait at once, so what waits is one block and no arena. */
static void apply_gone(struct kube_op *op)
{
	struct apply_op *o = (struct apply_op *)op;

	if (o->held)
		unhold(o);
	if (o->running)
		op->k->applies.running--;
	pump_soon(op->k);
	kube_gone_free(o->gone);
	free(o->block);
}

static str put(char **at, str s)
{
	str r = {*at, s.n};

	if (s.n)
		memcpy(*at, s.p, s.n);
	(*at)[s.n] = '\0';
	*at += s.n + 1;
	return r;
}

static void start(struct target *t, const struct target_apply *w, bool dry, target_apply_done done,
		  void *arg, struct target_call **ret)
{
	struct kube *k = (struct kube *)t;
	struct apply_op *o = kube_op_new_bare(k, sizeof(*o), apply_gone, ret);
	CLEANUP(arena) struct arena *a = w->adopt && !dry ? arena_new() : NULL;
	str version = w->id.group.n && a ? arena_printf(a, STR_FMT "/" STR_FMT,
							STR_ARG(w->id.group), STR_ARG(w->version))
					 : w->version;
	str patch = a ? take_patch(a, w->adopt, version) : STR_NONE;
	const str all[] = {w->id.group, w->id.kind, w->id.ns, w->id.name, w->version,
			   w->app,      w->uid,     w->json,  patch};
	size_t size = ARRAY_LEN(all);

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		size += all[i].n;
	char *at = o->block = xmalloc(size);

	o->id = (obj_id){put(&at, w->id.group), put(&at, w->id.kind), put(&at, w->id.ns),
			 put(&at, w->id.name)};
	o->version = put(&at, w->version);
	o->app = put(&at, w->app);
	o->uid = put(&at, w->uid);
	o->body = put(&at, w->json);
	o->patch = put(&at, patch);
	o->done = done;
	o->arg = arg;
	o->dry = dry;
	o->force = w->force;
	o->create = w->create;
	o->outage = k->outage;
	o->held = true;
	o->held_prev = k->applies.last;
	*(o->held_prev ? &o->held_prev->held_next : &k->applies.first) = o;
	k->applies.last = o;
	pump_soon(k);
}

void kube_apply(struct target *t, const struct target_apply *what, target_apply_done done,
		void *arg, struct target_call **ret)
{
	start(t, what, false, done, arg, ret);
}

void kube_preview(struct target *t, const struct target_apply *what, target_apply_done done,
		  void *arg, struct target_call **ret)
{
	start(t, what, true, done, arg, ret);
}
