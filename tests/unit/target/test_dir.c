#include "dir_test.h"

#include <fcntl.h>

#define FILE_WEB "configmap.shop.web.yaml"
#define YAML(data)                                                                                 \
	"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  namespace: shop\ndata:\n" data

static void an_object_is_created_changed_and_left_alone(void **state)
{
	struct place p;
	struct stat before, after;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"), TARGET_CREATED);
	check_text(p.text, YAML("  a: \"1\"\n"));
	check_text(file(&p, FILE_WEB), YAML("  a: \"1\"\n"));
	assert_int_equal(stat(path_in(&p, FILE_WEB).p, &before), 0);
	assert_int_equal(before.st_mode & 07777, 0644);
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"), TARGET_UNCHANGED);
	assert_int_equal(stat(path_in(&p, FILE_WEB).p, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_int_equal(chmod(path_in(&p, FILE_WEB).p, 0664), 0);
	apply_ok(&p, WEB, config_map(&p, "web", "{\"b\":\"2\"}"), TARGET_CHANGED);
	check_text(file(&p, FILE_WEB), YAML("  b: \"2\"\n"));
	assert_int_equal(stat(path_in(&p, FILE_WEB).p, &after), 0);
	assert_int_equal(after.st_mode & 07777, 0664);
	assert_int_equal(target_writes(p.t), 2);
	get(&p, WEB);
	check_text(p.text, YAML("  b: \"2\"\n"));
	check_text(p.applied, YAML("  b: \"2\"\n"));
	delete_ok(&p, WEB);
	check_text(file(&p, FILE_WEB), "-");
	get(&p, WEB);
	check_text(p.text, "-");
	check_text(p.applied, "-");
	delete_ok(&p, WEB); /* it may be asked for again */
	place_end(&p);
}

static void what_a_hand_added_survives_and_what_left_git_goes(void **state)
{
	struct place p;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\",\"b\":\"2\"}"), TARGET_CREATED);
	write_file(&p, FILE_WEB, YAML("  mine: x # a note\n  a: \"9\"\n  b: \"2\"\n"));
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"), TARGET_CHANGED);
	check_text(file(&p, FILE_WEB), YAML("  mine: x\n  a: \"1\"\n"));
	place_end(&p);
}

static void a_file_that_is_no_yaml_any_more_is_restored(void **state)
{
	struct place p;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"), TARGET_CREATED);
	write_file(&p, FILE_WEB, "data: [1\n");
	get(&p, WEB);
	check_ok(p.err);
	check_text(p.text, "-");
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"), TARGET_CREATED);
	check_text(file(&p, FILE_WEB), YAML("  a: \"1\"\n"));
	/* Valid YAML of the wrong shape too. */
	write_file(&p, FILE_WEB,
		   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\n"
		   "data: text\n");
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"), TARGET_CHANGED);
	get(&p, WEB);
	check_text(p.text, YAML("  a: \"1\"\n"));
	place_end(&p);
}

static void a_link_is_neither_followed_nor_kept(void **state)
{
	struct place p;
	struct stat st;
	str outside;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"), TARGET_CREATED);
	outside = arena_printf(p.a, "%s/outside", p.root);
	assert_int_equal(rename(path_in(&p, FILE_WEB).p, outside.p), 0);
	assert_int_equal(symlink(outside.p, path_in(&p, FILE_WEB).p), 0);
	get(&p, WEB);
	check_text(p.text, "-");
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"2\"}"), TARGET_CREATED);
	assert_int_equal(lstat(path_in(&p, FILE_WEB).p, &st), 0);
	assert_true(S_ISREG(st.st_mode));

	CLEANUP(buf) struct buf b = BUF_INIT;

	check_ok(file_read(outside.p, 4096, &b));
	check_text(buf_view(&b), YAML("  a: \"1\"\n"));
	place_end(&p);
}

