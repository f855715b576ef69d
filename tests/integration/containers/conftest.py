"""Provides a container-driver of its own for a test, without a tree around it."""

import pytest

from lib.container_driver import Driver


@pytest.fixture
def make_driver(place):
    made = []

    def make(settings, name="tree"):
        made.append(Driver(place / name, settings))
        return made[-1]
    yield make
    for driver in made:
        assert driver.stop() in (0, None), driver.log()


@pytest.fixture
def docker_driver_settings(dockerd):
    return {"runtime": "docker", "docker_socket": dockerd.socket, "request_timeout": "20s"}


@pytest.fixture
def driver(make_driver, engine, docker_driver_settings):
    return make_driver(docker_driver_settings).start()
