/* Kinds, namespaces, versions and revisions stand once in memory, however many objects have them.
 */
#include <stdlib.h>

#include "live_priv.h"

static struct word **slot(const struct words *w, str s)
{
	struct word **p = &w->p[str_hash(s) & (w->cap - 1)];

	while (*p && !str_eq((*p)->text, s))
		p = &(*p)->next;
	return p;
}

static void grow(struct words *w)
{
	struct words more = {xcalloc(w->cap ? w->cap * 2 : 64, sizeof(struct word *)), w->n,
			     w->cap ? w->cap * 2 : 64};

	for (size_t i = 0; i < w->cap; i++)
		for (struct word *x = w->p[i], *next; x; x = next) {
			struct word **to = &more.p[str_hash(x->text) & (more.cap - 1)];

			next = x->next;
			x->next = *to;
			*to = x;
		}
	free(w->p);
	*w = more;
}

struct word *words_take(struct words *w, str s)
{
	struct word **p, *x;

	if (w->n >= w->cap)
		grow(w);
	p = slot(w, s);
	if (!*p) {
		x = xcalloc(1, sizeof(*x) + s.n + 1);
		if (s.n)
			memcpy(x + 1, s.p, s.n);
		x->text = str_n((const char *)(x + 1), s.n);
		*p = x;
		w->n++;
	}
	(*p)->refs++;
	return *p;
}

void words_drop(struct words *w, struct word *x)
{
	struct word **p;

	if (!x || --x->refs)
		return;
	p = slot(w, x->text);
	*p = x->next;
	w->n--;
	free(x);
}

void words_done(struct words *w)
{
	for (size_t i = 0; i < w->cap; i++)
		for (struct word *x = w->p[i], *next; x; x = next) {
			next = x->next;
			free(x);
		}
	free(w->p);
	*w = (struct words){0};
}
