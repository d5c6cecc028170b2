/* The Kubernetes target: opening, facts, and who this cluster is. */
#include "kube_priv.h"
#include <stdlib.h>

#define MOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
#define DELETE_TIMEOUT (5 * MINUTE)

/* ------------------------------------------------------------------ opening */

str target_kube_key(struct arena *a, const struct app_target *where)
{
	const struct config_ref *r = &where->kubeconfig;

	if (where->kind == TARGET_IN_CLUSTER)
		return STR("in-cluster");
	if (r->kind == REF_SECRET)
		return arena_printf(a, "secret " STR_FMT "/" STR_FMT " " STR_FMT, STR_ARG(r->name),
				    STR_ARG(r->key), STR_ARG(where->context));
	return arena_printf(a, STR_FMT " " STR_FMT, STR_ARG(r->value), STR_ARG(where->context));
}

static void auth_changed(void *arg)
{
	kube_pump(arg);
}

static str folder_of(str path)
{
	size_t slash = str_rchr(path, '/');

	return slash == SIZE_MAX ? STR(".") : slash ? str_sub(path, 0, slash) : STR("/");
}

static struct err *read_config(struct kube *k, const struct target_env *env,
			       const struct app_target *where)
{
	struct text *in = ARENA_NEW(k->a, struct text);
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct err *e;

	if (where->kind == TARGET_IN_CLUSTER)
		return kube_config_pod(k->a, str_from(getenv("KUBERNETES_SERVICE_HOST")),
				       str_from(getenv("KUBERNETES_SERVICE_PORT")), STR(MOUNT),
				       &k->cfg);
	TRY(config_ref_read(&where->kubeconfig, "kubeConfig", env->secrets, &b));
	if (b.n > KUBE_CONFIG_MAX)
		return err_at(ERR_LIMIT, where->kubeconfig.at,
			      "the kubeconfig is larger than %u bytes", KUBE_CONFIG_MAX);
	in->name = where->kubeconfig.kind == REF_SECRET
			   ? arena_printf(k->a, "secret " STR_FMT " key " STR_FMT,
					  STR_ARG(where->kubeconfig.name),
					  STR_ARG(where->kubeconfig.key))
			   : arena_str(k->a, where->kubeconfig.value);
	in->bytes = arena_str(k->a, buf_view(&b));
	k->guest = where->kubeconfig.kind == REF_SECRET;
	e = kube_config_read(k->a, in, k->guest ? STR_NONE : folder_of(where->kubeconfig.value),
			     where->context, env->allow_exec, &k->cfg);
	mem_wipe(b.p, b.n);
	return e;
}

static void close_now(void *arg)
{
	struct kube *k = arg;

	kube_watch_free_all(k);
	while (k->ops)
		kube_op_end(k->ops);
	kube_kept_free(k);
	timer_stop(k->applies.pump);
	timer_stop(k->pump);
	http_free(k->streams);
	http_free(k->http);
	kube_auth_free(k->auth);
	kube_kinds_free(&k->kinds);
	free(k->seen.p);
	arena_free(k->a);
	free(k);
}

/* Out of a callback of ours everything ends but what is on the stack: that goes in the next turn.
 */
static void kube_close(struct target *t)
{
	struct kube *k = (struct kube *)t;

	if (!k || k->closing)
		return;
	if (!k->telling) {
		close_now(k);
		return;
	}
	k->t.event = NULL;
	k->closing = timer_start(k->t.loop, 0, close_now, k);
	kube_watch_end_all(k);
	for (struct kube_op *op = k->ops, *next; op; op = next) {
		next = op->next;
		if (!op->telling)
			kube_op_end(op);
	}
}

static void kube_cleanup(struct kube **k)
{
	kube_close((struct target *)*k);
}

static struct err *kube_open(const struct target_env *env, const struct app_target *where,
			     struct target **ret)
{
	CLEANUP(kube) struct kube *k = xcalloc(1, sizeof(*k));
	CLEANUP(buf) struct buf b = BUF_INIT;

	k->a = arena_new();
	k->t.ops = &target_kube;
	k->t.loop = env->loop;
	k->t.log = env->log;
	k->metrics = env->metrics;
	k->instance = arena_str(k->a, env->instance);
	k->holder = arena_str(k->a, env->holder);
	k->delete_timeout = env->delete_timeout > 0 ? env->delete_timeout : DELETE_TIMEOUT;
	TRY(read_config(k, env, where));
	k->t.place = arena_printf(k->a, STR_FMT " at " STR_FMT, STR_ARG(k->cfg.context),
				  STR_ARG(k->cfg.server));
	buf_str(&b, STR(KUBE_LABEL_INSTANCE "%3D"));
	kube_escape(&b, k->instance);
	k->selector = arena_str(k->a, buf_view(&b));
	k->auth = kube_auth_new(env->loop, &k->cfg, auth_changed, k);
	k->records_ns = STR("leeboard-system");
	if (k->cfg.in_cluster && kube_auth_namespace(k->auth).n)
		k->records_ns = arena_str(k->a, kube_auth_namespace(k->auth));
	k->http = http_new(env->loop);
	k->streams = http_new(env->loop);
	k->window_most = KUBE_WRITES_MOST;
	k->window = KUBE_WRITES_LEAST;
	if (env->requests > 0) {
		k->window_most = env->requests < 1000 ? (unsigned)env->requests : 1000;
		if (k->window > k->window_most)
			k->window = k->window_most;
	}
	*ret = &STEAL(k)->t;
	return NULL;
}

