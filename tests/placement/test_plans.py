"""Whatever the book holds: a plan passes its check, and the same question has the same answer.

A random history of requests, ends and drained nodes is planned, checked and fed to a snapshot
change by change; the snapshot must then be the one that is built at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.fleet.nodes import Node, NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.lease import (
    Lease,
    LeaseClass,
    LeaseRequest,
    LeaseState,
    OnReclaim,
    Shape,
    request_of,
)
from comptoir.placement.backend import PLAIN, Backend, compiled
from comptoir.placement.check import check_plan
from comptoir.placement.plan import plan_lease
from comptoir.placement.snapshot import Snapshot
from comptoir.units.errors import Refused
from comptoir.units.ids import AllocationId, InboundLeaseId, LeaseId, NodeId, TenantId, UserId
from tests.builders import a_tenant

KINDS = ("cpu-core", "h100-sxm")


@dataclass
class World:
    """A snapshot, fed as the desk feeds it, and the rows that it was fed."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    nodes: dict[str, Node] = field(default_factory=dict)
    inbound: dict[str, InboundLease] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    allocations: dict[str, Allocation] = field(default_factory=dict)
    now_ms: int = 1_000_000
    notice_s: int = 5

    def put(self, table: dict[str, Any], feed: Any, row: Any) -> None:
        feed(table.get(row.id), row)
        table[row.id] = row

    def add_node(self, kind: str, size: int, ends: int | None) -> None:
        number = len(self.nodes)
        supply = InboundLease(
            InboundLeaseId(f"il_{number}"), "s", "owned", kind, 0, ends, 0, "USD",
            InboundState.ACTIVE,
        )  # fmt: skip
        self.put(self.inbound, self.snapshot.feed_inbound, supply)
        node = Node(
            NodeId(f"nd_{number}"), f"n{number}", supply.id, kind, size, 0, "", "site", "a",
            f"pod-{number // 4}", f"rack-{number // 2}", NodeState.IN_SERVICE,
        )  # fmt: skip
        self.put(self.nodes, self.snapshot.feed_node, node)

    def ask(self, wanted: tuple[Any, ...]) -> None:
        """Plan a request, check the plan, and commit it as the desk does."""
        kind, size, lease_class, shape, tenant, begins, lasts = wanted
        starts = self.now_ms + begins
        lease = Lease(
            LeaseId(f"ls_{len(self.leases)}"), TenantId(tenant), UserId("u"), "", lease_class, kind,
            size, shape, starts, None if lasts is None else starts + lasts, self.notice_s,
            OnReclaim.WAIT, self.now_ms, LeaseState.WAITING, self.now_ms,
        )  # fmt: skip
        self.put(self.leases, self.snapshot.feed_lease, lease)
        request = request_of(lease, a_tenant(tenant), self.now_ms)
        plan = planned(self.snapshot, request, self.now_ms)
        if plan is None:
            return
        check_plan(self.snapshot, request, plan, self.now_ms)
        for reclaim in plan.reclaims:
            for allocation in self.standing(reclaim.lease_id):
                ends = min(reclaim.until_ms, allocation.ends_at_ms or reclaim.until_ms)
                self.put_allocation(replace(allocation, ends_at_ms=ends))
        active = plan.starts_at_ms == self.now_ms
        for part in plan.allocations:
            self.put_allocation(
                Allocation(
                    AllocationId(f"al_{len(self.allocations)}"), lease.id, lease.tenant_id,
                    part.node_id, self.nodes[part.node_id].inbound_lease_id, part.accelerators,
                    plan.starts_at_ms, part.ends_at_ms, self.now_ms if active else None,
                )
            )  # fmt: skip
        state = LeaseState.ACTIVE if active else LeaseState.SCHEDULED
        self.put(self.leases, self.snapshot.feed_lease, replace(lease, state=state))

    def put_allocation(self, allocation: Allocation) -> None:
        self.put(self.allocations, self.snapshot.feed_allocation, allocation)

    def standing(self, lease_id: str) -> list[Allocation]:
        return [
            allocation
            for allocation in self.allocations.values()
            if allocation.lease_id == lease_id and allocation.fenced_at_ms is None
        ]

    def end(self, number: int) -> None:
        """Fence everything of a lease."""
        if self.leases:
            lease_id = list(self.leases)[number % len(self.leases)]
            for allocation in self.standing(lease_id):
                self.put_allocation(replace(allocation, fenced_at_ms=self.now_ms))

    def drain(self, number: int) -> None:
        node = self.nodes[list(self.nodes)[number % len(self.nodes)]]
        other = NodeState.DRAINING if node.state is NodeState.IN_SERVICE else NodeState.IN_SERVICE
        self.put(self.nodes, self.snapshot.feed_node, replace(node, state=other))

    def work(self, wanted: tuple[int, int | None, int | None]) -> None:
        """Plan work on a node, or call it off; what is promised into it looks elsewhere."""
        number, begins, lasts = wanted
        node = self.nodes[list(self.nodes)[number % len(self.nodes)]]
        starts = None if begins is None else self.now_ms + begins
        over = None if starts is None or lasts is None else starts + lasts
        node = replace(node, maintenance_from_ms=starts, maintenance_until_ms=over)
        self.put(self.nodes, self.snapshot.feed_node, node)
        for allocation in list(self.allocations.values()):
            promised = allocation.fenced_at_ms is None and allocation.delivered_from_ms is None
            if allocation.node_id == node.id and promised and node.kept_free(allocation.window):
                self.put_allocation(replace(allocation, fenced_at_ms=self.now_ms))

    def redate(self, number: int) -> None:
        """Another end of the supply takes a node, and what stands on it, to another pool."""
        supply = list(self.inbound.values())[number % len(self.inbound)]
        other = 9_000_000 if supply.ends_at_ms != 9_000_000 else None
        self.put(self.inbound, self.snapshot.feed_inbound, replace(supply, ends_at_ms=other))

    def pass_by(self, elapsed_ms: int) -> None:
        self.now_ms += elapsed_ms

    def rebuilt(self) -> Snapshot:
        built = Snapshot()
        for row in self.inbound.values():
            built.feed_inbound(None, row)
        for node in self.nodes.values():
            built.feed_node(None, node)
        for lease in self.leases.values():
            built.feed_lease(None, lease)
        for allocation in self.allocations.values():
            built.feed_allocation(None, allocation)
        return built


