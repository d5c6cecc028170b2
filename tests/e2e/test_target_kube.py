"""The Kubernetes target against a real API server; what it asked is read from the server's audit log."""
import json
import re
import stat
import subprocess
import time

import pytest

from cluster import LIMIT, WRITES, configmap, deployment, is_established
from driver import program

USER = 'leeboard'


@pytest.fixture(name='edge')
def edge_fixture(kube, target_of, cluster):
    """A target, ready, whose instance has the name of the test's namespace: nothing of other tests is ours."""
    d = target_of(cluster.kubeconfig, instance=kube.namespace)
    d.ns = kube.namespace
    return d


def marked(obj, edge, app='shop'):
    m = obj['metadata']
    if 'namespace' not in m and obj['kind'] not in ('Namespace', 'CustomResourceDefinition', 'ClusterRole'):
        m['namespace'] = edge.ns
    m.setdefault('labels', {}).update({'leeboard.dev/instance': edge.ns, 'leeboard.dev/app': app})
    m.setdefault('annotations', {})['leeboard.dev/owner'] = '%s/%s' % (edge.ns, app)
    return obj


def ident(obj):
    group = obj['apiVersion'].rpartition('/')[0]
    m = obj['metadata']
    return '%s/%s/%s/%s' % (group, obj['kind'], m.get('namespace', ''), m['name'])


def apply(edge, obj, app='shop', **kw):
    return edge.do('apply', object=obj, app=app, **kw)


def requests(cluster, mark, **kw):
    return cluster.audit(user=kw.pop('user', USER), since=mark, **kw)


# ---------------------------------------------------------------- who and what

def test_ready_tells_the_cluster_and_its_kinds(edge, kube):
    assert edge.ok('stats')['uid'] == kube.get('Namespace', 'kube-system')['metadata']['uid']
    facts = {k: edge.ok('facts', group=g, version=v, kind=k) for g, v, k in
             (('apps', 'v1', 'Deployment'), ('', 'v1', 'Namespace'), ('', 'v1', 'ConfigMap'), ('example.test', 'v1', 'Nothing'))}
    assert [(f['serves'], f['scope'], f['status']) for f in facts.values()] == [
        (True, 'namespaced', True), (True, 'cluster', True), (True, 'namespaced', False), (False, 'unknown', False)]


def test_ready_costs_three_requests_and_discovery_again_two_unchanged_ones(cluster, kube, target_of):
    d = target_of(cluster.kubeconfig, ready=False)
    mark = cluster.mark()
    d.ok('ready')
    assert sorted(r.uri for r in requests(cluster, mark)) == ['/api', '/api/v1/namespaces/kube-system', '/apis']
    mark = cluster.mark()
    d.ok('discover')
    assert [r.code for r in requests(cluster, mark)] == [304, 304]


def test_a_token_is_taken_too(cluster, kube, target_of):
    d = target_of(cluster.token_kubeconfig)
    assert d.ok('stats')['uid']


def test_a_token_file_is_read_again_when_the_server_refuses_its_token(cluster, kube, target_of, tmp_path):
    config = open(cluster.token_kubeconfig, encoding='utf-8').read()
    token = re.search(r'token: (\S+)', config)
    (tmp_path / 'token').write_text('stale')
    (tmp_path / 'config').write_text(config.replace(token[0], 'tokenFile: token'))
    (tmp_path / 'config').chmod(0o600)
    d = target_of(str(tmp_path / 'config'), ready=False)
    a = d.do('ready')
    assert (a['code'], a['message']) == (
        'Forbidden', 'the server does not take our credential (401): cannot discover kinds')
    (tmp_path / 'token').write_text(token[1].strip('"') + '\n')
    d.ok('ready')


@pytest.mark.parametrize('name, good', [('localhost', True), ('other.test', False)])
def test_a_certificate_is_checked_for_the_name_that_the_kubeconfig_says(cluster, kube, target_of, tmp_path, name, good):
    config = open(cluster.token_kubeconfig, encoding='utf-8').read()
    (tmp_path / 'config').write_text(re.sub(r'(\n *)(server: )', r'\1tls-server-name: %s\1\2' % name, config))
    (tmp_path / 'config').chmod(0o600)
    a = target_of(str(tmp_path / 'config'), ready=False).do('ready')
    if good:
        assert 'error' not in a
    else:
        assert a['code'] == 'TargetUnreachable'
        assert re.match(r"cannot verify the certificate of '127.0.0.1:\d+': ", a['message']) and 'other.test' in a['message']


