/* worker: the frames between the controller and its workers, and the sandbox that a worker enters.
 *
 * A worker is a small program started for one job, with a SOCK_SEQPACKET socket as descriptor 3. The
 * controller sends JOB, BLOBs, END; the worker answers with frames of its role and closes with DONE,
 * which counts what it sent. A frame is one datagram:
 *
 *   u32 type, u32 length of the body (at most FRAME_MAX_BODY), u64 nonce of the job, body
 *
 * all little endian; a text in a body is a u32 length and its bytes. What is larger than a frame goes
 * in chunks. The controller believes nothing: an unknown type, one of the wrong direction, a wrong
 * nonce, a body that is too short or too long, a count that differs or a missing DONE fails the job.
 *
 * Order in a worker: libraries are initialised -> worker_job_read (the controller's words are no
 * foreign bytes) -> sandbox_enter -> frames -> worker_send_done -> exit.
 *
 * Order in the controller: fill a job_fetch, job_verify or job_render -> job_..._write fills the JSON
 * and the BLOBs of a worker_spec -> worker_start on worker_program's path -> frame_get_... in the
 * callback, by f->type. */
#pragma once
#include "leeboard/config.h"

#define FRAME_MAX_BODY 61440u /* 60 KiB */
#define FRAME_HEADER 16u
#define JOB_MAX_BLOB (64u << 20) /* all chunks of one named input */
#define JOB_MAX_BLOBS 4096u

/* Rows: enumerator, number, name, body. The numbers are the wire's. */
#define FRAMES_TO_WORKER(X)                                                                        \
	X(FRAME_JOB, 1, "JOB", "text: canonical JSON of what to do")                               \
	X(FRAME_BLOB, 2, "BLOB", "text name, bytes chunk")                                          \
	X(FRAME_END, 3, "END", "empty: the job is complete")
#define FRAMES_FROM_WORKER(X)                                                                      \
	X(FRAME_PROGRESS, 16, "PROGRESS", "text: what it is doing")                                \
	X(FRAME_REF, 17, "REF", "text name, oid, peeled (empty: no tag), symref (empty: none)")                                             \
	X(FRAME_PACK, 18, "PACK", "u64 bytes, u64 objects")                                        \
	X(FRAME_VERDICT, 19, "VERDICT", "text oid, verdict, key, principal, detail")               \
	X(FRAME_AFFECTED, 20, "AFFECTED", "text app")                                              \
	X(FRAME_READSET, 21, "READSET", "text path, text oid (empty: absent)")                     \
	X(FRAME_OBJECT, 22, "OBJECT", "text identity, file, u32 line, col, bytes chunk, u32 last")  \
	X(FRAME_ORIGIN, 23, "ORIGIN", "text identity, then as often as fits: text path, file, u32 line")                       \
	X(FRAME_WARN, 24, "WARN", "text message, file, u32 line, col")                             \
	X(FRAME_ERROR, 25, "ERROR", "text code, message, file, u32 line, col, text cause, hint")   \
	X(FRAME_CACHE, 26, "CACHE", "u64 size; one sealed memfd beside it")                        \
	X(FRAME_COMMIT, 27, "COMMIT",                                                              \
	  "text oid, tree, parents, author, email, u64 time, text committer, email, u64 time, "    \
	  "text subject")                                                                          \
	X(FRAME_OUTCOME, 28, "OUTCOME", "text outcome, reason, move, bad oid, u32 bad, commits")   \
	X(FRAME_RANGE, 29, "RANGE", "bytes: ids of 20 or 32 bytes, one after another")             \
	X(FRAME_SANDBOX, 30, "SANDBOX", "u32 layers (enum worker_layer), u32 Landlock ABI")        \
	X(FRAME_DONE, 31, "DONE", "u32 n, then n times u32 type, u32 count")
enum frame_type {
#define X(id, number, name, body) id = number,
	FRAMES_TO_WORKER(X) FRAMES_FROM_WORKER(X)
#undef X
	FRAME_TYPES = 32
};
const char *frame_name(uint32_t type); /* NULL: no such frame */
bool frame_is_from_worker(uint32_t type);

/* ------------------------------------------------------------------ one frame */

