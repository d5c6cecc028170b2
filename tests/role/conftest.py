import os
import subprocess

import pytest

import servers
import worker

OBJECT_LIMIT = 60


@pytest.fixture
def repo(tmp_path):
    return servers.Repo(tmp_path / 'srv' / 'fleet')


@pytest.fixture
def server(tmp_path, repo):
    s = servers.HttpServer(tmp_path / 'srv')
    yield s
    s.close()


@pytest.fixture
def store(tmp_path):
    """The source's object store; git(...) looks into it."""
    class Store:
        path = str(tmp_path / 'state' / 'objects')

        def git(self, *args):
            bare = tmp_path / 'look'
            if not bare.exists():
                subprocess.run(['git', 'init', '-q', '--bare', str(bare)], env=servers.GIT_ENV, check=True)
            return subprocess.run(['git', *args], cwd=bare, env={**servers.GIT_ENV, 'GIT_OBJECT_DIRECTORY': self.path},
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode().strip()

        def has(self, oid):
            return self.git('cat-file', '-t', oid) == 'commit'

        def packs(self):
            return sorted(n for n in os.listdir(self.path + '/pack') if n.endswith('.pack'))

        def litter(self):
            return sorted(n for n in os.listdir(self.path + '/pack') if not n.endswith(('.pack', '.idx')))
    return Store()


@pytest.fixture
def keys(tmp_path):
    """Signing keys by name; keys.signers(names...) are the allowed_signers lines."""
    class Keys:
        def key(self, name):
            path = str(tmp_path / (name + '.key'))
            if not os.path.exists(path):
                subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path], check=True)
            return path

        def signers(self, *names):
            lines = ''
            for n in names:
                with open(self.key(n) + '.pub') as f:
                    lines += '%s@example.org %s' % (n, f.read())
            return lines
    return Keys()


@pytest.fixture
def fetch(store):
    def run(url, want, blobs=(), how=None, **job):
        return worker.run('leeboard-fetch', {'op': 'fetch', 'objects': store.path, 'url': url, 'want': want, 'auth': 'none', **job},
                          blobs, **(how or {}))
    return run


@pytest.fixture
def refs():
    def run(url, *prefixes, blobs=(), how=None, **job):
        j = {'op': 'list', 'url': url, 'auth': 'none', **job}
        if prefixes:
            j['prefixes'] = list(prefixes)
        return worker.run('leeboard-fetch', j, blobs, **(how or {}))
    return run
