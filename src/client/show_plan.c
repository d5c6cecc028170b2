/* show_plan: what a sync would do, and what differs. */
#include "client_priv.h"

#define DELETIONS_ONE_BY_ONE 3u
#define NAMES_IN_A_GROUP 6u
#define ORIGIN_COLUMN 32u /* of diff: where a value's origin stands, at the least */

static const struct action {
	const char *name, *shown;
	enum cell_style style;
} actions[] = {
	{"create", "+ create", CELL_GOOD},    {"change", "~ change", CELL_WARN},
	{"recreate", "! recreate", CELL_BAD}, {"delete", "- delete", CELL_BAD},
	{"adopt", "~ adopt", CELL_WARN},      {"transfer", "~ transfer", CELL_WARN},
	{"none", "= unchanged", CELL_PLAIN},
};

static const struct action *action_of(str name)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (str_eq(name, str_from(actions[i].name)))
			return &actions[i];
	return &actions[ARRAY_LEN(actions) - 1];
}

static str writer_words(struct client *c, const struct node *field)
{
	const struct node *w = node_get(field, STR("writer"));
	str manager = get(w, "manager");
	msec t;

	if (!get_time(w, "lastActive", &t) && !get_time(field, "since", &t))
		return manager.n ? sayf(c, " (" STR_FMT ")", STR_ARG(say(c, manager))) : STR("");
	return sayf(c, " since " STR_FMT "%s" STR_FMT "%s", STR_ARG(clock_of(c, t, false)),
		    manager.n ? " (" : "", STR_ARG(say(c, manager)), manager.n ? ")" : "");
}

/* ".spec.replicas  3 -> 4"; of a step that does nothing: what differs and stays so. */
static str change_words(struct client *c, const struct node *f, bool none)
{
	str path = get(f, "path"), class = get(f, "class"), shown = say(c, path);
	const struct node *git = node_get(f, STR("git")), *applied = node_get(f, STR("applied"));
	const struct node *live = node_get(f, STR("live"));

	if (get_bool(f, "redacted") && !git && !applied)
		return sayf(c, STR_FMT "  changed <redacted>", STR_ARG(shown));
	if (none)
		return sayf(c, STR_FMT "  " STR_FMT ", live " STR_FMT STR_FMT, STR_ARG(shown),
			    STR_ARG(value_of(c, git, path)), STR_ARG(value_of(c, live, path)),
			    STR_ARG(writer_words(c, f)));
	if (str_eq(class, STR("drift")) || str_eq(class, STR("both")))
		return sayf(c, STR_FMT "  " STR_FMT " -> " STR_FMT ", live " STR_FMT STR_FMT "%s",
			    STR_ARG(shown), STR_ARG(value_of(c, applied, path)),
			    STR_ARG(value_of(c, git, path)), STR_ARG(value_of(c, live, path)),
			    STR_ARG(writer_words(c, f)),
			    str_eq(class, STR("drift")) ? ": restored by this sync" : "");
	if (!applied)
		applied = live;
	return sayf(c, STR_FMT "  " STR_FMT " -> " STR_FMT, STR_ARG(shown),
		    STR_ARG(value_of(c, applied, path)), STR_ARG(value_of(c, git, path)));
}

static void step_rows(struct client *c, struct table *t, const struct node *step)
{
	const struct action *action = action_of(get(step, "action"));
	const struct node *fields = get_list(step, "fields");
	str why = say(c, get(step, "why")), cascades = say(c, get(step, "cascades"));
	size_t rows = 0;

	for (size_t i = 0; i == 0 || (fields && i < fields->n); i++) {
		const struct node *f = fields ? fields->items[i] : NULL;

		table_add_styled(t, i ? STR("") : str_from(action->shown), action->style);
		table_add(t, i ? STR("") : object_label(c, node_get(step, STR("object"))));
		if (!i && (why.n || cascades.n || get_bool(step, "consent"))) {
			table_add(t, sayf(c, STR_FMT "%s" STR_FMT "%s", STR_ARG(why),
					  why.n && cascades.n ? "; " : "", STR_ARG(cascades),
					  get_bool(step, "consent") ? "; needs consent" : ""));
			table_end_row(t);
			rows++;
			if (!f)
				return;
			table_add(t, STR(""));
			table_add(t, STR(""));
		}
		if (f) {
			table_add(t, change_words(c, f, str_eq(get(step, "action"), STR("none"))));
			table_add(t, place_of(c, node_get(f, STR("origin"))));
		}
		table_end_row(t);
	}
}

