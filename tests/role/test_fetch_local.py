"""leeboard-fetch with a repository of this machine."""
import os

import servers


def test_a_path_is_listed_as_git_lists_it(repo, refs):
    repo.commit()
    repo.git('tag', '-a', '-m', 'one', 'v1.0.0')
    repo.git('tag', 'light')
    head = repo.head
    got = refs(repo.path, local=True).ok().all('REF')
    assert sorted(got) == sorted([
        ('HEAD', head, '', 'refs/heads/main'), ('refs/heads/main', head, '', ''), ('refs/tags/light', head, '', ''),
        ('refs/tags/v1.0.0', repo.oid('v1.0.0'), head, '')])
    assert [r[0] for r in refs(repo.path, 'refs/tags/l', local=True).ok().all('REF')] == ['refs/tags/light']


def test_a_path_is_fetched_and_then_only_what_is_new(repo, store, fetch):
    one = repo.commit({'a': '1'})
    assert fetch(repo.path, one, local=True).ok().one('PACK')[1] == 3
    two = repo.commit({'b': '2'})
    assert fetch(repo.path, two, local=True, haves=[one]).ok().one('PACK')[1] == 3
    assert store.git('fsck', two) == '' and store.git('rev-list', '--count', two) == '2'
    assert fetch(repo.path, two, local=True).ok().one('PACK') == (0, 0)


def test_a_bare_repository_and_its_tag_are_fetched(tmp_path, repo, store, fetch):
    repo.commit()
    repo.git('tag', '-a', '-m', 'one', 'v1')
    repo.git('clone', '-q', '--bare', '.', str(tmp_path / 'bare.git'))
    tag = repo.oid('v1')
    assert fetch(str(tmp_path / 'bare.git'), tag, local=True).ok().one('PACK')[1] == 4
    assert store.git('cat-file', '-t', tag) == 'tag' and store.has(repo.head)


def test_a_commit_or_a_repository_that_is_not_there_is_told(tmp_path, repo, refs, fetch):
    repo.commit()
    assert fetch(repo.path, 'ab' * 20, local=True).error() == (
        'RefGone', "the wanted object is not in '%s' (any more)" % repo.path)
    assert refs('/nonexistent/x', local=True).error() == (
        'Unreachable', "open repository '/nonexistent/x': No such file or directory")
    os.mkdir(tmp_path / 'empty')
    assert refs(str(tmp_path / 'empty'), local=True).error() == (
        'Unreachable', "'%s' is neither a repository nor a folder of objects" % (tmp_path / 'empty'))


def test_an_unborn_branch_has_no_refs(tmp_path, refs):
    r = servers.Repo(tmp_path / 'unborn')
    assert refs(r.path, local=True).ok().all('REF') == []


def test_a_repository_that_keeps_its_things_elsewhere_is_read(tmp_path, repo, refs, fetch, store):
    one = repo.commit({'a': '1'})
    repo.git('clone', '-q', '--shared', '.', str(tmp_path / 'shared'))
    repo.git('clone', '-q', '--shared', str(tmp_path / 'shared'), str(tmp_path / 'again'))
    repo.git('worktree', 'add', '-q', '-b', 'side', str(tmp_path / 'linked'))
    with open(tmp_path / 'shared' / '.git' / 'objects' / 'info' / 'alternates') as f:
        assert f.read().strip()
    for n, path in enumerate(['shared', 'again', 'linked']):
        assert ('refs/heads/main', one, '', '') in refs(str(tmp_path / path), local=True).ok().all('REF')
        fetch(str(tmp_path / path), one, local=True, objects=store.path + str(n)).ok()
