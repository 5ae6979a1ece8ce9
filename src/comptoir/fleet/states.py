"""The states of a node, and the edges between them.

`in_service` is sold. `draining` keeps what stands there and gets nothing new. `maintenance` is
planned work, in a window. `unknown` was lost from sight: nothing is sold, billed or moved until
it is seen again or its fencing time has passed. `failed` is dead until somebody repairs it.
`checking` is quarantine: nothing new until its checks have passed. `retired` left with its
inbound lease.
"""

from comptoir.units.values import Term


class NodeState(Term):
    """Only a node in service is given anything new."""

    IN_SERVICE = "in_service"
    DRAINING = "draining"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"
    FAILED = "failed"
    CHECKING = "checking"
    RETIRED = "retired"


_S = NodeState
EDGES: dict[NodeState, frozenset[NodeState]] = {
    _S.IN_SERVICE: frozenset(
        {_S.DRAINING, _S.MAINTENANCE, _S.UNKNOWN, _S.FAILED, _S.CHECKING, _S.RETIRED}
    ),
    _S.DRAINING: frozenset(
        {_S.IN_SERVICE, _S.MAINTENANCE, _S.UNKNOWN, _S.FAILED, _S.CHECKING, _S.RETIRED}
    ),
    _S.MAINTENANCE: frozenset({_S.IN_SERVICE, _S.DRAINING, _S.FAILED, _S.CHECKING, _S.RETIRED}),
    _S.UNKNOWN: frozenset({_S.IN_SERVICE, _S.DRAINING, _S.FAILED, _S.CHECKING, _S.RETIRED}),
    _S.FAILED: frozenset({_S.IN_SERVICE, _S.CHECKING, _S.RETIRED}),
    _S.CHECKING: frozenset(
        {_S.IN_SERVICE, _S.DRAINING, _S.MAINTENANCE, _S.UNKNOWN, _S.FAILED, _S.RETIRED}
    ),
    _S.RETIRED: frozenset(),
}

KEEPS_PROMISES = frozenset({_S.IN_SERVICE, _S.DRAINING})
"""Where what was promised before may be handed over."""
COMES_BACK = frozenset({_S.MAINTENANCE, _S.UNKNOWN, _S.FAILED, _S.CHECKING})
"""Out of service for a while: the fleet is no smaller for what a request may wait for."""
