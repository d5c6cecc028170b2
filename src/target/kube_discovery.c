/* Which kinds a server has, under which plural, in which scope: asked, never guessed.
 *
 * Two requests (/api, /apis), in the aggregated form where the server has it, and nothing but a 304
 * as long as nothing changes. A group that could not be asked is remembered as such: what lies in
 * it is unknown, which is never the same as absent. */
#include "kube_priv.h"
#include <stdlib.h>

#define ACCEPT                                                                                     \
	"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"                    \
	"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"               \
	"application/json"

/* ------------------------------------------------------------------ looking up */

static int by_kind(const struct kube_kind *k, str group, str kind)
{
	int c = str_cmp(k->group, group);

	return c ? c : str_cmp(k->kind, kind);
}

const struct kube_kind *kube_kind(const struct kube *k, str group, str version, str kind)
{
	const struct kube_kinds *s = &k->kinds;
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (by_kind(&s->p[mid], group, kind) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < s->n && !by_kind(&s->p[lo], group, kind); lo++)
		if (!version.n || str_eq(s->p[lo].version, version))
			return &s->p[lo];
	return NULL;
}

struct kube_kind kube_kind_dup(struct arena *a, const struct kube_kind *kind)
{
	struct kube_kind d = *kind;

	d.group = arena_str(a, d.group);
	d.version = arena_str(a, d.version);
	d.kind = arena_str(a, d.kind);
	d.resource = arena_str(a, d.resource);
	return d;
}

bool kube_group_bad(const struct kube *k, str group, str version)
{
	for (size_t i = 0; i < k->kinds.bad_n; i++) {
		const struct kube_gv *b = &k->kinds.bad[i];

		if (str_eq(b->group, group) &&
		    (!b->version.n || !version.n || str_eq(b->version, version)))
			return true;
	}
	return false;
}

struct err *kube_group_err(str group, str version, str kind)
{
	return err_new(ERR_TARGET_UNREACHABLE,
		       "the server cannot say what is in API group '" STR_FMT "/" STR_FMT
		       "' now: nothing is known of its " STR_FMT " objects",
		       STR_ARG(group), STR_ARG(version), STR_ARG(kind));
}

void kube_escape(struct buf *b, str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '.' || c == '_' || c == '~')
			buf_char(b, c);
		else
			buf_printf(b, "%%%02X", (unsigned char)c);
	}
}

str kube_path(struct arena *a, const struct kube_kind *kind, str ns, str name)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (kind->group.n) {
		buf_str(&b, STR("/apis/"));
		kube_escape(&b, kind->group);
	} else {
		buf_str(&b, STR("/api"));
	}
	buf_char(&b, '/');
	kube_escape(&b, kind->version);
	if (kind->namespaced && ns.n) {
		buf_str(&b, STR("/namespaces/"));
		kube_escape(&b, ns);
	}
	buf_char(&b, '/');
	kube_escape(&b, kind->resource);
	if (name.n) {
		buf_char(&b, '/');
		kube_escape(&b, name);
	}
	return arena_str(a, buf_view(&b));
}

struct kube_what kube_what(const char *verb, const struct kube_kind *kind, str ns, str name)
{
	return (struct kube_what){
		.verb = verb,
		.resource = kind->resource,
		.group = kind->group,
		.ns = kind->namespaced ? ns : STR_NONE,
		.name = name,
		.secret = !kind->group.n && str_eq(kind->kind, STR("Secret")),
	};
}

/* ------------------------------------------------------------------ reading */

static void mark_bad(struct kube_kinds *s, str group, str version)
{
	struct {
		struct kube_gv *p;
		size_t n, cap;
	} v = {s->bad, s->bad_n, s->bad_cap};

	*ARENA_PUSH(s->arena, &v) =
		(struct kube_gv){arena_str(s->arena, group), arena_str(s->arena, version)};
	s->bad = v.p;
	s->bad_n = v.n;
	s->bad_cap = v.cap;
}

static bool has_verb(const struct node *verbs, str verb)
{
	for (uint32_t i = 0; node_is(verbs, NODE_LIST) && i < verbs->n; i++)
		if (str_eq(node_text(verbs->items[i]), verb))
			return true;
	return false;
}

