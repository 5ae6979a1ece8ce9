"""Commitments of a tranche that comes late. Every core costs $1 an hour in these examples."""

from comptoir.desk.contract_requests import ContractRef
from comptoir.ledger import entries as ledger
from comptoir.metering.usage import Measure
from comptoir.sales.tranches import ActType
from tests.desk.contract_book import Deal
from tests.desk.test_close import CENT, balance
from tests.desk.test_close_contracts import close_september
from tests.desk.test_committed_steps import ON_DEMAND, Deals, asked, deal, made

__all__ = ["deal", "made"]
POSTPAID = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2027-01-01

[[commitment]]
name = "month"
type = "postpaid"
tranche = "t"
access = [ { from = 2026-10-01, until = 2026-11-01, amount = "3100.00" } ]

[[tranche]]
name = "t"
kind = "cpu-core"
accelerators = 1
delivery = 2026-10-01
"""
PREPAID = (
    POSTPAID.replace("postpaid", "prepaid")
    .replace(
        '"3100.00" }',
        '"100.00" },\n  { from = 2026-11-01, until = 2026-12-01, amount = "50.00" },\n',
    )
    .replace(
        "[[tranche]]",
        'invoice = [ { date = 2026-10-01, amount = "100.00" }, '
        '{ date = 2026-11-01, amount = "50.00" } ]\n\n[[tranche]]',
    )
)


def test_a_postpaid_step_of_a_late_tranche_begins_when_it_is_accepted(made: Deals) -> None:
    """Accepted on 11 October, 21 of 31 days are left: $2,100 of $3,100.

    One core since the 1st: 504 hours count, those of the 21 days. $1,596 are owed.
    """
    deal = made(Measure.DELIVERED)
    close_september(deal)
    deal.agree(POSTPAID)
    deal.at("2026-10-01")
    deal.book.lease(deal.acme, ON_DEMAND, 1)
    deal.book.turn()
    deal.at("2026-10-11")
    deal.act(ActType.DELIVER, "t")
    assert not list(deal.book.desk.book.contracts.steps)
    deal.act(ActType.ACCEPT, "t", by=deal.buyer)
    deal.at("2026-11-01")
    assert asked(deal, "2026-10") == [("usage", 744_00), ("true_up", 1_596_00)]


def test_what_is_accepted_in_silence_counts_from_then_whenever_the_turn_comes(made: Deals) -> None:
    """Delivered on the 8th, accepted in silence on the 11th; the next turn is on 1 November."""
    deal = made(Measure.DELIVERED)
    close_september(deal)
    deal.agree(POSTPAID)
    deal.at("2026-10-01")
    deal.book.lease(deal.acme, ON_DEMAND, 1)
    deal.book.turn()
    deal.at("2026-10-08")
    deal.act(ActType.DELIVER, "t")
    deal.at("2026-11-01")
    assert asked(deal, "2026-10") == [("usage", 744_00), ("true_up", 1_596_00)]


def test_a_prepaid_step_that_is_over_before_its_tranche_is_accepted_is_not_asked(
    made: Deals,
) -> None:
    """October's $100 fell away; November's $50 are asked, and expire unused."""
    deal = made(Measure.DELIVERED)
    close_september(deal)
    deal.agree(PREPAID)
    deal.at("2026-11-01")
    assert asked(deal, "2026-10") == []
    deal.at("2026-11-04")
    deal.act(ActType.DELIVER, "t")
    deal.act(ActType.ACCEPT, "t", by=deal.buyer)
    assert [block.granted_micros // CENT for block in deal.blocks()] == [50_00]
    deal.at("2026-12-01")
    assert asked(deal, "2026-11") == [("instalment", 50_00)]
    assert balance(deal.book, ledger.BREAKAGE) == -50_00 * CENT


def test_a_commitment_all_of_which_was_over_in_time_binds_nobody(deal: Deal) -> None:
    close_september(deal)
    made = deal.agree(POSTPAID)
    deal.at("2026-11-05")
    deal.act(ActType.DELIVER, "t")
    deal.act(ActType.ACCEPT, "t", by=deal.buyer)
    found = deal.book.desk.call("explain_contract", ContractRef(made.contract.id), deal.buyer)
    assert not found.commitments[0].alive
    deal.at("2026-12-01")
    assert asked(deal, "2026-10") == [] == asked(deal, "2026-11")
