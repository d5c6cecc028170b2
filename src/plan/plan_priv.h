/* What the files of plan share.
 *
 *   plan.c    asks, the steps in order, what blocks what, the id
 *   judge.c   one object of the revision: whose it is, what is to be done
 *   compare.c what differs, three ways, without what is ignored
 *   prune.c   what left Git: kept, let go, deleted; the limits
 *   words.c   annotations of ours and of others that say how an object is treated
 *   owner.c   marks of engines
 *   fixed.c   fields that a server refuses to change
 *   json.c    the document */
#pragma once
#include "leeboard/plan.h"

enum word_apply { APPLY_AS_USUAL, APPLY_IF_ABSENT, APPLY_SKIP };
enum word_recreate { RECREATE_NOT_SAID, RECREATE_NEVER, RECREATE_IF_FIXED, RECREATE_ALWAYS };
enum word_delete { DELETE_NOT_SAID, DELETE_NEVER, DELETE_CONFIRM, DELETE_LAST };
struct words {
	enum word_apply apply;
	enum word_recreate recreate;
	enum word_delete delete;
	int drift;    /* enum drift_mode; -1: not said */
	msec timeout; /* 0: not said */
	msec hold;    /* until; of live alone; 0: none */
	str hold_reason;
	str apply_by, recreate_by, delete_by; /* "leeboard.dev/delete: never", for messages */
};
/* desired, live: roots; either may be NULL. A word of ours that means nothing is an error (of
 * desired alone: nobody is refused for what somebody wrote on the live object). */
MUST_CHECK struct err *words_read(struct arena *a, const struct node *desired,
				  const struct node *live, struct words *ret);

/* Whose mark a live object bears. */
enum owner_kind {
	OWNER_NONE,
	OWNER_US,        /* this instance, this App */
	OWNER_OTHER_APP, /* this instance; app says which */
	OWNER_OTHER,     /* who says which */
};
struct owner {
	enum owner_kind kind;
	str app, who;    /* who: "Helm release shop/web" */
	bool controller; /* an ownerReference with controller: true; who names it */
};
struct owner owner_of(struct arena *a, const struct node *live, str instance, str app);

/* Has the API server a reason to refuse this change? The path of the first such field; empty: none.
 */
str fixed_field(obj_id id, const struct node *live, const struct diff_changes *changes);
bool fixed_needs_own_word(obj_id id); /* consent of an App or of Flux is not enough */

struct building {
	struct arena *a, *scratch;
	const struct plan_in *in;
	struct plan *plan;
	struct {
		str *p;
		size_t n, cap;
	} warnings;
	struct {
		struct plan_wait *p;
		size_t n, cap;
	} waiting;
	struct {
		struct plan_step *p;
		size_t n, cap;
	} deletions;
	/* What autoscalers of the revision scale; sorted, once somebody asks. */
	struct {
		obj_id *p;
		size_t n, cap;
	} scaled;
	bool scaled_known;
};
struct plan_object look(const struct plan_in *in, obj_id id);
/* It was sent so, and nobody touched it. */
bool is_settled(const struct inv_entry *e, const struct plan_object *k, const struct want *w);
/* Ownership alone, of what is there. NULL: it may be written. */
enum claim { CLAIM_OURS, CLAIM_ADOPT, CLAIM_TRANSFER, CLAIM_REFUSED };
enum claim judge_claim(struct arena *a, const struct plan_in *in, const struct inv_entry *e,
		       const struct plan_object *k, obj_id id, struct plan_step *s);

struct compare {
	struct diff_changes changes;
	struct diff_managed managed;
	bool same_want; /* as sent last */
	bool writes;    /* content that a write would change */
	bool touches;   /* nothing of content, but ownership or what was applied last */
	bool drift;     /* others changed what was ours */
};
/* What is compared of an object: without what is ignored. NULL: nothing of it. */
const struct node *compared(struct building *b, const struct object *o, const struct node *root);
/* d: what is compared of the want. */
MUST_CHECK struct err *compare(struct building *b, const struct want *w,
			       const struct plan_object *k, const struct object *o,
			       const struct node *d, bool ours, struct compare *ret);
void show_fields(struct building *b, const struct want *w, const struct compare *c,
		 struct plan_step *s);
void judge_want(struct building *b, const struct want *w, struct plan_step *s);
void judge_gone(struct building *b, const struct inv_entry *e, struct plan_step *s);
void prune_limits(struct building *b, struct plan_step *steps, size_t n);
void refuse(struct plan_step *s, enum err_code code, str message);
void wait_for(struct building *b, enum plan_reason r, str message);
