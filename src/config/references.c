/* What documents say of each other: names that must exist, and cycles. */
#include "config_priv.h"

/* Open addressing over kind, namespace and name; holds indices of docs, plus one. */
struct by_name {
	uint32_t *slots;
	size_t cap; /* a power of two */
};

static uint64_t name_hash(enum kind k, str ns, str name)
{
	return (str_hash(ns) * 31 + str_hash(name)) * 31 + (uint64_t)k;
}

static struct doc *by_name_get(struct parse *p, const struct by_name *t, enum kind k, str ns,
			       str name)
{
	for (size_t i = name_hash(k, ns, name) & (t->cap - 1); t->slots[i];
	     i = (i + 1) & (t->cap - 1)) {
		struct doc *d = &p->docs.p[t->slots[i] - 1];

		if (d->kind == k && str_eq(d->name, name) && str_eq(d->namespace, ns))
			return d;
	}
	return NULL;
}

/* Index of all documents; a second of one name is a mistake and stays out. */
static struct by_name index_docs(struct parse *p)
{
	struct by_name t = {NULL, 16};

	while (t.cap < p->docs.n * 2)
		t.cap *= 2;
	t.slots = ARENA_ARRAY(p->a, uint32_t, t.cap);
	for (size_t n = 0; n < p->docs.n; n++) {
		struct doc *d = &p->docs.p[n];
		const struct doc *was = by_name_get(p, &t, d->kind, d->namespace, d->name);

		p->now = d;
		if (d->name.n == 0)
			continue;
		if (was) {
			mistake(p, ERR_DUPLICATE, d->name_at,
				"a second %s '" STR_FMT "', the first is at " STR_FMT ":%u:%u",
				config_kinds[d->kind], STR_ARG(d->name),
				STR_ARG(was->name_at.in->name), was->name_at.line,
				was->name_at.col);
			continue;
		}
		size_t i = name_hash(d->kind, d->namespace, d->name) & (t.cap - 1);

		while (t.slots[i])
			i = (i + 1) & (t.cap - 1);
		t.slots[i] = (uint32_t)n + 1;
	}
	return t;
}

/* "no Source 'flet', did you mean 'fleet'?", or "(there are: release)". */
static void no_such(struct parse *p, enum kind k, str name, loc at)
{
	str *names = ARENA_ARRAY(p->a, str, p->docs.n);
	size_t n = 0;

	/* It may stand in what could not be read: the mistake there is said, and enough. */
	if (p->bad_streams)
		return;
	for (size_t i = 0; i < p->docs.n; i++)
		if (p->docs.p[i].kind == k && p->docs.p[i].name.n)
			names[n++] = p->docs.p[i].name;
	str near = str_nearest(name, names, n);

	if (near.n)
		mistake(p, ERR_NO_REFERENCE, at, "no %s '" STR_FMT "', did you mean '" STR_FMT "'?",
			config_kinds[k], STR_ARG(name), STR_ARG(near));
	else if (n > 0 && n <= 20)
		mistake(p, ERR_NO_REFERENCE, at, "no %s '" STR_FMT "' (there are: " STR_FMT ")",
			config_kinds[k], STR_ARG(name), STR_ARG(joined(p->a, names, n)));
	else
		mistake(p, ERR_NO_REFERENCE, at, "no %s '" STR_FMT "'", config_kinds[k],
			STR_ARG(name));
}

static loc value_at(const struct node *v, loc otherwise)
{
	return v ? v->at : otherwise;
}

/* ------------------------------------------------------------------ each kind */

