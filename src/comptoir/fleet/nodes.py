"""Nodes and their places."""

from dataclasses import dataclass
from enum import StrEnum

from comptoir.units.ids import InboundLeaseId, NodeId


class NodeState(StrEnum):
    """Only a node in service is given new leases; a drained one keeps those it has."""

    IN_SERVICE = "in_service"
    DRAINING = "draining"
    UNKNOWN = "unknown"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine with accelerators of one kind; its place, smallest last.

    `engine` names what runs work on it; empty means that leases are handed over
    whole and jobs are not Comptoir's.
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
