/* The table of fields, and what people read of it: explain and the reference. */
#include "config_priv.h"

#include <strings.h>

#define FIELD(kind, path, type, flags, def, values, st, member, meaning, example)                  \
	{KIND_##kind, F_##type, path, flags, def, values, offsetof(struct st, member),             \
	 meaning,     example,  ""},
#define LATER(kind, path, words, flags, meaning)                                                   \
	{KIND_##kind, F_LATER, path, flags, "", "", 0, meaning, "", words},
const struct field config_fields[] = {
#include "fields.def"
};
#undef FIELD
#undef LATER
const size_t config_fields_n = ARRAY_LEN(config_fields);
const char *const config_kinds[KIND_COUNT] = {"Source", "App", "Policy", "Alert", "Daemon"};
static const char *const kind_is[KIND_COUNT] = {
	"a repository, a ref, and who is believed",
	"a path, rendered, held against one target",
	"signers, and whom they may speak for",
	"which events go to whom",
	"the process: one document, from a file only; every field has a default",
};
const char *const config_type_words[] = {
#define X(name, words) words,
	FIELD_TYPES(X)
#undef X
};

bool field_below(const struct field *f, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(f->path, prefix, n) == 0 &&
	       (n == 0 || f->path[n] == 0 || f->path[n] == '.' || f->path[n] == '[');
}

const struct field *field_find(enum kind k, const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < config_fields_n; i++) {
		const struct field *f = &config_fields[i];

		if (f->kind == k && strncmp(f->path, path, n) == 0 &&
		    (f->path[n] == 0 || strcmp(f->path + n, "[]") == 0))
			return f;
	}
	return NULL;
}

/* ------------------------------------------------------------------ explain */

static void type_words(const struct field *f, struct buf *b)
{
	buf_str(b, str_from(f->type == F_LATER ? f->words : config_type_words[f->type]));
	if (f->type == F_INT && *f->values)
		buf_printf(b, " %s", f->values);
	if (f->type != F_ENUM && f->type != F_ENUMS)
		return;
	str rest = str_from(f->values), word;
	const char *sep = ": ";

	while (str_split(&rest, ' ', &word)) {
		if (*word.p == '!')
			continue;
		buf_printf(b, "%s" STR_FMT, sep, STR_ARG(word));
		sep = ", ";
	}
}

/* "(off)" as "off", "1m" as "1m". */
static str default_words(const struct field *f)
{
	str d = str_from(f->def);

	return d.n && d.p[0] == '(' ? str_sub(d, 1, d.n - 2) : d;
}

static void explain_field(const struct field *f, struct buf *b)
{
	buf_printf(b, "%s.%s   ", config_kinds[f->kind], f->path);
	type_words(f, b);
	if (f->flags & REQ)
		buf_str(b, STR(", required"));
	if (*f->def)
		buf_printf(b, ", default " STR_FMT, STR_ARG(default_words(f)));
	if (f->flags & OP && f->kind != KIND_DAEMON)
		buf_str(b, STR(", only in the operator's files"));
	if (f->type == F_LATER)
		buf_str(b, STR(", not supported yet"));
	buf_printf(b, "\n  %s\n", f->meaning);
	if (*f->example)
		buf_printf(b, "  example: %s\n", f->example);
}

/* One line of the list below a kind or a group. */
static void explain_line(const struct field *f, size_t width, struct buf *b)
{
	buf_printf(b, "  %-*s  ", (int)width, f->path);
	type_words(f, b);
	if (f->flags & REQ)
		buf_str(b, STR(", required"));
	else if (*f->def)
		buf_printf(b, ", default " STR_FMT, STR_ARG(default_words(f)));
	if (f->type == F_LATER)
		buf_str(b, STR(", not supported yet"));
	buf_char(b, '\n');
}

static bool word_eq(str a, const char *b)
{
	return a.n == strlen(b) && strncasecmp(a.p, b, a.n) == 0;
}

