"""Stories of deletions: what left Git goes, nothing else ever does, and too much of it waits for a person."""
import os
import shutil

import pytest

from daemon import Failed, alert, app, source
from folder import Folder, config, manifest, same, workload

CM = manifest(config('settings'))


def many(n, prefix='c'):
    return {'%s%02d.yaml' % (prefix, i): manifest(config('%s%02d' % (prefix, i))) for i in range(n)}


def without(files):
    return {name: None for name in files}


def test_what_left_git_is_deleted_and_nothing_else(daemon, make_repo, live):
    repo = make_repo()
    os.mkdir(live.path)
    Folder.write(live.path + '/theirs.yaml', manifest(config('theirs')))
    Folder.write(live.path + '/notes.txt', 'not ours\n')
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit(many(5)))
    d.wait(repo.commit({'c01.yaml': None, 'c03.yaml': None}))
    assert live.names() == ['ConfigMap/c00', 'ConfigMap/c02', 'ConfigMap/c04', 'ConfigMap/theirs']
    assert os.path.exists(live.path + '/notes.txt')
    finished = d.events('sync.finished')[-1]['data']
    assert finished['counts']['deleted'] == 2 and sorted(finished['deleted']) == ['ConfigMap default/c01', 'ConfigMap default/c03']


def test_more_than_the_limit_waits_for_exactly_the_plan_that_was_shown(daemon, make_repo, live, receiver):
    repo, r = make_repo(), receiver()
    d = daemon([source(repo.bare), app(live.path), alert(r)])
    files = many(15)
    d.wait(repo.commit({**files, 'cm.yaml': CM}))
    last = repo.commit({**without(list(files)[:12]), 'new.yaml': manifest(config('new'))})
    said = d.wait(last, exit=6)
    assert said['outcome'] == 'waiting'
    # what need not wait went out
    assert len(live.names()) == 17 and 'ConfigMap/new' in live.names()
    told = r.wait_event('sync.waiting')
    assert told.data['reason'] == 'prune-limit' and len(told.data['deletions']) == 12 and '12 deletions' in told.data['message']
    plan = d.get('plan/web')
    assert plan['id'].startswith(told.data['plan']) and plan['counts']['delete'] == 12 and plan['waiting'][0]['reason'] == 'prune-limit'
    assert told.data['release'] == 'leeboard approve web --plan %s' % told.data['plan']
    assert (d.app()['state'], d.app()['reason']) == ('Waiting', 'prune-limit')
    # another plan is not approved by this id
    repo.commit({'c12.yaml': None})
    d.until(lambda: d.get('plan/web')['counts']['delete'] == 13 and d.app().get('plan', '').startswith(d.get('plan/web')['id']), 'a newer plan')
    with pytest.raises(Failed) as e:
        d.post('apps/web/approve', plan=plan['id'])
    assert e.value.status == 409 and e.value.codes == ['plan-changed'] and len(live.names()) == 17
    assert 'is %s now' % d.app()['plan'][:12] in e.value.text
    now = d.get('plan/web')['id']
    said = d.cli('approve', 'web', '--plan', now[:12], '--yes', '--reason', 'the old importer')
    assert said.exit == 0, said
    d.wait(repo.head)
    assert live.names() == ['ConfigMap/c13', 'ConfigMap/c14', 'ConfigMap/new', 'ConfigMap/settings'] and same(live, repo)
    by = r.wait_event('person.approved')
    assert by.data['reason'] == 'the old importer' and by.data['by']
    r.wait_event('sync.released')
    assert r.names().count('sync.waiting') - r.names().count('sync.released') == 0
    with pytest.raises(Failed) as e:
        d.post('apps/web/approve', plan=now)
    assert e.value.status == 409 and e.value.codes == ['not-waiting']


