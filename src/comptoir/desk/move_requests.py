"""What doors ask of the desk about moving leases. As in `requests.py`: parsed, not yet judged."""

from dataclasses import dataclass

from comptoir.units.ids import AllocationId, LeaseId, NodeId


@dataclass(frozen=True, slots=True)
class MovePart:
    """One allocation, and the accelerators of a node that take its place."""

    allocation_id: AllocationId
    to_node: NodeId
    accelerators: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MoveLease:
    """Give a lease other accelerators of the same terms. `because` is told to its holder."""

    lease_id: LeaseId
    parts: tuple[MovePart, ...]
    because: str = "places are made whole again"
