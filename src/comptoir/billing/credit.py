"""Credit: what a customer owes and may come to owe, against its limit, before it is used.

    owed = receivable - its own credit + (unbilled + held - covered) with tax

`held` is what work may still cost that is asked for or runs: a hold a lease. `covered` is what
prepaid and granted credit would pay of unbilled and held, by the rules by which it is drawn.
A hold is used up by the usage that it was taken for, so that nothing is counted twice.
Invariant: new work is granted only while owed, its own hold included, is within the limit.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from comptoir.leases.lease import LeaseClass
from comptoir.sales.credit_blocks import CreditBlock
from comptoir.sales.drawdown import Due, as_its_step, draw
from comptoir.units.ids import LeaseId, TenantId
from comptoir.units.money import NUMERATOR_PER_MICRO
from comptoir.units.time import MS_PER_HOUR, MS_PER_S
from comptoir.units.values import quick, replace

PPM = 1_000_000
LOW_PERCENT = 20
"""A customer is told when less than this share of its limit and its prepaid credit is left."""


@quick
@dataclass(frozen=True, slots=True)
class CreditHold:
    """What one lease may still cost, at most: `accelerator_ms` at `price_nanos`, without tax, used
    within [`starts_at_ms`, `ends_at_ms`).

    Open-ended work that runs holds until `until_ms` and is held for anew before that; None for
    bounded work, which holds its estimate, and for what has not started.
    """

    lease_id: LeaseId
    tenant_id: TenantId
    project: str
    kind: str
    lease_class: LeaseClass
    currency: str
    price_nanos: int
    accelerator_ms: int
    starts_at_ms: int
    ends_at_ms: int
    until_ms: int | None = None
    released: bool = False

    @property
    def micros(self) -> int:
        """What it holds, rounded up."""
        return -(-self.accelerator_ms * self.price_nanos // NUMERATOR_PER_MICRO)

    def used(self, accelerator_ms: int) -> "CreditHold":
        """The hold once so much of it was used, and is owed instead."""
        return replace(self, accelerator_ms=max(self.accelerator_ms - accelerator_ms, 0))


def hold_length_ms(notice_s: int) -> int:
    """For how long open-ended work is held: an hour, and twice its notice at least.

    It is held for anew when its notice is all that is left: if that fails, what is held pays
    for the notice.
    """
    return max(MS_PER_HOUR, 2 * notice_s * MS_PER_S)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a customer owes and may come to owe, and what its limit leaves. Micros, before tax
    where it is not receivable; `limit_micros` None is no limit.

    `prepaid_micros` is what would be left of its credit, `granted_micros` all that it was.
    """

    tenant_id: TenantId
    currency: str
    receivable_micros: int
    unbilled_micros: int
    held_micros: int
    covered_micros: int
    prepaid_micros: int
    granted_micros: int
    tax_ppm: int
    limit_micros: int | None

    @property
    def owed_micros(self) -> int:
        """What counts against the limit."""
        net = self.unbilled_micros + self.held_micros - self.covered_micros
        return self.receivable_micros + with_tax(net, self.tax_ppm)

    @property
    def left_micros(self) -> int | None:
        """What the limit leaves; None: there is none."""
        return None if self.limit_micros is None else self.limit_micros - self.owed_micros

    @property
    def is_low(self) -> bool:
        """Whether little is left of the limit and of prepaid credit together."""
        if self.left_micros is None or self.limit_micros is None:
            return False
        left = self.left_micros + with_tax(self.prepaid_micros, self.tax_ppm)
        all_of_it = self.limit_micros + with_tax(self.granted_micros, self.tax_ppm)
        return left * 100 < all_of_it * LOW_PERCENT


def with_tax(net_micros: int, tax_ppm: int) -> int:
    """A net amount with its tax, rounded up: what it may come to at most."""
    return -(-net_micros * (PPM + tax_ppm) // PPM)


def covered(
    open_blocks: Iterable[CreditBlock], dues: Iterable[Due], tax_ppm: int
) -> tuple[int, int]:
    """What credit would pay of unbilled usage and of what is held, drawn as it is drawn.

    Args:
        open_blocks: The customer's.
        dues: What its usage and its holds owe, or sums of what credit does not tell apart.
        tax_ppm: The tax that its usage bears.

    Returns:
        What it would pay, without tax; and what of credit that would use up.
    """
    blocks = {block.id: block for block in open_blocks}
    paid = used = 0
    for one in draw(blocks.values(), dues, tax_ppm, roll=as_its_step)[1]:
        taxed = blocks[one.block_id].taxed_when_used
        paid += one.micros
        used += with_tax(one.micros, tax_ppm) if taxed else one.micros
    return paid, used
