/* What servers answer, byte by byte; the answers are git http-backend's (2.39), cut and bent. */
#include "remote/remote_priv.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define ID1 "1111111111111111111111111111111111111111"
#define ID2 "2222222222222222222222222222222222222222"
#define CAPS                                                                                       \
	"001e# service=git-upload-pack\n0000"                                                      \
	"000eversion 2\n0015agent=git/2.39.5\n0013ls-refs=unborn\n"                                \
	"0027fetch=shallow wait-for-done filter\n0012server-option\n0017object-format=sha1\n"      \
	"0010object-info\n0000"

static void says(struct err *e, const char *want)
{
	CLEANUP(err) struct err *mine = e;
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (e)
		err_line_to(mine, &b);
	assert_string_equal(b.p ? b.p : "fine", want);
}

/* Lines with tabs between as pkt-lines with newlines; "." is a flush, "|" a delimiter. */
static void pkts(struct buf *b, const char *spec)
{
	str rest = str_from(spec), line;

	while (rest.n && str_split(&rest, '\t', &line)) {
		if (str_eq(line, STR(".")))
			pkt_flush(b);
		else if (str_eq(line, STR("|")))
			pkt_delim(b);
		else
			pkt_line(b, STR_FMT, STR_ARG(line));
	}
}

static void lines_come_out_as_they_went_in(void **state UNUSED)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct pkt p;
	str rest;

	pkt_line(&b, "want %s", ID1);
	pkt_delim(&b);
	pkt_flush(&b);
	assert_string_equal(b.p, "0032want " ID1 "\n00010000");
	for (size_t n = 0; n < 50; n++) {
		rest = str_n(b.p, n);
		assert_int_equal(pkt_next(&rest, &p), PKT_MORE);
	}
	rest = buf_view(&b);
	assert_int_equal(pkt_next(&rest, &p), PKT_OK);
	assert_true(str_eq(pkt_text(p.data), STR("want " ID1)));
	assert_int_equal(pkt_next(&rest, &p), PKT_OK);
	assert_int_equal(p.kind, PKT_DELIM);
	assert_int_equal(pkt_next(&rest, &p), PKT_OK);
	assert_int_equal(p.kind, PKT_FLUSH);
	assert_int_equal(rest.n, 0);
}

static void lengths_that_are_none_are_refused(void **state UNUSED)
{
	static const char *const bad[] = {"0003", "00g0", "fff1", "-001", " 004", "ffff"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		str rest = str_from(bad[i]);
		struct pkt p;

		assert_int_equal(pkt_next(&rest, &p), PKT_BAD);
	}
}

static void capabilities_are_read(void **state UNUSED)
{
	struct remote_caps c;

	says(remote_caps_parse(STR(CAPS), STR("h:1"), &c), "fine");
	assert_true(c.ls_refs && c.fetch && c.shallow);
	says(remote_caps_parse(STR("000eversion 2\n000cls-refs\n000afetch\n0000"), STR("h:1"), &c),
	     "fine");
	assert_true(c.ls_refs && c.fetch && !c.shallow);
	for (size_t n = 0; n < sizeof CAPS - 1; n++) {
		CLEANUP(err) struct err *e = remote_caps_parse(str_n(CAPS, n), STR("h:1"), &c);

		assert_non_null(e);
		assert_int_equal(err_code(e), ERR_UNREACHABLE);
	}
}

static void what_cannot_be_spoken_to_is_named(void **state UNUSED)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct remote_caps c;
	static const char old[] = "001e# service=git-upload-pack\n0000"
				  "0050" ID1 " HEAD\0multi_ack thin-pack side-band-64k\n0000";
	static const char old_new[] =
		"0051" ID1 " HEAD\0multi_ack object-format=sha256 agent\n0000";

	says(remote_caps_parse(str_n(old, sizeof old - 1), STR("h:1"), &c),
	     "'h:1' speaks Git's protocol before version 2 only");
	says(remote_caps_parse(str_n(old_new, sizeof old_new - 1), STR("h:1"), &c),
	     "the repository at 'h:1' has SHA-256 object ids, which are not supported yet");
	says(remote_caps_parse(STR("000eversion 2\n0019object-format=sha256\n0000"), STR("h:1"),
			       &c),
	     "the repository at 'h:1' has SHA-256 object ids, which are not supported yet");
	says(remote_caps_parse(STR("000eversion 2\n000afetch\n0000"), STR("h:1"), &c),
	     "'h:1' does not answer as a Git server: it can neither list refs nor send objects");
	says(remote_caps_parse(STR("<html>"), STR("h:1"), &c),
	     "'h:1' does not answer as a Git server: no pkt-line where one belongs");
	pkts(&b, "ERR access\x1b[2J denied here");
	says(remote_caps_parse(buf_view(&b), STR("h:1"), &c),
	     "'h:1' says: access\\x1b[2J denied here");
}

