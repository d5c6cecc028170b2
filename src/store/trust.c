/* Trust records: text, so that a person can read one, with a hash over all of it.
 *
 *	leeboard-trust 1 <serial> <bytes of json> <hash>
 *	{...}
 *
 * The serial counts writes; its lowest bit says which of the two files it goes to. */
#include "store_priv.h"

#include <errno.h>
#include <unistd.h>

#define MAGIC "leeboard-trust "
#define VERSION 1u
#define HEAD_MOST 160u
#define HEX_LEN ((size_t)2 * HASH_LEN)

/* Rows: member, key. */
#define TEXTS(X)                                                                                   \
	X(source, "source")                                                                        \
	X(ref, "ref")                                                                              \
	X(url, "url")                                                                              \
	X(accepted_oid, "acceptedOid")                                                             \
	X(accepted_tree, "acceptedTree")                                                           \
	X(verify_mode, "verifyMode")                                                               \
	X(policy_digest, "policyDigest")                                                           \
	X(trust_digest, "trustDigest")                                                             \
	X(introduction, "introduction")                                                            \
	X(signer, "signer")                                                                        \
	X(key, "key")                                                                              \
	X(seen_oid, "seenOid")                                                                     \
	X(offered_oid, "offeredOid")                                                               \
	X(refused_reason, "refusedReason")                                                         \
	X(refused_message, "refusedMessage")                                                       \
	X(tag_name, "tagName")                                                                     \
	X(tag_oid, "tagOid")                                                                       \
	X(highest_version, "highestVersion")
#define TIMES(X)                                                                                   \
	X(accepted_at, "acceptedAt")                                                               \
	X(seen_at, "seenAt")                                                                       \
	X(offered_at, "offeredAt")

/* ------------------------------------------------------------------ printing */

static void key_text(struct buf *b, const char *key, str v)
{
	if (!v.n)
		return;
	buf_printf(b, ",\"%s\":", key);
	buf_json(b, v);
}

static void key_int(struct buf *b, const char *key, int64_t v)
{
	if (v)
		buf_printf(b, ",\"%s\":%lld", key, (long long)v);
}

static void noted(struct buf *b, const char *key, const struct store_noted *p, size_t n)
{
	if (!n)
		return;
	buf_printf(b, ",\"%s\":[", key);
	for (size_t i = 0; i < n; i++) {
		buf_printf(b, "%s{\"at\":%lld", i ? "," : "", (long long)p[i].at);
		key_text(b, "oid", p[i].oid);
		key_text(b, "by", p[i].by);
		key_text(b, "reason", p[i].reason);
		buf_char(b, '}');
	}
	buf_char(b, ']');
}

static void print_json(const struct store_trust *t, struct buf *b)
{
	buf_printf(b, "{\"generation\":%llu", (unsigned long long)t->generation);
#define X(member, key) key_text(b, key, t->member);
	TEXTS(X)
#undef X
#define X(member, key) key_int(b, key, t->member);
	TIMES(X)
#undef X
	noted(b, "allowed", t->allowed, t->allowed_n);
	noted(b, "firstSeen", t->first_seen, t->first_seen_n);
	if (t->denied_n) {
		buf_str(b, STR(",\"denied\":["));
		for (size_t i = 0; i < t->denied_n; i++) {
			if (i)
				buf_char(b, ',');
			buf_json(b, t->denied[i]);
		}
		buf_char(b, ']');
	}
	buf_char(b, '}');
}

static str sum(struct arena *a, str head, str json)
{
	str all = arena_printf(a, STR_FMT "\n" STR_FMT, STR_ARG(head), STR_ARG(json));

	return hash_hex(a, hash_blake2b(NULL, STR("leeboard/trust-record/1"), all));
}

void store_trust_print(const struct store_trust *t, uint64_t serial, struct buf *b)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf json = BUF_INIT;
	str head;

	print_json(t, &json);
	head = arena_printf(a, MAGIC "%u %llu %zu", VERSION, (unsigned long long)serial, json.n);
	buf_printf(b, STR_FMT " " STR_FMT "\n" STR_FMT "\n", STR_ARG(head),
		   STR_ARG(sum(a, head, buf_view(&json))), STR_ARG(buf_view(&json)));
}

/* ------------------------------------------------------------------ parsing */

static struct err *bad(void)
{
	return err_new(ERR_INVALID, "the trust record is damaged");
}

static bool get_text(const struct node *map, const char *key, str *ret)
{
	const struct node *v = node_get(map, str_from(key));

	*ret = node_text(v);
	return !v || v->kind == NODE_STRING;
}

static bool get_int(const struct node *map, const char *key, int64_t *ret)
{
	const struct node *v = node_get(map, str_from(key));

	*ret = 0;
	return !v || (v->kind == NODE_INT && node_i64(v, ret));
}

