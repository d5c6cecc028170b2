"""Verbs that need no daemon: graph DIR, init, completion, help, explain REASON, version; and starting the others."""
import json
import os
import re
import subprocess

from daemon import commit, doc

HERE = os.path.dirname(os.path.abspath(__file__))
MANIFESTS = '''\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "acme/web:1", envFrom: [{configMapRef: {name: web}}]}
'''


def folder(tmp_path):
    (tmp_path / 'deploy').mkdir(exist_ok=True)
    (tmp_path / 'deploy' / 'all.yaml').write_text(MANIFESTS)


def test_a_folder_is_shown_in_waves_with_the_reason_of_each_edge(client, tmp_path):
    folder(tmp_path)
    assert client.screen('graph', 'deploy') == (0, '''\
wave 1
  Namespace shop
wave 2
  ConfigMap shop/web
    after Namespace shop  namespace metadata.namespace
wave 3
  Deployment shop/web
    after Namespace shop  namespace metadata.namespace
    after ConfigMap shop/web  reference containers[].envFrom[].configMapRef
''')
    assert client.screen('graph', 'deploy', '--why', 'deploy/web') == (0, '''\
Deployment shop/web  wave 3 of 3
    after Namespace shop  namespace metadata.namespace
    after ConfigMap shop/web  reference containers[].envFrom[].configMapRef
      after Namespace shop  namespace metadata.namespace
''')
    p = client.run('graph', 'deploy', '--why', 'deploy/api')
    assert (p.returncode, p.stdout, p.stderr) == (2, '', "no object 'deploy/api' in this folder\n")


def test_a_graph_for_other_programs(client, tmp_path):
    folder(tmp_path)
    status, out = client.screen('graph', './deploy', '--dot')
    assert status == 0 and out.startswith('digraph leeboard {\n') and out.endswith('}\n')
    assert '\t"ConfigMap shop/web" -> "Namespace shop" [label="namespace"];\n' in out
    graph = json.loads(client.screen('graph', 'deploy', '-o', 'json')[1])
    assert graph['kind'] == 'Graph'
    assert graph['waves'][1]['objects'][0] == {
        'object': {'version': 'v1', 'kind': 'ConfigMap', 'namespace': 'shop', 'name': 'web'},
        'after': [{'object': {'version': 'v1', 'kind': 'Namespace', 'name': 'shop'}, 'reason': 'namespace', 'path': 'metadata.namespace'}]}


def test_a_folder_that_does_not_render_is_said_with_its_place(client, tmp_path):
    (tmp_path / 'deploy').mkdir()
    (tmp_path / 'deploy' / 'a.yaml').write_text('kind: [\n')
    p = client.run('graph', 'deploy')
    assert p.returncode in (2, 4) and p.stdout == '' and p.stderr.startswith('deploy/a.yaml:')


# ------------------------------------------------------------------ init


def repository(tmp_path, branch='main'):
    folder(tmp_path / 'Shop.git' if (tmp_path / 'Shop.git').mkdir() is None else tmp_path)
    git = tmp_path / 'Shop.git' / '.git'
    (git / 'objects').mkdir(parents=True)
    (git / 'HEAD').write_text('ref: refs/heads/%s\n' % branch)
    return tmp_path / 'Shop.git'


def test_the_first_documents_are_good_ones(client, tmp_path):
    repo = repository(tmp_path)
    status, out = client.screen('init', 'Shop.git', '--to', 'live')
    assert (status, out) == (0, '''\
apiVersion: leeboard.dev/v1
kind: Source
metadata: {name: shop}
spec:
  url: %s
  ref:
    branch: main
  interval: 2s
  verify: {mode: off}          # anybody who can write to the repository can deploy
---
apiVersion: leeboard.dev/v1
kind: App
metadata: {name: shop}
spec:
  source: shop
  path: deploy
  target:
    directory: %s/live
''' % (repo, tmp_path))
    p = client.run('init', 'Shop.git', '--to', str(tmp_path / 'live'), '-f', 'shop.yaml')
    assert (p.returncode, p.stdout) == (0, '')
    assert (tmp_path / 'shop.yaml').read_text() == out
    assert client.run('check', 'shop.yaml').returncode == 0
    p = client.run('init', 'Shop.git', '--to', 'live', '-f', 'shop.yaml')
    assert (p.returncode, p.stderr) == (2, "'shop.yaml' is there already\n  hint: name another file, or remove it\n")


