/* Custom kinds: rows for those that are known, words and conditions for all others (custom.def). */
#include "health_priv.h"

enum test_kind {
	T_ANYWAY,
	T_WORD,
	T_BEGINS,
	T_IF,
	T_BECAUSE,
	T_NO,
	T_THERE,
	T_FEWER,
	T_AMONG,
	T_TRUE,
	T_FALSE
};
struct test {
	enum test_kind kind;
	str x, y, z;
};
struct row {
	str group, kind;
	struct test test, and;
	enum health_state state;
	str reason;
};
struct said {
	str word;
	enum health_state state;
};

#define WORD_AT(path, words)                                                                       \
	{                                                                                          \
		T_WORD, STR(path), STR(words), STR("")                                             \
	}
#define BEGINS(path, words)                                                                        \
	{                                                                                          \
		T_BEGINS, STR(path), STR(words), STR("")                                           \
	}
#define IF(type, status)                                                                           \
	{                                                                                          \
		T_IF, STR(type), STR(status), STR("")                                              \
	}
#define BECAUSE(type, reason)                                                                      \
	{                                                                                          \
		T_BECAUSE, STR(type), STR(reason), STR("")                                         \
	}
#define NO(path)                                                                                   \
	{                                                                                          \
		T_NO, STR(path), STR(""), STR("")                                                  \
	}
#define THERE(path)                                                                                \
	{                                                                                          \
		T_THERE, STR(path), STR(""), STR("")                                               \
	}
#define FEWER(x, y)                                                                                \
	{                                                                                          \
		T_FEWER, STR(x), STR(y), STR("")                                                   \
	}
#define AMONG(path, field, words)                                                                  \
	{                                                                                          \
		T_AMONG, STR(path), STR(words), STR(field)                                         \
	}
#define TRUE_AT(path)                                                                              \
	{                                                                                          \
		T_TRUE, STR(path), STR(""), STR("")                                                \
	}
#define FALSE_AT(path)                                                                             \
	{                                                                                          \
		T_FALSE, STR(path), STR(""), STR("")                                               \
	}
#define ANYWAY                                                                                     \
	{                                                                                          \
		T_ANYWAY, STR(""), STR(""), STR("")                                                \
	}

/* Each kind of row is read on its own; what is not asked for is nothing. */
#define KIND(...)
#define BAD(...)
#define GOOD(...)
#define GOES(...)
#define FAILING(...)
#define PLACE(...)
#define WORD(...)
#define HOLD(...)

#undef KIND
#define KIND(group, kind, test, and, state, reason)                                                \
	{STR(group), STR(kind), test, and, HEALTH_##state, STR(reason)},
static const struct row rows[] = {
#include "custom.def"
};
#undef KIND
#define KIND(...)

#undef WORD
#define WORD(word, state) {STR(word), HEALTH_##state},
static const struct said words[] = {
#include "custom.def"
};
#undef WORD
#define WORD(...)

#define NAMES(x) STR(x),
#undef BAD
#define BAD NAMES
static const str bad[] = {
#include "custom.def"
};
#undef BAD
#define BAD(...)
#undef GOOD
#define GOOD NAMES
static const str good[] = {
#include "custom.def"
};
#undef GOOD
#define GOOD(...)
#undef GOES
#define GOES NAMES
static const str goes[] = {
#include "custom.def"
};
#undef GOES
#define GOES(...)
#undef FAILING
#define FAILING NAMES
static const str failing[] = {
#include "custom.def"
};
#undef FAILING
#define FAILING(...)
#undef PLACE
#define PLACE NAMES
static const str places[] = {
#include "custom.def"
};
#undef PLACE
#define PLACE(...)
#undef HOLD
#define HOLD NAMES
static const str holds[] = {
#include "custom.def"
};

/* ------------------------------------------------------------------ tests */

static str lower(struct arena *a, str s)
{
	str copy = arena_str(a, s);
	char *p = (char *)(uintptr_t)copy.p;

	for (size_t i = 0; i < copy.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] - 'A' + 'a');
	return copy;
}

static bool one_of(struct arena *a, const struct node *n, str list, bool whole)
{
	str text, word;

	if (!n || n->kind == NODE_MAP || n->kind == NODE_LIST || n->kind == NODE_NULL)
		return false;
	text = lower(a, n->text);
	while (str_split(&list, ' ', &word))
		if (whole ? str_eq(word, text) : str_starts(text, word))
			return true;
	return false;
}

