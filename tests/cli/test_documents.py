"""leeboard check and leeboard explain, as a person at a terminal sees them."""
import os
import subprocess

import pytest

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'build', 'leeboard')

SOURCE = """\
apiVersion: leeboard.dev/v1
kind: Source
metadata: {name: shop}
spec:
  url: https://git.example.org/shop.git
  ref: {branch: main}
  verify: {mode: head, signersFrom: {policy: team}}
---
apiVersion: leeboard.dev/v1
kind: Policy
metadata: {name: team}
spec:
  signers:
    keys: ["ana@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"]
"""
APP = """\
apiVersion: leeboard.dev/v1
kind: App
metadata: {name: shop}
spec:
  source: shop
  target: {directory: live}
"""


@pytest.fixture
def leeboard(tmp_path):
    def run(*argv, **files):
        for name, text in files.items():
            (tmp_path / (name + '.yaml')).write_text(text)
        return subprocess.run([PROGRAM, *argv], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return run


def test_good_documents_are_said_to_be_good(leeboard):
    p = leeboard('check', '--strict', 'a.yaml', 'b.yaml', a=SOURCE, b=APP)
    assert (p.returncode, p.stdout, p.stderr) == (0, '3 documents, no mistakes\n', '')


def test_every_mistake_is_said_at_once_with_its_place(leeboard):
    p = leeboard('check', 'a.yaml', 'b.yaml', a=SOURCE, b=APP.replace('source: shop', 'source: shpo\n  intervall: 5m'))
    assert p.returncode == 2
    assert p.stdout == ''
    assert p.stderr == (
        "b.yaml:5:11: no Source 'shpo', did you mean 'shop'?\n"
        "    5 |   source: shpo\n"
        "      |           ^\n"
        "b.yaml:6:3: unknown key 'intervall' in App, did you mean 'interval'?\n"
        "    6 |   intervall: 5m\n"
        "      |   ^\n"
        "2 mistakes in 1 of 3 documents; a running daemon keeps its configuration\n")


def test_what_is_odd_is_a_finding_only_when_asked(leeboard):
    odd = SOURCE.replace('mode: head, signersFrom: {policy: team}', 'mode: off')
    p = leeboard('check', 'a.yaml', 'b.yaml', a=odd, b=APP)
    assert p.returncode == 0
    assert 'warning' in p.stdout
    assert leeboard('check', '--strict', 'a.yaml', 'b.yaml').returncode == 1


def test_a_field_is_explained(leeboard):
    p = leeboard('explain', 'app.prune.limit.objects')
    assert (p.returncode, p.stderr) == (0, '')
    assert p.stdout.startswith('App.prune.limit.objects   integer')


def test_words_that_lead_nowhere_are_refused(leeboard):
    for argv, message in ((['explain', 'ap'], "no kind 'ap' (there are: Source, App, Policy, Alert, Daemon)\n"),
                          (['check'], 'check needs PATH...\n  hint: leeboard check fleet.yaml\n'),
                          (['check', '--stric'], "unknown flag '--stric'\n  hint: did you mean '--strict'?\n"),
                          (['chek'], "unknown verb 'chek'\n  hint: did you mean 'check'?\n")):
        p = leeboard(*argv)
        assert (p.returncode, p.stdout, p.stderr) == (2, '', message)
