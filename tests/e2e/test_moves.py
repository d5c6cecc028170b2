"""Objects that change hands: from one App to another, in both orders of their names."""
import pytest

from daemon import app, source
from folder import config, manifest


@pytest.mark.parametrize('old, new', [('a', 'b'), ('b', 'a')])
@pytest.mark.parametrize('layout', ['object', 'app'])
def test_an_object_moves_between_apps_in_one_commit_and_is_never_gone(daemon, make_repo, live, tmp_path, old, new, layout):
    """The text is changed on the way, so that a deletion and a creation would show in the folder as well as in the events."""
    repo = make_repo()
    repo.commit({old + '/web.yaml': manifest(config('web', namespace='shop')), old + '/stay.yaml': manifest(config('stay')),
                 new + '/other.yaml': manifest(config('other'))})
    target = {'directory': str(live.path), 'layout': layout}
    d = daemon([source(repo.bare)] + [app(target, name=n, path=n) for n in ('a', 'b')])
    d.wait(repo.head)
    before = d.mark()
    repo.git('mv', old + '/web.yaml', new + '/web.yaml')
    d.wait(repo.commit({new + '/web.yaml': manifest(config('web', {'a': '2'}, namespace='shop'))}))
    assert live.names() == ['ConfigMap/other', 'ConfigMap/shop/web', 'ConfigMap/stay']
    assert live.get('ConfigMap/shop/web')['data'] == {'a': '2'}
    with open('%s/.leeboard/%s/inventory.tsv' % (live.path, new), encoding='utf-8') as f:
        assert '/ConfigMap/shop/web\tv1\t\tc\tl\n' in f.read()
    assert not d.events('sync.failed', 'app.conflict', 'drift.found', since=before)
    # It is the new App's now: that one deletes it, and the old one does not miss it.
    d.wait(repo.commit({new + '/web.yaml': None}))
    assert live.names() == ['ConfigMap/other', 'ConfigMap/stay']
    assert not d.events('sync.failed', 'app.conflict', 'drift.found', since=before)
