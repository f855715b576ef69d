"""Provides pytest's hooks that the integration tests and the system tests share; their conftest.py import them."""

import signal

import pytest

TEST_LIMIT = 180  # seconds; a test may ask for more by @pytest.mark.limit(N)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """Limits the time of each test: after its limit it fails with the place where it stood."""
    marker = item.get_closest_marker("limit")
    limit = marker.args[0] if marker else TEST_LIMIT

    def too_long(*_):
        raise TimeoutError(f"the test ran for more than {limit} s")
    old = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, limit)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, old)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the ends of its trees' logs."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for tree in getattr(item, "hostlet_trees", []):
            report.sections.append((f"log of {tree.prefix}", tree.log()[-12000:]))
