#include "leeboard/base.h"
#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

/* Everything that was logged since the last call, times replaced by T. */
static const char *logged(int fd, char *line, size_t size)
{
	ssize_t n = read(fd, line, size - 1);
	char *time;

	line[n < 0 ? 0 : n] = '\0';
	for (char *at = line; (time = strstr(at, "time")); at = time + 5) {
		char *from = time + (time[4] == '=' ? 5 : 7), *to = from + 24;

		if (!strchr("=\"", time[4]))
			continue;
		memmove(from + 1, to, strlen(to) + 1);
		*from = 'T';
	}
	return line;
}

#define CHECK(want) assert_string_equal(logged(fds[0], line, sizeof(line)), want)

static void one_event_is_one_line_in_each_format(void **state)
{
	CLEANUP(log) struct log *l = NULL;
	char line[1024];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	l = log_new(fds[1], LOG_LOGFMT, LOG_INFO);
	log_info(l, "sync.finished", "app", "web", "left", (const char *)NULL, "why",
		 "a \"b\"=\n\033", "empty", "");
	CHECK("time=T level=info event=sync.finished app=web why=\"a \\\"b\\\"=\\n\\x1b\" "
	      "empty=\"\"\n");
	log_set(l, LOG_JSON, LOG_INFO);
	log_error(l, "store.failed", "why", "disk \"full\"\n\xff");
	CHECK("{\"time\":\"T\",\"level\":\"error\",\"event\":\"store.failed\","
	      "\"why\":\"disk \\\"full\\\"\\n\xef\xbf\xbd\"}\n");
	log_set(l, LOG_JOURNAL, LOG_INFO);
	log_warn(l, "poll.slow", "source", "fleet");
	CHECK("<4>event=poll.slow source=fleet\n");
	close(fds[0]);
	close(fds[1]);
}

static void levels_and_traces_are_off_until_asked_for(void **state)
{
	CLEANUP(log) struct log *l = NULL;
	char line[1024];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	l = log_new(fds[1], LOG_JOURNAL, LOG_WARN);
	log_info(l, "quiet");
	log_info(NULL, "nobody");
	log_trace(l, "render", "no");
	log_trace_set(l, STR("render, diff"));
	assert_true(log_traces(l, "diff"));
	assert_false(log_traces(l, "plan"));
	assert_false(log_traces(l, "rend"));
	assert_false(log_traces(NULL, "plan"));
	log_trace(l, "render", "%d patches", 3);
	CHECK("<7>trace=render text=\"3 patches\"\n");
	log_trace_set(l, STR("all"));
	assert_true(log_traces(l, "plan"));
	log_trace_set(l, STR(""));
	assert_false(log_traces(l, "plan"));
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_event_is_one_line_in_each_format),
		cmocka_unit_test(levels_and_traces_are_off_until_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