/* '*' at the ends alone. */
static bool matches(str pattern, str s)
{
	bool before = str_starts(pattern, STR("*")),
	     after = pattern.n > 1 && str_ends(pattern, STR("*"));
	str middle = str_sub(pattern, before, pattern.n - before - after);

	if (before && after) {
		/* "*cert*manager*": what stands between the stars comes one after another. */
		str part;

		while (str_split(&middle, '*', &part)) {
			size_t at = str_find(s, part);

			if (at == SIZE_MAX)
				return false;
			s = str_sub(s, at + part.n, s.n);
		}
		return true;
	}
	if (before)
		return str_ends(s, middle);
	if (after)
		return str_starts(s, middle);
	return str_eq(pattern, s);
}

static bool empty(const struct node *n)
{
	if (!n || n->kind == NODE_NULL)
		return true;
	return n->kind == NODE_MAP || n->kind == NODE_LIST ? !n->n : !n->text.n;
}

static bool absent(const struct node *root, str path)
{
	if (path.n && path.p[0] == '#')
		return !health_condition(root, str_sub(path, 1, path.n));
	return empty(health_at_path(root, path));
}

static int64_t count(const struct node *root, str path)
{
	int64_t v = 0;

	return str_to_i64(path, &v) ? v : health_number(root, path, 0);
}

static bool among(struct arena *a, const struct node *list, const struct test *t)
{
	for (uint32_t i = 0; list && i < list->n; i++) {
		const struct node *e = list->kind == NODE_LIST  ? list->items[i]
				       : list->kind == NODE_MAP ? list->pairs[i].value
								: NULL;

		if (one_of(a, node_get(e, t->z), t->y, true))
			return true;
	}
	return false;
}

static bool holds_true(struct arena *a, const struct test *t, const struct node *root)
{
	const struct node *c;

	switch (t->kind) {
	case T_ANYWAY:
		return true;
	case T_WORD:
		return one_of(a, health_at_path(root, t->x), t->y, true);
	case T_BEGINS:
		return one_of(a, health_at_path(root, t->x), t->y, false);
	case T_IF:
		c = health_condition(root, t->x);
		return c && str_eq(node_get_text(c, STR("status")), t->y);
	case T_BECAUSE:
		c = health_condition(root, t->x);
		return c && matches(t->y, node_get_text(c, STR("reason")));
	case T_NO:
		return absent(root, t->x);
	case T_THERE:
		return !absent(root, t->x);
	case T_FEWER:
		return count(root, t->x) < count(root, t->y);
	case T_AMONG:
		return among(a, health_at_path(root, t->x), t);
	case T_TRUE:
		return node_bool(health_at_path(root, t->x), false);
	case T_FALSE:
		return !node_bool(health_at_path(root, t->x), true);
	}
	return false;
}

/* ------------------------------------------------------------------ what it says of itself */

static str own_words(const struct node *root)
{
	static const str fields[] = {
		STR("message"),      STR("reason"), STR("description"),      STR("failureMessage"),
		STR("errorMessage"), STR("errMsg"), STR("errorDescription"), STR("error")};
	const struct node *status = node_get(root, STR("status"));

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (node_get_text(status, fields[i]).n)
			return node_get_text(status, fields[i]);
	return STR("");
}

static struct health from_condition(enum health_state state, const struct node *c,
				    const char *otherwise)
{
	str reason = node_get_text(c, STR("reason"));

	return (struct health){state, reason.n ? reason : str_from(otherwise),
			       node_get_text(c, STR("message"))};
}

bool health_of_kind(struct arena *a, const struct object *o, struct health *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		const struct node *c;

		if (!matches(r->kind, o->id.kind) || !matches(r->group, o->id.group) ||
		    !holds_true(a, &r->test, o->root) || !holds_true(a, &r->and, o->root))
			continue;
		c = r->test.kind == T_IF || r->test.kind == T_BECAUSE
			    ? health_condition(o->root, r->test.x)
			    : NULL;
		*ret = c ? from_condition(r->state, c, r->reason.p)
			 : (struct health){r->state, r->reason,
					   r->state == HEALTH_HEALTHY ? STR("")
								      : own_words(o->root)};
		return true;
	}
	return false;
}

/* ------------------------------------------------------------------ all the others */

/* Not ready for longer than the target's timeout: it does not come any more. */
static struct health not_good(const struct node *c, const struct health_clock *clock, msec *again)
{
	struct health h = from_condition(HEALTH_PROGRESSING, c, "NotReady");
	bool is_false = str_eq(node_get_text(c, STR("status")), STR("False"));
	msec since = 0;

	for (size_t i = 0; is_false && i < ARRAY_LEN(failing); i++)
		if (str_contains(h.reason, failing[i]))
			h.state = HEALTH_DEGRADED;
	if (!clock || !clock->timeout || !is_false || h.state == HEALTH_DEGRADED)
		return h;
	if (!time_parse(node_get_text(c, STR("lastTransitionTime")), &since) ||
	    since < clock->changed)
		since = clock->changed;
	if (clock->now >= since + clock->timeout)
		h.state = HEALTH_DEGRADED;
	else
		*again = since + clock->timeout;
	return h;
}

