"""Rebalance: planned beside the desk, applied by the desk lease by lease."""

from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.shapes import rebalance as shapes
from comptoir.api.words import Id
from comptoir.desk.move_requests import MoveLease, MovePart
from comptoir.desk.plan_port import Planner, RebalanceAsk, RebalancePlan
from comptoir.fleet.kinds import check_kind
from comptoir.units.errors import Unavailable
from comptoir.units.ids import AllocationId, LeaseId, NodeId

_AGAIN_AFTER_S = 60


async def plan_rebalance(ask: Ask, body: shapes.RebalanceBody) -> Response:
    """Plan moves that make places whole and spread sold windows; nothing is moved.

    The plan is made in a process of its own: ask for it by its id until it is there.
    """
    kind = None if body.kind is None else check_kind(body.kind)
    asked = RebalanceAsk(
        body.level, kind, body.horizon_s, body.restart_s, body.spread_s, body.time_limit_s
    )
    plan_id = _planner(ask).begin(asked, ask.door.desk.clock.now_ms())
    return said({"id": plan_id, "state": "planning", "plan": None}, 202)


async def get_rebalance(ask: Ask, plan: Id) -> Response:
    """A plan, once it is made. The last few are kept, and none over a restart."""
    made = _planner(ask).plan(plan)
    if made is None:
        return said({"id": plan, "state": "planning", "plan": None})
    return said({"id": made.id, "state": "planned", "plan": _plan(ask, made)})


async def move_lease(ask: Ask, lease: Id, body: shapes.MoveBody) -> Response:
    """Move parts of a lease to other nodes of the same terms, as its class and contract allow.

    What runs is told and starts again there; nothing is undelivered meanwhile.
    """
    parts = tuple(
        MovePart(AllocationId(p.allocation_id), NodeId(p.to_node), tuple(p.accelerators))
        for p in body.moves
    )
    return await ask.do("move_lease", MoveLease(LeaseId(lease), parts, body.because))


def _planner(ask: Asking) -> Planner:
    planner = ask.door.planner
    if planner is None:
        raise Unavailable(
            "planning_unavailable",
            "this server plans nothing",
            "ask one that `comptoir up` started",
            None,
            _AGAIN_AFTER_S,
        )
    return planner


def _plan(ask: Asking, plan: RebalancePlan) -> dict[str, Any]:
    return {
        **ask.encode(plan),
        "steps": [
            {**ask.encode(step), "moves": [ask.encode(part) for part in step.moves]}
            for step in plan.steps
        ],
        "places": [ask.encode(place) for place in plan.places],
        "used_up": [ask.encode(used) for used in plan.used_up],
        "spreads": [ask.encode(spread) for spread in plan.spreads],
    }
