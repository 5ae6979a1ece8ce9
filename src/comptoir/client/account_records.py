"""What the API says of prices and money, by the rules of `records`: nothing is a float."""

from typing import Any, TypedDict

from comptoir.client.records import Problem


class RateCard(TypedDict):
    """A list of rates in one currency."""

    id: str
    name: str
    currency: str
    created_at: str


class Tier(TypedDict):
    """A price from so many accelerator-hours on, used of a rate in a period."""

    from_accelerator_hours: int
    price_per_accelerator_hour: str


class Rate(TypedDict):
    """The price of an accelerator-hour of a kind in a class, from an instant on."""

    id: str
    rate_card_id: str
    kind: str
    lease_class: str
    measure: str
    price_per_accelerator_hour: str
    currency: str
    effective_from: str | None
    state: str
    proposed_by: str
    approved_by: str | None
    approved_at: str | None
    site: str
    term: str
    sku: str
    tiers: list[Tier]
    minimum_s: int
    granularity_s: int


class RateCardImported(TypedDict):
    """What an import proposed, and how many rates were there before."""

    card: RateCard
    created: bool
    proposed: list[Rate]
    unchanged: int


class UsageEvent(TypedDict):
    """Accelerator-milliseconds of one measure over a half-open window."""

    seq: int
    source: str
    event_id: str
    measure: str
    lease_id: str
    tenant_id: str
    inbound_lease_id: str | None
    lease_class: str
    kind: str
    starts_at: str
    ends_at: str
    accelerator_ms: str
    received_at: str
    site: str
    term: str


class UsageTotal(TypedDict):
    """Usage of one measure, kind and class by one tenant."""

    tenant_id: str
    kind: str
    lease_class: str
    measure: str
    accelerator_ms: str
    events: int


class Charge(TypedDict):
    """Usage priced under one rate; `numerator` is exact, `amount` is for people."""

    seq: int
    tenant_id: str
    lease_id: str
    lease_class: str
    kind: str
    measure: str
    starts_at: str
    ends_at: str
    accelerator_ms: str
    price_per_accelerator_hour: str
    numerator: str
    amount: str
    currency: str
    correction: bool
    contract_version_id: str
    list_price_per_accelerator_hour: str
    list_numerator: str
    site: str
    term: str
    sku: str
    row: str


class Posting(TypedDict):
    """One leg; money when `unit` is a currency, else accelerator-milliseconds."""

    account: str
    unit: str
    amount: str


class Entry(TypedDict):
    """A balanced set of postings."""

    seq: int
    key: str
    kind: str
    description: str
    effective_at: str
    booked_at: str
    postings: list[Posting]


class Balance(TypedDict):
    """What an account holds of a unit."""

    account: str
    unit: str
    amount: str


class UnitSum(TypedDict):
    """All postings of a unit; `net` is zero in a sound ledger."""

    unit: str
    net: str
    moved: str
    postings: int


class KindProof(TypedDict):
    """Delivered accelerator-milliseconds of a kind: observed, recorded, posted, unmetered."""

    kind: str
    observed_accelerator_ms: str
    recorded_accelerator_ms: str
    posted_accelerator_ms: str
    unmetered_accelerator_ms: str
    agrees: bool


class UsageRecorded(TypedDict):
    """How many events were new, and how many had been said before."""

    accepted: int
    repeated: int


class UsageAnswer(TypedDict):
    """What became of one report of a batch: a result or a problem, under its status."""

    status: int
    replayed: bool
    result: UsageRecorded | None
    problem: Problem | None


class Proof(TypedDict):
    """The ledger added up again, from one snapshot."""

    at: str
    balanced: bool
    entries: int
    unbalanced_entries: int
    wrong_balances: int
    accelerator_ms_observed: str
    accelerator_ms_posted: str
    units: list[UnitSum]
    kinds: list[KindProof]


class Event(TypedDict):
    """One line of the numbered event table."""

    seq: int
    at: str
    type: str
    actor: str
    key_id: str | None
    tenant_id: str | None
    subject: str
    data: dict[str, Any]
