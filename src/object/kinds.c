/* Built-in kinds: scope and the words by which people call them. */
#include "leeboard/object.h"

struct row {
	const char *group, *kind;
	enum obj_scope scope;
	const char *plural, *shorts;
};

static const struct row rows[] = {
#define ROW(group, kind, scope, plural, shorts) {group, kind, scope, plural, shorts},
#include "kinds.def"
#undef ROW
};

static const struct row *find(str group, str kind)
{
	size_t lo = 0;
	size_t hi = ARRAY_LEN(rows);

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = str_cmp(group, str_from(rows[mid].group));

		if (!c)
			c = str_cmp(kind, str_from(rows[mid].kind));
		if (!c)
			return &rows[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

enum obj_scope obj_scope_builtin(str group, str kind)
{
	const struct row *r = find(group, kind);

	return r ? r->scope : OBJ_SCOPE_UNKNOWN;
}

static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

/* Is `word`, in any case, kind[0..n) and then `suffix`? */
static bool spells(str word, str kind, size_t n, str suffix)
{
	if (word.n != n + suffix.n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (lower(word.p[i]) != lower(kind.p[i]))
			return false;
	for (size_t i = 0; i < suffix.n; i++)
		if (lower(word.p[n + i]) != suffix.p[i])
			return false;
	return true;
}

/* As client-go guesses: policy policies, ingress ingresses, gateway gateways. */
static bool is_plural(str word, str kind)
{
	int last = lower(kind.p[kind.n - 1]);
	int before = kind.n > 1 ? lower(kind.p[kind.n - 2]) : '\0';

	if (last == 'y' && !strchr("aeiou", before))
		return spells(word, kind, kind.n - 1, STR("ies"));
	if (last == 's' || last == 'x' || (before == 'c' && last == 'h'))
		return spells(word, kind, kind.n, STR("es"));
	return spells(word, kind, kind.n, STR("s"));
}

bool obj_kind_matches(str word, str group, str kind)
{
	if (!kind.n || !word.n)
		return false;
	if (spells(word, kind, kind.n, STR("")) || is_plural(word, kind))
		return true;

	const struct row *r = find(group, kind);

	if (!r)
		return false;
	if (*r->plural && spells(word, str_from(r->plural), strlen(r->plural), STR("")))
		return true;

	str rest = str_from(r->shorts);
	str one;

	while (rest.n && str_split(&rest, ' ', &one))
		if (spells(word, one, one.n, STR("")))
			return true;
	return false;
}
