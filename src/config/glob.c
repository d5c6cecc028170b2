/* Globs, matched by following all ways at once: time is |glob| * |text|, whatever the glob. */
#include "config_priv.h"

enum op { OP_CHAR, OP_ONE, OP_STAR, OP_DEEP, OP_SPLIT, OP_JUMP, OP_END };
struct instr {
	enum op op;
	uint32_t c;
	uint16_t to, other; /* SPLIT goes to both, JUMP to `to` */
};
/* A character makes one instruction, an alternative two more, the slashes around '**' two. */
#define PROGRAM_MAX (3 * CONFIG_MAX_GLOB + 8)
struct program {
	struct instr p[PROGRAM_MAX];
	uint16_t n;
};

const char *config_glob_bad(str g)
{
	bool open = false;

	if (g.n == 0)
		return "it is empty";
	if (g.n > CONFIG_MAX_GLOB)
		return "it is longer than 512 bytes";
	for (size_t i = 0; i < g.n; i++) {
		char c = g.p[i];

		if (c == '{' && open)
			return "'{' stands within '{'";
		if (c == '}' && !open)
			return "'}' has no '{'";
		if (c == '{' || c == '}')
			open = c == '{';
		if (c != '*' || i + 1 >= g.n || g.p[i + 1] != '*')
			continue;
		if (open || (i > 0 && g.p[i - 1] != '/') || (i + 2 < g.n && g.p[i + 2] != '/'))
			return "'**' stands alone between slashes";
		i++;
	}
	return open ? "'{' is not closed" : NULL;
}

static uint16_t emit(struct program *m, enum op op, uint32_t c)
{
	m->p[m->n] = (struct instr){op, c, (uint16_t)(m->n + 1), (uint16_t)(m->n + 1)};
	return m->n++;
}

/* The character at *i, which moves behind it. A bad byte is a character of its own, unlike any. */
static uint32_t next_char(str s, size_t *i)
{
	unsigned char lead = (unsigned char)s.p[(*i)++];
	unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
	uint32_t c = lead < 0x80 ? lead : more ? lead & (0x3fu >> more) : 0x110000u + lead;

	for (; more > 0 && *i < s.n && ((unsigned char)s.p[*i] & 0xc0) == 0x80; more--)
		c = c << 6 | ((unsigned char)s.p[(*i)++] & 0x3f);
	return c;
}

/* g is well formed. */
static void compile(str g, struct program *m)
{
	bool open = false;
	uint16_t split = 0;             /* of the alternative that is being read */
	uint16_t ends[CONFIG_MAX_GLOB]; /* jumps behind the alternatives */
	size_t n_ends = 0;

	m->n = 0;
	for (size_t i = 0; i < g.n;) {
		uint32_t c = next_char(g, &i);

		if (c == '*' && i < g.n && g.p[i] == '*') {
			i++;
			if (i < g.n) { /* "**" and its slash: any folders, or none */
				uint16_t s = emit(m, OP_SPLIT, 0);

				emit(m, OP_DEEP, 0);
				emit(m, OP_CHAR, '/');
				m->p[s].other = m->n;
				i++;
			} else { /* at the end: anything, but something */
				emit(m, OP_ONE, 0);
				emit(m, OP_DEEP, 0);
			}
		} else if (c == '*') {
			emit(m, OP_STAR, 0);
		} else if (c == '?') {
			emit(m, OP_ONE, 0);
		} else if (c == '{') {
			open = true;
			split = emit(m, OP_SPLIT, 0);
			n_ends = 0;
		} else if (c == ',' && open) {
			ends[n_ends++] = emit(m, OP_JUMP, 0);
			m->p[split].other = m->n;
			split = emit(m, OP_SPLIT, 0);
		} else if (c == '}') {
			open = false;
			m->p[split].op = OP_JUMP; /* the last alternative has no other */
			for (size_t k = 0; k < n_ends; k++)
				m->p[ends[k]].to = m->n;
		} else {
			emit(m, OP_CHAR, c);
		}
	}
	emit(m, OP_END, 0);
}

/* Where the match may stand: each instruction once. */
struct ways {
	uint16_t p[PROGRAM_MAX];
	size_t n;
	bool in[PROGRAM_MAX];
};

static void enter(const struct program *m, struct ways *w, uint16_t at)
{
	uint16_t stack[PROGRAM_MAX + 1];
	size_t n = 0;

	stack[n++] = at;
	while (n > 0) {
		uint16_t i = stack[--n];

		if (w->in[i])
			continue;
		w->in[i] = true;
		switch (m->p[i].op) {
		case OP_JUMP:
			stack[n++] = m->p[i].to;
			break;
		case OP_SPLIT:
			if (!w->in[m->p[i].other])
				stack[n++] = m->p[i].other;
			stack[n++] = m->p[i].to;
			break;
		case OP_STAR:
		case OP_DEEP:
			w->p[w->n++] = i;
			stack[n++] = (uint16_t)(i + 1);
			break;
		case OP_CHAR:
		case OP_ONE:
		case OP_END:
			w->p[w->n++] = i;
			break;
		}
	}
}

bool config_glob(str glob, str s)
{
	struct program m;
	struct ways ways[2];
	struct ways *now = &ways[0], *next = &ways[1];

	if (config_glob_bad(glob))
		return false;
	compile(glob, &m);
	memset(ways, 0, sizeof(ways));
	enter(&m, now, 0);
	for (size_t i = 0; i < s.n && now->n > 0;) {
		uint32_t c = next_char(s, &i);

		memset(next, 0, sizeof(*next));
		for (size_t k = 0; k < now->n; k++) {
			uint16_t at = now->p[k];
			const struct instr *in = &m.p[at];

			switch (in->op) {
			case OP_CHAR:
				if (c == in->c)
					enter(&m, next, (uint16_t)(at + 1));
				break;
			case OP_ONE:
				if (c != '/')
					enter(&m, next, (uint16_t)(at + 1));
				break;
			case OP_STAR:
				if (c != '/')
					enter(&m, next, at);
				break;
			case OP_DEEP:
				enter(&m, next, at);
				break;
			case OP_SPLIT:
			case OP_JUMP:
			case OP_END:
				break;
			}
		}
		struct ways *t = now;

		now = next;
		next = t;
	}
	return now->in[m.n - 1];
}

bool config_globs(const struct config_texts *globs, str s)
{
	for (size_t i = 0; i < globs->n; i++)
		if (config_glob(globs->p[i], s))
			return true;
	return false;
}
