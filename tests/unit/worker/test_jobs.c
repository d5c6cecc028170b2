/* Jobs and typed answers: what one side writes the other reads, and what is no job is refused. */
#include "leeboard/worker.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define ID1 "1111111111111111111111111111111111111111"
#define ID2 "2222222222222222222222222222222222222222"

#define ok(e)                                                                                      \
	do {                                                                                       \
		CLEANUP(err) struct err *e_ = (e);                                                 \
		if (e_) {                                                                          \
			CLEANUP(buf) struct buf b_ = BUF_INIT;                                     \
			err_print(e_, &b_);                                                        \
			fail_msg("%s", b_.p);                                                      \
		}                                                                                  \
	} while (0)

static void says(struct err *e, const char *want)
{
	CLEANUP(err) struct err *mine = e;
	CLEANUP(buf) struct buf b = BUF_INIT;

	assert_non_null(mine);
	err_line_to(mine, &b);
	assert_string_equal(b.p, want);
}

static void same(str a, const char *b)
{
	CLEANUP(cstr) char *p = xstrndup(a.p ? a.p : "", a.n);

	assert_string_equal(p, b);
}

static struct worker_job job_of(const struct worker_spec *s)
{
	/* The worker gets copies; here the arena's are near enough. */
	return (struct worker_job){.json = s->json,
				   .blobs = (struct worker_blob *)(uintptr_t)s->blobs,
				   .blobs_n = s->blobs_n};
}

static void a_fetch_job_survives_and_keeps_secrets_out_of_the_json(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const str haves[] = {STR(ID2)}, prefixes[] = {STR("refs/heads/main"), STR("HEAD")};
	const struct job_fetch j = {.op = JOB_FETCH,
				    .objects = STR("/state/repo/fleet/objects"),
				    .url = STR("https://git.example.org/fleet"),
				    .prefixes = prefixes,
				    .prefixes_n = 2,
				    .want = STR(ID1),
				    .ref = STR("refs/heads/main"),
				    .haves = haves,
				    .haves_n = 1,
				    .depth = 1,
				    .unshallow = true,
				    .auth = AUTH_BASIC,
				    .username = STR("ana"),
				    .secret = STR("canary"),
				    .ca = STR("pem"),
				    .timeout = 5 * MINUTE,
				    .max_pack = 7,
				    .limits = {.best_effort = true, .memory_bytes = 9}};
	struct worker_spec spec = {0};
	struct worker_job w;
	struct job_fetch r;

	ok(job_fetch_write(a, &j, &spec));
	same(spec.json,
	     "{\"auth\":\"basic\",\"bestEffort\":true,\"depth\":1,\"haves\":[\"" ID2
	     "\"],\"maxPack\":7,\"memory\":9,\"objects\":\"/state/repo/fleet/objects\","
	     "\"op\":\"fetch\",\"prefixes\":[\"refs/heads/main\",\"HEAD\"],"
	     "\"ref\":\"refs/heads/main\",\"timeout\":300000,\"unshallow\":true,"
	     "\"url\":\"https://git.example.org/fleet\",\"username\":\"ana\",\"want\":\"" ID1
	     "\"}");
	w = job_of(&spec);
	ok(job_fetch_read(a, &w, &r));
	assert_int_equal(r.op, JOB_FETCH);
	same(r.objects, "/state/repo/fleet/objects");
	same(r.want, ID1);
	assert_int_equal(r.haves_n, 1);
	same(r.haves[0], ID2);
	same(r.prefixes[1], "HEAD");
	assert_int_equal(r.auth, AUTH_BASIC);
	same(r.secret, "canary");
	same(r.ca, "pem");
	assert_int_equal(r.timeout, 5 * MINUTE);
	assert_true(r.unshallow && !r.fresh && !r.local && r.limits.best_effort);
	assert_int_equal(r.limits.memory_bytes, 9);
	assert_int_equal(r.depth, 1);
}

static void what_is_no_fetch_job_is_refused(void **state UNUSED)
{
	static const char *const cases[][2] = {
		{"[]", "the job is no map"},
		{"{\"op\":\"steal\",\"auth\":\"none\"}", "'op' of the job is an unknown word"},
		{"{\"auth\":\"none\"}", "'op' of the job is missing"},
		{"{\"op\":\"compact\",\"auth\":\"none\",\"objects\":\"o\"}",
		 "'objects' of the job is no absolute path"},
		{"{\"op\":\"compact\",\"auth\":\"none\",\"objects\":\"/o\",\"x\":1}",
		 "the job has a key that its role does not know"},
		{"{\"op\":\"fetch\",\"auth\":\"none\",\"objects\":\"/o\",\"url\":\"u\","
		 "\"want\":\"12\"}",
		 "'want' of the job is no object id"},
		{"{\"op\":\"list\",\"auth\":\"none\",\"url\":\"u\",\"depth\":-1}",
		 "'depth' of the job is out of range"},
		{"{\"op\":\"list\",\"auth\":\"none\",\"url\":7}",
		 "'url' of the job is of another type"},
		{"{\"op\":\"list\",\"auth\":\"none\",\"url\":\"repo\",\"local\":true}",
		 "'url' of the job is no absolute path"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena) struct arena *a = arena_new();
		struct worker_job w = {.json = str_from(cases[i][0])};
		struct job_fetch j;

		says(job_fetch_read(a, &w, &j), cases[i][1]);
	}
}

