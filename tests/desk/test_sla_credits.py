"""A broken guarantee is credited at the close by the contract's own terms, without a claim."""

import pytest

from comptoir.billing.invoices import LineType
from comptoir.desk.close_requests import ClosePeriod, CloseSlice
from comptoir.desk.failure_requests import FailNode
from comptoir.leases.lease import LeaseClass, Shape
from comptoir.ledger import entries as ledger
from comptoir.sales.credit_blocks import BlockState, CreditSource
from comptoir.tenants.parties import Role
from comptoir.units.ids import LegalEntityId
from tests.builders import Book
from tests.desk.test_contracts import Deal

CENT = 10_000
TERMS = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2027-10-01

[[price]]
kind = "cpu-core"
price = 1.00

[sla]
unit = "UNIT"
healthy_minimum = 1
replace_within = "1h"
exclusions = ["maintenance"]
cap = 1
credit = [
  { below = 0.999, credit = 0.10 },
  { below = 0.99, credit = 0.30 },
]
"""


@pytest.fixture
def deal(book: Book) -> Deal:
    acme = book.tenant("acme")
    return Deal(
        book, book.user(Role.SALES), book.user(Role.APPROVER), acme,
        book.user(Role.TENANT_ADMIN, tenant=acme),
    )  # fmt: skip


def october(deal: Deal, unit: str):  # type: ignore[no-untyped-def]
    """8 cores on two nodes from 1 October on; one node of 4 is dead from the 11th to the 12th."""
    book = deal.book
    book.price_all(price_nanos=4_000_000_000)
    book.supply(4, 4, engine="")
    deal.agree(TERMS.replace("UNIT", unit))
    deal.at("2026-10-01")
    lease = book.lease(deal.acme, LeaseClass.ON_DEMAND, 8, shape=Shape.CLUSTER)
    deal.at("2026-10-01")
    deal.at("2026-10-11")
    node = next(n for n in book.desk.book.nodes if n.accelerators == 4)
    book.desk.call("fail_node", FailNode(node.id, "power", None, stopped=True), book.operator)
    book.turn()
    deal.at("2026-10-12")
    from comptoir.desk.requests import NodeRef

    book.desk.call("repair_node", NodeRef(node.id), book.operator)
    book.turn()
    deal.at("2026-11-01")
    book.pass_s(60)
    for month in ("2026-09", "2026-10"):
        request = ClosePeriod(LegalEntityId("house"), month)
        period = book.desk.call("close_period", request, book.finance)
        while not period.closed:
            period = book.desk.call("close_slice", CloseSlice(period.id))
    return lease


def test_a_gang_that_missed_a_node_for_a_day_is_credited_by_the_gang(deal: Deal) -> None:
    """By gang all 8 cores count for the day; delivered were 31 x 24 x 8 - 24 x 4 = 5,856 h.

    Promised 5,856 + 96 = 5,952 h; down 24 x 8 = 192 h; available 5,760 / 5,952 = 96.77 %: 30 %
    of $5,856.00 = $1,756.80.
    """
    october(deal, "gang")
    book = deal.book.desk.book
    [block] = [b for b in book.contracts.credit_blocks if b.source is CreditSource.SLA_CREDIT] or [
        deal.book.store.find("credit_block", (told(deal)[0].subject,))
    ]
    assert block.granted_micros == 175_680 * CENT
    assert (block.drawn_micros, block.state) == (block.granted_micros, BlockState.SPENT)
    [draft] = [d for d in book.closing.drafts if d.tenant_id == deal.acme.id]
    amounts = {line.type: line.amount_micros // CENT for line in draft.lines}
    assert amounts == {LineType.USAGE: 585_600, LineType.DRAWDOWN: -175_680}
    held = book.money.balances[ledger.SLA_CREDIT, ledger.Unit("USD")]
    assert held.amount == 175_680 * CENT
    [event] = told(deal)
    assert event.data["down_accelerator_ms"] == 192 * 3_600_000
    assert event.data["broken_accelerator_ms"] == 96 * 3_600_000
    assert event.data["because"] == list(block.conditions)


def test_by_the_accelerator_the_same_day_is_worth_less(deal: Deal) -> None:
    """Down are the 96 h that were not delivered: 5,856 / 5,952 = 98.387 %: 30 % too.

    By node it is the same four cores.
    """
    october(deal, "accelerator")
    [event] = told(deal)
    assert event.data["down_accelerator_ms"] == 96 * 3_600_000


def told(deal: Deal):  # type: ignore[no-untyped-def]
    return list(deal.book.store.find_told(["credit.sla"], None, 0, 100))
