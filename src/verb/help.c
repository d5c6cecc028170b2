/* help: usage texts and completions from the table. */
#include "verb_priv.h"

#define WIDTH_NAME 12
#define WIDTH_FLAG 26

static void flag_lines(const struct verb_flag *f, struct buf *b)
{
	for (; f && f->name; f++) {
		size_t start = b->n;

		if (f->letter)
			buf_printf(b, "  -%c, %s", f->letter, f->name);
		else
			buf_printf(b, "      %s", f->name);
		if (f->value)
			buf_printf(b, " %s", f->value);
		while (b->n - start < WIDTH_FLAG)
			buf_char(b, ' ');
		buf_printf(b, "  %s\n", f->what);
	}
}

void verb_usage(const struct verb *v, struct buf *b)
{
	buf_printf(b, "usage: leeboard %s%s%s%s\n\n", v->name,
		   v->flags || verb_asks(v) ? " [flags]" : "", v->operands[0] ? " " : "",
		   v->operands);
	buf_printf(b, "%s\n\n", v->more ? v->more : v->what);
	flag_lines(v->flags, b);
	if (verb_asks(v)) {
		if (v->flags && v->flags->name)
			buf_char(b, '\n');
		flag_lines(verb_common, b);
	}
	buf_printf(b, "  -h, --help                this text\n\nexample: %s\n", v->example);
}

void verb_list(struct buf *b)
{
	buf_str(b, STR("usage: leeboard VERB ...\n\n"));
	for (size_t i = 0; i < verb_count; i++)
		buf_printf(b, "  %-*s %s\n", WIDTH_NAME, verb_rows[i].name, verb_rows[i].what);
	buf_str(b, STR("\nleeboard VERB -h says more about one.\n"));
}

/* ------------------------------------------------------------------ the reference page */

/* In a cell of a table. */
static void cell(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '|')
			buf_char(b, '\\');
		buf_char(b, *s == '\n' ? ' ' : *s);
	}
}

static void flag_rows(struct buf *b, const struct verb_flag *f)
{
	buf_str(b, STR("\n| flag | |\n| --- | --- |\n"));
	for (; f->name; f++) {
		buf_str(b, STR("| "));
		if (f->letter)
			buf_printf(b, "`-%c` ", f->letter);
		buf_printf(b, "`%s%s%s` | ", f->name, f->value ? " " : "",
			   f->value ? f->value : "");
		cell(b, f->what);
		buf_str(b, STR(" |\n"));
	}
}

void verb_reference(struct buf *b)
{
	buf_str(b,
		STR("# Verbs\n\nMade from the table in `src/verb/table.c`.\n\n"
		    "| exit status | means, for every verb |\n| --- | --- |\n"
		    "| 0 | done; no difference; yes |\n"
		    "| 1 | a difference or a finding: diff, plan, drift, verify, check --strict, "
		    "status --exit-code |\n"
		    "| 2 | trouble: wrong usage, bad document, no daemon, input or output |\n"
		    "| 3 | refused: signature or policy |\n"
		    "| 4 | failed: render, apply or health |\n"
		    "| 5 | superseded by a newer commit before it was live |\n"
		    "| 6 | a person is needed, or a window: approval, suspend |\n"
		    "| 7 | time was up; what was going on goes on |\n\n"
		    "Verbs that ask a daemon find it by `--socket` or `$LEEBOARD_SOCKET`, else at "
		    "the "
		    "user's socket, else at the\nsystem's; `--server` with `--token-file` asks one "
		    "over "
		    "http. Data goes to stdout, progress, warnings and errors to\nstderr. All of "
		    "them "
		    "take:\n"));
	flag_rows(b, verb_common);
	for (size_t i = 0; i < verb_count; i++) {
		const struct verb *v = &verb_rows[i];

		buf_printf(b, "\n## leeboard %s%s%s\n\n%c%s%s\n", v->name,
			   v->operands[0] ? " " : "", v->operands,
			   v->what[0] >= 'a' && v->what[0] <= 'z' ? v->what[0] - 32 : v->what[0],
			   v->what + 1, verb_asks(v) ? ". Asks a daemon." : ".");
		if (v->more)
			buf_printf(b, "\n%s\n", v->more);
		if (v->flags && v->flags->name)
			flag_rows(b, v->flags);
		buf_printf(b, "\n```\n%s\n```\n", v->example);
	}
}

