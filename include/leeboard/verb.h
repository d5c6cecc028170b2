/* verb: the table of verbs: their words, flags, examples, and which program does them.
 *
 * One row makes the help text, the reader of its words, and the completion of the shells; a flag that
 * is not in its row is refused, and a verb without a row does not exist. `leeboard` does some verbs
 * itself and starts a program beside it for the rest (design.md 4); that program reads its words by
 * the same row. */
#pragma once
#include "leeboard/base.h"

/* Who does it. */
enum verb_program {
	VERB_SELF,       /* leeboard */
	VERB_CONTROLLER, /* leeboard-controller */
	VERB_CLIENT,     /* leeboard-client: asks a daemon */
	VERB_VERIFY,     /* leeboard-verify */
};
const char *verb_program_name(enum verb_program p); /* "leeboard-client" */

struct verb_flag {
	const char *name;  /* "--reason" */
	char letter;       /* 'o' for "-o"; 0: none */
	const char *value; /* "TEXT"; NULL: a switch */
	const char *what;
};
/* What completes an operand. */
enum verb_operand { VERB_NONE, VERB_APP, VERB_SOURCE, VERB_APP_OR_SOURCE, VERB_FILE, VERB_WORD };
struct verb {
	const char *name;
	enum verb_program program;
	const char *operands;      /* "APP [REV..REV]", as shown */
	enum verb_operand operand; /* the first */
	int least, most;           /* operands; most -1: any number */
	const char *what;          /* a line for `leeboard help` */
	const char *more;          /* a paragraph for `leeboard help VERB`; NULL: none */
	const char *example;
	const struct verb_flag *flags; /* ended by a NULL name; NULL: none */
};
/* Takes the flags of verbs that ask a daemon (-o, --socket, --server, --timeout, ...). */
bool verb_asks(const struct verb *v);
const struct verb *verb_find(str name); /* NULL: there is none */
const struct verb *verb_at(size_t i);   /* NULL behind the last */
/* "unknown verb 'stauts'", with the nearest as its hint. */
MUST_CHECK struct err *verb_unknown(str name);

/* The words of one call, taken apart. Texts are argv's. */
struct verb_words {
	const struct verb *verb;
	str *operands;
	size_t n;
	const str *values; /* private: a value for each flag of the verb and each common one */
	bool help;         /* -h: usage is wanted, nothing was checked */
};
/* argv[0] is the verb's name. ERR_USAGE: a flag that is not in the row (with the nearest), a missing
 * or superfluous value, a flag given twice, too few or too many operands. */
MUST_CHECK struct err *verb_read(struct arena *a, const struct verb *v, int argc, char **argv,
				 struct verb_words *ret);
bool verb_has(const struct verb_words *w, const char *name);      /* the flag was given */
str verb_value(const struct verb_words *w, const char *name);     /* its value; empty: not given */
void verb_usage(const struct verb *v, struct buf *b);             /* `leeboard VERB -h` */
void verb_list(struct buf *b);                                    /* `leeboard help` */
void verb_reference(struct buf *b);                               /* docs/reference-verbs.md */
/* A completion script; shell: bash, zsh, fish. False: another shell. Names of Apps and Sources come
 * from the daemon while people type: `leeboard status -o name`. */
bool verb_completion(str shell, struct buf *b);