static void refer_source(struct parse *p, const struct by_name *t, struct doc *d)
{
	struct source *s = d->typed;
	const struct node *verify = node_get(d->spec, STR("verify"));
	const struct policy *governs = NULL;

	if (s->policy_name.n) {
		struct doc *named = by_name_get(p, t, KIND_POLICY, STR(""), s->policy_name);

		if (named)
			governs = named->typed;
		else
			no_such(p, KIND_POLICY, s->policy_name,
				value_at(node_at(verify, "signersFrom", "policy", NULL), s->at));
	}
	str full = s->namespace.n ? arena_printf(p->a, STR_FMT "/" STR_FMT, STR_ARG(s->namespace),
						 STR_ARG(s->name))
				  : s->name;

	for (size_t i = 0; i < p->docs.n; i++) {
		const struct policy *other = p->docs.p[i].typed;

		if (p->docs.p[i].kind != KIND_POLICY || other == governs ||
		    !config_globs(&other->sources, full))
			continue;
		if (governs) {
			mistake(p, ERR_INVALID, s->at,
				"two Policies give Source '" STR_FMT "' signers: '" STR_FMT
				"' and '" STR_FMT "'",
				STR_ARG(s->name), STR_ARG(governs->name), STR_ARG(other->name));
			break;
		}
		governs = other;
	}
	s->policy = governs;
	if (s->verify == VERIFY_HEAD && !governs && s->policy_name.n == 0 &&
	    s->allowed_signers.kind == REF_NONE && !d->bad)
		mistake(p, ERR_MISSING, value_at(node_get(verify, STR("mode")), s->at),
			"'head' needs signers: write 'verify: {mode: head, signersFrom: {policy: "
			"NAME}}'");
	if (s->webhook_secret.kind != REF_NONE && p->c->daemon.http_listen.n == 0)
		warning(p, s->at, "webhook needs 'http.listen' in the Daemon");
}

static void take_named_target(struct parse *p, struct doc *d, struct app *s)
{
	const struct daemon_targets *all = &p->c->daemon.targets;
	str *names = ARENA_ARRAY(p->a, str, all->n + 1);
	str wanted = s->target.name, ns = s->target.namespace;
	loc at = s->target.at;

	for (size_t i = 0; i < all->n; i++) {
		const struct daemon_target *t = &all->p[i];

		names[i] = t->target.name;
		if (!str_eq(t->target.name, wanted))
			continue;
		if (t->apps.n && !config_globs(&t->apps, s->name)) {
			mistake(p, ERR_NOT_ALLOWED, at,
				"target '" STR_FMT "' is not for App '" STR_FMT "' (for: " STR_FMT
				")",
				STR_ARG(wanted), STR_ARG(s->name),
				STR_ARG(joined(p->a, t->apps.p, t->apps.n)));
			return;
		}
		s->target = t->target;
		s->target.at = at;
		if (node_at(d->spec, "target", "namespace", NULL))
			s->target.namespace = ns;
		return;
	}
	str near = str_nearest(wanted, names, all->n);

	if (near.n)
		mistake(p, ERR_NO_REFERENCE, at,
			"no target '" STR_FMT "', did you mean '" STR_FMT "'?", STR_ARG(wanted),
			STR_ARG(near));
	else if (all->n)
		mistake(p, ERR_NO_REFERENCE, at, "no target '" STR_FMT "' (there are: " STR_FMT ")",
			STR_ARG(wanted), STR_ARG(joined(p->a, names, all->n)));
	else
		mistake(p, ERR_NO_REFERENCE, at,
			"no target '" STR_FMT "': the Daemon has no 'targets'", STR_ARG(wanted));
}

/* Is the folder one that the Daemon allows? A way up could lead out of what a glob names. */
static bool is_allowed(const struct config_texts *dirs, str path)
{
	str rest = path, part;

	while (str_split(&rest, '/', &part))
		if (str_eq(part, STR("..")))
			return false;
	return config_globs(dirs, path);
}

static void refer_app(struct parse *p, const struct by_name *t, struct doc *d)
{
	struct app *s = d->typed;
	const struct config_texts *dirs = &p->c->daemon.directories;

	if (s->source_name.n) {
		struct doc *named = by_name_get(p, t, KIND_SOURCE, s->namespace, s->source_name);

		if (named) {
			s->source = named->typed;
			named->used = true;
		} else
			no_such(p, KIND_SOURCE, s->source_name,
				value_at(node_get(d->spec, STR("source")), s->at));
	}
	if (!node_get(d->spec, STR("target"))) {
		const struct daemon_targets *all = &p->c->daemon.targets;

		s->target.at = s->at;
		if (all->n == 1) {
			s->target.kind = TARGET_NAME;
			s->target.name = all->p[0].target.name;
		} else if (p->in_pod) {
			s->target.kind = TARGET_IN_CLUSTER;
			s->target.in_cluster = true;
		} else {
			mistake(p, ERR_MISSING, d->spec->at,
				"no target: write 'target: {directory: …}' or 'target: "
				"{kubeConfig: {file: …}}'");
		}
	}
	if (s->target.kind == TARGET_NAME && s->target.name.n)
		take_named_target(p, d, s);
	if (s->target.kind == TARGET_DIRECTORY && dirs->n && s->target.directory.n &&
	    !is_allowed(dirs, s->target.directory))
		mistake(p, ERR_NOT_ALLOWED, s->target.at,
			"'" STR_FMT "' is outside 'directories' of the Daemon (it has: " STR_FMT
			")",
			STR_ARG(s->target.directory), STR_ARG(joined(p->a, dirs->p, dirs->n)));
	for (size_t i = 0; i < s->depends_on.n; i++) {
		struct app_dep *dep = &s->depends_on.p[i];
		const struct node *item = node_at(d->spec, "dependsOn", NULL);

		if (dep->namespace.n && p->carrier == CONFIG_FILE) {
			mistake(p, ERR_INVALID, dep->at,
				"'dependsOn[].namespace' is for documents in a cluster");
			continue;
		}
		if (dep->namespace.n == 0)
			dep->namespace = s->namespace;
		if (dep->app.n && !by_name_get(p, t, KIND_APP, dep->namespace, dep->app))
			no_such(p, KIND_APP, dep->app,
				node_is(item, NODE_LIST) && i < item->n
					? value_at(node_get(item->items[i], STR("app")), dep->at)
					: dep->at);
	}
}

