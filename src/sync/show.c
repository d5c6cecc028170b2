/* show: JSON of what there is to see (interface.md 5): the status of sources and Apps, and the
 * small pieces that all documents are made of. Absent means unknown. */
#include "sync_priv.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ pieces */

void show_begin(struct sync *s, struct buf *b, const char *kind)
{
	CLEANUP(arena) struct arena *a = arena_new();

	buf_printf(b, "{\"apiVersion\":\"leeboard.dev/v1\",\"kind\":\"%s\",\"instance\":", kind);
	buf_json(b, str_from(s->instance));
	buf_printf(b, ",\"time\":\"" STR_FMT "\"",
		   STR_ARG(time_rfc3339(a, clock_wall(s->loop), true)));
}

/* A comma where one is due. */
static void key(struct buf *b, const char *k)
{
	if (b->n && b->p[b->n - 1] != '{' && b->p[b->n - 1] != '[')
		buf_char(b, ',');
	buf_printf(b, "\"%s\":", k);
}

void show_str(struct buf *b, const char *k, str v)
{
	if (!v.n)
		return;
	key(b, k);
	buf_json(b, v);
}

void show_text(struct buf *b, const char *k, const char *v)
{
	show_str(b, k, str_from(v));
}

void show_num(struct buf *b, const char *k, uint64_t v)
{
	key(b, k);
	buf_printf(b, "%llu", (unsigned long long)v);
}

void show_bool(struct buf *b, const char *k, bool v)
{
	if (!v)
		return;
	key(b, k);
	buf_str(b, STR("true"));
}

void show_time(struct buf *b, const char *k, msec t)
{
	CLEANUP(arena) struct arena *a = arena_new();

	if (t)
		show_str(b, k, time_rfc3339(a, t, true));
}

void show_seconds(struct buf *b, const char *k, msec d)
{
	key(b, k);
	buf_printf(b, "%lld.%03lld", (long long)(d / 1000), (long long)(d % 1000));
}

void show_raw(struct buf *b, const char *k, str json)
{
	if (!json.n)
		return;
	key(b, k);
	buf_str(b, json);
}

void show_node(struct buf *b, const char *k, const struct node *n)
{
	if (!n)
		return;
	key(b, k);
	node_json(n, NODE_JSON_COMPACT, b);
}

void show_open(struct buf *b, const char *k, char c)
{
	key(b, k);
	buf_char(b, c);
}

/* Between the elements of a list. */
void show_next(struct buf *b)
{
	if (b->p[b->n - 1] != '[')
		buf_char(b, ',');
}

void show_object(struct buf *b, obj_id id, str version, str uid)
{
	buf_char(b, '{');
	show_str(b, "group", id.group);
	show_str(b, "version", version);
	show_str(b, "kind", id.kind);
	show_str(b, "namespace", id.ns);
	show_str(b, "name", id.name);
	show_str(b, "uid", uid);
	buf_char(b, '}');
}

/* {commit, subject, author, signer, key, at}; k NULL: no key before it. */
void show_revision(struct sync *s, struct buf *b, const char *k, str source, str oid, msec at)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct store_commit c = {0};

	if (!oid.n)
		return;
	err_free(store_commit_get(s->store, a, source, oid, &c));
	if (k)
		key(b, k);
	buf_char(b, '{');
	show_str(b, "commit", oid);
	if (c.oid.p) {
		show_str(b, "subject", c.subject);
		show_str(b, "author", c.author_email);
		show_str(b, "signer", c.signer);
		show_str(b, "key", c.key);
	}
	show_time(b, "at", at ? at : c.accepted);
	buf_char(b, '}');
}

static void needs(struct buf *b, str message, const char *const *commands)
{
	show_open(b, "needs", '{');
	show_str(b, "message", message);
	show_open(b, "commands", '[');
	for (; *commands; commands++) {
		show_next(b);
		buf_json(b, str_from(*commands));
	}
	buf_str(b, STR("]}"));
}

