/* leeboard verify REPO RANGE: a line for each commit, for a person. No daemon is asked. */
#include "role_priv.h"

#include "leeboard/git.h"
#include "leeboard/trust.h"

#include <stdlib.h>

static const char usage[] =
	"usage: leeboard verify REPO RANGE (--signers FILE | --policy FILE) [-o text|json]\n"
	"\n"
	"Judges each commit of a range (A..B: what B has and A has not; or one revision) by the\n"
	"keys of an allowed_signers file or of a Policy document.\n"
	"\n"
	"  --signers FILE   an OpenSSH allowed_signers file\n"
	"  --policy FILE    documents with one Policy\n"
	"  -o WORD          text (a table) or json\n"
	"\n"
	"Exits with 0 when all are good, 1 when one is not, 2 in trouble.\n"
	"\n"
	"  leeboard verify . v1.4..HEAD --signers team.signers\n";

#define MAX_FILE (4u << 20)

struct args {
	const char *repo, *range, *signers, *policy;
	bool json, help;
};

struct row {
	struct trust_result r;
	str subject;
};
struct rows {
	struct row *p;
	size_t n, cap;
};

static struct err *read_args(int argc, char **argv, struct args *ret)
{
	for (int i = 1; i < argc; i++) {
		struct err *e = NULL;
		const char *v;

		if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help")) {
			ret->help = true;
		} else if ((v = role_flag(argc, argv, &i, "--signers", &e))) {
			ret->signers = v;
		} else if (!e && (v = role_flag(argc, argv, &i, "--policy", &e))) {
			ret->policy = v;
		} else if (!e && (v = role_flag(argc, argv, &i, "-o", &e))) {
			if (strcmp(v, "json") != 0 && strcmp(v, "text") != 0)
				return err_new(ERR_USAGE, "'-o' is text or json");
			ret->json = !strcmp(v, "json");
		} else if (e) {
			return e;
		} else if (argv[i][0] == '-' && argv[i][1]) {
			return err_hint(err_new(ERR_USAGE, "unknown flag '%s'", argv[i]),
					"leeboard verify -h lists them");
		} else if (!ret->repo) {
			ret->repo = argv[i];
		} else if (!ret->range) {
			ret->range = argv[i];
		} else {
			return err_new(ERR_USAGE, "verify takes a repository and one range");
		}
	}
	if (ret->help)
		return NULL;
	if (!ret->repo || !ret->range)
		return err_hint(err_new(ERR_USAGE, "verify needs a repository and a range"),
				"leeboard verify . v1.4..HEAD --signers FILE");
	if (!ret->signers == !ret->policy)
		return err_new(ERR_USAGE, "who is trusted? give one of '--signers FILE' and "
					  "'--policy FILE'");
	return NULL;
}

/* ------------------------------------------------------------------ who is trusted */

static struct err *add_text(struct trust_signers *s, str name, str bytes)
{
	const struct text t = {name, bytes};

	return trust_signers_add(s, &t);
}

static struct err *of_file(const char *path, struct trust_signers *s)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	TRY(file_read(path, MAX_FILE, &b));
	return add_text(s, str_from(path), buf_view(&b));
}

static struct err *of_policy(const char *path, struct trust_signers *s)
{
	CLEANUP(config) struct config *c = NULL;
	CLEANUP(buf) struct buf b = BUF_INIT;
	const struct policy *p;

	TRY(config_load(&path, 1, NULL, NULL, &c));
	if (c->policies.n != 1)
		return err_new(ERR_USAGE, "'%s' has %zu Policies, one is needed", path,
			       c->policies.n);
	p = c->policies.p[0];
	for (size_t i = 0; i < p->keys.n; i++)
		buf_printf(&b, STR_FMT "\n", STR_ARG(p->keys.p[i]));
	TRY(add_text(s, arena_printf(c->arena, "keys of Policy '" STR_FMT "'", STR_ARG(p->name)),
		     buf_view(&b)));
	buf_clear(&b);
	TRY(config_ref_read(&p->allowed_signers, "allowedSigners", NULL, &b));
	return add_text(
		s,
		arena_printf(c->arena, "allowedSigners of Policy '" STR_FMT "'", STR_ARG(p->name)),
		buf_view(&b));
}

