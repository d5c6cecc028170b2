/* final.c: what happens once, at the top: hash suffixes, local config, order, printing. */
#include <math.h>

#include "load_priv.h"
#include "xform_priv.h"

const struct node *res_annotations(const struct node *root)
{
	const struct node *v = node_get(node_get(root, STR("metadata")), STR("annotations"));

	return node_is(v, NODE_MAP) ? v : NULL;
}

/* ------------------------------------------------------------------ hash suffixes */

/* As Go's encoding/json writes a string. */
static void go_string(struct buf *b, str s)
{
	buf_char(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c == '\n')
			buf_str(b, STR("\\n"));
		else if (c == '\r')
			buf_str(b, STR("\\r"));
		else if (c == '\t')
			buf_str(b, STR("\\t"));
		else if (c == '\b')
			buf_str(b, STR("\\b"));
		else if (c == '\f')
			buf_str(b, STR("\\f"));
		else if (c < 0x20 || c == '<' || c == '>' || c == '&')
			buf_printf(b, "\\u%04x", c);
		else if (c == 0xe2 && i + 2 < s.n && (unsigned char)s.p[i + 1] == 0x80 &&
			 ((unsigned char)s.p[i + 2] & 0xfe) == 0xa8) {
			buf_printf(b, "\\u202%d", s.p[i + 2] & 0xf);
			i += 2;
		} else {
			buf_char(b, (char)c);
		}
	}
	buf_char(b, '"');
}

static int by_key(const void *a, const void *b)
{
	return str_cmp((*(const struct node_pair *const *)a)->key,
		       (*(const struct node_pair *const *)b)->key);
}

/* data and its kin: a map of scalars; nothing else is hashed here. */
static void go_value(struct arena *a, struct buf *b, const struct node *v)
{
	const struct node_pair **sorted;

	if (!v || v->kind == NODE_NULL) {
		buf_str(b, STR("\"\""));
		return;
	}
	if (v->kind == NODE_STRING) {
		go_string(b, v->text);
		return;
	}
	if (v->kind != NODE_MAP) {
		node_json(v, NODE_JSON_CANONICAL, b);
		return;
	}
	sorted = ARENA_ARRAY(a, const struct node_pair *, v->n);
	for (uint32_t i = 0; i < v->n; i++)
		sorted[i] = &v->pairs[i];
	if (v->n)
		qsort(sorted, v->n, sizeof(*sorted), by_key);
	buf_char(b, '{');
	for (uint32_t i = 0; i < v->n; i++) {
		if (i)
			buf_char(b, ',');
		go_string(b, sorted[i]->key);
		buf_char(b, ':');
		if (sorted[i]->value->kind == NODE_STRING)
			go_string(b, sorted[i]->value->text);
		else
			node_json(sorted[i]->value, NODE_JSON_CANONICAL, b);
	}
	buf_char(b, '}');
}

static void go_field(struct arena *a, struct buf *b, const struct node *root, const char *key)
{
	buf_printf(b, "\"%s\":", key);
	go_value(a, b, node_get(root, str_from(key)));
}

static struct err *hash_suffix(struct arena *a, const struct res *r, str *ret)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct res_id id = res_id(r);
	bool secret = str_eq(id.kind, STR("Secret"));
	char hex[11];
	struct hash h;

	if (!secret && !str_eq(id.kind, STR("ConfigMap")))
		return err_at(ERR_NOT_SUPPORTED, r->at,
			      "a hash suffix of kind '" STR_FMT "' is not supported yet",
			      STR_ARG(id.kind));
	buf_char(&b, '{');
	if (!secret && node_is(node_get(r->root, STR("binaryData")), NODE_MAP)) {
		go_field(a, &b, r->root, "binaryData");
		buf_char(&b, ',');
	}
	go_field(a, &b, r->root, "data");
	/* kustomize looks the name up under the key "metadata/name", which is never there. */
	buf_printf(&b, ",\"kind\":\"" STR_FMT "\",\"name\":\"\"", STR_ARG(id.kind));
	if (secret && node_is(node_get(r->root, STR("stringData")), NODE_MAP)) {
		buf_char(&b, ',');
		go_field(a, &b, r->root, "stringData");
	}
	if (secret) {
		buf_char(&b, ',');
		go_field(a, &b, r->root, "type");
	}
	buf_char(&b, '}');
	h = hash_sha256(buf_view(&b));
	for (size_t i = 0; i < 10; i++) {
		unsigned digit = i % 2 ? h.b[i / 2] & 15u : h.b[i / 2] >> 4;

		/* 0 1 3 a e are left out, so that no word comes of it. */
		hex[i] = "gh2k456789mbcdtf"[digit];
	}
	*ret = arena_str(a, str_n(hex, 10));
	return NULL;
}

struct err *final_hashes(struct arena *a, struct resmap *rm)
{
	struct err *e = NULL;

