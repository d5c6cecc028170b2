/* What an App owns at its target: lines, sorted by identity. */
#include "leeboard/object.h"
#include <stdlib.h>

/* A line's parts: identity, version, uid, origin, state. */
#define PARTS 5

static bool is_word(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '\x7f')
			return false;
	return true;
}

static struct err *bad(loc at, const char *why)
{
	return err_at(ERR_INVALID, at, "not a line of an inventory: %s", why);
}

/* Borrows the line. */
static struct err *read_line(loc at, str line, struct inv_entry *ret)
{
	struct inv_entry e = {.origin = INV_CREATED};
	str p[PARTS], rest = line;
	size_t n = 0;

	/* By hand: str_split answers false for an empty last part, and an empty one is a mistake
	 * here. */
	for (;;) {
		size_t tab = str_chr(rest, '\t');

		if (n == PARTS)
			return bad(at, "it has more than 5 parts");
		p[n++] = str_sub(rest, 0, tab);
		if (tab == SIZE_MAX)
			break;
		rest = str_sub(rest, tab + 1, SIZE_MAX);
	}
	if (n != PARTS)
		return bad(at, "it has fewer than 5 parts");
	if (!obj_id_parse(p[0], &e.id))
		return bad(at, "the first part is no 'group/Kind/namespace/name'");
	if (!p[1].n || !is_word(p[1]))
		return bad(at, "the second part is no version");
	if (!is_word(p[2]))
		return bad(at, "the third part is no uid");
	if (str_eq(p[3], STR("c")))
		e.origin = INV_CREATED;
	else if (str_eq(p[3], STR("a")))
		e.origin = INV_ADOPTED;
	else
		return bad(at, "the fourth part is neither 'c' nor 'a'");
	if (str_eq(p[4], STR("p")))
		e.state = INV_PENDING;
	else if (str_eq(p[4], STR("l")))
		e.state = INV_LIVE;
	else if (str_eq(p[4], STR("d")))
		e.state = INV_DELETING;
	else if (str_eq(p[4], STR("k")))
		e.state = INV_KEPT;
	else
		return bad(at, "the fifth part is none of 'p', 'l', 'd', 'k'");
	e.version = p[1];
	e.uid = p[2];
	*ret = e;
	return NULL;
}

static int by_id(const void *a, const void *b)
{
	const struct inv_entry *x = a, *y = b;

	return obj_id_cmp(x->id, y->id);
}

static struct inv_entry entry_dup(struct arena *a, struct inv_entry e)
{
	e.id = obj_id_dup(a, e.id);
	e.version = arena_str(a, e.version);
	e.uid = arena_str(a, e.uid);
	return e;
}

struct err *inventory_parse(struct arena *a, const struct text *in, struct inventory *ret)
{
	struct inventory inv = {NULL, 0, 0};
	loc at = {in, 1, 1};
	str rest = in->bytes;
	bool sorted = true;
	size_t odd = str_utf8_bad(rest);

	for (; rest.n; at.line++) {
		size_t end = str_chr(rest, '\n');
		str line = str_sub(rest, 0, end);
		struct inv_entry e = {.origin = INV_CREATED};

		if (odd < line.n)
			return bad(at, "it is no UTF-8 text");
		odd -= odd == SIZE_MAX ? 0 : line.n + 1;
		TRY(read_line(at, line, &e));
		if (inv.n == INVENTORY_MAX)
			return err_at(ERR_LIMIT, at, "an inventory of more than %u objects",
				      INVENTORY_MAX);
		sorted &= !inv.n || by_id(&inv.p[inv.n - 1], &e) < 0;
		*ARENA_PUSH(a, &inv) = entry_dup(a, e);
		rest = end == SIZE_MAX ? STR_NONE : str_sub(rest, end + 1, SIZE_MAX);
	}
	if (!sorted) {
		qsort(inv.p, inv.n, sizeof(inv.p[0]), by_id);
		for (size_t i = 1; i < inv.n; i++)
			if (!by_id(&inv.p[i - 1], &inv.p[i]))
				return err_at(ERR_DUPLICATE, (loc){in, 0, 0},
					      "an inventory that names '" STR_FMT "' twice",
					      STR_ARG(obj_id_text(a, inv.p[i].id)));
	}
	*ret = inv;
	return NULL;
}

void inventory_print(const struct inventory *inv, struct buf *b)
{
	for (size_t i = 0; i < inv->n; i++) {
		const struct inv_entry *e = &inv->p[i];

		buf_printf(b,
			   STR_FMT "/" STR_FMT "/" STR_FMT "/" STR_FMT "\t" STR_FMT "\t" STR_FMT
				   "\t%c\t%c\n",
			   STR_ARG(e->id.group), STR_ARG(e->id.kind), STR_ARG(e->id.ns),
			   STR_ARG(e->id.name), STR_ARG(e->version), STR_ARG(e->uid),
			   (char)e->origin, (char)e->state);
	}
}

/* Where id is, or where it belongs. */
static size_t place(const struct inventory *inv, obj_id id)
{
	size_t from = 0, to = inv->n;

	if (to && obj_id_cmp(inv->p[to - 1].id, id) < 0)
		return to;
	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (obj_id_cmp(inv->p[mid].id, id) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static bool is_at(const struct inventory *inv, size_t i, obj_id id)
{
	return i < inv->n && obj_id_eq(inv->p[i].id, id);
}

const struct inv_entry *inventory_get(const struct inventory *inv, obj_id id)
{
	size_t i = place(inv, id);

	return is_at(inv, i, id) ? &inv->p[i] : NULL;
}

void inventory_set(struct arena *a, struct inventory *inv, struct inv_entry e)
{
	size_t i = place(inv, e.id);
	struct inv_entry mine = entry_dup(a, e); /* first: e may be one of inv's own */

	if (!is_at(inv, i, e.id)) {
		(void)ARENA_PUSH(a, inv);
		memmove(&inv->p[i + 1], &inv->p[i], (inv->n - 1 - i) * sizeof(inv->p[0]));
	}
	inv->p[i] = mine;
}

bool inventory_del(struct inventory *inv, obj_id id)
{
	size_t i = place(inv, id);

	if (!is_at(inv, i, id))
		return false;
	inv->n--;
	memmove(&inv->p[i], &inv->p[i + 1], (inv->n - i) * sizeof(inv->p[0]));
	return true;
}

struct inventory *inventory_dup(struct arena *a, const struct inventory *inv)
{
	struct inventory *copy = ARENA_NEW(a, struct inventory);

	copy->p = ARENA_ARRAY(a, struct inv_entry, inv->n);
	copy->n = copy->cap = inv->n;
	for (size_t i = 0; i < inv->n; i++)
		copy->p[i] = entry_dup(a, inv->p[i]);
	return copy;
}
