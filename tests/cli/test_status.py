"""leeboard status, as interface.md 4.1 and 4.2 draw it."""
import json
import threading

from daemon import commit, doc, error, plan

DEPLOY_WEB = {'group': 'apps', 'version': 'v1', 'kind': 'Deployment', 'namespace': 'shop', 'name': 'web'}

FLEET = {
    'kind': 'Source', 'name': 'fleet', 'url': 'https://git.example.org/ops/fleet.git', 'ref': 'main', 'state': 'Refused',
    'reason': 'Unsigned', 'message': 'commit 8c0d3fe is not signed', 'offered': commit('8c0d3fe'),
    'accepted': {'commit': commit('3f2a91c'), 'ref': 'refs/heads/main', 'subject': 'web: 2.4.1', 'author': 'ana@example.org',
                 'signer': 'ana@example.org', 'key': 'SHA256:lbmsoA0y', 'at': '2026-11-22T13:54:00Z'},
    'needs': {'message': '8c0d3fe "hotfix" by ben@example.org is not signed; 3f2a91c stays live',
              'commands': ['git commit --amend -S && git push --force-with-lease',
                           'leeboard allow fleet 8c0d3fe --reason …']}}


def app(name, revision='3f2a91c', state='Synced', health='Healthy', fields=0, at='2026-11-22T13:54:00Z', objects=9, **more):
    return {'kind': 'App', 'name': name, 'source': 'fleet', 'state': state, 'revision': commit(revision), 'appliedAt': at,
            'health': health, 'drift': {'objects': min(fields, 1), 'fields': fields},
            'objects': {'total': objects, 'healthy': objects, 'held': 0}, **more}


MAIL = app('mail', fields=2)
SHOP = app('shop', '77be012', 'Waiting', fields=1, at='2026-11-20T12:00:00Z', objects=33, reason='prune-limit',
           message='14 deletions (limit 10)', plan=plan('6b1f0c'),
           needs={'message': 'would delete 14 objects of 33 (limit 10)',
                  'commands': ['leeboard plan shop', 'leeboard approve shop']})
WEB = app('web', state='Failed', health='Degraded', reason='ImagePullBackOff', objects=11, lastHealthy=commit('77be012'),
          firstCause={'object': DEPLOY_WEB, 'reason': 'ImagePullBackOff', 'message': 'not found'},
          needs={'message': 'image acme/web:2.4.1 not found; 77be012 was healthy',
                 'commands': ['git revert 3f2a91c', 'leeboard rollback web']})
ALL = [FLEET, MAIL, SHOP, WEB] + [app('well%d' % i, objects=7) for i in range(38)]


def status(items, **more):
    return doc('StatusList', lastPoll='2026-11-22T14:07:48Z', lastRequest='2026-11-22T13:54:00Z', items=items, **more)


SCREEN = '''\
prod-eu   1 source, 41 apps, 319 objects   last poll 12 s ago, last API request 14 min ago

SOURCE  REF   ACCEPTED  AGE     BY               STATE
fleet   main  3f2a91c   14 min  ana@example.org  Refused 8c0d3fe: not signed

APP   REVISION  STATE    HEALTH    DRIFT     AGE
mail  3f2a91c   Synced   Healthy   2 fields  14 min
shop  77be012   Waiting  Healthy   1 field   2 d     prune-limit
web   3f2a91c   Failed   Degraded  -         14 min  deploy/web ImagePullBackOff
38 more are Synced and Healthy (-a)

Needs you:
  fleet  8c0d3fe "hotfix" by ben@example.org is not signed; 3f2a91c stays live
         git commit --amend -S && git push --force-with-lease, or: leeboard allow fleet 8c0d3fe --reason …
  shop   would delete 14 objects of 33 (limit 10):  leeboard plan shop, leeboard approve shop
  web    image acme/web:2.4.1 not found; 77be012 was healthy:  git revert 3f2a91c, or: leeboard rollback web
'''


def test_everything_is_shown_with_who_is_needed(client, daemon):
    daemon.answers['GET /api/v1/status'] = status(ALL)
    assert client.screen('status') == (0, SCREEN)


def test_all_apps_are_listed_when_asked_or_when_they_are_few(client, daemon):
    daemon.answers['GET /api/v1/status'] = status(ALL)
    assert client.screen('status', '-a')[1].count('\nwell') == 38
    daemon.answers['GET /api/v1/status'] = status([FLEET, app('web')])
    assert 'web  3f2a91c   Synced  Healthy  -      14 min\n' in client.screen('status')[1]


def test_problems_are_a_finding_only_when_asked(client, daemon):
    daemon.answers['GET /api/v1/status'] = status(ALL)
    assert client.run('status', '--exit-code').returncode == 1
    daemon.answers['GET /api/v1/status'] = status([{**FLEET, 'state': 'Ready', 'needs': None} and
                                                   {k: v for k, v in {**FLEET, 'state': 'Ready'}.items() if k not in ('needs', 'message')},
                                                   app('web')])
    assert client.run('status', '--exit-code').returncode == 0


