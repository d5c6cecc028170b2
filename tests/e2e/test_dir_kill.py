"""Crash-only: the daemon is killed at random moments while people push, and nothing is lost, doubled or forgotten."""
import os
import random
import select

import pytest

from daemon import alert, app, source
from folder import config, manifest, same, workload

KILLS, PUSHES = 50, 20


@pytest.mark.parametrize('seed', [int(os.environ.get('LEEBOARD_SEED', 1))])
def test_killed_at_50_moments_during_20_pushes_live_equals_git_and_all_is_told(daemon, make_repo, live, receiver, seed):
    dice = random.Random(seed)
    repo, r = make_repo(), receiver()
    files = {'keep.yaml': manifest(workload('web', replicas=1))}
    files.update({'c%d.yaml' % i: manifest(config('c%d' % i, {'n': '0'})) for i in range(6)})
    repo.commit(files)
    d = daemon([source(repo.bare), app(live.path, prune={'limit': {'objects': 0, 'percent': 0}}, retryInterval='1s'), alert(r)])
    d.wait(repo.head)
    pushes = sorted(dice.sample(range(KILLS), PUSHES))
    made = 0
    heads = [repo.head]
    for n in range(KILLS):
        if n in pushes:
            made += 1
            gone = 'c%d.yaml' % (made - 1)
            heads.append(repo.commit({
                'keep.yaml': manifest(workload('web', replicas=1 + made)), 'c%d.yaml' % (made + 5): manifest(config('c%d' % (made + 5), {'n': str(made)})),
                gone: None}, 'push %d' % made))
        if n % 7 == 3 and live.find('Deployment/web'):
            live.edit('Deployment/web', lambda o: o['spec'].update(replicas=100))
        # a moment of its life: while it starts, fetches, renders, writes, tells, or rests
        select.select([d.pidfd], [], [], dice.uniform(0, 0.9))
        assert d.alive(), d.log(False)[-4000:]
        d.kill9()
        d.launch()
    d.kill9()
    d.start()
    d.wait(repo.head, timeout=60)
    d.until(lambda: same(live, repo), 'as Git says')
    # everything that was said was told, and every raise has its end
    kept = {e['id']: e for e in d.events()}
    r.wait(lambda ds: set(kept) <= {x.id for x in ds}, timeout=60)
    unknown = {x.id for x in r.got()} - set(kept)
    assert not unknown, 'told and not kept: %s' % [x for x in r.got() if x.id in unknown]
    by = {}
    for e in kept.values():
        by.setdefault(e['source'], []).append(e['sequence'])
    for where, numbers in by.items():
        numbers.sort()
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), where
    raised = [e['incident'] for e in kept.values() if e['type'].endswith(('drift.found', 'sync.failed', 'sync.waiting', 'source.refused', 'source.unreachable'))]
    ended = [e['incident'] for e in kept.values() if e['type'].endswith(('drift.healed', 'drift.gone', 'drift.overwritten', 'drift.adopted', 'sync.recovered',
                                                                        'sync.released', 'source.released', 'source.recovered'))]
    assert len(raised) == len(set(raised)) and set(raised) <= set(ended), (raised, ended)
    accepted = [e['data']['revision'] for e in sorted(kept.values(), key=lambda e: e['number']) if e['type'].endswith('source.accepted')]
    assert accepted == sorted(set(accepted), key=heads.index), 'a revision was accepted twice, or out of order'
    assert accepted[-1] == repo.head
    assert d.app()['objects']['total'] == len(live.names()) == 7
    # no row of history is left open, and no journal
    assert not [h for h in d.get('history', app='web', n=200)['items'] if h['outcome'] == 'running']
    # at rest: a full compare finds nothing to do
    before = live.snapshot()
    d.post('apps/web/sync', wait=True, force_compare=True)
    assert live.snapshot() == before
