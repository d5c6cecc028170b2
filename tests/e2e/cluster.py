"""A real Kubernetes API server for tests: the cluster of one session, and a client for it.

Fixtures (conftest.py hands them out):

  cluster   the session's Cluster, started on first use; skipped (failed in CI) where it can't be built
  kube      a Client as user 'admin' with a fresh namespace, kube.namespace, that is deleted afterwards;
            what it creates without a namespace is deleted too

What becomes of a pod says an annotation of its template, 'test.leeboard.dev/pod': pending, unready,
imagepullbackoff, crashloop, fail, run (tests/cluster/pod.go); without it a pod is ready at once and a
job's has succeeded. 'test.leeboard.dev/load-balancer: IP' on a Service or Ingress is its address.

Nothing here sleeps: wait() watches. Standard library only.
"""
import http.client
import json
import os
import secrets
import select
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.parse

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = 30          # seconds that a wait lasts unless told
START_LIMIT = 120
NO_GO = 3           # exit status of './dev binary' where there is no toolchain


class ApiError(Exception):
    """An answer that is no success: .status, .reason, .message, .body (a Status, when the server sent one)."""

    def __init__(self, what, status, text):
        try:
            self.body = json.loads(text)
        except ValueError:
            self.body = {}
        self.status = status
        self.reason = self.body.get('reason', '')
        self.message = self.body.get('message', text.decode('utf-8', 'replace').strip())
        super().__init__('%s: %d %s: %s' % (what, status, self.reason, self.message))


