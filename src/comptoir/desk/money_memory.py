"""The live rows of money in memory: prices, accruals, balances, billing marks.

A part of the book (`book.money`), with the same journal; what is settled is evicted after the
commit that settled it. The names of the tables are those of the store.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from comptoir.billing.accruals import Accrual
from comptoir.desk.tables import Index, Journal, Table
from comptoir.leases.lease import LeaseClass
from comptoir.ledger.entries import Account, Unit
from comptoir.pricing.rates import Item, Rate, RateCard, RateState
from comptoir.pricing.segments import Segment
from comptoir.units.ids import AccrualId, LeaseId, RateCardId, RateId, TenantId
from comptoir.units.values import quick


@quick
@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds of a unit: a projection of the postings."""

    account: Account
    unit: Unit
    amount: int


@dataclass(frozen=True, slots=True)
class BillingMark:
    """Up to when a tenant has been invoiced: older usage that turns up is a correction.

    `closed_until_ms` is its cut, the end of the last period that was closed for it: nothing
    counts before that any more.
    """

    tenant_id: TenantId
    invoiced_until_ms: int
    closed_until_ms: int = 0


@quick
@dataclass(frozen=True, slots=True)
class TierUse:
    """What a tenant has used at equal tiered prices of a rate in a period: see `Segment.word`."""

    tenant_id: TenantId
    rate_id: RateId
    period_ms: int
    prices: str
    accelerator_ms: int


@quick
@dataclass(frozen=True, slots=True)
class TopUp:
    """What minimum and granularity added to a lease that is over: see `desk/topping_up.py`."""

    lease_id: LeaseId
    rate_id: RateId
    ends_at_ms: int
    site: str
    accelerators: int
    billed_accelerator_ms: int
    top_up_accelerator_ms: int


def tier_key(tenant_id: TenantId, segment: Segment) -> tuple[TenantId, RateId, int, str]:
    """By what the use of tiers is counted."""
    assert segment.priced is not None
    return tenant_id, segment.priced.rate.id, segment.period_ms, segment.word


class MoneyBook:
    """The tables of money and their indexes."""

    def __init__(self, journal: Journal) -> None:
        self.rate_cards = Table[RateCardId, RateCard]("rate_card", lambda r: r.id, journal)
        self.rates = Table[RateId, Rate]("rate", lambda r: r.id, journal)
        self.accruals = Table[AccrualId, Accrual]("accrual", lambda r: r.id, journal)
        self.balances = Table[tuple[Account, Unit], Balance](
            "balance", lambda r: (r.account, r.unit), journal
        )
        self.billing_marks = Table[TenantId, BillingMark](
            "billing_mark", lambda r: r.tenant_id, journal
        )
        self.tier_uses = Table[tuple[TenantId, RateId, int, str], TierUse](
            "tier_use", lambda r: (r.tenant_id, r.rate_id, r.period_ms, r.prices), journal
        )
        self.top_ups = Table[LeaseId, TopUp]("top_up", lambda r: r.lease_id, journal)
        self.tables: tuple[Table[Any, Any], ...] = (
            self.rate_cards, self.rates, self.accruals, self.balances, self.billing_marks,
            self.tier_uses, self.top_ups,
        )  # fmt: skip
        self.rates_by_line = Index[tuple[RateCardId, str, LeaseClass], Rate](
            self.rates,
            lambda r: (
                (r.rate_card_id, r.kind, r.lease_class) if r.state is RateState.APPROVED else None
            ),
        )
        self.accruals_by_lease = Index[LeaseId, Accrual](self.accruals, attrgetter("lease_id"))
        self.open_accruals_by_tenant = Index[TenantId, Accrual](
            self.accruals, lambda a: a.tenant_id if a.invoice_id is None else None
        )

        self.segments: dict[tuple[str, ...], Segment] = {}
        """Prices worked out before, by tenant and item: `desk/terms.py`."""
        self.rates.feed(self.forget_prices)

    def rates_of(self, card: RateCardId, item: Item) -> Iterable[Rate]:
        """The approved rates of a card that might price an item."""
        return self.rates_by_line.each((card, item.kind, item.lease_class))

    def forget_prices(self, _old: object = None, _new: object = None) -> None:
        """A rate, or what is agreed with somebody, has changed or was changed back."""
        self.segments.clear()

    def evict_ended(self, rows: dict[str, list[object]]) -> None:
        """Drop what the commit of `rows` has settled for good."""
        for accrual in rows.get("accrual", ()):
            assert isinstance(accrual, Accrual)
            if accrual.invoice_id is not None:
                self.accruals.evict(accrual.id)
        for added in rows.get("top_up", ()):
            assert isinstance(added, TopUp)
            self.top_ups.evict(added.lease_id)
