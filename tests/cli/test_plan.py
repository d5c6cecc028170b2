"""leeboard plan, diff, approve, as interface.md 4.3, 4.4 and 4.11 draw them."""
import os
import pty
import subprocess

from daemon import commit, doc, error, plan


def obj(kind, name, ns='shop', group=''):
    o = {'version': 'v1', 'kind': kind, 'name': name}
    if group:
        o['group'] = group
    if ns:
        o['namespace'] = ns
    return o


ANA = {'author': 'ana@example.org', 'signer': 'ana@example.org'}
DELETED = ([obj('Deployment', 'importer', group='apps'), obj('Service', 'importer')]
           + [obj('ConfigMap', 'importer-%d' % i) for i in range(12)])
PLAN = doc(
    'Plan', id=plan('6b1f0c9d8e7f'), app='shop', **{'from': commit('77be012')}, to=commit('3f2a91c'), waves=2, writes=3,
    counts={'create': 1, 'change': 2, 'recreate': 1, 'delete': 14, 'none': 16},
    changedBy={'commit': commit('8c41d0e'), 'subject': 'drop the old importer', **ANA},
    waiting=[{'reason': 'prune-limit', 'message': '14 deletions (limit 10)'}, {'reason': 'recreate', 'message': '1 recreation'}],
    steps=[
        {'wave': 1, 'action': 'create', 'object': obj('Deployment', 'importer2', group='apps')},
        {'wave': 1, 'action': 'change', 'object': obj('ConfigMap', 'settings'), 'fields': [
            {'path': '.data["workers"]', 'git': '8', 'live': '4', 'applied': '4', 'class': 'change',
             'origin': {'file': 'apps/shop/base/settings.yaml', 'line': 9}}]},
        {'wave': 2, 'action': 'change', 'object': obj('Deployment', 'shop', group='apps'), 'fields': [
            {'path': '.spec.template.spec.containers[name="shop"].image', 'git': 'shop:2.0', 'applied': 'shop:1.9', 'class': 'change'},
            {'path': '.spec.replicas', 'git': 3, 'live': 5, 'applied': 3, 'class': 'drift',
             'writer': {'manager': 'kubectl-edit', 'operation': 'Update', 'lastActive': '2026-11-22T13:40:07Z'}}]},
        {'wave': 2, 'action': 'recreate', 'object': obj('Job', 'migrate', group='batch'), 'why': '.spec.template is immutable',
         'cascades': 'deletes 1 finished pod with it', 'consent': True},
    ] + [{'wave': 2, 'action': 'delete', 'object': o} for o in DELETED])

SCREEN = '''\
shop at 3f2a91c   now at 77be012   changed for shop by 8c41d0e "drop the old importer" (ana@example.org, signed)
  + create     Deployment shop/importer2
  ~ change     ConfigMap shop/settings  .data["workers"]  "4" -> "8"  apps/shop/base/settings.yaml:9
  ~ change     Deployment shop/shop     .spec.template.spec.containers[name="shop"].image  shop:1.9 -> shop:2.0
                                        .spec.replicas  3 -> 3, live 5 since 13:40 (kubectl-edit): restored by this sync
  ! recreate   Job shop/migrate         .spec.template is immutable; deletes 1 finished pod with it; needs consent
  - delete     14 objects: Deployment importer, Service importer, 12 ConfigMap importer-*
  = unchanged  16 objects
2 waves, 3 writes, 1 recreation, 14 deletions after health. Waits for you: 14 deletions (limit 10), 1 recreation.
Plan 6b1f0c9d8e7f. All of it: leeboard approve shop --plan 6b1f0c9d8e7f
'''


def test_a_plan_says_field_by_field_what_would_happen(client, daemon):
    daemon.answers['GET /api/v1/plan/shop'] = (200, 1, PLAN)
    assert client.screen('plan', 'shop') == (1, SCREEN)
    daemon.answers['GET /api/v1/plan/shop?rev=v2'] = (200, 1, PLAN)
    assert client.screen('plan', 'shop', '--rev', 'v2') == (1, SCREEN)
    assert client.screen('plan', 'shop', '-o', 'name') == (1, PLAN['id'] + '\n')


def test_a_plan_without_steps_is_nothing_to_do(client, daemon):
    daemon.answers['GET /api/v1/plan/web'] = doc('Plan', id=plan('aa'), app='web', **{'from': commit('3f2a91c')}, to=commit('3f2a91c'),
                                                 counts={'none': 11}, steps=[])
    assert client.screen('plan', 'web') == (0, 'web at 3f2a91c\n  = unchanged  11 objects\nnothing to do\n')


def test_an_app_with_a_namespace_is_one_part_of_the_path(client, daemon):
    daemon.answers['GET /api/v1/plan/team%2Fweb'] = doc('Plan', id=plan('aa'), app='team/web', to=commit('3f2a91c'), counts={}, steps=[])
    assert client.run('plan', 'team/web').returncode == 0


DIFF = doc('Diff', app='web', **{'from': commit('77be012')}, to=commit('3f2a91c'), differ=2, same=9, items=[
    {'object': obj('Deployment', 'web', group='apps'), 'action': 'change', 'fields': [
        {'path': '.spec.template.spec.containers[name="web"].image', 'applied': 'acme/web:2.4.0', 'git': 'acme/web:2.4.1', 'class': 'change',
         'origin': {'file': 'apps/web/overlays/prod/kustomization.yaml', 'line': 14}}]},
    {'object': obj('Secret', 'web-tls'), 'action': 'change', 'fields': [
        {'path': '.data["tls.key"]', 'redacted': True, 'applied': {'$hash': '9f31c2aa' * 8}, 'git': {'$hash': '01be77d0' * 8}}]}])


