"""Git servers on loopback: the real git http-backend behind a small CGI, and the real sshd."""
import base64
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.parse

GIT_ENV = {'GIT_CONFIG_NOSYSTEM': '1', 'GIT_CONFIG_GLOBAL': '/dev/null', 'PATH': os.environ['PATH'], 'HOME': '/nonexistent',
           'GIT_AUTHOR_NAME': 'Ana', 'GIT_AUTHOR_EMAIL': 'ana@example.org', 'GIT_COMMITTER_NAME': 'Ana',
           'GIT_COMMITTER_EMAIL': 'ana@example.org', 'GIT_AUTHOR_DATE': '1700000000 +0000', 'GIT_COMMITTER_DATE': '1700000000 +0000'}


class Repo:
    def __init__(self, path):
        self.path = str(path)
        self.n = 0
        os.makedirs(self.path)
        self.git('init', '-q', '-b', 'main')
        self.git('config', 'http.receivepack', 'false')
        self.git('config', 'uploadpack.allowAnySHA1InWant', 'true')

    def git(self, *args, input=None, **env):
        return subprocess.run(['git', *args], cwd=self.path, env={**GIT_ENV, **env}, check=True, input=input,
                              stdout=subprocess.PIPE).stdout.decode().strip()

    def commit(self, files=None, message='change', sign=None):
        """files: {path: text, or None to remove}; sign: path of an ssh key. The commit's id."""
        self.n += 1
        for path, content in (files or {'n': str(self.n)}).items():
            full = os.path.join(self.path, path)
            if content is None:
                os.remove(full)
                continue
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, 'w') as f:
                f.write(content)
        self.git('add', '-A')
        how = ['-c', 'gpg.format=ssh', '-c', 'user.signingKey=' + sign] if sign else []
        date = '%d +0000' % (1700000000 + self.n)
        self.git(*how, 'commit', '-q', '--allow-empty', *(['-S'] if sign else []), '-m', message, GIT_AUTHOR_DATE=date,
                 GIT_COMMITTER_DATE=date)
        return self.head

    @property
    def head(self):
        return self.git('rev-parse', 'HEAD')

    def oid(self, what):
        return self.git('rev-parse', what)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *a):
        pass

    def answer(self):
        s = self.server
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        s.seen.append((self.command, self.path, dict(self.headers), body))
        if s.hook and s.hook(self, body):
            return
        if s.auth and self.headers.get('Authorization') != s.auth:
            self.plain(401, b'no')
            return
        self.cgi(body)

    do_GET = do_POST = answer

    def plain(self, status, body, **headers):
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k.replace('_', '-'), v)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def cgi(self, body):
        u = urllib.parse.urlsplit(self.path)
        env = {**GIT_ENV, 'GIT_PROJECT_ROOT': self.server.root, 'GIT_HTTP_EXPORT_ALL': '1', 'PATH_INFO': u.path,
               'QUERY_STRING': u.query, 'REQUEST_METHOD': self.command, 'CONTENT_TYPE': self.headers.get('Content-Type', ''),
               'CONTENT_LENGTH': str(len(body)), 'REMOTE_ADDR': '127.0.0.1'}
        if self.headers.get('Git-Protocol') and not self.server.old:
            env['GIT_PROTOCOL'] = self.headers['Git-Protocol']
        out = subprocess.run(['git', 'http-backend'], env=env, input=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        head, _, rest = out.partition(b'\r\n\r\n')
        status, headers = 200, {}
        for line in head.decode().split('\r\n'):
            k, _, v = line.partition(': ')
            if k == 'Status':
                status = int(v.split()[0])
            else:
                headers[k] = v
        if self.server.mangle:
            rest = self.server.mangle(self, rest)
        self.plain(status, rest, **headers)


class HttpServer:
    """root: folder of the repositories; url('fleet') serves root/fleet."""

    def __init__(self, root, tls=None):
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.server.root = str(root)
        self.server.seen, self.server.hook, self.server.auth, self.server.old, self.server.mangle = [], None, None, False, None
        self.scheme = 'http'
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
            self.scheme = 'https'
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, name, host='127.0.0.1'):
        return '%s://%s:%d/%s/.git' % (self.scheme, host, self.port, name)

    def basic(self, user, password):
        self.server.auth = 'Basic ' + base64.b64encode(('%s:%s' % (user, password)).encode()).decode()

    def bearer(self, token):
        self.server.auth = 'Bearer ' + token

    def requests(self):
        """What was asked since the last call: ['GET /fleet/.git/info/refs?...', ...]."""
        seen = ['%s %s' % (m, p) for m, p, _, _ in self.server.seen]
        self.server.seen.clear()
        return seen

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


