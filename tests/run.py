#!/usr/bin/python3
"""Runs every test and closes with one line: N passed, N failed, N skipped.

usage: tests/run.py [--fuzz-seconds N] [--long] [NAME]

Unit tests (build-asan/unit_*, cmocka; of the sandbox also build/unit_*, without sanitizers), architecture tests (tests/arch, pytest),
end-to-end tests (tests/e2e, pytest, against programs that ./dev builds from Go modules; by root: those of directories once more
as nobody) and fuzz targets (build-fuzz/fuzz_*: each
corpus once, then a search of N seconds). NAME keeps those whose name
contains it. Each cmocka test, each pytest test and each fuzz target counts as one.
"""
import argparse
import concurrent.futures
import glob
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = 600
E2E_LIMIT = 1800
GO_LIMIT = 2400     # seconds for './dev binary' to build from nothing, beside the C builds
GO_MISSING = 3      # its exit status without a toolchain


def run(argv, limit=LIMIT, env=None):
    """Exit status and output; a hang is a failure that says so."""
    try:
        p = subprocess.run(argv, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=limit, env={**os.environ, **(env or {})})
        return p.returncode, p.stdout.decode('utf-8', 'replace')
    except subprocess.TimeoutExpired as e:
        return 124, (e.stdout or b'').decode('utf-8', 'replace') + '\n%s: no end after %d s\n' % (argv[0], limit)


def unit(path):
    status, out = run([path], env={'ASAN_OPTIONS': 'detect_leaks=1', 'CMOCKA_MESSAGE_OUTPUT': 'STDOUT'})
    # the closing lines; a single test's own are '[  FAILED  ] name'
    passed = sum(int(n) for n in re.findall(r'^\[  PASSED  \] (\d+) test\(s\)', out, re.M))
    failed = sum(int(n) for n in re.findall(r'^\[  FAILED  \] .*?(\d+) test\(s\)', out, re.M))
    skipped = sum(int(n) for n in re.findall(r'^\[  SKIPPED \] .*?(\d+) test\(s\)', out, re.M))
    if status and not failed or not status and not passed and not skipped:
        failed += 1
    return passed, failed, skipped, out


def counted(name, status):
    """Passed, failed, skipped of a JUnit file."""
    try:
        suite = ET.parse(name).getroot().find('testsuite').attrib
        bad = int(suite['failures']) + int(suite['errors'])
        skipped = int(suite['skipped'])
        passed = int(suite['tests']) - bad - skipped
    except (OSError, ET.ParseError, AttributeError, KeyError):
        passed, bad, skipped = 0, 1, 0
    return passed, bad or int(bool(status)), skipped


PYTEST = ['/usr/bin/python3', '-m', 'pytest', '-q', '-rs', '-p', 'no:cacheprovider']


def pytest(folder, env=None, limit=LIMIT):
    with tempfile.NamedTemporaryFile(suffix='.xml') as f:
        status, out = run(PYTEST + ['--junitxml', f.name, folder], limit, env)
        return *counted(f.name, status), out


FEW = 4     # stories that may fail and get a second try


def stories(argv, folder, paths, name, env):
    """End-to-end stories have time limits, and a machine that somebody else uses misses one now and then: few that fail are run once more,
    alone. One that passes only then is named in the output, so that nobody takes it for a sound one."""
    status, out = run(argv + ['--junitxml', name] + paths, E2E_LIMIT, env)
    passed, failed, skipped = counted(name, status)
    try:
        bad = ['%s/%s.py::%s' % (folder, c.get('classname').split('.')[-1], c.get('name')) for c in ET.parse(name).iter('testcase')
               if c.find('failure') is not None or c.find('error') is not None]
    except (OSError, ET.ParseError):
        bad = []
    if not 0 < len(bad) <= FEW:
        return passed, failed, skipped, out
    status, second = run(argv + bad, E2E_LIMIT, env)
    print('second try of %s: %s' % (' '.join(bad), 'passed' if not status else 'failed again'), flush=True)
    if status:
        return passed, failed, skipped, out + second
    return passed + failed, 0, skipped, out


def end_to_end(folder):
    """Waits for the programs that './dev test' began to build; without Go, by hand, their tests are skipped."""
    env, said = {}, ''
    for name in ('cluster', 'kustomize'):
        status, out = run(['./dev', 'binary', name], GO_LIMIT)
        if status == GO_MISSING and not os.environ.get('CI'):
            said = 'SKIPPED, all that needs Go: ' + out
        elif status:
            return 0, 1, 0, './dev binary %s failed:\n%s' % (name, out)
        else:
            env['LEEBOARD_' + name.upper()] = out.splitlines()[-1]
    with tempfile.NamedTemporaryFile(suffix='.xml') as f:
        passed, failed, skipped, out = stories(PYTEST, folder, [folder], f.name, env)
    return passed, failed, skipped, said + out


