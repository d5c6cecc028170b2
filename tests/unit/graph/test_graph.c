#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "leeboard/graph.h"

#define CM(name, more)                                                                             \
	"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" name             \
	"\",\"namespace\":\"n\"" more "}}"
#define AFTER(what) ",\"annotations\":{\"config.kubernetes.io/depends-on\":\"" what "\"}"
#define WAVE(n) ",\"annotations\":{\"argocd.argoproj.io/sync-wave\":\"" n "\"}"
#define NAMESPACE "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"n\"}}"
#define POD                                                                                        \
	"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"namespace\":"      \
	"\"n\"},"                                                                                  \
	"\"spec\":{\"containers\":[{\"envFrom\":[{\"configMapRef\":{\"name\":\"a\"}}]}]}}"

/* Waves as lines of labels, then what was dropped; or the error, one line each. */
static const char *order(struct arena *a, const char *list)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct text in = {STR("test.json"), str_from(list)};
	const struct graph_edge *dropped;
	const struct graph *g = NULL;
	const struct node *objects;
	struct obj_set *set = obj_set_new(a);
	size_t n;

	assert_null(node_read_json(a, &in, &objects));
	for (uint32_t i = 0; i < objects->n; i++) {
		struct object o;

		assert_null(obj_from_node(a, objects->items[i], &o));
		o.at = LOC_NONE;
		assert_null(obj_set_add(a, set, o));
	}
	CLEANUP(err) struct err *e = graph_build(a, set, &g);
	for (const struct err *x = e; x; x = err_next(x))
		buf_printf(&b, "%s" STR_FMT, x == e ? "" : "\n", STR_ARG(err_message(x)));
	if (e)
		return arena_str(a, buf_view(&b)).p;
	for (size_t w = 0; w < graph_waves(g); w++) {
		const uint32_t *at = graph_wave(g, w, &n);

		buf_str(&b, w ? STR("\n") : STR(""));
		for (size_t i = 0; i < n; i++)
			buf_printf(&b, "%s%s", i ? ", " : "", obj_id_label(a, set->p[at[i]].id).p);
	}
	dropped = graph_dropped(g, &n);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "\ndropped (" STR_FMT ") " STR_FMT,
			   STR_ARG(graph_reason_name(dropped[i].why)), STR_ARG(dropped[i].path));
	return arena_str(a, buf_view(&b)).p;
}

#define ARENA_TEST CLEANUP(arena) struct arena *a = arena_new()

static void an_empty_set_has_no_waves(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(order(a, "[]"), "");
}

static void a_namespace_goes_first_and_what_a_pod_reads_before_it(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(order(a, "[" POD "," CM("a", "") "," CM("b", "") "," NAMESPACE "]"),
			    "Namespace n\nConfigMap n/a, ConfigMap n/b\nPod n/p");
}

static void sync_waves_are_barriers_and_pull_their_namespace_forward(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(order(a, "[" CM("late", WAVE("5")) "," CM("zero", "") "," CM(
					     "early", WAVE("-1")) "," NAMESPACE "]"),
			    "Namespace n\nConfigMap n/early\nConfigMap n/zero\nConfigMap n/late");
}

static void every_cycle_is_told_as_a_path_with_reasons(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(
		order(a,
		      "[" CM("a", AFTER("/namespaces/n/ConfigMap/b")) "," CM(
			      "b",
			      AFTER("/namespaces/n/ConfigMap/a")) "," CM("c",
									 AFTER("/namespaces/n/"
									       "ConfigMap/c")) "]"),
		"cycle: ConfigMap n/a -> (depends-on) ConfigMap n/b -> (depends-on) ConfigMap n/a\n"
		"cycle: ConfigMap n/c -> (depends-on) ConfigMap n/c");
}

static void an_inferred_edge_gives_way_to_a_written_one(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(order(a, "[" POD "," CM("a", AFTER("/namespaces/n/Pod/p")) "]"),
			    "Pod n/p\nConfigMap n/a\n"
			    "dropped (reference) containers[].envFrom[].configMapRef");
}