struct frame_writer {
	struct buf b; /* header and body */
};
/* Starts over; the memory is kept. */
void frame_begin(struct frame_writer *w, enum frame_type t, uint64_t nonce);
void frame_u32(struct frame_writer *w, uint32_t v);
void frame_u64(struct frame_writer *w, uint64_t v);
void frame_text(struct frame_writer *w, str s);
/* The whole datagram; ERR_LIMIT when the body is over FRAME_MAX_BODY. */
MUST_CHECK struct err *frame_bytes(struct frame_writer *w, str *ret);
void frame_writer_done(struct frame_writer *w);
static inline void frame_writer_cleanup(struct frame_writer *w)
{
	frame_writer_done(w);
}
/* Bytes of text that still fit in this frame, after its length. */
size_t frame_room(const struct frame_writer *w);

struct frame {
	enum frame_type type;
	uint64_t nonce;
	str rest; /* of the body, not read yet; borrowed from the datagram */
};
/* A datagram's header; ERR_INVALID names what is wrong. */
MUST_CHECK struct err *frame_read(str datagram, struct frame *ret);
MUST_CHECK struct err *frame_get_u32(struct frame *f, uint32_t *ret);
MUST_CHECK struct err *frame_get_u64(struct frame *f, uint64_t *ret);
/* Valid UTF-8 without NUL; borrowed. */
MUST_CHECK struct err *frame_get_text(struct frame *f, str *ret);
MUST_CHECK struct err *frame_get_bytes(struct frame *f, str *ret); /* as text, any bytes */
MUST_CHECK struct err *frame_get_end(struct frame *f);             /* nothing may follow */

/* ------------------------------------------------------------------ the worker's side (blocking) */

struct worker_blob {
	str name, bytes;
};
struct worker_job {
	uint64_t nonce;
	str json;
	struct worker_blob *blobs; /* by first chunk */
	size_t blobs_n;
};
/* Until END. Everything is the arena's. */
MUST_CHECK struct err *worker_job_read(struct arena *a, int fd, struct worker_job *ret);
str worker_job_blob(const struct worker_job *j, str name); /* STR_NONE: not there */

struct worker_out {
	int fd;
	uint64_t nonce;
	uint32_t counts[FRAME_TYPES];
	struct frame_writer w;
};
void worker_out_init(struct worker_out *o, int fd, uint64_t nonce);
void worker_out_done(struct worker_out *o);
/* frame_begin(&o->w, ...) and the fields, then this. */
MUST_CHECK struct err *worker_send(struct worker_out *o);
/* An object of any size, in chunks. */
MUST_CHECK struct err *worker_send_object(struct worker_out *o, str identity, str file,
					  uint32_t line, uint32_t col, str json);
/* Each error of the list as one ERROR frame. Takes e. */
MUST_CHECK struct err *worker_send_error(struct worker_out *o, struct err *e);
MUST_CHECK struct err *worker_send_done(struct worker_out *o);

/* ------------------------------------------------------------------ the controller's side */

/* Keeps count of one job's answers. */
struct worker_check {
	uint64_t nonce;
	uint32_t counts[FRAME_TYPES];
	bool done;
};
void worker_check_init(struct worker_check *c, uint64_t nonce);
/* Header, direction, nonce, order; DONE is compared with what came. After DONE nothing may come. */
MUST_CHECK struct err *worker_check_frame(struct worker_check *c, str datagram, struct frame *ret);
/* The socket closed: was that the end? */
MUST_CHECK struct err *worker_check_end(const struct worker_check *c);
/* The error that an ERROR frame carries. */
MUST_CHECK struct err *worker_read_error(struct frame *f, struct err **ret);
/* JOB, the BLOBs in chunks, END; blocking. */
MUST_CHECK struct err *worker_send_job(int fd, const struct worker_job *j);