struct err *config_explain(str what, bool recursive, struct buf *ret)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str rest = what, word = STR_NONE;
	int kind = -1;

	(void)str_split(&rest, '.', &word);
	for (int k = 0; k < KIND_COUNT; k++)
		if (word_eq(word, config_kinds[k]))
			kind = k;
	if (kind < 0) {
		str names[KIND_COUNT];

		for (int k = 0; k < KIND_COUNT; k++)
			names[k] = str_from(config_kinds[k]);
		str near = str_nearest(word, names, KIND_COUNT);

		if (near.n)
			return err_new(ERR_NOT_FOUND,
				       "no kind '" STR_FMT "', did you mean '" STR_FMT "'?",
				       STR_ARG(word), STR_ARG(near));
		return err_new(ERR_NOT_FOUND,
			       "no kind '" STR_FMT
			       "' (there are: Source, App, Policy, Alert, Daemon)",
			       STR_ARG(word));
	}
	str path = word.n < what.n ? arena_str(a, str_sub(what, word.n + 1, SIZE_MAX)) : STR("");
	const struct field *exact = path.n ? field_find((enum kind)kind, path.p) : NULL;
	size_t below = 0, width = 0;

	for (size_t i = 0; i < config_fields_n; i++) {
		const struct field *f = &config_fields[i];

		if ((int)f->kind != kind || f == exact || !field_below(f, path.p))
			continue;
		below++;
		if (strlen(f->path) > width)
			width = strlen(f->path);
	}
	if (!exact && below == 0) {
		str *names = ARENA_ARRAY(a, str, config_fields_n);
		size_t n = 0;

		for (size_t i = 0; i < config_fields_n; i++)
			if ((int)config_fields[i].kind == kind)
				names[n++] = str_from(config_fields[i].path);
		str near = str_nearest(path, names, n);

		if (near.n)
			return err_new(ERR_NOT_FOUND,
				       "%s has no field '" STR_FMT "', did you mean '" STR_FMT "'?",
				       config_kinds[kind], STR_ARG(path), STR_ARG(near));
		return err_new(ERR_NOT_FOUND, "%s has no field '" STR_FMT "'", config_kinds[kind],
			       STR_ARG(path));
	}
	if (exact)
		explain_field(exact, ret);
	else if (path.n)
		buf_printf(ret, "%s." STR_FMT "   map\n", config_kinds[kind], STR_ARG(path));
	else
		buf_printf(ret, "%s: %s\n", config_kinds[kind], kind_is[kind]);
	for (size_t i = 0; i < config_fields_n; i++) {
		const struct field *f = &config_fields[i];

		if ((int)f->kind != kind || f == exact || !field_below(f, path.p))
			continue;
		if (recursive)
			explain_field(f, ret);
		else
			explain_line(f, width, ret);
	}
	return NULL;
}

/* ------------------------------------------------------------------ the reference page */

/* In a cell of a table '|' would end it. */
static void cell(struct buf *b, str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '|')
			buf_char(b, '\\');
		buf_char(b, s.p[i]);
	}
}

void config_reference(struct buf *b)
{
	buf_str(b,
		STR("# The documents of leeboard.dev/v1\n\n"
		    "Made from the table that parses them (src/config/fields.def); do not edit by "
		    "hand. `leeboard explain KIND.FIELD` prints the same.\n\n"
		    "Fields marked *op* reach the machine itself and are for documents from the "
		    "operator's files. A field that is not supported yet is refused, never "
		    "ignored.\n"));
	for (int k = 0; k < KIND_COUNT; k++) {
		buf_printf(b, "\n## %s\n\nA document of kind %s: %s.\n\n", config_kinds[k],
			   config_kinds[k], kind_is[k]);
		buf_str(b, STR("| field | type | default | meaning | example |\n"
			       "| --- | --- | --- | --- | --- |\n"));
		for (size_t i = 0; i < config_fields_n; i++) {
			const struct field *f = &config_fields[i];
			CLEANUP(buf) struct buf words = BUF_INIT;

			if ((int)f->kind != k || f->type == F_LATER)
				continue;
			type_words(f, &words);
			buf_printf(b, "| `%s`%s | ", f->path,
				   f->flags & OP && k != KIND_DAEMON ? " *op*" : "");
			cell(b, buf_view(&words));
			buf_printf(b, " | %s" STR_FMT " | ", f->flags & REQ ? "required" : "",
				   STR_ARG(default_words(f)));
			cell(b, str_from(f->meaning));
			buf_str(b, STR(" | `"));
			cell(b, str_from(f->example));
			buf_str(b, STR("` |\n"));
		}
		buf_str(b, STR("\nNot supported yet:"));
		const char *sep = " ";

		for (size_t i = 0; i < config_fields_n; i++) {
			const struct field *f = &config_fields[i];

			if ((int)f->kind != k || f->type != F_LATER)
				continue;
			buf_printf(b, "%s`%s`", sep, f->path);
			sep = ", ";
		}
		buf_str(b, STR(".\n"));
	}
	buf_str(b,
		STR("\n## Values\n\n"
		    "| type | form |\n"
		    "| --- | --- |\n"
		    "| name | lower case letters, digits and `-`, at most 63 |\n"
		    "| duration | `1h30m`, `15s`; from 1s to 8760h; `0s` where the table says what "
		    "it "
		    "means |\n"
		    "| glob | `*` within a path part, `**` across parts, `?`, `{a,b}`; "
		    "case-sensitive "
		    "|\n"
		    "| size | bytes, or with `Ki`, `Mi`, `Gi`, `k`, `M`, `G` |\n"
		    "| object | `group/version/Kind/namespace/name`; `-` for no namespace, the "
		    "core "
		    "group is empty |\n"
		    "| Target | a map of `group`, `version`, `kind`, `name`, `namespace` "
		    "(patterns), "
		    "`labelSelector`, `annotationSelector`; all that are given must match |\n"
		    "| Ref | a secret or a key, never inline: exactly one of `{file: PATH}`, "
		    "`{env: NAME}`, `{credential: NAME}` (*op*), `{secretRef: {name, key}}`; one "
		    "trailing newline is dropped |\n"));
}
