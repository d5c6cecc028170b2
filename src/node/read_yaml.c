/* YAML read from libyaml's events: anchors, aliases and merge keys are expanded on the way.
 *
 * Nothing recurses: the containers that are open are frames of a stack, and what they hold so far
 * lies in two vectors that all of them share. Mistakes that do not confuse the parser (keys given
 * twice, tags that do not fit) are collected and the reading goes on; the others end it. */
#include "node_priv.h"
#include <stdlib.h>
#include <yaml.h>

#define MISTAKES_MOST 20

struct anchor {
	str name;
	const struct node *node; /* NULL: its container is still open */
	size_t size;             /* nodes in it, aliases expanded */
};
struct anchors {
	struct anchor *p;
	size_t n, cap;
	uint32_t *slot; /* hash index: position + 1 of the newest of a name */
	size_t slots;
};

struct frame {
	struct node *node;
	size_t base;        /* where its items or pairs start in the shared vector */
	size_t made;        /* nodes made before it */
	size_t anchor;      /* position + 1 of its anchor; 0: none */
	bool flow, has_key; /* has_key: the last pair waits for its value */
	bool merges;        /* one of its pairs is << */
};

struct reader {
	struct arena *a;
	const struct text *in;
	yaml_parser_t parser;
	struct frame stack[NODE_MAX_DEPTH];
	size_t depth;
	struct node_pairs pairs;
	struct node_items items;
	struct anchors anchors;
	struct key_cache keys;
	size_t made;     /* nodes, aliases expanded */
	size_t expanded; /* of this document, by aliases */
	const struct node *root;
	bool root_is_empty;
	struct err *mistakes;
	size_t n_mistakes;
	size_t skipped;    /* bytes of a byte order mark */
	unsigned how;      /* bits of enum node_read */
	unsigned repeated; /* keys that were given twice, where that is allowed */
};

static const char merge_key[] = "<<"; /* the pairs whose key.p is this very address are merges */

static loc place(const struct reader *r, yaml_mark_t m)
{
	return (loc){r->in, (uint32_t)m.line + 1, (uint32_t)m.column + 1};
}

/* Remembers a mistake; gives them all back when there are too many. */
static struct err *mistake(struct reader *r, struct err *e)
{
	struct err *all;

	r->mistakes = err_join(r->mistakes, e);
	if (++r->n_mistakes < MISTAKES_MOST)
		return NULL;
	all = r->mistakes;
	r->mistakes = NULL;
	return all;
}

/* ---------------------------------------------------------------- anchors */

static size_t anchor_slot(const struct anchors *v, str name)
{
	size_t h = str_hash(name) & (v->slots - 1);

	while (v->slot[h] && !str_eq(v->p[v->slot[h] - 1].name, name))
		h = (h + 1) & (v->slots - 1);
	return h;
}

static size_t anchor_add(struct reader *r, const char *name)
{
	struct anchors *v = &r->anchors;

	if (v->n == v->cap) {
		v->cap = v->cap ? v->cap * 2 : 16;
		v->p = xrealloc(v->p, v->cap * sizeof(v->p[0]));
		free(v->slot);
		v->slots = v->cap * 2;
		v->slot = xcalloc(v->slots, sizeof(v->slot[0]));
		for (size_t i = 0; i < v->n; i++)
			v->slot[anchor_slot(v, v->p[i].name)] = (uint32_t)i + 1;
	}
	v->p[v->n++] = (struct anchor){.name = arena_str(r->a, str_from(name))};
	v->slot[anchor_slot(v, v->p[v->n - 1].name)] = (uint32_t)v->n;
	return v->n;
}

static struct anchor *anchor_get(const struct anchors *v, str name)
{
	size_t h;

	if (!v->n)
		return NULL;
	h = anchor_slot(v, name);
	return v->slot[h] ? &v->p[v->slot[h] - 1] : NULL;
}

/* An anchor counts for the rest of its document. */
static void anchors_clear(struct anchors *v)
{
	if (v->n)
		memset(v->slot, 0, v->slots * sizeof(v->slot[0]));
	v->n = 0;
}

