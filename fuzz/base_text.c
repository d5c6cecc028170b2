/* The readers of base: UTF-8, base64, hex, numbers, times, durations; and what they promise about
 * each other. */
#include "leeboard/base.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was escaped is valid UTF-8 without a control character. */
static void check_escapes(str s)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_escaped(&b, s);
	assert(str_utf8_bad(buf_view(&b)) == SIZE_MAX);
	for (size_t i = 0; i < b.n; i++)
		assert((unsigned char)b.p[i] >= 0x20 && b.p[i] != 0x7f);
	buf_clear(&b);
	buf_json(&b, s);
	assert(str_utf8_bad(buf_view(&b)) == SIZE_MAX);
}

/* One text for one value. */
static void check_base64(str s)
{
	CLEANUP(buf) struct buf bytes = BUF_INIT;
	CLEANUP(buf) struct buf text = BUF_INIT;

	if (buf_unbase64(&bytes, s, false)) {
		buf_base64(&text, bytes.p, bytes.n);
		assert(str_eq(buf_view(&text), s));
	}
	buf_clear(&bytes);
	buf_unbase64(&bytes, s, true);
}

static void check_times(str s)
{
	CLEANUP(arena) struct arena *a = arena_new();
	msec t, again;

	if (time_parse(s, &t)) {
		str written = time_rfc3339(a, t, true);

		/* A zone may carry the first or the last day out of the years of four digits. */
		if (written.n == 24 && written.p[0] != '-')
			assert(time_parse(written, &again) && again == t);
	}
	if (duration_parse(s, &t)) {
		assert(t >= 0);
		assert(duration_parse(duration_short(a, t), &again) && again == t);
		duration_format(a, t);
	}
}

static void check_errors(str s)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct text text = {STR("fuzz"), s};
	loc at = {&text, s.n ? (uint8_t)s.p[0] % 4U : 0, s.n > 1 ? (uint8_t)s.p[1] : 0};
	CLEANUP(err) struct err *e = err_at(ERR_SYNTAX, at, STR_FMT, STR_ARG(s));

	err_print(e, &b);
	err_line_to(e, &b);
	assert(str_utf8_bad(buf_view(&b)) == SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str s = {(const char *)data, size};
	unsigned char out[64];
	uint64_t u;
	int64_t i;

	check_escapes(s);
	check_base64(s);
	check_times(s);
	check_errors(s);
	hex_decode(s, out, size / 2 < sizeof(out) ? size / 2 : sizeof(out));
	if (str_to_u64(s, &u) && u <= INT64_MAX)
		assert(str_to_i64(s, &i) && (uint64_t)i == u);
	if (size < 200) {
		str front = str_sub(s, 0, size / 2), back = str_sub(s, size / 2, SIZE_MAX);
		unsigned d = str_distance(front, back, 300);

		assert(d == str_distance(back, front, 300));
		for (unsigned limit = 0; limit < 8; limit++)
			assert(str_distance(front, back, limit) == (d <= limit ? d : limit + 1));
	}
	return 0;
}
