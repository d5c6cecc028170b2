"""Stories of trust: an unsigned tip is refused, the last good state stays, and what releases it."""
from daemon import alert, app, document, signed, source
from folder import config, manifest, same, workload

WEB = manifest(workload('web', replicas=2))


def three(n):
    return WEB.replace('replicas: 2', 'replicas: %d' % n)


def test_an_unsigned_tip_is_refused_and_released_by_a_good_one(daemon, make_repo, live, receiver, git_keys, tmp_path):
    ana, r = git_keys('ana@example.org'), receiver()
    repo = make_repo(key=ana)
    first = repo.commit({'web.yaml': WEB}, 'web')
    d = daemon([source(repo.bare, verify=signed(ana.allowed(), folder=tmp_path)), app(live.path), alert(r)])
    d.wait(first)
    accepted = d.source()['accepted']
    assert accepted['commit'] == first and accepted['signer'] == 'ana@example.org' and accepted['key'].startswith('SHA256:')

    bad = repo.commit({'web.yaml': three(9)}, 'hotfix', key=None)
    said = d.wait(bad, exit=3)
    assert said['outcome'] == 'refused' and bad[:7] in said['message'] and 'not signed' in said['message']
    told = r.wait_event('source.refused')
    assert (told.data['offered'], told.data['reason'], told.data['revision']) == (bad, 'Unsigned', first)
    assert told.data['release'] == 'leeboard allow fleet %s --reason TEXT' % bad[:7]
    assert told.event['severity'] == 'warn' and told.data['subject'] == 'hotfix'
    assert live.get('Deployment/web')['spec']['replicas'] == 2
    # what stays is watched and healed
    live.edit('Deployment/web', lambda o: o['spec'].update(replicas=5))
    r.wait_event('drift.healed')
    assert live.get('Deployment/web')['spec']['replicas'] == 2
    # asked again, and after a restart: it is not said again
    d.post('sources/fleet/poll', wait=True)
    d.restart()
    d.post('sources/fleet/poll', wait=True)
    assert d.source()['state'] == 'Refused' and d.source()['offered'] == bad

    good = repo.commit({'web.yaml': three(3)}, 'signed again')
    d.wait(good)
    assert live.get('Deployment/web')['spec']['replicas'] == 3 and same(live, repo)
    over = r.wait_event('source.released')
    assert over.event['incident'] == told.event['incident']
    assert r.names().count('source.refused') == r.names().count('source.released') == 1


def test_each_wrong_signature_is_refused_by_its_reason(daemon, make_repo, live, git_keys, tmp_path):
    ana, ben, old = git_keys('ana@example.org'), git_keys('ben@example.org'), git_keys('old@example.org')
    repo = make_repo(key=ana)
    first = repo.commit({'web.yaml': WEB})
    lines = [ana.allowed(), old.allowed('namespaces="git",valid-before="20200101Z"')]
    d = daemon([source(repo.bare, verify=signed(*lines, folder=tmp_path)), app(live.path)])
    d.wait(first)
    reasons = {}
    for name, make in (('stranger', lambda: repo.commit({'web.yaml': three(4)}, key=ben)),
                       ('expired', lambda: repo.commit({'web.yaml': three(5)}, key=old)),
                       ('altered', lambda: altered(repo))):
        bad = make()
        e = d.event('source.refused', lambda e, bad=bad: e['offered'] == bad)
        reasons[name] = e['data']['reason']
    assert reasons['stranger'] in ('KeyNotAllowed', 'UnknownKey', 'UnknownSigner') and reasons['expired'] == 'KeyExpired'
    assert reasons['altered'] in ('BadSignature', 'InvalidSignature', 'Invalid', 'MalformedObject'), reasons
    assert live.get('Deployment/web')['spec']['replicas'] == 2


def altered(repo):
    """A commit that carries the signature of another text."""
    good = repo.commit({'web.yaml': three(6)}, 'the text', push=False)
    text = repo.git('cat-file', 'commit', good)
    import subprocess
    made = subprocess.run(['git', 'hash-object', '-t', 'commit', '-w', '--stdin'], cwd=repo.work, env=repo.env, input=text.replace('the text', 'another') + '\n',
                          stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    repo.git('update-ref', 'refs/heads/main', made)
    repo.push()
    return made


def test_a_person_allows_a_refused_commit_and_only_that_one(daemon, make_repo, live, receiver, git_keys, tmp_path):
    ana, r = git_keys('ana@example.org'), receiver()
    repo = make_repo(key=ana)
    first = repo.commit({'web.yaml': WEB})
    d = daemon([source(repo.bare, verify=signed(ana.allowed(), folder=tmp_path)), app(live.path), alert(r)])
    d.wait(first)
    bad = repo.commit({'web.yaml': three(9)}, 'hotfix', key=None)
    d.wait(bad, exit=3)
    said = d.cli('allow', 'fleet', bad[:7], '--yes')
    assert said.exit == 2 and '--reason' in said.err
    said = d.cli('allow', 'fleet', bad[:7], '--reason', 'fire in the hall', '--yes')
    assert said.exit == 0, said
    d.wait(bad)
    assert live.get('Deployment/web')['spec']['replicas'] == 9
    by = r.wait_event('person.allowed')
    assert by.data['reason'] == 'fire in the hall' and by.data['commit'] == bad and by.data['by']
    r.wait_event('source.released')
    # the next one is asked again
    worse = repo.commit({'web.yaml': three(10)}, 'and another', key=None)
    d.wait(worse, exit=3)
    assert live.get('Deployment/web')['spec']['replicas'] == 9


def test_a_policy_gives_the_signers(daemon, make_repo, live, git_keys):
    ana, ben = git_keys('ana@example.org'), git_keys('ben@example.org')
    repo = make_repo(key=ben)
    first = repo.commit({'web.yaml': WEB})
    team = document('Policy', 'team', signers={'keys': [ana.allowed().strip(), ben.allowed().strip()]})
    docs = [source(repo.bare, verify={'mode': 'head', 'signersFrom': {'policy': 'team'}}), app(live.path)]
    d = daemon([team, *docs])
    d.wait(first)
    assert d.source()['accepted']['signer'] == 'ben@example.org'
    # ben leaves: what is live is said to be untrusted, and stays
    d.write([document('Policy', 'team', signers={'keys': [ana.allowed().strip()]}), *docs])
    d.reload()
    d.event('source.untrusted')
    assert live.get('Deployment/web')['spec']['replicas'] == 2
    refused = repo.commit({'web.yaml': three(3)})
    d.wait(refused, exit=3)
    d.wait(repo.commit({'web.yaml': three(4)}, key=ana))
    d.event('source.trusted')
    assert live.get('Deployment/web')['spec']['replicas'] == 4


def test_verification_that_is_off_is_shown(daemon, make_repo, live):
    repo = make_repo()
    d = daemon([source(repo.bare), app(live.path)])
    d.wait(repo.commit({'cm.yaml': manifest(config('c'))}))
    assert d.source()['verify']['mode'] == 'off' and 'signer' not in d.source()['accepted']
    assert d.events('source.accepted')[0]['data']['verify'] == 'off'
