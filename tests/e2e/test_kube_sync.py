"""Stories of a Kubernetes target, on the real API server: a push deploys in the order of dependencies, a revert rolls back."""
import json
import os
import shutil
import time

import pytest

from cluster import WRITES, ApiError, configmap, deployment, is_available
from daemon import alert, app, source
from folder import manifest
from onkube import LEEBOARD, managed, records, target

def test_a_first_sync_a_change_and_a_revert(start, make_repo, cluster, kube):
    repo = make_repo()
    d = start(repo)
    mark = cluster.mark()
    first = repo.commit({'web.yaml': manifest(deployment('web', replicas=2)), 'cm.yaml': manifest(configmap('settings', level='info'))})
    said = d.wait(first)
    assert said['items'][0]['outcome'] == 'healthy'
    web = kube.get('Deployment', 'web')
    # healthy means healthy
    assert is_available(web) and web['spec']['replicas'] == 2
    meta = web['metadata']
    assert meta['labels']['leeboard.dev/instance'] == kube.namespace and meta['labels']['leeboard.dev/app'] == 'web'
    assert meta['annotations']['leeboard.dev/owner'] == kube.namespace + '/web'
    assert 'leeboard.dev/app' not in web['spec']['template']['metadata'].get('labels', {})
    assert [(m['manager'], m['operation']) for m in meta['managedFields'] if not m.get('subresource')] == [('leeboard', 'Apply')]
    assert d.app()['health'] == 'Healthy' and d.app()['objects'] == {'total': 2, 'healthy': 2, 'held': 0}
    # two objects, two writes
    writes = managed(cluster.audit(user=LEEBOARD, since=mark, verb=WRITES), kube)
    assert sorted((r.verb, r.name) for r in writes) == [('patch', 'settings'), ('patch', 'web')]

    mark = cluster.mark()
    second = repo.commit({'web.yaml': manifest(deployment('web', replicas=3)), 'extra.yaml': manifest(configmap('extra'))})
    d.wait(second)
    assert is_available(kube.get('Deployment', 'web')) and kube.get('Deployment', 'web')['spec']['replicas'] == 3
    writes = managed(cluster.audit(user=LEEBOARD, since=mark, verb=WRITES), kube)
    assert sorted((r.verb, r.name) for r in writes) == [('patch', 'extra'), ('patch', 'web')]

    d.wait(repo.revert(second))
    assert kube.get('Deployment', 'web')['spec']['replicas'] == 2 and kube.find('ConfigMap', 'extra') is None
    assert len(d.events('sync.rolledback')) == 1
    # truth lives in the cluster
    own = records(kube)
    assert [o for o in own if 'record' in o['data']] and [o for o in own if 'objects' in o['data']]
    record = json.loads([o['data']['record'] for o in own if 'record' in o['data']][0])
    assert record['applied']['oid'] == record['healthy']['oid'] == repo.head


def test_a_crd_its_resource_and_a_namespace_in_one_commit(daemon, make_repo, cluster, kube):
    repo = make_repo()
    group = kube.namespace.replace('-', '') + '.example.test'
    space = kube.namespace + '-own'
    crd = {'apiVersion': 'apiextensions.k8s.io/v1', 'kind': 'CustomResourceDefinition', 'metadata': {'name': 'ships.' + group},
           'spec': {'group': group, 'scope': 'Namespaced', 'names': {'plural': 'ships', 'singular': 'ship', 'kind': 'Ship'},
                    'versions': [{'name': 'v1', 'served': True, 'storage': True, 'schema': {'openAPIV3Schema': {
                        'type': 'object', 'properties': {'spec': {'type': 'object', 'properties': {'sails': {'type': 'integer'}}}}}}}]}}
    ship = {'apiVersion': group + '/v1', 'kind': 'Ship', 'metadata': {'name': 'botter', 'namespace': space}, 'spec': {'sails': 2}}
    kube.made += [('CustomResourceDefinition', crd['metadata']['name']), ('Namespace', space)]
    mark = cluster.mark()
    d = daemon([source(repo.bare), app(target(cluster, kube))], instance=kube.namespace)
    d.wait(repo.commit({'a-ship.yaml': manifest(ship), 'b-crd.yaml': manifest(crd),
                        'c-ns.yaml': manifest({'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': space}})}))
    kube.discover()
    assert kube.get('%s/v1/Ship' % group, 'botter', namespace=space)['spec']['sails'] == 2
    writes = managed(cluster.audit(user=LEEBOARD, since=mark, verb=WRITES), kube)
    order = [r.name for r in writes]
    assert order.index('botter') == 2 and {r.code for r in writes} == {201}, writes
    # drift of a kind that was not there when it started is seen
    kube.patch('%s/v1/Ship' % group, 'botter', {'spec': {'sails': 5}}, namespace=space)
    d.event('drift.healed')
    assert kube.get('%s/v1/Ship' % group, 'botter', namespace=space)['spec']['sails'] == 2


