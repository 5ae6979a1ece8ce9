"""What a tenant's open usage and holds owe, added up by all that credit can tell apart.

A request asks what credit would pay of everything that is open: thousands of accruals and holds,
of a few kinds, classes and sites, between a few edges of credit. So they are kept in sums, a sum a
(kind, class, site, from which edge, until which edge), moved with every change of a row, and an
answer costs sums, not rows. Invariant: the sums of a tenant are those of its rows; a tenant's are
added up anew only when credit comes that begins or ends elsewhere. Neighbours: `credit.py` asks;
`dues.py` has each row by itself, for the close.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping

from comptoir.billing.accruals import Accrual, pieces
from comptoir.billing.credit import CreditHold
from comptoir.desk.contract_memory import ContractBook
from comptoir.desk.credit_memory import CreditBook
from comptoir.desk.money_memory import MoneyBook
from comptoir.leases.lease import LeaseClass
from comptoir.sales.credit_blocks import CreditBlock
from comptoir.sales.drawdown import Due
from comptoir.units.ids import TenantId
from comptoir.units.time import LATEST_MS

Sort = tuple[str, str, LeaseClass, str, int, int]
"""Currency, kind, class, site; the numbers of the edges before and after it."""


class _Sums:
    """One tenant's: its edges in order, and micros of what was used and of what is held."""

    def __init__(self, edges: list[int]) -> None:
        self.edges = edges
        self.used: dict[Sort, int] = defaultdict(int)
        self.held: dict[Sort, int] = defaultdict(int)

    def between(self, starts_at_ms: int, ends_at_ms: int) -> tuple[int, int]:
        """The number of the last edge by a start, and of the first from an end on."""
        return bisect_right(self.edges, starts_at_ms) - 1, bisect_left(self.edges, ends_at_ms)

    def window(self, sort: Sort) -> tuple[int, int]:
        """The longest window that credit does not tell from that of a sum's rows."""
        low, high = sort[4:]
        return (
            self.edges[low] if low >= 0 else 0,
            self.edges[high] if high < len(self.edges) else LATEST_MS,
        )


class PendingDues:
    """The sums of every tenant that was asked about."""

    def __init__(self, money: MoneyBook, credit: CreditBook, contracts: ContractBook) -> None:
        self._money, self._credit, self._contracts = money, credit, contracts
        self._kept: dict[TenantId, _Sums] = {}
        money.accruals.feed(self._accrual)
        credit.holds.feed(self._hold)
        contracts.credit_blocks.feed(self._block)

    def of(
        self, tenant_id: TenantId, currency: str, now_ms: int, new: CreditHold | None = None
    ) -> list[Due]:
        """What a tenant owes, in sums; what is held is used from now on.

        Args:
            tenant_id: Whose.
            currency: In which.
            now_ms: Now.
            new: A hold that is asked for, instead of what its lease holds now.
        """
        sums = self._sums(tenant_id)
        held: Mapping[Sort, int] = sums.held
        if new is not None:
            held = defaultdict(int, held)
            self._add_hold(sums, held, new, 1)
            known = self._credit.holds.get(new.lease_id)
            if known is not None and not known.released:
                self._add_hold(sums, held, known, -1)
        used = _dues(tenant_id, currency, sums, sums.used, 0)
        return [*used, *_dues(tenant_id, currency, sums, held, now_ms)]

    def _sums(self, tenant_id: TenantId) -> _Sums:
        found = self._kept.get(tenant_id)
        if found is None:
            blocks = self._contracts.credit_of.each(tenant_id)
            found = _Sums(sorted({at for block in blocks for at in block.edges}))
            for accrual in self._money.open_accruals_by_tenant.each(tenant_id):
                self._add_accrual(found, accrual, 1)
            for hold in self._credit.holds_of.each(tenant_id):
                self._add_hold(found, found.held, hold, 1)
            self._kept[tenant_id] = found
        return found

    def _accrual(self, old: Accrual | None, new: Accrual | None) -> None:
        row = new or old
        sums = None if row is None else self._kept.get(row.tenant_id)
        if sums is None:
            return
        for each, sign in ((old, -1), (new, 1)):
            if each is not None and each.invoice_id is None:
                self._add_accrual(sums, each, sign)

    def _hold(self, old: CreditHold | None, new: CreditHold | None) -> None:
        row = new or old
        sums = None if row is None else self._kept.get(row.tenant_id)
        if sums is None:
            return
        for each, sign in ((old, -1), (new, 1)):
            if each is not None and not each.released:
                self._add_hold(sums, sums.held, each, sign)

    def _block(self, old: CreditBlock | None, new: CreditBlock | None) -> None:
        """Credit that begins or ends where none did is told apart from now on."""
        sums = None if new is None else self._kept.get(new.tenant_id)
        if sums is not None and new is not None and not set(sums.edges).issuperset(new.edges):
            del self._kept[new.tenant_id]

    def _add_accrual(self, sums: _Sums, accrual: Accrual, sign: int) -> None:
        rate = self._money.rates.get(accrual.rate_id)
        site = "" if rate is None else rate.site
        for from_ms, until_ms, micros in pieces(accrual):
            sort = (
                accrual.currency, accrual.kind, accrual.lease_class, site,
                *sums.between(from_ms, until_ms),
            )  # fmt: skip
            _add(sums.used, sort, sign * micros)

    def _add_hold(self, sums: _Sums, to: dict[Sort, int], hold: CreditHold, sign: int) -> None:
        sort = (
            hold.currency, hold.kind, hold.lease_class, "",
            *sums.between(hold.starts_at_ms, hold.ends_at_ms),
        )  # fmt: skip
        _add(to, sort, sign * hold.micros)


def _add(to: dict[Sort, int], sort: Sort, micros: int) -> None:
    total = to.get(sort, 0) + micros
    if total:
        to[sort] = total
    else:
        to.pop(sort, None)


def _dues(
    tenant_id: TenantId, currency: str, sums: _Sums, of: Mapping[Sort, int], now_ms: int
) -> Iterator[Due]:
    for sort, micros in of.items():
        if sort[0] == currency:
            start_ms, end_ms = sums.window(sort)
            yield Due(
                "", tenant_id, currency, sort[1], sort[2], sort[3],
                max(start_ms, now_ms), max(end_ms, now_ms + 1), micros,
            )  # fmt: skip
