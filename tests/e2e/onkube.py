"""A daemon whose App holds a namespace of the real API server.

Fixture (conftest.py hands it out):

  start   start(repo, *documents, ...) -> Daemon: an App 'web' over the test's namespace, as user 'leeboard'. Every instance has
          a name of its own, that of the namespace, so that no test reads another's records.
"""
import pytest

from daemon import app, source

LEEBOARD = 'leeboard'


def target(cluster, kube, **kw):
    return {'kubeConfig': {'file': cluster.kubeconfig}, 'namespace': kube.namespace, **kw}


@pytest.fixture(name='start')
def start_fixture(daemon, cluster, kube):
    """start(repo, ...) -> a daemon whose App 'web' holds the test's namespace; every instance has a name of its own."""
    def go(repo, *more, release=False, interval='1s', spec=None, **of_app):
        url = repo if isinstance(repo, str) else repo.bare
        return daemon([source(url, interval=interval), app(target(cluster, kube), **of_app), *more], instance=kube.namespace, release=release, spec=spec)
    return go


def managed(requests, kube):
    """Writes to objects of the test: not the daemon's own records."""
    return [r for r in requests if r.namespace != 'leeboard-system' and not r.name.startswith('leeboard')]


def records(kube):
    return [o for o in kube.list('ConfigMap', namespace='leeboard-system') if o['metadata']['name'].startswith('leeboard.%s.' % kube.namespace)]
