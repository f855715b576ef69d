"""A short run of scripts/chaos: processes killed at random under orders, and everything as desired in the end."""

import pytest
from lib.chaos import Chaos


@pytest.mark.limit(240)
def test_random_kills_lose_nothing(make_tree):
    fast = {"probation": "100ms", "retry_min": "50ms", "retry_max": "1s"}
    tree = make_tree({"driver": {"runtime": "null"}, "reconciler": fast}).start()
    said = []
    chaos = Chaos(tree, "null/image:1", 4, 20261125, say=said.append)
    try:
        chaos.run(8)
        chaos.check()
    except BaseException:
        print("\n".join(said))
        raise
