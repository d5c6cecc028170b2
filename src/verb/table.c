/* table: the verbs. The order is that of `leeboard help`. */
#include "verb_priv.h"

#define END                                                                                        \
	{                                                                                          \
		NULL, 0, NULL, NULL                                                                \
	}
#define REASON                                                                                     \
	{                                                                                          \
		"--reason", 0, "TEXT", "why; recorded with your name"                              \
	}

/* Of verbs that ask a daemon. */
const struct verb_flag verb_common[] = {
	{"--output", 'o', "FORMAT", "text, wide, json or name"},
	{"--socket", 0, "PATH", "the daemon's control socket ($LEEBOARD_SOCKET)"},
	{"--server", 0, "URL", "a daemon's http address instead ($LEEBOARD_SERVER)"},
	{"--token-file", 0, "FILE", "the read token for --server"},
	{"--timeout", 0, "D", "of the whole command, '90s', '10m'; exit status 7"},
	{"--color", 0, "WHEN", "auto, always or never"},
	{"--quiet", 'q', NULL, "errors only"},
	{"--verbose", 'v', NULL, "more"},
	END,
};

static const struct verb_flag check_flags[] = {
	{"--strict", 0, NULL, "exit status 1 when something is odd"},
	END,
};
static const struct verb_flag explain_flags[] = {
	{"--recursive", 0, NULL, "all fields below, too"},
	END,
};
static const struct verb_flag init_flags[] = {
	{"--path", 0, "FOLDER", "folder of the repository that the App renders"},
	{"--to", 0, "TARGET", "a folder, kube:CONTEXT, or in-cluster"},
	{"--branch", 0, "NAME", "the branch; without it the one that is checked out"},
	{"--name", 0, "NAME", "of the Source and the App; without it the repository's"},
	{"--sign", 0, NULL, "accept signed commits only: by the keys of the last 50"},
	{"--file", 'f', "FILE", "write there, not to stdout; a file that exists is left alone"},
	END,
};
static const struct verb_flag render_flags[] = {
	{"--output", 'o', "FILE", "write to FILE, whole or not at all"},
	{"--load-restrictor", 0, "RULE", "LoadRestrictionsRootOnly or LoadRestrictionsNone"},
	{"--reorder", 0, "ORDER", "legacy or none"},
	END,
};
static const struct verb_flag graph_flags[] = {
	{"--dot", 0, NULL, "for Graphviz"},
	{"--why", 0, "OBJECT", "only what this object waits for, and why"},
	END,
};
static const struct verb_flag run_flags[] = {
	{"--shadow", 0, NULL, "plan and report, never write to a target"},
	{"--once", 0, NULL, "one pass over every App, then exit (0, 3 refused, 4 failed, 6 waits)"},
	{"--socket", 0, "PATH", "the control socket, instead of the document's"},
	{"--state", 0, "DIR", "the state directory, instead of the document's"},
	{"--trace", 0, "WORDS", "traces by subject"},
	END,
};
static const struct verb_flag status_flags[] = {
	{"--watch", 'w', NULL, "show it again whenever something changes"},
	{"--all", 'a', NULL, "Apps that are well, too"},
	{"--problems", 0, NULL, "only what is not well"},
	{"--source", 0, "NAME", "only this Source and its Apps"},
	{"--exit-code", 0, NULL, "exit status 1 when something is not well"},
	END,
};
static const struct verb_flag plan_flags[] = {
	{"--rev", 0, "REV", "for this revision instead of the accepted one"},
	END,
};
static const struct verb_flag diff_flags[] = {
	{"--why", 0, NULL, "each side's value, and which decided"},
	END,
};
static const struct verb_flag sync_flags[] = {
	{"--all", 'a', NULL, "all Apps"},
	{"--source", 0, "NAME", "all Apps of this Source"},
	{"--yes", 0, NULL, "do not ask when it is more than one App"},
	{"--no-wait", 0, NULL, "start it and return"},
	{"--force-compare", 0, NULL, "read every object anew"},
	{"--new-target", 0, NULL, "the cluster behind the same words is another one: start afresh"},
	REASON,
	END,
};
static const struct verb_flag wait_flags[] = {
	{"--commit", 0, "SHA", "until it is live and healthy in all Apps that it touches"},
	{"--or-newer", 0, NULL, "a newer commit does as well"},
	{"--for", 0, "STATE", "synced, healthy, no-drift or a revision, of the Apps named"},
	END,
};
static const struct verb_flag history_flags[] = {
	{"--count", 'n', "N", "the last N syncs"},
	{"--since", 0, "TIME", "a time, or how long ago ('24h')"},
	{"--object", 0, "OBJECT", "only syncs that wrote this object"},
	{"--show", 0, "NUMBER", "one sync, whole"},
	END,
};
static const struct verb_flag events_flags[] = {
	{"--follow", 'f', NULL, "go on with what happens"},
	{"--since", 0, "TIME", "a time, or how long ago ('24h')"},
	{"--type", 0, "GLOB", "names that match: 'drift.*'"},
	{"--app", 0, "NAME", "of this App"},
	{"--failed", 0, NULL, "those that a receiver did not take"},
	{"--redeliver", 0, "ID", "send this one again"},
	{"--count", 'n', "N", "the last N"},
	END,
};
static const struct verb_flag drift_flags[] = {
	{"--all", 'a', NULL, "ignored drift, too"},
	{"--heal", 0, NULL, "Git's values back, now, once"},
	{"--export", 0, NULL, "print a patch that makes Git say what live says"},
	REASON,
	END,
};
static const struct verb_flag why_flags[] = {
	{"--namespace", 'n', "NAME", "of the object"},
	{"--app", 0, "NAME", "of this App"},
	{"--all-fields", 0, NULL, "every field that Git sets"},
	END,
};
static const struct verb_flag approve_flags[] = {
	{"--plan", 0, "ID", "this plan and no other, without asking"},
	{"--yes", 0, NULL, "do not ask"},
	{"--no-wait", 0, NULL, "do not follow the sync"},
	REASON,
	END,
};
static const struct verb_flag allow_flags[] = {
	{"--yes", 0, NULL, "do not ask"},
	REASON,
	END,
};
static const struct verb_flag suspend_flags[] = {
	{"--for", 0, "D", "ends by itself after this time"},
	REASON,
	END,
};
static const struct verb_flag resume_flags[] = {
	REASON,
	END,
};
static const struct verb_flag version_flags[] = {
	{"--server", 0, NULL, "the daemon's, with its libraries and its sandbox"},
	END,
};
static const struct verb_flag verify_flags[] = {
	END,
};

