"""A job is told why before it is signalled: what the engine loop orders, and in which order."""

from pathlib import Path
from typing import Any

import pytest

from comptoir.desk.engine_loop import EngineLoop
from comptoir.desk.engine_port import StopKind, StopNotice
from comptoir.desk.failure_requests import PlanMaintenance
from comptoir.desk.requests import JobRef, LeaseRef, TenantRef
from comptoir.leases.lease import LeaseClass
from comptoir.tenants.parties import TenantKind
from comptoir.units.errors import Unavailable
from tests.api.world import FakeEngine
from tests.builders import START_MS, Book


class Recording(FakeEngine):
    """Writes down what it is ordered, and ends no attempt by itself."""

    deaf = False

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, Any]] = []

    def tell(self, attempt_id: str, notice: StopNotice) -> None:
        self.calls.append(("tell", notice))
        if self.deaf:
            raise Unavailable("disk", "no room")

    def stop(self, attempt_id: str) -> None:
        self.calls.append(("stop", attempt_id))

    kill = stop


class World:
    """A book with one running spot job, its engine and its loop."""

    def __init__(self, directory: Path) -> None:
        self.book = book = Book(directory)
        book.price_all()
        book.supply(4, engine="fake")
        self.acme, self.ads = book.tenant("acme"), book.tenant("ads", TenantKind.TEAM)
        self.engine = Recording()
        submit = lambda seen: book.desk.call("observe", seen)  # noqa: E731
        self.loop = EngineLoop(self.engine, lambda: book.desk.book, submit)
        end = START_MS + 600_000
        self.lease = book.lease(self.acme, LeaseClass.SPOT, 4, notice_s=30, ends_at_ms=end)
        self.job = book.job(self.lease)
        book.turn()
        self.step()
        assert self.engine.running

    def step(self) -> list[tuple[str, Any]]:
        """One round of the loop; what it ordered."""
        self.engine.calls.clear()
        self.loop.step(self.book.clock.instant_ms)
        self.book.turn()
        return list(self.engine.calls)

    def told(self) -> StopNotice:
        """The one notice of a round that tells and then signals."""
        (first, notice), (second, _) = self.step()
        assert (first, second) == ("tell", "stop")
        assert isinstance(notice, StopNotice)
        assert (notice.lease_id, notice.job_id) == (self.lease.id, self.job.id)
        return notice


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_reclaimed_job_is_told_that_it_will_resume(world: World) -> None:
    assert world.step() == []
    now = world.book.clock.instant_ms
    soon = START_MS + 300_000
    world.book.lease(world.ads, LeaseClass.INTERNAL, 2, ends_at_ms=soon)
    world.book.turn()
    notice = world.told()
    assert (notice.kind, notice.reason) == (StopKind.RECLAIM, "stronger_request")
    assert (notice.told_at_ms, notice.kill_at_ms, notice.notice_s) == (now, now + 30_000, 30)
    assert notice.resumes
    assert world.step() == []


def test_a_job_whose_node_is_taken_for_planned_work_is_told_so_and_resumes(world: World) -> None:
    book = world.book
    book.supply(4, engine="fake")
    now = book.clock.instant_ms
    (node_id,) = {part.node_id for part in book.desk.book.allocations_of(world.lease.id)}
    work = PlanMaintenance(node_id, now + 60_000, now + 120_000, "new firmware")
    book.desk.call("plan_maintenance", work, book.operator)
    book.pass_s(30)  # its notice before the work
    calls = world.step()
    assert [what for what, _ in calls] == ["tell", "stop"]
    notice = calls[0][1]
    assert (notice.kind, notice.reason) == (StopKind.RECLAIM, "node_maintenance")
    assert (notice.kill_at_ms, notice.resumes) == (now + 60_000, True)


def test_a_notice_is_whole_though_the_turn_comes_a_moment_late(world: World) -> None:
    world.book.pass_s(569.7)
    assert world.step() == []
    world.book.pass_s(0.2)  # it is due a quarter of a second early, and this turn is late
    notice = world.told()
    assert notice.kill_at_ms - notice.told_at_ms == 30_100
    assert notice.notice_s == 30


def test_the_end_of_a_window_is_told_as_an_ending(world: World) -> None:
    world.book.pass_s(570)
    notice = world.told()
    assert (notice.kind, notice.reason) == (StopKind.ENDING, "window_end")
    assert notice.kill_at_ms == START_MS + 600_000
    assert not notice.resumes


def test_a_holder_that_ends_its_lease_is_told_so(world: World) -> None:
    world.book.desk.call("end_lease", LeaseRef(world.lease.id), world.book.operator)
    notice = world.told()
    assert (notice.kind, notice.reason) == (StopKind.ENDING, "ended_by_holder")


def test_a_cancelled_job_is_told_that_its_lease_goes_on(world: World) -> None:
    world.book.desk.call("cancel_job", JobRef(world.job.id), world.book.operator)
    notice = world.told()
    assert (notice.kind, notice.reason) == (StopKind.CANCEL, "job_cancelled")


def test_a_notice_that_changes_is_told_again_without_another_signal(world: World) -> None:
    world.book.lease(world.ads, LeaseClass.INTERNAL, 2, ends_at_ms=START_MS + 300_000)
    world.book.turn()
    world.told()
    world.book.desk.call("suspend_tenant", TenantRef(world.acme.id), world.book.operator)
    ((verb, notice),) = world.step()
    assert (verb, notice.reason, notice.resumes) == ("tell", "tenant_suspended", False)


def test_a_job_that_cannot_be_told_is_signalled_all_the_same(world: World) -> None:
    world.engine.deaf = True
    world.book.desk.call("end_lease", LeaseRef(world.lease.id), world.book.operator)
    assert [verb for verb, _ in world.step()] == ["tell", "stop"]
    world.engine.deaf = False
    assert [verb for verb, _ in world.step()] == ["tell"]