/* ------------------------------------------------------------------ the range */

static struct err *walk(enum git_walk rc)
{
	switch (rc) {
	case GIT_WALK_OK:
		return NULL;
	case GIT_WALK_MISSING:
		return err_new(ERR_NOT_FOUND, "the repository lacks commits of the range");
	case GIT_WALK_LIMIT:
		break;
	}
	return err_new(ERR_LIMIT, "more than %u commits", TRUST_MAX_RANGE);
}

static struct err *commits_of(struct arena *a, struct git_store *s, const char *range, git_id *from,
			      git_id **ret, size_t *n)
{
	const char *dots = range ? strstr(range, "..") : NULL;
	git_id to;

	*from = GIT_ID_NONE;
	if (dots) {
		str left = str_n(range, (size_t)(dots - range));

		TRY(git_resolve(s, left.n ? arena_str(a, left).p : "HEAD", from));
		TRY(git_resolve(s, dots[2] ? dots + 2 : "HEAD", &to));
	} else {
		TRY(git_resolve(s, range, &to));
	}
	return walk(trust_list_range(s, a, *from, to, TRUST_MODE_RANGE, ret, n));
}

static str subject_of(struct arena *a, struct git_store *s, git_id id)
{
	struct trust_commit c;
	struct trust_fault fault;
	enum git_kind kind;
	str bytes;

	if (git_store_read(s, a, id, TRUST_MAX_OBJECT, &kind, &bytes) != GIT_READ_OK ||
	    kind != GIT_KIND_COMMIT || !trust_commit_parse(a, bytes, id.n, &c, &fault))
		return STR_NONE;
	return role_subject(c.message);
}

static void judge(struct arena *a, struct git_store *s, const struct trust_signers *signers,
		  const git_id *commits, size_t n, struct rows *ret)
{
	const struct trust_rules rules = {.signers = signers, .now = time_wall()};

	for (size_t i = 0; i < n; i++) {
		struct row *row = ARENA_PUSH(a, ret);

		trust_verify_commit(s, a, commits[i], &rules, &row->r);
		row->subject = subject_of(a, s, commits[i]);
	}
}

/* ------------------------------------------------------------------ the answer */

static const char *kind_name(enum trust_kind k)
{
	switch (k) {
	case TRUST_NONE:
		return "none";
	case TRUST_SSH:
		return "ssh";
	case TRUST_OPENPGP:
		return "openpgp";
	case TRUST_X509:
		return "x509";
	case TRUST_OTHER:
		break;
	}
	return "other";
}

static void json_text(struct buf *b, const char *key, str s)
{
	CLEANUP(buf) struct buf shown = BUF_INIT;

	if (!s.n)
		return;
	buf_escaped(&shown, s);
	buf_printf(b, ",\"%s\":", key);
	buf_json(b, buf_view(&shown));
}

static void print_json(struct arena *a, const struct rows *rows, struct buf *b)
{
	buf_printf(
		b,
		"{\"apiVersion\":\"leeboard.dev/v1\",\"kind\":\"Verification\",\"time\":\"" STR_FMT
		"\",\"items\":[",
		STR_ARG(time_rfc3339(a, time_wall(), false)));
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->p[i];

		buf_printf(b, "%s{\"commit\":\"" STR_FMT "\",\"verdict\":\"%s\",\"kind\":\"%s\"",
			   i ? "," : "", STR_ARG(git_id_hex(a, r->r.id)),
			   trust_verdict_class(r->r.verdict), kind_name(r->r.kind));
		json_text(b, "signer", r->r.principal);
		json_text(b, "key", r->r.key);
		if (r->r.verdict != TRUST_GOOD) {
			json_text(b, "reason", str_from(trust_verdict_name(r->r.verdict)));
			json_text(b, "message", str_from(r->r.detail));
		}
		json_text(b, "subject", r->subject);
		buf_char(b, '}');
	}
	buf_str(b, STR("]}\n"));
}

