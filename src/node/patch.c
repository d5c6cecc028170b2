/* Pointers (RFC 6901), JSON patches (RFC 6902) and merge patches (RFC 7396). */
#include "node_priv.h"
#include <assert.h>

/* ---------------------------------------------------------------- pointers */

/* "~1" is "/", "~0" is "~"; false on any other "~". */
static bool unescape(struct arena *a, str s, str *ret)
{
	char *p;
	size_t n = 0;

	if (str_chr(s, '~') == SIZE_MAX) {
		*ret = arena_str(a, s);
		return true;
	}
	p = arena_alloc(a, s.n + 1);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '~') {
			p[n++] = s.p[i];
			continue;
		}
		if (++i == s.n || (s.p[i] != '0' && s.p[i] != '1'))
			return false;
		p[n++] = s.p[i] == '0' ? '~' : '/';
	}
	*ret = (str){p, n};
	return true;
}

static struct err *pointer_split(struct arena *a, loc at, str pointer, struct node_path *ret)
{
	struct node_path path = {0};
	str rest = pointer, part;

	if (pointer.n && pointer.p[0] != '/')
		return err_hint(err_at(ERR_INVALID, at, "'" STR_FMT "' is no JSON pointer",
				       STR_ARG(pointer)),
				"write '/" STR_FMT "'", STR_ARG(pointer));
	if (pointer.n)
		rest = str_sub(pointer, 1, pointer.n);
	for (bool more = pointer.n > 0; more;) {
		size_t end = str_chr(rest, '/');

		more = end != SIZE_MAX;
		part = more ? str_sub(rest, 0, end) : rest;
		rest = more ? str_sub(rest, end + 1, rest.n) : STR_NONE;
		if (!unescape(a, part, &part))
			return err_hint(err_at(ERR_INVALID, at, "'" STR_FMT "' is no JSON pointer",
					       STR_ARG(pointer)),
					"write '~0' for '~' and '~1' for '/'");
		if (path.n == NODE_WALK_DEPTH)
			return err_at(ERR_LIMIT, at, "a JSON pointer of more than %d parts",
				      NODE_WALK_DEPTH);
		*ARENA_PUSH(a, &path) = part;
	}
	*ret = path;
	return NULL;
}

struct err *node_pointer_split(struct arena *a, str pointer, struct node_path *ret)
{
	return pointer_split(a, LOC_NONE, pointer, ret);
}

/* Digits without a leading zero. */
static bool index_from(str s, size_t *ret)
{
	uint64_t v;

	if (!s.n || (s.p[0] == '0' && s.n > 1) || !str_to_u64(s, &v) || v > UINT32_MAX)
		return false;
	*ret = (size_t)v;
	return true;
}

static const struct node *child(const struct node *n, str part)
{
	size_t i;

	if (n->kind == NODE_MAP)
		return node_get(n, part);
	if (n->kind == NODE_LIST && index_from(part, &i) && i < n->n)
		return n->items[i];
	return NULL;
}

const struct node *node_pointer_get(const struct node *root, str pointer)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	size_t i = 0;

	if (pointer.n && pointer.p[0] != '/')
		return NULL;
	while (root && i < pointer.n) {
		buf_clear(&b);
		for (i++; i < pointer.n && pointer.p[i] != '/'; i++) {
			char c = pointer.p[i];

			if (c == '~') {
				if (++i == pointer.n ||
				    (pointer.p[i] != '0' && pointer.p[i] != '1'))
					return NULL;
				c = pointer.p[i] == '0' ? '~' : '/';
			}
			buf_char(&b, c);
		}
		root = child(root, buf_view(&b));
	}
	return root;
}

/* ---------------------------------------------------------------- JSON patch */

enum op { OP_TEST, OP_ADD, OP_REMOVE, OP_REPLACE, OP_MOVE, OP_COPY };
static const struct {
	str name;
	bool value, from; /* what it needs beside a path */
} ops[] = {
	[OP_TEST] = {STR("test"), true, false},      [OP_ADD] = {STR("add"), true, false},
	[OP_REMOVE] = {STR("remove"), false, false}, [OP_REPLACE] = {STR("replace"), true, false},
	[OP_MOVE] = {STR("move"), false, true},      [OP_COPY] = {STR("copy"), false, true},
};