def test_flags_reach_the_daemon(client, daemon):
    daemon.answers['GET /api/v1/status?q=shop%2A&source=fleet&problems=1'] = status([SHOP])
    assert client.run('status', 'shop*', '--source', 'fleet', '--problems').returncode == 0


ONE = '''\
web   Failed at 3f2a91c "web: 2.4.1" (ana@example.org, signed)   owner: team-web

Deployment shop/web is Degraded since 14:02:00, 6 min
  pod web-7d9c6f-x2x9k, container web: ImagePullBackOff
  Back-off pulling image "acme/web:2.4.1": not found
  image is set by apps/web/overlays/prod/kustomization.yaml:14, changed in 3f2a91c from 2.4.0
  older pods still serve: 3 of 3 ready

Source   fleet  main  apps/web/overlays/prod      Target  in-cluster, as shop/deployer
Waves    1 of 2 done: Namespace, ConfigMap, Service; Deployment failed, HorizontalPodAutoscaler blocked by Deployment
Drift    none     Holds  none     Next try in 2 min 40 s (4th)
Healthy before at 77be012, 2 d

Next: push a fix, git revert 3f2a91c, or: leeboard rollback web
'''


def test_one_app_is_shown_with_its_first_cause(client, daemon):
    daemon.answers['GET /api/v1/apps/web'] = doc('Status', app={
        **{k: v for k, v in WEB.items() if k != 'needs'}, 'ref': 'main', 'path': 'apps/web/overlays/prod', 'owner': 'team-web',
        'target': {'kind': 'in-cluster', 'as': 'shop/deployer'},
        'commit': {'commit': commit('3f2a91c'), 'subject': 'web: 2.4.1', 'author': 'ana@example.org', 'signer': 'ana@example.org'},
        'firstCause': {'object': DEPLOY_WEB, 'health': 'Degraded', 'since': '2026-11-22T14:02:00Z', 'pod': 'web-7d9c6f-x2x9k',
                       'container': 'web', 'reason': 'ImagePullBackOff',
                       'message': 'Back-off pulling image "acme/web:2.4.1": not found', 'field': 'image', 'from': '2.4.0',
                       'origin': {'file': 'apps/web/overlays/prod/kustomization.yaml', 'line': 14, 'commit': commit('3f2a91c')},
                       'note': 'older pods still serve: 3 of 3 ready'},
        'waves': [{'wave': 1, 'state': 'done', 'kinds': [{'kind': k, 'count': 1, 'state': 'done'} for k in ('Namespace', 'ConfigMap', 'Service')]},
                  {'wave': 2, 'state': 'failed', 'kinds': [{'kind': 'Deployment', 'count': 1, 'state': 'failed'},
                                                           {'kind': 'HorizontalPodAutoscaler', 'count': 1, 'state': 'blocked', 'blockedBy': DEPLOY_WEB}]}],
        'holds': 0, 'nextTry': {'at': '2026-11-22T14:10:40Z', 'attempt': 4}, 'lastHealthyAt': '2026-11-20T12:00:00Z',
        'next': 'push a fix, git revert 3f2a91c, or: leeboard rollback web'})
    assert client.screen('status', 'web') == (0, ONE)


SOURCE = '''\
fleet   Refused 8c0d3fe: not signed   https://git.example.org/ops/fleet.git  main

Accepted 3f2a91c "web: 2.4.1" (ana@example.org, signed), 14 min
Refused  8c0d3fe "hotfix" by ben@example.org: not signed
Verify   range, policy team
Polled   12 s ago, every 30 s
Apps     mail, shop

Next: sign and push again
'''


def test_one_source_is_shown_with_what_it_refuses(client, daemon):
    daemon.answers['GET /api/v1/sources/fleet'] = doc('Status', source={
        **{k: v for k, v in FLEET.items() if k != 'needs'}, 'verify': {'mode': 'range', 'policy': 'team'}, 'interval': 30,
        'lastPoll': '2026-11-22T14:07:48Z', 'apps': ['mail', 'shop'], 'next': 'sign and push again',
        'refused': {'commit': commit('8c0d3fe'), 'subject': 'hotfix', 'author': 'ben@example.org', 'message': 'not signed'}})
    assert client.screen('status', 'source/fleet') == (0, SOURCE)
    assert client.screen('status', 'fleet') == (0, SOURCE)


def test_what_ends_a_suspension_stands_beside_it(client, daemon):
    source = {'kind': 'Source', 'name': 'fleet', 'ref': 'main', 'state': 'Suspended', 'by': 'ana', 'message': 'moving house'}
    daemon.answers['GET /api/v1/status'] = status([source])
    assert client.screen('status')[1].endswith('  Suspended: moving house  leeboard resume source/fleet\n')
    daemon.answers['GET /api/v1/apps/web'] = doc('Status', app=app('web', state='Suspended', by='ana', message='moving house',
                                                                   until='2026-11-22T15:00:00Z'))
    out = client.screen('status', 'web')[1]
    assert '  moving house\n  by ana\n  until 15:00\n' in out and out.endswith('\nNext: leeboard resume app/web\n')


