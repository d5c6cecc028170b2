/* load.c: accumulates kustomizations: resources, generators, components, transformers. */
#include "ignore.h"
#include "leeboard/config.h"
#include "load_priv.h"

struct err *err_placed(struct err *e, loc at)
{
	struct err *placed;
	str hint;

	if (!e || err_file(e).n || err_count(e) > 1)
		return e;
	placed = err_at(err_code(e), at, STR_FMT, STR_ARG(err_message(e)));
	hint = err_hint_get(e);
	if (hint.n)
		placed = err_hint(placed, STR_FMT, STR_ARG(hint));
	err_free(e);
	return placed;
}

static bool looks_remote(str path)
{
	return str_contains(path, STR("://")) || str_starts(path, STR("git@")) ||
	       str_starts(path, STR("git::")) || str_starts(path, STR("github.com/")) ||
	       str_contains(path, STR("?ref="));
}

static struct err *join_path(struct build *b, str folder, str path, loc at, str *ret)
{
	if (!path.n)
		return err_at(ERR_INVALID, at, "a path must not be empty");
	if (looks_remote(path))
		return err_at(ERR_NOT_SUPPORTED, at,
			      "remote resource '" STR_FMT "' is not supported yet: copy it into "
			      "the repository",
			      STR_ARG(path));
	return err_placed(tree_join(b->tree, b->a, folder, path, ret), at);
}

/* kustomize's security rule: files lie in or below the folder that names them. */
static struct err *check_below(struct build *b, str folder, str full, str path, loc at)
{
	if (b->opts->lax || tree_below(folder, full))
		return NULL;
	return err_at(ERR_NOT_ALLOWED, at,
		      "file '" STR_FMT "' is not in or below the folder '" STR_FMT "'",
		      STR_ARG(path), STR_ARG(folder.n ? folder : STR(".")));
}

struct err *load_file(struct build *b, str folder, str path, loc at, struct text **ret)
{
	str full;

	TRY(join_path(b, folder, path, at, &full));
	TRY(check_below(b, folder, full, path, at));
	return err_placed(tree_read(b->tree, b->a, full, ret), at);
}

/* ------------------------------------------------------------------ manifests */

/* kustomize splits at lines that start with "---" and wants nothing but a comment behind it. */
static struct err *check_separators(const struct text *text)
{
	str rest = text->bytes, s;
	uint32_t line = 0;

	while (str_split(&rest, '\n', &s)) {
		line++;
		if (!str_starts(s, STR("---")))
			continue;
		s = str_trim(str_sub(s, 3, SIZE_MAX));
		if (s.n && s.p[0] != '#')
			return err_at(ERR_SYNTAX, (loc){text, line, 1},
				      "nothing but a comment may follow '---'");
	}
	return NULL;
}

static bool internal_enabled(const struct node *annotations, str key)
{
	return str_eq(node_get_text(annotations, key), STR("enabled"));
}

static struct err *check_shape(const struct node *root)
{
	const struct node *meta = node_get(root, STR("metadata"));

	if (root->kind != NODE_MAP)
		return err_at(ERR_RENDER, root->at, "a manifest must be a map, not %s",
			      node_kind_name(root->kind));
	if (meta && meta->kind != NODE_MAP)
		return err_at(ERR_RENDER, meta->at, "'metadata' must be a map, not %s",
			      node_kind_name(meta->kind));
	return NULL;
}

static struct err *add_object(struct build *b, const struct node *root, struct resmap *ret)
{
	const struct node *kind = node_get(root, STR("kind"));
	const struct node *meta = node_get(root, STR("metadata"));
	const struct node *annotations = node_get(meta, STR("annotations"));
	const struct node *name = node_get(meta, STR("name"));
	bool named = name && name->kind != NODE_NULL && name->kind != NODE_MAP &&
		     name->kind != NODE_LIST && name->text.n;
	struct res *r;

