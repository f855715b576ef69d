"""Provides a directory of manifests, and trees that follow it."""

import pytest
from lib.manifests import Manifests


@pytest.fixture
def manifests(place):
    return Manifests(place / "manifests")


@pytest.fixture
def follower(make_tree, manifests):
    """follower(**keys) gives a tree that follows the directory, not started yet; 'keys' are of [reconciler]."""
    def go(**keys):
        settings = {"manifests": manifests.path, "retry_min": "100ms", "retry_max": "300ms", **keys}
        return make_tree({"container-driver": {"runtime": "null"}, "reconciler": settings})
    return go
