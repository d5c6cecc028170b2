/* engine: start, stop and reload of the whole. */
#include "sync_priv.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUIET 500 /* ms without a change before documents are read again (config.md 1.5) */
#define PRUNE_EVERY (6 * HOUR)
#define STOP_PATIENCE (5 * SECOND)

struct app_run *sync_app(const struct sync *s, str name)
{
	for (size_t i = 0; i < s->apps.n; i++)
		if (str_eq(str_from(s->apps.p[i]->name), name) && !s->apps.p[i]->going)
			return s->apps.p[i];
	return NULL;
}

struct source_run *sync_source(const struct sync *s, str name)
{
	for (size_t i = 0; i < s->sources.n; i++)
		if (str_eq(str_from(s->sources.p[i]->name), name))
			return s->sources.p[i];
	return NULL;
}

const struct config *sync_config(const struct sync *s)
{
	return s->config;
}

str sync_instance(const struct sync *s)
{
	return str_from(s->instance);
}

bool sync_ready(const struct sync *s)
{
	for (size_t i = 0; i < s->sources.n; i++)
		if (!s->sources.p[i]->tried)
			return false;
	return s->started;
}

int sync_once_status(const struct sync *s)
{
	return s->once_status;
}

/* ------------------------------------------------------------------ what changed */

static void on_changed(void *arg)
{
	struct sync *s = arg;

	s->changed_timer = NULL;
	for (size_t i = 0; i < s->apps.n; i++) {
		struct app_run *a = s->apps.p[i];

		if (a->run && a->run->step == RUN_depend)
			run_go(a->run);
	}
	asks_look(s);
	once_look(s);
}

void sync_changed(struct sync *s)
{
	if (!s->changed_timer && !s->stopping)
		s->changed_timer = timer_start(s->loop, 0, on_changed, s);
}

static void reap_apps(void *arg)
{
	struct sync *s = arg;

	s->app_reap_timer = NULL;
	while (s->gone_apps.n) {
		struct app_run *a = s->gone_apps.p[0];

		LIST_DEL(&s->gone_apps, a);
		app_free(a);
	}
}

void sync_reap(struct app_run *a)
{
	struct sync *s = a->s;

	a->going = true;
	LIST_ADD(&s->gone_apps, a);
	if (!s->app_reap_timer)
		s->app_reap_timer = timer_start(s->loop, 0, reap_apps, s);
}

/* --once: every source was asked and every App came to rest. */
void once_look(struct sync *s)
{
	int status = 0;

	if (!s->once || s->stopping || !sync_ready(s))
		return;
	for (size_t i = 0; i < s->sources.n; i++) {
		const struct source_run *r = s->sources.p[i];

		if (source_busy(r))
			return;
		if (r->why)
			status = status > 2 ? status : 2;
		if (r->trust.offered_oid.n)
			status = status > 3 ? status : 3;
	}
	for (size_t i = 0; i < s->apps.n; i++) {
		const struct app_run *a = s->apps.p[i];
		int st = 0;

		if (a->run || a->again || a->heals.n)
			return;
		switch (a->state) {
		case APP_NEW:
		case APP_PROGRESSING:
			if (a->source->trust.accepted_oid.n)
				return;
			st = 3;
			break;
		case APP_FAILED:
		case APP_STALLED:
			st = 4;
			break;
		case APP_WAITING:
		case APP_SUSPENDED:
			st = 6;
			break;
		case APP_SYNCED:
			break;
		}
		status = status > st ? status : st;
	}
	s->once_status = status;
	loop_stop(s->loop);
}

/* ------------------------------------------------------------------ baselines */

static bool baseline_get(void *self, str app, obj_id id, struct live_baseline *ret)
{
	struct sync *s = self;
	struct store_baseline b;
	struct err *e;

	arena_free(s->baseline_arena);
	s->baseline_arena = arena_new();
	e = store_baseline_get(s->store, s->baseline_arena, app, id, &b);
	if (e || !b.json.p) {
		err_free(e);
		return false;
	}
	*ret = (struct live_baseline){b.id,       b.version, b.uid,  b.applied,
				      b.revision, b.at,      b.json, b.live};
	return true;
}

static struct err *baseline_put(void *self, str app, const struct live_baseline *b)
{
	struct sync *s = self;
	struct store_baseline row = {.id = b->id,
				     .version = b->version,
				     .uid = b->uid,
				     .applied = b->digest,
				     .live = b->live,
				     .json = b->answer.p ? b->answer : STR(""),
				     .revision = b->revision,
				     .at = b->at};

	return store_baseline_put(s->store, app, &row, 1);
}

