"""Credit, budgets and grants."""

from typing import Annotated

from pydantic import Field

from comptoir.api.shapes.common import (
    Answer,
    Body,
    Currency,
    Decimal,
    Instant,
    InstantIn,
    Line,
    Named,
)
from comptoir.api.shapes.entities import AmountIn
from comptoir.leases.lease import LeaseClass
from comptoir.sales.credit_blocks import BlockState, CreditSource
from comptoir.tenants.budgets import MOST_THRESHOLDS, BudgetPeriod, WhenSpent


class BudgetBody(Body):
    """So much for a tenant (left out: one's own) or one of its projects."""

    amount: AmountIn
    tenant: Named | None = None
    project: Line = Field(default="", examples=["llm-7b"])
    period: BudgetPeriod = BudgetPeriod.MONTH
    thresholds: Annotated[list[int], Field(max_length=MOST_THRESHOLDS)] = Field(
        default_factory=lambda: [50, 80], description="Percent at which it is told."
    )
    when_spent: WhenSpent = WhenSpent.STOP


class Budget(Answer):
    """What is meant to be spent, and what is spent in this period, without tax. `held` is what
    work that it counts may still cost; a budget that stops counts both."""

    id: str
    tenant_id: str
    project: str
    currency: Currency
    amount: Decimal
    period: BudgetPeriod
    thresholds: list[int]
    when_spent: WhenSpent
    by_house: bool
    set_by: str
    created_at: Instant
    period_start: Instant
    spent: Decimal
    held: Decimal
    warned_percent: int
    ended_at: Instant | None


class GrantBody(Body):
    """Credit that costs the tenant nothing, until an instant; for some kinds, or for all."""

    amount: AmountIn
    until: InstantIn
    conditions: Annotated[list[Line], Field(max_length=16)] = Field(default_factory=list)
    kinds: Annotated[list[Line], Field(max_length=32)] = Field(default_factory=list)


class CreditOf(Answer):
    """Credit that may still be drawn: of a grant, a commitment, a top-up. `left` is of `granted`;
    empty kinds, classes and sites are all."""

    id: str
    source: CreditSource
    currency: Currency
    granted: Decimal
    left: Decimal
    starts_at: Instant
    ends_at: Instant | None
    kinds: list[str]
    lease_classes: list[LeaseClass]
    sites: list[str]
    conditions: list[str]
    state: BlockState


class Credit(Answer):
    """What a tenant owes and may come to owe. `owed` is the receivable, and with tax what is
    unbilled and held, less what its credit covers; `left` is what the limit leaves."""

    tenant_id: str
    currency: Currency
    receivable: Decimal
    unbilled: Decimal
    held: Decimal
    covered: Decimal
    prepaid: Decimal
    granted: Decimal
    tax_percent: Decimal
    owed: Decimal
    limit: Decimal | None
    left: Decimal | None
    leases: int
    blocks: list[CreditOf]
