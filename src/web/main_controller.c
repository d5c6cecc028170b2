/* leeboard-controller: the daemon, `leeboard run`. One thread, one loop. */
#include "leeboard/base.h"
#include "leeboard/sync.h"
#include "leeboard/web.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define MAX_FILES 65536u

static const char usage[] =
	"usage: leeboard run [PATH...]\n"
	"\n"
	"The daemon: reads documents (files, or folders in name order), polls their Sources and "
	"holds\n"
	"their Apps' targets to what Git says. Without PATH: /etc/leeboard, or for a user\n"
	"$XDG_CONFIG_HOME/leeboard.\n"
	"\n"
	"      --shadow       plans and reports, never writes to a target\n"
	"      --once         one pass, then exits: 0 all is as Git says, 3 refused, 4 failed, 6 "
	"waits\n"
	"      --socket PATH  the control socket, instead of the document's\n"
	"      --state DIR    the state directory, instead of the document's\n"
	"      --trace WORDS  traces by subject\n"
	"  -h, --help         this text\n"
	"\n"
	"example: leeboard run fleet.yaml\n";

struct program {
	struct loop *loop;
	struct log *log;
	struct metrics *metrics;
	struct sync *sync;
	struct web *web;
	bool stopping;
	struct timer *watchdog;
	msec watchdog_every;
};

static void on_stopped(void *arg)
{
	struct program *p = arg;

	loop_stop(p->loop);
}

static void on_stop(void *arg, int signo)
{
	struct program *p = arg;

	(void)signo;
	if (p->stopping)
		return;
	p->stopping = true;
	sd_notify("STOPPING=1");
	web_stop(p->web);
	p->web = NULL;
	sync_stop(p->sync, on_stopped, p);
}

static void on_reload(void *arg, int signo)
{
	struct program *p = arg;

	(void)signo;
	sd_notify_reloading();
	sync_reload(p->sync);
	sd_notify("READY=1");
}

static void on_watchdog(void *arg)
{
	struct program *p = arg;

	sd_notify("WATCHDOG=1");
	p->watchdog = timer_start(p->loop, p->watchdog_every, on_watchdog, p);
}

static void start_watchdog(struct program *p)
{
	uint64_t usec;

	if (str_to_u64(str_from(getenv("WATCHDOG_USEC")), &usec) && usec >= 2000) {
		p->watchdog_every = (msec)(usec / 2000);
		on_watchdog(p);
	}
}

/* A directory target holds some descriptors open; a shell gives 1,024. */
static void raise_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l))
		return;
	l.rlim_cur = l.rlim_max < MAX_FILES ? l.rlim_max : MAX_FILES;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

static int fail(struct err *e)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	int status = err_exit_status(e);

	err_print(e, &b);
	fputs(b.p ? b.p : "", stderr);
	err_free(e);
	return status ? status : 2;
}

static str default_path(struct arena *a)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (getuid() == 0)
		return STR("/etc/leeboard");
	if (xdg && xdg[0])
		return arena_printf(a, "%s/leeboard", xdg);
	return arena_printf(a, "%s/.config/leeboard", home ? home : "");
}

static void set_log(struct program *p)
{
	const struct daemon_doc *d = &sync_config(p->sync)->daemon;
	enum log_format f = LOG_LOGFMT;

	switch ((enum daemon_log_format)d->log_format) {
	case DAEMON_LOG_AUTO:
		f = getenv("JOURNAL_STREAM") ? LOG_JOURNAL : LOG_LOGFMT;
		break;
	case DAEMON_LOG_LOGFMT:
		f = LOG_LOGFMT;
		break;
	case DAEMON_LOG_JSON:
		f = LOG_JSON;
		break;
	case DAEMON_LOG_JOURNAL:
		f = LOG_JOURNAL;
		break;
	}
	log_set(p->log, f, (enum log_level)d->log_level);
}

static struct err *start(struct program *p, struct sync_env *env, const char *socket)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct web_env we;
	str program;
	size_t slash;

	TRY(place_program(a, "leeboard-fetch", &program));
	slash = str_rchr(program, '/');
	env->libexec = arena_str(a, str_sub(program, 0, slash)).p;
	TRY(sync_new(env, &p->sync));
	set_log(p);
	loop_signal(p->loop, SIGTERM, on_stop, p);
	loop_signal(p->loop, SIGINT, on_stop, p);
	if (!env->once) {
		we = (struct web_env){.loop = p->loop,
				      .sync = p->sync,
				      .metrics = p->metrics,
				      .log = p->log,
				      .daemon = &sync_config(p->sync)->daemon,
				      .socket = socket};
		loop_signal(p->loop, SIGHUP, on_reload, p);
		TRY(web_start(&we, &p->web));
	}
	TRY(sync_start(p->sync));
	if (p->web) {
		str s = web_socket(p->web), http = web_address(p->web);

		log_info(p->log, "daemon.ready", "instance", arena_str(a, sync_instance(p->sync)).p,
			 "socket", arena_str(a, s).p, "http", http.n ? arena_str(a, http).p : NULL,
			 "try", "leeboard status");
		sd_notify("READY=1");
		start_watchdog(p);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"shadow", no_argument, NULL, 's'},
					      {"once", no_argument, NULL, 'o'},
					      {"socket", required_argument, NULL, 'S'},
					      {"state", required_argument, NULL, 'd'},
					      {"trace", required_argument, NULL, 't'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	struct program p = {0};
	struct sync_env env = {0};
	CLEANUP(arena) struct arena *a = arena_new();
	const char *socket = NULL, *trace = NULL, *paths[1];
	struct err *e;
	int c, status = 0;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			env.shadow = true;
			break;
		case 'o':
			env.once = true;
			break;
		case 'S':
			socket = optarg;
			break;
		case 'd':
			env.state_directory = optarg;
			break;
		case 't':
			trace = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	signal(SIGPIPE, SIG_IGN);
	raise_files();
#ifndef LEEBOARD_SANITIZE
	/* Credentials are in memory: no core, no ptrace by others of this user. LeakSanitizer
	 * traces its own process. */
	(void)prctl(PR_SET_DUMPABLE, 0);
#endif
	hash_init();
	p.loop = loop_new();
	p.log = log_new(2, LOG_LOGFMT, LOG_INFO);
	p.metrics = metrics_new();
	if (trace)
		log_trace_set(p.log, str_from(trace));
	env.loop = p.loop;
	env.log = p.log;
	env.metrics = p.metrics;
	env.paths = (const char *const *)&argv[optind];
	env.paths_n = (size_t)(argc - optind);
	if (!env.paths_n) {
		paths[0] = default_path(a).p;
		env.paths = paths;
		env.paths_n = 1;
	}
	e = start(&p, &env, socket);
	if (e) {
		status = fail(e);
	} else {
		loop_run(p.loop);
		if (!p.stopping) { /* --once came to its end */
			status = sync_once_status(p.sync);
			on_stop(&p, 0);
			loop_run(p.loop);
		}
	}
	timer_stop(p.watchdog);
	web_stop(p.web);
	sync_free(p.sync);
	loop_free(p.loop);
	metrics_free(p.metrics);
	log_free(p.log);
	return status;
}