/* ------------------------------------------------------------------ a source */

static str short_ref(const struct source *d)
{
	return d->ref.commit.n   ? d->ref.commit
	       : d->ref.name.n   ? d->ref.name
	       : d->ref.semver.n ? d->ref.semver
	       : d->ref.tag.n    ? d->ref.tag
				 : d->ref.branch;
}

void show_source(struct sync *s, struct buf *b, const struct source_run *r, bool whole)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct source *d = r->doc;
	const char *state = source_state(r);
	struct suspension sus = {0};
	struct store_commit offered = {0};
	bool held = suspension_get(s, a, "source", r->name, &sus);

	if (r->trust.offered_oid.n)
		err_free(store_commit_get(s->store, a, str_from(r->name), r->trust.offered_oid,
					  &offered));
	buf_char(b, '{');
	show_text(b, "kind", "Source");
	show_text(b, "name", r->name);
	show_str(b, "url", d->url);
	show_str(b, "ref", short_ref(d));
	show_text(b, "state", state);
	if (!strcmp(state, "Refused")) {
		const char *commands[3] = {"git commit --amend -S && git push --force-with-lease",
					   NULL, NULL};
		str id = short_id(r->trust.offered_oid);

		show_str(b, "reason", r->trust.refused_reason);
		show_str(b, "message", r->trust.refused_message);
		show_str(b, "offered", r->trust.offered_oid);
		commands[1] = arena_printf(a, "leeboard allow %s " STR_FMT " --reason TEXT",
					   r->name, STR_ARG(id))
				      .p;
		show_text(b, "release", commands[1]);
		show_time(b, "since", r->trust.offered_at);
		needs(b,
		      arena_printf(a, STR_FMT "%s" STR_FMT "%s; %s" STR_FMT,
				   STR_ARG(r->trust.refused_message), offered.oid.p ? " (" : "",
				   STR_ARG(offered.oid.p ? offered.subject : STR("")),
				   offered.oid.p ? ")" : "",
				   r->trust.accepted_oid.n ? "what stays live is "
							   : "nothing was accepted yet",
				   STR_ARG(short_id(r->trust.accepted_oid))),
		      commands);
	} else if (r->why) {
		const char *commands[2] = {NULL, NULL};

		show_text(b, "reason", err_code_name(r->why_code));
		show_text(b, "message", r->why);
		show_time(b, "since", r->failing_since);
		commands[0] = arena_printf(a, "leeboard explain %s", err_code_name(r->why_code)).p;
		if (r->stalled)
			needs(b, str_from(r->why), commands);
	}
	if (r->untrusted) {
		show_bool(b, "untrusted", true);
	}
	if (held) {
		const char *commands[2] = {arena_printf(a, "leeboard resume source/%s", r->name).p,
					   NULL};

		if (!strcmp(state, "Suspended")) {
			show_str(b, "message", sus.reason);
			needs(b, STR("is suspended"), commands);
		}
		show_str(b, "by", sus.by);
		show_time(b, "until", sus.until);
	}
	if (r->trust.accepted_oid.n) {
		struct store_commit c = {0};

		err_free(store_commit_get(s->store, a, str_from(r->name), r->trust.accepted_oid,
					  &c));
		show_open(b, "accepted", '{');
		show_str(b, "commit", r->trust.accepted_oid);
		show_str(b, "ref", r->trust.ref);
		if (c.oid.p) {
			show_str(b, "subject", c.subject);
			show_str(b, "author", c.author_email);
		}
		show_str(b, "signer", r->trust.signer);
		show_str(b, "key", r->trust.key);
		show_time(b, "at", r->trust.accepted_at);
		buf_char(b, '}');
	}
	show_time(b, "lastPoll", r->polled_at);
	show_time(b, "nextPoll", r->group ? poll_next(r->group) : 0);
	show_num(b, "interval", (uint64_t)(d->interval / SECOND));
	if (whole) {
		show_open(b, "verify", '{');
		show_str(b, "mode", node_get_text(node_get(d->spec, STR("verify")), STR("mode")));
		show_str(b, "policy", d->policy ? d->policy->name : STR_NONE);
		buf_char(b, '}');
		if (r->trust.offered_oid.n) {
			show_open(b, "refused", '{');
			show_str(b, "commit", r->trust.offered_oid);
			if (offered.oid.p) {
				show_str(b, "subject", offered.subject);
				show_str(b, "author", offered.author_email);
				show_str(b, "key", offered.key);
				show_str(b, "verdict", offered.verdict);
			}
			show_str(b, "reason", r->trust.refused_reason);
			show_str(b, "message", r->trust.refused_message);
			buf_char(b, '}');
		}
		show_open(b, "apps", '[');
		for (size_t i = 0; i < s->apps.n; i++) {
			if (s->apps.p[i]->source != r)
				continue;
			show_next(b);
			buf_json(b, str_from(s->apps.p[i]->name));
		}
		buf_char(b, ']');
	}
	buf_char(b, '}');
}

