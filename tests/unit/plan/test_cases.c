/* Each file of tests/cases/plan: a sentence, then sections.
 *
 *   app         YAML: marks, prune, objects, percent, protect, adopt, stop, detect, onSync,
 * approved, approveAll, heal, now, ignore; the rest as config has it by default git         the
 * revision's objects inventory   a line each: identity version uid origin state ("-": no uid) live
 * what stands there applied     what was applied last, where that is known known       YAML:
 * identity -> {sent: same|other, touched, sight, uid, wantedBy, ownedBy, addedSince} asks wanted:
 * what has to be read, when nothing was read yet (left out: not looked at) plan        wanted: the
 * plan, or the error
 *
 * LEEBOARD_GOLDEN=1 rewrites the wanted sections; read the diff. */
#include "leeboard/plan.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define DIR_CASES TEST_DIR "/cases/plan"

static const char *const sections[] = {"app",    "git",   "inventory", "live", "applied",
				       "before", "known", "asks",      "plan", "json"};
enum section { APP, GIT, INVENTORY, LIVE, APPLIED, BEFORE, KNOWN, ASKS, PLAN, JSON, SECTIONS };

struct example {
	struct arena *a;
	str name, sentence, text[SECTIONS];
	bool has[SECTIONS];
	struct app app;
	const struct node *options, *known;
	struct wants *wants, *before;
	struct inventory inv;
	struct obj_set *live, *applied;
	bool unseen; /* nothing was read yet */
};

static struct err *read_sections(struct example *x, str all)
{
	str rest = all;
	size_t start = 0, at = SECTIONS;

	x->sentence = STR_NONE;
	for (size_t pos = 0; pos <= all.n;) {
		str line = str_sub(all, pos, str_chr(str_sub(all, pos, SIZE_MAX), '\n'));
		bool head = str_starts(line, STR("-- ")) && str_ends(line, STR(" --"));

		if (head || pos == all.n) {
			str body = str_sub(all, start, pos - start);

			if (at == SECTIONS)
				x->sentence = body;
			else
				x->text[at] = body;
			if (pos == all.n)
				return NULL;

			str name = str_sub(line, 3, line.n - 6);

			for (at = 0; at < SECTIONS; at++)
				if (str_eq(name, str_from(sections[at])))
					break;
			if (at == SECTIONS)
				return err_new(ERR_INVALID, "no section '" STR_FMT "'",
					       STR_ARG(name));
			x->has[at] = true;
			start = pos + line.n + 1;
		}
		pos += line.n + 1;
		if (pos > all.n)
			pos = all.n;
	}
	(void)rest;
	return NULL;
}

static struct node_docs docs_of(struct example *x, enum section s)
{
	struct text *t = ARENA_NEW(x->a, struct text);
	struct node_docs docs = {NULL, 0, 0};
	struct err *e;

	*t = (struct text){str_from(sections[s]), x->text[s]};
	e = node_read_yaml(x->a, t, &docs);
	if (e) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_line_to(e, &b);
		fail_msg(STR_FMT ": %s", STR_ARG(x->name), b.p);
	}
	return docs;
}

static struct obj_set *objects(struct example *x, enum section s)
{
	struct node_docs docs = docs_of(x, s);
	struct obj_set *set = obj_set_new(x->a);

	for (size_t i = 0; i < docs.n; i++) {
		struct object o;

		assert_null(obj_from_node(x->a, docs.p[i], &o));
		assert_null(obj_set_add(x->a, set, o));
	}
	return set;
}

static const uint8_t no_key[32];

static struct hash digest_of(const struct object *o)
{
	return obj_digest(o->root, no_key);
}

static void read_wants(struct example *x, enum section s, struct wants *to)
{
	struct obj_set *set = objects(x, s);

	for (size_t i = 0; i < set->n; i++) {
		const struct object *o = &set->p[i];
		CLEANUP(buf) struct buf b = BUF_INIT;

		node_json(o->root, NODE_JSON_COMPACT, &b);
		assert_null(wants_add(to, (struct want){.id = o->id,
							.version = o->version,
							.json = arena_str(x->a, buf_view(&b)),
							.digest = digest_of(o),
							.file = STR("git.yaml"),
							.line = o->at.line,
							.col = 1}));
	}
}