static bool get_list(const struct node *map, const char *key, const struct node **ret)
{
	*ret = node_get(map, str_from(key));
	return !*ret || ((*ret)->kind == NODE_LIST && (*ret)->n <= STORE_MAX_TRUST_LIST);
}

static bool get_noted(struct arena *a, const struct node *map, const char *key,
		      const struct store_noted **ret, size_t *n)
{
	const struct node *list;
	struct store_noted *p;

	if (!get_list(map, key, &list))
		return false;
	*n = list ? list->n : 0;
	*ret = p = ARENA_ARRAY(a, struct store_noted, *n);
	for (size_t i = 0; i < *n; i++) {
		const struct node *v = list->items[i];

		if (v->kind != NODE_MAP || !get_text(v, "oid", &p[i].oid) ||
		    !get_text(v, "by", &p[i].by) || !get_text(v, "reason", &p[i].reason) ||
		    !get_int(v, "at", &p[i].at))
			return false;
	}
	return true;
}

static bool get_denied(struct arena *a, const struct node *map, struct store_trust *t)
{
	const struct node *list;
	str *p;

	if (!get_list(map, "denied", &list))
		return false;
	t->denied_n = list ? list->n : 0;
	t->denied = p = ARENA_ARRAY(a, str, t->denied_n);
	for (size_t i = 0; i < t->denied_n; i++) {
		if (list->items[i]->kind != NODE_STRING)
			return false;
		p[i] = list->items[i]->text;
	}
	return true;
}

static bool from_node(struct arena *a, const struct node *map, struct store_trust *t)
{
	int64_t generation;
	bool ok =
		map->kind == NODE_MAP && get_int(map, "generation", &generation) && generation >= 0;

	if (!ok)
		return false;
	t->generation = (uint64_t)generation;
#define X(member, key) ok = get_text(map, key, &t->member) && ok;
	TEXTS(X)
#undef X
#define X(member, key) ok = get_int(map, key, &t->member) && ok;
	TIMES(X)
#undef X
	return ok && get_noted(a, map, "allowed", &t->allowed, &t->allowed_n) &&
	       get_noted(a, map, "firstSeen", &t->first_seen, &t->first_seen_n) &&
	       get_denied(a, map, t);
}

struct err *store_trust_parse(struct arena *a, str bytes, uint64_t *serial, struct store_trust *ret)
{
	size_t end = str_chr(bytes, '\n');
	str head = str_sub(bytes, 0, end == SIZE_MAX ? 0 : end), rest, word[4], covered, json;
	uint64_t version, length, count;
	struct text *text = ARENA_NEW(a, struct text);
	struct store_trust t = {0};
	const struct node *root;
	struct err *e;

	if (bytes.n > STORE_MAX_TRUST || head.n > HEAD_MOST || !str_starts(head, STR(MAGIC)))
		return bad();
	rest = str_sub(head, sizeof(MAGIC) - 1, SIZE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(word); i++) {
		if (!str_split(&rest, ' ', &word[i]))
			return bad();
	}
	if (rest.n || !str_to_u64(word[0], &version) || !str_to_u64(word[1], &count) ||
	    !str_to_u64(word[2], &length) || word[3].n != HEX_LEN)
		return bad();
	json = str_sub(bytes, end + 1, SIZE_MAX);
	if (json.n != length + 1 || json.p[length] != '\n')
		return bad();
	json.n--;
	covered = str_sub(head, 0, head.n - word[3].n - 1);
	if (!str_eq(sum(a, covered, json), word[3]))
		return bad();
	if (version > VERSION)
		return err_new(ERR_NOT_SUPPORTED,
			       "the trust record was written by a newer leeboard");
	*text = (struct text){.name = STR("trust record"), .bytes = arena_str(a, json)};
	e = node_read_json(a, text, &root);
	if (e || !from_node(a, root, &t)) {
		err_free(e);
		return bad();
	}
	*serial = count;
	*ret = t;
	return NULL;
}

/* ------------------------------------------------------------------ the two files */

enum slot_state { SLOT_ABSENT, SLOT_GOOD, SLOT_DAMAGED };
struct slots {
	str path[2];
	enum slot_state state[2];
	uint64_t serial[2];
	struct store_trust t[2];
	int newest; /* -1: none */
};