def exec_config(cluster, tmp_path, body):
    plugin = tmp_path / 'plugin'
    plugin.write_text('#!/bin/sh\necho run >>%s/runs\n%s\n' % (tmp_path, body))
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    config = open(cluster.token_kubeconfig, encoding='utf-8').read()
    token = re.search(r'token: (\S+)', config)
    call = json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'command': 'plugin', 'interactiveMode': 'Never'})
    (tmp_path / 'config').write_text(config.replace(token[0], 'exec: ' + call))
    (tmp_path / 'config').chmod(0o600)
    return str(tmp_path / 'config'), str(plugin), token[1].strip('"')


def test_an_exec_plugin_runs_once_and_only_when_allowed(cluster, kube, target_of, tmp_path):
    config, plugin, token = exec_config(cluster, tmp_path, 'cat %s/credential' % tmp_path)
    (tmp_path / 'credential').write_text(json.dumps({
        'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential', 'status': {'token': token}}))
    d = target_of(config, programs=[plugin])
    d.ok('discover')
    assert (tmp_path / 'runs').read_text() == 'run\n'
    p = subprocess.run([program(), config, 'edge', 'here'], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert p.returncode == 1
    assert "program 'plugin' is not in allowExec of the Daemon" in p.stderr


def test_a_failing_exec_plugin_is_named(cluster, kube, target_of, tmp_path):
    config, plugin, _ = exec_config(cluster, tmp_path, 'exit 7')
    d = target_of(config, ready=False, programs=[plugin])
    a = d.do('ready')
    assert (a['code'], a['message']) == ('TargetUnreachable', "credential plugin '%s': it ended with status 7" % plugin)


# ---------------------------------------------------------------- apply

def test_one_write_creates_one_changes_and_none_is_needed_for_what_is_there(cluster, kube, edge):
    cm = marked(configmap('a', k='v'), edge)
    mark = cluster.mark()
    a = apply(edge, cm, create=True)
    assert (a['outcome'], a['id'], a['root']['data']) == ('created', ident(cm), {'k': 'v'})
    cm['data'] = {'k': 'w'}
    assert apply(edge, cm, force=True, uid=a['uid'])['outcome'] == 'changed'
    assert apply(edge, cm, force=True, uid=a['uid'])['outcome'] == 'unchanged'
    asked = requests(cluster, mark)
    assert [(r.verb, r.code) for r in asked] == [('patch', 201), ('patch', 200), ('patch', 200)]
    assert kube.get('ConfigMap', 'a')['data'] == {'k': 'w'}
    assert edge.ok('stats')['writes'] == 3


def test_a_field_that_left_is_removed(kube, edge):
    cm = marked(configmap('a', k='v', gone='x'), edge)
    apply(edge, cm, create=True)
    del cm['data']['gone']
    apply(edge, cm, force=True)
    assert kube.get('ConfigMap', 'a')['data'] == {'k': 'v'}


def test_the_same_name_with_another_uid_is_not_written(kube, edge):
    cm = marked(configmap('a', k='v'), edge)
    a = apply(edge, cm, create=True)
    kube.delete('ConfigMap', 'a')
    kube.create(configmap('a', other='x'))
    cm['data'] = {'k': 'w'}
    b = apply(edge, cm, force=True, uid=a['uid'])
    assert (b['code'], b['message']) == (
        'Conflict', "configmaps 'a' in namespace '%s' is another object now: it was deleted and made anew" % edge.ns)
    assert kube.get('ConfigMap', 'a')['data'] == {'other': 'x'}


def test_an_object_that_is_meant_and_gone_is_not_made_anew(kube, edge):
    cm = marked(configmap('a', k='v'), edge)
    a = apply(edge, cm, create=True)
    kube.delete('ConfigMap', 'a')
    cm['data'] = {'k': 'w'}
    b = apply(edge, cm, force=True, uid=a['uid'])
    assert (b['code'], b['message']) == ('Conflict', "configmaps 'a' in namespace '%s' was deleted meanwhile" % edge.ns)
    assert kube.find('ConfigMap', 'a') is None


def test_a_warning_of_the_server_is_passed_on_once(kube, edge):
    old = marked({'apiVersion': 'v1', 'kind': 'Endpoints', 'metadata': {'name': 'e'}}, edge)
    apply(edge, old, create=True)
    old['metadata']['name'] = 'f'
    apply(edge, old, create=True)
    (line,) = [x for x in edge.close().splitlines() if 'target.warning' in x]
    assert 'object="endpoints e"' in line and 'v1 Endpoints is deprecated' in line


def test_what_came_meanwhile_is_not_taken(kube, edge):
    kube.create(configmap('a', k='theirs'), manager='somebody')
    a = apply(edge, marked(configmap('a', k='ours'), edge), create=True)
    assert a['code'] == 'Conflict'
    assert a['message'] == ".data.k of configmaps 'a' in namespace '%s': held by \"somebody\" using v1" % edge.ns
    assert 'it was not there when this was planned' in a['error']
    assert kube.get('ConfigMap', 'a')['data'] == {'k': 'theirs'}


def test_what_came_meanwhile_and_is_ours_is_written(kube, edge):
    kube.create(marked(configmap('a', k='before'), edge), manager='somebody')
    assert apply(edge, marked(configmap('a', k='ours'), edge), create=True)['outcome'] == 'changed'
    assert kube.get('ConfigMap', 'a')['data'] == {'k': 'ours'}


def test_a_conflict_names_who_holds_the_fields_and_force_takes_them(kube, edge):
    kube.apply(deployment('web', replicas=3), manager='scaler')
    d = marked(deployment('web', replicas=1, image='example.test/app:2'), edge)
    a = apply(edge, d)
    assert a['code'] == 'Conflict'
    assert a['message'] == (
        '.spec.replicas, .spec.template.spec.containers[name="app"].image of deployments.apps \'web\' in namespace \'%s\': '
        'held by "scaler"' % edge.ns)
    assert apply(edge, d, force=True)['outcome'] == 'changed'
    assert kube.get('Deployment', 'web')['spec']['replicas'] == 1


def test_an_undeclared_field_is_an_invalid_object_and_tried_once(cluster, kube, edge):
    d = marked(deployment('web'), edge)
    d['spec']['replica'] = 1
    mark = cluster.mark()
    a = apply(edge, d, create=True)
    assert a['code'] == 'Invalid'
    assert '.spec.replica: field not declared in schema' in a['message']
    assert len([r for r in requests(cluster, mark) if r.verb == 'patch']) == 1


def test_a_secrets_mistake_does_not_tell_its_value(kube, edge):
    s = marked({'apiVersion': 'v1', 'kind': 'Secret', 'metadata': {'name': 's'}, 'data': {'k': {'hunter2': 'hunter2'}}}, edge)
    a = apply(edge, s, create=True)
    assert a['code'] == 'Invalid' and 'hunter2' not in json.dumps(a)


def test_an_immutable_field_is_told_apart_from_other_mistakes(kube, edge):
    d = marked(deployment('web', replicas=0), edge)
    apply(edge, d, create=True)
    d['spec']['selector']['matchLabels']['x'] = d['spec']['template']['metadata']['labels']['x'] = 'y'
    a = apply(edge, d, force=True)
    assert (a['code'], a['message']) == (
        'Immutable', "spec.selector of deployments.apps 'web' in namespace '%s' cannot be changed" % edge.ns)
    bad = marked(deployment('bad'), edge)
    bad['spec']['template']['metadata']['labels'] = {'app': 'other'}
    assert apply(edge, bad, create=True)['code'] == 'Invalid'


def test_a_right_that_is_missing_is_named(cluster, kube, target_of):
    config = cluster.user('nobody-' + kube.namespace)
    kube.create({'apiVersion': 'rbac.authorization.k8s.io/v1', 'kind': 'ClusterRole', 'metadata': {'name': kube.namespace},
                 'rules': [{'apiGroups': [''], 'resources': ['namespaces'], 'verbs': ['get']}]})
    kube.create({'apiVersion': 'rbac.authorization.k8s.io/v1', 'kind': 'ClusterRoleBinding', 'metadata': {'name': kube.namespace},
                 'roleRef': {'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'ClusterRole', 'name': kube.namespace},
                 'subjects': [{'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'User', 'name': 'nobody-' + kube.namespace}]})
    d = target_of(config)
    d.ns = kube.namespace
    a = apply(d, marked(configmap('a', k='v'), d), create=True)
    assert (a['code'], a['message']) == (
        'Forbidden', "user 'nobody-%s' may not patch configmaps 'a' in namespace '%s'" % (kube.namespace, kube.namespace))
    got = d.do('get', ids=[{'id': '/ConfigMap/%s/a' % kube.namespace, 'version': 'v1'}])
    assert got['code'] == 'Forbidden' and got['objects'][0]['failed'], 'unreadable is not absent'


def test_a_quota_is_told_apart_from_a_right(kube, edge):
    kube.create({'apiVersion': 'v1', 'kind': 'ResourceQuota', 'metadata': {'name': 'q'}, 'spec': {'hard': {'count/secrets': '0'}}})
    kube.wait('ResourceQuota', 'q', lambda q: 'count/secrets' in q.get('status', {}).get('hard', {}))
    a = apply(edge, marked({'apiVersion': 'v1', 'kind': 'Secret', 'metadata': {'name': 's'}}, edge), create=True)
    assert a['code'] == 'Quota' and 'exceeded quota: q' in a['message']


def test_an_admission_policy_denies(kube, edge):
    name = kube.namespace
    kube.create({'apiVersion': 'admissionregistration.k8s.io/v1', 'kind': 'ValidatingAdmissionPolicy', 'metadata': {'name': name}, 'spec': {
        'matchConstraints': {'resourceRules': [{'apiGroups': [''], 'apiVersions': ['v1'], 'operations': ['CREATE'], 'resources': ['configmaps']}],
                             'namespaceSelector': {'matchLabels': {'kubernetes.io/metadata.name': name}}},
        'validations': [{'expression': "object.metadata.name != 'bad'", 'message': 'no bad ones'}]}})
    kube.create({'apiVersion': 'admissionregistration.k8s.io/v1', 'kind': 'ValidatingAdmissionPolicyBinding', 'metadata': {'name': name},
                 'spec': {'policyName': name, 'validationActions': ['Deny']}})
    end = time.monotonic() + LIMIT
    a = {}
    while 'code' not in a and time.monotonic() < end:   # it takes effect some time after its creation; nothing says when
        a = edge.do('preview', object=marked(configmap('bad', k='v'), edge), app='shop')
    a = apply(edge, marked(configmap('bad', k='v'), edge), create=True)
    assert a['code'] == 'Denied' and 'no bad ones' in a['message']


def test_a_missing_namespace_and_a_missing_kind_are_named(edge):
    a = apply(edge, marked({**configmap('a', k='v'), 'metadata': {'name': 'a', 'namespace': 'nowhere'}}, edge), create=True)
    assert (a['code'], a['message']) == (
        'not-found',
        "namespace 'nowhere' is not there: cannot patch configmaps 'a' in namespace 'nowhere'")
    a = apply(edge, marked({'apiVersion': 'example.test/v1', 'kind': 'Nothing', 'metadata': {'name': 'a'}}, edge), create=True)
    assert a['message'] == "the server serves no kind 'Nothing' of 'example.test/v1'"


def crd(kind, group):
    plural = kind.lower() + 's'
    return {'apiVersion': 'apiextensions.k8s.io/v1', 'kind': 'CustomResourceDefinition', 'metadata': {'name': '%s.%s' % (plural, group)},
            'spec': {'group': group, 'scope': 'Namespaced', 'names': {'plural': plural, 'singular': kind.lower(), 'kind': kind},
                     'versions': [{'name': 'v1', 'served': True, 'storage': True, 'schema': {'openAPIV3Schema': {
                         'type': 'object', 'properties': {'spec': {'type': 'object', 'x-kubernetes-preserve-unknown-fields': True}}}}}]}}


def test_a_new_kind_is_found_once_its_crd_is_established(kube, edge):
    group = edge.ns + '.test'
    definition = marked(crd('Widget', group), edge)
    kube.made.append(('apiextensions.k8s.io/v1/CustomResourceDefinition', definition['metadata']['name']))
    widget = marked({'apiVersion': group + '/v1', 'kind': 'Widget', 'metadata': {'name': 'w'}, 'spec': {'a': 1}}, edge)
    got = edge.ok('get', ids=[{'id': ident(widget), 'version': 'v1'}])
    assert got['objects'][0]['root'] is None and 'failed' not in got['objects'][0]
    edge.ok('watch', group=group, version='v1', kind='Widget')
    edge.event('listed', '%s/Widget//' % group)
    assert apply(edge, definition, create=True)['outcome'] == 'created'
    kube.wait('CustomResourceDefinition', definition['metadata']['name'], is_established)
    assert apply(edge, widget, create=True)['outcome'] == 'created'
    edge.event('seen', ident(widget))


def test_a_preview_writes_nothing(cluster, kube, edge):
    cm = marked(configmap('a', k='v'), edge)
    a = edge.ok('preview', object=cm, app='shop', force=True)
    assert (a['outcome'], a['root']['data']) == ('created', {'k': 'v'})
    assert kube.find('ConfigMap', 'a') is None
    assert edge.ok('stats')['writes'] == 0


def test_an_object_that_is_going_is_made_again_when_it_is_gone(kube, edge):
    old = marked(configmap('a', k='old'), edge)
    old['metadata']['finalizers'] = ['example.test/hold']
    kube.create(old)
    kube.delete('ConfigMap', 'a')
    tag = edge.send('apply', object=marked(configmap('a', k='new'), edge), app='shop', force=True)
    kube.wait('ConfigMap', 'a', lambda o: o and o['data'] == {'k': 'new'})     # written to what is going, in vain
    kube.patch('ConfigMap', 'a', {'metadata': {'finalizers': None}})
    a = edge.answer(tag)
    assert a['outcome'] == 'created'
    assert 'deletionTimestamp' not in kube.get('ConfigMap', 'a')['metadata']


def test_a_cancelled_call_is_never_answered(kube, edge):
    edge.ok('apply', object=marked(configmap('a', k='v'), edge), app='shop', cancel=True)
    edge.ok('discover')
    assert edge.answers == {}


def test_a_group_whose_server_is_down_is_unknown_and_not_empty(kube, edge):
    group = edge.ns + '.test'
    kube.create({'apiVersion': 'apiregistration.k8s.io/v1', 'kind': 'APIService', 'metadata': {'name': 'v1.' + group}, 'spec': {
        'group': group, 'version': 'v1', 'groupPriorityMinimum': 100, 'versionPriority': 100, 'insecureSkipTLSVerify': True,
        'service': {'name': 'nowhere', 'namespace': edge.ns}}})
    end = time.monotonic() + LIMIT
    while not edge.ok('facts', group=group, version='v1', kind='Other')['serves'] and time.monotonic() < end:
        edge.ok('discover')     # the aggregator hears of it some time after its creation; nothing says when
    said = "the server cannot say what is in API group '%s/v1' now: nothing is known of its Other objects" % group
    other = {'apiVersion': group + '/v1', 'kind': 'Other', 'metadata': {'name': 'x'}}
    a = edge.do('get', ids=[{'id': '%s/Other/%s/x' % (group, edge.ns), 'version': 'v1'}, {'id': '/ConfigMap/%s/x' % edge.ns, 'version': 'v1'}])
    assert (a['code'], a['message']) == ('TargetUnreachable', said)
    assert ['failed' in o for o in a['objects']] == [True, False]
    assert apply(edge, marked(other, edge), create=True)['message'] == said
    assert edge.do('delete', id='%s/Other/%s/x' % (group, edge.ns), version='v1', uid='u')['message'] == said
    assert apply(edge, marked(configmap('a', k='v'), edge), create=True)['outcome'] == 'created', 'others go on'


# ---------------------------------------------------------------- take over

def test_what_kubectl_applied_is_taken_over_whole(cluster, kube, edge):
    there = configmap('a', keep='1', drop='2')
    there['metadata']['annotations'] = {'kubectl.kubernetes.io/last-applied-configuration': '{"old":true}'}
    live = kube.create(there, manager='kubectl-client-side-apply')
    mark = cluster.mark()
    a = apply(edge, marked(configmap('a', keep='1'), edge), adopt=live, force=True)
    assert a['outcome'] == 'changed'
    now = kube.get('ConfigMap', 'a')
    assert now['data'] == {'keep': '1'}
    assert list(now['metadata']['annotations']) == ['leeboard.dev/owner']
    assert [(m['manager'], m['operation']) for m in now['metadata']['managedFields']] == [('leeboard', 'Apply')]
    assert [r.verb for r in requests(cluster, mark)] == ['patch', 'patch']


def test_taking_over_looks_again_when_the_object_moved_on(cluster, kube, edge):
    live = kube.create(configmap('a', keep='1', drop='2'), manager='kubectl-create')
    kube.patch('ConfigMap', 'a', {'data': {'more': '3'}}, manager='kubectl-patch')
    a = apply(edge, marked(configmap('a', keep='1'), edge), adopt=live, force=True)
    assert a['outcome'] == 'changed'
    assert kube.get('ConfigMap', 'a')['data'] == {'keep': '1'}


def test_fields_of_controllers_stay_theirs(kube, edge):
    live = kube.create(configmap('a', keep='1'), manager='kubectl-create')
    live = kube.patch('ConfigMap', 'a', {'data': {'theirs': 'x'}}, manager='some-controller')
    apply(edge, marked(configmap('a', keep='1'), edge), adopt=live, force=True)
    assert kube.get('ConfigMap', 'a')['data'] == {'keep': '1', 'theirs': 'x'}


# ---------------------------------------------------------------- get

def test_several_of_a_kind_are_looked_for_by_one_list_of_metadata(cluster, kube, edge):
    for i in range(4):
        kube.create(configmap('c%d' % i, k='v'))
    kube.create(deployment('web', replicas=0))
    ids = [{'id': '/ConfigMap/%s/c%d' % (edge.ns, i), 'version': 'v1'} for i in range(4)]
    ids += [{'id': '/ConfigMap/%s/none' % edge.ns, 'version': 'v1'}, {'id': 'apps/Deployment/%s/web' % edge.ns, 'version': 'v1'},
            {'id': '/ConfigMap/%s/c1' % edge.ns, 'version': 'v1'}]
    mark = cluster.mark()
    a = edge.ok('get', ids=ids, meta=True)
    assert [o['root'] and o['root']['metadata']['name'] for o in a['objects']] == ['c0', 'c1', 'c2', 'c3', None, 'web', 'c1']
    assert [o['root']['kind'] for o in a['objects'] if o['root']] == ['ConfigMap'] * 4 + ['Deployment', 'ConfigMap']
    assert all('data' not in o['root'] and o['root']['metadata']['managedFields'] for o in a['objects'] if o['root'])
    assert sorted((r.verb, r.resource) for r in requests(cluster, mark)) == [('get', 'deployments'), ('list', 'configmaps')]


def test_whole_objects_are_read_one_by_one(cluster, kube, edge):
    kube.create(configmap('c', k='v'))
    a = edge.ok('get', ids=[{'id': '/ConfigMap/%s/%s' % (edge.ns, n), 'version': 'v1'} for n in ('c', 'd', 'e', 'f')])
    assert [o['root'] and o['root']['data'] for o in a['objects']] == [{'k': 'v'}, None, None, None]


def test_a_list_by_selector_tells_what_stands_there(kube, edge):
    kube.create(deployment('web', replicas=2))
    kube.wait_list('Pod', lambda p: len(p) == 2, selector='app=web')
    a = edge.ok('list', group='', version='v1', kind='Pod', ns=edge.ns, selector='app=web,app in (web,x)')
    assert [o['root']['kind'] for o in a['objects']] == ['Pod', 'Pod']


# ---------------------------------------------------------------- delete

def test_a_deletion_is_one_request_where_nothing_holds_the_object(cluster, kube, edge):
    a = apply(edge, marked(configmap('a', k='v'), edge), create=True)
    mark = cluster.mark()
    edge.ok('delete', id=a['id'], version='v1', uid=a['uid'])
    assert kube.find('ConfigMap', 'a') is None
    edge.ok('delete', id=a['id'], version='v1', uid=a['uid'])
    assert [(r.verb, r.code) for r in requests(cluster, mark)] == [('delete', 200), ('delete', 404)]


def test_another_object_of_that_name_stays(kube, edge):
    live = kube.create(configmap('a', k='v'))
    edge.ok('delete', id='/ConfigMap/%s/a' % edge.ns, version='v1', uid='00000000-0000-0000-0000-000000000000')
    assert kube.get('ConfigMap', 'a')['metadata']['uid'] == live['metadata']['uid']


def test_a_foreground_deletion_waits_by_a_watch_of_the_one_object(cluster, kube, edge):
    live = kube.create(deployment('web'))
    kube.wait_list('Pod', lambda p: len(p) == 1, selector='app=web')
    mark = cluster.mark()
    edge.ok('delete', id='apps/Deployment/%s/web' % edge.ns, version='v1', uid=live['metadata']['uid'], foreground=True)
    assert kube.find('Deployment', 'web') is None
    assert [r.verb for r in requests(cluster, mark)] == ['delete', 'watch']


def test_a_watched_kind_needs_no_watch_of_one_object(cluster, kube, edge):
    edge.ok('watch', group='apps', version='v1', kind='Deployment')
    edge.event('listed')
    a = apply(edge, marked(deployment('web'), edge), create=True)
    kube.wait_list('Pod', lambda p: len(p) == 1, selector='app=web')
    mark = cluster.mark()
    edge.ok('delete', id=a['id'], version='v1', uid=a['uid'], foreground=True)
    edge.event('gone', a['id'])
    assert [r.verb for r in requests(cluster, mark) if r.verb != 'get'] == ['delete']


def test_a_deletion_that_hangs_names_its_finalizers_and_may_be_repeated(cluster, kube, target_of):
    d = target_of(cluster.kubeconfig, delete_timeout=300)
    obj = configmap('a', k='v')
    obj['metadata']['finalizers'] = ['example.test/one', 'example.test/two']
    live = kube.create(obj)
    what = {'id': '/ConfigMap/%s/a' % kube.namespace, 'version': 'v1', 'uid': live['metadata']['uid']}
    a = d.do('delete', **what)
    assert (a['code'], a['message']) == (
        'Finalizer', "ConfigMap %s/a is still there after 300ms: waiting for finalizers 'example.test/one', 'example.test/two'" % kube.namespace)
    kube.patch('ConfigMap', 'a', {'metadata': {'finalizers': None}})
    d.ok('delete', **what)


# ---------------------------------------------------------------- watch

def test_a_watch_tells_what_is_ours_and_what_becomes_of_it(cluster, kube, edge):
    apply(edge, marked(configmap('before', k='v'), edge), create=True)
    kube.create(configmap('foreign', k='v'))
    mark = cluster.mark()
    edge.ok('watch', group='', version='v1', kind='ConfigMap')
    edge.ok('watch', group='', version='v1', kind='ConfigMap')
    edge.event('listing', '/ConfigMap//')
    edge.event('seen', '/ConfigMap/%s/before' % edge.ns)
    edge.event('listed', '/ConfigMap//')
    kube.patch('ConfigMap', 'before', {'data': {'k': 'changed'}})
    e = edge.event('seen', '/ConfigMap/%s/before' % edge.ns)
    assert (e['root']['data'], e['root']['kind'], e['version']) == ({'k': 'changed'}, 'ConfigMap', 'v1')
    kube.delete('ConfigMap', 'before')
    edge.event('gone', '/ConfigMap/%s/before' % edge.ns)
    assert [r.verb for r in requests(cluster, mark)] == ['watch', 'get'], 'one watch, one question whether it is gone'
    assert not edge.events


def test_a_stripped_label_is_no_deletion(cluster, kube, edge):
    apply(edge, marked(configmap('a', k='v'), edge), create=True)
    edge.ok('watch', group='', version='v1', kind='ConfigMap')
    edge.event('listed')
    edge.event('seen')
    mark = cluster.mark()
    kube.patch('ConfigMap', 'a', {'metadata': {'labels': {'leeboard.dev/instance': None}}})
    e = edge.event('seen', '/ConfigMap/%s/a' % edge.ns)
    assert e['root']['metadata']['labels'] == {'leeboard.dev/app': 'shop'}
    assert [r.verb for r in requests(cluster, mark)] == ['get']


def test_at_rest_nothing_is_asked(cluster, kube, edge):
    for group, kind in (('', 'ConfigMap'), ('apps', 'Deployment'), ('', 'Service')):
        edge.ok('watch', group=group, version='v1', kind=kind)
        edge.event('listed', '%s/%s//' % (group, kind))
    mark = cluster.mark()
    # As long as the API server and its controllers need for a foreign roll-out.
    kube.create(deployment('foreign', replicas=2))
    kube.wait('Deployment', 'foreign', lambda d: d.get('status', {}).get('availableReplicas') == 2)
    kube.create(configmap('foreign', k='v'))
    assert requests(cluster, mark) == []
    assert len(cluster.audit(user=USER, verb='watch', where=lambda r: edge.ns in r.uri)) == 3


def test_a_server_that_goes_and_comes_is_told_and_nothing_is_missed(cluster, kube, edge):
    for name in ('stays', 'goes', 'stripped'):
        apply(edge, marked(configmap(name, k='v'), edge), create=True)
    edge.ok('watch', group='', version='v1', kind='ConfigMap')
    edge.event('listed')
    edge.events.clear()
    cluster.stop_server()
    assert 'connect to' in edge.event('lost')['why']
    a = apply(edge, marked(configmap('stays', k='w'), edge), force=True)
    assert a['code'] == 'TargetUnreachable'
    cluster.start_server()
    edge.event('found')
    assert apply(edge, marked(configmap('stays', k='w'), edge), force=True)['outcome'] == 'changed'
    edge.event('seen', '/ConfigMap/%s/stays' % edge.ns, lambda e: e['root']['data'] == {'k': 'w'})
    kube.delete('ConfigMap', 'goes')
    edge.event('gone', '/ConfigMap/%s/goes' % edge.ns)


def test_a_watch_that_ended_goes_on_without_a_list(cluster, kube, edge):
    edge.ok('watch', group='', version='v1', kind='ConfigMap')
    edge.event('listed')
    cluster.kill_server()
    cluster.start_server()
    apply(edge, marked(configmap('a', k='v'), edge), create=True)
    edge.event('seen', '/ConfigMap/%s/a' % edge.ns)
    assert [e['event'] for e in edge.events if e['event'] in ('listing', 'listed')] == ['listing']


def test_an_ended_watch_is_silent(cluster, kube, edge):
    edge.ok('watch', group='', version='v1', kind='ConfigMap')
    edge.event('listed')
    edge.ok('unwatch', group='', version='v1', kind='ConfigMap')
    apply(edge, marked(configmap('a', k='v'), edge), create=True)
    edge.ok('discover')
    assert [e for e in edge.events if e['event'] != 'listing'] == []


# ---------------------------------------------------------------- records

LINE = '/ConfigMap/%s/c%05d\tv1\tuid-%d\tc\tl\n'


def test_a_record_is_written_only_when_it_differs_and_another_process_reads_it(cluster, kube, edge, target_of):
    record = {'app': 'shop', 'source': 'git', 'ref': 'refs/heads/main', 'accepted': 'a' * 40, 'applied': 'b' * 40, 'generation': 7,
              'holder': 'here'}
    mark = cluster.mark()
    assert edge.ok('records', app='')['records'] == []
    edge.ok('record_put', **record)
    edge.ok('record_put', **record)
    edge.ok('inventory_put', app='shop', lines=LINE % (edge.ns, 1, 1))
    edge.ok('inventory_put', app='shop', lines=LINE % (edge.ns, 1, 1))
    writes = [r for r in requests(cluster, mark, verb=WRITES) if r.resource == 'configmaps' and r.code < 300]
    assert [(r.verb, r.namespace) for r in writes] == [('create', 'leeboard-system'), ('create', 'leeboard-system')]
    other = target_of(cluster.kubeconfig, instance=edge.ns)
    (seen,) = other.ok('records', app='')['records']
    assert {k: seen[k] for k in record} == record
    assert (seen['applied_at'], seen['inventory']) == (1700000000123, LINE % (edge.ns, 1, 1))
    names = [m['metadata']['name'] for m in kube.list('ConfigMap', 'leeboard-system', 'leeboard.dev/record-of=' + edge.ns)]
    assert names == ['leeboard.%s.shop' % edge.ns, 'leeboard.%s.shop.0' % edge.ns]
    other.ok('record_drop', app='shop')
    assert other.ok('records', app='')['records'] == []
    assert kube.list('ConfigMap', 'leeboard-system', 'leeboard.dev/record-of=' + edge.ns) == []


def test_a_large_inventory_is_kept_in_chunks_and_one_change_writes_one(cluster, kube, edge, target_of):
    lines = [LINE % (edge.ns, i, i) for i in range(9000)]
    edge.ok('inventory_put', app='shop', lines=''.join(lines))
    edge.ok('record_put', app='shop', accepted='a' * 40, holder='here')
    mark = cluster.mark()
    lines[8999] = LINE % (edge.ns, 8999, 1)
    lines.append(LINE % (edge.ns, 9001, 1))
    edge.ok('inventory_put', app='shop', lines=''.join(lines))
    assert [r.verb for r in requests(cluster, mark)] == ['update']
    other = target_of(cluster.kubeconfig, instance=edge.ns)
    assert other.ok('records', app='shop')['records'][0]['inventory'] == ''.join(lines)
    kube.delete('ConfigMap', 'leeboard.%s.shop.1' % edge.ns, 'leeboard-system')
    a = other.do('records', app='shop')
    assert a['message'] == "a part of the inventory of app 'shop' is missing"
    for m in kube.list('ConfigMap', 'leeboard-system', 'leeboard.dev/record-of=' + edge.ns):
        kube.delete('ConfigMap', m['metadata']['name'], 'leeboard-system')


def test_two_holders_of_one_record_notice_each_other(cluster, kube, edge, target_of):
    edge.ok('record_put', app='shop', accepted='a' * 40, holder='here')
    other = target_of(cluster.kubeconfig, instance=edge.ns, holder='there')
    a = other.do('record_put', app='shop', accepted='b' * 40, holder='there')
    assert (a['code'], a['message']) == ('Conflict', "the record of app 'shop' is held by 'here', which wrote it")
    other.ok('records', app='')         # who has read it knows what it does
    other.ok('record_put', app='shop', accepted='b' * 40, holder='there')
    a = edge.do('record_put', app='shop', accepted='c' * 40, holder='here')
    assert (a['code'], a['message']) == ('Conflict', "the record of app 'shop' is held by 'there', which wrote it")
    other.ok('record_drop', app='shop')


# ---------------------------------------------------------------- cost

def test_each_object_is_one_write_and_nothing_else(cluster, kube, edge):
    objects = [marked(configmap('c%d' % i, k='v' * 200), edge) for i in range(200)]
    mark = cluster.mark()
    a = edge.ok('bulk', objects=objects, app='shop', create=True)
    assert (a['created'], a['failed']) == (200, 0)
    a = edge.ok('bulk', objects=objects, app='shop', force=True)
    assert (a['unchanged'] + a['changed'], a['failed']) == (200, 0)
    assert {r.verb for r in requests(cluster, mark)} == {'patch'}
    assert len(requests(cluster, mark)) == 400
