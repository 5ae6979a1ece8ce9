"""Rates, usage, charges, the ledger, events."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from comptoir.api.shapes.common import (
    Answer,
    Body,
    Count,
    Currency,
    CurrencyIn,
    Decimal,
    Instant,
    InstantIn,
    Line,
    Long,
    LongIn,
    Named,
    Positive,
    PriceIn,
)
from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.metering.usage import Measure
from comptoir.pricing.charges import ChargeRow
from comptoir.pricing.rates import RateState
from comptoir.pricing.skus import Sku


class RateCardBody(Body):
    """An empty card in one currency."""

    name: Line = Field(examples=["enterprise-2027"])
    currency: CurrencyIn


class RateCard(Answer):
    """A list of rates in one currency."""

    id: str
    name: str
    currency: Currency
    created_at: Instant


class TierBody(Body):
    """A price from so many accelerator-hours on that a tenant has used of the rate in a month."""

    from_accelerator_hours: Positive
    price_per_accelerator_hour: PriceIn


class RateBody(Body):
    """A proposed price. Without `effective_from`: from its approval on.

    A rate of a longer `term` prices leases asked for at least so long; `tiers` follow the first
    price, in ascending order. A lease is billed `minimum_s` at least and whole steps of
    `granularity_s`, once, when its holder has ended it. Storage and tokens have no class of
    leases: `kind` names the kind of storage, or the model.
    """

    kind: Line = Field(examples=["cpu-core"])
    lease_class: LeaseClass | None = None
    price_per_accelerator_hour: PriceIn
    measure: Measure = Measure.DELIVERED
    effective_from: InstantIn | None = None
    site: Line = Field("", description="A site's name; empty is any site.")
    term: LeaseTerm = LeaseTerm.HOUR
    sku: Sku = Sku.ACCELERATOR
    tiers: Annotated[list[TierBody], Field(max_length=20)] = Field(default=[])
    minimum_s: Count = 0
    granularity_s: Count = 0


class Tier(Answer):
    """A price from so many accelerator-hours on, used of a rate in a period."""

    from_accelerator_hours: int
    price_per_accelerator_hour: Decimal


class Rate(Answer):
    """A price from an instant on; proposed by one, approved by another."""

    id: str
    rate_card_id: str
    kind: str
    lease_class: LeaseClass
    measure: Measure
    price_per_accelerator_hour: Decimal
    currency: Currency
    effective_from: Instant | None
    state: RateState
    proposed_by: str
    approved_by: str | None
    approved_at: Instant | None
    site: str
    term: LeaseTerm
    sku: Sku
    tiers: list[Tier]
    minimum_s: int
    granularity_s: int


class RateCardFileBody(Body):
    """A card as TOML, or as CSV where `file` ends so; then `name` and `currency` are needed."""

    file: Line = Field(examples=["enterprise-2027.toml"])
    text: Annotated[str, StringConstraints(max_length=4_000_000)]
    name: Line = ""
    currency: Annotated[str, StringConstraints(max_length=8)] = ""


class RateCardImported(Answer):
    """What an import proposed: all the rates of the file that the card did not have."""

    card: RateCard
    created: bool
    proposed: list[Rate]
    unchanged: int


class UsageEventBody(Body):
    """One usage event; (source, event_id) names it for ever."""

    event_id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    lease_id: Named
    measure: Measure
    starts_at: InstantIn
    ends_at: InstantIn
    accelerator_ms: LongIn


class UsageEventsBody(Body):
    """A batch of usage events, recorded whole or not at all."""

    source: Line = Field(examples=["telemetry-eu"])
    events: Annotated[list[UsageEventBody], Field(min_length=1, max_length=10_000)]


class UsageRecorded(Answer):
    """How many events were new, and how many had been said before."""

    accepted: int
    repeated: int


class Usage(Answer):
    """Accelerator-milliseconds of one measure over [starts_at, ends_at)."""

    seq: int
    source: str
    event_id: str
    measure: Measure
    lease_id: str
    tenant_id: str
    inbound_lease_id: str | None
    lease_class: LeaseClass
    kind: str
    starts_at: Instant
    ends_at: Instant
    accelerator_ms: Long
    received_at: Instant
    site: str
    term: LeaseTerm


class UsageTotal(Answer):
    """Usage of one measure, kind and class by one tenant."""

    tenant_id: str
    kind: str
    lease_class: LeaseClass
    measure: Measure
    accelerator_ms: Long
    events: int


class UsageSummary(Answer):
    """Usage added up."""

    items: list[UsageTotal]


class Charge(Answer):
    """Usage priced under one rate. `amount` is `numerator` rounded down to micros, to show.

    `list_numerator` is what the card alone would have asked. A `top_up` is what a minimum or a
    granularity added when the lease was over.
    """

    seq: int
    usage_seq: int
    accrual_id: str
    rate_id: str
    tenant_id: str
    lease_id: str
    lease_class: LeaseClass
    kind: str
    measure: Measure
    starts_at: Instant
    ends_at: Instant
    accelerator_ms: Long
    price_per_accelerator_hour: Decimal
    numerator: Long
    amount: Decimal
    currency: Currency
    correction: bool
    contract_version_id: str
    list_price_per_accelerator_hour: Decimal
    list_numerator: Long
    site: str
    term: LeaseTerm
    sku: Sku
    row: ChargeRow


class Posting(Answer):
    """One leg. `amount` is money when `unit` is a currency, else accelerator-milliseconds."""

    account: str
    unit: str
    amount: Decimal


class Entry(Answer):
    """A balanced set of postings."""

    seq: int
    key: str
    kind: str
    description: str
    effective_at: Instant
    booked_at: Instant
    postings: list[Posting]


class Balance(Answer):
    """What an account holds of a unit."""

    account: str
    unit: str
    amount: Decimal


class UnitSum(Answer):
    """All postings of a unit: `net` is zero in a sound ledger; `moved` is its debits."""

    unit: str
    net: Decimal
    moved: Decimal
    postings: int


class KindProof(Answer):
    """Delivered accelerator-milliseconds as observed, recorded and posted; what is unmetered."""

    kind: str
    observed_accelerator_ms: Long
    recorded_accelerator_ms: Long
    posted_accelerator_ms: Long
    unmetered_accelerator_ms: Long
    agrees: bool


class Proof(Answer):
    """The ledger added up again, from one snapshot."""

    at: Instant
    balanced: bool
    entries: int
    unbalanced_entries: int
    wrong_balances: int
    accelerator_ms_observed: Long
    accelerator_ms_posted: Long
    units: list[UnitSum]
    kinds: list[KindProof]


class Event(Answer):
    """Who did what to what, and the numbers."""

    seq: int
    at: Instant
    type: str
    actor: str
    key_id: str | None
    tenant_id: str | None
    subject: str
    data: dict[str, Any]
