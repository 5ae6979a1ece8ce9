"""What is void is asked of nobody, so nothing is given back for it besides, in either order."""

import pytest

from comptoir.billing.invoices import LineType
from comptoir.desk.close_requests import CreditInvoice
from comptoir.desk.failure_requests import FailNode
from comptoir.desk.requests import IssueInvoice
from comptoir.ledger import entries as ledger
from comptoir.units.errors import Refused
from tests.desk.contract_book import Deal
from tests.desk.test_close import balance, close, drafts, final
from tests.desk.test_sla_credits import CENT, HOUR, TERMS, begun, close_october, deal, told

__all__ = ["deal"]


def dies_unseen(deal: Deal, invoiced: bool = False) -> str:
    """Twelve cores at $1; one node of 4 is dead from 11 October 20:00, reported 12 h later."""
    lease = begun(deal, TERMS.replace("UNIT", "node"), nodes=(4, 4, 4))
    book = deal.book
    deal.at("2026-10-12")
    book.pass_s(8 * 3_600)
    number = ""
    if invoiced:
        number = book.desk.call("issue_invoice", IssueInvoice(deal.acme.id), book.finance).id
    node = book.desk.book.allocations_of(lease.id)[0].node_id
    failed_at = book.clock.instant_ms - 12 * HOUR
    book.desk.call("fail_node", FailNode(node, "power", failed_at, stopped=True), book.operator)
    book.turn()
    return number


def left(deal: Deal) -> int:
    blocks = deal.book.desk.book.contracts.credit_of.get(deal.acme.id)
    return sum(block.left_micros for block in blocks)


def test_a_void_invoice_takes_what_was_given_for_its_time_with_it(deal: Deal) -> None:
    """October: $5,952.00 of use; $48.00 billed while down and $595.20 of SLA credit are drawn.

    Void, it asks nothing: what it had drawn is not there for November, which pays all of itself.
    """
    dies_unseen(deal)
    close_october(deal)
    book = deal.book
    invoice = final(book, drafts(book)[0])
    assert invoice.total_micros == (595_200 - 4_800 - 59_520) * CENT
    book.desk.call("credit_invoice", CreditInvoice(invoice.id, "wrong in all"))
    assert left(deal) == 0
    deal.at("2026-12-01")
    close(book, "2026-11")
    (november,) = drafts(book)
    assert {line.type for line in november.lines} == {LineType.USAGE}
    assert balance(book, ledger.SLA_CREDIT) == 0


def test_nothing_is_given_back_for_time_whose_invoice_was_void_before(deal: Deal) -> None:
    invoice_id = dies_unseen(deal, invoiced=True)
    deal.book.desk.call("credit_invoice", CreditInvoice(invoice_id, "wrong in all"))
    close_october(deal)
    assert deal.book.store.find_told(["credit.billed_while_down"], None, 0, 100) == []
    # From 12 October 08:00 on, 8 cores for 19 days and 16 hours: $3,776.00, of which 10 % are
    # credited. What was used before is void, and nothing is owed for it.
    (event,) = told(deal)
    assert event.data["micros"] == str(37_760 * CENT)


def test_what_another_invoice_drew_of_it_keeps_the_first_from_being_void(deal: Deal) -> None:
    """$3,776.00 are left to ask of October, and all $643.20 are drawn by its close."""
    invoice_id = dies_unseen(deal, invoiced=True)
    close_october(deal)
    october = final(deal.book, drafts(deal.book)[0])
    assert october.total_micros == (377_600 - 4_800 - 59_520) * CENT
    with pytest.raises(Refused, match="credit_is_used"):
        deal.book.desk.call("credit_invoice", CreditInvoice(invoice_id, "wrong in all"))
    # The other way round both are void, and nothing is left of what was given.
    deal.book.desk.call("credit_invoice", CreditInvoice(october.id, "wrong in all"))
    deal.book.desk.call("credit_invoice", CreditInvoice(invoice_id, "wrong in all"))
    assert left(deal) == 0
    assert balance(deal.book, ledger.SLA_CREDIT) == 0
    assert balance(deal.book, ledger.receivable(deal.acme.id)) == 0
