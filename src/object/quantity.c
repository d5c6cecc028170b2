/* Quantities of Kubernetes ("500m", "1Gi", "1e3"): equality, exact. */
#include "leeboard/object.h"

#define QUANTITY_MAX 64u /* bytes of text; what the server takes is far shorter */
#define EXPONENT_MAX 99
#define LIMBS 24 /* 768 bits: 10^64 (213 bits) * 10^99 (329 bits) * 2^60 * 10^18 (60 bits) */

enum family { BINARY, DECIMAL, EXPONENT };

struct quantity {
	bool negative;
	enum family family;
	str digits;   /* without leading zeros and the point; empty: zero */
	int fraction; /* how many of them stand behind the point */
	int power;    /* of 2 for BINARY, else of 10 */
};

/* Rows: what follows the digits, the family, and the power. */
static const struct suffix {
	const char *text;
	enum family family;
	int power;
} suffixes[] = {
	{"", DECIMAL, 0},   {"n", DECIMAL, -9}, {"u", DECIMAL, -6}, {"m", DECIMAL, -3},
	{"k", DECIMAL, 3},  {"M", DECIMAL, 6},  {"G", DECIMAL, 9},  {"T", DECIMAL, 12},
	{"P", DECIMAL, 15}, {"E", DECIMAL, 18}, {"Ki", BINARY, 10}, {"Mi", BINARY, 20},
	{"Gi", BINARY, 30}, {"Ti", BINARY, 40}, {"Pi", BINARY, 50}, {"Ei", BINARY, 60},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool parse_suffix(str s, struct quantity *q)
{
	int64_t e;

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (str_eq(s, str_from(suffixes[i].text))) {
			q->family = suffixes[i].family;
			q->power = suffixes[i].power;
			return true;
		}
	if (s.p[0] != 'e' && s.p[0] != 'E')
		return false;
	s = str_sub(s, 1, SIZE_MAX);
	if (s.n > 1 && s.p[0] == '+' && is_digit(s.p[1]))
		s = str_sub(s, 1, SIZE_MAX);
	if (!str_to_i64(s, &e) || e > EXPONENT_MAX || e < -EXPONENT_MAX)
		return false;
	q->family = EXPONENT;
	q->power = (int)e;
	return true;
}

/* digits: at least s.n bytes that q borrows. */
static bool parse(str s, char *digits, struct quantity *q)
{
	size_t i = 0;
	size_t n = 0;
	size_t seen = 0;
	bool point = false;

	*q = (struct quantity){.negative = s.n && s.p[0] == '-'};
	if (!s.n || s.n > QUANTITY_MAX)
		return false;
	if (s.p[0] == '-' || s.p[0] == '+')
		i++;
	for (; i < s.n; i++) {
		if (s.p[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (!is_digit(s.p[i]))
			break;
		seen++;
		q->fraction += point;
		if (n || s.p[i] != '0')
			digits[n++] = s.p[i];
	}
	if (!seen)
		return false;
	q->digits = str_n(digits, n);
	return parse_suffix(str_sub(s, i, SIZE_MAX), q);
}

struct big {
	uint32_t limb[LIMBS]; /* least first */
};

static void mul_add(struct big *b, uint32_t factor, uint32_t more)
{
	uint64_t carry = more;

	for (size_t i = 0; i < LIMBS; i++) {
		carry += (uint64_t)b->limb[i] * factor;
		b->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
}

static void mul_power(struct big *b, uint32_t base, int n)
{
	for (int i = 0; i < n; i++)
		mul_add(b, base, 0);
}

static int ten_power(const struct quantity *q)
{
	return (q->family == BINARY ? 0 : q->power) - q->fraction;
}

/* q * 10^up, where up makes it an integer. */
static struct big scaled(const struct quantity *q, int up)
{
	struct big b = {{0}};

	for (size_t i = 0; i < q->digits.n; i++)
		mul_add(&b, 10, (uint32_t)(q->digits.p[i] - '0'));
	if (q->family == BINARY)
		mul_power(&b, 2, q->power);
	mul_power(&b, 10, ten_power(q) + up);
	return b;
}

bool obj_quantity_equal(str a, str b)
{
	char digits[2][QUANTITY_MAX];
	struct quantity qa;
	struct quantity qb;

	if (!parse(a, digits[0], &qa) || !parse(b, digits[1], &qb) || qa.family != qb.family)
		return false;
	if (!qa.digits.n || !qb.digits.n)
		return qa.digits.n == qb.digits.n;
	if (qa.negative != qb.negative)
		return false;

	int pa = ten_power(&qa);
	int pb = ten_power(&qb);
	int low = pa < pb ? pa : pb;

	/* Far apart: digits are at most 64, so the values cannot meet, and the numbers stay small.
	 */
	if (pa - low > (int)QUANTITY_MAX + 20 || pb - low > (int)QUANTITY_MAX + 20)
		return false;

	struct big x = scaled(&qa, -low);
	struct big y = scaled(&qb, -low);

	return memcmp(&x, &y, sizeof(x)) == 0;
}
