/* reasons.c: `leeboard explain REASON`: what a reason code means, its cause and its cure. */
#include "leeboard/cli.h"
#include <strings.h>

/* Rows: code (interface.md 7), where it is met, meaning, cause, cure. */
static const struct reason {
	const char *code, *where, *means, *cure;
} reasons[] = {
	/* Documents. */
	{"unknown-key", "documents", "A document has a field that does not exist.",
	 "Take the word that the message suggests; 'leeboard explain KIND' lists the fields."},
	{"wrong-type", "documents", "A value is of another type than the field takes.",
	 "'leeboard explain KIND.FIELD' says which type it takes, with an example."},
	{"missing", "documents", "A field that is needed, or one of several, is not there.",
	 "Write it; 'leeboard explain KIND.FIELD' has an example."},
	{"bad-value", "documents", "A value is of the right type and still not allowed.",
	 "The message says what is expected in its place."},
	{"no-such-reference", "documents",
	 "A name leads to a document or group that does not exist.",
	 "Mend the name, or add what it names. All files of a configuration are read together."},
	{"duplicate", "documents", "A key, a name or an object is given twice.",
	 "The message names both places; one of them has to go."},
	{"operator-only", "documents",
	 "A document from a cluster or a repository sets what only the operator's files may set.",
	 "Move it into the daemon's own files, or leave it out."},
	{"not-supported-yet", "documents, verbs", "It is planned and not built in this version.",
	 "Leave it out; it is refused, so that nobody believes that it works."},
	{"syntax", "documents, repositories", "A file is no YAML or JSON.",
	 "The message has the place. Tabs, unclosed quotes and colons in plain texts are the usual "
	 "ones."},
	{"usage", "the command line", "A word or flag is not understood.",
	 "'leeboard VERB -h' lists them."},
	{"not-found", "the command line", "What was named does not exist.",
	 "'leeboard status -a -o name' lists what there is."},
	{"limit", "everywhere", "Something is larger than we take from strangers.",
	 "The message names the limit. Split the file, or make the request smaller."},
	{"io", "everywhere", "Reading or writing this machine's files failed.",
	 "The message has the system's reason: rights, space, a missing folder."},
	{"internal", "everywhere", "leeboard contradicts itself: a bug.",
	 "Please report it with the message and 'leeboard version --server'."},
	{"ambiguous", "the command line", "A name fits more than one object.",
	 "The hint lists the candidates; say the namespace (-n), or the whole kind."},
	{"plan-changed", "approve", "The plan is another one than the one that was to be approved.",
	 "Look at it again: 'leeboard plan APP', then approve that."},
	{"not-waiting", "approve", "Nothing waits for an approval.",
	 "'leeboard status APP' says how it stands."},
	/* Sources. */
	{"Unreachable", "sources", "The remote does not answer.",
	 "Name, port, proxy, firewall. What was accepted stays in force and is tried again."},
	{"SourceAuth", "sources", "The remote, or a webhook, does not take the credential.",
	 "Renew the token or key that spec.auth (or spec.webhook.secret) names; its file is read "
	 "anew."},
	{"HostKey", "sources", "The ssh server shows a key that is not in knownHosts.",
	 "Compare the key with what the server's owner publishes, then put it into knownHosts. A "
	 "changed "
	 "key can be an attack."},
	{"TLS", "sources, targets",
	 "The server's certificate cannot be verified, or ours is not taken.",
	 "Give the CA in tls.ca; check the name in the URL and the certificate's dates."},
	{"Redirected", "sources", "The remote sends elsewhere; redirects are never followed.",
	 "Put the new address into spec.url, if you believe it."},
	{"RefGone", "sources", "The branch or tag is not there any more; nothing is pruned.",
	 "Push it again, or name another in spec.ref."},
	{"Refused", "sources", "The tip is not believed; the accepted commit stays live.",
	 "The reason beside it says why: 'leeboard verify SOURCE'."},
	{"Unsigned", "sources", "A commit that has to be signed is not.",
	 "git commit --amend -S, push again; or, once, 'leeboard allow SOURCE SHA --reason TEXT'."},
	{"KeyNotAllowed", "sources",
	 "A commit is signed by a key that no signer of the Policy has.",
	 "Add the key to the Policy if you know whose it is, or sign with one that is in it."},
	{"KeyExpired", "sources", "The key's valid-before is past (or its valid-after to come).",
	 "Sign with a current key, or renew the signer's line in the Policy."},
	{"KeyRevoked", "sources", "The key was revoked.", "Sign again with another key."},
	{"AcceptedKeyUntrusted", "sources",
	 "The key that signed the live commit is trusted no longer.",
	 "Any newer commit signed by a trusted key ends this."},
	{"Rewound", "sources", "The branch was set back to an older commit.",
	 "Use git revert and push; or spec.verify.onRewind, if setting back is how you work."},
	{"Diverged", "sources",
	 "The branch was force-pushed: it no longer contains the accepted commit.",
	 "Merge the accepted commit into it and push; or spec.verify.onForcePush."},
	{"Unrelated", "sources", "The branch shares no history with what was accepted.",
	 "Check spec.url; a new repository needs a new Source."},
	{"TagMoved", "sources", "A tag that was accepted points elsewhere now.",
	 "Make a new tag instead of moving one."},
	{"NeedsApprovals", "sources", "More people have to sign before this is accepted.",
	 "Have them sign; 'leeboard verify SOURCE' says how many are missing."},
	{"MalformedObject", "sources", "A commit's bytes are not what Git writes.",
	 "Make the commit anew; somebody may try to hide something from other readers of it."},
	{"TooLarge", "sources", "A commit object is larger than any honest one.",
	 "Make it anew, smaller."},
	{"CorruptObject", "sources", "Bytes do not hash to the id that was asked for.",
	 "The object store is fetched anew by itself; if it comes again, the remote is damaged."},
	{"IncompleteHistory", "sources",
	 "Commits between the accepted one and the tip cannot be had.",
	 "The remote may be a shallow clone: push the whole history to it."},
	{"UnknownSignature", "sources", "A signature of a kind that nobody knows.",
	 "Sign with an ssh key: git config gpg.format ssh."},
	{"UnsupportedSignature", "sources", "A kind of signature that this version does not judge.",
	 "Sign with an ssh key: git config gpg.format ssh."},
	{"BadSignature", "sources", "The signature does not fit the commit, or is badly formed.",
	 "The commit was changed after it was signed: sign it again."},
	{"WrongNamespace", "sources", "The signature was made for something other than Git.",
	 "Sign with git itself, not with ssh-keygen -n of another name."},
	{"WeakOrUnknownAlgorithm", "sources",
	 "RSA below 3072 bits, SHA-1, or an unknown algorithm.",
	 "Use an Ed25519 key: ssh-keygen -t ed25519."},
	{"SignatureTime", "sources",
	 "The commit's date is in the future, or outside the key's time.",
	 "Set the clock of the machine that commits, and commit again."},
	{"PrincipalMismatch", "sources", "The signer is not the committer.",
	 "Commit and sign as the same person."},
	/* Apps, before a write. */
	{"RenderFailed", "apps", "The overlays do not render.",
	 "The message has file and line; 'leeboard render DIR' says the same at your desk."},
	{"RenderLimit", "apps", "Rendering takes more memory, time or objects than it may.",
	 "Split the App; limits.memory of the Daemon, if you must."},
	{"PathMissing", "apps", "spec.path does not exist at this revision.",
	 "Mend spec.path, or push the folder. Nothing is pruned meanwhile."},
	{"Cycle", "apps", "Objects or Apps wait for each other.",
	 "The message is the shortest circle; 'leeboard graph DIR' shows each edge's reason."},
	{"NotAllowed", "apps", "A Policy does not let this App do that.",
	 "Ask who owns the Policy, or leave the object out."},
	{"OwnedByOther", "apps", "An object carries the mark of another App or engine.",
	 "spec.apply.adopt says when to take it over; or remove it there first."},
	{"Invalid", "apps", "The target's schema does not take an object.",
	 "The message names the field; mend it in Git."},
	{"Immutable", "apps", "A field cannot be changed on an existing object.",
	 "Give the object a new name, or allow leeboard.dev/recreate on it."},
	{"Forbidden", "apps", "Our account may not do this at the target.",
	 "Grant the verb that the message names."},
	{"OtherCluster", "apps", "Another cluster stands behind the same words.",
	 "If that is meant: 'leeboard sync APP --new-target'."},
	/* Waiting. */
	{"prune-limit", "apps, Waiting", "The plan deletes more objects than spec.prune.limit.",
	 "'leeboard plan APP', then 'leeboard approve APP', or bring them back in Git."},
	{"protected-kind", "apps, Waiting",
	 "The plan deletes an object of a kind that is protected.",
	 "'leeboard plan APP', then 'leeboard approve APP'."},
	{"empty-render", "apps, Waiting", "The App renders to nothing: all of it would be deleted.",
	 "Mostly a wrong path. If it is meant: 'leeboard approve APP'."},
	{"approval", "apps, Waiting", "Every plan of this App needs a person.",
	 "'leeboard approve APP'."},
	{"recreate", "apps, Waiting", "An object has to be deleted and made anew.",
	 "'leeboard plan APP' says what goes with it, then 'leeboard approve APP'."},
	{"drift-on-sync", "apps, Waiting", "A commit would write an object that others changed.",
	 "'leeboard drift APP'; then approve, or put the change into Git."},
	{"window", "apps, Waiting", "No window is open now.",
	 "It goes on by itself when one opens."},
	/* Apps, after a write. */
	{"Conflict", "apps", "Others wrote the same object or hold the same field.",
	 "It is tried again; 'leeboard why OBJECT FIELD' says who."},
	{"Denied", "apps", "An admission webhook refused an object.",
	 "The message is the webhook's; ask who runs it."},
	{"Quota", "apps", "A quota of the namespace is used up.", "Raise it, or ask for less."},
	{"Timeout", "apps, requests", "It did not come to an end in time.",
	 "'leeboard status APP' shows what is not healthy; spec.health.timeout sets the time."},
	{"Blocked", "apps", "An object that this one waits for failed.", "Mend that one first."},
	{"Finalizer", "apps", "A deleted object stays: somebody's finalizer holds it.",
	 "Look at metadata.finalizers and at the controller that set it."},
	{"Fight", "apps", "Another writer changes the same field back, again and again.",
	 "Let one of both go: drift.ignore for the field, or stop the other writer."},
	{"ImagePullBackOff", "health", "The image cannot be pulled.",
	 "Name, tag, registry credential; 'git revert' goes back to what ran."},
	{"CrashLoopBackOff", "health", "A container ends again and again.",
	 "Its last log lines stand in 'leeboard status APP'."},
	{"ProgressDeadlineExceeded", "health", "A Deployment did not get ready in its own time.",
	 "'leeboard status APP' shows the pod and why."},
	{"Unschedulable", "health", "No node has room, or fits.",
	 "Requests, taints, affinity, node count."},
	/* The daemon. */
	{"Storage", "the daemon", "The state directory cannot be written or is damaged.",
	 "Space, rights, the disk. What was accepted is still enforced."},
	{"ClockSuspect", "the daemon", "This machine's clock is before things that have happened.",
	 "Set the clock (NTP). Keys with a validity wait until then."},
	{"VerifierFailed", "the daemon",
	 "The worker that judges signatures ended without an answer.",
	 "It is tried again; the log has its last words."},
	{"Sandbox", "the daemon", "The kernel lacks what workers are locked into.",
	 "A kernel with Landlock and seccomp; or 'sandbox: best-effort', if you know why."},
	{"TargetUnreachable", "the daemon", "A target does not answer.",
	 "Network, credential, the API server. What was live stays as it is."},
	{"NotLeader", "the daemon", "Another replica holds the lease.",
	 "Ask that one; it is forwarded by itself in a pod."},
};

bool cli_explain_reason(str code, struct buf *b)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		const struct reason *r = &reasons[i];

		if (code.n != strlen(r->code) || strncasecmp(code.p, r->code, code.n) != 0)
			continue;
		buf_printf(b, "%s   reason code of %s\n\n%s\n\nWhat helps: %s\n", r->code, r->where,
			   r->means, r->cure);
		return true;
	}
	return false;
}

void cli_reasons_reference(struct buf *b)
{
	buf_str(b, STR("# Reason codes\n\nMade from the table in `src/cli/reasons.c`; `leeboard "
		       "explain "
		       "CODE` says the same.\n\n"
		       "| code | of | means | what helps |\n| --- | --- | --- | --- |\n"));
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		buf_printf(b, "| `%s` | %s | %s | %s |\n", reasons[i].code, reasons[i].where,
			   reasons[i].means, reasons[i].cure);
}
