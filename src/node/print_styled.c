/* YAML as it was written: styles, flow and comments stay, only the layout becomes go-yaml's.
 * Comments are no part of a tree: they are found in its text, by the lines of its nodes. */
#include "node_priv.h"

#define FLOW_FROM 80 /* within { } or [ ] a line ends beyond this column */

struct styled {
	struct out o;
	const str *lines; /* of the text */
	size_t n;
	size_t next; /* the first line whose comments are not written */
};

static str line_at(const struct styled *s, size_t line)
{
	return line && line <= s->n ? s->lines[line - 1] : STR("");
}

static bool is_comment(str line)
{
	return str_starts(str_trim(line), STR("#"));
}

/* Comments that stand above a line; where an empty one follows them it stays. */
static void comments_above(struct styled *s, size_t line, size_t ind, bool *begun)
{
	bool any = false;

	for (; s->next < line && s->next <= s->n; s->next++) {
		str text = str_trim(line_at(s, s->next));

		if (is_comment(text)) {
			if (*begun)
				out_line(&s->o);
			*begun = false;
			out_indent(&s->o, ind);
			out_text(&s->o, text.p, text.n);
			out_line(&s->o);
			any = true;
		} else if (!text.n && any) {
			out_line(&s->o);
			any = false;
		}
	}
	if (s->next == line)
		s->next++;
}