SSHD = shutil.which('sshd') or '/usr/sbin/sshd'


class SshServer:
    """The real sshd on loopback, for this user alone; keys are files."""

    def __init__(self, folder, host_key_type='ed25519'):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.port = str(folder), free_port()
        self.host_key = self.keygen('host', host_key_type)
        self.key = self.keygen('user', 'ed25519')
        shutil.copy(self.key + '.pub', self.folder + '/authorized')
        with open(self.folder + '/cfg', 'w') as f:
            f.write('ListenAddress 127.0.0.1\nPort %d\nHostKey %s\nAuthorizedKeysFile %s/authorized\nPidFile none\nUsePAM no\nStrictModes no\n'
                    'PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nAllowTcpForwarding no\n'
                    % (self.port, self.host_key, self.folder))
        if os.getuid() == 0:
            os.makedirs('/run/sshd', exist_ok=True)
        self.process = subprocess.Popen([SSHD, '-D', '-e', '-f', self.folder + '/cfg'], stderr=open(self.folder + '/log', 'w'))
        for _ in range(200):
            try:
                with socket.create_connection(('127.0.0.1', self.port), 1) as s:
                    assert s.recv(4) == b'SSH-'
                break
            except OSError:
                assert self.process.poll() is None, self.log()
                threading.Event().wait(0.05)

    def keygen(self, name, kind, passphrase=''):
        path = os.path.join(self.folder, name)
        subprocess.run(['ssh-keygen', '-q', '-t', kind, '-N', passphrase, '-f', path], check=True)
        return path

    def known_hosts(self, key=None):
        with open((key or self.host_key) + '.pub') as f:
            return '[127.0.0.1]:%d %s\n' % (self.port, ' '.join(f.read().split()[:2]))

    def url(self, path):
        import pwd
        return 'ssh://%s@127.0.0.1:%d%s' % (pwd.getpwuid(os.getuid()).pw_name, self.port, path)

    def log(self):
        with open(self.folder + '/log') as f:
            return f.read()

    def close(self):
        self.process.terminate()
        self.process.wait()


class Pki:
    """A test CA, a server's certificate for 127.0.0.1 and localhost, a client's; PEM files."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder = str(folder)
        self.ca = self.make('ca', '-x509', '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign')
        self.server = self.make('server', '-x509', '-CA', self.ca, '-CAkey', self.key('ca'), '-addext', 'basicConstraints=CA:FALSE',
                                '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost')
        self.client = self.make('client', '-x509', '-CA', self.ca, '-CAkey', self.key('ca'), '-addext', 'basicConstraints=CA:FALSE')

    def key(self, name):
        return '%s/%s.key' % (self.folder, name)

    def make(self, name, *how):
        out = '%s/%s.pem' % (self.folder, name)
        subprocess.run(['openssl', 'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=' + name,
                        '-keyout', self.key(name), '-out', out, *how], check=True, stderr=subprocess.DEVNULL)
        return out

    def text(self, path):
        with open(path) as f:
            return f.read()

    def context(self, client=False):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(self.server, self.key('server'))
        if client:
            c.load_verify_locations(self.ca)
            c.verify_mode = ssl.CERT_REQUIRED
        return c
