/* live and apply over a real folder: a sync, an edit by hand, heal, a restart without memory,
 * pruning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "leeboard/apply.h"

#define KEY ((const uint8_t *)"0123456789abcdef0123456789abcdef")

struct place {
	struct loop *loop;
	struct arena *a;
	char root[64], live_dir[96];
	struct target *t;
	struct live *live;
	struct live_app *app;
	struct app doc;
	struct wants *wants;
	struct inventory inv;
	bool answered, complete;
	enum err_code failed;
	struct buf told;
};

static int drop(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

/* A test that waits for ever is ended by the alarm. */
static void wait_for(struct place *p, const bool *what)
{
	alarm(20);
	while (!*what)
		loop_turn(p->loop, true);
	alarm(0);
}

static void on_drift(void *arg, struct live_app *a, const struct live_drift *d)
{
	struct place *p = arg;

	(void)a;
	buf_printf(&p->told, "drift " STR_FMT "%s", STR_ARG(d->id.name),
		   d->deleted ? " deleted" : "");
	for (size_t i = 0; i < d->fields_n; i++)
		buf_printf(&p->told, " " STR_FMT "=" STR_FMT, STR_ARG(d->fields[i].path),
			   STR_ARG(node_text(d->fields[i].live)));
	buf_char(&p->told, '\n');
	p->answered = true;
}
static void on_gone(void *arg, struct live_app *a, obj_id id)
{
	struct place *p = arg;

	(void)a;
	buf_printf(&p->told, "gone " STR_FMT "\n", STR_ARG(id.name));
	p->answered = true;
}
static void on_complete(void *arg, struct live_app *a)
{
	struct place *p = arg;

	(void)a;
	p->complete = true;
}
static void on_ready(void *arg, struct err *e)
{
	struct place *p = arg;

	assert_null(e);
	p->answered = true;
}
static void on_done(void *arg, bool ok, const struct apply_step *first)
{
	struct place *p = arg;

	p->failed = ok ? 0 : first && first->err ? err_code(first->err) : ERR_INTERNAL;
	p->answered = true;
}
static void on_heal(void *arg, obj_id id, struct err *e)
{
	struct place *p = arg;

	(void)id;
	assert_null(e);
	p->answered = true;
}

static void open_place(struct place *p)
{
	struct target_env env = {.loop = p->loop, .instance = STR("edge"), .holder = STR("h1")};
	struct app_target where = {.kind = TARGET_DIRECTORY,
				   .directory = str_from(p->live_dir),
				   .file_name = STR("{kind}.{group}.{namespace}.{name}.yaml"),
				   .namespace = STR("default")};
	struct live_calls calls = {p, on_drift, on_gone, NULL, on_complete, NULL};
	struct target_call *call;

	assert_null(target_open(&env, &where, &p->t));
	p->answered = p->complete = false;
	target_ready(p->t, on_ready, p, &call);
	wait_for(p, &p->answered);
	p->live = live_new(p->loop, p->t, NULL, &calls, KEY); /* no store: nothing is remembered */
	p->app = live_app_new(p->live, &p->doc, p);
	assert_null(live_app_restore(p->app, &p->inv));
}

static void begin(struct place *p)
{
	*p = (struct place){.loop = loop_new(), .a = arena_new(), .wants = wants_new()};
	p->doc = (struct app){.name = STR("shop"),
			      .drift_mode = DRIFT_HEAL,
			      .health_wait = true,
			      .health_timeout = MINUTE,
			      .on_error = ON_ERROR_SKIP_DEPENDANTS};
	snprintf(p->root, sizeof(p->root), "/tmp/leeboard-apply.XXXXXX");
	assert_non_null(mkdtemp(p->root));
	snprintf(p->live_dir, sizeof(p->live_dir), "%s/live", p->root);
	open_place(p);
	live_app_expect(p->app, p->wants, STR("rev"));
}

