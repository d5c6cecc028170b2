/* xform_replacements.c: values of one object written into fields of others. */
#include "load_priv.h"
#include "select.h"

static bool is_container(const struct node *n)
{
	return n->kind == NODE_MAP || n->kind == NODE_LIST;
}

/* ------------------------------------------------------------------ the source */

static bool part_is(str want, str have)
{
	return !want.n || str_eq(want, have);
}

static bool source_is(const struct selector *s, struct res_id id)
{
	return part_is(s->group, id.group) && part_is(s->version, id.version) &&
	       part_is(s->kind, id.kind) && part_is(s->name, id.name) &&
	       (!s->ns.n || str_eq(res_effective_ns(id), s->ns));
}

static struct err *index_of(const struct replace_options *o, int64_t *ret)
{
	*ret = 0;
	if (o->index && !node_i64(o->index, ret))
		return err_at(ERR_INVALID, o->index->at, "'index' is too large");
	return NULL;
}

/* One piece of a text. */
static struct err *cut_piece(struct arena *a, const struct replacement *r, const struct node *v,
			     const struct node **ret)
{
	str rest = v->text, piece;
	int64_t index, i = 0;

	TRY(index_of(&r->source_options, &index));
	for (bool more = true; more; i++) {
		size_t cut = str_find(rest, r->source_options.delimiter);

		more = cut != SIZE_MAX;
		piece = more ? str_sub(rest, 0, cut) : rest;
		if (i == index) {
			*ret = node_new_str(a, piece);
			return NULL;
		}
		if (more)
			rest = str_sub(rest, cut + r->source_options.delimiter.n, SIZE_MAX);
	}
	return err_at(ERR_RENDER, r->source->at, "the source has no piece %lld, only %lld",
		      (long long)index, (long long)i);
}

static struct err *find_source(struct arena *a, const struct replacement *r,
			       const struct resmap *rm, const struct node **ret)
{
	str path = r->source_path.n ? r->source_path : STR("metadata.name");
	struct res_strs parts = {0};
	const struct res *found = NULL;
	const struct node *v;

	if (r->value) {
		*ret = r->value;
		return NULL;
	}
	for (size_t i = 0; i < rm->n; i++) {
		bool hit = false;

		for (size_t k = 0; k <= rm->p[i]->prev.n && !hit; k++)
			hit = source_is(r->source, res_id_at(rm->p[i], k));
		if (hit && found)
			return err_at(ERR_RENDER, r->source->at,
				      "the source matches several objects: '" STR_FMT
				      "' and '" STR_FMT "'",
				      STR_ARG(res_id_text(a, res_id(found))),
				      STR_ARG(res_id_text(a, res_id(rm->p[i]))));
		if (hit)
			found = rm->p[i];
	}
	if (!found)
		return err_at(ERR_NO_REFERENCE, r->source->at, "the source matches no object");
	res_path_split(a, path, &parts);
	v = res_path_get(found->root, &parts);
	if (!v || v->kind == NODE_NULL || (is_container(v) && !v->n))
		return err_at(ERR_NO_REFERENCE, r->source->at,
			      "the source '" STR_FMT "' has no field '" STR_FMT "'",
			      STR_ARG(res_id_text(a, res_id(found))), STR_ARG(path));
	if (r->source_options.delimiter.n && is_container(v))
		return err_at(ERR_RENDER, r->source->at,
			      "'delimiter' cuts texts, but '" STR_FMT "' is %s", STR_ARG(path),
			      node_kind_name(v->kind));
	if (r->source_options.delimiter.n)
		return cut_piece(a, r, v, ret);
	*ret = v;
	return NULL;
}

/* ------------------------------------------------------------------ the targets */

struct write {
	struct arena *a;
	const struct replacement *r;
	const struct replace_target *t;
	const struct node *value;
	struct res_strs path;
	str written; /* the path, as written */
	size_t hits;
	bool yaml;   /* and that is no JSON */
	bool inside; /* within a text that is YAML or JSON itself */
};

static struct err *walk(struct write *w, const struct node *n, size_t at, const struct node **ret);

/* A copied map or list is marked all the way down: its leaves have places of their own. */
static const struct node *marked(struct write *w, const struct node *n)
{
	struct node *copy = ARENA_NEW(w->a, struct node);

	*copy = *n;
	copy->by = w->r->from;
	if (n->kind == NODE_MAP) {
		struct node_pair *pairs = ARENA_ARRAY(w->a, struct node_pair, n->n);

		for (uint32_t i = 0; i < n->n; i++) {
			pairs[i] = n->pairs[i];
			pairs[i].value = marked(w, n->pairs[i].value);
		}
		copy->pairs = pairs;
	} else if (n->kind == NODE_LIST) {
		const struct node **items = ARENA_ARRAY(w->a, const struct node *, n->n);

		for (uint32_t i = 0; i < n->n; i++)
			items[i] = marked(w, n->items[i]);
		copy->items = items;
	}
	return copy;
}