/* ---------------------------------------------------------------- scalars */

static struct node *make(struct reader *r, enum node_kind k, loc at, str text)
{
	/* One allocation for the node and its text. */
	struct node *n = arena_alloc(r->a, sizeof(*n) + text.n + 1);
	char *t = (char *)(n + 1);

	if (text.n)
		memcpy(t, text.p, text.n);
	n->kind = k;
	n->at = at;
	n->text = (str){t, text.n};
	return n;
}

static const char *kind_tag(enum node_kind k)
{
	switch (k) {
	case NODE_NULL:
		return "!!null";
	case NODE_BOOL:
		return "!!bool";
	case NODE_INT:
		return "!!int";
	case NODE_FLOAT:
		return "!!float";
	default:
		return "!!str";
	}
}

/* The part of a core tag after "tag:yaml.org,2002:", else NULL. */
static const char *core_tag(const char *tag)
{
	static const char prefix[] = "tag:yaml.org,2002:";

	return strncmp(tag, prefix, sizeof(prefix) - 1) == 0 ? tag + sizeof(prefix) - 1 : NULL;
}

static struct err *tag_refused(struct reader *r, loc at, str text, enum node_kind k,
			       const char *tag)
{
	if (r->how & NODE_READ_MISFITS)
		return NULL;
	return mistake(r, err_at(ERR_SYNTAX, at, "cannot read %s '%.*s' as a !!%s", kind_tag(k),
				 (int)(text.n > 60 ? 60 : text.n), text.p, tag));
}

static struct err *read_binary(struct reader *r, loc at, str text, struct node **ret)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	*ret = make(r, NODE_STRING, at, STR_NONE);
	if (!buf_unbase64(&b, text, true))
		return mistake(r, err_at(ERR_SYNTAX, at, "!!binary wants base64"));
	if (str_utf8_bad(buf_view(&b)) != SIZE_MAX)
		return mistake(r, err_at(ERR_SYNTAX, at,
					 "!!binary holds bytes that are no UTF-8 text: use the "
					 "field 'binaryData' or 'data' of the object"));
	(*ret)->text = arena_str(r->a, buf_view(&b));
	return NULL;
}

/* What a tag makes of the text; plain says how it looks without one. */
static struct err *read_tagged(struct reader *r, loc at, str text, const char *tag,
			       struct node **ret)
{
	static const struct {
		const char *name;
		enum node_kind kind;
	} rows[] = {
		{"int", NODE_INT}, {"float", NODE_FLOAT}, {"bool", NODE_BOOL}, {"null", NODE_NULL}};
	const char *core = core_tag(tag);
	enum node_kind k = scalar_kind(text);
	char time[64];

	if (core && strcmp(core, "binary") == 0)
		return read_binary(r, at, text, ret);
	if (core && strcmp(core, "timestamp") == 0) {
		bool good = scalar_timestamp(text, time);

		*ret = make(r, NODE_STRING, at, good ? str_from(time) : text);
		return good ? NULL : tag_refused(r, at, text, k, core);
	}
	for (size_t i = 0; core && i < ARRAY_LEN(rows); i++) {
		if (strcmp(core, rows[i].name) != 0)
			continue;
		if (k == NODE_BOOL)
			text = text.p[0] == 't' || text.p[0] == 'T' ? STR("true") : STR("false");
		*ret = make(r, rows[i].kind, at, text);
		if (k == rows[i].kind || (rows[i].kind == NODE_FLOAT && k == NODE_INT))
			return NULL;
		return tag_refused(r, at, text, k, core);
	}
	*ret = make(r, NODE_STRING, at, text);
	return NULL;
}

/* Escapes can write what the reader of raw bytes refuses. */
static bool has_control(const struct reader *r, str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c == 0 && !(r->how & NODE_READ_NUL)) || c == 0x7f ||
		    (c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0 &&
		     (unsigned char)s.p[i + 1] != 0x85))
			return true;
	}
	return false;
}

