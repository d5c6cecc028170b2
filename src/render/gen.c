/* gen.c: ConfigMaps and Secrets out of literals, env files and files. */
#include "load_priv.h"

struct gen {
	struct build *b;
	const struct kustomization *k;
	const struct gen_spec *spec;
	const char *what; /* "configmap", "secret" */
	struct node_pairs data, binary;
};

/* Standard base64; from 70 digits on cut into lines of 70, each ended. */
static str base64_text(struct arena *a, str bytes)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(buf) struct buf lines = BUF_INIT;
	str all;

	buf_base64(&b, bytes.p ? bytes.p : "", bytes.n);
	all = buf_view(&b);
	if (all.n < 70)
		return arena_str(a, all);
	for (size_t i = 0; i < all.n; i += 70) {
		buf_str(&lines, str_sub(all, i, 70));
		buf_char(&lines, '\n');
	}
	return arena_str(a, buf_view(&lines));
}

static struct err *add(struct gen *g, str key, str value)
{
	struct arena *a = g->b->a;
	bool text = str_utf8_bad(value) == SIZE_MAX;
	str kept = g->spec->secret || !text ? base64_text(a, value) : value;
	const struct node *v = node_with_by(a, node_new_str(a, kept), g->spec->from);

	for (size_t i = 0; i < g->data.n + g->binary.n; i++) {
		str k = i < g->data.n ? g->data.p[i].key : g->binary.p[i - g->data.n].key;

		if (str_eq(k, key))
			return err_at(ERR_DUPLICATE, g->spec->at,
				      "%s '" STR_FMT "' repeats the key '" STR_FMT "'", g->what,
				      STR_ARG(g->spec->name), STR_ARG(key));
	}
	node_pairs_add(a, g->spec->secret || text ? &g->data : &g->binary, arena_str(a, key), v);
	return NULL;
}

static struct err *add_literal(struct gen *g, str literal)
{
	size_t cut = str_chr(literal, '=');
	str value;

	if (cut == SIZE_MAX || !cut)
		return err_at(ERR_INVALID, g->spec->at,
			      "literal of %s '" STR_FMT "' must read 'key=value'", g->what,
			      STR_ARG(g->spec->name));
	value = str_sub(literal, cut + 1, SIZE_MAX);
	if (value.n >= 2 && value.p[0] == value.p[value.n - 1] &&
	    (value.p[0] == '"' || value.p[0] == '\''))
		value = str_sub(value, 1, value.n - 2);
	return add(g, str_sub(literal, 0, cut), value);
}

static struct err *add_env_line(struct gen *g, const struct text *text, uint32_t line, str s)
{
	size_t cut;

	if (line == 1 && str_starts(s, STR("\xef\xbb\xbf")))
		s = str_sub(s, 3, SIZE_MAX);
	if (str_ends(s, STR("\r")))
		s = str_sub(s, 0, s.n - 1);
	if (str_utf8_bad(s) != SIZE_MAX)
		return err_at(ERR_SYNTAX, (loc){text, line, 1}, "env file is not valid UTF-8");
	while (s.n && (*s.p == ' ' || (*s.p >= '\t' && *s.p <= '\r')))
		s = str_sub(s, 1, SIZE_MAX);
	if (!s.n || *s.p == '#')
		return NULL;
	cut = str_chr(s, '=');
	if (!cut)
		return err_at(ERR_SYNTAX, (loc){text, line, 1}, "a line must read 'key=value'");
	if (cut == SIZE_MAX)
		return add(g, s, STR(""));
	return add(g, str_sub(s, 0, cut), str_sub(s, cut + 1, SIZE_MAX));
}

static struct err *add_env(struct gen *g, str path)
{
	struct text *text;
	str rest, s;
	uint32_t line = 0;

	TRY(load_file(g->b, g->k->folder, path, g->spec->at, &text));
	rest = text->bytes;
	while (str_split(&rest, '\n', &s))
		TRY(add_env_line(g, text, ++line, s));
	return NULL;
}

static struct err *add_file(struct gen *g, str source)
{
	size_t cut = str_chr(source, '=');
	str path = source, key;
	struct text *text;

