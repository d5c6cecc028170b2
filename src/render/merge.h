/* merge: kustomize's strategic merge, over two trees.
 *
 * The table holds kustomize's own idea of which lists merge by which keys (Kubernetes 1.21, several
 * keys for ports), which is not what an API server does; so object.h's facts do not serve here. */
#pragma once
#include "leeboard/node.h"

#define MERGE_MAX_KEYS 4       /* of one list */
#define MERGE_MAX_TUPLES 2000u /* elements of a list with several keys: they are compared pairwise */

struct merge_type;
/* A field of a type. keys NULL: a map of that type. Else a list merged by those keys, comma between;
 * "-": a list of scalars merged as a set. */
struct merge_field {
	const char *name;
	const char *keys;
	const struct merge_type *type; /* of the map or the element; NULL: nothing is known */
};
struct merge_type {
	const struct merge_field *fields; /* ends with a NULL name */
	const struct merge_type *any;     /* of fields with other names: a map's values; or NULL */
};
/* The types of an OpenAPI document: definitions with x-kubernetes-group-version-kind. */
struct merge_types; /* `and_builtin`: beside the built-in ones, which go first */
MUST_CHECK struct err *merge_types_read(struct arena *a, const struct node *openapi, bool and_builtin,
					const struct merge_types **ret);
/* A built-in type by the name of its definition; NULL: none. */
const struct merge_type *merge_type_named(str name);
const struct merge_type *merge_types_get(const struct merge_types *all, str api_version, str kind);
/* Field comments of the form `key: # {"x-kubernetes-patch-strategy": ...}` count as well: does a text
 * have any; types (NULL: the built-in ones) that look at them; and what one says of the field whose
 * key is there. */
bool merge_text_hints(str text);
struct merge_types *merge_types_hinted(struct arena *a, const struct merge_types *all);
bool merge_hint(const struct merge_types *all, loc key_at, struct merge_field *ret);
/* Of all, or of the built-in ones when that is NULL. NULL: nothing is known of the kind. */
const struct merge_type *merge_type_of(const struct merge_types *all, str api_version, str kind);
/* dest with patch merged in; *ret is NULL when the patch deletes the object. The trees share parts
 * with both sources. */
MUST_CHECK struct err *merge_strategic(struct arena *a, const struct merge_types *all,
				       const struct node *dest, const struct node *patch,
				       const struct node **ret);
