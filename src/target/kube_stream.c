/* The lines of one watch: {"type": ..., "object": {...}}, one tree at a time. */
#include "kube_priv.h"
#include <stdlib.h>

struct kube_stream {
	struct kube *k;
	struct kube_stream_callbacks cb;
	void *arg;
	struct kube_req *req;
	struct timer *idle, *ending;
	struct buf path, line;
	struct kube_what what;
	struct err *failed;
	bool busy, dead, begun;
};

static void release(struct kube_stream *s)
{
	timer_stop(s->idle);
	timer_stop(s->ending);
	kube_req_cancel(s->req);
	err_free(s->failed);
	buf_done(&s->path);
	buf_done(&s->line);
	free(s);
}

void kube_stream_free(struct kube_stream *s)
{
	if (!s)
		return;
	s->dead = true;
	if (!s->busy)
		release(s);
}

static void end(struct kube_stream *s, const struct kube_reply *r, struct err *e)
{
	struct kube_stream_callbacks cb = s->cb;
	void *arg = s->arg;

	release(s);
	cb.end(arg, r, e);
}

static void on_ending(void *arg)
{
	struct kube_stream *s = arg;

	s->ending = NULL;
	end(s, NULL, STEAL(s->failed));
}

/* In the next turn: the request must not end within its own bytes. */
static void fail(struct kube_stream *s, struct err *e)
{
	if (s->dead || s->failed) {
		err_free(e);
		return;
	}
	s->failed = e;
	kube_req_cancel(s->req);
	s->ending = timer_start(s->k->t.loop, 0, on_ending, s);
}

static msec patience(const struct kube_stream *s)
{
	return s->begun ? KUBE_STREAM_IDLE : KUBE_STREAM_BEGIN;
}

static void on_idle(void *arg)
{
	struct kube_stream *s = arg;

	s->idle = NULL;
	fail(s, err_new(ERR_TARGET_UNREACHABLE, "the server has been silent for %lld s",
			(long long)(patience(s) / SECOND)));
}

static void alive(struct kube_stream *s)
{
	timer_stop(s->idle);
	s->idle = timer_start(s->k->t.loop, patience(s), on_idle, s);
}

static bool event_of(str type, enum kube_event *ret)
{
	static const str names[] = {
		[KUBE_ADDED] = STR("ADDED"),     [KUBE_MODIFIED] = STR("MODIFIED"),
		[KUBE_DELETED] = STR("DELETED"), [KUBE_BOOKMARK] = STR("BOOKMARK"),
		[KUBE_ERROR] = STR("ERROR"),
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(names[i], type)) {
			*ret = (enum kube_event)i;
			return true;
		}
	return false;
}

static void take_line(struct kube_stream *s, str line)
{
	CLEANUP(arena) struct arena *a = NULL;
	const struct node *root = NULL, *object;
	enum kube_event what;
	struct err *e;

	if (!str_trim(line).n)
		return;
	a = arena_new();
	e = kube_json(a, STR("a watch event"), line, &root);
	if (e) {
		fail(s, err_new(ERR_TARGET_UNREACHABLE, "a watch event is broken: " STR_FMT,
				STR_ARG(err_message(e))));
		err_free(e);
		return;
	}
	object = node_get(root, STR("object"));
	if (!event_of(node_get_text(root, STR("type")), &what) || !node_is(object, NODE_MAP)) {
		fail(s, err_new(ERR_TARGET_UNREACHABLE, "a watch event is none"));
		return;
	}
	s->cb.event(s->arg, what, object);
}

static void on_data(void *arg, str bytes)
{
	struct kube_stream *s = arg;

	if (s->dead || s->failed)
		return;
	s->busy = s->begun = true;
	alive(s);
	if (!bytes.n && s->cb.begin)
		s->cb.begin(s->arg);
	while (bytes.n && !s->dead && !s->failed) {
		size_t nl = str_chr(bytes, '\n');
		str part = str_sub(bytes, 0, nl);

		bytes = nl == SIZE_MAX ? STR_NONE : str_sub(bytes, nl + 1, SIZE_MAX);
		if (s->line.n + part.n > KUBE_MAX_LINE) {
			fail(s, err_new(ERR_LIMIT, "a watch event is larger than %u bytes",
					KUBE_MAX_LINE));
		} else if (nl == SIZE_MAX) {
			buf_str(&s->line, part);
		} else if (s->line.n) {
			buf_str(&s->line, part);
			take_line(s, buf_view(&s->line));
			buf_done(&s->line); /* a rare large one shall not stay */
			s->line = BUF_INIT;
		} else {
			take_line(s, part);
		}
	}
	s->busy = false;
	if (s->dead)
		release(s);
}

static void on_reply(void *arg, const struct kube_reply *r, struct err *e)
{
	end(arg, r, e);
}

struct kube_stream *kube_stream_new(struct kube *k, str path, const struct kube_what *what,
				    const struct kube_stream_callbacks *cb, void *arg)
{
	struct kube_stream *s = xcalloc(1, sizeof(*s));
	struct kube_ask ask = {.method = "GET", .lane = KUBE_STREAM, .on_data = on_data};

	s->k = k;
	s->cb = *cb;
	s->arg = arg;
	s->what = *what;
	buf_str(&s->path, path);
	ask.path = buf_view(&s->path);
	ask.what = *what;
	kube_send(k, NULL, &ask, on_reply, s, &s->req);
	alive(s);
	return s;
}
