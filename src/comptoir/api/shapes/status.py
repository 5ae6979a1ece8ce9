"""How the server is."""

from comptoir.api.shapes.common import Answer, Instant


class Health(Answer):
    """`ok`, or `broken`, `turn_failing` or `short_of_room` with a 503."""

    status: str


class EngineStatus(Answer):
    """Whether an engine may be given work; what is weaker here than it could be."""

    name: str
    available: bool
    reason: str
    notes: list[str]


class KindStatus(Answer):
    """Accelerators of a kind. To a tenant: only what it holds itself; the rest is null."""

    kind: str
    accelerators: int | None
    allocated: int
    utilisation_percent: float | None


class DeskStatus(Answer):
    """The writer: calls that wait, its longest batch in milliseconds."""

    state: str
    waiting: int
    longest_batch_ms: float
    turn_error: str | None
    """Why the last turn of the book failed; null while it turns."""
    turn_failing_since: Instant | None
    version: int


class Status(Answer):
    """The trading post at a glance; `desk` and `instance` are null to tenants."""

    version: str
    instance: str | None
    desk: DeskStatus | None
    engines: list[EngineStatus]
    leases: dict[str, int]
    kinds: list[KindStatus]
