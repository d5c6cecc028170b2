/* What a server answers: capabilities, refs, and the stream of a fetch. All of it is foreign. */
#include "remote_priv.h"

#define SAID_MAX 500u /* bytes of a server's words in a message */

bool remote_is_id(str s)
{
	if (s.n != 40)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	}
	return true;
}

static struct err *no_git(str where, const char *what)
{
	return err_new(ERR_UNREACHABLE, "'" STR_FMT "' does not answer as a Git server: %s",
		       STR_ARG(where), what);
}

struct err *remote_said(str where, str text)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	enum err_code code = ERR_UNREACHABLE;

	/* upload-pack's own words, since protocol version 2 began. */
	if (str_contains(text, STR("not our ref")) || str_contains(text, STR("unknown ref")))
		code = ERR_REF_GONE;
	buf_escaped(&b, str_trim(str_sub(text, 0, SAID_MAX)));
	return err_new(code, "'" STR_FMT "' says: %s", STR_ARG(where), b.p ? b.p : "");
}

static struct err *next(str *rest, str where, struct pkt *p)
{
	switch (pkt_next(rest, p)) {
	case PKT_OK:
		if (p->kind == PKT_LINE && str_starts(p->data, STR("ERR ")))
			return remote_said(where, str_sub(p->data, 4, SIZE_MAX));
		return NULL;
	case PKT_MORE:
		return no_git(where, "the answer ends early");
	case PKT_BAD:
		break;
	}
	return no_git(where, "no pkt-line where one belongs");
}

/* ------------------------------------------------------------------ capabilities */

static bool has_word(str words, str word)
{
	str w;

	while (words.n && str_split(&words, ' ', &w)) {
		if (str_eq(w, word))
			return true;
	}
	return false;
}

static struct err *sha256(str where)
{
	return err_new(ERR_NOT_SUPPORTED,
		       "the repository at '" STR_FMT
		       "' has SHA-256 object ids, which are not supported yet",
		       STR_ARG(where));
}

static struct err *old_protocol(str where, str line)
{
	size_t nul = str_chr(line, 0);

	if (nul != SIZE_MAX &&
	    str_contains(str_sub(line, nul, SIZE_MAX), STR("object-format=sha256")))
		return sha256(where);
	return err_hint(err_new(ERR_UNREACHABLE,
				"'" STR_FMT "' speaks Git's protocol before version 2 only",
				STR_ARG(where)),
			"version 2 came with Git 2.18 (2018); on the server, protocol.version must "
			"not forbid it, and a proxy must pass the header Git-Protocol");
}

struct err *remote_caps_parse(str body, str where, struct remote_caps *ret)
{
	struct remote_caps c = {0};
	struct pkt p;

	TRY(next(&body, where, &p));
	if (p.kind == PKT_LINE && str_starts(p.data, STR("# service="))) {
		TRY(next(&body, where, &p));
		if (p.kind != PKT_FLUSH)
			return no_git(where, "the service line is not followed by a flush");
		TRY(next(&body, where, &p));
	}
	if (p.kind != PKT_LINE)
		return no_git(where, "no version line");
	if (!str_eq(pkt_text(p.data), STR("version 2")))
		return old_protocol(where, p.data);
	for (;;) {
		str line, name, value = STR_NONE;
		size_t eq;

		TRY(next(&body, where, &p));
		if (p.kind == PKT_FLUSH)
			break;
		if (p.kind != PKT_LINE)
			return no_git(where, "a break among its capabilities");
		line = pkt_text(p.data);
		eq = str_chr(line, '=');
		name = str_sub(line, 0, eq);
		if (eq != SIZE_MAX)
			value = str_sub(line, eq + 1, SIZE_MAX);
		if (str_eq(name, STR("ls-refs")))
			c.ls_refs = true;
		if (str_eq(name, STR("fetch"))) {
			c.fetch = true;
			c.shallow = has_word(value, STR("shallow"));
		}
		if (str_eq(name, STR("object-format")) && !str_eq(value, STR("sha1")))
			return sha256(where);
	}
	if (!c.ls_refs || !c.fetch)
		return no_git(where, "it can neither list refs nor send objects");
	*ret = c;
	return NULL;
}

/* ------------------------------------------------------------------ refs */

/* What git check-ref-format lets through, by and large, and is text. Others cannot be meant. */
static bool name_ok(str s)
{
	if (s.n > REMOTE_MAX_NAME || str_utf8_bad(s) != SIZE_MAX)
		return false;
	if (!str_eq(s, STR("HEAD")) && !str_starts(s, STR("refs/")))
		return false;
	if (str_contains(s, STR("..")) || str_contains(s, STR("//")) ||
	    str_contains(s, STR("@{")) || str_ends(s, STR("/")) || str_ends(s, STR(".lock")))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f ||
		    str_chr(STR("~^:?*[\\"), s.p[i]) != SIZE_MAX)
			return false;
	}
	return true;
}

/* "<oid> <name>[ symref-target:<ref>][ peeled:<oid>]"; "unborn HEAD ..." has no id. */
static struct err *ref_parse(struct arena *a, str line, str where, struct remote_refs *v)
{
	struct remote_ref r = {0};
	str word;

