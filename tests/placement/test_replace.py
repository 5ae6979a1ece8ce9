"""A replacement is found exactly when there is one, in the shape, and passes its check.

Random racks of nodes, some taken, some spare, some in planned work, and a gang that lost some of
its nodes; what the search finds is compared with every possible matching.
"""

from dataclasses import dataclass, replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.lease import LeaseClass, LeaseRequest, Shape
from comptoir.placement.check_replace import check_replacements
from comptoir.placement.plan import PlannedAllocation
from comptoir.placement.replace import Loss, find_replacements
from comptoir.placement.snapshot import Snapshot, place_of
from comptoir.units.errors import InvariantBroken
from comptoir.units.ids import AllocationId, InboundLeaseId, LeaseId, NodeId, TenantId
from comptoir.units.time import Window

NOW_MS = 1_000_000
H100 = "h100-sxm"
US, THEM = TenantId("us"), TenantId("them")


@dataclass
class Rack:
    """What the fleet looks like: nodes, and what each has free for us."""

    snapshot: Snapshot
    nodes: list[Node]


def rack_of(given_nodes: list[tuple[int, int, str, int]]) -> Rack:
    """(rack, size, state, taken by us) for each node."""
    snapshot = Snapshot()
    supply = InboundLease(
        InboundLeaseId("il_1"), "s", "owned", H100, 0, None, 0, "USD", InboundState.ACTIVE
    )
    snapshot.feed_inbound(None, supply)
    nodes = []
    for number, (rack, size, state, taken) in enumerate(given_nodes):
        node = Node(
            NodeId(f"nd_{number}"), f"n{number}", supply.id, H100, size, 0, "", "site", "a", "pod",
            f"rack-{rack}", NodeState.IN_SERVICE,
        )  # fmt: skip
        if state == "spare":
            node = replace(node, spare=True)
        elif state == "work":
            node = replace(node, maintenance_from_ms=NOW_MS + 5)
        elif state in ("failed", "checking", "unknown"):
            node = replace(node, state=NodeState(state))
        snapshot.feed_node(None, node)
        tenant = THEM if state == "theirs" else US
        if taken or state == "theirs":
            held = tuple(range(max(min(taken, size), 1)))
            stands(snapshot, node, tenant, held)
        nodes.append(node)
    return Rack(snapshot, nodes)


def stands(snapshot: Snapshot, node: Node, tenant: TenantId, held: tuple[int, ...]) -> None:
    snapshot.feed_allocation(
        None,
        Allocation(
            AllocationId(f"al_{node.id}"), LeaseId(f"ls_{tenant}"), tenant, node.id,
            node.inbound_lease_id, held, 0, None, 0,
        ),
    )  # fmt: skip


def loss_of(rack: Rack, shape: Shape, pieces: list[int], kept: int | None, spares: bool) -> Loss:
    request = LeaseRequest(
        LeaseId("ls_1"), US, LeaseClass.ON_DEMAND, H100, sum(pieces), shape, Window(NOW_MS), 0
    )
    mine = () if kept is None else (rack.nodes[kept % len(rack.nodes)].id,)
    usable = tuple(n.id for n in rack.nodes if n.spare) if spares else ()
    return Loss(request, tuple(pieces), mine, usable)


def free(rack: Rack, loss: Loss, node: Node) -> int:
    """How much of a node may replace something, worked out from its rows alone."""
    sold = not node.spare or node.id in loss.spares
    well = node.state is NodeState.IN_SERVICE and node.maintenance_from_ms is None
    if not (sold and well) or node.id in loss.kept:
        return 0
    taken = 0
    for other in rack.snapshot.standing_on(node.id):
        if other.tenant_id != US:
            return 0
        taken += len(other.accelerators)
    return node.accelerators - taken


def most_matched(rack: Rack, loss: Loss, nodes: list[Node]) -> int:
    """How many pieces fit on distinct nodes at most: every way is tried."""
    rooms = [room for node in nodes if (room := free(rack, loss, node))]
    best = 0
    for order in set(permutations(loss.pieces)):
        for chosen in permutations(rooms, min(len(order), len(rooms))):
            fits = sum(room >= piece for room, piece in zip(chosen, order, strict=False))
            best = max(best, fits)
    return best


NODES = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([2, 4, 8]),
        st.sampled_from(
            ["free"] * 5 + ["spare", "spare", "work", "theirs", "failed", "checking", "unknown"]
        ),
        st.sampled_from([0, 0, 0, 1, 2]),
    ),
    min_size=1,
    max_size=5,
)
PIECES = st.lists(st.sampled_from([1, 2, 4, 8]), min_size=1, max_size=3)
SHAPES = st.sampled_from([Shape.NODE, Shape.RACK, Shape.POD, Shape.SITE])


