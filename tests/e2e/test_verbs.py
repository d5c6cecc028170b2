"""What people type, against a real daemon: each screen is made from what it really says."""
import re
import ssl
import urllib.error
import urllib.request

from daemon import app, source
from folder import config, manifest, workload

AGE = r'(just now|now|\d+ (ms|s|min))'


def shown(said, exit, *patterns):
    assert said.exit == exit, said
    for p in patterns:
        assert re.search(p, said.out, re.M), '%r is not in\n%s' % (p, said)
    return said.out


def test_a_story_from_the_first_commit_to_an_approved_deletion(daemon, make_repo, live):
    repo = make_repo()
    many = {'imp/%02d.yaml' % i: manifest(config('importer-%02d' % i, namespace='shop')) for i in range(14)}
    repo.commit({'web.yaml': manifest(config('web', {'level': 'info'}, namespace='shop'), workload('web', namespace='shop')), **many}, 'web: first')
    d = daemon([source(repo.bare), app(live.path, name='shop', drift={'mode': 'detect'})])
    first = repo.head
    shown(d.cli('wait', '--commit', first[:10], '--timeout', '20s'), 0, '^%s  accepted' % first[:7], '^  shop   healthy', '^done')
    shown(d.cli('status'), 0, r'^test   1 source, 1 app, 16 objects   last poll ', r'^fleet +main +%s +%s +\S+ +Ready$' % (first[:7], AGE),
          r'^shop +%s +Synced +\w+ +- +%s$' % (first[:7], AGE))
    shown(d.cli('status', 'shop'), 0, r'^shop   Synced at %s "web: first" \(' % first[:7], r'^Source   fleet  main', r'Target  %s$' % re.escape(str(live.path)))
    shown(d.cli('status', 'fleet'), 0, r'^fleet   Ready   ', r'^Accepted %s "web: first"' % first[:7], r'^Apps     shop$')
    assert d.cli('status', '--exit-code').exit == 0
    assert d.cli('status', '-o', 'name').out == 'source/fleet\napp/shop\n'
    shown(d.cli('graph', 'shop'), 0, r'^shop at %s$' % first[:7], r'^wave 1$', r'^  Deployment shop/web$')
    shown(d.cli('plan', 'shop'), 0, r'^  = unchanged  16 objects$', r'^nothing to do$')
    assert d.cli('diff', 'shop').out == 'no difference\n'

    # A change is followed to its end, and seen in history and between the two revisions.
    second = repo.commit({'web.yaml': manifest(config('web', {'level': 'info', 'workers': '8'}, namespace='shop'), workload('web', namespace='shop', replicas=3))},
                         'web: three')
    synced = d.cli('sync', 'shop')
    shown(synced, 0, r'^shop is healthy at %s after .*: (2 changed|0 writes|16 unchanged)' % second[:7])
    d.wait(second)
    out = shown(d.cli('history', 'shop'), 0, r'^ +2  %s .* Healthy +0 +2 +0 ' % second[:7], r'^ +1  %s .* Healthy +16 +0 +0 ' % first[:7])
    assert out.splitlines()[0].split()[:3] == ['#', 'REVISION', 'WHEN']
    shown(d.cli('diff', 'shop', '@1..@0'), 1, r'^Deployment shop/web\n  \.spec\.replicas\n    - 1\n    \+ 3  +web\.yaml:\d+$', r'^2 objects differ, 14 do not$')
    shown(d.cli('why', 'deploy/web', '.spec.replicas', '-n', 'shop'), 0, r'^  git    3   web\.yaml:\d+$', r'^  live   3$', r'^  applied 3  with %s' % second[:7])
    shown(d.cli('verify', 'fleet'), 0, r'%s  \S+ +web: three$' % second[:7])

    # Drift is shown, exported, and undone only when asked.
    before = d.mark()
    live.edit('ConfigMap/shop/web', lambda o: o['data'].update(level='trace'))
    d.event('drift.found', since=before)
    shown(d.cli('drift'), 1, r'^cm/web \(shop\) +\.data\S*level\S* +"?info"? +"?trace"? ', r"^shop is in 'detect': nothing was changed back$")
    assert 'level: trace' in d.cli('drift', 'shop', '--export').out
    shown(d.cli('status', '--exit-code'), 1, r'^shop .* 1 field ')
    shown(d.cli('drift', 'shop', '--heal'), 0, r'^shop is healthy at %s.*1 changed' % second[:7])
    d.wait_for('no-drift')
    assert d.cli('drift').out == 'no drift\n'
    shown(d.cli('events', '--type', 'drift.*'), 0, r'warn   drift\.found +shop ', r'info   drift\.healed +shop ')

    # A commit that deletes too much waits for a person, who approves exactly that plan.
    third = repo.commit({name: None for name in many}, 'drop the importer')
    shown(d.cli('wait', '--commit', third, '--timeout', '20s'), 6, r'^  shop   waiting')
    shown(d.cli('status'), 0, r'^shop .* Waiting .* prune-limit$', r'^Needs you:\n  shop  .*leeboard approve shop --plan [0-9a-f]{12}$')
    plan = shown(d.cli('plan', 'shop'), 1, r'^  - delete     14 objects: 14 ConfigMap importer-\*$')
    number = re.search(r'approve shop --plan ([0-9a-f]{12})$', plan, re.M)[1]
    wrong = d.cli('approve', 'shop', '--plan', '0' * 12)
    assert wrong.exit == 6 and "the plan of 'shop' is %s now" % number in wrong.err
    shown(d.cli('approve', 'shop', '--plan', number, '--reason', 'the importer is gone'), 0, r'^approved by \S+ \(uid \d+\)$', r'^shop is healthy at %s' % third[:7])
    d.wait(third)
    assert len(live.names()) == 2
    assert d.events('person.approved')[-1]['data']['reason'] == 'the importer is gone'
    shown(d.cli('suspend', 'app/shop', '--reason', 'done', '--for', '1h'), 0, r'^shop   Suspended at ', r'^Next: leeboard resume ')
    shown(d.cli('resume', 'app/shop'), 0, r'^shop   \w+')
    shown(d.cli('reload'), 0, r'^3 documents in force, nothing changed$')
    shown(d.cli('version', '--server'), 0, r'^leeboard \S+.*, instance test, up ')
    assert d.cli('dump', 'shop', '-o', 'json').json['kind'] == 'Dump'


