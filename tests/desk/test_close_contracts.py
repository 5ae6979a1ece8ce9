"""Invoices of a month under contracts and taxes: worked examples, every number derived."""

import pytest

from comptoir.billing.drafts import InvoiceDraft
from comptoir.billing.invoices import Invoice, InvoiceKind, LineType
from comptoir.desk.close_requests import ClosePeriod, CloseSlice, CreditInvoice, PreviewInvoice
from comptoir.desk.entity_requests import (
    AcceptTerms,
    AdmitCustomer,
    CreateEntity,
    ImportTable,
    InviteCustomer,
    ScreenCustomer,
)
from comptoir.desk.requests import IssueInvoice, LeaseRef
from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.sales.credit_blocks import CreditSource
from comptoir.sales.tranches import ActType
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.tenants.parties import Role, Tenant
from comptoir.units.errors import Refused
from comptoir.units.ids import LegalEntityId
from comptoir.units.time import parse_instant
from tests.builders import START_MS, Book
from tests.desk.contract_book import Deal
from tests.desk.test_close import CENT, balance, close, drafts, final

ON_DEMAND = LeaseClass.ON_DEMAND
PREPAID = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2026-12-01

[[commitment]]
name = "base"
type = "prepaid"
rollover = 0.25
rollover_for = "30d"
access = [ { from = 2026-10-01, until = 2026-11-01, amount = "300.00" } ]
invoice = [
  { date = 2026-10-01, amount = "100.00" },
  { date = 2026-10-15, amount = "200.00" },
]
"""
POSTPAID = """
contract = "ACME-2"
sold_to = "acme"
effective = 2026-10-01
until = 2026-12-01

[[commitment]]
name = "october"
type = "postpaid"
access = [ { from = 2026-10-01, until = 2026-11-01, amount = "300.00" } ]
invoice = [ { date = 2026-11-01, amount = "300.00" } ]
"""
HALF_PRICE = """
contract = "ACME-3"
sold_to = "acme"
effective = 2026-10-11
until = 2026-12-01

