/* show_drift: what others did: drift, why a value is what it is; who signed; what waits for what.
 */
#include "client_priv.h"

static str writer_cell(struct client *c, const struct node *f)
{
	const struct node *w = node_get(f, STR("writer"));
	str manager = get(w, "manager");
	msec t;

	if (!manager.n)
		return STR("-");
	return get_time(w, "lastActive", &t)
		       ? sayf(c, STR_FMT ", " STR_FMT, STR_ARG(say(c, manager)),
			      STR_ARG(clock_of(c, t, false)))
		       : say(c, manager);
}

static void drift_row(struct client *c, struct table *t, const struct node *item,
		      const struct node *f)
{
	const struct node *object = node_get(item, STR("object"));
	str path = f ? get(f, "path") : STR("");
	msec since;

	table_add(t, sayf(c, STR_FMT " (" STR_FMT ")", STR_ARG(object_short(c, object)),
			  STR_ARG(say(c, get(item, "app")))));
	if (f) {
		bool hidden = get_bool(f, "redacted") && !node_get(f, STR("git"));

		table_add(t, say(c, path));
		table_add(t,
			  hidden ? STR("<redacted>") : value_of(c, node_get(f, STR("git")), path));
		table_add(t,
			  hidden ? STR("<redacted>") : value_of(c, node_get(f, STR("live")), path));
	} else {
		table_add(t, get_bool(item, "deleted")     ? STR("(deleted)")
			     : get_bool(item, "recreated") ? STR("(made anew by others)")
							   : STR("-"));
		table_add(t, STR("-"));
		table_add(t, STR("-"));
	}
	table_add(t, f ? writer_cell(c, f) : STR("-"));
	table_add(t, (f && get_time(f, "since", &since)) || get_time(item, "since", &since)
			     ? duration_format(c->a, c->now - since)
			     : STR("-"));
	if (get_bool(item, "ignored"))
		table_add(t, STR("ignored"));
	else if (get_bool(item, "fight"))
		table_add(t, STR("fight: others write it again and again"));
	table_end_row(t);
}

