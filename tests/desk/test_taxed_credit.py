"""Tax on usage that credit pays: once, in whatever way it is paid ahead. Every number derived."""

from dataclasses import dataclass

import pytest

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.invoice_status import InvoiceState
from comptoir.billing.invoices import Invoice
from comptoir.desk.close_requests import ClosePeriod, CloseSlice, CreditInvoice, PreviewInvoice
from comptoir.desk.entity_requests import GiveGrant, ImportTable, ShowCredit
from comptoir.desk.receipt_requests import RecordReceipts, RefundPayment, TopUp
from comptoir.desk.requests import IssueInvoice, LeaseRef
from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.sales.credit_blocks import CreditBlock
from comptoir.tenants.parties import Role, Tenant
from comptoir.units.errors import Refused
from comptoir.units.ids import LegalEntityId
from comptoir.units.time import parse_instant
from tests.builders import HOUR_MS, Book
from tests.desk.contract_book import Deal
from tests.desk.test_close import CENT, balance, drafts, final
from tests.desk.test_close_contracts import PREPAID, admitted
from tests.desk.test_credit import Limited

ON_DEMAND = LeaseClass.ON_DEMAND


@dataclass
class Shop:
    """A customer in France of a seller in France: 20 % on what is sold, at $1 an hour."""

    book: Book
    acme: Tenant

    def top_up(self, cents: int) -> CreditBlock:
        """So many cents came in today, and are kept for later use."""
        entry = BankEntry(
            f"e{cents}", self.book.clock.instant_ms, cents * CENT, "USD", "for later", "A payer"
        )
        request = RecordReceipts(LegalEntityId("paris"), "s", "", (entry,))
        call = self.book.desk.call
        (payment,) = call("record_receipts", request, self.book.finance).payments
        return call("top_up", TopUp(payment.id, None, self.acme.id))

    def use(self, hours: int) -> Invoice:
        """So many hours of one core, and the invoice over them."""
        lease = self.book.lease(self.acme, ON_DEMAND, 1)
        self.book.turn()
        self.book.pass_s(hours * 3_600)
        self.book.desk.call("end_lease", LeaseRef(lease.id), self.book.operator)
        self.book.turn()
        return self.book.desk.call("issue_invoice", IssueInvoice(self.acme.id), self.book.finance)

    def left(self) -> int:
        """Micros that may still be drawn."""
        return sum(b.left_micros for b in self.book.desk.book.contracts.credit_of.get(self.acme.id))


@pytest.fixture
def shop(book: Book) -> Shop:
    acme = admitted(book, "FR", "FR83404833048")
    book.price(ON_DEMAND, 1_000_000_000)
    book.supply(4)
    return Shop(book, acme)


