"""The harness itself: what other tests take for granted of tests/cluster and cluster.py."""
import os
import select
import subprocess
import sys
import tempfile

import pytest

import cluster as harness
from cluster import WRITES, ApiError, condition, configmap, deployment, is_available, is_established


def pod_of(kube, app):
    """The one pod of an app, once its kubelet has said something of it."""
    (pod,) = kube.wait_list('Pod', lambda pods: [p for p in pods if p['status'].get('containerStatuses')], selector='app=' + app)
    return pod


def test_the_server_says_the_version_that_it_is(cluster, kube):
    version = kube.request('GET', '/version')
    assert (version['major'], version['minor'], version['gitVersion']) == ('1', '36', 'v1.36.3')


def test_a_deployment_becomes_available_and_its_pods_have_addresses(kube):
    kube.create(deployment('web', replicas=2))
    assert kube.wait('Deployment', 'web', is_available)['status']['readyReplicas'] == 2
    pods = kube.list('Pod', selector='app=web')
    assert {p['spec']['nodeName'] for p in pods} == {'node-1'}
    assert len({p['status']['podIP'] for p in pods}) == 2


@pytest.mark.parametrize('mode, phase, waiting', [
    ('unready', 'Running', None), ('imagepullbackoff', 'Pending', 'ImagePullBackOff'),
    ('crashloop', 'Running', 'CrashLoopBackOff'), ('fail', 'Running', 'CrashLoopBackOff')])
def test_an_annotated_pod_is_never_ready(kube, mode, phase, waiting):
    kube.create(deployment('web', pod=mode))
    pod = pod_of(kube, 'web')
    assert pod['status']['phase'] == phase
    assert condition(pod, 'Ready') == 'False'
    assert pod['status']['containerStatuses'][0]['state'].get('waiting', {}).get('reason') == waiting
    seen = kube.wait('Deployment', 'web', lambda d: d.get('status', {}).get('replicas') == 1)
    assert condition(seen, 'Available') == 'False' and not is_available(seen)


def test_an_annotation_that_goes_lets_the_pod_become_ready(kube):
    kube.create(deployment('web', pod='unready'))
    kube.patch('Pod', pod_of(kube, 'web')['metadata']['name'], {'metadata': {'annotations': {'test.leeboard.dev/pod': None}}})
    kube.wait('Deployment', 'web', is_available)


@pytest.mark.parametrize('annotation, message', [
    ('pending', '0/1 nodes are available: 1 Insufficient cpu.'),
    ('sideways', 'annotation test.leeboard.dev/pod: \'sideways\' is none of '
                 '["pending" "unready" "imagepullbackoff" "crashloop" "fail" "run"]')])
def test_a_pod_that_finds_no_node_says_why(kube, annotation, message):
    pod = {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': 'p', 'annotations': {'test.leeboard.dev/pod': annotation}},
           'spec': {'containers': [{'name': 'c', 'image': 'example.test/c:1'}]}}
    kube.create(pod)
    pod = kube.wait('Pod', 'p', lambda p: condition(p, 'PodScheduled') == 'False')
    assert [c['message'] for c in pod['status']['conditions']] == [message]
    assert 'nodeName' not in pod['spec']


def job(name, pod=None):
    meta = {'annotations': {'test.leeboard.dev/pod': pod}} if pod else {}
    return {'apiVersion': 'batch/v1', 'kind': 'Job', 'metadata': {'name': name}, 'spec': {'backoffLimit': 0, 'template': {
        'metadata': meta, 'spec': {'restartPolicy': 'Never', 'containers': [{'name': 'c', 'image': 'example.test/c:1'}]}}}}


def test_a_job_completes_and_an_annotated_one_fails(kube):
    kube.create(job('good'))
    kube.create(job('bad', 'fail'))
    kube.wait('Job', 'good', lambda j: condition(j, 'Complete') == 'True')
    kube.wait('Job', 'bad', lambda j: condition(j, 'Failed') == 'True')


def test_stateful_sets_bind_volumes_and_give_them_back(kube):
    app = deployment('db', replicas=2)
    app['kind'] = 'StatefulSet'
    app['spec']['serviceName'] = 'db'
    app['spec']['volumeClaimTemplates'] = [{'metadata': {'name': 'data'}, 'spec': {
        'accessModes': ['ReadWriteOnce'], 'resources': {'requests': {'storage': '1Gi'}}}}]
    kube.create(app)
    kube.wait('StatefulSet', 'db', lambda s: s.get('status', {}).get('readyReplicas') == 2)
    claim = kube.wait('PersistentVolumeClaim', 'data-db-0', lambda c: c['status']['phase'] == 'Bound')
    volume = claim['spec']['volumeName']
    kube.delete('StatefulSet', 'db', propagation='Foreground')
    kube.wait_gone('StatefulSet', 'db')
    kube.delete('PersistentVolumeClaim', 'data-db-0')
    kube.wait_gone('PersistentVolumeClaim', 'data-db-0')
    kube.wait_gone('PersistentVolume', volume)


