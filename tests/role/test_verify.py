"""leeboard-verify: verdicts, outcomes, ranges, and which Apps differ."""
import json
import os
import subprocess
import time

import pytest

import servers
import worker

NOW = 1700100000 * 1000


@pytest.fixture
def verify(repo, keys):
    def run(to, was='', mode='head', signers=None, apps=None, op='verify', how=None, **job):
        j = {'op': op, 'objects': os.path.join(repo.path, '.git', 'objects'), 'to': to, 'mode': mode, 'now': NOW, **job}
        if was:
            j['from'] = was
        blobs = []
        if signers is not None:
            j['signers'] = ['team']
            blobs.append(('signers/0', signers))
        if apps:
            blobs.append(('apps', worker.blob_apps(apps)))
        return worker.run('leeboard-verify', j, blobs, **(how or {}))
    return run


def ids(answer):
    raw = b''.join(f[0] for f in answer.all('RANGE')).hex()
    return [raw[i:i + 40] for i in range(0, len(raw), 40)]


def test_a_signed_tip_is_accepted_and_told_about(repo, keys, verify):
    tip = repo.commit({'a': '1'}, 'web: 2.4.1\n\nmore', sign=keys.key('ana'))
    a = verify(tip, signers=keys.signers('ana')).ok()
    assert a.one('OUTCOME') == ('accept', '', 'first', '', 0, 1)
    oid, verdict, key, principal, detail = a.one('VERDICT')
    assert (oid, verdict, principal, detail) == (tip, 'Good', 'ana@example.org', '')
    assert key == subprocess.run(['ssh-keygen', '-lf', keys.key('ana') + '.pub'], stdout=subprocess.PIPE).stdout.decode().split()[1]
    assert ids(a) == [tip]
    assert a.one('COMMIT') == (tip, repo.oid('HEAD^{tree}'), '', 'Ana', 'ana@example.org', 1700000001, 'Ana', 'ana@example.org',
                               1700000001, 'web: 2.4.1')


def test_an_unsigned_tip_is_held(repo, keys, verify):
    one = repo.commit(sign=keys.key('ana'))
    tip = repo.commit(message='hotfix')
    a = verify(tip, one, signers=keys.signers('ana'), apps={'web': [('nothing', 'ab' * 20)]}).ok()
    assert a.one('OUTCOME') == ('hold', 'Unsigned', 'forward', tip, 0, 1)
    assert a.one('VERDICT')[1] == 'Unsigned'
    assert a.one('COMMIT')[-1] == 'hotfix'
    assert a.all('AFFECTED') == []


def test_each_commit_of_a_range_is_judged_and_the_second_list_agrees(repo, keys, verify):
    one = repo.commit(sign=keys.key('ana'))
    two = repo.commit(sign=keys.key('ben'))
    three = repo.commit()
    four = repo.commit(sign=keys.key('ana'))
    a = verify(four, one, 'range', keys.signers('ana', 'ben')).ok()
    assert a.one('OUTCOME') == ('hold', 'Unsigned', 'forward', three, 1, 3)
    assert {v[0]: v[1] for v in a.all('VERDICT')} == {two: 'Good', three: 'Unsigned', four: 'Good'}
    assert ids(a) == [two, three, four]
    assert [c[0] for c in a.all('COMMIT')] == [two, three, four]
    b = verify(four, one, 'range', op='range').ok()
    assert ids(b) == ids(a)
    assert {n for n, _ in b.frames} == {'SANDBOX', 'RANGE'}
    # what a person let pass
    a = verify(four, one, 'range', keys.signers('ana', 'ben'), allowed=[three]).ok()
    assert a.one('OUTCOME') == ('accept', '', 'forward', '', 0, 3)
    assert [v[4] for v in a.all('VERDICT') if v[0] == three] == ['the commit has no signature; let pass by a person']


