/* client_priv: what the files of client share. */
#pragma once
#include "leeboard/client.h"
#include "leeboard/event.h"
#include "leeboard/http.h"
#include "leeboard/verb.h"

enum format { FORMAT_TEXT, FORMAT_WIDE, FORMAT_JSON, FORMAT_NAME };

struct client {
	struct arena *a; /* of the whole call */
	struct loop *loop;
	struct http *http;
	struct verb_words words;
	enum format format;
	bool quiet, verbose;
	bool color, terminal; /* of stdout */
	bool terminal_err;
	size_t width; /* of stdout's terminal; 0: it is none, nothing is cut */
	/* Where the daemon is. */
	const char *socket; /* NULL: server */
	str server, token;
	struct timer *alarm; /* --timeout */
	bool late;
	msec now; /* of the last document, else of the clock */
	struct buf out;
};

/* ------------------------------------------------------------------ asking (ask.c) */

struct answer {
	unsigned status;
	int exit;               /* below 0: the daemon did not say */
	const struct node *doc; /* NULL: no JSON */
	str json;               /* as it came */
};
struct query { /* a path and its parameters; or a path and a JSON map */
	struct buf path, body;
	bool acts, params;
};
void query_init(struct query *q, bool acts, const char *path); /* "status", below /api/v1 */
void query_part(struct query *q, str part);                    /* "/" and the part, escaped */
void query_add(struct query *q, const char *key, str value);   /* empty: left out */
void query_flag(struct query *q, const char *key, bool on);    /* off: left out */
void query_done(struct query *q);
static inline void query_cleanup(struct query *q)
{
	query_done(q);
}
/* The daemon and the way to it; words are read. */
MUST_CHECK struct err *client_find(struct client *c);
/* Until the answer is here. ERR_TIMEOUT when c->late. */
MUST_CHECK struct err *client_ask(struct client *c, const struct query *q, struct answer *ret);
struct asking;
/* The same, answered later from the loop. */
MUST_CHECK struct err *client_ask_later(struct client *c, const struct query *q,
					void (*done)(void *arg, const struct answer *a,
						     struct err *e),
					void *arg);

/* Server-sent events. */
struct stream;
struct stream_calls {
	void (*open)(void *arg); /* the head came: nothing is missed from here on; NULL: not wanted */
	void (*event)(void *arg, uint64_t number, str name, str data);
	void (*end)(void *arg, struct err *e); /* it ended, or never began; e is the callee's */
};
MUST_CHECK struct err *stream_open(struct client *c, uint64_t after, bool replay,
				   const struct stream_calls *calls, void *arg,
				   struct stream **ret);
void stream_close(struct stream *s); /* NULL is fine */
/* Lines of a stream, fed piece by piece; by itself, for its tests. */
struct sse {
	struct buf line, data, name;
	uint64_t number;
	bool too_long;
};
void sse_feed(struct sse *s, str bytes,
	      void (*event)(void *arg, uint64_t number, str name, str data), void *arg);
void sse_done(struct sse *s);

/* ------------------------------------------------------------------ screens (screen.c) */

/* Members of an answer, as texts that may be shown; unknown: empty. */
str get(const struct node *map, const char *key);
int64_t get_int(const struct node *map, const char *key, int64_t otherwise);
bool get_bool(const struct node *map, const char *key);
const struct node *get_list(const struct node *map, const char *key); /* NULL: none or empty */
/* A time; false when it is unknown. */
bool get_time(const struct node *map, const char *key, msec *ret);

/* A table of cells; the arena's. A cell is shown as it is: escape foreign text (say). */
enum cell_style { CELL_PLAIN, CELL_GOOD, CELL_WARN, CELL_BAD, CELL_FAINT, CELL_BOLD };
struct cell {
	str text;
	enum cell_style style;
};
struct table {
	struct arena *a;
	size_t columns;
	bool right[12]; /* aligned to the right */
	size_t least[12];
	struct {
		struct cell *p;
		size_t n, cap;
	} cells;
};
struct table *table_new(struct arena *a, size_t columns);
void table_add(struct table *t, str text); /* the next cell */
void table_add_styled(struct table *t, str text, enum cell_style style);
void table_end_row(struct table *t); /* the rest of the row is empty */
/* Columns stand two blanks apart. The last cell of a row does not widen its column. */
void table_print(const struct client *c, const struct table *t, const char *indent, struct buf *b);

