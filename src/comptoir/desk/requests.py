"""What doors ask of the desk: one frozen value an operation. Parsed, not yet judged."""

from dataclasses import dataclass

from comptoir.desk.engine_port import EngineNode, Observation
from comptoir.fleet.conditions import OPEN, Conditions
from comptoir.fleet.files import FleetFile
from comptoir.fleet.nodes import NewNode as NewNode
from comptoir.leases.lease import Alternative, Lease, LeaseClass, OnReclaim, Shape
from comptoir.leases.term import LeaseTerm
from comptoir.metering.usage import Measure
from comptoir.pricing.skus import Sku
from comptoir.pricing.tiers import Tier
from comptoir.tenants.parties import Key, Role, TenantKind
from comptoir.units.ids import (
    AttemptId,
    EntitlementId,
    InboundLeaseId,
    JobId,
    KeyId,
    LeaseId,
    NodeId,
    RateCardId,
    RateId,
    RuntimeId,
    SeriesId,
    TenantId,
    UserId,
)
from comptoir.units.recurrence import Recurrence
from comptoir.units.values import quick


@dataclass(frozen=True, slots=True)
class CreateTenant:
    """`rate_card_id` empty: the book's first card."""

    slug: str
    name: str
    kind: TenantKind
    rate_card_id: RateCardId | None = None
    grants: tuple[str, ...] = ()
    residency: str = ""


@dataclass(frozen=True, slots=True)
class TenantRef:
    """Suspend or resume this tenant."""

    tenant_id: TenantId


@dataclass(frozen=True, slots=True)
class SetQuota:
    """At most so many accelerators of a kind at once."""

    tenant_id: TenantId
    kind: str
    accelerators: int


@dataclass(frozen=True, slots=True)
class SetEligibility:
    """Which grants a tenant holds, and where its data must stay; None leaves it as it is."""

    tenant_id: TenantId
    grants: tuple[str, ...] | None = None
    residency: str | None = None


@dataclass(frozen=True, slots=True)
class SetEntitlement:
    """Accelerators of a kind for a team (`tenant_id`) or a `group`, out of a `parent` group's.

    Limits of None are no limits; `starts_at_ms` None is now, an end of None is none.
    """

    kind: str
    accelerators: int
    tenant_id: TenantId | None = None
    group: str = ""
    parent: str = ""
    site: str = ""
    starts_at_ms: int | None = None
    ends_at_ms: int | None = None
    lend_limit: int | None = None
    borrow_limit: int | None = None
    lender_share_bps: int = 5_000


@dataclass(frozen=True, slots=True)
class EndEntitlement:
    """End an entitlement at an instant (None: now)."""

    entitlement_id: EntitlementId
    ends_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ExplainEntitlements:
    """Who has, uses, lends and borrows what now; of one tenant, of one kind, or of all."""

    tenant_id: TenantId | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class LenderCredit:
    """What a team has earned with a kind over [`from_ms`, `until_ms`): micros by currency."""

    tenant_id: TenantId
    kind: str
    from_ms: int
    until_ms: int
    credits: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class CreditLender:
    """Post what statements drawn up from the store say a team has earned.

    The door draws them up and asks; the desk holds that no time is credited twice.
    """

    tenant_id: TenantId
    earned: tuple[LenderCredit, ...]


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """Settle how leases of a class are treated from now on; None leaves a setting as it is."""

    lease_class: LeaseClass
    notice_s: int | None = None
    minimum_runtime_s: int | None = None
    ageing_s: int | None = None


@dataclass(frozen=True, slots=True)
class CreateUser:
    """`tenant_id` None makes a house user; a tenant's admin makes users of its own tenant."""

    name: str
    roles: tuple[Role, ...]
    tenant_id: TenantId | None = None


@dataclass(frozen=True, slots=True)
class UserRef:
    """Disable this user: its keys stop working at once."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class IssueKey:
    """A new key for a user; `user_id` None is the actor itself."""

    user_id: UserId | None = None
    note: str = ""
    expires_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """The answer to `IssueKey`: `secret` is shown once and never stored."""

    key: Key
    secret: str | None


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Revoke this key. `with_issued`: and every key issued with it, and with those."""

    key_id: KeyId
    with_issued: bool = False


@dataclass(frozen=True, slots=True)
class DeclareSupply:
    """An inbound lease and the nodes that it brings."""

    name: str
    kind: str
    nodes: tuple[NewNode, ...]
    partner: str = "owned"
    starts_at_ms: int | None = None
    ends_at_ms: int | None = None
    cost_nanos: int = 0
    currency: str = "USD"
    conditions: Conditions = OPEN


@dataclass(frozen=True, slots=True)
class ApplyFleet:
    """Declare all that a fleet file says, or with `dry_run` say what that would change."""

    file: FleetFile
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class AppliedLease:
    """What came of one inbound lease of a file: `declare` or `unchanged`; no id in a dry run."""

    name: str
    kind: str
    action: str
    inbound_lease_id: InboundLeaseId | None
    nodes: int
    accelerators: int


@dataclass(frozen=True, slots=True)
class AppliedFabric:
    """What came of one cluster of a file: `set`, `change` or `unchanged`."""

    site: str
    cluster: str
    action: str


@dataclass(frozen=True, slots=True)
class FleetApplied:
    """The answer to `ApplyFleet`; the counts are of what is new."""

    dry_run: bool
    leases: tuple[AppliedLease, ...]
    clusters: tuple[AppliedFabric, ...]
    nodes: int
    accelerators: int


@dataclass(frozen=True, slots=True)
class EndSupply:
    """End an inbound lease at an instant (None: now); what stands on it is taken back."""

    inbound_lease_id: InboundLeaseId
    ends_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class NodeRef:
    """Drain this node, resume it, or say that it is repaired."""

    node_id: NodeId