/* Globs that match no document of that kind: a warning each. */
static void matches_nothing(struct parse *p, const struct config_texts *globs,
			    const struct node *list, enum kind k)
{
	for (size_t g = 0; g < globs->n; g++) {
		bool any = false;

		for (size_t i = 0; i < p->docs.n && !any; i++)
			any = p->docs.p[i].kind == k && config_glob(globs->p[g], p->docs.p[i].name);
		if (!any && node_is(list, NODE_LIST) && g < list->n)
			warning(p, list->items[g]->at, "'" STR_FMT "' matches no %s",
				STR_ARG(globs->p[g]), config_kinds[k]);
	}
}

void check_references(struct parse *p)
{
	struct by_name t = index_docs(p);

	for (size_t i = 0; i < p->docs.n; i++) {
		struct doc *d = &p->docs.p[i];

		p->now = d;
		if (!d->typed || !d->spec)
			continue;
		switch (d->kind) {
		case KIND_SOURCE:
			refer_source(p, &t, d);
			break;
		case KIND_APP:
			refer_app(p, &t, d);
			break;
		case KIND_POLICY:
			matches_nothing(p, &((struct policy *)d->typed)->sources,
					node_get(d->spec, STR("sources")), KIND_SOURCE);
			break;
		case KIND_ALERT:
			matches_nothing(p, &((struct alert *)d->typed)->sources,
					node_get(d->spec, STR("sources")), KIND_SOURCE);
			matches_nothing(p, &((struct alert *)d->typed)->apps,
					node_get(d->spec, STR("apps")), KIND_APP);
			break;
		case KIND_DAEMON:
		case KIND_COUNT:
			break;
		}
	}
	p->now = NULL;
	check_cycles(p);
}

/* ------------------------------------------------------------------ cycles of dependsOn */

struct edges {
	size_t *to; /* of app i: to[from[i]] .. to[from[i + 1]] */
	size_t *from;
	size_t n;
};

/* Tarjan's strong components without recursion; ret[i] is the component of app i. */
static void components(struct arena *a, const struct edges *e, size_t *ret)
{
	size_t *low = ARENA_ARRAY(a, size_t, e->n), *num = ARENA_ARRAY(a, size_t, e->n);
	size_t *next = ARENA_ARRAY(a, size_t, e->n), *calls = ARENA_ARRAY(a, size_t, e->n);
	size_t *stack = ARENA_ARRAY(a, size_t, e->n);
	bool *on = ARENA_ARRAY(a, bool, e->n);
	size_t n_calls = 0, n_stack = 0, count = 0, n_components = 0;

	for (size_t root = 0; root < e->n; root++) {
		if (num[root])
			continue;
		calls[n_calls++] = root;
		while (n_calls > 0) {
			size_t v = calls[n_calls - 1];

			if (!num[v]) {
				num[v] = low[v] = ++count;
				next[v] = e->from[v];
				stack[n_stack++] = v;
				on[v] = true;
			}
			if (next[v] < e->from[v + 1]) {
				size_t w = e->to[next[v]];

				if (!num[w]) {
					calls[n_calls++] = w;
					continue; /* next[v] stays: low[v] takes low[w] when we are
						     back */
				}
				if (on[w] && low[w] < low[v])
					low[v] = low[w];
				next[v]++;
				continue;
			}
			n_calls--;
			if (low[v] != num[v])
				continue;
			size_t w;

			do {
				w = stack[--n_stack];
				on[w] = false;
				ret[w] = n_components;
			} while (w != v);
			n_components++;
		}
	}
}

