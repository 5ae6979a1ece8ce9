"""The live rows of money in memory: prices, accruals, balances, number series, billing marks.

A part of the book (`book.money`), with the same journal; what is settled is evicted after the
commit that settled it. The names of the tables are those of the store.
"""

from dataclasses import dataclass
from typing import Any

from comptoir.billing.accruals import Accrual
from comptoir.desk.tables import Index, Journal, Table
from comptoir.leases.lease import LeaseClass
from comptoir.ledger.entries import Account, Unit
from comptoir.pricing.rates import Rate, RateCard, RateState
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
class Series:
    """A number series and the last number it gave."""

    name: str
    last: int


@dataclass(frozen=True, slots=True)
class BillingMark:
    """Up to when a tenant has been invoiced: older usage that turns up is a correction."""

    tenant_id: TenantId
    invoiced_until_ms: int


class MoneyBook:
    """The tables of money and their indexes."""

    def __init__(self, journal: Journal) -> None:
        self.rate_cards = Table[RateCardId, RateCard]("rate_card", lambda r: r.id, journal)
        self.rates = Table[RateId, Rate]("rate", lambda r: r.id, journal)
        self.accruals = Table[AccrualId, Accrual]("accrual", lambda r: r.id, journal)
        self.balances = Table[tuple[Account, Unit], Balance](
            "balance", lambda r: (r.account, r.unit), journal
        )
        self.series = Table[str, Series]("series", lambda r: r.name, journal)
        self.billing_marks = Table[TenantId, BillingMark](
            "billing_mark", lambda r: r.tenant_id, journal
        )
        self.tables: tuple[Table[Any, Any], ...] = (
            self.rate_cards, self.rates, self.accruals, self.balances, self.series,
            self.billing_marks,
        )  # fmt: skip
        self.rates_by_line = Index[tuple[RateCardId, str, LeaseClass], Rate](
            self.rates,
            lambda r: (
                (r.rate_card_id, r.kind, r.lease_class) if r.state is RateState.APPROVED else None
            ),
        )
        self.open_accruals = Index[tuple[LeaseId, RateId, int, bool], Accrual](
            self.accruals,
            lambda a: (
                (a.lease_id, a.rate_id, a.service_month_ms, a.correction)
                if a.invoice_id is None
                else None
            ),
        )
        self.open_accruals_by_tenant = Index[TenantId, Accrual](
            self.accruals, lambda a: a.tenant_id if a.invoice_id is None else None
        )

    def evict_ended(self, rows: dict[str, list[object]]) -> None:
        """Drop what the commit of `rows` has settled for good."""
        for accrual in rows.get("accrual", ()):
            assert isinstance(accrual, Accrual)
            if accrual.invoice_id is not None:
                self.accruals.evict(accrual.id)