	if (root->kind != NODE_MAP)
		return err_at(ERR_RENDER, root->at, "a manifest must be a map, not %s",
			      node_kind_name(root->kind));
	if (!node_is(kind, NODE_STRING) || !kind->text.n)
		return err_at(ERR_RENDER, root->at, "the manifest has no 'kind'");
	if (!named && !str_ends(kind->text, STR("List")))
		return err_at(ERR_RENDER, meta ? meta->at : root->at,
			      "the " STR_FMT " has no 'metadata.name'", STR_ARG(kind->text));
	if (ret->n >= RENDER_MAX_OBJECTS)
		return err_at(ERR_RENDER_LIMIT, root->at, "more than %u objects",
			      RENDER_MAX_OBJECTS);
	if (meta && meta->kind == NODE_NULL)
		root = node_del(b->a, root, STR("metadata"));
	TRY(check_shape(root));
	r = ARENA_NEW(b->a, struct res);
	r->root = root;
	r->at = root->at;
	r->needs_hash =
		internal_enabled(annotations, STR("internal.config.kubernetes.io/needsHashSuffix"));
	*ARENA_PUSH(b->a, ret) = r;
	return NULL;
}

/* The items of a list kind, or NULL; *is_list also when the items are null. */
static const struct node *list_items(const struct node *root, bool *is_list)
{
	const struct node *items = node_get(root, STR("items"));

	*is_list = items && str_ends(node_get_text(root, STR("kind")), STR("List")) &&
		   (items->kind == NODE_LIST || items->kind == NODE_NULL);
	return *is_list && items->kind == NODE_LIST ? items : NULL;
}

/* Objects first, then the items of list kinds, as kustomize appends them. */
static struct err *add_objects(struct build *b, const struct node *const *p, size_t n,
			       unsigned depth, struct resmap *ret)
{
	struct err *e = NULL;

	for (size_t pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n; i++) {
			bool is_list;
			const struct node *items = list_items(p[i], &is_list);

			if (pass == 0 && !is_list && p[i]->kind != NODE_NULL)
				e = err_join(e, add_object(b, p[i], ret));
			if (pass == 0 || !items)
				continue;
			if (depth >= RENDER_MAX_DEPTH)
				return err_join(e, err_at(ERR_RENDER_LIMIT, p[i]->at,
							  "lists in lists deeper than %u",
							  RENDER_MAX_DEPTH));
			e = err_join(e, add_objects(b, items->items, items->n, depth + 1, ret));
		}
	return e;
}

static struct err *load_manifest(struct build *b, const struct text *text, struct resmap *ret)
{
	struct node_docs docs = {0};

	TRY(check_separators(text));
	TRY(node_read_yaml(b->a, text, &docs));
	return add_objects(b, docs.p, docs.n, 0, ret);
}

/* ------------------------------------------------------------------ lists of objects */

/* Current ids, so that an object that is there already is found at once. */
struct id_set {
	struct res **slots;
	size_t n, cap;
};

static uint64_t id_hash(struct res_id id)
{
	return str_hash(id.name) ^ (str_hash(id.kind) * 31);
}

static struct res **id_slot(const struct id_set *s, struct res_id id)
{
	size_t at = id_hash(id) & (s->cap - 1);

	while (s->slots[at] && !res_id_equal(res_id(s->slots[at]), id))
		at = (at + 1) & (s->cap - 1);
	return &s->slots[at];
}

static void id_set_build(struct arena *a, struct id_set *s, const struct resmap *rm, size_t more)
{
	for (s->cap = 16; s->cap < (rm->n + more) * 2;)
		s->cap *= 2;
	s->slots = ARENA_ARRAY(a, struct res *, s->cap);
	for (size_t i = 0; i < rm->n; i++)
		*id_slot(s, res_id(rm->p[i])) = rm->p[i];
	s->n = rm->n;
}

static struct err *append(struct arena *a, struct id_set *ids, struct resmap *rm,
			  const struct resmap *more)
{
	struct err *e = NULL;

	if (!ids->cap || (ids->n + more->n) * 2 > ids->cap)
		id_set_build(a, ids, rm, rm->n + more->n);
	for (size_t i = 0; i < more->n; i++) {
		struct res_id id = res_id(more->p[i]);
		struct res **slot = id_slot(ids, id);

		if (*slot) {
			loc first = (*slot)->at;

			e = err_join(e,
				     err_at(ERR_DUPLICATE, more->p[i]->at,
					    "'" STR_FMT "' is there already, from " STR_FMT ":%u",
					    STR_ARG(res_id_text(a, id)),
					    STR_ARG(first.in ? first.in->name : STR("?")),
					    first.line));
			continue;
		}
		*slot = more->p[i];
		ids->n++;
		*ARENA_PUSH(a, rm) = more->p[i];
	}
	return e;
}

