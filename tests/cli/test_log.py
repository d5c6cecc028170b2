"""leeboard history, events, drift, why, verify and the small verbs, as interface.md 4.7 to 4.10 draw them."""
import json

from daemon import commit, doc, error


def sync(number, short, outcome, started, took, subject, signer='ben@example.org', **more):
    return {'app': 'web', 'number': number, 'outcome': outcome, 'started': started, 'took': took,
            'revision': {'commit': commit(short), 'subject': subject, 'author': signer, 'signer': signer}, **more}


SYNCS = [
    sync(41, '3f2a91c', 'failed', '2026-11-22T14:02:00Z', 300, 'web: 2.4.1', 'ana@example.org', stage='health', counts={'changed': 1}),
    sync(40, '77be012', 'healthy', '2026-11-20T12:00:00Z', 24, 'Revert "web: 2.3.9"', counts={'changed': 2, 'deleted': 1}),
    sync(39, '5a0e3d1', 'rolledback', '2026-11-20T11:00:00Z', 41, 'web: 2.3.9', message='to 2c9f10b', counts={'created': 1, 'changed': 1}),
]


def test_history_is_a_line_for_each_sync(client, daemon):
    daemon.answers['GET /api/v1/history?app=web'] = doc('History', items=SYNCS)
    assert client.screen('history', 'web') == (0, '''\
  #  REVISION  WHEN        SIGNED BY        OUTCOME                 +  ~  -  TOOK   SUBJECT
 41  3f2a91c   14:02       ana@example.org  Failed, health          0  1  0  5m00s  web: 2.4.1
 40  77be012   2026-11-20  ben@example.org  Healthy                 0  2  1  24s    Revert "web: 2.3.9"
 39  5a0e3d1   2026-11-20  ben@example.org  Rolled back to 2c9f10b  1  1  0  41s    web: 2.3.9
leeboard diff web @1..@0 shows the last change
''')


def test_history_of_all_names_the_app_and_one_sync_is_shown_whole(client, daemon):
    daemon.answers['GET /api/v1/history?n=2&object=deploy%2Fweb'] = doc('History', items=SYNCS[:2])
    out = client.screen('history', '-n', '2', '--object', 'deploy/web')[1]
    assert out.splitlines()[0].split() == ['#', 'APP', 'REVISION', 'WHEN', 'SIGNED', 'BY', 'OUTCOME', '+', '~', '-', 'TOOK', 'SUBJECT']
    assert 'leeboard diff' not in out
    daemon.answers['GET /api/v1/history?app=web&number=40'] = doc('History', items=[{**SYNCS[1], 'by': 'push', 'steps': [
        {'action': 'change', 'object': {'kind': 'Deployment', 'namespace': 'shop', 'name': 'web'},
         'fields': [{'path': '.spec.replicas', 'applied': 2, 'git': 3}]}]}])
    assert client.screen('history', 'web', '--show', '40') == (0, '''\
web #40  77be012 "Revert "web: 2.3.9"" (ben@example.org, signed)
Healthy after 24s, 2026-11-20, by push
0 created, 2 changed, 1 deleted, 0 unchanged
  change  Deployment shop/web
    .spec.replicas  2 -> 3
''')
    p = client.run('history', '--show', '40')
    assert (p.returncode, p.stderr) == (2, "'--show' needs an App: syncs are counted for each\n  hint: leeboard history web --show 40\n")
    p = client.run('history', '-n', 'few')
    assert (p.returncode, p.stderr) == (2, "'--count' takes a number, not 'few'\n")
    p = client.run('history', '--since', 'easter')
    assert (p.returncode, p.stderr) == (2, "'--since' takes a time or how long ago, not 'easter'\n  hint: --since 24h, --since 2026-11-20\n")


def test_a_day_is_sent_as_a_time(client, daemon):
    client.run('history', '--since', '2026-11-20')
    assert daemon.asked[-1][1] == '/api/v1/history?since=2026-11-20T00%3A00%3A00.000Z'


def event(number, name, app, message, **more):
    return {'number': number, 'specversion': '1.0', 'id': 'E-%06d' % number, 'type': 'dev.leeboard.' + name, 'source': '/prod-eu/apps/' + app,
            'time': '2026-11-22T13:40:07.212Z', 'severity': 'warn', 'sequence': number, 'data': {'app': app, 'message': message}, **more}