static void a_verify_job_survives(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct job_seen seen[] = {{STR("web/a.yaml"), STR(ID1)}, {STR("web/\xff"), STR("")}};
	const struct job_app apps[] = {{STR("web"), seen, 2}, {STR("db"), NULL, 0}};
	const struct job_signers signers[] = {{STR("policy.yaml"), STR("ana ssh-ed25519 AAAA")},
					      {STR("team"), STR("")}};
	const str allowed[] = {STR(ID2)};
	const struct job_verify j = {.op = JOB_VERIFY,
				     .objects = STR("/o"),
				     .from = STR(ID1),
				     .to = STR(ID2),
				     .mode = VERIFY_FIRST_PARENT,
				     .on_rewind = 1,
				     .now = 1234,
				     .signers = signers,
				     .signers_n = 2,
				     .allowed = allowed,
				     .allowed_n = 1,
				     .apps = apps,
				     .apps_n = 2};
	struct worker_spec spec = {0};
	struct worker_job w;
	struct job_verify r;

	ok(job_verify_write(a, &j, &spec));
	w = job_of(&spec);
	ok(job_verify_read(a, &w, &r));
	assert_int_equal(r.op, JOB_VERIFY);
	assert_int_equal(r.mode, VERIFY_FIRST_PARENT);
	same(r.from, ID1);
	same(r.to, ID2);
	assert_int_equal(r.on_rewind, 1);
	assert_int_equal(r.on_force_push, 0);
	assert_int_equal(r.now, 1234);
	assert_int_equal(r.signers_n, 2);
	same(r.signers[0].name, "policy.yaml");
	same(r.signers[0].text, "ana ssh-ed25519 AAAA");
	same(r.signers[1].text, "");
	same(r.allowed[0], ID2);
	assert_int_equal(r.apps_n, 2);
	same(r.apps[0].name, "web");
	assert_int_equal(r.apps[0].seen_n, 2);
	same(r.apps[0].seen[0].path, "web/a.yaml");
	same(r.apps[0].seen[0].oid, ID1);
	same(r.apps[0].seen[1].path, "web/\xff");
	same(r.apps[0].seen[1].oid, "");
	assert_int_equal(r.apps[1].seen_n, 0);

	/* Cut anywhere but between two apps, the read sets are refused, and read no further. */
	for (size_t n = w.blobs[2].bytes.n - 1; n > 0; n--) {
		CLEANUP(err) struct err *e = NULL;
		struct worker_blob cut[3] = {w.blobs[0], w.blobs[1], w.blobs[2]};
		struct worker_job less = {.json = w.json, .blobs = cut, .blobs_n = 3};

		cut[2].bytes = str_sub(cut[2].bytes, 0, n);
		e = job_verify_read(a, &less, &r);
		assert_true(!e == (n == w.blobs[2].bytes.n - 10));
	}
}

static void a_render_job_keeps_the_places_of_the_document(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	const struct text in = {STR("fleet.yaml"), STR("path: apps/web\n"
						       "patches:\n"
						       "- target: {kind: Deployment}\n"
						       "  patch: 'a: 1'\n"
						       "commonMetadata: {labels: {team: web}}\n")};
	const struct source source = {.ignore = STR("*.md\n")};
	struct node_docs docs = {0};
	struct worker_spec spec = {0};
	struct worker_job w;
	struct job_render j, r;
	const struct node *patch;
	struct app app = {.name = STR("web"), .path = STR("apps/web"), .source = &source};

	ok(node_read_yaml(a, &in, &docs));
	app.spec = docs.p[0];
	job_render_of(a, &app, &j);
	j.objects = STR("/o");
	j.oid = STR(ID1);
	ok(job_render_write(a, &j, &spec));
	w = job_of(&spec);
	ok(job_render_read(a, &w, &r));
	same(r.app, "web");
	same(r.path, "apps/web");
	same(r.ignore, "*.md\n");
	assert_true(node_equal_strict(r.overlay, node_del(a, app.spec, STR("path"))));
	patch = node_get(node_get(r.overlay, STR("patches"))->items[0], STR("patch"));
	same(patch->at.in->name, "fleet.yaml");
	assert_int_equal(patch->at.line, 4);
	assert_int_equal(patch->at.col, 10);
	assert_int_equal(r.overlay->pairs[1].key_at.line, 5);
	assert_int_equal(r.overlay->pairs[1].key_at.col, 1);

	/* Places that do not fit the tree. */
	assert_true(str_eq(w.blobs[2].name, STR("places")));
	w.blobs[2].bytes.n -= 4;
	says(job_render_read(a, &w, &r), "frame BLOB ends early");
}