def unprivileged():
    """The stories of a directory target once more as a user that may do nothing: root hides EPERM. From a copy, since a clone may lie
    where that user cannot look."""
    user = pwd.getpwnam('nobody')
    with tempfile.TemporaryDirectory(prefix='leeboard-nobody-') as top:
        for d in ('build-asan', 'build'):
            os.mkdir(os.path.join(top, d))
            for name in os.listdir(os.path.join(TOP, d)):
                path = os.path.join(TOP, d, name)
                if re.fullmatch(r'leeboard(-\w+)?', name) and os.access(path, os.X_OK):
                    shutil.copy(path, os.path.join(top, d, name))
        shutil.copytree(os.path.join(TOP, 'tests', 'e2e'), os.path.join(top, 'tests', 'e2e'), ignore=shutil.ignore_patterns('__pycache__'))
        for folder, _, files in os.walk(top):
            for path in [folder] + [os.path.join(folder, f) for f in files]:
                os.chown(path, user.pw_uid, user.pw_gid)
        argv = ['setpriv', '--reuid', str(user.pw_uid), '--regid', str(user.pw_gid), '--clear-groups'] + PYTEST + [
            '--basetemp', os.path.join(top, 'tmp')]
        folder = os.path.join(top, 'tests', 'e2e')
        return stories(argv, folder, sorted(glob.glob(os.path.join(folder, 'test_dir_*.py'))), os.path.join(top, 'result.xml'),
                       {'HOME': top, 'TMPDIR': '/tmp'})


def valgrind(path):
    """Memory errors and leaks in what the compiler's sanitizers cannot see: uninitialised values above all."""
    status, out = run(['valgrind', '-q', '--error-exitcode=99', '--leak-check=full', '--show-leak-kinds=definite',
                       '--errors-for-leak-kinds=definite', '--trace-children=no', path], LIMIT * 6)
    return int(not status), int(bool(status)), 0, out


def fuzz(path, seconds):
    name = os.path.basename(path)[len('fuzz_'):]
    corpus = os.path.join(TOP, 'fuzz', 'corpus', name)
    if not os.path.isdir(corpus) or not os.listdir(corpus):
        return 0, 1, 0, 'fuzz/corpus/%s is missing or empty: every target starts from seeds\n' % name
    found = os.path.join(TOP, 'build-fuzz', 'found', name)
    os.makedirs(found, exist_ok=True)
    options = ['-timeout=10', '-rss_limit_mb=2048', '-artifact_prefix=' + os.path.dirname(found) + '/']
    seeds = sorted(os.path.join(corpus, f) for f in os.listdir(corpus))
    status, out = run([path] + options + seeds)
    if not status and seconds:
        status, out = run([path] + options + ['-max_total_time=%d' % seconds, found, corpus], seconds + 120)
    return int(not status), int(bool(status)), 0, out


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument('--fuzz-seconds', type=int, default=0)
    p.add_argument('--long', action='store_true')
    p.add_argument('name', nargs='?', default='')
    o = p.parse_args()

    def found(folder, prefix):
        d = os.path.join(TOP, folder)
        return [os.path.join(d, f) for f in sorted(os.listdir(d) if os.path.isdir(d) else [])
                if f.startswith(prefix) and '.' not in f and os.access(os.path.join(d, f), os.X_OK) and o.name in f]
    jobs = [(os.path.relpath(t, TOP), unit, (t,)) for d in ('build-asan', 'build') for t in found(d, 'unit_')]
    jobs += [('tests/' + d, pytest, ('tests/' + d,)) for d in ('arch', 'cli', 'render', 'role')
             if os.path.isdir(os.path.join(TOP, 'tests', d)) and o.name in 'tests/' + d]
    if o.name in 'tests/e2e':
        jobs.append(('tests/e2e', end_to_end, ('tests/e2e',)))
        if os.getuid() == 0:
            jobs.append(('tests/e2e, directories as nobody', unprivileged, ()))
    if o.long:  # the sandbox kills what valgrind does
        jobs += [(os.path.relpath(t, TOP), valgrind, (t,)) for t in found('build-valgrind', 'unit_') if 'sandbox' not in t]
    jobs += [(os.path.basename(t), fuzz, (t, o.fuzz_seconds)) for t in found('build-fuzz', 'fuzz_')]
    total = [0, 0, 0]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        tasks = [(name, pool.submit(fn, *args)) for name, fn, args in jobs]
        for name, t in tasks:
            passed, failed, skipped, out = t.result()
            total = [a + b for a, b in zip(total, (passed, failed, skipped))]
            if failed:
                sys.stdout.write(out)
            elif skipped:
                sys.stdout.write(''.join(line + '\n' for line in out.splitlines() if 'SKIP' in line))
            print('%-6s %-40s %d passed, %d failed, %d skipped' % ('FAILED' if failed else 'ok', name, passed, failed, skipped))
            sys.stdout.flush()
    if not any(total):
        print('no test matches %r' % o.name)
        total[1] = 1
    print('%d passed, %d failed, %d skipped' % tuple(total))
    return 1 if total[1] else 0


if __name__ == '__main__':
    sys.exit(main())
