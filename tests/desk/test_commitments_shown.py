"""What of commitments is shown that an exit ended, or whose tranche never came."""

from typing import Any

from comptoir.desk.contract_requests import ContractRef
from comptoir.sales.tranches import ActType
from comptoir.units.time import format_day, parse_instant
from tests.desk.contract_book import SOLD, Deal

EXIT = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2027-04-01

[[commitment]]
name = "ahead"
type = "prepaid"
access = [
  { from = 2026-10-01, until = 2026-12-01, amount = "100.00" },
  { from = 2026-12-01, until = 2027-02-01, amount = "100.00" },
]
invoice = [ { date = 2026-10-01, amount = "150.00" }, { date = 2026-12-15, amount = "50.00" } ]

[[commitment]]
name = "after"
type = "postpaid"
access = [
  { from = 2026-10-01, until = 2026-11-30, amount = "60.00" },
  { from = 2026-12-01, until = 2027-02-01, amount = "60.00" },
]

[[commitment]]
name = "late"
type = "postpaid"
access = [ { from = 2027-02-01, until = 2027-04-01, amount = "60.00" } ]

[exit]
notice = "10d"
"""


def shown(deal: Deal) -> dict[str, Any]:
    [contract] = deal.book.desk.book.contracts.contracts
    found = deal.book.desk.call("explain_contract", ContractRef(contract.id), deal.sales)
    return {one.commitment.name: one for one in found.commitments}


def test_after_an_exit_is_noted_only_what_it_leaves_is_shown(deal: Deal) -> None:
    """Notice on 20 October ends it on the 30th, half of the sixty days of the step that runs."""
    deal.agree(EXIT)
    deal.at("2026-10-20")
    assert shown(deal)["ahead"].next_instalment is not None
    deal.act(ActType.EXIT, by=deal.buyer, at=parse_instant("2026-10-31T00:00:00Z"))
    for day in ("2026-10-20", "2026-10-31"):  # and once it has ended
        deal.at(day)
        found = shown(deal)
        assert found["ahead"].next_instalment is None
        assert format_day(found["ahead"].commitment.until_ms) == "2026-12-01"
        assert [step.micros for step, _ in found["after"].spent] == [30_000_000]
        assert format_day(found["after"].commitment.until_ms) == "2026-10-31"
        gone = {name for name, one in found.items() if one.fell_away}
        assert (gone, found["late"].alive) == ({"late"}, False)


def test_a_commitment_of_a_cancelled_tranche_fell_away(deal: Deal) -> None:
    deal.agree(SOLD)
    deal.at("2026-12-02")
    assert (shown(deal)["more"].alive, shown(deal)["more"].fell_away) == (False, False)
    deal.act(ActType.CANCEL, "second", by=deal.buyer)
    more = shown(deal)["more"]
    assert (more.alive, more.fell_away, more.next_instalment) == (False, True, None)
