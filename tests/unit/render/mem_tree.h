/* A tree of names and texts in memory, so that a test reads in one piece. */
#pragma once
#include "leeboard/render.h"

struct file {
	const char *path, *text;
};
struct files {
	const struct file *p;
};

static struct err *mem_kind(void *self, str path, enum tree_kind *ret, uint8_t oid[32], size_t *n)
{
	const struct files *f = self;

	*ret = path.n ? TREE_ABSENT : TREE_FOLDER;
	*n = 0;
	for (size_t i = 0; f->p[i].path; i++) {
		str p = str_from(f->p[i].path);

		if (str_eq(p, path))
			*ret = TREE_FILE;
		else if (str_starts(p, path) && p.n > path.n && p.p[path.n] == '/')
			*ret = TREE_FOLDER;
	}
	if (*ret != TREE_ABSENT) {
		struct hash h = hash_blake2b(NULL, STR("test"), path);

		memcpy(oid, h.b, 32);
		*n = 32;
	}
	return NULL;
}

static struct err *mem_read(void *self, struct arena *a, str path, str *ret)
{
	const struct files *f = self;

	for (size_t i = 0; f->p[i].path; i++)
		if (str_eq(str_from(f->p[i].path), path))
			*ret = arena_str(a, str_from(f->p[i].text));
	return NULL;
}

static struct err *mem_list(void *self, struct arena *a, str path, struct tree_entry **ret,
			    size_t *n)
{
	const struct files *f = self;
	struct {
		struct tree_entry *p;
		size_t n, cap;
	} v = {0};

	for (size_t i = 0; f->p[i].path; i++) {
		str p = str_from(f->p[i].path), name;
		bool known = false;
		size_t cut;

		if (!tree_below(path, p))
			continue;
		name = str_sub(p, path.n ? path.n + 1 : 0, SIZE_MAX);
		cut = str_chr(name, '/');
		name = str_sub(name, 0, cut);
		for (size_t k = 0; k < v.n; k++)
			known |= str_eq(v.p[k].name, name);
		if (!known)
			*ARENA_PUSH(a, &v) = (struct tree_entry){
				name, cut == SIZE_MAX ? TREE_FILE : TREE_FOLDER};
	}
	*ret = v.p;
	*n = v.n;
	return NULL;
}

static void mem_close(void *self)
{
	(void)self;
}

static const struct tree_ops mem_ops = {
	.name = "mem", .kind = mem_kind, .read = mem_read, .list = mem_list, .close = mem_close};

#define FILES(...) ((const struct file[]){__VA_ARGS__, {NULL, NULL}})
