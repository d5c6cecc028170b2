/* object: Kubernetes objects as data: identity, sets, what is known of kinds, normalization, digest.
 *
 * An object is an immutable tree plus its identity and the place that it comes from. Sets keep the
 * order of insertion, with a hash index beside it. Facts about kinds (scope, list keys, patch
 * strategies) are tables made from Kubernetes 1.36; a target that knows better hands its own scope
 * function in. */
#pragma once
#include "leeboard/node.h"

/* group/Kind/namespace/name; core group and cluster scope are empty (design.md section 7). */
typedef struct obj_id {
	str group, kind, ns, name;
} obj_id;
bool obj_id_eq(obj_id a, obj_id b);
int obj_id_cmp(obj_id a, obj_id b); /* group, kind, ns, name, bytewise */
uint64_t obj_id_hash(obj_id id);
obj_id obj_id_dup(struct arena *a, obj_id id);
str obj_id_text(struct arena *a, obj_id id);  /* "apps/Deployment/shop/web" */
str obj_id_label(struct arena *a, obj_id id); /* for people: "Deployment shop/web", "Namespace shop" */
bool obj_id_parse(str s, obj_id *ret);        /* of obj_id_text; borrows s */
/* "deploy/web", "deployments.apps/web", "Deployment/shop/web": kind word, optional group (kubectl's
 * deployments.v1.apps too: the version is no part of an identity), namespace, name; false when it is
 * none. Borrows s. */
struct obj_ref {
	str kind, group, ns, name; /* kind as written; group, ns empty: not said */
};
bool obj_ref_parse(str s, struct obj_ref *ret);
bool obj_ref_matches(const struct obj_ref *r, obj_id id);
/* Does the word mean the kind: in any case, as a plural, as a short name ("po", "svc")? */
bool obj_kind_matches(str word, str group, str kind);

struct object {
	obj_id id;
	str version;             /* of apiVersion */
	const struct node *root; /* a map with apiVersion, kind, metadata.name */
	loc at;                  /* where the object starts in Git */
};
/* The parts of apiVersion. */
void obj_api_version(str api_version, str *group, str *version);
/* Identity of a tree; missing or wrong apiVersion, kind, metadata.name(space) are errors with
 * places. */
MUST_CHECK struct err *obj_from_node(struct arena *a, const struct node *root, struct object *ret);
/* A list of objects (`kind: List`, ConfigMapList, ...): a kind in "List", `items`, and no name. */
bool obj_is_list(const struct node *root);
str obj_annotation(const struct object *o, str key); /* STR_NONE: absent */
str obj_label(const struct object *o, str key);

struct obj_set {
	struct object *p;
	size_t n, cap;
	uint32_t *index; /* private */
	size_t index_cap;
};
struct obj_set *obj_set_new(struct arena *a);
/* Index of the new member, or ERR_DUPLICATE naming both places. */
MUST_CHECK struct err *obj_set_add(struct arena *a, struct obj_set *s, struct object o);
const struct object *obj_set_get(const struct obj_set *s, obj_id id); /* NULL: not in it */
size_t obj_set_find(const struct obj_set *s, obj_id id);              /* SIZE_MAX: not in it */

/* ------------------------------------------------------------------ facts about kinds */

enum obj_scope { OBJ_SCOPE_UNKNOWN, OBJ_NAMESPACED, OBJ_CLUSTER };
enum obj_scope obj_scope_builtin(str group, str kind);
typedef enum obj_scope (*obj_scope_fn)(void *arg, str group, str version, str kind);

/* How a list (or map) field behaves, of the field at `path` below the root of apiVersion/Kind.
 * A path is field names and "[]" for a list element and "{}" for a map value, as in
 * "spec.template.spec.containers[].ports". */
enum obj_strategy {
	OBJ_REPLACE = 0,
	OBJ_MERGE = 1,
	OBJ_RETAIN_KEYS = 2,
	OBJ_MERGE_RETAIN = 3
};
struct obj_schema; /* cursor into the tables: one node of a kind's schema */
/* NULL: nothing is known of the kind. Borrowed, const tables. */
const struct obj_schema *obj_schema_of(str api_version, str kind);
const struct obj_schema *obj_schema_field(const struct obj_schema *s, str name); /* NULL s is fine */
const struct obj_schema *obj_schema_item(const struct obj_schema *s);            /* list or map value */
enum obj_strategy obj_schema_strategy(const struct obj_schema *s);
str obj_schema_merge_key(const struct obj_schema *s);  /* strategic merge; empty: a list of scalars */
/* `$patch: replace` without saying so: a map whose tag is "replace" (PodDisruptionBudget's selector). */
bool obj_schema_whole(const struct obj_schema *s);
/* Merged by key also in the schema that kustomize 5 has built in (Kubernetes 1.21)? It merges by
 * obj_schema_list_keys, or by the merge key where there are none. Of a root: is the kind in it? */
bool obj_schema_kustomize(const struct obj_schema *s);

/* What a value is. OBJ_ANY: kept as it is, whatever it holds, nulls too; NULL gives OBJ_SCALAR. */
enum obj_shape {
	OBJ_SCALAR,
	OBJ_STRING,
	OBJ_BYTES, /* base64 */
	OBJ_TIME,
	OBJ_QUANTITY,
	OBJ_OBJECT,
	OBJ_MAP,
	OBJ_LIST,
	OBJ_ANY
};
enum obj_shape obj_schema_shape(const struct obj_schema *s);
/* Server-side apply: how elements of a list are owned, and by which keys those of a list-map are
 * told apart. A list of which nothing is known is atomic. */