	for (size_t i = 0; i < rm->n; i++) {
		struct res *r = rm->p[i];
		const struct node *meta = node_get(r->root, STR("metadata"));
		const struct node *name = node_get(meta, STR("name"));
		str hash;
		struct err *one;

		if (!r->needs_hash)
			continue;
		one = hash_suffix(a, r, &hash);
		e = err_join(e, one);
		if (one || !name)
			continue;
		res_push_prev(a, r);
		meta = node_set(a, meta, STR("name"),
				node_with_by(a,
					     node_new_str(a, arena_printf(a, STR_FMT "-" STR_FMT,
									  STR_ARG(name->text),
									  STR_ARG(hash))),
					     name->by));
		r->root = node_set(a, r->root, STR("metadata"), meta);
	}
	return e;
}

/* ------------------------------------------------------------------ order */

struct sort_key {
	struct res *r;
	int rank;
	bool plain_namespace, is_namespace;
	str gvk, id;
};
struct sorted {
	struct sort_key *p;
	size_t n, cap;
};

static const char *const default_first[] = {
	"Namespace",
	"ResourceQuota",
	"StorageClass",
	"CustomResourceDefinition",
	"ServiceAccount",
	"PodSecurityPolicy",
	"Role",
	"ClusterRole",
	"RoleBinding",
	"ClusterRoleBinding",
	"ConfigMap",
	"Secret",
	"Endpoints",
	"Service",
	"LimitRange",
	"PriorityClass",
	"PersistentVolume",
	"PersistentVolumeClaim",
	"Deployment",
	"StatefulSet",
	"CronJob",
	"PodDisruptionBudget",
};
static const char *const default_last[] = {"MutatingWebhookConfiguration",
					   "ValidatingWebhookConfiguration"};

struct ranks {
	struct res_strs first, last;
};

static int rank_of(const struct ranks *r, str kind)
{
	for (size_t i = 0; i < r->first.n; i++)
		if (str_eq(r->first.p[i], kind))
			return (int)i - (int)r->first.n;
	for (size_t i = 0; i < r->last.n; i++)
		if (str_eq(r->last.p[i], kind))
			return (int)i + 1;
	return 0;
}

static int by_legacy(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (!str_eq(x->gvk, y->gvk)) {
		int c = str_cmp(x->gvk, y->gvk);

		/* Of two kinds named Namespace the core one comes first. */
		if (x->is_namespace && y->is_namespace && x->plain_namespace != y->plain_namespace)
			return -c;
		return c;
	}
	return str_cmp(x->id, y->id);
}

int final_rank(str kind)
{
	for (size_t i = 0; i < ARRAY_LEN(default_first); i++)
		if (str_eq(kind, str_from(default_first[i])))
			return (int)i - (int)ARRAY_LEN(default_first);
	for (size_t i = 0; i < ARRAY_LEN(default_last); i++)
		if (str_eq(kind, str_from(default_last[i])))
			return (int)i + 1;
	return 0;
}

str final_gvk_text(struct arena *a, str group, str version, str kind)
{
	if (!group.n)
		group = STR("~G");
	if (!version.n)
		version = STR("~V");
	if (!kind.n)
		kind = STR("~K");
	return arena_printf(a, STR_FMT "_" STR_FMT "_" STR_FMT, STR_ARG(group), STR_ARG(version),
			    STR_ARG(kind));
}

static void sort_legacy(struct arena *a, const struct ranks *ranks, struct resmap *rm)
{
	struct sorted v = {0};

	for (size_t i = 0; i < rm->n; i++) {
		struct res_id id = res_id(rm->p[i]);
		struct sort_key k = {
			.r = rm->p[i],
			.rank = rank_of(ranks, id.kind),
			.is_namespace = str_eq(id.kind, STR("Namespace")),
			.plain_namespace = !id.group.n,
		};

		k.gvk = final_gvk_text(a, id.group, id.version, id.kind);
		k.id = arena_printf(a, STR_FMT "|" STR_FMT, STR_ARG(id.ns.n ? id.ns : STR("~X")),
				    STR_ARG(id.name.n ? id.name : STR("~N")));
		*ARENA_PUSH(a, &v) = k;
	}
	if (v.n)
		qsort(v.p, v.n, sizeof(*v.p), by_legacy);
	for (size_t i = 0; i < v.n; i++)
		rm->p[i] = v.p[i].r;
}

/* ------------------------------------------------------------------ sortOptions */

