/* diff: last-applied, desired, live: what differs, who did it, and the patch that says so. Pure.
 *
 * patches       strategic merge patches (two ways, three ways, applied) and three-way JSON merge, for
 *               targets that cannot apply on the server's side; as apimachinery does
 * changes       the three witnesses leaf by leaf, for people: class, path, values
 * managed       metadata.managedFields as sets; "is there anything to write?" without a request; who
 *               wrote a field last
 *
 * Order of calls: diff_managed_read on live where it has one; diff_changes; diff_writer for each
 * change that is worth a sentence. All memory is the arena's; answers borrow from the trees. Trees
 * deeper than NODE_MAX_DEPTH are refused (ERR_LIMIT). */
#pragma once
#include "leeboard/object.h"

/* ------------------------------------------------------------------ equality of content */

/* Are two values of the field that s describes (NULL: nothing is known) the same to the API server?
 * Quantities by value and family, Secret data by decoded bytes, times by instant, numbers by exact
 * value, maps without order, an empty map as an absent one (NULL). */
bool diff_equal(const struct obj_schema *s, const struct node *a, const struct node *b);

/* ------------------------------------------------------------------ patches */

/* s: obj_schema_of the kind; NULL: maps merge, lists are values. The answer is an empty map when
 * there is nothing to patch. A merging list whose element lacks its merge key, or that mixes kinds,
 * is ERR_INVALID. */
MUST_CHECK struct err *diff_two_way(struct arena *a, const struct obj_schema *s,
				    const struct node *original, const struct node *modified,
				    const struct node **ret);
/* applied and live may be NULL: an empty map. Without `overwrite` a field that both the patch and
 * the way from applied to live set differently is ERR_CONFLICT. */
MUST_CHECK struct err *diff_three_way(struct arena *a, const struct obj_schema *s,
				      const struct node *applied, const struct node *desired,
				      const struct node *live, bool overwrite,
				      const struct node **ret);
/* What a server makes of live under the patch. */
MUST_CHECK struct err *diff_patch_apply(struct arena *a, const struct obj_schema *s,
					const struct node *live, const struct node *patch,
					const struct node **ret);
/* The RFC 7396 patch for kinds without a schema; apply it with node_merge_json. */
const struct node *diff_json_three_way(struct arena *a, const struct node *applied,
				       const struct node *desired, const struct node *live);
/* Maps with only their null leaves (false) or without them (true), at every depth; lists stay. */
const struct node *diff_json_nulls(struct arena *a, const struct node *n, bool without);

/* ------------------------------------------------------------------ managedFields */

#define DIFF_MAX_MANAGERS 1000u /* entries of one object */

enum diff_step_kind { DIFF_FIELD, DIFF_KEYED, DIFF_VALUE, DIFF_INDEX };
struct diff_fields; /* a set of fields: a trie; immutable */
struct diff_manager {
	str name, operation, api_version, subresource;
	msec time;                        /* of its last write, whole seconds; 0: not told */
	const struct diff_fields *fields; /* never NULL */
};
struct diff_managed {
	struct diff_manager *p;
	size_t n, cap;
};
/* A FieldsV1 map. Anything that is no FieldsV1 is ERR_INVALID with its place. */
MUST_CHECK struct err *diff_fields_read(struct arena *a, const struct node *fields_v1,
					const struct diff_fields **ret);
/* metadata.managedFields of an object; none is an empty answer. */
MUST_CHECK struct err *diff_managed_read(struct arena *a, const struct node *root,
					 struct diff_managed *ret);
/* The one entry of `manager` with operation Apply and no subresource; NULL: none or several. */
const struct diff_manager *diff_managed_ours(const struct diff_managed *m, str manager);
/* What of live this manager owns, with what identifies the object: stands in for last-applied where
 * nobody kept what was sent. NULL: live is no map. */
const struct node *diff_owned(struct arena *a, const struct diff_manager *m, const struct node *live);

enum diff_answer { DIFF_UNCHANGED, DIFF_CHANGED, DIFF_ASK };
struct diff_projection {
	enum diff_answer answer;
	str path, why; /* the field that decided; empty when unchanged */
};
/* Would a forced apply of `desired` (normalized) by `manager` write anything? Decided along our own
 * set. UNCHANGED is certain; CHANGED may rarely be a harmless no; ASK: only a dry run can tell. */
