/* Trees from JSON text, and trees as text, for the tests of diff. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "leeboard/diff.h"

static inline const struct node *json(struct arena *a, const char *text)
{
	struct text *in = ARENA_NEW(a, struct text);
	const struct node *n = NULL;

	in->name = STR("test.json");
	in->bytes = str_from(text);
	assert_null(node_read_json(a, in, &n));
	return n;
}

static inline const char *text_of(struct arena *a, const struct node *n)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!n)
		return "-";
	node_json(n, NODE_JSON_CANONICAL, &b);
	return arena_str(a, buf_view(&b)).p;
}

static inline const char *line_of(struct arena *a, struct err *e)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	assert_non_null(e);
	err_line_to(e, &b);
	err_free(e);
	return arena_str(a, buf_view(&b)).p;
}

#define ARENA_TEST CLEANUP(arena) struct arena *a = arena_new()
