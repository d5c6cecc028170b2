/* base: what every other module stands on.
 *
 * arena    memory that dies together; everything a sync computes lives in one
 * str      a pointer and a length, by value, never owning; buf grows and owns
 * err      an error with a code, a message, a place and a cause; travels up, is printed once
 * hash     BLAKE2b-256, HMAC-SHA-256, SHA-256, and constant-time helpers
 * clock    wall and monotonic time, RFC 3339, durations as people write them
 * log      one line, one event, with keys
 * metric   counters, gauges, histograms from one table
 * loop     one thread: timers, signals, children, descriptors, file events, a small pool
 *
 * Memory that runs out ends the process. No function here keeps global state: `struct loop`,
 * `struct log` and `struct metrics` are contexts that are passed first. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define UNUSED __attribute__((unused))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* CLEANUP(thing) struct thing *t: calls thing_cleanup(&t) when t leaves its scope. A module that
 * has thing_free or thing_close writes DEFINE_CLEANUP(thing, thing_free) in its header. */
#define CLEANUP(thing) __attribute__((cleanup(thing##_cleanup)))
#define DEFINE_CLEANUP(thing, fn)                                                                  \
	static inline void thing##_cleanup(struct thing **p)                                       \
	{                                                                                          \
		fn(*p);                                                                            \
	}
/* STEAL(p): the value of p, and p becomes NULL, so that its CLEANUP does nothing. */
#define STEAL(p)                                                                                   \
	({                                                                                         \
		__typeof__(p) stolen_ = (p);                                                       \
		(p) = NULL;                                                                        \
		stolen_;                                                                           \
	})

/* ------------------------------------------------------------------ plain memory */

/* malloc and friends that end the process when there is no memory (exit status 2, one line). */
void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
char *xstrndup(const char *p, size_t n) __attribute__((malloc, returns_nonnull));
/* What was freed goes back to the system; for after work that took much. */
void mem_trim(void);
/* CLEANUP(cstr) char *s: freed with free(). */
static inline void cstr_cleanup(char **p)
{
	extern void free(void *);
	free(*p);
}
/* CLEANUP(fd) int fd = -1: closed when not negative. */
void fd_cleanup(int *fd);

/* ------------------------------------------------------------------ str */

typedef struct str {
	const char *p; /* not owned; may be NULL only when n is 0 */
	size_t n;
} str;

#define STR(lit) ((str){"" lit, sizeof(lit) - 1})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p
#define STR_NONE ((str){NULL, 0})

static inline str str_from(const char *c)
{
	return (str){c, c ? strlen(c) : 0};
}
static inline str str_n(const char *p, size_t n)
{
	return (str){p, n};
}
bool str_eq(str a, str b);
/* Bytewise order; a shorter string that is a prefix comes first. <0, 0, >0. */
int str_cmp(str a, str b);
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
bool str_contains(str s, str part);
/* Index of the byte or part, or SIZE_MAX. */
size_t str_find(str s, str part);
size_t str_chr(str s, char c);
size_t str_rchr(str s, char c);
/* s from byte `from` on, at most n bytes; both are clamped. */
str str_sub(str s, size_t from, size_t n);
/* Drops blanks, tabs, CR and LF at both ends. */
str str_trim(str s);
/* Cuts the first part off *rest at `sep`; false when nothing is left. An empty part is a part. */
bool str_split(str *rest, char sep, str *ret);
/* Decimal, whole string, no sign for u64; false on anything else or overflow. */
bool str_to_u64(str s, uint64_t *ret);
bool str_to_i64(str s, int64_t *ret);
/* Valid UTF-8 without NUL? The place of the first bad byte otherwise (SIZE_MAX when all is well).
 * Overlong forms, surrogates and anything above U+10FFFF are bad (RFC 3629). */
size_t str_utf8_bad(str s);
/* Levenshtein distance with transpositions, at most `limit`+1; for "did you mean". */
unsigned str_distance(str a, str b, unsigned limit);
/* The nearest of names within a third of its length, or STR_NONE. */
str str_nearest(str s, const str *names, size_t n);
uint64_t str_hash(str s); /* keyed per process: no table order can be forced from outside */