/* ------------------------------------------------------------------ an App */

static void app_needs(struct buf *b, struct arena *a, const struct app_run *r,
		      const struct live_count *c)
{
	const char *commands[3] = {NULL, NULL, NULL};
	str message = str_from(r->message);

	switch (r->state) {
	case APP_WAITING:
		commands[0] = arena_printf(a, "leeboard plan %s", r->name).p;
		commands[1] = r->release;
		break;
	case APP_FAILED:
		commands[0] = r->release;
		if (r->healthy[0] && strcmp(r->healthy, r->rev))
			message = arena_printf(a, STR_FMT "; " STR_FMT " was healthy",
					       STR_ARG(message),
					       STR_ARG(short_id(str_from(r->healthy))));
		break;
	case APP_STALLED:
		commands[0] = r->release;
		break;
	case APP_SUSPENDED:
		message = STR("is suspended");
		commands[0] = arena_printf(a, "leeboard resume %s", r->name).p;
		break;
	case APP_NEW:
	case APP_SYNCED:
	case APP_PROGRESSING:
		if (!c->drift_objects || r->doc->drift_mode == DRIFT_HEAL)
			return;
		message = arena_printf(a, "%zu object%s drifted and nobody heals %s",
				       c->drift_objects, c->drift_objects == 1 ? "" : "s",
				       c->drift_objects == 1 ? "it" : "them");
		commands[0] = arena_printf(a, "leeboard drift %s", r->name).p;
		commands[1] = arena_printf(a, "leeboard drift %s --heal", r->name).p;
		break;
	}
	needs(b, message, commands);
}

static void show_target(struct buf *b, const struct app_run *r)
{
	const struct app_target *t = &r->doc->target;

	show_open(b, "target", '{');
	switch (t->kind) {
	case TARGET_DIRECTORY:
		show_text(b, "kind", "directory");
		show_str(b, "name", t->directory);
		break;
	case TARGET_KUBECONFIG:
		show_text(b, "kind", "kubeconfig");
		show_str(b, "name", t->context.n ? t->context : target_place(r->place->target));
		break;
	case TARGET_IN_CLUSTER:
		show_text(b, "kind", "in-cluster");
		break;
	case TARGET_NONE:
	case TARGET_NAME:
		break;
	}
	buf_char(b, '}');
}

