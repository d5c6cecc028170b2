"""leeboard-fetch against the real sshd."""
import os
import socket
import threading

import pytest

import servers

pytestmark = pytest.mark.skipif(not os.path.exists(servers.SSHD), reason='no sshd: apt-get install openssh-server')


@pytest.fixture
def sshd(tmp_path):
    s = servers.SshServer(tmp_path / 'sshd')
    yield s
    s.close()


def blobs(sshd, key=None, known=None, passphrase=None):
    with open(key or sshd.key) as f:
        out = [('secret', f.read()), ('knownHosts', sshd.known_hosts() if known is None else known)]
    return out + ([('passphrase', passphrase)] if passphrase else [])


def test_refs_come_over_ssh_as_over_http(repo, server, sshd, refs):
    repo.commit()
    repo.git('tag', '-a', '-m', 'one', 'v1.0.0')
    over_http = refs(server.url('fleet')).ok().all('REF')
    assert sorted(refs(sshd.url(repo.path), blobs=blobs(sshd), auth='ssh').ok().all('REF')) == sorted(over_http)
    assert [r[0] for r in refs(sshd.url(repo.path), 'refs/tags/', blobs=blobs(sshd), auth='ssh').ok().all('REF')] == ['refs/tags/v1.0.0']


def test_a_commit_comes_over_ssh_and_then_only_what_is_new(repo, sshd, store, fetch):
    def get(want, **job):
        return fetch(sshd.url(repo.path), want, blobs(sshd), auth='ssh', ref='refs/heads/main', **job).ok().one('PACK')
    one = repo.commit({'a': 'x' * 1000})
    bytes_, objects = get(one)
    assert objects == 3 and bytes_ > 0
    two = repo.commit({'b': '2'})
    assert get(two, haves=[one])[1] == 3
    assert store.git('fsck', two) == '' and store.git('rev-list', '--count', two) == '2'
    assert get(two) == (0, 0)
    assert store.litter() == [] and os.listdir(store.path + '/info') == []


def test_a_ref_that_moved_in_between_is_told(repo, sshd, fetch):
    one = repo.commit()
    repo.commit()
    assert fetch(sshd.url(repo.path), one, blobs(sshd), auth='ssh', ref='refs/heads/main').error() == (
        'RefGone', "ref 'refs/heads/main' of '127.0.0.1:%d' is somewhere else by now" % sshd.port)
    assert fetch(sshd.url(repo.path), one, blobs(sshd), auth='ssh', ref='refs/heads/gone').error()[0] == 'RefGone'


def test_a_server_with_another_key_is_not_talked_to(repo, sshd, refs):
    repo.commit()
    other = sshd.keygen('other', 'ed25519')
    for known in (sshd.known_hosts(other), sshd.known_hosts().replace(str(sshd.port), '1'), '# nobody\n'):
        assert refs(sshd.url(repo.path), blobs=blobs(sshd, known=known), auth='ssh').error() == (
            'HostKey', "the key of '127.0.0.1:%d' is not among the known hosts" % sshd.port)
    assert 'Accepted' not in sshd.log()
    assert refs(sshd.url(repo.path), blobs=blobs(sshd, known='[127.0.0.1]:1 ssh-ed25519 A\n'), auth='ssh').error() == (
        'HostKey', 'the known hosts cannot be read: a line is malformed')
    assert refs(sshd.url(repo.path), blobs=[('secret', 'x')], auth='ssh').error()[0] == 'HostKey'


def test_a_key_that_the_server_does_not_know_is_refused(repo, sshd, refs):
    repo.commit()
    stranger = sshd.keygen('stranger', 'ed25519')
    a = refs(sshd.url(repo.path), blobs=blobs(sshd, stranger), auth='ssh')
    assert a.error() == ('SourceAuth', "'127.0.0.1:%d' refuses the key" % sshd.port)


def test_a_key_with_a_passphrase_is_opened(repo, sshd, refs):
    repo.commit()
    locked = sshd.keygen('locked', 'ed25519', 'open sesame')
    with open(locked + '.pub') as f, open(sshd.folder + '/authorized', 'a') as to:
        to.write(f.read())
    assert refs(sshd.url(repo.path), blobs=blobs(sshd, locked, passphrase='open sesame'), auth='ssh').ok().all('REF')
    assert refs(sshd.url(repo.path), blobs=blobs(sshd, locked, passphrase='wrong'), auth='ssh').error()[0] in ('SourceAuth', 'Unreachable')


def test_the_known_key_decides_which_kind_the_server_shows(tmp_path, repo, refs):
    repo.commit()
    s = servers.SshServer(tmp_path / 'two', 'ed25519')
    s.close()
    more = s.keygen('host-ecdsa', 'ecdsa')
    with open(s.folder + '/cfg', 'a') as f:
        f.write('HostKey %s\n' % more)
    import subprocess
    s.process = subprocess.Popen([servers.SSHD, '-D', '-e', '-f', s.folder + '/cfg'], stderr=open(s.folder + '/log', 'w'))
    try:
        for _ in range(200):
            try:
                socket.create_connection(('127.0.0.1', s.port), 1).close()
                break
            except OSError:
                threading.Event().wait(0.05)
        for key in (s.host_key, more):
            assert refs(s.url(repo.path), blobs=blobs(s, known=s.known_hosts(key)), auth='ssh').ok().all('REF')
    finally:
        s.close()


def test_no_server_and_one_that_says_nothing_are_unreachable(repo, sshd, refs):
    known = blobs(sshd)
    sshd.close()
    code, message = refs(sshd.url(repo.path), blobs=known, auth='ssh').error()
    assert code == 'Unreachable' and message.startswith("'127.0.0.1:%d': " % sshd.port)
    with socket.socket() as quiet:
        quiet.bind(('127.0.0.1', 0))
        quiet.listen()
        port = quiet.getsockname()[1]
        assert refs('ssh://git@127.0.0.1:%d/x' % port, blobs=known, auth='ssh', timeout=400).error() == (
            'Unreachable', "'127.0.0.1:%d' gave no whole answer in time" % port)


def test_a_repository_that_is_not_there_is_unreachable(sshd, refs):
    code, message = refs(sshd.url('/nonexistent.git'), blobs=blobs(sshd), auth='ssh').error()
    assert code == 'Unreachable'
