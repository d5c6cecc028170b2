#!/usr/bin/python3
"""`./dev bench`: what leeboard costs on this machine, beside what others cost in the same run.

usage: tests/bench/bench.py [--apps 250] [--edits 100] [--pushes 20] [--replicas 0] [--only render,sync,drift,push]

Objects: --apps times Deployment, Service, ConfigMap, ServiceAccount. Needs the Release build and, for all but the render, Go (./dev binary).
Every number is of the daemon as users run it, over its own socket, webhooks and the API server's audit record.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, 'tests', 'e2e'))

from cluster import WRITES, Cluster, binary, configmap  # noqa: E402
from daemon import Daemon, Receiver, alert, app, build_dir, source  # noqa: E402
from folder import Folder, manifest  # noqa: E402
from gitserver import HttpServer, Repo  # noqa: E402
from onkube import managed  # noqa: E402

# Flux (source- and kustomize-controller of mid-2026), same objects and API server, on such a machine.
FLUX = {'first sync': 33.0, 'first sync, CPU': 9.2, 'no-op, CPU': 8.8, 'push to applied': 34.0, 'RSS': 168 + 146}


def objects(i, replicas, n='1'):
    name = 'a%03d' % i
    template = {'metadata': {'labels': {'app': name}}, 'spec': {'serviceAccountName': name, 'containers': [
        {'name': 'app', 'image': 'example.test/app:1', 'envFrom': [{'configMapRef': {'name': name}}], 'ports': [{'containerPort': 8080}]}]}}
    return [{'apiVersion': 'v1', 'kind': 'ServiceAccount', 'metadata': {'name': name}}, configmap(name, n=n),
            {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': name}, 'spec': {'selector': {'app': name}, 'ports': [{'port': 80, 'targetPort': 8080}]}},
            {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': name},
             'spec': {'replicas': replicas, 'selector': {'matchLabels': {'app': name}}, 'template': template}}]


def say(name, value, unit='', more=''):
    print('%-46s %10s %-6s %s' % (name, value if isinstance(value, str) else '%.3g' % value if value < 1000 else '%.0f' % value, unit, more), flush=True)


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def timed(argv):
    """(seconds, CPU seconds, peak kilobytes) of a command whose output is thrown away."""
    begin = time.monotonic()
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, use = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    assert p.returncode == 0, argv
    return time.monotonic() - begin, use.ru_utime + use.ru_stime, use.ru_maxrss


class Watched:
    """Peak RSS of a daemon's workers, looked at every 2 ms while they live."""

    def __init__(self, daemon):
        self.daemon, self.peak, self.stop = daemon, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        pid = self.daemon.process.pid
        while not self.stop.wait(0.002):
            try:
                with open('/proc/%d/task/%d/children' % (pid, pid), encoding='ascii') as f:
                    for child in f.read().split():
                        with open('/proc/%s/status' % child, encoding='ascii') as g:
                            text = g.read()
                        if 'VmHWM:' in text:
                            self.peak = max(self.peak, int(text.split('VmHWM:')[1].split()[0]))
            except OSError:
                continue

    def close(self):
        self.stop.set()
        self.thread.join()
        return self.peak


def bench_render(o, folder):
    tree = os.path.join(folder, 'tree')
    for i in range(o.apps):
        os.makedirs(os.path.join(tree, 'a%03d' % i))
        with open(os.path.join(tree, 'a%03d' % i, 'all.yaml'), 'w', encoding='utf-8') as f:
            f.write(manifest(*objects(i, o.replicas)))
    with open(os.path.join(tree, 'kustomization.yaml'), 'w', encoding='utf-8') as f:
        f.write('namespace: shop\nlabels:\n- pairs: {team: shop}\nimages:\n- {name: example.test/app, newTag: "2"}\nresources:\n' +
                ''.join('- a%03d/all.yaml\n' % i for i in range(o.apps)))
    ours = [timed([os.path.join(build_dir(True), 'leeboard'), 'render', tree]) for _ in range(7)]
    theirs = [timed([binary('kustomize'), 'build', tree]) for _ in range(3)]
    for name, runs in (('leeboard render', ours), ('kustomize build', theirs)):
        say('render of %d objects, %s' % (4 * o.apps, name), statistics.median(r[0] for r in runs), 's',
            '%.2f s CPU, %.0f MB' % (statistics.median(r[1] for r in runs), max(r[2] for r in runs) / 1024))
    say('  ratio', statistics.median(r[0] for r in theirs) / statistics.median(r[0] for r in ours), 'x')


def namespaced(kube, name):
    kube.create({'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': name}})
    kube.namespace = name


