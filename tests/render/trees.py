"""Random overlay trees for kustomize: valid far more often than not, of all features, and the same for the same seed.

usage: tests/render/trees.py SEED FOLDER     writes one tree; its overlay is FOLDER/overlay
"""
import os
import random
import sys

import yaml

NAMES = ['web', 'api', 'db', 'cache', 'job-1', 'settings', 'my.app', 'front']
SPACES = ['shop', 'ops', 'default', 'kube-system']
WORDS = ['a', 'b', 'yes', 'no', 'on', 'off', 'null', '~', 'true', '1', '1.0', '0x1F', '0777', '08', '1e3', '12:30', '2020-01-02', '',
         ' lead', 'trail ', 'a: b', 'a #b', '#c', '- d', '-d', '?e', 'x:', '{f}', '[g]', '&h', '*i', '!j', '|', '>', "it's", '"q"', '%k',
         '@l', 'tab\there', 'two\nlines', 'three\n\nlines\n', 'ends\n\n', ' sp\nace', 'é ü 日本', '😀', '---', '--- a', '...', '=', '<html>&amp;',
         'word ' * 25 + 'end', 'x' * 90 + ' y ' + 'z' * 90, 'http://x/y?z=1#w', '$(VAR)', '$$(VAR)', '.5', '5.', '1_000', 'y', 'N', 'back\\slash']
RAW = ['1', '-7', '0x10', '0o17', '0777', '1.0', '1.50', '1e3', '1e21', '123456789.123', '.5', '1e-7', '~', 'null', 'True', 'FALSE', 'yes',
       '12:30', '2020-01-02', '9007199254740993', '18446744073709551615', '1_000', '"1"', "'x'", '0b11', '+5', '!!str 5', '08', 'no']


