"""Stories of telling people: at least once, over failures and restarts; a raise and a resolve once each. And of being told: webhooks."""
import hashlib
import hmac
import http.client
import json
import re

import pytest

from daemon import alert, app, document, name_of, source
from folder import config, manifest, workload

WEB = manifest(workload('web', replicas=2))
CM = manifest(config('settings', {'level': 'info'}))


def test_a_receiver_that_fails_gets_everything_later_in_order(daemon, make_repo, live, receiver):
    repo, r = make_repo(), receiver('k' * 32)
    r.fail(503)
    d = daemon([source(repo.bare), app(live.path), alert(r)])
    d.wait(repo.commit({'web.yaml': WEB}))
    live.edit('Deployment/web', lambda o: o['spec'].update(replicas=5))
    d.event('drift.healed')
    # over a restart, too
    d.restart(kill=True)
    d.wait(repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 3')}))
    r.well()
    kept = {e['id'] for e in d.events()}
    r.wait(lambda ds: kept <= {x.id for x in ds}, timeout=60)
    assert all(x.good for x in r.deliveries)
    got = [x.event['sequence'] for x in r.got() if x.data.get('app') == 'web']
    assert got == sorted(got)
    assert {x.headers['leeboard-delivery'] == x.id for x in r.got()} == {True}
    d.until(lambda: d.metric('leeboard_events_pending') == 0, 'all told')


def test_a_receiver_that_fails_does_not_hold_up_another(daemon, make_repo, live, receiver):
    repo, bad, good = make_repo(), receiver(), receiver()
    bad.hang()
    d = daemon([source(repo.bare), app(live.path), alert(bad, name='bad'), alert(good, name='good')])
    d.wait(repo.commit({'web.yaml': WEB}))
    good.wait_event('sync.finished')
    bad.well()
    bad.wait_event('sync.finished', timeout=60)


def test_one_that_answers_410_is_left_alone(daemon, make_repo, live, receiver):
    repo, gone, r = make_repo(), receiver(), receiver()
    gone.fail(410)
    d = daemon([source(repo.bare), app(live.path), alert(gone, name='gone'), alert(r)])
    d.wait(repo.commit({'web.yaml': WEB}))
    r.wait_event('alert.failed')
    n = len(gone.deliveries)
    d.wait(repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 3')}))
    r.wait_event('sync.finished', count=2)
    assert len(gone.deliveries) == n


def test_only_what_an_alert_names_goes_to_it(daemon, make_repo, live, receiver):
    repo, some, errors, log = make_repo(), receiver(), receiver(), receiver()
    d = daemon([source(repo.bare), app(live.path), app(live.path + '2', name='other'), alert(some, name='some', events=['sync.*'], apps=['other']),
                alert(errors, name='errors', eventSeverity='error'), alert(log)])
    d.wait(repo.commit({'web.yaml': WEB}))
    d.wait(repo.commit({'web.yaml': 'a: [\n'}), exit=4)
    d.wait(repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 3')}))
    for app_ in ('web', 'other'):
        log.wait_event('sync.recovered', lambda e, app_=app_: e['app'] == app_)
    some.wait_event('sync.recovered')
    errors.wait_event('sync.failed', count=2)
    assert {x.data['app'] for x in some.got()} == {'other'} and {x.name.split('.')[0] for x in some.got()} == {'sync'}
    # who heard of a raise hears of its end
    errors.wait_event('sync.recovered', count=2)
    assert {(x.event['severity'], x.name) for x in errors.got()} == {('error', 'sync.failed'), ('info', 'sync.recovered')}


def test_fluxs_format_and_slacks(daemon, make_repo, live, receiver):
    repo, flux, slack = make_repo(), receiver(), receiver()
    docs = [alert(flux, name='flux'), alert(slack, name='slack', summary='edge 17')]
    docs[0]['spec']['to'][0]['format'] = 'flux'
    docs[1]['spec']['to'][0].update(type='slack', channel='#ops')
    d = daemon([source(repo.bare), app(live.path), *docs])
    head = repo.commit({'web.yaml': WEB}, 'web: two')
    d.wait(head)
    e = flux.wait(lambda ds: [x.event for x in ds if x.event.get('involvedObject', {}).get('name') == 'web'])[0]
    assert e['severity'] == 'info' and head in json.dumps(e['metadata']) and e['message'] and e['reportingController']
    text = slack.wait(lambda ds: [x.event['text'] for x in ds if 'web' in x.event.get('text', '') and 'Deployed' in x.event['text']])[0]
    assert 'edge 17' in text and head[:7] in text and len(text.splitlines()) <= 14
    assert slack.got()[0].event['channel'] == '#ops'


def test_an_event_can_be_sent_again_and_followed(daemon, make_repo, live, receiver):
    repo, r = make_repo(), receiver()
    d = daemon([source(repo.bare), app(live.path), alert(r)])
    d.wait(repo.commit({'web.yaml': WEB}))
    first = r.wait_event('sync.finished')
    said = d.cli('events', '--redeliver', first.id)
    assert said.exit == 0, said
    r.wait(lambda ds: len([x for x in ds if x.id == first.id]) == 2)
    kept = d.events()
    assert [e['number'] for e in kept] == sorted(e['number'] for e in kept)
    # sequences have no gaps, per source
    by = {}
    for e in kept:
        by.setdefault(e['source'], []).append(e['sequence'])
    for numbers in by.values():
        assert numbers == sorted(set(numbers))
    # a stream that begins at an old event misses none
    n = len(kept)
    seen = []
    for number, name, data in d.stream(since=0):
        if number:
            seen.append((number, name, data['id']))
        if len(seen) == n:
            break
    assert seen == [(e['number'], name_of(e), e['id']) for e in kept]


# webhooks in

SECRET = 'a-secret-of-thirty-two-bytes-or-more'


def send(port, name, body, **headers):
    c = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
    try:
        c.request('POST', '/hook/' + name, body=body, headers={'Content-Type': 'application/json', **{k.replace('_', '-'): v for k, v in headers.items()}})
        answer = c.getresponse()
        answer.read()
        return answer.status
    finally:
        c.close()


def listening(d):
    """The port of its http door."""
    return int(re.search(r'http="?127\.0\.0\.1:(\d+)', d.log(False))[1])


def mac(body):
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize('kind, headers', [
    ('github', lambda b: {'X_Hub_Signature_256': 'sha256=' + mac(b), 'X_GitHub_Event': 'push'}),
    ('gitlab', lambda b: {'X_Gitlab_Token': SECRET, 'X_Gitlab_Event': 'Push Hook'}),
    ('gitea', lambda b: {'X_Gitea_Signature': mac(b), 'X_Gitea_Event': 'push'}),
    ('generic', lambda b: {'X_Signature': 'sha256=' + mac(b)}),
])
def test_a_signed_webhook_is_a_hint_to_poll(daemon, make_repo, live, git_http, tmp_path, kind, headers):
    repo = make_repo()
    hook = tmp_path / 'hook'
    hook.write_text(SECRET + '\n')
    hook.chmod(0o600)
    # nothing polls by time
    d = daemon([document('Daemon', 'test', http={'listen': '127.0.0.1:0'}),
                source(git_http.url(repo), interval='0s', webhook={'type': kind, 'secret': {'file': str(hook)}}), app(live.path)])
    port = listening(d)
    d.until(lambda: d.request('GET', '/readyz')[0] == 200, 'the source was tried once')
    head = repo.commit({'web.yaml': WEB})
    body = json.dumps({'ref': 'refs/heads/main', 'after': head}).encode()
    polls = len(git_http.polls())
    wrong = {k: v[:-1] + ('0' if v[-1] != '0' else '1') for k, v in headers(body).items()}
    assert send(port, 'fleet', body, **wrong) == 403
    assert send(port, 'fleet', body) == 403
    assert send(port, 'nobody', body, **headers(body)) == 404
    if kind != 'gitlab':
        assert send(port, 'fleet', body + b' ', **headers(body)) == 403
    assert len(git_http.polls()) == polls and live.names() == []
    assert send(port, 'fleet', body, **headers(body)) == 202
    d.wait(head)
    assert live.names() == ['Deployment/web']


def test_what_http_gives_to_whom(daemon, make_repo, live, tmp_path):
    repo = make_repo()
    token = tmp_path / 'token'
    token.write_text('read-token-0123456789\n')
    token.chmod(0o600)
    d = daemon([document('Daemon', 'test', http={'listen': '127.0.0.1:0', 'readToken': {'file': str(token)}}), source(repo.bare), app(live.path)])
    d.wait(repo.commit({'cm.yaml': CM}))
    port = listening(d)

    def ask(method, path, **headers):
        c = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
        try:
            c.request(method, path, headers=headers)
            answer = c.getresponse()
            return answer.status, answer.read().decode()
        finally:
            c.close()
    assert [ask('GET', p)[0] for p in ('/healthz', '/readyz', '/metrics')] == [200, 200, 200]
    assert 'leeboard_renders_total{app="web",result=' in ask('GET', '/metrics')[1]
    assert ask('GET', '/api/v1/status')[0] == 401 and ask('GET', '/api/v1/status', Authorization='Bearer other')[0] == 401
    status, text = ask('GET', '/api/v1/status', Authorization='Bearer read-token-0123456789')
    assert status == 200 and json.loads(text)['kind'] == 'StatusList'
    assert ask('POST', '/api/v1/apps/web/sync', Authorization='Bearer read-token-0123456789')[0] == 403