struct worker;
struct worker_spec {
	const char *const *argv; /* argv[0]: path of the program; ended by NULL */
	str json;                /* JOB's text; copied */
	const struct worker_blob *blobs; /* copied */
	size_t blobs_n;
	msec timeout; /* from start to exit; 0: none */
	int err;      /* its stderr; -1: none; borrowed */
};
struct worker_calls {
	/* Each checked frame but DONE, in order; it lives until the return. An error fails the job. */
	struct err *(*frame)(void *arg, struct frame *f);
	/* Once, when the process is gone. NULL: DONE came, the counts agree and it exited 0. Else one
	 * error that says which program, and how it crashed, lied or hung; the callee owns it. The
	 * handle is gone. */
	void (*done)(void *arg, struct err *e);
};
MUST_CHECK struct err *worker_start(struct loop *l, const struct worker_spec *spec,
				    const struct worker_calls *calls, void *arg,
				    struct worker **ret);
/* Kills it; `done` still comes, with "was stopped". */
void worker_stop(struct worker *w);

/* The program of a role beside this one: its own folder first (a build), then ../libexec/leeboard.
 * name: "leeboard-fetch". ERR_NOT_FOUND says where it was looked for. */
MUST_CHECK struct err *worker_program(struct arena *a, const char *name, str *ret);

/* ------------------------------------------------------------------ jobs
 *
 * Each role has a struct, a writer (for the controller; the spec's json and blobs are the arena's)
 * and a reader (for the worker; views are the job's and the arena's). Ids are hexadecimal. What may
 * be secret or long travels as BLOB, never in the JSON. */

#define JOB_MAX_APPS 10000u
#define JOB_MAX_SEEN 100000u /* paths of one read set */
#define JOB_MAX_COMMITS 100u /* COMMIT frames of one verify job: the newest, parents first */

struct job_limits {
	bool best_effort;      /* go on without Landlock or seccomp (sandbox: best-effort) */
	uint64_t memory_bytes; /* RLIMIT_AS; 0: the role's own default */
	uint64_t cpu_seconds;  /* RLIMIT_CPU; 0: the role's own default */
};

enum job_fetch_op {
	JOB_LIST,    /* REF for each ref below a prefix (HEAD: ask for "HEAD") */
	JOB_FETCH,   /* `want` and what it needs into the store; PROGRESS, one PACK (0, 0: had it) */
	JOB_COMPACT, /* many packs into one; PACK. Not while another worker reads the store */
};
struct job_fetch {
	enum job_fetch_op op;
	str objects; /* the source's object store, .../objects; made when it is not there. JOB_LIST: empty */
	str url;     /* http(s), ssh, scp-like, or a path when `local` */
	bool local;
	const str *prefixes; /* JOB_LIST: full names or their beginnings; none: all */
	size_t prefixes_n;
	str want;         /* commit id, or the tag's own id for modes that judge tags */
	str ref;          /* the ref that held `want`; ssh servers are asked by it */
	const str *haves; /* commits that we hold, newest first; those not in the store are left out */
	size_t haves_n;
	uint32_t depth; /* commits of history; 0: all. Over http only, ssh and paths fetch all */
	bool unshallow; /* get the history that an earlier `depth` left out (after IncompleteHistory) */
	bool fresh;     /* as if the store were empty (after CorruptObject) */
	enum auth_kind auth;
	str username, secret; /* basic: password; bearer: token; ssh: the private key */
	str passphrase, known_hosts;
	str ca, cert, key; /* PEM; empty: the system's, none */
	msec timeout;      /* of the whole transfer; 0: 5 minutes */
	uint64_t max_pack; /* bytes; 0: 512 MiB */
	struct job_limits limits;
};
MUST_CHECK struct err *job_fetch_write(struct arena *a, const struct job_fetch *j,
				       struct worker_spec *spec);
MUST_CHECK struct err *job_fetch_read(struct arena *a, const struct worker_job *w,
				      struct job_fetch *ret);

