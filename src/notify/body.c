/* What goes over the wire: CloudEvents and Flux's Event as they are kept, chat messages as text. */
#include "notify_priv.h"

/* Slack reads <...> as links and mentions; foreign text must not call a channel. */
static void chat_text(struct buf *b, str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '&')
			buf_str(b, STR("&amp;"));
		else if (s.p[i] == '<')
			buf_str(b, STR("&lt;"));
		else if (s.p[i] == '>')
			buf_str(b, STR("&gt;"));
		else
			buf_char(b, s.p[i]);
	}
}

/* The first line bold. */
static void chat_event(struct buf *b, str text)
{
	size_t end = str_chr(text, '\n');
	str first = str_sub(text, 0, end == SIZE_MAX ? text.n : end);

	buf_char(b, '*');
	chat_text(b, first);
	buf_char(b, '*');
	chat_text(b, str_sub(text, first.n, SIZE_MAX));
}

static void chat(const struct receiver *r, const struct event_deliveries *d, struct buf *b)
{
	CLEANUP(buf) struct buf text = BUF_INIT;

	if (r->alert->summary.n) {
		chat_text(&text, r->alert->summary);
		buf_char(&text, '\n');
	}
	if (d->n > 1)
		buf_printf(&text, "%zu x " STR_FMT "\n", d->n, STR_ARG(d->p[0].event.name));
	for (size_t i = 0; i < d->n && i < NOTIFY_SHOWN; i++) {
		if (i)
			buf_char(&text, '\n');
		chat_event(&text, d->p[i].event.text);
	}
	if (d->n > NOTIFY_SHOWN)
		buf_printf(&text, "\nand %zu more: leeboard events", (size_t)(d->n - NOTIFY_SHOWN));
	buf_str(b, STR("{\"text\":"));
	buf_json(b, buf_view(&text));
	if (r->to->channel.n) {
		buf_str(b, STR(",\"channel\":"));
		buf_json(b, r->to->channel);
	}
	if (r->to->username.n) {
		buf_str(b, STR(",\"username\":"));
		buf_json(b, r->to->username);
	}
	buf_char(b, '}');
}

/* Flux carries an Alert's summary as metadata.summary. */
static void flux(const struct receiver *r, str kept, struct buf *b)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct text in = {.name = STR("event"), .bytes = kept};
	const struct node *root, *meta;
	struct err *e;

	if (!r->alert->summary.n) {
		buf_str(b, kept);
		return;
	}
	e = node_read_json(a, &in, &root);
	if (e) { /* it was ours; nothing can be added to it */
		err_free(e);
		buf_str(b, kept);
		return;
	}
	meta = node_set(a, node_get(root, STR("metadata")), STR("summary"),
			node_new_str(a, r->alert->summary));
	node_json(node_set(a, root, STR("metadata"), meta), NODE_JSON_COMPACT, b);
}

void notify_body(const struct receiver *r, const struct event_deliveries *d, struct buf *b)
{
	if (r->to->type == ALERT_SLACK)
		chat(r, d, b);
	else if (r->to->format == FORMAT_FLUX)
		flux(r, d->p[0].event.flux, b);
	else
		buf_str(b, d->p[0].event.json);
}
