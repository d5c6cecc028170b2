/* What reaches the disk when: this program's fdatasync stands in for the C library's. */
#include "store/store_test.h"

#include <errno.h>
#include <sys/syscall.h>

static int syncs, fail_next;

int fdatasync(int fd)
{
	syncs++;
	if (fail_next) {
		fail_next--;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static struct event_kept event(uint64_t n)
{
	return (struct event_kept){
		.number = n, .sequence = n, .id = STR("id"), .name = STR("drift.found")};
}

static void test_the_journal_waits_for_the_disk_and_events_when_asked_once(void **state)
{
	struct story *y = *state;
	const struct event_outbox *o = store_outbox(y->s);
	struct event_kept e = event(1);
	struct store_wave w = {.app = STR("web")};
	uint64_t id;

	syncs = 0;
	no_err(store_put(y->s, STR("a"), STR("b"), STR("c")));
	assert_int_equal(syncs, 0);
	no_err(store_journal_begin(y->s, &w, &id));
	assert_int_equal(syncs, 1);
	no_err(store_journal_end(y->s, id));
	assert_int_equal(syncs, 2);
	no_err(o->add(o->self, &e, NULL, 0));
	assert_int_equal(syncs, 2);
	no_err(o->sync(o->self));
	assert_int_equal(syncs, 3);
	no_err(o->sync(o->self));
	assert_int_equal(syncs, 3);
}

static void test_a_transaction_waits_once_for_all_that_asked(void **state)
{
	struct story *y = *state;
	const struct event_outbox *o = store_outbox(y->s);
	struct event_kept e = event(1);
	struct store_wave w = {.app = STR("web")};
	uint64_t id;

	syncs = 0;
	no_err(store_begin(y->s));
	no_err(store_journal_begin(y->s, &w, &id));
	no_err(o->add(o->self, &e, NULL, 0));
	no_err(store_put(y->s, STR("a"), STR("b"), STR("c")));
	assert_int_equal(syncs, 0);
	no_err(store_end(y->s, NULL));
	assert_int_equal(syncs, 1);
	no_err(store_put(y->s, STR("a"), STR("b"), STR("d")));
	assert_int_equal(syncs, 1);
}

static void test_a_failed_sync_is_made_good_through_the_database(void **state)
{
	struct story *y = *state;
	struct store_wave w = {.app = STR("web")};
	struct store_waves open;
	struct stat st;
	uint64_t id;

	fail_next = 1;
	no_err(store_journal_begin(y->s, &w, &id));
	assert_int_equal(stat(in_dir(y, "leeboard.db-wal"), &st), 0);
	assert_int_equal(st.st_size, 0);
	no_err(store_journal_open(y->s, y->a, &open));
	assert_int_equal(open.n, 1);
}

static void test_syncs_that_fail_again_are_an_error_and_the_next_one_is_whole(void **state)
{
	struct story *y = *state;
	struct store_wave w = {.app = STR("web")};
	uint64_t id = 0;

	fail_next = 2;
	is_err(y, store_journal_begin(y->s, &w, &id), ERR_STORAGE,
	       "sync 'PATH/leeboard.db': disk I/O error");
	assert_int_equal(id, 0);
	fail_next = 0;
	no_err(store_journal_begin(y->s, &w, &id));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_open, teardown)
	const struct CMUnitTest tests[] = {
		T(test_the_journal_waits_for_the_disk_and_events_when_asked_once),
		T(test_a_transaction_waits_once_for_all_that_asked),
		T(test_a_failed_sync_is_made_good_through_the_database),
		T(test_syncs_that_fail_again_are_an_error_and_the_next_one_is_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