struct step {
	struct arena *a;
	const struct node *at; /* the operation, for errors */
	enum op op;
	const struct node *value;
	struct node_path path;
	str path_text;
	bool lenient;
};

/* Which item a part means; for a new one, where it goes. */
static bool item_at(const struct step *s, const struct node *n, str part, bool new, size_t *ret)
{
	size_t most = n->n + (new ? 1u : 0u), back;

	if (s->lenient && part.n > 1 && part.p[0] == '-' &&
	    index_from(str_sub(part, 1, part.n), &back)) {
		*ret = most - back;
		return back > 0 && back <= most;
	}
	return index_from(part, ret) && *ret < most;
}

static const struct node *step_into(const struct step *s, const struct node *n, str part)
{
	size_t i;

	if (n->kind == NODE_LIST)
		return item_at(s, n, part, false, &i) ? n->items[i] : NULL;
	return child(n, part);
}

static struct err *nowhere(const struct step *s, str part, const struct node *n)
{
	if (n->kind == NODE_LIST)
		return err_at(ERR_NOT_FOUND, s->at->at,
			      "'" STR_FMT "' leads nowhere: the list has %u items and no '" STR_FMT
			      "'",
			      STR_ARG(s->path_text), n->n, STR_ARG(part));
	if (n->kind == NODE_MAP)
		return err_at(ERR_NOT_FOUND, s->at->at,
			      "'" STR_FMT "' leads nowhere: there is no '" STR_FMT "'",
			      STR_ARG(s->path_text), STR_ARG(part));
	return err_at(ERR_NOT_FOUND, s->at->at,
		      "'" STR_FMT "' leads nowhere: '" STR_FMT "' is looked for in %s",
		      STR_ARG(s->path_text), STR_ARG(part), node_kind_name(n->kind));
}

/* The edit itself, in the container that holds the last part. */
static struct err *edit_here(const struct step *s, const struct node *n, str part,
			     const struct node **ret)
{
	size_t i;

	if (n->kind == NODE_MAP) {
		if (s->op != OP_ADD && !(s->lenient && s->op == OP_REPLACE) && !node_get(n, part))
			return nowhere(s, part, n);
		if (s->op == OP_REMOVE)
			*ret = node_del(s->a, n, part);
		else
			*ret = node_set(s->a, n, part, s->value);
		return NULL;
	}
	if (n->kind != NODE_LIST)
		return nowhere(s, part, n);
	if (s->op == OP_ADD && str_eq(part, STR("-"))) {
		*ret = node_list_add(s->a, n, s->value);
		return NULL;
	}
	if (!item_at(s, n, part, s->op == OP_ADD, &i))
		return nowhere(s, part, n);
	if (s->op == OP_REMOVE)
		*ret = node_list_del(s->a, n, i);
	else if (s->op == OP_ADD)
		*ret = node_list_insert(s->a, n, i, s->value);
	else
		*ret = node_list_set(s->a, n, i, s->value);
	return NULL;
}

/* Down the path, then up again with new containers. */
static struct err *edit(const struct step *s, const struct node *root, const struct node **ret)
{
	const struct node *way[NODE_WALK_DEPTH];
	size_t n = s->path.n;
	const struct node *v = NULL;

	if (!n) {
		if (s->op == OP_REMOVE || s->lenient)
			return err_at(ERR_INVALID, s->at->at, "cannot %s the whole document",
				      s->op == OP_REMOVE ? "remove" : "write");
		*ret = s->value;
		return NULL;
	}
	way[0] = root;
	for (size_t i = 0; i + 1 < n; i++) {
		way[i + 1] = step_into(s, way[i], s->path.p[i]);
		if (!way[i + 1])
			return nowhere(s, s->path.p[i], way[i]);
	}
	TRY(edit_here(s, way[n - 1], s->path.p[n - 1], &v));
	for (size_t i = n - 1; i-- > 0;) {
		size_t k;

		if (way[i]->kind == NODE_MAP) {
			v = node_set(s->a, way[i], s->path.p[i], v);
		} else {
			bool good = item_at(s, way[i], s->path.p[i], false, &k);

			assert(good);
			v = node_list_set(s->a, way[i], k, v);
		}
	}
	*ret = v;
	return NULL;
}

