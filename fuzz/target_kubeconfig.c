/* kubeconfig files: whatever stands in them, one located error or a server that is verified. */
#include "target/kube_config.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(arena) struct arena *a = arena_new();
	struct text in = {STR("config"), {(const char *)data, n}};
	str allowed[] = {STR("/usr/bin/aws")};
	struct config_texts allow = {allowed, 1, 1};
	struct kube_config c;

	if (n > 65536)
		return 0;
	CLEANUP(err) struct err *e = kube_config_read(a, &in, STR("/etc/x"), STR_NONE, &allow, &c);

	if (e) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		err_print(e, &b);
		return 0;
	}
	assert(str_starts(c.server, STR("https://")) || str_starts(c.server, STR("http://")));
	assert(!c.exec || str_eq(c.exec->command, allowed[0]));
	assert(!c.ca_file.n || c.ca_file.p[0] == '/');
	return 0;
}