class Tree:
    def __init__(self, seed, root):
        self.r = random.Random(seed)
        self.root = root
        self.n = 0
        self.seen = set()  # kinds and names

    # ------------------------------------------------------------ small things

    def chance(self, p):
        return self.r.random() < p

    def pick(self, items):
        return self.r.choice(items)

    def some(self, items, most):
        return self.r.sample(items, self.r.randint(0, min(most, len(items))))

    def word(self):
        return self.pick(WORDS) if self.chance(0.4) else self.pick(['red', 'green', 'blue', 'v1.2', 'prod'])

    def label_map(self, most=3):
        keys = ['app', 'tier', 'app.kubernetes.io/name', 'env', 'v1', 'v10', 'v2', 'A', 'b_c']
        return {k: self.pick(['x', 'web', 'true', '1', 'prod', '']) for k in self.some(keys, most)}

    def write(self, path, content):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', newline='') as f:
            f.write(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000))

    # ------------------------------------------------------------ objects

    def meta(self, name):
        m = {'name': name}
        if self.chance(0.3):
            m['namespace'] = self.pick(SPACES)
        if self.chance(0.4):
            m['labels'] = self.label_map()
        if self.chance(0.3):
            m['annotations'] = {k: self.word() for k in self.some(['note', 'a/b', 'owner', 'z'], 3)}
        return m

    def container(self, name):
        c = {'name': name, 'image': self.pick(['nginx', 'nginx:1.27', 'acme/web:1', 'reg.io:5000/a/b:2', 'x@sha256:abc', 'a/b@sha256:1'])}
        if self.chance(0.5):
            c['env'] = [{'name': n, 'value': self.pick(['1', 'x', '$(VAR)', '$(HOST):80'])} for n in self.some(['A', 'B', 'C', 'D'], 3)]
            if self.chance(0.5):
                c['env'].append({'name': 'REF', 'valueFrom': {'configMapKeyRef': {'name': self.pick(NAMES), 'key': 'k'}}})
        if self.chance(0.4):
            c['ports'] = [{'containerPort': p, **({'protocol': q} if q else {})}
                          for p, q in self.some([(80, 'TCP'), (80, 'UDP'), (443, None), (53, 'UDP')], 3)]
        if self.chance(0.3):
            c['args'] = [self.pick(['-v', '--x=$(VAR)', '$(PORT)', '1']) for _ in range(self.r.randint(0, 3))]
        if self.chance(0.3):
            c['envFrom'] = [{'secretRef': {'name': self.pick(NAMES)}}]
        if self.chance(0.3):
            c['volumeMounts'] = [{'name': 'v', 'mountPath': p} for p in self.some(['/a', '/b', '/c'], 2)]
        return c

    def pod(self):
        s = {'containers': [self.container(n) for n in self.r.sample(['main', 'side', 'log'], self.r.randint(1, 2))]}
        if self.chance(0.3):
            s['initContainers'] = [self.container('init')]
        if self.chance(0.3):
            s['serviceAccountName'] = self.pick(NAMES)
        if self.chance(0.3):
            s['volumes'] = [{'name': 'v', 'configMap': {'name': self.pick(NAMES)}}, {'name': 's', 'secret': {'secretName': self.pick(NAMES)}}]
        if self.chance(0.2):
            s['affinity'] = {'podAntiAffinity': {'requiredDuringSchedulingIgnoredDuringExecution': [
                {'labelSelector': {'matchLabels': {'app': 'x'}}, 'topologyKey': 'h'}]}}
        return s

    def template(self):
        t = {'spec': self.pod()}
        if self.chance(0.7):
            t['metadata'] = {'labels': self.label_map()}
        return t

    def obj(self, kind, name):
        o = {'apiVersion': 'v1', 'kind': kind, 'metadata': self.meta(name)}
        if kind in ('Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'):
            o['apiVersion'] = 'apps/v1'
            o['spec'] = {'template': self.template()}
            if kind != 'DaemonSet' and self.chance(0.6):
                o['spec']['replicas'] = self.r.randint(0, 5)
            if self.chance(0.6):
                o['spec']['selector'] = {'matchLabels': self.label_map()}
            if kind == 'StatefulSet':
                o['spec']['serviceName'] = self.pick(NAMES)
                if self.chance(0.4):
                    o['spec']['volumeClaimTemplates'] = [{'metadata': {'name': 'data'}, 'spec': {'storageClassName': self.pick(NAMES)}}]
        elif kind == 'Job':
            o['apiVersion'] = 'batch/v1'
            o['spec'] = {'template': self.template()}
        elif kind == 'CronJob':
            o['apiVersion'] = 'batch/v1'
            o['spec'] = {'schedule': '*/5 * * * *', 'jobTemplate': {'spec': {'template': self.template()}}}
        elif kind == 'Pod':
            o['spec'] = self.pod()
        elif kind == 'Service':
            o['spec'] = {'ports': [{'port': p, 'protocol': q} for p, q in self.some([(80, 'TCP'), (80, 'UDP'), (443, 'TCP')], 3)]}
            if self.chance(0.6):
                o['spec']['selector'] = self.label_map()
        elif kind in ('ConfigMap', 'Secret'):
            if self.chance(0.8):
                o['data'] = {k: self.word() for k in self.some(['k', 'a.b', 'VAR', 'host', 'c-d'], 4)}
        elif kind in ('Role', 'ClusterRole'):
            o['apiVersion'] = 'rbac.authorization.k8s.io/v1'
            o['rules'] = [{'apiGroups': [''], 'resources': ['configmaps'], 'resourceNames': self.some(NAMES, 2), 'verbs': ['get']}]
        elif kind in ('RoleBinding', 'ClusterRoleBinding'):
            o['apiVersion'] = 'rbac.authorization.k8s.io/v1'
            o['roleRef'] = {'apiGroup': 'rbac.authorization.k8s.io', 'kind': self.pick(['Role', 'ClusterRole']), 'name': self.pick(NAMES)}
            o['subjects'] = [{'kind': self.pick(['ServiceAccount', 'ServiceAccount', 'User', 'Group']), 'name': self.pick(NAMES + ['default']),
                              **({'namespace': self.pick(SPACES)} if self.chance(0.6) else {})} for _ in range(self.r.randint(1, 3))]
        elif kind == 'Ingress':
            o['apiVersion'] = 'networking.k8s.io/v1'
            o['spec'] = {'rules': [{'host': self.pick(['x.io', '$(HOST)']), 'http': {'paths': [
                {'path': '/', 'pathType': 'Prefix', 'backend': {'service': {'name': self.pick(NAMES), 'port': {'number': 80}}}}]}}]}
        elif kind == 'HorizontalPodAutoscaler':
            o['apiVersion'] = self.pick(['autoscaling/v1', 'autoscaling/v2'])
            o['spec'] = {'scaleTargetRef': {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': self.pick(NAMES)}, 'maxReplicas': 3}
        elif kind == 'NetworkPolicy':
            o['apiVersion'] = 'networking.k8s.io/v1'
            o['spec'] = {'podSelector': {'matchLabels': self.label_map()}, 'ingress': [{'from': [{'podSelector': {'matchLabels': {'a': 'b'}}}]}]}
        elif kind == 'PodDisruptionBudget':
            o['apiVersion'] = 'policy/v1'
            o['spec'] = {'minAvailable': 1, 'selector': {'matchLabels': self.label_map()}}
        elif kind == 'CustomResourceDefinition':
            o['apiVersion'] = 'apiextensions.k8s.io/v1'
            o['metadata'] = {'name': name + 's.acme.io'}
            o['spec'] = {'group': 'acme.io', 'names': {'kind': 'Thing', 'plural': name + 's'}, 'scope': 'Namespaced', 'versions': []}
        elif kind == 'Thing':
            o['apiVersion'] = self.pick(['acme.io/v1', 'acme.io/v1beta1'])
            o['spec'] = {'list': [{'name': n, 'v': self.word()} for n in self.some(['p', 'q', 'r'], 3)], 'ref': {'name': self.pick(NAMES)},
                         'text': self.word(), 'image': 'nginx:1', 'nested': {'containers': [{'name': 'c', 'image': 'nginx:1'}]}}
        elif kind == 'ValidatingWebhookConfiguration':
            o['apiVersion'] = 'admissionregistration.k8s.io/v1'
            o['webhooks'] = [{'name': 'w.x.io', 'clientConfig': {'service': {'name': self.pick(NAMES), 'namespace': self.pick(SPACES)}}}]
        elif kind == 'APIService':
            o['apiVersion'] = 'apiregistration.k8s.io/v1'
            o['spec'] = {'group': 'x', 'service': {'name': self.pick(NAMES), 'namespace': self.pick(SPACES)}}
        elif kind == 'PersistentVolumeClaim':
            o['spec'] = {'storageClassName': self.pick(NAMES), 'volumeName': self.pick(NAMES)}
        elif kind == 'PodMonitor':
            o['apiVersion'] = 'monitoring.coreos.com/v1'
            o['spec'] = {'selector': {'matchLabels': {'a': 'b'}}}
        if kind in ('Namespace', 'ClusterRole', 'ClusterRoleBinding', 'CustomResourceDefinition', 'APIService',
                    'ValidatingWebhookConfiguration', 'StorageClass', 'PersistentVolume'):
            o['metadata'].pop('namespace', None)
        if kind == 'StorageClass':
            o['apiVersion'] = 'storage.k8s.io/v1'
        return o

    KINDS = ['Deployment', 'Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob', 'Pod', 'Service', 'Service', 'ConfigMap',
             'ConfigMap', 'Secret', 'ServiceAccount', 'ServiceAccount', 'Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding', 'Ingress',
             'HorizontalPodAutoscaler', 'NetworkPolicy', 'PodDisruptionBudget', 'CustomResourceDefinition', 'Thing', 'Thing', 'Namespace',
             'ValidatingWebhookConfiguration', 'APIService', 'PersistentVolumeClaim', 'PersistentVolume', 'StorageClass', 'PodMonitor']

    def raw_object(self, name):
        """Scalars as no dumper would write them."""
        lines = ['kind: Raw', 'apiVersion: acme.io/v1', 'metadata:', '  name: %s' % name, 'spec:']
        lines += ['  %s: %s' % (k, self.pick(RAW)) for k in self.some(['a', 'b1', 'b10', 'b2', 'C', 'd-e', 'd.f', '"0"', 'z_'], 6)]
        lines += ['  f: {x: , y: [ ], q: [1, a]}', '  g: &anchor {k: v}', '  h: *anchor', '  m: {<<: *anchor, w: 1}'] if self.chance(0.5) else ['  e: {}']
        return '\n'.join(lines) + '\n'

    # ------------------------------------------------------------ patches and the like

    def target(self):
        t = {}
        if self.chance(0.7):
            t['kind'] = self.pick(['Deployment', 'Deploy.*', 'Service', 'ConfigMap|Secret', 'Thing', '.*Set', 'Pod'])
        if self.chance(0.5):
            t['name'] = self.pick(NAMES + ['.*', 'w.*', '.*e.*'])
        if self.chance(0.15):
            t['namespace'] = self.pick(SPACES + ['.*'])
        if self.chance(0.15):
            t['labelSelector'] = self.pick(['app=web', 'app', '!app', 'tier in (x,web)', 'env!=prod,app'])
        if self.chance(0.1):
            t['group'] = self.pick(['apps', 'acme.io', ''])
        if self.chance(0.1):
            t['annotationSelector'] = self.pick(['note', 'owner=red'])
        return t or {'kind': 'Deployment'}

    def merge_body(self, kind):
        body = {}
        if self.chance(0.4):
            body['metadata'] = {'labels': {self.pick(['app', 'p']): self.pick(['n', None])}}
        if self.chance(0.3):
            body.setdefault('metadata', {})['annotations'] = {'note': self.pick(['p', None])}
        if kind in ('Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'ReplicaSet'):
            c = {'name': self.pick(['main', 'side', 'new'])}
            if self.chance(0.5):
                c['image'] = 'patched:1'
            if self.chance(0.4):
                c['env'] = [{'name': self.pick(['A', 'B', 'N']), 'value': 'p'}] + ([{'$patch': 'replace'}] if self.chance(0.2) else [])
            if self.chance(0.3):
                c['ports'] = [{'containerPort': self.pick([80, 443, 99]), 'protocol': self.pick(['TCP', 'UDP'])}]
            if self.chance(0.15):
                c['$patch'] = self.pick(['delete', 'replace', 'merge'])
            body['spec'] = {'template': {'spec': {'containers': [c]}}}
            if self.chance(0.3):
                body['spec']['replicas'] = self.pick([7, None])
            if self.chance(0.2):
                body['spec']['strategy'] = {'type': 'Recreate', 'rollingUpdate': None}
        elif kind == 'Service':
            body['spec'] = {'ports': [{'port': self.pick([80, 443, 8080]), 'protocol': 'TCP', 'name': 'p'}]}
        elif kind in ('ConfigMap', 'Secret'):
            body['data'] = {self.pick(['k', 'new', 'a.b']): self.pick(['p', None, '1'])}
        else:
            body['spec'] = {'text': self.pick(['p', None]), 'list': [{'name': 'p', 'v': 'patched'}], 'extra': {'x': 1, 'n': None}}
        if self.chance(0.05):
            body['$patch'] = self.pick(['delete', 'replace'])
        return body

    def json_ops(self):
        return [self.pick([
            {'op': 'add', 'path': '/metadata/labels', 'value': {'j': 'p'}},
            {'op': 'add', 'path': '/spec', 'value': {'replicas': 9, 'x': [1, 'two', {'a': None}]}},
            {'op': 'replace', 'path': '/metadata/name', 'value': 'renamed'},
            {'op': 'add', 'path': '/new', 'value': self.word()},
            {'op': 'add', 'path': '/metadata/annotations', 'value': {'a/b': 'x'}},
            {'op': 'copy', 'from': '/metadata/name', 'path': '/copied'},
            {'op': 'test', 'path': '/kind', 'value': 'Deployment'},
            {'op': 'remove', 'path': '/apiVersion'} if self.chance(0.02) else {'op': 'add', 'path': '/x', 'value': [[], {}]},
            {'op': 'move', 'from': '/metadata/name', 'path': '/metadata/name'},
        ]) for _ in range(self.r.randint(1, 2))]

    def patch(self, folder, have):
        p = {}
        if self.chance(0.35):
            p['target'] = self.target()
            body = self.json_ops()
        else:
            kind, name, api, ns = self.pick(have)
            body = self.merge_body(kind)
            body['apiVersion'], body['kind'] = api, kind
            body.setdefault('metadata', {})['name'] = name
            if ns:
                body['metadata']['namespace'] = ns
            if self.chance(0.3):
                p['target'] = {'kind': kind} if self.chance(0.5) else self.target()
                # a generated object of another kind is hashed by a dump of Go structs: nobody can follow that
                if p['target'] == {'kind': kind} and kind not in ('ConfigMap', 'Secret') and self.chance(0.3):
                    p['options'] = {self.pick(['allowNameChange', 'allowKindChange']): True}
        if self.chance(0.5):
            self.n += 1
            path = 'patch%d.yaml' % self.n
            self.write(os.path.join(folder, path), yaml.safe_dump(body, sort_keys=False))
            p['path'] = path
        else:
            p['patch'] = yaml.safe_dump(body, sort_keys=False)
        return p

    def generator(self, folder, have, merges):
        maps = [(n, ns) for kind, n, _, ns in have if kind == 'ConfigMap']
        if merges and maps and self.chance(0.8):
            name, ns = self.pick(maps)
            g = {'name': name, 'behavior': self.pick(['merge', 'merge', 'replace']), **({'namespace': ns} if ns else {})}
        else:
            self.n += 1
            g = {'name': 'gen%d' % self.n if self.chance(0.8) else self.pick(NAMES)}
            if self.chance(0.2):
                g['namespace'] = self.pick(SPACES)
        if self.chance(0.6):
            g['literals'] = ['%s=%s' % (k, self.pick(['v', '"q"', "'s'", 'a=b', '', '1', ' x '])) for k in self.some(['k', 'VAR', 'x.y', 'host'], 3)]
        if self.chance(0.3):
            self.write(os.path.join(folder, 'app.env'), '# c\nE1=one\n  E2=two  \nE3\nE4="q"\n')
            g['envs'] = ['app.env']
        if self.chance(0.3):
            self.write(os.path.join(folder, 'file.txt'), self.pick(['text\n', 'no end', 'a\tb\n', 'long ' * 40 + '\n', '']))
            g['files'] = [self.pick(['file.txt', 'renamed.conf=file.txt'])]
        if self.chance(0.3):
            g['options'] = {'disableNameSuffixHash': self.chance(0.5), 'labels': self.label_map(), 'annotations': {'g': 'x'}, 'immutable': self.chance(0.3)}
        return g

    def replacement(self, have):
        kind, name, _, _ = self.pick(have)
        source = {'kind': kind, 'name': name, 'fieldPath': self.pick(['metadata.name', 'metadata.name', 'kind', 'apiVersion'])}
        if self.chance(0.2):
            source['options'] = {'delimiter': '-', 'index': 0}
        t = {'select': self.target(), 'fieldPaths': [self.pick(['metadata.annotations.copied', 'spec.copied', 'metadata.labels.from', 'data.k'])],
             'options': {'create': True}}
        t['select'].pop('labelSelector', None)
        if self.chance(0.3):
            t['reject'] = [{'name': self.pick(NAMES)}]
        if 'copied' in t['fieldPaths'][0] and self.chance(0.2):
            t['options'].update({'delimiter': '/', 'index': self.pick([-1, 0, 1, 5])})
        r = {'source': source, 'targets': [t]}
        if self.chance(0.2):
            r = {'sourceValue': self.word(), 'targets': [t]}
        return r

    def plugin(self):
        specs = [{'path': 'metadata/annotations', 'create': True}]
        return self.pick([
            {'kind': 'AnnotationsTransformer', 'annotations': {'t': 'x', 'n': self.pick(['1', 'true'])}, 'fieldSpecs': specs},
            {'kind': 'LabelTransformer', 'labels': {'t': 'x'}, 'fieldSpecs': [{'path': 'metadata/labels', 'create': True},
                                                                              {'path': 'spec/selector', 'kind': 'Service', 'create': True}]},
            {'kind': 'PrefixTransformer', 'prefix': 'tp-', 'fieldSpecs': [{'path': 'metadata/name'}]},
            {'kind': 'SuffixTransformer', 'suffix': '-ts', 'fieldSpecs': [{'path': 'metadata/name', 'kind': 'Deployment'}]},
            {'kind': 'NamespaceTransformer', 'fieldSpecs': [], 'unsetOnly': self.chance(0.5),
             'setRoleBindingSubjects': self.pick(['defaultOnly', 'allServiceAccounts', 'none'])},
            {'kind': 'ImageTagTransformer', 'imageTag': {'name': 'nginx', 'newTag': '9'}, 'fieldSpecs': [{'path': 'spec/image'}]},
            {'kind': 'ValueAddTransformer', 'value': self.pick(['val', 'x1']), 'targets': [{'fieldPath': self.pick(
                ['metadata/annotations/added', 'metadata/namespace', 'metadata/labels/x\\/y']), **({'selector': self.target()} if self.chance(0.5) else {})}]},
            {'kind': 'PatchTransformer', 'patch': yaml.safe_dump(self.json_ops()), 'target': self.target()},
            {'kind': 'HashTransformer'},
        ])

    def plugin_config(self):
        p = {'apiVersion': 'builtin', **self.plugin(), 'metadata': {'name': 'plug%d' % self.r.randint(0, 99)}}
        if p['kind'] == 'NamespaceTransformer':
            p['metadata']['namespace'] = self.pick(SPACES)
        return p

    # ------------------------------------------------------------ kustomizations

    def more(self, k, folder, have):
        """What few people use."""
        if self.chance(0.1):
            k.setdefault('generators', []).append(yaml.safe_dump({
                'apiVersion': 'builtin', **self.pick([
                    {'kind': 'ConfigMapGenerator', 'literals': ['a=b']}, {'kind': 'SecretGenerator', 'literals': ['c=d'], 'type': 'x/y'},
                    {'kind': 'IAMPolicyGenerator', 'cloud': 'gke', 'kubernetesService': {'name': 'ksa%d' % self.r.randint(0, 999)},
                     'serviceAccount': {'name': 'g', 'projectId': 'p'}}]), 'metadata': {'name': 'plugged%d' % self.r.randint(0, 9999)}}))
        if self.chance(0.1):
            k['validators'] = [yaml.safe_dump({'apiVersion': 'builtin', 'kind': 'LabelTransformer', 'metadata': {'name': 'v'},
                                               'labels': {'validated-by': 'x'}, 'fieldSpecs': []})]  # kustomize compares styles too, so a mark fails more often than not
        if self.chance(0.1):
            self.write(os.path.join(folder, 'crd.json'), '''{"io.acme.Thing": {"Schema": {"properties": {"kind": {}, "apiVersion": {}, "metadata": {},
 "spec": {"$ref": "spec"}}}}, "spec": {"Schema": {"properties": {"ref": {"x-kubernetes-object-ref-api-version": "v1",
 "x-kubernetes-object-ref-kind": "ConfigMap"}, "marks": {"x-kubernetes-annotation": ""}, "text": {"x-kubernetes-identity": ""}}}}}''')
            k['crds'] = ['crd.json']
        things = [n for kind, n, api, ns in have if kind == 'Deployment' and not ns]
        if things and self.chance(0.15):
            k['patchesJson6902'] = [{'target': {'group': 'apps', 'version': 'v1', 'kind': 'Deployment', 'name': self.pick(things)},
                                     'patch': self.pick(['[{"op": "add", "path": "/spec/j", "value": 1.0}]',
                                                         '- {op: add, path: /spec/j, value: {a: yes, b: 0x10, c: ~, d: 1e3}}'])}]
        if self.chance(0.1):
            k['imageTags'] = [{'name': 'nginx', 'newTag': '5'}]
        if self.chance(0.1):
            k['openapi'] = {'version': 'v1.21.2'}

    def structured(self, folder, k):
        """A ConfigMap whose texts are YAML and JSON, and a replacement that reaches into them."""
        self.write(os.path.join(folder, 'texts.yaml'), '''apiVersion: v1
kind: ConfigMap
metadata: {name: texts}
data:
  y: |
    # head
    a:
        b: %s   # why
        c: [1, 'two', {d: e}]
    list:
      - name: x
        v: 1
      # between
      - name: y
        v: "2"
  j: '{"b": %s, "a": {"b": "old", "c": [1, 2.0]}}'
''' % (self.pick(['old', '"old"', "'old'", 'true', '1']), self.pick(['1', '"x"', 'null', '1.50'])))
        k['resources'].append('texts.yaml')
        k['replacements'] = k.get('replacements', []) + [{'sourceValue': self.pick(['new', 'other-text']), 'targets': [
            {'select': {'name': '.*texts.*'}, 'fieldPaths': self.some(['data.y.a.b', 'data.y.list.1.v', 'data.y.list.[name=y].v', 'data.y.a.c.1', 'data.j.a.b'], 3)
             or ['data.y.a.b']}]}]

    def transformers(self, k, folder, have):
        self.more(k, folder, have)
        if self.chance(0.3):
            k['namePrefix'] = self.pick(['p-', 'dev-'])
        if self.chance(0.2):
            k['nameSuffix'] = '-s'
        if self.chance(0.3):
            k['namespace'] = self.pick(SPACES)
        if self.chance(0.2):
            k['commonLabels'] = self.label_map()
        if self.chance(0.3):
            k['labels'] = [{'pairs': self.label_map(), **self.pick([{}, {'includeSelectors': True}, {'includeTemplates': True},
                                                                     {'fields': [{'path': 'spec/labels', 'kind': 'Thing', 'create': True}]}])}]
        if self.chance(0.2):
            k['commonAnnotations'] = {'note': self.word(), 'c': 'x'}
        if self.chance(0.3):
            k['images'] = [{'name': n, **self.pick([{'newTag': '3'}, {'newName': 'other'}, {'digest': 'sha256:ff'}, {'tagSuffix': '-x'},
                                                     {'newName': 'o', 'newTag': '1'}])} for n in self.some(['nginx', 'acme/web', 'x', 'a/b'], 2)]
        workloads = [n for kind, n, _, _ in have if kind in ('Deployment', 'StatefulSet', 'ReplicaSet')]
        if workloads and self.chance(0.3):
            k['replicas'] = [{'name': self.pick(workloads), 'count': self.r.randint(0, 9)}]
        if have and self.chance(0.5):
            k['patches'] = [self.patch(folder, have) for _ in range(self.r.randint(1, 3))]
        if have and self.chance(0.1):
            kind, name, api, ns = self.pick(have)
            body = {**self.merge_body(kind), 'apiVersion': api, 'kind': kind}
            body.setdefault('metadata', {}).update({'name': name, **({'namespace': ns} if ns else {})})
            k['patchesStrategicMerge'] = [yaml.safe_dump(body)]
        if have and self.chance(0.2):
            k['replacements'] = [self.replacement(have) for _ in range(self.r.randint(1, 2))]
        if self.chance(0.15):
            k['transformers'] = [yaml.safe_dump(self.plugin_config()) for _ in range(self.r.randint(1, 2))]
        if self.chance(0.1):
            self.write(os.path.join(folder, 'plug.yaml'), self.plugin_config())
            k.setdefault('transformers', []).append('plug.yaml')
        if self.chance(0.1):
            self.write(os.path.join(folder, 'conf.yaml'), {
                'nameReference': [{'kind': 'ConfigMap', 'version': 'v1', 'fieldSpecs': [{'path': 'spec/ref/name', 'kind': 'Thing'}]}],
                'commonLabels': [{'path': 'spec/sel', 'kind': 'Thing', 'create': True}],
                'images': [{'path': 'spec/image', 'kind': 'Thing'}], 'namePrefix': [{'path': 'spec/text', 'kind': 'Thing'}]})
            k['configurations'] = ['conf.yaml']
        things = [(kind, n, api) for kind, n, api, _ in have if kind in ('Service', 'ConfigMap', 'Deployment')]
        if things and self.chance(0.15):
            kind, n, api = self.pick(things)
            self.n += 1
            k['vars'] = [{'name': self.pick(['VAR', 'HOST', 'PORT']) + ('' if self.chance(0.8) else str(self.n)), 'objref': {'kind': kind, 'name': n, 'apiVersion': api}}]

    def base(self, folder):
        k, have, seen = {'resources': []}, [], self.seen
        for i in range(self.r.randint(1, 3)):
            docs = []
            for _ in range(self.r.randint(1, 4)):
                kind, name = self.pick(self.KINDS), self.pick(NAMES)
                if (kind, name) in seen:
                    continue
                seen.add((kind, name))
                o = self.obj(kind, name)
                docs.append(yaml.safe_dump(o, sort_keys=False, allow_unicode=True, width=self.pick([80, 1000])))
                have.append((kind, o['metadata']['name'], o['apiVersion'], o['metadata'].get('namespace')))
            if self.chance(0.2) and ('Raw', 'raw%d' % i) not in seen:
                seen.add(('Raw', 'raw%d' % i))
                docs.append(self.raw_object('raw%d' % i))
            if docs:
                text = self.pick(['---\n', '---\n', '---\n', '--- # next\n', '---\n# only a comment\n---\n', '...\n---\n']).join(docs)
                if self.chance(0.1):
                    text = '---\n' + text
                if self.chance(0.1):
                    text = text.replace('\n', '\r\n')
                if self.chance(0.1) and 'Raw' not in text:
                    text = yaml.safe_dump({'apiVersion': 'v1', 'kind': 'List', 'items': list(filter(None, yaml.safe_load_all(text)))})
                self.write(os.path.join(folder, 'r%d.yaml' % i), text)
                k['resources'].append('r%d.yaml' % i)
        if self.chance(0.3):
            k['configMapGenerator'] = [self.generator(folder, have, False)]
        if self.chance(0.2):
            k['secretGenerator'] = [{**self.generator(folder, have, False), **({'type': 'kubernetes.io/tls'} if self.chance(0.3) else {})}]
        if self.chance(0.2):
            k['generatorOptions'] = {'disableNameSuffixHash': self.chance(0.3), 'labels': {'gen': 'x'}}
        self.transformers(k, folder, have)
        if self.chance(0.15) and 'texts' not in seen:
            seen.add('texts')
            self.structured(folder, k)
        for g in k.get('configMapGenerator', []):
            have.append(('ConfigMap', g['name'], 'v1', g.get('namespace')))
        self.write(os.path.join(folder, 'kustomization.yaml'), k)
        return have

    def build(self):
        have, bases = [], []
        for i in range(self.r.randint(1, 2)):
            have += self.base('base%d' % i)
            bases.append('../base%d' % i)
        if self.chance(0.3):  # a layer between
            k = {'resources': bases}
            self.transformers(k, 'mid', have)
            self.write('mid/kustomization.yaml', k)
            bases = ['../mid']
        k = {'resources': bases}
        if self.chance(0.3):
            c = {'apiVersion': 'kustomize.config.k8s.io/v1alpha1', 'kind': 'Component'}
            self.transformers(c, 'comp', have)
            if self.chance(0.4):
                c['configMapGenerator'] = [self.generator('comp', have, True)]
            self.write('comp/kustomization.yaml', c)
            k['components'] = ['../comp']
        if self.chance(0.3):
            k['configMapGenerator'] = [self.generator('overlay', have, True)]
        self.transformers(k, 'overlay', have)
        if self.chance(0.15):
            k['sortOptions'] = self.pick([{'order': 'fifo'}, {'order': 'legacy'},
                                          {'order': 'legacy', 'legacySortOptions': {'orderFirst': ['Service', 'Thing'], 'orderLast': ['Namespace']}}])
        if self.chance(0.15):
            k['buildMetadata'] = self.some(['originAnnotations', 'transformerAnnotations'], 2)
        self.write('overlay/kustomization.yaml', k)


if __name__ == '__main__':
    Tree(sys.argv[1], sys.argv[2]).build()