static void read_inventory(struct example *x)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct text t = {STR("inventory"), STR_NONE};
	str rest = x->text[INVENTORY], line;

	while (str_split(&rest, '\n', &line)) {
		str word;
		bool first = true;

		if (!line.n)
			continue;
		while (str_split(&line, ' ', &word)) {
			if (!first)
				buf_char(&b, '\t');
			if (!str_eq(word, STR("-")))
				buf_str(&b, word);
			first = false;
		}
		buf_char(&b, '\n');
	}
	t.bytes = buf_view(&b);
	assert_null(inventory_parse(x->a, &t, &x->inv));
}

static int64_t number(const struct node *map, const char *key, int64_t otherwise)
{
	int64_t n = otherwise;

	node_i64(node_get(map, str_from(key)), &n);
	return n;
}

static bool flag(const struct node *map, const char *key, bool otherwise)
{
	return node_bool(node_get(map, str_from(key)), otherwise);
}

static void read_app(struct example *x)
{
	static const str protect[] = {STR("Namespace"), STR("CustomResourceDefinition"),
				      STR("PersistentVolumeClaim"), STR("PersistentVolume"),
				      STR("StatefulSet")};
	struct node_docs docs = docs_of(x, APP);
	const struct node *o = docs.n ? docs.p[0] : NULL, *ignore = node_get(o, STR("ignore"));
	str adopt = node_get_text(o, STR("adopt"));

	x->options = o;
	x->app = (struct app){
		.name = STR("shop"),
		.adopt = str_eq(adopt, STR("never"))    ? ADOPT_NEVER
			 : str_eq(adopt, STR("always")) ? ADOPT_ALWAYS
							: ADOPT_IF_UNOWNED,
		.on_error = flag(o, "stop", false) ? ON_ERROR_STOP : ON_ERROR_SKIP_DEPENDANTS,
		.prune = flag(o, "prune", true),
		.prune_objects = number(o, "objects", 10),
		.prune_percent = number(o, "percent", 30),
		.drift_mode = flag(o, "detect", false) ? DRIFT_DETECT : DRIFT_HEAL,
		.drift_on_sync = str_eq(node_get_text(o, STR("onSync")), STR("wait"))
					 ? DRIFT_WAIT
					 : DRIFT_OVERWRITE,
		.health_timeout = 5 * MINUTE,
	};
	for (size_t i = 0; i < ARRAY_LEN(protect); i++)
		*ARENA_PUSH(x->a, &x->app.prune_protect) = protect[i];
	for (uint32_t i = 0; ignore && i < ignore->n; i++) {
		struct ignore_rule *r = ARENA_PUSH(x->a, &x->app.drift_ignore);

		*r = (struct ignore_rule){
			.target = {.kind = node_get_text(ignore->items[i], STR("kind"))}};
		if (node_get(ignore->items[i], STR("path")))
			*ARENA_PUSH(x->a, &r->paths) = node_get_text(ignore->items[i], STR("path"));
		if (node_get(ignore->items[i], STR("manager")))
			*ARENA_PUSH(x->a, &r->managers) =
				node_get_text(ignore->items[i], STR("manager"));
	}
}

static void look_of(void *arg, obj_id id, struct plan_object *ret)
{
	struct example *x = arg;
	const struct node *k = node_get(x->known, obj_id_text(x->a, id));
	const struct object *live = obj_set_get(x->live, id),
			    *applied = obj_set_get(x->applied, id);
	const struct want *w = wants_get(x->wants, id);
	str sent = node_get_text(k, STR("sent")), sight = node_get_text(k, STR("sight"));

	ret->sent = sent.n > 0;
	if (str_eq(sent, STR("same")) && w)
		ret->digest = w->digest;
	else if (wants_get(x->before, id))
		ret->digest = wants_get(x->before, id)->digest;
	ret->in_sync = ret->sent && !flag(k, "touched", false);
	ret->wanted_by = node_get_text(k, STR("wantedBy"));
	ret->owned_by = node_get_text(k, STR("ownedBy"));
	ret->owned_origin = ret->owned_by.n ? INV_CREATED : 0;
	ret->added_since = flag(k, "addedSince", false);
	if (x->unseen)
		return;
	ret->sight = str_eq(sight, STR("meta"))     ? PLAN_META
		     : str_eq(sight, STR("failed")) ? PLAN_FAILED
		     : str_eq(sight, STR("unseen")) ? PLAN_UNSEEN
		     : live                         ? PLAN_SEEN
						    : PLAN_ABSENT;
	ret->failure = ret->sight == PLAN_FAILED ? STR("permission denied") : STR_NONE;
	ret->live = live ? live->root : NULL;
	ret->applied = applied ? applied->root : NULL;
	ret->uid =
		live ? node_get_text(node_at(live->root, "metadata", NULL), STR("uid")) : STR_NONE;
}

