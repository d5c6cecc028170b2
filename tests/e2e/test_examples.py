"""Every example runs: the commands of its README, as they stand there, then what must be true afterwards.

A `sh` block of a README is run line by line by bash, in one temporary home. `leeboard run ... &` starts the daemon (with a socket
and a state of the test's own) and waits until it is ready; `# exit N` at a line's end is the exit status that the line must have.
The pages of docs/ that show commands are held to the same.
"""
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest
import yaml

from gitserver import clean_env

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = sorted(d for d in os.listdir(os.path.join(TOP, 'examples')) if os.path.isdir(os.path.join(TOP, 'examples', d)))
BUILD = next((d for d in (os.path.join(TOP, b) for b in ('build-asan', 'build')) if os.path.exists(os.path.join(d, 'leeboard'))), '')
LIMIT = 60
K3S = '/var/lib/rancher/k3s/server/manifests'
REPORTS = re.compile(r'ERROR: (Address|Leak)Sanitizer|runtime error:')


def blocks(text):
    """The lines of all sh blocks, joined where they end in a backslash."""
    found = re.findall(r'^```sh\n(.*?)^```', text, re.M | re.S)
    return [line for block in found for line in block.replace('\\\n', '').splitlines() if line.strip()]


def command(line):
    """The line with its `# exit N` made a check."""
    m = re.match(r'(.*?)\s+# exit (\d+)$', line)
    if not m:
        return line
    return 'status=0; %s || status=$?; [ $status = %s ] || { echo "exit $status, not %s" >&2; exit 99; }' % (m[1], m[2], m[2])


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Person:
    """Types what a page says, in a home of its own."""

    def __init__(self, home):
        self.home = str(home)
        self.run = tempfile.mkdtemp(prefix='lb-')
        self.socket = os.path.join(self.run, 'socket')
        self.daemon = None
        self.replace = {K3S: os.path.join(self.home, "k3s/server/manifests"), '9911': str(free_port())}
        shutil.copytree(os.path.join(TOP, 'examples'), os.path.join(self.home, 'examples'))
        for folder, _, files in os.walk(os.path.join(self.home, 'examples')):
            for name in files:
                self.rewrite(os.path.join(folder, name))
        self.env = {**clean_env(self.home), 'PATH': BUILD + ':' + os.environ['PATH'], 'LEEBOARD_SOCKET': self.socket, 'XDG_RUNTIME_DIR': self.run,
                    'XDG_STATE_HOME': os.path.join(self.home, 'state')}
        for who in ('AUTHOR', 'COMMITTER'):
            self.env.update({'GIT_%s_NAME' % who: 'Ana', 'GIT_%s_EMAIL' % who: 'ana@example.org'})
        self.groups = []

    def rewrite(self, path):
        with open(path, encoding='utf-8') as f:
            text = f.read()
        for old, new in self.replace.items():
            text = text.replace(old, new)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def read(self, *parts):
        with open(self.path(*parts), encoding='utf-8') as f:
            return f.read()

    def objects(self, folder):
        """Kind/name -> object, of all files of a folder."""
        out = {}
        for name in sorted(os.listdir(self.path(folder))):
            if name.endswith('.yaml'):
                out.update({o['kind'] + '/' + o['metadata']['name']: o for o in yaml.safe_load_all(self.read(folder, name)) if o})
        return out

    # typing

    def shell(self, lines, cwd):
        script = 'set -eo pipefail\n' + '\n'.join(command(line) for line in lines)
        out = tempfile.TemporaryFile()
        p = subprocess.Popen(['bash', '-c', script], cwd=cwd, env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                             start_new_session=True)
        self.groups.append(p.pid)
        try:
            status = p.wait(LIMIT * 2)
        except subprocess.TimeoutExpired:
            status = 'no end'
        out.seek(0)
        text = out.read().decode('utf-8', 'replace')
        assert status == 0, '%s after:\n%s\n--- it said:\n%s\n--- the daemon:\n%s' % (status, '\n'.join(lines), text[-4000:], self.log()[-4000:])
        return text

    def type(self, lines, cwd):
        """What the commands said."""
        said, now = '', []
        for line in lines:
            m = re.match(r'leeboard run (.*\S)\s*&$', line)
            if not m:
                now.append(line)
                continue
            said += self.shell(now, cwd) if now else ''
            now = []
            self.start(shlex.split(m[1].replace('~', self.home)), cwd)
        return said + (self.shell(now, cwd) if now else '')

    # the daemon

    def start(self, args, cwd):
        notify = os.path.join(self.run, 'notify')
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ready.bind(notify)
        with open(self.path('log'), 'ab') as log:
            self.daemon = subprocess.Popen([os.path.join(BUILD, 'leeboard'), 'run', '--socket', self.socket, '--state', self.path('state'), *args],
                                           cwd=cwd, env={**self.env, 'NOTIFY_SOCKET': notify}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        pid = os.pidfd_open(self.daemon.pid)
        while True:
            got, _, _ = select.select([ready, pid], [], [], LIMIT)
            assert got and pid not in got, 'the daemon did not start:\n' + self.log()
            if b'READY=1' in ready.recv(4096):
                break
        ready.close()
        os.close(pid)

    def log(self):
        return self.read('log') if os.path.exists(self.path('log')) else ''

    def leave(self):
        status = None
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            try:
                status = self.daemon.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
                status = 'no end'
        for group in self.groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.run, ignore_errors=True)
        assert status in (None, 0), 'the daemon ended with %s:\n%s' % (status, self.log()[-4000:])
        assert not REPORTS.search(self.log()), self.log()[-8000:]