/* ------------------------------------------------------------------ answers */

static struct frame framed(struct frame_writer *w)
{
	struct frame f;
	str d;

	ok(frame_bytes(w, &d));
	ok(frame_read(d, &f));
	return f;
}

static void answers_of_the_wrong_form_are_refused(void **state UNUSED)
{
	CLEANUP(frame_writer) struct frame_writer w = {BUF_INIT};
	struct worker_ref ref;
	struct worker_outcome out;
	struct worker_commit commit;
	struct frame f;

	frame_begin(&w, FRAME_REF, 1);
	frame_text(&w, STR("refs/heads/main"));
	frame_text(&w, STR("3f2a"));
	frame_text(&w, STR(""));
	frame_text(&w, STR(""));
	f = framed(&w);
	says(frame_get_ref(&f, &ref), "frame REF has no object id where one belongs");

	f = framed(&w);
	says(frame_get_outcome(&f, &out), "frame REF where OUTCOME was expected");

	frame_begin(&w, FRAME_OUTCOME, 1);
	frame_text(&w, STR("accept"));
	frame_text(&w, STR("Unsigned"));
	frame_text(&w, STR("forward"));
	frame_text(&w, STR(""));
	frame_u32(&w, 0);
	frame_u32(&w, 1);
	f = framed(&w);
	says(frame_get_outcome(&f, &out),
	     "frame OUTCOME has a hold without a reason, or a reason without a hold");

	frame_begin(&w, FRAME_COMMIT, 1);
	frame_text(&w, STR(ID1));
	frame_text(&w, STR(ID1));
	frame_text(&w, STR(ID1 " x"));
	f = framed(&w);
	says(frame_get_commit(&f, &commit), "frame COMMIT has a parent that is no id");
}

static void object_chunk(struct frame_writer *w, const char *id, const char *chunk, uint32_t last)
{
	frame_begin(w, FRAME_OBJECT, 1);
	frame_text(w, str_from(id));
	frame_text(w, STR("web.yaml"));
	frame_u32(w, 3);
	frame_u32(w, 1);
	frame_text(w, str_from(chunk));
	frame_u32(w, last);
}

static void objects_come_together_from_chunks(void **state UNUSED)
{
	CLEANUP(frame_writer) struct frame_writer w = {BUF_INIT};
	struct worker_objects g = {0};
	struct worker_object o;
	struct frame f;
	bool whole;

	object_chunk(&w, "/ConfigMap//a", "{\"a\":", 0);
	f = framed(&w);
	ok(worker_objects_add(&g, &f, &whole, &o));
	assert_false(whole);
	says(worker_objects_end(&g), "the last object has no end");
	object_chunk(&w, "/ConfigMap//a", "1}", 1);
	f = framed(&w);
	ok(worker_objects_add(&g, &f, &whole, &o));
	assert_true(whole);
	same(o.identity, "/ConfigMap//a");
	same(o.file, "web.yaml");
	same(o.json, "{\"a\":1}");
	assert_int_equal(o.line, 3);
	ok(worker_objects_end(&g));

	object_chunk(&w, "/ConfigMap//b", "{", 0);
	f = framed(&w);
	ok(worker_objects_add(&g, &f, &whole, &o));
	object_chunk(&w, "/ConfigMap//c", "{}", 1);
	f = framed(&w);
	says(worker_objects_add(&g, &f, &whole, &o),
	     "frame OBJECT begins before the one before has ended");
	worker_objects_done(&g);
}

static void a_sibling_program_is_found_or_named(void **state UNUSED)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(err) struct err *e = NULL;
	str path;

	ok(worker_program(a, "unit_worker_test_jobs", &path));
	assert_true(str_ends(path, STR("/unit_worker_test_jobs")));
	e = worker_program(a, "leeboard-nonesuch", &path);
	assert_int_equal(err_code(e), ERR_NOT_FOUND);
	assert_true(str_starts(err_message(e), STR("program 'leeboard-nonesuch' is neither ")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fetch_job_survives_and_keeps_secrets_out_of_the_json),
		cmocka_unit_test(what_is_no_fetch_job_is_refused),
		cmocka_unit_test(a_verify_job_survives),
		cmocka_unit_test(a_render_job_keeps_the_places_of_the_document),
		cmocka_unit_test(answers_of_the_wrong_form_are_refused),
		cmocka_unit_test(objects_come_together_from_chunks),
		cmocka_unit_test(a_sibling_program_is_found_or_named),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