static const enum node_style styles[] = {
	[YAML_PLAIN_SCALAR_STYLE] = NODE_PLAIN,
	[YAML_SINGLE_QUOTED_SCALAR_STYLE] = NODE_SINGLE,
	[YAML_DOUBLE_QUOTED_SCALAR_STYLE] = NODE_DOUBLE,
	[YAML_LITERAL_SCALAR_STYLE] = NODE_LITERAL,
	[YAML_FOLDED_SCALAR_STYLE] = NODE_FOLDED,
};

static struct err *read_scalar(struct reader *r, const yaml_event_t *ev, bool in_flow,
			       struct node **ret)
{
	str text = str_n((const char *)ev->data.scalar.value, ev->data.scalar.length);
	const char *tag = (const char *)ev->data.scalar.tag;
	yaml_scalar_style_t style = ev->data.scalar.style;
	loc at = place(r, ev->start_mark);
	char time[64];

	if (style == YAML_DOUBLE_QUOTED_SCALAR_STYLE && has_control(r, text))
		TRY(mistake(r, err_at(ERR_SYNTAX, at, "control characters are not allowed")));
	if (tag && strcmp(tag, "!") != 0) {
		TRY(read_tagged(r, at, text, tag, ret));
	} else if (style != YAML_PLAIN_SCALAR_STYLE || tag) {
		*ret = make(r, NODE_STRING, at, text);
	} else {
		enum node_kind k = scalar_kind(text);
		bool old = r->how & NODE_READ_YAML11, truth, empty = false;

		if (old && scalar_old_bool(text, &truth)) {
			k = NODE_BOOL;
			text = truth ? STR("true") : STR("false");
		} else if (k == NODE_NULL && !text.n && in_flow && !old)
			k = NODE_STRING, empty = true;
		else if (k == NODE_BOOL)
			text = text.p[0] == 't' || text.p[0] == 'T' ? STR("true") : STR("false");
		else if (k == NODE_STRING && scalar_timestamp(text, time))
			text = str_from(time);
		*ret = make(r, k, at, text);
		if (empty) {
			(*ret)->style = NODE_FLOW;
			return NULL;
		}
	}
	if ((size_t)style < ARRAY_LEN(styles))
		(*ret)->style = styles[style];
	return NULL;
}

/* ---------------------------------------------------------------- containers */

static struct err *key_refused(struct reader *r, const yaml_event_t *ev, const char *what)
{
	return err_at(ERR_SYNTAX, place(r, ev->start_mark), "a key must be a string, this is %s",
		      what);
}

/* A key as Go's JSON has it, whatever it is in YAML. */
static str key_text(struct reader *r, enum node_kind k, bool plain, str text)
{
	bool truth;
	struct number n;

	if (plain && scalar_old_bool(text, &truth))
		return truth ? STR("true") : STR("false");
	if (k == NODE_BOOL)
		return text.p[0] == 't' || text.p[0] == 'T' ? STR("true") : STR("false");
	if (k == NODE_INT && number_from(text, &n) && n.is_int)
		return arena_printf(r->a, "%s%llu", n.neg ? "-" : "", (unsigned long long)n.mag);
	return text;
}

/* A scalar where a key is wanted. */
static struct err *take_key(struct reader *r, struct frame *f, const yaml_event_t *ev)
{
	str text = str_n((const char *)ev->data.scalar.value, ev->data.scalar.length);
	const char *tag = (const char *)ev->data.scalar.tag;
	bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct node_pair p = {.key_at = place(r, ev->start_mark)};

