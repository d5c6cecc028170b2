/* What annotations and labels say of how an object is treated: ours, and those of Flux, Argo CD,
 * Helm, cli-utils and kapp that mean the same. Looked up on the desired object first, then on the
 * live one. Where two disagree on one object the safer wins: no write, no recreation, no deletion.
 */
#include "plan_priv.h"

enum effect {
	SKIP,
	IF_ABSENT,
	RECREATE_NO,
	RECREATE_FIXED,
	RECREATE_YES,
	DELETE_NO,
	DELETE_ASK,
	DELETE_END,
	NOTHING
};
/* value empty: any but "false"; in: one of a comma list. */
static const struct row {
	str key, value;
	enum effect effect;
	bool list, label_too;
} rows[] = {
	{STR("leeboard.dev/apply"), STR("skip"), SKIP, false, false},
	{STR("leeboard.dev/apply"), STR("if-absent"), IF_ABSENT, false, false},
	{STR("leeboard.dev/apply"), STR("merge"), NOTHING, false, false},
	{STR("leeboard.dev/apply"), STR("override"), NOTHING, false, false},
	{STR("leeboard.dev/recreate"), STR("never"), RECREATE_NO, false, false},
	{STR("leeboard.dev/recreate"), STR("if-immutable"), RECREATE_FIXED, false, false},
	{STR("leeboard.dev/recreate"), STR("always"), RECREATE_YES, false, false},
	{STR("leeboard.dev/delete"), STR("never"), DELETE_NO, false, false},
	{STR("leeboard.dev/delete"), STR("confirm"), DELETE_ASK, false, false},
	{STR("leeboard.dev/delete"), STR("last"), DELETE_END, false, false},
	{STR("kustomize.toolkit.fluxcd.io/ssa"), STR("Ignore"), SKIP, false, false},
	{STR("kustomize.toolkit.fluxcd.io/ssa"), STR("IfNotPresent"), IF_ABSENT, false, false},
	{STR("kustomize.toolkit.fluxcd.io/reconcile"), STR("disabled"), SKIP, false, true},
	{STR("kustomize.toolkit.fluxcd.io/force"), STR("enabled"), RECREATE_FIXED, false, true},
	{STR("kustomize.toolkit.fluxcd.io/force"), STR("Enabled"), RECREATE_FIXED, false, true},
	{STR("kustomize.toolkit.fluxcd.io/prune"), STR("disabled"), DELETE_NO, false, true},
	{STR("kustomize.toolkit.fluxcd.io/prune"), STR("Disabled"), DELETE_NO, false, true},
	{STR("argocd.argoproj.io/sync-options"), STR("Force=true"), RECREATE_FIXED, true, false},
	{STR("argocd.argoproj.io/sync-options"), STR("Prune=false"), DELETE_NO, true, false},
	{STR("argocd.argoproj.io/sync-options"), STR("Delete=false"), DELETE_NO, true, false},
	{STR("argocd.argoproj.io/sync-options"), STR("Prune=confirm"), DELETE_ASK, true, false},
	{STR("argocd.argoproj.io/sync-options"), STR("Delete=confirm"), DELETE_ASK, true, false},
	{STR("argocd.argoproj.io/sync-options"), STR("PruneLast=true"), DELETE_END, true, false},
	{STR("argocd.argoproj.io/hook"), STR("Skip"), SKIP, true, false},
	{STR("helm.sh/resource-policy"), STR("keep"), DELETE_NO, false, false},
	{STR("config.kubernetes.io/local-config"), STR(""), SKIP, false, false},
	{STR("client.lifecycle.config.k8s.io/mutation"), STR("ignore"), IF_ABSENT, false, false},
	{STR("client.lifecycle.config.k8s.io/deletion"), STR("detach"), DELETE_NO, false, false},
	{STR("cli-utils.sigs.k8s.io/on-remove"), STR("keep"), DELETE_NO, false, false},
	{STR("kapp.k14s.io/update-strategy"), STR("skip"), IF_ABSENT, false, false},
	{STR("kapp.k14s.io/delete-strategy"), STR("orphan"), DELETE_NO, false, false},
};

static bool says(const struct row *r, str text)
{
	str one;

	if (!text.n)
		return false;
	if (!r->value.n)
		return !str_eq(text, STR("false"));
	if (!r->list)
		return str_eq(text, r->value);
	while (str_split(&text, ',', &one))
		if (str_eq(str_trim(one), r->value))
			return true;
	return false;
}

static str by(struct arena *a, const struct row *r)
{
	return arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(r->key), r->value.n ? ": " : "",
			    STR_ARG(r->value));
}