	str_split(&line, ' ', &r.oid);
	if (str_eq(r.oid, STR("unborn")))
		return NULL;
	if (r.oid.n == 64)
		return sha256(where);
	if (!remote_is_id(r.oid) || !line.n)
		return no_git(where, "a ref without an object id");
	str_split(&line, ' ', &r.name);
	while (line.n && str_split(&line, ' ', &word)) {
		if (str_starts(word, STR("peeled:")))
			r.peeled = str_sub(word, 7, SIZE_MAX);
		if (str_starts(word, STR("symref-target:")))
			r.symref = str_sub(word, 14, SIZE_MAX);
	}
	if (r.peeled.n && !remote_is_id(r.peeled))
		return no_git(where, "a tag that leads to no object id");
	if (r.symref.n && !name_ok(r.symref))
		r.symref = STR_NONE;
	if (!name_ok(r.name))
		return NULL;
	if (v->n == REMOTE_MAX_REFS)
		return err_new(ERR_LIMIT, "'" STR_FMT "' has more than %u refs", STR_ARG(where),
			       REMOTE_MAX_REFS);
	r.name = arena_str(a, r.name);
	r.oid = arena_str(a, r.oid);
	r.peeled = arena_str(a, r.peeled);
	r.symref = arena_str(a, r.symref);
	*ARENA_PUSH(a, v) = r;
	return NULL;
}

struct err *remote_refs_parse(struct arena *a, str body, str where, struct remote_refs *ret)
{
	struct remote_refs v = {0};
	struct pkt p;

	for (;;) {
		TRY(next(&body, where, &p));
		if (p.kind == PKT_FLUSH)
			break;
		if (p.kind != PKT_LINE)
			return no_git(where, "a break among its refs");
		TRY(ref_parse(a, pkt_text(p.data), where, &v));
	}
	if (body.n)
		return no_git(where, "more after the end of its refs");
	*ret = v;
	return NULL;
}

/* ------------------------------------------------------------------ a fetch */

static void tell(struct remote_stream *s)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (s->line.n && s->calls->progress) {
		buf_escaped(&b, buf_view(&s->line));
		s->calls->progress(s->arg, buf_view(&b));
	}
	buf_clear(&s->line);
}

/* Band 2: lines end in newline, or in carriage return when the next one overwrites them. */
static void progress(struct remote_stream *s, str bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		if (bytes.p[i] == '\n' || bytes.p[i] == '\r')
			tell(s);
		else if (s->line.n < SAID_MAX)
			buf_char(&s->line, bytes.p[i]);
	}
}

static struct err *banded(struct remote_stream *s, str data)
{
	str rest = str_sub(data, 1, SIZE_MAX);

	switch (data.n ? data.p[0] : 0) {
	case 1:
		return rest.n ? s->calls->pack(s->arg, rest) : NULL;
	case 2:
		progress(s, rest);
		return NULL;
	case 3:
		return remote_said(s->where, rest);
	default:
		return no_git(s->where, "an unknown band");
	}
}

static struct err *section(struct remote_stream *s, str name)
{
	if (str_eq(name, STR("packfile")))
		s->state = STREAM_PACK;
	else if (str_eq(name, STR("shallow-info")))
		s->state = STREAM_SHALLOW;
	else if (str_eq(name, STR("acknowledgments")) || str_eq(name, STR("wanted-refs")))
		s->state = STREAM_SKIP;
	else
		return no_git(s->where, "an unknown section of objects");
	return NULL;
}

static struct err *boundary(struct remote_stream *s, str line)
{
	bool shallow = str_starts(line, STR("shallow "));
	str oid = str_sub(line, shallow ? 8 : 10, SIZE_MAX);

	if ((!shallow && !str_starts(line, STR("unshallow "))) || !remote_is_id(oid))
		return no_git(s->where, "a senseless end of history");
	if (s->calls->boundary)
		s->calls->boundary(s->arg, oid, shallow);
	return NULL;
}

static struct err *packet(struct remote_stream *s, const struct pkt *p)
{
	switch (s->state) {
	case STREAM_BEGIN:
		if (p->kind != PKT_LINE)
			return no_git(s->where, "no section where one belongs");
		return section(s, pkt_text(p->data));
	case STREAM_SKIP:
	case STREAM_SHALLOW:
		if (p->kind == PKT_DELIM)
			s->state = STREAM_BEGIN;
		else if (p->kind != PKT_LINE)
			return no_git(s->where, "it sends no objects");
		else if (s->state == STREAM_SHALLOW)
			return boundary(s, pkt_text(p->data));
		return NULL;
	case STREAM_PACK:
		if (p->kind == PKT_LINE)
			return banded(s, p->data);
		if (p->kind != PKT_FLUSH)
			return no_git(s->where, "a break among its objects");
		tell(s);
		s->state = STREAM_END;
		return NULL;
	case STREAM_END:
		if (p->kind == PKT_END)
			return NULL;
		break;
	}
	return no_git(s->where, "more after the end of its objects");
}

struct err *remote_stream_feed(struct remote_stream *s, str bytes)
{
	CLEANUP(buf) struct buf held = BUF_INIT;
	str rest = bytes;

	if (s->rest.n) {
		/* Swapped out, so that the views of this turn outlive what is kept for the next. */
		buf_str(&s->rest, bytes);
		held = s->rest;
		s->rest = BUF_INIT;
		rest = buf_view(&held);
	}
	for (;;) {
		struct pkt p;

		switch (pkt_next(&rest, &p)) {
		case PKT_OK:
			if (p.kind == PKT_LINE && s->state != STREAM_PACK &&
			    str_starts(p.data, STR("ERR ")))
				return remote_said(s->where, str_sub(p.data, 4, SIZE_MAX));
			TRY(packet(s, &p));
			continue;
		case PKT_MORE:
			buf_str(&s->rest, rest);
			return NULL;
		case PKT_BAD:
			break;
		}
		return no_git(s->where, "no pkt-line where one belongs");
	}
}

struct err *remote_stream_end(struct remote_stream *s)
{
	if (s->state != STREAM_END || s->rest.n)
		return no_git(s->where, "the answer ends before the objects do");
	return NULL;
}

void remote_stream_done(struct remote_stream *s)
{
	buf_done(&s->rest);
	buf_done(&s->line);
}