	if (text.n > NODE_MAX_KEY)
		return err_at(ERR_LIMIT, p.key_at, "a key of %zu bytes; at most %u are allowed",
			      text.n, NODE_MAX_KEY);
	if (has_control(r, text))
		TRY(mistake(r, err_at(ERR_SYNTAX, p.key_at, "control characters are not allowed")));
	if ((size_t)ev->data.scalar.style < ARRAY_LEN(styles))
		p.key_style = styles[ev->data.scalar.style];
	if (plain && text.n == 2 && memcmp(text.p, "<<", 2) == 0 &&
	    (!tag || strcmp(tag, "tag:yaml.org,2002:merge") == 0)) {
		p.key = (str){merge_key, 2};
		f->merges = true;
	} else {
		enum node_kind k = plain && !tag ? scalar_kind(text) : NODE_STRING;

		if (tag && core_tag(tag) && strcmp(core_tag(tag), "str") != 0)
			k = scalar_kind(text);
		if (r->how & NODE_READ_YAML11)
			text = key_text(r, k, plain && !tag, text);
		else if (k != NODE_STRING)
			TRY(mistake(r, err_hint(err_at(ERR_SYNTAX, p.key_at,
						       "a key must be a string, this is %s",
						       node_kind_name(k)),
						"write \"%.*s\"", (int)(text.n > 60 ? 60 : text.n),
						text.p)));
		p.key = key_cached(r->a, &r->keys, text);
	}
	if (r->pairs.n == r->pairs.cap) {
		r->pairs.cap = r->pairs.cap ? r->pairs.cap * 2 : 64;
		r->pairs.p = xrealloc(r->pairs.p, r->pairs.cap * sizeof(r->pairs.p[0]));
	}
	r->pairs.p[r->pairs.n++] = p;
	f->has_key = true;
	return NULL;
}

/* Hands a value to the container that is open, or makes it the root. */
static void give(struct reader *r, const struct node *n)
{
	struct frame *f;

	if (!r->depth) {
		r->root = n;
		return;
	}
	f = &r->stack[r->depth - 1];
	if (f->node->kind == NODE_MAP) {
		r->pairs.p[r->pairs.n - 1].value = n;
		f->has_key = false;
		return;
	}
	if (r->items.n == r->items.cap) {
		r->items.cap = r->items.cap ? r->items.cap * 2 : 64;
		r->items.p = xrealloc(r->items.p, r->items.cap * sizeof(void *));
	}
	r->items.p[r->items.n++] = n;
}

static struct err *count(struct reader *r, size_t n, loc at)
{
	r->made += n;
	if (r->made > NODE_MAX_NODES)
		return err_at(ERR_LIMIT, at, "more than %u values", NODE_MAX_NODES);
	return NULL;
}

static bool wants_key(const struct reader *r)
{
	const struct frame *f = r->depth ? &r->stack[r->depth - 1] : NULL;

	return f && f->node->kind == NODE_MAP && !f->has_key;
}

static struct err *open_container(struct reader *r, const yaml_event_t *ev, enum node_kind k,
				  bool flow, const yaml_char_t *anchor)
{
	loc at = place(r, ev->start_mark);
	struct frame *f;

	if (wants_key(r))
		return key_refused(r, ev, node_kind_name(k));
	if (r->depth == NODE_MAX_DEPTH)
		return err_at(ERR_LIMIT, at, "nested deeper than %d levels", NODE_MAX_DEPTH);
	TRY(count(r, 1, at));
	f = &r->stack[r->depth++];
	*f = (struct frame){.node = make(r, k, at, STR_NONE),
			    .base = k == NODE_MAP ? r->pairs.n : r->items.n,
			    .made = r->made - 1,
			    .flow = flow};
	f->node->style = flow ? NODE_FLOW : NODE_PLAIN;
	if (anchor)
		f->anchor = anchor_add(r, (const char *)anchor);
	return NULL;
}

/* Adds the pairs of one map that << names; own keys and earlier merges win. */
static struct err *merge_one(struct reader *r, const struct node *from, struct node_pairs *to,
			     const struct node *seen, loc at)
{
	if (from->kind != NODE_MAP)
		return err_at(ERR_SYNTAX, at, "'<<' wants a map or a list of maps, this is %s",
			      node_kind_name(from->kind));
	for (size_t i = 0; i < from->n; i++) {
		if (node_index_of(seen, from->pairs[i].key) == SIZE_MAX)
			*ARENA_PUSH(r->a, to) = from->pairs[i];
	}
	return NULL;
}