struct err *drop_deleted(struct resmap *rm)
{
	struct err *e = NULL;
	size_t kept = 0;

	for (size_t i = 0; i < rm->n; i++) {
		const struct node *root = rm->p[i]->root;

		if (!root || (root->kind == NODE_MAP && !root->n))
			continue;
		e = err_join(e, check_shape(root));
		rm->p[kept++] = rm->p[i];
	}
	rm->n = kept;
	return e;
}

/* ------------------------------------------------------------------ folders */

static str path_in(struct arena *a, str folder, str name)
{
	return folder.n ? arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(folder), STR_ARG(name))
			: arena_str(a, name);
}

/* The kustomization file of a folder; *ret NULL when it has none. All names are looked at, so that
 * the read set notices a second one. */
static struct err *find_kustomization(struct build *b, str folder, loc at, struct text **ret)
{
	str found = STR("");

	*ret = NULL;
	for (size_t i = 0; i < KUST_NAMES; i++) {
		str path = path_in(b->a, folder, str_from(kust_names[i]));
		enum tree_kind kind;

		TRY(err_placed(tree_kind(b->tree, path, &kind), at));
		if (kind != TREE_FILE)
			continue;
		if (found.n)
			return err_at(ERR_DUPLICATE, at,
				      "'" STR_FMT "' and '" STR_FMT
				      "': a folder has one kustomization file",
				      STR_ARG(found), STR_ARG(path));
		found = path;
	}
	return found.n ? tree_read(b->tree, b->a, found, ret) : NULL;
}

static struct err *accumulate(struct build *b, const struct kustomization *k, struct resmap *rm);

static struct err *enter(struct build *b, str folder, loc at)
{
	if (b->stack.n >= RENDER_MAX_DEPTH)
		return err_at(ERR_RENDER_LIMIT, at, "overlays on overlays deeper than %u",
			      RENDER_MAX_DEPTH);
	if (++b->loads > RENDER_MAX_LOADS)
		return err_at(ERR_RENDER_LIMIT, at, "more than %u folders", RENDER_MAX_LOADS);
	for (size_t i = 0; i < b->stack.n; i++)
		if (tree_below(folder, b->stack.p[i].text))
			return err_at(
				ERR_CYCLE, at,
				"cycle: '" STR_FMT "' is being built already, or holds '" STR_FMT
				"', which is",
				STR_ARG(folder.n ? folder : STR(".")),
				STR_ARG(b->stack.p[i].text.n ? b->stack.p[i].text : STR(".")));
	*ARENA_PUSH(b->a, &b->stack) = (struct kust_entry){folder, at};
	return NULL;
}

/* A folder with a kustomization into rm; it must be a component, or must not. */
static struct err *load_folder(struct build *b, str folder, const struct text *text, loc at,
			       bool component, struct resmap *rm)
{
	struct kustomization *k;

	TRY(enter(b, folder, at));
	TRY(kust_parse(b, text, folder, &k));
	if (k->component != component)
		return component ? err_at(ERR_INVALID, at, "'" STR_FMT "' is no Component",
					  STR_ARG(folder))
				 : err_hint(err_at(ERR_INVALID, at, "'" STR_FMT "' is a Component",
						   STR_ARG(folder)),
					    "list it under 'components'");
	TRY(accumulate(b, k, rm));
	b->stack.n--;
	return NULL;
}

/* Has the path a name as files have? A folder is then looked for second, so that the read set of
 * the usual build holds no folder (whose id changes with everything below it). */
static bool named_like_file(str path)
{
	return str_ends(path, STR(".yaml")) || str_ends(path, STR(".yml")) ||
	       str_ends(path, STR(".json"));
}

static struct err *load_resource(struct build *b, const struct kustomization *k,
				 const struct kust_entry *entry, struct resmap *ret)
{
	enum tree_kind kind = TREE_FOLDER;
	struct text *text;
	str full;

	TRY(join_path(b, k->folder, entry->text, entry->at, &full));
	if (named_like_file(full))
		TRY(err_placed(tree_kind(b->tree, full, &kind), entry->at));
	if (kind == TREE_FOLDER) {
		TRY(find_kustomization(b, full, entry->at, &text));
		if (text)
			return load_folder(b, full, text, entry->at, false, ret);
		TRY(err_placed(tree_kind(b->tree, full, &kind), entry->at));
		if (kind == TREE_FOLDER)
			return err_at(ERR_NOT_FOUND, entry->at,
				      "folder '" STR_FMT "' has no kustomization.yaml",
				      STR_ARG(full));
	}
	if (kind == TREE_FILE)
		TRY(check_below(b, k->folder, full, entry->text, entry->at));
	TRY(err_placed(tree_read(b->tree, b->a, full, &text), entry->at));
	return load_manifest(b, text, ret);
}

