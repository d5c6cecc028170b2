/* trust: is this commit signed by somebody we trust?
 *
 * Works on the raw bytes of a commit, with parsers of its own: stricter than git on purpose. What a
 * commit says is believed only after trust_verify_commit answered TRUST_GOOD; each other verdict is
 * a reason to hold. Built so far: SSH signatures by Ed25519, ECDSA and RSA (3072 bits up) keys,
 * allowed_signers files, modes head, first-parent and range. Every other key type, signature kind
 * and mode is TRUST_UNSUPPORTED or ERR_NOT_SUPPORTED, never a pass. Text out of a commit or a
 * signature never enters `detail`. */
#pragma once
#include "leeboard/git.h"

#define TRUST_MAX_OBJECT (1u << 20)
#define TRUST_MAX_HEADER (256u << 10)
#define TRUST_MAX_SIGNATURE (64u << 10)
#define TRUST_MAX_PARENTS GIT_MAX_PARENTS
#define TRUST_MAX_SIGNERS_FILE (4u << 20)
#define TRUST_MAX_SIGNERS 10000u
#define TRUST_MAX_RANGE 20000u
#define TRUST_CLOCK_SKEW (5 * MINUTE)

/* Once per program, before a sandbox closes: what libcrypto would open later, and no configuration. */
void trust_setup(void);

/* Rows: enumerator, reason on the wire, class of trust.md 6. */
#define TRUST_VERDICTS(X)                                                                          \
	X(TRUST_GOOD, "Good", "good")                                                              \
	X(TRUST_UNSIGNED, "Unsigned", "unsigned")                                                  \
	X(TRUST_MALFORMED, "MalformedObject", "malformed")                                         \
	X(TRUST_TOO_LARGE, "TooLarge", "malformed")                                                \
	X(TRUST_CORRUPT, "CorruptObject", "error")                                                 \
	X(TRUST_MISSING, "IncompleteHistory", "error")                                             \
	X(TRUST_UNKNOWN_SIGNATURE, "UnknownSignature", "unsupported")                              \
	X(TRUST_UNSUPPORTED, "UnsupportedSignature", "unsupported")                                \
	X(TRUST_BAD_SIGNATURE, "BadSignature", "bad")                                              \
	X(TRUST_WRONG_NAMESPACE, "WrongNamespace", "bad")                                          \
	X(TRUST_WEAK, "WeakOrUnknownAlgorithm", "weak")                                            \
	X(TRUST_KEY_NOT_ALLOWED, "KeyNotAllowed", "untrusted")                                     \
	X(TRUST_KEY_EXPIRED, "KeyExpired", "expired")                                              \
	X(TRUST_SIGNATURE_TIME, "SignatureTime", "expired")
enum trust_verdict {
#define X(id, reason, class) id,
	TRUST_VERDICTS(X)
#undef X
};
const char *trust_verdict_name(enum trust_verdict v);  /* "KeyNotAllowed" */
const char *trust_verdict_class(enum trust_verdict v); /* "untrusted" */

/* Why a parser refused. */
struct trust_fault {
	enum trust_verdict verdict;
	const char *detail; /* fixed text */
};

/* ------------------------------------------------------------------ a commit's bytes */

enum trust_kind { TRUST_NONE, TRUST_SSH, TRUST_OPENPGP, TRUST_X509, TRUST_OTHER };
struct trust_ident {
	str name, email; /* as they stand: not even UTF-8 */
	int64_t time;    /* seconds since 1970 */
	str zone;        /* "+0100" */
};
struct trust_commit {
	git_id tree;
	git_id *parents;
	size_t parents_n;
	struct trust_ident author, committer;
	str message;
	enum trust_kind kind;
	str signature; /* the armour of this repository's hash, unfolded; empty when TRUST_NONE */
	str payload;   /* what the signature is over */
};
/* id_n: 20 or 32, which decides between gpgsig and gpgsig-sha256. Views point into bytes or a. */
MUST_CHECK bool trust_commit_parse(struct arena *a, str bytes, size_t id_n,
				   struct trust_commit *ret, struct trust_fault *fault);

/* ------------------------------------------------------------------ an SSH signature */

struct trust_sshsig {
	str key; /* the public key's blob */
	str key_type;
	str namespace;
	str hash;      /* "sha256" or "sha512" */
	str signature; /* the signature's blob */
};
MUST_CHECK bool trust_sshsig_parse(struct arena *a, str armour, struct trust_sshsig *ret,
				   struct trust_fault *fault);
/* Is it over this payload, in this namespace? */
MUST_CHECK bool trust_sshsig_verify(const struct trust_sshsig *s, str payload, str namespace,
				    struct trust_fault *fault);
/* "SHA256:" and unpadded base64. */
str trust_fingerprint(struct arena *a, str key);

/* ------------------------------------------------------------------ who is trusted */

struct trust_signers;
struct trust_signers *trust_signers_new(void);
void trust_signers_free(struct trust_signers *s);
DEFINE_CLEANUP(trust_signers, trust_signers_free)
/* Adds the lines of an OpenSSH allowed_signers file. One bad line refuses the file as a whole: all
 * mistakes come back joined, and s is as it was. */
