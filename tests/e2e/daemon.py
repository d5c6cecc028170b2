"""The daemon in tests: started on documents, asked over its control socket, killed, and looked at afterwards.

Fixtures (conftest.py hands them out), all of one test:

  daemon      daemon(documents, ...) -> Daemon, ready. Documents are maps (source(), app(), alert() below make the usual
              ones) or one YAML text. At the end of the test every one must stop cleanly: exit 0, no report of a sanitizer in
              its log, no worker left.
  receiver    receiver(secret=None) -> Receiver: a webhook receiver on loopback that remembers, checks HMACs, and can be
              told to fail

The program is that of build-asan where it was built, else of build; daemon(..., release=True) takes build's, for what counts
time, memory or processes. Nothing here sleeps: answers of the socket, its event stream, and the receiver's record are waited for.
Standard library only, but for yaml.
"""
import glob
import hashlib
import hmac
import http.client
import http.server
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

import pytest
import yaml

from gitserver import clean_env

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = float(os.environ.get("LEEBOARD_LIMIT", 30))          # seconds that a wait lasts unless told
REPORTS = re.compile(r'ERROR: (Address|Leak|Thread|Memory)Sanitizer|runtime error:|SUMMARY: \w+Sanitizer|Assertion .* failed|stack smashing', re.M)


def build_dir(release=False):
    """Where the programs are."""
    dirs = [os.path.join(TOP, d) for d in (['build'] if release else ['build-asan', 'build'])]
    for d in dirs:
        if os.access(os.path.join(d, 'leeboard-controller'), os.X_OK):
            return d
    raise AssertionError('no leeboard-controller in %s: ./dev build' % ' or '.join(dirs))


# documents

def document(kind, name, **spec):
    return {'apiVersion': 'leeboard.dev/v1', 'kind': kind, 'metadata': {'name': name}, 'spec': spec}


def source(url, name='fleet', verify=None, **spec):
    """A Source; its branch is main and it believes everybody unless told."""
    base = {'url': url, 'ref': {'branch': 'main'}, 'interval': '1s', 'timeout': '20s', 'verify': verify or {'mode': 'off'}}
    return document('Source', name, **{**base, **spec})


def signed(*lines, folder):
    """verify: the tip must be signed by one of these allowed_signers lines."""
    path = os.path.join(str(folder), 'allowed_signers')
    with open(path, 'w', encoding='utf-8') as f:
        f.writelines(lines)
    return {'mode': 'head', 'signersFrom': {'allowedSigners': {'file': path}}}


def app(target, name='web', path='.', source='fleet', **spec):
    """An App; target is a folder, or the map that a document has."""
    where = target if isinstance(target, dict) else {'directory': str(target)}
    return document('App', name, **{'source': source, 'path': path, 'target': where, **spec})


def alert(receiver, name='all', **spec):
    """Everything, at once, to a receiver."""
    to = {'type': 'webhook', 'address': receiver.url}
    if receiver.secret:
        to['hmac'] = {'file': receiver.secret_file}
    return document('Alert', name, **{'to': [to], 'events': ['*.*'], 'group': '0s', **spec})


# the daemon

class Failed(Exception):
    """An answer that is no success: .status, .exit, .codes, .text."""

    def __init__(self, what, status, exit, body):
        self.status, self.exit, self.body = status, exit, body
        errors = body.get('errors', [{'message': str(body)}]) if isinstance(body, dict) else [{'message': body}]
        self.codes = [e.get('code') for e in errors]
        self.text = '\n'.join(str(e.get('message')) + (' (%s)' % e['hint'] if 'hint' in e else '') for e in errors)
        super().__init__('%s: %d %s' % (what, status, self.text))


