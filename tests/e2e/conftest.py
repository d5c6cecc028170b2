"""Fixtures of the end-to-end tests, by where they come from."""
from cluster import cluster_fixture, kube_fixture  # noqa: F401
from gitserver import (git_http_fixture, git_https_fixture, git_keys_fixture, git_root_fixture,  # noqa: F401
                       git_ssh_fixture, git_tls_fixture, make_repo_fixture)