FIRST = event(411, 'drift.found', 'mail', 'Deployment mail/mail .spec.replicas: git 3, live 5')
LINE = '2026-11-22 13:40:07  warn   drift.found         mail  Deployment mail/mail .spec.replicas: git 3, live 5\n'


def test_events_come_from_the_log(client, daemon):
    daemon.answers['GET /api/v1/events?type=drift.%2A&app=mail&limit=5'] = doc('EventList', items=[FIRST])
    assert client.screen('events', '--type', 'drift.*', '--app', 'mail', '-n', '5') == (0, LINE)
    daemon.answers['GET /api/v1/events?failed=1'] = doc('EventList', items=[
        {**FIRST, 'deliveries': [{'receiver': 'oncall/0', 'tries': 4, 'error': '503', 'state': 'pending'}]}])
    assert client.screen('events', '--failed') == (0, LINE + '    oncall/0: 503, 4 tries  (leeboard events --redeliver E-000411)\n')
    daemon.answers['POST /api/v1/events/E-000411/redeliver'] = doc('EventList', items=[FIRST])
    assert client.screen('events', '--redeliver', 'E-000411') == (0, LINE)
    daemon.answers['GET /api/v1/events'] = doc('EventList', items=[])
    assert client.screen('events') == (0, '')


def test_all_events_since_a_time_come_page_by_page(client, daemon):
    path = 'GET /api/v1/events?since=2026-11-20T00%3A00%3A00.000Z'
    daemon.answers[path + '&limit=1000'] = doc('EventList', items=[event(1, 'a', 'web', 'x'), event(2, 'b', 'web', 'x')], next=2)
    daemon.answers[path + '&after=2&limit=1000'] = doc('EventList', items=[event(3, 'c', 'web', 'x')])
    assert client.screen('events', '--since', '2026-11-20', '-o', 'name') == (0, 'E-000001\nE-000002\nE-000003\n')
    assert client.screen('events', '--since', '2026-11-20', '-n', '2', '-o', 'name') == (0, 'E-000002\nE-000003\n')


def read_lines(p, n):
    return ''.join(p.stdout.readline() for _ in range(n))


def test_events_are_followed_over_a_lost_connection(client, daemon):
    daemon.answers['GET /api/v1/events?type=drift.%2A&limit=10'] = doc('EventList', items=[FIRST])
    p = client.start('events', '-f', '--type', 'drift.*', '-o', 'json')
    try:
        first = json.loads(read_lines(p, 1))
        assert first['id'] == 'E-000411' and 'number' not in first
        daemon.say(0, 'progress', {'kind': 'Progress'})
        daemon.say(412, 'sync.started', event(412, 'sync.started', 'mail', 'x'))
        daemon.say(413, 'drift.gone', event(413, 'drift.gone', 'mail', 'y'))
        assert json.loads(read_lines(p, 1))['id'] == 'E-000413'
        daemon.stop()
        assert 'lost the daemon, trying again' in p.stderr.readline()
        again = type(daemon)(daemon.path)
        try:
            again.say(414, 'drift.found', event(414, 'drift.found', 'mail', 'z'))
            assert json.loads(read_lines(p, 1))['id'] == 'E-000414'
            assert daemon.last_event_ids == ['411'] and again.last_event_ids == ['413']
        finally:
            p.terminate()
            again.stop()
    finally:
        p.kill()
        p.wait(10)


def test_a_status_is_shown_again_when_something_happens(client, daemon):
    well = doc('StatusList', items=[{'kind': 'App', 'name': 'web', 'state': 'Synced', 'health': 'Healthy'}])
    daemon.answers['GET /api/v1/status'] = well
    p = client.start('status', '-w')
    try:
        assert read_lines(p, 4).endswith('web  -         Synced  Healthy  -      -\n')
        daemon.answers['GET /api/v1/status'] = doc('StatusList', items=[{'kind': 'App', 'name': 'web', 'state': 'Failed', 'health': 'Degraded'}])
        daemon.say(1, 'sync.failed', {})
        assert read_lines(p, 4).endswith('web  -         Failed  Degraded  -      -\n')
    finally:
        p.kill()
        p.wait(10)


