/* What the files of worker share: the frames of a job, one after another. */
#pragma once
#include "leeboard/worker.h"

struct job_cursor {
	const struct worker_job *job;
	enum { JOB_BEGIN, JOB_BLOBS, JOB_CLOSE, JOB_SENT } stage;
	size_t blob, offset;
};
/* The next datagram, in w; empty when all was given. */
MUST_CHECK struct err *job_next(struct job_cursor *c, struct frame_writer *w, str *ret);