/* One place's words over what another said; `safer`: within a place the stronger wins. */
static void hear(struct arena *a, const struct node *root, struct words *w)
{
	const struct node *notes = node_at(root, "metadata", "annotations", NULL);
	const struct node *labels = node_at(root, "metadata", "labels", NULL);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];

		if (!says(r, node_get_text(notes, r->key)) &&
		    !(r->label_too && says(r, node_get_text(labels, r->key))))
			continue;
		switch (r->effect) {
		case SKIP:
			if (w->apply != APPLY_SKIP)
				w->apply_by = by(a, r);
			w->apply = APPLY_SKIP;
			break;
		case IF_ABSENT:
			if (w->apply == APPLY_AS_USUAL) {
				w->apply = APPLY_IF_ABSENT;
				w->apply_by = by(a, r);
			}
			break;
		case RECREATE_NO:
			w->recreate = RECREATE_NEVER;
			w->recreate_by = by(a, r);
			break;
		case RECREATE_FIXED:
			if (w->recreate == RECREATE_NOT_SAID) {
				w->recreate = RECREATE_IF_FIXED;
				w->recreate_by = by(a, r);
			}
			break;
		case RECREATE_YES:
			if (w->recreate == RECREATE_NOT_SAID) {
				w->recreate = RECREATE_ALWAYS;
				w->recreate_by = by(a, r);
			}
			break;
		case DELETE_NO:
			if (w->delete != DELETE_NEVER)
				w->delete_by = by(a, r);
			w->delete = DELETE_NEVER;
			break;
		case DELETE_ASK:
			if (w->delete == DELETE_NOT_SAID || w->delete == DELETE_LAST) {
				w->delete = DELETE_CONFIRM;
				w->delete_by = by(a, r);
			}
			break;
		case DELETE_END:
			if (w->delete == DELETE_NOT_SAID) {
				w->delete = DELETE_LAST;
				w->delete_by = by(a, r);
			}
			break;
		case NOTHING:
			break;
		}
	}
}

static struct err *bad(const struct node *v, str key, const char *are)
{
	return err_at(ERR_INVALID_OBJECT, v->at, "'" STR_FMT "' is '" STR_FMT "', and may be %s",
		      STR_ARG(key), STR_ARG(v->text), are);
}

/* Our own words are no place for typing errors. */
static struct err *check(const struct node *notes, str key, const char *are, bool known)
{
	const struct node *v = node_get(notes, key);

	if (!v || known)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(rows[i].key, key) && str_eq(rows[i].value, node_text(v)))
			return NULL;
	return bad(v, key, are);
}

static bool drift_mode_of(str s, int *ret)
{
	static const str names[] = {STR("heal"), STR("detect"), STR("ignore")};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(s, names[i])) {
			*ret = (int)i;
			return true;
		}
	return false;
}

struct err *words_read(struct arena *a, const struct node *desired, const struct node *live,
		       struct words *ret)
{
	const struct node *notes = node_at(desired, "metadata", "annotations", NULL);
	const struct node *there = node_at(live, "metadata", "annotations", NULL);
	struct words w = {.drift = -1}, on_live = {.drift = -1};
	str drift = node_get_text(notes, STR("leeboard.dev/drift"));
	str timeout = node_get_text(notes, STR("leeboard.dev/timeout"));
	str hold = node_get_text(there, STR("leeboard.dev/hold-until"));
	struct err *e = NULL;

	e = err_join(e, check(notes, STR("leeboard.dev/apply"),
			      "merge, override, if-absent or skip", false));
	e = err_join(e, check(notes, STR("leeboard.dev/recreate"), "never, if-immutable or always",
			      false));
	e = err_join(e, check(notes, STR("leeboard.dev/delete"), "never, confirm or last", false));
	e = err_join(e, check(notes, STR("leeboard.dev/drift"), "heal, detect or ignore",
			      drift_mode_of(drift, &w.drift)));
	e = err_join(e, check(notes, STR("leeboard.dev/timeout"), "a duration as in '5m'",
			      duration_parse(timeout, &w.timeout)));
	if (e)
		return e;
	hear(a, desired, &w);
	hear(a, live, &on_live);
	if (w.apply == APPLY_AS_USUAL ||
	    (w.apply == APPLY_IF_ABSENT && on_live.apply == APPLY_SKIP)) {
		w.apply = on_live.apply;
		w.apply_by = on_live.apply_by;
	}
	/* Git's word counts, else the live one's; but nobody loosens on the live object what Git
	 * says. */
	if (w.delete == DELETE_NOT_SAID || on_live.delete == DELETE_NEVER) {
		w.delete = on_live.delete;
		w.delete_by = on_live.delete_by;
	}
	if (on_live.recreate == RECREATE_NEVER) {
		w.recreate = on_live.recreate;
		w.recreate_by = on_live.recreate_by;
	}
	if (w.drift < 0)
		drift_mode_of(node_get_text(there, STR("leeboard.dev/drift")), &w.drift);
	if (hold.n && !time_parse(hold, &w.hold))
		w.hold = INT64_MAX; /* whoever wrote it wanted no writes */
	w.hold_reason = node_get_text(there, STR("leeboard.dev/hold-reason"));
	*ret = w;
	return NULL;
}