enum obj_list_type { OBJ_LIST_ATOMIC, OBJ_LIST_SET, OBJ_LIST_MAP };
struct obj_list_key {
	str name;
	str otherwise; /* what an absent key stands for ("TCP"); empty: nothing */
};
enum obj_list_type obj_schema_list_type(const struct obj_schema *s);
size_t obj_schema_list_keys(const struct obj_schema *s, const struct obj_list_key **ret);
bool obj_schema_atomic(const struct obj_schema *s); /* a map or object that is owned whole */

/* ------------------------------------------------------------------ paths of fields */

/* Steps of a path as people read it, .spec.containers[name="web"].image; a key that is no plain word
 * stands in brackets: .data["a.b"]. */
void obj_path_field(struct buf *b, str key);
/* The step into an element of the list: by its keys or by its value, [="x"], as the kind's schema
 * has it; false, and nothing was added, where nothing tells elements apart. */
bool obj_path_element(struct buf *b, const struct obj_schema *list, const struct node *e);
/* Which of the paths speaks of `path`: itself, else one that shares most steps with it, those above
 * it first. SIZE_MAX when n is 0. */
size_t obj_path_find(const str *paths, size_t n, str path);

/* ------------------------------------------------------------------ normalization and digest */

struct obj_norm {
	obj_scope_fn scope; /* NULL: the built-in table; unknown kinds keep what they have */
	void *scope_arg;
	str default_namespace; /* for namespaced objects that name none; empty: "default" */
};
/* One object in the form that is hashed, compared and applied (spec/sync.md b); the rules are rows of
 * a table in normalize.c. List kinds are expanded: appends one or more objects. Errors have places:
 * null in a string map, non-string Secret value, ... all of one object at once. */
MUST_CHECK struct err *obj_normalize(struct arena *a, const struct obj_norm *how,
				     const struct node *root, struct obj_set *ret);
/* BLAKE2b-256 keyed with key (32 bytes), tag "leeboard/object/1", over canonical JSON. */
struct hash obj_digest(const struct node *root, const uint8_t key[32]);
/* Replaces the values of a Secret's data by {"$hash": hex} under key; other kinds unchanged. What is
 * stored, shown or sent as an event passes here. */
const struct node *obj_redact(struct arena *a, const struct object *o, const uint8_t key[32]);
bool obj_is_secret(obj_id id);

/* Quantities (spec/sync.md a.8): same value and same family (binary, decimal, exponent)? False when
 * either is none. */
bool obj_quantity_equal(str a, str b);
/* Is the field at this path of this kind a quantity? path as above, without indices. */
bool obj_is_quantity_field(obj_id id, str path);

/* ------------------------------------------------------------------ inventory */

/* The identities that one App owns at its target; one line each (design.md section 7):
 * "<identity>\t<version>\t<uid>\t<c|a>\t<p|l|d|k>". An id is in it before its object is first
 * written (pending), and leaves it only when the target said that the object is gone. */
#define INVENTORY_MAX 100000u
enum inv_origin { INV_CREATED = 'c', INV_ADOPTED = 'a' };
enum inv_state {
	INV_PENDING = 'p',  /* about to be written for the first time */
	INV_LIVE = 'l',
	INV_DELETING = 'd',
	INV_KEPT = 'k' /* left Git, stays: opted out of deletion */
};
struct inv_entry {
	obj_id id;
	str version, uid; /* uid empty: not known (yet), or a directory */
	enum inv_origin origin;
	enum inv_state state;
};
struct inventory {
	struct inv_entry *p; /* sorted by obj_id_cmp */
	size_t n, cap;
};
/* The whole text; a bad line is ERR_INVALID with its place, an identity twice ERR_DUPLICATE. In
 * whatever order the lines come. Strings are the arena's. */
MUST_CHECK struct err *inventory_parse(struct arena *a, const struct text *in, struct inventory *ret);
void inventory_print(const struct inventory *inv, struct buf *b);
const struct inv_entry *inventory_get(const struct inventory *inv, obj_id id); /* NULL: not in it */
/* Adds or replaces; copies the strings. Linear when ids come in order, else a search and a move. */
void inventory_set(struct arena *a, struct inventory *inv, struct inv_entry e);
bool inventory_del(struct inventory *inv, obj_id id); /* false: was not in it */
struct inventory *inventory_dup(struct arena *a, const struct inventory *inv);

/* ------------------------------------------------------------------ wants */

/* One object of a revision, ready to be sent: normalized, marked, with what was written in Git kept
 * beside it. A rendering is one `struct wants`; its tree is made in a scratch arena when needed. */
struct want_origin {
	str path; /* ".spec.replicas" */
	str file;
	uint32_t line;
};
struct want {
	obj_id id;
	str version;
	str json;           /* compact */
	struct hash digest; /* of the object as in json */
	str file;
	uint32_t line, col;
	const struct want_origin *origins; /* by path, bytewise */
	size_t origins_n;
};
struct wants {
	struct arena *arena; /* owns everything; NULL: borrowed */
	struct want *p;      /* as rendered */
	size_t n, cap;
	uint32_t *index; /* private: by identity */
	size_t index_cap;
};
struct wants *wants_new(void); /* with an arena of its own */
void wants_free(struct wants *w);
DEFINE_CLEANUP(wants, wants_free)
/* Copies nothing: strings must be the arena's. ERR_DUPLICATE naming both files. */
MUST_CHECK struct err *wants_add(struct wants *w, struct want x);
const struct want *wants_get(const struct wants *w, obj_id id); /* NULL: not in it */
/* The tree of its json, in `a`; borrows the strings of w. ERR_INTERNAL: json is another object. */
MUST_CHECK struct err *want_tree(struct arena *a, const struct want *w, struct object *ret);
/* The origin of the longest path that is `path` or a prefix of it; NULL: the object's own place is
 * the best that is known. */
const struct want_origin *want_origin(const struct want *w, str path);