def test_a_name_that_is_not_there_is_said_by_every_verb(daemon, make_repo, live):
    repo = make_repo()
    repo.commit({'web.yaml': manifest(config('web'))})
    d = daemon([source(repo.bare), app(live.path, name='web')])
    d.wait(repo.head)
    for argv in (['plan', 'wbe'], ['diff', 'wbe'], ['sync', 'wbe'], ['history', 'wbe'], ['drift', 'wbe'], ['drift', 'wbe', '--heal'], ['approve', 'wbe', '--yes'],
                 ['dump', 'wbe'], ['graph', 'wbe'], ['status', 'wbe'], ['verify', 'wbe'], ['suspend', 'wbe', '--reason', 'x']):
        said = d.cli(*argv)
        assert said.exit == 2 and said.out == '' and re.match(r"no (App|Source|App or Source) 'wbe'", said.err), (argv, said)
        as_json = d.cli(*argv, '-o', 'json')
        assert as_json.json['kind'] == 'Error' and as_json.err == ''


def read_over_http(d, scheme, path, token=None, tls=None, method='GET'):
    port = re.search(r' http=127\.0\.0\.1:(\d+) ', d.log(False))[1]
    request = urllib.request.Request('%s://localhost:%s%s' % (scheme, port, path), method=method, data=b'{}' if method == 'POST' else None)
    if token:
        request.add_header('Authorization', 'Bearer ' + token)
    context = None
    if tls:
        context = ssl.create_default_context(cafile=tls.ca)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=30) as r:
            return r.status, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def test_over_http_people_read_with_the_token_and_nobody_acts(daemon, make_repo, live, tmp_path):
    repo = make_repo()
    repo.commit({'web.yaml': manifest(config('web'))})
    token = tmp_path / 'token'
    token.write_text('open sesame\n')
    token.chmod(0o600)
    d = daemon([source(repo.bare), app(live.path)], spec={'http': {'listen': '127.0.0.1:0', 'readToken': {'file': str(token)}}})
    d.wait(repo.head)
    port = re.search(r' http=127\.0\.0\.1:(\d+) ', d.log(False))[1]
    away = ('--server', 'http://127.0.0.1:' + port)
    shown(d.cli('status', *away, '--token-file', token), 0, r'^web +%s +Synced ' % repo.head[:7])
    shown(d.cli('wait', '--commit', repo.head, *away, '--token-file', token), 0, r'^done')
    said = d.cli('status', *away)
    assert said.exit == 2 and 'this needs the read token' in said.err
    said = d.cli('sync', 'web', *away, '--token-file', token)
    assert said.exit == 3 and said.err.endswith('acting is for the control socket, not for http yet\n')
    assert read_over_http(d, 'http', '/healthz') == (200, 'ok\n')
    assert read_over_http(d, 'http', '/readyz') == (200, 'ready\n')
    status, metrics = read_over_http(d, 'http', '/metrics')
    assert status == 200 and 'leeboard_objects{' in metrics
    assert 'open sesame' not in d.log()


def test_over_https_the_certificate_of_the_document_is_shown(daemon, make_repo, live, git_tls):
    repo = make_repo()
    repo.commit({'web.yaml': manifest(config('web'))})
    d = daemon([source(repo.bare), app(live.path)],
               spec={'http': {'listen': '127.0.0.1:0', 'tls': {'cert': {'file': git_tls.cert}, 'key': {'file': git_tls.key}}}})
    d.wait(repo.head)
    status, text = read_over_http(d, 'https', '/api/v1/status', tls=git_tls)
    assert status == 200 and '"kind":"StatusList"' in text
    assert read_over_http(d, 'https', '/api/v1/reload', tls=git_tls, method='POST')[0] == 403
