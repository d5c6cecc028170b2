/* A commit object by our own grammar (trust.md 1.1), over (pointer, length).
 *
 * libgit2's extraction finds a signature in the message, stops at NUL and spoils payloads; git's
 * drops every header that begins with "gpgsig" from the payload. Here each byte has one meaning or
 * the object is malformed. */
#include "leeboard/trust.h"

enum { SIG_SHA1, SIG_SHA256, SIG_N };

struct parse {
	struct arena *a;
	str rest; /* header lines not read yet */
	size_t id_n;
	struct trust_fault *fault;
};

static bool bad(struct trust_fault *fault, enum trust_verdict v, const char *detail)
{
	fault->verdict = v;
	fault->detail = detail;
	return false;
}

static bool malformed(struct parse *p, const char *detail)
{
	return bad(p->fault, TRUST_MALFORMED, detail);
}

/* The value of the next line, which must be a header of this name. */
static bool core_header(struct parse *p, str name_sp, str *value)
{
	size_t end = str_chr(p->rest, '\n');

	if (!str_starts(p->rest, name_sp) || end == SIZE_MAX)
		return false;
	*value = str_sub(p->rest, name_sp.n, end - name_sp.n);
	p->rest = str_sub(p->rest, end + 1, SIZE_MAX);
	return true;
}

static bool all_digits(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

/* name SP <email> SP seconds SP zone; the name may be empty. */
static bool ident_parse(str v, struct trust_ident *ret)
{
	size_t lt = str_chr(v, '<'), gt = str_chr(v, '>'), sp;
	uint64_t t;
	str tail, secs;

	if (lt == SIZE_MAX || gt == SIZE_MAX || gt < lt || lt == 0 || v.p[lt - 1] != ' ')
		return false;
	ret->name = str_sub(v, 0, lt - 1);
	ret->email = str_sub(v, lt + 1, gt - lt - 1);
	tail = str_sub(v, gt + 1, SIZE_MAX);
	if (str_chr(ret->email, '<') != SIZE_MAX || !str_starts(tail, STR(" ")))
		return false;
	tail = str_sub(tail, 1, SIZE_MAX);
	sp = str_chr(tail, ' ');
	if (sp == SIZE_MAX)
		return false;
	secs = str_sub(tail, 0, sp);
	ret->zone = str_sub(tail, sp + 1, SIZE_MAX);
	if (!all_digits(secs) || (secs.n > 1 && secs.p[0] == '0') || !str_to_u64(secs, &t) ||
	    t > INT64_MAX / 1000)
		return false;
	ret->time = (int64_t)t;
	return ret->zone.n == 5 && (ret->zone.p[0] == '+' || ret->zone.p[0] == '-') &&
	       all_digits(str_sub(ret->zone, 1, SIZE_MAX));
}

static bool core_parse(struct parse *p, struct trust_commit *c)
{
	struct {
		git_id *p;
		size_t n, cap;
	} parents = {0};
	str v;

	if (!core_header(p, STR("tree "), &v) || !git_id_parse(v, &c->tree) || c->tree.n != p->id_n)
		return malformed(p, "no valid tree line at the start");
	while (core_header(p, STR("parent "), &v)) {
		git_id id;

		if (!git_id_parse(v, &id) || id.n != p->id_n)
			return malformed(p, "a parent line is no object id");
		if (parents.n == TRUST_MAX_PARENTS)
			return bad(p->fault, TRUST_TOO_LARGE, "more than 64 parents");
		for (size_t i = 0; i < parents.n; i++)
			if (git_id_eq(parents.p[i], id))
				return malformed(p, "a parent is named twice");
		*ARENA_PUSH(p->a, &parents) = id;
	}
	if (!core_header(p, STR("author "), &v) || !ident_parse(v, &c->author))
		return malformed(p, "no valid author line after the parents");
	if (!core_header(p, STR("committer "), &v) || !ident_parse(v, &c->committer))
		return malformed(p, "no valid committer line after the author");
	c->parents = parents.p;
	c->parents_n = parents.n;
	return true;
}

/* Headers that stand at one place only, so not among the others. */
static bool is_core(str key)
{
	return str_eq(key, STR("tree")) || str_eq(key, STR("parent")) ||
	       str_eq(key, STR("author")) || str_eq(key, STR("committer"));
}

/* The rest of the header: other headers to the payload, signatures to `sigs`, unfolded. */
static bool others_parse(struct parse *p, struct buf *payload, struct buf sigs[SIG_N],
			 bool seen[SIG_N])
{
	struct buf *sig = NULL; /* the signature that continuation lines go to */
	bool any = false;       /* is there a header to continue? */
	str line;

	while (p->rest.n) {
		size_t end = str_chr(p->rest, '\n'), sp;
		str key;

		line = str_sub(p->rest, 0, end);
		p->rest = str_sub(p->rest, end + 1, SIZE_MAX);
		if (str_ends(line, STR("\r")))
			return malformed(p, "a header line ends in CR");
		if (str_starts(line, STR(" "))) {
			if (!any)
				return malformed(p, "a continuation line with no header before it");
			buf_str(sig ? sig : payload, sig ? str_sub(line, 1, SIZE_MAX) : line);
			buf_char(sig ? sig : payload, '\n');
			continue;
		}
		sp = str_chr(line, ' ');
		if (sp == SIZE_MAX)
			return malformed(p, "a header line without a blank");
		key = str_sub(line, 0, sp);
		any = true;
		sig = NULL;
		if (is_core(key))
			return malformed(p, "tree, parent, author or committer out of its place");
		if (str_starts(key, STR("gpgsig"))) {
			int which = str_eq(key, STR("gpgsig")) ? SIG_SHA1 : SIG_SHA256;

			if (which == SIG_SHA256 && !str_eq(key, STR("gpgsig-sha256")))
				return malformed(p, "a header that begins with gpgsig and is none");
			if (seen[which])
				return malformed(p, "a signature header twice");
			seen[which] = true;
			sig = &sigs[which];
			buf_str(sig, str_sub(line, sp + 1, SIZE_MAX));
			buf_char(sig, '\n');
			continue;
		}
		buf_str(payload, line);
		buf_char(payload, '\n');
	}
	return true;
}

/* Which kind, and that nothing follows the armour but at most one empty line. */
static bool armour_check(struct parse *p, str sig, enum trust_kind *ret)
{
	static const struct {
		str head, tail;
		enum trust_kind kind;
	} kinds[] = {
		{STR("-----BEGIN SSH SIGNATURE-----\n"), STR("-----END SSH SIGNATURE-----\n"),
		 TRUST_SSH},
		{STR("-----BEGIN PGP SIGNATURE-----\n"), STR("-----END PGP SIGNATURE-----\n"),
		 TRUST_OPENPGP},
		{STR("-----BEGIN SIGNED MESSAGE-----\n"), STR("-----END SIGNED MESSAGE-----\n"),
		 TRUST_X509},
	};

	*ret = TRUST_OTHER;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		str rest = sig, line;

		if (!str_starts(sig, kinds[i].head))
			continue;
		*ret = kinds[i].kind;
		while (rest.n) {
			line = str_sub(rest, 0, str_chr(rest, '\n') + 1);
			rest = str_sub(rest, line.n, SIZE_MAX);
			if (str_eq(line, kinds[i].tail))
				return rest.n == 0 || str_eq(rest, STR("\n")) ||
				       malformed(p, "text after the end of the signature");
		}
		return malformed(p, "the signature has no end line");
	}
	return true;
}