def test_moves_that_lose_history_are_held_unless_the_operator_says_so(repo, keys, verify):
    s = keys.signers('ana')
    base = repo.commit(sign=keys.key('ana'))
    tip = repo.commit(sign=keys.key('ana'))
    assert verify(base, tip, signers=s).ok().one('OUTCOME')[:3] == ('hold', 'Rewound', 'rewound')
    assert verify(base, tip, signers=s, onRewind=1).ok().one('OUTCOME')[:3] == ('accept', '', 'rewound')
    repo.git('reset', '-q', '--hard', base)
    other = repo.commit({'other': '1'}, sign=keys.key('ana'))
    assert verify(other, tip, signers=s).ok().one('OUTCOME')[:3] == ('hold', 'Diverged', 'diverged')
    assert verify(other, tip, signers=s, onForcePush=1).ok().one('OUTCOME')[:3] == ('accept', '', 'diverged')
    repo.git('checkout', '-q', '--orphan', 'else')
    alone = repo.commit(sign=keys.key('ana'))
    assert verify(alone, tip, signers=s).ok().one('OUTCOME')[:3] == ('hold', 'Unrelated', 'unrelated')
    assert verify(tip, tip, signers=s).ok().one('OUTCOME') == ('noop', '', 'same', '', 0, 0)
    assert verify(tip, tip, signers='').ok().one('OUTCOME')[:3] == ('hold', 'AcceptedKeyUntrusted', 'same')


def test_mode_off_judges_nothing(repo, verify):
    one = repo.commit()
    two = repo.commit()
    a = verify(two, one, 'off').ok()
    assert a.one('OUTCOME') == ('accept', '', 'forward', '', 0, 1)
    assert a.all('VERDICT') == []


def test_a_commit_that_is_missing_is_a_hold_in_any_case(repo, keys, verify):
    repo.commit()
    assert verify('ab' * 20, signers='').ok().one('OUTCOME')[:2] == ('hold', 'IncompleteHistory')
    code, message = verify('ab' * 20, repo.head, 'range', op='range').error()
    assert code == 'VerifierFailed'


def test_a_bad_line_among_the_signers_refuses_the_job(repo, keys, verify):
    tip = repo.commit()
    a = verify(tip, signers='ana@example.org\n')
    code, message, file, line, *_ = a.one('ERROR')
    assert (file, line) == ('team', 1) and a.done
    assert not a.all('OUTCOME')


def test_apps_differ_when_something_they_read_does(repo, verify):
    one = repo.commit({'apps/web/kustomization.yaml': 'a', 'apps/db/x.yaml': 'b', 'base/b.yaml': 'c', 'README.md': 'd'})

    def seen(*paths):
        out = []
        for p in paths:
            r = subprocess.run(['git', 'rev-parse', '-q', '--verify', '%s:%s' % (one, p)], cwd=repo.path, stdout=subprocess.PIPE)
            out.append((p, r.stdout.decode().strip()))
        return out
    apps = {'web': seen('apps/web/kustomization.yaml', 'apps/web/absent.yaml', 'base/b.yaml'), 'db': seen('apps/db'), 'new': []}
    assert apps['web'][1][1] == ''

    def affected(to):
        return [x[0] for x in verify(to, one, 'off', apps=apps).ok().all('AFFECTED')]
    assert affected(one) == []
    assert affected(repo.commit({'README.md': 'e'})) == []
    assert affected(repo.commit({'base/b.yaml': 'changed'})) == ['web']
    assert affected(repo.commit({'base/b.yaml': 'c', 'apps/web/absent.yaml': 'here'})) == ['web']
    assert affected(repo.commit({'apps/web/absent.yaml': None, 'apps/db/y.yaml': 'new'})) == ['db']
    assert affected(repo.commit({'apps/db/y.yaml': None, 'apps/db/x.yaml': None})) == ['db']


def test_many_apps_with_long_read_sets_fit_a_job(repo, verify):
    tip = repo.commit({'f%d' % i: str(i) for i in range(50)})
    oid = {i: repo.oid('HEAD:f%d' % i) for i in range(50)}
    apps = {'app%d' % n: [('f%d' % i, oid[i]) for i in range(50)] for n in range(300)}
    apps['app7'] = apps['app7'][:-1] + [('f49', 'ab' * 20)]
    assert verify(tip, tip, 'off', apps=apps).ok().all('AFFECTED') == [('app7',)]


def test_only_the_newest_commits_are_described(repo, verify):
    one = repo.commit()
    for i in range(120):
        tip = repo.commit()
    a = verify(tip, one, 'off').ok()
    assert len(a.all('COMMIT')) == 100 and a.all('COMMIT')[-1][0] == tip
    assert len(ids(a)) == 120 and a.one('OUTCOME')[5] == 120