MUST_CHECK struct err *diff_project(struct arena *a, const struct object *desired,
				    const struct node *live, str manager,
				    struct diff_projection *ret);

/* ------------------------------------------------------------------ three witnesses */

/* Rows: enumerator, word on the wire, written by a sync, worth an alert, in words. x, y, z: values of
 * last-applied, desired, live. */
#define DIFF_CLASSES(X)                                                                            \
	X(DIFF_IN_SYNC, "in-sync", false, false, "all three agree")                                \
	X(DIFF_CHANGE, "change", true, false, "changed in Git")                                    \
	X(DIFF_DRIFT, "drift", true, true, "changed live, not by us")                              \
	X(DIFF_THERE, "already-there", false, false, "live has what Git now wants")                \
	X(DIFF_BOTH, "both-changed", true, true, "changed in Git and live; Git wins")              \
	X(DIFF_ADDITION, "addition", true, false, "new in Git")                                    \
	X(DIFF_TAKE_OVER, "take-over", true, true, "new in Git, live had a value that was not ours") \
	X(DIFF_REMOVAL, "removal", true, false, "gone from Git")                                   \
	X(DIFF_REMOVAL_DRIFTED, "removal-drifted", true, true, "gone from Git, changed live")      \
	X(DIFF_GONE, "gone-already", false, false, "gone from Git, and live has it no more")       \
	X(DIFF_NOT_OURS, "not-ours", false, false, "live only, never ours")                        \
	X(DIFF_DELETED, "deleted-live", true, true, "deleted live, not by us")                     \
	X(DIFF_REORDERED, "reordered", true, false, "the same elements in another order")
enum diff_class {
#define X(name, word, written, alert, text) name,
	DIFF_CLASSES(X)
#undef X
};
str diff_class_name(enum diff_class c);
str diff_class_text(enum diff_class c);
bool diff_class_written(enum diff_class c);
bool diff_class_alerts(enum diff_class c);

struct diff_step {
	enum diff_step_kind kind;
	str name;                   /* FIELD */
	const struct node *element; /* KEYED, VALUE: an element that stands there */
	size_t index;               /* INDEX */
};
struct diff_change {
	enum diff_class class;
	str path; /* .spec.containers[name="c"].image */
	const struct diff_step *steps;
	size_t n_steps;
	const struct node *applied, *desired, *live; /* NULL: absent */
};
struct diff_changes {
	struct diff_change *p;
	size_t n, cap;
};
struct diff_witnesses {
	const struct obj_schema *schema;             /* of the kind; may be NULL */
	const struct diff_managed *managed;          /* of live, tells list keys too; may be NULL */
	const struct node *applied, *desired, *live; /* NULL: absent */
	bool all; /* also in sync, gone already and not ours; else only what a person wants to see */
};
/* One change a leaf, in the order of desired, then of live. A subtree that only one witness has is
 * one leaf. metadata.managedFields, status and what the server alone writes are left out. */
MUST_CHECK struct err *diff_changes(struct arena *a, const struct diff_witnesses *w,
				    struct diff_changes *ret);
/* The class of one leaf. */
enum diff_class diff_decide(const struct obj_schema *s, const struct node *applied,
			    const struct node *desired, const struct node *live);

/* ------------------------------------------------------------------ who */

enum diff_how_sure {
	DIFF_NOBODY, /* no entry explains it */
	DIFF_OWNER,  /* this manager's set holds the field; the newest of them */
	DIFF_WINDOW  /* nobody holds it (it was removed): who wrote since `since` */
};
struct diff_writer {
	enum diff_how_sure sure;
	const struct diff_manager *const *p; /* OWNER: one; WINDOW: all candidates, newest first */
	size_t n;
};
/* Who wrote this field last, other than `ours`? `since`: when we last saw it as it should be. */
struct diff_writer diff_writer(struct arena *a, const struct diff_managed *m,
			       const struct diff_change *c, str ours, msec since);
/* "kubectl-edit (Update), last active 2026-11-22T13:40:07Z": a claim, not a proof. */
str diff_writer_text(struct arena *a, const struct diff_writer *w);
