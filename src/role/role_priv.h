/* role: the insides of fetch, verify and render. Each program is a worker when descriptor 3 is the
 * controller's socket, and a command for people otherwise (verify, render). */
#pragma once
#include "leeboard/worker.h"

struct role {
	const char *name; /* of the program */
	enum sandbox_role sandbox;
	uint64_t memory_bytes, cpu_seconds; /* what a job that says nothing gets */
	/* Reads the job, enters the sandbox, sends frames. What it returns goes out as ERROR. */
	struct err *(*run)(struct arena *a, const struct role *r, const struct worker_job *w,
			   struct worker_out *out);
	int (*by_hand)(int argc, char **argv); /* NULL: there is no such use */
};
extern const struct role role_fetch, role_verify, role_render;

/* The main of each program. An ordinary failure of a job is ERROR frames, DONE and exit status 0. */
int role_main(const struct role *r, int argc, char **argv);
/* After the job was read and before a foreign byte is: limits out of the job or the role, then the
 * sandbox; SANDBOX goes out. plan has the folders; role and limits are filled in. */
MUST_CHECK struct err *role_enter(const struct role *r, struct sandbox_plan *plan,
				  const struct job_limits *limits, struct worker_out *out);
/* The value of `flag VALUE` or `flag=VALUE` at argv[*i], which moves past it; NULL: it is not this flag,
 * or *e says that its value is missing. */
const char *role_flag(int argc, char **argv, int *i, const char *flag, struct err **e);
/* Also tells what is on stdout when it could not be written. */
MUST_CHECK struct err *role_print(str bytes);
/* The first line of a message that has anything on it, trimmed; not escaped. */
str role_subject(str message);
int render_by_hand(int argc, char **argv);
int verify_by_hand(int argc, char **argv);
int signers_by_hand(int argc, char **argv); /* verify_by_hand hands "--signers-of" on */
/* Prints e for a person and frees it; the exit status is `status`, or the error's own when that is 0. */
int role_fail(struct err *e, int status);
