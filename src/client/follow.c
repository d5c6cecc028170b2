/* follow: verbs that stay: a sync to its end, events, a status that redraws. */
#include "client_priv.h"
#include <fnmatch.h>
#include <stdlib.h>
#include <unistd.h>

#define REDRAW_AFTER 300      /* ms that changes are gathered */
#define REFRESH (10 * SECOND) /* of a status that nothing changed */
#define RECONNECT (2 * SECOND)

/* ------------------------------------------------------------------ a sync's lines */

struct line {
	str app, what, result, message, took;
	int64_t wave, waves;
	char mark;
	bool final, printed;
};
struct follow {
	struct client *c;
	const str *apps;
	size_t n, ended;
	struct {
		struct line *p;
		size_t n, cap;
	} lines;
	size_t drawn; /* lines on the terminal that are drawn anew */
	size_t fixed; /* lines above them, done for good */
	bool stream_open, stream_over;
	struct {
		struct answer answer;
		struct err *e;
		bool done;
	} * ends;
};
struct follow_app {
	struct follow *f;
	size_t i;
};

static void print_line(struct client *c, const struct line *l, struct buf *b)
{
	size_t start = b->n, width;

	if (!l->wave) {
		buf_str(b, l->what);
		buf_char(b, '\n');
		return;
	}
	buf_printf(b, "  %lld/%lld  ", (long long)l->wave, (long long)l->waves);
	if (l->mark)
		buf_printf(b, "%c ", l->mark);
	buf_str(b, l->what);
	width = b->n - start;
	buf_printf(b, "%*s  %-9.*s", width < 48 ? (int)(48 - width) : 0, "", (int)l->result.n,
		   l->result.p);
	if (l->message.n || l->took.n)
		buf_printf(b, "  %-14.*s", (int)l->message.n, l->message.p);
	if (l->took.n)
		buf_printf(b, "  " STR_FMT, STR_ARG(l->took));
	while (b->n > start && b->p[b->n - 1] == ' ')
		b->n--;
	buf_char(b, '\n');
	(void)c;
}

/* On a terminal the lines that still change are drawn anew; a pipe gets each once, at its end. */
static void draw(struct follow *f, bool all)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (f->c->quiet)
		return;
	if (f->c->terminal_err && f->drawn)
		buf_printf(&b, "\x1b[%zuA\x1b[J", f->drawn);
	f->drawn = 0;
	for (size_t i = 0; i < f->lines.n; i++) {
		struct line *l = &f->lines.p[i];
		bool first = f->fixed == i;

		if (f->c->terminal_err) {
			if (i < f->fixed)
				continue;
			print_line(f->c, l, &b);
			if (first && (l->final || all))
				f->fixed++;
			else
				f->drawn++;
		} else if (!l->printed && (l->final || all)) {
			l->printed = true;
			print_line(f->c, l, &b);
		}
	}
	if (b.n)
		fwrite(b.p, 1, b.n, stderr);
	fflush(stderr);
}

static bool is_final(str result)
{
	static const char *const words[] = {"healthy", "deleted", "kept",    "failed",
					    "blocked", "timeout", "skipped", "unchanged"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq(result, str_from(words[i])))
			return true;
	return false;
}

static str kinds_of(struct client *c, const struct node *kinds)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < kinds->n; i++)
		buf_printf(&b, "%s" STR_FMT, i ? ", " : "",
			   STR_ARG(say(c, node_text(kinds->items[i]))));
	return arena_str(c->a, buf_view(&b));
}

static char mark_of(str action)
{
	return str_eq(action, STR("create"))     ? '+'
	       : str_eq(action, STR("delete"))   ? '-'
	       : str_eq(action, STR("recreate")) ? '!'
						 : '~';
}

static struct line *line_for(struct follow *f, str app, int64_t wave, str what)
{
	struct line *l;

	for (size_t i = 0; i < f->lines.n; i++) {
		l = &f->lines.p[i];
		if (l->wave == wave && str_eq(l->app, app) && str_eq(l->what, what))
			return l;
	}
	l = ARENA_PUSH(f->c->a, &f->lines);
	*l = (struct line){.app = app, .what = what, .wave = wave};
	return l;
}

static void plan_line(struct follow *f, str app, const struct node *p)
{
	struct client *c = f->c;
	str subject = say(c, get(p, "subject")), signer = say(c, get(p, "signer"));
	struct line *l = line_for(f, app, 0, STR(""));

	l->what = sayf(c,
		       STR_FMT "  " STR_FMT "%s" STR_FMT "%s  %s" STR_FMT "%srendered " STR_FMT
			       ", %lld changed",
		       STR_ARG(app), STR_ARG(short_id(c, get(p, "revision"))),
		       subject.n ? " \"" : "", STR_ARG(subject), subject.n ? "\"" : "",
		       signer.n ? "verified " : "", STR_ARG(signer), signer.n ? "  " : "",
		       STR_ARG(counted(c, get_int(p, "objects", 0), "object", "objects")),
		       (long long)get_int(p, "changes", 0));
	l->final = true;
}