MAIL = {'group': 'apps', 'version': 'v1', 'kind': 'Deployment', 'namespace': 'mail', 'name': 'mail'}
DRIFT = doc('DriftList', items=[
    {'app': 'mail', 'object': MAIL, 'mode': 'detect', 'since': '2026-11-22T13:40:00Z', 'fields': [
        {'path': '.spec.replicas', 'git': 3, 'live': 5, 'applied': 3, 'since': '2026-11-22T13:40:00Z',
         'writer': {'manager': 'kubectl-edit', 'operation': 'Update', 'lastActive': '2026-11-22T13:40:07Z'}}]},
    {'app': 'mail', 'object': {'version': 'v1', 'kind': 'ConfigMap', 'namespace': 'mail', 'name': 'settings'}, 'mode': 'detect',
     'since': '2026-11-22T13:52:00Z', 'fields': [
        {'path': '.data["level"]', 'git': 'info', 'live': 'trace', 'writer': {'manager': 'node-fetch', 'lastActive': '2026-11-22T13:52:00Z'}}]}])


def test_drift_says_field_values_who_and_since(client, daemon):
    daemon.answers['GET /api/v1/drift'] = (200, 1, DRIFT)
    assert client.screen('drift') == (1, '''\
OBJECT              FIELD           GIT     LIVE     WHO                  SINCE
deploy/mail (mail)  .spec.replicas  3       5        kubectl-edit, 13:40  28 min
cm/settings (mail)  .data["level"]  "info"  "trace"  node-fetch, 13:52    16 min
mail is in 'detect': nothing was changed back
  keep it:  leeboard drift mail --export > patch.yaml      undo it:  leeboard drift mail --heal
''')
    daemon.answers['GET /api/v1/drift?app=web&all=1'] = doc('DriftList', items=[])
    assert client.screen('drift', 'web', '-a') == (0, 'no drift\n')


def test_drift_is_kept_or_undone(client, daemon):
    yaml = 'kind: Deployment\nspec:\n  replicas: 5\n'
    daemon.answers['GET /api/v1/export/mail'] = doc('Export', app='mail', objects=1, yaml=yaml)
    assert client.screen('drift', 'mail', '--export') == (0, yaml)
    assert client.screen('drift', 'export', 'mail') == (0, yaml)
    daemon.answers['POST /api/v1/apps/mail/heal'] = doc('SyncResult', app='mail', outcome='healthy', revision={'commit': commit('3f2a91c')},
                                                       counts={'changed': 1}, writes=1)
    assert client.screen('drift', 'mail', '--heal') == (0, 'mail is healthy at 3f2a91c: 1 changed, 1 write\n')
    assert client.run('drift', '--heal').returncode == 2
    assert client.run('drift', 'mail', 'web').stderr == "'web' is one word too many\n"


def test_why_names_the_line_the_commit_and_the_writer(client, daemon):
    daemon.answers['GET /api/v1/why?object=deploy%2Fmail&field=.spec.replicas&namespace=mail'] = doc('Why', app='mail', object=MAIL, fields=[
        {'path': '.spec.replicas', 'git': 3, 'live': 5, 'applied': 3, 'origin': {'file': 'apps/mail/overlays/prod/replicas.yaml', 'line': 4},
         'base': {'file': 'apps/mail/base/deploy.yaml', 'line': 8, 'value': 1},
         'change': {'commit': commit('2c9f10b'), 'subject': 'mail: three replicas', 'author': 'ana@example.org', 'signer': 'ana@example.org',
                    'at': '2026-10-02T09:00:00Z'},
         'writer': {'manager': 'kubectl-edit', 'operation': 'Update', 'lastActive': '2026-11-22T13:40:07Z'},
         'appliedWith': {'commit': commit('3f2a91c'), 'at': '2026-11-22T14:02:00Z'}}])
    assert client.screen('why', 'deploy/mail', '.spec.replicas', '-n', 'mail') == (0, '''\
Deployment mail/mail  .spec.replicas
  git    3   apps/mail/overlays/prod/replicas.yaml:4, patch on apps/mail/base/deploy.yaml:8 (1)
             commit 2c9f10b "mail: three replicas" by ana@example.org, 2026-10-02, signed
  live   5   last written by kubectl-edit (Update), last active 2026-11-22 13:40:07
             the name is what the client claims; the person is in the API server's audit log
  applied 3  with 3f2a91c at 14:02
''')