def test_daemon_sets_run_on_the_one_node(kube):
    app = deployment('agent')
    app['kind'] = 'DaemonSet'
    del app['spec']['replicas']
    kube.create(app)
    status = kube.wait('DaemonSet', 'agent', lambda d: d['status'].get('numberAvailable'))['status']
    assert (status['desiredNumberScheduled'], status['numberAvailable']) == (1, 1)


def test_load_balancers_get_the_address_that_is_asked_for(kube):
    def service(name, **annotations):
        return {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': name, 'annotations': annotations},
                'spec': {'type': 'LoadBalancer', 'ports': [{'port': 80}], 'selector': {'app': name}}}
    kube.create(service('none'))
    kube.create(service('given', **{'test.leeboard.dev/load-balancer': '203.0.113.7'}))
    given = kube.wait('Service', 'given', lambda s: s['status']['loadBalancer'])
    assert given['status']['loadBalancer']['ingress'][0]['ip'] == '203.0.113.7'
    assert kube.get('Service', 'none')['status'] == {'loadBalancer': {}}


def test_endpoints_follow_pods(kube):
    kube.create({'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': 'web'}, 'spec': {'ports': [{'port': 80}], 'selector': {'app': 'web'}}})
    kube.create(deployment('web'))
    kube.wait('Deployment', 'web', is_available)
    (name,) = [s['metadata']['name'] for s in kube.list('EndpointSlice', selector='kubernetes.io/service-name=web')]
    kube.wait('EndpointSlice', name, lambda s: [e['conditions']['ready'] for e in s['endpoints'] or []] == [True])


def test_what_is_deleted_goes_with_all_that_it_owns(kube):
    kube.create(deployment('web', replicas=3))
    kube.wait('Deployment', 'web', is_available)
    pods = kube.list('Pod', selector='app=web')
    kube.delete('Deployment', 'web')
    for p in pods:
        kube.wait_gone('Pod', p['metadata']['name'])
    kube.delete('Namespace', kube.namespace)
    kube.wait_gone('Namespace', kube.namespace)


def test_server_side_apply_knows_managers_and_conflicts(kube):
    kube.apply(configmap('c', a='1'), manager='one')
    with pytest.raises(ApiError) as e:
        kube.apply(configmap('c', a='2'), manager='two')
    assert (e.value.status, e.value.reason) == (409, 'Conflict')
    assert kube.apply(configmap('c', a='3'), manager='two', force=True, dry_run=True)['data'] == {'a': '3'}
    assert kube.get('ConfigMap', 'c')['data'] == {'a': '1'}
    kube.apply(configmap('c', a='2'), manager='two', force=True)
    assert {m['manager'] for m in kube.get('ConfigMap', 'c')['metadata']['managedFields']} == {'two'}


def test_custom_resources_are_served_once_established(kube):
    kube.create({'apiVersion': 'apiextensions.k8s.io/v1', 'kind': 'CustomResourceDefinition', 'metadata': {'name': 'boats.e2e.leeboard.dev'}, 'spec': {
        'group': 'e2e.leeboard.dev', 'scope': 'Namespaced', 'names': {'kind': 'Boat', 'plural': 'boats'},
        'versions': [{'name': 'v1', 'served': True, 'storage': True, 'schema': {'openAPIV3Schema': {
            'type': 'object', 'properties': {'spec': {'type': 'object', 'properties': {'sails': {'type': 'integer'}}}}}}}]}})
    kube.wait('CustomResourceDefinition', 'boats.e2e.leeboard.dev', is_established)
    boat = {'apiVersion': 'e2e.leeboard.dev/v1', 'kind': 'Boat', 'metadata': {'name': 'b', 'namespace': kube.namespace}, 'spec': {'sails': 2}}
    assert kube.create(boat)['spec'] == {'sails': 2}
    boat = {**boat, 'metadata': {**boat['metadata'], 'name': 'c'}, 'spec': {'sails': 'two'}}
    with pytest.raises(ApiError) as e:
        kube.create(boat)
    assert (e.value.status, e.value.reason) == (422, 'Invalid')
    # The server's own answer to an apply of a wrong type is a 500, though no retry will help.
    with pytest.raises(ApiError, match='expected numeric .int or float., got string') as e:
        kube.apply(boat)
    assert e.value.status == 500


def test_users_have_what_rbac_gives_them(cluster, kube):
    cluster.user('guest')
    guest = cluster.client('guest')
    guest.namespace, guest.kinds = kube.namespace, kube.kinds
    with pytest.raises(ApiError) as e:
        guest.list('Secret')
    assert e.value.status == 403 and 'User "guest" cannot list resource "secrets"' in e.value.message
    guest.close()


