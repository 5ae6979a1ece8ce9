"""The machine's own cores: supplied once, as soon as the engine holds, and never again."""

from pathlib import Path

import pytest

from comptoir import assembly
from comptoir.assembly import Settings, open_post
from comptoir.desk.desk import Call
from comptoir.desk.engine_port import EngineHealth
from comptoir.desk.requests import EndSupply
from tests.api.world import FakeEngine


class Moody(FakeEngine):
    """An engine that is well when told."""

    well = False
    probes = 0

    def health(self) -> EngineHealth:
        return EngineHealth(self.well, "" if self.well else "unwell")

    def probe(self) -> EngineHealth:
        type(self).probes += 1
        return self.health()


@pytest.fixture
def moody(monkeypatch: pytest.MonkeyPatch) -> type[Moody]:
    kind = type("Fresh", (Moody,), {})
    monkeypatch.setattr(assembly, "LocalEngine", lambda *_: kind())
    return kind


def test_an_engine_that_gets_well_is_supplied_once(tmp_path: Path, moody: type[Moody]) -> None:
    with open_post(Settings(tmp_path)) as post:
        assert not post.desk.book.nodes.rows
        loops = assembly._Loops(post.queue, post.views, post.engines, {}, post.sender)
        for well, nodes in ((False, 0), (True, 1), (True, 1)):
            moody.well = well
            loops._probe()
            assert len(post.desk.book.nodes.rows) == nodes
        assert moody.probes == 3
        (supply,) = post.desk.book.inbound
        post.queue.call(Call("end_supply", EndSupply(supply.id))).unwrap()
    with open_post(Settings(tmp_path)) as post:
        assert not post.desk.book.nodes.rows