VERIFIED = doc('Verification', source='fleet', mode='range', accepted=commit('3f2a91c'), items=[
    {'commit': commit('3f2a91c'), 'verdict': 'Good', 'signer': 'ana@example.org', 'key': 'SHA256:lbmsoA0yIEcE', 'subject': 'web: 2.4.1'},
    {'commit': commit('a10c77e'), 'verdict': 'Good', 'signer': 'ben@example.org', 'key': 'SHA256:Zk0aPq81xxxx', 'subject': 'mail: level'},
    {'commit': commit('8c0d3fe'), 'verdict': 'Unsigned', 'reason': 'Unsigned', 'message': 'commit 8c0d3fe is not signed', 'subject': 'hotfix', 'author': 'ben@example.org'},
    {'commit': commit('d2e90b4'), 'verdict': 'KeyExpired', 'signer': 'cem@example.org', 'key': 'SHA256:7Yh1mmKeyyyy', 'subject': 'db: bigger disk',
     'message': "key's valid-before 2026-11-22 is past"}])


def test_verify_is_a_line_for_each_commit(client, daemon):
    daemon.answers['GET /api/v1/verify/fleet'] = (200, 1, VERIFIED)
    assert client.screen('verify', 'fleet') == (1, '''\
good     3f2a91c  ana@example.org  SHA256:lbmsoA0y…  web: 2.4.1
good     a10c77e  ben@example.org  SHA256:Zk0aPq81…  mail: level
REFUSED  8c0d3fe  not signed                         hotfix
REFUSED  d2e90b4  cem@example.org  SHA256:7Yh1mmKe…  db: bigger disk  key's valid-before 2026-11-22 is past
2 good, 2 refused: stays at 3f2a91c
''')


def test_allowing_needs_a_reason_and_passes_the_whole_id(client, daemon):
    daemon.answers['GET /api/v1/verify/fleet'] = (200, 1, VERIFIED)
    daemon.answers['POST /api/v1/sources/fleet/allow'] = doc('Status', source={'kind': 'Source', 'name': 'fleet', 'state': 'Refused'})
    daemon.answers['POST /api/v1/sources/fleet/poll'] = doc('Status', source={'kind': 'Source', 'name': 'fleet', 'state': 'Ready', 'url': 'u', 'ref': 'main'})
    p = client.run('allow', 'fleet', '8c0d3fe', '--yes')
    assert (p.returncode, p.stderr) == (2, 'allow needs a reason: it is recorded with your name\n  hint: --reason TEXT\n')
    p = client.run('allow', 'fleet', '8c0d3fe', '--reason', 'checked')
    assert (p.returncode, p.stderr) == (2, '8c0d3fe "hotfix" by ben@example.org: not signed\nnobody is there to ask\n'
                                           '  hint: --yes answers without asking\n')
    assert client.screen('allow', 'fleet', '8c0d3fe', '--yes', '--reason', 'checked') == (0, 'fleet   Ready   u  main\n\n')
    assert daemon.asked[-2:] == [('POST', '/api/v1/sources/fleet/allow', {'commit': commit('8c0d3fe'), 'reason': 'checked'}),
                                 ('POST', '/api/v1/sources/fleet/poll', {'wait': True})]
    assert client.run('allow', 'fleet', '1111111', '--yes', '--reason', 'x').returncode == 2


