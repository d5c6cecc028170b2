"""leeboard sync and wait, as interface.md 4.5 and 4.6 draw them."""
import json

from daemon import commit, doc, error

DEPLOY_WEB = {'group': 'apps', 'version': 'v1', 'kind': 'Deployment', 'namespace': 'shop', 'name': 'web'}
HEALTHY = doc('SyncResult', app='web', number=41, outcome='healthy', revision={'commit': commit('3f2a91c')}, took=19.2, exit=0,
              counts={'changed': 1, 'unchanged': 10}, writes=1, requests=3)
HEALTHY_LINE = 'web is healthy at 3f2a91c after 19 s: 1 changed, 10 unchanged, 1 write\n'


def progress(**fields):
    return 0, 'progress', {'kind': 'Progress', 'app': 'web', 'revision': commit('3f2a91c'), **fields}


def settle(result, **fields):
    return progress(stage='settle', wave=2, waves=2, object=DEPLOY_WEB, action='change', result=result, **fields)


def test_a_sync_is_followed_to_its_end(client, daemon):
    def answer(d):
        d.say_and_wait(
            progress(stage='fetch'),
            progress(stage='plan', subject='web: 2.4.1', signer='ana@example.org', objects=11, changes=1, waves=2),
            (0, 'progress', {'kind': 'Progress', 'app': 'other', 'stage': 'plan', 'objects': 3}),
            (17, 'sync.started', {'data': {}}),
            progress(stage='apply', wave=1, waves=2, kinds=['ConfigMap', 'Service', 'ServiceAccount'], result='unchanged'),
            settle('changed', message='0 of 3 ready'), settle('changed', message='2 of 3 ready', took=8),
            settle('healthy', message='3 of 3 ready', took=19))
        return 200, 0, HEALTHY
    daemon.answers['POST /api/v1/apps/web/sync'] = answer
    p = client.run('sync', 'web')
    assert (p.returncode, p.stdout) == (0, HEALTHY_LINE)
    assert p.stderr == '''\
web  3f2a91c "web: 2.4.1"  verified ana@example.org  rendered 11 objects, 1 changed
  1/2  ConfigMap, Service, ServiceAccount         unchanged
  2/2  ~ Deployment shop/web                      healthy    3 of 3 ready    19 s
'''
    assert daemon.asked == [('GET', '/api/v1/stream', None), ('POST', '/api/v1/apps/web/sync', {'wait': True})]


def test_flags_go_along_and_quiet_says_only_the_end(client, daemon):
    daemon.answers['POST /api/v1/apps/web/sync'] = HEALTHY
    p = client.run('sync', 'web', '-q', '--force-compare', '--new-target', '--reason', 'x')
    assert (p.returncode, p.stdout, p.stderr) == (0, HEALTHY_LINE, '')
    assert daemon.asked == [('POST', '/api/v1/apps/web/sync', {'wait': True, 'force_compare': True, 'new_target': True, 'reason': 'x'})]


def test_each_way_a_sync_can_end_has_its_words_and_exit_status(client, daemon):
    for outcome, exit_status, fields, line in (
            ('failed', 4, {'took': 300, 'firstCause': {'object': DEPLOY_WEB, 'reason': 'ImagePullBackOff', 'message': '"acme/web:2.4.1": not found'}},
             'web failed at 3f2a91c after 5 min: Deployment shop/web ImagePullBackOff "acme/web:2.4.1": not found\n'),
            ('refused', 3, {'message': 'commit 8c0d3fe is not signed'}, 'web: refused: commit 8c0d3fe is not signed\n'),
            ('superseded', 5, {'message': 'by 9d11e02', 'took': 2}, 'web: superseded after 2 s: by 9d11e02\n'),
            ('waiting', 6, {'reason': 'prune-limit', 'message': '14 deletions (limit 10)', 'plan': 'ab' * 32},
             'web waits at 3f2a91c: 14 deletions (limit 10)\n  leeboard plan web, leeboard approve web --plan abababababab\n')):
        daemon.answers['POST /api/v1/apps/web/sync'] = (200, exit_status, doc('SyncResult', app='web', outcome=outcome, counts={},
                                                                             revision={'commit': commit('3f2a91c')}, **fields))
        p = client.run('sync', 'web', '-q')
        assert (p.returncode, p.stdout) == (exit_status, line)


def test_json_is_the_result_and_progress_stays_apart(client, daemon):
    def answer(d):
        d.say_and_wait(progress(stage='plan', objects=1, changes=0))
        return 200, 0, HEALTHY
    daemon.answers['POST /api/v1/apps/web/sync'] = answer
    p = client.run('sync', 'web', '-o', 'json')
    assert json.loads(p.stdout) == HEALTHY
    assert p.stderr == 'web  3f2a91c  rendered 1 object, 0 changed\n'


