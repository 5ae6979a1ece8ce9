"""Outbound leases, their allocations and files; jobs and their attempts."""

from typing import Annotated

from pydantic import Field, StringConstraints

from comptoir.api.shapes.common import (
    Answer,
    Body,
    Count,
    Flag,
    Instant,
    InstantIn,
    Line,
    Long,
    Named,
    Positive,
    Residency,
)
from comptoir.api.shapes.supply import Variables
from comptoir.leases.jobs import AttemptState, JobState
from comptoir.leases.lease import LeaseClass, LeaseState, OnReclaim, Reason, Shape
from comptoir.leases.term import LeaseTerm


class AlternativeBody(Body):
    """Another complete way to meet a request."""

    kind: Line
    accelerators: Positive
    shape: Shape = Shape.SITE


class LeaseBody(Body):
    """A request for accelerators. `tenant` and `recall` are for house users.

    With `latest_start` any start up to then will do, for `duration_s` each. `alternatives`
    are tried after the request itself, in order. `preferred_shape` is tried before `shape`.
    """

    kind: Line = Field(examples=["cpu-core"])
    accelerators: Positive
    lease_class: LeaseClass
    shape: Shape = Shape.SITE
    starts_at: InstantIn | None = None
    ends_at: InstantIn | None = None
    notice_s: Count | None = None
    on_reclaim: OnReclaim = OnReclaim.WAIT
    name: Line = ""
    tenant: Named | None = None
    residency: Residency = ""
    recall: Flag = False
    latest_start: InstantIn | None = None
    duration_s: Positive | None = None
    preferred_shape: Shape | None = None
    alternatives: Annotated[list[AlternativeBody], Field(max_length=8)] = Field(
        default_factory=list
    )
    project: Line = Field(default="", examples=["llm-7b"])


class ExtendBody(Body):
    """The lease's new end."""

    ends_at: InstantIn


class Alternative(Answer):
    """A complete way to meet a request."""

    kind: str
    accelerators: int
    shape: Shape


class Lease(Answer):
    """An outbound lease. `reclaimed_for` is null to tenants.

    `lent`, `borrowed` and `recall` say why it may be taken back, after its minimum runtime;
    `recall_spent`: not while its contract allows no more recalls in this year.
    `term` is for how long it was asked for, by which it is priced.
    `lost`: accelerators whose node failed and is not replaced yet, allocation by allocation.
    `rejected`: nodes that were sent back, which do not come to this lease again.
    """

    id: str
    tenant_id: str
    requested_by: str
    name: str
    lease_class: LeaseClass
    kind: str
    accelerators: int
    shape: Shape
    starts_at: Instant
    ends_at: Instant | None
    notice_s: int
    on_reclaim: OnReclaim
    requested_at: Instant
    state: LeaseState
    state_since: Instant
    scheduled_start: Instant | None
    activated_at: Instant | None
    stop_at: Instant | None
    kill_at: Instant | None
    reason: Reason
    reclaimed_for: str | None
    reclaims: int
    lent: bool
    borrowed: bool
    recall: bool
    recall_spent: bool
    minimum_runtime_s: int
    residency: str
    latest_start: Instant | None
    duration_s: int | None
    preferred_shape: Shape | None
    alternatives: list[Alternative]
    series: str | None
    hold_until: Instant | None
    hold_firm: bool
    lost: list[int]
    rejections: int
    rejected: list[str]
    term: LeaseTerm
    project: str


class Allocation(Answer):
    """Accelerators of one node for a lease. `inbound_lease_id` is null to tenants."""

    id: str
    lease_id: str
    tenant_id: str
    node_id: str
    inbound_lease_id: str | None
    accelerators: list[int]
    starts_at: Instant
    ends_at: Instant | None
    delivered_from: Instant | None
    delivered_until: Instant | None
    metered_until: Instant | None
    fenced_at: Instant | None
    accepted_at: Instant | None


class LeaseDetail(Lease):
    """A lease with what it holds and held."""

    allocations: list[Allocation]


class Coming(Answer):
    """Accelerators promised back; `lease_id` is null to tenants."""

    at: Instant
    lease_id: str | None
    accelerators: int


class Sooner(Answer):
    """A lease that could give way, or does: when it could be gone. Null ids to tenants."""

    lease_id: str | None
    lease_class: LeaseClass
    accelerators: int
    at: Instant
    minimum_runtime_left_s: int


class Why(Answer):
    """Why a lease is where it is. `expected_start` null: nothing says when; `given_up`: by then, if
    nothing came. `best_place` empty: none is sought.

    `sooner` could give way to it, and `not_sooner` says why that is not done (of a scheduled
    lease: `sooner` does give way). From `kept_from` on, what becomes free is kept for it once
    it is `first` (to the house, who is if not it). Who is ahead is only a number to tenants.
    `gives_way_to` is for whom it is taken back, `gives_way_because` why it and not another: both
    are the house's to know.
    """

    lease_id: str
    state: LeaseState
    since: Instant
    needs: int
    kind: str
    shape: Shape
    best_place: str
    best_free: int
    coming: list[Coming]
    sooner: list[Sooner]
    not_sooner: str
    ahead: int
    first: str | None
    expected_start: Instant | None
    kept_from: Instant | None
    given_up: Instant | None
    sentence: str
    gives_way_to: str | None
    gives_way_because: str | None


class Uploaded(Answer):
    """How much an archive put into the lease's directory."""

    lease_id: str
    bytes_written: Long


class File(Answer):
    """A file of a lease's directory."""

    path: str
    size_bytes: Long
    modified_at: Instant


class Files(Answer):
    """The files of a lease's directory, by path; at most 10,000."""

    items: list[File]


class JobBody(Body):
    """A command on a lease. `runtime`: an id or a name."""

    lease_id: Named
    command: Annotated[
        list[Annotated[str, StringConstraints(max_length=65_536)]],
        Field(min_length=1, max_length=10_000),
    ]
    name: Line = ""
    environment: Variables = Field(default_factory=dict)
    runtime: Named | None = None
    release_lease: Flag = False


class Job(Answer):
    """A command run on a lease. `attempts` counts them."""

    id: str
    lease_id: str
    tenant_id: str
    submitted_by: str
    name: str
    command: list[str]
    environment: dict[str, str]
    runtime_id: str | None
    release_lease: bool
    submitted_at: Instant
    state: JobState
    attempts: int
    exit_code: int | None
    finished_at: Instant | None
    detail: str
    cancel_requested: bool


class Attempt(Answer):
    """One run of a job on an allocation."""

    id: str
    job_id: str
    lease_id: str
    tenant_id: str
    allocation_id: str
    number: int
    node_id: str
    engine: str
    accelerators: list[int]
    memory_bytes: Long
    state: AttemptState
    ordered_at: Instant
    started_at: Instant | None
    ended_at: Instant | None
    exit_code: int | None
    detail: str
    busy_accelerator_ms: Long
    stop_at: Instant | None
    kill_at: Instant | None


class JobDetail(Job):
    """A job with its attempts, the first one first."""

    attempt_list: list[Attempt]