/* Adds up the nodes below n; stops above `most`. Gives how deep they go, too. */
static void measure(const struct node *n, size_t most, size_t depth, size_t *size, size_t *deepest)
{
	if (++*size > most || depth > NODE_WALK_DEPTH)
		return;
	if (depth > *deepest)
		*deepest = depth;
	if (n->kind == NODE_LIST) {
		for (size_t i = 0; i < n->n && *size <= most; i++)
			measure(n->items[i], most, depth + 1, size, deepest);
	} else if (n->kind == NODE_MAP) {
		for (size_t i = 0; i < n->n && *size <= most; i++)
			measure(n->pairs[i].value, most, depth + 1, size, deepest);
	}
}

/* A copy of a copy of a copy doubles each time: what patches bring in is counted. */
static struct err *check_size(const struct step *s, size_t *brought)
{
	size_t deepest = 0;

	measure(s->value, NODE_MAX_ALIAS_NODES, 1, brought, &deepest);
	if (*brought > NODE_MAX_ALIAS_NODES)
		return err_at(ERR_LIMIT, s->at->at, "this patch adds more than %u values",
			      NODE_MAX_ALIAS_NODES);
	if (s->path.n + deepest > NODE_MAX_DEPTH)
		return err_at(ERR_LIMIT, s->at->at, "nested deeper than %d levels", NODE_MAX_DEPTH);
	return NULL;
}

static struct err *read_text(const struct node *op, str key, str *ret)
{
	const struct node *n = node_get(op, key);

	if (!n)
		return err_at(ERR_MISSING, op->at, "the operation has no '" STR_FMT "'",
			      STR_ARG(key));
	if (n->kind != NODE_STRING)
		return err_at(ERR_WRONG_TYPE, n->at, "'" STR_FMT "' must be a string, not %s",
			      STR_ARG(key), node_kind_name(n->kind));
	*ret = n->text;
	return NULL;
}

static struct err *read_step(struct step *s, const struct node *op, struct node_path *from,
			     str *from_text)
{
	str names[ARRAY_LEN(ops)], name = STR_NONE;
	size_t i;

	if (op->kind != NODE_MAP)
		return err_at(ERR_WRONG_TYPE, op->at, "an operation must be a map, not %s",
			      node_kind_name(op->kind));
	TRY(read_text(op, STR("op"), &name));
	for (i = 0; i < ARRAY_LEN(ops); i++) {
		names[i] = ops[i].name;
		if (str_eq(name, ops[i].name))
			break;
	}
	if (i == ARRAY_LEN(ops)) {
		str near = str_nearest(name, names, ARRAY_LEN(ops));
		struct err *e = err_at(ERR_INVALID, node_get(op, STR("op"))->at,
				       "no such operation: '" STR_FMT "'", STR_ARG(name));

		if (near.n)
			return err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near));
		return err_hint(e, "one of test, add, remove, replace, move, copy");
	}
	s->op = (enum op)i;
	TRY(read_text(op, STR("path"), &s->path_text));
	TRY(pointer_split(s->a, node_get(op, STR("path"))->at, s->path_text, &s->path));
	s->value = node_get(op, STR("value"));
	if (ops[i].value && !s->value && s->lenient)
		s->value = node_null(s->a);
	if (ops[i].value && !s->value)
		return err_at(ERR_MISSING, op->at, "the operation has no 'value'");
	if (ops[i].from) {
		TRY(read_text(op, STR("from"), from_text));
		TRY(pointer_split(s->a, node_get(op, STR("from"))->at, *from_text, from));
	}
	return NULL;
}

static struct err *test_step(const struct step *s, const struct node *root)
{
	const struct node *v = root;
	CLEANUP(buf) struct buf have = BUF_INIT, want = BUF_INIT;

	for (size_t i = 0; i < s->path.n; i++) {
		const struct node *next = step_into(s, v, s->path.p[i]);

		if (!next && s->lenient && s->value->kind == NODE_NULL && i + 1 == s->path.n)
			return NULL;
		if (!next)
			return nowhere(s, s->path.p[i], v);
		v = next;
	}
	if (node_equal(v, s->value))
		return NULL;
	node_brief(v, 60, &have);
	node_brief(s->value, 60, &want);
	return err_at(ERR_INVALID, s->at->at, "test failed: '" STR_FMT "' is '%s', not '%s'",
		      STR_ARG(s->path_text), have.p ? have.p : "", want.p ? want.p : "");
}

