"""`./dev run` keeps what it prints: every line is typed here, in order, and shows what it promises."""
import os
import re
import signal
import subprocess

import pytest

from daemon import REPORTS, TOP, build_dir

DEMO = os.path.join(TOP, 'tests', 'demo', 'demo')


@pytest.fixture
def demo(tmp_path):
    """The demo, running: (folder, printed commands, process, what it said)."""
    # nobody cannot enter pytest's folders
    folder = '/tmp/lb-demo-%d' % os.getpid()
    log = open(tmp_path / 'log', 'wb+')
    p = subprocess.Popen([DEMO, folder], stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True,
                         start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), env={**os.environ, 'LEEBOARD_BUILD': build_dir(release=True)})
    try:
        printed = []
        for line in p.stdout:       # to the end of the page, or of the demo
            printed.append(line)
            if 'approve shop --yes' in line:
                break
        commands = [line.strip() for line in printed if line.startswith('  ') and not line.strip().startswith(('#', 'bash '))]
        yield folder, commands, p, log
    finally:
        if p.poll() is None:
            os.killpg(p.pid, signal.SIGTERM)
            p.wait(30)
        p.stdout.close()
        log.close()
        subprocess.run(['rm', '-rf', folder], check=True)


def test_every_printed_command_shows_what_it_promises(demo):
    folder, commands, process, log = demo
    assert len(commands) == 14, commands

    def enter(command):
        p = subprocess.run(['bash', folder + '/enter', '-c', command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=60)
        return p.returncode, p.stdout
    ready = subprocess.run(['bash', folder + '/enter', '-c', 'until leeboard wait shop --for synced --timeout 20s; do sleep 0.1; done'],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert ready.returncode == 0, ready.stdout
    out = []
    for command in commands:
        out.append((command, *enter(command)))
    said = iter(out)

    def look(status, *patterns):
        command, exit, text = next(said)
        assert exit == status, '%s: exit %d\n%s' % (command, exit, text)
        for pattern in patterns:
            assert re.search(pattern, text, re.M), '%s: no %r in\n%s' % (command, pattern, text)
    look(0)
    look(0, r'^shop +\w{7} +Synced')
    look(0)
    look(0, r'drift\.found', r'git 3, live 5', r'drift\.healed', r'replicas: 3')
    look(0, r'deploy/web\.yaml:7', r'git +3', r'three replicas')
    look(0)
    look(0, r'not signed', r'Refused')
    look(0)
    look(0, r'^good .*ana@example\.org')
    look(0)
    look(0, r'Revert "hotfix"')
    look(0)
    look(1, r'12 (objects|deletions)|- delete .*importer', r'limit 10', r'leeboard approve shop')
    look(0, r'configmap\.shop\.settings\.yaml', r'deployment\.apps\.shop\.web\.yaml')
    assert 'importer' not in out[-1][2].splitlines()[-1] and sorted(f for f in os.listdir(folder + '/live') if f.endswith('.yaml')) == [
        'configmap.shop.settings.yaml', 'deployment.apps.shop.web.yaml']
    # without root
    if os.getuid() == 0:
        assert os.stat(folder + '/live/configmap.shop.settings.yaml').st_uid != 0
    # Ctrl-C goes to all that the terminal runs
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 0
    log.seek(0)
    text = log.read().decode()
    assert not REPORTS.search(text) and 'drift.found' in text and 'source.refused' in text
