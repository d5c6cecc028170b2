#include "dir_test.h"

#include <fcntl.h>

#define FILE_WEB "configmap.shop.web.yaml"
#define YAML(data)                                                                                 \
	"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  namespace: shop\ndata:\n" data

static const char *const web[] = {WEB};

static void place_watch(struct place *p)
{
	place_begin(p);
	check_ok(place_open(p));
	target_listen(p->t, on_event, p);
	own(p, "app", web, 1);
	apply_ok(p, WEB, config_map(p, "web", "{\"a\":\"1\"}"), TARGET_CREATED);
	check_ok(target_watch(p->t, STR(""), STR("v1"), STR("ConfigMap")));
}

/* Until this was told; what came before it is in `told` too. */
static void told(struct place *p, const char *end)
{
	alarm(20);
	while (!str_ends(p->told, str_from(end)))
		loop_turn(p->loop, true);
	alarm(0);
}

static void listed(struct place *p)
{
	told(p, "listed ConfigMap \n");
	p->told = STR("");
}

/* Answers when everything that the loop knew of before was dealt with. */
static void on_timer(void *arg)
{
	((struct place *)arg)->answered = true;
}

static void settle(struct place *p)
{
	place_ask(p);
	timer_start(p->loop, 2 * DIR_QUIET, on_timer, p);
	place_wait(p);
}

static void what_is_there_is_told_and_then_the_kind_as_listed(void **state)
{
	struct place p;

	(void)state;
	place_watch(&p);
	told(&p, "listed ConfigMap \n");
	check_text(p.told, "listing ConfigMap \nseen ConfigMap shop/web a=1\nlisted ConfigMap \n");
	check_ok(target_watch(p.t, STR(""), STR("v1"), STR("ConfigMap"))); /* again is nothing */
	check_ok(target_watch(p.t, STR(""), STR("v1"), STR("Secret")));
	told(&p, "listed Secret \n");
	check_text(p.told, "listing ConfigMap \nseen ConfigMap shop/web a=1\nlisted ConfigMap "
			   "\nlisting Secret \nlisted Secret \n");
	place_end(&p);
}

static void an_edit_is_told_once_within_a_second(void **state)
{
	struct place p;
	msec start;

	(void)state;
	place_watch(&p);
	listed(&p);
	start = time_mono();
	write_file(&p, FILE_WEB, YAML("  a: \"2\"\n"));
	told(&p, "\n");
	assert_true(time_mono() - start < SECOND);
	check_text(p.told, "seen ConfigMap shop/web a=2\n");

	/* As editors do: written beside, renamed over; then removed. */
	write_file(&p, "beside", YAML("  a: \"3\"\n"));
	assert_int_equal(rename(path_in(&p, "beside").p, path_in(&p, FILE_WEB).p), 0);
	told(&p, "a=3\n");
	assert_int_equal(unlink(path_in(&p, FILE_WEB).p), 0);
	told(&p, "gone ConfigMap shop/web\n");
	check_text(p.told, "seen ConfigMap shop/web a=2\nseen ConfigMap shop/web a=3\n"
			   "gone ConfigMap shop/web\n");
	place_end(&p);
}

static void a_broken_file_is_told_as_gone(void **state)
{
	struct place p;

	(void)state;
	place_watch(&p);
	listed(&p);
	write_file(&p, FILE_WEB, "a: [1\n");
	told(&p, "\n");
	check_text(p.told, "gone ConfigMap shop/web\n");
	place_end(&p);
}

static void our_own_writes_and_files_of_others_are_not_told(void **state)
{
	struct place p;

	(void)state;
	place_watch(&p);
	listed(&p);
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"5\"}"), TARGET_CHANGED);
	write_file(&p, "other.yaml", YAML("  a: \"9\"\n"));
	settle(&p);
	check_text(p.told, "");
	/* The same bytes again, by somebody else: nothing changed. */
	write_file(&p, FILE_WEB, YAML("  a: \"5\"\n"));
	settle(&p);
	check_text(p.told, "");
	/* And back to what it was before our last write: that is a change. */
	write_file(&p, FILE_WEB, YAML("  a: \"1\"\n"));
	told(&p, "a=1\n");
	delete_ok(&p, WEB);
	settle(&p);
	check_text(p.told, "seen ConfigMap shop/web a=1\n");
	place_end(&p);
}

