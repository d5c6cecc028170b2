"""Stories of the command: what a person sees and what a pipeline gets, by exit status."""
import re

from daemon import app, signed, source
from folder import config, manifest, workload

WEB = manifest(workload('web', replicas=2))
CM = manifest(config('settings', {'level': 'info', 'workers': '4'}))


def test_status_history_diff_plan_and_why_name_what_they_should(daemon, make_repo, live, git_keys, tmp_path):
    ana = git_keys('ana@example.org')
    repo = make_repo(key=ana)
    d = daemon([source(repo.bare, verify=signed(ana.allowed(), folder=tmp_path)), app(live.path, path='apps/web', drift={'mode': 'detect'})])
    first = repo.commit({'apps/web/web.yaml': WEB, 'apps/web/cm.yaml': CM}, 'web: first')
    d.wait(first)
    second = repo.commit({'apps/web/cm.yaml': CM.replace("'4'", "'8'")}, 'web: more workers')
    d.wait(second)

    said = d.cli('status')
    assert said.exit == 0 and re.search(r'^fleet +main +%s .*ana@example.org +Ready' % second[:7], said.out, re.M), said
    assert re.search(r'^web +%s +Synced' % second[:7], d.cli('status', '-a').out, re.M)
    assert d.cli('status', '-o', 'json').json['kind'] == 'StatusList'
    one = d.cli('status', 'web')
    assert one.exit == 0 and 'Synced at %s "web: more workers"' % second[:7] in one.out, one

    said = d.cli('history', 'web')
    assert [re.search(h[:7], line) is not None for h, line in zip((second, first), said.out.splitlines()[1:])] == [True, True], said
    assert 'ana@example.org' in said.out and 'web: more workers' in said.out

    said = d.cli('diff', 'web', '%s..%s' % (first[:7], second[:7]))
    assert said.exit == 1 and '.data.workers' in said.out and re.search(r'- "?4"?\b', said.out) and re.search(r'\+ "?8"?\b', said.out), said
    assert 'apps/web/cm.yaml:%d' % (1 + CM[:CM.index('workers')].count('\n')) in said.out
    same = d.cli('diff', 'web')
    assert same.exit == 0, same

    live.edit('Deployment/web', lambda o: o['spec'].update(replicas=5))
    d.event('drift.found')
    said = d.cli('diff', 'web')
    assert said.exit == 1 and '.spec.replicas' in said.out, said
    said = d.cli('drift')
    assert said.exit == 1 and re.search(r'deploy/web \(web\) +\.spec\.replicas +2 +5', said.out), said
    said = d.cli('why', 'deploy/web', '.spec.replicas')
    line = 1 + WEB[:WEB.index('replicas')].count('\n')
    assert said.exit == 0 and 'apps/web/web.yaml:%d' % line in said.out and re.search(r'git +2', said.out) and re.search(r'live +5', said.out), said
    assert first[:7] in said.out and 'web: first' in said.out, said
    said = d.cli('plan', 'web')
    assert said.exit in (0, 1) and second[:7] in said.out, said
    assert d.cli('status', '--exit-code').exit == 1
    export = d.cli('drift', 'web', '--export')
    assert export.exit == 0 and 'replicas: 5' in export.out, export


def test_plan_shows_what_a_revision_would_do_and_writes_nothing(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit({'web.yaml': WEB, 'cm.yaml': CM, 'old.yaml': manifest(config('old'))}))
    d.post('apps/web/suspend', reason='look first')
    last = repo.commit({'web.yaml': WEB.replace('app:1', 'app:2'), 'old.yaml': None, 'new.yaml': manifest(config('new'))})
    d.event('source.accepted', lambda e: e['revision'] == last)
    before = live.snapshot()
    said = d.cli('plan', 'web', '--rev', last)
    assert said.exit == 1, said
    assert re.search(r'\+ create +ConfigMap .*new', said.out) and re.search(r'- delete .*old', said.out), said
    assert re.search(r'~ change +Deployment .*web +\.spec\.template\.spec\.containers\[name="app"\]\.image +"?example.test/app:1"? -> "?example.test/app:2"?', said.out), said
    counts = d.cli('plan', 'web', '--rev', last, '-o', 'json').json['counts']
    assert (counts['create'], counts['change'], counts['delete']) == (1, 1, 1)
    assert live.snapshot() == before