def test_kubeconfigs_carry_a_certificate_or_a_token(cluster):
    import yaml
    for path, user, credential in ((cluster.kubeconfig, 'leeboard', {'client-certificate-data', 'client-key-data'}),
                                   (cluster.token_kubeconfig, 'leeboard-token', {'token'}),
                                   (cluster.admin_kubeconfig, 'admin', {'client-certificate-data', 'client-key-data'})):
        assert os.stat(path).st_mode & 0o777 == 0o600
        with open(path, encoding='utf-8') as f:
            config = yaml.safe_load(f)
        assert config['clusters'][0]['cluster']['server'] == cluster.url
        assert set(config['users'][0]['user']) == credential
        client = cluster.client(user, config['users'][0]['user'].get('token'))
        review = client.request('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews',
                                {'apiVersion': 'authentication.k8s.io/v1', 'kind': 'SelfSubjectReview'})
        assert review['status']['userInfo']['username'] == user
        client.close()


def test_a_stopped_server_refuses_and_comes_back_with_its_data_on_its_port(cluster, kube):
    kube.create(configmap('kept', a='1'))
    uid, url = kube.get('ConfigMap', 'kept')['metadata']['uid'], cluster.url
    for stop in (cluster.stop_server, cluster.kill_server):
        stop()
        with pytest.raises(ConnectionRefusedError):
            kube.get('ConfigMap', 'kept')
        cluster.start_server()
        assert cluster.url == url
        assert kube.get('ConfigMap', 'kept')['metadata']['uid'] == uid
    # and with controllers that act
    kube.create(deployment('web'))
    kube.wait('Deployment', 'web', is_available)


def test_a_frozen_server_accepts_and_answers_once_thawed(cluster, kube):
    kube.create(configmap('c'))
    cluster.freeze()
    slow = kube.connect(timeout=0.3)
    with pytest.raises(TimeoutError):
        slow.request('GET', '/version')
        slow.getresponse()
    slow.close()
    cluster.thaw()
    assert kube.get('ConfigMap', 'c')['metadata']['name'] == 'c'


def test_the_record_counts_requests_by_user_verb_and_object(cluster, kube):
    mark = cluster.mark()
    lee = cluster.client('leeboard')
    lee.namespace, lee.kinds, lee.agent = kube.namespace, kube.kinds, 'leeboard/test'
    lee.create(configmap('a'))
    lee.get('ConfigMap', 'a')
    lee.apply(configmap('b', x='1'), manager='leeboard')
    with pytest.raises(ApiError):
        lee.get('ConfigMap', 'none')
    watch = lee.watch('ConfigMap', since='0')
    next(watch)     # it has begun
    kube.get('ConfigMap', 'a')
    seen = cluster.audit(user='leeboard', since=mark)
    assert [(r.verb, r.resource, r.name, r.code) for r in seen] == [
        ('create', 'configmaps', 'a', 201), ('get', 'configmaps', 'a', 200), ('patch', 'configmaps', 'b', 201),
        ('get', 'configmaps', 'none', 404), ('watch', 'configmaps', '', 200)]
    assert {(r.namespace, r.agent) for r in seen} == {(kube.namespace, 'leeboard/test')}
    assert [r.done for r in seen] == [True] * 4 + [False]
    assert seen[2].query['fieldManager'] == 'leeboard'
    assert len(cluster.audit(user='leeboard', since=mark, verb=WRITES)) == 2
    # a watch that ends later is no new request
    later = cluster.mark()
    watch.close()
    lee.get('ConfigMap', 'b')
    assert [r.verb for r in cluster.audit(user='leeboard', since=later)] == ['get']
    lee.close()


def test_a_cluster_ends_with_the_tests_that_started_it(cluster):
    """Also when these are killed: nothing is left, neither a process nor a file."""
    program = ('import sys; sys.path.insert(0, %r); import cluster; c = cluster.Cluster(%r); print(c.dir, c.process.pid, flush=True); '
               'sys.stdin.read()' % (os.path.dirname(__file__), cluster.process.args[0]))
    p = subprocess.Popen([sys.executable, '-c', program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    folder, pid = p.stdout.readline().split()
    end = os.pidfd_open(int(pid))
    p.kill()
    p.communicate()
    assert select.select([end], [], [], 15)[0]
    os.close(end)
    assert not os.path.exists(folder)


def test_one_that_is_killed_leaves_no_process_and_its_folder_starts_again(cluster):
    with tempfile.TemporaryDirectory(dir=os.path.dirname(cluster.dir)) as folder:
        other = harness.Cluster(cluster.process.args[0], folder)
        client = other.client()
        client.create(configmap('kept'))
        client.close()
        children = [os.pidfd_open(pid) for name, pid in other.pids.items() if name != 'etcd']
        assert len(children) == 2
        with pytest.raises(RuntimeError, match='another cluster runs here'):
            harness.Cluster(cluster.process.args[0], folder)
        other.process.kill()
        other.process.wait()
        for fd in children:
            assert select.select([fd], [], [], 10)[0], 'a child outlived its parent'
            os.close(fd)
        other.close()
        again = harness.Cluster(cluster.process.args[0], folder)
        client = again.client()
        assert client.get('ConfigMap', 'kept')['metadata']['name'] == 'kept'
        client.close()
        again.close()
        assert again.process.returncode == 0
