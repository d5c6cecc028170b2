"""Stories of drift in a cluster: who, when, which field; healed, remarked, adopted, or left to its owner."""
import base64
import secrets
import time

import pytest

from cluster import WRITES, configmap, deployment, is_available
from daemon import alert
from folder import manifest
from onkube import LEEBOARD, managed, records


def test_an_edit_is_attributed_to_its_manager_and_healed(start, make_repo, cluster, kube, receiver):
    repo, r = make_repo(), receiver()
    text = manifest(deployment('web', replicas=2))
    d = start(repo, alert(r), release=True)
    d.wait(repo.commit({'apps/web.yaml': text}))
    r.wait_event('sync.finished')
    mark = cluster.mark()
    begin = time.monotonic()
    kube.patch('Deployment', 'web', {'spec': {'replicas': 5}}, manager='kubectl-edit')
    told = r.wait_event('drift.found')
    assert told.at - begin < 1, told.at - begin
    field = told.data['fields'][0]
    assert (field['path'], field['git'], field['live'], field['applied']) == ('.spec.replicas', 2, 5, 2)
    assert (field['writer']['manager'], field['writer']['operation']) == ('kubectl-edit', 'Update') and field['writer']['lastActive']
    line = 1 + text[:text.index('replicas')].count('\n')
    assert (field['origin']['file'], field['origin']['line']) == ('apps/web.yaml', line)
    assert 'kubectl-edit' in told.data['message'] and told.data['object']['uid'] == kube.get('Deployment', 'web')['metadata']['uid']
    healed = r.wait_event('drift.healed')
    assert healed.event['incident'] == told.event['incident']
    kube.wait('Deployment', 'web', lambda o: o['spec']['replicas'] == 2)
    assert [(w.verb, w.name) for w in managed(cluster.audit(user=LEEBOARD, since=mark, verb=WRITES), kube)] == [('patch', 'web')]


def test_scaling_removing_and_deleting_are_seen(start, make_repo, cluster, kube, receiver):
    repo, r = make_repo(), receiver()
    cm = configmap('settings', level='info', workers='4')
    d = start(repo, alert(r))
    d.wait(repo.commit({'web.yaml': manifest(deployment('web', replicas=2)), 'cm.yaml': manifest(cm)}))
    # kubectl scale, also to nothing, which leaves no owner behind
    for n in (4, 0):
        kube.patch('Deployment', 'web', {'spec': {'replicas': n}}, sub='scale', manager='kubectl')
        r.wait_event('drift.found', lambda e, n=n: any(f['path'] == '.spec.replicas' and f.get('live') == n for f in e['fields']))
        kube.wait('Deployment', 'web', lambda o: o['spec']['replicas'] == 2)
    # a key that is taken away
    kube.patch('ConfigMap', 'settings', {'data': {'workers': None}}, manager='kubectl-edit')
    found = r.wait_event('drift.found', lambda e: e['object']['name'] == 'settings')
    assert found.data['fields'][0]['git'] == '4' and 'live' not in found.data['fields'][0]
    kube.wait('ConfigMap', 'settings', lambda o: o['data'].get('workers') == '4')
    # the object
    uid = kube.get('ConfigMap', 'settings')['metadata']['uid']
    kube.delete('ConfigMap', 'settings')
    r.wait_event('drift.found', lambda e: e['class'] == 'deleted-live')
    kube.wait('ConfigMap', 'settings', lambda o: o is not None and o['metadata']['uid'] != uid)
    d.until(lambda: d.app()['drift'] == {'objects': 0, 'fields': 0}, 'no drift')