def test_the_order_of_dependencies_is_in_the_api_servers_record(start, make_repo, cluster, kube):
    repo = make_repo()
    on_db = {'config.kubernetes.io/depends-on': 'apps/namespaces/%s/Deployment/db' % kube.namespace}
    web = deployment('web', annotations=on_db, namespace=kube.namespace)
    late = {**configmap('late'), 'metadata': {'name': 'late', 'annotations': {'argocd.argoproj.io/sync-wave': '5'}}}
    early = {**configmap('early'), 'metadata': {'name': 'early', 'annotations': {'argocd.argoproj.io/sync-wave': '-5'}}}
    mark = cluster.mark()
    d = start(repo)
    files = {'1.yaml': manifest(late), '2.yaml': manifest(web), '3.yaml': manifest(deployment('db', namespace=kube.namespace)), '4.yaml': manifest(early),
             '5.yaml': manifest(configmap('settings'))}
    d.wait(repo.commit(files))
    writes = managed(cluster.audit(user=LEEBOARD, since=mark, verb=WRITES), kube)
    order = [r.name for r in writes]
    assert order[0] == 'early' and order[-1] == 'late' and order.index('db') < order.index('web')
    # and only when what came before was well
    available = [c['lastTransitionTime'] for c in kube.get('Deployment', 'db')['status']['conditions'] if c['type'] == 'Available'][0]
    assert next(r.start for r in writes if r.name == 'web')[:19] >= available[:19]
    # deletions go the other way
    mark = cluster.mark()
    d.wait(repo.commit({'2.yaml': None, '3.yaml': None}))
    assert [r.name for r in managed(cluster.audit(user=LEEBOARD, since=mark, verb='delete'), kube)] == ['web', 'db']


def test_a_cycle_is_refused_as_a_path_before_any_write(start, make_repo, cluster, kube):
    repo = make_repo()

    def on(name, other):
        return manifest({**configmap(name), 'metadata': {'name': name, 'namespace': kube.namespace, 'annotations': {
            'config.kubernetes.io/depends-on': '/namespaces/%s/ConfigMap/%s' % (kube.namespace, other)}}})
    d = start(repo)
    mark = cluster.mark()
    said = d.wait(repo.commit({'a.yaml': on('a', 'b'), 'b.yaml': on('b', 'a'), 'c.yaml': manifest(configmap('c'))}), exit=4)
    message = said['items'][0]['message']
    assert 'a' in message and 'b' in message and 'depends-on' in message, message
    assert managed(cluster.audit(user=LEEBOARD, since=mark, verb=WRITES), kube) == []


def test_one_that_never_becomes_ready_fails_at_its_timeout_and_the_fix_goes_through_at_once(start, make_repo, cluster, kube):
    repo = make_repo()
    d = start(repo, health={'timeout': '2s'})
    d.wait(repo.commit({'web.yaml': manifest(deployment('web'))}))
    bad = repo.commit({'web.yaml': manifest(deployment('web', pod='unready', image='example.test/app:2'))})
    said = d.wait(bad, exit=4)
    cause = said['items'][0]['firstCause']
    assert cause['object']['kind'] == 'Deployment' and cause['object']['name'] == 'web' and '2s' in cause['message']
    failed = d.event('sync.failed')
    assert 'web' in failed['data']['message'] and failed['data']['release'] == 'git revert ' + bad[:7]
    d.wait(repo.commit({'web.yaml': manifest(deployment('web', image='example.test/app:3'))}))
    assert is_available(kube.get('Deployment', 'web'))
    d.event('sync.recovered')


def test_a_newer_commit_ends_a_wait_at_once(start, make_repo, cluster, kube):
    repo = make_repo()
    d = start(repo, health={'timeout': '5m'})
    bad = repo.commit({'web.yaml': manifest(deployment('web', pod='unready'))})
    kube.wait('Deployment', 'web', lambda o: o is not None and o.get('status', {}).get('unavailableReplicas') == 1)
    d.until(lambda: d.app()['state'] == 'Progressing', 'waiting for health')
    begin = time.monotonic()
    good = repo.commit({'web.yaml': manifest(deployment('web', image='example.test/app:2'))})
    d.wait(good)
    assert time.monotonic() - begin < 20
    assert d.get('wait', commit=bad, timeout_='1s')['exit'] == 5
    assert [h['outcome'] for h in d.get('history', app='web')['items']] == ['healthy', 'superseded']


