"""Jobs: commands run on a lease, in a runtime, as one or more attempts."""

from dataclasses import dataclass

from comptoir.units.ids import (
    AllocationId,
    AttemptId,
    JobId,
    LeaseId,
    NodeId,
    RuntimeId,
    TenantId,
    UserId,
)
from comptoir.units.values import Term, quick


class JobState(Term):
    """`queued` waits for its lease to be active, and again after a reclaim."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL_JOB_STATES = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


class AttemptState(Term):
    """`starting` is the stored intent; the engine's first sight makes it `running`."""

    STARTING = "starting"
    RUNNING = "running"
    EXITED = "exited"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Runtime:
    """A read-only environment that the operator declares: host paths, shown as they are."""

    id: RuntimeId
    name: str
    paths: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    retired: bool
    created_at_ms: int


@quick
@dataclass(frozen=True, slots=True)
class Job:
    """A command run on a lease. `release_lease`: the lease ends when the job does."""

    id: JobId
    lease_id: LeaseId
    tenant_id: TenantId
    submitted_by: UserId
    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    runtime_id: RuntimeId | None
    release_lease: bool
    submitted_at_ms: int
    state: JobState
    attempts: int = 0
    exit_code: int | None = None
    finished_at_ms: int | None = None
    detail: str = ""
    cancel_requested: bool = False


@quick
@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a job on an allocation. Times are what the engine observed.

    `stop_at_ms`: when SIGTERM is due; `kill_at_ms`: when everything is ended.
    `occupied_until_ms` and `busy_metered_ms` say what usage has already measured.
    """

    id: AttemptId
    job_id: JobId
    lease_id: LeaseId
    tenant_id: TenantId
    allocation_id: AllocationId
    number: int
    node_id: NodeId
    engine: str
    accelerators: tuple[int, ...]
    memory_bytes: int
    state: AttemptState
    ordered_at_ms: int
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    exit_code: int | None = None
    detail: str = ""
    busy_ms: int = 0
    stop_at_ms: int | None = None
    kill_at_ms: int | None = None
    occupied_until_ms: int | None = None
    busy_metered_ms: int = 0
    forgotten: bool = False

    @property
    def over(self) -> bool:
        """Whether the engine has confirmed that nothing of it runs any more."""
        return self.state in (AttemptState.EXITED, AttemptState.LOST)