/* move and copy: takes the value out of the tree. */
static struct err *take_from(struct step *s, const struct node_path *from, str from_text,
			     const struct node **root)
{
	struct step out = *s;
	const struct node *v = *root;
	bool inside = from->n < s->path.n;

	out.path = *from;
	out.path_text = from_text;
	for (size_t i = 0; i < from->n; i++) {
		const struct node *next = step_into(s, v, from->p[i]);

		if (!next)
			return nowhere(&out, from->p[i], v);
		v = next;
		inside = inside && str_eq(from->p[i], s->path.p[i]);
	}
	s->value = v;
	if (s->op == OP_COPY)
		return NULL;
	if (inside)
		return err_at(ERR_INVALID, s->at->at, "cannot move '" STR_FMT "' into itself",
			      STR_ARG(from_text));
	if (!from->n)
		return NULL; /* onto itself: the path is as short */
	out.op = OP_REMOVE;
	return edit(&out, *root, root);
}

static struct err *take_step(struct arena *a, const struct node *op, bool lenient, size_t *brought,
			     const struct node **root)
{
	struct step s = {.a = a, .at = op, .lenient = lenient};
	struct node_path from = {0};
	str from_text = STR_NONE;

	TRY(read_step(&s, op, &from, &from_text));
	switch (s.op) {
	case OP_TEST:
		return test_step(&s, *root);
	case OP_REMOVE:
		return edit(&s, *root, root);
	case OP_ADD:
	case OP_REPLACE:
		break;
	case OP_MOVE:
	case OP_COPY:
		TRY(take_from(&s, &from, from_text, root));
		s.op = OP_ADD;
		break;
	}
	assert(s.value);
	if (s.value->by != op)
		s.value = node_with_by(a, s.value, op);
	TRY(check_size(&s, brought));
	return edit(&s, *root, root);
}

static struct err *patch_json(struct arena *a, const struct node *root, const struct node *patch,
			      bool lenient, const struct node **ret)
{
	size_t brought = 0;

	if (patch->kind != NODE_LIST)
		return err_at(ERR_WRONG_TYPE, patch->at,
			      "a JSON patch must be a list of operations, not %s",
			      node_kind_name(patch->kind));
	for (size_t i = 0; i < patch->n; i++)
		TRY_WRAP(take_step(a, patch->items[i], lenient, &brought, &root), "operation %zu",
			 i + 1);
	*ret = root;
	return NULL;
}

struct err *node_patch_json(struct arena *a, const struct node *root, const struct node *patch,
			    const struct node **ret)
{
	return patch_json(a, root, patch, false, ret);
}

struct err *node_patch_json_lenient(struct arena *a, const struct node *root,
				    const struct node *patch, const struct node **ret)
{
	return patch_json(a, root, patch, true, ret);
}

/* ---------------------------------------------------------------- merge patch */

static const struct node *merge(struct arena *a, const struct node *target,
				const struct node *patch, unsigned depth)
{
	struct node_pairs v = {0};
	bool changed = false;
	struct node *m;

	assert(depth < NODE_WALK_DEPTH);
	if (patch->kind != NODE_MAP)
		return patch->by ? patch : node_with_by(a, patch, patch);
	if (!node_is(target, NODE_MAP))
		target = NULL;
	for (size_t i = 0; target && i < target->n; i++) {
		struct node_pair p = target->pairs[i];
		const struct node *by = node_get(patch, p.key), *was = p.value;

		if (by && by->kind == NODE_NULL) {
			changed = true;
			continue;
		}
		if (by)
			p.value = merge(a, was, by, depth + 1);
		changed = changed || p.value != was;
		*ARENA_PUSH(a, &v) = p;
	}
	for (size_t i = 0; i < patch->n; i++) {
		struct node_pair p = patch->pairs[i];

		if (p.value->kind == NODE_NULL || (target && node_get(target, p.key)))
			continue;
		p.value = merge(a, NULL, p.value, depth + 1);
		*ARENA_PUSH(a, &v) = p;
		changed = true;
	}
	if (target && !changed)
		return target;
	m = ARENA_NEW(a, struct node);
	*m = target ? *target : *patch;
	m->kind = NODE_MAP;
	m->pairs = v.p;
	m->n = (uint32_t)v.n;
	map_index(a, m, NULL);
	return m;
}

const struct node *node_merge_json(struct arena *a, const struct node *target,
				   const struct node *patch)
{
	return merge(a, target, patch, 0);
}