class Client:
    """One user's connection. Not for several threads at once. A kind is 'Deployment', 'Deployment.apps' or
    'apps/v1/Deployment'; the namespace defaults to self.namespace."""

    def __init__(self, cluster, user, token=None):
        self.cluster, self.user, self.token = cluster, user, token
        self.agent = 'leeboard-e2e'
        self.namespace = 'default'
        self.made = []          # (kind, name) of what was created without a namespace
        self.kinds = {}
        self.connection = None
        self.host = urllib.parse.urlsplit(cluster.url).netloc
        self.tls = ssl.create_default_context(cafile=cluster.ca)
        if not token:
            self.tls.load_cert_chain(cluster.user_file(user, 'crt'), cluster.user_file(user, 'key'))

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    # requests

    def connect(self, timeout=LIMIT):
        return http.client.HTTPSConnection(self.host, timeout=timeout, context=self.tls)

    def headers(self, accept='application/json', content='application/json'):
        h = {'User-Agent': self.agent, 'Accept': accept, 'Content-Type': content}
        if self.token:
            h['Authorization'] = 'Bearer ' + self.token
        return h

    def request(self, method, path, body=None, ok_missing=False, **kw):
        """The answer as JSON (or None for 404 with ok_missing); ApiError for what is no success."""
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        fresh = self.connection is None
        self.connection = self.connection or self.connect()
        try:
            self.connection.request(method, path, body=body, headers=self.headers(**kw))
            answer = self.connection.getresponse()
            text = answer.read()
        except OSError as e:
            self.close()
            # A kept connection may have died since; a new one tells the truth.
            if fresh or isinstance(e, TimeoutError):
                raise
            return self.request(method, path, body, ok_missing, **kw)
        if answer.status == 404 and ok_missing:
            return None
        if answer.status >= 300:
            raise ApiError('%s %s' % (method, path), answer.status, text)
        return json.loads(text) if 'json' in answer.headers.get('Content-Type', '') else text.decode()

    # kinds

    def discover(self):
        self.kinds = {}
        accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
        for root in ('/api', '/apis'):
            for group in self.request('GET', root, accept=accept)['items']:
                name = group['metadata'].get('name', '')
                for version in group['versions']:
                    base = '/apis/%s/%s' % (name, version['version']) if name else '/api/' + version['version']
                    for r in version['resources']:
                        kind = r['responseKind']['kind']
                        row = (base, r['resource'], r['scope'] == 'Namespaced')
                        # The first one said, the preferred version of its group, is what a short name means.
                        for key in (kind, '%s.%s' % (kind, name), '%s/%s' % (base.split('/', 2)[2], kind)):
                            self.kinds.setdefault(key, row)

    def kind(self, kind):
        if kind not in self.kinds:
            self.discover()
        if kind not in self.kinds:
            raise LookupError("the API server has no kind '%s'" % kind)
        return self.kinds[kind]

    def path(self, kind, name=None, namespace=None, sub=None, **query):
        base, resource, namespaced = self.kind(kind)
        parts = [base] + (['namespaces', namespace or self.namespace] if namespaced and namespace != '*' else [])
        parts += [resource] + ([name] if name else []) + ([sub] if sub else [])
        query = {k: v for k, v in query.items() if v not in (None, False)}
        return '/'.join(parts) + ('?' + urllib.parse.urlencode(query) if query else '')

    def path_of(self, obj, name=True, **query):
        m = obj['metadata']
        return self.path('%s/%s' % (obj['apiVersion'], obj['kind']), m['name'] if name else None, m.get('namespace'), **query)

    def remember(self, obj):
        kind = '%s/%s' % (obj['apiVersion'], obj['kind'])
        if not self.kind(kind)[2] and (kind, obj['metadata']['name']) not in self.made:
            self.made.append((kind, obj['metadata']['name']))

    # verbs

    def get(self, kind, name, namespace=None, sub=None):
        return self.request('GET', self.path(kind, name, namespace, sub))

    def find(self, kind, name, namespace=None):
        """get, or None."""
        return self.request('GET', self.path(kind, name, namespace), ok_missing=True)

    def list(self, kind, namespace=None, selector=None, fields=None):
        """The items; namespace '*' lists all."""
        return self.request('GET', self.path(kind, None, namespace, labelSelector=selector, fieldSelector=fields))['items']

    def create(self, obj, manager='e2e'):
        self.remember(obj)
        return self.request('POST', self.path_of(obj, name=False, fieldManager=manager), obj)

    def update(self, obj, manager='e2e', sub=None):
        return self.request('PUT', self.path_of(obj, fieldManager=manager, sub=sub), obj)

    def apply(self, obj, manager='e2e', force=False, dry_run=False):
        """Server-side apply."""
        self.remember(obj)
        query = {'fieldManager': manager, 'force': force and 'true', 'dryRun': dry_run and 'All'}
        return self.request('PATCH', self.path_of(obj, **query), obj, content='application/apply-patch+yaml')

    def patch(self, kind, name, patch, namespace=None, type='merge', manager='e2e', sub=None):
        """type: merge, strategic or json."""
        content = {'merge': 'application/merge-patch+json', 'strategic': 'application/strategic-merge-patch+json',
                   'json': 'application/json-patch+json'}[type]
        return self.request('PATCH', self.path(kind, name, namespace, sub, fieldManager=manager), patch, content=content)

    def delete(self, kind, name, namespace=None, propagation='Background', ok_missing=False):
        return self.request('DELETE', self.path(kind, name, namespace), {'propagationPolicy': propagation}, ok_missing=ok_missing)

    # events

    def watch(self, kind, namespace=None, name=None, selector=None, since=None, timeout=LIMIT):
        """(type, object) of each event after the resourceVersion 'since'; ends with TimeoutError."""
        end = time.monotonic() + timeout
        connection = self.connect(timeout)
        try:
            connection.request('GET', self.path(kind, None, namespace, watch='true', labelSelector=selector, resourceVersion=since,
                                                fieldSelector=name and 'metadata.name=' + name), headers=self.headers())
            answer = connection.getresponse()
            if answer.status != 200:
                raise ApiError('watch ' + kind, answer.status, answer.read())
            while True:
                connection.sock.settimeout(max(0.001, end - time.monotonic()))
                line = answer.readline()
                if not line:
                    raise ConnectionError('the API server ended the watch of ' + kind)
                event = json.loads(line)
                if event['type'] == 'ERROR':
                    raise ApiError('watch ' + kind, event['object'].get('code', 0), json.dumps(event['object']).encode())
                yield event['type'], event['object']
        finally:
            connection.close()

    def wait(self, kind, name, want, namespace=None, timeout=LIMIT, why=''):
        """The object as soon as want(object) holds; want(None) is asked when there is none."""
        return self.wait_list(kind, lambda found: want((found or [None])[0]), namespace, None, timeout,
                              why or getattr(want, '__name__', ''), name)

    def wait_list(self, kind, want, namespace=None, selector=None, timeout=LIMIT, why='', name=None):
        """The objects of a selector, by name, as soon as want(list) holds; with 'name' that object, or None."""
        listed = self.request('GET', self.path(kind, None, namespace, labelSelector=selector, fieldSelector=name and 'metadata.name=' + name))
        now = {(o['metadata'].get('namespace'), o['metadata']['name']): o for o in listed['items']}

        def objects():
            return [o for _, o in sorted(now.items())]

        def found():
            return (objects() or [None])[0] if name else objects()
        if want(objects()):
            return found()
        try:
            for event, obj in self.watch(kind, namespace, name, selector, listed['metadata']['resourceVersion'], timeout):
                key = (obj['metadata'].get('namespace'), obj['metadata']['name'])
                if event == 'DELETED':
                    now.pop(key, None)
                else:
                    now[key] = obj
                if want(objects()):
                    return found()
        except TimeoutError:
            pass
        raise AssertionError('%s %s: not %s in %g s; last seen: %s' % (
            kind, name or selector or 'of any name', why or 'as wanted', timeout, json.dumps([o.get('status', o) for o in objects()])))

    def wait_gone(self, kind, name, namespace=None, timeout=LIMIT):
        self.wait(kind, name, lambda o: o is None, namespace, timeout, 'gone')

    def cleanup(self):
        for kind, name in reversed(self.made):
            self.delete(kind, name, ok_missing=True)
        self.made = []


