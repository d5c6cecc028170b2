/* node: YAML and JSON read into one immutable tree, with places; edits; printers.
 *
 * A map is a vector of pairs in document order; order is kept all the way out. A node knows where
 * it came from, and a node that an edit made also what made it (`by`). An edit returns a new root
 * that shares the rest. All memory is the arena's that was passed; a tree may point into trees of
 * other arenas only if those live as long.
 *
 * Scalars are typed at reading as kustomize's reader types them (spec/kustomize.md 19); numbers keep
 * their spelling.
 *
 *   plain scalar, no tag     kind
 *   null ~ Null NULL empty   NODE_NULL (an empty value inside { } or [ ] is an empty string of style
 *                            NODE_FLOW)
 *   true True TRUE false ..  NODE_BOOL (text "true" or "false"; yes/no/on/off/y/n are strings)
 *   decimal, 0x, 0o, 0b, 0NN NODE_INT of at most 64 bits (1_000 too); text is the spelling
 *   1.5 1e3 .5 08 .inf .nan  NODE_FLOAT (larger integers too); text is the spelling
 *   2020-01-02[T10:00:00Z]   NODE_STRING; text is the time in RFC 3339: 2020-01-02T00:00:00Z
 *   anything else, quoted    NODE_STRING
 *   !!str !!int !!float !!bool !!null !!binary !!timestamp are honoured, and a text that does not
 *   fit its tag is refused; a scalar with another tag is a string; tags of containers say nothing.
 * A map's key must be a string: a plain 1 or true there is refused. */
#pragma once
#include "leeboard/base.h"

#define NODE_MAX_DEPTH 100          /* nesting; libyaml is quadratic in flow depth */
#define NODE_MAX_BYTES (64u << 20)  /* one input */
#define NODE_MAX_NODES 4000000u     /* one input, aliases expanded */
#define NODE_MAX_ALIAS_NODES 100000u /* nodes made by expanding aliases, one document */
#define NODE_MAX_REPEATED 1000u     /* keys given twice in one input, where that is allowed */
#define NODE_MAX_KEY 1024u          /* bytes of one map key */

enum node_kind { NODE_NULL, NODE_BOOL, NODE_INT, NODE_FLOAT, NODE_STRING, NODE_LIST, NODE_MAP };
enum node_style { NODE_PLAIN, NODE_SINGLE, NODE_DOUBLE, NODE_LITERAL, NODE_FOLDED, NODE_FLOW };

struct node;
struct node_pair {
	str key;
	loc key_at;
	enum node_style key_style;
	const struct node *value; /* never NULL */
};
struct node {
	enum node_kind kind : 8;
	enum node_style style : 8; /* as written; a hint for printers, no part of equality */
	uint32_t n;                /* items or pairs */
	loc at;
	str text; /* scalars: the string, "true"/"false", or the number's spelling; NUL-terminated */
	union {
		const struct node *const *items; /* NODE_LIST */
		const struct node_pair *pairs;   /* NODE_MAP */
	};
	const struct node *by; /* what an edit took this value from (its `at` is the line that asked
				* for it); NULL: as read */
	const uint32_t *index; /* maps of more than 12 pairs: hash index; private to node */
};

/* ------------------------------------------------------------------ reading */

struct node_docs {
	const struct node **p;
	size_t n, cap;
};
/* All documents of a YAML stream (a JSON text is YAML, but use node_read_json: it is exact and ten
 * times faster). Empty documents (nothing but comments) are left out; a document that is `null` is
 * kept. `in` must live as long as the tree. Anchors, aliases and merge keys (<<) are expanded here,
 * as yaml.v3 does. Every mistake that can be found before the parser loses its place is reported
 * (duplicate keys: ERR_DUPLICATE naming both places; limits: ERR_LIMIT; else ERR_SYNTAX). */
MUST_CHECK struct err *node_read_yaml(struct arena *a, const struct text *in,
				      struct node_docs *ret);
/* The same, more leniently. */
enum node_read {
	NODE_READ_LAST_KEY = 1, /* of a key that is given twice the last one counts */
	/* As YAML 1.1 has it: yes, no, on, off, y and n are bools, an empty value in { } is null, and a
	 * key that is a bool or a number is its text: what Go reads into structs. */
	NODE_READ_YAML11 = 4,
	NODE_READ_MISFITS = 8,  /* a text that does not fit its tag is taken as it is */
	NODE_READ_NUL = 2,      /* a text may hold NUL, written as an escape: manifests */
};
MUST_CHECK struct err *node_read_yaml_as(struct arena *a, const struct text *in, unsigned how,
					 struct node_docs *ret);
/* Exactly one JSON value (RFC 8259), strict; duplicate keys refused; numbers keep their spelling.
 * An integer without fraction or exponent is NODE_INT, any other number NODE_FLOAT;
 * a fraction or exponent that no double can hold is refused (ERR_LIMIT), and so is a NUL in a text. */
MUST_CHECK struct err *node_read_json(struct arena *a, const struct text *in,
				      const struct node **ret);

/* ------------------------------------------------------------------ looking */