/* ------------------------------------------------------------------ arena */

struct arena;
/* Blocks grow from 4 KiB; from 64 KiB on they come from mmap and go back whole. In the sanitizer
 * build each allocation is a malloc of its own. */
struct arena *arena_new(void);
void arena_free(struct arena *a);
DEFINE_CLEANUP(arena, arena_free)
/* Zeroed, aligned for any type. n may be 0. */
void *arena_alloc(struct arena *a, size_t n) __attribute__((returns_nonnull));
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
/* Overflow-checked n * sizeof(type). */
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc_array((a), (n), sizeof(type)))
void *arena_alloc_array(struct arena *a, size_t n, size_t size) __attribute__((returns_nonnull));
/* A copy that ends in NUL. */
str arena_str(struct arena *a, str s);
str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
str arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* A vector that grows in an arena: struct {T *p; size_t n, cap;} v; *ARENA_PUSH(a, &v) = x; */
#define ARENA_PUSH(a, v)                                                                           \
	({                                                                                         \
		__typeof__(v) v_ = (v);                                                            \
		if (v_->n == v_->cap)                                                              \
			v_->p = arena_grow((a), v_->p, v_->n, &v_->cap, sizeof(v_->p[0]));         \
		&v_->p[v_->n++];                                                                   \
	})
void *arena_grow(struct arena *a, const void *old, size_t n, size_t *cap, size_t size);
/* Bytes handed out, for limits and metrics. */
size_t arena_used(const struct arena *a);

/* ------------------------------------------------------------------ buf */

struct buf {
	char *p; /* always NUL-terminated once something was added; NULL before */
	size_t n, cap;
};
#define BUF_INIT ((struct buf){NULL, 0, 0})
void buf_done(struct buf *b);
static inline void buf_cleanup(struct buf *b)
{
	buf_done(b);
}
/* CLEANUP(buf) struct buf b = BUF_INIT; */
void buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, str s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void buf_clear(struct buf *b); /* keeps the memory */
static inline str buf_view(const struct buf *b)
{
	return (str){b->p ? b->p : "", b->n};
}
/* The bytes as a malloc'd, NUL-terminated string; b is empty afterwards. */
char *buf_take(struct buf *b);
/* s for a terminal: control characters and bad UTF-8 as \xHH. Foreign text passes here. */
void buf_escaped(struct buf *b, str s);
/* s as a JSON string with quotes, escaped minimally (RFC 8259 section 7). */
void buf_json(struct buf *b, str s);
void buf_hex(struct buf *b, const void *p, size_t n);
/* RFC 4648 section 4, with padding. */
void buf_base64(struct buf *b, const void *p, size_t n);
/* Strict but for white space, which is skipped when `blanks`. False leaves b as it was. */
bool buf_unbase64(struct buf *b, str s, bool blanks);
bool hex_decode(str s, void *ret, size_t n); /* exactly 2n digits, either case */

/* ------------------------------------------------------------------ places and errors */

/* A text that places point into; lives as long as what was parsed from it. */
struct text {
	str name;  /* as people know the file: "apps/web/kustomization.yaml", "<stdin>" */
	str bytes; /* the whole text, for the caret; may be empty when it is not kept */
};
/* 1-based; line 0: the file as a whole. col counts code points. */
typedef struct loc {
	const struct text *in; /* NULL: no place */
	uint32_t line, col;
} loc;
#define LOC_NONE ((loc){NULL, 0, 0})

