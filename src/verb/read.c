/* read: the words of one call, taken apart by the verb's row. */
#include "verb_priv.h"
#include <assert.h>

#define MAX_FLAGS 32u /* of one verb, common ones included */

const char *verb_program_name(enum verb_program p)
{
	switch (p) {
	case VERB_SELF:
		return "leeboard";
	case VERB_CONTROLLER:
		return "leeboard-controller";
	case VERB_CLIENT:
		return "leeboard-client";
	case VERB_VERIFY:
		return "leeboard-verify";
	}
	return "leeboard";
}

bool verb_asks(const struct verb *v)
{
	return v->program == VERB_CLIENT || v->program == VERB_VERIFY ||
	       !strcmp(v->name, "graph") || !strcmp(v->name, "version");
}

const struct verb *verb_at(size_t i)
{
	return i < verb_count ? &verb_rows[i] : NULL;
}

const struct verb *verb_find(str name)
{
	for (size_t i = 0; i < verb_count; i++)
		if (str_eq(name, str_from(verb_rows[i].name)))
			return &verb_rows[i];
	return NULL;
}

struct err *verb_unknown(str name)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf shown = BUF_INIT;
	str *names = ARENA_ARRAY(a, str, verb_count), near;
	struct err *e;

	for (size_t i = 0; i < verb_count; i++)
		names[i] = str_from(verb_rows[i].name);
	near = str_nearest(name, names, verb_count);
	buf_escaped(&shown, name);
	e = err_new(ERR_USAGE, "unknown verb '%s'", shown.p ? shown.p : "");
	return near.n ? err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near))
		      : err_hint(e, "leeboard help lists them");
}

/* Flags of the verb first: `version --server` is its own. */
static size_t flags_of(const struct verb *v, const struct verb_flag *all[MAX_FLAGS])
{
	size_t n = 0;

	for (const struct verb_flag *f = v->flags; f && f->name; f++)
		all[n++] = f;
	for (const struct verb_flag *f = verb_common; verb_asks(v) && f->name; f++)
		all[n++] = f;
	assert(n <= MAX_FLAGS);
	return n;
}

static struct err *unknown_flag(const struct verb *v, const struct verb_flag *const *all, size_t n,
				str word)
{
	str names[MAX_FLAGS], near;
	struct err *e = err_new(ERR_USAGE, "unknown flag '" STR_FMT "'", STR_ARG(word));

	for (size_t i = 0; i < n; i++)
		names[i] = str_from(all[i]->name);
	near = str_nearest(word, names, n);
	return near.n && word.n > 2 ? err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near))
				    : err_hint(e, "leeboard %s -h lists them", v->name);
}

static struct err *take_value(struct verb_words *w, str *values, const struct verb_flag *f,
			      size_t at, str value)
{
	if (values[at].p)
		return err_new(ERR_USAGE, "'%s' is given twice", f->name);
	if (f->value && !value.n)
		return err_new(ERR_USAGE, "'%s' needs a value: %s", f->name, f->value);
	values[at] = value;
	w->values = values;
	return NULL;
}

struct err *verb_read(struct arena *a, const struct verb *v, int argc, char **argv,
		      struct verb_words *ret)
{
	const struct verb_flag *all[MAX_FLAGS];
	size_t n = flags_of(v, all);
	str *values = ARENA_ARRAY(a, str, n + 1);
	bool only_operands = false;

	*ret = (struct verb_words){.verb = v, .values = values};
	ret->operands = ARENA_ARRAY(a, str, (size_t)argc);
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help")) {
			ret->help = true;
			return NULL;
		} else if (!strcmp(argv[i], "--")) {
			break;
		}
	for (int i = 1; i < argc; i++) {
		str word = str_from(argv[i]), name = word, value = STR_NONE;
		size_t at = 0, eq = str_chr(word, '=');

		if (only_operands || word.n < 2 || word.p[0] != '-') {
			ret->operands[ret->n++] = word;
			continue;
		}
		if (str_eq(word, STR("--"))) {
			only_operands = true;
			continue;
		}
		if (word.p[1] == '-' && eq != SIZE_MAX) {
			name = str_sub(word, 0, eq);
			value = str_sub(word, eq + 1, SIZE_MAX);
		}
		while (at < n && !str_eq(name, str_from(all[at]->name)) &&
		       !(word.p[1] != '-' && all[at]->letter == word.p[1]))
			at++;
		if (at == n)
			return unknown_flag(v, all, n, name);
		if (word.p[1] != '-' && word.n > 2) { /* -ojson */
			if (!all[at]->value)
				return unknown_flag(v, all, n, word);
			value = str_sub(word, 2, SIZE_MAX);
		}
		if (!all[at]->value && value.p)
			return err_new(ERR_USAGE, "'%s' takes no value", all[at]->name);
		if (all[at]->value && !value.p && i + 1 < argc)
			value = str_from(argv[++i]);
		TRY(take_value(ret, values, all[at], at, all[at]->value ? value : STR("")));
	}
	if ((int)ret->n < v->least)
		return err_hint(err_new(ERR_USAGE, "%s needs %s", v->name, v->operands), "%s",
				v->example);
	if (v->most >= 0 && (int)ret->n > v->most)
		return err_hint(err_new(ERR_USAGE, "'" STR_FMT "' is one word too many",
					STR_ARG(ret->operands[v->most])),
				"leeboard %s -h", v->name);
	return NULL;
}

static str find_value(const struct verb_words *w, const char *name)
{
	const struct verb_flag *all[MAX_FLAGS];
	size_t n = flags_of(w->verb, all);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i]->name, name))
			return w->values[i];
	return STR_NONE;
}

bool verb_has(const struct verb_words *w, const char *name)
{
	return find_value(w, name).p;
}

str verb_value(const struct verb_words *w, const char *name)
{
	return find_value(w, name);
}
