/* kust: how the files of kustomize are read: maps by tables of fields, names in any case, strictly,
 * all mistakes at once. */
#pragma once
#include "load_priv.h"

enum field_type {
	F_STR,     /* str */
	F_BOOL,    /* bool */
	F_STRS,    /* struct res_strs */
	F_ENTRIES, /* struct kust_entries */
	F_MAP,     /* const struct node *, a map of strings */
	F_INT,     /* const struct node * */
	F_CALL,    /* call(c, value, field) */
	F_SKIP,    /* nothing to keep */
	F_NO_HELM,
};
struct call {
	struct build *b;
	struct kustomization *k;
	bool coerce; /* a number or bool is fine where a string is wanted */
	bool loose;  /* unknown fields are ignored */
};
struct field {
	const char *name;
	enum field_type type;
	size_t at;
	struct err *(*call)(struct call *c, const struct node *v, void *member);
};

bool kust_same(str a, str b); /* in any case */
/* The value of a field whatever the case of its name; of several spellings the last by bytes counts.
 * NULL: absent or null. */
const struct node *kust_get(const struct node *map, const char *name);
MUST_CHECK struct err *kust_wrong_type(const struct node *v, str name, const char *want);
MUST_CHECK struct err *kust_need_string(const struct node *v, str name);
/* A value into out by its row. */
MUST_CHECK struct err *kust_field(struct call *c, const struct field *f, const struct node *v,
				  void *out);
/* A map into *out by the table; a null field is an absent one. */
MUST_CHECK struct err *kust_map(struct call *c, const struct node *map, const char *what,
				const struct field *fields, size_t n, void *out);
/* Calls one(c, item, member) for each item of a list. */
MUST_CHECK struct err *
kust_list(struct call *c, const struct node *v, const char *what, void *member,
	  struct err *(*one)(struct call *c, const struct node *v, void *member));
#define AT(type, member) offsetof(struct type, member)

/* Fields of more than one kind of file; member as in struct field. */
#define KUST_CALLS(X)                                                                              \
	X(selector)   /* const struct selector ** */                                               \
	X(fieldspecs) /* struct fieldspecs */                                                      \
	X(images)     /* of c->k; so are those below but patches and strategic */                  \
	X(replicas)                                                                                \
	X(replacements)                                                                            \
	X(patches)   /* struct patch_specs */                                                      \
	X(strategic) /* struct patch_specs */                                                      \
	X(one_patch)  /* struct patch_specs */                                                     \
	X(image)      /* struct image_spec */                                                      \
	X(replica)    /* struct replica_spec */                                                    \
	X(one_strategic)
#define X(name)                                                                                    \
	MUST_CHECK struct err *kust_##name(struct call *c, const struct node *v, void *member);
KUST_CALLS(X)
#undef X
MUST_CHECK struct err *kust_generator(struct call *c, const struct node *v, bool secret,
				      struct gen_spec *ret);
