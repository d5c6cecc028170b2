/* What is sent for a want of which some fields are not ours to write (drift.ignore, autoscalers):
 * Git's value must not go out over theirs at each commit, and a field that is only left out of an
 * apply is deleted when we alone owned it. So the object is read, and where it differs in such a
 * field: a value that our set holds is sent as it stands, any other field is left out. */
#include "live_priv.h"

/* Selectors would need the tree: a rule that has some is taken for one that fits. */
static bool may_fit(const struct ignore_rule *r, const struct want *w)
{
	struct config_target t = r->target;

	t.label_selector = t.annotation_selector = STR("");
	return config_target_matches(&t, w->id, w->version, NULL);
}

bool live_yields(const struct live_app *a, const struct want *w)
{
	for (size_t i = 0; i < a->doc->drift_ignore.n; i++)
		if (may_fit(&a->doc->drift_ignore.p[i], w))
			return true;
	return str_contains(w->json, STR("leeboard.dev/ignore")) || app_is_scaled(a, w->id);
}

/* The tree with `value` (NULL: nothing) where the steps lead. from: the same place in the want,
 * whose lists still have every element where the steps found it. */
static const struct node *put(struct arena *a, const struct node *n, const struct node *from,
			      const struct diff_step *s, size_t k, const struct node *value)
{
	const struct node *below;
	size_t i = 0;

	if (!k)
		return value;
	if (s->kind == DIFF_FIELD) {
		if (!node_get(n, s->name) && k > 1)
			return n;
		below = put(a, node_get(n, s->name), node_get(from, s->name), s + 1, k - 1, value);
		return below ? node_set(a, n, s->name, below) : node_del(a, n, s->name);
	}
	if (!node_is(n, NODE_LIST) || !node_is(from, NODE_LIST) || n->n != from->n)
		return n;
	while (i < from->n && from->items[i] != s->element)
		i++;
	if (i == from->n)
		return n;
	below = put(a, n->items[i], from->items[i], s + 1, k - 1, value);
	return below ? node_list_set(a, n, i, below) : n; /* an element stays: its keys name it */
}

struct err *live_body(struct arena *arena, const struct live_app *a, const struct want *w,
		      const struct target_live *now, str *ret)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct yields v = {0};
	const struct node *body;
	struct object o;

	*ret = w->json;
	if (!now || !now->root)
		return NULL;
	TRY(want_tree(arena, w, &o));
	TRY(judge_yields(arena, a, &o, now, &v));
	if (!v.n)
		return NULL;
	body = o.root;
	for (size_t i = 0; i < v.n; i++)
		body = put(arena, body, o.root, v.p[i].change.steps, v.p[i].change.n_steps,
			   v.p[i].keep ? v.p[i].change.live : NULL);
	node_json(body, NODE_JSON_COMPACT, &b);
	*ret = arena_str(arena, buf_view(&b));
	return NULL;
}
