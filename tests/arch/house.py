"""The house as the files say it is: src/LAYERS, sources, programs. Shared by the tests here."""
import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(path):
    with open(os.path.join(TOP, path), encoding='utf-8') as f:
        return f.read()


def layers():
    """module -> modules it may include (all that it reaches), foreign header -> modules."""
    direct, foreign = {}, {}
    for line in read('src/LAYERS').splitlines():
        if m := re.match(r'<([^>]+)>\s*(.*)', line):
            foreign[m[1]] = m[2].split()
        elif m := re.match(r'([a-z]+):\s*(.*)', line):
            assert m[1] not in direct, 'src/LAYERS: %s stands twice' % m[1]
            for d in m[2].split():
                assert d in direct, 'src/LAYERS: %s names %s, which is not above it' % (m[1], d)
            direct[m[1]] = m[2].split()
    reach = {}
    for m, ds in direct.items():
        reach[m] = set(ds).union(*(reach[d] for d in ds)) if ds else set()
    return reach, foreign


def sources(folder, *ends):
    for d, _, files in sorted(os.walk(os.path.join(TOP, folder))):
        for f in sorted(files):
            if f.endswith(ends):
                yield os.path.relpath(os.path.join(d, f), TOP)


def includes(path):
    for n, line in enumerate(read(path).splitlines(), 1):
        if m := re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line):
            yield n, m[1] == '<', m[2]
