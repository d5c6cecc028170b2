"""Stories of a directory target: a push deploys, whichever way it is fetched; a revert rolls back."""
import os
import shutil

import pytest

from daemon import Failed, app, name_of, signed, source
from folder import Folder, config, manifest, same, workload

WEB = manifest(workload('web', replicas=2))
CM = manifest(config('settings', {'level': 'info', 'workers': '4'}))


def test_a_first_sync_brings_what_git_says_and_a_push_changes_it(daemon, make_repo, live):
    repo = make_repo()
    first = repo.commit({'web.yaml': WEB, 'cm.yaml': CM, 'README.md': '# no manifest\n'})
    d = daemon([source(repo.bare), app(live.path)])
    said = d.wait(first)
    assert said['outcome'] == 'healthy' and [(i['app'], i['outcome']) for i in said['items']] == [('web', 'healthy')]
    assert live.names() == ['ConfigMap/settings', 'Deployment/web'] and same(live, repo)
    a = d.app()
    assert (a['state'], a['revision'], a['objects']['total']) == ('Synced', first, 2)
    # health is not seen here, and said so
    finished = d.events('sync.finished')
    assert len(finished) == 1 and 'health not seen' in finished[0]['data']['message']
    assert finished[0]['data']['counts'] == {'created': 2, 'changed': 0, 'deleted': 0}

    second = repo.commit({'web.yaml': manifest(workload('web', replicas=3))}, 'three')
    d.wait(second)
    assert live.get('Deployment/web')['spec']['replicas'] == 3 and same(live, repo)
    assert [(e['data']['counts'], e['data']['revision']) for e in d.events('sync.finished')][1:] == [
        ({'created': 0, 'changed': 1, 'deleted': 0}, second)]
    assert [e['data']['revision'] for e in d.events('source.accepted')] == [first, second]


def test_an_object_that_git_does_not_change_is_not_written(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit({'web.yaml': WEB, 'cm.yaml': CM}))
    before = live.snapshot()
    d.wait(repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 5'), 'note.txt': 'x'}))
    after = live.snapshot()
    moved = [os.path.basename(p) for p in after if after[p] != before[p]]
    assert moved == [os.path.basename(live.file('Deployment/web'))]
    # the same by hand: nothing is to be done
    result = d.post('apps/web/sync', wait=True, force_compare=True)
    assert (result['exit'], result['outcome']) == (0, 'healthy')
    assert live.snapshot() == after


def test_kustomizations_are_rendered(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path, path='overlays/prod')])
    d.wait(repo.commit({
        'base/web.yaml': WEB, 'base/kustomization.yaml': 'resources: [web.yaml]\nconfigMapGenerator:\n- name: env\n  literals: [a=1]\n',
        'overlays/prod/kustomization.yaml': 'resources: [../../base]\nnamePrefix: prod-\nnamespace: shop\nreplicas:\n- {name: web, count: 7}\n'}))
    web = live.get('Deployment/shop/prod-web')
    assert web['spec']['replicas'] == 7
    assert [n.rsplit('-', 1)[0] for n in live.names()] == ['ConfigMap/shop/prod-env', 'Deployment/shop/prod']


def test_a_revert_restores_the_state_before_and_prunes_what_the_bad_commit_added(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit({'web.yaml': WEB, 'cm.yaml': CM}))
    good = live.objects()
    # more than the limit of deletions, so that a plain prune of these would wait
    bad = repo.commit({**{'extra%d.yaml' % i: manifest(config('extra%d' % i)) for i in range(12)}, 'web.yaml': WEB.replace('replicas: 2', 'replicas: 9')})
    d.wait(bad)
    assert len(live.names()) == 14
    undone = repo.revert(bad)
    assert d.wait(undone)['items'][0]['outcome'] == 'healthy'
    assert live.objects() == good
    back = d.events('sync.rolledback')
    assert len(back) == 1 and back[0]['data']['revision'] == undone and back[0]['data']['counts'] == {'created': 0, 'changed': 1, 'deleted': 12}
    assert not d.events('sync.waiting')
    history = d.get('history', app='web')['items']
    assert [h['outcome'] for h in history] == ['rolledback', 'healthy', 'healthy']
    assert [h['revision']['commit'] for h in history][:2] == [undone, bad]