/* ------------------------------------------------------------------ facts */

static enum obj_scope scope(struct target *t, str group, str version, str kind)
{
	struct kube *k = (struct kube *)t;
	const struct kube_kind *x = kube_kind(k, group, version, kind);

	if (!x)
		x = kube_kind(k, group, STR_NONE, kind);
	if (!x)
		return obj_scope_builtin(group, kind);
	return x->namespaced ? OBJ_NAMESPACED : OBJ_CLUSTER;
}

/* A group that could not be asked may serve it: whoever tries is told then. */
static bool serves(const struct target *t, str group, str version, str kind)
{
	const struct kube *k = (const struct kube *)t;

	return kube_kind(k, group, version, kind) || kube_group_bad(k, group, version);
}

static bool has_status(const struct target *t, str group, str version, str kind)
{
	const struct kube_kind *x = kube_kind((const struct kube *)t, group, version, kind);

	return x && x->status;
}

/* ------------------------------------------------------------------ ready, discover */

struct ready_op {
	struct kube_op op;
	target_done done;
	void *arg;
	bool with_uid;
};

static void ready_done(struct ready_op *o, struct err *e)
{
	kube_op_tell(&o->op);
	o->done(o->arg, e);
	kube_op_end(&o->op);
}

static void on_system(void *arg, const struct kube_reply *r, struct err *e)
{
	struct ready_op *o = arg;
	struct kube *k = o->op.k;
	const struct node *root = NULL;

	if (!e && r->status != 200)
		e = kube_error(r->what, r->status, r->body);
	if (!e)
		e = kube_json(o->op.a, STR("Namespace kube-system"), r->body, &root);
	if (!e && !kube_meta(root, STR("uid")).n)
		e = err_new(ERR_TARGET_UNREACHABLE, "Namespace 'kube-system' has no uid");
	if (e) {
		ready_done(o, err_wrap(e, "find out which cluster this is"));
		return;
	}
	if (!str_eq(k->t.uid, kube_meta(root, STR("uid"))))
		k->t.uid = arena_str(k->a, kube_meta(root, STR("uid")));
	ready_done(o, NULL);
}

static void on_kinds(void *arg, struct err *e)
{
	struct ready_op *o = arg;
	struct kube_ask ask = {
		.method = "GET",
		.path = STR("/api/v1/namespaces/kube-system"),
		.lane = KUBE_READ,
		.what = {.verb = "get", .resource = STR("namespaces"), .name = STR("kube-system")},
	};

	if (e || !o->with_uid)
		ready_done(o, e);
	else
		kube_send(o->op.k, &o->op, &ask, on_system, o, NULL);
}

static void start(struct target *t, bool with_uid, target_done done, void *arg,
		  struct target_call **ret)
{
	struct ready_op *o = kube_op_new((struct kube *)t, sizeof(*o), NULL, ret);

	o->done = done;
	o->arg = arg;
	o->with_uid = with_uid;
	kube_discover(o->op.k, &o->op, on_kinds, o);
}

static void ready(struct target *t, target_done done, void *arg, struct target_call **ret)
{
	start(t, true, done, arg, ret);
}

static void discover(struct target *t, target_done done, void *arg, struct target_call **ret)
{
	start(t, false, done, arg, ret);
}

static void cancel(struct target_call *c)
{
	struct kube_op *op = (struct kube_op *)c;

	if (!op->telling) /* else it ends by itself */
		kube_op_end(op);
}

const struct target_ops target_kube = {
	.name = "kube",
	.sort = TARGET_SORT_KUBE,
	.marks = true,
	.tells_health = true,
	.open = kube_open,
	.close = kube_close,
	.scope = scope,
	.serves = serves,
	.has_status = has_status,
	.ready = ready,
	.discover = discover,
	.records = kube_records,
	.record_put = kube_record_put,
	.inventory_put = kube_inventory_put,
	.record_drop = kube_record_drop,
	.get = kube_get,
	.list = kube_list,
	.apply = kube_apply,
	.preview = kube_preview,
	.remove = kube_remove,
	.watch = kube_watch,
	.unwatch = kube_unwatch,
	.cancel = cancel,
};