@settings(deadline=None, max_examples=300)
@given(NODES, PIECES, SHAPES, st.integers(0, 4), st.booleans())
def test_beside_a_gang_as_many_are_replaced_as_there_can_be_in_its_place(
    nodes: list[tuple[int, int, str, int]],
    pieces: list[int],
    shape: Shape,
    kept: int,
    spares: bool,
) -> None:
    rack = rack_of(nodes)
    loss = loss_of(rack, shape, pieces, kept, spares)
    found = find_replacements(rack.snapshot, loss, NOW_MS)
    check_replacements(rack.snapshot, loss, found, NOW_MS)
    place = place_of(rack.snapshot.nodes[loss.kept[0]], shape)
    inside = [node for node in rack.nodes if place_of(node, shape) == place]
    assert len(found) == most_matched(rack, loss, inside)


@settings(deadline=None, max_examples=200)
@given(NODES, PIECES, SHAPES, st.booleans())
def test_a_gang_of_which_nothing_is_left_comes_back_whole_or_not_at_all(
    nodes: list[tuple[int, int, str, int]], pieces: list[int], shape: Shape, spares: bool
) -> None:
    rack = rack_of(nodes)
    loss = loss_of(rack, shape, pieces, None, spares)
    found = find_replacements(rack.snapshot, loss, NOW_MS)
    check_replacements(rack.snapshot, loss, found, NOW_MS)
    assert sum(len(new.accelerators) for new in found) in (0, sum(pieces))
    for node in rack.nodes:
        place = place_of(node, shape)
        inside = [other for other in rack.nodes if place_of(other, shape) == place]
        if not spares and most_matched(rack, loss, inside) == len(pieces):
            assert found, "there is a place for all of it"


def test_a_spare_is_taken_before_a_free_node_and_a_full_one_before_a_large_one() -> None:
    rack = rack_of([(0, 8, "free", 0), (0, 8, "free", 4), (0, 8, "spare", 0), (0, 8, "free", 0)])
    gang = loss_of(rack, Shape.RACK, [4], 3, spares=True)
    (new,) = find_replacements(rack.snapshot, gang, NOW_MS)
    assert new.node_id == "nd_2"
    gang = loss_of(rack, Shape.RACK, [4], 3, spares=False)
    (new,) = find_replacements(rack.snapshot, gang, NOW_MS)
    assert new.node_id == "nd_1"


@pytest.mark.parametrize(
    ("node", "accelerators", "says"),
    [
        (1, range(8), "is failed"),
        (2, range(8), "two tenants"),
        (3, range(8), "spare of others"),
        (4, range(8), "planned work"),
        (5, range(8), "spans|span"),
        (6, range(4), "lost"),
        (7, range(8), "stands where"),
        (0, range(8), "already"),
    ],
)
def test_the_check_finds_each_unsound_replacement(
    node: int, accelerators: range, says: str
) -> None:
    rack = rack_of(
        [(0, 8, "free", 0), (0, 8, "failed", 0), (0, 8, "theirs", 8), (0, 8, "spare", 0),
         (0, 8, "work", 0), (1, 8, "free", 0), (0, 8, "free", 0), (0, 8, "free", 2)]
    )  # fmt: skip
    loss = loss_of(rack, Shape.RACK, [8], 0, spares=False)
    wrong = PlannedAllocation(rack.nodes[node].id, tuple(accelerators), None)
    with pytest.raises(InvariantBroken, match=says):
        check_replacements(rack.snapshot, loss, [wrong], NOW_MS)


@pytest.mark.parametrize(
    ("accelerators", "ends_at_ms", "says"),
    [
        ([0, 1, 2, 2], NOW_MS + 60_000, "twice"),
        ([0, 1, 2], NOW_MS + 59_000, "ends at 1059000, promised 1060000"),
    ],
)
def test_a_replacement_is_all_that_was_promised(
    accelerators: list[int], ends_at_ms: int, says: str
) -> None:
    rack = rack_of([(0, 8, "free", 0), (0, 8, "free", 0)])
    loss = loss_of(rack, Shape.RACK, [3], 0, spares=False)
    request = replace(loss.request, window=Window(NOW_MS, NOW_MS + 60_000))
    bounded = replace(loss, request=request)
    found = find_replacements(rack.snapshot, bounded, NOW_MS)
    check_replacements(rack.snapshot, bounded, found, NOW_MS)
    wrong = PlannedAllocation(rack.nodes[1].id, tuple(accelerators), ends_at_ms)
    with pytest.raises(InvariantBroken, match=says):
        check_replacements(rack.snapshot, bounded, [wrong], NOW_MS)
