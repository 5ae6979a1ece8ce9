"""What the API says, as the types of plain dictionaries: the field names are the API's.

Instants are RFC 3339 strings in UTC, or None. Accelerator-milliseconds, bytes and other
64-bit counts are decimal strings, prices are decimal strings per accelerator-hour, and
amounts of money are decimal strings beside their `currency`: nothing is a float. A newer
server may send more fields than are named here. Money has its own: `account_records`.
"""

from typing import Any, TypedDict


class Tenant(TypedDict):
    """An internal team or a customer."""

    id: str
    slug: str
    name: str
    kind: str
    state: str
    rate_card_id: str
    created_at: str
    grants: list[str]
    residency: str


class Quota(TypedDict):
    """The most accelerators of a kind that a tenant may hold at once."""

    tenant_id: str
    kind: str
    accelerators: int


class User(TypedDict):
    """A person or a program; `tenant_id` None is the house."""

    id: str
    name: str
    tenant_id: str | None
    roles: list[str]
    disabled: bool
    created_at: str


class Key(TypedDict):
    """An API key, without its secret."""

    id: str
    user_id: str
    prefix: str
    note: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    issued_with: str | None


class IssuedKey(Key):
    """A new key; `secret` is shown this once, and None if the answer was asked for again."""

    secret: str | None


class AcceleratorKind(TypedDict):
    """A type of chip with its facts and their sources; one that was not found is None."""

    name: str
    maker: str
    memory_bytes: str | None
    power_watts: int | None
    interconnect_domain: int | None
    network_domain: int | None
    tenancy: str
    announced: bool
    sources: dict[str, str]


class Node(TypedDict):
    """A machine with accelerators of one kind, and its place."""

    id: str
    name: str
    inbound_lease_id: str
    kind: str
    accelerators: int
    memory_bytes: str
    engine: str
    site: str
    cluster: str
    pod: str
    rack: str
    state: str
    cpus: int
    state_since: str
    because: str
    drained: bool
    spare: bool
    gated: bool
    fence_after_s: int
    accept_within_s: int
    fence_at: str | None
    maintenance_from: str | None
    maintenance_until: str | None
    owes_checks: bool
    failed_checks: list[str]


class InboundLease(TypedDict):
    """Supply: capacity that is owned or rented."""

    id: str
    name: str
    partner: str
    kind: str
    starts_at: str
    ends_at: str | None
    cost_per_accelerator_hour: str
    currency: str
    state: str
    sold_to: str
    selling_windows: list[str]
    grant: str
    residency: str


class AppliedLease(TypedDict):
    """What came of one inbound lease of a fleet file: `declare` or `unchanged`."""

    name: str
    kind: str
    action: str
    inbound_lease_id: str | None
    nodes: int
    accelerators: int


class AppliedFabric(TypedDict):
    """What came of one cluster of a fleet file: `set`, `change` or `unchanged`."""

    site: str
    cluster: str
    action: str


class FleetApplied(TypedDict):
    """What a fleet file changed, or would change."""

    dry_run: bool
    nodes: int
    accelerators: int
    leases: list[AppliedLease]
    clusters: list[AppliedFabric]


class Runtime(TypedDict):
    """A read-only environment that the operator declares."""

    id: str
    name: str
    paths: list[str] | None
    environment: dict[str, str] | None
    retired: bool
    created_at: str


class Alternative(TypedDict):
    """A complete way to meet a request."""

    kind: str
    accelerators: int
    shape: str


class Lease(TypedDict):
    """An outbound lease and where it stands."""

    id: str
    tenant_id: str
    requested_by: str
    name: str
    lease_class: str
    kind: str
    accelerators: int
    shape: str
    starts_at: str
    ends_at: str | None
    notice_s: int
    on_reclaim: str
    requested_at: str
    state: str
    state_since: str
    scheduled_start: str | None
    activated_at: str | None
    stop_at: str | None
    kill_at: str | None
    reason: str
    reclaimed_for: str | None
    reclaims: int
    lent: bool
    borrowed: bool
    recall: bool
    recall_spent: bool
    minimum_runtime_s: int
    residency: str
    latest_start: str | None
    duration_s: int | None
    preferred_shape: str | None
    alternatives: list[Alternative]
    series: str | None
    hold_until: str | None
    hold_firm: bool
    lost: list[int]
    rejections: int
    rejected: list[str]
    term: str
    project: str


