"""What a directory target holds, what Git says it should, and people who edit it by hand."""
import glob
import os

import yaml


def manifest(*objects):
    """A file of manifests."""
    return yaml.safe_dump_all(objects, sort_keys=False)


def config(name, data=None, namespace=None, **meta):
    """A ConfigMap."""
    metadata = {'name': name, **({'namespace': namespace} if namespace else {}), **meta}
    return {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': metadata, 'data': data if data is not None else {'a': '1'}}


def workload(name, image='example.test/app:1', replicas=1, namespace=None, kind='Deployment'):
    metadata = {'name': name, **({'namespace': namespace} if namespace else {})}
    return {'apiVersion': 'apps/v1', 'kind': kind, 'metadata': metadata,
            'spec': {'replicas': replicas, 'selector': {'matchLabels': {'app': name}},
                     'template': {'metadata': {'labels': {'app': name}}, 'spec': {'containers': [{'name': 'app', 'image': image}]}}}}


def key(obj):
    """'ConfigMap/web'; with a namespace that is not 'default' 'ConfigMap/shop/web'."""
    m = obj['metadata']
    ns = m.get('namespace')
    return '/'.join([obj['kind']] + ([ns] if ns and ns != 'default' else []) + [m['name']])


def plain(obj):
    """Without the namespace that means nothing, for comparing."""
    meta = {k: v for k, v in obj['metadata'].items() if not (k == 'namespace' and v == 'default')}
    return {**obj, 'metadata': meta}


class Folder:
    """A directory target's folder."""

    def __init__(self, path):
        self.path = str(path)

    def files(self):
        return sorted(f for pattern in ('*.yaml', '**/*.yaml') for f in glob.glob(os.path.join(self.path, pattern), recursive=True)
                      if '/.leeboard' not in f[len(self.path):])

    def found(self):
        """key -> (file, object)."""
        out = {}
        for path in dict.fromkeys(self.files()):
            try:
                with open(path, encoding='utf-8') as f:
                    objects = [o for o in yaml.safe_load_all(f) if o]
            except FileNotFoundError:
                continue
            for o in objects:
                assert key(o) not in out, '%s is in %s and in %s' % (key(o), out[key(o)][0], path)
                out[key(o)] = (path, o)
        return out

    def objects(self):
        return {k: plain(o) for k, (_, o) in self.found().items()}

    def names(self):
        return sorted(self.found())

    def get(self, name):
        return self.found()[name][1]

    def find(self, name):
        return self.found().get(name, (None, None))[1]

    def file(self, name):
        return self.found()[name][0]

    def edit(self, name, change, in_place=False):
        """By hand: change(object) on the parsed file, written as most editors do (a new file renamed over it), or in place."""
        path, obj = self.found()[name]
        change(obj)
        self.write(path, yaml.safe_dump(obj, sort_keys=False), in_place)

    @staticmethod
    def write(path, text, in_place=False):
        where = path if in_place else path + '~'
        with open(where, 'w', encoding='utf-8') as f:
            f.write(text)
        if not in_place:
            os.rename(where, path)

    def remove(self, name):
        os.unlink(self.file(name))

    def snapshot(self):
        """path -> (inode, mtime, bytes): what a second write would move."""
        out = {}
        for path in self.files():
            st = os.stat(path)
            with open(path, 'rb') as f:
                out[path] = (st.st_ino, st.st_mtime_ns, f.read())
        return out


def wanted(repo, path='.', rev='HEAD'):
    """key -> object of the plain manifests below a path of a commit: what a folder must hold."""
    out = {}
    for name in repo.git('ls-tree', '-r', '--name-only', rev, '--', path).splitlines():
        if name.endswith('.yaml'):
            for o in yaml.safe_load_all(repo.git('show', '%s:%s' % (rev, name))):
                if o:
                    out[key(o)] = plain(o)
    return out


def same(folder, repo, path='.'):
    """The folder holds what the head says, all of it and nothing else."""
    return folder.objects() == wanted(repo, path)
