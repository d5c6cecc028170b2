/* What an API server sends: lists, discovery, Status, managedFields. */
#include "target/kube_priv.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void items(str body)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct kube_items it;
	CLEANUP(err) struct err *e = kube_items_open(a, body, &it);
	str json;

	while (!e && kube_items_next(&it, &json)) {
		const struct node *root = NULL;
		struct target_live live;
		struct err *bad = kube_item_read(a, json, STR("g"), STR("v1"), STR("K"), &root);

		assert(json.p >= body.p && json.p + json.n <= body.p + body.n);
		if (!bad) {
			kube_live(root, &live);
			assert(str_eq(live.id.kind, STR("K")) && str_eq(live.version, STR("v1")));
		}
		err_free(bad);
	}
}

static void kinds(const struct node *root)
{
	struct kube_kinds s = {.arena = arena_new()};

	err_free(kube_kinds_read(&s, root));
	kube_kinds_free(&s);
}

static void owners(struct arena *a, const struct node *root)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	const struct node *managed = kube_take_over(a, root, STR("v1")), *patch = NULL;

	if (!managed)
		return;
	assert(managed->kind == NODE_LIST && managed->n);
	kube_owner_patch(root, managed, &b);
	CLEANUP(err) struct err *e = kube_json(a, STR("patch"), buf_view(&b), &patch);

	assert(!e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str text = {(const char *)data, size};
	const struct node *root = NULL;
	struct kube_what w = {.verb = "patch", .resource = STR("things"), .secret = true};
	static const unsigned codes[] = {400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503};

	if (size > 65536 || str_utf8_bad(text) != SIZE_MAX)
		return 0;
	items(text);
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		err_free(kube_error(&w, codes[i], text));
	err_free(kube_json(a, STR("answer"), text, &root));
	if (root) {
		kinds(root);
		owners(a, root);
	}
	return 0;
}