static void what_is_not_ours_is_not_written_over(void **state)
{
	struct place p;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	write_file(&p, FILE_WEB, YAML("  a: \"9\"\n"));
	ask_apply(&p, "app", WEB, config_map(&p, "web", "{\"a\":\"1\"}"), true);
	place_wait(&p);
	check_err(
		&p, ERR_CONFLICT,
		arena_printf(p.a, "'%s/" FILE_WEB "' is there already and is not ours", p.live).p);
	apply(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"));
	assert_non_null(p.err);
	assert_int_equal(err_code(p.err), ERR_CONFLICT);
	check_text(file(&p, FILE_WEB), YAML("  a: \"9\"\n"));

	/* Adopted: force. */
	struct target_apply x = {.id = id_of_text(WEB),
				 .version = STR("v1"),
				 .app = STR("app"),
				 .json = config_map(&p, "web", "{\"a\":\"1\"}"),
				 .force = true};

	place_ask(&p);
	target_preview(p.t, &x, on_apply, &p, NULL);
	place_wait(&p);
	check_ok(p.err);
	assert_int_equal(p.outcome, TARGET_CHANGED);
	check_text(p.text, YAML("  a: \"1\"\n"));
	check_text(file(&p, FILE_WEB), YAML("  a: \"9\"\n")); /* unwritten */
	place_ask(&p);
	target_apply(p.t, &x, on_apply, &p, NULL);
	place_wait(&p);
	check_ok(p.err);
	check_text(file(&p, FILE_WEB), YAML("  a: \"1\"\n"));
	place_end(&p);
}

static void a_secrets_values_are_hashes_in_last_applied(void **state)
{
	static const char id[] = "/Secret/shop/key";
	struct place p;
	struct stat st;
	str last;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	apply_ok(&p, id,
		 STR("{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"key\","
		     "\"namespace\":"
		     "\"shop\"},\"data\":{\"a\":\"aHVzaA==\",\"b\":\"eA==\"}}"),
		 TARGET_CREATED);
	assert_int_equal(stat(path_in(&p, "secret.shop.key.yaml").p, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	last = file(&p, ".leeboard/app/last/secret.shop.key.yaml.last");
	assert_true(str_contains(last, STR("\"a\":{\"$hash\":\"")));
	assert_false(str_contains(last, STR("aHVzaA")));
	get(&p, id);
	assert_true(str_eq(p.text, p.applied)); /* what is untouched is told in clear */

	/* One value changed by hand, one key added: the change goes, the addition stays. */
	write_file(&p, "secret.shop.key.yaml",
		   "apiVersion: v1\nkind: Secret\nmetadata: {name: key, namespace: shop}\n"
		   "data: {a: eHh4, b: eA==, mine: eQ==}\n");
	get(&p, id);
	assert_true(str_contains(p.applied, STR("a:\n    $hash: ")));
	assert_true(str_contains(p.applied, STR("b: eA==")));
	apply_ok(&p, id,
		 STR("{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"key\","
		     "\"namespace\":"
		     "\"shop\"},\"data\":{\"a\":\"aHVzaA==\"}}"),
		 TARGET_CHANGED);
	get(&p, id);
	assert_true(str_contains(p.text, STR("data:\n  a: aHVzaA==\n  mine: eQ==\n")));
	place_end(&p);
}

static void objects_of_an_app_share_a_file_in_layout_app(void **state)
{
	static const char *const both[] = {WEB, "/ConfigMap/shop/api"};
	struct place p;
	str web, api;

	(void)state;
	place_begin(&p);
	p.where.layout = LAYOUT_APP;
	p.where.file_name = STR("{app}.yaml");
	check_ok(place_open(&p));
	web = config_map(&p, "web", "{\"a\":\"1\"}");
	api = config_map(&p, "api", "{\"a\":\"2\"}");
	own(&p, "app", both, 2);
	ask_apply(&p, "app", both[1], api, true);
	apply_ok(&p, WEB, web, TARGET_CREATED);
	check_text(file(&p, "app.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: "
					 "api\n  namespace: shop\ndata:\n"
					 "  a: \"2\"\n---\n" YAML("  a: \"1\"\n"));
	assert_int_equal(target_writes(p.t), 1);
	apply_ok(&p, both[1], api, TARGET_UNCHANGED);
	delete_ok(&p, both[1]);
	check_text(file(&p, "app.yaml"), YAML("  a: \"1\"\n"));

	/* To another App, and its file. */
	own(&p, "other", both, 1);
	ask_apply(&p, "other", WEB, config_map(&p, "web", "{\"b\":\"1\"}"), false);
	place_wait(&p);
	check_ok(p.err);
	own(&p, "app", NULL, 0);
	check_text(file(&p, "app.yaml"), "-");
	check_text(file(&p, "other.yaml"), YAML("  b: \"1\"\n"));
	place_end(&p);
}

/* Whichever of the two comes first: the old App's letting go, or the new one's taking. */
static void an_object_handed_over_keeps_what_was_applied(void **state)
{
	static const char *const web[] = {WEB};

	(void)state;
	for (int first = 0; first < 2; first++)
		for (int layout = LAYOUT_OBJECT; layout <= LAYOUT_APP; layout++) {
			const char *name = layout == LAYOUT_APP ? "other.yaml" : FILE_WEB;
			struct place p;

			place_begin(&p);
			if (layout == LAYOUT_APP)
				p.where.file_name = STR("{app}.yaml");
			p.where.layout = layout;
			check_ok(place_open(&p));
			own(&p, "app", web, 1);
			apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\",\"b\":\"1\"}"),
				 TARGET_CREATED);
			write_file(&p, layout == LAYOUT_APP ? "app.yaml" : FILE_WEB,
				   YAML("  a: \"1\"\n  b: \"1\"\n  mine: x\n"));
			if (first == 0)
				own(&p, "app", NULL, 0);
			own(&p, "other", web, 1);
			ask_apply(&p, "other", WEB, config_map(&p, "web", "{\"a\":\"1\"}"), false);
			place_wait(&p);
			check_ok(p.err);
			assert_int_equal(p.outcome, TARGET_CHANGED);
			if (first == 1)
				own(&p, "app", NULL, 0);
			/* b was ours to take away, what the hand added is not. */
			check_text(file(&p, name), YAML("  a: \"1\"\n  mine: x\n"));
			check_text(file(&p, "app.yaml"), "-");
			check_text(file(&p, ".leeboard/app/last/" FILE_WEB ".last"), "-");
			place_end(&p);
		}
}

static void two_objects_of_one_name_are_an_error(void **state)
{
	struct place p;

	(void)state;
	place_begin(&p);
	p.where.file_name = STR("{name}.yaml");
	check_ok(place_open(&p));
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"), TARGET_CREATED);
	apply(&p, "/ServiceAccount/shop/web",
	      STR("{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":"
		  "\"web\",\"namespace\":"
		  "\"shop\"}}"));
	check_err(&p, ERR_CONFLICT,
		  "two objects would be 'web.yaml': ConfigMap shop/web is there, and it would be "
		  "ServiceAccount shop/web too");
	place_end(&p);
}

/* ------------------------------------------------------------------ records and locks */

static void on_records(void *arg, const struct target_record *r, size_t n, struct err *e)
{
	struct place *p = arg;
	CLEANUP(buf) struct buf b = BUF_INIT;

	p->err = e;
	for (size_t i = 0; i < n; i++) {
		buf_printf(&b, STR_FMT " " STR_FMT " " STR_FMT " %llu " STR_FMT " %lld\n",
			   STR_ARG(r[i].app), STR_ARG(r[i].source), STR_ARG(r[i].accepted),
			   (unsigned long long)r[i].generation, STR_ARG(r[i].applied),
			   (long long)r[i].applied_at);
		inventory_print(r[i].inventory, &b);
	}
	p->text = arena_str(p->a, buf_view(&b));
	p->answered = true;
}

static void records(struct place *p, const char *app)
{
	place_ask(p);
	target_records(p->t, str_from(app), on_records, p, NULL);
	place_wait(p);
}

static struct target_record a_record(void)
{
	return (struct target_record){.app = STR("team/app"),
				      .source = STR("shop"),
				      .ref = STR("refs/heads/main"),
				      .accepted = STR("3f2a"),
				      .generation = 7,
				      .applied = STR("77be"),
				      .applied_at = 1234,
				      .holder = STR("h1")};
}

static void put_record(struct place *p, const struct target_record *r)
{
	place_ask(p);
	target_record_put(p->t, r, on_done, p, NULL);
	place_wait(p);
}

static void records_and_inventories_outlive_the_process(void **state)
{
	static const char *const web[] = {WEB};
	static const char want[] =
		"team/app shop 3f2a 7 77be 1234\n/ConfigMap/shop/web\tv1\t\tc\tl\n";
	struct target_record r = a_record();
	struct place p;
	str uid;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	records(&p, "");
	check_text(p.text, "");
	own(&p, "team/app", web, 1);
	put_record(&p, &r);
	check_ok(p.err);
	records(&p, "team/app");
	check_text(p.text, want);
	uid = arena_str(p.a, target_uid(p.t));
	assert_int_equal(uid.n, 32);
	target_close(p.t);
	p.t = NULL;
	check_ok(place_open(&p));
	records(&p, "");
	check_text(p.text, want);
	assert_true(str_eq(uid, target_uid(p.t)));
	records(&p, "other");
	check_text(p.text, "");

	place_ask(&p);
	target_record_drop(p.t, STR("team/app"), on_done, &p, NULL);
	place_wait(&p);
	check_ok(p.err);
	records(&p, "");
	check_text(p.text, "");
	assert_int_equal(access(path_in(&p, ".leeboard/team.app").p, F_OK), -1);
	place_end(&p);
}

static void a_record_that_another_installation_wrote_since_is_a_conflict(void **state)
{
	struct target_record r = a_record(), theirs = a_record();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct place p;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	put_record(&p, &r);
	check_ok(p.err);
	theirs.holder = STR("h2");
	dir_record_print(&theirs, &b);
	write_file(&p, ".leeboard/team.app/record", b.p);
	r.applied = STR("new");
	put_record(&p, &r);
	check_err(&p, ERR_CONFLICT,
		  arena_printf(p.a,
			       "the record of 'team/app' in '%s/.leeboard' was written by another "
			       "installation, 'h2', since",
			       p.live)
			  .p);
	/* One that was read since the start is taken over. */
	target_close(p.t);
	p.t = NULL;
	check_ok(place_open(&p));
	put_record(&p, &r);
	check_ok(p.err);
	place_end(&p);
}

static void a_damaged_inventory_is_an_error_and_is_not_overwritten(void **state)
{
	static const char *const web[] = {WEB};
	struct inventory none = {NULL, 0, 0};
	struct place p;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	own(&p, "app", web, 1);
	own(&p, "good", NULL, 0);
	target_close(p.t);
	p.t = NULL;
	write_file(&p, ".leeboard/app/inventory.tsv", "/ConfigMap/shop/web\tv1\n");
	check_ok(place_open(&p));
	records(&p, "app");
	check_err(&p, ERR_INVALID,
		  arena_printf(
			  p.a,
			  "%s/.leeboard/app/inventory.tsv:1:1: not a line of an inventory: it has "
			  "fewer than 5 parts",
			  p.live)
			  .p);
	records(&p, "good");
	check_ok(p.err);
	place_ask(&p);
	target_inventory_put(p.t, STR("app"), &none, on_done, &p, NULL);
	place_wait(&p);
	check_err(&p, ERR_INVALID,
		  arena_printf(p.a,
			       "the inventory of 'app' in '%s/.leeboard' is damaged, so it is not "
			       "overwritten",
			       p.live)
			  .p);
	place_end(&p);
}

static void a_folder_has_one_daemon_and_one_instance(void **state)
{
	struct place p, q;
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	q = p;
	q.t = NULL;
	q.where.layout = LAYOUT_APP;
	q.where.file_name = STR("{app}.yaml");

	CLEANUP(err) struct err *e = place_open(&q);

	assert_non_null(e);
	err_line_to(e, &b);
	assert_string_equal(b.p,
			    arena_printf(p.a,
					 "two Apps use '%s' with another 'layout', 'fileName' or "
					 "'state': give them the same, or folders of their own",
					 p.live)
				    .p);
	target_close(q.t);
	target_close(p.t);
	p.t = NULL;
	p.env.instance = STR("other");
	err_free(e);
	e = place_open(&p);
	assert_non_null(e);
	buf_clear(&b);
	err_line_to(e, &b);
	assert_string_equal(
		b.p,
		arena_printf(p.a, "'%s' belongs to instance 'edge', this is 'other'", p.live).p);
	place_end(&p);
}

static void a_folder_is_made_but_not_its_parent(void **state)
{
	struct place p;

	(void)state;
	place_begin(&p);
	p.where.directory = arena_printf(p.a, "%s/no/live", p.root);

	CLEANUP(err) struct err *e = place_open(&p);

	assert_non_null(e);
	assert_int_equal(err_code(e), ERR_TARGET_UNREACHABLE);
	apply(&p, WEB, config_map(&p, "web", "{}"));
	check_err(&p, ERR_TARGET_UNREACHABLE,
		  arena_printf(p.a, "'%s/no/live' is not open", p.root).p);
	place_end(&p);
}

/* ------------------------------------------------------------------ what goes wrong meanwhile */

static void what_cannot_be_journalled_is_not_written(void **state)
{
	struct place p;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"), TARGET_CREATED);
	/* As a full disk would, but for root too. */
	assert_int_equal(rename(path_in(&p, ".leeboard/app").p, path_in(&p, "aside").p), 0);
	write_file(&p, ".leeboard/app", "in the way");
	apply(&p, "/ConfigMap/shop/new", config_map(&p, "new", "{\"a\":\"1\"}"));
	check_err(&p, ERR_IO,
		  arena_printf(p.a,
			       "make the folder of '%s/.leeboard/app/last/"
			       "configmap.shop.new.yaml.next': Not a directory",
			       p.live)
			  .p);
	check_text(file(&p, "configmap.shop.new.yaml"), "-");
	assert_int_equal(unlink(path_in(&p, ".leeboard/app").p), 0);
	apply_ok(&p, "/ConfigMap/shop/new", config_map(&p, "new", "{\"a\":\"1\"}"), TARGET_CREATED);
	place_end(&p);
}

struct meddler {
	struct place *p;
	unsigned left;
	const char *path;
};

/* Somebody saves the file between our reading and our renaming. */
static void meddle(void *arg, const char *what)
{
	struct meddler *m = arg;
	FILE *f;

	if (strcmp(what, "content") != 0 || !m->left)
		return;
	m->left--;
	f = fopen(m->path, "w");
	if (f) {
		fprintf(f, YAML("  a: \"1\"\n  mine: \"%u\"\n"), m->left);
		fclose(f);
	}
}

static void a_file_that_is_saved_meanwhile_is_merged_again(void **state)
{
	struct place p;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"1\"}"), TARGET_CREATED);

	struct meddler m = {&p, 2, path_in(&p, FILE_WEB).p};

	((struct dir *)p.t)->step = meddle;
	((struct dir *)p.t)->step_arg = &m;
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"2\"}"), TARGET_CHANGED);
	check_text(file(&p, FILE_WEB), YAML("  a: \"2\"\n  mine: \"0\"\n"));
	m.left = 100;
	apply(&p, WEB, config_map(&p, "web", "{\"a\":\"3\"}"));
	check_err(&p, ERR_CONFLICT,
		  arena_printf(p.a, "'%s/" FILE_WEB "' changes while it is written", p.live).p);
	((struct dir *)p.t)->step = NULL;
	apply_ok(&p, WEB, config_map(&p, "web", "{\"a\":\"3\"}"), TARGET_CHANGED);
	place_end(&p);
}