	if (cut == SIZE_MAX) {
		size_t slash = str_rchr(source, '/');

		key = slash == SIZE_MAX ? source : str_sub(source, slash + 1, SIZE_MAX);
	} else {
		key = str_sub(source, 0, cut);
		path = str_sub(source, cut + 1, SIZE_MAX);
	}
	if (!key.n || !path.n || str_chr(path, '=') != SIZE_MAX)
		return err_at(ERR_INVALID, g->spec->at,
			      "file '" STR_FMT "' must read 'path' or 'key=path'", STR_ARG(source));
	TRY(load_file(g->b, g->k->folder, path, g->spec->at, &text));
	return add(g, key, text->bytes);
}

static const struct node *merge_maps(struct arena *a, const struct node *under,
				     const struct node *over)
{
	for (uint32_t i = 0; over && i < over->n; i++)
		under = node_set(a, under, over->pairs[i].key, over->pairs[i].value);
	return under;
}

static const struct node *map_of(struct arena *a, const struct node_pairs *v)
{
	return node_new_map(a, v->p, v->n);
}

static const struct node *by(struct gen *g, const struct node *n)
{
	return node_with_by(g->b->a, n, g->spec->from);
}

static const struct node *text_node(struct gen *g, str s)
{
	return by(g, node_new_str(g->b->a, s));
}

/* The object itself, from what was collected. */
static const struct node *object_of(struct gen *g)
{
	struct arena *a = g->b->a;
	const struct gen_spec *s = g->spec;
	const struct gen_options *global = &g->k->generator_options;
	struct node_pairs root = {0}, meta = {0};
	const struct node *labels = merge_maps(a, global->labels, s->options.labels);
	const struct node *annotations = merge_maps(a, global->annotations, s->options.annotations);

	node_pairs_add(a, &meta, STR("name"), text_node(g, s->name));
	if (s->ns.n)
		node_pairs_add(a, &meta, STR("namespace"), text_node(g, s->ns));
	if (labels && labels->n)
		node_pairs_add(a, &meta, STR("labels"), labels);
	if (annotations && annotations->n)
		node_pairs_add(a, &meta, STR("annotations"), annotations);
	node_pairs_add(a, &root, STR("apiVersion"), text_node(g, STR("v1")));
	node_pairs_add(a, &root, STR("kind"),
		       text_node(g, s->secret ? STR("Secret") : STR("ConfigMap")));
	node_pairs_add(a, &root, STR("metadata"), map_of(a, &meta));
	if (s->secret)
		node_pairs_add(a, &root, STR("type"),
			       text_node(g, s->type.n ? s->type : STR("Opaque")));
	if (g->data.n || s->secret)
		node_pairs_add(a, &root, STR("data"), map_of(a, &g->data));
	if (g->binary.n)
		node_pairs_add(a, &root, STR("binaryData"), map_of(a, &g->binary));
	if (global->immutable || s->options.immutable)
		node_pairs_add(a, &root, STR("immutable"), by(g, node_new_bool(a, true)));
	return by(g, map_of(a, &root));
}

/* ------------------------------------------------------------------ behaviors */

static const struct node *set_or_drop(struct arena *a, const struct node *map, str key,
				      const struct node *v)
{
	return v && v->n ? node_set(a, map, key, v) : node_del(a, map, key);
}

/* The new object over the old one: metadata of both, data of both or of the new one only. */
static void merge_into(struct arena *a, struct res *old, const struct res *new)
{
	const struct node *om = node_get(old->root, STR("metadata"));
	const struct node *nm = node_get(new->root, STR("metadata"));
	const struct node *root = new->root, *origin = meta_origin(old);
	const struct node *meta = nm;
	static const char *const maps[] = {"data", "binaryData"};

	meta = node_set(a, meta, STR("name"), node_get(om, STR("name")));
	meta = node_get(om, STR("namespace"))
		       ? node_set(a, meta, STR("namespace"), node_get(om, STR("namespace")))
		       : node_del(a, meta, STR("namespace"));
	meta = set_or_drop(a, meta, STR("labels"),
			   merge_maps(a, node_get(om, STR("labels")), node_get(nm, STR("labels"))));
	meta = set_or_drop(
		a, meta, STR("annotations"),
		merge_maps(a, node_get(om, STR("annotations")), node_get(nm, STR("annotations"))));
	root = node_set(a, root, STR("metadata"), meta);
	for (size_t i = 0; i < ARRAY_LEN(maps) && new->behavior == RES_MERGE; i++) {
		str key = str_from(maps[i]);
		const struct node *all =
			merge_maps(a, node_get(old->root, key), node_get(new->root, key));

		if (all && all->n)
			root = node_set(a, root, key, all);
	}
	old->root = root;
	if (origin && new->behavior == RES_MERGE)
		meta_set_origin(a, old, origin->text);
	old->needs_hash = old->needs_hash && new->needs_hash;
}