@pytest.fixture
def person(tmp_path):
    p = Person(tmp_path / 'home')
    yield p
    p.leave()


def follow(person, name):
    folder = person.path('examples', name)
    text = person.read('examples', name, 'README.md')
    return person.type(blocks(text), folder)


# every example

@pytest.mark.parametrize('name', EXAMPLES)
def test_the_documents_of_an_example_are_good(person, name):
    folder = person.path('examples', name)
    if name == 'drift-alert':
        with open(os.path.join(folder, 'hmac.key'), 'w', opener=lambda p, flags: os.open(p, flags, 0o600), encoding='ascii') as f:
            f.write('k' * 32)
    if name == 'signed':
        os.makedirs(person.path('.config'))
        with open(person.path('.config/shop-signers'), 'w', encoding='ascii') as f:
            f.write('')
    said = person.shell(['leeboard check leeboard.yaml'], folder)
    assert 'no mistakes' in said


def test_every_example_is_listed_and_tested():
    with open(os.path.join(TOP, 'examples', 'README.md'), encoding='utf-8') as f:
        assert set(re.findall(r'^\| \[([\w-]+)\]', f.read(), re.M)) == set(EXAMPLES)
    assert {name[len('test_example_'):].replace('_', '-') for name in globals() if name.startswith('test_example_')} == set(EXAMPLES)


def test_example_directory(person):
    said = follow(person, 'directory')
    assert 'deployment.apps.shop.web.yaml' in said
    live = person.objects('shop-live')
    assert set(live) == {'ConfigMap/settings', 'Deployment/web'}
    assert live['Deployment/web']['spec']['template']['spec']['containers'][0]['image'].endswith('web:1.0')


def test_example_environments(person):
    follow(person, 'environments')
    replicas, images = {}, {}
    for env in ('dev', 'staging', 'prod'):
        live = person.objects('shop-env-live/' + env)
        web = live['Deployment/web']
        assert web['metadata']['namespace'] == 'shop-' + env
        replicas[env] = web['spec']['replicas']
        images[env] = web['spec']['template']['spec']['containers'][0]['image'].split(':')[1]
    assert replicas == {'dev': 1, 'staging': 1, 'prod': 3}
    assert images == {'dev': 'latest', 'staging': '1.1', 'prod': '1.1'}
    # the last commit was prod's alone
    said = person.shell(['leeboard history shop-dev -o json', 'leeboard history shop-prod -o json'], person.home)
    numbers = [len(re.findall(r'"number"', line)) for line in said.splitlines() if line.startswith('{')]
    assert numbers == [1, 2], said


def test_example_cluster(person, cluster):
    os.makedirs(person.path('.kube'))
    shutil.copy(cluster.kubeconfig, person.path('.kube/config'))
    client = cluster.client()
    try:
        follow(person, 'cluster')
        for env, replicas in (('dev', 1), ('staging', 1), ('prod', 3)):
            web = client.get('Deployment', 'web', 'shop-' + env)
            assert web['spec']['replicas'] == replicas
            assert web['status']['readyReplicas'] == replicas
        made = {env: client.get('Deployment', 'web', 'shop-' + env)['metadata']['creationTimestamp'] for env in ('staging', 'prod')}
        assert made['staging'] <= made['prod']
    finally:
        for env in ('dev', 'staging', 'prod'):
            client.delete('Namespace', 'shop-' + env, ok_missing=True)
        client.close()


def test_example_drift_alert(person):
    said = follow(person, 'drift-alert')
    told = [line.split(' ', 2) for line in person.read('told').splitlines()]
    assert [t[0] for t in told] == ['drift.found', 'drift.gone'], told
    assert told[0][1] == told[1][1]  # one incident
    assert 'hello' in said and 'goodbye' in said


def test_example_signed(person):
    said = follow(person, 'signed')
    assert 'not signed' in said
    assert person.objects('shop-signed-live')['ConfigMap/settings']['data']['greeting'] == 'hello again'


def test_example_k3s(person):
    os.makedirs(person.path('k3s/server'))
    follow(person, 'k3s')
    assert os.listdir(person.path('k3s/server/manifests')) == ['edge.yaml']
    kinds = [o['kind'] for o in yaml.safe_load_all(person.read('k3s/server/manifests/edge.yaml'))]
    assert kinds == ['Namespace', 'Deployment']


# pages of docs/ with commands

@pytest.mark.parametrize('page', ['first-steps.md', 'alerts.md', 'drift.md', 'prune.md', 'signing.md'])
def test_pages(person, page):
    with open(os.path.join(TOP, 'docs', page), encoding='utf-8') as f:
        text = f.read()
    for old, new in person.replace.items():
        text = text.replace(old, new)
    lines = blocks(text)
    assert lines, 'docs/%s shows no command' % page
    person.type(lines, person.home)