bool trust_commit_parse(struct arena *a, str bytes, size_t id_n, struct trust_commit *ret,
			struct trust_fault *fault)
{
	CLEANUP(buf) struct buf payload = BUF_INIT;
	CLEANUP(buf) struct buf sha1 = BUF_INIT;
	CLEANUP(buf) struct buf sha256 = BUF_INIT;
	struct buf sigs[SIG_N] = {BUF_INIT, BUF_INIT};
	struct parse p = {.a = a, .id_n = id_n, .fault = fault};
	int own = id_n == 32 ? SIG_SHA256 : SIG_SHA1;
	struct trust_commit c = {0};
	bool seen[SIG_N] = {false}, ok;
	size_t end;

	if (bytes.n > TRUST_MAX_OBJECT)
		return bad(fault, TRUST_TOO_LARGE, "the object is larger than 1 MiB");
	if (str_chr(bytes, 0) != SIZE_MAX)
		return malformed(&p, "a NUL byte");
	end = str_find(bytes, STR("\n\n"));
	if (end == SIZE_MAX)
		return malformed(&p, "no empty line after the headers");
	if (end + 1 > TRUST_MAX_HEADER)
		return bad(fault, TRUST_TOO_LARGE, "the headers are larger than 256 KiB");
	p.rest = str_sub(bytes, 0, end + 1);
	c.message = str_sub(bytes, end + 2, SIZE_MAX);
	if (!core_parse(&p, &c))
		return false;
	buf_reserve(&payload, bytes.n);
	buf_str(&payload, str_sub(bytes, 0, end + 1 - p.rest.n));
	ok = others_parse(&p, &payload, sigs, seen);
	sha1 = sigs[SIG_SHA1];
	sha256 = sigs[SIG_SHA256];
	if (!ok)
		return false;
	if (sha1.n > TRUST_MAX_SIGNATURE || sha256.n > TRUST_MAX_SIGNATURE)
		return bad(fault, TRUST_TOO_LARGE, "the signature is larger than 64 KiB");
	buf_char(&payload, '\n');
	buf_str(&payload, c.message);
	if (seen[own]) {
		c.signature = arena_str(a, buf_view(&sigs[own]));
		if (!armour_check(&p, c.signature, &c.kind))
			return false;
	}
	c.payload = arena_str(a, buf_view(&payload));
	*ret = c;
	return true;
}
