"""One world a module: opening it takes a second, and tests make their own leases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.world import World, open_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data: Path = tmp_path_factory.mktemp("post")
    with open_world(data) as opened:
        yield opened