def amounts(invoice: Invoice) -> list[tuple[str, int]]:
    return [(x.type, x.amount_micros // CENT) for x in invoice.lines]


def test_a_top_up_pays_usage_with_its_tax(shop: Shop) -> None:
    """A multi-purpose balance is no sale when it is paid in: it is taxed when it is used."""
    shop.top_up(12_000)
    invoice = shop.use(100)
    # 100 hours at $1 are $100.00, taxed with 20 %: $20.00. The $120.00 pay both, whole.
    assert amounts(invoice) == [("usage", 10_000), ("on_account", -12_000)]
    (tax,) = invoice.taxes
    assert (tax.base_micros, tax.amount_micros) == (10_000 * CENT, 2_000 * CENT)
    assert (invoice.net_micros, invoice.total_micros) == (10_000 * CENT, 0)
    assert shop.left() == 0
    # $120 came in: $100 of it is revenue, $20 is owed to the state, nothing else is anywhere.
    assert balance(shop.book, ledger.revenue(ON_DEMAND)) == -10_000 * CENT
    assert balance(shop.book, ledger.tax_payable(invoice.entity_id)) == -2_000 * CENT
    for account in (ledger.deferred_revenue, ledger.unbilled, ledger.receivable):
        assert balance(shop.book, account(shop.acme.id)) == 0
    assert balance(shop.book, ledger.ROUNDING) == 0


def test_what_a_top_up_does_not_reach_is_asked_with_its_tax_to_the_cent(shop: Shop) -> None:
    shop.top_up(5_000)
    invoice = shop.use(100)
    # $50.00 are 41.666666 of usage and 8.333334 of tax on it: shown as 41.67 + 8.33 = 50.00.
    # $100.00 of usage + 20 % of all of it, $20.00, less $50.00: $70.00 are asked.
    assert amounts(invoice) == [("usage", 10_000), ("on_account", -5_000)]
    assert invoice.taxes[0].amount_micros == 2_000 * CENT
    assert invoice.total_micros == 7_000 * CENT
    assert shop.left() == 0
    assert balance(shop.book, ledger.deferred_revenue(shop.acme.id)) == 0
    assert balance(shop.book, ledger.receivable(shop.acme.id)) == 7_000 * CENT
    assert balance(shop.book, ledger.unbilled(shop.acme.id)) == 0


def test_a_part_of_a_top_up_is_drawn_with_its_tax_and_the_rest_stays(shop: Shop) -> None:
    shop.top_up(10_000)
    # 7 hours at $1.00 are $7.00 + $1.40: $91.60 stay.
    assert shop.use(7).total_micros == 0
    assert shop.left() == 9_160 * CENT
    # 70 hours are $70.00 + $14.00: $7.60 stay. 50 more are $50.00 + $10.00 = $60.00.
    assert shop.use(70).total_micros == 0
    assert shop.use(50).total_micros == (6_000 - 760) * CENT
    assert shop.left() == 0


def test_what_was_prepaid_by_an_invoice_is_not_taxed_again(shop: Shop) -> None:
    book = shop.book
    deal = Deal(
        book, book.user(Role.SALES), book.user(Role.APPROVER), shop.acme,
        book.user(Role.TENANT_ADMIN, tenant=shop.acme),
    )  # fmt: skip
    deal.agree(
        PREPAID.replace(
            "until = 2026-12-01\n", 'until = 2026-12-01\nentity = "paris"\nzone = "Europe/Paris"\n'
        )
    )
    deal.at("2026-10-16")
    rates = ImportTable("date,base,quote,rate\n2026-10-16,USD,EUR,0.90\n", "ecb.csv")
    book.desk.call("import_fx_rates", rates, book.finance)
    (draft,) = book.desk.call("draw_up_prepayments", PreviewInvoice(shop.acme.id), book.finance)
    # $100.00 + $200.00 are asked ahead with 20 %: $360.00.
    assert final(book, draft).total_micros == 36_000 * CENT
    invoice = shop.use(100)
    # $100.00 of usage less $100.00 that was prepaid: nothing is sold any more, no tax again.
    assert amounts(invoice) == [("usage", 10_000), ("drawdown", -10_000)]
    assert (invoice.taxes[0].base_micros, invoice.total_micros) == (0, 0)
    assert balance(book, ledger.tax_payable(invoice.entity_id)) == -6_000 * CENT


def test_a_gift_lowers_what_is_taxed_and_a_top_up_pays_the_rest_with_tax(shop: Shop) -> None:
    shop.top_up(12_000)
    grant = GiveGrant(shop.acme.id, "40.00", shop.book.clock.instant_ms + 1_000 * HOUR_MS)
    shop.book.desk.call("give_grant", grant)
    invoice = shop.use(100)
    # $40.00 are given; $60.00 are sold, with $12.00 of tax: $72.00 of the top-up, $48.00 stay.
    assert amounts(invoice) == [("usage", 10_000), ("drawdown", -4_000), ("on_account", -7_200)]
    assert (invoice.taxes[0].base_micros, invoice.total_micros) == (6_000 * CENT, 0)
    assert shop.left() == 4_800 * CENT


def test_voiding_gives_a_top_up_back_with_the_tax_it_paid(shop: Shop) -> None:
    block = shop.top_up(12_000)
    invoice = shop.use(100)
    note = shop.book.desk.call("credit_invoice", CreditInvoice(invoice.id, "no"))
    assert note.total_micros == 0
    status = shop.book.store.find("invoice_status", (invoice.id,))
    assert status.state is InvoiceState.VOID  # it had asked nothing, and is void all the same
    assert [(tax.base_micros, tax.amount_micros) for tax in note.taxes] == [
        (10_000 * CENT, 2_000 * CENT)
    ]
    assert shop.left() == block.granted_micros
    assert balance(shop.book, ledger.deferred_revenue(shop.acme.id)) == -12_000 * CENT
    assert balance(shop.book, ledger.tax_payable(invoice.entity_id)) == 0
    assert balance(shop.book, ledger.receivable(shop.acme.id)) == 0
    assert balance(shop.book, ledger.revenue(ON_DEMAND)) == 0


def test_a_tax_that_falls_between_draft_and_invoice_makes_credit_of_what_was_drawn(
    shop: Shop,
) -> None:

    book = shop.book
    shop.top_up(12_000)
    lease = book.lease(shop.acme, ON_DEMAND, 1)
    book.turn()
    book.pass_s(100 * 3_600)
    book.desk.call("end_lease", LeaseRef(lease.id), book.operator)
    book.clock.instant_ms = parse_instant("2026-10-01T00:00:00Z")
    book.turn()
    paris = book.desk.book.credit.admissions[shop.acme.id].entity_id
    period = book.desk.call("close_period", ClosePeriod(paris, "2026-09"), book.finance)
    while not period.closed:
        period = book.desk.call("close_slice", CloseSlice(period.id))
    (draft,) = drafts(book)
    assert draft.total_micros == 0
    lower = "seller,buyer_country,buyer,treatment,rate_percent,from,note\n"
    lower += "FR,*,*,standard,10,2026-10-01,VAT\n"
    book.desk.call("import_tax_rules", ImportTable(lower, "taxes.csv"), book.finance)
    invoice = final(book, draft)
    # 10 % of $100.00 are $10.00: of the $120.00 that were drawn $10.00 are the customer's credit.
    assert amounts(invoice) == [("usage", 10_000), ("on_account", -12_000), ("carried", 1_000)]
    assert (invoice.taxes[0].amount_micros, invoice.total_micros) == (1_000 * CENT, 0)
    assert balance(book, ledger.customer_credit(shop.acme.id)) == -1_000 * CENT
    (own,) = book.desk.book.receipts.credit_of.get(shop.acme.id)
    assert (own.left_micros, own.reference) == (1_000 * CENT, invoice.number)
    # Taken back with the invoice while it is there; once it is sent back, the invoice stays.
    call, void = book.desk.call, CreditInvoice(invoice.id, "no")
    call("refund_payment", RefundPayment(own.id, "as asked", "4.00"))
    with pytest.raises(Refused, match="credit_is_used") as no:
        call("credit_invoice", void)
    assert (no.value.facts["left"], no.value.facts["wanted"]) == ("6.00", "10.00")
    assert balance(book, ledger.unbilled(shop.acme.id)) == 0


def test_a_customer_without_a_limit_uses_its_top_up_to_the_end(book: Book) -> None:
    """What a top-up would pay counts with its tax: a limit of zero is a prepaid customer."""
    acme = Limited(book, "0.00", taxed=True)
    acme.block(120)
    # One core for ten hours at $10 is $100.00 and $20.00 of tax: the $120.00 of the top-up.
    acme.lease(1, hours=10)
    acme.refused(1, hours=1)
    book.turn()
    book.pass_s(10 * 3_600)
    request = ShowCredit(acme.acme.id)
    exposure = book.desk.call("show_credit", request, book.finance).exposure
    assert (exposure.unbilled_micros, exposure.covered_micros, exposure.owed_micros) == (
        10_000 * CENT, 10_000 * CENT, 0,
    )  # fmt: skip
    assert exposure.prepaid_micros == 0