const struct verb verb_rows[] = {
	{"run", VERB_CONTROLLER, "[PATH...]", VERB_FILE, 0, -1, "the daemon",
	 "Reads documents from PATH (files or folders; without one the system's or the user's\n"
	 "folder), polls, verifies, renders, applies, watches. Says one line when it is ready.",
	 "leeboard run fleet.yaml", run_flags},
	{"init", VERB_SELF, "REPO", VERB_FILE, 1, 1, "write the first documents for a repository",
	 "Looks at the repository and prints a Source and an App; starts nothing.",
	 "leeboard init ~/shop --path deploy --to ~/shop-live -f shop.yaml", init_flags},
	{"check", VERB_SELF, "PATH...", VERB_FILE, 1, -1,
	 "say every mistake of some documents at once",
	 "Reads documents (files, or folders in name order) and says every mistake with its\n"
	 "place, then what is odd. Exit status 2 when there are mistakes.",
	 "leeboard check fleet.yaml", check_flags},
	{"explain", VERB_SELF, "KIND[.FIELD] | REASON", VERB_WORD, 1, 1,
	 "what a field of a document, or a reason code, means",
	 "The reference in the terminal: a field's type, default and example; a reason code's\n"
	 "cause and cure.",
	 "leeboard explain app.prune.limit", explain_flags},
	{"render", VERB_SELF, "[DIR]", VERB_FILE, 0, 1,
	 "print the objects of a folder, as kustomize build does", NULL,
	 "leeboard render overlays/prod", render_flags},
	{"graph", VERB_SELF, "[APP | DIR]", VERB_APP, 0, 1,
	 "in which order objects go out, and why",
	 "Of a folder as it renders, or of an App as it stands. Without either: of this folder.",
	 "leeboard graph overlays/prod --why deploy/web", graph_flags},
	{"status", VERB_CLIENT, "[APP | SOURCE]", VERB_APP_OR_SOURCE, 0, 1, "how everything stands",
	 "Everything, or one App or Source with its first cause and next step.",
	 "leeboard status web", status_flags},
	{"plan", VERB_CLIENT, "APP", VERB_APP, 1, 1, "what a sync would do, field by field",
	 "Writes nothing. Exit status 1 when there is something to do.", "leeboard plan shop",
	 plan_flags},
	{"diff", VERB_CLIENT, "APP [REV..REV]", VERB_APP, 1, 2, "what differs between Git and live",
	 "Against live, or between two revisions (a commit, or @1 for the sync before the last,\n"
	 "@0). Exit status 1 when something differs.",
	 "leeboard diff web @1..@0", diff_flags},
	{"sync", VERB_CLIENT, "[APP...]", VERB_APP, 0, -1,
	 "poll now, sync, and follow it to the end", NULL, "leeboard sync web", sync_flags},
	{"wait", VERB_CLIENT, "[APP...]", VERB_APP, 0, -1, "until a commit or a state is live",
	 "For pipelines: exit status 0 when it is, else why not (3 refused, 4 failed, 5 "
	 "superseded,\n"
	 "6 a person is needed, 7 time was up).",
	 "leeboard wait --commit 3f2a91c --timeout 10m", wait_flags},
	{"history", VERB_CLIENT, "[APP]", VERB_APP, 0, 1,
	 "every sync: revision, who signed, what it did", NULL, "leeboard history web -n 5",
	 history_flags},
	{"events", VERB_CLIENT, "", VERB_NONE, 0, 0, "what happened, from the durable log", NULL,
	 "leeboard events -f --type 'drift.*'", events_flags},
	{"drift", VERB_CLIENT, "[APP]", VERB_APP, 0, 2, "where live left what Git says",
	 "Exit status 1 when there is some.", "leeboard drift mail --heal", drift_flags},
	{"why", VERB_CLIENT, "OBJECT [FIELD]", VERB_WORD, 1, 2,
	 "where a value comes from and who changed it", NULL,
	 "leeboard why deploy/mail .spec.replicas", why_flags},
	{"verify", VERB_VERIFY, "SOURCE | REPO RANGE", VERB_SOURCE, 1, 2,
	 "who signed which commit, and is it trusted",
	 "Of a Source: what the daemon judged. Of a repository: a range, no daemon needed\n"
	 "('leeboard verify REPO RANGE -h' has its flags).",
	 "leeboard verify fleet", verify_flags},
	{"approve", VERB_CLIENT, "APP", VERB_APP, 1, 1, "release exactly the plan that waits",
	 "Shows the plan and asks for the App's name, then follows the sync. A changed plan needs "
	 "a\n"
	 "new approval.",
	 "leeboard approve shop --reason 'the importer is gone'", approve_flags},
	{"allow", VERB_CLIENT, "SOURCE SHA", VERB_SOURCE, 2, 2, "let one refused commit pass",
	 "Shows first what is wrong with it. --reason is required.",
	 "leeboard allow fleet 8c0d3fe --reason 'laptop was lost, checked by phone'", allow_flags},
	{"suspend", VERB_CLIENT, "APP | SOURCE", VERB_APP_OR_SOURCE, 1, 1, "no writes until resume",
	 "Drift and tips are still shown. --reason is required.",
	 "leeboard suspend shop --for 2h --reason 'migration'", suspend_flags},
	{"resume", VERB_CLIENT, "APP | SOURCE", VERB_APP_OR_SOURCE, 1, 1,
	 "go on, with the newest tip", NULL, "leeboard resume shop", resume_flags},
	{"reload", VERB_CLIENT, "", VERB_NONE, 0, 0, "read the documents again",
	 "All or nothing: with a mistake the old ones stay in force.", "leeboard reload", NULL},
	{"dump", VERB_CLIENT, "APP", VERB_APP, 1, 1, "internals of an App, as JSON", NULL,
	 "leeboard dump web", NULL},
	{"completion", VERB_SELF, "bash | zsh | fish", VERB_WORD, 1, 1,
	 "a completion script for a shell", NULL, "source <(leeboard completion bash)", NULL},
	{"help", VERB_SELF, "[VERB]", VERB_WORD, 0, 1, "say what there is, or more about one verb",
	 NULL, "leeboard help sync", NULL},
	{"version", VERB_SELF, "", VERB_NONE, 0, 0,
	 "print the version, here or (--server) the daemon's", NULL, "leeboard version --server",
	 version_flags},
};
const size_t verb_count = ARRAY_LEN(verb_rows);