def test_a_commit_that_cannot_be_rendered_fails_and_the_fix_goes_through(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit({'web.yaml': WEB}))
    before = live.snapshot()
    bad = repo.commit({'web.yaml': 'kind: Deployment\nspec: [\n'})
    said = d.wait(bad, exit=4)
    assert said['outcome'] == 'failed' and 'web.yaml' in said['items'][0]['message']
    assert live.snapshot() == before
    failed = d.events('sync.failed')
    assert len(failed) == 1 and 'web.yaml:' in failed[0]['data']['message']
    d.wait(repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 4')}))
    assert live.get('Deployment/web')['spec']['replicas'] == 4
    assert len(d.events('sync.recovered')) == 1 and len(d.events('sync.failed')) == 1


def test_two_objects_of_one_name_are_refused_with_both_places(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    bad = repo.commit({'a.yaml': CM, 'b.yaml': CM})
    said = d.wait(bad, exit=4)
    assert 'settings' in said['items'][0]['message'] and 'a.yaml' in d.log() and 'b.yaml' in d.log()
    assert live.names() == []


def test_over_http_with_a_credential(daemon, make_repo, live, git_http, tmp_path):
    repo = make_repo()
    first = repo.commit({'web.yaml': WEB})
    git_http.user, git_http.password = 'bot', 'hunter2-hunter2'
    secret = tmp_path / 'password'
    secret.write_text('hunter2-hunter2\n')
    secret.chmod(0o600)
    d = daemon([source(git_http.url(repo), auth={'basic': {'username': 'bot', 'password': {'file': str(secret)}}}), app(live.path)])
    d.wait(first)
    d.wait(repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 6')}))
    assert live.get('Deployment/web')['spec']['replicas'] == 6
    assert {r.auth for r in git_http.requests} == {'basic'} and 401 not in {r.status for r in git_http.requests}
    # a changed one is said, and nothing is lost; its file is read again
    git_http.password = 'hunter3-hunter3'
    d.until(lambda: d.source()['state'] == 'Stalled', 'stalled')
    assert d.source()['reason'] == 'SourceAuth'
    secret.write_text('hunter3-hunter3\n')
    d.post('sources/fleet/poll', wait=True)
    d.until(lambda: d.source()['state'] == 'Ready', 'ready')
    assert same(live, repo) and 'hunter' not in d.log()


def test_polls_are_one_small_request_on_one_connection(daemon, make_repo, live, git_http):
    repo = make_repo()
    for i in range(30):
        repo.commit({'web.yaml': WEB}, push=False)
        repo.push(to='other%d' % i)
    repo.push()
    d = daemon([source(git_http.url(repo)), app(live.path)])
    d.wait(repo.head)
    git_http.forget()
    seen = git_http.wait(lambda rs: sum(r.done for r in rs) >= 3, timeout=15)[:3]
    assert [(r.method, r.command, r.status) for r in seen] == [('POST', 'ls-refs', 200)] * 3
    assert len({r.connection for r in seen}) == 1
    # the branch that is followed, and no other
    assert all(r.sent < 200 and r.got < 200 for r in seen), seen
    print('bytes of one poll: %d out, %d in' % (seen[0].got, seen[0].sent))


def test_over_https_only_with_its_authority(daemon, make_repo, live, git_https):
    repo = make_repo()
    first = repo.commit({'web.yaml': WEB})
    d = daemon([source(git_https.url(repo), name='known', tls={'ca': {'file': git_https.ca}}), source(git_https.url(repo), name='unknown'),
                app(live.path, source='known')])
    d.until(lambda: d.app()['state'] == 'Synced' and d.app()['revision'] == first, 'synced')
    assert same(live, repo)
    d.until(lambda: d.source('unknown')['state'] == 'Stalled', 'stalled')
    assert d.source('unknown')['reason'] == 'TLS'


def test_over_ssh_only_with_its_key_and_host(daemon, make_repo, live, git_ssh, git_keys, tmp_path):
    repo = make_repo()
    first = repo.commit({'web.yaml': WEB})
    auth = {'ssh': {'key': {'file': git_ssh.key.path}, 'knownHosts': {'file': git_ssh.known_hosts}}}
    other = git_keys('stranger')
    lie = tmp_path / 'known_hosts'
    lie.write_text('[127.0.0.1]:%d %s\n' % (git_ssh.port, other.public))
    d = daemon([source(git_ssh.url(repo), auth=auth), app(live.path),
                source(git_ssh.url(repo), name='liar', auth={'ssh': {**auth['ssh'], 'knownHosts': {'file': str(lie)}}})])
    d.until(lambda: d.app()['state'] == 'Synced' and d.app()['revision'] == first, 'synced')
    assert same(live, repo)
    d.until(lambda: d.source('liar')['state'] == 'Stalled', 'stalled')
    assert d.source('liar')['reason'] == 'HostKey'
    repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 3')})
    d.until(lambda: live.get('Deployment/web')['spec']['replicas'] == 3, 'changed')


def test_a_commit_that_touches_one_app_of_200_renders_one(daemon, make_repo, live):
    repo = make_repo()
    n = 200
    repo.commit({'apps/a%03d/cm.yaml' % i: manifest(config('a%03d' % i)) for i in range(n)})
    apps = [app(live.path, name='a%03d' % i, path='apps/a%03d' % i) for i in range(n)]
    d = daemon([source(repo.bare), *apps], release=True)
    d.wait(repo.head, timeout=120)
    assert d.metric('leeboard_renders_total') == n
    second = repo.commit({'apps/a077/cm.yaml': manifest(config('a077', {'a': '2'}))})
    said = d.wait(second)
    assert d.metric('leeboard_renders_total') == n + 1 and d.metric('leeboard_renders_total', app='a077') == 2
    assert {i['outcome'] for i in said['items'] if i['app'] != 'a077'} == {'unchanged'}
    # one that no App reads: none
    d.wait(repo.commit({'README.md': 'x'}))
    assert d.metric('leeboard_renders_total') == n + 1
    assert live.get('ConfigMap/a077')['data'] == {'a': '2'}


def test_an_app_waits_for_what_it_depends_on(daemon, make_repo, tmp_path):
    repo = make_repo()
    db, web = Folder(tmp_path / 'db'), Folder(tmp_path / 'web')
    first = repo.commit({'db/cm.yaml': 'not: [a manifest\n', 'web/cm.yaml': CM})
    d = daemon([source(repo.bare), app(web.path, path='web', dependsOn=[{'app': 'db'}]), app(db.path, name='db', path='db')])
    d.until(lambda: d.app('db')['state'] == 'Failed', 'failed')
    d.until(lambda: 'waits for App db' in d.app('web').get('message', ''), 'waiting for db')
    assert d.app('web')['state'] == 'Progressing' and web.names() == []
    assert d.get('wait', commit=first, timeout_='1s')['exit'] in (4, 7)
    d.wait(repo.commit({'db/cm.yaml': manifest(config('db'))}))
    assert web.names() == ['ConfigMap/settings'] and db.names() == ['ConfigMap/db']
    done = [e['data']['app'] for e in d.events('sync.finished')]
    assert done == ['db', 'web']


def test_an_app_may_depend_on_an_object_of_another(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path, path='web', dependsOn=[{'object': '/v1/ConfigMap/default/schema'}]), app(live.path, name='db', path='db')])
    repo.commit({'web/cm.yaml': CM})
    d.until(lambda: 'schema' in d.app('web').get('message', ''), 'waiting for the object')
    assert live.names() == []
    d.until(lambda: d.app('db')['state'] == 'Failed', 'failed: no such path')
    d.wait(repo.commit({'db/cm.yaml': manifest(config('schema', namespace='default'))}))
    assert live.names() == ['ConfigMap/schema', 'ConfigMap/settings']


@pytest.mark.parametrize('again', ['restart', 'kill'])
def test_a_restart_changes_nothing_and_tells_nothing_twice(daemon, make_repo, live, receiver, again):
    from daemon import alert
    repo, r = make_repo(), receiver()
    d = daemon([source(repo.bare), app(live.path), alert(r)])
    d.wait(repo.commit({'web.yaml': WEB, 'cm.yaml': CM}))
    r.wait_event('sync.finished')
    before = live.snapshot()
    d.restart(kill=again == 'kill')
    d.wait(repo.head)
    r.wait(lambda ds: len({x.id for x in ds if x.name == 'daemon.started'}) == 2)
    assert live.snapshot() == before
    # a delivery that was under way when it was killed may come again, by the same id
    assert len({x.id for x in r.got('sync.finished')}) == 1 and len({x.id for x in r.got('source.accepted')}) == 1
    d.wait(repo.commit({'cm.yaml': CM.replace('info', 'debug')}))
    assert live.get('ConfigMap/settings')['data']['level'] == 'debug'


def test_a_lost_state_directory_orphans_nothing_prunes_nothing_and_writes_nothing(daemon, make_repo, live, git_keys, tmp_path):
    ana = git_keys('ana@example.org')
    repo = make_repo(key=ana)
    repo.commit({'web.yaml': WEB, 'cm.yaml': CM, 'old.yaml': manifest(config('old'))})
    d = daemon([source(repo.bare, verify=signed(ana.allowed(), folder=tmp_path)), app(live.path)])
    d.wait(repo.head)
    before = live.snapshot()
    # a person's own file beside ours
    Folder.write(os.path.join(live.path, 'mine.yaml'), manifest(config('mine')))
    assert d.stop() == 0
    shutil.rmtree(d.state)
    d.start()
    d.wait(repo.head)
    assert {p: v for p, v in live.snapshot().items() if not p.endswith('mine.yaml')} == before
    assert d.app()['objects']['total'] == 3
    assert not d.events('drift.found', 'app.orphaned', 'sync.waiting', 'sync.failed')
    # it still knows which objects are its own
    d.wait(repo.commit({'old.yaml': None}))
    assert live.names() == ['ConfigMap/mine', 'ConfigMap/settings', 'Deployment/web']
    # and which commit was accepted: an older one is refused
    assert d.stop() == 0
    shutil.rmtree(d.state)
    repo.reset('HEAD~1')
    d.start()
    told = d.event('source.refused')['data']
    assert (told['offered'], told['reason']) == (repo.head, 'Rewound')
    assert live.names() == ['ConfigMap/mine', 'ConfigMap/settings', 'Deployment/web']


def test_a_rewound_and_a_rewritten_branch_are_refused(daemon, make_repo, live, receiver):
    from daemon import alert
    repo, r = make_repo(), receiver()
    d = daemon([source(repo.bare), app(live.path), alert(r)])
    first = repo.commit({'web.yaml': WEB})
    d.wait(first)
    second = repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 3')})
    d.wait(second)
    repo.reset(first)
    told = r.wait_event('source.refused')
    assert told.data['reason'] == 'Rewound' and told.event['severity'] == 'error' and told.data['offered'] == first
    assert d.source()['state'] == 'Refused' and d.source()['accepted']['commit'] == second
    assert live.get('Deployment/web')['spec']['replicas'] == 3
    # history rewritten
    other = repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 8')}, 'another history')
    told = r.wait_event('source.refused', count=2)
    assert told.data['reason'] == 'Diverged' and told.data['offered'] == other
    assert live.get('Deployment/web')['spec']['replicas'] == 3
    # put right
    repo.reset(second)
    r.wait_event('source.released', count=2)
    assert d.source()['state'] == 'Ready'
    last = repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 4')})
    d.wait(last)
    assert live.get('Deployment/web')['spec']['replicas'] == 4
    assert r.names().count('source.refused') == r.names().count('source.released') == 2


def test_a_bad_reload_is_refused_whole_and_a_good_one_applied(daemon, make_repo, live, receiver, tmp_path):
    from daemon import alert
    repo, r = make_repo(), receiver()
    d = daemon([source(repo.bare), app(live.path), alert(r)])
    d.wait(repo.commit({'web.yaml': WEB, 'api/cm.yaml': manifest(config('api'))}))
    bad = [source(repo.bare, intervall='5m'), app(live.path, dependsOn=[{'app': 'dbb'}]), alert(r)]
    with open(d.write(bad), encoding='utf-8') as f:
        lines = f.read().splitlines()
    with pytest.raises(Failed) as e:
        d.reload()
    assert e.value.status == 422 and e.value.exit == 2 and len(e.value.codes) == 2
    first = e.value.body['errors'][0]
    assert "unknown key 'intervall'" in first['message'] and "'interval'" in json_text(first)
    assert 'intervall' in lines[first['line'] - 1] and first['file'].endswith('all.yaml')
    told = r.wait_event('config.refused')
    assert 'intervall' in told.data['message'] or 'intervall' in json_text(told.data)
    # the old documents are in force
    d.wait(repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 3')}))
    assert live.get('Deployment/web')['spec']['replicas'] == 3
    status = d.get('status')
    assert status['warnings'] and status['refusedGeneration'] > status['generation']
    # a file that changes is read by itself
    api = Folder(tmp_path / 'api')
    d.write([source(repo.bare), app(live.path, dependsOn=[{'app': 'api'}]), app(api.path, name='api', path='api'), alert(r)])
    r.wait_event('config.accepted')
    d.until(lambda: api.names() == ['ConfigMap/api'] and d.app('api')['state'] == 'Synced', 'the new App')
    assert not d.get('status').get('warnings')


def json_text(v):
    import json
    return json.dumps(v)


def test_an_app_that_goes_leaves_or_takes_its_objects(daemon, make_repo, tmp_path):
    repo = make_repo()
    keep, drop = Folder(tmp_path / 'keep'), Folder(tmp_path / 'drop')
    docs = [source(repo.bare), app(keep.path, name='keep'), app(drop.path, name='drop', deletionPolicy='Delete')]
    d = daemon(docs)
    d.wait(repo.commit({'web.yaml': WEB, 'cm.yaml': CM}))
    d.write(docs[:1])
    d.reload()
    d.until(lambda: drop.names() == [], 'deleted')
    assert keep.names() == ['ConfigMap/settings', 'Deployment/web']
    orphaned = d.event('app.orphaned')
    assert orphaned['data']['app'] == 'keep' and orphaned['data']['objects'] == 2
    # and comes back to what it left
    before = keep.snapshot()
    d.write(docs[:2])
    d.reload()
    d.wait_for('synced', 'keep')
    assert keep.snapshot() == before and d.app('keep')['objects']['total'] == 2


def test_an_object_moves_from_app_to_app_without_being_deleted(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path, name='a', path='a'), app(live.path, name='b', path='b')])
    d.wait(repo.commit({'a/cm.yaml': CM, 'a/x.yaml': manifest(config('x')), 'b/y.yaml': manifest(config('y'))}))
    d.wait(repo.commit({'a/cm.yaml': None, 'b/cm.yaml': CM}))
    assert live.names() == ['ConfigMap/settings', 'ConfigMap/x', 'ConfigMap/y']
    d.until(lambda: d.app('a')['objects']['total'] == 1 and d.app('b')['objects']['total'] == 2, 'handed over')
    assert not [e for e in d.events('sync.finished') if e['data']['deleted']]