def floor(o, cluster, kube, folder):
    """A bare loop of server-side applies of the same objects into a namespace of its own."""
    path = os.path.join(folder, 'floor')
    subprocess.run(['go', '-C', os.path.join(TOP, 'tests', 'bench', 'floor'), 'build', '-o', path, '.'], check=True)
    lines = ''
    for i in range(o.apps):
        for obj in objects(i, o.replicas):
            obj['metadata']['namespace'] = 'floor'
            lines += '%s\t%s\n' % (kube.path_of(obj), json.dumps(obj))
    argv = [path, '-server', cluster.url, '-ca', cluster.ca, '-cert', cluster.user_file('leeboard', 'crt'), '-key', cluster.user_file('leeboard', 'key')]
    best = None
    for _ in range(2):      # a server that has just started is slower
        namespaced(kube, 'floor')
        out = json.loads(subprocess.run(argv, input=lines, stdout=subprocess.PIPE, text=True, check=True).stdout)
        kube.delete('Namespace', 'floor')
        kube.wait_gone('Namespace', 'floor', timeout=180)
        best = out if not best or out['seconds'] < best['seconds'] else best
    return best


def bench_sync(o, folder, cluster, kube):
    bare = floor(o, cluster, kube, folder)
    say('%d server-side applies, bare HTTP/2 loop' % bare['requests'], bare['seconds'], 's', '%.2f s CPU' % bare['cpu'])
    namespaced(kube, 'bench')
    root = os.path.join(folder, 'git-sync')
    os.mkdir(root)
    repo, server = Repo(root), HttpServer(root)
    repo.commit({'README.md': 'bench\n'})
    repo.write({'deploy/a%03d.yaml' % i: manifest(*objects(i, o.replicas)) for i in range(o.apps)})
    repo.git('add', '-A')
    repo.git('commit', '-q', '-m', 'all')
    docs = [source(server.url(repo)), app({'kubeConfig': {'file': cluster.kubeconfig}, 'namespace': 'bench'}, path='deploy', prune={'limit': {'objects': 0, 'percent': 0}})]
    os.mkdir(os.path.join(folder, 'daemon'))
    d = Daemon(os.path.join(folder, 'daemon'), docs, release=True, instance='bench')
    try:
        workers = Watched(d)
        d.until(lambda: d.source().get('accepted'), 'the first commit')
        mark, cpu = cluster.mark(), d.cpu()
        begin = time.monotonic()
        repo.push()
        d.post('sources/fleet/poll')
        d.wait(repo.head, timeout=600)
        took = time.monotonic() - begin
        spent = [b - a for a, b in zip(cpu, d.cpu())]
        requests = cluster.audit(user='leeboard', since=mark)
        say('first sync of %d new objects, push to healthy' % (4 * o.apps), took, 's', '%d requests, %.2f s CPU (+ %.2f s of workers)' % (len(requests), *spent))
        say('  ratio to the bare loop', took / bare['seconds'], 'x')
        say('  ratio to Flux (33 s, 3,000 requests, 9.2 s CPU)', FLUX['first sync'] / took, 'x')

        say('controller, peak RSS of the first sync', d.memory()[0] / 1024, 'MB')

        mark, cpu, begin = cluster.mark(), d.cpu(), time.monotonic()
        d.post('apps/web/sync', timeout=120, wait=True, force_compare=True)
        spent = [b - a for a, b in zip(cpu, d.cpu())]
        requests = [r for r in cluster.audit(user='leeboard', since=mark) if r.verb != 'watch']
        say('full compare, nothing to do', time.monotonic() - begin, 's', '%d requests, %.3f s CPU' % (len(requests), sum(spent)))
        if sum(spent):
            say('  ratio to Flux (8.8 s CPU)', FLUX['no-op, CPU'] / sum(spent), 'x')

        server.forget()
        mark, cpu = cluster.mark(), d.cpu()
        polls = server.wait(lambda rs: sum(r.done for r in rs) >= 10, 60)
        spent = [b - a for a, b in zip(cpu, d.cpu())]
        requests = [r for r in cluster.audit(user='leeboard', since=mark) if r.verb != 'watch']
        say('at rest, ten intervals', 1000 * sum(spent), 'ms CPU', '%d requests to the API server, %d polls of %d + %d bytes' % (
            len(requests), len(polls), polls[0].got, polls[0].sent))

        times, writes = [], []
        for n in range(o.pushes):
            i = n % o.apps
            mark = cluster.mark()
            repo.commit({'deploy/a%03d.yaml' % i: manifest(*objects(i, o.replicas, n='push %d' % n))}, push=False)
            begin = time.monotonic()
            repo.push()
            d.wait(repo.head)
            times.append(time.monotonic() - begin)
            writes.append(len(managed(cluster.audit(user='leeboard', since=mark, verb=WRITES), kube)))
        say('one changed object, push to healthy, 1 s polls', statistics.median(times), 's', 'p99 %.2f s, %s write each' % (quantile(times, 0.99), statistics.mean(writes)))
        say('  ratio to Flux (34 s at 10 s polls, 2,000 requests)', FLUX['push to applied'] / statistics.median(times), 'x')
        peak, now = d.memory()
        say('controller, peak RSS of all this', peak / 1024, 'MB', 'now %.1f MB' % (now / 1024))
        say('largest worker, peak RSS', workers.close() / 1024, 'MB')
        say('  ratio to Flux (168 + 146 MB)', FLUX['RSS'] / (peak / 1024), 'x')
        bench_kube_drift(o, folder, d, docs, kube)
    finally:
        assert d.stop() == 0
        server.close()


