"""Fixtures of the end-to-end tests, by where they come from."""
from cluster import cluster_fixture, kube_fixture  # noqa: F401
