"""What the API says, as the types of plain dictionaries: the field names are the API's.

Instants are RFC 3339 strings in UTC, or None. Accelerator-milliseconds, bytes and other
64-bit counts are decimal strings, prices are decimal strings per accelerator-hour, and
amounts of money are decimal strings beside their `currency`: nothing is a float. A newer
server may send more fields than are named here.
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


class IssuedKey(TypedDict):
    """A new key; `secret` is shown this once, and None if the answer was asked for again."""

    key: Key
    secret: str | None


class AcceleratorKind(TypedDict):
    """A type of chip with its facts."""

    name: str
    maker: str
    memory_bytes: str
    power_watts: int
    interconnect_domain: int
    tenancy: str
    source: str


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


class Runtime(TypedDict):
    """A read-only environment that the operator declares."""

    id: str
    name: str
    paths: list[str]
    environment: dict[str, str]
    retired: bool
    created_at: str


class RateCard(TypedDict):
    """A list of rates in one currency."""

    id: str
    name: str
    currency: str
    created_at: str


class Rate(TypedDict):
    """The price of an accelerator-hour of a kind in a class, from an instant on."""

    id: str
    rate_card_id: str
    kind: str
    lease_class: str
    measure: str
    price_per_accelerator_hour: str
    effective_from: str | None
    state: str
    proposed_by: str
    approved_by: str | None
    approved_at: str | None


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


class Coming(TypedDict):
    """Accelerators that are promised back at an instant."""

    at: str
    lease_id: str
    accelerators: int


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
    ahead: int
    expected_start: str | None
    sentence: str


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


class File(TypedDict):
    """A file of a lease's directory."""

    path: str
    size_bytes: str
    modified_at: str


class UsageEvent(TypedDict):
    """Accelerator-milliseconds of one measure over a half-open window."""

    seq: str
    source: str
    event_id: str
    measure: str
    lease_id: str
    tenant_id: str
    inbound_lease_id: str
    lease_class: str
    kind: str
    starts_at: str
    ends_at: str
    accelerator_ms: str
    received_at: str


class Charge(TypedDict):
    """Usage priced under one rate; exact."""

    seq: str
    tenant_id: str
    lease_id: str
    lease_class: str
    kind: str
    measure: str
    starts_at: str
    ends_at: str
    accelerator_ms: str
    price_per_accelerator_hour: str
    currency: str
    correction: bool


class InvoiceLine(TypedDict):
    """One rate in one month."""

    number: int
    description: str
    kind: str
    lease_class: str
    measure: str
    price_per_accelerator_hour: str
    starts_at: str
    ends_at: str
    leases: int
    accelerator_ms: str
    amount: str
    correction: bool


class Invoice(TypedDict):
    """An invoice or a chargeback statement: final from the moment it exists."""

    id: str
    number: str
    kind: str
    tenant_id: str
    currency: str
    starts_at: str
    ends_at: str
    issued_at: str
    total: str
    lines: list[InvoiceLine]


class Event(TypedDict):
    """One line of the numbered event table."""

    seq: str
    at: str
    type: str
    actor: str
    key_id: str | None
    tenant_id: str | None
    subject: str
    data: dict[str, Any]