static str who(const struct row *r)
{
	if (r->r.verdict == TRUST_UNSIGNED)
		return STR("not signed");
	if (r->r.principal.n)
		return r->r.principal;
	return r->r.key.n ? STR("unknown key") : STR("-");
}

/* Screens count characters; principals and keys are ASCII, or they are escaped. */
static void cell(struct arena *a, str s, str *ret, size_t *width)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_escaped(&b, s);
	*ret = arena_str(a, buf_view(&b));
	if (ret->n > *width)
		*width = ret->n;
}

static void print_table(struct arena *a, const struct rows *rows, git_id from, struct buf *b)
{
	str *signer = ARENA_ARRAY(a, str, rows->n), *key = ARENA_ARRAY(a, str, rows->n);
	str *subject = ARENA_ARRAY(a, str, rows->n);
	size_t signer_w = 0, key_w = 0, subject_w = 0, good = 0;

	for (size_t i = 0; i < rows->n; i++) {
		cell(a, who(&rows->p[i]), &signer[i], &signer_w);
		cell(a, rows->p[i].r.key, &key[i], &key_w);
		cell(a, rows->p[i].subject, &subject[i], &subject_w);
	}
	for (size_t i = 0; i < rows->n; i++) {
		const struct trust_result *r = &rows->p[i].r;
		bool tell = r->verdict != TRUST_GOOD && r->verdict != TRUST_UNSIGNED;
		size_t start = b->n;

		good += r->verdict == TRUST_GOOD;
		buf_printf(b, "%-7s  " STR_FMT "  %-*s  %-*s  %-*s",
			   r->verdict == TRUST_GOOD ? "good" : "REFUSED",
			   STR_ARG(str_sub(git_id_hex(a, r->id), 0, 7)), (int)signer_w, signer[i].p,
			   (int)key_w, key[i].p, tell ? (int)subject_w : 0, subject[i].p);
		if (tell)
			buf_printf(b, "  %s", r->detail);
		while (b->n > start && b->p[b->n - 1] == ' ')
			b->p[--b->n] = 0;
		buf_char(b, '\n');
	}
	buf_printf(b, "%zu good, %zu refused", good, rows->n - good);
	if (good != rows->n && from.n)
		buf_printf(b, ": stays at " STR_FMT, STR_ARG(str_sub(git_id_hex(a, from), 0, 7)));
	buf_char(b, '\n');
}

static struct err *answer(const struct args *args, struct arena *a, bool *all_good)
{
	CLEANUP(trust_signers) struct trust_signers *signers = trust_signers_new();
	CLEANUP(git_store) struct git_store *s = NULL;
	CLEANUP(buf) struct buf out = BUF_INIT;
	struct rows rows = {0};
	git_id from, *commits = NULL;
	size_t n = 0, warned;
	const str *warnings;

	TRY(args->policy ? of_policy(args->policy, signers) : of_file(args->signers, signers));
	warnings = trust_signers_warnings(signers, &warned);
	for (size_t i = 0; i < warned; i++)
		fprintf(stderr, "warning: " STR_FMT "\n", STR_ARG(warnings[i]));
	git_setup();
	TRY(git_store_open(args->repo, &s));
	TRY(commits_of(a, s, args->range, &from, &commits, &n));
	judge(a, s, signers, commits, n, &rows);
	*all_good = true;
	for (size_t i = 0; i < rows.n; i++)
		*all_good = *all_good && rows.p[i].r.verdict == TRUST_GOOD;
	if (args->json)
		print_json(a, &rows, &out);
	else
		print_table(a, &rows, from, &out);
	return role_print(buf_view(&out));
}

int verify_by_hand(int argc, char **argv)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct args args = {0};
	bool all_good = false;
	struct err *e;

	if (argc > 1 && !strcmp(argv[1], "--signers-of"))
		return signers_by_hand(argc, argv);
	e = read_args(argc, argv, &args);

	if (!e && args.help) {
		fputs(usage, stdout);
		return 0;
	}
	if (!e)
		e = answer(&args, a, &all_good);
	if (e)
		return role_fail(e, 2);
	return all_good ? 0 : 1;
}