const struct node *node_get(const struct node *map, str key); /* NULL: absent, or map is no map */
size_t node_index_of(const struct node *map, str key);        /* SIZE_MAX: absent */
/* Keys one after another, ended by NULL: node_at(n, "spec", "template", NULL). */
const struct node *node_at(const struct node *n, ...) __attribute__((sentinel));
str node_text(const struct node *n); /* of a string; STR_NONE for NULL and any other kind */
str node_get_text(const struct node *map, str key);
bool node_is(const struct node *n, enum node_kind k); /* false for NULL */
bool node_bool(const struct node *n, bool otherwise);
/* Exact; false when it is no integer or out of range. 0x, 0o, 0b, 0NN and _ understood. */
bool node_i64(const struct node *n, int64_t *ret);
bool node_number(const struct node *n, double *ret); /* INT or FLOAT */
/* Same data: maps without regard to order, lists in order, numbers by exact value (1 and 1.0 are
 * equal: `strict` makes int and float differ), strings by bytes. */
bool node_equal(const struct node *a, const struct node *b);
bool node_equal_strict(const struct node *a, const struct node *b);
const char *node_kind_name(enum node_kind k); /* "a map", "a string", for messages */

/* ------------------------------------------------------------------ making and editing */

const struct node *node_null(struct arena *a);
const struct node *node_new_bool(struct arena *a, bool v);
const struct node *node_new_int(struct arena *a, int64_t v);
const struct node *node_new_str(struct arena *a, str s); /* copies */
const struct node *node_new_scalar(struct arena *a, enum node_kind k, enum node_style st, str text);
const struct node *node_new_list(struct arena *a, const struct node *const *items, size_t n);
const struct node *node_new_map(struct arena *a, const struct node_pair *pairs, size_t n);
/* The same value with another place or maker. */
const struct node *node_with_by(struct arena *a, const struct node *n, const struct node *by);
const struct node *node_with_style(struct arena *a, const struct node *n, enum node_style st);
/* Replaces in place or appends; map may be NULL (a new one). */
const struct node *node_set(struct arena *a, const struct node *map, str key,
			    const struct node *value);
const struct node *node_del(struct arena *a, const struct node *map, str key);
const struct node *node_insert(struct arena *a, const struct node *map, size_t at, str key,
			       const struct node *value);
const struct node *node_list_set(struct arena *a, const struct node *list, size_t i,
				 const struct node *value);
const struct node *node_list_add(struct arena *a, const struct node *list,
				 const struct node *value); /* list may be NULL */
/* Before item i; at the end when i is too large. */
const struct node *node_list_insert(struct arena *a, const struct node *list, size_t i,
				    const struct node *value);
const struct node *node_list_del(struct arena *a, const struct node *list, size_t i);
const struct node *node_sorted(struct arena *a, const struct node *n); /* keys by bytes, at all depths */
/* Keys in the order kustomize prints them (spec/kustomize.md 19b: v2 before v10), at all depths. */
const struct node *node_sorted_natural(struct arena *a, const struct node *n);
int node_key_cmp(str a, str b); /* that order: <0, 0, >0 */
/* A deep copy, place and all, so that the source's arena may go (texts stay borrowed). */
const struct node *node_dup(struct arena *a, const struct node *n);

/* A vector of pairs for whoever builds a map step by step. */
struct node_pairs {
	struct node_pair *p;
	size_t n, cap;
};
void node_pairs_add(struct arena *a, struct node_pairs *v, str key, const struct node *value);
struct node_items {
	const struct node **p;
	size_t n, cap;
};

/* ------------------------------------------------------------------ pointers and paths */

/* RFC 6901; NULL when it leads nowhere. "-" leads nowhere. */
const struct node *node_pointer_get(const struct node *root, str pointer);
/* Splits and unescapes; ERR_INVALID when it is no pointer ("write '/spec/replicas'"). */
struct node_path {
	str *p;
	size_t n, cap;
};
MUST_CHECK struct err *node_pointer_split(struct arena *a, str pointer, struct node_path *ret);
/* RFC 6902: test, add, remove, replace, move, copy; all or nothing. A failed operation names its own
 * place in `patch`. */
MUST_CHECK struct err *node_patch_json(struct arena *a, const struct node *root,
				       const struct node *patch, const struct node **ret);
/* The same as kustomize has it: negative indices count from the end, a missing field is replaced, a
 * missing value is null, and a test for null holds where nothing is. */
MUST_CHECK struct err *node_patch_json_lenient(struct arena *a, const struct node *root,
					       const struct node *patch, const struct node **ret);
/* RFC 7396. */
const struct node *node_merge_json(struct arena *a, const struct node *target,
				   const struct node *patch);

/* ------------------------------------------------------------------ printing */

enum node_json {
	NODE_JSON_COMPACT = 0,
	NODE_JSON_CANONICAL = 1, /* keys sorted by bytes, integers without '+' and leading zeros,
				  * floats shortest round trip: design.md section 7, digest */
	NODE_JSON_INDENT = 2,    /* two blanks a level, for people */
};
void node_json(const struct node *n, enum node_json how, struct buf *b);
/* YAML as kustomize prints it (yaml.v3 encoder with kustomize's compact sequences: lists are not
 * indented below their key, 2 blanks a level, scalars in the style they need; spec/kustomize.md 19).
 * Ends in a newline; the caller writes "---\n" between documents. */
void node_yaml(const struct node *n, struct buf *b);
/* YAML for people who will see it again: styles, flow and comments as in `text`, which n was read from
 * (alone: its lines are n's) and edited since; the layout is go-yaml's. */
void node_yaml_styled(struct arena *a, const struct node *n, str text, struct buf *b);
/* One scalar, or compact JSON of a container: for screens and messages. */
void node_brief(const struct node *n, size_t most, struct buf *b);
