"""The states of a node: what leads where, and what may be sold."""

from itertools import product

import pytest

from comptoir.fleet.nodes import Node
from comptoir.fleet.states import COMES_BACK, EDGES, KEEPS_PROMISES, NodeState
from comptoir.units.errors import InvariantBroken
from comptoir.units.ids import InboundLeaseId, NodeId
from comptoir.units.time import Window

S = NodeState


def a_node(state: NodeState = S.IN_SERVICE, **more: object) -> Node:
    return Node(
        NodeId("nd_1"), "n", InboundLeaseId("il_1"), "h100-sxm", 8, 0, "", "s", "c", "p", "r",
        state, **more,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(("state", "following"), [*product(S, S)])
def test_nodes_move_along_the_edges_only(state: NodeState, following: NodeState) -> None:
    if following in EDGES[state]:
        moved = a_node(state).moved(following, 7, "why")
        assert (moved.state, moved.state_since_ms, moved.because) == (following, 7, "why")
    else:
        with pytest.raises(InvariantBroken, match=f"from {state} to {following}"):
            a_node(state).moved(following, 7)


def test_every_state_is_reached_and_only_a_retired_node_stays_what_it_is() -> None:
    assert set(EDGES) == set(S)
    assert set().union(*EDGES.values()) == set(S)
    assert [state for state, edges in EDGES.items() if not edges] == [S.RETIRED]
    assert all(S.RETIRED in edges for state, edges in EDGES.items() if state is not S.RETIRED)


def test_nothing_leaves_failure_or_quarantine_for_sale_but_by_service() -> None:
    assert EDGES[S.FAILED] == {S.IN_SERVICE, S.CHECKING, S.RETIRED}
    assert [s for s in S if a_node(s).for_sale] == [S.IN_SERVICE]
    assert not a_node(spare=True).for_sale
    assert not KEEPS_PROMISES & COMES_BACK


def test_a_request_counts_on_what_comes_back_and_not_on_spares_or_what_drains() -> None:
    counted = {s for s in S if a_node(s).may_be_waited_for}
    assert counted == {S.IN_SERVICE, S.MAINTENANCE, S.UNKNOWN, S.FAILED, S.CHECKING}
    assert not a_node(spare=True).may_be_waited_for


def test_planned_work_keeps_its_window_free_and_no_more() -> None:
    node = a_node(maintenance_from_ms=100, maintenance_until_ms=200)
    assert node.kept_free(Window(50, 101))
    assert node.kept_free(Window(199))
    assert not node.kept_free(Window(50, 100))
    assert not node.kept_free(Window(200, 300))
    assert not a_node().kept_free(Window(0))
