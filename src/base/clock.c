/* clock: points in time and lengths of it, as programs and as people write them. */
#include "leeboard/base.h"
#include <time.h>

#define DAY (24 * HOUR)

static msec clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (msec)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

msec time_wall(void)
{
	return clock_read(CLOCK_REALTIME);
}

msec time_mono(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar; the year starts in March, so
 * that the leap day is its last. */
static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
	int64_t era, year_of_era, day_of_year;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	year_of_era = y - era * 400;
	day_of_year = (153 * (int64_t)(m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

str time_rfc3339(struct arena *a, msec t, bool fraction)
{
	msec ms = t % 1000;
	time_t sec;
	struct tm tm;

	if (ms < 0)
		ms += 1000;
	sec = (t - ms) / 1000;
	if (!gmtime_r(&sec, &tm))
		return STR("0000-00-00T00:00:00Z");
	if (!fraction)
		return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
				    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
			    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)ms);
}

/* Exactly n digits off the front of *s. */
static bool take_digits(str *s, size_t n, unsigned *ret)
{
	uint64_t v;

	if (s->n < n || !str_to_u64(str_sub(*s, 0, n), &v))
		return false;
	*s = str_sub(*s, n, SIZE_MAX);
	*ret = (unsigned)v;
	return true;
}

static bool take_char(str *s, char c)
{
	if (!s->n || s->p[0] != c)
		return false;
	*s = str_sub(*s, 1, SIZE_MAX);
	return true;
}

static bool take_fraction(str *s, msec *ret)
{
	msec scale = 100;
	size_t digits = 0;

	*ret = 0;
	for (; digits < s->n && s->p[digits] >= '0' && s->p[digits] <= '9'; digits++) {
		*ret += (s->p[digits] - '0') * scale;
		scale /= 10;
	}
	*s = str_sub(*s, digits, SIZE_MAX);
	return digits > 0;
}

/* Minutes east of UTC. */
static bool take_zone(str *s, int *ret)
{
	unsigned hours, minutes;
	bool west;

	*ret = 0;
	if (take_char(s, 'Z') || take_char(s, 'z'))
		return true;
	west = s->n && s->p[0] == '-';
	if (!take_char(s, west ? '-' : '+') || !take_digits(s, 2, &hours) || !take_char(s, ':') ||
	    !take_digits(s, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret = (int)(hours * 60 + minutes) * (west ? -1 : 1);
	return true;
}

bool time_parse(str s, msec *ret)
{
	static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned y, mo, d, h, mi, sec;
	msec ms = 0;
	int zone;
	bool leap;

	if (!take_digits(&s, 4, &y) || !take_char(&s, '-') || !take_digits(&s, 2, &mo) ||
	    !take_char(&s, '-') || !take_digits(&s, 2, &d))
		return false;
	if (!take_char(&s, 'T') && !take_char(&s, 't') && !take_char(&s, ' '))
		return false;
	if (!take_digits(&s, 2, &h) || !take_char(&s, ':') || !take_digits(&s, 2, &mi) ||
	    !take_char(&s, ':') || !take_digits(&s, 2, &sec))
		return false;
	if (take_char(&s, '.') && !take_fraction(&s, &ms))
		return false;
	if (!take_zone(&s, &zone) || s.n)
		return false;
	leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	if (mo < 1 || mo > 12 || d < 1 || d > month_days[mo - 1] + (unsigned)(mo == 2 && leap))
		return false;
	if (h > 23 || mi > 59 || sec > 60) /* 60: a leap second */
		return false;
	*ret = days_of(y, mo, d) * DAY + (msec)h * HOUR + (msec)mi * MINUTE + (msec)sec * SECOND +
	       ms - zone * MINUTE;
	return true;
}

static const struct {
	str name;
	int64_t ns;
} units[] = {
	{STR("ns"), 1},
	{STR("us"), 1000},
	{STR("\xc2\xb5s"), 1000}, /* U+00B5, micro sign */
	{STR("\xce\xbcs"), 1000}, /* U+03BC, Greek mu */
	{STR("ms"), 1000000},
	{STR("s"), 1000000000},
	{STR("m"), 60 * INT64_C(1000000000)},
	{STR("h"), 3600 * INT64_C(1000000000)},
};

/* One "1.5h" off the front, added to *ns. */
static bool take_span(str *s, int64_t *ns)
{
	size_t digits = 0, point, more = 0, unit = 0;
	int64_t whole = 0, per_unit = 0, scale;
	uint64_t v = 0;

	while (digits < s->n && s->p[digits] >= '0' && s->p[digits] <= '9')
		digits++;
	if (digits && (!str_to_u64(str_sub(*s, 0, digits), &v) || v > INT64_MAX))
		return false;
	whole = (int64_t)v;
	point = digits + (digits < s->n && s->p[digits] == '.');
	if (point > digits)
		while (point + more < s->n && s->p[point + more] >= '0' &&
		       s->p[point + more] <= '9')
			more++;
	if (digits + more == 0)
		return false;
	while (point + more + unit < s->n && s->p[point + more + unit] != '.' &&
	       (s->p[point + more + unit] < '0' || s->p[point + more + unit] > '9'))
		unit++;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (str_eq(units[i].name, str_sub(*s, point + more, unit)))
			per_unit = units[i].ns;
	if (!per_unit || __builtin_mul_overflow(whole, per_unit, &whole) ||
	    __builtin_add_overflow(*ns, whole, ns))
		return false;
	scale = per_unit;
	for (size_t i = 0; i < more && scale >= 10; i++) {
		scale /= 10;
		if (__builtin_add_overflow(*ns, (s->p[point + i] - '0') * scale, ns))
			return false;
	}
	*s = str_sub(*s, point + more + unit, SIZE_MAX);
	return true;
}

/* As Go's time.ParseDuration, down to whole milliseconds. */
bool duration_parse(str s, msec *ret)
{
	int64_t ns = 0;

	take_char(&s, '+');
	if (str_eq(s, STR("0"))) {
		*ret = 0;
		return true;
	}
	if (!s.n)
		return false;
	while (s.n)
		if (!take_span(&s, &ns))
			return false;
	*ret = ns / 1000000;
	return true;
}

/* The largest unit of which there is at least one whole, cut, not rounded. */
str duration_format(struct arena *a, msec d)
{
	const char *sign = d < 0 ? "-" : "";
	uint64_t n = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;

	if (n && n < SECOND)
		return arena_printf(a, "%s%llu ms", sign, (unsigned long long)n);
	if (n < MINUTE)
		return arena_printf(a, "%s%llu s", sign, (unsigned long long)n / SECOND);
	if (n < HOUR)
		return arena_printf(a, "%s%llu min", sign, (unsigned long long)n / MINUTE);
	if (n < DAY)
		return arena_printf(a, "%s%llu h", sign, (unsigned long long)n / HOUR);
	return arena_printf(a, "%s%llu d", sign, (unsigned long long)n / DAY);
}

str duration_short(struct arena *a, msec d)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	uint64_t n = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;
	unsigned long long h = n / HOUR, m = n % HOUR / MINUTE, s = n % MINUTE / SECOND,
			   ms = n % SECOND;

	if (d < 0)
		buf_char(&b, '-');
	if (n == 0)
		buf_str(&b, STR("0s"));
	if (h)
		buf_printf(&b, "%lluh", h);
	if (m)
		buf_printf(&b, "%llum", m);
	if (s && !ms)
		buf_printf(&b, "%llus", s);
	else if (ms && n < SECOND)
		buf_printf(&b, "%llums", ms);
	else if (ms && ms % 100 == 0)
		buf_printf(&b, "%llu.%llus", s, ms / 100);
	else if (ms && ms % 10 == 0)
		buf_printf(&b, "%llu.%02llus", s, ms / 10);
	else if (ms)
		buf_printf(&b, "%llu.%03llus", s, ms);
	return arena_str(a, buf_view(&b));
}
