"""Random overlay trees, rendered by leeboard and by the real kustomize v5.8.1: the same bytes, or both refuse.

The trees come from trees.py, a seed each. LEEBOARD_DIFF_TREES is how many (300), LEEBOARD_DIFF_FROM the first seed (0). Neither program reads
the other's mind about maps that kustomize itself prints in changing order, so a tree that kustomize renders in two ways does not count."""
import concurrent.futures
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import trees  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = 60


def kustomize():
    """The real program, as './dev binary kustomize' leaves it."""
    path = os.environ.get('LEEBOARD_KUSTOMIZE') or os.path.join(
        os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'leeboard', 'kustomize-v5.8.1')
    return path if os.access(path, os.X_OK) else None


def leeboard():
    for folder in ('build', 'build-asan'):
        path = os.path.join(TOP, folder, 'leeboard')
        if os.access(path, os.X_OK):
            return path
    return None


def run(*argv):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
    return p.returncode, p.stdout, p.stderr.decode('utf-8', 'replace')


def compare(seed, folder):
    """What differs for one seed, or '' ; and whether it was built."""
    trees.Tree(str(seed), folder).build()
    overlay = os.path.join(folder, 'overlay')
    theirs, ours = run(kustomize(), 'build', overlay), run(leeboard(), 'render', overlay)
    if ours[0] < 0:
        return 'leeboard died of signal %d' % -ours[0], False
    if (theirs[0] == 0) != (ours[0] == 0):
        return 'kustomize: %d %s\nleeboard: %d %s' % (theirs[0], theirs[2], ours[0], ours[2]), False
    if theirs[0]:
        return ('', False) if not ours[1] and ours[2] else ('a refusal must be silent on standard output and say why', False)
    if theirs[1] == ours[1]:
        return '', True
    if run(kustomize(), 'build', overlay)[1] != theirs[1]:
        return '', False
    with open(os.path.join(folder, 'theirs.yaml'), 'wb') as f:
        f.write(theirs[1])
    with open(os.path.join(folder, 'ours.yaml'), 'wb') as f:
        f.write(ours[1])
    diff = run('diff', '-u', os.path.join(folder, 'theirs.yaml'), os.path.join(folder, 'ours.yaml'))[1]
    return diff.decode('utf-8', 'replace')[:2000], False


def test_random_trees_render_as_kustomize_renders_them(tmp_path):
    first, n = int(os.environ.get('LEEBOARD_DIFF_FROM', 0)), int(os.environ.get('LEEBOARD_DIFF_TREES', 300))
    if not kustomize():
        pytest.skip("no kustomize v5.8.1 to compare with: './dev binary kustomize' builds it")
    if not leeboard():
        pytest.fail('build leeboard first: ./dev build')
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda s: compare(s, str(tmp_path / str(s))), range(first, first + n)))
    built = sum(1 for _, b in results if b)
    bad = [(first + i, text) for i, (text, _) in enumerate(results) if text]
    if bad:
        pytest.fail('%d of %d trees differ; seeds %s\n\nseed %d (tests/render/trees.py SEED FOLDER):\n%s' % (
            len(bad), n, [s for s, _ in bad[:20]], bad[0][0], bad[0][1]))
    assert built >= n // 2, 'only %d of %d trees are valid: the generator tests too little' % (built, n)