/* The old text with the value as one of its pieces. */
static struct err *put_piece(struct write *w, str old, str *ret)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	str delimiter = w->t->options.delimiter, rest = old;
	bool more = true, done = false;
	int64_t index;

	TRY(index_of(&w->t->options, &index));
	if (index < 0) {
		buf_str(&b, w->value->text);
		buf_str(&b, delimiter);
		buf_str(&b, old);
		*ret = arena_str(w->a, buf_view(&b));
		return NULL;
	}
	for (int64_t i = 0; more; i++) {
		size_t cut = str_find(rest, delimiter);

		more = cut != SIZE_MAX;
		if (i)
			buf_str(&b, delimiter);
		buf_str(&b, i == index ? w->value->text : more ? str_sub(rest, 0, cut) : rest);
		done = done || i == index;
		if (more)
			rest = str_sub(rest, cut + delimiter.n, SIZE_MAX);
	}
	if (!done) {
		buf_str(&b, delimiter);
		buf_str(&b, w->value->text);
	}
	*ret = arena_str(w->a, buf_view(&b));
	return NULL;
}

/* The field itself: a scalar keeps its type and takes the text. old NULL: it was created. */
static struct err *set(struct write *w, const struct node *old, const struct node **ret)
{
	str text = is_container(w->value) ? STR("") : w->value->text;
	const struct node *fresh;

	w->hits++;
	if (w->t->options.delimiter.n && !w->inside) {
		if (old && is_container(old))
			return err_at(ERR_RENDER, w->t->at,
				      "'delimiter' goes into texts, but '" STR_FMT "' is %s",
				      STR_ARG(w->written), node_kind_name(old->kind));
		TRY(put_piece(w, old ? old->text : STR(""), &text));
	} else if (old ? is_container(old) : is_container(w->value)) {
		*ret = marked(w, w->value);
		return NULL;
	}
	if (old && old->kind == NODE_STRING) {
		*ret = marked(w, node_with_style(w->a, node_new_str(w->a, text), old->style));
		return NULL;
	}
	fresh = res_plain(w->a, text);
	if (w->yaml && old && (old->kind == NODE_INT || old->kind == NODE_BOOL))
		fresh = node_new_scalar(w->a, old->kind, NODE_PLAIN, text);
	else if (old && old->kind != NODE_NULL && !res_is_untyped(old) && fresh->kind != old->kind)
		return err_at(ERR_RENDER, w->t->at,
			      "field '" STR_FMT "' is %s and cannot hold '" STR_FMT "'",
			      STR_ARG(w->written), node_kind_name(old->kind), STR_ARG(text));
	*ret = marked(w, fresh);
	return NULL;
}

/* A new value for the rest of the path. */
static struct err *make(struct write *w, size_t at, const struct node **ret)
{
	uint64_t i;

	if (at == w->path.n)
		return set(w, NULL, ret);
	if (res_path_is_filter(w->path.p[at]) || str_to_u64(w->path.p[at], &i))
		return walk(w, node_new_list(w->a, NULL, 0), at, ret);
	return walk(w, node_new_map(w->a, NULL, 0), at, ret);
}

static struct err *walk_index(struct write *w, const struct node *n, uint64_t i, size_t at,
			      const struct node **ret)
{
	const struct node *v;

	if (i < n->n) {
		TRY(walk(w, n->items[i], at + 1, &v));
		*ret = node_list_set(w->a, n, i, v);
		return NULL;
	}
	if (i > n->n || !w->t->options.create)
		return err_at(ERR_RENDER, w->t->at,
			      "field '" STR_FMT "': the list has no element %llu, only %u",
			      STR_ARG(w->written), (unsigned long long)i, n->n);
	TRY(make(w, at + 1, &v));
	*ret = node_list_add(w->a, n, v);
	return NULL;
}

