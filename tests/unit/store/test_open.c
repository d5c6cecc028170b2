#include "store/store_test.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>

static void warned(struct story *y, size_t n, const char *part)
{
	size_t got;
	const str *w = store_warnings(y->s, &got);

	assert_int_equal(got, n);
	if (part)
		assert_true(str_contains(w[0], str_from(part)));
}

static unsigned mode_of(struct story *y, const char *name)
{
	struct stat st;

	assert_int_equal(stat(in_dir(y, name), &st), 0);
	return st.st_mode & 0777;
}

/* ------------------------------------------------------------------ folder, lock, key */

static void test_everything_in_the_folder_is_private(void **state)
{
	struct story *y = *state;
	str path;

	chmod(y->dir, 0755);
	umask(0);
	no_err(store_open(y->dir, &y->s));
	no_err(store_repo_path(y->s, y->a, STR("fleet"), &path));
	is_str(path, in_dir(y, "repo/fleet/objects"));
	no_err(store_cache_path(y->s, y->a, &path));
	no_err(store_put(y->s, STR("a"), STR("b"), STR("c")));
	assert_int_equal(mode_of(y, "."), 0700);
	assert_int_equal(mode_of(y, "trust"), 0700);
	assert_int_equal(mode_of(y, "repo/fleet/objects"), 0700);
	assert_int_equal(mode_of(y, "cache"), 0700);
	assert_int_equal(mode_of(y, "key"), 0600);
	assert_int_equal(mode_of(y, "leeboard.db"), 0600);
	assert_int_equal(mode_of(y, "leeboard.db-wal"), 0600);
	assert_int_equal(mode_of(y, "lock"), 0600);
	warned(y, 0, NULL);
}

static void test_a_second_daemon_is_refused_and_named_the_first(void **state)
{
	struct story *y = *state;
	struct store *second;
	CLEANUP(buf) struct buf want = BUF_INIT;

	no_err(store_open(y->dir, &y->s));
	buf_printf(&want, "'PATH' is already used by process %ld", (long)getpid());
	is_err(y, store_open(y->dir, &second), ERR_STORAGE, want.p);
	store_close(STEAL(y->s));
	no_err(store_open(y->dir, &y->s));
}