static void add_kind(struct kube_kinds *s, str group, str version, str kind, str resource,
		     bool namespaced, const struct node *verbs, bool status)
{
	if (!kind.n || !resource.n || str_chr(resource, '/') != SIZE_MAX)
		return;
	*ARENA_PUSH(s->arena, s) = (struct kube_kind){
		.group = arena_str(s->arena, group),
		.version = arena_str(s->arena, version),
		.kind = arena_str(s->arena, kind),
		.resource = arena_str(s->arena, resource),
		.namespaced = namespaced,
		.lists = has_verb(verbs, STR("list")),
		.watches = has_verb(verbs, STR("watch")),
		.status = status,
	};
}

static bool has_status(const struct node *resource)
{
	const struct node *l = node_get(resource, STR("subresources"));

	for (uint32_t i = 0; node_is(l, NODE_LIST) && i < l->n; i++)
		if (str_eq(node_get_text(l->items[i], STR("subresource")), STR("status")))
			return true;
	return false;
}

static void read_version(struct kube_kinds *s, str group, const struct node *v)
{
	str version = node_get_text(v, STR("version"));
	const struct node *list = node_get(v, STR("resources"));

	if (str_eq(node_get_text(v, STR("freshness")), STR("Stale")))
		mark_bad(s, group, version);
	for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++) {
		const struct node *r = list->items[i];

		add_kind(s, group, version,
			 node_get_text(node_get(r, STR("responseKind")), STR("kind")),
			 node_get_text(r, STR("resource")),
			 str_eq(node_get_text(r, STR("scope")), STR("Namespaced")),
			 node_get(r, STR("verbs")), has_status(r));
	}
}

struct err *kube_kinds_read(struct kube_kinds *s, const struct node *root)
{
	const struct node *groups = node_get(root, STR("items"));

	if (!str_eq(node_get_text(root, STR("kind")), STR("APIGroupDiscoveryList")))
		return err_new(ERR_TARGET_UNREACHABLE, "the server's list of kinds is none");
	for (uint32_t i = 0; node_is(groups, NODE_LIST) && i < groups->n; i++) {
		const struct node *g = groups->items[i], *versions = node_get(g, STR("versions"));
		str name = node_get_text(node_get(g, STR("metadata")), STR("name"));

		for (uint32_t k = 0; node_is(versions, NODE_LIST) && k < versions->n; k++)
			read_version(s, name, versions->items[k]);
	}
	return NULL;
}

/* Stable: the versions of a kind stay in the server's order. */
static void sort_kinds(struct kube_kinds *s)
{
	struct kube_kind *tmp = ARENA_ARRAY(s->arena, struct kube_kind, s->n);

	for (size_t w = 1; w < s->n; w *= 2) {
		struct kube_kind *from = s->p;

		for (size_t lo = 0; lo < s->n; lo += 2 * w) {
			size_t mid = lo + w < s->n ? lo + w : s->n;
			size_t hi = lo + 2 * w < s->n ? lo + 2 * w : s->n, i = lo, j = mid;

			for (size_t o = lo; o < hi; o++)
				tmp[o] = i < mid && (j == hi || by_kind(&from[i], from[j].group,
									from[j].kind) <= 0)
						 ? from[i++]
						 : from[j++];
		}
		s->p = tmp;
		tmp = from;
	}
}

void kube_kinds_free(struct kube_kinds *s)
{
	arena_free(s->arena);
	buf_done(&s->etag_api);
	buf_done(&s->etag_apis);
	*s = (struct kube_kinds){0};
}

/* ------------------------------------------------------------------ asking */

/* One at a time, shared by the operations that wait for it; it is nobody's to cancel. */
struct kube_discovery {
	struct kube_op op;
	struct kube_discovery_wait *waits;
	struct kube_kinds to;
	unsigned open; /* requests under way */
	bool same[2];  /* 304 */
	struct buf bodies[2];
	struct err *failed;
	struct side {
		struct kube_discovery *d;
		bool apis;
		struct kube_gv gv; /* of a plain list */
	} sides[2];
};

static void settle(struct kube_discovery *d);

static void drop_bodies(struct kube_discovery *d)
{
	buf_done(&d->bodies[0]);
	buf_done(&d->bodies[1]);
}

