"""The Git servers themselves, against the real git client."""
import os
import subprocess

import pytest

from gitserver import clean_env


@pytest.fixture
def git(tmp_path):
    """A git of no configuration: (exit status, output)."""
    home = tmp_path / 'home'
    home.mkdir()

    def run(*args, stdin=None, **env):
        p = subprocess.run(['git', *args], cwd=home, env={**clean_env(home), **env}, input=stdin, stdin=None if stdin else subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        return p.returncode, p.stdout
    return run


def cloned(git, url, to, *options, **env):
    status, said = git(*options, 'clone', '-q', url, to, **env)
    assert status == 0, said
    return git('-C', to, 'rev-parse', 'HEAD')[1].strip()


def test_a_clone_over_http_brings_the_head_and_is_on_record(make_repo, git_http, git):
    repo = make_repo()
    head = repo.commit({'apps/web.yaml': 'a: 1\n'})
    assert cloned(git, git_http.url(repo), 'c') == head
    seen = git_http.requests
    assert [(r.method, r.path, r.command, r.status, r.protocol) for r in seen] == [
        ('GET', '/fleet.git/info/refs', 'advertise', 200, 'version=2'),
        ('POST', '/fleet.git/git-upload-pack', 'ls-refs', 200, 'version=2'),
        ('POST', '/fleet.git/git-upload-pack', 'fetch', 200, 'version=2')]
    assert all(r.sent > 0 and r.done for r in seen) and seen[1].got > 0
    # one connection, kept
    assert git_http.connections == 1 and len({r.connection for r in seen}) == 1
    assert len(git_http.polls()) == 2


def test_a_large_request_comes_gzipped_and_a_larger_one_in_chunks(make_repo, git_http, git):
    repo = make_repo()
    # git compresses a request of more than 1,024 bytes: a want for each of many branches.
    for i in range(40):
        repo.commit({'a': str(i)}, push=False)
        repo.push(to='b%d' % i)
    repo.push()
    assert cloned(git, git_http.url(repo), 'c') == repo.head
    assert [(r.command, r.encoding, r.status) for r in git_http.requests][-1] == ('fetch', 'gzip', 200)
    assert git('-C', 'c', 'rev-parse', 'origin/b7')[1].strip() == repo.git('rev-parse', 'HEAD~32')
    # A push beyond http.postBuffer is sent in chunks, after a probe of four bytes.
    git_http.user, git_http.password = 'ana', 'secret'
    repo.commit({'blob': os.urandom(300000)}, push=False)
    url = git_http.url(repo).replace('://', '://ana:secret@')
    repo.git('-c', 'http.postBuffer=65536', 'push', '-q', url, 'HEAD:refs/heads/main')
    probe, push = [r for r in git_http.requests if r.command == 'git-receive-pack']
    assert (probe.status, probe.got, push.status) == (200, 4, 200) and push.got > 300000
    assert subprocess.run(['git', '-C', repo.bare, 'rev-parse', 'main'], stdout=subprocess.PIPE, text=True, check=True).stdout.strip() == repo.head


def test_basic_and_bearer_credentials_are_asked_for(make_repo, git_http, git):
    repo = make_repo()
    head = repo.commit({'a': '1'})
    git_http.user, git_http.password = 'ana', 'secret'
    status, said = git('ls-remote', git_http.url(repo))
    assert status == 128 and 'could not read Username' in said
    assert [r.status for r in git_http.requests] == [401]
    good = git_http.url(repo).replace('://', '://ana:secret@')
    assert git('ls-remote', good, 'refs/heads/main') == (0, '%s\trefs/heads/main\n' % head)
    git_http.user, git_http.token = None, 't0k3n'
    assert git('-c', 'http.extraHeader=Authorization: Bearer t0k3n', 'ls-remote', git_http.url(repo), 'refs/heads/main')[0] == 0
    assert git_http.requests[-1].auth == 'bearer'
    status, said = git('-c', 'http.extraHeader=Authorization: Bearer other', 'ls-remote', git_http.url(repo))
    assert status == 128


def test_https_needs_its_authority(make_repo, git_https, git):
    repo = make_repo()
    head = repo.commit({'a': '1'})
    status, said = git('ls-remote', git_https.url(repo))
    assert status == 128 and 'certificate' in said and not git_https.requests
    assert cloned(git, git_https.url(repo), 'c', '-c', 'http.sslCAInfo=' + git_https.ca) == head


@pytest.mark.parametrize('kind, options, said', [
    ('error', {'status': 503}, 'The requested URL returned error: 503'),
    ('drop', {}, 'Empty reply from server'),
    ('garbage', {}, 'not valid'),
    ('truncate', {'after': 20}, 'transfer closed with outstanding read data remaining'),
])
def test_a_server_that_misbehaves_is_noticed_and_recovers(make_repo, git_http, git, kind, options, said):
    repo = make_repo()
    repo.commit({'a': '1'})
    git_http.misbehave(kind, **options)
    status, text = git('ls-remote', git_http.url(repo))
    assert status == 128 and said in text
    git_http.well()
    assert git('ls-remote', git_http.url(repo))[0] == 0


def test_a_pack_can_be_cut_short(make_repo, git_http, git):
    repo = make_repo()
    repo.commit({'a': 'x' * 10000 + os.urandom(40000).hex()})
    git_http.misbehave('truncate', when=lambda r: r.command == 'fetch', after=3000, times=1)
    status, text = git('clone', '-q', git_http.url(repo), 'c')
    assert status == 128 and ('early EOF' in text or 'unexpected disconnect' in text or 'outstanding read data' in text)
    assert [r.sent for r in git_http.requests if r.command == 'fetch'] == [3000]
    assert cloned(git, git_http.url(repo), 'c') == repo.head


def test_a_redirect_leads_to_another_host(make_repo, git_http, git_https, git):
    repo = make_repo()
    repo.commit({'a': '1'})
    git_http.misbehave('redirect', to=git_https.base, status=301)
    status, text = git('-c', 'http.sslCAInfo=' + git_https.ca, 'ls-remote', git_http.url(repo), 'refs/heads/main')
    assert status == 0 and repo.head in text
    assert [r.status for r in git_http.requests] == [301] and git_https.requests


def test_a_hang_lasts_until_it_is_taken_away(make_repo, git_http, git, tmp_path):
    repo = make_repo()
    head = repo.commit({'a': '1'})
    git_http.misbehave('hang')
    p = subprocess.Popen(['git', 'ls-remote', git_http.url(repo), 'refs/heads/main'], env=clean_env(tmp_path), stdout=subprocess.PIPE, text=True)
    git_http.wait(lambda requests: len(requests) == 1)
    with pytest.raises(subprocess.TimeoutExpired):
        p.wait(0.2)
    assert not git_http.requests[0].done
    git_http.well()
    assert p.communicate(timeout=30)[0] == '%s\trefs/heads/main\n' % head
    assert p.returncode == 0


def test_a_slow_server_keeps_its_rate(make_repo, git_http, git):
    repo = make_repo()
    repo.commit({'a': os.urandom(5000).hex()})
    git_http.misbehave('slow', when=lambda r: r.command == 'fetch', rate=1 << 20)
    assert cloned(git, git_http.url(repo), 'c') == repo.head


def test_a_clone_over_ssh_is_for_the_key_and_the_host_that_are_known(make_repo, git_ssh, git_keys, git):
    repo = make_repo()
    head = repo.commit({'a': '1'})
    assert cloned(git, git_ssh.url(repo), 'c', **git_ssh.client()) == head
    assert git_ssh.asked() == ["git-upload-pack '%s'" % repo.bare]
    assert git_ssh.connections == 1
    stranger = git_keys('stranger')
    status, said = git('ls-remote', git_ssh.url(repo), **git_ssh.client(stranger))
    assert status == 128 and 'Permission denied (publickey)' in said
    git_ssh.authorize(stranger)
    assert git('ls-remote', git_ssh.url(repo), **git_ssh.client(stranger))[0] == 0
    with open(git_ssh.known_hosts, 'w', encoding='ascii') as f:
        f.write('[127.0.0.1]:%d %s\n' % (git_ssh.port, stranger.public))
    status, said = git('ls-remote', git_ssh.url(repo), **git_ssh.client())
    assert status == 128 and 'REMOTE HOST IDENTIFICATION HAS CHANGED' in said


def test_only_git_is_to_be_had_over_ssh(make_repo, git_ssh):
    p = subprocess.run(git_ssh.client()['GIT_SSH_COMMAND'].split() + ['-p', str(git_ssh.port), git_ssh.user.pw_name + '@127.0.0.1', 'cat /etc/passwd'],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    assert p.returncode == 128 and "unrecognized command 'cat /etc/passwd'" in p.stdout


def test_commits_and_tags_are_signed_by_the_key_that_was_said(make_repo, git_keys, git, tmp_path):
    ana, ben = git_keys('ana@example.org'), git_keys('ben@example.org')
    repo = make_repo(key=ana)
    signed = repo.commit({'a': '1'}, when=1700000000)
    by_ben = repo.commit({'a': '2'}, key=ben)
    unsigned = repo.commit({'a': '3'}, key=None)
    undone = repo.revert(unsigned)
    repo.tag('v1')
    allowed = tmp_path / 'allowed'
    allowed.write_text(ana.allowed())
    good = ('-C', repo.work, '-c', 'gpg.ssh.allowedSignersFile=%s' % allowed)
    for rev, status in ((signed, 0), (by_ben, 1), (unsigned, 1), (undone, 0)):
        assert git(*good, 'verify-commit', rev)[0] == status, rev
    assert 'Good "git" signature for ana@example.org' in git(*good, 'verify-commit', signed)[1]
    assert git(*good, 'verify-tag', 'v1')[0] == 0
    assert repo.git('show', '-s', '--format=%ct', signed) == '1700000000'
    assert repo.git('show', '%s:a' % undone) == '2'
    # all of it is where servers show it
    assert git('-C', repo.bare, 'rev-parse', 'main')[1].strip() == undone == repo.head


def test_history_can_be_rewritten_and_merged(make_repo):
    repo = make_repo()
    first = repo.commit({'a': '1'})
    repo.commit({'a': '2'})
    assert repo.reset(first) == first
    repo.git('checkout', '-q', '-b', 'side')
    side = repo.commit({'b': '1'}, push=False)
    repo.git('checkout', '-q', 'main')
    merged = repo.merge('side')
    assert repo.git('rev-parse', merged + '^1', merged + '^2').split() == [first, side]
    assert repo.git('ls-remote', 'origin', 'refs/heads/main').split()[0] == merged
