/* The state directory: its lock, its key, its database. */
#include "schema.h"
#include "store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A database up to this size is looked at whole at each start (some 100 ms at most). */
#define CHECK_UP_TO ((off_t)64 << 20)
#define LOCK_TRIES 200 /* of 10 ms */
#define BUSY_WAIT 2000 /* ms, for a person with sqlite3 at hand */

static void PRINTF_LIKE(2, 3) warn(struct store *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*ARENA_PUSH(s->arena, &s->warnings) = arena_vprintf(s->arena, fmt, ap);
	va_end(ap);
}

static str in_dir(struct store *s, struct arena *a, const char *name)
{
	return arena_printf(a, "%s/%s", s->dir, name);
}

/* ------------------------------------------------------------------ folder and lock */

struct err *store_err(struct err *e)
{
	struct err *as;
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!e || err_code(e) == ERR_STORAGE)
		return e;
	err_line_to(e, &b);
	as = err_new(ERR_STORAGE, STR_FMT, STR_ARG(buf_view(&b)));
	err_free(e);
	return as;
}

static struct err *private_dir(const char *path)
{
	struct stat st;

	TRY(store_err(dir_make(path, 0700)));
	if (stat(path, &st) < 0)
		return err_sys(ERR_STORAGE, errno, "open '%s'", path);
	if ((st.st_mode & 0077) && chmod(path, 0700) < 0)
		return err_hint(err_new(ERR_STORAGE, "'%s' is open to other users", path),
				"chmod 700 %s", path);
	return NULL;
}

/* Who has the lock: what stands in it; 0: nothing that can be read. */
static uint64_t holder(int fd)
{
	char text[32];
	ssize_t got = pread(fd, text, sizeof(text), 0);
	uint64_t pid;

	return str_to_u64(str_trim(str_n(text, got > 0 ? (size_t)got : 0)), &pid) ? pid : 0;
}

/* A daemon that was killed while it started a worker leaves the lock to that child for the moment
 * until it executes its program: its descriptors are copies. Nothing tells when; it is some ms. */
static int lock_file(int fd)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const struct timespec pause = {.tv_nsec = 10000000L};

	for (int i = 0; i < LOCK_TRIES; i++) {
		uint64_t pid;

		if (fcntl(fd, F_OFD_SETLK, &l) == 0)
			return 0;
		if (errno != EAGAIN && errno != EACCES)
			return errno;
		pid = holder(fd);
		if (!pid || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
			return EAGAIN;
		nanosleep(&pause, NULL);
	}
	return EAGAIN;
}

static struct err *take_lock(struct store *s, struct arena *a)
{
	str path = in_dir(s, a, "lock");
	char pid[32];
	int n, rc;

	s->lock = open(path.p, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0)
		return err_sys(ERR_STORAGE, errno, "open '%s'", path.p);
	rc = lock_file(s->lock);
	if (rc && rc != EAGAIN)
		return err_sys(ERR_STORAGE, rc, "lock '%s'", path.p);
	if (rc && !holder(s->lock))
		return err_new(ERR_STORAGE, "'%s' is already used by another process", s->dir);
	if (rc)
		return err_new(ERR_STORAGE, "'%s' is already used by process %llu", s->dir,
			       (unsigned long long)holder(s->lock));
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	/* Who it is helps people only: a full disk must not keep the daemon from starting. */
	if (ftruncate(s->lock, 0) < 0 || pwrite(s->lock, pid, (size_t)n, 0) != n)
		warn(s, "'%s' does not name this process: no space", path.p);
	return NULL;
}