/* Rows: enumerator, code on the wire (interface.md 7), exit status (interface.md 1). */
#define ERR_CODES(X)                                                                               \
	X(ERR_INVALID, "bad-value", 2)                                                             \
	X(ERR_UNKNOWN_KEY, "unknown-key", 2)                                                       \
	X(ERR_WRONG_TYPE, "wrong-type", 2)                                                         \
	X(ERR_MISSING, "missing", 2)                                                               \
	X(ERR_NO_REFERENCE, "no-such-reference", 2)                                                \
	X(ERR_DUPLICATE, "duplicate", 2)                                                           \
	X(ERR_OPERATOR_ONLY, "operator-only", 2)                                                   \
	X(ERR_NOT_SUPPORTED, "not-supported-yet", 2)                                               \
	X(ERR_SYNTAX, "syntax", 2)                                                                 \
	X(ERR_USAGE, "usage", 2)                                                                   \
	X(ERR_NOT_FOUND, "not-found", 2)                                                           \
	X(ERR_IO, "io", 2)                                                                         \
	X(ERR_LIMIT, "limit", 2)                                                                   \
	X(ERR_INTERNAL, "internal", 2)                                                             \
	X(ERR_UNREACHABLE, "Unreachable", 2)                                                       \
	X(ERR_SOURCE_AUTH, "SourceAuth", 2)                                                        \
	X(ERR_HOST_KEY, "HostKey", 2)                                                              \
	X(ERR_TLS, "TLS", 2)                                                                       \
	X(ERR_REDIRECTED, "Redirected", 2)                                                         \
	X(ERR_REF_GONE, "RefGone", 2)                                                              \
	X(ERR_PLAN_CHANGED, "plan-changed", 5)                                                     \
	X(ERR_NOT_WAITING, "not-waiting", 2)                                                       \
	X(ERR_REFUSED, "Refused", 3)                                                               \
	X(ERR_VERIFIER_FAILED, "VerifierFailed", 3)                                                \
	X(ERR_RENDER, "RenderFailed", 4)                                                           \
	X(ERR_RENDER_LIMIT, "RenderLimit", 4)                                                      \
	X(ERR_PATH_MISSING, "PathMissing", 4)                                                      \
	X(ERR_CYCLE, "Cycle", 4)                                                                   \
	X(ERR_NOT_ALLOWED, "NotAllowed", 4)                                                        \
	X(ERR_OWNED_BY_OTHER, "OwnedByOther", 4)                                                   \
	X(ERR_INVALID_OBJECT, "Invalid", 4)                                                        \
	X(ERR_IMMUTABLE, "Immutable", 4)                                                           \
	X(ERR_FORBIDDEN, "Forbidden", 4)                                                           \
	X(ERR_OTHER_CLUSTER, "OtherCluster", 4)                                                    \
	X(ERR_CONFLICT, "Conflict", 4)                                                             \
	X(ERR_DENIED, "Denied", 4)                                                                 \
	X(ERR_QUOTA, "Quota", 4)                                                                   \
	X(ERR_TIMEOUT, "Timeout", 4)                                                               \
	X(ERR_BLOCKED, "Blocked", 4)                                                               \
	X(ERR_FINALIZER, "Finalizer", 4)                                                           \
	X(ERR_STORAGE, "Storage", 2)                                                               \
	X(ERR_SANDBOX, "Sandbox", 2)                                                               \
	X(ERR_TARGET_UNREACHABLE, "TargetUnreachable", 4)
enum err_code {
#define X(name, wire, status) name,
	ERR_CODES(X)
#undef X
};
const char *err_code_name(enum err_code c);
bool err_code_from_name(str name, enum err_code *ret);