class Connection(http.client.HTTPConnection):
    """HTTP/1.1 over a Unix socket."""

    def __init__(self, path, timeout):
        super().__init__('leeboard', timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Said:
    """What a command came to."""

    def __init__(self, process, out, err):
        self.exit, self.out, self.err = process.returncode, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return 'exit %d\n%s%s' % (self.exit, self.out, self.err)


class Daemon:
    """.state is its state directory, .socket its control socket, .log() what it said."""

    def __init__(self, folder, documents, release=False, args=(), env=None, instance='test', spec=None):
        self.folder = str(folder)
        self.documents = os.path.join(self.folder, 'documents')
        self.state = os.path.join(self.folder, 'state')
        os.makedirs(self.documents, exist_ok=True)
        # Unix sockets have short names.
        self.run = tempfile.mkdtemp(prefix='lb-')
        self.socket = os.path.join(self.run, 'socket')
        self.log_path = os.path.join(self.folder, 'log')
        self.build = build_dir(release)
        self.args, self.extra = list(args), dict(env or {})
        self.instance, self.spec = instance, spec or {}
        self.process = None
        self.unclean = False
        self.write(documents)
        self.start()

    # life

    def write(self, documents, name='all.yaml'):
        """Documents in the place of those before; the daemon's own is added when there is none."""
        if not isinstance(documents, (str, bytes)):
            documents = list(documents)
            if not any(d.get('kind') == 'Daemon' for d in documents):
                documents.insert(0, document('Daemon', self.instance, **self.spec))
            documents = yaml.safe_dump_all(documents, sort_keys=False)
        path = os.path.join(self.documents, name)
        with open(path + '.new', 'w', encoding='utf-8') as f:
            f.write(documents)
        os.rename(path + '.new', path)
        return path

    def environment(self):
        return {**clean_env(self.folder), 'XDG_RUNTIME_DIR': self.run, 'XDG_STATE_HOME': self.state,
                'ASAN_OPTIONS': 'detect_leaks=1:abort_on_error=0:exitcode=99', 'UBSAN_OPTIONS': 'print_stacktrace=1',
                **self.extra}

    def launch(self):
        """Started, and not waited for."""
        assert not self.alive()
        notify = os.path.join(self.run, 'notify')
        if os.path.exists(notify):
            os.unlink(notify)
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(notify)
        self.log_from = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(
                [os.path.join(self.build, 'leeboard-controller'), '--socket', self.socket, '--state', self.state, *self.args, self.documents],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
                env={**self.environment(), 'NOTIFY_SOCKET': notify})
        self.pidfd = os.pidfd_open(self.process.pid)

    def start(self, timeout=LIMIT):
        """Returns once it says that it is ready; AssertionError with its log when it ends before."""
        self.launch()
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            ready, _, _ = select.select([self.notified, self.pidfd], [], [], max(0, left))
            if self.notified in ready:
                if b'READY=1' in self.notified.recv(4096):
                    break
                continue
            self.process.poll()
            if not ready:
                self.kill9()
            assert False, 'the daemon %s:\n%s' % ('ended with %s' % self.process.wait() if ready else 'was not ready in %g s' % timeout, self.log()[-5000:])
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def closed(self):
        self.notified.close()
        os.close(self.pidfd)

    def stop(self, signo=signal.SIGTERM, timeout=LIMIT):
        """Its exit status."""
        if not self.alive():
            return self.process.returncode
        self.process.send_signal(signo)
        if not select.select([self.pidfd], [], [], timeout)[0]:
            self.kill9()
            raise AssertionError('the daemon did not stop in %g s:\n%s' % (timeout, self.log()[-5000:]))
        self.process.wait()
        self.closed()
        return self.process.returncode

    def kill9(self):
        """As a power cut: the daemon alone; its workers must notice."""
        if self.alive():
            self.process.kill()
            self.process.wait()
            self.closed()
        self.unclean = True

    def restart(self, kill=False, **kw):
        if kill:
            self.kill9()
        else:
            assert self.stop() == 0, self.log()[-5000:]
        return self.start(**kw)

    def workers(self):
        """Processes of its session but for itself: pid -> command line."""
        out = {}
        for path in glob.glob('/proc/[0-9]*/stat'):
            try:
                with open(path, encoding='latin-1') as f:
                    fields = f.read().rsplit(')', 1)[1].split()
                with open(os.path.dirname(path) + '/cmdline', encoding='latin-1') as f:
                    command = f.read().replace('\0', ' ').strip()
            except (OSError, IndexError):
                continue
            pid = int(path.split('/')[2])
            if int(fields[3]) == self.process.pid and pid != self.process.pid and fields[0] != 'Z':
                out[pid] = command
        return out

    def left(self, timeout=10):
        """Workers that outlive it."""
        end = time.monotonic() + timeout
        while (found := self.workers()) and time.monotonic() < end:
            try:
                fd = os.pidfd_open(next(iter(found)))
            except ProcessLookupError:
                continue
            select.select([fd], [], [], max(0, end - time.monotonic()))
            os.close(fd)
        return found

    def finish(self):
        """At the end of a test: what must hold then."""
        wrong = []
        try:
            was = self.alive()
            try:
                status = self.stop()
            except AssertionError as e:
                status, wrong = None, [str(e)]
            if was and status not in (0, None):
                wrong.append('the daemon ended with %d' % status)
            elif not was and not self.unclean and status not in (0, None):
                wrong.append('the daemon had ended by itself, with %d' % status)
            if self.left():
                wrong.append('workers are left: %r' % self.left(0))
            report = REPORTS.search(self.log())
            if report:
                wrong.append(self.log()[max(0, report.start() - 500):report.start() + 6000])
        finally:
            shutil.rmtree(self.run, ignore_errors=True)
        assert not wrong, '\n'.join(wrong) + '\n--- log:\n' + self.log()[-4000:]

    def log(self, whole=True):
        """What it said since the first start, or (whole=False) since the last."""
        with open(self.log_path, 'rb') as f:
            f.seek(0 if whole else self.log_from)
            return f.read().decode('utf-8', 'replace')

    # questions

    def request(self, method, path, body=None, headers=None, timeout=LIMIT):
        """(status, exit, document or text)."""
        c = Connection(self.socket, timeout)
        try:
            data = None if body is None else json.dumps(body)
            c.request(method, path, body=data, headers={'Content-Type': 'application/json', **(headers or {})})
            answer = c.getresponse()
            text = answer.read().decode()
            exit = answer.getheader('Leeboard-Exit')
            kind = answer.getheader('Content-Type', '')
            return answer.status, int(exit) if exit else None, json.loads(text) if 'json' in kind else text
        finally:
            c.close()

    def get(self, what, timeout=LIMIT, **query):
        """GET /api/v1/WHAT, a document."""
        query = {k.rstrip('_'): v for k, v in query.items() if v is not None}
        path = '/api/v1/' + what + ('?' + urllib.parse.urlencode(query) if query else '')
        status, exit, doc = self.request('GET', path, timeout=timeout)
        if status >= 300:
            raise Failed('GET ' + path, status, exit, doc)
        return doc

    def post(self, what, timeout=60, **body):
        status, exit, doc = self.request('POST', '/api/v1/' + what, body, timeout=timeout)
        if status >= 300:
            raise Failed('POST ' + what, status, exit, doc)
        return doc

    def app(self, name='web'):
        return self.get('apps/' + name)['app']

    def source(self, name='fleet'):
        return self.get('sources/' + name)['source']

    def metrics(self):
        """name and labels, as written -> number."""
        text = self.request('GET', '/metrics')[2]
        return {line.rsplit(' ', 1)[0]: float(line.rsplit(' ', 1)[1]) for line in text.splitlines() if line and line[0] != '#'}

    def metric(self, name, **labels):
        """The sum over the series that have these labels."""
        total = 0
        for key, value in self.metrics().items():
            found = dict(re.findall(r'(\w+)="([^"]*)"', key))
            if key.split('{')[0] == name and all(found.get(k) == v for k, v in labels.items()):
                total += value
        return total

    # waiting

    def wait(self, commit, exit=0, timeout=LIMIT, **query):
        """The WaitResult, once the commit is live and healthy in every App; or what else `exit` says."""
        doc = self.get('wait', timeout=timeout + 10, commit=commit, timeout_='%ds' % timeout, **query)
        assert doc['exit'] == exit, 'wait ended with %d, not %d: %s\n%s' % (doc['exit'], exit, json.dumps(doc), self.log(False)[-4000:])
        return doc

    def wait_for(self, what, apps='*', exit=0, timeout=LIMIT):
        """Until the Apps are synced, healthy, no-drift, or at a revision."""
        doc = self.get('wait', timeout=timeout + 10, app=apps, for_=what, timeout_='%ds' % timeout)
        assert doc['exit'] == exit, 'wait ended with %d, not %d: %s\n%s' % (doc['exit'], exit, json.dumps(doc), self.log(False)[-4000:])
        return doc

    def events(self, *names, since=0, app=None):
        """Events kept, oldest first, after number `since`; all or those of these names ('drift.found')."""
        out, after = [], since
        while True:
            page = self.get('events', after=after, limit=500)
            out += page['items']
            if 'next' not in page:
                break
            after = page['next']
        return [e for e in out if (not names or name_of(e) in names) and (app is None or e['data'].get('app') == app)]

    def mark(self):
        """A place in the record of events, for since=."""
        kept = self.events()
        return kept[-1]['number'] if kept else 0

    def stream(self, since=None, timeout=LIMIT):
        """(number, name, data) of server-sent events, from now or after number `since`. Ends with TimeoutError."""
        end = time.monotonic() + timeout
        c = Connection(self.socket, timeout)
        try:
            c.request('GET', '/api/v1/stream', headers={} if since is None else {'Last-Event-ID': str(since)})
            answer = c.getresponse()
            assert answer.status == 200, answer.read()
            number, name, data = 0, '', ''
            sock = c.sock
            while True:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                sock.settimeout(left)
                line = answer.readline()
                if not line:
                    raise ConnectionError('the stream ended')
                key, _, value = line.decode().rstrip('\n').partition(':')
                if key == 'id':
                    number = int(value)
                elif key == 'event':
                    name = value.strip()
                elif key == 'data':
                    data += value.strip()
                elif not line.strip() and data:
                    yield number, name, json.loads(data)
                    number, name, data = 0, '', ''
        finally:
            c.close()

    def event(self, name, want=None, since=0, timeout=LIMIT):
        """The first event of this name after number `since` of which want(data) holds, once there is one."""
        seen = []
        try:
            for number, found, e in self.stream(since, timeout):
                if number:
                    seen.append(found)
                if number and found == name and (want is None or want(e['data'])):
                    return {**e, 'number': number}
        except TimeoutError:
            pass
        raise AssertionError("no '%s' as wanted in %g s; seen: %s\n%s" % (name, timeout, seen, self.log(False)[-4000:]))

    def until(self, want, what='', timeout=LIMIT):
        """What want() returns as soon as it is true; asked again after each event and each step of a sync."""
        result = want()
        if result:
            return result
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                for _ in self.stream(timeout=min(0.5, max(0.01, end - time.monotonic()))):
                    if result := want():
                        return result
            except (TimeoutError, ConnectionError):
                pass
            if result := want():
                return result
        raise AssertionError('not %s in %g s; status: %s\n%s' % (
            (what() if callable(what) else what) or 'as wanted', timeout, json.dumps(self.get('status')), self.log(False)[-4000:]))

    def reload(self):
        """The Reload document; Failed with every mistake."""
        return self.post('reload')

    # the command

    def cli(self, *argv, stdin=None, timeout=60, env=None):
        p = subprocess.Popen([os.path.join(self.build, 'leeboard'), *map(str, argv)], cwd=self.folder,
                             env={**self.environment(), 'LEEBOARD_SOCKET': self.socket, **(env or {})},
                             stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            out, err = p.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate()
            raise AssertionError('leeboard %s: no end in %g s\n%s%s' % (' '.join(map(str, argv)), timeout, out, err)) from None
        assert not REPORTS.search(err), err
        return Said(p, out, err)

    # what lies on disk

    def database(self):
        """All bytes of its state directory but for the object stores: what must never hold a secret."""
        out = b''
        for folder, dirs, files in os.walk(self.state):
            dirs[:] = [d for d in dirs if d != 'repo']
            for name in files:
                if name == 'key':
                    continue
                with open(os.path.join(folder, name), 'rb') as f:
                    out += f.read()
        return out

    def memory(self):
        """(VmHWM, VmRSS) in kilobytes."""
        with open('/proc/%d/status' % self.process.pid, encoding='ascii') as f:
            text = f.read()
        return tuple(int(re.search(k + r':\s+(\d+)', text)[1]) for k in ('VmHWM', 'VmRSS'))

    def cpu(self):
        """Seconds of CPU that it used, and its ended workers."""
        with open('/proc/%d/stat' % self.process.pid, encoding='latin-1') as f:
            fields = f.read().rsplit(')', 1)[1].split()
        tick = os.sysconf('SC_CLK_TCK')
        return (int(fields[11]) + int(fields[12])) / tick, (int(fields[13]) + int(fields[14])) / tick


def name_of(event):
    """'drift.found' of a CloudEvent."""
    return event['type'].removeprefix('dev.leeboard.')


@pytest.fixture(name='daemon')
def daemon_fixture(tmp_path):
    started = []

    def start(documents, **kw):
        folder = tmp_path / ('daemon%d' % len(started) if started else 'daemon')
        folder.mkdir()
        d = Daemon(folder, documents, **kw)
        started.append(d)
        return d
    yield start
    wrong = []
    for d in started:
        try:
            d.finish()
        except AssertionError as e:
            wrong.append(str(e))
    assert not wrong, '\n'.join(wrong)


# who is told

class Delivery:
    """.event is the CloudEvent (or what came), .headers, .body raw, .good: its HMAC fits, .status what was answered, .at when (monotonic)."""

    def __init__(self, headers, body, good, status, at):
        self.headers, self.body, self.good, self.status, self.at = headers, body, good, status, at
        try:
            self.event = json.loads(body)
        except ValueError:
            self.event = {}
        self.id = self.event.get('id')
        self.name = name_of(self.event) if 'type' in self.event else ''
        self.data = self.event.get('data', {})

    def __repr__(self):
        return '%s %d %s' % (self.name, self.status, self.data.get('message', ''))


class Receiver:
    """.deliveries in order. fail(503) answers so until well(); fail(503, times=2) twice; hang() answers nothing."""

    def __init__(self, folder, secret=None):
        self.secret = secret
        self.secret_file = None
        if secret:
            self.secret_file = os.path.join(str(folder), 'hmac-%d' % id(self))
            with open(self.secret_file, 'w', encoding='ascii', opener=lambda p, f: os.open(p, f, 0o600)) as f:
                f.write(secret)
        self.deliveries = []
        self.changed = threading.Condition()
        self.failing, self.left, self.held = 0, None, None
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'
            disable_nagle_algorithm = True
            timeout = 120

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
                status = receiver.take(dict((k.lower(), v) for k, v in self.headers.items()), body)
                self.send_response(status)
                self.send_header('Content-Length', '0')
                self.end_headers()

            def log_message(self, *args):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, address):
                pass
        self.listener = Listener(('127.0.0.1', 0), Handler)
        self.url = 'http://127.0.0.1:%d/hook' % self.listener.server_address[1]
        self.thread = threading.Thread(target=self.listener.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True)
        self.thread.start()

    def take(self, headers, body):
        at = time.monotonic()
        good = True
        if self.secret:
            want = 'sha256=' + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
            good = hmac.compare_digest(headers.get('x-signature', ''), want)
        with self.changed:
            held = self.held
            status = 200
            if self.failing and self.left != 0:
                status = self.failing
                if self.left is not None:
                    self.left -= 1
        if held:
            held.wait(300)
        with self.changed:
            self.deliveries.append(Delivery(headers, body, good, status, at))
            self.changed.notify_all()
        return status

    def fail(self, status, times=None):
        with self.changed:
            self.failing, self.left = status, times

    def hang(self):
        with self.changed:
            self.held = threading.Event()

    def well(self):
        with self.changed:
            self.failing, self.left = 0, None
            if self.held:
                self.held.set()
            self.held = None

    def got(self, *names, app=None):
        """Deliveries that were taken, by name of event."""
        with self.changed:
            return [d for d in self.deliveries if d.status < 300 and (not names or d.name in names) and (app is None or d.data.get('app') == app)]

    def names(self):
        """Names of the events taken, in order, each delivery once."""
        return [d.name for d in self.got()]

    def wait(self, want, timeout=LIMIT, why=''):
        """What want(deliveries taken) returns, as soon as it is true."""
        result = None

        def look():
            nonlocal result
            result = want([d for d in self.deliveries if d.status < 300])
            return result
        with self.changed:
            ok = self.changed.wait_for(look, timeout)
            assert ok, 'not told %s in %g s: %r' % (why or 'as wanted', timeout, self.deliveries)
            return result

    def wait_event(self, name, want=None, timeout=LIMIT, count=1):
        """The count-th delivery of this event of which want(data) holds."""
        return self.wait(lambda ds: ([d for d in ds if d.name == name and (want is None or want(d.data))][count - 1:] or [None])[0],
                         timeout, name)

    def close(self):
        self.well()
        self.listener.shutdown()
        self.thread.join(10)
        self.listener.server_close()


@pytest.fixture(name='receiver')
def receiver_fixture(tmp_path):
    made = []

    def make(secret=None):
        made.append(Receiver(tmp_path, secret))
        return made[-1]
    yield make
    for r in made:
        r.close()
