"""Fixtures of the end-to-end tests, by where they come from."""
import pytest

from cluster import cluster_fixture, kube_fixture  # noqa: F401
from daemon import daemon_fixture, receiver_fixture  # noqa: F401
from driver import target_of_fixture  # noqa: F401
from folder import Folder
from gitserver import (git_http_fixture, git_https_fixture, git_keys_fixture, git_root_fixture,  # noqa: F401
                       git_ssh_fixture, git_tls_fixture, make_repo_fixture)
from onkube import start_fixture  # noqa: F401


@pytest.fixture
def live(tmp_path):
    """A folder that a directory target may make."""
    return Folder(tmp_path / 'live')