static void lists(const char *spec, const char *want)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf body = BUF_INIT;
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct remote_refs v = {0};
	struct err *e;

	pkts(&body, spec);
	e = remote_refs_parse(a, buf_view(&body), STR("h:1"), &v);
	if (e) {
		err_line_to(e, &b);
		err_free(e);
	}
	for (size_t i = 0; i < v.n; i++)
		buf_printf(&b, STR_FMT "=" STR_FMT "," STR_FMT "," STR_FMT ";",
			   STR_ARG(v.p[i].name), STR_ARG(str_sub(v.p[i].oid, 0, 2)),
			   STR_ARG(str_sub(v.p[i].peeled, 0, 2)), STR_ARG(v.p[i].symref));
	assert_string_equal(b.p ? b.p : "", want);
}

#define NO_GIT "'h:1' does not answer as a Git server: "

static void refs_are_read(void **state UNUSED)
{
	lists(".", "");
	lists(ID1 " HEAD symref-target:refs/heads/main\t" ID1 " refs/heads/main\t" ID2
		  " refs/tags/v1 peeled:" ID1 "\t.",
	      "HEAD=11,,refs/heads/main;refs/heads/main=11,,;refs/tags/v1=22,11,;");
	lists("unborn HEAD symref-target:refs/heads/main\t.", "");
	/* Names that git makes nobody have are nobody's choice. */
	lists(ID1 " refs/heads/a..b\t" ID1 " refs/heads/a\x01\t" ID1 " config\t" ID1
		  " refs/heads/\xff\t" ID1 " refs/heads/x.lock\t.",
	      "");
}

static void answers_that_are_no_refs_are_refused(void **state UNUSED)
{
	lists("", NO_GIT "the answer ends early");
	lists(ID1 " refs/heads/main", NO_GIT "the answer ends early");
	lists("abcd\t.", NO_GIT "a ref without an object id");
	lists(ID1 "\t.", NO_GIT "a ref without an object id");
	lists(".\t.", NO_GIT "more after the end of its refs");
	lists("|", NO_GIT "a break among its refs");
	lists(ID1 " refs/tags/v1 peeled:123\t.", NO_GIT "a tag that leads to no object id");
	lists(ID1 "111111111111111111111111 refs/heads/main\t.",
	      "the repository at 'h:1' has SHA-256 object ids, which are not supported yet");
}

/* ------------------------------------------------------------------ a fetch */

struct got {
	struct buf pack, told, edges;
	bool full; /* the taker has had enough */
};

static struct err *take(void *arg, str bytes)
{
	struct got *g = arg;

	if (g->full)
		return err_new(ERR_LIMIT, "enough");
	buf_str(&g->pack, bytes);
	return NULL;
}

static void tell(void *arg, str line)
{
	struct got *g = arg;

	buf_printf(&g->told, "[" STR_FMT "]", STR_ARG(line));
}

static void edge(void *arg, str oid, bool shallow)
{
	struct got *g = arg;

	buf_printf(&g->edges, "%c" STR_FMT " ", shallow ? '+' : '-', STR_ARG(str_sub(oid, 0, 2)));
}

static const struct remote_fetch_calls calls = {.pack = take, .progress = tell, .boundary = edge};

/* The same answer in pieces of every size gives the same. */
static void fetched(str body, const char *want)
{
	for (size_t step = 1; step <= body.n; step += 1 + step / 3) {
		CLEANUP(buf) struct buf b = BUF_INIT;
		struct got g = {0};
		struct remote_stream s = {.where = STR("h:1"), .calls = &calls, .arg = &g};
		struct err *e = NULL;

		for (size_t i = 0; !e && i < body.n; i += step)
			e = remote_stream_feed(&s, str_sub(body, i, step));
		if (!e)
			e = remote_stream_end(&s);
		buf_printf(&b, "%s|%s|%s|", g.edges.p ? g.edges.p : "", g.pack.p ? g.pack.p : "",
			   g.told.p ? g.told.p : "");
		if (e)
			err_line_to(e, &b);
		err_free(e);
		remote_stream_done(&s);
		buf_done(&g.pack);
		buf_done(&g.told);
		buf_done(&g.edges);
		assert_string_equal(b.p, want);
	}
}

