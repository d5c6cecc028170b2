/* metric: the rows of METRICS, counted in memory and written as Prometheus text. */
#include "leeboard/base.h"
#include <assert.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const struct {
	const char *name;
	enum kind kind;
	str labels;
	const char *help;
} rows[] = {
#define X(id, name, kind, labels, help) [id] = {name, kind, STR(labels), help},
	METRICS(X)
#undef X
};

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

/* Seconds: from one small render to a rollout that waits for a person's coffee. */
static const double bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
				2.5,   5,    10,    30,   60,  120,  300, 600};

struct series {
	char *key; /* the label values, each with its NUL */
	size_t key_n;
	double value;     /* of a histogram: the sum */
	uint64_t *counts; /* of a histogram: one per bound, not cumulated, and one above all */
};

struct family {
	struct series *p; /* in order of appearance */
	size_t n, cap;
	uint32_t *index; /* open addressing; place in p plus 1, 0: free */
	size_t index_size;
};

struct metrics {
	struct family families[METRIC_COUNT];
	double started; /* of the process, seconds since 1970 */
};

static double process_started(void);

struct metrics *metrics_new(void)
{
	struct metrics *m = xcalloc(1, sizeof(*m));

	m->started = process_started();
	return m;
}

static void series_done(struct series *s)
{
	free(s->key);
	free(s->counts);
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		for (size_t j = 0; j < m->families[i].n; j++)
			series_done(&m->families[i].p[j]);
		free(m->families[i].p);
		free(m->families[i].index);
	}
	free(m);
}

/* Where the series with this key is in the index, or the free place where it belongs. */
static uint32_t *slot(struct family *f, str key)
{
	size_t i = str_hash(key) & (f->index_size - 1);

	for (;; i = (i + 1) & (f->index_size - 1)) {
		uint32_t at = f->index[i];

		if (!at || str_eq(key, str_n(f->p[at - 1].key, f->p[at - 1].key_n)))
			return &f->index[i];
	}
}

static void reindex(struct family *f)
{
	free(f->index);
	f->index_size = 16;
	while (f->index_size < 2 * (f->n + 1))
		f->index_size *= 2;
	f->index = xcalloc(f->index_size, sizeof(*f->index));
	for (size_t i = 0; i < f->n; i++)
		*slot(f, str_n(f->p[i].key, f->p[i].key_n)) = (uint32_t)i + 1;
}

static struct series *series_get(struct metrics *m, enum metric id, const char *const *labels)
{
	CLEANUP(buf) struct buf key = BUF_INIT;
	struct family *f = &m->families[id];
	str names = rows[id].labels, name;
	uint32_t *at;

	for (size_t i = 0; names.n && str_split(&names, ',', &name); i++) {
		str v = str_from(labels ? labels[i] : NULL);

		buf_add(&key, v.p, v.n);
		buf_char(&key, '\0');
	}
	if (2 * (f->n + 1) > f->index_size)
		reindex(f);
	at = slot(f, buf_view(&key));
	if (*at)
		return &f->p[*at - 1];
	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 4;
		f->p = xrealloc(f->p, f->cap * sizeof(*f->p));
	}
	f->p[f->n] = (struct series){.key_n = key.n};
	f->p[f->n].key = buf_take(&key);
	if (rows[id].kind == HISTOGRAM)
		f->p[f->n].counts = xcalloc(ARRAY_LEN(bounds) + 1, sizeof(uint64_t));
	*at = (uint32_t)++f->n;
	return &f->p[f->n - 1];
}

void metric_add(struct metrics *m, enum metric id, double v, const char *const *labels)
{
	assert(rows[id].kind != HISTOGRAM && (rows[id].kind == GAUGE || v >= 0));
	series_get(m, id, labels)->value += v;
}

void metric_set(struct metrics *m, enum metric id, double v, const char *const *labels)
{
	assert(rows[id].kind == GAUGE);
	series_get(m, id, labels)->value = v;
}

void metric_observe(struct metrics *m, enum metric id, double seconds, const char *const *labels)
{
	struct series *s;
	size_t i = 0;

	assert(rows[id].kind == HISTOGRAM);
	s = series_get(m, id, labels);
	while (i < ARRAY_LEN(bounds) && !(seconds <= bounds[i]))
		i++;
	s->counts[i]++;
	s->value += seconds;
}

void metric_drop(struct metrics *m, enum metric id, const char *first_label)
{
	struct family *f = &m->families[id];
	size_t kept = 0;

	if (!rows[id].labels.n)
		return;
	for (size_t i = 0; i < f->n; i++) {
		if (str_eq(str_from(f->p[i].key), str_from(first_label)))
			series_done(&f->p[i]);
		else
			f->p[kept++] = f->p[i];
	}
	if (kept == f->n)
		return;
	f->n = kept;
	reindex(f);
}

/* The shortest digits that read back as the same number. */
static void number(struct buf *b, double v)
{
	char s[40];

	if (isnan(v)) {
		buf_str(b, STR("NaN"));
		return;
	}
	if (isinf(v)) {
		buf_str(b, v > 0 ? STR("+Inf") : STR("-Inf"));
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(s, sizeof(s), "%.*g", digits, v);
		if (strtod(s, NULL) == v)
			break;
	}
	buf_str(b, str_from(s));
}