def test_odd_names_are_written_so_that_they_are_read_back(client, tmp_path):
    repository(tmp_path, 'release/1.0 "x"')
    for argv in (['--to', 'my live: #1'], ['--to', 'kube:prod'], ['--to', 'in-cluster'], ['--to', '~/x', '--branch', '1.10']):
        out = client.screen('init', 'Shop.git', '--path', 'deploy', *argv)[1]
        (tmp_path / 'x.yaml').write_text(out)
        assert client.run('check', 'x.yaml').returncode == 0, out
    assert '    branch: "1.10"\n' in out


def test_what_cannot_be_guessed_is_asked_for(client, tmp_path):
    repository(tmp_path)
    (tmp_path / 'none').mkdir()
    for argv, message in (
            (['Shop.git'], 'where does it go?\n  hint: --to FOLDER, --to kube:CONTEXT, or --to in-cluster\n'),
            (['none', '--to', 'x'], "'%s' is no Git repository\n  hint: git init %s, and commit something\n" % ((tmp_path / 'none',) * 2)),
            (['nowhere', '--to', 'x'], "open 'nowhere': No such file or directory\n"),
            (['Shop.git', '--to', 'x', '--path', '../etc'], "'--path' is a folder of the repository, not '../etc'\n"),
            (['Shop.git', '--to', 'x', '--path', 'deplyo'], "'deplyo' is no folder of '%s'\n" % (tmp_path / 'Shop.git')),
            (['https://git.example.org/ops/fleet.git', '--to', 'x'], 'which folder of the repository is deployed?\n  hint: name it: --path FOLDER\n'),
            (['https://git.example.org/ops/fleet.git', '--to', 'x', '--path', 'p'], 'which branch is deployed?\n  hint: name it: --branch main\n')):
        p = client.run('init', *argv)
        assert (p.returncode, p.stdout, p.stderr) == (2, '', message)
    (tmp_path / 'Shop.git' / 'k8s').mkdir()
    (tmp_path / 'Shop.git' / 'k8s' / 'a.yml').write_text('')
    p = client.run('init', 'Shop.git', '--to', 'x')
    assert p.stderr == 'several folders could be deployed: deploy, k8s\n  hint: name one: --path FOLDER\n'


def git(repo, *argv):
    env = {'PATH': os.environ['PATH'], 'GIT_CONFIG_GLOBAL': '/dev/null', 'GIT_CONFIG_SYSTEM': '/dev/null', 'HOME': str(repo)}
    subprocess.run(['git', '-C', str(repo), *argv], env=env, check=True, capture_output=True, timeout=60)


def test_signers_of_the_last_commits_become_the_policy(client, tmp_path):
    repo = tmp_path / 'shop'
    repo.mkdir()
    git(repo, 'init', '-q', '-b', 'main')
    for name in ('ana', 'ben'):
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', str(tmp_path / name)], check=True, timeout=60)
    folder(repo)
    git(repo, 'add', '-A')

    def make(who, *flags):
        git(repo, '-c', 'user.name=' + who, '-c', 'user.email=%s@example.org' % who, '-c', 'gpg.format=ssh',
            '-c', 'user.signingkey=%s' % (tmp_path / who), 'commit', '-q', '--allow-empty', '-m', 'x', *flags)
    make('ana')
    p = client.run('init', 'shop', '--path', 'deploy', '--to', 'live', '--sign')
    assert (p.returncode, p.stdout) == (2, '')
    assert p.stderr.startswith("no commit of 'main' is signed with an ssh key\n  hint: git config gpg.format ssh;")
    make('ana', '-S')
    make('ben', '-S')
    make('ana', '-S')
    p = client.run('init', 'shop', '--path', 'deploy', '--to', 'live', '--sign')
    assert (p.returncode, p.stderr) == (0, '')
    keys = {n: (tmp_path / (n + '.pub')).read_text().split()[:2] for n in ('ana', 'ben')}
    assert '  verify: {mode: head, signersFrom: {policy: shop}}\n' in p.stdout
    assert ('      - ana@example.org namespaces="git" %s   # 2 of the last 4 commits\n'
            '      - ben@example.org namespaces="git" %s   # 1 of the last 4 commits\n') % (
        ' '.join(keys['ana']), ' '.join(keys['ben'])) in p.stdout
    (tmp_path / 'x.yaml').write_text(p.stdout)
    assert client.run('check', '--strict', 'x.yaml').returncode == 0
    make('ana')
    p = client.run('init', 'shop', '--path', 'deploy', '--to', 'live', '--sign')
    assert p.stderr == "warning: the tip of 'main' is not signed: it is refused until a signed commit is on top\n"
    p = client.run('init', 'https://git.example.org/x.git', '--path', 'a', '--branch', 'main', '--to', 'live', '--sign')
    assert p.returncode == 2 and 'looks at a repository of this machine' in p.stderr


