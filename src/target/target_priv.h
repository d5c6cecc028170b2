/* What the two kinds of target share: the head of a struct target and of a call.
 *
 * dir.c and kube.c embed the head as their first member and cast. `ops` is set by the open of the
 * table; the rest of the head is kept up to date by the kind and read by target.c. */
#pragma once
#include "leeboard/target.h"

struct target {
	const struct target_ops *ops;
	struct loop *loop;
	struct log *log; /* may be NULL */
	void (*event)(void *arg, const struct target_event *e);
	void *event_arg;
	/* Owned by the kind, which frees what they point at. */
	str place, uid;
	msec last_request; /* wall clock; 0: none yet */
	uint64_t requests, writes;
};

/* The first member of what the kind allocates for a call; target_cancel finds the way back by it. */
struct target_call {
	struct target *target;
};

/* To the listener, if there is one. */
void target_tell(struct target *t, const struct target_event *e);
/* The key of each kind, without the word that says which. */
str target_dir_key(struct arena *a, const struct app_target *where);
str target_kube_key(struct arena *a, const struct app_target *where);
