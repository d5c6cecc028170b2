#include "leeboard/base.h"
#include <setjmp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* A manager that listens at name; "@" is the abstract namespace. */
static int manager(const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, name, n);
	if (name[0] == '@')
		a.sun_path[0] = 0;
	assert_int_equal(bind(fd, (struct sockaddr *)&a,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void told(int fd, const char *want)
{
	char b[200];
	ssize_t n = recv(fd, b, sizeof(b) - 1, MSG_DONTWAIT);

	assert_true(n >= 0);
	b[n] = '\0';
	assert_string_equal(b, want);
}

static void test_a_manager_at_a_path_is_told(void **state UNUSED)
{
	char dir[] = "/tmp/leeboard-service-XXXXXX", path[64];
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/notify", dir);
	fd = manager(path);
	sd_notify("READY=1");
	sd_notify("WATCHDOG=1");
	told(fd, "READY=1");
	told(fd, "WATCHDOG=1");
	close(fd);
	sd_notify("STOPPING=1"); /* nobody listens: nothing happens */
	unlink(path);
	rmdir(dir);
}

static void test_a_manager_in_the_abstract_namespace_is_told(void **state UNUSED)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "@leeboard-test-%ld", (long)getpid());
	fd = manager(name);
	sd_notify("READY=1");
	told(fd, "READY=1");
	close(fd);
}

static void test_a_reload_says_when_it_began(void **state UNUSED)
{
	char name[64], b[200];
	struct timespec t;
	long long usec;
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "@leeboard-test-%ld", (long)getpid());
	fd = manager(name);
	sd_notify_reloading();
	clock_gettime(CLOCK_MONOTONIC, &t);
	n = recv(fd, b, sizeof(b) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	b[n] = '\0';
	assert_int_equal(sscanf(b, "RELOADING=1\nMONOTONIC_USEC=%lld", &usec), 1);
	assert_true(usec <= (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
	assert_true(usec > (long long)(t.tv_sec - 10) * 1000000);
	close(fd);
}

static void test_without_a_manager_nothing_is_said(void **state UNUSED)
{
	unsetenv("NOTIFY_SOCKET");
	sd_notify("READY=1");
	setenv("NOTIFY_SOCKET", "relative", 1);
	sd_notify("READY=1");
	setenv("NOTIFY_SOCKET", "", 1);
	sd_notify("READY=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_manager_at_a_path_is_told),
		cmocka_unit_test(test_a_manager_in_the_abstract_namespace_is_told),
		cmocka_unit_test(test_a_reload_says_when_it_began),
		cmocka_unit_test(test_without_a_manager_nothing_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