static void on_progress(struct follow *f, const struct node *p)
{
	struct client *c = f->c;
	const struct node *kinds = get_list(p, "kinds"), *object = node_get(p, STR("object"));
	str app = say(c, get(p, "app")), stage = get(p, "stage");
	int64_t wave = get_int(p, "wave", 0);
	bool ours = false;
	struct line *l;

	for (size_t i = 0; i < f->n; i++)
		ours = ours || str_eq(f->apps[i], get(p, "app"));
	if (!ours)
		return;
	if (str_eq(stage, STR("plan")) && node_get(p, STR("objects")))
		plan_line(f, app, p);
	else if (wave && (kinds || object)) {
		l = line_for(f, app, wave, kinds ? kinds_of(c, kinds) : object_label(c, object));
		l->waves = get_int(p, "waves", 0);
		l->mark = kinds ? 0 : mark_of(get(p, "action"));
		l->result = say(c, get(p, "result"));
		l->message = get(p, "message").n && !is_final(l->result)
				     ? sayf(c, STR_FMT "…", STR_ARG(say(c, get(p, "message"))))
				     : say(c, get(p, "message"));
		l->took = took(c, p, "took");
		l->final = kinds || is_final(l->result) || get_bool(p, "final");
	} else {
		return;
	}
	draw(f, false);
}

static void follow_event(void *arg, uint64_t number UNUSED, str name, str data)
{
	struct follow *f = arg;
	struct text *t;
	const struct node *p;
	struct err *e;

	if (!str_eq(name, STR("progress")))
		return;
	t = ARENA_NEW(f->c->a, struct text);
	*t = (struct text){STR("<stream>"), arena_str(f->c->a, data)};
	if (str_utf8_bad(t->bytes) != SIZE_MAX)
		return;
	e = node_read_json(f->c->a, t, &p);
	if (!e)
		on_progress(f, p);
	err_free(e);
}

static void follow_open(void *arg)
{
	((struct follow *)arg)->stream_open = true;
}

static void follow_over(void *arg, struct err *e)
{
	((struct follow *)arg)->stream_over = true;
	err_free(e); /* the answer says how the sync ends */
}

static void follow_answer(void *arg, const struct answer *a, struct err *e)
{
	struct follow_app *one = arg;
	struct follow *f = one->f;

	if (a)
		f->ends[one->i].answer = *a;
	f->ends[one->i].e = e;
	f->ends[one->i].done = true;
	f->ended++;
}

static struct err *ask_all(struct follow *f)
{
	struct client *c = f->c;

	for (size_t i = 0; i < f->n; i++) {
		CLEANUP(query) struct query q = {0};
		struct follow_app *one = ARENA_NEW(c->a, struct follow_app);

		*one = (struct follow_app){f, i};
		query_init(&q, true, "apps");
		query_part(&q, f->apps[i]);
		buf_str(&q.path, STR("/sync"));
		query_flag(&q, "wait", true);
		query_flag(&q, "force_compare", verb_has(&c->words, "--force-compare"));
		query_flag(&q, "new_target", verb_has(&c->words, "--new-target"));
		query_add(&q, "reason", verb_value(&c->words, "--reason"));
		TRY(client_ask_later(c, &q, follow_answer, one));
	}
	return NULL;
}

int follow_sync(struct client *c, const str *apps, size_t n)
{
	static const struct stream_calls calls = {follow_open, follow_event, follow_over};
	/* Callbacks of calls that are still open when we leave come no more: nobody turns the loop.
	 */
	struct follow *f = ARENA_NEW(c->a, struct follow);
	struct stream *stream = NULL;
	int status = 0;
	struct err *e;

	*f = (struct follow){.c = c, .apps = apps, .n = n};
	f->ends = arena_alloc_array(c->a, n, sizeof(f->ends[0]));
	e = c->quiet ? NULL : stream_open(c, 0, false, &calls, f, &stream);
	if (e) {
		err_free(e);
		stream = NULL;
	}
	while (stream && !f->stream_open && !f->stream_over && !c->late)
		loop_turn(c->loop, true);
	e = ask_all(f);
	while (!e && f->ended < n && !c->late)
		loop_turn(c->loop, true);
	stream_close(stream);
	if (e)
		return fail(c, e);
	draw(f, true);
	for (size_t i = 0; i < n; i++) {
		int one = 7;

		if (!f->ends[i].done)
			e = err_new(ERR_TIMEOUT, "time was up; what was going on goes on");
		else
			e = f->ends[i].e;
		if (e) {
			one = f->ends[i].done ? fail(c, e) : 7;
			if (!f->ends[i].done && !i)
				(void)fail(c, e);
			else if (!f->ends[i].done)
				err_free(e);
		} else {
			one = finish(c, &f->ends[i].answer, show_result);
		}
		status = status ? status : one;
	}
	return status;
}

/* ------------------------------------------------------------------ events */

struct tail {
	struct client *c;
	uint64_t last;
	bool over, told;
	msec since;
};