static struct err *baseline_del(void *self, str app, obj_id id)
{
	struct sync *s = self;

	return store_baseline_del(s->store, app, &id, 1);
}

/* ------------------------------------------------------------------ start */

static str state_directory(struct arena *a, const struct sync_env *env, const struct config *c)
{
	const char *dir = env->state_directory ? env->state_directory : getenv("STATE_DIRECTORY");
	const char *home = getenv("HOME"), *xdg = getenv("XDG_STATE_HOME");

	if (dir && dir[0])
		return str_from(dir);
	if (c->daemon.state_directory.n)
		return c->daemon.state_directory;
	if (getuid() == 0)
		return STR("/var/lib/leeboard");
	if (xdg && xdg[0])
		return arena_printf(a, "%s/leeboard", xdg);
	return arena_printf(a, "%s/.local/state/leeboard", home ? home : "");
}

/* This installation, told from another of the same name. */
static struct err *read_holder(struct sync *s)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	uint8_t r[16];
	str v;

	TRY(store_get(s->store, a, STR("daemon"), STR("holder"), &v));
	if (!v.p) {
		random_bytes(r, sizeof(r));
		buf_hex(&b, r, sizeof(r));
		v = buf_view(&b);
		TRY(store_put(s->store, STR("daemon"), STR("holder"), v));
	}
	s->holder = text_dup(v);
	return NULL;
}

static void name_instance(struct sync *s)
{
	char host[256] = "leeboard";

	if (s->config->daemon.name.n) {
		s->instance = text_dup(s->config->daemon.name);
		return;
	}
	(void)gethostname(host, sizeof(host) - 1);
	/* A host name is no RFC 1123 label always. */
	for (char *p = host; *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
		else if (*p == '.') {
			*p = 0;
			break;
		} else if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9'))
			*p = '-';
	}
	host[63] = 0;
	s->instance = text_dup(config_name_ok(str_from(host)) ? str_from(host) : STR("leeboard"));
}

static struct err *all_parts(struct sync *s)
{
	struct err *errs = NULL;

	for (size_t i = 0; i < s->config->sources.n; i++) {
		struct source_run *r;

		errs = err_join(errs, source_new(s, s->config->sources.p[i], &r));
	}
	for (size_t i = 0; !errs && i < s->config->apps.n; i++) {
		struct app_run *a;
		struct err *e = app_new(s, s->config->apps.p[i], &a);

		if (e)
			errs = err_join(errs, err_wrap(e, "App '" STR_FMT "'",
						       STR_ARG(s->config->apps.p[i]->name)));
	}
	return errs;
}

static struct err *open_all(struct sync *s, const struct sync_env *env)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const str *warnings;
	size_t n;

	TRY(config_load(env->paths, env->paths_n, NULL, NULL, &s->config));
	s->generation = 1;
	name_instance(s);
	TRY(store_open(arena_str(a, state_directory(a, env, s->config)).p, &s->store));
	warnings = store_warnings(s->store, &n);
	for (size_t i = 0; i < n; i++)
		log_warn(s->log, "state", "warning", arena_str(a, warnings[i]).p);
	TRY(read_holder(s));
	s->http = http_new(s->loop);
	s->jobs = jobs_new(s);
	s->live_store = (struct live_store){s, baseline_get, baseline_put, baseline_del};

	struct notify_env ne = {.loop = s->loop,
				.http = s->http,
				.log = s->log,
				.metrics = s->metrics,
				.outbox = store_outbox(s->store),
				.instance = str_from(s->instance)};

	TRY(notify_new(&ne, &s->notify));
	TRY(notify_config(s->notify, s->config));
	return all_parts(s);
}

struct err *sync_new(const struct sync_env *env, struct sync **ret)
{
	CLEANUP(sync) struct sync *s = xcalloc(1, sizeof(*s));

	s->loop = env->loop;
	s->log = env->log;
	s->metrics = env->metrics;
	s->shadow = env->shadow;
	s->once = env->once;
	s->libexec = text_dup(str_from(env->libexec));
	s->paths_n = env->paths_n;
	s->paths = xcalloc(env->paths_n + 1, sizeof(*s->paths));
	for (size_t i = 0; i < env->paths_n; i++)
		s->paths[i] = text_dup(str_from(env->paths[i]));
	s->started_at = clock_wall(s->loop);
	TRY(open_all(s, env));
	*ret = STEAL(s);
	return NULL;
}

/* What a kill left open in history and journal. The journal's wave is planned again from what
 * stands at the target: nothing of it has to be redone from here. */
