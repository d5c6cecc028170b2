/* A folder, a directory target in it, and calls that wait for their answer. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "target/dir_priv.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	struct loop *loop;
	struct target *t;
	struct arena *a;
	char root[64];
	char live[96];
	struct target_env env;
	struct app_target where;
	/* the last answer */
	bool answered;
	struct err *err;
	enum target_outcome outcome;
	str text; /* YAML of the live object; "-" when absent */
	str applied;
	str told; /* events, a line each */
};

static inline void place_begin(struct place *p)
{
	*p = (struct place){.loop = loop_new(), .a = arena_new()};
	snprintf(p->root, sizeof(p->root), "/tmp/leeboard-dir.XXXXXX");
	assert_non_null(mkdtemp(p->root));
	snprintf(p->live, sizeof(p->live), "%s/live", p->root);
	p->env = (struct target_env){.loop = p->loop, .instance = STR("edge"), .holder = STR("h1")};
	p->where = (struct app_target){.kind = TARGET_DIRECTORY,
				       .directory = str_from(p->live),
				       .file_name = STR("{kind}.{group}.{namespace}.{name}.yaml"),
				       .namespace = STR("default")};
	p->told = STR("");
}

static inline int place_rm(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

static inline void place_end(struct place *p)
{
	target_close(p->t);
	loop_free(p->loop);
	nftw(p->root, place_rm, 16, FTW_DEPTH | FTW_PHYS);
	err_free(p->err);
	arena_free(p->a);
}

/* Until the answer is there; a test that waits for ever is ended by the alarm. */
static inline void place_wait(struct place *p)
{
	alarm(20);
	while (!p->answered)
		loop_turn(p->loop, true);
	alarm(0);
}

static inline void place_ask(struct place *p)
{
	p->answered = false;
	err_free(p->err);
	p->err = NULL;
}

static inline void on_done(void *arg, struct err *e)
{
	struct place *p = arg;

	p->err = e;
	p->answered = true;
}

static inline str yaml_of(struct place *p, const struct node *n)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!n)
		return STR("-");
	node_yaml(n, &b);
	return arena_str(p->a, buf_view(&b));
}

static inline void on_apply(void *arg, enum target_outcome o, const struct target_live *live,
			    struct err *e)
{
	struct place *p = arg;

	p->err = e;
	p->outcome = o;
	p->text = live ? yaml_of(p, live->root) : STR("-");
	p->answered = true;
}

static inline void on_get(void *arg, const struct target_live *live, size_t n, struct err *e)
{
	struct place *p = arg;

	p->err = e;
	p->text = n ? yaml_of(p, live[0].root) : STR("-");
	p->applied = n ? yaml_of(p, live[0].applied) : STR("-");
	p->answered = true;
}

static inline void on_event(void *arg, const struct target_event *e)
{
	static const char *const word[] = {"seen", "gone", "listing", "listed", "lost", "found"};
	struct place *p = arg;
	str id = e->kind <= TARGET_LISTED ? obj_id_label(p->a, e->live.id) : STR("");
	const struct node *data = node_at(e->live.root, "data", "a", NULL);

	p->told = arena_printf(p->a, STR_FMT "%s%s" STR_FMT "%s" STR_FMT "\n", STR_ARG(p->told),
			       word[e->kind], id.n ? " " : "", STR_ARG(id), data ? " a=" : "",
			       STR_ARG(node_text(data)));
}

static inline void check_text(str got, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	buf_str(&b, got);
	assert_string_equal(b.p ? b.p : "", want);
}

static inline void check_ok(const struct err *e)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!e)
		return;
	err_line_to(e, &b);
	fail_msg("%s", b.p);
}

static inline void check_err(struct place *p, enum err_code code, const char *want)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	assert_non_null(p->err);
	err_line_to(p->err, &b);
	assert_string_equal(b.p, want);
	assert_int_equal(err_code(p->err), code);
}

static inline struct err *place_open(struct place *p)
{
	struct err *e = p->t ? NULL : target_open(&p->env, &p->where, &p->t);

	if (e)
		return e;
	place_ask(p);
	target_ready(p->t, on_done, p, NULL);
	place_wait(p);
	return STEAL(p->err);
}

static inline obj_id id_of_text(const char *s)
{
	obj_id id;

	assert_true(obj_id_parse(str_from(s), &id));
	return id;
}

#define WEB "/ConfigMap/shop/web"
/* Of a ConfigMap: {"a":"1"} and so on as `data`. */
static inline str config_map(struct place *p, const char *name, const char *data)
{
	return arena_printf(
		p->a,
		"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\","
		"\"namespace\":\"shop\"},\"data\":%s}",
		name, data);
}

static inline void ask_apply(struct place *p, const char *app, const char *id, str json,
			     bool create)
{
	struct target_apply x = {.id = id_of_text(id),
				 .version = STR("v1"),
				 .app = str_from(app),
				 .json = json,
				 .create = create};

	place_ask(p);
	target_apply(p->t, &x, on_apply, p, NULL);
}

static inline void apply(struct place *p, const char *id, str json)
{
	ask_apply(p, "app", id, json, false);
	place_wait(p);
}

static inline void apply_ok(struct place *p, const char *id, str json, enum target_outcome want)
{
	apply(p, id, json);
	check_ok(p->err);
	assert_int_equal(p->outcome, want);
}

static inline void get(struct place *p, const char *id)
{
	struct target_want_live x = {id_of_text(id), STR("v1"), STR("app")};

	place_ask(p);
	target_get(p->t, &x, 1, false, on_get, p, NULL);
	place_wait(p);
}

static inline void delete_ok(struct place *p, const char *id)
{
	struct target_delete x = {.id = id_of_text(id), .version = STR("v1"), .app = STR("app")};

	place_ask(p);
	target_delete(p->t, &x, on_done, p, NULL);
	place_wait(p);
	check_ok(p->err);
}

/* The App owns these, all live. */
static inline void own(struct place *p, const char *app, const char *const *ids, size_t n)
{
	struct inventory inv = {NULL, 0, 0};

	for (size_t i = 0; i < n; i++)
		inventory_set(p->a, &inv,
			      (struct inv_entry){id_of_text(ids[i]), STR("v1"), STR(""),
						 INV_CREATED, INV_LIVE});
	place_ask(p);
	target_inventory_put(p->t, str_from(app), &inv, on_done, p, NULL);
	place_wait(p);
	check_ok(p->err);
}

static inline str path_in(struct place *p, const char *name)
{
	return arena_printf(p->a, "%s/%s", p->live, name);
}

static inline str file(struct place *p, const char *name)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(err) struct err *e = file_read(path_in(p, name).p, 1 << 20, &b);

	return e ? STR("-") : arena_str(p->a, buf_view(&b));
}

static inline void write_file(struct place *p, const char *name, const char *text)
{
	FILE *f = fopen(path_in(p, name).p, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}
