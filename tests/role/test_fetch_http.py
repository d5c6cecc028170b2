"""leeboard-fetch against the real git http-backend."""
import subprocess

import pytest

import servers
import worker


def ls_remote(repo):
    out = {}
    for line in subprocess.run(['git', 'ls-remote', repo.path], env=servers.GIT_ENV, check=True,
                               stdout=subprocess.PIPE).stdout.decode().splitlines():
        oid, name = line.split('\t')
        out[name] = oid
    return out


def test_refs_are_those_that_git_ls_remote_tells(repo, server, refs):
    repo.commit()
    repo.git('tag', 'light')
    repo.git('tag', '-a', '-m', 'one', 'v1.0.0')
    repo.git('tag', '-a', '-m', 'a tag of a tag', 'nested', 'v1.0.0')
    repo.commit()
    repo.git('branch', 'feature/x')
    got = {}
    for name, oid, peeled, symref in refs(server.url('fleet')).ok().all('REF'):
        got[name] = oid
        if peeled:
            got[name + '^{}'] = peeled
        assert symref == ('refs/heads/main' if name == 'HEAD' else '')
    assert got == ls_remote(repo)
    assert len(got) == 8


def test_only_what_begins_with_a_prefix_is_asked_for(repo, server, refs):
    repo.commit()
    repo.git('branch', 'other')
    repo.git('tag', 'v1')
    assert [r[0] for r in refs(server.url('fleet'), 'refs/heads/main', 'refs/tags/').ok().all('REF')] == ['refs/heads/main', 'refs/tags/v1']
    body = server.server.seen[-1][3]
    assert b'ref-prefix refs/heads/main\n' in body
    assert server.requests() == ['GET /fleet/.git/info/refs?service=git-upload-pack', 'POST /fleet/.git/git-upload-pack']


def test_an_empty_repository_has_no_refs(repo, server, refs):
    assert refs(server.url('fleet')).ok().all('REF') == []


def test_a_commit_comes_with_all_that_it_needs(repo, server, store, fetch):
    repo.commit({'a/b.txt': 'one'})
    tip = repo.commit({'a/c.txt': 'two'})
    bytes_, objects = fetch(server.url('fleet'), tip).ok().one('PACK')
    assert bytes_ > 0 and objects == 2 * (1 + 2) + 2
    assert store.git('rev-list', '--objects', tip).count('\n') + 1 == objects
    assert store.git('fsck', '--no-dangling', tip) == ''
    assert store.litter() == []


def test_the_second_fetch_brings_only_what_is_new(repo, server, store, fetch):
    one = repo.commit({'big': 'x' * 100000})
    fetch(server.url('fleet'), one).ok()
    two = repo.commit({'small': 'y'})
    _, objects = fetch(server.url('fleet'), two, haves=[one]).ok().one('PACK')
    assert objects == 3
    assert store.git('rev-list', '--count', two) == '2'
    assert len(store.packs()) == 2


def test_what_is_there_already_is_not_asked_for(repo, server, fetch):
    tip = repo.commit()
    fetch(server.url('fleet'), tip).ok()
    server.requests()
    assert fetch(server.url('fleet'), tip).ok().one('PACK') == (0, 0)
    assert server.requests() == []


def test_haves_that_the_store_lacks_are_left_out(repo, server, store, fetch):
    one = repo.commit()
    two = repo.commit()
    fetch(server.url('fleet'), two, haves=[one]).ok()
    assert store.git('rev-list', '--count', two) == '2'


def test_a_shallow_store_grows_and_deepens(repo, server, store, fetch):
    first = repo.commit()
    repo.commit()
    base = repo.commit()
    _, objects = fetch(server.url('fleet'), base, depth=1).ok().one('PACK')
    assert objects == 3 and not store.has(first)
    with open(store.path + '/info/leeboard-shallow') as f:
        assert f.read() == base + '\n'
    tip = repo.commit()
    assert fetch(server.url('fleet'), tip, haves=[base]).ok().one('PACK')[1] == 3
    assert not store.has(first)
    fetch(server.url('fleet'), tip, haves=[tip, base], unshallow=True).ok()
    assert store.has(first)
    assert store.git('rev-list', '--count', tip) == '4'
    with open(store.path + '/info/leeboard-shallow') as f:
        assert f.read() == ''


