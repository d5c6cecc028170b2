/* config, inside: the table of fields and what its rows are read with. */
#pragma once
#include "leeboard/config.h"

enum kind { KIND_SOURCE, KIND_APP, KIND_POLICY, KIND_ALERT, KIND_DAEMON, KIND_COUNT };

/* Rows: enumerator, words for people. */
#define FIELD_TYPES(X)                                                                             \
	X(LATER, "")                                                                               \
	X(TEXT, "text")                                                                            \
	X(NAME, "name")                                                                            \
	X(URL, "url")                                                                              \
	X(HEX, "40 or 64 hex digits")                                                              \
	X(PATH, "path")                                                                            \
	X(SUBPATH, "path in the source")                                                           \
	X(LISTEN, "address:port")                                                                  \
	X(OBJECT, "object")                                                                        \
	X(DURATION, "duration")                                                                    \
	X(BOOL, "bool")                                                                            \
	X(INT, "integer")                                                                          \
	X(SIZE, "size")                                                                            \
	X(MODE, "octal mode")                                                                      \
	X(ENUM, "enum")                                                                            \
	X(ENUMS, "list of enum")                                                                   \
	X(TEXTS, "list of text")                                                                   \
	X(GLOBS, "list of globs")                                                                  \
	X(EVENTS, "list of event globs")                                                           \
	X(KINDS, "list of kinds")                                                                  \
	X(POINTERS, "list of JSON pointers")                                                       \
	X(ABSPATHS, "list of absolute paths")                                                      \
	X(KEYS, "list of text")                                                                    \
	X(TEXTLIST, "list of text")                                                                \
	X(TEXTMAP, "map of text")                                                                  \
	X(NOTES, "map of text")                                                                    \
	X(MAPS, "list of maps")                                                                    \
	X(REF, "Ref")                                                                              \
	X(TARGET, "Target")                                                                        \
	X(TARGETS, "list of Targets")                                                              \
	X(DEPS, "list of maps")                                                                    \
	X(IGNORES, "list of maps")                                                                 \
	X(TOS, "list of maps")                                                                     \
	X(TARGETMAP, "map of targets")                                                             \
	X(SPEC, "map")
enum field_type {
#define X(name, words) F_##name,
	FIELD_TYPES(X)
#undef X
};
enum field_flag { REQ = 1, OP = 2, ZERO = 4, PUB = 8 };
struct field {
	enum kind kind;
	enum field_type type;
	const char *path;
	unsigned flags;
	const char *def, *values;
	size_t at;
	const char *meaning, *example;
	const char *words; /* of LATER: its type */
};
extern const struct field config_fields[];
extern const size_t config_fields_n;
extern const char *const config_kinds[KIND_COUNT];
extern const char *const config_type_words[];

/* Does the field lie at or below prefix ("target" has "target.name", "to[].type" lies below "to")?
 */
bool field_below(const struct field *f, const char *prefix);
/* The row of exactly this path, "[]" behind it or not; NULL: none. */
const struct field *field_find(enum kind k, const char *path);

/* What a parse carries. */
struct doc {
	enum kind kind;
	const struct node *root, *spec;
	str name, namespace;
	loc at, name_at;
	bool bad;
	bool used;        /* an App names this Source */
	void *typed;      /* struct source, app, policy, alert or daemon_doc */
	size_t app_index; /* of check_cycles */
};
struct err;
struct parse {
	struct arena *a;
	struct config *c;
	enum config_carrier carrier;
	str home;
	bool in_pod;
	struct {
		struct err **p;
		size_t n, cap;
	} errs;
	struct {
		struct doc *p;
		size_t n, cap;
	} docs;
	struct doc *now; /* whom a mistake counts against */
	size_t bad_streams;
};
/* Notes a mistake at `at`. */
void mistake(struct parse *p, enum err_code c, loc at, const char *fmt, ...) PRINTF_LIKE(4, 5);
void mistake_take(struct parse *p, struct err *e);
void warning(struct parse *p, loc at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* ", did you mean 'x'?" or nothing. */
str did_you_mean(struct parse *p, str s, const str *names, size_t n);
/* "a, b, c" */
str joined(struct arena *a, const str *names, size_t n);

/* A map below spec into the struct at base; prefix is "" or ends in '.'. partial: nothing is
 * required, no defaults are set. */
void read_map(struct parse *p, enum kind k, const char *prefix, const struct node *map, void *base,
	      bool partial);
/* The rows' defaults below prefix into the struct at base. */
void read_defaults(struct parse *p, enum kind k, const char *prefix, void *base);
/* One value by its row; shown is the key as people wrote it. */
void read_value(struct parse *p, const struct field *f, const char *shown, const struct node *v,
		void *base);
void read_keys(struct parse *p, const struct node *map, const char *where, const str *known,
	       size_t n);
/* What one document says beyond its rows. */
void check_source(struct parse *p, struct doc *d, struct source *s);
void check_app(struct parse *p, struct doc *d, struct app *s);
void check_target(struct parse *p, const struct node *map, loc at, struct app_target *t);
void check_policy(struct parse *p, struct doc *d, struct policy *s);
void check_alert(struct parse *p, struct doc *d, struct alert *s);
void check_daemon(struct parse *p, struct doc *d, struct daemon_doc *s);
/* What documents say of each other. */
void check_references(struct parse *p);
void check_cycles(struct parse *p);
