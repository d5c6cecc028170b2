/* graph.c: `leeboard graph DIR`: the waves of a folder as it renders, and the reason of each edge.
 */
#include "leeboard/graph.h"
#include "leeboard/cli.h"
#include "leeboard/render.h"
#include <sys/stat.h>

struct shown {
	struct arena *a;
	const struct obj_set *set;
	const struct graph *g;
	struct buf out;
};

static struct err *read_folder(struct arena *a, const char *dir, const struct obj_set **set,
			       const struct graph **g)
{
	struct tree *t = NULL;
	struct render_result r = {0};
	struct render_opts opts = {0};
	struct obj_norm norm = {0};
	struct obj_set *all = obj_set_new(a);
	struct err *e;
	str path;

	TRY(cli_open_tree(a, dir, &t, &path));
	e = render_build(a, t, path, &opts, &r);
	for (size_t i = 0; !e && i < r.n; i++)
		e = err_join(e, obj_normalize(a, &norm, r.p[i].root, all));
	if (!e)
		e = graph_build(a, all, g);
	tree_free(t);
	*set = all;
	return e;
}

static str label(struct shown *s, uint32_t i)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_escaped(&b, obj_id_label(s->a, s->set->p[i].id));
	return arena_str(s->a, buf_view(&b));
}

static void edge_line(struct shown *s, const struct graph_edge *e, int depth, const char *tail)
{
	buf_printf(&s->out, "%*safter " STR_FMT "  " STR_FMT "%s", depth < 0 ? 1 : 4 + 2 * depth,
		   "", STR_ARG(label(s, e->to)), STR_ARG(graph_reason_name(e->why)),
		   e->path.n ? " " : "");
	buf_escaped(&s->out, e->path);
	buf_printf(&s->out, "%s\n", tail);
}

static void show_text(struct shown *s)
{
	const struct graph_edge *dropped;
	size_t n_dropped;

	for (size_t w = 0; w < graph_waves(s->g); w++) {
		size_t n;
		const uint32_t *wave = graph_wave(s->g, w, &n);

		buf_printf(&s->out, "wave %zu\n", w + 1);
		for (size_t i = 0; i < n; i++) {
			size_t edges;
			const struct graph_edge *e = graph_edges(s->g, wave[i], &edges);

			buf_printf(&s->out, "  " STR_FMT "\n", STR_ARG(label(s, wave[i])));
			for (size_t k = 0; k < edges; k++)
				edge_line(s, &e[k], 0, "");
		}
	}
	dropped = graph_dropped(s->g, &n_dropped);
	for (size_t i = 0; i < n_dropped; i++) {
		buf_printf(&s->out, "gave way: " STR_FMT, STR_ARG(label(s, dropped[i].from)));
		edge_line(s, &dropped[i], -1, "");
	}
}

static void dot_text(struct buf *b, str text)
{
	buf_char(b, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_char(b, '\\');
		buf_char(b, text.p[i]);
	}
	buf_char(b, '"');
}

static void show_dot(struct shown *s)
{
	struct buf *b = &s->out;

	buf_str(b, STR("digraph leeboard {\n\trankdir=RL;\n\tnode [shape=box];\n"));
	for (size_t w = 0; w < graph_waves(s->g); w++) {
		size_t n;
		const uint32_t *wave = graph_wave(s->g, w, &n);

		buf_printf(b, "\tsubgraph cluster_%zu {\n\t\tlabel=\"wave %zu\";\n", w + 1, w + 1);
		for (size_t i = 0; i < n; i++) {
			buf_str(b, STR("\t\t"));
			dot_text(b, label(s, wave[i]));
			buf_str(b, STR(";\n"));
		}
		buf_str(b, STR("\t}\n"));
	}
	for (uint32_t i = 0; i < s->set->n; i++) {
		size_t edges;
		const struct graph_edge *e = graph_edges(s->g, i, &edges);

		for (size_t k = 0; k < edges; k++) {
			buf_char(b, '\t');
			dot_text(b, label(s, i));
			buf_str(b, STR(" -> "));
			dot_text(b, label(s, e[k].to));
			buf_str(b, STR(" [label="));
			dot_text(b, graph_reason_name(e[k].why));
			buf_str(b, STR("];\n"));
		}
	}
	buf_str(b, STR("}\n"));
}

static void json_object(struct buf *b, const struct object *o)
{
	const struct {
		const char *key;
		str value;
	} parts[] = {{"group", o->id.group},
		     {"version", o->version},
		     {"kind", o->id.kind},
		     {"namespace", o->id.ns},
		     {"name", o->id.name}};
	char before = '{';

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!parts[i].value.n)
			continue;
		buf_printf(b, "%c\"%s\":", before, parts[i].key);
		buf_json(b, parts[i].value);
		before = ',';
	}
	buf_char(b, '}');
}

static void json_edge(struct buf *b, const struct graph_edge *e)
{
	buf_str(b, STR(",\"reason\":"));
	buf_json(b, graph_reason_name(e->why));
	if (e->path.n) {
		buf_str(b, STR(",\"path\":"));
		buf_json(b, e->path);
	}
	buf_char(b, '}');
}