def planned(snapshot: Snapshot, request: LeaseRequest, now_ms: int) -> Any:
    """The plan; the same question is asked twice and must have the same answer."""
    try:
        plan = plan_lease(snapshot, request, now_ms)
    except Refused:
        return None
    assert plan == plan_lease(snapshot, request, now_ms)
    return plan


nodes = st.tuples(st.sampled_from(KINDS), st.integers(1, 5), st.sampled_from([None, 1_060_000]))
wishes = st.tuples(
    st.sampled_from(KINDS),
    st.integers(1, 9),
    st.sampled_from(list(LeaseClass)),
    st.sampled_from(list(Shape)),
    st.sampled_from(["t1", "t2"]),
    st.sampled_from([0, 0, 0, 7_000, 50_000]),
    st.sampled_from([None, None, 3_000, 20_000, 90_000]),
)
steps = st.one_of(
    st.tuples(st.just("ask"), wishes),
    st.tuples(st.just("ask"), wishes),
    st.tuples(st.just("end"), st.integers(0, 30)),
    st.tuples(st.just("drain"), st.integers(0, 30)),
    st.tuples(st.just("redate"), st.integers(0, 30)),
    st.tuples(
        st.just("work"),
        st.tuples(
            st.integers(0, 30),
            st.sampled_from([None, 1, 5_000, 40_000]),
            st.sampled_from([None, 4_000, 30_000]),
        ),
    ),
    st.tuples(st.just("pass_by"), st.sampled_from([1, 4_000, 30_000])),
)


def lived(
    made: Iterable[tuple[Any, ...]], history: Iterable[tuple[str, Any]], backend: Backend = PLAIN
) -> World:
    world = World(Snapshot(backend))
    for kind, size, ends in made:
        world.add_node(kind, size, ends)
    for what, given_ in history:
        getattr(world, what)(given_)
    return world


@settings(max_examples=150, deadline=None)
@given(st.lists(nodes, min_size=1, max_size=8), st.lists(steps, max_size=25))
def test_plans_pass_their_check_and_the_snapshot_is_the_book(
    made: list[tuple[Any, ...]], history: list[tuple[str, Any]]
) -> None:
    world = lived(made, history)
    built = world.rebuilt()
    built.advance(world.now_ms)
    assert world.snapshot.contents() == built.contents()


@settings(max_examples=60, deadline=None)
@given(st.lists(nodes, min_size=1, max_size=8), st.lists(steps, max_size=25))
def test_no_accelerator_is_promised_twice_nor_into_planned_work(
    made: list[tuple[Any, ...]], history: list[tuple[str, Any]]
) -> None:
    world = lived(made, history)
    standing = [a for a in world.allocations.values() if a.fenced_at_ms is None]
    for n, one in enumerate(standing):
        for other in standing[n + 1 :]:
            if one.node_id == other.node_id and one.window.overlaps(other.window):
                assert not set(one.accelerators) & set(other.accelerators)
        if one.delivered_from_ms is None:
            assert not world.nodes[one.node_id].kept_free(one.window)


@settings(max_examples=60, deadline=None)
@given(st.lists(nodes, min_size=1, max_size=8), st.lists(steps, max_size=20))
def test_the_same_history_gives_the_same_book(
    made: list[tuple[Any, ...]], history: list[tuple[str, Any]]
) -> None:
    assert lived(made, history).allocations == lived(made, history).allocations


@settings(max_examples=25, deadline=None)
@given(st.lists(nodes, min_size=1, max_size=8), st.lists(steps, max_size=25))
def test_the_planner_plans_alike_on_both_back_ends(
    made: list[tuple[Any, ...]], history: list[tuple[str, Any]]
) -> None:
    plain, fast = lived(made, history), lived(made, history, compiled())
    assert plain.allocations == fast.allocations
    assert plain.snapshot.contents() == fast.snapshot.contents()