static void label(struct buf *b, str name, str value)
{
	buf_printf(b, STR_FMT "=\"", STR_ARG(name));
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\\' || value.p[i] == '"')
			buf_char(b, '\\');
		if (value.p[i] == '\n')
			buf_str(b, STR("\\n"));
		else
			buf_char(b, value.p[i]);
	}
	buf_char(b, '"');
}

/* One line; le: the bound of a histogram's bucket, or NULL. */
static void sample(struct buf *b, enum metric id, const struct series *s, const char *suffix,
		   const char *le, double value)
{
	str names = rows[id].labels, name, values = str_n(s->key, s->key_n), v;
	char before = '{';

	buf_printf(b, "%s%s", rows[id].name, suffix);
	while (names.n && str_split(&names, ',', &name) && str_split(&values, '\0', &v)) {
		buf_char(b, before);
		before = ',';
		label(b, name, v);
	}
	if (le) {
		buf_char(b, before);
		before = ',';
		label(b, STR("le"), str_from(le));
	}
	if (before == ',')
		buf_char(b, '}');
	buf_char(b, ' ');
	number(b, value);
	buf_char(b, '\n');
}

static void histogram(struct buf *b, enum metric id, const struct series *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i <= ARRAY_LEN(bounds); i++) {
		CLEANUP(buf) struct buf le = BUF_INIT;

		sum += s->counts[i];
		number(&le, i < ARRAY_LEN(bounds) ? bounds[i] : INFINITY);
		sample(b, id, s, "_bucket", le.p, (double)sum);
	}
	sample(b, id, s, "_sum", NULL, s->value);
	sample(b, id, s, "_count", NULL, (double)sum);
}

/* ------------------------------------------------------------------ process_* */

/* Field n of /proc/self/stat, counted as proc(5) does; the command (field 2) may hold blanks, so
 * we count from the parenthesis that ends it. */
static double stat_field(str stat, unsigned n)
{
	uint64_t v = 0;
	str part;

	stat = str_sub(stat, str_rchr(stat, ')'), SIZE_MAX);
	for (unsigned at = 2; str_split(&stat, ' ', &part) && at < n;)
		at++;
	return str_to_u64(part, &v) ? (double)v : 0;
}

static bool stat_read(struct buf *b)
{
	CLEANUP(err) struct err *e = file_read("/proc/self/stat", 4096, b);

	return !e;
}

static double process_started(void)
{
	CLEANUP(buf) struct buf stat = BUF_INIT;
	struct timespec up;

	if (!stat_read(&stat) || clock_gettime(CLOCK_BOOTTIME, &up) < 0)
		return 0;
	return floor((double)time_wall() / 1000 -
		     ((double)up.tv_sec + (double)up.tv_nsec / 1e9 -
		      stat_field(buf_view(&stat), 22) / (double)sysconf(_SC_CLK_TCK)));
}

static double open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	double n = 0;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n > 3 ? n - 3 : 0; /* ".", ".." and the folder itself */
}

static void process_line(struct buf *b, const char *name, const char *kind, const char *help,
			 double v)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n%s ", name, help, name, kind, name);
	number(b, v);
	buf_char(b, '\n');
}

static void process_lines(const struct metrics *m, struct buf *b)
{
	CLEANUP(buf) struct buf raw = BUF_INIT;
	double ticks = (double)sysconf(_SC_CLK_TCK);
	struct rlimit files;
	str stat;

	if (!stat_read(&raw))
		return;
	stat = buf_view(&raw);
	process_line(b, "process_cpu_seconds_total", "counter", "User and system time, in seconds.",
		     (stat_field(stat, 14) + stat_field(stat, 15)) / ticks);
	process_line(b, "process_open_fds", "gauge", "Open descriptors.", open_descriptors());
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		process_line(b, "process_max_fds", "gauge", "Descriptors that may be open.",
			     files.rlim_cur == RLIM_INFINITY ? INFINITY : (double)files.rlim_cur);
	process_line(b, "process_virtual_memory_bytes", "gauge", "Virtual memory, in bytes.",
		     stat_field(stat, 23));
	process_line(b, "process_resident_memory_bytes", "gauge", "Resident memory, in bytes.",
		     stat_field(stat, 24) * (double)sysconf(_SC_PAGESIZE));
	process_line(b, "process_start_time_seconds", "gauge",
		     "When the process started, in seconds since 1970.", m->started);
}

void metrics_write(struct metrics *m, struct buf *b)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		/* What has no labels is there from the start: a rate needs the zero before. */
		if (!rows[i].labels.n)
			series_get(m, (enum metric)i, NULL);
		if (!m->families[i].n)
			continue;
		buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", rows[i].name, rows[i].help,
			   rows[i].name, kind_names[rows[i].kind]);
		for (size_t j = 0; j < m->families[i].n; j++) {
			const struct series *s = &m->families[i].p[j];

			if (rows[i].kind == HISTOGRAM)
				histogram(b, (enum metric)i, s);
			else
				sample(b, (enum metric)i, s, "", NULL, s->value);
		}
	}
	process_lines(m, b);
}