static struct err *read_slot(struct arena *a, struct slots *x, int i)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct err *e = file_read(x->path[i].p, STORE_MAX_TRUST, &b);

	x->state[i] = SLOT_DAMAGED;
	if (e) {
		enum err_code c = err_code(e);

		if (c == ERR_NOT_FOUND)
			x->state[i] = SLOT_ABSENT;
		if (c != ERR_NOT_FOUND && c != ERR_LIMIT)
			return store_err(e);
		err_free(e);
		return NULL;
	}
	e = store_trust_parse(a, buf_view(&b), &x->serial[i], &x->t[i]);
	if (e && err_code(e) == ERR_NOT_SUPPORTED)
		return store_err(err_wrap(e, "read '%s'", x->path[i].p));
	/* A copy of the other file is none. */
	if (!e && (x->serial[i] & 1) == (uint64_t)i)
		x->state[i] = SLOT_GOOD;
	err_free(e);
	return NULL;
}

static struct err *read_slots(struct store *s, struct arena *a, str source, struct slots *x)
{
	str name = store_file_name(a, source);

	*x = (struct slots){.newest = -1};
	for (int i = 0; i < 2; i++) {
		x->path[i] = arena_printf(a, "%s/trust/" STR_FMT ".%d", s->dir, STR_ARG(name), i);
		TRY(read_slot(a, x, i));
		if (x->state[i] != SLOT_GOOD)
			continue;
		if (!str_eq(x->t[i].source, source))
			return err_new(ERR_STORAGE, "'%s' belongs to source '" STR_FMT "'",
				       x->path[i].p, STR_ARG(x->t[i].source));
		if (x->newest < 0 || x->serial[i] > x->serial[x->newest])
			x->newest = i;
	}
	return NULL;
}

/* Is the other file what it should be? If not, it may have been the newer one. */
static bool other_is_older(const struct slots *x)
{
	int other = !x->newest;

	if (x->state[other] == SLOT_ABSENT)
		return x->serial[x->newest] == 1;
	return x->state[other] == SLOT_GOOD && x->serial[other] + 1 == x->serial[x->newest];
}

struct err *store_trust_get(struct store *s, struct arena *a, str source, struct store_trust *ret,
			    enum store_trust_found *found)
{
	struct slots x;

	TRY(read_slots(s, a, source, &x));
	if (x.newest < 0) {
		*ret = (struct store_trust){0};
		*found = x.state[0] == SLOT_ABSENT && x.state[1] == SLOT_ABSENT ? STORE_TRUST_NONE
										: STORE_TRUST_LOST;
		return NULL;
	}
	*ret = x.t[x.newest];
	*found = other_is_older(&x) ? STORE_TRUST_OK : STORE_TRUST_OLDER;
	return NULL;
}

/* A failed fsync may have lost the pages of that file: a new file, once. */
static struct err *write_slot(struct arena *a, const struct slots *x, uint64_t serial,
			      const struct store_trust *t)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	const char *path = x->path[serial & 1].p;
	struct store_trust back;
	uint64_t n;
	struct err *e;

	store_trust_print(t, serial, &b);
	e = store_trust_parse(a, buf_view(&b), &n, &back);
	if (e) {
		err_free(e);
		return err_new(ERR_INVALID, "the trust record of '" STR_FMT "' cannot be written",
			       STR_ARG(t->source));
	}
	e = file_write_atomic(path, buf_view(&b), 0600);
	if (e) {
		err_free(e);
		e = file_write_atomic(path, buf_view(&b), 0600);
	}
	return store_err(e);
}

struct err *store_trust_put(struct store *s, const struct store_trust *t)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct slots x;
	uint64_t serial = 1;
	bool mend;

	TRY(read_slots(s, a, t->source, &x));
	if (x.newest >= 0) {
		const struct store_trust *old = &x.t[x.newest];

		if (t->generation < old->generation)
			return err_new(ERR_INVALID,
				       "the generation of source '" STR_FMT
				       "' would go back from %llu to %llu",
				       STR_ARG(t->source), (unsigned long long)old->generation,
				       (unsigned long long)t->generation);
		serial = x.serial[x.newest] + 1;
	}
	mend = x.newest < 0 ? x.state[0] != SLOT_ABSENT || x.state[1] != SLOT_ABSENT
			    : !other_is_older(&x);
	/* The damaged file comes first: the good one stays until there is a second. */
	TRY(write_slot(a, &x, serial, t));
	return mend ? write_slot(a, &x, serial + 1, t) : NULL;
}

struct err *store_trust_del(struct store *s, str source)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str name = store_file_name(a, source);

	/* The older one first: never does an older record come to count. */
	for (int i = 0; i < 2; i++) {
		struct slots x;
		int k;

		TRY(read_slots(s, a, source, &x));
		k = x.newest < 0 ? i : i ? x.newest : !x.newest;
		if (unlink(x.path[k].p) < 0 && errno != ENOENT)
			return err_sys(ERR_STORAGE, errno,
				       "remove the trust record of '" STR_FMT "'", STR_ARG(name));
	}
	return NULL;
}