static struct err *no_gadgets(void *arg, const struct want *w)
{
	(void)arg;
	if (!str_eq(w->id.kind, STR("Gadget")))
		return NULL;
	return err_at_named(ERR_NOT_ALLOWED, w->file, w->line, w->col,
			    "Policy 'team' allows no 'Gadget'");
}

/* ------------------------------------------------------------------ answers as text */

static void brief(struct buf *b, const struct node *n)
{
	if (n)
		node_brief(n, 60, b);
	else
		buf_char(b, '-');
}

static void print_step(struct buf *b, struct arena *a, const struct plan *p,
		       const struct plan_step *s)
{
	buf_printf(b, "%zu " STR_FMT " " STR_FMT, s->wave + 1, STR_ARG(plan_action_name(s->action)),
		   STR_ARG(obj_id_label(a, s->id)));
	if (s->other.n)
		buf_printf(b, " <-> " STR_FMT, STR_ARG(s->other));
	if (s->drifted)
		buf_str(b, STR(" drifted"));
	if (s->left)
		buf_str(b, STR(" left"));
#define X(name, bit, word)                                                                         \
	if (s->waits & name)                                                                       \
		buf_str(b, STR(" waits:" word));
	PLAN_REASONS(X)
#undef X
	if (s->blocked_by != SIZE_MAX)
		buf_printf(b, " blocked by " STR_FMT,
			   STR_ARG(obj_id_label(a, p->steps[s->blocked_by].id)));
	if (s->timeout != 5 * MINUTE)
		buf_printf(b, " timeout " STR_FMT, STR_ARG(duration_short(a, s->timeout)));
	if (s->origin == INV_ADOPTED && s->want)
		buf_str(b, STR(" as adopted"));
	if (s->why.n)
		buf_printf(b, ": " STR_FMT, STR_ARG(s->why));
	if (s->action == PLAN_REFUSED)
		buf_printf(b, ": %s: " STR_FMT " (" STR_FMT ":%u)", err_code_name(s->code),
			   STR_ARG(s->message), STR_ARG(s->file), s->line);
	buf_char(b, '\n');
	for (size_t i = 0; i < s->edges_n; i++)
		buf_printf(b, "    after " STR_FMT " (" STR_FMT ")\n",
			   STR_ARG(obj_id_label(a, p->steps[s->edges[i].step].id)),
			   STR_ARG(graph_reason_name(s->edges[i].why)));
	for (size_t i = 0; i < s->fields_n; i++) {
		const struct plan_field *f = &s->fields[i];

		buf_printf(b, "    " STR_FMT " " STR_FMT, STR_ARG(f->path),
			   STR_ARG(diff_class_name(f->class)));
		if (f->redacted) {
			buf_str(b, STR(" (redacted)"));
		} else {
			buf_str(b, STR(" git "));
			brief(b, f->git);
			buf_str(b, STR(" live "));
			brief(b, f->live);
			buf_str(b, STR(" applied "));
			brief(b, f->applied);
		}
		if (f->writer.n)
			buf_printf(b, " by " STR_FMT, STR_ARG(f->writer));
		buf_char(b, '\n');
	}
}

static str print_plan(struct arena *a, const struct plan *p)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < p->n; i++)
		print_step(&b, a, p, &p->steps[i]);
	for (size_t i = 0; i < p->waiting_n; i++)
		buf_printf(&b, "waiting " STR_FMT ": " STR_FMT "\n",
			   STR_ARG(plan_reason_name(p->waiting[i].reason)),
			   STR_ARG(p->waiting[i].message));
	for (size_t i = 0; i < p->warnings_n; i++)
		buf_printf(&b, "warning: " STR_FMT "\n", STR_ARG(p->warnings[i]));
	buf_printf(&b, "%zu writes, %zu wait%s%s\n", p->counts.writes, p->counts.waits,
		   p->empty ? ", empty" : "", p->approved ? ", approved" : "");
	return arena_str(a, buf_view(&b));
}

static str print_asks(struct arena *a, const struct plan_asks *asks)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < asks->n; i++)
		buf_printf(&b, STR_FMT "%s\n", STR_ARG(obj_id_label(a, asks->p[i].id)),
			   asks->p[i].meta ? " meta" : "");
	return arena_str(a, buf_view(&b));
}

/* ------------------------------------------------------------------ one case */