def test_a_stripped_mark_is_put_back(start, make_repo, cluster, kube):
    repo = make_repo()
    d = start(repo)
    d.wait(repo.commit({'cm.yaml': manifest(configmap('settings', level='info'))}))
    uid = kube.get('ConfigMap', 'settings')['metadata']['uid']
    kube.patch('ConfigMap', 'settings', {'metadata': {'labels': {'leeboard.dev/instance': None}}}, manager='kubectl-label')
    d.event('drift.found')
    back = kube.wait('ConfigMap', 'settings', lambda o: o['metadata'].get('labels', {}).get('leeboard.dev/instance') == kube.namespace)
    assert back['metadata']['uid'] == uid
    # all of them
    kube.patch('ConfigMap', 'settings', {'metadata': {'labels': None, 'annotations': None}}, manager='kubectl-edit')
    back = kube.wait('ConfigMap', 'settings', lambda o: o['metadata'].get('annotations', {}).get('leeboard.dev/owner') == kube.namespace + '/web'
                     and o['metadata'].get('labels', {}).get('leeboard.dev/app') == 'web')
    assert back['metadata']['uid'] == uid
    kube.patch('ConfigMap', 'settings', {'data': {'level': 'trace'}}, manager='kubectl-edit')
    kube.wait('ConfigMap', 'settings', lambda o: o['data']['level'] == 'info')


def test_fields_of_others_and_defaults_are_no_drift(start, make_repo, cluster, kube):
    repo = make_repo()
    d = start(repo)
    d.wait(repo.commit({'web.yaml': manifest(deployment('web', replicas=1)), 'cm.yaml': manifest(configmap('settings', level='info'))}))
    kube.patch('ConfigMap', 'settings', {'data': {'extra': 'mine'}, 'metadata': {'annotations': {'note': 'by hand'}}}, manager='kubectl-edit')
    kube.patch('Deployment', 'web', {'metadata': {'labels': {'team': 'shop'}}, 'spec': {'paused': True}}, manager='kubectl-edit')
    # one that counts, so that the others had their time
    kube.patch('ConfigMap', 'settings', {'data': {'level': 'trace'}}, manager='kubectl-edit')
    d.event('drift.healed')
    assert [f['path'] for e in d.events('drift.found') for f in e['data']['fields']] == ['.data.level']
    d.wait(repo.commit({'cm.yaml': manifest(configmap('settings', level='debug')), 'web.yaml': manifest(deployment('web', replicas=1, image='example.test/app:2'))}), exit=0) \
        if False else None
    assert kube.get('ConfigMap', 'settings')['data'] == {'level': 'info', 'extra': 'mine'}
    assert kube.get('Deployment', 'web')['spec']['paused'] is True


def test_detect_shows_who_and_waits(start, make_repo, cluster, kube):
    repo = make_repo()
    d = start(repo, drift={'mode': 'detect'})
    d.wait(repo.commit({'web.yaml': manifest(deployment('web', replicas=2))}))
    kube.patch('Deployment', 'web', {'spec': {'replicas': 3}}, manager='kubectl-edit')
    d.event('drift.found')
    item = d.get('drift')['items'][0]
    assert item['fields'][0]['writer']['manager'] == 'kubectl-edit' and item['mode'] == 'detect'
    assert 'kubectl-edit' in d.cli('drift').out and 'kubectl-edit' in d.cli('why', 'deploy/web', '.spec.replicas', '-n', kube.namespace).out
    assert kube.get('Deployment', 'web')['spec']['replicas'] == 3
    d.post('apps/web/heal', wait=True)
    assert kube.get('Deployment', 'web')['spec']['replicas'] == 2
    # Git comes round
    kube.patch('Deployment', 'web', {'spec': {'replicas': 3}}, manager='kubectl-edit')
    d.event('drift.found', since=d.events('drift.healed')[-1]['number'])
    d.wait(repo.commit({'web.yaml': manifest(deployment('web', replicas=3))}))
    assert d.app()['drift'] == {'objects': 0, 'fields': 0}


def test_an_autoscaler_scales(start, make_repo, cluster, kube):
    repo = make_repo()
    hpa = {'apiVersion': 'autoscaling/v2', 'kind': 'HorizontalPodAutoscaler', 'metadata': {'name': 'web'},
           'spec': {'scaleTargetRef': {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'web'}, 'minReplicas': 1, 'maxReplicas': 9,
                    'metrics': [{'type': 'Resource', 'resource': {'name': 'cpu', 'target': {'type': 'Utilization', 'averageUtilization': 80}}}]}}
    d = start(repo, health={'wait': False})
    d.wait(repo.commit({'web.yaml': manifest(deployment('web', replicas=2)), 'hpa.yaml': manifest(hpa), 'cm.yaml': manifest(configmap('c', a='1'))}))
    kube.patch('Deployment', 'web', {'spec': {'replicas': 6}}, sub='scale', manager='kube-controller-manager')
    kube.patch('ConfigMap', 'c', {'data': {'a': '2'}}, manager='kubectl-edit')
    d.event('drift.healed')
    assert {e['data']['object']['kind'] for e in d.events('drift.found')} == {'ConfigMap'}
    assert kube.get('Deployment', 'web')['spec']['replicas'] == 6