def test_more_than_one_app_needs_a_yes(client, daemon):
    daemon.answers['GET /api/v1/status'] = doc('StatusList', items=[{'kind': 'Source', 'name': 's'}, {'kind': 'App', 'name': 'a'},
                                                                    {'kind': 'App', 'name': 'b', 'namespace': 'n'}])
    daemon.answers['GET /api/v1/status?q=%2A'] = daemon.answers['GET /api/v1/status']
    for name, path in (('a', 'a'), ('n/b', 'n%2Fb')):
        daemon.answers['POST /api/v1/apps/%s/sync' % path] = doc('SyncResult', app=name, outcome='healthy', counts={}, revision={'commit': commit('3f2a91c')})
    p = client.run('sync', '*')
    assert (p.returncode, p.stderr) == (2, 'nobody is there to ask\n  hint: --yes answers without asking\n')
    both = 'a is healthy at 3f2a91c: nothing to do\nn/b is healthy at 3f2a91c: nothing to do\n'
    assert client.screen('sync', '*', '--yes') == (0, both)
    assert client.screen('sync', '--all') == (0, both)
    p = client.run('sync')
    assert (p.returncode, p.stderr) == (2, 'name an App, or say --all\n  hint: leeboard sync web\n')


def test_no_wait_returns_at_once(client, daemon):
    daemon.answers['POST /api/v1/apps/web/sync'] = doc('SyncResult', app='web', outcome='started', counts={})
    assert client.screen('sync', 'web', '--no-wait') == (0, 'web: the sync has begun\n')
    assert daemon.asked[-1][2] == {}


def test_time_that_is_up_leaves_the_sync_alone(client, daemon):
    daemon.answers['POST /api/v1/apps/web/sync'] = lambda d: d.say_and_wait((0, 'x', {})) or (d.release.wait(20), 200, 0)[1:] + (HEALTHY,)
    import threading
    daemon.release = threading.Event()
    p = client.run('sync', 'web', '--timeout', '300ms')
    daemon.release.set()
    assert (p.returncode, p.stdout, p.stderr) == (7, '', 'time was up; what was going on goes on\n')


def test_an_error_is_said_with_its_hint(client, daemon):
    daemon.answers['POST /api/v1/apps/wbe/sync'] = (404, 2, error('not-found', "no App 'wbe'", hint="did you mean 'web'?"))
    p = client.run('sync', 'wbe')
    assert (p.returncode, p.stdout, p.stderr) == (2, '', "no App 'wbe'\n  hint: did you mean 'web'?\n")


def test_waiting_for_a_commit_tells_each_app(client, daemon):
    daemon.answers['GET /api/v1/wait?commit=3f2a91c&timeout=10m'] = (200, 4, doc(
        'WaitResult', commit=commit('3f2a91c'), outcome='failed', exit=4, took=303.2,
        accepted={'commit': commit('3f2a91c'), 'signer': 'ana@example.org', 'delay': 1},
        items=[{'app': 'mail', 'outcome': 'unchanged'},
               {'app': 'web', 'outcome': 'failed', 'took': 300,
                'firstCause': {'object': DEPLOY_WEB, 'reason': 'ImagePullBackOff', 'message': '"acme/web:2.4.1": not found'}}]))
    assert client.screen('wait', '--commit', '3f2a91c', '--timeout', '10m') == (4, '''\
3f2a91c  accepted, ana@example.org, 1 s after the push
  mail   no change
  web    failed after 5 min: Deployment shop/web ImagePullBackOff "acme/web:2.4.1": not found
failed in 1 of 2 apps
''')


def test_every_end_of_waiting_has_its_exit_status(client, daemon):
    for outcome, exit_status, message, line in (
            ('superseded', 5, 'superseded by 9d11e02 before it was live', 'superseded by 9d11e02 before it was live (--or-newer waits for that)\n'),
            ('refused', 3, 'refused: commit 8c0d3fe is not signed', 'refused: commit 8c0d3fe is not signed\n'),
            ('timeout', 7, None, 'time was up; what was going on goes on\n')):
        fields = {'message': message} if message else {}
        daemon.answers['GET /api/v1/wait?app=web%2Cma%2A&for=healthy'] = (200, exit_status, doc('WaitResult', outcome=outcome, exit=exit_status, took=1, **fields))
        assert client.screen('wait', 'web', 'ma*') == (exit_status, line)
    p = client.run('wait')
    assert (p.returncode, p.stderr) == (2, 'wait for what?\n  hint: leeboard wait --commit 3f2a91c --timeout 10m\n')
