/* A job is the controller's, but its lists come from read sets and documents: the JSON, a NUL, and
 * one blob that stands for each of the job's. */
#include "leeboard/worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(arena) struct arena *a = arena_new();
	str json = str_n((const char *)data, n), blob = STR_NONE;
	size_t nul = str_chr(json, 0);
	struct job_fetch f;
	struct job_verify v;
	struct job_render r;

	if (nul != SIZE_MAX) {
		blob = str_sub(json, nul + 1, SIZE_MAX);
		json = str_sub(json, 0, nul);
	}
	struct worker_blob blobs[] = {
		{STR("apps"), blob},
		{STR("places"), blob},
		{STR("overlay"), STR("{\"namePrefix\":\"p-\",\"images\":[]}")}};
	const struct worker_job w = {.json = json, .blobs = blobs, .blobs_n = ARRAY_LEN(blobs)};

	err_free(job_fetch_read(a, &w, &f));
	err_free(job_verify_read(a, &w, &v));
	err_free(job_render_read(a, &w, &r));
	return 0;
}