void kube_discovery_unwait(struct kube_discovery_wait *w)
{
	if (!w)
		return;
	w->op->discovery = NULL;
	*(w->prev ? &w->prev->next : w->of) = w->next;
	if (w->next)
		w->next->prev = w->prev;
}

static void gone(struct kube_op *op)
{
	struct kube_discovery *d = (struct kube_discovery *)op;

	kube_kinds_free(&d->to);
	drop_bodies(d);
	err_free(d->failed);
	while (d->waits)
		kube_discovery_unwait(d->waits);
	if (op->k->discovery == d)
		op->k->discovery = NULL;
}

static void end(struct kube_discovery *d, struct err *e)
{
	struct kube_discovery_wait *w, *all = d->waits;
	CLEANUP(buf) struct buf why = BUF_INIT;
	enum err_code code = e ? err_code(e) : ERR_INTERNAL;

	if (e)
		buf_str(&why, err_message(e));
	d->op.k->discovery = NULL; /* who asks from now on starts another */
	for (w = all; w; w = w->next)
		w->of = &all;
	d->waits = NULL;
	kube_op_end(&d->op);
	while ((w = all)) {
		kube_discovery_unwait(w);
		w->fn(w->arg, e ? err_new(code, "%s", why.p) : NULL);
	}
	err_free(e);
}

/* A plain list has "deployments/status" as a line of its own. */
static bool lists_status(const struct node *list, str resource)
{
	for (uint32_t i = 0; i < list->n; i++) {
		str name = node_get_text(list->items[i], STR("name"));

		if (str_starts(name, resource) &&
		    str_eq(str_sub(name, resource.n, SIZE_MAX), STR("/status")))
			return true;
	}
	return false;
}

/* ---- plain lists, of servers before 1.26 or of an aggregator that cannot */

static void on_resources(void *arg, const struct kube_reply *r, struct err *e)
{
	struct side *s = arg;
	struct kube_discovery *d = s->d;
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *root = NULL, *list;

	d->open--;
	if (!e && r->status == 200)
		e = kube_json(a, STR("the list of resources"), r->body, &root);
	if (e || !root) {
		err_free(e);
		mark_bad(&d->to, s->gv.group, s->gv.version);
		settle(d);
		return;
	}
	list = node_get(root, STR("resources"));
	for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++)
		add_kind(&d->to, s->gv.group, s->gv.version,
			 node_get_text(list->items[i], STR("kind")),
			 node_get_text(list->items[i], STR("name")),
			 node_bool(node_get(list->items[i], STR("namespaced")), false),
			 node_get(list->items[i], STR("verbs")),
			 lists_status(list, node_get_text(list->items[i], STR("name"))));
	settle(d);
}

static void ask_plain(struct kube_discovery *d, str group, str version)
{
	struct arena *a = d->op.a;
	struct side *s = ARENA_NEW(a, struct side);
	struct kube_ask ask = {
		.method = "GET",
		.lane = KUBE_READ,
		.what = {.verb = "discover", .resource = STR("kinds")},
	};

	s->d = d;
	s->gv = (struct kube_gv){arena_str(a, group), arena_str(a, version)};
	ask.path = group.n ? arena_printf(a, "/apis/" STR_FMT "/" STR_FMT, STR_ARG(group),
					  STR_ARG(version))
			   : arena_printf(a, "/api/" STR_FMT, STR_ARG(version));
	d->open++;
	kube_send(d->op.k, &d->op, &ask, on_resources, s, NULL);
}

static struct err *read_plain(struct kube_discovery *d, const struct node *root)
{
	const struct node *list = node_get(root, STR("versions"));

	if (str_eq(node_get_text(root, STR("kind")), STR("APIVersions"))) {
		for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++)
			ask_plain(d, STR_NONE, node_text(list->items[i]));
		return NULL;
	}
	if (!str_eq(node_get_text(root, STR("kind")), STR("APIGroupList")))
		return err_new(ERR_TARGET_UNREACHABLE, "the answer is no list of kinds: is this an "
						       "API server?");
	list = node_get(root, STR("groups"));
	for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++) {
		const struct node *versions = node_get(list->items[i], STR("versions"));

		for (uint32_t v = 0; node_is(versions, NODE_LIST) && v < versions->n; v++)
			ask_plain(d, node_get_text(list->items[i], STR("name")),
				  node_get_text(versions->items[v], STR("version")));
	}
	return NULL;
}

