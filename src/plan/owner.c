/* Marks of engines on live objects. */
#include "plan_priv.h"

/* Rows: where it stands, key, namespace key, what to call it. The first that is there counts. */
static const struct mark {
	bool label;
	str key, ns_key, name;
	char until; /* the value ends there; 0: whole */
} marks[] = {
	{true, STR("kustomize.toolkit.fluxcd.io/name"),
	 STR("kustomize.toolkit.fluxcd.io/namespace"), STR("Flux Kustomization"), 0},
	{true, STR("helm.toolkit.fluxcd.io/name"), STR("helm.toolkit.fluxcd.io/namespace"),
	 STR("Flux HelmRelease"), 0},
	{false, STR("argocd.argoproj.io/tracking-id"), STR(""), STR("Argo CD Application"), ':'},
	{true, STR("argocd.argoproj.io/instance"), STR(""), STR("Argo CD Application"), 0},
	{false, STR("meta.helm.sh/release-name"), STR("meta.helm.sh/release-namespace"),
	 STR("Helm release"), 0},
	{true, STR("kapp.k14s.io/app"), STR(""), STR("kapp app"), 0},
	{false, STR("configsync.gke.io/manager"), STR(""), STR("Config Sync"), 0},
	{false, STR("config.k8s.io/owning-inventory"), STR(""), STR("inventory"), 0},
	{true, STR("fleet.cattle.io/bundle-name"), STR("fleet.cattle.io/bundle-namespace"),
	 STR("Fleet bundle"), 0},
};

struct owner owner_of(struct arena *a, const struct node *live, str instance, str app)
{
	const struct node *labels = node_at(live, "metadata", "labels", NULL);
	const struct node *notes = node_at(live, "metadata", "annotations", NULL);
	const struct node *refs = node_at(live, "metadata", "ownerReferences", NULL);
	str ours = node_get_text(notes, STR("leeboard.dev/owner"));
	size_t slash = str_chr(ours, '/');

	if (ours.n && slash != SIZE_MAX) {
		struct owner o = {.kind = OWNER_OTHER, .app = str_sub(ours, slash + 1, SIZE_MAX)};

		if (str_eq(str_sub(ours, 0, slash), instance))
			o.kind = str_eq(o.app, app) ? OWNER_US : OWNER_OTHER_APP;
		o.who = o.kind == OWNER_OTHER_APP
				? arena_printf(a, "App '" STR_FMT "'", STR_ARG(o.app))
				: arena_printf(
					  a, "App '" STR_FMT "' of leeboard instance '" STR_FMT "'",
					  STR_ARG(o.app), STR_ARG(str_sub(ours, 0, slash)));
		return o;
	}
	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		const struct mark *m = &marks[i];
		const struct node *in = m->label ? labels : notes;
		str v = node_get_text(in, m->key), ns = STR_NONE;

		if (!v.n)
			continue;
		if (m->until)
			v = str_sub(v, 0, str_chr(v, m->until));
		if (m->ns_key.n)
			ns = node_get_text(in, m->ns_key);
		return (struct owner){.kind = OWNER_OTHER,
				      .who = arena_printf(a, STR_FMT " " STR_FMT "%s" STR_FMT,
							  STR_ARG(m->name), STR_ARG(ns),
							  ns.n ? "/" : "", STR_ARG(v))};
	}
	for (uint32_t i = 0; node_is(refs, NODE_LIST) && i < refs->n; i++) {
		const struct node *r = refs->items[i];

		if (node_bool(node_get(r, STR("controller")), false))
			return (struct owner){
				.kind = OWNER_OTHER,
				.controller = true,
				.who = arena_printf(a, STR_FMT " " STR_FMT,
						    STR_ARG(node_get_text(r, STR("kind"))),
						    STR_ARG(node_get_text(r, STR("name"))))};
	}
	return (struct owner){.kind = OWNER_NONE};
}