static void show_json(struct shown *s)
{
	struct buf *b = &s->out;
	const struct graph_edge *dropped;
	size_t n_dropped;

	buf_str(b, STR("{\"apiVersion\":\"leeboard.dev/v1\",\"kind\":\"Graph\",\"waves\":["));
	for (size_t w = 0; w < graph_waves(s->g); w++) {
		size_t n;
		const uint32_t *wave = graph_wave(s->g, w, &n);

		buf_printf(b, "%s{\"wave\":%zu,\"objects\":[", w ? "," : "", w + 1);
		for (size_t i = 0; i < n; i++) {
			size_t edges;
			const struct graph_edge *e = graph_edges(s->g, wave[i], &edges);

			buf_str(b, i ? STR(",{\"object\":") : STR("{\"object\":"));
			json_object(b, &s->set->p[wave[i]]);
			for (size_t k = 0; k < edges; k++) {
				buf_str(b,
					k ? STR(",{\"object\":") : STR(",\"after\":[{\"object\":"));
				json_object(b, &s->set->p[e[k].to]);
				json_edge(b, &e[k]);
			}
			buf_str(b, edges ? STR("]}") : STR("}"));
		}
		buf_str(b, STR("]}"));
	}
	buf_char(b, ']');
	dropped = graph_dropped(s->g, &n_dropped);
	for (size_t i = 0; i < n_dropped; i++) {
		buf_str(b, i ? STR(",{\"object\":") : STR(",\"dropped\":[{\"object\":"));
		json_object(b, &s->set->p[dropped[i].from]);
		buf_str(b, STR(",\"after\":"));
		json_object(b, &s->set->p[dropped[i].to]);
		json_edge(b, &dropped[i]);
	}
	buf_str(b, n_dropped ? STR("]}\n") : STR("}\n"));
}

/* Depth is that of waves; what was shown is not shown again. */
static void why(struct shown *s, uint32_t i, int depth, bool *seen)
{
	size_t edges;
	const struct graph_edge *e = graph_edges(s->g, i, &edges);

	seen[i] = true;
	for (size_t k = 0; k < edges; k++) {
		bool again = seen[e[k].to];
		size_t more;

		(void)graph_edges(s->g, e[k].to, &more);
		edge_line(s, &e[k], depth, again && more ? "  (see above)" : "");
		if (!again)
			why(s, e[k].to, depth + 1, seen);
	}
}

static struct err *show_why(struct shown *s, str word)
{
	struct obj_ref ref;
	size_t found = 0;

	if (!obj_ref_parse(word, &ref))
		return err_hint(err_new(ERR_USAGE, "'" STR_FMT "' names no object", STR_ARG(word)),
				"Kind/name, Kind/namespace/name, deploy/web");
	for (uint32_t i = 0; i < s->set->n; i++) {
		bool *seen;

		if (!obj_ref_matches(&ref, s->set->p[i].id))
			continue;
		found++;
		seen = ARENA_ARRAY(s->a, bool, s->set->n);
		buf_printf(&s->out, STR_FMT "  wave %zu of %zu\n", STR_ARG(label(s, i)),
			   graph_wave_of(s->g, i) + 1, graph_waves(s->g));
		why(s, i, 0, seen);
	}
	return found ? NULL
		     : err_new(ERR_NOT_FOUND, "no object '" STR_FMT "' in this folder",
			       STR_ARG(word));
}

int cli_graph(int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct shown s = {.a = a, .out = BUF_INIT};
	struct verb_words w;
	struct stat st;
	const char *dir;
	struct err *e;
	str format;
	int status;

	if (!cli_read(a, argc, argv, &w, &status))
		return status;
	dir = w.n ? w.operands[0].p : ".";
	/* "app/web" is an App's name, unless there is such a folder. */
	if (w.n && (!strchr(dir, '/') || str_starts(w.operands[0], STR("app/"))) &&
	    !(stat(dir, &st) == 0 && S_ISDIR(st.st_mode)))
		return cli_start(VERB_CLIENT, argc, argv);
	format = verb_value(&w, "--output");
	if (format.n && !str_eq(format, STR("text")) && !str_eq(format, STR("wide")) &&
	    !str_eq(format, STR("json")))
		return cli_fail(err_new(ERR_USAGE, "'-o' is text or json for a folder"), 0);
	e = read_folder(a, dir, &s.set, &s.g);
	if (!e && verb_has(&w, "--why"))
		e = show_why(&s, verb_value(&w, "--why"));
	else if (!e && verb_has(&w, "--dot"))
		show_dot(&s);
	else if (!e && str_eq(format, STR("json")))
		show_json(&s);
	else if (!e)
		show_text(&s);
	if (!e)
		fwrite(s.out.p ? s.out.p : "", 1, s.out.n, stdout);
	buf_done(&s.out);
	return e ? cli_fail(e, 0) : 0;
}