def test_a_rewritten_branch_is_fetched_beside_the_old_one(repo, server, store, fetch):
    repo.commit()
    old = repo.commit({'old': '1'})
    fetch(server.url('fleet'), old).ok()
    repo.git('reset', '-q', '--hard', 'HEAD~1')
    new = repo.commit({'new': '1'})
    fetch(server.url('fleet'), new, haves=[old]).ok()
    assert store.has(old) and store.has(new)
    assert store.git('merge-base', old, new)


def test_a_commit_that_is_not_there_any_more_is_a_ref_that_went(repo, server, fetch):
    repo.commit()
    code, message = fetch(server.url('fleet'), 'ab' * 20).error()
    assert code == 'RefGone'
    assert message == "'127.0.0.1:%d' says: upload-pack: not our ref %s" % (server.port, 'ab' * 20)


@pytest.mark.parametrize('auth, job, blobs', [
    (('basic', 'ana', 'pa:ss'), {'auth': 'basic', 'username': 'ana'}, [('secret', 'pa:ss')]),
    (('bearer', 'tok-canary'), {'auth': 'bearer'}, [('secret', 'tok-canary')])])
def test_credentials_are_shown_to_the_server(repo, server, store, fetch, auth, job, blobs):
    tip = repo.commit()
    getattr(server, auth[0])(*auth[1:])
    fetch(server.url('fleet'), tip, blobs, **job).ok()
    assert store.has(tip)


def test_missing_and_wrong_credentials_are_told_apart_and_not_shown(repo, server, refs):
    repo.commit()
    server.basic('ana', 'right')
    where = "'127.0.0.1:%d'" % server.port
    assert refs(server.url('fleet')).error() == ('SourceAuth', where + ' wants credentials (401)')
    a = refs(server.url('fleet'), blobs=[('secret', 'wrong-canary')], auth='basic', username='ana')
    assert a.error() == ('SourceAuth', where + ' refuses the credentials (401)')
    assert 'canary' not in repr(a.frames) + a.stderr


def test_a_redirect_on_the_same_server_is_followed_with_credentials(repo, server, store, fetch):
    tip = repo.commit()
    server.basic('ana', 'pw')

    def hook(h, body):
        if h.path.startswith('/old/'):
            h.plain(301, b'', Location='/fleet/.git' + h.path[len('/old'):])
            return True
    server.server.hook = hook
    fetch('http://127.0.0.1:%d/old' % server.port, tip, [('secret', 'pw')], auth='basic', username='ana').ok()
    assert store.has(tip)
    assert server.requests() == ['GET /old/info/refs?service=git-upload-pack', 'GET /fleet/.git/info/refs?service=git-upload-pack',
                                 'POST /fleet/.git/git-upload-pack']


@pytest.mark.parametrize('to', ['http://127.0.0.1:1/fleet/info/refs?service=git-upload-pack&token=canary', 'https://127.0.0.1:%d/fleet/info/refs',
                                'http://evil.example.org:%d/fleet/info/refs', '//evil.example.org/fleet/info/refs', '/login', ''])
def test_a_redirect_that_leaves_the_server_is_not_followed(repo, server, refs, to):
    to = to.replace('%d', str(server.port))

    def hook(h, body):
        h.plain(302, b'', Location=to)
        return True
    server.server.hook = hook
    code, message = refs(server.url('fleet'), blobs=[('secret', 'pw')], auth='basic', username='ana').error()
    assert code == 'Redirected'
    assert message == "'127.0.0.1:%d' redirects to '%s'" % (server.port, to.split('?')[0].replace('/info/refs', ''))
    assert len(server.requests()) == 1


def test_a_redirected_post_is_refused(repo, server, fetch):
    tip = repo.commit()

    def hook(h, body):
        if h.command == 'POST':
            h.plain(307, b'', Location=h.path)
            return True
    server.server.hook = hook
    assert fetch(server.url('fleet'), tip).error()[0] == 'Redirected'


