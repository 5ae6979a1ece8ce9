"""What usage owes, in pieces that lie wholly in a credit block's window or out of it.

Usage that is booked after a block is there is cut at the block's edges when it is priced. Where
credit is booked later than usage that it counts from (a top-up has the value date of its payment),
what lies before the edge is added up from the charges, once, and kept with the accrual.
Neighbours: `sales/drawdown.py` says what draws; `operations/money/drawing_credit.py` has it drawn.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from comptoir.billing.accruals import Accrual, cut_at, pieces
from comptoir.desk.memory import Memory
from comptoir.desk.transaction import Transaction
from comptoir.sales.drawdown import Due, edges
from comptoir.units.ids import InvoiceId, TenantId
from comptoir.units.time import LATEST_MS

Place = tuple[int, int, str]
"""A due's place among others: its start, its end, and its accrual."""
CUT_AT_ONCE = 8
"""Accruals that are cut in the commit that books credit; of others the close adds up charges."""


def edges_of(book: Memory, tenant_id: TenantId) -> list[int]:
    """The instants at which a tenant's open credit begins or ends, in order."""
    return edges(book.contracts.credit_of.each(tenant_id), 0, LATEST_MS)


def cut_open(tx: Transaction, tenant_id: TenantId) -> None:
    """Credit was booked that begins or ends within usage of before: cut the first few there."""
    at, done = edges_of(tx.book, tenant_id), 0
    for accrual in tx.book.money.open_accruals_by_tenant.get(tenant_id):
        cut = cut_accrual(tx, accrual, at)
        if cut is not accrual:
            tx.book.money.accruals.put(cut)
            done += 1
            if done == CUT_AT_ONCE:
                return


def cut_accrual(tx: Transaction, accrual: Accrual, at: Sequence[int]) -> Accrual:
    """The accrual, cut at each of some instants that lie within it; itself, where none does."""
    low = bisect_right(at, accrual.first_at_ms)
    high = bisect_left(at, accrual.last_at_ms)
    if low >= high:
        return accrual
    known = {instant_ms for instant_ms, _ in accrual.cuts}
    for instant_ms in at[low:high]:
        if instant_ms not in known:
            accrual = cut_at(accrual, instant_ms, _used_before(tx, accrual, instant_ms))
    return accrual


def _used_before(tx: Transaction, accrual: Accrual, instant_ms: int) -> int:
    """Accelerator-ms of an accrual's charges before an instant; one that it lies within is
    divided as usage is that is cut when it is priced."""
    whole, across = tx.store.find_used(accrual.id, instant_ms)
    now = [
        (charge.starts_at_ms, charge.ends_at_ms, charge.accelerator_ms)
        for charge in tx.book.journal.appended_since((0, 0), "charge")
        if charge.accrual_id == accrual.id and charge.starts_at_ms < instant_ms
    ]
    used: int = whole
    for start_ms, end_ms, amount in (*across, *now):
        used += amount * (min(end_ms, instant_ms) - start_ms) // (end_ms - start_ms)
    return used


def dues_in(tx: Transaction, invoice_id: InvoiceId, at: Sequence[int]) -> list[Due]:
    """What a draft's accruals owe, those of this commit among them, divided at some instants."""
    accruals = {one.id: one for one in tx.store.find_billed(invoice_id)}
    accruals |= {one.id: one for one in tx.book.closing.billed.get(invoice_id)}
    return list(dues_of(tx.book, (cut_accrual(tx, one, at) for one in accruals.values()), at))


def next_dues(
    tx: Transaction, invoice_id: InvoiceId, at: Sequence[int], after: Place | None, most: int
) -> tuple[list[Due], Place | None]:
    """As `dues_in`, those that come next in the order of time; all of them are committed.

    Between two of the instants every accrual has one due, so they are read stretch by stretch.

    Args:
        tx: The commit.
        invoice_id: The draft's.
        at: The instants, in order: the same for all of the draft.
        after: The place that was given back with the ones before.
        most: So many; fewer where a stretch ends.

    Returns:
        Dues in order, and the place from which to go on; None when there are no more.
    """
    stretch = bisect_right(at, after[0]) if after else 0
    low = at[stretch - 1] if stretch else 0
    high = at[stretch] if stretch < len(at) else LATEST_MS
    accruals = tx.store.find_billed_next(invoice_id, (low, high), after, most)
    cut = (cut_accrual(tx, one, at) for one in accruals)
    dues = [due for due in dues_of(tx.book, cut, at) if low <= due.starts_at_ms < high]
    if len(accruals) == most:
        return dues, (dues[-1].starts_at_ms, dues[-1].ends_at_ms, dues[-1].subject)
    return dues, None if stretch == len(at) else (high, -1, "")


def dues_of(
    book: Memory, accruals: Iterable[Accrual], at: Sequence[int] | None = None
) -> Iterator[Due]:
    """What accruals owe, each between its cuts, or between those of them that are in `at`."""
    kept = None if at is None else frozenset(at)
    for one in accruals:
        rate = book.money.rates.get(one.rate_id)
        site = "" if rate is None else rate.site
        for from_ms, until_ms, micros in pieces(one, kept):
            yield Due(
                one.id, one.tenant_id, one.currency, one.kind, one.lease_class, site,
                from_ms, until_ms, micros,
            )  # fmt: skip