struct err *absorb(struct build *b, struct resmap *rm, struct res *new, const char *what)
{
	struct res_id id = res_id(new);
	const struct name_hits *hits = res_by_name(b->a, rm, id.name);
	struct res *old = NULL;
	size_t n = 0;

	for (size_t i = 0; i < hits->n; i++)
		if (res_has_id(hits->p[i], id)) {
			old = hits->p[i];
			n++;
		}
	if (n > 1)
		return err_at(ERR_DUPLICATE, new->at, "%s '" STR_FMT "' matches %zu objects", what,
			      STR_ARG(id.name), n);
	if (!n && new->behavior != RES_CREATE)
		return err_at(ERR_NO_REFERENCE, new->at, "no %s '" STR_FMT "' is there to %s", what,
			      STR_ARG(id.name),
			      new->behavior == RES_MERGE ? "merge into" : "replace");
	if (n && new->behavior == RES_CREATE)
		return err_hint(err_at(ERR_DUPLICATE, new->at, "%s '" STR_FMT "' exists already",
				       what, STR_ARG(id.name)),
				"add 'behavior: merge' or 'behavior: replace'");
	if (n)
		merge_into(b->a, old, new);
	else
		res_append(b->a, rm, new);
	return NULL;
}

static struct err *generate_one(struct build *b, const struct kustomization *k,
				const struct gen_spec *spec, const struct meta_maker *m,
				struct resmap *rm)
{
	struct gen g = {
		.b = b, .k = k, .spec = spec, .what = spec->secret ? "secret" : "configmap"};
	struct res *r = ARENA_NEW(b->a, struct res);

	if (!spec->name.n)
		return err_at(ERR_MISSING, spec->at, "a %s generator needs a 'name'", g.what);
	for (size_t i = 0; i < spec->envs.n; i++)
		TRY(add_env(&g, spec->envs.p[i]));
	for (size_t i = 0; i < spec->literals.n; i++)
		TRY(add_literal(&g, spec->literals.p[i]));
	for (size_t i = 0; i < spec->files.n; i++)
		TRY(add_file(&g, spec->files.p[i]));
	r->root = object_of(&g);
	r->at = spec->at;
	r->needs_hash = !k->generator_options.no_hash && !spec->options.no_hash;
	r->behavior = str_eq(spec->behavior, STR("merge"))     ? RES_MERGE
		      : str_eq(spec->behavior, STR("replace")) ? RES_REPLACE
							       : RES_CREATE;
	meta_generated(b, r, m);
	return absorb(b, rm, r, g.what);
}

struct err *generate_each(struct build *b, const struct kustomization *k,
			  const struct gen_spec *specs, size_t n, const struct meta_maker *m,
			  struct resmap *rm)
{
	struct err *e = NULL;

	for (size_t i = 0; i < n; i++)
		e = err_join(e, generate_one(b, k, &specs[i], m, rm));
	return e;
}

struct err *generate(struct build *b, const struct kustomization *k, struct resmap *rm)
{
	struct err *e = NULL;

	for (size_t i = 0; i < k->generators.n; i++) {
		const struct gen_spec *g = &k->generators.p[i];
		struct meta_maker m =
			meta_builtin(b, k, g->secret ? "SecretGenerator" : "ConfigMapGenerator");

		e = err_join(e, generate_each(b, k, g, 1, &m, rm));
	}
	return e ? e : generate_configs(b, k, rm);
}
