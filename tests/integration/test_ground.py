"""The ground itself: the real daemons that other tests stand on do what they are there for."""

import os
from pathlib import Path


def test_build_directory_is_given():
    assert (Path(os.environ["HOSTLET_BUILD"]) / "Makefile").exists()