static struct err *end_interrupted(struct sync *s)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct store_sync_query q = {.running = true, .most = STORE_MAX_PAGE};
	struct store_syncs rows = {0};
	struct store_waves waves = {0};

	TRY(store_sync_list(s->store, a, &q, &rows));
	for (size_t i = 0; i < rows.n; i++) {
		rows.p[i].outcome = STORE_FAILED;
		rows.p[i].first_cause = STR("{\"reason\":\"Interrupted\",\"message\":\"the daemon "
					    "stopped meanwhile; the "
					    "next sync went on\"}");
		TRY(store_sync_end(s->store, &rows.p[i]));
	}
	TRY(store_journal_open(s->store, a, &waves));
	for (size_t i = 0; i < waves.n; i++) {
		log_info(s->log, "journal.resumed", "app", arena_str(a, waves.p[i].app).p,
			 "revision", arena_str(a, waves.p[i].revision).p);
		TRY(store_journal_end(s->store, waves.p[i].id));
	}
	return NULL;
}

static void on_documents(void *arg, const char *name);

static void watch_documents(struct sync *s)
{
	for (size_t i = 0; i < s->paths_n; i++) {
		CLEANUP(cstr) char *copy = text_dup(str_from(s->paths[i]));
		struct watch_path *w;
		struct stat st;
		struct err *e;
		char *slash;

		/* A file is replaced by rename: its folder is what tells. */
		if (stat(copy, &st) == 0 && !S_ISDIR(st.st_mode)) {
			slash = strrchr(copy, '/');
			if (slash)
				slash[slash == copy] = 0;
		}
		bool bare = !strchr(s->paths[i], '/') && stat(s->paths[i], &st) == 0 &&
			    !S_ISDIR(st.st_mode);

		e = loop_path(s->loop, bare ? "." : copy, on_documents, s, &w);
		if (e)
			err_free(e);
		else
			LIST_ADD(&s->watches, w);
	}
}

static void prune_some(void *arg)
{
	struct sync *s = arg;
	bool more = false;
	struct err *e =
		store_prune(s->store, clock_wall(s->loop), s->config->daemon.history_keep, &more);

	err_free(e);
	s->prune_timer = timer_start(s->loop, !e && more ? SECOND : PRUNE_EVERY, prune_some, s);
}

struct err *sync_start(struct sync *s)
{
	struct tell t = {.kind = EVENT_DAEMON_STARTED, .severity = -1};
	CLEANUP(arena) struct arena *a = arena_new();

	TRY(end_interrupted(s));
	s->started = true;
	metric_set(s->metrics, METRIC_BUILD_INFO, 1, LABELS(LEEBOARD_VERSION));
	t.message = arena_printf(a, "leeboard " LEEBOARD_VERSION ", %zu sources, %zu apps",
				 s->sources.n, s->apps.n);
	tell(s, &t);
	if (!s->once)
		watch_documents(s);
	for (size_t i = 0; i < s->places.n; i++)
		place_connect(s->places.p[i]);
	for (size_t i = 0; i < s->sources.n; i++)
		source_begin(s->sources.p[i]);
	s->prune_timer = timer_start(s->loop, MINUTE, prune_some, s);
	suspensions_look(s);
	for (size_t i = 0; i < s->config->warnings.n; i++) {
		const struct config_warning *w = &s->config->warnings.p[i];

		log_warn(s->log, "document", "file", w->at.in ? w->at.in->name.p : NULL, "warning",
			 w->message.p);
	}
	return NULL;
}

/* ------------------------------------------------------------------ stop */

static void stop_look(void *arg)
{
	struct sync *s = arg;

	s->stop_timer = NULL;
	if ((jobs_running(s->jobs) || notify_busy(s->notify)) &&
	    clock_now(s->loop) - s->stop_since < STOP_PATIENCE) {
		s->stop_timer = timer_start(s->loop, 20, stop_look, s);
		return;
	}
	if (s->stopped)
		s->stopped(s->stopped_arg);
}

static void drop_all(struct sync *s)
{
	for (size_t i = 0; i < s->apps.n; i++) {
		struct app_run *a = s->apps.p[i];

		timer_stop(a->timer);
		a->timer = NULL;
		if (a->run)
			run_drop(a->run, STORE_SUPERSEDED);
	}
	asks_free(s);
}

void sync_stop(struct sync *s, void (*done)(void *arg), void *arg)
{
	struct tell t = {
		.kind = EVENT_DAEMON_STOPPED, .severity = -1, .message = STR("asked to stop")};

	if (s->stopping)
		return;
	tell(s, &t);
	s->stopping = true;
	s->stopped = done;
	s->stopped_arg = arg;
	s->stop_since = clock_now(s->loop);
	drop_all(s);
	for (size_t i = 0; i < s->sources.n; i++)
		source_halt(s->sources.p[i]);
	s->stop_timer = timer_start(s->loop, 0, stop_look, s);
}