static void all_bad_annotations_are_told_at_once(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(
		order(
			a,
			"[" CM("a", AFTER("ConfigMap")) "," CM(
				"b", AFTER(
					     "/namespaces/n/ConfigMap/"
					     "gone")) "," CM("c", AFTER("/namespaces/n/ConfigMap/"
									"a, "
									"/namespaces/n/ConfigMap/"
									"a")) "," CM("d",
										     WAVE("soon")) "]"),
		"'config.kubernetes.io/depends-on' of ConfigMap n/a: 'ConfigMap' is neither "
		"group/kind/name nor group/namespaces/ns/kind/name\n"
		"'config.kubernetes.io/depends-on' of ConfigMap n/b names "
		"'/namespaces/n/ConfigMap/gone', which is not in the set\n"
		"'config.kubernetes.io/depends-on' of ConfigMap n/c names "
		"'/namespaces/n/ConfigMap/a' twice\n"
		"'argocd.argoproj.io/sync-wave' of ConfigMap n/d must be an integer, not 'soon'");
}

#define HOOK(name)                                                                                 \
	"{\"apiVersion\":\"admissionregistration.k8s.io/v1\",\"kind\":"                            \
	"\"ValidatingWebhookConfiguration\",\"metadata\":{\"name\":\"" name "\"}}"

static void webhooks_come_last_unless_something_waits_for_them(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(order(a, "[" HOOK("guard") "," CM("a", "") "," NAMESPACE "]"),
			    "Namespace n\nConfigMap n/a\nValidatingWebhookConfiguration guard");
	assert_string_equal(order(a, "[" HOOK("guard") "," CM(
					     "a", ",\"annotations\":{\"leeboard.dev/depends-on\":"
						  "\"ValidatingWebhookConfiguration/guard\"}") "]"),
			    "ValidatingWebhookConfiguration guard\nConfigMap n/a");
}

#define AFTER_OURS(what) ",\"annotations\":{\"leeboard.dev/depends-on\":\"" what "\"}"

static void objects_may_be_named_as_people_do(void **state UNUSED)
{
	ARENA_TEST;

	assert_string_equal(order(a, "[" CM("a", AFTER_OURS("cm/b, configmaps/n/c")) "," CM(
					     "b", "") "," CM("c", "") "]"),
			    "ConfigMap n/b, ConfigMap n/c\nConfigMap n/a");
	assert_string_equal(
		order(a,
		      "[" CM("a", AFTER_OURS("cm/b,Service/n/web,nonsense")) "," CM("b", "") "]"),
		"'leeboard.dev/depends-on' of ConfigMap n/a names 'Service/n/web', which is not in "
		"the set\n'leeboard.dev/depends-on' of ConfigMap n/a: 'nonsense' is neither "
		"group/kind/name nor group/namespaces/ns/kind/name");
	/* Twice, in two spellings. */
	assert_string_equal(
		order(a, "[" CM("a", AFTER_OURS("cm/b,/namespaces/n/ConfigMap/b")) "," CM("b",
											  "") "]"),
		"'leeboard.dev/depends-on' of ConfigMap n/a names '/namespaces/n/ConfigMap/b' "
		"twice");
}

static void kinds_stand_in_the_order_of_flux(void **state UNUSED)
{
	assert_true(graph_kind_rank(STR("CustomResourceDefinition")) <
		    graph_kind_rank(STR("Namespace")));
	assert_true(graph_kind_rank(STR("Service")) < graph_kind_rank(STR("Deployment")));
	assert_true(graph_kind_rank(STR("PodDisruptionBudget")) < graph_kind_rank(STR("Widget")));
	assert_true(graph_kind_rank(STR("Widget")) <
		    graph_kind_rank(STR("MutatingWebhookConfiguration")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_set_has_no_waves),
		cmocka_unit_test(a_namespace_goes_first_and_what_a_pod_reads_before_it),
		cmocka_unit_test(sync_waves_are_barriers_and_pull_their_namespace_forward),
		cmocka_unit_test(every_cycle_is_told_as_a_path_with_reasons),
		cmocka_unit_test(an_inferred_edge_gives_way_to_a_written_one),
		cmocka_unit_test(all_bad_annotations_are_told_at_once),
		cmocka_unit_test(webhooks_come_last_unless_something_waits_for_them),
		cmocka_unit_test(objects_may_be_named_as_people_do),
		cmocka_unit_test(kinds_stand_in_the_order_of_flux),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