/* "14 objects: Deployment importer, 12 ConfigMap importer-*" */
static str deletions(struct client *c, const struct node *steps, size_t n)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	str *names = ARENA_ARRAY(c->a, str, n);
	bool *done = ARENA_ARRAY(c->a, bool, steps->n);
	bool any = false;

	buf_printf(&b, "%zu objects: ", n);
	for (size_t i = 0; i < steps->n; i++) {
		const struct node *object = node_get(steps->items[i], STR("object"));
		str kind = get(object, "kind"), prefix;
		size_t same = 0;

		if (done[i] || !str_eq(get(steps->items[i], "action"), STR("delete")))
			continue;
		for (size_t k = i; k < steps->n; k++) {
			const struct node *other = node_get(steps->items[k], STR("object"));

			if (!str_eq(get(steps->items[k], "action"), STR("delete")) ||
			    !str_eq(get(other, "kind"), kind))
				continue;
			done[k] = true;
			names[same++] = say(c, get(other, "name"));
		}
		if (any)
			buf_str(&b, STR(", "));
		any = true;
		prefix = common_prefix(c, names, same);
		if (same > 1)
			buf_printf(&b, "%zu ", same);
		buf_str(&b, say(c, kind));
		if (prefix.n && same > DELETIONS_ONE_BY_ONE) {
			buf_printf(&b, " " STR_FMT "*", STR_ARG(prefix));
			continue;
		}
		for (size_t k = 0; k < same && k < NAMES_IN_A_GROUP; k++)
			buf_printf(&b, "%s" STR_FMT, k ? ", " : " ", STR_ARG(names[k]));
		if (same > NAMES_IN_A_GROUP)
			buf_str(&b, STR(", …"));
	}
	return arena_str(c->a, buf_view(&b));
}

static void plan_table(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *steps = get_list(doc, "steps");
	struct table *t = table_new(c->a, 4);
	int64_t unchanged = get_int(node_get(doc, STR("counts")), "none", 0);
	size_t deleted = 0;

	for (size_t i = 0; steps && i < steps->n; i++)
		deleted += str_eq(get(steps->items[i], "action"), STR("delete"));
	for (size_t i = 0; steps && i < steps->n; i++) {
		str action = get(steps->items[i], "action");

		if (str_eq(action, STR("delete"))
			    ? deleted <= DELETIONS_ONE_BY_ONE || c->format == FORMAT_WIDE
			    : !str_eq(action, STR("none")) || get_list(steps->items[i], "fields"))
			step_rows(c, t, steps->items[i]);
	}
	if (deleted > DELETIONS_ONE_BY_ONE && c->format != FORMAT_WIDE) {
		table_add_styled(t, STR("- delete"), CELL_BAD);
		table_add(t, deletions(c, steps, deleted));
		table_end_row(t);
	}
	if (unchanged) {
		table_add(t, STR("= unchanged"));
		table_add(t, counted(c, unchanged, "object", "objects"));
		table_end_row(t);
	}
	t->least[0] = 11;
	table_print(c, t, "  ", b);
}

static void totals(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *counts = node_get(doc, STR("counts")),
			  *waiting = get_list(doc, "waiting");
	int64_t recreated = get_int(counts, "recreate", 0), deleted = get_int(counts, "delete", 0);

	buf_printf(b, STR_FMT ", " STR_FMT,
		   STR_ARG(counted(c, get_int(doc, "waves", 0), "wave", "waves")),
		   STR_ARG(counted(c, get_int(doc, "writes", 0), "write", "writes")));
	if (recreated)
		buf_printf(b, ", " STR_FMT,
			   STR_ARG(counted(c, recreated, "recreation", "recreations")));
	if (deleted)
		buf_printf(b, ", " STR_FMT " after health",
			   STR_ARG(counted(c, deleted, "deletion", "deletions")));
	buf_char(b, '.');
	for (size_t i = 0; waiting && i < waiting->n; i++)
		buf_printf(b, "%s" STR_FMT, i ? ", " : " Waits for you: ",
			   STR_ARG(say(c, get(waiting->items[i], "message"))));
	buf_str(b, waiting ? STR(".\n") : STR("\n"));
}

void show_plan(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *by = node_get(doc, STR("changedBy")), *steps = get_list(doc, "steps");
	const struct node *warnings = get_list(doc, "warnings");
	str app = say(c, get(doc, "app")), from = get(doc, "from"), id;

	buf_printf(b, STR_FMT " at " STR_FMT, STR_ARG(app), STR_ARG(short_id(c, get(doc, "to"))));
	if (!from.n)
		buf_str(b, STR("   nothing is applied yet"));
	else if (!str_eq(from, get(doc, "to")))
		buf_printf(b, "   now at " STR_FMT, STR_ARG(short_id(c, from)));
	if (by) {
		str who = by_whom(c, by);

		buf_printf(b, "   changed for " STR_FMT " by " STR_FMT " \"" STR_FMT "\"%s" STR_FMT,
			   STR_ARG(app), STR_ARG(short_id(c, get(by, "commit"))),
			   STR_ARG(say(c, get(by, "subject"))), who.n ? " " : "", STR_ARG(who));
	}
	buf_char(b, '\n');
	plan_table(c, doc, b);
	for (size_t i = 0; warnings && i < warnings->n; i++)
		buf_printf(b, "warning: " STR_FMT "\n",
			   STR_ARG(say(c, node_text(warnings->items[i]))));
	if (!steps) {
		buf_str(b, STR("nothing to do\n"));
		return;
	}
	totals(c, doc, b);
	id = plan_id(c, get(doc, "id"));
	if (get_list(doc, "waiting"))
		buf_printf(b,
			   "Plan " STR_FMT ". All of it: leeboard approve " STR_FMT
			   " --plan " STR_FMT "\n",
			   STR_ARG(id), STR_ARG(app), STR_ARG(id));
	else
		buf_printf(b, "Plan " STR_FMT "%s\n", STR_ARG(id),
			   get_bool(doc, "approved") ? ", approved." : ".");
}

