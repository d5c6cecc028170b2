/* What a plain scalar is, as go-yaml v3 decides it, and what a number is worth. */
#include "node_priv.h"
#include <math.h>
#include <stdlib.h>

#define NUMBER_MOST 512 /* bytes of a number's spelling */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool in_words(str s, const char *const *words)
{
	for (; *words; words++) {
		if (strlen(*words) == s.n && memcmp(*words, s.p, s.n) == 0)
			return true;
	}
	return false;
}

static const char *const null_words[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const bool_words[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
static const char *const float_words[] = {".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",
					  ".INF",  "+.inf", "+.Inf", "+.INF", "-.inf",
					  "-.Inf", "-.INF", NULL};
static const char *const old_bools[] = {"y", "Y",  "yes", "Yes", "YES", "on",  "On",  "ON", "n",
					"N", "no", "No",  "NO",  "off", "Off", "OFF", NULL};

static int digit_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

bool number_int(str s, bool *neg, uint64_t *mag)
{
	size_t i = 0;
	int base = 10;
	bool any = false, plus = false;
	uint64_t v = 0;

	*neg = false;
	if (i < s.n && (s.p[i] == '-' || s.p[i] == '+')) {
		*neg = s.p[i] == '-';
		plus = s.p[i] == '+';
		i++;
	}
	if (i + 1 < s.n && s.p[i] == '0') {
		switch (s.p[i + 1]) {
		case 'x':
		case 'X':
			base = 16;
			i += 2;
			break;
		case 'o':
		case 'O':
			base = 8;
			i += 2;
			break;
		case 'b':
		case 'B':
			base = 2;
			i += 2;
			break;
		default:
			base = 8;
			i++;
			any = true;
		}
	}
	for (; i < s.n; i++) {
		int d;

		if (s.p[i] == '_')
			continue;
		d = digit_value(s.p[i]);
		if (d >= base)
			return false;
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return false;
		any = true;
	}
	if (!any || (*neg && v > (uint64_t)INT64_MAX + 1) || (plus && v > INT64_MAX))
		return false;
	if (v == 0)
		*neg = false;
	*mag = v;
	return true;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? with "_" skipped; finite. */
static bool to_double(str s, double *ret)
{
	char t[NUMBER_MOST];
	size_t n = 0, i = 0, whole = 0, part = 0;

	if (s.n >= sizeof(t))
		return false;
	for (size_t k = 0; k < s.n; k++) {
		if (s.p[k] != '_')
			t[n++] = s.p[k];
	}
	t[n] = 0;
	if (t[i] == '-' || t[i] == '+')
		i++;
	while (is_digit(t[i]))
		i++, whole++;
	if (t[i] == '.') {
		i++;
		while (is_digit(t[i]))
			i++, part++;
	}
	if (!whole && !part)
		return false;
	if (t[i] == 'e' || t[i] == 'E') {
		i++;
		if (t[i] == '-' || t[i] == '+')
			i++;
		if (!is_digit(t[i]))
			return false;
		while (is_digit(t[i]))
			i++;
	}
	if (i != n)
		return false;
	*ret = strtod(t, NULL);
	return isfinite(*ret);
}

enum node_kind scalar_kind(str s)
{
	bool neg;
	uint64_t mag;
	double d;

	if (!s.n)
		return NODE_NULL;
	switch (s.p[0]) {
	case '~':
	case 'n':
	case 'N':
		return in_words(s, null_words) ? NODE_NULL : NODE_STRING;
	case 't':
	case 'T':
	case 'f':
	case 'F':
		return in_words(s, bool_words) ? NODE_BOOL : NODE_STRING;
	case '.':
		if (in_words(s, float_words))
			return NODE_FLOAT;
		return str_chr(s, '_') == SIZE_MAX && to_double(s, &d) ? NODE_FLOAT : NODE_STRING;
	case '-':
	case '+':
	case '0' ... '9':
		if (number_int(s, &neg, &mag))
			return NODE_INT;
		if (to_double(s, &d) || in_words(s, float_words))
			return NODE_FLOAT;
		return NODE_STRING;
	default:
		return NODE_STRING;
	}
}

/* One or two digits. */
static bool take_two(str s, size_t *i, int *ret)
{
	if (*i >= s.n || !is_digit(s.p[*i]))
		return false;
	*ret = s.p[(*i)++] - '0';
	if (*i < s.n && is_digit(s.p[*i]))
		*ret = *ret * 10 + (s.p[(*i)++] - '0');
	return true;
}

static bool take(str s, size_t *i, char c)
{
	if (*i >= s.n || s.p[*i] != c)
		return false;
	(*i)++;
	return true;
}

static int days_of(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

/* Z or +hh:mm, exactly to the end. */
static bool take_zone(str s, size_t i, char ret[8])
{
	int h, m;

	if (i + 1 == s.n && s.p[i] == 'Z') {
		memcpy(ret, "Z", 2);
		return true;
	}
	if (i + 6 != s.n || (s.p[i] != '+' && s.p[i] != '-') || !is_digit(s.p[i + 1]) ||
	    !is_digit(s.p[i + 2]) || s.p[i + 3] != ':' || !is_digit(s.p[i + 4]) ||
	    !is_digit(s.p[i + 5]))
		return false;
	h = (s.p[i + 1] - '0') * 10 + (s.p[i + 2] - '0');
	m = (s.p[i + 4] - '0') * 10 + (s.p[i + 5] - '0');
	if (h > 24 || m > 60)
		return false;
	if (h == 0 && m == 0)
		memcpy(ret, "Z", 2);
	else
		snprintf(ret, 8, "%.6s", s.p + i);
	return true;
}

bool scalar_timestamp(str s, char ret[64])
{
	int year, month, day, h = 0, m = 0, sec = 0;
	size_t i = 4, from = 0, digits = 0;
	char zone[8] = "Z";

	if (s.n < 8 || s.n > 40 || s.p[4] != '-')
		return false;
	for (size_t k = 0; k < 4; k++) {
		if (!is_digit(s.p[k]))
			return false;
	}
	year = (s.p[0] - '0') * 1000 + (s.p[1] - '0') * 100 + (s.p[2] - '0') * 10 + (s.p[3] - '0');
	if (!take(s, &i, '-') || !take_two(s, &i, &month) || !take(s, &i, '-') ||
	    !take_two(s, &i, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_of(year, month))
		return false;
	if (i < s.n) {
		char sep = s.p[i++];

		if ((sep != 'T' && sep != 't' && sep != ' ') || !take_two(s, &i, &h) ||
		    !take(s, &i, ':') || !take_two(s, &i, &m) || !take(s, &i, ':') ||
		    !take_two(s, &i, &sec) || h > 23 || m > 59 || sec > 59)
			return false;
		if (take(s, &i, '.')) {
			from = i;
			while (i < s.n && is_digit(s.p[i]))
				i++;
			digits = i - from;
			if (!digits)
				return false;
			digits = digits > 9 ? 9 : digits;
			while (digits && s.p[from + digits - 1] == '0')
				digits--;
		}
		if (sep == ' ') {
			if (i != s.n)
				return false;
		} else if (!take_zone(s, i, zone)) {
			return false;
		}
	}
	snprintf(ret, 64, "%04d-%02d-%02dT%02d:%02d:%02d%s%.*s%s", year, month, day, h, m, sec,
		 digits ? "." : "", (int)digits, s.p + from, zone);
	return true;
}

/* ^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$ */
static bool is_base60(str s)
{
	size_t i = 0, groups = 0;

	if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
		i++;
	if (i >= s.n || !is_digit(s.p[i]))
		return false;
	while (i < s.n && (is_digit(s.p[i]) || s.p[i] == '_'))
		i++;
	while (i < s.n && s.p[i] == ':') {
		int v;
		size_t was = ++i;

		if (!take_two(s, &i, &v) || (i - was == 2 && v > 59))
			return false;
		groups++;
	}
	if (i < s.n && s.p[i] == '.') {
		i++;
		while (i < s.n && (is_digit(s.p[i]) || s.p[i] == '_'))
			i++;
	}
	return groups && i == s.n;
}

bool scalar_wants_quotes(str s)
{
	char t[64];

	if (!s.n)
		return true;
	switch (s.p[0]) {
	case 'y':
	case 'Y':
	case 'o':
	case 'O':
		return in_words(s, old_bools);
	case 'n':
	case 'N':
		return in_words(s, old_bools) || in_words(s, null_words);
	case '-':
	case '+':
	case '0' ... '9':
		if (is_base60(s) || scalar_timestamp(s, t))
			return true;
		break;
	default:
		break;
	}
	return scalar_kind(s) != NODE_STRING;
}

bool number_from(str text, struct number *ret)
{
	*ret = (struct number){0};
	if (number_int(text, &ret->neg, &ret->mag)) {
		ret->is_int = true;
		ret->d = ret->neg ? -(double)ret->mag : (double)ret->mag;
		return true;
	}
	if (!to_double(text, &ret->d)) {
		str s = text;

		if (!in_words(s, float_words)) {
			/* An integer of JSON, which knows no bounds. */
			ret->d = s.n && s.p[0] == '-' ? -INFINITY : INFINITY;
			return s.n && (is_digit(s.p[0]) || s.p[0] == '-');
		}
		if (s.p[1] == 'n' || s.p[1] == 'N')
			ret->d = NAN;
		else
			ret->d = s.p[0] == '-' ? -INFINITY : INFINITY;
		return true;
	}
	/* 1.0 is 1: below 2^64 a whole double is an integer. */
	if (ret->d == floor(ret->d) && fabs(ret->d) < 18446744073709551616.0) {
		ret->is_int = true;
		ret->neg = ret->d < 0;
		ret->mag = (uint64_t)fabs(ret->d);
	}
	return true;
}

size_t number_digits(double d, char ret[24], int *exponent)
{
	/* Whatever has 15 digits or fewer is found at 15; subnormal numbers have less precision. */
	int from = fabs(d) < 2.2250738585072014e-308 ? 1 : 15;
	char t[40];
	size_t n = 0;

	for (int digits = from; digits <= 17; digits++) {
		snprintf(t, sizeof(t), "%.*e", digits - 1, fabs(d));
		if (strtod(t, NULL) == fabs(d))
			break;
	}
	for (const char *p = t; *p && *p != 'e'; p++) {
		if (is_digit(*p))
			ret[n++] = *p;
	}
	while (n > 1 && ret[n - 1] == '0')
		n--;
	ret[n] = 0;
	*exponent = (int)strtol(strchr(t, 'e') + 1, NULL, 10);
	return n;
}

bool scalar_old_bool(str s, bool *ret)
{
	if (!s.n || !in_words(s, old_bools))
		return false;
	*ret = s.p[0] == 'y' || s.p[0] == 'Y' || (s.n == 2 && (s.p[1] == 'n' || s.p[1] == 'N'));
	return true;
}
