"""One probed engine for the tests that do not need one of their own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.local_world import World


@pytest.fixture(scope="session")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("data"))
    assert world.engine.health().available, world.engine.health().reason
    yield world
    world.close()


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A temporary directory that every user can reach, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="comptoir-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[World]:
    """An engine of this test's own, in a directory that a restart can reopen."""
    world = World(tmp_path / "data")
    yield world
    world.close()