static int source_cmp(const void *a, const void *b)
{
	const struct node_pair *const *x = a, *const *y = b;
	int c = str_cmp((*x)->key, (*y)->key);

	return c ? c : (*x > *y) - (*x < *y);
}

/* Drops from v, from position `from` on, each pair whose key came before. */
static void drop_repeated(struct node_pairs *v, size_t from)
{
	size_t n = v->n - from, kept = from;
	struct node_pair **p;

	if (n < 2)
		return;
	p = xcalloc(n, sizeof(void *));
	for (size_t i = 0; i < n; i++)
		p[i] = &v->p[from + i];
	qsort(p, n, sizeof(void *), source_cmp);
	for (size_t i = n; i-- > 1;) {
		if (str_eq(p[i]->key, p[i - 1]->key))
			p[i]->value = NULL;
	}
	for (size_t i = from; i < v->n; i++) {
		if (v->p[i].value)
			v->p[kept++] = v->p[i];
	}
	v->n = kept;
	free(p);
}

/* The map with what its << names, put where << stood. The pairs are in own[0..n). */
static struct err *merge(struct reader *r, struct node *map, const struct node_pair *own, size_t n)
{
	struct node_pairs all = {0}, explicit = {0};
	struct node seen = {.kind = NODE_MAP};
	size_t merges = 0;

	for (size_t i = 0; i < n; i++) {
		if (own[i].key.p != merge_key)
			*ARENA_PUSH(r->a, &explicit) = own[i];
	}
	seen.pairs = explicit.p;
	seen.n = (uint32_t) explicit.n;
	map_index(r->a, &seen, NULL);
	for (size_t i = 0; i < n; i++) {
		const struct node *v = own[i].value;
		size_t from = all.n;

		if (own[i].key.p != merge_key) {
			*ARENA_PUSH(r->a, &all) = own[i];
			continue;
		}
		if (merges++)
			return mistake(r, err_at(ERR_DUPLICATE, own[i].key_at,
						 "the key '<<' is given twice"));
		if (v->kind == NODE_LIST) {
			for (size_t k = 0; k < v->n; k++)
				TRY(merge_one(r, v->items[k], &all, &seen, own[i].key_at));
			drop_repeated(&all, from);
		} else {
			TRY(merge_one(r, v, &all, &seen, own[i].key_at));
		}
	}
	map->pairs = all.p;
	map->n = (uint32_t)all.n;
	return NULL;
}

static struct err *close_map(struct reader *r, struct frame *f)
{
	struct node *m = f->node;
	size_t n = r->pairs.n - f->base, twice[2];
	const struct node_pair *own = r->pairs.p + f->base;

	if (f->merges) {
		TRY(merge(r, m, own, n));
	} else if (n) {
		m->pairs = memcpy(ARENA_ARRAY(r->a, struct node_pair, n), own, n * sizeof(*own));
		m->n = (uint32_t)n;
	}
	r->pairs.n = f->base;
	/* Each key given twice is told and dropped; mistake() ends it when there are many. */
	while (!map_index(r->a, m, twice)) {
		if ((r->how & NODE_READ_LAST_KEY) && ++r->repeated > NODE_MAX_REPEATED)
			return err_at(ERR_LIMIT, m->pairs[twice[1]].key_at,
				      "more than %u keys are given twice", NODE_MAX_REPEATED);
		const struct node_pair *x = &m->pairs[twice[0]], *y = &m->pairs[twice[1]];
		struct node_pair *rest = ARENA_ARRAY(r->a, struct node_pair, m->n);
		size_t gone = r->how & NODE_READ_LAST_KEY ? twice[0] : twice[1];

		if (!(r->how & NODE_READ_LAST_KEY))
			TRY(mistake(r, err_at(ERR_DUPLICATE, y->key_at,
					      "the key '" STR_FMT
					      "' is given twice, first in line %u, column %u",
					      STR_ARG(y->key), x->key_at.line, x->key_at.col)));
		memcpy(rest, m->pairs, gone * sizeof(*rest));
		memcpy(rest + gone, m->pairs + gone + 1, (m->n - gone - 1) * sizeof(*rest));
		m->pairs = rest;
		m->n--;
	}
	return NULL;
}