void show_app(struct sync *s, struct buf *b, const struct app_run *r, bool whole)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct live_count c = r->live ? live_count(r->live) : (struct live_count){0};
	struct suspension sus = {0};
	bool held = suspension_get(s, a, "app", r->name, &sus);
	obj_id worst_id = {0};
	struct health worst = {HEALTH_UNKNOWN, STR_NONE, STR_NONE};
	bool sees = r->place && target_tells_health(r->place->target);

	if (r->live && sees && r->now)
		worst = live_worst(r->live, &worst_id);
	buf_char(b, '{');
	show_text(b, "kind", "App");
	show_text(b, "name", r->name);
	show_text(b, "source", r->source ? r->source->name : NULL);
	show_text(b, "state", app_state_name(r->suspended && !r->run ? APP_SUSPENDED : r->state));
	show_text(b, "reason", r->reason);
	if (held && !r->message)
		show_str(b, "message", sus.reason);
	else
		show_text(b, "message", r->message);
	if (r->state == APP_WAITING)
		show_text(b, "plan", r->plan_id);
	show_text(b, "revision",
		  r->state == APP_FAILED && r->tried[0] ? r->tried
		  : r->rev[0]                           ? r->rev
							: r->synced);
	show_time(b, "appliedAt", r->synced_at);
	show_str(b, "health", health_state_name(worst.state));
	buf_printf(b, ",\"drift\":{\"objects\":%zu,\"fields\":%zu}", c.drift_objects,
		   c.drift_fields);
	buf_printf(b, ",\"objects\":{\"total\":%zu,\"healthy\":%zu,\"held\":0}", c.total,
		   c.healthy);
	show_time(b, "since", r->since);
	show_text(b, "lastHealthy", r->healthy);
	show_text(b, "release", r->release);
	show_str(b, "owner", node_get_text(r->doc->notes, STR("owner")));
	if (r->state == APP_FAILED && r->first_cause)
		show_raw(b, "firstCause", str_from(r->first_cause));
	else if (worst.state == HEALTH_DEGRADED) {
		show_open(b, "firstCause", '{');
		key(b, "object");
		show_object(b, worst_id, STR_NONE, STR_NONE);
		show_str(b, "health", health_state_name(worst.state));
		show_str(b, "reason", worst.reason);
		show_str(b, "message", worst.message);
		buf_char(b, '}');
	}
	if (r->run) {
		show_text(b, "stage", run_step_name(r->run->step));
		if (r->run->plan) {
			show_num(b, "waves", r->run->plan->waves);
		}
	}
	if (held) {
		show_str(b, "by", sus.by);
		show_time(b, "until", sus.until);
	}
	app_needs(b, a, r, &c);
	if (whole) {
		show_revision(s, b, "commit", str_from(r->source->name),
			      str_from(r->rev[0] ? r->rev : r->synced), 0);
		show_str(b, "path", r->doc->path);
		show_str(b, "ref", short_ref(r->source->doc));
		if (r->place)
			show_target(b, r);
		show_num(b, "holds", 0);
		if (r->next_at && r->state == APP_FAILED) {
			show_open(b, "nextTry", '{');
			show_time(b, "at", r->next_at);
			show_num(b, "attempt", r->fails + 1);
			buf_char(b, '}');
		}
		show_time(b, "lastHealthyAt", r->healthy_at);
		struct store_sync_query q = {.app = str_from(r->name), .most = 1};
		struct store_syncs rows = {0};

		err_free(store_sync_list(s->store, a, &q, &rows));
		if (rows.n) {
			key(b, "last");
			show_sync(s, b, &rows.p[0], false);
		}
	}
	buf_char(b, '}');
}

/* ------------------------------------------------------------------ a sync of history */

int outcome_exit(enum store_outcome o)
{
	switch (o) {
	case STORE_HEALTHY:
	case STORE_ROLLEDBACK:
	case STORE_RUNNING:
		return 0;
	case STORE_FAILED:
		return 4;
	case STORE_REFUSED:
		return 3;
	case STORE_SUPERSEDED:
		return 5;
	case STORE_WAITING:
		return 6;
	}
	return 2;
}