struct job_seen {
	str path, oid; /* empty oid: nothing was there */
};
struct job_app {
	str name;                    /* comes back in AFFECTED */
	const struct job_seen *seen; /* read set of its last rendering */
	size_t seen_n;
};
struct job_signers {
	str name, text; /* allowed_signers lines, and what messages call them */
};
enum job_verify_op {
	JOB_VERIFY, /* VERDICT for each judged commit, COMMITs, RANGE, OUTCOME, AFFECTED */
	JOB_RANGE,  /* only RANGE: the second opinion on what is new */
};
struct job_verify {
	enum job_verify_op op;
	str objects, from, to;        /* from empty: never accepted */
	enum verify_mode mode;        /* first-parent lists the chain, all others every new commit */
	int on_rewind, on_force_push; /* as in struct source */
	msec now, clock_skew;         /* skew 0: the default */
	const struct job_signers *signers;
	size_t signers_n;
	const str *allowed; /* commits that a person let pass (`allow`): unsigned, unknown, expired */
	size_t allowed_n;
	const struct job_app *apps; /* compared at `to`, whatever the outcome is */
	size_t apps_n;
	struct job_limits limits;
};
MUST_CHECK struct err *job_verify_write(struct arena *a, const struct job_verify *j,
					struct worker_spec *spec);
MUST_CHECK struct err *job_verify_read(struct arena *a, const struct worker_job *w,
				       struct job_verify *ret);

struct job_render {
	str objects, oid; /* a commit or a tree */
	str app, path;    /* the App's name; the folder in the tree */
	/* What the App says of rendering: a map as render.h wants it. Its nodes keep file, line and
	 * column of the App's document, but not its text. NULL: none. */
	const struct node *overlay;
	str ignore; /* the Source's, in the syntax of .sourceignore */
	struct job_limits limits;
};
/* app, path, overlay and ignore out of an App that was loaded. */
void job_render_of(struct arena *a, const struct app *app, struct job_render *ret);
MUST_CHECK struct err *job_render_write(struct arena *a, const struct job_render *j,
					struct worker_spec *spec);
MUST_CHECK struct err *job_render_read(struct arena *a, const struct worker_job *w,
				       struct job_render *ret);

/* ------------------------------------------------------------------ answers
 *
 * A writer for the worker, a reader for the controller; what a reader returns is borrowed from the
 * frame. A reader checks form (ids are ids, words are words), never truth. */

struct worker_ref {
	str name, oid, peeled, symref; /* peeled: the commit that an annotated tag leads to */
};
struct worker_pack {
	uint64_t bytes, objects;
};
struct worker_verdict {
	str oid, verdict, key, principal, detail; /* verdict: trust.h's word ("Good", "Unsigned") */
};
struct worker_commit {
	str oid, tree, parents; /* parents: ids with a blank between */
	str author, author_email, committer, committer_email; /* valid UTF-8, bad bytes as \xHH */
	int64_t author_time, committer_time;                  /* seconds since 1970 */
	str subject;                                          /* first line of the message */
};
struct worker_outcome {
	enum { WORKER_ACCEPT, WORKER_NOOP, WORKER_HOLD } outcome;
	str reason, move; /* reason: of a hold ("Rewound", "Unsigned"); move: trust.h's word */
	str bad;          /* the oldest commit that is not good; empty: none or the move is at fault */
	uint32_t bad_n, commits; /* not good; new */
};
enum worker_layer {
	WORKER_NO_NEW_PRIVS = 1,
	WORKER_RLIMITS = 2,
	WORKER_NETNS = 4,
	WORKER_LANDLOCK = 8,
	WORKER_SECCOMP = 16
};
struct worker_sandbox {
	uint32_t layers, landlock_abi;
};
struct worker_origin {
	str identity, path; /* path: the field, ".spec.replicas"; empty: the object */
	str file;
	uint32_t line;
};
struct worker_warning {
	str message, file;
	uint32_t line, col;
};
struct sandbox_state;
MUST_CHECK struct err *worker_send_progress(struct worker_out *o, str text);
MUST_CHECK struct err *worker_send_ref(struct worker_out *o, const struct worker_ref *r);
MUST_CHECK struct err *worker_send_pack(struct worker_out *o, const struct worker_pack *p);
MUST_CHECK struct err *worker_send_verdict(struct worker_out *o, const struct worker_verdict *v);
MUST_CHECK struct err *worker_send_commit(struct worker_out *o, const struct worker_commit *c);
MUST_CHECK struct err *worker_send_outcome(struct worker_out *o, const struct worker_outcome *v);
MUST_CHECK struct err *worker_send_range(struct worker_out *o, str ids); /* in chunks; may be empty */
MUST_CHECK struct err *worker_send_sandbox(struct worker_out *o, const struct sandbox_state *s);
MUST_CHECK struct err *worker_send_affected(struct worker_out *o, str app);
MUST_CHECK struct err *worker_send_seen(struct worker_out *o, const struct job_seen *s);
/* Of one object: the rows' own identity is not looked at. */
MUST_CHECK struct err *worker_send_origins(struct worker_out *o, str identity,
					   const struct worker_origin *v, size_t n);