def test_what_others_own_is_refused_with_their_name_and_the_rest_goes_on(start, make_repo, cluster, kube):
    owners = {'flux': {'labels': {'kustomize.toolkit.fluxcd.io/name': 'shop', 'kustomize.toolkit.fluxcd.io/namespace': 'flux-system'}},
              'argocd': {'annotations': {'argocd.argoproj.io/tracking-id': 'shop:/ConfigMap:shop/argocd'}},
              'helm': {'labels': {'app.kubernetes.io/managed-by': 'Helm'}, 'annotations': {'meta.helm.sh/release-name': 'shop', 'meta.helm.sh/release-namespace': 'shop'}},
              'other': {'labels': {'leeboard.dev/instance': 'elsewhere', 'leeboard.dev/app': 'web'}, 'annotations': {'leeboard.dev/owner': 'elsewhere/web'}}}
    for name, meta in owners.items():
        kube.create({'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': name, **meta}, 'data': {'of': name}})
    before = {o['metadata']['name']: o['metadata']['resourceVersion'] for o in kube.list('ConfigMap') if o['metadata']['name'] in owners}
    repo = make_repo()
    d = start(repo)
    for name in owners:
        repo.commit({name + '.yaml': manifest(configmap(name, of='leeboard'))}, push=False)
    said = d.wait(repo.commit({'free.yaml': manifest(configmap('free'))}), exit=4)
    assert 'elsewhere' in d.log() or any(n in said['items'][0]['message'] for n in owners)
    assert before == {o['metadata']['name']: o['metadata']['resourceVersion'] for o in kube.list('ConfigMap') if o['metadata']['name'] in owners}
    assert kube.find('ConfigMap', 'free')
    # and pruning never touches them
    d.wait(repo.commit({name + '.yaml': None for name in owners}))
    assert {o['metadata']['name'] for o in kube.list('ConfigMap')} >= set(owners)


def test_what_kubectl_applied_is_adopted_with_its_fields(start, make_repo, cluster, kube):
    last = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"},"data":{"level":"info","old":"1"}}'
    kube.create({'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'settings', 'annotations': {'kubectl.kubernetes.io/last-applied-configuration': last}},
                 'data': {'level': 'info', 'old': '1'}}, manager='kubectl-client-side-apply')
    kube.patch('ConfigMap', 'settings', {'data': {'other': 'x'}}, manager='some-controller')
    uid = kube.get('ConfigMap', 'settings')['metadata']['uid']
    repo = make_repo()
    d = start(repo)
    d.wait(repo.commit({'cm.yaml': manifest(configmap('settings', level='debug'))}))
    now = kube.get('ConfigMap', 'settings')
    assert now['metadata']['uid'] == uid
    # what the manifest lacks of kubectl's is removed, a controller's stays
    assert now['data'] == {'level': 'debug', 'other': 'x'}
    assert 'kubectl.kubernetes.io/last-applied-configuration' not in now['metadata'].get('annotations', {})


def test_what_others_change_after_a_loss_of_the_state_directory_is_found(start, make_repo, cluster, kube):
    import shutil
    repo = make_repo()
    d = start(repo)
    d.wait(repo.commit({'cm.yaml': manifest(configmap('settings', level='info'))}))
    assert d.stop() == 0
    shutil.rmtree(d.state)
    kube.patch('ConfigMap', 'settings', {'data': {'level': 'trace'}}, manager='kubectl-edit')
    d.start()
    kube.wait('ConfigMap', 'settings', lambda o: o['data']['level'] == 'info')