static struct err *read_kinds(struct arena *a, const struct node *list, str name,
			      struct res_strs *ret)
{
	if (!list || list->kind == NODE_NULL)
		return NULL;
	if (list->kind != NODE_LIST)
		return err_at(ERR_WRONG_TYPE, list->at, "'" STR_FMT "' must be a list of strings",
			      STR_ARG(name));
	for (uint32_t i = 0; i < list->n; i++) {
		if (list->items[i]->kind != NODE_STRING)
			return err_at(ERR_WRONG_TYPE, list->items[i]->at,
				      "'" STR_FMT "' must be a list of strings", STR_ARG(name));
		*ARENA_PUSH(a, ret) = list->items[i]->text;
	}
	return NULL;
}

static struct err *only_keys(const struct node *map, const char *one, const char *two)
{
	struct err *e = NULL;

	for (uint32_t i = 0; i < map->n; i++)
		if (!str_eq(map->pairs[i].key, str_from(one)) &&
		    !str_eq(map->pairs[i].key, str_from(two)))
			e = err_join(e, err_at(ERR_UNKNOWN_KEY, map->pairs[i].key_at,
					       "unknown field '" STR_FMT "'",
					       STR_ARG(map->pairs[i].key)));
	return e;
}

static struct err *read_order(struct build *b, const struct kustomization *k, bool *legacy,
			      struct ranks *ranks)
{
	const struct node *sort = k->sort_options;
	const struct node *order = node_get(sort, STR("order"));
	const struct node *lists = node_get(sort, STR("legacySortOptions"));

	*legacy = b->opts->order != RENDER_ORDER_NONE;
	if (sort) {
		TRY(only_keys(sort, "order", "legacySortOptions"));
		if (!str_eq(node_text(order), STR("legacy")) &&
		    !str_eq(node_text(order), STR("fifo")))
			return err_at(ERR_INVALID, order ? order->at : sort->at,
				      "'order' must be legacy or fifo");
		*legacy = str_eq(order->text, STR("legacy"));
	}
	if (lists && lists->kind != NODE_NULL) {
		if (!*legacy)
			return err_at(ERR_INVALID, lists->at,
				      "'legacySortOptions' goes with 'order: legacy' only");
		if (lists->kind != NODE_MAP)
			return err_at(ERR_WRONG_TYPE, lists->at,
				      "'legacySortOptions' must be a map");
		TRY(only_keys(lists, "orderFirst", "orderLast"));
		TRY(read_kinds(b->a, node_get(lists, STR("orderFirst")), STR("orderFirst"),
			       &ranks->first));
		return read_kinds(b->a, node_get(lists, STR("orderLast")), STR("orderLast"),
				  &ranks->last);
	}
	for (size_t i = 0; i < ARRAY_LEN(default_first); i++)
		*ARENA_PUSH(b->a, &ranks->first) = str_from(default_first[i]);
	for (size_t i = 0; i < ARRAY_LEN(default_last); i++)
		*ARENA_PUSH(b->a, &ranks->last) = str_from(default_last[i]);
	return NULL;
}

/* ------------------------------------------------------------------ the end */

/* Annotations that kustomize keeps its books in: gone at the end, also where a manifest brought
 * them. */
static const char *const bookkeeping[] = {
	"previousNames",     "previousNamespaces", "previousKinds",
	"prefixes",          "suffixes",           "refBy",
	"generatorBehavior", "needsHashSuffix",    "allowNameChange",
	"allowKindChange",
};

static bool is_bookkeeping(str key)
{
	str head = STR("internal.config.kubernetes.io/");

	if (!str_starts(key, head))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(bookkeeping); i++)
		if (str_eq(str_sub(key, head.n, SIZE_MAX), str_from(bookkeeping[i])))
			return true;
	return false;
}

/* kustomize sets annotations through a map of strings once more at the end: every value is a
 * string then, and no annotations are no field. */
static const struct node *clean_annotations(struct arena *a, const struct node *root,
					    unsigned metadata)
{
	const struct node *meta = node_get(root, STR("metadata"));
	const struct node *old = node_get(meta, STR("annotations"));
	struct node_pairs v = {0};
	bool same = true;

	if (!old || (old->kind != NODE_MAP && old->kind != NODE_NULL))
		return root;
	for (uint32_t i = 0; old->kind == NODE_MAP && i < old->n; i++) {
		const struct node_pair *p = &old->pairs[i];
		bool text = p->value->kind == NODE_STRING;
		bool container = p->value->kind == NODE_MAP || p->value->kind == NODE_LIST;

		same = same && text && !is_bookkeeping(p->key) && !meta_is_key(p->key, metadata);
		if (is_bookkeeping(p->key) || meta_is_key(p->key, metadata))
			continue;
		*ARENA_PUSH(a, &v) = *p;
		if (!text)
			v.p[v.n - 1].value = node_with_by(
				a, node_new_str(a, container ? STR("") : p->value->text), p->value);
	}
	if (same && v.n)
		return root;
	meta = v.n ? node_set(a, meta, STR("annotations"), node_new_map(a, v.p, v.n))
		   : node_del(a, meta, STR("annotations"));
	return node_set(a, root, STR("metadata"), meta);
}

