"""Git for tests: repositories with signed commits, and real servers to fetch them from.

Fixtures (conftest.py hands them out), all of one test:

  make_repo   make_repo(name='fleet') -> Repo: a work tree, and the bare repository that each commit is pushed to
  git_http    HttpServer of every repository of the test: git's own http-backend behind HTTP/1.1 on loopback
  git_https   the same over TLS; .ca is the file that vouches for it
  git_ssh     SshServer: the real sshd, for the current user alone
  git_keys    git_keys(principal) -> Key: an Ed25519 key of ssh-keygen, for signing and for logging in

A server counts and remembers what it was asked, can be told to misbehave, and is waited for by its
own record: server.wait(lambda requests: ...), never by time.
"""
import base64
import gzip
import http.server
import os
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.parse

import pytest

LIMIT = 30                      # seconds that a wait lasts unless told
MAX_BODY = 64 << 20
CHUNK = 16 << 10


def clean_env(home):
    """No setting of this machine or this user reaches a git that tests run."""
    env = {k: v for k, v in os.environ.items() if not k.startswith('GIT_')}
    return {**env, 'HOME': str(home), 'XDG_CONFIG_HOME': str(home), 'GIT_CONFIG_GLOBAL': os.devnull, 'GIT_CONFIG_NOSYSTEM': '1',
            'GIT_TERMINAL_PROMPT': '0', 'LC_ALL': 'C', 'TZ': 'UTC'}


# keys

class Key:
    """.path is the private key, .public the text of the public one ('ssh-ed25519 AAAA...')."""

    def __init__(self, folder, principal, kind='ed25519'):
        self.principal = principal
        self.path = os.path.join(folder, re.sub(r'[^\w.-]', '_', principal) + '.' + kind)
        subprocess.run(['ssh-keygen', '-q', '-t', kind, '-N', '', '-C', principal, '-f', self.path], check=True)
        with open(self.path + '.pub', encoding='ascii') as f:
            self.public = ' '.join(f.read().split()[:2])

    def allowed(self, options='namespaces="git"'):
        """Its line of an allowed_signers file."""
        return ' '.join(filter(None, [self.principal, options, self.public])) + '\n'


# repositories

class Repo:
    """A work tree whose every commit is pushed to the bare repository that servers show. .key signs unless a commit says
    otherwise; None leaves unsigned."""

    def __init__(self, root, name='fleet', branch='main', key=None):
        self.name, self.branch, self.key = name, branch, key
        self.bare = os.path.join(root, name + '.git')
        self.work = os.path.join(root, name + '.work')
        self.env = clean_env(root)
        subprocess.run(['git', 'init', '-q', '--bare', '-b', branch, self.bare], env=self.env, check=True)
        # What a forge allows: a commit by its id, a part of the history; and pushes over HTTP.
        for key_, value in (('uploadpack.allowAnySHA1InWant', 'true'), ('uploadpack.allowFilter', 'true'), ('http.receivepack', 'true'),
                            ('gc.auto', '0')):
            subprocess.run(['git', '-C', self.bare, 'config', key_, value], env=self.env, check=True)
        subprocess.run(['git', 'init', '-q', '-b', branch, self.work], env=self.env, check=True)
        for key_, value in (('user.name', 'Ana'), ('user.email', 'ana@example.org'), ('gpg.format', 'ssh'), ('gc.auto', '0')):
            self.git('config', key_, value)
        self.git('remote', 'add', 'origin', self.bare)

    def git(self, *args, env=None, check=True):
        """Standard output of git in the work tree; AssertionError with what it said, when it fails."""
        p = subprocess.run(['git', *args], cwd=self.work, env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert not check or p.returncode == 0, 'git %s: %s' % (' '.join(args), p.stderr)
        return p.stdout.strip()

    @property
    def head(self):
        return self.git('rev-parse', 'HEAD')

    def write(self, files):
        """path -> text, bytes, or None to remove."""
        for path, text in files.items():
            full = os.path.join(self.work, path)
            if text is None:
                os.remove(full)
                continue
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, 'wb') as f:
                f.write(text if isinstance(text, bytes) else text.encode())

    def signing(self, key):
        key = self.key if key == 'own' else key
        return ['-c', 'user.signingkey=' + key.path, '-c', 'commit.gpgsign=true', '-c', 'tag.gpgsign=true'] if key else ['-c', 'commit.gpgsign=false']

    def dated(self, when):
        """Seconds since 1970, or None for now."""
        return {'GIT_AUTHOR_DATE': '@%d +0000' % when, 'GIT_COMMITTER_DATE': '@%d +0000' % when} if when is not None else {}

    def commit(self, files=None, message='change', key='own', push=True, when=None):
        """The new commit's id."""
        self.write(files or {})
        self.git('add', '-A')
        self.git(*self.signing(key), 'commit', '-q', '--allow-empty', '-m', message, env=self.dated(when))
        if push:
            self.push()
        return self.head

    def revert(self, rev, key='own', push=True):
        self.git(*self.signing(key), 'revert', '--no-edit', rev)
        if push:
            self.push()
        return self.head

    def merge(self, rev, message='merge', key='own', push=True):
        self.git(*self.signing(key), 'merge', '-q', '--no-ff', '-m', message, rev)
        if push:
            self.push()
        return self.head

    def tag(self, name, rev='HEAD', key='own', push=True):
        """An annotated tag, signed when there is a key; its object's id."""
        self.git(*self.signing(key), 'tag', '-m', name, name, rev)
        if push:
            self.git('push', '-q', '-f', 'origin', 'refs/tags/' + name)
        return self.git('rev-parse', 'refs/tags/' + name)

    def push(self, ref='HEAD', to=None, force=False):
        self.git('push', '-q', *(['-f'] if force else []), 'origin', '%s:refs/heads/%s' % (ref, to or self.branch))

    def reset(self, rev, push=True):
        """Rewrites history: the branch is at rev, and so is the server's."""
        self.git('reset', '-q', '--hard', rev)
        if push:
            self.push(force=True)
        return self.head