/* ------------------------------------------------------------------ diff */

static void value_line(struct client *c, char mark, const struct node *v, str path, str place,
		       struct buf *b)
{
	enum cell_style style = mark == '-' ? CELL_BAD : CELL_GOOD;
	str text = value_of(c, v, path);
	size_t width = 6;

	buf_str(b, STR("    "));
	color_on(c, style, b);
	buf_printf(b, "%c " STR_FMT, mark, STR_ARG(text));
	color_off(c, style, b);
	for (size_t i = 0; i < text.n; i++)
		width += ((unsigned char)text.p[i] & 0xc0) != 0x80;
	if (place.n) {
		do
			buf_char(b, ' ');
		while (++width < ORIGIN_COLUMN || width % 2);
		buf_str(b, place);
	}
	buf_char(b, '\n');
}

static void diff_field(struct client *c, const struct node *f, bool live, bool why, struct buf *b)
{
	str path = get(f, "path"), shown = say(c, path);
	str place = place_of(c, node_get(f, STR("origin")));
	const struct node *old = node_get(f, live ? STR("live") : STR("applied"));
	const struct node *new = node_get(f, STR("git"));

	if (get_bool(f, "redacted")) {
		buf_printf(b, "  " STR_FMT "  changed", STR_ARG(shown));
		if (old || new)
			buf_printf(b, "  " STR_FMT " -> " STR_FMT, STR_ARG(value_of(c, old, path)),
				   STR_ARG(value_of(c, new, path)));
		buf_char(b, '\n');
	} else {
		buf_printf(b, "  " STR_FMT "\n", STR_ARG(shown));
		if (old)
			value_line(c, '-', old, path, new ? STR("") : place, b);
		if (new)
			value_line(c, '+', new, path, place, b);
	}
	if (!why)
		return;
	buf_printf(b, "    %s: git " STR_FMT ", applied " STR_FMT,
		   get(f, "class").n ? say(c, get(f, "class")).p : "differs",
		   STR_ARG(value_of(c, new, path)),
		   STR_ARG(value_of(c, node_get(f, STR("applied")), path)));
	if (live)
		buf_printf(b, ", live " STR_FMT STR_FMT, STR_ARG(value_of(c, old, path)),
			   STR_ARG(writer_words(c, f)));
	buf_char(b, '\n');
}

void show_diff(struct client *c, const struct node *doc, bool why, struct buf *b)
{
	const struct node *items = get_list(doc, "items");
	bool live = !get(doc, "to").n;
	int64_t differ = get_int(doc, "differ", items ? (int64_t)items->n : 0);

	for (size_t i = 0; items && i < items->n; i++) {
		const struct node *item = items->items[i], *fields = get_list(item, "fields");
		str action = get(item, "action");
		str place = place_of(c, node_get(item, STR("origin")));

		color_on(c, CELL_BOLD, b);
		buf_str(b, object_label(c, node_get(item, STR("object"))));
		color_off(c, CELL_BOLD, b);
		if (str_eq(action, STR("create")))
			buf_printf(b, "  only in %s", live ? "Git" : short_id(c, get(doc, "to")).p);
		else if (str_eq(action, STR("delete")))
			buf_printf(b, "  only %s%s", live ? "live" : "in ",
				   live ? "" : short_id(c, get(doc, "from")).p);
		if (!fields && place.n)
			buf_printf(b, "  " STR_FMT, STR_ARG(place));
		buf_char(b, '\n');
		for (size_t k = 0; fields && k < fields->n; k++)
			diff_field(c, fields->items[k], live, why, b);
	}
	if (!differ) {
		buf_str(b, STR("no difference\n"));
		return;
	}
	buf_printf(b, STR_FMT " %s", STR_ARG(counted(c, differ, "object", "objects")),
		   differ == 1 ? "differs" : "differ");
	if (node_get(doc, STR("same")))
		buf_printf(b, ", %lld %s not", (long long)get_int(doc, "same", 0),
			   get_int(doc, "same", 0) == 1 ? "does" : "do");
	buf_char(b, '\n');
}
