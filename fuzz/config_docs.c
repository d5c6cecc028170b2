/* Documents, as an operator's and as a guest's, and globs. */
#include "leeboard/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct text t = {STR("fuzz.yaml"), {(const char *)data, n}};
	struct config_opts opts = {.home = "/home/x"};

	if (n > 65536)
		return 0;
	for (int carrier = CONFIG_FILE; carrier <= CONFIG_GUEST; carrier++) {
		CLEANUP(config) struct config *c = NULL;
		CLEANUP(buf) struct buf b = BUF_INIT;

		opts.carrier = (enum config_carrier)carrier;
		CLEANUP(err) struct err *e = config_parse(&t, 1, &opts, NULL, &c);

		if (e)
			err_print(e, &b);
	}
	size_t cut = str_chr(t.bytes, '\n');

	if (cut != SIZE_MAX)
		(void)config_glob(str_sub(t.bytes, 0, cut), str_sub(t.bytes, cut + 1, SIZE_MAX));
	return 0;
}
