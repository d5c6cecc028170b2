/* Objects by identity, kinds by what is watched. */
#include <stdlib.h>

#include "live_priv.h"

void set_text(char **p, str s)
{
	char *old = *p;

	*p = s.n ? xstrndup(s.p, s.n) : NULL;
	free(old); /* s may have pointed into it */
}

/* ------------------------------------------------------------------ kinds */

static struct kind *kind_get(struct live *l, str group, str name, str version)
{
	for (struct kind *k = l->kinds; k; k = k->next)
		if (str_eq(k->name->text, name) && str_eq(k->group->text, group) &&
		    str_eq(k->version->text, version))
			return k;
	return NULL;
}

static void kind_drop(struct kind *k)
{
	struct live *l;
	struct kind **p;

	if (!k || --k->users)
		return;
	l = k->live;
	for (p = &l->kinds; *p != k; p = &(*p)->next)
		;
	*p = k->next;
	target_unwatch(l->target, k->group->text, k->version->text, k->name->text);
	words_drop(&l->words, k->group);
	words_drop(&l->words, k->name);
	words_drop(&l->words, k->version);
	free(k);
}

struct err *entry_watch(struct entry *e, str version)
{
	struct live *l = e->app->live;
	struct kind *k = kind_get(l, e->id.group, e->id.kind, version), *old = e->kind;

	if (k && k == old)
		return NULL;
	if (!k) {
		TRY(target_watch(l->target, e->id.group, version, e->id.kind));
		k = xcalloc(1, sizeof(*k));
		k->live = l;
		k->group = words_take(&l->words, e->id.group);
		k->name = words_take(&l->words, e->id.kind);
		k->version = words_take(&l->words, version);
		k->round = 1;
		k->next = l->kinds;
		l->kinds = k;
	}
	k->users++;
	e->kind = k;
	e->round = k->round;
	kind_drop(old);
	if (!e->version || !str_eq(e->version->text, version)) {
		struct word *v = words_take(&l->words, version);

		words_drop(&l->words, e->version);
		e->version = v;
	}
	return NULL;
}

str entry_version(const struct entry *e)
{
	return e->version ? e->version->text : STR_NONE;
}

/* ------------------------------------------------------------------ objects */

static void grow(struct live *l)
{
	size_t cap = l->table_cap ? l->table_cap * 2 : 64;
	struct entry **more = xcalloc(cap, sizeof(struct entry *));

	for (size_t i = 0; i < l->table_cap; i++)
		for (struct entry *e = l->table[i], *next; e; e = next) {
			struct entry **to = &more[obj_id_hash(e->id) & (cap - 1)];

			next = e->chain;
			e->chain = *to;
			*to = e;
		}
	free(l->table);
	l->table = more;
	l->table_cap = cap;
}

struct entry *entry_first(const struct live *l, obj_id id)
{
	struct entry *e = l->table_cap ? l->table[obj_id_hash(id) & (l->table_cap - 1)] : NULL;

	while (e && !obj_id_eq(e->id, id))
		e = e->chain;
	return e;
}

struct entry *entry_next(const struct entry *e)
{
	obj_id id = e->id;

	do
		e = e->chain;
	while (e && !obj_id_eq(e->id, id));
	return (struct entry *)(uintptr_t)e;
}

struct entry *entry_find(const struct live_app *a, obj_id id)
{
	struct entry *e = entry_first(a->live, id);

	while (e && e->app != a)
		e = entry_next(e);
	return e;
}

struct entry *entry_make(struct live_app *a, obj_id id, str version)
{
	struct live *l = a->live;
	struct entry *e = entry_find(a, id), **at;

	if (e)
		return e;
	if (l->table_n >= l->table_cap)
		grow(l);
	e = xcalloc(1, sizeof(*e));
	e->app = a;
	e->group = words_take(&l->words, id.group);
	e->kind_word = words_take(&l->words, id.kind);
	e->ns = words_take(&l->words, id.ns);
	e->version = words_take(&l->words, version);
	e->name = xstrndup(id.name.p, id.name.n);
	e->id = (obj_id){e->group->text, e->kind_word->text, e->ns->text,
			 str_n(e->name, id.name.n)};
	e->state = e->told = HEALTH_UNKNOWN;
	e->inv_state = INV_PENDING;
	at = &l->table[obj_id_hash(id) & (l->table_cap - 1)];
	e->chain = *at;
	*at = e;
	l->table_n++;
	e->prev = a->last;
	*(a->last ? &a->last->next : &a->first) = e;
	a->last = e;
	a->n++;
	return e;
}

void entry_free(struct entry *e)
{
	struct live_app *a = e->app;
	struct live *l = a->live;
	struct entry **p = &l->table[obj_id_hash(e->id) & (l->table_cap - 1)];

	ask_forget(e);
	drift_free(e);
	well_free(e);
	while (*p != e)
		p = &(*p)->chain;
	*p = e->chain;
	l->table_n--;
	*(e->prev ? &e->prev->next : &a->first) = e->next;
	*(e->next ? &e->next->prev : &a->last) = e->prev;
	a->n--;
	kind_drop(e->kind);
	words_drop(&l->words, e->group);
	words_drop(&l->words, e->kind_word);
	words_drop(&l->words, e->ns);
	words_drop(&l->words, e->version);
	words_drop(&l->words, e->revision);
	free(e->name);
	free(e->uid);
	free(e->rebuilt);
	free(e->fixes);
	free(e);
}