# what to wait for

def condition(obj, kind):
    """'True', 'False', 'Unknown', or None without such a condition."""
    for c in (obj or {}).get('status', {}).get('conditions') or []:
        if c['type'] == kind:
            return c['status']
    return None


def is_available(obj):
    """A Deployment whose newest template runs everywhere."""
    s = (obj or {}).get('status', {})
    return (obj is not None and s.get('observedGeneration') == obj['metadata']['generation'] and condition(obj, 'Available') == 'True'
            and s.get('updatedReplicas', 0) == s.get('availableReplicas', 0) == s.get('replicas', 0) == obj['spec']['replicas'])


def is_established(obj):
    """A CustomResourceDefinition that is served."""
    return condition(obj, 'Established') == 'True'


# what to apply

def deployment(name, replicas=1, pod=None, image='example.test/app:1', **meta):
    template = {'metadata': {'labels': {'app': name}}, 'spec': {'containers': [{'name': 'app', 'image': image}]}}
    if pod:
        template['metadata']['annotations'] = {'test.leeboard.dev/pod': pod}
    return {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': name, **meta},
            'spec': {'replicas': replicas, 'selector': {'matchLabels': {'app': name}}, 'template': template}}


def configmap(name, **data):
    return {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': name}, 'data': data}


class Request:
    """One request as the API server recorded it. A watch is there from its start; .done once it ended."""

    def __init__(self, event):
        ref = event.get('objectRef', {})
        self.id = event['auditID']
        self.user = event['user'].get('username', '')
        self.agent = event.get('userAgent', '')
        self.verb = event['verb']       # get list watch create update patch delete deletecollection
        self.group, self.resource, self.sub = ref.get('apiGroup', ''), ref.get('resource', ''), ref.get('subresource', '')
        self.namespace, self.name = ref.get('namespace', ''), ref.get('name', '')
        self.uri = event['requestURI']
        self.query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.uri).query))
        self.start = event['requestReceivedTimestamp']
        self.code = event.get('responseStatus', {}).get('code', 0)
        self.done = event['stage'] != 'ResponseStarted'

    def __repr__(self):
        return '%s %s %d (%s)' % (self.verb, self.uri, self.code, self.user)


WRITES = ('create', 'update', 'patch', 'delete', 'deletecollection')


