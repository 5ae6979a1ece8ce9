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
    whole and jobs are not Comptoir's. `memory_bytes` and `cpus` are the node's own, beside
    its accelerators; 0 is not stated.
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


@dataclass(frozen=True, slots=True)
class NewNode:
    """A node that an inbound lease brings."""

    name: str
    accelerators: int
    memory_bytes: int = 0
    engine: str = ""
    site: str = "site-1"
    cluster: str = "a"
    pod: str = "pod-1"
    rack: str = "rack-1"
    cpus: int = 0
