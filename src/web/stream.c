/* stream: server-sent events. What was missed since Last-Event-ID (or `after`) is asked of the
 * engine page by page; what happens meanwhile waits behind it. A reader who falls too far behind is
 * let go and comes back with its last id. */
#include "web_priv.h"
#include <stdlib.h>
#include <sys/socket.h>

#define PAGE 500u
#define PIECE 4096u /* bytes handed to libmicrohttpd at once */

struct event_line {
	uint64_t number;
	str text;
};
struct stream {
	struct request *r;
	struct sync_listener *listener;
	struct sync_asked *asked;
	struct timer *beat;
	struct buf out;
	size_t sent;   /* bytes of out that are gone */
	uint64_t last; /* number of the last durable event in out */
	bool replaying, ended, dropped;
	struct buf later; /* what came while replaying */
	uint64_t later_first;
};

static void wake(struct stream *s)
{
	request_wake(s->r);
}

static void line(struct buf *b, uint64_t number, str name, str json)
{
	str rest = json, part;

	if (number)
		buf_printf(b, "id: %llu\n", (unsigned long long)number);
	buf_printf(b, "event: " STR_FMT "\n", STR_ARG(name));
	while (str_split(&rest, '\n', &part))
		buf_printf(b, "data: " STR_FMT "\n", STR_ARG(part));
	buf_char(b, '\n');
}

static void check_size(struct stream *s)
{
	if (s->out.n - s->sent + s->later.n <= WEB_MAX_STREAM)
		return;
	s->dropped = true;
	/* Most likely its connection does not sleep but waits for the reader. */
	shutdown(s->r->fd, SHUT_RDWR);
	wake(s);
}

static void on_event(void *arg, uint64_t number, str name, str json)
{
	struct stream *s = arg;

	if (s->dropped || s->ended || (number && number <= s->last))
		return;
	line(s->replaying ? &s->later : &s->out, number, name, json);
	if (s->replaying && number && !s->later_first)
		s->later_first = number;
	else if (!s->replaying && number)
		s->last = number;
	check_size(s);
	if (!s->replaying)
		wake(s);
}

static void on_beat(void *arg)
{
	struct stream *s = arg;

	s->beat = timer_start(s->r->web->env.loop, WEB_HEARTBEAT, on_beat, s);
	buf_str(&s->out, STR(":\n\n"));
	check_size(s);
	wake(s);
}

static void replay(struct stream *s);

static void replay_done(struct stream *s)
{
	s->replaying = false;
	buf_str(&s->out, buf_view(&s->later));
	buf_done(&s->later);
	wake(s);
}

/* One page of an EventList. Members that the envelope added (`number`) are harmless to readers. */
static void on_page(void *arg, const struct sync_answer *answer)
{
	struct stream *s = arg;
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf json = BUF_INIT;
	struct text t = {STR("events"), answer->json};
	const struct node *doc = NULL, *items;
	bool more;

	s->asked = NULL;
	if (answer->status == 200)
		err_free(node_read_json(a, &t, &doc));
	items = node_get(doc, STR("items"));
	more = items && items->kind == NODE_LIST && items->n && node_get(doc, STR("next"));
	for (size_t i = 0; items && items->kind == NODE_LIST && i < items->n; i++) {
		const struct node *e = items->items[i];
		str type = node_get_text(e, STR("type"));
		int64_t number;

		if (!node_i64(node_get(e, STR("number")), &number) || number <= 0 ||
		    (uint64_t)number <= s->last)
			continue;
		if (s->later_first && (uint64_t)number >= s->later_first) {
			more = false; /* from here on it came live */
			break;
		}
		buf_clear(&json);
		node_json(node_del(a, e, STR("number")), NODE_JSON_COMPACT, &json);
		if (str_starts(type, STR("dev.leeboard.")))
			type = str_sub(type, 13, SIZE_MAX);
		line(&s->out, (uint64_t)number, type, buf_view(&json));
		s->last = (uint64_t)number;
	}
	check_size(s);
	if (more && !s->dropped)
		replay(s);
	else
		replay_done(s);
	wake(s);
}

static void replay(struct stream *s)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct node_pairs v = {0};
	struct sync_question q = {.verb = SYNC_EVENTS, .caller = s->r->caller};

	node_pairs_add(a, &v, STR("after"),
		       node_new_str(a, arena_printf(a, "%llu", (unsigned long long)s->last)));
	node_pairs_add(a, &v, STR("limit"), node_new_str(a, arena_printf(a, "%u", PAGE)));
	q.args = node_new_map(a, v.p, v.n);
	sync_ask(s->r->web->env.sync, &q, on_page, s, &s->asked);
}

static ssize_t on_read(void *arg, uint64_t pos, char *to, size_t most)
{
	struct stream *s = arg;
	size_t n = s->out.n - s->sent;

	(void)pos;
	if (s->dropped || s->r->gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (!n) {
		if (s->ended)
			return MHD_CONTENT_READER_END_OF_STREAM;
		request_sleep(s->r);
		return 0;
	}
	n = n < most ? n : most;
	memcpy(to, s->out.p + s->sent, n);
	s->sent += n;
	if (s->sent == s->out.n) {
		buf_clear(&s->out);
		s->sent = 0;
	} else if (s->sent >= PIECE * 16) {
		memmove(s->out.p, s->out.p + s->sent, s->out.n - s->sent);
		s->out.n -= s->sent;
		s->sent = 0;
	}
	return (ssize_t)n;
}

enum MHD_Result stream_start(struct request *r)
{
	const char *id = MHD_lookup_connection_value(r->c, MHD_HEADER_KIND, "Last-Event-ID");
	str after = id ? str_from(id) : node_get_text(r->target.args, STR("after"));
	struct stream *s = xcalloc(1, sizeof(*s));
	struct MHD_Response *m;
	enum MHD_Result rc;

	s->r = r;
	r->stream = s;
	/* At once something, so that the head goes out. */
	buf_str(&s->out, STR(":\nretry: 2000\n\n"));
	s->listener = sync_listen(r->web->env.sync, on_event, s);
	s->beat = timer_start(r->web->env.loop, WEB_HEARTBEAT, on_beat, s);
	if (after.n && str_to_u64(after, &s->last)) {
		s->replaying = true;
		replay(s);
	}
	m = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, on_read, s, NULL);
	MHD_add_response_header(m, "Content-Type", "text/event-stream");
	MHD_add_response_header(m, "Cache-Control", "no-store");
	MHD_add_response_header(m, "X-Content-Type-Options", "nosniff");
	rc = MHD_queue_response(r->c, 200, m);
	MHD_destroy_response(m);
	return rc;
}

void stream_end(struct stream *s)
{
	s->ended = true;
	wake(s);
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	sync_unlisten(s->listener);
	sync_unask(s->asked);
	timer_stop(s->beat);
	buf_done(&s->out);
	buf_done(&s->later);
	free(s);
}
