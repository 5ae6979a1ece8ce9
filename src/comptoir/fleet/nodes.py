"""Nodes and their places."""

from dataclasses import dataclass, replace

from comptoir.fleet.states import COMES_BACK, EDGES
from comptoir.fleet.states import NodeState as NodeState
from comptoir.units.errors import invariant
from comptoir.units.ids import InboundLeaseId, NodeId
from comptoir.units.time import Window

DEFAULT_FENCE_AFTER_S = 300
MOST_FENCE_AFTER_S = 7 * 86_400
MOST_ACCEPT_WITHIN_S = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Node:
    """A machine with accelerators of one kind; its place, smallest last.

    `engine` names what runs work on it; empty means that leases are handed over
    whole and jobs are not Comptoir's. `memory_bytes` and `cpus` are the node's own, beside
    its accelerators; 0 is not stated.

    `state_since_ms` is when the state began, `because` what somebody said of it. A `drained`
    node gets nothing new whatever else becomes of it. A `spare` is kept out of sale and replaces
    nodes that fail. A `gated` node is sold only after its checks; so is one that `owes_checks`: it
    has been in quarantine, whatever became of it since. Those of `failed_checks` have to
    pass by name.

    What stands on a node that failed is fenced when its stop is confirmed, or once nobody has
    reached the node for `fence_after_s`: by then it has cut itself off. `fence_at_ms` is that
    instant, where time alone tells it. Whoever is given the node may hand it back unbilled within
    `accept_within_s`. Nothing is promised into its maintenance.
    """

    id: NodeId
    name: str
    inbound_lease_id: InboundLeaseId
    kind: str
    accelerators: int
    memory_bytes: int
    engine: str
    site: str
    cluster: str
    pod: str
    rack: str
    state: NodeState
    cpus: int = 0
    state_since_ms: int = 0
    because: str = ""
    drained: bool = False
    spare: bool = False
    gated: bool = False
    fence_after_s: int = DEFAULT_FENCE_AFTER_S
    accept_within_s: int = 0
    fence_at_ms: int | None = None
    maintenance_from_ms: int | None = None
    maintenance_until_ms: int | None = None
    owes_checks: bool = False
    failed_checks: tuple[str, ...] = ()

    @property
    def for_sale(self) -> bool:
        """Whether anything new may be promised here."""
        return self.state is NodeState.IN_SERVICE and not self.spare

    @property
    def may_be_waited_for(self) -> bool:
        """Whether a request may count on it: it is for sale, or comes back by itself."""
        return not self.spare and (self.state is NodeState.IN_SERVICE or self.state in COMES_BACK)

    @property
    def maintenance(self) -> Window | None:
        """When it is taken out for planned work."""
        if self.maintenance_from_ms is None:
            return None
        return Window(self.maintenance_from_ms, self.maintenance_until_ms)

    def kept_free(self, window: Window) -> bool:
        """Whether planned work keeps `window` from being promised here."""
        work = self.maintenance
        return work is not None and work.overlaps(window)

    def moved(self, state: NodeState, since_ms: int, because: str = "") -> "Node":
        """The node in its next state.

        Raises:
            InvariantBroken: no edge leads there.
        """
        invariant(
            state in EDGES[self.state], f"node {self.id} cannot go from {self.state} to {state}"
        )
        return replace(self, state=state, state_since_ms=since_ms, because=because)


@dataclass(frozen=True, slots=True)
class NewNode:
    """A node that an inbound lease brings. `gated` None: as its kind and its engine say."""

    name: str
    accelerators: int
    memory_bytes: int = 0
    engine: str = ""
    site: str = "site-1"
    cluster: str = "a"
    pod: str = "pod-1"
    rack: str = "rack-1"
    cpus: int = 0
    spare: bool = False
    gated: bool | None = None
    fence_after_s: int = DEFAULT_FENCE_AFTER_S
    accept_within_s: int = 0