static bool is_local(const struct node *root)
{
	const struct node *v =
		node_get(res_annotations(root), STR("config.kubernetes.io/local-config"));

	return v && !str_eq(v->text, STR("false"));
}

/* The first number of a tree that no JSON can hold, or NULL. */
static const struct node *odd_float(const struct node *n, unsigned depth)
{
	const struct node *found = NULL;

	if (n->kind == NODE_FLOAT) {
		double d;

		return node_number(n, &d) && !isfinite(d) ? n : NULL;
	}
	if ((n->kind != NODE_MAP && n->kind != NODE_LIST) || depth > 2 * NODE_MAX_DEPTH)
		return NULL;
	for (uint32_t i = 0; i < n->n && !found; i++)
		found = odd_float(n->kind == NODE_MAP ? n->pairs[i].value : n->items[i], depth + 1);
	return found;
}

static struct err *check_floats(const struct resmap *rm)
{
	struct err *e = NULL;

	for (size_t i = 0; i < rm->n; i++) {
		const struct node *n = odd_float(rm->p[i]->root, 0);

		if (n)
			e = err_join(e, err_at(ERR_RENDER, n->at,
					       "'" STR_FMT "' cannot be written as JSON",
					       STR_ARG(n->text)));
	}
	return e;
}

/* A patch may have taken a name off. */
static struct err *check_named(const struct resmap *rm)
{
	struct err *e = NULL;

	for (size_t i = 0; i < rm->n; i++) {
		struct res_id id = res_id(rm->p[i]);

		if (!id.kind.n || (!id.name.n && !str_ends(id.kind, STR("List"))))
			e = err_join(e, err_at(ERR_RENDER, rm->p[i]->at,
					       "no %s is left of this object",
					       id.kind.n ? "'metadata.name'" : "'kind'"));
	}
	return e;
}

struct err *final_objects(struct build *b, const struct kustomization *k, struct resmap *rm)
{
	static struct fieldspec labels = {.path = {"metadata/labels", 15}, .create = true};
	const struct fieldspecs specs = {&labels, 1, 1};
	struct ranks ranks = {0};
	size_t kept = 0;
	bool legacy;

	for (size_t i = 0; i < rm->n; i++)
		if (!is_local(rm->p[i]->root))
			rm->p[kept++] = rm->p[i];
	rm->n = kept;
	if (b->odd_floats)
		TRY(check_floats(rm));
	if (rm->ids_loose) {
		TRY(check_named(rm));
		TRY(res_check_ids(b->a, LOC_NONE, rm));
	}
	TRY(read_order(b, k, &legacy, &ranks));
	if (legacy)
		sort_legacy(b->a, &ranks, rm);
	if (k->metadata & META_MANAGED_BY || b->opts->managed_by)
		TRY(xform_set_at(b->a, &specs,
				 node_set(b->a, NULL, STR("app.kubernetes.io/managed-by"),
					  node_new_str(b->a, STR("kustomize-v5.8.1"))),
				 rm));
	for (size_t i = 0; i < rm->n; i++)
		*ARENA_PUSH(b->a, b->ret) = (struct render_object){
			clean_annotations(b->a, rm->p[i]->root, k->metadata), rm->p[i]->at};
	return NULL;
}

void render_print(struct arena *a, const struct render_result *r, struct buf *b)
{
	for (size_t i = 0; i < r->n; i++) {
		if (i)
			buf_str(b, STR("---\n"));
		node_yaml(node_sorted_natural(a, r->p[i].root), b);
	}
}

static str lower(struct arena *a, str s)
{
	char *p = arena_alloc(a, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 0x20) : s.p[i];
	return str_n(p, s.n);
}

void render_file_names(struct arena *a, const struct render_result *r, str *ret)
{
	str first = STR_NONE;
	bool several = false;

	for (size_t i = 0; i < r->n; i++) {
		struct res one = {.root = r->p[i].root};
		str ns = res_effective_ns(res_id(&one));

		if (res_is_cluster(&one))
			continue;
		several |= first.p && !str_eq(first, ns);
		first = ns;
	}
	for (size_t i = 0; i < r->n; i++) {
		struct res one = {.root = r->p[i].root};
		struct res_id id = res_id(&one);
		bool with_ns = several && !res_is_cluster(&one);

		ret[i] = lower(a, arena_printf(a,
					       STR_FMT "%s" STR_FMT "%s" STR_FMT "%s" STR_FMT
						       "_" STR_FMT ".yaml",
					       STR_ARG(with_ns ? res_effective_ns(id) : STR("")),
					       with_ns ? "_" : "", STR_ARG(id.group),
					       id.group.n ? "_" : "", STR_ARG(id.version),
					       id.version.n ? "_" : "", STR_ARG(id.kind),
					       STR_ARG(id.name)));
	}
}
