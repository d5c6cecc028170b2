"""Stories of drift: found within a second with all that people need, then healed, shown, or left alone."""
import base64
import secrets
import time

from daemon import alert, app, name_of, source
from folder import config, manifest, same, workload

WEB = manifest(workload('web', replicas=2))
CM = manifest(config('settings', {'level': 'info', 'workers': '4'}))


def line_of(text, word):
    return next(i for i, line in enumerate(text.splitlines(), 1) if word in line)


def test_drift_is_told_within_a_second_with_field_values_and_place_and_healed(daemon, make_repo, live, receiver):
    repo, r = make_repo(), receiver('s' * 40)
    d = daemon([source(repo.bare), app(live.path, path='apps/web'), alert(r)], release=True)
    d.wait(repo.commit({'apps/web/web.yaml': WEB, 'apps/web/cm.yaml': CM}))
    r.wait_event('sync.finished')
    start = time.monotonic()
    live.edit('Deployment/web', lambda o: o['spec'].update(replicas=5))
    told = r.wait_event('drift.found')
    assert told.at - start < 1, told.at - start
    assert told.good and told.event['severity'] == 'warn' and told.event['subject'] == 'apps/v1/Deployment/default/web'
    data = told.data
    assert (data['app'], data['revision'], data['class'], data['action'], data['mode']) == ('web', repo.head, 'drift', 'heal', 'heal')
    assert [(f['path'], f['git'], f['live'], f['applied']) for f in data['fields']] == [('.spec.replicas', 2, 5, 2)]
    origin = data['fields'][0]['origin']
    assert (origin['file'], origin['line']) == ('apps/web/web.yaml', line_of(WEB, 'replicas: 2'))
    assert 'git 2, live 5' in data['message']
    healed = r.wait_event('drift.healed')
    assert healed.event['incident'] == told.event['incident']
    assert same(live, repo, 'apps/web')
    assert [d.name for d in r.got('drift.found', 'drift.healed')] == ['drift.found', 'drift.healed']
    assert [h['by'] for h in d.get('history', app='web')['items']] == ['drift', 'push']


def test_every_way_of_editing_is_seen(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit({'web.yaml': WEB, 'cm.yaml': CM}))
    ways = [lambda: live.edit('Deployment/web', lambda o: o['spec'].update(replicas=7), in_place=True),
            lambda: live.edit('Deployment/web', lambda o: o['spec'].update(replicas=8)),
            lambda: live.remove('ConfigMap/settings'),
            lambda: live.write(live.file('ConfigMap/settings'), 'no: [yaml\n')]
    for n, way in enumerate(ways):
        mark = d.mark()
        way()
        d.event('drift.found', since=mark)
        d.event('drift.healed', since=mark)
        d.until(lambda: same(live, repo), 'as Git says')
    deleted = [e for e in d.events('drift.found') if e['data']['class'] == 'deleted-live']
    assert deleted and {e['data']['object']['name'] for e in deleted} == {'settings'}


def test_drift_while_the_daemon_was_away_is_found_at_its_start(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit({'web.yaml': WEB, 'cm.yaml': CM}))
    assert d.stop() == 0
    live.edit('Deployment/web', lambda o: o['spec'].update(replicas=5))
    live.remove('ConfigMap/settings')
    d.start()
    for what in ('web', 'settings'):
        d.event('drift.found', lambda e, what=what: e['object']['name'] == what)
    d.until(lambda: same(live, repo), 'as Git says')


def test_detect_says_and_does_not_write_until_a_person_or_git_does(daemon, make_repo, live, receiver):
    repo, r = make_repo(), receiver()
    d = daemon([source(repo.bare), app(live.path, drift={'mode': 'detect'}), alert(r)])
    d.wait(repo.commit({'web.yaml': WEB, 'cm.yaml': CM}))
    live.edit('ConfigMap/settings', lambda o: o['data'].update(level='trace'))
    told = r.wait_event('drift.found')
    assert told.data['action'] == 'none' and told.data['mode'] == 'detect' and told.data['release'] == 'leeboard drift web --heal'
    shown = d.get('drift')['items']
    assert [(i['app'], i['object']['name'], i['mode'], [(f['path'], f['git'], f['live']) for f in i['fields']]) for i in shown] == [
        ('web', 'settings', 'detect', [('.data.level', 'info', 'trace')])]
    assert d.app()['drift'] == {'objects': 1, 'fields': 1}
    assert live.get('ConfigMap/settings')['data']['level'] == 'trace'
    # others undo it
    live.edit('ConfigMap/settings', lambda o: o['data'].update(level='info'))
    assert r.wait_event('drift.gone').event['incident'] == told.event['incident']
    # a person heals
    live.edit('ConfigMap/settings', lambda o: o['data'].update(level='trace'))
    r.wait_event('drift.found', count=2)
    said = d.cli('drift', 'web', '--heal')
    assert said.exit == 0, said
    r.wait_event('drift.healed')
    assert live.get('ConfigMap/settings')['data']['level'] == 'info'
    # Git takes the value over
    live.edit('ConfigMap/settings', lambda o: o['data'].update(level='trace'))
    r.wait_event('drift.found', count=3)
    d.wait(repo.commit({'cm.yaml': CM.replace('level: info', 'level: trace')}))
    over = r.wait(lambda ds: [x for x in ds if x.name in ('drift.adopted', 'drift.gone', 'drift.overwritten') and x.event['incident'] == r.got('drift.found')[2].event['incident']])
    assert over[0].name == 'drift.adopted'
    d.until(lambda: same(live, repo), 'as Git says')
    found = r.got('drift.found')
    ended = r.got('drift.gone', 'drift.healed', 'drift.adopted')
    assert [f.event['incident'] for f in found] == [e.event['incident'] for e in ended]


