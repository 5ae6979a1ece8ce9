"""Contracts, commitments, credit blocks, drawdowns."""

from typing import Annotated

from fastapi import Path
from pydantic import Field, StringConstraints

from comptoir.api.shapes.common import (
    MOST_INT,
    Answer,
    Body,
    Currency,
    Decimal,
    Flag,
    Instant,
    InstantIn,
    Line,
    Long,
)
from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.sales.commitments import CommitmentType, CommitmentUnit
from comptoir.sales.contract_file import MOST_FILE_LETTERS
from comptoir.sales.contracts import ContractState, Direction, VersionState
from comptoir.sales.credit_blocks import BlockState, CreditSource
from comptoir.sales.tranches import ActType, TrancheState

VersionNumber = Annotated[int, Path(ge=1, le=MOST_INT)]


class ContractBody(Body):
    """A contract file: see docs/contracts.md. `dry_run`: it is judged, and nothing is kept."""

    file: Line = Field(examples=["acme.toml"])
    text: Annotated[str, StringConstraints(max_length=MOST_FILE_LETTERS)]
    dry_run: Flag = False


class ActBody(Body):
    """Something that one side does. `about` is a tranche or an expansion; of an exit, nothing."""

    act: ActType
    about: Line = Field("", examples=["first"])
    effective_at: InstantIn | None = None
    note: Annotated[str, StringConstraints(max_length=500)] = ""


class SettleBody(Body):
    """Up to when; now if it is not said."""

    until: InstantIn | None = None


class Contract(Answer):
    """With whom, in which direction and currency: what no version changes."""

    id: str
    number: str
    direction: Direction
    tenant_id: str | None
    partner: str
    party: str = Field(description="The tenant's slug, or the partner.")
    entity_id: str
    currency: Currency
    created_by: str | None = Field(description="Null to tenants.")
    created_at: Instant


class Version(Answer):
    """A numbered version. `text_sha256` is of the file that was proposed."""

    id: str
    number: int
    effective_from: Instant
    ends_at: Instant
    state: VersionState
    proposed_by: str | None = Field(description="Null to tenants.")
    proposed_at: Instant
    approved_by: str | None = Field(description="Null to tenants.")
    approved_at: Instant | None
    text_sha256: str


class ContractProposed(Contract):
    """What became of a version; in a dry run its ids are not kept."""

    dry_run: bool
    version: Version
    text: str


class AgreedPrice(Answer):
    """Another price than the card's, or a factor on it; null fits anything."""

    kind: str | None
    lease_class: LeaseClass | None
    site: str | None
    term: LeaseTerm | None
    starts_at: Instant
    ends_at: Instant
    price_per_accelerator_hour: Decimal | None
    factor: Decimal | None


class Tranche(Answer):
    """Capacity with a delivery date. `deemed`: accepted since nobody said otherwise in time."""

    name: str
    kind: str
    accelerators: int
    site: str
    state: TrancheState
    delivery_at: Instant
    delivered_at: Instant | None
    accept_by: Instant | None
    accepted_at: Instant | None
    deemed: bool


class Act(Answer):
    """Something that was done under a contract."""

    id: str
    act: ActType
    about: str
    effective_at: Instant
    noted_at: Instant
    note: str


class NextInstalment(Answer):
    """What is invoiced next."""

    at: Instant
    amount: Decimal


class CommitmentStep(Answer):
    """What may be drawn, or must be spent, in a window."""

    starts_at: Instant
    ends_at: Instant
    granted: Decimal
    drawn: Decimal
    expired: Decimal


class Commitment(Answer):
    """A promise, and how it is used up. `pending` will be drawn at the close of the period.

    `left` is of its steps that are not over. At today's `hourly` rate it is used up at
    `used_up_at`, or `short` of it is not drawn in time: a true-up, or a prepayment that is lost.
    """

    name: str
    type: CommitmentType
    unit: CommitmentUnit
    alive: bool = Field(description="False while it waits for its tranche, or fell away.")
    fell_away: bool = Field(
        description="Its tranche was cancelled or came too late, or an exit released all of it."
    )
    tranche: str
    starts_at: Instant
    ends_at: Instant
    granted: Decimal
    drawn: Decimal
    pending: Decimal
    expired: Decimal
    left: Decimal
    left_accelerator_hours: Long | None
    hourly: Decimal
    used_up_at: Instant | None
    short: Decimal
    next_instalment: NextInstalment | None
    steps: list[CommitmentStep]


class ContractDetail(Contract):
    """A contract with its versions, and what the one in force (else the newest) says."""

    entity: str
    state: ContractState
    ends_at: Instant
    version: int
    versions: list[Version]
    text: str
    next_text: str = Field(
        description="The file of the version that adds exercised expansions; empty if none is due."
    )
    prices: list[AgreedPrice]
    inbound: list[str]
    tranches: list[Tranche]
    acts: list[Act]
    commitments: list[Commitment]


class CreditBlock(Answer):
    """Credit for usage that lies in its window; a lower priority is drawn first."""

    id: str
    tenant_id: str | None
    contract_id: str | None
    commitment: str | None
    source: CreditSource
    state: BlockState
    currency: Currency
    granted: Decimal
    drawn: Decimal
    expired: Decimal
    left: Decimal
    starts_at: Instant
    ends_at: Instant | None
    priority: int
    kinds: list[str]
    lease_classes: list[LeaseClass]
    sites: list[str]
    conditions: list[str]
    created_at: Instant


class Drawdown(Answer):
    """What usage over [starts_at, ends_at) drew of a block; negative where it was given back."""

    seq: int
    credit_block_id: str
    tenant_id: str | None
    subject: str
    currency: Currency
    amount: Decimal
    starts_at: Instant
    ends_at: Instant
    booked_at: Instant
    invoice_id: str | None


class SupplySettled(Answer):
    """Of how many contracts the cost is booked, and up to when."""

    contracts: int
    until: Instant
