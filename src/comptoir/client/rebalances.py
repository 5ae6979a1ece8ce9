"""The client's way to rebalance: a plan made beside the desk, applied lease by lease."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypedDict, cast

from comptoir.client.records import Lease
from comptoir.client.transport import Transport, path_of
from comptoir.units.errors import ComptoirError, Conflict, NotFound, Refused

ASK_EVERY_S = 0.25


class RebalancePart(TypedDict):
    """One allocation, and the accelerators that take its place."""

    allocation_id: str
    from_node: str
    to_node: str
    accelerators: list[int]


class RebalanceStep(TypedDict):
    """One lease moved; `gain` is its share of the places that it frees."""

    number: int
    lease_id: str
    tenant_id: str
    kind: str
    running: bool
    notice_s: int
    moves: list[RebalancePart]
    gain_accelerator_ms: str
    gain: str | None
    cost_accelerator_ms: str
    cost: str | None
    frees: list[str]
    why: str


class RebalancePlace(TypedDict):
    """A place that is whole once its steps are done."""

    place: str
    kind: str
    accelerators: int
    gain_accelerator_ms: str
    gain: str | None
    steps: list[int]


class RebalanceUsed(TypedDict):
    """A place that was whole and gets somebody."""

    place: str
    kind: str
    accelerators: int
    lost_accelerator_ms: str
    lost: str | None


class RebalanceSpread(TypedDict):
    """A sold window of which the loss of one pod takes less than before."""

    lease_id: str
    kind: str
    worst_before: int
    worst_after: int
    gain_accelerator_ms: str
    step: int


class RebalancePlan(TypedDict):
    """The steps, and how good they are: nothing scores more than the bound."""

    id: str
    planned_at: str
    level: str
    kind: str | None
    horizon_s: int
    restart_s: int
    spread_s: int
    nodes: int
    leases: int
    steps: list[RebalanceStep]
    places: list[RebalancePlace]
    spreads: list[RebalanceSpread]
    used_up: list[RebalanceUsed]
    gain_accelerator_ms: str
    gain: str | None
    cost_accelerator_ms: str
    cost: str | None
    currency: str
    score_accelerator_ms: str
    bound_accelerator_ms: str
    gap_ppm: int
    solver: str
    how: list[str]
    took_s: int
    memory_bytes: str


class Planning(TypedDict):
    """A plan that is made, or being made: then it is None."""

    id: str
    state: str
    plan: RebalancePlan | None


class Applied(TypedDict):
    """What became of one step. `code` and `message` say why it was not made."""

    number: int
    lease_id: str
    moved: bool
    code: str
    message: str


class Rebalances:
    """Plans that make places whole and spread what is sold, and the moves they are made of."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def begin(
        self,
        level: str = "pod",
        *,
        kind: str | None = None,
        horizon_s: int | None = None,
        restart_s: int | None = None,
        spread_s: int | None = None,
        time_limit_s: int | None = None,
    ) -> Planning:
        """Begin to plan; the answer has the plan's id. Nothing is moved.

        Args:
            level: What is to be whole: `pod`, `rack` or `node`.
            kind: Only this accelerator kind.
            horizon_s: A place counts for what of this time it would not be whole.
            restart_s: What a running job loses beside its notice.
            spread_s: What one accelerator less in the worst loss of a pod is worth; 0: nothing.
            time_limit_s: For how long it may be planned.

        Raises:
            Conflict: `planning_already`.
        """
        body = {
            "level": level, "kind": kind, "horizon_s": horizon_s, "restart_s": restart_s,
            "spread_s": spread_s, "time_limit_s": time_limit_s,
        }  # fmt: skip
        return cast(Planning, self._transport.write("POST", path_of("rebalances"), body))

    def get(self, plan_id: str) -> Planning:
        """A plan, or None while it is being made. The server keeps the last few.

        Raises:
            Refused: it could not be made.
        """
        return cast(Planning, self._transport.get(path_of("rebalances", plan_id)))

    def wait(self, plan_id: str, tick: Callable[[], None] = lambda: None) -> RebalancePlan:
        """A plan, once it is made; `tick` is called now and then meanwhile."""
        while (found := self.get(plan_id)["plan"]) is None:
            tick()
            time.sleep(ASK_EVERY_S)
        return found

    def move(
        self, lease_id: str, moves: Sequence[Mapping[str, Any]], because: str | None = None
    ) -> Lease:
        """Move parts of a lease, each with `allocation_id`, `to_node` and `accelerators`.

        Raises:
            Conflict: it may not be moved, or is not there any more.
            Refused: there is no room for it.
        """
        named = ("allocation_id", "to_node", "accelerators")
        body = {"moves": [{name: part[name] for name in named} for part in moves],
                "because": because}  # fmt: skip
        return cast(Lease, self._transport.write("POST", path_of("leases", lease_id, "move"), body))

    def apply(self, plan: RebalancePlan, because: str | None = None) -> Iterator[Applied]:
        """Make a plan's steps one by one; what the book has overtaken is left out, with the reason.

        A place that cannot be whole any more, since a step of it was not made, is left alone.
        """
        spreads = {spread["step"] for spread in plan["spreads"]}
        given_up: dict[str, int] = {}
        for step in plan["steps"]:
            done: Applied = {
                "number": step["number"], "lease_id": step["lease_id"], "moved": False,
                "code": "", "message": "",
            }  # fmt: skip
            vain = [given_up[place] for place in step["frees"] if place in given_up]
            if vain and len(vain) == len(step["frees"]) and step["number"] not in spreads:
                done["code"] = "in_vain"
                done["message"] = f"its place is not whole without step {vain[0]}"
                yield done
                continue
            try:
                self.move(step["lease_id"], step["moves"], because)
                done["moved"] = True
            except (Conflict, Refused, NotFound) as error:
                done["code"], done["message"] = _why(error)
                given_up.update(dict.fromkeys(step["frees"], step["number"]))
            yield done


def _why(error: ComptoirError) -> tuple[str, str]:
    return error.code, error.message