static void a_folder_that_went_is_lost_and_found_when_it_is_there_again(void **state)
{
	struct place p;
	str aside;

	(void)state;
	place_watch(&p);
	listed(&p);
	aside = arena_printf(p.a, "%s/aside", p.root);
	assert_int_equal(rename(p.live, aside.p), 0);
	told(&p, "lost\n");
	get(&p, WEB);
	check_err(&p, ERR_TARGET_UNREACHABLE, arena_printf(p.a, "'%s' is gone", p.live).p);
	assert_int_equal(rename(aside.p, p.live), 0);
	told(&p, "listed ConfigMap \n");
	check_text(p.told, "lost\nfound\nlisting ConfigMap \nseen ConfigMap shop/web a=1\nlisted "
			   "ConfigMap \n");
	place_end(&p);
}

static void a_folder_that_was_removed_is_made_again_with_what_we_know(void **state)
{
	struct place p;
	str uid;

	(void)state;
	place_watch(&p);
	listed(&p);
	uid = arena_str(p.a, target_uid(p.t));
	assert_int_equal(nftw(p.live, place_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	alarm(20);
	while (!str_contains(p.told, STR("lost\n")))
		loop_turn(p.loop, true);
	alarm(0);
	told(&p, "listed ConfigMap \n"); /* by itself, and target_ready does it at once */
	assert_true(str_ends(p.told, STR("lost\nfound\nlisting ConfigMap \ngone ConfigMap "
					 "shop/web\nlisted ConfigMap \n")));
	assert_true(str_eq(uid, target_uid(p.t)));
	check_text(file(&p, ".leeboard/app/inventory.tsv"), "/ConfigMap/shop/web\tv1\t\tc\tl\n");
	p.told = STR("");
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"), TARGET_CREATED);
	write_file(&p, FILE_WEB, YAML("  a: \"2\"\n"));
	told(&p, "seen ConfigMap shop/web a=2\n");
	place_end(&p);
}

static void a_state_folder_that_was_removed_is_made_again_with_what_we_know(void **state)
{
	struct place p;
	str uid;

	(void)state;
	place_watch(&p);
	listed(&p);
	uid = arena_str(p.a, target_uid(p.t));
	assert_int_equal(nftw(path_in(&p, ".leeboard").p, place_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	apply(&p, WEB, config_map(&p, "web", "{\"a\":\"2\"}"));
	check_err(&p, ERR_TARGET_UNREACHABLE,
		  arena_printf(p.a, "'%s' has lost its state folder", p.live).p);
	check_ok(place_open(&p));
	told(&p, "listed ConfigMap \n");
	check_text(p.told, "lost\nfound\nlisting ConfigMap \nseen ConfigMap shop/web a=1\nlisted "
			   "ConfigMap \n");
	assert_true(str_eq(uid, target_uid(p.t)));
	check_text(file(&p, ".leeboard/app/inventory.tsv"), "/ConfigMap/shop/web\tv1\t\tc\tl\n");
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"2\"}"), TARGET_CHANGED);
	place_end(&p);
}

static void a_disk_that_is_not_mounted_is_no_empty_folder(void **state)
{
	struct place p;
	struct stat here, there;
	char other[] = "/dev/shm/leeboard-dir.XXXXXX";
	str real;

	(void)state;
	place_begin(&p);
	if (!mkdtemp(other) || stat(other, &there) < 0 || stat(p.root, &here) < 0 ||
	    here.st_dev == there.st_dev) {
		place_end(&p);
		skip();
	}
	/* What mounting changes, a link changes too: which file system the path leads to. */
	real = arena_printf(p.a, "%s/real", p.root);
	assert_int_equal(mkdir(real.p, 0755), 0);
	assert_int_equal(symlink(real.p, p.live), 0);
	check_ok(place_open(&p));
	own(&p, "app", web, 1);
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"), TARGET_CREATED);
	assert_int_equal(unlink(p.live), 0);
	assert_int_equal(symlink(other, p.live), 0);
	get(&p, WEB);
	assert_int_equal(err_code(p.err), ERR_TARGET_UNREACHABLE);

	CLEANUP(err) struct err *e = place_open(&p);
	CLEANUP(buf) struct buf b = BUF_INIT;

	err_line_to(e, &b);
	assert_string_equal(b.p,
			    arena_printf(p.a,
					 "'%s' is on another file system than before: is its disk "
					 "not mounted?",
					 p.live)
				    .p);
	assert_int_equal(rmdir(other), 0); /* nothing was written there */
	assert_int_equal(unlink(p.live), 0);
	assert_int_equal(symlink(real.p, p.live), 0);
	check_ok(place_open(&p));
	get(&p, WEB);
	check_text(p.text, YAML("  a: \"1\"\n"));
	place_end(&p);
}

static void an_overflow_lists_everything_again(void **state)
{
	struct place p;
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
	unsigned most = 0;

	(void)state;
	if (!f || fscanf(f, "%u", &most) != 1 || most > 200000) {
		if (f)
			fclose(f);
		skip();
	}
	fclose(f);
	place_watch(&p);
	listed(&p);

	CLEANUP(fd) int fd = open(path_in(&p, "noise").p, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CLEANUP(fd) int two = open(path_in(&p, "noise2").p, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	/* Alternating: the kernel merges equal events that follow one another. */
	for (unsigned i = 0; i <= most / 2 + 1; i++) {
		assert_int_equal(write(fd, "x", 1), 1);
		assert_int_equal(write(two, "x", 1), 1);
	}
	write_file(&p, FILE_WEB, YAML("  a: \"7\"\n")); /* this event is lost */
	told(&p, "listed ConfigMap \n");
	check_text(p.told, "listing ConfigMap \nseen ConfigMap shop/web a=7\nlisted ConfigMap \n");
	place_end(&p);
}

static void only_the_object_that_changed_matters_in_a_shared_file(void **state)
{
	static const char *const both[] = {"/ConfigMap/shop/api", WEB};
	struct place p;

	(void)state;
	place_begin(&p);
	p.where.layout = LAYOUT_APP;
	p.where.file_name = STR("{app}.yaml");
	check_ok(place_open(&p));
	target_listen(p.t, on_event, &p);
	own(&p, "app", both, 2);
	ask_apply(&p, "app", both[0], config_map(&p, "api", "{\"a\":\"1\"}"), true);
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"), TARGET_CREATED);
	check_ok(target_watch(p.t, STR(""), STR("v1"), STR("ConfigMap")));
	listed(&p);
	write_file(&p, "app.yaml", YAML("  a: \"4\"\n"));
	told(&p, "seen ConfigMap shop/web a=4\n");
	check_text(p.told, "gone ConfigMap shop/api\nseen ConfigMap shop/web a=4\n");
	place_end(&p);
}

static void close_at_once(void *arg, const struct target_event *e)
{
	struct place *p = arg;

	if (e->kind == TARGET_SEEN) {
		target_close(p->t);
		p->t = NULL;
		p->answered = true;
	}
}

static void a_listener_may_close_the_target(void **state)
{
	struct place p;

	(void)state;
	place_watch(&p);
	target_listen(p.t, close_at_once, &p);
	place_ask(&p);
	place_wait(&p);
	settle(&p);
	place_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_there_is_told_and_then_the_kind_as_listed),
		cmocka_unit_test(an_edit_is_told_once_within_a_second),
		cmocka_unit_test(a_broken_file_is_told_as_gone),
		cmocka_unit_test(our_own_writes_and_files_of_others_are_not_told),
		cmocka_unit_test(a_folder_that_went_is_lost_and_found_when_it_is_there_again),
		cmocka_unit_test(a_folder_that_was_removed_is_made_again_with_what_we_know),
		cmocka_unit_test(a_state_folder_that_was_removed_is_made_again_with_what_we_know),
		cmocka_unit_test(a_disk_that_is_not_mounted_is_no_empty_folder),
		cmocka_unit_test(an_overflow_lists_everything_again),
		cmocka_unit_test(only_the_object_that_changed_matters_in_a_shared_file),
		cmocka_unit_test(a_listener_may_close_the_target),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