/* kstatus calls a custom object without a status current at once, before its controller saw it. */
static struct health no_status(const struct health_clock *clock, msec *again)
{
	if (clock->now < clock->changed + HEALTH_GRACE) {
		*again = clock->changed + HEALTH_GRACE;
		return (struct health){HEALTH_PROGRESSING, STR("NoStatus"),
				       STR("no status reported yet")};
	}
	return (struct health){HEALTH_HEALTHY, STR("NoStatus"), STR("no status reported")};
}

static bool said(struct arena *a, const struct node *root, struct health *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const struct node *n = health_at_path(root, places[i]);

		if (!node_is(n, NODE_STRING))
			continue;
		for (size_t k = 0; k < ARRAY_LEN(words); k++)
			if (one_of(a, n, words[k].word, true)) {
				*ret = (struct health){words[k].state, n->text, own_words(root)};
				return true;
			}
	}
	return false;
}

/* Of the Gateway API: conditions of each parent or ancestor, of the newest generation. */
static bool of_parents(const struct node *root, struct health *ret)
{
	static const str lists[] = {STR("status.parents"), STR("status.ancestors")};
	static const str types[] = {STR("Accepted"), STR("ResolvedRefs"), STR("Programmed")};
	int64_t generation = health_number(root, STR("metadata.generation"), 0);
	bool any = false;

	*ret = (struct health){HEALTH_HEALTHY, STR("Accepted"), STR("")};
	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct node *list = health_at_path(root, lists[l]);

		if (!node_is(list, NODE_LIST))
			continue;
		any = true;
		if (!list->n)
			*ret = (struct health){HEALTH_PROGRESSING, STR("NoParent"),
					       STR("no parent has looked at it yet")};
		for (uint32_t i = 0; i < list->n; i++) {
			const struct node *cs = node_get(list->items[i], STR("conditions"));

			if (!node_is(cs, NODE_LIST) || !cs->n)
				*ret = (struct health){HEALTH_PROGRESSING, STR("NoConditions"),
						       STR("a parent has not answered yet")};
			for (uint32_t k = 0; node_is(cs, NODE_LIST) && k < cs->n; k++) {
				const struct node *c = cs->items[k];
				bool is_false =
					str_eq(node_get_text(c, STR("status")), STR("False"));

				if (health_number(c, STR("observedGeneration"), generation) <
				    generation) {
					*ret = from_condition(HEALTH_PROGRESSING, c, "NotObserved");
					continue;
				}
				for (size_t t = 0; is_false && t < ARRAY_LEN(types); t++)
					if (str_eq(node_get_text(c, STR("type")), types[t])) {
						*ret = from_condition(t == 2 ? HEALTH_PROGRESSING
									     : HEALTH_DEGRADED,
								      c, "NotAccepted");
						if (t < 2)
							return true;
					}
			}
		}
	}
	return any;
}

static bool has_old_condition(const struct node *root, str type)
{
	const struct node *list = node_at(root, "status", "conditions", NULL);

	for (uint32_t i = 0; node_is(list, NODE_LIST) && i < list->n; i++)
		if (str_eq(node_get_text(list->items[i], STR("type")), type))
			return !health_condition(root, type);
	return false;
}

struct health health_of_custom(struct arena *a, const struct object *o,
			       const struct health_clock *clock, msec *again)
{
	const struct node *root = o->root, *c;
	struct health h;

	for (size_t i = 0; i < ARRAY_LEN(holds); i++)
		if (node_bool(health_at_path(root, holds[i]), false))
			return (struct health){HEALTH_SUSPENDED, STR("Suspended"),
					       STR("it is suspended")};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		c = health_condition(root, bad[i]);
		if (str_eq(node_get_text(c, STR("status")), STR("True")))
			return from_condition(HEALTH_DEGRADED, c, bad[i].p);
	}
	if (of_parents(root, &h) || said(a, root, &h))
		return h;
	for (size_t i = 0; i < ARRAY_LEN(goes); i++) {
		c = health_condition(root, goes[i]);
		if (str_eq(node_get_text(c, STR("status")), STR("True")))
			return from_condition(HEALTH_PROGRESSING, c, goes[i].p);
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		c = health_condition(root, good[i]);
		if (str_eq(node_get_text(c, STR("status")), STR("True")))
			return (struct health){HEALTH_HEALTHY, good[i], STR("")};
		if (c)
			return not_good(c, clock, again);
		if (has_old_condition(root, good[i]))
			return (struct health){HEALTH_PROGRESSING, STR("NotObserved"),
					       STR("its conditions are of an older generation")};
	}
	if (clock && clock->has_status && empty(node_get(root, STR("status"))))
		return no_status(clock, again);
	return (struct health){HEALTH_HEALTHY, STR(""), STR("")};
}
