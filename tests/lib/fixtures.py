"""Provides the fixtures that the integration tests and the system tests share; their conftest.py import them."""

import pytest

from . import ground
from .tree import Tree


@pytest.fixture(scope="session")
def session_place():
    """A directory for files of the whole session, removed at its end."""
    place = ground.make_place("session")
    yield place
    ground.remove(place)


@pytest.fixture
def place():
    """A directory of one test, which service users can enter, removed afterwards. Processes that still run in it are ended: the
    children of a hostletd that was killed, or of a test that failed between two starts."""
    directory = ground.make_place("case")
    yield directory
    ground.kill_processes_naming(str(directory))
    ground.remove(directory)


@pytest.fixture
def make_tree(place, request):
    """make_tree(settings, name=…, environment=…) gives a Tree that is not started yet; it is stopped after the test."""
    trees = request.node.hostlet_trees = []

    def make(settings=None, name="tree", environment=None):
        tree = Tree(place / name, settings, environment)
        trees.append(tree)
        return tree
    yield make
    for tree in trees:
        tree.stop()
