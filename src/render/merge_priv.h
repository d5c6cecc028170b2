/* The two halves of the strategic merge: merge.c walks, merge_list.c merges lists by keys. */
#pragma once
#include "merge.h"

/* What is known of the value at hand. */
struct cursor {
	const struct merge_types *all; /* NULL: the built-in ones */
	const struct merge_type *type; /* NULL: nothing */
	const char *keys;              /* not NULL: a list merged by these */
};

bool merge_missing(const struct node *n);
bool merge_is_scalar(const struct node *n);
/* *ret is NULL when nothing is left. */
MUST_CHECK struct err *merge_any(struct arena *a, const struct node *dest,
				 const struct node *patch, struct cursor c, unsigned depth,
				 const struct node **ret);
/* A list that merges by c.keys. */
MUST_CHECK struct err *merge_elements(struct arena *a, const struct node *dest,
				      const struct node *patch, struct cursor c, unsigned depth,
				      const struct node **ret);
