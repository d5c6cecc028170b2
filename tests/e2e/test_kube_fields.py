"""Fields that Git names and others write: an autoscaler's, and those that admission makes of what we send."""
import itertools

from cluster import configmap, deployment
from folder import manifest
from onkube import LEEBOARD, managed

HPA = {'apiVersion': 'autoscaling/v2', 'kind': 'HorizontalPodAutoscaler', 'metadata': {'name': 'web'},
       'spec': {'scaleTargetRef': {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'web'}, 'minReplicas': 1, 'maxReplicas': 9,
                'metrics': [{'type': 'Resource', 'resource': {'name': 'cpu', 'target': {'type': 'Utilization', 'averageUtilization': 80}}}]}}


def test_a_commit_leaves_an_autoscalers_replicas_alone(start, make_repo, cluster, kube):
    repo = make_repo()
    d = start(repo, health={'wait': False})
    files = {'web.yaml': manifest(deployment('web', replicas=2)), 'hpa.yaml': manifest(HPA)}
    d.wait(repo.commit(files))
    # before it ever scaled, the field is ours alone: a commit must not delete it
    d.wait(repo.commit({'web.yaml': manifest(deployment('web', replicas=3, image='example.test/app:2'))}))
    assert kube.get('Deployment', 'web')['spec']['replicas'] == 2
    kube.patch('Deployment', 'web', {'spec': {'replicas': 6}}, sub='scale', manager='kube-controller-manager')
    d.wait(repo.commit({'web.yaml': manifest(deployment('web', replicas=3, image='example.test/app:3'))}))
    now = kube.get('Deployment', 'web')
    assert now['spec']['replicas'] == 6
    assert now['spec']['template']['spec']['containers'][0]['image'] == 'example.test/app:3'
    assert d.events('drift.found') == []


def test_what_admission_makes_of_our_write_is_no_drift(start, make_repo, cluster, kube):
    name = 'lb-' + kube.namespace
    policy = {'apiVersion': 'admissionregistration.k8s.io/v1', 'kind': 'MutatingAdmissionPolicy', 'metadata': {'name': name},
              'spec': {'matchConstraints': {'resourceRules': [{'apiGroups': [''], 'apiVersions': ['v1'], 'operations': ['CREATE', 'UPDATE'],
                                                               'resources': ['configmaps']}],
                                            'namespaceSelector': {'matchLabels': {'kubernetes.io/metadata.name': kube.namespace}}},
                       'failurePolicy': 'Fail', 'reinvocationPolicy': 'Never',
                       'mutations': [{'patchType': 'JSONPatch', 'jsonPatch': {'expression':
                                      '[JSONPatch{op: "add", path: "/data/level", value: "forced"}]'}}]}}
    binding = {'apiVersion': 'admissionregistration.k8s.io/v1', 'kind': 'MutatingAdmissionPolicyBinding', 'metadata': {'name': name},
               'spec': {'policyName': name}}
    kube.create(policy)
    kube.create(binding)
    # until the server heeds it: each try is a write, and so the event that brings the next one
    tries = itertools.count()
    kube.create(configmap('probe', level='x'))
    kube.wait('ConfigMap', 'probe', lambda o: o['data']['level'] == 'forced' or not kube.patch('ConfigMap', 'probe', {'data': {'try': str(next(tries))}}))
    repo = make_repo()
    d = start(repo)
    d.wait(repo.commit({'cm.yaml': manifest(configmap('settings', level='info', workers='4'))}))
    assert kube.get('ConfigMap', 'settings')['data']['level'] == 'forced'
    # others write beside it, and the daemon starts again: still none
    kube.patch('ConfigMap', 'settings', {'metadata': {'annotations': {'note': 'by hand'}}}, manager='kubectl-edit')
    mark = cluster.mark()
    d.restart()
    d.wait(repo.head)
    d.until(lambda: d.app()['objects']['healthy'] == 1, 'seen again')
    assert d.events('drift.found') == [] and d.app()['drift'] == {'objects': 0, 'fields': 0}
    assert managed(cluster.audit(user=LEEBOARD, since=mark, verb=('patch', 'update', 'create', 'delete')), kube) == []
    # a field that admission leaves alone still drifts
    kube.patch('ConfigMap', 'settings', {'data': {'workers': '9'}}, manager='kubectl-edit')
    kube.wait('ConfigMap', 'settings', lambda o: o['data']['workers'] == '4')
    assert [f['path'] for e in d.events('drift.found') for f in e['data']['fields']] == ['.data.workers']
