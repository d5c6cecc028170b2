import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from daemon import Daemon  # noqa: E402

BUILD = os.environ.get('LEEBOARD_BUILD', os.path.join(HERE, '..', '..', 'build'))


class Client:
    def __init__(self, tmp):
        self.tmp = tmp
        self.socket = str(tmp / 'socket')
        self.env = {'PATH': os.environ['PATH'], 'LEEBOARD_SOCKET': self.socket, 'TZ': 'UTC', 'HOME': str(tmp)}
        for name in ('ASAN_OPTIONS', 'LSAN_OPTIONS'):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def start(self, *argv, **env):
        return subprocess.Popen([os.path.join(BUILD, 'leeboard'), *argv], cwd=self.tmp, env={**self.env, **env},
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *argv, **env):
        return subprocess.run([os.path.join(BUILD, 'leeboard'), *argv], cwd=self.tmp, env={**self.env, **env},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def screen(self, *argv):
        """stdout of a verb that says nothing on stderr, and its exit status."""
        p = self.run(*argv)
        assert p.stderr == ''
        return p.returncode, p.stdout


@pytest.fixture
def client(tmp_path):
    return Client(tmp_path)


@pytest.fixture
def daemon(client):
    d = Daemon(client.socket)
    yield d
    d.stop()
