"""What a cluster of 1,000 objects costs, counted from the servers' own records."""
import pytest

from cluster import WRITES, configmap
from daemon import app, source
from folder import manifest
from onkube import LEEBOARD, managed

APPS = 250


def objects(i, n='1'):
    name = 'a%03d' % i
    return [{'apiVersion': 'v1', 'kind': 'ServiceAccount', 'metadata': {'name': name}}, configmap(name, n=n),
            {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': name}, 'spec': {'selector': {'app': name}, 'ports': [{'port': 80}]}},
            {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': name},
             'spec': {'replicas': 0, 'selector': {'matchLabels': {'app': name}},
                      'template': {'metadata': {'labels': {'app': name}}, 'spec': {'containers': [{'name': 'app', 'image': 'example.test/app:1'}]}}}}]


@pytest.mark.parametrize('of_apps', [1, 25])
def test_at_rest_a_change_and_a_full_compare_of_1000_objects(daemon, make_repo, cluster, kube, git_http, of_apps):
    repo = make_repo()
    # in one App, and in 25: cost follows the change, not how it is cut
    repo.commit({'apps/%02d/a%03d.yaml' % (i % of_apps, i): manifest(*objects(i)) for i in range(APPS)})
    target = {'kubeConfig': {'file': cluster.kubeconfig}, 'namespace': kube.namespace}
    d = daemon([source(git_http.url(repo)), *[app(target, name='web%02d' % k, path='apps/%02d' % k) for k in range(of_apps)]],
               instance=kube.namespace, release=True)
    d.wait(repo.head, timeout=120)
    assert sum(d.app('web%02d' % k)['objects']['total'] for k in range(of_apps)) == 4 * APPS
    assert len(kube.list('Deployment', selector='leeboard.dev/instance=' + kube.namespace)) == APPS

    # one write to managed objects for one changed object
    mark = cluster.mark()
    changed = repo.commit({'apps/%02d/a007.yaml' % (7 % of_apps): manifest(*objects(7, n='2'))})
    d.wait(changed, timeout=60)
    seen = cluster.audit(user=LEEBOARD, since=mark, where=lambda r: r.verb != 'watch')
    writes = managed([r for r in seen if r.verb in WRITES], kube)
    assert [(r.verb, r.resource, r.name) for r in writes] == [('patch', 'configmaps', 'a007')]
    assert len([r for r in seen if r.verb in WRITES]) <= 2, seen      # and one record
    assert [r.name for r in seen if r.verb not in WRITES] in ([], ['a007']), seen     # and at most a look at what is to change
    print('one changed object: %d requests, %d of them writes to managed objects' % (len(seen), len(writes)))

    # at rest: over ten polls nothing but watches that are renewed, one ls-refs a poll
    mark = cluster.mark()
    git_http.forget()
    cpu = d.cpu()
    polls = git_http.wait(lambda rs: sum(r.done for r in rs) >= 10, timeout=60)
    rest = cluster.audit(user=LEEBOARD, since=mark)
    assert [r for r in rest if r.verb != 'watch'] == []
    assert len(rest) <= 10, rest
    assert {(r.command, r.method) for r in polls} == {('ls-refs', 'POST')}
    spent = [b - a for a, b in zip(cpu, d.cpu())]
    print('at rest: %d requests to the API server but for %d watches renewed; %d polls of %d + %d bytes; %.0f ms of CPU in ten intervals; VmHWM %d kB' % (
        0, len(rest), len(polls), polls[0].got, polls[0].sent, 1000 * sum(spent), d.memory()[0]))
    assert d.memory()[0] < 64 << 10
