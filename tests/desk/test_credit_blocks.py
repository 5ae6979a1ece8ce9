"""Credit counts from its date, whenever it is booked: worked examples, every number derived."""

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.invoices import LineType
from comptoir.desk.entity_requests import GiveGrant
from comptoir.desk.receipt_requests import RecordReceipts, TopUp
from comptoir.desk.requests import LeaseRef
from comptoir.ledger import entries as ledger
from comptoir.sales.credit_blocks import CreditBlock
from comptoir.tenants.parties import Tenant
from comptoir.units.ids import LegalEntityId
from comptoir.units.time import parse_instant
from tests.builders import Book
from tests.desk.test_close import (
    CENT,
    HOUR_MS,
    NOVEMBER_MS,
    SPOT,
    balance,
    close,
    drafts,
    shop,
    to,
)

__all__ = ["shop"]
DAY_MS = 24 * HOUR_MS
OCTOBER_MS = NOVEMBER_MS - 31 * DAY_MS


def topped_up(book: Book, tenant: Tenant, amount: int, value_at_ms: int) -> CreditBlock:
    """So many cents came in on a day, and are booked as a top-up now."""
    entry = BankEntry(f"e{amount}", value_at_ms, amount * CENT, "USD", "top-up", "A payer")
    request = RecordReceipts(LegalEntityId("house"), "s", "", (entry,))
    (payment,) = book.desk.call("record_receipts", request, book.finance).payments
    return book.desk.call("top_up", TopUp(payment.id, None, tenant.id))


def one_core(book: Book, from_ms: int) -> Tenant:
    """A customer with one core at $10 an hour from an instant on."""
    acme = book.tenant("acme")
    to(book, from_ms)
    book.lease(acme, SPOT, 1)
    book.turn()
    return acme


def drawn(book: Book) -> list[tuple[str, int, int, int]]:
    """What the one draft has drawn: (type, amount, from, until) of its lines of credit."""
    (draft,) = drafts(book)
    return [
        (x.type, x.amount_micros, x.starts_at_ms, x.ends_at_ms)
        for x in draft.lines
        if x.type is not LineType.USAGE
    ]


def test_a_top_up_that_is_booked_late_pays_what_was_used_since_its_value_date(shop: Book) -> None:
    close_september(shop)
    acme = one_core(shop, OCTOBER_MS)
    value_at_ms = OCTOBER_MS + 10 * DAY_MS
    to(shop, OCTOBER_MS + 13 * DAY_MS + HOUR_MS)  # metered in one piece, three days too late
    topped_up(shop, acme, 1_000_000, value_at_ms)
    to(shop, NOVEMBER_MS)
    close(shop, "2026-10")
    # 21 days from the 11th on are 504 hours at $10: $5,040 of the $10,000. The ten days before
    # it, $2,400, are asked.
    assert drawn(shop) == [("on_account", -504_000 * CENT, value_at_ms, NOVEMBER_MS)]
    (draft,) = drafts(shop)
    assert draft.total_micros == 240_000 * CENT
    assert balance(shop, ledger.deferred_revenue(acme.id)) == -(1_000_000 - 504_000) * CENT


def test_usage_in_many_charges_is_divided_at_the_value_date_to_the_millisecond(shop: Book) -> None:
    close_september(shop)
    acme = one_core(shop, OCTOBER_MS)
    for _ in range(40):
        shop.pass_s(90)  # an hour in forty charges, none of which ends at the value date
    value_at_ms = OCTOBER_MS + 1_234_567
    topped_up(shop, acme, 1_000_000, value_at_ms)
    end(shop)
    to(shop, NOVEMBER_MS)
    close(shop, "2026-10")
    # 3,600,000 - 1,234,567 = 2,365,433 ms at $10 an hour, 2 7/9 micros a millisecond: 6,570,648
    # micros are drawn (floors: 10,000,000 in all less 3,429,352 before the value date).
    (block,) = shop.desk.book.contracts.credit_of.get(acme.id)
    assert block.drawn_micros == 6_570_648
    (line,) = drawn(shop)
    assert line[1:] == (-657 * CENT, value_at_ms, OCTOBER_MS + HOUR_MS)


