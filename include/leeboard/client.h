/* client: the verbs that ask a daemon, and their screens.
 *
 * client_run finds the daemon (--socket, $LEEBOARD_SOCKET, the user's socket, the system's; or --server
 * with its token), asks over HTTP/1.1, and shows the answer: `-o json` prints the daemon's document as
 * it came, text and wide are made from it. Data goes to stdout, progress, warnings and errors to
 * stderr; the exit status is the daemon's (header Leeboard-Exit).
 *
 * Fields that screens read, beside those of interface.md 5. Absent means unknown: the words around it
 * are left out, never filled with a guess. Shapes: R {commit, subject, author, signer, key, at},
 * O {group, version, kind, namespace, name}, F {path, git, live, applied, redacted, class, origin,
 * writer, since}, C {object, health, since, pod, container, reason, message, log, field, origin, from,
 * note}, N {created, changed, recreated, deleted, unchanged, failed, blocked}.
 *
 *   document      field                          what the screen says with it
 *   all           time                           "now" of relative times
 *   StatusList    lastPoll, lastRequest, shadow  head line
 *     Source      ref, accepted.at, needs        columns REF, AGE; "Needs you"
 *     App         appliedAt, firstCause, needs, wave, waves, stage, owner, by, until
 *   Status        app | source                   the item, and:
 *     app         commit R, path, ref, target {kind, name, as}, waves [{wave, state, kinds [{kind,
 *                 count, state, blockedBy O}]}], holds, nextTry {at, attempt}, lastHealthyAt, next
 *     source      verify {mode, policy}, refused {R, verdict, reason, message}, apps, polled, next
 *   Plan          commit R, changedBy R, waves, writes, steps[].consent, waiting[].until, approved
 *   Diff          from, to, items[].action, differ, same
 *   SyncResult    exit, stage, reason, message, plan, person
 *   WaitResult    accepted R + delay, supersededBy, items[].{state, health, reason, message}
 *   EventList     items[].number, items[].deliveries [{receiver, tries, error, due}], next
 *   DriftList     items[].{app, mode, since, deleted, recreated, ignored, fight, fieldsAll, action}
 *   Why           fields[].{base {file, line, value}, change R, appliedWith R}
 *   Graph         waves[].objects[].after [{object, reason, path}], dropped
 *   Verification  source, mode, accepted, items[].message
 *   Approval      by, uid · Reload documents, items[].change · Export yaml
 *   Version       version, build, started, libraries, sandbox
 *   Progress      stage, subject, signer, objects, changes, kinds, final, took */
#pragma once
#include "leeboard/base.h"

#define CLIENT_MAX_ANSWER (64u << 20) /* bytes of one document */
#define CLIENT_MAX_LINE (1u << 20)    /* of the event stream */

/* argv[0] is the verb; the exit status. */
int client_run(int argc, char **argv);