def test_two_revisions_are_compared(client, daemon):
    daemon.answers['GET /api/v1/diff/web?from=77be012&to=3f2a91c'] = (200, 1, DIFF)
    assert client.screen('diff', 'web', '77be012..3f2a91c') == (1, '''\
Deployment shop/web
  .spec.template.spec.containers[name="web"].image
    - acme/web:2.4.0
    + acme/web:2.4.1            apps/web/overlays/prod/kustomization.yaml:14
Secret shop/web-tls
  .data["tls.key"]  changed  <redacted:9f31c2aa> -> <redacted:01be77d0>
2 objects differ, 9 do not
''')


def test_revisions_by_number_come_from_history(client, daemon):
    items = [{'app': 'web', 'number': 9 - i, 'revision': {'commit': c}} for i, c in
             enumerate([commit('3f2a91c'), commit('3f2a91c'), commit('77be012')])]
    for n in (20, 24):
        daemon.answers['GET /api/v1/history?app=web&n=%d' % n] = doc('History', items=items)
    daemon.answers['GET /api/v1/diff/web?from=%s&to=%s' % (commit('77be012'), commit('3f2a91c'))] = (200, 1, DIFF)
    assert client.run('diff', 'web', '@1..@0').returncode == 1
    daemon.answers['GET /api/v1/history?app=web&n=28'] = doc('History', items=items)
    p = client.run('diff', 'web', '@2..@0')
    assert (p.returncode, p.stderr) == (2, "'web' has no sync '@2': there are 2 revisions\n")


def test_against_live_each_side_is_told_when_asked(client, daemon):
    daemon.answers['GET /api/v1/diff/mail'] = (200, 1, doc('Diff', app='mail', **{'from': commit('3f2a91c')}, differ=2, same=1, items=[
        {'object': obj('Deployment', 'mail', 'mail', 'apps'), 'action': 'change', 'fields': [
            {'path': '.spec.replicas', 'git': 3, 'live': 5, 'applied': 3, 'class': 'drift',
             'writer': {'manager': 'kubectl-edit', 'lastActive': '2026-11-22T13:40:07Z'}}]},
        {'object': obj('ConfigMap', 'new', 'mail'), 'action': 'create'}]))
    assert client.screen('diff', 'mail', '--why') == (1, '''\
Deployment mail/mail
  .spec.replicas
    - 5
    + 3
    drift: git 3, applied 3, live 5 since 13:40 (kubectl-edit)
ConfigMap mail/new  only in Git
2 objects differ, 1 does not
''')


def approvable(daemon):
    daemon.answers['GET /api/v1/plan/shop'] = (200, 1, PLAN)
    daemon.answers['POST /api/v1/apps/shop/approve'] = doc('Approval', app='shop', plan=PLAN['id'], by='ana', uid=1000)
    daemon.answers['POST /api/v1/apps/shop/sync'] = doc(
        'SyncResult', app='shop', outcome='healthy', revision={'commit': commit('3f2a91c')}, took=38.4,
        counts={'created': 1, 'changed': 2, 'recreated': 1, 'deleted': 14}, exit=0)


END = '''\
approved by ana (uid 1000)
shop is healthy at 3f2a91c after 38 s: 1 created, 2 changed, 1 recreated, 14 deleted
'''


def test_approving_asks_for_the_apps_name_and_follows_the_sync(client, daemon):
    approvable(daemon)
    ours, theirs = pty.openpty()
    p = subprocess.Popen([os.path.join(os.environ.get('LEEBOARD_BUILD') or os.path.join(os.path.dirname(__file__), '..', '..', 'build'), 'leeboard'),
                          'approve', 'shop', '--reason', 'the importer is gone'], env=client.env, stdin=theirs, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    os.write(ours, b'shop\n')
    out, err = p.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert (p.returncode, out) == (0, END)
    assert err == SCREEN + "shop plan 6b1f0c9d8e7f. Type the app's name to approve: "
    assert ('POST', '/api/v1/apps/shop/approve', {'plan': PLAN['id'], 'reason': 'the importer is gone'}) in daemon.asked
    assert ('POST', '/api/v1/apps/shop/sync', {'wait': True, 'reason': 'the importer is gone'}) in daemon.asked


def test_a_named_plan_is_approved_without_asking_and_no_other(client, daemon):
    approvable(daemon)
    assert client.screen('approve', 'shop', '--plan', '6b1f0c9d8e7f') == (0, END)
    p = client.run('approve', 'shop', '--plan', '6b1f0c9d8e70')
    assert (p.returncode, p.stdout, p.stderr) == (6, '', "the plan of 'shop' is 6b1f0c9d8e7f now, not 6b1f0c9d8e70\n  hint: leeboard plan shop\n")
    p = client.run('approve', 'shop', '--plan', '6b1f0c')
    assert (p.returncode, p.stderr) == (2, "'--plan' needs at least 12 digits of the plan's id\n")
    assert [a for a in daemon.asked if a[0] == 'POST'][2:] == []


def test_nobody_to_ask_means_nothing_is_approved(client, daemon):
    approvable(daemon)
    p = client.run('approve', 'shop')
    assert (p.returncode, p.stdout) == (2, '')
    assert p.stderr == SCREEN + 'nobody is there to ask\n  hint: --yes answers without asking\n'
    assert not [a for a in daemon.asked if a[0] == 'POST']


def test_a_plan_that_changed_meanwhile_needs_a_new_approval(client, daemon):
    approvable(daemon)
    daemon.answers['POST /api/v1/apps/shop/approve'] = (409, 6, error('plan-changed', 'the plan is 99aa now'))
    p = client.run('approve', 'shop', '--yes')
    assert (p.returncode, p.stdout, p.stderr) == (6, '', 'the plan is 99aa now\n')