struct err; /* heap; owned by whoever holds it; err_free or pass it up */
struct err *err_new(enum err_code c, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
/* Copies name, position and source line out of `at`, so `at` may die. */
struct err *err_at(enum err_code c, loc at, const char *fmt, ...) PRINTF_LIKE(3, 4) MUST_CHECK;
/* A place that another process told us (worker frames): no source line. */
struct err *err_at_named(enum err_code c, str file, uint32_t line, uint32_t col, const char *fmt,
			 ...) PRINTF_LIKE(5, 6) MUST_CHECK;
/* From errno: "doing what: No such file or directory". */
struct err *err_sys(enum err_code c, int errnum, const char *fmt, ...)
	PRINTF_LIKE(3, 4) MUST_CHECK;
/* Adds what the caller was doing. Takes e. */
struct err *err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
/* What to do about it, one line ("chmod 600 id"). Takes and returns e. */
struct err *err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
/* One of several: appends b to the list that a heads; either may be NULL. Takes both. */
struct err *err_join(struct err *a, struct err *b) MUST_CHECK;
void err_free(struct err *e);
DEFINE_CLEANUP(err, err_free)
enum err_code err_code(const struct err *e);
int err_exit_status(const struct err *e);
str err_message(const struct err *e); /* the innermost message, without place or wraps */
str err_file(const struct err *e);    /* empty: no place */
uint32_t err_line(const struct err *e);
uint32_t err_col(const struct err *e);
str err_hint_get(const struct err *e);      /* empty: none */
str err_context(const struct err *e);       /* wraps, outermost last, ", " between; may be empty */
str err_source_line(const struct err *e);   /* empty: none */
const struct err *err_next(const struct err *e); /* the next of a joined list */
size_t err_count(const struct err *e);
/* One line: "file:line:col: message (context)". For logs, JSON and screens. */
void err_line_to(const struct err *e, struct buf *b);
/* All of the list as people see it: place, message, source line with caret, context, hint. */
void err_print(const struct err *e, struct buf *b);
/* All of the list for machines, `errors` of interface.md 5: [{"code","message","file",...}]. */
void err_json(const struct err *e, struct buf *b);

#define TRY(expr)                                                                                  \
	do {                                                                                       \
		struct err *try_err_ = (expr);                                                     \
		if (try_err_)                                                                      \
			return try_err_;                                                           \
	} while (0)
#define TRY_WRAP(expr, ...)                                                                        \
	do {                                                                                       \
		struct err *try_err_ = (expr);                                                     \
		if (try_err_)                                                                      \
			return err_wrap(try_err_, __VA_ARGS__);                                    \
	} while (0)

/* ------------------------------------------------------------------ hash */

#define HASH_LEN 32
struct hash {
	uint8_t b[HASH_LEN];
};
/* Once per program, before threads and before a sandbox closes /dev/urandom. Ends the process on
 * failure. */
void hash_init(void);
/* BLAKE2b-256 (RFC 7693); key NULL: unkeyed, else 32 bytes. */
struct hash hash_blake2b(const uint8_t *key, str tag, str bytes); /* over tag "\0" bytes */
struct hash hash_sha256(str bytes);
void hash_hmac_sha256(str key, str bytes, uint8_t ret[32]);
str hash_hex(struct arena *a, struct hash h); /* 64 digits */
bool hash_eq(const struct hash *a, const struct hash *b);
bool mem_equal_const_time(const void *a, const void *b, size_t n);
void mem_wipe(void *p, size_t n);
void random_bytes(void *p, size_t n);
uint32_t random_below(uint32_t n);

/* ------------------------------------------------------------------ clock */

typedef int64_t msec; /* milliseconds */
#define SECOND ((msec)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
msec time_wall(void); /* since 1970, UTC */
msec time_mono(void);
/* RFC 3339 in UTC: "2026-11-22T13:40:07.212Z" or without the fraction. */
str time_rfc3339(struct arena *a, msec t, bool fraction);
/* Any RFC 3339 time with a zone. */
bool time_parse(str s, msec *ret);
/* Go form: "1h30m", "15s", "250ms". False on anything else, a negative one, or overflow. */
bool duration_parse(str s, msec *ret);
str duration_format(struct arena *a, msec d); /* "14 min", "2 d", "5m00s" is duration_clock */
str duration_short(struct arena *a, msec d);  /* Go form, "1h30m" */

/* ------------------------------------------------------------------ files */

/* The whole file, at most `limit` bytes (ERR_LIMIT above it). */
MUST_CHECK struct err *file_read(const char *path, size_t limit, struct buf *ret);
/* Written beside, synced, renamed over, the folder synced: whole or not at all. */
MUST_CHECK struct err *file_write_atomic(const char *path, str bytes, mode_t mode);
MUST_CHECK struct err *dir_make(const char *path, mode_t mode); /* and its parents; may exist */

/* ------------------------------------------------------------------ where things are */

/* The control socket of the system's daemon, and that of this user's: $XDG_RUNTIME_DIR/leeboard/socket
 * (empty: the variable is not set). */
#define PLACE_SYSTEM_SOCKET "/run/leeboard/socket"
str place_user_socket(struct arena *a);
/* One of our programs, "leeboard-client": beside the running one (a build), else in its
 * ../libexec/leeboard. ERR_NOT_FOUND names both. */
MUST_CHECK struct err *place_program(struct arena *a, const char *name, str *ret);

/* ------------------------------------------------------------------ log */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON, LOG_JOURNAL };
struct log;
/* fd is borrowed. */
struct log *log_new(int fd, enum log_format f, enum log_level most);
void log_free(struct log *l);
DEFINE_CLEANUP(log, log_free)
void log_set(struct log *l, enum log_format f, enum log_level most);
/* Key, value pairs of const char *, ended by NULL; a NULL value leaves the pair out. */
void log_event(struct log *l, enum log_level lv, const char *event, ...)
	__attribute__((sentinel));
