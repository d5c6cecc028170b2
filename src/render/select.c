/* Patch targets: every given part has to match, an empty one matches anything. */
#include <stdlib.h>

#include "select.h"

/* ------------------------------------------------------------------ label selectors */

enum op { OP_EXISTS, OP_ABSENT, OP_IN, OP_NOT_IN, OP_MORE, OP_LESS };
struct requirement {
	str key;
	enum op op;
	struct res_strs values;
};
struct requirements {
	struct requirement *p;
	size_t n, cap;
};

struct reader {
	struct arena *a;
	str all, rest;
	loc at;
};

static struct err *bad(const struct reader *r, const char *what)
{
	return err_at(ERR_INVALID, r->at, "selector '" STR_FMT "': %s", STR_ARG(r->all), what);
}

static void blanks(struct reader *r)
{
	while (r->rest.n > 0 && (r->rest.p[0] == ' ' || r->rest.p[0] == '\t'))
		r->rest = str_sub(r->rest, 1, r->rest.n);
}

static bool take(struct reader *r, const char *s)
{
	blanks(r);
	if (!str_starts(r->rest, str_from(s)))
		return false;
	r->rest = str_sub(r->rest, strlen(s), r->rest.n);
	return true;
}

static str word(struct reader *r)
{
	size_t n = 0;
	str w;

	blanks(r);
	while (n < r->rest.n && !strchr(" \t,=!<>()", r->rest.p[n]))
		n++;
	w = str_sub(r->rest, 0, n);
	r->rest = str_sub(r->rest, n, r->rest.n);
	return w;
}

static struct err *read_set(struct reader *r, struct requirement *q)
{
	if (!take(r, "("))
		return bad(r, "'(' expected behind 'in' or 'notin'");
	do
		*ARENA_PUSH(r->a, &q->values) = word(r);
	while (take(r, ","));
	return take(r, ")") ? NULL : bad(r, "')' expected");
}

static struct err *read_operator(struct reader *r, struct requirement *q)
{
	struct reader save;
	str w;

	if (take(r, "==") || take(r, "="))
		q->op = OP_IN;
	else if (take(r, "!="))
		q->op = OP_NOT_IN;
	else if (take(r, ">"))
		q->op = OP_MORE;
	else if (take(r, "<"))
		q->op = OP_LESS;
	else {
		save = *r;
		w = word(r);
		if (str_eq(w, STR("in")) || str_eq(w, STR("notin"))) {
			q->op = str_eq(w, STR("in")) ? OP_IN : OP_NOT_IN;
			return read_set(r, q);
		}
		*r = save;
		q->op = OP_EXISTS;
		return NULL;
	}
	*ARENA_PUSH(r->a, &q->values) = word(r);
	return NULL;
}

static struct err *read_requirements(struct arena *a, str text, loc at, struct requirements *ret)
{
	struct reader r = {.a = a, .all = text, .rest = text, .at = at};

	blanks(&r);
	if (r.rest.n == 0)
		return NULL;
	do {
		struct requirement q = {0};
		bool absent = take(&r, "!");

		q.key = word(&r);
		if (q.key.n == 0)
			return bad(&r, "a key is missing");
		if (absent)
			q.op = OP_ABSENT;
		else
			TRY(read_operator(&r, &q));
		*ARENA_PUSH(a, ret) = q;
	} while (take(&r, ","));
	blanks(&r);
	return r.rest.n > 0 ? bad(&r, "',' expected") : NULL;
}

static bool holds(const struct requirement *q, const struct node *map)
{
	const struct node *v = node_get(map, q->key);
	int64_t have, want;
	bool in = false;

	for (size_t i = 0; v && i < q->values.n; i++)
		in |= str_eq(v->text, q->values.p[i]);
	switch (q->op) {
	case OP_EXISTS:
		return v != NULL;
	case OP_ABSENT:
		return v == NULL;
	case OP_IN:
		return in;
	case OP_NOT_IN:
		return !in;
	case OP_MORE:
	case OP_LESS:
		if (!v || !str_to_i64(v->text, &have) || !str_to_i64(q->values.p[0], &want))
			return false;
		return q->op == OP_MORE ? have > want : have < want;
	}
	return false;
}

static bool all_hold(const struct requirements *qs, const struct res *r, str field)
{
	const struct node *map = node_get(node_get(r->root, STR("metadata")), field);

	for (size_t i = 0; i < qs->n; i++)
		if (!holds(&qs->p[i], map))
			return false;
	return true;
}

/* ------------------------------------------------------------------ targets */

struct selection {
	struct regex *group, *version, *kind, *name, *ns; /* NULL: anything */
	struct requirements labels, annotations;
};

static struct err *anchored(str re, loc at, struct regex **ret)
{
	return re.n > 0 ? regex_new(re, "^(", ")$", at, ret) : NULL;
}

struct err *selection_new(struct arena *a, const struct selector *s, struct selection **ret)
{
	CLEANUP(selection) struct selection *x = xcalloc(1, sizeof(*x));

	TRY(anchored(s->group, s->at, &x->group));
	TRY(anchored(s->version, s->at, &x->version));
	TRY(anchored(s->kind, s->at, &x->kind));
	TRY(anchored(s->name, s->at, &x->name));
	TRY(anchored(s->ns, s->at, &x->ns));
	TRY(read_requirements(a, s->labels, s->at, &x->labels));
	TRY(read_requirements(a, s->annotations, s->at, &x->annotations));
	*ret = STEAL(x);
	return NULL;
}

void selection_free(struct selection *s)
{
	if (!s)
		return;
	regex_free(s->group);
	regex_free(s->version);
	regex_free(s->kind);
	regex_free(s->name);
	regex_free(s->ns);
	free(s);
}

static bool fits(const struct regex *re, str s)
{
	return !re || regex_matches(re, s);
}

bool selection_has(const struct selection *s, const struct res *r)
{
	struct res_id id = res_id(r);
	bool changed = r->prev.n > 0;

	if (!fits(s->kind, id.kind) || !fits(s->group, id.group) || !fits(s->version, id.version))
		return false;
	if (!fits(s->name, id.name) && !(changed && fits(s->name, r->prev.p[0].name)))
		return false;
	if (!fits(s->ns, res_effective_ns(id)) && !(changed && fits(s->ns, r->prev.p[0].ns)))
		return false;
	return all_hold(&s->labels, r, STR("labels")) &&
	       all_hold(&s->annotations, r, STR("annotations"));
}
