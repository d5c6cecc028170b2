"""What differs on a terminal: widths, colour, lines that are drawn anew."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

import pytest
from conftest import BUILD
from daemon import commit, doc


class Terminal:
    """A verb on a terminal of so many columns; what it writes there."""

    def __init__(self, client, columns, *argv, out=True, err=True):
        self.fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
        self.p = subprocess.Popen([os.path.join(BUILD, 'leeboard'), *argv], env={**client.env, 'TERM': 'xterm'}, cwd=client.tmp,
                                  stdin=theirs, stdout=theirs if out else subprocess.PIPE, stderr=theirs if err else subprocess.PIPE)
        os.close(theirs)
        self.text = ''

    def read(self, until=None, seconds=20):
        """Until this text was written, or the other side closed."""
        end = time.monotonic() + seconds
        while until is None or until not in self.text:
            assert time.monotonic() < end, 'no %r in %r' % (until, self.text)
            if not select.select([self.fd], [], [], 0.5)[0]:
                continue
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            self.text += data.decode().replace('\r\n', '\n')
        return self.text

    def stop(self):
        self.p.kill()
        self.p.wait(10)
        os.close(self.fd)


@pytest.fixture
def terminal(client):
    open_ones = []

    def start(columns, *argv, **how):
        open_ones.append(Terminal(client, columns, *argv, **how))
        return open_ones[-1]
    yield start
    for t in open_ones:
        t.stop()


APP = {'kind': 'App', 'name': 'web', 'source': 'fleet', 'state': 'Failed', 'health': 'Degraded', 'revision': commit('3f2a91c'),
       'reason': 'a-reason-that-is-far-too-long-for-such-a-narrow-terminal'}
DEPLOY_WEB = {'group': 'apps', 'version': 'v1', 'kind': 'Deployment', 'namespace': 'shop', 'name': 'web'}


def test_lines_are_cut_to_the_terminal_and_states_have_colours(daemon, terminal):
    daemon.answers['GET /api/v1/status'] = doc('StatusList', items=[APP])
    assert terminal(72, 'status').read() == '''\
\x1b[1mprod-eu\x1b[0m   0 sources, 1 app, 0 objects

APP  REVISION  STATE   HEALTH    DRIFT  AGE
web  3f2a91c   \x1b[31mFailed\x1b[0m  \x1b[31mDegraded\x1b[0m  -      -    a-reason-that-is-far-too-l…
'''


def test_the_lines_of_a_sync_are_drawn_anew_until_they_are_final(daemon, terminal):
    def line(result, message, wave=1, name='web', **more):
        return 0, 'progress', {'kind': 'Progress', 'app': 'web', 'stage': 'settle', 'wave': wave, 'waves': 2, 'action': 'change',
                               'object': {**DEPLOY_WEB, 'name': name}, 'result': result, 'message': message, **more}

    def answer(d):
        d.say(*line('changed', '0 of 1 ready'))
        t.read('0 of 1 ready…\n')
        d.say(*line('changed', '0 of 2 ready', name='api'))
        t.read('api                      changed    0 of 2 ready…\n')
        d.say(*line('healthy', '1 of 1 ready', took=3))
        t.read('1 of 1 ready    3 s\n')
        d.say(*line('healthy', '2 of 2 ready', name='api', took=4))
        t.read('2 of 2 ready    4 s\n')
        return 200, 0, doc('SyncResult', app='web', outcome='healthy', counts={'changed': 2}, revision={'commit': commit('3f2a91c')})
    daemon.answers['POST /api/v1/apps/web/sync'] = answer
    t = terminal(100, 'sync', 'web', out=False)  # answer() reads from it, in the daemon's thread
    assert t.p.stdout.read() == b'web is healthy at 3f2a91c: 2 changed\n' and t.p.wait(10) == 0
    t.read()
    t.p.stdout.close()
    web = '  1/2  ~ Deployment shop/web                      '
    api = '  1/2  ~ Deployment shop/api                      '
    up = '\x1b[%dA\x1b[J'
    assert t.text == (web + 'changed    0 of 1 ready…\n'
                      + up % 1 + web + 'changed    0 of 1 ready…\n' + api + 'changed    0 of 2 ready…\n'
                      + up % 2 + web + 'healthy    1 of 1 ready    3 s\n' + api + 'changed    0 of 2 ready…\n'
                      + up % 1 + api + 'healthy    2 of 2 ready    4 s\n')


def test_a_watched_status_redraws_the_screen(daemon, terminal):
    daemon.answers['GET /api/v1/status'] = doc('StatusList', items=[APP])
    t = terminal(120, 'status', '-w')
    t.read('terminal\n')
    daemon.answers['GET /api/v1/status'] = doc('StatusList', items=[{**APP, 'state': 'Synced', 'health': 'Healthy', 'reason': 'fine now'}])
    daemon.say(1, 'sync.finished', {})
    t.read('fine now\n')
    assert t.text.count('\x1b[H\x1b[2J') == 2


def test_a_question_takes_the_name_and_nothing_else(daemon, terminal):
    daemon.answers['GET /api/v1/plan/shop'] = doc('Plan', id='ab' * 32, app='shop', to=commit('3f2a91c'), counts={'delete': 1}, steps=[
        {'wave': 1, 'action': 'delete', 'object': DEPLOY_WEB}])
    t = terminal(100, 'approve', 'shop')
    t.read("Type the app's name to approve: ")
    os.write(t.fd, b'yes\n')
    assert "that is not 'shop': nothing was done\n" in t.read()
    assert t.p.wait(10) == 2
    assert [a[0] for a in daemon.asked] == ['GET']