static void a_damaged_key_is_an_error(void **state)
{
	struct place p;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));
	target_close(p.t);
	p.t = NULL;
	write_file(&p, ".leeboard/.key", "abc\n");

	CLEANUP(err) struct err *e = place_open(&p);

	assert_non_null(e);
	check_text(
		err_message(e),
		arena_printf(p.a, "'%s/.leeboard/.key' is damaged: it has 3 digits, not 64", p.live)
			.p);
	place_end(&p);
}

/* ------------------------------------------------------------------ many, and cancelled */

struct many {
	struct place *p;
	size_t left, bad;
};

static void on_one(void *arg, enum target_outcome o, const struct target_live *live, struct err *e)
{
	struct many *m = arg;

	m->bad += e || o != TARGET_CREATED || !live;
	err_free(e);
	if (!--m->left)
		m->p->answered = true;
}

static void a_thousand_objects(enum target_layout layout)
{
	struct place p;
	struct many m = {&p, 1000, 0};

	place_begin(&p);
	p.where.layout = layout;
	if (layout == LAYOUT_APP)
		p.where.file_name = STR("{app}.yaml");
	check_ok(place_open(&p));
	place_ask(&p);
	for (int i = 0; i < 1000; i++) {
		str name = arena_printf(p.a, "m%d", i);
		struct target_apply x = {.id = {STR(""), STR("ConfigMap"), STR("shop"), name},
					 .version = STR("v1"),
					 .app = STR("app"),
					 .json = config_map(&p, name.p, "{\"a\":\"1\"}"),
					 .create = true};

		target_apply(p.t, &x, on_one, &m, NULL);
	}
	place_wait(&p);
	assert_int_equal(m.bad, 0);
	assert_int_equal(target_writes(p.t),
			 layout == LAYOUT_APP ? (1000 + DIR_BATCH - 1) / DIR_BATCH : 1000);
	get(&p, "/ConfigMap/shop/m999");
	check_text(p.text, "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m999\n  namespace: "
			   "shop\ndata:\n"
			   "  a: \"1\"\n");
	place_end(&p);
}