static struct err *load_component(struct build *b, const struct kustomization *k,
				  const struct kust_entry *entry, struct resmap *rm)
{
	struct text *text;
	str full;

	TRY(join_path(b, k->folder, entry->text, entry->at, &full));
	TRY(find_kustomization(b, full, entry->at, &text));
	if (!text && k->ignore_missing) {
		enum tree_kind kind;

		TRY(err_placed(tree_kind(b->tree, full, &kind), entry->at));
		if (kind == TREE_ABSENT)
			return NULL;
	}
	if (!text)
		return err_at(ERR_NOT_FOUND, entry->at,
			      "component '" STR_FMT "' is no folder with a kustomization.yaml",
			      STR_ARG(full));
	return load_folder(b, full, text, entry->at, true, rm);
}

static struct err *load_resources(struct build *b, const struct kustomization *k, struct resmap *rm)
{
	struct id_set ids = {0};
	struct err *e = NULL;

	for (size_t i = 0; i < k->resources.n; i++) {
		struct resmap more = {.build = b};
		size_t depth = b->stack.n;
		struct err *one = load_resource(b, k, &k->resources.p[i], &more);

		b->stack.n = depth;
		e = err_join(e, one ? one : append(b->a, &ids, rm, &more));
		if (rm->n > RENDER_MAX_OBJECTS)
			return err_join(e, err_at(ERR_RENDER_LIMIT, k->resources.p[i].at,
						  "more than %u objects", RENDER_MAX_OBJECTS));
	}
	return e;
}

static struct err *accumulate(struct build *b, const struct kustomization *k, struct resmap *rm)
{
	TRY(load_resources(b, k, rm));
	TRY(generate(b, k, rm));
	for (size_t i = 0; i < k->components.n; i++)
		TRY(load_component(b, k, &k->components.p[i], rm));
#define X(name)                                                                                    \
	TRY(xform_##name(b->a, k, rm));                                                            \
	TRY(drop_deleted(rm));
	XFORMS(X)
#undef X
	return transform(b, k, rm);
}

static struct err *load_inline(struct build *b, const struct kust_entry *entry, struct resmap *ret)
{
	struct text *text = ARENA_NEW(b->a, struct text);

	*text = (struct text){entry->at.in ? entry->at.in->name : STR(""), entry->text};
	TRY_WRAP(load_manifest(b, text, ret), "read the inline config at line %u", entry->at.line);
	return NULL;
}

/* As kustomize: what is inline comes before what is named, whatever the order in the list. */
struct err *load_configs(struct build *b, const struct kustomization *k,
			 const struct kust_entries *entries, struct resmap *ret)
{
	size_t depth = b->stack.n;

	for (size_t i = 0; i < entries->n; i++)
		if (str_contains(entries->p[i].text, STR("\n")))
			TRY(load_inline(b, &entries->p[i], ret));
	for (size_t i = 0; i < entries->n; i++) {
		if (!str_contains(entries->p[i].text, STR("\n")))
			TRY(load_resource(b, k, &entries->p[i], ret));
		b->stack.n = depth;
	}
	return NULL;
}

/* ------------------------------------------------------------------ plain folders */

struct plain {
	struct build *b;
	str folder; /* that was asked for */
	struct ignores ignores;
	struct kust_entries *ret;
};

static struct err *add_ignores(struct plain *p, str folder)
{
	str path = path_in(p->b->a, folder, STR(".sourceignore"));
	enum tree_kind kind;
	struct text *text;