MUST_CHECK struct err *trust_signers_add(struct trust_signers *s, const struct text *file);
size_t trust_signers_count(const struct trust_signers *s);
/* "file:line: 'valid-after' without Z is in this machine's time zone: write Z" and such. */
const str *trust_signers_warnings(const struct trust_signers *s, size_t *n);
/* Does name match a principals list ("*@example.org,!bad@example.org")? */
bool trust_principals_match(str patterns, str name);
/* The best verdict that the lines of this key give in this namespace at all of these times
 * (seconds). principal: the field as written, when a line lists the key. */
enum trust_verdict trust_signers_judge(const struct trust_signers *s, str key, str namespace,
				       const int64_t *times, size_t times_n, str *principal,
				       const char **detail);

/* ------------------------------------------------------------------ verdicts */

struct trust_result;
struct trust_rules {
	const struct trust_signers *signers;
	msec now;        /* wall clock */
	msec clock_skew; /* how far in the future a commit may be; 0: TRUST_CLOCK_SKEW */
	/* Commits that a person let pass (P-104): any verdict but those of class malformed and error
	 * then counts as good, and the result says `allowed`. */
	const git_id *allowed;
	size_t allowed_n;
	bool allow_rewind;      /* onRewind: allow (P-08) */
	bool verified_diverged; /* onForcePush: verified (P-09) */
	/* Each commit that trust_verify_range judges, once, in the order of judging; borrowed until the
	 * return. NULL: not wanted. */
	void (*on_judged)(void *arg, const struct trust_result *r);
	void *arg;
};
struct trust_result {
	git_id id;
	enum trust_verdict verdict;
	enum trust_kind kind;
	str key;            /* fingerprint; empty: none was read */
	str principal;      /* empty: none matched */
	int64_t time;       /* the committer's, claimed; 0: none was read */
	const char *detail; /* fixed text */
	bool allowed;       /* not good, and a person let it pass */
};
/* Does it count: good, or let pass? */
bool trust_passes(const struct trust_result *r);
/* bytes: as read by git_store_read, which hashed them. */
void trust_verify_bytes(struct arena *a, git_id id, str bytes, const struct trust_rules *rules,
			struct trust_result *ret);
void trust_verify_commit(struct git_store *s, struct arena *a, git_id id,
			 const struct trust_rules *rules, struct trust_result *ret);

/* ------------------------------------------------------------------ moving a ref */

/* Rows: enumerator, word in a configuration. */
#define TRUST_MODES(X)                                                                             \
	X(TRUST_MODE_OFF, "off")                                                                   \
	X(TRUST_MODE_HEAD, "head")                                                                 \
	X(TRUST_MODE_TAG, "tag")                                                                   \
	X(TRUST_MODE_TAG_HEAD, "tag+head")                                                         \
	X(TRUST_MODE_FIRST_PARENT, "first-parent")                                                 \
	X(TRUST_MODE_RANGE, "range")                                                               \
	X(TRUST_MODE_AUTHORIZED, "authorized")
enum trust_mode {
#define X(id, name) id,
	TRUST_MODES(X)
#undef X
};
bool trust_mode_from_name(str name, enum trust_mode *ret);

/* Rows: enumerator, word. */
#define TRUST_MOVES(X)                                                                             \
	X(TRUST_MOVE_FIRST, "first")                                                               \
	X(TRUST_MOVE_SAME, "same")           /* P-01 to P-04 */                                    \
	X(TRUST_MOVE_FORWARD, "forward")     /* P-05, P-06 */                                      \
	X(TRUST_MOVE_REWOUND, "rewound")     /* P-08 */                                            \
	X(TRUST_MOVE_DIVERGED, "diverged")   /* P-09 */                                            \
	X(TRUST_MOVE_UNRELATED, "unrelated") /* P-10 */                                            \
	X(TRUST_MOVE_UNKNOWN, "unknown")     /* a commit on the way is missing, or too many */
enum trust_move {
#define X(id, name) id,
	TRUST_MOVES(X)
#undef X
};
const char *trust_move_name(enum trust_move m);

enum trust_outcome { TRUST_ACCEPT, TRUST_NOOP, TRUST_HOLD };
struct trust_advance {
	enum trust_outcome outcome;
	const char *reason; /* of a TRUST_HOLD: "Rewound", "Unsigned", "AcceptedKeyUntrusted"; else
			     * NULL */
	enum trust_move move;
	struct trust_result head; /* `to`, judged whatever the move is (not in mode off) */
	git_id *commits;          /* trust_list_range's */
	size_t commits_n;
	struct trust_result bad; /* modes first-parent and range: the oldest that is not good */
	size_t bad_n;            /* how many are not */
};
/* What is new at `to`, parents first: what `from` does not reach, in mode first-parent only the chain;
 * without `from` the tip alone, as nobody judges what lies below it. */
enum git_walk trust_list_range(struct git_store *s, struct arena *a, git_id from, git_id to,
			       enum trust_mode mode, git_id **ret, size_t *n);
/* May a ref that stood at `from` (GIT_ID_NONE: never accepted) now stand at `to`? Modes tag,
 * tag+head and authorized are ERR_NOT_SUPPORTED, first-parent and range without `from` too. */
MUST_CHECK struct err *trust_verify_range(struct git_store *s, struct arena *a, git_id from,
					  git_id to, enum trust_mode mode,
					  const struct trust_rules *rules,
					  struct trust_advance *ret);