def test_a_server_of_the_old_protocol_is_named_so(repo, server, refs):
    repo.commit()
    server.server.old = True
    assert refs(server.url('fleet')).error() == (
        'Unreachable', "'127.0.0.1:%d' speaks Git's protocol before version 2 only" % server.port)


def test_a_sha256_repository_is_named_so(tmp_path, server, refs):
    subprocess.run(['git', 'init', '-q', '--object-format=sha256', str(tmp_path / 'srv' / 'new')], env=servers.GIT_ENV, check=True)
    assert refs(server.url('new')).error() == (
        'not-supported-yet', "the repository at '127.0.0.1:%d' has SHA-256 object ids, which are not supported yet" % server.port)


def test_what_is_no_git_server_is_named_so(server, refs):
    def hook(h, body):
        h.plain(200, b'<html>', Content_Type='text/html')
        return True
    server.server.hook = hook
    assert refs(server.url('fleet')).error() == (
        'Unreachable', "'127.0.0.1:%d' does not answer as a Git server: its answer has another type" % server.port)


def test_no_server_no_repository_and_a_broken_one_are_unreachable(repo, server, refs):
    port = servers.free_port()
    assert refs('http://127.0.0.1:%d/fleet' % port).error() == ('Unreachable', "connect to '127.0.0.1:%d': Connection refused" % port)
    assert refs(server.url('nothing')).error()[0] == 'Unreachable'

    def hook(h, body):
        h.plain(503, b'')
        return True
    server.server.hook = hook
    assert refs(server.url('fleet')).error() == ('Unreachable', "'127.0.0.1:%d' answers 503" % server.port)


def test_a_server_that_hangs_is_unreachable_in_time(repo, server, refs):
    import threading
    free = threading.Event()

    def hook(h, body):
        free.wait(30)
        return True
    server.server.hook = hook
    try:
        assert refs(server.url('fleet'), timeout=300).error() == (
            'Unreachable', "'127.0.0.1:%d' gave no whole answer in time" % server.port)
    finally:
        free.set()


def test_a_pack_cut_anywhere_leaves_nothing(repo, server, store, fetch):
    tip = repo.commit({'a': 'one'})
    for cut in [0, 1, 3, 4, 5, 13, 14, *(n / 20 for n in range(1, 20)), -5, -4, -1]:
        def cut_off(h, rest):
            at = int(cut * len(rest)) if 0 < cut < 1 else cut
            return rest[:at] if h.command == 'POST' else rest
        server.server.mangle = cut_off
        code, message = fetch(server.url('fleet'), tip).error()
        assert code == 'Unreachable', (cut, message)
        assert store.packs() == [] and store.litter() == [] and not store.has(tip)
    server.server.mangle = None
    fetch(server.url('fleet'), tip).ok()
    assert store.git('fsck', tip) == ''


def test_a_flipped_bit_in_a_pack_is_no_pack(repo, server, store, fetch):
    tip = repo.commit({'a': 'some text that is a little longer'})

    def flip(h, rest):
        at = rest.find(b'PACK') + 40
        return rest[:at] + bytes([rest[at] ^ 1]) + rest[at + 1:] if h.command == 'POST' else rest
    server.server.mangle = flip
    a = fetch(server.url('fleet'), tip)
    assert a.error()[0] == 'bad-value'
    assert store.packs() == [] and store.litter() == []


def test_a_server_that_sends_another_commit_is_found_out(repo, server, store, fetch):
    asked = repo.commit({'a': '1'})
    repo.git('checkout', '-q', '--orphan', 'lone')
    other = repo.commit({'b': '3'})

    def hook(h, body):
        if h.command == 'POST' and b'command=fetch' in body:
            h.server.hook = None
            h.cgi(body.replace(asked.encode(), other.encode()))
            return True
    server.server.hook = hook
    code, message = fetch(server.url('fleet'), asked).error()
    assert (code, message) == ('Unreachable', 'the server sent objects, and commit %s is not among them' % asked)