def test_suspending_finds_out_what_the_name_is(client, daemon):
    app = doc('Status', app={'kind': 'App', 'name': 'shop', 'state': 'Suspended'})
    daemon.answers['GET /api/v1/apps/shop'] = app
    daemon.answers['POST /api/v1/apps/shop/suspend'] = app
    assert client.run('suspend', 'shop').returncode == 2
    assert client.run('suspend', 'shop', '--reason', 'migration', '--for', '2h').returncode == 0
    assert daemon.asked[-1] == ('POST', '/api/v1/apps/shop/suspend', {'reason': 'migration', 'for': '2h'})
    daemon.answers['GET /api/v1/sources/shop'] = doc('Status', source={'kind': 'Source', 'name': 'shop', 'state': 'Ready'})
    p = client.run('resume', 'shop')
    assert (p.returncode, p.stderr) == (2, "'shop' is an App and a Source\n  hint: leeboard resume app/shop, or source/shop\n")
    daemon.answers['POST /api/v1/sources/shop/resume'] = daemon.answers['GET /api/v1/sources/shop']
    assert client.run('resume', 'source/shop').returncode == 0
    assert daemon.asked[-1] == ('POST', '/api/v1/sources/shop/resume', {})


def test_the_small_verbs_say_what_the_daemon_says(client, daemon):
    daemon.answers['POST /api/v1/reload'] = doc('Reload', documents=4, items=[{'kind': 'App', 'name': 'web', 'change': 'changed'}])
    assert client.screen('reload') == (0, 'App web changed\n4 documents in force, changed as above\n')
    daemon.answers['POST /api/v1/reload'] = (422, 2, error('unknown-key', "unknown key 'intervall'", file='a.yaml', line=31, column=3,
                                                           source='  intervall: 5m', hint="did you mean 'interval'?"))
    p = client.run('reload')
    assert (p.returncode, p.stdout, p.stderr) == (2, '', "a.yaml:31:3: unknown key 'intervall'\n   31 |   intervall: 5m\n"
                                                         "  hint: did you mean 'interval'?\n")
    daemon.answers['GET /api/v1/dump/web'] = doc('Dump', app='web', step='settle')
    assert '\n  "step": "settle"\n' in client.screen('dump', 'web')[1]
    daemon.answers['GET /api/v1/version'] = doc('Version', version='0.1.0', started='2026-11-22T13:08:00Z', libraries={'libcurl': '7.88.1'},
                                                sandbox={'landlock': True, 'landlockAbi': 4, 'netns': False})
    assert client.screen('version', '--server') == (0, 'leeboard 0.1.0, instance prod-eu, up 1 h\nlibraries libcurl 7.88.1\n'
                                                       'sandbox   landlock on, landlockAbi 4, netns OFF\n')


def test_a_graph_of_an_app_comes_from_the_daemon(client, daemon):
    ns = {'version': 'v1', 'kind': 'Namespace', 'name': 'shop'}
    daemon.answers['GET /api/v1/graph/web'] = doc('Graph', app='web', revision=commit('3f2a91c'), waves=[
        {'wave': 1, 'objects': [{'object': ns}]},
        {'wave': 2, 'objects': [{'object': MAIL, 'after': [{'object': ns, 'reason': 'namespace', 'path': '.metadata.namespace'}]}]}])
    assert client.screen('graph', 'web') == (0, '''\
web at 3f2a91c
wave 1
  Namespace shop
wave 2
  Deployment mail/mail
    after Namespace shop  namespace .metadata.namespace
''')


def test_a_reader_that_goes_away_ends_a_verb_that_follows(client, daemon):
    daemon.answers['GET /api/v1/events?limit=10'] = doc('EventList', items=[FIRST])
    p = client.start('events', '-f')
    p.stdout.readline()
    p.stdout.close()
    daemon.say(412, 'drift.gone', event(412, 'drift.gone', 'mail', 'y'))
    try:
        assert p.wait(20) == 2
    finally:
        p.kill()
        p.stderr.close()


def test_over_http_the_token_goes_along(client, daemon, tmp_path):
    p = client.run('status', '--server', 'http://127.0.0.1:1', '--socket', 'x')
    assert (p.returncode, p.stderr) == (2, "'--socket' and '--server' name two daemons\n")
    p = client.run('status', '--server', 'http://127.0.0.1:1')
    assert (p.returncode, p.stderr) == (2, "connect to '127.0.0.1:1': Connection refused\n")
    (tmp_path / 'token').write_text('\n')
    p = client.run('status', '--server', 'http://127.0.0.1:1', '--token-file', 'token')
    assert (p.returncode, p.stderr) == (2, "'token' holds no token\n")