/* "[key=value]": value is an expression, not anchored. */
static struct err *walk_filter(struct write *w, const struct node *n, size_t at,
			       const struct node **ret)
{
	CLEANUP(regex) struct regex *re = NULL;
	const struct node *v;
	bool any = false;
	str key, value;

	res_path_filter(w->path.p[at], &key, &value);
	TRY(regex_new(value, "", "", w->t->at, &re));
	*ret = n;
	for (uint32_t i = 0; i < n->n; i++) {
		const struct node *item = n->items[i];
		const struct node *field = key.n ? node_get(item, key) : item;

		if (!field || is_container(field) || !regex_matches(re, field->text))
			continue;
		any = true;
		TRY(walk(w, item, at + 1, &v));
		*ret = node_list_set(w->a, *ret, i, v);
	}
	if (any || !w->t->options.create)
		return NULL;
	if (key.n)
		TRY(walk(w, node_set(w->a, NULL, key, marked(w, res_plain(w->a, value))), at + 1,
			 &v));
	else
		TRY(walk(w, marked(w, res_plain(w->a, value)), at + 1, &v));
	*ret = node_list_add(w->a, n, v);
	return NULL;
}

/* JSON as Go writes it: keys sorted, and no HTML characters. */
static void go_json(struct write *w, const struct node *n, str old, struct buf *ret)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	bool indent = str_contains(old, STR("\n")) && str_contains(old, STR("  "));

	node_json(node_sorted(w->a, n), indent ? NODE_JSON_INDENT : NODE_JSON_CANONICAL, &b);
	for (size_t i = 0; i < b.n; i++) {
		unsigned char c = (unsigned char)b.p[i];

		if (c == '<' || c == '>' || c == '&')
			buf_printf(ret, "\\u%04x", c);
		else
			buf_char(ret, (char)c);
	}
}

/* The rest of the path leads into a text that is JSON or YAML itself. */
static struct err *walk_text(struct write *w, const struct node *n, size_t at,
			     const struct node **ret)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct text *t = ARENA_NEW(w->a, struct text);
	struct node_docs docs = {0};
	const struct node *v;
	struct err *e;
	str head = str_trim(n->text);

	*t = (struct text){n->at.in ? n->at.in->name : STR(""), n->text};
	e = node_read_yaml_as(w->a, t, NODE_READ_MISFITS, &docs);
	*ret = n;
	if (e || docs.n != 1 || !is_container(docs.p[0])) {
		err_free(e); /* then it is a plain text, and the path leads nowhere */
		return NULL;
	}
	w->inside = true;
	w->yaml = !str_starts(head, STR("{")) && !str_starts(head, STR("["));
	e = walk(w, docs.p[0], at, &v);
	w->inside = w->yaml = false;
	if (e || v == docs.p[0])
		return e;
	if (str_starts(head, STR("{")) || str_starts(head, STR("[")))
		go_json(w, v, n->text, &b);
	else
		node_yaml_styled(w->a, v, n->text, &b);
	while (b.n && b.p[b.n - 1] == '\n')
		b.p[--b.n] = '\0';
	*ret = marked(w, node_with_style(w->a, node_new_str(w->a, buf_view(&b)), n->style));
	return NULL;
}

/* n with the value at the path from part `at` on. The depth is that of the path. */
static struct err *walk(struct write *w, const struct node *n, size_t at, const struct node **ret)
{
	const struct node *v;
	uint64_t i;
	str part;

	*ret = n;
	if (at == w->path.n)
		return set(w, n, ret);
	part = w->path.p[at];
	if (n->kind == NODE_LIST && str_eq(part, STR("*"))) {
		for (uint32_t k = 0; k < n->n; k++) {
			TRY(walk(w, n->items[k], at + 1, &v));
			*ret = node_list_set(w->a, *ret, k, v);
		}
		return NULL;
	}
	if (n->kind == NODE_LIST && str_to_u64(part, &i))
		return walk_index(w, n, i, at, ret);
	if (n->kind == NODE_LIST && res_path_is_filter(part))
		return walk_filter(w, n, at, ret);
	if (n->kind == NODE_STRING && !w->inside)
		return walk_text(w, n, at, ret);
	if (n->kind == NODE_NULL && w->t->options.create)
		return make(w, at, ret);
	if (n->kind != NODE_MAP)
		return NULL;
	v = node_get(n, part);
	if (!v && !w->t->options.create)
		return NULL;
	if (v)
		TRY(walk(w, v, at + 1, &v));
	else
		TRY(make(w, at + 1, &v));
	*ret = node_set(w->a, n, part, v);
	return NULL;
}

/* ------------------------------------------------------------------ which objects */

struct pattern {
	struct regex *group, *version, *kind, *name, *ns; /* NULL: anything */
	struct selection *marks;                          /* labels and annotations */
	bool by_id, by_marks;
};