#define log_error(l, ...) log_event((l), LOG_ERROR, __VA_ARGS__, NULL)
#define log_warn(l, ...) log_event((l), LOG_WARN, __VA_ARGS__, NULL)
#define log_info(l, ...) log_event((l), LOG_INFO, __VA_ARGS__, NULL)
#define log_debug(l, ...) log_event((l), LOG_DEBUG, __VA_ARGS__, NULL)
/* Traces by subject: "render,diff" or "all". Off costs one test. */
void log_trace_set(struct log *l, str subjects);
bool log_traces(const struct log *l, const char *subject);
void log_trace(struct log *l, const char *subject, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ------------------------------------------------------------------ metrics */

/* Rows: enumerator, name, kind, label names with commas, help. Labels are given as values in this
 * order. process_* come from /proc and need no row. */
#define METRICS(X)                                                                                 \
	X(METRIC_BUILD_INFO, "leeboard_build_info", GAUGE, "version", "Constant 1.")               \
	X(METRIC_SOURCE_POLLS, "leeboard_source_polls_total", COUNTER, "source,result",            \
	  "Polls of a remote.")                                                                    \
	X(METRIC_SOURCE_TIP_AGE, "leeboard_source_tip_age_seconds", GAUGE, "source",               \
	  "Seconds since the accepted tip was committed.")                                         \
	X(METRIC_VERDICTS, "leeboard_verdicts_total", COUNTER, "verdict",                          \
	  "Commits judged by verification.")                                                       \
	X(METRIC_RENDER_SECONDS, "leeboard_render_seconds", HISTOGRAM, "", "Time of one render.")  \
	X(METRIC_RENDERS, "leeboard_renders_total", COUNTER, "app,result", "Renders run.")         \
	X(METRIC_SYNC_SECONDS, "leeboard_sync_seconds", HISTOGRAM, "app",                          \
	  "Time from revision seen to settled.")                                                   \
	X(METRIC_SYNCS, "leeboard_syncs_total", COUNTER, "app,result", "Syncs ended.")             \
	X(METRIC_OBJECTS, "leeboard_objects", GAUGE, "app,state", "Objects owned, by state.")      \
	X(METRIC_DRIFT_OBJECTS, "leeboard_drift_objects", GAUGE, "app",                            \
	  "Objects with open drift.")                                                              \
	X(METRIC_DRIFT_ALERT_SECONDS, "leeboard_drift_alert_seconds", HISTOGRAM, "",               \
	  "Time from the change seen to its event queued.")                                        \
	X(METRIC_API_REQUESTS, "leeboard_api_requests_total", COUNTER, "target,verb,code",         \
	  "Requests to targets.")                                                                  \
	X(METRIC_GIT_BYTES, "leeboard_git_bytes_total", COUNTER, "source,direction",               \
	  "Bytes from and to Git remotes.")                                                        \
	X(METRIC_EVENTS_PENDING, "leeboard_events_pending", GAUGE, "",                             \
	  "Events not delivered yet.")                                                             \
	X(METRIC_WORKER_EXITS, "leeboard_worker_exits_total", COUNTER, "role,reason",              \
	  "Workers ended, by how.")                                                                \
	X(METRIC_HELD, "leeboard_held", GAUGE, "kind,name,reason",                                 \
	  "1 while something waits for a person.")                                                 \
	X(METRIC_SANDBOX, "leeboard_sandbox", GAUGE, "layer", "1 when the layer is active.")
enum metric {
#define X(id, name, kind, labels, help) id,
	METRICS(X)
#undef X
	METRIC_COUNT
};
struct metrics;
struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);
DEFINE_CLEANUP(metrics, metrics_free)
/* Label values as const char *, in the row's order, exactly as many as the row has. */
void metric_add(struct metrics *m, enum metric id, double v, const char *const *labels);
void metric_set(struct metrics *m, enum metric id, double v, const char *const *labels);
void metric_observe(struct metrics *m, enum metric id, double seconds, const char *const *labels);
/* Forget the series whose first label is this value (an app that went). */
void metric_drop(struct metrics *m, enum metric id, const char *first_label);
/* Prometheus text format 0.0.4, process_* included. */
void metrics_write(struct metrics *m, struct buf *b);
#define LABELS(...) ((const char *const[]){__VA_ARGS__})