def test_a_share_of_the_app_above_the_limit_waits_from_the_fourth_deletion_on(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    files = many(8)
    d.wait(repo.commit(files))
    d.wait(repo.commit(without(list(files)[:3])))     # 3 of 8: more than 30 %, less than four
    assert len(live.names()) == 5
    d.wait(repo.commit({**without(list(files)[3:7])}), exit=6)
    assert len(live.names()) == 5


def test_an_empty_rendering_always_waits(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path, path='deploy', prune={'limit': {'objects': 0, 'percent': 0}})])
    d.wait(repo.commit({'deploy/a.yaml': CM, 'deploy/b.yaml': manifest(config('b'))}))
    d.wait(repo.commit({'deploy/a.yaml': None, 'deploy/b.yaml': None, 'deploy/README.md': 'gone\n'}), exit=6)
    assert d.app()['reason'] == 'empty-render' and len(live.names()) == 2
    d.post('apps/web/approve', plan=d.app()['plan'])
    d.until(lambda: live.names() == [], 'deleted')


def test_a_protected_kind_waits_and_the_rest_goes(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    db = workload('db', kind='StatefulSet')
    db['spec']['serviceName'] = 'db'
    d.wait(repo.commit({'db.yaml': manifest(db), 'cm.yaml': CM, 'web.yaml': manifest(workload('web'))}))
    last = repo.commit({'db.yaml': None, 'cm.yaml': None})
    d.wait(last, exit=6)
    assert d.app()['reason'] == 'protected-kind' and 'StatefulSet/db' in live.names()
    d.post('apps/web/approve', plan=d.app()['plan'])
    d.wait(last)
    assert live.names() == ['Deployment/web']


def test_without_prune_nothing_is_deleted(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path, prune={'enabled': False})])
    d.wait(repo.commit({'a.yaml': CM, 'b.yaml': manifest(config('b'))}))
    d.wait(repo.commit({'b.yaml': None}))
    assert live.names() == ['ConfigMap/b', 'ConfigMap/settings']


def test_what_waits_waits_over_a_restart_and_a_newer_commit_ends_it(daemon, make_repo, live, receiver):
    repo, r = make_repo(), receiver()
    d = daemon([source(repo.bare), app(live.path), alert(r)])
    files = many(14)
    d.wait(repo.commit({**files, 'cm.yaml': CM}))
    d.wait(repo.commit(without(files)), exit=6)
    plan = d.app()['plan']
    d.restart()
    d.wait(repo.head, exit=6)
    assert d.app()['plan'] == plan and len(live.names()) == 15
    assert r.names().count('sync.waiting') == 1
    d.wait(repo.revert('HEAD'))
    assert d.app()['state'] == 'Synced' and len(live.names()) == 15
    r.wait_event('sync.released')


def test_a_file_of_ours_that_is_gone_already_is_no_trouble(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path, drift={'mode': 'detect'})])
    d.wait(repo.commit({'a.yaml': CM, 'b.yaml': manifest(config('b'))}))
    live.remove('ConfigMap/b')
    d.event('drift.found', lambda e: e['class'] == 'deleted-live')
    d.wait(repo.commit({'b.yaml': None}))
    assert live.names() == ['ConfigMap/settings'] and d.app()['objects']['total'] == 1
    assert d.app()['drift'] == {'objects': 0, 'fields': 0}


def test_what_is_there_already_is_adopted_unless_told_otherwise(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit({'cm.yaml': CM}))
    assert d.stop() == 0
    # as if nobody had ever owned it
    shutil.rmtree(d.state)
    shutil.rmtree(live.path + '/.leeboard')
    live.edit('ConfigMap/settings', lambda o: o['data'].update(a='theirs', b='more'))
    before = live.snapshot()
    d.write([source(repo.bare), app(live.path, apply={'adopt': 'never'})])
    d.start()
    said = d.wait(repo.head, exit=4)
    assert 'settings' in said['items'][0]['message'] and live.snapshot() == before
    d.write([source(repo.bare), app(live.path)])
    d.reload()
    d.wait(repo.head)
    assert live.get('ConfigMap/settings')['data'] == {'a': '1', 'b': 'more'}
