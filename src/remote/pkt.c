/* pkt-lines: four hexadecimal digits of length, these four included, and the line. */
#include "remote_priv.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum pkt_got pkt_next(str *rest, struct pkt *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < 4; i++) {
		int d;

		if (i == rest->n)
			return PKT_MORE;
		d = digit(rest->p[i]);
		if (d < 0)
			return PKT_BAD;
		n = n * 16 + (size_t)d;
	}
	if (n == 3 || n > PKT_MAX)
		return PKT_BAD;
	if (n < 3) {
		static const enum pkt_kind kinds[] = {PKT_FLUSH, PKT_DELIM, PKT_END};

		*ret = (struct pkt){kinds[n], STR_NONE};
		*rest = str_sub(*rest, 4, SIZE_MAX);
		return PKT_OK;
	}
	if (rest->n < n)
		return PKT_MORE;
	*ret = (struct pkt){PKT_LINE, str_sub(*rest, 4, n - 4)};
	*rest = str_sub(*rest, n, SIZE_MAX);
	return PKT_OK;
}

str pkt_text(str data)
{
	if (data.n && data.p[data.n - 1] == '\n')
		data.n--;
	return data;
}

void pkt_line(struct buf *b, const char *fmt, ...)
{
	CLEANUP(buf) struct buf line = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	buf_printf(b, "%04zx", line.n + 5);
	buf_str(b, buf_view(&line));
	buf_char(b, '\n');
}

void pkt_flush(struct buf *b)
{
	buf_str(b, STR("0000"));
}

void pkt_delim(struct buf *b)
{
	buf_str(b, STR("0001"));
}
