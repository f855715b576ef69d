"""The integration tests' ground: what every test can ask for. The fixtures themselves stand in lib/."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))


def pytest_configure(config):
    config.addinivalue_line("markers", "failpoints: needs a build with --enable-failpoints, and runs there alone")
    config.addinivalue_line("markers", "sanitized: runs with the sanitized build as well")
