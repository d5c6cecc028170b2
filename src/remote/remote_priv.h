/* What the files of remote share: pkt-lines, and the two answers that are parsed whole. */
#pragma once
#include "leeboard/remote.h"

#define PKT_MAX 65520u /* bytes of a line, its length included */

/* Rows of the protocol's "0000", "0001", "0002", and a line. */
enum pkt_kind { PKT_FLUSH, PKT_DELIM, PKT_END, PKT_LINE };
enum pkt_got { PKT_OK, PKT_MORE, PKT_BAD };
struct pkt {
	enum pkt_kind kind;
	str data; /* of a line, borrowed */
};
/* The first packet of *rest, which moves past it. PKT_MORE: it is not whole yet. */
enum pkt_got pkt_next(str *rest, struct pkt *ret);
/* Text lines lose their newline. */
str pkt_text(str data);
void pkt_line(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void pkt_flush(struct buf *b);
void pkt_delim(struct buf *b);

struct remote_caps {
	bool ls_refs, fetch, shallow;
};
/* The answer to GET info/refs. where: host, for messages. */
MUST_CHECK struct err *remote_caps_parse(str body, str where, struct remote_caps *ret);
/* The answer to ls-refs; names are the arena's. */
MUST_CHECK struct err *remote_refs_parse(struct arena *a, str body, str where,
					 struct remote_refs *ret);
/* "ERR text": what the server said, as an error. */
struct err *remote_said(str where, str text) MUST_CHECK;
bool remote_is_id(str s);

/* The answer to fetch, in pieces. */
struct remote_stream {
	enum { STREAM_BEGIN, STREAM_SKIP, STREAM_SHALLOW, STREAM_PACK, STREAM_END } state;
	struct buf rest; /* of a packet that is not whole */
	struct buf line; /* of the server's progress */
	str where;
	const struct remote_fetch_calls *calls;
	void *arg;
};
MUST_CHECK struct err *remote_stream_feed(struct remote_stream *s, str bytes);
/* The answer is over: did the pack end? */
MUST_CHECK struct err *remote_stream_end(struct remote_stream *s);
void remote_stream_done(struct remote_stream *s);

/* scheme://host:port of an http url without user, query and fragment, lower case, port said. */
struct remote_url {
	str scheme, host, port, path; /* path: from its "/" on, may be empty */
};
bool remote_url_parse(str url, struct remote_url *ret);