static void a_thousand_objects_go_in_batches(void **state)
{
	(void)state;
	a_thousand_objects(LAYOUT_OBJECT);
	a_thousand_objects(LAYOUT_APP);
}

static void never_called(void *arg, enum target_outcome o, const struct target_live *live,
			 struct err *e)
{
	(void)arg;
	(void)o;
	(void)live;
	(void)e;
	fail_msg("called after target_cancel");
}

static void a_cancelled_call_has_no_callback(void **state)
{
	struct place p;
	struct target_call *queued, *sent;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));

	struct target_apply x = {.id = id_of_text(WEB),
				 .version = STR("v1"),
				 .app = STR("app"),
				 .json = config_map(&p, "web", "{\"a\":\"1\"}")};

	target_apply(p.t, &x, never_called, &p, &queued);
	target_cancel(queued);
	check_text(file(&p, FILE_WEB), "-");
	target_apply(p.t, &x, never_called, &p, &sent);
	while (!((struct dir *)p.t)->busy)
		loop_turn(p.loop, true);
	target_cancel(sent);
	get(&p, WEB);
	check_text(p.text, YAML("  a: \"1\"\n")); /* it was on its way */
	place_end(&p);
}

static void closing_while_a_batch_is_written_is_fine(void **state)
{
	struct place p;

	(void)state;
	place_begin(&p);
	check_ok(place_open(&p));

	struct target_apply x = {.id = id_of_text(WEB),
				 .version = STR("v1"),
				 .app = STR("app"),
				 .json = config_map(&p, "web", "{\"a\":\"1\"}")};

	target_apply(p.t, &x, never_called, &p, NULL);
	while (!((struct dir *)p.t)->busy)
		loop_turn(p.loop, true);
	place_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_is_created_changed_and_left_alone),
		cmocka_unit_test(what_a_hand_added_survives_and_what_left_git_goes),
		cmocka_unit_test(a_file_that_is_no_yaml_any_more_is_restored),
		cmocka_unit_test(a_link_is_neither_followed_nor_kept),
		cmocka_unit_test(what_is_not_ours_is_not_written_over),
		cmocka_unit_test(a_secrets_values_are_hashes_in_last_applied),
		cmocka_unit_test(objects_of_an_app_share_a_file_in_layout_app),
		cmocka_unit_test(an_object_handed_over_keeps_what_was_applied),
		cmocka_unit_test(two_objects_of_one_name_are_an_error),
		cmocka_unit_test(records_and_inventories_outlive_the_process),
		cmocka_unit_test(a_record_that_another_installation_wrote_since_is_a_conflict),
		cmocka_unit_test(a_damaged_inventory_is_an_error_and_is_not_overwritten),
		cmocka_unit_test(a_folder_has_one_daemon_and_one_instance),
		cmocka_unit_test(a_folder_is_made_but_not_its_parent),
		cmocka_unit_test(what_cannot_be_journalled_is_not_written),
		cmocka_unit_test(a_file_that_is_saved_meanwhile_is_merged_again),
		cmocka_unit_test(a_damaged_key_is_an_error),
		cmocka_unit_test(a_thousand_objects_go_in_batches),
		cmocka_unit_test(a_cancelled_call_has_no_callback),
		cmocka_unit_test(closing_while_a_batch_is_written_is_fine),
	};

	hash_init();
	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