static struct err *close_container(struct reader *r)
{
	struct frame *f = &r->stack[r->depth - 1];
	struct node *n = f->node;

	if (n->kind == NODE_MAP) {
		TRY(close_map(r, f));
	} else {
		size_t count_ = r->items.n - f->base;

		if (count_)
			n->items = memcpy(ARENA_ARRAY(r->a, const struct node *, count_),
					  r->items.p + f->base, count_ * sizeof(void *));
		n->n = (uint32_t)count_;
		r->items.n = f->base;
	}
	if (f->anchor) {
		r->anchors.p[f->anchor - 1].node = n;
		r->anchors.p[f->anchor - 1].size = r->made - f->made;
	}
	r->depth--;
	give(r, n);
	return NULL;
}

static struct err *take_alias(struct reader *r, const yaml_event_t *ev)
{
	str name = str_from((const char *)ev->data.alias.anchor);
	const struct anchor *x = anchor_get(&r->anchors, name);
	loc at = place(r, ev->start_mark);

	if (!x)
		return err_at(ERR_SYNTAX, at, "no anchor '&" STR_FMT "' before this alias",
			      STR_ARG(name));
	if (!x->node)
		return err_at(ERR_SYNTAX, at, "the anchor '&" STR_FMT "' contains itself",
			      STR_ARG(name));
	if (wants_key(r)) {
		yaml_event_t key = {.start_mark = ev->start_mark};

		if (x->node->kind != NODE_STRING)
			return key_refused(r, ev, node_kind_name(x->node->kind));
		/* As if the text stood here, in quotes. */
		key.data.scalar.value = (yaml_char_t *)(uintptr_t)x->node->text.p;
		key.data.scalar.length = x->node->text.n;
		key.data.scalar.style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
		return take_key(r, &r->stack[r->depth - 1], &key);
	}
	r->expanded += x->size;
	if (r->expanded > NODE_MAX_ALIAS_NODES)
		return err_at(ERR_LIMIT, at,
			      "aliases of this document expand to more than %u values",
			      NODE_MAX_ALIAS_NODES);
	TRY(count(r, x->size, at));
	give(r, x->node);
	return NULL;
}

static struct err *take_scalar(struct reader *r, const yaml_event_t *ev)
{
	struct frame *f = r->depth ? &r->stack[r->depth - 1] : NULL;
	const char *anchor = (const char *)ev->data.scalar.anchor;
	struct node *n;

	if (f && wants_key(r)) {
		TRY(take_key(r, f, ev));
		if (!anchor)
			return NULL;
		TRY(read_scalar(r, ev, f->flow, &n));
	} else {
		TRY(count(r, 1, place(r, ev->start_mark)));
		TRY(read_scalar(r, ev, f && f->flow, &n));
		if (!f)
			r->root_is_empty = !ev->data.scalar.length && !ev->data.scalar.tag &&
					   !anchor && ev->data.scalar.plain_implicit;
		give(r, n);
	}
	if (anchor) {
		size_t i = anchor_add(r, anchor);

		r->anchors.p[i - 1].node = n;
		r->anchors.p[i - 1].size = 1;
	}
	return NULL;
}

/* ---------------------------------------------------------------- the stream */

/* The place of byte `at` of the input; libyaml's reader counts nothing else. */
static loc place_of_byte(const struct reader *r, size_t at)
{
	str s = r->in->bytes;
	loc l = {r->in, 1, 1};

	for (size_t i = 0; i < at && i < s.n; i++) {
		if (s.p[i] == '\n') {
			l.line++;
			l.col = 1;
		} else {
			l.col += ((unsigned char)s.p[i] & 0xc0) != 0x80;
		}
	}
	return l;
}

