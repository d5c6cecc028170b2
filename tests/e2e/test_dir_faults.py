"""Stories of servers that misbehave: a Git server that hangs, truncates, redirects, lies; a folder that cannot be written."""
import os

import pytest

from daemon import alert, app, source
from folder import manifest, same, workload

WEB = manifest(workload('web', replicas=2))


def replicas(n):
    return WEB.replace('replicas: 2', 'replicas: %d' % n)


@pytest.mark.parametrize('kind, options, reason', [
    ('hang', {}, None),
    ('drop', {}, None),
    ('error', {'status': 503}, 'Unreachable'),
    ('garbage', {}, None),
    ('truncate', {'after': 20}, None),
    ('error', {'status': 404}, None),
])
def test_a_git_server_that_misbehaves_is_said_once_and_waited_out(daemon, make_repo, live, git_http, receiver, kind, options, reason):
    repo, r = make_repo(), receiver()
    repo.commit({'web.yaml': WEB})
    d = daemon([source(git_http.url(repo), timeout='1s'), app(live.path), alert(r)], spec={'unreachableAfter': '1s'})
    d.wait(repo.head)
    git_http.misbehave(kind, **options)
    told = r.wait_event('source.unreachable')
    assert told.event['severity'] == 'warn' and told.data['message']
    shown = d.source()
    assert shown['state'] == 'Stalled' and shown['message'] and (reason is None or shown['reason'] == reason)
    # what is live is still watched and healed
    live.edit('Deployment/web', lambda o: o['spec'].update(replicas=7))
    r.wait_event('drift.healed')
    last = repo.commit({'web.yaml': replicas(3)})
    git_http.well()
    d.wait(last)
    recovered = r.wait_event('source.recovered')
    assert recovered.event['incident'] == told.event['incident']
    assert live.get('Deployment/web')['spec']['replicas'] == 3
    assert r.names().count('source.unreachable') == 1


def test_a_pack_that_is_cut_short_is_fetched_again(daemon, make_repo, live, git_http):
    repo = make_repo()
    d = daemon([source(git_http.url(repo)), app(live.path)])
    d.wait(repo.commit({'web.yaml': WEB}))
    git_http.misbehave('truncate', when=lambda r: r.command == 'fetch', after=1500, times=2)
    last = repo.commit({'web.yaml': replicas(3), 'blob': os.urandom(30000).hex()})
    d.wait(last, timeout=60)
    assert live.get('Deployment/web')['spec']['replicas'] == 3
    assert len([r for r in git_http.requests if r.command == 'fetch' and r.sent == 1500]) == 2


def test_a_fetch_that_hangs_ends_at_its_time_and_a_stop_does_not_wait_for_it(daemon, make_repo, live, git_http):
    repo = make_repo()
    d = daemon([source(git_http.url(repo), timeout='1s'), app(live.path)])
    d.wait(repo.commit({'web.yaml': WEB}))
    git_http.misbehave('hang', when=lambda r: r.command == 'fetch')
    last = repo.commit({'web.yaml': replicas(3)})
    d.until(lambda: d.source()['state'] == 'Stalled', 'stalled', timeout=40)
    git_http.well()
    d.wait(last)
    assert live.get('Deployment/web')['spec']['replicas'] == 3


def test_a_slow_server_is_waited_for(daemon, make_repo, live, git_http):
    repo = make_repo()
    d = daemon([source(git_http.url(repo)), app(live.path)])
    git_http.misbehave('slow', when=lambda r: r.command == 'fetch', rate=40000)
    d.wait(repo.commit({'web.yaml': WEB, 'blob': os.urandom(20000).hex()}))
    assert same(live, repo)


def test_a_redirect_to_another_host_is_not_followed(daemon, make_repo, live, git_http, git_https):
    repo = make_repo()
    repo.commit({'web.yaml': WEB})
    d = daemon([source(git_http.url(repo), auth={'basic': {'username': 'bot', 'password': {'env': 'GIT_PASSWORD'}}}), app(live.path)],
               env={'GIT_PASSWORD': 'hunter2-hunter2'})
    d.wait(repo.head)
    git_http.misbehave('redirect', to=git_https.base, status=301)
    repo.commit({'web.yaml': replicas(3)})
    d.until(lambda: d.source()['state'] == 'Stalled', 'stalled')
    assert d.source()['reason'] == 'Redirected' and '127.0.0.1:%d' % git_https.port in d.source()['message']
    assert git_https.requests == [] and git_https.connections == 0
    git_http.well()
    d.post('sources/fleet/poll', wait=True)
    d.wait(repo.head)


def test_a_branch_that_is_gone_is_said(daemon, make_repo, live, git_http):
    repo = make_repo()
    d = daemon([source(git_http.url(repo)), app(live.path)])
    d.wait(repo.commit({'web.yaml': WEB}))
    repo.git('push', '-q', 'origin', 'HEAD:refs/heads/kept')
    import subprocess
    subprocess.run(['git', '-C', repo.bare, 'update-ref', '-d', 'refs/heads/main'], check=True, env=repo.env)
    d.until(lambda: d.source()['state'] == 'Stalled', 'stalled')
    assert d.source()['reason'] == 'RefGone' and 'main' in d.source()['message']
    assert live.names() == ['Deployment/web']
    last = repo.commit({'web.yaml': replicas(3)})
    d.wait(last)


def test_a_path_that_is_not_there_names_what_is(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path, path='deply/web')])
    said = d.wait(repo.commit({'deploy/web/web.yaml': WEB}), exit=4)
    assert "'deply/web'" in said['items'][0]['message']


def test_a_folder_that_is_removed_is_made_again(daemon, make_repo, live):
    repo = make_repo()
    repo.commit({'web.yaml': WEB})
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.head)
    os.rename(live.path, live.path + '.away')
    d.event('drift.healed')
    d.wait(repo.commit({'web.yaml': replicas(3)}))
    assert live.get('Deployment/web')['spec']['replicas'] == 3 and same(live, repo)


def test_a_symlink_in_the_repository_leads_nowhere_outside(daemon, make_repo, live, tmp_path):
    repo = make_repo()
    outside = tmp_path / 'outside.yaml'
    outside.write_text(WEB)
    repo.write({'deploy/kustomization.yaml': 'resources: [web.yaml]\n'})
    os.symlink(str(outside), os.path.join(repo.work, 'deploy/web.yaml'))
    d = daemon([source(repo.bare), app(live.path, path='deploy')])
    d.wait(repo.commit(), exit=4)
    assert live.names() == []


def test_two_daemons_do_not_share_a_state_directory(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit({'web.yaml': WEB}))
    import subprocess
    p = subprocess.run([os.path.join(d.build, 'leeboard-controller'), '--socket', d.socket + '2', '--state', d.state, d.documents],
                       env=d.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert p.returncode == 2 and 'already used by process %d' % d.process.pid in p.stderr