MUST_CHECK struct err *worker_send_warning(struct worker_out *o, const struct worker_warning *w);

MUST_CHECK struct err *frame_get_progress(struct frame *f, str *ret);
MUST_CHECK struct err *frame_get_ref(struct frame *f, struct worker_ref *ret);
MUST_CHECK struct err *frame_get_pack(struct frame *f, struct worker_pack *ret);
MUST_CHECK struct err *frame_get_verdict(struct frame *f, struct worker_verdict *ret);
MUST_CHECK struct err *frame_get_commit(struct frame *f, struct worker_commit *ret);
MUST_CHECK struct err *frame_get_outcome(struct frame *f, struct worker_outcome *ret);
/* One chunk, appended; compare the whole bytes of both lists with mem and length. */
MUST_CHECK struct err *frame_get_range(struct frame *f, struct buf *ret);
MUST_CHECK struct err *frame_get_sandbox(struct frame *f, struct worker_sandbox *ret);
MUST_CHECK struct err *frame_get_affected(struct frame *f, str *ret);
MUST_CHECK struct err *frame_get_seen(struct frame *f, struct job_seen *ret);
/* A frame has many rows: `struct worker_origin o = {0}; while (f->rest.n) TRY(frame_get_origin(f, &o));` */
MUST_CHECK struct err *frame_get_origin(struct frame *f, struct worker_origin *ret);
MUST_CHECK struct err *frame_get_warning(struct frame *f, struct worker_warning *ret);

/* OBJECT frames put together; chunks of one object come one after another. */
struct worker_objects {
	struct buf identity, file, json;
	uint32_t line, col;
	bool open;
};
struct worker_object {
	str identity, file, json; /* the gatherer's, until the next frame */
	uint32_t line, col;
};
/* *whole: ret is complete. JSON over NODE_MAX_BYTES is ERR_LIMIT. */
MUST_CHECK struct err *worker_objects_add(struct worker_objects *g, struct frame *f, bool *whole,
					  struct worker_object *ret);
/* Call at the end of a job: an object that was begun and not ended is a lie. */
MUST_CHECK struct err *worker_objects_end(const struct worker_objects *g);
void worker_objects_done(struct worker_objects *g);

/* ------------------------------------------------------------------ the sandbox */

/* What a role keeps. verify and render have no network and write nothing. */
enum sandbox_role { SANDBOX_FETCH, SANDBOX_VERIFY, SANDBOX_RENDER };
struct sandbox_plan {
	enum sandbox_role role;
	const char *read_dir;  /* readable below; NULL: none */
	const char *write_dir; /* readable and writable below (fetch); NULL: none */
	const char *const *read_files; /* fetch: CA bundle, resolv.conf, ...; ended by NULL; NULL: none */
	uint64_t cpu_seconds;  /* RLIMIT_CPU; 0: none */
	uint64_t memory_bytes; /* RLIMIT_AS; 0: none; not set in sanitizer builds */
};
/* Which layers hold; each is tried, and the caller decides what is enough. */
struct sandbox_state {
	bool no_new_privs, rlimits, netns, landlock, seccomp;
	int landlock_abi; /* 0: the kernel has none */
};
/* Gives everything up, for ever: descriptors above 3, dumpability, new privileges, memory and time
 * beyond the limits, the network (verify, render), the file system beyond the plan (Landlock), system
 * calls beyond the list (seccomp, the process is killed). What a layer could not do is false in *ret.
 * ERR_SANDBOX when `required` and Landlock or seccomp is missing; the caller then exits. In sanitizer
 * builds there is no RLIMIT_AS and the list is wide: only what no role needs is killed. */
MUST_CHECK struct err *sandbox_enter(const struct sandbox_plan *p, bool required,
				     struct sandbox_state *ret);