def test_exit_statuses_of_wait(daemon, make_repo, live, git_keys, tmp_path):
    ana = git_keys('ana@example.org')
    repo = make_repo(key=ana)
    files = {'c%02d.yaml' % i: manifest(config('c%02d' % i)) for i in range(12)}
    d = daemon([source(repo.bare, verify=signed(ana.allowed(), folder=tmp_path)), app(live.path)])

    def wait(commit, *more):
        return d.cli('wait', '--commit', commit, '--timeout', '20s', *more)
    first = repo.commit({**files, 'web.yaml': WEB})
    said = wait(first)
    assert said.exit == 0 and re.search(r'web +healthy', said.out + said.err) or 'web' in said.out, said
    assert wait(first[:10]).exit == 0
    refused = repo.commit({'web.yaml': WEB.replace('replicas: 2', 'replicas: 3')}, key=None)
    said = wait(refused)
    assert said.exit == 3 and 'not signed' in said.out + said.err, said
    failed = repo.commit({'web.yaml': 'a: [\n'})
    assert wait(failed).exit == 4
    waits = repo.commit({**{k: None for k in files}, 'web.yaml': WEB})
    assert wait(waits).exit == 6
    back = repo.revert('HEAD', push=False)
    fixed = repo.commit({'web.yaml': WEB})
    assert wait(fixed).exit == 0
    said = wait(waits)
    assert said.exit == 5 and fixed[:7] in said.out + said.err, said
    assert wait(waits, '--or-newer').exit == 0
    assert back
    assert d.cli('wait', '--commit', '0' * 40, '--timeout', '1s').exit == 7
    assert d.cli('wait', '--commit', 'xyz').exit == 2
    assert d.cli('wait', 'web', '--for', 'synced', '--timeout', '10s').exit == 0
    said = d.cli('wait', 'nobody', '--for', 'synced')
    assert said.exit == 2 and 'nobody' in said.err, said


def test_sync_follows_to_the_end(daemon, make_repo, live, git_http):
    repo = make_repo()
    repo.commit({'web.yaml': WEB, 'cm.yaml': CM})
    d = daemon([source(git_http.url(repo), interval='1h'), app(live.path)])
    d.wait(repo.head)
    last = repo.commit({'cm.yaml': CM.replace('info', 'debug')}, 'web: debug')
    said = d.cli('sync', 'web')
    assert said.exit == 0 and last[:7] in said.out + said.err and '1 changed' in said.out + said.err, said
    assert live.get('ConfigMap/settings')['data']['level'] == 'debug'
    bad = repo.commit({'cm.yaml': 'a: [\n'})
    said = d.cli('sync', 'web')
    assert said.exit == 4 and 'cm.yaml' in said.out + said.err and bad[:7] in said.out + said.err, said


def test_verify_graph_events_and_the_rest_answer(daemon, make_repo, live, git_keys, tmp_path):
    ana = git_keys('ana@example.org')
    repo = make_repo(key=ana)
    d = daemon([source(repo.bare, verify=signed(ana.allowed(), folder=tmp_path)), app(live.path)])
    first = repo.commit({'web.yaml': WEB, 'ns.yaml': manifest({'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'shop'}})}, 'web: first')
    d.wait(first)
    bad = repo.commit({'web.yaml': WEB.replace('app:1', 'app:2')}, 'hotfix', key=None)
    d.wait(bad, exit=3)
    said = d.cli('verify', 'fleet')
    assert said.exit == 1 and re.search(r'^good +%s +ana@example.org +SHA256:' % first[:7], said.out, re.M), said
    assert re.search(r'^REFUSED +%s .*not signed' % bad[:7], said.out, re.M), said
    said = d.cli('graph', 'web')
    assert said.exit == 0 and said.out.index('Namespace') < said.out.index('Deployment'), said
    said = d.cli('events', '--type', 'source.*')
    assert said.exit == 0 and 'source.refused' in said.out and 'sync.finished' not in said.out, said
    assert d.cli('version', '--server').exit == 0
    assert d.cli('dump', 'web').exit == 0
    said = d.cli('reload')
    assert said.exit == 0, said
    said = d.cli('status', 'wbe')
    assert said.exit == 2 and "did you mean 'web'" in said.err, said
    d.stop()
    said = d.cli('status')
    assert said.exit == 2 and "leeboard run" in said.err, said
