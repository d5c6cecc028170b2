/* load.c: accumulates kustomizations: resources, generators, components, transformers. */
#include "ignore.h"
#include "leeboard/config.h"
#include "load_priv.h"
#include "merge.h"
#include "specs.h"

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

void build_warn(struct build *b, loc at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*ARENA_PUSH(b->a, &b->ret->warnings) =
		(struct render_warning){at, arena_vprintf(b->a, fmt, ap)};
	va_end(ap);
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

/* The comma-separated words of an annotation. */
static void read_words(struct arena *a, const struct node *annotations, str key,
		       struct res_strs *ret)
{
	str rest = node_get_text(annotations, key), word;

	while (rest.n && str_split(&rest, ',', &word))
		*ARENA_PUSH(a, ret) = word;
}

/* kustomize keeps its books in annotations: a manifest that brings some has that history. */
static struct err *read_history(struct arena *a, const struct node *annotations, struct res *r)
{
	struct res_strs names = {0}, spaces = {0}, kinds = {0};

	if (!annotations)
		return NULL;
	r->needs_hash = str_eq(
		node_get_text(annotations, STR("internal.config.kubernetes.io/needsHashSuffix")),
		STR("enabled"));
	read_words(a, annotations, STR("internal.config.kubernetes.io/prefixes"), &r->prefixes);
	read_words(a, annotations, STR("internal.config.kubernetes.io/suffixes"), &r->suffixes);
	read_words(a, annotations, STR("internal.config.kubernetes.io/previousNames"), &names);
	read_words(a, annotations, STR("internal.config.kubernetes.io/previousNamespaces"),
		   &spaces);
	read_words(a, annotations, STR("internal.config.kubernetes.io/previousKinds"), &kinds);
	if (names.n != spaces.n || names.n != kinds.n)
		return err_at(ERR_RENDER, annotations->at,
			      "previousNames, previousNamespaces and previousKinds must have one "
			      "length");
	for (size_t i = 0; i < names.n; i++)
		*ARENA_PUSH(a, &r->prev) = (struct res_prev){names.p[i], spaces.p[i], kinds.p[i]};
	return NULL;
}

static bool is_known_kind(const struct node *root)
{
	const struct obj_schema *s = obj_schema_of(node_get_text(root, STR("apiVersion")),
						   node_get_text(root, STR("kind")));

	return obj_schema_kustomize(s);
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
	b->unknown_kinds |= !b->schema_set && !is_known_kind(root);
	r = ARENA_NEW(b->a, struct res);
	r->root = root;
	r->at = root->at;
	TRY(read_history(b->a, annotations, r));
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

static bool items_misshapen(const struct node *root)
{
	const struct node *items = node_get(root, STR("items"));

	return items && items->kind != NODE_LIST && items->kind != NODE_NULL &&
	       str_ends(node_get_text(root, STR("kind")), STR("List"));
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

			if (pass == 0 && items_misshapen(p[i]))
				e = err_join(e, err_at(ERR_RENDER, p[i]->at,
						       "'items' of a " STR_FMT " must be a list",
						       STR_ARG(node_get_text(p[i], STR("kind")))));
			else if (pass == 0 && !is_list && p[i]->kind != NODE_NULL)
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

/* May there be infinities and the like, which nothing can print? */
static bool has_odd_floats(str s)
{
	static const char *const words[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (s.n && memmem(s.p, s.n, words[i], 4))
			return true;
	return false;
}

static struct err *load_manifest(struct build *b, const struct text *text, struct resmap *ret)
{
	struct node_docs docs = {0};

	TRY(check_separators(text));
	TRY(node_read_yaml_as(b->a, text, NODE_READ_NUL, &docs));
	b->hints |= merge_text_hints(text->bytes);
	b->odd_floats |= has_odd_floats(text->bytes);
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
	if (kept != rm->n)
		rm->names = NULL;
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

static struct err *accumulate(struct build *b, struct kustomization *k, struct resmap *rm);

/* `openapi`: the outermost kustomization that has one decides. */
static struct err *set_schema(struct build *b, const struct kustomization *k)
{
	const struct node *path = k->openapi_path;
	struct node_docs docs = {0};
	struct text *text;

	if (b->schema_set)
		return NULL;
	b->schema_set = path || (k->openapi_version && k->openapi_version->text.n);
	if (!path)
		return NULL;
	TRY(load_file(b, k->folder, path->text, path->at, &text));
	TRY(node_read_yaml(b->a, text, &docs));
	if (!docs.n)
		return err_at(ERR_MISSING, path->at, "file '" STR_FMT "' holds no OpenAPI document",
			      STR_ARG(path->text));
	/* kustomize has put off reading the built-in schema if it has met a kind that it does not
	 * know by then, and reads it later, beside this one. */
	return merge_types_read(b->a, docs.p[0], b->unknown_kinds, &b->schema);
}

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
	*ARENA_PUSH(b->a, &b->stack) = (struct kust_entry){.text = folder, .at = at};
	return NULL;
}

/* A folder with a kustomization into rm; it must be a component, or must not. */
static struct err *load_folder(struct build *b, str folder, const struct text *text,
			       const struct kust_entry *entry, bool component, struct resmap *rm)
{
	struct kustomization *k;
	loc at = entry->at;
	str origin = b->origin;

	TRY(enter(b, folder, at));
	TRY(kust_parse(b, text, folder, &k));
	TRY(set_schema(b, k));
	if (k->component != component)
		return component ? err_at(ERR_INVALID, at, "'" STR_FMT "' is no Component",
					  STR_ARG(folder))
				 : err_hint(err_at(ERR_INVALID, at, "'" STR_FMT "' is a Component",
						   STR_ARG(folder)),
					    "list it under 'components'");
	if (b->metadata)
		b->origin = meta_join(b->a, origin, entry->text);
	TRY(accumulate(b, k, rm));
	b->origin = origin;
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

/* What is wrong in a folder also says who lists the folder. */
static struct err *listed(struct err *e, const struct kust_entry *entry)
{
	if (!e || !entry->at.in || str_eq(err_file(e), entry->at.in->name))
		return e;
	return err_wrap(e, "listed in " STR_FMT ":%u", STR_ARG(entry->at.in->name), entry->at.line);
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
			return listed(load_folder(b, full, text, entry, false, ret), entry);
		TRY(err_placed(tree_kind(b->tree, full, &kind), entry->at));
		if (kind == TREE_FOLDER)
			return err_at(ERR_NOT_FOUND, entry->at,
				      "folder '" STR_FMT "' has no kustomization.yaml",
				      STR_ARG(full));
	}
	if (kind == TREE_FILE)
		TRY(check_below(b, k->folder, full, entry->text, entry->at));
	TRY(err_placed(tree_read(b->tree, b->a, full, &text), entry->at));
	TRY(load_manifest(b, text, ret));
	meta_loaded(b, ret, entry->text);
	return NULL;
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
	return listed(load_folder(b, full, text, entry, true, rm), entry);
}

static struct err *join_maps(struct build *b, struct id_set *ids, struct resmap *rm,
			     const struct resmap *more)
{
	TRY(append(b->a, ids, rm, more));
	if (more->specs)
		TRY(specs_merge(b->a, rm->specs, more->specs, &rm->specs));
	return vars_merge(b->a, rm, more);
}

static struct err *load_resources(struct build *b, const struct kustomization *k,
				  const struct kust_entries *entries, struct id_set *ids,
				  struct resmap *rm)
{
	struct err *e = NULL;

	for (size_t i = 0; i < entries->n; i++) {
		struct resmap more = {.build = b};
		size_t depth = b->stack.n;
		str origin = b->origin;
		struct err *one = load_resource(b, k, &entries->p[i], &more);

		b->stack.n = depth;
		b->origin = origin;
		e = err_join(e, one ? one : join_maps(b, ids, rm, &more));
		if (rm->n > RENDER_MAX_OBJECTS)
			return err_join(e, err_at(ERR_RENDER_LIMIT, entries->p[i].at,
						  "more than %u objects", RENDER_MAX_OBJECTS));
	}
	return e;
}

static struct err *accumulate(struct build *b, struct kustomization *k, struct resmap *rm)
{
	struct id_set ids = {0};

	TRY(load_resources(b, k, &k->resources, &ids, rm));
	TRY(kust_specs(b, k, &rm->specs));
	TRY(generate(b, k, rm));
	for (size_t i = 0; i < k->components.n; i++)
		TRY(load_component(b, k, &k->components.p[i], rm));
	rm->names = NULL;
	rm->schema = b->hints ? merge_types_hinted(b->a, b->schema) : b->schema;
	TRY(transform(b, k, rm));
	TRY(validate(b, k, rm));
	rm->names = NULL;
	return vars_declare(b, k, rm);
}

/* Is the entry a config itself, and no path to one? */
static bool is_inline(str s)
{
	return str_contains(s, STR("\n")) || str_contains(s, STR(": ")) ||
	       str_starts(str_trim(s), STR("{"));
}

static struct err *load_inline(struct build *b, const struct kustomization *k,
			       const struct kust_entry *entry, struct resmap *ret)
{
	struct meta_maker here = meta_builtin(b, k, "");
	size_t slash = str_rchr(here.file, '/');

	TRY_WRAP(load_manifest(b, kust_inline(b->a, entry->from), ret),
		 "read the config at line %u", entry->at.line);
	meta_loaded(b, ret,
		    slash == SIZE_MAX ? here.file : str_sub(here.file, slash + 1, SIZE_MAX));
	return NULL;
}

/* As kustomize: what is inline comes before what is named, whatever the order in the list. */
struct err *load_configs(struct build *b, const struct kustomization *k,
			 const struct kust_entries *entries, struct resmap *ret)
{
	struct kust_entries named = {0};
	struct id_set ids = {0};

	for (size_t i = 0; i < entries->n; i++) {
		struct resmap more = {.build = b};

		if (!is_inline(entries->p[i].text)) {
			*ARENA_PUSH(b->a, &named) = entries->p[i];
			continue;
		}
		TRY(load_inline(b, k, &entries->p[i], &more));
		TRY(append(b->a, &ids, ret, &more));
	}
	return load_resources(b, k, &named, &ids, ret);
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
			*ARENA_PUSH(b->a, p->ret) = (struct kust_entry){.text = path};
		} else if (entries[i].kind == TREE_FOLDER && !b->opts->plain.flat) {
			TRY(find_kustomization(b, path, LOC_NONE, &text));
			if (text && is_wanted(p, text->name))
				*ARENA_PUSH(b->a, p->ret) = (struct kust_entry){.text = path};
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
	if (!k->resources.n && !b->opts->plain.empty)
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
		TRY(set_schema(b, *ret));
		b->metadata = (*ret)->metadata & (META_ORIGIN | META_TRANSFORMERS);
	} else if (b->opts->plain.never) {
		return err_new(ERR_NOT_FOUND,
			       "folder '" STR_FMT "' has no kustomization.yaml, kustomization.yml "
			       "or Kustomization",
			       STR_ARG(folder.n ? folder : STR(".")));
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
	b.specs = specs_default(a);
	TRY(tree_join(t, a, STR(""), path, &folder));
	if (b.opts->overlay)
		TRY(kust_overlay(&b, b.opts->overlay, folder, &above));
	TRY(build_folder(&b, folder, &k, &rm));
	b.metadata = 0;
	if (above)
		TRY(accumulate(&b, above, &rm));
	TRY(final_hashes(a, &rm));
	TRY(xform_name_references(a, &rm));
	TRY(vars_resolve(&b, &rm));
	return final_objects(&b, k, &rm);
}