static void end(struct place *p)
{
	live_free(p->live);
	target_close(p->t);
	wants_free(p->wants);
	loop_free(p->loop);
	arena_free(p->a);
	buf_done(&p->told);
	nftw(p->root, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static obj_id id_of(const char *name)
{
	return (obj_id){STR(""), STR("ConfigMap"), STR("shop"), str_from(name)};
}

/* A sync that makes these (name, value of data.a), and prunes `old` (may be NULL). */
static void sync_to(struct place *p, const char *const (*want)[2], size_t n, const char *old)
{
	struct plan_step *steps = ARENA_ARRAY(p->a, struct plan_step, n + 1);
	struct wants *before = p->wants;
	struct plan plan = {.steps = steps, .n = n + (old != NULL), .waves = 1, .delete_waves = 1};
	struct apply_calls calls = {.arg = p, .done = on_done};
	struct apply_opts o = {.loop = p->loop,
			       .app = p->app,
			       .plan = &plan,
			       .inventory = &p->inv,
			       .inventory_arena = p->a,
			       .prune = true,
			       .wait_health = true,
			       .revision = STR("rev")};
	struct apply *apply;

	p->wants = wants_new();
	for (size_t i = 0; i < n; i++) {
		struct text *t = ARENA_NEW(p->wants->arena, struct text);
		const struct node *root;
		struct want w = {.id = id_of(want[i][0]),
				 .version = STR("v1"),
				 .file = STR("a.yaml"),
				 .line = 3};

		w.json = arena_printf(
			p->wants->arena,
			"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{"
			"\"name\":\"%s\",\"namespace\":\"shop\"},\"data\":{\"a\":\"%s\"}}",
			want[i][0], want[i][1]);
		*t = (struct text){STR("want"), w.json};
		assert_null(node_read_json(p->wants->arena, t, &root));
		w.digest = obj_digest(root, KEY);
		assert_null(wants_add(p->wants, w));
	}
	for (size_t i = 0; i < n; i++)
		steps[i] = (struct plan_step){.action = inventory_get(&p->inv, p->wants->p[i].id)
								? PLAN_CHANGE
								: PLAN_CREATE,
					      .id = p->wants->p[i].id,
					      .version = STR("v1"),
					      .want = &p->wants->p[i],
					      .origin = INV_CREATED,
					      .blocked_by = SIZE_MAX};
	if (old)
		steps[n] = (struct plan_step){.action = PLAN_DELETE,
					      .id = id_of(old),
					      .version = STR("v1"),
					      .wave = 1,
					      .blocked_by = SIZE_MAX};
	o.wants = p->wants;
	live_app_expect(p->app, p->wants, STR("rev"));
	p->answered = false;
	assert_null(apply_start(&o, &calls, &apply));
	apply_prune(apply);
	wait_for(p, &p->answered);
	assert_int_equal(p->failed, 0);
	apply_free(apply);
	wants_free(before);
}
#define SYNC(p, old, ...)                                                                          \
	sync_to((p), (const char *const[][2]){__VA_ARGS__},                                        \
		ARRAY_LEN(((const char *const[][2]){__VA_ARGS__})), (old))

static const char *path_of(struct place *p, const char *name)
{
	return arena_printf(p->a, "%s/configmap.shop.%s.yaml", p->live_dir, name).p;
}

static bool exists(struct place *p, const char *name)
{
	return !access(path_of(p, name), F_OK);
}

static const char *text_of(struct place *p, const char *name)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	assert_null(file_read(path_of(p, name), 1u << 20, &b));
	return arena_str(p->a, buf_view(&b)).p;
}

static void by_hand(struct place *p, const char *name, const char *a, const char *more)
{
	str text = arena_printf(p->a,
				"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n"
				"  namespace: shop\ndata:\n  a: \"%s\"\n%s",
				name, a, more);

	assert_null(file_write_atomic(path_of(p, name), text, 0644));
}

static void hears(struct place *p, const char *what)
{
	p->answered = false;
	if (!p->told.n)
		wait_for(p, &p->answered);
	assert_string_equal(p->told.p, what);
	buf_clear(&p->told);
}

/* ------------------------------------------------------------------ tests */

static void a_folder_is_held_to_git(void **state)
{
	struct place p;
	struct apply_heal *h;
	struct live_state s;

	(void)state;
	begin(&p);
	SYNC(&p, NULL, {"web", "1"}, {"api", "1"});
	assert_true(exists(&p, "web"));
	assert_int_equal(p.inv.n, 2);
	assert_int_equal(p.inv.p[0].state, INV_LIVE);

	by_hand(&p, "web", "9", "  mine: x\n");
	hears(&p, "drift web .data.a=9\n");
	p.answered = false;
	assert_null(apply_heal_start(p.loop, p.app, wants_get(p.wants, id_of("web")), STR("rev"),
				     on_heal, &p, &h));
	wait_for(&p, &p.answered);
	assert_non_null(strstr(text_of(&p, "web"), "a: \"1\""));
	assert_non_null(strstr(text_of(&p, "web"), "mine: x")); /* not ours, and it stays */
	assert_int_equal(live_count(p.app).drift_objects, 0);

	/* What others add is no drift; the next edit of ours is the one that is told. */
	by_hand(&p, "api", "1", "  mine: x\n");
	assert_int_equal(unlink(path_of(&p, "web")), 0);
	hears(&p, "drift web deleted\n");
	by_hand(&p, "web", "1", "");
	hears(&p, "gone web\n");
	assert_true(live_state(p.app, id_of("web"), &s));
	assert_true(s.in_sync);
	end(&p);
}

static void a_revert_prunes_and_brings_back(void **state)
{
	struct place p;

	(void)state;
	begin(&p);
	SYNC(&p, NULL, {"web", "1"}, {"api", "1"});
	SYNC(&p, "api", {"web", "2"});
	assert_false(exists(&p, "api"));
	assert_int_equal(p.inv.n, 1);
	assert_non_null(strstr(text_of(&p, "web"), "a: \"2\""));
	SYNC(&p, NULL, {"web", "1"}, {"api", "1"});
	assert_true(exists(&p, "api"));
	assert_non_null(strstr(text_of(&p, "web"), "a: \"1\""));
	assert_int_equal(p.told.n, 0);
	end(&p);
}

static void without_memory_nothing_is_written_or_lost(void **state)
{
	struct place p;
	struct live_state s;

	(void)state;
	begin(&p);
	SYNC(&p, NULL, {"web", "1"}, {"api", "1"}, {"db", "1"});
	live_free(p.live);
	target_close(p.t);
	by_hand(&p, "api", "9", "");
	assert_int_equal(unlink(path_of(&p, "db")), 0);
	open_place(&p);
	live_app_expect(p.app, p.wants, STR("rev"));
	wait_for(&p, &p.complete);
	assert_true(live_state(p.app, id_of("web"), &s));
	assert_true(s.in_sync && s.has_baseline);
	assert_true(hash_eq(&s.applied, &wants_get(p.wants, id_of("web"))->digest));
	assert_true(live_state(p.app, id_of("api"), &s));
	assert_false(s.in_sync);
	assert_int_equal(s.drift_fields, 1);
	assert_true(live_state(p.app, id_of("db"), &s));
	assert_false(s.present);
	assert_non_null(strstr(p.told.p, "drift api .data.a=9\n"));
	assert_int_equal(target_writes(p.t), 0);
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_is_held_to_git),
		cmocka_unit_test(a_revert_prunes_and_brings_back),
		cmocka_unit_test(without_memory_nothing_is_written_or_lost),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