static void test_the_lock_of_a_killed_daemon_does_not_stay(void **state)
{
	struct story *y = *state;
	int told[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(told), 0);
	pid = fork();
	if (!pid) {
		struct store *s;
		struct err *e = store_open(y->dir, &s);

		if (e || write(told[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(told[0], &c, 1), 1);
	close(told[0]);
	close(told[1]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	no_err(store_open(y->dir, &y->s));
}

/* As a child of a killed daemon has it between fork and exec. */
static void test_the_lock_of_a_dead_daemons_child_is_waited_for(void **state)
{
	struct story *y = *state;
	int told[2];
	pid_t daemon, child;

	assert_int_equal(pipe(told), 0);
	daemon = fork();
	if (!daemon) {
		struct store *s;

		if (store_open(y->dir, &s))
			_exit(1);
		child = fork();
		if (!child) {
			usleep(200000);
			_exit(0);
		}
		if (write(told[1], &child, sizeof(child)) != sizeof(child))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(read(told[0], &child, sizeof(child)), sizeof(child));
	close(told[0]);
	close(told[1]);
	waitpid(daemon, NULL, 0);
	assert_int_equal(kill(child, 0), 0);
	no_err(store_open(y->dir, &y->s));
}

static void test_the_key_stays_and_a_lost_one_voids_the_baselines(void **state)
{
	struct story *y = *state;
	struct store_baseline b = {.id = {STR(""), STR("ConfigMap"), STR("s"), STR("a")},
				   .json = STR("{}")},
			      got;
	uint8_t key[32];

	no_err(store_open(y->dir, &y->s));
	memcpy(key, store_key(y->s), 32);
	no_err(store_baseline_put(y->s, STR("web"), &b, 1));
	no_err(store_put(y->s, STR("a"), STR("b"), STR("c")));
	reopen(y);
	assert_memory_equal(store_key(y->s), key, 32);
	no_err(store_baseline_get(y->s, y->a, STR("web"), b.id, &got));
	assert_non_null(got.json.p);
	warned(y, 0, NULL);

	unlink(in_dir(y, "key"));
	reopen(y);
	assert_memory_not_equal(store_key(y->s), key, 32);
	warned(y, 1, "they are void and will be rebuilt");
	no_err(store_baseline_get(y->s, y->a, STR("web"), b.id, &got));
	assert_null(got.json.p);
	reopen(y);
	warned(y, 0, NULL);
}

static void test_half_a_key_is_made_anew(void **state)
{
	struct story *y = *state;

	no_err(store_open(y->dir, &y->s));
	assert_int_equal(truncate(in_dir(y, "key"), 31), 0);
	reopen(y);
	warned(y, 2, "does not hold 32 bytes: made anew");
}

static void test_leftovers_of_a_killed_write_are_swept(void **state)
{
	struct story *y = *state;

	no_err(store_open(y->dir, &y->s));
	no_err(file_write_atomic(in_dir(y, "trust/fleet.0.00ff.new"), STR("x"), 0600));
	reopen(y);
	assert_int_equal(access(in_dir(y, "trust/fleet.0.00ff.new"), F_OK), -1);
}

/* ------------------------------------------------------------------ versions and damage */

static void sql(struct story *y, const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(in_dir(y, "leeboard.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void test_a_database_of_a_newer_leeboard_is_refused_and_left_alone(void **state)
{
	struct story *y = *state;

	no_err(store_open(y->dir, &y->s));
	store_close(STEAL(y->s));
	sql(y, "PRAGMA user_version = 99");
	is_err(y, store_open(y->dir, &y->s), ERR_STORAGE,
	       "'PATH/leeboard.db' was written by a newer leeboard (version 99, this one knows 1)");
	assert_null(find_file(y, "leeboard.db.corrupt-").p);
	sql(y, "PRAGMA user_version = 1");
	no_err(store_open(y->dir, &y->s));
}

static void begun_anew(struct story *y)
{
	str v;

	no_err(store_open(y->dir, &y->s));
	warned(y, 1, "the database was damaged and is now '");
	assert_non_null(find_file(y, "leeboard.db.corrupt-").p);
	no_err(store_get(y->s, y->a, STR("a"), STR("b"), &v));
	assert_null(v.p);
	no_err(store_put(y->s, STR("a"), STR("b"), STR("new")));
	reopen(y);
	warned(y, 0, NULL);
	no_err(store_get(y->s, y->a, STR("a"), STR("b"), &v));
	is_str(v, "new");
}

static void filled(struct story *y)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	no_err(store_open(y->dir, &y->s));
	for (size_t i = 0; i < 100000; i++)
		buf_char(&b, 'v');
	no_err(store_put(y->s, STR("a"), STR("b"), buf_view(&b)));
	store_close(STEAL(y->s));
}

static void overwrite(struct story *y, off_t at, size_t n)
{
	int fd = open(in_dir(y, "leeboard.db"), O_WRONLY);
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		buf_char(&b, '\xa5');
	assert_int_equal(pwrite(fd, b.p, n, at), n);
	close(fd);
}

static void test_a_file_that_is_no_database_is_moved_aside(void **state)
{
	struct story *y = *state;

	filled(y);
	overwrite(y, 0, 100);
	begun_anew(y);
}

static void test_a_database_with_a_damaged_page_is_moved_aside(void **state)
{
	struct story *y = *state;

	filled(y);
	overwrite(y, 4096 * 2, 4096 * 6);
	begun_anew(y);
}

static void test_a_cut_database_is_moved_aside(void **state)
{
	struct story *y = *state;

	filled(y);
	assert_int_equal(truncate(in_dir(y, "leeboard.db"), 4096 * 5), 0);
	begun_anew(y);
}

static void test_a_database_that_is_replaced_under_us_is_noticed(void **state)
{
	struct story *y = *state;

	no_err(store_open(y->dir, &y->s));
	rename(in_dir(y, "leeboard.db"), in_dir(y, "elsewhere"));
	is_err(y, store_put(y->s, STR("a"), STR("b"), STR("c")), ERR_STORAGE,
	       "write 'PATH/leeboard.db': No such file or directory");
	rename(in_dir(y, "elsewhere"), in_dir(y, "leeboard.db"));
	no_err(store_put(y->s, STR("a"), STR("b"), STR("c")));
}

/* ------------------------------------------------------------------ disk full */

/* A file-size limit stops the process's writes as a full disk does, but for the code. */
static void limit(rlim_t n)
{
	struct rlimit l;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &l);
	l.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void test_a_full_disk_is_an_error_that_passes(void **state)
{
	struct story *y = *state;
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct store_trust t = {.source = STR("fleet"), .generation = 1}, got;
	enum store_trust_found found;
	struct err *e;
	str v;

	for (size_t i = 0; i < 300000; i++)
		buf_char(&b, 'v');
	no_err(store_open(y->dir, &y->s));
	no_err(store_put(y->s, STR("a"), STR("before"), STR("1")));
	no_err(store_trust_put(y->s, &t));
	limit(150000);
	e = store_put(y->s, STR("a"), STR("big"), buf_view(&b));
	assert_non_null(e);
	assert_int_equal(err_code(e), ERR_STORAGE);
	err_free(e);
	/* a whole transaction, of which the first part had room */
	no_err(store_begin(y->s));
	no_err(store_put(y->s, STR("a"), STR("small"), STR("1")));
	e = store_put(y->s, STR("a"), STR("big"), buf_view(&b));
	if (!e)
		e = store_end(y->s, NULL); /* it fails here when the cache held it all */
	else
		e = store_end(y->s, e);
	assert_non_null(e);
	assert_int_equal(err_code(e), ERR_STORAGE);
	err_free(e);
	limit(16);
	t.generation = 2;
	e = store_trust_put(y->s, &t);
	assert_non_null(e);
	assert_int_equal(err_code(e), ERR_STORAGE);
	err_free(e);
	limit(RLIM_INFINITY);
	no_err(store_trust_get(y->s, y->a, STR("fleet"), &got, &found));
	assert_int_equal(found, STORE_TRUST_OK);
	assert_int_equal(got.generation, 1);
	no_err(store_get(y->s, y->a, STR("a"), STR("small"), &v));
	assert_null(v.p);
	no_err(store_get(y->s, y->a, STR("a"), STR("before"), &v));
	is_str(v, "1");
	no_err(store_trust_put(y->s, &t));
	no_err(store_put(y->s, STR("a"), STR("big"), buf_view(&b)));
	no_err(store_get(y->s, y->a, STR("a"), STR("big"), &v));
	assert_int_equal(v.n, 300000);
}

/* The real thing: a file system of 512 KiB. Needs the right to mount. */
static void test_a_full_file_system_is_an_error_that_passes(void **state)
{
	struct story *y = *state;
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct err *e = NULL;
	str v, key;
	int n = 0;

	if (mount("none", y->dir, "tmpfs", 0, "size=512k") < 0)
		skip();
	for (size_t i = 0; i < 20000; i++)
		buf_char(&b, 'v');
	no_err(store_open(y->dir, &y->s));
	while (!e && n < 100) {
		key = arena_printf(y->a, "%d", n++);
		e = store_put(y->s, STR("a"), key, buf_view(&b));
	}
	assert_non_null(e);
	assert_int_equal(err_code(e), ERR_STORAGE);
	err_free(e);
	assert_true(n > 3);
	no_err(store_get(y->s, y->a, STR("a"), key, &v));
	assert_null(v.p);
	no_err(store_get(y->s, y->a, STR("a"), STR("0"), &v));
	assert_int_equal(v.n, 20000);
	assert_int_equal(mount("none", y->dir, "tmpfs", MS_REMOUNT, "size=4m"), 0);
	no_err(store_put(y->s, STR("a"), key, buf_view(&b)));
	no_err(store_get(y->s, y->a, STR("a"), key, &v));
	assert_int_equal(v.n, 20000);
	store_close(STEAL(y->s));
	assert_int_equal(umount(y->dir), 0);
}

/* ------------------------------------------------------------------ kill -9 */

/* A child writes pairs, one transaction each, and says so after each; it is killed in the middle.
 */
static _Noreturn void write_pairs(struct story *y, int tell)
{
	struct store *s;

	if (store_open(y->dir, &s))
		_exit(1);
	for (uint64_t i = 1;; i++) {
		str n = arena_printf(y->a, "%llu", (unsigned long long)i);
		struct store_trust t = {.source = STR("fleet"), .generation = i};
		struct store_wave w = {.app = STR("web"), .plan = n, .wave = (uint32_t)i};
		uint64_t id;
		struct err *e = store_begin(s);

		e = e ? e : store_put(s, STR("pair"), STR("left"), n);
		e = e ? e : store_journal_begin(s, &w, &id);
		e = e ? e : store_put(s, STR("pair"), STR("right"), n);
		e = store_end(s, e);
		e = e ? e : store_trust_put(s, &t);
		if (e || write(tell, &i, sizeof(i)) != sizeof(i))
			_exit(2);
	}
}

static void test_what_was_said_is_there_and_nothing_is_half_after_kills(void **state)
{
	struct story *y = *state;

	for (unsigned round = 0; round < 12; round++) {
		int told[2];
		uint64_t said = 0, left, right, at_least = 1 + random_below(15);
		struct store_trust t;
		struct store_waves waves;
		enum store_trust_found found;
		pid_t pid;
		str v;

		assert_int_equal(pipe(told), 0);
		pid = fork();
		if (!pid) {
			close(told[0]);
			write_pairs(y, told[1]);
		}
		close(told[1]);
		while (said < at_least)
			assert_int_equal(read(told[0], &said, sizeof(said)), sizeof(said));
		kill(pid, SIGKILL);
		while (read(told[0], &said, sizeof(said)) > 0)
			;
		close(told[0]);
		waitpid(pid, NULL, 0);

		no_err(store_open(y->dir, &y->s));
		warned(y, 0, NULL);
		no_err(store_get(y->s, y->a, STR("pair"), STR("left"), &v));
		assert_true(str_to_u64(v, &left));
		no_err(store_get(y->s, y->a, STR("pair"), STR("right"), &v));
		assert_true(str_to_u64(v, &right));
		assert_int_equal(left, right);
		assert_true(left == said || left == said + 1);
		no_err(store_journal_open(y->s, y->a, &waves));
		assert_int_equal(waves.n, left);
		assert_int_equal(waves.p[waves.n - 1].wave, left);
		no_err(store_trust_get(y->s, y->a, STR("fleet"), &t, &found));
		assert_int_equal(found, STORE_TRUST_OK);
		assert_true(t.generation == said || t.generation == said + 1);
		no_err(store_trust_del(y->s, STR("fleet")));
		for (size_t i = 0; i < waves.n; i++)
			no_err(store_journal_end(y->s, waves.p[i].id));
		store_close(STEAL(y->s));
	}
}

/* ------------------------------------------------------------------ memory */

static void test_ten_thousand_baselines_are_walked_in_little_memory(void **state)
{
	struct story *y = *state;
	sqlite3_int64 now, most;

	no_err(store_open(y->dir, &y->s));
	for (int k = 0; k < 10; k++) {
		no_err(store_begin(y->s));
		for (int i = 0; i < 1000; i++) {
			char name[32], json[1024];
			struct store_baseline b = {
				.id = {STR(""), STR("ConfigMap"), STR("s"), STR_NONE}};

			memset(json, 'j', sizeof(json));
			b.id.name =
				str_n(name, (size_t)snprintf(name, sizeof(name), "c%d-%d", k, i));
			b.json = str_n(json, sizeof(json));
			no_err(store_baseline_put(y->s, STR("web"), &b, 1));
		}
		no_err(store_end(y->s, NULL));
	}
	assert_int_equal(sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &now, &most, 0), SQLITE_OK);
	/* cache 512 KiB, look-aside 128 KiB, statements, and what one commit needs */
	assert_true(most < 3 << 20);
	assert_true(now < 1 << 20);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_everything_in_the_folder_is_private),
		T(test_a_second_daemon_is_refused_and_named_the_first),
		T(test_the_lock_of_a_killed_daemon_does_not_stay),
		T(test_the_lock_of_a_dead_daemons_child_is_waited_for),
		T(test_the_key_stays_and_a_lost_one_voids_the_baselines),
		T(test_half_a_key_is_made_anew),
		T(test_leftovers_of_a_killed_write_are_swept),
		T(test_a_database_of_a_newer_leeboard_is_refused_and_left_alone),
		T(test_a_file_that_is_no_database_is_moved_aside),
		T(test_a_database_with_a_damaged_page_is_moved_aside),
		T(test_a_cut_database_is_moved_aside),
		T(test_a_database_that_is_replaced_under_us_is_noticed),
		T(test_a_full_disk_is_an_error_that_passes),
		T(test_a_full_file_system_is_an_error_that_passes),
		T(test_what_was_said_is_there_and_nothing_is_half_after_kills),
		T(test_ten_thousand_baselines_are_walked_in_little_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
