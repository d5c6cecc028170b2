/* What node's own files share. */
#pragma once
#include "leeboard/node.h"

/* Trees that edits built may be deeper than what a reader lets in, but never by much. */
#define NODE_WALK_DEPTH 1000

/* ---------------------------------------------------------------- scalar.c */

/* What a plain scalar without a tag is. A timestamp is NODE_STRING. */
enum node_kind scalar_kind(str s);
/* Is s a bool in YAML 1.1 alone? *ret: its value. */
bool scalar_old_bool(str s, bool *ret);
/* s as a timestamp in RFC 3339 (go-yaml reads plain ones so); false when it is none. */
bool scalar_timestamp(str s, char ret[64]);
/* Would a YAML 1.1 reader take the plain scalar s for something else than a string? */
bool scalar_wants_quotes(str s);

/* The exact value of a number: an integer of at most 64 bits, else a double. */
struct number {
	bool is_int, neg;
	uint64_t mag;
	double d; /* always set */
};
/* text is the spelling of a NODE_INT or NODE_FLOAT. */
bool number_from(str text, struct number *ret);
/* An integer spelled in any base; false when it is none or larger than 64 bits. */
bool number_int(str s, bool *neg, uint64_t *mag);
/* The shortest digits that read back as d (finite, not 0): "12345", and the exponent of the first
 * one. Returns their count; at most 17. */
size_t number_digits(double d, char ret[24], int *exponent);

/* ---------------------------------------------------------------- make.c */

/* Makes the hash index of a map of more than 12 pairs. When `twice` is not NULL and a key occurs
 * twice, the positions of the first two that do are put there and false is returned. */
bool map_index(struct arena *a, struct node *map, size_t twice[2]);
#define MAP_INDEX_FROM 13

/* Keys repeat without end in manifests: the same bytes once in the arena. */
struct key_cache {
	str slot[256];
};
str key_cached(struct arena *a, struct key_cache *c, str key);

/* ---------------------------------------------------------------- JSON strings */

/* The end of a run of bytes that stand for themselves in a JSON string: ASCII but for controls,
 * quote and backslash. Eight at a time; the sum may err towards the slow loop, never away. */
static inline const char *json_plain_end(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101ull, highs = 0x8080808080808080ull;

	while (end - p >= 8) {
		uint64_t w, q, s;

		memcpy(&w, p, 8);
		q = w ^ (ones * '"');
		s = w ^ (ones * '\\');
		if (((w - ones * 0x20) | (q - ones) | (s - ones) | w) & highs)
			break;
		p += 8;
	}
	while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\' &&
	       (unsigned char)*p < 0x80)
		p++;
	return p;
}

/* ------------------------------------------------------------------ YAML out, for both printers */

struct out {
	struct buf *b;
	size_t col; /* code points since the last line break */
};
/* Which styles can hold a text. */
struct out_shape {
	bool plain, single, literal;
	bool lines; /* has a line break */
};
struct out_shape out_shape(str s);
void out_text(struct out *o, const char *p, size_t n);
void out_char(struct out *o, char c);
void out_line(struct out *o);
void out_indent(struct out *o, size_t n);
void out_plain(struct out *o, str s, size_t ind, bool fold);
void out_single(struct out *o, str s, size_t ind, bool fold);
void out_double(struct out *o, str s, size_t ind, bool fold);
void out_literal(struct out *o, str s, size_t ind);
void out_string(struct out *o, str s, size_t ind, bool simple_key);