static void rewrite(const struct example *x, const str *got)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(buf) struct buf path = BUF_INIT;

	buf_str(&b, x->sentence);
	for (size_t i = 0; i < SECTIONS; i++)
		if (x->has[i] || i == PLAN)
			buf_printf(&b, "-- %s --\n" STR_FMT, sections[i],
				   STR_ARG(got[i].p ? got[i] : x->text[i]));
	buf_printf(&path, "%s/" STR_FMT, DIR_CASES, STR_ARG(x->name));
	assert_null(file_write_atomic(path.p, buf_view(&b), 0644));
}

static str build(struct example *x, struct plan_in *in, str *json)
{
	CLEANUP(buf) struct buf doc = BUF_INIT;
	const struct plan *p;
	struct err *e = plan_build(x->a, in, &p);

	if (e) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		for (const struct err *y = e; y; y = err_next(y))
			buf_printf(&b, "%s:%u: %s\n", err_file(y).p ? err_file(y).p : "",
				   err_line(y), err_message(y).p);
		err_free(e);
		return arena_str(x->a, buf_view(&b));
	}

	/* An approval of this very plan, whatever its id is. */
	if (str_eq(node_get_text(x->options, STR("approved")), STR("this"))) {
		in->approved = str_sub(p->id, 0, 12);
		assert_null(plan_build(x->a, in, &p));
	}
	plan_json(p, STR("edge"), 0, &doc);
	buf_char(&doc, '\n');
	*json = arena_str(x->a, buf_view(&doc));
	return print_plan(x->a, p);
}

static void one_case(const char *name)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf all = BUF_INIT;
	CLEANUP(buf) struct buf path = BUF_INIT;
	struct example x = {
		.a = a, .name = str_from(name), .wants = wants_new(), .before = wants_new()};
	str got[SECTIONS] = {STR_NONE};
	struct err *e;

	buf_printf(&path, "%s/%s", DIR_CASES, name);
	e = file_read(path.p, 1 << 20, &all);
	if (!e)
		e = read_sections(&x, buf_view(&all));
	if (e)
		fail_msg("%s: %s", name, err_message(e).p);
	read_app(&x);
	read_wants(&x, GIT, x.wants);
	read_wants(&x, BEFORE, x.before);
	read_inventory(&x);
	x.live = objects(&x, LIVE);
	x.applied = objects(&x, APPLIED);

	struct node_docs known = docs_of(&x, KNOWN);
	struct plan_in in = {
		.app = &x.app,
		.name = STR("shop"),
		.instance = STR("edge"),
		.wants = x.wants,
		.inventory = &x.inv,
		.before = x.before,
		.look = {&x, look_of, no_gadgets},
		.marks = flag(x.options, "marks", false),
		.from = STR("77be"),
		.to = STR("3f2a"),
		.approve_all = flag(x.options, "approveAll", false),
		.heal = flag(x.options, "heal", false),
	};
	struct plan_asks asks;

	x.known = known.n ? known.p[0] : NULL;
	time_parse(node_get_text(x.options, STR("now")), &in.now);
	if (x.has[ASKS]) {
		x.unseen = true;
		plan_asks(a, &in, &asks);
		got[ASKS] = print_asks(a, &asks);
		if (!got[ASKS].n)
			got[ASKS] = STR("nothing\n");
		x.unseen = false;
	}
	got[PLAN] = build(&x, &in, &got[JSON]);
	wants_free(x.wants);
	wants_free(x.before);
	if (getenv("LEEBOARD_GOLDEN")) {
		rewrite(&x, got);
		return;
	}
	for (int s = ASKS; s <= JSON; s++)
		if ((s == PLAN || x.has[s]) && !str_eq(got[s], x.text[s])) {
			print_error("%s, %s:\n" STR_FMT "but wanted:\n" STR_FMT, name, sections[s],
				    STR_ARG(got[s]), STR_ARG(x.text[s]));
			fail();
		}
}

static int by_name(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void every_case_gives_its_plan(void **state)
{
	CLEANUP(arena) struct arena *a = arena_new();
	DIR *dir = opendir(DIR_CASES);
	struct {
		const char **p;
		size_t n, cap;
	} names = {0};
	struct dirent *entry;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (str_ends(str_from(entry->d_name), STR(".case")))
			*ARENA_PUSH(a, &names) = arena_str(a, str_from(entry->d_name)).p;
	closedir(dir);
	qsort(names.p, names.n, sizeof(names.p[0]), by_name);
	for (size_t i = 0; i < names.n; i++)
		one_case(names.p[i]);
	assert_true(names.n > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_gives_its_plan),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
