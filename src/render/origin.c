/* origin.c: which line each field of a rendered object comes from. */
#include "leeboard/render.h"

struct walk {
	struct arena *a;
	struct render_origins *ret;
	struct buf path;
	bool brief, secret;
};

/* The line that set n; what an edit made without saying where is its container's. */
static loc place_of(const struct node *n, loc above)
{
	if (n->by && n->by->at.in)
		return n->by->at;
	return n->at.in ? n->at : above;
}

static void add(struct walk *w, const struct node *n, loc at)
{
	*ARENA_PUSH(w->a, w->ret) =
		(struct render_origin){arena_str(w->a, buf_view(&w->path)), at, n};
}

static void walk(struct walk *w, const struct node *n, const struct obj_schema *s, loc above,
		 unsigned depth);

static void walk_map(struct walk *w, const struct node *n, const struct obj_schema *s, loc at,
		     unsigned depth)
{
	bool object = obj_schema_shape(s) == OBJ_OBJECT;

	for (uint32_t i = 0; i < n->n; i++) {
		str key = n->pairs[i].key;
		size_t was = w->path.n;

		/* What the target holds of a Secret's stringData is data. */
		if (!depth && w->secret && str_eq(key, STR("stringData")))
			obj_path_field(&w->path, STR("data"));
		else
			obj_path_field(&w->path, key);
		walk(w, n->pairs[i].value, object ? obj_schema_field(s, key) : obj_schema_item(s),
		     at, depth + 1);
		w->path.n = was;
	}
}

static void walk_list(struct walk *w, const struct node *n, const struct obj_schema *s, loc at,
		      unsigned depth)
{
	size_t was = w->path.n;
	bool told = true;

	for (uint32_t i = 0; i < n->n && told; i++) {
		told = obj_path_element(&w->path, s, n->items[i]);
		w->path.n = was;
	}
	if (!told && w->brief) {
		add(w, n, at);
		return;
	}
	for (uint32_t i = 0; i < n->n; i++) {
		if (!told || !obj_path_element(&w->path, s, n->items[i]))
			buf_printf(&w->path, "[%u]", i);
		walk(w, n->items[i], obj_schema_item(s), at, depth + 1);
		w->path.n = was;
	}
}

static void walk(struct walk *w, const struct node *n, const struct obj_schema *s, loc above,
		 unsigned depth)
{
	loc at = place_of(n, above);
	bool deeper = n->n && depth <= 2 * NODE_MAX_DEPTH;

	if (n->kind == NODE_MAP && deeper)
		walk_map(w, n, s, at, depth);
	else if (n->kind == NODE_LIST && deeper)
		walk_list(w, n, s, at, depth);
	else
		add(w, n, at);
}

void render_origins(struct arena *a, const struct render_object *o, bool brief,
		    struct render_origins *ret)
{
	CLEANUP(buf) struct buf path = BUF_INIT;
	str api_version = node_get_text(o->root, STR("apiVersion"));
	str kind = node_get_text(o->root, STR("kind"));
	struct walk w = {.a = a,
			 .ret = ret,
			 .brief = brief,
			 .secret = str_eq(kind, STR("Secret")) && str_eq(api_version, STR("v1"))};

	*ret = (struct render_origins){0};
	walk(&w, o->root, obj_schema_of(api_version, kind), o->at, 0);
	path = w.path; /* freed by CLEANUP */
}

loc render_origin_of(struct arena *a, const struct render_object *o, str path)
{
	struct render_origins v;
	str *paths;
	size_t at;

	render_origins(a, o, false, &v);
	paths = ARENA_ARRAY(a, str, v.n);
	for (size_t i = 0; i < v.n; i++)
		paths[i] = v.p[i].path;
	at = obj_path_find(paths, v.n, path);
	return at == SIZE_MAX ? o->at : v.p[at].at;
}