/* ------------------------------------------------------------------ completion */

static void words_of(const struct verb *v, struct buf *b)
{
	for (const struct verb_flag *f = v->flags; f && f->name; f++)
		buf_printf(b, "%s ", f->name);
	for (const struct verb_flag *f = verb_common; verb_asks(v) && f->name; f++)
		buf_printf(b, "%s ", f->name);
	buf_str(b, STR("--help"));
}

static const char *kind_of(const struct verb *v)
{
	switch (v->operand) {
	case VERB_APP:
		return "app";
	case VERB_SOURCE:
		return "source";
	case VERB_APP_OR_SOURCE:
		return "both";
	case VERB_FILE:
		return "file";
	case VERB_NONE:
	case VERB_WORD:
		return "none";
	}
	return "none";
}

static void names(struct buf *b)
{
	for (size_t i = 0; i < verb_count; i++)
		buf_printf(b, "%s%s", i ? " " : "", verb_rows[i].name);
}

static void bash(struct buf *b)
{
	buf_str(b,
		STR("# bash completion for leeboard\n"
		    "_leeboard_names() {\n"
		    "\tleeboard status -a -o name --timeout 2s 2>/dev/null |\n"
		    "\t\tcase $1 in app) sed -n 's,^app/,,p' ;; source) sed -n 's,^source/,,p' ;; "
		    "*) sed 's,^[a-z]*/,,' ;; esac\n"
		    "}\n"
		    "_leeboard() {\n"
		    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} flags= kind=none\n"
		    "\tCOMPREPLY=()\n"
		    "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
		    "\t\tCOMPREPLY=($(compgen -W '"));
	names(b);
	buf_str(b, STR("' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase $verb in\n"));
	for (size_t i = 0; i < verb_count; i++) {
		buf_printf(b, "\t%s) flags='", verb_rows[i].name);
		words_of(&verb_rows[i], b);
		buf_printf(b, "' kind=%s ;;\n", kind_of(&verb_rows[i]));
	}
	buf_str(b,
		STR("\tesac\n"
		    "\tcase $cur in\n"
		    "\t-*) COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\")) ;;\n"
		    "\t*)\n"
		    "\t\tcase $kind in\n"
		    "\t\tfile) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
		    "\t\tapp | source | both) COMPREPLY=($(compgen -W \"$(_leeboard_names $kind)\" "
		    "-- \"$cur\")) ;;\n"
		    "\t\tesac\n"
		    "\t\tcase $verb in\n"
		    "\t\thelp) COMPREPLY=($(compgen -W '"));
	names(b);
	buf_str(b, STR("' -- \"$cur\")) ;;\n"
		       "\t\tcompletion) COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$cur\")) ;;\n"
		       "\t\tesac ;;\n"
		       "\tesac\n"
		       "}\n"
		       "complete -o filenames -F _leeboard leeboard\n"));
}

/* Between single quotes in a shell. */
static void quoted(struct buf *b, const char *s)
{
	for (; *s; s++)
		if (*s == '\'')
			buf_str(b, STR("'\\''"));
		else
			buf_char(b, *s);
}