static void pattern_done(struct pattern *p)
{
	regex_free(p->group);
	regex_free(p->version);
	regex_free(p->kind);
	regex_free(p->name);
	regex_free(p->ns);
	selection_free(p->marks);
}

static struct err *anchored(str re, loc at, struct regex **ret)
{
	return re.n ? regex_new(re, "^(", ")$", at, ret) : NULL;
}

static struct err *pattern_init(struct arena *a, const struct selector *s, struct pattern *ret)
{
	struct selector marks = {.labels = s->labels, .annotations = s->annotations, .at = s->at};

	ret->by_marks = s->labels.n || s->annotations.n;
	ret->by_id = s->group.n || s->version.n || s->kind.n || s->name.n || s->ns.n;
	TRY(anchored(s->group, s->at, &ret->group));
	TRY(anchored(s->version, s->at, &ret->version));
	TRY(anchored(s->kind, s->at, &ret->kind));
	TRY(anchored(s->name, s->at, &ret->name));
	TRY(anchored(s->ns, s->at, &ret->ns));
	return selection_new(a, &marks, &ret->marks);
}

static bool fits(const struct regex *re, str s)
{
	return !re || regex_matches(re, s);
}

static bool fits_an_id(const struct pattern *p, const struct res *r)
{
	for (size_t i = 0; i <= r->prev.n; i++) {
		struct res_id id = res_id_at(r, i);

		if (fits(p->group, id.group) && fits(p->version, id.version) &&
		    fits(p->kind, id.kind) && fits(p->name, id.name) && fits(p->ns, id.ns))
			return true;
	}
	return false;
}

static struct err *write_all(struct arena *a, const struct replacement *r,
			     const struct replace_target *t, const struct node *value,
			     struct res *o)
{
	static const str name = {"metadata.name", 13};
	size_t n = t->paths.n ? t->paths.n : 1;

	for (size_t i = 0; i < n; i++) {
		struct write w = {.a = a, .r = r, .t = t, .value = value};

		w.written = t->paths.n ? t->paths.p[i] : name;
		res_path_split(a, w.written, &w.path);
		if (w.path.n > NODE_MAX_DEPTH)
			return err_at(ERR_LIMIT, t->at, "a field path of more than %d parts",
				      NODE_MAX_DEPTH);
		TRY(walk(&w, o->root, 0, &o->root));
		if (!w.hits)
			return err_at(ERR_NO_REFERENCE, t->at,
				      "'" STR_FMT "' has no field '" STR_FMT "'",
				      STR_ARG(res_id_text(a, res_id(o))), STR_ARG(w.written));
	}
	return NULL;
}

static struct err *to_targets(struct arena *a, const struct replacement *r,
			      const struct replace_target *t, const struct pattern *select,
			      const struct pattern *reject, const struct node *value,
			      struct resmap *rm)
{
	bool any = false;

	for (size_t i = 0; i < rm->n; i++) {
		struct res *o = rm->p[i];
		bool hit = fits_an_id(select, o) && selection_has(select->marks, o);

		for (size_t k = 0; k < t->reject.n && hit; k++)
			hit = !((reject[k].by_id && fits_an_id(&reject[k], o)) ||
				(reject[k].by_marks && selection_has(reject[k].marks, o)));
		rm->ids_loose |= hit;
		any |= hit;
		if (hit)
			TRY(write_all(a, r, t, value, o));
	}
	if (!any && rm->build)
		build_warn(rm->build, t->at, "this target of a replacement matches no object");
	return NULL;
}

static struct err *replace_target(struct arena *a, const struct replacement *r,
				  const struct replace_target *t, const struct node *value,
				  struct resmap *rm)
{
	struct pattern select = {0};
	struct pattern *reject = ARENA_ARRAY(a, struct pattern, t->reject.n);
	struct err *e = pattern_init(a, t->select, &select);

	for (size_t i = 0; i < t->reject.n && !e; i++)
		e = pattern_init(a, t->reject.p[i], &reject[i]);
	if (!e)
		e = to_targets(a, r, t, &select, reject, value, rm);
	for (size_t i = 0; i < t->reject.n; i++)
		pattern_done(&reject[i]);
	pattern_done(&select);
	return e;
}

struct err *xform_replacements(struct arena *a, const struct kustomization *k, struct resmap *rm)
{
	for (size_t i = 0; i < k->replacements.n; i++) {
		const struct replacement *r = &k->replacements.p[i];
		const struct node *value;

		TRY(find_source(a, r, rm, &value));
		for (size_t j = 0; j < r->targets.n; j++)
			TRY(replace_target(a, r, &r->targets.p[j], value, rm));
	}
	return NULL;
}