/* The shortest way from start back to it inside its component, printed as a path. */
static bool cycle_of(struct parse *p, const struct edges *e, const size_t *component,
		     struct doc *const *apps, size_t start, struct buf *ret)
{
	size_t *via = ARENA_ARRAY(p->a, size_t, e->n), *queue = ARENA_ARRAY(p->a, size_t, e->n);
	size_t head = 0, tail = 0;
	bool found = false;

	for (size_t i = 0; i < e->n; i++)
		via[i] = SIZE_MAX;
	queue[tail++] = start;
	while (head < tail && !found) {
		size_t v = queue[head++];

		for (size_t k = e->from[v]; k < e->from[v + 1] && !found; k++) {
			size_t w = e->to[k];

			if (component[w] != component[start] || via[w] != SIZE_MAX)
				continue;
			via[w] = v;
			found = w == start;
			if (!found)
				queue[tail++] = w;
		}
	}
	if (!found)
		return false;
	size_t n = 0;

	for (size_t v = via[start]; v != start; v = via[v])
		queue[n++] = v;
	buf_printf(ret, STR_FMT " -> ", STR_ARG(apps[start]->name));
	for (; n > 0; n--)
		buf_printf(ret, STR_FMT " -> ", STR_ARG(apps[queue[n - 1]]->name));
	buf_str(ret, apps[start]->name);
	return true;
}

void check_cycles(struct parse *p)
{
	struct doc **apps = ARENA_ARRAY(p->a, struct doc *, p->docs.n);
	struct edges e = {.n = 0};
	size_t n_edges = 0;
	struct by_name t = {NULL, 16};

	while (t.cap < p->docs.n * 2)
		t.cap *= 2;
	t.slots = ARENA_ARRAY(p->a, uint32_t, t.cap);
	for (size_t i = 0; i < p->docs.n; i++) {
		struct doc *d = &p->docs.p[i];

		if (d->kind != KIND_APP || !d->typed || d->name.n == 0 ||
		    by_name_get(p, &t, KIND_APP, d->namespace, d->name))
			continue;
		size_t at = name_hash(KIND_APP, d->namespace, d->name) & (t.cap - 1);

		while (t.slots[at])
			at = (at + 1) & (t.cap - 1);
		t.slots[at] = (uint32_t)i + 1;
		d->app_index = e.n;
		apps[e.n++] = d;
		n_edges += ((struct app *)d->typed)->depends_on.n;
	}
	e.from = ARENA_ARRAY(p->a, size_t, e.n + 1);
	e.to = ARENA_ARRAY(p->a, size_t, n_edges);
	n_edges = 0;
	for (size_t i = 0; i < e.n; i++) {
		const struct app_deps *deps = &((struct app *)apps[i]->typed)->depends_on;

		e.from[i] = n_edges;
		for (size_t k = 0; k < deps->n; k++) {
			struct doc *d =
				by_name_get(p, &t, KIND_APP, deps->p[k].namespace, deps->p[k].app);

			if (deps->p[k].app.n && d)
				e.to[n_edges++] = d->app_index;
		}
	}
	e.from[e.n] = n_edges;
	size_t *component = ARENA_ARRAY(p->a, size_t, e.n);
	size_t *size = ARENA_ARRAY(p->a, size_t, e.n);

	components(p->a, &e, component);
	for (size_t i = 0; i < e.n; i++)
		size[component[i]]++;
	for (size_t i = 0; i < e.n; i++) {
		CLEANUP(buf) struct buf path = BUF_INIT;
		const struct app *app = apps[i]->typed;
		bool self = false;

		for (size_t k = e.from[i]; k < e.from[i + 1]; k++)
			self |= e.to[k] == i;
		if (size[component[i]] < 2 && !self)
			continue;
		if (size[component[i]] == 0 || !cycle_of(p, &e, component, apps, i, &path))
			continue;
		size[component[i]] = 0; /* said once, from its first App */
		p->now = apps[i];
		mistake(p, ERR_CYCLE, app->depends_on.p[0].at, "cycle: %s", path.p);
	}
	p->now = NULL;
}