	TRY(tree_kind(p->b->tree, path, &kind));
	if (kind != TREE_FILE)
		return NULL;
	TRY(tree_read(p->b->tree, p->b->a, path, &text));
	return ignores_add(p->b->a, &p->ignores, folder, text->bytes, (loc){text, 0, 0});
}

/* Is the file one that counts, by the globs of the options? */
static bool is_wanted(const struct plain *p, str path)
{
	const struct render_plain *how = &p->b->opts->plain;
	str below = str_sub(path, p->folder.n ? p->folder.n + 1 : 0, SIZE_MAX);

	return (!how->include || !how->include->n || config_globs(how->include, below)) &&
	       !(how->exclude && config_globs(how->exclude, below));
}

/* Manifests of a folder without a kustomization, by name; folders with one are built. */
static struct err *load_plain(struct plain *p, str folder, unsigned depth)
{
	struct build *b = p->b;
	size_t ignores = p->ignores.n, n;
	struct tree_entry *entries;

	if (depth >= RENDER_MAX_DEPTH)
		return err_new(ERR_RENDER_LIMIT, "folders deeper than %u", RENDER_MAX_DEPTH);
	TRY(tree_list(b->tree, b->a, folder, &entries, &n));
	TRY(add_ignores(p, folder));
	for (size_t i = 0; i < n; i++) {
		str path = path_in(b->a, folder, entries[i].name);
		struct text *text;

		if (entries[i].name.p[0] == '.' ||
		    ignores_has(b->a, &p->ignores, path, entries[i].kind == TREE_FOLDER))
			continue;
		if (entries[i].kind == TREE_FILE && named_like_file(path) && is_wanted(p, path)) {
			*ARENA_PUSH(b->a, p->ret) = (struct kust_entry){path, LOC_NONE};
		} else if (entries[i].kind == TREE_FOLDER && !b->opts->plain.flat) {
			TRY(find_kustomization(b, path, LOC_NONE, &text));
			if (text && is_wanted(p, text->name))
				*ARENA_PUSH(b->a, p->ret) = (struct kust_entry){path, LOC_NONE};
			else if (!text)
				TRY(load_plain(p, path, depth + 1));
		}
	}
	p->ignores.n = ignores; /* those of this folder end with it */
	return NULL;
}

static struct err *plain_build(struct build *b, str folder, struct kustomization **ret)
{
	struct kustomization *k = ARENA_NEW(b->a, struct kustomization);
	struct plain p = {.b = b, .folder = folder, .ret = &k->resources};
	size_t at = 0;

	TRY(ignores_add(b->a, &p.ignores, STR(""), b->opts->plain.ignore, LOC_NONE));
	for (; folder.n && at < folder.n; at++) /* of the folders above, outermost first */
		if (!at || folder.p[at] == '/')
			TRY(add_ignores(&p, str_sub(folder, 0, at)));
	TRY(load_plain(&p, folder, 0));
	if (!k->resources.n)
		return err_new(ERR_NOT_FOUND,
			       "folder '" STR_FMT
			       "' has neither a kustomization.yaml nor a manifest",
			       STR_ARG(folder.n ? folder : STR(".")));
	*ret = k; /* its folder is the root of the tree: the paths are */
	return NULL;
}

/* ------------------------------------------------------------------ the build */

/* The folder itself; *ret is its kustomization. */
static struct err *build_folder(struct build *b, str folder, struct kustomization **ret,
				struct resmap *rm)
{
	struct text *text;

	TRY(find_kustomization(b, folder, LOC_NONE, &text));
	if (text) {
		TRY(kust_parse(b, text, folder, ret));
		TRY(enter(b, folder, LOC_NONE));
	} else {
		TRY(plain_build(b, folder, ret));
	}
	TRY(accumulate(b, *ret, rm));
	b->stack.n = 0;
	return NULL;
}

struct err *render_build(struct arena *a, struct tree *t, str path, const struct render_opts *opts,
			 struct render_result *ret)
{
	static const struct render_opts none = {0};
	struct build b = {.a = a, .tree = t, .opts = opts ? opts : &none, .ret = ret};
	struct resmap rm = {.build = &b};
	struct kustomization *k, *above = NULL;
	str folder;

	*ret = (struct render_result){0};
	TRY(tree_join(t, a, STR(""), path, &folder));
	if (b.opts->overlay)
		TRY(kust_overlay(&b, b.opts->overlay, folder, &above));
	TRY(build_folder(&b, folder, &k, &rm));
	if (above)
		TRY(accumulate(&b, above, &rm));
	TRY(final_hashes(a, &rm));
	TRY(xform_name_references(a, &rm));
	return final_objects(&b, k, &rm);
}