/* ---- the aggregated form */

static struct err *read_body(struct kube_discovery *d, str body)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *root = NULL;

	TRY(kube_json(a, STR("the list of kinds"), body, &root));
	if (str_eq(node_get_text(root, STR("kind")), STR("APIGroupDiscoveryList")))
		return kube_kinds_read(&d->to, root);
	return read_plain(d, root);
}

static void replace(struct kube_discovery *d)
{
	struct kube *k = d->op.k;

	sort_kinds(&d->to);
	kube_kinds_free(&k->kinds);
	k->kinds = d->to;
	d->to = (struct kube_kinds){0};
	k->discovered = true;
}

static void take(struct kube_discovery *d)
{
	for (size_t i = 0; i < 2 && !d->failed; i++) {
		str body = buf_view(&d->bodies[i]);

		if (body.n)
			d->failed = read_body(d, body);
	}
	drop_bodies(d);
}

static void ask_side(struct kube_discovery *d, bool apis, bool conditional);

static void settle(struct kube_discovery *d)
{
	if (d->open)
		return;
	if (!d->failed && d->same[0] && d->same[1]) {
		end(d, NULL);
		return;
	}
	for (size_t i = 0; !d->failed && i < 2; i++)
		if (d->same[i]) { /* the other half changed: both are needed */
			d->same[i] = false;
			ask_side(d, i == 1, false);
			return;
		}
	if (!d->failed && (d->bodies[0].n || d->bodies[1].n)) {
		take(d);
		if (d->open)
			return;
	}
	if (d->failed) {
		end(d, STEAL(d->failed));
		return;
	}
	replace(d);
	kube_watch_kinds_changed(d->op.k);
	end(d, NULL);
}

static void on_side(void *arg, const struct kube_reply *r, struct err *e)
{
	struct side *s = arg;
	struct kube_discovery *d = s->d;

	d->open--;
	if (!e && r->status == 304)
		d->same[s->apis] = true;
	else if (!e && r->status == 200) {
		struct buf *tag = s->apis ? &d->to.etag_apis : &d->to.etag_api;

		buf_clear(tag);
		buf_str(tag, http_header_get(r->http, STR("etag")));
		buf_str(&d->bodies[s->apis], r->body);
	} else {
		e = e ? e : kube_error(r->what, r->status, r->body);
		if (d->failed)
			err_free(e);
		else
			d->failed = e;
	}
	settle(d);
}

static void ask_side(struct kube_discovery *d, bool apis, bool conditional)
{
	const struct buf *tag = apis ? &d->op.k->kinds.etag_apis : &d->op.k->kinds.etag_api;
	struct kube_ask ask = {
		.method = "GET",
		.path = apis ? STR("/apis") : STR("/api"),
		.accept = ACCEPT,
		.lane = KUBE_READ,
		.what = {.verb = "discover", .resource = STR("kinds")},
	};

	if (conditional && d->op.k->discovered && !d->op.k->kinds.bad_n)
		ask.etag = arena_str(d->op.a, buf_view(tag));
	d->sides[apis] = (struct side){.d = d, .apis = apis};
	d->open++;
	kube_send(d->op.k, &d->op, &ask, on_side, &d->sides[apis], NULL);
}

void kube_discover(struct kube *k, struct kube_op *op, void (*fn)(void *arg, struct err *e),
		   void *arg)
{
	struct kube_discovery *d = k->discovery;
	struct kube_discovery_wait *w = ARENA_NEW(op->a, struct kube_discovery_wait);

	if (!d) {
		d = k->discovery = kube_op_new(k, sizeof(*d), gone, NULL);
		d->to.arena = arena_new();
		ask_side(d, false, true);
		ask_side(d, true, true);
	}
	*w = (struct kube_discovery_wait){op, NULL, d->waits, &d->waits, fn, arg};
	if (w->next)
		w->next->prev = w;
	d->waits = w;
	op->discovery = w;
}
