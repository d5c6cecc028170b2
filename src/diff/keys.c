#include "diff_priv.h"

void keys_init(struct keys *k, struct arena *a)
{
	*k = (struct keys){.a = a};
}

static size_t slot_of(const struct keys *k, str key)
{
	size_t i = (size_t)str_hash(key) & (k->cap - 1);

	while (k->slots[i].key.p && !str_eq(k->slots[i].key, key))
		i = (i + 1) & (k->cap - 1);
	return i;
}

size_t keys_get(const struct keys *k, str key)
{
	size_t i;

	if (!k->n)
		return SIZE_MAX;
	i = slot_of(k, key);
	return k->slots[i].key.p ? k->slots[i].at : SIZE_MAX;
}

static void grow(struct keys *k)
{
	struct keys bigger = {.a = k->a, .n = k->n, .cap = k->cap ? k->cap * 2 : 16};

	bigger.slots = arena_alloc_array(k->a, bigger.cap, sizeof(bigger.slots[0]));
	for (size_t i = 0; i < k->cap; i++)
		if (k->slots[i].key.p) {
			size_t to = slot_of(&bigger, k->slots[i].key);

			bigger.slots[to].key = k->slots[i].key;
			bigger.slots[to].at = k->slots[i].at;
		}
	*k = bigger;
}

bool keys_add(struct keys *k, str key, size_t at)
{
	size_t i;

	if (!key.p)
		key = STR("");
	if (k->n * 2 >= k->cap)
		grow(k);
	i = slot_of(k, key);
	if (k->slots[i].key.p)
		return false;
	k->slots[i].key = key;
	k->slots[i].at = at;
	k->n++;
	return true;
}

void draft_init(struct draft *d, struct arena *a, const struct node *from)
{
	*d = (struct draft){.from = from};
	keys_init(&d->keys, a);
	if (!node_is(from, NODE_MAP))
		return;
	for (uint32_t i = 0; i < from->n; i++) {
		*ARENA_PUSH(a, &d->v) = from->pairs[i];
		keys_add(&d->keys, from->pairs[i].key, i);
	}
}

const struct node *draft_get(const struct draft *d, str key)
{
	size_t i = keys_get(&d->keys, key);

	return i == SIZE_MAX ? NULL : d->v.p[i].value;
}

void draft_set(struct draft *d, str key, const struct node *value)
{
	size_t i = keys_get(&d->keys, key);

	if (i == SIZE_MAX) {
		keys_add(&d->keys, key, d->v.n);
		*ARENA_PUSH(d->keys.a, &d->v) =
			(struct node_pair){.key = key, .key_at = value->at, .value = value};
		return;
	}
	if (!d->v.p[i].value)
		d->dead--;
	d->v.p[i].value = value;
}

void draft_del(struct draft *d, str key)
{
	size_t i = keys_get(&d->keys, key);

	if (i == SIZE_MAX || !d->v.p[i].value)
		return;
	d->v.p[i].value = NULL;
	d->dead++;
}

size_t draft_count(const struct draft *d)
{
	return d->v.n - d->dead;
}

const struct node *draft_node(struct draft *d)
{
	struct arena *a = d->keys.a;
	struct node_pair *live = ARENA_ARRAY(a, struct node_pair, draft_count(d));
	struct node *made;
	size_t n = 0;

	for (size_t i = 0; i < d->v.n; i++)
		if (d->v.p[i].value)
			live[n++] = d->v.p[i];
	made = ARENA_NEW(a, struct node);
	*made = *node_new_map(a, live, n);
	if (d->from)
		made->at = d->from->at;
	return made;
}