/* Where a token that begins at i ends: quotes are stepped over. */
static size_t token_end(str line, size_t i)
{
	char quote = 0;

	for (; i < line.n; i++) {
		char c = line.p[i];

		if (quote == '"' && c == '\\')
			i++;
		else if (quote)
			quote = c == quote ? 0 : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '#' && i && (line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
			break;
	}
	return i < line.n ? i : line.n;
}

static void comment_behind(struct styled *s, loc at)
{
	str line = line_at(s, at.line), text;

	if (!at.line || !at.col)
		return;
	text = str_trim(str_sub(line, token_end(line, at.col - 1), SIZE_MAX));
	if (!text.n)
		return;
	out_char(&s->o, ' ');
	out_text(&s->o, text.p, text.n);
}

/* Lines of a block text are no comments. */
static void skip_block(struct styled *s, const struct node *n)
{
	if (n->kind != NODE_STRING || (n->style != NODE_LITERAL && n->style != NODE_FOLDED))
		return;
	if (s->next <= n->at.line)
		s->next = n->at.line + 1;
	for (size_t i = 0; i < n->text.n; i++)
		s->next += n->text.p[i] == '\n';
}

static void put_string(struct styled *s, const struct node *n, size_t ind, bool flow)
{
	struct out_shape shape = out_shape(n->text);
	bool single = shape.single && !shape.lines;

	switch (n->style) {
	case NODE_SINGLE:
		if (!single)
			break;
		out_single(&s->o, n->text, ind, !flow);
		return;
	case NODE_LITERAL:
	case NODE_FOLDED:
		if (flow || !shape.literal || !n->text.n)
			break;
		out_literal(&s->o, n->text, ind);
		return;
	case NODE_DOUBLE:
		break;
	case NODE_PLAIN:
	case NODE_FLOW:
		if (shape.lines && shape.literal && !flow) {
			out_literal(&s->o, n->text, ind);
			return;
		}
		if (scalar_kind(n->text) != NODE_STRING)
			break;
		if (shape.plain && !(flow && n->text.n && strpbrk(n->text.p, ",[]{}")))
			out_plain(&s->o, n->text, ind, !flow);
		else if (single)
			out_single(&s->o, n->text, ind, !flow);
		else
			break;
		return;
	}
	out_double(&s->o, n->text, ind, !flow);
}

static void put_scalar(struct styled *s, const struct node *n, size_t ind, bool flow)
{
	if (n->kind == NODE_STRING)
		put_string(s, n, ind, flow);
	else {
		/* An edit may have left a text that is none of its kind. */
		if (n->kind == NODE_INT && scalar_kind(n->text) != NODE_INT)
			out_text(&s->o, "!!int ", 6);
		else if (n->kind == NODE_BOOL && scalar_kind(n->text) != NODE_BOOL)
			out_text(&s->o, "!!bool ", 7);
		out_text(&s->o, n->text.p, n->text.n);
	}
}

static bool is_container(const struct node *n)
{
	return n->kind == NODE_MAP || n->kind == NODE_LIST;
}

static void put_key(struct styled *s, const struct node_pair *p, bool flow)
{
	struct node key = {.kind = NODE_STRING, .style = p->key_style, .text = p->key};

	if (key.style == NODE_LITERAL || key.style == NODE_FOLDED)
		key.style = NODE_DOUBLE;
	put_string(s, &key, 0, flow);
	out_char(&s->o, ':');
}

static void put_flow(struct styled *s, const struct node *n, size_t ind, unsigned depth)
{
	bool map = n->kind == NODE_MAP;

	if (!is_container(n) || depth >= NODE_WALK_DEPTH) {
		put_scalar(s, n, ind, true);
		return;
	}
	out_char(&s->o, map ? '{' : '[');
	for (uint32_t i = 0; i < n->n; i++) {
		if (i) {
			out_char(&s->o, ',');
			if (s->o.col > FLOW_FROM) {
				out_line(&s->o);
				out_indent(&s->o, ind + 2);
			} else {
				out_char(&s->o, ' ');
			}
		}
		if (map) {
			put_key(s, &n->pairs[i], true);
			out_char(&s->o, ' ');
		}
		put_flow(s, map ? n->pairs[i].value : n->items[i], ind + 2, depth + 1);
	}
	out_char(&s->o, map ? '}' : ']');
}

static void put_block(struct styled *s, const struct node *n, size_t ind, bool inside,
		      unsigned depth);

/* What stands behind "key:" or "- ". */
static void put_value(struct styled *s, const struct node *n, loc at, size_t ind, bool in_list,
		      unsigned depth)
{
	bool block = is_container(n) && n->n && n->style != NODE_FLOW;

	if (block && in_list) {
		put_block(s, n, ind + 2, true, depth + 1);
		return;
	}
	if (block) {
		comment_behind(s, at);
		out_line(&s->o);
		put_block(s, n, n->kind == NODE_LIST ? ind : ind + 2, false, depth + 1);
		return;
	}
	if (!in_list && (is_container(n) || n->text.n || n->kind == NODE_STRING))
		out_char(&s->o, ' ');
	if (is_container(n))
		put_flow(s, n, ind, depth);
	else
		put_scalar(s, n, ind + 2, false);
	if (n->style != NODE_LITERAL && n->style != NODE_FOLDED)
		comment_behind(s, at);
	skip_block(s, n);
	if (s->o.col)
		out_line(&s->o);
}

static void put_block(struct styled *s, const struct node *n, size_t ind, bool inside,
		      unsigned depth)
{
	if (depth >= NODE_WALK_DEPTH)
		return;
	for (uint32_t i = 0; i < n->n; i++) {
		bool map = n->kind == NODE_MAP, begun = inside && !i;
		loc at = map ? n->pairs[i].key_at : n->items[i]->at;

		comments_above(s, at.line, ind, &begun);
		if (!begun)
			out_indent(&s->o, ind);
		if (map) {
			put_key(s, &n->pairs[i], false);
			put_value(s, n->pairs[i].value, at, ind, false, depth);
		} else {
			out_text(&s->o, "- ", 2);
			put_value(s, n->items[i], at, ind, true, depth);
		}
	}
}

void node_yaml_styled(struct arena *a, const struct node *n, str text, struct buf *b)
{
	struct {
		str *p;
		size_t n, cap;
	} lines = {0};
	struct styled s = {.o = {.b = b}, .next = 1};
	bool begun = false;
	str line;

	while (str_split(&text, '\n', &line))
		*ARENA_PUSH(a, &lines) = line;
	while (lines.n && !str_trim(lines.p[lines.n - 1]).n)
		lines.n--;
	s.lines = lines.p;
	s.n = lines.n;
	if (is_container(n) && n->n && n->style != NODE_FLOW) {
		put_block(&s, n, 0, false, 0);
		comments_above(&s, s.n + 1, 0, &begun);
		return;
	}
	put_flow(&s, n, 0, 0);
	out_line(&s.o);
}