/* What a write that was killed left beside its file. */
static void sweep(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (str_ends(str_from(e->d_name), STR(".new")))
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

/* ------------------------------------------------------------------ key */

static struct err *get_key(struct store *s, struct arena *a)
{
	str path = in_dir(s, a, "key");
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct err *e = file_read(path.p, 4096, &b);

	if (e && err_code(e) != ERR_NOT_FOUND && err_code(e) != ERR_LIMIT)
		return store_err(e);
	err_free(e);
	if (b.n == sizeof(s->key)) {
		struct stat st;

		memcpy(s->key, b.p, sizeof(s->key));
		mem_wipe(b.p, b.n);
		if (stat(path.p, &st) == 0 && (st.st_mode & 0077)) {
			warn(s, "'%s' was open to other users; its mode is 600 now", path.p);
			if (chmod(path.p, 0600) < 0)
				return err_sys(ERR_STORAGE, errno, "chmod '%s'", path.p);
		}
		return NULL;
	}
	if (b.n)
		warn(s, "'%s' does not hold 32 bytes: made anew", path.p);
	random_bytes(s->key, sizeof(s->key));
	return store_err(
		file_write_atomic(path.p, str_n((const char *)s->key, sizeof(s->key)), 0600));
}

/* A mark of the key in the database tells another one, however it came there. */
static struct err *match_key(struct store *s, struct arena *a)
{
	struct hash h = hash_blake2b(s->key, STR("leeboard/store/1"), STR("key"));
	str want = str_n((const char *)h.b, sizeof(h.b)), got;

	TRY(store_get(s, a, STR("store"), STR("key"), &got));
	if (got.p && str_eq(got, want))
		return NULL;
	TRY(store_begin(s));
	if (got.p) {
		struct err *e = db_exec(s, "DELETE FROM baseline");

		if (e)
			return store_end(s, e);
		warn(s,
		     "the storage key of '%s' is not the one that its baselines were made with: "
		     "they are void and will be rebuilt",
		     s->dir);
	}
	return store_end(s, store_put(s, STR("store"), STR("key"), want));
}

/* ------------------------------------------------------------------ database */

static void close_db(struct store *s)
{
	for (size_t i = 0; i < s->cache_n; i++)
		sqlite3_finalize(s->cache[i].st);
	s->cache_n = 0;
	sqlite3_close(s->db);
	s->db = NULL;
}

static bool damaged(struct store *s)
{
	int rc = sqlite3_errcode(s->db);

	return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
}

static struct err *read_version(struct store *s, int64_t *ret)
{
	CLEANUP(query) struct query q = {0};
	bool row = false;

	TRY(query_open(s, "PRAGMA user_version", &q));
	TRY(query_step(&q, &row));
	*ret = row ? column_int(&q, 0) : 0;
	return NULL;
}

static struct err *migrate(struct store *s)
{
	CLEANUP(buf) struct buf set = BUF_INIT;
	int64_t version = 0;

	TRY(read_version(s, &version));
	if (version > (int64_t)ARRAY_LEN(migrations))
		return err_new(ERR_STORAGE,
			       "'%s' was written by a newer leeboard (version %lld, this one knows "
			       "%zu)",
			       s->db_path, (long long)version, ARRAY_LEN(migrations));
	if (version == (int64_t)ARRAY_LEN(migrations))
		return NULL;
	if (!version)
		TRY(db_exec(s, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = "
			       "1281714277;"));
	TRY(db_exec(s, "PRAGMA journal_mode = WAL"));
	TRY(store_begin(s));
	for (size_t i = (size_t)version; i < ARRAY_LEN(migrations); i++) {
		struct err *e = db_exec(s, migrations[i]);

		if (e)
			return store_end(s, e);
	}
	buf_printf(&set, "PRAGMA user_version = %zu", ARRAY_LEN(migrations));
	return store_end(s, db_exec(s, set.p));
}

/* *sound false: it must be replaced. */
static struct err *check_db(struct store *s, bool suspect, bool *sound)
{
	CLEANUP(query) struct query q = {0};
	struct stat st;
	bool row = false;
	struct err *e;

	*sound = true;
	if (!suspect && stat(s->db_path, &st) == 0 && st.st_size > CHECK_UP_TO)
		return NULL;
	e = query_open(s, "PRAGMA quick_check(1)", &q);
	if (!e)
		e = query_step(&q, &row);
	if (!e)
		*sound = row && str_eq(column_text(&q, 0), STR("ok"));
	else
		*sound = !damaged(s);
	if (!e || !*sound) {
		err_free(e);
		return NULL;
	}
	return e;
}

static struct err *open_db(struct store *s)
{
	/* Made here, since SQLite would let others read it; the log gets the same mode. */
	CLEANUP(fd) int fd = open(s->db_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(ERR_STORAGE, errno, "open '%s'", s->db_path);
	s->db_dev = (uint64_t)st.st_dev;
	s->db_ino = (uint64_t)st.st_ino;
	if (sqlite3_open_v2(s->db_path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return db_err(s, "open");
	sqlite3_busy_timeout(s->db, BUSY_WAIT);
	sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
	return db_exec(s, "PRAGMA cache_size = -512; PRAGMA mmap_size = 0;"
			  "PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 4194304;"
			  "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;");
}

static struct err *move_aside(struct store *s, struct arena *a)
{
	str when = time_rfc3339(a, time_wall(), false);
	str to = arena_printf(a, "%s.corrupt-" STR_FMT, s->db_path, STR_ARG(when));

	if (rename(s->db_path, to.p) < 0)
		return err_sys(ERR_STORAGE, errno, "move '%s' aside", s->db_path);
	rename(arena_printf(a, "%s-wal", s->db_path).p,
	       arena_printf(a, STR_FMT "-wal", STR_ARG(to)).p);
	unlink(arena_printf(a, "%s-shm", s->db_path).p);
	unlink(arena_printf(a, "%s.suspect", s->db_path).p);
	warn(s, "the database was damaged and is now '%s'; history and baselines begin anew", to.p);
	return NULL;
}

/* Opens and checks; *again: it was damaged, and is aside now. */
static struct err *try_db(struct store *s, struct arena *a, bool *again)
{
	str suspect = arena_printf(a, "%s.suspect", s->db_path);
	bool sound = true;
	struct err *e = open_db(s);

	*again = false;
	if (!e)
		e = check_db(s, access(suspect.p, F_OK) == 0, &sound);
	if (!e && sound)
		e = migrate(s);
	if (e && damaged(s))
		sound = false;
	if (sound) {
		if (!e)
			unlink(suspect.p);
		return e;
	}
	err_free(e);
	close_db(s);
	TRY(move_aside(s, a));
	*again = true;
	return NULL;
}

static struct err *open_all(struct store *s, struct arena *a)
{
	bool again = false;

	TRY(private_dir(s->dir));
	TRY(take_lock(s, a));
	TRY(private_dir(in_dir(s, a, "trust").p));
	sweep(s->dir);
	sweep(in_dir(s, a, "trust").p);
	TRY(get_key(s, a));
	TRY(try_db(s, a, &again));
	if (again) {
		TRY(try_db(s, a, &again));
		if (again)
			return err_new(ERR_STORAGE, "'%s' is damaged as soon as it is made",
				       s->db_path);
	}
	return match_key(s, a);
}

struct err *store_open(const char *dir, struct store **ret)
{
	CLEANUP(store) struct store *s = xcalloc(1, sizeof(*s));
	CLEANUP(arena) struct arena *a = arena_new();

	s->lock = -1;
	s->arena = arena_new();
	s->dir = xstrndup(dir, strlen(dir));
	str path = in_dir(s, a, "leeboard.db");
	s->db_path = xstrndup(path.p, path.n);
	store_outbox_init(s);
	TRY(open_all(s, a));
	*ret = STEAL(s);
	return NULL;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	close_db(s);
	if (s->lock >= 0)
		close(s->lock);
	mem_wipe(s->key, sizeof(s->key));
	arena_free(s->arena);
	free(s->dir);
	free(s->db_path);
	free(s);
}

const str *store_warnings(const struct store *s, size_t *n)
{
	*n = s->warnings.n;
	return s->warnings.p;
}

const char *store_dir(const struct store *s)
{
	return s->dir;
}

const uint8_t *store_key(const struct store *s)
{
	return s->key;
}

/* ------------------------------------------------------------------ names and folders */

#define NAME_MOST 200u

str store_file_name(struct arena *a, str name)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
			     (c == '.' && i);

		if (plain)
			buf_char(&b, c);
		else
			buf_printf(&b, "-x%02x", (unsigned char)c);
	}
	if (b.n > NAME_MOST) {
		str hex = hash_hex(a, hash_blake2b(NULL, STR("leeboard/file/1"), name));

		return arena_printf(a, STR_FMT "-" STR_FMT,
				    STR_ARG(str_sub(buf_view(&b), 0, NAME_MOST - 17)),
				    STR_ARG(str_sub(hex, 0, 16)));
	}
	return arena_str(a, buf_view(&b));
}

struct err *store_repo_path(struct store *s, struct arena *a, str source, str *ret)
{
	str name = store_file_name(a, source);
	str path = arena_printf(a, "%s/repo/" STR_FMT "/objects", s->dir, STR_ARG(name));

	TRY(store_err(dir_make(path.p, 0700)));
	*ret = path;
	return NULL;
}

struct err *store_cache_path(struct store *s, struct arena *a, str *ret)
{
	str path = in_dir(s, a, "cache");

	TRY(store_err(dir_make(path.p, 0700)));
	*ret = path;
	return NULL;
}