def test_suspended_nothing_is_written_and_resumed_the_newest_tip_goes_out(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit({'web.yaml': WEB}))
    d.post('apps/web/suspend', reason='night shift')
    assert d.app()['state'] == 'Suspended'
    repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 3')})
    last = repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 4')})
    d.event('source.accepted', lambda e: e['revision'] == last)
    assert d.get('wait', commit=last, timeout_='20s')['exit'] == 6
    assert live.get('Deployment/web')['spec']['replicas'] == 2
    d.restart()
    assert d.app()['state'] == 'Suspended' and live.get('Deployment/web')['spec']['replicas'] == 2
    d.post('apps/web/resume')
    d.wait(last)
    assert live.get('Deployment/web')['spec']['replicas'] == 4
    assert [name_of(e) for e in d.events('suspend.started', 'suspend.ended')] == ['suspend.started', 'suspend.ended']


def test_sigterm_in_the_middle_of_a_fetch_stops_cleanly(daemon, make_repo, live, git_http):
    repo = make_repo()
    repo.commit({'web.yaml': WEB})
    git_http.misbehave('hang', when=lambda r: r.command == 'fetch')
    d = daemon([source(git_http.url(repo)), app(live.path)])
    git_http.wait(lambda rs: any(r.command == 'fetch' for r in rs))
    assert d.workers()
    assert d.stop() == 0 and not d.left()
    git_http.well()
    d.start()
    d.wait(repo.head)
    assert d.events('daemon.stopped')