/* Its members, without braces. */
void show_sync_members(struct sync *s, struct buf *b, const struct store_sync *h, bool steps)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct node *cause = h->first_cause.p ? json_read(a, h->first_cause) : NULL;
	bool word = str_eq(h->by, STR("push")) || str_eq(h->by, STR("interval")) ||
		    str_eq(h->by, STR("drift"));

	(void)s;
	show_str(b, "app", h->app);
	show_num(b, "number", h->number);
	show_open(b, "revision", '{');
	show_str(b, "commit", h->revision);
	show_str(b, "subject", h->subject);
	show_str(b, "author", h->author_email);
	show_str(b, "signer", h->signer);
	show_str(b, "key", h->key);
	buf_char(b, '}');
	show_text(b, "outcome", store_outcome_name(h->outcome));
	show_num(b, "exit", (uint64_t)outcome_exit(h->outcome));
	if (cause) {
		show_str(b, "reason", node_get_text(cause, STR("reason")));
		show_str(b, "message", node_get_text(cause, STR("message")));
	}
	if (h->outcome == STORE_WAITING)
		show_str(b, "plan", h->plan);
	buf_printf(b,
		   ",\"counts\":{\"created\":%llu,\"changed\":%llu,\"deleted\":%llu,"
		   "\"unchanged\":%llu}",
		   (unsigned long long)h->created, (unsigned long long)h->changed,
		   (unsigned long long)h->deleted, (unsigned long long)h->unchanged);
	show_num(b, "requests", h->requests);
	show_num(b, "writes", h->writes);
	show_time(b, "started", h->started);
	show_seconds(b, "took", h->took);
	show_raw(b, "firstCause", h->first_cause);
	show_str(b, "by", word ? h->by : STR("person"));
	if (!word)
		show_str(b, "person", h->by);
	if (steps && h->detail.p) {
		const struct node *d = json_read(a, h->detail);

		show_node(b, "steps", node_get(d, STR("steps")));
	}
}

void show_sync(struct sync *s, struct buf *b, const struct store_sync *h, bool steps)
{
	buf_char(b, '{');
	show_sync_members(s, b, h, steps);
	buf_char(b, '}');
}

/* ------------------------------------------------------------------ fields */

void show_origin(struct buf *b, str file, uint32_t line, str commit, str signer)
{
	if (!file.n)
		return;
	show_open(b, "origin", '{');
	show_str(b, "file", file);
	if (line)
		show_num(b, "line", line);
	show_str(b, "commit", commit);
	show_str(b, "signer", signer);
	buf_char(b, '}');
}

void show_writer(struct buf *b, str manager, str operation, str subresource, str last_active)
{
	if (!manager.n)
		return;
	show_open(b, "writer", '{');
	show_str(b, "manager", manager);
	show_str(b, "operation", operation);
	show_str(b, "subresource", subresource);
	show_str(b, "lastActive", last_active);
	buf_char(b, '}');
}

void show_event_field(struct buf *b, const struct event_field *f, msec since)
{
	buf_char(b, '{');
	show_str(b, "path", f->path);
	if (f->redacted) {
		show_bool(b, "redacted", true);
	} else {
		show_node(b, "git", f->git);
		show_node(b, "live", f->live);
		show_node(b, "applied", f->applied);
	}
	show_origin(b, f->origin.file, f->origin.line, f->origin.commit, f->origin.signer);
	show_writer(b, f->writer.manager, f->writer.operation, f->writer.subresource,
		    f->writer.last_active);
	show_time(b, "since", since);
	buf_char(b, '}');
}

void show_plan_field(struct arena *a, struct buf *b, const struct plan_field *f)
{
	buf_char(b, '{');
	show_str(b, "path", f->path);
	if (f->redacted) {
		show_bool(b, "redacted", true);
	} else {
		show_node(b, "git", f->git);
		show_node(b, "live", f->live);
		show_node(b, "applied", f->applied);
	}
	show_str(b, "class", diff_class_name(f->class));
	show_origin(b, f->origin_file, f->origin_line, STR_NONE, STR_NONE);
	show_writer(b, f->writer, f->writer_operation, f->writer_subresource,
		    f->writer_at ? time_rfc3339(a, f->writer_at, false) : STR_NONE);
	buf_char(b, '}');
}
