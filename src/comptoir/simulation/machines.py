"""The machines behind the nodes: they die, are cut off, and come back, as the seed decides.

A dead machine runs nothing from the instant of its death on. One that is cut off runs on, hears
nobody, and ends its own work once its fencing time has passed: that is what makes it safe to
give its accelerators to others. The book hears of either late, from the engine that lost it or
from a person; the auditor knows what really happened.

Rate: 6.50 failures per 1,000 node-days at Meta (Kokolis et al., "Revisiting Reliability in
Large-Scale Machine Learning Research Clusters", HPCA 2025), times 120 unless another is asked for
(`--failures`), so that a schedule of some days on ten nodes sees a few.
"""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from comptoir.desk.engine_port import NodeSight
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.units.ids import NodeId

FAILURES_PER_1000_NODE_DAYS = 6.50
SCALED_RATE = FAILURES_PER_1000_NODE_DAYS * 120
_DAY_MS = 86_400_000
_CUT_OFF_OFTEN = 0.4
DEAD_FOR_MS = (5_000, 600_000, 7_200_000, 4 * _DAY_MS)
CUT_OFF_FOR_MS = (2_000, 100_000, 290_000, 310_000, 3_600_000, _DAY_MS)
_LATE_MS = 400_000
"""Half of the failures in a long step come so shortly before its end: they are met in progress."""


class Fate(Enum):
    """What is wrong with a machine."""

    DEAD = "dead"
    CUT_OFF = "cut_off"


@dataclass(slots=True)
class Trouble:
    """One failure as it really was. `until_ms` None: it is not over."""

    node_id: NodeId
    fate: Fate
    from_ms: int
    until_ms: int
    fences_at_ms: int
    """A machine that is cut off has ended its own work by then."""
    seen_as: NodeSight
    """What an engine makes of it."""
    rebooted: bool = False
    """A dead machine that works again has lost its work: an engine says so until this is done."""

    def over(self, now_ms: int) -> bool:
        """Whether the machine answers again."""
        return self.until_ms <= now_ms


class Machines:
    """Every machine of a schedule, and what befell it."""

    def __init__(self, rng: random.Random, failures_per_1000_node_days: float) -> None:
        self._rng = rng
        self._rate_per_ms = failures_per_1000_node_days / 1_000 / _DAY_MS
        self._now: dict[NodeId, Trouble] = {}
        self.history: list[Trouble] = []

    def live(self, nodes: Iterable[Node], from_ms: int, to_ms: int) -> list[Trouble]:
        """Let time pass for the machines of the fleet; returns those that fail meanwhile."""
        died = []
        chance = -math.expm1(-self._rate_per_ms * (to_ms - from_ms))
        for node in nodes:
            known = self._now.get(node.id)
            if known is not None and known.over(to_ms):
                self._now.pop(node.id)
            if node.id in self._now or node.state is NodeState.RETIRED:
                continue
            if self._rng.random() < chance:
                first = from_ms if self._rng.random() < 0.5 else max(from_ms, to_ms - _LATE_MS)
                died.append(self._fail(node, self._rng.randrange(first, to_ms) + 1))
        return died

    def _fail(self, node: Node, at_ms: int) -> Trouble:
        cut_off = bool(node.engine) and self._rng.random() < _CUT_OFF_OFTEN
        fate = Fate.CUT_OFF if cut_off else Fate.DEAD
        lasts_ms = self._rng.choice(CUT_OFF_FOR_MS if cut_off else DEAD_FOR_MS)
        fences_at = at_ms + node.fence_after_s * 1_000
        seen_as = NodeSight.UNKNOWN
        if fate is Fate.DEAD:
            seen_as = self._rng.choice((NodeSight.UNKNOWN, NodeSight.FAILED))
        trouble = Trouble(node.id, fate, at_ms, at_ms + lasts_ms, fences_at, seen_as)
        self._now[node.id] = trouble
        self.history.append(trouble)
        return trouble

    def trouble(self, node_id: NodeId, now_ms: int) -> Trouble | None:
        """What is wrong with a machine now."""
        found = self._now.get(node_id)
        return None if found is None or found.over(now_ms) else found

    def sight(self, node_id: NodeId, now_ms: int) -> tuple[NodeSight, int | None]:
        """What an engine sees of a machine, and since when."""
        last = next((t for t in reversed(self.history) if t.node_id == node_id), None)
        if last is None:
            return NodeSight.WELL, None
        if not last.over(now_ms):
            return last.seen_as, last.from_ms
        if last.fate is Fate.DEAD and not last.rebooted:
            return NodeSight.FAILED, last.from_ms
        return NodeSight.WELL, last.until_ms

    def reboot(self, node_id: NodeId) -> None:
        """Somebody has seen to a machine: what ran on it before is known to be gone."""
        for trouble in self.history:
            if trouble.node_id == node_id:
                trouble.rebooted = True

    def calm(self, now_ms: int) -> None:
        """Every machine works again, and none fails any more."""
        self._rate_per_ms = 0.0
        for trouble in self._now.values():
            trouble.until_ms = min(trouble.until_ms, now_ms)