def test_what_is_wrong_with_a_pod_is_named(start, make_repo, cluster, kube):
    repo = make_repo()
    d = start(repo, health={'timeout': '3s'})
    said = d.wait(repo.commit({'web.yaml': manifest(deployment('web', pod='imagepullbackoff')), 'cm.yaml': manifest(configmap('settings'))}), exit=4)
    text = json.dumps(said['items'][0])
    assert 'web' in text and kube.find('ConfigMap', 'settings')


def test_dependants_of_what_failed_are_left_and_the_rest_goes_on(start, make_repo, cluster, kube):
    repo = make_repo()
    bad = {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': 'Bad_Name'}, 'spec': {'ports': [{'port': 80}]}}
    late = {**configmap('late'), 'metadata': {'name': 'late', 'namespace': kube.namespace,
                                              'annotations': {'config.kubernetes.io/depends-on': 'apps/namespaces/%s/Deployment/db' % kube.namespace}}}
    d = start(repo, health={'timeout': '2s'})
    d.wait(repo.commit({'db.yaml': manifest(deployment('db', pod='unready', namespace=kube.namespace)), 'late.yaml': manifest(late),
                        'other.yaml': manifest(configmap('other'))}), exit=4)
    assert kube.find('ConfigMap', 'other') and kube.find('ConfigMap', 'late') is None
    # an object that the server would refuse: said with its place, and nothing of it is half there
    said = d.wait(repo.commit({'bad.yaml': manifest(bad), 'db.yaml': manifest(deployment('db', namespace=kube.namespace))}), exit=4)
    assert 'Bad_Name' in said['items'][0]['message']


def test_the_api_server_stops_and_starts_during_a_sync(start, make_repo, cluster, kube, receiver):
    repo, r = make_repo(), receiver()
    d = start(repo, alert(r), retryInterval='1s')
    d.wait(repo.commit({'cm.yaml': manifest(configmap('first'))}))
    files = {'c%03d.yaml' % i: manifest(configmap('c%03d' % i, n=str(i))) for i in range(150)}
    steps = d.stream()
    last = repo.commit(files)
    for _, name, data in steps:
        if name == 'progress' and data['stage'] == 'apply' and data.get('object', {}).get('name', '').startswith('c'):
            break
    cluster.kill_server()
    d.until(lambda: d.app()['state'] != 'Synced', 'noticed')
    cluster.start_server()
    d.until(lambda: d.app()['state'] == 'Synced' and d.app()['revision'] == last, 'synced', timeout=60)
    assert len(kube.list('ConfigMap', selector='leeboard.dev/app=web')) == 151
    assert d.app()['objects']['total'] == 151
    # the watches are there again
    kube.patch('ConfigMap', 'c007', {'data': {'n': 'other'}})
    d.event('drift.healed', timeout=60)
    assert kube.get('ConfigMap', 'c007')['data']['n'] == '7'


def test_drift_while_the_api_server_was_away_is_found(start, make_repo, cluster, kube):
    repo = make_repo()
    d = start(repo)
    d.wait(repo.commit({'cm.yaml': manifest(configmap('settings', level='info'))}))
    d.stop()
    kube.patch('ConfigMap', 'settings', {'data': {'level': 'trace'}})
    d.start()
    d.event('drift.healed')
    assert kube.get('ConfigMap', 'settings')['data']['level'] == 'info'


def test_a_lost_state_directory_orphans_nothing_prunes_nothing_and_writes_nothing(start, make_repo, cluster, kube):
    repo = make_repo()
    d = start(repo)
    d.wait(repo.commit({'web.yaml': manifest(deployment('web')), 'cm.yaml': manifest(configmap('settings', level='info')), 'old.yaml': manifest(configmap('old'))}))
    uids = {o['metadata']['name']: (o['metadata']['uid'], o['metadata']['resourceVersion']) for o in kube.list('ConfigMap', selector='leeboard.dev/app=web')}
    assert len(uids) == 2 and d.stop() == 0
    shutil.rmtree(d.state)
    mark = cluster.mark()
    d.start()
    d.wait(repo.head)
    writes = managed(cluster.audit(user=LEEBOARD, since=mark, verb=WRITES, where=lambda r: r.query.get('dryRun') is None), kube)
    assert writes == []
    assert uids == {o['metadata']['name']: (o['metadata']['uid'], o['metadata']['resourceVersion']) for o in kube.list('ConfigMap', selector='leeboard.dev/app=web')}
    assert d.app()['objects']['total'] == 3 and not d.events('app.orphaned', 'drift.found', 'sync.failed')
    d.wait(repo.commit({'old.yaml': None}))
    assert kube.find('ConfigMap', 'old') is None
    # a rewind is refused: what was accepted is in the cluster
    assert d.stop() == 0
    shutil.rmtree(d.state)
    repo.reset('HEAD~1')
    d.start()
    assert d.event('source.refused')['data']['offered'] == repo.head
    assert kube.find('ConfigMap', 'old') is None


def test_killed_at_many_moments_live_equals_git(start, make_repo, cluster, kube):
    import random
    import select
    dice = random.Random(int(os.environ.get('LEEBOARD_SEED', 7)))
    repo = make_repo()
    names = ['c%d' % i for i in range(8)]
    repo.commit({n + '.yaml': manifest(configmap(n, n='0')) for n in names})
    d = start(repo, prune={'limit': {'objects': 0, 'percent': 0}}, retryInterval='1s')
    d.wait(repo.head)
    for n in range(20):
        if n % 2 == 0:
            gone, new = names.pop(0), 'n%d' % n
            names.append(new)
            repo.commit({gone + '.yaml': None, new + '.yaml': manifest(configmap(new, n=str(n))), names[0] + '.yaml': manifest(configmap(names[0], n='c%d' % n))})
        select.select([d.pidfd], [], [], dice.uniform(0, 1.2))
        assert d.alive(), d.log(False)[-3000:]
        d.kill9()
        d.launch()
    d.kill9()
    d.start()
    d.wait(repo.head, timeout=60)
    found = {o['metadata']['name'] for o in kube.list('ConfigMap', selector='leeboard.dev/app=web')}
    assert found == set(names) and d.app()['objects']['total'] == len(names)


@pytest.mark.parametrize('change, reason', [
    (lambda c: c.update({'current-context': 'nowhere'}), 'nowhere'),
    (lambda c: c['clusters'][0]['cluster'].pop('certificate-authority-data'), None),
    (lambda c: c['users'][0].update(user={'token': 'wrong'}), None),
])
def test_a_kubeconfig_that_is_wrong_is_said_and_put_right(daemon, make_repo, cluster, kube, tmp_path, change, reason):
    import yaml
    repo = make_repo()
    with open(cluster.kubeconfig, encoding='utf-8') as f:
        good = f.read()
    bad = yaml.safe_load(good)
    change(bad)
    path = tmp_path / 'kubeconfig'
    path.write_text(yaml.safe_dump(bad))
    path.chmod(0o600)
    docs = [source(repo.bare), app({'kubeConfig': {'file': str(path)}, 'namespace': kube.namespace})]
    repo.commit({'cm.yaml': manifest(configmap('settings'))})
    if reason:      # the file alone tells: it does not start
        with pytest.raises(AssertionError, match="context 'nowhere' is not in the file"):
            daemon(docs, instance=kube.namespace)
        return
    d = daemon(docs, instance=kube.namespace)
    d.until(lambda: d.app()['state'] == 'Stalled' and d.app()['message'], 'said')
    assert kube.find('ConfigMap', 'settings') is None
    path.write_text(good)
    d.restart()
    d.wait(repo.head, timeout=60)


def test_by_token_and_by_certificate(daemon, make_repo, cluster, kube):
    repo = make_repo()
    repo.commit({'a/cm.yaml': manifest(configmap('a')), 'b/cm.yaml': manifest(configmap('b'))})
    d = daemon([source(repo.bare), app(target(cluster, kube), name='a', path='a'),
                app({'kubeConfig': {'file': cluster.token_kubeconfig}, 'namespace': kube.namespace}, name='b', path='b')], instance=kube.namespace)
    d.wait(repo.head)
    assert kube.find('ConfigMap', 'a') and kube.find('ConfigMap', 'b')
    assert {r.user for r in cluster.audit(verb='patch', where=lambda r: r.namespace == kube.namespace)} == {'leeboard', 'leeboard-token'}


def test_without_the_right_the_reason_names_it(daemon, make_repo, cluster, kube):
    repo = make_repo()
    path = cluster.user('guest-' + kube.namespace)
    d = daemon([source(repo.bare), app({'kubeConfig': {'file': path}, 'namespace': kube.namespace})], instance=kube.namespace)
    repo.commit({'cm.yaml': manifest(configmap('settings'))})
    d.until(lambda: d.app()['state'] == 'Stalled', 'stalled')
    assert "user 'guest-%s' may not get namespaces" % kube.namespace in d.app()['message']
    assert kube.find('ConfigMap', 'settings') is None


def test_an_app_that_goes_with_delete_takes_its_objects(daemon, make_repo, cluster, kube):
    repo = make_repo()
    docs = [source(repo.bare), app(target(cluster, kube), deletionPolicy='Delete')]
    d = daemon(docs, instance=kube.namespace)
    d.wait(repo.commit({'web.yaml': manifest(deployment('web')), 'cm.yaml': manifest(configmap('settings'))}))
    d.write(docs[:1])
    d.reload()
    kube.wait_gone('ConfigMap', 'settings')
    kube.wait_gone('Deployment', 'web')
    kube.wait_list('ConfigMap', lambda _: not records(kube), namespace='leeboard-system', why='its records are gone')
    assert ApiError
