/* select: which objects a patch is for: anchored regular expressions and label selectors. */
#pragma once
#include "render_priv.h"

#define SELECT_MAX_REGEX 1024u /* bytes of one expression */
#define SELECT_MAX_REPEAT 1000u /* product of nested repetitions, as RE2 */
#define SELECT_MAX_EXPANDED 16384u /* bytes times repetitions: regcomp(3) writes them all out */

struct regex;
/* Go's syntax (RE2), as far as POSIX can express it; the rest is ERR_NOT_SUPPORTED at `at`. before
 * and after are POSIX and go around the translation: "^(" and ")$" anchor. */
MUST_CHECK struct err *regex_new(str re, const char *before, const char *after, loc at,
				 struct regex **ret);
void regex_free(struct regex *re);
DEFINE_CLEANUP(regex, regex_free)
bool regex_matches(const struct regex *re, str s);

struct selection;
MUST_CHECK struct err *selection_new(struct arena *a, const struct selector *s,
				     struct selection **ret);
void selection_free(struct selection *s);
DEFINE_CLEANUP(selection, selection_free)
bool selection_has(const struct selection *s, const struct res *r);