static void a_pack_comes_out_of_its_bands(void **state UNUSED)
{
	fetched(STR("000dpackfile\n"
		    "0011\x02"
		    "Counting: 1\r"
		    "0009\x01PACK"
		    "0009\x02"
		    "two\n"
		    "0008\x01"
		    "123"
		    "0005\x01"
		    "0009\x02last"
		    "0000"),
		"|PACK123|[Counting: 1][two][last]|");
	fetched(STR("0011shallow-info\n"
		    "0034shallow " ID1 "0037unshallow " ID2 "\n"
		    "0001"
		    "000dpackfile\n0009\x01PACK0000"),
		"+11 -22 |PACK||");
	fetched(STR("0014acknowledgments\n0008NAK\n0001000dpackfile\n0009\x01PACK0000"), "|PACK||");
}

static void a_fetch_that_goes_wrong_says_how(void **state UNUSED)
{
	CLEANUP(buf) struct buf err = BUF_INIT;

	pkts(&err, "ERR upload-pack: not our ref " ID1);
	fetched(str_sub(buf_view(&err), 0, err.n - 1),
		"|||'h:1' does not answer as a Git server: the answer ends before the objects do");
	fetched(buf_view(&err), "|||'h:1' says: upload-pack: not our ref " ID1);
	fetched(STR("000dpackfile\n0009\x01PACK000e\x03"
		    "disk full"),
		"|PACK||'h:1' says: disk full");
	fetched(STR("000dpackfile\n0009\x01PACK"), "|PACK||'h:1' does not answer as a Git server: "
						   "the answer ends before the objects do");
	fetched(STR("000dpackfile\n0009\x01PACK00000009\x01more"),
		"|PACK||'h:1' does not answer as a Git server: more after the end of its objects");
	fetched(STR("000dpackfile\n0009\x04PACK0000"),
		"|||'h:1' does not answer as a Git server: an unknown band");
	fetched(STR("000dpackfile\n0004"),
		"|||'h:1' does not answer as a Git server: an unknown band");
	fetched(STR("000csurprise0000"),
		"|||'h:1' does not answer as a Git server: an unknown section of objects");
	fetched(STR("0011shallow-info\n000cshallow 10001"),
		"|||'h:1' does not answer as a Git server: a senseless end of history");
	fetched(STR("0014acknowledgments\n0008NAK\n0000"),
		"|||'h:1' does not answer as a Git server: it sends no objects");
}

static void what_takes_the_pack_can_end_it(void **state UNUSED)
{
	struct got g = {.full = true};
	struct remote_stream s = {.where = STR("h:1"), .calls = &calls, .arg = &g};

	says(remote_stream_feed(&s, STR("000dpackfile\n0009\x01PACK0000")), "enough");
	remote_stream_done(&s);
}

static void urls_are_compared_by_their_parts(void **state UNUSED)
{
	static const struct {
		const char *url, *want;
	} cases[] = {
		{"https://git.example.org/a/b.git", "https|git.example.org|443|/a/b.git"},
		{"http://git.example.org:8080", "http|git.example.org|8080|"},
		{"https://[::1]:8443/x", "https|::1|8443|/x"},
		{"https://[::1]/x", "https|::1|443|/x"},
		{"https://user@git.example.org/x", "-"},
		{"https://git.example.org/x?y", "-"},
		{"https://git.example.org/x#y", "-"},
		{"https://git.example.org\\@evil/x", "-"},
		{"https://git.example.org:0/x", "-"},
		{"https://git.example.org:99999/x", "-"},
		{"https://-oProxyCommand=x/y", "-"},
		{"https:///x", "-"},
		{"https://a b/x", "-"},
		{"ftp://a/x", "-"},
		{"ssh://a/x", "-"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf) struct buf b = BUF_INIT;
		struct remote_url u;

		if (remote_url_parse(str_from(cases[i].url), &u))
			buf_printf(&b, STR_FMT "|" STR_FMT "|" STR_FMT "|" STR_FMT,
				   STR_ARG(u.scheme), STR_ARG(u.host), STR_ARG(u.port),
				   STR_ARG(u.path));
		assert_string_equal(b.p ? b.p : "-", cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_out_as_they_went_in),
		cmocka_unit_test(lengths_that_are_none_are_refused),
		cmocka_unit_test(capabilities_are_read),
		cmocka_unit_test(what_cannot_be_spoken_to_is_named),
		cmocka_unit_test(refs_are_read),
		cmocka_unit_test(answers_that_are_no_refs_are_refused),
		cmocka_unit_test(a_pack_comes_out_of_its_bands),
		cmocka_unit_test(a_fetch_that_goes_wrong_says_how),
		cmocka_unit_test(what_takes_the_pack_can_end_it),
		cmocka_unit_test(urls_are_compared_by_their_parts),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