static struct err *parser_err(const struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	loc at = place(r, p->problem_mark);
	struct err *e;

	if (p->error == YAML_READER_ERROR) {
		at = place_of_byte(r, r->skipped + p->problem_offset);
		return err_at(ERR_SYNTAX, at, "%s", p->problem);
	}
	if (p->context && p->context_mark.line != p->problem_mark.line)
		e = err_at(ERR_SYNTAX, at, "%s, %s that starts in line %zu", p->problem, p->context,
			   p->context_mark.line + 1);
	else if (p->context)
		e = err_at(ERR_SYNTAX, at, "%s, %s", p->problem, p->context);
	else
		e = err_at(ERR_SYNTAX, at, "%s", p->problem ? p->problem : "not YAML");
	if (p->problem && strstr(p->problem, "cannot start any token"))
		e = err_hint(e,
			     "indent with blanks, not tabs; put quotes around a text that starts "
			     "with %% @ or `");
	return e;
}

static void add_doc(struct arena *a, struct node_docs *v, const struct node *n)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): a vector of pointers */
	*ARENA_PUSH(a, v) = n;
}

static struct err *take_event(struct reader *r, const yaml_event_t *ev, struct node_docs *ret)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		r->root = NULL;
		r->root_is_empty = false;
		r->expanded = 0;
		anchors_clear(&r->anchors);
		return NULL;
	case YAML_DOCUMENT_END_EVENT:
		if (r->root && !r->root_is_empty)
			add_doc(r->a, ret, r->root);
		return NULL;
	case YAML_ALIAS_EVENT:
		return take_alias(r, ev);
	case YAML_SCALAR_EVENT:
		return take_scalar(r, ev);
	case YAML_SEQUENCE_START_EVENT:
		return open_container(r, ev, NODE_LIST,
				      ev->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE,
				      ev->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT:
		return open_container(r, ev, NODE_MAP,
				      ev->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE,
				      ev->data.mapping_start.anchor);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_container(r);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
		return NULL;
	}
	return NULL;
}

static struct err *read_all(struct reader *r, struct node_docs *ret)
{
	for (;;) {
		yaml_event_t ev;
		yaml_event_type_t type;
		struct err *e;

		if (!yaml_parser_parse(&r->parser, &ev))
			return parser_err(r);
		type = ev.type;
		e = take_event(r, &ev, ret);
		yaml_event_delete(&ev);
		if (e)
			return e;
		if (type == YAML_STREAM_END_EVENT)
			return NULL;
	}
}

struct err *node_read_yaml_as(struct arena *a, const struct text *in, unsigned how,
			      struct node_docs *ret)
{
	struct reader *r;
	struct node_docs docs = {0};
	str s = in->bytes;
	struct err *e;

	if (s.n > NODE_MAX_BYTES)
		return err_at(ERR_LIMIT, (loc){in, 0, 0}, "larger than %u MiB",
			      NODE_MAX_BYTES >> 20);
	r = xcalloc(1, sizeof(*r));
	r->a = a;
	r->in = in;
	r->how = how;
	if (str_starts(s, STR("\xef\xbb\xbf"))) {
		r->skipped = 3;
		s = str_sub(s, 3, s.n);
	}
	if (!yaml_parser_initialize(&r->parser)) {
		free(r);
		return err_new(ERR_INTERNAL, "no memory for the YAML parser");
	}
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)(s.n ? s.p : ""), s.n);
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	e = read_all(r, &docs);
	e = err_join(r->mistakes, e);
	yaml_parser_delete(&r->parser);
	free(r->pairs.p);
	free(r->items.p);
	free(r->anchors.p);
	free(r->anchors.slot);
	free(r);
	if (e)
		return e;
	for (size_t i = 0; i < docs.n; i++)
		add_doc(a, ret, docs.p[i]);
	return NULL;
}

struct err *node_read_yaml(struct arena *a, const struct text *in, struct node_docs *ret)
{
	return node_read_yaml_as(a, in, 0, ret);
}