static void zsh(struct buf *b)
{
	buf_str(b,
		STR("#compdef leeboard\n"
		    "_leeboard_names() {\n"
		    "\tlocal -a found\n"
		    "\tfound=(${(f)\"$(leeboard status -a -o name --timeout 2s 2>/dev/null)\"})\n"
		    "\tcase $1 in\n"
		    "\tapp) found=(${${(M)found:#app/*}#*/}) ;;\n"
		    "\tsource) found=(${${(M)found:#source/*}#*/}) ;;\n"
		    "\t*) found=(${found#*/}) ;;\n"
		    "\tesac\n"
		    "\tcompadd -a found\n"
		    "}\n"
		    "_leeboard() {\n"
		    "\tlocal -a verbs\n"
		    "\tverbs=(\n"));
	for (size_t i = 0; i < verb_count; i++) {
		buf_printf(b, "\t\t'%s:", verb_rows[i].name);
		quoted(b, verb_rows[i].what);
		buf_str(b, STR("'\n"));
	}
	buf_str(b, STR("\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe verb verbs\n\t\treturn\n"
		       "\tfi\n\tcase $words[2] in\n"));
	for (size_t i = 0; i < verb_count; i++) {
		const char *kind = kind_of(&verb_rows[i]);

		buf_printf(b, "\t%s)\n\t\tif [[ $PREFIX == -* ]]; then compadd -- ",
			   verb_rows[i].name);
		words_of(&verb_rows[i], b);
		if (!strcmp(kind, "file"))
			buf_str(b, STR("; else _files; fi ;;\n"));
		else if (!strcmp(kind, "none"))
			buf_str(b, STR("; fi ;;\n"));
		else
			buf_printf(b, "; else _leeboard_names %s; fi ;;\n", kind);
	}
	buf_str(b, STR("\tesac\n}\ncompdef _leeboard leeboard\n"));
}

static void fish_flags(struct buf *b, const char *verb, const struct verb_flag *f)
{
	for (; f && f->name; f++) {
		buf_printf(b, "complete -c leeboard -n '__fish_seen_subcommand_from %s' -l %s",
			   verb, f->name + 2);
		if (f->letter)
			buf_printf(b, " -s %c", f->letter);
		buf_printf(b, "%s -d '", f->value ? " -r" : "");
		for (const char *s = f->what; *s; s++) {
			if (*s == '\'')
				buf_char(b, '\\');
			buf_char(b, *s);
		}
		buf_str(b, STR("'\n"));
	}
}

static void fish(struct buf *b)
{
	buf_str(b, STR("# fish completion for leeboard\n"
		       "function __leeboard_names\n"
		       "\tset -l found (leeboard status -a -o name --timeout 2s 2>/dev/null)\n"
		       "\tswitch $argv[1]\n"
		       "\tcase app source\n"
		       "\t\tstring match -r \"(?<=^$argv[1]/).*\" -- $found\n"
		       "\tcase '*'\n"
		       "\t\tstring replace -r '^[a-z]*/' '' -- $found\n"
		       "\tend\n"
		       "end\n"
		       "complete -c leeboard -f\n"));
	for (size_t i = 0; i < verb_count; i++) {
		const struct verb *v = &verb_rows[i];
		const char *kind = kind_of(v);

		buf_printf(b, "complete -c leeboard -n __fish_use_subcommand -a %s -d '", v->name);
		for (const char *s = v->what; *s; s++) {
			if (*s == '\'')
				buf_char(b, '\\');
			buf_char(b, *s);
		}
		buf_str(b, STR("'\n"));
		fish_flags(b, v->name, v->flags);
		if (verb_asks(v))
			fish_flags(b, v->name, verb_common);
		if (!strcmp(kind, "file"))
			buf_printf(b,
				   "complete -c leeboard -n '__fish_seen_subcommand_from %s' -F\n",
				   v->name);
		else if (strcmp(kind, "none") != 0)
			buf_printf(b,
				   "complete -c leeboard -n '__fish_seen_subcommand_from %s' -a "
				   "'(__leeboard_names %s)'\n",
				   v->name, kind);
	}
}

bool verb_completion(str shell, struct buf *b)
{
	if (str_eq(shell, STR("bash")))
		bash(b);
	else if (str_eq(shell, STR("zsh")))
		zsh(b);
	else if (str_eq(shell, STR("fish")))
		fish(b);
	else
		return false;
	return true;
}