def test_a_commit_that_books_usage_and_credit_divides_what_it_booked(shop: Book) -> None:
    """The charges of the same batch are not in the store yet."""
    close_september(shop)
    acme = one_core(shop, OCTOBER_MS)
    shop.clock.instant_ms = OCTOBER_MS + 2 * HOUR_MS
    shop.turn()
    block = topped_up(shop, acme, 1_000_000, OCTOBER_MS + HOUR_MS)
    (preview,) = shop.preview(acme)
    assert [x.amount_micros for x in preview.lines] == [2_000 * CENT, -1_000 * CENT]
    shop.desk.reload()  # a restart knows where it was cut
    (kept,) = shop.desk.book.money.open_accruals_by_tenant.get(acme.id)
    assert kept.cuts == ((OCTOBER_MS + HOUR_MS, 1_000 * CENT),)
    assert block.from_ms == OCTOBER_MS + HOUR_MS


def test_more_accruals_than_are_cut_at_once_are_cut_by_the_close(shop: Book) -> None:
    close_september(shop)
    acme = one_core(shop, OCTOBER_MS)
    for _ in range(7):
        shop.lease(acme, SPOT, 1)
    shop.turn()
    other = shop.tenant("beta")
    shop.supply(8)
    for _ in range(4):
        shop.lease(acme, SPOT, 1)
    shop.lease(other, SPOT, 1)
    shop.turn()
    to(shop, OCTOBER_MS + 2 * DAY_MS)
    topped_up(shop, acme, 100_000_000, OCTOBER_MS + DAY_MS)
    open_ones = shop.desk.book.money.open_accruals_by_tenant.get(acme.id)
    assert sum(1 for one in open_ones if one.cuts) == 8
    end(shop)
    to(shop, NOVEMBER_MS)
    close(shop, "2026-10", 60)  # slices of little work
    by_total = sorted(draft.total_micros for draft in drafts(shop))
    # Of twelve cores for two days one day is drawn: 12 x 24 x $10 are asked. Of beta's, all.
    assert by_total == [48_000 * CENT, 288_000 * CENT]


def test_a_grant_begins_where_it_was_given_within_what_was_used_ahead(shop: Book) -> None:
    close_september(shop)
    acme = one_core(shop, OCTOBER_MS)
    to(shop, OCTOBER_MS + DAY_MS)
    shop.clock.instant_ms += HOUR_MS  # an hour that is not metered yet
    grant = GiveGrant(acme.id, "1000.00", OCTOBER_MS + 2 * DAY_MS)
    block = shop.desk.call("give_grant", grant)
    to(shop, NOVEMBER_MS)
    close(shop, "2026-10")
    # From 01:00 on the 2nd to midnight are 23 hours at $10.
    assert drawn(shop) == [("drawdown", -23_000 * CENT, block.from_ms, OCTOBER_MS + 2 * DAY_MS)]


def test_rolled_over_credit_that_is_booked_after_its_end_pays_what_was_used_in_it(
    shop: Book,
) -> None:
    from comptoir.tenants.parties import Role
    from tests.desk.contract_book import Deal
    from tests.desk.test_close_contracts import PREPAID

    close_september(shop)
    acme = one_core(shop, OCTOBER_MS + 30 * DAY_MS)
    sales, approver = shop.user(Role.SALES), shop.user(Role.APPROVER)
    deal = Deal(shop, sales, approver, acme, shop.user(Role.TENANT_ADMIN, tenant=acme))
    text = PREPAID.replace('"30d"', '"1d"').replace("2026-10-01", "2026-10-31")
    deal.agree(text.replace("date = 2026-10-15", "date = 2026-10-31"))
    to(shop, NOVEMBER_MS + 5 * DAY_MS)  # November is used already when October closes
    close(shop, "2026-10")
    # 24 hours on the 31st draw $240 of $300; a quarter of $60, $15, lives on until 2 November.
    rest = [b for b in shop.desk.book.contracts.credit_blocks if b.source == "rollover"]
    assert [(b.granted_micros, b.until_ms) for b in rest] == [(1_500 * CENT, NOVEMBER_MS + DAY_MS)]
    to(shop, parse_instant("2026-12-01T00:00:00Z"))
    close(shop, "2026-11")
    lines = [d for d in drafts(shop) if d.period_id is not None and d.kind == "invoice"]
    found = [x.amount_micros for d in lines for x in d.lines if x.reference == rest[0].id]
    assert found == [-1_500 * CENT]


def close_september(book: Book) -> None:
    to(book, OCTOBER_MS)
    close(book, "2026-09")


def end(book: Book) -> None:
    """Every lease is given up."""
    for lease in list(book.desk.book.leases):
        book.desk.call("end_lease", LeaseRef(lease.id), book.operator)
    book.turn()
