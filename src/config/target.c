/* Which objects a target means: anchored expressions and selectors, all that are given must match.
 */
#include <regex.h>
#include <stdlib.h>

#include "leeboard/config.h"

/* Most are plain names, and then no expression is built. */
static bool plain(str re)
{
	for (size_t i = 0; i < re.n; i++)
		if (strchr("\\^$.[]|()*+?{}", re.p[i]))
			return false;
	return true;
}

static bool fits(str re, str s)
{
	CLEANUP(buf) struct buf anchored = BUF_INIT, text = BUF_INIT;
	regex_t r;
	bool yes;

	if (!re.n)
		return true;
	if (plain(re) || re.n > CONFIG_MAX_GLOB)
		return str_eq(re, s);
	buf_printf(&anchored, "^(" STR_FMT ")$", STR_ARG(re));
	buf_str(&text, s);
	buf_char(&text, '\0');
	if (regcomp(&r, anchored.p, REG_EXTENDED | REG_NOSUB))
		return false;
	yes = !regexec(&r, text.p, 0, NULL, 0);
	regfree(&r);
	return yes;
}

/* One requirement: key, !key, key=v, key==v, key!=v, key in (a,b), key notin (a,b). */
static bool requirement(str s, const struct node *map)
{
	bool not_equal, in = false, equal = false;
	const struct node *v;
	size_t at;
	str word;

	s = str_trim(s);
	if (s.n && s.p[0] == '!' && str_chr(s, '=') == SIZE_MAX)
		return !node_get(map, str_trim(str_sub(s, 1, s.n)));
	at = str_chr(s, '(');
	if (at != SIZE_MAX && str_ends(s, STR(")"))) {
		str values = str_sub(s, at + 1, s.n - at - 2), head = str_trim(str_sub(s, 0, at));
		bool notin = str_ends(head, STR(" notin"));

		if (!notin && !str_ends(head, STR(" in")))
			return false;
		v = node_get(map, str_trim(str_sub(head, 0, head.n - (notin ? 6 : 3))));
		while (str_split(&values, ',', &word))
			equal |= v && str_eq(str_trim(word), v->text);
		return notin ? !equal : equal;
	}
	at = str_chr(s, '=');
	if (at == SIZE_MAX)
		return node_get(map, s) != NULL;
	not_equal = at > 0 && s.p[at - 1] == '!';
	v = node_get(map, str_trim(str_sub(s, 0, at - not_equal)));
	word = str_sub(s, at + 1, s.n);
	if (word.n && word.p[0] == '=')
		word = str_sub(word, 1, word.n);
	in = v && str_eq(v->text, str_trim(word));
	return not_equal ? !in : in;
}

/* Commas separate requirements, but not inside parentheses. */
static bool selected(str selector, const struct node *map)
{
	size_t from = 0;
	bool inside = false;

	for (size_t i = 0; i <= selector.n; i++) {
		if (i < selector.n && selector.p[i] == '(')
			inside = true;
		if (i < selector.n && selector.p[i] == ')')
			inside = false;
		if (i < selector.n && (inside || selector.p[i] != ','))
			continue;
		if (str_trim(str_sub(selector, from, i - from)).n &&
		    !requirement(str_sub(selector, from, i - from), map))
			return false;
		from = i + 1;
	}
	return true;
}

bool config_target_matches(const struct config_target *t, obj_id id, str version,
			   const struct node *root)
{
	const struct node *meta = node_get(root, STR("metadata"));

	return fits(t->group, id.group) && fits(t->version, version) && fits(t->kind, id.kind) &&
	       fits(t->name, id.name) && fits(t->namespace, id.ns) &&
	       selected(t->label_selector, node_get(meta, STR("labels"))) &&
	       selected(t->annotation_selector, node_get(meta, STR("annotations")));
}