# ------------------------------------------------------------------ what the table says


def test_every_verb_has_a_usage_with_an_example(client):
    listed = re.findall(r'^  (\w+) ', client.screen('help')[1], re.M)
    assert len(listed) > 20
    for verb in listed:
        status, out = client.screen('help', verb)
        assert status == 0 and out.startswith('usage: leeboard ' + verb)
        assert re.search(r'\nexample: .*\bleeboard %s\b' % verb, out), verb
    p = client.run('help', 'stauts')
    assert (p.returncode, p.stderr) == (2, "unknown verb 'stauts'\n  hint: did you mean 'status'?\n")


def test_verbs_that_are_not_built_are_unknown(client):
    for verb in ('rollback', 'hold', 'adopt', 'import', 'audit'):
        assert client.run(verb).returncode == 2


def test_reason_codes_are_explained(client):
    status, out = client.screen('explain', 'prune-limit')
    assert status == 0 and out.startswith('prune-limit   reason code of apps, Waiting\n\n')
    assert client.screen('explain', 'unsigned')[1].startswith('Unsigned   ')


def test_every_code_that_errors_and_verdicts_have_is_explained(client):
    top = os.path.join(HERE, '..', '..')
    with open(os.path.join(top, 'include/leeboard/base.h')) as f:
        codes = re.findall(r'X\(ERR_\w+, "([\w-]+)", \d\)', f.read())
    with open(os.path.join(top, 'include/leeboard/trust.h')) as f:
        codes += re.findall(r'X\(TRUST_\w+, "(\w+)", "\w+"\)', f.read())
    assert len(codes) > 50
    for code in codes:
        if code != 'Good':
            assert client.screen('explain', code)[1].startswith(code), code


def complete(client, line):
    words = line.split(' ')
    script = 'PATH=%s:$PATH; source <(leeboard completion bash); COMP_WORDS=(%s); COMP_CWORD=%d; _leeboard; printf "%%s\\n" "${COMPREPLY[@]}"' % (
        os.environ.get('LEEBOARD_BUILD') or os.path.join(HERE, '..', '..', 'build'), ' '.join("'%s'" % w for w in words), len(words) - 1)
    p = subprocess.run(['bash', '-c', script], env=client.env, cwd=client.tmp, capture_output=True, text=True, timeout=60)
    assert p.stderr == ''
    return p.stdout.split()


def test_bash_completes_verbs_flags_and_live_names(client, daemon):
    daemon.answers['GET /api/v1/status'] = doc('StatusList', items=[{'kind': 'Source', 'name': 'fleet'}, {'kind': 'App', 'name': 'web'},
                                                                    {'kind': 'App', 'name': 'mail', 'namespace': 'team'}])
    assert complete(client, 'leeboard st') == ['status']
    assert complete(client, 'leeboard sync --no') == ['--no-wait']
    assert complete(client, 'leeboard sync ') == ['web', 'team/mail']
    assert complete(client, 'leeboard allow ') == ['fleet']
    assert complete(client, 'leeboard suspend ') == ['fleet', 'web', 'team/mail']
    assert complete(client, 'leeboard completion z') == ['zsh']


def test_the_other_shells_have_scripts_and_no_more(client):
    assert client.screen('completion', 'zsh')[1].startswith('#compdef leeboard\n')
    assert 'complete -c leeboard' in client.screen('completion', 'fish')[1]
    p = client.run('completion', 'tcsh')
    assert (p.returncode, p.stderr) == (2, "no completion for 'tcsh'\n  hint: there are bash, zsh and fish\n")


def test_the_version_is_said_without_a_daemon(client):
    assert client.screen('version')[1].startswith('leeboard ')
    assert json.loads(client.screen('version', '-o', 'json')[1])['kind'] == 'Version'
    assert client.screen('--version')[1] == client.screen('version')[1]


def test_a_source_is_asked_of_the_daemon_and_a_repository_of_the_verifier(client, daemon, tmp_path):
    daemon.answers['GET /api/v1/verify/fleet'] = doc('Verification', source='fleet', accepted=commit('3f2a91c'), items=[])
    assert client.screen('verify', 'fleet') == (0, 'no commits: accepted at 3f2a91c\n')
    (tmp_path / 'fleet').mkdir()
    assert client.run('verify', 'fleet').returncode == 0
    p = client.run('verify', 'fleet', 'HEAD')
    assert p.returncode == 2 and 'who is trusted?' in p.stderr