def test_a_commit_restores_what_drifted_in_the_object_that_it_writes(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path, drift={'mode': 'detect'})])
    d.wait(repo.commit({'cm.yaml': CM}))
    live.edit('ConfigMap/settings', lambda o: o['data'].update(level='trace'))
    d.event('drift.found')
    d.wait(repo.commit({'cm.yaml': CM.replace("workers: '4'", "workers: '8'")}))
    d.event('drift.overwritten')
    assert live.get('ConfigMap/settings')['data'] == {'level': 'info', 'workers': '8'}


def test_ignored_drift_is_neither_told_nor_written_over(daemon, make_repo, live):
    repo = make_repo()
    rule = [{'target': {'kind': 'Deployment'}, 'paths': ['/spec/replicas']}]
    d = daemon([source(repo.bare), app(live.path, drift={'ignore': rule}), app(live.path + '2', name='left', drift={'mode': 'ignore'})])
    d.wait(repo.commit({'web.yaml': WEB, 'cm.yaml': CM}))
    from folder import Folder
    left = Folder(live.path + '2')
    live.edit('Deployment/web', lambda o: o['spec'].update(replicas=5))
    left.edit('ConfigMap/settings', lambda o: o['data'].update(level='trace'))
    # an event that comes later than the one that must not come
    live.edit('ConfigMap/settings', lambda o: o['data'].update(level='warn'))
    d.event('drift.healed', lambda e: e['object']['name'] == 'settings')
    assert [e['data']['object']['name'] for e in d.events('drift.found')] == ['settings']
    assert live.get('Deployment/web')['spec']['replicas'] == 5 and left.get('ConfigMap/settings')['data']['level'] == 'trace'
    # nor does a commit that changes another field of that object
    d.wait(repo.commit({'web.yaml': WEB.replace('app:1', 'app:2')}))
    web = live.get('Deployment/web')
    assert web['spec']['replicas'] == 5 and web['spec']['template']['spec']['containers'][0]['image'] == 'example.test/app:2'


def test_an_annotation_of_the_object_is_stronger(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit({'a.yaml': manifest(config('a', annotations={'leeboard.dev/drift': 'detect'})), 'b.yaml': manifest(config('b'))}))
    for name in 'ab':
        live.edit('ConfigMap/' + name, lambda o: o['data'].update(a='2'))
    d.event('drift.healed', lambda e: e['object']['name'] == 'b')
    assert d.event('drift.found', lambda e: e['object']['name'] == 'a')['data']['action'] == 'none'
    assert live.get('ConfigMap/a')['data']['a'] == '2' and live.get('ConfigMap/b')['data']['a'] == '1'