void sync_free(struct sync *s)
{
	if (!s)
		return;
	s->stopping = true;
	if (s->store)
		drop_all(s);
	timer_stop(s->reload_timer);
	timer_stop(s->changed_timer);
	timer_stop(s->prune_timer);
	timer_stop(s->reap_timer);
	timer_stop(s->app_reap_timer);
	timer_stop(s->stop_timer);
	timer_stop(s->suspend_timer);
	for (size_t i = 0; i < s->watches.n; i++)
		loop_path_stop(s->watches.p[i]);
	while (s->apps.n)
		app_free(s->apps.p[s->apps.n - 1]);
	while (s->sources.n)
		source_free(s->sources.p[s->sources.n - 1]);
	polls_free(s);
	while (s->places.n)
		place_free(s->places.p[s->places.n - 1]);
	while (s->listeners.n)
		sync_unlisten(s->listeners.p[0]);
	jobs_free(s->jobs);
	notify_free(s->notify);
	http_free(s->http);
	store_close(s->store);
	for (size_t i = 0; i < s->old_configs.n; i++)
		config_free(s->old_configs.p[i]);
	config_free(s->config);
	err_free(s->bad);
	arena_free(s->baseline_arena);
	for (size_t i = 0; i < s->paths_n; i++)
		free(s->paths[i]);
	free(s->paths);
	free(s->apps.p);
	free(s->sources.p);
	free(s->polls.p);
	free(s->places.p);
	free(s->listeners.p);
	free(s->asked.p);
	free(s->watches.p);
	free(s->gone_apps.p);
	free(s->old_configs.p);
	free(s->libexec);
	free(s->instance);
	free(s->holder);
	free(s);
}

/* ------------------------------------------------------------------ reload */

static void change(struct buf *b, const char *kind, str name, const char *what)
{
	if (!b)
		return;
	buf_printf(b, "%s{\"kind\":\"%s\",\"name\":", b->n ? "," : "", kind);
	buf_json(b, name);
	buf_printf(b, ",\"change\":\"%s\"}", what);
}

/* Whether every target of the new documents can be opened: all or nothing. */
static struct err *check_places(struct sync *s, const struct config *c)
{
	struct err *errs = NULL;

	for (size_t i = 0; i < c->apps.n; i++) {
		struct place *p = NULL;
		struct err *e = place_get(s, &c->apps.p[i]->target, &p);

		if (e)
			errs = err_join(errs, err_wrap(e, "App '" STR_FMT "'",
						       STR_ARG(c->apps.p[i]->name)));
		else
			place_put(p);
	}
	return errs;
}

static struct err *refuse(struct sync *s, struct err *e)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct node_items items = {0};
	struct node_pairs more = {0};
	struct tell t = {.kind = EVENT_CONFIG_REFUSED, .severity = -1};

	s->bad_generation++;
	for (const struct err *x = e; x && items.n < 50; x = err_next(x)) {
		CLEANUP(buf) struct buf line = BUF_INIT;

		err_line_to(x, &line);
		*ARENA_PUSH(a, &items) = node_new_str(a, buf_view(&line));
	}
	err_print(e, &b);
	node_pairs_add(a, &more, STR("errors"), node_new_list(a, items.p, items.n));
	t.message = arena_printf(a, "%zu mistake%s in the documents; those before stay in force",
				 err_count(e), err_count(e) == 1 ? "" : "s");
	t.more = more.p;
	t.more_n = more.n;
	log_error(s->log, "config.refused", "error", items.n ? items.p[0]->text.p : NULL);
	tell(s, &t);
	err_free(s->bad);
	s->bad = e;
	sync_changed(s);
	/* The asker gets the same. */
	struct err *copy = NULL;

	for (const struct err *x = e; x; x = err_next(x)) {
		struct err *one = err_at_named(err_code(x), err_file(x), err_line(x), err_col(x),
					       STR_FMT, STR_ARG(err_message(x)));

		if (err_hint_get(x).n)
			one = err_hint(one, STR_FMT, STR_ARG(err_hint_get(x)));
		copy = err_join(copy, one);
	}
	return copy;
}

