"""leeboard render, as people call it."""
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('LEEBOARD_BUILD', os.path.join(TOP, 'build'))

BASE = '''\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
---
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {password: hunter2}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
'''
OVERLAY = '''\
resources: [base.yaml]
namespace: shop
replicas:
- {name: web, count: 3}
'''


def render(folder, *argv):
    return subprocess.run([os.path.join(BUILD, 'leeboard'), 'render', *argv], cwd=folder, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)


def overlay(tmp_path):
    (tmp_path / 'base.yaml').write_text(BASE)
    (tmp_path / 'kustomization.yaml').write_text(OVERLAY)


def test_trace_names_the_line_of_each_field_and_hides_secrets(tmp_path):
    overlay(tmp_path)
    p = render(tmp_path, '--trace')
    assert (p.returncode, p.stderr) == (0, '')
    assert p.stdout == '''\
Namespace shop
  .apiVersion     v1  base.yaml:12
  .kind           Namespace  base.yaml:13
  .metadata.name  shop  base.yaml:14
Secret shop/key
  .apiVersion          v1  base.yaml:7
  .kind                Secret  base.yaml:8
  .metadata.name       key  base.yaml:9
  .metadata.namespace  shop  kustomization.yaml:2
  .data.password       <redacted>  base.yaml:10
Deployment shop/web
  .apiVersion          apps/v1  base.yaml:1
  .kind                Deployment  base.yaml:2
  .metadata.name       web  base.yaml:3
  .metadata.namespace  shop  kustomization.yaml:2
  .spec.replicas       3  kustomization.yaml:4
'''


def test_a_folder_for_output_gets_a_file_for_each_object(tmp_path):
    overlay(tmp_path)
    (tmp_path / 'out').mkdir()
    p = render(tmp_path, '-o', 'out')
    assert (p.returncode, p.stdout, p.stderr) == (0, '', '')
    assert sorted(os.listdir(tmp_path / 'out')) == ['apps_v1_deployment_web.yaml', 'v1_namespace_shop.yaml', 'v1_secret_key.yaml']
    assert (tmp_path / 'out' / 'v1_namespace_shop.yaml').read_text() == 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n'


def test_a_folder_without_a_kustomization_needs_plain(tmp_path):
    (tmp_path / 'base.yaml').write_text(BASE)
    p = render(tmp_path)
    assert (p.returncode, p.stdout) == (4, '')
    assert p.stderr == ("folder '.' has no kustomization.yaml, kustomization.yml or Kustomization\n"
                        "  hint: leeboard render --plain reads plain manifests\n")
    p = render(tmp_path, '--plain')
    assert (p.returncode, p.stderr) == (0, '')
    assert p.stdout.count('kind:') == 3


def test_warnings_and_errors_stay_off_standard_output(tmp_path):
    (tmp_path / 'kustomization.yaml').write_text('commonLabels: {a: 1}\nbases: [none]\n')
    p = render(tmp_path, '.')
    assert (p.returncode, p.stdout) == (4, '')
    assert "kustomization.yaml:1:19: 'a' must be a string, not an integer" in p.stderr