# what servers remember

class Record:
    """A list that can be waited for."""

    def __init__(self):
        self.requests = []
        self.changed = threading.Condition()

    def add(self, request):
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def touch(self):
        with self.changed:
            self.changed.notify_all()

    def wait(self, want, timeout=LIMIT):
        """The requests as soon as want(requests) holds."""
        with self.changed:
            ok = self.changed.wait_for(lambda: want(self.requests), timeout)
            assert ok, 'not asked as wanted in %g s: %r' % (timeout, self.requests)
            return list(self.requests)

    def forget(self):
        with self.changed:
            self.requests.clear()


class Request:
    """One request over HTTP. .command is what protocol v2 asks for (ls-refs, fetch), or 'advertise' of a GET, or the service
    of an older protocol; .got and .sent count body bytes; .status is 0 until it is answered; .done once all is sent."""

    def __init__(self, method, target, connection):
        url = urllib.parse.urlsplit(target)
        self.method, self.path, self.query, self.connection = method, url.path, url.query, connection
        self.protocol, self.auth, self.command, self.encoding, self.agent = '', '', '', '', ''
        self.got = self.sent = self.status = 0
        self.done = False

    def __repr__(self):
        return '%s %s %s %d (%d in, %d out)' % (self.method, self.path, self.command, self.status, self.got, self.sent)


class Fault:
    """How a server misbehaves.

      hang                nothing is answered until the fault is taken away, or the client goes
      drop                the connection is closed without an answer
      error, status       500 or what is told, retry: its Retry-After
      redirect, to        307 (or status) to the same path under another base
      truncate, after     the answer stops after so many bytes of its body, and the connection with it
      slow, rate          bytes a second, in steps of a tenth
      garbage             200 and a page of HTML
    """
    KINDS = ('hang', 'drop', 'error', 'redirect', 'truncate', 'slow', 'garbage')

    def __init__(self, kind, when=None, times=None, status=None, to=None, after=0, rate=0, retry=None):
        assert kind in self.KINDS, kind
        self.kind, self.when, self.left = kind, when or (lambda request: True), times
        self.status, self.to, self.after, self.rate, self.retry = status, to, after, rate, retry
        self.over = threading.Event()