str say(struct client *c, str foreign); /* escaped for a terminal */
str sayf(struct client *c, const char *fmt, ...) PRINTF_LIKE(2, 3); /* parts are escaped already */
str short_id(struct client *c, str commit);                         /* 7 digits */
str plan_id(struct client *c, str id);                              /* 12 digits */
str ago(struct client *c, msec t);   /* "14 min" below two days, else "2026-11-20" */
str span(struct client *c, msec d);  /* "2 min 40 s" */
str took(struct client *c, const struct node *map, const char *key); /* "19 s", "5 min" */
str clock_of(struct client *c, msec t, bool seconds); /* "14:02", of another day its date */
str day_of(struct client *c, msec t);                 /* "2026-10-02" */
str time_of_day(struct client *c, msec t);            /* "13:40:07" */
str object_label(struct client *c, const struct node *object); /* "Deployment shop/web" */
str object_short(struct client *c, const struct node *object); /* "deploy/web" */
/* A value as a screen shows it; `quote` strings that could be taken for something else, or always
 * those of free maps. NULL: "(absent)". */
str value_of(struct client *c, const struct node *v, str path);
/* (ana@example.org, signed) of an R; empty when nobody is known. */
str by_whom(struct client *c, const struct node *revision);
/* "commit 8c0d3fe is not signed" without what stands beside it anyway: "not signed". */
str refusal_of(struct client *c, str message);
str place_of(struct client *c, const struct node *origin); /* file:line; empty: unknown */
str counted(struct client *c, int64_t n, const char *one, const char *many);
enum cell_style style_of(str state);
void color_on(const struct client *c, enum cell_style s, struct buf *b);
void color_off(const struct client *c, enum cell_style s, struct buf *b);

/* ------------------------------------------------------------------ documents (show_*.c) */

void show_status(struct client *c, const struct node *doc, struct buf *b);
void show_one(struct client *c, const struct node *doc, struct buf *b); /* Status */
void show_plan(struct client *c, const struct node *doc, struct buf *b);
void show_diff(struct client *c, const struct node *doc, bool why, struct buf *b);
void show_history(struct client *c, const struct node *doc, struct buf *b);
void show_sync(struct client *c, const struct node *item, struct buf *b); /* one of History, whole */
void show_result(struct client *c, const struct node *doc, struct buf *b); /* SyncResult, a line */
void show_wait(struct client *c, const struct node *doc, struct buf *b);
void show_event(struct client *c, const struct node *event, struct buf *b);
void show_drift(struct client *c, const struct node *doc, struct buf *b);
void show_why(struct client *c, const struct node *doc, struct buf *b);
void show_verification(struct client *c, const struct node *doc, struct buf *b);
void show_graph(struct client *c, const struct node *doc, struct buf *b);
void show_version(struct client *c, const struct node *doc, struct buf *b);
void show_reload(struct client *c, const struct node *doc, struct buf *b);
void show_error(const struct node *doc, struct buf *b);
/* "prefix-*" that all of n names share, or empty. */
str common_prefix(struct client *c, const str *names, size_t n);

/* ------------------------------------------------------------------ verbs (verbs.c, follow.c) */

/* Prints an answer in the format asked for; text by `show`. The exit status. */
int finish(struct client *c, const struct answer *a,
	   void (*show)(struct client *c, const struct node *doc, struct buf *b));
int fail(struct client *c, struct err *e);
/* Asks for the word on the terminal. 0: it was given; else the exit status, said why. */
int confirm(struct client *c, const char *question, str word);
int follow_sync(struct client *c, const str *apps, size_t n);
int verb_events_follow(struct client *c, uint64_t after, bool replay);
int verb_status_watch(struct client *c);
void flush_out(struct client *c); /* c->out to stdout */
