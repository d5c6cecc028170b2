"""A target by hand: leeboard-target-driver (target_driver.c), spoken to by JSON lines.

Fixture (conftest.py): target_of(kubeconfig=..., instance=..., holder=..., delete_timeout=ms) starts one; all end
with the test, and must end well: the driver is built with sanitizers.
"""
import json
import os
import select
import subprocess
import time

import pytest

from cluster import LIMIT, TOP


class Driver:
    def __init__(self, program, kubeconfig, instance, holder, delete_timeout=0, requests=0, programs=()):
        self.process = subprocess.Popen([program, kubeconfig, instance, holder, str(delete_timeout), str(requests), *programs],
                                        bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.answers, self.events, self.serial, self.rest = {}, [], 0, b''
        self.said = ''

    def send(self, op, **args):
        """The tag by which answer() knows what comes back."""
        self.serial += 1
        tag = str(self.serial)
        data = memoryview(json.dumps({'op': op, 'tag': tag, **args}).encode() + b'\n')
        while data:     # read meanwhile: it may be busy telling us something
            _, writable, _ = select.select([], [self.process.stdin], [], 0.01)
            if writable:
                # PIPE_BUF bytes never block where a pipe is writable
                data = data[os.write(self.process.stdin.fileno(), data[:4096]):]
            else:
                self.take(0)
        return tag

    def read(self, until):
        """Reads until until() says something other than None."""
        end = time.monotonic() + LIMIT
        while True:
            found = until()
            if found is not None:
                return found
            if not self.take(max(end - time.monotonic(), 0)):
                raise AssertionError('nothing came in %g s; events: %s' % (LIMIT, [self.brief(e) for e in self.events[-20:]]))

    def take(self, wait):
        """What has come; False: nothing did."""
        readable, _, _ = select.select([self.process.stdout], [], [], wait)
        if not readable:
            return False
        data = os.read(self.process.stdout.fileno(), 1 << 20)
        if not data:
            raise AssertionError('the driver ended: ' + self.process.stderr.read().decode('utf-8', 'replace'))
        *lines, self.rest = (self.rest + data).split(b'\n')
        for line in lines:
            o = json.loads(line)
            if 'event' in o:
                self.events.append(o)
            else:
                self.answers[o['tag']] = o
        return True

    @staticmethod
    def brief(e):
        return (e['event'], e.get('why') or e.get('id', ''))

    def answer(self, tag):
        return self.read(lambda: self.answers.pop(tag, None))

    def do(self, op, **args):
        return self.answer(self.send(op, **args))

    def ok(self, op, **args):
        a = self.do(op, **args)
        assert 'error' not in a, a['error']
        return a

    def event(self, kind, id=None, want=lambda e: True):
        """The first event of this kind that was not taken yet; what came before it stays."""
        def find():
            for i, e in enumerate(self.events):
                if e['event'] == kind and (id is None or e['id'] == id) and want(e):
                    return self.events.pop(i)
            return None
        return self.read(find)

    def close(self):
        """stderr; fails when the driver did not end well (a leak, too)."""
        self.process.stdin.close()
        try:
            self.said = self.process.stderr.read().decode('utf-8', 'replace')
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self.process.stdout.close()
        self.process.stderr.close()
        assert status == 0, self.said
        return self.said


def program():
    return os.environ.get('LEEBOARD_TARGET_DRIVER') or os.path.join(TOP, 'build-asan', 'leeboard-target-driver')


@pytest.fixture(name='target_of')
def target_of_fixture():
    made = []

    def start(kubeconfig, instance='edge', holder='here', ready=True, **kw):
        d = Driver(program(), kubeconfig, instance, holder, **kw)
        made.append(d)
        if ready:
            d.ok('ready')
        return d
    yield start
    for d in made:
        if not d.process.stdin.closed:
            d.close()