def test_what_people_add_outside_our_fields_survives(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit({'web.yaml': WEB, 'cm.yaml': CM}))

    def add(o):
        o['metadata'].setdefault('annotations', {})['note'] = 'by hand'
        o['spec']['paused'] = True
        o['spec']['template']['spec']['containers'].append({'name': 'sidecar', 'image': 'example.test/side:1'})
    live.edit('Deployment/web', add)
    live.edit('ConfigMap/settings', lambda o: o['data'].update(extra='mine'))
    d.wait(repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 3'), 'cm.yaml': CM.replace('info', 'debug')}))
    web = live.get('Deployment/web')
    assert web['spec']['replicas'] == 3 and web['spec']['paused'] is True and web['metadata']['annotations']['note'] == 'by hand'
    assert [c['name'] for c in web['spec']['template']['spec']['containers']] == ['app', 'sidecar']
    assert live.get('ConfigMap/settings')['data'] == {'level': 'debug', 'workers': '4', 'extra': 'mine'}
    assert not d.events('drift.found')
    # a field that leaves Git leaves the file, theirs do not
    d.wait(repo.commit({'cm.yaml': manifest(config('settings', {'level': 'debug'}))}))
    assert live.get('ConfigMap/settings')['data'] == {'level': 'debug', 'extra': 'mine'}


def test_a_fight_is_left_alone_and_said(daemon, make_repo, live, receiver):
    repo, r = make_repo(), receiver()
    d = daemon([source(repo.bare), app(live.path), alert(r)])
    d.wait(repo.commit({'cm.yaml': CM}))
    for n in range(1, 20):
        live.edit('ConfigMap/settings', lambda o: o['data'].update(level='trace'))
        r.wait(lambda ds: [x for x in ds if x.name == 'drift.found'][n - 1:] or [x for x in ds if x.name == 'drift.fight'])
        if r.got('drift.fight'):
            break
        r.wait_event('drift.healed', count=n)
    fight = r.wait_event('drift.fight')
    assert fight.event['severity'] == 'error' and 'corrected' in fight.data['message'] and n < 19
    assert live.get('ConfigMap/settings')['data']['level'] == 'trace'


def test_a_secrets_value_is_nowhere_but_in_its_file(daemon, make_repo, live, receiver):
    repo, r = make_repo(), receiver()
    values = ['v-' + secrets.token_hex(16) for _ in range(4)]

    def secret(value, stringly=False):
        body = {'stringData': {'password': value}} if stringly else {'data': {'password': base64.b64encode(value.encode()).decode()}}
        return manifest({'apiVersion': 'v1', 'kind': 'Secret', 'metadata': {'name': 'db'}, 'type': 'Opaque', **body})
    d = daemon([source(repo.bare), app(live.path, drift={'mode': 'detect'}), alert(r)])
    first = repo.commit({'secret.yaml': secret(values[0]), 'cm.yaml': CM})
    d.wait(first)
    second = repo.commit({'secret.yaml': secret(values[1])})
    d.wait(second)
    d.wait(repo.commit({'secret.yaml': secret(values[2], stringly=True)}))
    live.edit('Secret/db', lambda o: o.update(data={'password': base64.b64encode(values[3].encode()).decode()}))
    told = r.wait_event('drift.found', lambda e: e['object']['kind'] == 'Secret')
    assert [(f['path'], f.get('redacted'), 'git' in f and '$hash' not in str(f['git'])) for f in told.data['fields']] == [('.data.password', True, False)]
    said = [d.cli(*argv).out for argv in (
        ('diff', 'web', '-o', 'json'), ('diff', 'web'), ('diff', 'web', '%s..%s' % (first[:7], second[:7])), ('why', 'secret/db'), ('why', 'secret/db', '.data.password'),
        ('drift', 'web', '-o', 'json'), ('drift', 'web', '--export'), ('plan', 'web', '-o', 'json'), ('events', '-o', 'json'), ('history', 'web', '-o', 'json'),
        ('dump', 'web'), ('status', 'web', '-o', 'json'))]
    said += [str(d.get('history', app='web', number=n)) for n in (1, 2, 3)]
    assert [n for n, text in enumerate(said) if not text] in ([], [6]), 'nothing was said'      # a Secret is not exported
    bad = repo.commit({'secret.yaml': secret(values[3]).replace('type: Opaque', 'type: [')})
    d.wait(bad, exit=4)
    assert d.stop() == 0
    places = {'database': d.database(), 'log': d.log().encode(), 'webhooks': b''.join(x.body for x in r.deliveries), 'screens': '\n'.join(said).encode()}
    for i, value in enumerate(values):
        for form in (value.encode(), base64.b64encode(value.encode())):
            for where, data in places.items():
                assert form not in data, 'value %d is in %s' % (i, where)
    assert values[3].encode() in base64.b64decode(live.get('Secret/db')['data']['password'])


def test_drift_and_its_end_are_one_incident_each(daemon, make_repo, live, receiver):
    repo, r = make_repo(), receiver()
    d = daemon([source(repo.bare), app(live.path, drift={'mode': 'detect'}), alert(r)])
    d.wait(repo.commit({'cm.yaml': CM, 'web.yaml': WEB}))
    live.edit('ConfigMap/settings', lambda o: o['data'].update(level='trace'))
    first = r.wait_event('drift.found')
    # a second edit, a restart, a full compare: it is known
    live.edit('ConfigMap/settings', lambda o: o['data'].update(level='debug'))
    d.restart()
    d.wait(repo.head)
    d.post('apps/web/sync', wait=True, force_compare=True)
    live.edit('Deployment/web', lambda o: o['spec'].update(replicas=9))
    r.wait_event('drift.found', lambda e: e['object']['name'] == 'web')
    assert [name_of(e) for e in d.events('drift.found')] == ['drift.found'] * 2
    live.edit('ConfigMap/settings', lambda o: o['data'].update(level='info'))
    assert r.wait_event('drift.gone').event['incident'] == first.event['incident']