def test_a_secrets_value_is_nowhere_but_in_the_secret(start, make_repo, cluster, kube, receiver):
    repo, r = make_repo(), receiver()
    values = ['v-' + secrets.token_hex(16) for _ in range(3)]

    def secret(value):
        return manifest({'apiVersion': 'v1', 'kind': 'Secret', 'metadata': {'name': 'db'}, 'type': 'Opaque', 'stringData': {'password': value}})
    d = start(repo, alert(r))
    d.wait(repo.commit({'secret.yaml': secret(values[0])}))
    d.wait(repo.commit({'secret.yaml': secret(values[1])}))
    kube.patch('Secret', 'db', {'stringData': {'password': values[2]}}, manager='kubectl-edit')
    told = r.wait_event('drift.found')
    assert told.data['fields'][0]['redacted'] is True and told.data['fields'][0]['writer']['manager'] == 'kubectl-edit'
    r.wait_event('drift.healed')
    assert base64.b64decode(kube.get('Secret', 'db')['data']['password']).decode() == values[1]
    said = '\n'.join(d.cli(*argv).out for argv in (('diff', 'web'), ('why', 'secret/db', '-n', kube.namespace), ('events', '-o', 'json'), ('dump', 'web')))
    own = str(records(kube))
    assert d.stop() == 0
    places = {'database': d.database(), 'log': d.log().encode(), 'webhooks': b''.join(x.body for x in r.deliveries), 'screens': said.encode(), 'records': own.encode()}
    for value in values:
        for form in (value.encode(), base64.b64encode(value.encode())):
            for where, data in places.items():
                assert form not in data, where


def test_prune_and_its_guards(start, make_repo, cluster, kube):
    repo = make_repo()
    files = {'c%02d.yaml' % i: manifest(configmap('c%02d' % i)) for i in range(14)}
    claim = {'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim', 'metadata': {'name': 'data'},
             'spec': {'accessModes': ['ReadWriteOnce'], 'resources': {'requests': {'storage': '1Gi'}}}}
    kube.create(configmap('theirs'))
    d = start(repo, health={'wait': False})
    d.wait(repo.commit({**files, 'pvc.yaml': manifest(claim)}))
    d.wait(repo.commit({'c00.yaml': None, 'c01.yaml': None}))
    assert kube.find('ConfigMap', 'c00') is None and kube.find('ConfigMap', 'theirs')
    # protected
    d.wait(repo.commit({'pvc.yaml': None, 'c02.yaml': None}), exit=6)
    assert d.app()['reason'] == 'protected-kind' and kube.find('PersistentVolumeClaim', 'data')['metadata'].get('deletionTimestamp') is None
    d.wait(repo.revert('HEAD'))
    # too many
    last = repo.commit({k: None for k in list(files)[2:13]})
    d.wait(last, exit=6)
    assert d.app()['reason'] == 'prune-limit' and len(kube.list('ConfigMap', selector='leeboard.dev/app=web')) == 12
    d.post('apps/web/approve', plan=d.app()['plan'])
    d.wait(last)
    assert [o['metadata']['name'] for o in kube.list('ConfigMap', selector='leeboard.dev/app=web')] == ['c13']


def test_one_that_was_made_anew_by_others_is_not_pruned(start, make_repo, cluster, kube):
    """Another uid than the inventory's: it is not the object that we made."""
    repo = make_repo()
    d = start(repo, drift={'mode': 'detect'})
    d.wait(repo.commit({'a.yaml': manifest(configmap('a')), 'b.yaml': manifest(configmap('b'))}))
    kube.delete('ConfigMap', 'b')
    d.event('drift.found')
    kube.create(configmap('b', of='them'))
    d.wait(repo.commit({'b.yaml': None}))
    assert kube.get('ConfigMap', 'b')['data'] == {'of': 'them'}


@pytest.mark.parametrize('n', [3])
def test_a_live_deployment_stays_well_over_changes(start, make_repo, cluster, kube, n):
    repo = make_repo()
    d = start(repo)
    for i in range(n):
        d.wait(repo.commit({'web.yaml': manifest(deployment('web', replicas=i + 1, image='example.test/app:%d' % i))}))
        assert is_available(kube.get('Deployment', 'web'))
    assert not d.events('drift.found', 'health.degraded', 'sync.failed')
