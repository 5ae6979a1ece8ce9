"""What a request may count on is what the rows add up to, whatever nodes came, went and failed."""

from collections import defaultdict
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.fleet.nodes import Node, NodeState
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.lease import LeaseClass, LeaseRequest, Shape
from comptoir.placement.kernel import DIRTY
from comptoir.placement.snapshot import Snapshot, place_of
from comptoir.units.ids import InboundLeaseId, LeaseId, NodeId, TenantId
from comptoir.units.time import Window

TERMS = ((None, "FR"), (None, "FR"), (10**12, "FR"), (None, "US"))
SUPPLIES = tuple(
    InboundLease(
        InboundLeaseId(f"il_{number}"), "s", "owned", "h100-sxm", 0, ends, 0, "USD",
        InboundState.ACTIVE, residency=residency,
    )
    for number, (ends, residency) in enumerate(TERMS)
)  # fmt: skip
REQUEST = LeaseRequest(
    LeaseId("ls"), TenantId("t"), LeaseClass.ON_DEMAND, "h100-sxm", 1, Shape.NODE, Window(0), 0
)

looks = st.fixed_dictionaries(
    {
        "accelerators": st.sampled_from([1, 4, 8]),
        "inbound_lease_id": st.sampled_from([supply.id for supply in SUPPLIES]),
        "site": st.sampled_from(["paris", "lyon"]),
        "cluster": st.sampled_from(["a", "b"]),
        "pod": st.sampled_from(["p1", "p2"]),
        "rack": st.sampled_from(["r1", "r2"]),
        "state": st.sampled_from(list(NodeState)),
        "spare": st.sampled_from([False, False, True]),
        "maintenance_from_ms": st.sampled_from([None, None, 5_000]),
    }
)
steps = st.lists(st.tuples(st.integers(0, 7), st.one_of(looks, looks, st.none())), max_size=40)


def fed(history: list[tuple[int, dict[str, Any] | None]]) -> Snapshot:
    """A snapshot that was fed each look of each node, and its going."""
    snapshot = Snapshot()
    for supply in SUPPLIES:
        snapshot.feed_inbound(None, supply)
    for number, look in history:
        id = NodeId(f"nd_{number}")
        old, new = snapshot.nodes.get(id), None
        if look is not None:
            node = Node(
                id, f"n{number}", SUPPLIES[0].id, "h100-sxm", 8, 0, "", "", "", "", "",
                NodeState.IN_SERVICE,
            )  # fmt: skip
            new = replace(node, **look)
        if old is not None or new is not None:
            snapshot.feed_node(old, new)
    return snapshot


def counted(snapshot: Snapshot, shape: Shape, residency: tuple[str, ...]) -> tuple[int, int]:
    """As the rows say: a place lies in one supply's terms, but a site in all of them."""
    places: dict[Any, int] = defaultdict(int)
    for node in snapshot.nodes.values():
        supply = snapshot.inbound[node.inbound_lease_id]
        if node.may_be_waited_for and supply.residency in (residency or ("FR", "US")):
            terms = None if shape is Shape.SITE else (supply.ends_at_ms, supply.residency)
            places[terms, place_of(node, shape)] += node.accelerators
    return sum(places.values()), max(places.values(), default=0)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_the_largest_place_and_all_of_them_are_what_the_rows_add_up_to(
    history: list[tuple[int, dict[str, Any] | None]],
) -> None:
    snapshot = fed(history)
    for residency in ((), ("FR",), ("US",)):
        request = replace(REQUEST, residency=residency)
        for shape in Shape:
            assert snapshot.capacity(request, shape) == counted(snapshot, shape, residency)


def test_a_settled_snapshot_leaves_nothing_to_the_first_search() -> None:
    look = {"site": "paris", "cluster": "a", "pod": "p1", "rack": "r1"}
    snapshot = fed([(number, look) for number in range(4)])
    assert any(pool.tables.pool[DIRTY] >= 0 for pool in snapshot.pools.values())
    snapshot.settle()
    assert all(pool.tables.pool[DIRTY] < 0 for pool in snapshot.pools.values())