class Problem(TypedDict):
    """A no: its stable code, what happened with the numbers, and what to do next."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    next: str
    facts: dict[str, Any]


class LeaseAnswer(TypedDict):
    """What became of one item of a batch: a result or a problem, under its status."""

    status: int
    replayed: bool
    result: Lease | None
    problem: Problem | None


class Allocation(TypedDict):
    """Accelerators of one node for a lease, and when they were delivered."""

    id: str
    node_id: str
    inbound_lease_id: str | None
    accelerators: list[int]
    starts_at: str
    ends_at: str | None
    delivered_from: str | None
    delivered_until: str | None
    fenced_at: str | None
    accepted_at: str | None


class Coming(TypedDict):
    """Accelerators that are promised back at an instant; whose, the house alone sees."""

    at: str
    lease_id: str | None
    accelerators: int


class LeaseDetail(Lease):
    """A lease with what it holds and held."""

    allocations: list[Allocation]


class Sooner(TypedDict):
    """A lease that could give way, or does; whose, the house alone sees."""

    lease_id: str | None
    lease_class: str
    accelerators: int
    at: str
    minimum_runtime_left_s: int


class Why(TypedDict):
    """Why a lease stands where it does, and until when."""

    lease_id: str
    state: str
    since: str
    needs: int
    kind: str
    shape: str
    best_place: str
    best_free: int
    coming: list[Coming]
    sooner: list[Sooner]
    not_sooner: str
    ahead: int
    first: str | None
    expected_start: str | None
    kept_from: str | None
    given_up: str | None
    sentence: str
    gives_way_to: str | None
    gives_way_because: str | None


class NodeCheck(TypedDict):
    """A stored check of a node, with its evidence."""

    seq: int
    node_id: str
    name: str
    outcome: str
    evidence: str
    checked_at: str
    received_at: str
    reported_by: str


class Breach(TypedDict):
    """A guarantee that broke; `broken_until` None while it grows."""

    id: str
    lease_id: str
    tenant_id: str
    lease_class: str
    kind: str
    shape: str
    node_id: str
    cause: str
    because: str
    accelerators: int
    nodes: int
    gang_accelerators: int
    failed_at: str
    broken_from: str
    promised_until: str | None
    billed_accelerator_ms: str
    broken_until: str | None
    accelerator_ms: str
    replaced_by: str | None


class Job(TypedDict):
    """A command on a lease."""

    id: str
    lease_id: str
    tenant_id: str
    submitted_by: str
    name: str
    command: list[str]
    environment: dict[str, str]
    runtime_id: str | None
    release_lease: bool
    submitted_at: str
    state: str
    attempts: int
    exit_code: int | None
    finished_at: str | None
    detail: str
    cancel_requested: bool


class Attempt(TypedDict):
    """One run of a job on an allocation."""

    id: str
    job_id: str
    lease_id: str
    allocation_id: str
    number: int
    node_id: str
    engine: str
    accelerators: list[int]
    memory_bytes: str
    state: str
    ordered_at: str
    started_at: str | None
    ended_at: str | None
    exit_code: int | None
    detail: str
    busy_accelerator_ms: str
    stop_at: str | None
    kill_at: str | None


class JobDetail(Job):
    """A job with its attempts, the first one first."""

    attempt_list: list[Attempt]


class File(TypedDict):
    """A file of a lease's directory."""

    path: str
    size_bytes: str
    modified_at: str


class Notice(TypedDict):
    """What people and machines are told; `data` has `says`, `next` and the numbers."""

    id: str
    type: str
    version: int
    at: str
    tenant: str | None
    subject: str
    data: dict[str, Any]


class Subscription(TypedDict):
    """Notices of some types, sent to one place in order; `tenant_id` None is the house's."""

    id: str
    tenant_id: str | None
    kind: str
    target: str
    types: list[str]
    note: str
    created_by: str
    created_at: str
    state: str
    reason: str
    settled_until: str
    again: list[str]
    failures: int
    next_try_at: str | None
    deliveries: int
    previous_secret_until: str | None


class NewSubscription(Subscription):
    """`secret` is shown this once, and None if the answer was asked for again."""

    secret: str | None


class Delivery(TypedDict):
    """One try to send."""

    number: int
    notice: str
    notices: int
    again: bool
    at: str
    took_ms: int
    delivered: bool
    status: int | None
    detail: str