@dataclass(frozen=True, slots=True)
class DeclareRuntime:
    """Host paths shown read-only at the same place inside the sandbox."""

    name: str
    paths: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RuntimeRef:
    """Retire this runtime: no new job may name it."""

    runtime_id: RuntimeId


@dataclass(frozen=True, slots=True)
class CreateRateCard:
    """An empty card in one currency."""

    name: str
    currency: str


@dataclass(frozen=True, slots=True)
class ProposeRate:
    """A price from an instant on (None: from its approval on). `tiers` follow the first price.

    What is no accelerator has no class of leases.
    """

    rate_card_id: RateCardId
    kind: str
    lease_class: LeaseClass | None
    price_nanos: int
    measure: Measure = Measure.DELIVERED
    effective_from_ms: int | None = None
    site: str = ""
    term: LeaseTerm = LeaseTerm.HOUR
    sku: Sku = Sku.ACCELERATOR
    tiers: tuple[Tier, ...] = ()
    minimum_s: int = 0
    granularity_s: int = 0


@dataclass(frozen=True, slots=True)
class RateRef:
    """Approve this rate; never by its proposer."""

    rate_id: RateId


@quick
@dataclass(frozen=True, slots=True)
class RequestLease:
    """k accelerators of a kind. `tenant_id` is for house users; a tenant's user has its own.

    `residency` is where its data must stay, beside what the tenant requires anyway. `recall`
    is for house users: a sold window that its contract lets be called back with its notice.
    With `latest_start_ms` any start up to then will do, for `duration_s` each. `alternatives`
    are tried after the request itself, in order; one wins for the whole gang.
    """

    kind: str
    accelerators: int
    lease_class: LeaseClass
    shape: Shape = Shape.SITE
    starts_at_ms: int | None = None
    ends_at_ms: int | None = None
    notice_s: int | None = None
    on_reclaim: OnReclaim = OnReclaim.WAIT
    name: str = ""
    tenant_id: TenantId | None = None
    residency: str = ""
    recall: bool = False
    latest_start_ms: int | None = None
    duration_s: int | None = None
    preferred_shape: Shape | None = None
    alternatives: tuple[Alternative, ...] = ()
    project: str = ""


@dataclass(frozen=True, slots=True)
class RequestSeries:
    """A bounded lease for every window of a recurrence up to an instant: all, or none."""

    every: Recurrence
    until_ms: int
    each: RequestLease


@dataclass(frozen=True, slots=True)
class SeriesRef:
    """Cancel what has not started of this series."""

    series: SeriesId


@dataclass(frozen=True, slots=True)
class SeriesMade:
    """The answer to `RequestSeries` and `SeriesRef`: the occurrences, in order of time."""

    series: SeriesId
    leases: tuple[Lease, ...]


@dataclass(frozen=True, slots=True)
class AskOffers:
    """When, where and at what price accelerators could be had for so long.

    `wanted` says what: its duration is for how long, its latest start how far to look.
    `lease_classes` empty: every class that the tenant may have.
    """

    wanted: RequestLease
    lease_classes: tuple[LeaseClass, ...] = ()
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep a window for `hold_s`; a soft hold gives way to any firm request."""

    wanted: RequestLease
    hold_s: int
    firm: bool = False


@dataclass(frozen=True, slots=True)
class ShrinkLease:
    """Give accelerators back early: down to a number, or the nodes that are named."""

    lease_id: LeaseId
    accelerators: int | None = None
    node_ids: tuple[NodeId, ...] = ()


@dataclass(frozen=True, slots=True)
class SetSetting:
    """Set one of `desk.settings.SETTINGS`."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class LeaseRef:
    """Cancel or end this lease."""

    lease_id: LeaseId


@dataclass(frozen=True, slots=True)
class ExtendLease:
    """Move the end of a bounded lease; later or sooner, never into the past."""

    lease_id: LeaseId
    ends_at_ms: int


@dataclass(frozen=True, slots=True)
class SubmitJob:
    """A command on a lease. `release_lease`: end the lease when the job is done."""

    lease_id: LeaseId
    command: tuple[str, ...]
    name: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    runtime: str | None = None
    release_lease: bool = False


@dataclass(frozen=True, slots=True)
class JobRef:
    """Cancel this job."""

    job_id: JobId


@dataclass(frozen=True, slots=True)
class ReportedUsage:
    """One usage event from a source of telemetry."""

    event_id: str
    lease_id: LeaseId
    measure: Measure
    starts_at_ms: int
    ends_at_ms: int
    accelerator_ms: int


@dataclass(frozen=True, slots=True)
class RecordUsage:
    """A batch of usage events; repeats are welcome, contradictions are not."""

    source: str
    events: tuple[ReportedUsage, ...]


@dataclass(frozen=True, slots=True)
class UsageRecorded:
    """The answer to `RecordUsage`."""

    accepted: int
    repeated: int


@dataclass(frozen=True, slots=True)
class IssueInvoice:
    """Bill what a tenant has used up to an instant (None: now)."""

    tenant_id: TenantId
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """What an engine saw of attempts and nodes, and which orders it could not take (and why)."""

    engine: str
    observations: tuple[Observation, ...] = ()
    refused: tuple[tuple[AttemptId, str], ...] = ()
    forgotten: tuple[AttemptId, ...] = ()
    nodes: tuple[EngineNode, ...] = ()
    seen_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What time alone causes. `most` bounds each kind of work, so that a turn stays short."""

    meter_every_ms: int = 60_000
    most: int = 200


@dataclass(frozen=True, slots=True)
class Opening:
    """The first act of a new book: a rate card, an operator, and the operator's key."""

    currency: str = "USD"
