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
 * Order in a worker: libraries are initialised -> sandbox_enter -> worker_job_read -> frames ->
 * worker_send_done -> exit. */
#pragma once
#include "leeboard/base.h"

#define FRAME_MAX_BODY (60u * 1024)
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
	X(FRAME_REF, 17, "REF", "text name, text oid")                                             \
	X(FRAME_PACK, 18, "PACK", "u64 bytes, u64 objects")                                        \
	X(FRAME_VERDICT, 19, "VERDICT", "text oid, verdict, key, principal, detail")               \
	X(FRAME_AFFECTED, 20, "AFFECTED", "text app")                                              \
	X(FRAME_READSET, 21, "READSET", "text path, text oid (empty: absent)")                     \
	X(FRAME_OBJECT, 22, "OBJECT", "text identity, file, u32 line, col, bytes chunk, u32 last")  \
	X(FRAME_ORIGIN, 23, "ORIGIN", "text identity, path, file, u32 line")                       \
	X(FRAME_WARN, 24, "WARN", "text message, file, u32 line, col")                             \
	X(FRAME_ERROR, 25, "ERROR", "text code, message, file, u32 line, col, text cause")         \
	X(FRAME_CACHE, 26, "CACHE", "u64 size; one sealed memfd beside it")                        \
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