static bool is_wanted(struct client *c, const struct tail *t, const struct node *e, str name)
{
	str type = verb_value(&c->words, "--type"), app = verb_value(&c->words, "--app");
	msec time;

	if (type.n && fnmatch(arena_str(c->a, type).p, arena_str(c->a, name).p, 0) != 0)
		return false;
	if (t->since && get_time(e, "time", &time) && time < t->since)
		return false;
	return !app.n || str_eq(app, get(node_get(e, STR("data")), "app"));
}

static void tail_event(void *arg, uint64_t number, str name, str data)
{
	struct tail *t = arg;
	struct client *c = t->c;
	CLEANUP(arena) struct arena *a = arena_new();
	struct text in = {STR("<stream>"), arena_str(a, data)};
	const struct node *e;
	struct err *bad;

	if (!number)
		return; /* progress */
	t->last = number;
	bad = str_utf8_bad(in.bytes) == SIZE_MAX ? node_read_json(a, &in, &e)
						 : err_new(ERR_SYNTAX, "no UTF-8");
	if (bad) {
		err_free(bad);
		return;
	}
	c->now = time_wall();
	if (!is_wanted(c, t, e, name))
		return;
	if (c->format == FORMAT_JSON)
		buf_printf(&c->out, STR_FMT "\n", STR_ARG(data));
	else if (c->format == FORMAT_NAME)
		buf_printf(&c->out, STR_FMT "\n", STR_ARG(say(c, get(e, "id"))));
	else
		show_event(c, e, &c->out);
	flush_out(c);
}

static void tail_over(void *arg, struct err *e)
{
	struct tail *t = arg;

	if (e && !t->told && !t->c->quiet) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_line_to(e, &b);
		fprintf(stderr, "lost the daemon, trying again: %s\n", b.p);
		t->told = true;
	}
	err_free(e);
	t->over = true;
}

static void tail_open(void *arg)
{
	((struct tail *)arg)->told = false;
}

static void wake_up(void *arg)
{
	*(bool *)arg = true;
}

int verb_events_follow(struct client *c, uint64_t after, bool replay)
{
	static const struct stream_calls calls = {tail_open, tail_event, tail_over};
	struct tail *t = ARENA_NEW(c->a, struct tail);

	*t = (struct tail){.c = c, .last = after};
	while (!c->late) {
		struct stream *s = NULL;
		bool *awake = ARENA_NEW(c->a, bool);
		struct timer *pause;
		struct err *e = stream_open(c, t->last, replay || t->last, &calls, t, &s);

		if (e)
			return fail(c, e);
		t->over = false;
		while (!t->over && !c->late)
			loop_turn(c->loop, true);
		stream_close(s);
		if (c->late)
			break;
		pause = timer_start(c->loop, RECONNECT, wake_up, awake);
		while (!*awake && !c->late)
			loop_turn(c->loop, true);
		if (!*awake)
			timer_stop(pause);
	}
	return 7;
}

/* ------------------------------------------------------------------ status -w */

struct watch {
	struct client *c;
	struct timer *soon;
	bool due, over;
};

static void on_due(void *arg)
{
	struct watch *w = arg;

	w->soon = NULL;
	w->due = true;
}

static void due_in(struct watch *w, msec d)
{
	timer_stop(w->soon);
	w->soon = timer_start(w->c->loop, d, on_due, w);
}

static void watch_event(void *arg, uint64_t number UNUSED, str name UNUSED, str data UNUSED)
{
	struct watch *w = arg;

	if (!w->due)
		due_in(w, REDRAW_AFTER);
}

static void watch_over(void *arg, struct err *e)
{
	struct watch *w = arg;

	w->over = true;
	err_free(e); /* the next question says whether the daemon is there */
	due_in(w, RECONNECT);
}

int verb_status_watch(struct client *c)
{
	static const struct stream_calls calls = {NULL, watch_event, watch_over};
	struct watch *w = ARENA_NEW(c->a, struct watch);
	struct stream *s = NULL;
	int status = 0;

	*w = (struct watch){.c = c, .due = true, .over = true};
	while (!c->late) {
		CLEANUP(query) struct query q = {0};
		struct answer a;
		struct err *e;

		if (w->over) {
			stream_close(STEAL(s));
			w->over = false;
			e = stream_open(c, 0, false, &calls, w, &s);
			if (e)
				return fail(c, e);
		}
		w->due = false;
		due_in(w, REFRESH);
		query_init(&q, false, "status");
		query_add(&q, "q", c->words.n ? c->words.operands[0] : STR(""));
		query_add(&q, "source", verb_value(&c->words, "--source"));
		query_flag(&q, "problems", verb_has(&c->words, "--problems"));
		e = client_ask(c, &q, &a);
		if (!e && c->terminal && c->format != FORMAT_JSON)
			buf_str(&c->out, STR("\x1b[H\x1b[2J"));
		status = e ? fail(c, e) : finish(c, &a, show_status);
		if (e || a.status >= 400)
			break;
		while (!w->due && !c->late)
			loop_turn(c->loop, true);
	}
	stream_close(s);
	timer_stop(w->soon);
	return c->late ? 7 : status;
}