class Cluster:
    """The process; see tests/cluster/main.go. .kubeconfig is that of user 'leeboard', .token_kubeconfig of
    'leeboard-token', .admin_kubeconfig of 'admin'; all three may do everything."""

    def __init__(self, binary, dir=None):
        self.own = dir is None
        shm = '/dev/shm'
        self.dir = dir or tempfile.mkdtemp(prefix='leeboard-cluster-', dir=shm if os.access(shm, os.W_OK) else None)
        self.stderr = open(os.path.join(self.dir, 'stderr.log'), 'wb+')
        # However this process ends, the cluster does, and tmpfs gets its memory back.
        self.process = subprocess.Popen([binary, '--dir', self.dir, '--until-eof'] + ['--temporary'] * self.own, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.stderr)
        readable, _, _ = select.select([self.process.stdout], [], [], START_LIMIT)
        line = self.process.stdout.readline() if readable else b''
        if not line:
            self.process.kill()
            self.process.wait()
            self.stderr.seek(0)
            raise RuntimeError('the cluster did not start: ' + self.stderr.read().decode('utf-8', 'replace'))
        self.update(json.loads(line))

    def update(self, status):
        self.status = status
        self.url, self.ca, self.users = status['url'], status['ca'], status['users']
        self.kubeconfig, self.admin_kubeconfig = status['kubeconfig'], status['adminKubeconfig']
        self.token_kubeconfig, self.audit_path, self.pids = status['tokenKubeconfig'], status['audit'], status['pids']

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.stderr.close()
        if self.own:
            shutil.rmtree(self.dir, ignore_errors=True)

    # users

    def user_file(self, user, ending):
        safe = ''.join(c if c.isascii() and (c.isalnum() or c in '-._') else '_' for c in user)
        return os.path.join(self.users, '%s.%s' % (safe, ending))

    def user(self, name, *groups):
        """The kubeconfig of one more user, with the rights that RBAC gives it (none: group 'system:masters' has all)."""
        return self.command('POST', '/user?' + urllib.parse.urlencode([('name', name)] + [('group', g) for g in groups]))['kubeconfig']

    def client(self, user='admin', token=None):
        """A Client as a user made before, or by a token (then the user's name is for you alone)."""
        return Client(self, user, token)

    # what can be done to the API server

    def command(self, method, path):
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.status['control']).netloc, timeout=START_LIMIT)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError('%s: %s' % (path, text.decode().strip()))
        return json.loads(text)

    def stop_server(self):
        """Orderly; connections are then refused. Data, port and certificates stay. The controllers stop too."""
        self.update(self.command('POST', '/stop-apiserver'))

    def kill_server(self):
        self.update(self.command('POST', '/kill-apiserver'))

    def start_server(self):
        """Returns once it is ready."""
        self.update(self.command('POST', '/start-apiserver'))

    def freeze(self):
        """Connections are accepted and nothing is answered, until thaw()."""
        self.update(self.command('POST', '/freeze'))

    def thaw(self):
        self.update(self.command('POST', '/thaw'))

    def restore(self):
        """Whatever a test left, the API server runs."""
        self.update(self.command('GET', '/status'))
        if self.status['frozen']:
            self.thaw()
        if not self.status['running']:
            self.start_server()

    # the API server's own record

    def mark(self):
        """A place in the record, for audit(since=...)."""
        self.settle()
        return os.path.getsize(self.audit_path)

    def settle(self):
        """Returns once every request that was answered before is in the record."""
        client = self.client()
        try:
            for _ in range(100):
                mark = secrets.token_hex(8)
                at = os.path.getsize(self.audit_path)
                client.request('GET', '/version?mark=' + mark)
                with open(self.audit_path, 'rb') as f:
                    f.seek(at)
                    if mark.encode() in f.read():
                        return
        finally:
            client.close()
        raise AssertionError('requests do not reach ' + self.audit_path)

    def audit(self, user=None, since=0, verb=None, resource=None, agent=None, where=None):
        """The requests recorded since a mark(), in order of arrival. verb: one or a tuple (WRITES); agent: a part of the user
        agent; where(request) may ask for more. With the server stopped or frozen: what is there."""
        if self.status['running'] and not self.status['frozen']:
            self.settle()
        verbs = (verb,) if isinstance(verb, str) else verb
        found = {}
        with open(self.audit_path, 'rb') as f:
            f.seek(since)
            for line in f:
                if not line.endswith(b'\n'):
                    break
                r = Request(json.loads(line))
                # One that began before the mark and ended after it is no request since.
                if r.done and r.verb == 'watch' and r.id not in found and since and self.began(r.id, since):
                    continue
                if ((user is None or r.user == user) and (verbs is None or r.verb in verbs) and (resource is None or r.resource == resource)
                        and (agent is None or agent in r.agent) and '/version?mark=' not in r.uri and (where is None or where(r))):
                    found[r.id] = r
        return sorted(found.values(), key=lambda r: r.start)

    def began(self, id, before):
        with open(self.audit_path, 'rb') as f:
            return id.encode() in f.read(before)

    def rss(self):
        """Kilobytes resident, by process."""
        out = {}
        for name, pid in self.pids.items():
            with open('/proc/%d/status' % pid, encoding='ascii') as f:
                out[name] = int(f.read().split('VmRSS:')[1].split()[0])
        return out


def binary(name='cluster'):
    """The path of a program that ./dev builds from Go modules, building it when it is not in the cache."""
    path = os.environ.get('LEEBOARD_' + name.upper())
    if path:
        return path
    p = subprocess.run([os.path.join(TOP, 'dev'), 'binary', name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True)
    if p.returncode == NO_GO and not os.environ.get('CI'):
        pytest.skip(p.stderr.strip())
    assert p.returncode == 0, p.stderr
    return p.stdout.strip()


@pytest.fixture(scope='session', name='cluster')
def cluster_fixture():
    c = Cluster(binary())
    yield c
    c.close()


@pytest.fixture(name='kube')
def kube_fixture(cluster):
    cluster.restore()
    client = cluster.client()
    name = 't-' + secrets.token_hex(5)
    client.create({'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': name}})
    client.namespace = name
    yield client
    cluster.restore()
    client.cleanup()
    client.close()