def test_a_pack_above_the_limit_is_cut_off(repo, server, store, fetch):
    import random
    r = random.Random(7)
    tip = repo.commit({'noise': ''.join(chr(33 + r.randrange(90)) for _ in range(300000))})
    code, message = fetch(server.url('fleet'), tip, maxPack=100000).error()
    assert (code, message) == ('limit', "the answer of '127.0.0.1:%d' is larger than 100000 bytes" % server.port)
    assert store.packs() == [] and store.litter() == []


def test_what_the_server_says_is_passed_on_escaped(repo, server, store, fetch):
    tip = repo.commit()

    def say(h, rest):
        if h.command != 'POST':
            return rest
        line = b'\x02\x1b[31mwelcome\n'
        return rest.replace(b'packfile\n', b'packfile\n' + b'%04x' % (len(line) + 4) + line, 1)
    server.server.mangle = say
    assert fetch(server.url('fleet'), tip).ok().all('PROGRESS')[0] == ('\\x1b[31mwelcome',)


def test_an_error_of_the_server_is_told(repo, server, store, fetch):
    tip = repo.commit()

    def say(h, rest):
        return rest if h.command != 'POST' else b'000dpackfile\n0018\x03quota used up today'
    server.server.mangle = say
    assert fetch(server.url('fleet'), tip).error() == ('Unreachable', "'127.0.0.1:%d' says: quota used up today" % server.port)


def test_many_packs_become_one(repo, server, store, fetch):
    have = []
    for _ in range(4):
        tip = repo.commit()
        fetch(server.url('fleet'), tip, haves=have[-1:]).ok()
        have.append(tip)
    assert len(store.packs()) == 4
    a = worker.run('leeboard-fetch', {'op': 'compact', 'objects': store.path, 'auth': 'none'}).ok()
    assert a.one('PACK') == (0, 12)
    assert len(store.packs()) == 1 and store.litter() == []
    assert store.git('fsck', tip) == '' and store.git('rev-list', '--count', tip) == '4'
    assert worker.run('leeboard-fetch', {'op': 'compact', 'objects': store.path, 'auth': 'none'}).ok().one('PACK') == (0, 0)


def test_a_damaged_store_is_fetched_anew(repo, server, store, fetch):
    repo.commit({'a': 'x' * 500})
    tip = repo.commit({'b': 'y' * 500})
    fetch(server.url('fleet'), tip, depth=1).ok()
    old = store.packs()
    fetch(server.url('fleet'), tip, haves=[tip], fresh=True).ok()
    assert len(store.packs()) == 1 and store.packs() != old
    assert store.git('rev-list', '--count', tip) == '2'


def test_a_worker_killed_in_the_middle_leaves_nothing_that_the_next_does_not_sweep_up(repo, server, store, fetch):
    import threading
    tip = repo.commit({'a': 'x' * 1000})
    arrived, free = threading.Event(), threading.Event()

    def hook(h, body):
        if h.command != 'POST':
            return False
        h.server.hook = None
        h.send_response(200)
        h.send_header('Content-Length', '100000')
        h.end_headers()
        start = b'PACK\0\0\0\2\0\0\0\3'
        h.wfile.write(b'000dpackfile\n%04x\x01' % (len(start) + 5) + start)
        h.wfile.flush()
        arrived.set()
        free.wait(30)
        return True
    server.server.hook = hook
    p, sock = worker.start('leeboard-fetch')
    worker.send_job(sock, {'op': 'fetch', 'objects': store.path, 'url': server.url('fleet'), 'want': tip, 'auth': 'none'})
    assert arrived.wait(20)
    deadline = 200
    while not store.litter() and deadline:  # the file appears a moment after the bytes went out
        threading.Event().wait(0.05)
        deadline -= 1
    assert len(store.litter()) == 1
    p.kill()
    p.wait()
    sock.close()
    free.set()
    fetch(server.url('fleet'), tip).ok()
    assert store.litter() == [] and len(store.packs()) == 1