void show_drift(struct client *c, const struct node *doc, struct buf *b)
{
	static const char *const heads[] = {"OBJECT", "FIELD", "GIT", "LIVE", "WHO", "SINCE", ""};
	const struct node *items = get_list(doc, "items");
	struct table *t = table_new(c->a, ARRAY_LEN(heads));

	if (!items) {
		buf_str(b, STR("no drift\n"));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		table_add(t, str_from(heads[i]));
	for (size_t i = 0; i < items->n; i++) {
		const struct node *item = items->items[i], *fields = get_list(item, "fields");

		if (!fields)
			drift_row(c, t, item, NULL);
		for (size_t k = 0; fields && k < fields->n; k++)
			drift_row(c, t, item, fields->items[k]);
		if (fields && get_int(item, "fieldsAll", 0) > (int64_t)fields->n) {
			table_add(t, STR(""));
			table_add(t, sayf(c, "and %lld more",
					  (long long)(get_int(item, "fieldsAll", 0) - fields->n)));
			table_end_row(t);
		}
	}
	table_print(c, t, "", b);
	for (size_t i = 0; i < items->n; i++) {
		str app = get(items->items[i], "app"), mode = get(items->items[i], "mode");
		str shown = say(c, app), action = say(c, get(items->items[i], "action"));
		bool first = true;

		for (size_t k = 0; k < i; k++)
			first = first && !str_eq(app, get(items->items[k], "app"));
		if (!first || get_bool(items->items[i], "ignored"))
			continue;
		if (str_eq(mode, STR("detect")))
			buf_printf(b,
				   STR_FMT
				   " is in 'detect': nothing was changed back\n"
				   "  keep it:  leeboard drift " STR_FMT
				   " --export > patch.yaml      undo it:  leeboard drift " STR_FMT
				   " --heal\n",
				   STR_ARG(shown), STR_ARG(shown), STR_ARG(shown));
		else if (mode.n)
			buf_printf(b, STR_FMT " is in '" STR_FMT "'%s" STR_FMT "\n", STR_ARG(shown),
				   STR_ARG(say(c, mode)), action.n ? ": " : "", STR_ARG(action));
	}
}

/* ------------------------------------------------------------------ why */

static void why_git(struct client *c, const struct node *f, str path, struct buf *b)
{
	const struct node *base = node_get(f, STR("base")), *change = node_get(f, STR("change"));
	str place = place_of(c, node_get(f, STR("origin")));
	msec t;

	buf_printf(b, "  git    " STR_FMT, STR_ARG(value_of(c, node_get(f, STR("git")), path)));
	if (place.n)
		buf_printf(b, "   " STR_FMT, STR_ARG(place));
	if (base)
		buf_printf(b, ", patch on " STR_FMT " (" STR_FMT ")", STR_ARG(place_of(c, base)),
			   STR_ARG(value_of(c, node_get(base, STR("value")), path)));
	buf_char(b, '\n');
	if (!change)
		return;
	buf_printf(b, "             commit " STR_FMT, STR_ARG(short_id(c, get(change, "commit"))));
	if (get(change, "subject").n)
		buf_printf(b, " \"" STR_FMT "\"", STR_ARG(say(c, get(change, "subject"))));
	if (get(change, "author").n)
		buf_printf(b, " by " STR_FMT, STR_ARG(say(c, get(change, "author"))));
	if (get_time(change, "at", &t))
		buf_printf(b, ", " STR_FMT, STR_ARG(day_of(c, t)));
	buf_str(b, get(change, "signer").n ? STR(", signed\n") : STR("\n"));
}

static void why_live(struct client *c, const struct node *f, str path, struct buf *b)
{
	const struct node *w = node_get(f, STR("writer"));
	str manager = get(w, "manager"), operation = get(w, "operation");
	msec t;

	buf_printf(b, "  live   " STR_FMT, STR_ARG(value_of(c, node_get(f, STR("live")), path)));
	if (manager.n) {
		buf_printf(b, "   last written by " STR_FMT, STR_ARG(say(c, manager)));
		if (operation.n)
			buf_printf(b, " (" STR_FMT ")", STR_ARG(say(c, operation)));
		if (get_time(w, "lastActive", &t))
			buf_printf(b, ", last active " STR_FMT " " STR_FMT, STR_ARG(day_of(c, t)),
				   STR_ARG(time_of_day(c, t)));
	}
	buf_char(b, '\n');
	if (manager.n && operation.n)
		buf_str(b,
			STR("             the name is what the client claims; the person is in the "
			    "API server's audit log\n"));
}

void show_why(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *fields = get_list(doc, "fields");
	str label = object_label(c, node_get(doc, STR("object")));

	if (!fields)
		buf_printf(b, STR_FMT "  no field of it is set by Git\n", STR_ARG(label));
	for (size_t i = 0; fields && i < fields->n; i++) {
		const struct node *f = fields->items[i], *with = node_get(f, STR("appliedWith"));
		str path = get(f, "path");
		msec t;

		buf_printf(b, STR_FMT "  " STR_FMT "\n", STR_ARG(label), STR_ARG(say(c, path)));
		if (get_bool(f, "redacted") && !node_get(f, STR("git"))) {
			buf_str(b, STR("  its values are not shown\n"));
			continue;
		}
		why_git(c, f, path, b);
		why_live(c, f, path, b);
		buf_printf(b, "  applied " STR_FMT,
			   STR_ARG(value_of(c, node_get(f, STR("applied")), path)));
		if (get(with, "commit").n)
			buf_printf(b, "  with " STR_FMT, STR_ARG(short_id(c, get(with, "commit"))));
		if (get_time(with, "at", &t))
			buf_printf(b, " at " STR_FMT, STR_ARG(clock_of(c, t, false)));
		buf_char(b, '\n');
	}
}

/* ------------------------------------------------------------------ verify */

static str key_cell(struct client *c, const struct node *v)
{
	str key = get(v, "key");

	/* SHA256: and eight digits tell keys apart; the whole is in wide and json. */
	if (str_starts(key, STR("SHA256:")) && key.n > 15 && c->format != FORMAT_WIDE)
		return sayf(c, STR_FMT "…", STR_ARG(say(c, str_sub(key, 0, 15))));
	return say(c, key);
}

void show_verification(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *items = get_list(doc, "items");
	struct table *t = table_new(c->a, 6);
	int64_t good = 0, refused = 0, off = 0;

	for (size_t i = 0; items && i < items->n; i++) {
		const struct node *v = items->items[i];
		str verdict = get(v, "verdict"), signer = say(c, get(v, "signer"));
		str message = refusal_of(c, get(v, "message"));
		bool is_good = str_eq(verdict, STR("Good")) || str_eq(verdict, STR("good"));
		bool is_off = str_eq(verdict, STR("Off"));

		good += is_good;
		off += is_off;
		refused += !is_good && !is_off;
		if (!message.n)
			message = say(c, get(v, "reason").n ? get(v, "reason") : verdict);
		table_add_styled(t,
				 is_good  ? STR("good")
				 : is_off ? STR("-")
					  : STR("REFUSED"),
				 is_good  ? CELL_GOOD
				 : is_off ? CELL_PLAIN
					  : CELL_BAD);
		table_add(t, short_id(c, get(v, "commit")));
		table_add(t, signer.n ? signer : is_off ? say(c, get(v, "author")) : message);
		table_add(t, key_cell(c, v));
		table_add(t, say(c, get(v, "subject")));
		if (!is_good && !is_off && signer.n)
			table_add(t, message);
		table_end_row(t);
	}
	table_print(c, t, "", b);
	if (!items)
		buf_str(b, STR("no commits"));
	else if (off)
		buf_printf(b, STR_FMT ", not verified",
			   STR_ARG(counted(c, off, "commit", "commits")));
	else
		buf_printf(b, "%lld good, %lld refused", (long long)good, (long long)refused);
	if (get(doc, "accepted").n)
		buf_printf(b, ": %s at " STR_FMT, refused ? "stays" : "accepted",
			   STR_ARG(short_id(c, get(doc, "accepted"))));
	buf_char(b, '\n');
}

/* ------------------------------------------------------------------ graph */

void show_graph(struct client *c, const struct node *doc, struct buf *b)
{
	const struct node *waves = get_list(doc, "waves"), *dropped = get_list(doc, "dropped");

	buf_printf(b, STR_FMT, STR_ARG(say(c, get(doc, "app"))));
	if (get(doc, "revision").n)
		buf_printf(b, " at " STR_FMT, STR_ARG(short_id(c, get(doc, "revision"))));
	buf_char(b, '\n');
	for (size_t i = 0; waves && i < waves->n; i++) {
		const struct node *objects = get_list(waves->items[i], "objects");

		buf_printf(b, "wave %lld\n",
			   (long long)get_int(waves->items[i], "wave", (int64_t)i + 1));
		for (size_t k = 0; objects && k < objects->n; k++) {
			const struct node *after = get_list(objects->items[k], "after");

			buf_printf(b, "  " STR_FMT "\n",
				   STR_ARG(object_label(
					   c, node_get(objects->items[k], STR("object")))));
			for (size_t m = 0; after && m < after->n; m++) {
				str path = say(c, get(after->items[m], "path"));

				buf_printf(b, "    after " STR_FMT "  " STR_FMT "%s" STR_FMT "\n",
					   STR_ARG(object_label(
						   c, node_get(after->items[m], STR("object")))),
					   STR_ARG(say(c, get(after->items[m], "reason"))),
					   path.n ? " " : "", STR_ARG(path));
			}
		}
	}
	for (size_t i = 0; dropped && i < dropped->n; i++)
		buf_printf(b, "gave way: " STR_FMT " after " STR_FMT "  " STR_FMT " " STR_FMT "\n",
			   STR_ARG(object_label(c, node_get(dropped->items[i], STR("object")))),
			   STR_ARG(object_label(c, node_get(dropped->items[i], STR("after")))),
			   STR_ARG(say(c, get(dropped->items[i], "reason"))),
			   STR_ARG(say(c, get(dropped->items[i], "path"))));
}
