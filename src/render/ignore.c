/* ignore.c: .sourceignore, whose lines read as those of .gitignore do. */
#include "ignore.h"

/* Does c belong to the class at p, behind its '['? *end is where it ends; SIZE_MAX: it never does.
 */
static bool in_class(str p, char c, size_t *end)
{
	bool not = p.n && (p.p[0] == '!' || p.p[0] == '^'), in = false;
	size_t i = not ? 1 : 0, first = i;

	for (; i < p.n && (p.p[i] != ']' || i == first); i++) {
		char from = p.p[i];

		if (from == '\\' && i + 1 < p.n)
			from = p.p[++i];
		if (i + 2 < p.n && p.p[i + 1] == '-' && p.p[i + 2] != ']') {
			in |= c >= from && c <= p.p[i + 2];
			i += 2;
		} else {
			in |= c == from;
		}
	}
	*end = i < p.n ? i + 1 : SIZE_MAX;
	return in != not ;
}

/* The character at the head of p against c; *used bytes of p. */
static bool one(str p, char c, size_t *used)
{
	size_t end;

	*used = 1;
	if (p.p[0] == '?')
		return true;
	if (p.p[0] == '\\' && p.n > 1) {
		*used = 2;
		return p.p[1] == c;
	}
	if (p.p[0] == '[') {
		bool in = in_class(str_sub(p, 1, SIZE_MAX), c, &end);

		if (end != SIZE_MAX) {
			*used = end + 1;
			return in;
		}
	}
	return p.p[0] == c;
}

/* One part of a path. Only the last '*' is ever tried again, so time is |p| * |s|. */
static bool part_fits(str p, str s)
{
	size_t i = 0, k = 0, star = SIZE_MAX, again = 0, used;

	while (k < s.n) {
		if (i < p.n && p.p[i] == '*') {
			star = ++i;
			again = k;
		} else if (i < p.n && one(str_sub(p, i, SIZE_MAX), s.p[k], &used)) {
			i += used;
			k++;
		} else if (star != SIZE_MAX) {
			i = star;
			k = ++again;
		} else {
			return false;
		}
	}
	while (i < p.n && p.p[i] == '*')
		i++;
	return i == p.n;
}

static bool is_deep(str part)
{
	return str_eq(part, STR("**"));
}

/* All parts; "**" is to parts what '*' is to characters. */
static bool path_fits(const struct res_strs *p, const struct res_strs *s)
{
	size_t i = 0, k = 0, star = SIZE_MAX, again = 0;

	while (k < s->n) {
		if (i < p->n && is_deep(p->p[i])) {
			star = ++i;
			again = k;
		} else if (i < p->n && part_fits(p->p[i], s->p[k])) {
			i++;
			k++;
		} else if (star != SIZE_MAX) {
			i = star;
			k = ++again;
		} else {
			return false;
		}
	}
	return i == p->n; /* so a "**" at the end stands for one part at least */
}

static void split(struct arena *a, str path, struct res_strs *ret)
{
	str part;

	while (str_split(&path, '/', &part))
		if (part.n)
			*ARENA_PUSH(a, ret) = part;
}

static void add_line(struct arena *a, struct ignores *v, str folder, str line)
{
	struct ignore_line r = {.folder = folder};

	while (str_ends(line, STR("\r")))
		line.n--;
	while (str_ends(line, STR(" ")) && !str_ends(line, STR("\\ ")))
		line.n--;
	if (!line.n || line.p[0] == '#')
		return;
	if (line.p[0] == '!') {
		r.keep = true;
		line = str_sub(line, 1, SIZE_MAX);
	}
	if (str_ends(line, STR("/"))) {
		r.folders = true;
		line.n--;
	}
	if (!line.n)
		return;
	if (str_chr(line, '/') == SIZE_MAX)
		*ARENA_PUSH(a, &r.parts) = STR("**");
	split(a, line, &r.parts);
	*ARENA_PUSH(a, v) = r;
}

struct err *ignores_add(struct arena *a, struct ignores *v, str folder, str lines, loc at)
{
	str line;

	while (str_split(&lines, '\n', &line)) {
		if (v->n >= RENDER_MAX_IGNORES)
			return err_at(ERR_RENDER_LIMIT, at, "more than %u lines of .sourceignore",
				      RENDER_MAX_IGNORES);
		add_line(a, v, folder, line);
	}
	return NULL;
}

bool ignores_has(struct arena *a, const struct ignores *v, str path, bool folder)
{
	for (size_t i = v->n; i-- > 0;) {
		const struct ignore_line *r = &v->p[i];
		struct res_strs parts = {0};
		size_t cut = r->folder.n ? r->folder.n + 1 : 0;

		if ((r->folders && !folder) || !tree_below(r->folder, path) || path.n <= cut)
			continue;
		split(a, str_sub(path, cut, SIZE_MAX), &parts);
		if (path_fits(&r->parts, &parts))
			return !r->keep;
	}
	return false;
}
