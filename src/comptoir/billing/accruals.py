"""Accruals: what a lease has earned at one price in one period, until it is invoiced."""

from collections.abc import Iterator, Set
from dataclasses import dataclass

from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.ledger.entries import Posting
from comptoir.metering.usage import Measure
from comptoir.pricing.charges import ChargeRow
from comptoir.pricing.terms import NO_CONTRACT
from comptoir.units.errors import invariant
from comptoir.units.ids import AccrualId, ContractVersionId, InvoiceId, LeaseId, RateId, TenantId
from comptoir.units.money import floor_micros
from comptoir.units.values import quick, replace


@quick
@dataclass(frozen=True, slots=True)
class Accrual:
    """A running exact sum; `posted_micros` is its floor, already in the ledger.

    `service_month_ms` is where the period begins in which the usage lies: a month, in the
    zone of the tenant's legal entity. `correction` marks usage that arrived after its month
    was invoiced. `list_numerator` is what the card alone would have asked. `cuts` say for
    instants within it how many micros lie before each: where credit begins or ends that was
    booked later than the usage. Nothing is added to an accrual that has some.
    """

    id: AccrualId
    tenant_id: TenantId
    lease_id: LeaseId
    rate_id: RateId
    lease_class: LeaseClass
    kind: str
    measure: Measure
    price_nanos: int
    currency: str
    service_month_ms: int
    first_at_ms: int
    last_at_ms: int
    correction: bool
    accelerator_ms: int = 0
    numerator: int = 0
    posted_micros: int = 0
    invoice_id: InvoiceId | None = None
    invoice_line: int | None = None
    contract_version_id: ContractVersionId = NO_CONTRACT
    list_numerator: int = 0
    row: ChargeRow = ChargeRow.USAGE
    cuts: tuple[tuple[int, int], ...] = ()


def accrue(
    accrual: Accrual,
    starts_at_ms: int,
    ends_at_ms: int,
    accelerator_ms: int,
    numerator: int,
    list_numerator: int = 0,
) -> tuple[Accrual, tuple[Posting, ...]]:
    """Add one priced piece: the new accrual, and the postings that keep it at its floor."""
    invariant(accrual.invoice_id is None, f"accrual {accrual.id} is already invoiced")
    invariant(not accrual.cuts, f"accrual {accrual.id} is cut")
    total = accrual.numerator + numerator
    posted = floor_micros(total)
    updated = replace(
        accrual,
        accelerator_ms=accrual.accelerator_ms + accelerator_ms,
        numerator=total,
        list_numerator=accrual.list_numerator + list_numerator,
        posted_micros=posted,
        first_at_ms=min(accrual.first_at_ms, starts_at_ms),
        last_at_ms=max(accrual.last_at_ms, ends_at_ms),
    )
    return updated, ledger.transfer(
        ledger.unbilled(accrual.tenant_id),
        ledger.revenue(accrual.lease_class),
        ledger.currency(accrual.currency),
        posted - accrual.posted_micros,
    )


def cut_at(accrual: Accrual, instant_ms: int, accelerator_ms_before: int) -> Accrual:
    """The accrual with one more cut.

    Args:
        accrual: Of one price, so that its money is in proportion to what was used.
        instant_ms: Within it.
        accelerator_ms_before: What was used before that.
    """
    inside = accrual.first_at_ms < instant_ms < accrual.last_at_ms
    invariant(inside, f"{instant_ms} is not within accrual {accrual.id}")
    before = floor_micros(accelerator_ms_before * accrual.price_nanos)
    return replace(accrual, cuts=tuple(sorted((*accrual.cuts, (instant_ms, before)))))


def pieces(accrual: Accrual, at: Set[int] | None = None) -> Iterator[tuple[int, int, int]]:
    """(from, until, micros) of an accrual between its cuts, in order; they add up to it.

    `at`: only those cuts count that are among these instants.
    """
    start_ms, posted = accrual.first_at_ms, 0
    cuts = [cut for cut in accrual.cuts if at is None or cut[0] in at]
    for instant_ms, before in (*cuts, (accrual.last_at_ms, accrual.posted_micros)):
        yield start_ms, instant_ms, before - posted
        start_ms, posted = instant_ms, before
