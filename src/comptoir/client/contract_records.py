"""What the API says of contracts, as the types of plain dictionaries. See `records`."""

from typing import Any, TypedDict


class Contract(TypedDict):
    """With whom, in which direction and currency: what no version changes."""

    id: str
    number: str
    direction: str
    tenant_id: str | None
    partner: str
    party: str
    entity_id: str
    currency: str
    created_by: str | None
    created_at: str


class Version(TypedDict):
    """A numbered version."""

    id: str
    number: int
    effective_from: str
    ends_at: str
    state: str
    proposed_by: str | None
    proposed_at: str
    approved_by: str | None
    approved_at: str | None
    text_sha256: str


class ContractProposed(Contract):
    """What became of a version."""

    dry_run: bool
    version: Version
    text: str


class Act(TypedDict):
    """Something that was done under a contract."""

    id: str
    act: str
    about: str
    effective_at: str
    noted_at: str
    note: str


class Commitment(TypedDict):
    """A promise, and how it is used up at today's rate."""

    name: str
    type: str
    unit: str
    alive: bool
    fell_away: bool
    tranche: str
    ends_at: str
    granted: str
    drawn: str
    pending: str
    expired: str
    left: str
    left_accelerator_hours: str | None
    hourly: str
    used_up_at: str | None
    short: str
    next_instalment: dict[str, str] | None
    steps: list[dict[str, str]]


class ContractDetail(Contract):
    """A contract with its versions, and what the one in force (else the newest) says."""

    entity: str
    state: str
    ends_at: str
    version: int
    versions: list[Version]
    text: str
    next_text: str
    prices: list[dict[str, Any]]
    inbound: list[str]
    tranches: list[dict[str, Any]]
    acts: list[Act]
    commitments: list[Commitment]


class CreditBlock(TypedDict):
    """Credit for usage that lies in its window."""

    id: str
    tenant_id: str | None
    contract_id: str | None
    commitment: str | None
    source: str
    state: str
    currency: str
    granted: str
    drawn: str
    expired: str
    left: str
    ends_at: str | None
    priority: int
    kinds: list[str]
    lease_classes: list[str]
    sites: list[str]
    conditions: list[str]
    created_at: str


class Drawdown(TypedDict):
    """What usage drew of a block, for good."""

    seq: int
    credit_block_id: str
    tenant_id: str | None
    subject: str
    currency: str
    amount: str
    ends_at: str
    booked_at: str
    invoice_id: str | None