def test_foreign_text_cannot_reach_a_terminal(repo, verify):
    repo.git('config', 'i18n.commitEncoding', 'ISO-8859-1')
    repo.commit()
    raw = repo.git('cat-file', 'commit', 'HEAD').encode().replace(b'Ana', b'\x1b[31m\xe9') + b'\n'
    oid = repo.git('hash-object', '-t', 'commit', '-w', '--literally', '--stdin', input=raw)
    assert verify(oid, mode='off').ok().one('COMMIT')[3] == '\\x1b[31m\\xe9'


# ---------------------------------------------------------------- by hand

def hand(repo, *args):
    p = subprocess.run([worker.program('leeboard-verify'), *args], cwd=repo.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def test_a_person_sees_a_line_for_each_commit(tmp_path, repo, keys):
    now = int(time.time()) - 1000
    signers = tmp_path / 'team.signers'
    old = keys.signers('cem').replace('cem@example.org', 'cem@example.org valid-before="20200101Z"')
    signers.write_text(keys.signers('ana') + old)
    base = repo.commit(sign=keys.key('ana'))
    one = repo.commit(message='web: 2.4.1', sign=keys.key('ana'))
    two = repo.commit(message='hotfix')
    three = repo.commit(message='db: bigger disk', sign=keys.key('cem'))

    def finger(n):
        return subprocess.run(['ssh-keygen', '-lf', keys.key(n) + '.pub'], stdout=subprocess.PIPE).stdout.decode().split()[1]
    status, out, err = hand(repo, '.', base + '..HEAD', '--signers', str(signers))
    assert (status, err) == (1, '')
    lines = out.splitlines()
    assert lines[0] == 'good     %s  ana@example.org  %s  web: 2.4.1' % (one[:7], finger('ana'))
    assert lines[1] == 'REFUSED  %s  not signed       %s  hotfix' % (two[:7], ' ' * len(finger('ana')))
    assert lines[2].startswith('REFUSED  %s  cem@example.org  %s  db: bigger disk  ' % (three[:7], finger('cem')))
    assert lines[3] == '1 good, 2 refused: stays at %s' % base[:7]
    status, out, _ = hand(repo, '.', one, '--signers', str(signers))
    assert status == 0 and out.splitlines()[-1] == '1 good, 0 refused'
    status, out, _ = hand(repo, '.', base + '..', '--signers', str(signers), '-o', 'json')
    doc = json.loads(out)
    assert status == 1 and doc['kind'] == 'Verification' and doc['apiVersion'] == 'leeboard.dev/v1'
    assert doc['items'][0] == {'commit': one, 'verdict': 'good', 'kind': 'ssh', 'signer': 'ana@example.org', 'key': finger('ana'),
                               'subject': 'web: 2.4.1'}
    assert doc['items'][1]['verdict'] == 'unsigned' and doc['items'][1]['reason'] == 'Unsigned'
    assert doc['items'][2]['reason'] == 'KeyExpired' and now


def test_a_policy_says_who_is_trusted(tmp_path, repo, keys):
    tip = repo.commit(sign=keys.key('ana'))
    policy = tmp_path / 'team.yaml'
    policy.write_text('apiVersion: leeboard.dev/v1\nkind: Policy\nmetadata: {name: team}\nspec:\n  signers:\n    keys:\n    - %s' %
                      keys.signers('ana'))
    status, out, err = hand(repo, '.', tip, '--policy', str(policy))
    assert (status, err) == (0, '') and out.endswith('1 good, 0 refused\n')


@pytest.mark.parametrize('args, message', [
    ([], 'verify needs a repository and a range\n  hint: leeboard verify . v1.4..HEAD --signers FILE\n'),
    (['.', 'HEAD'], "who is trusted? give one of '--signers FILE' and '--policy FILE'\n"),
    (['.', 'HEAD', '--bogus'], "unknown flag '--bogus'\n  hint: leeboard verify -h lists them\n"),
    (['.', 'nope', '--signers', '/dev/null'], "no revision 'nope' in '.'\n"),
    (['/nonexistent', 'HEAD', '--signers', '/dev/null'], "open repository '/nonexistent': No such file or directory\n")])
def test_trouble_is_exit_2_and_one_message(repo, args, message):
    repo.commit()
    assert hand(repo, *args) == (2, '', message)
