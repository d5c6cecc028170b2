"""leeboard-render: a folder of a commit as objects."""
import json
import os
import subprocess

import pytest

import worker

WEB = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  a: "1"\n'


def places(node):
    """The places of a document that stands nowhere, in the order of the job's reader."""
    import struct
    out = struct.pack('<III', 0, 0, 0)
    if isinstance(node, dict):
        for v in node.values():
            out += struct.pack('<III', 0, 0, 0) + places(v)
    elif isinstance(node, list):
        for v in node:
            out += places(v)
    return out


@pytest.fixture
def render(repo):
    def run(oid, path='', overlay=None, ignore='', how=None, **job):
        blobs = []
        if overlay:
            blobs += [('overlay', json.dumps(overlay)), ('places', places(overlay))]
        if ignore:
            blobs.append(('ignore', ignore))
        return worker.run('leeboard-render', {'op': 'render', 'objects': os.path.join(repo.path, '.git', 'objects'), 'oid': oid,
                                              'path': path, **job}, blobs, **(how or {}))
    return run


def objects(answer):
    out, open_ = {}, ''
    for identity, file, line, col, chunk, last in answer.all('OBJECT'):
        open_ += chunk.decode()
        if last:
            out[identity] = (json.loads(open_), file, line, col)
            open_ = ''
    assert open_ == ''
    return out


def origins(answer):
    import struct
    out = {}
    for body in answer.all('ORIGIN'):
        def text(at):
            n, = struct.unpack_from('<I', body, at)
            return body[at + 4:at + 4 + n].decode(), at + 4 + n
        identity, at = text(0)
        while at < len(body):
            path, at = text(at)
            file, at = text(at)
            out[identity, path] = (file, struct.unpack_from('<I', body, at)[0])
            at += 4
    return out


def test_a_folder_of_a_commit_comes_as_objects_with_places_and_read_set(repo, render):
    tip = repo.commit({'base/kustomization.yaml': 'resources: [web.yaml]\n', 'base/web.yaml': WEB,
                       'prod/kustomization.yaml': 'resources: [../base]\nnamespace: shop\n', 'else/x': 'y'})
    repo.commit({'base/web.yaml': WEB.replace('"1"', '"2"')})
    a = render(tip, 'prod').ok()
    got = objects(a)
    assert list(got) == ['/ConfigMap/shop/web']
    obj, file, line, col = got['/ConfigMap/shop/web']
    assert obj == {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'web', 'namespace': 'shop'}, 'data': {'a': '1'}}
    assert (file, line, col) == ('base/web.yaml', 1, 1)
    o = origins(a)
    assert o['/ConfigMap/shop/web', '.data.a'] == ('base/web.yaml', 6)
    assert o['/ConfigMap/shop/web', '.metadata.namespace'] == ('prod/kustomization.yaml', 2)
    seen = {p.decode(): oid for p, oid in a.all('READSET')}
    for p in ('base/web.yaml', 'base/kustomization.yaml', 'prod/kustomization.yaml'):
        assert seen[p] == repo.oid('%s:%s' % (tip, p))
    assert not any(p.startswith('else') for p in seen)
    assert '' in seen.values()  # kustomization.yml and the like were looked for


def test_a_rendering_that_fails_tells_its_places_and_what_it_read(repo, render):
    tip = repo.commit({'kustomization.yaml': 'resources:\n- gone.yaml\n'})
    a = render(tip)
    code, message, file, line, *_ = a.one('ERROR')
    assert a.done and a.status == 0
    assert (file, line) == ('kustomization.yaml', 2) and "'gone.yaml'" in message
    assert ('gone.yaml' in {p.decode() for p, _ in a.all('READSET')})


def test_a_path_that_is_not_in_the_commit_is_named(repo, render):
    tip = repo.commit({'a/b': 'c'})
    assert render(tip, 'nope').error() == ('PathMissing', "path 'nope' is not in %s (it has: a)" % tip[:7])
    assert render(tip, 'a/nope').error() == ('PathMissing', "path 'a/nope' is not in %s" % tip[:7])
    assert render(tip, 'a/b').error() == ('PathMissing', "path 'a/b' is a file in %s" % tip[:7])
    tip = repo.commit({'apps/db/x': '', 'apps/web/x': ''})
    assert render(tip, 'apps/wbe').error() == ('PathMissing', "path 'apps/wbe' is not in %s (it has: apps/db, apps/web)" % tip[:7])


def test_what_an_app_says_is_laid_over(repo, render):
    tip = repo.commit({'web.yaml': WEB, 'doc.yaml': WEB.replace('web', 'doc')})
    a = render(tip, overlay={'namePrefix': 'p-', 'targetNamespace': 'shop'}, ignore='doc.yaml\n').ok()
    assert list(objects(a)) == ['/ConfigMap/shop/p-web']


def test_a_large_object_comes_in_chunks(repo, render):
    big = 'x' * 200000
    tip = repo.commit({'web.yaml': WEB.replace('"1"', big)})
    a = render(tip).ok()
    assert len(a.all('OBJECT')) == 4
    assert objects(a)['/ConfigMap//web'][0]['data']['a'] == big


def test_a_commit_that_is_not_there_is_told(repo, render):
    repo.commit()
    assert render('ab' * 20).error()[1] == "'%s': object %s is not in the store" % ('ab' * 20, 'ab' * 20)


@pytest.mark.skipif('asan' in os.environ.get('ROLE_BUILD', ''), reason='a sanitizer wants more address space than any limit')
def test_time_and_memory_end_the_worker_and_not_the_daemon(repo, render):
    tip = repo.commit({'web.yaml': WEB, 'big.yaml': 'a: [' + '1,' * 2000000 + '1]\n'})
    a = render(tip, memory=120 << 20)
    assert not a.done and a.status != 0


# ---------------------------------------------------------------- by hand

PRINTED = 'apiVersion: v1\ndata:\n  a: "1"\nkind: ConfigMap\nmetadata:\n  name: web\n'

def hand(cwd, *args):
    p = subprocess.run([worker.program('leeboard-render'), *args], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def test_a_person_renders_a_revision(tmp_path, repo):
    repo.commit({'apps/web.yaml': WEB})
    repo.git('tag', 'v1')
    repo.commit({'apps/web.yaml': WEB.replace('"1"', '"2"')})
    assert hand(repo.path, '--rev', 'v1', 'apps') == (0, PRINTED, '')
    assert hand(repo.path + '/apps', '--rev', 'v1') == (0, PRINTED, '')
    assert hand(str(tmp_path), '--rev=main', '--repo', repo.path, 'apps') == (0, PRINTED.replace('"1"', '"2"'), '')
    assert hand(str(tmp_path), '--rev', 'HEAD~1', '--repo', repo.path, 'apps', '-o', 'out.yaml') == (0, '', '')
    assert (tmp_path / 'out.yaml').read_text() == PRINTED


@pytest.mark.parametrize('args, status, message', [
    (['apps'], 2, "no revision: write '--rev REV'\n"),
    (['--rev'], 2, "'--rev' needs a value\n"),
    (['--rev', 'HEAD', 'a', 'b'], 2, 'render takes one folder\n'),
    (['--rev', 'nope'], 2, None),
    (['--rev', 'HEAD', '../..'], 2, None)])
def test_trouble_is_told(repo, args, status, message):
    repo.commit({'apps/web.yaml': WEB})
    got = hand(repo.path, *args)
    assert got[0] == status and got[1] == ''
    assert got[2] == message if message else got[2]
