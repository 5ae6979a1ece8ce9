"""A lease moves as its class and its contract allow: whole, free, with notice, and billed once."""

import pytest

from comptoir.desk.contract_requests import ContractVersionRef, ProposeContract
from comptoir.desk.engine_loop import EngineLoop
from comptoir.desk.engine_port import AttemptSight
from comptoir.desk.failure_requests import SetSpare
from comptoir.desk.move_requests import MoveLease, MovePart
from comptoir.desk.requests import LeaseRef
from comptoir.leases.lease import Lease, LeaseClass, LeaseState, Reason, Shape
from comptoir.sales.contract_file import read_contract_file
from comptoir.sales.tranches import ActType
from comptoir.simulation.audit_memory import memory_problems
from comptoir.tenants.parties import Role, Tenant, TenantKind
from comptoir.units.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from comptoir.units.ids import AllocationId, NodeId
from tests.desk.fleet_book import H100, FleetBook

INTERNAL, SPOT = LeaseClass.INTERNAL, LeaseClass.SPOT
ON_DEMAND, RESERVED = LeaseClass.ON_DEMAND, LeaseClass.RESERVED
CONTRACT = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-01-01
until = 2028-01-01

[move]
notice = "20m"
times_a_year = 1
"""


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetBook:
    return FleetBook(tmp_path_factory.mktemp("fleet"))


@pytest.fixture
def acme(fleet: FleetBook) -> Tenant:
    return fleet.tenant("acme")


@pytest.fixture
def ads(fleet: FleetBook) -> Tenant:
    return fleet.tenant("ads", kind=TenantKind.TEAM)


def move(fleet: FleetBook, lease: Lease, *to: str, **named: tuple[int, ...]) -> Lease:
    """Move each part of a lease, in order of its nodes, to the nodes that are named."""
    book = fleet.desk.book
    mine = [a for a in book.allocations_of(lease.id) if a.fenced_at_ms is None and not a.lost]
    mine.sort(key=lambda a: book.nodes[a.node_id].name)
    parts = tuple(
        MovePart(a.id, fleet.node(name).id, named.get(name, tuple(range(len(a.accelerators)))))
        for a, name in zip(mine, to, strict=False)
    )
    return fleet.desk.call("move_lease", MoveLease(lease.id, parts, "racks"), fleet.operator)


def stands(fleet: FleetBook, lease: Lease) -> set[str]:
    """The nodes on which a lease is promised or has something, but for what it leaves."""
    book = fleet.desk.book
    mine = [a for a in book.allocations_of(lease.id) if a.fenced_at_ms is None and not a.lost]
    return {book.nodes[a.node_id].name for a in mine}


def agree(fleet: FleetBook) -> None:
    request = ProposeContract(read_contract_file("acme.toml", CONTRACT))
    made = fleet.desk.call("propose_contract", request, fleet.user(Role.SALES))
    ref = ContractVersionRef(made.contract.id, made.version.number)
    fleet.desk.call("approve_contract", ref, fleet.user(Role.APPROVER))


def test_a_promise_moves_at_once_and_is_handed_over_on_its_new_nodes(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(2, 2)
    window = {"starts_at_ms": fleet.hour(1), "ends_at_ms": fleet.hour(9)}
    lease = fleet.lease(acme, RESERVED, 16, H100, Shape.RACK, **window)
    fleet.turn()
    assert stands(fleet, lease) == {"r0n0", "r0n1"}
    move(fleet, lease, "r1n0", "r1n1")
    assert stands(fleet, lease) == {"r1n0", "r1n1"}
    assert fleet.told("lease.moved") == [lease.id]
    fleet.pass_s(3_600)
    assert fleet.now(lease).state is LeaseState.ACTIVE
    assert fleet.breaches(lease) == [] and [*memory_problems(fleet.desk)] == []


def test_what_runs_has_its_new_nodes_now_and_the_old_ones_for_its_notice(
    fleet: FleetBook, ads: Tenant
) -> None:
    fleet.racks(2, 1)
    lease = fleet.lease(ads, INTERNAL, 16, H100, Shape.RACK, notice_s=600)
    other = fleet.lease(ads, INTERNAL, 8, H100, Shape.NODE)
    fleet.turn()
    start, (free,) = fleet.clock.instant_ms, fleet.held(other)
    fleet.desk.call("end_lease", LeaseRef(other.id), fleet.operator)
    fleet.pass_s(3_600)
    small = fleet.lease(ads, INTERNAL, 8, H100, Shape.NODE, notice_s=600)
    fleet.turn()
    (old,) = fleet.held(small)
    assert old == free
    with pytest.raises(Refused, match="0 of the 8 accelerators") as no:
        move(fleet, small, "r0n0")
    assert no.value.code == "move_not_free"
    fleet.desk.call("end_lease", LeaseRef(lease.id), fleet.operator)
    fleet.pass_s(700)
    began = fleet.clock.instant_ms
    move(fleet, small, "r0n0")
    assert set(fleet.held(small)) == {"r0n0"} and fleet.now(small).lost == ()
    fleet.pass_s(599)
    third = fleet.lease(ads, INTERNAL, 16, H100, Shape.SITE)
    fleet.turn()
    assert fleet.now(third).state is not LeaseState.ACTIVE, "the old node has its notice"
    fleet.pass_s(2)
    assert fleet.now(third).state is LeaseState.ACTIVE
    fleet.desk.call("end_lease", LeaseRef(small.id), fleet.operator)
    fleet.pass_s(700)
    assert fleet.breaches(small) == [] and began > start
    assert fleet.delivered_ms(small) % 8 == 0
    assert [*memory_problems(fleet.desk)] == []


def test_time_that_is_moved_is_billed_once(fleet: FleetBook, ads: Tenant) -> None:
    fleet.racks(2)
    lease = fleet.lease(ads, INTERNAL, 8, H100, Shape.NODE, notice_s=60)
    fleet.turn()
    (old,) = fleet.held(lease)
    fleet.pass_s(1_000)
    move(fleet, lease, "r0n1" if old == "r0n0" else "r0n0")
    fleet.pass_s(500)
    fleet.desk.call("end_lease", LeaseRef(lease.id), fleet.operator)
    fleet.pass_s(100)
    assert fleet.delivered_ms(lease) == 8 * 1_500_000


def test_a_job_is_told_that_it_moves_and_starts_again_on_the_new_node(
    fleet: FleetBook, ads: Tenant
) -> None:
    fleet.supply(4, 4, engine="local")
    lease = fleet.lease(ads, INTERNAL, 4, shape=Shape.NODE, notice_s=60)
    fleet.job(lease)
    fleet.turn()
    fleet.see(fleet.attempt(lease), AttemptSight.RUNNING)
    (old,) = fleet.held(lease)
    (new,) = {node.name for node in fleet.desk.book.nodes} - {old}
    move(fleet, lease, new)
    first = fleet.attempt(lease)
    assert first.stop_at_ms == fleet.clock.instant_ms
    assert first.kill_at_ms == fleet.clock.instant_ms + 60_000
    loop = EngineLoop(object(), lambda: fleet.desk.book, lambda _: None)  # type: ignore[arg-type]
    assert loop._why_gone(first) is Reason.MOVED
    fleet.pass_s(20)
    fleet.see(first, AttemptSight.EXITED, 143)
    again = fleet.attempt(lease)
    assert (again.number, again.node_id) == (2, fleet.node(new).id)
    assert not fleet.desk.book.lost_on.count(fleet.node(old).id)
    assert [*memory_problems(fleet.desk)] == []


def test_what_is_sold_and_runs_stays_unless_its_contract_has_a_clause(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(3)
    lease = fleet.lease(acme, RESERVED, 8, H100, Shape.NODE, ends_at_ms=fleet.hour(99))
    fleet.turn()
    with pytest.raises(Conflict, match="no clause of its contract") as no:
        move(fleet, lease, "r0n1")
    assert no.value.code == "lease_stays"
    agree(fleet)
    (old,) = stands(fleet, lease)
    new, other = sorted({"r0n0", "r0n1", "r0n2"} - {old})
    move(fleet, lease, new)
    (act,) = [a for a in fleet.desk.book.contracts.acts if a.type is ActType.MOVE]
    assert act.subject == lease.id
    with pytest.raises(Conflict, match="is not over yet"):
        move(fleet, lease, other)
    fleet.pass_s(1_199)
    assert fleet.desk.book.lost_on.count(fleet.node(old).id) == 1
    fleet.pass_s(1)
    assert fleet.desk.book.lost_on.count(fleet.node(old).id) == 0
    with pytest.raises(Conflict, match="no clause of its contract"):  # the year has seen its one
        move(fleet, lease, other)


def test_spot_moves_once_it_has_run_its_minimum(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(2)
    lease = fleet.lease(acme, SPOT, 8, H100, Shape.NODE, notice_s=60)
    fleet.turn()
    book = fleet.desk.book
    assert book.leases[lease.id].minimum_runtime_s == 0
    (old,) = fleet.held(lease)
    move(fleet, lease, "r0n1" if old == "r0n0" else "r0n0")
    assert old not in fleet.held(lease)


def test_a_move_that_the_book_has_overtaken_is_refused_and_changes_nothing(
    fleet: FleetBook, ads: Tenant
) -> None:
    fleet.racks(2, 2)
    lease = fleet.lease(ads, INTERNAL, 16, H100, Shape.RACK)
    fleet.turn()
    before = fleet.desk.book.snapshot.contents()["allocations"].copy()
    for to, code in ((("r1n0",), "move_elsewhere"), (("r1n0", "r1n0"), "move_not_free")):
        with pytest.raises(Refused) as no:
            move(fleet, lease, *to)
        assert no.value.code == code
    gone = MovePart(AllocationId("al_gone"), fleet.node("r1n0").id, tuple(range(8)))
    with pytest.raises(Conflict) as late:
        fleet.desk.call("move_lease", MoveLease(lease.id, (gone,)), fleet.operator)
    assert late.value.code == "move_overtaken"
    with pytest.raises(Invalid) as none:
        fleet.desk.call("move_lease", MoveLease(lease.id, ()), fleet.operator)
    assert none.value.code == "nothing_to_move"
    (mine, _) = fleet.desk.book.allocations_of(lease.id)
    nowhere = MovePart(mine.id, NodeId("nd_none"), tuple(range(8)))
    with pytest.raises(NotFound):
        fleet.desk.call("move_lease", MoveLease(lease.id, (nowhere,)), fleet.operator)
    with pytest.raises(Forbidden):
        fleet.desk.call("move_lease", MoveLease(lease.id, (gone,)), fleet.user(Role.SALES))
    assert fleet.desk.book.snapshot.contents()["allocations"] == before


def test_nobody_is_moved_to_a_spare_nor_into_planned_work(fleet: FleetBook, ads: Tenant) -> None:
    fleet.racks(3)
    lease = fleet.lease(ads, INTERNAL, 8, H100, Shape.NODE)
    fleet.turn()
    spare = SetSpare(fleet.node("r0n1").id, True)
    fleet.desk.call("set_spare", spare, fleet.operator)
    fleet.maintain("r0n2", fleet.hour(5))
    for name in ("r0n1", "r0n2"):
        with pytest.raises(Refused) as no:
            move(fleet, lease, name)
        assert no.value.code == "move_not_free"