def test_what_is_not_there_is_said_with_the_nearest(client, daemon):
    daemon.answers['GET /api/v1/apps/wbe'] = (404, 2, error('not-found', "no App 'wbe'", hint="did you mean 'web'?"))
    p = client.run('status', 'wbe')
    assert (p.returncode, p.stdout, p.stderr) == (2, '', "no App or Source 'wbe'\n  hint: did you mean 'web'?\n")
    p = client.run('status', 'wbe', '-o', 'json')
    assert p.stderr == '' and p.returncode == 2
    assert json.loads(p.stdout)['errors'][0]['message'] == "no App or Source 'wbe'"


def test_names_feed_other_commands(client, daemon):
    daemon.answers['GET /api/v1/status'] = status([FLEET, {**MAIL, 'namespace': 'team'}, WEB])
    assert client.screen('status', '-o', 'name') == (0, 'source/fleet\napp/team/mail\napp/web\n')


def test_json_is_the_daemons_document_as_it_came(client, daemon):
    text = '{"apiVersion":"leeboard.dev/v1", "kind":"StatusList","n":9007199254740993,"items":[]}'
    daemon.answers['GET /api/v1/status'] = text
    assert client.screen('status', '-o', 'json') == (0, text + '\n')


def test_wide_has_more_columns(client, daemon):
    daemon.answers['GET /api/v1/status'] = status(ALL)
    out = client.screen('status', '-o', 'wide')[1]
    assert 'SOURCE  REF   ACCEPTED  AGE     BY               STATE                        URL\n' in out
    assert 'mail  3f2a91c   Synced   Healthy   2 fields  14 min  fleet\n' in out


def test_foreign_text_cannot_drive_the_terminal(client, daemon):
    evil = {**FLEET, 'message': 'x\x1b[2Jy\nz', 'needs': {'message': 'a\x07b', 'commands': ['c\x1b]0;d']}}
    daemon.answers['GET /api/v1/status'] = status([evil, app('w\x1b[31m')])
    out = client.screen('status')[1]
    assert '\x1b' not in out and '\x07' not in out
    assert 'Refused x\\x1b[2Jy\\x0az\n' in out
    assert '  fleet  a\\x07b:  c\\x1b]0;d\n' in out


def test_colour_is_only_for_terminals_unless_asked(client, daemon):
    daemon.answers['GET /api/v1/status'] = status(ALL)
    assert '\x1b' not in client.screen('status')[1]
    assert '\x1b[31mFailed\x1b[0m' in client.screen('status', '--color', 'always')[1]
    p = client.run('status', CLICOLOR_FORCE='1')
    assert '\x1b[31mFailed\x1b[0m' in p.stdout
    assert '\x1b' not in client.run('status', CLICOLOR_FORCE='1', NO_COLOR='1').stdout


def test_no_daemon_is_said_with_what_helps(client, tmp_path):
    p = client.run('status')
    assert (p.returncode, p.stdout) == (2, '')
    assert p.stderr == ("no daemon at the socket '%s'\n  hint: start one with 'leeboard run', or name it with --socket or --server\n"
                        % client.socket)
    p = client.run('status', LEEBOARD_SOCKET='', XDG_RUNTIME_DIR=str(tmp_path))
    assert (p.returncode, p.stderr) == (2, "no daemon at the socket (tried two paths): start one with 'leeboard run', or name it with "
                                           '--socket or --server\n')


def test_a_daemon_that_hangs_is_given_up_in_time(client, daemon):
    released = threading.Event()
    daemon.answers['GET /api/v1/status'] = lambda d: released.wait(20) and (200, 0, status([]))
    p = client.run('status', '--timeout', '200ms')
    released.set()
    assert (p.returncode, p.stdout, p.stderr) == (7, '', 'time was up; what was going on goes on\n')


def test_an_answer_that_is_no_document_is_trouble(client, daemon):
    daemon.answers['GET /api/v1/status'] = 'hello'
    p = client.run('status')
    assert (p.returncode, p.stderr) == (2, "the daemon's answer is no document (status 200)\n")


def test_words_are_checked_before_anybody_is_asked(client):
    for argv, message in ((['status', '--problem'], "unknown flag '--problem'\n  hint: did you mean '--problems'?\n"),
                          (['status', 'a', 'b'], "'b' is one word too many\n  hint: leeboard status -h\n"),
                          (['status', '-o', 'yaml'], "'-o' is text, wide, json or name, not 'yaml'\n"),
                          (['status', '--source'], "'--source' needs a value: NAME\n"),
                          (['status', '--all=yes'], "'--all' takes no value\n"),
                          (['status', '--timeout', 'soon'], "'--timeout' takes a duration, not 'soon'\n  hint: --timeout 90s, --timeout 10m\n"),
                          (['plan'], 'plan needs APP\n  hint: leeboard plan shop\n')):
        p = client.run(*argv)
        assert (p.returncode, p.stdout, p.stderr) == (2, '', message)
