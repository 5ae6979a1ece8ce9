"""Entitlements, shares now, lenders' statements, and the policy of each class."""

from typing import Annotated

from pydantic import Field, StrictInt

from comptoir.api.shapes.common import (
    Answer,
    Body,
    Count,
    Currency,
    Decimal,
    Instant,
    InstantIn,
    Line,
    Long,
    Named,
    Positive,
)
from comptoir.leases.lease import LeaseClass

Bps = Annotated[StrictInt, Field(ge=0, le=10_000)]


class EntitlementBody(Body):
    """Accelerators for a `team` or for a `group`, out of a `parent` group's; limits may be null."""

    kind: Line = Field(examples=["h100-sxm"])
    accelerators: Positive
    team: Named | None = None
    group: Line = ""
    parent: Line = ""
    site: Line = ""
    starts_at: InstantIn | None = None
    ends_at: InstantIn | None = None
    lend_limit: Count | None = None
    borrow_limit: Count | None = None
    lender_share_bps: Bps = 5_000


class EndEntitlementBody(Body):
    """When it ends; left out, now."""

    ends_at: InstantIn | None = None


class Entitlement(Answer):
    """So many accelerators of a kind for a team, or (`tenant_id` null) for a group."""

    id: str
    tenant_id: str | None
    group: str
    parent: str
    kind: str
    site: str
    accelerators: int
    starts_at: Instant
    ends_at: Instant | None
    lend_limit: int | None
    borrow_limit: int | None
    lender_share_bps: int
    set_by: str
    set_at: Instant


class Party(Answer):
    """Who borrows or lends: a class of lease, a `team`, a group, or `nobody` (not given out).

    `tenant_id` names the team, to the house alone.
    """

    word: str
    tenant_id: str | None
    accelerators: int


class Share(Answer):
    """Where a team or a group stands now, in accelerators of one kind."""

    kind: str
    tenant_id: str | None
    name: str
    parent: str
    at: Instant
    entitled: int
    used: int
    borrowed: int
    idle: int
    lent: int
    may_lend: int
    may_borrow: int
    lent_to: list[Party]
    borrowed_from: list[Party]
    sentence: str


class Shares(Answer):
    """Every share that the asker may see."""

    items: list[Share]


class LentLine(Answer):
    """What was lent to one class at one price; `credit` is the lender's share of it."""

    lease_class: LeaseClass
    price_per_accelerator_hour: Decimal
    currency: Currency
    accelerator_ms: Long
    credit: Decimal


class LenderStatement(Answer):
    """One kind of one team over a window: entitled = used + lent + idle.

    `borrowed` is what the team used above its own; `idle_cost` what it neither used nor lent
    is worth at its own price.
    """

    tenant_id: str
    kind: str
    starts_at: Instant
    ends_at: Instant
    entitled_accelerator_ms: Long
    used_accelerator_ms: Long
    borrowed_accelerator_ms: Long
    lent_accelerator_ms: Long
    idle_accelerator_ms: Long
    idle_cost: Decimal
    currency: Currency
    lines: list[LentLine]
    credits: dict[str, Decimal]


class LenderStatements(Answer):
    """A statement for each kind to which the team was entitled in the window."""

    items: list[LenderStatement]


class LenderCreditBody(Body):
    """Up to when: the start of a UTC month; left out, of this one."""

    until: InstantIn | None = None


class LenderCredit(Answer):
    """What was posted for a kind: amounts by currency, up to an instant."""

    tenant_id: str
    kind: str
    until: Instant
    credits: dict[str, Decimal]


class LenderCredits(Answer):
    """What was posted, by kind."""

    items: list[LenderCredit]


class PolicyBody(Body):
    """What is left out stays as it is."""

    notice_s: Count | None = None
    minimum_runtime_s: Count | None = None
    ageing_s: Count | None = None


class ClassPolicy(Answer):
    """How leases of a class are treated that are asked for from now on."""

    lease_class: LeaseClass
    notice_s: int
    minimum_runtime_s: int
    ageing_s: int


class Policy(Answer):
    """The settings of every class, the strongest first."""

    items: list[ClassPolicy]
