/* jobs: workers, as many at a time as the Daemon allows; the rest waits in line. */
#include "sync_priv.h"

#include <stdlib.h>

struct job {
	struct jobs *jobs;
	const char *name;
	struct arena *arena; /* of spec */
	struct worker_spec spec;
	struct job_calls calls;
	void *arg;
	struct worker *worker; /* NULL: waits in line */
	bool stopped;          /* nobody wants to hear of it */
};
struct jobs {
	struct sync *s;
	SYNC_LIST(struct job) line, running;
	struct timer *timer;
};

struct jobs *jobs_new(struct sync *s)
{
	struct jobs *j = xcalloc(1, sizeof(*j));

	j->s = s;
	return j;
}

static void job_free(struct job *j)
{
	arena_free(j->arena);
	free(j);
}

static void next(void *arg);

static void wake(struct jobs *js)
{
	if (!js->timer && js->line.n)
		js->timer = timer_start(js->s->loop, 0, next, js);
}

/* Ends it with an error that it never ran to have. */
static void end(struct job *j, struct err *e)
{
	if (j->stopped)
		err_free(e);
	else
		j->calls.done(j->arg, e);
	job_free(j);
}

static struct err *on_frame(void *arg, struct frame *f)
{
	struct job *j = arg;
	struct sync *s = j->jobs->s;

	if (j->stopped)
		return NULL;
	if (f->type == FRAME_SANDBOX) {
		TRY(frame_get_sandbox(f, &s->sandbox));
		s->sandbox_known = true;
		return NULL;
	}
	return j->calls.frame(j->arg, f);
}

static void on_done(void *arg, struct err *e)
{
	struct job *j = arg;
	struct jobs *js = j->jobs;

	metric_add(js->s->metrics, METRIC_WORKER_EXITS, 1,
		   LABELS(j->name, j->stopped ? "stopped"
				   : e        ? "failed"
					      : "done"));
	LIST_DEL(&js->running, j);
	wake(js);
	end(j, e);
}

static struct err *start(struct job *j)
{
	static const struct worker_calls calls = {.frame = on_frame, .done = on_done};
	struct sync *s = j->jobs->s;
	const char *argv[2] = {NULL, NULL};

	argv[0] = arena_printf(j->arena, "%s/leeboard-%s", s->libexec, j->name).p;
	j->spec.argv = argv;
	j->spec.err = 2;
	return worker_start(s->loop, &j->spec, &calls, j, &j->worker);
}

static void next(void *arg)
{
	struct jobs *js = arg;

	js->timer = NULL;
	while (js->line.n && js->running.n < (size_t)js->s->config->daemon.workers) {
		struct job *j = js->line.p[0];
		struct err *e;

		LIST_DEL(&js->line, j);
		e = start(j);
		if (e)
			end(j, e);
		else
			LIST_ADD(&js->running, j);
	}
}

struct err *job_start(struct sync *s, const char *name, struct arena *a,
		      const struct worker_spec *spec, const struct job_calls *calls, void *arg,
		      struct job **ret)
{
	struct job *j = xcalloc(1, sizeof(*j));

	*j = (struct job){.jobs = s->jobs,
			  .name = name,
			  .arena = a,
			  .spec = *spec,
			  .calls = *calls,
			  .arg = arg};
	LIST_ADD(&s->jobs->line, j);
	wake(s->jobs);
	*ret = j;
	return NULL;
}

void job_stop(struct job *j)
{
	if (!j)
		return;
	j->stopped = true;
	if (j->worker) {
		worker_stop(j->worker);
		return;
	}
	LIST_DEL(&j->jobs->line, j);
	job_free(j);
}

size_t jobs_running(const struct jobs *js)
{
	return js->running.n;
}

void jobs_free(struct jobs *js)
{
	if (!js)
		return;
	timer_stop(js->timer);
	while (js->line.n) {
		struct job *j = js->line.p[0];

		LIST_DEL(&js->line, j);
		job_free(j);
	}
	/* The loop ends those that run, and is turned until they are gone (sync_stop). */
	free(js->line.p);
	free(js->running.p);
	free(js);
}