/* ------------------------------------------------------------------ loop */

struct loop;
struct loop *loop_new(void);
void loop_free(struct loop *l); /* closes what is left open */
DEFINE_CLEANUP(loop, loop_free)
/* Until loop_stop, or until nothing is left to wait for. */
void loop_run(struct loop *l);
/* One turn; waits for an event when wait. True while there is something to wait for. */
bool loop_turn(struct loop *l, bool wait);
void loop_stop(struct loop *l);
/* The loop's clock: monotonic; tests may freeze it and turn it by hand. */
msec clock_now(struct loop *l);
msec clock_wall(struct loop *l);
void clock_freeze(struct loop *l, msec wall);
void clock_turn(struct loop *l, msec by); /* runs the timers that are due */

struct timer;
/* Calls fn once after d (0: in the next turn). Owned by the loop until it fires; then the handle is
 * gone. timer_stop before that frees it; NULL is fine. */
struct timer *timer_start(struct loop *l, msec d, void (*fn)(void *arg), void *arg);
void timer_stop(struct timer *t);

enum loop_io { LOOP_READ = 1, LOOP_WRITE = 2 };
struct watch_fd;
/* Level-triggered; fd is borrowed and must stay open until loop_fd_stop. */
struct watch_fd *loop_fd(struct loop *l, int fd, int events, void (*fn)(void *arg, int events),
			 void *arg);
void loop_fd_set(struct watch_fd *w, int events);
void loop_fd_stop(struct watch_fd *w);

struct watch_signal;
struct watch_signal *loop_signal(struct loop *l, int signo, void (*fn)(void *arg, int signo),
				 void *arg);
void loop_signal_stop(struct watch_signal *w);

struct watch_path;
/* inotify on one file or folder (not below it). name: the entry that changed, or NULL. */
MUST_CHECK struct err *loop_path(struct loop *l, const char *path,
				 void (*fn)(void *arg, const char *name), void *arg,
				 struct watch_path **ret);
void loop_path_stop(struct watch_path *w);

/* work runs in the pool (fsync batches only), then done in the loop. */
void loop_work(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg);

struct child_spec {
	const char *const *argv; /* argv[0] is the path to execute, ended by NULL */
	const char *const *env;  /* ended by NULL; NULL: empty environment */
	int fd3;                 /* becomes descriptor 3; -1: none. Closed in the parent by us. */
	int out, err;            /* become 1 and 2; -1: /dev/null; borrowed */
	const char *cwd;         /* NULL: unchanged */
};
struct child;
/* exited: status is the exit status, or -1 with signo set. The handle is gone afterwards. */
MUST_CHECK struct err *child_start(struct loop *l, const struct child_spec *spec,
				   void (*exited)(void *arg, int status, int signo), void *arg,
				   struct child **ret);
void child_kill(struct child *c, int signo);
/* Nobody is told of its end any more; the handle is gone for the caller. */
void child_forget(struct child *c);
pid_t child_pid(const struct child *c);

/* ------------------------------------------------------------------ the service manager */

/* sd_notify(3) without its library: one datagram to $NOTIFY_SOCKET; nothing where there is none.
 * "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=...". */
void sd_notify(const char *state);
/* RELOADING=1 with the monotonic time that systemd wants (Type=notify-reload); then READY=1. */
void sd_notify_reloading(void);