/* Added and changed ones; those that went come after, when what takes over from them is there. */
static struct err *adopt_documents(struct sync *s, const struct config *c, struct buf *b, bool *any)
{
	for (size_t i = 0; i < c->sources.n; i++) {
		const struct source *d = c->sources.p[i];
		struct source_run *r = sync_source(s, d->name);

		if (!r) {
			TRY(source_new(s, d, &r));
			change(b, "Source", d->name, "added");
			*any = true;
		} else {
			bool same = node_equal_strict(r->doc->spec, d->spec) &&
				    r->doc->policy == NULL && d->policy == NULL;

			if (!same && !node_equal_strict(r->doc->spec, d->spec)) {
				change(b, "Source", d->name, "changed");
				*any = true;
			}
			source_config(r, d);
			source_poll(r);
		}
	}
	for (size_t i = 0; i < c->apps.n; i++) {
		const struct app *d = c->apps.p[i];
		struct app_run *a = sync_app(s, d->name);

		if (!a) {
			TRY(app_new(s, d, &a));
			change(b, "App", d->name, "added");
			*any = true;
			if (a->place->step == PLACE_READY)
				app_place_ready(a);
			else
				place_connect(a->place);
		} else {
			if (!node_equal_strict(a->doc->spec, d->spec)) {
				change(b, "App", d->name, "changed");
				*any = true;
			}
			app_config(a, d);
		}
	}
	return NULL;
}

static void drop_documents(struct sync *s, const struct config *c, struct buf *b, bool *any)
{
	for (size_t i = s->apps.n; i-- > 0;) {
		struct app_run *a = s->apps.p[i];

		if (a->going || config_app(c, STR_NONE, str_from(a->name)))
			continue;
		change(b, "App", str_from(a->name), "removed");
		*any = true;
		app_remove(a);
	}
	for (size_t i = s->sources.n; i-- > 0;) {
		struct source_run *r = s->sources.p[i];
		bool used = false;

		if (config_source(c, STR_NONE, str_from(r->name)))
			continue;
		for (size_t k = 0; k < s->apps.n; k++)
			used |= s->apps.p[k]->source == r;
		change(b, "Source", str_from(r->name), "removed");
		*any = true;
		source_over(r);
		if (!used)
			source_free(r);
		else
			source_halt(r);
	}
}

struct err *engine_reload(struct sync *s, struct buf *changes)
{
	struct config *c = NULL;
	struct tell t = {.kind = EVENT_CONFIG_ACCEPTED, .severity = -1};
	bool any = false, kept = false;
	struct err *e = config_load((const char *const *)s->paths, s->paths_n, NULL, NULL, &c);

	if (!e)
		e = check_places(s, c);
	if (e) {
		config_free(c);
		return refuse(s, e);
	}
	struct config *old = s->config;

	s->config = c;
	e = adopt_documents(s, c, changes, &any);
	drop_documents(s, c, changes, &any);
	for (size_t i = 0; i < s->apps.n; i++)
		kept |= s->apps.p[i]->going;
	for (size_t i = 0; i < s->sources.n; i++)
		kept |= !config_source(c, STR_NONE, str_from(s->sources.p[i]->name));
	if (!e)
		e = notify_config(s->notify, c);
	/* An App that is being deleted still reads its document. */
	if (kept)
		LIST_ADD(&s->old_configs, old);
	else
		config_free(old);
	s->generation++;
	err_free(s->bad);
	s->bad = NULL;
	s->bad_generation = 0;
	if (any)
		log_info(s->log, "config.accepted", "instance", s->instance);
	t.message = STR("the documents are good again");
	tell(s, &t);
	for (size_t i = 0; i < s->sources.n; i++)
		source_begin(s->sources.p[i]);
	sync_changed(s);
	return e;
}

void sync_reload(struct sync *s)
{
	if (!s->stopping)
		err_free(engine_reload(s, NULL));
}

static void quiet(void *arg)
{
	struct sync *s = arg;

	s->reload_timer = NULL;
	sync_reload(s);
}

/* Beside a file of documents, and in a folder of them, other things may change all the time. */
static bool is_document(const struct sync *s, const char *name)
{
	str n = str_from(name);

	if (!name || name[0] == '.')
		return false;
	for (size_t i = 0; i < s->paths_n; i++) {
		const char *slash = strrchr(s->paths[i], '/');

		if (!strcmp(slash ? slash + 1 : s->paths[i], name))
			return true;
	}
	return str_ends(n, STR(".yaml")) || str_ends(n, STR(".yml")) || str_ends(n, STR(".json"));
}

static void on_documents(void *arg, const char *name)
{
	struct sync *s = arg;

	if (!is_document(s, name))
		return;
	timer_stop(s->reload_timer);
	s->reload_timer = timer_start(s->loop, QUIET, quiet, s);
}
