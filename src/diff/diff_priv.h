/* What the files of diff share: an index of texts, a map under construction, elements by key. */
#pragma once
#include "leeboard/diff.h"

/* ------------------------------------------------------------------ texts to numbers */

struct keys {
	struct arena *a;
	struct {
		str key;
		size_t at;
	} * slots;
	size_t n, cap; /* cap: a power of two, or 0 */
};
void keys_init(struct keys *k, struct arena *a);
/* SIZE_MAX: not there. */
size_t keys_get(const struct keys *k, str key);
/* False, and nothing done, when the key is there. */
bool keys_add(struct keys *k, str key, size_t at);

/* ------------------------------------------------------------------ a map under construction */

struct draft {
	struct node_pairs v; /* value NULL: deleted */
	struct keys keys;
	const struct node *from; /* for its place; may be NULL */
	size_t dead;
};
void draft_init(struct draft *d, struct arena *a, const struct node *from);
const struct node *draft_get(const struct draft *d, str key);
void draft_set(struct draft *d, str key, const struct node *value);
void draft_del(struct draft *d, str key);
size_t draft_count(const struct draft *d);
const struct node *draft_node(struct draft *d);

/* ------------------------------------------------------------------ strategic merge */

#define SMP_PATCH "$patch"
#define SMP_RETAIN "$retainKeys"
#define SMP_ORDER "$setElementOrder/"
#define SMP_DROP "$deleteFromPrimitiveList/"

bool smp_merges(const struct obj_schema *field);  /* a list by key or as a set */
bool smp_retains(const struct obj_schema *field); /* keys not listed are dropped */
/* The text by which two elements are the same: kind and spelling of a scalar, or of the merge key's
 * value; without the kind when `loose` (what diffs sort by). */
str smp_scalar_text(struct arena *a, const struct node *n, bool loose);
MUST_CHECK struct err *smp_key(const struct node *element, str merge_key, const struct node **ret);
/* One kind of element in both lists, and no lists of lists. Both empty: *any is false. */
MUST_CHECK struct err *smp_element_kind(const struct node *x, const struct node *y, bool *maps,
					bool *any);
const struct node *smp_list(struct arena *a, const struct node_items *v, const struct node *from);
bool smp_is_delete(const struct node *element);
MUST_CHECK struct err *smp_too_deep(const struct node *n, unsigned depth);

/* patch into original; `carry`: both are patches, directives are kept. */
MUST_CHECK struct err *smp_merge_maps(struct arena *a, const struct obj_schema *s,
				      const struct node *original, const struct node *patch,
				      bool carry, unsigned depth, const struct node **ret);

/* ------------------------------------------------------------------ sets of fields */

#define FIELDS_MAX_SHAPES 4 /* different sets of key names in one list */
#define FIELDS_MAX_KEYS 8   /* names in one */

struct shape {
	str names[FIELDS_MAX_KEYS];
	str otherwise[FIELDS_MAX_KEYS]; /* what an absent one stands for; empty: nothing */
	size_t n;
};
struct field {
	enum diff_step_kind kind;
	str name;               /* of FIELD */
	const struct node *key; /* of KEYED: a map; of VALUE: the value */
	const struct diff_fields *sub;
};
struct diff_fields {
	bool self; /* the container itself is a member */
	struct {
		struct field *p;
		size_t n, cap;
	} v;
	struct keys index;
	struct shape shapes[FIELDS_MAX_SHAPES];
	size_t n_shapes;
	bool values, indices;
};
const struct field *fields_get(const struct diff_fields *f, str name);
/* The member that a list element is: by its keys, or by its value. */
const struct field *fields_element(struct arena *a, const struct diff_fields *f,
				   const struct node *element);
/* The keys that a shape takes from an element, as text; STR_NONE: it has not all of them. */
str shape_text(struct arena *a, const struct shape *s, const struct node *element);
