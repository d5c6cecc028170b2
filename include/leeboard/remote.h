/* remote: Git over http(s), protocol version 2: which refs there are, which of them a Source means,
 * and the objects of one commit.
 *
 * One `struct remote` a Source; it keeps its connection alive and remembers what the server can do,
 * so that a poll of an unchanged branch is one POST. Everything happens on the loop; a callback comes
 * once, never out of the call that asked, and one request at a time is under way.
 *
 * remote_new -> remote_poll (refs below prefixes) -> remote_choose (pure: which commit) -> in the fetch
 * worker: remote_fetch (by object id, the pack in pieces) -> remote_free, never from a callback.
 *
 * Credentials go to the scheme, host and port of the url and nowhere else: a redirect that leaves them
 * is ERR_REDIRECTED; one that stays is followed once, on the first request, and remembered. Errors
 * carry the codes of sources (interface.md 7): ERR_UNREACHABLE, ERR_SOURCE_AUTH, ERR_TLS,
 * ERR_REDIRECTED, ERR_REF_GONE; ERR_NOT_SUPPORTED for SHA-256 repositories; ERR_LIMIT. */
#pragma once
#include "leeboard/config.h"
#include "leeboard/http.h"

#define REMOTE_MAX_REFS 50000u
#define REMOTE_MAX_LIST (16u << 20)  /* bytes of an answer that lists refs */
#define REMOTE_MAX_NAME 1024u        /* bytes of a ref's name; a longer one is left out */
#define REMOTE_MAX_PACK (512u << 20) /* bytes of a pack, unless said otherwise */
#define REMOTE_MAX_HAVES 256u

/* ------------------------------------------------------------------ refs, and which one is meant */

struct remote_ref {
	str name, oid; /* oid: hexadecimal */
	str peeled;    /* the commit that an annotated tag leads to; empty: no such tag */
	str symref;    /* of HEAD: the ref that it stands for; empty: unborn or none */
};
struct remote_refs {
	struct remote_ref *p;
	size_t n, cap;
};
/* What to ask a server for so that remote_choose can answer; n 0: nothing (ref.commit). */
void remote_prefixes(struct arena *a, const struct config_ref_names *ref, str **ret, size_t *n);

struct remote_choice {
	str commit;  /* what to fetch, verify and render */
	str tag;     /* the annotated tag's own id; empty: none */
	str ref;     /* full name; empty: ref.commit was given */
	str version; /* of ref.semver: the version that won; else empty */
};
/* Precedence commit, name, semver, tag, branch. ERR_REF_GONE names the nearest ref, or what versions
 * there are; ERR_INVALID for a range that cannot be read. */
MUST_CHECK struct err *remote_choose(struct arena *a, const struct config_ref_names *ref,
				     const struct remote_refs *refs, struct remote_choice *ret);

/* Versions and ranges as Flux takes them (Masterminds/semver 3). Views into the text. */
struct remote_version {
	uint64_t major, minor, patch;
	str pre, meta;
};
/* "1.2.3", "v1.2.3-rc.1+b7": all three numbers, no leading zeros. */
bool remote_version_parse(str s, struct remote_version *ret);
/* By precedence, without meta. */
int remote_version_cmp(const struct remote_version *a, const struct remote_version *b);
struct remote_range;
/* ">=1.2 <2 || ~3.1", "1.x", "^0.3", "1.2 - 1.4"; ERR_INVALID says where it goes wrong. */
MUST_CHECK struct err *remote_range_parse(struct arena *a, str s, const struct remote_range **ret);
bool remote_range_matches(const struct remote_range *r, const struct remote_version *v);

/* ------------------------------------------------------------------ a remote */

struct remote;
struct remote_spec {
	str url;             /* http(s), nothing but scheme, host, port and path */
	enum auth_kind auth; /* none, basic or bearer */
	str username, secret;
	struct http_tls tls; /* texts; ca_file may be NULL */
	msec timeout;        /* of one request; 0: 60 s */
};
/* Copies the spec. ERR_INVALID when the url is none. */
MUST_CHECK struct err *remote_new(struct loop *l, const struct remote_spec *spec,
				  struct remote **ret);
void remote_free(struct remote *r);
DEFINE_CLEANUP(remote, remote_free)
/* Where a followed redirect leads to, until remote_free; STR_NONE: none was met. */
str remote_moved(const struct remote *r);
/* Bytes so far, for metrics. */
void remote_bytes(const struct remote *r, uint64_t *sent, uint64_t *received);

/* Refs that begin with one of the prefixes (none: all) and HEAD when asked for. Exactly one of refs and
 * e is set; refs live until fn returns, e becomes fn's. */
MUST_CHECK struct err *remote_poll(struct remote *r, const str *prefixes, size_t n,
				   void (*fn)(void *arg, const struct remote_refs *refs,
					      struct err *e),
				   void *arg);

struct remote_fetch {
	str want;           /* object id */
	const str *haves;   /* commits that the store holds with all that they need */
	size_t haves_n;     /* beyond REMOTE_MAX_HAVES they are left out */
	const str *shallow; /* commits whose parents the store lacks on purpose */
	size_t shallow_n;
	uint32_t depth;     /* commits of history; 0: all that the haves do not have; UINT32_MAX: all */
	uint64_t max_pack;  /* bytes; 0: REMOTE_MAX_PACK */
	msec timeout;       /* of the whole transfer; 0: 5 minutes */
};
struct remote_fetch_calls {
	/* The pack, piece by piece. An error ends the fetch with it. */
	struct err *(*pack)(void *arg, str bytes);
	/* What the server says, a line at a time, escaped. NULL: not wanted. */
	void (*progress)(void *arg, str line);
	/* This commit's parents are not sent (shallow) or are sent now. */
	void (*boundary)(void *arg, str oid, bool shallow);
	/* Once. NULL: the pack came whole as far as the protocol tells. */
	void (*done)(void *arg, struct err *e);
};
/* ERR_REF_GONE when the server has no such object (any more). */
MUST_CHECK struct err *remote_fetch(struct remote *r, const struct remote_fetch *f,
				    const struct remote_fetch_calls *calls, void *arg);
/* Drops what is under way; its callback does not come. */
void remote_cancel(struct remote *r);
