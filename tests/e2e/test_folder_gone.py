"""The folder of a directory target goes: removed by somebody, which is drift, or with what it lies on, which is none."""
import os
import shutil

from daemon import alert, app, source
from folder import Folder, config, manifest, same


def test_a_folder_that_somebody_removed_is_made_again_and_told_as_drift(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit({'web.yaml': manifest(config('web')), 'api.yaml': manifest(config('api'))}))
    before = d.mark()
    shutil.rmtree(live.path)
    for name in ('web', 'api'):
        d.event('drift.healed', lambda e, n=name: e['object']['name'] == n, since=before)
    assert same(live, repo)
    with open(os.path.join(live.path, '.leeboard', 'web', 'inventory.tsv'), encoding='utf-8') as f:
        assert f.read() == '/ConfigMap/default/api\tv1\t\tc\tl\n/ConfigMap/default/web\tv1\t\tc\tl\n'
    d.wait(repo.commit({'web.yaml': None}))
    assert live.names() == ['ConfigMap/api']


def test_a_folder_that_goes_with_its_parent_is_waited_for(daemon, make_repo, tmp_path, receiver):
    """As a disk that is not mounted: nothing is taken for deleted, nothing is made in its place."""
    disk, repo, r = tmp_path / 'disk', make_repo(), receiver()
    disk.mkdir()
    live = Folder(disk / 'live')
    d = daemon([source(repo.bare), app(live.path), alert(r)], spec={'unreachableAfter': '1s'})
    d.wait(repo.commit({'web.yaml': manifest(config('web'))}))
    os.rename(disk, tmp_path / 'away')
    r.wait_event('target.unreachable')
    assert not disk.exists()
    os.rename(tmp_path / 'away', disk)
    r.wait_event('target.recovered')
    d.wait(repo.commit({'web.yaml': manifest(config('web', {'a': '2'}))}))
    assert same(live, repo)
    assert not d.events('drift.found', 'sync.waiting')