def bench_kube_drift(o, folder, d, docs, kube):
    r = Receiver(folder)
    d.write([*docs, alert(r, events=['drift.*'])])
    d.reload()
    times = []
    for n in range(o.edits):
        name = 'a%03d' % (n % o.apps)
        begin = time.monotonic()
        kube.patch('ConfigMap', name, {'data': {'n': 'edit %d' % n}}, manager='kubectl-edit')
        told = r.wait_event('drift.found', lambda e, name=name: e['object']['name'] == name)
        times.append(told.at - begin)
        r.wait_event('drift.healed', lambda e, name=name: e['object']['name'] == name)
        with r.changed:
            r.deliveries.clear()
    say('edit in the cluster to webhook, p50', 1000 * quantile(times, 0.5), 'ms', 'p99 %.0f ms' % (1000 * quantile(times, 0.99)))
    r.close()


def bench_dir(o, folder):
    root = os.path.join(folder, 'git')
    os.makedirs(root, exist_ok=True)
    repo, live, r = Repo(root, 'dir'), Folder(os.path.join(folder, 'live')), Receiver(folder)
    os.mkdir(os.path.join(folder, 'daemon-dir'))
    d = Daemon(os.path.join(folder, 'daemon-dir'), [source(repo.bare), app(live.path), alert(r, events=['drift.*'])], release=True)
    try:
        repo.commit({'a%03d.yaml' % i: manifest(*objects(i, o.replicas)) for i in range(o.apps)}, push=False)
        begin = time.monotonic()
        repo.push()
        d.wait(repo.head, timeout=120)
        say('first sync of %d objects to a directory' % (4 * o.apps), time.monotonic() - begin, 's')
        if 'push' in o.only:
            times = []
            for n in range(o.pushes):
                repo.commit({'a%03d.yaml' % n: manifest(*objects(n, o.replicas, n='push %d' % n))}, push=False)
                begin = time.monotonic()
                repo.push()
                d.wait(repo.head)
                times.append(time.monotonic() - begin)
            say('one changed object of %d, push to applied' % (4 * o.apps), 1000 * statistics.median(times), 'ms', 'p99 %.0f ms, directory' % (1000 * quantile(times, 0.99)))
        times = []
        for n in range(o.edits):
            name = 'ConfigMap/a%03d' % (n % o.apps)
            path = os.path.join(live.path, 'configmap.default.a%03d.yaml' % (n % o.apps))
            if not os.path.exists(path):
                path = live.file(name)
            with open(path, encoding='utf-8') as f:
                text = f.read()
            lines = ['  "n": edit %d' % n if line.startswith('  "n":') else line for line in text.splitlines()]
            assert lines != text.splitlines(), text
            begin = time.monotonic()
            live.write(path, '\n'.join(lines) + '\n')
            told = r.wait_event('drift.found')
            times.append(told.at - begin)
            r.wait_event('drift.healed')
            with r.changed:
                r.deliveries.clear()
        say('edit of a file to webhook, p50', 1000 * quantile(times, 0.5), 'ms', 'p99 %.0f ms' % (1000 * quantile(times, 0.99)))
        say('controller, peak RSS, directory', d.memory()[0] / 1024, 'MB')
    finally:
        assert d.stop() == 0
        r.close()


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument('--apps', type=int, default=250)
    p.add_argument('--edits', type=int, default=100)
    p.add_argument('--pushes', type=int, default=20)
    p.add_argument('--replicas', type=int, default=0)
    p.add_argument('--only', default='render,dir,push,sync')
    o = p.parse_args()
    o.only = o.only.split(',')
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    print('%s, %d cores; %d objects' % (os.uname().release, os.cpu_count(), 4 * o.apps))
    with tempfile.TemporaryDirectory(prefix='leeboard-bench-') as folder:
        if 'render' in o.only:
            bench_render(o, folder)
        if 'dir' in o.only:
            bench_dir(o, folder)
        if 'sync' in o.only:
            cluster = Cluster(binary())
            kube = cluster.client()
            try:
                bench_sync(o, folder, cluster, kube)
            finally:
                kube.close()
                cluster.close()


if __name__ == '__main__':
    main()