[[price]]
kind = "cpu-core"
factor = 0.50
"""


@pytest.fixture
def deal(book: Book) -> Deal:
    acme = book.tenant("acme")
    book.price(ON_DEMAND, 1_000_000_000)  # $1 an hour
    book.supply(4)
    return Deal(
        book, book.user(Role.SALES), book.user(Role.APPROVER), acme,
        book.user(Role.TENANT_ADMIN, tenant=acme),
    )  # fmt: skip


def run(deal: Deal, first: str, last: str) -> None:
    """One core from one day to another."""
    deal.at(first)
    lease = deal.book.lease(deal.acme, ON_DEMAND, 1)
    deal.book.turn()
    deal.at(last)
    deal.book.desk.call("end_lease", LeaseRef(lease.id), deal.book.operator)
    deal.book.turn()


def of_kind(book: Book, kind: InvoiceKind) -> list[InvoiceDraft]:
    return [draft for draft in drafts(book) if draft.kind is kind]


def test_instalments_are_prepaid_drawn_and_what_is_left_expires_or_rolls_over(deal: Deal) -> None:
    book = deal.book
    close_september(deal)
    deal.agree(PREPAID)
    deal.at("2026-10-02")
    # The instalment of 1 October is due; that of the 15th is not yet. Once drawn up, never again.
    (first,) = book.desk.call("draw_up_prepayments", PreviewInvoice(deal.acme.id), book.finance)
    assert [(x.type, x.amount_micros) for x in first.lines] == [("instalment", 10_000 * CENT)]
    with pytest.raises(Refused, match="nothing_to_bill"):
        book.desk.call("draw_up_prepayments", PreviewInvoice(deal.acme.id), book.finance)
    invoice = final(book, first)
    assert invoice.kind is InvoiceKind.PREPAYMENT
    assert balance(book, ledger.deferred_revenue(deal.acme.id)) == -10_000 * CENT
    run(deal, "2026-10-03", "2026-10-08")
    deal.at("2026-11-01")
    close(book, "2026-10")
    # The other $200 are drawn up by the close. 5 days are 120 hours at $1: drawn from the $300.
    (prepayment,) = of_kind(book, InvoiceKind.PREPAYMENT)
    assert prepayment.total_micros == 20_000 * CENT
    (usage,) = of_kind(book, InvoiceKind.INVOICE)
    assert [(x.type, x.amount_micros) for x in usage.lines] == [
        (LineType.USAGE, 12_000 * CENT),
        (LineType.DRAWDOWN, -12_000 * CENT),
    ]
    final(book, prepayment)
    final(book, usage)
    # $180 are left on 1 November: a quarter, $45, lives on for 30 days; $135 are breakage.
    assert balance(book, ledger.BREAKAGE) == -13_500 * CENT
    rest = [b for b in deal.blocks() if b.source is CreditSource.ROLLOVER]
    assert [b.granted_micros for b in rest] == [4_500 * CENT]
    [gone] = book.store.find_told(["credit.expired"], None, 0, 100)
    assert gone.data["amount_micros"] == str(13_500 * CENT)
    # Prepaid $300 = drawn $120 + expired $135 + rolled over $45, which is what stays deferred.
    assert balance(book, ledger.deferred_revenue(deal.acme.id)) == -4_500 * CENT
    assert balance(book, ledger.receivable(deal.acme.id)) == 30_000 * CENT
    assert balance(book, ledger.unbilled(deal.acme.id)) == 0


def test_credit_of_which_nothing_is_lost_is_not_told_to_have_expired(deal: Deal) -> None:
    book = deal.book
    close_september(deal)
    deal.agree(PREPAID.replace("rollover = 0.25", "rollover = 1.0"))
    deal.at("2026-11-01")
    close(book, "2026-10")
    assert [b.source for b in deal.blocks() if b.left_micros] == [CreditSource.ROLLOVER]
    assert book.store.find_told(["credit.expired"], None, 0, 100) == []


def test_crediting_an_instalment_takes_back_what_is_not_drawn_and_no_more(deal: Deal) -> None:
    book = deal.book
    close_september(deal)
    deal.agree(PREPAID)
    deal.at("2026-10-16")
    (draft,) = book.desk.call("draw_up_prepayments", PreviewInvoice(deal.acme.id), book.finance)
    invoice = final(book, draft)  # $100 and $200, for a block of $300
    run(deal, "2026-10-16", "2026-10-21")
    book.desk.call("issue_invoice", IssueInvoice(deal.acme.id), book.finance)
    # 120 hours at $1 are drawn: $180 are left. The whole $300 cannot be credited any more, ...
    with pytest.raises(Refused, match="credit_is_used") as no:
        book.desk.call("credit_invoice", CreditInvoice(invoice.id, "all"))
    assert (no.value.facts["left"], no.value.facts["wanted"]) == ("180.00", "300.00")
    # ... nor $180.01 of the second instalment; $150 can, and leave $30 to draw.
    for line, amount in ((2, "180.01"), (2, "150.00")):
        request = CreditInvoice(invoice.id, "less is needed", ((line, amount),))
        if amount == "180.01":
            with pytest.raises(Refused, match="credit_is_used"):
                book.desk.call("credit_invoice", request)
        else:
            book.desk.call("credit_invoice", request)
    (block,) = deal.blocks()
    assert (block.drawn_micros, block.left_micros) == (12_000 * CENT, 3_000 * CENT)
    assert balance(book, ledger.deferred_revenue(deal.acme.id)) == -3_000 * CENT
    assert balance(book, ledger.receivable(deal.acme.id)) == 15_000 * CENT
    run(deal, "2026-10-21", "2026-10-26")
    second = book.desk.call("issue_invoice", IssueInvoice(deal.acme.id), book.finance)
    # Another 120 hours: $30 are drawn, $90 are asked. The block is over, and nothing is breakage.
    assert second.total_micros == 9_000 * CENT
    deal.at("2026-11-01")
    close(book, "2026-10")
    assert balance(book, ledger.BREAKAGE) == 0
    assert balance(book, ledger.deferred_revenue(deal.acme.id)) == 0


def test_what_was_committed_and_not_spent_is_owed_at_the_end_of_its_step_once(deal: Deal) -> None:
    book = deal.book
    close_september(deal)
    deal.agree(POSTPAID)
    run(deal, "2026-10-03", "2026-10-08")
    deal.at("2026-11-01")
    close(book, "2026-10")
    (draft,) = drafts(book)
    # $300 were committed, 5 x 24 hours at $1 were used: $180 are owed besides.
    assert [(x.type, x.amount_micros) for x in draft.lines] == [
        (LineType.USAGE, 12_000 * CENT),
        (LineType.TRUE_UP, 18_000 * CENT),
    ]
    assert final(book, draft).total_micros == 30_000 * CENT
    assert balance(book, ledger.BREAKAGE) == -18_000 * CENT
    deal.at("2026-12-01")
    close(book, "2026-11")
    assert drafts(book) == []


def test_a_true_up_is_rounded_to_the_minor_unit_once(deal: Deal) -> None:
    close_september(deal)
    deal.agree(POSTPAID)
    deal.at("2026-10-03")
    lease = deal.book.lease(deal.acme, ON_DEMAND, 1)
    deal.book.turn()
    deal.book.pass_s(3_601)  # an hour and a second at $1: 1.000277
    deal.book.desk.call("end_lease", LeaseRef(lease.id), deal.book.operator)
    deal.book.turn()
    deal.at("2026-11-01")
    close(deal.book, "2026-10")
    (draft,) = drafts(deal.book)
    assert [x.amount_micros for x in draft.lines] == [100 * CENT, 29_900 * CENT]
    assert final(deal.book, draft).total_micros == 30_000 * CENT


def test_leaving_early_costs_its_fee_in_the_period_in_which_it_takes_effect(deal: Deal) -> None:
    book = deal.book
    close_september(deal)
    leave = '[exit]\nnotice = "20d"\nfee = "50.00"\n'
    deal.agree(HALF_PRICE.replace("2026-10-11", "2026-10-01") + leave)
    deal.at("2026-10-15")
    deal.act(ActType.EXIT, by=deal.buyer)  # takes effect on 4 November
    deal.at("2026-11-06")
    close(book, "2026-10")
    assert drafts(book) == []
    deal.at("2026-12-01")
    close(book, "2026-11")
    (draft,) = drafts(book)
    assert [(x.type, x.amount_micros) for x in draft.lines] == [("true_up", 5_000 * CENT)]
    final(book, draft)
    assert balance(book, ledger.BREAKAGE) == -5_000 * CENT
    deal.at("2027-01-01")
    close(book, "2026-12")
    assert drafts(book) == []


def test_a_price_that_changes_within_a_month_makes_two_lines_of_one_invoice(deal: Deal) -> None:
    book = deal.book
    close_september(deal)
    deal.agree(HALF_PRICE)
    run(deal, "2026-10-01", "2026-10-31")
    deal.at("2026-11-01")
    close(book, "2026-10")
    invoice: Invoice = final(book, drafts(book)[0])
    # Ten days (1 to 11 October) are 240 hours at $1; twenty (11 to 31) are 480 at $0.50.
    assert sorted((x.price_nanos, x.amount_micros) for x in invoice.lines) == [
        (500_000_000, 24_000 * CENT),
        (1_000_000_000, 24_000 * CENT),
    ]
    assert invoice.total_micros == 48_000 * CENT
    assert {x.contract_version_id != "" for x in invoice.lines} == {True, False}


def close_september(deal: Deal) -> None:
    """A book begins in September: with nothing used, its close leaves no draft."""
    deal.at("2026-10-01")
    close(deal.book, "2026-09")
    assert drafts(deal.book) == []


TAXES = """seller,buyer_country,buyer,treatment,rate_percent,from,note
FR,*,*,standard,20,2014-01-01,VAT
FR,DE,business,reverse_charge,0,2014-01-01,"Reverse charge: VAT is owed by the recipient"
"""


def admitted(book: Book, country: str, tax_id: str, **entity: object) -> Tenant:
    """A business that buys from an entity in Paris."""
    call = book.desk.call
    given = {"zone": "Europe/Paris", "tax_ids": (("FR", "FR40303265045"),), **entity}
    call("create_entity", CreateEntity("paris", "Comptoir SAS", "FR", "EUR", **given), book.finance)  # type: ignore[arg-type]
    call("import_tax_rules", ImportTable(TAXES, "taxes.csv"), book.finance)
    rates = "date,base,quote,rate\n2026-09-21,USD,EUR,0.90\n"
    call("import_fx_rates", ImportTable(rates, "ecb.csv"), book.finance)
    acme = book.tenant("acme")
    sales, approver = book.user(Role.SALES), book.user(Role.APPROVER)
    invitation = InviteCustomer(
        acme.id, LegalEntityId("paris"), "Acme GmbH", country, "1", ("Hauptstr. 1",), tax_id
    )
    call("invite_customer", invitation, sales)
    call("accept_terms", AcceptTerms(acme.id, "1"), book.user(Role.TENANT_ADMIN, tenant=acme))
    call("screen_customer", ScreenCustomer(acme.id, START_MS, "none found", None), sales)
    call("admit_customer", AdmitCustomer(acme.id, None), approver)
    return acme


def an_hour(book: Book, acme: Tenant) -> Invoice:
    """The invoice over one hour of one core at $1.23."""
    book.price(ON_DEMAND, 1_230_000_000)
    book.supply(1)
    book.lease(acme, ON_DEMAND, 1)
    book.turn()
    book.pass_s(3_600)
    return book.desk.call("issue_invoice", IssueInvoice(acme.id), book.finance)


def test_an_invoice_to_a_business_abroad_asks_no_tax_and_says_who_owes_it(book: Book) -> None:
    acme = admitted(book, "DE", "DE136695976")
    invoice = an_hour(book, acme)
    # One hour at $1.23, and nothing on it: the recipient accounts for the tax.
    assert (invoice.net_micros, invoice.total_micros) == (123 * CENT, 123 * CENT)
    (tax,) = invoice.taxes
    assert (tax.treatment, tax.rate_ppm, tax.base_micros, tax.amount_micros) == (
        "reverse_charge", 0, 123 * CENT, 0,
    )  # fmt: skip
    assert tax.note == "Reverse charge: VAT is owed by the recipient"
    assert (invoice.seller.tax_id, invoice.buyer.tax_id) == ("FR40303265045", "DE136695976")
    assert (invoice.buyer.name, invoice.buyer.country) == ("Acme GmbH", "DE")
    assert invoice.number == "PARIS-2026-000001"


def test_an_invoice_at_home_asks_its_tax_rounded_once(book: Book) -> None:
    acme = admitted(book, "FR", "FR83404833048")
    invoice = an_hour(book, acme)
    # 20 % of $1.23 is $0.246, rounded once to $0.25: $1.48.
    assert invoice.total_micros == 148 * CENT
    assert balance(book, ledger.tax_payable(invoice.entity_id)) == -25 * CENT
    assert balance(book, ledger.receivable(acme.id)) == 148 * CENT


def test_months_of_an_entity_in_paris_end_two_hours_before_those_in_utc(book: Book) -> None:
    """Billed by the wrong day for zones that are not UTC is what others were."""
    acme = admitted(book, "FR", "FR83404833048")
    book.price(ON_DEMAND, 1_000_000_000)
    book.supply(1)
    book.clock.instant_ms = parse_instant("2026-09-30T20:00:00Z")
    book.lease(acme, ON_DEMAND, 1)
    book.turn()
    book.clock.instant_ms = parse_instant("2026-09-30T23:00:00Z")
    book.turn()
    # In Paris it is October since 22:00 UTC: September has two of the three hours.
    period = book.desk.call(
        "close_period", ClosePeriod(LegalEntityId("paris"), "2026-09"), book.finance
    )
    while not period.closed:
        period = book.desk.call("close_slice", CloseSlice(period.id))
    (draft,) = drafts(book)
    assert draft.net_micros == 200 * CENT
    assert draft.ends_at_ms == parse_instant("2026-09-30T22:00:00Z")
    with pytest.raises(Refused, match="period_not_over"):  # the house's September still runs
        book.desk.call("close_period", ClosePeriod(HOUSE_ENTITY, "2026-09"), book.finance)


def test_what_is_open_in_another_currency_is_revalued_at_the_close_and_back(book: Book) -> None:
    acme = admitted(book, "DE", "DE136695976")
    invoice = an_hour(book, acme)
    status = book.desk.book.closing.statuses[invoice.id]
    assert status.rate_nanos == 900_000_000
    book.clock.instant_ms = parse_instant("2026-10-01T00:00:00Z")
    book.turn()
    rates = "date,base,quote,rate\n2026-09-30,USD,EUR,0.80\n"
    book.desk.call("import_fx_rates", ImportTable(rates, "ecb1.csv"), book.finance)
    paris = invoice.entity_id
    period = book.desk.call("close_period", ClosePeriod(paris, "2026-09"), book.finance)
    while not period.closed:
        period = book.desk.call("close_slice", CloseSlice(period.id))
    # $1.23 were worth EUR 1.107 when they were asked for, EUR 0.984 at the close: a loss of 0.123.
    assert balance(book, ledger.fx_gain_loss(paris), "EUR") == 123_000
    assert balance(book, ledger.revaluation(paris), "EUR") == -123_000
    # Credited whole, nothing is open any more: the next close takes the revaluation back.
    book.desk.call("credit_invoice", CreditInvoice(invoice.id, "a gift"))
    book.clock.instant_ms = parse_instant("2026-11-01T00:00:00Z")
    period = book.desk.call("close_period", ClosePeriod(paris, "2026-10"), book.finance)
    while not period.closed:
        period = book.desk.call("close_slice", CloseSlice(period.id))
    assert balance(book, ledger.fx_gain_loss(paris), "EUR") == 0