class HttpServer(Record):
    """.url(repo) is what a Source names. .user and .password, or .token, once set, are asked for. .connections counts."""

    def __init__(self, root, tls=None):
        super().__init__()
        self.root, self.ca = root, tls and tls.ca
        self.user = self.password = self.token = self.fault = None
        self.connections = 0
        self.open = set()
        self.backend = os.path.join(subprocess.run(['git', '--exec-path'], stdout=subprocess.PIPE, text=True, check=True).stdout.strip(),
                                    'git-http-backend')
        server = self

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def get_request(self):
                sock, address = super().get_request()
                if tls:     # the handshake is the thread's own matter
                    sock = tls.server.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                with server.changed:
                    server.connections += 1
                    server.open.add(sock)
                return sock, address

            def shutdown_request(self, sock):
                with server.changed:
                    server.open.discard(sock)
                super().shutdown_request(sock)

            def handle_error(self, request, address):
                pass        # a client that goes away is no news

        self.listener = Listener(('127.0.0.1', 0), type('Handler', (HttpHandler,), {'server_': self}))
        self.port = self.listener.server_address[1]
        self.base = '%s://127.0.0.1:%d' % ('https' if tls else 'http', self.port)
        self.thread = threading.Thread(target=self.listener.serve_forever, kwargs={'poll_interval': 60}, daemon=True)
        self.thread.start()

    def url(self, repo):
        return '%s/%s.git' % (self.base, getattr(repo, 'name', repo))

    def misbehave(self, kind, **kw):
        """From now on; well() ends it, and so does times=N after N requests. when(request) picks requests."""
        self.well()
        self.fault = Fault(kind, **kw)

    def well(self):
        fault, self.fault = self.fault, None
        if fault:
            fault.over.set()

    def pick(self, request):
        with self.changed:
            f = self.fault
            if not f or not f.when(request) or f.left == 0:
                return None
            if f.left is not None:
                f.left -= 1
            return f

    def polls(self):
        """The requests that only ask where refs are."""
        with self.changed:
            return [r for r in self.requests if r.command in ('ls-refs', 'advertise')]

    def close(self):
        self.well()
        # serve_forever looks at its flag when something comes in
        threading.Thread(target=self.listener.shutdown, daemon=True).start()
        try:
            socket.create_connection(('127.0.0.1', self.port), 5).close()
        except OSError:
            pass
        self.thread.join(10)
        self.listener.server_close()
        with self.changed:
            left = list(self.open)
        for sock in left:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class HttpHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    timeout = 120
    server_ = None      # HttpServer

    def do_GET(self):
        self.serve()

    do_POST = do_HEAD = do_GET

    def log_message(self, *args):
        pass

    def serve(self):
        server = self.server_
        r = Request(self.command, self.path, id(self.connection))
        r.protocol = self.headers.get('Git-Protocol', '')
        r.encoding = self.headers.get('Content-Encoding', '')
        r.agent = self.headers.get('User-Agent', '')
        r.auth = self.headers.get('Authorization', '').split(' ')[0].lower()
        body = self.body()
        r.got = len(body)
        r.command = self.asked(r, body)
        fault = server.pick(r)
        server.add(r)
        try:
            self.answer(r, body, fault)
        finally:
            r.done = True
            server.touch()

    def body(self):
        if self.headers.get('Transfer-Encoding', '').lower() == 'chunked':
            out = bytearray()
            while True:
                size = int(self.rfile.readline(100).split(b';')[0], 16)
                if size == 0:
                    while self.rfile.readline(1000).strip():
                        pass
                    return bytes(out)
                out += self.rfile.read(size)
                assert len(out) <= MAX_BODY and self.rfile.readline(3) == b'\r\n'
        size = int(self.headers.get('Content-Length', 0))
        assert size <= MAX_BODY
        return self.rfile.read(size)

    def asked(self, r, body):
        if r.path.endswith('/info/refs'):
            return 'advertise'
        if r.encoding == 'gzip':
            body = gzip.decompress(body)
        m = re.match(rb'([0-9a-f]{4})command=', body)
        return body[12:int(m[1], 16)].decode('latin-1').strip() if m else r.path.rsplit('/', 1)[-1]

    def allowed(self):
        server = self.server_
        given = self.headers.get('Authorization', '')
        if server.token:
            return given == 'Bearer ' + server.token
        if server.user:
            return given == 'Basic ' + base64.b64encode(('%s:%s' % (server.user, server.password)).encode()).decode()
        return True

    def plain(self, r, status, text, kind='text/plain', **headers):
        r.status = status
        body = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)
            r.sent = len(body)

    def answer(self, r, body, fault):
        server = self.server_
        kind = fault and fault.kind
        if kind == 'hang':
            fault.over.wait(300)
            kind = None
        if kind == 'drop':
            self.close_connection = True
            return
        if kind == 'error':
            extra = {'Retry_After': str(fault.retry)} if fault.retry is not None else {}
            return self.plain(r, fault.status or 500, 'the server is unwell\n', **extra)
        if kind == 'redirect':
            return self.plain(r, fault.status or 307, '', Location=fault.to.rstrip('/') + self.path)
        if kind == 'garbage':
            return self.plain(r, 200, '<html><body>Please accept our terms.</body></html>\n', 'text/html')
        if not self.allowed():
            return self.plain(r, 401, 'who are you?\n', WWW_Authenticate='Bearer realm="git"' if server.token else 'Basic realm="git"')
        self.backend(r, body, fault)

    def backend(self, r, body, fault):
        server = self.server_
        env = {**clean_env(server.root), 'GIT_PROJECT_ROOT': server.root, 'GIT_HTTP_EXPORT_ALL': '1', 'GIT_HTTP_MAX_REQUEST_BUFFER': '100M',
               'PATH_INFO': urllib.parse.unquote(r.path), 'QUERY_STRING': r.query, 'REQUEST_METHOD': r.method, 'REMOTE_ADDR': '127.0.0.1',
               'CONTENT_TYPE': self.headers.get('Content-Type', ''), 'CONTENT_LENGTH': str(len(body)), 'GIT_PROTOCOL': r.protocol,
               'HTTP_CONTENT_ENCODING': r.encoding}
        if server.user:
            env['REMOTE_USER'] = server.user
        p = subprocess.Popen([server.backend], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        feeder = threading.Thread(target=self.feed, args=(p.stdin, body), daemon=True)
        feeder.start()
        try:
            headers = []
            while (line := p.stdout.readline().rstrip(b'\r\n')):
                name, value = line.decode('latin-1').split(':', 1)
                headers.append((name, value.strip()))
            status = [v for n, v in headers if n.lower() == 'status']
            r.status = int(status[0].split()[0]) if status else 200
            self.send_response(r.status)
            for name, value in headers:
                if name.lower() not in ('status', 'content-length'):
                    self.send_header(name, value)
            self.send_header('Transfer-Encoding', 'chunked')
            self.end_headers()
            self.stream(r, p.stdout, fault)
        finally:
            p.kill()
            p.stdout.close()
            p.wait()
            feeder.join()

    @staticmethod
    def feed(pipe, body):
        try:
            pipe.write(body)
            pipe.close()
        except OSError:
            pass

    def stream(self, r, source, fault):
        kind = fault and fault.kind
        size = max(1, fault.rate // 10) if kind == 'slow' else CHUNK
        while (data := source.read1(size)):
            if kind == 'truncate' and r.sent + len(data) >= fault.after:
                data = data[:fault.after - r.sent]
                if data:
                    self.wfile.write(b'%x\r\n%s\r\n' % (len(data), data))
                r.sent += len(data)
                self.close_connection = True    # and no last chunk: the client must notice
                return
            self.wfile.write(b'%x\r\n%s\r\n' % (len(data), data))
            r.sent += len(data)
            self.server_.touch()
            if kind == 'slow':
                fault.over.wait(len(data) / fault.rate)
        self.wfile.write(b'0\r\n\r\n')


class Tls:
    """An authority and a certificate for 127.0.0.1 and localhost. .ca, .cert, .key are files."""

    def __init__(self, folder):
        self.ca, self.cert, self.key = (os.path.join(folder, n) for n in ('ca.crt', 'server.crt', 'server.key'))
        ca_key = os.path.join(folder, 'ca.key')
        new = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650']
        self.openssl('req', '-x509', *new, '-keyout', ca_key, '-out', self.ca, '-subj', '/CN=leeboard test git',
                     '-addext', 'keyUsage=critical,keyCertSign')
        self.openssl('req', '-x509', *new, '-keyout', self.key, '-out', self.cert, '-subj', '/CN=localhost', '-CA', self.ca, '-CAkey', ca_key,
                     '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE')
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(self.cert, self.key)

    @staticmethod
    def openssl(*args):
        p = subprocess.run(['openssl', *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert p.returncode == 0, p.stdout


class SshServer(Record):
    """The real sshd, one process a connection, as the current user. .requests are the commands that clients sent;
    .key logs in; .known_hosts is the file that vouches. misbehave('hang') accepts and says nothing; 'drop' closes."""

    def __init__(self, folder, root):
        super().__init__()
        self.user = pwd.getpwuid(os.getuid())
        self.sshd = shutil.which('sshd', path='/usr/sbin:/usr/local/sbin')
        assert self.sshd, 'sshd is not installed: ./dev deps'
        if os.path.basename(self.user.pw_shell) in ('nologin', 'false'):
            pytest.skip("sshd starts commands by the user's shell, and that of '%s' is %s" % (self.user.pw_name, self.user.pw_shell))
        if os.getuid() == 0:
            os.makedirs('/run/sshd', 0o755, exist_ok=True)
        self.folder, self.root = folder, root
        os.makedirs(folder, 0o700, exist_ok=True)
        self.host_key, self.key = Key(folder, 'host'), Key(folder, 'deploy')
        self.fault = None
        self.connections = 0
        self.children, self.held = [], []
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.known_hosts = self.file('known_hosts', '[127.0.0.1]:%d %s\n' % (self.port, self.host_key.public))
        self.commands = self.file('commands', '')
        shell = self.file('shell', '#!/bin/sh\nprintf "%%s\\n" "$SSH_ORIGINAL_COMMAND" >>%s\nexec git-shell -c "$SSH_ORIGINAL_COMMAND"\n' % self.commands, 0o700)
        self.authorized = self.file('authorized_keys', '')
        self.authorize(self.key)
        self.config = self.file('sshd_config', '\n'.join([
            'HostKey ' + self.host_key.path, 'AuthorizedKeysFile ' + self.authorized, 'AuthenticationMethods publickey', 'UsePAM no',
            'StrictModes no', 'PidFile none', 'PermitRootLogin prohibit-password', 'AllowUsers ' + self.user.pw_name, 'PrintMotd no',
            'PermitTTY no', 'DisableForwarding yes', 'AcceptEnv GIT_PROTOCOL', 'SetEnv GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1',
            'ForceCommand ' + shell, 'LogLevel VERBOSE']) + '\n')
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def file(self, name, text, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='utf-8', opener=lambda p, f: os.open(p, f, mode)) as f:
            f.write(text)
        return path

    def authorize(self, key):
        with open(self.authorized, 'a', encoding='ascii') as f:
            f.write(key.public + '\n')

    def url(self, repo):
        return 'ssh://%s@127.0.0.1:%d%s' % (self.user.pw_name, self.port, repo.bare)

    def client(self, key=None):
        """GIT_SSH_COMMAND of a git that knows this server and nothing else."""
        return {'GIT_SSH_COMMAND': 'ssh -F none -i %s -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile=%s -o GlobalKnownHostsFile=none '
                                   '-o StrictHostKeyChecking=yes' % ((key or self.key).path, self.known_hosts)}

    def misbehave(self, kind):
        assert kind in ('hang', 'drop'), kind
        self.fault = kind

    def well(self):
        self.fault = None

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections += 1
                self.changed.notify_all()
            if self.fault == 'hang':
                self.held.append(sock)
            elif self.fault == 'drop':
                sock.close()
            else:
                with sock, open(os.path.join(self.folder, 'sshd.log'), 'ab') as log:
                    self.children.append(subprocess.Popen([self.sshd, '-i', '-e', '-f', self.config], stdin=sock, stdout=sock, stderr=log))

    def asked(self):
        """The commands so far, as clients sent them."""
        with open(self.commands, encoding='utf-8') as f:
            return f.read().splitlines()

    def log(self):
        with open(os.path.join(self.folder, 'sshd.log'), encoding='utf-8', errors='replace') as f:
            return f.read()

    def close(self):
        # A closed listener does not wake its accept(); a last connection does.
        self.fault = 'drop'
        try:
            socket.create_connection(('127.0.0.1', self.port), 5).close()
        except OSError:
            pass
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.listener.close()
        for sock in self.held:
            sock.close()
        for p in self.children:
            p.kill()
            p.wait()


@pytest.fixture(name='git_root')
def git_root_fixture(tmp_path):
    root = tmp_path / 'git'
    root.mkdir()
    return str(root)


@pytest.fixture(name='git_keys')
def git_keys_fixture(tmp_path):
    folder = tmp_path / 'keys'
    folder.mkdir(mode=0o700)
    return lambda principal, kind='ed25519': Key(str(folder), principal, kind)


@pytest.fixture(name='make_repo')
def make_repo_fixture(git_root):
    return lambda name='fleet', **kw: Repo(git_root, name, **kw)


@pytest.fixture(name='git_http')
def git_http_fixture(git_root):
    server = HttpServer(git_root)
    yield server
    server.close()


@pytest.fixture(scope='session', name='git_tls')
def git_tls_fixture(tmp_path_factory):
    return Tls(str(tmp_path_factory.mktemp('git-tls')))


@pytest.fixture(name='git_https')
def git_https_fixture(git_root, git_tls):
    server = HttpServer(git_root, git_tls)
    yield server
    server.close()


@pytest.fixture(name='git_ssh')
def git_ssh_fixture(tmp_path, git_root):
    server = SshServer(str(tmp_path / 'ssh'), git_root)
    yield server
    server.close()
